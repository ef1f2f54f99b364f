/* SPDX-License-Identifier: MIT */
/* sig.c - signals: handlers, masks, queues, stacks, faults, and what a handler may not disturb. */
#include "ut.h"
#include <limits.h>
#include <setjmp.h>
#include <sys/ucontext.h>

static siginfo_t last_info;
static sigjmp_buf jump;

static void note_info(int sig, siginfo_t *si, void *uc)
{
    sig_count++;
    sig_last = sig;
    last_info = *si;
}

static void jump_out(int sig, siginfo_t *si, void *uc)
{
    last_info = *si;
    siglongjmp(jump, sig);
}

static void act_info(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
    struct sigaction sa = {.sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags};

    CHECK(sigaction(sig, &sa, NULL) == 0);
}

static sigset_t set_of(int sig)
{
    sigset_t s;

    sigemptyset(&s);
    sigaddset(&s, sig);
    return s;
}

void test_sig_handler(void)
{
    sigact(SIGUSR1, sig_note, 0);
    CHECK(raise(SIGUSR1) == 0 && sig_count == 1 && sig_last == SIGUSR1);
    CHECK(kill(getpid(), SIGUSR1) == 0 && sig_count == 2);
    signal(SIGUSR1, SIG_IGN);
    CHECK(raise(SIGUSR1) == 0 && sig_count == 2);
}

void test_sig_info(void)
{
    act_info(SIGUSR2, note_info, 0);
    pid_t pid = fork();
    if (pid == 0) {
        kill(getppid(), SIGUSR2);
        _exit(0);
    }
    child_ok(pid);
    CHECK(sig_count == 1 && last_info.si_signo == SIGUSR2 && last_info.si_code == SI_USER);
    CHECK(last_info.si_pid == pid && last_info.si_uid == getuid());
}

void test_sig_default(void)
{
    static const int deadly[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                 SIGUSR1, SIGALRM, SIGPIPE, SIGKILL};
    static const int harmless[] = {SIGCHLD, SIGURG, SIGWINCH, SIGCONT};

    for (size_t i = 0; i < sizeof(deadly) / sizeof(int); i++) {
        pid_t pid = fork();

        if (pid == 0) {
            kill(getpid(), deadly[i]);
            _exit(0);
        }
        child_killed(pid, deadly[i]);
    }
    for (size_t i = 0; i < sizeof(harmless) / sizeof(int); i++)
        CHECK(raise(harmless[i]) == 0);
}

void test_sig_mask(void)
{
    sigset_t s = set_of(SIGUSR1), p;

    sigact(SIGUSR1, sig_note, 0);
    CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
    raise(SIGUSR1);
    raise(SIGUSR1); /* a standard signal does not queue */
    CHECK(sig_count == 0 && sigpending(&p) == 0 && sigismember(&p, SIGUSR1));
    CHECK(sigprocmask(SIG_UNBLOCK, &s, NULL) == 0);
    CHECK(sig_count == 1 && sigpending(&p) == 0 && !sigismember(&p, SIGUSR1));
}

static void check_masked(int sig)
{
    sigset_t cur;

    sigprocmask(SIG_BLOCK, NULL, &cur);
    sig_count = sigismember(&cur, SIGUSR1) * 2 + sigismember(&cur, SIGHUP);
}

void test_sig_mask_handler(void)
{
    struct sigaction sa = {.sa_handler = check_masked};
    sigset_t cur;

    sigaddset(&sa.sa_mask, SIGHUP);
    CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
    raise(SIGUSR1);
    CHECK(sig_count == 3); /* itself and sa_mask are blocked inside */
    sa.sa_flags = SA_NODEFER;
    CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
    raise(SIGUSR1);
    CHECK(sig_count == 1);
    sigprocmask(SIG_BLOCK, NULL, &cur);
    CHECK(!sigismember(&cur, SIGHUP) && !sigismember(&cur, SIGUSR1));
}

void test_sig_resethand(void)
{
    struct sigaction sa;

    sigact(SIGUSR1, sig_note, (int)SA_RESETHAND);
    raise(SIGUSR1);
    CHECK(sig_count == 1 && sigaction(SIGUSR1, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL);
}

void test_sig_unblockable(void)
{
    struct sigaction sa = {.sa_handler = sig_note};
    sigset_t all, cur;

    CHECK_ERR(sigaction(SIGKILL, &sa, NULL), EINVAL);
    CHECK_ERR(sigaction(SIGSTOP, &sa, NULL), EINVAL);
    CHECK_ERR(sigaction(65, &sa, NULL), EINVAL);
    sigfillset(&all);
    CHECK(sigprocmask(SIG_SETMASK, &all, NULL) == 0 && sigprocmask(SIG_BLOCK, NULL, &cur) == 0);
    CHECK(!sigismember(&cur, SIGKILL) && !sigismember(&cur, SIGSTOP) && sigismember(&cur, SIGTERM));
    CHECK_ERR(sigprocmask(77, &all, NULL), EINVAL);
}

static char *alt_low, *alt_high;
static void on_alt_stack(int sig)
{
    char here;

    sig_count = &here > alt_low && &here < alt_high ? 1 : -1;
}

void test_sig_altstack(void)
{
    stack_t ss = {.ss_size = 32768}, old;

    ss.ss_sp = alt_low = malloc(ss.ss_size);
    alt_high = alt_low + ss.ss_size;
    CHECK(sigaltstack(&ss, NULL) == 0);
    sigact(SIGUSR1, on_alt_stack, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK(sig_count == 1);
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == alt_low && !(old.ss_flags & SS_DISABLE));
    ss.ss_size = 100;
    CHECK_ERR(sigaltstack(&ss, NULL), ENOMEM);
}

static int endless(volatile char *p)
{
    volatile char frame[512];

    frame[0] = *p;
    if (frame[0] == 77)
        return 0;
    return endless(frame) + frame[1];
}

void test_sig_stack_overflow(void)
{
    stack_t ss = {.ss_size = 65536};
    char c = 0;

    ss.ss_sp = malloc(ss.ss_size);
    CHECK(sigaltstack(&ss, NULL) == 0);
    act_info(SIGSEGV, jump_out, SA_ONSTACK);
    if (sigsetjmp(jump, 1) == 0) {
        endless(&c);
        CHECK(!"reached");
    }
    CHECK(last_info.si_signo == SIGSEGV);
    pid_t pid = fork(); /* without a stack for the handler the process dies */
    if (pid == 0) {
        ss.ss_flags = SS_DISABLE;
        sigaltstack(&ss, NULL);
        endless(&c);
        _exit(0);
    }
    child_killed(pid, SIGSEGV);
}

static void read_with_signal(int flags, ssize_t want, int err)
{
    int fd[2];
    char c;

    CHECK(pipe(fd) == 0);
    sigact(SIGUSR1, sig_note, flags);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        msleep(60);
        kill(parent, SIGUSR1);
        msleep(60);
        CHECK(write(fd[1], "x", 1) == 1);
        _exit(0);
    }
    errno = 0;
    ssize_t r = read(fd[0], &c, 1);
    CHECK(r == want && (r > 0 || errno == err) && sig_count == 1);
    child_ok(pid);
}

void test_sig_restart(void)
{
    read_with_signal(SA_RESTART, 1, 0);
}

void test_sig_eintr(void)
{
    read_with_signal(0, -1, EINTR);
}

void test_sig_ignored_wait(void)
{
    read_with_signal(SA_RESTART, 1, 0);
    struct timespec t = {0, 80000000}, left;
    double start = now();

    signal(SIGUSR1, SIG_IGN); /* ignored signals interrupt nothing */
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        msleep(20);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    CHECK(nanosleep(&t, &left) == 0 && now() - start > 0.079);
    child_ok(pid);
}

void test_sig_sleep(void)
{
    struct timespec t = {10, 0}, left = {0, 0};

    sigact(SIGALRM, sig_note, SA_RESTART); /* nanosleep is never restarted */
    struct itimerval it = {.it_value = {0, 50000}};
    CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
    CHECK_ERR(nanosleep(&t, &left), EINTR);
    CHECK(left.tv_sec == 9 && sig_count == 1);
}

void test_sig_suspend(void)
{
    sigset_t s = set_of(SIGUSR1), none, cur;

    sigemptyset(&none);
    sigact(SIGUSR1, sig_note, 0);
    CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
    raise(SIGUSR1);
    CHECK_ERR(sigsuspend(&none), EINTR);
    CHECK(sig_count == 1 && sigprocmask(SIG_BLOCK, NULL, &cur) == 0 && sigismember(&cur, SIGUSR1));
}

static int order[8], nordered;
static void note_value(int sig, siginfo_t *si, void *uc)
{
    if (nordered < 8)
        order[nordered++] = si->si_value.sival_int;
}

void test_sig_realtime(void)
{
    sigset_t s = set_of(SIGRTMIN + 3);

    act_info(SIGRTMIN + 3, note_value, 0);
    CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
    for (int i = 0; i < 5; i++)
        CHECK(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 10 + i}) == 0);
    CHECK(sigprocmask(SIG_UNBLOCK, &s, NULL) == 0);
    CHECK(nordered == 5);
    for (int i = 0; i < 5; i++)
        CHECK(order[i] == 10 + i);
}

void test_sig_timedwait(void)
{
    sigset_t s = set_of(SIGUSR1);
    struct timespec t = {0, 30000000};
    siginfo_t si;

    CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
    double start = now();
    CHECK_ERR(sigtimedwait(&s, &si, &t), EAGAIN);
    CHECK(now() - start > 0.029);
    raise(SIGUSR1);
    CHECK(sigtimedwait(&s, &si, &t) == SIGUSR1 && si.si_signo == SIGUSR1);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        msleep(20);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    CHECK(sigwaitinfo(&s, &si) == SIGUSR1 && si.si_pid == pid);
    child_ok(pid);
}

void test_sig_segv(void)
{
    volatile char *volatile bad = (char *)0x10;
    static const char ro[4096] __attribute__((aligned(4096))) = "read only";

    act_info(SIGSEGV, jump_out, 0);
    if (sigsetjmp(jump, 1) == 0)
        *bad = 1;
    CHECK(last_info.si_addr == (void *)0x10 && last_info.si_code == SEGV_MAPERR);
    if (sigsetjmp(jump, 1) == 0)
        *(volatile char *)ro = 1;
    CHECK(last_info.si_addr == (void *)ro && last_info.si_code == SEGV_ACCERR);
    bad = (char *)0xffffffff80000000UL;
    if (sigsetjmp(jump, 1) == 0)
        last_info.si_code = *bad;
    CHECK(last_info.si_signo == SIGSEGV);
    bad = (char *)0x8000000000000000UL; /* not canonical */
    last_info.si_signo = 0;
    if (sigsetjmp(jump, 1) == 0)
        last_info.si_code = *bad;
    CHECK(last_info.si_signo == SIGSEGV);
    pid_t pid = fork(); /* a blocked fault kills */
    if (pid == 0) {
        sigset_t s = set_of(SIGSEGV);

        sigprocmask(SIG_BLOCK, &s, NULL);
        bad = (char *)16;
        *bad = 1;
        _exit(0);
    }
    child_killed(pid, SIGSEGV);
}

void test_sig_fpe(void)
{
    volatile int zero = 0, one = 1;

    act_info(SIGFPE, jump_out, 0);
    if (sigsetjmp(jump, 1) == 0)
        one = one / zero;
    CHECK(last_info.si_signo == SIGFPE && last_info.si_code == FPE_INTDIV);
}

void test_sig_ill_trap(void)
{
    act_info(SIGILL, jump_out, 0);
    act_info(SIGTRAP, jump_out, 0);
    if (sigsetjmp(jump, 1) == 0)
        __asm__ volatile("ud2");
    CHECK(last_info.si_signo == SIGILL);
    if (sigsetjmp(jump, 1) == 0)
        __asm__ volatile("int3");
    CHECK(last_info.si_signo == SIGTRAP);
}

void test_sig_bus(void)
{
    put_file("f", "short", 5);
    int fd = open("f", O_RDWR);
    volatile char *p = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);

    CHECK(p != MAP_FAILED && p[0] == 's' && p[5] == 0 && p[4095] == 0);
    act_info(SIGBUS, jump_out, 0);
    if (sigsetjmp(jump, 1) == 0)
        sig_count = p[4096];
    CHECK(last_info.si_signo == SIGBUS && last_info.si_addr == (void *)(p + 4096));
}

void test_sig_pipe(void)
{
    int fd[2];

    CHECK(pipe(fd) == 0 && close(fd[0]) == 0);
    sigact(SIGPIPE, sig_note, 0);
    CHECK_ERR(write(fd[1], "x", 1), EPIPE);
    CHECK(sig_count == 1);
}

void test_sig_alarm(void)
{
    sigact(SIGALRM, sig_note, 0);
    CHECK(alarm(100) == 0);
    CHECK(alarm(1) >= 99);
    double start = now();
    pause();
    CHECK(sig_count == 1 && now() - start > 0.9 && now() - start < 10 && alarm(0) == 0);
}

void test_sig_itimer(void)
{
    struct itimerval it = {{0, 20000}, {0, 20000}}, left;
    double start = now();

    sigact(SIGALRM, sig_note, 0);
    CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
    while (sig_count < 5)
        pause();
    CHECK(now() - start > 0.099);
    CHECK(getitimer(ITIMER_REAL, &left) == 0 && left.it_interval.tv_usec == 20000);
    memset(&it, 0, sizeof(it));
    CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
    sigact(SIGVTALRM, sig_note, 0);
    sig_count = 0;
    it.it_value.tv_usec = 30000;
    CHECK(setitimer(ITIMER_VIRTUAL, &it, NULL) == 0);
    start = now();
    while (sig_count == 0 && now() - start < 10)
        ;
    CHECK(sig_last == SIGVTALRM);
}

void test_sig_group(void)
{
    pid_t pids[3];
    int ready[2];
    char c;

    CHECK(pipe(ready) == 0);
    for (int i = 0; i < 3; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            setpgid(0, i == 0 ? 0 : pids[0]);
            CHECK(write(ready[1], "r", 1) == 1);
            pause();
            _exit(0);
        }
        setpgid(pids[i], pids[0]);
    }
    for (int i = 0; i < 3; i++)
        CHECK(read(ready[0], &c, 1) == 1);
    CHECK(kill(-pids[0], SIGTERM) == 0);
    for (int i = 0; i < 3; i++)
        child_killed(pids[i], SIGTERM);
    CHECK_ERR(kill(-pids[0], 0), ESRCH);
}

void test_sig_kill_errors(void)
{
    CHECK_ERR(kill(1 << 22, SIGTERM), ESRCH);
    CHECK_ERR(kill(getpid(), 65), EINVAL);
    CHECK_ERR(kill(getpid(), -1), EINVAL);
    CHECK(kill(getpid(), 0) == 0);
    CHECK_ERR(syscall(SYS_tgkill, getpid(), 1 << 22, SIGTERM), ESRCH);
    CHECK_ERR(kill(INT_MIN, SIGTERM), ESRCH);
}

void test_sig_chld(void)
{
    sigset_t s = set_of(SIGCHLD);
    siginfo_t si;

    CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(5);
    CHECK(sigwaitinfo(&s, &si) == SIGCHLD);
    CHECK(si.si_pid == pid && si.si_code == CLD_EXITED && si.si_status == 5);
    CHECK(WEXITSTATUS(child_status(pid)) == 5);
    pid = fork();
    if (pid == 0) {
        raise(SIGSTOP);
        _exit(0);
    }
    CHECK(sigwaitinfo(&s, &si) == SIGCHLD && si.si_code == CLD_STOPPED && si.si_status == SIGSTOP);
    CHECK(kill(pid, SIGKILL) == 0);
    child_killed(pid, SIGKILL);
}

void test_sig_longjmp(void)
{
    sigset_t cur;

    act_info(SIGUSR1, jump_out, 0);
    for (int i = 0; i < 50; i++)
        if (sigsetjmp(jump, 1) == 0)
            raise(SIGUSR1);
    sigprocmask(SIG_BLOCK, NULL, &cur);
    CHECK(!sigismember(&cur, SIGUSR1));
}

/* A handler that ruins every register it may. */
static void ruin(int sig)
{
    sig_count++;
    __asm__ volatile(
        "movq $-1, %%rax; movq %%rax, %%xmm0; movq %%rax, %%xmm7; pcmpeqd %%xmm15, %%xmm15\n"
        "fninit; fldz; std; cld" ::
            : "rax", "xmm0", "xmm7", "xmm15", "memory");
}

void test_sig_registers(void)
{
    struct itimerval it = {{0, 3000}, {0, 3000}};
    double end = now() + 0.3;

    sigact(SIGALRM, ruin, SA_RESTART);
    CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
    while (now() < end) {
        uint64_t bad;

        __asm__ volatile("movq $0x1111, %%rbx; movq $0x2222, %%r12; movq $0x3333, %%r13\n"
                         "movq $0x4444, %%r14; movq $0x5555, %%r8; movq $0x6666, %%r11\n"
                         "movq $0x7777, %%rcx; movq %%rcx, %%xmm7; movq %%r8, %%xmm15\n"
                         "movl $20000, %%edx\n"
                         "1: subl $1, %%edx; jnz 1b\n"
                         "xorl %%eax, %%eax\n"
                         "cmpq $0x1111, %%rbx; jne 2f; cmpq $0x2222, %%r12; jne 2f\n"
                         "cmpq $0x3333, %%r13; jne 2f; cmpq $0x4444, %%r14; jne 2f\n"
                         "cmpq $0x5555, %%r8; jne 2f; cmpq $0x6666, %%r11; jne 2f\n"
                         "cmpq $0x7777, %%rcx; jne 2f\n"
                         "movq %%xmm7, %%rdx; cmpq $0x7777, %%rdx; jne 2f\n"
                         "movq %%xmm15, %%rdx; cmpq $0x5555, %%rdx; jne 2f\n"
                         "jmp 3f\n"
                         "2: movl $1, %%eax\n"
                         "3:"
                         : "=a"(bad)
                         :
                         : "rbx", "rcx", "rdx", "r8", "r11", "r12", "r13", "r14", "xmm7", "xmm15",
                           "cc", "memory");
        CHECK(bad == 0);
    }
    CHECK(sig_count > 3);
}

void test_sig_nested(void)
{
    /* Two signals pending at once: the handlers nest and both run before the call returns. */
    sigset_t s = set_of(SIGUSR1);

    sigaddset(&s, SIGUSR2);
    sigact(SIGUSR1, sig_note, 0);
    sigact(SIGUSR2, sig_note, 0);
    CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
    raise(SIGUSR1);
    raise(SIGUSR2);
    CHECK(sigprocmask(SIG_UNBLOCK, &s, NULL) == 0);
    CHECK(sig_count == 2);
}

void test_sig_stop_cont(void)
{
    int fd[2];
    char c;

    CHECK(pipe(fd) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(fd[0]);
        for (;;) {
            CHECK(write(fd[1], "t", 1) == 1);
            msleep(5);
        }
    }
    CHECK(read(fd[0], &c, 1) == 1);
    CHECK(kill(pid, SIGTSTP) == 0);
    int st;
    CHECK(waitpid(pid, &st, WUNTRACED) == pid && WIFSTOPPED(st) && WSTOPSIG(st) == SIGTSTP);
    fcntl(fd[0], F_SETFL, O_NONBLOCK);
    while (read(fd[0], &c, 1) == 1)
        ;
    msleep(60);
    CHECK_ERR(read(fd[0], &c, 1), EAGAIN); /* it stands still */
    fcntl(fd[0], F_SETFL, 0);
    CHECK(kill(pid, SIGCONT) == 0);
    CHECK(read(fd[0], &c, 1) == 1);
    CHECK(kill(pid, SIGSTOP) == 0 && kill(pid, SIGKILL) == 0);
    child_killed(pid, SIGKILL); /* a stopped process dies too */
}
