/* SPDX-License-Identifier: MIT */
/*
 * Rows of traps in kernel and user mode, and of emulated privileged instructions.
 *
 * The handlers are in handlers.S, registered for the row alone.  A trap's round trip proves itself:
 * nothing but a handler that ran skips the instruction; rows count what they can see beyond that.
 */
#include "bench.h"

extern const uint8_t bench_h_mark_skip[], bench_h_skip[], bench_h_skip_iretq[], bench_h_back[],
    bench_h_mark_err_skip[], bench_h_err_skip[], bench_h_demand[], bench_h_syscall_mark[],
    bench_h_syscall[], bench_user_page[], bench_u_nothing[], bench_u_syscall[], bench_u_int80[],
    bench_u_de[], bench_u_pf[], bench_u_leave[], bench_u_peek[];

uint64_t *bench_user_l4;
static uint64_t user_overhead;

#define USER_CODE 0x400000ul

static void handler(unsigned vector, const uint8_t *h)
{
    int64_t ret = rt_set_trap(vector, vector == 3 || vector == 0x80 ? 3 : 0, (uint64_t)h);
    CHECK(ret == 0, ret, vector);
}

static void handler_back(unsigned vector)
{
    handler(vector, (const uint8_t *)rt_stub_table[vector]);
}

/* The proof: the trap taken by the ordinary stub says that it is the one meant. */
#define PROVE(v_, insn, ...) CHECK(RT_TRY(insn, __VA_ARGS__) == (v_), rt_seen.vec, v_)

#define DIV_ZERO __asm__ volatile("div %%ebx" : : "b"(0) : "rax", "rdx", "rcx", "r11", "memory")

uint64_t row_de(uint64_t how)
{
    static const uint8_t *const h[] = {bench_h_mark_skip, bench_h_skip, bench_h_skip_iretq};
    uint64_t t;

    handler(0, h[how]);
    bench_mark = 0;
    if (how == TO_HANDLER) {
        bench_marker(0);
        uint64_t t0 = rt_tsc();
        DIV_ZERO;
        t = bench_part_took(bench_mark - t0 - bench_overhead);
        CHECK(bench_mark > t0, bench_mark, t0);
    } else {
        t = TIMED(DIV_ZERO);
    }
    handler_back(0);
    PROVE(0, "div %%ebx", ::"b"(0) : "rax", "rdx");
    return t;
}

uint64_t row_int3(uint64_t arg)
{
    (void)arg;
    handler(3, bench_h_back);
    uint64_t t = TIMED(__asm__ volatile("int3" ::: "rcx", "r11", "memory"));
    handler_back(3);
    PROVE(3, "int3", ::: "memory");
    return t;
}

uint64_t row_ud2(uint64_t arg)
{
    (void)arg;
    handler(6, bench_h_skip);
    uint64_t t = TIMED(__asm__ volatile("ud2" ::: "rcx", "r11", "memory"));
    handler_back(6);
    PROVE(6, "ud2", ::: "memory");
    return t;
}

uint64_t row_int80(uint64_t arg)
{
    (void)arg;
    handler(0x80, bench_h_back);
    uint64_t t = TIMED(__asm__ volatile("int $0x80" ::: "rcx", "r11", "memory"));
    handler_back(0x80);
    PROVE(0x80, "int $0x80", ::: "memory");
    return t;
}

uint64_t row_gp(uint64_t arg)
{
    (void)arg;
    handler(13, bench_h_err_skip);
    uint64_t t = TIMED(__asm__ volatile("mov %%eax, %%es" ::"a"(0xfffb) : "rcx", "r11", "memory"));
    handler_back(13);
    PROVE(13, "mov %%eax, %%es", ::"a"(0xfffb) : "memory");
    CHECK(rt_seen.error == 0xfff8, rt_seen.error, 0);
    return t;
}

#define TOUCH(va) \
    __asm__ volatile("mov %%al, (%%rdi)" ::"D"(va) : "rax", "rdx", "rcx", "r11", "memory")

uint64_t row_pf(uint64_t how)
{
    uint64_t va = win(511), t;

    handler(14, how == TO_HANDLER ? bench_h_mark_err_skip : bench_h_err_skip);
    if (how == TO_HANDLER) {
        bench_marker(0);
        uint64_t t0 = rt_tsc();
        TOUCH(va);
        t = bench_part_took(bench_mark - t0 - bench_overhead);
    } else {
        t = TIMED(TOUCH(va));
    }
    CHECK(rt_vi()->arch.cr2 == va, rt_vi()->arch.cr2, va);
    handler_back(14);
    return t;
}

uint64_t row_demand(uint64_t arg)
{
    uint64_t pte = pte_of(bench_b, PTE_RW);

    (void)arg;
    *bench_b = 0;
    handler(14, bench_h_demand);
    uint64_t t = TIMED(({
        uint64_t di = win(0), si = pte, dx = XEN_UVMF_NONE;
        __asm__ volatile("movb $0xbb, (%%rdi)"
                         : "+D"(di), "+S"(si), "+d"(dx)
                         :
                         : "rax", "rcx", "r11", "memory");
    }));
    handler_back(14);
    CHECK(*bench_b == 0xbb, *bench_b, bench_l1[0]);
    *bench_b = 0xbb;
    rt_va_map(win(0), 0, XEN_UVMF_INVLPG);
    return t;
}

/* ---- user mode ---- */

static struct rt_regs last_user;
static uint64_t last_user_sp;

static bool user_left(struct rt_regs *regs)
{
    if (!(regs->cs & 3))
        return false;
    last_user = *regs;
    last_user_sp = (uint64_t)(regs + 1);
    rt_user_leave();
}

static void user_run(const uint8_t *entry, uint64_t rdi)
{
    struct rt_regs regs;

    memset(&regs, 0, sizeof(regs));
    regs.rip = USER_CODE + (uint64_t)(entry - bench_user_page);
    regs.cs = XEN_FLAT_USER_CS64;
    regs.ss = XEN_FLAT_USER_SS64;
    regs.rflags = 0x202;
    regs.rsp = USER_CODE + PAGE - 64;
    regs.rdi = rdi;
    last_user.vector = 0;
    rt_user_enter(&regs);
    rt_vi()->evtchn_upcall_mask = 0;
    CHECK(last_user.vector == 6 && (last_user.cs & 3) == 3, last_user.vector, last_user.cs);
}

uint64_t bench_user_trap_sp(void)
{
    user_run(bench_u_leave, 0);
    return last_user_sp;
}

uint8_t bench_user_peek(uint64_t va)
{
    user_run(bench_u_peek, va);
    return (uint8_t)last_user.rax;
}

static uint64_t user_timed(const uint8_t *entry)
{
    bench_marker(0);
    user_run(entry, 0x1000);
    return bench_part_took(last_user.r9 - last_user.r8 - user_overhead);
}

uint64_t row_user(uint64_t what)
{
    uint64_t t;

    switch (what) {
    case USER_SYSCALL_MARK:
    case USER_SYSCALL:
        rt_set_callbacks(
            rt_enter_event, rt_enter_failsafe,
            (void (*)(void))(what == USER_SYSCALL ? bench_h_syscall : bench_h_syscall_mark));
        t = user_timed(bench_u_syscall);
        if (what == USER_SYSCALL_MARK) {
            CHECK(bench_mark > last_user.r8 && bench_mark < last_user.r9, bench_mark, 0);
            bench_part--;
            t = bench_part_took(bench_mark - last_user.r8 - user_overhead);
        }
        rt_set_callbacks(rt_enter_event, rt_enter_failsafe, rt_enter_syscall);
        return t;
    case USER_INT80:
        handler(0x80, bench_h_back);
        t = user_timed(bench_u_int80);
        handler_back(0x80);
        return t;
    case USER_DE:
        handler(0, bench_h_skip);
        t = user_timed(bench_u_de);
        handler_back(0);
        return t;
    default:
        handler(14, bench_h_err_skip);
        t = user_timed(bench_u_pf);
        handler_back(14);
        CHECK(rt_vi()->arch.cr2 == 0x1000, rt_vi()->arch.cr2, 0);
        return t;
    }
}

/* ---- emulated instructions ---- */

uint64_t row_cpuid(uint64_t arg)
{
    uint32_t a, b, c, d;
    uint64_t t = TIMED(__asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e; cpuid"
                                        : "=a"(a), "=b"(b), "=c"(c), "=d"(d)
                                        : "0"(0x40000000), "2"(0)
                                        : "memory"));

    (void)arg;
    CHECK(b == 0x566e6558 && c == 0x65584d4d && d == 0x4d4d566e, b, c);
    return t;
}

uint64_t row_read_cr0(uint64_t arg)
{
    uint64_t cr0;

    rt_call1(XEN_HYPERVISOR_fpu_taskswitch, 1);
    uint64_t t = TIMED(__asm__ volatile("mov %%cr0, %%rax" : "=a"(cr0)::"memory"));
    CHECK((cr0 & 0x80000009) == 0x80000009, cr0, arg);
    rt_call1(XEN_HYPERVISOR_fpu_taskswitch, 0);
    return t;
}

uint64_t row_read_cr3(uint64_t arg)
{
    uint64_t cr3;
    uint64_t t = TIMED(__asm__ volatile("mov %%cr3, %%rax" : "=a"(cr3)::"memory"));

    CHECK(cr3 == rt_mfn(rt_l4) << 12, cr3, arg);
    return t;
}

uint64_t row_clts(uint64_t arg)
{
    rt_call1(XEN_HYPERVISOR_fpu_taskswitch, 1);
    uint64_t t = TIMED(__asm__ volatile("clts" ::: "memory"));
    CHECK(RT_TRY("fninit", ) == -1, rt_seen.vec, arg);
    return t;
}

uint64_t row_rdmsr(uint64_t arg)
{
    static uint64_t word;
    uint32_t lo, hi;

    rt_set_segbase(XEN_SEGBASE_FS, (uint64_t)&word);
    uint64_t t = TIMED(__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(0xc0000100) : "memory"));
    CHECK(((uint64_t)hi << 32 | lo) == (uint64_t)&word, lo, arg);
    return t;
}

uint64_t row_wrmsr(uint64_t arg)
{
    static uint64_t words[2] = {5, 6}, turn, got;
    uint64_t *w = &words[turn++ & 1];
    uint64_t t =
        TIMED(__asm__ volatile("wrmsr" ::"a"((uint32_t)(uint64_t)w), "d"(~0u), "c"(0xc0000100)
                               : "memory"));

    __asm__ volatile("mov %%fs:0, %0" : "=r"(got));
    CHECK(got == *w, got, arg);
    return t;
}

void rows_trap_init(void)
{
    uint64_t *l3 = rt_page(), *l2 = rt_page(), *l1 = rt_page();
    uint8_t *code = rt_page();

    memcpy(code, bench_user_page, PAGE);
    l1[USER_CODE >> 12 & 511] = rt_mfn(code) << 12 | PTE_RO;
    l2[USER_CODE >> 21 & 511] = rt_mfn(l1) << 12 | PTE_RW;
    l3[0] = rt_mfn(l2) << 12 | PTE_RW;
    bench_user_l4 = rt_page();
    bench_user_l4[0] = rt_mfn(l3) << 12 | PTE_RW;
    rt_make_ro(l1);
    rt_make_ro(l2);
    rt_make_ro(l3);
    rt_make_ro(bench_user_l4);
    int64_t ret = rt_mmuext(XEN_MMUEXT_PIN_L4_TABLE, rt_mfn(bench_user_l4), 0);
    if (!ret)
        ret = rt_mmuext(XEN_MMUEXT_NEW_USER_BASEPTR, rt_mfn(bench_user_l4), 0);
    if (ret)
        rt_panic("user space: %ld", ret);
    rt_on(6, user_left);
    for (int i = 0; i < 4; i++) {
        user_run(bench_u_nothing, 0);
        user_overhead = last_user.r9 - last_user.r8;
    }
}
