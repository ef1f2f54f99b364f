/* SPDX-License-Identifier: MIT */
/*
 * trap.c - the trap table, dispatch, and the choice of the way back.
 *
 * Invariant: between the bounce and pv_trap_dispatch()'s first test, and between its last and the
 * return, this vCPU's events are masked; so a frame is never half built when another one arrives,
 * but for the critical region that trap.S describes.
 */
#include <pv/trap.h>
#include <pv/console.h>
#include <pv/event.h>
#include <pv/host.h>
#include <pv/hypercall.h>
#include "internal.h"

extern const char pv_trap_stubs[], pv_trap_crit_begin[], pv_trap_crit_end[];
PV_NORETURN void pv_trap_resume(struct pv_regs *regs);
uint8_t *pv_trap_dispatch(struct pv_regs *regs);
void pv_trap_system_call(struct pv_regs *regs, bool done);

#define STUB_BYTES  16
#define INT80       0x80
#define TABLE_SLOTS 32

/* Vectors that the processor can raise; NMI comes by a callback. */
#define PROCESSOR_VECTORS 0x000f7dfbu

static pv_trap_handler_t *handlers[PV_TRAP_VECTORS];

/* Vectors (INT 0x80: bit 32) that user mode may raise by INT. */
static uint64_t open_to_user =
    1 << PV_TRAP_BREAKPOINT | 1 << PV_TRAP_OVERFLOW | (uint64_t)1 << PV_TRAP_INT80;

/*
 * Stands for (upcall_pending, upcall_mask) when the interrupted code had events masked: nothing
 * pending, and nobody reads what is written.
 */
static uint8_t stay_masked[2];

uint64_t pv_trap_entry(unsigned vector)
{
    return (uint64_t)(uintptr_t)(pv_trap_stubs + STUB_BYTES * vector);
}

static bool is_gate(unsigned vector)
{
    return vector == PV_TRAP_INT80 || (vector < 32 && PROCESSOR_VECTORS >> vector & 1);
}

unsigned pv_trap_table(struct xen_trap_info *table, unsigned n)
{
    unsigned used = 0;

    for (unsigned v = 0; v <= PV_TRAP_INT80; v++) {
        struct xen_trap_info gate = {
            .vector = (uint8_t)(v == PV_TRAP_INT80 ? INT80 : v),
            .flags = (uint8_t)(PV_TI_MASK_EVENTS | (open_to_user >> v & 1 ? 3 : 0)),
            .cs = XEN_FLAT_KERNEL_CS,
            .address = pv_trap_entry(v),
        };

        if (!is_gate(v))
            continue;
        if (used < n)
            table[used] = gate;
        used++;
    }
    return used;
}

static int register_callback(uint16_t type, unsigned vector)
{
    struct xen_callback_register cb = {
        .type = type,
        .flags = XEN_CALLBACKF_mask_events,
        .address = pv_trap_entry(vector),
    };

    return (int)pv_hypercall_callback_op(XEN_CALLBACKOP_register, &cb);
}

int pv_trap_init(void)
{
    struct xen_trap_info table[TABLE_SLOTS];
    int err;

    table[pv_trap_table(table, TABLE_SLOTS - 1)] = (struct xen_trap_info){0};
    err = (int)pv_hypercall_set_trap_table(table);
    if (err == 0)
        err = register_callback(XEN_CALLBACKTYPE_event, PV_TRAP_EVENT);
    if (err == 0)
        err = register_callback(XEN_CALLBACKTYPE_failsafe, PV_TRAP_FAILSAFE);
    if (err == 0)
        err = register_callback(XEN_CALLBACKTYPE_syscall, PV_TRAP_SYSCALL);
    if (err == 0)
        err = register_callback(XEN_CALLBACKTYPE_nmi, PV_TRAP_NMI);
    return err;
}

void pv_trap_handle(unsigned vector, pv_trap_handler_t *handler)
{
    if (vector < PV_TRAP_VECTORS)
        __atomic_store_n(&handlers[vector], handler, __ATOMIC_RELEASE);
}

int pv_trap_allow_user(unsigned vector, bool allow)
{
    if (!is_gate(vector))
        return -XEN_EINVAL;
    open_to_user = (open_to_user & ~((uint64_t)1 << vector)) | (uint64_t)allow << vector;
    return 0;
}

/*
 * Decides how trap.S leaves. NULL: by the iret hypercall, with the flags in regs->error. Else: by
 * IRETQ, after clearing the second of the two bytes and finding the first one 0.
 */
static uint8_t *way_back(struct pv_regs *regs)
{
    uint16_t cs = (uint16_t)regs->cs;
    const char *rip = (const char *)regs->rip;

    regs->cs = cs;
    regs->error = 0;
    if (pv_regs_user(regs))
        return NULL;
    if (rip >= pv_trap_crit_begin && rip < pv_trap_crit_end)
        return NULL;
    /* Only the hypercall tells the hypervisor that an NMI or a machine check is over. */
    if (regs->vector == PV_TRAP_NMI || regs->vector == PV_TRAP_MACHINE)
        return NULL;
    /* IRETQ stays in ring 3, so its selectors say so. */
    regs->cs = cs | 3;
    regs->ss |= 3;
    if (!(regs->rflags & PV_RFLAGS_IF))
        return stay_masked;
    return &pv_vcpu_info()->evtchn_upcall_pending;
}

/* pv_events_enable() and disable() of this vCPU, in line. */
static inline void events_on(void)
{
    struct xen_vcpu_info *v = pv_vcpu_info();

    v->evtchn_upcall_mask = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (__builtin_expect(v->evtchn_upcall_pending, 0))
        pv_events_enable();
}

static inline void events_off(void)
{
    pv_vcpu_info()->evtchn_upcall_mask = 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Called by the stubs, with events masked. */
uint8_t *pv_trap_dispatch(struct pv_regs *regs)
{
    unsigned vector = (unsigned)regs->vector;
    pv_trap_handler_t *handler = __atomic_load_n(&handlers[vector], __ATOMIC_ACQUIRE);

    if (vector == PV_TRAP_EVENT) {
        if (handler)
            handler(regs);
        else
            pv_event_dispatch(regs);
        return way_back(regs);
    }
    if (vector == PV_TRAP_PAGE)
        regs->cr2 = pv_vcpu_info()->arch.cr2;
    if (regs->rflags & PV_RFLAGS_IF && vector != PV_TRAP_NMI)
        events_on();
    if (handler)
        handler(regs);
    else if (vector != PV_TRAP_FAILSAFE) /* whose damage is repaired: the selectors are 0 */
        pv_host_trap(regs);
    events_off();
    return way_back(regs);
}

/* System calls ------------------------------------------------------------------------------ */

static const uint32_t idle;
const volatile uint32_t *pv_trap_busy = &idle;
static pv_trap_handler_t *finish_call;

/* What trap.S looks at: calls of the table, and where this vCPU's mask is. */
struct {
    const void *table;
    uint64_t count;
    struct xen_vcpu_info *info;
} pv_trap_fast;

void pv_trap_system_calls(const void *table, uint64_t count, pv_trap_handler_t *finish)
{
    pv_trap_fast.table = table;
    pv_trap_info_moved();
    finish_call = finish;
    __atomic_store_n(&pv_trap_fast.count, pv_host_cpu == pv_host_cpu_default ? count : 0,
                     __ATOMIC_RELEASE);
}

void pv_trap_info_moved(void)
{
    pv_trap_fast.info = pv_vcpu_infos[0]; /* who has another vCPU does not use it */
}

/*
 * Calls that the table does not do. They come from user mode and return there, and destroy rcx and
 * r11 by definition, so the hypervisor may be quick, unless the handler says that it is something
 * else. `done`: the call is done, but there is more to do.
 */
void pv_trap_system_call(struct pv_regs *regs, bool done)
{
    pv_trap_handler_t *handler =
        done ? finish_call : __atomic_load_n(&handlers[PV_TRAP_SYSCALL], __ATOMIC_ACQUIRE);

    events_on();
    if (handler)
        handler(regs);
    else
        pv_host_trap(regs);
    events_off();
    regs->cs = (uint16_t)regs->cs;
    regs->error = regs->vector == PV_TRAP_SYSCALL ? XEN_VGCF_in_syscall : 0;
}

uint64_t pv_trap_fault_address(void)
{
    return pv_vcpu_info()->arch.cr2;
}

void pv_regs_init_user(struct pv_regs *regs, uint64_t rip, uint64_t rsp)
{
    *regs = (struct pv_regs){
        .rip = rip,
        .cs = XEN_FLAT_USER_CS,
        .rflags = PV_RFLAGS_IF,
        .rsp = rsp,
        .ss = XEN_FLAT_USER_SS,
    };
}

PV_NORETURN void pv_trap_return(struct pv_regs *regs)
{
    /* An event now would be bounced onto the memory below regs, under our feet. */
    pv_events_disable();
    regs->error = 0;
    pv_trap_resume(regs);
}

const char *pv_trap_name(unsigned vector)
{
    static const char names[PV_TRAP_VECTORS][20] = {
        [PV_TRAP_DIVIDE] = "divide error",
        [PV_TRAP_DEBUG] = "debug",
        [PV_TRAP_NMI] = "NMI",
        [PV_TRAP_BREAKPOINT] = "breakpoint",
        [PV_TRAP_OVERFLOW] = "overflow",
        [PV_TRAP_BOUND] = "bound",
        [PV_TRAP_OPCODE] = "invalid opcode",
        [PV_TRAP_NO_FPU] = "FPU not available",
        [PV_TRAP_DOUBLE] = "double fault",
        [PV_TRAP_TSS] = "invalid TSS",
        [PV_TRAP_SEGMENT] = "segment not present",
        [PV_TRAP_STACK] = "stack fault",
        [PV_TRAP_GP] = "general protection",
        [PV_TRAP_PAGE] = "page fault",
        [PV_TRAP_X87] = "x87 error",
        [PV_TRAP_ALIGNMENT] = "alignment check",
        [PV_TRAP_MACHINE] = "machine check",
        [PV_TRAP_SIMD] = "SIMD error",
        [PV_TRAP_INT80] = "INT 0x80",
        [PV_TRAP_SYSCALL] = "system call",
        [PV_TRAP_EVENT] = "event",
        [PV_TRAP_FAILSAFE] = "failsafe",
    };

    if (vector >= PV_TRAP_VECTORS || !names[vector][0])
        return "unknown trap";
    return names[vector];
}

void pv_trap_print(const struct pv_regs *r)
{
    pv_printf("%s (vector %u, error %lx) in %s mode, cr2 %lx\n", pv_trap_name((unsigned)r->vector),
              (unsigned)r->vector, r->error, pv_regs_user(r) ? "user" : "kernel",
              r->vector == PV_TRAP_PAGE ? r->cr2 : 0);
    pv_printf("rip %016lx cs %04lx rflags %08lx rsp %016lx ss %04lx\n", r->rip, r->cs & 0xffff,
              r->rflags, r->rsp, r->ss & 0xffff);
    pv_printf("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
    pv_printf("rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", r->rsi, r->rdi, r->rbp, r->r8);
    pv_printf("r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", r->r9, r->r10, r->r11, r->r12);
    pv_printf("r13 %016lx r14 %016lx r15 %016lx\n", r->r13, r->r14, r->r15);
}
