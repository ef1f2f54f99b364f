/* SPDX-License-Identifier: MIT */
/*
 * pagetable.c - entries, tables, translations.
 *
 * The only file that knows what an entry looks like. (Whole address spaces are in space.c.)
 *
 *      63 62     52 51                12 11 9 8 7 6 5 4 3 2 1 0
 *     +--+---------+--------------------+----+-+-+-+-+-+-+-+-+-+
 *     |NX| ignored |   machine frame    |soft|G|S|D|A|C|T|U|W|P|
 *     +--+---------+--------------------+----+-+-+-+-+-+-+-+-+-+
 *
 * An absent entry that holds a number keeps it inverted in bits 12..61: read as a frame it lies
 * above all memory, which is what a processor with the L1TF flaw must find.
 */
#include <pv/pagetable.h>
#include <pv/batch.h>
#include <pv/host.h>
#include <pv/hypercall.h>
#include <pv/space.h>
#include "internal.h"

#define FRAME_BITS  0x000ffffffffff000
#define COOKIE_BITS (((uint64_t)1 << 50) - 1)
#define COOKIE_MARK PV_SOFT0 /* in an absent entry: a cookie follows */

/* Entries ----------------------------------------------------------------------------------- */

pv_pte_t pv_pte(pfn_t frame, uint64_t rights)
{
    mfn_t m = pv_p2m(frame);
    pv_pte_t e = {0};

    if (mfn_valid(m))
        e.raw = mfn_to_maddr(m) | (rights & PV_RIGHTS);
    return e;
}

pv_pte_t pv_pte_absent(uint64_t cookie)
{
    pv_pte_t e = {(~cookie & COOKIE_BITS) << PV_PAGE_SHIFT | COOKIE_MARK};

    return e;
}

bool pv_pte_is_present(pv_pte_t e)
{
    return e.raw & PV_PRESENT;
}

uint64_t pv_pte_rights(pv_pte_t e)
{
    return pv_pte_is_present(e) ? e.raw & PV_RIGHTS : 0;
}

uint64_t pv_pte_cookie(pv_pte_t e)
{
    if (pv_pte_is_present(e) || !(e.raw & COOKIE_MARK))
        return ~(uint64_t)0;
    return ~(e.raw >> PV_PAGE_SHIFT) & COOKIE_BITS;
}

pfn_t pv_pte_pfn(pv_pte_t e)
{
    return pv_pte_is_present(e) ? pv_m2p(mfn_of_maddr(e.raw & FRAME_BITS)) : PV_PFN_INVALID;
}

pv_pte_t pv_pte_with_rights(pv_pte_t e, uint64_t rights)
{
    if (pv_pte_is_present(e))
        e.raw = (e.raw & FRAME_BITS) | (rights & PV_RIGHTS);
    return e;
}

/* Protected frames -------------------------------------------------------------------------- */

/* One bit for each frame, in pages; all but the first are made when one of their frames is
 * protected. */
#define BITMAP_FRAMES (8 * PV_PAGE_SIZE)
#define BITMAP_PAGES  512

static uint8_t first_page[PV_PAGE_SIZE];
static uint8_t *bitmap[BITMAP_PAGES] = {first_page};

static bool is_initial(pfn_t frame)
{
    const struct xen_start_info *si = pv_machine.info;

    return frame.n - ((si->pt_base - pv_machine.virt_base) >> PV_PAGE_SHIFT) < si->nr_pt_frames;
}

static inline bool is_protected(pfn_t frame)
{
    uint64_t page = frame.n / BITMAP_FRAMES, bit = frame.n % BITMAP_FRAMES;

    if (page < BITMAP_PAGES && bitmap[page] && bitmap[page][bit / 8] >> (bit % 8) & 1)
        return true;
    return is_initial(frame);
}

bool pv_pt_is_protected(pfn_t frame)
{
    return is_protected(frame);
}

/* The table that was last found to be none of them: one that is filled is asked about again and
 * again. (No two vcpus are at one table.) */
static uint64_t draft = ~(uint64_t)0;

/* Vcpus may protect frames at a time whose bits share a byte. */
static int mark(pfn_t frame, bool protected)
{
    uint64_t page = frame.n / BITMAP_FRAMES, bit = frame.n % BITMAP_FRAMES;
    uint8_t mask = (uint8_t)(1 << (bit % 8));

    if (page >= BITMAP_PAGES)
        return -XEN_ENOMEM;
    if (!bitmap[page]) {
        pfn_t f = protected ? pv_frame_alloc() : PV_PFN_INVALID;
        uint8_t *none = NULL;

        if (!protected)
            return 0;
        if (!pfn_valid(f))
            return -XEN_ENOMEM;
        __builtin_memset(pv_host_page_va(f), 0, PV_PAGE_SIZE);
        /* Another vCPU may have been quicker. */
        if (!__atomic_compare_exchange_n(&bitmap[page], &none, pv_host_page_va(f), false,
                                         __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            pv_host_page_free(f);
    }
    if (protected) {
        __atomic_fetch_or(&bitmap[page][bit / 8], mask, __ATOMIC_RELAXED);
        __atomic_store_n(&draft, ~(uint64_t)0, __ATOMIC_RELAXED);
    } else
        __atomic_fetch_and(&bitmap[page][bit / 8], (uint8_t)~mask, __ATOMIC_RELAXED);
    return 0;
}

/* Tables ------------------------------------------------------------------------------------ */

static int update(uint64_t ptr, uint64_t val)
{
    struct pv_batch *b = pv_lazy_batch();
    struct xen_mmu_update req = {.ptr = ptr, .val = val};

    if (b) {
        pv_batch_update(b, ptr, val);
        return 0;
    }
    return (int)pv_hypercall_mmu_update(&req, 1, NULL, XEN_DOMID_SELF);
}

static int extended(const struct xen_mmuext_op *op)
{
    struct pv_batch *b = pv_lazy_batch();

    if (b) {
        pv_batch_op(b, op);
        return 0;
    }
    return (int)pv_hypercall_mmuext_op(op, 1, NULL, XEN_DOMID_SELF);
}

pv_pte_t pv_pt_read(pfn_t table, unsigned index)
{
    const uint64_t *entries = pv_host_page_va(table);
    pv_pte_t e;

    pv_lazy_flush();
    /* The processor writes accessed and dirty bits whenever it likes. */
    e.raw = __atomic_load_n(&entries[index & 511], __ATOMIC_RELAXED);
    return e;
}

/* Asks for the change of an entry in a table that is in use. */
static int request(pfn_t table, unsigned index, pv_pte_t e, uint64_t kind)
{
    mfn_t m = pv_p2m(table);

    if (!mfn_valid(m))
        return -XEN_EINVAL;
    return update((mfn_to_maddr(m) + 8 * index) | kind, e.raw);
}

static int set(pfn_t table, unsigned index, pv_pte_t e, uint64_t kind)
{
    if (!mfn_valid(pv_p2m(table)) || index > 511)
        return -XEN_EINVAL;
    if (!is_protected(table)) {
        uint64_t *entries = pv_host_page_va(table);

        __atomic_store_n(&entries[index], e.raw, __ATOMIC_RELAXED);
        return 0;
    }
    return request(table, index, e, kind);
}

int pv_pt_set(pfn_t table, unsigned index, pv_pte_t e)
{
    return set(table, index, e, XEN_MMU_NORMAL_PT_UPDATE);
}

int pv_pt_set_keep_ad(pfn_t table, unsigned index, pv_pte_t e)
{
    return set(table, index, e, XEN_MMU_PT_UPDATE_PRESERVE_AD);
}

int pv_pt_link(pfn_t table, unsigned index, pfn_t below)
{
    int err = pv_pt_is_protected(table) ? pv_pt_protect(below) : 0;

    return err ? err : pv_pt_set(table, index, pv_pte(below, PV_TABLE_RIGHTS));
}

/* The frame of an address in the linear map. */
static pfn_t linear_frame(const void *va)
{
    return pfn(((uintptr_t)va - pv_machine.virt_base) >> PV_PAGE_SHIFT);
}

static unsigned slot_index(const void *slot)
{
    return (uintptr_t)slot % PV_PAGE_SIZE / sizeof(pv_pte_t);
}

static __attribute__((noinline)) int set_slot(uint64_t *slot, pv_pte_t e)
{
    pfn_t table = linear_frame(slot);

    if (is_protected(table))
        return request(table, slot_index(slot), e, XEN_MMU_NORMAL_PT_UPDATE);
    __atomic_store_n(&draft, table.n, __ATOMIC_RELAXED);
    __atomic_store_n(slot, e.raw, __ATOMIC_RELAXED);
    return 0;
}

int pv_pt_set_slot(void *slot, pv_pte_t e)
{
    if (linear_frame(slot).n != __atomic_load_n(&draft, __ATOMIC_RELAXED))
        return set_slot(slot, e);
    __atomic_store_n((uint64_t *)slot, e.raw, __ATOMIC_RELAXED);
    return 0;
}

int pv_pt_link_slot(void *slot, pfn_t below)
{
    return pv_pt_link(linear_frame(slot), slot_index(slot), below);
}

static const uint8_t flush_flags[] = {
    [PV_FLUSH_NONE] = XEN_UVMF_NONE,
    [PV_FLUSH_PAGE] = XEN_UVMF_INVLPG | XEN_UVMF_LOCAL,
    [PV_FLUSH_ALL] = XEN_UVMF_TLB_FLUSH | XEN_UVMF_LOCAL,
    [PV_FLUSH_PAGE_ALL] = XEN_UVMF_INVLPG | XEN_UVMF_ALL,
    [PV_FLUSH_ALL_ALL] = XEN_UVMF_TLB_FLUSH | XEN_UVMF_ALL,
};

int pv_pt_set_va(uint64_t va, pv_pte_t e, enum pv_flush flush)
{
    struct pv_batch *b = pv_lazy_batch();

    if (b) {
        pv_batch_call(b, XEN_HYPERVISOR_update_va_mapping, va, e.raw, flush_flags[flush], 0, 0);
        return 0;
    }
    return (int)pv_hypercall_update_va_mapping(va, e.raw, flush_flags[flush]);
}

int pv_window_map(void *va, mfn_t frame, bool writable)
{
    uint64_t raw = 0;

    if (mfn_valid(frame))
        raw = mfn_to_maddr(frame) | PV_PRESENT | PV_ACCESSED | PV_DIRTY | PV_NOEXEC |
              (writable ? PV_WRITE : 0);
    return (int)pv_hypercall_update_va_mapping(pv_arg(va), raw, XEN_UVMF_INVLPG | XEN_UVMF_ALL);
}

/* Where the level-1 entry of va is in the kernel's tables, which are all our own; 0: nowhere. */
static uint64_t entry_of(uint64_t va)
{
    pfn_t table = pv_space_kernel()->kernel;
    pv_pte_t e;

    for (unsigned level = 4;; level--) {
        const uint64_t *entries = pv_host_page_va(table);

        e.raw = __atomic_load_n(&entries[pv_pt_index(va, level)], __ATOMIC_RELAXED);
        if (!(e.raw & PV_PRESENT))
            return 0;
        if (level == 2)
            return (e.raw & FRAME_BITS) + sizeof(e) * pv_pt_index(va, 1);
        table = pv_pte_own(e);
    }
}

/* Kernel text may lie in the linear map, so the mapping stays executable. */
static int set_linear(pfn_t frame, uint64_t rights)
{
    pv_pte_t e = pv_pte(frame, PV_PRESENT | PV_ACCESSED | rights);
    uint64_t va = pv_arg(pv_host_page_va(frame)), at;
    struct pv_batch *b = pv_lazy_batch();

    if (!pv_pte_is_present(e))
        return -XEN_EINVAL;
    if (!b || !(at = entry_of(va)))
        return pv_pt_set_va(va, e, PV_FLUSH_PAGE_ALL);
    pv_batch_update(b, at, e.raw);
    b->stale = true;
    return 0;
}

int pv_pt_protect(pfn_t frame)
{
    int err = mark(frame, true);

    if (err == 0)
        err = set_linear(frame, 0);
    if (err)
        mark(frame, false);
    return err;
}

int pv_pt_unprotect(pfn_t frame)
{
    int err = set_linear(frame, PV_WRITE | PV_DIRTY);

    return err ? err : mark(frame, false);
}

int pv_pt_pin(pfn_t table, unsigned level)
{
    mfn_t m = pv_p2m(table);
    struct xen_mmuext_op op = {.cmd = XEN_MMUEXT_PIN_L1_TABLE + level - 1, .arg1.mfn = m.n};

    if (!mfn_valid(m) || level < 1 || level > 4)
        return -XEN_EINVAL;
    return extended(&op);
}

int pv_pt_unpin(pfn_t table)
{
    mfn_t m = pv_p2m(table);
    struct xen_mmuext_op op = {.cmd = XEN_MMUEXT_UNPIN_TABLE, .arg1.mfn = m.n};

    return mfn_valid(m) ? extended(&op) : -XEN_EINVAL;
}

/* Translations ------------------------------------------------------------------------------ */

static int flush_op(uint32_t cmd, uint64_t va, const uint64_t *mask)
{
    struct xen_mmuext_op op = {.cmd = cmd, .arg1.linear_addr = va, .arg2.vcpumask = pv_gptr(mask)};

    return extended(&op);
}

int pv_tlb_flush(void)
{
    return flush_op(XEN_MMUEXT_TLB_FLUSH_LOCAL, 0, NULL);
}

int pv_tlb_flush_page(uint64_t va)
{
    return flush_op(XEN_MMUEXT_INVLPG_LOCAL, va, NULL);
}

int pv_tlb_flush_all(void)
{
    return flush_op(XEN_MMUEXT_TLB_FLUSH_ALL, 0, NULL);
}

int pv_tlb_flush_page_all(uint64_t va)
{
    return flush_op(XEN_MMUEXT_INVLPG_ALL, va, NULL);
}

int pv_tlb_flush_some(const uint64_t *mask)
{
    return flush_op(XEN_MMUEXT_TLB_FLUSH_MULTI, 0, mask);
}

int pv_tlb_flush_page_some(uint64_t va, const uint64_t *mask)
{
    return flush_op(XEN_MMUEXT_INVLPG_MULTI, va, mask);
}

int pv_page_clear(pfn_t frame)
{
    mfn_t m = pv_p2m(frame);
    struct xen_mmuext_op op = {.cmd = XEN_MMUEXT_CLEAR_PAGE, .arg1.mfn = m.n};

    return mfn_valid(m) ? extended(&op) : -XEN_EINVAL;
}

int pv_page_copy(pfn_t to, pfn_t from)
{
    mfn_t t = pv_p2m(to), f = pv_p2m(from);
    struct xen_mmuext_op op = {
        .cmd = XEN_MMUEXT_COPY_PAGE,
        .arg1.mfn = t.n,
        .arg2.src_mfn = f.n,
    };

    return mfn_valid(t) && mfn_valid(f) ? extended(&op) : -XEN_EINVAL;
}
