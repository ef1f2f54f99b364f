/* SPDX-License-Identifier: MIT */
/*
 * page.h - physical memory: one struct page per frame, the buddy allocator, kernel addresses.
 *
 * All RAM is mapped at DIRECT_BASE, so a page's kernel address is always at hand (page_addr).
 * A frame is free exactly when refs == 0. GFP_ATOMIC may be used with interrupts off.
 */
#ifndef KERN_PAGE_H
#define KERN_PAGE_H

#include "list.h"

#define DIRECT_BASE 0xffff880000000000UL /* all physical memory, linearly */
#define VMAP_BASE   0xffffc90000000000UL /* ioremap */
#define KERNEL_BASE 0xffffffff80000000UL /* the kernel image: physical 0 */

struct mapping;

/* page->flags */
#define PG_RESERVED   0x01u /* not RAM, or kernel image */
#define PG_BUDDY      0x02u /* head of a free block */
#define PG_SLAB       0x04u
#define PG_LOCKED     0x08u /* I/O or fill in progress; lock_page() */
#define PG_UPTODATE   0x10u /* contents valid */
#define PG_DIRTY      0x20u /* newer than the disk */
#define PG_WRITEBACK  0x40u /* write under way */
#define PG_REFERENCED 0x80u /* touched since the clock hand passed */
#define PG_ERROR      0x100u
#define PG_ANON       0x200u  /* anonymous memory of a process */
#define PG_SWAPCACHE  0x400u  /* mapping is the swap space, index its slot */
#define PG_LRU        0x800u  /* on the reclaimer's list */
#define PG_LARGE      0x1000u /* kmalloc of whole pages; index holds the order */

struct page {
    u32 flags;
    s32 refs;                /* users: page tables, page cache (1), whoever holds it */
    s32 maps;                /* page-table entries that show it to user programs */
    u32 order;               /* of a free block or a multi-page allocation */
    u64 index;               /* page number in the mapping, or swap slot */
    struct mapping *mapping; /* page cache it belongs to, or NULL */
    struct list lru;         /* free list, or reclaim list */
    union {
        struct page *hash_next; /* page cache hash chain */
        void *slab;             /* owning cache, when PG_SLAB */
    };
    struct list siblings; /* all pages of the mapping */
    void *priv;           /* for the file system */
};

/* Completion of I/O sets flags in interrupt handlers. */
static inline void page_flag_set(struct page *p, u32 bits)
{
    flags_set(&p->flags, bits);
}
static inline void page_flag_clear(struct page *p, u32 bits)
{
    flags_clear(&p->flags, bits);
}

extern struct page *page_array;
extern u64 page_count; /* frames covered by page_array */

static inline u64 page_frame(const struct page *p)
{
    return (u64)(p - page_array);
}
static inline phys_t page_phys(const struct page *p)
{
    return page_frame(p) << PAGE_SHIFT;
}
static inline struct page *frame_page(u64 frame)
{
    return &page_array[frame];
}
static inline void *phys_virt(phys_t pa)
{
    return (void *)(DIRECT_BASE + pa);
}
static inline void *page_addr(const struct page *p)
{
    return phys_virt(page_phys(p));
}
/* Physical address of a direct-map or kernel-image address. */
static inline phys_t virt_phys(const void *va)
{
    u64 a = (u64)va;
    return a >= KERNEL_BASE ? a - KERNEL_BASE : a - DIRECT_BASE;
}
static inline struct page *virt_page(const void *va)
{
    return frame_page(virt_phys(va) >> PAGE_SHIFT);
}

#define GFP_KERNEL 0u /* may sleep and reclaim */
#define GFP_ATOMIC 1u /* never sleeps */
#define GFP_ZERO   2u /* zero-filled */
#define GFP_USER   4u /* on behalf of a user program: may invoke the OOM killer, may fail */

/* 2^order contiguous pages with refs == 1 (on the first); NULL when there is none. */
struct page *alloc_pages(unsigned order, unsigned gfp);
void free_pages(struct page *p, unsigned order);
static inline struct page *alloc_page(unsigned gfp)
{
    return alloc_pages(0, gfp);
}
static inline void page_get(struct page *p)
{
    p->refs++;
}
/* Drops a reference; the last one frees the (single) page. */
void page_put(struct page *p);

struct mem_stats {
    u64 total, free, cached, buffers, slab, dirty, swap_total, swap_free, shared; /* pages */
};
void mem_stats_get(struct mem_stats *ms);

/* Maps device memory uncached; never fails for sane sizes, NULL otherwise. */
void *ioremap(phys_t pa, size_t size);

#endif
