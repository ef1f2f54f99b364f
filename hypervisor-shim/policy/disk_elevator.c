/* SPDX-License-Identifier: MIT
 *
 * disk_elevator.c - C-LOOK with deadlines, and fair among owners.
 *
 *      head ─►    a   b  a   c      a     b  ─┐     one sweep over everybody's requests
 *      └────────────────────────────────────-─┘
 *
 * Each owner has a clock that counts what its requests cost the disk. The head takes the nearest
 * request ahead among the owners whose clocks are at most DISK_WINDOW ahead of the poorest one that
 * waits; so all share each sweep, and none gets more of the disk's time for asking for more. Every
 * DISK_SWEEP requests the oldest one of these owners may jump the queue if its deadline has passed,
 * and the sweep goes on from there.
 *
 * Invariants: an owner is in `waiting` exactly while it has requests; its two lists hold the same
 * ones; `at` divides `first` at the sector `seen`.
 */
#include "disk.h"

/* -- an owner's requests --------------------------------------------------- */

static void insert(struct disk_owner *o, struct bio *b)
{
    uint64_t sector = b->sector;
    struct bio *p = o->at && o->at->sector <= sector ? o->at : NULL; /* b comes behind it */
    struct bio *n = p ? p->next : o->first;

    for (; n && n->sector <= sector; n = n->next)
        p = n;
    b->prev = p;
    b->next = n;
    *(p ? &p->next : &o->first) = b;
    if (n)
        n->prev = b;
    if (sector >= o->seen && n == o->at)
        o->at = b;
    b->older = o->newest;
    b->newer = NULL;
    *(o->newest ? &o->newest->newer : &o->oldest) = b;
    o->newest = b;
}

static void take_out(struct disk_owner *o, struct bio *b)
{
    *(b->prev ? &b->prev->next : &o->first) = b->next;
    if (b->next)
        b->next->prev = b->prev;
    if (o->at == b)
        o->at = b->next;
    *(b->older ? &b->older->newer : &o->oldest) = b->newer;
    *(b->newer ? &b->newer->older : &o->newest) = b->older;
}

/* The first one from the head on, else the lowest. */
static struct bio *nearest(struct disk_owner *o, uint64_t head)
{
    if (head < o->seen)
        o->at = o->first;
    o->seen = head;
    while (o->at && o->at->sector < head)
        o->at = o->at->next;
    return o->at ? o->at : o->first;
}

/* -- the policy ------------------------------------------------------------ */

static void add(struct disk_sched *s, struct bio *b)
{
    struct disk_owner *o = &s->owner[b->owner];

    if (b->op == BIO_FLUSH)
        b->sector = s->head; /* it is wherever the head is */
    if (!o->first) {
        o->next = s->waiting;
        s->waiting = o;
        if (o->cost < s->floor)
            o->cost = s->floor; /* what was not asked for is not saved up */
        o->at = NULL;
        o->seen = s->head;
    }
    insert(o, b);
}

/* How far from the head, in the direction in which it moves. */
static uint64_t distance(const struct disk_sched *s, const struct bio *b)
{
    return b->sector >= s->head ? b->sector - s->head : b->sector + s->sectors;
}

static uint64_t cost(const struct disk_sched *s, const struct bio *b)
{
    uint64_t c = b->sectors;

    if (b->sector != s->head)
        c += DISK_SEEK;
    if (b->sector > s->head) /* the way back is nobody's */
        c += (b->sector - s->head) * DISK_SEEK_SPAN / s->sectors;
    return c;
}

static inline __attribute__((always_inline)) void charge(struct disk_sched *s, struct bio *b)
{
    struct disk_owner *o = &s->owner[b->owner], **p = &s->waiting;

    o->cost += cost(s, b);
    s->head = b->sector + b->sectors;
    take_out(o, b);
    if (o->first)
        return;
    while (*p != o)
        p = &(*p)->next;
    *p = o->next;
}

static inline __attribute__((always_inline)) struct bio *
choose(struct disk_sched *s, struct bio *best, struct bio *late, uint64_t poorest, uint64_t now)
{
    if (s->sweep) {
        s->sweep--;
    } else if (now - late->arrived >= DISK_DEADLINE) {
        best = late;
        s->sweep = DISK_SWEEP;
    }
    s->floor = poorest;
    charge(s, best);
    return best;
}

static struct bio *next(struct disk_sched *s, uint64_t now)
{
    struct bio *best = NULL, *late = NULL;
    uint64_t best_distance = UINT64_MAX, poorest = UINT64_MAX;

    if (!s->waiting)
        return NULL;
    if (!s->waiting->next) /* alone: nobody to be fair to */
        return choose(s, nearest(s->waiting, s->head), s->waiting->oldest, s->waiting->cost, now);
    for (struct disk_owner *o = s->waiting; o; o = o->next)
        if (o->cost < poorest)
            poorest = o->cost;
    for (struct disk_owner *o = s->waiting; o; o = o->next) {
        struct bio *b;
        uint64_t d;

        if (o->cost > poorest + DISK_WINDOW)
            continue;
        b = nearest(o, s->head);
        d = distance(s, b);
        if (d < best_distance) {
            best_distance = d;
            best = b;
        }
        if (!late || o->oldest->arrived < late->arrived)
            late = o->oldest;
    }
    return choose(s, best, late, poorest, now);
}

const struct disk_policy disk_elevator = {"elevator", add, next};
