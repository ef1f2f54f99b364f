/* SPDX-License-Identifier: MIT */
/*
 * Rows of grants, from the guest to itself.
 *
 * Both ends are this guest: the numbers are those of the hypervisor's checks and of the page-table
 * work; no second domain has to be scheduled.
 */
#include "bench.h"

#define REF 8
static struct xen_grant_entry_v1 *table;
static uint8_t *page;

static void ready(void)
{
    if (table)
        return;
    uint64_t frame = 0;
    struct xen_gnttab_setup_table s = {.dom = XEN_DOMID_SELF, .nr_frames = 1};
    s.frame_list = G(&frame);
    int64_t ret = rt_gnttab(XEN_GNTTABOP_setup_table, &s, 1);
    if (ret || s.status)
        rt_panic("setup_table: %ld, status %d", ret, s.status);
    uint64_t va = win(512 + 8);
    ret = rt_va_map(va, frame << 12 | PTE_RW, XEN_UVMF_INVLPG);
    if (ret)
        rt_panic("mapping the grant table: %ld", ret);
    table = (struct xen_grant_entry_v1 *)va;
    page = rt_page();
    for (unsigned i = 0; i < PAGE; i++)
        page[i] = (uint8_t)(i * 3 + 1);
    table[REF].domid = bench_domid();
    table[REF].frame = (uint32_t)rt_mfn(page);
    __atomic_store_n(&table[REF].flags, XEN_GTF_permit_access, __ATOMIC_SEQ_CST);
}

static struct xen_gnttab_map_grant_ref map_op;

static uint64_t map(void)
{
    int64_t ret;

    map_op = (struct xen_gnttab_map_grant_ref){
        .host_addr = win(16), .flags = XEN_GNTMAP_host_map, .ref = REF, .dom = bench_domid()};
    uint64_t t = TIMED(ret = rt_call3(XEN_HYPERVISOR_grant_table_op, XEN_GNTTABOP_map_grant_ref,
                                      (uint64_t)&map_op, 1));
    CHECK(ret == 0 && map_op.status == 0, ret, map_op.status);
    CHECK(peek(win(16) + 100) == page[100], 0, 0);
    CHECK(table[REF].flags & 0x18, table[REF].flags, 0);
    return t;
}

static uint64_t unmap(void)
{
    struct xen_gnttab_unmap_grant_ref u = {.host_addr = win(16), .handle = map_op.handle};
    int64_t ret;
    uint64_t t = TIMED(ret = rt_call3(XEN_HYPERVISOR_grant_table_op, XEN_GNTTABOP_unmap_grant_ref,
                                      (uint64_t)&u, 1));

    /* No flush of ours between: the call promises that the translation is gone. */
    CHECK(ret == 0 && u.status == 0 && bench_absent(win(16)), ret, u.status);
    CHECK(!(table[REF].flags & 0x18), table[REF].flags, 0);
    return t;
}

uint64_t row_grant_map(uint64_t arg)
{
    (void)arg;
    ready();
    uint64_t t = map();
    unmap();
    return t;
}

uint64_t row_grant_unmap(uint64_t arg)
{
    (void)arg;
    ready();
    map();
    return unmap();
}

uint64_t row_grant_copy(uint64_t len)
{
    static uint8_t *to;
    int64_t ret;

    ready();
    if (!to)
        to = rt_page();
    memset(to, 0, PAGE);
    struct xen_gnttab_copy c;
    memset(&c, 0, sizeof(c));
    c.source.u.ref = REF;
    c.source.domid = bench_domid();
    table[REF + 1].domid = bench_domid();
    table[REF + 1].frame = (uint32_t)rt_mfn(to);
    __atomic_store_n(&table[REF + 1].flags, XEN_GTF_permit_access, __ATOMIC_SEQ_CST);
    c.dest.u.ref = REF + 1;
    c.dest.domid = bench_domid();
    c.len = (uint16_t)len;
    c.flags = XEN_GNTCOPY_source_gref | XEN_GNTCOPY_dest_gref;
    uint64_t t =
        TIMED(ret = rt_call3(XEN_HYPERVISOR_grant_table_op, XEN_GNTTABOP_copy, (uint64_t)&c, 1));
    CHECK(ret == 0 && c.status == 0, ret, c.status);
    CHECK(!memcmp(to, page, len) && (len == PAGE || !to[len]), to[0], to[len & 4095]);
    return t;
}
