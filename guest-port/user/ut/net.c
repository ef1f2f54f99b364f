/* SPDX-License-Identifier: MIT */
/* net.c - sockets: AF_UNIX, and TCP, UDP, ICMP over the loopback interface. */
#include "ut.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un un(const char *name, socklen_t *len)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    if (name[0] == '@') { /* abstract */
        memcpy(a.sun_path + 1, name + 1, strlen(name + 1));
        *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    } else {
        strcpy(a.sun_path, name);
        *len = sizeof(a);
    }
    return a;
}

static int un_listen(const char *name, int type, int backlog)
{
    socklen_t len;
    struct sockaddr_un a = un(name, &len);
    int s = socket(AF_UNIX, type, 0);

    CHECK(s >= 0 && bind(s, (struct sockaddr *)&a, len) == 0 && listen(s, backlog) == 0);
    return s;
}

static int un_connect(const char *name, int type)
{
    socklen_t len;
    struct sockaddr_un a = un(name, &len);
    int s = socket(AF_UNIX, type, 0);

    CHECK(s >= 0);
    if (connect(s, (struct sockaddr *)&a, len) < 0) {
        int e = errno;

        close(s);
        errno = e;
        return -1;
    }
    return s;
}

void test_unix_pair(void)
{
    int s[2];
    char buf[16];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == 0);
    CHECK(write(s[0], "there", 5) == 5 && write(s[1], "back", 4) == 4);
    CHECK(read(s[1], buf, 3) == 3 && read(s[1], buf + 3, 13) == 2 && memcmp(buf, "there", 5) == 0);
    CHECK(recv(s[0], buf, 16, MSG_PEEK) == 4 && recv(s[0], buf, 16, 0) == 4);
    CHECK_ERR(recv(s[0], buf, 1, MSG_DONTWAIT), EAGAIN);
    CHECK(shutdown(s[0], SHUT_WR) == 0 && read(s[1], buf, 1) == 0);
    CHECK(write(s[1], "x", 1) == 1 && read(s[0], buf, 1) == 1);
    CHECK(close(s[1]) == 0 && read(s[0], buf, 1) == 0);
    CHECK_ERR(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}

void test_unix_stream(void)
{
    int l = un_listen("sock", SOCK_STREAM, 5), c;
    char buf[32];
    struct sockaddr_un a;
    socklen_t len = sizeof(a);
    struct stat st;

    CHECK(stat("sock", &st) == 0 && S_ISSOCK(st.st_mode));
    pid_t pid = fork();
    if (pid == 0) {
        int s = un_connect("sock", SOCK_STREAM);

        CHECK(s >= 0 && write(s, "question", 8) == 8 && read(s, buf, 32) == 6);
        _exit(0);
    }
    CHECK((c = accept(l, NULL, NULL)) >= 0 && read(c, buf, 32) == 8 && write(c, "answer", 6) == 6);
    CHECK(getsockname(c, (struct sockaddr *)&a, &len) == 0 && strcmp(a.sun_path, "sock") == 0);
    child_ok(pid);
    CHECK(close(l) == 0);
    CHECK(un_connect("sock", SOCK_STREAM) < 0 && errno == ECONNREFUSED);
    CHECK(un_connect("none", SOCK_STREAM) < 0 && errno == ENOENT);
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un b = un("sock", &len);
    CHECK_ERR(bind(s, (struct sockaddr *)&b, len), EADDRINUSE);
}

void test_unix_big(void)
{
    enum { SIZE = 700000 };
    int s[2];
    char *buf = malloc(SIZE);

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        fill(buf, SIZE, 3);
        CHECK(write(s[1], buf, SIZE) == SIZE);
        _exit(0);
    }
    CHECK(recv(s[0], buf, SIZE, MSG_WAITALL) == SIZE && filled(buf, SIZE, 3));
    child_ok(pid);
}

void test_unix_abstract(void)
{
    char name[40];

    snprintf(name, sizeof(name), "@ut-%d", getpid());
    int l = un_listen(name, SOCK_STREAM, 1), s = un_connect(name, SOCK_STREAM);
    CHECK(s >= 0 && accept(l, NULL, NULL) >= 0 && close(l) == 0);
    CHECK(un_connect(name, SOCK_STREAM) < 0 && errno == ECONNREFUSED);
    CHECK(un_listen(name, SOCK_STREAM, 1) >= 0); /* the name is free again */
}

void test_unix_dgram(void)
{
    int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un an, bn, from;
    socklen_t al, bl, fl = sizeof(from);
    char buf[16];

    an = un("a", &al);
    bn = un("b", &bl);
    CHECK(bind(a, (struct sockaddr *)&an, al) == 0 && bind(b, (struct sockaddr *)&bn, bl) == 0);
    CHECK(sendto(a, "one", 3, 0, (struct sockaddr *)&bn, bl) == 3);
    CHECK(sendto(a, "second", 6, 0, (struct sockaddr *)&bn, bl) == 6);
    CHECK(recvfrom(b, buf, 16, 0, (struct sockaddr *)&from, &fl) == 3 &&
          strcmp(from.sun_path, "a") == 0);
    CHECK(recv(b, buf, 2, MSG_TRUNC) == 6); /* the borders of messages stay */
    CHECK(connect(b, (struct sockaddr *)&an, al) == 0 && send(b, "back", 4, 0) == 4);
    CHECK(recv(a, buf, 16, 0) == 4);
    CHECK_ERR(recv(a, buf, 16, MSG_DONTWAIT), EAGAIN);
    CHECK_ERR(send(a, "x", 1, 0), ENOTCONN);
    CHECK(close(a) == 0);
    CHECK_ERR(send(b, "x", 1, 0), ECONNREFUSED);
}

void test_unix_seqpacket(void)
{
    int s[2];
    char buf[16];

    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s) == 0);
    CHECK(write(s[0], "abc", 3) == 3 && write(s[0], "de", 2) == 2);
    CHECK(read(s[1], buf, 16) == 3 && read(s[1], buf, 16) == 2 && close(s[0]) == 0);
    CHECK(read(s[1], buf, 16) == 0);
}

static void send_fd(int s, int fd)
{
    char ctl[CMSG_SPACE(sizeof(int))] = {0}, byte = 'F';
    struct iovec v = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(int));
    CHECK(sendmsg(s, &m, 0) == 1);
}

static int recv_fd(int s)
{
    char ctl[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
    struct iovec v = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl)};
    int fd;

    CHECK(recvmsg(s, &m, 0) == 1 && byte == 'F');
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    CHECK(c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)));
    memcpy(&fd, CMSG_DATA(c), sizeof(int));
    return fd;
}

void test_unix_pass_fd(void)
{
    int s[2], p[2];
    char buf[16];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(pipe(p) == 0 && write(p[1], "via fd", 6) == 6);
        send_fd(s[0], p[0]);
        _exit(0);
    }
    child_ok(pid); /* the descriptor survives its sender */
    int fd = recv_fd(s[1]);
    CHECK(read(fd, buf, 16) == 6 && read(fd, buf, 16) == 0);
    CHECK(pipe(p) == 0);
    send_fd(s[0], p[1]);
    CHECK(close(p[1]) == 0 && close(s[0]) == 0 && close(s[1]) == 0);
    CHECK(read(p[0], buf, 1) == 0); /* in flight and never received: closed with the socket */
}

void test_unix_peercred(void)
{
    struct {
        pid_t pid;
        uid_t uid;
        gid_t gid;
    } cred;
    socklen_t len = sizeof(cred);
    int l = un_listen("sock", SOCK_STREAM, 1);

    pid_t pid = fork();
    if (pid == 0) {
        char c;
        int s = un_connect("sock", SOCK_STREAM);

        CHECK(s >= 0 && read(s, &c, 1) == 0);
        _exit(0);
    }
    int c = accept(l, NULL, NULL);
    CHECK(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0);
    CHECK(cred.pid == pid && cred.uid == getuid() && cred.gid == getgid());
    CHECK(close(c) == 0);
    child_ok(pid);
}

void test_unix_poll(void)
{
    int s[2], l = un_listen("sock", SOCK_STREAM, 2);
    static char buf[8192];
    char c;

    struct pollfd p = {l, POLLIN, 0};
    CHECK(poll(&p, 1, 0) == 0 && un_connect("sock", SOCK_STREAM) >= 0 && poll(&p, 1, 0) == 1);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s) == 0);
    while (write(s[0], buf, sizeof(buf)) > 0)
        ;
    CHECK(errno == EAGAIN);
    p = (struct pollfd){s[0], POLLOUT, 0};
    CHECK(poll(&p, 1, 0) == 0);
    while (read(s[1], buf, sizeof(buf)) > 0)
        ;
    CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT && close(s[1]) == 0);
    p.events = POLLIN;
    CHECK(poll(&p, 1, 0) == 1 && (p.revents & POLLIN) && (p.revents & POLLHUP));
    CHECK(read(s[0], &c, 1) == 0);
}

/* --- internet ----------------------------------------------------------------------------------
 */

static struct sockaddr_in in_addr(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A bound socket and its port. */
static int in_bound(int type, uint16_t *port)
{
    struct sockaddr_in a = in_addr(0);
    socklen_t len = sizeof(a);
    int s = socket(AF_INET, type, 0);

    CHECK(s >= 0 && bind(s, (struct sockaddr *)&a, sizeof(a)) == 0);
    CHECK(getsockname(s, (struct sockaddr *)&a, &len) == 0 && len == sizeof(a) && a.sin_port != 0);
    *port = ntohs(a.sin_port);
    return s;
}

static int tcp_listen(uint16_t *port)
{
    int l = in_bound(SOCK_STREAM, port);

    CHECK(listen(l, 8) == 0);
    return l;
}

static int tcp_connect(uint16_t port)
{
    struct sockaddr_in a = in_addr(port);
    int s = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(s >= 0);
    if (connect(s, (struct sockaddr *)&a, sizeof(a)) == 0)
        return s;
    int e = errno;
    close(s);
    errno = e;
    return -1;
}

void test_tcp_echo(void)
{
    uint16_t port;
    int l = tcp_listen(&port), c;
    char buf[32];

    pid_t pid = fork();
    if (pid == 0) {
        int s = tcp_connect(port);

        CHECK(s >= 0 && write(s, "ping", 4) == 4 && read(s, buf, 32) == 4);
        CHECK(memcmp(buf, "pong", 4) == 0 && read(s, buf, 32) == 0);
        _exit(0);
    }
    CHECK((c = accept(l, NULL, NULL)) >= 0 && read(c, buf, 32) == 4 && write(c, "pong", 4) == 4);
    CHECK(close(c) == 0);
    child_ok(pid);
}

void test_tcp_names(void)
{
    uint16_t port;
    int l = tcp_listen(&port), s = tcp_connect(port);
    struct sockaddr_in a, b;
    socklen_t len = sizeof(a);

    CHECK(s >= 0);
    int c = accept(l, (struct sockaddr *)&a, &len);
    CHECK(c >= 0 && a.sin_family == AF_INET && a.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    CHECK(getsockname(s, (struct sockaddr *)&b, &len) == 0 && a.sin_port == b.sin_port);
    CHECK(getpeername(s, (struct sockaddr *)&b, &len) == 0 && ntohs(b.sin_port) == port);
    CHECK_ERR(getpeername(l, (struct sockaddr *)&b, &len), ENOTCONN);
    int one = 1, t;
    len = sizeof(t);
    CHECK(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0);
    CHECK(getsockopt(s, IPPROTO_TCP, TCP_NODELAY, &t, &len) == 0 && t != 0);
    CHECK(getsockopt(s, SOL_SOCKET, SO_TYPE, &t, &len) == 0 && t == SOCK_STREAM);
    CHECK(getsockopt(l, SOL_SOCKET, SO_ACCEPTCONN, &t, &len) == 0 && t == 1);
}

void test_tcp_big(void)
{
    enum { SIZE = 2 << 20 };
    uint16_t port;
    int l = tcp_listen(&port);
    char *buf = malloc(SIZE);

    pid_t pid = fork();
    if (pid == 0) {
        int s = tcp_connect(port);

        fill(buf, SIZE, 12);
        for (size_t done = 0, n = 1; done < SIZE; done += n) {
            n = done % 50000 + 1 < SIZE - done ? done % 50000 + 1 : SIZE - done;
            CHECK(write(s, buf + done, n) == (ssize_t)n);
        }
        _exit(0);
    }
    int c = accept(l, NULL, NULL);
    size_t got = 0;
    ssize_t n;
    while ((n = read(c, buf + got, SIZE - got < 30000 ? SIZE - got : 30000)) > 0)
        got += (size_t)n;
    CHECK(got == SIZE && filled(buf, SIZE, 12) && read(c, buf, 1) == 0);
    child_ok(pid);
}

void test_tcp_refused(void)
{
    uint16_t port;
    int l = tcp_listen(&port);

    CHECK(close(l) == 0);
    CHECK(tcp_connect(port) < 0 && errno == ECONNREFUSED);
    CHECK(tcp_connect(1) < 0 && errno == ECONNREFUSED);
}

void test_tcp_nonblock(void)
{
    uint16_t port;
    int l = tcp_listen(&port), s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), e;
    struct sockaddr_in a = in_addr(port);
    socklen_t len = sizeof(e);
    char c;

    CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
    int r = connect(s, (struct sockaddr *)&a, sizeof(a));
    CHECK(r == 0 || errno == EINPROGRESS);
    struct pollfd p = {s, POLLOUT, 0};
    CHECK(poll(&p, 1, 5000) == 1 && p.revents == POLLOUT);
    CHECK(getsockopt(s, SOL_SOCKET, SO_ERROR, &e, &len) == 0 && e == 0);
    p = (struct pollfd){l, POLLIN, 0};
    CHECK(poll(&p, 1, 5000) == 1);
    int k = accept(l, NULL, NULL);
    CHECK(k >= 0);
    CHECK_ERR(read(s, &c, 1), EAGAIN);
    connect(s, (struct sockaddr *)&a, sizeof(a)); /* the first may tell the success */
    CHECK_ERR(connect(s, (struct sockaddr *)&a, sizeof(a)), EISCONN);
    CHECK(close(l) == 0);
    s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); /* now nobody listens */
    r = connect(s, (struct sockaddr *)&a, sizeof(a));
    CHECK(r < 0 && (errno == EINPROGRESS || errno == ECONNREFUSED));
    if (errno == EINPROGRESS) {
        p = (struct pollfd){s, POLLOUT, 0};
        CHECK(poll(&p, 1, 5000) == 1);
        CHECK(getsockopt(s, SOL_SOCKET, SO_ERROR, &e, &len) == 0 && e == ECONNREFUSED);
    }
}

void test_tcp_half_close(void)
{
    uint16_t port;
    int l = tcp_listen(&port), s = tcp_connect(port), c = accept(l, NULL, NULL);
    char buf[8];

    CHECK(shutdown(s, SHUT_WR) == 0 && read(c, buf, 1) == 0);
    CHECK(write(c, "late", 4) == 4 && read(s, buf, 8) == 4);
    CHECK_ERR(send(s, "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK(close(c) == 0 && read(s, buf, 1) == 0);
}

void test_tcp_reset(void)
{
    uint16_t port;
    int l = tcp_listen(&port), s = tcp_connect(port), c = accept(l, NULL, NULL);
    char buf[8];

    CHECK(write(s, "unread", 6) == 6);
    msleep(20);
    CHECK(close(c) == 0); /* bytes unread: the other side hears a reset */
    msleep(20);
    errno = 0;
    ssize_t r = read(s, buf, 1);
    CHECK(r == 0 || (r < 0 && errno == ECONNRESET));
    sigact(SIGPIPE, sig_note, 0);
    for (int i = 0; i < 20 && write(s, "x", 1) == 1; i++)
        msleep(10);
    CHECK(errno == EPIPE || errno == ECONNRESET);
}

void test_tcp_many(void)
{
    enum { N = 20 };
    uint16_t port;
    int l = tcp_listen(&port);

    for (int i = 0; i < N; i++) {
        if (fork() == 0) {
            char c = (char)i, back;
            int s = tcp_connect(port);

            CHECK(s >= 0 && write(s, &c, 1) == 1 && read(s, &back, 1) == 1 && back == c + 1);
            _exit(0);
        }
    }
    for (int i = 0; i < N; i++) {
        char c;
        int k = accept(l, NULL, NULL);

        CHECK(k >= 0 && read(k, &c, 1) == 1);
        c++;
        CHECK(write(k, &c, 1) == 1 && close(k) == 0);
    }
    for (int i = 0; i < N; i++) {
        int st;

        CHECK(wait(&st) > 0 && st == 0);
    }
}

void test_tcp_in_use(void)
{
    struct sockaddr_in a = in_addr(0);
    socklen_t len = sizeof(a);
    int l = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    CHECK(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
    CHECK(bind(l, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(l, 2) == 0);
    CHECK(getsockname(l, (struct sockaddr *)&a, &len) == 0);
    CHECK_ERR(bind(s, (struct sockaddr *)&a, sizeof(a)), EADDRINUSE);
    int c = tcp_connect(ntohs(a.sin_port)), k = accept(l, NULL, NULL);
    CHECK(close(k) == 0 && close(c) == 0 && close(l) == 0);
    CHECK(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
    CHECK(bind(s, (struct sockaddr *)&a, sizeof(a)) == 0 &&
          listen(s, 1) == 0); /* TIME_WAIT or not */
    a.sin_addr.s_addr = htonl(0x01020304);
    a.sin_port = 0;
    s = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERR(bind(s, (struct sockaddr *)&a, sizeof(a)), EADDRNOTAVAIL);
}

void test_udp(void)
{
    uint16_t ap, bp;
    int a = in_bound(SOCK_DGRAM, &ap), b = in_bound(SOCK_DGRAM, &bp), n;
    struct sockaddr_in to = in_addr(bp), from;
    socklen_t len = sizeof(from);
    char buf[16];

    CHECK(sendto(a, "first", 5, 0, (struct sockaddr *)&to, sizeof(to)) == 5);
    CHECK(sendto(a, "", 0, 0, (struct sockaddr *)&to, sizeof(to)) == 0);
    CHECK(sendto(a, "a longer one", 12, 0, (struct sockaddr *)&to, sizeof(to)) == 12);
    CHECK(ioctl(b, FIONREAD, &n) == 0 && n == 5);
    CHECK(recvfrom(b, buf, 16, 0, (struct sockaddr *)&from, &len) == 5 &&
          ntohs(from.sin_port) == ap);
    CHECK(recv(b, buf, 16, 0) == 0 && recv(b, buf, 4, 0) == 4);
    CHECK_ERR(recv(b, buf, 4, MSG_DONTWAIT), EAGAIN); /* the rest of a datagram is lost */
    CHECK(connect(b, (struct sockaddr *)&from, sizeof(from)) == 0 && send(b, "back", 4, 0) == 4);
    CHECK(recv(a, buf, 16, 0) == 4);
    CHECK_ERR(send(a, "x", 1, 0), EDESTADDRREQ);
    int c = socket(AF_INET, SOCK_DGRAM, 0);
    to = in_addr(bp);
    CHECK(sendto(c, "stranger", 8, 0, (struct sockaddr *)&to, sizeof(to)) == 8);
    msleep(10);
    CHECK_ERR(recv(b, buf, 16, MSG_DONTWAIT), EAGAIN); /* connected: only from its peer */
    CHECK_ERR(bind(c, (struct sockaddr *)&to, sizeof(to)), EINVAL);
}

void test_udp_poll(void)
{
    uint16_t port;
    int s = in_bound(SOCK_DGRAM, &port), t = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = in_addr(port);
    struct pollfd p = {s, POLLIN | POLLOUT, 0};
    static char big[9000];

    CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
    pid_t pid = fork();
    if (pid == 0) {
        msleep(20);
        fill(big, sizeof(big), 5); /* in fragments, on most interfaces */
        CHECK(sendto(t, big, sizeof(big), 0, (struct sockaddr *)&to, sizeof(to)) == sizeof(big));
        _exit(0);
    }
    p.events = POLLIN;
    CHECK(poll(&p, 1, 5000) == 1 && recv(s, big, sizeof(big), 0) == sizeof(big));
    CHECK(filled(big, sizeof(big), 5));
    child_ok(pid);
    CHECK_ERR(sendto(t, big, 70000, 0, (struct sockaddr *)&to, sizeof(to)), EMSGSIZE);
}

void test_ping(void)
{
    int s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    struct sockaddr_in to = in_addr(0);
    uint8_t echo[16] = {8, 0, 0, 0, 0x12, 0x34, 0, 1, 'd', 'a', 't', 'a'}, buf[128];
    unsigned sum = 0;

    if (s < 0) {
        CHECK(errno == EPERM); /* an ordinary user, or a box without the right */
        return;
    }
    for (int i = 0; i < 16; i += 2)
        sum += (unsigned)echo[i] << 8 | echo[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    echo[2] = (uint8_t)(~sum >> 8);
    echo[3] = (uint8_t)~sum;
    CHECK(sendto(s, echo, 16, 0, (struct sockaddr *)&to, sizeof(to)) == 16);
    for (;;) { /* our own request comes along as well */
        struct pollfd p = {s, POLLIN, 0};

        CHECK(poll(&p, 1, 5000) == 1);
        ssize_t n = recv(s, buf, sizeof(buf), 0);
        CHECK(n == 36 && buf[0] == 0x45 && buf[9] == 1);
        if (buf[20] == 0)
            break;
    }
    CHECK(memcmp(buf + 24, echo + 4, 12) == 0);
}

void test_socket_timeout(void)
{
    int s[2];
    struct timeval tv = {0, 40000};
    char c;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    CHECK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
    double start = now();
    CHECK_ERR(read(s[0], &c, 1), EAGAIN);
    CHECK(now() - start > 0.039);
    uint16_t port;
    int u = in_bound(SOCK_DGRAM, &port);
    CHECK(setsockopt(u, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
    CHECK_ERR(recv(u, &c, 1, 0), EAGAIN);
}

void test_socket_errors(void)
{
    int fd = open("f", O_CREAT | O_RDWR, 0644), s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = in_addr(80);
    char c;

    CHECK_ERR(socket(77, SOCK_STREAM, 0), EAFNOSUPPORT);
    CHECK_ERR(socket(AF_UNIX, 99, 0), EINVAL);
    CHECK_ERR(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    CHECK_ERR(bind(fd, (struct sockaddr *)&a, sizeof(a)), ENOTSOCK);
    CHECK_ERR(listen(99, 1), EBADF);
    CHECK_ERR(bind(s, (struct sockaddr *)&a, 4), EINVAL);
    CHECK_ERR(accept(s, NULL, NULL), EINVAL);
    CHECK_ERR(recv(s, &c, 1, 0), ENOTCONN);
    CHECK_ERR(shutdown(s, SHUT_WR), ENOTCONN);
    CHECK_ERR(lseek(s, 0, SEEK_SET), ESPIPE);
    CHECK_ERR(setsockopt(s, SOL_SOCKET, 12345, &a, 4), ENOPROTOOPT);
    int u = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_ERR(listen(u, 1), EOPNOTSUPP);
    CHECK_ERR(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){0, 0}), EOPNOTSUPP);
}
