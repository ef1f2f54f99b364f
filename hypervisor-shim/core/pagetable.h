/* SPDX-License-Identifier: MIT
 *
 * pagetable.h - what a page table may hold.
 *
 * A frame becomes a table when something needs it as one (a pin, a root, an
 * entry one level up): its entries are checked, each takes its references, and
 * from then on it changes only through l1_update() and table_update(). When
 * the last such use ends the entries give their references back.
 *
 *      entry of L1      a reference to the frame; writable: and one to its type
 *      entry of L2..L4  a reference and a type reference to the next table
 *      ... to a table of the same level, read-only (a linear page table): the
 *                       same, if that one is validated and not linear itself;
 *                       to the very same frame: nothing
 *
 * Entries are adjusted as Xen does for 64-bit guests, whose kernels run in ring 3: _USER is
 * forced in every present entry; the kernel's own level-1 entries are marked by bit 52. Xen
 * also sets _GLOBAL for user pages: we never let it in, for a root change is to forget them all.
 *
 * Long work stops between entries when an interrupt is pending: a table whose validation
 * stops is PARTIAL and, if nobody else has a reference yet, an ORPHAN that owns itself;
 * a table whose end stops goes to its domain's zap list. Whoever asks again resumes both.
 * Nothing here may wait, or believe an entry that it has not checked.
 */
#ifndef HV_PAGETABLE_H
#define HV_PAGETABLE_H

#include "domain.h"
#include "platform.h"
#include "mm.h"
#include <pv/abi/errno.h>

#define PTE_P      0x001ull
#define PTE_RW     0x002ull
#define PTE_US     0x004ull
#define PTE_PWT    0x008ull
#define PTE_PCD    0x010ull
#define PTE_A      0x020ull
#define PTE_D      0x040ull
#define PTE_PAT    0x080ull /* level 1 */
#define PTE_PS     0x080ull /* levels 2 and 3: superpage */
#define PTE_G      0x100ull
#define PTE_AVAIL  0xe00ull
#define PTE_AVAILH 0x7ff0000000000000ull
#define PTE_NX     0x8000000000000000ull
#define PTE_FRAME  0x000ffffffffff000ull
#define PTE_KERNEL 0x0010000000000000ull /* bit 52: a kernel page, though _USER is set */

#define L1_REFUSED (PTE_PWT | PTE_PCD | PTE_PAT)
#define LX_REFUSED (PTE_PWT | PTE_PCD | PTE_PS | PTE_G)
/* What may change in an entry without taking references anew. */
#define PTE_SOFT (PTE_NX | PTE_AVAILH | PTE_AVAIL | PTE_G | PTE_D | PTE_A | PTE_US)

enum { PT_ENTRIES = 512, L4_HV_FIRST = 256, L4_HV_LAST = 271 };

static inline mfn_t pte_mfn(uint64_t e)
{
    return mfn((e & PTE_FRAME) >> PV_PAGE_SHIFT);
}
static inline unsigned pt_index(uint64_t va, unsigned level)
{
    return va >> (3 + 9 * level) & 511;
}

static inline uint64_t l1_adjust(uint64_t e)
{
    e &= ~PTE_G;
    return e & PTE_US ? e : e | PTE_US | PTE_KERNEL;
}

/* Who asks, and for what: for reasons, and for the domain whose tables these are. */
struct pt {
    struct domain *d;
    struct vcpu *v; /* NULL: nobody in particular */
    uint64_t va;    /* the address argument that reasons show */
    uint64_t entry; /* and the entry of an upper level that asks for a table; 0: none does */
    uint16_t owner; /* whose frames new L1 entries may map: d->id, or XEN_DOMID_IO */
};

/* -- L1 entries: the hot path --------------------------------------------- */

/* Why may l1 entry e not be? Records it; the negative errno. (Out of line.) */
long l1_refuse(const struct pt *c, uint64_t old, uint64_t e);

/* Take the references of a present entry whose flags are good. False: it is not allowed, and
 * nothing changed. */
static inline bool l1_take(uint16_t owner, uint64_t e)
{
    mfn_t m = pte_mfn(e);
    struct frame *f = frame_of(m);

    if (unlikely(!frame_valid(m)) || unlikely(f->owner != owner) ||
        unlikely(f->refs >= FRAME_REFS_MAX))
        return false;
    if ((e & PTE_RW) && unlikely(!frame_get_writable(f)))
        return false;
    f->refs++;
    return true;
}

static inline void l1_drop(uint64_t e)
{
    struct frame *f;

    if (!(e & PTE_P))
        return;
    f = frame_of(pte_mfn(e));
    if (e & PTE_RW)
        frame_put_writable(f);
    frame_put(f);
}

/* The processor may set accessed and dirty bits while we look. */
static inline void pte_write(uint64_t *p, uint64_t old, uint64_t e, bool preserve_ad)
{
    if (likely(!preserve_ad)) {
        __atomic_store_n(p, e, __ATOMIC_RELAXED);
        return;
    }
    while (!__atomic_compare_exchange_n(p, &old, e | (old & (PTE_A | PTE_D)), false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

/* Replace entry *p of a validated L1 whose new frames must be owner's. False: nothing changed,
 * and l1_refuse() knows why. */
static inline bool l1_set(uint16_t owner, uint64_t *p, uint64_t e, bool preserve_ad)
{
    uint64_t old = __atomic_load_n(p, __ATOMIC_RELAXED);

    if (e & PTE_P) {
        if (unlikely(e & L1_REFUSED))
            return false;
        e = l1_adjust(e);
        if (((old ^ e) & ~PTE_SOFT) == 0) {
            pte_write(p, old, e, preserve_ad);
            return true;
        }
        if (unlikely(!l1_take(owner, e)))
            return false;
    }
    pte_write(p, old, e, preserve_ad);
    l1_drop(old);
    return true;
}

/* An entry's right to write comes or goes, and its frame `to` stays. */
static inline __attribute__((always_inline)) bool l1_set_write(uint16_t owner, uint64_t *p,
                                                               struct frame *to, uint64_t e)
{
    if (unlikely(to->owner != owner) || unlikely((e & PTE_RW) && to->type != FRAME_WRITABLE))
        return false;
    if (e & PTE_RW)
        to->type_refs++;
    else
        frame_put_writable(to);
    __atomic_store_n(p, e, __ATOMIC_RELAXED);
    return true;
}

/* l1_set() where nothing special happens: no frame changes its type or is released, so that
 * the caller needs no stack. `rights`: lists of changes of rights are expected, as fork makes them.
 * False: nothing changed, ask l1_set(). */
static inline __attribute__((always_inline)) bool l1_set_fast(uint16_t owner, uint64_t *p,
                                                              uint64_t e, const bool rights)
{
    uint64_t old = __atomic_load_n(p, __ATOMIC_RELAXED);
    struct frame *to = 0, *from;

    if (e & PTE_P) {
        if (unlikely(e & L1_REFUSED))
            return false;
        e = l1_adjust(e);
        if (((old ^ e) & ~PTE_SOFT) == 0) {
            __atomic_store_n(p, e, __ATOMIC_RELAXED);
            return true;
        }
        to = frame_of(pte_mfn(e));
        if (rights && ((old ^ e) & ~(PTE_SOFT | PTE_RW)) == 0)
            return l1_set_write(owner, p, to, e);
        if (unlikely(!frame_valid(pte_mfn(e))) || unlikely(to->owner != owner) ||
            unlikely(to->refs >= FRAME_REFS_MAX) ||
            unlikely((e & PTE_RW) && to->type != FRAME_WRITABLE))
            return false;
    }
    if (old & PTE_P) {
        from = frame_of(pte_mfn(old));
        if (unlikely(from->refs == 1))
            return false;
        from->refs--;
        if (old & PTE_RW)
            frame_put_writable(from);
    }
    if (e & PTE_P) {
        to->refs++;
        if (e & PTE_RW)
            to->type_refs++;
    }
    __atomic_store_n(p, e, __ATOMIC_RELAXED);
    return true;
}

/* -- tables ------------------------------------------------------------------ */

/* Take a reference and a type reference of f as a table of this level (1..4), validating it if
 * it is not. f must be d's (checked). 0; -XEN_EINVAL and others, refused; -XEN_ERESTART:
 * stopped for an interrupt, ask again. */
long table_get(const struct pt *c, struct frame *f, unsigned level);
/* Give both back. What remains to be done is on the zap list. */
void table_put(struct domain *d, struct frame *f);
/* Replace entry *p (of f, a validated table of level 2..4). *flush is set when a present one went.
 */
long table_update(const struct pt *c, struct frame *f, uint64_t *p, uint64_t e, bool preserve_ad,
                  bool *flush);

/* Work on the zap list. False: an interrupt is pending and there is more. */
bool table_zap(struct domain *d);
static inline bool table_zap_done(struct domain *d)
{
    return likely(d->zaps == 0) || table_zap(d);
}

/* The L1 entry that maps va in v's kernel page tables; NULL: there is none. Its L1 is one of the
 * domain's own, and validated. */
static inline uint64_t *l1_lookup(const struct vcpu *v, uint64_t va)
{
    uint64_t e;

    e = ((const uint64_t *)plat_map(v->root[1]))[pt_index(va, 4)];
    if (unlikely(!(e & PTE_P)))
        return 0;
    e = ((const uint64_t *)plat_map(pte_mfn(e)))[pt_index(va, 3)];
    if (unlikely(!(e & PTE_P)))
        return 0;
    e = ((const uint64_t *)plat_map(pte_mfn(e)))[pt_index(va, 2)];
    if (unlikely(!(e & PTE_P)))
        return 0;
    if (unlikely(frame_of(pte_mfn(e))->type != FRAME_L1)) /* a linear mapping led elsewhere */
        return 0;
    return (uint64_t *)plat_map(pte_mfn(e)) + pt_index(va, 1);
}

/* Which table is missing where l1_lookup() finds none: its level; 0: none, but the last is no L1.
 */
unsigned l1_missing(const struct vcpu *v, uint64_t va);
/* The entry itself, 0 if there is none: what the processor would find, in whatever table. */
static inline uint64_t l1_read(const struct vcpu *v, uint64_t va)
{
    uint64_t e = ((const uint64_t *)plat_map(v->root[1]))[pt_index(va, 4)];

#pragma GCC unroll 3
    for (unsigned level = 3; level > 0; level--) {
        if (unlikely(!(e & PTE_P)))
            return 0;
        e = ((const uint64_t *)plat_map(pte_mfn(e)))[pt_index(va, level)];
    }
    return likely(e & PTE_P) ? e : 0;
}

/* Record a refusal for c: of its vCPU, or of its domain as such. */
long pt_record(const struct pt *c, struct reason *r) __attribute__((cold));
#define pt_refuse(c, RULE_NAME, ...) \
    pt_record((c), &(struct reason){ \
                       .rule = (RULE_NAME), .hypercall = 0xffff, .va = (c)->va, __VA_ARGS__})

#endif
