/* SPDX-License-Identifier: MIT */
/*
 * proc.h - threads (what is scheduled) and processes (what owns memory, files, signals).
 *
 * A process is a thread group with one pid; its first thread has tid == pid. Kernel threads belong
 * to kernel_proc and have no address space. `current` is the running thread. The kernel is not
 * preemptive: a thread in the kernel keeps the CPU until it sleeps or returns to user mode.
 */
#ifndef KERN_PROC_H
#define KERN_PROC_H

#include "abi.h"
#include "arch.h"
#include "signal.h"
#include "timer.h"
#include "wait.h"

struct files;
struct fs_ctx;
struct mm;
struct proc;
struct tty;

enum thread_state {
    T_RUNNABLE,
    T_SLEEP_INTR,
    T_SLEEP_UNINTR,
    T_SLEEP_KILL,
    T_STOPPED,
    T_ZOMBIE, /* thread has ended; process: waits for its parent */
    T_DEAD,
};

#define NGROUPS 32

struct cred {
    uid_t uid, euid, suid, fsuid;
    gid_t gid, egid, sgid, fsgid;
    int ngroups;
    gid_t groups[NGROUPS];
};

/* thread->work: something to do before returning to user mode; tested by entry.S in one go. */
#define WORK_SIGNAL  1u /* a signal may be deliverable */
#define WORK_RESCHED 2u
#define WORK_TRACE   4u /* print system calls (strace=) */
#define WORK_EXIT    8u /* the group is going away */

struct thread {
    struct arch_thread arch; /* kernel stack pointer, FPU area, segment bases; first member */
    u32 work;                /* WORK_ bits */
    enum thread_state state;
    pid_t tid;
    struct proc *proc;
    struct mm *mm; /* == proc->mm; NULL for kernel threads */
    void *kstack;
    struct list proc_link; /* proc->threads */
    struct list run_link;  /* run queue */
    struct thread *tid_next;
    /* scheduling */
    int nice, prio;
    u64 slice_left, started; /* ns */
    u64 utime, stime, start_time;
    u64 nvcsw, nivcsw;
    bool on_queue;
    bool no_fault;  /* copies from user memory must not sleep: fail instead */
    bool timed_out; /* wait_commit's deadline passed */
    struct timer sleep_timer;
    /* signals */
    struct sigstate sig;
    /* futex, clone */
    u32 __user *clear_tid, *set_tid;
    void __user *robust_list;
    struct list futex_link;
    struct wait_queue *vfork_done;
    struct cred cred;
    char comm[16];
    const char *wchan;
    int syscall_nr;
};

struct itimer {
    struct timer timer;
    u64 interval;
    struct proc *proc;
};

struct proc {
    pid_t pid, pgid, sid;
    struct proc *parent;
    struct list children, sibling;
    struct list all_link; /* every process */
    struct list threads;
    int nthreads;
    struct thread *leader;
    struct mm *mm;
    struct files *files;
    struct fs_ctx *fs;
    struct sighand *sighand;
    struct sigqueue pending; /* for the whole process */
    struct tty *tty;         /* controlling terminal or NULL */
    struct rlimit rlim[RLIM_NLIMITS];
    bool zombie, stopped, stop_reported, cont_report, group_exit, did_exec;
    bool child_subreaper;
    int exit_signal; /* sent to the parent at the end; SIGCHLD */
    int exit_status; /* as wait4 shows it */
    int stop_sig;
    struct wait_queue child_wait; /* our wait4 sleeps here */
    struct itimer real_timer;
    u64 virt_timer, virt_interval, prof_timer, prof_interval;
    u64 utime, stime, cutime, cstime; /* of ended threads / waited-for children */
    u64 maj_flt, min_flt, cmin_flt, cmaj_flt;
    u64 start_time;
    int oom_adj;
    struct cred cred; /* of a zombie: its last thread's */
    char comm[16];
};

extern struct thread *current;
extern struct proc kernel_proc;
extern struct proc *init_proc;
extern struct list all_procs;

/* Kernel threads: never end unless fn returns. */
struct thread *kthread_start(const char *name, void (*fn)(void *), void *arg);

/* Scheduler. */
void schedule(void);               /* gives up the CPU; state says whether to come back */
void sched_wake(struct thread *t); /* makes runnable; any context */
void sched_yield_cpu(void);
/* In loops that a program can make long: lets others run; true when the caller is to give up since
 * it has been killed. */
bool resched_slow(void);
static inline bool resched_point(void)
{
    return unlikely(current->work & (WORK_RESCHED | WORK_SIGNAL | WORK_EXIT)) && resched_slow();
}

struct proc *proc_find(pid_t pid); /* not a zombie's ghost; NULL */
struct thread *thread_find(pid_t tid);
bool pgrp_exists(pid_t pgid, pid_t sid);
bool pgrp_is_orphaned(pid_t pgid);
u32 proc_count(void);
u32 proc_count_user(uid_t uid);
u64 load_avg(int i); /* fixed point, 11 bits */

__noreturn void thread_exit(int code); /* exit(2) of a thread */
__noreturn void proc_exit(int status); /* exit_group; status as wait4 shows it */
int proc_exec(const char *path, char *const *argv, char *const *envp); /* kernel strings: init */

static inline bool capable(void)
{
    return current->cred.euid == 0;
}
static inline bool in_group(gid_t g)
{
    if (current->cred.fsgid == g)
        return true;
    for (int i = 0; i < current->cred.ngroups; i++)
        if (current->cred.groups[i] == g)
            return true;
    return false;
}
static inline u64 rlimit_cur(int which)
{
    return current->proc->rlim[which].cur;
}

#endif
