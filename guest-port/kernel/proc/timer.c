/* SPDX-License-Identifier: MIT */
/*
 * timer.c - one-shot timers over the clock hardware, and the date.
 *
 * Timers are kept in a list sorted by expiry (there are few); the hardware is armed for the first.
 * Everything here runs with interrupts off.
 */
#include "timer.h"
#include "arch.h"
#include "irq.h"
#include "printk.h"
#include "proc.h"

static struct list timers = LIST_INIT(timers);
static u64 armed_for = TIMEOUT_NEVER;
static u64 real_offset;

static void arm(void)
{
    struct timer *t;

    if (list_empty(&timers))
        return;
    t = list_first(&timers, struct timer, link);
    if (t->expires < armed_for) {
        armed_for = t->expires;
        clock_event_arm(armed_for);
    }
}

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
    list_init(&t->link);
    t->fn = fn;
    t->armed = false;
}

void timer_set(struct timer *t, u64 expires)
{
    struct timer *o;
    u64 f = irq_save();

    if (t->armed)
        list_del(&t->link);
    t->expires = expires;
    t->armed = true;
    list_for_each (o, &timers, link)
        if (o->expires > expires)
            break;
    list_insert(&t->link, o->link.prev, &o->link);
    arm();
    irq_restore(f);
}

bool timer_cancel(struct timer *t)
{
    bool was;
    u64 f = irq_save();

    was = t->armed;
    if (was)
        list_del(&t->link);
    t->armed = false;
    irq_restore(f);
    return was;
}

/* The clock hardware has fired; interrupts are off. */
void timer_interrupt(void)
{
    armed_for = TIMEOUT_NEVER;
    while (!list_empty(&timers)) {
        struct timer *t = list_first(&timers, struct timer, link);

        if (t->expires > clock_mono_ns())
            break;
        list_del(&t->link);
        t->armed = false;
        t->fn(t);
    }
    arm();
}

u64 clock_real_ns(void)
{
    return real_offset + clock_mono_ns();
}

void clock_set_real(u64 ns)
{
    real_offset = ns - clock_mono_ns();
}

u32 now_sec(void)
{
    return clock_real_ns() / NSEC_PER_SEC;
}

void time_init(void)
{
    clock_set_real(rtc_read() * NSEC_PER_SEC);
}
