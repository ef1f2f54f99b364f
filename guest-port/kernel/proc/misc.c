/* SPDX-License-Identifier: MIT */
/* misc.c - system calls about limits, usage, priorities, the system's name and its end. */
#include "errno.h"
#include "fs.h"
#include "mm.h"
#include "printk.h"
#include "proc_internal.h"
#include "slab.h"
#include "string.h"
#include "uaccess.h"

/* --- names ------------------------------------------------------------------------------------ */

long sys_uname(struct utsname __user *out)
{
    return copy_to_user(out, &system_name, sizeof(system_name));
}

static long set_name(char *field, const char __user *name, int len)
{
    char tmp[65] = {0};

    if (!capable())
        return -EPERM;
    if (len < 0 || len > 64)
        return -EINVAL;
    if (copy_from_user(tmp, name, len))
        return -EFAULT;
    memcpy(field, tmp, sizeof(tmp));
    return 0;
}

long sys_sethostname(const char __user *name, int len)
{
    return set_name(system_name.nodename, name, len);
}

long sys_setdomainname(const char __user *name, int len)
{
    return set_name(system_name.domainname, name, len);
}

/* --- limits and usage ------------------------------------------------------------------------- */

long sys_prlimit64(pid_t pid, int which, const struct rlimit __user *new, struct rlimit __user *old)
{
    struct proc *p = pid ? proc_find(pid) : current->proc;
    struct rlimit n, *slot;

    if (which < 0 || which >= RLIM_NLIMITS)
        return -EINVAL;
    if (!p || p->zombie)
        return -ESRCH;
    if (p != current->proc && !capable() && p->leader->cred.uid != current->cred.uid)
        return -EPERM;
    slot = &p->rlim[which];
    if (new) {
        if (copy_from_user(&n, new, sizeof(n)))
            return -EFAULT;
        if (n.cur > n.max)
            return -EINVAL;
        if (n.max > slot->max && !capable())
            return -EPERM;
        if (which == RLIMIT_NOFILE && n.max > 65536)
            return -EPERM;
    }
    if (old && copy_to_user(old, slot, sizeof(*slot)))
        return -EFAULT;
    if (new)
        *slot = n;
    return 0;
}

long sys_getrlimit(int which, struct rlimit __user *out)
{
    return sys_prlimit64(0, which, NULL, out);
}

long sys_setrlimit(int which, const struct rlimit __user *in)
{
    return sys_prlimit64(0, which, in, NULL);
}

static struct timeval ns_tv(u64 ns)
{
    return (struct timeval){(s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC / 1000)};
}

static void self_times(u64 *u, u64 *s)
{
    struct proc *p = current->proc;
    struct thread *t;

    *u = p->utime;
    *s = p->stime + clock_mono_ns() - current->started;
    list_for_each (t, &p->threads, proc_link) {
        *u += t->utime;
        *s += t->stime;
    }
}

long sys_getrusage(int who, struct rusage __user *out)
{
    struct proc *p = current->proc;
    struct rusage ru;
    u64 u, s;

    memset(&ru, 0, sizeof(ru));
    if (who == 0 || who == 1) {
        self_times(&u, &s);
        ru.ru_minflt = (s64)p->mm->min_flt;
        ru.ru_majflt = (s64)p->mm->maj_flt;
        ru.ru_maxrss = (s64)p->mm->rss * 4;
        ru.ru_nvcsw = (s64)current->nvcsw;
        ru.ru_nivcsw = (s64)current->nivcsw;
    } else if (who == -1) {
        u = p->cutime;
        s = p->cstime;
        ru.ru_minflt = (s64)p->cmin_flt;
        ru.ru_majflt = (s64)p->cmaj_flt;
    } else {
        return -EINVAL;
    }
    ru.ru_utime = ns_tv(u);
    ru.ru_stime = ns_tv(s);
    return copy_to_user(out, &ru, sizeof(ru));
}

long sys_times(s64 __user *out)
{
    const u64 tick = 10 * NSEC_PER_MSEC;
    struct proc *p = current->proc;
    u64 u, s;
    s64 v[4];

    self_times(&u, &s);
    v[0] = (s64)(u / tick);
    v[1] = (s64)(s / tick);
    v[2] = (s64)(p->cutime / tick);
    v[3] = (s64)(p->cstime / tick);
    if (out && copy_to_user(out, v, sizeof(v)))
        return -EFAULT;
    return (long)(clock_mono_ns() / tick);
}

struct sysinfo_user {
    s64 uptime;
    u64 loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
    u16 procs, pad;
    u64 totalhigh, freehigh;
    u32 unit;
};

long sys_sysinfo(struct sysinfo_user __user *out)
{
    struct sysinfo_user si;
    struct mem_stats ms;

    memset(&si, 0, sizeof(si));
    mem_stats_get(&ms);
    si.uptime = (s64)(clock_mono_ns() / NSEC_PER_SEC);
    for (int i = 0; i < 3; i++)
        si.loads[i] = load_avg(i) << 5;
    si.totalram = ms.total << PAGE_SHIFT;
    si.freeram = ms.free << PAGE_SHIFT;
    si.bufferram = ms.buffers << PAGE_SHIFT;
    si.totalswap = ms.swap_total << PAGE_SHIFT;
    si.freeswap = ms.swap_free << PAGE_SHIFT;
    si.procs = (u16)proc_count();
    si.unit = 1;
    return copy_to_user(out, &si, sizeof(si));
}

/* --- priorities ------------------------------------------------------------------------------- */

static bool prio_selects(int which, int who, struct proc *p)
{
    if (p->zombie || !p->leader)
        return false;
    if (which == 0)
        return p->pid == (who ? who : current->proc->pid);
    if (which == 1)
        return p->pgid == (who ? who : current->proc->pgid);
    return p->leader->cred.uid == (who ? (uid_t)who : current->cred.uid);
}

long sys_getpriority(int which, int who)
{
    struct proc *p;
    long best = 0;

    if (which < 0 || which > 2)
        return -EINVAL;
    list_for_each (p, &all_procs, all_link)
        if (prio_selects(which, who, p) && 20 - p->leader->nice > best)
            best = 20 - p->leader->nice;
    return best ? best : -ESRCH;
}

static int set_proc_nice(struct proc *p, int nice)
{
    struct thread *t;
    struct cred *c = &current->cred;

    if (!capable() && c->euid != p->leader->cred.uid && c->euid != p->leader->cred.euid)
        return -EPERM;
    if (nice < p->leader->nice && !capable())
        return -EACCES;
    list_for_each (t, &p->threads, proc_link)
        sched_set_nice(t, nice);
    return 0;
}

long sys_setpriority(int which, int who, int nice)
{
    struct proc *p;
    int r = -ESRCH;

    if (which < 0 || which > 2)
        return -EINVAL;
    nice = nice < -20 ? -20 : nice > 19 ? 19 : nice;
    list_for_each (p, &all_procs, all_link)
        if (prio_selects(which, who, p)) {
            int e = set_proc_nice(p, nice);

            if (r == -ESRCH || e)
                r = e;
        }
    return r;
}

/* One policy only: SCHED_OTHER. */
long sys_sched_getscheduler(pid_t pid)
{
    return !pid || thread_find(pid) ? 0 : -ESRCH;
}

long sys_sched_setscheduler(pid_t pid, int policy, const u32 __user *param)
{
    u32 v;

    if (pid && !thread_find(pid))
        return -ESRCH;
    if (get_user(v, param))
        return -EFAULT;
    return policy == 0 && v == 0 ? 0 : capable() ? -EINVAL : -EPERM;
}

long sys_sched_getparam(pid_t pid, u32 __user *param)
{
    if (pid && !thread_find(pid))
        return -ESRCH;
    return put_user(0u, param);
}

long sys_sched_setparam(pid_t pid, const u32 __user *param)
{
    return sys_sched_setscheduler(pid, 0, param);
}

long sys_sched_get_priority_max(int policy)
{
    return policy == 0 || policy == 3 ? 0 : policy == 1 || policy == 2 ? 99 : -EINVAL;
}

long sys_sched_get_priority_min(int policy)
{
    return policy == 0 || policy == 3 ? 0 : policy == 1 || policy == 2 ? 1 : -EINVAL;
}

long sys_sched_getaffinity(pid_t pid, size_t len, u64 __user *mask)
{
    if (pid && !thread_find(pid))
        return -ESRCH;
    if (len < 8 || len & 7)
        return -EINVAL;
    return put_user(1UL, mask) ? -EFAULT : 8;
}

long sys_sched_setaffinity(pid_t pid, size_t len, const u64 __user *mask)
{
    u64 m = 0;

    if (pid && !thread_find(pid))
        return -ESRCH;
    if (copy_from_user(&m, mask, MIN(len, sizeof(m))))
        return -EFAULT;
    return m & 1 ? 0 : -EINVAL;
}

long sys_sched_rr_get_interval(pid_t pid, struct timespec __user *out)
{
    struct timespec ts = {0, 50 * NSEC_PER_MSEC};

    return copy_to_user(out, &ts, sizeof(ts));
}

long sys_getcpu(u32 __user *cpu, u32 __user *node)
{
    if ((cpu && put_user(0u, cpu)) || (node && put_user(0u, node)))
        return -EFAULT;
    return 0;
}

/* --- prctl, personality ----------------------------------------------------------------------- */

#define PR_SET_NAME            15
#define PR_GET_NAME            16
#define PR_GET_DUMPABLE        3
#define PR_SET_DUMPABLE        4
#define PR_SET_CHILD_SUBREAPER 36
#define PR_GET_CHILD_SUBREAPER 37

long sys_prctl(int op, u64 a)
{
    char name[16] = {0};

    switch (op) {
    case PR_SET_NAME:
        if (strncpy_from_user(name, (const char __user *)a, 15) == -EFAULT)
            return -EFAULT;
        name[15] = 0;
        memcpy(current->comm, name, sizeof(name));
        return 0;
    case PR_GET_NAME:
        return copy_to_user((void __user *)a, current->comm, 16);
    case PR_GET_DUMPABLE:
        return 1;
    case PR_SET_DUMPABLE:
        return 0;
    case PR_SET_CHILD_SUBREAPER:
        current->proc->child_subreaper = a != 0;
        return 0;
    case PR_GET_CHILD_SUBREAPER:
        return put_user((int)current->proc->child_subreaper, (int __user *)a);
    }
    return -EINVAL;
}

long sys_personality(u32 p)
{
    return p == 0 || p == 0xffffffff ? 0 : -EINVAL;
}

/* --- randomness, messages, the end ------------------------------------------------------------ */

long sys_getrandom(void __user *buf, size_t n, u32 flags)
{
    u8 tmp[256];
    size_t done = 0;

    if (flags & ~7u)
        return -EINVAL;
    n = MIN(n, (size_t)1 << 25);
    while (done < n) {
        size_t k = MIN(n - done, sizeof(tmp));

        random_bytes(tmp, k);
        if (copy_to_user((u8 __user *)buf + done, tmp, k))
            return done ? (long)done : -EFAULT;
        done += k;
        if (resched_point() || signal_pending())
            break;
    }
    return (long)done;
}

extern bool printk_quiet;

long sys_syslog(int op, char __user *buf, int len)
{
    char *tmp;
    long n;

    switch (op) {
    case 0:
    case 1:
        return 0;
    case 3:
    case 4: /* the last len bytes */
        if (!buf || len < 0)
            return -EINVAL;
        len = MIN(len, 16384);
        tmp = kmalloc(len + 1, GFP_KERNEL);
        if (!tmp)
            return -ENOMEM;
        n = (long)printk_tail(tmp, len);
        if (copy_to_user(buf, tmp, n))
            n = -EFAULT;
        kfree(tmp);
        return n;
    case 6:
    case 7:
    case 8:
        if (!capable())
            return -EPERM;
        if (op == 8 && (len < 1 || len > 8))
            return -EINVAL;
        printk_quiet = op == 6 || (op == 8 && len < 5);
        return 0;
    case 2:
    case 5:
    case 9:
        return 0;
    case 10:
        return 16384;
    }
    return -EINVAL;
}

#define REBOOT_MAGIC1  0xfee1dead
#define REBOOT_RESTART 0x01234567u
#define REBOOT_HALT    0xcdef0123u
#define REBOOT_OFF     0x4321fedcu
#define REBOOT_CAD_ON  0x89abcdefu
#define REBOOT_CAD_OFF 0u

long sys_reboot(u32 magic, u32 magic2, u32 cmd)
{
    if (!capable())
        return -EPERM;
    if (magic != REBOOT_MAGIC1)
        return -EINVAL;
    switch (cmd) {
    case REBOOT_CAD_ON:
    case REBOOT_CAD_OFF:
        return 0;
    case REBOOT_RESTART:
    case REBOOT_HALT:
    case REBOOT_OFF:
        vfs_sync_all(true);
        if (cmd == REBOOT_RESTART)
            machine_reboot();
        if (cmd == REBOOT_OFF)
            machine_poweroff();
        machine_halt();
    }
    return -EINVAL;
}
