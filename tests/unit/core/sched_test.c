/* SPDX-License-Identifier: MIT
 *
 * sched_test.c - sched_op: sleeping, waking, ending; and who runs next.
 */
#include "exec_fixture.h"
#include "core/hostview_publish.h"
#include <pv/abi/event_channel.h>
#include <pv/abi/sched.h>

TestSuite(sched, .init = exec_setup, .fini = exec_teardown);

static long op(int cmd, void *arg, size_t n)
{
    return call_with(XEN_HYPERVISOR_sched_op, (uint64_t)cmd, arg, n);
}

static uint32_t ipi(uint32_t vcpu)
{
    struct xen_evtchn_bind_ipi b = {.vcpu = vcpu};

    cr_assert_eq(call_with(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_bind_ipi, &b, sizeof(b)),
                 0);
    return b.port;
}

static void up(struct vcpu *w)
{
    w->initialised = w->is_up = 1;
    w->root[1] = v->root[1];
    sched_wake(w);
}

/* Its root is borrowed from vCPU 0. */
static void down(struct vcpu *w)
{
    w->root[1] = mfn(0);
    w->initialised = 0;
}

Test(sched, yield_gives_the_processor_to_the_next)
{
    up(v1);
    cr_assert_eq(enter(v, XEN_HYPERVISOR_sched_op, XEN_SCHEDOP_yield, 0), other->v);
    cr_assert_eq(v->regs.rax, 0);
    cr_assert_eq(v->state, VCPU_RUNNABLE);
    cr_assert_eq(other->v->state, VCPU_RUNNING);
    cr_assert_eq(hv.cpu[0].current, other->v);
    cr_assert_eq(v->runstate.state, XEN_RUNSTATE_runnable);
    cr_assert_eq(other->v->runstate.state, XEN_RUNSTATE_running);
    cr_assert_eq(enter(other->v, XEN_HYPERVISOR_sched_op_compat, XEN_SCHEDOP_yield, 0), v1);
    cr_assert_eq(enter(v1, XEN_HYPERVISOR_sched_op, XEN_SCHEDOP_yield, 0), v);
    down(v1);
}

Test(sched, block_waits_for_an_event)
{
    uint32_t p = ipi(0);

    v->info->evtchn_upcall_mask = 1;
    v->callback[CB_EVENT].rip = HANDLER;
    v->callback[CB_EVENT].mask_events = 1;
    v->regs.rsp = hosted_va(STACK) + 4096;
    cr_assert_eq(enter(v, XEN_HYPERVISOR_sched_op, XEN_SCHEDOP_block, 0), other->v);
    cr_assert_eq(v->state, VCPU_BLOCKED);
    cr_assert_eq(v->info->evtchn_upcall_mask, 0, "events are let in at the same moment");
    evtchn_notify(g->d, p);
    cr_assert_eq(v->state, VCPU_RUNNABLE);
    cr_assert_eq(enter(other->v, XEN_HYPERVISOR_sched_op, XEN_SCHEDOP_yield, 0), v);
    cr_assert_eq(v->regs.rip, HANDLER, "and its first instruction is the handler's");
    cr_assert_eq(v->info->evtchn_upcall_mask, 1);
}

Test(sched, block_with_an_event_pending_does_not_block)
{
    v->callback[CB_EVENT].rip = HANDLER;
    v->regs.rsp = hosted_va(STACK) + 4096;
    v->info->evtchn_upcall_pending = 1;
    cr_assert_eq(enter(v, XEN_HYPERVISOR_sched_op_compat, XEN_SCHEDOP_block, 0), v);
    cr_assert_eq(v->regs.rip, HANDLER);
}

Test(sched, nobody_runs_until_a_timer)
{
    uint64_t start = hosted.now;

    hosted_run(other->v);
    enter(other->v, XEN_HYPERVISOR_sched_op_compat, XEN_SCHEDOP_shutdown, XEN_SHUTDOWN_poweroff);
    hosted_run(v);
    v->callback[CB_EVENT].rip = HANDLER;
    v->regs.rsp = hosted_va(STACK) + 4096;
    v->virq_port[XEN_VIRQ_TIMER] = 5;
    g->d->ports[5] = (struct evtchn){.state = EVTCHN_VIRQ, .peer = XEN_VIRQ_TIMER};
    cr_assert_eq(call(XEN_HYPERVISOR_set_timer_op, start + 77777, 0, 0), 0);
    cr_assert_eq(enter(v, XEN_HYPERVISOR_sched_op, XEN_SCHEDOP_block, 0), v);
    cr_assert_eq(hosted.now, start + 77777);
    cr_assert_eq(v->regs.rip, HANDLER);
}

static long poll(uint32_t *ports, uint32_t n, uint64_t timeout)
{
    struct xen_sched_poll p = {.ports = {hosted_va(5)}, .nr_ports = n, .timeout = timeout};

    memcpy(hosted_page(g, 5), ports, n * sizeof(*ports));
    return op(XEN_SCHEDOP_poll, &p, sizeof(p));
}

Test(sched, poll_waits_for_its_ports_though_they_are_masked)
{
    uint32_t ports[2] = {ipi(0), ipi(0)}, third = ipi(0);

    set_bit(g->d->shared->evtchn_mask, ports[0]);
    set_bit(g->d->shared->evtchn_mask, ports[1]);
    set_bit(g->d->shared->evtchn_mask, third);
    cr_assert_eq(poll(ports, 2, 0), 0);
    cr_assert_eq(v->state, VCPU_BLOCKED);
    cr_assert_eq(g->d->pollers, 1);
    evtchn_notify(g->d, third);
    cr_assert_eq(v->state, VCPU_BLOCKED);
    evtchn_notify(g->d, ports[1]);
    cr_assert_eq(v->state, VCPU_RUNNABLE);
    cr_assert_eq(g->d->pollers, 0);
    cr_assert_not(v->polling);
    hosted_run(v);
    cr_assert_eq(poll(ports, 2, 0), 0, "pending already: no sleep");
    cr_assert_eq(v->state, VCPU_RUNNING);
}

Test(sched, poll_ends_by_its_time)
{
    uint32_t port = ipi(0);

    cr_assert_eq(poll(&port, 1, hosted.now + 100), 0);
    cr_assert_eq(v->state, VCPU_BLOCKED);
    cr_assert_eq(v->poll_timer.deadline, hosted.now + 100);
    hosted.now += 100;
    timer_run(hosted.now);
    cr_assert_eq(v->state, VCPU_RUNNABLE);
    hosted_run(v);
    cr_assert_eq(poll(&port, 1, 1), 0, "in the past");
    cr_assert_eq(v->state, VCPU_RUNNING);
    sched_poll_timeout(&v->poll_timer); /* not polling: nothing happens */
    cr_assert_eq(v->state, VCPU_RUNNING);
    v->info->evtchn_upcall_pending = 1;
    v->info->evtchn_upcall_mask = 0;
    cr_assert_eq(poll(&port, 1, 0), 0, "an event is due: it comes first");
    cr_assert_eq(v->state, VCPU_RUNNING);
    v->info->evtchn_upcall_mask = 1;
}

Test(sched, poll_is_refused_for_bad_ports)
{
    static uint32_t many[129];
    uint32_t bad = 4096;
    struct xen_sched_poll p = {.ports = {BAD_VA}, .nr_ports = 1};

    assert_refused(poll(many, 129, 0), RULE_POLL_COUNT, XEN_EINVAL);
    assert_refused(poll(&bad, 1, 0), RULE_PORT_UNKNOWN, XEN_EINVAL);
    assert_refused(op(XEN_SCHEDOP_poll, &p, sizeof(p)), RULE_GUEST_POINTER, XEN_EFAULT);
    assert_refused(call(XEN_HYPERVISOR_sched_op, XEN_SCHEDOP_poll, BAD_VA, 0), RULE_GUEST_POINTER,
                   XEN_EFAULT);
    cr_assert_eq(v->state, VCPU_RUNNING);
    cr_assert_eq(g->d->pollers, 0);
}

Test(sched, a_guest_ends_and_the_other_goes_on)
{
    struct xen_sched_shutdown s = {XEN_SHUTDOWN_poweroff};

    memcpy(args(), &s, sizeof(s));
    cr_assert_eq(enter(v, XEN_HYPERVISOR_sched_op, XEN_SCHEDOP_shutdown, args_va()), other->v);
    cr_assert_eq(g->d->state, DOMAIN_SHUTDOWN);
    cr_assert_eq(g->d->shutdown_code, XEN_SHUTDOWN_poweroff);
    cr_assert(g->d->buried);
    cr_assert_eq(g->d->pages, 0, "its memory is free");
    cr_assert_eq(hv.ended, 1);
    cr_assert_eq(hv.crashed, 0);
    cr_assert_eq(hostview.domain[0].state, HV_DOM_SHUTDOWN);
    cr_assert_str_eq(hostview.domain[0].name, "hosted");
    cr_assert_eq(hostview.sequence % 2, 0);
    cr_assert_not(hostview.ended);
}

Test(sched, a_code_set_before_is_the_one_reported)
{
    struct xen_sched_shutdown s = {XEN_SHUTDOWN_watchdog};

    cr_assert_eq(op(XEN_SCHEDOP_shutdown_code, &s, sizeof(s)), 0);
    s.reason = XEN_SHUTDOWN_reboot;
    cr_assert_eq(op(XEN_SCHEDOP_shutdown_code, &s, sizeof(s)), 0, "the first one stays");
    cr_assert_eq(op(XEN_SCHEDOP_shutdown, &s, sizeof(s)), 0);
    cr_assert_eq(g->d->shutdown_code, XEN_SHUTDOWN_watchdog);
    cr_assert_eq(g->d->state, DOMAIN_CRASHED);
    domain_shutdown(g->d, XEN_SHUTDOWN_poweroff);
    cr_assert_eq(g->d->state, DOMAIN_CRASHED, "an end is an end");
}

Test(sched, what_a_shutdown_is_called)
{
    const struct {
        unsigned code;
        const char *text;
    } ends[] = {{XEN_SHUTDOWN_reboot, "asked for a reboot"}, {200, "ended with a code of its own"}};

    domain_shutdown(g->d, ends[0].code);
    cr_assert(strstr(hosted.console, ends[0].text));
    domain_shutdown(other->d, ends[1].code);
    cr_assert(strstr(hosted.console, ends[1].text));
}

Test(sched, watchdogs)
{
    struct xen_sched_watchdog w = {.id = 0, .timeout = 5};

    cr_assert_eq(op(XEN_SCHEDOP_watchdog, &w, sizeof(w)), 1);
    cr_assert_eq(op(XEN_SCHEDOP_watchdog, &w, sizeof(w)), 2);
    assert_refused(op(XEN_SCHEDOP_watchdog, &w, sizeof(w)), RULE_WATCHDOG_NONE_LEFT, XEN_ENOSPC);
    w.id = 3;
    assert_refused(op(XEN_SCHEDOP_watchdog, &w, sizeof(w)), RULE_WATCHDOG_ID, XEN_EINVAL);
    w = (struct xen_sched_watchdog){.id = 2, .timeout = 0};
    cr_assert_eq(op(XEN_SCHEDOP_watchdog, &w, sizeof(w)), 0);
    assert_refused(op(XEN_SCHEDOP_watchdog, &w, sizeof(w)), RULE_WATCHDOG_ID, XEN_EINVAL);
    w = (struct xen_sched_watchdog){.id = 1, .timeout = 10};
    cr_assert_eq(op(XEN_SCHEDOP_watchdog, &w, sizeof(w)), 0, "fed");
    timer_run(hosted.now + 6000000000ull);
    cr_assert_eq(g->d->state, DOMAIN_RUNNING);
    timer_run(hosted.now + 10000000000ull);
    cr_assert_eq(g->d->state, DOMAIN_CRASHED);
    cr_assert_eq(g->d->shutdown_code, XEN_SHUTDOWN_watchdog);
    cr_assert_eq(last_of(g)->rule, RULE_WATCHDOG_FIRED);
    cr_assert_eq(last_of(g)->value, 1);
}

Test(sched, what_is_for_the_privileged)
{
    struct xen_sched_remote_shutdown r = {.domain_id = 2};
    struct xen_sched_pin_override p = {.pcpu = 0};

    assert_refused(op(XEN_SCHEDOP_remote_shutdown, &r, sizeof(r)), RULE_SCHED_PRIVILEGED,
                   XEN_EPERM);
    r.domain_id = 30;
    assert_refused(op(XEN_SCHEDOP_remote_shutdown, &r, sizeof(r)), RULE_DOMAIN_UNKNOWN, XEN_ESRCH);
    assert_refused(op(XEN_SCHEDOP_pin_override, &p, sizeof(p)), RULE_SCHED_PRIVILEGED, XEN_EPERM);
    assert_refused(op(44, &p, sizeof(p)), RULE_HYPERCALL_SUBOP, XEN_ENOSYS);
    assert_refused(call(XEN_HYPERVISOR_sched_op_compat, 3, 0, 0), RULE_HYPERCALL_SUBOP, XEN_ENOSYS);
    for (int cmd = XEN_SCHEDOP_shutdown; cmd <= XEN_SCHEDOP_watchdog; cmd++)
        assert_refused(call(XEN_HYPERVISOR_sched_op, (uint64_t)cmd, HV_VA, 0), RULE_GUEST_POINTER,
                       XEN_EFAULT);
    cr_assert_eq(g->d->state, DOMAIN_RUNNING);
}

/* A busy vCPU loses the processor when its slice is over, not before. */
Test(sched, slices_end)
{
    uint64_t slice;

    hv.cpu[0].work = CPU_WORK_RESCHED;
    cr_assert_eq(hv_interrupt(v), v);
    slice = hv.cpu[0].slice_end - hosted.now;
    cr_assert(slice > 0 && slice < 100000000);
    cr_assert_eq(hosted.timer, hv.cpu[0].slice_end);
    hosted.now += slice - 1;
    cr_assert_eq(hv_interrupt(v), v);
    hosted.now += 1;
    hv.cpu[0].work = CPU_WORK_TIMER;
    cr_assert_eq(hv_interrupt(v), other->v);
}

Test(sched, a_sleeping_domain_is_not_woken)
{
    g->d->state = DOMAIN_PAUSED;
    v1->state = VCPU_BLOCKED;
    sched_wake(v1);
    cr_assert_eq(v1->state, VCPU_RUNNABLE);
    cr_assert_not(v1->queued, "it enters the queue with its domain");
    v1->state = VCPU_DOWN;
    sched_wake(v1);
    cr_assert_eq(v1->state, VCPU_DOWN);
    g->d->state = DOMAIN_RUNNING;
}

Test(sched, who_slept_and_woke_in_one_entry_goes_on)
{
    sched_sleep(other->v, VCPU_BLOCKED);
    sched_sleep(v, VCPU_BLOCKED);
    sched_wake(v);
    cr_assert_eq(hv_interrupt(v), v);
    cr_assert_eq(v->state, VCPU_RUNNING);
    cr_assert_eq(v->runstate.state, XEN_RUNSTATE_running);
}
