/* SPDX-License-Identifier: MIT */
/*
 * blkdev.c - the registry of disks and partitions, and the way of a bio to its driver.
 *
 * A bio is range-checked here once, moved from its partition to the whole disk, and handed to the
 * driver; every submitted bio is answered exactly once. Partition tables (MBR with its extended
 * partitions, and GPT) are read after all drivers have been probed.
 */
#include "block.h"
#include "errno.h"
#include "initcall.h"
#include "printk.h"
#include "slab.h"
#include "string.h"
#include "fs.h"

static struct list devices = LIST_INIT(devices);

static int add_device(struct block_device *bd)
{
    list_init(&bd->bufs);
    list_add_tail(&devices, &bd->link);
    return devfs_add(bd->name, S_IFBLK | 0660, bd->dev);
}

int block_register(struct block_device *bd)
{
    bd->whole = NULL;
    bd->start = 0;
    printk("%s: %llu KiB%s\n", bd->name, (unsigned long long)(bd->sectors / 2),
           bd->read_only ? ", read-only" : "");
    return add_device(bd);
}

struct block_device *block_find(const char *name)
{
    struct block_device *bd;

    if (strncmp(name, "/dev/", 5) == 0)
        name += 5;
    list_for_each(bd, &devices, link)
        if (strcmp(bd->name, name) == 0)
            return bd;
    return NULL;
}

struct block_device *block_find_dev(dev_t dev)
{
    struct block_device *bd;

    list_for_each(bd, &devices, link)
        if (bd->dev == dev)
            return bd;
    return NULL;
}

void block_each(void (*fn)(struct block_device *bd, void *arg), void *arg)
{
    struct block_device *bd;

    list_for_each(bd, &devices, link)
        fn(bd, arg);
}

/* --- bios ------------------------------------------------------------------------------------- */

void bio_init(struct bio *b, struct block_device *bd, enum bio_op op, sector_t s)
{
    *b = (struct bio){.bdev = bd, .op = op, .sector = s};
    list_init(&b->link);
    b->vecs = b->inline_vecs;
}

bool bio_add(struct bio *b, struct page *p, u32 offset, u32 len)
{
    if (b->vecs == b->inline_vecs && b->cnt == BIO_INLINE_VECS)
        return false;
    b->vecs[b->cnt++] = (struct bio_vec){p, offset, len};
    return true;
}

static u64 bio_sectors(const struct bio *b)
{
    u64 bytes = 0;

    for (u32 i = 0; i < b->cnt; i++)
        bytes += b->vecs[i].len;
    return bytes >> SECTOR_SHIFT;
}

void bio_submit(struct bio *b)
{
    struct block_device *bd = b->bdev;
    u64 n = bio_sectors(b);

    if (b->op != BIO_FLUSH && (n > bd->sectors || b->sector > bd->sectors - n)) {
        printk("%s: access beyond the end: sector %llu + %llu of %llu\n", bd->name,
               (unsigned long long)b->sector, (unsigned long long)n,
               (unsigned long long)bd->sectors);
        bio_done(b, -EIO);
        return;
    }
    if (b->op == BIO_WRITE && bd->read_only) {
        bio_done(b, -EROFS);
        return;
    }
    if (bd->whole) {
        b->sector += bd->start;
        b->bdev = bd->whole;
        bd = bd->whole;
    }
    bd->ops->submit(bd, b);
}

void bio_done(struct bio *b, int error)
{
    b->error = error;
    b->done(b);
}

struct bio_waiter {
    struct wait_queue q;
    bool finished;
};

static void bio_wake(struct bio *b)
{
    struct bio_waiter *w = b->priv;

    w->finished = true;
    wake_up(&w->q);
}

int bio_submit_wait(struct bio *b)
{
    struct bio_waiter w = {.finished = false};

    wait_queue_init(&w.q);
    b->done = bio_wake;
    b->priv = &w;
    bio_submit(b);
    wait_event(&w.q, READ_ONCE(w.finished));
    return b->error;
}

int block_flush(struct block_device *bd)
{
    struct bio b;

    if (!bd->write_cache)
        return 0;
    bio_init(&b, bd, BIO_FLUSH, 0);
    return bio_submit_wait(&b);
}

/* --- partitions ------------------------------------------------------------------------------- */

struct mbr_entry {
    u8 boot, chs_first[3], type, chs_last[3];
    u32 start, sectors;
} __packed;

#define MBR_TABLE    446
#define TYPE_GPT     0xee
#define MAX_PARTS    15
#define is_ext(type) ((type) == 0x05 || (type) == 0x0f || (type) == 0x85)

static void add_partition(struct block_device *disk, unsigned nr, sector_t start, sector_t n)
{
    struct block_device *p;
    size_t len = strlen(disk->name);
    bool digit = disk->name[len - 1] >= '0' && disk->name[len - 1] <= '9';

    if (nr > MAX_PARTS || n == 0 || n > disk->sectors || start > disk->sectors - n)
        return;
    p = kzalloc(sizeof(*p), GFP_KERNEL);
    if (!p)
        return;
    snprintf(p->name, sizeof(p->name), "%s%s%u", disk->name, digit ? "p" : "", nr);
    p->dev = disk->dev + nr;
    p->sectors = n;
    p->read_only = disk->read_only;
    p->write_cache = disk->write_cache;
    p->ops = disk->ops;
    p->driver = disk->driver;
    p->whole = disk;
    p->start = start;
    if (add_device(p) == 0)
        printk("%s: %llu KiB at sector %llu\n", p->name, (unsigned long long)(n / 2),
               (unsigned long long)start);
}

/* A chain of extended boot records: one logical partition and one link each. */
static void scan_extended(struct block_device *disk, sector_t first)
{
    sector_t at = first;

    for (unsigned nr = 5; nr <= MAX_PARTS; nr++) {
        struct buf *b = buf_read(disk, at, SECTOR_SIZE);
        struct mbr_entry e[2];

        if (IS_ERR(b))
            return;
        memcpy(e, b->data + MBR_TABLE, sizeof(e));
        if (b->data[510] != 0x55 || b->data[511] != 0xaa)
            e[0].sectors = 0, e[1].type = 0;
        buf_put(b);
        add_partition(disk, nr, at + e[0].start, e[0].sectors);
        if (!is_ext(e[1].type) || first + e[1].start <= at)
            return;
        at = first + e[1].start;
    }
}

static void scan_gpt(struct block_device *disk)
{
    struct buf *h = buf_read(disk, 1, SECTOR_SIZE);
    u64 lba;
    u32 count, size;

    if (IS_ERR(h))
        return;
    memcpy(&lba, h->data + 72, 8);
    memcpy(&count, h->data + 80, 4);
    memcpy(&size, h->data + 84, 4);
    if (memcmp(h->data, "EFI PART", 8) != 0 || size < 128 || SECTOR_SIZE % size)
        count = 0;
    buf_put(h);
    for (u32 i = 0; i < MIN(count, (u32)MAX_PARTS); i++) {
        u64 at = (u64)i * size, first, last;
        struct buf *b = buf_read(disk, lba + at / SECTOR_SIZE, SECTOR_SIZE);

        if (IS_ERR(b))
            return;
        memcpy(&first, b->data + at % SECTOR_SIZE + 32, 8);
        memcpy(&last, b->data + at % SECTOR_SIZE + 40, 8);
        buf_put(b);
        if (first && last >= first)
            add_partition(disk, i + 1, first, last - first + 1);
    }
}

static void scan_disk(struct block_device *disk)
{
    struct buf *b;
    struct mbr_entry e[4];
    bool valid;

    if (disk->whole || disk->sectors < 2)
        return;
    b = buf_read(disk, 0, SECTOR_SIZE);
    if (IS_ERR(b))
        return;
    memcpy(e, b->data + MBR_TABLE, sizeof(e));
    valid = b->data[510] == 0x55 && b->data[511] == 0xaa;
    buf_put(b);
    if (!valid)
        return;
    /* A file system's boot sector has the same mark; its "entries" are not plausible. */
    for (int i = 0; i < 4; i++)
        if (e[i].boot & 0x7f)
            return;
    if (e[0].type == TYPE_GPT) {
        scan_gpt(disk);
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (is_ext(e[i].type))
            scan_extended(disk, e[i].start);
        else if (e[i].type)
            add_partition(disk, i + 1, e[i].start, e[i].sectors);
    }
}

static int scan_partitions(void)
{
    struct block_device *bd, *n;

    list_for_each_safe(bd, n, &devices, link)
        scan_disk(bd);
    return 0;
}
late_initcall(scan_partitions);
