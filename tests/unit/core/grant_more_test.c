/* SPDX-License-Identifier: MIT
 *
 * grant_more_test.c - what grants do beside mapping and copying: transfers, replacements, swaps,
 * cache flushes, the hypervisor's own pins, and what remains when one end dies.
 */
#include <criterion/criterion.h>
#include "grant_fixture.h"

TestSuite(grant_more, .init = mm_setup, .fini = mm_teardown);

/* -- transfers ------------------------------------------------------------------------------- */

/* Guest 2 accepts a page from guest 1, which runs, to be its page `pfn`. */
static struct xen_grant_entry_v1 *accept(unsigned ref, uint32_t pfn)
{
    struct xen_grant_entry_v1 *e = &other->d->grants->shared[0][ref];

    *e = (struct xen_grant_entry_v1){XEN_GTF_accept_transfer, 1, pfn};
    return e;
}

static int transfer(uint64_t m, uint16_t dom, uint32_t ref)
{
    struct xen_gnttab_transfer op = {m, dom, ref, 99};

    cr_assert_eq(call(XEN_GNTTABOP_transfer, &op, sizeof(op), 1), 0);
    return op.status;
}

/* A page of guest 1 that nothing maps. */
static uint64_t loose(unsigned page)
{
    cr_assert_eq(update(pte_addr(page), 0), 0);
    return g->p2m[page];
}

Test(grant_more, a_page_changes_hands)
{
    struct xen_grant_entry_v1 *e = accept(REF, 4711);
    uint64_t pages[2] = {g->d->pages, other->d->pages}, m;
    unsigned flushes;

    other->d->max_pages++;
    memset(hosted_page(g, 20), 0x5a, PV_PAGE_SIZE);
    hosted_touch(hosted_va(20), true);
    m = loose(20);
    flushes = hosted.flushes;
    cr_assert_eq(transfer(m, 2, REF), XEN_GNTST_okay);
    cr_assert_gt(hosted.flushes, flushes);
    cr_assert_eq(e->flags,
                 XEN_GTF_accept_transfer | XEN_GTF_transfer_committed | XEN_GTF_transfer_completed);
    cr_assert_eq(e->frame, m);
    cr_assert_eq(frame_m2p[m], 4711);
    cr_assert_eq(frame_of(mfn(m))->owner, 2);
    cr_assert_eq(*(uint8_t *)plat_map(mfn(m)), 0x5a, "the contents are the message");
    cr_assert_eq(g->d->pages, pages[0] - 1);
    cr_assert_eq(other->d->pages, pages[1] + 1);
    cr_assert_eq(frame_audit(), 0);
    /* once only */
    refused(transfer(m, 2, REF), RULE_GRANT_TRANSFER_FRAME, XEN_GNTST_bad_page);
    other->d->max_pages++;
    refused(transfer(loose(21), 2, REF), RULE_GRANT_NO_TRANSFER, XEN_GNTST_general_error);
}

Test(grant_more, only_a_bad_page_stays)
{
    uint64_t pages = g->d->pages, free = frame_free_count();

    other->d->max_pages = other->d->pages;
    accept(REF, 1);
    refused(transfer(g->p2m[20], 2, REF), RULE_GRANT_IN_USE, XEN_GNTST_bad_page); /* mapped */
    refused(transfer(g->p2m[g->l1], 2, REF), RULE_GRANT_IN_USE, XEN_GNTST_bad_page);
    refused(transfer(other->p2m[3], 2, REF), RULE_GRANT_TRANSFER_FRAME, XEN_GNTST_bad_page);
    refused(transfer(frame_count, 2, REF), RULE_GRANT_TRANSFER_FRAME, XEN_GNTST_bad_page);
    refused(transfer(~0ull >> 4, 2, REF), RULE_GRANT_TRANSFER_FRAME, XEN_GNTST_bad_page);
    refused(transfer(mfn_of_maddr(plat_maddr(g->d->grants->shared[0])).n, 2, REF),
            RULE_GRANT_IN_USE, XEN_GNTST_bad_page);
    cr_assert_eq(g->d->pages, pages);
    /* from here on the page is gone, as on Xen */
    refused(transfer(loose(20), 2, REF), RULE_GRANT_NO_ROOM, XEN_GNTST_general_error);
    refused(transfer(loose(21), 44, REF), RULE_DOMAIN_UNKNOWN, XEN_GNTST_bad_domain);
    refused(transfer(loose(22), XEN_DOMID_SELF, REF), RULE_DOMAIN_UNKNOWN, XEN_GNTST_bad_domain);
    other->d->max_pages++;
    refused(transfer(loose(23), 2, 512), RULE_GRANT_REF, XEN_GNTST_general_error);
    refused(transfer(loose(24), 2, REF + 1), RULE_GRANT_NO_TRANSFER, XEN_GNTST_general_error);
    accept(REF, 1)->domid = 3;
    refused(transfer(loose(25), 2, REF), RULE_GRANT_NO_TRANSFER, XEN_GNTST_general_error);
    accept(REF, 1)->flags |= XEN_GTF_readonly;
    refused(transfer(loose(26), 2, REF), RULE_GRANT_NO_TRANSFER, XEN_GNTST_general_error);
    accept(REF, 1);
    other->d->state = DOMAIN_SHUTDOWN;
    refused(transfer(loose(27), 2, REF), RULE_GRANT_DYING, XEN_GNTST_general_error);
    other->d->state = DOMAIN_RUNNING;
    cr_assert_eq(g->d->pages, pages - 8);
    cr_assert_eq(frame_free_count(), free + 8);
    cr_assert_eq(frame_audit(), 0);
}

Test(grant_more, transfers_in_a_batch)
{
    struct xen_gnttab_transfer op[6];

    other->d->max_pages += 6;
    for (unsigned i = 0; i < 6; i++) {
        accept(REF + i, 100 + i);
        op[i] = (struct xen_gnttab_transfer){i == 3 ? 0 : loose(20 + i), 2, REF + i, 99};
    }
    hosted.interrupt_every = 1;
    cr_assert_eq(call(XEN_GNTTABOP_transfer, op, sizeof(op[0]), 6), 0);
    for (unsigned i = 0; i < 6; i++)
        cr_assert_eq(op[i].status, i == 3 ? XEN_GNTST_bad_page : XEN_GNTST_okay);
    cr_assert_eq(frame_audit(), 0);
}

/* -- replacement --------------------------------------------------------------------------- */

static uint32_t map_ok(unsigned ref, uint32_t flags, uint64_t addr)
{
    uint32_t handle;

    cr_assert_eq(map(ref, flags, addr, &handle), 0);
    return handle;
}

static int replace(uint64_t addr, uint64_t new_addr, uint32_t handle)
{
    struct xen_gnttab_unmap_and_replace op = {addr, new_addr, handle, 99};

    cr_assert_eq(call(XEN_GNTTABOP_unmap_and_replace, &op, sizeof(op), 1), 0);
    return op.status;
}

Test(grant_more, another_entry_in_its_place)
{
    struct xen_grant_entry_v1 *e = grant(REF, PAGE, 0);
    uint64_t own = *pte(VA), moved = *pte(VA + 1);
    uint32_t h = map_ok(REF, XEN_GNTMAP_host_map, hosted_va(VA));

    (void)own;
    hosted_touch(hosted_va(VA), true);
    hosted_touch(hosted_va(VA + 1), true);
    refused(replace(hosted_va(VA), hosted_va(VA), h), RULE_GRANT_PLACE, XEN_GNTST_general_error);
    refused(replace(hosted_va(VA), HV_VA, h), RULE_GRANT_PLACE, XEN_GNTST_general_error);
    refused(replace(hosted_va(VA + 2), hosted_va(VA + 1), h), RULE_GRANT_NOT_MAPPED,
            XEN_GNTST_general_error);
    refused(replace(hosted_va(VA), hosted_va(VA + 1), 4000), RULE_GRANT_HANDLE,
            XEN_GNTST_bad_handle);
    cr_assert_eq(*pte(VA + 1), moved, "a refusal changes nothing");
    cr_assert_eq(replace(hosted_va(VA), hosted_va(VA + 1), h), 0);
    cr_assert_eq(*pte(VA), moved);
    cr_assert_eq(*pte(VA + 1), 0);
    cr_assert_eq(e->flags, XEN_GTF_permit_access);
    cr_assert_eq(hosted_tlb_check(), 0);
    cr_assert_eq(frame_audit(), 0);
    refused(replace(hosted_va(VA), 0, h), RULE_GRANT_HANDLE, XEN_GNTST_bad_handle);
    /* without a new address it is an unmap; by the entry's address nothing can be replaced */
    h = map_ok(REF, XEN_GNTMAP_host_map | XEN_GNTMAP_contains_pte, pte_addr(VA));
    refused(replace(pte_addr(VA), hosted_va(VA + 2), h), RULE_GRANT_PLACE, XEN_GNTST_general_error);
    cr_assert_eq(replace(pte_addr(VA), 0, h), 0);
    cr_assert_eq(*pte(VA), 0);
    cr_assert_eq(frame_audit(), 0);
}

Test(grant_more, replacements_in_a_batch)
{
    struct xen_gnttab_unmap_and_replace op[20];

    for (unsigned i = 0; i < 20; i++) {
        grant(REF + i, 1 + i, 0);
        op[i] = (struct xen_gnttab_unmap_and_replace){
            hosted_va(4 + i), hosted_va(30 + i),
            map_ok(REF + i, XEN_GNTMAP_host_map, hosted_va(4 + i)), 99};
    }
    hosted.interrupt_every = 1;
    cr_assert_eq(call(XEN_GNTTABOP_unmap_and_replace, op, sizeof(op[0]), 20), 0);
    for (unsigned i = 0; i < 20; i++)
        cr_assert_eq(op[i].status, 0);
    cr_assert_eq(frame_audit(), 0);
}

/* -- swaps, status frames --------------------------------------------------------------------- */

static int swap(uint32_t a, uint32_t b)
{
    struct xen_gnttab_swap_grant_ref op = {a, b, 99};

    cr_assert_eq(call(XEN_GNTTABOP_swap_grant_ref, &op, sizeof(op), 1), 0);
    return op.status;
}

Test(grant_more, entries_change_places)
{
    struct xen_grant_entry_v1 *e = g->d->grants->shared[0];

    e[3] = (struct xen_grant_entry_v1){XEN_GTF_permit_access, 2, 77};
    e[4] = (struct xen_grant_entry_v1){XEN_GTF_accept_transfer, 5, 88};
    cr_assert_eq(swap(3, 4), 0);
    cr_assert(e[3].frame == 88 && e[3].domid == 5 && e[4].frame == 77 && e[4].domid == 2);
    cr_assert_eq(swap(3, 3), 0);
    refused(swap(3, 512), RULE_GRANT_REF, XEN_GNTST_bad_gntref);
    refused(swap(0xffffffff, 3), RULE_GRANT_REF, XEN_GNTST_bad_gntref);
    g->d->grants->active[0][4].readers = 1;
    refused(swap(3, 4), RULE_GRANT_BUSY, XEN_GNTST_eagain);
    refused(swap(4, 3), RULE_GRANT_BUSY, XEN_GNTST_eagain);
    cr_assert_eq(swap(4, 4), 0);
    g->d->grants->active[0][4].readers = 0;
    cr_assert_eq(e[4].frame, 77);
}

Test(grant_more, no_status_frames)
{
    struct xen_gnttab_get_status_frames op = {0, XEN_DOMID_SELF, 99, {0}};

    cr_assert_eq(call(XEN_GNTTABOP_get_status_frames, &op, sizeof(op), 1), 0);
    cr_assert_eq(op.status, XEN_GNTST_okay);
    op.nr_frames = 1;
    refused((call(XEN_GNTTABOP_get_status_frames, &op, sizeof(op), 1), op.status),
            RULE_GRANT_STATUS_FRAMES, XEN_GNTST_general_error);
    op.dom = 2;
    refused((call(XEN_GNTTABOP_get_status_frames, &op, sizeof(op), 1), op.status),
            RULE_DOMAIN_FOREIGN, XEN_GNTST_permission_denied);
}

/* -- caches --------------------------------------------------------------------------------------
 */

static long flush(uint64_t m, unsigned offset, unsigned n, uint32_t op)
{
    struct xen_gnttab_cache_flush f = {
        .a.dev_bus_addr = m << 12, .offset = (uint16_t)offset, .length = (uint16_t)n, .op = op};

    return call(XEN_GNTTABOP_cache_flush, &f, sizeof(f), 1);
}

Test(grant_more, cache_flushes)
{
    uint64_t mine = g->p2m[3], theirs = other->p2m[PAGE];
    uint32_t clean = XEN_GNTTAB_CACHE_CLEAN, both = clean | XEN_GNTTAB_CACHE_INVAL, h;

    cr_assert_eq(flush(mine, 0, 4096, clean), 0);
    cr_assert_eq(flush(mine, 100, 8, both), 0);
    cr_assert_eq(flush(~0ull >> 12, 0, 0, both), 0); /* nothing to do */
    cr_assert_eq(flush(theirs, 0, 8, 0), 0);
    cr_assert_refused(flush(mine, 0, 8, XEN_GNTTAB_CACHE_INVAL), RULE_GRANT_CACHE_OP,
                      XEN_EOPNOTSUPP);
    cr_assert_refused(flush(mine, 0, 8, 4), RULE_GRANT_CACHE_OP, XEN_EINVAL);
    cr_assert_refused(flush(mine, 0, 8, both | XEN_GNTTAB_CACHE_SOURCE_GREF), RULE_GRANT_CACHE_OP,
                      XEN_EINVAL);
    cr_assert_refused(flush(mine, 4096, 0, both), RULE_GRANT_CACHE_RANGE, XEN_EINVAL);
    cr_assert_refused(flush(mine, 1, 4096, both), RULE_GRANT_CACHE_RANGE, XEN_EINVAL);
    cr_assert_refused(flush(mine, 0, 4097, both), RULE_GRANT_CACHE_RANGE, XEN_EINVAL);
    cr_assert_refused(flush(frame_count, 0, 8, both), RULE_GRANT_CACHE_FRAME, XEN_EINVAL);
    cr_assert_refused(flush(0, 0, 8, both), RULE_GRANT_CACHE_FRAME, XEN_EPERM);
    cr_assert_refused(flush(theirs, 0, 8, both), RULE_GRANT_CACHE_FOREIGN, XEN_EINVAL);
    grant(REF, PAGE, 0);
    h = map_ok(REF, XEN_GNTMAP_host_map, hosted_va(VA));
    cr_assert_eq(flush(theirs, 0, 8, both), 0);
    cr_assert_eq(replace(hosted_va(VA), 0, h), 0);
    cr_assert_refused(flush(theirs, 0, 8, both), RULE_GRANT_CACHE_FOREIGN, XEN_EINVAL);
    /* the part of a search that is resumed belongs to the first request only */
    struct xen_gnttab_cache_flush f = {.length = 0};
    cr_assert_refused(call(XEN_GNTTABOP_cache_flush | 1 << 12, &f, sizeof(f), 1),
                      RULE_GRANT_CACHE_OP, XEN_EILSEQ);
}

Test(grant_more, a_long_search_stops_and_resumes)
{
    struct xen_gnttab_setup_table setup = {
        .dom = XEN_DOMID_SELF, .nr_frames = 20, .frame_list = {hosted_va(9)}};
    struct xen_gnttab_cache_flush f[2];
    uint32_t ref = 19 * GRANT_PER_FRAME + 5;

    hosted_run(other->v);
    memcpy(hosted_page(other, ARGS), &setup, sizeof(setup));
    cr_assert_eq(hosted_call(other->v, XEN_HYPERVISOR_grant_table_op, XEN_GNTTABOP_setup_table,
                             hosted_va(ARGS), 1, 0),
                 0);
    hosted_run(v);
    other->d->grants->shared[19][5] =
        (struct xen_grant_entry_v1){XEN_GTF_permit_access, 1, (uint32_t)other->p2m[PAGE]};
    map_ok(ref, XEN_GNTMAP_host_map, hosted_va(VA));
    for (unsigned i = 0; i < 2; i++)
        f[i] = (struct xen_gnttab_cache_flush){
            .a.dev_bus_addr = other->p2m[PAGE] << 12, .length = 8, .op = XEN_GNTTAB_CACHE_CLEAN};
    hosted.interrupt_every = 1;
    cr_assert_eq(call(XEN_GNTTABOP_cache_flush, f, sizeof(f[0]), 2), 0);
    f[1].a.dev_bus_addr = other->p2m[PAGE + 1] << 12;
    cr_assert_refused(call(XEN_GNTTABOP_cache_flush, f, sizeof(f[0]), 2), RULE_GRANT_CACHE_FOREIGN,
                      XEN_EINVAL);
}

/* -- the hypervisor's own uses -------------------------------------------------------------------
 */

Test(grant_more, pins)
{
    struct xen_grant_entry_v1 *e = grant_to(0, REF, PAGE, 0);
    struct frame *f = frame_of(hosted_mfn(other, PAGE));
    uint32_t h[3], refs = f->refs;
    mfn_t m;

    cr_assert_eq(grant_pin(other->d, REF, false, &h[0], &m), 0);
    cr_assert_eq(grant_pin(other->d, REF, true, &h[1], &m), 0);
    cr_assert_eq(m.n, other->p2m[PAGE]);
    cr_assert_eq(f->refs, refs + 2);
    cr_assert_eq(e->flags, XEN_GTF_permit_access | XEN_GTF_reading | XEN_GTF_writing);
    cr_assert_eq(frame_audit(), 0);
    grant_unpin(h[0]);
    cr_assert_eq(e->flags, XEN_GTF_permit_access | XEN_GTF_reading);
    grant_unpin(h[1]);
    cr_assert_eq(e->flags, XEN_GTF_permit_access);
    cr_assert_eq(frame_audit(), 0);
    /* the reasons are the granter's */
    e->domid = 1;
    cr_assert_eq(grant_pin(other->d, REF, false, &h[0], &m), XEN_GNTST_general_error);
    cr_assert_eq(other->d->reasons.first.rule, RULE_GRANT_DOMAIN);
    cr_assert_eq(grant_pin(other->d, 600, false, &h[0], &m), XEN_GNTST_bad_gntref);
    e = grant_to(0, REF, other->l1, 0);
    cr_assert_eq(grant_pin(other->d, REF, false, &h[0], &m), XEN_GNTST_general_error);
    cr_assert_eq(e->flags, XEN_GTF_permit_access);
    cr_assert_eq(grant_pin(other->d, REF, true, &h[0], &m), 0);
    grant_unpin(h[0]);
    cr_assert_eq(frame_audit(), 0);
}

Test(grant_more, accesses)
{
    struct xen_grant_entry_v1 *e = grant_to(0, REF, PAGE, 0);
    struct grant_access a;

    cr_assert_eq(grant_access_begin(other->d, REF, false, &a), 0);
    cr_assert_eq(a.page, (uint8_t *)hosted_page(other, PAGE));
    cr_assert_eq(e->flags, XEN_GTF_permit_access | XEN_GTF_reading | XEN_GTF_writing);
    grant_access_end(&a);
    cr_assert_eq(e->flags, XEN_GTF_permit_access);
    e->flags |= XEN_GTF_readonly;
    cr_assert_eq(grant_access_begin(other->d, REF, false, &a), XEN_GNTST_general_error);
    cr_assert_eq(e->flags, XEN_GTF_permit_access | XEN_GTF_readonly);
    e = grant_to(0, REF, other->l1, 0);
    cr_assert_eq(grant_access_begin(other->d, REF, false, &a), XEN_GNTST_general_error);
    cr_assert_eq(e->flags, XEN_GTF_permit_access);
    cr_assert_eq(grant_access_begin(other->d, REF, true, &a), 0);
    grant_access_end(&a);
}

/* The granter dies while the hypervisor (for a device) and another guest hold pages of it. */
Test(grant_more, pages_outlive_their_granter)
{
    uint64_t free;
    uint32_t pin, h;
    mfn_t m, mapped = hosted_mfn(other, PAGE + 1);

    grant_to(0, REF, PAGE, 0);
    grant(REF + 1, PAGE + 1, 0);
    cr_assert_eq(grant_pin(other->d, REF, false, &pin, &m), 0);
    h = map_ok(REF + 1, XEN_GNTMAP_host_map, hosted_va(VA));
    domain_crash(other->d);
    for (unsigned i = 0; i < 1000 && !other->d->buried; i++)
        domain_bury();
    cr_assert(other->d->buried);
    cr_assert_eq(other->d->pages, 2);
    cr_assert_eq(frame_of(m)->owner, 2);
    cr_assert_eq(frame_audit(), 0);
    *(volatile uint8_t *)plat_map(m) = 1; /* the device may still write */
    cr_assert(hosted_touch(hosted_va(VA), true));
    free = frame_free_count();
    grant_unpin(pin);
    cr_assert_eq(frame_free_count(), free + 1);
    cr_assert_eq(replace(hosted_va(VA), 0, h), 0);
    cr_assert_eq(frame_free_count(), free + 2);
    cr_assert(frame_of(mapped)->flags & FRAME_FREE);
    cr_assert_eq(other->d->pages, 0);
    cr_assert_eq(frame_audit(), 0);
}

/* So does a page of the hypervisor's that the granter had: with it the granter's number. */
Test(grant_more, shared_pages_outlive_their_domain)
{
    mfn_t m = other->d->shared_mfn;
    uint32_t h;

    grant(REF, PAGE, 0)->frame = (uint32_t)m.n;
    h = map_ok(REF, XEN_GNTMAP_host_map, hosted_va(VA));
    domain_crash(other->d);
    for (unsigned i = 0; i < 1000 && !other->d->buried; i++)
        domain_bury();
    cr_assert(other->d->buried);
    cr_assert_eq(other->d->pages, 1);
    cr_assert_eq(frame_of(m)->owner, 2);
    cr_assert_eq(frame_audit(), 0);
    cr_assert(hosted_touch(hosted_va(VA), true));
    cr_assert_eq(replace(hosted_va(VA), 0, h), 0);
    cr_assert_eq(other->d->pages, 0);
    cr_assert(frame_of(m)->flags & FRAME_FREE);
    cr_assert_eq(frame_audit(), 0);
}

/* The mapper dies while it holds: the granter gets everything back. */
Test(grant_more, a_mapper_dies)
{
    struct xen_grant_entry_v1 *e = grant(REF, PAGE, 0);
    struct frame *f = frame_of(hosted_mfn(other, PAGE));
    uint32_t refs = f->refs;

    map_ok(REF, XEN_GNTMAP_host_map | XEN_GNTMAP_device_map, hosted_va(VA));
    map_ok(REF, XEN_GNTMAP_host_map | XEN_GNTMAP_readonly, hosted_va(VA + 1));
    cr_assert_eq(f->refs, refs + 3);
    domain_crash(g->d);
    hosted_run(other->v);
    for (unsigned i = 0; i < 1000 && !g->d->buried; i++)
        domain_bury();
    cr_assert_eq(f->refs, refs);
    cr_assert_eq(e->flags, XEN_GTF_permit_access);
    cr_assert_eq(frame_audit(), 0);
}
