/* SPDX-License-Identifier: MIT */
/*
 * fork.c - fork, vfork and clone: a new process, or a new thread of this one.
 *
 * CLONE_THREAD makes a thread and needs the address space and the signal handlers shared; without
 * it there is a new process that shares only what its flags say. All is prepared before
 * anything becomes visible; a failure undoes what was taken.
 */
#include "errno.h"
#include "fs.h"
#include "mm.h"
#include "proc_internal.h"
#include "string.h"
#include "uaccess.h"

#define CLONE_VM             0x100u
#define CLONE_FS             0x200u
#define CLONE_FILES          0x400u
#define CLONE_SIGHAND        0x800u
#define CLONE_VFORK          0x4000u
#define CLONE_PARENT         0x8000u
#define CLONE_THREAD         0x10000u
#define CLONE_SETTLS         0x80000u
#define CLONE_PARENT_SETTID  0x100000u
#define CLONE_CHILD_CLEARTID 0x200000u
#define CLONE_CHILD_SETTID   0x1000000u
#define CLONE_NEW_SPACES     0x7e020000u /* name spaces of any kind */

struct clone_req {
    u32 flags;
    int exit_signal;
    u64 stack, tls;
    u32 __user *parent_tid, *child_tid;
};

static int copy_parts(struct proc *p, struct proc *me, u32 flags)
{
    if (flags & CLONE_FILES) {
        p->files = me->files;
        p->files->refs++;
    } else {
        p->files = files_clone(me->files);
    }
    if (flags & CLONE_FS) {
        p->fs = me->fs;
        p->fs->refs++;
    } else {
        p->fs = fs_ctx_clone(me->fs);
    }
    if (flags & CLONE_SIGHAND) {
        p->sighand = me->sighand;
        p->sighand->refs++;
    } else {
        p->sighand = sighand_clone(me->sighand);
    }
    p->mm = flags & CLONE_VM ? mm_get(me->mm) : mm_clone(me->mm);
    return p->files && p->fs && p->sighand && p->mm ? 0 : -ENOMEM;
}

static void drop_parts(struct proc *p)
{
    if (p->mm)
        mm_put(p->mm);
    if (p->files)
        files_put(p->files);
    if (p->fs)
        fs_ctx_put(p->fs);
    if (p->sighand)
        sighand_put(p->sighand);
}

static struct proc *new_proc(const struct clone_req *rq)
{
    struct proc *me = current->proc, *p;

    if (proc_count() >= 4096 ||
        (!capable() && proc_count_user(current->cred.uid) >= rlimit_cur(RLIMIT_NPROC)))
        return ERR_PTR(-EAGAIN);
    p = proc_alloc();
    if (!p)
        return ERR_PTR(-ENOMEM);
    p->pgid = me->pgid;
    p->sid = me->sid;
    p->tty = me->tty;
    memcpy(p->rlim, me->rlim, sizeof(p->rlim));
    p->oom_adj = me->oom_adj;
    p->exit_signal = rq->flags & CLONE_PARENT ? me->exit_signal : rq->exit_signal;
    if (copy_parts(p, me, rq->flags)) {
        drop_parts(p);
        proc_free(p);
        return ERR_PTR(-ENOMEM);
    }
    return p;
}

static void proc_link(struct proc *p, struct thread *t, u32 flags)
{
    struct proc *me = current->proc;

    p->pid = t->tid;
    p->leader = t;
    p->parent = flags & CLONE_PARENT ? me->parent : me;
    list_add_tail(&p->parent->children, &p->sibling);
    list_add_tail(&all_procs, &p->all_link);
}

static void thread_inherit(struct thread *t, const struct clone_req *rq)
{
    struct thread *me = current;

    t->mm = t->proc->mm;
    t->cred = me->cred;
    t->nice = me->nice;
    t->prio = me->prio;
    t->work = me->work & WORK_TRACE;
    t->sig.blocked = me->sig.restore ? me->sig.saved : me->sig.blocked;
    if (rq->flags & CLONE_VM && !(rq->flags & CLONE_VFORK)) {
        t->sig.alt_flags = 2;
    } else {
        t->sig.alt_sp = me->sig.alt_sp;
        t->sig.alt_size = me->sig.alt_size;
        t->sig.alt_flags = me->sig.alt_flags;
    }
    if (rq->flags & CLONE_CHILD_CLEARTID)
        t->clear_tid = rq->child_tid;
}

static void store_tids(struct thread *t, const struct clone_req *rq)
{
    u32 tid = (u32)t->tid;

    if (rq->flags & CLONE_PARENT_SETTID)
        (void)put_user(tid, rq->parent_tid);
    if (rq->flags & CLONE_CHILD_SETTID) {
        if (rq->flags & CLONE_VM)
            (void)put_user(tid, rq->child_tid);
        else
            (void)mm_access(t->mm, (u64)rq->child_tid, &tid, sizeof(tid), true);
    }
}

static bool flags_ok(u32 f)
{
    if (f & CLONE_NEW_SPACES)
        return false;
    if (f & CLONE_THREAD && !(f & CLONE_SIGHAND))
        return false;
    if (f & CLONE_SIGHAND && !(f & CLONE_VM))
        return false;
    /* A thread shares everything that belongs to the process here. */
    return !(f & CLONE_THREAD) || (f & (CLONE_FILES | CLONE_FS)) == (CLONE_FILES | CLONE_FS);
}

/* Until the child lets go of the address space. It may have ended, and its number be another's. */
static void wait_for_vfork(pid_t tid, struct wait_queue *q)
{
    struct thread *child;

    (void)wait_event_how(q, !(child = thread_find(tid)) || child->vfork_done != q, SLEEP_KILL,
                         TIMEOUT_NEVER);
    child = thread_find(tid);
    if (child && child->vfork_done == q)
        child->vfork_done = NULL; /* we were killed; the queue goes with our stack */
}

static long do_clone(const struct clone_req *rq)
{
    struct wait_queue vfork_queue;
    struct thread *t;
    struct proc *p = current->proc;
    bool thread = rq->flags & CLONE_THREAD;
    pid_t tid;

    if (!flags_ok(rq->flags) || rq->exit_signal > NSIG)
        return -EINVAL;
    if (rq->flags & CLONE_SETTLS && rq->tls >= USER_END)
        return -EPERM;
    if (!thread) {
        p = new_proc(rq);
        if (IS_ERR(p))
            return PTR_ERR(p);
    } else if (p->group_exit || p->nthreads >= 1024) {
        return -EAGAIN;
    }
    t = thread_alloc(p, current->comm);
    if (!t || arch_thread_fork(t, current, rq->stack, rq->flags & CLONE_SETTLS, rq->tls)) {
        if (t)
            thread_reap(t);
        if (!thread) {
            drop_parts(p);
            proc_free(p);
        }
        return -ENOMEM;
    }
    t->tid = tid_alloc();
    tid = t->tid;
    thread_inherit(t, rq);
    if (!thread)
        proc_link(p, t, rq->flags);
    thread_link(t);
    store_tids(t, rq);
    if (rq->flags & CLONE_VFORK) {
        wait_queue_init(&vfork_queue);
        t->vfork_done = &vfork_queue;
    }
    sched_add(t);
    if (rq->flags & CLONE_VFORK)
        wait_for_vfork(tid, &vfork_queue);
    return tid;
}

long sys_fork(void)
{
    return do_clone(&(struct clone_req){.exit_signal = SIGCHLD});
}

long sys_vfork(void)
{
    return do_clone(&(struct clone_req){.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD});
}

long sys_clone(u64 flags, u64 stack, u32 __user *ptid, u32 __user *ctid, u64 tls)
{
    return do_clone(&(struct clone_req){
        .flags = flags & ~0xffu,
        .exit_signal = flags & 0xff,
        .stack = stack,
        .tls = tls,
        .parent_tid = ptid,
        .child_tid = ctid,
    });
}

long sys_set_tid_address(u32 __user *p)
{
    current->clear_tid = p;
    return current->tid;
}
