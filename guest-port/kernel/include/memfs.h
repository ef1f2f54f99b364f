/* SPDX-License-Identifier: MIT */
/*
 * memfs.h - directories in memory, for file systems whose names and nodes have no disk behind them
 * (tmpfs, devfs).
 */
#ifndef KERN_MEMFS_H
#define KERN_MEMFS_H

#include "fs.h"

extern const struct inode_ops memfs_dir_ops; /* read-write directory */
extern const struct file_ops memfs_dir_fops;
extern const struct super_ops memfs_super_ops;

/* Fills sb with an empty root directory of the given mode. 0 or -errno. */
int memfs_fill(struct super_block *sb, mode_t root_mode, u64 max_bytes);
/* A new node, not yet in a directory. ERR_PTR. */
struct inode *memfs_node(struct super_block *sb, mode_t mode, dev_t rdev);
/* Puts a node into a directory (eats nothing; the entry holds its own reference). */
int memfs_enter(struct inode *dir, const char *name, u32 len, struct inode *i);
int memfs_remove(struct inode *dir, const char *name, u32 len);

#endif
