/* SPDX-License-Identifier: MIT
 *
 * mmu_test.c - mmu_update and update_va_mapping: what they do, and every refusal.
 */
#include <criterion/criterion.h>
#include "mm_fixture.h"

TestSuite(mmu, .init = mm_setup, .fini = mm_teardown);

Test(mmu, maps_and_unmaps)
{
    uint64_t va = hosted_va(3), e = hosted_entry(g, 4, PTE_P | PTE_RW);

    cr_assert_eq(update(pte_addr(3), e), 0);
    cr_assert_eq(*pte(3), e | PTE_US | PTE_KERNEL);
    cr_assert_eq(frame_of(hosted_mfn(g, 4))->refs, 3);
    cr_assert_eq(frame_of(hosted_mfn(g, 3))->refs, 1);
    cr_assert_eq(hosted_call(v, XEN_HYPERVISOR_update_va_mapping, va, 0, XEN_UVMF_INVLPG, 0), 0);
    cr_assert_eq(*pte(3), 0);
    cr_assert_eq(frame_of(hosted_mfn(g, 4))->refs, 2);
    cr_assert_not(hosted_touch(va, false));
}
