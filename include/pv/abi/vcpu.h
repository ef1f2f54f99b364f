/* SPDX-License-Identifier: MIT */
/*
 * abi/vcpu.h - vcpu_op(cmd, vcpu, argument): bring vCPUs up and down, set their timers, register
 * areas of memory which the hypervisor keeps up to date.
 *
 * Reference: xen/include/public/vcpu.h (libxen-dev).
 */
#ifndef PV_ABI_VCPU_H
#define PV_ABI_VCPU_H

#include <pv/types.h>
#include <pv/abi/xen.h>

#define XEN_VCPUOP_initialise                     0 /* xen_vcpu_guest_context */
#define XEN_VCPUOP_up                             1 /* - */
#define XEN_VCPUOP_down                           2 /* - */
#define XEN_VCPUOP_is_up                          3 /* - -> 0 or 1 */
#define XEN_VCPUOP_get_runstate_info              4 /* xen_vcpu_runstate_info */
#define XEN_VCPUOP_register_runstate_memory_area  5
#define XEN_VCPUOP_set_periodic_timer             6 /* own vCPU only */
#define XEN_VCPUOP_stop_periodic_timer            7
#define XEN_VCPUOP_set_singleshot_timer           8 /* own vCPU only */
#define XEN_VCPUOP_stop_singleshot_timer          9
#define XEN_VCPUOP_register_vcpu_info             10 /* once per vCPU */
#define XEN_VCPUOP_send_nmi                       11 /* - */
#define XEN_VCPUOP_get_physid                     12 /* privileged */
#define XEN_VCPUOP_register_vcpu_time_memory_area 13

/* xen_vcpu_runstate_info.state and index of .time */
#define XEN_RUNSTATE_running  0
#define XEN_RUNSTATE_runnable 1 /* wants to run, another runs */
#define XEN_RUNSTATE_blocked  2
#define XEN_RUNSTATE_offline  3
#define XEN_RUNSTATE_UPDATE   0x8000000000000000 /* in state_entry_time: H is writing */

/* xen_vcpu_set_singleshot_timer.flags: -ETIME, and no timer, when the time is past. */
#define XEN_VCPU_SSHOTTMR_future 1

#ifndef __ASSEMBLER__

struct xen_vcpu_runstate_info {
    int32_t state;
    uint64_t state_entry_time; /* system time, ns */
    uint64_t time[4];          /* ns spent in each state, until state_entry_time */
};

struct xen_vcpu_register_runstate_memory_area {
    union {
        pv_gptr_t h;
        uint64_t p;
    } addr; /* virtual address of a xen_vcpu_runstate_info, or 0 */
};

struct xen_vcpu_set_periodic_timer {
    uint64_t period_ns; /* at least 1 ms */
};

struct xen_vcpu_set_singleshot_timer {
    uint64_t timeout_abs_ns; /* system time */
    uint32_t flags;
};

struct xen_vcpu_register_vcpu_info {
    uint64_t mfn;    /* MACHINE frame */
    uint32_t offset; /* of a xen_vcpu_info in it */
    uint32_t rsvd;
};

struct xen_vcpu_get_physid {
    uint64_t phys_id;
};

struct xen_vcpu_register_time_memory_area {
    union {
        pv_gptr_t h;
        uint64_t p;
    } addr; /* virtual address of a xen_vcpu_time_info, or 0 */
};

PV_STATIC_ASSERT(sizeof(struct xen_vcpu_runstate_info) == 48, "vcpu_runstate_info");
PV_STATIC_ASSERT(sizeof(struct xen_vcpu_set_singleshot_timer) == 16, "set_singleshot_timer");
PV_STATIC_ASSERT(sizeof(struct xen_vcpu_register_vcpu_info) == 16, "register_vcpu_info");

#endif /* !__ASSEMBLER__ */
#endif
