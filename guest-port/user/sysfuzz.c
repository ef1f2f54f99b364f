/* SPDX-License-Identifier: MIT */
/*
 * sysfuzz: random system calls with random arguments, as an unprivileged process.
 *
 *     sysfuzz [-s SEED] [-n ROUNDS] [-c CALLS] [-t SECONDS] [-v]
 *
 * Each round is a worker process with its own seed (SEED + round), a directory, a set of open files
 * of every kind, and CALLS calls; it is killed when it does not end within two seconds. The same
 * seed makes the same calls; -v prints each before it is made. The question is only whether the
 * kernel lives: the last line is "N rounds, N calls, N workers killed", and the exit status is 0.
 *
 * It refuses to run calls as root: without root to give up it runs as whoever it is. Calls that
 * could reach other processes are aimed at the worker itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NSYS = 340, BUF = 8192 };

static uint64_t state;
static bool verbose;
static char *buf, *edge, *readonly, *hole;

static uint64_t rnd(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1dUL;
}

static uint64_t below(uint64_t n)
{
    return (rnd() >> 11) % n;
}

static long pointer(void)
{
    static const long wild[] = {0,
                                1,
                                4096,
                                0x00007ffffffff000,
                                0x0000800000000000,
                                (long)0xffff800000000000,
                                (long)0xffff888000001000,
                                (long)0xffffffff80000000,
                                -1,
                                -8,
                                -4096};

    switch (below(8)) {
    case 0:
        return wild[below(sizeof(wild) / sizeof(wild[0]))];
    case 1:
        return (long)(edge + 4096 - below(64));
    case 2:
        return (long)(readonly + below(4096));
    case 3:
        return (long)(hole + below(8192));
    default:
        return (long)(buf + below(BUF / 8) * 8);
    }
}

static long number(void)
{
    static const long odd[] = {
        0,    1,      2,          3,          4,        5,        6,        7,
        8,    16,     100,        255,        256,      511,      512,      4095,
        4096, 4097,   65535,      65536,      1 << 20,  1 << 24,  -1,       -2,
        -100, -4096L, 0x7fffffff, 0x80000000, 1L << 32, 1L << 47, 1L << 62, (long)(1UL << 63)};

    switch (below(4)) {
    case 0:
        return (long)rnd();
    case 1:
        return (long)below(40); /* often a descriptor */
    case 2:
        return 1L << below(64);
    default:
        return odd[below(sizeof(odd) / sizeof(odd[0]))];
    }
}

static long path(void)
{
    static const char *const names[] = {"f",
                                        "d",
                                        "d/x",
                                        "link",
                                        "fifo",
                                        "none/x",
                                        "",
                                        ".",
                                        "..",
                                        "/",
                                        "/proc/self/maps",
                                        "/proc/self/stat",
                                        "/proc/meminfo",
                                        "/proc/self/fd/3",
                                        "/dev/null",
                                        "/dev/tty",
                                        "/dev/ptmx",
                                        "/dev/zero",
                                        "/bin/busybox",
                                        "/etc/passwd",
                                        "/etc/shadow",
                                        "a/very/long/name/that/goes/nowhere/at/all"};

    return (long)names[below(sizeof(names) / sizeof(names[0]))];
}

static void stir(void) /* new contents for the structures that calls will find */
{
    for (int i = 0; i < BUF / 8; i++) {
        uint64_t v = rnd();

        if (v % 4 == 0)
            v = (uint64_t)pointer();
        else if (v % 4 == 1)
            v = (uint64_t)number();
        ((uint64_t *)buf)[i] = v;
    }
}

static void open_things(void)
{
    int fd[2], f;

    for (f = 3; f < 64; f++)
        close(f);
    f = open("/dev/null", O_RDWR);
    for (int i = 0; i < (verbose ? 2 : 3); i++)
        dup2(f, i); /* nothing it writes shall reach the terminal */
    mkdir("d", 0777);
    symlink("f", "link");
    mkfifo("fifo", 0666);
    open("f", O_RDWR | O_CREAT, 0666);
    open("d", O_RDONLY);
    open("/dev/zero", O_RDWR);
    open("/proc/self/status", O_RDONLY);
    if (pipe(fd) == 0)
        fcntl(fd[0], F_SETFL, O_NONBLOCK);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) < 0)
        return;
    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd);
    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    syscall(SYS_epoll_create1, 0);
    open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
}

/* Calls that would end the round early, or reach beyond the worker. */
static bool avoid(long nr)
{
    static const short list[] = {SYS_exit,   SYS_exit_group, SYS_pause,          SYS_rt_sigsuspend,
                                 SYS_setsid, SYS_setpgid,    SYS_rt_sigreturn,   SYS_vfork,
                                 SYS_reboot, SYS_vhangup,    SYS_rt_sigtimedwait};

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        if (list[i] == nr)
            return true;
    return false;
}

static void aim_at_self(long nr, long a[6])
{
    switch (nr) {
    case SYS_kill:
    case SYS_tkill:
    case SYS_rt_sigqueueinfo:
        a[0] = getpid();
        a[1] = (long)below(2) ? 0 : SIGURG;
        break;
    case SYS_tgkill:
    case 297: /* rt_tgsigqueueinfo */
        a[0] = a[1] = getpid();
        a[2] = SIGURG;
        break;
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
    case SYS_wait4:
        if (below(20))
            a[0] = -1;
        break;
    }
}

static void one_call(void)
{
    long nr = (long)below(NSYS), a[6], r;

    if (below(200) == 0)
        nr = (long)rnd();
    if (avoid(nr))
        return;
    for (int i = 0; i < 6; i++) {
        uint64_t kind = below(10);

        a[i] = kind < 4            ? pointer()
               : kind < 8          ? number()
               : kind < 9 && i < 3 ? path()
                                   : (long)below(24);
    }
    if (below(2))
        a[0] = (long)below(24);
    aim_at_self(nr, a);
    if (verbose)
        fprintf(stderr, "call %ld(%lx, %lx, %lx, %lx, %lx, %lx)\n", nr, a[0], a[1], a[2], a[3],
                a[4], a[5]);
    pid_t self = getpid();
    r = syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
    if ((nr == SYS_fork || nr == SYS_clone || nr == 435) && (r == 0 || getpid() != self))
        syscall(SYS_exit_group, 0); /* a child */
}

static void become_nobody(void)
{
    if (getuid() != 0)
        return;
    if (setgroups(0, NULL) < 0 || setresgid(1000, 1000, 1000) < 0 ||
        setresuid(1000, 1000, 1000) < 0)
        _exit(99);
}

static void worker(uint64_t seed, int calls)
{
    struct rlimit as = {128 << 20, 128 << 20}, nproc = {40, 40}, fsize = {1 << 20, 1 << 20};

    state = seed * 0x9e3779b97f4a7c15UL + 88172645463325252UL;
    setpgid(0, 0);
    setrlimit(RLIMIT_AS, &as);
    setrlimit(RLIMIT_NPROC, &nproc);
    setrlimit(RLIMIT_FSIZE, &fsize);
    become_nobody();
    buf = mmap(NULL, BUF, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(edge + 4096, 4096);
    readonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    hole = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(hole, 8192);
    open_things();
    for (int i = 0; i < calls; i++) {
        if (i % 16 == 0)
            stir();
        one_call();
    }
    syscall(SYS_exit_group, 0);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Waits for a worker, at most two seconds; true: it had to be killed. */
static bool finish(pid_t pid)
{
    double end = now() + 2;
    bool killed = false;

    while (waitpid(pid, NULL, WNOHANG) == 0) {
        struct timespec t = {0, 1000000};

        if (now() > end && !killed) {
            killed = true;
            kill(-pid, SIGKILL);
            kill(pid, SIGKILL);
        }
        nanosleep(&t, NULL);
    }
    kill(-pid, SIGKILL);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    return killed;
}

static void clean(const char *dir)
{
    static const char *const names[] = {"f", "link", "fifo", "d/x"};

    if (chdir(dir) < 0)
        return;
    chmod("d", 0777);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(names[i]);
    rmdir("d");
}

int main(int argc, char **argv)
{
    uint64_t seed = 1;
    long rounds = 100, calls = 300, done = 0, killed = 0;
    double seconds = 0;
    char dir[64];
    int opt;

    while ((opt = getopt(argc, argv, "s:n:c:t:v")) != -1) {
        if (opt == 's') {
            seed = strtoull(optarg, NULL, 0);
        } else if (opt == 'n') {
            rounds = atol(optarg);
        } else if (opt == 'c') {
            calls = atol(optarg);
        } else if (opt == 't') {
            seconds = atof(optarg);
            rounds = 1L << 60;
        } else if (opt == 'v') {
            verbose = true;
        } else {
            fprintf(stderr, "usage: sysfuzz [-s SEED] [-n ROUNDS] [-c CALLS] [-t SECONDS] [-v]\n");
            return 2;
        }
    }
    snprintf(dir, sizeof(dir), "/tmp/sysfuzz.%d", getpid());
    if (mkdir(dir, 0777) < 0 || chmod(dir, 0777) < 0 || chdir(dir) < 0) {
        perror(dir);
        return 1;
    }
    double end = seconds > 0 ? now() + seconds : 1e300;
    for (; done < rounds && now() < end; done++) {
        pid_t pid = fork();

        if (pid < 0) { /* the last worker's children are not all gone yet */
            usleep(20000);
            continue;
        }
        if (pid == 0)
            worker(seed + (uint64_t)done, (int)calls);
        killed += finish(pid);
        clean(dir);
        if (done % 500 == 499) {
            printf("%ld rounds, seed %lu\n", done + 1, (unsigned long)seed);
            fflush(stdout);
        }
    }
    if (chdir("/") == 0)
        rmdir(dir);
    printf("%ld rounds, %ld calls, %ld workers killed\n", done, done * calls, killed);
    return 0;
}
