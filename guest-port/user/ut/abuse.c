/* SPDX-License-Identifier: MIT */
/*
 * abuse.c - what a program may not do, and what happens to it when it does: bad pointers give
 * EFAULT, bad descriptors EBADF, unknown calls ENOSYS, forbidden instructions a signal, and the
 * kernel lives.
 */
#include "ut.h"
#include <setjmp.h>
#include <ucontext.h>

static sigjmp_buf jump;
static void jump_out(int sig)
{
    siglongjmp(jump, sig);
}

static char *unmapped(void)
{
    char *p = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED && munmap(p, 4096) == 0);
    return p;
}

/* Calls whose argument `arg` (from 0) is a pointer; the others are as given. */
struct ptr_call {
    const char *name;
    long nr;
    int arg;
    long a[6];
};

void test_bad_pointers(void)
{
    int fd[2], sv[2], file = open("f", O_CREAT | O_RDWR, 0644);
    int rd = open("f", O_RDONLY);
    long ud, lst, dg;

    CHECK(write(file, "content", 7) == 7 && pipe(fd) == 0 && write(fd[1], "12345", 5) == 5);
    CHECK(syscall(SYS_socketpair, 1, 1, 0, sv) == 0 && write(sv[1], "12345", 5) == 5);
    ud = syscall(SYS_socket, 1, 1, 0);
    dg = syscall(SYS_socket, 2, 2, 0);
    char addr[16] = {1, 0, 0, 'u', 't'};
    *(int *)(addr + 5) = getpid();
    lst = syscall(SYS_socket, 1, 1, 0);
    CHECK(ud >= 0 && dg >= 0 && syscall(SYS_bind, lst, addr, 10) == 0 &&
          syscall(SYS_listen, lst, 1) == 0);
    int ep = (int)syscall(SYS_epoll_create1, 0);
    CHECK(symlink("f", "link") == 0);
    char *ok = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    const struct ptr_call calls[] = {
        {"read file", SYS_read, 1, {rd, 0, 4}},
        {"read pipe", SYS_read, 1, {fd[0], 0, 4}},
        {"read socket", SYS_read, 1, {sv[0], 0, 4}},
        {"write file", SYS_write, 1, {file, 0, 4}},
        {"write pipe", SYS_write, 1, {fd[1], 0, 4}},
        {"write socket", SYS_write, 1, {sv[1], 0, 4}},
        {"pread64", SYS_pread64, 1, {file, 0, 4, 0}},
        {"pwrite64", SYS_pwrite64, 1, {file, 0, 4, 0}},
        {"readv", SYS_readv, 1, {file, 0, 2}},
        {"writev", SYS_writev, 1, {file, 0, 2}},
        {"open", SYS_open, 0, {0, O_RDONLY}},
        {"openat", SYS_openat, 1, {AT_FDCWD, 0, O_RDONLY}},
        {"stat", SYS_stat, 0, {0, (long)ok}},
        {"stat buf", SYS_stat, 1, {(long)"f", 0}},
        {"lstat buf", SYS_lstat, 1, {(long)"f", 0}},
        {"fstat", SYS_fstat, 1, {file, 0}},
        {"newfstatat", SYS_newfstatat, 1, {AT_FDCWD, 0, (long)ok, 0}},
        {"statfs", SYS_statfs, 1, {(long)"f", 0}},
        {"fstatfs", SYS_fstatfs, 1, {file, 0}},
        {"access", SYS_access, 0, {0, 0}},
        {"faccessat", SYS_faccessat, 1, {AT_FDCWD, 0, 0}},
        {"pipe", SYS_pipe, 0, {0}},
        {"pipe2", SYS_pipe2, 0, {0, 0}},
        {"nanosleep", SYS_nanosleep, 0, {0, 0}},
        {"getitimer", SYS_getitimer, 1, {0, 0}},
        {"execve", SYS_execve, 0, {0, 0, 0}},
        {"execve argv", SYS_execve, 1, {(long)"/bin/sh", 0, 0}},
        {"wait4", SYS_wait4, 1, {-2, 0, 0, 0}},
        {"uname", SYS_uname, 0, {0}},
        {"getcwd", SYS_getcwd, 0, {0, 4096}},
        {"chdir", SYS_chdir, 0, {0}},
        {"rename", SYS_rename, 0, {0, (long)"x"}},
        {"rename new", SYS_rename, 1, {(long)"f", 0}},
        {"mkdir", SYS_mkdir, 0, {0, 0755}},
        {"rmdir", SYS_rmdir, 0, {0}},
        {"link", SYS_link, 0, {0, (long)"x"}},
        {"unlink", SYS_unlink, 0, {0}},
        {"unlinkat", SYS_unlinkat, 1, {AT_FDCWD, 0, 0}},
        {"symlink", SYS_symlink, 0, {0, (long)"x"}},
        {"readlink", SYS_readlink, 0, {0, (long)ok, 10}},
        {"readlink buf", SYS_readlink, 1, {(long)"link", 0, 10}},
        {"chmod", SYS_chmod, 0, {0, 0644}},
        {"chown", SYS_chown, 0, {0, -1, -1}},
        {"truncate", SYS_truncate, 0, {0, 0}},
        {"utimensat", SYS_utimensat, 2, {AT_FDCWD, (long)"f", 0, 0}},
        {"gettimeofday", SYS_gettimeofday, 0, {0, 0}},
        {"clock_gettime", SYS_clock_gettime, 1, {1, 0}},
        {"clock_nanosleep", SYS_clock_nanosleep, 2, {1, 0, 0, 0}},
        {"getrlimit", SYS_getrlimit, 1, {7, 0}},
        {"setrlimit", SYS_setrlimit, 1, {7, 0}},
        {"getrusage", SYS_getrusage, 1, {0, 0}},
        {"sysinfo", SYS_sysinfo, 0, {0}},
        {"times", SYS_times, 0, {0}},
        {"getgroups", SYS_setgroups, 1, {3, 0}},
        {"rt_sigaction", SYS_rt_sigaction, 1, {10, 0, 0, 8}},
        {"rt_sigaction old", SYS_rt_sigaction, 2, {10, 0, 0, 8}},
        {"rt_sigprocmask", SYS_rt_sigprocmask, 1, {0, 0, 0, 8}},
        {"rt_sigprocmask old", SYS_rt_sigprocmask, 2, {0, 0, 0, 8}},
        {"rt_sigpending", SYS_rt_sigpending, 0, {0, 8}},
        {"rt_sigsuspend", SYS_rt_sigsuspend, 0, {0, 8}},
        {"rt_sigtimedwait", SYS_rt_sigtimedwait, 0, {0, 0, 0, 8}},
        {"sigaltstack", SYS_sigaltstack, 0, {0, 0}},
        {"sigaltstack old", SYS_sigaltstack, 1, {0, 0}},
        {"poll", SYS_poll, 0, {0, 1, 0}},
        {"select", SYS_select, 1, {3, 0, 0, 0, 0}},
        {"pselect6", SYS_pselect6, 4, {0, 0, 0, 0, 0, 0}},
        {"epoll_ctl", SYS_epoll_ctl, 3, {ep, 1, fd[0], 0}},
        {"getdents64", SYS_getdents64, 1, {open(".", O_RDONLY), 0, 1000}},
        {"fcntl lock", SYS_fcntl, 2, {file, F_SETLK, 0}},
        {"ioctl fionread", SYS_ioctl, 2, {fd[0], 0x541b, 0}},
        {"futex", SYS_futex, 0, {0, 0, 0, 0, 0, 0}},
        {"socketpair", SYS_socketpair, 3, {1, 1, 0, 0}},
        {"bind", SYS_bind, 1, {ud, 0, 16}},
        {"connect", SYS_connect, 1, {ud, 0, 16}},
        {"getsockname", SYS_getsockname, 1, {lst, 0, (long)ok}},
        {"getsockname len", SYS_getsockname, 2, {lst, (long)ok, 0}},
        {"sendto addr", SYS_sendto, 4, {dg, (long)ok, 4, 0, 0, 16}},
        {"recvfrom", SYS_recvfrom, 1, {sv[0], 0, 4, 0, 0, 0}},
        {"sendmsg", SYS_sendmsg, 1, {sv[0], 0, 0}},
        {"recvmsg", SYS_recvmsg, 1, {sv[0], 0, 0}},
        {"setsockopt", SYS_setsockopt, 3, {ud, 1, 2, 0, 4}},
        {"getsockopt", SYS_getsockopt, 3, {ud, 1, 3, 0, (long)ok}},
        {"getsockopt len", SYS_getsockopt, 4, {ud, 1, 3, (long)ok, 0}},
        {"getrandom", SYS_getrandom, 0, {0, 8, 0}},
        {"getresuid", SYS_getresuid, 0, {0, (long)ok, (long)ok}},
        {"prctl name", SYS_prctl, 1, {15, 0, 0, 0, 0}},
    };
    char *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const long bad[] = {(long)unmapped(),
                        16,
                        (long)0xffff800000001000UL,
                        (long)0xffffffff80001000UL,
                        (long)0x0000800000000000UL,
                        (long)0x8000000000000010UL,
                        -4096,
                        -8};
    int wrong = 0;

    *(int *)ok = 16;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
            long a[6];

            memcpy(a, calls[i].a, sizeof(a));
            a[calls[i].arg] = bad[k];
            errno = 0;
            long r = syscall(calls[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
            /* wait4 has no child, setgroups may lack the right: they may look there first */
            if (r == -1 && (errno == EFAULT || (calls[i].nr == SYS_wait4 && errno == ECHILD) ||
                            (calls[i].nr == SYS_setgroups && errno == EPERM)))
                continue;
            fprintf(stderr, "    %s with %lx: %ld, errno %d\n", calls[i].name, bad[k], r, errno);
            wrong++;
        }
    }
    CHECK(wrong == 0 && ro != MAP_FAILED);
    CHECK_ERR(pread(file, ro, 4, 0), EFAULT); /* not writable */
    CHECK_ERR(syscall(SYS_uname, ro), EFAULT);
    CHECK_ERR(pipe((int *)ro), EFAULT);
}

void test_bad_fds(void)
{
    char buf[512];
    static const long fd[] = {-1, 400, 0x7fffffff, -100000, 1L << 33 | 399};
    static const struct {
        const char *name;
        long nr;
    } calls[] = {{"read", SYS_read},
                 {"write", SYS_write},
                 {"close", SYS_close},
                 {"fstat", SYS_fstat},
                 {"lseek", SYS_lseek},
                 {"ioctl", SYS_ioctl},
                 {"readv", SYS_readv},
                 {"writev", SYS_writev},
                 {"dup", SYS_dup},
                 {"fcntl", SYS_fcntl},
                 {"flock", SYS_flock},
                 {"fsync", SYS_fsync},
                 {"fdatasync", SYS_fdatasync},
                 {"ftruncate", SYS_ftruncate},
                 {"getdents64", SYS_getdents64},
                 {"fchdir", SYS_fchdir},
                 {"fchmod", SYS_fchmod},
                 {"fchown", SYS_fchown},
                 {"fstatfs", SYS_fstatfs},
                 {"bind", SYS_bind},
                 {"listen", SYS_listen},
                 {"accept", SYS_accept},
                 {"connect", SYS_connect},
                 {"getsockname", SYS_getsockname},
                 {"shutdown", SYS_shutdown},
                 {"sendto", SYS_sendto},
                 {"recvfrom", SYS_recvfrom},
                 {"sendmsg", SYS_sendmsg},
                 {"recvmsg", SYS_recvmsg},
                 {"epoll_wait", SYS_epoll_wait},
                 {"syncfs", SYS_syncfs}};
    int wrong = 0;

    memset(buf, 0, sizeof(buf));
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        for (size_t k = 0; k < sizeof(fd) / sizeof(fd[0]); k++) {
            errno = 0;
            long arg = calls[i].nr == SYS_flock ? 1 : (long)buf;
            long r = syscall(calls[i].nr, fd[k], arg, 1, 0, 0, 0);
            if (r == -1 && errno == EBADF)
                continue;
            fprintf(stderr, "    %s(%ld): %ld, errno %d\n", calls[i].name, fd[k], r, errno);
            wrong++;
        }
    }
    CHECK(wrong == 0);
}

void test_bad_numbers(void)
{
    static const long nr[] = {5000, -1, 100000, -4096};

    for (size_t i = 0; i < sizeof(nr) / sizeof(nr[0]); i++)
        CHECK_ERR(syscall(nr[i], 1, 2, 3, 4, 5, 6), ENOSYS);
}

void test_bad_strings(void)
{
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(munmap(p + 4096, 4096) == 0);
    memcpy(p + 4096 - 4, "file", 4); /* no end before the page ends */
    CHECK_ERR(open(p + 4096 - 4, O_RDONLY), EFAULT);
    memcpy(p + 4096 - 5, "file", 5); /* the end is the last byte */
    CHECK_ERR(open(p + 4096 - 5, O_RDONLY), ENOENT);
    char **argv = (char **)(p + 4096 - 8); /* an argument vector without its end */
    argv[0] = "x";
    CHECK_ERR(execv(ut_self, argv), EFAULT);
}

void test_partial_copy(void)
{
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    static char buf[4096];
    int fd[2];

    CHECK(munmap(p + 4096, 4096) == 0 && pipe(fd) == 0);
    put_file("f", buf, sizeof(buf));
    int f = open("f", O_RDWR);
    ssize_t r = read(f, p + 4000, 1000); /* as far as it goes, or not at all */
    CHECK((r > 0 && r <= 96) || (r == -1 && errno == EFAULT));
    r = write(fd[1], p + 4000, 1000);
    CHECK((r > 0 && r <= 96) || (r == -1 && errno == EFAULT));
    CHECK(lseek(f, 0, SEEK_SET) == 0 && read(f, buf, sizeof(buf)) == sizeof(buf));
}

/* Runs code in a child; which signal ends it? */
#define DIES_OF(sig, ...)                  \
    do {                                   \
        pid_t pid_ = fork();               \
        if (pid_ == 0) {                   \
            __asm__ volatile(__VA_ARGS__); \
            _exit(0);                      \
        }                                  \
        child_killed(pid_, sig);           \
    } while (0)

/* As DIES_OF for a push to an address that is not canonical: #SS by the manual, so SIGBUS. QEMU up
 * to 7.2 raises #GP instead, and then SIGSEGV is right. */
#define DIES_OF_STACK(...)                                          \
    do {                                                            \
        int st_;                                                    \
        pid_t pid_ = fork();                                        \
        if (pid_ == 0) {                                            \
            __asm__ volatile(__VA_ARGS__);                          \
            _exit(0);                                               \
        }                                                           \
        CHECK(waitpid(pid_, &st_, 0) == pid_ && WIFSIGNALED(st_));  \
        CHECK(WTERMSIG(st_) == SIGBUS || WTERMSIG(st_) == SIGSEGV); \
    } while (0)

void test_privileged(void)
{
    DIES_OF(SIGSEGV, "cli");
    DIES_OF(SIGSEGV, "hlt");
    DIES_OF(SIGSEGV, "movq %%cr3, %%rax" ::: "rax");
    DIES_OF(SIGSEGV, "movq %%rax, %%cr0" ::"a"(0));
    DIES_OF(SIGSEGV, "inb $0x60, %%al" ::: "rax");
    DIES_OF(SIGSEGV, "outb %%al, $0x64" ::"a"(0));
    DIES_OF(SIGSEGV, "wrmsr" ::"a"(0), "c"(0xc0000080), "d"(0));
    DIES_OF(SIGSEGV, "lgdt (%%rsp)" ::: "memory");
    DIES_OF(SIGSEGV, "invlpg (%%rsp)" ::: "memory");
    DIES_OF(SIGSEGV, "int $0x20" ::: "memory");
    DIES_OF(SIGSEGV, "int $14" ::: "memory");
    DIES_OF(SIGILL, "ud2" ::: "memory");
    DIES_OF(SIGSEGV, "movw %%ax, %%ss" ::"a"(8));
    DIES_OF(SIGSEGV, "pushq $8; pushq $0; lretq" ::: "memory");
}

void test_wild_jumps(void)
{
    DIES_OF(SIGSEGV, "jmp *%%rax" ::"a"(0));
    DIES_OF(SIGSEGV, "jmp *%%rax" ::"a"(0xffffffff80100000UL));
    DIES_OF(SIGSEGV, "jmp *%%rax" ::"a"(0x0000800000000000UL));
    DIES_OF(SIGSEGV, "jmp *%%rax" ::"a"(0xdead000000000000UL));
    DIES_OF(SIGSEGV, "movq %%rax, %%rsp; pushq %%rax" ::"a"(0xffff880000001000UL));
    DIES_OF_STACK("movq %%rax, %%rsp; pushq %%rax" ::"a"(0xffff800000000000UL)); /* #SS */
    DIES_OF(SIGSEGV, "movq %%rax, %%rsp; pushq %%rax" ::"a"(8));
    /* a system call that returns to nowhere: the last bytes of user space hold no code */
    DIES_OF_STACK(
        "movq %%rax, %%rsp\n movl $39, %%eax\n syscall\n pushq %%rax" ::"a"(0xdead000000000000UL)
        : "rcx", "r11");
}

/* A frame for rt_sigreturn full of lies: the process may die, nobody else. */
void test_wild_sigreturn(void)
{
    static const struct {
        int reg;
        long value;
    } lies[] = {{REG_RIP, 0x0000800000000000L},
                {REG_RIP, (long)0xffffffff80000000UL},
                {REG_RSP, (long)0xdead000000000000UL},
                {REG_EFL, 0x3000 | 0x200000},
                {REG_EFL, 0x4000},
                {REG_CSGSFS, 0x10},
                {REG_CSGSFS, 0},
                {REG_CSGSFS, 0xfffb}};

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        pid_t pid = fork();

        if (pid == 0) {
            struct {
                ucontext_t uc;
                char more[1024];
            } frame;

            memset(&frame, 0, sizeof(frame));
            frame.uc.uc_mcontext.gregs[REG_CSGSFS] = 0x002b000000000033L;
            frame.uc.uc_mcontext.gregs[REG_RIP] = (long)&_exit;
            frame.uc.uc_mcontext.gregs[REG_RSP] = (long)&frame - 4096 - 8;
            frame.uc.uc_mcontext.gregs[REG_EFL] = 0x202;
            frame.uc.uc_mcontext.gregs[lies[i].reg] = lies[i].value;
            __asm__ volatile("movq %0, %%rsp\n movl $15, %%eax\n syscall\n ud2" ::"r"(&frame)
                             : "memory");
        }
        int st = child_status(pid);
        CHECK(WIFSIGNALED(st) || WIFEXITED(st));
    }
}

void test_flags(void)
{
    long r;

    /* A system call with the direction flag and the nested-task flag set: the kernel minds neither.
     */
    __asm__ volatile("pushfq; orq $0x4400, (%%rsp); popfq\n movl $39, %%eax\n syscall\n"
                     "pushfq; andq $~0x4400, (%%rsp); popfq"
                     : "=a"(r)::"rcx", "r11", "memory", "cc");
    CHECK(r == getpid());
    signal(SIGTRAP, jump_out);
    if (sigsetjmp(jump, 1) == 0) {
        __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop; nop" ::: "memory", "cc");
        CHECK(!"reached");
    }
    /* Single-stepped into a system call. */
    if (sigsetjmp(jump, 1) == 0)
        __asm__ volatile("movl $39, %%eax; pushfq; orq $0x100, (%%rsp); popfq; syscall; nop; nop" ::
                             : "rax", "rcx", "r11", "memory", "cc");
}

void test_syscall_registers(void)
{
    uint64_t ok;

    /* All registers but rax, rcx, r11 survive a system call. */
    __asm__ volatile(
        "movq $1, %%rdi; movq $2, %%rsi; movq $3, %%rdx; movq $4, %%r10; movq $5, %%r8\n"
        "movq $6, %%r9; movq $7, %%rbx; movq $8, %%r12; movq $9, %%r13; movq $10, %%r14\n"
        "movq $11, %%r15; movl $39, %%eax; syscall\n"
        "addq %%rdi, %%rsi; addq %%rsi, %%rdx; addq %%rdx, %%r10; addq %%r10, %%r8\n"
        "addq %%r8, %%r9; addq %%r9, %%rbx; addq %%rbx, %%r12; addq %%r12, %%r13\n"
        "addq %%r13, %%r14; addq %%r14, %%r15; movq %%r15, %%rax"
        : "=a"(ok)::"rdi", "rsi", "rdx", "r10", "r8", "r9", "rbx", "r12", "r13", "r14", "r15",
          "rcx", "r11", "memory", "cc");
    CHECK(ok == 66);
}

void test_fork_bomb(void)
{
    pid_t pid = fork();

    if (pid == 0) { /* a bounded one: the kernel refuses or serves, and recovers */
        static pid_t pids[400];
        int n = 0;
        if (getuid() == 0)
            CHECK(setuid(1000) == 0);
        while (n < 400 && (pids[n] = fork()) > 0)
            n++;
        if (n < 400 && pids[n] == 0) {
            pause();
            _exit(0);
        }
        for (int i = 0; i < n; i++)
            CHECK(kill(pids[i], SIGKILL) == 0);
        for (int i = 0; i < n; i++)
            child_killed(pids[i], SIGKILL);
        _exit(n > 10 ? 0 : 1);
    }
    child_ok(pid);
}
