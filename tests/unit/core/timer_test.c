/* SPDX-License-Identifier: MIT
 *
 * timer_test.c - deadlines in order, time as guests are told it, and the timers they set.
 */
#include "exec_fixture.h"
#include <pv/abi/event_channel.h>
#include <pv/abi/vcpu.h>
#include <stdlib.h>

TestSuite(timer, .init = exec_setup, .fini = exec_teardown);

static uint64_t fired[64];
static unsigned fires;

static void fire(struct timer *t)
{
    fired[fires++] = (uint64_t)(uintptr_t)t->owner;
}

Test(timer, fires_in_order_and_never_early)
{
    struct timer t[40];

    srand(7);
    for (unsigned i = 0; i < 40; i++) {
        timer_init(&t[i], fire, (void *)(uintptr_t)0);
        cr_assert_not(timer_is_set(&t[i]));
        timer_set(&t[i], 2000000000ull + (uint64_t)(rand() % 1000));
        t[i].owner = (void *)(uintptr_t)t[i].deadline;
    }
    for (unsigned i = 0; i < 40; i += 3)
        timer_stop(&t[i]);
    for (unsigned i = 1; i < 40; i += 3) { /* replaced */
        timer_set(&t[i], 2000000000ull + (uint64_t)(rand() % 1000));
        t[i].owner = (void *)(uintptr_t)t[i].deadline;
    }
    timer_stop(&t[0]); /* not set: harmless */
    timer_run(2000000000ull + 500);
    for (unsigned i = 0; i < fires; i++)
        cr_assert_leq(fired[i], 2000000500ull);
    timer_run(UINT64_MAX - 1);
    cr_assert_eq(fires, 26);
    for (unsigned i = 1; i < fires; i++)
        cr_assert_leq(fired[i - 1], fired[i]);
}

Test(timer, the_platform_is_told_the_earliest)
{
    struct timer a, b;

    timer_init(&a, fire, NULL);
    timer_init(&b, fire, NULL);
    timer_set(&a, 5000000000ull);
    cr_assert_eq(hosted.timer, 5000000000ull);
    timer_set(&b, 3000000000ull);
    cr_assert_eq(hosted.timer, 3000000000ull);
    hv.cpu[0].slice_end = 2000000000ull;
    timer_arm();
    cr_assert_eq(hosted.timer, 2000000000ull);
    hv.cpu[0].slice_end = UINT64_MAX;
    timer_stop(&b);
    cr_assert_eq(hosted.timer, 5000000000ull);
    timer_set(&a, UINT64_MAX);
    cr_assert_not(timer_is_set(&a));
    cr_assert_eq(hosted.timer, UINT64_MAX);
}

static uint32_t timer_port(uint32_t vcpu)
{
    struct xen_evtchn_bind_virq b = {.virq = XEN_VIRQ_TIMER, .vcpu = vcpu};

    cr_assert_eq(call_with(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_bind_virq, &b, sizeof(b)),
                 0);
    return b.port;
}

static bool taken(uint32_t port)
{
    uint64_t m = 1ull << port;
    bool was = g->d->shared->evtchn_pending[0] & m;

    g->d->shared->evtchn_pending[0] &= ~m;
    return was;
}

Test(timer, set_timer_op)
{
    uint32_t p = timer_port(0);

    cr_assert_eq(call(XEN_HYPERVISOR_set_timer_op, hosted.now + 1000, 0, 0), 0);
    cr_assert_eq(hosted.timer, hosted.now + 1000);
    timer_run(hosted.now + 999);
    cr_assert_not(taken(p));
    timer_run(hosted.now + 1000);
    cr_assert(taken(p));
    cr_assert_eq(call(XEN_HYPERVISOR_set_timer_op, hosted.now, 0, 0), 0, "past: at once");
    cr_assert(taken(p));
    cr_assert_eq(call(XEN_HYPERVISOR_set_timer_op, hosted.now + 1000, 0, 0), 0);
    cr_assert_eq(call(XEN_HYPERVISOR_set_timer_op, 0, 0, 0), 0, "0 cancels");
    timer_run(hosted.now + 5000);
    cr_assert_not(taken(p));
    /* Absurd times come soon: a tenth of a second. */
    cr_assert_eq(call(XEN_HYPERVISOR_set_timer_op, 1ull << 63, 0, 0), 0);
    cr_assert_eq(v->singleshot.deadline, hosted.now + 100000000);
    cr_assert_eq(call(XEN_HYPERVISOR_set_timer_op, hosted.now + (1ull << 51), 0, 0), 0);
    cr_assert_eq(v->singleshot.deadline, hosted.now + 100000000);
}

static long vcpu_op(int cmd, uint32_t id, void *arg, size_t n)
{
    long rc;

    memcpy(args(), arg, n);
    rc = call(XEN_HYPERVISOR_vcpu_op, (uint64_t)cmd, id, args_va());
    memcpy(arg, args(), n);
    return rc;
}

Test(timer, one_shot)
{
    struct xen_vcpu_set_singleshot_timer s = {.timeout_abs_ns = hosted.now + 10};
    uint32_t p = timer_port(0);

    cr_assert_eq(vcpu_op(XEN_VCPUOP_set_singleshot_timer, 0, &s, sizeof(s)), 0);
    cr_assert_eq(call(XEN_HYPERVISOR_vcpu_op, XEN_VCPUOP_stop_singleshot_timer, 0, 0), 0);
    timer_run(hosted.now + 20);
    cr_assert_not(taken(p));
    s.timeout_abs_ns = 1;
    s.flags = XEN_VCPU_SSHOTTMR_future;
    vcpu_op(XEN_VCPUOP_set_singleshot_timer, 0, &s, sizeof(s));
    assert_refused(vcpu_op(XEN_VCPUOP_set_singleshot_timer, 1, &s, sizeof(s)), RULE_TIMER_NOT_OWN,
                   XEN_EINVAL);
    assert_refused(call(XEN_HYPERVISOR_vcpu_op, XEN_VCPUOP_stop_singleshot_timer, 1, 0),
                   RULE_TIMER_NOT_OWN, XEN_EINVAL);
    assert_refused(call(XEN_HYPERVISOR_vcpu_op, XEN_VCPUOP_set_singleshot_timer, 0, BAD_VA),
                   RULE_GUEST_POINTER, XEN_EFAULT);
}

Test(timer, periodic)
{
    struct xen_vcpu_set_periodic_timer s = {.period_ns = 2000000};
    uint64_t start = hosted.now;
    uint32_t p = timer_port(1);

    cr_assert_eq(vcpu_op(XEN_VCPUOP_set_periodic_timer, 1, &s, sizeof(s)), 0);
    for (unsigned i = 1; i <= 3; i++) {
        hosted.now = start + i * s.period_ns;
        timer_run(hosted.now);
        cr_assert(taken(p));
        cr_assert_eq(v1->periodic.deadline, start + (i + 1) * s.period_ns);
    }
    hosted.now += 10 * s.period_ns + 7; /* missed ticks are one, and the beat is kept */
    timer_run(hosted.now);
    cr_assert(taken(p));
    cr_assert_gt(v1->periodic.deadline, hosted.now);
    cr_assert_eq((v1->periodic.deadline - start) % s.period_ns, 0);
    cr_assert_eq(call(XEN_HYPERVISOR_vcpu_op, XEN_VCPUOP_stop_periodic_timer, 1, 0), 0);
    cr_assert_not(timer_is_set(&v1->periodic));
    s.period_ns = 999999;
    assert_refused(vcpu_op(XEN_VCPUOP_set_periodic_timer, 0, &s, sizeof(s)), RULE_TIMER_PERIOD,
                   XEN_EINVAL);
    s.period_ns = ~0ull;
    assert_refused(vcpu_op(XEN_VCPUOP_set_periodic_timer, 0, &s, sizeof(s)), RULE_TIMER_PERIOD,
                   XEN_EINVAL);
    assert_refused(call(XEN_HYPERVISOR_vcpu_op, XEN_VCPUOP_set_periodic_timer, 0, BAD_VA),
                   RULE_GUEST_POINTER, XEN_EFAULT);
}

Test(timer, the_scale_is_right_for_every_clock)
{
    const uint64_t khz[] = {1000, 33333, 999999, 1000000, 1000010, 2500000, 4999999, 50000000};

    for (unsigned i = 0; i < PV_ARRAY_SIZE(khz); i++) {
        uint64_t second = khz[i] * 1000, ns;

        hv.tsc_base = 12345;
        time_set_scale(khz[i]);
        ns = time_of_tsc(12345 + second * 100);
        cr_assert(ns > 99999990000ull && ns < 100000010000ull, "%lu kHz: %lu", khz[i], ns);
        cr_assert_eq(time_of_tsc(12345), 0);
    }
}

Test(timer, vcpu_time_has_even_versions_and_agrees_with_the_clock)
{
    struct xen_vcpu_time_info *t = &v->info->time;
    uint32_t version = t->version;

    cr_assert_eq(version % 2, 0);
    time_publish(v);
    cr_assert_eq(t->version, version + 2);
    cr_assert_eq(t->system_time, time_of_tsc(t->tsc_timestamp));
    cr_assert_eq(t->tsc_to_system_mul, hv.tsc_to_system_mul);
    cr_assert_eq(t->tsc_shift, hv.tsc_shift);
    cr_assert_eq(t->flags & XEN_PVCLOCK_TSC_STABLE_BIT, XEN_PVCLOCK_TSC_STABLE_BIT);
}

Test(timer, a_registered_time_area_is_kept_up)
{
    struct xen_vcpu_register_time_memory_area a = {.addr.p = hosted_va(5) + 64};
    struct xen_vcpu_time_info *t = (void *)((char *)hosted_page(g, 5) + 64);

    cr_assert_eq(vcpu_op(XEN_VCPUOP_register_vcpu_time_memory_area, 0, &a, sizeof(a)), 0);
    cr_assert_eq(t->version, v->info->time.version);
    cr_assert_eq(t->tsc_to_system_mul, hv.tsc_to_system_mul);
    v->kernel_mode = 0; /* kernel addresses are meant in user mode, too */
    v->root[0] = v->root[1];
    time_publish(v);
    v->root[0] = mfn(0);
    v->kernel_mode = 1;
    cr_assert_eq(t->version, v->info->time.version);
    a.addr.p = HV_VA;
    assert_refused(vcpu_op(XEN_VCPUOP_register_vcpu_time_memory_area, 0, &a, sizeof(a)),
                   RULE_GUEST_POINTER, XEN_EFAULT);
    assert_refused(
        call(XEN_HYPERVISOR_vcpu_op, XEN_VCPUOP_register_vcpu_time_memory_area, 0, BAD_VA),
        RULE_GUEST_POINTER, XEN_EFAULT);
    a.addr.p = BAD_VA; /* not mapped now: it may be later */
    cr_assert_eq(vcpu_op(XEN_VCPUOP_register_vcpu_time_memory_area, 0, &a, sizeof(a)), 0);
    a.addr.p = 0;
    cr_assert_eq(vcpu_op(XEN_VCPUOP_register_vcpu_time_memory_area, 0, &a, sizeof(a)), 0);
    cr_assert_not(v->time_registered);
}

Test(timer, wall_clock)
{
    hv.wall_ns = (1ull << 33) * 1000000000 + 42;
    g->d->time_offset = 1000000000;
    time_publish_wallclock(g->d);
    cr_assert_eq(g->d->shared->wc_version % 2, 0);
    cr_assert_eq(g->d->shared->wc_sec, 1);
    cr_assert_eq(g->d->shared->wc_sec_hi, 2);
    cr_assert_eq(g->d->shared->wc_nsec, 42);
}

Test(timer, runstates_add_up)
{
    struct xen_vcpu_runstate_info r, before;
    uint64_t sum = 0;

    runstate_get(v, &before);
    hosted.now += 1000;
    runstate_set(v, XEN_RUNSTATE_blocked, hosted.now);
    hosted.now += 200;
    runstate_set(v, XEN_RUNSTATE_runnable, hosted.now);
    runstate_set(v, XEN_RUNSTATE_running, hosted.now - 50); /* a clock that stands costs nothing */
    hosted.now += 30;
    cr_assert_eq(vcpu_op(XEN_VCPUOP_get_runstate_info, 0, &r, sizeof(r)), 0);
    cr_assert_eq(r.state, XEN_RUNSTATE_running);
    for (unsigned i = 0; i < 4; i++)
        sum += r.time[i] - before.time[i];
    cr_assert_eq(sum, 1230);
    assert_refused(call(XEN_HYPERVISOR_vcpu_op, XEN_VCPUOP_get_runstate_info, 0, BAD_VA),
                   RULE_GUEST_POINTER, XEN_EFAULT);
}

Test(timer, a_registered_runstate_is_written_when_it_changes)
{
    struct xen_vcpu_register_runstate_memory_area a = {.addr.p = hosted_va(5)};
    struct xen_vcpu_runstate_info *r = hosted_page(g, 5);

    cr_assert_eq(vcpu_op(XEN_VCPUOP_register_runstate_memory_area, 0, &a, sizeof(a)), 0);
    runstate_set(v, XEN_RUNSTATE_running, hosted.now);
    runstate_publish(v);
    cr_assert_eq(r->state, XEN_RUNSTATE_running);
    g->d->vm_assist |= 1ull << XEN_VMASST_TYPE_runstate_update_flag;
    hosted.now += 10;
    runstate_set(v, XEN_RUNSTATE_runnable, hosted.now);
    runstate_publish(v);
    cr_assert_eq(r->state, XEN_RUNSTATE_runnable);
    cr_assert_eq(r->state_entry_time, hosted.now, "the flag is gone");
    hv.cpu[0].loaded = other->v; /* another guest's tables: its memory is not ours to write */
    runstate_set(v, XEN_RUNSTATE_blocked, hosted.now);
    runstate_publish(v);
    cr_assert_eq(r->state, XEN_RUNSTATE_runnable);
    hv.cpu[0].loaded = v;
    a.addr.p = 0;
    cr_assert_eq(vcpu_op(XEN_VCPUOP_register_runstate_memory_area, 0, &a, sizeof(a)), 0);
    cr_assert_not(v->runstate_registered);
    a.addr.p = WEIRD_VA;
    assert_refused(vcpu_op(XEN_VCPUOP_register_runstate_memory_area, 0, &a, sizeof(a)),
                   RULE_GUEST_POINTER, XEN_EFAULT);
    assert_refused(call(XEN_HYPERVISOR_vcpu_op, XEN_VCPUOP_register_runstate_memory_area, 0, HV_VA),
                   RULE_GUEST_POINTER, XEN_EFAULT);
}

/* Areas are only written while the address space that they were meant for is in use. */
Test(timer, areas_of_a_vcpu_that_does_not_run)
{
    struct xen_vcpu_time_info *t = (void *)((char *)hosted_page(g, 5) + 256);

    memset(t, 0, sizeof(*t));
    v1->time_area.va = hosted_va(5) + 256;
    v1->time_registered = 1;
    time_publish(v1);
    cr_assert_eq(t->version, 0);
    v1->time_registered = 0;
}

Test(timer, areas_that_went_away)
{
    v->time_area.va = v->runstate_area.va = BAD_VA;
    v->time_registered = v->runstate_registered = 1;
    g->d->vm_assist |= 1ull << XEN_VMASST_TYPE_runstate_update_flag;
    time_publish(v);
    runstate_publish(v);
    v->kernel_mode = 0; /* and in user mode */
    v->root[0] = v->root[1];
    runstate_publish(v);
    v->root[0] = mfn(0);
    v->kernel_mode = 1;
    cr_assert_eq(g->d->state, DOMAIN_RUNNING);
    cr_assert_eq(g->d->reasons.count, 0);
    v->time_registered = v->runstate_registered = 0;
}

Test(timer, a_guest_that_is_older_than_the_clock)
{
    struct xen_vcpu_runstate_info r;

    v->runstate.state_entry_time = hosted.now + 1000;
    runstate_get(v, &r);
    cr_assert_eq(r.time[r.state], v->runstate.time[r.state]);
    cr_assert_eq(hv.tsc_shift < 0 ? 1 : 0, hv.tsc_shift < 0);
}
