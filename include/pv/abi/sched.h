/* SPDX-License-Identifier: MIT */
/*
 * abi/sched.h - sched_op(cmd, argument): give the processor away.
 *
 * sched_op_compat knows yield, block and shutdown only, the last with its reason as a number.
 *
 * Reference: xen/include/public/sched.h (libxen-dev).
 */
#ifndef PV_ABI_SCHED_H
#define PV_ABI_SCHED_H

#include <pv/types.h>
#include <pv/abi/xen.h>

#define XEN_SCHEDOP_yield           0 /* - */
#define XEN_SCHEDOP_block           1 /* -: unmask events and sleep until one is pending, at once */
#define XEN_SCHEDOP_shutdown        2 /* xen_sched_shutdown; does not return */
#define XEN_SCHEDOP_poll            3 /* xen_sched_poll: sleep until one of some ports is pending */
#define XEN_SCHEDOP_remote_shutdown 4 /* xen_sched_remote_shutdown; privileged */
#define XEN_SCHEDOP_shutdown_code   5 /* xen_sched_shutdown: reason to report for a later crash */
#define XEN_SCHEDOP_watchdog        6 /* xen_sched_watchdog */
#define XEN_SCHEDOP_pin_override    7 /* xen_sched_pin_override */

/* xen_sched_shutdown.reason */
#define XEN_SHUTDOWN_poweroff   0
#define XEN_SHUTDOWN_reboot     1
#define XEN_SHUTDOWN_suspend    2
#define XEN_SHUTDOWN_crash      3
#define XEN_SHUTDOWN_watchdog   4
#define XEN_SHUTDOWN_soft_reset 5
#define XEN_SHUTDOWN_MAX        5

#ifndef __ASSEMBLER__

struct xen_sched_shutdown {
    uint32_t reason;
};

struct xen_sched_poll {
    pv_gptr_t ports; /* xen_evtchn_port_t each */
    uint32_t nr_ports;
    uint64_t timeout; /* system time in ns at which to give up, or 0 for never */
};

struct xen_sched_remote_shutdown {
    xen_domid_t domain_id;
    uint32_t reason;
};

struct xen_sched_watchdog {
    uint32_t id;      /* 0 makes a new one, whose number is returned */
    uint32_t timeout; /* seconds; 0 removes it */
};

struct xen_sched_pin_override {
    int32_t pcpu;
};

PV_STATIC_ASSERT(sizeof(struct xen_sched_poll) == 24, "sched_poll");
PV_STATIC_ASSERT(sizeof(struct xen_sched_remote_shutdown) == 8, "sched_remote_shutdown");

#endif /* !__ASSEMBLER__ */
#endif
