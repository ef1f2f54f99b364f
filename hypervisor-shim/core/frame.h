/* SPDX-License-Identifier: MIT
 *
 * frame.h - who owns a frame, and what it may be used for.
 *
 * One struct frame for each machine frame. Two counts, as in Xen:
 *
 *   refs       every use of the frame: 1 for being allocated to its owner, 1
 *              for each present page-table entry that maps it, for each
 *              grant in use, for being a vCPU's root ... Frees at 0.
 *   type_refs  the uses that need the frame to be of `type`: each writable
 *              mapping of a FRAME_WRITABLE, each entry that points to a
 *              FRAME_L1..L4, each GDT/LDT slot that holds a FRAME_SEGDESC,
 *              and one for being pinned. The type may change only at 0.
 *
 * Invariants (frame_audit() recomputes all of it from scratch):
 *   - type_refs <= refs; a free frame has owner DOMID_NONE;
 *   - a frame of type L1..L4 or SEGDESC has no writable mapping anywhere;
 *   - a VALIDATED table frame holds only entries that the rules allow, and
 *     each of them has its references;
 *   - a frame that leaves a type or an owner may still be in a TLB: `stamp`
 *     tells whether a flush has happened since (frame_settle()).
 *
 * All of it is reached under the one hypervisor lock; counts are plain numbers.
 */
#ifndef HV_FRAME_H
#define HV_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <pv/types.h>

struct domain;
struct vcpu;

enum frame_type {
    FRAME_NONE,     /* only read-only or no mappings so far */
    FRAME_L1,
    FRAME_L2,
    FRAME_L3,
    FRAME_L4,
    FRAME_SEGDESC,
    FRAME_WRITABLE,
    FRAME_TYPES
};

enum frame_flag {
    FRAME_ALLOCATED = 1 << 0, /* holds the owner's own reference            */
    FRAME_PINNED    = 1 << 1, /* the guest pinned its type                  */
    FRAME_VALIDATED = 1 << 2, /* table or descriptor contents were checked  */
    FRAME_PARTIAL   = 1 << 3, /* validation stopped at entry `progress`     */
    FRAME_HV        = 1 << 4, /* the hypervisor's page, shared with a guest */
};

struct frame {
    union {
        struct {
            uint32_t refs;
            uint32_t type_refs;
        };
        struct {           /* while free: the buddy allocator's list */
            uint32_t next;
            uint32_t prev;
        };
    };
    uint16_t owner;        /* domid; XEN_DOMID_XEN: hypervisor; DOMID_NONE: free */
    uint8_t type;          /* enum frame_type; while free: the block's order     */
    uint8_t flags;         /* enum frame_flag */
    union {
        uint32_t stamp;    /* flush clock when type_refs or refs fell to 0 */
        uint32_t progress; /* while PARTIAL: entries done */
    };
};
_Static_assert(sizeof(struct frame) == 16, "indexed by a shift");

#define DOMID_NONE  ((uint16_t)0x7ff5)  /* owner of free memory; no ABI meaning */

extern struct frame *frame_table;       /* indexed by mfn */
extern uint64_t frame_count;            /* mfns below this have an entry */
extern uint64_t *frame_m2p;             /* machine to physical, as guests see it */
#define M2P_INVALID  (~0ull)

static inline bool frame_valid(mfn_t m) { return m.n < frame_count; }
static inline struct frame *frame_of(mfn_t m) { return &frame_table[m.n]; }
static inline mfn_t frame_mfn(const struct frame *f) { return mfn((uint64_t)(f - frame_table)); }

/* -- allocation (frame.c) ---------------------------------------------- */

/* Hand [start, end) to the allocator at boot. Everything else that has a
 * frame_table entry belongs to XEN_DOMID_XEN or XEN_DOMID_IO and is never mapped. */
void frame_add_memory(mfn_t start, mfn_t end);
/* 2^order contiguous frames for the hypervisor itself, zeroed; NULL: none left. */
void *frame_hv_alloc(unsigned order);
void frame_hv_free(void *page, unsigned order);
/* 2^order contiguous frames to d, each with its allocation reference, contents
 * scrubbed if another owner had them. False: no memory or d is at max_pages. */
bool frame_domain_alloc(struct domain *d, unsigned order, mfn_t *first);
/* d gives up its allocation reference; the frame is free when the last use ends. */
bool frame_domain_free(struct domain *d, mfn_t m);
/* Let d's guests map one of the hypervisor's own pages (shared_info, grant
 * frames), writable or not. */
void frame_share(void *page, struct domain *d, bool writable);
uint64_t frame_free_count(void);

/* -- references (inline: they are on every hot path) -------------------- */

/* A use of a frame that must belong to d. False: not d's, or not allocated. */
static inline bool frame_get(struct frame *f, uint16_t owner)
{
    if (__builtin_expect(f->owner != owner || f->refs == 0 || f->refs == UINT32_MAX, 0))
        return false;
    f->refs++;
    return true;
}

void frame_release(struct frame *f); /* refs fell to 0 */

static inline void frame_put(struct frame *f)
{
    if (__builtin_expect(--f->refs == 0, 0))
        frame_release(f);
}

/* The flush clock: a frame whose stamp is the present time may still be cached
 * under its former type or owner. */
extern uint32_t frame_flush_clock;

#endif
