/* SPDX-License-Identifier: MIT */
/*
 * events: event channels of the 2-level kind, and how they reach a virtual CPU.
 */
#include "events.h"

volatile unsigned ev_seen[1024];
uint32_t ev_timer_port;

void ev_count(uint32_t port)
{
    ev_seen[port]++;
}

uint32_t ev_alloc(void)
{
    struct xen_evtchn_alloc_unbound a = {.dom = XEN_DOMID_SELF, .remote_dom = XEN_DOMID_SELF};

    T_EQ(rt_evtchn(XEN_EVTCHNOP_alloc_unbound, &a), 0);
    return a.port;
}

int64_t ev_status(uint32_t port, struct xen_evtchn_status *s)
{
    memset(s, 0, sizeof(*s));
    s->dom = XEN_DOMID_SELF;
    s->port = port;
    return rt_evtchn(XEN_EVTCHNOP_status, s);
}

bool ev_other(void (*fn)(void *), void *arg)
{
    int64_t ret = rt_vcpu_start(1, fn, arg);

    if (ret == -XEN_ENOENT)
        return false;
    T_EQ(ret, 0);
    return ret == 0;
}

void ev_other_gone(void)
{
    for (int i = 0; i < 100000 && rt_vcpu(XEN_VCPUOP_is_up, 1, NULL) == 1; i++)
        rt_sched(XEN_SCHEDOP_yield, NULL);
    T_EQ(rt_vcpu(XEN_VCPUOP_is_up, 1, NULL), 0);
}

void event_bind_codes(void)
{
    struct xen_evtchn_bind_virq v = {.virq = XEN_VIRQ_TIMER, .vcpu = 0};
    struct xen_evtchn_bind_ipi i = {.vcpu = 31};
    struct xen_evtchn_bind_vcpu b = {.port = ev_timer_port, .vcpu = 0};

    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_virq, &v), -XEN_EEXIST);
    v.virq = XEN_NR_VIRQS;
    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_virq, &v), -XEN_EINVAL);
    v.virq = ~0u;
    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_virq, &v), -XEN_EINVAL);
    v.virq = XEN_VIRQ_DEBUG;
    v.vcpu = 31;
    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_virq, &v), -XEN_ENOENT);
    v.virq = XEN_VIRQ_ARCH_0;
    v.vcpu = 1; /* one per guest: only on virtual CPU 0 */
    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_virq, &v), -XEN_EINVAL);
    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_ipi, &i), -XEN_ENOENT);
    i.vcpu = ~0u;
    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_ipi, &i), -XEN_ENOENT);
    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_vcpu, &b), -XEN_EINVAL); /* a timer's stays where it is */
    b.port = ev_alloc();
    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_vcpu, &b), 0);
    b.vcpu = 31;
    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_vcpu, &b), -XEN_ENOENT);
    rt_close(b.port);
    b.vcpu = 0;
    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_vcpu, &b), -XEN_EINVAL);
    T_EQ(rt_evtchn(99, &b), -XEN_ENOSYS);
}

void event_port_codes(void)
{
    static const uint32_t bad[] = {0, 4000, 4096, 5000, 1u << 17, ~0u};
    struct xen_evtchn_close c;
    struct xen_evtchn_unmask u;
    struct xen_evtchn_status s;
    struct xen_evtchn_alloc_unbound a = {.dom = 0x1234, .remote_dom = XEN_DOMID_SELF};
    struct xen_evtchn_bind_interdomain d = {.remote_dom = 0x1234, .remote_port = 1};

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        c.port = u.port = bad[i];
        T_EQ(rt_evtchn(XEN_EVTCHNOP_close, &c), -XEN_EINVAL);
        T_EQ(rt_send(bad[i]), -XEN_EINVAL);
        if (bad[i] != 0 && bad[i] < 4096) {
            T_EQ(rt_evtchn(XEN_EVTCHNOP_unmask, &u), -XEN_EINVAL);
            T_EQ(ev_status(bad[i], &s), -XEN_EINVAL);
        }
        if (bad[i] > 4096)
            T_EQ(ev_status(bad[i], &s), -XEN_EINVAL);
    }
    T_EQ(rt_evtchn(XEN_EVTCHNOP_alloc_unbound, &a), -XEN_ESRCH);
    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_interdomain, &d), -XEN_ESRCH);
    d.remote_dom = XEN_DOMID_SELF;
    d.remote_port = 4000;
    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_interdomain, &d), -XEN_EINVAL);
    d.remote_port = ev_timer_port;
    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_interdomain, &d), -XEN_EINVAL);
    uint32_t port = ev_alloc();
    T_EQ(rt_send(port), 0); /* to nobody yet: dropped without a word */
    rt_close(port);
    T_EQ(rt_send(port), -XEN_EINVAL);
    c.port = port;
    T_EQ(rt_evtchn(XEN_EVTCHNOP_close, &c), -XEN_EINVAL);
    T_EQ(ev_alloc(), port); /* the lowest free port comes next */
    rt_close(port);
    T_EQ(rt_send(ev_timer_port), -XEN_EINVAL); /* that is the hypervisor's to send */
}

void event_status(void)
{
    struct xen_evtchn_status s;
    uint32_t unbound = ev_alloc(), ipi = rt_bind_ipi(0);

    T_EQ(ev_status(unbound, &s), 0);
    T_EQ(s.status, XEN_EVTCHNSTAT_unbound);
    T_EQ(s.vcpu, 0);
    uint16_t self = s.u.unbound.dom;
    T_EQ(ev_status(ipi, &s), 0);
    T_EQ(s.status, XEN_EVTCHNSTAT_ipi);
    T_EQ(ev_status(ev_timer_port, &s), 0);
    T_EQ(s.status, XEN_EVTCHNSTAT_virq);
    T_EQ(s.u.virq, XEN_VIRQ_TIMER);
    struct xen_evtchn_bind_interdomain d = {.remote_dom = XEN_DOMID_SELF, .remote_port = unbound};
    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_interdomain, &d), 0);
    T_EQ(ev_status(unbound, &s), 0);
    T_EQ(s.status, XEN_EVTCHNSTAT_interdomain);
    T_EQ(s.u.interdomain.dom, self);
    T_EQ(s.u.interdomain.port, d.local_port);
    rt_close(d.local_port);
    T_EQ(ev_status(d.local_port, &s), 0);
    T_EQ(s.status, XEN_EVTCHNSTAT_closed);
    T_EQ(ev_status(unbound, &s), 0); /* the other end waits for a new one */
    T_EQ(s.status, XEN_EVTCHNSTAT_unbound);
    rt_close(unbound);
    rt_close(ipi);
}

void event_interdomain(void)
{
    uint32_t a = ev_alloc();
    struct xen_evtchn_bind_interdomain d = {.remote_dom = XEN_DOMID_SELF, .remote_port = a};

    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_interdomain, &d), 0);
    uint32_t b = d.local_port;
    rt_on_port(a, ev_count);
    rt_on_port(b, ev_count);
    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_interdomain, &d), -XEN_EINVAL); /* taken */
    ev_seen[a] = ev_seen[b] = 0;
    T_EQ(rt_send(a), 0);
    T_EQ(ev_seen[b], 1);
    T_EQ(ev_seen[a], 0);
    T_EQ(rt_send(b), 0);
    T_EQ(ev_seen[a], 1);
    rt_close(b);
    T_EQ(rt_send(a), 0);
    T_EQ(ev_seen[a], 1);
    rt_close(a);
}

void event_masked(void)
{
    uint32_t p = rt_bind_ipi(0);

    rt_on_port(p, ev_count);
    ev_seen[p] = 0;
    rt_mask(p);
    T_EQ(rt_send(p), 0);
    T_OK(ev_pending(p));
    T_EQ(ev_seen[p], 0);
    T_EQ(rt_vi()->evtchn_upcall_pending, 0);
    T_EQ(rt_send(p), 0);
    rt_unmask(p); /* raises what was pending: once */
    T_EQ(ev_seen[p], 1);
    T_OK(!ev_pending(p));
    rt_unmask(p);
    T_EQ(ev_seen[p], 1);
    rt_close(p);
}

/* Several ports in several words: one upcall shows them all, and the selector names their words. */
void event_levels(void)
{
    static uint32_t port[200];

    rt_events_off();
    for (unsigned i = 0; i < 200; i++) {
        port[i] = rt_bind_ipi(0);
        rt_on_port(port[i], ev_count);
        ev_seen[port[i]] = 0;
    }
    uint64_t sel = 0;
    for (unsigned i = 0; i < 200; i += 7) {
        T_EQ(rt_send(port[i]), 0);
        sel |= 1ul << port[i] / 64;
        T_OK(ev_pending(port[i]));
    }
    T_EQ(rt_vi()->evtchn_pending_sel & sel, sel);
    T_EQ(rt_vi()->evtchn_upcall_pending, 1);
    rt_events_on();
    for (unsigned i = 0; i < 200; i++)
        T_EQ(ev_seen[port[i]], i % 7 == 0);
    for (unsigned i = 0; i < 200; i++)
        rt_close(port[i]);
}

static volatile uint8_t mask_in_callback, saved_mask;
static volatile uint64_t callback_cs;

static bool look_at_callback(struct rt_regs *regs)
{
    mask_in_callback = rt_vi()->evtchn_upcall_mask;
    saved_mask = regs->cs >> 32 & 0xff;
    callback_cs = regs->cs;
    return false;
}

void event_upcall_mask(void)
{
    uint32_t p = rt_bind_ipi(0);

    rt_on_port(p, ev_count);
    ev_seen[p] = 0;
    rt_on(RT_EVENT, look_at_callback);
    T_EQ(rt_send(p), 0);
    T_EQ(ev_seen[p], 1);
    T_EQ(mask_in_callback, 1);
    T_EQ(saved_mask, 0);
    T_EQ(callback_cs & 3, 0);
    T_EQ(rt_vi()->evtchn_upcall_mask, 0);
    rt_events_off();
    T_EQ(rt_send(p), 0);
    rt_version(XENVER_version, NULL); /* no delivery at any return to a masked kernel */
    T_EQ(ev_seen[p], 1);
    T_EQ(rt_vi()->evtchn_upcall_pending, 1);
    /* The guest may open the mask and go on: the next entry to the hypervisor delivers. */
    rt_vi()->evtchn_upcall_mask = 0;
    barrier();
    rt_version(XENVER_version, NULL);
    T_EQ(ev_seen[p], 2);
    rt_on(RT_EVENT, NULL);
    rt_close(p);
}

static uint32_t storm_port[2];
static volatile unsigned storm_left;

static void storm(uint32_t port)
{
    ev_seen[port]++;
    if (storm_left) {
        storm_left--;
        rt_send(port == storm_port[0] ? storm_port[1] : storm_port[0]);
    }
}

/* Each of two ports raises the other from its handler: no link of the chain may be lost. */
void event_storm(void)
{
    for (int i = 0; i < 2; i++) {
        storm_port[i] = rt_bind_ipi(0);
        rt_on_port(storm_port[i], storm);
        ev_seen[storm_port[i]] = 0;
    }
    storm_left = 2000;
    T_EQ(rt_send(storm_port[0]), 0);
    for (int i = 0; i < 100 && storm_left; i++)
        rt_sched(XEN_SCHEDOP_yield, NULL);
    T_EQ(storm_left, 0);
    T_EQ(ev_seen[storm_port[0]] + ev_seen[storm_port[1]], 2001);
    rt_close(storm_port[0]);
    rt_close(storm_port[1]);
}

static volatile unsigned nest_depth, nest_max;
static uint32_t nest_port;

static void nest(uint32_t port)
{
    ev_seen[port]++;
    if (++nest_depth > nest_max)
        nest_max = nest_depth;
    if (ev_seen[port] < 5) {
        rt_send(port);
        rt_events_on(); /* a handler may let others in */
        rt_version(XENVER_version, NULL);
        rt_events_off();
    }
    nest_depth--;
}

void event_nested(void)
{
    nest_port = rt_bind_ipi(0);
    rt_on_port(nest_port, nest);
    ev_seen[nest_port] = 0;
    nest_depth = nest_max = 0;
    T_EQ(rt_send(nest_port), 0);
    T_EQ(ev_seen[nest_port], 5);
    T_OK(nest_max >= 2);
    T_EQ(nest_depth, 0);
    rt_close(nest_port);
}

void event_exhaust(void)
{
    static uint32_t port[4096];
    struct xen_evtchn_alloc_unbound a = {.dom = XEN_DOMID_SELF, .remote_dom = XEN_DOMID_SELF};
    unsigned n = 0;
    int64_t ret;

    while ((ret = rt_evtchn(XEN_EVTCHNOP_alloc_unbound, &a)) == 0 && n < 4096)
        port[n++] = a.port;
    T_EQ(ret, -XEN_ENOSPC);
    T_OK(n >= 1000 && n < 4096);
    struct xen_evtchn_close c;
    while (n) {
        c.port = port[--n];
        T_EQ(rt_evtchn(XEN_EVTCHNOP_close, &c), 0);
    }
    T_EQ(rt_evtchn(XEN_EVTCHNOP_alloc_unbound, &a), 0);
    T_EQ(a.port, port[0]);
    rt_close(a.port);
}

static void mark_cpu(uint32_t port)
{
    ev_seen[port] = 100 + (unsigned)rt_cpu();
}

static volatile int binding_state;

static void binding_other(void *arg)
{
    (void)arg;
    rt_events_on();
    binding_state = 1;
    while (binding_state == 1)
        rt_sched(XEN_SCHEDOP_yield, NULL);
}

/* An event goes to the virtual CPU that its port is bound to. */
void event_vcpu_binding(void)
{
    binding_state = 0;
    if (!ev_other(binding_other, NULL))
        T_NA("one virtual CPU only");
    uint32_t ipi = rt_bind_ipi(1), a = ev_alloc();
    struct xen_evtchn_bind_interdomain d = {.remote_dom = XEN_DOMID_SELF, .remote_port = a};
    struct xen_evtchn_status s;
    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_interdomain, &d), 0);
    rt_on_port(ipi, mark_cpu);
    rt_on_port(a, mark_cpu);
    ev_seen[ipi] = ev_seen[a] = 0;
    for (int i = 0; i < 10000 && !binding_state; i++)
        rt_sched(XEN_SCHEDOP_yield, NULL);
    T_EQ(rt_send(ipi), 0);
    for (int i = 0; i < 10000 && !ev_seen[ipi]; i++)
        rt_sched(XEN_SCHEDOP_yield, NULL);
    T_EQ(ev_seen[ipi], 101);
    T_EQ(rt_send(d.local_port), 0);
    T_EQ(ev_seen[a], 100);
    struct xen_evtchn_bind_vcpu b = {.port = a, .vcpu = 1};
    T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_vcpu, &b), 0);
    T_EQ(ev_status(a, &s), 0);
    T_EQ(s.vcpu, 1);
    ev_seen[a] = 0;
    T_EQ(rt_send(d.local_port), 0);
    for (int i = 0; i < 10000 && !ev_seen[a]; i++)
        rt_sched(XEN_SCHEDOP_yield, NULL);
    T_EQ(ev_seen[a], 101);
    binding_state = 2;
    ev_other_gone();
    rt_close(d.local_port);
    rt_close(a);
    rt_close(ipi);
}

void event_reset(void)
{
    struct xen_evtchn_reset r = {.dom = 0x1234};

    T_EQ(rt_evtchn(XEN_EVTCHNOP_reset, &r), -XEN_ESRCH);
    uint32_t p = ev_alloc();
    r.dom = XEN_DOMID_SELF;
    rt_events_off();
    T_EQ(rt_evtchn(XEN_EVTCHNOP_reset, &r), 0);
    T_EQ(rt_send(p), -XEN_EINVAL);
    struct xen_evtchn_status s;
    T_EQ(ev_status(ev_timer_port, &s), 0);
    T_EQ(s.status, XEN_EVTCHNSTAT_closed);
    ev_timer_port = rt_bind_virq(XEN_VIRQ_TIMER, 0);
    rt_on_port(ev_timer_port, ev_count);
    rt_events_on();
}

static const struct test tests[] = {
    {"vcpu-codes", vcpu_codes},
    {"vcpu-run", vcpu_run},
    {"bind-codes", event_bind_codes},
    {"port-codes", event_port_codes},
    {"status", event_status},
    {"interdomain-to-self", event_interdomain},
    {"masked-port", event_masked},
    {"levels", event_levels},
    {"upcall-mask", event_upcall_mask},
    {"storm", event_storm},
    {"nested", event_nested},
    {"exhaust-ports", event_exhaust},
    {"vcpu-binding", event_vcpu_binding},
    {"clock", time_clock},
    {"wall-clock", time_wallclock},
    {"timer-one-shot", time_oneshot},
    {"timer-past", time_past},
    {"timer-singleshot", time_singleshot},
    {"timer-periodic", time_periodic},
    {"poll", time_poll},
    {"block", time_block},
    {"runstate", time_runstate},
    {"time-area", time_area},
    {"vcpu-up-down", vcpu_up_down},
    {"vcpu-share", vcpu_share},
    {"vcpu-ipi", vcpu_ipi},
    {"vcpu-traps", vcpu_traps},
    {"vcpu-flush", vcpu_flush},
    {"nmi", vcpu_nmi},
    {"grant-setup", grant_setup},
    {"grant-map", grant_map},
    {"grant-codes", grant_codes},
    {"grant-readonly", grant_readonly},
    {"grant-twice", grant_twice},
    {"grant-types", grant_types},
    {"grant-copy", grant_copy},
    {"grant-copy-codes", grant_copy_codes},
    {"grant-transfer", grant_transfer},
    {"grant-replace", grant_replace},
    {"grant-swap", grant_swap},
    {"grant-rest", grant_rest},
    {"vcpu-info-move", vcpu_info_move},
    {"reset", event_reset},
};

void rt_image_main(void)
{
    t_window();
    rt_vcpu(XEN_VCPUOP_stop_periodic_timer, 0, NULL);
    ev_timer_port = rt_bind_virq(XEN_VIRQ_TIMER, 0);
    rt_on_port(ev_timer_port, ev_count);
    rt_events_on();
    RUN_TESTS("events", tests);
}
