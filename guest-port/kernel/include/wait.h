/* SPDX-License-Identifier: MIT */
/*
 * wait.h - sleeping and waking: wait queues, mutexes, sleeping with a time limit, the poll hook.
 *
 * The kernel has one CPU and is not preemptive: a thread inside the kernel runs until it sleeps or
 * returns to user mode. Only interrupt handlers come in between. So data that no interrupt handler
 * touches needs no lock unless it must stay consistent across a sleep (then: struct mutex), and
 * data shared with a handler is touched between irq_save() and irq_restore().
 * wake_up may be called from anywhere, also with interrupts off.
 */
#ifndef KERN_WAIT_H
#define KERN_WAIT_H

#include "list.h"

struct thread;
struct file;

struct wait_queue {
    struct list waiters;
};
#define WAIT_QUEUE_INIT(q)     \
    {                          \
        LIST_INIT((q).waiters) \
    }
static inline void wait_queue_init(struct wait_queue *q)
{
    list_init(&q->waiters);
}

/* One party on one queue. `func` runs at wake_up with interrupts off; wait_wake_thread by default.
 * It returns true when it woke somebody (counts against wake_up_n's limit). */
struct wait_entry {
    struct list link;
    bool (*func)(struct wait_entry *w, unsigned key);
    struct thread *thread;
};
bool wait_wake_thread(struct wait_entry *w, unsigned key);
void wait_entry_init(struct wait_entry *w); /* for the current thread */
void wait_add(struct wait_queue *q, struct wait_entry *w);
void wait_remove(struct wait_entry *w);

/* Wakes everybody. `key` is a poll mask for poll users (0: anything). */
void wake_up(struct wait_queue *q);
void wake_up_key(struct wait_queue *q, unsigned key);
void wake_up_n(struct wait_queue *q, unsigned n);

/* Thread states while asleep. */
#define SLEEP_INTR   1 /* a signal ends the sleep */
#define SLEEP_UNINTR 2 /* only wake_up does; for short waits such as disk I/O */

#define SLEEP_KILL 3 /* only wake_up and SIGKILL do: for waits that may last */

#define TIMEOUT_NEVER ((u64)-1)

/*
 * The primitive: prepare, test the condition, commit.
 *     wait_prepare(&q, &w, SLEEP_INTR); if (!cond) r = wait_commit(deadline); wait_finish(&w);
 * wait_commit returns 0 woken, -ERESTARTSYS signal pending, -ETIMEDOUT. Deadlines are absolute,
 * clock_mono_ns().
 */
void wait_prepare(struct wait_queue *q, struct wait_entry *w, int how);
int wait_commit(u64 deadline_ns);
void wait_finish(struct wait_entry *w);

/* Sleeps until cond; value as wait_commit (0 when cond came true). cond is re-tested on waking. */
#define wait_event_how(q, cond, how, deadline) \
    ({                                         \
        int _r = 0;                            \
        struct wait_entry _w;                  \
        wait_entry_init(&_w);                  \
        for (;;) {                             \
            wait_prepare((q), &_w, (how));     \
            if (cond) {                        \
                _r = 0;                        \
                break;                         \
            }                                  \
            if (_r)                            \
                break;                         \
            _r = wait_commit(deadline);        \
        }                                      \
        wait_finish(&_w);                      \
        _r;                                    \
    })
#define wait_event(q, cond)                   ((void)wait_event_how(q, cond, SLEEP_UNINTR, TIMEOUT_NEVER))
#define wait_event_intr(q, cond)              wait_event_how(q, cond, SLEEP_INTR, TIMEOUT_NEVER)
#define wait_event_timeout(q, cond, deadline) wait_event_how(q, cond, SLEEP_INTR, deadline)

/* Sleeping mutex; not recursive, not for interrupt handlers. */
struct mutex {
    struct thread *owner;
    struct wait_queue q;
};
#define MUTEX_INIT(m)                \
    {                                \
        NULL, WAIT_QUEUE_INIT((m).q) \
    }
void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);

/* --- poll ------------------------------------------------------------------------------------- */

#define POLLIN     0x001u
#define POLLPRI    0x002u
#define POLLOUT    0x004u
#define POLLERR    0x008u
#define POLLHUP    0x010u
#define POLLNVAL   0x020u
#define POLLRDNORM 0x040u
#define POLLRDBAND 0x080u
#define POLLWRNORM 0x100u
#define POLLWRBAND 0x200u
#define POLLRDHUP  0x2000u

/* file_operations.poll calls poll_wait(pt, &queue) for each queue that announces a change, then
 * returns the present mask. poll, select and epoll each bring their own `add`. */
struct poll_table {
    void (*add)(struct poll_table *pt, struct file *f, struct wait_queue *q);
    unsigned key; /* events of interest */
};
static inline void poll_wait(struct poll_table *pt, struct file *f, struct wait_queue *q)
{
    if (pt && pt->add)
        pt->add(pt, f, q);
}

#endif
