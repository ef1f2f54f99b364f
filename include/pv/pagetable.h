/* SPDX-License-Identifier: MIT */
/*
 * pagetable.h - page tables, entry by entry, and the translations that the processor keeps.
 *
 * A PV guest's page tables are the ones that the processor walks. They hold machine frames, so the
 * hypervisor must approve each change, and a frame in use as a table is never mapped writable.
 * Here a kernel names frames by pfn_t alone; entries are made and read by libpv:
 *
 *     pfn_t + rights --pv_pte()--> pv_pte_t --pv_pt_set()--> table
 *     pfn_t + rights <--pv_pte_pfn(), pv_pte_rights()-- pv_pte_t <--pv_pt_read()-- table
 *
 * so the frame behind a pfn_t may change without the kernel's knowing. Do not keep a pv_pte_t.
 *
 * This header is about single tables and entries; most kernels work with whole address spaces,
 * which are in space.h.
 *
 * "May be lazy": between pv_lazy_begin() and pv_lazy_end() (batch.h) the call only collects,
 * returns 0, and errors appear at the end. All return 0 or -XEN_E* except as noted. None may be
 * called for one table by two vCPUs at once; libpv has no lock per table.
 * Reference: mmu_update, mmuext_op and update_va_mapping in abi/xen.h.
 */
#ifndef PV_PAGETABLE_H
#define PV_PAGETABLE_H

#include <pv/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An encoded entry. Its bits are the hypervisor's and the processor's: only libpv looks. */
typedef struct {
    uint64_t raw;
} pv_pte_t;

/* Rights of an entry. The values are libpv's contract, and on x86-64 the processor's bits. */
#define PV_PRESENT  0x001
#define PV_WRITE    0x002
#define PV_USER     0x004 /* kernel pages need it not; the hypervisor adds what it needs */
#define PV_NOCACHE  0x010
#define PV_ACCESSED 0x020
#define PV_DIRTY    0x040
#define PV_LARGE    0x080 /* read only: superpages are not for PV guests */
#define PV_SOFT0    0x200 /* the kernel's own three bits */
#define PV_SOFT1    0x400
#define PV_SOFT2    0x800
#define PV_NOEXEC   0x8000000000000000
#define PV_RIGHTS   0x8000000000000ef7 /* all of the above */

/* Rights that upper-level entries have: the level-1 entry decides. */
#define PV_TABLE_RIGHTS (PV_PRESENT | PV_WRITE | PV_USER | PV_ACCESSED | PV_DIRTY)

/* Encoding and decoding are pure arithmetic and two table look-ups: context any, no hypercall. */

/*
 * An entry that maps a frame. A frame without memory behind it (out of range, or ballooned out)
 * gives an absent entry: ask pv_pte_is_present() where that can happen.
 */
pv_pte_t pv_pte(pfn_t frame, uint64_t rights);

/* An absent entry. */
static inline pv_pte_t pv_pte_none(void)
{
    pv_pte_t e = {0};
    return e;
}

/*
 * An absent entry that remembers a number below 2^50, e.g. a swap slot. Stored so that processors
 * with the L1TF flaw can't speculate on it (Xen would shadow or kill a guest that does otherwise).
 */
pv_pte_t pv_pte_absent(uint64_t cookie);

bool pv_pte_is_present(pv_pte_t e);

/* PV_* rights; 0 for an absent entry. */
uint64_t pv_pte_rights(pv_pte_t e);

/* The number of pv_pte_absent(); ~0 for any other entry. */
uint64_t pv_pte_cookie(pv_pte_t e);

/* PV_PFN_INVALID when absent, or when the frame isn't the guest's own (a granted page). */
pfn_t pv_pte_pfn(pv_pte_t e);

/* The same in line, for a present entry that pv_pte() made: nothing is checked. */
extern const uint64_t *pv_pte_frames; /* the guest's frame behind each of the machine's */
static inline pfn_t pv_pte_own(pv_pte_t e)
{
    return pfn(pv_pte_frames[e.raw >> PV_PAGE_SHIFT & 0xffffffffff]);
}

/* The same frame with other rights; an absent entry stays as it is. */
pv_pte_t pv_pte_with_rights(pv_pte_t e, uint64_t rights);

/* The slot of va in a table of level 1 .. 4. */
static inline unsigned pv_pt_index(uint64_t va, unsigned level)
{
    return (unsigned)(va >> (PV_PAGE_SHIFT + 9 * (level - 1))) & 511;
}

/* Single tables ----------------------------------------------------------------------------- */

/*
 * Entry `index` (modulo 512) of a table. This vCPU's lazy batch is flushed first, so that what was
 * set is what is read; an error of that flush is kept for pv_lazy_end().
 */
pv_pte_t pv_pt_read(pfn_t table, unsigned index);

/*
 * Sets entry `index` of a table of any level. A frame that is no table yet may be written so, too:
 * unless it is protected, that is a plain store, so building a table costs nothing until it is
 * linked or pinned.
 * The hypervisor checks the entry by what the table is; translations are not flushed, except that
 * the hypervisor does so where safety needs it. May be lazy.
 * -XEN_EINVAL: no such frame or index, or the entry isn't allowed there (bad bits, a frame that is
 * not ours, a table of the wrong level); -XEN_EBUSY: a table would become writable, or a writable
 * page a table. On failure the entry is as it was.
 */
int pv_pt_set(pfn_t table, unsigned index, pv_pte_t e);

/*
 * Makes entry `index` of a table of level 2 .. 4 lead to the table `below`, with PV_TABLE_RIGHTS.
 * If `table` is protected, `below` is protected first; in a tree that is still being built both are
 * plain memory. May be lazy. Errors as pv_pt_set() and pv_pt_protect().
 */
int pv_pt_link(pfn_t table, unsigned index, pfn_t below);

/* The same two for kernels that have an entry's address in the map of pv_space_map_linear(). */
int pv_pt_set_slot(void *slot, pv_pte_t e);
int pv_pt_link_slot(void *slot, pfn_t below);

/*
 * As pv_pt_set(), keeping the accessed and dirty bits that the processor may set meanwhile. For
 * changes of rights; the frame must stay the same for the bits to have a meaning.
 */
int pv_pt_set_keep_ad(pfn_t table, unsigned index, pv_pte_t e);

/*
 * Sets the level-1 entry of va in the kernel-mode table that is loaded, and flushes. The cheapest
 * way to change one page. May be lazy. Errors as pv_pt_set(), and -XEN_EINVAL where va has no
 * level-1 table.
 */
enum pv_flush {
    PV_FLUSH_NONE,
    PV_FLUSH_PAGE,     /* va, on this vCPU */
    PV_FLUSH_ALL,      /* everything, on this vCPU */
    PV_FLUSH_PAGE_ALL, /* va, on all vCPUs */
    PV_FLUSH_ALL_ALL,  /* everything, on all vCPUs */
};
int pv_pt_set_va(uint64_t va, pv_pte_t e, enum pv_flush flush);

/*
 * Makes the linear mapping of a frame (pv_host_page_va()) read-only, as a page table's must be, or
 * writable again, and flushes it on all vCPUs. Other writable mappings of a future table are the
 * caller's to remove. May be lazy.
 * -XEN_EINVAL: no such frame; -XEN_ENOMEM: no memory to remember it by; unprotect: -XEN_EBUSY while
 * the frame is in use as a table.
 */
int pv_pt_protect(pfn_t frame);
int pv_pt_unprotect(pfn_t frame);

/* Was it protected and not unprotected since? The initial page tables are protected. */
bool pv_pt_is_protected(pfn_t frame);

/*
 * Pins a table of level 1 .. 4 and all below it: they are validated now, once, and stay page
 * tables, loaded or not, until the table is unpinned. Loading a pinned table costs no validation.
 * May be lazy. -XEN_EINVAL: no such frame or level, not pinned, or an entry somewhere below isn't
 * allowed (the hypervisor's console says which); -XEN_EBUSY: some mapping of it is writable, or it
 * is pinned. On failure nothing has changed.
 */
int pv_pt_pin(pfn_t table, unsigned level);
int pv_pt_unpin(pfn_t table);

/* Translations ------------------------------------------------------------------------------ */

/* Forget translations: on this vCPU, on all, or on those whose bit is set in mask. May be lazy. */
int pv_tlb_flush(void);
int pv_tlb_flush_page(uint64_t va);
int pv_tlb_flush_all(void);
int pv_tlb_flush_page_all(uint64_t va);
/* mask must stay valid until a lazy batch is flushed. */
int pv_tlb_flush_some(const uint64_t *mask);
int pv_tlb_flush_page_some(uint64_t va, const uint64_t *mask);

/*
 * Zeroes or copies a frame by the hypervisor, which needs no mapping of it. The frame must not be
 * a page table. May be lazy.
 */
int pv_page_clear(pfn_t frame);
int pv_page_copy(pfn_t to, pfn_t from);

#ifdef __cplusplus
}
#endif
#endif
