/* SPDX-License-Identifier: MIT */
/*
 * adjtimex.c - adjtimex(2): tells that the clock runs at its nominal rate and follows no other
 * clock.
 *
 * There is no clock discipline: changing the rate is -EINVAL, so that no program believes it has
 * done what it has not.
 */
#include "errno.h"
#include "proc.h"
#include "uaccess.h"

#define STA_UNSYNC 0x40
#define TIME_ERROR 5

struct timex {
    u32 modes, pad0;
    s64 offset, freq, maxerror, esterror;
    s32 status, pad1;
    s64 constant, precision, tolerance;
    struct timeval time;
    s64 tick, ppsfreq, jitter;
    s32 shift, pad2;
    s64 stabil, jitcnt, calcnt, errcnt, stbcnt;
    s32 tai, pad3[11];
};
_Static_assert(sizeof(struct timex) == 208, "struct timex");

long sys_adjtimex(struct timex __user *arg)
{
    struct timex t;
    u64 now = clock_real_ns();

    if (copy_from_user(&t.modes, &arg->modes, sizeof(t.modes)))
        return -EFAULT;
    if (t.modes)
        return capable() ? -EINVAL : -EPERM;
    t = (struct timex){.maxerror = 16000000,
                       .esterror = 16000000,
                       .status = STA_UNSYNC,
                       .constant = 2,
                       .precision = 1,
                       .tolerance = 500 << 16,
                       .time = {(s64)(now / NSEC_PER_SEC), (s64)(now % NSEC_PER_SEC / 1000)},
                       .tick = 10000};
    return copy_to_user(arg, &t, sizeof(t)) ? -EFAULT : TIME_ERROR;
}

long sys_clock_adjtime(int id, struct timex __user *arg)
{
    return id == 0 ? sys_adjtimex(arg) : -EINVAL;
}
