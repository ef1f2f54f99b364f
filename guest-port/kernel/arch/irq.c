/* SPDX-License-Identifier: MIT */
/*
 * irq.c - interrupts: vectors, their handlers, and the end of each interrupt.
 *
 * A handler runs with interrupts off on the interrupted thread's kernel stack. What interrupted
 * goes on by return_any (entry.S), which is where a thread loses the CPU.
 */
#include "cpu.h"
#include "errno.h"
#include "irq.h"

struct irq_slot {
    irq_handler fn;
    void *arg;
};
static struct irq_slot slots[256];
static unsigned next_msi = VEC_MSI;
u64 irq_counts[256];
bool interrupted_user; /* what the interrupt being handled came upon */

void irq_dispatch(struct trapframe *tf)
{
    unsigned vec = tf->orig_rax;
    struct irq_slot *s = &slots[vec];

    tf->orig_rax = -1; /* no system call to restart */
    irq_counts[vec]++;
    interrupted_user = frame_is_user(tf);
    if (vec == VEC_SPURIOUS)
        return;
    if (vec == VEC_TIMER)
        timer_interrupt();
    else if (s->fn)
        s->fn(s->arg);
    lapic_eoi();
}

int irq_register(unsigned isa_irq, irq_handler fn, void *arg)
{
    unsigned vec = VEC_ISA + isa_irq;
    u16 fl;

    if (isa_irq >= 16)
        return -EINVAL;
    if (slots[vec].fn)
        return -EBUSY;
    slots[vec] = (struct irq_slot){fn, arg};
    fl = acpi.isa_flags[isa_irq];
    return ioapic_route(acpi.isa_gsi[isa_irq], vec, (fl & 0xc) == 0xc, (fl & 3) == 3);
}

int irq_register_msi(irq_handler fn, void *arg, u64 *addr, u32 *data)
{
    if (next_msi >= VEC_MSI_END)
        return -ENOSPC;
    slots[next_msi] = (struct irq_slot){fn, arg};
    *addr = 0xfee00000;
    *data = next_msi;
    return next_msi++;
}
