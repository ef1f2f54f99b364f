/* SPDX-License-Identifier: MIT */
/*
 * What the sources of the mmu image share: spare tables and short names for single operations.
 */
#ifndef TESTS_GUESTS_MMU_H
#define TESTS_GUESTS_MMU_H

#include "t.h"

#define HC(n) XEN_HYPERVISOR_##n

/* What Xen 4.17 answers to the random operations of mmu_fuzz_types, summed up. */
#define MMU_FUZZ_SUM 0x252edaa37f3d601b

/* A page of the pool whose direct mapping is read-only, filled by fill(page) before that. */
static inline uint64_t *ro_page(void)
{
    uint64_t *p = rt_page();
    rt_make_ro(p);
    return p;
}
static inline void give_back(void *page)
{
    rt_make_rw(page);
    rt_page_free(page);
}
static inline int64_t pin(unsigned level, const void *page)
{
    return rt_mmuext(XEN_MMUEXT_PIN_L1_TABLE + level - 1, rt_mfn(page), 0);
}
static inline int64_t unpin(const void *page)
{
    return rt_mmuext(XEN_MMUEXT_UNPIN_TABLE, rt_mfn(page), 0);
}
/* Stores val in a table's entry through the hypervisor. */
static inline int64_t store(const volatile uint64_t *entry, uint64_t val)
{
    return rt_mmu_update(rt_maddr((const void *)entry), val);
}
static inline uint64_t table_pte(const void *table)
{
    return rt_mfn(table) << 12 | PTE_RW;
}

void mmu_update_basic(void), mmu_update_codes(void), mmu_update_done(void),
    mmu_update_preserve(void), mmu_entry_flags(void), mmu_machphys(void), mmu_unowned(void);
void mmu_pin_codes(void), mmu_l1_writable(void), mmu_recursive_l4(void), mmu_linear_l2(void),
    mmu_hypervisor_slots(void), mmu_retype_mapped(void), mmu_two_levels(void),
    mmu_shared_tables(void), mmu_pin_garbage(void), mmu_baseptr_codes(void), mmu_unpin_in_use(void),
    mmu_switch_spaces(void), mmu_fuzz_types(void), mmu_pin_then_use(void), mmu_superpage(void);
void mmu_ext_codes(void), mmu_ext_pages(void), mmu_ext_ldt(void), mmu_ext_flushes(void),
    mmu_stale_type(void);
void mmu_direct_forms(void), mmu_direct_refused(void), mmu_direct_l2(void),
    mmu_direct_not_table(void);
void mmu_long_batch(void), mmu_long_multicall(void), mmu_long_pin(void);
void mmu_memory_maps(void), mmu_memory_reservation(void), mmu_memory_exchange(void),
    mmu_memory_codes(void);

#endif
