/* SPDX-License-Identifier: MIT */
/*
 * events: grants, version 1, from the guest to itself.
 */
#include "events.h"

#define REF 8

static struct xen_grant_entry_v1 *table;
static uint16_t self;

static void publish(unsigned ref, const void *page, uint16_t flags)
{
    table[ref].domid = self;
    table[ref].frame = (uint32_t)rt_mfn(page);
    __atomic_store_n(&table[ref].flags, flags, __ATOMIC_SEQ_CST);
}

static int16_t map(unsigned ref, uint64_t va, uint32_t flags, uint32_t *handle)
{
    struct xen_gnttab_map_grant_ref m = {
        .host_addr = va, .flags = flags, .ref = ref, .dom = self, .status = 99};
    T_EQ(rt_gnttab(XEN_GNTTABOP_map_grant_ref, &m, 1), 0);
    *handle = m.handle;
    return m.status;
}

static int16_t unmap(uint64_t va, uint32_t handle)
{
    struct xen_gnttab_unmap_grant_ref u = {.host_addr = va, .handle = handle, .status = 99};
    T_EQ(rt_gnttab(XEN_GNTTABOP_unmap_grant_ref, &u, 1), 0);
    return u.status;
}

static bool ready(void)
{
    static uint64_t frames[4];

    if (table)
        return true;
    self = t_domid();
    struct xen_gnttab_setup_table s = {
        .dom = XEN_DOMID_SELF, .nr_frames = 1, .status = 99, .frame_list = G(frames)};
    T_EQ(rt_gnttab(XEN_GNTTABOP_setup_table, &s, 1), 0);
    if (!T_EQ(s.status, 0))
        return false;
    T_EQ(rt_va_map(t_win(500), frames[0] << 12 | PTE_RW, XEN_UVMF_INVLPG), 0);
    if (t_failed())
        return false;
    table = (struct xen_grant_entry_v1 *)t_win(500);
    return true;
}

void grant_setup(void)
{
    static uint64_t frames[64];
    struct xen_gnttab_query_size q = {.dom = XEN_DOMID_SELF, .status = 99};
    struct xen_gnttab_setup_table s = {
        .dom = XEN_DOMID_SELF, .nr_frames = 100000, .status = 99, .frame_list = G(frames)};
    struct xen_gnttab_get_version v = {.dom = XEN_DOMID_SELF};

    T_EQ(rt_gnttab(XEN_GNTTABOP_query_size, &q, 1), 0);
    T_EQ(q.status, 0);
    T_OK(q.nr_frames >= 1 && q.max_nr_frames >= q.nr_frames && q.max_nr_frames <= 64);
    T_EQ(rt_gnttab(XEN_GNTTABOP_setup_table, &s, 1), 0);
    T_EQ(s.status, XEN_GNTST_general_error);
    s.nr_frames = 1;
    s.dom = 0x1234;
    T_EQ(rt_gnttab(XEN_GNTTABOP_setup_table, &s, 1), 0);
    T_EQ(s.status, XEN_GNTST_bad_domain);
    T_EQ(rt_gnttab(XEN_GNTTABOP_setup_table, &s, 2), -XEN_EINVAL);
    T_EQ(rt_gnttab(XEN_GNTTABOP_query_size, &q, 2), -XEN_EINVAL);
    T_EQ(rt_gnttab(99, &q, 1), -XEN_ENOSYS);
    T_EQ(rt_gnttab(XEN_GNTTABOP_get_version, &v, 1), 0);
    T_EQ(v.version, 1);
    T_OK(ready());
}

void grant_map(void)
{
    uint8_t *page = rt_page();
    uint32_t h;

    if (!ready())
        return;
    page[5] = 0x55;
    publish(REF, page, XEN_GTF_permit_access);
    T_EQ(map(REF, t_win(10), XEN_GNTMAP_host_map, &h), 0);
    T_EQ(*(volatile uint8_t *)(t_win(10) + 5), 0x55);
    *(volatile uint8_t *)(t_win(10) + 6) = 0x66;
    T_EQ(page[6], 0x66);
    T_EQ(table[REF].flags, XEN_GTF_permit_access | XEN_GTF_reading | XEN_GTF_writing);
    /* Mapped by a grant: an ordinary update may not take the entry away from under it... */
    T_EQ(unmap(t_win(10), h), 0);
    T_OK(t_absent(t_win(10)));
    T_EQ(table[REF].flags, XEN_GTF_permit_access);
    T_EQ(unmap(t_win(10), h), XEN_GNTST_bad_handle);
    table[REF].flags = 0;
    rt_page_free(page);
}

void grant_codes(void)
{
    uint8_t *page = rt_page();
    uint32_t h;

    if (!ready())
        return;
    table[REF].flags = 0;
    T_EQ(map(REF, t_win(10), XEN_GNTMAP_host_map, &h), XEN_GNTST_general_error); /* not granted */
    T_EQ(map(1u << 20, t_win(10), XEN_GNTMAP_host_map, &h), XEN_GNTST_bad_gntref);
    publish(REF, page, XEN_GTF_permit_access);
    T_EQ(map(REF, t_win(10), 0, &h), XEN_GNTST_bad_gntref); /* neither host nor device */
    T_EQ(map(REF, 0xffff800000000000, XEN_GNTMAP_host_map, &h), XEN_GNTST_general_error);
    T_EQ(map(REF, 0x18000000000, XEN_GNTMAP_host_map, &h), XEN_GNTST_general_error); /* no L1 */
    table[REF].domid = 0x77; /* granted to another */
    T_EQ(map(REF, t_win(10), XEN_GNTMAP_host_map, &h), XEN_GNTST_general_error);
    table[REF].domid = self;
    table[REF].frame = 0x3fffffff;
    T_EQ(map(REF, t_win(10), XEN_GNTMAP_host_map, &h), XEN_GNTST_bad_page);
    table[REF].flags = XEN_GTF_accept_transfer;
    T_EQ(map(REF, t_win(10), XEN_GNTMAP_host_map, &h), XEN_GNTST_general_error);
    struct xen_gnttab_map_grant_ref m = {
        .host_addr = t_win(10), .flags = XEN_GNTMAP_host_map, .ref = REF, .dom = 0x1234};
    T_EQ(rt_gnttab(XEN_GNTTABOP_map_grant_ref, &m, 1), 0);
    T_EQ(m.status, XEN_GNTST_bad_domain);
    T_EQ(unmap(t_win(10), 12345), XEN_GNTST_bad_handle);
    T_OK(t_absent(t_win(10)));
    table[REF].flags = 0;
    rt_page_free(page);
}

void grant_readonly(void)
{
    uint8_t *page = rt_page();
    uint32_t h;

    if (!ready())
        return;
    publish(REF, page, XEN_GTF_permit_access | XEN_GTF_readonly);
    T_EQ(map(REF, t_win(10), XEN_GNTMAP_host_map, &h), XEN_GNTST_general_error);
    T_EQ(map(REF, t_win(10), XEN_GNTMAP_host_map | XEN_GNTMAP_readonly, &h), 0);
    T_OK(!t_absent(t_win(10)));
    T_OK(t_readonly(t_win(10)));
    T_EQ(table[REF].flags, XEN_GTF_permit_access | XEN_GTF_readonly | XEN_GTF_reading);
    T_EQ(unmap(t_win(10), h), 0);
    table[REF].flags = 0;
    rt_page_free(page);
}

void grant_twice(void)
{
    uint8_t *page = rt_page();
    uint32_t a, b;

    if (!ready())
        return;
    publish(REF, page, XEN_GTF_permit_access);
    T_EQ(map(REF, t_win(10), XEN_GNTMAP_host_map, &a), 0);
    T_EQ(map(REF, t_win(11), XEN_GNTMAP_host_map, &b), 0);
    T_OK(a != b);
    T_EQ(unmap(t_win(12), a), XEN_GNTST_general_error); /* nothing is mapped there */
    T_EQ(unmap(t_win(10), a), 0);
    T_OK(t_absent(t_win(10)) && !t_absent(t_win(11)));
    T_OK(table[REF].flags & XEN_GTF_reading); /* in use still */
    T_EQ(unmap(t_win(11), b), 0);
    T_EQ(table[REF].flags, XEN_GTF_permit_access);
    table[REF].flags = 0;
    rt_page_free(page);
}

/* A page table is not to be had writable by way of a grant either. */
void grant_types(void)
{
    uint32_t h;
    uint64_t *l1 = rt_page();

    if (!ready())
        return;
    publish(REF, (void *)t_l1, XEN_GTF_permit_access);
    T_EQ(map(REF, t_win(10), XEN_GNTMAP_host_map, &h), XEN_GNTST_general_error);
    T_EQ(table[REF].flags, XEN_GTF_permit_access);
    T_EQ(map(REF, t_win(10), XEN_GNTMAP_host_map | XEN_GNTMAP_readonly, &h), 0);
    T_EQ(unmap(t_win(10), h), 0);
    table[REF].flags = 0;
    /* And a page that is mapped writable by a grant is no page table. */
    publish(REF, l1, XEN_GTF_permit_access);
    rt_make_ro(l1);
    T_EQ(map(REF, t_win(10), XEN_GNTMAP_host_map, &h), 0);
    T_EQ(rt_mmuext(XEN_MMUEXT_PIN_L1_TABLE, rt_mfn(l1), 0), -XEN_EINVAL);
    T_EQ(unmap(t_win(10), h), 0);
    T_EQ(rt_mmuext(XEN_MMUEXT_PIN_L1_TABLE, rt_mfn(l1), 0), 0);
    T_EQ(rt_mmuext(XEN_MMUEXT_UNPIN_TABLE, rt_mfn(l1), 0), 0);
    table[REF].flags = 0;
    rt_make_rw(l1);
    rt_page_free(l1);
}

static int16_t copy(struct xen_gnttab_copy *c)
{
    c->status = 99;
    T_EQ(rt_gnttab(XEN_GNTTABOP_copy, c, 1), 0);
    return c->status;
}

void grant_copy(void)
{
    uint8_t *a = rt_page(), *b = rt_page();
    struct xen_gnttab_copy c;

    if (!ready())
        return;
    for (unsigned i = 0; i < PAGE; i++)
        a[i] = (uint8_t)(i * 5 + 1);
    publish(REF, a, XEN_GTF_permit_access | XEN_GTF_readonly);
    publish(REF + 1, b, XEN_GTF_permit_access);
    memset(&c, 0, sizeof(c));
    c.source.u.ref = REF;
    c.source.domid = self;
    c.source.offset = 10;
    c.dest.u.gmfn = rt_mfn(b);
    c.dest.domid = XEN_DOMID_SELF;
    c.dest.offset = 3;
    c.len = 100;
    c.flags = XEN_GNTCOPY_source_gref;
    T_EQ(copy(&c), 0);
    T_OK(!memcmp(a + 10, b + 3, 100) && b[2] == 0 && b[103] == 0);
    T_EQ(table[REF].flags, XEN_GTF_permit_access | XEN_GTF_readonly);
    /* The other way, by the other kind of name; a whole page. */
    c.flags = XEN_GNTCOPY_dest_gref;
    c.source.u.gmfn = rt_mfn(a);
    c.source.domid = XEN_DOMID_SELF;
    c.dest.u.ref = REF + 1;
    c.dest.domid = self;
    c.source.offset = c.dest.offset = 0;
    c.len = PAGE;
    T_EQ(copy(&c), 0);
    T_OK(!memcmp(a, b, PAGE));
    table[REF].flags = table[REF + 1].flags = 0;
    rt_page_free(a);
    rt_page_free(b);
}

void grant_copy_codes(void)
{
    uint8_t *a = rt_page();
    struct xen_gnttab_copy c;

    if (!ready())
        return;
    publish(REF, a, XEN_GTF_permit_access | XEN_GTF_readonly);
    memset(&c, 0, sizeof(c));
    c.source.u.ref = REF;
    c.source.domid = self;
    c.dest.u.gmfn = rt_mfn(a);
    c.dest.domid = XEN_DOMID_SELF;
    c.flags = XEN_GNTCOPY_source_gref;
    c.source.offset = 4000;
    c.len = 97;
    T_EQ(copy(&c), XEN_GNTST_bad_copy_arg); /* over the page's end */
    c.source.offset = 0;
    c.dest.offset = 4096;
    c.len = 1;
    T_EQ(copy(&c), XEN_GNTST_bad_copy_arg);
    c.dest.offset = 0;
    c.source.u.ref = 1u << 20;
    T_EQ(copy(&c), XEN_GNTST_bad_gntref);
    c.source.u.ref = REF;
    c.source.domid = 0x1234;
    T_EQ(copy(&c), XEN_GNTST_bad_domain);
    c.source.domid = self;
    c.dest.u.gmfn = 1ul << 40;
    T_OK(copy(&c) < 0);
    c.dest.u.gmfn = rt_mfn((void *)t_l1); /* a page table is not to be written */
    T_OK(copy(&c) < 0);
    /* A read-only grant is no destination. */
    c.flags = XEN_GNTCOPY_dest_gref;
    c.source.u.gmfn = rt_mfn(a);
    c.source.domid = XEN_DOMID_SELF;
    c.dest.u.ref = REF;
    c.dest.domid = self;
    T_EQ(copy(&c), XEN_GNTST_general_error);
    table[REF].flags = 0;
    rt_page_free(a);
}

/* -- frames that change hands, entries that change places ------------------------------------- */

static int16_t transfer(uint64_t frame, uint16_t dom)
{
    struct xen_gnttab_transfer x = {.mfn = frame, .domid = dom, .ref = REF, .status = 99};
    T_EQ(rt_gnttab(XEN_GNTTABOP_transfer, &x, 1), 0);
    return x.status;
}

static void accept(const void *page)
{
    table[REF].domid = self;
    table[REF].frame = (uint32_t)rt_pfn(page);
    __atomic_store_n(&table[REF].flags, XEN_GTF_accept_transfer, __ATOMIC_SEQ_CST);
}

void grant_transfer(void)
{
    uint8_t *page = rt_page();
    uint64_t frame = rt_mfn(page), before;
    struct xen_memory_domain us = {.domid = XEN_DOMID_SELF};
    struct xen_memory_reservation r = {
        .extent_start = G(&frame), .nr_extents = 1, .domid = XEN_DOMID_SELF};

    if (!ready())
        return;
    page[7] = 0x77;
    accept(page);
    T_EQ(transfer(frame, self), XEN_GNTST_bad_page); /* it is mapped */
    T_EQ(transfer(1ul << 40, self), XEN_GNTST_bad_page);
    T_EQ(page[7], 0x77);
    T_EQ(table[REF].flags, XEN_GTF_accept_transfer);
    T_EQ(rt_va_map((uint64_t)page, 0, XEN_UVMF_INVLPG), 0);
    T_EQ(transfer(frame, self), XEN_GNTST_okay);
    T_EQ(table[REF].flags,
         XEN_GTF_accept_transfer | XEN_GTF_transfer_committed | XEN_GTF_transfer_completed);
    T_EQ(table[REF].frame, frame);
    rt_make_rw(page);
    T_EQ(page[7], 0x77); /* what is in it comes along */
    /* Only a bad page stays: what nobody takes is lost. */
    before = (uint64_t)rt_memory(XENMEM_current_reservation, &us);
    T_EQ(rt_va_map((uint64_t)page, 0, XEN_UVMF_INVLPG), 0);
    T_EQ(transfer(frame, self), XEN_GNTST_general_error); /* that entry has had its frame */
    T_EQ(rt_memory(XENMEM_current_reservation, &us), before - 1);
    T_EQ(transfer(frame, self), XEN_GNTST_bad_page);
    frame = rt_pfn(page);
    T_EQ(rt_memory(XENMEM_populate_physmap, &r), 1);
    rt_p2m[rt_pfn(page)] = frame;
    rt_make_rw(page);
    table[REF].flags = 0;
    rt_page_free(page);
}

void grant_replace(void)
{
    uint8_t *page = rt_page(), *other = rt_page();
    struct xen_gnttab_unmap_and_replace r = {.host_addr = t_win(10), .new_addr = t_win(11)};
    uint32_t h;

    if (!ready())
        return;
    page[0] = 1;
    other[0] = 2;
    publish(REF, page, XEN_GTF_permit_access);
    T_EQ(map(REF, t_win(10), XEN_GNTMAP_host_map, &h), 0);
    T_EQ(rt_va_map(t_win(11), rt_mfn(other) << 12 | PTE_RW, XEN_UVMF_INVLPG), 0);
    T_EQ(*(volatile uint8_t *)t_win(10), 1);
    r.handle = h + 1000;
    T_EQ(rt_gnttab(XEN_GNTTABOP_unmap_and_replace, &r, 1), 0);
    T_EQ(r.status, XEN_GNTST_bad_handle);
    r.handle = h;
    T_EQ(rt_gnttab(XEN_GNTTABOP_unmap_and_replace, &r, 1), 0);
    T_EQ(r.status, XEN_GNTST_okay);
    T_EQ(*(volatile uint8_t *)t_win(10), 2);
    T_OK(t_absent(t_win(11)));
    T_EQ(table[REF].flags, XEN_GTF_permit_access);
    T_EQ(rt_va_map(t_win(10), 0, XEN_UVMF_INVLPG), 0);
    /* Without a new address, an unmap. */
    T_EQ(map(REF, t_win(10), XEN_GNTMAP_host_map, &r.handle), 0);
    r.new_addr = 0;
    T_EQ(rt_gnttab(XEN_GNTTABOP_unmap_and_replace, &r, 1), 0);
    T_EQ(r.status, XEN_GNTST_okay);
    T_OK(t_absent(t_win(10)));
    table[REF].flags = 0;
    rt_page_free(page);
    rt_page_free(other);
}

static int16_t swap(uint32_t a, uint32_t b)
{
    struct xen_gnttab_swap_grant_ref x = {.ref_a = a, .ref_b = b, .status = 99};
    T_EQ(rt_gnttab(XEN_GNTTABOP_swap_grant_ref, &x, 1), 0);
    return x.status;
}

void grant_swap(void)
{
    uint8_t *page = rt_page();
    uint32_t h;

    if (!ready())
        return;
    publish(REF, page, XEN_GTF_permit_access | XEN_GTF_readonly);
    table[REF + 1].flags = 0;
    T_EQ(swap(REF, REF + 1), XEN_GNTST_okay);
    T_EQ(table[REF].flags, 0);
    T_EQ(table[REF + 1].flags, XEN_GTF_permit_access | XEN_GTF_readonly);
    T_EQ(table[REF + 1].frame, rt_mfn(page));
    T_EQ(swap(REF, REF), XEN_GNTST_okay);
    T_EQ(swap(REF, 1u << 20), XEN_GNTST_bad_gntref);
    T_EQ(map(REF + 1, t_win(10), XEN_GNTMAP_host_map | XEN_GNTMAP_readonly, &h), 0);
    T_EQ(swap(REF, REF + 1), XEN_GNTST_eagain); /* in use */
    T_EQ(swap(REF + 1, REF), XEN_GNTST_eagain);
    T_EQ(unmap(t_win(10), h), 0);
    table[REF + 1].flags = 0;
    rt_page_free(page);
}

/* The calls that nearly nobody makes. */
void grant_rest(void)
{
    uint8_t *page = rt_page();
    uint64_t frame = rt_mfn(page) << 12;
    struct xen_gnttab_set_version v = {.version = 3};
    struct xen_gnttab_get_status_frames s = {.dom = XEN_DOMID_SELF, .status = 99};
    struct xen_gnttab_dump_table d = {.dom = XEN_DOMID_SELF};
    struct xen_gnttab_cache_flush f = {
        .a.dev_bus_addr = frame, .length = 64, .op = XEN_GNTTAB_CACHE_CLEAN};

    T_EQ(rt_gnttab(XEN_GNTTABOP_dump_table, &d, 1), -XEN_ENOSYS);
    T_EQ(rt_gnttab(XEN_GNTTABOP_set_version, &v, 1), -XEN_EINVAL);
    T_EQ(v.version, 1);
    T_EQ(rt_gnttab(XEN_GNTTABOP_get_status_frames, &s, 1), 0);
    T_EQ(s.status, XEN_GNTST_okay); /* none asked for, none there */
    s.nr_frames = 1;
    T_EQ(rt_gnttab(XEN_GNTTABOP_get_status_frames, &s, 1), 0);
    T_EQ(s.status, XEN_GNTST_general_error);
    T_EQ(rt_gnttab(XEN_GNTTABOP_get_status_frames, &s, 2), -XEN_EINVAL);
    T_EQ(rt_gnttab(XEN_GNTTABOP_map_grant_ref | 1 << 12, &s, 1), -XEN_EINVAL);
    T_EQ(rt_gnttab(XEN_GNTTABOP_cache_flush, &f, 1), 0);
    f.op |= XEN_GNTTAB_CACHE_INVAL;
    T_EQ(rt_gnttab(XEN_GNTTABOP_cache_flush, &f, 1), 0);
    f.op = XEN_GNTTAB_CACHE_INVAL;
    T_EQ(rt_gnttab(XEN_GNTTABOP_cache_flush, &f, 1), -XEN_EOPNOTSUPP);
    f.op = 4;
    T_EQ(rt_gnttab(XEN_GNTTABOP_cache_flush, &f, 1), -XEN_EINVAL);
    f.op = XEN_GNTTAB_CACHE_CLEAN;
    f.offset = 4090;
    T_EQ(rt_gnttab(XEN_GNTTABOP_cache_flush, &f, 1), -XEN_EINVAL);
    f.offset = 0;
    f.a.dev_bus_addr = 1ul << 51;
    T_EQ(rt_gnttab(XEN_GNTTABOP_cache_flush, &f, 1), -XEN_EINVAL);
    rt_page_free(page);
}
