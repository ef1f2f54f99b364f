/* SPDX-License-Identifier: MIT */
/*
 * rtc.c - /dev/rtc, the battery clock as a device: it can be read and set. The chip
 * itself is touched by arch/clock.c only; it knows years from 2000 to 2099.
 */
#include "arch.h"
#include "errno.h"
#include "fs.h"
#include "initcall.h"
#include "proc.h"
#include "uaccess.h"

#define MAJOR_MISC   10
#define RTC_MINOR    135
#define RTC_RD_TIME  0x80247009
#define RTC_SET_TIME 0x4024700a

struct rtc_time {
    s32 sec, min, hour, mday, mon, year, wday, yday, isdst;
};
_Static_assert(sizeof(struct rtc_time) == 36, "struct rtc_time");

/* Days before 1 March of year y, counted from 1 March of year 0: leap days come last. */
static s64 days_before(s64 y)
{
    return y * 365 + y / 4 - y / 100 + y / 400;
}

static s64 days_of(s64 year, s64 mon, s64 mday) /* since 1970; mon from 0 */
{
    s64 y = mon < 2 ? year - 1 : year, m = mon < 2 ? mon + 10 : mon - 2;

    return days_before(y) + (m * 306 + 5) / 10 + mday - 1 - 719468;
}

static struct rtc_time to_time(u64 seconds)
{
    s64 days = (s64)(seconds / 86400), left = (s64)(seconds % 86400), year = 1970, mon = 0;

    while (days_of(year + 1, 0, 1) <= days)
        year++;
    while (mon < 11 && days_of(year, mon + 1, 1) <= days)
        mon++;
    return (struct rtc_time){.sec = (s32)(left % 60),
                             .min = (s32)(left / 60 % 60),
                             .hour = (s32)(left / 3600),
                             .mday = (s32)(days - days_of(year, mon, 1) + 1),
                             .mon = (s32)mon,
                             .year = (s32)(year - 1900),
                             .wday = (s32)((days + 4) % 7),
                             .yday = (s32)(days - days_of(year, 0, 1))};
}

static long set_time(const struct rtc_time *t)
{
    if (!capable())
        return -EACCES;
    if (t->year < 100 || t->year > 199 || t->mon < 0 || t->mon > 11 || t->mday < 1 ||
        t->mday > 31 || t->hour < 0 || t->hour > 23 || t->min < 0 || t->min > 59 || t->sec < 0 ||
        t->sec > 59)
        return -EINVAL;
    s64 days = days_of(t->year + 1900, t->mon, t->mday);
    rtc_write((u64)(days * 86400 + t->hour * 3600 + t->min * 60 + t->sec));
    return 0;
}

static long rtc_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
    struct rtc_time t;

    switch (cmd) {
    case RTC_RD_TIME:
        t = to_time(rtc_read());
        return copy_to_user((void __user *)arg, &t, sizeof(t));
    case RTC_SET_TIME:
        if (copy_from_user(&t, (void __user *)arg, sizeof(t)))
            return -EFAULT;
        return set_time(&t);
    }
    return -ENOTTY;
}

static ssize_t rtc_no_read(struct file *f, struct uio *u, s64 *pos)
{
    return -EINVAL; /* alarms are not supported */
}

static const struct file_ops rtc_fops = {.ioctl = rtc_ioctl, .read = rtc_no_read};

static int rtc_init(void)
{
    int r = chrdev_register(MAJOR_MISC, RTC_MINOR, 1, "rtc", &rtc_fops);

    devfs_add("rtc", S_IFCHR | 0600, MKDEV(MAJOR_MISC, RTC_MINOR));
    return r;
}
fs_initcall(rtc_init);
