/* SPDX-License-Identifier: MIT */
/*
 * conwatch: starts a machine, watches its console, and ends as the commands in it ended.
 *
 *     conwatch --token T --timeout S [--verbose] -- PROGRAM ARG...
 *
 * The guest's session (guest-port/etc/session) frames what its commands print:
 *
 *     RS "BEGIN " T NL   bytes, passed on as they are   RS "END " T " " STATUS NL
 *
 * with RS the byte 036. Everything outside the frame is the machine's own talk: it is shown only
 * with --verbose, or, the last 4 KiB of it, when the frame never opened.
 *
 * Invariants: the machine is never left behind (it dies with us, by PR_SET_PDEATHSIG, and at the
 * time limit); a byte is held back only while it may still belong to a marker.
 *
 * Exit status: the commands' own; 124 when the time limit came first; 125 when the machine stopped
 * inside the frame or before it; 2 for bad usage.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TAIL = 4096, HOLD = 256, GRACE = 30, LIMIT = 124, BROKEN = 125 };

static struct {
    const char *token;
    bool verbose;
    enum { BEFORE, INSIDE, AFTER } state;
    int status;
    char hold[HOLD]; /* the beginning of what may be a marker */
    size_t held;
    char tail[TAIL]; /* a ring of the newest bytes outside the frame */
    size_t tail_end;
} w;

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
    stopped = sig;
}

static void put(const char *p, size_t n)
{
    if (w.state != INSIDE)
        for (size_t i = 0; i < n; i++)
            w.tail[w.tail_end++ % TAIL] = p[i];
    if (w.state == INSIDE || w.verbose)
        fwrite(p, 1, n, stdout);
}

/* The held bytes are a whole line: is it the marker that this state waits for? */
static bool take_marker(void)
{
    char want[HOLD];

    if (w.state == AFTER)
        return false;
    int n = snprintf(want, sizeof(want), "\036%s %s", w.state == BEFORE ? "BEGIN" : "END", w.token);
    if ((size_t)n >= w.held || memcmp(w.hold, want, (size_t)n) != 0)
        return false;
    if (w.state == BEFORE) {
        w.state = INSIDE;
    } else {
        w.status = atoi(w.hold + n) & 255;
        w.state = AFTER;
    }
    return true;
}

static void feed(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = p[i];

        if (w.held == 0 && c != '\036') {
            const char *rs = memchr(p + i, '\036', n - i);
            size_t run = rs ? (size_t)(rs - p) - i : n - i;

            put(p + i, run);
            i += run - 1;
            continue;
        }
        if (w.held > 0 && c == '\036') { /* the old one was not a marker */
            put(w.hold, w.held);
            w.held = 0;
        }
        w.hold[w.held++] = c;
        if (c == '\n' || w.held == HOLD) {
            if (c == '\n') {
                w.hold[w.held - 1] = 0;
                if (take_marker()) {
                    w.held = 0;
                    continue;
                }
                w.hold[w.held - 1] = '\n';
            }
            put(w.hold, w.held);
            w.held = 0;
        } else if (w.held == 2 && c != 'B' && c != 'E') {
            put(w.hold, w.held);
            w.held = 0;
        }
    }
    fflush(stdout);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void show_tail(void)
{
    size_t from = w.tail_end > TAIL ? w.tail_end - TAIL : 0;

    for (size_t i = from; i < w.tail_end; i++)
        fputc(w.tail[i % TAIL], stderr);
}

static pid_t start(char **argv, int *out)
{
    int fd[2];

    if (pipe(fd) != 0)
        return -1;
    pid_t self = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != self)
            _exit(BROKEN);
        dup2(fd[1], 1);
        close(fd[0]);
        close(fd[1]);
        execvp(argv[0], argv);
        fprintf(stderr, "conwatch: %s: %s\n", argv[0], strerror(errno));
        _exit(BROKEN);
    }
    close(fd[1]);
    *out = fd[0];
    return pid;
}

/* Lets the machine end by itself for `grace` seconds, then ends it. Returns when it is gone. */
static void end(pid_t pid, double grace)
{
    double until = now() + grace;

    while (waitpid(pid, NULL, WNOHANG) == 0) {
        if (now() >= until) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
            return;
        }
        usleep(10000);
    }
}

static int watch(pid_t pid, int fd, double limit)
{
    double deadline = limit > 0 ? now() + limit : 1e300;
    static char buf[65536];

    while (!stopped) {
        double left = deadline - now();
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (left <= 0 && w.state == AFTER)
            break;
        if (left <= 0) {
            end(pid, 0);
            fprintf(stderr, "run: the time limit of %.0f s came first\n", limit);
            return LIMIT;
        }
        if (poll(&p, 1, left > 1 ? 1000 : (int)(left * 1000) + 1) <= 0)
            continue;
        ssize_t n = read(fd, buf, sizeof(buf));
        if (n <= 0)
            break;
        feed(buf, (size_t)n);
        if (w.state == AFTER && deadline > now() + GRACE)
            deadline = now() + GRACE; /* time to write back and to power off */
    }
    put(w.hold, w.held);
    fflush(stdout);
    end(pid, stopped ? 0 : 1);
    if (stopped)
        return 128 + stopped;
    if (w.state == AFTER)
        return w.status;
    if (w.state == BEFORE && !w.verbose)
        show_tail();
    fprintf(stderr, "\nrun: the machine stopped %s\n",
            w.state == BEFORE ? "before it ran a command" : "before its commands ended");
    return BROKEN;
}

int main(int argc, char **argv)
{
    double limit = 0;
    int i = 1;

    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--token") == 0 && i + 1 < argc)
            w.token = argv[++i];
        else if (strcmp(argv[i], "--timeout") == 0 && i + 1 < argc)
            limit = atof(argv[++i]);
        else if (strcmp(argv[i], "--verbose") == 0)
            w.verbose = true;
        else
            break;
    }
    if (!w.token || strlen(w.token) > 64 || i + 1 >= argc || strcmp(argv[i], "--") != 0) {
        fprintf(stderr, "usage: conwatch --token T [--timeout S] [--verbose] -- PROGRAM ARG...\n");
        return 2;
    }
    struct sigaction sa = {.sa_handler = on_signal};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);

    int fd;
    pid_t pid = start(argv + i + 1, &fd);
    if (pid < 0) {
        perror("conwatch");
        return BROKEN;
    }
    return watch(pid, fd, limit);
}
