/* SPDX-License-Identifier: MIT */
/*
 * fs.h - the virtual file system: super blocks, inodes, dentries, open files, descriptor tables.
 *
 * Names live in dentries (a cache, always below a referenced parent), contents in inodes, and an
 * open file refers to a dentry. A path is a dentry: a mount point's dentry leads down through
 * `mounted` to the root dentry of what is mounted there, and that one back up through `covers`.
 * Directory changes and size changes of an inode are made under inode->lock (parent before
 * child; two directories by address). Reference counts are plain integers (one CPU).
 */
#ifndef KERN_FS_H
#define KERN_FS_H

#include "abi.h"
#include "pagecache.h"
#include "wait.h"

struct dentry;
struct file;
struct inode;
struct super_block;
struct vma;
struct pipe;
struct block_device;

/* --- super blocks and file system types ------------------------------------------------------- */

struct fs_type {
    const char *name;
    bool needs_dev; /* the source is a block device */
    /* Fills sb (root dentry included). `data` is mount(2)'s option string. 0 or -errno. */
    int (*mount)(struct super_block *sb, const char *data);
    struct fs_type *next;
};
void fs_register(struct fs_type *t);

struct super_ops {
    /* Write the inode's fields (not its data) to the disk's buffers; wait: to the disk. */
    int (*write_inode)(struct inode *i, bool wait);
    /* Last reference gone: nlink == 0 means delete on disk. Frees i->priv. May be NULL. */
    void (*evict_inode)(struct inode *i);
    int (*sync)(struct super_block *sb, bool wait);
    int (*statfs)(struct super_block *sb, struct kstatfs *st);
    int (*remount)(struct super_block *sb, unsigned flags);
    void (*unmount)(struct super_block *sb);
};

struct super_block {
    struct list link;
    const struct fs_type *type;
    const struct super_ops *ops;
    struct block_device *bdev;
    dev_t dev; /* st_dev */
    u32 block_size;
    unsigned flags; /* MS_RDONLY ... */
    struct dentry *root;
    struct dentry *mountpoint; /* NULL for the root file system */
    struct list inodes;
    char source[64];
    bool no_dcache; /* names come and go without us: keep no dentry that nobody uses */
    void *priv;
};

/* --- inodes ----------------------------------------------------------------------------------- */

struct inode_ops {
    /* Directories. `d` is a dentry with parent and name set; success instantiates it with
     * dentry_instantiate(d, inode). lookup of a missing name instantiates NULL, returns 0. */
    int (*lookup)(struct inode *dir, struct dentry *d);
    int (*create)(struct inode *dir, struct dentry *d, mode_t mode); /* regular file */
    int (*mknod)(struct inode *dir, struct dentry *d, mode_t mode, dev_t dev);
    int (*mkdir)(struct inode *dir, struct dentry *d, mode_t mode);
    int (*symlink)(struct inode *dir, struct dentry *d, const char *target);
    int (*link)(struct inode *dir, struct dentry *d, struct inode *old);
    int (*unlink)(struct inode *dir, struct dentry *d);
    int (*rmdir)(struct inode *dir, struct dentry *d);
    /* nd's inode, if any, is replaced; checks for type and emptiness are the callee's. */
    int (*rename)(struct inode *od, struct dentry *old, struct inode *nd, struct dentry *d);
    /* Symbolic links: copies at most `size` bytes of the target, returns its length. */
    ssize_t (*readlink)(struct inode *i, char *buf, size_t size);
    /* Magic links of procfs: a referenced dentry instead of a name. Else NULL. */
    struct dentry *(*follow)(struct inode *i);
    int (*truncate)(struct inode *i, u64 size); /* grow or shrink; sets i->size */
    int (*setattr)(struct inode *i);            /* mode/uid/gid/times were changed in memory */
    int (*getattr)(struct inode *i, struct kstat *st); /* after the generic fields; may be NULL */
};

#define I_DIRTY 1u
#define I_NEW   2u
#define I_DYING 4u

struct inode {
    struct super_block *sb;
    ino_t ino;
    mode_t mode;
    u32 nlink;
    uid_t uid;
    gid_t gid;
    dev_t rdev;
    u64 size;
    u64 blocks;              /* of 512 bytes */
    u64 atime, mtime, ctime; /* ns since 1970 */
    u32 flags, generation;
    int refs;
    int writers; /* open for writing; < 0: being executed (ETXTBSY) */
    const struct inode_ops *ops;
    const struct file_ops *fops; /* default f_ops of an open */
    struct mutex lock;
    struct mapping mapping;
    struct inode *hash_next;
    struct list sb_link, lru, dirty_link;
    struct list locks;         /* flock and fcntl locks */
    struct pipe *pipe;         /* FIFO */
    struct block_device *bdev; /* block device node */
    void *priv;                /* the file system's */
};

/* Finds (sb, ino) or makes a new one with I_NEW set, which the caller fills and then clears with
 * inode_unlock_new, or gives up with inode_fail. Referenced; ERR_PTR(-ENOMEM). */
struct inode *inode_get(struct super_block *sb, ino_t ino);
void inode_unlock_new(struct inode *i);
void inode_fail(struct inode *i);
struct inode *inode_new(struct super_block *sb); /* unhashed (pipes, sockets, tmpfs) */
void inode_ref(struct inode *i);
void inode_put(struct inode *i);
void inode_dirty(struct inode *i);
/* Sets fops for S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK nodes. */
void inode_init_special(struct inode *i, mode_t mode, dev_t rdev);

/* --- dentries and paths ----------------------------------------------------------------------- */

#define NAME_MAX 255
#define PATH_MAX 4096

struct dentry {
    int refs;
    u32 hash;
    struct inode *inode;    /* NULL: known not to exist */
    struct dentry *parent;  /* itself for a root */
    struct dentry *mounted; /* root dentry of the file system mounted here */
    struct dentry *covers;  /* root dentry: the mount point below us */
    struct super_block *sb;
    struct dentry *hash_next;
    bool hashed;
    struct list children, sibling, lru;
    u16 len;
    char *name; /* inline_name when short */
    char inline_name[32];
};

struct dentry *dentry_root(struct super_block *sb, struct inode *root); /* eats the inode ref */
void dentry_instantiate(struct dentry *d, struct inode *i);             /* eats the inode ref */
static inline struct dentry *dentry_get(struct dentry *d)
{
    d->refs++;
    return d;
}
void dentry_put(struct dentry *d);
/* Anonymous dentry for pipes and sockets: name as /proc/N/fd shows it, "pipe:[12]". */
struct dentry *dentry_anon(struct inode *i, const char *name);
/* Absolute path as the current process's root sees it, into buf's end; pointer into buf or
 * ERR_PTR(-ENAMETOOLONG, -ENOENT for an unlinked directory). */
char *dentry_path(struct dentry *d, char *buf, size_t size);

#define LOOKUP_FOLLOW 1u /* follow a final symbolic link */
#define LOOKUP_DIR    2u /* must be a directory */
#define LOOKUP_PARENT 4u /* stop at the parent; `last` is filled */

/* Resolves a kernel-space path from `base` (NULL: cwd of current). Referenced dentry with an
 * inode, or ERR_PTR. Checks search permission. */
struct dentry *path_lookup(struct dentry *base, const char *path, unsigned flags);
/* User-space path relative to dirfd (AT_FDCWD ...), with AT_EMPTY_PATH where allowed. */
struct dentry *path_lookup_user(int dirfd, const char __user *path, unsigned flags);
/* Makes a node (mode as given, no umask) at a kernel-space path; referenced dentry or ERR_PTR
 * (-EEXIST ...). bind(2) of AF_UNIX makes its S_IFSOCK nodes with it. */
struct dentry *path_mknod(const char *path, mode_t mode, dev_t dev);
int permission(struct inode *i, int mask); /* MAY_READ 4, MAY_WRITE 2, MAY_EXEC 1; 0 / -EACCES */
#define MAY_EXEC  1
#define MAY_WRITE 2
#define MAY_READ  4

/* --- open files --------------------------------------------------------------------------------
 */

struct dir_ctx; /* getdents in progress */
/* Returns false when the buffer is full (stop, do not advance). */
bool dir_emit(struct dir_ctx *c, const char *name, size_t len, ino_t ino, unsigned type, s64 next);

struct file_ops {
    int (*open)(struct inode *i, struct file *f);     /* may be NULL */
    void (*release)(struct inode *i, struct file *f); /* last reference; may be NULL */
    ssize_t (*read)(struct file *f, struct uio *u, s64 *pos);
    ssize_t (*write)(struct file *f, struct uio *u, s64 *pos);
    s64 (*llseek)(struct file *f, s64 off, int whence);      /* NULL: generic, by inode size */
    int (*readdir)(struct file *f, struct dir_ctx *c);       /* from f->pos; advances f->pos */
    unsigned (*poll)(struct file *f, struct poll_table *pt); /* NULL: always ready */
    long (*ioctl)(struct file *f, unsigned cmd, unsigned long arg);
    int (*mmap)(struct file *f, struct vma *v); /* sets v->ops; generic_file_mmap */
    int (*fsync)(struct file *f, bool datasync);
    int (*flush)(struct file *f); /* at each close(2); may be NULL */
};

struct file {
    int refs;
    u32 flags; /* O_ flags of open */
    const struct file_ops *ops;
    struct dentry *dentry;
    struct inode *inode;
    s64 pos;
    bool no_seek; /* pipes, sockets, ttys: -ESPIPE */
    void *priv;
    struct list epolls; /* epoll items watching it */
    uid_t owner_pid;
};
#define file_readable(f) (((f)->flags & O_ACCMODE) != O_WRONLY)
#define file_writable(f) (((f)->flags & O_ACCMODE) != O_RDONLY)

struct file *file_alloc(struct dentry *d, u32 flags, const struct file_ops *ops); /* eats d's ref */
struct file *file_open(const char *path, u32 flags, mode_t mode); /* kernel path; ERR_PTR */
struct file *file_open_dentry(struct dentry *d, u32 flags);       /* does not eat; ERR_PTR */
static inline struct file *file_get(struct file *f)
{
    f->refs++;
    return f;
}
void file_put(struct file *f);
ssize_t file_read_kernel(struct file *f, void *buf, size_t n, s64 pos);
ssize_t file_write_kernel(struct file *f, const void *buf, size_t n, s64 pos);

/* --- descriptor tables --------------------------------------------------------------------------
 */

struct files {
    int refs;
    int size;       /* slots */
    int first_free; /* no free slot below */
    struct file **slots;
    u64 *cloexec; /* bitmap */
};
struct files *files_new(void);
struct files *files_clone(struct files *old); /* NULL: no memory */
void files_put(struct files *fs);
void files_close_on_exec(struct files *fs);
struct file *fd_get(int fd);  /* referenced file, NULL: EBADF. file_put when done */
struct file *fd_peek(int fd); /* not referenced: valid only while no other thread can close it,
                               * that is until the caller sleeps */
int fd_install(struct file *f, unsigned flags); /* eats f; O_CLOEXEC; lowest fd or -EMFILE */
int fd_install_from(struct file *f, int min, unsigned flags);
int fd_close(int fd);

/* Root and working directory, shared between threads (clone CLONE_FS). */
struct fs_ctx {
    int refs;
    struct dentry *root, *cwd;
    mode_t umask;
};
struct fs_ctx *fs_ctx_clone(struct fs_ctx *old);
void fs_ctx_put(struct fs_ctx *c);

/* Character device drivers: all minors of a major, or a range of minors. */
int chrdev_register(unsigned major, unsigned first, unsigned count, const char *name,
                    const struct file_ops *ops);
/* Makes /dev/NAME appear in devfs (S_IFCHR or S_IFBLK in mode). NAME may be "pts/3". */
int devfs_add(const char *name, mode_t mode, dev_t dev);
void devfs_remove(const char *name);

/* Mounts the root file system (command line root=, rootfstype=; or the ramdisk module) and devfs,
 * procfs where their directories exist. Panics when there is none. Called once before init. */
void mount_root(void);
void vfs_sync_all(bool wait);

#endif
