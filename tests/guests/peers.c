/* SPDX-License-Identifier: MIT */
/*
 * peers: two guests that share pages and event channels, one that grants (role=a, domain 1) and one
 * that uses (role=b, domain 2).
 *
 * Both walk the same table of tests and meet at its steps, through a page that a grants and b maps.
 * In the last one a powers off while b still has a page of its mapped.  Nobody tells them of each
 * other: b looks for the port and the grant that a has made for it.
 */
#include "t.h"

#define REF_MEET  8
#define REF_DATA  9
#define REF_RO    10
#define REF_OTHER 11
#define REF_TABLE 12

/* The page where they meet: each side writes its own half. */
struct meet {
    volatile uint32_t step[2];
    volatile uint32_t count[2];
    volatile uint64_t word[2][4];
};

static bool role_b;
static uint16_t peer;
static struct meet *meet;
static struct xen_grant_entry_v1 *table; /* a's */
static uint8_t *data, *readonly;         /* a's pages */
static uint32_t port, other_port, step;
static volatile unsigned heard;

static void hear(uint32_t p)
{
    (void)p;
    heard++;
}

/* Waits until the peer has come as far as we have. */
static bool sync(void)
{
    meet->step[role_b] = ++step;
    for (uint64_t end = rt_now() + 5000000000ul; rt_now() < end;) {
        if (meet->step[!role_b] >= step)
            return true;
        rt_sched(XEN_SCHEDOP_yield, NULL);
    }
    t_fail(__FILE__, __LINE__, "the peer did not come to step %u", step);
    return false;
}

static void publish(unsigned ref, uint16_t domid, const void *page, uint16_t flags)
{
    table[ref].domid = domid;
    table[ref].frame = (uint32_t)rt_mfn(page);
    __atomic_store_n(&table[ref].flags, flags, __ATOMIC_SEQ_CST);
}

static int16_t map(unsigned ref, uint64_t va, uint32_t flags, struct xen_gnttab_map_grant_ref *m)
{
    *m = (struct xen_gnttab_map_grant_ref){
        .host_addr = va, .flags = XEN_GNTMAP_host_map | flags, .ref = ref, .dom = peer};
    T_EQ(rt_gnttab(XEN_GNTTABOP_map_grant_ref, m, 1), 0);
    return m->status;
}

static int16_t unmap(uint64_t va, uint32_t handle)
{
    struct xen_gnttab_unmap_grant_ref u = {.host_addr = va, .handle = handle};

    T_EQ(rt_gnttab(XEN_GNTTABOP_unmap_grant_ref, &u, 1), 0);
    return u.status;
}

static void begin_a(void)
{
    static uint64_t frame;
    struct xen_gnttab_setup_table s = {
        .dom = XEN_DOMID_SELF, .nr_frames = 1, .frame_list = G(&frame)};
    struct xen_evtchn_alloc_unbound u = {.dom = XEN_DOMID_SELF, .remote_dom = peer};

    T_EQ(rt_gnttab(XEN_GNTTABOP_setup_table, &s, 1), 0);
    T_EQ(s.status, 0);
    T_EQ(rt_va_map(t_win(500), frame << 12 | PTE_RW, XEN_UVMF_INVLPG), 0);
    table = (struct xen_grant_entry_v1 *)t_win(500);
    meet = rt_page();
    data = rt_page();
    readonly = rt_page();
    for (unsigned i = 0; i < PAGE; i++)
        data[i] = readonly[i] = (uint8_t)(i * 11 + 3);
    T_EQ(rt_evtchn(XEN_EVTCHNOP_alloc_unbound, &u), 0);
    port = u.port;
    u.remote_dom = 77;
    T_EQ(rt_evtchn(XEN_EVTCHNOP_alloc_unbound, &u), 0);
    other_port = u.port;
    rt_on_port(port, hear);
    meet->word[0][0] = other_port;
    publish(REF_DATA, peer, data, XEN_GTF_permit_access);
    publish(REF_RO, peer, readonly, XEN_GTF_permit_access | XEN_GTF_readonly);
    publish(REF_OTHER, 77, data, XEN_GTF_permit_access);
    publish(REF_TABLE, peer, (void *)t_l1, XEN_GTF_permit_access);
    publish(REF_MEET, peer, meet, XEN_GTF_permit_access);
}

static void begin_b(void)
{
    struct xen_gnttab_map_grant_ref m;
    struct xen_evtchn_bind_interdomain b = {.remote_dom = peer};

    for (uint64_t end = rt_now() + 10000000000ul; rt_now() < end;
         rt_sched(XEN_SCHEDOP_yield, NULL)) {
        m = (struct xen_gnttab_map_grant_ref){
            .host_addr = t_win(0), .flags = XEN_GNTMAP_host_map, .ref = REF_MEET, .dom = peer};
        rt_gnttab(XEN_GNTTABOP_map_grant_ref, &m, 1);
        if (!m.status)
            break;
    }
    T_EQ(m.status, 0);
    if (m.status)
        rt_panic("peers: nothing is granted");
    meet = (struct meet *)t_win(0);
    for (b.remote_port = 1; b.remote_port < 64; b.remote_port++) {
        if (!rt_evtchn(XEN_EVTCHNOP_bind_interdomain, &b))
            break;
    }
    T_OK(b.remote_port < 64);
    port = b.local_port;
    rt_on_port(port, hear);
    other_port = (uint32_t)meet->word[0][0];
}

static void begin(void)
{
    if (role_b)
        begin_b();
    else
        begin_a();
    sync();
}

/* A thousand turns: each sends, and waits for the other's; no link may be lost. */
static void events(void)
{
    heard = 0;
    sync();
    for (unsigned i = 1; i <= 1000; i++) {
        if (!role_b)
            T_EQ(rt_send(port), 0);
        for (uint64_t end = rt_now() + 5000000000ul; heard < i && rt_now() < end;) {
            rt_events_off();
            if (heard < i)
                rt_sched(XEN_SCHEDOP_block, NULL);
            rt_events_on();
        }
        if (!T_EQ(heard, i))
            break;
        if (role_b)
            T_EQ(rt_send(port), 0);
    }
    sync();
}

/* What is for domain 77 is for nobody here. */
static void not_ours(void)
{
    struct xen_gnttab_map_grant_ref m;
    struct xen_evtchn_bind_interdomain b = {.remote_dom = peer, .remote_port = other_port};

    if (role_b) {
        T_EQ(map(REF_OTHER, t_win(1), 0, &m), XEN_GNTST_general_error);
        T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_interdomain, &b), -XEN_EINVAL);
        b.remote_port = 60;
        T_EQ(rt_evtchn(XEN_EVTCHNOP_bind_interdomain, &b), -XEN_EINVAL);
        T_EQ(map(REF_RO, t_win(1), 0, &m), XEN_GNTST_general_error);
        T_EQ(map(REF_TABLE, t_win(1), 0, &m), XEN_GNTST_general_error);
        T_EQ(map(REF_RO, t_win(1), XEN_GNTMAP_readonly, &m), 0);
        T_OK(t_readonly(t_win(1)));
        T_EQ(*(volatile uint8_t *)(t_win(1) + 100), (uint8_t)(100 * 11 + 3));
        T_EQ(unmap(t_win(1), m.handle), 0);
    }
    sync();
}

static void shared_memory(void)
{
    struct xen_gnttab_map_grant_ref m;

    if (role_b) {
        T_EQ(map(REF_DATA, t_win(1), 0, &m), 0);
        *(volatile uint64_t *)(t_win(1) + 8) = 0x1234567;
    }
    sync();
    if (!role_b) {
        T_EQ(*(volatile uint64_t *)(data + 8), 0x1234567);
        T_EQ(table[REF_DATA].flags, XEN_GTF_permit_access | XEN_GTF_reading | XEN_GTF_writing);
        /* While it is mapped writable elsewhere it cannot become a page table here... */
        rt_make_ro(data);
        T_EQ(rt_mmuext(XEN_MMUEXT_PIN_L1_TABLE, rt_mfn(data), 0), -XEN_EINVAL);
        /* ...and given back, it is not given to anybody else as long as it is mapped. */
        rt_make_rw(data);
    }
    sync();
    if (role_b) {
        /* The frame's number is no key to it: only the grant is. */
        uint64_t frame = m.dev_bus_addr >> 12;
        T_OK(rt_mmu_update(t_ptr(2), frame << 12 | PTE_RW) < 0);
        T_OK(rt_mmu_update(t_ptr(2), frame << 12 | PTE_RO) < 0);
        T_OK(rt_mmu_update(frame << 12, 0) < 0);
        T_OK(rt_mmuext(XEN_MMUEXT_PIN_L1_TABLE, frame, 0) < 0);
        T_OK(rt_mmuext(XEN_MMUEXT_CLEAR_PAGE, frame, 0) < 0);
        T_EQ(unmap(t_win(1), m.handle), 0);
        T_OK(t_absent(t_win(1)));
    }
    sync();
    if (!role_b)
        T_EQ(table[REF_DATA].flags, XEN_GTF_permit_access);
    sync();
}

/* Ending access: the entry can be cleared at once for new maps, and is in use until the old ends.
 */
static void end_access(void)
{
    struct xen_gnttab_map_grant_ref m, n;

    if (role_b)
        T_EQ(map(REF_DATA, t_win(1), 0, &m), 0);
    sync();
    if (!role_b) {
        uint16_t was = __atomic_load_n(&table[REF_DATA].flags, __ATOMIC_SEQ_CST);
        T_OK(was & (XEN_GTF_reading | XEN_GTF_writing)); /* so it may not be taken back yet */
    }
    sync();
    if (role_b) {
        T_EQ(unmap(t_win(1), m.handle), 0);
        T_EQ(unmap(t_win(1), m.handle), XEN_GNTST_bad_handle);
    }
    sync();
    if (!role_b) {
        uint16_t want = XEN_GTF_permit_access;
        T_OK(__atomic_compare_exchange_n(&table[REF_DATA].flags, &want, 0, false, __ATOMIC_SEQ_CST,
                                         __ATOMIC_SEQ_CST));
    }
    sync();
    if (role_b)
        T_EQ(map(REF_DATA, t_win(1), 0, &n), XEN_GNTST_general_error);
    sync();
    if (!role_b)
        publish(REF_DATA, peer, data, XEN_GTF_permit_access);
    sync();
}

static void copies(void)
{
    struct xen_gnttab_copy c;
    uint8_t *mine = rt_page();

    memset(&c, 0, sizeof(c));
    if (role_b) {
        c.source.u.ref = REF_RO;
        c.source.domid = peer;
        c.dest.u.gmfn = rt_mfn(mine);
        c.dest.domid = XEN_DOMID_SELF;
        c.len = PAGE;
        c.flags = XEN_GNTCOPY_source_gref;
        T_EQ(rt_gnttab(XEN_GNTTABOP_copy, &c, 1), 0);
        T_EQ(c.status, 0);
        T_EQ(mine[4095], (uint8_t)(4095 * 11 + 3));
        /* Without a reference, a foreign page is out of reach. */
        c.flags = 0;
        c.source.u.gmfn = 0x100;
        T_EQ(rt_gnttab(XEN_GNTTABOP_copy, &c, 1), 0);
        T_OK(c.status < 0);
        /* And into what is read-only there. */
        memset(&c, 0, sizeof(c));
        c.source.u.gmfn = rt_mfn(mine);
        c.source.domid = XEN_DOMID_SELF;
        c.dest.u.ref = REF_RO;
        c.dest.domid = peer;
        c.len = 8;
        c.flags = XEN_GNTCOPY_dest_gref;
        T_EQ(rt_gnttab(XEN_GNTTABOP_copy, &c, 1), 0);
        T_EQ(c.status, XEN_GNTST_general_error);
        mine[0] = 0x77;
        c.dest.u.ref = REF_DATA;
        T_EQ(rt_gnttab(XEN_GNTTABOP_copy, &c, 1), 0);
        T_EQ(c.status, 0);
    }
    sync();
    if (!role_b)
        T_EQ(data[0], 0x77);
    rt_page_free(mine);
    sync();
}

/* a goes; what b has mapped of it stays as it was until b lets go. */
static void death(void)
{
    struct xen_gnttab_map_grant_ref m, n;
    struct xen_evtchn_status s = {.dom = XEN_DOMID_SELF, .port = port};
    uint64_t bad = 0;

    if (role_b)
        T_EQ(map(REF_RO, t_win(1), XEN_GNTMAP_readonly, &m), 0);
    sync();
    if (!role_b)
        return; /* and power off: the last test */
    for (uint64_t end = rt_now() + 5000000000ul; rt_now() < end;) {
        T_EQ(rt_evtchn(XEN_EVTCHNOP_status, &s), 0);
        if (s.status != XEN_EVTCHNSTAT_interdomain)
            break;
        rt_sched(XEN_SCHEDOP_yield, NULL);
    }
    T_EQ(s.status, XEN_EVTCHNSTAT_unbound); /* as if it had closed its end */
    T_EQ(rt_send(port), 0);
    for (unsigned i = 0; i < PAGE; i++) {
        if (*(volatile uint8_t *)(t_win(1) + i) != (uint8_t)(i * 11 + 3))
            bad++;
    }
    T_EQ(bad, 0);
    T_OK(map(REF_RO, t_win(2), XEN_GNTMAP_readonly, &n) != 0);
    T_EQ(unmap(t_win(1), m.handle), 0);
    T_OK(t_absent(t_win(1)));
    T_OK(map(REF_RO, t_win(2), XEN_GNTMAP_readonly, &n) != 0);
}

static const struct test tests[] = {
    {"begin", begin},           {"events", events},
    {"not-ours", not_ours},     {"shared-memory", shared_memory},
    {"end-access", end_access}, {"copies", copies},
    {"death", death},
};

void rt_image_main(void)
{
    char word[8];

    t_window();
    rt_vcpu(XEN_VCPUOP_stop_periodic_timer, 0, NULL);
    rt_events_on();
    if (!rt_value("role", word, sizeof(word)))
        rt_panic("role= is missing");
    role_b = word[0] == 'b';
    if (!rt_value("peer", word, sizeof(word)))
        rt_panic("peer= is missing");
    peer = (uint16_t)rt_number(word);
    RUN_TESTS(role_b ? "peers-b" : "peers-a", tests);
}
