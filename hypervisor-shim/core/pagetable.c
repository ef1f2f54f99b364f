/* SPDX-License-Identifier: MIT
 *
 * pagetable.c - validation of tables, and the end of them.
 *
 *        type_refs 0 ── table_get ──► PARTIAL ── all entries taken ──► VALIDATED
 *             ▲                        │   ▲                              │
 *             └── all entries given back   └────── last table_put ────────┘
 *
 * A PARTIAL table has one type reference. Whose it is: the one that is working on it; an
 * entry above or the zap list, when its end was interrupted; its own (FRAME_ORPHAN), when its
 * validation was. A taker may always resume the validation from `progress`.
 *
 * An L1 is validated or dropped in one go (512 entries are the unit of work). Above it
 * the work stops after any entry. Recursion is bounded by the levels: a table of the same
 * level is only referred to when it is validated, and is never entered.
 */
#include "pagetable.h"

long pt_record(const struct pt *c, struct reason *r)
{
    return c->v ? reason_record(c->v, r) : reason_record_domain(c->d, r);
}

/* -- level 1 ------------------------------------------------------------------ */

/* What is wrong with the frame that e wants, once its flags are known to be good? */
static long l1_refuse_frame(const struct pt *c, uint64_t old, uint64_t e)
{
    mfn_t m = pte_mfn(e);
    struct frame *f = frame_of(m);

    if (m.n == PTE_FRAME >> PV_PAGE_SHIFT)
        return pt_refuse(c, RULE_PT_FRAME_NONE, .mfn = m.n, .level = 1, .old_entry = old,
                         .new_entry = e);
    if (!frame_valid(m) || f->owner == XEN_DOMID_IO)
        return pt_refuse(c, RULE_PT_FRAME_IO, .mfn = m.n, .level = 1, .old_entry = old,
                         .new_entry = e, .limit = frame_count);
    if (f->owner != c->owner)
        return pt_refuse(c, RULE_PT_FRAME_OWNER, .mfn = m.n, .level = 1, .old_entry = old,
                         .new_entry = e);
    if (f->refs >= FRAME_REFS_MAX)
        return pt_refuse(c, RULE_PT_REFS, .mfn = m.n, .level = 1, .old_entry = old, .new_entry = e,
                         .err = -XEN_EBUSY);
    if (f->type == FRAME_SEGDESC)
        return pt_refuse(c, RULE_PT_WRITABLE_DESCRIPTORS, .mfn = m.n, .level = 1, .old_entry = old,
                         .new_entry = e);
    if (f->type == FRAME_NONE)
        return pt_refuse(c, RULE_PT_WRITABLE_SHARED, .mfn = m.n, .level = 1, .old_entry = old,
                         .new_entry = e);
    return pt_refuse(c, RULE_PT_WRITABLE_TABLE, .mfn = m.n, .level = 1, .old_entry = old,
                     .new_entry = e);
}

long l1_refuse(const struct pt *c, uint64_t old, uint64_t e)
{
    if (e & L1_REFUSED)
        return pt_refuse(c, RULE_PT_FLAGS_L1, .mfn = pte_mfn(e).n, .level = 1, .old_entry = old,
                         .new_entry = e, .value = e & L1_REFUSED);
    return l1_refuse_frame(c, old, e);
}

enum { STRIDE = 16 }; /* entries that are looked at together */

static inline bool none_present(const uint64_t *t)
{
    uint64_t any = 0;

#pragma GCC unroll 16
    for (unsigned i = 0; i < STRIDE; i++)
        any |= t[i];
    return !(any & PTE_P);
}

static void l1_drop_all(const uint64_t *t)
{
    for (const uint64_t *end = t + PT_ENTRIES; t < end; t += STRIDE) {
        if (none_present(t))
            continue;
        for (unsigned j = 0; j < STRIDE; j++)
            l1_drop(t[j]);
    }
}

static long l1_refuse_entry(const struct pt *c, uint64_t *t, unsigned i, mfn_t table)
{
    struct pt at = *c;

    for (unsigned j = 0; j < i; j++)
        l1_drop(t[j]);
    at.va = mfn_to_maddr(table) + i * sizeof(*t);
    at.owner = c->d->id;
    return l1_refuse(&at, 0, t[i]);
}

static long l1_promote(const struct pt *c, struct frame *f)
{
    mfn_t m = frame_mfn(f);
    uint64_t *t = plat_map(m);
    uint16_t owner = c->d->id;

    for (unsigned i = 0; i < PT_ENTRIES; i += STRIDE) {
        if (none_present(t + i))
            continue;
        for (unsigned j = i; j < i + STRIDE; j++) {
            uint64_t e = t[j];

            if (!(e & PTE_P))
                continue;
            if (unlikely(e & L1_REFUSED) || unlikely(!l1_take(owner, e)))
                return l1_refuse_entry(c, t, j, m);
            t[j] = l1_adjust(e);
        }
    }
    return 0;
}

/* -- entries of levels 2 to 4 --------------------------------------------------- */

enum { BLOCK = 32, ALL_BLOCKS = 0xffff }; /* entries for a bit of frame.blocks */

static inline uint16_t block_bit(unsigned slot)
{
    return (uint16_t)(1u << slot / BLOCK);
}

/* The first entry at or after i, of a stride's beginning, where something may be present. */
static inline unsigned skip_absent(const uint64_t *t, unsigned i)
{
    while (i < PT_ENTRIES && none_present(t + i))
        i += STRIDE;
    return i;
}

/* The same downwards: behind the last entry below i that may be present, i being a block's end. */
static inline unsigned skip_blocks(unsigned blocks, unsigned i)
{
    blocks &= (1u << i / BLOCK) - 1;
    return blocks ? (BLOCK - (unsigned)__builtin_clz(blocks)) * BLOCK : 0;
}

static inline uint64_t upper_adjust(uint64_t e, unsigned level)
{
    return e | PTE_US | (level == 4 ? PTE_A : 0);
}

/* A table that maps one of its own level, child. */
static long linear_get(const struct pt *c, struct frame *f, struct frame *child, uint64_t e,
                       unsigned level)
{
    if (e & PTE_RW)
        return pt_refuse(c, RULE_PT_LINEAR_WRITABLE, .mfn = pte_mfn(e).n, .level = level,
                         .new_entry = e);
    if (child == f)
        return 0;
    if (!(child->flags & FRAME_VALIDATED))
        return pt_refuse(c, RULE_PT_LINEAR_UNFINISHED, .mfn = pte_mfn(e).n, .level = level,
                         .new_entry = e);
    if (f->linear < 0 || child->linear > 0 || child->linear == INT16_MIN)
        return pt_refuse(c, RULE_PT_LINEAR_NESTED, .mfn = pte_mfn(e).n, .level = level,
                         .new_entry = e);
    if (child->refs >= FRAME_REFS_MAX)
        return pt_refuse(c, RULE_PT_REFS, .mfn = pte_mfn(e).n, .level = level, .new_entry = e);
    f->linear++;
    child->linear--;
    child->type_refs++;
    child->refs++;
    return 0;
}

static long upper_get(const struct pt *c, struct frame *f, uint64_t e, unsigned level)
{
    mfn_t m = pte_mfn(e);
    struct frame *child = frame_of(m);

    if (unlikely(e & PTE_PS && level < 4))
        return pt_refuse(c, RULE_PT_SUPERPAGE, .mfn = m.n, .level = level, .new_entry = e);
    if (unlikely(e & LX_REFUSED))
        return pt_refuse(c, RULE_PT_FLAGS, .mfn = m.n, .level = level, .new_entry = e,
                         .value = e & LX_REFUSED);
    if (unlikely(!frame_valid(m) || child->owner != c->d->id))
        return pt_refuse(c, RULE_PT_TABLE_OWNER, .mfn = frame_valid(m) ? m.n : 0, .level = level,
                         .new_entry = e);
    if (unlikely(child->type == level && child->type_refs))
        return linear_get(c, f, child, e, level);
    return table_get(c, child, level - 1);
}

static bool put(struct domain *d, struct frame *f);

/* False: the end of what it pointed to was interrupted. */
static bool upper_put(struct domain *d, struct frame *f, uint64_t e)
{
    struct frame *child = frame_of(pte_mfn(e));

    if (child == f)
        return true;
    if (unlikely(child->type == f->type)) {
        f->linear--;
        child->linear++;
    }
    return put(d, child);
}

static long upper_promote(const struct pt *c, struct frame *f, unsigned level)
{
    mfn_t m = frame_mfn(f);
    uint64_t *t = plat_map(m);
    struct pt at = *c;
    uint16_t blocks = f->progress ? ALL_BLOCKS : 0;

    for (unsigned i = f->progress; i < PT_ENTRIES; i++) {
        uint64_t e;
        long rc;

        if (!(i % STRIDE) && (i = skip_absent(t, i)) == PT_ENTRIES)
            break;
        e = t[i];
        if (!(e & PTE_P) || (level == 4 && i >= L4_HV_FIRST && i <= L4_HV_LAST))
            continue;
        at.va = mfn_to_maddr(m) + i * sizeof(*t);
        at.entry = e;
        rc = upper_get(&at, f, e, level);
        if (unlikely(rc)) {
            f->progress = i;
            return rc;
        }
        t[i] = upper_adjust(e, level);
        blocks |= block_bit(i);
        if (level == 2 && unlikely(plat_interrupt_pending()) && i < PT_ENTRIES - 1) {
            f->progress = i + 1;
            return -XEN_ERESTART;
        }
    }
    f->blocks = blocks;
    if (level == 4)
        plat_root_init(t);
    return 0;
}

/* -- tables ----------------------------------------------------------------------- */

static void zap_push(struct domain *d, struct frame *f)
{
    HV_ASSERT(d->zaps < sizeof(d->zap) / sizeof(d->zap[0]));
    d->zap[d->zaps++] = frame_mfn(f);
}

/* What was pushed since `start` came from the depth upwards: put the deepest on top. */
static void zap_order(struct domain *d, unsigned start)
{
    for (unsigned i = start, j = d->zaps; i + 1 < j; i++) {
        mfn_t m = d->zap[--j];

        d->zap[j] = d->zap[i];
        d->zap[i] = m;
    }
}

/* The only type reference of f ends: its entries first. False: interrupted; either f or something
 * below it is on the zap list. */
static bool drop(struct domain *d, struct frame *f)
{
    uint64_t *t = plat_map(frame_mfn(f));
    unsigned level = f->type, blocks = ALL_BLOCKS, i;
    bool done = true;

    if (level == 1) {
        l1_drop_all(t);
    } else {
        if (f->flags & FRAME_VALIDATED) {
            blocks = f->blocks;
            f->progress = PT_ENTRIES;
        }
        f->flags = (f->flags & ~(FRAME_VALIDATED | FRAME_ORPHAN)) | FRAME_PARTIAL;
        for (i = f->progress; i > 0;) {
            if (!(i % BLOCK) && (i = skip_blocks(blocks, i)) == 0)
                break;
            i--;
            if (!(t[i] & PTE_P) || (level == 4 && i >= L4_HV_FIRST && i <= L4_HV_LAST))
                continue;
            f->progress = i;
            done = upper_put(d, f, t[i]) && !(level == 2 && plat_interrupt_pending());
            if (unlikely(!done) && i > 0) {
                zap_push(d, f);
                return false;
            }
        }
    }
    f->flags &= ~(FRAME_VALIDATED | FRAME_PARTIAL | FRAME_ORPHAN);
    f->type_refs = 0;
    f->stamp = frame_flush_clock;
    frame_put(f);
    return done;
}

static bool put(struct domain *d, struct frame *f)
{
    if (likely(f->type_refs > 1)) {
        f->type_refs--;
        frame_put(f);
        return true;
    }
    return drop(d, f);
}

void table_put(struct domain *d, struct frame *f)
{
    unsigned start = d->zaps;

    if (!put(d, f))
        zap_order(d, start);
}

bool table_zap(struct domain *d)
{
    while (d->zaps) {
        unsigned start = --d->zaps;

        if (!put(d, frame_of(d->zap[start])))
            zap_order(d, start);
        if (d->zaps && plat_interrupt_pending())
            return false;
    }
    return true;
}

/* f is in use as something else than what it should become. */
static long type_refuse(const struct pt *c, struct frame *f, unsigned level)
{
    mfn_t m = frame_mfn(f);

    if (f->type == FRAME_WRITABLE)
        return pt_refuse(c, RULE_PT_TABLE_WRITABLE, .mfn = m.n, .level = level,
                         .new_entry = c->entry);
    return pt_refuse(c, RULE_PT_TABLE_TYPE, .mfn = m.n, .level = level, .new_entry = c->entry);
}

static long table_resume(const struct pt *c, struct frame *f, unsigned level, bool ours)
{
    unsigned start = c->d->zaps;
    long rc = upper_promote(c, f, level);

    if (likely(rc == 0)) {
        f->flags = (f->flags & ~FRAME_PARTIAL) | FRAME_VALIDATED;
        stage_reached(c->d, STAGE_tables);
        if (!ours) {
            f->type_refs++;
            f->refs++;
        }
    } else if (ours && rc == -XEN_ERESTART) {
        f->flags |= FRAME_ORPHAN;
    } else if (ours && !drop(c->d, f)) {
        zap_order(c->d, start);
    }
    return rc;
}

long table_get(const struct pt *c, struct frame *f, unsigned level)
{
    bool ours = true;
    uint8_t was;
    long rc;

    if (unlikely(f->refs >= FRAME_REFS_MAX))
        return pt_refuse(c, RULE_PT_REFS, .mfn = frame_mfn(f).n, .level = level,
                         .new_entry = c->entry);
    if (f->type_refs) {
        if (unlikely(f->type != level))
            return type_refuse(c, f, level);
        if (likely(f->flags & FRAME_VALIDATED)) {
            f->type_refs++;
            f->refs++;
            return 0;
        }
        ours = f->flags & FRAME_ORPHAN;
        f->flags &= ~FRAME_ORPHAN;
        return table_resume(c, f, level, ours);
    }
    was = f->type;
    frame_retype(f, level);
    f->type_refs = 1;
    f->refs++;
    if (level > 1) {
        f->progress = 0;
        f->linear = 0;
        f->flags |= FRAME_PARTIAL;
        return table_resume(c, f, level, true);
    }
    rc = l1_promote(c, f);
    if (likely(rc == 0)) {
        f->flags |= FRAME_VALIDATED;
        stage_reached(c->d, STAGE_tables);
        return 0;
    }
    f->type = was;
    f->type_refs = 0;
    f->refs--; /* it is allocated: never the last */
    return rc;
}

long table_update(const struct pt *c, struct frame *f, uint64_t *p, uint64_t e, bool preserve_ad,
                  bool *flush)
{
    unsigned level = f->type, slot = ((uintptr_t)p & PV_PAGE_MASK) / sizeof(*p);
    uint64_t old = __atomic_load_n(p, __ATOMIC_RELAXED);
    struct pt at = *c;
    long rc;

    if (unlikely(level == 4 && slot >= L4_HV_FIRST && slot <= L4_HV_LAST))
        return pt_refuse(c, RULE_PT_HV_SLOT, .mfn = frame_mfn(f).n, .level = level, .value = slot,
                         .old_entry = old, .new_entry = e);
    if (e & PTE_P) {
        if (likely(!(e & LX_REFUSED))) {
            e = upper_adjust(e, level);
            if (((old ^ e) & ~PTE_SOFT) == 0) {
                pte_write(p, old, e, preserve_ad);
                *flush = true;
                return 0;
            }
        }
        at.entry = e;
        rc = upper_get(&at, f, e, level);
        if (unlikely(rc))
            return rc;
        f->blocks |= block_bit(slot);
    }
    pte_write(p, old, e, preserve_ad);
    if (old & PTE_P) {
        unsigned start = c->d->zaps;

        if (!upper_put(c->d, f, old))
            zap_order(c->d, start);
        *flush = true;
    }
    return 0;
}

/* -- walks ---------------------------------------------------------------------------- */

unsigned l1_missing(const struct vcpu *v, uint64_t va)
{
    uint64_t e = v->root[1].n << PV_PAGE_SHIFT;

    for (unsigned level = 4; level > 1; level--) {
        e = ((const uint64_t *)plat_map(pte_mfn(e)))[pt_index(va, level)];
        if (!(e & PTE_P))
            return level - 1;
    }
    return 0;
}
