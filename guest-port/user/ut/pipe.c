/* SPDX-License-Identifier: MIT */
/* pipe.c - pipes, and waiting for many files: poll, select, epoll. */
#include "ut.h"
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>

static void make_pipe(int fd[2])
{
    CHECK(pipe(fd) == 0);
}

void test_pipe(void)
{
    int fd[2];
    char buf[8];

    make_pipe(fd);
    CHECK(write(fd[1], "abcdef", 6) == 6 && read(fd[0], buf, 4) == 4 &&
          memcmp(buf, "abcd", 4) == 0);
    CHECK(read(fd[0], buf, 8) == 2 && write(fd[1], "", 0) == 0);
    CHECK_ERR(write(fd[0], "x", 1), EBADF);
    CHECK_ERR(read(fd[1], buf, 1), EBADF);
    CHECK(close(fd[1]) == 0 && read(fd[0], buf, 1) == 0);
}

void test_pipe_eof(void)
{
    int fd[2];
    char c;

    make_pipe(fd);
    pid_t pid = fork();
    if (pid == 0) {
        close(fd[1]);
        CHECK(read(fd[0], &c, 1) == 0); /* only when the last writer has gone */
        _exit(0);
    }
    msleep(30);
    CHECK(waitpid(pid, NULL, WNOHANG) == 0 && close(fd[1]) == 0);
    child_ok(pid);
}

void test_pipe_capacity(void)
{
    int fd[2], n = 0, left = 0;
    static char buf[4096];
    ssize_t r;

    CHECK(pipe2(fd, O_NONBLOCK | O_CLOEXEC) == 0 && fcntl(fd[0], F_GETFD) == FD_CLOEXEC);
    CHECK_ERR(read(fd[0], buf, 1), EAGAIN);
    while ((r = write(fd[1], buf, sizeof(buf))) > 0)
        n += (int)r;
    CHECK(errno == EAGAIN && n == 65536);
    CHECK(ioctl(fd[0], FIONREAD, &left) == 0 && left == n);
    CHECK(read(fd[0], buf, sizeof(buf)) == sizeof(buf) &&
          write(fd[1], buf, sizeof(buf)) == sizeof(buf));
    CHECK_ERR(pipe2(fd, 0x3), EINVAL);
}

void test_pipe_big(void)
{
    enum { SIZE = 1 << 20 };
    int fd[2];
    char *buf = malloc(SIZE);

    make_pipe(fd);
    pid_t pid = fork();
    if (pid == 0) {
        fill(buf, SIZE, 6);
        CHECK(write(fd[1], buf, SIZE) == SIZE); /* blocks until everything has gone */
        _exit(0);
    }
    close(fd[1]);
    size_t got = 0;
    ssize_t n;
    while ((n = read(fd[0], buf + got,
                     got % 3              ? 1000
                     : 70000 < SIZE - got ? 70000
                                          : SIZE - got)) > 0)
        got += (size_t)n;
    CHECK(got == SIZE && filled(buf, SIZE, 6));
    child_ok(pid);
}

void test_pipe_atomic(void)
{
    enum { WRITERS = 4, ROUNDS = 50, LEN = 4096 };
    int fd[2];
    static char buf[LEN];
    pid_t pids[WRITERS];

    make_pipe(fd);
    for (int i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            memset(buf, 'A' + i, LEN);
            for (int k = 0; k < ROUNDS; k++)
                CHECK(write(fd[1], buf, LEN) == LEN);
            _exit(0);
        }
    }
    for (int k = 0; k < WRITERS * ROUNDS; k++) {
        for (size_t got = 0; got < LEN;)
            got += (size_t)read(fd[0], buf + got, LEN - got);
        for (int i = 1; i < LEN; i++)
            CHECK(buf[i] == buf[0]);
    }
    for (int i = 0; i < WRITERS; i++)
        child_ok(pids[i]);
}

void test_pipe_chain(void)
{
    int first[2], in;
    char buf[64];

    make_pipe(first);
    in = first[0];
    for (int i = 0; i < 8; i++) { /* a | a | a ... */
        int fd[2];

        make_pipe(fd);
        if (fork() == 0) {
            ssize_t n;

            close(first[1]);
            close(fd[0]);
            while ((n = read(in, buf, sizeof(buf))) > 0)
                CHECK(write(fd[1], buf, (size_t)n) == n);
            _exit(0);
        }
        close(in);
        close(fd[1]);
        in = fd[0];
    }
    CHECK(write(first[1], "bucket brigade", 14) == 14 && close(first[1]) == 0);
    size_t got = 0;
    ssize_t n;
    while ((n = read(in, buf + got, sizeof(buf) - got)) > 0)
        got += (size_t)n;
    CHECK(got == 14 && memcmp(buf, "bucket brigade", 14) == 0);
}

/* --- poll and select ---------------------------------------------------------------------------
 */

void test_poll(void)
{
    int a[2], b[2];
    char c;

    make_pipe(a);
    make_pipe(b);
    struct pollfd p[4] = {
        {a[0], POLLIN, 0}, {b[0], POLLIN, 0}, {b[1], POLLOUT, 0}, {-1, POLLIN, 9}};
    CHECK(poll(p, 4, 0) == 1 && p[0].revents == 0 && p[2].revents == POLLOUT && p[3].revents == 0);
    double start = now();
    CHECK(poll(p, 2, 50) == 0 && now() - start > 0.049);
    CHECK(write(b[1], "x", 1) == 1 && poll(p, 2, -1) == 1 && p[1].revents == POLLIN);
    pid_t pid = fork();
    if (pid == 0) {
        msleep(30);
        CHECK(write(a[1], "y", 1) == 1);
        _exit(0);
    }
    CHECK(read(b[0], &c, 1) == 1 && poll(p, 2, 5000) == 1 && p[0].revents == POLLIN);
    child_ok(pid);
    CHECK(close(a[1]) == 0 && read(a[0], &c, 1) == 1 && poll(p, 1, 0) == 1 &&
          p[0].revents == POLLHUP);
    p[0].fd = 999;
    CHECK(poll(p, 1, 0) == 1 && p[0].revents == POLLNVAL);
    CHECK(close(b[0]) == 0 && poll(p + 2, 1, 0) == 1 && (p[2].revents & POLLERR));
}

void test_poll_signal(void)
{
    int a[2];
    sigset_t s, none;
    struct timespec t = {5, 0};

    make_pipe(a);
    struct pollfd p = {a[0], POLLIN, 0};
    sigact(SIGUSR1, sig_note, SA_RESTART);
    sigact(SIGALRM, sig_note, SA_RESTART);
    struct itimerval it = {.it_value = {0, 30000}};
    CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
    CHECK_ERR(poll(&p, 1, -1), EINTR);
    sigemptyset(&none);
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0 && raise(SIGUSR1) == 0);
    CHECK_ERR(ppoll(&p, 1, &t, &none), EINTR); /* the mask opens for the wait alone */
    CHECK(sig_count == 2 && sigprocmask(SIG_BLOCK, NULL, &s) == 0 && sigismember(&s, SIGUSR1));
}

void test_select(void)
{
    int a[2];
    fd_set r, w;
    struct timeval tv = {0, 40000};

    make_pipe(a);
    FD_ZERO(&r);
    FD_ZERO(&w);
    FD_SET(a[0], &r);
    double start = now();
    CHECK(select(a[0] + 1, &r, NULL, NULL, &tv) == 0 && now() - start > 0.039 &&
          !FD_ISSET(a[0], &r));
    FD_SET(a[0], &r);
    FD_SET(a[1], &w);
    CHECK(select(a[1] + 1, &r, &w, NULL, NULL) == 1 && FD_ISSET(a[1], &w) && !FD_ISSET(a[0], &r));
    CHECK(write(a[1], "x", 1) == 1);
    FD_SET(a[0], &r);
    CHECK(select(a[1] + 1, &r, &w, NULL, NULL) == 2);
    FD_ZERO(&r);
    FD_SET(50, &r);
    CHECK_ERR(select(51, &r, NULL, NULL, &tv), EBADF);
    CHECK_ERR(select(-1, NULL, NULL, NULL, &tv), EINVAL);
    tv = (struct timeval){0, 20000};
    start = now();
    CHECK(select(0, NULL, NULL, NULL, &tv) == 0 && now() - start > 0.019);
}

void test_poll_many(void)
{
    enum { N = 60 };
    int fd[N][2];
    struct pollfd p[N];

    for (int i = 0; i < N; i++) {
        make_pipe(fd[i]);
        p[i] = (struct pollfd){fd[i][0], POLLIN, 0};
    }
    pid_t pid = fork();
    if (pid == 0) {
        msleep(20);
        for (int i = 0; i < N; i += 7)
            CHECK(write(fd[i][1], "m", 1) == 1);
        _exit(0);
    }
    CHECK(poll(p, N, -1) >= 1);
    child_ok(pid);
    CHECK(poll(p, N, -1) == (N + 6) / 7);
    for (int i = 0; i < N; i++)
        CHECK((p[i].revents == POLLIN) == (i % 7 == 0));
}

/* --- epoll -------------------------------------------------------------------------------------
 */

static void watch(int ep, int fd, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.fd = fd};

    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
}

void test_epoll(void)
{
    int ep = epoll_create1(EPOLL_CLOEXEC), a[2], b[2];
    struct epoll_event e[4];
    char c;

    make_pipe(a);
    make_pipe(b);
    CHECK(ep >= 0);
    watch(ep, a[0], EPOLLIN);
    watch(ep, b[0], EPOLLIN);
    CHECK(epoll_wait(ep, e, 4, 0) == 0);
    double start = now();
    CHECK(epoll_wait(ep, e, 4, 30) == 0 && now() - start > 0.029);
    CHECK(write(a[1], "xy", 2) == 2);
    for (int i = 0; i < 3; i++) /* level: again and again, until it is read */
        CHECK(epoll_wait(ep, e, 4, -1) == 1 && e[0].data.fd == a[0] && e[0].events == EPOLLIN);
    CHECK(write(b[1], "z", 1) == 1 && epoll_wait(ep, e, 4, -1) == 2 &&
          epoll_wait(ep, e, 1, -1) == 1);
    CHECK(read(b[0], &c, 1) == 1 && read(a[0], &c, 1) == 1 && read(a[0], &c, 1) == 1);
    CHECK(epoll_wait(ep, e, 4, 0) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        msleep(20);
        CHECK(write(b[1], "w", 1) == 1);
        _exit(0);
    }
    CHECK(epoll_wait(ep, e, 4, 5000) == 1 && e[0].data.fd == b[0]);
    child_ok(pid);
    CHECK(close(a[1]) == 0 && close(b[1]) == 0 && epoll_wait(ep, e, 4, 0) == 2);
}

void test_epoll_edge(void)
{
    int ep = epoll_create1(0), a[2];
    struct epoll_event e;

    make_pipe(a);
    watch(ep, a[0], EPOLLIN | EPOLLET);
    CHECK(write(a[1], "1", 1) == 1);
    CHECK(epoll_wait(ep, &e, 1, 0) == 1 && epoll_wait(ep, &e, 1, 0) == 0);
    CHECK(write(a[1], "2", 1) == 1);
    CHECK(epoll_wait(ep, &e, 1, 0) == 1 && epoll_wait(ep, &e, 1, 0) == 0);
    e.events = EPOLLIN | EPOLLONESHOT;
    CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, a[0], &e) == 0);
    CHECK(epoll_wait(ep, &e, 1, 0) == 1 && epoll_wait(ep, &e, 1, 0) == 0);
    CHECK(write(a[1], "3", 1) == 1 && epoll_wait(ep, &e, 1, 0) == 0); /* disarmed */
    e.events = EPOLLIN;
    CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, a[0], &e) == 0 && epoll_wait(ep, &e, 1, 0) == 1);
}

void test_epoll_errors(void)
{
    int ep = epoll_create1(0), a[2];
    struct epoll_event e = {.events = EPOLLIN};

    make_pipe(a);
    put_file("f", "", 0);
    int f = open("f", O_RDONLY);
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, 999, &e), EBADF);
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, f, &e), EPERM);
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, a[0], &e), ENOENT);
    CHECK_ERR(epoll_ctl(a[0], EPOLL_CTL_ADD, a[1], &e), EINVAL);
    watch(ep, a[0], EPOLLIN);
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, a[0], &e), EEXIST);
    CHECK_ERR(epoll_wait(ep, &e, 0, 0), EINVAL);
    CHECK_ERR(epoll_wait(f, &e, 1, 0), EINVAL);
    CHECK(write(a[1], "x", 1) == 1 && epoll_wait(ep, &e, 1, 0) == 1);
    CHECK(close(a[0]) == 0 && epoll_wait(ep, &e, 1, 0) == 0); /* a closed file is forgotten */
}

void test_epoll_nested(void)
{
    int outer = epoll_create1(0), inner = epoll_create1(0), a[2];
    struct epoll_event e;

    make_pipe(a);
    watch(inner, a[0], EPOLLIN);
    watch(outer, inner, EPOLLIN);
    CHECK(epoll_wait(outer, &e, 1, 0) == 0 && write(a[1], "x", 1) == 1);
    CHECK(epoll_wait(outer, &e, 1, 1000) == 1 && e.data.fd == inner);
    struct pollfd p = {inner, POLLIN, 0};
    CHECK(poll(&p, 1, 0) == 1);
    e.events = EPOLLIN;
    CHECK_ERR(epoll_ctl(inner, EPOLL_CTL_ADD, outer, &e), ELOOP);
}
