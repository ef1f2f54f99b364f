/* SPDX-License-Identifier: MIT
 *
 * entry.h - the twin of platform.h: how the machine calls the core.
 *
 * x86/entry.S saves everything in v->regs, is on the CPU's own stack, and calls
 * one of these; each ends in hv_leave() and returns the vCPU whose registers
 * are to be loaded next (never NULL: it idles inside until there is one). The
 * hosted tests call the same functions.
 */
#ifndef HV_ENTRY_H
#define HV_ENTRY_H

#include "domain.h"
#include "platform.h"

/* SYSCALL: a hypercall if the guest was in kernel mode, else its system call; from compatibility
 * mode, a system call. As long as v goes on, its callee-saved registers stay in the processor, and
 * v is returned. NULL: there is more to do; the caller saves them too, and calls hv_leave_slow(v). */
struct vcpu *hv_syscall(struct vcpu *v);
struct vcpu *hv_syscall32(struct vcpu *v);
struct vcpu *hv_sysenter(struct vcpu *v);
/* An exception or INT n from ring 3; regs.error_code holds what the processor pushed. */
struct vcpu *hv_trap(struct vcpu *v, unsigned vector);
struct vcpu *hv_page_fault(struct vcpu *v, uint64_t cr2);
/* An interrupt was taken and acknowledged; CPU_WORK bits say what for. */
struct vcpu *hv_interrupt(struct vcpu *v);

/* Do what is pending, choose who runs, deliver its events. */
struct vcpu *hv_leave_slow(struct vcpu *v);
/* v has an event to take: its callback, and v. NULL: that is not all; hv_leave_slow(). */
struct vcpu *hv_upcall(struct vcpu *v);
PLAT_INLINE struct vcpu *hv_leave_quick(struct vcpu *v)
{
    uint16_t pending_mask; /* pending in the low byte, mask in the high one */

    __builtin_memcpy(&pending_mask, &v->info->evtchn_upcall_pending, 2);
    if (likely(v->cpu->work == 0 && (pending_mask == 0 || pending_mask > 0xff)))
        return v;
    return hv_upcall(v);
}
PLAT_INLINE struct vcpu *hv_leave(struct vcpu *v)
{
    return likely(hv_leave_quick(v) != NULL) ? v : hv_leave_slow(v);
}
/* The same with no vCPU to begin with: after the boot. */
struct vcpu *hv_idle(void);

/* -- dispatch.c -------------------------------------------------------------- */
/* Make the hypercall again from the beginning with these arguments, after what is
 * pending was done: return hc_restart(v, nargs, a1, ...). Works inside multicalls. */
long hc_restart(struct vcpu *v, unsigned nargs, ...);
/* One call, as from a register set: what multicall and the pair tests use. */
long hc_call(struct vcpu *v, uint64_t nr, const uint64_t arg[6]);

#define HC_ARG_ptr pv_gptr_t
#define HC_ARG_u64 uint64_t
#define HC_ARG_u32 uint32_t
#define HC_ARG_s32 int32_t
#define HYPERCALL0(nr, name)             long hc_##name(struct vcpu *);
#define HYPERCALL1(nr, name, a)          long hc_##name(struct vcpu *, HC_ARG_##a);
#define HYPERCALL2(nr, name, a, b)       long hc_##name(struct vcpu *, HC_ARG_##a, HC_ARG_##b);
#define HYPERCALL3(nr, name, a, b, c)    long hc_##name(struct vcpu *, HC_ARG_##a, HC_ARG_##b, HC_ARG_##c);
#define HYPERCALL4(nr, name, a, b, c, d) long hc_##name(struct vcpu *, HC_ARG_##a, HC_ARG_##b, HC_ARG_##c, HC_ARG_##d);
#include "hypercalls.def"
#undef HYPERCALL0
#undef HYPERCALL1
#undef HYPERCALL2
#undef HYPERCALL3
#undef HYPERCALL4

/* -- trap.c -------------------------------------------------------------- */
/* Give v's guest exception `vector` by its trap table; no handler: it is killed. v is current. */
void trap_inject(struct vcpu *v, unsigned vector, uint32_t error_code);
void trap_inject_page_fault(struct vcpu *v, uint64_t va, uint32_t error_code);
/* The guest executed INT n (regs.rip is behind it) and may: its DPL was checked by trap_int_allowed(). */
void trap_inject_software(struct vcpu *v, unsigned vector);
bool trap_int_allowed(const struct vcpu *v, unsigned vector);
/* Enter the guest's kernel at a callback; without one it is killed. False: it is dead. */
bool trap_callback(struct vcpu *v, enum callback which);
/* v->selectors_lost: its failsafe callback, with the selectors that it had; or its end. */
bool trap_failsafe(struct vcpu *v);

/* -- emulate.c: privileged instructions. True: done, regs.rip has advanced or an exception was injected. */
bool emulate_privileged(struct vcpu *v, uint32_t error_code);
bool emulate_forced(struct vcpu *v);          /* #UD with the ud2a/xen prefix before cpuid */

/* -- pt_write.c: a write to a page-table page that the guest maps read-only. True: done. */
bool emulate_pt_write(struct vcpu *v, uint64_t va);

#endif
