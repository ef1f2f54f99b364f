/* SPDX-License-Identifier: MIT */
/*
 * ut.h - what a test of usertests may use.
 *
 * A test is a function test_NAME that returns when all is well and never returns when something is
 * not: CHECK says what and ends the process. It runs in a process, a process group and a directory
 * of its own, with SECONDS to live, and need not clean up. Children use CHECK too; their parent
 * looks at their status with child_ok.
 */
#ifndef UT_H
#define UT_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(c)                             \
    do {                                     \
        if (!(c))                            \
            ut_fail(__FILE__, __LINE__, #c); \
    } while (0)
/* The call fails, with this errno. */
#define CHECK_ERR(call, e)                                   \
    do {                                                     \
        errno = 0;                                           \
        if ((long)(call) != -1 || errno != (e))              \
            ut_fail(__FILE__, __LINE__, #call " gives " #e); \
    } while (0)

_Noreturn void ut_fail(const char *file, int line, const char *what);

int child_status(pid_t pid);           /* waitpid's status */
void child_ok(pid_t pid);              /* ... which must be exit(0) */
void child_killed(pid_t pid, int sig); /* ... which must be death by sig */
/* fork; in the child run fn(arg) and exit 0. */
pid_t in_child(void (*fn)(void *), void *arg);
void fill(void *buf, size_t n, unsigned seed); /* a pattern that tells every offset */
bool filled(const void *buf, size_t n, unsigned seed);
void put_file(const char *name, const void *data, size_t n);
size_t get_file(const char *name, void *buf, size_t n);
double now(void);
void msleep(int ms);
void sigact(int sig, void (*fn)(int), int flags);
extern volatile sig_atomic_t sig_count, sig_last;
void sig_note(int sig);     /* a handler: counts in sig_count, sets sig_last */
extern const char *ut_self; /* path of this program; `ut_self --child WORD` runs a helper */
int ut_child_main(int argc, char **argv);

#endif
