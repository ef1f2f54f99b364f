/* SPDX-License-Identifier: MIT */
/*
 * mem.S - memcpy, memmove, memset and memcmp for kernels that have none.
 *
 * Compilers call these four at will. libpv leaves the names to the kernel; the linker script pv.ld
 * gives them to the functions below where nobody else has defined them.
 */
        .text

.macro  function name
        .globl  \name
        .type   \name, @function
\name:
.endm
.macro  end name
        .size   \name, . - \name
.endm

/* void *(void *to, const void *from, size_t n) */
function pv_mem_move
        mov     %rdi, %rax
        sub     %rsi, %rax
        cmp     %rdx, %rax              /* to - from < n, unsigned: copy backwards */
        jae     pv_mem_copy
        mov     %rdi, %rax
        mov     %rdx, %rcx
        lea     -1(%rsi, %rdx), %rsi
        lea     -1(%rdi, %rdx), %rdi
        std
        rep movsb
        cld
        ret
end pv_mem_move

function pv_mem_copy
        mov     %rdi, %rax
        mov     %rdx, %rcx
        shr     $3, %rcx
        rep movsq
        mov     %edx, %ecx
        and     $7, %ecx
        rep movsb
        ret
end pv_mem_copy

/* void *(void *to, int byte, size_t n) */
function pv_mem_set
        mov     %rdi, %r8
        movzbl  %sil, %eax
        mov     $0x0101010101010101, %rcx
        imul    %rcx, %rax
        mov     %rdx, %rcx
        shr     $3, %rcx
        rep stosq
        mov     %edx, %ecx
        and     $7, %ecx
        rep stosb
        mov     %r8, %rax
        ret
end pv_mem_set

/* int (const void *a, const void *b, size_t n) */
function pv_mem_compare
        xor     %eax, %eax
        mov     %rdx, %rcx
        cmp     %rcx, %rcx              /* equal, when there is nothing to compare */
        repe cmpsb
        je      1f
        movzbl  -1(%rdi), %eax
        movzbl  -1(%rsi), %ecx
        sub     %ecx, %eax
1:      ret
end pv_mem_compare

        .section .note.GNU-stack, "", @progbits
