/* SPDX-License-Identifier: MIT
 *
 * pagetable_test.c - validation of whole tables, linear tables, and work that stops half way.
 */
#include <criterion/criterion.h>
#include "mm_fixture.h"

TestSuite(pagetable, .init = mm_setup, .fini = mm_teardown);

/* Page pfn becomes an empty page that nothing maps writable. */
static uint64_t *empty(uint64_t pfn)
{
    make_readonly(pfn);
    return memset(hosted_page(g, pfn), 0, PV_PAGE_SIZE);
}

static long pin(uint64_t pfn, unsigned level)
{
    return mmuext(XEN_MMUEXT_PIN_L1_TABLE + level - 1, g->p2m[pfn], 0);
}

static long unpin(uint64_t pfn)
{
    return mmuext(XEN_MMUEXT_UNPIN_TABLE, g->p2m[pfn], 0);
}

enum { T4 = 20, T3, T2, T1, T1B, U4, U3, SPARE };

/* A tree T4 > T3 > T2 > T1, T1B; T1 maps page 2 writable and page 3 not. */
static void tree(void)
{
    uint64_t upper = PTE_P | PTE_RW | PTE_US;

    empty(T4)[1] = hosted_entry(g, T3, upper);
    empty(T3)[511] = hosted_entry(g, T2, upper);
    empty(T2)[0] = hosted_entry(g, T1, upper);
    ((uint64_t *)hosted_page(g, T2))[100] = hosted_entry(g, T1B, upper);
    empty(T1)[0] = hosted_entry(g, 2, PTE_P | PTE_RW);
    ((uint64_t *)hosted_page(g, T1))[511] = hosted_entry(g, 3, PTE_P | PTE_G);
    empty(T1B)[7] = hosted_entry(g, 2, PTE_P);
    ((uint64_t *)hosted_page(g, T1B))[8] = 0xdead0; /* not present: anything goes */
}

Test(pagetable, a_tree_is_validated_and_adjusted)
{
    tree();
    cr_assert_eq(pin(T4, 4), 0);
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(frame(T4 + i)->type, FRAME_L4 - i);
        cr_assert_eq(frame(T4 + i)->flags & FRAME_VALIDATED, FRAME_VALIDATED);
    }
    cr_assert_eq(frame(2)->refs, 4);
    cr_assert_eq(frame(2)->type_refs, 2);
    cr_assert_eq(((uint64_t *)hosted_page(g, T4))[1] & (PTE_A | PTE_US), PTE_A | PTE_US);
    cr_assert_eq(((uint64_t *)hosted_page(g, T1))[0],
                 hosted_entry(g, 2, PTE_P | PTE_RW | PTE_US | PTE_KERNEL));
    cr_assert_eq(((uint64_t *)hosted_page(g, T1))[511],
                 hosted_entry(g, 3, PTE_P | PTE_US | PTE_KERNEL));
    cr_assert_refused(pin(T4, 4), RULE_PIN_TWICE, XEN_EINVAL);
    cr_assert_refused(update(pte_addr(T3), hosted_entry(g, T3, PTE_P | PTE_RW)),
                      RULE_PT_WRITABLE_TABLE, XEN_EBUSY);
    cr_assert_eq(unpin(T4), 0);
    cr_assert_eq(frame(T1)->type_refs, 0);
    cr_assert_eq(frame(2)->refs, 2);
    cr_assert_eq(update(pte_addr(T3), hosted_entry(g, T3, PTE_P | PTE_RW)), 0);
}

Test(pagetable, each_level_can_be_pinned_alone)
{
    tree();
    for (unsigned level = 1; level <= 4; level++)
        cr_assert_eq(pin(T4 + 4 - level, level), 0);
    cr_assert_eq(frame(T1)->type_refs, 2);
    cr_assert_refused(pin(T3, 2), RULE_PT_TABLE_TYPE, XEN_EINVAL);
    for (unsigned level = 4; level >= 1; level--)
        cr_assert_eq(unpin(T4 + 4 - level), 0);
}

Test(pagetable, long_work_stops_and_resumes)
{
    tree();
    for (unsigned every = 1; every < 6; every++) {
        hosted.interrupt_every = every;
        cr_assert_eq(pin(T4, 4), 0);
        cr_assert_eq(frame(T1B)->type, FRAME_L1);
        cr_assert_eq(unpin(T4), 0);
        cr_assert_eq(g->d->zaps, 0);
        cr_assert_eq(frame(T1B)->type_refs, 0);
        cr_assert_eq(frame(T2)->type_refs, 0);
    }
}

/* One hypercall that is not made again although it asks for it. */
static bool abandon(uint32_t cmd, uint64_t pfn)
{
    struct xen_mmuext_op op = {.cmd = cmd, .arg1.mfn = g->p2m[pfn]};
    uint64_t arg[6] = {hosted_va(ARGS), 1, 0, XEN_DOMID_SELF}, rip = v->regs.rip;

    memcpy(args(), &op, sizeof(op));
    hosted.interrupt_every = 1;
    hc_call(v, XEN_HYPERVISOR_mmuext_op, arg);
    hosted.interrupt_every = 0;
    rip -= v->regs.rip;
    v->regs.rip += rip;
    return rip == 2;
}

Test(pagetable, abandoned_work_is_taken_over)
{
    tree();
    cr_assert(abandon(XEN_MMUEXT_PIN_L4_TABLE, T4));
    cr_assert_eq(frame(T2)->flags & (FRAME_PARTIAL | FRAME_ORPHAN), FRAME_PARTIAL | FRAME_ORPHAN);
    cr_assert_eq(frame_audit(), 0);
    /* no one may make it something else, or refer to it as half a table */
    cr_assert_refused(update(pte_addr(T2), hosted_entry(g, T2, PTE_P | PTE_RW)),
                      RULE_PT_WRITABLE_TABLE, XEN_EBUSY);
    cr_assert_refused(pin(T2, 3), RULE_PT_TABLE_TYPE, XEN_EINVAL);
    empty(SPARE)[3] = hosted_entry(g, T2, PTE_P);
    cr_assert_refused(pin(SPARE, 2), RULE_PT_LINEAR_UNFINISHED, XEN_EINVAL);
    /* a resumed pin of a part, then of all */
    cr_assert_eq(pin(T2, 2), 0);
    cr_assert_eq(pin(T4, 4), 0);
    cr_assert_eq(frame(T2)->type_refs, 2);
    cr_assert_eq(unpin(T2), 0);
    cr_assert(abandon(XEN_MMUEXT_UNPIN_TABLE, T4));
    cr_assert_gt(g->d->zaps, 0);
    cr_assert_eq(frame_audit(), 0);
    cr_assert_eq(mmuext(XEN_MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
    cr_assert_eq(g->d->zaps, 0);
    cr_assert_eq(frame(T1)->type_refs, 0);
}

Test(pagetable, an_end_that_is_taken_back)
{
    uint64_t arg[6] = {hosted_mfn(g, g->l2).n << 12};

    (void)arg;
    tree();
    cr_assert_eq(pin(T4, 4), 0);
    cr_assert(abandon(XEN_MMUEXT_UNPIN_TABLE, T4));
    /* while the end of T2 waits, a resumed call meets more interrupts than work */
    hosted.interrupt_every = 1;
    cr_assert_eq(pin(T2, 2), 0);
    hosted.interrupt_every = 0;
    cr_assert_eq(unpin(T2), 0);
}

Test(pagetable, a_bad_entry_undoes_what_came_before)
{
    tree();
    ((uint64_t *)hosted_page(g, T1B))[9] = hosted_entry(other, 2, PTE_P);
    for (unsigned every = 0; every < 4; every++) {
        hosted.interrupt_every = every;
        cr_assert_refused(pin(T4, 4), RULE_PT_FRAME_OWNER, XEN_EBUSY);
        cr_assert_eq(last()->va, (g->p2m[T1B] << 12) + 72);
        cr_assert_eq(frame(T1)->type_refs, 0);
        cr_assert_eq(frame(2)->refs, 2);
    }
}

Test(pagetable, a_table_must_not_be_writable)
{
    cr_assert_refused(pin(5, 1), RULE_PT_TABLE_WRITABLE, XEN_EINVAL);
    cr_assert_eq(last()->type_refs, 1);
    /* not even by itself */
    empty(T1)[0] = hosted_entry(g, T1, PTE_P | PTE_RW);
    cr_assert_refused(pin(T1, 1), RULE_PT_WRITABLE_TABLE, XEN_EBUSY);
}

Test(pagetable, entries_of_upper_levels)
{
    uint64_t *t = empty(T2);
    struct {
        uint64_t e;
        enum rule rule;
    } bad[] = {
        {hosted_entry(g, T1, PTE_P | PTE_PS), RULE_PT_SUPERPAGE},
        {hosted_entry(g, T1, PTE_P | PTE_G), RULE_PT_FLAGS},
        {hosted_entry(g, T1, PTE_P | PTE_PCD), RULE_PT_FLAGS},
        {hosted_entry(other, T1, PTE_P), RULE_PT_TABLE_OWNER},
        {frame_count << 12 | PTE_P, RULE_PT_TABLE_OWNER},
        {PTE_FRAME | PTE_P, RULE_PT_TABLE_OWNER},
        {hosted_entry(g, 5, PTE_P), RULE_PT_TABLE_WRITABLE},
        {hosted_entry(g, g->l3, PTE_P), RULE_PT_TABLE_TYPE},
    };

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        t[3] = bad[i].e;
        cr_assert_refused(pin(T2, 2), bad[i].rule, XEN_EINVAL);
        cr_assert_eq(last()->new_entry, bad[i].e);
        cr_assert_eq(last()->va, (g->p2m[T2] << 12) + 24);
        cr_assert_refused(update(hosted_mfn(g, g->l2).n << 12 | 8, bad[i].e), bad[i].rule,
                          XEN_EINVAL);
    }
    empty(T4)[1] = hosted_entry(g, T3, PTE_P | PTE_PS);
    cr_assert_refused(pin(T4, 4), RULE_PT_FLAGS, XEN_EINVAL);
}

Test(pagetable, references_have_an_end)
{
    tree();
    frame(T2)->refs += FRAME_REFS_MAX;
    cr_assert_refused(pin(T2, 2), RULE_PT_REFS, XEN_EINVAL);
    frame(T2)->refs -= FRAME_REFS_MAX;
}

Test(pagetable, the_hypervisors_slots)
{
    uint64_t *t = empty(T4);

    t[256] = t[271] = hosted_entry(other, 1, PTE_P); /* never looked at */
    cr_assert_eq(pin(T4, 4), 0);
    cr_assert_eq(t[256], 0);
    for (unsigned slot = 256; slot <= 271; slot += 15)
        cr_assert_refused(update(g->p2m[T4] << 12 | slot << 3, 0), RULE_PT_HV_SLOT, XEN_EINVAL);
    cr_assert_eq(update(g->p2m[T4] << 12 | 272 << 3, 0), 0);
    cr_assert_eq(unpin(T4), 0);
}

Test(pagetable, linear_tables)
{
    uint64_t l4 = g->p2m[T4] << 12, u4 = g->p2m[U4] << 12;

    empty(T4)[300] = hosted_entry(g, T4, PTE_P); /* itself: no references */
    cr_assert_eq(pin(T4, 4), 0);
    cr_assert_eq(frame(T4)->type_refs, 1);
    cr_assert_refused(update(l4 | 301 << 3, hosted_entry(g, T4, PTE_P | PTE_RW)),
                      RULE_PT_LINEAR_WRITABLE, XEN_EINVAL);
    /* another's: it must be validated, and neither may have other relations */
    empty(U4);
    cr_assert_eq(pin(U4, 4), 0);
    cr_assert_eq(update(u4 | 300 << 3, hosted_entry(g, T4, PTE_P)), 0);
    cr_assert_eq(frame(T4)->type_refs, 2);
    cr_assert_refused(update(l4 | 301 << 3, hosted_entry(g, U4, PTE_P)), RULE_PT_LINEAR_NESTED,
                      XEN_EINVAL);
    frame(T4)->refs += FRAME_REFS_MAX;
    cr_assert_refused(update(u4 | 301 << 3, hosted_entry(g, T4, PTE_P)), RULE_PT_REFS, XEN_EINVAL);
    frame(T4)->refs -= FRAME_REFS_MAX;
    cr_assert_eq(frame_audit(), 0);
    /* the use outlives the pin */
    cr_assert_eq(unpin(T4), 0);
    cr_assert_eq(frame(T4)->type_refs, 1);
    cr_assert_eq(unpin(U4), 0);
    cr_assert_eq(frame(T4)->type_refs, 0);
}

Test(pagetable, a_replaced_subtree_ends)
{
    tree();
    cr_assert_eq(pin(T4, 4), 0);
    hosted.interrupt_every = 1;
    cr_assert_eq(update(g->p2m[T4] << 12 | 8, 0), 0);
    hosted.interrupt_every = 0;
    cr_assert_eq(frame(T1)->type_refs, 0);
    cr_assert_eq(unpin(T4), 0);
}

Test(pagetable, a_batch_goes_on_after_the_end_of_a_subtree)
{
    struct xen_mmu_update req[3];
    uint32_t done;

    tree();
    cr_assert_eq(pin(T4, 4), 0);
    req[0] = (struct xen_mmu_update){g->p2m[T4] << 12 | 8, 0};
    req[1] = (struct xen_mmu_update){pte_addr(5), 0};
    req[2] = (struct xen_mmu_update){pte_addr(6), 0};
    hosted.interrupt_every = 1;
    cr_assert_eq(update_n(req, 3, &done, XEN_DOMID_SELF), 0);
    cr_assert_eq(done, 3);
    hosted.interrupt_every = 0;
    cr_assert_eq(*pte(6), 0);
    cr_assert_eq(unpin(T4), 0);
}

Test(pagetable, a_retyped_page_is_flushed_if_it_may_be_cached)
{
    unsigned flushes;

    cr_assert(hosted_touch(hosted_va(T1), true));
    make_readonly(T1); /* without a flush */
    memset(hosted_page(g, T1), 0, PV_PAGE_SIZE);
    flushes = hosted.flushes;
    cr_assert_eq(pin(T1, 1), 0);
    cr_assert_eq(hosted.flushes, flushes + 1);
    cr_assert_eq(unpin(T1), 0);
    /* the same type again needs none */
    cr_assert_eq(pin(T1, 1), 0);
    cr_assert_eq(hosted.flushes, flushes + 1);
    cr_assert_eq(unpin(T1), 0);
}

Test(pagetable, walks_read_any_level)
{
    cr_assert_eq(l1_read(v, hosted_va(3)), *pte(3));
    cr_assert_eq(l1_read(v, 0), 0);
    cr_assert_eq(l1_read(v, HOSTED_BASE + (PT_ENTRIES - 1) * 4096ull), 0);
    cr_assert_eq(l1_missing(v, 0), 3);
    cr_assert_eq(l1_missing(v, hosted_va(3)), 0);
}

Test(pagetable, a_domain_without_vcpu_is_refused_by_name)
{
    struct pt c = {.d = g->d, .owner = 1};

    cr_assert_eq(table_get(&c, frame(5), 2), -XEN_EINVAL);
    cr_assert_eq(last()->rule, RULE_PT_TABLE_WRITABLE);
}
