/* SPDX-License-Identifier: MIT */
/*
 * signal.h - signals: sending, queues, dispositions.
 *
 * Standard signals are one bit with one siginfo, real-time ones queue. Signals may be sent from
 * any context; delivery happens only at return to user mode (proc/signal.c with arch/sigframe.c).
 */
#ifndef KERN_SIGNAL_H
#define KERN_SIGNAL_H

#include "abi.h"
#include "list.h"

struct proc;
struct thread;
struct trapframe;

typedef u64 sigset_t; /* bit n-1 is signal n */
#define sigbit(s) (1UL << ((s)-1))

struct sigqueue {
    sigset_t set;
    struct list infos; /* of struct sigitem */
};

struct sigstate { /* per thread */
    sigset_t blocked;
    sigset_t saved; /* to restore after sigsuspend, ppoll ... */
    bool restore;
    struct sigqueue pending;
    u64 alt_sp, alt_size;
    int alt_flags;
};

struct sighand {
    int refs;
    struct ksigaction act[64];
};

/* All return 0 or -errno. info NULL: from the kernel (SI_KERNEL). */
int signal_thread(struct thread *t, int sig, const struct siginfo *info);
int signal_proc(struct proc *p, int sig, const struct siginfo *info);
int signal_pgrp(pid_t pgid, int sig, const struct siginfo *info); /* -ESRCH: nobody */
void signal_session(pid_t sid, int sig);
/* A fault of the current thread: cannot be blocked or ignored. */
void signal_fault(int sig, int code, u64 addr);
bool signal_fatal_pending(void); /* it is going to end */
bool signal_pending(void);       /* current has something deliverable */
/* Is `sig` blocked or ignored by current? (tty: SIGTTIN, SIGTTOU) */
bool signal_is_blocked(int sig);
bool signal_is_ignored(int sig);
/* Temporarily replaces the mask until the system call has ended (ppoll, pselect, epoll_pwait). */
void signal_mask_temp(sigset_t mask);

#endif
