/* SPDX-License-Identifier: MIT */
/*
 * soak: everything at once, for a long time, and then the accounts must balance.
 *
 *     soak [-t SECONDS] [-s SEED] [-j JOBS]
 *
 * JOBS processes pick one kind of work after the other: fork and exec, pipes, memory beyond what
 * there is, files, sockets, threads. After a first pass, which fills caches and makes slabs, it
 * notes free memory, swap, inodes, blocks and processes; after the last it compares. Exit status 0:
 * no work failed and nothing leaked.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t state;
static char dir[300];
static const char *doing = "main";

static uint64_t rnd(uint64_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 16) % n;
}

#define NEED(c)                                                                                 \
    do {                                                                                        \
        if (!(c)) {                                                                             \
            fprintf(stderr, "soak: %s:%d: %s (%s)\n", __func__, __LINE__, #c, strerror(errno)); \
            _exit(1);                                                                           \
        }                                                                                       \
    } while (0)

static void reap(pid_t pid)
{
    int st;

    NEED(pid > 0 && waitpid(pid, &st, 0) == pid);
    if (st != 0) {
        fprintf(stderr, "soak: a child of %s ended with status 0x%x\n", doing, st);
        _exit(1);
    }
}

static void work_exec(void)
{
    pid_t pid = fork();

    NEED(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);

        dup2(null, 1);
        execl("/bin/sh", "sh", "-c",
              "echo a b c | while read x; do echo $x; done | cat; ls / | sort -r", (char *)NULL);
        perror("soak: exec");
        _exit(1);
    }
    reap(pid);
}

static void work_pipe(void)
{
    size_t n = 1000 + rnd(300000), got = 0;
    char *out = malloc(n), *in = malloc(n);
    int fd[2];

    NEED(out && in && pipe(fd) == 0);
    memset(out, (int)rnd(256), n);
    pid_t pid = fork();
    if (pid == 0) {
        close(fd[0]);
        _exit(write(fd[1], out, n) == (ssize_t)n ? 0 : 1);
    }
    close(fd[1]);
    while (got < n) {
        ssize_t r = read(fd[0], in + got, n - got);

        NEED(r > 0);
        got += (size_t)r;
    }
    NEED(memcmp(in, out, n) == 0);
    close(fd[0]);
    reap(pid);
    free(in);
    free(out);
}

static void work_memory(void)
{
    size_t n = (1 + rnd(2400)) * 4096;
    uint64_t *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    NEED(p != MAP_FAILED);
    for (size_t i = 0; i < n / 8; i += 512)
        p[i] = i ^ state;
    uint64_t key = state;
    pid_t pid = fork();
    if (pid == 0) {
        for (size_t i = 0; i < n / 8; i += 1024)
            p[i]++;
        _exit(0);
    }
    for (size_t i = 0; i < n / 8; i += 512)
        NEED(p[i] == (i ^ key));
    reap(pid);
    NEED(munmap(p, n) == 0);
}

static void work_files(void)
{
    char name[64], to[64], block[3000];
    int n = (int)rnd(12) + 1;

    memset(block, 'b', sizeof(block));
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "%d.%d", getpid(), i);
        int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
        NEED(fd >= 0);
        for (int k = (int)rnd(40); k >= 0; k--)
            NEED(write(fd, block, sizeof(block)) == sizeof(block));
        if (rnd(4) == 0)
            NEED(ftruncate(fd, (off_t)rnd(20000)) == 0);
        if (rnd(8) == 0)
            NEED(fsync(fd) == 0);
        char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        NEED(m != MAP_FAILED && munmap(m, 4096) == 0 && close(fd) == 0);
    }
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "%d.%d", getpid(), i);
        snprintf(to, sizeof(to), "%d.renamed", getpid());
        if (rnd(2)) {
            NEED(rename(name, to) == 0 && unlink(to) == 0);
        } else {
            NEED(unlink(name) == 0);
        }
    }
}

static void work_tcp(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int l = socket(AF_INET, SOCK_STREAM, 0);
    size_t n = 100 + rnd(100000), got = 0;
    static char buf[100100];

    NEED(l >= 0 && bind(l, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(l, 2) == 0);
    NEED(getsockname(l, (struct sockaddr *)&a, &len) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        int s = socket(AF_INET, SOCK_STREAM, 0);

        NEED(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0);
        _exit(write(s, buf, n) == (ssize_t)n ? 0 : 1);
    }
    int c = accept(l, NULL, NULL);
    NEED(c >= 0);
    for (ssize_t r; (r = read(c, buf, sizeof(buf))) > 0;)
        got += (size_t)r;
    NEED(got == n && close(c) == 0 && close(l) == 0);
    reap(pid);
}

static void *thread_body(void *arg)
{
    return arg;
}

static void work_threads(void)
{
    pthread_t t[8];

    for (uintptr_t i = 0; i < 8; i++)
        NEED(pthread_create(&t[i], NULL, thread_body, (void *)i) == 0);
    for (int i = 0; i < 8; i++)
        NEED(pthread_join(t[i], NULL) == 0);
}

static void work_unix(void)
{
    int s[2], fd = open("/dev/null", O_RDWR);
    char c = 'u', ctl[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec v = {&c, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl)};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);

    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(h), &fd, sizeof(int));
    for (int i = 0; i < 5; i++)
        NEED(sendmsg(s[0], &m, 0) == 1);
    close(fd);
    close(s[0]);
    close(s[1]); /* five descriptors in flight go with the socket */
}

static const struct {
    const char *name;
    void (*fn)(void);
} kinds[] = {{"exec", work_exec},   {"pipe", work_pipe}, {"memory", work_memory},
             {"files", work_files}, {"tcp", work_tcp},   {"threads", work_threads},
             {"unix", work_unix}};
#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void pass(uint64_t seed, int jobs, double seconds)
{
    pid_t pids[64];

    for (int j = 0; j < jobs; j++) {
        pids[j] = fork();
        NEED(pids[j] >= 0);
        if (pids[j] == 0) {
            double end = now() + seconds;

            state = (seed + (uint64_t)j) * 0x9e3779b97f4a7c15UL + 1;
            for (unsigned i = 0; now() < end || i < NKINDS; i++) {
                unsigned k = i < NKINDS ? i : (unsigned)rnd(NKINDS);

                doing = kinds[k].name;
                kinds[k].fn();
            }
            exit(0);
        }
    }
    for (int j = 0; j < jobs; j++)
        reap(pids[j]);
}

/* --- accounts ----------------------------------------------------------------------------------
 */

struct account {
    long memory, swap, processes, inodes, blocks;
};

static long field(const char *text, const char *name)
{
    const char *p = strstr(text, name);

    return p ? atol(p + strlen(name)) : 0;
}

static struct account take_account(void)
{
    struct account a = {0};
    static char text[8192];
    struct statfs fs;
    struct dirent *e;

    sync();
    usleep(300000); /* connections and workers that are still going away */
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
    if (fd >= 0) {
        NEED(write(fd, "3\n", 2) == 2);
        close(fd);
    }
    fd = open("/proc/meminfo", O_RDONLY);
    NEED(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    a.memory = field(text, "MemFree:") + field(text, "\nBuffers:") + field(text, "\nCached:");
    a.swap = field(text, "SwapFree:");
    DIR *d = opendir("/proc");
    NEED(d);
    while ((e = readdir(d)) != NULL)
        a.processes += e->d_name[0] >= '0' && e->d_name[0] <= '9';
    closedir(d);
    NEED(statfs(dir, &fs) == 0);
    a.inodes = (long)fs.f_ffree;
    a.blocks = (long)fs.f_bfree;
    return a;
}

static int compare(const struct account *a, const struct account *b)
{
    int bad = 0;

#define LINE(what, slack)                                                              \
    do {                                                                               \
        bool leak = b->what + (slack) < a->what;                                       \
        printf("%-10s %10ld %10ld %s\n", #what, a->what, b->what, leak ? "LEAK" : ""); \
        bad |= leak;                                                                   \
    } while (0)
    LINE(memory, 3072); /* KiB: caches of names and inodes settle at different sizes */
    LINE(swap, 2048);   /* KiB: sleeping daemons may be out */
    LINE(inodes, 0);
    LINE(blocks, 0);
    bool more = b->processes > a->processes;
    printf("%-10s %10ld %10ld %s\n", "processes", a->processes, b->processes, more ? "LEAK" : "");
    return bad || more;
}

int main(int argc, char **argv)
{
    double seconds = 600;
    uint64_t seed = 1;
    int jobs = 3, opt;

    while ((opt = getopt(argc, argv, "t:s:j:")) != -1) {
        if (opt == 't') {
            seconds = atof(optarg);
        } else if (opt == 's') {
            seed = strtoull(optarg, NULL, 0);
        } else if (opt == 'j' && atoi(optarg) >= 1 && atoi(optarg) <= 64) {
            jobs = atoi(optarg);
        } else {
            fprintf(stderr, "usage: soak [-t SECONDS] [-s SEED] [-j JOBS]\n");
            return 2;
        }
    }
    snprintf(dir, sizeof(dir), "soak.%d", getpid());
    if (getcwd(dir, sizeof(dir) - 20) == NULL)
        return 1;
    snprintf(dir + strlen(dir), 20, "/soak.%d", getpid());
    NEED(mkdir(dir, 0755) == 0 && chdir(dir) == 0);
    pass(seed, jobs, 2);
    struct account a = take_account();
    pass(seed + 1000, jobs, seconds);
    struct account b = take_account();
    int bad = compare(&a, &b);
    NEED(chdir("/") == 0 && rmdir(dir) == 0);
    printf("soak: %s\n", bad ? "something leaked" : "the accounts balance");
    return bad;
}
