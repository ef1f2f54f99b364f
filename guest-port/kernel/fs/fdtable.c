/* SPDX-License-Identifier: MIT */
/*
 * fdtable.c - descriptor tables: the numbers by which a process knows its open files.
 *
 * A table grows by doubling up to the process's RLIMIT_NOFILE. Each used slot holds one reference.
 * Threads may share a table; no step below sleeps between testing a slot and using it.
 */
#include "errno.h"
#include "fs.h"
#include "proc.h"
#include "slab.h"
#include "string.h"
#include "vfs.h"

#define FIRST_SIZE 64
#define MAX_SIZE   65536

static int grow(struct files *t, int size)
{
    struct file **slots;
    u64 *bits;

    if (size > MAX_SIZE)
        return -EMFILE;
    slots = kzalloc((size_t)size * sizeof(*slots), GFP_KERNEL);
    bits = kzalloc((size_t)size / 8, GFP_KERNEL);
    if (!slots || !bits || t->size >= size) { /* or another thread was quicker */
        kfree(slots);
        kfree(bits);
        return t->size >= size ? 0 : -ENOMEM;
    }
    if (t->slots) {
        memcpy(slots, t->slots, (size_t)t->size * sizeof(*slots));
        memcpy(bits, t->cloexec, (size_t)t->size / 8);
    }
    kfree(t->slots);
    kfree(t->cloexec);
    t->slots = slots;
    t->cloexec = bits;
    t->size = size;
    return 0;
}

struct files *files_new(void)
{
    struct files *t = kzalloc(sizeof(*t), GFP_KERNEL);

    if (!t)
        return NULL;
    t->refs = 1;
    if (grow(t, FIRST_SIZE)) {
        kfree(t);
        return NULL;
    }
    return t;
}

struct files *files_clone(struct files *old)
{
    struct files *t = files_new();

    if (!t)
        return NULL;
    while (t->size < old->size) {
        if (grow(t, old->size)) {
            files_put(t);
            return NULL;
        }
    }
    for (int fd = 0; fd < old->size; fd++)
        if (old->slots[fd])
            t->slots[fd] = file_get(old->slots[fd]);
    memcpy(t->cloexec, old->cloexec, (size_t)old->size / 8);
    t->first_free = old->first_free;
    return t;
}

static bool is_cloexec(const struct files *t, int fd)
{
    return t->cloexec[fd / 64] >> (fd % 64) & 1;
}

static void set_cloexec(struct files *t, int fd, bool on)
{
    if (on)
        t->cloexec[fd / 64] |= 1UL << (fd % 64);
    else
        t->cloexec[fd / 64] &= ~(1UL << (fd % 64));
}

static struct file *take(struct files *t, int fd)
{
    struct file *f = t->slots[fd];

    t->slots[fd] = NULL;
    set_cloexec(t, fd, false);
    t->first_free = MIN(t->first_free, fd);
    return f;
}

/* close(2) semantics: record locks of this table end, the driver's flush runs. */
static int close_file(struct files *t, struct file *f)
{
    int err = f->ops && f->ops->flush ? f->ops->flush(f) : 0;

    locks_release(f, t);
    file_put(f);
    return err;
}

void files_put(struct files *t)
{
    if (--t->refs > 0)
        return;
    for (int fd = 0; fd < t->size; fd++)
        if (t->slots[fd])
            close_file(t, take(t, fd));
    kfree(t->slots);
    kfree(t->cloexec);
    kfree(t);
}

void files_close_on_exec(struct files *t)
{
    for (int fd = 0; fd < t->size; fd++)
        if (t->slots[fd] && is_cloexec(t, fd))
            close_file(t, take(t, fd));
}

struct file *fd_peek(int fd)
{
    struct files *t = current->proc->files;

    return (unsigned)fd < (unsigned)t->size ? t->slots[fd] : NULL;
}

struct file *fd_get(int fd)
{
    struct file *f = fd_peek(fd);

    return f ? file_get(f) : NULL;
}

int fd_install_from(struct file *f, int min, unsigned flags)
{
    struct files *t = current->proc->files;
    u64 limit = rlimit_cur(RLIMIT_NOFILE);
    int fd, err;

    for (;;) {
        fd = MAX(min, t->first_free);
        while (fd < t->size && t->slots[fd])
            fd++;
        if ((u64)fd >= limit) {
            file_put(f);
            return -EMFILE;
        }
        if (fd < t->size)
            break;
        err = grow(t, MAX(t->size * 2, (int)ALIGN_UP(fd + 1, 64)));
        if (err) {
            file_put(f);
            return err;
        }
    }
    if (min <= t->first_free)
        t->first_free = fd + 1;
    t->slots[fd] = f;
    set_cloexec(t, fd, flags & O_CLOEXEC);
    return fd;
}

int fd_install(struct file *f, unsigned flags)
{
    return fd_install_from(f, 0, flags);
}

int fd_close(int fd)
{
    struct files *t = current->proc->files;

    if (!fd_peek(fd))
        return -EBADF;
    return close_file(t, take(t, fd));
}

/* --- system calls ----------------------------------------------------------------------------- */

long sys_close(int fd)
{
    return fd_close(fd);
}

long sys_close_range(unsigned first, unsigned last, unsigned flags)
{
    struct files *t = current->proc->files;

    if (first > last || (flags & ~4u)) /* CLOSE_RANGE_CLOEXEC */
        return -EINVAL;
    for (unsigned fd = first; fd <= last && fd < (unsigned)t->size; fd++) {
        if (!t->slots[fd])
            continue;
        if (flags)
            set_cloexec(t, (int)fd, true);
        else
            close_file(t, take(t, (int)fd));
    }
    return 0;
}

long sys_dup(int fd)
{
    struct file *f = fd_get(fd);

    return f ? fd_install(f, 0) : -EBADF;
}

long sys_dup3(int oldfd, int newfd, unsigned flags)
{
    struct files *t = current->proc->files;
    struct file *f, *old;
    int err = 0;

    if ((flags & ~O_CLOEXEC) || oldfd == newfd)
        return -EINVAL;
    if (newfd < 0 || (u64)newfd >= rlimit_cur(RLIMIT_NOFILE))
        return -EBADF;
    f = fd_get(oldfd);
    if (!f)
        return -EBADF;
    while (newfd >= t->size && !err)
        err = grow(t, MAX(t->size * 2, (int)ALIGN_UP(newfd + 1, 64)));
    if (err) {
        file_put(f);
        return err;
    }
    old = t->slots[newfd];
    t->slots[newfd] = f;
    set_cloexec(t, newfd, flags & O_CLOEXEC);
    if (old)
        close_file(t, old);
    return newfd;
}

long sys_dup2(int oldfd, int newfd)
{
    if (oldfd == newfd)
        return fd_peek(oldfd) ? newfd : -EBADF;
    return sys_dup3(oldfd, newfd, 0);
}

#define F_DUPFD         0
#define F_GETFD         1
#define F_SETFD         2
#define F_GETFL         3
#define F_SETFL         4
#define F_GETLK         5
#define F_SETLK         6
#define F_SETLKW        7
#define F_SETOWN        8
#define F_GETOWN        9
#define F_DUPFD_CLOEXEC 1030
#define F_SETPIPE_SZ    1031
#define F_GETPIPE_SZ    1032

#define SETTABLE (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME)

static long dup_from(struct file *f, unsigned long min, unsigned flags)
{
    if (min >= rlimit_cur(RLIMIT_NOFILE))
        return -EINVAL;
    return fd_install_from(file_get(f), (int)min, flags);
}

long sys_fcntl(int fd, unsigned cmd, unsigned long arg)
{
    struct files *t = current->proc->files;
    struct file *f = fd_get(fd);
    long r = 0;

    if (!f)
        return -EBADF;
    if ((f->flags & O_PATH) && cmd > F_GETFL && cmd != F_DUPFD_CLOEXEC) {
        file_put(f);
        return -EBADF;
    }
    switch (cmd) {
    case F_DUPFD:
        r = dup_from(f, arg, 0);
        break;
    case F_DUPFD_CLOEXEC:
        r = dup_from(f, arg, O_CLOEXEC);
        break;
    case F_GETFD:
        r = is_cloexec(t, fd);
        break;
    case F_SETFD:
        set_cloexec(t, fd, arg & 1);
        break;
    case F_GETFL:
        r = f->flags | (S_ISREG(f->inode->mode) && !(f->flags & O_PATH) ? O_LARGEFILE : 0);
        break;
    case F_SETFL:
        f->flags = (f->flags & ~SETTABLE) | ((u32)arg & SETTABLE);
        break;
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
        r = fcntl_lock(f, cmd, arg);
        break;
    case F_SETOWN:
        f->owner_pid = (uid_t)arg;
        break;
    case F_GETOWN:
        r = f->owner_pid;
        break;
    case F_GETPIPE_SZ:
    case F_SETPIPE_SZ:
        r = S_ISFIFO(f->inode->mode) ? 65536 : -EBADF;
        break;
    default:
        r = -EINVAL;
    }
    file_put(f);
    return r;
}

#define FIONBIO  0x5421
#define FIOCLEX  0x5451
#define FIONCLEX 0x5450
#define FIONREAD 0x541b

long sys_ioctl(int fd, unsigned cmd, unsigned long arg)
{
    struct file *f = fd_get(fd);
    long r = 0;
    int v;

    if (!f)
        return -EBADF;
    if (f->flags & O_PATH) {
        r = -EBADF;
    } else if (cmd == FIOCLEX || cmd == FIONCLEX) {
        set_cloexec(current->proc->files, fd, cmd == FIOCLEX);
    } else if (cmd == FIONBIO) {
        r = get_user(v, (int *)arg);
        if (!r)
            f->flags = v ? f->flags | O_NONBLOCK : f->flags & ~O_NONBLOCK;
    } else if (cmd == FIONREAD && S_ISREG(f->inode->mode)) {
        r = put_user((int)(f->inode->size - (u64)f->pos), (int *)arg);
    } else {
        r = f->ops && f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
    }
    file_put(f);
    return r;
}

/* --- root and working directory --------------------------------------------------------------- */

struct fs_ctx *fs_ctx_clone(struct fs_ctx *old)
{
    struct fs_ctx *c = kmalloc(sizeof(*c), GFP_KERNEL);

    if (!c)
        return NULL;
    *c = (struct fs_ctx){1, dentry_get(old->root), dentry_get(old->cwd), old->umask};
    return c;
}

void fs_ctx_put(struct fs_ctx *c)
{
    if (--c->refs > 0)
        return;
    dentry_put(c->root);
    dentry_put(c->cwd);
    kfree(c);
}

long sys_umask(mode_t mask)
{
    mode_t old = current->proc->fs->umask;

    current->proc->fs->umask = mask & 0777;
    return old;
}
