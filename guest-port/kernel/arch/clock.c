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

static u64 measure_hpet(void)
{
    volatile u64 *hpet = ioremap(acpi.hpet, 1024);
    u64 period, t0, c0, t1, c1, ns;

    if (!hpet)
        return 0;
    period = hpet[0] >> 32; /* femtoseconds */
    if (!period || period > 100000000)
        return 0;
    hpet[2] |= 1; /* run */
    c0 = hpet[30];
    t0 = rdtsc();
    do {
        c1 = hpet[30];
        ns = (c1 - c0) * period / 1000000;
    } while (ns < 10 * NSEC_PER_MSEC);
    t1 = rdtsc();
    return (t1 - t0) * NSEC_PER_SEC / ns;
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

static u8 cmos(u8 reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

static unsigned from_bcd(unsigned v, bool bcd)
{
    return bcd ? (v & 15) + (v >> 4) * 10 : v;
}

u64 rtc_read(void)
{
    u8 raw[6], again[6];
    static const u8 regs[6] = {0, 2, 4, 7, 8, 9};
    bool bcd, same;
    u64 y, m, d, days;

    do { /* two equal readings: no update in between */
        while (cmos(10) & 0x80)
            cpu_relax();
        for (int i = 0; i < 6; i++)
            raw[i] = cmos(regs[i]);
        same = true;
        for (int i = 0; i < 6; i++) {
            again[i] = cmos(regs[i]);
            same &= again[i] == raw[i];
        }
    } while (!same);
    bcd = !(cmos(11) & 4);
    y = 2000 + from_bcd(raw[5], bcd);
    m = from_bcd(raw[4], bcd);
    d = from_bcd(raw[3], bcd);
    if (m <= 2) { /* years beginning in March make leap days come last */
        y--;
        m += 12;
    }
    days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * (m - 3) + 2) / 5 + d - 1 - 719468;
    return days * 86400 + from_bcd(raw[2] & 0x7f, bcd) * 3600 + from_bcd(raw[1], bcd) * 60 +
           from_bcd(raw[0], bcd);
}
