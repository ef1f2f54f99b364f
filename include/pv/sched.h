/* SPDX-License-Identifier: MIT */
/*
 * sched.h - giving the processor away, for a moment or for good.
 *
 * Reference: abi/sched.h.
 */
#ifndef PV_SCHED_H
#define PV_SCHED_H

#include <pv/types.h>
#include <pv/abi/sched.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Lets others run; returns when it is our turn again. */
void pv_sched_yield(void);

/*
 * Sleeps until an event is pending. Unmasks this vCPU's events in the same step, so none is lost
 * between looking and sleeping, and its handlers have run on return. Events stay unmasked.
 */
void pv_sched_block(void);

/*
 * Sleeps until one of the ports is pending or the system time reaches deadline (ns, 0 for never).
 * Works with events masked, which is its purpose: no handler runs. At most 128 ports.
 * Returns 0 also when the time is over: look at the ports. -XEN_EINVAL: no such port.
 */
int pv_sched_poll(const uint32_t *ports, unsigned n, uint64_t deadline);

/* Ends the guest: XEN_SHUTDOWN_*. */
PV_NORETURN void pv_sched_shutdown(unsigned reason);
PV_NORETURN void pv_sched_poweroff(void);
PV_NORETURN void pv_sched_reboot(void);
PV_NORETURN void pv_sched_crash(void);

/*
 * A watchdog: the guest is shut down (XEN_SHUTDOWN_watchdog) if it does not call again within
 * `seconds`. id 0 makes one, and its number is returned; seconds 0 removes it.
 * -XEN_ENOSPC: both are in use; -XEN_EINVAL, -XEN_EEXIST: no such number.
 */
int pv_sched_watchdog(unsigned id, unsigned seconds);

#ifdef __cplusplus
}
#endif
#endif
