/* SPDX-License-Identifier: MIT
 *
 * guest_text_test.c - a guest's description in words, good and bad.
 */
#include <criterion/criterion.h>
#include <string.h>
#include "core/domain.h"
#include "core/guest_text.h"

Test(guest_text, a_guest_is_described_by_words)
{
    struct boot_guest g;
    char why[128];

    cr_assert(guest_text_parse(&g, "/k1 role=kernel name=left mem=96M vcpus=3 -- a -- b=c", why,
                               sizeof(why)));
    cr_assert_str_eq(g.name, "left");
    cr_assert_eq(g.mem, 96 << 20);
    cr_assert_eq(g.vcpus, 3);
    cr_assert_str_eq(g.cmdline, "a -- b=c");
    cr_assert(guest_text_parse(&g, "role=kernel", why, sizeof(why)));
    cr_assert_str_eq(g.name, "");
    cr_assert_eq(g.mem, 64 << 20);
    cr_assert_eq(g.vcpus, 1);
    cr_assert_str_eq(g.cmdline, "");
    cr_assert(guest_text_parse(&g, "console=hvc0 mem=1G", why, sizeof(why)));
    cr_assert_str_eq(g.cmdline, "console=hvc0 mem=1G", "without a role it is a command line");
    cr_assert_eq(g.mem, 64 << 20);
    cr_assert(guest_text_parse(&g, "role=kernel net=on,rate=10M --", why, sizeof(why)));
    cr_assert(g.net && g.net_rate == 10 << 20 && g.mac[0] == 0 && g.mac[1] == 0);
    cr_assert(guest_text_parse(&g, "role=kernel net=00:16:3e:aB:09:ff", why, sizeof(why)));
    cr_assert(g.net && !memcmp(g.mac, "\x00\x16\x3e\xab\x09\xff", 6) && g.net_rate == 0);
    cr_assert(guest_text_parse(&g, "role=kernel net=user,mac=02:00:00:00:00:01,rate=9", why,
                               sizeof(why)));
    cr_assert(g.net && g.mac[5] == 1 && g.net_rate == 9);
    cr_assert(guest_text_parse(&g, "role=kernel net=none", why, sizeof(why)));
    cr_assert_not(g.net);
    cr_assert(guest_text_parse(&g, "role=kernel -- mem=1G", why, sizeof(why)));
    cr_assert_eq(g.mem, 64 << 20, "what is behind the dashes is the guest's");
    cr_assert(guest_text_parse(&g, "role=kernel mem=4096 name=0123456789012345678901234567890123 --",
                               why, sizeof(why)));
    cr_assert_eq(g.mem, 4096);
    cr_assert_eq(strlen(g.name), sizeof(g.name) - 1, "a long name is cut");
}

Test(guest_text, a_description_that_makes_no_sense)
{
    static const char *const cases[][2] = {
        {"role=kernel mem=banana", "mem=banana is not a size such as 64M"},
        {"role=kernel mem=0", "mem=0 is not a size such as 64M"},
        {"role=kernel mem=1MB", "mem=1MB is not a size such as 64M"},
        {"role=kernel mem=4T", "mem=4T is not a size such as 64M"},
        {"role=kernel mem=17179869185G", "mem=17179869185G is not a size such as 64M"},
        {"role=kernel mem=", "mem= is not a size such as 64M"},
        {"role=kernel vcpus=0", "vcpus=0 is not between 1 and 32"},
        {"role=kernel vcpus=33", "vcpus=33 is not between 1 and 32"},
        {"role=kernel vcpus=18446744073709551617", "is not between 1 and 32"},
        {"role=kernel net=", "net= is not on[,mac=ADDRESS]"},
        {"role=kernel net=00:16:3e:00:00:0g", "is not on"},
        {"role=kernel net=00:16:3e:00:00:0", "is not on"},
        {"role=kernel net=00:16:3e:00:00:0:", "is not on"},
        {"role=kernel net=on,rate=", "is not on"},
        {"role=kernel net=on,rate=0", "is not on"},
        {"role=kernel net=on,mac=on", "is not on"},
        {"role=kernel net=on,", "is not on"},
        {"role=kernel net=none,rate=5", "is not on"},
    };
    struct boot_guest g;
    char why[128];

    for (unsigned i = 0; i < PV_ARRAY_SIZE(cases); i++) {
        cr_assert_not(guest_text_parse(&g, cases[i][0], why, sizeof(why)), "%s", cases[i][0]);
        cr_assert(strstr(why, cases[i][1]), "%s", why);
    }
}
