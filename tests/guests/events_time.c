/* SPDX-License-Identifier: MIT */
/*
 * events: time. Clocks that only go forward, timers that are never early, waits that end.
 *
 * Nothing here asserts how late a timer may be, beyond a generous second: an emulated machine on a
 * busy host is slow.
 */
#include "events.h"

#define MS  1000000ul
#define SEC 1000000000ul

void time_clock(void)
{
    volatile struct xen_vcpu_time_info *t = &rt_vi()->time;
    uint64_t last = rt_now();

    T_EQ(t->version & 1, 0);
    T_OK(t->tsc_to_system_mul != 0);
    for (int i = 0; i < 20000; i++) {
        uint64_t now = rt_now();
        T_OK(now >= last);
        last = now;
        if (i % 1000 == 0)
            rt_sched(XEN_SCHEDOP_yield, NULL);
    }
    /* The TSC and the system time tell the same interval. */
    uint64_t a = rt_now(), tsc = rt_tsc();
    t_spin(20 * MS);
    uint64_t b = rt_now(), ticks = rt_tsc() - tsc;
    uint64_t ns = t->tsc_shift < 0 ? ticks >> -t->tsc_shift : ticks << t->tsc_shift;
    ns = (uint64_t)((unsigned __int128)ns * t->tsc_to_system_mul >> 32);
    T_OK(b - a < ns + ns / 10 + MS && ns < (b - a) + (b - a) / 10 + MS);
}

void time_wallclock(void)
{
    T_EQ(rt_shared->wc_version & 1, 0);
    T_OK(rt_shared->wc_sec > 1600000000u);
    T_OK(rt_shared->wc_nsec < SEC);
}

static uint64_t wait_for(volatile unsigned *count, unsigned want, uint64_t ns)
{
    uint64_t end = rt_now() + ns;

    while (*count < want && rt_now() < end)
        __asm__ volatile("pause");
    return rt_now();
}

void time_oneshot(void)
{
    volatile unsigned *n = &ev_seen[ev_timer_port];

    *n = 0;
    uint64_t when = rt_now() + 5 * MS;
    T_EQ(rt_set_timer(when), 0);
    uint64_t fired = wait_for(n, 1, SEC);
    T_EQ(*n, 1);
    T_OK(fired >= when);
    t_spin(10 * MS);
    T_EQ(*n, 1); /* once is once */
    /* A later call replaces the earlier, also by a later time; 0 cancels. A host that is busy may take
     * the processor away in between, and the earlier time passes: then it is tried again. */
    uint64_t soon;
    do {
        soon = rt_now() + 3 * MS;
        T_EQ(rt_set_timer(soon), 0);
        when = rt_now() + 20 * MS;
        T_EQ(rt_set_timer(when), 0);
        *n = 0;
    } while (rt_now() >= soon);
    fired = wait_for(n, 1, SEC);
    T_OK(fired >= when);
    do {
        soon = rt_now() + 3 * MS;
        T_EQ(rt_set_timer(soon), 0);
        T_EQ(rt_set_timer(0), 0);
        *n = 0;
    } while (rt_now() >= soon);
    t_spin(10 * MS);
    T_EQ(*n, 0);
}

void time_past(void)
{
    volatile unsigned *n = &ev_seen[ev_timer_port];

    *n = 0;
    T_EQ(rt_set_timer(1), 0);
    wait_for(n, 1, SEC);
    T_EQ(*n, 1);
    *n = 0;
    rt_events_off();
    T_EQ(rt_set_timer(rt_now() - 1), 0);
    for (uint64_t end = rt_now() + SEC; !ev_pending(ev_timer_port) && rt_now() < end;)
        rt_version(XENVER_version, NULL);
    T_OK(ev_pending(ev_timer_port));
    T_EQ(*n, 0);
    rt_events_on();
    T_EQ(*n, 1);
    T_EQ(rt_set_timer(0), 0);
}

void time_singleshot(void)
{
    volatile unsigned *n = &ev_seen[ev_timer_port];
    struct xen_vcpu_set_singleshot_timer s = {.timeout_abs_ns = 1,
                                              .flags = XEN_VCPU_SSHOTTMR_future};

    /* The flag that asked for an error here has no meaning in 4.17: past is now. */
    *n = 0;
    T_EQ(rt_vcpu(XEN_VCPUOP_set_singleshot_timer, 0, &s), 0);
    wait_for(n, 1, SEC);
    T_EQ(*n, 1);
    *n = 0;
    s.timeout_abs_ns = rt_now() + 4 * MS;
    s.flags = XEN_VCPU_SSHOTTMR_future;
    T_EQ(rt_vcpu(XEN_VCPUOP_set_singleshot_timer, 0, &s), 0);
    uint64_t fired = wait_for(n, 1, SEC);
    T_EQ(*n, 1);
    T_OK(fired >= s.timeout_abs_ns);
    *n = 0;
    s.timeout_abs_ns = rt_now() + 3 * MS;
    T_EQ(rt_vcpu(XEN_VCPUOP_set_singleshot_timer, 0, &s), 0);
    T_EQ(rt_vcpu(XEN_VCPUOP_stop_singleshot_timer, 0, NULL), 0);
    t_spin(10 * MS);
    T_EQ(*n, 0);
    int64_t ret = rt_vcpu(XEN_VCPUOP_set_singleshot_timer, 1, &s); /* only its own */
    T_OK(ret == -XEN_EINVAL || ret == -XEN_ENOENT);
}

void time_periodic(void)
{
    volatile unsigned *n = &ev_seen[ev_timer_port];
    struct xen_vcpu_set_periodic_timer p = {.period_ns = MS / 2};

    T_EQ(rt_vcpu(XEN_VCPUOP_set_periodic_timer, 0, &p), -XEN_EINVAL);
    p.period_ns = 0;
    T_EQ(rt_vcpu(XEN_VCPUOP_set_periodic_timer, 0, &p), -XEN_EINVAL);
    p.period_ns = ~0ul;
    T_EQ(rt_vcpu(XEN_VCPUOP_set_periodic_timer, 0, &p), -XEN_EINVAL);
    p.period_ns = 5 * MS;
    *n = 0;
    uint64_t start = rt_now();
    T_EQ(rt_vcpu(XEN_VCPUOP_set_periodic_timer, 0, &p), 0);
    uint64_t end = wait_for(n, 6, 2 * SEC);
    T_OK(*n >= 6);
    T_OK(end - start >= 25 * MS); /* six ticks are five periods at the least */
    T_EQ(rt_vcpu(XEN_VCPUOP_stop_periodic_timer, 0, NULL), 0);
    t_spin(6 * MS);
    *n = 0;
    t_spin(20 * MS);
    T_EQ(*n, 0);
}

void time_poll(void)
{
    uint32_t port = rt_bind_ipi(0);
    static uint32_t list[2];
    struct xen_sched_poll p = {.ports = G(list), .nr_ports = 1, .timeout = 0};

    list[0] = port;
    rt_mask(port);
    T_EQ(rt_send(port), 0);
    T_EQ(rt_sched(XEN_SCHEDOP_poll, &p), 0); /* pending already: no wait, though masked */
    T_OK(ev_pending(port));
    __atomic_fetch_and((uint64_t *)&rt_shared->evtchn_pending[port / 64], ~(1ul << port % 64),
                       __ATOMIC_SEQ_CST);
    uint64_t when = rt_now() + 4 * MS;
    p.timeout = when;
    T_EQ(rt_sched(XEN_SCHEDOP_poll, &p), 0);
    T_OK(rt_now() >= when);
    T_OK(!ev_pending(port));
    /* An unmasked event that is due ends a poll too, and is taken on the way out. */
    list[1] = ev_timer_port;
    p.nr_ports = 2;
    p.timeout = rt_now() + SEC;
    rt_mask(ev_timer_port);
    T_EQ(rt_set_timer(rt_now() + 3 * MS), 0);
    T_EQ(rt_sched(XEN_SCHEDOP_poll, &p), 0);
    T_OK(rt_now() < p.timeout);
    T_OK(ev_pending(ev_timer_port));
    rt_unmask(ev_timer_port);
    rt_unmask(port);
    rt_close(port);
}

void time_block(void)
{
    volatile unsigned *n = &ev_seen[ev_timer_port];

    *n = 0;
    uint64_t when = rt_now() + 5 * MS;
    T_EQ(rt_set_timer(when), 0);
    while (!*n)
        T_EQ(rt_sched(XEN_SCHEDOP_block, NULL), 0);
    T_OK(rt_now() >= when);
    /* Block opens the mask: what was pending is taken at once, and there is no sleep. */
    uint32_t p = rt_bind_ipi(0);
    rt_on_port(p, ev_count);
    ev_seen[p] = 0;
    rt_events_off();
    T_EQ(rt_send(p), 0);
    T_EQ(rt_sched(XEN_SCHEDOP_block, NULL), 0);
    T_EQ(ev_seen[p], 1);
    T_EQ(rt_vi()->evtchn_upcall_mask, 0);
    rt_close(p);
}

void time_runstate(void)
{
    static struct xen_vcpu_runstate_info area;
    struct xen_vcpu_runstate_info r;
    struct xen_vcpu_register_runstate_memory_area reg;

    T_EQ(rt_vcpu(XEN_VCPUOP_get_runstate_info, 0, &r), 0);
    T_EQ(r.state, XEN_RUNSTATE_running);
    uint64_t sum = r.time[0] + r.time[1] + r.time[2] + r.time[3];
    T_OK(sum > 0 && r.time[XEN_RUNSTATE_running] > 0);
    uint64_t blocked = r.time[XEN_RUNSTATE_blocked];
    ev_seen[ev_timer_port] = 0;
    T_EQ(rt_set_timer(rt_now() + 10 * MS), 0);
    while (!ev_seen[ev_timer_port])
        rt_sched(XEN_SCHEDOP_block, NULL);
    T_EQ(rt_vcpu(XEN_VCPUOP_get_runstate_info, 0, &r), 0);
    T_OK(r.time[XEN_RUNSTATE_blocked] >= blocked + 5 * MS);
    memset(&reg, 0, sizeof(reg));
    reg.addr.h = G(&area);
    T_EQ(rt_vcpu(XEN_VCPUOP_register_runstate_memory_area, 0, &reg), 0);
    T_EQ(area.state, XEN_RUNSTATE_running);
    uint64_t entry = area.state_entry_time;
    ev_seen[ev_timer_port] = 0;
    T_EQ(rt_set_timer(rt_now() + 3 * MS), 0);
    while (!ev_seen[ev_timer_port])
        rt_sched(XEN_SCHEDOP_block, NULL);
    T_OK(area.state_entry_time > entry);
    T_EQ(area.state, XEN_RUNSTATE_running);
    T_EQ(rt_vcpu(XEN_VCPUOP_get_runstate_info, 31, &r), -XEN_ENOENT);
    reg.addr.h = G(0);
    rt_vcpu(XEN_VCPUOP_register_runstate_memory_area, 0, &reg);
}

void time_area(void)
{
    static struct xen_vcpu_time_info area;
    struct xen_vcpu_register_time_memory_area reg;

    memset(&reg, 0, sizeof(reg));
    reg.addr.h = G(&area);
    T_EQ(rt_vcpu(XEN_VCPUOP_register_vcpu_time_memory_area, 0, &reg), 0);
    T_OK(area.tsc_to_system_mul == rt_vi()->time.tsc_to_system_mul);
    T_OK(area.tsc_to_system_mul != 0 && !(area.version & 1));
    reg.addr.h = G(0);
    rt_vcpu(XEN_VCPUOP_register_vcpu_time_memory_area, 0, &reg);
}
