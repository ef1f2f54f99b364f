/* SPDX-License-Identifier: MIT */
/* thread.c - threads, futexes, thread-local storage, and the floating-point state of everybody. */
#include "ut.h"

#include <pthread.h>
#include <sched.h>

#define FUTEX_WAIT         0
#define FUTEX_WAKE         1
#define FUTEX_PRIVATE_FLAG 128

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int counter;
static __thread int tls = 5;

static pthread_t start(void *(*fn)(void *), void *arg)
{
    pthread_t t;

    CHECK(pthread_create(&t, NULL, fn, arg) == 0);
    return t;
}

static void *add_up(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&lock);
        int v = counter;
        if (i % 100 == 0)
            sched_yield();
        counter = v + 1;
        pthread_mutex_unlock(&lock);
    }
    return (void *)((uintptr_t)arg + 1);
}

void test_thread_mutex(void)
{
    pthread_t t[4];
    void *r;

    for (uintptr_t i = 0; i < 4; i++)
        t[i] = start(add_up, (void *)i);
    for (uintptr_t i = 0; i < 4; i++)
        CHECK(pthread_join(t[i], &r) == 0 && (uintptr_t)r == i + 1);
    CHECK(counter == 8000);
}

static void *ping(void *arg)
{
    int me = (int)(uintptr_t)arg;

    for (int i = 0; i < 300; i++) {
        pthread_mutex_lock(&lock);
        while (counter % 2 != me)
            pthread_cond_wait(&cond, &lock);
        counter++;
        pthread_cond_broadcast(&cond);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

void test_thread_cond(void)
{
    pthread_t a = start(ping, (void *)0), b = start(ping, (void *)1);

    CHECK(pthread_join(a, NULL) == 0 && pthread_join(b, NULL) == 0 && counter == 600);
}

static void *use_tls(void *arg)
{
    CHECK(tls == 5);
    tls = (int)(uintptr_t)arg;
    for (int i = 0; i < 50; i++) {
        sched_yield();
        CHECK(tls == (int)(uintptr_t)arg);
    }
    return NULL;
}

void test_thread_tls(void)
{
    pthread_t t[6];

    for (uintptr_t i = 0; i < 6; i++)
        t[i] = start(use_tls, (void *)(i + 100));
    for (int i = 0; i < 6; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
    CHECK(tls == 5);
}

static void *identity(void *arg)
{
    CHECK(getpid() == *(pid_t *)arg && syscall(SYS_gettid) != getpid());
    return NULL;
}

void test_thread_many(void)
{
    pid_t pid = getpid();

    for (int round = 0; round < 3; round++) {
        pthread_t t[30];

        for (int i = 0; i < 30; i++)
            t[i] = start(identity, &pid);
        for (int i = 0; i < 30; i++)
            CHECK(pthread_join(t[i], NULL) == 0);
    }
}

static void *shared_things(void *arg)
{
    CHECK(chdir("sub") == 0);
    *(int *)arg = open("in-sub", O_CREAT | O_RDWR, 0644);
    CHECK(write(*(int *)arg, "thread", 6) == 6);
    return NULL;
}

void test_thread_shares(void)
{
    int fd = -1;
    char buf[8];

    CHECK(mkdir("sub", 0755) == 0);
    CHECK(pthread_join(start(shared_things, &fd), NULL) == 0);
    CHECK(pread(fd, buf, 8, 0) == 6 && access("in-sub", F_OK) == 0);
}

static void *forever(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static void *leave(void *arg)
{
    msleep(10);
    _exit(33);
}

void test_thread_exit_group(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        start(forever, NULL);
        start(leave, NULL);
        for (;;)
            pause();
    }
    CHECK(WEXITSTATUS(child_status(pid)) == 33);
    pid = fork();
    if (pid == 0) {
        start(forever, NULL);
        volatile int *volatile bad = (int *)8;

        *bad = 1; /* one thread's fault ends them all */
    }
    child_killed(pid, SIGSEGV);
}

static void *exec_here(void *arg)
{
    execl(ut_self, ut_self, "--child", "threads", (char *)NULL);
    _exit(1);
}

void test_thread_exec(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        start(forever, NULL);
        start(exec_here, NULL);
        for (;;)
            pause();
    }
    child_ok(pid); /* same pid, one thread, new program */
}

static void *fork_here(void *arg)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(syscall(SYS_gettid) == getpid() ? 0 : 1);
    child_ok(pid);
    return NULL;
}

void test_thread_fork(void)
{
    pthread_t t[3];

    for (int i = 0; i < 3; i++)
        t[i] = start(fork_here, NULL);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
}

static pthread_t handled_by;
static void note_thread(int sig)
{
    handled_by = pthread_self();
    sig_count++;
}

static void *wait_signal(void *arg)
{
    while (sig_count == 0)
        msleep(2);
    return NULL;
}

void test_thread_signal(void)
{
    sigact(SIGUSR1, note_thread, 0);
    pthread_t t = start(wait_signal, NULL);
    CHECK(pthread_kill(t, SIGUSR1) == 0 && pthread_join(t, NULL) == 0);
    CHECK(sig_count == 1 && pthread_equal(handled_by, t));
    sigset_t s; /* to the process: whoever does not block it */
    sig_count = 0;
    t = start(wait_signal, NULL);
    sigemptyset(&s);
    sigaddset(&s, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &s, NULL);
    CHECK(kill(getpid(), SIGUSR1) == 0 && pthread_join(t, NULL) == 0 &&
          pthread_equal(handled_by, t));
}

static long futex(volatile int *p, int op, int val, const struct timespec *t)
{
    return syscall(SYS_futex, p, op, val, t, NULL, 0);
}

void test_futex(void)
{
    static volatile int word = 7;
    struct timespec t = {0, 30000000};

    CHECK_ERR(futex(&word, FUTEX_WAIT, 8, NULL), EAGAIN);
    double begin = now();
    CHECK_ERR(futex(&word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 7, &t), ETIMEDOUT);
    CHECK(now() - begin > 0.029 && futex(&word, FUTEX_WAKE, 5, NULL) == 0);
    CHECK_ERR(futex((int *)((char *)&word + 1), FUTEX_WAIT, 7, NULL), EINVAL);
    CHECK_ERR(futex((int *)16, FUTEX_WAIT, 7, NULL), EFAULT);
}

void test_futex_shared(void)
{
    volatile int *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[3];

    for (int i = 0; i < 3; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            __atomic_add_fetch(&p[1], 1, __ATOMIC_SEQ_CST);
            while (p[0] == 0)
                futex(p, FUTEX_WAIT, 0, NULL);
            _exit(0);
        }
    }
    while (p[1] != 3)
        msleep(1);
    msleep(20);
    p[0] = 1;
    CHECK(futex(p, FUTEX_WAKE, 1, NULL) == 1 && futex(p, FUTEX_WAKE, 100, NULL) == 2);
    for (int i = 0; i < 3; i++)
        child_ok(pids[i]);
}

static void *detached(void *arg)
{
    __atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

void test_thread_detach(void)
{
    pthread_attr_t a;
    pthread_t t;

    pthread_attr_init(&a);
    pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 100; i++) {
        CHECK(pthread_create(&t, &a, detached, NULL) == 0);
        if (i % 10 == 9)
            msleep(1);
    }
    while (__atomic_load_n(&counter, __ATOMIC_SEQ_CST) < 100)
        msleep(1);
}

/* --- floating point ----------------------------------------------------------------------------
 */

static bool have_avx(void)
{
    uint32_t a = 1, b, c = 0, d, lo, hi;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (!(c >> 27 & 1) || !(c >> 28 & 1))
        return false;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (lo & 6) == 6;
}

/* Holds a value of its own in registers while others run, and looks at it again. */
static void hold(uint64_t v, bool avx)
{
    double end = now() + 0.25;

    while (now() < end) {
        uint64_t q[4] = {v, ~v, v * 3, v ^ 0x5555}, back[4] = {0};
        double x87 = (double)v, x87back;
        uint32_t mx = 0x1f80 | (uint32_t)(v & 3) << 13, mxback;

        __asm__ volatile("fldl %0" ::"m"(x87));
        __asm__ volatile("ldmxcsr %0" ::"m"(mx));
        if (avx)
            __asm__ volatile(
                "vmovdqu %1, %%ymm9\n movl $20000, %%ecx\n 1: subl $1, %%ecx\n jnz 1b\n"
                "vmovdqu %%ymm9, %0\n vzeroupper"
                : "=m"(back)
                : "m"(q)
                : "ecx", "xmm9", "cc");
        else
            __asm__ volatile("movdqu %1, %%xmm9\n movl $20000, %%ecx\n 1: subl $1, %%ecx\n jnz 1b\n"
                             "movdqu %%xmm9, %0"
                             : "=m"(back)
                             : "m"(q)
                             : "ecx", "xmm9", "cc");
        __asm__ volatile("stmxcsr %0" : "=m"(mxback));
        __asm__ volatile("fstpl %0" : "=m"(x87back));
        CHECK(back[0] == q[0] && back[1] == q[1] && x87 == x87back && mx == mxback);
        if (avx)
            CHECK(back[2] == q[2] && back[3] == q[3]);
        mx = 0x1f80;
        __asm__ volatile("ldmxcsr %0" ::"m"(mx));
    }
}

static void hold_sse(void *arg)
{
    hold(1000 + (uintptr_t)arg, false);
}

static void hold_avx(void *arg)
{
    hold(2000 + (uintptr_t)arg, true);
}

static void hold_all(void (*fn)(void *))
{
    pid_t pids[4];

    for (uintptr_t i = 0; i < 4; i++)
        pids[i] = in_child(fn, (void *)i);
    for (int i = 0; i < 4; i++)
        child_ok(pids[i]);
}

void test_fpu_switch(void)
{
    hold_all(hold_sse);
}

void test_avx_switch(void)
{
    if (have_avx())
        hold_all(hold_avx);
    else
        hold_all(hold_sse); /* this machine has none */
}

void test_fpu_fork(void)
{
    uint64_t v = 0x123456789abcdef0UL, back;
    pid_t pid;

    /* fork by hand: the C library may use the registers */
    __asm__ volatile("movq %2, %%xmm11\n movl $57, %%eax\n syscall\n movq %%xmm11, %1"
                     : "=a"(pid), "=r"(back)
                     : "r"(v)
                     : "rcx", "r11", "xmm11", "memory");
    if (pid == 0)
        _exit(back == v ? 0 : 1);
    CHECK(back == v);
    child_ok(pid);
}

void test_fpu_exec(void)
{
    uint32_t mx = 0x7f80;
    uint16_t cw = 0x27f;

    __asm__ volatile("ldmxcsr %0; fldcw %1" ::"m"(mx), "m"(cw));
    pid_t pid = fork();
    if (pid == 0) {
        execl(ut_self, ut_self, "--child", "fpu", (char *)NULL);
        _exit(1);
    }
    child_ok(pid); /* exec starts with the ABI's control words */
}
