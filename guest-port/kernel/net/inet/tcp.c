/* SPDX-License-Identifier: MIT */
/*
 * tcp.c - stream sockets over lwIP's TCP.
 *
 * Received segments wait in is->rx; the window opens as a reader takes them. Sent bytes are copied
 * into lwIP at once, as far as its send buffer has room. lwIP frees a pcb by itself when a
 * connection dies and says so in on_error: then is->tcp is NULL, and the pending error says why.
 *
 * Invariant: after any sleep is->tcp is read again.
 */
#include "errno.h"
#include "inet.h"
#include "proc.h"
#include "slab.h"
#include "uaccess.h"

#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

#define IPPROTO_TCP    6
#define TCP_NODELAY_   1
#define TCP_MAXSEG_    2
#define TCP_KEEPIDLE_  4
#define TCP_KEEPINTVL_ 5
#define TCP_KEEPCNT_   6
#define SEND_CHUNK     8192u
#define FIONREAD       0x541b

static const struct sock_ops tcp_ops;

/* The pending error is the socket's (SO_ERROR takes it), or ours as long as nobody accepted us. */
static int *pending_error(struct isock *is)
{
    return is->s ? &is->s->error : &is->error;
}

static int take_error(struct isock *is)
{
    int e = *pending_error(is);

    *pending_error(is) = 0;
    return e;
}

/* --- lwIP's callbacks --------------------------------------------------------------------------
 */

static err_t on_receive(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct isock *is = arg;

    if (!p) {
        if (is) {
            is->rx_eof = true;
            isock_wake(is);
        }
        return ERR_OK;
    }
    if (!is || is->rd_shut) {
        tcp_recved(pcb, p->tot_len);
        pbuf_free(p);
        return ERR_OK;
    }
    return isock_queue(is, p, NULL, 0) ? ERR_OK : ERR_MEM; /* ERR_MEM: offered again later */
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    struct isock *is = arg;

    if (is)
        wake_up_key(&is->q, POLLOUT | POLLWRNORM);
    return ERR_OK;
}

static void on_error(void *arg, err_t err)
{
    struct isock *is = arg;

    if (!is)
        return;
    is->tcp = NULL;
    if (is->state == I_CONNECTING)
        *pending_error(is) = err == ERR_RST ? -ECONNREFUSED : -ETIMEDOUT;
    else if (!(is->rx_eof && is->wr_shut))
        *pending_error(is) = err == ERR_ABRT ? -ETIMEDOUT : -ECONNRESET;
    is->state = I_FAILED;
    isock_wake(is);
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct isock *is = arg;

    if (is) {
        is->state = I_CONNECTED;
        is->connected = true;
        isock_wake(is);
    }
    return ERR_OK;
}

static void set_callbacks(struct isock *is, struct tcp_pcb *pcb)
{
    tcp_arg(pcb, is);
    tcp_recv(pcb, on_receive);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_error);
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct isock *l = arg, *is;

    if (!pcb || err != ERR_OK || !l)
        return ERR_VAL;
    is = isock_new(NULL);
    if (!is)
        return ERR_MEM;
    is->tcp = pcb;
    is->state = I_CONNECTED;
    is->connected = true;
    set_callbacks(is, pcb);
    tcp_backlog_delayed(pcb);
    list_add_tail(&l->accepted, &is->accepted);
    l->naccepted++;
    wake_up_key(&l->q, POLLIN | POLLRDNORM);
    return ERR_OK;
}

/* --- life --------------------------------------------------------------------------------------
 */

/* The pcb of a socket that is not connected; lwIP frees it with each failed attempt. */
static struct tcp_pcb *need_pcb(struct isock *is)
{
    if (!is->tcp) {
        is->tcp = tcp_new_ip_type(IPADDR_TYPE_V4);
        if (is->tcp)
            set_callbacks(is, is->tcp);
    }
    return is->tcp;
}

int tcp_socket_create(struct socket *s)
{
    struct isock *is = isock_new(s);

    if (!is)
        return -ENOMEM;
    if (!need_pcb(is)) {
        kfree(is);
        return -ENOMEM;
    }
    s->priv = is;
    s->ops = &tcp_ops;
    return 0;
}

static void tcp_end(struct isock *is)
{
    struct tcp_pcb *pcb = is->tcp;

    is->tcp = NULL;
    if (pcb && is->state == I_LISTENING) {
        tcp_arg(pcb, NULL);
        tcp_accept(pcb, NULL);
        tcp_close(pcb);
    } else if (pcb) {
        bool unread = !list_empty(&is->rx);

        tcp_arg(pcb, NULL);
        tcp_err(pcb, NULL);
        tcp_sent(pcb, NULL);
        tcp_recv(pcb, NULL);
        if (unread || tcp_close(pcb) != ERR_OK)
            tcp_abort(pcb);
    }
    isock_drop_rx(is);
}

static void tcp_release(struct socket *s)
{
    struct isock *is = s->priv;

    while (is->state == I_LISTENING && !list_empty(&is->accepted)) {
        struct isock *c = list_first(&is->accepted, struct isock, accepted);

        list_del(&c->accepted);
        if (c->tcp) {
            struct tcp_pcb *pcb = c->tcp;

            tcp_arg(pcb, NULL);
            tcp_err(pcb, NULL);
            tcp_recv(pcb, NULL);
            tcp_abort(pcb);
        }
        isock_drop_rx(c);
        kfree(c);
    }
    tcp_end(is);
    kfree(is);
    inet_pump();
}

static int tcp_sock_bind(struct socket *s, const struct sock_addr *a)
{
    struct isock *is = s->priv;
    ip_addr_t ip;
    u16 port;
    int r = inet_addr_in(a, &ip, &port);

    if (r)
        return r;
    if (is->state != I_IDLE || !need_pcb(is) || is->tcp->local_port)
        return -EINVAL;
    if (!inet_addr_is_local(&ip))
        return -EADDRNOTAVAIL;
    if (port && port < 1024 && !capable())
        return -EACCES;
    if (s->options[SO_REUSEADDR])
        ip_set_option(is->tcp, SOF_REUSEADDR);
    return inet_error(tcp_bind(is->tcp, &ip, port));
}

/* With SO_REUSEADDR lwIP lets two sockets listen on one port; nobody else does. */
static bool port_has_listener(const struct tcp_pcb *pcb)
{
    for (struct tcp_pcb_listen *l = tcp_listen_pcbs.listen_pcbs; l; l = l->next)
        if (l->local_port == pcb->local_port &&
            (ip_addr_isany(&l->local_ip) || ip_addr_isany(&pcb->local_ip) ||
             ip_addr_cmp(&l->local_ip, &pcb->local_ip)))
            return true;
    return false;
}

static int tcp_sock_listen(struct socket *s, int backlog)
{
    struct isock *is = s->priv;
    struct tcp_pcb *l;

    if (is->state == I_LISTENING)
        return 0;
    if (is->state != I_IDLE || !need_pcb(is))
        return -EINVAL;
    if (is->tcp->local_port == 0) {
        int r = inet_error(tcp_bind(is->tcp, IP_ADDR_ANY, 0));

        if (r)
            return r;
    }
    if (port_has_listener(is->tcp))
        return -EADDRINUSE;
    l = tcp_listen_with_backlog(is->tcp, (u8_t)MIN(backlog, 128));
    if (!l)
        return -ENOBUFS;
    is->tcp = l;
    is->state = I_LISTENING;
    tcp_arg(l, is);
    tcp_accept(l, on_accept);
    return 0;
}

static int tcp_sock_accept(struct socket *s, struct socket *child, struct sock_addr *peer,
                           bool nonblock)
{
    struct isock *l = s->priv, *is;

    while (list_empty(&l->accepted)) {
        if (nonblock)
            return -EAGAIN;
        int r = wait_event_timeout(&l->q, !list_empty(&l->accepted), sock_deadline(s->rcvtimeo));
        if (r)
            return sock_wait_error(r, s->rcvtimeo);
    }
    is = list_first(&l->accepted, struct isock, accepted);
    list_del(&is->accepted);
    l->naccepted--;
    child->error = is->error;
    is->s = child;
    child->priv = is;
    if (is->tcp) {
        tcp_backlog_accepted(is->tcp);
        inet_addr_out(peer, &is->tcp->remote_ip, is->tcp->remote_port);
    } else {
        inet_addr_out(peer, NULL, 0);
    }
    return 0;
}

/* Until the attempt is over; its result. */
static int wait_connected(struct socket *s, struct isock *is)
{
    int r = 0;

    while (is->state == I_CONNECTING && !r)
        r = wait_event_timeout(&is->q, is->state != I_CONNECTING, sock_deadline(s->sndtimeo));
    if (r == -ETIMEDOUT)
        return -EINPROGRESS;
    if (r)
        return r;
    if (is->state == I_CONNECTED)
        return 0;
    r = take_error(is);
    if (!r)
        r = -ECONNABORTED;
    is->state = I_IDLE;
    return r;
}

static int tcp_sock_connect(struct socket *s, const struct sock_addr *a, bool nonblock)
{
    struct isock *is = s->priv;
    ip_addr_t ip;
    u16 port;
    int r = inet_addr_in(a, &ip, &port);

    if (r)
        return r;
    if (is->state == I_CONNECTED)
        return -EISCONN;
    if (is->state == I_LISTENING)
        return -EINVAL;
    if (is->state == I_CONNECTING)
        return nonblock ? -EALREADY : wait_connected(s, is);
    if (is->state == I_FAILED && s->error)
        return wait_connected(s, is); /* tells the result of a non-blocking attempt */
    if (is->state == I_FAILED)
        is->state = I_IDLE;
    if (!need_pcb(is))
        return -ENOBUFS;
    if (ip_addr_isany_val(ip))
        IP_ADDR4(&ip, 127, 0, 0, 1);
    is->state = I_CONNECTING;
    r = inet_error(tcp_connect(is->tcp, &ip, port, on_connected));
    if (r) {
        is->state = I_IDLE;
        return r;
    }
    inet_pump();
    if (nonblock && is->state == I_CONNECTING)
        return -EINPROGRESS;
    return wait_connected(s, is);
}

static int tcp_getname(struct socket *s, struct sock_addr *a, bool peer)
{
    struct isock *is = s->priv;

    if (peer && (is->state != I_CONNECTED || !is->tcp))
        return -ENOTCONN;
    if (!is->tcp)
        inet_addr_out(a, NULL, 0);
    else if (peer)
        inet_addr_out(a, &is->tcp->remote_ip, is->tcp->remote_port);
    else
        inet_addr_out(a, &is->tcp->local_ip, is->tcp->local_port);
    return 0;
}

static int tcp_sock_shutdown(struct socket *s, int how)
{
    struct isock *is = s->priv;

    if (is->state != I_CONNECTED)
        return -ENOTCONN;
    if (how != SHUT_WR)
        is->rd_shut = true;
    if (how != SHUT_RD && !is->wr_shut) {
        is->wr_shut = true;
        if (is->tcp)
            tcp_shutdown(is->tcp, 0, 1);
        inet_pump();
    }
    isock_wake(is);
    return 0;
}

/* --- data --------------------------------------------------------------------------------------
 */

static bool can_send(struct isock *is)
{
    return is->tcp && tcp_sndbuf(is->tcp) > 0 && tcp_sndqueuelen(is->tcp) < TCP_SND_QUEUELEN - 8;
}

/* 0: may send now; -EPIPE, the connection's error, or -EAGAIN and the like. */
static int wait_send(struct socket *s, struct isock *is, bool nonblock)
{
    for (;;) {
        int e = take_error(is);

        if (e)
            return e;
        if (is->wr_shut || is->state == I_FAILED || (is->state == I_CONNECTED && !is->tcp))
            return -EPIPE;
        if (is->state == I_IDLE || is->state == I_LISTENING)
            return is->connected ? -EPIPE : -ENOTCONN;
        if (is->state == I_CONNECTED && can_send(is))
            return 0;
        if (nonblock)
            return -EAGAIN;
        int r = wait_event_timeout(&is->q,
                                   is->state != I_CONNECTING &&
                                       (is->state != I_CONNECTED || can_send(is) || is->wr_shut),
                                   sock_deadline(s->sndtimeo));
        if (r)
            return sock_wait_error(r, s->sndtimeo);
    }
}

/* Takes the next bytes into lwIP. `buf` has SEND_CHUNK bytes. Bytes taken, or -errno. */
static ssize_t send_some(struct isock *is, struct sock_msg *m, u8 *buf)
{
    struct uio before = *m->u;
    size_t n = MIN(MIN(m->u->left, (size_t)tcp_sndbuf(is->tcp)), (size_t)SEND_CHUNK), got;
    err_t e;

    got = uio_read(m->u, buf, n);
    if (got == 0 && n > 0)
        return -EFAULT;
    if (!is->tcp || is->wr_shut) { /* copying may have slept */
        *m->u = before;
        return 0;
    }
    e = tcp_write(is->tcp, buf, (u16_t)got,
                  TCP_WRITE_FLAG_COPY | (m->u->left > 0 ? TCP_WRITE_FLAG_MORE : 0));
    if (e == ERR_OK)
        return (ssize_t)got;
    *m->u = before;
    if (e != ERR_MEM)
        return inet_error(e);
    tcp_output(is->tcp);
    inet_pump();
    return 0;
}

static ssize_t tcp_sendmsg(struct socket *s, struct sock_msg *m)
{
    struct isock *is = s->priv;
    ssize_t total = 0, r = 0;
    u8 *buf;

    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    buf = kmalloc(SEND_CHUNK, GFP_KERNEL);
    if (!buf)
        return -ENOMEM;
    mutex_lock(&is->tx_lock);
    do {
        r = wait_send(s, is, m->nonblock);
        if (!r)
            r = send_some(is, m, buf);
        if (r > 0) {
            total += r;
            if (is->tcp && (m->u->left == 0 || !can_send(is))) {
                tcp_output(is->tcp);
                inet_pump();
            }
        }
    } while (r >= 0 && m->u->left > 0);
    if (total > 0 && is->tcp) {
        tcp_output(is->tcp);
        inet_pump();
    }
    mutex_unlock(&is->tx_lock);
    kfree(buf);
    return total > 0 ? total : r;
}

static bool at_end(const struct isock *is)
{
    return is->rx_eof || is->rd_shut || is->state == I_FAILED;
}

/* 0: data; -ENODATA: end of the stream; or -errno. */
static int wait_receive(struct socket *s, struct isock *is, bool nonblock)
{
    while (list_empty(&is->rx)) {
        int e = take_error(is);

        if (e)
            return e;
        if (at_end(is))
            return -ENODATA;
        if (is->state == I_IDLE || is->state == I_LISTENING)
            return -ENOTCONN;
        if (nonblock)
            return -EAGAIN;
        int r = wait_event_timeout(&is->q, !list_empty(&is->rx) || at_end(is) || *pending_error(is),
                                   sock_deadline(s->rcvtimeo));
        if (r)
            return sock_wait_error(r, s->rcvtimeo);
    }
    return 0;
}

/* Copies out of the first item; bytes, or -EFAULT. */
static ssize_t take_item(struct rx_item *it, u32 from, struct uio *u)
{
    ssize_t total = 0;

    while (u->left > 0) {
        u32 off = from;
        struct pbuf *q = pbuf_at(it->p, &off);
        size_t n, got;

        if (!q)
            break;
        n = MIN(u->left, (size_t)(q->len - off));
        got = uio_write(u, (u8 *)q->payload + off, n);
        total += (ssize_t)got;
        from += (u32)got;
        if (got < n)
            return total ? total : -EFAULT;
    }
    return total;
}

static ssize_t take_stream(struct isock *is, struct sock_msg *m)
{
    ssize_t total = 0;

    while (m->u->left > 0 && !list_empty(&is->rx)) {
        struct rx_item *it = list_first(&is->rx, struct rx_item, link);
        ssize_t n = take_item(it, it->off, m->u);

        if (n < 0)
            return total ? total : n;
        total += n;
        if (m->flags & MSG_PEEK)
            break;
        it->off += (u32)n;
        is->rx_bytes -= (u32)n;
        if (it->off == it->p->tot_len) {
            list_del(&it->link);
            pbuf_free(it->p);
            kfree(it);
        }
    }
    return total;
}

/* Opens the window by what was read. */
static void opened(struct isock *is, size_t n)
{
    while (is->tcp && n > 0) {
        u16 part = (u16)MIN(n, (size_t)0xffff);

        tcp_recved(is->tcp, part);
        n -= part;
    }
    inet_pump();
}

static ssize_t tcp_recvmsg(struct socket *s, struct sock_msg *m)
{
    struct isock *is = s->priv;
    ssize_t total = 0;

    if (m->flags & MSG_OOB)
        return -EINVAL;
    if (is->state == I_IDLE && !is->connected)
        return -ENOTCONN;
    if (m->u->left == 0)
        return 0;
    for (;;) {
        int r = wait_receive(s, is, m->nonblock);
        ssize_t n;

        if (r)
            return total || r == -ENODATA ? total : r;
        mutex_lock(&is->rx_lock);
        n = take_stream(is, m);
        mutex_unlock(&is->rx_lock);
        if (n < 0)
            return total ? total : n;
        total += n;
        if (m->flags & MSG_PEEK)
            return total;
        opened(is, (size_t)n);
        if (m->u->left == 0 || (total > 0 && !(m->flags & MSG_WAITALL)))
            return total;
    }
}

static unsigned tcp_sock_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
    struct isock *is = s->priv;
    unsigned mask = 0;

    poll_wait(pt, f, &is->q);
    if (is->state == I_LISTENING)
        return list_empty(&is->accepted) ? 0 : POLLIN | POLLRDNORM;
    if (is->state == I_IDLE)
        return POLLOUT | POLLWRNORM | POLLHUP;
    if (is->state == I_CONNECTING)
        return 0;
    if (!list_empty(&is->rx) || at_end(is))
        mask |= POLLIN | POLLRDNORM;
    if (is->rx_eof)
        mask |= POLLRDHUP;
    if (is->state == I_FAILED || (is->rx_eof && is->wr_shut))
        mask |= POLLHUP;
    if (*pending_error(is))
        mask |= POLLERR;
    if (is->wr_shut || !is->tcp || can_send(is))
        mask |= POLLOUT | POLLWRNORM;
    return mask;
}

static int tcp_setopt(struct socket *s, int level, int name, int v)
{
    struct isock *is = s->priv;

    if (level == 0) /* IP_TOS and friends: remembered by nobody */
        return 0;
    if (level != IPPROTO_TCP)
        return -ENOPROTOOPT;
    switch (name) {
    case TCP_NODELAY_:
        is->nodelay = v != 0;
        if (is->tcp && is->state != I_LISTENING) {
            if (v)
                tcp_nagle_disable(is->tcp);
            else
                tcp_nagle_enable(is->tcp);
        }
        return 0;
    case TCP_KEEPIDLE_:
    case TCP_KEEPINTVL_:
    case TCP_KEEPCNT_:
        return v > 0 ? 0 : -EINVAL;
    case TCP_MAXSEG_:
        return 0;
    }
    return -ENOPROTOOPT;
}

static int tcp_getopt(struct socket *s, int level, int name, int *v)
{
    struct isock *is = s->priv;

    if (level == 0) {
        *v = 0;
        return 0;
    }
    if (level != IPPROTO_TCP)
        return -ENOPROTOOPT;
    if (name == TCP_NODELAY_)
        *v = is->nodelay;
    else if (name == TCP_MAXSEG_)
        *v = TCP_MSS;
    else
        return -ENOPROTOOPT;
    return 0;
}

static long tcp_ioctl(struct socket *s, unsigned cmd, unsigned long arg)
{
    struct isock *is = s->priv;

    if (cmd == FIONREAD)
        return put_user((s32)is->rx_bytes, (s32 __user *)arg);
    return inet_ioctl(s, cmd, arg);
}

static const struct sock_ops tcp_ops = {
    .release = tcp_release,
    .bind = tcp_sock_bind,
    .connect = tcp_sock_connect,
    .listen = tcp_sock_listen,
    .accept = tcp_sock_accept,
    .getname = tcp_getname,
    .sendmsg = tcp_sendmsg,
    .recvmsg = tcp_recvmsg,
    .shutdown = tcp_sock_shutdown,
    .poll = tcp_sock_poll,
    .setopt = tcp_setopt,
    .getopt = tcp_getopt,
    .ioctl = tcp_ioctl,
};
