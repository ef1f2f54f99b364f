/* SPDX-License-Identifier: MIT */
/*
 * Rows of plain hypercalls: the way in and out, and calls that do next to nothing.
 *
 * Each call sits alone between two reads of the TSC, its arguments in registers.
 */
#include "bench.h"

uint64_t row_unknown(uint64_t arg)
{
    int64_t ret;
    uint64_t t = TIMED(ret = rt_call0(60));

    (void)arg;
    CHECK(ret == -XEN_ENOSYS, ret, 0);
    return t;
}

uint64_t row_xen_version(uint64_t arg)
{
    int64_t ret;
    uint64_t t = TIMED(ret = rt_call2(XEN_HYPERVISOR_xen_version, XENVER_version, arg));

    CHECK(ret == 0x40011, ret, 0);
    return t;
}

uint64_t row_stack_switch(uint64_t arg)
{
    static uint64_t turn;
    uint64_t sp = rt_trap_stack(0) - (++turn & 1) * 1024;
    int64_t ret;
    uint64_t t = TIMED(ret = rt_call2(XEN_HYPERVISOR_stack_switch, XEN_FLAT_KERNEL_SS, sp));

    (void)arg;
    uint64_t seen = bench_user_trap_sp();
    CHECK(ret == 0 && seen == sp, seen, sp);
    return t;
}

uint64_t row_segment_base(uint64_t arg)
{
    static uint64_t words[2] = {0x1111, 0x2222};
    static unsigned turn;
    uint64_t *w = &words[turn++ & 1], got;
    int64_t ret;
    uint64_t t =
        TIMED(ret = rt_call2(XEN_HYPERVISOR_set_segment_base, XEN_SEGBASE_FS, (uint64_t)w));

    (void)arg;
    __asm__ volatile("mov %%fs:0, %0" : "=r"(got));
    CHECK(ret == 0 && got == *w, ret, got);
    return t;
}

uint64_t row_taskswitch(uint64_t arg)
{
    static uint64_t turn;
    uint64_t cr0, set = ++turn & 1;
    int64_t ret;
    uint64_t t = TIMED(ret = rt_call1(XEN_HYPERVISOR_fpu_taskswitch, set));

    (void)arg;
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    CHECK(ret == 0 && (cr0 >> 3 & 1) == set, ret, cr0);
    if (set)
        CHECK(RT_TRY("fninit", ) == 7, rt_seen.vec, 0);
    rt_call1(XEN_HYPERVISOR_fpu_taskswitch, 0);
    return t;
}

uint64_t row_get_debugreg(uint64_t arg)
{
    static uint64_t turn;
    uint64_t want = (uint64_t)&turn + (turn++ & 7);
    int64_t ret = rt_call2(XEN_HYPERVISOR_set_debugreg, 1, want), got;
    uint64_t t = TIMED(got = rt_call1(XEN_HYPERVISOR_get_debugreg, 1));

    (void)arg;
    CHECK(ret == 0 && (uint64_t)got == want, ret, got);
    rt_call2(XEN_HYPERVISOR_set_debugreg, 1, 0);
    return t;
}

uint64_t row_update_descriptor(uint64_t arg)
{
    static uint64_t *gdt;
    static uint64_t turn;
    int64_t ret;

    (void)arg;
    if (!gdt) {
        gdt = rt_page();
        rt_make_ro(gdt);
        uint64_t frames[1] = {rt_mfn(gdt)};
        ret = rt_call2(XEN_HYPERVISOR_set_gdt, (uint64_t)frames, 512);
        CHECK(ret == 0, ret, 0);
    }
    /* A 64-bit code segment of DPL 3; the low limit byte tells one update from the next. */
    uint64_t desc = 0x00affb000000ff00ul | (++turn & 0xff);
    uint64_t where = rt_maddr(&gdt[5]);
    uint64_t t = TIMED(ret = rt_call2(XEN_HYPERVISOR_update_descriptor, where, desc));
    CHECK(ret == 0 && (gdt[5] | 1ul << 40) == (desc | 1ul << 40), ret, gdt[5]);
    return t;
}

uint64_t row_vcpu_is_up(uint64_t arg)
{
    int64_t ret;
    uint64_t t = TIMED(ret = rt_call3(XEN_HYPERVISOR_vcpu_op, XEN_VCPUOP_is_up, 0, 0));

    CHECK(ret == 1, ret, arg);
    return t;
}

uint64_t row_iret(uint64_t arg)
{
    uint64_t before, after, rsp = 0;
    uint64_t t;

    (void)arg;
    __asm__ volatile("mov %%rsp, %0" : "=r"(before));
    t = TIMED(__asm__ volatile("mov %%rsp, %%rcx\n\t"
                               "pushq %[ss]\n\t"
                               "push %%rcx\n\t"
                               "pushfq\n\t"
                               "pushq %[cs]\n\t"
                               "pushq $1f\n\t"
                               "pushq $0\n\t"
                               "jmp hypercall_page + 23 * 32\n\t"
                               "ud2\n"
                               "1:"
                               : "+r"(rsp)
                               : [ss] "i"(XEN_FLAT_KERNEL_SS), [cs] "i"(XEN_FLAT_KERNEL_CS & ~3)
                               : "rcx", "r11", "rax", "memory"));
    __asm__ volatile("mov %%rsp, %0" : "=r"(after));
    CHECK(before == after && !rt_vi()->evtchn_upcall_mask, before, after);
    return t;
}

uint64_t row_multicall_null(uint64_t n)
{
    static struct xen_multicall_entry calls[32];
    int64_t ret;

    for (uint64_t i = 0; i < n; i++)
        calls[i] = (struct xen_multicall_entry){.op = XEN_HYPERVISOR_xen_version};
    uint64_t t = TIMED(ret = rt_call2(XEN_HYPERVISOR_multicall, (uint64_t)calls, n));
    CHECK(ret == 0, ret, 0);
    for (uint64_t i = 0; i < n; i++)
        CHECK(calls[i].result == 0x40011, i, calls[i].result);
    return t;
}
