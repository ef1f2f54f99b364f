/* SPDX-License-Identifier: MIT */
/*
 * hypercall.S - the hypercall page, and pv_trap, which calls into it.
 *
 * The domain builder fills the page with one stub of 32 bytes per hypercall number, found through
 * an ELF note. A stub keeps rcx and r11, and loses nothing but rax.
 */
        .text
        .balign 4096
        .globl  pv_hypercall_page
        .type   pv_hypercall_page, @object
        .size   pv_hypercall_page, 4096
pv_hypercall_page:
        .fill   4096, 1, 0xcc

/* int64_t pv_trap(nr, a1, a2, a3, a4, a5): C's registers to the hypervisor's. */
        .globl  pv_trap
        .type   pv_trap, @function
pv_trap:
        mov     %rdi, %rax
        mov     %rsi, %rdi
        mov     %rdx, %rsi
        mov     %rcx, %rdx
        mov     %r8, %r10
        mov     %r9, %r8
        shl     $5, %eax
        lea     pv_hypercall_page(%rip), %rcx
        add     %rcx, %rax
        jmp     *%rax
        .size   pv_trap, . - pv_trap

        .section .note.GNU-stack, "", @progbits
