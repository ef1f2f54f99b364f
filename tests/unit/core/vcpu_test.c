/* SPDX-License-Identifier: MIT
 *
 * vcpu_test.c - vcpu_op: bringing vCPUs up by a context, down again, and what they register.
 */
#include "exec_fixture.h"
#include <pv/abi/vcpu.h>

TestSuite(vcpu, .init = exec_setup, .fini = exec_teardown);

static long op(int cmd, uint32_t id, uint64_t arg)
{
    return call(XEN_HYPERVISOR_vcpu_op, (uint64_t)cmd, id, arg);
}

static long op_with(int cmd, uint32_t id, void *arg, size_t n)
{
    memcpy(args(), arg, n);
    return op(cmd, id, args_va());
}

/* The context takes two pages: 1 and 2. */
static struct xen_vcpu_guest_context context;

static void make_context(void)
{
    memset(&context, 0, sizeof(context));
    context.flags = XEN_VGCF_in_kernel;
    context.ctrlreg[3] = xen_pfn_to_cr3(g->p2m[g->l4]);
    context.user_regs.rip = HANDLER;
    context.user_regs.rsp = hosted_va(STACK) + 4096;
    context.user_regs.rflags = 0x3002;
    context.user_regs.cs = 0xe030;
    context.user_regs.ss = 0xe028;
    context.kernel_ss = 0xe028;
    context.kernel_sp = hosted_va(STACK) + 4096;
    context.event_callback_eip = HANDLER + 1;
    context.failsafe_callback_eip = HANDLER + 2;
    context.syscall_callback_eip = HANDLER + 3;
    context.trap_ctxt[14] =
        (struct xen_trap_info){.vector = 14, .cs = 0xe030, .address = HANDLER + 4};
    context.fs_base = 0x1000;
    context.gs_base_kernel = 0x2000;
    context.gs_base_user = 0x3000;
    context.debugreg[6] = 0xffff0ff0;
    context.debugreg[7] = 0x400;
}

static long initialise(uint32_t id)
{
    memcpy(hosted_page(g, 1), &context, 4096);
    memcpy(hosted_page(g, 2), (char *)&context + 4096, sizeof(context) - 4096);
    return op(XEN_VCPUOP_initialise, id, hosted_va(1));
}

Test(vcpu, which_there_are)
{
    cr_assert_eq(op(XEN_VCPUOP_is_up, 0, 0), 1);
    cr_assert_eq(op(XEN_VCPUOP_is_up, 1, 0), 0);
    assert_refused(op(XEN_VCPUOP_is_up, 2, 0), RULE_VCPU_UNKNOWN, XEN_ENOENT);
    assert_refused(op(XEN_VCPUOP_up, 0xffffffff, 0), RULE_VCPU_UNKNOWN, XEN_ENOENT);
    assert_refused(op(XEN_VCPUOP_up, 1, 0), RULE_VCPU_NOT_INITIALISED, XEN_EINVAL);
    assert_refused(op(77, 0, 0), RULE_HYPERCALL_SUBOP, XEN_ENOSYS);
    assert_refused(op(XEN_VCPUOP_get_physid, 0, args_va()), RULE_VCPU_PHYSID, XEN_EINVAL);
}

Test(vcpu, up_runs_and_down_stops)
{
    make_context();
    cr_assert_eq(initialise(1), 0);
    cr_assert_eq(op(XEN_VCPUOP_is_up, 1, 0), 0, "initialised is not up");
    cr_assert_eq(v1->regs.rip, HANDLER);
    cr_assert_eq(v1->regs.cs, 0xe033);
    cr_assert_eq(v1->regs.ss, 0xe02b);
    cr_assert_eq(v1->regs.rflags, 0x202, "no I/O privilege, interrupts on");
    cr_assert_eq(v1->iopl, 0x3000);
    cr_assert_eq(v1->root[1].n, g->p2m[g->l4]);
    cr_assert_eq(v1->callback[CB_SYSCALL].rip, HANDLER + 3);
    cr_assert_eq(v1->traps[14].cs, 0xe033);
    cr_assert_eq(v1->segbase[SEGBASE_GS_USER], 0x3000);
    cr_assert_eq(op(XEN_VCPUOP_up, 1, 0), 0);
    cr_assert_eq(op(XEN_VCPUOP_is_up, 1, 0), 1);
    cr_assert_eq(v1->state, VCPU_RUNNABLE);
    cr_assert_eq(op(XEN_VCPUOP_up, 1, 0), 0, "it may be told twice");
    cr_assert_eq(op(XEN_VCPUOP_down, 1, 0), 0);
    cr_assert_eq(v1->state, VCPU_DOWN);
    cr_assert_eq(v1->runstate.state, XEN_RUNSTATE_offline);
    cr_assert_eq(op(XEN_VCPUOP_down, 1, 0), 0);
    cr_assert_eq(g->d->state, DOMAIN_RUNNING);
    cr_assert_eq(op(XEN_VCPUOP_up, 1, 0), 0);
    cr_assert_eq(v1->state, VCPU_RUNNABLE);
}

Test(vcpu, the_last_one_down_is_the_guests_end)
{
    cr_assert_eq(op(XEN_VCPUOP_down, 0, 0), 0);
    cr_assert_eq(g->d->state, DOMAIN_SHUTDOWN);
    cr_assert_eq(g->d->shutdown_code, 0);
}

Test(vcpu, a_user_context)
{
    char fpu[512];

    make_context();
    context.flags =
        XEN_VGCF_I387_VALID | XEN_VGCF_syscall_disables_events | XEN_VGCF_failsafe_disables_events;
    context.ctrlreg[0] = 8;
    assert_refused(initialise(1), RULE_VCPU_USER_ROOT, XEN_EINVAL);
    context.ctrlreg[1] = context.ctrlreg[3];
    memset(&context.fpu_ctxt, 0x5a, sizeof(context.fpu_ctxt));
    cr_assert_eq(initialise(1), 0);
    memset(fpu, 0x5a, sizeof(fpu));
    cr_assert_eq(memcmp(v1->fpu_area, fpu, sizeof(fpu)), 0);
    cr_assert_eq(v1->kernel_mode, 0);
    cr_assert_eq(v1->ts, 1);
    cr_assert(v1->callback[CB_SYSCALL].mask_events);
    cr_assert(v1->callback[CB_FAILSAFE].mask_events);
    assert_refused(initialise(1), RULE_VCPU_INITIALISED, XEN_EEXIST);
}

Test(vcpu, a_bad_context_changes_nothing)
{
    uint64_t *const addresses[] = {
        &context.user_regs.rip,
        &context.user_regs.rsp,
        &context.kernel_sp,
        &context.fs_base,
        &context.gs_base_kernel,
        &context.gs_base_user,
        &context.event_callback_eip,
        &context.failsafe_callback_eip,
        &context.syscall_callback_eip,
    };
    struct vcpu was = *v1;

    for (unsigned i = 0; i < PV_ARRAY_SIZE(addresses); i++) {
        make_context();
        *addresses[i] = WEIRD_VA;
        assert_refused(initialise(1), RULE_VCPU_ADDRESS, XEN_EINVAL);
        cr_assert_eq(last_of(g)->va, WEIRD_VA);
    }
    make_context();
    context.trap_ctxt[200].address = WEIRD_VA;
    assert_refused(initialise(1), RULE_TRAP_ADDRESS, XEN_EINVAL);
    make_context();
    context.ldt_base = WEIRD_VA, context.ldt_ents = 1;
    assert_refused(initialise(1), RULE_VCPU_ADDRESS, XEN_EINVAL);
    context.ldt_base = HV_VA;
    assert_refused(initialise(1), RULE_VCPU_ADDRESS, XEN_EINVAL);
    context.ldt_base = 0x1001;
    assert_refused(initialise(1), RULE_VCPU_DESCRIPTORS, XEN_EINVAL);
    context.ldt_base = 0x1000, context.ldt_ents = 8193;
    assert_refused(initialise(1), RULE_VCPU_DESCRIPTORS, XEN_EINVAL);
    make_context();
    context.gdt_ents = XEN_FIRST_RESERVED_GDT_ENTRY + 1;
    assert_refused(initialise(1), RULE_VCPU_DESCRIPTORS, XEN_EINVAL);
    context.gdt_ents = 1;
    context.gdt_frames[0] = 0xffffff;
    cr_assert_lt(initialise(1), 0);
    make_context();
    context.ctrlreg[3] = 0xffffff000;
    cr_assert_lt(initialise(1), 0);
    context.ctrlreg[3] = xen_pfn_to_cr3(other->p2m[other->l4]);
    cr_assert_lt(initialise(1), 0);
    make_context();
    context.ctrlreg[1] = xen_pfn_to_cr3(g->p2m[3]); /* a writable page: the first root goes back */
    cr_assert_lt(initialise(1), 0);
    cr_assert_eq(memcmp(&was.regs, &v1->regs, sizeof(was.regs)), 0);
    cr_assert_not(v1->initialised);
    assert_refused(op(XEN_VCPUOP_initialise, 1, BAD_VA), RULE_GUEST_POINTER, XEN_EFAULT);
}

Test(vcpu, vcpu_0_brings_the_assists)
{
    make_context();
    assert_refused(initialise(0), RULE_VCPU_INITIALISED, XEN_EEXIST);
    v->initialised = 0;
    context.vm_assist = 1 << 20;
    assert_refused(initialise(0), RULE_VCPU_ASSISTS, XEN_EINVAL);
    v->initialised = 1;
}

Test(vcpu, a_restarted_initialise)
{
    make_context();
    hosted.interrupt_every = 2;
    cr_assert_eq(initialise(1), 0);
    cr_assert(v1->initialised);
}

/* -- what a vCPU registers ------------------------------------------------------------------ */

static long info(uint32_t id, uint64_t m, uint32_t offset)
{
    struct xen_vcpu_register_vcpu_info i = {.mfn = m, .offset = offset};

    return op_with(XEN_VCPUOP_register_vcpu_info, id, &i, sizeof(i));
}

Test(vcpu, a_vcpu_info_of_its_own)
{
    struct xen_vcpu_info *old = v->info, *new = (void *)((char *)hosted_page(g, 5) + 128);

    old->arch.cr2 = 77;
    cr_assert_eq(info(0, g->p2m[5], 128), 0);
    cr_assert_eq((void *)v->info, (void *)new);
    cr_assert_eq(new->arch.cr2, 77, "it moves as it was");
    cr_assert_eq(new->evtchn_upcall_pending, 1, "and no event is lost");
    cr_assert_eq(new->evtchn_pending_sel, ~0ull);
    cr_assert_eq(new->time.version % 2, 0);
    cr_assert_eq(frame_of(hosted_mfn(g, 5))->refs, 3);
    assert_refused(info(0, g->p2m[6], 0), RULE_VCPU_INFO_TWICE, XEN_EINVAL);
    cr_assert_eq(info(1, g->p2m[5], 4096 - 64), 0);
    /* A page in use as a table, another guest's, or none at all. */
    vcpu_drop(v1);
    assert_refused(info(1, g->p2m[g->l4], 0), RULE_VCPU_INFO_FRAME, XEN_EINVAL);
    assert_refused(info(1, other->p2m[3], 0), RULE_VCPU_INFO_FRAME, XEN_EINVAL);
    assert_refused(info(1, 1ull << 40, 0), RULE_VCPU_INFO_FRAME, XEN_EINVAL);
    assert_refused(info(1, g->p2m[5], 4), RULE_VCPU_INFO_PLACE, XEN_ENXIO);
    assert_refused(info(1, g->p2m[5], 4096 - 56), RULE_VCPU_INFO_PLACE, XEN_ENXIO);
    assert_refused(op(XEN_VCPUOP_register_vcpu_info, 1, BAD_VA), RULE_GUEST_POINTER, XEN_EFAULT);
    v1->is_up = 1;
    assert_refused(info(1, g->p2m[6], 0), RULE_VCPU_INFO_TWICE, XEN_EINVAL);
    v1->is_up = 0;
}

Test(vcpu, an_nmi_wakes)
{
    v1->state = VCPU_BLOCKED;
    cr_assert_eq(op(XEN_VCPUOP_send_nmi, 1, 0), 0);
    cr_assert_eq(v1->state, VCPU_RUNNABLE);
    cr_assert(v1->nmi_pending);
    sched_sleep(v1, VCPU_DOWN);
}
