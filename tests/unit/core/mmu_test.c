/* SPDX-License-Identifier: MIT
 *
 * mmu_test.c - mmu_update and update_va_mapping: what they do, and every refusal.
 */
#include <criterion/criterion.h>
#include "mm_fixture.h"

TestSuite(mmu, .init = mm_setup, .fini = mm_teardown);

static long va_mapping(uint64_t va, uint64_t e, uint64_t flags)
{
    return hosted_call(v, XEN_HYPERVISOR_update_va_mapping, va, e, flags, 0);
}

Test(mmu, maps_and_unmaps)
{
    uint64_t va = hosted_va(3), e = hosted_entry(g, 4, PTE_P | PTE_RW);

    cr_assert_eq(update(pte_addr(3), e), 0);
    cr_assert_eq(*pte(3), e | PTE_US | PTE_KERNEL);
    cr_assert_eq(frame(4)->refs, 3);
    cr_assert_eq(frame(4)->type_refs, 2);
    cr_assert_eq(frame(3)->refs, 1);
    cr_assert_eq(va_mapping(va, 0, XEN_UVMF_INVLPG), 0);
    cr_assert_eq(*pte(3), 0);
    cr_assert_eq(frame(4)->refs, 2);
    cr_assert_not(hosted_touch(va, false));
}

Test(mmu, user_pages_keep_their_flag_and_lose_global)
{
    cr_assert_eq(update(pte_addr(3), hosted_entry(g, 4, PTE_P | PTE_US | PTE_G)), 0);
    cr_assert_eq(*pte(3), hosted_entry(g, 4, PTE_P | PTE_US));
}

Test(mmu, accessed_and_dirty_are_kept_on_request)
{
    cr_assert(hosted_touch(hosted_va(3), true));
    cr_assert_eq(*pte(3) & (PTE_A | PTE_D), PTE_A | PTE_D);
    cr_assert_eq(
        update(pte_addr(3) | XEN_MMU_PT_UPDATE_PRESERVE_AD, hosted_entry(g, 3, PTE_P | PTE_RW)), 0);
    cr_assert_eq(*pte(3) & (PTE_A | PTE_D), PTE_A | PTE_D);
    cr_assert_eq(
        update(pte_addr(3) | XEN_MMU_PT_UPDATE_NO_TRANSLATE, hosted_entry(g, 3, PTE_P | PTE_RW)),
        0);
    cr_assert_eq(*pte(3) & (PTE_A | PTE_D), 0);
}

Test(mmu, a_plain_page_is_simply_written)
{
    uint64_t at = hosted_mfn(g, 5).n << 12 | 64;

    cr_assert_eq(update(at, 0x123456789), 0);
    cr_assert_eq(((uint64_t *)hosted_page(g, 5))[8], 0x123456789);
}

Test(mmu, machphys)
{
    uint64_t at = hosted_mfn(g, 5).n << 12 | XEN_MMU_MACHPHYS_UPDATE;

    cr_assert_eq(update(at, 4711), 0);
    cr_assert_eq(frame_m2p[hosted_mfn(g, 5).n], 4711);
    cr_assert_refused(update(hosted_mfn(other, 5).n << 12 | XEN_MMU_MACHPHYS_UPDATE, 1),
                      RULE_MMU_M2P_FRAME, XEN_EINVAL);
    cr_assert_refused(update(1ull << 50 | XEN_MMU_MACHPHYS_UPDATE, 1), RULE_MMU_M2P_FRAME,
                      XEN_EINVAL);
}

Test(mmu, refusals_of_level_1_entries)
{
    uint64_t at = pte_addr(3), before = *pte(3);

    cr_assert_refused(update(at, hosted_entry(g, 4, PTE_P | PTE_PCD)), RULE_PT_FLAGS_L1,
                      XEN_EINVAL);
    cr_assert_eq(last()->value, PTE_PCD);
    cr_assert_eq(last()->va, at);
    cr_assert_refused(update(at, PTE_FRAME | PTE_P), RULE_PT_FRAME_NONE, XEN_EINVAL);
    cr_assert_refused(update(at, frame_count << 12 | PTE_P), RULE_PT_FRAME_IO, XEN_EPERM);
    cr_assert_refused(update(at, hosted_io_frame() << 12 | PTE_P), RULE_PT_FRAME_IO, XEN_EPERM);
    cr_assert_refused(update(at, hosted_entry(other, 4, PTE_P)), RULE_PT_FRAME_OWNER, XEN_EBUSY);
    cr_assert_eq(last()->owner, 2);
    cr_assert_refused(update(at, 1 << 12 | PTE_P), RULE_PT_FRAME_OWNER, XEN_EBUSY);
    cr_assert_refused(update(at, hosted_entry(g, g->l1, PTE_P | PTE_RW)), RULE_PT_WRITABLE_TABLE,
                      XEN_EBUSY);
    cr_assert_eq(last()->frame_type, FRAME_L1);
    cr_assert_eq(last()->level, 1);
    cr_assert_eq(last()->old_entry, before);
    cr_assert_eq(*pte(3), before);
}

Test(mmu, descriptors_and_shared_pages_cannot_be_written)
{
    uint64_t list = hosted_mfn(g, 7).n;
    void *page = frame_hv_alloc(0);

    make_readonly(7);
    memcpy(args(), &list, sizeof(list));
    cr_assert_eq(hosted_call(v, XEN_HYPERVISOR_set_gdt, hosted_va(ARGS), 512, 0, 0), 0);
    cr_assert_refused(update(pte_addr(7), hosted_entry(g, 7, PTE_P | PTE_RW)),
                      RULE_PT_WRITABLE_DESCRIPTORS, XEN_EBUSY);
    cr_assert_refused(update(list << 12, 0), RULE_MMU_FRAME_TYPE, XEN_EINVAL);
    frame_share(page, g->d, false);
    cr_assert_refused(update(pte_addr(8), plat_maddr(page) | PTE_P | PTE_RW),
                      RULE_PT_WRITABLE_SHARED, XEN_EBUSY);
    cr_assert_eq(update(pte_addr(8), plat_maddr(page) | PTE_P), 0);
}

Test(mmu, counts_have_an_end)
{
    frame(4)->refs += FRAME_REFS_MAX;
    cr_assert_refused(update(pte_addr(3), hosted_entry(g, 4, PTE_P)), RULE_PT_REFS, XEN_EBUSY);
    cr_assert_refused(update(hosted_mfn(g, 4).n << 12, 0), RULE_MMU_FRAME_TYPE, XEN_EINVAL);
    frame(4)->refs -= FRAME_REFS_MAX;
}

Test(mmu, refusals_of_the_request)
{
    cr_assert_refused(update(pte_addr(3) | 5, 0), RULE_MMU_COMMAND, XEN_ENOSYS);
    cr_assert_refused(update(hosted_mfn(other, 3).n << 12, 0), RULE_MMU_FRAME, XEN_EINVAL);
    cr_assert_refused(update(~7ull, 0), RULE_MMU_FRAME, XEN_EINVAL);
}

/* Copy on write, as fork does it, and back; a table's mapping never becomes writable by it. */
Test(mmu, the_right_to_write_comes_and_goes)
{
    uint32_t refs = frame(3)->refs, writable = frame(3)->type_refs, l1 = frame(g->l1)->type_refs;

    cr_assert_eq(update(pte_addr(3), hosted_entry(g, 3, PTE_P | PTE_US)), 0);
    cr_assert_eq(*pte(3), hosted_entry(g, 3, PTE_P | PTE_US));
    cr_assert(frame(3)->refs == refs && frame(3)->type_refs == writable - 1);
    cr_assert_eq(update(pte_addr(3), hosted_entry(g, 3, PTE_P | PTE_RW | PTE_US)), 0);
    cr_assert(frame(3)->refs == refs && frame(3)->type_refs == writable);
    cr_assert_eq(update(pte_addr(4), hosted_entry(g, g->l1, PTE_P)), 0);
    cr_assert_refused(update(pte_addr(4), hosted_entry(g, g->l1, PTE_P | PTE_RW)),
                      RULE_PT_WRITABLE_TABLE, XEN_EBUSY);
    cr_assert_eq(*pte(4) & (PTE_P | PTE_RW), PTE_P);
    cr_assert_eq(frame(g->l1)->type_refs, l1);
}

Test(mmu, a_batch_says_how_far_it_came)
{
    struct xen_mmu_update req[40];
    uint32_t done;

    for (unsigned i = 0; i < 40; i++)
        req[i] = (struct xen_mmu_update){pte_addr(4 + i % 4), hosted_entry(g, 9, PTE_P)};
    cr_assert_eq(update_n(req, 40, &done, XEN_DOMID_SELF), 0);
    cr_assert_eq(done, 40);
    hosted.interrupt_every = 1; /* stops and resumes */
    cr_assert_eq(update_n(req, 40, &done, XEN_DOMID_SELF), 0);
    cr_assert_eq(done, 40);
    hosted.interrupt_every = 0;
    req[7].val = hosted_entry(other, 1, PTE_P);
    cr_assert_refused(update_n(req, 40, &done, XEN_DOMID_SELF), RULE_PT_FRAME_OWNER, XEN_EBUSY);
    cr_assert_eq(done, 7);
}

Test(mmu, requests_before_a_hole_are_done)
{
    uint64_t end = hosted_va(10) - 2 * sizeof(struct xen_mmu_update);
    struct xen_mmu_update *req =
        (void *)((uint8_t *)hosted_page(g, 9) + PV_PAGE_SIZE - 2 * sizeof(*req));
    uint32_t *done = args();

    req[0] = req[1] = (struct xen_mmu_update){pte_addr(4), 0};
    cr_assert_eq(va_mapping(hosted_va(10), 0, XEN_UVMF_INVLPG), 0);
    cr_assert_refused(
        hosted_call(v, XEN_HYPERVISOR_mmu_update, end, 5, hosted_va(ARGS), XEN_DOMID_SELF),
        RULE_GUEST_POINTER, XEN_EFAULT);
    cr_assert_eq(*done, 2);
    cr_assert_refused(hosted_call(v, XEN_HYPERVISOR_mmu_update, HV_VA, 1, 0, XEN_DOMID_SELF),
                      RULE_GUEST_POINTER, XEN_EFAULT);
}

Test(mmu, foreign_domains)
{
    struct xen_mmu_update req = {pte_addr(3), hosted_entry(g, 4, PTE_P)};
    uint32_t done;

    cr_assert_refused(update_n(&req, 1, &done, 1), RULE_MMU_OWN_DOMID, XEN_ESRCH);
    cr_assert_eq(done, 0);
    cr_assert_refused(update_n(&req, 1, NULL, 2), RULE_DOMAIN_FOREIGN, XEN_EPERM);
    cr_assert_refused(update_n(&req, 1, NULL, 44), RULE_DOMAIN_UNKNOWN, XEN_ESRCH);
    cr_assert_refused(update_n(&req, 1, NULL, XEN_DOMID_XEN), RULE_DOMAIN_FOREIGN, XEN_EPERM);
    cr_assert_refused(update_n(&req, 1, NULL, 3 << 16 | XEN_DOMID_SELF), RULE_DOMAIN_FOREIGN,
                      XEN_EPERM);
    cr_assert_refused(update_n(&req, 1, NULL, 45 << 16 | XEN_DOMID_SELF), RULE_DOMAIN_UNKNOWN,
                      XEN_ESRCH);
    /* memory is not I/O; one's own tables by number are fine */
    cr_assert_refused(update_n(&req, 1, NULL, XEN_DOMID_IO), RULE_PT_FRAME_OWNER, XEN_EBUSY);
    cr_assert_eq(update_n(&req, 1, NULL, 2 << 16 | XEN_DOMID_SELF), 0);
    req.ptr = hosted_mfn(g, g->l2).n << 12;
    cr_assert_refused(update_n(&req, 1, NULL, XEN_DOMID_IO), RULE_MMU_FOREIGN_TABLE, XEN_EINVAL);
}

Test(mmu, upper_levels_flush)
{
    uint64_t l2 = hosted_mfn(g, g->l2).n << 12;
    unsigned flushes = hosted.flushes;

    make_readonly(20);
    memset(hosted_page(g, 20), 0, PV_PAGE_SIZE);
    cr_assert_eq(update(l2 | 5 << 3, hosted_entry(g, 20, PTE_P | PTE_RW)), 0);
    cr_assert_eq(frame(20)->type, FRAME_L1);
    flushes = hosted.flushes;
    cr_assert_eq(update(l2 | 5 << 3, hosted_entry(g, 20, PTE_P | PTE_RW | PTE_A)), 0);
    cr_assert_eq(update(l2 | 5 << 3, 0), 0);
    cr_assert_gt(hosted.flushes, flushes);
    cr_assert_eq(frame(20)->type_refs, 0);
}

Test(mmu, va_mapping_flushes_as_asked)
{
    uint64_t va = hosted_va(3), e = hosted_entry(g, 3, PTE_P | PTE_RW);
    uint64_t *mask = (uint64_t *)args() + 8, mask_va = hosted_va(ARGS) + 64;
    unsigned flushes = hosted.flushes, pages = hosted.page_flushes;

    cr_assert_eq(va_mapping(va, e, XEN_UVMF_NONE), 0);
    cr_assert_eq(va_mapping(va, e, 3), 0);
    cr_assert(hosted.flushes == flushes && hosted.page_flushes == pages);
    cr_assert_eq(va_mapping(va, e, XEN_UVMF_INVLPG), 0);
    cr_assert_eq(va_mapping(va, e, XEN_UVMF_INVLPG | XEN_UVMF_ALL), 0);
    cr_assert_eq(hosted.page_flushes, pages + 2);
    cr_assert_eq(va_mapping(va, e, XEN_UVMF_TLB_FLUSH), 0);
    cr_assert_eq(va_mapping(va, e, XEN_UVMF_TLB_FLUSH | XEN_UVMF_ALL), 0);
    cr_assert_eq(hosted.flushes, flushes + 2);
    *mask = 1;
    cr_assert_eq(va_mapping(va, e, XEN_UVMF_TLB_FLUSH | mask_va), 0);
    cr_assert_eq(va_mapping(va, e, XEN_UVMF_INVLPG | mask_va), 0);
    cr_assert_eq(hosted.flushes, flushes + 3);
    *mask = 4; /* no such vCPU */
    cr_assert_eq(va_mapping(va, e, XEN_UVMF_TLB_FLUSH | mask_va), 0);
    cr_assert_eq(hosted.flushes, flushes + 3);
    cr_assert_refused(va_mapping(va, e, XEN_UVMF_TLB_FLUSH | 0x1000), RULE_VCPU_MASK, XEN_EFAULT);
}

Test(mmu, va_mapping_refusals)
{
    uint64_t e = hosted_entry(g, 4, PTE_P);

    cr_assert_refused(va_mapping(HV_VA, e, 0), RULE_VA_HYPERVISOR, XEN_EINVAL);
    cr_assert_refused(va_mapping(1ull << 50, e, 0), RULE_VA_HYPERVISOR, XEN_EINVAL);
    cr_assert_refused(va_mapping(0, e, 0), RULE_VA_NO_TABLE, XEN_EINVAL);
    cr_assert_eq(last()->level, 3);
    cr_assert_refused(va_mapping(HOSTED_BASE + (1ull << 30), e, 0), RULE_VA_NO_TABLE, XEN_EINVAL);
    cr_assert_eq(last()->level, 2);
    cr_assert_refused(va_mapping(HOSTED_BASE + (5ull << 21), e, 0), RULE_VA_NO_TABLE, XEN_EINVAL);
    cr_assert_eq(last()->level, 1);
    cr_assert_refused(va_mapping(hosted_va(3), hosted_entry(other, 1, PTE_P), 0),
                      RULE_PT_FRAME_OWNER, XEN_EBUSY);
    cr_assert_eq(last()->va, hosted_va(3));
}

Test(mmu, va_mapping_in_a_linear_table)
{
    uint64_t l4 = hosted_mfn(g, g->l4).n << 12, slot = 300,
             self = 0xffff000000000000ull | slot << 39 | slot << 30 | slot << 21 | slot << 12;

    cr_assert_eq(update(l4 | slot << 3, hosted_entry(g, g->l4, PTE_P)), 0);
    /* the tables show themselves, read-only */
    cr_assert(hosted_touch(self, false));
    cr_assert_not(hosted_touch(self, true));
    cr_assert_refused(va_mapping(self, 0, 0), RULE_VA_NO_L1, XEN_EINVAL);
    cr_assert_eq(update(l4 | slot << 3, 0), 0);
}

Test(mmu, otherdomain_is_only_oneself)
{
    uint64_t e = hosted_entry(g, 4, PTE_P);
    struct {
        uint32_t domid;
        enum rule rule;
        int err;
    } bad[] = {
        {1, RULE_MMU_OWN_DOMID, XEN_ESRCH},
        {2, RULE_DOMAIN_FOREIGN, XEN_EPERM},
        {40, RULE_DOMAIN_UNKNOWN, XEN_ESRCH},
        {XEN_DOMID_IO, RULE_DOMAIN_FOREIGN, XEN_EPERM},
        {XEN_DOMID_XEN, RULE_DOMAIN_FOREIGN, XEN_EPERM},
    };

    for (unsigned i = 0; i < 5; i++)
        cr_assert_refused(hosted_call(v, XEN_HYPERVISOR_update_va_mapping_otherdomain, hosted_va(3),
                                      e, 0, bad[i].domid),
                          bad[i].rule, bad[i].err);
    cr_assert_eq(hosted_call(v, XEN_HYPERVISOR_update_va_mapping_otherdomain, hosted_va(3), e, 0,
                             XEN_DOMID_SELF),
                 0);
}

Test(mmu, the_last_use_of_a_given_up_frame_frees_it)
{
    uint64_t free = frame_free_count();

    cr_assert(frame_domain_free(g->d, hosted_mfn(g, 6)));
    cr_assert_eq(frame_free_count(), free);
    cr_assert_eq(va_mapping(hosted_va(6), hosted_entry(g, 7, PTE_P), XEN_UVMF_INVLPG), 0);
    cr_assert_eq(frame_free_count(), free + 1);
}
