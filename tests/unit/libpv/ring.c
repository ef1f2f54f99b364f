/* SPDX-License-Identifier: MIT */
/*
 * ring.c - rings: both ends against each other and against a liar, indices near their wrap, and the
 * rule of notification checked against its definition.
 */
#include <criterion/criterion.h>
#if __has_include(<xen/io/ring.h>)
#include <xen/io/ring.h>
#define HAVE_XEN_RING
#endif
#include "fake.h"

struct ask {
    uint32_t id, value;
};
struct answer {
    uint32_t id;
    uint64_t value;
};
PV_RING(toy, struct ask, struct answer)

#define START 0xfffffff0u

static char page[PV_PAGE_SIZE] __attribute__((aligned(64)));
static struct toy_ring *const ring = (struct toy_ring *)page;
static struct toy_front front;
static struct toy_back back;

/* A ring in use since long: all indices are about to wrap. */
static void open_at(uint32_t index)
{
    toy_ring_init(ring);
    ring->shared.req_prod = ring->shared.rsp_prod = index;
    ring->shared.req_event = ring->shared.rsp_event = index + 1;
    toy_front_init(&front, ring, sizeof(page));
    toy_back_init(&back, ring, sizeof(page));
}

static void setup(void)
{
    open_at(START);
}

TestSuite(ring, .init = setup);

#ifdef HAVE_XEN_RING
/* Xen's own macros for the same protocol are the judge of the layout. */
DEFINE_RING_TYPES(theirs, struct ask, struct answer);

Test(ring, layout_is_xens)
{
    cr_assert_eq(offsetof(struct toy_ring, slot), offsetof(struct theirs_sring, ring));
    cr_assert_eq(sizeof(ring->slot[0]), sizeof(((struct theirs_sring *)0)->ring[0]));
    cr_assert_eq(offsetof(struct pv_ring_shared, req_prod),
                 offsetof(struct theirs_sring, req_prod));
    cr_assert_eq(offsetof(struct pv_ring_shared, req_event),
                 offsetof(struct theirs_sring, req_event));
    cr_assert_eq(offsetof(struct pv_ring_shared, rsp_prod),
                 offsetof(struct theirs_sring, rsp_prod));
    cr_assert_eq(offsetof(struct pv_ring_shared, rsp_event),
                 offsetof(struct theirs_sring, rsp_event));
    cr_assert_eq(front.end.size, __CONST_RING_SIZE(theirs, PV_PAGE_SIZE));
}
#endif

Test(ring, one_request_there_and_back)
{
    struct ask q = {7, 70};
    struct answer a = {7, 700};

    cr_assert_eq(toy_back_get(&back, &q), 0);
    cr_assert_eq(toy_front_put(&front, &q), 0);
    memset(&q, 0, sizeof(q));
    cr_assert_eq(toy_back_get(&back, &q), 0, "not published, not seen");
    cr_assert(toy_front_publish(&front), "the back asked for the first one");
    cr_assert_eq(toy_back_get(&back, &q), 1);
    cr_assert_eq(q.value, 70);
    cr_assert_eq(toy_back_put(&back, &a), 0);
    cr_assert(toy_back_publish(&back));
    memset(&a, 0, sizeof(a));
    cr_assert_eq(toy_front_get(&front, &a), 1);
    cr_assert_eq(a.value, 700);
    cr_assert_eq(toy_front_get(&front, &a), 0);
}

Test(ring, full_is_full_and_empty_is_empty)
{
    struct ask q = {0, 0};
    struct answer a = {0, 0};

    for (unsigned i = 0; i < front.end.size; i++) {
        cr_assert_eq(toy_front_room(&front), front.end.size - i);
        cr_assert_eq(toy_front_put(&front, &q), 0);
    }
    cr_assert_eq(toy_front_put(&front, &q), -XEN_ENOSPC);
    cr_assert_eq(toy_back_put(&back, &a), -XEN_ENOSPC, "no answer to what was not asked");
    toy_front_publish(&front);
    for (unsigned i = 0; i < front.end.size; i++)
        cr_assert_eq(toy_back_get(&back, &q), 1);
    cr_assert_eq(toy_back_get(&back, &q), 0);
    /* Consumed, but not answered: still no room. */
    cr_assert_eq(toy_front_put(&front, &q), -XEN_ENOSPC);
    cr_assert_eq(toy_back_put(&back, &a), 0);
    toy_back_publish(&back);
    cr_assert_eq(toy_front_put(&front, &q), -XEN_ENOSPC, "not consumed, so its slot is in use");
    cr_assert_eq(toy_front_get(&front, &a), 1);
    cr_assert_eq(toy_front_put(&front, &q), 0);
}

/* Several at once, in pieces where the ring ends; never more than there are. */
Test(ring, batches)
{
    struct ask q[64], got[64];
    struct answer a[64], back_again[64];
    uint32_t next = 0;

    open_at(0xffffffc5u);
    for (unsigned round = 0; round < 100; round++) {
        unsigned n = round % 40 + 1;

        for (unsigned i = 0; i < n; i++)
            q[i] = (struct ask){next + i, ~i};
        cr_assert_eq(toy_back_get_n(&back, got, 64), 0);
        cr_assert_eq(toy_front_put_n(&front, q, n), n);
        toy_front_publish(&front);
        cr_assert_eq(toy_back_get_n(&back, got, 3), n < 3 ? n : 3, "at most so many");
        cr_assert_eq(toy_back_get_n(&back, got + 3, 61), n < 3 ? 0 : n - 3);
        for (unsigned i = 0; i < n; i++) {
            cr_assert(got[i].id == next + i && got[i].value == ~i);
            a[i] = (struct answer){got[i].id, (uint64_t)got[i].id << 33};
        }
        cr_assert_eq(toy_back_put_n(&back, a, 64), n, "no more answers than questions");
        toy_back_publish(&back);
        cr_assert_eq(toy_front_get_n(&front, back_again, 64), n);
        for (unsigned i = 0; i < n; i++)
            cr_assert_eq(back_again[i].value, (uint64_t)(next + i) << 33);
        next += n;
    }
    for (unsigned i = 0; i < 3; i++)
        toy_front_put_n(&front, q, 64);
    cr_assert_eq(toy_front_room(&front), 0);
    toy_front_publish(&front);
    ring->shared.req_prod += 1000;
    cr_assert_eq(toy_back_get_n(&back, got, 64), -XEN_EIO);
    cr_assert_eq(toy_back_put_n(&back, a, 1), 0);
}

/* Announced is the one that was asked for, not an earlier one. */
Test(ring, sleep_for_several)
{
    struct ask q = {0, 0};

    cr_assert(toy_back_sleep_for(&back, 3));
    for (unsigned i = 1; i <= 5; i++) {
        toy_front_put(&front, &q);
        cr_assert_eq(toy_front_publish(&front), i == 3);
    }
    cr_assert_not(toy_back_sleep_for(&back, 3));
}

/* Two ends at random, far across the wrap: all arrive, once, in order, and nobody sleeps for ever.
 */
Test(ring, a_million_across_the_wrap)
{
    uint32_t seed = 1, asked = 0, seen = 0, answered = 0, done = 0;
    bool back_sleeps = false, front_sleeps = false;
    struct ask q;
    struct answer a;

    open_at(0xffff0000u);
    while (done < 1000000) {
        seed = seed * 1664525 + 1013904223;
        switch (seed >> 29) {
        case 0:
        case 1:
        case 2:
            q = (struct ask){asked, asked * 3};
            if (toy_front_put(&front, &q) == 0)
                asked++;
            break;
        case 3:
            if (toy_front_publish(&front))
                back_sleeps = false;
            break;
        case 4:
            if (back_sleeps)
                break;
            if (toy_back_get(&back, &q) == 1) {
                cr_assert_eq(q.id, seen);
                cr_assert_eq(q.value, seen * 3);
                seen++;
            } else {
                back_sleeps = toy_back_sleep(&back);
            }
            break;
        case 5:
            a = (struct answer){answered, (uint64_t)answered << 20};
            if (toy_back_put(&back, &a) == 0)
                answered++;
            break;
        case 6:
            if (toy_back_publish(&back))
                front_sleeps = false;
            break;
        default:
            if (front_sleeps)
                break;
            if (toy_front_get(&front, &a) == 1) {
                cr_assert_eq(a.id, done);
                cr_assert_eq(a.value, (uint64_t)done << 20);
                done++;
            } else {
                front_sleeps = toy_front_sleep(&front);
            }
        }
        cr_assert_leq(asked - done, front.end.size);
        cr_assert_leq(answered, seen);
    }
    cr_assert_not(front.end.broken || back.end.broken);
}

/* An event is wanted exactly if the index the other end waits for was crossed. */
Test(ring, notification_by_event_index)
{
    for (uint32_t event = START - 3; event != START + 12; event++) {
        for (unsigned batch = 0; batch < 10; batch++) {
            struct ask q = {0, 0};
            bool crossed = false;

            open_at(START);
            ring->shared.req_event = event;
            for (unsigned i = 0; i < batch; i++) {
                toy_front_put(&front, &q);
                crossed |= START + i + 1 == event;
            }
            cr_assert_eq(toy_front_publish(&front), crossed, "event %x, batch %u", event, batch);
        }
    }
}

Test(ring, sleep_looks_again)
{
    struct ask q = {1, 1};

    cr_assert(toy_back_sleep(&back));
    cr_assert_eq(ring->shared.req_event, START + 1);
    toy_front_put(&front, &q);
    cr_assert(toy_front_publish(&front));
    cr_assert_not(toy_back_sleep(&back), "there is something");
}

Test(ring, a_front_that_lies_breaks_the_ring_for_good)
{
    struct ask q;
    struct answer a = {0, 0};

    ring->shared.req_prod = START + back.end.size + 1;
    cr_assert_eq(toy_back_get(&back, &q), -XEN_EIO, "more requests than slots");
    ring->shared.req_prod = START;
    cr_assert_eq(toy_back_get(&back, &q), -XEN_EIO, "and it stays broken");
    cr_assert_eq(toy_back_put(&back, &a), -XEN_EIO);
    cr_assert_not(toy_back_sleep(&back));

    setup();
    ring->shared.req_prod = START - 1;
    cr_assert_eq(toy_back_get(&back, &q), -XEN_EIO, "requests taken back");

    /* A slot is free for a request only when its response was published. */
    setup();
    for (unsigned i = 0; i < back.end.size; i++)
        toy_front_put(&front, &(struct ask){i, i});
    toy_front_publish(&front);
    while (toy_back_get(&back, &q) == 1)
        ;
    ring->shared.req_prod++;
    cr_assert_eq(toy_back_get(&back, &q), -XEN_EIO, "a request before its slot was answered");
}

Test(ring, a_back_that_lies_breaks_the_ring_for_good)
{
    struct answer a;

    ring->shared.rsp_prod = START + 1;
    cr_assert_eq(toy_front_get(&front, &a), -XEN_EIO, "an answer to nothing");
    ring->shared.rsp_prod = START;
    cr_assert_eq(toy_front_get(&front, &a), -XEN_EIO);
    cr_assert_eq(toy_front_put(&front, &(struct ask){0, 0}), -XEN_EIO);

    setup();
    toy_front_put(&front, &(struct ask){0, 0});
    ring->shared.rsp_prod = START + 1;
    cr_assert_eq(toy_front_get(&front, &a), -XEN_EIO, "an answer to what was not published");
    setup();
    ring->shared.rsp_prod = START - 1;
    cr_assert_eq(toy_front_get(&front, &a), -XEN_EIO, "answers taken back");
}

Test(ring, ids_in_flight)
{
    struct pv_ring_ids ids;
    int cookies[8];
    void *cookie;

    pv_ring_ids_init(&ids, 8);
    for (int i = 0; i < 8; i++)
        cr_assert_eq(pv_ring_ids_take(&ids, &cookies[i]), i);
    cr_assert_eq(pv_ring_ids_take(&ids, NULL), -XEN_ENOSPC);
    cr_assert(pv_ring_ids_end(&ids, 5, &cookie));
    cr_assert_eq(cookie, &cookies[5]);
    cr_assert_not(pv_ring_ids_end(&ids, 5, &cookie), "twice");
    cr_assert_not(pv_ring_ids_end(&ids, 8, &cookie), "no such id");
    cr_assert_not(pv_ring_ids_end(&ids, ~0ull, &cookie));
    cr_assert_eq(pv_ring_ids_take(&ids, NULL), 5);
}

Test(ring, a_page_too_small_has_no_slots)
{
    toy_front_init(&front, ring, 64);
    cr_assert_eq(front.end.size, 0);
    cr_assert_eq(toy_front_put(&front, &(struct ask){0, 0}), -XEN_ENOSPC);
}
