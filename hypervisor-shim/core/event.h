/* SPDX-License-Identifier: MIT
 *
 * event.h - event channels: ports, and the bits that they set in a guest's shared pages.
 *
 *   send(port) ─► the other end's pending bit ─► (unless masked) selector bit ─► upcall_pending
 *                                                                             ─► wake the vCPU
 *
 * A port's other end is a guest's port, a virtual interrupt, another vCPU, or a back end of the
 * shim's own, which the guest sees as a port of domain 0.
 */
#ifndef HV_EVENT_H
#define HV_EVENT_H

#include "domain.h"

enum evtchn_state {
    EVTCHN_FREE,
    EVTCHN_UNBOUND,     /* remote: the domain that may bind */
    EVTCHN_INTERDOMAIN, /* remote, peer: domain and port of the other end */
    EVTCHN_BACKEND,     /* peer: enum evtchn_backend */
    EVTCHN_VIRQ,        /* peer: the virtual interrupt */
    EVTCHN_IPI,
};

/* BACKEND_DEVICE + slot: a device on the bus (backend/xenbus.c). */
enum evtchn_backend { BACKEND_NONE, BACKEND_CONSOLE, BACKEND_STORE, BACKEND_DEVICE };

struct evtchn {
    uint8_t state; /* enum evtchn_state */
    uint8_t vcpu;  /* who is notified */
    uint16_t remote;
    uint32_t peer;
};

bool evtchn_init(struct domain *d); /* false: no memory */
void evtchn_exit(struct domain *d); /* close all, as at the guest's end */
void evtchn_free(struct domain *d); /* there are no ports of d any more */

/* A new port of d that notifies back end `b`; 0: none free. */
uint32_t evtchn_bind_backend(struct domain *d, enum evtchn_backend b);
/* A port of d's that waits for domain 0 notifies this device from now on, and is pending; false: it
 * does not wait for domain 0. It waits again when it is released. */
bool evtchn_bind_device(struct domain *d, uint32_t port, uint32_t slot);
void evtchn_release_device(struct domain *d, uint32_t port, uint32_t slot);
/* Set port of d pending. Harmless if the guest has closed it. */
void evtchn_notify(struct domain *d, uint32_t port);
void evtchn_virq(struct vcpu *v, unsigned virq);
/* Is a port's pending bit set (SCHEDOP_poll)? Negative: no such port. */
int evtchn_pending(struct domain *d, uint32_t port);

#endif
