/* SPDX-License-Identifier: MIT
 *
 * bio_list.h - bios that a driver ends from kick(), not from an interrupt: a disk in memory does
 * them there, a broken disk refuses them.
 *
 * Ending a bio may bring the next one, and another kick() inside of this one: the inner one
 * returns at once, and the outer one goes on until nothing is left. So the stack does not grow.
 */
#ifndef DRIVERS_BIO_LIST_H
#define DRIVERS_BIO_LIST_H

#include "../backend/blockdev.h"

struct bio_list {
    struct bio *first, **end;
    bool running;
};

static inline void bio_list_add(struct bio_list *l, struct bio *b)
{
    b->next = NULL;
    if (l->first == NULL)
        l->end = &l->first;
    *l->end = b;
    l->end = &b->next;
}

/* Do all of them, in order; perform() says how each went. */
static inline void bio_list_run(struct bio_list *l, struct blockdev *dev,
                                bool (*perform)(struct blockdev *, const struct bio *))
{
    if (l->running)
        return;
    l->running = true;
    while (l->first) {
        while (l->first) {
            struct bio *b = l->first;

            l->first = b->next;
            b->done(b, perform(dev, b));
        }
        blockdev_completed(dev);
    }
    l->running = false;
}

#endif
