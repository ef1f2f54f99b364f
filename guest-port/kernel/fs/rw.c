/* SPDX-License-Identifier: MIT */
/*
 * rw.c - read, write and their relatives: one path for all of them.
 *
 * Every call becomes a uio, a position and a file operation. Positions of seekable files are kept
 * in the file and updated after the operation; pread and pwrite bring their own.
 */
#include "errno.h"
#include "fs.h"
#include "proc.h"
#include "slab.h"
#include "string.h"
#include "uaccess.h"
#include "vfs.h"

#define RW_MAX  0x7ffff000UL /* as Linux: a longer request is cut */
#define IOV_MAX 1024

static ssize_t do_rw(struct file *f, struct uio *u, s64 *pos, bool write)
{
    if (f->flags & O_PATH)
        return -EBADF;
    if (write ? !file_writable(f) : !file_readable(f))
        return -EBADF;
    if (!(write ? (void *)f->ops->write : (void *)f->ops->read))
        return S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
    return write ? f->ops->write(f, u, pos) : f->ops->read(f, u, pos);
}

/* Writing with O_SYNC or O_DSYNC returns when the data is stable. */
static ssize_t sync_after(struct file *f, ssize_t n)
{
    if (n > 0 && (f->flags & O_DSYNC) && f->ops->fsync) {
        int err = f->ops->fsync(f, (f->flags & O_SYNC) != O_SYNC);

        return err ? err : n;
    }
    return n;
}

static ssize_t rw_uio(int fd, struct uio *u, s64 *at, bool write)
{
    struct file *f = fd_get(fd);
    ssize_t n;
    s64 pos;

    if (!f)
        return -EBADF;
    if (at && (*at < 0 || f->no_seek)) {
        n = *at < 0 ? -EINVAL : -ESPIPE;
    } else {
        pos = at ? *at : f->pos;
        n = do_rw(f, u, &pos, write);
        if (!at && n >= 0)
            f->pos = pos;
        if (write)
            n = sync_after(f, n);
    }
    file_put(f);
    return n;
}

static ssize_t rw_buf(int fd, void __user *buf, size_t len, s64 *at, bool write)
{
    struct iovec iov;
    struct uio u;

    if ((ssize_t)len < 0)
        return -EINVAL;
    if (!user_range_ok(buf, len))
        return fd_peek(fd) ? -EFAULT : -EBADF;
    uio_init(&u, &iov, buf, MIN(len, RW_MAX), false);
    return rw_uio(fd, &u, at, write);
}

long sys_read(int fd, void __user *buf, size_t len)
{
    return rw_buf(fd, buf, len, NULL, false);
}

long sys_write(int fd, const void __user *buf, size_t len)
{
    return rw_buf(fd, (void __user *)buf, len, NULL, true);
}

long sys_pread64(int fd, void __user *buf, size_t len, s64 pos)
{
    return rw_buf(fd, buf, len, &pos, false);
}

long sys_pwrite64(int fd, const void __user *buf, size_t len, s64 pos)
{
    return rw_buf(fd, (void __user *)buf, len, &pos, true);
}

/* A kernel copy of a user's vector; *out is kfree'd by the caller. */
static int copy_iovec(struct uio *u, const struct iovec __user *uv, unsigned cnt,
                      struct iovec **out)
{
    struct iovec *v;
    size_t total = 0;

    *out = NULL;
    if (cnt > IOV_MAX)
        return -EINVAL;
    v = kmalloc(MAX(cnt, 1u) * sizeof(*v), GFP_KERNEL);
    if (!v)
        return -ENOMEM;
    *out = v;
    if (cnt && copy_from_user(v, uv, cnt * sizeof(*v)))
        return -EFAULT;
    for (unsigned i = 0; i < cnt; i++) {
        if ((ssize_t)v[i].len < 0)
            return -EINVAL;
        if (!user_range_ok(v[i].base, v[i].len))
            return -EFAULT;
        v[i].len = MIN(v[i].len, RW_MAX - total);
        total += v[i].len;
    }
    *u = (struct uio){.iov = v, .cnt = cnt, .left = total};
    return 0;
}

static ssize_t rw_vec(int fd, const struct iovec __user *uv, unsigned cnt, s64 *at, bool write)
{
    struct iovec *v;
    struct uio u;
    ssize_t n;

    if (!fd_peek(fd))
        return -EBADF;
    n = copy_iovec(&u, uv, cnt, &v);
    if (!n)
        n = rw_uio(fd, &u, at, write);
    kfree(v);
    return n;
}

long sys_readv(int fd, const struct iovec __user *v, unsigned cnt)
{
    return rw_vec(fd, v, cnt, NULL, false);
}

long sys_writev(int fd, const struct iovec __user *v, unsigned cnt)
{
    return rw_vec(fd, v, cnt, NULL, true);
}

long sys_preadv(int fd, const struct iovec __user *v, unsigned cnt, s64 pos)
{
    return rw_vec(fd, v, cnt, &pos, false);
}

long sys_pwritev(int fd, const struct iovec __user *v, unsigned cnt, s64 pos)
{
    return rw_vec(fd, v, cnt, &pos, true);
}

/* --- positions -------------------------------------------------------------------------------- */

#define SEEK_DATA 3
#define SEEK_HOLE 4

static s64 generic_llseek(struct file *f, s64 off, int whence)
{
    s64 size = (s64)f->inode->size, pos;

    switch (whence) {
    case SEEK_SET:
        pos = off;
        break;
    case SEEK_CUR:
        pos = f->pos + off;
        break;
    case SEEK_END:
        pos = size + off;
        break;
    case SEEK_DATA: /* everything before the end counts as data */
    case SEEK_HOLE:
        if (off < 0 || off >= size)
            return -ENXIO;
        pos = whence == SEEK_DATA ? off : size;
        break;
    default:
        return -EINVAL;
    }
    if (pos < 0)
        return -EINVAL;
    f->pos = pos;
    return pos;
}

long sys_lseek(int fd, s64 off, int whence)
{
    struct file *f = fd_get(fd);
    s64 r;

    if (!f)
        return -EBADF;
    if (f->flags & O_PATH)
        r = -EBADF;
    else if (f->no_seek)
        r = -ESPIPE;
    else if (f->ops->llseek)
        r = f->ops->llseek(f, off, whence);
    else
        r = generic_llseek(f, off, whence);
    file_put(f);
    return r;
}

/* --- kernel callers, and copying between files ------------------------------------------------ */

ssize_t file_read_kernel(struct file *f, void *buf, size_t n, s64 pos)
{
    struct iovec iov;
    struct uio u;

    if (!f->ops->read)
        return -EINVAL;
    uio_init(&u, &iov, buf, n, true);
    return f->ops->read(f, &u, &pos);
}

ssize_t file_write_kernel(struct file *f, const void *buf, size_t n, s64 pos)
{
    struct iovec iov;
    struct uio u;

    if (!f->ops->write)
        return -EINVAL;
    uio_init(&u, &iov, (void *)buf, n, true);
    return f->ops->write(f, &u, &pos);
}

#define COPY_CHUNK (16 * PAGE_SIZE)

static ssize_t write_all(struct file *f, const char *buf, size_t n, s64 *pos)
{
    struct iovec iov;
    struct uio u;
    size_t done = 0;

    while (done < n) {
        ssize_t w;

        uio_init(&u, &iov, (void *)(buf + done), n - done, true);
        w = do_rw(f, &u, pos, true);
        if (w <= 0)
            return done ? (ssize_t)done : w;
        done += (size_t)w;
    }
    return (ssize_t)done;
}

/* What the destination did not take is left unread in the source. */
static ssize_t copy_files(struct file *in, s64 *inpos, struct file *out, s64 *outpos, size_t len)
{
    char *buf = kmalloc(COPY_CHUNK, GFP_KERNEL);
    size_t done = 0;
    ssize_t r = 0;

    if (!buf)
        return -ENOMEM;
    len = MIN(len, RW_MAX);
    while (done < len) {
        struct iovec iov;
        struct uio u;
        s64 at = *inpos;
        ssize_t w;

        uio_init(&u, &iov, buf, MIN(len - done, (size_t)COPY_CHUNK), true);
        r = do_rw(in, &u, &at, false);
        if (r <= 0)
            break;
        w = write_all(out, buf, (size_t)r, outpos);
        if (w > 0) {
            done += (size_t)w;
            *inpos += w;
        }
        if (w < r) {
            r = w < 0 ? w : 0;
            break;
        }
        if (signal_pending())
            break;
    }
    kfree(buf);
    return done ? (ssize_t)done : r;
}

static ssize_t copy_fds(int infd, s64 __user *uin, int outfd, s64 __user *uout, size_t len)
{
    struct file *in = fd_get(infd), *out = fd_get(outfd);
    s64 inpos = 0, outpos = 0;
    ssize_t n = 0;

    if (!in || !out)
        n = -EBADF;
    else if ((uin && get_user(inpos, uin)) || (uout && get_user(outpos, uout)))
        n = -EFAULT;
    else if ((uin && in->no_seek) || (uout && out->no_seek))
        n = -ESPIPE;
    else if (inpos < 0 || outpos < 0)
        n = -EINVAL;
    if (!n) {
        inpos = uin ? inpos : in->pos;
        outpos = uout ? outpos : out->pos;
        n = copy_files(in, &inpos, out, &outpos, len);
        if (n > 0 && !uin)
            in->pos = inpos;
        if (n > 0 && !uout)
            out->pos = outpos;
        if ((uin && n > 0 && put_user(inpos, uin)) || (uout && n > 0 && put_user(outpos, uout)))
            n = -EFAULT;
    }
    if (in)
        file_put(in);
    if (out)
        file_put(out);
    return n;
}

long sys_sendfile(int outfd, int infd, s64 __user *off, size_t len)
{
    struct file *in = fd_peek(infd);

    if (in && !S_ISREG(in->inode->mode) && !S_ISBLK(in->inode->mode))
        return -EINVAL;
    return copy_fds(infd, off, outfd, NULL, len);
}

long sys_copy_file_range(int infd, s64 __user *inoff, int outfd, s64 __user *outoff, size_t len,
                         unsigned flags)
{
    struct file *in = fd_peek(infd), *out = fd_peek(outfd);

    if (flags)
        return -EINVAL;
    if (!in || !out)
        return -EBADF;
    if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
        return -EINVAL;
    if (in->inode == out->inode) /* overlapping copies need care that no caller here takes */
        return -EXDEV;
    return copy_fds(infd, inoff, outfd, outoff, len);
}
