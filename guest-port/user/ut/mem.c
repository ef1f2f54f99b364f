/* SPDX-License-Identifier: MIT */
/* mem.c - memory: brk, mmap, mprotect, stacks, files in memory, more memory than there is. */
#include "ut.h"
#include <sched.h>
#include <setjmp.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#define PAGE 4096UL
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)

static sigjmp_buf jump;
static void jump_out(int sig)
{
    siglongjmp(jump, sig);
}

/* The signal that an access makes, 0: none. */
static int touch(volatile char *p, bool write)
{
    int sig;

    signal(SIGSEGV, jump_out);
    signal(SIGBUS, jump_out);
    sig = sigsetjmp(jump, 1);
    if (sig == 0) {
        if (write)
            *p = 1;
        else
            (void)*p;
    }
    return sig;
}

static void *map(size_t n)
{
    void *p = mmap(NULL, n, RW, ANON, -1, 0);

    CHECK(p != MAP_FAILED && ((uintptr_t)p & (PAGE - 1)) == 0);
    return p;
}

void test_brk(void)
{
    char *start = (char *)syscall(SYS_brk, 0);
    char *want = start + 40 * PAGE;

    CHECK(start && (char *)syscall(SYS_brk, want) == want);
    for (size_t i = 0; i < 40 * PAGE; i += PAGE) {
        CHECK(start[i] == 0);
        start[i] = 1;
    }
    CHECK((char *)syscall(SYS_brk, start) == start);
    CHECK(touch(start + 8 * PAGE, true) == SIGSEGV);
    CHECK((char *)syscall(SYS_brk, want) == want && start[9 * PAGE] == 0);
    CHECK((char *)syscall(SYS_brk, 16) == want); /* refused: the break stays */
    CHECK((char *)syscall(SYS_brk, ~0UL) == want);
}

void test_mmap_anon(void)
{
    char *p = map(100 * PAGE);

    for (size_t i = 0; i < 100 * PAGE; i += 511)
        CHECK(p[i] == 0);
    fill(p, 100 * PAGE, 9);
    CHECK(filled(p, 100 * PAGE, 9));
    CHECK(munmap(p, 100 * PAGE) == 0 && touch(p, false) == SIGSEGV);
    CHECK(munmap(p, 100 * PAGE) == 0); /* nothing there: fine */
}

void test_mmap_fixed(void)
{
    char *p = map(10 * PAGE);

    memset(p, 'a', 10 * PAGE);
    CHECK(mmap(p + 3 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0) == p + 3 * PAGE);
    CHECK(p[3 * PAGE - 1] == 'a' && p[3 * PAGE] == 0 && p[5 * PAGE - 1] == 0 && p[5 * PAGE] == 'a');
    CHECK(mmap(p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == EEXIST);
    char *hint = mmap(p, PAGE, RW, ANON, -1, 0); /* a taken hint is only a hint */
    CHECK(hint != MAP_FAILED && hint != p);
}

void test_munmap_hole(void)
{
    char *p = map(9 * PAGE);

    memset(p, 'x', 9 * PAGE);
    CHECK(munmap(p + 4 * PAGE, PAGE) == 0);
    CHECK(touch(p + 4 * PAGE, false) == SIGSEGV && touch(p + 5 * PAGE - 1, true) == SIGSEGV);
    CHECK(p[4 * PAGE - 1] == 'x' && p[5 * PAGE] == 'x');
    CHECK(munmap(p, 9 * PAGE) == 0 && touch(p + 8 * PAGE, false) == SIGSEGV);
}

void test_mprotect(void)
{
    char *p = map(6 * PAGE);

    memset(p, 'm', 6 * PAGE);
    CHECK(mprotect(p + 2 * PAGE, 2 * PAGE, PROT_READ) == 0);
    CHECK(touch(p + 2 * PAGE, false) == 0 && touch(p + 2 * PAGE, true) == SIGSEGV);
    CHECK(touch(p + PAGE, true) == 0 && touch(p + 4 * PAGE, true) == 0);
    CHECK(mprotect(p + 2 * PAGE, 2 * PAGE, PROT_NONE) == 0);
    CHECK(touch(p + 3 * PAGE, false) == SIGSEGV);
    CHECK(mprotect(p, 6 * PAGE, RW) == 0);
    CHECK(p[2 * PAGE + 1] == 'm' && touch(p + 3 * PAGE, true) == 0);
    CHECK_ERR(syscall(SYS_mprotect, p + 1, PAGE, PROT_READ), EINVAL); /* musl would round */
    CHECK(munmap(p + 3 * PAGE, PAGE) == 0);
    CHECK_ERR(mprotect(p, 6 * PAGE, PROT_READ), ENOMEM);
}

void test_nx(void)
{
    static const char code[] = "\xb8\x2a\0\0\0\xc3"; /* mov $42, %eax; ret */
    char *p = map(PAGE);

    memcpy(p, code, sizeof(code));
    signal(SIGSEGV, jump_out);
    if (sigsetjmp(jump, 1) == 0) {
        ((int (*)(void))(uintptr_t)p)();
        CHECK(!"data ran");
    }
    CHECK(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0);
    CHECK(((int (*)(void))(uintptr_t)p)() == 42);
    CHECK(touch(p, true) == SIGSEGV);
}

void test_mmap_file_private(void)
{
    char buf[3 * PAGE];

    fill(buf, sizeof(buf), 4);
    put_file("f", buf, sizeof(buf));
    int fd = open("f", O_RDONLY);
    char *p = mmap(NULL, sizeof(buf), RW, MAP_PRIVATE, fd, 0);
    CHECK(p != MAP_FAILED && close(fd) == 0 && filled(p, sizeof(buf), 4));
    memset(p + PAGE, 'z', 10);
    CHECK(get_file("f", buf, sizeof(buf)) == sizeof(buf) && filled(buf, sizeof(buf), 4));
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(p[PAGE] == 'z');
        p[PAGE] = 'y';
        _exit(0);
    }
    child_ok(pid);
    CHECK(p[PAGE] == 'z');
}

void test_mmap_file_shared(void)
{
    char buf[2 * PAGE + 100], c;

    memset(buf, 'o', sizeof(buf));
    put_file("f", buf, sizeof(buf));
    int fd = open("f", O_RDWR);
    char *p = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED);
    p[PAGE] = 'N';
    CHECK(pread(fd, &c, 1, PAGE) == 1 && c == 'N');
    CHECK(pwrite(fd, "W", 1, 5) == 1 && p[5] == 'W');
    p[2 * PAGE + 200] = 'E'; /* beyond the end: never reaches the file */
    CHECK(msync(p, 3 * PAGE, MS_SYNC) == 0 && munmap(p, 3 * PAGE) == 0);
    CHECK(lseek(fd, 0, SEEK_END) == (off_t)sizeof(buf));
    CHECK(get_file("f", buf, sizeof(buf)) == sizeof(buf) && buf[PAGE] == 'N' && buf[5] == 'W');
}

void test_mmap_shared_fork(void)
{
    int *p = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED);
    pid_t pid = fork();
    if (pid == 0) {
        p[0] = 77;
        while (__atomic_load_n(&p[1], __ATOMIC_ACQUIRE) != 78)
            sched_yield();
        _exit(0);
    }
    while (__atomic_load_n(&p[0], __ATOMIC_ACQUIRE) != 77)
        sched_yield();
    __atomic_store_n(&p[1], 78, __ATOMIC_RELEASE);
    child_ok(pid);
}

void test_mmap_two_procs(void)
{
    static char zero[2 * PAGE];

    put_file("f", zero, sizeof(zero));
    pid_t pid = fork();
    int fd = open("f", O_RDWR); /* two descriptions, two mappings, one file */
    volatile int *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED);
    if (pid == 0) {
        p[1024] = 5;
        while (p[0] != 6)
            sched_yield();
        _exit(0);
    }
    while (p[1024] != 5)
        sched_yield();
    p[0] = 6;
    child_ok(pid);
}

void test_mmap_offset(void)
{
    static char buf[8 * PAGE];

    fill(buf, sizeof(buf), 11);
    put_file("f", buf, sizeof(buf));
    int fd = open("f", O_RDONLY);
    char *p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 5 * PAGE);
    CHECK(p != MAP_FAILED && memcmp(p, buf + 5 * PAGE, 2 * PAGE) == 0);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 100) == MAP_FAILED && errno == EINVAL);
}

void test_mmap_errors(void)
{
    int p[2];

    put_file("f", "data", 4);
    int ro = open("f", O_RDONLY), wo = open("f", O_WRONLY);
    CHECK(pipe(p) == 0);
    CHECK(mmap(NULL, 0, RW, ANON, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, PAGE, RW, MAP_SHARED, 999, 0) == MAP_FAILED && errno == EBADF);
    CHECK(mmap(NULL, PAGE, RW, MAP_SHARED, ro, 0) == MAP_FAILED && errno == EACCES);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, wo, 0) == MAP_FAILED && errno == EACCES);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, p[0], 0) == MAP_FAILED && errno == ENODEV);
    CHECK(mmap((void *)1, PAGE, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap((void *)0xffff800000000000UL, PAGE, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED);
    CHECK(mmap(NULL, 1UL << 47, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM);
    CHECK_ERR(munmap((void *)1, PAGE), EINVAL);
    CHECK_ERR(munmap((void *)PAGE, 0), EINVAL);
    void *r = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0);
    CHECK(r != MAP_FAILED);
    CHECK_ERR(mprotect(r, PAGE, RW), EACCES); /* the file is not open for writing */
}

void test_mmap_unlinked(void)
{
    static char buf[PAGE];

    memset(buf, 'u', PAGE);
    put_file("f", buf, PAGE);
    int fd = open("f", O_RDWR);
    char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED && close(fd) == 0 && unlink("f") == 0);
    CHECK(p[100] == 'u');
    p[100] = 'v';
    CHECK(p[100] == 'v');
}

void test_mmap_truncate(void)
{
    static char buf[4 * PAGE];

    memset(buf, 't', sizeof(buf));
    put_file("f", buf, sizeof(buf));
    int fd = open("f", O_RDWR);
    char *p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED && touch(p + 3 * PAGE, true) == 0);
    CHECK(ftruncate(fd, PAGE + 10) == 0);
    CHECK(touch(p + 3 * PAGE, false) == SIGBUS && touch(p + 2 * PAGE, true) == SIGBUS);
    CHECK(p[PAGE + 9] == 't' && p[PAGE + 10] == 0);
    CHECK(ftruncate(fd, 4 * PAGE) == 0 && p[3 * PAGE] == 0);
}

static int deep(int n)
{
    volatile char frame[1000];

    frame[n % 1000] = (char)n;
    return n == 0 ? 0 : deep(n - 1) + (frame[n % 1000] != (char)n);
}

void test_stack_grows(void)
{
    CHECK(deep(4000) == 0); /* 4 MiB, a page at a time */
}

void test_stack_limit(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct rlimit rl = {256 << 10, 256 << 10};

        CHECK(setrlimit(RLIMIT_STACK, &rl) == 0);
        deep(100000);
        _exit(0);
    }
    child_killed(pid, SIGSEGV);
}

void test_mremap(void)
{
    char *p = map(5 * PAGE); /* the last page is in the way */

    fill(p, 4 * PAGE, 21);
    CHECK(mremap(p, 4 * PAGE, 8 * PAGE, 0) == MAP_FAILED && errno == ENOMEM);
    char *q = mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
    CHECK(q != MAP_FAILED && filled(q, 4 * PAGE, 21) && q[7 * PAGE] == 0);
    CHECK(touch(p, false) == SIGSEGV);
    CHECK(mremap(q, 8 * PAGE, 2 * PAGE, 0) == q && touch(q + 2 * PAGE, false) == SIGSEGV);
    CHECK(filled(q, 2 * PAGE, 21));
}

void test_madvise(void)
{
    char *p = map(8 * PAGE);

    memset(p, 'd', 8 * PAGE);
    CHECK(madvise(p + PAGE, 4 * PAGE, MADV_DONTNEED) == 0);
    CHECK(p[0] == 'd' && p[PAGE] == 0 && p[5 * PAGE - 1] == 0 && p[5 * PAGE] == 'd');
    CHECK_ERR(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
}

void test_mmap_many(void)
{
    enum { N = 400 };
    char *p = map(2 * N * PAGE);

    memset(p, 'k', 2 * N * PAGE);
    for (int i = 0; i < N; i++) /* a hole in every second page: N areas */
        CHECK(munmap(p + (2 * i + 1) * PAGE, PAGE) == 0);
    for (int i = 0; i < N; i++)
        CHECK(p[2 * i * PAGE] == 'k');
    CHECK(touch(p + 201 * PAGE, false) == SIGSEGV);
    for (int i = 0; i < N; i++)
        CHECK(mmap(p + (2 * i + 1) * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) != MAP_FAILED);
    CHECK(p[201 * PAGE] == 0 && p[200 * PAGE] == 'k');
    pid_t pid = fork();
    if (pid == 0)
        _exit(p[2 * PAGE] == 'k' ? 0 : 1);
    child_ok(pid);
}

void test_cow_chain(void)
{
    char *p = map(16 * PAGE);

    fill(p, 16 * PAGE, 1);
    for (unsigned depth = 2; depth < 8; depth++) {
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (pid > 0) {
            child_ok(pid);
            CHECK(filled(p, 16 * PAGE, depth - 1));
            if (depth == 2)
                return;
            _exit(0);
        }
        CHECK(filled(p, 16 * PAGE, depth - 1));
        fill(p, 16 * PAGE, depth);
    }
    _exit(filled(p, 16 * PAGE, 7) ? 0 : 1);
}

void test_fault_in_kernel(void)
{
    static char buf[8 * PAGE];
    int fd[2];

    /* The kernel touches pages that no program has touched yet. */
    fill(buf, sizeof(buf), 17);
    put_file("f", buf, sizeof(buf));
    char *p = map(8 * PAGE);
    int f = open("f", O_RDONLY);
    CHECK(read(f, p, 8 * PAGE) == 8 * PAGE && filled(p, 8 * PAGE, 17));
    CHECK(pipe(fd) == 0);
    char *q = map(PAGE);
    CHECK(write(fd[1], q, 100) == 100 && read(fd[0], p, 100) == 100 && p[99] == 0);
    char *m = mmap(NULL, 8 * PAGE, PROT_READ, MAP_PRIVATE, f, 0);
    int g = open("g", O_RDWR | O_CREAT, 0644);
    CHECK(write(g, m, 8 * PAGE) == 8 * PAGE);
    CHECK(pread(g, buf, sizeof(buf), 0) == sizeof(buf) && filled(buf, sizeof(buf), 17));
}

void test_self_read(void)
{
    static char buf[4 * PAGE];

    /* read(2) of a file into its own shared mapping must not lock up. */
    fill(buf, sizeof(buf), 30);
    put_file("f", buf, sizeof(buf));
    int fd = open("f", O_RDWR);
    char *p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED && read(fd, p, 4 * PAGE) == 4 * PAGE && filled(p, 4 * PAGE, 30));
    CHECK(pwrite(fd, p, 2 * PAGE, PAGE) == 2 * PAGE);
}

/* More memory than the machine has, when it is small; a fixed amount when it is not. */
static size_t many_pages(void)
{
    struct sysinfo si;

    CHECK(sysinfo(&si) == 0);
    uint64_t ram = si.totalram * (uint64_t)si.mem_unit, swap = si.freeswap * (uint64_t)si.mem_unit;
    uint64_t extra = swap / 2 < 24 << 20 ? swap / 2 : 24 << 20;
    uint64_t want = si.freeram * (uint64_t)si.mem_unit;

    want = ram > 512UL << 20 ? 64 << 20 : (want > ram / 2 ? want : ram / 2) * 9 / 10 + extra;
    return want / PAGE;
}

static bool page_is(const uint64_t *p, size_t i)
{
    p += i * (PAGE / 8);
    return p[0] == i * 0x9e3779b97f4a7c15UL && p[511] == ~i;
}

static uint64_t *fill_pages(size_t pages)
{
    uint64_t *p = map(pages * PAGE);

    for (size_t i = 0; i < pages; i++)
        p[i * (PAGE / 8)] = i * 0x9e3779b97f4a7c15UL, p[i * (PAGE / 8) + 511] = ~i;
    return p;
}

void test_swap_pressure(void)
{
    size_t pages = many_pages();
    uint64_t *p = fill_pages(pages);
    pid_t pid = fork(); /* swapped pages are shared with a child as well */

    if (pid == 0) {
        for (size_t i = 0; i < pages; i += 16)
            CHECK(page_is(p, i));
        _exit(0);
    }
    child_ok(pid);
    for (size_t i = 0; i < pages; i++)
        CHECK(page_is(p, i));
}

void test_swap_forks(void)
{
    size_t pages = many_pages();
    uint64_t *p = fill_pages(pages);

    for (unsigned n = 0; n < 4; n++) {
        pid_t pid = fork(); /* each of which needs memory for tables */

        if (pid == 0) {
            for (size_t i = n; i < pages; i += 64)
                memset(&p[i * (PAGE / 8)], (int)n + 1, PAGE);
            _exit(0);
        }
        child_ok(pid);
    }
    for (size_t i = 0; i < pages; i++)
        CHECK(page_is(p, i));
}

void test_memory_returns(void)
{
    struct sysinfo a, b;

    /* What a process maps and touches comes back when it ends. */
    CHECK(sysinfo(&a) == 0);
    for (int i = 0; i < 5; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            memset(map(8 << 20), 1, 8 << 20);
            _exit(0);
        }
        child_ok(pid);
    }
    CHECK(sysinfo(&b) == 0);
    if (a.totalram * (uint64_t)a.mem_unit < 512UL << 20) /* nobody else is on this machine */
        CHECK(b.freeram + b.bufferram + (16UL << 20) / b.mem_unit > a.freeram);
}
