/* SPDX-License-Identifier: MIT */
/*
 * unix.c - AF_UNIX sockets: streams, datagrams, sequenced packets; names in the file system or
 * abstract; descriptors in flight.
 *
 * Data waits at the receiver as a list of messages. A stream's sender cuts its bytes into messages
 * of at most STREAM_CHUNK, a receiver glues them together again.
 *
 * Invariants: `peer` holds a reference. A dead socket (its file is gone) keeps its memory until
 * the last reference goes, but no message and no name. Whoever changes a socket wakes its `q`:
 * readers, writers and pollers of both ends wait on their own socket's q only; datagram senders
 * also on the receiver's.
 */
#include "errno.h"
#include "initcall.h"
#include "proc.h"
#include "slab.h"
#include "socket.h"
#include "string.h"
#include "uaccess.h"

#define UNIX_PATH    108u
#define RX_LIMIT     (128u << 10)
#define STREAM_CHUNK 16384u
#define DGRAM_MAX    65536u

struct umsg {
    struct list link;
    size_t len, off;
    struct sock_addr from;
    struct file *files[SCM_MAX_FILES];
    unsigned nfiles;
    u8 data[];
};

enum ustate { U_FREE, U_LISTEN, U_CONNECTED, U_DEAD };

struct usock {
    int refs;
    int type;
    enum ustate state;
    bool rd_shut, wr_shut, reset;
    struct usock *peer;
    struct list rx;
    size_t rx_bytes;
    struct mutex rx_lock; /* one reader at a time, across page faults */
    struct wait_queue q;
    struct sock_addr name; /* len 2: none */
    struct inode *inode;   /* of a name in the file system; referenced */
    struct list bound;     /* in `names` */
    struct list pending;   /* listener: not yet accepted; else link in the listener's list */
    int npending, backlog;
    struct sock_ucred cred;
};

static struct list names = LIST_INIT(names);
static const struct sock_ops unix_ops;

#define EVENTS (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLHUP | POLLRDHUP)

static void changed(struct usock *u)
{
    wake_up_key(&u->q, EVENTS);
}

static struct usock *usock_new(int type)
{
    struct usock *u = kzalloc(sizeof(*u), GFP_KERNEL);

    if (!u)
        return NULL;
    u->refs = 1;
    u->type = type;
    list_init(&u->rx);
    list_init(&u->bound);
    list_init(&u->pending);
    mutex_init(&u->rx_lock);
    wait_queue_init(&u->q);
    u->name.len = 2;
    u->name.family = AF_UNIX;
    u->cred = sock_my_cred();
    return u;
}

static struct usock *usock_get(struct usock *u)
{
    u->refs++;
    return u;
}

static void usock_put(struct usock *u)
{
    if (--u->refs == 0)
        kfree(u);
}

static void umsg_free(struct umsg *m)
{
    for (unsigned i = 0; i < m->nfiles; i++)
        file_put(m->files[i]);
    kfree(m);
}

static void drop_messages(struct usock *u)
{
    while (!list_empty(&u->rx)) {
        struct umsg *m = list_first(&u->rx, struct umsg, link);

        list_del(&m->link);
        u->rx_bytes -= m->len - m->off;
        umsg_free(m);
    }
}

/* The socket ends: its peer sees end of file, or a reset when it left bytes unread. */
static void usock_die(struct usock *u)
{
    struct usock *peer = u->peer;
    bool unread = !list_empty(&u->rx);

    u->state = U_DEAD;
    u->peer = NULL;
    list_del(&u->bound);
    if (u->inode)
        inode_put(u->inode);
    u->inode = NULL;
    while (!list_empty(&u->pending) && u->backlog > 0) {
        struct usock *e = list_first(&u->pending, struct usock, pending);

        list_del(&e->pending);
        usock_die(e);
        usock_put(e);
    }
    if (peer) {
        if (u->type != SOCK_DGRAM && peer->peer == u)
            peer->reset |= unread;
        changed(peer);
        usock_put(peer);
    }
    drop_messages(u);
    changed(u);
}

static void unix_release(struct socket *s)
{
    struct usock *u = s->priv;

    usock_die(u);
    usock_put(u);
}

/* --- names -------------------------------------------------------------------------------------
 */

static bool is_abstract(const struct sock_addr *a)
{
    return a->len > 2 && a->raw[2] == 0;
}

/* -EINVAL, or 0 with a->raw[2..] a terminated path or an abstract name. */
static int check_name(struct sock_addr *a)
{
    if (a->family != AF_UNIX || a->len <= 2 || a->len > 2 + UNIX_PATH)
        return -EINVAL;
    if (!is_abstract(a)) {
        a->raw[a->len] = 0;
        a->len = 2 + (unsigned)strnlen((char *)a->raw + 2, UNIX_PATH) + 1;
    }
    return 0;
}

static struct usock *find_abstract(const struct sock_addr *a)
{
    struct usock *u;

    list_for_each(u, &names, bound)
    {
        if (!u->inode && u->name.len == a->len && memcmp(u->name.raw, a->raw, a->len) == 0)
            return u;
    }
    return NULL;
}

/* Referenced socket of a name, or ERR_PTR. */
static struct usock *find_name(const struct sock_addr *given, int type)
{
    struct sock_addr a = *given;
    struct usock *u, *found = NULL;
    int r = check_name(&a);

    if (r)
        return ERR_PTR(r);
    if (is_abstract(&a)) {
        found = find_abstract(&a);
    } else {
        struct dentry *d = path_lookup(NULL, (char *)a.raw + 2, LOOKUP_FOLLOW);

        if (IS_ERR(d))
            return (void *)d;
        r = permission(d->inode, MAY_WRITE);
        list_for_each(u, &names, bound)
        {
            if (u->inode == d->inode)
                found = u;
        }
        dentry_put(d);
        if (r)
            return ERR_PTR(r);
    }
    if (!found)
        return ERR_PTR(-ECONNREFUSED);
    if (found->type != type)
        return ERR_PTR(-EPROTOTYPE);
    return usock_get(found);
}

static int unix_bind(struct socket *s, const struct sock_addr *given)
{
    struct usock *u = s->priv;
    struct sock_addr a = *given;
    struct dentry *d;
    int r = check_name(&a);

    if (r)
        return r;
    if (u->name.len > 2)
        return -EINVAL;
    if (is_abstract(&a)) {
        if (find_abstract(&a))
            return -EADDRINUSE;
    } else {
        d = path_mknod((char *)a.raw + 2, S_IFSOCK | (0777 & ~current->proc->fs->umask), 0);
        if (IS_ERR(d))
            return PTR_ERR(d) == -EEXIST ? -EADDRINUSE : (int)PTR_ERR(d);
        inode_ref(d->inode);
        u->inode = d->inode;
        dentry_put(d);
    }
    u->name = a;
    list_add(&names, &u->bound);
    return 0;
}

static int unix_getname(struct socket *s, struct sock_addr *a, bool peer)
{
    struct usock *u = s->priv;

    if (peer && !u->peer)
        return -ENOTCONN;
    *a = peer ? u->peer->name : u->name;
    return 0;
}

/* --- connections -------------------------------------------------------------------------------
 */

static int unix_listen(struct socket *s, int backlog)
{
    struct usock *u = s->priv;

    if (u->type == SOCK_DGRAM)
        return -EOPNOTSUPP;
    if (u->name.len <= 2 || u->state == U_CONNECTED)
        return -EINVAL;
    u->state = U_LISTEN;
    u->backlog = backlog;
    u->cred = sock_my_cred();
    return 0;
}

static void join(struct usock *a, struct usock *b)
{
    a->peer = usock_get(b);
    b->peer = usock_get(a);
    a->state = b->state = U_CONNECTED;
}

static int connect_dgram(struct usock *u, const struct sock_addr *a)
{
    struct usock *to = NULL;

    if (a->family != AF_UNSPEC) {
        to = find_name(a, u->type);
        if (IS_ERR(to))
            return (int)PTR_ERR(to);
    }
    if (u->peer)
        usock_put(u->peer);
    u->peer = to;
    changed(u);
    return 0;
}

static int wait_backlog(struct usock *l, struct socket *s, bool nonblock)
{
    int r = 0;

    while (l->state == U_LISTEN && l->npending >= l->backlog && !r) {
        if (nonblock)
            return -EAGAIN;
        r = wait_event_timeout(&l->q, l->npending < l->backlog || l->state != U_LISTEN,
                               sock_deadline(s->sndtimeo));
    }
    if (r)
        return sock_wait_error(r, s->sndtimeo);
    return l->state == U_LISTEN ? 0 : -ECONNREFUSED;
}

static int unix_connect(struct socket *s, const struct sock_addr *a, bool nonblock)
{
    struct usock *u = s->priv, *l, *e;
    int r;

    if (u->type == SOCK_DGRAM)
        return connect_dgram(u, a);
    if (u->state == U_CONNECTED)
        return -EISCONN;
    if (u->state != U_FREE)
        return -EINVAL;
    l = find_name(a, u->type);
    if (IS_ERR(l))
        return (int)PTR_ERR(l);
    e = usock_new(u->type);
    r = e ? wait_backlog(l, s, nonblock) : -ENOMEM;
    if (!r && u->state != U_FREE)
        r = -EISCONN;
    if (r) {
        if (e)
            usock_put(e);
        usock_put(l);
        return r;
    }
    e->name = l->name;
    e->cred = l->cred;
    u->cred = sock_my_cred();
    s->peercred = l->cred;
    join(u, e);
    list_add_tail(&l->pending, &e->pending);
    l->npending++;
    changed(l);
    usock_put(l);
    return 0;
}

static int unix_accept(struct socket *s, struct socket *child, struct sock_addr *peer,
                       bool nonblock)
{
    struct usock *l = s->priv, *e;

    while (l->npending == 0) {
        if (nonblock)
            return -EAGAIN;
        int r = wait_event_timeout(&l->q, l->npending > 0, sock_deadline(s->rcvtimeo));
        if (r)
            return sock_wait_error(r, s->rcvtimeo);
    }
    e = list_first(&l->pending, struct usock, pending);
    list_del(&e->pending);
    l->npending--;
    changed(l);
    child->priv = e;
    if (e->peer) {
        child->peercred = e->peer->cred;
        *peer = e->peer->name;
    } else {
        peer->len = 2;
        peer->family = AF_UNIX;
    }
    return 0;
}

static int unix_pair(struct socket *a, struct socket *b)
{
    join(a->priv, b->priv);
    a->peercred = b->peercred = sock_my_cred();
    return 0;
}

static int unix_shutdown(struct socket *s, int how)
{
    struct usock *u = s->priv;

    if (u->type != SOCK_DGRAM && u->state != U_CONNECTED)
        return -ENOTCONN;
    if (how != SHUT_WR)
        u->rd_shut = true;
    if (how != SHUT_RD)
        u->wr_shut = true;
    changed(u);
    if (u->peer)
        changed(u->peer);
    return 0;
}

/* --- sending -----------------------------------------------------------------------------------
 */

/* A message with the next n bytes; the descriptors move into it when the data is there. */
static struct umsg *umsg_new(struct usock *u, struct sock_msg *m, size_t n)
{
    struct umsg *k = kmalloc(sizeof(*k) + n, GFP_KERNEL);

    if (!k)
        return ERR_PTR(-ENOMEM);
    k->len = uio_read(m->u, k->data, n);
    k->off = 0;
    k->nfiles = 0;
    k->from = u->name;
    if (k->len < n && (k->len == 0 || u->type != SOCK_STREAM)) {
        kfree(k);
        return ERR_PTR(-EFAULT);
    }
    memcpy(k->files, m->files, m->nfiles * sizeof(m->files[0]));
    k->nfiles = m->nfiles;
    m->nfiles = 0;
    return k;
}

/* May `u` send to `to`? 0 or -errno. */
static int may_send(struct usock *u, struct usock *to)
{
    if (u->wr_shut)
        return -EPIPE;
    if (u->reset) {
        u->reset = false;
        return -ECONNRESET;
    }
    if (to->state == U_DEAD)
        return u->type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE;
    return to->rd_shut ? -EPIPE : 0;
}

static bool has_room(const struct usock *to)
{
    return to->rx_bytes < RX_LIMIT;
}

/* Waits for room at the receiver. 0 or -errno. */
static int wait_room(struct socket *s, struct usock *u, struct usock *to, bool nonblock)
{
    struct wait_queue *q = u->type == SOCK_DGRAM ? &to->q : &u->q;
    int r = may_send(u, to);

    while (!r && !has_room(to)) {
        if (nonblock)
            return -EAGAIN;
        r = wait_event_timeout(q, has_room(to) || to->state == U_DEAD || to->rd_shut || u->wr_shut,
                               sock_deadline(s->sndtimeo));
        r = r ? sock_wait_error(r, s->sndtimeo) : may_send(u, to);
    }
    return r;
}

static void deliver(struct usock *to, struct umsg *k)
{
    list_add_tail(&to->rx, &k->link);
    to->rx_bytes += k->len;
    wake_up_key(&to->q, POLLIN | POLLRDNORM);
}

static ssize_t send_stream(struct socket *s, struct usock *u, struct usock *to, struct sock_msg *m)
{
    ssize_t total = 0;

    do {
        int r = wait_room(s, u, to, m->nonblock);
        struct umsg *k;

        if (r)
            return total ? total : r;
        k = umsg_new(u, m, MIN(m->u->left, MIN((size_t)STREAM_CHUNK, RX_LIMIT - to->rx_bytes)));
        if (IS_ERR(k))
            return total ? total : PTR_ERR(k);
        r = may_send(u, to); /* copying may have slept */
        if (r) {
            umsg_free(k);
            return total ? total : r;
        }
        total += (ssize_t)k->len;
        if (k->len > 0)
            deliver(to, k);
        else
            umsg_free(k);
    } while (m->u->left > 0);
    return total;
}

static ssize_t send_packet(struct socket *s, struct usock *u, struct usock *to, struct sock_msg *m)
{
    size_t n = m->u->left;
    struct umsg *k;
    int r;

    if (n > DGRAM_MAX)
        return -EMSGSIZE;
    r = wait_room(s, u, to, m->nonblock);
    if (r)
        return r;
    k = umsg_new(u, m, n);
    if (IS_ERR(k))
        return PTR_ERR(k);
    r = may_send(u, to);
    if (r) {
        umsg_free(k);
        return r;
    }
    deliver(to, k);
    return (ssize_t)n;
}

static ssize_t unix_sendmsg(struct socket *s, struct sock_msg *m)
{
    struct usock *u = s->priv, *to;
    ssize_t r;

    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (u->type == SOCK_DGRAM && m->addr.len > 0) {
        to = find_name(&m->addr, SOCK_DGRAM);
        if (IS_ERR(to))
            return PTR_ERR(to);
    } else if (u->peer) {
        to = usock_get(u->peer);
    } else {
        return u->wr_shut ? -EPIPE : -ENOTCONN;
    }
    if (u->type == SOCK_STREAM)
        r = send_stream(s, u, to, m);
    else
        r = send_packet(s, u, to, m);
    usock_put(to);
    return r;
}

/* --- receiving ---------------------------------------------------------------------------------
 */

static bool at_end(const struct usock *u)
{
    if (u->rd_shut)
        return true;
    if (u->type == SOCK_DGRAM)
        return false;
    return !u->peer || u->peer->state == U_DEAD || u->peer->wr_shut;
}

/* Until there is a message (0), or the end (-ENODATA), or -errno. */
static int wait_message(struct socket *s, struct usock *u, bool nonblock)
{
    int r;

    while (list_empty(&u->rx)) {
        if (u->reset) {
            u->reset = false;
            return -ECONNRESET;
        }
        if (at_end(u))
            return -ENODATA;
        if (nonblock)
            return -EAGAIN;
        r = wait_event_timeout(&u->q, !list_empty(&u->rx) || at_end(u) || u->reset,
                               sock_deadline(s->rcvtimeo));
        if (r)
            return sock_wait_error(r, s->rcvtimeo);
    }
    return 0;
}

/* The descriptors of a message go to its first reader; a peek shows copies. */
static void take_files(struct umsg *k, struct sock_msg *m)
{
    for (unsigned i = 0; i < k->nfiles && m->nfiles < SCM_MAX_FILES; i++)
        m->files[m->nfiles++] = m->flags & MSG_PEEK ? file_get(k->files[i]) : k->files[i];
    if (!(m->flags & MSG_PEEK))
        k->nfiles = 0;
}

static void consumed(struct usock *u, struct umsg *k, size_t n)
{
    k->off += n;
    u->rx_bytes -= n;
    if (k->off == k->len) {
        list_del(&k->link);
        umsg_free(k);
    }
    wake_up_key(&u->q, POLLOUT | POLLWRNORM);
    if (u->peer)
        wake_up_key(&u->peer->q, POLLOUT | POLLWRNORM);
}

/* What is there, up to a message that brings descriptors of its own. */
static ssize_t take_stream(struct usock *u, struct sock_msg *m)
{
    struct umsg *k, *next;
    ssize_t total = 0;

    list_for_each_safe(k, next, &u->rx, link)
    {
        size_t want = MIN(k->len - k->off, m->u->left), n;

        if (want == 0 || (k->nfiles > 0 && total > 0))
            break;
        n = uio_write(m->u, k->data + k->off, want);
        if (n == 0)
            return total ? total : -EFAULT;
        take_files(k, m);
        total += (ssize_t)n;
        bool with_files = m->nfiles > 0;
        /* New messages come only at the tail, and readers are one at a time: `next` was read
         * before the copy slept, so take it again. */
        next = list_first(&k->link, struct umsg, link);
        if (!(m->flags & MSG_PEEK))
            consumed(u, k, n);
        if (with_files || n < want)
            break;
    }
    return total;
}

static ssize_t recv_stream(struct socket *s, struct usock *u, struct sock_msg *m)
{
    ssize_t total = 0;

    if (u->state == U_LISTEN || (u->state == U_FREE && !u->peer))
        return -EINVAL;
    if (m->u->left == 0)
        return 0;
    for (;;) {
        int r = wait_message(s, u, m->nonblock);
        ssize_t n;

        if (r)
            return total || r == -ENODATA ? total : r;
        mutex_lock(&u->rx_lock);
        n = take_stream(u, m);
        mutex_unlock(&u->rx_lock);
        if (n < 0)
            return total ? total : n;
        total += n;
        if (m->u->left == 0 || (total > 0 && !(m->flags & MSG_WAITALL)) || (m->flags & MSG_PEEK))
            return total;
    }
}

static ssize_t take_packet(struct usock *u, struct sock_msg *m)
{
    struct umsg *k = list_first(&u->rx, struct umsg, link);
    size_t want = MIN(k->len, m->u->left), len = k->len;

    if (uio_write(m->u, k->data, want) != want)
        return -EFAULT;
    take_files(k, m);
    m->addr = k->from;
    if (want < len)
        m->out_flags |= MSG_TRUNC;
    if (u->type == SOCK_SEQPACKET)
        m->out_flags |= MSG_EOR;
    if (!(m->flags & MSG_PEEK))
        consumed(u, k, k->len);
    return (ssize_t)(m->flags & MSG_TRUNC ? len : want);
}

static ssize_t recv_packet(struct socket *s, struct usock *u, struct sock_msg *m)
{
    if (u->type == SOCK_SEQPACKET && u->state != U_CONNECTED)
        return -ENOTCONN;
    for (;;) {
        int r = wait_message(s, u, m->nonblock);
        ssize_t n = -EAGAIN;

        if (r)
            return r == -ENODATA ? 0 : r;
        mutex_lock(&u->rx_lock);
        bool there = !list_empty(&u->rx);
        if (there)
            n = take_packet(u, m);
        mutex_unlock(&u->rx_lock);
        if (there)
            return n;
    }
}

static ssize_t unix_recvmsg(struct socket *s, struct sock_msg *m)
{
    struct usock *u = s->priv;

    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    return u->type == SOCK_STREAM ? recv_stream(s, u, m) : recv_packet(s, u, m);
}

static unsigned unix_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
    struct usock *u = s->priv;
    unsigned mask = 0;

    poll_wait(pt, f, &u->q);
    if (u->state == U_LISTEN)
        return u->npending > 0 ? POLLIN | POLLRDNORM : 0;
    if (!list_empty(&u->rx) || at_end(u))
        mask |= POLLIN | POLLRDNORM;
    if (u->type != SOCK_DGRAM) {
        if (u->state != U_CONNECTED)
            return POLLOUT | POLLHUP | POLLWRNORM;
        if (at_end(u))
            mask |= POLLRDHUP;
        if (!u->peer || u->peer->state == U_DEAD || (u->rd_shut && u->wr_shut) ||
            (u->peer->wr_shut && u->wr_shut))
            mask |= POLLHUP;
    }
    if (!u->peer || u->peer->state == U_DEAD || has_room(u->peer))
        mask |= POLLOUT | POLLWRNORM;
    return mask;
}

static long unix_ioctl(struct socket *s, unsigned cmd, unsigned long arg)
{
    struct usock *u = s->priv;

    if (cmd != 0x541b) /* FIONREAD */
        return -ENOTTY;
    s32 n = (s32)u->rx_bytes;
    if (u->type != SOCK_STREAM)
        n = list_empty(&u->rx) ? 0 : (s32)list_first(&u->rx, struct umsg, link)->len;
    return put_user(n, (s32 __user *)arg);
}

static const struct sock_ops unix_ops = {
    .release = unix_release,
    .bind = unix_bind,
    .connect = unix_connect,
    .listen = unix_listen,
    .accept = unix_accept,
    .getname = unix_getname,
    .sendmsg = unix_sendmsg,
    .recvmsg = unix_recvmsg,
    .shutdown = unix_shutdown,
    .poll = unix_poll,
    .pair = unix_pair,
    .ioctl = unix_ioctl,
};

static int unix_create(struct socket *s)
{
    if (s->proto != 0 && s->proto != AF_UNIX)
        return -EPROTONOSUPPORT;
    if (s->type == SOCK_RAW)
        s->type = SOCK_DGRAM;
    if (s->type != SOCK_STREAM && s->type != SOCK_DGRAM && s->type != SOCK_SEQPACKET)
        return -ESOCKTNOSUPPORT;
    s->priv = usock_new(s->type);
    s->ops = &unix_ops;
    return s->priv ? 0 : -ENOMEM;
}

static struct sock_family unix_family = {.family = AF_UNIX, .create = unix_create};

static int unix_init(void)
{
    sock_family_register(&unix_family);
    return 0;
}
fs_initcall(unix_init);
