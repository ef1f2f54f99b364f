/* SPDX-License-Identifier: MIT
 *
 * device.c - lines of interrupts, and who listens on them.
 *
 * Invariant: a line's bit is taken before its handlers run, so that what interrupts meanwhile
 * is seen by another round.
 */
#include "device.h"
#include "sched.h"

static struct device_irq *line[DEVICE_IRQS];

unsigned device_irq_add(struct device_irq *irq)
{
    static unsigned added;
    unsigned n = added++ % DEVICE_IRQS;

    irq->next = line[n];
    line[n] = irq;
    return n;
}

void device_interrupt(unsigned n)
{
    __atomic_fetch_or(&hv.cpu[0].device_irqs, 1u << n, __ATOMIC_RELAXED);
    cpu_work_set(CPU_WORK_DEVICE);
}

void device_work(void)
{
    uint32_t lines = __atomic_exchange_n(&hv.cpu[0].device_irqs, 0, __ATOMIC_RELAXED);

    for (unsigned n = 0; n < DEVICE_IRQS; n++)
        if (lines & 1u << n)
            for (struct device_irq *irq = line[n]; irq != NULL; irq = irq->next)
                irq->handler(irq);
}
