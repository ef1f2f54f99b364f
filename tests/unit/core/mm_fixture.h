/* SPDX-License-Identifier: MIT
 *
 * mm_fixture.h - what the unit tests of the memory side begin with: two guests of 64
 * pages; the first one runs. After each test all counts are audited.
 */
#ifndef MM_FIXTURE_H
#define MM_FIXTURE_H

#include <stdlib.h>
#include <string.h>
#include <pv/abi/errno.h>
#include <pv/abi/memory.h>
#include <pv/abi/grant_table.h>
#include "tests/support/hosted.h"

#define HV_VA 0xffff820000000000ull /* an address of the hypervisor's */

enum { PAGES = 64, ARGS = 0 /* pfn of the page that arguments lie in */ };

static struct hosted_guest *g, *other;
static struct vcpu *v;

static void mm_setup(void)
{
    hosted_init(4096);
    hosted.quiet = true;
    g = hosted_guest(1, PAGES, 2);
    other = hosted_guest(2, PAGES, 1);
    v = g->v;
    hosted_run(v);
}

static void mm_teardown(void)
{
    hosted.quiet = false;
    if (frame_audit() || hosted_tlb_check())
        abort(); /* Criterion does not count what an assertion says here */
    hosted_exit();
}

/* The entry that maps pfn, and its machine address. */
static inline uint64_t *pte(uint64_t pfn)
{
    return (uint64_t *)hosted_page(g, g->l1 + pfn / PT_ENTRIES) + pfn % PT_ENTRIES;
}

static inline uint64_t pte_addr(uint64_t pfn)
{
    return plat_maddr(pte(pfn));
}

static inline struct frame *frame(uint64_t pfn)
{
    return frame_of(hosted_mfn(g, pfn));
}

/* Arguments in the guest's own memory. */
static inline void *args(void)
{
    return hosted_page(g, ARGS);
}

static inline long update_n(const struct xen_mmu_update *req, uint32_t n, uint32_t *done,
                            uint32_t foreign)
{
    uint32_t *count = (uint32_t *)((uint8_t *)args() + 4088);
    long rc;

    memcpy(args(), req, n * sizeof(*req));
    *count = 0xdead;
    rc = hosted_call(v, XEN_HYPERVISOR_mmu_update, hosted_va(ARGS), n, hosted_va(ARGS) + 4088,
                     foreign);
    if (done)
        *done = *count;
    return rc;
}

static inline long update(uint64_t ptr, uint64_t val)
{
    struct xen_mmu_update req = {ptr, val};

    return update_n(&req, 1, NULL, XEN_DOMID_SELF);
}

static inline long mmuext(uint32_t cmd, uint64_t arg1, uint64_t arg2)
{
    struct xen_mmuext_op op = {.cmd = cmd, .arg1.mfn = arg1, .arg2.src_mfn = arg2};

    memcpy(args(), &op, sizeof(op));
    return hosted_call(v, XEN_HYPERVISOR_mmuext_op, hosted_va(ARGS), 1, 0, XEN_DOMID_SELF);
}

/* The page becomes read-only for the guest, so that it can be a table. */
static inline void make_readonly(uint64_t pfn)
{
    cr_assert_eq(update(pte_addr(pfn), hosted_entry(g, pfn, PTE_P)), 0);
}

/* The last refusal was by this rule, with this error; its facts. */
static inline const struct reason *last(void)
{
    const struct reason_ring *r = &g->d->reasons;

    return &r->entry[(r->count - 1) % REASON_RING];
}

#define cr_assert_refused(call, rule_, err_)                                      \
    do {                                                                          \
        uint64_t before_ = reason_counts[rule_];                                  \
        long rc_ = (call);                                                        \
        cr_assert_eq(rc_, -(err_), "%s gave %ld", #call, rc_);                    \
        cr_assert_eq(reason_counts[rule_], before_ + 1, "%s: rule was %s", #call, \
                     rule_name(last()->rule));                                    \
    } while (0)

#endif
