/* SPDX-License-Identifier: MIT */
/* sigcalls.c - the system calls about signals. */
#include "errno.h"
#include "irq.h"
#include "proc_internal.h"
#include "string.h"
#include "uaccess.h"

#define SS_ONSTACK  1
#define SS_DISABLE  2
#define MINSIGSTKSZ 2048

struct stack_user { /* stack_t */
    u64 sp;
    s32 flags, pad;
    u64 size;
};

long sys_rt_sigaction(int sig, const struct ksigaction __user *act, struct ksigaction __user *old,
                      size_t size)
{
    struct ksigaction *slot, new;

    if (size != sizeof(sigset_t) || sig < 1 || sig > NSIG)
        return -EINVAL;
    if (act && (sig == SIGKILL || sig == SIGSTOP))
        return -EINVAL;
    if (act && copy_from_user(&new, act, sizeof(new)))
        return -EFAULT;
    slot = &current->proc->sighand->act[sig - 1];
    if (old && copy_to_user(old, slot, sizeof(*slot)))
        return -EFAULT;
    if (act) {
        new.mask &= ~(sigbit(SIGKILL) | sigbit(SIGSTOP));
        *slot = new;
        signal_forget(current->proc, sig);
    }
    return 0;
}

long sys_rt_sigprocmask(int how, const sigset_t __user *set, sigset_t __user *old, size_t size)
{
    sigset_t mask = current->sig.blocked, s;

    if (size != sizeof(sigset_t))
        return -EINVAL;
    if (set && copy_from_user(&s, set, sizeof(s)))
        return -EFAULT;
    if (old && copy_to_user(old, &mask, sizeof(mask)))
        return -EFAULT;
    if (!set)
        return 0;
    if (how == 0)
        signal_set_mask(mask | s);
    else if (how == 1)
        signal_set_mask(mask & ~s);
    else if (how == 2)
        signal_set_mask(s);
    else
        return -EINVAL;
    return 0;
}

long sys_rt_sigpending(sigset_t __user *set, size_t size)
{
    sigset_t s = (current->sig.pending.set | current->proc->pending.set) & current->sig.blocked;

    if (size > sizeof(sigset_t))
        return -EINVAL;
    return copy_to_user(set, &s, size);
}

long sys_rt_sigsuspend(const sigset_t __user *set, size_t size)
{
    sigset_t s;
    int r;
    struct wait_queue q;

    if (size != sizeof(sigset_t))
        return -EINVAL;
    if (copy_from_user(&s, set, sizeof(s)))
        return -EFAULT;
    signal_mask_temp(s);
    wait_queue_init(&q);
    r = wait_event_intr(&q, false);
    return r == -ERESTARTSYS ? -EINTR : r;
}

long sys_pause(void)
{
    struct wait_queue q;

    wait_queue_init(&q);
    (void)wait_event_intr(&q, false);
    return -EINTR;
}

long sys_rt_sigtimedwait(const sigset_t __user *set, struct siginfo __user *out,
                         const struct timespec __user *timeout, size_t size)
{
    struct thread *t = current;
    sigset_t s, old = t->sig.blocked;
    struct siginfo info;
    struct timespec ts;
    u64 deadline = TIMEOUT_NEVER;
    struct wait_queue q;
    int sig;

    if (size != sizeof(sigset_t))
        return -EINVAL;
    if (copy_from_user(&s, set, sizeof(s)) || (timeout && copy_from_user(&ts, timeout, sizeof(ts))))
        return -EFAULT;
    if (timeout) {
        if (ts.tv_sec < 0 || (u64)ts.tv_nsec >= NSEC_PER_SEC)
            return -EINVAL;
        deadline = clock_mono_ns() + timespec_ns(ts);
    }
    s &= ~(sigbit(SIGKILL) | sigbit(SIGSTOP));
    sig = signal_take(s, &info);
    if (!sig) {
        int r;

        t->sig.blocked &= ~s; /* so that they wake us */
        t->sig.saved = s;
        t->sig.restore = true; /* ... even when ignored */
        wait_queue_init(&q);
        r = wait_event_timeout(&q, false, deadline);
        t->sig.restore = false;
        t->sig.blocked = old;
        sig = signal_take(s, &info);
        if (!sig)
            return r == -ETIMEDOUT ? -EAGAIN : -EINTR;
    }
    if (out && copy_to_user(out, &info, sizeof(info)))
        return -EFAULT;
    return sig;
}

long sys_sigaltstack(const struct stack_user __user *ss, struct stack_user __user *old)
{
    struct thread *t = current;
    u64 sp = thread_frame(t)->rsp;
    bool on = sp > t->sig.alt_sp && sp - t->sig.alt_sp <= t->sig.alt_size;
    struct stack_user new,
        cur = {t->sig.alt_sp, t->sig.alt_size ? (on ? SS_ONSTACK : 0) : SS_DISABLE, 0,
               t->sig.alt_size};

    if (ss && copy_from_user(&new, ss, sizeof(new)))
        return -EFAULT;
    if (old && copy_to_user(old, &cur, sizeof(cur)))
        return -EFAULT;
    if (!ss)
        return 0;
    if (on)
        return -EPERM;
    if (new.flags & ~(SS_DISABLE | SS_ONSTACK))
        return -EINVAL;
    if (new.flags & SS_DISABLE) {
        t->sig.alt_sp = t->sig.alt_size = 0;
        return 0;
    }
    if (new.size < MINSIGSTKSZ)
        return -ENOMEM;
    t->sig.alt_sp = new.sp;
    t->sig.alt_size = new.size;
    return 0;
}

/* --- kill and its relatives ------------------------------------------------------------------- */

static bool may_signal(struct proc *p, int sig)
{
    struct cred *me = &current->cred, *him;

    if (me->euid == 0 || p == current->proc)
        return true;
    if (sig == SIGCONT && p->sid == current->proc->sid)
        return true;
    if (!p->leader)
        return false;
    him = &p->leader->cred;
    return me->euid == him->suid || me->euid == him->uid || me->uid == him->suid ||
           me->uid == him->uid;
}

static void own_info(struct siginfo *info, int sig, int code)
{
    memset(info, 0, sizeof(*info));
    info->si_signo = sig;
    info->si_code = code;
    info->rt.pid = current->proc->pid;
    info->rt.uid = current->cred.uid;
}

static long kill_many(pid_t pgid, int sig, struct siginfo *info)
{
    struct proc *p;
    int found = 0, done = 0;

    list_for_each (p, &all_procs, all_link) {
        if (pgid ? p->pgid != pgid : p->pid <= 1 || p == current->proc)
            continue;
        found++;
        if (!may_signal(p, sig))
            continue;
        done++;
        signal_proc(p, sig, info);
    }
    return done ? 0 : found ? -EPERM : -ESRCH;
}

long sys_kill(pid_t pid, int sig)
{
    struct siginfo info;
    struct proc *p;

    if (sig < 0 || sig > NSIG)
        return -EINVAL;
    own_info(&info, sig, SI_USER);
    if (pid == -1)
        return kill_many(0, sig, &info);
    if (pid <= 0)
        return pid == (pid_t)0x80000000 ? -ESRCH
                                        : kill_many(pid ? -pid : current->proc->pgid, sig, &info);
    p = proc_find(pid);
    if (!p)
        return -ESRCH;
    if (!may_signal(p, sig))
        return -EPERM;
    return signal_proc(p, sig, &info);
}

static long do_tkill(pid_t tgid, pid_t tid, int sig)
{
    struct siginfo info;
    struct thread *t;

    if (sig < 0 || sig > NSIG || tid <= 0)
        return -EINVAL;
    t = thread_find(tid);
    if (!t || t->proc == &kernel_proc || (tgid && t->proc->pid != tgid))
        return -ESRCH;
    if (!may_signal(t->proc, sig))
        return -EPERM;
    own_info(&info, sig, SI_TKILL);
    return signal_thread(t, sig, &info);
}

long sys_tkill(pid_t tid, int sig)
{
    return do_tkill(0, tid, sig);
}

long sys_tgkill(pid_t tgid, pid_t tid, int sig)
{
    return tgid <= 0 ? -EINVAL : do_tkill(tgid, tid, sig);
}

long sys_rt_sigqueueinfo(pid_t pid, int sig, const struct siginfo __user *uinfo)
{
    struct siginfo info;
    struct proc *p = proc_find(pid);

    if (copy_from_user(&info, uinfo, sizeof(info)))
        return -EFAULT;
    if (sig < 0 || sig > NSIG)
        return -EINVAL;
    if (!p)
        return -ESRCH;
    if (!may_signal(p, sig) || (info.si_code >= 0 && p != current->proc))
        return -EPERM;
    info.si_signo = sig;
    return signal_proc(p, sig, &info);
}
