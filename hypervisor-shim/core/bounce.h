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

/* bounce() did not find room below sp: v's guest is killed. Its caller still has to leave. */
void bounce_no_stack(struct vcpu *v, uint64_t sp);
/* bounce() from user mode: to the kernel's tables and stack first. */
bool bounce_from_user(struct vcpu *v, uint64_t rip, unsigned flags, uint32_t error_code);

/* All of a slot of 8 bytes, of which the selector is a part. */
static inline void selector_set(uint16_t *slot, uint16_t value)
{
    *(uint64_t *)slot = value;
}

/* Write the frame, and enter at rip. False: the stack would not do; nothing has changed.
 * regs.rflags are the processor's own: IF set, IOPL and VM clear. */
PLAT_INLINE bool bounce_at(struct vcpu *v, uint64_t sp, uint64_t cs, uint64_t rip, unsigned flags,
                           uint32_t error_code)
{
    struct xen_cpu_user_regs *r = &v->regs;
    struct xen_vcpu_info *info = v->info;
    uint64_t rflags = r->rflags, mask = info->evtchn_upcall_mask;

    sp &= ~15ull;
    if (mask)
        rflags &= ~(uint64_t)EFLAGS_IF;
    if (unlikely(v->domain->vm_assist & (1u << XEN_VMASST_TYPE_architectural_iopl)))
        rflags |= v->iopl;
    if (unlikely(!guest_va_ok(sp - 64)) || !plat_put64_at(sp, -40, r->rip) ||
        !plat_put64_at(sp, -32, cs | mask << 32) || !plat_put64_at(sp, -24, rflags) ||
        !plat_put64_at(sp, -16, r->rsp) || !plat_put64_at(sp, -8, r->ss))
        return false;
    if (flags & BOUNCE_ERROR_CODE) {
        if (!plat_put64_at(sp, -48, error_code))
            return false;
        sp -= 8;
    }
    if (!plat_put64_at(sp, -56, r->rcx) || !plat_put64_at(sp, -48, r->r11))
        return false;
    if (flags & BOUNCE_MASK_EVENTS)
        info->evtchn_upcall_mask = 1;
    r->rflags &= ~(uint64_t)(EFLAGS_AC | EFLAGS_VM | EFLAGS_RF | EFLAGS_NT | EFLAGS_TF);
    selector_set(&r->ss, XEN_FLAT_KERNEL_SS);
    selector_set(&r->cs, XEN_FLAT_KERNEL_CS);
    r->rsp = sp - 56;
    r->rip = rip;
    return true;
}

/* The low bits of CS tell the kernel that it was itself interrupted. */
static inline uint64_t bounce_kernel_cs(const struct vcpu *v)
{
    return v->regs.cs & ~3ull;
}

/* Enter v's kernel at rip from whatever mode. flags: BOUNCE_*, best a constant. False: its stack
 * would not do, and it is dead. */
PLAT_INLINE bool bounce(struct vcpu *v, uint64_t rip, unsigned flags, uint32_t error_code)
{
    if (!v->kernel_mode)
        return bounce_from_user(v, rip, flags, error_code);
    if (likely(bounce_at(v, v->regs.rsp, bounce_kernel_cs(v), rip, flags, error_code)))
        return true;
    bounce_no_stack(v, v->regs.rsp);
    return false;
}

#endif
