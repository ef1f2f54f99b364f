/* SPDX-License-Identifier: MIT */
/*
 * Trap handlers of the benchmark, as short as handlers can be, and its user program.
 *
 * A `mark` handler reads the TSC with its first instruction; a `round trip` handler only undoes the
 * frame and returns.  Faults are skipped by adding the length of the instruction, which is two bytes
 * in every row.  The user program is copied to a page of its own; its entry points leave their TSC
 * readings in r8 and r9 and end in ud2 (an int n of DPL 0 gates is not to be had: QEMU 7.2
 * delivers a wrong error code for it).
 */
#define IRET hypercall_page + 23 * 32

    /* For count.c: long NOPs that begin and end the part that bench_marker() has named. */
    .macro NOTE_BEGIN
    .byte 0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x5b
    .endm
    .macro NOTE_END
    .byte 0x0f, 0x1f, 0x80, 0x01, 0x00, 0x00, 0x5b
    .endm

    .macro MARK
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, bench_mark
    NOTE_END
    .endm

    .macro BACK skip, err, flags=0
    pop %rcx
    pop %r11
    .if \err
    add $8, %rsp
    .endif
    .if \skip
    addq $\skip, (%rsp)
    .endif
    pushq $\flags
    jmp IRET
    .endm

    .text
    .globl bench_h_mark_skip, bench_h_skip, bench_h_skip_iretq, bench_h_back
    .globl bench_h_mark_err_skip, bench_h_err_skip, bench_h_demand
bench_h_mark_skip:
    MARK
    BACK 2, 0
bench_h_skip:
    BACK 2, 0
bench_h_skip_iretq:
    pop %rcx
    pop %r11
    addq $2, (%rsp)
    orb $3, 8(%rsp)
    iretq
bench_h_back:
    BACK 0, 0
bench_h_mark_err_skip:
    MARK
    BACK 2, 1
bench_h_err_skip:
    BACK 2, 1
    /* rdi, rsi, rdx are update_va_mapping's arguments; the access is tried again. */
bench_h_demand:
    pop %rcx
    pop %r11
    add $8, %rsp
    call hypercall_page + 14 * 32
    pushq $0
    jmp IRET

    .globl bench_h_syscall_mark, bench_h_syscall
bench_h_syscall_mark:
    MARK
    BACK 0, 0, 0x100
bench_h_syscall:
    BACK 0, 0, 0x100

    /* Event callbacks of virtual CPU 0 and 1: acknowledge everything in word 0, note it, return. */
    .macro ACK cpu
    movb $0, rt_shared_page + 64 * \cpu
    movq $0, rt_shared_page + 64 * \cpu + 8
    movq $0, rt_shared_page + 2048
    .endm
    .globl bench_h_event_mark, bench_h_event, bench_h_event_got0, bench_h_event_got1
bench_h_event_mark:
    push %rax
    push %rdx
    MARK
    pop %rdx
    pop %rax
    ACK 0
    BACK 0, 0
bench_h_event:
    ACK 0
    BACK 0, 0
bench_h_event_got0:
    ACK 0
    movb $1, bench_got
    BACK 0, 0
bench_h_event_got1:
    ACK 1
    movb $1, bench_got + 1
    BACK 0, 0

    .macro USER_ROW name, insn:vararg
    .globl bench_u_\name
bench_u_\name:
    NOTE_BEGIN
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, %r8
    \insn
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    NOTE_END
    mov %rax, %r9
    ud2
    .endm

    .balign 4096
    .globl bench_user_page
bench_user_page:
    USER_ROW nothing
    USER_ROW syscall, syscall
    USER_ROW int80, int $0x80
    USER_ROW de, div %ebx
    USER_ROW pf, mov %al, (%rdi)
    .globl bench_u_leave, bench_u_peek
bench_u_leave:
    ud2
bench_u_peek:
    movzbl (%rdi), %eax
    ud2
    .balign 4096

    .bss
    .globl bench_got
bench_got:
    .skip 8
    .section .note.GNU-stack, "", @progbits
