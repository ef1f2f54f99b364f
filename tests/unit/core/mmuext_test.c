/* SPDX-License-Identifier: MIT
 *
 * mmuext_test.c - mmuext_op, operation by operation, and the executive's roots.
 */
#include <criterion/criterion.h>
#include "mm_fixture.h"

TestSuite(mmuext, .init = mm_setup, .fini = mm_teardown);

/* A second root, made of the first one's tables. */
static uint64_t second_root(uint64_t pfn)
{
    make_readonly(pfn);
    memcpy(hosted_page(g, pfn), hosted_page(g, g->l4), PV_PAGE_SIZE);
    return g->p2m[pfn];
}

Test(mmuext, pins_are_by_frame)
{
    uint64_t l1 = g->p2m[g->l1];

    cr_assert_refused(mmuext(XEN_MMUEXT_PIN_L1_TABLE, frame_count, 0), RULE_PIN_FRAME, XEN_EINVAL);
    cr_assert_refused(mmuext(XEN_MMUEXT_PIN_L1_TABLE, other->p2m[1], 0), RULE_PIN_FRAME,
                      XEN_EINVAL);
    cr_assert_eq(last()->owner, 2);
    cr_assert_refused(mmuext(XEN_MMUEXT_UNPIN_TABLE, frame_count, 0), RULE_UNPIN_FRAME, XEN_EINVAL);
    cr_assert_refused(mmuext(XEN_MMUEXT_UNPIN_TABLE, l1, 0), RULE_UNPIN_NOT_PINNED, XEN_EINVAL);
    cr_assert_eq(mmuext(XEN_MMUEXT_PIN_L1_TABLE, l1, 0), 0);
    cr_assert_refused(mmuext(XEN_MMUEXT_PIN_L1_TABLE, l1, 0), RULE_PIN_TWICE, XEN_EINVAL);
    cr_assert_eq(mmuext(XEN_MMUEXT_UNPIN_TABLE, l1, 0), 0);
}

Test(mmuext, base_pointers)
{
    uint64_t first = g->p2m[g->l4], second = second_root(20);
    unsigned loads = hosted.root_loads;

    cr_assert_eq(mmuext(XEN_MMUEXT_NEW_BASEPTR, second, 0), 0);
    cr_assert_eq(v->root[1].n, second);
    cr_assert_eq(hosted.root.n, second);
    cr_assert_eq(frame(20)->type_refs, 1);
    cr_assert_eq(mmuext(XEN_MMUEXT_NEW_BASEPTR, second, 0), 0);
    cr_assert_eq(hosted.root_loads, loads + 2);
    cr_assert_eq(mmuext(XEN_MMUEXT_NEW_USER_BASEPTR, first, 0), 0);
    cr_assert_eq(mmuext(XEN_MMUEXT_NEW_USER_BASEPTR, first, 0), 0);
    cr_assert_eq(frame(g->l4)->type_refs, 2); /* its pin, and this */
    cr_assert_eq(mmuext(XEN_MMUEXT_NEW_USER_BASEPTR, second, 0), 0);
    cr_assert_eq(mmuext(XEN_MMUEXT_NEW_BASEPTR, first, 0), 0);
    cr_assert_eq(hosted.root.n, first);
    cr_assert_eq(mmuext(XEN_MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
    cr_assert_eq(v->root[0].n, 0);
    cr_assert_eq(frame(20)->type_refs, 0);
}

Test(mmuext, between_validated_roots_it_is_quick)
{
    uint64_t first = g->p2m[g->l4], second = second_root(20);

    cr_assert_eq(mmuext(XEN_MMUEXT_PIN_L4_TABLE, second, 0), 0);
    cr_assert_eq(mmuext(XEN_MMUEXT_NEW_USER_BASEPTR, first, 0), 0);
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(mmuext(XEN_MMUEXT_NEW_BASEPTR, i & 1 ? first : second, 0), 0);
        cr_assert_eq(mmuext(XEN_MMUEXT_NEW_USER_BASEPTR, i & 1 ? second : first, 0), 0);
        cr_assert_eq(hosted.root.n, v->root[1].n);
        cr_assert_eq(frame_audit(), 0);
    }
    cr_assert_eq(mmuext(XEN_MMUEXT_NEW_BASEPTR, first, 0), 0);
}

Test(mmuext, bad_base_pointers)
{
    cr_assert_refused(mmuext(XEN_MMUEXT_NEW_BASEPTR, frame_count, 0), RULE_BASEPTR_FRAME,
                      XEN_EINVAL);
    cr_assert_refused(mmuext(XEN_MMUEXT_NEW_BASEPTR, g->p2m[3], 0), RULE_PT_TABLE_WRITABLE,
                      XEN_EINVAL);
    cr_assert_refused(mmuext(XEN_MMUEXT_NEW_USER_BASEPTR, other->p2m[other->l4], 0),
                      RULE_BASEPTR_FRAME, XEN_EINVAL);
    cr_assert_refused(mmuext(XEN_MMUEXT_NEW_USER_BASEPTR, g->p2m[g->l1], 0), RULE_PT_TABLE_TYPE,
                      XEN_EINVAL);
}

Test(mmuext, an_abandoned_root_ends_by_and_by)
{
    uint64_t first = g->p2m[g->l4], second = second_root(20);

    cr_assert_eq(mmuext(XEN_MMUEXT_NEW_BASEPTR, second, 0), 0);
    hosted.interrupt_every = 1;
    cr_assert_eq(mmuext(XEN_MMUEXT_NEW_BASEPTR, first, 0), 0);
    hosted.interrupt_every = 0;
    cr_assert_eq(frame(20)->type_refs, 0);
}

Test(mmuext, flushes)
{
    uint64_t *mask = (uint64_t *)args() + 16, mask_va = hosted_va(ARGS) + 128;
    unsigned flushes = hosted.flushes, pages = hosted.page_flushes;
    uint32_t done = 0;

    *mask = 1;
    cr_assert_eq(mmuext(XEN_MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
    cr_assert_eq(mmuext(XEN_MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
    cr_assert_eq(mmuext(XEN_MMUEXT_TLB_FLUSH_MULTI, 0, mask_va), 0);
    cr_assert_eq(hosted.flushes, flushes + 3);
    cr_assert_eq(mmuext(XEN_MMUEXT_INVLPG_LOCAL, hosted_va(1), 0), 0);
    cr_assert_eq(mmuext(XEN_MMUEXT_INVLPG_ALL, hosted_va(1), 0), 0);
    cr_assert_eq(mmuext(XEN_MMUEXT_INVLPG_MULTI, hosted_va(1), mask_va), 0);
    cr_assert_eq(hosted.page_flushes, pages + 3);
    /* the hypervisor's own addresses are nothing to flush */
    cr_assert_eq(mmuext(XEN_MMUEXT_INVLPG_LOCAL, HV_VA, 0), 0);
    cr_assert_eq(mmuext(XEN_MMUEXT_INVLPG_ALL, HV_VA, 0), 0);
    cr_assert_eq(mmuext(XEN_MMUEXT_INVLPG_MULTI, HV_VA, mask_va), 0);
    cr_assert_eq(hosted.page_flushes, pages + 3);
    *mask = 1ull << 40;
    cr_assert_eq(mmuext(XEN_MMUEXT_TLB_FLUSH_MULTI, 0, mask_va), 0);
    cr_assert_eq(hosted.flushes, flushes + 3);
    cr_assert_refused(mmuext(XEN_MMUEXT_TLB_FLUSH_MULTI, 0, 16), RULE_VCPU_MASK, XEN_EINVAL);
    /* with a count of what is done */
    *(uint32_t *)args() = XEN_MMUEXT_TLB_FLUSH_LOCAL;
    cr_assert_eq(
        hosted_call(v, XEN_HYPERVISOR_mmuext_op, hosted_va(ARGS), 1, hosted_va(9), XEN_DOMID_SELF),
        0);
    memcpy(&done, hosted_page(g, 9), 4);
    cr_assert_eq(done, 1);
}

Test(mmuext, whole_pages)
{
    memset(hosted_page(g, 5), 0x5a, PV_PAGE_SIZE);
    cr_assert_eq(mmuext(XEN_MMUEXT_COPY_PAGE, g->p2m[6], g->p2m[5]), 0);
    cr_assert_eq(memcmp(hosted_page(g, 6), hosted_page(g, 5), PV_PAGE_SIZE), 0);
    cr_assert_eq(mmuext(XEN_MMUEXT_COPY_PAGE, g->p2m[6], g->p2m[6]), 0);
    cr_assert_eq(mmuext(XEN_MMUEXT_CLEAR_PAGE, g->p2m[6], 0), 0);
    cr_assert_eq(((char *)hosted_page(g, 6))[4095], 0);
    make_readonly(7); /* not mapped writable, but it may be written by request */
    cr_assert_eq(mmuext(XEN_MMUEXT_CLEAR_PAGE, g->p2m[7], 0), 0);
    cr_assert_eq(mmuext(XEN_MMUEXT_COPY_PAGE, g->p2m[7], g->p2m[g->l1]), 0);
    cr_assert_refused(mmuext(XEN_MMUEXT_CLEAR_PAGE, g->p2m[g->l1], 0), RULE_PAGE_NOT_WRITABLE,
                      XEN_EINVAL);
    cr_assert_refused(mmuext(XEN_MMUEXT_CLEAR_PAGE, other->p2m[5], 0), RULE_PAGE_FRAME, XEN_EINVAL);
    cr_assert_refused(mmuext(XEN_MMUEXT_CLEAR_PAGE, frame_count, 0), RULE_PAGE_FRAME, XEN_EINVAL);
    cr_assert_refused(mmuext(XEN_MMUEXT_COPY_PAGE, g->p2m[6], other->p2m[5]), RULE_PAGE_FRAME,
                      XEN_EINVAL);
    cr_assert_refused(mmuext(XEN_MMUEXT_COPY_PAGE, g->p2m[g->l1], g->p2m[5]),
                      RULE_PAGE_NOT_WRITABLE, XEN_EINVAL);
    cr_assert_refused(mmuext(XEN_MMUEXT_COPY_PAGE, other->p2m[6], g->p2m[5]), RULE_PAGE_FRAME,
                      XEN_EINVAL);
}

Test(mmuext, ldt)
{
    cr_assert_eq(mmuext(XEN_MMUEXT_SET_LDT, hosted_va(5), 600), 0);
    cr_assert_eq(v->ldt_entries, 600);
    cr_assert_eq(hosted.ldt_loads, 1);
    cr_assert_eq(mmuext(XEN_MMUEXT_SET_LDT, hosted_va(5), 600), 0); /* the same */
    cr_assert_eq(hosted.ldt_loads, 1);
    cr_assert_eq(mmuext(XEN_MMUEXT_SET_LDT, 0x123, 0), 0);
    cr_assert_eq(v->ldt_va, 0);
    cr_assert_refused(mmuext(XEN_MMUEXT_SET_LDT, hosted_va(5), 8193), RULE_LDT_ARGUMENT,
                      XEN_EINVAL);
    cr_assert_refused(mmuext(XEN_MMUEXT_SET_LDT, hosted_va(5) + 8, 1), RULE_LDT_ARGUMENT,
                      XEN_EINVAL);
    cr_assert_refused(mmuext(XEN_MMUEXT_SET_LDT, HV_VA, 1), RULE_LDT_ARGUMENT, XEN_EINVAL);
}

Test(mmuext, what_there_is_not)
{
    cr_assert_refused(mmuext(XEN_MMUEXT_FLUSH_CACHE, 0, 0), RULE_MMUEXT_CACHE, XEN_EACCES);
    cr_assert_refused(mmuext(XEN_MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0), RULE_MMUEXT_CACHE, XEN_EINVAL);
    cr_assert_refused(mmuext(XEN_MMUEXT_MARK_SUPER, 0, 0), RULE_MMUEXT_SUPER, XEN_EOPNOTSUPP);
    cr_assert_refused(mmuext(XEN_MMUEXT_UNMARK_SUPER, 0, 0), RULE_MMUEXT_SUPER, XEN_EOPNOTSUPP);
    cr_assert_refused(mmuext(14, 0, 0), RULE_MMUEXT_COMMAND, XEN_ENOSYS);
    cr_assert_refused(mmuext(77, 0, 0), RULE_MMUEXT_COMMAND, XEN_ENOSYS);
}

static long batch(const struct xen_mmuext_op *op, unsigned n, uint32_t foreign, uint32_t *done)
{
    long rc;

    memcpy(args(), op, n * sizeof(*op));
    rc = hosted_call(v, XEN_HYPERVISOR_mmuext_op, hosted_va(ARGS), n, hosted_va(9), foreign);
    memcpy(done, hosted_page(g, 9), 4);
    return rc;
}

Test(mmuext, batches)
{
    struct xen_mmuext_op op[12];
    uint32_t done = 0;

    for (unsigned i = 0; i < 12; i++)
        op[i] = (struct xen_mmuext_op){.cmd = XEN_MMUEXT_CLEAR_PAGE, .arg1.mfn = g->p2m[10 + i]};
    for (unsigned every = 0; every < 3; every++) {
        hosted.interrupt_every = every;
        cr_assert_eq(batch(op, 12, XEN_DOMID_SELF, &done), 0);
        cr_assert_eq(done, 12);
        cr_assert_eq(batch(op, 5, XEN_DOMID_SELF, &done), 0);
        cr_assert_eq(done, 5);
    }
    hosted.interrupt_every = 0;
    op[3].cmd = 33;
    cr_assert_refused(batch(op, 12, XEN_DOMID_SELF, &done), RULE_MMUEXT_COMMAND, XEN_ENOSYS);
    cr_assert_eq(done, 3);
    cr_assert_refused(batch(op, 5, XEN_DOMID_SELF, &done), RULE_MMUEXT_COMMAND, XEN_ENOSYS);
    cr_assert_eq(done, 3);
    cr_assert_eq(batch(op, 0, XEN_DOMID_SELF, &done), 0);
    cr_assert_refused(hosted_call(v, XEN_HYPERVISOR_mmuext_op, HV_VA, 1, 0, XEN_DOMID_SELF),
                      RULE_GUEST_POINTER, XEN_EFAULT);
}

Test(mmuext, foreign_domains)
{
    struct xen_mmuext_op op = {.cmd = XEN_MMUEXT_TLB_FLUSH_LOCAL};
    uint32_t done;

    cr_assert_refused(batch(&op, 1, 1, &done), RULE_MMU_OWN_DOMID, XEN_ESRCH);
    cr_assert_refused(batch(&op, 1, 2, &done), RULE_DOMAIN_FOREIGN, XEN_EPERM);
    cr_assert_refused(batch(&op, 1, 50, &done), RULE_DOMAIN_UNKNOWN, XEN_ESRCH);
    cr_assert_refused(batch(&op, 1, XEN_DOMID_IO, &done), RULE_DOMAIN_FOREIGN, XEN_EPERM);
}

Test(mmuext, a_resumed_call_can_be_made_up)
{
    /* what a guest may pass by itself: the result it asks for */
    cr_assert_eq(hosted_call(v, XEN_HYPERVISOR_mmuext_op, 0, 0x80000000, 0, (uint32_t)-5), -5);
    cr_assert_eq(hosted_call(v, XEN_HYPERVISOR_mmu_update, 0, 0x80000000, 0, (uint32_t)-5), -5);
    /* a count that cannot be read is none */
    cr_assert_eq(hosted_call(v, XEN_HYPERVISOR_mmuext_op, 1, 0x80000000, HV_VA, XEN_DOMID_SELF), 0);
}

Test(mmuext, roots_for_the_executive)
{
    mfn_t root = hosted_mfn(g, g->l4);

    cr_assert_eq(root_take(v, root), 0);
    cr_assert_eq(frame(g->l4)->type_refs, 3);
    root_drop(g->d, root);
    cr_assert_eq(frame(g->l4)->type_refs, 2);
    cr_assert_refused(root_take(v, hosted_mfn(other, 3)), RULE_BASEPTR_FRAME, XEN_EINVAL);
    cr_assert_refused(root_pin(v, hosted_mfn(g, 3)), RULE_PT_TABLE_WRITABLE, XEN_EINVAL);
    hosted.interrupt_every = 1;
    second_root(20);
    cr_assert_eq(root_pin(v, hosted_mfn(g, 20)), 0);
}
