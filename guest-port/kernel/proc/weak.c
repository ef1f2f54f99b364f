/* SPDX-License-Identifier: MIT */
/*
 * weak.c - weak definitions that let a part of the kernel link and boot before the rest is there.
 * Each goes when its strong one arrives.
 */
#include "proc_internal.h"
#include "fs.h"
#include "mm.h"
#include "irq.h"
#include "printk.h"
#define W __attribute__((weak))
W int mm_fault(struct mm *mm, u64 addr, unsigned how)
{
    return -14;
}
W void mm_switch(struct mm *m) {}
W void oom_kill(void) {}
W void reclaim_wake(void) {}
W u64 reclaim_pages(u64 w)
{
    return 0;
}
W void lru_remove(struct page *p) {}
W void signal_fault(int s, int c, u64 a)
{
    panic("sig %d", s);
}
W bool signal_pending(void)
{
    return false;
}
W void signal_deliver(struct trapframe *tf) {}
W void sigqueue_init(struct sigqueue *q)
{
    list_init(&q->infos);
}
W struct sighand *sighand_new(void)
{
    return (void *)1;
}
W void itimer_init(struct proc *p) {}
W void itimer_charge(struct thread *t, u64 n, bool u) {}
W void thread_exit(int c)
{
    panic("thread exit");
}
W int proc_exec(const char *p, char *const *a, char *const *e)
{
    return -2;
}
W struct files *files_new(void)
{
    return (void *)1;
}
W struct fs_ctx *fs_ctx_clone(struct fs_ctx *o)
{
    return (void *)1;
}
W struct file *file_open(const char *p, u32 f, mode_t m)
{
    return ERR_PTR(-2);
}
W int fd_install(struct file *f, unsigned u)
{
    return 0;
}
W void file_put(struct file *f) {}
W void mount_root(void)
{
    printk("no fs\n");
}
W long sys_getpid(void)
{
    return current->proc->pid;
}
W u64 timer_interrupt_n;
void timer_interrupt(void)
{
    timers_run();
}
