/* SPDX-License-Identifier: MIT */
/*
 * file.c - ext2: contents of regular files between the page cache and the disk; symbolic links.
 *
 * A page is read and written by as few bios as its blocks allow; the last one to finish completes
 * the page. Holes stay holes: a block of zeroes that has no place on the disk is not written.
 */
#include "ext2.h"

#define MAX_PAGE_BLOCKS (PAGE_SIZE / 1024)

/* All the memory that it takes, so that what has begun cannot fail for want of some. */
struct page_io {
    struct page *page;
    u32 pending;
    int error;
    bool write;
    struct bio bios[]; /* one for each run of blocks */
};

static void finish(struct page_io *io)
{
    if (io->write)
        page_write_done(io->page, io->error);
    else
        page_read_done(io->page, io->error);
    kfree(io);
}

static void bio_finished(struct bio *b)
{
    struct page_io *io = b->priv;

    if (b->error)
        io->error = b->error;
    if (!__atomic_sub_fetch(&io->pending, 1, __ATOMIC_RELAXED))
        finish(io);
}

static void add_run(struct page_io *io, struct ext2 *fs, u32 block, u32 first, u32 count)
{
    struct bio *b = &io->bios[io->pending++];

    bio_init(b, fs->bdev, io->write ? BIO_WRITE : BIO_READ,
             (sector_t)block << (fs->block_bits - SECTOR_SHIFT));
    bio_add(b, io->page, first << fs->block_bits, count << fs->block_bits);
    b->done = bio_finished;
    b->priv = io;
}

/* blocks[] of the page, 0 for what is not on the disk. */
static void submit_page(struct page_io *io, struct ext2 *fs, const u32 *blocks, u32 n)
{
    u32 runs;

    for (u32 k = 0; k < n;) {
        u32 run = 1;

        while (k + run < n && blocks[k] && blocks[k + run] == blocks[k] + run)
            run++;
        if (blocks[k])
            add_run(io, fs, blocks[k], k, run);
        k += run;
    }
    runs = io->pending; /* the last one may end, and io with it, while it is submitted */
    if (!runs)
        finish(io);
    for (u32 k = 0; k < runs; k++)
        bio_submit(&io->bios[k]);
}

static struct page_io *io_new(struct page *p, bool write, u32 blocks)
{
    struct page_io *io = kmalloc(sizeof(*io) + blocks * sizeof(io->bios[0]), GFP_KERNEL);

    if (io)
        *io = (struct page_io){.page = p, .write = write};
    return io;
}

static int readpage(struct mapping *m, struct page *p)
{
    struct inode *i = m->host;
    struct ext2 *fs = ext2_of(i);
    u32 blocks[MAX_PAGE_BLOCKS], n = (u32)PAGE_SIZE >> fs->block_bits;
    u64 first = p->index << (PAGE_SHIFT - fs->block_bits);
    struct page_io *io;
    int err;

    for (u32 k = 0; k < n; k++) {
        blocks[k] = 0;
        if ((first + k) << fs->block_bits < i->size) {
            err = ext2_bmap(i, first + k, false, &blocks[k], NULL);
            if (err)
                return err;
        }
        if (!blocks[k])
            memset((char *)page_addr(p) + (k << fs->block_bits), 0, fs->block_size);
    }
    io = io_new(p, false, n);
    if (!io)
        return -ENOMEM;
    submit_page(io, fs, blocks, n);
    return 0;
}

static bool all_zero(const void *at, u32 size)
{
    const u64 *w = at;

    for (u32 k = 0; k < size / 8; k++)
        if (w[k])
            return false;
    return true;
}

static int writepage(struct mapping *m, struct page *p)
{
    struct inode *i = m->host;
    struct ext2 *fs = ext2_of(i);
    u32 blocks[MAX_PAGE_BLOCKS], n = (u32)PAGE_SIZE >> fs->block_bits;
    u64 first = p->index << (PAGE_SHIFT - fs->block_bits), at = p->index << PAGE_SHIFT;
    char *data = page_addr(p);
    struct page_io *io;
    int err;

    /* Beyond the end of the file a page reads as zeroes, whatever a mapping wrote there. */
    if (i->size < at + PAGE_SIZE) {
        u32 keep = i->size > at ? (u32)(i->size - at) : 0;

        memset(data + keep, 0, PAGE_SIZE - keep);
    }
    for (u32 k = 0; k < n; k++) {
        blocks[k] = 0;
        if ((first + k) << fs->block_bits >= i->size)
            continue;
        err = ext2_bmap(i, first + k, false, &blocks[k], NULL);
        if (!err && !blocks[k] && !all_zero(data + (k << fs->block_bits), fs->block_size))
            err = ext2_bmap(i, first + k, true, &blocks[k], NULL);
        if (err)
            return err;
    }
    io = io_new(p, true, n);
    if (!io)
        return -ENOMEM;
    page_write_begin(p);
    submit_page(io, fs, blocks, n);
    return 0;
}

/* Reads in what a write of [from, to) leaves of a page that is not up to date. */
static int bring_in(struct mapping *m, struct page *p)
{
    struct page *q;

    page_get(p);
    page_unlock(p);
    q = page_cache_read(m, p->index);
    page_lock(p);
    page_put(p);
    if (IS_ERR(q))
        return (int)PTR_ERR(q);
    page_put(q);
    return 0;
}

static int write_begin(struct mapping *m, struct page *p, u32 from, u32 to)
{
    struct inode *i = m->host;
    struct ext2 *fs = ext2_of(i);
    u64 at = p->index << PAGE_SHIFT;
    u32 block;
    int err = 0;

    if (at + to > ext2_max_size(fs))
        return -EFBIG;
    if (!page_uptodate(p) && (from || to < PAGE_SIZE)) {
        if (at >= i->size) {
            memset(page_addr(p), 0, PAGE_SIZE);
            page_flag_set(p, PG_UPTODATE);
        } else {
            err = bring_in(m, p);
        }
    }
    for (u32 k = from >> fs->block_bits; !err && k << fs->block_bits < to; k++)
        err = ext2_bmap(i, (at >> fs->block_bits) + k, true, &block, NULL);
    return err;
}

const struct mapping_ops ext2_mapping_ops = {
    .readpage = readpage,
    .writepage = writepage,
    .write_begin = write_begin,
};

const struct inode_ops ext2_file_iops = {.truncate = ext2_truncate};

const struct file_ops ext2_file_fops = {
    .read = generic_file_read,
    .write = generic_file_write,
    .mmap = generic_file_mmap,
    .fsync = ext2_fsync,
};

/* --- symbolic links: short ones lie in the inode ---------------------------------------------- */

static bool is_fast(const struct inode *i)
{
    u32 acl = node_of(i)->file_acl ? ext2_of(i)->block_size / 512 : 0;

    return i->blocks == acl;
}

static ssize_t link_readlink(struct inode *i, char *buf, size_t size)
{
    struct ext2 *fs = ext2_of(i);
    size_t n = MIN((size_t)i->size, size);
    struct buf *b;
    u32 block;
    int err;

    if (is_fast(i)) {
        n = MIN(n, sizeof(node_of(i)->block));
        memcpy(buf, node_of(i)->block, n);
        return (ssize_t)n;
    }
    err = ext2_bmap(i, 0, false, &block, NULL);
    if (err || !block)
        return err ? err : ext2_bad(fs, "a symbolic link without its text", i->ino);
    b = buf_read(fs->bdev, block, fs->block_size);
    if (IS_ERR(b))
        return PTR_ERR(b);
    n = MIN(n, (size_t)fs->block_size);
    memcpy(buf, b->data, n);
    buf_put(b);
    return (ssize_t)n;
}

const struct inode_ops ext2_link_iops = {.readlink = link_readlink};
