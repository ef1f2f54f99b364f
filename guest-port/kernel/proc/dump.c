/* SPDX-License-Identifier: MIT */
/*
 * dump.c - the microscope: /proc/sysrq-trigger, as on Linux.
 *
 * One letter written to it prints to the kernel's messages: t every thread with its state and where
 * it sleeps, m memory and caches; b restarts, o powers off, c panics. Only the superuser may.
 */
#include "arch.h"
#include "errno.h"
#include "initcall.h"
#include "page.h"
#include "printk.h"
#include "proc.h"
#include "procfs.h"
#include "slab.h"

static void dump_thread(struct thread *t)
{
    static const char *const states[] = {"runnable", "sleeping", "waiting", "waiting",
                                         "stopped",  "zombie",   "dead"};

    printk("%5d %5d %-15s %-8s work %x syscall %ld\n", t->tid, t->proc->pid, t->comm,
           states[t->state], t->work, t->mm ? (long)thread_frame(t)->orig_rax : -1);
    if (t != current)
        stack_trace(arch_thread_frame_pointer(t));
}

static void dump_threads(void)
{
    struct proc *p;
    struct thread *t;

    list_for_each (t, &kernel_proc.threads, proc_link)
        dump_thread(t);
    list_for_each (p, &all_procs, all_link) {
        if (p->zombie)
            printk("%5d zombie, parent %d\n", p->pid, p->parent->pid);
        list_for_each (t, &p->threads, proc_link)
            dump_thread(t);
    }
}

static void dump_cache(void *arg, const char *name, size_t size, u64 used, u64 pages)
{
    if (pages)
        printk("%-16s size %5lu used %6lu pages %5lu\n", name, size, used, pages);
}

static void dump_memory(void)
{
    struct mem_stats ms;

    mem_stats_get(&ms);
    printk("pages: total %lu free %lu cached %lu slab %lu dirty %lu swap %lu of %lu free\n",
           ms.total, ms.free, ms.cached, ms.slab, ms.dirty, ms.swap_free, ms.swap_total);
    kmem_cache_each(dump_cache, NULL);
}

static int sysrq_write(char *text, size_t n)
{
    if (!capable())
        return -EPERM;
    switch (n ? text[0] : 0) {
    case 't':
        dump_threads();
        return 0;
    case 'm':
        dump_memory();
        return 0;
    case 'b':
        machine_reboot();
    case 'o':
        machine_poweroff();
    case 'c':
        panic("asked for");
    }
    return -EINVAL;
}

static void sysrq_show(struct seq *s)
{
    seq_printf(s, "t threads, m memory, b restart, o power off, c crash\n");
}

static int sysrq_init(void)
{
    return procfs_add("sysrq-trigger", sysrq_show, sysrq_write);
}
late_initcall(sysrq_init);
