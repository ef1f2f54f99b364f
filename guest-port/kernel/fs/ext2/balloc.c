/* SPDX-License-Identifier: MIT */
/*
 * balloc.c - ext2: free blocks and free inodes.
 *
 * The bitmaps are the truth; the counters in the descriptors and the super block follow them. A bit
 * is tested and set without sleeping in between, so no lock is needed. What may never be handed out
 * (super blocks, descriptors, bitmaps, inode tables) is refused even when a damaged bitmap offers it.
 */
#include "ext2.h"
#include "proc.h"

static bool test_bit(const u8 *map, u32 n)
{
    return map[n / 8] >> (n % 8) & 1;
}

static void set_bit(u8 *map, u32 n)
{
    map[n / 8] |= (u8)(1u << (n % 8));
}

static void clear_bit(u8 *map, u32 n)
{
    map[n / 8] &= (u8) ~(1u << (n % 8));
}

/* First clear bit in [from, limit), or limit. */
static u32 find_clear(const u8 *map, u32 from, u32 limit)
{
    for (u32 n = from; n < limit;) {
        if (n % 64 == 0 && n + 64 <= limit && *(const u64 *)(map + n / 8) == ~0UL)
            n += 64;
        else if (test_bit(map, n))
            n++;
        else
            return n;
    }
    return limit;
}

static u32 group_blocks(const struct ext2 *fs, u32 g)
{
    u32 first = fs->super->first_data_block + g * fs->super->blocks_per_group;

    return MIN(fs->super->blocks_per_group, fs->super->blocks_count - first);
}

/* Is this block part of the file system's own structures? */
static bool is_system(struct ext2 *fs, u32 block)
{
    u32 g = (block - fs->super->first_data_block) / fs->super->blocks_per_group;
    const struct ext2_group *d = ext2_group(fs, g, NULL);
    u32 table = DIV_ROUND_UP(fs->super->inodes_per_group, fs->inodes_per_block);

    return block <= fs->super->first_data_block || block == d->block_bitmap ||
           block == d->inode_bitmap || block - d->inode_table < table;
}

static bool may_use_reserve(const struct ext2 *fs)
{
    return current->cred.fsuid == 0 || current->cred.fsuid == fs->super->def_resuid;
}

/* A clear bit in group g at or after `from`, set; its block number, 0: none, or -errno. */
static s64 take_block(struct ext2 *fs, u32 g, u32 from)
{
    u32 first = fs->super->first_data_block + g * fs->super->blocks_per_group;
    u32 limit = group_blocks(fs, g), n = from;
    struct buf *desc, *map;
    struct ext2_group *d = ext2_group(fs, g, &desc);

    if (!d->free_blocks)
        return 0;
    map = buf_read(fs->bdev, d->block_bitmap, fs->block_size);
    if (IS_ERR(map))
        return PTR_ERR(map);
    for (;;) {
        n = find_clear(map->data, n, limit);
        if (n == limit && from) { /* once more from the group's start */
            limit = from;
            n = from = 0;
            continue;
        }
        if (n == limit)
            break;
        set_bit(map->data, n);
        buf_dirty(map);
        if (!is_system(fs, first + n))
            break;
        ext2_bad(fs, "a block of the file system itself was marked free", first + n);
    }
    buf_put(map);
    if (n == limit)
        return 0;
    d->free_blocks--;
    fs->super->free_blocks--;
    buf_dirty(desc);
    buf_dirty(fs->super_buf);
    return first + n;
}

int ext2_block_alloc(struct inode *i, u32 goal, u32 *out)
{
    struct ext2 *fs = ext2_of(i);
    const struct ext2_super *s = fs->super;
    u32 g, from;

    if (s->free_blocks == 0 || (s->free_blocks <= s->r_blocks_count && !may_use_reserve(fs)))
        return -ENOSPC;
    if (goal <= s->first_data_block || goal >= s->blocks_count)
        goal = s->first_data_block + node_of(i)->group * s->blocks_per_group;
    g = (goal - s->first_data_block) / s->blocks_per_group;
    from = (goal - s->first_data_block) % s->blocks_per_group;
    for (u32 k = 0; k < fs->groups; k++, from = 0) {
        s64 b = take_block(fs, (g + k) % fs->groups, from);

        if (b < 0)
            return (int)b;
        if (b) {
            *out = (u32)b;
            i->blocks += fs->block_size / 512;
            return 0;
        }
    }
    return -ENOSPC;
}

void ext2_block_free(struct ext2 *fs, u32 block)
{
    const struct ext2_super *s = fs->super;
    struct buf *desc, *map;
    struct ext2_group *d;
    u32 g, n;

    if (block <= s->first_data_block || block >= s->blocks_count || is_system(fs, block)) {
        ext2_bad(fs, "freeing a block that no file can have", block);
        return;
    }
    g = (block - s->first_data_block) / s->blocks_per_group;
    n = (block - s->first_data_block) % s->blocks_per_group;
    d = ext2_group(fs, g, &desc);
    map = buf_read(fs->bdev, d->block_bitmap, fs->block_size);
    if (IS_ERR(map))
        return; /* it stays marked as used: a leak that e2fsck mends */
    if (test_bit(map->data, n)) {
        clear_bit(map->data, n);
        d->free_blocks++;
        fs->super->free_blocks++;
        buf_dirty(map);
        buf_dirty(desc);
        buf_dirty(fs->super_buf);
    } else {
        ext2_bad(fs, "freeing a free block", block);
    }
    buf_put(map);
}

/* --- inodes ----------------------------------------------------------------------------------- */

/* Directories are spread: the group with the most free blocks among those with free inodes. Files go
 * where their directory is. */
static u32 first_group(struct ext2 *fs, struct inode *dir, mode_t mode)
{
    u32 best = node_of(dir)->group, most = 0;

    if (!S_ISDIR(mode))
        return best;
    for (u32 g = 0; g < fs->groups; g++) {
        const struct ext2_group *d = ext2_group(fs, g, NULL);

        if (d->free_inodes && d->free_blocks > most) {
            most = d->free_blocks;
            best = g;
        }
    }
    return best;
}

static s64 take_ino(struct ext2 *fs, u32 g, mode_t mode)
{
    u32 per = fs->super->inodes_per_group, n;
    u32 reserved = g == 0 ? fs->first_ino - 1 : 0;
    struct buf *desc, *map;
    struct ext2_group *d = ext2_group(fs, g, &desc);

    if (!d->free_inodes)
        return 0;
    map = buf_read(fs->bdev, d->inode_bitmap, fs->block_size);
    if (IS_ERR(map))
        return PTR_ERR(map);
    n = find_clear(map->data, reserved, per);
    if (n < per) {
        set_bit(map->data, n);
        d->free_inodes--;
        fs->super->free_inodes--;
        if (S_ISDIR(mode))
            d->used_dirs++;
        buf_dirty(map);
        buf_dirty(desc);
        buf_dirty(fs->super_buf);
    }
    buf_put(map);
    return n < per ? (s64)g * per + n + 1 : 0;
}

int ext2_ino_alloc(struct inode *dir, mode_t mode, u32 *ino)
{
    struct ext2 *fs = ext2_of(dir);
    u32 g = first_group(fs, dir, mode);

    for (u32 k = 0; k < fs->groups; k++) {
        s64 n = take_ino(fs, (g + k) % fs->groups, mode);

        if (n < 0)
            return (int)n;
        if (n) {
            *ino = (u32)n;
            return 0;
        }
    }
    return -ENOSPC;
}

void ext2_ino_free(struct ext2 *fs, u32 ino, bool was_dir)
{
    u32 g = (ino - 1) / fs->super->inodes_per_group, n = (ino - 1) % fs->super->inodes_per_group;
    struct buf *desc, *map;
    struct ext2_group *d = ext2_group(fs, g, &desc);

    map = buf_read(fs->bdev, d->inode_bitmap, fs->block_size);
    if (IS_ERR(map))
        return;
    if (test_bit(map->data, n)) {
        clear_bit(map->data, n);
        d->free_inodes++;
        fs->super->free_inodes++;
        if (was_dir && d->used_dirs)
            d->used_dirs--;
        buf_dirty(map);
        buf_dirty(desc);
        buf_dirty(fs->super_buf);
    } else {
        ext2_bad(fs, "freeing a free inode", ino);
    }
    buf_put(map);
}
