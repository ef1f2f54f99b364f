/* SPDX-License-Identifier: MIT */
/*
 * sched.c - the scheduler: preemptive priority round robin, no starvation.
 *
 * Two arrays of queues, one queue per nice level. The best non-empty queue of the active array
 * runs. A thread that has used up its slice gets a new one and goes to the expired array; when
 * the active array is empty the two change places, so every runnable thread runs in each round,
 * longer if its nice value is lower. A thread that sleeps keeps what is left of its slice.
 * Queues are touched with interrupts off. While any thread but idle runs, a tick charges it.
 */
#include "arch.h"
#include "irq.h"
#include "mm.h"
#include "printk.h"
#include "proc.h"
#include "proc_internal.h"

#define LEVELS  40
#define TICK_NS (10 * NSEC_PER_MSEC)

struct run_array {
    u64 bitmap;
    struct list queue[LEVELS];
};

static struct run_array arrays[2];
static struct run_array *active = &arrays[0], *expired = &arrays[1];
static struct timer tick;
static u64 runnable;
static struct thread *idle_thread;
static u64 loads[3];
static u64 load_next;
u64 idle_ns, switch_count;

static u64 slice_of(const struct thread *t)
{
    return (u64)(LEVELS - t->prio) * 5 * NSEC_PER_MSEC / 2; /* nice 0: 50 ms */
}

static void enqueue(struct run_array *a, struct thread *t)
{
    list_add_tail(&a->queue[t->prio], &t->run_link);
    a->bitmap |= 1UL << t->prio;
    t->on_queue = true;
    runnable++;
}

static void charge(struct thread *t, bool user)
{
    u64 now = clock_mono_ns(), d = now - t->started;

    t->started = now;
    if (user)
        t->utime += d;
    else
        t->stime += d;
    t->slice_left = t->slice_left > d ? t->slice_left - d : 0;
    if (t->mm)
        itimer_charge(t, d, user);
}

static void load_update(u64 now)
{
    static const u64 decay[3] = {1884, 2014, 2037}; /* exp(-5 s / 1, 5, 15 min) * 2048 */

    while (now >= load_next) {
        u64 n = runnable + (current != idle_thread);

        load_next += 5 * NSEC_PER_SEC;
        for (int i = 0; i < 3; i++)
            loads[i] = (loads[i] * decay[i] + (n << 11) * (2048 - decay[i])) >> 11;
    }
}

u64 load_avg(int i)
{
    return loads[i];
}

/* irq_dispatch notes where the interrupt came from. */
extern bool interrupted_user;

static void tick_fn(struct timer *t)
{
    u64 now = clock_mono_ns();

    load_update(now);
    if (current == idle_thread)
        return;
    charge(current, interrupted_user);
    if (!current->slice_left)
        current->work |= WORK_RESCHED;
    timer_set(t, now + TICK_NS);
}

void sched_wake(struct thread *t)
{
    u64 f = irq_save();

    if (t->state >= T_SLEEP_INTR && t->state <= T_SLEEP_KILL) {
        t->state = T_RUNNABLE;
        if (t != current && !t->on_queue) {
            enqueue(t->slice_left ? active : expired, t);
            if (t->prio < current->prio || current == idle_thread)
                current->work |= WORK_RESCHED;
        }
    }
    irq_restore(f);
}

/* For stopped threads that may go on. */
void sched_continue(struct thread *t)
{
    u64 f = irq_save();

    if (t->state == T_STOPPED) {
        t->state = T_RUNNABLE;
        if (t != current && !t->on_queue)
            enqueue(active, t);
    }
    irq_restore(f);
}

void sched_add(struct thread *t)
{
    u64 f = irq_save();

    t->state = T_RUNNABLE;
    t->slice_left = slice_of(t);
    enqueue(active, t);
    irq_restore(f);
}

void sched_set_nice(struct thread *t, int nice)
{
    u64 f = irq_save();

    t->nice = nice < -20 ? -20 : nice > 19 ? 19 : nice;
    if (t->on_queue) {
        struct run_array *a = &arrays[0];
        /* It is on one of the two; taking it off needs no knowledge of which. */
        list_del(&t->run_link);
        for (int k = 0; k < 2; k++, a++)
            if (list_empty(&a->queue[t->prio]))
                a->bitmap &= ~(1UL << t->prio);
        runnable--;
        t->prio = t->nice + 20;
        enqueue(active, t);
    } else {
        t->prio = t->nice + 20;
    }
    irq_restore(f);
}

static struct thread *pick(void)
{
    struct thread *t;
    int level;

    if (!active->bitmap) {
        struct run_array *a = active;

        if (!expired->bitmap)
            return idle_thread;
        active = expired;
        expired = a;
    }
    level = __builtin_ctzl(active->bitmap);
    t = list_first(&active->queue[level], struct thread, run_link);
    list_del(&t->run_link);
    if (list_empty(&active->queue[level]))
        active->bitmap &= ~(1UL << level);
    t->on_queue = false;
    runnable--;
    return t;
}

/* What the previous thread left for the next to do: it may have died. */
static struct thread *switched_from;

void switch_finish(void)
{
    struct thread *prev = switched_from;

    if (prev && prev->state == T_DEAD)
        thread_reap(prev);
}

void schedule(void)
{
    struct thread *prev = current, *next;
    u64 f = irq_save();

    charge(prev, false);
    prev->work &= ~WORK_RESCHED;
    if (prev->state == T_RUNNABLE) {
        if (prev != idle_thread) {
            bool spent = !prev->slice_left;

            if (spent)
                prev->slice_left = slice_of(prev);
            enqueue(spent ? expired : active, prev);
            prev->nivcsw++;
        }
    } else {
        prev->nvcsw++;
    }
    next = pick();
    next->started = prev->started;
    if (next != prev) {
        if (!tick.armed && next != idle_thread)
            timer_set(&tick, next->started + TICK_NS);
        switch_count++;
        switched_from = prev;
        if (next->mm != prev->mm)
            mm_switch(next->mm);
        current = next;
        arch_switch(prev, next);
        switch_finish();
    }
    irq_restore(f);
}

void sched_yield_cpu(void)
{
    current->slice_left = 0;
    schedule();
}

bool resched_slow(void)
{
    if (current->work & WORK_RESCHED)
        schedule();
    return signal_fatal_pending();
}

long sys_sched_yield(void)
{
    sched_yield_cpu();
    return 0;
}

void sched_init(struct thread *boot)
{
    for (int a = 0; a < 2; a++)
        for (int i = 0; i < LEVELS; i++)
            list_init(&arrays[a].queue[i]);
    idle_thread = boot;
    timer_init(&tick, tick_fn);
    load_next = 5 * NSEC_PER_SEC;
}

__noreturn void idle_loop(void)
{
    for (;;) {
        irq_disable();
        if (runnable) {
            irq_enable();
            schedule();
            continue;
        }
        u64 t0 = clock_mono_ns();
        cpu_idle();
        idle_ns += clock_mono_ns() - t0;
    }
}
