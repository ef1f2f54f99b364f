/* SPDX-License-Identifier: MIT */
/*
 * ext2.h - the second extended file system: the disk's structures, and what the files here share.
 *
 * Everything on the disk is little-endian and lies in blocks of 1, 2 or 4 KiB. The disk is never
 * trusted: numbers read from it are checked before they are used, and a contradiction is -EIO with
 * a message, not a panic.
 *
 * Metadata (super block, group descriptors, bitmaps, inode table, indirect blocks, directories, long
 * symbolic links) goes through the buffer cache, contents of regular files through the page cache.
 */
#ifndef EXT2_H
#define EXT2_H

#include "block.h"
#include "errno.h"
#include "fs.h"
#include "printk.h"
#include "slab.h"
#include "string.h"

struct ext2_super {
    u32 inodes_count, blocks_count, r_blocks_count, free_blocks, free_inodes, first_data_block;
    u32 log_block_size, log_frag_size, blocks_per_group, frags_per_group, inodes_per_group;
    u32 mtime, wtime;
    u16 mnt_count, max_mnt_count, magic, state, errors, minor_rev;
    u32 lastcheck, checkinterval, creator_os, rev;
    u16 def_resuid, def_resgid;
    u32 first_ino;
    u16 inode_size, block_group_nr;
    u32 feature_compat, feature_incompat, feature_ro_compat;
    u8 uuid[16];
    char volume[16];
    char last_mounted[64];
    u32 algo_bitmap;
    u8 rest[820];
} __packed;
_Static_assert(sizeof(struct ext2_super) == 1024, "super block");

#define EXT2_MAGIC          0xef53
#define EXT2_VALID          1
#define INCOMPAT_FILETYPE   0x2u
#define RO_COMPAT_SPARSE    0x1u
#define RO_COMPAT_LARGE     0x2u
#define RO_COMPAT_BTREE_DIR 0x4u

struct ext2_group {
    u32 block_bitmap, inode_bitmap, inode_table;
    u16 free_blocks, free_inodes, used_dirs, pad;
    u32 reserved[3];
} __packed;
_Static_assert(sizeof(struct ext2_group) == 32, "group descriptor");

#define N_DIRECT 12
#define N_BLOCKS 15
#define ROOT_INO 2

struct ext2_inode {
    u16 mode, uid;
    u32 size, atime, ctime, mtime, dtime;
    u16 gid, links;
    u32 blocks, flags, osd1;
    u32 block[N_BLOCKS];
    u32 generation, file_acl, size_high, faddr;
    u16 pad0, pad1, uid_high, gid_high;
    u32 pad2;
} __packed;
_Static_assert(sizeof(struct ext2_inode) == 128, "inode");

#define FL_IMMUTABLE 0x10u
#define FL_APPEND    0x20u
#define FL_INDEX     0x1000u /* a hash tree in the directory: we clear it when we add names */

struct ext2_dirent {
    u32 inode;
    u16 rec_len;
    u8 name_len, type;
    char name[];
} __packed;
#define DIRENT_HEAD   8u
#define DIRENT_LEN(n) ALIGN_UP(DIRENT_HEAD + (u32)(n), 4u)

struct ext2 {
    struct super_block *sb;
    struct block_device *bdev;
    u32 block_size, block_bits, per_block; /* numbers in an indirect block */
    u32 inode_size, inodes_per_block, groups, group_desc_per_block, first_ino;
    struct buf *super_buf; /* held while mounted */
    struct ext2_super *super;
    struct buf **desc_bufs;
    bool filetype;
};

/* In inode->priv. block[] is what the disk inode holds, in host order (the same here). */
struct ext2_node {
    u32 block[N_BLOCKS];
    u32 flags, file_acl, dtime;
    u32 group;     /* where it lies: near it blocks are sought */
    u32 last_goal; /* block after the one allocated last */
};

static inline struct ext2 *ext2_of(const struct inode *i)
{
    return i->sb->priv;
}
static inline struct ext2_node *node_of(const struct inode *i)
{
    return i->priv;
}
/* Reports a contradiction on the disk. Returns -EIO. */
int ext2_bad(const struct ext2 *fs, const char *what, u64 number);

/* super.c */
struct ext2_group *ext2_group(struct ext2 *fs, u32 g, struct buf **desc); /* desc: not referenced */
int ext2_sync_super(struct super_block *sb, bool wait);

/* balloc.c */
int ext2_block_alloc(struct inode *i, u32 goal, u32 *out); /* 0, -ENOSPC, -EIO */
void ext2_block_free(struct ext2 *fs, u32 block);
int ext2_ino_alloc(struct inode *dir, mode_t mode, u32 *ino);
void ext2_ino_free(struct ext2 *fs, u32 ino, bool was_dir);

/* bmap.c */
/* Disk block behind file block `n`: 0 in *out for a hole. With create, holes get a block; *fresh says
 * that it did (contents undefined). */
int ext2_bmap(struct inode *i, u64 n, bool create, u32 *out, bool *fresh);
int ext2_free_blocks_from(struct inode *i, u64 first); /* everything at or beyond file block `first` */
u64 ext2_max_size(const struct ext2 *fs);

/* inode.c */
struct inode *ext2_iget(struct super_block *sb, u32 ino);
struct inode *ext2_inode_create(struct inode *dir, mode_t mode);
int ext2_write_inode(struct inode *i, bool wait);
void ext2_evict_inode(struct inode *i);
void ext2_set_ops(struct inode *i);
int ext2_truncate(struct inode *i, u64 size);
int ext2_fsync(struct file *f, bool datasync);

/* file.c */
extern const struct mapping_ops ext2_mapping_ops;
extern const struct inode_ops ext2_file_iops;
extern const struct file_ops ext2_file_fops;
extern const struct inode_ops ext2_link_iops;

/* dir.c */
int ext2_dir_find(struct inode *dir, const char *name, u32 len, u32 *ino);
int ext2_dir_add(struct inode *dir, const char *name, u32 len, u32 ino, mode_t mode);
int ext2_dir_remove(struct inode *dir, const char *name, u32 len);
int ext2_dir_replace(struct inode *dir, const char *name, u32 len, u32 ino, mode_t mode);
int ext2_dir_make_empty(struct inode *dir, u32 parent);
int ext2_dir_is_empty(struct inode *dir); /* 1, 0 or -errno */
int ext2_readdir(struct file *f, struct dir_ctx *c);

/* namei.c */
extern const struct inode_ops ext2_dir_iops;
extern const struct file_ops ext2_dir_fops;

#endif
