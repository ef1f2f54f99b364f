/* SPDX-License-Identifier: MIT */
/*
 * mmu: mmuext_op, direct writes to page tables, and memory_op.
 */
#include "mmu.h"

void mmu_ext_codes(void)
{
    struct xen_mmuext_op op[3];
    uint32_t done = 99;

    T_EQ(rt_mmuext(99, 0, 0), -XEN_ENOSYS);
    T_EQ(rt_mmuext(14, 0, 0), -XEN_ENOSYS);
    T_EQ(rt_mmuext(XEN_MMUEXT_MARK_SUPER, rt_mfn(rt_l4), 0), -XEN_EOPNOTSUPP);
    T_EQ(rt_mmuext(XEN_MMUEXT_UNMARK_SUPER, rt_mfn(rt_l4), 0), -XEN_EOPNOTSUPP);
    memset(op, 0, sizeof(op));
    op[0].cmd = XEN_MMUEXT_TLB_FLUSH_LOCAL;
    op[1].cmd = 99;
    op[2].cmd = XEN_MMUEXT_TLB_FLUSH_LOCAL;
    T_EQ(rt_call4(HC(mmuext_op), (uint64_t)op, 3, (uint64_t)&done, XEN_DOMID_SELF), -XEN_ENOSYS);
    T_EQ(done, 1);
    op[1].cmd = XEN_MMUEXT_INVLPG_LOCAL;
    T_EQ(rt_call4(HC(mmuext_op), (uint64_t)op, 3, (uint64_t)&done, XEN_DOMID_SELF), 0);
    T_EQ(done, 3);
    T_EQ(rt_call4(HC(mmuext_op), (uint64_t)op, 0, (uint64_t)&done, XEN_DOMID_SELF), 0);
    T_EQ(done, 0);
    T_EQ(rt_call4(HC(mmuext_op), (uint64_t)op, 1, 0, 0x1234), -XEN_ESRCH);
}

void mmu_ext_pages(void)
{
    uint8_t *a = rt_page(), *b = rt_page();

    memset(a, 0x5a, PAGE);
    T_EQ(rt_mmuext(XEN_MMUEXT_COPY_PAGE, rt_mfn(b), rt_mfn(a)), 0);
    T_OK(!memcmp(a, b, PAGE));
    T_EQ(rt_mmuext(XEN_MMUEXT_CLEAR_PAGE, rt_mfn(a), 0), 0);
    T_OK(a[0] == 0 && a[4095] == 0);
    /* Tables are read, but not written, this way. */
    T_EQ(rt_mmuext(XEN_MMUEXT_CLEAR_PAGE, rt_mfn((void *)t_l1), 0), -XEN_EINVAL);
    T_EQ(rt_mmuext(XEN_MMUEXT_COPY_PAGE, rt_mfn((void *)t_l1), rt_mfn(a)), -XEN_EINVAL);
    T_EQ(rt_mmuext(XEN_MMUEXT_COPY_PAGE, rt_mfn(b), rt_mfn(rt_l4)), 0);
    T_EQ(((uint64_t *)b)[511], rt_l4[511]);
    T_EQ(rt_mmuext(XEN_MMUEXT_CLEAR_PAGE, 1ul << 40, 0), -XEN_EINVAL);
    T_EQ(rt_mmuext(XEN_MMUEXT_COPY_PAGE, rt_mfn(a), 1ul << 40), -XEN_EINVAL);
    rt_page_free(a);
    rt_page_free(b);
}

void mmu_ext_ldt(void)
{
    uint64_t *page = rt_page();
    uint16_t sel = 3 << 3 | 4 | 3;

    page[3] = 0x00cff3000000ffff;
    T_EQ(rt_mmuext(XEN_MMUEXT_SET_LDT, (uint64_t)page + 8, 512), -XEN_EINVAL);
    T_EQ(rt_mmuext(XEN_MMUEXT_SET_LDT, (uint64_t)page, 8193), -XEN_EINVAL);
    T_EQ(rt_mmuext(XEN_MMUEXT_SET_LDT, (uint64_t)page, ~0u), -XEN_EINVAL);
    rt_make_ro(page);
    T_EQ(rt_mmuext(XEN_MMUEXT_SET_LDT, (uint64_t)page, 512), 0);
    T_EQ(RT_TRY("mov %0, %%es", ::"r"(sel) : "memory"), -1);
    __asm__ volatile("mov %%es, %0" : "=r"(sel));
    T_EQ(sel, 3 << 3 | 4 | 3);
    T_EQ(rt_va_map((uint64_t)page, t_pte(page, PTE_RW), XEN_UVMF_INVLPG), -XEN_EBUSY);
    __asm__ volatile("mov %0, %%es" ::"r"((uint16_t)0));
    T_EQ(rt_mmuext(XEN_MMUEXT_SET_LDT, 0, 0), 0);
    sel = 3 << 3 | 4 | 3;
    T_EQ(RT_TRY("mov %0, %%es", ::"r"(sel) : "memory"), 13);
    give_back(page);
}

void mmu_ext_flushes(void)
{
    uint64_t mask = 1;
    struct xen_mmuext_op op;

    memset(&op, 0, sizeof(op));
    op.cmd = XEN_MMUEXT_TLB_FLUSH_MULTI;
    op.arg2.vcpumask = G(&mask);
    T_EQ(rt_call4(HC(mmuext_op), (uint64_t)&op, 1, 0, XEN_DOMID_SELF), 0);
    op.arg2.vcpumask = G(0xffff800000000000);
    T_EQ(rt_call4(HC(mmuext_op), (uint64_t)&op, 1, 0, XEN_DOMID_SELF), -XEN_EINVAL);
    op.cmd = XEN_MMUEXT_INVLPG_MULTI;
    T_EQ(rt_call4(HC(mmuext_op), (uint64_t)&op, 1, 0, XEN_DOMID_SELF), -XEN_EINVAL);
    op.arg2.vcpumask = G(&mask);
    op.arg1.linear_addr = t_win(0);
    T_EQ(rt_call4(HC(mmuext_op), (uint64_t)&op, 1, 0, XEN_DOMID_SELF), 0);
    op.arg1.linear_addr = 0x0000800000000000; /* nothing to do, and no fault of ours */
    T_EQ(rt_call4(HC(mmuext_op), (uint64_t)&op, 1, 0, XEN_DOMID_SELF), 0);
    T_EQ(rt_mmuext(XEN_MMUEXT_INVLPG_LOCAL, 0xffff800000000000, 0), 0);
    T_EQ(rt_mmuext(XEN_MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
    T_EQ(rt_mmuext(XEN_MMUEXT_INVLPG_ALL, t_win(0), 0), 0);
    if (!t_privileged())
        T_NA("cache flushes are for guests with devices");
    T_EQ(rt_mmuext(XEN_MMUEXT_FLUSH_CACHE, 0, 0), 0);
}

/*
 * The one flush that the hypervisor owes without being asked: a page that was writable through a
 * stale translation must not be written by it once the page is a table.
 */
void mmu_stale_type(void)
{
    uint64_t *t = ro_page(), *data = rt_page();

    T_EQ(rt_mmu_update(t_ptr(3), t_pte(t, PTE_RW)), 0);
    *(volatile uint64_t *)t_win(3) = 0; /* the translation is in the TLB, dirty */
    T_EQ(rt_mmu_update(t_ptr(3), 0), 0);
    T_EQ(pin(1, t), 0);
    T_EQ(RT_TRY("movq $-1, (%0)", ::"r"(t_win(3)) : "memory"), 14);
    T_EQ(t[0], 0);
    T_EQ(unpin(t), 0);
    give_back(t);
    rt_page_free(data);
}

/* ---- direct writes ---- */

#define DIRECT(insn, want, ...)                                                                  \
    do {                                                                                         \
        T_EQ(rt_mmu_update(t_ptr(0), old), 0);                                                   \
        int v_ = RT_TRY(insn, __VA_ARGS__);                                                      \
        uint64_t now_ = t_l1[0] & ~(PTE_U | PTE_G | PTE_A | PTE_D);                              \
        if (v_ != -1 || now_ != ((want) & ~(PTE_U | PTE_G | PTE_A | PTE_D)))                     \
            t_fail(__FILE__, __LINE__, "%s: trap %d, entry %lx, wanted %lx", #insn, v_, t_l1[0], \
                   (uint64_t)(want));                                                            \
    } while (0)

/* Every way in which kernels store to a page-table entry. */
void mmu_direct_forms(void)
{
    uint8_t *pa = rt_page(), *pb = rt_page();
    uint64_t a = t_pte(pa, PTE_RW), b = t_pte(pb, PTE_RW), old = 0, reg, ax;
    volatile uint64_t *e = &t_l1[0];

    T_EQ(rt_call2(HC(vm_assist), XEN_VMASST_CMD_enable, XEN_VMASST_TYPE_writable_pagetables), 0);
    DIRECT("movq %1, (%0)", a, ::"r"(e), "r"(a) : "memory");
    DIRECT("movq $0, (%0)", 0ul, ::"r"(e) : "memory");
    DIRECT("mov %%rax, (%%rdi)", b, ::"D"(e), "a"(b) : "memory");
    DIRECT("movnti %1, (%0)", a, ::"r"(e), "r"(a) : "memory");
    DIRECT("stosq", a, : "=&D"(reg) : "a"(a), "0"(e) : "memory");
    DIRECT("movsq", b, : "=&D"(reg), "=&S"(ax) : "0"(e), "1"(&b) : "memory");
    reg = a;
    DIRECT("xchg %0, (%1)", a, : "+r"(reg) : "r"(e) : "memory");
    T_EQ(reg, 0);
    old = a;
    DIRECT("movq $0, (%0)", 0ul, ::"r"(e) : "memory");
    DIRECT("movl $0, (%0)", a & ~0xfffffffful, ::"r"(e) : "memory");
    DIRECT("movq %1, (%0)", b, ::"r"(e), "r"(b) : "memory");
    DIRECT("lock; andq $~2, (%0)", a & ~PTE_W, ::"r"(e) : "memory", "cc");
    DIRECT("andq $~2, (%0)", a & ~PTE_W, ::"r"(e) : "memory", "cc");
    DIRECT("lock; btrq $1, (%0)", a & ~PTE_W, ::"r"(e) : "memory", "cc");
    DIRECT("btrq $1, (%0)", a & ~PTE_W, ::"r"(e) : "memory", "cc");
    DIRECT("lock; btrl $1, (%0)", a & ~PTE_W, ::"r"(e) : "memory", "cc");
    DIRECT("lock; andb $~2, (%0)", a & ~PTE_W, ::"r"(e) : "memory", "cc");
    DIRECT("andb $~2, (%0)", a & ~PTE_W, ::"r"(e) : "memory", "cc");
    reg = b;
    DIRECT("lock; xchg %0, (%1)", b, : "+r"(reg) : "r"(e) : "memory");
    T_EQ(reg & PTE_MFN, a & PTE_MFN);
    old = a & ~PTE_W;
    DIRECT("orq $2, (%0)", a, ::"r"(e) : "memory", "cc");
    DIRECT("lock; orq $2, (%0)", a, ::"r"(e) : "memory", "cc");
    DIRECT("lock; btsq $1, (%0)", a, ::"r"(e) : "memory", "cc");
    DIRECT("addq $2, (%0)", a, ::"r"(e) : "memory", "cc");
    DIRECT("xorb $2, (%0)", a, ::"r"(e) : "memory", "cc");
    DIRECT("orb $2, (%0)", a, ::"r"(e) : "memory", "cc");
    /* Compare and exchange: with the right old value, and with a wrong one. */
    T_EQ(rt_mmu_update(t_ptr(0), a), 0);
    ax = t_l1[0];
    T_EQ(RT_TRY("lock; cmpxchg %2, (%1)", : "+a"(ax) : "r"(e), "r"(b) : "memory", "cc"), -1);
    T_EQ(t_l1[0] & PTE_MFN, b & PTE_MFN);
    ax = 0x1234;
    T_EQ(RT_TRY("lock; cmpxchg %2, (%1)", : "+a"(ax) : "r"(e), "r"(a) : "memory", "cc"), -1);
    T_EQ(t_l1[0] & PTE_MFN, b & PTE_MFN);
    T_EQ(ax, t_l1[0]);
    /* The store is as good as a call's: it is seen, at the latest after a flush. */
    *pb = 0x99;
    t_flush();
    T_EQ(*(volatile uint8_t *)t_win(0), 0x99);
    T_EQ(RT_TRY("movq $0, (%0)", ::"r"(e) : "memory"), -1);
    t_flush();
    T_OK(t_absent(t_win(0)));
    rt_page_free(pa);
    rt_page_free(pb);
}

/* What mmu_update would refuse faults, with the address and error code of the guest's store. */
void mmu_direct_refused(void)
{
    volatile uint64_t *e = &t_l1[0];
    uint64_t bad[] = {t_pte((void *)t_l1, PTE_RW), t_pte(rt_l4, PTE_RW), 1ul << 51 | PTE_RW};

    for (unsigned i = 0; i < 3; i++) {
        T_EQ(RT_TRY("movq %1, (%0)", ::"r"(e), "r"(bad[i]) : "memory"), 14);
        T_EQ(rt_seen.error & 3, 3);
        T_EQ(rt_seen.cr2, (uint64_t)e);
        T_EQ(t_l1[0], 0);
    }
}

void mmu_direct_l2(void)
{
    for (int level = 2; level <= 4; level++) {
        uint64_t *e = rt_entry(rt_l4, WIN, level) + 1;
        T_EQ(RT_TRY("movq $0, (%0)", ::"r"(e) : "memory"), 14);
        T_EQ(rt_seen.error & 3, 3);
    }
}

void mmu_direct_not_table(void)
{
    uint64_t *page = ro_page();

    T_EQ(RT_TRY("movq $0, (%0)", ::"r"(page) : "memory"), 14);
    T_EQ(rt_seen.cr2, (uint64_t)page);
    T_EQ(RT_TRY("movb $1, 5(%0)", ::"r"((uint64_t)&rt_l4[3]) : "memory"), 14);
    give_back(page);
}

/* ---- memory_op ---- */

void mmu_memory_maps(void)
{
    static struct pv_e820_entry map[64];
    struct xen_memory_map m = {.nr_entries = 64, .buffer = G(map)};
    struct xen_machphys_mapping mm;
    static uint64_t extents[16];
    struct xen_machphys_mfn_list list = {.max_extents = 16, .extent_start = G(extents)};
    struct xen_memory_domain dom = {.domid = XEN_DOMID_SELF};

    T_EQ(rt_memory(XENMEM_machphys_mapping, &mm), 0);
    T_EQ(mm.v_start, 0xffff800000000000);
    T_OK(mm.v_end > mm.v_start && mm.v_end <= 0xffff804000000000);
    T_EQ(rt_memory(XENMEM_machphys_mfn_list, &list), 0);
    T_OK(list.nr_extents >= 1 && list.nr_extents <= 16);
    T_OK(rt_memory(XENMEM_maximum_ram_page, NULL) > (int64_t)rt_mfn(rt_l4));
    T_OK(rt_memory(XENMEM_current_reservation, &dom) >= (int64_t)rt_si->nr_pages - 1024);
    T_OK(rt_memory(XENMEM_maximum_reservation, &dom) > 0);
    dom.domid = 0x1234;
    T_EQ(rt_memory(XENMEM_current_reservation, &dom), -XEN_ESRCH);
    int64_t ret = rt_memory(XENMEM_memory_map, &m);
    T_OK(ret == 0 || ret == -XEN_ENOSYS);
    if (!ret)
        T_OK(m.nr_entries >= 1 && m.nr_entries <= 64);
}

void mmu_memory_reservation(void)
{
    static uint8_t *page[8];
    static uint64_t frames[8];
    struct xen_memory_reservation r = {
        .extent_start = G(frames), .nr_extents = 8, .domid = XEN_DOMID_SELF};
    struct xen_memory_domain dom = {.domid = XEN_DOMID_SELF};

    for (int i = 0; i < 8; i++) {
        page[i] = rt_page();
        frames[i] = rt_mfn(page[i]);
    }
    int64_t before = rt_memory(XENMEM_current_reservation, &dom);
    /* The fifth is not ours: four are given up. A frame that is still mapped lives on. */
    for (int i = 0; i < 4; i++)
        T_EQ(rt_va_map((uint64_t)page[i], 0, XEN_UVMF_INVLPG), 0);
    uint64_t keep = frames[4];
    frames[4] = 1ul << 40;
    T_EQ(rt_memory(XENMEM_decrease_reservation, &r), 4);
    T_EQ(rt_memory(XENMEM_current_reservation, &dom), before - 4);
    frames[4] = keep;
    r.nr_extents = 4;
    r.mem_flags = 0;
    T_EQ(rt_memory(XENMEM_increase_reservation, &r), 4);
    T_EQ(rt_memory(XENMEM_current_reservation, &dom), before);
    for (int i = 0; i < 4; i++) {
        T_EQ(rt_mmu_update(frames[i] << 12 | XEN_MMU_MACHPHYS_UPDATE, rt_pfn(page[i])), 0);
        rt_p2m[rt_pfn(page[i])] = frames[i];
        rt_make_rw(page[i]);
    }
    for (int i = 0; i < 8; i++)
        rt_page_free(page[i]);
}

void mmu_memory_exchange(void)
{
    static uint64_t in[2], out[2];
    uint8_t *a = rt_page(), *b = rt_page();
    struct xen_memory_exchange x = {
        .in = {.extent_start = G(in), .nr_extents = 2, .domid = XEN_DOMID_SELF},
        .out = {.extent_start = G(out), .nr_extents = 2, .domid = XEN_DOMID_SELF},
    };

    in[0] = rt_mfn(a);
    in[1] = rt_mfn(b);
    out[0] = rt_pfn(a);
    out[1] = rt_pfn(b);
    T_EQ(rt_va_map((uint64_t)a, 0, XEN_UVMF_INVLPG), 0);
    T_EQ(rt_va_map((uint64_t)b, 0, XEN_UVMF_INVLPG), 0);
    x.nr_exchanged = 1; /* must begin at 0 */
    x.out.nr_extents = 3;
    T_EQ(rt_memory(XENMEM_exchange, &x), -XEN_EINVAL);
    x.nr_exchanged = 0;
    T_EQ(rt_memory(XENMEM_exchange, &x), -XEN_EINVAL); /* unequal sums */
    x.out.nr_extents = 2;
    T_EQ(rt_memory(XENMEM_exchange, &x), 0);
    T_EQ(x.nr_exchanged, 2);
    T_EQ(RT_M2P[out[0]], rt_pfn(a));
    T_EQ(RT_M2P[out[1]], rt_pfn(b));
    T_OK(rt_mmu_update(t_ptr(0), in[1] << 12 | PTE_RW) < 0); /* freed last */
    rt_p2m[rt_pfn(a)] = out[0];
    rt_p2m[rt_pfn(b)] = out[1];
    rt_make_rw(a);
    rt_make_rw(b);
    /* A frame in use cannot be exchanged. */
    in[0] = rt_mfn(a);
    x.nr_exchanged = 0;
    x.in.nr_extents = x.out.nr_extents = 1;
    out[0] = rt_pfn(a);
    T_OK(rt_memory(XENMEM_exchange, &x) < 0);
    T_EQ(x.nr_exchanged, 0);
    rt_page_free(a);
    rt_page_free(b);
}

void mmu_memory_codes(void)
{
    static uint64_t frame;
    struct xen_memory_reservation r = {
        .extent_start = G(&frame), .nr_extents = 1, .extent_order = 0, .domid = XEN_DOMID_SELF};

    T_EQ(rt_memory(60, &r), -XEN_ENOSYS);
    T_EQ(rt_memory(XENMEM_set_pod_target, &r) < 0, 1);
    r.extent_order = 60;
    T_EQ(rt_memory(XENMEM_decrease_reservation, &r), 0);
    T_EQ(rt_memory(XENMEM_populate_physmap, &r), 0);
    T_EQ(rt_memory(XENMEM_increase_reservation, &r), 0);
    r.extent_order = 0;
    r.nr_extents = ~0ul;
    T_EQ(rt_memory(XENMEM_populate_physmap, &r), 0);
    r.nr_extents = 1;
    r.domid = 0x1234;
    T_EQ(rt_memory(XENMEM_populate_physmap, &r), 0);
    r.domid = XEN_DOMID_SELF;
    r.extent_start = G(0xffff800000000000);
    T_EQ(rt_memory(XENMEM_populate_physmap, &r), 0);
    T_EQ(rt_memory(XENMEM_decrease_reservation, &r), 0);
    r.nr_extents = 0;
    T_EQ(rt_memory(XENMEM_decrease_reservation, &r), 0);
}
