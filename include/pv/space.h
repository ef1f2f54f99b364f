/* SPDX-License-Identifier: MIT */
/*
 * space.h - address spaces: create, switch and update.
 *
 * Kernel and user programs of a PV guest both run in ring 3, so the processor's user bit protects
 * nothing. Two page tables do: one is loaded in kernel mode, the other in user mode.
 *
 *              L4 for kernel mode        L4 for user mode
 *             +------------------+      +------------------+
 *     slot 0  | user mappings  --+------+--> same L3 tables |
 *             | ...              |      | ...              |
 *        256  | hypervisor       |      | hypervisor       |
 *        272  | kernel slots     |      | empty            |
 *        511  |  (shared by all) |      |                  |
 *             +------------------+      +------------------+
 *
 * struct pv_space is that pair. libpv keeps both in step, allocates and frees the tables below, and
 * does whatever the hypervisor wants done about them. All frames are pfn_t.
 *
 * All return 0 or -XEN_E* except as noted. No space may be changed by two vCPUs at once; libpv has
 * no lock for it. "May be lazy": see batch.h. Reference: abi/xen.h.
 */
#ifndef PV_SPACE_H
#define PV_SPACE_H

#include <pv/types.h>
#include <pv/pagetable.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pv_space {
    pfn_t kernel; /* L4 for kernel mode */
    pfn_t user;   /* L4 for user mode, or PV_PFN_INVALID */
};

/*
 * The space of the initial page tables: kernel only, no user table. The L4 slots that it uses when
 * another space is created are shared by that space for ever ("kernel slots"): map something in
 * each slot that the kernel will want before creating the first. All other slots are for user
 * mappings. The hypervisor's slots (256 .. 271) are neither.
 */
struct pv_space *pv_space_kernel(void);

/*
 * Makes a space that shares the kernel slots and maps nothing in the others, and pins it. Takes two
 * frames from pv_host_page_alloc(). -XEN_ENOMEM; on failure nothing is left behind.
 */
int pv_space_create(struct pv_space *s);

/*
 * Unpins the space and frees its tables of all levels to pv_host_page_free(), but not the pages
 * that are mapped. The space must not be loaded on any vCPU (pv_host_panic()), and is invalid
 * after. May not be lazy. -XEN_EINVAL: it was not made by pv_space_create(); nothing has changed.
 */
int pv_space_destroy(struct pv_space *s);

/*
 * Loads the space on this vCPU: both tables in one hypercall. Translations of the old one are
 * forgotten. A lazy batch is flushed first, and its error keeps the old space. Context: any, if the
 * stack and this code are mapped in both (kernel slots are).
 */
int pv_space_switch(const struct pv_space *s);

/*
 * Maps one page. Missing tables are made at once; the last entry may be lazy. An entry that was
 * there is replaced without a flush (pv_tlb_flush_page()).
 * -XEN_ENOMEM: no frame for a table; -XEN_EINVAL: va is the hypervisor's or not canonical, or
 * the frame is not ours; -XEN_EBUSY: it may not be mapped so (a page table, writable). On failure
 * the entry is as it was; tables that were made stay, empty.
 */
int pv_space_map(struct pv_space *s, uint64_t va, pfn_t frame, uint64_t rights);

/*
 * As above, for n frames in a row at consecutive addresses. On failure *done (may be NULL) says how
 * many were mapped.
 */
int pv_space_map_range(struct pv_space *s, uint64_t va, pfn_t first, uint64_t n, uint64_t rights,
                       uint64_t *done);

/* Removes a mapping; tables stay. 0 also when there was none. May be lazy. No flush. */
int pv_space_unmap(struct pv_space *s, uint64_t va);

/* The entry for va, absent where a table is missing. Flushes this vCPU's lazy batch. */
pv_pte_t pv_space_lookup(const struct pv_space *s, uint64_t va);

/*
 * Maps all of the guest's frames at the addresses that pv_host_page_va() gives by default, beyond
 * what the initial mapping covers, and gives them to the default allocator. For kernels without
 * memory management of their own. -XEN_ENOMEM.
 */
int pv_space_map_all_memory(void);

/*
 * The same for kernels that manage their memory: tells the first frame that nothing uses. It and
 * all beyond it, up to pv_start_pages(), are the caller's. What libpv allocates from then on comes
 * from pv_host_page_alloc(), which is not called before. PV_PFN_INVALID: no memory for the tables.
 */
pfn_t pv_space_map_linear(void);

#ifdef __cplusplus
}
#endif
#endif
