/* SPDX-License-Identifier: MIT */
/*
 * paging.c - four-level page tables: the encoding of entries, walking, and the kernel's own half.
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
#define P_LARGE    0x080UL
#define P_NX       (1UL << 63)
#define P_NOACCESS 0x100UL /* not present, but a frame all the same */
#define SWAP_SHIFT 12

#define LEVEL_SHIFT(l) (12 + 9 * (l)) /* level 0: leaf tables */

const pte_t pte_empty;
static struct pagetable kernel_pt;
static u64 vmap_next = VMAP_BASE;

/* Each lies within one top-level entry (512 GiB). */
static const u64 kernel_areas[] = {DIRECT_BASE, VMAP_BASE, KERNEL_BASE};
static bool have_nx;

extern u8 text_start[], text_end[], rodata_end[], image_end[];

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

static pte_t pte_make_large(u64 frame, unsigned rights)
{
    return (pte_t){entry_encode(frame) | rights_bits(rights) | P_LARGE};
}

static pte_t *frame_table(u64 frame)
{
    return phys_virt(frame << PAGE_SHIFT);
}

static unsigned level_index(u64 va, int level)
{
    return va >> LEVEL_SHIFT(level) & (PT_ENTRIES - 1);
}

static void add_table(struct pagetable *pt, struct page *p)
{
    list_add_tail(&pt->tables, &p->lru);
    pt->nr_tables++;
}

/* Walks down to the table of `level`, making what is missing when asked. */
static pte_t *walk(struct pagetable *pt, u64 va, int level, bool alloc, bool user)
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
            add_table(pt, p);
            pte_set(e, pte_make_table(page_frame(p), user));
        }
        t = frame_table(pte_frame(*e));
    }
    return &t[level_index(va, level)];
}

pte_t *pagetable_slot(struct pagetable *pt, u64 va, bool alloc)
{
    return walk(pt, va, 0, alloc, true);
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

    if (!p)
        return -ENOMEM;
    list_init(&pt->tables);
    pt->nr_tables = 0;
    pt->root = page_frame(p);
    add_table(pt, p);
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

void pagetable_load(struct pagetable *pt)
{
    write_cr3(pt->root << PAGE_SHIFT);
}

void pagetable_load_kernel(void)
{
    write_cr3(kernel_pt.root << PAGE_SHIFT);
}

void tlb_flush_page(u64 va)
{
    invlpg(va);
}

void tlb_flush_user(void)
{
    write_cr3(read_cr3());
}

/* --- the kernel's half ---------------------------------------------------------------------------
 */

int kernel_map(u64 va, phys_t pa, size_t size, unsigned rights)
{
    for (u64 end = va + size; va < end; va += PAGE_SIZE, pa += PAGE_SIZE) {
        pte_t *slot = walk(&kernel_pt, va, 0, true, false);

        if (!slot)
            return -ENOMEM;
        pte_set(slot, pte_make(pa >> PAGE_SHIFT, rights));
        tlb_flush_page(va);
    }
    return 0;
}

static void map_direct(phys_t start, phys_t end)
{
    const u64 large = 1UL << LEVEL_SHIFT(1);

    for (phys_t pa = ALIGN_DOWN(start, large); pa < end; pa += large) {
        pte_t *slot = walk(&kernel_pt, DIRECT_BASE + pa, 1, true, false);

        BUG_ON(!slot);
        pte_set(slot, pte_make_large(pa >> PAGE_SHIFT, PTE_WRITE));
    }
}

void *ioremap(phys_t pa, size_t size)
{
    u64 off = pa & ~PAGE_MASK, va = vmap_next;

    size = ALIGN_UP(size + off, PAGE_SIZE);
    vmap_next += size + PAGE_SIZE;
    if (kernel_map(va, pa - off, size, PTE_WRITE | PTE_NOCACHE))
        return NULL;
    return (void *)(va + off);
}

/* Runs on the boot tables, which map the first GiB; frames for tables come from there. */
void paging_init(void)
{
    u32 a, b, c, d;
    struct page *p;
    u64 va;

    cpuid(0x80000001, 0, &a, &b, &c, &d);
    have_nx = d & (1u << 20);
    p = alloc_page(GFP_ZERO);
    BUG_ON(!p);
    list_init(&kernel_pt.tables);
    kernel_pt.root = page_frame(p);
    add_table(&kernel_pt, p);
    for (int i = 0; i < boot_ram_count; i++)
        map_direct(boot_ram[i].start, boot_ram[i].end);
    for (int i = 0; i < boot_module_count; i++)
        map_direct(boot_modules[i].start, boot_modules[i].end);
    map_direct(0, 1 << 20);
    for (va = KERNEL_BASE + 0x100000; va < (u64)text_end; va += PAGE_SIZE)
        kernel_map(va, va - KERNEL_BASE, PAGE_SIZE, PTE_EXEC);
    for (; va < (u64)rodata_end; va += PAGE_SIZE)
        kernel_map(va, va - KERNEL_BASE, PAGE_SIZE, PTE_READ);
    for (; va < (u64)image_end; va += PAGE_SIZE)
        kernel_map(va, va - KERNEL_BASE, PAGE_SIZE, PTE_WRITE);
    BUG_ON(!walk(&kernel_pt, VMAP_BASE, 0, true, false)); /* its top-level entry */
    pagetable_load_kernel();

    cpuid(7, 0, &a, &b, &c, &d);
    if (b & (1u << 7))
        write_cr4(read_cr4() | 1u << 20); /* SMEP */
}
