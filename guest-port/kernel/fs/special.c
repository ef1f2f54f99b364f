/* SPDX-License-Identifier: MIT */
/*
 * special.c - device nodes: from a number to a character driver, and disks as files.
 *
 * A character device's open replaces the file's operations by the driver's. A disk opened as a file
 * goes through the page cache of one inode per disk, whichever node it was opened by.
 */
#include "block.h"
#include "devnum.h"
#include "errno.h"
#include "fs.h"
#include "initcall.h"
#include "slab.h"
#include "string.h"
#include "uaccess.h"
#include "vfs.h"

/* --- character devices ------------------------------------------------------------------------ */

struct chrdev {
    struct list link;
    unsigned major, first, count;
    const char *name;
    const struct file_ops *ops;
};

static struct list chrdevs = LIST_INIT(chrdevs);

int chrdev_register(unsigned major, unsigned first, unsigned count, const char *name,
                    const struct file_ops *ops)
{
    struct chrdev *c = kmalloc(sizeof(*c), GFP_KERNEL);

    if (!c)
        return -ENOMEM;
    *c = (struct chrdev){.major = major, .first = first, .count = count, .name = name, .ops = ops};
    list_add_tail(&chrdevs, &c->link);
    return 0;
}

static int chrdev_open(struct inode *i, struct file *f)
{
    struct chrdev *c;

    list_for_each(c, &chrdevs, link) {
        if (c->major != MAJOR(i->rdev) || MINOR(i->rdev) - c->first >= c->count)
            continue;
        f->ops = c->ops;
        return c->ops->open ? c->ops->open(i, f) : 0;
    }
    return -ENXIO;
}

const struct file_ops chrdev_fops = {.open = chrdev_open};

/* --- disks as files --------------------------------------------------------------------------- */

static void page_io_done(struct bio *b)
{
    struct page *p = b->priv;

    if (b->op == BIO_READ)
        page_read_done(p, b->error);
    else
        page_write_done(p, b->error);
    kfree(b);
}

static int page_io(struct mapping *m, struct page *p, enum bio_op op)
{
    struct block_device *bd = m->host->bdev;
    u64 at = p->index << PAGE_SHIFT, size = bd->sectors << SECTOR_SHIFT;
    struct bio *b = kmalloc(sizeof(*b), GFP_KERNEL);
    u32 len = (u32)MIN(size - at, (u64)PAGE_SIZE);

    if (!b)
        return -ENOMEM;
    if (op == BIO_READ && len < PAGE_SIZE)
        memset((char *)page_addr(p) + len, 0, PAGE_SIZE - len);
    bio_init(b, bd, op, at >> SECTOR_SHIFT);
    bio_add(b, p, 0, len);
    b->done = page_io_done;
    b->priv = p;
    if (op == BIO_WRITE)
        page_write_begin(p);
    bio_submit(b);
    return 0;
}

static int disk_readpage(struct mapping *m, struct page *p)
{
    return page_io(m, p, BIO_READ);
}

static int disk_writepage(struct mapping *m, struct page *p)
{
    return page_io(m, p, BIO_WRITE);
}

static int disk_write_begin(struct mapping *m, struct page *p, u32 from, u32 to)
{
    if (page_uptodate(p) || (from == 0 && to == PAGE_SIZE))
        return 0;
    page_get(p);
    page_unlock(p);
    struct page *q = page_cache_read(m, p->index);
    page_lock(p);
    page_put(p);
    if (IS_ERR(q))
        return (int)PTR_ERR(q);
    page_put(q);
    return 0;
}

static const struct mapping_ops disk_mapping_ops = {
    .readpage = disk_readpage,
    .writepage = disk_writepage,
    .write_begin = disk_write_begin,
};

static struct super_block disk_sb = {.block_size = PAGE_SIZE, .source = "disks"};

/* One inode for each disk, made at its first open and kept. */
static struct inode *disk_inode(struct block_device *bd)
{
    struct inode *i;

    list_for_each(i, &disk_sb.inodes, sb_link)
        if (i->bdev == bd)
            return i;
    i = inode_new(&disk_sb);
    if (IS_ERR(i))
        return i;
    i->bdev = bd;
    i->mode = S_IFREG | 0600;
    i->size = bd->sectors << SECTOR_SHIFT;
    i->mapping.ops = &disk_mapping_ops;
    return i;
}

static int disk_open(struct inode *i, struct file *f)
{
    struct block_device *bd = block_find_dev(i->rdev);
    struct inode *di;

    if (!bd)
        return -ENXIO;
    if (file_writable(f) && bd->read_only)
        return -EROFS;
    di = disk_inode(bd);
    if (IS_ERR(di))
        return (int)PTR_ERR(di);
    inode_ref(di);
    f->inode = di;
    bd->openers++;
    return 0;
}

/* The file system on a disk has its own cache: what was written this way must reach the disk, and
 * what is cached must not outlive the last opener. */
static void disk_release(struct inode *di, struct file *f)
{
    struct block_device *bd = di->bdev;

    mapping_sync(&di->mapping, true);
    if (--bd->openers == 0) {
        mapping_drop(&di->mapping);
        if (!bd->holder)
            buf_invalidate(bd);
    }
    f->inode = f->dentry->inode;
    inode_put(di);
}

static s64 clamp_to_disk(struct file *f, struct uio *u, s64 pos)
{
    u64 size = f->inode->size;

    if ((u64)pos >= size)
        return 0;
    u->left = MIN(u->left, (size_t)(size - (u64)pos));
    return (s64)u->left;
}

static ssize_t disk_write(struct file *f, struct uio *u, s64 *pos)
{
    if (!u->left)
        return 0;
    if (!clamp_to_disk(f, u, *pos))
        return -ENOSPC;
    return generic_file_write(f, u, pos);
}

static s64 disk_llseek(struct file *f, s64 off, int whence)
{
    s64 base = whence == SEEK_CUR ? f->pos : whence == SEEK_END ? (s64)f->inode->size : 0;

    if (whence > SEEK_END || base + off < 0)
        return -EINVAL;
    return f->pos = base + off;
}

static int disk_fsync(struct file *f, bool datasync)
{
    int err = mapping_sync(&f->inode->mapping, true);

    return err ? err : block_flush(f->inode->bdev);
}

#define BLKROGET     0x125e
#define BLKGETSIZE   0x1260
#define BLKFLSBUF    0x1261
#define BLKSSZGET    0x1268
#define BLKBSZGET    0x80081270u
#define BLKGETSIZE64 0x80081272u
#define HDIO_GETGEO  0x0301

static long disk_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
    struct block_device *bd = f->inode->bdev;
    void *p = (void *)arg;

    switch (cmd) {
    case BLKROGET:
        return put_user((int)bd->read_only, (int *)p);
    case BLKGETSIZE:
        return put_user((unsigned long)bd->sectors, (unsigned long *)p);
    case BLKGETSIZE64:
        return put_user((u64)bd->sectors << SECTOR_SHIFT, (u64 *)p);
    case BLKSSZGET:
        return put_user((int)SECTOR_SIZE, (int *)p);
    case BLKBSZGET:
        return put_user((int)PAGE_SIZE, (int *)p);
    case BLKFLSBUF:
        return disk_fsync(f, false);
    }
    return -ENOTTY;
}

const struct file_ops blkdev_fops = {
    .open = disk_open,
    .release = disk_release,
    .read = generic_file_read,
    .write = disk_write,
    .llseek = disk_llseek,
    .mmap = generic_file_mmap,
    .fsync = disk_fsync,
    .ioctl = disk_ioctl,
};

static int special_init(void)
{
    list_init(&disk_sb.link);
    list_init(&disk_sb.inodes);
    return 0;
}
core_initcall(special_init);
