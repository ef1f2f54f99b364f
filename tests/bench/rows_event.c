/* SPDX-License-Identifier: MIT */
/*
 * Rows of events, timers and scheduling; the last two with the second virtual CPU on the one
 * physical processor.
 *
 * The event callback is replaced by one of handlers.S for the duration of a row: it acknowledges
 * all of word 0 with plain stores, which is right only because these rows know every sender.
 */
#include "bench.h"

extern const uint8_t bench_h_event_mark[], bench_h_event[], bench_h_event_got0[],
    bench_h_event_got1[];
extern volatile uint8_t bench_got[8];

static uint32_t self_port, timer_port, port0, port1;

static void callback(const uint8_t *h)
{
    rt_set_callbacks(h ? (void (*)(void))h : rt_enter_event, rt_enter_failsafe, rt_enter_syscall);
}

static bool pending(uint32_t port)
{
    return rt_shared->evtchn_pending[port / 64] >> port % 64 & 1;
}

static void clear_pending(uint32_t port)
{
    __atomic_fetch_and((uint64_t *)&rt_shared->evtchn_pending[port / 64], ~(1ul << port % 64),
                       __ATOMIC_SEQ_CST);
    rt_vi()->evtchn_pending_sel = 0;
    rt_vi()->evtchn_upcall_pending = 0;
    barrier();
}

static uint64_t send(uint32_t port)
{
    struct xen_evtchn_send s = {.port = port};
    int64_t ret;
    uint64_t t =
        TIMED(ret = rt_call2(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_send, (uint64_t)&s));

    CHECK(ret == 0, ret, port);
    return t;
}

uint64_t row_send_masked(uint64_t arg)
{
    rt_mask(self_port);
    uint64_t t = send(self_port);
    CHECK(pending(self_port) && !rt_vi()->evtchn_upcall_pending, arg, 0);
    clear_pending(self_port);
    rt_unmask(self_port);
    return t;
}

uint64_t row_send_pending(uint64_t arg)
{
    rt_events_off();
    uint64_t t = send(self_port);
    CHECK(pending(self_port) && rt_vi()->evtchn_upcall_pending, arg, 0);
    clear_pending(self_port);
    rt_events_on();
    return t;
}

uint64_t row_send_again(uint64_t arg)
{
    rt_events_off();
    send(self_port);
    uint64_t t = send(self_port);
    CHECK(pending(self_port) && rt_vi()->evtchn_upcall_pending, arg, 0);
    clear_pending(self_port);
    rt_events_on();
    return t;
}

uint64_t row_send_self(uint64_t how)
{
    struct xen_evtchn_send s = {.port = self_port};
    uint64_t t;

    callback(how == TO_HANDLER ? bench_h_event_mark : bench_h_event);
    if (how == TO_HANDLER) {
        bench_marker(0);
        uint64_t t0 = rt_tsc();
        rt_call2(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_send, (uint64_t)&s);
        CHECK(bench_mark > t0, bench_mark, t0);
        t = bench_part_took(bench_mark - t0 - bench_overhead - 2); /* the handler's two pushes */
    } else {
        t = send(self_port);
    }
    CHECK(!pending(self_port) && !rt_vi()->evtchn_upcall_mask, 0, 0);
    callback(NULL);
    return t;
}

uint64_t row_unmask(uint64_t arg)
{
    struct xen_evtchn_unmask u = {.port = self_port};
    int64_t ret;

    rt_mask(self_port);
    uint64_t t =
        TIMED(ret = rt_call2(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_unmask, (uint64_t)&u));
    CHECK(ret == 0 && !(rt_shared->evtchn_mask[self_port / 64] >> self_port % 64 & 1), ret, arg);
    return t;
}

/* ---- timers ---- */

uint64_t row_timer_cancel(uint64_t armed)
{
    int64_t ret;

    bench_mark = 0;
    callback(bench_h_event_mark);
    if (armed)
        rt_set_timer(rt_now() + 200000);
    uint64_t t = TIMED(ret = rt_call1(XEN_HYPERVISOR_set_timer_op, 0));
    for (uint64_t end = rt_now() + 500000; rt_now() < end;)
        barrier();
    CHECK(ret == 0 && !bench_mark, ret, armed);
    callback(NULL);
    return t;
}

uint64_t row_timer_past(uint64_t arg)
{
    callback(bench_h_event_mark);
    bench_mark = 0;
    bench_marker(0);
    uint64_t t0 = rt_tsc();
    int64_t ret = rt_call1(XEN_HYPERVISOR_set_timer_op, 1);
    for (int i = 0; i < 100000 && !bench_mark; i++)
        barrier();
    CHECK(ret == 0 && bench_mark > t0, ret, arg);
    callback(NULL);
    return bench_part_took(bench_mark - t0 - bench_overhead - 2);
}

/* From the last instruction of a busy loop to the handler's first. */
uint64_t row_deadline_busy(uint64_t arg)
{
    uint64_t last = 0, deadline = rt_now() + 300000;

    callback(bench_h_event_mark);
    bench_mark = 0;
    int64_t ret = rt_set_timer(deadline);
    for (;;) {
        bench_marker(0);
        uint64_t t = rt_tsc();
        if (bench_mark)
            break;
        last = t;
    }
    uint64_t now = rt_now();
    CHECK(ret == 0 && now >= deadline && now < deadline + 300000, deadline, now);
    callback(NULL);
    (void)arg;
    return bench_part_took(bench_mark - last - bench_overhead - 2);
}

/* The TSC that belongs to a system time, by this virtual CPU's time record. */
static uint64_t tsc_at(uint64_t ns)
{
    struct xen_vcpu_time_info t = rt_vi()->time;
    bool before = ns < t.system_time;
    uint64_t d = before ? t.system_time - ns : ns - t.system_time;
    unsigned __int128 wide = (unsigned __int128)d << 32;
    uint64_t hi = (uint64_t)(wide >> 64), lo = (uint64_t)wide, q, r;

    __asm__("divq %4" : "=a"(q), "=d"(r) : "0"(lo), "1"(hi), "r"((uint64_t)t.tsc_to_system_mul));
    q = t.tsc_shift < 0 ? q << -t.tsc_shift : q >> t.tsc_shift;
    return before ? t.tsc_timestamp - q : t.tsc_timestamp + q;
}

uint64_t row_deadline_blocked(uint64_t arg)
{
    uint64_t deadline = rt_now() + 3000000;

    callback(bench_h_event_mark);
    bench_mark = 0;
    int64_t ret = rt_set_timer(deadline);
    bench_marker(0);
    while (!bench_mark)
        rt_sched(XEN_SCHEDOP_block, NULL);
    CHECK(ret == 0 && rt_now() >= deadline && bench_mark > tsc_at(deadline), ret, arg);
    callback(NULL);
    return bench_part_took(bench_mark - tsc_at(deadline) - 2);
}

/* ---- scheduling ---- */

uint64_t row_yield(uint64_t arg)
{
    int64_t ret;
    uint64_t t = TIMED(ret = rt_call2(XEN_HYPERVISOR_sched_op, XEN_SCHEDOP_yield, 0));

    CHECK(ret == 0, ret, arg);
    return t;
}

uint64_t row_poll(uint64_t arg)
{
    static uint32_t port;
    struct xen_sched_poll p = {.ports = G(&port), .nr_ports = 1, .timeout = 1};
    int64_t ret;

    port = self_port;
    rt_mask(port);
    uint64_t t = TIMED(ret = rt_call2(XEN_HYPERVISOR_sched_op, XEN_SCHEDOP_poll, (uint64_t)&p));
    CHECK(ret == 0 && rt_now() > 1 && !pending(port), ret, arg);
    rt_unmask(port);
    return t;
}

/* What the second virtual CPU does; it blocks while IDLE. */
static volatile enum { IDLE, YIELDING, PINGPONG } mode;
static volatile uint64_t left_at;
static volatile int left_by;
static volatile uint64_t turns;

static void wait_event(int cpu)
{
    rt_events_off();
    while (!bench_got[cpu]) {
        rt_call2(XEN_HYPERVISOR_sched_op, XEN_SCHEDOP_block, 0);
        rt_events_off();
    }
    bench_got[cpu] = 0;
    rt_vi()->evtchn_upcall_mask = 0;
}

static void other(void *arg)
{
    (void)arg;
    rt_set_callbacks((void (*)(void))bench_h_event_got1, rt_enter_failsafe, rt_enter_syscall);
    rt_vi()->evtchn_upcall_mask = 0;
    for (;;) {
        if (mode == YIELDING) {
            left_by = 1;
            bench_marker(0);
            left_at = rt_tsc();
            rt_call2(XEN_HYPERVISOR_sched_op, XEN_SCHEDOP_yield, 0);
            turns++;
        } else {
            wait_event(1);
            turns++;
            if (mode == PINGPONG)
                rt_send(port0);
        }
    }
}

uint64_t row_yield_switch(uint64_t arg)
{
    uint64_t now, t0 = turns;
    int tries = 0;

    mode = YIELDING;
    rt_send(port1);
    do {
        left_by = 0;
        rt_call2(XEN_HYPERVISOR_sched_op, XEN_SCHEDOP_yield, 0);
        now = rt_tsc();
    } while (!left_by && ++tries < 100000);
    uint64_t t = bench_part_end(now - left_at - bench_overhead);
    CHECK(left_by == 1 && turns > t0, tries, arg);
    mode = IDLE;
    while (left_by == 1 && tries++ < 4)
        rt_call2(XEN_HYPERVISOR_sched_op, XEN_SCHEDOP_yield, 0);
    return t;
}

uint64_t row_pingpong(uint64_t arg)
{
    uint64_t t0 = turns;
    struct xen_evtchn_send s = {.port = port1};

    mode = PINGPONG;
    callback(bench_h_event_got0);
    bench_got[0] = 0;
    uint64_t t = TIMED(({
        rt_call2(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_send, (uint64_t)&s);
        wait_event(0);
    }));
    CHECK(turns == t0 + 1, turns, t0);
    callback(NULL);
    mode = IDLE;
    (void)arg;
    return t;
}

void rows_event_init(void)
{
    self_port = rt_bind_ipi(0);
    timer_port = rt_bind_virq(XEN_VIRQ_TIMER, 0);
    port0 = rt_bind_ipi(0);
    /* A one-shot timer is wanted, not the periodic tick that a new virtual CPU has. */
    rt_vcpu(XEN_VCPUOP_stop_periodic_timer, 0, NULL);
    (void)timer_port;
}

void rows_event_smp(void)
{
    port1 = rt_bind_ipi(1);
    int64_t ret = rt_vcpu_start(1, other, NULL);
    if (ret)
        rt_panic("raising the second virtual CPU: %ld", ret);
    rt_vcpu(XEN_VCPUOP_stop_periodic_timer, 1, NULL);
    if (port1 > 63 || port0 > 63)
        rt_panic("ports %u %u are not in word 0", port0, port1);
    /* Lets it come up and block. */
    for (int i = 0; i < 100; i++)
        rt_sched(XEN_SCHEDOP_yield, NULL);
}
