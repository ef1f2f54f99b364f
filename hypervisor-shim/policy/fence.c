/* SPDX-License-Identifier: MIT
 *
 * fence.c - barriers, for all disk policies: see disk.h.
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
#include "disk.h"

static bool may_go(const struct fence *f, const struct bio *b)
{
    return !f->closed && !(b->fence && f->outstanding);
}

static void go(struct fence *f, const struct bio *b)
{
    f->outstanding++;
    f->closed = b->fence;
}

bool fence_enter(struct fence *f, struct bio *b)
{
    if (!f->held && may_go(f, b)) {
        go(f, b);
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

void fence_leave(struct fence *f, const struct bio *b)
{
    f->outstanding--;
    if (b->fence)
        f->closed = false;
}

struct bio *fence_release(struct fence *f)
{
    struct bio *b = f->held;

    if (!b || !may_go(f, b))
        return NULL;
    f->held = b->next;
    go(f, b);
    return b;
}
