/* SPDX-License-Identifier: MIT
 *
 * disk_fifo.c - requests go in the order in which they came. What the others are compared with.
 *
 * One queue, owner 0's; nobody else's is used.
 */
#include "disk.h"

static void add(struct disk_sched *s, struct bio *b)
{
    struct disk_owner *q = &s->owner[0];

    b->newer = NULL;
    if (q->newest)
        q->newest->newer = b;
    else
        q->oldest = b;
    q->newest = b;
}

static struct bio *next(struct disk_sched *s, uint64_t now)
{
    struct disk_owner *q = &s->owner[0];
    struct bio *b = q->oldest;

    (void)now;
    if (!b)
        return NULL;
    q->oldest = b->newer;
    if (!q->oldest)
        q->newest = NULL;
    s->head = b->sector + b->sectors;
    return b;
}

const struct disk_policy disk_fifo = {"fifo", add, next};
