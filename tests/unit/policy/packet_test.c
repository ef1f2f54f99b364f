/* SPDX-License-Identifier: MIT
 *
 * packet_test.c - packet policies by simulation: shares, rates, and nobody forgotten.
 */
#include <criterion/criterion.h>
#include "policy/packet.h"

enum { SENDERS = 7 };

static struct packet_sender sender[SENDERS];
static uint64_t left[SENDERS], sent[SENDERS];

static unsigned who(const struct packet_sender *s)
{
    return (unsigned)(s - sender);
}

/* One packet of somebody's; false: nobody may. */
static bool step(struct packet_queue *q, uint64_t now, uint64_t *again, uint32_t bytes)
{
    struct packet_sender *s = packet_next(q, now, again);

    if (!s)
        return false;
    left[who(s)]--;
    sent[who(s)]++;
    packet_charge(s, bytes);
    if (left[who(s)])
        packet_add(q, s, true);
    return true;
}

Test(packet, round_robin_shares_differ_by_one)
{
    for (unsigned n = 1; n <= SENDERS; n++) {
        struct packet_queue q = {.policy = &packet_rr};
        uint64_t again;

        for (unsigned i = 0; i < n; i++) {
            sent[i] = 0;
            left[i] = 1000 + 100 * i; /* one floods more than the other */
            packet_add(&q, &sender[i], false);
            packet_add(&q, &sender[i], false); /* twice is once */
        }
        for (unsigned k = 0; k < 900 * n; k++) {
            uint64_t least = UINT64_MAX, most = 0;

            cr_assert(step(&q, 0, &again, 1 + k * 7919 % 1500));
            for (unsigned i = 0; i < n; i++) {
                least = sent[i] < least ? sent[i] : least;
                most = sent[i] > most ? sent[i] : most;
            }
            cr_assert_leq(most - least, 1);
        }
        for (unsigned i = 0; i < n; i++)
            packet_remove(&q, &sender[i]);
        cr_assert(!q.head && !q.tail);
    }
}

Test(packet, fifo_serves_who_came_first)
{
    struct packet_queue q = {.policy = &packet_fifo};
    uint64_t again;

    for (unsigned i = 0; i < 3; i++) {
        left[i] = 50;
        packet_add(&q, &sender[i], false);
    }
    for (unsigned k = 0; k < 150; k++) {
        cr_assert(step(&q, 0, &again, 100));
        cr_assert_eq(sent[k / 50], k % 50 + 1);
    }
    cr_assert_not(step(&q, 0, &again, 100));
    cr_assert_eq(again, UINT64_MAX);
}

/* A rate holds to one packet over any span, and the others do not wait for it. */
Test(packet, rates)
{
    struct packet_queue q = {.policy = &packet_rr};
    uint64_t now = 12345, start = now, again;
    const uint64_t rate = 1000000, burst = 6000;

    packet_limit(&sender[0], rate, burst, now);
    for (unsigned i = 0; i < 2; i++) {
        left[i] = 1000000;
        packet_add(&q, &sender[i], false);
    }
    for (unsigned k = 0; k < 200000; k++) {
        uint64_t before = sent[1], allowed;

        now += 10007; /* about 100,000 packets a second of the other's */
        cr_assert(step(&q, now, &again, 1500));
        cr_assert(step(&q, now, &again, 1500));
        cr_assert_geq(sent[1], before + 1);
        allowed = burst + (now - start) * rate / 1000000000 + 1500;
        cr_assert_leq(sent[0] * 1500, allowed, "%lu at %lu", sent[0] * 1500, now);
    }
    cr_assert_geq(sent[0] * 1500 + 1500, burst + (now - start) / 1000 - 1500, "as much as it may");
}

Test(packet, who_may_not_yet_is_told_when)
{
    struct packet_queue q = {.policy = &packet_rr};
    uint64_t now = 0, again;

    packet_limit(&sender[0], 3000, 1500, now);
    left[0] = 10;
    packet_add(&q, &sender[0], false);
    cr_assert(step(&q, now, &again, 1500));
    for (unsigned k = 1; k < 10; k++) {
        cr_assert_not(step(&q, now, &again, 1500));
        cr_assert(again > now && again <= now + 510000000, "%lu", again);
        now = again;
        cr_assert_not(step(&q, now - 2000, &again, 1500));
        cr_assert(step(&q, now, &again, 1500));
    }
    /* a clock that stood still for years, and rates at the edge */
    packet_limit(&sender[1], UINT64_MAX, 1500, 0);
    left[1] = 3;
    packet_add(&q, &sender[1], false);
    cr_assert(step(&q, UINT64_MAX / 2, &again, 65535));
}

Test(packet, out_of_the_middle)
{
    struct packet_queue q = {.policy = &packet_rr};
    uint64_t again;

    for (unsigned i = 0; i < 4; i++)
        packet_add(&q, &sender[i], false);
    packet_remove(&q, &sender[1]);
    packet_remove(&q, &sender[1]);
    packet_remove(&q, &sender[3]);
    cr_assert_eq(packet_next(&q, 0, &again), &sender[0]);
    packet_add(&q, &sender[3], false);
    cr_assert_eq(packet_next(&q, 0, &again), &sender[2]);
    cr_assert_eq(packet_next(&q, 0, &again), &sender[3]);
    cr_assert_null(packet_next(&q, 0, &again));
}
