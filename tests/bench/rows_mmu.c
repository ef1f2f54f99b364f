/* SPDX-License-Identifier: MIT */
/*
 * Rows of page-table work on single entries, TLB operations and page operations.
 *
 * bench_l1 is a live L1 table whose entries are all zero between rows.  An mmu_update need not
 * flush, so verification flushes first; after a row that is itself a flush it never does: there the
 * probe is that a translation used just before the change is not used after it.
 */
#include "bench.h"

static struct xen_mmu_update updates[512];
static struct xen_multicall_entry calls[64];
static uint32_t done;

static int64_t apply(uint64_t n)
{
    return rt_call4(XEN_HYPERVISOR_mmu_update, (uint64_t)updates, n, (uint64_t)&done,
                    XEN_DOMID_SELF);
}

static void prepare(uint64_t n, uint64_t val)
{
    for (uint64_t i = 0; i < n; i++)
        updates[i] = (struct xen_mmu_update){.ptr = win_ptr((unsigned)i), .val = val};
}

/* Sets n entries, untimed. */
static void set(uint64_t n, uint64_t val)
{
    prepare(n, val);
    int64_t ret = apply(n);
    CHECK(ret == 0, ret, val);
    bench_flush();
}

uint64_t row_mmu_map(uint64_t n)
{
    int64_t ret;

    prepare(n, pte_of(bench_a, PTE_RW));
    done = 0;
    uint64_t t = TIMED(ret = apply(n));
    CHECK(ret == 0 && done == n, ret, done);
    for (uint64_t i = 0; i < n; i++)
        CHECK(peek(win((unsigned)i)) == 0xaa && !bench_readonly(win((unsigned)i)), i, 0);
    *bench_a = 0xaa;
    set(n, 0);
    return t;
}

uint64_t row_mmu_unmap(uint64_t n)
{
    int64_t ret;

    set(n, pte_of(bench_a, PTE_RW));
    prepare(n, 0);
    done = 0;
    uint64_t t = TIMED(ret = apply(n));
    CHECK(ret == 0 && done == n, ret, done);
    bench_flush();
    for (uint64_t i = 0; i < n; i++)
        CHECK(bench_absent(win((unsigned)i)), i, 0);
    return t;
}

static uint64_t change(uint64_t from, uint64_t to)
{
    int64_t ret;

    set(1, from);
    prepare(1, to);
    uint64_t t = TIMED(ret = apply(1));
    CHECK(ret == 0, ret, 0);
    bench_flush();
    return t;
}

uint64_t row_mmu_other(uint64_t arg)
{
    uint64_t t = change(pte_of(bench_a, PTE_RW), pte_of(bench_b, PTE_RW));

    CHECK(peek(win(0)) == 0xbb, peek(win(0)), arg);
    set(1, 0);
    return t;
}

uint64_t row_mmu_ro(uint64_t arg)
{
    uint64_t t = change(pte_of(bench_a, PTE_RW), pte_of(bench_a, PTE_RO));

    CHECK(peek(win(0)) == 0xaa && bench_readonly(win(0)), peek(win(0)), arg);
    set(1, 0);
    return t;
}

uint64_t row_mmu_ad(uint64_t arg)
{
    uint64_t t = change(pte_of(bench_a, PTE_RW), pte_of(bench_a, PTE_RW & ~(PTE_A | PTE_D)));

    CHECK(!(bench_l1[0] & (PTE_A | PTE_D)), bench_l1[0], arg);
    CHECK(peek(win(0)) == 0xaa && (bench_l1[0] & PTE_A), bench_l1[0], 0);
    set(1, 0);
    return t;
}

uint64_t row_va_map(uint64_t flags)
{
    uint64_t pte = pte_of(bench_a, PTE_RW);
    int64_t ret;
    uint64_t t = TIMED(ret = rt_call3(XEN_HYPERVISOR_update_va_mapping, win(0), pte, flags));

    CHECK(ret == 0, ret, 0);
    CHECK(peek(win(0)) == 0xaa && !bench_readonly(win(0)), 0, 0);
    *bench_a = 0xaa;
    set(1, 0);
    return t;
}

/* The flush is part of the call: the probe is made without another. */
uint64_t row_va_unmap(uint64_t flags)
{
    int64_t ret;

    set(1, pte_of(bench_a, PTE_RW));
    CHECK(peek(win(0)) == 0xaa, 0, 0);
    uint64_t t = TIMED(ret = rt_call3(XEN_HYPERVISOR_update_va_mapping, win(0), 0, flags));
    CHECK(ret == 0 && bench_absent(win(0)), ret, bench_l1[0]);
    return t;
}

uint64_t row_va_multicall(uint64_t n)
{
    int64_t ret;

    for (uint64_t i = 0; i < n; i++)
        calls[i] = (struct xen_multicall_entry){
            .op = XEN_HYPERVISOR_update_va_mapping,
            .args = {win((unsigned)i), pte_of(i & 1 ? bench_b : bench_a, PTE_RW), 0},
        };
    uint64_t t = TIMED(ret = rt_call2(XEN_HYPERVISOR_multicall, (uint64_t)calls, n));
    CHECK(ret == 0, ret, 0);
    for (uint64_t i = 0; i < n; i++)
        CHECK(!calls[i].result && peek(win((unsigned)i)) == (i & 1 ? 0xbb : 0xaa), i,
              calls[i].result);
    set(n, 0);
    return t;
}

/*
 * A stale translation on purpose: win(0) is read through one frame, then its entry names another.
 * After the timed flush the other one must be seen.
 */
static uint64_t flush_row(uint32_t cmd)
{
    struct xen_mmuext_op op;
    int64_t ret;

    set(1, pte_of(bench_a, PTE_RW));
    CHECK(peek(win(0)) == 0xaa, peek(win(0)), 0);
    prepare(1, pte_of(bench_b, PTE_RW));
    ret = apply(1);
    CHECK(ret == 0, ret, 0);
    memset(&op, 0, sizeof(op));
    op.cmd = cmd;
    op.arg1.linear_addr = win(0);
    done = 0;
    uint64_t t = TIMED(ret = mmuext(&op, 1, &done));
    CHECK(ret == 0 && peek(win(0)) == 0xbb, ret, peek(win(0)));
    set(1, 0);
    return t;
}

uint64_t row_tlb_flush(uint64_t arg)
{
    (void)arg;
    return flush_row(XEN_MMUEXT_TLB_FLUSH_LOCAL);
}

uint64_t row_invlpg(uint64_t arg)
{
    (void)arg;
    return flush_row(XEN_MMUEXT_INVLPG_LOCAL);
}

/* A plain store to a page-table entry, which the hypervisor notices, checks and carries out. */
static uint64_t direct(uint64_t val)
{
    volatile uint64_t *entry = &bench_l1[0];

    return TIMED(__asm__ volatile("mov %1, (%0)" ::"r"(entry), "r"(val) : "memory"));
}

uint64_t row_direct_map(uint64_t arg)
{
    uint64_t t = direct(pte_of(bench_a, PTE_RW));

    CHECK(peek(win(0)) == 0xaa && !bench_readonly(win(0)), bench_l1[0], arg);
    *bench_a = 0xaa;
    set(1, 0);
    return t;
}

uint64_t row_direct_unmap(uint64_t arg)
{
    set(1, pte_of(bench_a, PTE_RW));
    uint64_t t = direct(0);
    bench_flush();
    CHECK(bench_absent(win(0)), bench_l1[0], arg);
    return t;
}

static uint64_t page_op(uint32_t cmd, uint64_t dst, uint64_t src)
{
    struct xen_mmuext_op op;
    int64_t ret;

    memset(&op, 0, sizeof(op));
    op.cmd = cmd;
    op.arg1.mfn = dst;
    op.arg2.src_mfn = src;
    done = 0;
    uint64_t t = TIMED(ret = mmuext(&op, 1, &done));
    CHECK(ret == 0 && done == 1, ret, done);
    return t;
}

uint64_t row_clear_page(uint64_t arg)
{
    uint8_t *page = rt_page();

    memset(page, 0x55, PAGE);
    uint64_t t = page_op(XEN_MMUEXT_CLEAR_PAGE, rt_mfn(page), 0);
    for (unsigned i = 0; i < PAGE; i++)
        CHECK(page[i] == 0, i, page[i]);
    rt_page_free(page);
    (void)arg;
    return t;
}

uint64_t row_copy_page(uint64_t arg)
{
    uint8_t *src = rt_page(), *dst = rt_page();

    for (unsigned i = 0; i < PAGE; i++)
        src[i] = (uint8_t)(i * 7 + i / 256);
    uint64_t t = page_op(XEN_MMUEXT_COPY_PAGE, rt_mfn(dst), rt_mfn(src));
    CHECK(!memcmp(src, dst, PAGE), 0, 0);
    rt_page_free(src);
    rt_page_free(dst);
    (void)arg;
    return t;
}

/* ---- the balloon ---- */

#define BALLOON 64
static uint8_t *balloon[BALLOON];
static uint64_t frames[BALLOON];

static struct xen_memory_reservation reservation(uint64_t n)
{
    return (struct xen_memory_reservation){
        .extent_start = G(frames), .nr_extents = n, .extent_order = 0, .domid = XEN_DOMID_SELF};
}

/* Takes the pages out of the direct map and names their frames. */
static void give_up(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        if (!balloon[i])
            balloon[i] = rt_page();
        frames[i] = rt_mfn(balloon[i]);
        int64_t ret = rt_va_map((uint64_t)balloon[i], 0, XEN_UVMF_INVLPG);
        CHECK(ret == 0, ret, i);
    }
}

/* Puts the new frames (frames[i]) under the pages and into the p2m. */
static void take_back(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        CHECK(RT_M2P[frames[i]] == rt_pfn(balloon[i]), RT_M2P[frames[i]], rt_pfn(balloon[i]));
        rt_p2m[rt_pfn(balloon[i])] = frames[i];
        rt_make_rw(balloon[i]);
        balloon[i][0] = (uint8_t)i;
    }
}

static uint64_t populate(uint64_t n)
{
    struct xen_memory_reservation r = reservation(n);
    int64_t ret;

    for (uint64_t i = 0; i < n; i++)
        frames[i] = rt_pfn(balloon[i]);
    uint64_t t =
        TIMED(ret = rt_call2(XEN_HYPERVISOR_memory_op, XENMEM_populate_physmap, (uint64_t)&r));
    CHECK(ret == (int64_t)n, ret, n);
    return t;
}

static uint64_t release(uint64_t n)
{
    struct xen_memory_reservation r = reservation(n);
    int64_t ret;
    uint64_t t =
        TIMED(ret = rt_call2(XEN_HYPERVISOR_memory_op, XENMEM_decrease_reservation, (uint64_t)&r));

    CHECK(ret == (int64_t)n, ret, n);
    return t;
}

uint64_t row_balloon_out(uint64_t n)
{
    give_up(n);
    uint64_t first = frames[0];
    uint64_t t = release(n);
    /* The frame is no longer ours to map. */
    CHECK(rt_va_map((uint64_t)balloon[0], first << 12 | PTE_RW, XEN_UVMF_INVLPG) != 0, first, 0);
    populate(n);
    take_back(n);
    return t;
}

uint64_t row_balloon_in(uint64_t n)
{
    give_up(n);
    release(n);
    uint64_t t = populate(n);
    take_back(n);
    return t;
}

void rows_mmu_init(void)
{
    int64_t ret = rt_call2(XEN_HYPERVISOR_vm_assist, XEN_VMASST_CMD_enable,
                           XEN_VMASST_TYPE_writable_pagetables);
    if (ret)
        rt_panic("vm_assist: %ld", ret);
}
