/* SPDX-License-Identifier: MIT */
/* file.c - files: open, read, write, seek, holes, truncate, links, times, rights, locks. */
#include "ut.h"
#include <stddef.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <sys/uio.h>

static int make(const char *name)
{
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);

    CHECK(fd >= 0);
    return fd;
}

void test_open_flags(void)
{
    char c;
    int fd = make("f");

    CHECK_ERR(open("f", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
    CHECK(write(fd, "hello", 5) == 5);
    int ro = open("f", O_RDONLY), wo = open("f", O_WRONLY);
    CHECK_ERR(write(ro, "x", 1), EBADF);
    CHECK_ERR(read(wo, &c, 1), EBADF);
    int tr = open("f", O_RDWR | O_TRUNC);
    CHECK(lseek(tr, 0, SEEK_END) == 0);
    CHECK((fcntl(ro, F_GETFL) & O_ACCMODE) == O_RDONLY &&
          (fcntl(wo, F_GETFL) & O_ACCMODE) == O_WRONLY);
    CHECK(symlink("f", "l") == 0);
    CHECK_ERR(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK_ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
}

void test_open_errors(void)
{
    static char name[5000];

    CHECK(close(make("f")) == 0 && mkdir("d", 0755) == 0);
    CHECK_ERR(open("none", O_RDONLY), ENOENT);
    CHECK_ERR(open("none/f", O_RDWR | O_CREAT, 0644), ENOENT);
    CHECK_ERR(open("f/x", O_RDONLY), ENOTDIR);
    CHECK_ERR(open("d", O_RDWR), EISDIR);
    CHECK_ERR(open("", O_RDONLY), ENOENT);
    memset(name, 'n', 256);
    CHECK_ERR(open(name, O_RDWR | O_CREAT, 0644), ENAMETOOLONG);
    name[255] = 0;
    CHECK(close(make(name)) == 0 && unlink(name) == 0);
    memset(name, '/', sizeof(name) - 1);
    CHECK_ERR(open(name, O_RDONLY), ENAMETOOLONG);
    CHECK_ERR(read(open("d", O_RDONLY), name, 10), EISDIR);
}

void test_append(void)
{
    int a = open("f", O_WRONLY | O_CREAT | O_APPEND, 0644), b = open("f", O_WRONLY | O_APPEND);
    char buf[16] = "";

    CHECK(write(a, "1", 1) == 1 && write(b, "2", 1) == 1 && write(a, "3", 1) == 1);
    CHECK(lseek(b, 0, SEEK_SET) == 0 && write(b, "4", 1) == 1);
    CHECK(get_file("f", buf, 10) == 4 && strcmp(buf, "1234") == 0);
}

void test_seek(void)
{
    int fd = make("f"), p[2];
    char c;

    CHECK(write(fd, "0123456789", 10) == 10);
    CHECK(lseek(fd, 3, SEEK_SET) == 3 && read(fd, &c, 1) == 1 && c == '3');
    CHECK(lseek(fd, 2, SEEK_CUR) == 6 && read(fd, &c, 1) == 1 && c == '6');
    CHECK(lseek(fd, -1, SEEK_END) == 9 && read(fd, &c, 1) == 1 && c == '9' && read(fd, &c, 1) == 0);
    CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_ERR(lseek(fd, 0, 99), EINVAL);
    CHECK(pipe(p) == 0);
    CHECK_ERR(lseek(p[0], 0, SEEK_CUR), ESPIPE);
    CHECK(pread(fd, &c, 1, 4) == 1 && c == '4' && lseek(fd, 0, SEEK_CUR) == 10);
    CHECK(pwrite(fd, "X", 1, 4) == 1 && lseek(fd, 0, SEEK_CUR) == 10);
    CHECK_ERR(pread(fd, &c, 1, -1), EINVAL);
    CHECK_ERR(pread(p[0], &c, 1, 0), ESPIPE);
}

void test_vectors(void)
{
    int fd = make("f");
    char a[4] = "", b[8] = "";
    struct iovec v[3] = {{"abc", 3}, {"", 0}, {"defgh", 5}}, r[2] = {{a, 2}, {b, 7}};

    CHECK(writev(fd, v, 3) == 8 && lseek(fd, 0, SEEK_SET) == 0);
    CHECK(readv(fd, r, 2) == 8 && strcmp(a, "ab") == 0 && strcmp(b, "cdefgh") == 0);
    CHECK_ERR(writev(fd, v, -1), EINVAL);
    CHECK_ERR(writev(fd, v, 1025), EINVAL);
    CHECK(preadv(fd, r, 1, 6) == 2 && strcmp(a, "gh") == 0);
}

void test_hole(void)
{
    int fd = make("f");
    struct stat st;
    char c = 'x';

    CHECK(pwrite(fd, "end", 3, 9 << 20) == 3); /* beyond the single indirect block */
    CHECK(fstat(fd, &st) == 0 && st.st_size == (9 << 20) + 3 && st.st_blocks < 200);
    CHECK(pread(fd, &c, 1, 5 << 20) == 1 && c == 0);
    CHECK(pwrite(fd, "mid", 3, 5 << 20) == 3);
    CHECK(pread(fd, &c, 1, (5 << 20) + 3) == 1 && c == 0);
    CHECK(pread(fd, &c, 1, (9 << 20) + 2) == 1 && c == 'd');
}

void test_big_file(void)
{
    enum { CHUNK = 65536, N = 160 }; /* 10 MiB: into the double indirect blocks */
    static char buf[CHUNK];
    int fd = make("f");

    for (unsigned i = 0; i < N; i++) {
        fill(buf, CHUNK, i);
        CHECK(write(fd, buf, CHUNK) == CHUNK);
    }
    CHECK(fsync(fd) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    for (unsigned i = 0; i < N; i++)
        CHECK(read(fd, buf, CHUNK) == CHUNK && filled(buf, CHUNK, i));
    CHECK(read(fd, buf, CHUNK) == 0);
    CHECK(ftruncate(fd, 100) == 0 && fsync(fd) == 0);
}

void test_odd_sizes(void)
{
    static char buf[20000], back[20000];
    int fd = make("f");
    size_t total = 0;

    fill(buf, sizeof(buf), 3);
    for (size_t n = 1; total + n <= sizeof(buf); n = n * 3 % 4099 + 1) {
        CHECK(write(fd, buf + total, n) == (ssize_t)n);
        total += n;
    }
    CHECK(pread(fd, back, sizeof(back), 0) == (ssize_t)total && memcmp(buf, back, total) == 0);
    for (size_t i = 0; i < 200; i++) /* one byte at a time, over block borders */
        CHECK(pread(fd, back, 1, (off_t)(4000 + i)) == 1 && back[0] == buf[4000 + i]);
}

void test_truncate(void)
{
    int fd = make("f");
    char buf[100];

    memset(buf, 'a', sizeof(buf));
    CHECK(write(fd, buf, 100) == 100 && ftruncate(fd, 40) == 0 && ftruncate(fd, 90) == 0);
    CHECK(pread(fd, buf, 100, 0) == 90 && buf[39] == 'a' && buf[40] == 0 && buf[89] == 0);
    CHECK(truncate("f", 0) == 0 && pread(fd, buf, 100, 0) == 0);
    CHECK_ERR(ftruncate(fd, -1), EINVAL);
    CHECK_ERR(ftruncate(open("f", O_RDONLY), 0), EINVAL);
    CHECK_ERR(truncate("none", 0), ENOENT);
    CHECK_ERR(truncate(".", 0), EISDIR);
}

void test_unlink_open(void)
{
    int fd = make("f");
    struct stat st;
    char buf[8];

    CHECK(write(fd, "alive", 5) == 5 && unlink("f") == 0);
    CHECK_ERR(open("f", O_RDONLY), ENOENT);
    CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0);
    CHECK(pread(fd, buf, 8, 0) == 5 && write(fd, "!", 1) == 1);
    CHECK_ERR(unlink("f"), ENOENT);
    int fd2 = make("f"); /* the name is free for a new file */
    CHECK(pread(fd2, buf, 8, 0) == 0);
}

void test_link(void)
{
    struct stat a, b;
    int fd = make("a");

    CHECK(write(fd, "x", 1) == 1 && link("a", "b") == 0);
    CHECK(stat("a", &a) == 0 && stat("b", &b) == 0 && a.st_ino == b.st_ino && a.st_nlink == 2);
    CHECK(unlink("a") == 0 && stat("b", &b) == 0 && b.st_nlink == 1 && b.st_size == 1);
    CHECK_ERR(link("none", "c"), ENOENT);
    CHECK_ERR(link("b", "b"), EEXIST);
    CHECK_ERR(link(".", "dirlink"), EPERM);
    CHECK_ERR(link("b", "/dev/ut-none"), EXDEV);
    CHECK_ERR(unlink("."), EISDIR);
}

void test_symlink(void)
{
    char buf[64];
    struct stat st;

    put_file("target", "data", 4);
    CHECK(symlink("target", "l") == 0 && readlink("l", buf, sizeof(buf)) == 6);
    CHECK(memcmp(buf, "target", 6) == 0 && readlink("l", buf, 3) == 3);
    CHECK(lstat("l", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 6);
    CHECK(stat("l", &st) == 0 && S_ISREG(st.st_mode));
    CHECK(get_file("l", buf, sizeof(buf)) == 4);
    CHECK_ERR(readlink("target", buf, 5), EINVAL);
    CHECK(symlink("b", "a") == 0 && symlink("a", "b") == 0);
    CHECK_ERR(open("a", O_RDONLY), ELOOP);
    CHECK(symlink("none", "dangling") == 0);
    CHECK_ERR(open("dangling", O_RDONLY), ENOENT);
    CHECK(close(open("dangling", O_CREAT | O_WRONLY, 0644)) == 0 && access("none", F_OK) == 0);
    char longname[200];
    memset(longname, 'q', 199);
    longname[199] = 0; /* longer than what fits into an inode */
    char back[256];
    CHECK(symlink(longname, "long") == 0 && readlink("long", back, 256) == 199);
    CHECK(memcmp(back, longname, 199) == 0);
}

void test_symlink_walk(void)
{
    char cwd[512], got[512];

    CHECK(mkdir("d", 0755) == 0 && mkdir("d/e", 0755) == 0 && symlink("../d/e", "d/s") == 0);
    CHECK(close(make("d/s/f")) == 0 && access("d/e/f", F_OK) == 0);
    CHECK(getcwd(cwd, sizeof(cwd)) && chdir("d/s") == 0 && getcwd(got, sizeof(got)));
    CHECK(strncmp(got, cwd, strlen(cwd)) == 0 && strcmp(got + strlen(cwd), "/d/e") == 0);
    CHECK(chdir("..") == 0 && access("s", F_OK) == 0);
    strcat(cwd, "/d");
    CHECK(symlink(cwd, "abs") == 0 && access("abs/e/f", F_OK) == 0);
}

void test_rename(void)
{
    struct stat a, b;
    char buf[8];

    put_file("a", "A", 1);
    put_file("b", "B", 1);
    CHECK(stat("a", &a) == 0 && rename("a", "b") == 0 && stat("b", &b) == 0 &&
          a.st_ino == b.st_ino);
    CHECK_ERR(stat("a", &a), ENOENT);
    CHECK(get_file("b", buf, 8) == 1 && buf[0] == 'A');
    CHECK(link("b", "c") == 0 && rename("b", "c") == 0 && access("b", F_OK) == 0); /* same file */
    CHECK(mkdir("d", 0755) == 0 && mkdir("d/sub", 0755) == 0 && rename("d", "e") == 0);
    CHECK(access("e/sub", F_OK) == 0 && rename("c", "e/sub/c") == 0);
    CHECK_ERR(rename("e", "e/sub/x"), EINVAL);
    CHECK_ERR(rename("none", "x"), ENOENT);
    CHECK_ERR(rename("b", "e"), EISDIR);
    CHECK_ERR(rename("e", "b"), ENOTDIR);
    CHECK(mkdir("f", 0755) == 0);
    CHECK_ERR(rename("f", "e"), ENOTEMPTY);
    CHECK(rename("e", "f") == 0 && access("f/sub/c", F_OK) == 0);
    CHECK_ERR(rename(".", "x"), EBUSY);
    CHECK(rename("f/sub", "top") == 0 && stat("f", &a) == 0 && a.st_nlink == 2);
    CHECK(stat("top/..", &a) == 0 && stat(".", &b) == 0 && a.st_ino == b.st_ino);
}

void test_rename_open(void)
{
    char buf[8];

    put_file("a", "old", 3);
    put_file("b", "new", 3);
    int fd = open("a", O_RDONLY);
    CHECK(rename("b", "a") == 0);
    CHECK(read(fd, buf, 8) == 3 && memcmp(buf, "old", 3) == 0); /* the replaced file lives on */
    CHECK(get_file("a", buf, 8) == 3 && memcmp(buf, "new", 3) == 0);
}

void test_stat(void)
{
    struct stat st, fs;
    int fd = make("f");

    CHECK(write(fd, "12345", 5) == 5 && stat("f", &st) == 0 && fstat(fd, &fs) == 0);
    CHECK(S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0644 && st.st_nlink == 1 &&
          st.st_size == 5);
    CHECK(st.st_uid == geteuid() && st.st_ino == fs.st_ino && st.st_dev == fs.st_dev);
    CHECK(st.st_blksize >= 512 && st.st_mtim.tv_sec > 1600000000);
    CHECK(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0x103);
    CHECK(stat(".", &st) == 0 && S_ISDIR(st.st_mode) && st.st_nlink >= 1);
    CHECK_ERR(stat("none", &st), ENOENT);
    CHECK_ERR(stat("f/", &st), ENOTDIR);
    CHECK(fstatat(fd, "", &st, AT_EMPTY_PATH) == 0 && st.st_ino == fs.st_ino);
}

void test_statfs(void)
{
    struct statfs s;

    CHECK(statfs(".", &s) == 0 && s.f_bsize > 0 && s.f_blocks > 0 && s.f_bfree <= s.f_blocks);
    CHECK(s.f_namelen >= 255);
    CHECK_ERR(statfs("none", &s), ENOENT);
}

void test_chmod(void)
{
    struct stat st;
    int fd = make("f");

    CHECK(chmod("f", 04751) == 0 && stat("f", &st) == 0 && (st.st_mode & 07777) == 04751);
    CHECK(fchmod(fd, 0200) == 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0200);
    CHECK(chmod(".", 0777) == 0 && mkdir("d", 0755) == 0 && close(make("d/x")) == 0);
    CHECK(chmod("d", 0) == 0 && chmod("f", 0400) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (getuid() == 0)
            CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        CHECK_ERR(open("f", O_WRONLY), EACCES);
        CHECK_ERR(open("d/x", O_RDONLY), EACCES);
        CHECK_ERR(access("f", X_OK), EACCES);
        CHECK_ERR(mkdir("d/y", 0755), EACCES);
        _exit(0);
    }
    child_ok(pid);
}

void test_sticky(void)
{
    CHECK(chmod(".", 0777) == 0 && mkdir("t", 0777) == 0 && chmod("t", 01777) == 0);
    put_file("t/mine", "m", 1);
    pid_t pid = fork();
    if (pid == 0) {
        if (getuid() == 0) {
            CHECK(setgid(1000) == 0 && setuid(1000) == 0);
            CHECK_ERR(unlink("t/mine"), EPERM);
            CHECK_ERR(rename("t/mine", "t/x"), EPERM);
        }
        put_file("t/other", "o", 1);
        CHECK(unlink("t/other") == 0);
        _exit(0);
    }
    child_ok(pid);
}

void test_times(void)
{
    struct timespec ts[2] = {{1000000, 5}, {2000000, 7}};
    struct stat st, st2;
    int fd = make("f");

    CHECK(utimensat(AT_FDCWD, "f", ts, 0) == 0 && fstat(fd, &st) == 0);
    CHECK(st.st_atim.tv_sec == 1000000 && st.st_mtim.tv_sec == 2000000);
    CHECK(write(fd, "x", 1) == 1 && fstat(fd, &st) == 0 && st.st_mtim.tv_sec > 1600000000);
    ts[0].tv_nsec = UTIME_OMIT;
    ts[1].tv_nsec = UTIME_NOW;
    CHECK(futimens(fd, ts) == 0 && fstat(fd, &st2) == 0 && st2.st_atim.tv_sec == 1000000);
    ts[1].tv_nsec = 1000000000;
    CHECK_ERR(futimens(fd, ts), EINVAL);
}

void test_dup(void)
{
    int fd = make("f"), d = dup(fd), e = dup2(fd, 20);
    char c;

    CHECK(d > fd && e == 20 && write(d, "ab", 2) == 2 && lseek(fd, 0, SEEK_CUR) == 2);
    CHECK(lseek(e, 0, SEEK_SET) == 0 && read(fd, &c, 1) == 1 && c == 'a');
    CHECK(close(fd) == 0 && read(d, &c, 1) == 1 && c == 'b');
    CHECK_ERR(close(fd), EBADF);
    CHECK(dup2(e, e) == e);
    CHECK_ERR(dup3(e, e, 0), EINVAL);
    CHECK(dup3(e, 21, O_CLOEXEC) == 21 && fcntl(21, F_GETFD) == FD_CLOEXEC);
    CHECK(fcntl(e, F_DUPFD, 30) == 30);
    CHECK_ERR(dup2(99, 5), EBADF);
    CHECK_ERR(dup2(e, -1), EBADF);
    CHECK_ERR(fcntl(e, F_DUPFD, -1), EINVAL);
}

void test_fcntl(void)
{
    int fd = make("f");

    CHECK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK) == 0);
    CHECK((fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK | O_ACCMODE)) ==
          (O_APPEND | O_NONBLOCK | O_RDWR));
    CHECK(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK_ERR(fcntl(fd, 9999), EINVAL);
}

void test_record_locks(void)
{
    int fd = make("f");
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};

    CHECK(fcntl(fd, F_SETLK, &l) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_ERR(fcntl(fd, F_SETLK, &l), EAGAIN);
        struct flock q = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1};
        CHECK(fcntl(fd, F_GETLK, &q) == 0 && q.l_type == F_WRLCK && q.l_pid == getppid());
        q = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 20, .l_len = 5};
        CHECK(fcntl(fd, F_SETLK, &q) == 0);
        CHECK(fcntl(fd, F_SETLKW, &l) == 0); /* waits until the parent lets go */
        _exit(0);
    }
    msleep(80);
    l.l_type = F_UNLCK;
    CHECK(fcntl(fd, F_SETLK, &l) == 0);
    child_ok(pid);
    l.l_type = F_WRLCK; /* locks end with their process */
    l.l_start = 0;
    l.l_len = 0;
    CHECK(fcntl(fd, F_SETLK, &l) == 0);
}

void test_flock(void)
{
    int a = make("f"), b = open("f", O_RDWR);

    CHECK(flock(a, LOCK_EX) == 0);
    CHECK_ERR(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    CHECK(flock(a, LOCK_SH) == 0 && flock(b, LOCK_SH | LOCK_NB) == 0);
    CHECK_ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK(close(a) == 0 && flock(b, LOCK_EX | LOCK_NB) == 0);
}

void test_sendfile(void)
{
    static char buf[50000];
    off_t off = 10;

    fill(buf, sizeof(buf), 8);
    put_file("in", buf, sizeof(buf));
    int in = open("in", O_RDONLY), out = make("out");
    size_t want = sizeof(buf) - 10, got = 0;
    while (got < want) {
        ssize_t n = sendfile(out, in, &off, want - got);

        CHECK(n > 0);
        got += (size_t)n;
    }
    CHECK(off == sizeof(buf) && lseek(in, 0, SEEK_CUR) == 0);
    CHECK(get_file("out", buf, sizeof(buf)) == want);
    fill(buf, 0, 0);
}

void test_devices(void)
{
    char buf[64], zero[64] = {0};
    int n = open("/dev/null", O_RDWR), z = open("/dev/zero", O_RDWR), f = open("/dev/full", O_RDWR),
        r = open("/dev/urandom", O_RDONLY);

    CHECK(n >= 0 && z >= 0 && f >= 0 && r >= 0);
    CHECK(read(n, buf, 64) == 0 && write(n, buf, 64) == 64);
    memset(buf, 1, 64);
    CHECK(read(z, buf, 64) == 64 && memcmp(buf, zero, 64) == 0);
    CHECK_ERR(write(f, buf, 1), ENOSPC);
    CHECK(read(r, buf, 64) == 64 && memcmp(buf, zero, 64) != 0);
    CHECK(syscall(SYS_getrandom, buf, 64, 0) == 64);
    CHECK_ERR(open("/dev/none", O_RDONLY), ENOENT);
}

void test_proc_files(void)
{
    char buf[4096], name[64];
    ssize_t n;

    int fd = open("/proc/self/stat", O_RDONLY);
    CHECK(fd >= 0 && (n = read(fd, buf, sizeof(buf) - 1)) > 0);
    buf[n] = 0;
    CHECK(atoi(buf) == getpid() && strchr(buf, '(') && strstr(buf, ") R "));
    CHECK((n = readlink("/proc/self", name, 63)) > 0);
    name[n] = 0;
    CHECK(atoi(name) == getpid());
    fd = open("/proc/self/cmdline", O_RDONLY);
    CHECK(fd >= 0 && read(fd, buf, sizeof(buf)) > 0 && strstr(buf, "usertests"));
    fd = open("/proc/meminfo", O_RDONLY);
    CHECK(fd >= 0 && (n = read(fd, buf, sizeof(buf) - 1)) > 0);
    buf[n] = 0;
    CHECK(strstr(buf, "MemTotal:") && strstr(buf, "MemFree:"));
    fd = open("/proc/self/maps", O_RDONLY);
    CHECK(fd >= 0 && (n = read(fd, buf, sizeof(buf) - 1)) > 0);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    CHECK((n = readlink(name, buf, sizeof(buf))) > 5);
    CHECK(access("/proc/uptime", R_OK) == 0 && access("/proc/mounts", R_OK) == 0);
    CHECK_ERR(open("/proc/4194304/stat", O_RDONLY), ENOENT);
}

void test_text_busy(void)
{
    static char buf[1 << 20];
    int in = open(ut_self, O_RDONLY), out = make("prog");
    ssize_t n;

    while ((n = read(in, buf, sizeof(buf))) > 0)
        CHECK(write(out, buf, (size_t)n) == n);
    CHECK(fchmod(out, 0755) == 0 && close(out) == 0);
    int p[2];
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(p[0], 0);
        close(p[1]);
        execl("./prog", "prog", "--child", "threads", (char *)NULL);
        _exit(1);
    }
    child_ok(pid);
    CHECK((out = open("prog", O_WRONLY)) >= 0); /* not any more */
    pid = fork();
    if (pid == 0) {
        execl("./prog", "prog", "--child", "threads", (char *)NULL);
        _exit(errno == ETXTBSY ? 0 : 1); /* nor may it run while it is open for writing */
    }
    child_ok(pid);
}

static void append_lines(void *arg)
{
    char line[32];
    int fd = open("log", O_WRONLY | O_APPEND);

    for (int i = 0; i < 100; i++) {
        memset(line, 'a' + *(int *)arg, 31);
        line[31] = '\n';
        CHECK(write(fd, line, 32) == 32);
        if (i % 10 == 0)
            msleep(1);
    }
}

void test_append_many(void)
{
    static char buf[4 * 3200];
    pid_t pids[4];

    CHECK(close(make("log")) == 0);
    for (int i = 0; i < 4; i++)
        pids[i] = in_child(append_lines, &i);
    for (int i = 0; i < 4; i++)
        child_ok(pids[i]);
    CHECK(get_file("log", buf, sizeof(buf)) == sizeof(buf));
    for (size_t i = 0; i < sizeof(buf); i += 32)
        for (size_t j = 1; j < 31; j++)
            CHECK(buf[i + j] == buf[i]);
}

void test_sync(void)
{
    int fd = make("f");

    CHECK(write(fd, "durable", 7) == 7 && fsync(fd) == 0 && fdatasync(fd) == 0);
    sync();
    CHECK(syscall(SYS_syncfs, fd) == 0);
    int p[2];
    CHECK(pipe(p) == 0);
    CHECK_ERR(fsync(p[0]), EINVAL);
}
