/* SPDX-License-Identifier: MIT */
/*
 * link.c - system calls that change directories: mkdir, mknod, link, symlink, unlink, rmdir, rename.
 *
 * Each looks up the parent, takes its lock, looks the name up again below the lock, checks rights
 * and kinds here, and leaves the change of the directory to the file system.
 */
#include "errno.h"
#include "fs.h"
#include "proc.h"
#include "slab.h"
#include "string.h"
#include "vfs.h"

static bool is_dot(const struct name_end *e)
{
    return !strcmp(e->name, ".") || !strcmp(e->name, "..");
}

enum intent { MAKE, UNLINK, RMDIR };

/* What no call can make or remove: ".", ".." and the root. 0: another name. */
static int special_name(const struct name_end *e, enum intent what)
{
    if (e->len && !is_dot(e))
        return 0;
    if (what == MAKE)
        return -EEXIST;
    if (what == UNLINK)
        return -EISDIR;
    return !e->len ? -EBUSY : e->len == 1 ? -EINVAL : -ENOTEMPTY;
}

/* Parent looked up and locked, and the (perhaps negative) dentry of the last component. */
static struct dentry *begin(int dirfd, const char __user *path, enum intent what,
                            struct name_end **ep)
{
    struct name_end *e = kmalloc(sizeof(*e), GFP_KERNEL);
    struct dentry *d;
    int err;

    if (!e)
        return ERR_PTR(-ENOMEM);
    err = path_parent_user(dirfd, path, e);
    if (err) {
        kfree(e);
        return ERR_PTR(err);
    }
    mutex_lock(&e->parent->inode->lock);
    err = special_name(e, what);
    d = err ? ERR_PTR(err) : lookup_one(e->parent, e->name, e->len);
    if (IS_ERR(d)) {
        mutex_unlock(&e->parent->inode->lock);
        dentry_put(e->parent);
        kfree(e);
    }
    *ep = e;
    return d;
}

static void end(struct name_end *e, struct dentry *d)
{
    mutex_unlock(&e->parent->inode->lock);
    dentry_put(d);
    dentry_put(e->parent);
    kfree(e);
}

/* For calls that make something new. */
static int may_create(struct name_end *e, struct dentry *d, bool dir)
{
    if (d->inode)
        return -EEXIST;
    if (e->trailing_slash && !dir)
        return -ENOENT;
    return permission(e->parent->inode, MAY_WRITE | MAY_EXEC);
}

static mode_t masked(mode_t mode)
{
    return mode & ~current->proc->fs->umask;
}

long sys_mkdirat(int dirfd, const char __user *path, mode_t mode)
{
    struct name_end *e;
    struct dentry *d = begin(dirfd, path, MAKE, &e);
    int err;

    if (IS_ERR(d))
        return PTR_ERR(d);
    err = may_create(e, d, true);
    if (!err) {
        struct inode *dir = e->parent->inode;

        err = dir->ops->mkdir ? dir->ops->mkdir(dir, d, S_IFDIR | masked(mode & 01777)) : -EPERM;
    }
    end(e, d);
    return err;
}

long sys_mkdir(const char __user *path, mode_t mode)
{
    return sys_mkdirat(AT_FDCWD, path, mode);
}

long sys_mknodat(int dirfd, const char __user *path, mode_t mode, u64 dev)
{
    struct name_end *e;
    struct dentry *d;
    int err;

    if (!(mode & S_IFMT))
        mode |= S_IFREG;
    if (S_ISDIR(mode))
        return -EPERM;
    if (!S_ISREG(mode) && !S_ISCHR(mode) && !S_ISBLK(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode))
        return -EINVAL;
    if ((S_ISCHR(mode) || S_ISBLK(mode)) && !capable())
        return -EPERM;
    d = begin(dirfd, path, MAKE, &e);
    if (IS_ERR(d))
        return PTR_ERR(d);
    err = may_create(e, d, false);
    if (!err) {
        struct inode *dir = e->parent->inode;
        mode_t m = (mode & S_IFMT) | masked(mode & 07777);

        if (S_ISREG(mode))
            err = dir->ops->create ? dir->ops->create(dir, d, m) : -EPERM;
        else
            err = dir->ops->mknod ? dir->ops->mknod(dir, d, m, (dev_t)dev) : -EPERM;
    }
    end(e, d);
    return err;
}

struct dentry *path_mknod(const char *path, mode_t mode, dev_t dev)
{
    struct name_end *e = kmalloc(sizeof(*e), GFP_KERNEL);
    struct dentry *d = NULL;
    struct inode *dir;
    int err = e ? path_parent(NULL, path, e) : -ENOMEM;

    if (err) {
        kfree(e);
        return ERR_PTR(err);
    }
    dir = e->parent->inode;
    mutex_lock(&dir->lock);
    err = special_name(e, MAKE);
    d = err ? ERR_PTR(err) : lookup_one(e->parent, e->name, e->len);
    if (!IS_ERR(d)) {
        err = may_create(e, d, false);
        if (!err)
            err = dir->ops->mknod ? dir->ops->mknod(dir, d, mode, dev) : -EPERM;
        if (err) {
            dentry_put(d);
            d = ERR_PTR(err);
        }
    }
    mutex_unlock(&dir->lock);
    dentry_put(e->parent);
    kfree(e);
    return d;
}

long sys_mknod(const char __user *path, mode_t mode, u64 dev)
{
    return sys_mknodat(AT_FDCWD, path, mode, dev);
}

long sys_symlinkat(const char __user *target, int dirfd, const char __user *path)
{
    struct name_end *e;
    char *text = getname(target);
    struct dentry *d;
    int err;

    if (IS_ERR(text))
        return PTR_ERR(text);
    d = *text ? begin(dirfd, path, MAKE, &e) : ERR_PTR(-ENOENT);
    if (IS_ERR(d)) {
        putname(text);
        return PTR_ERR(d);
    }
    err = may_create(e, d, false);
    if (!err) {
        struct inode *dir = e->parent->inode;

        err = dir->ops->symlink ? dir->ops->symlink(dir, d, text) : -EPERM;
    }
    end(e, d);
    putname(text);
    return err;
}

long sys_symlink(const char __user *target, const char __user *path)
{
    return sys_symlinkat(target, AT_FDCWD, path);
}

long sys_linkat(int olddirfd, const char __user *oldpath, int dirfd, const char __user *path,
                int flags)
{
    struct dentry *old, *d;
    struct name_end *e;
    int err;

    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    old = path_lookup_user(olddirfd, oldpath,
                           (flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) | (flags & AT_EMPTY_PATH));
    if (IS_ERR(old))
        return PTR_ERR(old);
    if (S_ISDIR(old->inode->mode)) {
        dentry_put(old);
        return -EPERM;
    }
    d = begin(dirfd, path, MAKE, &e);
    if (IS_ERR(d)) {
        dentry_put(old);
        return PTR_ERR(d);
    }
    err = may_create(e, d, false);
    if (!err) {
        struct inode *dir = e->parent->inode;

        if (old->inode->sb != dir->sb)
            err = -EXDEV;
        else if (old->inode->nlink == 0)
            err = -ENOENT;
        else
            err = dir->ops->link ? dir->ops->link(dir, d, old->inode) : -EPERM;
    }
    end(e, d);
    dentry_put(old);
    return err;
}

long sys_link(const char __user *oldpath, const char __user *path)
{
    return sys_linkat(AT_FDCWD, oldpath, AT_FDCWD, path, 0);
}

/* --- removing --------------------------------------------------------------------------------- */

static int may_delete(struct dentry *parent, struct dentry *d)
{
    int err;

    if (!d->inode)
        return -ENOENT;
    err = permission(parent->inode, MAY_WRITE | MAY_EXEC);
    if (!err && sticky_denies(parent->inode, d->inode))
        err = -EPERM;
    if (!err && d->mounted)
        err = -EBUSY;
    return err;
}

/* The name is gone: who holds the dentry keeps its inode, others find nothing. Names known not to
 * exist below it go too, or they would hold it for ever. */
static void forget(struct dentry *d)
{
    dentry_prune(d);
    dentry_unhash(d);
}

static int do_unlink(struct name_end *e, struct dentry *d)
{
    struct inode *dir = e->parent->inode;
    int err = may_delete(e->parent, d);

    if (err)
        return err;
    if (S_ISDIR(d->inode->mode))
        return -EISDIR;
    if (e->trailing_slash)
        return -ENOTDIR;
    err = dir->ops->unlink ? dir->ops->unlink(dir, d) : -EPERM;
    if (!err)
        forget(d);
    return err;
}

static int do_rmdir(struct name_end *e, struct dentry *d)
{
    struct inode *dir = e->parent->inode;
    int err;

    err = may_delete(e->parent, d);
    if (err)
        return err;
    if (!S_ISDIR(d->inode->mode))
        return -ENOTDIR;
    mutex_lock(&d->inode->lock);
    err = dir->ops->rmdir ? dir->ops->rmdir(dir, d) : -EPERM;
    mutex_unlock(&d->inode->lock);
    if (!err)
        forget(d);
    return err;
}

long sys_unlinkat(int dirfd, const char __user *path, int flags)
{
    struct name_end *e;
    struct dentry *d;
    int err;

    if (flags & ~AT_REMOVEDIR)
        return -EINVAL;
    d = begin(dirfd, path, flags & AT_REMOVEDIR ? RMDIR : UNLINK, &e);
    if (IS_ERR(d))
        return PTR_ERR(d);
    err = flags & AT_REMOVEDIR ? do_rmdir(e, d) : do_unlink(e, d);
    end(e, d);
    return err;
}

long sys_unlink(const char __user *path)
{
    return sys_unlinkat(AT_FDCWD, path, 0);
}

long sys_rmdir(const char __user *path)
{
    return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

/* --- rename ----------------------------------------------------------------------------------- */

static bool is_ancestor(struct dentry *a, struct dentry *d)
{
    for (;; d = d->parent) {
        if (d == a)
            return true;
        if (d->parent == d)
            return false;
    }
}

/* Parent before child where one is above the other, else by address. */
static void lock_two(struct dentry *a, struct dentry *b)
{
    if (a->inode == b->inode) {
        mutex_lock(&a->inode->lock);
        return;
    }
    if (is_ancestor(b, a) || (!is_ancestor(a, b) && a->inode > b->inode)) {
        struct dentry *t = a;

        a = b;
        b = t;
    }
    mutex_lock(&a->inode->lock);
    mutex_lock(&b->inode->lock);
}

static void unlock_two(struct dentry *a, struct dentry *b)
{
    mutex_unlock(&a->inode->lock);
    if (a->inode != b->inode)
        mutex_unlock(&b->inode->lock);
}

#define RENAME_NOREPLACE 1u

static int rename_checked(struct name_end *oe, struct dentry *old, struct name_end *ne,
                          struct dentry *d, unsigned flags)
{
    struct inode *od = oe->parent->inode, *nd = ne->parent->inode;
    int err = may_delete(oe->parent, old);
    bool dir;

    if (err)
        return err;
    dir = S_ISDIR(old->inode->mode);
    if (!dir && (oe->trailing_slash || ne->trailing_slash))
        return -ENOTDIR;
    if (od->sb != nd->sb)
        return -EXDEV;
    if (dir && is_ancestor(old, ne->parent))
        return -EINVAL;
    if (d->inode) {
        if (flags & RENAME_NOREPLACE)
            return -EEXIST;
        if (is_ancestor(d, oe->parent))
            return -ENOTEMPTY;
        err = may_delete(ne->parent, d);
        if (err)
            return err;
        if (d->inode == old->inode)
            return 0; /* two names of one file: nothing to do, by POSIX */
        if (dir && !S_ISDIR(d->inode->mode))
            return -ENOTDIR;
        if (!dir && S_ISDIR(d->inode->mode))
            return -EISDIR;
    } else {
        err = permission(nd, MAY_WRITE | MAY_EXEC);
        if (err)
            return err;
    }
    if (!od->ops->rename)
        return -EPERM;
    err = od->ops->rename(od, old, nd, d);
    if (!err) {
        dentry_prune(d);
        dentry_move(old, d);
    }
    return err;
}

static int do_rename(struct name_end *oe, struct name_end *ne, unsigned flags)
{
    struct dentry *old, *d = NULL;
    int err;

    if (!oe->len || !ne->len || is_dot(oe) || is_dot(ne))
        return -EBUSY;
    lock_two(oe->parent, ne->parent);
    old = lookup_one(oe->parent, oe->name, oe->len);
    err = IS_ERR(old) ? (int)PTR_ERR(old) : 0;
    if (!err) {
        d = lookup_one(ne->parent, ne->name, ne->len);
        err = IS_ERR(d) ? (int)PTR_ERR(d) : rename_checked(oe, old, ne, d, flags);
    }
    unlock_two(oe->parent, ne->parent);
    if (d && !IS_ERR(d))
        dentry_put(d);
    if (!IS_ERR(old))
        dentry_put(old);
    return err;
}

long sys_renameat2(int olddirfd, const char __user *oldpath, int dirfd, const char __user *path,
                   unsigned flags)
{
    struct name_end *oe, *ne;
    int err;

    if (flags & ~RENAME_NOREPLACE)
        return -EINVAL;
    oe = kmalloc(sizeof(*oe), GFP_KERNEL);
    ne = kmalloc(sizeof(*ne), GFP_KERNEL);
    err = oe && ne ? path_parent_user(olddirfd, oldpath, oe) : -ENOMEM;
    if (!err) {
        err = path_parent_user(dirfd, path, ne);
        if (!err) {
            err = do_rename(oe, ne, flags);
            dentry_put(ne->parent);
        }
        dentry_put(oe->parent);
    }
    kfree(oe);
    kfree(ne);
    return err;
}

long sys_renameat(int olddirfd, const char __user *oldpath, int dirfd, const char __user *path)
{
    return sys_renameat2(olddirfd, oldpath, dirfd, path, 0);
}

long sys_rename(const char __user *oldpath, const char __user *path)
{
    return sys_renameat2(AT_FDCWD, oldpath, AT_FDCWD, path, 0);
}
