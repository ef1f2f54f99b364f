/* SPDX-License-Identifier: MIT */
/*
 * event.c - event channels in the two-level format.
 *
 * Three things are shared with the hypervisor, which may change them at any instant: the vCPU's
 * upcall_pending and pending_sel, and the pending words. The order of our accesses is the one that
 * loses no event: the summary is cleared before what it summarizes is read.
 *
 *     hypervisor sets:  pending bit   ->  sel bit      ->  upcall_pending
 *     we clear:         upcall_pending -> sel word     ->  pending bit (one by one)
 */
#include <pv/event.h>
#include <pv/host.h>
#include <pv/hypercall.h>
#include "internal.h"

static struct {
    pv_event_handler_t *handler;
    void *arg;
} handlers[PV_EVENT_HANDLERS];

/* What outlives a suspend, under new ports: vCPU 0's VIRQs, and the console's and store's ports. */
#define KEPT_CONSOLE XEN_NR_VIRQS
#define KEPT_STORE   (XEN_NR_VIRQS + 1)
static struct {
    uint32_t port; /* 0: none */
    bool masked;
    pv_event_handler_t *handler;
    void *arg;
} kept[XEN_NR_VIRQS + 2];

/* Which vCPU takes the port's events; 0 unless bound elsewhere. */
static uint8_t port_cpu[PV_EVENT_PORTS];

/* Where each vCPU's next scan begins. */
static uint8_t next_word[XEN_LEGACY_MAX_VCPUS];

struct xen_vcpu_info *pv_vcpu_infos[XEN_LEGACY_MAX_VCPUS];
uint8_t *pv_gate;

void pv_vcpu_info_set(unsigned cpu, struct xen_vcpu_info *info)
{
    _Static_assert(offsetof(struct xen_vcpu_info, evtchn_upcall_mask) ==
                       offsetof(struct xen_vcpu_info, evtchn_upcall_pending) + 1,
                   "the gate is two bytes");
    pv_vcpu_infos[cpu] = info;
    pv_gate = &pv_vcpu_infos[0]->evtchn_upcall_pending;
    pv_trap_info_moved();
}

void pv_vcpu_info_init(void)
{
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        pv_vcpu_info_set(i, &pv_machine.shared->vcpu_info[i]);
}

/* The vCPU's gate -------------------------------------------------------------------------- */

bool pv_events_enabled(void)
{
    return !__atomic_load_n(&pv_vcpu_info()->evtchn_upcall_mask, __ATOMIC_RELAXED);
}

bool pv_events_disable(void)
{
    uint8_t *mask = &pv_vcpu_info()->evtchn_upcall_mask;
    bool was_open = !__atomic_load_n(mask, __ATOMIC_RELAXED);

    __atomic_store_n(mask, 1, __ATOMIC_RELAXED);
    /* What follows runs with the gate closed, also in the compiler's eyes. */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return was_open;
}

void pv_events_enable(void)
{
    struct xen_vcpu_info *v = pv_vcpu_info();

    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&v->evtchn_upcall_mask, 0, __ATOMIC_RELAXED);
    /* The hypervisor looks at the mask only when it sends; what came before, we have to see. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&v->evtchn_upcall_pending, __ATOMIC_RELAXED))
        pv_hypercall_xen_version(XENVER_version, NULL); /* delivers on its way out */
}

void pv_events_restore(bool enabled)
{
    if (enabled)
        pv_events_enable();
}

bool pv_lock(void)
{
    bool state = pv_machine.shared && pv_events_disable();

    pv_host_lock();
    return state;
}

void pv_unlock(bool enabled)
{
    pv_host_unlock();
    pv_events_restore(enabled);
}

/* Making and closing ports ------------------------------------------------------------------ */

int pv_event_handle(uint32_t port, pv_event_handler_t *handler, void *arg)
{
    bool state;

    if (port >= PV_EVENT_HANDLERS)
        return -XEN_EINVAL;
    state = pv_lock();
    handlers[port].handler = handler;
    handlers[port].arg = arg;
    pv_unlock(state);
    return 0;
}

/* A new port begins masked, without a handler, on the given vCPU. */
static int made(int64_t err, uint32_t got, unsigned vcpu, uint32_t *port)
{
    if (err)
        return (int)err;
    pv_event_mask(got);
    if (got < PV_EVENT_PORTS)
        port_cpu[got] = (uint8_t)vcpu;
    pv_event_handle(got, NULL, NULL);
    *port = got;
    return 0;
}

int pv_event_bind_virq(unsigned virq, unsigned vcpu, uint32_t *port)
{
    struct xen_evtchn_bind_virq op = {.virq = virq, .vcpu = vcpu};
    int64_t err = pv_hypercall_event_channel_op(XEN_EVTCHNOP_bind_virq, &op);

    if (err == 0 && vcpu == 0 && virq < XEN_NR_VIRQS)
        kept[virq].port = op.port;
    return made(err, op.port, vcpu, port);
}

int pv_event_bind_ipi(unsigned vcpu, uint32_t *port)
{
    struct xen_evtchn_bind_ipi op = {.vcpu = vcpu};
    int64_t err = pv_hypercall_event_channel_op(XEN_EVTCHNOP_bind_ipi, &op);

    return made(err, op.port, vcpu, port);
}

int pv_event_alloc_unbound(xen_domid_t remote, uint32_t *port)
{
    struct xen_evtchn_alloc_unbound op = {.dom = XEN_DOMID_SELF, .remote_dom = remote};
    int64_t err = pv_hypercall_event_channel_op(XEN_EVTCHNOP_alloc_unbound, &op);

    return made(err, op.port, 0, port);
}

int pv_event_bind_interdomain(xen_domid_t remote, uint32_t remote_port, uint32_t *port)
{
    struct xen_evtchn_bind_interdomain op = {.remote_dom = remote, .remote_port = remote_port};
    int64_t err = pv_hypercall_event_channel_op(XEN_EVTCHNOP_bind_interdomain, &op);

    return made(err, op.local_port, 0, port);
}

int pv_event_bind_vcpu(uint32_t port, unsigned vcpu)
{
    struct xen_evtchn_bind_vcpu op = {.port = port, .vcpu = vcpu};
    bool was_masked = pv_event_is_masked(port);
    int64_t err;

    /* An event that is pending was announced to the old vCPU; unmasking announces it again. */
    pv_event_mask(port);
    err = pv_hypercall_event_channel_op(XEN_EVTCHNOP_bind_vcpu, &op);
    if (err == 0 && port < PV_EVENT_PORTS)
        port_cpu[port] = (uint8_t)vcpu;
    if (!was_masked)
        pv_event_unmask(port);
    return (int)err;
}

int pv_event_close(uint32_t port)
{
    struct xen_evtchn_close op = {.port = port};

    if (port >= PV_EVENT_PORTS)
        return -XEN_EINVAL;
    pv_event_mask(port);
    pv_event_handle(port, NULL, NULL);
    for (unsigned i = 0; i < XEN_NR_VIRQS; i++)
        if (kept[i].port == port)
            kept[i].port = 0;
    return (int)pv_hypercall_event_channel_op(XEN_EVTCHNOP_close, &op);
}

int pv_event_status(uint32_t port, struct xen_evtchn_status *status)
{
    status->dom = XEN_DOMID_SELF;
    status->port = port;
    return (int)pv_hypercall_event_channel_op(XEN_EVTCHNOP_status, status);
}

int pv_event_own_domid(xen_domid_t *dom)
{
    struct xen_evtchn_status status;
    uint32_t port;
    int err = pv_event_alloc_unbound(XEN_DOMID_SELF, &port);

    if (err)
        return err;
    err = pv_event_status(port, &status);
    pv_event_close(port);
    if (err == 0)
        *dom = status.u.unbound.dom;
    return err;
}

int pv_event_send(uint32_t port)
{
    struct xen_evtchn_send op = {.port = port};

    return (int)pv_hypercall_event_channel_op(XEN_EVTCHNOP_send, &op);
}

/* The port's gate --------------------------------------------------------------------------- */

static uint64_t bit(uint32_t port)
{
    return (uint64_t)1 << (port % 64);
}

void pv_event_mask(uint32_t port)
{
    if (port < PV_EVENT_PORTS)
        __atomic_fetch_or(&pv_machine.shared->evtchn_mask[port / 64], bit(port), __ATOMIC_SEQ_CST);
}

void pv_event_unmask(uint32_t port)
{
    struct xen_shared_info *s = pv_machine.shared;
    struct xen_evtchn_unmask op = {.port = port};

    if (port >= PV_EVENT_PORTS)
        return;
    /* The hypervisor announces only what arrives unmasked. If the event is there already, only it
     * can raise the summary without a race, and only it can reach another vCPU. */
    if (port_cpu[port] == pv_this_cpu()) {
        __atomic_fetch_and(&s->evtchn_mask[port / 64], ~bit(port), __ATOMIC_SEQ_CST);
        if (!pv_event_is_pending(port))
            return;
        __atomic_fetch_or(&s->evtchn_mask[port / 64], bit(port), __ATOMIC_SEQ_CST);
    }
    pv_hypercall_event_channel_op(XEN_EVTCHNOP_unmask, &op);
}

bool pv_event_is_masked(uint32_t port)
{
    return port >= PV_EVENT_PORTS ||
           (__atomic_load_n(&pv_machine.shared->evtchn_mask[port / 64], __ATOMIC_SEQ_CST) &
            bit(port));
}

bool pv_event_is_pending(uint32_t port)
{
    return port < PV_EVENT_PORTS &&
           (__atomic_load_n(&pv_machine.shared->evtchn_pending[port / 64], __ATOMIC_SEQ_CST) &
            bit(port));
}

bool pv_event_take(uint32_t port)
{
    return port < PV_EVENT_PORTS &&
           (__atomic_fetch_and(&pv_machine.shared->evtchn_pending[port / 64], ~bit(port),
                               __ATOMIC_SEQ_CST) &
            bit(port));
}

/* Delivery ---------------------------------------------------------------------------------- */

static void deliver(uint32_t port, struct pv_regs *regs)
{
    if (port < PV_EVENT_HANDLERS && handlers[port].handler)
        handlers[port].handler(port, handlers[port].arg, regs);
    else
        pv_host_event(port, regs);
}

/* All ports of a word that are pending, unmasked and this vCPU's. */
static unsigned scan_word(unsigned word, unsigned cpu, struct pv_regs *regs)
{
    struct xen_shared_info *s = pv_machine.shared;
    unsigned count = 0;
    uint64_t ready = __atomic_load_n(&s->evtchn_pending[word], __ATOMIC_SEQ_CST) &
                     ~__atomic_load_n(&s->evtchn_mask[word], __ATOMIC_SEQ_CST);

    while (ready) {
        uint32_t port = word * 64 + (unsigned)__builtin_ctzll(ready);

        ready &= ready - 1;
        /* An earlier handler may have masked it; another vCPU's event is not ours to take. */
        if (port_cpu[port] != cpu || pv_event_is_masked(port) || !pv_event_take(port))
            continue;
        deliver(port, regs);
        count++;
    }
    return count;
}

static unsigned run_handlers(struct pv_regs *regs)
{
    struct xen_vcpu_info *v = pv_vcpu_info();
    unsigned cpu = pv_this_cpu(), count = 0;

    while (__atomic_exchange_n(&v->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST)) {
        uint64_t sel = __atomic_exchange_n(&v->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
        unsigned first = next_word[cpu];

        next_word[cpu] = (uint8_t)((first + 1) % 64);
        for (unsigned i = 0; i < 64 && sel; i++) {
            unsigned word = (first + i) % 64;

            if (sel >> word & 1) {
                sel &= ~((uint64_t)1 << word);
                count += scan_word(word, cpu, regs);
            }
        }
    }
    return count;
}

unsigned pv_event_poll(void)
{
    bool state = pv_events_disable();
    unsigned count = run_handlers(NULL);

    pv_events_restore(state);
    return count;
}

void pv_event_dispatch(struct pv_regs *regs)
{
    run_handlers(regs);
}

/* Around a suspend ---------------------------------------------------------------------------- */

void pv_event_keep(void)
{
    kept[KEPT_CONSOLE].port = pv_machine.info->console.domU.evtchn;
    kept[KEPT_STORE].port = pv_machine.info->store_evtchn;
    for (unsigned i = 0; i < PV_ARRAY_SIZE(kept); i++) {
        uint32_t port = kept[i].port;

        if (!port || port >= PV_EVENT_HANDLERS)
            continue;
        kept[i].masked = pv_event_is_masked(port);
        kept[i].handler = handlers[port].handler;
        kept[i].arg = handlers[port].arg;
    }
}

int pv_event_rebind(void)
{
    int err = 0;

    __builtin_memset(handlers, 0, sizeof(handlers));
    __builtin_memset(port_cpu, 0, sizeof(port_cpu));
    for (unsigned i = 0; i < PV_ARRAY_SIZE(kept); i++) {
        uint32_t port =
            i == KEPT_STORE ? pv_machine.info->store_evtchn : pv_machine.info->console.domU.evtchn;
        int rc = 0;

        if (!kept[i].port)
            continue;
        if (i < XEN_NR_VIRQS)
            rc = pv_event_bind_virq(i, 0, &port);
        if (rc == 0)
            rc = pv_event_handle(port, kept[i].handler, kept[i].arg);
        if (rc == 0 && !kept[i].masked)
            pv_event_unmask(port);
        if (rc)
            err = rc;
    }
    return err;
}
