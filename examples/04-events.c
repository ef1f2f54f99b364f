/* SPDX-License-Identifier: MIT */
/*
 * 04-events - event channels: sending, holding back, taking when one likes, and none lost.
 */
#include <pv/pv.h>

static unsigned count;

static void on_event(uint32_t port, void *arg, struct pv_regs *regs)
{
    (void)port, (void)regs;
    ++*(unsigned *)arg;
}

static void gates(void)
{
    uint32_t port;

    if (pv_event_bind_ipi(0, &port) != 0)
        pv_host_panic("no port for an IPI");
    pv_event_handle(port, on_event, &count);
    pv_event_send(port);
    pv_printf("a new port is masked: %u handled, pending: %s\n", count,
              pv_event_is_pending(port) ? "yes" : "no");
    pv_event_unmask(port);
    pv_printf("unmasked: %u handled\n", count);

    pv_event_mask(port);
    for (int i = 0; i < 3; i++)
        pv_event_send(port);
    pv_event_unmask(port);
    pv_printf("three sent while masked count as one: %u handled\n", count);

    pv_events_disable();
    pv_event_send(port);
    pv_printf("sent while the vCPU takes none: %u handled\n", count);
    pv_events_enable();
    pv_printf("the vCPU takes events again: %u handled\n", count);

    pv_events_disable();
    pv_event_send(port);
    pv_printf("polled at a time of our own choice: %u", pv_event_poll());
    pv_printf(" more, %u handled\n", count);
    pv_events_enable();

    pv_event_close(port);
    pv_printf("sending through a closed port: %s\n", pv_error_name(pv_event_send(port)));
}

static void both_ends(void)
{
    uint32_t here, there;
    unsigned heard = 0;

    if (pv_event_alloc_unbound(XEN_DOMID_SELF, &here) != 0 ||
        pv_event_bind_interdomain(XEN_DOMID_SELF, here, &there) != 0)
        pv_host_panic("no channel to ourselves");
    pv_event_handle(here, on_event, &heard);
    pv_event_unmask(here);
    heard = 0;
    for (int i = 0; i < 1000; i++)
        pv_event_send(there);
    pv_printf("a channel to ourselves: %u of 1000 heard at the other end\n", heard);
    pv_event_close(there);
    pv_event_close(here);
}

static void timer(void)
{
    static volatile unsigned ticks;
    uint32_t port;

    if (pv_event_bind_virq(XEN_VIRQ_TIMER, 0, &port) != 0)
        pv_host_panic("no port for the timer");
    pv_event_handle(port, on_event, (void *)&ticks);
    pv_time_set_deadline(pv_time_now() + 5000000);
    pv_event_unmask(port);
    /* Looks with events disabled, since blocking enables them: none falls between. */
    for (pv_events_disable(); !ticks; pv_events_disable())
        pv_sched_block();
    pv_printf("blocked until the timer's event\n");
}

int pv_host_main(const char *cmdline)
{
    (void)cmdline;
    if (pv_trap_init() != 0)
        return 1;
    pv_time_set_period(0);
    pv_events_enable();
    gates();
    both_ends();
    timer();
    return 0;
}
