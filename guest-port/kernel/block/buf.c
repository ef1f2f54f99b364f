/* SPDX-License-Identifier: MIT */
/*
 * buf.c - the buffer cache: file-system metadata by (device, block number, block size).
 *
 * Invariants:
 *   - a buffer is on the LRU list exactly when nobody holds it and it is clean;
 *   - a dirty buffer is on the dirty list and has one reference of its own, so it never leaves;
 *   - B_IO is set while its bio is under way; only one is at a time, and starting it never sleeps,
 *     so nothing is read twice, over what was changed meanwhile. Contents may change during a
 *     write (the holder marks it dirty again): the last contents reach the disk;
 *   - flags are changed by flags_set() and flags_clear() alone, since io_done() comes in between.
 */
#include "block.h"
#include "errno.h"
#include "initcall.h"
#include "slab.h"
#include "string.h"
#include "timer.h"
#include "irq.h"

#define B_UPTODATE 1u
#define B_DIRTY    2u
#define B_IO       4u
#define B_ERROR    8u
#define B_DEAD     16u

#define HASH_BITS 10
#define HASH_SIZE (1u << HASH_BITS)

static struct buf *hash[HASH_SIZE];
static struct list lru = LIST_INIT(lru);
static struct list dirty = LIST_INIT(dirty);
static struct kmem_cache *buf_cache;
static u64 buf_bytes;

static struct buf **hash_slot(struct block_device *bd, u64 block)
{
    u64 h = (block ^ ((u64)bd->dev << 20)) * 0x9e3779b97f4a7c15UL;

    return &hash[h >> (64 - HASH_BITS)];
}

static struct buf *find(struct block_device *bd, u64 block, u32 size)
{
    struct buf *b;

    for (b = *hash_slot(bd, block); b; b = b->hash_next)
        if (b->bdev == bd && b->block == block && b->size == size)
            return b;
    return NULL;
}

static void unhash(struct buf *b)
{
    struct buf **pp = hash_slot(b->bdev, b->block);

    while (*pp != b)
        pp = &(*pp)->hash_next;
    *pp = b->hash_next;
    list_del(&b->dev_link);
    flags_set(&b->flags, B_DEAD);
}

static void destroy(struct buf *b)
{
    list_del(&b->lru);
    buf_bytes -= b->size;
    kfree(b->data);
    kmem_cache_free(buf_cache, b);
}

static struct buf *get(struct block_device *bd, u64 block, u32 size)
{
    struct buf *b = find(bd, block, size), *other;
    u8 *data;

    if (b) {
        list_del(&b->lru);
        b->refs++;
        return b;
    }
    data = kmalloc(size, GFP_KERNEL);
    b = kmem_cache_alloc(buf_cache, GFP_KERNEL);
    if (!data || !b) {
        kfree(data);
        if (b)
            kmem_cache_free(buf_cache, b);
        return ERR_PTR(-ENOMEM);
    }
    other = find(bd, block, size); /* allocating may have slept */
    if (other) {
        kfree(data);
        kmem_cache_free(buf_cache, b);
        list_del(&other->lru);
        other->refs++;
        return other;
    }
    *b = (struct buf){.bdev = bd, .block = block, .size = size, .refs = 1, .data = data};
    list_init(&b->lru);
    list_init(&b->dirty);
    wait_queue_init(&b->q);
    b->hash_next = *hash_slot(bd, block);
    *hash_slot(bd, block) = b;
    list_add_tail(&bd->bufs, &b->dev_link);
    buf_bytes += size;
    return b;
}

/* --- input and output ------------------------------------------------------------------------- */

static void io_done(struct bio *bio)
{
    struct buf *b = bio->priv;

    flags_set(&b->flags, bio->error ? B_ERROR : B_UPTODATE);
    flags_clear(&b->flags, B_IO);
    wake_up(&b->q);
}

/* Never sleeps: who has found B_IO clear is the one who sets it. */
static void start_io(struct buf *b, enum bio_op op)
{
    bio_init(&b->bio, b->bdev, op, b->block * (b->size >> SECTOR_SHIFT));
    bio_add(&b->bio, virt_page(b->data), (u64)b->data & (PAGE_SIZE - 1), b->size);
    b->bio.done = io_done;
    b->bio.priv = b;
    flags_clear(&b->flags, B_ERROR);
    flags_set(&b->flags, B_IO);
    bio_submit(&b->bio);
}

static void wait_io(struct buf *b)
{
    wait_event(&b->q, !(READ_ONCE(b->flags) & B_IO));
}

struct buf *buf_read(struct block_device *bd, u64 block, u32 size)
{
    struct buf *b = get(bd, block, size);

    if (IS_ERR(b) || (b->flags & B_UPTODATE))
        return b;
    wait_io(b);
    if (!(b->flags & B_UPTODATE)) {
        start_io(b, BIO_READ);
        wait_io(b);
    }
    if (!(b->flags & B_UPTODATE)) {
        buf_put(b);
        return ERR_PTR(-EIO);
    }
    return b;
}

struct buf *buf_get(struct block_device *bd, u64 block, u32 size)
{
    struct buf *b = get(bd, block, size);

    if (!IS_ERR(b)) {
        wait_io(b);
        flags_set(&b->flags, B_UPTODATE);
    }
    return b;
}

void buf_put(struct buf *b)
{
    if (--b->refs > 0)
        return;
    if (b->flags & B_DEAD)
        destroy(b);
    else
        list_add_tail(&lru, &b->lru);
}

void buf_dirty(struct buf *b)
{
    if (b->flags & (B_DIRTY | B_DEAD))
        return;
    flags_set(&b->flags, B_DIRTY);
    b->refs++;
    b->dirtied = clock_mono_ns();
    list_add_tail(&dirty, &b->dirty);
}

/* Takes a buffer off the dirty list; its reference passes to the caller. */
static void undirty(struct buf *b)
{
    flags_clear(&b->flags, B_DIRTY);
    list_del(&b->dirty);
}

int buf_write_sync(struct buf *b)
{
    int err;

    b->refs++;
    wait_io(b);
    if (b->flags & B_DIRTY) {
        undirty(b);
        b->refs--;
    }
    start_io(b, BIO_WRITE);
    wait_io(b);
    err = b->flags & B_ERROR ? -EIO : 0;
    buf_put(b);
    return err;
}

static struct buf *next_dirty(struct block_device *bd, u64 before)
{
    struct buf *b;

    list_for_each (b, &dirty, dirty)
        if ((!bd || b->bdev == bd) && b->dirtied <= before)
            return b;
    return NULL;
}

#define BATCH 64

/* Writes what was dirty at the time of the call, BATCH requests in flight at a time. */
int buf_sync(struct block_device *bd)
{
    u64 now = clock_mono_ns();
    struct buf *batch[BATCH], *b;
    unsigned n;
    int err = 0;

    do {
        for (n = 0; n < BATCH && (b = next_dirty(bd, now)); n++) {
            undirty(b);
            batch[n] = b;
            wait_io(b);
            start_io(b, BIO_WRITE);
        }
        for (unsigned i = 0; i < n; i++) {
            wait_io(batch[i]);
            if (batch[i]->flags & B_ERROR)
                err = -EIO;
            buf_put(batch[i]);
        }
    } while (n == BATCH);
    return err;
}

void buf_forget(struct block_device *bd, u64 block, u32 size)
{
    struct buf *b = find(bd, block, size);

    if (!b)
        return;
    list_del(&b->lru);
    b->refs++;
    wait_io(b);
    if (b->flags & B_DIRTY) {
        undirty(b);
        b->refs--;
    }
    if (!(b->flags & B_DEAD))
        unhash(b);
    buf_put(b);
}

void buf_invalidate(struct block_device *bd)
{
    struct buf *b, *n;

    buf_sync(bd);
    list_for_each_safe (b, n, &bd->bufs, dev_link) {
        if (b->refs)
            continue;
        unhash(b);
        destroy(b);
    }
}

static unsigned long shrink(unsigned long want)
{
    unsigned long n = 0;

    while (n < want && !list_empty(&lru)) {
        struct buf *b = list_first(&lru, struct buf, lru);

        unhash(b);
        destroy(b);
        n++;
    }
    return n;
}

u64 buf_cached_bytes(void)
{
    return buf_bytes;
}

static int buf_init(void)
{
    buf_cache = kmem_cache_create("buf", sizeof(struct buf), 0);
    shrinker_register(shrink);
    return 0;
}
core_initcall(buf_init);
