/* SPDX-License-Identifier: MIT */
/*
 * socket.h - what a protocol family gives to the sockets API (net/socket.c).
 *
 * A file's priv is its struct socket, whose priv is the family's. The common part checks user
 * pointers, copies addresses, passes descriptors; families see kernel memory only, but for the
 * data itself, which they move through a struct uio.
 */
#ifndef KERN_SOCKET_H
#define KERN_SOCKET_H

#include "poll.h"

#define AF_UNSPEC 0
#define AF_UNIX   1
#define AF_INET   2
#define AF_PACKET 17

#define SOCK_STREAM    1
#define SOCK_DGRAM     2
#define SOCK_RAW       3
#define SOCK_SEQPACKET 5
#define SOCK_NONBLOCK  O_NONBLOCK
#define SOCK_CLOEXEC   O_CLOEXEC

#define MSG_OOB          0x1u
#define MSG_PEEK         0x2u
#define MSG_DONTROUTE    0x4u
#define MSG_CTRUNC       0x8u
#define MSG_TRUNC        0x20u
#define MSG_DONTWAIT     0x40u
#define MSG_EOR          0x80u
#define MSG_WAITALL      0x100u
#define MSG_NOSIGNAL     0x4000u
#define MSG_MORE         0x8000u
#define MSG_CMSG_CLOEXEC 0x40000000u

#define SOL_SOCKET    1
#define SO_REUSEADDR  2
#define SO_TYPE       3
#define SO_ERROR      4
#define SO_BROADCAST  6
#define SO_SNDBUF     7
#define SO_RCVBUF     8
#define SO_KEEPALIVE  9
#define SO_LINGER     13
#define SO_PASSCRED   16
#define SO_PEERCRED   17
#define SO_RCVTIMEO   20
#define SO_SNDTIMEO   21
#define SO_ACCEPTCONN 30
#define SO_PROTOCOL   38
#define SO_DOMAIN     39
#define SO_MAX        64

#define SHUT_RD   0
#define SHUT_WR   1
#define SHUT_RDWR 2

#define SOCK_ADDR_MAX 128
#define SCM_MAX_FILES 32

struct sock_ucred {
    s32 pid;
    u32 uid, gid;
};

struct sock_addr {
    unsigned len; /* 0: none */
    union {
        u16 family;
        u8 raw[SOCK_ADDR_MAX];
    };
};

struct sock_msg {
    struct uio *u;
    struct sock_addr addr; /* send: destination, if any; receive: to be filled with the source */
    unsigned flags;        /* MSG_ as given */
    unsigned out_flags;    /* receive: MSG_TRUNC, MSG_CTRUNC, MSG_EOR */
    struct file *files[SCM_MAX_FILES]; /* passed descriptors, referenced */
    unsigned nfiles;
    bool nonblock; /* O_NONBLOCK or MSG_DONTWAIT */
};

struct socket;
struct sock_ops {
    void (*release)(struct socket *s);
    int (*bind)(struct socket *s, const struct sock_addr *a);
    int (*connect)(struct socket *s, const struct sock_addr *a, bool nonblock);
    int (*listen)(struct socket *s, int backlog);
    /* Fills `child` (family, type, ops set; priv is the callee's to set), and the peer's address.
     */
    int (*accept)(struct socket *s, struct socket *child, struct sock_addr *peer, bool nonblock);
    int (*getname)(struct socket *s, struct sock_addr *a, bool peer);
    ssize_t (*sendmsg)(struct socket *s, struct sock_msg *m);
    ssize_t (*recvmsg)(struct socket *s, struct sock_msg *m);
    int (*shutdown)(struct socket *s, int how);
    unsigned (*poll)(struct socket *s, struct file *f, struct poll_table *pt); /* never sleeps */
    /* Options of other levels than SOL_SOCKET; may be NULL. Values are ints. */
    int (*setopt)(struct socket *s, int level, int name, int value);
    int (*getopt)(struct socket *s, int level, int name, int *value);
    int (*pair)(struct socket *a, struct socket *b); /* may be NULL */
    long (*ioctl)(struct socket *s, unsigned cmd, unsigned long arg);
};

struct socket {
    int family, type, proto;
    const struct sock_ops *ops;
    void *priv;
    int error;              /* pending, taken by SO_ERROR and the next call */
    u64 rcvtimeo, sndtimeo; /* ns, 0: none */
    struct sock_ucred peercred;
    bool listening;
    int options[SO_MAX]; /* SOL_SOCKET options that are only remembered or looked at */
};

struct sock_family {
    int family;
    int (*create)(struct socket *s); /* type and proto are set; sets ops and priv. 0 or -errno */
    struct sock_family *next;
};
void sock_family_register(struct sock_family *f);

/* Deadline of a call that may sleep. */
static inline u64 sock_deadline(u64 timeo)
{
    return timeo ? clock_mono_ns() + timeo : TIMEOUT_NEVER;
}
/* What a wait that ended badly means to the caller: a time limit of the socket is EAGAIN, and a
 * call with a time limit is not restarted. */
static inline int sock_wait_error(int r, u64 timeo)
{
    if (r == -ETIMEDOUT)
        return -EAGAIN;
    return r == -ERESTARTSYS && timeo ? -EINTR : r;
}
static inline int sock_take_error(struct socket *s)
{
    int e = s->error;

    s->error = 0;
    return e;
}
/* Between socket.c and sockmsg.c: the referenced file of a socket, NULL with *err -EBADF or
 * -ENOTSOCK; and what follows a send: SIGPIPE for -EPIPE. */
struct file *sock_file(int fd, int *err);
ssize_t sock_send_done(ssize_t r, unsigned flags);
/* The pid, uid and gid that the other side of a connection sees of the caller. */
struct sock_ucred sock_my_cred(void);

#endif
