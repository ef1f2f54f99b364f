/* SPDX-License-Identifier: MIT */
/*
 * event.h - event channels: a guest's interrupts, and its telephone to other guests.
 *
 * A port is made by one of the pv_event_bind calls (or alloc_unbound), carries events to a handler,
 * and dies by pv_event_close(). Three gates stand before a handler, each under the guest's control:
 *
 *     pending bit of the port      set by the sender, cleared just before its handler is called
 *     mask bit of the port         pv_event_mask / unmask: new ports begin masked
 *     mask of the vCPU             pv_events_disable / enable: this vCPU takes no event at all
 *
 * An event that arrives while a gate is closed stays pending and is delivered when it opens; more
 * than one before delivery count as one. A handler runs with its vCPU's mask closed, on the stack
 * of whatever it interrupted, and may call everything in this header.
 *
 * When a kernel takes its events is its own affair: it may leave the vCPU's mask closed for good
 * and call pv_event_poll() at points of its choosing.
 *
 * Two-level format: ports 0 .. 4095. Reference: abi/event_channel.h.
 */
#ifndef PV_EVENT_H
#define PV_EVENT_H

#include <pv/types.h>
#include <pv/abi/event_channel.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pv_regs;

#define PV_EVENT_PORTS    4096 /* ports that exist */
#define PV_EVENT_HANDLERS 1024 /* ports that can have a handler; events of others: host.h */

/* regs is the interrupted context, or NULL under pv_event_poll(). */
typedef void pv_event_handler_t(uint32_t port, void *arg, struct pv_regs *regs);

/*
 * Calls handler for each event on port, on the vCPU that the port is bound to. NULL: none.
 * Does not unmask. -XEN_EINVAL: port >= PV_EVENT_HANDLERS.
 */
int pv_event_handle(uint32_t port, pv_event_handler_t *handler, void *arg);

/*
 * Making a port. All return 0 with *port set, or -XEN_E* with *port unchanged; none unmasks.
 * -XEN_ENOSPC: no port is free; -XEN_ENOENT: no such vCPU; -XEN_ESRCH: no such domain.
 */

/*
 * XEN_VIRQ_* of a vCPU. -XEN_EEXIST: bound already; -XEN_EINVAL: no such interrupt, or one that a
 * guest has once, for its vCPU 0.
 */
int pv_event_bind_virq(unsigned virq, unsigned vcpu, uint32_t *port);

/* A port by which any vCPU of this guest interrupts that one. */
int pv_event_bind_ipi(unsigned vcpu, uint32_t *port);

/* A port that waits for `remote` to bind to it. remote may be XEN_DOMID_SELF. */
int pv_event_alloc_unbound(xen_domid_t remote, uint32_t *port);

/*
 * Connects to a port that waits for us. An event is pending on the new port at once, in case the
 * other end has sent one already. -XEN_EINVAL: it doesn't wait for us (yet).
 */
int pv_event_bind_interdomain(xen_domid_t remote, uint32_t remote_port, uint32_t *port);

/*
 * Events of port arrive on this vCPU from now on. -XEN_EINVAL: no such port, or one that has its
 * vCPU for good (an ipi, a virq of each vCPU); -XEN_ENOENT: no such vCPU.
 */
int pv_event_bind_vcpu(uint32_t port, unsigned vcpu);

/* Masks and frees the port and forgets its handler. -XEN_EINVAL: no such port. */
int pv_event_close(uint32_t port);

/*
 * Our own domain number, which no hypercall tells outright: an unbound port for ourselves shows it.
 * Needed where the ABI takes no XEN_DOMID_SELF, e.g. to grant to oneself. -XEN_ENOSPC.
 */
int pv_event_own_domid(xen_domid_t *dom);

/* Fills *status, whose port and dom (XEN_DOMID_SELF) are set here. -XEN_EINVAL: no such port. */
int pv_event_status(uint32_t port, struct xen_evtchn_status *status);

/* Sends an event to the other end. Context: any. -XEN_EINVAL: there is none. */
int pv_event_send(uint32_t port);

/* The gates. Context: any. A port that there can't be is masked, not pending, and stays so. */
void pv_event_mask(uint32_t port);
/* Delivers what is pending, on this vCPU at once if its own mask is open. */
void pv_event_unmask(uint32_t port);
bool pv_event_is_masked(uint32_t port);
bool pv_event_is_pending(uint32_t port);
/* Clears the pending bit without a handler; returns what it was. */
bool pv_event_take(uint32_t port);

/* Closes this vCPU's gate; returns whether it was open. */
bool pv_events_disable(void);
/* Opens it; events that are pending arrive before it returns. */
void pv_events_enable(void);
/* What pv_events_disable() returned. */
void pv_events_restore(bool enabled);
bool pv_events_enabled(void);

/*
 * The same for kernels of one vCPU, in line: a store and a look, where there were STI and CLI. From
 * pv_start_init() on. pv_gate_close() returns what pv_gate_restore() takes: 0 if it was open.
 */
extern uint8_t *pv_gate; /* the vCPU's two bytes: an event is pending; the gate is closed */

static inline void pv_gate_open(void)
{
    uint8_t *gate = pv_gate;

    /* A signal fence: a compiler keeps the order. Who sets `pending` on another processor
     * interrupts this one, and looks then. */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    gate[1] = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (__builtin_expect(gate[0], 0))
        pv_events_enable();
}

static inline unsigned pv_gate_close(void)
{
    uint8_t *gate = pv_gate;
    unsigned closed = gate[1];

    gate[1] = 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return closed;
}

static inline void pv_gate_restore(unsigned closed)
{
    if (!closed)
        pv_gate_open();
}

/*
 * Calls the handlers of all unmasked pending ports of this vCPU, with its gate closed and the
 * gate's state restored after. Words of ports take turns in being first, so that a busy low port
 * does not starve others. Returns how many handlers ran.
 */
unsigned pv_event_poll(void);

/* The same from an interrupted context; libpv's handler of PV_TRAP_EVENT. */
void pv_event_dispatch(struct pv_regs *regs);

#ifdef __cplusplus
}
#endif
#endif
