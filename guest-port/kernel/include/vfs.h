/* SPDX-License-Identifier: MIT */
/* vfs.h - what the files of fs/ share among themselves, and nobody else needs. */
#ifndef KERN_VFS_H
#define KERN_VFS_H

#include "fs.h"

extern const struct file_ops chrdev_fops; /* opens the driver behind a character device node */
extern const struct file_ops blkdev_fops; /* a disk as a file */
extern struct list super_blocks;

/* inode.c */
int inode_write(struct inode *i, bool wait);
int inode_sync_all(struct super_block *sb, bool wait);
bool inode_drop_all(struct super_block *sb);
u64 inode_count(void);

/* dcache.c */
struct dentry *dentry_lookup(struct dentry *parent, const char *name,
                             u32 len);                                         /* cached, or NULL */
struct dentry *dentry_alloc(struct dentry *parent, const char *name, u32 len); /* or NULL */
void dentry_hash(struct dentry *d); /* from now on others find it */
void dentry_unhash(struct dentry *d);
void dentry_prune(struct dentry *d);                       /* forgets the unused names below d */
void dentry_move(struct dentry *d, struct dentry *target); /* d takes target's name and place */
bool dentry_drop_all(struct super_block *sb);              /* true: no dentry of sb is in use */
u64 dentry_count(void);

/* namei.c */
struct name_end { /* where LOOKUP_PARENT stopped */
    struct dentry *parent;
    char name[NAME_MAX + 1];
    u32 len;
    bool trailing_slash;
};
int path_parent(struct dentry *base, const char *path, struct name_end *e);
int path_parent_user(int dirfd, const char __user *path, struct name_end *e);
struct dentry *lookup_one(struct dentry *parent, const char *name, u32 len); /* parent locked */
struct dentry *dir_base(int dirfd);     /* referenced start of relative paths; ERR_PTR */
char *getname(const char __user *path); /* kernel copy, for putname; ERR_PTR */
void putname(char *s);
struct dentry *open_lookup(struct dentry *base, const char *path, u32 flags, mode_t mode,
                           bool *created);
bool sticky_denies(struct inode *dir, struct inode *i);

/* open.c, super.c */
int do_truncate(struct inode *i, u64 size);
int sync_sb(struct super_block *sb, bool wait);
struct super_block *fs_mount(const char *type, const char *source, unsigned flags,
                             const char *data);
struct fs_type *fs_types(void); /* chain of all */
/* locks.c */
void locks_release(struct file *f, struct files *owner);

long fcntl_lock(struct file *f, unsigned cmd, unsigned long arg);

#endif
