/* SPDX-License-Identifier: MIT
 *
 * grant_test.c - grants between two guests: every status, every refusal.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include "grant_fixture.h"

TestSuite(grant, .init = mm_setup, .fini = mm_teardown);

static int unmap(uint32_t handle, uint64_t addr, uint64_t bus)
{
    struct xen_gnttab_unmap_grant_ref op = {addr, bus, handle, 99};

    cr_assert_eq(call(XEN_GNTTABOP_unmap_grant_ref, &op, sizeof(op), 1), 0);
    return op.status;
}

Test(grant, a_page_is_mapped_and_given_back)
{
    struct xen_grant_entry_v1 *e = grant(REF, PAGE, 0);
    struct frame *f = frame_of(hosted_mfn(other, PAGE));
    uint32_t handle;
    unsigned flushes;

    memset(hosted_page(other, PAGE), 0x77, 8);
    cr_assert_eq(map(REF, XEN_GNTMAP_host_map, hosted_va(VA), &handle), 0);
    cr_assert_eq(*pte(VA), other->p2m[PAGE] << 12 | PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D |
                               PTE_NX | PTE_KERNEL);
    cr_assert_eq(e->flags, XEN_GTF_permit_access | XEN_GTF_reading | XEN_GTF_writing);
    cr_assert(hosted_touch(hosted_va(VA), true));
    cr_assert_eq(f->refs, 3);
    cr_assert_eq(f->type_refs, 2);
    cr_assert_eq(frame_audit(), 0);
    flushes = hosted.flushes;
    cr_assert_eq(unmap(handle, hosted_va(VA), 0), 0);
    cr_assert_eq(hosted.flushes, flushes + 1);
    cr_assert_eq(*pte(VA), 0);
    cr_assert_eq(e->flags, XEN_GTF_permit_access);
    cr_assert_eq(f->refs, 2);
    refused(unmap(handle, hosted_va(VA), 0), RULE_GRANT_HANDLE, XEN_GNTST_bad_handle);
    refused(unmap(77777, hosted_va(VA), 0), RULE_GRANT_HANDLE, XEN_GNTST_bad_handle);
}

Test(grant, flags_of_a_mapping)
{
    uint64_t at = pte_addr(VA);
    uint32_t handle, flags = XEN_GNTMAP_host_map | XEN_GNTMAP_readonly |
                             XEN_GNTMAP_application_map | XEN_GNTMAP_contains_pte | 5u << 16;

    grant(REF, PAGE, XEN_GTF_readonly);
    cr_assert_eq(map(REF, flags, at, &handle), 0);
    cr_assert_eq(*pte(VA),
                 other->p2m[PAGE] << 12 | PTE_P | PTE_US | PTE_A | PTE_D | PTE_NX | 5 << 9);
    cr_assert_eq(unmap(handle, at, 0), 0);
    refused(map(REF, flags & ~(uint32_t)XEN_GNTMAP_readonly, at, &handle), RULE_GRANT_READONLY,
            XEN_GNTST_general_error);
    refused(map(REF, flags, at + 4, &handle), RULE_GRANT_PLACE, XEN_GNTST_general_error);
    refused(map(REF, flags, hosted_mfn(g, 5).n << 12, &handle), RULE_GRANT_PLACE,
            XEN_GNTST_general_error);
    refused(map(REF, flags, hosted_mfn(other, other->l1).n << 12, &handle), RULE_GRANT_PLACE,
            XEN_GNTST_general_error);
    refused(map(REF, flags, ~7ull, &handle), RULE_GRANT_PLACE, XEN_GNTST_general_error);
}

Test(grant, who_may_map_what)
{
    struct xen_grant_entry_v1 *e = grant(REF, PAGE, 0);
    uint32_t handle, host = XEN_GNTMAP_host_map;
    uint64_t va = hosted_va(VA);
    struct xen_gnttab_map_grant_ref op = map_op(REF, host, va);

    refused(map(REF, 0, va, &handle), RULE_GRANT_MAP_FLAGS, XEN_GNTST_bad_gntref);
    refused(map(512, host, va, &handle), RULE_GRANT_REF, XEN_GNTST_bad_gntref);
    refused(map(REF + 1, host, va, &handle), RULE_GRANT_TYPE, XEN_GNTST_general_error);
    refused(map(REF, host, HV_VA, &handle), RULE_GRANT_PLACE, XEN_GNTST_general_error);
    refused(map(REF, host, 0, &handle), RULE_GRANT_PLACE, XEN_GNTST_general_error);
    cr_assert_eq(e->flags, XEN_GTF_permit_access);
    e->domid = 3;
    refused(map(REF, host, va, &handle), RULE_GRANT_DOMAIN, XEN_GNTST_general_error);
    e->domid = 1;
    e->frame = (uint32_t)g->p2m[3]; /* not the granter's */
    refused(map(REF, host, va, &handle), RULE_GRANT_FRAME, XEN_GNTST_bad_page);
    e->frame = 0xffffffff;
    refused(map(REF, host, va, &handle), RULE_GRANT_FRAME, XEN_GNTST_bad_page);
    cr_assert_eq(e->flags, XEN_GTF_permit_access);
    e->frame = (uint32_t)other->p2m[other->l1]; /* a page table */
    refused(map(REF, host, va, &handle), RULE_GRANT_NOT_WRITABLE, XEN_GNTST_general_error);
    cr_assert_eq(map(REF, host | XEN_GNTMAP_readonly, va, &handle), 0);
    cr_assert_eq(unmap(handle, va, 0), 0);
    op.dom = 44;
    cr_assert_eq(call(XEN_GNTTABOP_map_grant_ref, &op, sizeof(op), 1), 0);
    cr_assert_eq(op.status, XEN_GNTST_bad_domain);
    op.dom = XEN_DOMID_SELF;
    cr_assert_eq(call(XEN_GNTTABOP_map_grant_ref, &op, sizeof(op), 1), 0);
    cr_assert_eq(op.status, XEN_GNTST_bad_domain);
    frame_of(hosted_mfn(other, PAGE))->refs += FRAME_REFS_MAX;
    e = grant(REF, PAGE, 0);
    refused(map(REF, host, va, &handle), RULE_GRANT_FRAME, XEN_GNTST_general_error);
    frame_of(hosted_mfn(other, PAGE))->refs -= FRAME_REFS_MAX;
}

Test(grant, what_is_in_use_stays_as_it_was)
{
    struct xen_grant_entry_v1 *e = grant(REF, PAGE, 0);
    uint32_t a, b, c;

    cr_assert_eq(map(REF, XEN_GNTMAP_host_map | XEN_GNTMAP_readonly, hosted_va(VA), &a), 0);
    cr_assert_eq(e->flags & (XEN_GTF_reading | XEN_GTF_writing), XEN_GTF_reading);
    e->frame = (uint32_t)other->p2m[1]; /* too late */
    cr_assert_eq(map(REF, XEN_GNTMAP_host_map, hosted_va(VA + 1), &b), 0);
    cr_assert_eq(pte_mfn(*pte(VA + 1)).n, other->p2m[PAGE]);
    cr_assert_eq(map(REF, XEN_GNTMAP_host_map, hosted_va(VA + 2), &c), 0);
    cr_assert_eq(unmap(b, hosted_va(VA + 1), 0), 0);
    cr_assert_eq(e->flags & (XEN_GTF_reading | XEN_GTF_writing), XEN_GTF_reading | XEN_GTF_writing);
    cr_assert_eq(unmap(c, hosted_va(VA + 2), 0), 0);
    cr_assert_eq(e->flags & (XEN_GTF_reading | XEN_GTF_writing), XEN_GTF_reading);
    other->d->grants->active[0][REF].domid = 5;
    refused(map(REF, XEN_GNTMAP_host_map, hosted_va(VA + 1), &b), RULE_GRANT_BUSY,
            XEN_GNTST_general_error);
    other->d->grants->active[0][REF].domid = 1;
    other->d->grants->active[0][REF].readers = 255;
    refused(map(REF, XEN_GNTMAP_host_map | XEN_GNTMAP_readonly, hosted_va(VA + 1), &b),
            RULE_GRANT_BUSY, XEN_GNTST_general_error);
    other->d->grants->active[0][REF].readers = 1;
    cr_assert_eq(unmap(a, hosted_va(VA), 0), 0);
    cr_assert_eq(e->flags, XEN_GTF_permit_access);
}

Test(grant, device_mappings)
{
    uint64_t bus = other->p2m[PAGE] << 12;
    uint32_t handle;
    struct frame *f = frame_of(hosted_mfn(other, PAGE));

    grant(REF, PAGE, 0);
    cr_assert_eq(map(REF, XEN_GNTMAP_device_map | XEN_GNTMAP_host_map, hosted_va(VA), &handle), 0);
    cr_assert_eq(f->refs, 4);
    cr_assert_eq(frame_audit(), 0);
    refused(unmap(handle, 0, bus + 4096), RULE_GRANT_BUS_ADDRESS, XEN_GNTST_bad_dev_addr);
    cr_assert_eq(unmap(handle, hosted_va(VA), 0), 0);
    cr_assert_eq(f->refs, 3);
    cr_assert_eq(unmap(handle, 0, 0), 0); /* nothing was asked for */
    cr_assert_eq(unmap(handle, 0, bus), 0);
    cr_assert_eq(f->refs, 2);
    cr_assert_eq(map(REF, XEN_GNTMAP_device_map | XEN_GNTMAP_readonly, 0, &handle), 0);
    cr_assert_eq(f->type_refs, 1);
    cr_assert_eq(unmap(handle, 0, bus), 0);
}

Test(grant, an_entry_that_was_overwritten)
{
    uint32_t handle;

    grant(REF, PAGE, 0);
    cr_assert_eq(map(REF, XEN_GNTMAP_host_map, hosted_va(VA), &handle), 0);
    cr_assert_eq(update(pte_addr(VA), hosted_entry(g, VA, PTE_P | PTE_RW)), 0);
    refused(unmap(handle, hosted_va(VA), 0), RULE_GRANT_NOT_MAPPED, XEN_GNTST_general_error);
    refused(unmap(handle, 0x1000, 0), RULE_GRANT_PLACE, XEN_GNTST_general_error);
    cr_assert_eq(frame_of(hosted_mfn(other, PAGE))->refs, 2);
    grant_exit(g->d); /* only the end of the domain frees the grant */
    cr_assert_eq(other->d->grants->shared[0][REF].flags, XEN_GTF_permit_access);
}

Test(grant, a_batch_stops_and_resumes)
{
    struct xen_gnttab_map_grant_ref op[20];
    struct xen_gnttab_unmap_grant_ref un[20];

    for (unsigned every = 0; every < 2; every++) {
        hosted.interrupt_every = every;
        for (unsigned i = 0; i < 20; i++) {
            grant(REF + i, i + 1, 0);
            op[i] = map_op(REF + i, XEN_GNTMAP_host_map, hosted_va(20 + i));
        }
        op[7].ref = 600;
        cr_assert_eq(call(XEN_GNTTABOP_map_grant_ref, op, sizeof(op[0]), 20), 0);
        for (unsigned i = 0; i < 20; i++) {
            cr_assert_eq(op[i].status, i == 7 ? XEN_GNTST_bad_gntref : XEN_GNTST_okay);
            un[i] = (struct xen_gnttab_unmap_grant_ref){op[i].host_addr, 0,
                                                        i == 7 ? 9999 : op[i].handle, 99};
        }
        cr_assert_eq(call(XEN_GNTTABOP_unmap_grant_ref, un, sizeof(un[0]), 20), 0);
        for (unsigned i = 0; i < 20; i++)
            cr_assert_eq(un[i].status, i == 7 ? XEN_GNTST_bad_handle : XEN_GNTST_okay);
    }
}

Test(grant, handles_have_an_end)
{
    struct grant_table *t = g->d->grants, saved;
    uint32_t handle;

    grant(REF, PAGE, 0);
    for (unsigned i = 0; i < 300; i++) /* more than a page of them */
        cr_assert_eq(
            map(REF, XEN_GNTMAP_device_map | (i % 2 ? XEN_GNTMAP_readonly : 0), 0, &handle), 0);
    cr_assert_eq(t->handles, 2 * MAPTRACK_PER_PAGE);
    saved = *t;
    t->handles = MAPTRACK_PAGES * MAPTRACK_PER_PAGE;
    t->free_handle = ~0u;
    refused(map(REF, XEN_GNTMAP_device_map, 0, &handle), RULE_GRANT_HANDLES, XEN_GNTST_no_space);
    *t = saved;
    grant_exit(g->d);
    grant_exit(g->d); /* once more does no harm */
    cr_assert_eq(other->d->grants->shared[0][REF].flags, XEN_GTF_permit_access);
}

Test(grant, the_granter_may_be_gone)
{
    uint32_t handle;

    grant(REF, PAGE, 0);
    cr_assert_eq(map(REF, XEN_GNTMAP_host_map, hosted_va(VA), &handle), 0);
    grant_exit(other->d);
    cr_assert_eq(unmap(handle, hosted_va(VA), 0), 0);
    refused(map(REF, XEN_GNTMAP_host_map, hosted_va(VA), &handle), RULE_GRANT_REF,
            XEN_GNTST_bad_gntref);
}

static volatile bool stop;

static void *flipper(void *p)
{
    struct xen_grant_entry_v1 *e = p;

    while (!stop)
        __atomic_fetch_xor(&e->flags, 0x8000, __ATOMIC_RELAXED);
    return NULL;
}

Test(grant, a_granter_that_never_rests)
{
    struct xen_grant_entry_v1 *e = grant(REF, PAGE, 0);
    pthread_t thread;
    uint32_t handle;

    pthread_create(&thread, NULL, flipper, e);
    for (unsigned i = 0; i < 2000000 && !reason_counts[RULE_GRANT_UNSTABLE]; i++) {
        int rc = map(REF, XEN_GNTMAP_device_map, 0, &handle);

        if (rc == 0)
            cr_assert_eq(unmap(handle, 0, other->p2m[PAGE] << 12), 0);
        else
            cr_assert_eq(last()->rule, RULE_GRANT_UNSTABLE);
    }
    stop = true;
    pthread_join(thread, NULL);
}

/* -- copies ------------------------------------------------------------------------------- */

static struct xen_gnttab_copy copy_op(unsigned from_ref, uint64_t to_pfn, unsigned n)
{
    struct xen_gnttab_copy op = {
        .len = (uint16_t)n, .flags = XEN_GNTCOPY_source_gref, .status = 99};

    op.source.u.ref = from_ref;
    op.source.domid = 2;
    op.dest.u.gmfn = g->p2m[to_pfn];
    op.dest.domid = XEN_DOMID_SELF;
    return op;
}

static int copy(struct xen_gnttab_copy op)
{
    cr_assert_eq(call(XEN_GNTTABOP_copy, &op, sizeof(op), 1), 0);
    return op.status;
}

Test(grant, copies)
{
    struct xen_gnttab_copy op = copy_op(REF, 5, 100);
    struct xen_grant_entry_v1 *e = grant(REF, PAGE, XEN_GTF_readonly);

    strcpy((char *)hosted_page(other, PAGE) + 10, "over there");
    op.source.offset = 10;
    op.dest.offset = 200;
    cr_assert_eq(copy(op), 0);
    cr_assert_str_eq((char *)hosted_page(g, 5) + 200, "over there");
    cr_assert_eq(e->flags, XEN_GTF_permit_access | XEN_GTF_readonly);
    /* the other way, by reference at both ends */
    grant(REF + 1, PAGE + 1, 0);
    op.flags = XEN_GNTCOPY_source_gref | XEN_GNTCOPY_dest_gref;
    op.dest.u.ref = REF + 1;
    op.dest.domid = 2;
    cr_assert_eq(copy(op), 0);
    cr_assert_str_eq((char *)hosted_page(other, PAGE + 1) + 200, "over there");
    op.dest.u.ref = REF;
    refused(copy(op), RULE_GRANT_READONLY, XEN_GNTST_general_error);
    op = copy_op(0, 6, 4096);
    op.flags = 0;
    op.source.u.gmfn = g->p2m[5];
    op.source.domid = XEN_DOMID_SELF;
    cr_assert_eq(copy(op), 0);
    op.len = 8;
    op.dest.u.gmfn = g->p2m[5];
    op.dest.offset = 4; /* overlapping */
    cr_assert_eq(copy(op), 0);
}

Test(grant, copies_beside_mappings)
{
    struct xen_grant_entry_v1 *e = grant(REF, PAGE, 0);
    uint32_t handle;

    cr_assert_eq(map(REF, XEN_GNTMAP_host_map, hosted_va(VA), &handle), 0);
    e->frame = 1; /* what was agreed counts */
    cr_assert_eq(copy(copy_op(REF, 5, 10)), 0);
    cr_assert_eq(e->flags & (XEN_GTF_reading | XEN_GTF_writing), XEN_GTF_reading | XEN_GTF_writing);
    other->d->grants->active[0][REF].domid = 4;
    refused(copy(copy_op(REF, 5, 10)), RULE_GRANT_BUSY, XEN_GNTST_general_error);
    other->d->grants->active[0][REF].domid = 1;
    other->d->grants->active[0][REF].mfn = 1;
    refused(copy(copy_op(REF, 5, 10)), RULE_GRANT_FRAME, XEN_GNTST_general_error);
    other->d->grants->active[0][REF].mfn = (uint32_t)other->p2m[PAGE];
    cr_assert_eq(unmap(handle, hosted_va(VA), 0), 0);
}

Test(grant, copy_refusals)
{
    struct xen_gnttab_copy op = copy_op(REF, 5, 100);

    refused(copy(op), RULE_GRANT_TYPE, XEN_GNTST_general_error);
    grant(REF, PAGE, 0);
    op.source.u.ref = 512;
    refused(copy(op), RULE_GRANT_REF, XEN_GNTST_bad_gntref);
    op = copy_op(REF, 5, 100);
    op.source.offset = 4000;
    refused(copy(op), RULE_GRANT_COPY_SIZE, XEN_GNTST_bad_copy_arg);
    op = copy_op(REF, 5, 100);
    op.dest.offset = 4000;
    refused(copy(op), RULE_GRANT_COPY_SIZE, XEN_GNTST_bad_copy_arg);
    op = copy_op(REF, g->l1, 100);
    refused(copy(op), RULE_GRANT_NOT_WRITABLE, XEN_GNTST_general_error);
    op.dest.u.gmfn = other->p2m[1];
    refused(copy(op), RULE_GRANT_FRAME, XEN_GNTST_bad_page);
    op.dest.u.gmfn = frame_count;
    refused(copy(op), RULE_GRANT_FRAME, XEN_GNTST_bad_page);
    op.dest.domid = 2;
    refused(copy(op), RULE_GRANT_COPY_FRAME, XEN_GNTST_permission_denied);
    op = copy_op(REF, 5, 100);
    op.source.domid = 51;
    refused(copy(op), RULE_DOMAIN_UNKNOWN, XEN_GNTST_bad_domain);
    other->d->grants->shared[0][REF].frame = 1;
    refused(copy(copy_op(REF, 5, 100)), RULE_GRANT_FRAME, XEN_GNTST_bad_page);
    cr_assert_eq(other->d->grants->shared[0][REF].flags, XEN_GTF_permit_access);
}

Test(grant, a_batch_of_copies)
{
    struct xen_gnttab_copy op[5];

    grant(REF, PAGE, 0);
    for (unsigned i = 0; i < 5; i++)
        op[i] = copy_op(i == 2 ? 700 : REF, 5 + i, 64);
    hosted.interrupt_every = 1;
    cr_assert_eq(call(XEN_GNTTABOP_copy, op, sizeof(op[0]), 5), 0);
    for (unsigned i = 0; i < 5; i++)
        cr_assert_eq(op[i].status, i == 2 ? XEN_GNTST_bad_gntref : 0);
}

/* -- the table -----------------------------------------------------------------------------------
 */

Test(grant, table_and_size)
{
    struct xen_gnttab_setup_table setup = {
        .dom = XEN_DOMID_SELF, .nr_frames = 3, .frame_list = {hosted_va(9)}};
    struct xen_gnttab_query_size size = {.dom = 1};
    uint64_t *frames = hosted_page(g, 9);

    cr_assert_eq(call(XEN_GNTTABOP_setup_table, &setup, sizeof(setup), 1), 0);
    cr_assert_eq(setup.status, XEN_GNTST_okay);
    cr_assert_eq(update(pte_addr(VA), frames[2] << 12 | PTE_P | PTE_RW),
                 0); /* it is the guest's to map */
    cr_assert_eq(call(XEN_GNTTABOP_query_size, &size, sizeof(size), 1), 0);
    cr_assert(size.nr_frames == 3 && size.max_nr_frames == GRANT_FRAMES && size.status == 0);
    setup.nr_frames = 65;
    refused((call(XEN_GNTTABOP_setup_table, &setup, sizeof(setup), 1), setup.status),
            RULE_GRANT_TABLE_SIZE, XEN_GNTST_general_error);
    setup.nr_frames = 1;
    setup.frame_list.va = 8;
    refused((call(XEN_GNTTABOP_setup_table, &setup, sizeof(setup), 1), setup.status),
            RULE_GUEST_POINTER, XEN_GNTST_bad_virt_addr);
    setup.dom = 2;
    refused((call(XEN_GNTTABOP_setup_table, &setup, sizeof(setup), 1), setup.status),
            RULE_DOMAIN_FOREIGN, XEN_GNTST_permission_denied);
    size.dom = 40;
    refused((call(XEN_GNTTABOP_query_size, &size, sizeof(size), 1), size.status),
            RULE_DOMAIN_UNKNOWN, XEN_GNTST_bad_domain);
}

Test(grant, no_memory_for_it)
{
    struct xen_gnttab_setup_table setup = {
        .dom = XEN_DOMID_SELF, .nr_frames = 4, .frame_list = {hosted_va(9)}};
    static void *page[4096];
    unsigned n = 0;
    uint32_t handle;

    grant(REF, PAGE, 0);
    while ((page[n] = frame_hv_alloc(0)))
        n++;
    refused((call(XEN_GNTTABOP_setup_table, &setup, sizeof(setup), 1), setup.status),
            RULE_MEMORY_NONE_FREE, XEN_GNTST_general_error);
    refused(map(REF, XEN_GNTMAP_device_map, 0, &handle), RULE_GRANT_HANDLES, XEN_GNTST_no_space);
    frame_hv_free(page[--n], 0); /* half of what a frame of the table needs */
    refused((call(XEN_GNTTABOP_setup_table, &setup, sizeof(setup), 1), setup.status),
            RULE_MEMORY_NONE_FREE, XEN_GNTST_general_error);
    cr_assert_eq(frame_free_count(), 1);
    struct domain poor = {.id = 9};
    cr_assert_not(grant_init(&poor));
    cr_assert_null(poor.grants);
    cr_assert_eq(frame_free_count(), 1);
    page[n++] = frame_hv_alloc(0);
    cr_assert_not(grant_init(&poor));
    while (n > 0)
        frame_hv_free(page[--n], 0);
}

Test(grant, versions)
{
    struct xen_gnttab_get_version get = {.dom = XEN_DOMID_SELF};
    struct xen_gnttab_set_version set = {1};

    cr_assert_eq(call(XEN_GNTTABOP_get_version, &get, sizeof(get), 1), 0);
    cr_assert_eq(get.version, 1);
    cr_assert_eq(call(XEN_GNTTABOP_set_version, &set, sizeof(set), 1), 0);
    set.version = 2;
    cr_assert_refused(call(XEN_GNTTABOP_set_version, &set, sizeof(set), 1), RULE_GRANT_VERSION,
                      XEN_ENOSYS);
    cr_assert_eq(set.version, 1);
    set.version = 3;
    cr_assert_refused(call(XEN_GNTTABOP_set_version, &set, sizeof(set), 1), RULE_GRANT_VERSION,
                      XEN_EINVAL);
    get.dom = 2;
    cr_assert_refused(call(XEN_GNTTABOP_get_version, &get, sizeof(get), 1), RULE_DOMAIN_FOREIGN,
                      XEN_EPERM);
}

Test(grant, bad_calls)
{
    uint32_t count_two[] = {XEN_GNTTABOP_setup_table, XEN_GNTTABOP_query_size,
                            XEN_GNTTABOP_get_status_frames};
    uint32_t readable[] = {XEN_GNTTABOP_setup_table,
                           XEN_GNTTABOP_query_size,
                           XEN_GNTTABOP_get_version,
                           XEN_GNTTABOP_set_version,
                           XEN_GNTTABOP_map_grant_ref,
                           XEN_GNTTABOP_unmap_grant_ref,
                           XEN_GNTTABOP_copy,
                           XEN_GNTTABOP_transfer,
                           XEN_GNTTABOP_swap_grant_ref,
                           XEN_GNTTABOP_unmap_and_replace,
                           XEN_GNTTABOP_get_status_frames};
    uint32_t unknown[] = {XEN_GNTTABOP_dump_table, 13, 99};
    struct xen_gnttab_setup_table op[2] = {{.dom = XEN_DOMID_SELF}};

    for (unsigned i = 0; i < 3; i++)
        cr_assert_refused(call(count_two[i], op, sizeof(op[0]), 2), RULE_GRANT_COUNT, XEN_EINVAL);
    cr_assert_refused(
        hosted_call(v, XEN_HYPERVISOR_grant_table_op, 0, hosted_va(ARGS), 1u << 31, 0),
        RULE_GRANT_COUNT, XEN_EINVAL);
    for (unsigned i = 0; i < 11; i++)
        cr_assert_refused(hosted_call(v, XEN_HYPERVISOR_grant_table_op, readable[i], HV_VA, 1, 0),
                          RULE_GUEST_POINTER, XEN_EFAULT);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_refused(call(unknown[i], op, sizeof(op[0]), 1), RULE_HYPERCALL_SUBOP, XEN_ENOSYS);
    cr_assert_refused(
        call(XEN_GNTTABOP_cache_flush, op, sizeof(op[0]), 0)
            ?: hosted_call(v, XEN_HYPERVISOR_grant_table_op, XEN_GNTTABOP_cache_flush, HV_VA, 1, 0),
        RULE_GUEST_POINTER, XEN_EFAULT);
    cr_assert_refused(call(XEN_GNTTABOP_copy | 1 << 12, op, sizeof(op[0]), 1), RULE_GRANT_COMMAND,
                      XEN_EINVAL);
    /* results that cannot be written */
    memset(args(), 0, 64);
    ((struct xen_gnttab_setup_table *)args())->dom = XEN_DOMID_SELF;
    make_readonly(ARGS);
    for (unsigned i = 0; i < 11; i++) {
        if (readable[i] == XEN_GNTTABOP_get_version)
            *(uint16_t *)args() = XEN_DOMID_SELF;
        cr_assert_eq(
            hosted_call(v, XEN_HYPERVISOR_grant_table_op, readable[i], hosted_va(ARGS), 1, 0),
            -XEN_EFAULT);
    }
}
