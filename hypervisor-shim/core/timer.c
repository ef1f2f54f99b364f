/* SPDX-License-Identifier: MIT
 *
 * timer.c - see timer.h.
 *
 *            heap[0]          each timer knows its place (heap_index), so that stopping
 *           /       \         one is as cheap as setting one; the smallest deadline is on
 *       heap[1]   heap[2]     top, and the platform's one-shot timer follows it.
 *
 * Invariant: t->deadline != UINT64_MAX exactly when heap[t->heap_index] == t.
 */
#include "timer.h"
#include "platform.h"

enum { HEAP_MAX = MAX_DOMAINS * (MAX_VCPUS * 3 + 2) + 256 /* back-ends */ };

static struct timer *heap[HEAP_MAX];
static uint32_t heap_size;

void timer_init(struct timer *t, void (*fire)(struct timer *), void *owner)
{
    *t = (struct timer){.deadline = UINT64_MAX, .fire = fire, .owner = owner};
}

static void place(struct timer *t, uint32_t i)
{
    heap[i] = t;
    t->heap_index = i;
}

static void sift_up(struct timer *t, uint32_t i)
{
    while (i && heap[(i - 1) / 2]->deadline > t->deadline) {
        place(heap[(i - 1) / 2], i);
        i = (i - 1) / 2;
    }
    place(t, i);
}

static void sift_down(struct timer *t, uint32_t i)
{
    for (;;) {
        uint32_t c = 2 * i + 1;

        if (c >= heap_size)
            break;
        if (c + 1 < heap_size && heap[c + 1]->deadline < heap[c]->deadline)
            c++;
        if (heap[c]->deadline >= t->deadline)
            break;
        place(heap[c], i);
        i = c;
    }
    place(t, i);
}

void timer_arm(void)
{
    struct cpu *c = &hv.cpu[0];
    uint64_t first = heap_size ? heap[0]->deadline : UINT64_MAX;

    if (c->slice_end < first)
        first = c->slice_end;
    if (first != c->armed) {
        c->armed = first;
        plat_timer_arm(first);
    }
}

static void take_out(struct timer *t)
{
    struct timer *last = heap[--heap_size];
    uint32_t i = t->heap_index;

    t->deadline = UINT64_MAX;
    if (last == t)
        return;
    if (i && heap[(i - 1) / 2]->deadline > last->deadline)
        sift_up(last, i);
    else
        sift_down(last, i);
}

void timer_set(struct timer *t, uint64_t deadline)
{
    if (timer_is_set(t))
        take_out(t);
    if (deadline != UINT64_MAX) {
        HV_ASSERT(heap_size < HEAP_MAX);
        t->deadline = deadline;
        sift_up(t, heap_size++);
    }
    timer_arm();
}

void timer_stop(struct timer *t)
{
    if (!timer_is_set(t))
        return;
    take_out(t);
    timer_arm();
}

void timer_run(uint64_t now)
{
    struct cpu *c = &hv.cpu[0];

    c->armed = UINT64_MAX; /* one-shot: it has gone off */
    if (c->slice_end <= now)
        c->slice_end = UINT64_MAX; /* the policy is asked right after */
    while (heap_size && heap[0]->deadline <= now) {
        struct timer *t = heap[0];

        take_out(t);
        t->fire(t);
    }
    timer_arm();
}
