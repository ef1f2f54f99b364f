/* SPDX-License-Identifier: MIT */
/*
 * The user programs of the traps image, copied to one page of the user space. They call nothing
 * and end in a trap, which the kernel side looks at.
 */
    .text
    .globl user_page
    .balign 4096
user_page:
    .macro PROGRAM name
    .globl u_\name
u_\name:
    .endm

    PROGRAM leave
    ud2
    PROGRAM syscall
    syscall
    ud2
    PROGRAM de
    xor %eax, %eax
    div %eax
    ud2
    PROGRAM ud
    ud2
    PROGRAM load
    mov (%rdi), %rax
    ud2
    PROGRAM store
    mov %rsi, (%rdi)
    ud2
    PROGRAM jump
    jmp *%rdi
    PROGRAM int80
    int $0x80
    ud2
    PROGRAM int3
    int3
    ud2
    PROGRAM cli
    cli
    ud2
    PROGRAM hlt
    hlt
    ud2
    PROGRAM in
    in $0x80, %al
    ud2
    PROGRAM out
    out %al, $0x80
    ud2
    PROGRAM fs
    mov %fs:0, %rax
    ud2
    PROGRAM gs
    mov %gs:0, %rax
    ud2
    PROGRAM wrfsbase
    wrfsbase %rdi
    mov %fs:0, %rax
    rdfsbase %rbx
    ud2
    PROGRAM step
    nop
    nop
    mov $1, %eax
    PROGRAM step_end
    ud2
    /* Counts rsi down, then tells whether xmm3 still holds rdi. */
    PROGRAM fpu_check
    movq %rdi, %xmm3
1:  dec %rsi
    jnz 1b
    movq %xmm3, %rax
    ud2
    .code32
    PROGRAM code32
    mov $0x1234, %eax
    push %eax
    pop %ebx
    int $0x80
    ud2
    PROGRAM code32_syscall
    mov $0x77, %eax
    mov $0x88, %ebp
    syscall
    ud2
    PROGRAM code32_sysenter
    mov $0x99, %eax
    sysenter
    ud2
    .code64
    .balign 4096

    /* step_me: the kernel's own single-step target: four instructions, one of them a hypercall. */
    .globl step_me, step_me_end
step_me:
    nop
    mov $17, %eax
    nop
step_me_end:
    ret
    .section .note.GNU-stack, "", @progbits
