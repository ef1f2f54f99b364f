/* SPDX-License-Identifier: MIT */
/*
 * entry.S - the ways into the kernel and back: system calls, exceptions, interrupts.
 *
 * There is one CPU, so the current thread and its kernel stack are found by name, and GS belongs to
 * user programs for good. Every entry pushes a whole struct trapframe. Return to user mode tests
 * thread->work with interrupts off; whatever is set there is done first. System calls return by
 * sysret unless a user-visible register that sysret destroys was changed (signal return, exec).
 *
 * Offsets in struct thread and the work bits are asserted in arch/thread.c.
 */
#define TH_KSP        0
#define TH_KSTACK_TOP 8
#define TH_WORK       40
#define SEL_USER_DS   0x1b
#define SEL_USER_CS   0x23
#define SYSCALL_MAX   512
#define WORK_ANY      0xb /* all but tracing */

    .macro push_regs
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rax
    push %r8
    push %r9
    push %r10
    push %r11
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    .endm

    .macro pop_regs
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
    .endm

    .text
    .align 16
    .globl syscall_entry
syscall_entry:
    mov %rsp, user_rsp(%rip)
    mov current_kstack(%rip), %rsp
    push $SEL_USER_DS
    push user_rsp(%rip)
    push %r11
    push $SEL_USER_CS
    push %rcx
    push %rax /* orig_rax */
    push_regs
    sti
    cld
    mov %r10, %rcx
    cmp $SYSCALL_MAX, %rax
    jae 2f
    mov current(%rip), %rbx
    testl $4, TH_WORK(%rbx) /* WORK_TRACE */
    jnz 2f
    mov syscall_table(,%rax,8), %rax
    call *%rax
    mov %rax, 10 * 8(%rsp)
    cli
    testl $WORK_ANY, TH_WORK(%rbx)
    jnz 3f
1:  /* Canonical return address, and rcx/r11 as sysret leaves them: the common way out. */
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    add $8, %rsp
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    add $8, %rsp
    pop %rdx
    pop %rsi
    pop %rdi
    mov 8(%rsp), %rcx
    mov 24(%rsp), %r11
    mov 32(%rsp), %rsp
    sysretq

2:  mov %rsp, %rdi
    call syscall_slow
    mov current(%rip), %rbx
    cli
3:  /* Work may rewrite the frame (signals), so leave by iret. */
    jmp return_user

/* Interrupts are off. rsp is at a trapframe that returns to user mode. */
    .globl return_user
return_user:
    mov current(%rip), %rbx
4:  testl $WORK_ANY, TH_WORK(%rbx)
    jz 5f
    mov %rsp, %rdi
    call return_work
    jmp 4b
5:  pop_regs
    add $8, %rsp
    .globl iret_user
iret_user:
    iretq

/* Exceptions and interrupts: the stubs leave [error or vector] in orig_rax's place and the
 * handler's address is chosen by vector. */
    .align 16
fault_common: /* stack: vector, error, iret frame; vector goes where rdi will be pushed */
    xchg %rdi, (%rsp)
    push %rsi
    push %rdx
    push %rcx
    push %rax
    push %r8
    push %r9
    push %r10
    push %r11
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    cld
    mov %rdi, %rsi
    mov %rsp, %rdi
    call fault_handler
    jmp return_any

    .align 16
irq_common: /* stack: vector, iret frame */
    push_regs
    cld
    mov %rsp, %rdi
    call irq_dispatch
return_any:
    cli
    testb $3, 17 * 8(%rsp)
    jnz return_user
    pop_regs
    add $8, %rsp
    iretq

    .macro fault n, has_error
    .align 16
fault_\n:
    .if \has_error == 0
    push $0
    .endif
    push $\n
    jmp fault_common
    .endm

    .altmacro
    .macro fault_auto n
    .if (\n == 8) || ((\n >= 10) && (\n <= 14)) || (\n == 17) || (\n == 21) || (\n == 29) || (\n == 30)
    fault \n, 1
    .else
    fault \n, 0
    .endif
    .endm

    .set i, 0
    .rept 32
    fault_auto %i
    .set i, i + 1
    .endr

    .align 16
irq_stubs:
    .set i, 32
    .rept 224
    .align 16
    push $i
    jmp irq_common
    .set i, i + 1
    .endr

    .section .rodata
    .align 8
    .globl fault_stubs
    .macro fault_ptr n
    .quad fault_\n
    .endm
fault_stubs:
    .set i, 0
    .rept 32
    fault_ptr %i
    .set i, i + 1
    .endr
    .globl irq_stub_base
irq_stub_base:
    .quad irq_stubs

    .bss
    .align 8
    .globl current_kstack
current_kstack: .skip 8
user_rsp:       .skip 8
