/* SPDX-License-Identifier: MIT */
/*
 * entry.S - the way into the kernel: 32 exceptions, the timer (32) and INT 0x80 (33), 16 bytes apart.
 */
        .globl  stubs, kernel_stack
        .balign 16
        .set    vector, 0
stubs:
        .rept   34
        .balign 16
        .if     !((0x60227d00 >> vector) & 1)
        push    $0                      # where the processor pushes no error code
        .endif
        push    $vector
        jmp     common
        .set    vector, vector + 1
        .endr

common: cld                             # C's functions rely on it, and programs may set it
        .irp    r, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
        push    %\r
        .endr
        mov     %rsp, %rdi
        call    trap
        .irp    r, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax
        pop     %\r
        .endr
        add     $16, %rsp
        iretq

        .bss
        .balign 16
kernel_stack:   .skip 16384
