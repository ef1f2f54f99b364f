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
 *   - every type reference goes with a reference, so type_refs <= refs and only
 *     refs needs a check against overflow; a free frame has FRAME_FREE in flags
 *     and an owner that no domain has;
 *   - a frame of type L1..L4 or SEGDESC has no writable mapping anywhere;
 *   - a VALIDATED table frame holds only entries that the rules allow, and
 *     each of them has its references;
 *   - a frame that leaves a type or an owner may still be in a TLB: `stamp`
 *     tells whether a flush has happened since (frame_retype()).
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
    FRAME_NONE, /* only read-only or no mappings so far */
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
    FRAME_PINNED = 1 << 1,    /* the guest pinned its type                  */
    FRAME_VALIDATED = 1 << 2, /* table or descriptor contents were checked  */
    FRAME_PARTIAL = 1 << 3,   /* entries below `progress` hold references   */
    FRAME_HV = 1 << 4,        /* the hypervisor's page, shared with a guest */
    FRAME_ORPHAN = 1 << 5,    /* PARTIAL, and owns its one type reference   */
    FRAME_FREE = 1 << 7,      /* the allocator's; the low bits are its order */
};

struct frame {
    union {
        struct {
            uint32_t refs;
            uint32_t type_refs;
        };
        struct { /* while it heads a free block: the allocator's list */
            uint32_t next;
            uint32_t prev;
        };
    };
    uint16_t owner; /* domid; XEN_DOMID_XEN: hypervisor; DOMID_FREE | last owner: free */
    uint8_t type;   /* enum frame_type; while free: the last one */
    uint8_t flags;  /* enum frame_flag */
    union {
        uint32_t stamp;        /* flush clock when type_refs or refs fell to 0 */
        struct {                   /* of an L2..L4 in use: */
            union {
                uint16_t progress; /* while PARTIAL: entries below it hold references */
                uint16_t blocks;   /* while VALIDATED, bit i: entries 32 i ... may be present */
            };
            int16_t linear;        /* > 0: its entries that map its own level; < 0: uses as such */
        };
    };
};
_Static_assert(sizeof(struct frame) == 16, "indexed by a shift");

#define DOMID_NONE ((uint16_t)0x7ff5) /* never had an owner; no ABI meaning */
#define DOMID_FREE ((uint16_t)0x8000) /* in owner, with the last owner, of a free frame */

enum { FRAME_MAX_ORDER = 18, FRAME_ORDER_MASK = 0x1f, FRAME_INSIDE = 0x1f };

/* References stop here, far from wrapping. */
#define FRAME_REFS_MAX 0x80000000u

extern struct frame *frame_table; /* indexed by mfn */
extern uint64_t frame_count;      /* mfns below this have an entry */
extern uint64_t *frame_m2p;       /* machine to physical, as guests see it */
#define M2P_INVALID (~0ull)

static inline bool frame_valid(mfn_t m)
{
    return m.n < frame_count;
}
/* Only an address: m may be anything, as long as nobody looks before frame_valid(m) is known. */
static inline struct frame *frame_of(mfn_t m)
{
    return (struct frame *)((uintptr_t)frame_table + m.n * sizeof(struct frame));
}
static inline mfn_t frame_mfn(const struct frame *f)
{
    return mfn((uint64_t)(f - frame_table));
}

/* -- allocation (frame.c) ---------------------------------------------- */

/* At boot: the tables for `count` frames. All of them belong to XEN_DOMID_XEN until
 * frame_add_memory() says otherwise, and the M2P is all invalid. */
void frame_init(struct frame *table, uint64_t count, uint64_t *m2p);
/* Hand [start, end) to the allocator at boot. Everything else that has a
 * frame_table entry belongs to XEN_DOMID_XEN (or, by frame_add_io(), XEN_DOMID_IO)
 * and is never mapped by a guest. Frame 0 is never handed out. */
void frame_add_memory(mfn_t start, mfn_t end);
void frame_add_io(mfn_t start, mfn_t end);
/* 2^order contiguous frames for the hypervisor itself, zeroed; NULL: none left. */
void *frame_hv_alloc(unsigned order);
void *frame_hv_take(unsigned order); /* the same, with whatever they hold */
/* Gives back such frames. One that was shared lives on until its last mapping is gone. */
void frame_hv_free(void *page, unsigned order);
/* 2^order contiguous frames to d, each with its allocation reference, contents
 * scrubbed if another owner had them. False: no memory or d is at max_pages. */
bool frame_domain_alloc(struct domain *d, unsigned order, mfn_t *first);
/* d gives up its allocation reference; the frame is free when the last use ends.
 * False: it has been given up before. */
bool frame_domain_free(struct domain *d, mfn_t m);
/* Let d's guests map one of the hypervisor's own pages (shared_info, grant
 * frames), writable or not. Its type is fixed for as long as it is shared. */
void frame_share(void *page, struct domain *d, bool writable);
/* Frames change places: d has `ours` (one of the hypervisor's, not shared) in the stead of `theirs`,
 * as the same pfn, and the hypervisor has that one. Contents stay; whoever lets another write to
 * `theirs` (its stamp) flushes before. False: something uses it. */
bool frame_exchange(struct domain *d, mfn_t theirs, mfn_t ours);
/* f, if it is free and was `owner`'s last, does not remember whose it was. */
void frame_forget_owner(struct frame *f, uint16_t owner);
uint64_t frame_free_count(void);

/* -- flushes --------------------------------------------------------------- */

/* The flush clock: a frame whose stamp is the present time may still be cached
 * under its former type or owner. */
extern uint32_t frame_flush_clock;

/* Forget every translation of this CPU. Loading a root does it as well, and says so by
 * frame_flushed(). */
void frame_flush(void);
static inline void frame_flushed(void)
{
    frame_flush_clock++;
}

/* Change the type of a frame with no type references; flushes first if a translation of its
 * former life may be cached. */
static inline void frame_retype(struct frame *f, enum frame_type type)
{
    if (f->type != type) {
        if (__builtin_expect(f->stamp == frame_flush_clock, 0))
            frame_flush();
        f->type = type;
    }
}

/* -- references (inline: they are on every hot path) -------------------- */

/* A use of a frame that must belong to d. False: not d's, or not allocated, or far too many. */
static inline bool frame_get(struct frame *f, uint16_t owner)
{
    if (__builtin_expect(f->owner != owner || f->refs >= FRAME_REFS_MAX, 0))
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

bool frame_become_writable(struct frame *f); /* the rest of the next one */

/* A writable use, beside a reference that the caller has. False: it is in use as something else. */
static inline bool frame_get_writable(struct frame *f)
{
    if (__builtin_expect(f->type != FRAME_WRITABLE, 0) && !frame_become_writable(f))
        return false;
    f->type_refs++;
    return true;
}

static inline void frame_put_writable(struct frame *f)
{
    if (--f->type_refs == 0)
        f->stamp = frame_flush_clock;
}

/* -- the truth (audit.c) -------------------------------------------------- */

/* Recompute every count from the page tables, roots, descriptor tables, grants and lists there
 * are. Returns the number of frames that differ; each is logged. For tests and debugging. */
unsigned frame_audit(void);

#endif
