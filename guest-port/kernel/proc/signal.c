/* SPDX-License-Identifier: MIT */
/*
 * signal.c - sending signals, choosing and acting on them at return to user mode.
 *
 * A signal goes into a thread's or a process's queue, then somebody who can take it is woken.
 * Queues are touched with interrupts off (timers and ttys send from interrupt handlers). Stop and
 * continue signals cancel each other when sent; everything else is decided at delivery.
 */
#include "signal.h"
#include "errno.h"
#include "irq.h"
#include "printk.h"
#include "proc_internal.h"
#include "slab.h"
#include "string.h"
#include "uaccess.h"

#define SIGRTMIN_K 32
#define STOP_SIGS  (sigbit(SIGSTOP) | sigbit(SIGTSTP) | sigbit(SIGTTIN) | sigbit(SIGTTOU))
#define NO_BLOCK   (sigbit(SIGKILL) | sigbit(SIGSTOP))
#define MAX_QUEUED 256 /* real-time signals per queue */

struct sigitem {
    struct list link;
    struct siginfo info;
};

extern int sigframe_setup(struct trapframe *tf, int sig, struct ksigaction *act,
                          const struct siginfo *info, sigset_t mask);

/* --- queues ----------------------------------------------------------------------------------- */

void sigqueue_init(struct sigqueue *q)
{
    q->set = 0;
    list_init(&q->infos);
}

/* Removes the infos of all signals in the mask. */
static void sigqueue_drop(struct sigqueue *q, sigset_t mask)
{
    struct sigitem *it, *n;
    u64 f = irq_save();

    if (q->set & mask)
        list_for_each_safe (it, n, &q->infos, link)
            if (sigbit(it->info.si_signo) & mask) {
                list_del(&it->link);
                kfree(it);
            }
    q->set &= ~mask;
    irq_restore(f);
}

void sigqueue_flush(struct sigqueue *q)
{
    sigqueue_drop(q, ~0UL);
}

static int sigqueue_add(struct sigqueue *q, int sig, const struct siginfo *info)
{
    struct sigitem *it;
    int n = 0;

    if (sig < SIGRTMIN_K && q->set & sigbit(sig))
        return 0; /* one is pending already */
    if (sig >= SIGRTMIN_K) {
        for (struct list *l = q->infos.next; l != &q->infos; l = l->next)
            n++;
        if (n >= MAX_QUEUED)
            return -EAGAIN;
    }
    if (info && sig != SIGKILL) {
        it = kmalloc(sizeof(*it), GFP_ATOMIC);
        if (it) { /* without memory the signal comes without its details */
            it->info = *info;
            it->info.si_signo = sig;
            list_add_tail(&q->infos, &it->link);
        }
    }
    q->set |= sigbit(sig);
    return 0;
}

static void sigqueue_take(struct sigqueue *q, int sig, struct siginfo *info)
{
    struct sigitem *it, *n;
    bool found = false, more = false;

    memset(info, 0, sizeof(*info));
    info->si_signo = sig;
    info->si_code = SI_KERNEL;
    list_for_each_safe (it, n, &q->infos, link) {
        if (it->info.si_signo != sig)
            continue;
        if (found) {
            more = true;
            break;
        }
        found = true;
        *info = it->info;
        list_del(&it->link);
        kfree(it);
    }
    if (!more)
        q->set &= ~sigbit(sig);
}

/* --- dispositions ----------------------------------------------------------------------------- */

struct sighand *sighand_new(void)
{
    struct sighand *s = kzalloc(sizeof(*s), GFP_KERNEL);

    if (s)
        s->refs = 1;
    return s;
}

struct sighand *sighand_clone(struct sighand *old)
{
    struct sighand *s = sighand_new();

    if (s)
        memcpy(s->act, old->act, sizeof(s->act));
    return s;
}

void sighand_put(struct sighand *s)
{
    if (--s->refs == 0)
        kfree(s);
}

static bool default_ignored(int sig)
{
    return sigbit(sig) & (sigbit(SIGCHLD) | sigbit(SIGURG) | sigbit(SIGWINCH) | sigbit(SIGCONT));
}

static bool ignored(struct proc *p, int sig)
{
    u64 h = p->sighand->act[sig - 1].handler;

    if (p == init_proc && h == SIG_DFL && sig != SIGCHLD)
        return true; /* nobody kills or stops init by accident */
    return h == SIG_IGN || (h == SIG_DFL && default_ignored(sig));
}

bool signal_is_blocked(int sig)
{
    return current->sig.blocked & sigbit(sig);
}

bool signal_is_ignored(int sig)
{
    return current->proc->sighand->act[sig - 1].handler == SIG_IGN;
}

/* --- sending ---------------------------------------------------------------------------------- */

static bool wants(struct thread *t, int sig)
{
    return !(t->sig.blocked & sigbit(sig)) || sig == SIGKILL;
}

static void poke(struct thread *t, int sig)
{
    t->work |= WORK_SIGNAL;
    if (sig == SIGKILL && t->state == T_STOPPED)
        sched_continue(t);
    if (t->state == T_SLEEP_INTR || (t->state == T_SLEEP_KILL && sig == SIGKILL))
        sched_wake(t);
}

static void continue_proc(struct proc *p)
{
    struct thread *t;

    list_for_each (t, &p->threads, proc_link) {
        sigqueue_drop(&t->sig.pending, STOP_SIGS);
        sched_continue(t);
    }
    sigqueue_drop(&p->pending, STOP_SIGS);
    if (p->stopped) {
        p->stopped = false;
        p->cont_report = true;
        proc_notify_parent(p, CLD_CONTINUED);
    }
}

/* Effects at the time of sending, whatever the disposition. */
static void send_effects(struct proc *p, int sig)
{
    struct thread *t;

    if (sig == SIGCONT || sig == SIGKILL) {
        continue_proc(p);
    } else if (sigbit(sig) & STOP_SIGS) {
        sigqueue_drop(&p->pending, sigbit(SIGCONT));
        list_for_each (t, &p->threads, proc_link)
            sigqueue_drop(&t->sig.pending, sigbit(SIGCONT));
    }
}

static bool dropped(struct proc *p, struct thread *t, int sig)
{
    return ignored(p, sig) && sig != SIGKILL && sig != SIGSTOP && wants(t, sig) &&
           !(t->sig.restore && t->sig.saved & sigbit(sig));
}

int signal_thread(struct thread *t, int sig, const struct siginfo *info)
{
    u64 f;
    int r = 0;

    if (sig == 0 || t->proc == &kernel_proc || t->proc->zombie)
        return 0;
    if (t->proc == init_proc && sig == SIGKILL)
        return 0;
    f = irq_save();
    send_effects(t->proc, sig);
    if (!dropped(t->proc, t, sig)) {
        r = sigqueue_add(&t->sig.pending, sig, info);
        if (wants(t, sig))
            poke(t, sig);
    }
    irq_restore(f);
    return r;
}

int signal_proc(struct proc *p, int sig, const struct siginfo *info)
{
    struct thread *t;
    u64 f;
    int r = 0;

    if (sig == 0 || p == &kernel_proc || p->zombie || list_empty(&p->threads))
        return 0;
    if (p == init_proc && sig == SIGKILL)
        return 0;
    f = irq_save();
    send_effects(p, sig);
    t = p->leader && wants(p->leader, sig) && p->leader->state < T_ZOMBIE ? p->leader : NULL;
    if (!t) {
        struct thread *o;

        list_for_each (o, &p->threads, proc_link)
            if (wants(o, sig)) {
                t = o;
                break;
            }
    }
    if (!t || !dropped(p, t, sig)) {
        r = sigqueue_add(&p->pending, sig, info);
        if (t)
            poke(t, sig);
    }
    irq_restore(f);
    return r;
}

int signal_pgrp(pid_t pgid, int sig, const struct siginfo *info)
{
    struct proc *p;
    int n = 0;

    list_for_each (p, &all_procs, all_link)
        if (p->pgid == pgid && !p->zombie) {
            n++;
            signal_proc(p, sig, info);
        }
    return n ? 0 : -ESRCH;
}

void signal_session(pid_t sid, int sig)
{
    struct proc *p;

    list_for_each (p, &all_procs, all_link)
        if (p->sid == sid)
            signal_proc(p, sig, NULL);
}

void signal_fault(int sig, int code, u64 addr)
{
    struct siginfo info = {.si_signo = sig, .si_code = code};
    struct thread *t = current;
    struct ksigaction *a = &t->proc->sighand->act[sig - 1];
    u64 f = irq_save();

    info.fault.addr = addr;
    if (t->sig.blocked & sigbit(sig) || a->handler == SIG_IGN) {
        a->handler = SIG_DFL;
        t->sig.blocked &= ~sigbit(sig);
    }
    if (t->proc == init_proc && a->handler == SIG_DFL)
        panic("init: signal %d, code %d at %lx, rip %lx", sig, code, addr, thread_frame(t)->rip);
    sigqueue_drop(&t->sig.pending, sigbit(sig));
    sigqueue_add(&t->sig.pending, sig, &info);
    t->work |= WORK_SIGNAL;
    irq_restore(f);
}

/* --- taking ----------------------------------------------------------------------------------- */

static sigset_t deliverable(struct thread *t)
{
    return (t->sig.pending.set | t->proc->pending.set) & ~(t->sig.blocked & ~sigbit(SIGKILL));
}

bool signal_fatal_pending(void)
{
    return current->mm &&
           (current->work & WORK_EXIT ||
            (current->sig.pending.set | current->proc->pending.set) & sigbit(SIGKILL));
}

bool signal_pending(void)
{
    return current->mm && (current->work & WORK_EXIT || deliverable(current));
}

/* Takes the next deliverable signal of the set; 0: none. */
static int take(struct thread *t, sigset_t set, struct siginfo *info)
{
    const sigset_t first = sigbit(SIGKILL) | sigbit(SIGSEGV) | sigbit(SIGBUS) | sigbit(SIGILL) |
                           sigbit(SIGFPE) | sigbit(SIGTRAP);
    sigset_t mine = t->sig.pending.set & set, all = mine | (t->proc->pending.set & set);
    u64 f;
    int sig;

    if (!all)
        return 0;
    f = irq_save();
    sig = __builtin_ctzl(all & first ? all & first : all) + 1;
    sigqueue_take(mine & sigbit(sig) ? &t->sig.pending : &t->proc->pending, sig, info);
    irq_restore(f);
    return sig;
}

static void stop_self(int sig)
{
    struct proc *p = current->proc;
    struct thread *t;

    if (sig != SIGSTOP && pgrp_is_orphaned(p->pgid))
        return;
    irq_disable();
    if (!p->stopped) {
        p->stopped = true;
        p->stop_reported = false;
        p->cont_report = false;
        p->stop_sig = sig;
        list_for_each (t, &p->threads, proc_link)
            t->work |= WORK_SIGNAL; /* they stop when they come by */
        proc_notify_parent(p, CLD_STOPPED);
    }
    irq_enable();
}

/* All threads of a stopped process wait here. */
static void wait_stopped(void)
{
    irq_disable();
    while (current->proc->stopped && !(current->work & WORK_EXIT) &&
           !((current->sig.pending.set | current->proc->pending.set) & sigbit(SIGKILL))) {
        current->state = T_STOPPED;
        schedule();
    }
    irq_enable();
}

/* The default action of a signal that has one. */
static void act_by_default(int sig)
{
    if (sigbit(sig) & STOP_SIGS) {
        stop_self(sig);
        return;
    }
    proc_exit(sig); /* core dumps are never written */
}

/* System calls that were interrupted: again, or EINTR. */
static void fix_restart(struct trapframe *tf, const struct ksigaction *act)
{
    if ((s64)tf->orig_rax < 0 || (s64)tf->rax != -ERESTARTSYS)
        return;
    if (act && !(act->flags & SA_RESTART)) {
        tf->rax = -EINTR;
        return;
    }
    tf->rax = tf->orig_rax;
    tf->rip -= 2; /* the syscall instruction */
}

static void run_handler(struct trapframe *tf, int sig, struct siginfo *info)
{
    struct thread *t = current;
    struct ksigaction *slot = &t->proc->sighand->act[sig - 1], act = *slot;
    sigset_t mask = t->sig.restore ? t->sig.saved : t->sig.blocked;

    fix_restart(tf, &act);
    tf->orig_rax = -1;
    if (sigframe_setup(tf, sig, &act, info, mask))
        proc_exit(SIGSEGV);
    t->sig.restore = false;
    t->sig.blocked |= act.mask & ~NO_BLOCK;
    if (!(act.flags & SA_NODEFER))
        t->sig.blocked |= sigbit(sig);
    if (act.flags & SA_RESETHAND)
        slot->handler = SIG_DFL;
}

void signal_deliver(struct trapframe *tf)
{
    struct thread *t = current;
    struct siginfo info;
    int sig;

    for (;;) {
        irq_disable();
        t->work &= ~WORK_SIGNAL;
        irq_enable();
        if (t->proc->stopped)
            wait_stopped();
        if (t->work & WORK_EXIT)
            return;
        sig = take(t, ~(t->sig.blocked & ~sigbit(SIGKILL)), &info);
        if (!sig)
            break;
        u64 h = t->proc->sighand->act[sig - 1].handler;
        if (sig == SIGKILL)
            proc_exit(SIGKILL);
        if (sig != SIGSTOP && ignored(t->proc, sig))
            continue;
        if (h == SIG_DFL || sig == SIGSTOP) {
            act_by_default(sig);
            continue;
        }
        run_handler(tf, sig, &info);
        if (deliverable(t)) /* more: frames stack up */
            continue;
        return;
    }
    fix_restart(tf, NULL);
    if ((s64)tf->orig_rax >= 0)
        tf->orig_rax = -1;
    if (t->sig.restore) {
        t->sig.restore = false;
        t->sig.blocked = t->sig.saved;
        if (deliverable(t))
            t->work |= WORK_SIGNAL;
    }
}

void signal_mask_temp(sigset_t mask)
{
    struct thread *t = current;

    t->sig.saved = t->sig.blocked;
    t->sig.restore = true;
    t->sig.blocked = mask & ~NO_BLOCK;
    t->work |= WORK_SIGNAL; /* the old mask comes back at return to user mode */
}

void signal_set_mask(sigset_t mask)
{
    current->sig.blocked = mask & ~NO_BLOCK;
    if (deliverable(current))
        current->work |= WORK_SIGNAL;
}

int signal_take(sigset_t set, struct siginfo *info)
{
    return take(current, set, info);
}

void signal_exec_reset(struct proc *p)
{
    for (int i = 0; i < NSIG; i++) {
        struct ksigaction *a = &p->sighand->act[i];
        u64 keep = a->handler == SIG_IGN ? SIG_IGN : SIG_DFL;

        memset(a, 0, sizeof(*a));
        a->handler = keep;
    }
    current->sig.alt_sp = current->sig.alt_size = 0;
    current->sig.alt_flags = 2; /* SS_DISABLE */
}

/* A handler was set to ignore: what is pending of it goes. */
void signal_forget(struct proc *p, int sig)
{
    struct thread *t;

    if (!ignored(p, sig))
        return;
    sigqueue_drop(&p->pending, sigbit(sig));
    list_for_each (t, &p->threads, proc_link)
        sigqueue_drop(&t->sig.pending, sigbit(sig));
}
