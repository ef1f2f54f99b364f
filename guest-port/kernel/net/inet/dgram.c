/* SPDX-License-Identifier: MIT */
/*
 * dgram.c - datagram sockets: UDP, raw IP, and ping sockets (SOCK_DGRAM, IPPROTO_ICMP).
 *
 * A raw socket receives a copy of each packet of its protocol, IP header included. A ping socket is
 * a raw ICMP pcb that sends echo requests with an identifier of its own and receives only the
 * answers that carry it, without the IP header.
 */
#include "errno.h"
#include "inet.h"
#include "proc.h"
#include "slab.h"
#include "uaccess.h"

#include "lwip/inet_chksum.h"
#include "lwip/ip4.h"
#include "lwip/prot/icmp.h"
#include "lwip/raw.h"
#include "lwip/udp.h"

#define IPPROTO_ICMP 1
#define IPPROTO_UDP  17
#define IPPROTO_RAW  255
#define FIONREAD     0x541b
#define IP_TTL_      2
#define UDP_MAX      65507u

static const struct sock_ops dgram_ops;
static u16 next_ping_id = 0x4000;

static bool is_udp(const struct socket *s)
{
    return s->proto == IPPROTO_UDP && s->type == SOCK_DGRAM;
}

static bool is_ping(const struct socket *s)
{
    return s->proto == IPPROTO_ICMP && s->type == SOCK_DGRAM;
}

/* --- receiving, below --------------------------------------------------------------------------
 */

static void on_udp(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
                   u16_t port)
{
    struct isock *is = arg;

    if (!is || is->rx_bytes + p->tot_len > INET_RX_LIMIT || !isock_queue(is, p, from, port))
        pbuf_free(p);
}

/* Does this ICMP packet belong to the ping socket? The IP header is in front. */
static bool is_my_answer(struct isock *is, struct pbuf *p)
{
    struct icmp_echo_hdr h;
    u16 ihl = IP_HLEN;
    u8 first;

    if (pbuf_copy_partial(p, &first, 1, 0) == 1)
        ihl = (u16)((first & 15) * 4);
    if (pbuf_copy_partial(p, &h, sizeof(h), ihl) != sizeof(h))
        return false;
    return h.type == ICMP_ER && lwip_ntohs(h.id) == is->ping_id;
}

static u8_t on_raw(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
    struct isock *is = arg;
    struct pbuf *copy;

    if (!is || is->rx_bytes + p->tot_len > INET_RX_LIMIT)
        return 0;
    if (is->connected && !ip_addr_cmp(&is->peer, from))
        return 0;
    if (is_ping(is->s) && !is_my_answer(is, p))
        return 0;
    copy = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
    if (!copy)
        return 0;
    if (is_ping(is->s)) {
        u8 first = *(u8 *)copy->payload;

        pbuf_remove_header(copy, (size_t)(first & 15) * 4);
    }
    if (!isock_queue(is, copy, from, 0))
        pbuf_free(copy);
    return 0; /* not eaten: lwIP answers echo requests itself */
}

/* --- life --------------------------------------------------------------------------------------
 */

int dgram_socket_create(struct socket *s)
{
    struct isock *is = isock_new(s);

    if (!is)
        return -ENOMEM;
    if (is_udp(s)) {
        is->udp = udp_new_ip_type(IPADDR_TYPE_V4);
        if (is->udp)
            udp_recv(is->udp, on_udp, is);
    } else {
        is->raw = raw_new_ip_type(IPADDR_TYPE_V4, (u8_t)s->proto);
        if (is->raw)
            raw_recv(is->raw, on_raw, is);
        is->ping_id = next_ping_id++;
    }
    if (!is->udp) {
        kfree(is);
        return -ENOMEM;
    }
    s->priv = is;
    s->ops = &dgram_ops;
    return 0;
}

static void dgram_release(struct socket *s)
{
    struct isock *is = s->priv;

    if (is_udp(s))
        udp_remove(is->udp);
    else
        raw_remove(is->raw);
    isock_drop_rx(is);
    kfree(is);
}

static int dgram_bind(struct socket *s, const struct sock_addr *a)
{
    struct isock *is = s->priv;
    ip_addr_t ip;
    u16 port;
    int r = inet_addr_in(a, &ip, &port);

    if (r)
        return r;
    if (!inet_addr_is_local(&ip) && !ip_addr_isbroadcast(&ip, netif_default))
        return -EADDRNOTAVAIL;
    if (!is_udp(s)) {
        if (is_ping(s) && port)
            is->ping_id = port;
        return inet_error(raw_bind(is->raw, &ip));
    }
    if (is->udp->local_port)
        return -EINVAL;
    if (port && port < 1024 && !capable())
        return -EACCES;
    if (s->options[SO_REUSEADDR])
        ip_set_option(is->udp, SOF_REUSEADDR);
    return inet_error(udp_bind(is->udp, &ip, port));
}

static int dgram_connect(struct socket *s, const struct sock_addr *a, bool nonblock)
{
    struct isock *is = s->priv;
    ip_addr_t ip;
    u16 port;
    int r;

    if (a->family == AF_UNSPEC) {
        is->connected = false;
        if (is_udp(s))
            udp_disconnect(is->udp);
        return 0;
    }
    r = inet_addr_in(a, &ip, &port);
    if (r)
        return r;
    if (ip_addr_isany_val(ip))
        IP_ADDR4(&ip, 127, 0, 0, 1);
    if (!ip_route(IP_ADDR_ANY, &ip))
        return -ENETUNREACH;
    if (is_udp(s))
        r = inet_error(udp_connect(is->udp, &ip, port));
    is->peer = ip;
    is->connected = r == 0;
    return r;
}

/* The address that packets to the peer leave from, when none was bound. */
static ip_addr_t source_of(struct isock *is, const ip_addr_t *bound)
{
    struct netif *nif;

    if (!ip_addr_isany(bound) || !is->connected)
        return *bound;
    nif = ip_route(IP_ADDR_ANY, &is->peer);
    return nif ? nif->ip_addr : *bound;
}

static int dgram_getname(struct socket *s, struct sock_addr *a, bool peer)
{
    struct isock *is = s->priv;

    if (peer) {
        if (!is->connected)
            return -ENOTCONN;
        inet_addr_out(a, &is->peer, is_udp(s) ? is->udp->remote_port : 0);
    } else {
        ip_addr_t ip = source_of(is, is_udp(s) ? &is->udp->local_ip : &is->raw->local_ip);

        inet_addr_out(a, &ip, is_udp(s) ? is->udp->local_port : is_ping(s) ? is->ping_id : 0);
    }
    return 0;
}

static int dgram_shutdown(struct socket *s, int how)
{
    struct isock *is = s->priv;

    if (!is->connected)
        return -ENOTCONN;
    is->rd_shut |= how != SHUT_WR;
    is->wr_shut |= how != SHUT_RD;
    isock_wake(is);
    return 0;
}

/* --- sending -----------------------------------------------------------------------------------
 */

static int destination(struct isock *is, struct sock_msg *m, ip_addr_t *ip, u16 *port)
{
    int r;

    if (m->addr.len == 0) {
        if (!is->connected)
            return -EDESTADDRREQ;
        *ip = is->peer;
        *port = is_udp(is->s) ? is->udp->remote_port : 0;
        return 0;
    }
    r = inet_addr_in(&m->addr, ip, port);
    if (!r && ip_addr_isany_val(*ip))
        IP_ADDR4(ip, 127, 0, 0, 1);
    if (!r && is_udp(is->s) && *port == 0)
        r = -EINVAL;
    return r;
}

/* A ping socket's packet: only echo requests, and they carry our identifier. */
static int make_ping(struct isock *is, struct pbuf *p)
{
    struct icmp_echo_hdr *h = p->payload;

    if (p->tot_len < sizeof(*h) || h->type != ICMP_ECHO)
        return -EINVAL;
    h->id = lwip_htons(is->ping_id);
    h->chksum = 0;
    h->chksum = inet_chksum_pbuf(p);
    return 0;
}

static ssize_t dgram_sendmsg(struct socket *s, struct sock_msg *m)
{
    struct isock *is = s->priv;
    size_t n = m->u->left;
    struct pbuf *p;
    ip_addr_t to;
    u16 port;
    int r;

    if (is->wr_shut)
        return -EPIPE;
    if (n > UDP_MAX)
        return -EMSGSIZE;
    r = destination(is, m, &to, &port);
    if (r)
        return r;
    p = pbuf_alloc(is_udp(s) ? PBUF_TRANSPORT : PBUF_IP, (u16_t)n, PBUF_RAM);
    if (!p)
        return -ENOBUFS;
    if (uio_read(m->u, p->payload, n) != n)
        r = -EFAULT;
    else if (is_udp(s))
        r = inet_error(udp_sendto(is->udp, p, &to, port));
    else if (is_ping(s) && (r = make_ping(is, p)) != 0)
        ;
    else
        r = inet_error(raw_sendto(is->raw, p, &to));
    pbuf_free(p);
    inet_pump();
    return r ? r : (ssize_t)n;
}

/* --- receiving ---------------------------------------------------------------------------------
 */

static ssize_t copy_packet(struct pbuf *p, struct uio *u)
{
    size_t total = 0;

    for (; p && u->left > 0; p = p->next) {
        size_t n = MIN(u->left, (size_t)p->len);

        if (uio_write(u, p->payload, n) != n)
            return -EFAULT;
        total += n;
    }
    return (ssize_t)total;
}

static ssize_t take_packet(struct isock *is, struct sock_msg *m)
{
    struct rx_item *it = list_first(&is->rx, struct rx_item, link);
    u32 len = it->p->tot_len;
    ssize_t n;

    /* Off the queue first: copying may sleep, and another reader must not find it. */
    list_del(&it->link);
    is->rx_bytes -= len;
    inet_addr_out(&m->addr, &it->from, it->port);
    n = copy_packet(it->p, m->u);
    if (n >= 0 && (size_t)n < len) {
        m->out_flags |= MSG_TRUNC;
        if (m->flags & MSG_TRUNC)
            n = (ssize_t)len;
    }
    if (m->flags & MSG_PEEK) {
        list_add(&is->rx, &it->link);
        is->rx_bytes += len;
    } else {
        pbuf_free(it->p);
        kfree(it);
    }
    return n;
}

static ssize_t dgram_recvmsg(struct socket *s, struct sock_msg *m)
{
    struct isock *is = s->priv;

    while (list_empty(&is->rx)) {
        int e = sock_take_error(s);

        if (e)
            return e;
        if (is->rd_shut)
            return 0;
        if (m->nonblock)
            return -EAGAIN;
        e = wait_event_timeout(&is->q, !list_empty(&is->rx) || is->rd_shut,
                               sock_deadline(s->rcvtimeo));
        if (e)
            return sock_wait_error(e, s->rcvtimeo);
    }
    return take_packet(is, m);
}

static unsigned dgram_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
    struct isock *is = s->priv;
    unsigned mask = POLLOUT | POLLWRNORM;

    poll_wait(pt, f, &is->q);
    if (!list_empty(&is->rx) || is->rd_shut)
        mask |= POLLIN | POLLRDNORM;
    if (s->error)
        mask |= POLLERR;
    return mask;
}

static int dgram_setopt(struct socket *s, int level, int name, int v)
{
    struct isock *is = s->priv;

    if (level == 0 && name == IP_TTL_) {
        if (v < 1 || v > 255)
            return -EINVAL;
        if (is_udp(s))
            is->udp->ttl = (u8_t)v;
        else
            is->raw->ttl = (u8_t)v;
        return 0;
    }
    return level == 0 || level == IPPROTO_RAW || level == IPPROTO_ICMP ? 0 : -ENOPROTOOPT;
}

static int dgram_getopt(struct socket *s, int level, int name, int *v)
{
    struct isock *is = s->priv;

    if (level != 0)
        return -ENOPROTOOPT;
    *v = name == IP_TTL_ ? (is_udp(s) ? is->udp->ttl : is->raw->ttl) : 0;
    return 0;
}

static long dgram_ioctl(struct socket *s, unsigned cmd, unsigned long arg)
{
    struct isock *is = s->priv;

    if (cmd == FIONREAD) {
        s32 n = list_empty(&is->rx) ? 0 : list_first(&is->rx, struct rx_item, link)->p->tot_len;

        return put_user(n, (s32 __user *)arg);
    }
    return inet_ioctl(s, cmd, arg);
}

static const struct sock_ops dgram_ops = {
    .release = dgram_release,
    .bind = dgram_bind,
    .connect = dgram_connect,
    .getname = dgram_getname,
    .sendmsg = dgram_sendmsg,
    .recvmsg = dgram_recvmsg,
    .shutdown = dgram_shutdown,
    .poll = dgram_poll,
    .setopt = dgram_setopt,
    .getopt = dgram_getopt,
    .ioctl = dgram_ioctl,
};
