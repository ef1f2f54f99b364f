/* SPDX-License-Identifier: MIT */
/*
 * super.c - mounting ext2: the super block, the group descriptors, statfs.
 *
 * The super block's buffer and those of the descriptors are held as long as the file system is
 * mounted. "state" on the disk says "not clean" while it is mounted for writing.
 */
#include "ext2.h"
#include "initcall.h"
#include "timer.h"
#include "vfs.h"

int ext2_bad(const struct ext2 *fs, const char *what, u64 number)
{
    printk("ext2 (%s): %s: %llu\n", fs->bdev->name, what, (unsigned long long)number);
    return -EIO;
}

struct ext2_group *ext2_group(struct ext2 *fs, u32 g, struct buf **desc)
{
    struct buf *b = fs->desc_bufs[g / fs->group_desc_per_block];

    if (desc)
        *desc = b;
    return (struct ext2_group *)b->data + g % fs->group_desc_per_block;
}

int ext2_sync_super(struct super_block *sb, bool wait)
{
    struct ext2 *fs = sb->priv;

    fs->super->wtime = now_sec();
    buf_dirty(fs->super_buf);
    return 0;
}

static int statfs(struct super_block *sb, struct kstatfs *st)
{
    struct ext2 *fs = sb->priv;
    const struct ext2_super *s = fs->super;
    u64 overhead = s->first_data_block;

    for (u32 g = 0; g < fs->groups; g++)
        overhead += 2 + DIV_ROUND_UP(s->inodes_per_group, fs->inodes_per_block);
    overhead += DIV_ROUND_UP(fs->groups, fs->group_desc_per_block) + 1;
    st->f_type = EXT2_MAGIC;
    st->f_blocks = s->blocks_count - MIN(overhead, (u64)s->blocks_count);
    st->f_bfree = s->free_blocks;
    st->f_bavail = s->free_blocks > s->r_blocks_count ? s->free_blocks - s->r_blocks_count : 0;
    st->f_files = s->inodes_count;
    st->f_ffree = s->free_inodes;
    return 0;
}

static void mark_state(struct ext2 *fs, bool clean)
{
    if (clean)
        fs->super->state |= EXT2_VALID;
    else
        fs->super->state &= (u16)~EXT2_VALID;
    fs->super->wtime = now_sec();
    buf_dirty(fs->super_buf);
    buf_write_sync(fs->super_buf);
}

static int remount(struct super_block *sb, unsigned flags)
{
    bool was = sb->flags & MS_RDONLY, will = flags & MS_RDONLY;

    if (was != will)
        mark_state(sb->priv, will);
    return 0;
}

static void release(struct ext2 *fs)
{
    if (fs->desc_bufs) {
        for (u32 k = 0; k < DIV_ROUND_UP(fs->groups, fs->group_desc_per_block); k++)
            if (fs->desc_bufs[k])
                buf_put(fs->desc_bufs[k]);
        kfree(fs->desc_bufs);
    }
    if (fs->super_buf)
        buf_put(fs->super_buf);
    kfree(fs);
}

static void unmount(struct super_block *sb)
{
    struct ext2 *fs = sb->priv;

    if (!(sb->flags & MS_RDONLY))
        mark_state(fs, true);
    buf_sync(sb->bdev);
    release(fs);
}

static const struct super_ops super_ops = {
    .write_inode = ext2_write_inode,
    .evict_inode = ext2_evict_inode,
    .sync = ext2_sync_super,
    .statfs = statfs,
    .remount = remount,
    .unmount = unmount,
};

/* --- mount ------------------------------------------------------------------------------------ */

static int check_super(struct ext2 *fs, struct super_block *sb)
{
    const struct ext2_super *s = fs->super;
    u64 bits = 8ul << (10 + MIN(s->log_block_size, 7u));

    if (s->magic != EXT2_MAGIC)
        return -EINVAL;
    if (s->log_block_size > 2 || (s->rev && (s->inode_size < 128 || s->inode_size > 1024u << s->log_block_size ||
                                             (s->inode_size & (s->inode_size - 1)))))
        return ext2_bad(fs, "block or inode size not supported", s->log_block_size);
    if (s->feature_incompat & ~INCOMPAT_FILETYPE) {
        printk("ext2 (%s): features not supported: %x\n", fs->bdev->name, s->feature_incompat);
        return -EINVAL;
    }
    if ((s->feature_ro_compat & ~(RO_COMPAT_SPARSE | RO_COMPAT_LARGE | RO_COMPAT_BTREE_DIR)) &&
        !(sb->flags & MS_RDONLY)) {
        printk("ext2 (%s): can be mounted read-only: features %x\n", fs->bdev->name,
               s->feature_ro_compat);
        return -EROFS;
    }
    if (!s->blocks_per_group || s->blocks_per_group > bits || !s->inodes_per_group ||
        s->inodes_per_group > bits || s->first_data_block >= s->blocks_count ||
        ((u64)s->blocks_count << (10 + s->log_block_size)) > sb->bdev->sectors << SECTOR_SHIFT)
        return ext2_bad(fs, "the super block contradicts itself or the disk", s->blocks_count);
    return 0;
}

static int check_groups(struct ext2 *fs)
{
    const struct ext2_super *s = fs->super;
    u32 table = DIV_ROUND_UP(s->inodes_per_group, fs->inodes_per_block);

    for (u32 g = 0; g < fs->groups; g++) {
        const struct ext2_group *d = ext2_group(fs, g, NULL);

        if (d->block_bitmap >= s->blocks_count || d->inode_bitmap >= s->blocks_count ||
            d->inode_table >= s->blocks_count || s->blocks_count - d->inode_table < table ||
            !d->block_bitmap || !d->inode_bitmap || !d->inode_table)
            return ext2_bad(fs, "bad descriptor of group", g);
    }
    return 0;
}

static int read_descriptors(struct ext2 *fs)
{
    const struct ext2_super *s = fs->super;
    u32 n;

    fs->groups = DIV_ROUND_UP(s->blocks_count - s->first_data_block, s->blocks_per_group);
    if ((u64)fs->groups * s->inodes_per_group < s->inodes_count)
        return ext2_bad(fs, "more inodes than the groups can hold", s->inodes_count);
    n = DIV_ROUND_UP(fs->groups, fs->group_desc_per_block);
    fs->desc_bufs = kzalloc(n * sizeof(struct buf *), GFP_KERNEL);
    if (!fs->desc_bufs)
        return -ENOMEM;
    for (u32 k = 0; k < n; k++) {
        struct buf *b = buf_read(fs->bdev, s->first_data_block + 1 + k, fs->block_size);

        if (IS_ERR(b))
            return (int)PTR_ERR(b);
        fs->desc_bufs[k] = b;
    }
    return check_groups(fs);
}

/* The super block is 1024 bytes at byte 1024, whatever the block size. */
static int read_super(struct ext2 *fs, struct super_block *sb)
{
    struct buf *b = buf_read(sb->bdev, 1, 1024);
    int err;

    if (IS_ERR(b))
        return (int)PTR_ERR(b);
    fs->super_buf = b;
    fs->super = (struct ext2_super *)b->data;
    err = check_super(fs, sb);
    if (err)
        return err;
    fs->block_bits = 10 + fs->super->log_block_size;
    fs->block_size = 1u << fs->block_bits;
    fs->per_block = fs->block_size / 4;
    fs->inode_size = fs->super->rev ? fs->super->inode_size : 128;
    fs->first_ino = fs->super->rev ? fs->super->first_ino : 11;
    fs->inodes_per_block = fs->block_size / fs->inode_size;
    fs->group_desc_per_block = fs->block_size / sizeof(struct ext2_group);
    fs->filetype = fs->super->feature_incompat & INCOMPAT_FILETYPE;
    sb->block_size = fs->block_size;
    return 0;
}

static int mount(struct super_block *sb, const char *data)
{
    struct ext2 *fs = kzalloc(sizeof(*fs), GFP_KERNEL);
    struct inode *root;
    int err;

    if (!fs)
        return -ENOMEM;
    fs->sb = sb;
    fs->bdev = sb->bdev;
    sb->priv = fs;
    sb->ops = &super_ops;
    err = read_super(fs, sb);
    if (!err)
        err = read_descriptors(fs);
    if (!err) {
        root = ext2_iget(sb, ROOT_INO);
        if (IS_ERR(root)) {
            err = (int)PTR_ERR(root);
        } else if (!S_ISDIR(root->mode)) {
            err = ext2_bad(fs, "the root is not a directory, mode", root->mode);
            inode_put(root);
        } else {
            sb->root = dentry_root(sb, root);
            err = sb->root ? 0 : -ENOMEM;
        }
    }
    if (err) {
        inode_drop_all(sb);
        release(fs);
        return err;
    }
    if (!(sb->flags & MS_RDONLY)) {
        if (!(fs->super->state & EXT2_VALID))
            printk("ext2 (%s): was not unmounted cleanly; e2fsck is advised\n", fs->bdev->name);
        fs->super->mtime = now_sec();
        fs->super->mnt_count++;
        mark_state(fs, false);
    }
    return 0;
}

static struct fs_type type = {.name = "ext2", .needs_dev = true, .mount = mount};

static int ext2_init(void)
{
    fs_register(&type);
    return 0;
}
fs_initcall(ext2_init);
