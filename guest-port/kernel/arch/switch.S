/* SPDX-License-Identifier: MIT */
/*
 * switch.S - from one thread's kernel stack to another's, and where new threads begin.
 *
 * Interrupts are off throughout. A new thread's stack is made up by arch/thread.c so that its first
 * switch "returns" to one of the two beginnings below.
 */
    .text
/* void switch_stacks(u64 *prev_ksp, u64 next_ksp) */
    .globl switch_stacks
switch_stacks:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* Kernel threads: rbx = function, r12 = argument. */
    .globl kthread_entry
kthread_entry:
    mov %rbx, %rdi
    mov %r12, %rsi
    call kthread_begin

/* Children of fork and clone: a trapframe is all that is left on the stack. */
    .globl fork_entry
fork_entry:
    call switch_finish
    jmp return_user
