/* SPDX-License-Identifier: MIT */
/* ids.c - system calls about who one is: process numbers, groups, sessions, user and group ids. */
#include "errno.h"
#include "proc_internal.h"
#include "string.h"
#include "tty.h"
#include "uaccess.h"

long sys_getpid(void)
{
    return current->proc->pid;
}

long sys_gettid(void)
{
    return current->tid;
}

long sys_getppid(void)
{
    return current->proc->parent->pid;
}

/* --- process groups and sessions -------------------------------------------------------------- */

static bool in_my_session(pid_t pgid)
{
    return pgrp_exists(pgid, current->proc->sid);
}

long sys_setpgid(pid_t pid, pid_t pgid)
{
    struct proc *me = current->proc, *p = pid ? proc_find(pid) : me;

    if (pgid < 0)
        return -EINVAL;
    if (!p || p->zombie || (p != me && p->parent != me))
        return -ESRCH;
    if (p != me && p->did_exec)
        return -EACCES;
    if (p->sid != me->sid || p->pid == p->sid)
        return -EPERM;
    if (!pgid)
        pgid = p->pid;
    if (pgid != p->pid && !in_my_session(pgid))
        return -EPERM;
    p->pgid = pgid;
    return 0;
}

long sys_getpgid(pid_t pid)
{
    struct proc *p = pid ? proc_find(pid) : current->proc;

    return p ? p->pgid : -ESRCH;
}

long sys_getpgrp(void)
{
    return current->proc->pgid;
}

long sys_setsid(void)
{
    struct proc *p = current->proc, *o;

    list_for_each (o, &all_procs, all_link)
        if (o->pgid == p->pid)
            return -EPERM;
    p->sid = p->pgid = p->pid;
    tty_forget(p);
    return p->pid;
}

long sys_getsid(pid_t pid)
{
    struct proc *p = pid ? proc_find(pid) : current->proc;

    return p ? p->sid : -ESRCH;
}

/* --- user and group ids ----------------------------------------------------------------------- */

long sys_getuid(void)
{
    return current->cred.uid;
}

long sys_geteuid(void)
{
    return current->cred.euid;
}

long sys_getgid(void)
{
    return current->cred.gid;
}

long sys_getegid(void)
{
    return current->cred.egid;
}

static bool is_own_uid(uid_t u)
{
    struct cred *c = &current->cred;

    return u == c->uid || u == c->euid || u == c->suid;
}

static bool is_own_gid(gid_t g)
{
    struct cred *c = &current->cred;

    return g == c->gid || g == c->egid || g == c->sgid;
}

long sys_setresuid(uid_t r, uid_t e, uid_t s)
{
    struct cred *c = &current->cred;
    const uid_t none = (uid_t)-1;

    if (!capable() && ((r != none && !is_own_uid(r)) || (e != none && !is_own_uid(e)) ||
                       (s != none && !is_own_uid(s))))
        return -EPERM;
    if (r != none)
        c->uid = r;
    if (e != none)
        c->euid = c->fsuid = e;
    if (s != none)
        c->suid = s;
    return 0;
}

long sys_setresgid(gid_t r, gid_t e, gid_t s)
{
    struct cred *c = &current->cred;
    const gid_t none = (gid_t)-1;

    if (!capable() && ((r != none && !is_own_gid(r)) || (e != none && !is_own_gid(e)) ||
                       (s != none && !is_own_gid(s))))
        return -EPERM;
    if (r != none)
        c->gid = r;
    if (e != none)
        c->egid = c->fsgid = e;
    if (s != none)
        c->sgid = s;
    return 0;
}

long sys_setuid(uid_t u)
{
    struct cred *c = &current->cred;

    if (u == (uid_t)-1)
        return -EINVAL;
    if (capable())
        c->uid = c->suid = u;
    else if (u != c->uid && u != c->suid)
        return -EPERM;
    c->euid = c->fsuid = u;
    return 0;
}

long sys_setgid(gid_t g)
{
    struct cred *c = &current->cred;

    if (g == (gid_t)-1)
        return -EINVAL;
    if (capable())
        c->gid = c->sgid = g;
    else if (g != c->gid && g != c->sgid)
        return -EPERM;
    c->egid = c->fsgid = g;
    return 0;
}

long sys_setreuid(uid_t r, uid_t e)
{
    struct cred *c = &current->cred;
    uid_t old = c->uid, none = (uid_t)-1;
    long err = sys_setresuid(r, e, none);

    if (!err && (r != none || (e != none && e != old)))
        c->suid = c->euid;
    return err;
}

long sys_setregid(gid_t r, gid_t e)
{
    struct cred *c = &current->cred;
    gid_t old = c->gid, none = (gid_t)-1;
    long err = sys_setresgid(r, e, none);

    if (!err && (r != none || (e != none && e != old)))
        c->sgid = c->egid;
    return err;
}

static int put3(u32 a, u32 b, u32 c, u32 __user *x, u32 __user *y, u32 __user *z)
{
    return put_user(a, x) || put_user(b, y) || put_user(c, z) ? -EFAULT : 0;
}

long sys_getresuid(u32 __user *r, u32 __user *e, u32 __user *s)
{
    return put3(current->cred.uid, current->cred.euid, current->cred.suid, r, e, s);
}

long sys_getresgid(u32 __user *r, u32 __user *e, u32 __user *s)
{
    return put3(current->cred.gid, current->cred.egid, current->cred.sgid, r, e, s);
}

long sys_setfsuid(uid_t u)
{
    uid_t old = current->cred.fsuid;

    if (capable() || is_own_uid(u) || u == old)
        current->cred.fsuid = u;
    return old;
}

long sys_setfsgid(gid_t g)
{
    gid_t old = current->cred.fsgid;

    if (capable() || is_own_gid(g) || g == old)
        current->cred.fsgid = g;
    return old;
}

long sys_getgroups(int size, gid_t __user *list)
{
    struct cred *c = &current->cred;

    if (size < 0 || (size && size < c->ngroups))
        return -EINVAL;
    if (size && copy_to_user(list, c->groups, c->ngroups * sizeof(gid_t)))
        return -EFAULT;
    return c->ngroups;
}

long sys_setgroups(int size, const gid_t __user *list)
{
    gid_t g[NGROUPS];

    if (!capable())
        return -EPERM;
    if (size < 0 || size > NGROUPS)
        return -EINVAL;
    if (copy_from_user(g, list, size * sizeof(gid_t)))
        return -EFAULT;
    memcpy(current->cred.groups, g, size * sizeof(gid_t));
    current->cred.ngroups = size;
    return 0;
}
