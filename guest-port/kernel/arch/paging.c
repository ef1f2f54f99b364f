/* SPDX-License-Identifier: MIT */
/*
 * paging.c - four-level page tables: the encoding of entries, and walking.
 *
 * All stores to page tables go through pte_set; only this file knows the bits. The upper half is
 * the same in every address space: its top-level entries are made at start-up (the ones for
 * ioremap included) and never change afterwards.
 */
#include "cpu.h"
#include "errno.h"
#include "mm.h"
#include "printk.h"
#include "string.h"

#define P_PRESENT  0x001UL
#define P_WRITE    0x002UL
#define P_USER     0x004UL
#define P_PWT      0x008UL
#define P_PCD      0x010UL
#define P_ACCESSED 0x020UL
#define P_DIRTY    0x040UL
#define P_NX       (1UL << 63)
#define P_NOACCESS 0x100UL /* not present, but a frame all the same */
#define SWAP_SHIFT 12

#define LEVEL_SHIFT(l) (12 + 9 * (l)) /* level 0: leaf tables */

const pte_t pte_empty;
struct pagetable kernel_pt;

/* Each lies within one top-level entry (512 GiB). */
static const u64 kernel_areas[] = {DIRECT_BASE, VMAP_BASE, KERNEL_BASE};
bool have_nx;

static u64 rights_bits(unsigned rights)
{
    u64 v = P_PRESENT;

    if (rights & PTE_WRITE)
        v |= P_WRITE;
    if (rights & PTE_USER)
        v |= P_USER;
    if (rights & PTE_NOCACHE)
        v |= P_PCD | P_PWT;
    if (!(rights & PTE_EXEC) && have_nx)
        v |= P_NX;
    return v;
}

pte_t pte_make(u64 frame, unsigned rights)
{
    if (rights & PTE_NOACCESS)
        return (pte_t){(~frame << PAGE_SHIFT & ENTRY_FRAME) | P_NOACCESS};
    return (pte_t){entry_encode(frame) | rights_bits(rights)};
}

/* Numbers in entries that are not present are stored inverted, so that they never look like an
 * address in low memory (L1TF). */
pte_t pte_make_swap(u64 slot)
{
    return (pte_t){(~slot << SWAP_SHIFT & ENTRY_FRAME) | P_PWT};
}

u64 pte_frame(pte_t e)
{
    return e.bits & P_PRESENT ? entry_decode(e.bits) : (~e.bits & ENTRY_FRAME) >> PAGE_SHIFT;
}

u64 pte_swap_slot(pte_t e)
{
    return (~e.bits & ENTRY_FRAME) >> SWAP_SHIFT;
}

bool pte_present(pte_t e)
{
    return e.bits & (P_PRESENT | P_NOACCESS);
}

bool pte_none(pte_t e)
{
    return e.bits == 0;
}

bool pte_is_swap(pte_t e)
{
    return e.bits && !(e.bits & (P_PRESENT | P_NOACCESS));
}

bool pte_writable(pte_t e)
{
    return e.bits & P_WRITE;
}

bool pte_dirty(pte_t e)
{
    return e.bits & P_DIRTY;
}

bool pte_accessed(pte_t e)
{
    return e.bits & P_ACCESSED;
}

pte_t pte_set_rights(pte_t e, unsigned rights)
{
    pte_t n = pte_make(pte_frame(e), rights);

    n.bits |= e.bits & (P_ACCESSED | P_DIRTY);
    return n;
}

pte_t pte_clear_accessed(pte_t e)
{
    return (pte_t){e.bits & ~P_ACCESSED};
}

pte_t pte_mark(pte_t e, bool dirty)
{
    return (pte_t){e.bits | P_ACCESSED | (dirty ? P_DIRTY : 0)};
}

void pte_set(pte_t *slot, pte_t e)
{
    entry_store(&slot->bits, e.bits);
}

/* An entry that leads to a lower table. */
static pte_t pte_make_table(u64 frame, bool user)
{
    return (pte_t){entry_encode(frame) | P_PRESENT | P_WRITE | P_ACCESSED | (user ? P_USER : 0)};
}

static pte_t *frame_table(u64 frame)
{
    return phys_virt(frame << PAGE_SHIFT);
}

static unsigned level_index(u64 va, int level)
{
    return va >> LEVEL_SHIFT(level) & (PT_ENTRIES - 1);
}

void pagetable_add(struct pagetable *pt, struct page *p)
{
    list_add_tail(&pt->tables, &p->lru);
    pt->nr_tables++;
}

/* Walks down to the table of `level`, making what is missing when asked. */
pte_t *pagetable_walk(struct pagetable *pt, u64 va, int level, bool alloc, bool user)
{
    pte_t *t = frame_table(pt->root);

    for (int l = 3; l > level; l--) {
        pte_t *e = &t[level_index(va, l)];

        if (!pte_present(*e)) {
            struct page *p;

            if (!alloc)
                return NULL;
            p = alloc_page(GFP_ZERO | (user ? GFP_USER : 0));
            if (!p)
                return NULL;
            pagetable_add(pt, p);
            pte_set(e, pte_make_table(page_frame(p), user));
        }
        t = frame_table(pte_frame(*e));
    }
    return &t[level_index(va, level)];
}

pte_t *pagetable_slot(struct pagetable *pt, u64 va, bool alloc)
{
    return pagetable_walk(pt, va, 0, alloc, true);
}

/* Skips what whole missing tables of any level leave out, so that huge empty ranges cost little. */
pte_t *pagetable_find(struct pagetable *pt, u64 *at, u64 end)
{
    u64 va = *at;

    while (va < end) {
        pte_t *t = frame_table(pt->root);
        int l = 3;

        for (; l > 0 && pte_present(t[level_index(va, l)]); l--)
            t = frame_table(pte_frame(t[level_index(va, l)]));
        if (l == 0) {
            *at = va;
            return &t[level_index(va, 0)];
        }
        va = ALIGN_DOWN(va, 1UL << LEVEL_SHIFT(l)) + (1UL << LEVEL_SHIFT(l));
    }
    *at = end;
    return NULL;
}

u64 pagetable_next(u64 va)
{
    return ALIGN_DOWN(va, 1UL << LEVEL_SHIFT(1)) + (1UL << LEVEL_SHIFT(1));
}

int pagetable_init(struct pagetable *pt)
{
    struct page *p = alloc_page(GFP_ZERO | GFP_USER);
    pte_t *t, *k = frame_table(kernel_pt.root);

    list_init(&pt->tables);
    pt->nr_tables = 0;
    if (!p)
        return -ENOMEM;
    pt->root = page_frame(p);
    pagetable_add(pt, p);
    t = page_addr(p);
    for (unsigned i = 0; i < ARRAY_SIZE(kernel_areas); i++) {
        unsigned n = level_index(kernel_areas[i], 3);

        pte_set(&t[n], k[n]);
    }
    return 0;
}

void pagetable_free(struct pagetable *pt)
{
    while (!list_empty(&pt->tables)) {
        struct page *p = list_first(&pt->tables, struct page, lru);

        list_del(&p->lru);
        page_put(p);
    }
    pt->root = 0;
    pt->nr_tables = 0;
}
