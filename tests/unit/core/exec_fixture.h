/* SPDX-License-Identifier: MIT
 *
 * exec_fixture.h - what the unit tests of the executive begin with: two guests, the first of
 * which has two vCPUs and runs. Arguments lie in a page of its memory; every refusal is checked
 * by its rule's name as well as by its error. After each test all counts are audited.
 */
#ifndef EXEC_FIXTURE_H
#define EXEC_FIXTURE_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <pv/abi/errno.h>
#include "core/event.h"
#include "core/guest_mem.h"
#include "core/misc.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/timer.h"
#include "core/trace.h"
#include "backend/console.h"
#include "tests/support/hosted.h"

enum { PAGES = 64, ARGS = 0, STACK = 8, USER_STACK = 9 };

#define BAD_VA   0x1000ull             /* not mapped */
#define HV_VA    HV_VA_START           /* the hypervisor's */
#define WEIRD_VA 0x0000800000000000ull /* not canonical */
#define HANDLER  0x400000ull

static struct hosted_guest *g, *other;
static struct vcpu *v, *v1; /* of g */

static inline void exec_setup(void)
{
    hosted_init(4096);
    hosted.quiet = true;
    hv.noexit = 1;
    g = hosted_guest(1, PAGES, 2);
    other = hosted_guest(2, PAGES, 1);
    v = g->v;
    v1 = g->d->vcpu[1];
    hosted_run(v);
}

static inline void exec_teardown(void)
{
    hosted.quiet = false;
    if (frame_audit())
        abort(); /* Criterion does not count what an assertion says here */
    hosted_exit();
}

static inline void *args(void)
{
    return hosted_page(g, ARGS);
}
static inline uint64_t args_va(void)
{
    return hosted_va(ARGS);
}

/* A call whose last argument points to n bytes, which are copied there and back. */
static inline long call_with(uint64_t nr, uint64_t a1, void *arg, size_t n)
{
    long rc;

    memcpy(args(), arg, n);
    rc = hosted_call(v, nr, a1, args_va(), 0, 0);
    memcpy(arg, args(), n);
    return rc;
}

static inline long call(uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3)
{
    return hosted_call(v, nr, a1, a2, a3, 0);
}

/* What the entry code does with SYSCALL. */
static inline struct vcpu *syscall_of(struct vcpu *who)
{
    struct vcpu *next = hv_syscall(who);

    return next ? next : hv_leave_slow(who);
}

/* The same by the way that the processor takes: hv_syscall() to whoever runs next. */
static inline struct vcpu *enter(struct vcpu *who, uint64_t nr, uint64_t a1, uint64_t a2)
{
    who->regs.rax = nr;
    who->regs.rdi = a1;
    who->regs.rsi = a2;
    return syscall_of(who);
}

static inline const struct reason *last_of(const struct hosted_guest *who)
{
    const struct reason_ring *r = &who->d->reasons;

    return &r->entry[(r->count - 1) % REASON_RING];
}

#define assert_refused(call_, rule_, err_)                                         \
    do {                                                                           \
        uint64_t before_ = reason_counts[rule_];                                   \
        long rc_ = (call_);                                                        \
        cr_assert_eq(rc_, -(long)(err_), "%s gave %ld", #call_, rc_);              \
        cr_assert_eq(reason_counts[rule_], before_ + 1, "%s: rule was %s", #call_, \
                     rule_name(last_of(g)->rule));                                 \
    } while (0)

#define assert_killed(call_, rule_)                                                \
    do {                                                                           \
        uint64_t before_ = reason_counts[rule_];                                   \
        (void)(call_);                                                             \
        cr_assert_eq(g->d->state, DOMAIN_CRASHED, "%s: it lives", #call_);         \
        cr_assert_eq(reason_counts[rule_], before_ + 1, "%s: rule was %s", #call_, \
                     rule_name(last_of(g)->rule));                                 \
        cr_assert_eq(other->d->state, DOMAIN_RUNNING);                             \
    } while (0)

static inline bool bit(const uint64_t *words, unsigned n)
{
    return words[n / 64] >> (n % 64) & 1;
}
static inline void set_bit(uint64_t *words, unsigned n)
{
    words[n / 64] |= 1ull << (n % 64);
}

#endif
