/* SPDX-License-Identifier: MIT
 *
 * time.c - the TSC as system time, the local APIC's timer as the one alarm, the RTC as wall clock.
 *
 * Both counters are calibrated in one window of CALIBRATE_NS against the HPET, or the PIT where
 * there is no HPET. An alarm that comes too early (calibration, or a deadline further away than
 * the timer can count) is set again here; the core never sees it.
 */
#include "x86.h"
#include "../core/platform.h"

enum { CALIBRATE_NS = 1000000 };
enum {
    LAPIC_LVT_TIMER = 0x320,
    LAPIC_INITIAL = 0x380,
    LAPIC_CURRENT = 0x390,
    LAPIC_DIVIDE = 0x3e0
};
enum { HPET_PERIOD = 4, HPET_CONFIG = 0x10, HPET_COUNTER = 0xf0 };
enum { PIT_HZ = 1193182 };

static uint64_t timer_deadline = UINT64_MAX;
static uint64_t ticks_per_ns_32; /* LAPIC timer ticks per ns, times 2^32 */

uint64_t plat_tsc(void)
{
    return rdtsc();
}

uint64_t plat_now(void)
{
    return time_of_tsc(rdtsc());
}

static void timer_start(uint32_t ticks)
{
    lapic[LAPIC_INITIAL / 4] = ticks;
}

/* One shot from now on: at least one tick, at most what the register holds. */
static void timer_set(uint64_t now)
{
    uint64_t ns = timer_deadline > now ? timer_deadline - now : 0;
    uint64_t ticks = ns < 1ul << 31 ? (ns * ticks_per_ns_32 >> 32) + 1 : UINT32_MAX;

    timer_start(ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX);
}

void plat_timer_arm(uint64_t deadline)
{
    if (deadline == timer_deadline)
        return;
    timer_deadline = deadline;
    if (deadline == UINT64_MAX)
        timer_start(0);
    else
        timer_set(plat_now());
}

void timer_interrupt(void)
{
    uint64_t now;

    if (timer_deadline == UINT64_MAX)
        return;
    now = plat_now();
    if (now < timer_deadline) {
        timer_set(now);
        return;
    }
    timer_deadline = UINT64_MAX;
    hv.cpu[0].work |= CPU_WORK_TIMER;
}

/* -- calibration --------------------------------------------------------- */

static volatile uint32_t *hpet;

static void pit_start(void)
{
    outb(0x61, (inb(0x61) & ~2) | 1); /* channel 2: gate on, speaker off */
    outb(0x43, 0xb0);                 /* channel 2, both bytes, one shot */
    outb(0x42, 0xff);
    outb(0x42, 0xff);
}

static uint32_t pit_elapsed(void)
{
    uint8_t lo;

    outb(0x43, 0x80);
    lo = inb(0x42);
    return 0xffff - (lo | (uint32_t)inb(0x42) << 8);
}

static uint64_t reference_ns(uint32_t from)
{
    if (hpet)
        return (uint64_t)(hpet[HPET_COUNTER / 4] - from) * hpet[HPET_PERIOD / 4] / 1000000;
    return (uint64_t)pit_elapsed() * 1000000000 / PIT_HZ;
}

/* Both counters over one window. Returns how much of it, in TSC cycles, went by while they were
 * read: a host that takes the processor away in between makes the window's ends mean nothing. */
static uint64_t window(uint64_t *ns, uint64_t *cycles, uint32_t *ticks)
{
    uint64_t before = rdtsc(), start, end;
    uint32_t from = 0;

    if (acpi_hpet)
        from = hpet[HPET_COUNTER / 4];
    else
        pit_start();
    timer_start(UINT32_MAX);
    start = rdtsc();
    do {
        end = rdtsc();
        *ns = reference_ns(from);
    } while (*ns < CALIBRATE_NS && end - start < 100ul * 5 * CALIBRATE_NS);
    *ticks = UINT32_MAX - lapic[LAPIC_CURRENT / 4];
    *cycles = end - start;
    return (start - before) + (rdtsc() - end);
}

static void calibrate(void)
{
    uint64_t ns = 0, cycles = 0, least = UINT64_MAX;
    uint32_t ticks = 0;

    if (acpi_hpet) {
        hpet = mmio_map(acpi_hpet, 1024);
        hpet[HPET_CONFIG / 4] |= 1;
    }
    for (unsigned tries = 0; tries < 50 && least > cycles / 50; tries++) {
        uint64_t n, c, lost;
        uint32_t t;

        lost = window(&n, &c, &t);
        if (n < CALIBRATE_NS)
            hv_panic("neither HPET nor PIT counts: the TSC cannot be calibrated");
        if (lost < least)
            ns = n, cycles = c, ticks = t, least = lost;
    }
    timer_start(0);
    ticks_per_ns_32 = ((uint64_t)ticks << 32) / ns;
    time_set_scale(cycles * 1000000 / ns);
}

/* -- the wall clock --------------------------------------------------------- */

static unsigned cmos(unsigned reg)
{
    outb(0x70, (uint8_t)reg);
    return inb(0x71);
}

static unsigned rtc_field(unsigned reg, bool binary)
{
    unsigned v = cmos(reg);

    return binary ? v : (v >> 4) * 10 + (v & 15);
}

static uint64_t rtc_seconds(void)
{
    bool binary;
    unsigned year, month, day, hour, minute, second;
    uint64_t days;

    while (cmos(10) & 0x80)
        cpu_relax();
    binary = cmos(11) & 4;
    do {
        second = rtc_field(0, binary);
        minute = rtc_field(2, binary);
        hour = cmos(4);
        if (hour & 0x80) /* 12 hours, afternoon */
            hour = ((binary ? hour & 0x7f : (hour >> 4 & 7) * 10 + (hour & 15)) % 12) + 12;
        else
            hour = binary ? hour : (hour >> 4) * 10 + (hour & 15);
        day = rtc_field(7, binary);
        month = rtc_field(8, binary);
        year = 2000 + rtc_field(9, binary);
    } while (second != rtc_field(0, binary));
    /* Days since 1970-01-01; years are counted from March, so that the leap day is the last. */
    year -= month <= 2;
    month = (month + 9) % 12;
    days = 365ul * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    return (days - 719468) * 86400 + hour * 3600 + minute * 60 + second;
}

void time_init(void)
{
    hv.tsc_base = rdtsc();
    lapic[LAPIC_DIVIDE / 4] = 0xb; /* by 1 */
    lapic[LAPIC_LVT_TIMER / 4] = VECTOR_TIMER;
    calibrate();
    hv.wall_ns = rtc_seconds() * 1000000000 - plat_now();
}
