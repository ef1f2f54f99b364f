/* SPDX-License-Identifier: MIT */
/*
 * Rows of whole address spaces: pinning and unpinning, and switching between spaces.
 *
 * The pinned spaces are built once and never loaded; their pages are read-only in the direct map
 * from then on.  The two spaces that are switched between are copies of the boot L4, which differ
 * in what win-like address PRIVATE shows: so each switch is proved by a read without a flush.
 */
#include "bench.h"

#define MAX_L1S 64
#define PRIVATE 0x18000000000ul /* L4 slot 3, in the switched spaces only */

static uint32_t done;

struct space {
    uint64_t *l4, *l3, *l2;
    uint64_t *l1[MAX_L1S];
};

static void *ro(void *page)
{
    rt_make_ro(page);
    return page;
}

/* A root with n L1 tables below it, each empty or with 512 read-write entries of bench_a. */
static struct space *space_get(uint64_t arg)
{
    static struct space spaces[8];
    static uint64_t args[8];
    static unsigned used;
    uint64_t n = arg >> 1, full = arg & 1;

    for (unsigned i = 0; i < used; i++) {
        if (args[i] == arg)
            return &spaces[i];
    }
    struct space *s = &spaces[used];
    args[used++] = arg;
    s->l4 = rt_page();
    s->l3 = rt_page();
    s->l2 = rt_page();
    for (uint64_t i = 0; i < n; i++) {
        s->l1[i] = rt_page();
        for (unsigned j = 0; full && j < 512; j++)
            s->l1[i][j] = pte_of(bench_a, PTE_RW);
        s->l2[i] = rt_mfn(s->l1[i]) << 12 | PTE_RW;
        ro(s->l1[i]);
    }
    s->l3[0] = rt_mfn(s->l2) << 12 | PTE_RW;
    s->l4[2] = rt_mfn(s->l3) << 12 | PTE_RW;
    ro(s->l2);
    ro(s->l3);
    ro(s->l4);
    return s;
}

static uint64_t pin_op(uint32_t cmd, uint64_t *l4)
{
    struct xen_mmuext_op op;
    int64_t ret;

    memset(&op, 0, sizeof(op));
    op.cmd = cmd;
    op.arg1.mfn = rt_mfn(l4);
    done = 0;
    uint64_t t = TIMED(ret = mmuext(&op, 1, &done));
    CHECK(ret == 0 && done == 1, ret, done);
    return t;
}

/* A table of a pinned space may not become writable; one of an unpinned space may. */
static void check_typed(const struct space *s, uint64_t n, bool typed)
{
    void *page = s->l1[n - 1];
    uint64_t flags = XEN_UVMF_INVLPG | XEN_UVMF_LOCAL;
    int64_t ret = rt_va_map((uint64_t)page, rt_mfn(page) << 12 | PTE_RW, flags);

    CHECK((ret != 0) == typed, ret, typed);
    if (!ret)
        rt_make_ro(page);
}

uint64_t row_pin(uint64_t arg)
{
    struct space *s = space_get(arg);
    uint64_t t = pin_op(XEN_MMUEXT_PIN_L4_TABLE, s->l4);

    check_typed(s, arg >> 1, true);
    pin_op(XEN_MMUEXT_UNPIN_TABLE, s->l4);
    return t;
}

uint64_t row_unpin(uint64_t arg)
{
    struct space *s = space_get(arg);

    pin_op(XEN_MMUEXT_PIN_L4_TABLE, s->l4);
    uint64_t t = pin_op(XEN_MMUEXT_UNPIN_TABLE, s->l4);
    check_typed(s, arg >> 1, false);
    return t;
}

/* ---- switching ---- */

static uint64_t *kernel_l4[2], *user_l4[2];
static volatile uint8_t *shown[2];

static void build_switched(void)
{
    if (kernel_l4[0])
        return;
    for (int i = 0; i < 2; i++) {
        uint64_t *l3 = rt_page(), *l2 = rt_page(), *l1 = rt_page();
        shown[i] = i ? bench_b : bench_a;
        l1[0] = pte_of(shown[i], PTE_RW);
        l2[0] = rt_mfn(ro(l1)) << 12 | PTE_RW;
        l3[0] = rt_mfn(ro(l2)) << 12 | PTE_RW;
        kernel_l4[i] = rt_page();
        user_l4[i] = rt_page();
        for (unsigned s = 0; s < 512; s++) {
            if (s < 256 || s > 271)
                kernel_l4[i][s] = rt_l4[s];
        }
        kernel_l4[i][3] = user_l4[i][3] = rt_mfn(ro(l3)) << 12 | PTE_RW;
        user_l4[i][0] = bench_user_l4[0];
        pin_op(XEN_MMUEXT_PIN_L4_TABLE, ro(kernel_l4[i]));
        pin_op(XEN_MMUEXT_PIN_L4_TABLE, ro(user_l4[i]));
    }
}

static void load(uint64_t *kernel, uint64_t *user)
{
    int64_t ret = rt_mmuext(XEN_MMUEXT_NEW_BASEPTR, rt_mfn(kernel), 0);
    if (!ret)
        ret = rt_mmuext(XEN_MMUEXT_NEW_USER_BASEPTR, user ? rt_mfn(user) : 0, 0);
    CHECK(ret == 0, ret, 0);
}

/* Starts in the space `turn`, with its private translation in the TLB; to the other one. */
static int from_one(void)
{
    static int turn;

    build_switched();
    turn ^= 1;
    load(kernel_l4[turn], user_l4[turn]);
    CHECK(peek(PRIVATE) == *shown[turn], turn, peek(PRIVATE));
    return turn ^ 1;
}

static void check_kernel_space(int to)
{
    CHECK(peek(PRIVATE) == *shown[to], to, peek(PRIVATE));
}

uint64_t row_baseptr(uint64_t arg)
{
    (void)arg;
    int to = from_one();
    struct xen_mmuext_op op;
    int64_t ret;

    memset(&op, 0, sizeof(op));
    op.cmd = XEN_MMUEXT_NEW_BASEPTR;
    op.arg1.mfn = rt_mfn(kernel_l4[to]);
    done = 0;
    uint64_t t = TIMED(ret = mmuext(&op, 1, &done));
    CHECK(ret == 0 && done == 1, ret, done);
    check_kernel_space(to);
    load(rt_l4, bench_user_l4);
    return t;
}

uint64_t row_user_baseptr(uint64_t arg)
{
    (void)arg;
    int to = from_one();
    struct xen_mmuext_op op;
    int64_t ret;

    memset(&op, 0, sizeof(op));
    op.cmd = XEN_MMUEXT_NEW_USER_BASEPTR;
    op.arg1.mfn = rt_mfn(user_l4[to]);
    done = 0;
    uint64_t t = TIMED(ret = mmuext(&op, 1, &done));
    CHECK(ret == 0 && done == 1, ret, done);
    CHECK(bench_user_peek(PRIVATE) == *shown[to], to, bench_user_peek(PRIVATE));
    load(rt_l4, bench_user_l4);
    return t;
}

uint64_t row_both_baseptr(uint64_t arg)
{
    (void)arg;
    int to = from_one();
    struct xen_mmuext_op op[2];
    int64_t ret;

    memset(op, 0, sizeof(op));
    op[0].cmd = XEN_MMUEXT_NEW_BASEPTR;
    op[0].arg1.mfn = rt_mfn(kernel_l4[to]);
    op[1].cmd = XEN_MMUEXT_NEW_USER_BASEPTR;
    op[1].arg1.mfn = rt_mfn(user_l4[to]);
    done = 0;
    uint64_t t = TIMED(ret = mmuext(op, 2, &done));
    CHECK(ret == 0 && done == 2, ret, done);
    check_kernel_space(to);
    CHECK(bench_user_peek(PRIVATE) == *shown[to], to, bench_user_peek(PRIVATE));
    load(rt_l4, bench_user_l4);
    return t;
}

uint64_t row_process_switch(uint64_t arg)
{
    static uint64_t words[2] = {11, 22};
    int to = from_one();
    struct xen_mmuext_op op[2];
    struct xen_multicall_entry calls[3];
    uint64_t word;
    int64_t ret;

    memset(op, 0, sizeof(op));
    memset(calls, 0, sizeof(calls));
    op[0].cmd = XEN_MMUEXT_NEW_BASEPTR;
    op[0].arg1.mfn = rt_mfn(kernel_l4[to]);
    op[1].cmd = XEN_MMUEXT_NEW_USER_BASEPTR;
    op[1].arg1.mfn = rt_mfn(user_l4[to]);
    calls[0].op = XEN_HYPERVISOR_stack_switch;
    calls[0].args[0] = XEN_FLAT_KERNEL_SS;
    calls[0].args[1] = rt_trap_stack(0);
    calls[1].op = XEN_HYPERVISOR_mmuext_op;
    calls[1].args[0] = (uint64_t)op;
    calls[1].args[1] = 2;
    calls[1].args[3] = XEN_DOMID_SELF;
    calls[2].op = XEN_HYPERVISOR_set_segment_base;
    calls[2].args[0] = XEN_SEGBASE_FS;
    calls[2].args[1] = (uint64_t)&words[to];
    uint64_t t = TIMED(ret = rt_call2(XEN_HYPERVISOR_multicall, (uint64_t)calls, 3));
    CHECK(ret == 0 && !calls[0].result && !calls[1].result && !calls[2].result, ret,
          calls[1].result);
    check_kernel_space(to);
    CHECK(bench_user_peek(PRIVATE) == *shown[to], to, arg);
    __asm__ volatile("mov %%fs:0, %0" : "=r"(word));
    CHECK(word == words[to], word, to);
    load(rt_l4, bench_user_l4);
    return t;
}

uint64_t row_mov_cr3(uint64_t arg)
{
    int to = from_one();
    uint64_t cr3 = rt_mfn(kernel_l4[to]) << 12;
    uint64_t t = TIMED(__asm__ volatile("mov %0, %%cr3" ::"r"(cr3) : "memory"));

    (void)arg;
    check_kernel_space(to);
    load(rt_l4, bench_user_l4);
    return t;
}
