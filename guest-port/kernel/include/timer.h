/* SPDX-License-Identifier: MIT */
/*
 * timer.h - the clock and one-shot timers.
 *
 * Time inside the kernel is nanoseconds since boot (clock_mono_ns), never ticks. Timers fire in
 * interrupt context with interrupts off: they wake somebody and return.
 */
#ifndef KERN_TIMER_H
#define KERN_TIMER_H

#include "arch.h"

#define NSEC_PER_SEC  1000000000UL
#define NSEC_PER_MSEC 1000000UL

struct timespec {
    s64 tv_sec;
    s64 tv_nsec;
};
struct timeval {
    s64 tv_sec;
    s64 tv_usec;
};

u64 clock_real_ns(void); /* since 1970 */
void clock_set_real(u64 ns);
static inline u64 timespec_ns(struct timespec t)
{
    if (t.tv_sec > 4000000000L) /* as good as never, and no overflow */
        return 4000000000UL * NSEC_PER_SEC;
    return (u64)t.tv_sec * NSEC_PER_SEC + (u64)t.tv_nsec;
}
static inline struct timespec ns_timespec(u64 ns)
{
    return (struct timespec){(s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC)};
}
static inline struct timespec now_real(void)
{
    return ns_timespec(clock_real_ns());
}
u32 now_sec(void); /* coarse seconds since 1970, cheap */

struct timer {
    struct list link;
    u64 expires;
    void (*fn)(struct timer *t);
    bool armed;
};
void timer_init(struct timer *t, void (*fn)(struct timer *));
void timer_set(struct timer *t, u64 expires_ns); /* re-arms if armed */
bool timer_cancel(struct timer *t);              /* true if it was armed */

/* Sleeps until the deadline: 0, or -ERESTARTSYS when a signal came. */
int sleep_until(u64 deadline_ns);
void sleep_ms(unsigned ms); /* not interruptible */
void udelay(unsigned us);   /* busy-waits, any context */

#endif
