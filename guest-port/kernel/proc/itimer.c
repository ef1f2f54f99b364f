/* SPDX-License-Identifier: MIT */
/*
 * itimer.c - interval timers, sleeping, clocks: the system calls about time.
 *
 * ITIMER_REAL is a kernel timer per process. The virtual and profiling timers count down when the
 * scheduler charges time to the process's threads.
 */
#include "errno.h"
#include "irq.h"
#include "mm.h"
#include "proc_internal.h"
#include "string.h"
#include "uaccess.h"

#define MIN_PERIOD 20000UL /* ns */

struct itimerval {
    struct timeval interval, value;
};

struct timezone {
    s32 west, dst;
};

static void real_fired(struct timer *t)
{
    struct itimer *it = container_of(t, struct itimer, timer);

    /* Periods that are over already are skipped: the interrupt must come to an end. */
    if (it->interval) {
        u64 now = clock_mono_ns(), next = t->expires + it->interval;

        timer_set(t, next > now + MIN_PERIOD ? next : now + MAX(it->interval, MIN_PERIOD));
    }
    signal_proc(it->proc, SIGALRM, NULL);
}

void itimer_init(struct proc *p)
{
    timer_init(&p->real_timer.timer, real_fired);
}

static void count_down(struct proc *p, u64 *left, u64 interval, u64 ns, int sig)
{
    if (!*left)
        return;
    if (*left > ns) {
        *left -= ns;
        return;
    }
    *left = interval;
    signal_proc(p, sig, NULL);
}

void itimer_charge(struct thread *t, u64 ns, bool user)
{
    struct proc *p = t->proc;
    u64 limit = p->rlim[RLIMIT_CPU].cur;

    if (user)
        count_down(p, &p->virt_timer, p->virt_interval, ns, SIGVTALRM);
    count_down(p, &p->prof_timer, p->prof_interval, ns, SIGPROF);
    if (limit != RLIM_INFINITY && limit < 1UL << 32 &&
        p->utime + p->stime + t->utime + t->stime > limit * NSEC_PER_SEC)
        signal_proc(p, limit >= p->rlim[RLIMIT_CPU].max ? SIGKILL : SIGXCPU, NULL);
}

static u64 tv_ns(struct timeval v)
{
    return (u64)v.tv_sec * NSEC_PER_SEC + (u64)v.tv_usec * 1000;
}

static struct timeval ns_tv(u64 ns)
{
    return (struct timeval){(s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC / 1000)};
}

static void itimer_read(int which, struct itimerval *v)
{
    struct proc *p = current->proc;
    struct timer *t = &p->real_timer.timer;

    if (which == 0) {
        u64 now = clock_mono_ns();

        v->interval = ns_tv(p->real_timer.interval);
        v->value = ns_tv(!t->armed ? 0 : t->expires > now ? t->expires - now : 1000);
    } else {
        v->interval = ns_tv(which == 1 ? p->virt_interval : p->prof_interval);
        v->value = ns_tv(which == 1 ? p->virt_timer : p->prof_timer);
    }
}

static void itimer_write(int which, u64 value, u64 interval)
{
    struct proc *p = current->proc;

    if (which == 0) {
        timer_cancel(&p->real_timer.timer);
        p->real_timer.interval = interval;
        if (value)
            timer_set(&p->real_timer.timer, clock_mono_ns() + value);
    } else if (which == 1) {
        p->virt_timer = value;
        p->virt_interval = interval;
    } else {
        p->prof_timer = value;
        p->prof_interval = interval;
    }
}

static bool tv_bad(struct timeval v)
{
    return v.tv_sec < 0 || v.tv_usec < 0 || v.tv_usec >= 1000000 || v.tv_sec > (1L << 32);
}

long sys_setitimer(int which, const struct itimerval __user *new, struct itimerval __user *old)
{
    struct itimerval n = {{0, 0}, {0, 0}}, o;

    if (which < 0 || which > 2)
        return -EINVAL;
    if (new &&copy_from_user(&n, new, sizeof(n)))
        return -EFAULT;
    if (tv_bad(n.value) || tv_bad(n.interval))
        return -EINVAL;
    itimer_read(which, &o);
    itimer_write(which, tv_ns(n.value), tv_ns(n.interval));
    return old ? copy_to_user(old, &o, sizeof(o)) : 0;
}

long sys_getitimer(int which, struct itimerval __user *out)
{
    struct itimerval v;

    if (which < 0 || which > 2)
        return -EINVAL;
    itimer_read(which, &v);
    return copy_to_user(out, &v, sizeof(v));
}

long sys_alarm(u32 seconds)
{
    struct itimerval o;

    itimer_read(0, &o);
    itimer_write(0, seconds * NSEC_PER_SEC, 0);
    return o.value.tv_sec + (o.value.tv_usec >= 500000 || (!o.value.tv_sec && o.value.tv_usec));
}

/* --- clocks ----------------------------------------------------------------------------------- */

static int clock_read(int id, u64 *ns)
{
    struct proc *p = current->proc;
    struct thread *t;

    switch (id) {
    case 0: /* REALTIME and its coarse form */
    case 5:
        *ns = clock_real_ns();
        return 0;
    case 1: /* MONOTONIC, _RAW, _COARSE, BOOTTIME */
    case 4:
    case 6:
    case 7:
        *ns = clock_mono_ns();
        return 0;
    case 2: /* PROCESS_CPUTIME */
        *ns = p->utime + p->stime + clock_mono_ns() - current->started;
        list_for_each (t, &p->threads, proc_link)
            *ns += t->utime + t->stime;
        return 0;
    case 3: /* THREAD_CPUTIME */
        *ns = current->utime + current->stime + clock_mono_ns() - current->started;
        return 0;
    }
    return -EINVAL;
}

long sys_clock_gettime(int id, struct timespec __user *out)
{
    struct timespec ts;
    u64 ns;

    if (clock_read(id, &ns))
        return -EINVAL;
    ts = ns_timespec(ns);
    return copy_to_user(out, &ts, sizeof(ts));
}

long sys_clock_getres(int id, struct timespec __user *out)
{
    struct timespec ts = {0, 1};
    u64 ns;

    if (clock_read(id, &ns))
        return -EINVAL;
    return out ? copy_to_user(out, &ts, sizeof(ts)) : 0;
}

static int ts_check(struct timespec ts)
{
    return ts.tv_sec < 0 || ts.tv_nsec < 0 || (u64)ts.tv_nsec >= NSEC_PER_SEC ? -EINVAL : 0;
}

long sys_clock_settime(int id, const struct timespec __user *in)
{
    struct timespec ts;

    if (id != 0)
        return -EINVAL;
    if (copy_from_user(&ts, in, sizeof(ts)))
        return -EFAULT;
    if (ts_check(ts))
        return -EINVAL;
    if (!capable())
        return -EPERM;
    clock_set_real(timespec_ns(ts));
    return 0;
}

long sys_gettimeofday(struct timeval __user *tv, struct timezone __user *tz)
{
    struct timeval v = ns_tv(clock_real_ns());
    struct timezone z = {0, 0};

    if (tv && copy_to_user(tv, &v, sizeof(v)))
        return -EFAULT;
    return tz ? copy_to_user(tz, &z, sizeof(z)) : 0;
}

long sys_settimeofday(const struct timeval __user *tv, const struct timezone __user *tz)
{
    struct timeval v;

    if (!capable())
        return -EPERM;
    if (!tv)
        return 0;
    if (copy_from_user(&v, tv, sizeof(v)))
        return -EFAULT;
    if (tv_bad(v))
        return -EINVAL;
    clock_set_real(tv_ns(v));
    return 0;
}

long sys_time(s64 __user *out)
{
    s64 t = now_sec();

    return out && put_user(t, out) ? -EFAULT : t;
}

/* --- sleeping --------------------------------------------------------------------------------- */

static long do_sleep(u64 deadline, struct timespec __user *rem)
{
    int r = sleep_until(deadline);
    u64 now = clock_mono_ns();

    if (r != -ERESTARTSYS)
        return r;
    if (rem) {
        struct timespec left = ns_timespec(deadline > now ? deadline - now : 0);

        if (copy_to_user(rem, &left, sizeof(left)))
            return -EFAULT;
    }
    return -EINTR;
}

long sys_nanosleep(const struct timespec __user *req, struct timespec __user *rem)
{
    struct timespec ts;

    if (copy_from_user(&ts, req, sizeof(ts)))
        return -EFAULT;
    if (ts_check(ts))
        return -EINVAL;
    return do_sleep(clock_mono_ns() + timespec_ns(ts), rem);
}

long sys_clock_nanosleep(int id, int flags, const struct timespec __user *req,
                         struct timespec __user *rem)
{
    struct timespec ts;
    u64 now, ns;

    if (id == 3 || clock_read(id, &now))
        return -EINVAL;
    if (copy_from_user(&ts, req, sizeof(ts)))
        return -EFAULT;
    if (ts_check(ts))
        return -EINVAL;
    ns = timespec_ns(ts);
    if (!(flags & 1))
        return do_sleep(clock_mono_ns() + ns, rem);
    if (ns <= now)
        return 0;
    return do_sleep(clock_mono_ns() + ns - now, NULL);
}
