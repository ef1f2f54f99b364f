/* SPDX-License-Identifier: MIT
 *
 * iret.c - the iret hypercall: a guest's kernel returns to what it interrupted.
 *
 * The frame (struct xen_iret_context) lies at the guest's stack pointer. Its CS says whether
 * user mode is meant; selectors, flags and modes are forced to what a guest may have, so nothing in
 * it needs to be checked. An address or selector that the processor refuses is a fault
 * of the guest's at the place that it was to go to.
 */
#include "bounce.h"
#include "sched.h"

static __attribute__((noinline)) long no_user_root(struct vcpu *v)
{
    guest_kill(v, RULE_IRET_NO_USER_ROOT, .va = v->regs.rip);
    return 0;
}

static __attribute__((noinline)) void end_nmi(struct vcpu *v)
{
    v->nmi_masked = 0;
    if (v->nmi_pending)
        cpu_work_set(CPU_WORK_RESCHED); /* hv_leave() looks again */
}

static __attribute__((noinline)) long frame_fault(struct vcpu *v)
{
    guest_kill(v, RULE_IRET_FRAME, .va = v->regs.rsp);
    return 0;
}

/* What is stored before a word faults does no harm: the guest is dead then. */
long hc_iret(struct vcpu *v)
{
    struct xen_cpu_user_regs *r = &v->regs;
    uint64_t at = r->rsp, word, rcx, cs, rflags, rax;

    _Static_assert(offsetof(struct xen_iret_context, ss) == 64, "nine words");
    if (unlikely(!guest_va_ok(at)) || !plat_get64_at(at, 24, &word))
        return frame_fault(v);
    if (!(word & XEN_VGCF_in_syscall)) {
        if (!plat_get64_at(at, 8, &word) || !plat_get64_at(at, 16, &rcx))
            return frame_fault(v);
        r->r11 = word;
        r->rcx = rcx;
    }
    if (!plat_get64_at(at, 32, &word))
        return frame_fault(v);
    r->rip = word;
    if (!plat_get64_at(at, 48, &rflags))
        return frame_fault(v);
    v->info->evtchn_upcall_mask = !(rflags & EFLAGS_IF);
    if (unlikely(v->domain->vm_assist & (1u << XEN_VMASST_TYPE_architectural_iopl)))
        v->iopl = rflags & EFLAGS_IOPL;
    r->rflags = (rflags & ~(uint64_t)(EFLAGS_IOPL | EFLAGS_VM)) | EFLAGS_IF;
    if (!plat_get64_at(at, 0, &rax) || !plat_get64_at(at, 56, &word))
        return frame_fault(v);
    if (!plat_get64_at(at, 64, &rcx) || !plat_get64_at(at, 40, &cs))
        return frame_fault(v);
    r->rsp = word;
    selector_set(&r->ss, (uint16_t)(rcx | 3));
    selector_set(&r->cs, (uint16_t)(cs | 3));
    if ((cs & 3) == 3) { /* what interrupted from there is another address space */
        if (unlikely(!v->root[0].n))
            return no_user_root(v);
        v->domain->user_entries++;
        v->kernel_mode = 0;
        plat_mode_switch(v);
    }
    if (unlikely(v->nmi_masked))
        end_nmi(v);
    return (long)rax;
}
