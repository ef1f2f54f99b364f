/* SPDX-License-Identifier: MIT */
/*
 * exit.c - ends of threads and processes, and waiting for them.
 *
 * A thread gives up its parts itself, then switches away for good; the next thread frees its stack.
 * With its last thread a process becomes a zombie: only its struct proc is left until the parent
 * has waited. Children go to init.
 */
#include "errno.h"
#include "fs.h"
#include "futex.h"
#include "irq.h"
#include "mm.h"
#include "printk.h"
#include "proc_internal.h"
#include "string.h"
#include "tty.h"
#include "uaccess.h"

#define WNOHANG    1
#define WUNTRACED  2
#define WEXITED    4
#define WCONTINUED 8
#define WNOWAIT    0x01000000
#define WALL       0x40000000
#define WCLONE     0x80000000u

/* --- telling the parent ----------------------------------------------------------------------- */

void proc_notify_parent(struct proc *p, int why)
{
    struct proc *parent = p->parent;
    struct siginfo info = {.si_signo = SIGCHLD, .si_code = why};
    struct ksigaction *a;

    if (!parent || parent == &kernel_proc)
        return;
    a = &parent->sighand->act[SIGCHLD - 1];
    info.child.pid = p->pid;
    info.child.uid = p->leader ? p->leader->cred.uid : p->cred.uid;
    info.child.utime = (s64)((p->utime) / (10 * NSEC_PER_MSEC));
    info.child.stime = (s64)((p->stime) / (10 * NSEC_PER_MSEC));
    info.child.status = why == CLD_STOPPED     ? p->stop_sig
                        : why == CLD_CONTINUED ? SIGCONT
                        : why == CLD_EXITED    ? p->exit_status >> 8
                                               : p->exit_status & 0x7f;
    if (why == CLD_EXITED || why == CLD_KILLED) {
        if (p->exit_signal)
            signal_proc(parent, p->exit_signal, &info);
    } else if (!(a->flags & SA_NOCLDSTOP)) {
        signal_proc(parent, SIGCHLD, &info);
    }
    wake_up(&parent->child_wait);
}

bool pgrp_exists(pid_t pgid, pid_t sid)
{
    struct proc *p;

    list_for_each (p, &all_procs, all_link)
        if (p->pgid == pgid && p->sid == sid)
            return true;
    return false;
}

/* No member has a parent in another group of the same session: nobody could continue it. */
static bool orphaned_without(pid_t pgid, const struct proc *except)
{
    struct proc *p;

    list_for_each (p, &all_procs, all_link) {
        if (p->pgid != pgid || p == except || p->zombie || !p->parent || p->parent == init_proc)
            continue;
        if (p->parent->pgid != pgid && p->parent->sid == p->sid)
            return false;
    }
    return true;
}

bool pgrp_is_orphaned(pid_t pgid)
{
    return orphaned_without(pgid, NULL);
}

static bool pgrp_has_stopped(pid_t pgid)
{
    struct proc *p;

    list_for_each (p, &all_procs, all_link)
        if (p->pgid == pgid && p->stopped)
            return true;
    return false;
}

static void hangup_if_orphaned(pid_t pgid)
{
    if (pgrp_is_orphaned(pgid) && pgrp_has_stopped(pgid)) {
        signal_pgrp(pgid, SIGHUP, NULL);
        signal_pgrp(pgid, SIGCONT, NULL);
    }
}

/* --- ending ----------------------------------------------------------------------------------- */

static void free_zombie(struct proc *p)
{
    list_del(&p->sibling);
    list_del(&p->all_link);
    sigqueue_flush(&p->pending);
    proc_free(p);
}

static struct proc *new_parent(struct proc *p)
{
    for (struct proc *a = p->parent; a && a != &kernel_proc; a = a->parent)
        if (a->child_subreaper && !a->zombie)
            return a;
    return init_proc;
}

static void give_away_children(struct proc *p)
{
    struct proc *c, *n, *heir = new_parent(p);

    list_for_each_safe (c, n, &p->children, sibling) {
        pid_t pgid = c->pgid;

        list_del(&c->sibling);
        c->parent = heir;
        c->exit_signal = SIGCHLD; /* the heir agreed to nothing else */
        list_add_tail(&heir->children, &c->sibling);
        if (c->zombie)
            proc_notify_parent(c, c->exit_status & 0x7f ? CLD_KILLED : CLD_EXITED);
        else if (pgid != p->pgid)
            hangup_if_orphaned(pgid);
    }
}

static void proc_ended(struct proc *p)
{
    struct proc *parent = p->parent;
    struct ksigaction *a;
    bool forget;

    timer_cancel(&p->real_timer.timer);
    tty_session_exit(p);
    files_put(p->files);
    fs_ctx_put(p->fs);
    p->files = NULL;
    p->fs = NULL;
    p->zombie = true;
    p->stopped = false;
    give_away_children(p);
    if (parent != &kernel_proc && parent->pgid != p->pgid && parent->sid == p->sid &&
        orphaned_without(p->pgid, p) && pgrp_has_stopped(p->pgid)) {
        signal_pgrp(p->pgid, SIGHUP, NULL);
        signal_pgrp(p->pgid, SIGCONT, NULL);
    }
    if (parent == &kernel_proc)
        panic("init ended, status %x", p->exit_status);
    a = &parent->sighand->act[SIGCHLD - 1];
    forget = p->exit_signal == SIGCHLD && (a->handler == SIG_IGN || a->flags & SA_NOCLDWAIT);
    proc_notify_parent(p, p->exit_status & 0x7f ? CLD_KILLED : CLD_EXITED);
    sighand_put(p->sighand);
    p->sighand = NULL;
    p->leader = NULL;
    if (forget)
        free_zombie(p);
}

void thread_release_mm(struct thread *t)
{
    struct mm *mm = t->mm;

    futex_thread_exit(t);
    if (t->clear_tid) {
        u32 zero = 0;

        if ((mm->refs > 1 || t->proc->nthreads > 1) && !put_user(zero, t->clear_tid))
            futex_wake_addr((u64)t->clear_tid, 1);
        t->clear_tid = NULL;
    }
    if (t->vfork_done) {
        struct wait_queue *q = t->vfork_done;

        t->vfork_done = NULL;
        wake_up(q);
    }
}

__noreturn void thread_exit(int code)
{
    struct thread *t = current;
    struct proc *p = t->proc;

    if (p == &kernel_proc) {
        irq_disable();
        thread_unlink(t);
        t->state = T_DEAD;
        schedule();
    }
    thread_release_mm(t);
    if (p->nthreads == 1) {
        if (!p->group_exit)
            p->exit_status = (code & 0xff) << 8;
        p->group_exit = true;
    }
    p->utime += t->utime;
    p->stime += t->stime;
    if (p->nthreads == 1) {
        struct mm *mm = p->mm;

        p->maj_flt = mm->maj_flt;
        p->min_flt = mm->min_flt;
        p->mm = NULL;
        t->mm = NULL;
        mm_put(mm);
        strlcpy(p->comm, t->comm, sizeof(p->comm));
        p->cred = t->cred;
    }
    sigqueue_flush(&t->sig.pending);
    irq_disable();
    if (p->leader == t && p->nthreads > 1)
        p->leader = NULL;
    thread_unlink(t);
    if (!p->leader && p->nthreads)
        p->leader = list_first(&p->threads, struct thread, proc_link);
    irq_enable();
    if (p->nthreads == 0)
        proc_ended(p);
    t->proc = &kernel_proc; /* the process may be freed before we are off the CPU */
    t->mm = NULL;
    irq_disable();
    t->state = T_DEAD;
    schedule();
    panic("a dead thread runs");
}

__noreturn void proc_exit(int status)
{
    struct proc *p = current->proc;
    struct thread *t;

    if (!p->group_exit) {
        p->group_exit = true;
        p->exit_status = status;
        list_for_each (t, &p->threads, proc_link)
            if (t != current) {
                u64 f = irq_save();

                t->work |= WORK_EXIT;
                if (t->state == T_SLEEP_INTR || t->state == T_SLEEP_KILL)
                    sched_wake(t);
                sched_continue(t);
                irq_restore(f);
            }
    }
    thread_exit(0);
}

long sys_exit(int code)
{
    thread_exit(code);
}

long sys_exit_group(int code)
{
    proc_exit((code & 0xff) << 8);
}

/* --- waiting ---------------------------------------------------------------------------------- */

struct wait_req {
    pid_t pid; /* as waitpid takes it */
    int options;
    int status;
    struct siginfo info;
    struct rusage ru;
};

static bool wanted(const struct wait_req *rq, const struct proc *c)
{
    bool clone_child = c->exit_signal != SIGCHLD;

    if (!(rq->options & WALL) && clone_child != !!(rq->options & (int)WCLONE))
        return false;
    if (rq->pid > 0)
        return c->pid == rq->pid;
    if (rq->pid == 0)
        return c->pgid == current->proc->pgid;
    return rq->pid == -1 || c->pgid == -rq->pid;
}

static struct timeval ns_timeval(u64 ns)
{
    return (struct timeval){(s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC / 1000)};
}

static void fill(struct wait_req *rq, struct proc *c, int code, int status)
{
    memset(&rq->ru, 0, sizeof(rq->ru));
    rq->ru.ru_utime = ns_timeval(c->utime + c->cutime);
    rq->ru.ru_stime = ns_timeval(c->stime + c->cstime);
    rq->ru.ru_minflt = (s64)c->min_flt;
    rq->ru.ru_majflt = (s64)c->maj_flt;
    memset(&rq->info, 0, sizeof(rq->info));
    rq->info.si_signo = SIGCHLD;
    rq->info.si_code = code;
    rq->info.child.pid = c->pid;
    rq->info.child.uid = c->zombie ? c->cred.uid : c->leader->cred.uid;
    rq->info.child.status = status;
}

/* Does child c have something to report? Its pid, or 0. */
static pid_t look_at(struct wait_req *rq, struct proc *c)
{
    struct proc *me = current->proc;
    pid_t pid = c->pid;
    bool keep = rq->options & WNOWAIT;

    if (c->zombie && rq->options & WEXITED) {
        int sig = c->exit_status & 0x7f;

        rq->status = c->exit_status;
        fill(rq, c, sig ? CLD_KILLED : CLD_EXITED, sig ? sig : c->exit_status >> 8);
        if (!keep) {
            me->cutime += c->utime + c->cutime;
            me->cstime += c->stime + c->cstime;
            me->cmin_flt += c->min_flt + c->cmin_flt;
            me->cmaj_flt += c->maj_flt + c->cmaj_flt;
            free_zombie(c);
        }
        return pid;
    }
    if (c->stopped && !c->stop_reported && rq->options & WUNTRACED) {
        rq->status = c->stop_sig << 8 | 0x7f;
        fill(rq, c, CLD_STOPPED, c->stop_sig);
        c->stop_reported = !keep;
        return pid;
    }
    if (c->cont_report && rq->options & WCONTINUED) {
        rq->status = 0xffff;
        fill(rq, c, CLD_CONTINUED, SIGCONT);
        c->cont_report = keep;
        return pid;
    }
    return 0;
}

/* A child's pid, 0 when nothing is to report yet, -ECHILD when nothing ever will. */
static pid_t scan_children(struct wait_req *rq)
{
    struct proc *c, *n;
    pid_t r = -ECHILD;

    list_for_each_safe (c, n, &current->proc->children, sibling) {
        pid_t pid;

        if (!wanted(rq, c))
            continue;
        pid = look_at(rq, c);
        if (pid)
            return pid;
        r = 0;
    }
    return r;
}

static long do_wait(struct wait_req *rq)
{
    pid_t pid = 0;
    int r = wait_event_intr(&current->proc->child_wait,
                            (pid = scan_children(rq)) || rq->options & WNOHANG);

    return r && !pid ? r : pid;
}

long sys_wait4(pid_t pid, int __user *status, int options, struct rusage __user *ru)
{
    struct wait_req rq = {.pid = pid, .options = options | WEXITED};
    long r;

    if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | 0x20000000 | WALL | (int)WCLONE) ||
        pid == (pid_t)0x80000000)
        return pid == (pid_t)0x80000000 ? -ESRCH : -EINVAL;
    r = do_wait(&rq);
    if (r > 0) {
        if (status && put_user(rq.status, status))
            return -EFAULT;
        if (ru && copy_to_user(ru, &rq.ru, sizeof(rq.ru)))
            return -EFAULT;
    }
    return r;
}

long sys_waitid(int type, pid_t id, struct siginfo __user *info, int options,
                struct rusage __user *ru)
{
    struct wait_req rq = {.options = options};
    long r;

    if (options & ~(WNOHANG | WUNTRACED | WEXITED | WCONTINUED | WNOWAIT | 0x20000000 | WALL) ||
        !(options & (WEXITED | WUNTRACED | WCONTINUED)))
        return -EINVAL;
    if (type == 0)
        rq.pid = -1;
    else if ((type == 1 || type == 2) && (id > 0 || (type == 2 && id == 0)))
        rq.pid = type == 1 ? id : -id;
    else
        return -EINVAL;
    r = do_wait(&rq);
    if (r < 0)
        return r;
    if (!r)
        memset(&rq.info, 0, sizeof(rq.info));
    if (info && copy_to_user(info, &rq.info, sizeof(rq.info)))
        return -EFAULT;
    if (ru && r && copy_to_user(ru, &rq.ru, sizeof(rq.ru)))
        return -EFAULT;
    return 0;
}
