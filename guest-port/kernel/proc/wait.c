/* SPDX-License-Identifier: MIT */
/*
 * wait.c - wait queues, sleeping with a time limit, mutexes.
 *
 * Queues are touched with interrupts off. A waiter is on the queue before its condition is tested,
 * and its state says "asleep" already, so a wake-up between test and commit is not lost: it
 * sets the state back and wait_commit returns at once.
 */
#include "wait.h"
#include "errno.h"
#include "irq.h"
#include "printk.h"
#include "proc.h"

bool wait_wake_thread(struct wait_entry *w, unsigned key)
{
    sched_wake(w->thread);
    return true;
}

void wait_entry_init(struct wait_entry *w)
{
    list_init(&w->link);
    w->func = wait_wake_thread;
    w->thread = current;
}

void wait_add(struct wait_queue *q, struct wait_entry *w)
{
    u64 f = irq_save();

    if (list_empty(&w->link))
        list_add_tail(&q->waiters, &w->link);
    irq_restore(f);
}

void wait_remove(struct wait_entry *w)
{
    u64 f = irq_save();

    list_del(&w->link);
    irq_restore(f);
}

static void wake(struct wait_queue *q, unsigned key, unsigned max)
{
    struct wait_entry *w, *n;
    u64 f = irq_save();

    list_for_each_safe (w, n, &q->waiters, link)
        if (w->func(w, key) && --max == 0)
            break;
    irq_restore(f);
}

void wake_up(struct wait_queue *q)
{
    if (!list_empty(&q->waiters))
        wake(q, 0, 0);
}

void wake_up_key(struct wait_queue *q, unsigned key)
{
    if (!list_empty(&q->waiters))
        wake(q, key, 0);
}

void wake_up_n(struct wait_queue *q, unsigned n)
{
    if (!list_empty(&q->waiters))
        wake(q, 0, n);
}

void wait_prepare(struct wait_queue *q, struct wait_entry *w, int how)
{
    static const u8 states[] = {
        [SLEEP_INTR] = T_SLEEP_INTR, [SLEEP_UNINTR] = T_SLEEP_UNINTR, [SLEEP_KILL] = T_SLEEP_KILL};

    wait_add(q, w);
    WRITE_ONCE(current->state, states[how]);
}

static void sleep_timeout(struct timer *t)
{
    struct thread *th = container_of(t, struct thread, sleep_timer);

    th->timed_out = true;
    sched_wake(th);
}

static bool interrupted(enum thread_state state)
{
    return (state == T_SLEEP_INTR && signal_pending()) ||
           (state == T_SLEEP_KILL && signal_fatal_pending());
}

int wait_commit(u64 deadline)
{
    struct thread *t = current;
    enum thread_state state = t->state;

    if (interrupted(state)) {
        t->state = T_RUNNABLE;
        return -ERESTARTSYS;
    }
    t->timed_out = false;
    if (deadline != TIMEOUT_NEVER) {
        timer_init(&t->sleep_timer, sleep_timeout);
        timer_set(&t->sleep_timer, deadline);
    }
    schedule();
    if (deadline != TIMEOUT_NEVER) {
        timer_cancel(&t->sleep_timer);
        if (t->timed_out)
            return -ETIMEDOUT;
    }
    return interrupted(state) ? -ERESTARTSYS : 0;
}

void wait_finish(struct wait_entry *w)
{
    wait_remove(w);
    current->state = T_RUNNABLE;
}

int sleep_until(u64 deadline)
{
    struct wait_queue q;
    int r;

    wait_queue_init(&q);
    r = wait_event_timeout(&q, false, deadline);
    return r == -ETIMEDOUT ? 0 : r;
}

void sleep_ms(unsigned ms)
{
    u64 deadline = clock_mono_ns() + ms * NSEC_PER_MSEC;
    struct wait_queue q;

    wait_queue_init(&q);
    (void)wait_event_how(&q, false, SLEEP_UNINTR, deadline);
}

/* --- mutexes ------------------------------------------------------------------------------------
 */

void mutex_init(struct mutex *m)
{
    m->owner = NULL;
    wait_queue_init(&m->q);
}

void mutex_lock(struct mutex *m)
{
    if (unlikely(m->owner)) {
        BUG_ON(m->owner == current);
        wait_event(&m->q, !m->owner);
    }
    m->owner = current;
}

bool mutex_trylock(struct mutex *m)
{
    if (m->owner)
        return false;
    m->owner = current;
    return true;
}

void mutex_unlock(struct mutex *m)
{
    m->owner = NULL;
    wake_up_n(&m->q, 1);
}
