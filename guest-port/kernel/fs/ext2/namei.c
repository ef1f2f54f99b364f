/* SPDX-License-Identifier: MIT */
/*
 * namei.c - ext2: making, linking, renaming and removing files.
 *
 * Each operation first does what can fail for want of room, and undoes it when a later step fails.
 */
#include "ext2.h"
#include "timer.h"
#include "vfs.h"

#define LINK_MAX 32000u

static int lookup(struct inode *dir, struct dentry *d)
{
    struct inode *i = NULL;
    u32 ino;
    int err = ext2_dir_find(dir, d->name, d->len, &ino);

    if (err && err != -ENOENT)
        return err;
    if (!err) {
        i = ext2_iget(dir->sb, ino);
        if (IS_ERR(i))
            return (int)PTR_ERR(i);
    }
    dentry_instantiate(d, i);
    return 0;
}

static void set_links(struct inode *i, int change)
{
    i->nlink += (u32)change;
    i->ctime = clock_real_ns();
    inode_dirty(i);
}

/* Gives a new inode its name, or ends it. */
static int name_it(struct inode *dir, struct dentry *d, struct inode *i)
{
    int err = inode_write(i, false); /* in its buffer before a directory names it */

    if (!err)
        err = ext2_dir_add(dir, d->name, d->len, (u32)i->ino, i->mode);
    if (err) {
        i->nlink = 0;
        inode_put(i);
        return err;
    }
    dentry_instantiate(d, i);
    return 0;
}

static int create(struct inode *dir, struct dentry *d, mode_t mode)
{
    struct inode *i = ext2_inode_create(dir, mode);

    return IS_ERR(i) ? (int)PTR_ERR(i) : name_it(dir, d, i);
}

static int mknod(struct inode *dir, struct dentry *d, mode_t mode, dev_t dev)
{
    struct inode *i = ext2_inode_create(dir, mode);

    if (IS_ERR(i))
        return (int)PTR_ERR(i);
    if (S_ISCHR(mode) || S_ISBLK(mode)) {
        i->rdev = dev;
        if (MAJOR(dev) < 256)
            node_of(i)->block[0] = dev;
        else
            node_of(i)->block[1] = dev;
    }
    return name_it(dir, d, i);
}

static int mkdir(struct inode *dir, struct dentry *d, mode_t mode)
{
    struct inode *i;
    int err;

    if (dir->nlink >= LINK_MAX)
        return -EMLINK;
    i = ext2_inode_create(dir, mode);
    if (IS_ERR(i))
        return (int)PTR_ERR(i);
    i->nlink = 2;
    err = ext2_dir_make_empty(i, (u32)dir->ino);
    if (err) {
        i->nlink = 0;
        inode_put(i);
        return err;
    }
    err = name_it(dir, d, i);
    if (!err)
        set_links(dir, 1);
    return err;
}

static int symlink(struct inode *dir, struct dentry *d, const char *target)
{
    struct ext2 *fs = ext2_of(dir);
    u32 len = strlen(target), block;
    struct inode *i;
    struct buf *b;
    int err = 0;

    if (len >= fs->block_size)
        return -ENAMETOOLONG;
    i = ext2_inode_create(dir, S_IFLNK | 0777);
    if (IS_ERR(i))
        return (int)PTR_ERR(i);
    i->size = len;
    if (len < sizeof(node_of(i)->block)) {
        memcpy(node_of(i)->block, target, len);
    } else {
        err = ext2_bmap(i, 0, true, &block, NULL);
        b = err ? ERR_PTR(err) : buf_get(fs->bdev, block, fs->block_size);
        if (IS_ERR(b)) {
            i->nlink = 0;
            inode_put(i);
            return (int)PTR_ERR(b);
        }
        memset(b->data, 0, fs->block_size);
        memcpy(b->data, target, len);
        buf_dirty(b);
        buf_put(b);
    }
    return name_it(dir, d, i);
}

static int link(struct inode *dir, struct dentry *d, struct inode *old)
{
    int err;

    if (old->nlink >= LINK_MAX)
        return -EMLINK;
    set_links(old, 1);
    inode_ref(old);
    err = inode_write(old, false);
    if (!err)
        err = ext2_dir_add(dir, d->name, d->len, (u32)old->ino, old->mode);
    if (err) {
        set_links(old, -1);
        inode_put(old);
        return err;
    }
    dentry_instantiate(d, old);
    return 0;
}

static int unlink(struct inode *dir, struct dentry *d)
{
    int err = ext2_dir_remove(dir, d->name, d->len);

    if (!err)
        set_links(d->inode, -1);
    return err;
}

static int rmdir(struct inode *dir, struct dentry *d)
{
    int empty = ext2_dir_is_empty(d->inode), err;

    if (empty <= 0)
        return empty ? empty : -ENOTEMPTY;
    err = ext2_dir_remove(dir, d->name, d->len);
    if (!err) {
        d->inode->nlink = 0;
        inode_dirty(d->inode);
        set_links(dir, -1);
    }
    return err;
}

/* The victim of a rename lost its name. */
static void drop_victim(struct inode *nd, struct inode *victim)
{
    if (S_ISDIR(victim->mode)) {
        victim->nlink = 0;
        inode_dirty(victim);
        set_links(nd, -1);
    } else {
        set_links(victim, -1);
    }
}

static int rename(struct inode *od, struct dentry *old, struct inode *nd, struct dentry *d)
{
    struct inode *i = old->inode, *victim = d->inode;
    bool moved_dir = S_ISDIR(i->mode) && od != nd;
    int err;

    if (victim && S_ISDIR(victim->mode)) {
        int empty = ext2_dir_is_empty(victim);

        if (empty <= 0)
            return empty ? empty : -ENOTEMPTY;
    }
    if (moved_dir && !victim && nd->nlink >= LINK_MAX)
        return -EMLINK;
    if (victim)
        err = ext2_dir_replace(nd, d->name, d->len, (u32)i->ino, i->mode);
    else
        err = ext2_dir_add(nd, d->name, d->len, (u32)i->ino, i->mode);
    if (err)
        return err;
    if (victim)
        drop_victim(nd, victim);
    ext2_dir_remove(od, old->name, old->len);
    if (moved_dir) {
        ext2_dir_replace(i, "..", 2, (u32)nd->ino, S_IFDIR);
        set_links(od, -1);
        set_links(nd, 1);
    }
    i->ctime = clock_real_ns();
    inode_dirty(i);
    return 0;
}

const struct inode_ops ext2_dir_iops = {
    .lookup = lookup,
    .create = create,
    .mknod = mknod,
    .mkdir = mkdir,
    .symlink = symlink,
    .link = link,
    .unlink = unlink,
    .rmdir = rmdir,
    .rename = rename,
};

const struct file_ops ext2_dir_fops = {.readdir = ext2_readdir, .fsync = ext2_fsync};
