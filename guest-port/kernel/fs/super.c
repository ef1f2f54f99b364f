/* SPDX-License-Identifier: MIT */
/*
 * super.c - mounted file systems: mount, umount, the root, sync, and the daemon that writes back.
 *
 * A mount joins two dentries: the mount point's `mounted` leads to the new root (whose reference
 * the super block holds), the root's `covers` back (and holds the mount point). A file system can go
 * when nothing but the cache refers to its dentries and inodes.
 */
#include "block.h"
#include "errno.h"
#include "fs.h"
#include "initcall.h"
#include "printk.h"
#include "proc.h"
#include "slab.h"
#include "string.h"
#include "uaccess.h"
#include "vfs.h"

static struct fs_type *types;
struct list super_blocks = LIST_INIT(super_blocks);
static u32 next_dev = 1;

void fs_register(struct fs_type *t)
{
    t->next = types;
    types = t;
}

struct fs_type *fs_types(void)
{
    return types;
}

static struct fs_type *find_type(const char *name)
{
    struct fs_type *t;

    for (t = types; t; t = t->next)
        if (strcmp(t->name, name) == 0)
            return t;
    return NULL;
}

/* --- sync ------------------------------------------------------------------------------------- */

/* Data first, then the inodes' fields into the buffers, then all buffers, then the disk's own cache. */
int sync_sb(struct super_block *sb, bool wait)
{
    int err, e;

    if (sb->flags & MS_RDONLY)
        return 0;
    err = inode_sync_all(sb, wait);
    e = sb->ops && sb->ops->sync ? sb->ops->sync(sb, wait) : 0;
    err = err ? err : e;
    if (sb->bdev) {
        e = buf_sync(sb->bdev);
        err = err ? err : e;
        if (wait) {
            e = block_flush(sb->bdev);
            err = err ? err : e;
        }
    }
    return err;
}

void vfs_sync_all(bool wait)
{
    struct super_block *sb;

    list_for_each(sb, &super_blocks, link)
        sync_sb(sb, wait);
    buf_sync(NULL);
}

#define WRITEBACK_MS 5000

static void writeback(void *arg)
{
    for (;;) {
        sleep_ms(WRITEBACK_MS);
        vfs_sync_all(false);
    }
}

long sys_sync(void)
{
    vfs_sync_all(true);
    return 0;
}

long sys_syncfs(int fd)
{
    struct file *f = fd_get(fd);
    int err;

    if (!f)
        return -EBADF;
    err = sync_sb(f->inode->sb, true);
    file_put(f);
    return err;
}

static long do_fsync(int fd, bool datasync)
{
    struct file *f = fd_get(fd);
    int err;

    if (!f)
        return -EBADF;
    err = f->ops && f->ops->fsync ? f->ops->fsync(f, datasync) : -EINVAL;
    file_put(f);
    return err;
}

long sys_fsync(int fd)
{
    return do_fsync(fd, false);
}

long sys_fdatasync(int fd)
{
    return do_fsync(fd, true);
}

/* --- mount ------------------------------------------------------------------------------------ */

#define MS_KEPT (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME)

static void sb_free(struct super_block *sb)
{
    if (sb->bdev && sb->bdev->holder == sb)
        sb->bdev->holder = NULL;
    list_del(&sb->link);
    kfree(sb);
}

static int claim_device(struct super_block *sb, const char *source)
{
    struct dentry *d;

    sb->bdev = block_find(source);
    if (!sb->bdev && current->proc->fs) {
        d = path_lookup(NULL, source, LOOKUP_FOLLOW);
        if (!IS_ERR(d)) {
            if (S_ISBLK(d->inode->mode))
                sb->bdev = block_find_dev(d->inode->rdev);
            dentry_put(d);
        }
    }
    if (!sb->bdev)
        return -ENOTBLK;
    if (sb->bdev->holder)
        return -EBUSY;
    if (sb->bdev->read_only && !(sb->flags & MS_RDONLY))
        return -EROFS;
    sb->bdev->holder = sb;
    sb->dev = sb->bdev->dev;
    return 0;
}

/* A mounted, not yet attached file system, or ERR_PTR. */
struct super_block *fs_mount(const char *type, const char *source, unsigned flags,
                             const char *data)
{
    struct fs_type *t = find_type(type);
    struct super_block *sb;
    int err = 0;

    if (!t)
        return ERR_PTR(-ENODEV);
    sb = kzalloc(sizeof(*sb), GFP_KERNEL);
    if (!sb)
        return ERR_PTR(-ENOMEM);
    sb->type = t;
    sb->flags = flags & MS_KEPT;
    sb->block_size = PAGE_SIZE;
    sb->dev = MKDEV(0, 16 + next_dev++);
    list_init(&sb->link);
    list_init(&sb->inodes);
    strlcpy(sb->source, source && *source ? source : "none", sizeof(sb->source));
    if (t->needs_dev)
        err = claim_device(sb, source);
    if (!err)
        err = t->mount(sb, data ? data : "");
    if (err) {
        sb_free(sb);
        return ERR_PTR(err);
    }
    list_add_tail(&super_blocks, &sb->link);
    return sb;
}

static void attach(struct super_block *sb, struct dentry *at)
{
    sb->mountpoint = dentry_get(at);
    at->mounted = sb->root;
    sb->root->covers = at;
}

/* Everything of sb goes, or -EBUSY and nothing has changed. */
static int fs_unmount(struct super_block *sb)
{
    struct dentry *at = sb->mountpoint;

    sync_sb(sb, true);
    if (!dentry_drop_all(sb))
        return -EBUSY;
    if (at) {
        at->mounted = NULL;
        sb->root->covers = NULL;
        dentry_put(at);
    }
    dentry_put(sb->root);
    if (!inode_drop_all(sb))
        printk("%s: inodes in use after unmounting\n", sb->source);
    if (sb->ops && sb->ops->unmount)
        sb->ops->unmount(sb);
    if (sb->bdev) {
        buf_invalidate(sb->bdev);
        block_flush(sb->bdev);
    }
    sb_free(sb);
    return 0;
}

static int remount(struct dentry *d, unsigned flags)
{
    struct super_block *sb = d->sb;
    int err = 0;

    if (d != sb->root)
        return -EINVAL;
    if ((flags & MS_RDONLY) && !(sb->flags & MS_RDONLY)) {
        struct inode *i;

        list_for_each(i, &sb->inodes, sb_link)
            if (i->writers > 0)
                return -EBUSY;
        err = sync_sb(sb, true);
    }
    if (!(flags & MS_RDONLY) && sb->bdev && sb->bdev->read_only)
        return -EROFS;
    if (!err && sb->ops && sb->ops->remount)
        err = sb->ops->remount(sb, flags & MS_KEPT);
    if (!err)
        sb->flags = flags & MS_KEPT;
    return err;
}

static int do_mount(const char *source, struct dentry *at, const char *type, unsigned flags,
                    const char *data)
{
    struct super_block *sb;

    if (flags & MS_REMOUNT)
        return remount(at, flags);
    if (flags & (MS_BIND | MS_MOVE))
        return -EINVAL;
    if (!S_ISDIR(at->inode->mode))
        return -ENOTDIR;
    sb = fs_mount(type, source, flags, data);
    if (IS_ERR(sb))
        return (int)PTR_ERR(sb);
    if (at->mounted) { /* somebody was quicker */
        fs_unmount(sb);
        return -EBUSY;
    }
    attach(sb, at);
    return 0;
}

/* A user's string of at most a page, or "" for NULL; kfree'd by the caller. */
static char *copy_string(const char __user *s)
{
    return s ? getname(s) : kstrdup("");
}

long sys_mount(const char __user *usource, const char __user *utarget, const char __user *utype,
               unsigned long flags, const char __user *udata)
{
    char *source, *type, *data;
    struct dentry *at;
    long err;

    if (!capable())
        return -EPERM;
    source = copy_string(usource);
    type = copy_string(flags & MS_REMOUNT ? NULL : utype);
    data = copy_string(udata);
    if (!source || !type || !data || IS_ERR(source) || IS_ERR(type) || IS_ERR(data)) {
        err = IS_ERR(source) ? PTR_ERR(source) : IS_ERR(type) ? PTR_ERR(type)
              : IS_ERR(data)                                  ? PTR_ERR(data)
                                                              : -ENOMEM;
    } else {
        at = path_lookup_user(AT_FDCWD, utarget, LOOKUP_FOLLOW);
        err = IS_ERR(at) ? PTR_ERR(at) : do_mount(source, at, type, (unsigned)flags, data);
        if (!IS_ERR(at))
            dentry_put(at);
    }
    kfree(IS_ERR(source) ? NULL : source);
    kfree(IS_ERR(type) ? NULL : type);
    kfree(IS_ERR(data) ? NULL : data);
    return err;
}

long sys_umount2(const char __user *path, unsigned flags)
{
    struct dentry *d;
    struct super_block *sb;

    if (!capable())
        return -EPERM;
    d = path_lookup_user(AT_FDCWD, path, LOOKUP_FOLLOW);
    if (IS_ERR(d))
        return PTR_ERR(d);
    sb = d->sb;
    if (d != sb->root || !sb->mountpoint) {
        bool is_root = d == sb->root;

        dentry_put(d);
        return is_root ? -EBUSY : -EINVAL;
    }
    dentry_put(d);
    return fs_unmount(sb);
}

/* --- the root --------------------------------------------------------------------------------- */

static void mount_at(const char *type, const char *path)
{
    struct dentry *at = path_lookup(NULL, path, LOOKUP_DIR);
    int err;

    if (IS_ERR(at))
        return;
    err = do_mount(type, at, type, 0, NULL);
    if (err)
        printk("%s on %s: error %d\n", type, path, err);
    dentry_put(at);
}

void mount_root(void)
{
    char source[64] = "ram0", type[16] = "ext2", opt[8];
    struct super_block *sb;
    struct fs_ctx *c = kzalloc(sizeof(*c), GFP_KERNEL);
    unsigned flags = 0;

    cmdline_get("root", source, sizeof(source));
    cmdline_get("rootfstype", type, sizeof(type));
    if (cmdline_get("ro", opt, sizeof(opt)))
        flags |= MS_RDONLY;
    sb = fs_mount(type, source, flags, NULL);
    if (IS_ERR(sb) || !c)
        panic("cannot mount the root file system %s (%s): error %ld. Give root=DEVICE, or a module",
              source, type, IS_ERR(sb) ? PTR_ERR(sb) : (long)-ENOMEM);
    *c = (struct fs_ctx){1, dentry_get(sb->root), dentry_get(sb->root), 022};
    current->proc->fs = c;
    printk("root: %s (%s)%s\n", source, type, flags & MS_RDONLY ? " read-only" : "");
    mount_at("devfs", "/dev");
    mount_at("proc", "/proc");
    kthread_start("writeback", writeback, NULL);
}
