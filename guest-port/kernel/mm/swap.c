/* SPDX-License-Identifier: MIT */
/*
 * swap.c - anonymous pages on disk: one swap area, its slots, the swap cache.
 *
 * A slot's count is the number of page-table entries that hold it plus one while a page with its
 * contents is in the swap cache. A page in the swap cache is mapped read-only; whoever may write it
 * alone takes it out of the cache first (swap_forget), so a slot never goes stale.
 */
#include "block.h"
#include "errno.h"
#include "fs.h"
#include "initcall.h"
#include "irq.h"
#include "mm_internal.h"
#include "printk.h"
#include "proc.h"
#include "procfs.h"
#include "slab.h"
#include "string.h"
#include "vm.h"

#define SWAP_BIOS    16
#define SLOT_SECTORS (PAGE_SIZE / SECTOR_SIZE)
#define SWAP_MAGIC   "SWAPSPACE2"

struct mapping swap_mapping;
static struct block_device *swap_dev;
static u16 *counts;
static u64 slots, slots_free, hand;
static struct bio bios[SWAP_BIOS]; /* writing out must not need memory */
static bool bio_busy[SWAP_BIOS];
static struct wait_queue bio_queue = WAIT_QUEUE_INIT(bio_queue);

static struct bio *take_bio(void)
{
    for (int i = 0; i < SWAP_BIOS; i++)
        if (!bio_busy[i]) {
            bio_busy[i] = true;
            return &bios[i];
        }
    return NULL;
}

static void write_done(struct bio *b)
{
    struct page *p = b->priv;

    bio_busy[b - bios] = false;
    wake_up(&bio_queue);
    page_write_done(p, b->error); /* what could not be written: see reclaim_page() */
}

static int swap_writepage(struct mapping *m, struct page *p)
{
    struct bio *b;

    wait_event(&bio_queue, (b = take_bio()) != NULL);
    bio_init(b, swap_dev, BIO_WRITE, p->index * SLOT_SECTORS);
    bio_add(b, p, 0, PAGE_SIZE);
    b->done = write_done;
    b->priv = p;
    page_write_begin(p);
    bio_submit(b);
    return 0;
}

static const struct mapping_ops swap_ops = {.writepage = swap_writepage};

void swap_init(void)
{
    mapping_init(&swap_mapping, NULL, &swap_ops);
}

bool swap_available(void)
{
    return slots_free > 0;
}

void swap_stats(u64 *total, u64 *left)
{
    *total = slots;
    *left = slots_free;
}

static u64 slot_alloc(void)
{
    if (!slots_free)
        return 0;
    for (u64 n = 0; n < slots; n++) {
        if (++hand >= slots)
            hand = 1;
        if (!counts[hand]) {
            counts[hand] = 1;
            slots_free--;
            return hand;
        }
    }
    return 0;
}

void swap_dup(u64 slot)
{
    BUG_ON(slot >= slots || !counts[slot]);
    counts[slot]++;
}

void swap_free(u64 slot)
{
    BUG_ON(slot >= slots || !counts[slot]);
    if (--counts[slot] == 0)
        slots_free++;
}

/* An entry that held the slot is gone. A cached page that nobody can want any more goes too. */
void swap_free_entry(u64 slot)
{
    struct page *p;

    swap_free(slot);
    if (counts[slot] != 1)
        return;
    p = page_cache_find(&swap_mapping, slot);
    if (!p)
        return;
    if (p->refs == 2 && !(p->flags & (PG_LOCKED | PG_WRITEBACK)))
        swap_forget(p);
    page_put(p);
}

bool swap_add(struct page *p)
{
    u64 slot = slot_alloc();

    if (!slot)
        return false;
    page_flag_set(p, PG_SWAPCACHE);
    page_cache_add(p, &swap_mapping, slot);
    page_set_dirty(p);
    return true;
}

void swap_forget(struct page *p)
{
    u64 slot = p->index;

    page_flag_clear(p, PG_SWAPCACHE);
    page_get(p);
    page_cache_remove(p);
    swap_free(slot);
    page_put(p);
}

bool swap_only_user(struct page *p)
{
    if (!(p->flags & PG_SWAPCACHE))
        return p->refs == 1;
    return p->refs == 2 && counts[p->index] == 1 && !(p->flags & (PG_WRITEBACK | PG_LOCKED));
}

/* Nobody but the cache itself wants the contents. */
bool swap_only_cache(struct page *p)
{
    return counts[p->index] == 1;
}

struct page *swap_in(u64 slot)
{
    struct page *p, *other;
    struct bio b;
    int r;

    for (;;) {
        p = page_cache_find(&swap_mapping, slot);
        if (p) {
            wait_page_unlocked(p);
            if (p->mapping == &swap_mapping && p->index == slot && page_uptodate(p))
                return p;
            r = p->flags & PG_ERROR ? -EIO : 0;
            page_put(p);
            if (r)
                return ERR_PTR(r);
            continue;
        }
        p = alloc_page(GFP_USER);
        if (!p)
            return ERR_PTR(-ENOMEM);
        other = page_cache_find(&swap_mapping, slot);
        if (!other)
            break;
        page_put(other);
        page_put(p);
    }
    if (!counts[slot]) { /* nobody has it any more; the entry has changed */
        p->flags |= PG_ANON | PG_UPTODATE;
        return p;
    }
    p->flags |= PG_ANON | PG_SWAPCACHE | PG_LOCKED;
    swap_dup(slot);
    page_cache_add(p, &swap_mapping, slot);
    bio_init(&b, swap_dev, BIO_READ, slot * SLOT_SECTORS);
    bio_add(&b, p, 0, PAGE_SIZE);
    r = bio_submit_wait(&b);
    page_read_done(p, r);
    if (!r)
        return p;
    swap_forget(p);
    page_put(p);
    return ERR_PTR(-EIO);
}

/* --- swapon, swapoff -------------------------------------------------------------------------- */

static int read_header(struct block_device *bd, u64 *pages)
{
    struct page *p = alloc_page(GFP_KERNEL);
    struct bio b;
    u8 *h;
    u32 version, last;
    int r;

    if (!p)
        return -ENOMEM;
    bio_init(&b, bd, BIO_READ, 0);
    bio_add(&b, p, 0, PAGE_SIZE);
    r = bio_submit_wait(&b);
    h = page_addr(p);
    if (!r && memcmp(h + PAGE_SIZE - 10, SWAP_MAGIC, 10))
        r = -EINVAL;
    memcpy(&version, h + 1024, 4);
    memcpy(&last, h + 1028, 4);
    if (!r && (version != 1 || last < 2 || (u64)(last + 1) * SLOT_SECTORS > bd->sectors))
        r = -EINVAL;
    *pages = (u64)last + 1;
    page_put(p);
    return r;
}

long sys_swapon(const char __user *path, int flags)
{
    struct dentry *d;
    struct block_device *bd;
    u64 pages = 0;
    long r;

    if (!capable())
        return -EPERM;
    if (swap_dev)
        return -EBUSY;
    d = path_lookup_user(AT_FDCWD, path, LOOKUP_FOLLOW);
    if (IS_ERR(d))
        return PTR_ERR(d);
    bd = S_ISBLK(d->inode->mode) ? block_find_dev(d->inode->rdev) : NULL;
    dentry_put(d);
    if (!bd)
        return -EINVAL;
    if (bd->holder)
        return -EBUSY;
    r = read_header(bd, &pages);
    if (r)
        return r;
    pages = MIN(pages, 1UL << 20);
    counts = kzalloc(pages * sizeof(*counts), GFP_KERNEL);
    if (!counts)
        return -ENOMEM;
    bd->holder = &swap_mapping;
    slots = pages;
    slots_free = pages - 1; /* slot 0 is the header */
    counts[0] = 1;
    hand = 0;
    swap_dev = bd;
    return 0;
}

/* Brings every swapped page of every process back. */
static int swap_in_all(void)
{
    struct mm *mm;
    u64 va;
    int r;

again:
    list_for_each (mm, &all_mms, link) {
        if (!vm_find_swapped(mm, &va))
            continue;
        mm_get(mm);
        r = mm_fault(mm, va, 0);
        mm_put(mm);
        if (r)
            return -EBUSY;
        if (signal_pending())
            return -EINTR;
        goto again; /* the list may have changed */
    }
    reclaim_swap_cache();
    return 0;
}

long sys_swapoff(const char __user *path)
{
    u64 slots_left;
    int r;

    if (!capable())
        return -EPERM;
    if (!swap_dev)
        return -EINVAL;
    slots_left = slots_free;
    slots_free = 0; /* nothing more goes out */
    r = swap_in_all();
    slots_free += slots_left;
    if (r || slots_free != slots - 1)
        return r ? r : -EBUSY;
    swap_dev->holder = NULL;
    swap_dev = NULL;
    slots = slots_free = 0;
    kfree(counts);
    counts = NULL;
    return 0;
}

static void show_swaps(struct seq *s)
{
    seq_printf(s, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    if (swap_dev)
        seq_printf(s, "/dev/%-34s partition\t%lu\t\t%lu\t\t-2\n", swap_dev->name, (slots - 1) * 4,
                   (slots - 1 - slots_free) * 4);
}

static int swap_proc_init(void)
{
    return procfs_add("swaps", show_swaps, NULL);
}
fs_initcall(swap_proc_init);
