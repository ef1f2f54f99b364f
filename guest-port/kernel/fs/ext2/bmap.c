/* SPDX-License-Identifier: MIT */
/*
 * bmap.c - ext2: from a block of a file to a block of the disk.
 *
 * Twelve direct numbers, then trees of one, two and three levels of indirect blocks. A file block's
 * way is an array of at most four indexes; looking up, allocating and freeing all walk it.
 */
#include "ext2.h"

struct way {
    int depth; /* 1: direct, 2: one indirect block above, ... */
    u32 index[4];
};

static int find_way(const struct ext2 *fs, u64 n, struct way *w)
{
    u64 per = fs->per_block;

    if (n < N_DIRECT) {
        *w = (struct way){1, {(u32)n}};
        return 0;
    }
    n -= N_DIRECT;
    if (n < per) {
        *w = (struct way){2, {N_DIRECT, (u32)n}};
        return 0;
    }
    n -= per;
    if (n < per * per) {
        *w = (struct way){3, {N_DIRECT + 1, (u32)(n / per), (u32)(n % per)}};
        return 0;
    }
    n -= per * per;
    if (n < per * per * per) {
        *w = (struct way){4,
                          {N_DIRECT + 2, (u32)(n / per / per), (u32)(n / per % per), (u32)(n % per)}};
        return 0;
    }
    return -EFBIG;
}

u64 ext2_max_size(const struct ext2 *fs)
{
    u64 per = fs->per_block, blocks = N_DIRECT + per + per * per + per * per * per;

    /* i_blocks counts 512-byte units in 32 bits. */
    return MIN(blocks << fs->block_bits, 0xffffffffUL << 9);
}

static bool plausible(const struct ext2 *fs, u32 block)
{
    return block > fs->super->first_data_block && block < fs->super->blocks_count;
}

/* A new block for slot; as an indirect block it starts full of zeroes. */
static int allocate(struct inode *i, u32 *out, bool indirect)
{
    struct ext2 *fs = ext2_of(i);
    struct ext2_node *nd = node_of(i);
    int err = ext2_block_alloc(i, nd->last_goal, out);

    if (err)
        return err;
    nd->last_goal = *out + 1;
    inode_dirty(i);
    if (indirect) {
        struct buf *b = buf_get(fs->bdev, *out, fs->block_size);

        if (IS_ERR(b)) {
            ext2_block_free(fs, *out);
            i->blocks -= fs->block_size / 512;
            return (int)PTR_ERR(b);
        }
        memset(b->data, 0, fs->block_size);
        buf_dirty(b);
        buf_put(b);
    } else {
        buf_forget(fs->bdev, *out, fs->block_size); /* it may have been metadata in a former life */
    }
    return 0;
}

/* Mutual exclusion of block allocation in one file: writers hold i->lock, write-back of a hole filled
 * through mmap may not; a slot is read again after every sleep. */
int ext2_bmap(struct inode *i, u64 n, bool create, u32 *out, bool *fresh)
{
    struct ext2 *fs = ext2_of(i);
    struct buf *b = NULL, *next;
    u32 *slot, block, made;
    struct way w;
    int err = find_way(fs, n, &w);

    *out = 0;
    if (fresh)
        *fresh = false;
    if (err)
        return err;
    slot = &node_of(i)->block[w.index[0]];
    for (int level = 1;; level++) {
        block = *slot;
        if (!block && create) {
            err = allocate(i, &made, level < w.depth);
            if (err)
                break;
            if (*slot) { /* somebody was quicker while we slept */
                ext2_block_free(fs, made);
                i->blocks -= fs->block_size / 512;
            } else {
                *slot = made;
                if (b)
                    buf_dirty(b);
                if (fresh)
                    *fresh = level == w.depth;
            }
            block = *slot;
        }
        if (!block)
            break;
        if (!plausible(fs, block)) {
            err = ext2_bad(fs, "a file points to an impossible block", block);
            break;
        }
        if (level == w.depth) {
            *out = block;
            break;
        }
        next = buf_read(fs->bdev, block, fs->block_size);
        if (b)
            buf_put(b);
        b = NULL;
        if (IS_ERR(next))
            return (int)PTR_ERR(next);
        b = next;
        slot = (u32 *)b->data + w.index[level];
    }
    if (b)
        buf_put(b);
    return err;
}

/* --- freeing ---------------------------------------------------------------------------------- */

static void free_one(struct inode *i, u32 block, bool metadata)
{
    struct ext2 *fs = ext2_of(i);

    if (metadata)
        buf_forget(fs->bdev, block, fs->block_size);
    if (plausible(fs, block)) {
        ext2_block_free(fs, block);
        i->blocks -= MIN(i->blocks, (u64)fs->block_size / 512);
    } else {
        ext2_bad(fs, "a file pointed to an impossible block", block);
    }
}

/* Frees below *slot, a tree of `levels` indirect levels, what lies at or after its leaf `from`. The
 * slot itself goes when from == 0. Returns 0 or -EIO (the rest is kept). */
static int free_tree(struct inode *i, u32 *slot, int levels, u64 from)
{
    struct ext2 *fs = ext2_of(i);
    u64 span = 1;
    u32 block = *slot, *entry;
    struct buf *b;
    int err = 0;

    if (!block)
        return 0;
    if (levels && plausible(fs, block)) {
        b = buf_read(fs->bdev, block, fs->block_size);
        if (IS_ERR(b))
            return (int)PTR_ERR(b);
        for (int k = 1; k < levels; k++)
            span *= fs->per_block;
        entry = (u32 *)b->data;
        for (u32 k = (u32)(from / span); k < fs->per_block && !err; k++) {
            u64 start = k * span;

            if (entry[k])
                err = free_tree(i, &entry[k], levels - 1, from > start ? from - start : 0);
        }
        if (from)
            buf_dirty(b);
        buf_put(b);
    }
    if (!err && from == 0) {
        *slot = 0;
        free_one(i, block, levels > 0 || S_ISDIR(i->mode));
    }
    return err;
}

int ext2_free_blocks_from(struct inode *i, u64 first)
{
    struct ext2 *fs = ext2_of(i);
    struct ext2_node *nd = node_of(i);
    u64 base = N_DIRECT, span = fs->per_block;
    int err = 0;

    for (u64 n = first; n < N_DIRECT; n++)
        err = err ? err : free_tree(i, &nd->block[n], 0, 0);
    for (int levels = 1; levels <= 3; levels++) {
        if (first < base + span && !err)
            err = free_tree(i, &nd->block[N_DIRECT + levels - 1], levels,
                            first > base ? first - base : 0);
        base += span;
        span *= fs->per_block;
    }
    inode_dirty(i);
    return err;
}
