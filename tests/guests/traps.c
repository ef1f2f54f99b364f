/* SPDX-License-Identifier: MIT */
/*
 * traps: exceptions that the guest kernel causes itself.
 *
 * The frame must be that of the processor, as if the kernel ran in ring 0: CS and error codes
 * carry no sign of the ring 3 that it really runs in.
 */
#include "traps.h"

void trap_pf_codes(void)
{
    uint8_t *page = rt_page();

    T_EQ(RT_TRY("movb (%0), %%al", ::"r"(t_win(0)) : "rax"), 14);
    T_EQ(rt_seen.error, 0);
    T_EQ(rt_seen.cr2, t_win(0));
    T_EQ(RT_TRY("movb $1, 5(%0)", ::"r"(t_win(0)) : "memory"), 14);
    T_EQ(rt_seen.error, 2);
    T_EQ(rt_seen.cr2, t_win(0) + 5);
    T_EQ(rt_mmu_update(t_ptr(0), t_pte(page, PTE_RO)), 0);
    T_EQ(RT_TRY("movb $1, 9(%0)", ::"r"(t_win(0)) : "memory"), 14);
    T_EQ(rt_seen.error, 3);
    T_EQ(rt_seen.cr2, t_win(0) + 9);
    T_EQ(rt_mmu_update(t_ptr(0), t_pte(page, PTE_RW | PTE_NX)), 0);
    t_flush();
    T_EQ(RT_TRY("jmp *%0", ::"r"(t_win(0)) : "memory"), 14);
    T_EQ(rt_seen.error, 0x11);
    T_EQ(rt_seen.rip, t_win(0));
    T_EQ(rt_mmu_update(t_ptr(0), 0), 0);
    t_flush();
    T_EQ(RT_TRY("jmp *%0", ::"r"(t_win(0)) : "memory"), 14);
    T_EQ(rt_seen.error, 0x10);
    rt_page_free(page);
}

void trap_pf_addresses(void)
{
    uint8_t *page = rt_page();

    /* An access over a page boundary faults at the first byte that is absent. */
    T_EQ(rt_mmu_update(t_ptr(0), t_pte(page, PTE_RW)), 0);
    T_EQ(RT_TRY("movq (%0), %%rax", ::"r"(t_win(1) - 3) : "rax"), 14);
    T_EQ(rt_seen.cr2, t_win(1));
    T_EQ(RT_TRY("movq (%0), %%rax", ::"r"(t_win(0) - 3) : "rax"), 14);
    T_EQ(rt_seen.cr2, t_win(0) - 3);
    T_EQ(rt_mmu_update(t_ptr(0), 0), 0);
    t_flush();
    /* The hypervisor's addresses fault like any; its read-only M2P can be read. */
    T_EQ(RT_TRY("movb (%0), %%al", ::"r"(0xffff830000000000) : "rax"), 14);
    T_EQ(rt_seen.cr2, 0xffff830000000000);
    T_EQ(RT_TRY("movb $0, (%0)", ::"r"(0xffff82d080000000) : "memory"), 14);
    T_EQ(RT_TRY("movb (%0), %%al", ::"r"(0xffff800000000000) : "rax"), -1);
    /* Not canonical: no page fault at all. */
    T_EQ(RT_TRY("movb (%0), %%al", ::"r"(0x0000800000000000) : "rax"), 13);
    T_EQ(rt_seen.error, 0);
    rt_page_free(page);
}

void trap_arithmetic(void)
{
    uint64_t here;

    T_EQ(RT_TRY("xor %%edx, %%edx\n\txor %%ecx, %%ecx\n\tdiv %%ecx", ::: "rax", "rdx", "rcx"), 0);
    T_EQ(RT_TRY("mov $-1, %%edx\n\tmov $1, %%ecx\n\tdiv %%ecx", ::: "rax", "rdx", "rcx"), 0);
    T_EQ(RT_TRY("ud2", ::: "memory"), 6);
    __asm__ volatile("lea 1f(%%rip), %0\n1:" : "=r"(here));
    T_OK(rt_seen.rip < here && rt_seen.rip > here - 200); /* a fault: rip is at the instruction */
    T_EQ(RT_TRY(".byte 0x06", ::: "memory"), 6);          /* push %es */
    T_EQ(RT_TRY(".byte 0x62, 0x00, 0x00, 0x00", ::: "memory"), 6);
    T_EQ(RT_TRY(".byte 0x0f, 0xff, 0xc0", ::: "memory"), 6);
    T_EQ(RT_TRY("lock; nop", ::: "memory"), 6);
}

void trap_gp_codes(void)
{
    T_EQ(RT_TRY("mov %0, %%ds", ::"r"(0xfffb) : "memory"), 13);
    T_EQ(rt_seen.error, 0xfff8);
    T_EQ(RT_TRY("mov %0, %%fs", ::"r"(0x000c) : "memory"), 13); /* an LDT selector, no LDT */
    T_EQ(rt_seen.error, 0x000c);
    T_EQ(RT_TRY("mov %0, %%ss", ::"r"(0) : "memory"), 13);
    T_EQ(rt_seen.error, 0);
    T_EQ(RT_TRY("mov %0, %%ss", ::"r"(0xfff8 | 3) : "memory"), 13);
    T_EQ(RT_TRY("hlt", ::: "memory"), 13);
    T_EQ(rt_seen.error, 0);
    /* The flat selectors load. */
    T_EQ(RT_TRY("mov %0, %%es", ::"r"(XEN_FLAT_KERNEL_SS) : "memory"), -1);
    T_EQ(RT_TRY("mov %0, %%es", ::"r"(XEN_FLAT_RING3_DS32) : "memory"), -1);
    T_EQ(RT_TRY("mov %0, %%ss", ::"r"(XEN_FLAT_KERNEL_SS) : "memory"), -1);
    T_EQ(RT_TRY("mov %0, %%es", ::"r"(0) : "memory"), -1);
}

void trap_software(void)
{
    uint64_t here;

    T_EQ(RT_TRY("int3", ::: "memory"), 3);
    __asm__ volatile("lea 1f(%%rip), %0\n1:" : "=r"(here));
    T_OK(rt_seen.rip < here);
    T_EQ(RT_TRY("int $0x80", ::: "memory"), 0x80);
    T_EQ(rt_seen.error, 0);
    T_EQ(rt_seen.cs & 3, 0);
    T_EQ(RT_TRY(".byte 0xcd, 3", ::: "memory"), 3);
}

static struct rt_regs seen_frame;
static uint8_t seen_mask;

static bool keep_frame(struct rt_regs *regs)
{
    seen_frame = *regs;
    seen_mask = rt_vi()->evtchn_upcall_mask;
    regs->rip += 2;
    return true;
}

/* Registers survive a trap, and the frame is the processor's. */
void trap_frame(void)
{
    uint64_t sp, bx = 1, di = 2, si = 3, dx = 4, ax = 5, cx = 6;

    rt_on(6, keep_frame);
    register uint64_t r8 __asm__("r8") = 8;
    register uint64_t r9 __asm__("r9") = 9;
    register uint64_t r10 __asm__("r10") = 10;
    register uint64_t r11 __asm__("r11") = 11;

    __asm__ volatile("mov %%rsp, %[sp]\n\tstc\n\tstd\n\tud2\n\tcld"
                     : [sp] "=m"(sp), "+b"(bx), "+D"(di), "+S"(si), "+d"(dx), "+a"(ax), "+c"(cx),
                       "+r"(r8), "+r"(r9), "+r"(r10), "+r"(r11)
                     :
                     : "cc", "memory");
    uint64_t got8 = r8, got9 = r9, got10 = r10, got11 = r11;
    rt_on(6, NULL);
    T_OK(bx == 1 && di == 2 && si == 3 && dx == 4 && ax == 5 && cx == 6);
    T_OK(got8 == 8 && got9 == 9 && got10 == 10 && got11 == 11);
    T_OK(seen_frame.rbx == 1 && seen_frame.rcx == 6 && seen_frame.r11 == 11);
    T_EQ(seen_frame.rsp, sp);
    T_EQ(seen_frame.cs & 0xffff, XEN_FLAT_KERNEL_CS & ~3);
    T_EQ(seen_frame.ss & 0xffff, XEN_FLAT_KERNEL_SS);
    T_OK(seen_frame.rflags & 1 << 10 && seen_frame.rflags & 1); /* DF, CF */
    T_OK(seen_frame.rflags & 0x200);                            /* IF: events were on */
}

/* Bit 2 of a handler's flags masks events; IF in the frame is the old mask's opposite. */
void trap_masking(void)
{
    rt_on(6, keep_frame);
    T_EQ(rt_set_trap(6, 0, rt_stub_table[6]), 0);
    __asm__ volatile("ud2" ::: "memory");
    T_EQ(seen_mask, 0);
    T_EQ(seen_frame.cs >> 32 & 0xff, 0); /* the saved mask, beside CS */
    T_EQ(rt_set_trap(6, 4, rt_stub_table[6]), 0);
    __asm__ volatile("ud2" ::: "memory");
    T_EQ(seen_mask, 1);
    T_EQ(rt_vi()->evtchn_upcall_mask, 0); /* and iret brought it back */
    T_OK(seen_frame.rflags & 0x200);
    rt_events_off();
    __asm__ volatile("ud2" ::: "memory");
    T_EQ(seen_frame.rflags & 0x200, 0);
    T_EQ(seen_frame.cs >> 32 & 0xff, 1);
    T_EQ(rt_vi()->evtchn_upcall_mask, 1);
    rt_events_on();
    T_EQ(rt_set_trap(6, 0, rt_stub_table[6]), 0);
    rt_on(6, NULL);
}

extern const uint8_t step_me[], step_me_end[];
static volatile unsigned steps;
static uint64_t step_rip[8], step_dr6;

static bool on_step(struct rt_regs *regs)
{
    if (steps < 8)
        step_rip[steps] = regs->rip;
    steps++;
    step_dr6 = (uint64_t)rt_call1(HC(get_debugreg), 6);
    rt_call2(HC(set_debugreg), 6, 0);
    if (step_dr6 & 0xf)
        rt_call2(HC(set_debugreg), 7, 0); /* once only: no need for RF */
    if (regs->rip == (uint64_t)step_me_end || steps > 20)
        regs->rflags &= ~0x100ul;
    return true;
}

void trap_single_step(void)
{
    steps = 0;
    rt_on(1, on_step);
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tcall step_me" ::
                         : "rax", "memory", "cc");
    rt_on(1, NULL);
    T_OK(steps >= 4 && steps <= 6);
    T_EQ(step_rip[steps - 1], (uint64_t)step_me_end);
    T_OK(step_dr6 & 1 << 14);
    T_EQ(step_dr6 & 0xf, 0);
}

void trap_breakpoints(void)
{
    static volatile uint64_t watched;

    steps = 0;
    rt_on(1, on_step);
    /* Execution of step_me's third instruction. */
    T_EQ(rt_call2(HC(set_debugreg), 0, (uint64_t)step_me + 6), 0);
    T_EQ(rt_call2(HC(set_debugreg), 7, 0x401 | 1 << 1), 0);
    __asm__ volatile("call step_me" ::: "rax", "memory");
    T_EQ(rt_call2(HC(set_debugreg), 7, 0), 0);
    T_OK(steps >= 1);
    T_EQ(step_rip[0], (uint64_t)step_me + 6);
    T_EQ(step_dr6 & 0xf, 1);
    /* Writes of a quadword. */
    steps = 0;
    T_EQ(rt_call2(HC(set_debugreg), 1, (uint64_t)&watched), 0);
    T_EQ(rt_call2(HC(set_debugreg), 7, 0x400 | 1 << 2 | 9ul << 20), 0);
    watched = 1;
    T_EQ(rt_call2(HC(set_debugreg), 7, 0), 0);
    watched = 2;
    T_EQ(steps, 1);
    T_EQ(step_dr6 & 0xf, 2);
    rt_on(1, NULL);
    T_EQ(rt_call2(HC(set_debugreg), 0, 0), 0);
    T_EQ(rt_call2(HC(set_debugreg), 1, 0), 0);
}

/* x87 only: TCG raises no SIMD exception, whatever is unmasked. */
void trap_fpu_errors(void)
{
    uint16_t fcw = 0x037b; /* divide by zero unmasked */

    T_EQ(RT_TRY("fninit\n\tfldcw %0\n\tfldz\n\tfld1\n\tfdivp\n\tfwait", ::"m"(fcw) : "memory"), 16);
    __asm__ volatile("fnclex\n\tfninit");
}

/* Ring 3 with EFLAGS.AC: TCG does not check alignment, so both sides may have nothing to show. */
void trap_alignment(void)
{
    static uint64_t words[2];
    int v = RT_TRY("pushfq\n\torq $0x40000, (%%rsp)\n\tpopfq\n\tmovq 1(%0), %%rax", ::"r"(words)
                   : "rax", "memory", "cc");

    __asm__ volatile("pushfq\n\tandq $~0x40000, (%%rsp)\n\tpopfq" ::: "memory", "cc");
    if (v == -1)
        T_NA("the processor model does not check alignment");
    T_EQ(v, 17);
    T_EQ(rt_seen.error, 0);
}

static unsigned depth, deepest;

static bool nested_ud(struct rt_regs *regs)
{
    regs->rip += 2;
    if (++depth > deepest)
        deepest = depth;
    if (depth < 8)
        __asm__ volatile("ud2" ::: "memory");
    depth--;
    return true;
}

void trap_nested(void)
{
    depth = deepest = 0;
    rt_on(6, nested_ud);
    __asm__ volatile("ud2" ::: "memory");
    rt_on(6, NULL);
    T_EQ(deepest, 8);
    T_EQ(depth, 0);
}

/* Where no event is pending, the kernel may return to itself without a hypercall. */
void trap_plain_iretq(void)
{
    uint64_t before, after, cs;

    __asm__ volatile("mov %%rsp, %0\n\t"
                     "mov %%rsp, %%rax\n\t"
                     "pushq %3\n\tpush %%rax\n\tpushfq\n\tpushq %4\n\tpushq $1f\n\tiretq\n1:\n\t"
                     "mov %%rsp, %1\n\tmov %%cs, %2"
                     : "=&r"(before), "=&r"(after), "=&r"(cs)
                     : "i"(XEN_FLAT_KERNEL_SS), "i"(XEN_FLAT_KERNEL_CS)
                     : "rax", "memory");
    T_EQ(before, after);
    T_EQ(cs & 0xffff, XEN_FLAT_KERNEL_CS);
}

static const struct test tests[] = {
    {"page-fault-codes", trap_pf_codes},
    {"page-fault-addresses", trap_pf_addresses},
    {"arithmetic-and-opcodes", trap_arithmetic},
    {"protection-codes", trap_gp_codes},
    {"software-interrupts", trap_software},
    {"frame", trap_frame},
    {"masking", trap_masking},
    {"single-step", trap_single_step},
    {"breakpoints", trap_breakpoints},
    {"floating-point-errors", trap_fpu_errors},
    {"alignment", trap_alignment},
    {"nested", trap_nested},
    {"plain-iretq", trap_plain_iretq},
    {"user-syscall", user_syscall},
    {"user-iret-registers", user_iret_registers},
    {"user-exceptions", user_exceptions},
    {"user-page-fault", user_page_fault},
    {"user-demand-map", user_demand},
    {"user-segment-bases", user_segment_bases},
    {"user-fsgsbase", user_fsgsbase},
    {"user-gate-dpl", user_dpl},
    {"user-callback-mask", user_callback_mask},
    {"user-bad-iret", user_bad_iret},
    {"user-single-step", user_single_step},
    {"user-32-bit", user_compat},
    {"user-sysenter", user_sysenter},
    {"user-io", user_io},
    {"user-event", user_event},
    {"emul-control-registers", emul_control_registers},
    {"emul-debug-registers", emul_debug_registers},
    {"emul-msrs", emul_msrs},
    {"emul-cpuid", emul_cpuid},
    {"emul-xcr", emul_xcr},
    {"emul-cache", emul_cache},
    {"emul-io", emul_io},
    {"emul-refused", emul_refused},
    {"emul-cli-sti", emul_cli_sti},
    {"emul-tsc", emul_tsc},
    {"fpu-preserved", fpu_preserved},
    {"fpu-taskswitch", fpu_taskswitch},
    {"fpu-user", fpu_user},
    {"fpu-between-vcpus", fpu_vcpus},
    {"failsafe-segments", failsafe_segments},
};

void rt_image_main(void)
{
    t_window();
    user_setup();
    rt_events_on();
    RUN_TESTS("traps", tests);
}
