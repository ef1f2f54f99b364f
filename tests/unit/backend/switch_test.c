/* SPDX-License-Identifier: MIT
 *
 * switch_test.c - the virtual switch: who gets what, what is learned, what is spoofed.
 */
#include <criterion/criterion.h>
#include <string.h>
#include "backend/switch.h"

static struct vswitch s;

enum { TRUNK = 0 };

static const uint8_t *mac(unsigned n)
{
    static uint8_t m[8][6];
    static unsigned k;
    uint8_t *at = m[k++ % 8];

    memcpy(at, (uint8_t[6]){0x02, 0, 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}, 6);
    return at;
}

static int send(unsigned port, const uint8_t *to, const uint8_t *from)
{
    uint8_t header[SWITCH_HEADER] = {0};

    memcpy(header, to, 6);
    memcpy(header + 6, from, 6);
    return switch_forward(&s, port, header);
}

static const uint8_t all[6] = {255, 255, 255, 255, 255, 255}, group[6] = {1, 0, 0x5e, 0, 0, 1},
                     zero[6];

Test(vswitch, between_guests)
{
    cr_assert(switch_add(&s, 1, mac(1)));
    cr_assert(switch_add(&s, 2, mac(2)));
    cr_assert_eq(send(1, mac(2), mac(1)), 2);
    cr_assert_eq(send(2, mac(1), mac(2)), 1);
    cr_assert_eq(send(1, all, mac(1)), SWITCH_FLOOD);
    cr_assert_eq(send(1, group, mac(1)), SWITCH_FLOOD);
    cr_assert_eq(send(1, mac(1), mac(1)), SWITCH_DROP, "to itself");
    cr_assert_eq(send(1, mac(9), mac(1)), SWITCH_DROP, "nobody, and no trunk");
    switch_remove(&s, 2);
    cr_assert_eq(send(1, mac(2), mac(1)), SWITCH_DROP);
    cr_assert_eq(send(2, mac(1), mac(2)), SWITCH_SPOOF, "it has no port any more");
}

Test(vswitch, nobody_sends_as_another)
{
    cr_assert(switch_add(&s, 1, mac(1)));
    cr_assert(switch_add(&s, 2, mac(2)));
    switch_trunk(&s, TRUNK);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(send(1, i ? mac(2) : all, i == 1 ? mac(2) : mac(77)), SWITCH_SPOOF);
    cr_assert_eq(send(1, mac(2), all), SWITCH_SPOOF);
    cr_assert_eq(send(1, mac(2), zero), SWITCH_SPOOF);
    cr_assert_eq(send(TRUNK, mac(2), mac(1)), SWITCH_SPOOF, "a guest's address from outside");
    cr_assert_eq(send(TRUNK, mac(2), group), SWITCH_SPOOF);
    cr_assert_not(switch_add(&s, 3, mac(2)), "taken");
    cr_assert_not(switch_add(&s, 3, group));
    cr_assert_not(switch_add(&s, 3, zero));
    cr_assert_not(switch_add(&s, SWITCH_PORTS, mac(5)));
}

Test(vswitch, learns_what_is_behind_the_trunk)
{
    switch_add(&s, 1, mac(1));
    switch_trunk(&s, TRUNK);
    cr_assert_eq(send(1, mac(50), mac(1)), TRUNK, "where else");
    cr_assert_eq(send(TRUNK, mac(51), mac(50)), SWITCH_DROP, "not for a guest");
    cr_assert_eq(send(TRUNK, mac(1), mac(50)), 1);
    cr_assert_eq(send(TRUNK, all, mac(50)), SWITCH_FLOOD);
    cr_assert_eq(send(1, mac(50), mac(1)), TRUNK);
    cr_assert_eq(send(TRUNK, mac(50), mac(52)), SWITCH_DROP, "it is on that side");
    /* what was learned gives way to a guest */
    cr_assert(switch_add(&s, 2, mac(50)));
    cr_assert_eq(send(1, mac(50), mac(1)), 2);
    cr_assert_eq(send(TRUNK, mac(1), mac(50)), SWITCH_SPOOF);
}

/* However many addresses there are outside, the table has room, and guests stay known. */
Test(vswitch, a_million_addresses)
{
    for (unsigned p = 1; p < SWITCH_PORTS; p++)
        cr_assert(switch_add(&s, p, mac(p)));
    switch_trunk(&s, TRUNK);
    for (unsigned i = 0; i < 1000000; i++) {
        unsigned p = 1 + i % (SWITCH_PORTS - 1);

        cr_assert_eq(send(TRUNK, mac(p), mac(1000 + i)), (int)p);
        cr_assert_leq(s.learned, SWITCH_LEARNED);
    }
    for (unsigned p = 2; p < SWITCH_PORTS; p++)
        cr_assert_eq(send(1, mac(p), mac(1)), (int)p);
}
