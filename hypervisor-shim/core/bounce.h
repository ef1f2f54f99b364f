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

/* Enter v's kernel at rip. flags: BOUNCE_*. False: its stack would not do, and it is dead. */
static inline __attribute__((always_inline)) bool bounce(struct vcpu *v, uint64_t rip,
                                                         unsigned flags, uint32_t error_code)
{
    struct xen_cpu_user_regs *r = &v->regs;
    struct xen_vcpu_info *info = v->info;
    uint64_t frame[8], *f = frame, sp, cs = r->cs, rflags = r->rflags;
    uint8_t mask = info->evtchn_upcall_mask;
    size_t bytes = flags & BOUNCE_ERROR_CODE ? 64 : 56;

    if (v->kernel_mode) {
        sp = r->rsp;
        cs &= ~3ull; /* tells the kernel that it was itself interrupted */
    } else {
        v->kernel_mode = 1;
        plat_mode_switch(v);
        sp = v->kernel_sp;
    }
    sp = (sp & ~15ull) - bytes;
    rflags &= ~(uint64_t)(EFLAGS_IF | EFLAGS_IOPL);
    if (!mask)
        rflags |= EFLAGS_IF;
    if (unlikely(v->domain->vm_assist & (1u << XEN_VMASST_TYPE_architectural_iopl)))
        rflags |= v->iopl;
    *f++ = r->rcx;
    *f++ = r->r11;
    if (flags & BOUNCE_ERROR_CODE)
        *f++ = error_code;
    f[0] = r->rip;
    f[1] = cs | (uint64_t)mask << 32;
    f[2] = rflags;
    f[3] = r->rsp;
    f[4] = r->ss;
    if (unlikely(guest_copy_out((pv_gptr_t){sp}, frame, bytes)))
        return bounce_stack_fault(v, sp + bytes);
    if (flags & BOUNCE_MASK_EVENTS)
        info->evtchn_upcall_mask = 1;
    r->rflags &= ~(uint64_t)(EFLAGS_AC | EFLAGS_VM | EFLAGS_RF | EFLAGS_NT | EFLAGS_TF);
    r->ss = XEN_FLAT_KERNEL_SS;
    r->cs = XEN_FLAT_KERNEL_CS;
    r->rsp = sp;
    r->rip = rip;
    return true;
}

#endif
