/* SPDX-License-Identifier: MIT */
/*
 * apic.c - local APIC (end of interrupt, timer) and I/O APIC (routes of ISA interrupts).
 *
 * The old 8259 pair is masked for good. The local timer runs one-shot; its frequency is measured
 * against the clock (arch/clock.c).
 */
#include "cpu.h"
#include "page.h"
#include "printk.h"
#include "timer.h"

#define LAPIC_ID      0x20
#define LAPIC_TPR     0x80
#define LAPIC_EOI     0xb0
#define LAPIC_SVR     0xf0
#define LAPIC_TIMER   0x320
#define LAPIC_LINT0   0x350
#define LAPIC_LINT1   0x360
#define LAPIC_ERROR   0x370
#define LAPIC_INITIAL 0x380
#define LAPIC_CURRENT 0x390
#define LAPIC_DIVIDE  0x3e0
#define LVT_MASKED    0x10000u

static volatile u32 *lapic, *ioapic;
static u64 timer_mult; /* timer counts per ns, 32.32 fixed point */

static u32 lapic_read(unsigned reg)
{
    return lapic[reg / 4];
}

static void lapic_write(unsigned reg, u32 v)
{
    lapic[reg / 4] = v;
}

static u32 ioapic_read(unsigned reg)
{
    ioapic[0] = reg;
    return ioapic[4];
}

static void ioapic_write(unsigned reg, u32 v)
{
    ioapic[0] = reg;
    ioapic[4] = v;
}

void lapic_eoi(void)
{
    lapic_write(LAPIC_EOI, 0);
}

void lapic_timer_arm(u64 ns)
{
    u64 counts = (u64)(((unsigned __int128)ns * timer_mult) >> 32);

    lapic_write(LAPIC_INITIAL, counts < 1 ? 1 : counts > 0xffffffff ? 0xffffffff : (u32)counts);
}

static void pic_disable(void)
{
    outb(0x20, 0x11);
    outb(0xa0, 0x11);
    outb(0x21, 0xf0);
    outb(0xa1, 0xf8);
    outb(0x21, 4);
    outb(0xa1, 2);
    outb(0x21, 1);
    outb(0xa1, 1);
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
}

int ioapic_route(unsigned gsi, unsigned vector, bool level, bool low)
{
    unsigned max = ioapic_read(1) >> 16 & 0xff;

    if (gsi > max)
        return -22;
    ioapic_write(0x10 + gsi * 2 + 1, lapic_read(LAPIC_ID) & 0xff000000);
    ioapic_write(0x10 + gsi * 2, vector | (low ? 1u << 13 : 0) | (level ? 1u << 15 : 0));
    return 0;
}

/* The timer's rate over one window. Returns how many ns went by while its ends were read: an
 * emulator whose host takes the processor away in between makes them mean nothing. */
static u64 timer_window(u64 *rate)
{
    u64 before = clock_mono_ns(), start, end, after;
    u32 counts;

    lapic_write(LAPIC_INITIAL, 0xffffffff);
    start = clock_mono_ns();
    udelay(2000);
    end = clock_mono_ns();
    counts = 0xffffffff - lapic_read(LAPIC_CURRENT);
    after = clock_mono_ns();
    *rate = ((u64)counts << 32) / ((end + after - before - start) / 2);
    return start - before + after - end;
}

static void timer_measure(void)
{
    u64 best = UINT64_MAX, rate, lost;

    for (int i = 0; i < 8 && best > 20000; i++) {
        lost = timer_window(&rate);
        if (lost < best) {
            best = lost;
            timer_mult = rate;
        }
    }
}

void apic_init(void)
{
    pic_disable();
    lapic = ioremap(acpi.lapic, PAGE_SIZE);
    ioapic = ioremap(acpi.ioapic, PAGE_SIZE);
    BUG_ON(!lapic || !ioapic);
    for (unsigned i = 0; i <= (ioapic_read(1) >> 16 & 0xff); i++)
        ioapic_write(0x10 + i * 2, LVT_MASKED);
    wrmsr(MSR_APIC, rdmsr(MSR_APIC) | 1u << 11);
    lapic_write(LAPIC_TPR, 0);
    lapic_write(LAPIC_LINT0, LVT_MASKED);
    lapic_write(LAPIC_LINT1, LVT_MASKED);
    lapic_write(LAPIC_ERROR, LVT_MASKED);
    lapic_write(LAPIC_SVR, 0x100 | VEC_SPURIOUS);
    lapic_write(LAPIC_DIVIDE, 0x3); /* by 16 */
    lapic_write(LAPIC_TIMER, LVT_MASKED | VEC_TIMER);
    timer_measure();
    printk("clock: timer at %lu kHz\n", timer_mult * 1000000 >> 32);
    lapic_write(LAPIC_INITIAL, 0);
    lapic_write(LAPIC_TIMER, VEC_TIMER);
}
