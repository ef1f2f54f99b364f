/* SPDX-License-Identifier: MIT
 *
 * entry.S - every way into the hypervisor, and the one way out.
 *
 * From ring 3 the processor pushes its frame straight into the end of the current vCPU's regs
 * (TSS.rsp0, or percpu.entry after SYSCALL), the stub completes it, then the CPU's own stack is
 * loaded and core/entry.h is called with the vCPU in rdi. What it returns in rax is entered: pop
 * everything, IRETQ.
 *
 *      v: | cpu | r15 r14 r13 r12 rbp rbx | r11 ... rdi | error,vector | rip cs rflags rsp ss | ...
 *           0     8                         56            128            136                176 = entry
 *
 * Short entries (SYSCALL, the traps that are only bounced) do not save the registers that C
 * preserves: when C comes back they hold the guest's values again. If another vCPU is to be
 * entered they are stored then: percpu.entered says whose they are, 0 when that vCPU was freed
 * meanwhile. So v->regs.rbx, rbp, r12 .. r15 are stale in such an entry, and nothing that it does
 * may look at them; whoever reads all registers comes by a full entry. A handler may return 0:
 * then hv_leave_slow() decides, with all registers in place.
 *
 * Per-CPU data is found from the instruction pointer: a second CPU gets a second copy of the
 * stubs. So no entry swaps GS, and the pair GS_BASE and KERNEL_GS_BASE is the guest's alone: the
 * base of the mode that it is in, and that of the other (plat_mode_switch() is a SWAPGS).
 *
 * Interrupts are off throughout; ring 0 is interrupted only in plat_idle(). Faults in ring 0 are
 * legal at the addresses of the extable and at the two exits (then they are the guest's), and a
 * bug elsewhere. #DB, NMI, #MC and #DF come on stacks of their own, because a guest can make the
 * first of them happen on the first instruction of an entry; from ring 3 their frames are moved to
 * where the others are.
 */
#include "layout.h"

#define PERCPU(field) percpu0 + (field)(%rip)

    .text

.macro PUSH_VOLATILE
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
.endm

.macro POP_VOLATILE
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
.endm

.macro PUSH_REGS
    PUSH_VOLATILE
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
.endm

/* rdi = the vCPU; the stack is the CPU's. */
.macro TAKE_STACK
    leaq -VCPU_REGS(%rsp), %rdi
    movq PERCPU(PERCPU_STACK), %rsp
.endm

/* The same with the volatile registers alone. */
.macro SHORT_STACK
    PUSH_VOLATILE
    leaq -VCPU_VOLATILE(%rsp), %rdi
    movq PERCPU(PERCPU_STACK), %rsp
    movq %rdi, PERCPU(PERCPU_ENTERED)
.endm

    .globl syscall_entry, syscall32_entry, sysenter_entry, hv_exit, exit_iretq

/* After the handler: the vCPU of percpu.entered goes on, or somebody else does. */
.macro SHORT_EXIT
    cmpq %rax, PERCPU(PERCPU_ENTERED)
    jne other_exit
    leaq VCPU_VOLATILE(%rax), %rsp
    POP_VOLATILE
    addq $8, %rsp
.endm

.macro SYSCALL_ENTRY cs, handler
    .balign 64
    movq %rsp, PERCPU(PERCPU_SCRATCH)
    movq PERCPU(PERCPU_ENTRY), %rsp
    pushq $SEL_GUEST_SS
    pushq PERCPU(PERCPU_SCRATCH)
    pushq %r11
    pushq $\cs
    pushq %rcx
    pushq $0
    SHORT_STACK
    call \handler
    SHORT_EXIT
.endm

syscall_entry:
    SYSCALL_ENTRY SEL_GUEST_CS64, hv_syscall
exit_iretq_short:
    iretq

syscall32_entry:
    SYSCALL_ENTRY SEL_GUEST_CS32, hv_syscall32
    jmp exit_iretq

short_exit:
    SHORT_EXIT
    jmp exit_iretq_short

/* rax: the vCPU to enter; 0: that is not yet decided. */
other_exit:
    movq PERCPU(PERCPU_ENTERED), %rdi
    testq %rdi, %rdi
    jz hv_exit
    movq %r15, VCPU_REGS + 0(%rdi)
    movq %r14, VCPU_REGS + 8(%rdi)
    movq %r13, VCPU_REGS + 16(%rdi)
    movq %r12, VCPU_REGS + 24(%rdi)
    movq %rbp, VCPU_REGS + 32(%rdi)
    movq %rbx, VCPU_REGS + 40(%rdi)
    testq %rax, %rax
    jnz hv_exit
    call hv_leave_slow
    .balign 16
hv_exit:                                  /* rax: whom to enter */
    leaq VCPU_REGS(%rax), %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    POP_VOLATILE
    addq $8, %rsp
exit_iretq:
    iretq

/* SYSENTER tells neither rsp nor rip; MSR_SYSENTER_ESP is the address of percpu.entry. */
    .balign 16
sysenter_entry:
    movq (%rsp), %rsp
    pushq $SEL_GUEST_SS
    pushq $0
    pushfq
    orl $0x200, (%rsp)
    andl $~0x100, (%rsp)
    pushq $3
    pushq $0
    pushq $0
    PUSH_REGS
    TAKE_STACK
    pushq $2                              /* no DF, NT, AC of the guest's */
    popfq
    call hv_sysenter
    jmp hv_exit

/* -- exceptions ------------------------------------------------------------- */

.macro GATE_HEAD vector, has_error
    .balign 16
gate_\vector:
    .if !\has_error
    pushq $0
    .endif
    testb $3, 16(%rsp)
    jz ring0_\vector
.endm

.macro RING0 vector
ring0_\vector:
    pushq $\vector
    jmp ring0_trap
.endm

/* Those that are only bounced. */
.macro GATE_SHORT vector, has_error
    GATE_HEAD \vector, \has_error
    SHORT_STACK
    cld
    movl $\vector, %esi
    call hv_trap
    jmp short_exit
    RING0 \vector
.endm

.macro GATE vector, has_error
    GATE_HEAD \vector, \has_error
    movl $\vector, 4(%rsp)
    jmp trap_common
    RING0 \vector
.endm

trap_common:
    PUSH_REGS
    TAKE_STACK
    cld
    movl VCPU_REGS + REGS_ERROR + 4(%rdi), %esi
    call hv_trap
    jmp hv_exit

/* Those with stacks of their own: 6 words below the pointer to percpu (cpu.c). */
.macro GATE_IST vector, has_error, handler
    GATE_HEAD \vector, \has_error
    pushq %rax
    pushq %rcx
    movq 64(%rsp), %rax
    movq PERCPU_ENTRY(%rax), %rax
    .irp slot, 1, 2, 3, 4, 5, 6
    movq 64 - 8 * \slot(%rsp), %rcx
    movq %rcx, -8 * \slot(%rax)
    .endr
    popq %rcx
    subq $48, %rax
    xchgq %rax, (%rsp)
    popq %rsp
    PUSH_REGS
    TAKE_STACK
    cld
    movl $\vector, %esi
    call \handler
    jmp hv_exit
    RING0 \vector
.endm

    GATE_SHORT 0, 0
    GATE_IST 1, 0, x86_debug
    GATE_IST 2, 0, x86_nmi
    GATE_SHORT 3, 0
    GATE 4, 0
    GATE 5, 0
    GATE 6, 0
    GATE_SHORT 7, 0
    GATE_IST 8, 1, x86_fatal
    GATE 9, 0
    GATE 10, 1
    GATE 11, 1
    GATE 12, 1

    GATE_HEAD 13, 1
    PUSH_REGS
    TAKE_STACK
    cld
    testb $2, VCPU_REGS + REGS_ERROR(%rdi)
    jnz 1f
    movl $13, %esi
    call hv_trap
    jmp hv_exit
1:  call x86_idt_gp                       /* INT n through a gate that is closed to it */
    jmp hv_exit
    RING0 13

    GATE_HEAD 14, 1
    testb $1, (%rsp)                      /* a write to what is there, read-only, may be to a table */
    jz 1f
    testb $2, (%rsp)
    jnz 2f
1:  SHORT_STACK
    cld
    movq %cr2, %rsi
    call hv_page_fault
    jmp short_exit
2:  PUSH_REGS
    TAKE_STACK
    cld
    movq %cr2, %rsi
    call hv_page_fault
    jmp hv_exit
    RING0 14

    GATE 15, 0
    GATE 16, 0
    GATE 17, 1
    GATE_IST 18, 0, x86_fatal
    GATE 19, 0
    GATE 20, 0
    GATE 21, 1
    .irp v, 22, 23, 24, 25, 26, 27, 28
    GATE \v, 0
    .endr
    GATE 29, 1
    GATE 30, 1
    GATE 31, 0
    GATE_SHORT 128, 0

/* INT n of guests, for all n that are neither exceptions nor ours. */
    .altmacro
.macro SOFT_GATE n
    GATE \n, 0
.endm
    .set n, 32
    .rept 0xe0 - 32
    .if n != 128
    SOFT_GATE %n
    .endif
    .set n, n + 1
    .endr

/* -- interrupts: 0xe0 .. 0xff ------------------------------------------------ */
.macro IRQ_GATE n
    .balign 16
gate_\n:
    pushq $0
    testb $3, 16(%rsp)
    jz ring0_\n
    PUSH_REGS
    TAKE_STACK
    cld
    movl $\n, %esi
    call x86_interrupt
    jmp hv_exit
    RING0 \n
.endm
    .set n, 0xe0
    .rept 32
    IRQ_GATE %n
    .set n, n + 1
    .endr

/* -- ring 0 --------------------------------------------------------------- */

/* struct ring0_frame: the vector lies on the processor's frame. */
ring0_trap:
    cmpq $10, (%rsp)                      /* NMI and #DB may come there, too, and are no faults of it */
    jb 2f
    pushq %rax
    leaq exit_iretq(%rip), %rax
    cmpq %rax, 24(%rsp)
    je 1f
    leaq exit_iretq_short(%rip), %rax
    cmpq %rax, 24(%rsp)
1:  popq %rax                             /* leaves the flags */
    je iret_fault
2:  pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    cld
    movq %rsp, %rdi
    call x86_ring0_trap
    POP_VOLATILE
    addq $16, %rsp
    iretq

/* The guest's frame could not be loaded: that is a fault of the guest's at the place where it was
 * to go on, as on Xen. Its registers are all live, and its frame is where it was, with the
 * trap's own frame below it, over the slots that were popped: they are saved again there.
 *
 *      rsp+0 vector, error, rip, cs, rflags, rsp, ss | +56 = v->regs.error_code | rip ...
 */
iret_fault:
    popq PERCPU(PERCPU_SCRATCH)
    popq 40(%rsp)                         /* the error code, to its slot (counted after the pop) */
    leaq 40(%rsp), %rsp
    PUSH_REGS
    TAKE_STACK
    cld
    movl PERCPU(PERCPU_SCRATCH), %esi
    cmpl $14, %esi                        /* a descriptor in an LDT page that is not mapped yet */
    je 1f
    call hv_trap
    jmp hv_exit
1:  movq %cr2, %rsi
    call hv_page_fault
    jmp hv_exit

/* -- guest memory ------------------------------------------------------------ */

.macro EXTABLE at, fixup
    .pushsection .extable, "a", @progbits
    .balign 4
    .long \at - ., \fixup - .
    .popsection
.endm

/* size_t plat_guest_read(void *to, uint64_t va, size_t n): the bytes that were not copied.
 * size_t plat_guest_write(uint64_t va, const void *from, size_t n) is the same code. */
    .globl plat_guest_read, plat_guest_write
    .balign 16
plat_guest_read:
plat_guest_write:
    movq %rdx, %rcx
    andl $7, %edx
    shrq $3, %rcx
    jz 2f
1:  rep movsq
    EXTABLE 1b, 8f
2:  movl %edx, %ecx
    testl %edx, %edx
    jz 4f
3:  rep movsb
    EXTABLE 3b, 9f
4:  xorl %eax, %eax
    ret
8:  leaq (%rdx, %rcx, 8), %rcx            /* by bytes, to know exactly where it ends */
    jmp 3b
9:  movq %rcx, %rax
    ret

/* bool rdmsr_safe(uint32_t msr, uint64_t *value); bool wrmsr_safe(uint32_t msr, uint64_t value) */
    .globl rdmsr_safe, load_selector_es, load_selector_ds, load_selector_fs, load_selector_gs
rdmsr_safe:
    movl %edi, %ecx
1:  rdmsr
    EXTABLE 1b, return_false
    movl %eax, (%rsi)
    movl %edx, 4(%rsi)
    movl $1, %eax
    ret
return_false:
    xorl %eax, %eax
    ret

/* bool load_selector_xs(uint16_t selector): false, and a null selector, if it can't be loaded */
    .irp s, es, ds, fs, gs
load_selector_\s:
1:  movl %edi, %\s
    EXTABLE 1b, 2f
    movl $1, %eax
    ret
2:  xorl %eax, %eax
    movl %eax, %\s
    ret
    .endr

/* void plat_idle(void): interrupts are taken behind sti, and end up back here. */
    .globl plat_idle
plat_idle:
    sti
    hlt
    cli
    ret

/* -- the gates' addresses, for cpu.c --------------------------------------------- */
    .section .rodata
    .balign 8
    .globl gate_table
gate_table:
.macro GATE_ADDRESS n
    .quad gate_\n
.endm
    .set n, 0
    .rept 256
    GATE_ADDRESS %n
    .set n, n + 1
    .endr
    .section .note.GNU-stack, "", @progbits
