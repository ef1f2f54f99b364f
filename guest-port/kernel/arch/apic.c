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

void apic_init(void)
{
    u64 start, ns;
    u32 left;

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
    lapic_write(LAPIC_INITIAL, 0xffffffff);
    start = clock_mono_ns();
    udelay(2000);
    left = lapic_read(LAPIC_CURRENT);
    ns = clock_mono_ns() - start;
    timer_mult = ((u64)(0xffffffff - left) << 32) / ns;
    lapic_write(LAPIC_INITIAL, 0);
    lapic_write(LAPIC_TIMER, VEC_TIMER);
}
