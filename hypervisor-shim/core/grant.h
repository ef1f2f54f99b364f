/* SPDX-License-Identifier: MIT
 *
 * grant.h - grant tables, version 1.
 *
 *      granter                                          grantee
 *      shared[ref]   flags, domid, frame   (its own)    maptrack[handle]  domid, ref, frame
 *      active[ref]   who has it, how often  <---------- one for each mapping
 *
 * shared[] is written by the guest at any time: it is read once, and only its
 * flags are written by us, by compare-and-swap. active[] says what was agreed when the first
 * use began, and stays in force until the last one ends, whatever the guest writes meanwhile.
 */
#ifndef HV_GRANT_H
#define HV_GRANT_H

#include <pv/abi/grant_table.h>
#include "domain.h"

enum {
    GRANT_FRAMES = 64, /* of a table, at the most */
    GRANT_PER_FRAME = PV_PAGE_SIZE / sizeof(struct xen_grant_entry_v1),
    MAPTRACK_PAGES = 64,
    GRANT_RETRIES = 5, /* against a guest that keeps changing an entry */
};

struct grant_active {
    uint32_t mfn;
    uint16_t domid;           /* who uses it */
    uint8_t readers, writers; /* mappings of either kind; both 0: not in use */
};
_Static_assert(GRANT_PER_FRAME * sizeof(struct grant_active) == PV_PAGE_SIZE, "one page for each");

struct grant_mapping {
    uint32_t ref;
    uint16_t domid; /* the granter */
    uint16_t flags; /* XEN_GNTMAP_* that are still in force; 0: free */
    uint32_t mfn;
    uint32_t next; /* of the free list; ~0: its end */
};
enum { MAPTRACK_PER_PAGE = PV_PAGE_SIZE / sizeof(struct grant_mapping) };

struct grant_table {
    uint32_t frames;  /* in shared[] and active[] */
    uint32_t handles; /* there are so many mappings, in use or free */
    uint32_t free_handle;
    struct xen_grant_entry_v1 *shared[GRANT_FRAMES];
    struct grant_active *active[GRANT_FRAMES];
    struct grant_mapping *maptrack[MAPTRACK_PAGES];
};
_Static_assert(sizeof(struct grant_table) <= PV_PAGE_SIZE, "one page");

static inline struct grant_mapping *grant_mapping(struct grant_table *t, uint32_t handle)
{
    return &t->maptrack[handle / MAPTRACK_PER_PAGE][handle % MAPTRACK_PER_PAGE];
}

/* -- for the shim's own back-ends (grant_pin.c) --------------------------------------------
 *
 * What a front-end grants to domain 0, the shim uses. All return a status (XEN_GNTST_*), and a
 * refusal records its reason with the granter.
 *
 * A pin is a device mapping of domain 0's: the frame has a reference (and is writable) until
 * grant_unpin(), whatever happens to the granter meanwhile. For what a device reads or writes, and
 * for rings. The page is at plat_map(mfn).
 */
int16_t grant_pin(struct domain *granter, uint32_t ref, bool readonly, uint32_t *handle, mfn_t *m);
void grant_unpin(uint32_t handle);

/* An access begins and ends within one entry of the hypervisor, and needs no reference: to copy
 * from or to a granted page. Only the status bits tell the granter. */
struct grant_access {
    uint8_t *page;
    uint32_t mfn;
    bool marked, readonly; /* the status bits are set for this access */
    struct xen_grant_entry_v1 *entry;
    const struct grant_active *act;
};
int16_t grant_access_begin(struct domain *granter, uint32_t ref, bool readonly,
                           struct grant_access *a);
void grant_access_end(const struct grant_access *a);

#endif
