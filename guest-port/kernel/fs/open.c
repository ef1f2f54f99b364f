/* SPDX-License-Identifier: MIT */
/*
 * open.c - open files: making them, opening paths, the last close; truncate.
 */
#include "errno.h"
#include "fs.h"
#include "initcall.h"
#include "mm.h"
#include "poll.h"
#include "printk.h"
#include "proc.h"
#include "slab.h"
#include "string.h"
#include "vfs.h"

static struct kmem_cache *file_cache;

struct file *file_alloc(struct dentry *d, u32 flags, const struct file_ops *ops)
{
    struct file *f = kmem_cache_alloc(file_cache, GFP_KERNEL);

    if (!f) {
        dentry_put(d);
        return ERR_PTR(-ENFILE);
    }
    *f = (struct file){.refs = 1, .flags = flags, .ops = ops, .dentry = d, .inode = d->inode};
    f->owner_pid = current->proc ? (uid_t)current->proc->pid : 0;
    list_init(&f->epolls);
    return f;
}

void file_put(struct file *f)
{
    struct inode *i = f->inode;

    BUG_ON(f->refs <= 0);
    if (--f->refs > 0)
        return;
    locks_release(f, NULL);
    if (!list_empty(&f->epolls))
        epoll_file_gone(f);
    if (f->ops && f->ops->release && !(f->flags & O_PATH))
        f->ops->release(i, f);
    if (file_writable(f) && !(f->flags & O_PATH) && S_ISREG(i->mode) && i->writers > 0)
        i->writers--;
    dentry_put(f->dentry);
    kmem_cache_free(file_cache, f);
}

static int open_allowed(struct inode *i, u32 flags)
{
    int mask = 0;

    if (flags & O_PATH)
        return 0;
    if (S_ISLNK(i->mode))
        return -ELOOP;
    if ((flags & O_DIRECTORY) && !S_ISDIR(i->mode))
        return -ENOTDIR;
    if ((flags & O_ACCMODE) != O_WRONLY)
        mask |= MAY_READ;
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC))
        mask |= MAY_WRITE;
    if (S_ISDIR(i->mode) && (mask & MAY_WRITE))
        return -EISDIR;
    return permission(i, mask);
}

/* created: the one who made the file may open it whatever its mode says. */
static struct file *open_dentry(struct dentry *d, u32 flags, bool created)
{
    struct inode *i = d->inode;
    bool counts = (flags & O_ACCMODE) != O_RDONLY && !(flags & O_PATH) && S_ISREG(i->mode);
    int err = created ? 0 : open_allowed(i, flags);
    struct file *f;

    if (!err && (i->sb->flags & MS_NODEV) && (S_ISCHR(i->mode) || S_ISBLK(i->mode)))
        err = -EACCES;
    if (!err && counts && i->writers < 0)
        err = -ETXTBSY;
    if (!err && counts && (i->sb->flags & MS_RDONLY))
        err = -EROFS;
    if (err)
        return ERR_PTR(err);
    if (!S_ISREG(i->mode))
        flags &= ~O_TRUNC;
    f = file_alloc(dentry_get(d), flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_CLOEXEC), i->fops);
    if (IS_ERR(f) || (flags & O_PATH))
        return f;
    f->flags = (f->flags & ~O_TRUNC) | (flags & O_NOCTTY); /* a driver's open may look */
    if (counts)
        i->writers++;
    if ((flags & O_TRUNC) && !created && i->size)
        err = do_truncate(i, 0);
    if (!err && f->ops && f->ops->open)
        err = f->ops->open(i, f);
    if (err) {
        static const struct file_ops none;

        f->ops = &none; /* it never was open: no release */
        file_put(f);
        return ERR_PTR(err);
    }
    return f;
}

struct file *file_open_dentry(struct dentry *d, u32 flags)
{
    return open_dentry(d, flags, false);
}

static struct file *open_at(struct dentry *base, const char *path, u32 flags, mode_t mode)
{
    bool created;
    struct dentry *d = open_lookup(base, path, flags, mode, &created);
    struct file *f;

    if (IS_ERR(d))
        return ERR_PTR(PTR_ERR(d));
    f = open_dentry(d, flags, created);
    dentry_put(d);
    return f;
}

struct file *file_open(const char *path, u32 flags, mode_t mode)
{
    return open_at(NULL, path, flags, mode);
}

/* --- system calls ----------------------------------------------------------------------------- */

/* O_TMPFILE: a file that never had a name. */
static struct file *open_tmpfile(struct dentry *base, const char *path, u32 flags, mode_t mode)
{
    struct dentry *dir = path_lookup(base, path, LOOKUP_FOLLOW | LOOKUP_DIR), *d;
    struct file *f;
    char name[32];
    int err;

    if (IS_ERR(dir))
        return ERR_PTR(PTR_ERR(dir));
    if (!file_writable(&(struct file){.flags = flags}) || !dir->inode->ops->create) {
        dentry_put(dir);
        return ERR_PTR(-EINVAL);
    }
    snprintf(name, sizeof(name), ".tmp-%lx", (unsigned long)random_u64());
    mutex_lock(&dir->inode->lock);
    d = lookup_one(dir, name, strlen(name));
    err = IS_ERR(d) ? (int)PTR_ERR(d) : permission(dir->inode, MAY_WRITE | MAY_EXEC);
    if (!err)
        err = dir->inode->ops->create(dir->inode, d, S_IFREG | (mode & 07777));
    if (!err) {
        err = dir->inode->ops->unlink(dir->inode, d);
        dentry_unhash(d);
    }
    mutex_unlock(&dir->inode->lock);
    dentry_put(dir);
    f = err ? ERR_PTR(err) : open_dentry(d, flags & ~(O_TMPFILE), true);
    if (!IS_ERR(d))
        dentry_put(d);
    return f;
}

long sys_openat(int dirfd, const char __user *path, u32 flags, mode_t mode)
{
    char *name = getname(path);
    struct dentry *base = NULL;
    struct file *f;

    if (IS_ERR(name))
        return PTR_ERR(name);
    if (name[0] != '/' && dirfd != AT_FDCWD) {
        base = dir_base(dirfd);
        if (IS_ERR(base)) {
            putname(name);
            return PTR_ERR(base);
        }
    }
    if (flags & O_PATH)
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if ((flags & O_TMPFILE) == O_TMPFILE)
        f = open_tmpfile(base, name, flags, mode);
    else
        f = open_at(base, name, flags, mode);
    if (base)
        dentry_put(base);
    putname(name);
    return IS_ERR(f) ? PTR_ERR(f) : fd_install(f, flags);
}

long sys_open(const char __user *path, u32 flags, mode_t mode)
{
    return sys_openat(AT_FDCWD, path, flags, mode);
}

long sys_creat(const char __user *path, mode_t mode)
{
    return sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* --- truncate --------------------------------------------------------------------------------- */

int do_truncate(struct inode *i, u64 size)
{
    int err;

    if (S_ISDIR(i->mode))
        return -EISDIR;
    if (!S_ISREG(i->mode) || !i->ops || !i->ops->truncate) /* a disk has no ops */
        return -EINVAL;
    mutex_lock(&i->lock);
    err = i->ops->truncate(i, size);
    if (!err) {
        i->mtime = i->ctime = clock_real_ns();
        inode_dirty(i);
    }
    mutex_unlock(&i->lock);
    return err;
}

static int size_allowed(s64 size)
{
    if (size < 0)
        return -EINVAL;
    if ((u64)size > rlimit_cur(RLIMIT_FSIZE)) {
        signal_proc(current->proc, SIGXFSZ, NULL);
        return -EFBIG;
    }
    return 0;
}

long sys_truncate(const char __user *path, s64 size)
{
    struct dentry *d;
    int err = size_allowed(size);

    if (err)
        return err;
    d = path_lookup_user(AT_FDCWD, path, LOOKUP_FOLLOW);
    if (IS_ERR(d))
        return PTR_ERR(d);
    err = permission(d->inode, MAY_WRITE);
    if (!err && S_ISREG(d->inode->mode) && d->inode->writers < 0)
        err = -ETXTBSY;
    if (!err)
        err = do_truncate(d->inode, (u64)size);
    dentry_put(d);
    return err;
}

long sys_ftruncate(int fd, s64 size)
{
    struct file *f = fd_get(fd);
    int err = f ? size_allowed(size) : -EBADF;

    if (!err)
        err = file_writable(f) && !(f->flags & O_PATH) ? do_truncate(f->inode, (u64)size) : -EINVAL;
    if (f)
        file_put(f);
    return err;
}

/* Blocks are found at write time; making the file long enough is all that is promised. */
long sys_fallocate(int fd, int mode, s64 off, s64 len)
{
    struct file *f = fd_get(fd);
    int err = 0;

    if (!f)
        return -EBADF;
    if (mode)
        err = -EOPNOTSUPP;
    else if (off < 0 || len <= 0)
        err = -EINVAL;
    else if (!file_writable(f))
        err = -EBADF;
    else if (!S_ISREG(f->inode->mode))
        err = S_ISFIFO(f->inode->mode) ? -ESPIPE : -ENODEV;
    else if (off + len < off)
        err = -EFBIG;
    else
        err = size_allowed(off + len);
    if (!err && (u64)(off + len) > f->inode->size)
        err = do_truncate(f->inode, (u64)(off + len));
    file_put(f);
    return err;
}

static int open_init(void)
{
    file_cache = kmem_cache_create("file", sizeof(struct file), 0);
    return 0;
}
core_initcall(open_init);
