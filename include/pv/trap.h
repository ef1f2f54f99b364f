/* SPDX-License-Identifier: MIT */
/*
 * trap.h - exceptions, system calls and the way back.
 *
 * The hypervisor bounces what happens to a guest to that guest's kernel:
 *
 *     hypervisor                     stub (x86_64/trap.S)           C
 *     ----------                     --------------------           -
 *     pushes a bounce frame,         completes it to pv_regs,       the handler of
 *     jumps to the registered   -->  calls pv_trap_dispatch() --->  this vector, or
 *     address                        returns by pv_regs             pv_host_trap()
 *
 * Events (interrupts) are masked while the frame is completed; a handler runs with events as they
 * were when its trap happened, so a fault in code that runs with events enabled can be interrupted,
 * and one in an event handler can not.
 *
 * The way back restores the event mask together with the registers. From kernel to kernel that is
 * a plain IRETQ when no event became pending meanwhile, and the iret hypercall otherwise; to user
 * mode it is always the hypercall. No event is lost between the look and the return, and no chain
 * of events can pile up frames: see trap.S.
 *
 * A 64-bit kernel runs in ring 3 as its user programs do. In a frame, CS has its low two bits set
 * if user mode was interrupted, and clear if the kernel was.
 * Reference: abi/arch-x86_64.h, abi/callback.h.
 */
#ifndef PV_TRAP_H
#define PV_TRAP_H

#include <pv/types.h>
#include <pv/abi/arch-x86_64.h>

/* Vectors. 0 .. 31 are the processor's; the rest have no number in hardware. */
#define PV_TRAP_DIVIDE     0
#define PV_TRAP_DEBUG      1
#define PV_TRAP_NMI        2
#define PV_TRAP_BREAKPOINT 3
#define PV_TRAP_OVERFLOW   4
#define PV_TRAP_BOUND      5
#define PV_TRAP_OPCODE     6
#define PV_TRAP_NO_FPU     7 /* libpv's own when pv_fpu_init() was called */
#define PV_TRAP_DOUBLE     8
#define PV_TRAP_TSS        10
#define PV_TRAP_SEGMENT    11
#define PV_TRAP_STACK      12
#define PV_TRAP_GP         13
#define PV_TRAP_PAGE       14
#define PV_TRAP_X87        16
#define PV_TRAP_ALIGNMENT  17
#define PV_TRAP_MACHINE    18
#define PV_TRAP_SIMD       19
#define PV_TRAP_INT80      32 /* INT 0x80, open to user mode */
#define PV_TRAP_SYSCALL    33 /* SYSCALL from user mode */
#define PV_TRAP_EVENT      34 /* libpv's own: pv_event_dispatch() */
#define PV_TRAP_FAILSAFE   35 /* a return failed on a bad segment, which was replaced by 0 */
#define PV_TRAP_VECTORS    36

/* Error code of PV_TRAP_PAGE. */
#define PV_FAULT_PRESENT 0x01 /* the page was present: a violation of its rights */
#define PV_FAULT_WRITE   0x02
#define PV_FAULT_USER    0x04 /* in user mode, as the hypervisor keeps it: both run in ring 3 */
#define PV_FAULT_FETCH   0x10

#define PV_RFLAGS_IF 0x200 /* in a frame: events were enabled */

#ifndef __ASSEMBLER__

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The interrupted registers, on the kernel's stack. Handlers may change them. From r15 on the order
 * is that of many kernels' own frames (the last to be pushed lies lowest; one word for an error
 * code or a system call's number), so that such a kernel's frame is the tail of this one.
 */
struct pv_regs {
    uint64_t cr2;    /* PV_TRAP_PAGE: the address; else undefined */
    uint64_t vector; /* PV_TRAP_* */
    uint64_t r15, r14, r13, r12, rbp, rbx;
    uint64_t r11, r10, r9, r8;
    uint64_t rax, rcx, rdx, rsi, rdi;
    uint64_t error; /* error code; rax as it was in a system call; or 0 */
    uint64_t rip;
    uint64_t cs;
    uint64_t rflags;
    uint64_t rsp;
    uint64_t ss;
};

typedef void pv_trap_handler_t(struct pv_regs *regs);

/*
 * Registers libpv's stubs with the hypervisor for all vectors above, on this vCPU, and the
 * callbacks for events, failsafe, SYSCALL and NMI. (pv_vcpu_start() does so for other vCPUs.)
 * 0 or -XEN_E*.
 */
int pv_trap_init(void);

/*
 * Sets the handler of a vector for all vCPUs; NULL gives it back to pv_host_trap(), or for
 * PV_TRAP_FAILSAFE to nobody: the interrupted code goes on with its bad selectors replaced by 0.
 */
void pv_trap_handle(unsigned vector, pv_trap_handler_t *handler);

/*
 * May user mode raise the vector by an INT instruction? Initially breakpoint, overflow and INT
 * 0x80. vector < 32 or PV_TRAP_INT80. Takes effect with the next pv_trap_init(). -XEN_EINVAL.
 */
int pv_trap_allow_user(unsigned vector, bool allow);

/*
 * A handler of PV_TRAP_SYSCALL that wants all registers restored, rcx and r11 too (it changed to a
 * signal's handler, another program), sets regs->vector to PV_TRAP_VECTORS.
 *
 * Most system calls need no handler: with this, number rax below `count` calls table[rax] with rdi,
 * rsi, rdx, r10, r8, r9, and what that returns is rax, at the cost of a few instructions. The frame
 * lies at the top of the kernel's stack meanwhile; what the call writes to rbx, rbp and r12-r15
 * there counts only if there is more to do. *pv_trap_busy says whether there is more to do, as in a
 * flag of the running thread: if it is not 0 before, the handler is called instead; if it is not 0
 * after, finish(regs) is. Kernels with several vCPUs (pv_host_cpu()) always have the handler.
 */
void pv_trap_system_calls(const void *table, uint64_t count, pv_trap_handler_t *finish);
extern const volatile uint32_t *pv_trap_busy;

/* Was user mode interrupted? */
static inline bool pv_regs_user(const struct pv_regs *regs)
{
    return (regs->cs & 3) == 3;
}

/* The address of this vCPU's last page fault (regs->cr2 of its frame). */
uint64_t pv_trap_fault_address(void);

/*
 * Fills regs so that pv_trap_return() enters user mode at rip with this stack: all other registers
 * 0, events enabled.
 */
void pv_regs_init_user(struct pv_regs *regs, uint64_t rip, uint64_t rsp);

/*
 * Leaves this context for the one in regs, which lies on a stack: what is below it may be
 * overwritten. Events are as regs->rflags says, from the moment of leaving. User mode needs a user
 * page table (pv_space_switch()) and a kernel stack to come back on (pv_cpu_set_kernel_stack());
 * without the former the hypervisor ends the guest.
 */
PV_NORETURN void pv_trap_return(struct pv_regs *regs);

/* Prints vector and registers on the console. */
void pv_trap_print(const struct pv_regs *regs);

/* A short name for a vector: "page fault". */
const char *pv_trap_name(unsigned vector);

/*
 * For kernels that fill a xen_vcpu_guest_context themselves: the table that pv_trap_init()
 * registers, of which at most n entries are written and whose length is returned; and the address
 * of the stub of a vector, callbacks included.
 */
unsigned pv_trap_table(struct xen_trap_info *table, unsigned n);
uint64_t pv_trap_entry(unsigned vector);

#ifdef __cplusplus
}
#endif
#endif /* !__ASSEMBLER__ */
#endif
