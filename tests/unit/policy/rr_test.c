/* SPDX-License-Identifier: MIT
 *
 * rr_test.c - round robin, without a machine: turns, slices, and nobody forgotten.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include "core/domain.h"
#include "policy/sched.h"

enum { N = 5, MS = 1000000 };

static struct vcpu v[N];
static uint64_t until;

static void setup(void)
{
    sched_rr.init();
    for (unsigned i = 0; i < N; i++)
        sched_rr.add(&v[i]);
}

TestSuite(rr, .init = setup);

static struct vcpu *pick(uint64_t now)
{
    return sched_rr.pick(now, &until);
}

Test(rr, nobody)
{
    cr_assert_null(pick(0));
    cr_assert_eq(until, UINT64_MAX);
}

Test(rr, alone_there_is_no_slice)
{
    sched_rr.wake(&v[0], 0);
    sched_rr.wake(&v[0], 0); /* twice is once */
    cr_assert_eq(pick(7), &v[0]);
    cr_assert_eq(until, UINT64_MAX);
    sched_rr.yield(&v[0], 8);
    cr_assert_eq(pick(8), &v[0]);
    sched_rr.sleep(&v[0], 9);
    cr_assert_null(pick(9));
    sched_rr.sleep(&v[0], 9);
}

Test(rr, each_has_its_turn)
{
    uint64_t now = 0;

    for (unsigned i = 0; i < N; i++)
        sched_rr.wake(&v[i], 0);
    for (unsigned turn = 0; turn < 3 * N; turn++) {
        cr_assert_eq(pick(now), &v[turn % N]);
        cr_assert_eq(pick(until - 1), &v[turn % N], "not before the slice's end");
        now = until;
    }
}

Test(rr, yield_and_sleep_give_the_turn_away)
{
    sched_rr.wake(&v[0], 0);
    sched_rr.wake(&v[1], 0);
    sched_rr.wake(&v[2], 0);
    cr_assert_eq(pick(0), &v[0]);
    sched_rr.yield(&v[0], 1);
    cr_assert_eq(pick(1), &v[1]);
    cr_assert_eq(until, 1 + 5 * MS, "a whole slice");
    sched_rr.sleep(&v[2], 2); /* from the middle */
    sched_rr.sleep(&v[1], 3);
    cr_assert_eq(pick(3), &v[0]);
    sched_rr.remove(&v[0]);
    sched_rr.remove(&v[0]);
    cr_assert_null(pick(4));
    sched_rr.yield(&v[0], 4); /* not there: nothing happens */
    cr_assert_null(pick(4));
}

Test(rr, a_long_run_alone_does_not_cost_the_next_turn)
{
    sched_rr.wake(&v[0], 0);
    cr_assert_eq(pick(0), &v[0]);
    sched_rr.wake(&v[1], 100 * MS);
    cr_assert_eq(pick(100 * MS), &v[1], "its slice was over long ago");
    cr_assert_eq(pick(105 * MS), &v[0]);
}

/* Whatever happens, whoever is awake runs within N slices. */
Test(rr, nobody_starves)
{
    uint64_t now = 0, last[N] = {0};
    bool awake[N] = {false};

    srand(11);
    for (unsigned n = 0; n < 20000; n++) {
        unsigned i = (unsigned)rand() % N;
        struct vcpu *p;

        if (rand() % 4 == 0) {
            if (!awake[i])
                last[i] = now;
            awake[i] = true;
            sched_rr.wake(&v[i], now);
        } else if (rand() % 9 == 0) {
            awake[i] = false;
            sched_rr.sleep(&v[i], now);
        }
        p = pick(now);
        if (p) {
            cr_assert(awake[p - v]);
            last[p - v] = now;
        } else {
            for (i = 0; i < N; i++)
                cr_assert_not(awake[i]);
        }
        for (i = 0; i < N; i++)
            cr_assert(!awake[i] || now - last[i] <= N * 6ull * MS);
        now += (uint64_t)(rand() % MS);
    }
}
