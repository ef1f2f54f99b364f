/* SPDX-License-Identifier: MIT
 *
 * sched.h - which vCPU runs: the mechanism around policy/sched.h.
 */
#ifndef HV_CORE_SCHED_H
#define HV_CORE_SCHED_H

#include "domain.h"

void sched_init(void);
/* v was blocked (or polling, or down and is now up): it may run again. */
void sched_wake(struct vcpu *v);
/* v stops running until sched_wake(); `state` is VCPU_BLOCKED or VCPU_DOWN. */
void sched_sleep(struct vcpu *v, enum vcpu_state state);
/* v leaves the queue for as long as its domain is paused; sched_wake() brings it back. */
void sched_pause(struct vcpu *v);
/* Let the policy choose, switch the processor to its choice; NULL: nobody. */
struct vcpu *sched_next(void);

/* Timers' ends, for who sets them up. */
void sched_poll_timeout(struct timer *t);
void sched_watchdog_fired(struct timer *t);

static inline void cpu_work_set(uint32_t bits)
{
    __atomic_fetch_or(&hv.cpu[0].work, bits, __ATOMIC_RELAXED);
}

#endif
