/* SPDX-License-Identifier: MIT */
/*
 * The door of a test guest: ELF notes, the hypercall page, the entry point, and one stub per trap.
 *
 * Stubs turn what the hypervisor pushes (rcx, r11, [error code], rip, cs, rflags, rsp, ss) into
 * struct rt_regs and back.  Everything returns through the iret hypercall, which restores the event
 * mask together with the flags; only benchmarks return by a plain iretq.
 *
 * A virtual CPU's stack is RT_STACK bytes, aligned to its size, with the CPU's number in its lowest
 * word: rt_cpu() needs no segment base, which the tests change at will.
 */
#ifndef RT_BASE
#define RT_BASE 0xffffffff80000000
#endif
#define ASM_HC(nr) hypercall_page + (nr) * 32
#define HC_IRET    23
#define RT_STACK   32768

#define NOTE(type, ...)                                                                            \
    .pushsection .note.Xen, "a", @note;                                                            \
    .balign 4;                                                                                     \
    .long 4, 2f - 1f, type;                                                                        \
    .asciz "Xen";                                                                                  \
    1 : __VA_ARGS__;                                                                               \
    2 :.balign 4;                                                                                  \
    .popsection

    NOTE(1, .quad _start)
    NOTE(2, .quad hypercall_page)
    NOTE(3, .quad RT_BASE)
    NOTE(4, .quad 0)
    NOTE(5, .asciz "xen-3.0")
    NOTE(6, .asciz "pvtest")
    NOTE(7, .asciz "1")
    NOTE(8, .asciz "generic")
    NOTE(9, .asciz "yes")
    NOTE(10, .asciz "!writable_page_tables|pae_pgdir_above_4gb")
    NOTE(13, .quad 1, 1)
    NOTE(14, .long 1)
#ifdef RT_INIT_P2M
    NOTE(15, .quad RT_INIT_P2M)
#endif
#ifdef RT_MOD_START_PFN
    NOTE(16, .quad 1)
#endif

    .section .text.start, "ax"
    .globl hypercall_page
    .balign 4096
hypercall_page:
    .skip 4096

    .globl _start
_start:
    rdtsc
    mov %eax, rt_first_tsc
    mov %edx, rt_first_tsc + 4
    cld
    mov $rt_stacks + RT_STACK - 16, %rsp
    movl $0, rt_stacks
    mov %rsi, %rdi
    xor %ebp, %ebp
    call rt_main
    ud2

    /* A further virtual CPU begins here. */
    .globl rt_vcpu_entry
rt_vcpu_entry:
    cld
    xor %ebp, %ebp
    call rt_vcpu_main
    ud2

    .macro SAVE
    push %rax
    push %rcx
    push %rdx
    push %rbx
    push %rbp
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    .endm

    .macro RESTORE
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rbp
    pop %rbx
    pop %rdx
    pop %rcx
    pop %rax
    .endm

    .text
    /* Align the C stack: traps may find any rsp. */
    .macro CALL_C fn
    mov %rsp, %rdi
    mov %rsp, %rbx
    and $-16, %rsp
    cld
    call \fn
    mov %rbx, %rsp
    .endm

trap_common:
    SAVE
    CALL_C rt_trap
    .globl rt_resume
rt_resume:
    RESTORE
    add $16, %rsp
    pushq $0
    jmp ASM_HC(HC_IRET)

    .globl rt_enter_event, rt_enter_failsafe, rt_enter_syscall, rt_enter_syscall32
    .globl rt_enter_sysenter, rt_enter_nmi
rt_enter_event:
    pop %rcx
    pop %r11
    pushq $0
    pushq $0x100
    SAVE
    CALL_C rt_event
    jmp rt_resume
rt_enter_syscall:
    pop %rcx
    pop %r11
    pushq $0
    pushq $0x101
    jmp trap_common
rt_enter_syscall32:
    pop %rcx
    pop %r11
    pushq $0
    pushq $0x102
    jmp trap_common
rt_enter_sysenter:
    pop %rcx
    pop %r11
    pushq $0
    pushq $0x103
    jmp trap_common
rt_enter_nmi:
    pop %rcx
    pop %r11
    pushq $0
    pushq $2
    jmp trap_common
    /* Failsafe: ds, es, fs, gs lie between r11 and rip. */
rt_enter_failsafe:
    pop %rcx
    pop %r11
    pop rt_failsafe_segs
    pop rt_failsafe_segs + 8
    pop rt_failsafe_segs + 16
    pop rt_failsafe_segs + 24
    pushq $0
    pushq $0x104
    jmp trap_common

    .section .rodata
    .globl rt_stub_table
rt_stub_table:
    .text
    .macro STUB vec, haserr
    .balign 16
8:  pop %rcx
    pop %r11
    .if !\haserr
    pushq $0
    .endif
    pushq $\vec
    jmp trap_common
    .pushsection .rodata
    .quad 8b
    .popsection
    .endm

    .set v, 0
    .rept 256
    .if v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21 || v == 29 || v == 30
    STUB v, 1
    .else
    STUB v, 0
    .endif
    .set v, v + 1
    .endr

    .globl rt_user_enter
    /* rt_user_enter(regs): leave for the state in regs; comes back by rt_user_leave. */
rt_user_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, rt_user_return
    mov %rdi, %rsp
    jmp rt_resume
    .globl rt_user_leave
rt_user_leave:
    mov rt_user_return, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .bss
    .balign RT_STACK
    .globl rt_stacks
rt_stacks:
    .skip RT_STACK * 8
    .globl rt_failsafe_segs, rt_user_return, rt_first_tsc
rt_first_tsc:
    .skip 8
rt_failsafe_segs:
    .skip 32
rt_user_return:
    .skip 8
    .section .note.GNU-stack, "", @progbits
