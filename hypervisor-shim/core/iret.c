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

long hc_iret(struct vcpu *v)
{
    struct xen_cpu_user_regs *r = &v->regs;
    struct xen_iret_context c;

    if (unlikely(guest_copy_in(&c, (pv_gptr_t){r->rsp}, sizeof(c)))) {
        guest_kill(v, RULE_IRET_FRAME, .va = r->rsp);
        return 0;
    }
    if ((c.cs & 3) == 3) {
        if (unlikely(!v->root[0].n)) {
            guest_kill(v, RULE_IRET_NO_USER_ROOT, .va = c.rip);
            return 0;
        }
        v->kernel_mode = 0;
        plat_mode_switch(v);
    }
    if (unlikely(v->domain->vm_assist & (1u << XEN_VMASST_TYPE_architectural_iopl)))
        v->iopl = c.rflags & EFLAGS_IOPL;
    r->rip = c.rip;
    r->cs = (uint16_t)(c.cs | 3);
    r->rflags = (c.rflags & ~(uint64_t)(EFLAGS_IOPL | EFLAGS_VM)) | EFLAGS_IF;
    r->rsp = c.rsp;
    r->ss = (uint16_t)(c.ss | 3);
    if (!(c.flags & XEN_VGCF_in_syscall)) {
        r->r11 = c.r11;
        r->rcx = c.rcx;
    }
    v->info->evtchn_upcall_mask = !(c.rflags & EFLAGS_IF);
    if (unlikely(v->nmi_masked)) {
        v->nmi_masked = 0;
        if (v->nmi_pending)
            cpu_work_set(CPU_WORK_RESCHED); /* hv_leave() looks again */
    }
    return (long)c.rax;
}
