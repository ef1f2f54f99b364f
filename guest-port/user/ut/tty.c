/* SPDX-License-Identifier: MIT */
/* tty.c - pseudo-terminals, line editing, keys that make signals, sessions and job control. */
#include "ut.h"
#include <sys/ioctl.h>
#include <termios.h>

static int open_master(char *name, size_t n)
{
    int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), zero = 0, num;

    CHECK(m >= 0 && ioctl(m, TIOCSPTLCK, &zero) == 0 && ioctl(m, TIOCGPTN, &num) == 0);
    snprintf(name, n, "/dev/pts/%d", num);
    return m;
}

static void open_pair(int *m, int *s)
{
    char name[32];

    *m = open_master(name, sizeof(name));
    *s = open(name, O_RDWR | O_NOCTTY);
    CHECK(*s >= 0 && isatty(*s));
}

/* Reads what the terminal shows until there is n bytes. */
static void expect(int m, const char *text)
{
    size_t n = strlen(text), got = 0;
    char buf[512];

    while (got < n) {
        struct pollfd p = {m, POLLIN, 0};

        CHECK(poll(&p, 1, 5000) == 1);
        ssize_t r = read(m, buf + got, n - got);
        CHECK(r > 0);
        got += (size_t)r;
    }
    CHECK(memcmp(buf, text, n) == 0);
}

static void type(int m, const char *keys)
{
    CHECK(write(m, keys, strlen(keys)) == (ssize_t)strlen(keys));
}

static void set_flags(int s, tcflag_t off, tcflag_t on)
{
    struct termios t;

    CHECK(tcgetattr(s, &t) == 0);
    t.c_lflag = (t.c_lflag & ~off) | on;
    CHECK(tcsetattr(s, TCSANOW, &t) == 0);
}

void test_pty_line(void)
{
    int m, s;
    char buf[64];

    open_pair(&m, &s);
    type(m, "one\ntwo\n");
    expect(m, "one\r\ntwo\r\n");
    CHECK(read(s, buf, sizeof(buf)) == 4 && memcmp(buf, "one\n", 4) == 0); /* a line at a time */
    CHECK(read(s, buf, 2) == 2 && read(s, buf, sizeof(buf)) == 2 && buf[1] == '\n');
    CHECK(write(s, "out\n", 4) == 4);
    expect(m, "out\r\n");
    type(m, "incomplete");
    CHECK(fcntl(s, F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERR(read(s, buf, 1), EAGAIN);
}

void test_pty_edit(void)
{
    int m, s;
    char buf[64];

    open_pair(&m, &s);
    type(m, "abx\177c\n"); /* erase */
    expect(m, "abx\b \bc\r\n");
    CHECK(read(s, buf, sizeof(buf)) == 4 && memcmp(buf, "abc\n", 4) == 0);
    set_flags(s, ECHO, 0);
    type(m, "wrong\025right\n"); /* kill */
    CHECK(read(s, buf, sizeof(buf)) == 6 && memcmp(buf, "right\n", 6) == 0);
    type(m, "two words\027x\n"); /* word erase */
    CHECK(read(s, buf, sizeof(buf)) == 6 && memcmp(buf, "two x\n", 6) == 0);
    type(m, "a\026\003b\n"); /* literal next */
    CHECK(read(s, buf, sizeof(buf)) == 4 && memcmp(buf, "a\003b\n", 4) == 0);
    type(m, "part\004"); /* end of file pushes what is there */
    CHECK(read(s, buf, sizeof(buf)) == 4);
    type(m, "\004");
    CHECK(read(s, buf, sizeof(buf)) == 0);
    type(m, "cr\r");
    CHECK(read(s, buf, sizeof(buf)) == 3 && buf[2] == '\n');
}

void test_pty_raw(void)
{
    int m, s, n;
    char buf[64];
    struct termios t;

    open_pair(&m, &s);
    CHECK(tcgetattr(s, &t) == 0);
    cfmakeraw(&t);
    CHECK(tcsetattr(s, TCSANOW, &t) == 0);
    type(m, "\003\r");
    CHECK(read(s, buf, sizeof(buf)) == 2 && buf[0] == 3 && buf[1] == '\r');
    CHECK(write(s, "a\nb", 3) == 3);
    expect(m, "a\nb");
    t.c_cc[VMIN] = 0;
    t.c_cc[VTIME] = 1;
    CHECK(tcsetattr(s, TCSANOW, &t) == 0);
    double start = now();
    CHECK(read(s, buf, 1) == 0 && now() - start > 0.09);
    t.c_cc[VMIN] = 3;
    t.c_cc[VTIME] = 0;
    CHECK(tcsetattr(s, TCSANOW, &t) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        type(m, "1");
        msleep(20);
        type(m, "23");
        _exit(0);
    }
    CHECK(read(s, buf, 10) == 3 && memcmp(buf, "123", 3) == 0);
    child_ok(pid);
    type(m, "queue");
    msleep(20); /* the reference hands input on by a worker */
    CHECK(ioctl(s, FIONREAD, &n) == 0 && n == 5);
    CHECK(tcflush(s, TCIFLUSH) == 0 && ioctl(s, FIONREAD, &n) == 0 && n == 0);
}

/* A session of its own on the slave; returns in the child. */
static pid_t session(int m, const char *name)
{
    pid_t pid = fork();

    if (pid == 0) {
        CHECK(setsid() > 0);
        int s = open(name, O_RDWR);
        CHECK(s >= 0 && ioctl(s, TIOCSCTTY, 0) == 0);
        close(m);
        CHECK(dup2(s, 0) == 0 && dup2(s, 1) == 1);
        close(s);
    }
    return pid;
}

void test_pty_signals(void)
{
    static const struct {
        const char *key;
        int sig;
    } keys[] = {{"\003", SIGINT}, {"\034", SIGQUIT}};

    for (int i = 0; i < 2; i++) {
        char name[32];
        int m = open_master(name, sizeof(name));
        pid_t pid = session(m, name);

        if (pid == 0) {
            CHECK(write(1, "R", 1) == 1);
            pause();
            _exit(0);
        }
        expect(m, "R");
        type(m, keys[i].key);
        child_killed(pid, keys[i].sig);
        CHECK(close(m) == 0);
    }
}

void test_pty_control(void)
{
    char name[32];
    int m = open_master(name, sizeof(name));
    pid_t pid = session(m, name);

    if (pid == 0) {
        CHECK(tcgetpgrp(0) == getpid() && tcgetsid(0) == getpid());
        int t = open("/dev/tty", O_RDWR);
        CHECK(t >= 0 && tcgetpgrp(t) == getpid());
        CHECK_ERR(tcsetpgrp(0, 1), EPERM);
        CHECK(ioctl(t, TIOCNOTTY) == 0 || errno == 0);
        _exit(0);
    }
    int st = child_status(pid); /* TIOCNOTTY of a leader hangs its group up */
    CHECK((WIFEXITED(st) && WEXITSTATUS(st) == 0) || (WIFSIGNALED(st) && WTERMSIG(st) == SIGHUP));
    pid = fork();
    if (pid == 0) {
        CHECK(setsid() > 0);
        CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
        _exit(0);
    }
    child_ok(pid);
}

void test_job_control(void)
{
    char name[32], c;
    int m = open_master(name, sizeof(name)), st;
    pid_t pid = session(m, name);

    if (pid == 0) {
        signal(SIGTTOU, SIG_IGN); /* as a shell does */
        pid_t job = fork();
        if (job == 0) {
            signal(SIGTTOU, SIG_DFL);
            setpgid(0, 0);
            _exit(read(0, &c, 1) == 1 && c == 'k' ? 0 : 1);
        }
        setpgid(job, job);
        /* it reads in the background: stopped by SIGTTIN */
        CHECK(waitpid(job, &st, WUNTRACED) == job && WIFSTOPPED(st) && WSTOPSIG(st) == SIGTTIN);
        CHECK(tcsetpgrp(0, job) == 0 && kill(-job, SIGCONT) == 0);
        CHECK(write(1, "G", 1) == 1);
        CHECK(waitpid(job, &st, WUNTRACED) == job && WIFSTOPPED(st) && WSTOPSIG(st) == SIGTSTP);
        CHECK(tcsetpgrp(0, getpid()) == 0);
        CHECK(tcsetpgrp(0, job) == 0 && kill(-job, SIGCONT) == 0);
        CHECK(write(1, "H", 1) == 1);
        child_ok(job);
        _exit(0);
    }
    expect(m, "G");
    type(m, "\032");
    expect(m, "^Z");
    expect(m, "H");
    type(m, "k\n");
    child_ok(pid);
}

void test_tty_background(void)
{
    char name[32], c;
    int m = open_master(name, sizeof(name)), st;
    pid_t pid = session(m, name);

    if (pid == 0) {
        struct termios t;
        pid_t job = fork();

        if (job == 0) {
            setpgid(0, 0);
            CHECK(tcgetattr(0, &t) == 0);
            tcsetattr(0, TCSANOW, &t); /* from the background: SIGTTOU */
            _exit(0);
        }
        setpgid(job, job);
        CHECK(waitpid(job, &st, WUNTRACED) == job && WIFSTOPPED(st) && WSTOPSIG(st) == SIGTTOU);
        CHECK(kill(job, SIGKILL) == 0);
        child_killed(job, SIGKILL);
        job = fork();
        if (job == 0) {
            setpgid(0, 0);
            signal(SIGTTIN, SIG_IGN);
            CHECK_ERR(read(0, &c, 1), EIO); /* ignored: an error instead */
            CHECK(write(1, "bg", 2) == 2);  /* without TOSTOP writing is free */
            _exit(0);
        }
        setpgid(job, job);
        child_ok(job);
        _exit(0);
    }
    expect(m, "bg");
    child_ok(pid);
}

void test_pty_hangup(void)
{
    char name[32], c;
    int m = open_master(name, sizeof(name));
    pid_t pid = session(m, name);

    if (pid == 0) {
        CHECK(write(1, "R", 1) == 1);
        pause();
        _exit(0);
    }
    expect(m, "R");
    CHECK(close(m) == 0);
    child_killed(pid, SIGHUP);
    int s;
    open_pair(&m, &s);
    CHECK(write(s, "last words", 10) == 10 && close(s) == 0);
    expect(m, "last words");
    CHECK_ERR(read(m, &c, 1), EIO); /* no slave: end of the line */
}

void test_pty_winsize(void)
{
    int m, s;
    struct winsize w = {24, 80, 0, 0}, got;

    open_pair(&m, &s);
    CHECK(ioctl(m, TIOCSWINSZ, &w) == 0 && ioctl(s, TIOCGWINSZ, &got) == 0);
    CHECK(got.ws_row == 24 && got.ws_col == 80);
    char name[32];
    int m2 = open_master(name, sizeof(name));
    pid_t pid = session(m2, name);
    if (pid == 0) {
        sigset_t set, none;

        sigemptyset(&none);
        sigemptyset(&set);
        sigaddset(&set, SIGWINCH);
        sigprocmask(SIG_BLOCK, &set, NULL);
        sigact(SIGWINCH, sig_note, 0);
        CHECK(write(1, "R", 1) == 1);
        sigsuspend(&none);
        CHECK(sig_last == SIGWINCH && ioctl(0, TIOCGWINSZ, &got) == 0 && got.ws_col == 100);
        _exit(0);
    }
    expect(m2, "R");
    w.ws_col = 100;
    CHECK(ioctl(m2, TIOCSWINSZ, &w) == 0);
    child_ok(pid);
}

void test_pty_flow(void)
{
    int m, s;
    char c;

    open_pair(&m, &s);
    set_flags(s, ECHO, 0);
    type(m, "\023"); /* stop */
    msleep(20);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(write(s, "held", 4) == 4);
        _exit(0);
    }
    struct pollfd p = {m, POLLIN, 0};
    CHECK(poll(&p, 1, 60) == 0);
    type(m, "\021"); /* and go */
    expect(m, "held");
    child_ok(pid);
    (void)c;
}

void test_not_a_tty(void)
{
    struct termios t;
    int p[2], fd = open("f", O_CREAT | O_RDWR, 0644);

    CHECK(pipe(p) == 0);
    CHECK_ERR(tcgetattr(fd, &t), ENOTTY);
    CHECK_ERR(tcgetattr(p[0], &t), ENOTTY);
    CHECK(!isatty(fd));
    CHECK_ERR(tcgetattr(99, &t), EBADF);
    CHECK_ERR(open("/dev/pts/4095", O_RDWR), ENOENT);
}

void test_pty_big(void)
{
    int m, s;
    enum { SIZE = 30000 };
    static char buf[SIZE];
    struct termios t;

    open_pair(&m, &s);
    CHECK(tcgetattr(s, &t) == 0);
    cfmakeraw(&t);
    CHECK(tcsetattr(s, TCSANOW, &t) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        fill(buf, SIZE, 1);
        CHECK(write(s, buf, SIZE) == SIZE); /* more than the terminal holds: it waits */
        _exit(0);
    }
    size_t got = 0;
    while (got < SIZE) {
        ssize_t n = read(m, buf + got, SIZE - got);

        CHECK(n > 0);
        got += (size_t)n;
    }
    CHECK(filled(buf, SIZE, 1));
    child_ok(pid);
}
