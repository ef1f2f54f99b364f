/* SPDX-License-Identifier: MIT
 *
 * calls_test.c - dispatch, multicalls, restarts, the small calls; and every row of
 * hypercalls.def with arguments from hell.
 */
#include "exec_fixture.h"
#include <pv/abi/console.h>
#include <pv/abi/features.h>
#include <pv/abi/physdev.h>
#include <pv/abi/version.h>
#include <stdlib.h>

TestSuite(calls, .init = exec_setup, .fini = exec_teardown);

/* -- dispatch -------------------------------------------------------------------------- */

Test(calls, numbers_without_a_row)
{
    assert_refused(call(7, 0, 0, 0), RULE_HYPERCALL_UNKNOWN, XEN_ENOSYS);
    cr_assert_eq(last_of(g)->value, 7);
    assert_refused(call(63, 0, 0, 0), RULE_HYPERCALL_UNKNOWN, XEN_ENOSYS);
    assert_refused(call(64, 0, 0, 0), RULE_HYPERCALL_UNKNOWN, XEN_ENOSYS);
    assert_refused(call(~0ull, 0, 0, 0), RULE_HYPERCALL_UNKNOWN, XEN_ENOSYS);
    cr_assert_eq(g->d->reasons.count, 2, "told once for each, counted ever after");
}

Test(calls, a_call_leaves_its_result_in_rax)
{
    cr_assert_eq(enter(v, XEN_HYPERVISOR_xen_version, XENVER_version, 0), v);
    cr_assert_eq(v->regs.rax, 0x40011);
    hv.trace_mask = TRACE_HYPERCALL;
    cr_assert_eq(enter(v, XEN_HYPERVISOR_xen_version, XENVER_version, 0), v);
    cr_assert_eq(trace_count, 1);
    cr_assert_eq(trace_ring[0].a, XEN_HYPERVISOR_xen_version);
}

/* -- multicall -------------------------------------------------------------------------- */

static struct xen_multicall_entry *entries(void)
{
    return args();
}

static void entry(unsigned n, uint64_t op, uint64_t a1, uint64_t a2)
{
    entries()[n] = (struct xen_multicall_entry){.op = op, .result = 0xdead, .args = {a1, a2}};
}

Test(calls, multicall_does_all_and_tells_each_result)
{
    entry(0, XEN_HYPERVISOR_xen_version, XENVER_version, 0);
    entry(1, 50, 0, 0);
    entry(2, XEN_HYPERVISOR_stack_switch, 0xe028, 0x8000);
    cr_assert_eq(call(XEN_HYPERVISOR_multicall, args_va(), 3, 0), 0);
    cr_assert_eq(entries()[0].result, 0x40011);
    cr_assert_eq((int64_t)entries()[1].result, -XEN_ENOSYS);
    cr_assert_eq(entries()[2].result, 0);
    cr_assert_eq(v->kernel_sp, 0x8000);
    cr_assert_not(v->in_multicall);
    cr_assert_eq(call(XEN_HYPERVISOR_multicall, 0, 0, 0), 0, "nothing is easily done");
}

Test(calls, multicall_is_not_nested)
{
    entry(0, XEN_HYPERVISOR_multicall, args_va(), 1);
    assert_refused(call(XEN_HYPERVISOR_multicall, args_va(), 1, 0) + (long)entries()[0].result,
                   RULE_MULTICALL_NESTED, XEN_EINVAL);
    cr_assert_not(v->in_multicall);
}

Test(calls, multicall_with_a_bad_list)
{
    assert_refused(call(XEN_HYPERVISOR_multicall, BAD_VA, 1, 0), RULE_GUEST_POINTER, XEN_EFAULT);
    assert_refused(call(XEN_HYPERVISOR_multicall, HV_VA, 0, 0), RULE_GUEST_POINTER, XEN_EFAULT);
    assert_refused(call(XEN_HYPERVISOR_multicall, 0x7ffffffff000, 0xffffffff, 0),
                   RULE_GUEST_POINTER, XEN_EFAULT);
    /* Read-only: the first call is made, its result cannot be told. */
    assert_refused(call(XEN_HYPERVISOR_multicall, hosted_va(g->l4), 1, 0), RULE_GUEST_POINTER,
                   XEN_EFAULT);
    cr_assert_not(v->in_multicall);
}

Test(calls, an_iret_ends_its_multicall)
{
    struct xen_iret_context *c = hosted_page(g, 5);

    *c = (struct xen_iret_context){.rax = 99, .rip = 0x5000, .cs = 0xe030, .rflags = 0x202};
    v->regs.rsp = hosted_va(5);
    entry(0, XEN_HYPERVISOR_iret, 0, 0);
    entry(1, XEN_HYPERVISOR_stack_switch, 0, 0x1234000);
    cr_assert_eq(call(XEN_HYPERVISOR_multicall, args_va(), 2, 0), 99);
    cr_assert_eq(v->regs.rip, 0x5000);
    cr_assert_neq(v->kernel_sp, 0x1234000, "nothing after it");
    cr_assert_not(v->in_multicall);
    cr_assert_not(v->restarted);
}

/* A vCPU that sleeps in a multicall finds the rest of it when it wakes. */
Test(calls, a_multicall_goes_on_after_sleep)
{
    v->regs.rip = 0x9002;
    v->info->evtchn_upcall_mask = 1;
    entry(0, XEN_HYPERVISOR_sched_op, 1 /* block */, 0);
    entry(1, XEN_HYPERVISOR_stack_switch, 0, 0x6000);
    cr_assert_eq(enter(v, XEN_HYPERVISOR_multicall, args_va(), 2), other->v);
    cr_assert_eq(v->state, VCPU_BLOCKED);
    cr_assert_eq(v->regs.rip, 0x9000, "on its SYSCALL again");
    cr_assert_eq(v->regs.rax, XEN_HYPERVISOR_multicall);
    cr_assert_eq(v->regs.rsi, 1);
    cr_assert_eq(entries()[0].result, 0);
    v->info->evtchn_upcall_mask = 1;
    hosted_run(v);
    cr_assert_eq(enter(v, v->regs.rax, v->regs.rdi, v->regs.rsi), v);
    cr_assert_eq(v->regs.rax, 0);
    cr_assert_eq(v->kernel_sp, 0x6000);
}

Test(calls, a_long_entry_of_a_multicall_is_restarted)
{
    memset(hosted_page(g, 5), 'x', PV_PAGE_SIZE);
    entry(0, XEN_HYPERVISOR_console_io, XEN_CONSOLEIO_write, 1000);
    entries()[0].args[2] = hosted_va(5);
    entry(1, XEN_HYPERVISOR_stack_switch, 0, 0x6000);
    hosted.interrupt_every = 2;
    cr_assert_eq(call(XEN_HYPERVISOR_multicall, args_va(), 2, 0), 0);
    cr_assert_eq(g->d->console->kept_produced, 1000, "each byte once");
    cr_assert_eq(v->kernel_sp, 0x6000);
    cr_assert_gt(hosted.interrupt_count, 4);
}

Test(calls, a_restart_that_cannot_be_written_back)
{
    struct xen_multicall_entry *e = hosted_page(g, g->l4);
    struct xen_multicall_entry keep = *e;

    memset(hosted_page(g, 5), 'x', PV_PAGE_SIZE);
    *e = (struct xen_multicall_entry){.op = XEN_HYPERVISOR_console_io,
                                      .args = {XEN_CONSOLEIO_write, 1000, hosted_va(5)}};
    hosted.interrupt_every = 1;
    assert_refused(call(XEN_HYPERVISOR_multicall, hosted_va(g->l4), 1, 0), RULE_GUEST_POINTER,
                   XEN_EFAULT);
    *e = keep;
}

/* -- hostile arguments: made from the table ------------------------------------------------- */

static const uint64_t hostile[] = {
    0,
    1,
    2,
    3,
    4,
    5,
    9,
    0x80,
    0xffff,
    0x10000,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    BAD_VA,
    WEIRD_VA,
    HV_VA,
    HV_VA_END - 8,
    0xffff7fffffffffff,
    ~0ull,
    ~0ull - 4095,
    0x7ffffffffff8,
    HOSTED_BASE,
    HOSTED_BASE + 4090,
    HOSTED_BASE + (PAGES - 1) * 4096 + 4092,
};

static uint64_t pick(void)
{
    return hostile[(unsigned)rand() % PV_ARRAY_SIZE(hostile)];
}

/* Whatever the guest's pages hold, also page tables that it filled itself. */
static void garbage(void)
{
    for (uint64_t p = 0; p < 4; p++)
        for (unsigned i = 0; i < 512; i++)
            ((uint64_t *)hosted_page(g, p))[i] = rand() % 3   ? pick()
                                                 : rand() % 2 ? g->p2m[rand() % PAGES]
                                                              : (uint64_t)rand();
}

static void hammer(uint64_t nr, const char *name)
{
    for (unsigned n = 0; n < 400; n++) {
        uint64_t arg[6];
        long rc;

        if (n % 50 == 0)
            garbage();
        for (unsigned i = 0; i < 6; i++)
            arg[i] = pick();
        hosted.interrupt_every = (unsigned)rand() % 4;
        v->regs.rip = 0x5000;
        v->regs.rsp = pick();
        rc = hosted_call(v, nr, arg[0], arg[1], arg[2], arg[3]);
        (void)rc;
        if (g->d->state != DOMAIN_RUNNING || v->state != VCPU_RUNNING || v->root[1].n == 0) {
            exec_teardown();
            exec_setup();
        }
        v->kernel_mode = 1;
        v->in_multicall = 0;
        cr_assert_eq(other->d->state, DOMAIN_RUNNING, "%s: the other guest has noticed", name);
    }
    cr_assert_eq(frame_audit(), 0, "%s: counts are wrong", name);
}

#define HYPERCALL0(nr, name)    \
    Test(calls, hostile_##name) \
    {                           \
        srand(nr + 1);          \
        hammer(nr, #name);      \
    }
#define HYPERCALL1(nr, name, a)          HYPERCALL0(nr, name)
#define HYPERCALL2(nr, name, a, b)       HYPERCALL0(nr, name)
#define HYPERCALL3(nr, name, a, b, c)    HYPERCALL0(nr, name)
#define HYPERCALL4(nr, name, a, b, c, d) HYPERCALL0(nr, name)
#include "core/hypercalls.def"

/* -- the small calls -------------------------------------------------------------------------- */

Test(calls, stack_switch_repairs_selectors)
{
    cr_assert_eq(call(XEN_HYPERVISOR_stack_switch, 0x18, 0x1000, 0), 0);
    cr_assert_eq(v->kernel_ss, 0x1b);
    cr_assert_eq(v->kernel_sp, 0x1000);
}

Test(calls, fpu_taskswitch)
{
    cr_assert_eq(call(XEN_HYPERVISOR_fpu_taskswitch, 1, 0, 0), 0);
    cr_assert_eq(v->ts, 1);
    v->fpu_dirty = 1;
    cr_assert_eq(call(XEN_HYPERVISOR_fpu_taskswitch, 0, 0, 0), 0);
    cr_assert_eq(v->ts, 0);
    v->fpu_dirty = 0;
    cr_assert_eq(call(XEN_HYPERVISOR_fpu_taskswitch, 0, 0, 0), 0);
}

Test(calls, segment_bases)
{
    for (unsigned which = XEN_SEGBASE_FS; which <= XEN_SEGBASE_GS_KERNEL; which++) {
        cr_assert_eq(call(XEN_HYPERVISOR_set_segment_base, which, 0x12345000, 0), 0);
        cr_assert_eq(v->segbase[which], 0x12345000);
        assert_refused(call(XEN_HYPERVISOR_set_segment_base, which, WEIRD_VA, 0),
                       RULE_SEGBASE_ADDRESS, XEN_EINVAL);
    }
    cr_assert_eq(call(XEN_HYPERVISOR_set_segment_base, XEN_SEGBASE_GS_USER_SEL, 0x10010, 0), 0);
    cr_assert_eq(v->segbase[SEGSEL_GS_USER], 0x13, "16 bits, ring 3");
    cr_assert_eq(call(XEN_HYPERVISOR_set_segment_base, XEN_SEGBASE_GS_USER_SEL, 2, 0), 0);
    cr_assert_eq(v->segbase[SEGSEL_GS_USER], 2, "a null selector stays as it is");
    assert_refused(call(XEN_HYPERVISOR_set_segment_base, 4, 0, 0), RULE_SEGBASE_WHICH, XEN_EINVAL);
}

static long dr(unsigned reg, uint64_t value)
{
    return call(XEN_HYPERVISOR_set_debugreg, reg, value, 0);
}
static long get_dr(unsigned reg)
{
    return call(XEN_HYPERVISOR_get_debugreg, reg, 0, 0);
}

Test(calls, debug_registers)
{
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(dr(i, 0x1000 + i), 0);
        cr_assert_eq(get_dr(i), 0x1000 + i);
        assert_refused(dr(i, HV_VA), RULE_DEBUGREG_ADDRESS, XEN_EPERM);
        assert_refused(dr(i, WEIRD_VA), RULE_DEBUGREG_ADDRESS, XEN_EPERM);
    }
    cr_assert_eq(dr(6, 0), 0);
    cr_assert_eq(get_dr(6), 0xffff0ff0);
    cr_assert_eq(dr(4, 0xf), 0, "an alias of DR6");
    cr_assert_eq(get_dr(4), 0xffff0fff);
    assert_refused(dr(6, 1ull << 32), RULE_DEBUGREG_RESERVED, XEN_EINVAL);
    assert_refused(dr(7, 1ull << 32), RULE_DEBUGREG_RESERVED, XEN_EINVAL);
    cr_assert_eq(dr(5, 0x101), 0);
    cr_assert_eq(get_dr(7), 0x501);
    assert_refused(dr(7, 1 << 13), RULE_DEBUGREG_PRIVILEGED, XEN_EPERM);
    assert_refused(dr(7, 1 | 2 << 16), RULE_DEBUGREG_PRIVILEGED, XEN_EPERM);
    cr_assert_eq(dr(7, 2 << 16), 0, "nothing is enabled: no matter what it would be");
    v->cr4 |= 1 << 3; /* DE */
    cr_assert_eq(dr(7, 0x5 | 2 << 16), 0, "I/O breakpoints are taken, and never hit");
    cr_assert_eq(get_dr(7) & 0xff, 4);
    assert_refused(dr(4, 0), RULE_DEBUGREG_NUMBER, XEN_ENODEV);
    assert_refused(dr(5, 0), RULE_DEBUGREG_NUMBER, XEN_ENODEV);
    assert_refused(get_dr(4), RULE_DEBUGREG_NUMBER, XEN_ENODEV);
    assert_refused(get_dr(5), RULE_DEBUGREG_NUMBER, XEN_ENODEV);
    assert_refused(dr(8, 0), RULE_DEBUGREG_NUMBER, XEN_ENODEV);
    assert_refused(get_dr(8), RULE_DEBUGREG_NUMBER, XEN_ENODEV);
    assert_refused(get_dr((unsigned)-1), RULE_DEBUGREG_NUMBER, XEN_ENODEV);
    hv.cpu[0].loaded = other->v; /* not in the processor: only kept */
    cr_assert_eq(dr(0, 0x77), 0);
    hv.cpu[0].loaded = v;
}

static long version(int cmd, void *arg, size_t n)
{
    return call_with(XEN_HYPERVISOR_xen_version, (uint64_t)cmd, arg, n);
}

Test(calls, xen_version)
{
    struct xen_compile_info info;
    struct xen_platform_parameters p;
    struct xen_feature_info f = {0};
    char text[1024];

    memset(text, 'x', sizeof(text));
    cr_assert_eq(version(XENVER_extraversion, text, 16), 0);
    cr_assert_eq(strlen(text), 5);
    cr_assert_eq(version(XENVER_capabilities, text, 1024), 0);
    cr_assert_str_eq(text, "xen-3.0-x86_64 ");
    cr_assert_eq(version(XENVER_changeset, text, 64), 0);
    cr_assert_eq(version(XENVER_commandline, text, 1024), 0);
    cr_assert_str_eq(text, "");
    cr_assert_eq(version(XENVER_compile_info, &info, sizeof(info)), 0);
    cr_assert_eq(memcmp(info.compiler, "gcc", 3), 0);
    cr_assert_eq(version(XENVER_platform_parameters, &p, sizeof(p)), 0);
    cr_assert_eq(p.virt_start, HV_VA_START);
    cr_assert_eq(version(XENVER_get_features, &f, sizeof(f)), 0);
    cr_assert(f.submap >> XENFEAT_mmu_pt_update_preserve_ad & 1);
    cr_assert_not(f.submap >> XENFEAT_pae_pgdir_above_4gb & 1);
    g->d->vm_assist |= 1u << XEN_VMASST_TYPE_pae_extended_cr3;
    cr_assert_eq(version(XENVER_get_features, &f, sizeof(f)), 0);
    cr_assert(f.submap >> XENFEAT_pae_pgdir_above_4gb & 1);
    f.submap_idx = 1;
    assert_refused(version(XENVER_get_features, &f, sizeof(f)), RULE_VERSION_ARGUMENT, XEN_EINVAL);
    cr_assert_eq(call(XEN_HYPERVISOR_xen_version, XENVER_pagesize, 0, 0), 4096);
    assert_refused(call(XEN_HYPERVISOR_xen_version, XENVER_pagesize, 1, 0), RULE_VERSION_ARGUMENT,
                   XEN_EINVAL);
    cr_assert_eq(version(XENVER_guest_handle, text, 16), 0);
    cr_assert_eq(text[15], 1);
    assert_refused(call(XEN_HYPERVISOR_xen_version, XENVER_build_id, 0, 0),
                   RULE_VERSION_NO_BUILD_ID, XEN_ENODATA);
    assert_refused(version(99, text, 1), RULE_HYPERCALL_SUBOP, XEN_ENOSYS);
    for (int cmd = XENVER_extraversion; cmd <= XENVER_commandline; cmd++)
        if (cmd != XENVER_pagesize)
            assert_refused(call(XEN_HYPERVISOR_xen_version, (uint64_t)cmd, BAD_VA, 0),
                           RULE_GUEST_POINTER, XEN_EFAULT);
    memset(hosted_page(g, g->l4), 0, 8); /* readable, but the answer cannot be written */
    assert_refused(call(XEN_HYPERVISOR_xen_version, XENVER_get_features, hosted_va(g->l4), 0),
                   RULE_GUEST_POINTER, XEN_EFAULT);
}

Test(calls, vm_assist)
{
    cr_assert_eq(call(XEN_HYPERVISOR_vm_assist, XEN_VMASST_CMD_enable, 2, 0), 0);
    cr_assert_eq(g->d->vm_assist, 4);
    cr_assert_eq(call(XEN_HYPERVISOR_vm_assist, XEN_VMASST_CMD_enable, 32, 0), 0);
    cr_assert_eq(g->d->vm_assist, 4 | 1ull << 32);
    cr_assert_eq(call(XEN_HYPERVISOR_vm_assist, XEN_VMASST_CMD_disable, 2, 0), 0);
    cr_assert_eq(g->d->vm_assist, 1ull << 32);
    assert_refused(call(XEN_HYPERVISOR_vm_assist, 0, 6, 0), RULE_ASSIST_TYPE, XEN_EINVAL);
    assert_refused(call(XEN_HYPERVISOR_vm_assist, 0, 64, 0), RULE_ASSIST_TYPE, XEN_EINVAL);
    assert_refused(call(XEN_HYPERVISOR_vm_assist, 7, 2, 0), RULE_ASSIST_COMMAND, XEN_ENOSYS);
}

Test(calls, console_io)
{
    memcpy(args(), "hello\n", 6);
    cr_assert_eq(call(XEN_HYPERVISOR_console_io, XEN_CONSOLEIO_write, 6, args_va()), 0);
    cr_assert_str_eq(hosted.console + hosted.console_used - 6, "hello\n");
    cr_assert_eq(call(XEN_HYPERVISOR_console_io, XEN_CONSOLEIO_write, 0, 0), 0);
    cr_assert_eq(call(XEN_HYPERVISOR_console_io, XEN_CONSOLEIO_read, 9, args_va()), 0);
    assert_refused(call(XEN_HYPERVISOR_console_io, XEN_CONSOLEIO_read, 0x80000000, 0),
                   RULE_CONSOLE_COUNT, XEN_E2BIG);
    assert_refused(call(XEN_HYPERVISOR_console_io, XEN_CONSOLEIO_write, 5, BAD_VA),
                   RULE_GUEST_POINTER, XEN_EFAULT);
    assert_refused(call(XEN_HYPERVISOR_console_io, 2, 5, BAD_VA), RULE_HYPERCALL_SUBOP, XEN_ENOSYS);
}

static long physdev(int cmd, void *arg, size_t n)
{
    return call_with(XEN_HYPERVISOR_physdev_op, (uint64_t)cmd, arg, n);
}

Test(calls, physdev_op)
{
    struct xen_physdev_set_iopl i = {3};
    struct xen_physdev_set_iobitmap b = {.bitmap = {0x5000}, .nr_ports = 65536};
    struct xen_physdev_op o = {.cmd = XEN_PHYSDEVOP_set_iopl, .u.set_iopl.iopl = 1};

    cr_assert_eq(physdev(XEN_PHYSDEVOP_set_iopl, &i, sizeof(i)), 0);
    cr_assert_eq(v->iopl, 3 << 12);
    i.iopl = 4;
    assert_refused(physdev(XEN_PHYSDEVOP_set_iopl, &i, sizeof(i)), RULE_IOPL_VALUE, XEN_EINVAL);
    cr_assert_eq(physdev(XEN_PHYSDEVOP_set_iobitmap, &b, sizeof(b)), 0);
    cr_assert_eq(v->iobitmap.va, 0x5000);
    cr_assert_eq(v->iobitmap_ports, 65536);
    b.nr_ports = 65537;
    assert_refused(physdev(XEN_PHYSDEVOP_set_iobitmap, &b, sizeof(b)), RULE_IOBITMAP_PLACE,
                   XEN_EINVAL);
    b = (struct xen_physdev_set_iobitmap){.bitmap = {HV_VA - 4096}, .nr_ports = 1};
    assert_refused(physdev(XEN_PHYSDEVOP_set_iobitmap, &b, sizeof(b)), RULE_IOBITMAP_PLACE,
                   XEN_EINVAL);
    assert_refused(call(XEN_HYPERVISOR_physdev_op, XEN_PHYSDEVOP_set_iopl, BAD_VA, 0),
                   RULE_GUEST_POINTER, XEN_EFAULT);
    assert_refused(call(XEN_HYPERVISOR_physdev_op, XEN_PHYSDEVOP_set_iobitmap, BAD_VA, 0),
                   RULE_GUEST_POINTER, XEN_EFAULT);
    assert_refused(physdev(XEN_PHYSDEVOP_eoi, &i, sizeof(i)), RULE_PHYSDEV_PRIVILEGED, XEN_EINVAL);
    assert_refused(physdev(XEN_PHYSDEVOP_map_pirq, &i, sizeof(i)), RULE_PHYSDEV_PRIVILEGED,
                   XEN_EPERM);
    assert_refused(physdev(200, &i, sizeof(i)), RULE_HYPERCALL_SUBOP, XEN_ENOSYS);
    memcpy(args(), &o, sizeof(o));
    cr_assert_eq(call(XEN_HYPERVISOR_physdev_op_compat, args_va(), 0, 0), 0);
    cr_assert_eq(v->iopl, 1 << 12);
    assert_refused(call(XEN_HYPERVISOR_physdev_op_compat, BAD_VA, 0, 0), RULE_GUEST_POINTER,
                   XEN_EFAULT);
}
