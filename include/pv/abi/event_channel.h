/* SPDX-License-Identifier: MIT */
/*
 * abi/event_channel.h - event_channel_op(cmd, argument): the interrupts of a PV machine.
 *
 * A port is a small number, private to a guest. Bound to something (another guest's port, a
 * virtual or physical interrupt, another vCPU), it carries one bit: an event. The two-level format
 * keeps these bits in xen_shared_info; FIFO queues are the other format.
 *
 *     close -> unbound -> interdomain
 *     close -> virq, ipi, pirq
 *
 * Reference: xen/include/public/event_channel.h (libxen-dev).
 */
#ifndef PV_ABI_EVENT_CHANNEL_H
#define PV_ABI_EVENT_CHANNEL_H

#include <pv/types.h>
#include <pv/abi/xen.h>

#define XEN_EVTCHNOP_bind_interdomain 0
#define XEN_EVTCHNOP_bind_virq        1
#define XEN_EVTCHNOP_bind_pirq        2
#define XEN_EVTCHNOP_close            3
#define XEN_EVTCHNOP_send             4
#define XEN_EVTCHNOP_status           5
#define XEN_EVTCHNOP_alloc_unbound    6
#define XEN_EVTCHNOP_bind_ipi         7
#define XEN_EVTCHNOP_bind_vcpu        8
#define XEN_EVTCHNOP_unmask           9
#define XEN_EVTCHNOP_reset            10
#define XEN_EVTCHNOP_init_control     11 /* from here on: FIFO */
#define XEN_EVTCHNOP_expand_array     12
#define XEN_EVTCHNOP_set_priority     13

/* xen_evtchn_bind_pirq.flags */
#define XEN_BIND_PIRQ__WILL_SHARE 1

/* xen_evtchn_status.status */
#define XEN_EVTCHNSTAT_closed      0
#define XEN_EVTCHNSTAT_unbound     1
#define XEN_EVTCHNSTAT_interdomain 2
#define XEN_EVTCHNSTAT_pirq        3
#define XEN_EVTCHNSTAT_virq        4
#define XEN_EVTCHNSTAT_ipi         5

#define XEN_EVTCHN_2L_NR_CHANNELS 4096

#define XEN_EVTCHN_FIFO_PRIORITY_MAX     0
#define XEN_EVTCHN_FIFO_PRIORITY_DEFAULT 7
#define XEN_EVTCHN_FIFO_PRIORITY_MIN     15
#define XEN_EVTCHN_FIFO_MAX_QUEUES       16
#define XEN_EVTCHN_FIFO_PENDING          31
#define XEN_EVTCHN_FIFO_MASKED           30
#define XEN_EVTCHN_FIFO_LINKED           29
#define XEN_EVTCHN_FIFO_BUSY             28
#define XEN_EVTCHN_FIFO_LINK_BITS        17
#define XEN_EVTCHN_FIFO_LINK_MASK        0x1ffff
#define XEN_EVTCHN_FIFO_NR_CHANNELS      0x20000

#ifndef __ASSEMBLER__

/* A port of dom to which remote_dom may bind. -> port */
struct xen_evtchn_alloc_unbound {
    xen_domid_t dom;
    xen_domid_t remote_dom;
    xen_evtchn_port_t port;
};

/* Connect to remote_port, which is unbound and waits for us; an event is pending from birth. */
struct xen_evtchn_bind_interdomain {
    xen_domid_t remote_dom;
    xen_evtchn_port_t remote_port;
    xen_evtchn_port_t local_port; /* H */
};

struct xen_evtchn_bind_virq {
    uint32_t virq; /* XEN_VIRQ_* */
    uint32_t vcpu;
    xen_evtchn_port_t port; /* H */
};

struct xen_evtchn_bind_pirq {
    uint32_t pirq;
    uint32_t flags;
    xen_evtchn_port_t port; /* H */
};

struct xen_evtchn_bind_ipi {
    uint32_t vcpu;
    xen_evtchn_port_t port; /* H */
};

struct xen_evtchn_close {
    xen_evtchn_port_t port;
};

struct xen_evtchn_send {
    xen_evtchn_port_t port;
};

struct xen_evtchn_status {
    xen_domid_t dom;
    xen_evtchn_port_t port;
    uint32_t status; /* H: XEN_EVTCHNSTAT_*, which selects the member of u */
    uint32_t vcpu;   /* H: which vCPU is notified */
    union {
        struct {
            xen_domid_t dom;
        } unbound;
        struct {
            xen_domid_t dom;
            xen_evtchn_port_t port;
        } interdomain;
        uint32_t pirq;
        uint32_t virq;
    } u; /* H */
};

struct xen_evtchn_bind_vcpu {
    xen_evtchn_port_t port;
    uint32_t vcpu;
};

struct xen_evtchn_unmask {
    xen_evtchn_port_t port;
};

struct xen_evtchn_reset {
    xen_domid_t dom;
};

struct xen_evtchn_init_control {
    uint64_t control_gfn;
    uint32_t offset;
    uint32_t vcpu;
    uint8_t link_bits; /* H */
    uint8_t _pad[7];
};

struct xen_evtchn_expand_array {
    uint64_t array_gfn;
};

struct xen_evtchn_set_priority {
    xen_evtchn_port_t port;
    uint32_t priority;
};

/* event_channel_op_compat takes one of these. */
struct xen_evtchn_op {
    uint32_t cmd;
    union {
        struct xen_evtchn_alloc_unbound alloc_unbound;
        struct xen_evtchn_bind_interdomain bind_interdomain;
        struct xen_evtchn_bind_virq bind_virq;
        struct xen_evtchn_bind_pirq bind_pirq;
        struct xen_evtchn_bind_ipi bind_ipi;
        struct xen_evtchn_close close;
        struct xen_evtchn_send send;
        struct xen_evtchn_status status;
        struct xen_evtchn_bind_vcpu bind_vcpu;
        struct xen_evtchn_unmask unmask;
    } u;
};

struct xen_evtchn_fifo_control_block {
    uint32_t ready;
    uint32_t _rsvd;
    uint32_t head[XEN_EVTCHN_FIFO_MAX_QUEUES];
};

PV_STATIC_ASSERT(sizeof(struct xen_evtchn_alloc_unbound) == 8, "evtchn_alloc_unbound");
PV_STATIC_ASSERT(sizeof(struct xen_evtchn_bind_interdomain) == 12, "evtchn_bind_interdomain");
PV_STATIC_ASSERT(sizeof(struct xen_evtchn_bind_virq) == 12, "evtchn_bind_virq");
PV_STATIC_ASSERT(sizeof(struct xen_evtchn_bind_pirq) == 12, "evtchn_bind_pirq");
PV_STATIC_ASSERT(sizeof(struct xen_evtchn_bind_ipi) == 8, "evtchn_bind_ipi");
PV_STATIC_ASSERT(sizeof(struct xen_evtchn_status) == 24, "evtchn_status");
PV_STATIC_ASSERT(sizeof(struct xen_evtchn_init_control) == 24, "evtchn_init_control");
PV_STATIC_ASSERT(sizeof(struct xen_evtchn_op) == 28, "evtchn_op");
PV_STATIC_ASSERT(sizeof(struct xen_evtchn_fifo_control_block) == 72, "fifo control block");

#endif /* !__ASSEMBLER__ */
#endif
