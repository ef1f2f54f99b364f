/* SPDX-License-Identifier: MIT
 *
 * device.h - interrupts of devices, from the message to the driver's handler.
 *
 *   message ─► x86/intr.c: a bit in cpu.device_irqs, CPU_WORK_DEVICE ─► hv_leave() ─► device_work()
 *                                                                        └► handler(owner)
 *
 * A handler runs from the work loop: interrupts off, under the one lock, with no guest's entry
 * in progress. It looks at its device's memory and acts on everything that is there; being called
 * once too often does no harm. There are DEVICE_IRQS lines; when all are taken they are shared.
 */
#ifndef HV_DEVICE_H
#define HV_DEVICE_H

#include <stdint.h>

enum { DEVICE_IRQS = 12 };

struct device_irq {
    void (*handler)(struct device_irq *);
    struct device_irq *next; /* of the same line */
};

/* Give irq (whose handler is set) a line, for good; its number: below DEVICE_IRQS. */
unsigned device_irq_add(struct device_irq *irq);
/* Line n has interrupted: called by the machine, whatever it was doing. */
void device_interrupt(unsigned n);
/* CPU_WORK_DEVICE: call the handlers of the lines that have. */
void device_work(void);

#endif
