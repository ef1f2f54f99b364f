/* SPDX-License-Identifier: MIT */
/*
 * sockmsg.c - sendmsg(2) and recvmsg(2): scattered data, addresses, and passed descriptors.
 *
 * A descriptor in flight is a reference to its file; whoever takes the message owns it. What the
 * receiver has no room for is closed and reported as MSG_CTRUNC.
 */
#include "errno.h"
#include "proc.h"
#include "slab.h"
#include "socket.h"
#include "string.h"
#include "uaccess.h"

#define IOV_LIMIT  1024
#define CTL_LIMIT  1024
#define SCM_RIGHTS 1

struct user_msghdr {
    void __user *name;
    s32 namelen;
    u32 pad0;
    struct iovec __user *iov;
    u64 iovlen;
    void __user *control;
    u64 controllen;
    u32 flags;
    u32 pad1;
};
_Static_assert(sizeof(struct user_msghdr) == 56, "struct msghdr");

struct cmsg {
    u64 len;
    s32 level, type;
};
#define CMSG_ALIGN(n) ALIGN_UP(n, 8UL)

struct call { /* one sendmsg or recvmsg */
    struct user_msghdr h;
    struct sock_msg m;
    struct uio u;
    struct iovec *iov;
    struct iovec few[8];
};

static int import_iov(struct call *c)
{
    size_t left = 0;

    c->iov = c->few;
    if (c->h.iovlen > IOV_LIMIT)
        return -EMSGSIZE;
    if (c->h.iovlen > ARRAY_SIZE(c->few)) {
        c->iov = kmalloc(c->h.iovlen * sizeof(struct iovec), GFP_KERNEL);
        if (!c->iov)
            return -ENOMEM;
    }
    if (copy_from_user(c->iov, c->h.iov, c->h.iovlen * sizeof(struct iovec)))
        return -EFAULT;
    for (u64 i = 0; i < c->h.iovlen; i++) {
        if ((ssize_t)c->iov[i].len < 0)
            return -EINVAL;
        if (!user_range_ok(c->iov[i].base, c->iov[i].len))
            return -EFAULT;
        c->iov[i].len = MIN(c->iov[i].len, 0x7ffff000UL - left);
        left += c->iov[i].len;
    }
    c->u = (struct uio){.iov = c->iov, .cnt = (unsigned)c->h.iovlen, .left = left};
    c->m.u = &c->u;
    return 0;
}

static int import_header(struct call *c, const void __user *umsg)
{
    if (copy_from_user(&c->h, umsg, sizeof(c->h)))
        return -EFAULT;
    return import_iov(c);
}

static struct call *call_new(struct file *f, unsigned flags)
{
    struct call *c = kzalloc(sizeof(*c), GFP_KERNEL);

    if (c) {
        c->iov = c->few;
        c->m.flags = flags;
        c->m.nonblock = (f->flags & O_NONBLOCK) || (flags & MSG_DONTWAIT);
    }
    return c;
}

static void call_free(struct call *c)
{
    for (unsigned i = 0; i < c->m.nfiles; i++)
        file_put(c->m.files[i]);
    if (c->iov != c->few)
        kfree(c->iov);
    kfree(c);
}

static int import_rights(struct sock_msg *m, const u8 *data, size_t len)
{
    for (size_t i = 0; i + 4 <= len; i += 4) {
        s32 fd;

        memcpy(&fd, data + i, 4);
        if (m->nfiles == SCM_MAX_FILES)
            return -EINVAL;
        m->files[m->nfiles] = fd_get(fd);
        if (!m->files[m->nfiles])
            return -EBADF;
        m->nfiles++;
    }
    return 0;
}

static int import_control(struct call *c)
{
    u8 buf[CTL_LIMIT];
    size_t n = c->h.controllen, at = 0;

    if (!c->h.control || n == 0)
        return 0;
    if (n > sizeof(buf))
        return -ENOBUFS;
    if (copy_from_user(buf, c->h.control, n))
        return -EFAULT;
    while (at + sizeof(struct cmsg) <= n) {
        struct cmsg h;
        int r = 0;

        memcpy(&h, buf + at, sizeof(h));
        if (h.len < sizeof(h) || h.len > n - at)
            return -EINVAL;
        if (h.level == SOL_SOCKET && h.type == SCM_RIGHTS)
            r = import_rights(&c->m, buf + at + sizeof(h), h.len - sizeof(h));
        if (r)
            return r;
        at += CMSG_ALIGN(h.len);
    }
    return 0;
}

static ssize_t send_one(struct file *f, void __user *umsg, unsigned flags)
{
    struct socket *s = f->priv;
    struct call *c = call_new(f, flags);
    ssize_t r;

    if (!c)
        return -ENOMEM;
    r = import_header(c, umsg);
    if (!r && c->h.name && c->h.namelen) {
        c->m.addr.len = (unsigned)c->h.namelen;
        if (c->h.namelen < 0 || c->h.namelen > SOCK_ADDR_MAX)
            r = -EINVAL;
        else if (copy_from_user(c->m.addr.raw, c->h.name, c->m.addr.len))
            r = -EFAULT;
    }
    if (!r)
        r = import_control(c);
    if (!r)
        r = sock_send_done(s->ops->sendmsg(s, &c->m), flags);
    call_free(c);
    return r;
}

/* Installs as many descriptors as there is room for; returns the bytes of control written. */
static ssize_t export_rights(struct call *c)
{
    size_t room = c->h.controllen > sizeof(struct cmsg) ? c->h.controllen - sizeof(struct cmsg) : 0;
    unsigned n = (unsigned)MIN(room / 4, (size_t)c->m.nfiles), i;
    struct cmsg h = {sizeof(h) + n * 4, SOL_SOCKET, SCM_RIGHTS};

    if (c->m.nfiles == 0 || !c->h.control)
        n = 0;
    if (n < c->m.nfiles)
        c->m.out_flags |= MSG_CTRUNC;
    if (n == 0)
        return 0;
    for (i = 0; i < n; i++) {
        int fd = fd_install(file_get(c->m.files[i]), c->m.flags & MSG_CMSG_CLOEXEC ? O_CLOEXEC : 0);

        if (fd < 0) {
            c->m.out_flags |= MSG_CTRUNC;
            break;
        }
        if (put_user((s32)fd, (s32 __user *)((u8 *)c->h.control + sizeof(h)) + i))
            return -EFAULT;
    }
    h.len = sizeof(h) + i * 4;
    if (copy_to_user(c->h.control, &h, sizeof(h)))
        return -EFAULT;
    return (ssize_t)MIN(CMSG_ALIGN(h.len), c->h.controllen);
}

static ssize_t export_header(struct call *c, struct user_msghdr __user *u, ssize_t got)
{
    ssize_t ctl = export_rights(c);

    if (ctl < 0)
        return ctl;
    if (c->h.name) {
        size_t n = c->h.namelen < 0 ? 0 : MIN((size_t)c->h.namelen, (size_t)c->m.addr.len);

        if (copy_to_user(c->h.name, c->m.addr.raw, n))
            return -EFAULT;
        if (put_user((s32)c->m.addr.len, &u->namelen))
            return -EFAULT;
    }
    if (put_user((u64)ctl, &u->controllen) || put_user(c->m.out_flags, &u->flags))
        return -EFAULT;
    return got;
}

static ssize_t recv_one(struct file *f, void __user *umsg, unsigned flags)
{
    struct socket *s = f->priv;
    struct call *c = call_new(f, flags);
    ssize_t r;

    if (!c)
        return -ENOMEM;
    r = import_header(c, umsg);
    if (!r)
        r = s->ops->recvmsg(s, &c->m);
    if (r >= 0)
        r = export_header(c, umsg, r);
    call_free(c);
    return r;
}

long sys_sendmsg(int fd, void __user *msg, unsigned flags)
{
    int err = 0;
    struct file *f = sock_file(fd, &err);

    if (!f)
        return err;
    ssize_t r = send_one(f, msg, flags);
    file_put(f);
    return r;
}

long sys_recvmsg(int fd, void __user *msg, unsigned flags)
{
    int err = 0;
    struct file *f = sock_file(fd, &err);

    if (!f)
        return err;
    ssize_t r = recv_one(f, msg, flags);
    file_put(f);
    return r;
}

struct user_mmsghdr {
    struct user_msghdr hdr;
    u32 len;
    u32 pad;
};

/* sendmmsg, recvmmsg: the first message decides whether to wait and what an error means. */
static long many(int fd, struct user_mmsghdr __user *v, unsigned n, unsigned flags,
                 ssize_t (*one)(struct file *, void __user *, unsigned))
{
    int err = 0;
    struct file *f = sock_file(fd, &err);
    ssize_t r = 0;
    unsigned i;

    if (!f)
        return err;
    for (i = 0; i < MIN(n, 1024u); i++) {
        r = one(f, &v[i].hdr, flags);
        if (r >= 0 && put_user((u32)r, &v[i].len))
            r = -EFAULT;
        if (r < 0)
            break;
        if (flags & 0x10000) /* MSG_WAITFORONE */
            flags |= MSG_DONTWAIT;
    }
    file_put(f);
    return i > 0 ? (long)i : r;
}

long sys_sendmmsg(int fd, void __user *v, unsigned n, unsigned flags)
{
    return many(fd, v, n, flags, send_one);
}

long sys_recvmmsg(int fd, void __user *v, unsigned n, unsigned flags, void __user *timeout)
{
    return many(fd, v, n, flags, recv_one);
}
