/* SPDX-License-Identifier: MIT
 *
 * trap_test.c - frames on a kernel's stack, to the last bit; the way back; tables and callbacks.
 */
#include "exec_fixture.h"
#include "core/bounce.h"
#include <pv/abi/callback.h>
#include <pv/abi/nmi.h>

TestSuite(trap, .init = exec_setup, .fini = exec_teardown);

enum { DE = 0, NMI = 2, BP = 3, UD = 6, NM = 7, DF = 8, GP = 13, PF = 14 };

/* The words of a frame that was just made. */
static uint64_t *frame(void)
{
    return (uint64_t *)((char *)hosted_page(g, STACK) + (v->regs.rsp & PV_PAGE_MASK));
}

static void handler(unsigned vector, unsigned flags)
{
    v->traps[vector] = (struct xen_trap_info){.vector = (uint8_t)vector,
                                              .flags = (uint8_t)flags,
                                              .cs = XEN_FLAT_KERNEL_CS,
                                              .address = HANDLER + vector};
}

static void kernel_regs(void)
{
    v->kernel_mode = 1;
    v->regs.rip = 0x1234567;
    v->regs.cs = XEN_FLAT_KERNEL_CS;
    v->regs.ss = XEN_FLAT_KERNEL_SS;
    v->regs.rsp = hosted_va(STACK) + 0x808;
    v->regs.rflags = 0x247;
    v->regs.rcx = 0xc0c0;
    v->regs.r11 = 0x1111;
    v->info->evtchn_upcall_mask = 0;
}

/* User mode has its own tables: here the same ones, with another reference. */
static void user_regs(void)
{
    kernel_regs();
    v->kernel_mode = 0;
    if (!v->root[0].n) {
        cr_assert_eq(root_take(v, hosted_mfn(g, g->l4)), 0);
        v->root[0] = hosted_mfn(g, g->l4);
    }
    v->kernel_sp = hosted_va(STACK) + 0xfff;
    v->regs.rsp = 0x7000;
}

Test(trap, a_frame_from_kernel_mode)
{
    kernel_regs();
    handler(DE, 0);
    cr_assert_eq(hv_trap(v, DE), v);
    cr_assert_eq(v->regs.rip, HANDLER + DE);
    cr_assert_eq(v->regs.rsp, hosted_va(STACK) + 0x800 - 56);
    cr_assert_eq(v->regs.cs, XEN_FLAT_KERNEL_CS);
    cr_assert_eq(v->regs.ss, XEN_FLAT_KERNEL_SS);
    cr_assert_eq(frame()[0], 0xc0c0);
    cr_assert_eq(frame()[1], 0x1111);
    cr_assert_eq(frame()[2], 0x1234567);
    cr_assert_eq(frame()[3], XEN_FLAT_KERNEL_CS & ~3, "the kernel itself was interrupted");
    cr_assert_eq(frame()[4], 0x247);
    cr_assert_eq(frame()[5], hosted_va(STACK) + 0x808);
    cr_assert_eq(frame()[6], XEN_FLAT_KERNEL_SS);
    cr_assert_eq(v->info->evtchn_upcall_mask, 0);
}

Test(trap, a_frame_with_an_error_code_and_masked_events)
{
    kernel_regs();
    handler(DF, PV_TI_MASK_EVENTS);
    v->regs.error_code = 0xabcd;
    v->info->evtchn_upcall_mask = 1;
    v->regs.rflags = 0x5f747; /* with TF, NT, RF, AC: the handler starts without */
    hv_trap(v, DF);
    cr_assert_eq(v->regs.rsp, hosted_va(STACK) + 0x800 - 64);
    cr_assert_eq(frame()[2], 0xabcd);
    cr_assert_eq(frame()[3], 0x1234567);
    cr_assert_eq(frame()[4], (XEN_FLAT_KERNEL_CS & ~3) | 1ull << 32, "the mask as it was");
    cr_assert_eq(frame()[5] & EFLAGS_IF, 0, "IF is the mask's opposite");
    cr_assert_eq(v->regs.rflags & (EFLAGS_TF | EFLAGS_NT | EFLAGS_RF | EFLAGS_AC), 0);
    v->info->evtchn_upcall_mask = 0;
    kernel_regs();
    hv_trap(v, DF);
    cr_assert_eq(v->info->evtchn_upcall_mask, 1, "TI_IF masks events");
    cr_assert_eq(frame()[5] & EFLAGS_IF, EFLAGS_IF);
}

Test(trap, a_frame_from_user_mode)
{
    user_regs();
    v->regs.cs = XEN_FLAT_USER_CS;
    handler(BP, 3);
    hv_trap(v, BP);
    cr_assert_eq(v->kernel_mode, 1);
    cr_assert_eq(v->regs.rsp, hosted_va(STACK) + 0xff0 - 56, "16-byte aligned below kernel_sp");
    cr_assert_eq(frame()[3], XEN_FLAT_USER_CS);
    cr_assert_eq(frame()[5], 0x7000);
    cr_assert_eq(hosted.root.n, v->root[1].n);
}

Test(trap, architectural_iopl_shows_the_virtual_level)
{
    kernel_regs();
    handler(DE, 0);
    v->iopl = 1 << 12;
    hv_trap(v, DE);
    cr_assert_eq(frame()[4] & EFLAGS_IOPL, 0);
    g->d->vm_assist |= 1u << XEN_VMASST_TYPE_architectural_iopl;
    kernel_regs();
    hv_trap(v, DE);
    cr_assert_eq(frame()[4] & EFLAGS_IOPL, 1 << 12);
}

Test(trap, page_faults_tell_the_address_and_the_mode)
{
    kernel_regs();
    handler(PF, 0);
    v->regs.error_code = 6; /* the processor always says user */
    hv_page_fault(v, 0xdead000);
    cr_assert_eq(frame()[2], 2);
    cr_assert_eq(v->info->arch.cr2, 0xdead000);
    cr_assert_eq(v->fault_va, 0xdead000);
    user_regs();
    v->regs.error_code = 5;
    hv_page_fault(v, 0xbeef000);
    cr_assert_eq(frame()[2], 5);
    kernel_regs();
    v->regs.error_code = 4;
    hv_page_fault(v, HV_VA);
    cr_assert_eq(frame()[2], 0);
    cr_assert_eq(v->info->arch.cr2, HV_VA);
    kernel_regs();
    v->regs.error_code = 0; /* the processor itself, for a descriptor that is not there */
    hv_page_fault(v, 0xffff860000000000ull);
    cr_assert_eq(v->regs.rip, HANDLER + PF);
    hv.trace_mask = TRACE_TRAP;
    kernel_regs();
    v->regs.error_code = 4;
    hv_page_fault(v, 0x77000);
    cr_assert_eq(trace_ring[(trace_count - 1) % TRACE_RECORDS].b, 0x77000);
}

Test(trap, a_write_to_a_page_table_is_tried_first)
{
    kernel_regs();
    handler(PF, 0);
    g->d->vm_assist |= 1u << XEN_VMASST_TYPE_writable_pagetables;
    v->regs.rip = BAD_VA; /* no instruction to carry out: it is the guest's fault after all */
    v->regs.error_code = 7;
    hv_page_fault(v, hosted_va(g->l1));
    cr_assert_eq(v->regs.rip, HANDLER + PF);
    cr_assert_eq(frame()[2], 3);
}

Test(trap, no_handler_is_the_end)
{
    kernel_regs();
    assert_killed(hv_trap(v, DE), RULE_TRAP_UNHANDLED);
    cr_assert_eq(last_of(g)->vector, DE);
    cr_assert_eq(last_of(g)->rip, 0x1234567);
    cr_assert_eq(last_of(g)->err, 0);
}

Test(trap, no_page_fault_handler_is_the_end)
{
    user_regs();
    v->regs.error_code = 4;
    assert_killed(hv_page_fault(v, 0x123000), RULE_TRAP_UNHANDLED);
    cr_assert_eq(last_of(g)->va, 0x123000);
}

Test(trap, a_stack_that_is_not_mapped_is_the_end)
{
    kernel_regs();
    handler(DE, 0);
    v->regs.rsp = 0x10000;
    assert_killed(hv_trap(v, DE), RULE_BOUNCE_STACK);
    cr_assert_eq(last_of(g)->va, 0x10000);
}

Test(trap, a_stack_in_the_hypervisor_is_the_end)
{
    user_regs();
    handler(BP, 3);
    v->kernel_sp = HV_VA + 0x8000;
    assert_killed(hv_trap(v, BP), RULE_BOUNCE_STACK);
}

Test(trap, a_read_only_stack_is_the_end)
{
    kernel_regs();
    handler(GP, 0);
    v->regs.rsp = hosted_va(g->l4) + 0x100;
    assert_killed(trap_inject(v, GP, 0), RULE_BOUNCE_STACK);
}

Test(trap, an_event_callback_without_a_stack_is_the_end)
{
    kernel_regs();
    v->callback[CB_EVENT].rip = HANDLER;
    v->regs.rsp = 0x10000;
    v->info->evtchn_upcall_pending = 1;
    assert_killed(hv_trap(v, NM), RULE_BOUNCE_STACK);
}

Test(trap, int_n_is_for_whom_the_table_says)
{
    kernel_regs();
    handler(GP, 0);
    handler(0x42, 0);
    hv_trap(v, 0x42);
    cr_assert_eq(v->regs.rip, HANDLER + GP, "level 0: nobody");
    cr_assert_eq(frame()[2], 0x42 << 3 | 2);
    cr_assert_eq(frame()[3], 0x1234567 - 2, "a fault: the instruction has not been");
    kernel_regs();
    handler(0x42, 1);
    hv_trap(v, 0x42);
    cr_assert_eq(v->regs.rip, HANDLER + 0x42, "level 1: the kernel");
    cr_assert_eq(v->regs.rsp, hosted_va(STACK) + 0x800 - 56, "without an error code");
    user_regs();
    hv_trap(v, 0x42);
    cr_assert_eq(v->regs.rip, HANDLER + GP, "but not its programs");
    user_regs();
    handler(0x42, 3);
    hv_trap(v, 0x42);
    cr_assert_eq(v->regs.rip, HANDLER + 0x42);
    user_regs();
    handler(0x80, 0); /* the one gate that is open to all, as in Xen */
    hv_trap(v, 0x80);
    cr_assert_eq(v->regs.rip, HANDLER + 0x80);
}

Test(trap, int_n_by_a_general_protection)
{
    kernel_regs();
    handler(GP, 0);
    handler(0x99, 2);
    v->regs.error_code = 0x99 << 3 | 2;
    hv_trap(v, GP);
    cr_assert_eq(v->regs.rip, HANDLER + 0x99);
    cr_assert_eq(frame()[2], 0x1234567 + 2, "a trap: behind the instruction");
    kernel_regs();
    v->regs.error_code = 0x98 << 3 | 2;
    hv_trap(v, GP);
    cr_assert_eq(v->regs.rip, HANDLER + GP);
    kernel_regs();
    v->regs.error_code = 0x28;
    hv_trap(v, GP);
    cr_assert_eq(frame()[2], 0x28);
    kernel_regs();
    v->regs.error_code = 0;
    v->regs.rip = BAD_VA;
    handler(PF, 0);
    hv_trap(v, GP);
    cr_assert_eq(v->regs.rip, HANDLER + PF, "its instruction cannot be read");
    kernel_regs();
    trap_inject_software(v, 0x99);
    cr_assert_eq(v->regs.rip, HANDLER + 0x99);
    user_regs();
    trap_inject_software(v, 0x99);
    cr_assert_eq(v->regs.rip, HANDLER + 0x99);
    assert_killed(trap_inject_software(v, 0x9a), RULE_TRAP_UNHANDLED);
}

Test(trap, invalid_opcodes_and_missing_fpu)
{
    kernel_regs();
    handler(UD, 0);
    handler(NM, 0);
    v->regs.rip = hosted_va(6);
    hv_trap(v, UD);
    cr_assert_eq(v->regs.rip, HANDLER + UD);
    kernel_regs();
    hv_trap(v, NM);
    cr_assert_eq(v->regs.rip, 0x1234567, "lazy state of ours: the guest does not see it");
    cr_assert_eq(call(XEN_HYPERVISOR_fpu_taskswitch, 1, 0, 0), 0);
    hv_trap(v, NM);
    cr_assert_eq(v->regs.rip, HANDLER + NM, "but what it asked for");
    cr_assert_eq(v->ts, 0);
}

Test(trap, traced)
{
    kernel_regs();
    handler(DE, 0);
    hv.trace_mask = TRACE_TRAP;
    hv_trap(v, DE);
    cr_assert_eq(v->regs.rip, HANDLER + DE);
    cr_assert_eq(trace_count, 1);
    cr_assert_eq(trace_ring[0].class, TRACE_TRAP);
    cr_assert_eq(trace_ring[0].domid, 1);
}

/* Each word of a frame may be the one that is not mapped: stacks across both ends of what is
 * writable. Whatever the way in, the guest dies by one reason, and alone. */
enum way {
    BY_DIVIDE,
    BY_DOUBLE_FAULT,
    BY_PAGE_FAULT,
    BY_CALLBACK,
    BY_EVENT,
    BY_INT,
    BY_SYSCALL,
    BY_INJECT,
    BY_INJECT_CODE,
    WAYS
};

static void go(enum way way)
{
    switch (way) {
    case BY_DIVIDE:
        hv_trap(v, DE);
        break;
    case BY_DOUBLE_FAULT:
        hv_trap(v, DF);
        break;
    case BY_PAGE_FAULT:
        v->regs.error_code = 4;
        hv_page_fault(v, 0x5000);
        break;
    case BY_CALLBACK:
        trap_callback(v, CB_FAILSAFE);
        break;
    case BY_EVENT:
        v->info->evtchn_upcall_pending = 1;
        syscall_of(v);
        break;
    case BY_INT:
        hv_trap(v, 0x42);
        break;
    case BY_SYSCALL:
        v->kernel_mode = 0;
        syscall_of(v);
        break;
    case BY_INJECT:
        trap_inject(v, BP, 0);
        break;
    default:
        trap_inject(v, GP, 8);
    }
}

static void straddle(bool user)
{
    for (unsigned way = 0; way < WAYS; way++)
        for (int end = 0; end < 2; end++)
            for (int k = end ? 1 : 0; k <= 3; k++) {
                uint64_t sp = (end ? hosted_va(g->l4) : HOSTED_BASE) + 16 * (unsigned)k;

                if (g->d->state != DOMAIN_RUNNING) {
                    exec_teardown();
                    exec_setup();
                }
                user ? user_regs() : kernel_regs();
                for (unsigned i = 0; i < 256; i++)
                    handler(i, 3);
                for (unsigned i = 0; i < CALLBACKS; i++)
                    v->callback[i].rip = HANDLER;
                v->regs.rax = 64;
                v->kernel_sp = sp;
                if (!user)
                    v->regs.rsp = sp;
                if (way == BY_SYSCALL && !user)
                    continue;
                if (way == BY_EVENT && user)
                    continue;
                assert_killed(go(way), RULE_BOUNCE_STACK);
                cr_assert_eq(g->d->reasons.count - (way == BY_EVENT), 1);
            }
}

Test(trap, kernel_frames_across_the_end_of_a_stack)
{
    straddle(false);
}
Test(trap, user_frames_across_the_end_of_a_stack)
{
    straddle(true);
}

/* -- system calls ---------------------------------------------------------------- */

Test(trap, user_system_calls)
{
    user_regs();
    handler(UD, 0);
    v->regs.rflags |= EFLAGS_DF;
    syscall_of(v);
    cr_assert_eq(v->regs.rip, HANDLER + UD, "no callback: no such instruction");
    cr_assert_eq(frame()[2], 0x1234567 - 2);
    v->callback[CB_SYSCALL].rip = HANDLER + 0x1000;
    user_regs();
    v->regs.rflags |= EFLAGS_DF;
    syscall_of(v);
    cr_assert_eq(v->regs.rip, HANDLER + 0x1000);
    cr_assert_eq(v->regs.rflags & EFLAGS_DF, 0);
    cr_assert_eq(frame()[4] & EFLAGS_DF, EFLAGS_DF);
    cr_assert_eq(v->info->evtchn_upcall_mask, 0);
    v->callback[CB_SYSCALL].mask_events = 1;
    user_regs();
    syscall_of(v);
    cr_assert_eq(v->info->evtchn_upcall_mask, 1);
    user_regs();
    v->callback[CB_SYSCALL32].rip = HANDLER + 0x2000;
    hv_syscall32(v);
    cr_assert_eq(v->regs.rip, HANDLER + 0x2000);
    user_regs();
    handler(GP, 0);
    hv_sysenter(v);
    cr_assert_eq(v->regs.rip, HANDLER + GP);
    user_regs();
    v->callback[CB_SYSENTER].rip = HANDLER + 0x3000;
    hv_sysenter(v);
    cr_assert_eq(v->regs.rip, HANDLER + 0x3000);
    user_regs();
    v->kernel_sp = 0;
    assert_killed(syscall_of(v), RULE_BOUNCE_STACK);
}

/* The selectors that it had lie between r11 and rip. */
Test(trap, selectors_that_are_lost)
{
    user_regs();
    v->callback[CB_FAILSAFE].rip = HANDLER + 0x4000;
    v->callback[CB_FAILSAFE].mask_events = 1;
    v->selectors_lost = 1;
    v->regs.rcx = 0xc;
    v->regs.r11 = 0xb;
    v->regs.ds = 0x2b;
    v->regs.gs = 0x33;
    cr_assert(trap_failsafe(v));
    cr_assert_eq(v->regs.rip, HANDLER + 0x4000);
    cr_assert_eq(v->info->evtchn_upcall_mask, 1);
    cr_assert_eq(v->selectors_lost, 0);
    cr_assert_eq(frame()[0], 0xc);
    cr_assert_eq(frame()[1], 0xb);
    cr_assert_eq(frame()[2], 0x2b);
    cr_assert_eq(frame()[5], 0x33);
    v->callback[CB_FAILSAFE].rip = 0;
    user_regs();
    cr_assert_not(trap_failsafe(v));
    cr_assert_eq(v->domain->state, DOMAIN_CRASHED);
}

/* -- iret ---------------------------------------------------------------------------- */

static long iret(struct xen_iret_context c)
{
    v->regs.rsp = hosted_va(5);
    memcpy(hosted_page(g, 5), &c, sizeof(c));
    return call(XEN_HYPERVISOR_iret, 0, 0, 0);
}

Test(trap, iret_to_the_kernel)
{
    struct xen_iret_context c = {.rax = 7,
                                 .r11 = 8,
                                 .rcx = 9,
                                 .rip = 0x5000,
                                 .cs = 0xe030,
                                 .rflags = 0x3246,
                                 .rsp = 0x6000,
                                 .ss = 0xe028};

    kernel_regs();
    v->info->evtchn_upcall_mask = 1;
    cr_assert_eq(iret(c), 7);
    cr_assert_eq(v->regs.rip, 0x5000);
    cr_assert_eq(v->regs.cs, 0xe033);
    cr_assert_eq(v->regs.ss, 0xe02b);
    cr_assert_eq(v->regs.rsp, 0x6000);
    cr_assert_eq(v->regs.rflags, 0x246);
    cr_assert_eq(v->regs.rcx, 9);
    cr_assert_eq(v->regs.r11, 8);
    cr_assert_eq(v->info->evtchn_upcall_mask, 0);
    c.rflags = 0x2;
    c.flags = XEN_VGCF_in_syscall;
    v->regs.rcx = 0;
    cr_assert_eq(iret(c), 7);
    cr_assert_eq(v->info->evtchn_upcall_mask, 1);
    cr_assert_eq(v->regs.rflags, 0x202, "the processor's interrupts stay on");
    cr_assert_eq(v->regs.rcx, 0, "in_syscall: rcx and r11 are free");
    g->d->vm_assist |= 1u << XEN_VMASST_TYPE_architectural_iopl;
    c.rflags = 0x1202;
    iret(c);
    cr_assert_eq(v->iopl, 0x1000);
    cr_assert_eq(v->kernel_mode, 1);
}

Test(trap, iret_to_user_mode)
{
    struct xen_iret_context c = {
        .rip = 0x5000, .cs = 0xe033, .rflags = 0x202, .rsp = 0x6000, .ss = 0xe02b};

    user_regs();
    v->kernel_mode = 1;
    cr_assert_eq(iret(c), 0);
    cr_assert_eq(v->kernel_mode, 0);
    cr_assert_eq(hosted.root.n, v->root[0].n);
}

Test(trap, iret_to_user_mode_without_tables_is_the_end)
{
    struct xen_iret_context c = {.rip = 0x5000, .cs = 0xe033};

    kernel_regs();
    assert_killed(iret(c), RULE_IRET_NO_USER_ROOT);
    cr_assert_eq(v->kernel_mode, 1);
}

Test(trap, iret_from_nowhere_is_the_end)
{
    kernel_regs();
    v->regs.rsp = BAD_VA;
    assert_killed(call(XEN_HYPERVISOR_iret, 0, 0, 0), RULE_IRET_FRAME);
}

Test(trap, iret_frame_that_ends_too_early_is_the_end)
{
    for (unsigned n = 0; n < 9; n++) {
        exec_teardown();
        exec_setup();
        kernel_regs();
        memset(hosted_page(g, PAGES - 1), 0, 0); /* the last page: behind it nothing is mapped */
        v->regs.rsp = hosted_va(PAGES) - 8 * n;
        assert_killed(call(XEN_HYPERVISOR_iret, 0, 0, 0), RULE_IRET_FRAME);
    }
}

/* The way back to user mode finds an event: the kernel is entered again at once. */
Test(trap, an_event_on_the_way_to_user_mode)
{
    struct xen_iret_context *c = hosted_page(g, 5);

    user_regs();
    v->kernel_mode = 1;
    *c = (struct xen_iret_context){.rip = 0x5000, .cs = 0xe033, .rflags = 0x202, .rsp = 0x6000};
    v->regs.rsp = hosted_va(5);
    v->regs.rax = XEN_HYPERVISOR_iret;
    v->callback[CB_EVENT].rip = HANDLER;
    v->callback[CB_EVENT].mask_events = 1;
    v->info->evtchn_upcall_mask = 1;
    v->info->evtchn_upcall_pending = 1;
    cr_assert_eq(syscall_of(v), v);
    cr_assert_eq(v->regs.rip, HANDLER);
    cr_assert_eq(v->kernel_mode, 1);
    cr_assert_eq(frame()[2], 0x5000);
    cr_assert_eq(frame()[3], 0xe033);
    cr_assert_eq(v->info->evtchn_upcall_mask, 1);
    /* The same with more to do than that. */
    *c = (struct xen_iret_context){.rip = 0x5000, .cs = 0xe033, .rflags = 0x202, .rsp = 0x6000};
    v->regs.rsp = hosted_va(5);
    v->regs.rax = XEN_HYPERVISOR_iret;
    hv.cpu[0].work = CPU_WORK_RESCHED;
    cr_assert_eq(syscall_of(v), v);
    cr_assert_eq(v->regs.rip, HANDLER);
}

/* -- NMI -------------------------------------------------------------------------------- */

Test(trap, nmi_once_until_iret)
{
    struct xen_iret_context c = {
        .rip = 0x5000, .cs = 0xe030, .rflags = 0x202, .rsp = hosted_va(STACK) + 0x800};

    kernel_regs();
    handler(NMI, PV_TI_MASK_EVENTS);
    cr_assert_eq(call(XEN_HYPERVISOR_vcpu_op, 11, 0, 0), 0);
    cr_assert_eq(hv_interrupt(v), v);
    cr_assert_eq(v->regs.rip, HANDLER + NMI);
    cr_assert(v->nmi_masked);
    v->regs.rip = 1;
    cr_assert_eq(call(XEN_HYPERVISOR_vcpu_op, 11, 0, 0), 0);
    cr_assert_eq(hv_interrupt(v), v);
    cr_assert_eq(v->regs.rip, 1, "not while one is handled");
    iret(c);
    cr_assert_eq(hv_interrupt(v), v);
    cr_assert_eq(v->regs.rip, HANDLER + NMI, "and then the next");
    iret(c);
    cr_assert_not(v->nmi_masked);
    assert_refused(call(XEN_HYPERVISOR_vcpu_op, 11, 0, 8), RULE_VCPU_NMI_ARGUMENT, XEN_EINVAL);
}

/* -- tables ------------------------------------------------------------------------------ */

Test(trap, set_trap_table)
{
    struct xen_trap_info t[3] = {{.vector = 5, .flags = 3, .cs = 0xe030, .address = 0x1000},
                                 {.vector = 200, .flags = 4, .cs = 0xe033, .address = 0x2000}};

    memcpy(args(), t, sizeof(t));
    cr_assert_eq(call(XEN_HYPERVISOR_set_trap_table, args_va(), 0, 0), 0);
    cr_assert_eq(v->traps[5].address, 0x1000);
    cr_assert_eq(v->traps[5].cs, 0xe033, "never less than ring 3");
    cr_assert_eq(v->traps[200].flags, 4);
    t[0].address = WEIRD_VA;
    memcpy(args(), t, sizeof(t));
    assert_refused(call(XEN_HYPERVISOR_set_trap_table, args_va(), 0, 0), RULE_TRAP_ADDRESS,
                   XEN_EINVAL);
    cr_assert_eq(last_of(g)->vector, 5);
    assert_refused(call(XEN_HYPERVISOR_set_trap_table, BAD_VA, 0, 0), RULE_GUEST_POINTER,
                   XEN_EFAULT);
    cr_assert_eq(call(XEN_HYPERVISOR_set_trap_table, 0, 0, 0), 0);
    cr_assert_eq(v->traps[5].address, 0, "no table: all is cleared");
}

/* A table without an end stops at the end of what is mapped, and lets interrupts in before. */
Test(trap, an_endless_trap_table_is_bounded)
{
    struct xen_trap_info *t = args();

    for (uint64_t p = 0; p < g->l4; p++)
        for (unsigned i = 0; i < 256; i++)
            ((struct xen_trap_info *)hosted_page(g, p))[i] =
                (struct xen_trap_info){.vector = (uint8_t)i, .address = 0x9000};
    (void)t;
    hosted.interrupt_every = 100;
    /* Behind them lie page tables, whose entries are read as addresses like any others. */
    call(XEN_HYPERVISOR_set_trap_table, args_va(), 0, 0);
    cr_assert_eq(v->traps[77].address, 0x9000);
    cr_assert_gt(hosted.interrupt_count, 256);
}

static long callback(unsigned type, unsigned flags, uint64_t address)
{
    struct xen_callback_register r = {(uint16_t)type, (uint16_t)flags, address};

    return call_with(XEN_HYPERVISOR_callback_op, XEN_CALLBACKOP_register, &r, sizeof(r));
}

static long unregister(unsigned type)
{
    struct xen_callback_unregister u = {.type = (uint16_t)type};

    return call_with(XEN_HYPERVISOR_callback_op, XEN_CALLBACKOP_unregister, &u, sizeof(u));
}

Test(trap, callbacks)
{
    const struct {
        unsigned type, which;
    } all[] = {{XEN_CALLBACKTYPE_failsafe, CB_FAILSAFE},
               {XEN_CALLBACKTYPE_syscall, CB_SYSCALL},
               {XEN_CALLBACKTYPE_sysenter, CB_SYSENTER},
               {XEN_CALLBACKTYPE_syscall32, CB_SYSCALL32}};

    cr_assert_eq(callback(XEN_CALLBACKTYPE_event, 0, HANDLER), 0);
    cr_assert(v->callback[CB_EVENT].mask_events, "always");
    for (unsigned i = 0; i < PV_ARRAY_SIZE(all); i++) {
        cr_assert_eq(callback(all[i].type, XEN_CALLBACKF_mask_events, HANDLER + i), 0);
        cr_assert_eq(v->callback[all[i].which].rip, HANDLER + i);
        cr_assert(v->callback[all[i].which].mask_events);
        cr_assert_eq(callback(all[i].type, 0, HANDLER), 0);
        cr_assert_not(v->callback[all[i].which].mask_events);
        assert_refused(unregister(all[i].type), RULE_CALLBACK_KEPT, XEN_EINVAL);
    }
    cr_assert_eq(callback(XEN_CALLBACKTYPE_nmi, 0, HANDLER), 0);
    cr_assert_eq(v->traps[NMI].address, HANDLER);
    cr_assert_eq(v->traps[NMI].flags, PV_TI_MASK_EVENTS);
    cr_assert_eq(unregister(XEN_CALLBACKTYPE_nmi), 0);
    cr_assert_eq(v->traps[NMI].address, 0);
    assert_refused(callback(XEN_CALLBACKTYPE_event, 0, WEIRD_VA), RULE_CALLBACK_ADDRESS,
                   XEN_EINVAL);
    assert_refused(callback(3, 0, HANDLER), RULE_CALLBACK_TYPE, XEN_ENOSYS);
    assert_refused(callback(99, 0, HANDLER), RULE_CALLBACK_TYPE, XEN_ENOSYS);
    assert_refused(unregister(99), RULE_CALLBACK_TYPE, XEN_ENOSYS);
    assert_refused(unregister(XEN_CALLBACKTYPE_event), RULE_CALLBACK_KEPT, XEN_EINVAL);
    assert_refused(call(XEN_HYPERVISOR_callback_op, 2, args_va(), 0), RULE_HYPERCALL_SUBOP,
                   XEN_ENOSYS);
    assert_refused(call(XEN_HYPERVISOR_callback_op, 0, BAD_VA, 0), RULE_GUEST_POINTER, XEN_EFAULT);
    assert_refused(call(XEN_HYPERVISOR_callback_op, 1, BAD_VA, 0), RULE_GUEST_POINTER, XEN_EFAULT);
}

Test(trap, nmi_op)
{
    struct xennmi_callback c = {.handler_address = HANDLER};

    cr_assert_eq(call_with(XEN_HYPERVISOR_nmi_op, XENNMI_register_callback, &c, sizeof(c)), 0);
    cr_assert_eq(v->traps[NMI].address, HANDLER);
    cr_assert_eq(call(XEN_HYPERVISOR_nmi_op, XENNMI_unregister_callback, 0, 0), 0);
    cr_assert_eq(v->traps[NMI].address, 0);
    c.handler_address = WEIRD_VA;
    assert_refused(call_with(XEN_HYPERVISOR_nmi_op, XENNMI_register_callback, &c, sizeof(c)),
                   RULE_CALLBACK_ADDRESS, XEN_EINVAL);
    assert_refused(call(XEN_HYPERVISOR_nmi_op, XENNMI_register_callback, BAD_VA, 0),
                   RULE_GUEST_POINTER, XEN_EFAULT);
    assert_refused(call(XEN_HYPERVISOR_nmi_op, 2, 0, 0), RULE_HYPERCALL_SUBOP, XEN_ENOSYS);
}

Test(trap, set_callbacks_answers_0_whatever)
{
    cr_assert_eq(call(XEN_HYPERVISOR_set_callbacks, HANDLER, HANDLER + 1, HANDLER + 2), 0);
    cr_assert_eq(v->callback[CB_EVENT].rip, HANDLER);
    cr_assert_eq(v->callback[CB_FAILSAFE].rip, HANDLER + 1);
    cr_assert_eq(v->callback[CB_SYSCALL].rip, HANDLER + 2);
    cr_assert_eq(call(XEN_HYPERVISOR_set_callbacks, WEIRD_VA, 1, 2), 0);
    cr_assert_eq(v->callback[CB_EVENT].rip, HANDLER, "but takes no address that is none");
    cr_assert_eq(last_of(g)->rule, RULE_CALLBACK_ADDRESS);
}

Test(trap, an_event_without_a_callback_is_the_end)
{
    kernel_regs();
    v->info->evtchn_upcall_pending = 1;
    assert_killed(enter(v, XEN_HYPERVISOR_xen_version, 0, 0), RULE_CALLBACK_MISSING);
}
