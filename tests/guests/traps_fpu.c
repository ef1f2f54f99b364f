/* SPDX-License-Identifier: MIT */
/*
 * traps: floating point and vector registers belong to a virtual CPU, whatever runs in between.
 */
#include "traps.h"

#define SET(n, val) __asm__ volatile("movq %0, %%xmm" #n ::"r"((uint64_t)(val)))
#define GET(n)                                               \
    ({                                                       \
        uint64_t v_;                                         \
        __asm__ volatile("movq %%xmm" #n ", %0" : "=r"(v_)); \
        v_;                                                  \
    })

void fpu_preserved(void)
{
    uint16_t cw = 0x0f7f, got_cw;
    uint32_t csr = 0x9f80, got_csr;

    SET(0, 0x1111);
    SET(15, 0xffff);
    __asm__ volatile("fldcw %0\n\tldmxcsr %1\n\tfldpi" ::"m"(cw), "m"(csr));
    rt_version(XENVER_version, NULL);
    T_EQ(RT_TRY("ud2", ::: "memory"), 6);
    rt_sched(XEN_SCHEDOP_yield, NULL);
    rt_mmuext(XEN_MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
    rt_set_timer(rt_now() + 100000);
    t_spin(300000);
    __asm__ volatile("fnstcw %0\n\tstmxcsr %1" : "=m"(got_cw), "=m"(got_csr));
    T_EQ(GET(0), 0x1111);
    T_EQ(GET(15), 0xffff);
    T_EQ(got_cw, 0x0f7f);
    T_EQ(got_csr, 0x9f80);
    uint64_t pi[2] = {0, 0};
    __asm__ volatile("fstpt %0" : "=m"(pi));
    T_EQ(pi[0], 0xc90fdaa22168c234); /* rounded down, as the control word says */
    csr = 0x1f80;
    __asm__ volatile("fninit\n\tldmxcsr %0" ::"m"(csr));
}

/* With the flag set, the first use traps; the state behind it is what it was. */
void fpu_taskswitch(void)
{
    SET(4, 0x4444);
    T_EQ(rt_call1(HC(fpu_taskswitch), 1), 0);
    T_EQ(RT_TRY("movq %%xmm4, %%rax", ::: "rax"), 7);
    T_EQ(GET(4), 0x4444);
    T_EQ(rt_call1(HC(fpu_taskswitch), 1), 0);
    rt_sched(XEN_SCHEDOP_yield, NULL);
    T_EQ(RT_TRY("movq %%xmm4, %%rax", ::: "rax"), 7);
    T_EQ(GET(4), 0x4444);
}

void fpu_user(void)
{
    struct rt_regs r = user_regs(USER(fpu_check));

    r.rdi = 0x5757;
    r.rsi = 100000;
    rt_set_timer(rt_now() + 20000);
    user_run(&r);
    T_EQ(user_last.vector, 6);
    T_EQ(user_last.rax, 0x5757);
    rt_set_timer(0);
}

static volatile int peer_state; /* 1 started, 2 told to stop, 3 gone */
static volatile unsigned peer_turns, peer_errors;
static volatile uint32_t peer_mxcsr;
static volatile uint16_t peer_fcw;
static bool have_avx;

static void vector_set(uint64_t v)
{
    SET(0, v);
    SET(7, ~v);
    SET(15, v * 3);
    if (have_avx)
        __asm__ volatile("vmovq %0, %%xmm9\n\tvinsertf128 $1, %%xmm9, %%ymm9, %%ymm9" ::"r"(v)
                         : "memory");
}

static bool vector_ok(uint64_t v)
{
    uint64_t hi = v;

    if (have_avx)
        __asm__ volatile("vextractf128 $1, %%ymm9, %%xmm10\n\tvmovq %%xmm10, %0" : "=r"(hi));
    return GET(0) == v && GET(7) == ~v && GET(15) == v * 3 && hi == v;
}

/* AVX is a virtual CPU's own to switch on. */
static void avx_on(void)
{
    uint64_t cr4;

    if (!have_avx)
        return;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4\n\txsetbv" ::"r"(cr4 | 1ul << 18), "c"(0), "a"(7), "d"(0));
}

static void peer(void *arg)
{
    uint32_t csr;
    uint16_t cw;

    (void)arg;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(csr), "=m"(cw));
    peer_mxcsr = csr;
    peer_fcw = cw;
    avx_on();
    peer_state = 1;
    for (uint64_t n = 1; peer_state != 2; n++) {
        vector_set(n << 32);
        rt_sched(XEN_SCHEDOP_yield, NULL);
        if (!vector_ok(n << 32))
            peer_errors++;
        peer_turns++;
    }
    peer_state = 3;
}

void fpu_vcpus(void)
{
    uint32_t r[4];
    unsigned errors = 0;

    forced_cpuid(0xd, 0, r); /* what XCR0 may hold */
    have_avx = (r[0] & 7) == 7;
    if (rt_option("verbose"))
        rt_printf("AVX: %u\n", have_avx);
    avx_on();
    int64_t ret = rt_vcpu_start(1, peer, NULL);
    if (ret == -XEN_ENOENT)
        T_NA("one virtual CPU only");
    T_EQ(ret, 0);
    while (!peer_state)
        rt_sched(XEN_SCHEDOP_yield, NULL);
    for (uint64_t n = 1; n < 200 || (peer_turns < 100 && n < 20000); n++) {
        vector_set(n);
        rt_sched(XEN_SCHEDOP_yield, NULL);
        if (!vector_ok(n))
            errors++;
    }
    peer_state = 2;
    for (int i = 0; i < 10000 && rt_vcpu(XEN_VCPUOP_is_up, 1, NULL) == 1; i++)
        rt_sched(XEN_SCHEDOP_yield, NULL);
    T_EQ(errors, 0);
    T_EQ(peer_errors, 0);
    T_OK(peer_turns >= 100);
    T_EQ(peer_mxcsr, 0x1f80); /* a new virtual CPU has a reset FPU */
    T_EQ(peer_fcw, 0x37f);
    T_EQ(rt_vcpu(XEN_VCPUOP_is_up, 1, NULL), 0);
}
