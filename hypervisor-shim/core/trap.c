/* SPDX-License-Identifier: MIT
 *
 * trap.c - exceptions and system calls on their way to a guest's kernel; the tables that
 * say where to.
 *
 *   the processor ─► hv_trap, hv_page_fault, hv_syscall ─► emulated here, or
 *                                                       ─► bounce() to the guest's handler
 *
 * What the guest's kernel may do by itself in ring 0 is tried first: privileged instructions
 * (emulate.c), writes to its page tables (pt_write.c). All else is the guest's own affair. A
 * guest that has no handler, or whose handler's stack will not do, is killed with the reason.
 *
 * x86-64's rule: handlers are entered at XEN_FLAT_KERNEL_CS, whatever selector was registered.
 */
#include "bounce.h"
#include "mm.h"
#include "trace.h"
#include <pv/abi/callback.h>
#include <pv/abi/nmi.h>

enum {
    TRAP_DB = 1,
    TRAP_NMI = 2,
    TRAP_BP = 3,
    TRAP_OF = 4,
    TRAP_UD = 6,
    TRAP_NM = 7,
    TRAP_GP = 13,
    TRAP_PF = 14,
    TRAPS = 32,
};
enum { PF_PRESENT = 1, PF_WRITE = 2, PF_USER = 4, PF_RESERVED = 8, PF_FETCH = 16 };

/* #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP, #VC, #SX push an error code. */
static const uint32_t HAS_ERROR_CODE = 0x60227d00;

static bool canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

COLD void bounce_no_stack(struct vcpu *v, uint64_t sp)
{
    guest_kill(v, RULE_BOUNCE_STACK, .va = sp);
}

static COLD struct vcpu *no_stack_leave(struct vcpu *v, uint64_t sp)
{
    bounce_no_stack(v, sp);
    return hv_leave_slow(v);
}

static inline unsigned trap_flags(const struct xen_trap_info *t)
{
    return t->flags & PV_TI_MASK_EVENTS ? BOUNCE_MASK_EVENTS : 0;
}

static void to_kernel(struct vcpu *v)
{
    v->kernel_mode = 1;
    plat_mode_switch(v);
}

bool bounce_from_user(struct vcpu *v, uint64_t rip, unsigned flags, uint32_t error_code)
{
    to_kernel(v);
    if (bounce_at(v, v->kernel_sp, v->regs.cs, rip, flags, error_code))
        return true;
    bounce_no_stack(v, v->kernel_sp);
    return false;
}

static COLD void unhandled(struct vcpu *v, unsigned vector, uint32_t error_code)
{
    guest_kill(v, RULE_TRAP_UNHANDLED, .vector = (uint8_t)vector, .value = error_code,
               .va = vector == TRAP_PF ? v->fault_va : 0);
}

static COLD struct vcpu *unhandled_leave(struct vcpu *v, unsigned vector, uint32_t error_code)
{
    unhandled(v, vector, error_code);
    return hv_leave_slow(v);
}

void trap_inject(struct vcpu *v, unsigned vector, uint32_t error_code)
{
    const struct xen_trap_info *t = &v->traps[vector];
    unsigned flags = trap_flags(t) | (HAS_ERROR_CODE >> vector & 1 ? BOUNCE_ERROR_CODE : 0);

    trace(TRACE_TRAP, v, vector, error_code);
    if (likely(t->address))
        bounce(v, t->address, flags, error_code);
    else
        unhandled(v, vector, error_code);
}

void trap_inject_software(struct vcpu *v, unsigned vector)
{
    const struct xen_trap_info *t = &v->traps[vector];

    if (likely(t->address))
        bounce(v, t->address, trap_flags(t), 0);
    else
        unhandled(v, vector, 0);
}

/* The bits of an error code are of the processor's two modes, of which it knows one: user. */
static inline uint32_t page_fault_code(uint32_t error_code, bool kernel)
{
    return kernel ? error_code & ~(uint32_t)PF_USER : error_code | PF_USER;
}

void trap_inject_page_fault(struct vcpu *v, uint64_t va, uint32_t error_code)
{
    v->fault_va = va;
    v->info->arch.cr2 = va;
    trap_inject(v, TRAP_PF, page_fault_code(error_code, v->kernel_mode));
}

/* Level 0: nobody; 1, 2: the kernel; 3: its user programs too. */
bool trap_int_allowed(const struct vcpu *v, unsigned vector)
{
    unsigned dpl = v->traps[vector].flags & PV_TI_DPL_MASK;

    return v->kernel_mode ? dpl >= 1 : dpl == 3;
}

bool trap_callback(struct vcpu *v, enum callback which)
{
    if (unlikely(!v->callback[which].rip)) {
        guest_kill(v, RULE_CALLBACK_MISSING, .value = which);
        return false;
    }
    return bounce(v, v->callback[which].rip,
                  v->callback[which].mask_events ? BOUNCE_MASK_EVENTS : 0, 0);
}

/* Between r11 and rip of this frame lie ds, es, fs and gs: it is a bounce's, moved down by four. */
bool trap_failsafe(struct vcpu *v)
{
    struct xen_cpu_user_regs *r = &v->regs;
    uint64_t rip = v->callback[CB_FAILSAFE].rip, sp;

    v->selectors_lost = 0;
    if (!rip) {
        guest_kill(v, RULE_RETURN_FAULT, .va = r->rip);
        return false;
    }
    if (!bounce(v, rip, v->callback[CB_FAILSAFE].mask_events ? BOUNCE_MASK_EVENTS : 0, 0))
        return false;
    sp = r->rsp - 32;
    if (!guest_va_ok(sp) || !plat_put64_at(sp, 0, r->rcx) || !plat_put64_at(sp, 8, r->r11) ||
        !plat_put64_at(sp, 16, r->ds) || !plat_put64_at(sp, 24, r->es) ||
        !plat_put64_at(sp, 32, r->fs) || !plat_put64_at(sp, 40, r->gs)) {
        bounce_no_stack(v, sp);
        return false;
    }
    r->rsp = sp;
    return true;
}

/* -- from the processor ------------------------------------------------------------ */

static inline bool device_not_available(struct vcpu *v)
{
    plat_fpu_restore(v);
    if (!v->ts)
        return false;
    v->ts = 0; /* the handler runs with it clear, as CLTS would leave it */
    return true;
}

/* A gate that was closed to INT n, or an instruction for ring 0. */
static void general_protection(struct vcpu *v, uint32_t error_code)
{
    unsigned vector = error_code >> 3 & 0xff;

    if (error_code & 2 && trap_int_allowed(v, vector)) {
        v->regs.rip += 2;
        trap_inject_software(v, vector);
    } else if (error_code || !emulate_privileged(v, error_code)) {
        trap_inject(v, TRAP_GP, error_code);
    }
}

/* The same as trap_inject(), for the two fast ends of an entry: every path ends in a jump, so that
 * nothing has to be kept. v is in kernel mode, from which sp and cs were taken, or has just come
 * to it. */
PLAT_INLINE struct vcpu *deliver(struct vcpu *v, uint64_t sp, uint64_t cs, unsigned vector,
                                 unsigned flags, uint32_t error_code)
{
    const struct xen_trap_info *t = &v->traps[vector];

    if (unlikely(!t->address))
        return unhandled_leave(v, vector, error_code);
    if (unlikely(!bounce_at(v, sp, cs, t->address, trap_flags(t) | flags, error_code)))
        return no_stack_leave(v, sp);
    return hv_leave(v);
}

static __attribute__((noinline)) struct vcpu *trap_from_user(struct vcpu *v, unsigned vector)
{
    uint32_t error_code = v->regs.error_code;

    to_kernel(v);
    return deliver(v, v->kernel_sp, v->regs.cs, vector,
                   HAS_ERROR_CODE >> vector & 1 ? BOUNCE_ERROR_CODE : 0, error_code);
}

static COLD struct vcpu *trap_traced(struct vcpu *v, unsigned vector)
{
    trap_inject(v, vector, v->regs.error_code);
    return hv_leave_slow(v);
}

static __attribute__((noinline)) struct vcpu *software_from_user(struct vcpu *v, unsigned vector)
{
    to_kernel(v);
    return deliver(v, v->kernel_sp, v->regs.cs, vector, 0, 0);
}

/* INT n by an open gate (INT 0x80 and its like). Closed to this guest, it is the #GP of INT n. */
static __attribute__((noinline)) struct vcpu *software(struct vcpu *v, unsigned vector)
{
    if (unlikely(!trap_int_allowed(v, vector) && (vector != 0x80 || !v->traps[vector].address))) {
        v->regs.rip -= 2;
        trap_inject(v, TRAP_GP, vector << 3 | 2);
        return hv_leave(v);
    }
    if (!v->kernel_mode)
        return software_from_user(v, vector);
    return deliver(v, v->regs.rsp, bounce_kernel_cs(v), vector, 0, 0);
}

/* Those that may be for us: the rest go straight to the guest. */
static const uint32_t SPECIAL = 1u << TRAP_UD | 1u << TRAP_NM | 1u << TRAP_GP;

static __attribute__((noinline)) struct vcpu *special(struct vcpu *v, unsigned vector)
{
    uint32_t error_code = v->regs.error_code;

    if (vector == TRAP_GP)
        general_protection(v, error_code);
    else if (vector == TRAP_UD ? !emulate_forced(v) : device_not_available(v))
        trap_inject(v, vector, error_code);
    return hv_leave(v);
}

/* Exceptions without an error code that can be nothing but the guest's: #DE, #DB, #BP, #OF, #BR,
 * #MF, #XM. */
static const uint32_t PLAIN =
    1u << 0 | 1u << TRAP_DB | 1u << TRAP_BP | 1u << TRAP_OF | 1u << 5 | 1u << 16 | 1u << 19;

static __attribute__((noinline)) struct vcpu *trap_with_code(struct vcpu *v, unsigned vector)
{
    return deliver(v, v->regs.rsp, bounce_kernel_cs(v), vector,
                   HAS_ERROR_CODE >> vector & 1 ? BOUNCE_ERROR_CODE : 0, v->regs.error_code);
}

struct vcpu *hv_trap(struct vcpu *v, unsigned vector)
{
    v->hypercall = 0xffff;
    if (unlikely(vector >= TRAPS))
        return software(v, vector);
    if (SPECIAL >> vector & 1)
        return special(v, vector);
    if (unlikely(hv.trace_mask))
        return trap_traced(v, vector);
    if (!v->kernel_mode)
        return trap_from_user(v, vector);
    if (unlikely(!(PLAIN >> vector & 1)))
        return trap_with_code(v, vector);
    return deliver(v, v->regs.rsp, bounce_kernel_cs(v), vector, 0, 0);
}

/* A descriptor of the guest's that the processor wanted to read. */
static bool fault_of_ldt(struct vcpu *v, uint64_t va, uint32_t error_code)
{
    int page;

    if (error_code & (PF_USER | PF_RESERVED))
        return false;
    page = plat_ldt_page_of(v, va);
    return page >= 0 && ldt_fault(v, (unsigned)page);
}

static __attribute__((noinline)) struct vcpu *page_fault_from_user(struct vcpu *v)
{
    uint32_t error_code = page_fault_code(v->regs.error_code, false);

    to_kernel(v);
    return deliver(v, v->kernel_sp, v->regs.cs, TRAP_PF, BOUNCE_ERROR_CODE, error_code);
}

/* An address of the hypervisor's: maybe the guest's LDT, which is not mapped yet. */
static __attribute__((noinline)) struct vcpu *hypervisor_page_fault(struct vcpu *v, uint64_t va)
{
    uint32_t error_code = v->regs.error_code;

    if (!fault_of_ldt(v, va, error_code))
        trap_inject_page_fault(v, va, error_code);
    return hv_leave(v);
}

static inline bool may_be_pt_write(const struct vcpu *v, uint32_t error_code)
{
    return (error_code & (PF_PRESENT | PF_WRITE | PF_RESERVED | PF_FETCH)) ==
               (PF_PRESENT | PF_WRITE) &&
           v->kernel_mode && v->domain->vm_assist & (1u << XEN_VMASST_TYPE_writable_pagetables);
}

static __attribute__((noinline)) struct vcpu *maybe_pt_write(struct vcpu *v, uint64_t va)
{
    if (!emulate_pt_write(v, va))
        trap_inject_page_fault(v, va, v->regs.error_code);
    return hv_leave(v);
}

struct vcpu *hv_page_fault(struct vcpu *v, uint64_t va)
{
    uint32_t error_code = v->regs.error_code;

    v->hypercall = 0xffff;
    if (unlikely(!guest_va_ok(va)))
        return hypervisor_page_fault(v, va);
    if (may_be_pt_write(v, error_code))
        return maybe_pt_write(v, va);
    v->fault_va = va;
    v->info->arch.cr2 = va;
    if (unlikely(hv.trace_mask))
        trace(TRACE_TRAP, v, TRAP_PF, va);
    if (!v->kernel_mode)
        return page_fault_from_user(v);
    return deliver(v, v->regs.rsp, bounce_kernel_cs(v), TRAP_PF, BOUNCE_ERROR_CODE,
                   page_fault_code(error_code, true));
}

/* -- system calls of user mode ----------------------------------------------------- */

/* Without a callback SYSCALL does not exist: #UD. */
static __attribute__((noinline)) struct vcpu *no_syscall(struct vcpu *v)
{
    v->regs.rip -= 2;
    trap_inject(v, TRAP_UD, 0);
    return hv_leave_quick(v);
}

PLAT_INLINE struct vcpu *user_syscall(struct vcpu *v, enum callback which)
{
    uint64_t rip = v->callback[which].rip;

    v->hypercall = 0xffff;
    if (unlikely(!rip))
        return no_syscall(v);
    to_kernel(v);
    if (unlikely(!bounce_at(v, v->kernel_sp, v->regs.cs, rip, 0, 0))) {
        bounce_no_stack(v, v->kernel_sp);
        return NULL;
    }
    v->regs.rflags &= ~(uint64_t)EFLAGS_DF; /* all that SYSCALL's mask clears, by the ABI */
    if (unlikely(!v->callback[CB_SYSCALL].mask_events))
        return hv_leave_quick(v);
    v->info->evtchn_upcall_mask = 1; /* so no event is due */
    return likely(v->cpu->work == 0) ? v : NULL;
}

struct vcpu *hv_user_syscall(struct vcpu *v)
{
    return user_syscall(v, CB_SYSCALL);
}

struct vcpu *hv_syscall32(struct vcpu *v)
{
    return user_syscall(v, CB_SYSCALL32);
}

struct vcpu *hv_sysenter(struct vcpu *v)
{
    v->hypercall = 0xffff;
    if (v->callback[CB_SYSENTER].rip)
        trap_callback(v, CB_SYSENTER);
    else
        trap_inject(v, TRAP_GP, 0);
    return hv_leave(v);
}

/* -- tables ------------------------------------------------------------------------ */

/* Selectors of ring 0 and 1 become ring 3: what the ABI does, in place of an error. */
static uint16_t ring3(uint16_t selector)
{
    return selector | 3;
}

long hc_set_trap_table(struct vcpu *v, pv_gptr_t table)
{
    struct xen_trap_info t;

    if (gptr_null(table)) {
        __builtin_memset(v->traps, 0, sizeof(v->traps));
        return 0;
    }
    for (unsigned n = 0;; n++) {
        if (guest_copy_in(&t, table, sizeof(t)))
            return refuse(v, RULE_GUEST_POINTER, .va = table.va);
        if (t.address == 0)
            return 0;
        if (!canonical(t.address))
            return refuse(v, RULE_TRAP_ADDRESS, .va = t.address, .vector = t.vector);
        t.cs = ring3(t.cs);
        v->traps[t.vector] = t;
        stage_reached(v->domain, STAGE_traps);
        table = gptr_add(table, sizeof(t));
        if (n >= 256 && plat_interrupt_pending())
            return hc_restart(v, 1, table.va);
    }
}

static long set_nmi_handler(struct vcpu *v, uint64_t address)
{
    v->traps[TRAP_NMI] = (struct xen_trap_info){.vector = TRAP_NMI,
                                                .flags = address ? PV_TI_MASK_EVENTS : 0,
                                                .cs = XEN_FLAT_KERNEL_CS,
                                                .address = address};
    return 0;
}

static int callback_of_type(unsigned type)
{
    switch (type) {
    case XEN_CALLBACKTYPE_event:
        return CB_EVENT;
    case XEN_CALLBACKTYPE_failsafe:
        return CB_FAILSAFE;
    case XEN_CALLBACKTYPE_syscall:
        return CB_SYSCALL;
    case XEN_CALLBACKTYPE_nmi:
        return CB_NMI;
    case XEN_CALLBACKTYPE_sysenter:
        return CB_SYSENTER;
    case XEN_CALLBACKTYPE_syscall32:
        return CB_SYSCALL32;
    default:
        return -1;
    }
}

static long register_callback(struct vcpu *v, unsigned type, unsigned flags, uint64_t address)
{
    int which = callback_of_type(type);

    if (!canonical(address))
        return refuse(v, RULE_CALLBACK_ADDRESS, .va = address, .value = type);
    if (which < 0)
        return refuse(v, RULE_CALLBACK_TYPE, .value = type);
    if (which == CB_NMI)
        return set_nmi_handler(v, address);
    v->callback[which].rip = address;
    /* Event delivery always masks events: the kernel could not stop them otherwise. */
    v->callback[which].mask_events = which == CB_EVENT || flags & XEN_CALLBACKF_mask_events;
    return 0;
}

long hc_set_callbacks(struct vcpu *v, uint64_t event, uint64_t failsafe, uint64_t syscall)
{
    /* By the ABI this call answers 0 whatever was wrong with an address; the reason tells. */
    register_callback(v, XEN_CALLBACKTYPE_event, 0, event);
    register_callback(v, XEN_CALLBACKTYPE_failsafe, 0, failsafe);
    register_callback(v, XEN_CALLBACKTYPE_syscall, 0, syscall);
    return 0;
}

/* The older way to set what callback_op calls the nmi callback. */
long hc_nmi_op(struct vcpu *v, uint32_t cmd, pv_gptr_t arg)
{
    struct xennmi_callback c;

    switch (cmd) {
    case XENNMI_register_callback:
        if (guest_copy_in(&c, arg, sizeof(c)))
            return refuse_pointer(v, arg.va);
        return register_callback(v, XEN_CALLBACKTYPE_nmi, 0, c.handler_address);
    case XENNMI_unregister_callback:
        return set_nmi_handler(v, 0);
    default:
        return refuse(v, RULE_HYPERCALL_SUBOP, .value = cmd);
    }
}

long hc_callback_op(struct vcpu *v, int32_t cmd, pv_gptr_t arg)
{
    struct xen_callback_register r;
    struct xen_callback_unregister u;

    switch (cmd) {
    case XEN_CALLBACKOP_register:
        if (guest_copy_in(&r, arg, sizeof(r)))
            return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
        return register_callback(v, r.type, r.flags, r.address);
    case XEN_CALLBACKOP_unregister:
        if (guest_copy_in(&u, arg, sizeof(u)))
            return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
        if (u.type == XEN_CALLBACKTYPE_nmi)
            return set_nmi_handler(v, 0);
        if (callback_of_type(u.type) < 0)
            return refuse(v, RULE_CALLBACK_TYPE, .value = u.type);
        return refuse(v, RULE_CALLBACK_KEPT, .value = u.type);
    default:
        return refuse(v, RULE_HYPERCALL_SUBOP, .value = (uint32_t)cmd);
    }
}
