/* SPDX-License-Identifier: MIT */
/*
 * fake.h - a hypervisor of straw, for unit tests of libpv.
 *
 * It answers pv_trap() with what a test tells it and remembers what it was asked; it knows no
 * rules. (tests/pair has the real one.) The machine: NR_PAGES frames whose machine numbers are
 * scrambled, memory at fake_memory, p2m and m2p, shared_info.
 */
#ifndef TESTS_UNIT_LIBPV_FAKE_H
#define TESTS_UNIT_LIBPV_FAKE_H

#include <string.h>
#include <pv/pv.h>
#include "libpv/internal.h"

#define NR_PAGES  512
#define FIRST_MFN 0x1000
#define NR_MFNS   0x1300

/* A hypercall that was made. Arrays and structures that it named are copied as far as they fit. */
struct fake_call {
    uint64_t nr, arg[5];
    uint8_t bytes[128]; /* what the argument that is a structure or array pointed to, before */
};

extern struct fake {
    unsigned calls;
    struct fake_call call[256];
    /* Answers: called for each hypercall; NULL means 0. */
    int64_t (*answer)(uint64_t nr, const uint64_t *arg);
    uint64_t tsc;
} fake;

extern char fake_memory[NR_PAGES][PV_PAGE_SIZE];
extern struct xen_shared_info fake_shared;
extern struct xen_start_info fake_start;

/* Everything as after pv_start_init(), nothing asked yet. */
void fake_reset(void);

/* The machine frame behind a guest frame of the fake machine. */
uint64_t fake_mfn(uint64_t pfn);

#endif
