/* SPDX-License-Identifier: MIT */
/* proc.c - processes: fork, wait, exec, identity, limits, time. */
#include "ut.h"
#include <elf.h>
#include <grp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <sys/utsname.h>

static int run_self(const char *word, char *extra)
{
    char *argv[] = {(char *)ut_self, "--child", (char *)word, extra, NULL};
    pid_t pid = fork();

    if (pid == 0) {
        execv(ut_self, argv);
        _exit(99);
    }
    return child_status(pid);
}

void test_exit_status(void)
{
    for (int code = 0; code < 256; code += 15) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(code);
        int st = child_status(pid);
        CHECK(WIFEXITED(st) && WEXITSTATUS(st) == code);
    }
}

void test_fork_many(void)
{
    enum { N = 50 };
    pid_t pids[N];

    for (int i = 0; i < N; i++) {
        pids[i] = fork();
        CHECK(pids[i] >= 0);
        if (pids[i] == 0)
            _exit(i);
    }
    for (int i = N - 1; i >= 0; i--)
        CHECK(WEXITSTATUS(child_status(pids[i])) == i);
    CHECK_ERR(wait(NULL), ECHILD);
}

void test_fork_cow(void)
{
    enum { SIZE = 64 * 4096 };
    static char data[SIZE];
    int go[2];

    fill(data, SIZE, 1);
    CHECK(pipe(go) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char c;

        CHECK(read(go[0], &c, 1) == 1); /* the parent has written by now */
        CHECK(filled(data, SIZE, 1));
        fill(data, SIZE, 2);
        CHECK(filled(data, SIZE, 2));
        _exit(0);
    }
    fill(data, SIZE, 3);
    CHECK(write(go[1], "x", 1) == 1);
    child_ok(pid);
    CHECK(filled(data, SIZE, 3));
}

void test_fork_cow_kernel(void)
{
    static char page[8192];
    int fd[2];

    fill(page, sizeof(page), 5);
    CHECK(pipe(fd) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(write(fd[1], "kernel writes", 13) == 13);
        CHECK(read(fd[0], page + 100, 13) == 13);
        CHECK(memcmp(page + 100, "kernel writes", 13) == 0);
        _exit(0);
    }
    child_ok(pid);
    CHECK(filled(page, sizeof(page), 5));
}

void test_fork_offset(void)
{
    char c;

    put_file("f", "abcdef", 6);
    int fd = open("f", O_RDONLY);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(read(fd, &c, 1) == 1 && c == 'a');
        _exit(0);
    }
    child_ok(pid);
    CHECK(read(fd, &c, 1) == 1 && c == 'b');
}

void test_fork_tree(void)
{
    for (int depth = 0; depth < 12; depth++) {
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (pid > 0) {
            child_ok(pid);
            _exit(0);
        }
    }
}

void test_vfork_order(void)
{
    volatile int seen = 0;
    pid_t pid = vfork();

    if (pid == 0) {
        seen = 1; /* shared memory: the parent sees it */
        _exit(7);
    }
    CHECK(seen == 1);
    CHECK(WEXITSTATUS(child_status(pid)) == 7);
}

void test_wait_nohang(void)
{
    int fd[2], st;

    CHECK(pipe(fd) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char c;

        close(fd[1]);
        read(fd[0], &c, 1);
        _exit(3);
    }
    CHECK(waitpid(pid, &st, WNOHANG) == 0);
    close(fd[1]);
    CHECK(WEXITSTATUS(child_status(pid)) == 3);
    CHECK_ERR(waitpid(pid, &st, 0), ECHILD);
    CHECK_ERR(waitpid(-1, &st, 0x40000000 >> 8), EINVAL);
}

void test_wait_group(void)
{
    pid_t a = fork();

    if (a == 0) {
        setpgid(0, 0);
        _exit(1);
    }
    setpgid(a, a);
    pid_t b = fork();
    if (b == 0)
        _exit(2);
    int st;
    CHECK(waitpid(-a, &st, 0) == a && WEXITSTATUS(st) == 1);
    CHECK(waitpid(0, &st, 0) == b && WEXITSTATUS(st) == 2);
}

void test_wait_stopped(void)
{
    int st;
    pid_t pid = fork();

    if (pid == 0) {
        raise(SIGSTOP);
        _exit(4);
    }
    CHECK(waitpid(pid, &st, WUNTRACED) == pid && WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
    CHECK(waitpid(pid, &st, WUNTRACED | WNOHANG) == 0);
    CHECK(kill(pid, SIGCONT) == 0);
    CHECK(waitpid(pid, &st, WCONTINUED) == pid && (WIFCONTINUED(st) || WIFEXITED(st)));
    if (!WIFEXITED(st))
        CHECK(WEXITSTATUS(child_status(pid)) == 4);
}

void test_waitid(void)
{
    siginfo_t si;
    pid_t pid = fork();

    if (pid == 0)
        _exit(9);
    memset(&si, 0, sizeof(si));
    CHECK(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT) == 0);
    CHECK(si.si_pid == pid && si.si_status == 9 && si.si_code == CLD_EXITED);
    CHECK(WEXITSTATUS(child_status(pid)) == 9);
}

void test_wait_rusage(void)
{
    struct rusage ru;
    int st;
    pid_t pid = fork();

    if (pid == 0) {
        double end = now() + 0.2;

        while (now() < end)
            ;
        _exit(0);
    }
    CHECK(wait4(pid, &st, 0, &ru) == pid);
    long us = ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec + ru.ru_stime.tv_sec * 1000000 +
              ru.ru_stime.tv_usec;
    CHECK(us > 20000 && us < 5000000);
}

void test_orphan(void)
{
    int fd[2];
    pid_t got[2];

    CHECK(pipe(fd) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        pid_t self = getpid();

        if (fork() == 0) {
            while (getppid() == self)
                msleep(2);
            got[0] = self;
            got[1] = getppid();
            CHECK(write(fd[1], got, sizeof(got)) == sizeof(got));
        }
        _exit(0);
    }
    child_ok(pid);
    CHECK(read(fd[0], got, sizeof(got)) == sizeof(got));
    CHECK(got[0] == pid && got[1] != pid && got[1] > 0);
}

void test_no_zombies(void)
{
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 20; i++)
        if (fork() == 0)
            _exit(0);
    CHECK_ERR(wait(NULL), ECHILD);
}

void test_exec_args(void)
{
    setenv("UT_VALUE", "some value", 1);
    CHECK(run_self("args", "an argument") == 0);
}

void test_exec_big_args(void)
{
    enum { N = 500 };
    static char word[200];
    char *argv[N + 4];

    memset(word, 'x', sizeof(word) - 1);
    argv[0] = (char *)ut_self;
    argv[1] = "--child";
    argv[2] = "count";
    for (int i = 3; i < N + 3; i++)
        argv[i] = word;
    argv[N + 3] = NULL;
    pid_t pid = fork();
    if (pid == 0) {
        execv(ut_self, argv);
        _exit(99);
    }
    CHECK(WEXITSTATUS(child_status(pid)) == (N & 127));
}

void test_exec_e2big(void)
{
    size_t n = 4 << 20;
    char *word = malloc(n);
    char *argv[] = {(char *)ut_self, word, NULL};

    CHECK(word);
    memset(word, 'y', n - 1);
    word[n - 1] = 0;
    CHECK_ERR(execv(ut_self, argv), E2BIG);
}

void test_exec_cloexec(void)
{
    int keep = dup(0), gone = fcntl(0, F_DUPFD_CLOEXEC, 0);
    char word[32];

    CHECK(keep >= 0 && gone >= 0);
    CHECK(fcntl(gone, F_GETFD) == FD_CLOEXEC && fcntl(keep, F_GETFD) == 0);
    snprintf(word, sizeof(word), "%d,%d", keep, gone);
    CHECK(run_self("cloexec", word) == 0);
}

void test_exec_script(void)
{
    char text[600];
    int n = snprintf(text, sizeof(text), "#!%s --child\nnothing\n", ut_self);

    /* the kernel passes everything behind the interpreter as one word, then the script's name */
    put_file("script", text, (size_t)n);
    CHECK(chmod("script", 0755) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        execl("./script", "script", "arg", (char *)NULL);
        _exit(99);
    }
    CHECK(WEXITSTATUS(child_status(pid)) == 77);
}

void test_exec_errors(void)
{
    put_file("plain", "no program", 10);
    put_file("empty", "", 0);
    CHECK(mkdir("dir", 0755) == 0);
    char *argv[] = {"x", NULL};
    CHECK_ERR(execv("missing", argv), ENOENT);
    CHECK_ERR(execv("plain", argv), EACCES);
    CHECK_ERR(execv("dir", argv), EACCES);
    CHECK_ERR(execv("plain/x", argv), ENOTDIR);
    CHECK(chmod("plain", 0755) == 0 && chmod("empty", 0755) == 0);
    CHECK_ERR(execv("plain", argv), ENOEXEC);
    CHECK_ERR(execv("empty", argv), ENOEXEC);
    put_file("script", "#!/no/such/interpreter\n", 23);
    CHECK(chmod("script", 0755) == 0);
    CHECK_ERR(execv("script", argv), ENOENT);
}

static void try_elf(const void *image, size_t n, bool must_fail)
{
    put_file("wild", image, n);
    CHECK(chmod("wild", 0755) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char *argv[] = {"wild", NULL};

        execv("./wild", argv);
        _exit(errno == ENOEXEC ? 1 : 2);
    }
    int st = child_status(pid);
    if (must_fail)
        CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 1);
    else
        CHECK(WIFSIGNALED(st) || WEXITSTATUS(st) == 1 || WEXITSTATUS(st) == 2 ||
              WEXITSTATUS(st) == 42); /* odd, but it runs */
}

struct wild_elf {
    Elf64_Ehdr e;
    Elf64_Phdr p;
    char code[64];
};

static struct wild_elf good_elf(void)
{
    struct wild_elf x;

    memset(&x, 0, sizeof(x));
    memcpy(x.e.e_ident, ELFMAG, SELFMAG);
    x.e.e_ident[EI_CLASS] = ELFCLASS64;
    x.e.e_ident[EI_DATA] = ELFDATA2LSB;
    x.e.e_ident[EI_VERSION] = EV_CURRENT;
    x.e.e_type = ET_EXEC;
    x.e.e_machine = EM_X86_64;
    x.e.e_version = 1;
    x.e.e_entry = 0x400000 + offsetof(struct wild_elf, code);
    x.e.e_phoff = offsetof(struct wild_elf, p);
    x.e.e_ehsize = sizeof(x.e);
    x.e.e_phentsize = sizeof(x.p);
    x.e.e_phnum = 1;
    x.p.p_type = PT_LOAD;
    x.p.p_flags = PF_R | PF_X;
    x.p.p_vaddr = x.p.p_paddr = 0x400000;
    x.p.p_filesz = x.p.p_memsz = sizeof(x);
    x.p.p_align = 4096;
    /* mov $60, %eax; mov $42, %edi; syscall */
    memcpy(x.code, "\xb8\x3c\0\0\0\xbf\x2a\0\0\0\x0f\x05", 12);
    return x;
}

void test_exec_tiny_elf(void)
{
    struct wild_elf x = good_elf();

    put_file("tiny", &x, sizeof(x));
    CHECK(chmod("tiny", 0755) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        execl("./tiny", "tiny", (char *)NULL);
        _exit(1);
    }
    CHECK(WEXITSTATUS(child_status(pid)) == 42);
}

/* exec_dirty(path, argv, envp): execve with every register full. The program at exec_regs ends with
 * 0 if all that it finds are empty. */
__asm__(".pushsection .text\n"
        "exec_dirty: mov $-1, %rbx\n"
        ".irp r, rbp, r8, r9, r10, r12, r13, r14, r15\n mov %rbx, %\\r\n .endr\n"
        "mov $59, %eax\n syscall\n mov $99, %edi\n jmp 1f\n"
        "exec_regs:\n"
        ".irp r, rax, rbx, rcx, rdx, rsi, rbp, r8, r9, r10, r11, r12, r13, r14, r15\n"
        "or %\\r, %rdi\n .endr\n"
        "neg %rdi\n sbb %edi, %edi\n"
        "1: mov $60, %eax\n syscall\n"
        "exec_regs_end: .popsection");
extern const char exec_regs[], exec_regs_end[];
_Noreturn void exec_dirty(const char *path, char *const *argv, char *const *envp);

void test_exec_registers(void)
{
    struct wild_elf x = good_elf();
    char *argv[] = {"registers", NULL};

    CHECK((size_t)(exec_regs_end - exec_regs) <= sizeof(x.code));
    memcpy(x.code, exec_regs, (size_t)(exec_regs_end - exec_regs));
    put_file("registers", &x, sizeof(x));
    CHECK(chmod("registers", 0755) == 0);
    pid_t pid = fork();
    if (pid == 0)
        exec_dirty("./registers", argv, argv + 1);
    CHECK(child_status(pid) == 0);
}

void test_exec_wild_elf(void)
{
    struct wild_elf x;
    static const uint64_t odd[] = {0,
                                   1,
                                   4095,
                                   1UL << 32,
                                   1UL << 46,
                                   1UL << 47,
                                   ~0UL,
                                   ~0UL << 12,
                                   0xffff888000000000UL,
                                   0xffffffff80000000UL};

    x = good_elf();
    try_elf(&x, 20, true); /* cut inside the header */
    x.e.e_machine = EM_AARCH64;
    try_elf(&x, sizeof(x), true);
    x = good_elf();
    x.e.e_type = ET_REL;
    try_elf(&x, sizeof(x), true);
    x = good_elf();
    x.e.e_phentsize = 8;
    try_elf(&x, sizeof(x), true);
    x = good_elf();
    x.e.e_phnum = 0;
    try_elf(&x, sizeof(x), true);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        x = good_elf(), x.e.e_phoff = odd[i] | 1, try_elf(&x, sizeof(x), false);
        x = good_elf(), x.p.p_offset = odd[i], x.p.p_vaddr = odd[i], try_elf(&x, sizeof(x), false);
        x = good_elf(), x.p.p_filesz = odd[i], try_elf(&x, sizeof(x), false);
        x = good_elf(), x.p.p_memsz = odd[i], try_elf(&x, sizeof(x), false);
        x = good_elf(), x.e.e_entry = odd[i], try_elf(&x, sizeof(x), false);
    }
    x = good_elf();
    x.e.e_phnum = 0xffff;
    try_elf(&x, sizeof(x), false);
}

void test_exec_signals(void)
{
    sigset_t set;

    signal(SIGUSR1, SIG_IGN);
    sigact(SIGUSR2, sig_note, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK(run_self("signals", NULL) == 0);
}

void test_setuid(void)
{
    CHECK(chmod(".", 0777) == 0);
    put_file("secret", "s", 1);
    CHECK(chmod("secret", 0) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (getuid() == 0) {
            CHECK(setgid(1000) == 0 && setuid(1000) == 0);
            CHECK_ERR(setuid(0), EPERM);
        }
        CHECK(getuid() == geteuid() && getuid() != 0);
        CHECK_ERR(open("secret", O_RDONLY), EACCES);
        CHECK_ERR(kill(1, SIGTERM), EPERM);
        CHECK_ERR(chown("secret", 0, 0), EPERM);
        CHECK_ERR(setpriority(PRIO_PROCESS, 0, -5), EACCES);
        _exit(0);
    }
    child_ok(pid);
}

void test_setresuid(void)
{
    uid_t r, e, s;

    CHECK(getresuid(&r, &e, &s) == 0 && r == getuid() && e == geteuid());
    if (r != 0) {
        CHECK_ERR(setresuid(0, 0, 0), EPERM);
        return;
    }
    CHECK(setresuid(0, 1000, 0) == 0);
    CHECK(getuid() == 0 && geteuid() == 1000);
    CHECK(setresuid(-1, 0, -1) == 0 && geteuid() == 0);
    gid_t g[3] = {7, 8, 9}, back[8];
    CHECK(setgroups(3, g) == 0);
    CHECK(getgroups(8, back) == 3 && back[0] + back[1] + back[2] == 24);
}

void test_pgrp(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        CHECK(getpgrp() == getppid());
        CHECK(setpgid(0, 0) == 0 && getpgrp() == getpid());
        CHECK_ERR(setpgid(0, 1 << 22), EPERM);
        CHECK_ERR(setpgid(0, -1), EINVAL);
        CHECK_ERR(setpgid(1, 1), ESRCH);
        _exit(0);
    }
    child_ok(pid);
    pid = fork();
    if (pid == 0) {
        CHECK(setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid());
        CHECK_ERR(setsid(), EPERM);
        CHECK_ERR(setpgid(0, 0), EPERM);
        _exit(0);
    }
    child_ok(pid);
    CHECK_ERR(getpgid(1 << 22), ESRCH);
}

void test_nice(void)
{
    errno = 0;
    CHECK(getpriority(PRIO_PROCESS, 0) == 0 && errno == 0);
    CHECK(nice(5) == 5 && getpriority(PRIO_PROCESS, 0) == 5);
    pid_t pid = fork();
    if (pid == 0)
        _exit(getpriority(PRIO_PROCESS, 0) == 5 ? 0 : 1);
    child_ok(pid);
}

void test_rlimit_nofile(void)
{
    struct rlimit rl = {32, 32};
    int fd = -1, last = -1;

    CHECK(setrlimit(RLIMIT_NOFILE, &rl) == 0);
    while ((fd = dup(0)) >= 0)
        last = fd;
    CHECK(errno == EMFILE && last == 31);
    CHECK_ERR(open("/dev/null", O_RDONLY), EMFILE);
    int p[2];
    CHECK_ERR(pipe(p), EMFILE);
    close(last);
    CHECK((fd = open("/dev/null", O_RDONLY)) == last);
    CHECK_ERR(dup2(0, 32), EBADF);
}

void test_rlimit_fsize(void)
{
    struct rlimit rl = {10000, 10000};
    static char buf[8192];

    CHECK(setrlimit(RLIMIT_FSIZE, &rl) == 0);
    sigact(SIGXFSZ, sig_note, 0);
    int fd = open("f", O_RDWR | O_CREAT, 0644);
    CHECK(write(fd, buf, 8192) == 8192);
    CHECK(write(fd, buf, 8192) == 10000 - 8192);
    CHECK_ERR(write(fd, buf, 1), EFBIG);
    CHECK(sig_count == 1);
    CHECK_ERR(ftruncate(fd, 20000), EFBIG);
}

void test_rlimit_as(void)
{
    struct rlimit rl = {64 << 20, 64 << 20};

    CHECK(setrlimit(RLIMIT_AS, &rl) == 0);
    CHECK(mmap(NULL, 128 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
          MAP_FAILED);
    CHECK(errno == ENOMEM);
    void *p = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
}

void test_rlimit_rules(void)
{
    struct rlimit rl, old;

    CHECK(getrlimit(RLIMIT_STACK, &old) == 0);
    rl = (struct rlimit){100, 50};
    CHECK_ERR(setrlimit(RLIMIT_NOFILE, &rl), EINVAL);
    CHECK_ERR(getrlimit(99, &rl), EINVAL);
    rl = (struct rlimit){20, 40};
    CHECK(setrlimit(RLIMIT_NOFILE, &rl) == 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur == 20 && rl.rlim_max == 40);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur == 20);
        if (getuid() == 0)
            CHECK(setuid(1000) == 0);
        rl = (struct rlimit){40, 80};
        CHECK_ERR(setrlimit(RLIMIT_NOFILE, &rl), EPERM);
        _exit(0);
    }
    child_ok(pid);
}

void test_names(void)
{
    struct utsname u;
    char name[16] = "";

    CHECK(uname(&u) == 0 && strcmp(u.sysname, "Linux") == 0 && strcmp(u.machine, "x86_64") == 0);
    CHECK(prctl(PR_SET_NAME, "a-new-name") == 0);
    CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "a-new-name") == 0);
    CHECK(syscall(SYS_gettid) == getpid());
}

void test_umask(void)
{
    struct stat st;

    umask(027);
    CHECK(umask(077) == 027);
    CHECK(close(open("f", O_CREAT | O_WRONLY, 0666)) == 0);
    CHECK(stat("f", &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(mkdir("d", 0777) == 0 && stat("d", &st) == 0 && (st.st_mode & 0777) == 0700);
}

void test_clock(void)
{
    struct timespec a, b;
    struct timeval tv;

    for (int i = 0; i < 2000; i++) {
        CHECK(clock_gettime(CLOCK_MONOTONIC, &a) == 0 && clock_gettime(CLOCK_MONOTONIC, &b) == 0);
        CHECK(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
        CHECK(a.tv_nsec >= 0 && a.tv_nsec < 1000000000);
    }
    CHECK(clock_gettime(CLOCK_REALTIME, &a) == 0 && gettimeofday(&tv, NULL) == 0);
    CHECK(tv.tv_sec - a.tv_sec <= 1 && tv.tv_sec >= a.tv_sec && a.tv_sec > 1600000000);
    CHECK(clock_getres(CLOCK_MONOTONIC, &a) == 0 && a.tv_sec == 0 && a.tv_nsec > 0);
    CHECK_ERR(clock_gettime(12345, &a), EINVAL);
}

void test_nanosleep(void)
{
    struct timespec t = {0, 60000000}, bad = {0, 2000000000};
    double start = now();

    CHECK(nanosleep(&t, NULL) == 0);
    CHECK(now() - start >= 0.0599 && now() - start < 5);
    CHECK_ERR(nanosleep(&bad, NULL), EINVAL);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    t.tv_nsec += 50000000;
    if (t.tv_nsec >= 1000000000)
        t.tv_sec++, t.tv_nsec -= 1000000000;
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == 0);
    CHECK(now() >= (double)t.tv_sec + (double)t.tv_nsec * 1e-9);
}

void test_preempt(void)
{
    pid_t pids[3];
    double start = now();

    for (int i = 0; i < 3; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            for (;;)
                __asm__ volatile("");
    }
    for (int i = 0; i < 10; i++)
        msleep(10);
    CHECK(now() - start < 20);
    for (int i = 0; i < 3; i++) {
        CHECK(kill(pids[i], SIGKILL) == 0);
        child_killed(pids[i], SIGKILL);
    }
}

void test_cpu_times(void)
{
    struct tms a, b;
    struct rusage ru;

    times(&a);
    double end = now() + 0.15;
    while (now() < end)
        ;
    times(&b);
    CHECK(b.tms_utime + b.tms_stime > a.tms_utime + a.tms_stime);
    CHECK(getrusage(RUSAGE_SELF, &ru) == 0 && ru.ru_maxrss > 0);
    CHECK_ERR(getrusage(77, &ru), EINVAL);
}

void test_pid_reuse(void)
{
    pid_t last = 0;

    for (int i = 0; i < 300; i++) {
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (pid == 0)
            _exit(0);
        CHECK(pid != last && pid != getpid());
        last = pid;
        child_ok(pid);
    }
}

/* --- helpers that run behind exec --------------------------------------------------------------
 */

static int child_signals(void)
{
    struct sigaction sa;
    sigset_t set;

    sigaction(SIGUSR1, NULL, &sa);
    if (sa.sa_handler != SIG_IGN)
        return 1;
    sigaction(SIGUSR2, NULL, &sa);
    if (sa.sa_handler != SIG_DFL)
        return 2;
    sigprocmask(SIG_BLOCK, NULL, &set);
    return sigismember(&set, SIGHUP) == 1 ? 0 : 3;
}

static int child_fpu(void)
{
    uint32_t mxcsr;
    uint16_t cw;

    __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(cw));
    return mxcsr == 0x1f80 && cw == 0x37f ? 0 : 1;
}

int ut_child_main(int argc, char **argv)
{
    const char *word = argc > 0 ? argv[0] : "";
    int keep, gone;

    if (strcmp(word, "args") == 0)
        return argc == 2 && strcmp(argv[1], "an argument") == 0 && getenv("UT_VALUE") &&
                       strcmp(getenv("UT_VALUE"), "some value") == 0
                   ? 0
                   : 1;
    if (strcmp(word, "count") == 0)
        return (argc - 1) & 127;
    if (strcmp(word, "cloexec") == 0 && argc == 2 && sscanf(argv[1], "%d,%d", &keep, &gone) == 2)
        return fcntl(keep, F_GETFD) == 0 && fcntl(gone, F_GETFD) < 0 ? 0 : 1;
    if (strcmp(word, "signals") == 0)
        return child_signals();
    if (strcmp(word, "fpu") == 0)
        return child_fpu();
    if (strcmp(word, "threads") == 0) /* one thread, whatever there was before exec */
        return syscall(SYS_gettid) == getpid() ? 0 : 1;
    if (argc == 2 && strstr(word, "script") && strcmp(argv[1], "arg") == 0)
        return 77; /* a script named us as its interpreter */
    return 98;
}
