/* SPDX-License-Identifier: MIT */
/*
 * pair.h - libpv and the hypervisor's core in one process, with sanitizers looking on.
 *
 * pv_trap() is a call of the core's dispatcher. The guest's memory is real memory of this process,
 * mapped as the guest's validated page tables say: a page table is read-only here as well, and a
 * pointer into an address space works after that space was switched to. An event callback runs
 * at the end of a hypercall, as on a machine.
 *
 * A guest that sleeps sleeps until an event or its timer wakes it; what devices do meanwhile is
 * `pair.world`'s. If nothing is left that could wake it, that is a failure: a wake-up was lost.
 */
#ifndef TESTS_PAIR_H
#define TESTS_PAIR_H

#include <stdbool.h>
#include <stdint.h>
#include <pv/pv.h>
#include "libpv/internal.h"
#include "tests/support/hosted.h"

enum { PAGES = 1024, INFO = 1, CONSOLE = 2, STORE = 3, WINDOWS = 4, FIRST_FREE = 32, ROWS = 64 };

#define USER 0x300000000000ul /* an L4 slot that the kernel doesn't use */

extern struct pair {
    void (*before)(void); /* the machine is there, the guest not yet */
    bool (*world)(void);  /* the guest sleeps; false: nothing to do */
    unsigned *made;       /* calls by number, of all essays */
    unsigned calls;
    unsigned naps; /* sleeps that nothing ended but time */
    uint64_t free_page[PAGES], free_pages, windows;
} pair;
extern struct hosted_guest *g;
extern struct xen_start_info *si;

void pair_fail(const char *file, int line, const char *what) __attribute__((noreturn));
#define WANT(cond) ((cond) ? (void)0 : pair_fail(__FILE__, __LINE__, #cond))

/* The hypervisor refuses, with this error and for this reason. */
#define REFUSED(call, error, rule)               \
    do {                                         \
        uint64_t before = reason_counts[rule];   \
        WANT((call) == -(error));                \
        WANT(reason_counts[rule] == before + 1); \
    } while (0)

/*
 * Each essay runs in a child of its own, on a fresh machine with one guest of two vCPUs at the
 * first instruction of its kernel, and ends with an audit of all frame counts. TAP, but for the
 * plan. Returns how many failed.
 */
struct pair_essay {
    const char *what;
    void (*run)(void);
};
unsigned pair_run(const struct pair_essay *essays, unsigned n);

#endif
