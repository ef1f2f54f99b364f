/* SPDX-License-Identifier: MIT */
/*
 * work.c - deferred work: interrupt handlers queue it, one kernel thread does it, in order.
 *
 * An item is off the list before its function runs, so the function may queue it again.
 */
#include "initcall.h"
#include "irq.h"
#include "proc.h"

static struct list items = LIST_INIT(items);
static struct wait_queue worker_wait = WAIT_QUEUE_INIT(worker_wait);

void work_init(struct work *w, void (*fn)(struct work *))
{
    list_init(&w->link);
    w->fn = fn;
    w->queued = false;
}

void work_queue(struct work *w)
{
    u64 flags = irq_save();

    if (!w->queued) {
        w->queued = true;
        list_add_tail(&items, &w->link);
        wake_up(&worker_wait);
    }
    irq_restore(flags);
}

static struct work *take(void)
{
    struct work *w = NULL;
    u64 flags = irq_save();

    if (!list_empty(&items)) {
        w = list_first(&items, struct work, link);
        list_del(&w->link);
        w->queued = false;
    }
    irq_restore(flags);
    return w;
}

static void worker(void *arg)
{
    for (;;) {
        struct work *w;

        wait_event(&worker_wait, !list_empty(&items));
        while ((w = take()) != NULL)
            w->fn(w);
    }
}

static int work_start(void)
{
    kthread_start("kworker", worker, NULL);
    return 0;
}
core_initcall(work_start);
