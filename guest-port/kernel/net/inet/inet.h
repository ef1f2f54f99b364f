/* SPDX-License-Identifier: MIT */
/*
 * inet.h - between the files of net/inet/: the sockets of AF_INET and the stack below them.
 *
 * lwIP's callbacks run inside calls into lwIP, in process context; they queue and wake, nothing
 * more. After every call that may have sent something: inet_pump, which carries packets over the
 * loopback interface.
 */
#ifndef INET_H
#define INET_H

#include "lwip/ip_addr.h"
#include "lwip/pbuf.h"
#include "lwip/err.h"
#include "socket.h"

struct tcp_pcb;
struct udp_pcb;
struct raw_pcb;
struct netif;

#define INET_RX_LIMIT (192u << 10)

struct rx_item { /* received: a segment of a stream, or a datagram */
    struct list link;
    struct pbuf *p;
    u32 off; /* bytes of a stream already read */
    ip_addr_t from;
    u16 port;
};

enum istate { I_IDLE, I_CONNECTING, I_CONNECTED, I_LISTENING, I_FAILED };

struct isock {
    struct socket *s; /* NULL: not accepted yet */
    enum istate state;
    union {
        struct tcp_pcb *tcp; /* NULL: lwIP has freed it */
        struct udp_pcb *udp;
        struct raw_pcb *raw;
    };
    struct wait_queue q;
    struct list rx;
    u32 rx_bytes;
    bool rx_eof, rd_shut, wr_shut, connected, nodelay;
    int error; /* -errno of a connection that died; told once */
    struct mutex rx_lock, tx_lock;
    struct list accepted; /* listener: ready connections; else link in there */
    int naccepted;
    ip_addr_t peer; /* raw and ping sockets: connected to */
    u16 ping_id;
};

struct sockaddr_in {
    u16 family;
    u16 port; /* network order */
    u32 addr;
    u8 zero[8];
};

void inet_pump(void);    /* deliver what waits on loopback */
int inet_error(err_t e); /* lwIP's error as -errno */
struct isock *isock_new(struct socket *s);
void isock_drop_rx(struct isock *is);
bool isock_queue(struct isock *is, struct pbuf *p, const ip_addr_t *from, u16 port);
void isock_wake(struct isock *is);
/* 0 or -errno; port in host order. */
int inet_addr_in(const struct sock_addr *a, ip_addr_t *ip, u16 *port);
void inet_addr_out(struct sock_addr *a, const ip_addr_t *ip, u16 port);
bool inet_addr_is_local(const ip_addr_t *ip);
long inet_ioctl(struct socket *s, unsigned cmd, unsigned long arg);
/* The present piece of a received pbuf chain at `off` bytes. NULL at its end. */
struct pbuf *pbuf_at(struct pbuf *p, u32 *off);

int tcp_socket_create(struct socket *s);
int dgram_socket_create(struct socket *s);
void inet_stack_start(void);

#endif
