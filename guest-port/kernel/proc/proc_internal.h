/* SPDX-License-Identifier: MIT */
/* proc_internal.h - what the files of proc/ share among themselves. */
#ifndef PROC_INTERNAL_H
#define PROC_INTERNAL_H

#include "proc.h"

/* sched.c */
void sched_init(struct thread *boot);
void sched_add(struct thread *t); /* first time */
void sched_continue(struct thread *t);
void sched_set_nice(struct thread *t, int nice);
__noreturn void idle_loop(void);

/* thread.c */
struct thread *thread_alloc(struct proc *p, const char *name);
void thread_reap(struct thread *t); /* frees a dead thread that no longer runs */
void proc_init(void);
int proc_make_init(void);
struct proc *proc_alloc(void);
void proc_free(struct proc *p);
pid_t tid_alloc(void);
void thread_link(struct thread *t);
void thread_unlink(struct thread *t);

/* timer.c, itimer.c */
void time_init(void);
void itimer_init(struct proc *p);
void itimer_charge(struct thread *t, u64 ns, bool user);

/* signal.c */
struct sighand *sighand_new(void);
struct sighand *sighand_clone(struct sighand *old);
void sighand_put(struct sighand *s);
void sigqueue_init(struct sigqueue *q);
void sigqueue_flush(struct sigqueue *q);
void signal_deliver(struct trapframe *tf);
void signal_set_mask(sigset_t mask);
int signal_take(sigset_t set, struct siginfo *info);
void signal_forget(struct proc *p, int sig);
void signal_exec_reset(struct proc *p);
void proc_notify_parent(struct proc *p, int why); /* CLD_... */

/* futex.c */
void thread_release_mm(struct thread *t);
void futex_thread_exit(struct thread *t);

#endif
