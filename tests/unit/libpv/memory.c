/* SPDX-License-Identifier: MIT */
/*
 * memory.c - frames, entries, grants, batches: libpv's bookkeeping between pfn_t and machine
 * frames, with a hypervisor that agrees to everything unless a test says otherwise.
 */
#include <criterion/criterion.h>
#include "fake.h"

static void setup(void)
{
    fake_reset();
}

TestSuite(pte, .init = setup);
TestSuite(grant, .init = setup);
TestSuite(batch, .init = setup);
TestSuite(balloon, .init = setup);

/* Entries ----------------------------------------------------------------------------------- */

Test(pte, every_frame_comes_back_with_its_rights)
{
    static const uint64_t rights[] = {PV_PRESENT, PV_PRESENT | PV_WRITE | PV_NOEXEC,
                                      PV_PRESENT | PV_USER | PV_SOFT2 | PV_ACCESSED | PV_DIRTY};

    for (unsigned i = 0; i < NR_PAGES; i++)
        for (unsigned r = 0; r < PV_ARRAY_SIZE(rights); r++) {
            pv_pte_t e = pv_pte(pfn(i), rights[r]);

            cr_assert(pv_pte_is_present(e));
            cr_assert(pfn_eq(pv_pte_pfn(e), pfn(i)));
            cr_assert_eq(pv_pte_rights(e), rights[r]);
            cr_assert_eq(e.raw, fake_mfn(i) << 12 | rights[r], "the processor's format");
        }
}

Test(pte, what_has_no_frame_is_absent)
{
    cr_assert_not(pv_pte_is_present(pv_pte(pfn(NR_PAGES), PV_PRESENT)));
    cr_assert_not(pv_pte_is_present(pv_pte(PV_PFN_INVALID, PV_PRESENT)));
    pv_p2m_set(pfn(3), PV_MFN_INVALID);
    cr_assert_not(pv_pte_is_present(pv_pte(pfn(3), PV_PRESENT)));
    cr_assert_not(pfn_valid(pv_pte_pfn(pv_pte_none())));
    cr_assert_eq(pv_pte_rights(pv_pte_none()), 0);
}

Test(pte, a_foreign_frame_is_nobodys)
{
    pv_pte_t e = {(uint64_t)(FIRST_MFN + NR_PAGES + 1) << 12 | PV_PRESENT};

    cr_assert(pv_pte_is_present(e));
    cr_assert_not(pfn_valid(pv_pte_pfn(e)), "m2p says nothing of ours");
    e.raw = (uint64_t)(NR_MFNS + 5) << 12 | PV_PRESENT;
    cr_assert_not(pfn_valid(pv_pte_pfn(e)), "beyond m2p");
}

/* m2p says pfn 7, p2m of 7 says another frame: a page of ours that was exchanged meanwhile. */
Test(pte, a_stale_m2p_is_not_believed)
{
    pv_pte_t e = pv_pte(pfn(7), PV_PRESENT);

    pv_p2m_set(pfn(7), mfn(FIRST_MFN + NR_PAGES + 9));
    cr_assert_not(pfn_valid(pv_pte_pfn(e)));
}

Test(pte, cookies)
{
    static const uint64_t cookies[] = {0, 1, 0x123456789ab, ((uint64_t)1 << 50) - 1};

    for (unsigned i = 0; i < PV_ARRAY_SIZE(cookies); i++) {
        pv_pte_t e = pv_pte_absent(cookies[i]);

        cr_assert_not(pv_pte_is_present(e));
        cr_assert_eq(pv_pte_cookie(e), cookies[i]);
        cr_assert_not(pfn_valid(pv_pte_pfn(e)));
    }
    /* L1TF: the frame that a small cookie seems to name lies above any memory. */
    cr_assert_geq((pv_pte_absent(1).raw & 0x000ffffffffff000) >> 12, (uint64_t)1 << 39);
    cr_assert_eq(pv_pte_cookie(pv_pte_none()), ~0ull);
    cr_assert_eq(pv_pte_cookie(pv_pte(pfn(1), PV_PRESENT)), ~0ull);
}

Test(pte, other_rights)
{
    pv_pte_t e = pv_pte_with_rights(pv_pte(pfn(9), PV_PRESENT | PV_WRITE), PV_PRESENT | PV_NOEXEC);

    cr_assert(pfn_eq(pv_pte_pfn(e), pfn(9)));
    cr_assert_eq(pv_pte_rights(e), PV_PRESENT | PV_NOEXEC);
    cr_assert_eq(pv_pte_with_rights(pv_pte_none(), PV_PRESENT).raw, 0);
}

Test(pte, an_update_names_machine_address_and_entry)
{
    struct xen_mmu_update req;

    cr_assert_eq(pv_pt_protect(pfn(4)), 0);
    fake.calls = 0;
    cr_assert_eq(pv_pt_set(pfn(4), 5, pv_pte(pfn(6), PV_PRESENT)), 0);
    cr_assert_eq(fake.calls, 1);
    cr_assert_eq(fake.call[0].nr, XEN_HYPERVISOR_mmu_update);
    memcpy(&req, fake.call[0].bytes, sizeof(req));
    cr_assert_eq(req.ptr, fake_mfn(4) << 12 | 5 * 8 | XEN_MMU_NORMAL_PT_UPDATE);
    cr_assert_eq(req.val, fake_mfn(6) << 12 | PV_PRESENT);
    cr_assert_eq(pv_pt_set(pfn(4), 512, pv_pte_none()), -XEN_EINVAL);
    cr_assert_eq(pv_pt_set(pfn(NR_PAGES), 0, pv_pte_none()), -XEN_EINVAL);
    cr_assert_eq(pv_pt_pin(pfn(1), 5), -XEN_EINVAL);
    cr_assert_eq(fake.calls, 1, "the hypervisor is not asked what is wrong anyway");
}

Test(pte, a_table_that_is_being_built_is_plain_memory)
{
    uint64_t *table = pv_host_page_va(pfn(4));

    cr_assert_not(pv_pt_is_protected(pfn(4)));
    cr_assert_eq(pv_pt_set(pfn(4), 7, pv_pte(pfn(6), PV_PRESENT)), 0);
    cr_assert_eq(table[7], fake_mfn(6) << 12 | PV_PRESENT);
    cr_assert_eq(pv_pt_link(pfn(4), 8, pfn(5)), 0);
    cr_assert_eq(table[8], fake_mfn(5) << 12 | PV_TABLE_RIGHTS);
    cr_assert_not(pv_pt_is_protected(pfn(5)));
    cr_assert_eq(fake.calls, 0);

    cr_assert_eq(pv_pt_protect(pfn(4)), 0);
    cr_assert(pv_pt_is_protected(pfn(4)));
    cr_assert_eq(pv_pt_link(pfn(4), 9, pfn(5)), 0);
    cr_assert(pv_pt_is_protected(pfn(5)), "what is linked to a protected table is one");
    cr_assert_eq(table[9], 0, "its entries are the hypervisor's to write");
    cr_assert_eq(fake.calls, 3);
    cr_assert_eq(pv_pt_unprotect(pfn(5)), 0);
    cr_assert_not(pv_pt_is_protected(pfn(5)));
    cr_assert_eq(pv_pt_unprotect(pfn(4)), 0);
}

/* Batches ----------------------------------------------------------------------------------- */

static int64_t fail_second(uint64_t nr, const uint64_t *arg)
{
    if (nr == XEN_HYPERVISOR_multicall) {
        struct xen_multicall_entry *c = (void *)arg[0];

        for (unsigned i = 0; i < arg[1]; i++)
            c[i].result = i == 1 ? (uint64_t)-XEN_EBUSY : i == 2 ? (uint64_t)-XEN_EPERM : 0;
        *(uint32_t *)c[1].args[2] = 7;
    }
    return 0;
}

Test(batch, neighbours_share_a_call)
{
    struct pv_batch b;
    struct xen_mmuext_op op = {.cmd = XEN_MMUEXT_INVLPG_LOCAL, .arg1.linear_addr = 0x1000};

    pv_batch_init(&b);
    cr_assert_eq(pv_batch_flush(&b), 0);
    cr_assert_eq(fake.calls, 0, "nothing to do is no hypercall");
    for (unsigned i = 0; i < 10; i++)
        pv_batch_update(&b, i * 8, i);
    cr_assert_eq(pv_batch_flush(&b), 0);
    cr_assert_eq(fake.calls, 1);
    cr_assert_eq(fake.call[0].nr, XEN_HYPERVISOR_mmu_update, "one call needs no multicall");
    cr_assert_eq(fake.call[0].arg[1], 10);
    cr_assert_eq(fake.call[0].arg[3], XEN_DOMID_SELF);

    pv_batch_update(&b, 0, 0);
    pv_batch_op(&b, &op);
    pv_batch_op(&b, &op);
    pv_batch_call(&b, XEN_HYPERVISOR_stack_switch, 1, 2, 0, 0, 0);
    pv_batch_update(&b, 0, 0);
    cr_assert_eq(b.calls, 4, "order is kept: the last update is a call of its own");
    pv_batch_flush(&b);
    cr_assert_eq(fake.call[1].nr, XEN_HYPERVISOR_multicall);
    cr_assert_eq(fake.call[1].arg[1], 4);
}

Test(batch, the_first_failure_is_kept_with_its_place)
{
    struct pv_batch b;
    struct xen_mmuext_op op = {.cmd = XEN_MMUEXT_TLB_FLUSH_LOCAL};

    fake.answer = fail_second;
    pv_batch_init(&b);
    pv_batch_update(&b, 0, 0);
    pv_batch_op(&b, &op);
    pv_batch_call(&b, XEN_HYPERVISOR_stack_switch, 1, 2, 0, 0, 0);
    cr_assert_eq(pv_batch_flush(&b), -XEN_EBUSY);
    cr_assert_eq(b.failed_nr, XEN_HYPERVISOR_mmuext_op);
    cr_assert_eq(b.failed_request, 7);
    cr_assert_not_null(b.failed_caller);
    fake.answer = NULL;
    pv_batch_update(&b, 0, 0);
    cr_assert_eq(pv_batch_flush(&b), -XEN_EBUSY, "until it is initialized again");
}

Test(batch, a_full_batch_flushes_itself_and_loses_nothing)
{
    static struct pv_batch b;
    struct xen_mmuext_op op = {.cmd = XEN_MMUEXT_TLB_FLUSH_LOCAL};
    uint64_t updates = 0, ops = 0;

    pv_batch_init(&b);
    for (unsigned i = 0; i < 1000; i++) {
        pv_batch_update(&b, i, i);
        if (i % 3 == 0)
            pv_batch_op(&b, &op);
    }
    pv_batch_flush(&b);
    for (unsigned i = 0; i < fake.calls && i < PV_ARRAY_SIZE(fake.call); i++) {
        const struct fake_call *c = &fake.call[i];

        cr_assert(c->nr == XEN_HYPERVISOR_multicall || c->nr == XEN_HYPERVISOR_mmu_update);
        updates += c->nr == XEN_HYPERVISOR_mmu_update ? c->arg[1] : 0;
        ops += c->nr == XEN_HYPERVISOR_multicall ? c->arg[1] : 0;
    }
    /* 1000 updates in runs of 3 with an operation after each first: 334 operations, 668 calls. */
    cr_assert_eq(ops + (updates != 0), 668 + (updates != 0));
}

Test(batch, who_begins_again_loses_nothing)
{
    struct pv_batch b;

    pv_lazy_begin(NULL);
    cr_assert_eq(pv_tlb_flush_page(0x1000), 0);
    pv_lazy_begin(&b);
    cr_assert_eq(fake.calls, 1);
    cr_assert_eq(fake.call[0].nr, XEN_HYPERVISOR_mmuext_op);
    cr_assert_eq(pv_tlb_flush_page(0x2000), 0);
    pv_lazy_begin(NULL);
    cr_assert_eq(fake.calls, 2);
    cr_assert_eq(pv_lazy_end(), 0);
    cr_assert_eq(fake.calls, 2);
}

Test(batch, lazy_functions_only_collect)
{
    struct pv_batch b;

    pv_lazy_begin(&b);
    cr_assert_eq(pv_pt_set(pfn(1), 1, pv_pte(pfn(2), PV_PRESENT)), 0);
    cr_assert_eq(pv_pt_set(pfn(1), 2, pv_pte(pfn(3), PV_PRESENT)), 0);
    cr_assert_eq(pv_tlb_flush_page(0x1000), 0);
    cr_assert_eq(pv_pt_set_va(0x2000, pv_pte_none(), PV_FLUSH_PAGE), 0);
    cr_assert_eq(fake.calls, 0);
    pv_pt_read(pfn(1), 1);
    cr_assert_eq(fake.calls, 1, "who reads an entry must see what was set");
    cr_assert_eq(pv_lazy_end(), 0);
    cr_assert_eq(fake.calls, 1);
    cr_assert_null(pv_lazy_batch());
}

/* Grants ------------------------------------------------------------------------------------ */

static struct xen_grant_entry_v1 *entries; /* where libpv sees its table: the window */
static int16_t status;

/* The fake maps nothing: the window's own memory is the table. */
static int64_t grants(uint64_t nr, const uint64_t *arg)
{
    if (nr == XEN_HYPERVISOR_grant_table_op && arg[0] == XEN_GNTTABOP_setup_table) {
        struct xen_gnttab_setup_table *s = (void *)arg[1];

        for (unsigned i = 0; i < s->nr_frames; i++)
            ((uint64_t *)s->frame_list.va)[i] = 0x500 + i;
        s->status = status;
    }
    if (nr == XEN_HYPERVISOR_grant_table_op && arg[0] == XEN_GNTTABOP_map_grant_ref) {
        struct xen_gnttab_map_grant_ref *m = (void *)arg[1];

        m->status = status;
        m->handle = 77;
    }
    if (nr == XEN_HYPERVISOR_update_va_mapping && !entries)
        entries = (void *)arg[0];
    return 0;
}

static void open_table(unsigned frames)
{
    fake.answer = grants;
    cr_assert_eq(pv_grant_init(frames), 0);
    memset(entries, 0, frames * PV_PAGE_SIZE);
}

Test(grant, a_grant_is_an_entry_of_the_table)
{
    uint32_t ref;

    open_table(1);
    cr_assert_eq(pv_grant_publish(3, pfn(5), true, &ref), 0);
    cr_assert_eq(ref, XEN_GNTTAB_NR_RESERVED_ENTRIES, "the lowest that is not reserved");
    cr_assert_eq(entries[ref].domid, 3);
    cr_assert_eq(entries[ref].frame, fake_mfn(5));
    cr_assert_eq(entries[ref].flags, XEN_GTF_permit_access | XEN_GTF_readonly);
    cr_assert_eq(pv_grant_end(ref), 0);
    cr_assert_eq(entries[ref].flags, 0);
    cr_assert_eq(pv_grant_end(ref), -XEN_ENOENT, "twice");
    cr_assert_eq(pv_grant_end(0), -XEN_ENOENT, "reserved");
    cr_assert_eq(pv_grant_end(~0u), -XEN_ENOENT);
    cr_assert_eq(pv_grant_publish(3, pfn(NR_PAGES), true, &ref), -XEN_EINVAL);
}

Test(grant, one_in_use_does_not_end)
{
    uint32_t ref, other;

    open_table(1);
    pv_grant_publish(3, pfn(5), false, &ref);
    entries[ref].flags |= XEN_GTF_reading | XEN_GTF_writing;
    cr_assert(pv_grant_in_use(ref));
    cr_assert_eq(pv_grant_end(ref), -XEN_EBUSY);
    cr_assert_eq(pv_grant_publish(3, pfn(6), false, &other), 0);
    cr_assert_neq(other, ref, "its reference is not given to another");
    entries[ref].flags &= (uint16_t) ~(XEN_GTF_reading | XEN_GTF_writing);
    cr_assert_eq(pv_grant_end(ref), 0);
}

Test(grant, all_references_once_each)
{
    static bool seen[1024];
    uint32_t ref;
    unsigned n = 0;

    open_table(2);
    while (pv_grant_publish(1, pfn(n % NR_PAGES), false, &ref) == 0) {
        cr_assert_lt(ref, 1024);
        cr_assert_not(seen[ref]);
        seen[ref] = true;
        n++;
    }
    cr_assert_eq(n, 1024 - XEN_GNTTAB_NR_RESERVED_ENTRIES);
    cr_assert_eq(pv_grant_publish(1, pfn(0), false, &ref), -XEN_ENOSPC);
    cr_assert_eq(pv_grant_end(500), 0);
    cr_assert_eq(pv_grant_publish(1, pfn(0), false, &ref), 0);
    cr_assert_eq(ref, 500);
}

Test(grant, statuses_become_errors)
{
    static const struct {
        int16_t status;
        int error;
    } table[] = {{XEN_GNTST_okay, 0},
                 {XEN_GNTST_bad_domain, -XEN_ESRCH},
                 {XEN_GNTST_bad_gntref, -XEN_ENOENT},
                 {XEN_GNTST_permission_denied, -XEN_EPERM},
                 {XEN_GNTST_eagain, -XEN_EAGAIN},
                 {XEN_GNTST_no_space, -XEN_ENOSPC},
                 {XEN_GNTST_bad_page, -XEN_EFAULT},
                 {XEN_GNTST_general_error, -XEN_EINVAL},
                 {-99, -XEN_EINVAL}};
    struct pv_grant_map m = {.va = fake_memory[0]};

    open_table(1);
    for (unsigned i = 0; i < PV_ARRAY_SIZE(table); i++) {
        status = table[i].status;
        m.handle = 1;
        cr_assert_eq(pv_grant_map(1, 8, false, &m), table[i].error);
        cr_assert_eq(m.handle, table[i].error ? 1 : 77, "a failure changes nothing");
    }
}

/* The balloon ------------------------------------------------------------------------------- */

static int64_t agreed;

static int64_t balloon(uint64_t nr, const uint64_t *arg)
{
    struct xen_memory_reservation *r = (void *)arg[1];

    if (nr != XEN_HYPERVISOR_memory_op)
        return 0;
    for (unsigned i = 0; arg[0] == XENMEM_populate_physmap && i < agreed; i++)
        ((uint64_t *)r->extent_start.va)[i] = FIRST_MFN + NR_PAGES + i;
    return agreed;
}

Test(balloon, out_and_in_again)
{
    pfn_t list[] = {pfn(3), pfn(9), pfn(4)};

    fake.answer = balloon;
    agreed = 3;
    cr_assert_eq(pv_memory_release(list, 3), 3);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_not(pv_memory_is_present(list[i]));
    cr_assert_eq(pv_memory_release(list, 3), 0, "they are gone already");
    cr_assert_eq(pv_memory_reclaim(list, 3), 3);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(pv_p2m(list[i]).n, FIRST_MFN + NR_PAGES + i);
    cr_assert_eq(pv_memory_reclaim(list, 3), 0);
}

Test(balloon, part_of_it_refused)
{
    pfn_t list[] = {pfn(3), pfn(9), pfn(4)};

    fake.answer = balloon;
    agreed = 1;
    cr_assert_eq(pv_memory_release(list, 3), 1);
    cr_assert_not(pv_memory_is_present(list[0]));
    cr_assert_eq(pv_p2m(list[1]).n, fake_mfn(9), "what was not taken is as it was");
    cr_assert_eq(pv_p2m(list[2]).n, fake_mfn(4));
    agreed = -XEN_EINVAL;
    cr_assert_eq(pv_memory_release(list + 1, 2), 0);
    cr_assert_eq(pv_p2m(list[1]).n, fake_mfn(9));
}
