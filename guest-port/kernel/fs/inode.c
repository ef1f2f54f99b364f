/* SPDX-License-Identifier: MIT */
/*
 * inode.c - the inode cache.
 *
 * Inodes of disk file systems are hashed by (super block, number); when the last reference goes
 * they stay on an LRU list with their cached pages until memory is short. Others (pipes, sockets,
 * tmpfs) are not hashed and end with their last reference. An inode whose link count is 0 is
 * deleted on disk by evict_inode at its end.
 *
 * An inode that is on its way in (I_NEW) or out (I_DYING) stays hashed, and inode_get waits for it:
 * nobody sees a half-read inode, and a number is not used again before its deletion is complete.
 */
#include "errno.h"
#include "fs.h"
#include "initcall.h"
#include "pipe.h"
#include "printk.h"
#include "slab.h"
#include "string.h"
#include "vfs.h"

#define HASH_BITS 9
#define HASH_SIZE (1u << HASH_BITS)

static struct inode *hash[HASH_SIZE];
static struct list lru = LIST_INIT(lru);
static struct list dirty = LIST_INIT(dirty);
static struct wait_queue changed = WAIT_QUEUE_INIT(changed);
static struct kmem_cache *inode_cache;
static u64 inode_total;

#define I_HASHED 8u

static struct inode **hash_slot(struct super_block *sb, ino_t ino)
{
    u64 h = (ino ^ (u64)sb >> 4) * 0x9e3779b97f4a7c15UL;

    return &hash[h >> (64 - HASH_BITS)];
}

static struct inode *find(struct super_block *sb, ino_t ino)
{
    struct inode *i;

    for (i = *hash_slot(sb, ino); i; i = i->hash_next)
        if (i->sb == sb && i->ino == ino)
            return i;
    return NULL;
}

static void unhash(struct inode *i)
{
    struct inode **pp = hash_slot(i->sb, i->ino);

    if (!(i->flags & I_HASHED))
        return;
    while (*pp != i)
        pp = &(*pp)->hash_next;
    *pp = i->hash_next;
    i->flags &= ~I_HASHED;
    wake_up(&changed);
}

static struct inode *alloc(struct super_block *sb)
{
    struct inode *i = kmem_cache_alloc(inode_cache, GFP_KERNEL);

    if (!i)
        return NULL;
    *i = (struct inode){.sb = sb, .refs = 1, .nlink = 1};
    mutex_init(&i->lock);
    mapping_init(&i->mapping, i, NULL);
    list_init(&i->lru);
    list_init(&i->dirty_link);
    list_init(&i->locks);
    list_add_tail(&sb->inodes, &i->sb_link);
    inode_total++;
    return i;
}

static void destroy(struct inode *i)
{
    list_del(&i->sb_link);
    list_del(&i->dirty_link);
    list_del(&i->lru);
    inode_total--;
    kmem_cache_free(inode_cache, i);
}

struct inode *inode_new(struct super_block *sb)
{
    static ino_t next = 1;
    struct inode *i = alloc(sb);

    if (!i)
        return ERR_PTR(-ENOMEM);
    i->ino = next++;
    i->atime = i->mtime = i->ctime = clock_real_ns();
    return i;
}

struct inode *inode_get(struct super_block *sb, ino_t ino)
{
    struct inode *i, *fresh = NULL;

    for (;;) {
        i = find(sb, ino);
        if (i && (i->flags & (I_NEW | I_DYING))) {
            wait_event(&changed, !(i = find(sb, ino)) || !(i->flags & (I_NEW | I_DYING)));
            continue;
        }
        if (i || fresh)
            break;
        fresh = alloc(sb); /* may sleep: look again */
        if (!fresh)
            return ERR_PTR(-ENOMEM);
    }
    if (i) {
        if (fresh)
            destroy(fresh);
        inode_ref(i);
        return i;
    }
    fresh->ino = ino;
    fresh->flags = I_NEW | I_HASHED;
    fresh->hash_next = *hash_slot(sb, ino);
    *hash_slot(sb, ino) = fresh;
    return fresh;
}

void inode_unlock_new(struct inode *i)
{
    i->flags &= ~I_NEW;
    wake_up(&changed);
}

void inode_fail(struct inode *i)
{
    i->flags &= ~I_NEW;
    unhash(i);
    destroy(i);
}

void inode_ref(struct inode *i)
{
    if (i->refs++ == 0)
        list_del(&i->lru);
}

/* The end: no references, contents go. May sleep; I_DYING keeps others away. */
static void evict(struct inode *i)
{
    i->flags |= I_DYING;
    list_del(&i->lru);
    if (i->nlink)
        mapping_sync(&i->mapping, true);
    mapping_truncate(&i->mapping, 0);
    if (i->nlink && (i->flags & I_DIRTY) && i->sb->ops && i->sb->ops->write_inode)
        i->sb->ops->write_inode(i, false);
    if (i->sb->ops && i->sb->ops->evict_inode)
        i->sb->ops->evict_inode(i);
    if (i->pipe)
        pipe_free(i->pipe);
    unhash(i);
    destroy(i);
}

void inode_put(struct inode *i)
{
    BUG_ON(i->refs <= 0);
    if (--i->refs > 0)
        return;
    if (i->nlink && (i->flags & I_HASHED))
        list_add_tail(&lru, &i->lru);
    else
        evict(i);
}

void inode_dirty(struct inode *i)
{
    if (!(i->flags & I_DIRTY)) {
        i->flags |= I_DIRTY;
        if (i->sb->ops && i->sb->ops->write_inode)
            list_add_tail(&dirty, &i->dirty_link);
    }
}

int inode_write(struct inode *i, bool wait)
{
    if (!(i->flags & I_DIRTY) && !wait)
        return 0;
    i->flags &= ~I_DIRTY;
    list_del(&i->dirty_link);
    if (!i->sb->ops || !i->sb->ops->write_inode || (i->sb->flags & MS_RDONLY))
        return 0;
    return i->sb->ops->write_inode(i, wait);
}

static struct inode *next_dirty(struct super_block *sb)
{
    struct inode *i;

    list_for_each (i, &dirty, dirty_link)
        if (i->sb == sb && !(i->flags & (I_NEW | I_DYING)))
            return i;
    return NULL;
}

/* Writes the data and then the fields of every inode of sb. The inode at hand is referenced, so
 * it and its place in the list stay while we sleep; others' may change. */
int inode_sync_all(struct super_block *sb, bool wait)
{
    struct inode *i, *held = NULL;
    u64 n = 0;
    int err = 0, e;

    list_for_each(i, &sb->inodes, sb_link) {
        if ((i->flags & (I_NEW | I_DYING)) || !i->mapping.nr_pages)
            continue;
        inode_ref(i);
        e = mapping_sync(&i->mapping, wait);
        err = err ? err : e;
        if (held)
            inode_put(held);
        held = i;
    }
    if (held)
        inode_put(held);
    list_for_each (i, &dirty, dirty_link)
        n++;
    for (; n && (i = next_dirty(sb)); n--) {
        inode_ref(i);
        e = inode_write(i, false);
        err = err ? err : e;
        inode_put(i);
    }
    return err;
}

static void drop(struct inode *i)
{
    inode_ref(i);
    i->refs--;
    evict(i);
}

static struct inode *unused_of(struct super_block *sb)
{
    struct inode *i;

    list_for_each(i, &lru, lru)
        if (i->sb == sb)
            return i;
    return NULL;
}

/* Before unmounting: unused inodes leave. True when none is in use. */
bool inode_drop_all(struct super_block *sb)
{
    struct inode *i;

    while ((i = unused_of(sb)))
        drop(i);
    return list_empty(&sb->inodes);
}

static unsigned long shrink(unsigned long want)
{
    struct inode *i, *n;
    unsigned long done = 0;

    list_for_each_safe(i, n, &lru, lru) {
        if (done >= want)
            break;
        if (i->mapping.nr_pages || (i->flags & I_DIRTY))
            continue;
        drop(i);
        done++;
    }
    return done;
}

u64 inode_count(void)
{
    return inode_total;
}

static int special_open(struct inode *i, struct file *f)
{
    (void)i, (void)f;
    return -ENXIO;
}
static const struct file_ops nodev_fops = {.open = special_open};

void inode_init_special(struct inode *i, mode_t mode, dev_t rdev)
{
    i->mode = mode;
    if (S_ISCHR(mode)) {
        i->rdev = rdev;
        i->fops = &chrdev_fops;
    } else if (S_ISBLK(mode)) {
        i->rdev = rdev;
        i->fops = &blkdev_fops;
    } else if (S_ISFIFO(mode)) {
        i->fops = &fifo_fops;
    } else {
        i->fops = &nodev_fops;
    }
}

static int inode_init(void)
{
    inode_cache = kmem_cache_create("inode", sizeof(struct inode), 0);
    shrinker_register(shrink);
    return 0;
}
core_initcall(inode_init);
