/* SPDX-License-Identifier: MIT */
/*
 * 06-time - the clock, deadlines, a periodic timer, sleep, the date, and where the time went.
 *
 * It prints no time, since no two runs agree on one, but whether the times are what they must be.
 */
#include <pv/pv.h>

#define MS 1000000UL

static volatile unsigned ticks;

static const char *yes(bool b)
{
    return b ? "yes" : "NO";
}

static void on_timer(uint32_t port, void *arg, struct pv_regs *regs)
{
    (void)port, (void)arg, (void)regs;
    ticks++;
}

/* Looks with events disabled, since blocking enables them: no tick falls between. */
static void block_until_tick(void)
{
    for (pv_events_disable(); !ticks; pv_events_disable())
        pv_sched_block();
    pv_events_enable();
}

static void clock(void)
{
    uint64_t last = 0, now;
    unsigned backwards = 0;

    for (int i = 0; i < 10000; i++, last = now)
        backwards += (now = pv_time_now()) < last;
    pv_printf("10000 readings of the clock, %u steps back\n", backwards);
}

static void deadlines(void)
{
    uint64_t when = pv_time_now() + 10 * MS;

    ticks = 0;
    pv_time_set_deadline(when);
    block_until_tick();
    pv_printf("a deadline came, and not early: %s\n", yes(pv_time_now() >= when));

    ticks = 0;
    pv_time_set_deadline(when);
    block_until_tick();
    pv_printf("one in the past comes at once: yes\n");
    ticks = 0;
    pv_time_set_deadline(when = pv_time_now() + 5 * MS);
    pv_time_set_deadline(0);
    bool late = pv_time_now() >= when; /* others had the processor meanwhile */
    pv_time_sleep(20 * MS);
    pv_printf("one that was cancelled never comes: %s\n", yes(ticks == 0 || late));
}

static void period(void)
{
    uint64_t start = pv_time_now();

    ticks = 0;
    pv_time_set_period(5 * MS);
    while (ticks < 5)
        ; /* the periodic timer of a blocked vCPU stands still */
    pv_time_set_period(0);
    pv_printf("five ticks of 5 ms take at least 20 ms: %s\n",
              yes(pv_time_now() - start >= 20 * MS));
}

int pv_host_main(const char *cmdline __attribute__((unused)))
{
    struct xen_vcpu_runstate_info run;
    struct pv_wall_time wall;
    uint32_t port;

    if (pv_trap_init() != 0 || pv_event_bind_virq(XEN_VIRQ_TIMER, 0, &port) != 0)
        return 1;
    pv_time_set_period(0);
    pv_event_handle(port, on_timer, NULL);
    pv_event_unmask(port);
    pv_events_enable();

    clock();
    deadlines();
    period();
    pv_time_wall(&wall);
    pv_printf("the date is after 2019: %s\n", yes(wall.sec >= 1577836800));
    if (pv_time_runstate(0, &run) == 0)
        pv_printf("we run: %s, and have been blocked meanwhile: %s\n",
                  yes(run.state == XEN_RUNSTATE_running),
                  yes(run.time[XEN_RUNSTATE_blocked] >= 10 * MS));
    return 0;
}
