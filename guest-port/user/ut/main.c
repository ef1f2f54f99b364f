/* SPDX-License-Identifier: MIT */
/*
 * usertests: what a program may expect of the system-call ABI, in one table of small essays.
 *
 *     usertests [-l] [-v] [-t SECONDS] [NAME...]     a NAME may end in *: all that begin so
 *
 * The reference is Linux: every test passes there, as an ordinary user and as root. Each test runs
 * in a child of its own, in a new directory, and is killed after SECONDS (60). The last line is
 * "N passed, N failed"; the exit status is 0 when none failed.
 */
#include "ut.h"
#include <dirent.h>

#define TEST(name, essay) void test_##name(void);
#include "tests.def"
#undef TEST

static const struct {
    const char *name, *essay;
    void (*fn)(void);
} tests[] = {
#define TEST(name, essay) {#name, essay, test_##name},
#include "tests.def"
#undef TEST
};
#define NTESTS (sizeof(tests) / sizeof(tests[0]))

const char *ut_self;
volatile sig_atomic_t sig_count, sig_last;
static char base[64];

_Noreturn void ut_fail(const char *file, int line, const char *what)
{
    int e = errno;
    const char *slash = strrchr(file, '/');
    char text[400];
    int n = snprintf(text, sizeof(text), "    %s:%d: not so: %s (errno %d, %s)\n",
                     slash ? slash + 1 : file, line, what, e, strerror(e));

    if (write(2, text, (size_t)n) < 0)
        _exit(2);
    _exit(1);
}

int child_status(pid_t pid)
{
    int st = -1;
    pid_t r;

    CHECK(pid > 0);
    do
        r = waitpid(pid, &st, 0);
    while (r < 0 && errno == EINTR);
    CHECK(r == pid);
    return st;
}

void child_ok(pid_t pid)
{
    int st = child_status(pid);

    if (!WIFEXITED(st) || WEXITSTATUS(st) != 0) {
        fprintf(stderr, "    a child ended with status 0x%x\n", st);
        _exit(1);
    }
}

void child_killed(pid_t pid, int sig)
{
    int st = child_status(pid);

    if (!WIFSIGNALED(st) || WTERMSIG(st) != sig) {
        fprintf(stderr, "    a child ended with status 0x%x, not by signal %d\n", st, sig);
        _exit(1);
    }
}

pid_t in_child(void (*fn)(void *), void *arg)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        fn(arg);
        _exit(0);
    }
    return pid;
}

void fill(void *buf, size_t n, unsigned seed)
{
    uint8_t *p = buf;

    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)((i * 7 + (i >> 8) * 13 + (i >> 16) * 5 + seed) ^ (seed >> 3));
}

bool filled(const void *buf, size_t n, unsigned seed)
{
    const uint8_t *p = buf;

    for (size_t i = 0; i < n; i++)
        if (p[i] != (uint8_t)((i * 7 + (i >> 8) * 13 + (i >> 16) * 5 + seed) ^ (seed >> 3)))
            return false;
    return true;
}

void put_file(const char *name, const void *data, size_t n)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    CHECK(fd >= 0);
    CHECK(write(fd, data, n) == (ssize_t)n);
    CHECK(close(fd) == 0);
}

size_t get_file(const char *name, void *buf, size_t n)
{
    int fd = open(name, O_RDONLY);
    size_t got = 0;
    ssize_t r;

    CHECK(fd >= 0);
    while (got < n && (r = read(fd, (char *)buf + got, n - got)) > 0)
        got += (size_t)r;
    CHECK(close(fd) == 0);
    return got;
}

double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void msleep(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

void sig_note(int sig)
{
    sig_count++;
    sig_last = sig;
}

void sigact(int sig, void (*fn)(int), int flags)
{
    struct sigaction sa = {.sa_handler = fn, .sa_flags = flags};

    CHECK(sigaction(sig, &sa, NULL) == 0);
}

/* Removes what a test has left: it may have made trees, and taken its own rights away. */
static void remove_tree(const char *path)
{
    struct stat st;
    DIR *d;
    struct dirent *e;

    if (lstat(path, &st) < 0)
        return;
    if (!S_ISDIR(st.st_mode)) {
        unlink(path);
        return;
    }
    chmod(path, 0700);
    if (chdir(path) < 0)
        return;
    d = opendir(".");
    while (d && (e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            remove_tree(e->d_name);
    if (d)
        closedir(d);
    if (chdir("..") == 0)
        rmdir(path);
}

static int run(unsigned i, int limit)
{
    char dir[96];
    pid_t pid;
    double end = now() + limit;
    int st = 0;

    snprintf(dir, sizeof(dir), "%s/%s", base, tests[i].name);
    fflush(stdout);
    if (mkdir(base, 0755) < 0 && errno != EEXIST)
        return 1;
    if (mkdir(dir, 0777) < 0)
        return 1;
    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        umask(022);
        if (chdir(dir) < 0)
            _exit(3);
        tests[i].fn();
        _exit(0);
    }
    setpgid(pid, pid);
    while (waitpid(pid, &st, WNOHANG) == 0) {
        if (now() > end) {
            kill(-pid, SIGKILL);
            waitpid(pid, &st, 0);
            fprintf(stderr, "    not ready after %d seconds\n", limit);
            break;
        }
        msleep(now() > end - limit + 0.05 ? 5 : 1);
    }
    kill(-pid, SIGKILL);
    if (chdir(base) == 0) {
        remove_tree(dir);
        if (chdir("/") == 0)
            rmdir(base);
    }
    if (WIFSIGNALED(st))
        fprintf(stderr, "    killed by signal %d\n", WTERMSIG(st));
    return st != 0;
}

static bool wanted(const char *name, char **names)
{
    if (!*names)
        return true;
    for (; *names; names++) {
        size_t n = strlen(*names);

        if (strcmp(*names, name) == 0 ||
            (n > 0 && (*names)[n - 1] == '*' && strncmp(*names, name, n - 1) == 0))
            return true;
    }
    return false;
}

static void find_self(const char *argv0)
{
    static char path[512];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (n > 0)
        path[n] = 0;
    ut_self = n > 0 ? path : argv0;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;
    bool list = false, verbose = false;
    int limit = 60, opt;

    find_self(argv[0]);
    if (argc > 1 && strcmp(argv[1], "--child") == 0)
        return ut_child_main(argc - 2, argv + 2);
    while ((opt = getopt(argc, argv, "lvt:")) != -1) {
        if (opt == 'l') {
            list = true;
        } else if (opt == 'v') {
            verbose = true;
        } else if (opt == 't') {
            limit = atoi(optarg);
        } else {
            fprintf(stderr, "usage: usertests [-l] [-v] [-t SECONDS] [NAME...]\n");
            return 2;
        }
    }
    signal(SIGPIPE, SIG_DFL);
    snprintf(base, sizeof(base), "%s/ut.%d", access("/tmp", W_OK) == 0 ? "/tmp" : ".", getpid());
    if (getenv("UT_DIR"))
        snprintf(base, sizeof(base), "%.40s/ut.%d", getenv("UT_DIR"), getpid());
    for (unsigned i = 0; i < NTESTS; i++) {
        if (!wanted(tests[i].name, argv + optind))
            continue;
        if (list) {
            printf("%-20s %s\n", tests[i].name, tests[i].essay);
            continue;
        }
        double t = now();
        bool bad = run(i, limit);
        if (bad)
            failed++;
        else
            passed++;
        if (verbose || bad)
            printf("%s %s (%.2f s): %s\n", bad ? "not ok" : "ok", tests[i].name, now() - t,
                   tests[i].essay);
        else
            printf("ok %s\n", tests[i].name);
    }
    if (list)
        return 0;
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0 || passed == 0;
}
