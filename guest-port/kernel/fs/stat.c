/* SPDX-License-Identifier: MIT */
/*
 * stat.c - what is known about a file, and changing it: stat, statfs, access, chmod, chown, times,
 * readlink.
 */
#include "errno.h"
#include "fs.h"
#include "proc.h"
#include "slab.h"
#include "string.h"
#include "uaccess.h"
#include "vfs.h"

static int fill_stat(struct inode *i, struct kstat *st)
{
    *st = (struct kstat){
        .st_dev = i->sb->dev,
        .st_ino = i->ino,
        .st_nlink = i->nlink,
        .st_mode = i->mode,
        .st_uid = i->uid,
        .st_gid = i->gid,
        .st_rdev = i->rdev,
        .st_size = (s64)i->size,
        .st_blksize = i->sb->block_size ? i->sb->block_size : (s64)PAGE_SIZE,
        .st_blocks = (s64)i->blocks,
        .st_atim = ns_timespec(i->atime),
        .st_mtim = ns_timespec(i->mtime),
        .st_ctim = ns_timespec(i->ctime),
    };
    return i->ops && i->ops->getattr ? i->ops->getattr(i, st) : 0;
}

/* The common front of calls that act on a file by name: runs fn on its dentry. */
static long with_path(int dirfd, const char __user *path, unsigned flags,
                      long (*fn)(struct dentry *d, void *arg), void *arg)
{
    struct dentry *d = path_lookup_user(dirfd, path, flags);
    long r;

    if (IS_ERR(d))
        return PTR_ERR(d);
    r = fn(d, arg);
    dentry_put(d);
    return r;
}

static long with_fd(int fd, long (*fn)(struct dentry *d, void *arg), void *arg)
{
    struct file *f = fd_get(fd);
    long r;

    if (!f)
        return -EBADF;
    r = fn(f->dentry, arg);
    file_put(f);
    return r;
}

/* AT_ flags to lookup flags; -EINVAL for unknown ones. */
static int at_flags(int flags)
{
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | 0x800 /* AT_NO_AUTOMOUNT */))
        return -EINVAL;
    return (flags & AT_SYMLINK_NOFOLLOW ? 0 : (int)LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH);
}

static long do_stat(struct dentry *d, void *ust)
{
    struct kstat st;
    int err = fill_stat(d->inode, &st);

    return err ? err : copy_to_user(ust, &st, sizeof(st));
}

long sys_newfstatat(int dirfd, const char __user *path, struct kstat __user *st, int flags)
{
    int f = at_flags(flags);

    return f < 0 ? f : with_path(dirfd, path, (unsigned)f, do_stat, st);
}

long sys_stat(const char __user *path, struct kstat __user *st)
{
    return with_path(AT_FDCWD, path, LOOKUP_FOLLOW, do_stat, st);
}

long sys_lstat(const char __user *path, struct kstat __user *st)
{
    return with_path(AT_FDCWD, path, 0, do_stat, st);
}

long sys_fstat(int fd, struct kstat __user *st)
{
    return with_fd(fd, do_stat, st);
}

struct statx_time {
    s64 sec;
    u32 nsec, pad;
};
struct statx {
    u32 mask, blksize;
    u64 attributes;
    u32 nlink, uid, gid;
    u16 mode, pad0;
    u64 ino, size, blocks, attributes_mask;
    struct statx_time atime, btime, ctime, mtime;
    u32 rdev_major, rdev_minor, dev_major, dev_minor;
    u64 spare[14];
};
_Static_assert(sizeof(struct statx) == 256, "struct statx");

static struct statx_time statx_time(struct timespec t)
{
    return (struct statx_time){t.tv_sec, (u32)t.tv_nsec, 0};
}

static long do_statx(struct dentry *d, void *ux)
{
    struct kstat st;
    int err = fill_stat(d->inode, &st);
    struct statx x = {
        .mask = 0x7ff, /* STATX_BASIC_STATS */
        .blksize = (u32)st.st_blksize,
        .nlink = (u32)st.st_nlink,
        .uid = st.st_uid,
        .gid = st.st_gid,
        .mode = (u16)st.st_mode,
        .ino = st.st_ino,
        .size = (u64)st.st_size,
        .blocks = (u64)st.st_blocks,
        .atime = statx_time(st.st_atim),
        .ctime = statx_time(st.st_ctim),
        .mtime = statx_time(st.st_mtim),
        .rdev_major = MAJOR((u32)st.st_rdev),
        .rdev_minor = MINOR((u32)st.st_rdev),
        .dev_major = MAJOR((u32)st.st_dev),
        .dev_minor = MINOR((u32)st.st_dev),
    };

    return err ? err : copy_to_user(ux, &x, sizeof(x));
}

long sys_statx(int dirfd, const char __user *path, int flags, unsigned mask, void __user *ux)
{
    int f = at_flags(flags & ~0x6000); /* AT_STATX_SYNC_TYPE changes nothing here */

    return f < 0 ? f : with_path(dirfd, path, (unsigned)f, do_statx, ux);
}

static long do_statfs(struct dentry *d, void *ust)
{
    struct super_block *sb = d->inode->sb;
    struct kstatfs st = {.f_bsize = sb->block_size, .f_frsize = sb->block_size,
                         .f_namelen = NAME_MAX, .f_flags = sb->flags};
    int err = sb->ops && sb->ops->statfs ? sb->ops->statfs(sb, &st) : 0;

    return err ? err : copy_to_user(ust, &st, sizeof(st));
}

long sys_statfs(const char __user *path, struct kstatfs __user *st)
{
    return with_path(AT_FDCWD, path, LOOKUP_FOLLOW, do_statfs, st);
}

long sys_fstatfs(int fd, struct kstatfs __user *st)
{
    return with_fd(fd, do_statfs, st);
}

/* access(2) asks for the real ids, unless AT_EACCESS. */
#define AT_EACCESS 0x200

static long do_access(struct dentry *d, void *mode)
{
    return permission(d->inode, *(int *)mode);
}

long sys_faccessat2(int dirfd, const char __user *path, int mode, int flags)
{
    struct cred *c = &current->cred;
    uid_t fsuid = c->fsuid;
    gid_t fsgid = c->fsgid;
    int f = at_flags(flags & ~AT_EACCESS);
    long r;

    if (f < 0 || (mode & ~7))
        return -EINVAL;
    if (!(flags & AT_EACCESS)) {
        c->fsuid = c->uid;
        c->fsgid = c->gid;
    }
    r = with_path(dirfd, path, (unsigned)f, do_access, &mode);
    c->fsuid = fsuid;
    c->fsgid = fsgid;
    return r;
}

long sys_faccessat(int dirfd, const char __user *path, int mode)
{
    return sys_faccessat2(dirfd, path, mode, 0);
}

long sys_access(const char __user *path, int mode)
{
    return sys_faccessat2(AT_FDCWD, path, mode, 0);
}

/* --- changing attributes ---------------------------------------------------------------------- */

static int attr_changed(struct inode *i)
{
    i->ctime = clock_real_ns();
    inode_dirty(i);
    return i->ops && i->ops->setattr ? i->ops->setattr(i) : 0;
}

static int may_change(struct inode *i)
{
    if (i->sb->flags & MS_RDONLY)
        return -EROFS;
    if (current->cred.fsuid != 0 && current->cred.fsuid != i->uid)
        return -EPERM;
    return 0;
}

static long do_chmod(struct dentry *d, void *arg)
{
    struct inode *i = d->inode;
    mode_t mode = *(mode_t *)arg & 07777;
    int err = may_change(i);

    if (err)
        return err;
    if (!capable() && !in_group(i->gid))
        mode &= ~S_ISGID;
    i->mode = (i->mode & S_IFMT) | mode;
    return attr_changed(i);
}

long sys_fchmodat(int dirfd, const char __user *path, mode_t mode)
{
    return with_path(dirfd, path, LOOKUP_FOLLOW, do_chmod, &mode);
}

long sys_chmod(const char __user *path, mode_t mode)
{
    return sys_fchmodat(AT_FDCWD, path, mode);
}

long sys_fchmod(int fd, mode_t mode)
{
    return with_fd(fd, do_chmod, &mode);
}

struct owner {
    uid_t uid;
    gid_t gid;
};

static long do_chown(struct dentry *d, void *arg)
{
    struct inode *i = d->inode;
    struct owner o = *(struct owner *)arg;

    if (i->sb->flags & MS_RDONLY)
        return -EROFS;
    if (current->cred.fsuid != 0) {
        if (current->cred.fsuid != i->uid || (o.uid != (uid_t)-1 && o.uid != i->uid) ||
            (o.gid != (gid_t)-1 && o.gid != i->gid && !in_group(o.gid)))
            return -EPERM;
    }
    if (o.uid != (uid_t)-1)
        i->uid = o.uid;
    if (o.gid != (gid_t)-1)
        i->gid = o.gid;
    if (S_ISREG(i->mode) && (i->mode & 0111))
        i->mode &= ~(S_ISUID | (i->mode & 010 ? S_ISGID : 0));
    return attr_changed(i);
}

long sys_fchownat(int dirfd, const char __user *path, uid_t uid, gid_t gid, int flags)
{
    int f = at_flags(flags);

    return f < 0 ? f : with_path(dirfd, path, (unsigned)f, do_chown, &(struct owner){uid, gid});
}

long sys_chown(const char __user *path, uid_t uid, gid_t gid)
{
    return sys_fchownat(AT_FDCWD, path, uid, gid, 0);
}

long sys_lchown(const char __user *path, uid_t uid, gid_t gid)
{
    return sys_fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown(int fd, uid_t uid, gid_t gid)
{
    return with_fd(fd, do_chown, &(struct owner){uid, gid});
}

#define UTIME_NOW  0x3fffffff
#define UTIME_OMIT 0x3ffffffe

struct times {
    struct timespec t[2]; /* access, modification */
    bool now;             /* both now: writers may do that, too */
};

static long do_utimens(struct dentry *d, void *arg)
{
    struct times *t = arg;
    struct inode *i = d->inode;
    u64 *slot[2] = {&i->atime, &i->mtime};
    int err = may_change(i);

    if (err == -EPERM && t->now)
        err = permission(i, MAY_WRITE);
    if (err)
        return err;
    for (int k = 0; k < 2; k++) {
        if (t->t[k].tv_nsec == UTIME_NOW)
            *slot[k] = clock_real_ns();
        else if (t->t[k].tv_nsec != UTIME_OMIT)
            *slot[k] = timespec_ns(t->t[k]);
    }
    return attr_changed(i);
}

static bool time_ok(struct timespec t)
{
    return t.tv_nsec == UTIME_NOW || t.tv_nsec == UTIME_OMIT ||
           ((u64)t.tv_nsec < NSEC_PER_SEC && t.tv_sec >= 0);
}

static long set_times(int dirfd, const char __user *path, struct times *t, int flags)
{
    int f = at_flags(flags);

    if (f < 0 || !time_ok(t->t[0]) || !time_ok(t->t[1]))
        return -EINVAL;
    t->now = t->t[0].tv_nsec == UTIME_NOW && t->t[1].tv_nsec == UTIME_NOW;
    if (!path)
        return with_fd(dirfd, do_utimens, t);
    return with_path(dirfd, path, (unsigned)f, do_utimens, t);
}

#define NOW_TIMES ((struct times){.t = {{0, UTIME_NOW}, {0, UTIME_NOW}}})

long sys_utimensat(int dirfd, const char __user *path, const struct timespec __user *ut, int flags)
{
    struct times t = NOW_TIMES;

    if (ut && copy_from_user(t.t, ut, sizeof(t.t)))
        return -EFAULT;
    return set_times(dirfd, path, &t, flags);
}

long sys_futimesat(int dirfd, const char __user *path, const struct timeval __user *ut)
{
    struct times t = NOW_TIMES;
    struct timeval v[2];

    if (ut) {
        if (copy_from_user(v, ut, sizeof(v)))
            return -EFAULT;
        for (int k = 0; k < 2; k++) {
            if ((u64)v[k].tv_usec >= 1000000)
                return -EINVAL;
            t.t[k] = (struct timespec){v[k].tv_sec, v[k].tv_usec * 1000};
        }
    }
    return set_times(dirfd, path, &t, 0);
}

long sys_utimes(const char __user *path, const struct timeval __user *ut)
{
    return sys_futimesat(AT_FDCWD, path, ut);
}

long sys_utime(const char __user *path, const s64 __user *ut)
{
    struct times t = NOW_TIMES;
    s64 v[2];

    if (ut) {
        if (copy_from_user(v, ut, sizeof(v)))
            return -EFAULT;
        t.t[0] = (struct timespec){v[0], 0};
        t.t[1] = (struct timespec){v[1], 0};
    }
    return set_times(AT_FDCWD, path, &t, 0);
}

/* --- symbolic links --------------------------------------------------------------------------- */

struct link_arg {
    char __user *buf;
    size_t size;
};

static long do_readlink(struct dentry *d, void *arg)
{
    struct link_arg *a = arg;
    struct inode *i = d->inode;
    char *text;
    long n;

    if (!S_ISLNK(i->mode) || !i->ops->readlink)
        return -EINVAL;
    text = kmalloc(PATH_MAX, GFP_KERNEL);
    if (!text)
        return -ENOMEM;
    n = i->ops->readlink(i, text, PATH_MAX);
    if (n > 0) {
        n = MIN(n, (long)a->size);
        if (copy_to_user(a->buf, text, (size_t)n))
            n = -EFAULT;
    }
    kfree(text);
    return n;
}

long sys_readlinkat(int dirfd, const char __user *path, char __user *buf, int size)
{
    struct link_arg a = {buf, (size_t)size};

    if (size <= 0)
        return -EINVAL;
    return with_path(dirfd, path, AT_EMPTY_PATH, do_readlink, &a);
}

long sys_readlink(const char __user *path, char __user *buf, int size)
{
    return sys_readlinkat(AT_FDCWD, path, buf, size);
}
