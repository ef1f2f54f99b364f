/* SPDX-License-Identifier: MIT */
/*
 * mmu: page tables as the ABI has them. This file: the table of tests, and mmu_update on entries
 * of a live L1 table.
 */
#include "mmu.h"

void mmu_update_basic(void)
{
    uint8_t *a = rt_page(), *b = rt_page();

    a[7] = 0xaa;
    b[7] = 0xbb;
    T_OK(t_absent(t_win(0)));
    T_EQ(rt_mmu_update(t_ptr(0), t_pte(a, PTE_RW)), 0);
    T_EQ(*(volatile uint8_t *)(t_win(0) + 7), 0xaa);
    T_OK(!t_readonly(t_win(0)));
    T_EQ(rt_mmu_update(t_ptr(0), t_pte(b, PTE_RO)), 0);
    t_flush();
    T_EQ(*(volatile uint8_t *)(t_win(0) + 7), 0xbb);
    T_OK(t_readonly(t_win(0)));
    T_EQ(rt_seen.error, 3); /* present, write; a kernel access is no user access */
    T_EQ(rt_mmu_update(t_ptr(0), 0), 0);
    t_flush();
    T_OK(t_absent(t_win(0)));
    T_EQ(rt_seen.error, 0);
    /* A value without the present bit is the guest's own to choose, outside of L1TF's reach. */
    T_EQ(rt_mmu_update(t_ptr(0), 0), 0);
    T_EQ(t_l1[0], 0);
    rt_page_free(a);
    rt_page_free(b);
}

void mmu_update_codes(void)
{
    uint8_t *page = rt_page();
    struct xen_mmu_update u = {.ptr = t_ptr(0), .val = 0};
    uint32_t done = 77;

    for (unsigned cmd = 4; cmd < 8; cmd++)
        T_EQ(rt_mmu_update(t_ptr(0) | cmd, 0), -XEN_ENOSYS);
    T_EQ(rt_mmu_update(t_ptr(0) | XEN_MMU_PT_UPDATE_NO_TRANSLATE, 0), 0);
    T_EQ(rt_mmu_update(1ul << 50, 0), -XEN_EINVAL);
    T_EQ(rt_mmu_update(~7ul, 0), -XEN_EINVAL);
    T_EQ(rt_call4(HC(mmu_update), (uint64_t)&u, 1, 0, 0x1234), -XEN_ESRCH);
    T_EQ(rt_call4(HC(mmu_update), (uint64_t)&u, 1, 0, XEN_DOMID_IO), 0);
    int64_t ret = rt_call4(HC(mmu_update), (uint64_t)&u, 1, 0, XEN_DOMID_XEN);
    T_EQ(ret, t_privileged() ? 0 : -XEN_EPERM);
    T_EQ(rt_call4(HC(mmu_update), (uint64_t)&u, 1, 0, XEN_DOMID_COW), -XEN_ESRCH);
    T_EQ(rt_call4(HC(mmu_update), (uint64_t)&u, 1, 0, XEN_DOMID_INVALID), -XEN_ESRCH);
    T_EQ(rt_call4(HC(mmu_update), (uint64_t)&u, 0, (uint64_t)&done, XEN_DOMID_SELF), 0);
    T_EQ(done, 0);
    T_EQ(rt_call4(HC(mmu_update), (uint64_t)&u, 1, 0xffff800000000000, XEN_DOMID_SELF), 0);
    T_EQ(rt_call4(HC(mmu_update), 0, 0, 0, XEN_DOMID_SELF), 0);
    /* Where the "entry" is ordinary memory, it is stored like ordinary memory. */
    T_EQ(rt_mmu_update(rt_maddr(page + 16), 0x123456789), 0);
    T_EQ(*(uint64_t *)(page + 16), 0x123456789);
    T_EQ(rt_mmu_update(rt_maddr(page + 16), ~0ul), 0);
    T_EQ(*(uint64_t *)(page + 16), ~0ul);
    rt_page_free(page);
}

/* A batch stops at its first bad entry and says how many were done. */
void mmu_update_done(void)
{
    uint8_t *page = rt_page();
    struct xen_mmu_update u[4];
    uint32_t done = 99;

    for (unsigned i = 0; i < 4; i++)
        u[i] = (struct xen_mmu_update){.ptr = t_ptr(i), .val = t_pte(page, PTE_RW)};
    u[2].val = 1ul << 51 | PTE_RW;
    int64_t ret = rt_call4(HC(mmu_update), (uint64_t)u, 4, (uint64_t)&done, XEN_DOMID_SELF);
    T_EQ(ret, -XEN_EPERM); /* no RAM there: taken for a device's frame, which is not ours */
    T_EQ(done, 2);
    T_OK(t_l1[0] && t_l1[1] && !t_l1[2] && !t_l1[3]);
    /* The table of updates itself ends in nothing: done counts what was read. */
    T_EQ(rt_va_map(t_win(8), t_pte(page, PTE_RW), XEN_UVMF_INVLPG), 0);
    struct xen_mmu_update *edge = (struct xen_mmu_update *)(t_win(9) - 2 * sizeof(*edge));
    edge[0] = (struct xen_mmu_update){.ptr = t_ptr(0), .val = 0};
    edge[1] = (struct xen_mmu_update){.ptr = t_ptr(1), .val = 0};
    done = 99;
    ret = rt_call4(HC(mmu_update), (uint64_t)edge, 3, (uint64_t)&done, XEN_DOMID_SELF);
    T_EQ(ret, -XEN_EFAULT);
    T_EQ(done, 2);
    T_OK(!t_l1[0] && !t_l1[1]);
    T_EQ(rt_va_map(t_win(8), 0, XEN_UVMF_INVLPG), 0);
    rt_page_free(page);
}

void mmu_update_preserve(void)
{
    uint8_t *page = rt_page();
    uint64_t plain = PTE_P | PTE_W | PTE_U;

    T_EQ(rt_mmu_update(t_ptr(0), t_pte(page, plain)), 0);
    *(volatile uint8_t *)t_win(0) = 1;
    T_EQ(t_l1[0] & (PTE_A | PTE_D), PTE_A | PTE_D);
    T_EQ(rt_mmu_update(t_ptr(0) | XEN_MMU_PT_UPDATE_PRESERVE_AD, t_pte(page, PTE_P | PTE_U)), 0);
    T_EQ(t_l1[0] & (PTE_A | PTE_D | PTE_W), PTE_A | PTE_D);
    T_EQ(rt_mmu_update(t_ptr(0), t_pte(page, PTE_P | PTE_U)), 0);
    T_EQ(t_l1[0] & (PTE_A | PTE_D | PTE_W), 0);
    T_EQ(rt_mmu_update(t_ptr(0), 0), 0);
    t_flush();
    rt_page_free(page);
}

void mmu_entry_flags(void)
{
    uint8_t *page = rt_page();

    /* What a guest may set: A, D, NX, the three ignored bits 9..11. */
    T_EQ(rt_mmu_update(t_ptr(0), t_pte(page, PTE_RW | PTE_NX)), 0);
    T_OK(t_l1[0] & PTE_NX);
    T_EQ(RT_TRY("jmp *%0", ::"r"(t_win(0)) : "memory"), 14);
    T_EQ(rt_seen.error & 0x11, 0x11); /* an instruction fetch from a present page */
    T_EQ(rt_mmu_update(t_ptr(0), t_pte(page, PTE_RW | 0xe00)), 0);
    T_EQ(t_l1[0] & 0xe00, 0xe00);
    int64_t want = t_privileged() ? 0 : -XEN_EINVAL; /* caching is for those with devices */
    T_EQ(rt_mmu_update(t_ptr(0), t_pte(page, PTE_RW | PTE_PWT)), want);
    T_EQ(rt_mmu_update(t_ptr(0), t_pte(page, PTE_RW | PTE_PCD)), want);
    /* A kernel page gets the user bit all the same: ring 3 runs the kernel. */
    T_EQ(rt_mmu_update(t_ptr(0), t_pte(page, PTE_P | PTE_W)), 0);
    T_OK(t_l1[0] & PTE_U);
    T_EQ(rt_mmu_update(t_ptr(0), 0), 0);
    t_flush();
    rt_page_free(page);
}

void mmu_machphys(void)
{
    uint8_t *page = rt_page();
    uint64_t frame = rt_mfn(page), pfn_was = RT_M2P[frame];

    T_EQ(pfn_was, rt_pfn(page));
    T_EQ(rt_mmu_update(frame << 12 | XEN_MMU_MACHPHYS_UPDATE, 0x5555), 0);
    T_EQ(RT_M2P[frame], 0x5555);
    T_EQ(rt_mmu_update(frame << 12 | XEN_MMU_MACHPHYS_UPDATE, pfn_was), 0);
    T_EQ(rt_mmu_update(1ul << 50 | XEN_MMU_MACHPHYS_UPDATE, 0), -XEN_EINVAL);
    T_EQ(RT_TRY("movq $0, (%0)", ::"r"(&RT_M2P[frame]) : "memory"), 14); /* ours to read only */
    T_EQ(rt_seen.error & 3, 3);
    rt_page_free(page);
}

/* A frame given back is nobody's: it can be neither mapped nor used as a table. */
void mmu_unowned(void)
{
    uint8_t *page = rt_page();
    uint64_t frame = rt_mfn(page);
    struct xen_memory_reservation r = {
        .extent_start = G(&frame), .nr_extents = 1, .domid = XEN_DOMID_SELF};

    T_EQ(rt_va_map((uint64_t)page, 0, XEN_UVMF_INVLPG), 0);
    T_EQ(rt_memory(XENMEM_decrease_reservation, &r), 1);
    T_EQ(rt_mmu_update(t_ptr(0), frame << 12 | PTE_RW), -XEN_EBUSY);
    T_EQ(rt_mmu_update(t_ptr(0), frame << 12 | PTE_RO), -XEN_EBUSY);
    T_EQ(rt_va_map(t_win(0), frame << 12 | PTE_RW, 0), -XEN_EBUSY);
    T_EQ(rt_mmu_update(frame << 12, 0), -XEN_EINVAL);
    T_EQ(rt_mmuext(XEN_MMUEXT_PIN_L1_TABLE, frame, 0), -XEN_EINVAL);
    T_EQ(rt_mmuext(XEN_MMUEXT_NEW_BASEPTR, frame, 0), -XEN_EINVAL);
    T_EQ(rt_mmuext(XEN_MMUEXT_CLEAR_PAGE, frame, 0), -XEN_EINVAL);
    T_EQ(rt_mmu_update(frame << 12 | XEN_MMU_MACHPHYS_UPDATE, 0), -XEN_EINVAL);
    T_EQ(rt_memory(XENMEM_decrease_reservation, &r), 0);
    frame = rt_pfn(page);
    T_EQ(rt_memory(XENMEM_populate_physmap, &r), 1);
    rt_p2m[rt_pfn(page)] = frame;
    rt_make_rw(page);
    rt_page_free(page);
}

static const struct test tests[] = {
    {"update-basic", mmu_update_basic},
    {"update-codes", mmu_update_codes},
    {"update-done", mmu_update_done},
    {"update-preserve-ad", mmu_update_preserve},
    {"entry-flags", mmu_entry_flags},
    {"machphys", mmu_machphys},
    {"unowned-frame", mmu_unowned},
    {"pin-codes", mmu_pin_codes},
    {"pin-garbage", mmu_pin_garbage},
    {"pin-then-use", mmu_pin_then_use},
    {"l1-never-writable", mmu_l1_writable},
    {"recursive-l4", mmu_recursive_l4},
    {"linear-l2", mmu_linear_l2},
    {"hypervisor-slots", mmu_hypervisor_slots},
    {"retype-while-mapped", mmu_retype_mapped},
    {"two-levels", mmu_two_levels},
    {"shared-tables", mmu_shared_tables},
    {"superpage", mmu_superpage},
    {"unpin-in-use", mmu_unpin_in_use},
    {"baseptr-codes", mmu_baseptr_codes},
    {"switch-spaces", mmu_switch_spaces},
    {"fuzz-types", mmu_fuzz_types},
    {"ext-codes", mmu_ext_codes},
    {"ext-pages", mmu_ext_pages},
    {"ext-ldt", mmu_ext_ldt},
    {"ext-flushes", mmu_ext_flushes},
    {"stale-translation-of-a-table", mmu_stale_type},
    {"direct-forms", mmu_direct_forms},
    {"direct-refused", mmu_direct_refused},
    {"direct-upper-levels", mmu_direct_l2},
    {"direct-not-a-table", mmu_direct_not_table},
    {"long-batch", mmu_long_batch},
    {"long-multicall", mmu_long_multicall},
    {"long-pin", mmu_long_pin},
    {"memory-maps", mmu_memory_maps},
    {"memory-reservation", mmu_memory_reservation},
    {"memory-exchange", mmu_memory_exchange},
    {"memory-codes", mmu_memory_codes},
};

void rt_image_main(void)
{
    t_window();
    rt_vcpu(XEN_VCPUOP_stop_periodic_timer, 0, NULL);
    rt_events_on();
    RUN_TESTS("mmu", tests);
}
