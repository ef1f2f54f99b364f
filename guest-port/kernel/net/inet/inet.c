/* SPDX-License-Identifier: MIT */
/*
 * inet.c - what all AF_INET sockets share: addresses, errors, the queue of received packets.
 */
#include "inet.h"
#include "errno.h"
#include "initcall.h"
#include "proc.h"
#include "slab.h"
#include "uaccess.h"

#include "lwip/netif.h"

#define IPPROTO_ICMP 1
#define IPPROTO_TCP  6
#define IPPROTO_UDP  17

int inet_error(err_t e)
{
    switch (e) {
    case ERR_OK:
        return 0;
    case ERR_MEM:
    case ERR_BUF:
        return -ENOBUFS;
    case ERR_TIMEOUT:
        return -ETIMEDOUT;
    case ERR_RTE:
    case ERR_IF:
        return -ENETUNREACH;
    case ERR_INPROGRESS:
        return -EINPROGRESS;
    case ERR_WOULDBLOCK:
        return -EAGAIN;
    case ERR_USE:
        return -EADDRINUSE;
    case ERR_ALREADY:
        return -EALREADY;
    case ERR_ISCONN:
        return -EISCONN;
    case ERR_CONN:
        return -ENOTCONN;
    case ERR_ABRT:
        return -ECONNABORTED;
    case ERR_RST:
        return -ECONNRESET;
    case ERR_CLSD:
        return -EPIPE;
    default:
        return -EINVAL;
    }
}

int inet_addr_in(const struct sock_addr *a, ip_addr_t *ip, u16 *port)
{
    struct sockaddr_in in;

    if (a->len < sizeof(in))
        return -EINVAL;
    memcpy(&in, a->raw, sizeof(in));
    if (in.family != AF_INET)
        return -EAFNOSUPPORT;
    ip_addr_set_ip4_u32(ip, in.addr);
    *port = lwip_ntohs(in.port);
    return 0;
}

void inet_addr_out(struct sock_addr *a, const ip_addr_t *ip, u16 port)
{
    struct sockaddr_in in = {
        .family = AF_INET, .port = lwip_htons(port), .addr = ip ? ip_addr_get_ip4_u32(ip) : 0};

    memcpy(a->raw, &in, sizeof(in));
    a->len = sizeof(in);
}

bool inet_addr_is_local(const ip_addr_t *ip)
{
    struct netif *nif;

    if (ip_addr_isany(ip) || ip_addr_isloopback(ip))
        return true;
    NETIF_FOREACH(nif)
    {
        if (ip_addr_cmp(ip, &nif->ip_addr))
            return true;
    }
    return false;
}

struct isock *isock_new(struct socket *s)
{
    struct isock *is = kzalloc(sizeof(*is), GFP_ATOMIC);

    if (!is)
        return NULL;
    is->s = s;
    wait_queue_init(&is->q);
    list_init(&is->rx);
    list_init(&is->accepted);
    mutex_init(&is->rx_lock);
    mutex_init(&is->tx_lock);
    return is;
}

void isock_wake(struct isock *is)
{
    wake_up(&is->q);
}

bool isock_queue(struct isock *is, struct pbuf *p, const ip_addr_t *from, u16 port)
{
    struct rx_item *it = kmalloc(sizeof(*it), GFP_ATOMIC);

    if (!it)
        return false;
    it->p = p;
    it->off = 0;
    it->port = port;
    if (from)
        it->from = *from;
    list_add_tail(&is->rx, &it->link);
    is->rx_bytes += p->tot_len;
    wake_up_key(&is->q, POLLIN | POLLRDNORM);
    return true;
}

void isock_drop_rx(struct isock *is)
{
    while (!list_empty(&is->rx)) {
        struct rx_item *it = list_first(&is->rx, struct rx_item, link);

        list_del(&it->link);
        pbuf_free(it->p);
        kfree(it);
    }
    is->rx_bytes = 0;
}

struct pbuf *pbuf_at(struct pbuf *p, u32 *off)
{
    while (p && *off >= p->len) {
        *off -= p->len;
        p = p->next;
    }
    return p;
}

static int inet_create(struct socket *s)
{
    int proto = s->proto;

    switch (s->type) {
    case SOCK_STREAM:
        if (proto != 0 && proto != IPPROTO_TCP)
            return -EPROTONOSUPPORT;
        s->proto = IPPROTO_TCP;
        return tcp_socket_create(s);
    case SOCK_DGRAM:
        if (proto != 0 && proto != IPPROTO_UDP && proto != IPPROTO_ICMP)
            return -EPROTONOSUPPORT;
        if (proto == 0)
            s->proto = IPPROTO_UDP;
        return dgram_socket_create(s);
    case SOCK_RAW:
        if (!capable())
            return -EPERM;
        if (proto <= 0 || proto > 255)
            return -EPROTONOSUPPORT;
        return dgram_socket_create(s);
    default:
        return -ESOCKTNOSUPPORT;
    }
}

static struct sock_family inet_family = {.family = AF_INET, .create = inet_create};

static int inet_family_init(void)
{
    sock_family_register(&inet_family);
    return 0;
}
fs_initcall(inet_family_init);
