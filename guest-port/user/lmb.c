/* SPDX-License-Identifier: MIT */
/*
 * lmb: what the operations of a Unix cost, after lmbench.
 *
 *     lmb [--json] [--quick] [NAME...]     a NAME may end in *: all that begin so; -l lists them
 *
 * Each row is measured SAMPLES times with the time-stamp counter; the table gives the minimum and
 * the median of one operation. Under QEMU's -icount a tick is an instruction, and the figures
 * repeat; elsewhere they are ticks of that machine.
 *
 * Rules: a sample sets nothing up inside the measured part; a round trip is one operation; what a
 * row needs beside it (children, files, sockets) exists before the first sample and goes after it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL

static inline uint64_t ticks(void)
{
    uint32_t lo, hi;

    __asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (uint64_t)hi << 32 | lo;
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "lmb: %s: %s\n", what, strerror(errno));
    exit(1);
}
#define MUST(c)      \
    do {             \
        if (!(c))    \
            die(#c); \
    } while (0)

/* Measures the statement, repeated n times; ticks of one. */
#define TIMED(n, statement)                \
    ({                                     \
        uint64_t t0_ = ticks();            \
        for (int i_ = 0; i_ < (n); i_++) { \
            statement;                     \
        }                                  \
        (ticks() - t0_) / (uint64_t)(n);   \
    })

static const char *self;
static int fd_zero, fd_null, fd_file;
static char big[256 << 10];

/* --- calls -------------------------------------------------------------------------------------
 */

static uint64_t null_call(void)
{
    return TIMED(100, syscall(SYS_getppid));
}
static uint64_t read_1(void)
{
    char c;
    return TIMED(100, read(fd_zero, &c, 1));
}
static uint64_t write_1(void)
{
    return TIMED(100, write(fd_null, "x", 1));
}
static uint64_t pread_4k(void)
{
    return TIMED(50, pread(fd_file, big, PAGE, 0));
}
static uint64_t pwrite_4k(void)
{
    return TIMED(50, pwrite(fd_file, big, PAGE, 0));
}
static uint64_t do_stat(void)
{
    struct stat st;
    return TIMED(50, stat("lmb.file", &st));
}
static uint64_t do_fstat(void)
{
    struct stat st;
    return TIMED(100, fstat(fd_file, &st));
}
static uint64_t open_close(void)
{
    return TIMED(50, close(open("lmb.file", O_RDONLY)));
}
static uint64_t do_select(int n)
{
    fd_set set;
    struct timeval tv = {0, 0};

    FD_ZERO(&set);
    for (int i = 100; i < 100 + n; i++) {
        dup2(fd_null, i);
        FD_SET(i, &set);
    }
    fd_set s = set;
    uint64_t t = TIMED(20, (s = set, select(100 + n, NULL, &s, NULL, &tv)));
    for (int i = 100; i < 100 + n; i++)
        close(i);
    return t;
}
static uint64_t select_10(void)
{
    return do_select(10);
}
static uint64_t select_100(void)
{
    return do_select(100);
}

/* --- signals -----------------------------------------------------------------------------------
 */

static void nothing(int sig)
{
    (void)sig;
}
static uint64_t sig_install(void)
{
    struct sigaction sa = {.sa_handler = nothing};
    return TIMED(50, sigaction(SIGUSR1, &sa, NULL));
}
static uint64_t sig_handle(void)
{
    pid_t pid = getpid();
    signal(SIGUSR1, nothing);
    return TIMED(50, kill(pid, SIGUSR1));
}

static volatile char *protected;
static void unprotect(int sig)
{
    (void)sig;
    mprotect((void *)protected, PAGE, PROT_READ | PROT_WRITE);
}
static uint64_t prot_fault(void)
{
    protected = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    signal(SIGSEGV, unprotect);
    uint64_t t = TIMED(20, (mprotect((void *)protected, PAGE, PROT_READ), *protected = 1));
    signal(SIGSEGV, SIG_DFL);
    munmap((void *)protected, PAGE);
    return t;
}

/* --- processes ---------------------------------------------------------------------------------
 */

static void reap(pid_t pid)
{
    MUST(pid > 0 && waitpid(pid, NULL, 0) == pid);
}
static void fork_one(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    reap(pid);
}
static void exec_one(void)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execl(self, self, "--exit", (char *)NULL);
        _exit(1);
    }
    reap(pid);
}
static void fork_exec_one(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl(self, self, "--exit", (char *)NULL);
        _exit(1);
    }
    reap(pid);
}
static void sh_one(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", ":", (char *)NULL);
        _exit(1);
    }
    reap(pid);
}
static uint64_t fork_exit(void)
{
    return TIMED(2, fork_one());
}
static uint64_t vfork_exec(void)
{
    return TIMED(2, exec_one());
}
static uint64_t fork_exec(void)
{
    return TIMED(2, fork_exec_one());
}
static uint64_t fork_sh(void)
{
    return TIMED(2, sh_one());
}

/* --- talking to a child -------------------------------------------------------------------------
 */

static pid_t partner;
static int here, there_in; /* what we write to, and where the answer comes from */
static void end_partner(void)
{
    if (partner > 0) {
        kill(partner, SIGKILL);
        waitpid(partner, NULL, 0);
    }
    partner = 0;
    close(here);
    if (there_in != here)
        close(there_in);
}
static void echo(int in, int out)
{
    char c;
    while (read(in, &c, 1) == 1)
        if (write(out, &c, 1) != 1)
            break;
    _exit(0);
}
static void sink(int in)
{
    while (read(in, big, sizeof(big)) > 0)
        ;
    _exit(0);
}
static void pipe_echo(void)
{
    int a[2], b[2];

    MUST(pipe(a) == 0 && pipe(b) == 0);
    partner = fork();
    if (partner == 0) {
        close(a[1]);
        close(b[0]);
        echo(a[0], b[1]);
    }
    close(a[0]);
    close(b[1]);
    here = a[1];
    there_in = b[0];
}
static void pipe_sink(void)
{
    int a[2];

    MUST(pipe(a) == 0);
    partner = fork();
    if (partner == 0) {
        close(a[1]);
        sink(a[0]);
    }
    close(a[0]);
    here = there_in = a[1];
}
static void unix_start(void (*fn)(int))
{
    int s[2];

    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    partner = fork();
    if (partner == 0) {
        close(s[0]);
        fn(s[1]);
    }
    close(s[1]);
    here = there_in = s[0];
}
static void echo_both(int s)
{
    echo(s, s);
}
static void unix_echo(void)
{
    unix_start(echo_both);
}
static void unix_sink(void)
{
    unix_start(sink);
}
static struct sockaddr_in bound(int s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);

    MUST(bind(s, (struct sockaddr *)&a, sizeof(a)) == 0);
    MUST(getsockname(s, (struct sockaddr *)&a, &len) == 0);
    return a;
}
static void tcp_start(void (*fn)(int))
{
    int l = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in a = bound(l);

    MUST(listen(l, 4) == 0);
    partner = fork();
    if (partner == 0) {
        int c = accept(l, NULL, NULL);

        close(s);
        setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        fn(c);
    }
    MUST(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0);
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    close(l);
    here = there_in = s;
}
static void tcp_echo(void)
{
    tcp_start(echo_both);
}
static void tcp_sink(void)
{
    tcp_start(sink);
}
static void udp_echo(void)
{
    int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in a = bound(s), b = bound(c);

    MUST(connect(s, (struct sockaddr *)&b, sizeof(b)) == 0);
    MUST(connect(c, (struct sockaddr *)&a, sizeof(a)) == 0);
    partner = fork();
    if (partner == 0)
        echo(c, c);
    close(c);
    here = there_in = s;
}
static uint64_t round_trip(void)
{
    char c = 'x';
    return TIMED(20, MUST(write(here, &c, 1) == 1 && read(there_in, &c, 1) == 1));
}
static uint64_t bandwidth(void) /* ticks for 64 KiB */
{
    return TIMED(4, MUST(write(here, big, 65536) == 65536));
}
static int listener;
static struct sockaddr_in listen_addr;
static void listen_start(void)
{
    listener = socket(AF_INET, SOCK_STREAM, 0);
    listen_addr = bound(listener);
    MUST(listen(listener, 64) == 0);
    partner = 0;
    here = there_in = listener;
}
static uint64_t tcp_connect(void)
{
    int s = socket(AF_INET, SOCK_STREAM, 0), c;

    uint64_t t =
        TIMED(1, MUST(connect(s, (struct sockaddr *)&listen_addr, sizeof(listen_addr)) == 0 &&
                      (c = accept(listener, NULL, NULL)) >= 0));
    close(s);
    close(c);
    return t;
}

/* A ring of n processes that pass a token: one operation is one hand-over. */
static pid_t ring_pid[16];
static int ring_n, ring_in, ring_out;
static void ring_start(int n)
{
    int first[2], prev;

    ring_n = n;
    MUST(pipe(first) == 0);
    prev = first[0];
    for (int i = 1; i < n; i++) {
        int p[2];

        MUST(pipe(p) == 0);
        ring_pid[i] = fork();
        if (ring_pid[i] == 0) {
            close(first[1]);
            close(p[0]);
            echo(prev, p[1]);
        }
        close(prev);
        close(p[1]);
        prev = p[0];
    }
    ring_out = first[1];
    ring_in = prev;
}
static void ring_2(void)
{
    ring_start(2);
}
static void ring_4(void)
{
    ring_start(4);
}
static void ring_8(void)
{
    ring_start(8);
}
static void ring_16(void)
{
    ring_start(16);
}
static void ring_end(void)
{
    close(ring_out);
    for (int i = 1; i < ring_n; i++)
        reap(ring_pid[i]);
    close(ring_in);
}
static uint64_t ring_pass(void)
{
    char c = 't';
    return TIMED(10, MUST(write(ring_out, &c, 1) == 1 && read(ring_in, &c, 1) == 1)) /
           (uint64_t)ring_n;
}

/* --- memory ------------------------------------------------------------------------------------
 */

static uint64_t fault_anon(void)
{
    enum { N = 32 };
    char *p = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    p[0] = 1; /* the page table exists */
    uint64_t t0 = ticks();
    for (int i = 1; i < N; i++)
        p[(unsigned long)i * PAGE] = 1;
    uint64_t t = (ticks() - t0) / (N - 1);
    munmap(p, N * PAGE);
    return t;
}
static uint64_t fault_file(void)
{
    enum { N = 16 };
    volatile char *p = mmap(NULL, N * PAGE, PROT_READ, MAP_SHARED, fd_file, 0);
    uint64_t t0;

    (void)p[0];
    t0 = ticks();
    for (int i = 1; i < N; i++)
        (void)p[(unsigned long)i * PAGE];
    uint64_t t = (ticks() - t0) / (N - 1);
    munmap((void *)p, N * PAGE);
    return t;
}
static uint64_t fault_cow(void)
{
    enum { N = 32 };
    volatile char *p =
        mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int done[2], result[2];
    uint64_t t;
    char c;

    memset((void *)p, 1, N * PAGE);
    MUST(pipe(done) == 0 && pipe(result) == 0);
    pid_t pid = fork();
    if (pid == 0) { /* keeps the pages shared until we are done */
        close(done[1]);
        if (read(done[0], &c, 1) < 0)
            _exit(1);
        _exit(0);
    }
    uint64_t t0 = ticks();
    for (int i = 0; i < N; i++)
        p[(unsigned long)i * PAGE] = 2;
    t = (ticks() - t0) / N;
    close(done[0]);
    close(done[1]);
    close(result[0]);
    close(result[1]);
    reap(pid);
    munmap((void *)p, N * PAGE);
    return t;
}
static void map_64k(void)
{
    char *p = mmap(NULL, 65536, PROT_READ, MAP_SHARED, fd_file, 0);
    munmap(p, 65536);
}
static uint64_t mmap_unmap(void)
{
    return TIMED(20, map_64k());
}
static uint64_t mprotect_page(void)
{
    char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    memset(p, 1, 4 * PAGE);
    uint64_t t =
        TIMED(20, (mprotect(p, PAGE, PROT_READ), mprotect(p, PAGE, PROT_READ | PROT_WRITE))) / 2;
    munmap(p, 4 * PAGE);
    return t;
}

/* --- files -------------------------------------------------------------------------------------
 */

static uint64_t create_files(size_t size, uint64_t *deleted)
{
    enum { N = 20 };
    char name[N][16];

    for (int i = 0; i < N; i++)
        snprintf(name[i], sizeof(name[i]), "lmb.%d", i);
    uint64_t t0 = ticks();
    for (int i = 0; i < N; i++) {
        int fd = open(name[i], O_WRONLY | O_CREAT | O_TRUNC, 0644);

        if (size)
            MUST(write(fd, big, size) == (ssize_t)size);
        close(fd);
    }
    uint64_t t1 = ticks();
    for (int i = 0; i < N; i++)
        unlink(name[i]);
    *deleted = (ticks() - t1) / N;
    return (t1 - t0) / N;
}
static uint64_t create_0k(void)
{
    uint64_t d;
    return create_files(0, &d);
}
static uint64_t delete_0k(void)
{
    uint64_t d;
    create_files(0, &d);
    return d;
}
static uint64_t create_10k(void)
{
    uint64_t d;
    return create_files(10240, &d);
}
static uint64_t delete_10k(void)
{
    uint64_t d;
    create_files(10240, &d);
    return d;
}
/* As cp does it. */
static uint64_t copy_file(void)
{
    uint64_t t0 = ticks();
    int from = open("lmb.file", O_RDONLY),
        to = open("lmb.copy", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ssize_t n;

    while ((n = read(from, big, 65536)) > 0)
        MUST(write(to, big, (size_t)n) == n);
    MUST(n == 0 && close(from) == 0 && close(to) == 0);
    return ticks() - t0;
}

/* --- computation -------------------------------------------------------------------------------
 */

static volatile uint64_t result;
static uint64_t compute(void)
{
    uint64_t x = 88172645463325252UL, t0 = ticks();

    for (int i = 0; i < 100000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    result = x;
    return ticks() - t0;
}
static uint64_t copy_memory(void)
{
    return TIMED(4, (memcpy(big, big + 131072, 131072), result = (uint64_t)big[7]));
}
static uint64_t yield(void)
{
    return TIMED(50, sched_yield());
}

static const struct row {
    const char *name, *unit;
    uint64_t (*run)(void);
    void (*begin)(void), (*end)(void);
    int samples;
} rows[] = {
    {"null_call", "getppid", null_call, 0, 0, 50},
    {"read", "1 byte of /dev/zero", read_1, 0, 0, 50},
    {"write", "1 byte to /dev/null", write_1, 0, 0, 50},
    {"pread_4k", "4 KiB of a cached file", pread_4k, 0, 0, 30},
    {"pwrite_4k", "4 KiB into a cached file", pwrite_4k, 0, 0, 30},
    {"stat", "one name", do_stat, 0, 0, 50},
    {"fstat", "", do_fstat, 0, 0, 50},
    {"open_close", "one name", open_close, 0, 0, 50},
    {"select_10", "10 files", select_10, 0, 0, 20},
    {"select_100", "100 files", select_100, 0, 0, 20},
    {"yield", "sched_yield alone", yield, 0, 0, 30},
    {"sig_install", "sigaction", sig_install, 0, 0, 30},
    {"sig_handle", "kill, handler, return", sig_handle, 0, 0, 30},
    {"prot_fault", "fault, handler, two mprotects", prot_fault, 0, 0, 20},
    {"fork_exit", "fork, exit, wait", fork_exit, 0, 0, 20},
    {"vfork_exec", "vfork, exec, exit, wait", vfork_exec, 0, 0, 20},
    {"fork_exec", "fork, exec, exit, wait", fork_exec, 0, 0, 20},
    {"fork_sh", "fork, sh -c :, wait", fork_sh, 0, 0, 10},
    {"pipe_latency", "round trip of 1 byte", round_trip, pipe_echo, end_partner, 20},
    {"unix_latency", "round trip of 1 byte", round_trip, unix_echo, end_partner, 20},
    {"tcp_latency", "round trip of 1 byte, loopback", round_trip, tcp_echo, end_partner, 20},
    {"udp_latency", "round trip of 1 byte, loopback", round_trip, udp_echo, end_partner, 20},
    {"tcp_connect", "connect and accept, loopback", tcp_connect, listen_start, end_partner, 20},
    {"pipe_bandwidth", "64 KiB", bandwidth, pipe_sink, end_partner, 20},
    {"unix_bandwidth", "64 KiB", bandwidth, unix_sink, end_partner, 20},
    {"tcp_bandwidth", "64 KiB, loopback", bandwidth, tcp_sink, end_partner, 20},
    {"ctx_2p", "hand a token to the next of 2", ring_pass, ring_2, ring_end, 20},
    {"ctx_4p", "of 4", ring_pass, ring_4, ring_end, 20},
    {"ctx_8p", "of 8", ring_pass, ring_8, ring_end, 20},
    {"ctx_16p", "of 16", ring_pass, ring_16, ring_end, 20},
    {"fault_anon", "first write to a page", fault_anon, 0, 0, 20},
    {"fault_cow", "write to a page shared by fork", fault_cow, 0, 0, 10},
    {"fault_file", "first read of a cached page", fault_file, 0, 0, 20},
    {"mmap", "map and unmap 64 KiB of a file", mmap_unmap, 0, 0, 20},
    {"mprotect", "one page", mprotect_page, 0, 0, 20},
    {"create_0k", "make an empty file", create_0k, 0, 0, 10},
    {"delete_0k", "delete it", delete_0k, 0, 0, 10},
    {"create_10k", "make a file of 10 KiB", create_10k, 0, 0, 10},
    {"delete_10k", "delete it", delete_10k, 0, 0, 10},
    {"copy_256k", "copy a file of 256 KiB", copy_file, 0, 0, 10},
    {"compute", "100,000 rounds of xorshift", compute, 0, 0, 10},
    {"memcpy", "128 KiB", copy_memory, 0, 0, 10},
};
#define NROWS (sizeof(rows) / sizeof(rows[0]))

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static bool wanted(const char *name, char **names)
{
    if (!*names)
        return true;
    for (; *names; names++) {
        size_t n = strlen(*names);

        if (strcmp(*names, name) == 0 ||
            ((*names)[n - 1] == '*' && strncmp(*names, name, n - 1) == 0))
            return true;
    }
    return false;
}

static void measure(const struct row *r, bool json, bool quick, bool first)
{
    uint64_t v[64];
    int n = quick ? 3 : r->samples;

    if (r->begin)
        r->begin();
    r->run(); /* caches and lazy things */
    for (int i = 0; i < n; i++)
        v[i] = r->run();
    if (r->end)
        r->end();
    qsort(v, (size_t)n, sizeof(v[0]), by_value);
    if (json)
        printf("%s\n    \"%s\": {\"min\": %lu, \"median\": %lu}", first ? "" : ",", r->name,
               (unsigned long)v[0], (unsigned long)v[n / 2]);
    else
        printf("%-15s %12lu %12lu   %s\n", r->name, (unsigned long)v[0], (unsigned long)v[n / 2],
               r->unit);
    fflush(stdout);
}

static void prepare(void)
{
    static char path[512];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (n > 0)
        path[n] = 0;
    self = path;
    fd_zero = open("/dev/zero", O_RDONLY);
    fd_null = open("/dev/null", O_RDWR);
    fd_file = open("lmb.file", O_RDWR | O_CREAT | O_TRUNC, 0644);
    MUST(fd_zero >= 0 && fd_null >= 0 && fd_file >= 0 && n > 0);
    MUST(write(fd_file, big, sizeof(big)) == sizeof(big));
}

int main(int argc, char **argv)
{
    bool json = false, quick = false, first = true;
    int i = 1;

    if (argc == 2 && strcmp(argv[1], "--exit") == 0)
        return 0;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--quick") == 0) {
            quick = true;
        } else if (strcmp(argv[i], "-l") == 0) {
            for (size_t k = 0; k < NROWS; k++)
                printf("%-15s %s\n", rows[k].name, rows[k].unit);
            return 0;
        } else {
            fprintf(stderr, "usage: lmb [--json] [--quick] [-l] [NAME...]\n");
            return 2;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    prepare();
    if (json)
        printf("{");
    else
        printf("%-15s %12s %12s   %s\n", "row", "min", "median", "one operation");
    for (size_t k = 0; k < NROWS; k++) {
        if (!wanted(rows[k].name, argv + i))
            continue;
        measure(&rows[k], json, quick, first);
        first = false;
    }
    if (json)
        printf("\n}\n");
    unlink("lmb.file");
    unlink("lmb.copy");
    return first ? 2 : 0;
}
