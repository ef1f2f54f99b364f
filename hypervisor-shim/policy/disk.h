/* SPDX-License-Identifier: MIT
 *
 * disk.h - the order in which a disk's requests go to the device.
 *
 *   disk.c: submit ─► fence_enter() ─► policy->add()      device has room: policy->next() ─► driver
 *                      (held) ◄──── fence_leave() ◄────────────────────────── done ◄──────────┘
 *
 * A policy may choose among all that it was given, in any order. Requests that a barrier holds back
 * are not given to it: fence.h keeps them, for every policy alike, so no policy can cross a
 * barrier.
 *
 * Everything in this room is plain data and arithmetic, and is tested without a machine, against a
 * disk that seeks. `owner` is who asks: a guest, by its domid.
 */
#ifndef HV_POLICY_DISK_H
#define HV_POLICY_DISK_H

#include "../backend/blockdev.h"

enum { DISK_OWNERS = 65 };

/* -- barriers (fence.h) ---------------------------------------------------- */

/* One owner's order. Zeroed: nothing outstanding. */
struct fence {
    struct bio *held, *held_last; /* in order of arrival */
    uint32_t outstanding;         /* given to the policy, and not done */
    bool closed;                  /* that is a fence: nothing else before it is done */
};

/* True: b may go to the policy now. False: it is kept until fence_release() returns it. */
static inline bool fence_enter(struct fence *f, struct bio *b);
/* b, which went, is done. */
static inline void fence_leave(struct fence *f, const struct bio *b);
/* The next one that need not be kept any longer; NULL: none. Ask until NULL after each leave. */
static inline struct bio *fence_release(struct fence *f);

/* -- policies -----------------------------------------------------------------------------------
 */

struct disk_owner {
    struct bio *first;           /* what waits, by sector */
    struct bio *at;              /* the first of these that is not behind `seen`; NULL: none */
    struct bio *oldest, *newest; /* the same in order of arrival */
    uint64_t seen;               /* where the head was when `at` was right */
    uint64_t cost;               /* of what it was given: its clock */
    struct disk_owner *next;     /* among those who wait */
} __attribute__((aligned(64)));

/* The state of one disk's queue. Zeroed but for sectors: empty. */
struct disk_sched {
    uint64_t sectors; /* of the device */
    uint64_t head;    /* the sector behind the last request that went */
    uint64_t floor;   /* no owner who comes back is behind this clock */
    struct disk_owner *waiting;
    unsigned sweep; /* so many go in order of sectors before deadlines count again */
    struct disk_owner owner[DISK_OWNERS];
};

struct disk_policy {
    const char *name;
    void (*add)(struct disk_sched *, struct bio *);
    /* Which one goes now; it is the caller's from here on. NULL: nothing waits. */
    struct bio *(*next)(struct disk_sched *, uint64_t now);
};

/* In order of arrival. */
extern const struct disk_policy disk_fifo;
/* In order of sectors, upwards and then again from the lowest one; owners whose requests cost the
 * disk more than the others' wait for these; and what has waited DISK_DEADLINE goes before, if its
 * owner is not one of the former. */
extern const struct disk_policy disk_elevator;

enum {
    DISK_DEADLINE = 250 * 1000 * 1000, /* ns */
    DISK_SWEEP = 16,
    /* Costs are in sectors' time, on a common disk: what a movement of the head costs with half a
     * turn, and how much more from one end to the other. */
    DISK_SEEK = 1700,
    DISK_SEEK_SPAN = 3000,
    DISK_WINDOW = 128 * DISK_SEEK, /* an owner may be so much ahead of the poorest who waits */
};

#include "fence.h"

#endif
