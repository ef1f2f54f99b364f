/* SPDX-License-Identifier: MIT
 *
 * sched.c - blocking, polling, yielding, ending; the mechanism around the policy.
 *
 * Nothing waits here. A call that puts its vCPU to sleep changes its state, asks for a new
 * choice (CPU_WORK_RESCHED) and returns 0, which is the call's result whenever it wakes up.
 *
 * Invariant: v is on the policy's queue exactly when its state is RUNNABLE or RUNNING and its domain
 * is not paused; one vCPU at most is RUNNING, and it is cpu.current.
 */
#include "sched.h"
#include "event.h"
#include "guest_mem.h"
#include "time.h"
#include "timer.h"
#include "trace.h"
#include "../policy/sched.h"
#include <pv/abi/sched.h>

const struct sched_ops *sched = &sched_rr;

enum { POLL_MAX = 128, WATCHDOGS = 2 };

void sched_init(void)
{
    hv.cpu[0].slice_end = UINT64_MAX;
    sched->init();
}

static void poll_end(struct vcpu *v)
{
    if (!v->polling)
        return;
    v->polling = 0;
    v->domain->pollers--;
    timer_stop(&v->poll_timer);
}

void sched_wake(struct vcpu *v)
{
    uint64_t now = plat_now();

    poll_end(v);
    if (v->domain->state != DOMAIN_RUNNING) {
        if (v->domain->state == DOMAIN_PAUSED && v->state == VCPU_BLOCKED)
            v->state = VCPU_RUNNABLE; /* enters the queue with its domain */
        return;
    }
    v->state = VCPU_RUNNABLE;
    runstate_set(v, XEN_RUNSTATE_runnable, now);
    sched->wake(v, now);
    cpu_work_set(CPU_WORK_RESCHED);
}

void sched_sleep(struct vcpu *v, enum vcpu_state state)
{
    uint64_t now = plat_now();

    if (state == VCPU_DOWN)
        poll_end(v);
    v->state = (uint8_t)state;
    runstate_set(v, state == VCPU_DOWN ? XEN_RUNSTATE_offline : XEN_RUNSTATE_blocked, now);
    sched->sleep(v, now);
    cpu_work_set(CPU_WORK_RESCHED);
}

void sched_pause(struct vcpu *v)
{
    uint64_t now = plat_now();

    if (v->state != VCPU_RUNNABLE && v->state != VCPU_RUNNING)
        return;
    v->state = VCPU_RUNNABLE;
    runstate_set(v, XEN_RUNSTATE_offline, now);
    sched->sleep(v, now);
    cpu_work_set(CPU_WORK_RESCHED);
}

struct vcpu *sched_next(void)
{
    struct cpu *c = &hv.cpu[0];
    struct vcpu *prev = c->current, *next;
    uint64_t now = plat_now();

    next = sched->pick(now, &c->slice_end);
    timer_arm();
    if (next == prev && (!next || next->state == VCPU_RUNNING)) /* else it slept, and woke already */
        return next;
    if (prev && prev->state == VCPU_RUNNING) {
        prev->state = VCPU_RUNNABLE;
        runstate_set(prev, XEN_RUNSTATE_runnable, now);
    }
    if (prev)
        runstate_publish(prev); /* its address space is still the one in use */
    c->current = next;
    if (!next)
        return NULL;
    if (c->loaded != next) {
        plat_vcpu_switch(c->loaded, next);
        c->loaded = next;
    }
    next->cpu = c;
    next->state = VCPU_RUNNING;
    runstate_set(next, XEN_RUNSTATE_running, now);
    runstate_publish(next);
    trace(TRACE_SWITCH, next, now, 0);
    return next;
}

/* -- sched_op ---------------------------------------------------------------- */

static long op_yield(struct vcpu *v)
{
    sched->yield(v, plat_now());
    cpu_work_set(CPU_WORK_RESCHED);
    return 0;
}

static long op_block(struct vcpu *v)
{
    v->info->evtchn_upcall_mask = 0;
    if (!__atomic_load_n(&v->info->evtchn_upcall_pending, __ATOMIC_SEQ_CST))
        sched_sleep(v, VCPU_BLOCKED);
    return 0;
}

void sched_poll_timeout(struct timer *t)
{
    struct vcpu *v = t->owner;

    if (v->polling)
        sched_wake(v);
}

static bool upcall_due(const struct vcpu *v)
{
    return v->info->evtchn_upcall_pending && !v->info->evtchn_upcall_mask;
}

static __attribute__((noinline)) long op_poll(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_sched_poll p;

    if (guest_copy_in(&p, arg, sizeof(p)))
        return refuse_pointer(v, arg.va);
    if (p.nr_ports > POLL_MAX)
        return refuse(v, RULE_POLL_COUNT, .value = p.nr_ports, .limit = POLL_MAX);
    if (guest_copy_in(v->poll_port, p.ports, p.nr_ports * sizeof(uint32_t)))
        return refuse(v, RULE_GUEST_POINTER, .va = p.ports.va);
    if (upcall_due(v))
        return 0;
    for (unsigned i = 0; i < p.nr_ports; i++) {
        int pending = evtchn_pending(v->domain, v->poll_port[i]);

        if (pending < 0)
            return refuse(v, RULE_PORT_UNKNOWN, .port = v->poll_port[i]);
        if (pending)
            return 0;
    }
    if (p.timeout && p.timeout <= plat_now()) {
        op_yield(v); /* the time is up, but others had their turn */
        return 0;
    }
    v->poll_nr = p.nr_ports;
    v->polling = 1;
    v->domain->pollers++;
    sched_sleep(v, VCPU_BLOCKED);
    if (p.timeout)
        timer_set(&v->poll_timer, p.timeout);
    return 0;
}

static __attribute__((noinline)) long op_shutdown(struct vcpu *v, pv_gptr_t arg, bool now)
{
    struct xen_sched_shutdown s;

    if (guest_copy_in(&s, arg, sizeof(s)))
        return refuse_pointer(v, arg.va);
    if (now)
        domain_shutdown(v->domain, (uint8_t)s.reason);
    else if (!v->domain->shutdown_code_set) {
        v->domain->shutdown_code = (uint8_t)s.reason;
        v->domain->shutdown_code_set = 1;
    }
    return 0;
}

static __attribute__((noinline)) long op_remote_shutdown(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_sched_remote_shutdown r;

    if (guest_copy_in(&r, arg, sizeof(r)))
        return refuse_pointer(v, arg.va);
    if (!domain_by_id(r.domain_id))
        return refuse(v, RULE_DOMAIN_UNKNOWN, .value = r.domain_id);
    return refuse(v, RULE_SCHED_PRIVILEGED, .value = XEN_SCHEDOP_remote_shutdown);
}

void sched_watchdog_fired(struct timer *t)
{
    struct domain *d = t->owner;

    refuse_domain(d, RULE_WATCHDOG_FIRED, .value = (uint64_t)(t - d->watchdog) + 1);
    domain_shutdown(d, XEN_SHUTDOWN_watchdog);
}

static __attribute__((noinline)) long op_watchdog(struct vcpu *v, pv_gptr_t arg)
{
    struct domain *d = v->domain;
    struct xen_sched_watchdog w;
    uint64_t deadline;

    if (guest_copy_in(&w, arg, sizeof(w)))
        return refuse_pointer(v, arg.va);
    deadline = plat_now() + w.timeout * 1000000000ull;
    if (w.id == 0) {
        for (unsigned i = 0; i < WATCHDOGS; i++) {
            if (d->watchdog_used & (1u << i))
                continue;
            d->watchdog_used |= (uint8_t)(1u << i);
            timer_set(&d->watchdog[i], deadline);
            return i + 1;
        }
        return refuse(v, RULE_WATCHDOG_NONE_LEFT, .limit = WATCHDOGS);
    }
    if (w.id > WATCHDOGS || !(d->watchdog_used & (1u << (w.id - 1))))
        return refuse(v, RULE_WATCHDOG_ID, .value = w.id);
    if (w.timeout) {
        timer_set(&d->watchdog[w.id - 1], deadline);
        return 0;
    }
    timer_stop(&d->watchdog[w.id - 1]);
    d->watchdog_used &= (uint8_t) ~(1u << (w.id - 1));
    return 0;
}

long hc_sched_op(struct vcpu *v, int32_t cmd, pv_gptr_t arg)
{
    switch (cmd) {
    case XEN_SCHEDOP_yield:
        return op_yield(v);
    case XEN_SCHEDOP_block:
        return op_block(v);
    case XEN_SCHEDOP_poll:
        return op_poll(v, arg);
    case XEN_SCHEDOP_shutdown:
        return op_shutdown(v, arg, true);
    case XEN_SCHEDOP_shutdown_code:
        return op_shutdown(v, arg, false);
    case XEN_SCHEDOP_remote_shutdown:
        return op_remote_shutdown(v, arg);
    case XEN_SCHEDOP_watchdog:
        return op_watchdog(v, arg);
    case XEN_SCHEDOP_pin_override:
        return refuse(v, RULE_SCHED_PRIVILEGED, .value = (uint32_t)cmd);
    default:
        return refuse(v, RULE_HYPERCALL_SUBOP, .value = (uint32_t)cmd);
    }
}

long hc_sched_op_compat(struct vcpu *v, int32_t cmd, uint64_t arg)
{
    switch (cmd) {
    case XEN_SCHEDOP_yield:
        return op_yield(v);
    case XEN_SCHEDOP_block:
        return op_block(v);
    case XEN_SCHEDOP_shutdown:
        domain_shutdown(v->domain, (uint8_t)arg);
        return 0;
    default:
        return refuse(v, RULE_HYPERCALL_SUBOP, .value = (uint32_t)cmd);
    }
}
