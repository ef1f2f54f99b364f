/* SPDX-License-Identifier: MIT
 *
 * fence.h - barriers, for all disk policies: see disk.h.
 *
 *      outstanding    w w w   |        |  r w
 *      held                   F  w r   |  F
 *
 * A fence goes when nothing of its owner's is outstanding, and nothing of its owner's goes before
 * it is done. Other owners have fences of their own and never wait for this one.
 *
 * Invariant: what is held is in order of arrival, and its first one is held for a reason: it is a
 * fence and something is outstanding, or a fence is outstanding.
 */
#ifndef HV_POLICY_FENCE_H
#define HV_POLICY_FENCE_H

#include "disk.h"

static inline bool fence_may_go(const struct fence *f, const struct bio *b)
{
    return !f->closed && !(b->fence && f->outstanding);
}

static inline void fence_pass(struct fence *f, const struct bio *b)
{
    f->outstanding++;
    f->closed = b->fence;
}

static inline bool fence_enter(struct fence *f, struct bio *b)
{
    if (!f->held && fence_may_go(f, b)) {
        fence_pass(f, b);
        return true;
    }
    b->next = NULL;
    if (f->held)
        f->held_last->next = b;
    else
        f->held = b;
    f->held_last = b;
    return false;
}

static inline void fence_leave(struct fence *f, const struct bio *b)
{
    f->outstanding--;
    if (b->fence)
        f->closed = false;
}

static inline struct bio *fence_release(struct fence *f)
{
    struct bio *b = f->held;

    if (!b || !fence_may_go(f, b))
        return NULL;
    f->held = b->next;
    fence_pass(f, b);
    return b;
}

#endif
