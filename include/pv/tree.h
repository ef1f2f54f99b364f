/* SPDX-License-Identifier: MIT */
/*
 * tree.h - address spaces whose page tables a kernel makes by code of its own.
 *
 * space.h is for kernels that have no such code. One that has keeps it: it allocates its tables,
 * finds entries and fills them as before (pv_pt_set_slot()), and says when a tree begins, when a
 * table is put into it, when it is loaded and when it ends:
 *
 *     pv_tree_begin()   a draft: its tables are plain memory, so fork and exec fill
 *           |           them at the price of ordinary stores
 *     pv_tree_load()    the first time: all tables become read-only and are pinned,
 *           |           so that each is checked once; from now on stores are requests
 *     pv_tree_end()     plain memory again, to be emptied and freed as before
 *
 * Slots of the level-4 table that the kernel's space uses are the kernel's, shared by all trees;
 * the others are for user mappings (see space.h). libpv adds the level-4 table for user mode, which
 * has the same user slots and no others.
 *
 * Needs pv_space_map_linear(). No tree may be changed by two vCPUs at once. All return 0 or
 * -XEN_E*.
 */
#ifndef PV_TREE_H
#define PV_TREE_H

#include <pv/types.h>
#include <pv/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The kernel's to keep, libpv's to look into. */
#define PV_TREE_SMALL 30
struct pv_tree {
    struct pv_space space;
    struct pv_tree *next, **from; /* all that have begun and not ended */
    bool sealed;
    uint32_t tables;               /* how many were linked */
    uint32_t table[PV_TREE_SMALL]; /* their frames, of the first ones */
};

/*
 * Begins a tree with a level-4 table of the kernel's, which holds the kernel's slots and nothing
 * else. Takes a frame from pv_host_page_alloc(): -XEN_ENOMEM.
 */
int pv_tree_begin(struct pv_tree *t, pfn_t root);

/*
 * Has an entry of level 2 .. 4 lead to a table, which stays in the tree until its end. Errors as
 * pv_pt_link_slot().
 */
int pv_tree_link(struct pv_tree *t, void *slot, pfn_t below);

/* Loads the tree on this vCPU, as pv_space_switch(). Seals a draft first. */
int pv_tree_load(struct pv_tree *t);

/*
 * Makes a draft a tree that is ready to be loaded. Entries that the hypervisor does not allow end
 * in pv_host_panic(). pv_suspend() does it with all drafts: they hold machine frames that nobody
 * knows of.
 */
int pv_tree_seal(struct pv_tree *t);
int pv_tree_seal_all(void);

/* Must not be loaded on any vCPU. What begins again may have another level-4 table. */
void pv_tree_end(struct pv_tree *t);

#ifdef __cplusplus
}
#endif
#endif
