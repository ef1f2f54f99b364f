/* SPDX-License-Identifier: MIT
 *
 * sched.h - the CPU scheduling policy: whose turn it is.
 *
 * Pure: no clock, no hardware, no locks; time comes in as an argument (ns). The core calls it
 * with the vCPU's state already changed. A policy keeps runnable vCPUs (the running one
 * included) on its own queue through vcpu.run_next/run_prev.
 */
#ifndef HV_SCHED_H
#define HV_SCHED_H

#include <stdint.h>

struct vcpu;

struct sched_ops {
    const char *name;
    void (*init)(void);
    void (*add)(struct vcpu *v);                 /* a new vCPU, not runnable yet */
    void (*remove)(struct vcpu *v);
    void (*wake)(struct vcpu *v, uint64_t now);  /* became runnable */
    void (*sleep)(struct vcpu *v, uint64_t now); /* no longer runnable */
    void (*yield)(struct vcpu *v, uint64_t now); /* runnable, but others first */
    /* Who runs next (NULL: idle), and until when at the latest (UINT64_MAX: no limit). */
    struct vcpu *(*pick)(uint64_t now, uint64_t *until);
};

extern const struct sched_ops sched_rr;          /* plain round robin */
extern const struct sched_ops *sched;            /* the policy in force */

#endif
