/* SPDX-License-Identifier: MIT */
/*
 * dir.c - ext2: the entries of a directory.
 *
 * A directory is a file of blocks; each block is a chain of records that fills it exactly. Records
 * with inode 0 are free room. Reading never needs the hash tree that mke2fs may have put on top: its
 * blocks look like free room; adding a name drops the tree (the flag), which e2fsck accepts.
 * The caller holds dir->lock.
 */
#include "ext2.h"
#include "timer.h"

/* The directory's k-th block; NULL past the end and for holes (*err 0), or with *err set. */
static struct buf *dir_block(struct inode *dir, u64 k, int *err)
{
    struct ext2 *fs = ext2_of(dir);
    struct buf *b;
    u32 block;

    *err = ext2_bmap(dir, k, false, &block, NULL);
    if (*err || !block)
        return NULL;
    b = buf_read(fs->bdev, block, fs->block_size);
    if (IS_ERR(b)) {
        *err = (int)PTR_ERR(b);
        return NULL;
    }
    return b;
}

/* The record at `at`, or NULL when the chain is broken there. */
static struct ext2_dirent *record(struct inode *dir, struct buf *b, u32 at)
{
    struct ext2 *fs = ext2_of(dir);
    struct ext2_dirent *e = (struct ext2_dirent *)(b->data + at);

    if (at + DIRENT_HEAD > fs->block_size || e->rec_len < DIRENT_HEAD || e->rec_len % 4 ||
        at + e->rec_len > fs->block_size || (e->inode && DIRENT_LEN(e->name_len) > e->rec_len) ||
        e->inode > fs->super->inodes_count) {
        ext2_bad(fs, "broken entry in directory", dir->ino);
        return NULL;
    }
    return e;
}

static u64 dir_blocks(struct inode *dir)
{
    return dir->size >> ext2_of(dir)->block_bits;
}

/* Where a name is: its block (referenced), offset, and the record before it in the block. */
struct place {
    struct buf *b;
    struct ext2_dirent *e, *before;
};

static int find(struct inode *dir, const char *name, u32 len, struct place *p)
{
    int err;

    for (u64 k = 0; k < dir_blocks(dir); k++) {
        struct ext2_dirent *before = NULL, *e;
        struct buf *b = dir_block(dir, k, &err);

        if (err)
            return err;
        if (!b)
            continue;
        for (u32 at = 0; at < b->size; at += e->rec_len) {
            e = record(dir, b, at);
            if (!e) {
                buf_put(b);
                return -EIO;
            }
            if (e->inode && e->name_len == len && !memcmp(e->name, name, len)) {
                *p = (struct place){b, e, before};
                return 0;
            }
            before = e;
        }
        buf_put(b);
    }
    return -ENOENT;
}

int ext2_dir_find(struct inode *dir, const char *name, u32 len, u32 *ino)
{
    struct place p;
    int err = find(dir, name, len, &p);

    if (err)
        return err;
    *ino = p.e->inode;
    buf_put(p.b);
    return 0;
}

static u8 dtype(const struct ext2 *fs, mode_t mode)
{
    static const u8 map[16] = {[1] = 5, [2] = 3, [4] = 2, [6] = 4, [8] = 1, [10] = 7, [12] = 6};

    return fs->filetype ? map[(mode & S_IFMT) >> 12] : 0;
}

static void changed(struct inode *dir, struct buf *b)
{
    buf_dirty(b);
    node_of(dir)->flags &= ~FL_INDEX;
    dir->mtime = dir->ctime = clock_real_ns();
    inode_dirty(dir);
}

static void fill_record(struct ext2 *fs, struct ext2_dirent *e, const char *name, u32 len, u32 ino,
                        mode_t mode)
{
    e->inode = ino;
    e->name_len = (u8)len;
    e->type = dtype(fs, mode);
    memcpy(e->name, name, len);
}

/* Puts the name into free room of this block: behind a record, or in an unused one. */
static bool add_in_block(struct inode *dir, struct buf *b, const char *name, u32 len, u32 ino,
                         mode_t mode, int *err)
{
    u32 need = DIRENT_LEN(len);
    struct ext2_dirent *e;

    for (u32 at = 0; at < b->size; at += e->rec_len) {
        u32 used;

        e = record(dir, b, at);
        if (!e) {
            *err = -EIO;
            return false;
        }
        used = e->inode ? DIRENT_LEN(e->name_len) : 0;
        if (e->rec_len < used + need)
            continue;
        if (used) {
            struct ext2_dirent *fresh = (struct ext2_dirent *)((char *)e + used);

            fresh->rec_len = (u16)(e->rec_len - used);
            e->rec_len = (u16)used;
            e = fresh;
        }
        fill_record(ext2_of(dir), e, name, len, ino, mode);
        changed(dir, b);
        return true;
    }
    return false;
}

/* A fresh block at the directory's end, one free record. */
static struct buf *grow(struct inode *dir, int *err)
{
    struct ext2 *fs = ext2_of(dir);
    struct ext2_dirent *e;
    struct buf *b;
    u32 block;

    *err = ext2_bmap(dir, dir_blocks(dir), true, &block, NULL);
    if (*err)
        return NULL;
    b = buf_get(fs->bdev, block, fs->block_size);
    if (IS_ERR(b)) {
        *err = (int)PTR_ERR(b);
        return NULL;
    }
    memset(b->data, 0, fs->block_size);
    e = (struct ext2_dirent *)b->data;
    e->rec_len = (u16)fs->block_size;
    dir->size += fs->block_size;
    changed(dir, b);
    return b;
}

int ext2_dir_add(struct inode *dir, const char *name, u32 len, u32 ino, mode_t mode)
{
    struct buf *b;
    bool done = false;
    int err = 0;

    for (u64 k = 0; k < dir_blocks(dir) && !done; k++) {
        b = dir_block(dir, k, &err);
        if (err)
            return err;
        if (!b)
            continue;
        done = add_in_block(dir, b, name, len, ino, mode, &err);
        buf_put(b);
        if (err)
            return err;
    }
    if (done)
        return 0;
    b = grow(dir, &err);
    if (!b)
        return err;
    add_in_block(dir, b, name, len, ino, mode, &err);
    buf_put(b);
    return err;
}

int ext2_dir_remove(struct inode *dir, const char *name, u32 len)
{
    struct place p;
    int err = find(dir, name, len, &p);

    if (err)
        return err;
    if (p.before)
        p.before->rec_len = (u16)(p.before->rec_len + p.e->rec_len);
    else
        p.e->inode = 0;
    changed(dir, p.b);
    buf_put(p.b);
    return 0;
}

/* The name is there and shall lead elsewhere: in one store, so that it is never missing. */
int ext2_dir_replace(struct inode *dir, const char *name, u32 len, u32 ino, mode_t mode)
{
    struct place p;
    int err = find(dir, name, len, &p);

    if (err)
        return err;
    p.e->type = dtype(ext2_of(dir), mode);
    p.e->inode = ino;
    changed(dir, p.b);
    buf_put(p.b);
    return 0;
}

int ext2_dir_make_empty(struct inode *dir, u32 parent)
{
    struct ext2 *fs = ext2_of(dir);
    struct ext2_dirent *e;
    int err;
    struct buf *b = grow(dir, &err);

    if (!b)
        return err;
    e = (struct ext2_dirent *)b->data;
    fill_record(fs, e, ".", 1, (u32)dir->ino, S_IFDIR);
    e->rec_len = DIRENT_LEN(1);
    e = (struct ext2_dirent *)((char *)e + e->rec_len);
    fill_record(fs, e, "..", 2, parent, S_IFDIR);
    e->rec_len = (u16)(fs->block_size - DIRENT_LEN(1));
    buf_put(b);
    return 0;
}

static bool is_dots(const struct ext2_dirent *e)
{
    return e->name[0] == '.' && (e->name_len == 1 || (e->name_len == 2 && e->name[1] == '.'));
}

int ext2_dir_is_empty(struct inode *dir)
{
    int err, empty = 1;

    for (u64 k = 0; k < dir_blocks(dir) && empty == 1; k++) {
        struct buf *b = dir_block(dir, k, &err);
        struct ext2_dirent *e;

        if (err)
            return err;
        if (!b)
            continue;
        for (u32 at = 0; at < b->size && empty == 1; at += e->rec_len) {
            e = record(dir, b, at);
            if (!e)
                empty = -EIO;
            else if (e->inode && !is_dots(e))
                empty = 0;
            if (!e)
                break;
        }
        buf_put(b);
    }
    return empty;
}

int ext2_readdir(struct file *f, struct dir_ctx *c)
{
    static const u8 map[8] = {0, 8, 4, 2, 6, 1, 12, 10};
    struct inode *dir = f->inode;
    u32 bits = ext2_of(dir)->block_bits;
    int err;

    while ((u64)f->pos < dir->size) {
        u64 k = (u64)f->pos >> bits;
        struct buf *b = dir_block(dir, k, &err);
        struct ext2_dirent *e;

        if (err)
            return err;
        for (u32 at = 0; b && at < b->size; at += e->rec_len) {
            s64 pos = (s64)((k << bits) + at);

            e = record(dir, b, at);
            if (!e) {
                buf_put(b);
                f->pos = (s64)dir->size;
                return -EIO;
            }
            if (pos < f->pos) /* entries may have been joined since: start at the next one */
                continue;
            if (e->inode && !dir_emit(c, e->name, e->name_len, e->inode, map[e->type & 7],
                                      pos + e->rec_len)) {
                f->pos = pos;
                buf_put(b);
                return 1;
            }
            f->pos = pos + e->rec_len;
        }
        if (b)
            buf_put(b);
        f->pos = (s64)((k + 1) << bits);
    }
    return 0;
}
