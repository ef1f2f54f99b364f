/* SPDX-License-Identifier: MIT */
/* dir.c - directories: making, listing, many names, long names, the working directory, FIFO nodes.
 */
#include "ut.h"
#include <dirent.h>

void test_mkdir(void)
{
    struct stat st;

    CHECK(mkdir("d", 0755) == 0 && stat("d", &st) == 0 && S_ISDIR(st.st_mode) && st.st_nlink == 2);
    CHECK_ERR(mkdir("d", 0755), EEXIST);
    CHECK(mkdir("d/e/", 0755) == 0 && stat("d", &st) == 0 && st.st_nlink == 3);
    CHECK_ERR(rmdir("d"), ENOTEMPTY);
    CHECK_ERR(rmdir("d/e/."), EINVAL);
    CHECK_ERR(unlink("d/e"), EISDIR);
    CHECK(rmdir("d/e") == 0 && rmdir("d") == 0);
    CHECK_ERR(rmdir("d"), ENOENT);
    put_file("f", "", 0);
    CHECK_ERR(rmdir("f"), ENOTDIR);
    CHECK_ERR(mkdir("none/d", 0755), ENOENT);
    CHECK_ERR(rmdir(".."), ENOTEMPTY);
}

static int count(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;

    CHECK(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

void test_dir_many(void)
{
    enum { N = 600 };
    static unsigned char seen[N];
    char name[64];
    struct dirent *e;

    CHECK(mkdir("d", 0755) == 0);
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "d/a-rather-long-file-name-%d", i);
        put_file(name, "", 0);
    }
    DIR *d = opendir("d");
    while ((e = readdir(d)) != NULL) {
        int i;

        if (sscanf(e->d_name, "a-rather-long-file-name-%d", &i) != 1)
            continue;
        CHECK(i >= 0 && i < N && !seen[i]);
        seen[i] = 1;
    }
    closedir(d);
    for (int i = 0; i < N; i++) {
        CHECK(seen[i]);
        snprintf(name, sizeof(name), "d/a-rather-long-file-name-%d", i);
        CHECK(access(name, F_OK) == 0);
        if (i % 2)
            CHECK(unlink(name) == 0);
    }
    CHECK(count("d") == N / 2 + 2);
    for (int i = 0; i < N; i += 2) {
        snprintf(name, sizeof(name), "d/a-rather-long-file-name-%d", i);
        CHECK(unlink(name) == 0);
    }
    CHECK(count("d") == 2 && rmdir("d") == 0);
}

void test_dir_unlink_while(void)
{
    char name[32];
    struct dirent *e;
    int n = 0;

    CHECK(mkdir("d", 0755) == 0);
    for (int i = 0; i < 150; i++) {
        snprintf(name, sizeof(name), "d/%d", i);
        put_file(name, "", 0);
    }
    DIR *d = opendir("d"); /* rm -r does this: delete what readdir has just shown */
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "d/%.20s", e->d_name);
        CHECK(unlink(name) == 0);
        n++;
    }
    closedir(d);
    CHECK(n == 150 && rmdir("d") == 0);
}

void test_dir_names(void)
{
    static const char *const odd[] = {"a b",     "\xc3\xa4\xe2\x82\xac", "new\nline", "-rf", "...",
                                      "\x01\xff"};
    char name[260];

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        put_file(odd[i], "", 0);
    CHECK(count(".") == (int)(sizeof(odd) / sizeof(odd[0])) + 2);
    for (int len = 200; len <= 255; len += 11) {
        memset(name, 'A' + len % 20, (size_t)len);
        name[len] = 0;
        put_file(name, name, (size_t)len);
        CHECK(access(name, F_OK) == 0);
    }
}

void test_dir_seek(void)
{
    char name[8];
    struct dirent *e;

    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof(name), "%d", i);
        put_file(name, "", 0);
    }
    DIR *d = opendir(".");
    char at[300] = "";
    long pos = 0;
    for (int i = 0; i < 12; i++) {
        pos = telldir(d);
        CHECK((e = readdir(d)) != NULL);
        strcpy(at, e->d_name);
    }
    for (int i = 0; i < 7; i++)
        CHECK(readdir(d));
    seekdir(d, pos);
    CHECK((e = readdir(d)) && strcmp(e->d_name, at) == 0);
    rewinddir(d);
    int n = 0;
    while (readdir(d))
        n++;
    CHECK(n == 32);
    closedir(d);
}

void test_getcwd(void)
{
    char a[4096], b[4096];

    CHECK(getcwd(a, sizeof(a)));
    for (int i = 0; i < 12; i++)
        CHECK(mkdir("deeper-and-deeper", 0755) == 0 && chdir("deeper-and-deeper") == 0);
    CHECK(getcwd(b, sizeof(b)) && strlen(b) == strlen(a) + 12 * 18);
    CHECK(getcwd(b, 10) == NULL && errno == ERANGE);
    for (int i = 0; i < 12; i++)
        CHECK(chdir("..") == 0);
    CHECK(getcwd(b, sizeof(b)) && strcmp(a, b) == 0);
    CHECK_ERR(chdir("none"), ENOENT);
    put_file("f", "", 0);
    CHECK_ERR(chdir("f"), ENOTDIR);
    CHECK(mkdir("gone", 0755) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0);
    CHECK(getcwd(b, sizeof(b)) == NULL && errno == ENOENT);
    CHECK_ERR(open("x", O_CREAT | O_WRONLY, 0644), ENOENT);
}

void test_openat(void)
{
    CHECK(mkdir("d", 0755) == 0);
    int dir = open("d", O_RDONLY | O_DIRECTORY), fd;
    CHECK(dir >= 0 && (fd = openat(dir, "f", O_CREAT | O_WRONLY, 0644)) >= 0);
    CHECK(access("d/f", F_OK) == 0 && faccessat(dir, "f", F_OK, 0) == 0);
    CHECK(renameat(dir, "f", AT_FDCWD, "g") == 0 && access("g", F_OK) == 0);
    CHECK(mkdirat(dir, "sub", 0755) == 0 && unlinkat(dir, "sub", AT_REMOVEDIR) == 0);
    CHECK(symlinkat("../g", dir, "l") == 0 && access("d/l", F_OK) == 0);
    CHECK_ERR(openat(fd, "x", O_RDONLY), ENOTDIR);
    CHECK_ERR(openat(77, "x", O_RDONLY), EBADF);
    CHECK(fchdir(dir) == 0 && access("l", F_OK) == 0);
    CHECK_ERR(fchdir(fd), ENOTDIR);
}

void test_inode_reuse(void)
{
    struct stat st;

    for (int i = 0; i < 500; i++) {
        put_file("f", "x", 1);
        CHECK(stat("f", &st) == 0 && st.st_size == 1 && st.st_nlink == 1);
        CHECK(unlink("f") == 0);
    }
}

static void create_and_delete(void *arg)
{
    char name[32];

    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "shared/%d.%d", *(int *)arg, i);
        put_file(name, name, strlen(name));
    }
    for (int i = 0; i < 40; i += 2) {
        snprintf(name, sizeof(name), "shared/%d.%d", *(int *)arg, i);
        CHECK(unlink(name) == 0);
    }
}

void test_dir_concurrent(void)
{
    pid_t pids[4];

    CHECK(mkdir("shared", 0755) == 0);
    for (int i = 0; i < 4; i++)
        pids[i] = in_child(create_and_delete, &i);
    for (int i = 0; i < 4; i++)
        child_ok(pids[i]);
    CHECK(count("shared") == 4 * 20 + 2);
}

void test_fifo(void)
{
    char buf[16];
    struct stat st;

    CHECK(mkfifo("p", 0644) == 0 && stat("p", &st) == 0 && S_ISFIFO(st.st_mode));
    CHECK_ERR(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("p", O_WRONLY); /* waits for a reader */

        CHECK(fd >= 0 && write(fd, "through", 7) == 7);
        _exit(0);
    }
    int fd = open("p", O_RDONLY);
    CHECK(fd >= 0 && read(fd, buf, 16) == 7 && memcmp(buf, "through", 7) == 0);
    CHECK(read(fd, buf, 16) == 0); /* the writer has gone */
    child_ok(pid);
    int rw = open("p", O_RDONLY | O_NONBLOCK);
    CHECK(rw >= 0 && read(rw, buf, 16) == 0);
    int w = open("p", O_WRONLY | O_NONBLOCK);
    CHECK(w >= 0);
    CHECK_ERR(read(rw, buf, 16), EAGAIN);
}

void test_mknod_rights(void)
{
    CHECK(chmod(".", 0777) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (getuid() == 0)
            CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        CHECK_ERR(mknod("dev", S_IFCHR | 0666, 0x103), EPERM);
        CHECK(mknod("plain", S_IFREG | 0644, 0) == 0);
        _exit(0);
    }
    child_ok(pid);
    CHECK_ERR(mknod("plain", S_IFREG | 0644, 0), EEXIST);
}
