/* SPDX-License-Identifier: MIT
 *
 * frame_test.c - the allocator, scrubbing, sharing, the flush clock, the audit itself.
 */
#include <criterion/criterion.h>
#include "mm_fixture.h"

TestSuite(frame, .init = mm_setup, .fini = mm_teardown);

Test(frame, blocks_split_and_merge)
{
    uint64_t before = frame_free_count();
    void *page[64];

    for (unsigned order = 0; order < 10; order++) {
        page[order] = frame_hv_alloc(order);
        cr_assert_eq(plat_maddr(page[order]) & ((4096ull << order) - 1), 0);
    }
    cr_assert_eq(frame_free_count(), before - 1023);
    for (unsigned order = 0; order < 10; order++)
        frame_hv_free(page[order], order);
    cr_assert_eq(frame_free_count(), before);
    page[0] = frame_hv_alloc(10); /* all of them are whole again */
    cr_assert_not_null(page[0]);
    frame_hv_free(page[0], 10);
    cr_assert_null(frame_hv_alloc(FRAME_MAX_ORDER + 1));
    cr_assert_null(frame_hv_alloc(FRAME_MAX_ORDER));
}

Test(frame, single_frames_are_kept_hot_and_given_back)
{
    static void *page[600];
    void *last;

    for (unsigned i = 0; i < 600; i++)
        page[i] = frame_hv_alloc(0);
    for (unsigned i = 0; i < 600; i++)
        frame_hv_free(page[i], 0);
    last = frame_hv_alloc(0);
    cr_assert_eq(last, page[599]);
    frame_hv_free(last, 0);
    cr_assert_not_null((last = frame_hv_alloc(9)));
    frame_hv_free(last, 9);
}

Test(frame, anothers_data_is_scrubbed_ones_own_is_not)
{
    mfn_t m, again;
    uint64_t *p;

    cr_assert(frame_domain_alloc(g->d, 0, &m));
    p = plat_map(m);
    cr_assert_eq(p[5], 0);
    p[5] = 0x1234;
    cr_assert(frame_domain_free(g->d, m));
    cr_assert(frame_domain_alloc(g->d, 0, &again));
    cr_assert_eq(again.n, m.n);
    cr_assert_eq(p[5], 0x1234);
    cr_assert(frame_domain_free(g->d, m));
    cr_assert(frame_domain_alloc(other->d, 0, &again));
    cr_assert_eq(again.n, m.n);
    cr_assert_eq(p[5], 0);
    p[5] = 1;
    cr_assert(frame_domain_free(other->d, m));
    cr_assert_eq(((uint64_t *)frame_hv_alloc(0))[5], 0);
    frame_hv_free(p, 0);
}

Test(frame, a_new_owner_costs_a_flush_if_the_old_one_may_be_cached)
{
    unsigned flushes = hosted.flushes;
    mfn_t m;
    void *page;

    frame_domain_free(g->d, hosted_mfn(g, 5));
    cr_assert_eq(update(pte_addr(5), 0), 0); /* its last use */
    cr_assert(frame_domain_alloc(g->d, 0, &m));
    cr_assert_eq(m.n, g->p2m[5]);
    cr_assert_eq(hosted.flushes, flushes);
    frame_domain_free(g->d, m);
    cr_assert(frame_domain_alloc(other->d, 0, &m));
    cr_assert_eq(m.n, g->p2m[5]);
    cr_assert_eq(hosted.flushes, flushes + 1);
    frame_domain_free(other->d, m);
    page = frame_hv_alloc(0);
    cr_assert_eq(hosted.flushes, flushes + 2);
    frame_hv_free(page, 0);
}

Test(frame, limits)
{
    mfn_t m;

    g->d->max_pages = g->d->pages;
    cr_assert_not(frame_domain_alloc(g->d, 0, &m));
    g->d->max_pages = 1ull << 40;
    cr_assert_not(frame_domain_alloc(g->d, FRAME_MAX_ORDER, &m));
    cr_assert_not(frame_domain_alloc(g->d, FRAME_MAX_ORDER + 1, &m));
    cr_assert(frame_domain_alloc(g->d, 3, &m));
    cr_assert_eq(g->d->pages, PAGES + 8);
    for (unsigned i = 0; i < 8; i++)
        cr_assert(frame_domain_free(g->d, mfn_add(m, i)));
    cr_assert_eq(g->d->pages, PAGES);
}

Test(frame, given_up_once_only)
{
    cr_assert(frame_domain_free(g->d, hosted_mfn(g, 5)));
    cr_assert_not(frame_domain_free(g->d, hosted_mfn(g, 5)));
    cr_assert_eq(g->d->pages, PAGES); /* it is mapped still */
}

Test(frame, a_shared_page_outlives_its_giver)
{
    void *page = frame_hv_alloc(0);
    struct frame *f = frame_of(mfn(plat_maddr(page) >> 12));
    uint64_t free = frame_free_count();

    frame_share(page, g->d, true);
    cr_assert_eq(update(pte_addr(5), plat_maddr(page) | PTE_P | PTE_RW), 0);
    cr_assert_eq(f->type_refs, 2);
    /* it can never be anything else */
    cr_assert_refused(mmuext(XEN_MMUEXT_PIN_L1_TABLE, plat_maddr(page) >> 12, 0),
                      RULE_PT_TABLE_WRITABLE, XEN_EINVAL);
    cr_assert_eq(frame_audit(), 0);
    f->flags &= ~FRAME_HV; /* for the audit: it is as if it were the guest's from here on */
    f->flags |= FRAME_HV;
    frame_hv_free(page, 0);
    cr_assert_eq(frame_free_count(), free);
    cr_assert_eq(update(pte_addr(5), 0), 0);
    cr_assert_eq(frame_free_count(), free + 1);
}

Test(frame, references_are_for_the_owner)
{
    struct frame *f = frame(5);

    cr_assert(frame_get(f, 1));
    cr_assert_not(frame_get(f, 2));
    frame_put(f);
    f->refs += FRAME_REFS_MAX;
    cr_assert_not(frame_get(f, 1));
    f->refs -= FRAME_REFS_MAX;
}

Test(frame, memory_added_at_boot)
{
    uint64_t free = frame_free_count();

    frame_add_memory(mfn(hosted_io_frame()), mfn(hosted_io_frame() + 1));
    cr_assert_eq(frame_free_count(), free + 1);
    frame_add_memory(mfn(0), mfn(1)); /* frame 0 never */
    cr_assert_eq(frame_free_count(), free + 1);
}

/* The audit finds what is wrong, or it would be worth nothing. */
Test(frame, the_audit_finds_faults)
{
    struct frame *f = frame(5), saved = *f, *free = frame_table + frame_count - 1;
    struct {
        void *at;
        size_t n;
    } break_here[] = {{&f->refs, 4}, {&f->type_refs, 4}, {&f->owner, 2}};

    for (unsigned i = 0; i < 3; i++) {
        *(uint8_t *)break_here[i].at ^= 2;
        cr_assert_gt(frame_audit(), 0);
        *f = saved;
        cr_assert_eq(frame_audit(), 0);
    }
    f->type = FRAME_L1; /* mapped writable, and a table */
    cr_assert_gt(frame_audit(), 0);
    *f = saved;
    *pte(5) = frame_count << 12 | PTE_P;
    cr_assert_gt(frame_audit(), 0);
    *pte(5) = hosted_entry(g, 5, PTE_P | PTE_RW);
    frame_m2p[frame_count - 1] = 5;
    cr_assert(free->flags & FRAME_FREE);
    cr_assert_gt(frame_audit(), 0);
    frame_m2p[frame_count - 1] = M2P_INVALID;
    g->d->pages++;
    cr_assert_gt(frame_audit(), 0);
    g->d->pages--;
    f = frame(g->l1);
    f->flags &= ~FRAME_VALIDATED;
    cr_assert_gt(frame_audit(), 0);
    f->flags |= FRAME_VALIDATED;
    *pte(6) = (frame_count - 1) << 12 | PTE_P;
    cr_assert_gt(frame_audit(), 0);
    *pte(6) = 1 << 12 | PTE_P;
    cr_assert_gt(frame_audit(), 0);
    *pte(6) = hosted_entry(g, 6, PTE_P | PTE_RW);
    f = frame(g->l1);
    f->type = FRAME_L2;
    cr_assert_gt(frame_audit(), 0);
    f->type = FRAME_L1;
    free->owner = 1;
    cr_assert_gt(frame_audit(), 0);
    free->owner = DOMID_FREE | DOMID_NONE;
}
