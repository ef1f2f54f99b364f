/* SPDX-License-Identifier: MIT
 *
 * sched_rr.c - plain round robin: one queue, one slice.
 *
 *   head ─► running ─► next ─► ... ─► tail        a slice's end, yield: head moves to tail
 *                                                 wake: enters at the tail; sleep: leaves
 *
 * Whoever is at the head runs. A slice begins when a vCPU is first picked at the head, and is
 * only limited while somebody else waits. Pure: no clock but the argument.
 */
#include "sched.h"
#include "../core/domain.h"

static const uint64_t SLICE = 5 * 1000 * 1000; /* ns */

static struct vcpu *head, *tail;
static bool fresh; /* the head has not been picked yet: its slice begins at the next pick */

static void append(struct vcpu *v)
{
    v->run_next = NULL;
    v->run_prev = tail;
    if (tail)
        tail->run_next = v;
    else
        head = v, fresh = true;
    tail = v;
    v->queued = 1;
}

static void unlink_vcpu(struct vcpu *v)
{
    if (v->run_prev)
        v->run_prev->run_next = v->run_next;
    else
        head = v->run_next, fresh = true;
    if (v->run_next)
        v->run_next->run_prev = v->run_prev;
    else
        tail = v->run_prev;
    v->queued = 0;
}

static void rr_init(void)
{
    head = tail = NULL;
}

static void rr_add(struct vcpu *v)
{
    v->queued = 0;
}

static void rr_remove(struct vcpu *v)
{
    if (v->queued)
        unlink_vcpu(v);
}

static void rr_wake(struct vcpu *v, uint64_t now)
{
    (void)now;
    if (!v->queued)
        append(v);
}

static void rr_sleep(struct vcpu *v, uint64_t now)
{
    (void)now;
    rr_remove(v);
}

static void rr_yield(struct vcpu *v, uint64_t now)
{
    (void)now;
    if (v->queued && head != tail) {
        unlink_vcpu(v);
        append(v);
    }
}

static struct vcpu *rr_pick(uint64_t now, uint64_t *until)
{
    if (head && !fresh && head != tail && now - head->slice_start >= SLICE)
        rr_yield(head, now);
    if (!head) {
        *until = UINT64_MAX;
        return NULL;
    }
    if (fresh) {
        head->slice_start = now;
        fresh = false;
    }
    *until = head == tail ? UINT64_MAX : head->slice_start + SLICE;
    return head;
}

const struct sched_ops sched_rr = {
    .name = "round robin",
    .init = rr_init,
    .add = rr_add,
    .remove = rr_remove,
    .wake = rr_wake,
    .sleep = rr_sleep,
    .yield = rr_yield,
    .pick = rr_pick,
};
