/* SPDX-License-Identifier: MIT */
/*
 * Rows of rings: both ends of one of libpv's on one vCPU, in batches, with descriptors of 16 bytes.
 *
 * A round is what two guests would do: every descriptor is written into the ring by one end and
 * copied to private memory by the other, there and back; ids of responses are checked against those
 * in flight. No hypercall is made: whether one would have been is counted.
 */
#include "bench.h"
#include <pv/ring.h>

struct descriptor {
    uint64_t id, value;
};
PV_RING(bench, struct descriptor, struct descriptor)

#define MOST  64
#define SLOTS 128 /* of a page */

static uint8_t page[PAGE] __attribute__((aligned(PAGE)));
static struct bench_front front;
static struct bench_back back;
static struct descriptor asked[MOST], served[MOST], answered[MOST];
static uint8_t in_flight[SLOTS];
static unsigned notifications;

/* One round. False: an answer to what was not asked, or something got lost. */
static __attribute__((noinline)) bool exchange(unsigned n)
{
    bool right = bench_front_put_n(&front, asked, n) == n;

    notifications += bench_front_publish(&front);
    right &= bench_back_get_n(&back, served, n) == (int)n;
    right &= bench_back_put_n(&back, served, n) == n;
    notifications += bench_back_publish(&back);
    right &= bench_front_get_n(&front, answered, n) == (int)n;
#pragma GCC unroll 4
    for (unsigned i = 0; i < n; i++) {
        uint64_t id = answered[i].id;

        if (id >= SLOTS || !in_flight[id])
            return false;
        in_flight[id] = 0;
    }
    return right;
}

uint64_t row_ring(uint64_t n)
{
    static uint64_t round;
    uint64_t sum = 0, want = 0;
    bool right;

    if (!front.ring) {
        bench_ring_init((struct bench_ring *)page);
        bench_front_init(&front, (struct bench_ring *)page, sizeof(page));
        bench_back_init(&back, (struct bench_ring *)page, sizeof(page));
    }
    CHECK(front.end.size == SLOTS, front.end.size, SLOTS);
    round++;
    for (unsigned i = 0; i < n; i++) {
        asked[i] = (struct descriptor){(round * 37 + i) % SLOTS, round << 20 | i};
        in_flight[asked[i].id] = 1;
        want += asked[i].value;
    }
    notifications = 0;
    uint64_t t = TIMED(right = exchange((unsigned)n));
    for (unsigned i = 0; i < n; i++)
        sum += answered[i].value;
    CHECK(right && sum == want, sum, want);
    /* Each end asks for one event, for the first of the next batch, and gets that one. */
    CHECK(notifications <= 2, notifications, n);
    bench_front_sleep(&front);
    bench_back_sleep(&back);
    return t;
}
