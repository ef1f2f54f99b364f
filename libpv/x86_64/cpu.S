/* SPDX-License-Identifier: MIT */
/*
 * cpu.S - the few instructions that C has no words for.
 */
#include <pv/abi/arch-x86_64.h>

        .text

.macro  function name
        .globl  \name
        .type   \name, @function
\name:
.endm
.macro  end name
        .size   \name, . - \name
.endm

/* void pv_cpu_id(leaf, subleaf, struct pv_cpuid *out): CPUID, executed by the hypervisor */
function pv_cpu_id
        push    %rbx
        mov     %rdx, %r8
        mov     %edi, %eax
        mov     %esi, %ecx
        .byte   PV_EMULATE_PREFIX_BYTES
        cpuid
        mov     %eax, (%r8)
        mov     %ebx, 4(%r8)
        mov     %ecx, 8(%r8)
        mov     %edx, 12(%r8)
        pop     %rbx
        ret
end pv_cpu_id

/* uint64_t pv_cpu_tsc(void) */
function pv_cpu_tsc
        rdtsc
        shl     $32, %rdx
        or      %rdx, %rax
        ret
end pv_cpu_tsc

/* void pv_fpu_fxsave(void *area), pv_fpu_fxrstor(const void *area) */
function pv_fpu_fxsave
        fxsaveq (%rdi)
        ret
end pv_fpu_fxsave

function pv_fpu_fxrstor
        fxrstorq (%rdi)
        ret
end pv_fpu_fxrstor

/* void pv_fpu_xsave(void *area, uint64_t parts), pv_fpu_xrstor(const void *area, uint64_t parts) */
function pv_fpu_xsave
        mov     %esi, %eax
        mov     %rsi, %rdx
        shr     $32, %rdx
        xsaveq  (%rdi)
        ret
end pv_fpu_xsave

function pv_fpu_xrstor
        mov     %esi, %eax
        mov     %rsi, %rdx
        shr     $32, %rdx
        xrstorq (%rdi)
        ret
end pv_fpu_xrstor

/* void pv_fpu_enable(uint64_t parts): CR4.OSXSAVE and XCR0, both emulated by the hypervisor */
function pv_fpu_enable
        mov     %cr4, %rax
        or      $0x40000, %rax
        mov     %rax, %cr4
        mov     %edi, %eax
        mov     %rdi, %rdx
        shr     $32, %rdx
        xor     %ecx, %ecx
        xsetbv
        ret
end pv_fpu_enable

        .section .note.GNU-stack, "", @progbits
