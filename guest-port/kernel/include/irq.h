/* SPDX-License-Identifier: MIT */
/*
 * irq.h - interrupts: masking them on this CPU, registering handlers, deferred work.
 *
 * Handlers run with interrupts off on the interrupted thread's kernel stack, must not sleep, and
 * wake threads to do the work.
 */
#ifndef KERN_IRQ_H
#define KERN_IRQ_H

#include "list.h"
#include "arch.h"

typedef void (*irq_handler)(void *arg);

/* ISA interrupt (0-15), routed through the I/O APIC according to ACPI's overrides. 0 or -errno. */
int irq_register(unsigned isa_irq, irq_handler fn, void *arg);
/* A message-signalled interrupt: gives the address and data to program into the device.
 * Returns a handle >= 0 or -errno. */
int irq_register_msi(irq_handler fn, void *arg, u64 *addr, u32 *data);

/* Work to be done soon by a kernel thread that may sleep. Queuing an already queued item is a
 * no-op. work_queue is safe in interrupt handlers. */
struct work {
    struct list link;
    void (*fn)(struct work *w);
    bool queued;
};
void work_init(struct work *w, void (*fn)(struct work *));
void work_queue(struct work *w);

#endif
