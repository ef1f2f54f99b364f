/* SPDX-License-Identifier: MIT */
/*
 * clock.c - nanoseconds since boot from the time stamp counter, the date from the CMOS clock.
 *
 * The TSC's frequency is measured once, against the HPET or else the PIT.
 */
#include "cpu.h"
#include "page.h"
#include "printk.h"
#include "timer.h"

static u64 tsc_mult; /* ns per count, 32.32 */
static u64 tsc_base;

u64 clock_mono_ns(void)
{
    return (u64)(((unsigned __int128)(rdtsc() - tsc_base) * tsc_mult) >> 32);
}

void udelay(unsigned us)
{
    u64 end = clock_mono_ns() + us * 1000UL;

    while (clock_mono_ns() < end)
        cpu_relax();
}

/* Counts per 10 ms by channel 2 of the PIT, which needs no interrupt. */
static u64 measure_pit(void)
{
    const unsigned count = 11932; /* 1193182 Hz / 100 */
    u64 t0;

    outb(0x61, (inb(0x61) & ~2) | 1);
    outb(0x43, 0xb0);
    outb(0x42, count & 0xff);
    outb(0x42, count >> 8);
    t0 = rdtsc();
    while (!(inb(0x61) & 0x20))
        ;
    return (rdtsc() - t0) * 100;
}

/* The TSC's rate over one window. Returns how many counts went by while its ends were read: an
 * emulator whose host takes the processor away in between makes them mean nothing. */
static u64 hpet_window(volatile u64 *hpet, u64 period, u64 *hz)
{
    u64 before = rdtsc(), c0 = hpet[30], start = rdtsc(), end, after, ns;

    do {
        end = rdtsc();
        ns = (hpet[30] - c0) * period / 1000000;
        after = rdtsc();
    } while (ns < 10 * NSEC_PER_MSEC);
    *hz = (end + after - before - start) / 2 * NSEC_PER_SEC / ns;
    return start - before + after - end;
}

static u64 measure_hpet(void)
{
    volatile u64 *hpet = ioremap(acpi.hpet, 1024);
    u64 period, best = UINT64_MAX, lost, rate, hz = 0;

    if (!hpet)
        return 0;
    period = hpet[0] >> 32; /* femtoseconds */
    if (!period || period > 100000000)
        return 0;
    hpet[2] |= 1; /* run */
    for (int i = 0; i < 8 && best > 100000; i++) {
        lost = hpet_window(hpet, period, &rate);
        if (lost < best) {
            best = lost;
            hz = rate;
        }
    }
    return hz;
}

void clock_init(void)
{
    u64 hz = acpi.hpet ? measure_hpet() : 0;

    if (!hz)
        hz = measure_pit();
    tsc_mult = ((unsigned __int128)NSEC_PER_SEC << 32) / hz;
    tsc_base = rdtsc();
    printk("clock: tsc at %lu kHz\n", hz / 1000);
}

void clock_event_arm(u64 deadline)
{
    u64 now = clock_mono_ns();

    lapic_timer_arm(deadline > now ? deadline - now : 1);
}

/* --- the CMOS clock -----------------------------------------------------------------------------
 */

#define CMOS_A      10 /* bit 7: being updated */
#define CMOS_B      11 /* bit 2: binary, bit 7: do not update */
#define CMOS_FIELDS 6

static const u8 cmos_regs[CMOS_FIELDS] = {0, 2, 4, 7, 8, 9}; /* s, min, h, day, month, year */

static u8 cmos_read(u8 reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

static void cmos_write(u8 reg, u8 v)
{
    outb(0x70, reg);
    outb(0x71, v);
}

static unsigned from_bcd(unsigned v, bool bcd)
{
    return bcd ? (v & 15) + (v >> 4) * 10 : v;
}

static unsigned to_bcd(unsigned v, bool bcd)
{
    return bcd ? v / 10 << 4 | v % 10 : v;
}

/* Twice the same: no update in between. */
static void cmos_read_stable(u8 raw[CMOS_FIELDS])
{
    bool same;

    do {
        while (cmos_read(CMOS_A) & 0x80)
            cpu_relax();
        for (int i = 0; i < CMOS_FIELDS; i++)
            raw[i] = cmos_read(cmos_regs[i]);
        same = true;
        for (int i = 0; i < CMOS_FIELDS; i++)
            same &= cmos_read(cmos_regs[i]) == raw[i];
    } while (!same);
}

/* Days from 1970 to the first of January in the year 0 that begins in March. */
#define DAYS_TO_1970 719468

u64 rtc_read(void)
{
    u8 raw[CMOS_FIELDS];
    bool bcd = !(cmos_read(CMOS_B) & 4);
    u64 y, m, d, days;

    cmos_read_stable(raw);
    y = 2000 + from_bcd(raw[5], bcd);
    m = from_bcd(raw[4], bcd);
    d = from_bcd(raw[3], bcd);
    if (m <= 2) { /* years beginning in March make leap days come last */
        y--;
        m += 12;
    }
    days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * (m - 3) + 2) / 5 + d - 1 - DAYS_TO_1970;
    return days * 86400 + from_bcd(raw[2] & 0x7f, bcd) * 3600 + from_bcd(raw[1], bcd) * 60 +
           from_bcd(raw[0], bcd);
}

void rtc_write(u64 seconds)
{
    u64 days = seconds / 86400 + DAYS_TO_1970, of_day = seconds % 86400;
    u64 era = days / 146097, doe = days % 146097;
    u64 yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    u64 doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    u64 month = mp < 10 ? mp + 3 : mp - 9, year = yoe + era * 400 + (month <= 2);
    unsigned v[CMOS_FIELDS] = {of_day % 60,   of_day / 60 % 60,
                               of_day / 3600, doy - (153 * mp + 2) / 5 + 1,
                               month,         year % 100};
    u8 b = cmos_read(CMOS_B);

    cmos_write(CMOS_B, b | 0x80);
    for (int i = 0; i < CMOS_FIELDS; i++)
        cmos_write(cmos_regs[i], to_bcd(v[i], !(b & 4)));
    cmos_write(CMOS_B, b);
}
