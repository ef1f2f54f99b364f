/* SPDX-License-Identifier: MIT
 *
 * event.c - see event.h; the 2-level ABI.
 *
 * Order, as guests rely on it: pending bit, then selector bit, then upcall_pending, each an
 * atomic read-modify-write, because the guest clears them on its own, maybe on another
 * processor at this moment. A bit that was set already ends the walk: whoever set it
 * has done the rest.
 *
 * Invariants: an INTERDOMAIN port's other end is INTERDOMAIN and names it back; a bound
 * virtual interrupt is in its vCPU's virq_port[] and its port is VIRQ; ports at and beyond
 * valid_ports were never used.
 */
#include "event.h"
#include "guest_mem.h"
#include "sched.h"
#include "../backend/console.h"
#include "../backend/xenbus.h"
#include "../backend/xenstore.h"
#include <pv/abi/event_channel.h>

enum { PORT_STEP = 64, PIRQS = 256, PORTS_ORDER = 3 };
_Static_assert(sizeof(struct evtchn) * EVTCHN_PORTS == PV_PAGE_SIZE << PORTS_ORDER, "all ports");

bool evtchn_init(struct domain *d)
{
    d->ports = frame_hv_alloc(PORTS_ORDER);
    d->valid_ports = d->ports ? PORT_STEP : 0;
    return d->ports != NULL;
}

static struct evtchn *port_of(struct domain *d, uint32_t port)
{
    return port < d->valid_ports ? &d->ports[port] : NULL;
}

static bool virq_is_global(unsigned virq)
{
    return virq != XEN_VIRQ_TIMER && virq != XEN_VIRQ_DEBUG && virq != XEN_VIRQ_XENOPROF &&
           virq != XEN_VIRQ_XENPMU;
}

/* -- bits ------------------------------------------------------------------- */

static inline bool bit_test_set(uint64_t *words, unsigned bit)
{
    uint64_t m = 1ull << (bit % 64);

    return (__atomic_fetch_or(&words[bit / 64], m, __ATOMIC_SEQ_CST) & m) != 0;
}

static inline bool bit_test_clear(uint64_t *words, unsigned bit)
{
    uint64_t m = 1ull << (bit % 64);

    return (__atomic_fetch_and(&words[bit / 64], ~m, __ATOMIC_SEQ_CST) & m) != 0;
}

static inline bool bit_test(const uint64_t *words, unsigned bit)
{
    return (__atomic_load_n(&words[bit / 64], __ATOMIC_RELAXED) >> (bit % 64)) & 1;
}

/* The selector bit is the guest's news; the flag its summary. */
static inline void tell_vcpu(struct vcpu *v, uint32_t port)
{
    struct xen_vcpu_info *i = v->info;

    if (bit_test_set(&i->evtchn_pending_sel, port / 64))
        return;
    if (__atomic_exchange_n(&i->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST))
        return;
    if (v->state == VCPU_BLOCKED)
        sched_wake(v);
}

static __attribute__((noinline)) void wake_pollers(struct domain *d, uint32_t port)
{
    for (unsigned i = 0; i < d->vcpus; i++) {
        struct vcpu *v = d->vcpu[i];

        if (!v->polling)
            continue;
        for (unsigned p = 0; p < v->poll_nr; p++)
            if (v->poll_port[p] == port) {
                sched_wake(v);
                break;
            }
    }
}

static inline void set_pending(struct domain *d, const struct evtchn *e, uint32_t port)
{
    struct xen_shared_info *s = d->shared;

    if (bit_test_set(s->evtchn_pending, port))
        return;
    if (!bit_test(s->evtchn_mask, port))
        tell_vcpu(d->vcpu[e->vcpu], port);
    if (unlikely(d->pollers))
        wake_pollers(d, port);
}

void evtchn_notify(struct domain *d, uint32_t port)
{
    struct evtchn *e = port_of(d, port);

    if (e && e->state != EVTCHN_FREE)
        set_pending(d, e, port);
}

void evtchn_virq(struct vcpu *v, unsigned virq)
{
    uint32_t port = v->virq_port[virq];

    if (port)
        set_pending(v->domain, &v->domain->ports[port], port);
}

int evtchn_pending(struct domain *d, uint32_t port)
{
    return port_of(d, port) ? bit_test(d->shared->evtchn_pending, port) : -1;
}

/* -- making ports --------------------------------------------------------------- */

static uint32_t free_port(struct domain *d)
{
    for (uint32_t p = 1; p < EVTCHN_PORTS; p++) {
        if (p >= d->valid_ports)
            d->valid_ports += PORT_STEP;
        if (d->ports[p].state == EVTCHN_FREE)
            return p;
    }
    return 0;
}

/* A free port is out of sight until here: nothing fails any more. */
static void open_port(struct domain *d, uint32_t port, struct evtchn e)
{
    d->ports[port] = e;
    d->active_ports++;
    stage_reached(d, STAGE_events);
    bit_test_clear(d->shared->evtchn_pending, port);
}

uint32_t evtchn_bind_backend(struct domain *d, enum evtchn_backend b)
{
    uint32_t port = free_port(d);

    if (port)
        open_port(d, port, (struct evtchn){.state = EVTCHN_BACKEND, .peer = b});
    return port;
}

bool evtchn_bind_device(struct domain *d, uint32_t port, uint32_t slot)
{
    struct evtchn *e = port_of(d, port);

    if (!e || e->state != EVTCHN_UNBOUND || e->remote != 0)
        return false;
    *e = (struct evtchn){.state = EVTCHN_BACKEND, .vcpu = e->vcpu, .peer = BACKEND_DEVICE + slot};
    set_pending(d, e, port);
    return true;
}

void evtchn_release_device(struct domain *d, uint32_t port, uint32_t slot)
{
    struct evtchn *e = port_of(d, port);

    if (e && e->state == EVTCHN_BACKEND && e->peer == BACKEND_DEVICE + slot)
        *e = (struct evtchn){.state = EVTCHN_UNBOUND, .vcpu = e->vcpu};
}

static void close_port(struct domain *d, uint32_t port)
{
    struct evtchn *e = &d->ports[port];

    if (e->state == EVTCHN_VIRQ)
        d->vcpu[virq_is_global(e->peer) ? 0 : e->vcpu]->virq_port[e->peer] = 0;
    if (e->state == EVTCHN_INTERDOMAIN) {
        struct evtchn *other = &hv.domain[e->remote]->ports[e->peer];

        if (other != e)
            *other = (struct evtchn){EVTCHN_UNBOUND, other->vcpu, d->id, 0};
    }
    bit_test_clear(d->shared->evtchn_pending, port);
    *e = (struct evtchn){0};
    d->active_ports--;
}

void evtchn_exit(struct domain *d)
{
    if (!d->ports)
        return;
    for (uint32_t p = 1; p < d->valid_ports; p++)
        if (d->ports[p].state != EVTCHN_FREE)
            close_port(d, p);
}

void evtchn_free(struct domain *d)
{
    if (d->ports)
        frame_hv_free(d->ports, PORTS_ORDER);
    d->ports = NULL;
    d->valid_ports = 0;
}

static long no_port(struct vcpu *v)
{
    return refuse(v, RULE_PORT_NONE_FREE, .limit = EVTCHN_PORTS - 1);
}

static __attribute__((noinline)) long alloc_unbound(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_evtchn_alloc_unbound a;
    struct domain *d;
    uint32_t port;
    long err;

    if (guest_copy_in(&a, arg, sizeof(a)))
        return refuse_pointer(v, arg.va);
    d = domain_for(v, a.dom, &err);
    if (!d)
        return err;
    port = free_port(d);
    if (!port)
        return no_port(v);
    open_port(
        d, port,
        (struct evtchn){.state = EVTCHN_UNBOUND,
                        .remote = a.remote_dom == XEN_DOMID_SELF ? v->domain->id : a.remote_dom});
    a.port = port;
    if (guest_copy_out(arg, &a, sizeof(a)))
        return refuse_pointer(v, arg.va);
    return 0;
}

static __attribute__((noinline)) long bind_interdomain(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_evtchn_bind_interdomain b;
    struct domain *d = v->domain, *rd;
    struct evtchn *re;
    uint32_t port;

    if (guest_copy_in(&b, arg, sizeof(b)))
        return refuse_pointer(v, arg.va);
    rd = b.remote_dom == XEN_DOMID_SELF ? d : domain_by_id(b.remote_dom);
    if (!rd || !rd->ports)
        return refuse(v, RULE_DOMAIN_UNKNOWN, .value = b.remote_dom);
    port = free_port(d);
    if (!port)
        return no_port(v);
    re = port_of(rd, b.remote_port);
    if (!re || re->state != EVTCHN_UNBOUND || re->remote != d->id)
        return refuse(v, RULE_PORT_NOT_OURS, .port = b.remote_port, .value = rd->id);
    open_port(
        d, port,
        (struct evtchn){.state = EVTCHN_INTERDOMAIN, .remote = rd->id, .peer = b.remote_port});
    *re = (struct evtchn){EVTCHN_INTERDOMAIN, re->vcpu, d->id, port};
    /* What was sent before we came is lost; so there is always one event. */
    set_pending(d, &d->ports[port], port);
    b.local_port = port;
    if (guest_copy_out(arg, &b, sizeof(b)))
        return refuse_pointer(v, arg.va);
    return 0;
}

static __attribute__((noinline)) long bind_virq(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_evtchn_bind_virq b;
    struct domain *d = v->domain;
    struct vcpu *target;
    uint32_t port;

    if (guest_copy_in(&b, arg, sizeof(b)))
        return refuse_pointer(v, arg.va);
    if (b.virq >= XEN_NR_VIRQS)
        return refuse(v, RULE_VIRQ_UNKNOWN, .value = b.virq, .limit = XEN_NR_VIRQS);
    if (virq_is_global(b.virq) && b.vcpu != 0)
        return refuse(v, RULE_VIRQ_GLOBAL, .value = b.virq);
    if (b.vcpu >= d->vcpus)
        return refuse(v, RULE_VCPU_UNKNOWN, .value = b.vcpu);
    target = d->vcpu[b.vcpu];
    if (target->virq_port[b.virq])
        return refuse(v, RULE_VIRQ_BOUND, .value = b.virq, .port = target->virq_port[b.virq]);
    port = free_port(d);
    if (!port)
        return no_port(v);
    open_port(d, port,
              (struct evtchn){.state = EVTCHN_VIRQ, .vcpu = (uint8_t)b.vcpu, .peer = b.virq});
    target->virq_port[b.virq] = (uint16_t)port;
    b.port = port;
    if (guest_copy_out(arg, &b, sizeof(b)))
        return refuse_pointer(v, arg.va);
    return 0;
}

static __attribute__((noinline)) long bind_ipi(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_evtchn_bind_ipi b;
    struct domain *d = v->domain;
    uint32_t port;

    if (guest_copy_in(&b, arg, sizeof(b)))
        return refuse_pointer(v, arg.va);
    if (b.vcpu >= d->vcpus)
        return refuse(v, RULE_VCPU_UNKNOWN, .value = b.vcpu);
    port = free_port(d);
    if (!port)
        return no_port(v);
    open_port(d, port, (struct evtchn){.state = EVTCHN_IPI, .vcpu = (uint8_t)b.vcpu});
    b.port = port;
    if (guest_copy_out(arg, &b, sizeof(b)))
        return refuse_pointer(v, arg.va);
    return 0;
}

static __attribute__((noinline)) long bind_pirq(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_evtchn_bind_pirq b;

    if (guest_copy_in(&b, arg, sizeof(b)))
        return refuse_pointer(v, arg.va);
    return refuse(v, RULE_PORT_NO_PIRQ, .value = b.pirq, .err = b.pirq < PIRQS ? 0 : -XEN_EINVAL);
}

/* -- using ports ------------------------------------------------------------------ */

static COLD long no_such_port(struct vcpu *v, uint32_t port)
{
    return refuse(v, RULE_PORT_UNKNOWN, .port = port);
}

static __attribute__((noinline)) long op_close(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_evtchn_close c;
    struct evtchn *e;

    if (guest_copy_in(&c, arg, sizeof(c)))
        return refuse_pointer(v, arg.va);
    e = port_of(v->domain, c.port);
    if (!e)
        return no_such_port(v, c.port);
    if (e->state == EVTCHN_FREE)
        return refuse(v, RULE_PORT_CLOSED, .port = c.port);
    close_port(v->domain, c.port);
    return 0;
}

static __attribute__((noinline)) void notify_backend(struct domain *d, uint32_t backend)
{
    if (likely(backend >= BACKEND_DEVICE))
        xenbus_notified(d, backend - BACKEND_DEVICE);
    else if (backend == BACKEND_CONSOLE)
        console_notified(d);
    else if (backend == BACKEND_STORE)
        xenstore_notified(d);
}

static COLD long cannot_send(struct vcpu *v, uint32_t port, unsigned state)
{
    if (state == EVTCHN_FREE)
        return refuse(v, RULE_PORT_CLOSED, .port = port);
    return refuse(v, RULE_PORT_KIND, .port = port, .value = state);
}

static inline long op_send(struct vcpu *v, pv_gptr_t arg)
{
    struct domain *d = v->domain;
    struct xen_evtchn_send s;
    struct evtchn *e;

    if (guest_copy_in(&s, arg, sizeof(s)))
        return refuse_pointer(v, arg.va);
    e = port_of(d, s.port);
    if (unlikely(!e))
        return no_such_port(v, s.port);
    if (e->state == EVTCHN_INTERDOMAIN) {
        struct domain *rd = hv.domain[e->remote];

        set_pending(rd, &rd->ports[e->peer], e->peer);
    } else if (e->state == EVTCHN_IPI) {
        set_pending(d, e, s.port);
    } else if (e->state == EVTCHN_BACKEND) {
        notify_backend(d, e->peer);
    } else if (e->state != EVTCHN_UNBOUND) { /* there nobody is to hear it */
        return cannot_send(v, s.port, e->state);
    }
    return 0;
}

static __attribute__((noinline)) long op_status(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_evtchn_status s;
    struct evtchn *e;
    struct domain *d;
    long err;

    if (guest_copy_in(&s, arg, sizeof(s)))
        return refuse_pointer(v, arg.va);
    d = domain_for(v, s.dom, &err);
    if (!d)
        return err;
    e = port_of(d, s.port);
    if (!e)
        return no_such_port(v, s.port);
    s.vcpu = e->vcpu;
    switch (e->state) {
    case EVTCHN_FREE:
        s.status = XEN_EVTCHNSTAT_closed;
        break;
    case EVTCHN_UNBOUND:
        s.status = XEN_EVTCHNSTAT_unbound;
        s.u.unbound.dom = e->remote;
        break;
    case EVTCHN_INTERDOMAIN:
    case EVTCHN_BACKEND:
        s.status = XEN_EVTCHNSTAT_interdomain;
        s.u.interdomain.dom = e->remote;
        s.u.interdomain.port = e->peer;
        break;
    case EVTCHN_VIRQ:
        s.status = XEN_EVTCHNSTAT_virq;
        s.u.virq = e->peer;
        break;
    default:
        s.status = XEN_EVTCHNSTAT_ipi;
        break;
    }
    if (guest_copy_out(arg, &s, sizeof(s)))
        return refuse_pointer(v, arg.va);
    return 0;
}

static __attribute__((noinline)) long op_bind_vcpu(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_evtchn_bind_vcpu b;
    struct evtchn *e;

    if (guest_copy_in(&b, arg, sizeof(b)))
        return refuse_pointer(v, arg.va);
    if (b.vcpu >= v->domain->vcpus)
        return refuse(v, RULE_VCPU_UNKNOWN, .value = b.vcpu);
    e = port_of(v->domain, b.port);
    if (!e)
        return no_such_port(v, b.port);
    if (e->state == EVTCHN_FREE || e->state == EVTCHN_IPI ||
        (e->state == EVTCHN_VIRQ && !virq_is_global(e->peer)))
        return refuse(v, RULE_PORT_KIND, .port = b.port, .value = e->state);
    e->vcpu = (uint8_t)b.vcpu;
    return 0;
}

static inline long op_unmask(struct vcpu *v, pv_gptr_t arg)
{
    struct domain *d = v->domain;
    struct xen_evtchn_unmask u;
    struct evtchn *e;

    if (guest_copy_in(&u, arg, sizeof(u)))
        return refuse_pointer(v, arg.va);
    e = port_of(d, u.port);
    if (unlikely(!e))
        return no_such_port(v, u.port);
    if (bit_test_clear(d->shared->evtchn_mask, u.port) &&
        bit_test(d->shared->evtchn_pending, u.port))
        tell_vcpu(d->vcpu[e->vcpu], u.port);
    return 0;
}

static __attribute__((noinline)) long op_reset(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_evtchn_reset r;
    struct domain *d;
    long err;

    if (guest_copy_in(&r, arg, sizeof(r)))
        return refuse_pointer(v, arg.va);
    d = domain_for(v, r.dom, &err);
    if (!d)
        return err;
    evtchn_exit(d); /* bounded: 4096 ports at most */
    return 0;
}

static __attribute__((noinline)) long op_set_priority(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_evtchn_set_priority p;

    if (guest_copy_in(&p, arg, sizeof(p)))
        return refuse_pointer(v, arg.va);
    if (!port_of(v->domain, p.port))
        return no_such_port(v, p.port);
    return refuse(v, RULE_PORT_FIFO, .port = p.port);
}

static __attribute__((noinline)) long other_op(struct vcpu *v, int32_t cmd, pv_gptr_t arg)
{
    switch (cmd) {
    case XEN_EVTCHNOP_alloc_unbound:
        return alloc_unbound(v, arg);
    case XEN_EVTCHNOP_bind_interdomain:
        return bind_interdomain(v, arg);
    case XEN_EVTCHNOP_bind_virq:
        return bind_virq(v, arg);
    case XEN_EVTCHNOP_bind_ipi:
        return bind_ipi(v, arg);
    case XEN_EVTCHNOP_bind_pirq:
        return bind_pirq(v, arg);
    case XEN_EVTCHNOP_close:
        return op_close(v, arg);
    case XEN_EVTCHNOP_status:
        return op_status(v, arg);
    case XEN_EVTCHNOP_bind_vcpu:
        return op_bind_vcpu(v, arg);
    case XEN_EVTCHNOP_reset:
        return op_reset(v, arg);
    case XEN_EVTCHNOP_set_priority:
        return op_set_priority(v, arg);
    case XEN_EVTCHNOP_init_control:
    case XEN_EVTCHNOP_expand_array:
        return refuse(v, RULE_PORT_FIFO, .value = (uint32_t)cmd);
    default:
        return refuse(v, RULE_HYPERCALL_SUBOP, .value = (uint32_t)cmd);
    }
}

long hc_event_channel_op(struct vcpu *v, int32_t cmd, pv_gptr_t arg)
{
    if (cmd == XEN_EVTCHNOP_send)
        return op_send(v, arg);
    if (cmd == XEN_EVTCHNOP_unmask)
        return op_unmask(v, arg);
    return other_op(v, cmd, arg);
}

long hc_event_channel_op_compat(struct vcpu *v, pv_gptr_t arg)
{
    uint32_t cmd;

    if (guest_copy_in(&cmd, arg, sizeof(cmd)))
        return refuse_pointer(v, arg.va);
    if (cmd > XEN_EVTCHNOP_unmask)
        return refuse(v, RULE_HYPERCALL_SUBOP, .value = cmd);
    return hc_event_channel_op(v, (int32_t)cmd, gptr_add(arg, offsetof(struct xen_evtchn_op, u)));
}
