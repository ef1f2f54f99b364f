/* SPDX-License-Identifier: MIT */
/*
 * dir.c - reading directories, and the process's working and root directory.
 */
#include "errno.h"
#include "fs.h"
#include "proc.h"
#include "slab.h"
#include "string.h"
#include "uaccess.h"
#include "vfs.h"

struct linux_dirent64 {
    u64 ino;
    s64 off;
    u16 reclen;
    u8 type;
    char name[];
} __packed;

struct linux_dirent {
    u64 ino;
    u64 off;
    u16 reclen;
    char name[]; /* and the type in the record's last byte */
} __packed;

/* Entries are gathered in a kernel page and copied out in one go: a file system never touches
 * user memory while it holds its directory. */
struct dir_ctx {
    char *buf;
    size_t size, used;
    bool old_form;
};

bool dir_emit(struct dir_ctx *c, const char *name, size_t len, ino_t ino, unsigned type, s64 next)
{
    size_t head = c->old_form ? sizeof(struct linux_dirent) : sizeof(struct linux_dirent64);
    size_t rec = ALIGN_UP(head + len + 1 + (c->old_form ? 1 : 0), 8UL);
    char *at = c->buf + c->used;

    if (rec > c->size - c->used)
        return false;
    memset(at, 0, rec);
    if (c->old_form) {
        struct linux_dirent *e = (void *)at;

        *e = (struct linux_dirent){ino, (u64)next, (u16)rec};
        memcpy(e->name, name, len);
        at[rec - 1] = (char)type;
    } else {
        struct linux_dirent64 *e = (void *)at;

        *e = (struct linux_dirent64){ino, next, (u16)rec, (u8)type};
        memcpy(e->name, name, len);
    }
    c->used += rec;
    return true;
}

#define GETDENTS_MAX (8 * PAGE_SIZE)

static long getdents(int fd, void __user *buf, unsigned size, bool old_form)
{
    struct file *f = fd_get(fd);
    struct dir_ctx c = {.size = MIN((size_t)size, (size_t)GETDENTS_MAX), .old_form = old_form};
    s64 start;
    long r;

    if (!f)
        return -EBADF;
    start = f->pos;
    if (!f->ops || !f->ops->readdir || (f->flags & O_PATH)) {
        r = f->flags & O_PATH ? -EBADF : -ENOTDIR;
    } else if (!(c.buf = kmalloc(MAX(c.size, (size_t)1), GFP_KERNEL))) {
        r = -ENOMEM;
    } else {
        mutex_lock(&f->inode->lock);
        r = f->inode->nlink ? f->ops->readdir(f, &c) : -ENOENT;
        mutex_unlock(&f->inode->lock);
        if (c.used)
            r = copy_to_user(buf, c.buf, c.used) ? -EFAULT : (long)c.used;
        else if (!r && f->pos != start)
            r = 0;
        else if (r > 0) /* not even one entry had room */
            r = -EINVAL;
        if (r < 0)
            f->pos = start;
    }
    kfree(c.buf);
    file_put(f);
    return r;
}

long sys_getdents64(int fd, void __user *buf, unsigned size)
{
    return getdents(fd, buf, size, false);
}

long sys_getdents(int fd, void __user *buf, unsigned size)
{
    return getdents(fd, buf, size, true);
}

/* --- working and root directory --------------------------------------------------------------- */

long sys_getcwd(char __user *buf, size_t size)
{
    char *text = kmalloc(PATH_MAX, GFP_KERNEL), *p;
    long r;

    if (!text)
        return -ENOMEM;
    p = dentry_path(current->proc->fs->cwd, text, PATH_MAX);
    if (IS_ERR(p)) {
        r = PTR_ERR(p);
    } else {
        r = (long)strlen(p) + 1;
        if ((size_t)r > size)
            r = -ERANGE;
        else if (copy_to_user(buf, p, (size_t)r))
            r = -EFAULT;
    }
    kfree(text);
    return r;
}

/* Eats d. */
static int set_dir(struct dentry **slot, struct dentry *d)
{
    int err = S_ISDIR(d->inode->mode) ? permission(d->inode, MAY_EXEC) : -ENOTDIR;
    struct dentry *old = *slot;

    if (err) {
        dentry_put(d);
        return err;
    }
    *slot = d;
    dentry_put(old);
    return 0;
}

long sys_chdir(const char __user *path)
{
    struct dentry *d = path_lookup_user(AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIR);

    return IS_ERR(d) ? PTR_ERR(d) : set_dir(&current->proc->fs->cwd, d);
}

long sys_fchdir(int fd)
{
    struct file *f = fd_get(fd);
    struct dentry *d;

    if (!f)
        return -EBADF;
    d = dentry_get(f->dentry);
    file_put(f);
    return set_dir(&current->proc->fs->cwd, d);
}

long sys_chroot(const char __user *path)
{
    struct dentry *d = path_lookup_user(AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIR);

    if (IS_ERR(d))
        return PTR_ERR(d);
    if (!capable()) {
        dentry_put(d);
        return -EPERM;
    }
    return set_dir(&current->proc->fs->root, d);
}
