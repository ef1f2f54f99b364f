/* SPDX-License-Identifier: MIT */
/*
 * events.c - event bitmaps, gates and clocks, with the hypervisor's half of shared_info played by
 * the test.
 */
#include <criterion/criterion.h>
#include "fake.h"

static unsigned count[PV_EVENT_PORTS], order[64], handled;
static bool resend;

/* The hypervisor's half of sending, as the two-level format has it. */
static void send(uint32_t port)
{
    uint64_t bit = (uint64_t)1 << port % 64;

    if (fake_shared.evtchn_pending[port / 64] & bit)
        return;
    fake_shared.evtchn_pending[port / 64] |= bit;
    if (fake_shared.evtchn_mask[port / 64] & bit)
        return;
    fake_shared.vcpu_info[0].evtchn_pending_sel |= (uint64_t)1 << port / 64;
    fake_shared.vcpu_info[0].evtchn_upcall_pending = 1;
}

/* Hypercalls that matter here: unmask raises again what is pending; any other is an upcall point.
 */
static int64_t hypervisor(uint64_t nr, const uint64_t *arg)
{
    if (nr == XEN_HYPERVISOR_event_channel_op && arg[0] == XEN_EVTCHNOP_unmask) {
        uint32_t port = ((struct xen_evtchn_unmask *)arg[1])->port;
        uint64_t bit = (uint64_t)1 << port % 64;

        fake_shared.evtchn_mask[port / 64] &= ~bit;
        if (fake_shared.evtchn_pending[port / 64] & bit) {
            fake_shared.evtchn_pending[port / 64] &= ~bit;
            send(port);
        }
    }
    /* Delivery on the way out of a hypercall. */
    if (fake_shared.vcpu_info[0].evtchn_upcall_pending &&
        !fake_shared.vcpu_info[0].evtchn_upcall_mask) {
        fake_shared.vcpu_info[0].evtchn_upcall_mask = 1;
        pv_event_dispatch(NULL);
        fake_shared.vcpu_info[0].evtchn_upcall_mask = 0;
    }
    return 0;
}

static void handler(uint32_t port, void *arg, struct pv_regs *regs)
{
    (void)regs;
    cr_assert_eq(arg, &count[port]);
    cr_assert_not(pv_event_is_pending(port), "cleared before the handler runs");
    cr_assert_not(pv_events_enabled(), "handlers run with the gate closed");
    count[port]++;
    if (handled < PV_ARRAY_SIZE(order))
        order[handled] = port;
    handled++;
    if (resend) {
        resend = false;
        send(port);
    }
}

static void setup(void)
{
    fake_reset();
    fake.answer = hypervisor;
    memset(fake_shared.evtchn_mask, 0xff, sizeof(fake_shared.evtchn_mask));
    for (unsigned p = 0; p < PV_EVENT_HANDLERS; p++)
        pv_event_handle(p, handler, &count[p]);
}

TestSuite(events, .init = setup);

Test(events, each_port_reaches_its_handler)
{
    static const uint32_t ports[] = {0, 1, 63, 64, 65, 127, 512, 1023};

    for (unsigned i = 0; i < PV_ARRAY_SIZE(ports); i++) {
        pv_event_unmask(ports[i]);
        send(ports[i]);
        cr_assert_eq(pv_event_poll(), 1);
        cr_assert_eq(count[ports[i]], 1);
    }
    cr_assert_eq(pv_event_handle(PV_EVENT_HANDLERS, handler, NULL), -XEN_EINVAL);
}

Test(events, masked_is_kept_and_unmasked_is_delivered)
{
    pv_event_mask(70);
    send(70);
    cr_assert_eq(pv_event_poll(), 0);
    cr_assert(pv_event_is_pending(70));
    pv_event_unmask(70);
    cr_assert_eq(count[70], 1, "at once, because the vCPU's gate is open");
    cr_assert_not(pv_event_is_masked(70));
}

Test(events, closed_gate_keeps_open_gate_delivers)
{
    pv_event_unmask(5);
    cr_assert(pv_events_disable());
    cr_assert_not(pv_events_disable(), "it was closed");
    send(5);
    pv_events_restore(false);
    cr_assert_eq(count[5], 0);
    pv_events_enable();
    cr_assert_eq(count[5], 1);
    cr_assert(pv_events_enabled());
}

Test(events, the_gate_in_line_is_the_same_gate)
{
    pv_event_unmask(5);
    cr_assert_not(pv_gate_close(), "it was open");
    cr_assert_not(pv_events_enabled());
    cr_assert(pv_gate_close(), "it was closed");
    send(5);
    pv_gate_restore(true);
    cr_assert_eq(count[5], 0);
    pv_gate_restore(false);
    cr_assert_eq(count[5], 1, "what came meanwhile is delivered");
    cr_assert(pv_events_enabled());
    pv_gate_open();
    cr_assert_eq(count[5], 1);
}

/* An event that comes while its handler runs is delivered after it, in the same round. */
Test(events, an_event_during_its_handler_is_not_lost)
{
    pv_event_unmask(9);
    resend = true;
    send(9);
    cr_assert_eq(pv_event_poll(), 2);
    cr_assert_eq(count[9], 2);
    cr_assert_eq(fake_shared.vcpu_info[0].evtchn_upcall_pending, 0);
}

Test(events, words_take_turns)
{
    unsigned first_low = 0;

    for (unsigned i = 0; i < 8; i++) {
        pv_event_unmask(i * 64);
        order[i] = 0;
    }
    for (unsigned round = 0; round < 64; round++) {
        handled = 0;
        for (unsigned i = 0; i < 8; i++)
            send(i * 64);
        cr_assert_eq(pv_event_poll(), 8);
        first_low += order[0] == 0;
    }
    cr_assert_leq(first_low, 60, "the lowest port is not always first");
}

Test(events, a_port_without_handler_is_masked)
{
    pv_event_handle(33, NULL, NULL);
    pv_event_unmask(33);
    pv_event_unmask(2000);
    send(33);
    send(2000);
    cr_assert_eq(pv_event_poll(), 2);
    cr_assert(pv_event_is_masked(33));
    cr_assert(pv_event_is_masked(2000));
}

Test(events, ports_that_do_not_exist)
{
    pv_event_mask(PV_EVENT_PORTS);
    pv_event_unmask(PV_EVENT_PORTS);
    cr_assert_not(pv_event_is_pending(~0u));
    cr_assert(pv_event_is_masked(PV_EVENT_PORTS));
    cr_assert_not(pv_event_take(PV_EVENT_PORTS));
    cr_assert_eq(pv_event_close(PV_EVENT_PORTS), -XEN_EINVAL);
    cr_assert_eq(fake.calls, 0);
}

/* Clocks ------------------------------------------------------------------------------------ */

Test(events, clock_arithmetic)
{
    struct xen_vcpu_time_info t = {
        .tsc_timestamp = 1000, .system_time = 500, .tsc_to_system_mul = 0x80000000, .tsc_shift = 0};

    cr_assert_eq(pv_time_scale(&t, 1000), 500);
    cr_assert_eq(pv_time_scale(&t, 1200), 600, "half a nanosecond each");
    t.tsc_shift = 1;
    cr_assert_eq(pv_time_scale(&t, 1200), 700);
    t.tsc_shift = -2;
    cr_assert_eq(pv_time_scale(&t, 1800), 600);
    t.tsc_shift = 0;
    t.tsc_to_system_mul = 0xffffffff;
    cr_assert_eq(pv_time_scale(&t, 1000 + (1ull << 62)), 500 + (1ull << 62) - (1ull << 30),
                 "no overflow in years of uptime");
}

Test(events, clock_and_date_of_shared_info)
{
    struct pv_wall_time wall;

    fake_shared.vcpu_info[0].time = (struct xen_vcpu_time_info){
        .version = 2, .system_time = 900000000, .tsc_to_system_mul = 0x80000000, .tsc_shift = 1};
    fake.tsc = 300000000;
    cr_assert_eq(pv_time_now(), 1200000000);
    fake_shared.wc_sec = 100;
    fake_shared.wc_sec_hi = 1;
    fake_shared.wc_nsec = 999999999;
    pv_time_wall(&wall);
    cr_assert_eq(wall.sec, (1ull << 32) + 102);
    cr_assert_eq(wall.nsec, 199999999);
}
