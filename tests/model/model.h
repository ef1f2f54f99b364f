/* SPDX-License-Identifier: MIT
 *
 * model.h - the memory side of the hypervisor once more, slow and simple.
 *
 * The model knows of each frame whose it is, what uses it (counts for each kind of use) and,
 * word for word, what it should hold. Each operation of the real core is predicted: its result, and
 * the state after it. No work of the model ever stops half way, nothing is optimised, no type
 * outlives its last use. model_compare() holds both against each other.
 */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include "tests/support/hosted.h"
#include "core/grant.h"

enum {
    FRAMES = 1536, /* of the machine */
    GUESTS = 3,    /* domains 1 .. GUESTS */
    GUEST_PAGES = 160,
    GREFS = 24, /* grant references that are used */
    HANDLES = 4096,
};

enum { OWNER_FREE = 0, OWNER_XEN = -1, OWNER_IO = -2 };

struct mframe {
    int owner; /* domid, or one of the above */
    int last;  /* owner before it was freed; 0: none ever */
    bool allocated, shared;
    uint8_t pinned;             /* level; 0: not */
    uint32_t refs;              /* all uses */
    uint32_t uses[FRAME_TYPES]; /* by type */
    int linear;                 /* as in struct frame */
    uint64_t word[PT_ENTRIES];
};

struct mgrant {
    uint16_t flags, domid; /* as the guest set them */
    uint32_t frame;
    unsigned user, mfn, readers, writers;
};

struct mmapping {
    bool used;
    unsigned domid, ref, flags, mfn;
};

struct mdomain {
    unsigned id;
    struct domain *d;
    struct vcpu *v;
    uint64_t root[2];
    uint64_t pages, max_pages;
    uint64_t gdt[GDT_PAGES];
    unsigned gdt_entries;
    uint64_t ldt_va;
    unsigned ldt_entries;
    uint64_t ldt[LDT_PAGES]; /* 0: not mapped */
    struct mgrant grant[GREFS];
    struct mmapping mapping[HANDLES];
};

extern struct mframe mframe[FRAMES];
extern struct mdomain mdomain[GUESTS + 1];

/* Take the state of a new machine over from the real one. */
void model_init(void);
/* The hypervisor may have taken free frames for itself, or given some back. */
void model_sync(void);
/* Frames, counts and contents are as they should be; false: printed what is not. */
bool model_compare(void);

/* Each returns what the hypervisor must answer. `d` runs. */
long model_update(struct mdomain *d, uint64_t ptr, uint64_t val);
long model_va_mapping(struct mdomain *d, uint64_t va, uint64_t e);
long model_pin(struct mdomain *d, uint64_t m, unsigned level);
long model_unpin(struct mdomain *d, uint64_t m);
long model_baseptr(struct mdomain *d, uint64_t m, bool user);
long model_clear(struct mdomain *d, uint64_t m);
long model_copy(struct mdomain *d, uint64_t to, uint64_t from);
long model_set_gdt(struct mdomain *d, const uint64_t *frames, unsigned entries);
long model_update_descriptor(struct mdomain *d, uint64_t maddr, uint64_t desc);
long model_set_ldt(struct mdomain *d, uint64_t va, unsigned entries);
bool model_ldt_fault(struct mdomain *d, unsigned page);
bool model_free(struct mdomain *d, uint64_t m); /* false: not d's */
void model_alloc(struct mdomain *d, uint64_t m);
bool model_stealable(struct mdomain *d, uint64_t m);
/* The kernel stores e at va, where its tables map it. True: emulated. */
bool model_pt_write(struct mdomain *d, uint64_t va, uint64_t e);

/* Grants: a status; *handle and *mfn of a map are the real ones. */
int model_map(struct mdomain *d, unsigned from, unsigned ref, unsigned flags, uint64_t addr,
              unsigned handle);
int model_unmap(struct mdomain *d, unsigned handle, uint64_t host, uint64_t bus,
                uint64_t new_addr); /* new_addr: 0, or whose entry takes the mapping's place */
int model_transfer(struct mdomain *d, uint64_t m, struct mdomain *to, unsigned ref);
int model_swap(struct mdomain *d, unsigned a, unsigned b);
struct mend {
    bool by_ref;
    unsigned domid;
    uint64_t what;
    unsigned offset;
};
int model_copy_grant(struct mdomain *d, const struct mend *from, const struct mend *to, unsigned n);

/* The L1 entry that maps va for d: frame << 9 | index; ~0: none. */
uint64_t model_walk(struct mdomain *d, uint64_t va);

#endif
