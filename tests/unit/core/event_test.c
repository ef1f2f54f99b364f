/* SPDX-License-Identifier: MIT
 *
 * event_test.c - event channels: who hears what, and every refusal.
 */
#include "exec_fixture.h"
#include <pv/abi/event_channel.h>
#include <pv/abi/sched.h>

TestSuite(event, .init = exec_setup, .fini = exec_teardown);

static long op(int cmd, void *arg, size_t n)
{
    return call_with(XEN_HYPERVISOR_event_channel_op, (uint64_t)cmd, arg, n);
}

static uint32_t unbound(uint16_t remote)
{
    struct xen_evtchn_alloc_unbound a = {.dom = XEN_DOMID_SELF, .remote_dom = remote};

    cr_assert_eq(op(XEN_EVTCHNOP_alloc_unbound, &a, sizeof(a)), 0);
    return a.port;
}

static uint32_t ipi(uint32_t vcpu)
{
    struct xen_evtchn_bind_ipi b = {.vcpu = vcpu};

    cr_assert_eq(op(XEN_EVTCHNOP_bind_ipi, &b, sizeof(b)), 0);
    return b.port;
}

static long virq(uint32_t n, uint32_t vcpu, uint32_t *port)
{
    struct xen_evtchn_bind_virq b = {.virq = n, .vcpu = vcpu};
    long rc = op(XEN_EVTCHNOP_bind_virq, &b, sizeof(b));

    if (port)
        *port = b.port;
    return rc;
}

static long send_to(uint32_t port)
{
    struct xen_evtchn_send s = {port};

    return op(XEN_EVTCHNOP_send, &s, sizeof(s));
}

static long unmask(uint32_t port)
{
    struct xen_evtchn_unmask u = {port};

    return op(XEN_EVTCHNOP_unmask, &u, sizeof(u));
}

static long close_port(uint32_t port)
{
    struct xen_evtchn_close c = {port};

    return op(XEN_EVTCHNOP_close, &c, sizeof(c));
}

static struct xen_evtchn_status status(uint32_t port)
{
    struct xen_evtchn_status s = {.dom = XEN_DOMID_SELF, .port = port};

    cr_assert_eq(op(XEN_EVTCHNOP_status, &s, sizeof(s)), 0);
    return s;
}

static long bind(uint16_t dom, uint32_t port, uint32_t *local)
{
    struct xen_evtchn_bind_interdomain b = {.remote_dom = dom, .remote_port = port};
    long rc = op(XEN_EVTCHNOP_bind_interdomain, &b, sizeof(b));

    *local = b.local_port;
    return rc;
}

/* A port of the other guest that waits for ours. */
static uint32_t foreign_unbound(uint16_t remote)
{
    struct xen_evtchn_alloc_unbound a = {.dom = XEN_DOMID_SELF, .remote_dom = remote};
    uint32_t port;

    hosted_run(other->v);
    memcpy(hosted_page(other, ARGS), &a, sizeof(a));
    cr_assert_eq(hosted_call(other->v, XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_alloc_unbound,
                             hosted_va(ARGS), 0, 0),
                 0);
    memcpy(&a, hosted_page(other, ARGS), sizeof(a));
    port = a.port;
    hosted_run(v);
    return port;
}

Test(event, a_send_sets_pending_selector_and_flag)
{
    struct xen_shared_info *s = g->d->shared;
    uint32_t p = ipi(0);

    v->info->evtchn_upcall_pending = 0;
    cr_assert_eq(send_to(p), 0);
    cr_assert(bit(s->evtchn_pending, p));
    cr_assert_eq(v->info->evtchn_pending_sel, 1ull << (p / 64));
    cr_assert_eq(v->info->evtchn_upcall_pending, 1);
    /* Pending already: nothing is told twice. */
    v->info->evtchn_upcall_pending = 0;
    v->info->evtchn_pending_sel = 0;
    cr_assert_eq(send_to(p), 0);
    cr_assert_eq(v->info->evtchn_upcall_pending, 0);
}

Test(event, a_masked_port_is_silent_until_unmasked)
{
    struct xen_shared_info *s = g->d->shared;
    uint32_t p = ipi(0);

    set_bit(s->evtchn_mask, p);
    cr_assert_eq(send_to(p), 0);
    cr_assert(bit(s->evtchn_pending, p));
    cr_assert_eq(v->info->evtchn_upcall_pending, 0);
    cr_assert_eq(unmask(p), 0);
    cr_assert_not(bit(s->evtchn_mask, p));
    cr_assert_eq(v->info->evtchn_upcall_pending, 1);
    /* Not masked: unmask changes nothing. */
    v->info->evtchn_upcall_pending = 0;
    v->info->evtchn_pending_sel = 0;
    cr_assert_eq(unmask(p), 0);
    cr_assert_eq(v->info->evtchn_upcall_pending, 0);
    assert_refused(unmask(64), RULE_PORT_UNKNOWN, XEN_EINVAL);
}

Test(event, a_set_selector_bit_or_flag_ends_the_walk)
{
    uint32_t p = ipi(0), q = ipi(0);

    v->info->evtchn_upcall_pending = 1;
    cr_assert_eq(send_to(p), 0);
    cr_assert_eq(v->info->evtchn_pending_sel, 1);
    v->info->evtchn_upcall_pending = 0; /* the selector bit is still set */
    cr_assert_eq(send_to(q), 0);
    cr_assert_eq(v->info->evtchn_upcall_pending, 0);
}

Test(event, an_ipi_wakes_its_vcpu)
{
    uint32_t p = ipi(1);

    v1->state = VCPU_BLOCKED;
    cr_assert_eq(send_to(p), 0);
    cr_assert_eq(v1->state, VCPU_RUNNABLE);
    cr_assert_eq(v1->info->evtchn_upcall_pending, 1);
    cr_assert_eq(v->info->evtchn_upcall_pending, 0);
    cr_assert_eq(status(p).status, XEN_EVTCHNSTAT_ipi);
    cr_assert_eq(status(p).vcpu, 1);
}

Test(event, guests_talk)
{
    uint32_t theirs = foreign_unbound(1), mine;

    cr_assert_eq(bind(2, theirs, &mine), 0);
    cr_assert(bit(g->d->shared->evtchn_pending, mine), "there is always a first event");
    cr_assert_eq(status(mine).status, XEN_EVTCHNSTAT_interdomain);
    cr_assert_eq(status(mine).u.interdomain.dom, 2);
    cr_assert_eq(status(mine).u.interdomain.port, theirs);
    cr_assert_eq(send_to(mine), 0);
    cr_assert(bit(other->d->shared->evtchn_pending, theirs));
    cr_assert_eq(close_port(mine), 0);
    cr_assert_eq(other->d->ports[theirs].state, EVTCHN_UNBOUND);
    cr_assert_eq(other->d->ports[theirs].remote, 1);
    /* It may be bound again. */
    cr_assert_eq(bind(2, theirs, &mine), 0);
    evtchn_exit(other->d);
    cr_assert_eq(status(mine).status, XEN_EVTCHNSTAT_unbound);
    cr_assert_eq(status(mine).u.unbound.dom, 2);
    cr_assert_eq(send_to(mine), 0, "nobody is there to hear it");
}

Test(event, a_guest_talks_to_itself)
{
    uint32_t a = unbound(XEN_DOMID_SELF), b;

    cr_assert_eq(bind(XEN_DOMID_SELF, a, &b), 0);
    cr_assert_neq(a, b);
    g->d->shared->evtchn_pending[0] = 0;
    cr_assert_eq(send_to(b), 0);
    cr_assert(bit(g->d->shared->evtchn_pending, a));
    cr_assert_eq(close_port(a), 0);
    cr_assert_eq(status(b).status, XEN_EVTCHNSTAT_unbound);
    cr_assert_eq(close_port(b), 0);
    assert_refused(close_port(b), RULE_PORT_CLOSED, XEN_EINVAL);
}

Test(event, binding_is_refused_unless_it_was_meant_for_us)
{
    uint32_t p;

    assert_refused(bind(9, 1, &p), RULE_DOMAIN_UNKNOWN, XEN_ESRCH);
    assert_refused(bind(2, 1, &p), RULE_PORT_NOT_OURS, XEN_EINVAL);
    assert_refused(bind(2, foreign_unbound(5), &p), RULE_PORT_NOT_OURS, XEN_EINVAL);
    assert_refused(bind(2, 99999, &p), RULE_PORT_NOT_OURS, XEN_EINVAL);
    cr_assert_eq(last_of(g)->port, 99999);
}

Test(event, unbound_ports_are_our_own_only)
{
    struct xen_evtchn_alloc_unbound a = {.dom = 2, .remote_dom = 1};

    assert_refused(op(XEN_EVTCHNOP_alloc_unbound, &a, sizeof(a)), RULE_DOMAIN_FOREIGN, XEN_EPERM);
    a.dom = 77;
    assert_refused(op(XEN_EVTCHNOP_alloc_unbound, &a, sizeof(a)), RULE_DOMAIN_UNKNOWN, XEN_ESRCH);
    a.dom = 1; /* its own number will do */
    cr_assert_eq(op(XEN_EVTCHNOP_alloc_unbound, &a, sizeof(a)), 0);
    cr_assert_eq(status(a.port).status, XEN_EVTCHNSTAT_unbound);
    cr_assert_eq(status(a.port).u.unbound.dom, 1);
}

Test(event, virtual_interrupts)
{
    uint32_t p, q;

    cr_assert_eq(virq(XEN_VIRQ_TIMER, 1, &p), 0);
    cr_assert_eq(status(p).status, XEN_EVTCHNSTAT_virq);
    cr_assert_eq(status(p).u.virq, XEN_VIRQ_TIMER);
    cr_assert_eq(status(p).vcpu, 1);
    assert_refused(virq(XEN_VIRQ_TIMER, 1, &q), RULE_VIRQ_BOUND, XEN_EEXIST);
    cr_assert_eq(virq(XEN_VIRQ_TIMER, 0, &q), 0);
    assert_refused(virq(XEN_NR_VIRQS, 0, &q), RULE_VIRQ_UNKNOWN, XEN_EINVAL);
    assert_refused(virq(0xffffffff, 0, &q), RULE_VIRQ_UNKNOWN, XEN_EINVAL);
    assert_refused(virq(XEN_VIRQ_CONSOLE, 1, &q), RULE_VIRQ_GLOBAL, XEN_EINVAL);
    assert_refused(virq(XEN_VIRQ_DEBUG, 2, &q), RULE_VCPU_UNKNOWN, XEN_ENOENT);
    evtchn_virq(v1, XEN_VIRQ_TIMER);
    cr_assert(bit(g->d->shared->evtchn_pending, p));
    evtchn_virq(v1, XEN_VIRQ_DEBUG); /* not bound: nothing happens */
    assert_refused(send_to(p), RULE_PORT_KIND, XEN_EINVAL);
    cr_assert_eq(close_port(p), 0);
    cr_assert_eq(v1->virq_port[XEN_VIRQ_TIMER], 0);
    cr_assert_eq(virq(XEN_VIRQ_TIMER, 1, &p), 0, "free again");
}

Test(event, ports_move_to_another_vcpu)
{
    struct xen_evtchn_bind_vcpu b = {.vcpu = 1};
    uint32_t timer, global;

    b.port = unbound(2);
    cr_assert_eq(op(XEN_EVTCHNOP_bind_vcpu, &b, sizeof(b)), 0);
    cr_assert_eq(status(b.port).vcpu, 1);
    cr_assert_eq(virq(XEN_VIRQ_DOM_EXC, 0, &global), 0);
    b.port = global;
    cr_assert_eq(op(XEN_EVTCHNOP_bind_vcpu, &b, sizeof(b)), 0);
    cr_assert_eq(close_port(global), 0);
    cr_assert_eq(v->virq_port[XEN_VIRQ_DOM_EXC], 0, "a global one stays vCPU 0's");
    cr_assert_eq(virq(XEN_VIRQ_TIMER, 0, &timer), 0);
    b.port = timer;
    assert_refused(op(XEN_EVTCHNOP_bind_vcpu, &b, sizeof(b)), RULE_PORT_KIND, XEN_EINVAL);
    b.port = ipi(0);
    assert_refused(op(XEN_EVTCHNOP_bind_vcpu, &b, sizeof(b)), RULE_PORT_KIND, XEN_EINVAL);
    b.port = 60;
    assert_refused(op(XEN_EVTCHNOP_bind_vcpu, &b, sizeof(b)), RULE_PORT_KIND, XEN_EINVAL);
    b.port = 64;
    assert_refused(op(XEN_EVTCHNOP_bind_vcpu, &b, sizeof(b)), RULE_PORT_UNKNOWN, XEN_EINVAL);
    b.vcpu = 2;
    assert_refused(op(XEN_EVTCHNOP_bind_vcpu, &b, sizeof(b)), RULE_VCPU_UNKNOWN, XEN_ENOENT);
}

Test(event, status_and_send_of_what_is_not_there)
{
    struct xen_evtchn_status s = {.dom = XEN_DOMID_SELF, .port = 64};

    cr_assert_eq(status(63).status, XEN_EVTCHNSTAT_closed);
    assert_refused(op(XEN_EVTCHNOP_status, &s, sizeof(s)), RULE_PORT_UNKNOWN, XEN_EINVAL);
    s.dom = 2;
    assert_refused(op(XEN_EVTCHNOP_status, &s, sizeof(s)), RULE_DOMAIN_FOREIGN, XEN_EPERM);
    s.dom = XEN_DOMID_IO;
    assert_refused(op(XEN_EVTCHNOP_status, &s, sizeof(s)), RULE_DOMAIN_UNKNOWN, XEN_ESRCH);
    assert_refused(send_to(63), RULE_PORT_CLOSED, XEN_EINVAL);
    assert_refused(send_to(64), RULE_PORT_UNKNOWN, XEN_EINVAL);
    assert_refused(close_port(64), RULE_PORT_UNKNOWN, XEN_EINVAL);
    assert_refused(close_port(63), RULE_PORT_CLOSED, XEN_EINVAL);
}

Test(event, all_ports_can_be_used_and_not_one_more)
{
    struct xen_evtchn_alloc_unbound a = {.dom = XEN_DOMID_SELF, .remote_dom = 1};
    struct xen_evtchn_bind_ipi i = {.vcpu = 0};
    struct xen_evtchn_reset r = {XEN_DOMID_SELF};
    uint32_t theirs = foreign_unbound(1), p, n = 0;

    while (op(XEN_EVTCHNOP_alloc_unbound, &a, sizeof(a)) == 0)
        cr_assert_eq(a.port, ++n);
    cr_assert_eq(n, EVTCHN_PORTS - 1);
    cr_assert_eq(g->d->active_ports, n);
    cr_assert_eq(last_of(g)->rule, RULE_PORT_NONE_FREE);
    assert_refused(bind(2, theirs, &p), RULE_PORT_NONE_FREE, XEN_ENOSPC);
    assert_refused(virq(XEN_VIRQ_TIMER, 0, &p), RULE_PORT_NONE_FREE, XEN_ENOSPC);
    assert_refused(op(XEN_EVTCHNOP_bind_ipi, &i, sizeof(i)), RULE_PORT_NONE_FREE, XEN_ENOSPC);
    cr_assert_eq(evtchn_bind_backend(g->d, BACKEND_STORE), 0);
    cr_assert_eq(send_to(EVTCHN_PORTS - 1), 0);
    cr_assert_eq(op(XEN_EVTCHNOP_reset, &r, sizeof(r)), 0);
    cr_assert_eq(g->d->active_ports, 0);
    cr_assert_eq(ipi(0), 1);
    r.dom = 2;
    assert_refused(op(XEN_EVTCHNOP_reset, &r, sizeof(r)), RULE_DOMAIN_FOREIGN, XEN_EPERM);
}

Test(event, what_is_not_offered_says_so)
{
    struct xen_evtchn_bind_pirq b = {.pirq = 3};
    struct xen_evtchn_bind_ipi i = {.vcpu = 7};
    struct xen_evtchn_set_priority p = {.port = 1};

    assert_refused(op(XEN_EVTCHNOP_bind_pirq, &b, sizeof(b)), RULE_PORT_NO_PIRQ, XEN_EPERM);
    b.pirq = 4000;
    assert_refused(op(XEN_EVTCHNOP_bind_pirq, &b, sizeof(b)), RULE_PORT_NO_PIRQ, XEN_EINVAL);
    assert_refused(op(XEN_EVTCHNOP_bind_ipi, &i, sizeof(i)), RULE_VCPU_UNKNOWN, XEN_ENOENT);
    assert_refused(op(XEN_EVTCHNOP_set_priority, &p, sizeof(p)), RULE_PORT_FIFO, XEN_ENOSYS);
    p.port = 5000;
    assert_refused(op(XEN_EVTCHNOP_set_priority, &p, sizeof(p)), RULE_PORT_UNKNOWN, XEN_EINVAL);
    assert_refused(op(XEN_EVTCHNOP_init_control, &p, sizeof(p)), RULE_PORT_FIFO, XEN_ENOSYS);
    assert_refused(op(XEN_EVTCHNOP_expand_array, &p, sizeof(p)), RULE_PORT_FIFO, XEN_ENOSYS);
    assert_refused(op(77, &p, sizeof(p)), RULE_HYPERCALL_SUBOP, XEN_ENOSYS);
    assert_refused(op(-1, &p, sizeof(p)), RULE_HYPERCALL_SUBOP, XEN_ENOSYS);
}

Test(event, arguments_are_copied_or_refused)
{
    for (int cmd = XEN_EVTCHNOP_bind_interdomain; cmd <= XEN_EVTCHNOP_reset; cmd++) {
        assert_refused(call(XEN_HYPERVISOR_event_channel_op, (uint64_t)cmd, BAD_VA, 0),
                       RULE_GUEST_POINTER, XEN_EFAULT);
        assert_refused(call(XEN_HYPERVISOR_event_channel_op, (uint64_t)cmd, HV_VA, 0),
                       RULE_GUEST_POINTER, XEN_EFAULT);
    }
    assert_refused(call(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_set_priority, WEIRD_VA, 0),
                   RULE_GUEST_POINTER, XEN_EFAULT);
}

/* A read-only page holds arguments whose answer cannot be written. */
Test(event, answers_need_a_writable_place)
{
    struct xen_evtchn_alloc_unbound a = {.dom = XEN_DOMID_SELF, .remote_dom = 2};
    struct xen_evtchn_status s = {.dom = XEN_DOMID_SELF, .port = 1};
    uint64_t va = hosted_va(g->l4); /* a page table */
    uint64_t keep[8];

    memcpy(keep, hosted_page(g, g->l4), sizeof(keep));
    memcpy(hosted_page(g, g->l4), &a, sizeof(a));
    assert_refused(call(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_alloc_unbound, va, 0),
                   RULE_GUEST_POINTER, XEN_EFAULT);
    memcpy(hosted_page(g, g->l4), &s, sizeof(s));
    assert_refused(call(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_status, va, 0),
                   RULE_GUEST_POINTER, XEN_EFAULT);
    memset(hosted_page(g, g->l4), 0, 64);
    assert_refused(call(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_bind_ipi, va, 0),
                   RULE_GUEST_POINTER, XEN_EFAULT);
    assert_refused(call(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_bind_virq, va, 0),
                   RULE_GUEST_POINTER, XEN_EFAULT);
    {
        struct xen_evtchn_bind_interdomain b = {.remote_dom = 2, .remote_port = foreign_unbound(1)};

        memcpy(hosted_page(g, g->l4), &b, sizeof(b));
        assert_refused(call(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_bind_interdomain, va, 0),
                       RULE_GUEST_POINTER, XEN_EFAULT);
    }
    memcpy(hosted_page(g, g->l4), keep, sizeof(keep));
}

Test(event, the_old_call_takes_the_old_commands)
{
    struct xen_evtchn_op o = {.cmd = XEN_EVTCHNOP_bind_ipi, .u.bind_ipi.vcpu = 0};

    memcpy(args(), &o, sizeof(o));
    cr_assert_eq(call(XEN_HYPERVISOR_event_channel_op_compat, args_va(), 0, 0), 0);
    memcpy(&o, args(), sizeof(o));
    cr_assert_eq(o.u.bind_ipi.port, 1);
    o.cmd = XEN_EVTCHNOP_reset;
    memcpy(args(), &o, sizeof(o));
    assert_refused(call(XEN_HYPERVISOR_event_channel_op_compat, args_va(), 0, 0),
                   RULE_HYPERCALL_SUBOP, XEN_ENOSYS);
    assert_refused(call(XEN_HYPERVISOR_event_channel_op_compat, BAD_VA, 0, 0), RULE_GUEST_POINTER,
                   XEN_EFAULT);
}

Test(event, back_ends_are_notified_and_notify)
{
    uint32_t store = evtchn_bind_backend(g->d, BACKEND_STORE);

    cr_assert_eq(status(store).status, XEN_EVTCHNSTAT_interdomain);
    cr_assert_eq(status(store).u.interdomain.dom, 0);
    cr_assert_eq(send_to(store), 0);
    evtchn_notify(g->d, store);
    cr_assert(bit(g->d->shared->evtchn_pending, store));
    cr_assert_eq(close_port(store), 0);
    cr_assert_not(bit(g->d->shared->evtchn_pending, store));
    evtchn_notify(g->d, store); /* closed by the guest: nothing happens */
    cr_assert_not(bit(g->d->shared->evtchn_pending, store));
    evtchn_notify(g->d, 100000);
    cr_assert_eq(evtchn_pending(g->d, 100000), -1);
}
