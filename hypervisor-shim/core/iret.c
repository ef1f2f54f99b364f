/* SPDX-License-Identifier: MIT
 *
 * iret.c - the iret hypercall: a guest's kernel returns to what it interrupted.
 *
 * The frame (struct xen_iret_context) lies at the guest's stack pointer. Its CS says whether
 * user mode is meant; selectors, flags and modes are forced to what a guest may have, so nothing in
 * it needs to be checked. An address or selector that the processor refuses comes back
 * by hv_failsafe().
 */
#include "bounce.h"
#include "sched.h"

/* From user mode on, what interrupted is another address space: the rare half. */
static __attribute__((noinline)) bool to_user_mode(struct vcpu *v, uint64_t rip)
{
    if (unlikely(!v->root[0].n)) {
        guest_kill(v, RULE_IRET_NO_USER_ROOT, .va = rip);
        return false;
    }
    v->kernel_mode = 0;
    plat_mode_switch(v);
    return true;
}

static __attribute__((noinline)) void end_nmi(struct vcpu *v)
{
    v->nmi_masked = 0;
    if (v->nmi_pending)
        cpu_work_set(CPU_WORK_RESCHED); /* hv_leave() looks again */
}

long hc_iret(struct vcpu *v)
{
    struct xen_cpu_user_regs *r = &v->regs;
    uint64_t at = r->rsp, rax, r11, rcx, flags, rip, cs, rflags, rsp, ss;

    _Static_assert(offsetof(struct xen_iret_context, ss) == 64, "nine words");
    if (unlikely(!guest_va_ok(at)) || !plat_get64(at, &rax) || !plat_get64(at + 8, &r11) ||
        !plat_get64(at + 16, &rcx) || !plat_get64(at + 24, &flags) || !plat_get64(at + 32, &rip) ||
        !plat_get64(at + 40, &cs) || !plat_get64(at + 48, &rflags) ||
        !plat_get64(at + 56, &rsp) || !plat_get64(at + 64, &ss)) {
        guest_kill(v, RULE_IRET_FRAME, .va = at);
        return 0;
    }
    if ((cs & 3) == 3 && !to_user_mode(v, rip))
        return 0;
    if (unlikely(v->domain->vm_assist & (1u << XEN_VMASST_TYPE_architectural_iopl)))
        v->iopl = rflags & EFLAGS_IOPL;
    v->info->evtchn_upcall_mask = !(rflags & EFLAGS_IF);
    r->rip = rip;
    r->cs = (uint16_t)(cs | 3);
    r->rflags = (rflags & ~(uint64_t)(EFLAGS_IOPL | EFLAGS_VM)) | EFLAGS_IF;
    r->rsp = rsp;
    r->ss = (uint16_t)(ss | 3);
    if (!(flags & XEN_VGCF_in_syscall)) {
        r->r11 = r11;
        r->rcx = rcx;
    }
    if (unlikely(v->nmi_masked))
        end_nmi(v);
    return (long)rax;
}
