/* SPDX-License-Identifier: MIT
 *
 * time.h - what guests are told of time, and the timers that they set.
 */
#ifndef HV_TIME_H
#define HV_TIME_H

#include "domain.h"
#include "timer.h"

void time_vcpu_init(struct vcpu *v);
void time_vcpu_exit(struct vcpu *v);
/* v's vcpu_time_info, and its registered copy. The scale is constant, so once is enough. */
void time_publish(struct vcpu *v);
/* The wall clock in d's shared_info. */
void time_publish_wallclock(struct domain *d);

/* Account v's time until now to its old state (XEN_RUNSTATE_*). */
void runstate_set(struct vcpu *v, int32_t state, uint64_t now);
/* Write v's registered runstate area; v's address space is the one in use. */
void runstate_publish(struct vcpu *v);
/* A copy that is exact up to now. */
void runstate_get(const struct vcpu *v, struct xen_vcpu_runstate_info *to);

/* vcpu_op's timers. */
void periodic_set(struct vcpu *v, uint64_t period); /* 0: stop */
void singleshot_set(struct vcpu *v, uint64_t deadline);

#endif
