/* SPDX-License-Identifier: MIT */
/*
 * socket.c - the sockets API: system calls, user memory, files; families do the rest (socket.h).
 *
 * Every user structure is copied exactly once, at the beginning of a call; results are copied out
 * at its end.
 */
#include "errno.h"
#include "proc.h"
#include "slab.h"
#include "socket.h"
#include "string.h"
#include "uaccess.h"

#define FIONBIO 0x5421

static struct sock_family *families;
static const struct file_ops socket_fops;

void sock_family_register(struct sock_family *f)
{
    f->next = families;
    families = f;
}

struct sock_ucred sock_my_cred(void)
{
    return (struct sock_ucred){current->proc->pid, current->cred.euid, current->cred.egid};
}

/* --- sockets and files -------------------------------------------------------------------------
 */

static struct socket *socket_new(int family, int type, int proto)
{
    struct socket *s = kzalloc(sizeof(*s), GFP_KERNEL);

    if (s) {
        s->family = family;
        s->type = type;
        s->proto = proto;
        s->options[SO_SNDBUF] = s->options[SO_RCVBUF] = 212992;
    }
    return s;
}

static int socket_create(int family, int type, int proto, struct socket **out)
{
    struct sock_family *f = families;
    struct socket *s;
    int r;

    while (f && f->family != family)
        f = f->next;
    if (!f)
        return -EAFNOSUPPORT;
    s = socket_new(family, type, proto);
    if (!s)
        return -ENOMEM;
    r = f->create(s);
    if (r) {
        kfree(s);
        return r;
    }
    *out = s;
    return 0;
}

static void socket_free(struct socket *s)
{
    if (s->ops && s->ops->release)
        s->ops->release(s);
    kfree(s);
}

/* Gives the socket a descriptor; eats the socket also on failure. */
static int socket_fd(struct socket *s, unsigned flags)
{
    struct file *f =
        anon_file("socket:[%lu]", S_IFSOCK | 0777, O_RDWR | (flags & O_NONBLOCK), &socket_fops, s);

    if (IS_ERR(f)) {
        socket_free(s);
        return (int)PTR_ERR(f);
    }
    return fd_install(f, flags & O_CLOEXEC);
}

struct file *sock_file(int fd, int *err)
{
    struct file *f = fd_get(fd);

    if (!f) {
        *err = -EBADF;
    } else if (f->ops != &socket_fops) {
        file_put(f);
        f = NULL;
        *err = -ENOTSOCK;
    }
    return f;
}

static void socket_release(struct inode *i, struct file *f)
{
    socket_free(f->priv);
}

ssize_t sock_send_done(ssize_t r, unsigned flags)
{
    if (r == -EPIPE && !(flags & MSG_NOSIGNAL))
        signal_thread(current, SIGPIPE, NULL);
    return r;
}

static ssize_t socket_read(struct file *f, struct uio *u, s64 *pos)
{
    struct socket *s = f->priv;
    struct sock_msg *m;
    ssize_t r;

    if (u->left == 0 && s->type == SOCK_STREAM)
        return 0;
    m = kzalloc(sizeof(*m), GFP_KERNEL);
    if (!m)
        return -ENOMEM;
    m->u = u;
    m->nonblock = f->flags & O_NONBLOCK;
    r = s->ops->recvmsg(s, m);
    for (unsigned i = 0; i < m->nfiles; i++) /* read cannot take descriptors */
        file_put(m->files[i]);
    kfree(m);
    return r;
}

static ssize_t socket_write(struct file *f, struct uio *u, s64 *pos)
{
    struct socket *s = f->priv;
    struct sock_msg *m = kzalloc(sizeof(*m), GFP_KERNEL);
    ssize_t r;

    if (!m)
        return -ENOMEM;
    m->u = u;
    m->nonblock = f->flags & O_NONBLOCK;
    r = sock_send_done(s->ops->sendmsg(s, m), 0);
    kfree(m);
    return r;
}

static unsigned socket_poll(struct file *f, struct poll_table *pt)
{
    struct socket *s = f->priv;

    return s->ops->poll(s, f, pt);
}

static long socket_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
    struct socket *s = f->priv;
    s32 on;

    if (cmd == FIONBIO) {
        if (get_user(on, (s32 __user *)arg))
            return -EFAULT;
        f->flags = on ? f->flags | O_NONBLOCK : f->flags & ~O_NONBLOCK;
        return 0;
    }
    return s->ops->ioctl ? s->ops->ioctl(s, cmd, arg) : -ENOTTY;
}

static const struct file_ops socket_fops = {
    .release = socket_release,
    .read = socket_read,
    .write = socket_write,
    .poll = socket_poll,
    .ioctl = socket_ioctl,
};

/* --- addresses ---------------------------------------------------------------------------------
 */

static int addr_in(struct sock_addr *a, const void __user *p, unsigned len)
{
    a->len = 0;
    if (!p || len == 0)
        return 0;
    if ((int)len < 0 || len > SOCK_ADDR_MAX)
        return -EINVAL;
    memset(a->raw, 0, sizeof(a->raw));
    if (copy_from_user(a->raw, p, len))
        return -EFAULT;
    a->len = len;
    return 0;
}

static int addr_out(const struct sock_addr *a, void __user *p, s32 __user *lenp)
{
    s32 room;

    if (!p)
        return 0;
    if (get_user(room, lenp))
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    if (copy_to_user(p, a->raw, MIN((unsigned)room, a->len)))
        return -EFAULT;
    return put_user((s32)a->len, lenp);
}

/* --- making ------------------------------------------------------------------------------------
 */

long sys_socket(int family, int type, int proto)
{
    unsigned flags = (unsigned)type & (SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct socket *s;
    int r;

    type &= ~(int)(SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (type < 1 || type > 10)
        return -EINVAL;
    r = socket_create(family, type, proto, &s);
    return r ? r : socket_fd(s, flags);
}

long sys_socketpair(int family, int type, int proto, s32 __user *fds)
{
    unsigned flags = (unsigned)type & (SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct socket *a, *b;
    s32 fd[2];
    int r;

    type &= ~(int)(SOCK_NONBLOCK | SOCK_CLOEXEC);
    r = socket_create(family, type, proto, &a);
    if (r)
        return r;
    r = socket_create(family, type, proto, &b);
    if (!r) {
        r = a->ops->pair ? a->ops->pair(a, b) : -EOPNOTSUPP;
        if (r)
            socket_free(b);
    }
    if (r) {
        socket_free(a);
        return r;
    }
    fd[0] = socket_fd(a, flags);
    if (fd[0] < 0) {
        socket_free(b);
        return fd[0];
    }
    fd[1] = socket_fd(b, flags);
    if (fd[1] < 0 || copy_to_user(fds, fd, sizeof(fd))) {
        r = fd[1] < 0 ? fd[1] : -EFAULT;
        fd_close(fd[0]);
        if (fd[1] >= 0)
            fd_close(fd[1]);
    }
    return r;
}

long sys_bind(int fd, const void __user *addr, unsigned len)
{
    struct sock_addr a;
    int r = 0;
    struct file *f = sock_file(fd, &r);

    if (!f)
        return r;
    struct socket *s = f->priv;
    r = addr_in(&a, addr, len);
    if (!r)
        r = a.len < 2 ? -EINVAL : s->ops->bind(s, &a);
    file_put(f);
    return r;
}

long sys_connect(int fd, const void __user *addr, unsigned len)
{
    struct sock_addr a;
    int r = 0;
    struct file *f = sock_file(fd, &r);

    if (!f)
        return r;
    struct socket *s = f->priv;
    r = addr_in(&a, addr, len);
    if (!r)
        r = a.len < 2 ? -EINVAL : s->ops->connect(s, &a, f->flags & O_NONBLOCK);
    file_put(f);
    return r;
}

long sys_listen(int fd, int backlog)
{
    int r = 0;
    struct file *f = sock_file(fd, &r);

    if (!f)
        return r;
    struct socket *s = f->priv;
    r = s->ops->listen ? s->ops->listen(s, MAX(1, MIN(backlog, 128))) : -EOPNOTSUPP;
    if (!r)
        s->listening = true;
    file_put(f);
    return r;
}

static long do_accept(struct file *f, void __user *addr, s32 __user *len, unsigned flags)
{
    struct socket *s = f->priv, *child;
    struct sock_addr peer = {.len = 0};
    int r, fd;

    if (!s->ops->accept)
        return -EOPNOTSUPP;
    if (!s->listening)
        return -EINVAL;
    child = socket_new(s->family, s->type, s->proto);
    if (!child)
        return -ENOMEM;
    r = s->ops->accept(s, child, &peer, f->flags & O_NONBLOCK);
    if (r) {
        kfree(child);
        return r;
    }
    child->ops = s->ops;
    fd = socket_fd(child, flags);
    if (fd < 0)
        return fd;
    r = addr_out(&peer, addr, len);
    if (r) {
        fd_close(fd);
        return r;
    }
    return fd;
}

long sys_accept4(int fd, void __user *addr, s32 __user *len, int flags)
{
    int r = 0;
    struct file *f;

    if ((unsigned)flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    f = sock_file(fd, &r);
    if (!f)
        return r;
    long ret = do_accept(f, addr, len, (unsigned)flags);
    file_put(f);
    return ret;
}

long sys_accept(int fd, void __user *addr, s32 __user *len)
{
    return sys_accept4(fd, addr, len, 0);
}

static long do_getname(int fd, void __user *addr, s32 __user *len, bool peer)
{
    struct sock_addr a = {.len = 0};
    int r = 0;
    struct file *f = sock_file(fd, &r);

    if (!f)
        return r;
    struct socket *s = f->priv;
    r = s->ops->getname(s, &a, peer);
    if (!r)
        r = addr ? addr_out(&a, addr, len) : -EFAULT;
    file_put(f);
    return r;
}

long sys_getsockname(int fd, void __user *addr, s32 __user *len)
{
    return do_getname(fd, addr, len, false);
}

long sys_getpeername(int fd, void __user *addr, s32 __user *len)
{
    return do_getname(fd, addr, len, true);
}

long sys_shutdown(int fd, int how)
{
    int r = 0;
    struct file *f = sock_file(fd, &r);

    if (!f)
        return r;
    struct socket *s = f->priv;
    if (how < SHUT_RD || how > SHUT_RDWR)
        r = -EINVAL;
    else
        r = s->ops->shutdown ? s->ops->shutdown(s, how) : -EOPNOTSUPP;
    file_put(f);
    return r;
}

/* --- options -----------------------------------------------------------------------------------
 */

static u64 timeo_of(const struct timeval *tv)
{
    if (tv->tv_sec < 0 || tv->tv_sec > 1000000000)
        return 0;
    return (u64)tv->tv_sec * NSEC_PER_SEC + (u64)tv->tv_usec * 1000;
}

static int set_socket_option(struct socket *s, int name, const void __user *p, unsigned len)
{
    struct timeval tv;
    s32 v;

    if (name == SO_RCVTIMEO || name == SO_SNDTIMEO) {
        if (len < sizeof(tv))
            return -EINVAL;
        if (copy_from_user(&tv, p, sizeof(tv)))
            return -EFAULT;
        if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
            return -EDOM;
        *(name == SO_RCVTIMEO ? &s->rcvtimeo : &s->sndtimeo) = timeo_of(&tv);
        return 0;
    }
    if (name < 1 || name >= SO_MAX)
        return -ENOPROTOOPT;
    if (name == 25) /* SO_BINDTODEVICE: one card, nothing to choose */
        return 0;
    if (len < sizeof(v))
        return -EINVAL;
    if (copy_from_user(&v, p, sizeof(v)))
        return -EFAULT;
    if (name == SO_TYPE || name == SO_ERROR || name == SO_PROTOCOL || name == SO_DOMAIN ||
        name == SO_ACCEPTCONN || name == SO_PEERCRED)
        return -ENOPROTOOPT;
    if (name == SO_SNDBUF || name == SO_RCVBUF)
        v = MAX(2304, MIN(v, 212992) * 2);
    s->options[name] = v;
    return 0;
}

long sys_setsockopt(int fd, int level, int name, const void __user *p, unsigned len)
{
    int r = 0;
    struct file *f = sock_file(fd, &r);
    s32 v = 0;

    if (!f)
        return r;
    struct socket *s = f->priv;
    if ((int)len < 0) {
        r = -EINVAL;
    } else if (level == SOL_SOCKET) {
        r = set_socket_option(s, name, p, len);
    } else if (!s->ops->setopt) {
        r = -ENOPROTOOPT;
    } else if (len > 0 && copy_from_user(&v, p, MIN((size_t)len, sizeof(v)))) {
        r = -EFAULT;
    } else {
        r = s->ops->setopt(s, level, name, v);
    }
    file_put(f);
    return r;
}

static int get_socket_option(struct socket *s, int name, u8 *out, unsigned *len)
{
    s32 v;

    switch (name) {
    case SO_TYPE:
        v = s->type;
        break;
    case SO_PROTOCOL:
        v = s->proto;
        break;
    case SO_DOMAIN:
        v = s->family;
        break;
    case SO_ERROR:
        v = sock_take_error(s);
        break;
    case SO_ACCEPTCONN:
        v = s->listening;
        break;
    case SO_RCVTIMEO:
    case SO_SNDTIMEO: {
        u64 t = name == SO_RCVTIMEO ? s->rcvtimeo : s->sndtimeo;
        struct timeval tv = {(s64)(t / NSEC_PER_SEC), (s64)(t % NSEC_PER_SEC / 1000)};

        memcpy(out, &tv, sizeof(tv));
        *len = sizeof(tv);
        return 0;
    }
    case SO_PEERCRED:
        memcpy(out, &s->peercred, sizeof(s->peercred));
        *len = sizeof(s->peercred);
        return 0;
    case SO_LINGER:
        memset(out, 0, 8);
        *len = 8;
        return 0;
    default:
        if (name < 1 || name >= SO_MAX)
            return -ENOPROTOOPT;
        v = s->options[name];
    }
    memcpy(out, &v, sizeof(v));
    *len = sizeof(v);
    return 0;
}

long sys_getsockopt(int fd, int level, int name, void __user *p, s32 __user *lenp)
{
    int r = 0, v = 0;
    struct file *f = sock_file(fd, &r);
    u8 out[32];
    unsigned len = sizeof(v);
    s32 room;

    if (!f)
        return r;
    struct socket *s = f->priv;
    if (get_user(room, lenp)) {
        r = -EFAULT;
    } else if (room < 0) {
        r = -EINVAL;
    } else if (level == SOL_SOCKET) {
        r = get_socket_option(s, name, out, &len);
    } else {
        r = s->ops->getopt ? s->ops->getopt(s, level, name, &v) : -ENOPROTOOPT;
        memcpy(out, &v, sizeof(v));
    }
    if (!r) {
        len = MIN(len, (unsigned)room);
        r = copy_to_user(p, out, len) || put_user((s32)len, lenp) ? -EFAULT : 0;
    }
    file_put(f);
    return r;
}

/* --- plain data: sendto and recvfrom; messages are in sockmsg.c ------------------------------- */

long sys_sendto(int fd, void __user *buf, size_t n, unsigned flags, const void __user *addr,
                unsigned len)
{
    int r = 0;
    struct file *f = sock_file(fd, &r);
    struct sock_msg *m;
    struct iovec iov;
    struct uio u;
    ssize_t ret;

    if (!f)
        return r;
    struct socket *s = f->priv;
    m = kzalloc(sizeof(*m), GFP_KERNEL);
    n = MIN(n, 0x7ffff000UL);
    ret = m ? addr_in(&m->addr, addr, len) : -ENOMEM;
    if (!ret && !user_range_ok(buf, n))
        ret = -EFAULT;
    if (!ret) {
        uio_init(&u, &iov, buf, n, false);
        m->u = &u;
        m->flags = flags;
        m->nonblock = (f->flags & O_NONBLOCK) || (flags & MSG_DONTWAIT);
        ret = sock_send_done(s->ops->sendmsg(s, m), flags);
    }
    kfree(m);
    file_put(f);
    return ret;
}

long sys_recvfrom(int fd, void __user *buf, size_t n, unsigned flags, void __user *addr,
                  s32 __user *len)
{
    int r = 0;
    struct file *f = sock_file(fd, &r);
    struct sock_msg *m;
    struct iovec iov;
    struct uio u;
    ssize_t ret = -ENOMEM;

    if (!f)
        return r;
    struct socket *s = f->priv;
    m = kzalloc(sizeof(*m), GFP_KERNEL);
    n = MIN(n, 0x7ffff000UL);
    if (m && !user_range_ok(buf, n)) {
        ret = -EFAULT;
    } else if (m) {
        uio_init(&u, &iov, buf, n, false);
        m->u = &u;
        m->flags = flags;
        m->nonblock = (f->flags & O_NONBLOCK) || (flags & MSG_DONTWAIT);
        ret = s->ops->recvmsg(s, m);
        for (unsigned i = 0; i < m->nfiles; i++)
            file_put(m->files[i]);
        if (ret >= 0 && addr) {
            r = addr_out(&m->addr, addr, len);
            if (r)
                ret = r;
        }
    }
    kfree(m);
    file_put(f);
    return ret;
}
