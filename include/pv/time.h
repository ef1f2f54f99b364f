/* SPDX-License-Identifier: MIT */
/*
 * time.h - what time it is, and being woken at a time.
 *
 * Two clocks. System time counts nanoseconds since the hypervisor booted, never stops and never
 * steps back on one vCPU; read without a hypercall from the TSC and four numbers that the
 * hypervisor keeps up to date. The wall clock is a date at which system time was 0.
 *
 * A timer announces itself by XEN_VIRQ_TIMER (pv_event_bind_virq()) on the vCPU that set it. Each
 * vCPU has one deadline (pv_time_set_deadline()) and one periodic timer.
 *
 * All times are nanoseconds of system time unless said otherwise. Context: any.
 * Reference: vcpu_time_info and set_timer_op in abi/xen.h, abi/vcpu.h.
 */
#ifndef PV_TIME_H
#define PV_TIME_H

#include <pv/types.h>
#include <pv/abi/vcpu.h>
#include <pv/abi/xen.h>

#ifdef __cplusplus
extern "C" {
#endif

/* System time. */
uint64_t pv_time_now(void);

/* Seconds and nanoseconds since 1970-01-01 00:00 UTC. */
struct pv_wall_time {
    uint64_t sec;
    uint32_t nsec;
};
void pv_time_wall(struct pv_wall_time *now);

/*
 * Asks for XEN_VIRQ_TIMER when system time reaches `when`; at once if that is past. Replaces the
 * deadline that was set before. 0 cancels. 0 or -XEN_E*.
 */
int pv_time_set_deadline(uint64_t when);

/*
 * XEN_VIRQ_TIMER every `period` ns on this vCPU, at least 1 ms (-XEN_EINVAL); 0 stops it. Ticks
 * come only while the vCPU runs: Xen stops the timer of a vCPU that is blocked. A vCPU may begin
 * its life with a period set (Xen: 10 ms): a kernel that wants none says 0.
 */
int pv_time_set_period(uint64_t period);

/*
 * The guest's own clock, for kernels that want one that fits them: it counts from the guest's
 * start, stands still while the guest is suspended, and goes on where it was, on whatever machine.
 * pv_time_alarm() is the deadline on it; it outlives a suspend, too.
 */
uint64_t pv_time_up(void);
void pv_time_alarm(uint64_t up);

/*
 * Calls tick() when a deadline is reached: binds XEN_VIRQ_TIMER on vCPU 0 and stops the periodic
 * timer that the vCPU may have begun with. 0 or -XEN_E*.
 */
int pv_time_handle(void (*tick)(void));

/*
 * The date, in seconds since 1970, as this guest has it. No guest may set the machine's: one that
 * is set is this guest's alone, and goes on from there.
 */
uint64_t pv_time_date(void);
void pv_time_set_date(uint64_t sec);

/* Sleeps, events as they are. Wakes up by a poll, so it needs no timer handler. */
void pv_time_sleep(uint64_t ns);

/*
 * How long a vCPU ran, waited to run, was blocked and was offline (XEN_RUNSTATE_*), by hypercall.
 * -XEN_ENOENT: no such vCPU.
 */
int pv_time_runstate(unsigned vcpu, struct xen_vcpu_runstate_info *out);

/*
 * Has the hypervisor keep *area up to date for this vCPU (own vCPU only; NULL: no more), to be read
 * with pv_time_runstate_read() at the cost of a memory access. The area must stay mapped writable,
 * and should not cross a page.
 */
int pv_time_runstate_register(struct xen_vcpu_runstate_info *area);
void pv_time_runstate_read(const struct xen_vcpu_runstate_info *area,
                           struct xen_vcpu_runstate_info *out);

/* The arithmetic of the system clock: `tsc` on the scale of one consistent copy of *t. */
uint64_t pv_time_scale(const struct xen_vcpu_time_info *t, uint64_t tsc);

#ifdef __cplusplus
}
#endif
#endif
