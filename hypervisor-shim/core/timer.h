/* SPDX-License-Identifier: MIT
 *
 * timer.h - deadlines: a binary heap of struct timer (domain.h), earliest first.
 */
#ifndef HV_TIMER_H
#define HV_TIMER_H

#include "domain.h"

/* A timer starts as {.deadline = UINT64_MAX} by timer_init(); fire() runs in hv_leave(). */
void timer_init(struct timer *t, void (*fire)(struct timer *), void *owner);
void timer_set(struct timer *t, uint64_t deadline); /* replaces the former deadline */
void timer_stop(struct timer *t);                   /* harmless if it is not set */
/* Fire all that are due at `now`. A timer is stopped before its fire() is called. */
void timer_run(uint64_t now);
/* Tell the platform the earliest of all deadlines and the end of the time slice. */
void timer_arm(void);

static inline bool timer_is_set(const struct timer *t)
{
    return t->deadline != UINT64_MAX;
}

#endif
