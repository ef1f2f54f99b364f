/* SPDX-License-Identifier: MIT */
/*
 * What the sources of the events image share.
 */
#ifndef TESTS_GUESTS_EVENTS_H
#define TESTS_GUESTS_EVENTS_H

#include "t.h"

#define HC(n) XEN_HYPERVISOR_##n

/* Events taken by ev_count(), for each port. */
extern volatile unsigned ev_seen[1024];
void ev_count(uint32_t port);
static inline bool ev_pending(uint32_t port)
{
    return *(volatile uint64_t *)&rt_shared->evtchn_pending[port / 64] >> port % 64 & 1;
}
uint32_t ev_alloc(void); /* an unbound port, ours on both ends */
int64_t ev_status(uint32_t port, struct xen_evtchn_status *s);
/* Starts virtual CPU 1 if there is one; false when not. It has to be down. */
bool ev_other(void (*fn)(void *), void *arg);
void ev_other_gone(void);
extern uint32_t ev_timer_port;

void event_bind_codes(void), event_port_codes(void), event_status(void), event_interdomain(void),
    event_masked(void), event_levels(void), event_upcall_mask(void), event_storm(void),
    event_nested(void), event_exhaust(void), event_vcpu_binding(void), event_in_user_flags(void),
    event_reset(void);
void time_clock(void), time_oneshot(void), time_past(void), time_singleshot(void),
    time_periodic(void), time_poll(void), time_block(void), time_runstate(void), time_area(void),
    time_wallclock(void);
void vcpu_codes(void), vcpu_run(void), vcpu_up_down(void), vcpu_info_move(void), vcpu_share(void),
    vcpu_ipi(void), vcpu_traps(void), vcpu_nmi(void), vcpu_flush(void);
void grant_setup(void), grant_map(void), grant_codes(void), grant_readonly(void), grant_copy(void),
    grant_copy_codes(void), grant_twice(void), grant_types(void), grant_transfer(void),
    grant_replace(void), grant_swap(void), grant_rest(void);

#endif
