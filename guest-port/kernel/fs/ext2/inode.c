/* SPDX-License-Identifier: MIT */
/*
 * inode.c - ext2: inodes between the disk's table and the inode cache; making and ending them.
 *
 * Order on the disk: an inode is in its buffer before a directory names it, and it leaves the inode
 * table (links 0, a deletion time) before its number and blocks may be used again.
 */
#include "ext2.h"
#include "proc.h"
#include "timer.h"
#include "vfs.h"

/* The table's buffer and the place of inode `ino` in it. */
static struct buf *locate(struct ext2 *fs, u32 ino, struct ext2_inode **out)
{
    u32 per = fs->super->inodes_per_group, n = (ino - 1) % per;
    const struct ext2_group *d;
    struct buf *b;

    if (ino == 0 || ino > fs->super->inodes_count || (ino != ROOT_INO && ino < fs->first_ino)) {
        ext2_bad(fs, "bad inode number", ino);
        return ERR_PTR(-EIO);
    }
    d = ext2_group(fs, (ino - 1) / per, NULL);
    b = buf_read(fs->bdev, d->inode_table + n / fs->inodes_per_block, fs->block_size);
    if (!IS_ERR(b))
        *out = (struct ext2_inode *)(b->data + n % fs->inodes_per_block * fs->inode_size);
    return b;
}

/* Device numbers: the old form in block[0], the new one in block[1]. */
static dev_t get_rdev(const struct ext2_inode *d)
{
    u32 n = d->block[1];

    if (d->block[0])
        return d->block[0];
    return MKDEV((n >> 8) & 0xfff, n & 0xff);
}

void ext2_set_ops(struct inode *i)
{
    static const struct inode_ops special;

    if (S_ISREG(i->mode)) {
        i->ops = &ext2_file_iops;
        i->fops = &ext2_file_fops;
        i->mapping.ops = &ext2_mapping_ops;
    } else if (S_ISDIR(i->mode)) {
        i->ops = &ext2_dir_iops;
        i->fops = &ext2_dir_fops;
    } else if (S_ISLNK(i->mode)) {
        i->ops = &ext2_link_iops;
    } else {
        i->ops = &special;
        inode_init_special(i, i->mode, i->rdev);
    }
}

static int fill(struct inode *i)
{
    struct ext2 *fs = ext2_of(i);
    struct ext2_node *nd = kzalloc(sizeof(*nd), GFP_KERNEL);
    struct ext2_inode *d;
    struct buf *b;

    if (!nd)
        return -ENOMEM;
    b = locate(fs, (u32)i->ino, &d);
    if (IS_ERR(b) || (d->links == 0 && d->mode == 0)) {
        kfree(nd);
        if (IS_ERR(b))
            return (int)PTR_ERR(b);
        buf_put(b);
        return ext2_bad(fs, "a name for a deleted inode", i->ino);
    }
    i->mode = d->mode;
    i->nlink = d->links;
    i->uid = d->uid | (u32)d->uid_high << 16;
    i->gid = d->gid | (u32)d->gid_high << 16;
    i->size = d->size | (S_ISREG(d->mode) ? (u64)d->size_high << 32 : 0);
    i->blocks = d->blocks;
    i->atime = d->atime * NSEC_PER_SEC;
    i->mtime = d->mtime * NSEC_PER_SEC;
    i->ctime = d->ctime * NSEC_PER_SEC;
    i->generation = d->generation;
    memcpy(nd->block, d->block, sizeof(nd->block));
    nd->flags = d->flags;
    nd->file_acl = d->file_acl;
    nd->group = ((u32)i->ino - 1) / fs->super->inodes_per_group;
    i->rdev = S_ISCHR(d->mode) || S_ISBLK(d->mode) ? get_rdev(d) : 0;
    buf_put(b);
    i->priv = nd;
    if (S_ISREG(i->mode) && i->size > ext2_max_size(fs)) {
        kfree(nd);
        return ext2_bad(fs, "impossible size of inode", i->ino);
    }
    ext2_set_ops(i);
    return 0;
}

struct inode *ext2_iget(struct super_block *sb, u32 ino)
{
    struct inode *i = inode_get(sb, ino);
    int err;

    if (IS_ERR(i) || !(i->flags & I_NEW))
        return i;
    err = fill(i);
    if (err) {
        inode_fail(i);
        return ERR_PTR(err);
    }
    inode_unlock_new(i);
    return i;
}

int ext2_write_inode(struct inode *i, bool wait)
{
    struct ext2 *fs = ext2_of(i);
    struct ext2_node *nd = node_of(i);
    struct ext2_inode *d;
    struct buf *b = locate(fs, (u32)i->ino, &d);
    int err = 0;

    if (IS_ERR(b))
        return (int)PTR_ERR(b);
    d->mode = (u16)i->mode;
    d->links = (u16)i->nlink;
    d->uid = (u16)i->uid;
    d->uid_high = (u16)(i->uid >> 16);
    d->gid = (u16)i->gid;
    d->gid_high = (u16)(i->gid >> 16);
    d->size = (u32)i->size;
    if (S_ISREG(i->mode)) {
        d->size_high = (u32)(i->size >> 32);
        if (d->size_high && !(fs->super->feature_ro_compat & RO_COMPAT_LARGE)) {
            fs->super->feature_ro_compat |= RO_COMPAT_LARGE;
            buf_dirty(fs->super_buf);
        }
    }
    d->blocks = (u32)i->blocks;
    d->atime = (u32)(i->atime / NSEC_PER_SEC);
    d->mtime = (u32)(i->mtime / NSEC_PER_SEC);
    d->ctime = (u32)(i->ctime / NSEC_PER_SEC);
    d->dtime = nd->dtime;
    d->flags = nd->flags;
    d->generation = i->generation;
    d->file_acl = nd->file_acl;
    memcpy(d->block, nd->block, sizeof(d->block));
    buf_dirty(b);
    if (wait)
        err = buf_write_sync(b);
    buf_put(b);
    return err;
}

/* An inode allocated on disk and in memory with one link, in no directory yet. */
struct inode *ext2_inode_create(struct inode *dir, mode_t mode)
{
    struct ext2 *fs = ext2_of(dir);
    struct ext2_node *nd = kzalloc(sizeof(*nd), GFP_KERNEL);
    struct ext2_inode *d;
    struct inode *i;
    struct buf *b;
    u32 ino;
    int err;

    if (!nd)
        return ERR_PTR(-ENOMEM);
    err = ext2_ino_alloc(dir, mode, &ino);
    if (err) {
        kfree(nd);
        return ERR_PTR(err);
    }
    i = inode_get(dir->sb, ino);
    b = locate(fs, ino, &d);
    if (IS_ERR(i) || IS_ERR(b) || !(i->flags & I_NEW)) {
        err = IS_ERR(i) ? (int)PTR_ERR(i) : IS_ERR(b) ? (int)PTR_ERR(b) : -EIO;
        if (!IS_ERR(i) && (i->flags & I_NEW))
            inode_fail(i);
        else if (!IS_ERR(i))
            inode_put(i); /* in use although its bit was clear: leave both alone */
        if (!IS_ERR(b))
            buf_put(b);
        if (err != -EIO)
            ext2_ino_free(fs, ino, S_ISDIR(mode));
        kfree(nd);
        return ERR_PTR(err);
    }
    memset(d, 0, fs->inode_size);
    if (fs->inode_size > 128)
        *(u16 *)(d + 1) = MIN((u16)28, (u16)(fs->inode_size - 128)); /* extra_isize */
    buf_put(b);
    nd->group = (ino - 1) / fs->super->inodes_per_group;
    i->priv = nd;
    i->mode = mode;
    i->nlink = 1;
    i->uid = current->cred.fsuid;
    i->gid = current->cred.fsgid;
    if (dir->mode & S_ISGID) {
        i->gid = dir->gid;
        if (S_ISDIR(mode))
            i->mode |= S_ISGID;
    }
    i->generation = (u32)random_u64();
    i->atime = i->mtime = i->ctime = clock_real_ns();
    ext2_set_ops(i);
    inode_dirty(i);
    inode_unlock_new(i);
    return i;
}

static bool has_blocks(const struct inode *i)
{
    return S_ISREG(i->mode) || S_ISDIR(i->mode) || (S_ISLNK(i->mode) && i->blocks);
}

void ext2_evict_inode(struct inode *i)
{
    struct ext2 *fs = ext2_of(i);
    struct ext2_node *nd = node_of(i);

    if (i->nlink == 0 && nd && !(i->sb->flags & MS_RDONLY)) {
        bool dir = S_ISDIR(i->mode);

        nd->dtime = now_sec();
        i->size = 0;
        ext2_write_inode(i, false);
        if (has_blocks(i))
            ext2_free_blocks_from(i, 0);
        if (nd->file_acl && i->blocks) {
            buf_forget(fs->bdev, nd->file_acl, fs->block_size);
            ext2_block_free(fs, nd->file_acl);
            nd->file_acl = 0;
        }
        i->blocks = 0;
        ext2_write_inode(i, false);
        ext2_ino_free(fs, (u32)i->ino, dir);
    }
    kfree(nd);
}

int ext2_truncate(struct inode *i, u64 size)
{
    struct ext2 *fs = ext2_of(i);
    int err = 0;

    if (size > ext2_max_size(fs))
        return -EFBIG;
    if (node_of(i)->flags & (FL_IMMUTABLE | FL_APPEND))
        return -EPERM;
    if (size < i->size) {
        mapping_truncate(&i->mapping, size);
        i->size = size;
        err = ext2_free_blocks_from(i, (size + fs->block_size - 1) >> fs->block_bits);
    }
    i->size = size;
    inode_dirty(i);
    return err;
}

/* What fsync promises: contents, then the inode, then all metadata that leads to it, on the disk. */
int ext2_fsync(struct file *f, bool datasync)
{
    struct inode *i = f->inode;
    int err = S_ISREG(i->mode) ? mapping_sync(&i->mapping, true) : 0, e;

    e = inode_write(i, false);
    err = err ? err : e;
    e = buf_sync(i->sb->bdev);
    err = err ? err : e;
    e = block_flush(i->sb->bdev);
    return err ? err : e;
}
