/* SPDX-License-Identifier: MIT */
/*
 * vcpu.c - starting and stopping virtual processors.
 *
 * A vCPU's first context holds all that vCPU 0 set up by hypercalls: traps, callbacks, page tables,
 * stack. It is 5 KiB, so it is built in one static place; callers take turns.
 */
#include <pv/vcpu.h>
#include <pv/host.h>
#include <pv/hypercall.h>
#include <pv/trap.h>
#include "internal.h"

static struct xen_vcpu_guest_context context;

unsigned pv_vcpu_count(void)
{
    unsigned n = 0;

    while (n < XEN_LEGACY_MAX_VCPUS && pv_vcpu_is_up(n) >= 0)
        n++;
    return n;
}

static void fill_traps(struct xen_vcpu_guest_context *c)
{
    struct xen_trap_info table[32];
    unsigned n = pv_trap_table(table, PV_ARRAY_SIZE(table));

    /* Here the table is indexed by vector, not a list. */
    for (unsigned i = 0; i < n; i++)
        c->trap_ctxt[table[i].vector] = table[i];
    c->event_callback_eip = pv_trap_entry(PV_TRAP_EVENT);
    c->failsafe_callback_eip = pv_trap_entry(PV_TRAP_FAILSAFE);
    c->syscall_callback_eip = pv_trap_entry(PV_TRAP_SYSCALL);
    c->flags |= XEN_VGCF_failsafe_disables_events | XEN_VGCF_syscall_disables_events;
}

int pv_vcpu_start(unsigned vcpu, void *stack_top, const struct pv_space *s,
                  void (*function)(void *), void *arg)
{
    struct xen_vcpu_guest_context *c = &context;
    mfn_t kernel = pv_p2m(s->kernel);
    int64_t err = pv_vcpu_is_up(vcpu);
    uint8_t mask;

    if (vcpu >= XEN_LEGACY_MAX_VCPUS || !mfn_valid(kernel))
        return -XEN_EINVAL;
    if (err)
        return err > 0 ? -XEN_EEXIST : (int)err;
    *c = (struct xen_vcpu_guest_context){
        .flags = XEN_VGCF_in_kernel,
        /* As if the function had been called: a return address would lie at rsp. */
        .user_regs = {.rip = (uint64_t)(uintptr_t)function,
                      .rdi = pv_arg(arg),
                      .rsp = pv_arg(stack_top) - sizeof(uint64_t),
                      .cs = XEN_FLAT_KERNEL_CS,
                      .ss = XEN_FLAT_KERNEL_SS,
                      .rflags = PV_RFLAGS_IF},
        .kernel_ss = XEN_FLAT_KERNEL_SS,
        .kernel_sp = pv_arg(stack_top),
    };
    c->ctrlreg[3] = mfn_to_maddr(kernel);
    if (pfn_valid(s->user))
        c->ctrlreg[1] = mfn_to_maddr(pv_p2m(s->user));
    fill_traps(c);
    /* It must not be interrupted before it wants to be; one that is only down keeps its mask. */
    mask = pv_vcpu_info_of(vcpu)->evtchn_upcall_mask;
    pv_vcpu_info_of(vcpu)->evtchn_upcall_mask = 1;
    err = pv_hypercall_vcpu_op(XEN_VCPUOP_initialise, vcpu, c);
    if (err == 0)
        err = pv_hypercall_vcpu_op(XEN_VCPUOP_up, vcpu, NULL);
    else
        pv_vcpu_info_of(vcpu)->evtchn_upcall_mask = mask;
    return (int)err;
}

int pv_vcpu_stop(void)
{
    return (int)pv_hypercall_vcpu_op(XEN_VCPUOP_down, pv_host_cpu(), NULL);
}

int pv_vcpu_resume(unsigned vcpu)
{
    return (int)pv_hypercall_vcpu_op(XEN_VCPUOP_up, vcpu, NULL);
}

int pv_vcpu_is_up(unsigned vcpu)
{
    return (int)pv_hypercall_vcpu_op(XEN_VCPUOP_is_up, vcpu, NULL);
}

int pv_vcpu_info_register(unsigned vcpu, struct xen_vcpu_info *info)
{
    uint64_t va = pv_arg(info);
    mfn_t m = pv_p2m(pv_pte_pfn(pv_space_lookup(pv_space_kernel(), va)));
    struct xen_vcpu_register_vcpu_info op = {.mfn = m.n, .offset = va & PV_PAGE_MASK};
    int err;

    if (vcpu >= XEN_LEGACY_MAX_VCPUS || !mfn_valid(m))
        return -XEN_EINVAL;
    err = (int)pv_hypercall_vcpu_op(XEN_VCPUOP_register_vcpu_info, vcpu, &op);
    if (err == 0)
        pv_vcpu_info_set(vcpu, info);
    return err;
}

int pv_vcpu_nmi(unsigned vcpu)
{
    return (int)pv_hypercall_vcpu_op(XEN_VCPUOP_send_nmi, vcpu, NULL);
}
