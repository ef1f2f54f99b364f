/* SPDX-License-Identifier: MIT */
/*
 * The frame of the guest tests: a table of short essays, each with one verdict.
 *
 * A test function states what the hypervisor promises and checks it with T_EQ and T_OK; the first
 * failed check of a test is its verdict's reason, and the others of that test still run.  T_NA says
 * why a test has nothing to judge here (a privilege that only one side gives, for instance).
 *
 *     TEST image.name PASS
 *     TEST image.name FAIL calls.c:123: multicall(...) is -14, wanted -22
 *     TEST image.name NA why
 *     N passed, N failed, N skipped
 *
 * The verdicts on the shim and on real Xen must agree.  `only=NAME` on the command line runs one
 * test.  A test leaves the machine as it found it.
 */
#ifndef TESTS_GUESTS_T_H
#define TESTS_GUESTS_T_H

#include "rt.h"

struct test {
    const char *name;
    void (*fn)(void);
};

void t_run(const char *image, const struct test *tests, unsigned n);
void t_fail(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void t_na(const char *why);
/* Has the running test failed a check already? */
bool t_failed(void);
bool t_eq(const char *file, int line, const char *what, int64_t got, int64_t want);

#define T_EQ(got, want) t_eq(__FILE__, __LINE__, #got, (int64_t)(got), (int64_t)(want))
#define T_OK(cond)      ((cond) ? true : (t_fail(__FILE__, __LINE__, "%s does not hold", #cond), false))
#define T_NA(why)  \
    do {           \
        t_na(why); \
        return;    \
    } while (0)
#define RUN_TESTS(image, table) t_run(image, table, sizeof(table) / sizeof((table)[0]))

/* On Xen the guest is the first domain, with privileges that a guest of the shim lacks. */
static inline bool t_privileged(void)
{
    return rt_si->flags & XEN_SIF_INITDOMAIN;
}

/* Addresses that no hypercall may read or write on a guest's behalf. */
extern const uint64_t t_bad[];
extern const unsigned t_nr_bad;

/* A window of the tests' own, empty between tests: 2 MiB from WIN with one live L1 table. */
#define WIN 0x10000000000ul
extern volatile uint64_t *t_l1;
static inline uint64_t t_ptr(unsigned i)
{
    return rt_maddr((void *)&t_l1[i]);
}
static inline uint64_t t_pte(const void *page, uint64_t flags)
{
    return rt_mfn(page) << 12 | flags;
}
static inline uint64_t t_win(unsigned i)
{
    return WIN + i * PAGE;
}
void t_window(void);
void t_flush(void);
/* Does reading (writing) va fault? */
bool t_absent(uint64_t va);
bool t_readonly(uint64_t va);
uint16_t t_domid(void);
/* Busy for at least ns of system time. */
void t_spin(uint64_t ns);

#endif
