/* SPDX-License-Identifier: MIT
 *
 * bounce.h - the frame that a guest's kernel finds on its stack when it is entered.
 *
 *   low                                                                       high
 *   | rcx | r11 | [error code] | rip | cs, saved mask << 32 | rflags | rsp | ss |  16-byte aligned
 *
 * Inline, because every trap, event and system call ends here.
 */
#ifndef HV_BOUNCE_H
#define HV_BOUNCE_H

#include "entry.h"
#include "guest_mem.h"

enum {
    EFLAGS_TF = 1 << 8,
    EFLAGS_IF = 1 << 9,
    EFLAGS_DF = 1 << 10,
    EFLAGS_IOPL = 3 << 12,
    EFLAGS_NT = 1 << 14,
    EFLAGS_RF = 1 << 16,
    EFLAGS_VM = 1 << 17,
    EFLAGS_AC = 1 << 18,
};

bool bounce_stack_fault(struct vcpu *v, uint64_t sp); /* kills; returns false */

/* Enter v's kernel at rip. flags: BOUNCE_*, best a constant. False: its stack would not do, and it
 * is dead. */
static inline __attribute__((always_inline)) bool bounce(struct vcpu *v, uint64_t rip,
                                                         unsigned flags, uint32_t error_code)
{
    struct xen_cpu_user_regs *r = &v->regs;
    struct xen_vcpu_info *info = v->info;
    uint64_t sp, at, cs = r->cs, rflags = r->rflags;
    uint8_t mask = info->evtchn_upcall_mask;

    if (v->kernel_mode) {
        sp = r->rsp;
        cs &= ~3ull; /* tells the kernel that it was itself interrupted */
    } else {
        v->kernel_mode = 1;
        plat_mode_switch(v);
        sp = v->kernel_sp;
    }
    sp &= ~15ull;
    rflags &= ~(uint64_t)(EFLAGS_IF | EFLAGS_IOPL);
    if (!mask)
        rflags |= EFLAGS_IF;
    if (unlikely(v->domain->vm_assist & (1u << XEN_VMASST_TYPE_architectural_iopl)))
        rflags |= v->iopl;
    at = sp - 40;
    if (unlikely(!guest_va_ok(sp - 64)) || !plat_put64(at, r->rip) ||
        !plat_put64(at + 8, cs | (uint64_t)mask << 32) || !plat_put64(at + 16, rflags) ||
        !plat_put64(at + 24, r->rsp) || !plat_put64(at + 32, r->ss))
        return bounce_stack_fault(v, sp);
    if (flags & BOUNCE_ERROR_CODE) {
        at -= 8;
        if (!plat_put64(at, error_code))
            return bounce_stack_fault(v, sp);
    }
    at -= 16;
    if (!plat_put64(at, r->rcx) || !plat_put64(at + 8, r->r11))
        return bounce_stack_fault(v, sp);
    if (flags & BOUNCE_MASK_EVENTS)
        info->evtchn_upcall_mask = 1;
    r->rflags &= ~(uint64_t)(EFLAGS_AC | EFLAGS_VM | EFLAGS_RF | EFLAGS_NT | EFLAGS_TF);
    r->ss = XEN_FLAT_KERNEL_SS;
    r->cs = XEN_FLAT_KERNEL_CS;
    r->rsp = at;
    r->rip = rip;
    return true;
}

#endif
