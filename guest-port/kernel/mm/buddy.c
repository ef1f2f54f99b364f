/* SPDX-License-Identifier: MIT */
/*
 * buddy.c - page frames: the array that describes them and the binary buddy allocator.
 *
 * A free block of order n starts at a frame that is a multiple of 2^n, is on free_lists[n], and
 * its first page has PG_BUDDY and the order. Single pages that come back wait on a short list for
 * the next who wants one: merging them at once would mean splitting again at once. Interrupt
 * handlers allocate and free, so lists are touched with interrupts off. When memory is short,
 * allocations that may sleep first reclaim.
 */
#include "arch.h"
#include "mm.h"
#include "page.h"
#include "printk.h"
#include "proc.h"
#include "string.h"
#include "mm_internal.h"

#define MAX_ORDER 10
#define MAX_HOT   16          /* single pages that are not merged */
#define MAX_IDLE  30          /* rounds without any progress, of 10 ms each */
#define MAX_WAITS 3000        /* rounds that will give memory later */
#define LOW_LIMIT (1UL << 30) /* what the boot page tables map */

struct page *page_array;
u64 page_count;
u64 free_page_count, total_page_count;
u64 watermark_low, watermark_min;

static struct list free_lists[MAX_ORDER + 1], hot = LIST_INIT(hot);
static unsigned hot_count;
extern u8 image_start[], image_end[];

static void block_insert(struct page *p, unsigned order)
{
    u64 frame = page_frame(p);

    while (order < MAX_ORDER) {
        u64 other = frame ^ (1UL << order);
        struct page *b = &page_array[other];

        if (other >= page_count || !(b->flags & PG_BUDDY) || b->order != order)
            break;
        list_del(&b->lru);
        b->flags &= ~PG_BUDDY;
        frame &= ~(1UL << order);
        order++;
    }
    p = &page_array[frame];
    p->flags |= PG_BUDDY;
    p->order = order;
    list_add(&free_lists[order], &p->lru);
}

void free_pages(struct page *p, unsigned order)
{
    u64 f = irq_save();

    BUG_ON(p->flags & (PG_BUDDY | PG_RESERVED | PG_LRU));
    p->flags = 0;
    p->refs = 0;
    p->maps = 0;
    p->mapping = NULL;
    p->priv = NULL;
    free_page_count += 1UL << order;
    if (order == 0 && hot_count < MAX_HOT) {
        list_add(&hot, &p->lru);
        hot_count++;
    } else {
        block_insert(p, order);
    }
    irq_restore(f);
}

static struct page *hot_take(void)
{
    struct page *p = list_first(&hot, struct page, lru);

    list_del(&p->lru);
    hot_count--;
    return p;
}

/* The smallest order, from this one on, of which there is a free block. */
static unsigned block_find(unsigned order)
{
    while (order <= MAX_ORDER && list_empty(&free_lists[order]))
        order++;
    return order;
}

static struct page *block_take(unsigned order)
{
    struct page *p;
    unsigned o;
    u64 f = irq_save();

    if (order == 0 && hot_count) {
        p = hot_take();
    } else {
        o = block_find(order);
        for (; o > MAX_ORDER && hot_count; o = block_find(order))
            block_insert(hot_take(), 0);
        if (o > MAX_ORDER) {
            irq_restore(f);
            return NULL;
        }
        p = list_first(&free_lists[o], struct page, lru);
        list_del(&p->lru);
        while (o > order) {
            struct page *half = p + (1UL << --o);

            half->flags |= PG_BUDDY;
            half->order = o;
            list_add(&free_lists[o], &half->lru);
        }
    }
    p->flags = 0;
    p->refs = 1;
    p->order = order;
    free_page_count -= 1UL << order;
    irq_restore(f);
    return p;
}

/* The slow half of alloc_pages: memory is short. */
static struct page *alloc_slow(unsigned order, unsigned gfp)
{
    struct page *p;

    reclaim_wake();
    if (free_page_count > watermark_min || (gfp & GFP_ATOMIC)) {
        p = block_take(order);
        if (p || (gfp & GFP_ATOMIC))
            return p;
    }
    if (!current || current->proc == &kernel_proc || !irq_enabled())
        return block_take(order);
    for (int idle = 0, waits = 0; idle <= MAX_IDLE && waits <= MAX_WAITS;) {
        u64 unmapped = reclaim_unmapped, freed = reclaim_pages(32UL << order);

        if (free_page_count > watermark_min || !(gfp & GFP_USER)) {
            p = block_take(order);
            if (p)
                return p;
        }
        if (signal_fatal_pending()) /* it may use the reserve, to end sooner */
            break;
        if (freed) {
            idle = 0;
            continue;
        }
        /* A page that several processes share is free only when all of them have lost it. */
        if (reclaim_unmapped != unmapped) {
            waits++;
            continue;
        }
        if (writeback_page_count) { /* the disk owes us pages */
            waits++;
            sleep_ms(10);
            continue;
        }
        /* Nothing more by itself: kill, unless there still is swap space or something to write. */
        if (++idle >= 3 && order == 0 && gfp & GFP_USER && (idle == MAX_IDLE || !reclaim_hopeful()))
            oom_kill();
        sleep_ms(10);
    }
    return block_take(order);
}

struct page *alloc_pages(unsigned order, unsigned gfp)
{
    struct page *p;

    if (likely(free_page_count > watermark_low))
        p = block_take(order);
    else
        p = NULL;
    if (unlikely(!p))
        p = alloc_slow(order, gfp);
    if (p && (gfp & GFP_ZERO))
        memset(page_addr(p), 0, PAGE_SIZE << order);
    return p;
}

void page_put(struct page *p)
{
    if (--p->refs == 0) {
        if (p->flags & PG_LRU)
            lru_remove(p);
        free_pages(p, 0);
    }
}

static bool range_clashes(phys_t a, phys_t b)
{
    if (a < virt_phys(image_end) && b > virt_phys(image_start))
        return true;
    for (int i = 0; i < boot_module_count; i++)
        if (a < ALIGN_UP(boot_modules[i].end, PAGE_SIZE) && b > boot_modules[i].start)
            return true;
    return a < 0x100000;
}

/* A place for the array itself, in memory that the boot tables map. */
static phys_t find_room(u64 size)
{
    for (int i = 0; i < boot_ram_count; i++)
        for (phys_t pa = boot_ram[i].start; pa + size <= MIN(boot_ram[i].end, LOW_LIMIT);
             pa += PAGE_SIZE)
            if (!range_clashes(pa, pa + size))
                return pa;
    panic("no room for the page array");
}

static void free_range(phys_t start, phys_t end)
{
    for (phys_t pa = start; pa < end; pa += PAGE_SIZE) {
        struct page *p = frame_page(pa >> PAGE_SHIFT);

        if (!(p->flags & PG_RESERVED) || p->refs)
            continue;
        p->flags = 0;
        total_page_count++;
        free_pages(p, 0);
    }
}

void mem_init(void)
{
    u64 size;
    phys_t at;

    for (int i = 0; i < boot_ram_count; i++)
        page_count = MAX(page_count, boot_ram[i].end >> PAGE_SHIFT);
    size = ALIGN_UP(page_count * sizeof(struct page), PAGE_SIZE);
    at = find_room(size);
    page_array = phys_virt(at);
    memset(page_array, 0, size);
    for (u64 i = 0; i < page_count; i++) {
        page_array[i].flags = PG_RESERVED;
        list_init(&page_array[i].lru);
        list_init(&page_array[i].siblings);
        phys_t pa = i << PAGE_SHIFT;
        if (range_clashes(pa, pa + PAGE_SIZE) || (pa >= at && pa < at + size))
            page_array[i].refs = 1; /* never freed */
    }
    for (int i = 0; i <= MAX_ORDER; i++)
        list_init(&free_lists[i]);
    for (int i = 0; i < boot_ram_count; i++)
        free_range(boot_ram[i].start, MIN(boot_ram[i].end, LOW_LIMIT));
}

/* After paging_init: memory that the boot tables did not reach. */
void mem_init_high(void)
{
    for (int i = 0; i < boot_ram_count; i++)
        if (boot_ram[i].end > LOW_LIMIT)
            free_range(MAX(boot_ram[i].start, LOW_LIMIT), boot_ram[i].end);
    watermark_min = MIN(MAX(total_page_count / 128, 48UL), 512UL);
    watermark_low = watermark_min * 2;
    printk("memory: %lu MiB, %lu KiB free\n", total_page_count >> 8, free_page_count * 4);
}

/* A module that has been copied or is no longer wanted becomes ordinary memory. */
void boot_module_free(struct boot_module *m)
{
    for (phys_t pa = ALIGN_DOWN(m->start, PAGE_SIZE); pa < m->end; pa += PAGE_SIZE) {
        struct page *p = frame_page(pa >> PAGE_SHIFT);

        if ((pa >> PAGE_SHIFT) < page_count && p->refs == 1 && (p->flags & PG_RESERVED)) {
            p->refs = 0;
            p->flags = 0;
            total_page_count++;
            free_pages(p, 0);
        }
    }
    m->start = m->end = 0;
}
