/* SPDX-License-Identifier: MIT */
/*
 * trap.S - stubs to which the hypervisor bounces traps, and the way back.
 *
 * A bounce frame, from the stack pointer up:   rcx r11 [error] rip cs rflags rsp ss
 * The stubs turn it into struct pv_regs:       cr2 vector r15 .. rdi error rip cs rflags rsp ss
 *
 * The way back from kernel to kernel. pv_trap_dispatch() returns the address of the vCPU's
 * (upcall_pending, upcall_mask) bytes with events masked; we open the mask, look whether an event
 * became pending meanwhile, and if not, leave by IRETQ. An event that comes after the look is
 * bounced onto this very stack, somewhere between `crit_begin` and `crit_end`; nothing is lost.
 * Its own way back must not open that window a second time, or a fast sender could pile up frames
 * without end: pv_trap_dispatch() sees that it interrupted the critical region and chooses the
 * iret hypercall, which opens the mask and returns in one step. So at most one frame is added.
 */
#include <pv/abi/xen.h>
#include <pv/trap.h>

#define FRAME_CS     (8 * 19)
#define FRAME_ERROR  (8 * 17)
#define FRAME_RAX    (8 * 12)
#define FRAME_R10    (8 * 9)

        .text

/* rdi is on the stack already. */
.macro  save_registers
        push    %rsi
        push    %rdx
        push    %rcx
        push    %rax
        push    %r8
        push    %r9
        push    %r10
        push    %r11
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
.endm

/* Leaves rsp at the slot of the error code. */
.macro  restore_registers
        add     $16, %rsp
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        pop     %r11
        pop     %r10
        pop     %r9
        pop     %r8
        pop     %rax
        pop     %rcx
        pop     %rdx
        pop     %rsi
        pop     %rdi
.endm

/* One stub of 16 bytes per vector, in order. */
        .balign 16
        .globl  pv_trap_stubs
pv_trap_stubs:
        vector = 0
        .rept   PV_TRAP_FAILSAFE
        .balign 16
        pop     %rcx
        pop     %r11
        .if     (0x27d00 >> vector & 1) == 0    /* 8, 10-14 and 17 come with an error code */
        .if     vector == PV_TRAP_SYSCALL
        push    %rax
        .else
        push    $0
        .endif
        .endif
        push    %rdi
        .if     vector == PV_TRAP_SYSCALL
        jmp     .Lsystem_call
        .else
        mov     $vector, %edi
        jmp     .Lcommon
        .endif
        vector = vector + 1
        .endr
        .balign 16
        /* Failsafe: rcx r11 ds es fs gs rip ...; the selectors that could not be loaded stay 0. */
        pop     %rcx
        pop     %r11
        add     $32, %rsp
        push    $0
        push    %rdi
        mov     $PV_TRAP_FAILSAFE, %edi
        jmp     .Lcommon

.Lcommon:
        cld
        save_registers
        push    %rdi                    /* vector */
        push    $0                      /* cr2: C fills it */
        mov     %rsp, %rdi
        mov     %rsp, %rbx
        and     $-16, %rsp
        call    pv_trap_dispatch
        mov     %rbx, %rsp
        test    %rax, %rax
        jz      .Lby_hypercall

        movb    $0, 1(%rax)             /* upcall_mask */
        .globl  pv_trap_crit_begin
pv_trap_crit_begin:
        cmpb    $0, (%rax)              /* upcall_pending */
        jne     .Lpending
        restore_registers
        add     $8, %rsp
        iretq
        .globl  pv_trap_crit_end
pv_trap_crit_end:

.Lpending:
        movb    $1, 1(%rax)
        andb    $~3, FRAME_CS(%rsp)     /* to the hypercall this means: to the kernel */
        movq    $0, FRAME_ERROR(%rsp)

/* The error code's slot holds the flags that the hypercall takes. */
.Lby_hypercall:
        restore_registers
        jmp     pv_hypercall_page + 32 * XEN_HYPERVISOR_iret

/*
 * From user mode always, so the frame lies at the top of a stack, which is a multiple of 16. The
 * common way costs little more than the frame; events are masked but around the call. An event that
 * came between its end and the mask is pending, and delivered by the iret hypercall.
 */
.Lsystem_call:
        cld
        save_registers
        push    $PV_TRAP_SYSCALL
        sub     $16, %rsp               /* cr2, and 8 for the stack's alignment */
        cmp     pv_trap_fast + 8(%rip), %rax
        jae     .Lslow
        mov     pv_trap_busy(%rip), %rcx
        cmpl    $0, (%rcx)
        jne     .Lslow
        mov     pv_trap_fast + 16(%rip), %rcx
        movb    $0, 1(%rcx)             /* upcall_mask */
        cmpb    $0, (%rcx)              /* upcall_pending */
        jne     .Lslow
        mov     pv_trap_fast(%rip), %r11
        mov     %r10, %rcx
        call    *(%r11,%rax,8)
        mov     pv_trap_fast + 16(%rip), %rcx
        movb    $1, 1(%rcx)
        mov     pv_trap_busy(%rip), %rcx
        cmpl    $0, (%rcx)
        jne     .Ldone
        movq    $XEN_VGCF_in_syscall, 8 + FRAME_ERROR(%rsp)
        /* What C preserves is as it was. */
        add     $8 + FRAME_R10, %rsp
        pop     %r10
        pop     %r9
        pop     %r8
        add     $16, %rsp               /* rax is the call's, rcx is lost */
        pop     %rdx
        pop     %rsi
        pop     %rdi
        jmp     pv_hypercall_page + 32 * XEN_HYPERVISOR_iret

.Ldone:
        mov     %rax, 8 + FRAME_RAX(%rsp)
        mov     $1, %esi
        jmp     .Lhandler
.Lslow:
        xor     %esi, %esi
.Lhandler:
        lea     8(%rsp), %rdi
        call    pv_trap_system_call
        add     $8, %rsp
        jmp     .Lby_hypercall

/* void pv_trap_resume(struct pv_regs *regs) */
        .globl  pv_trap_resume
        .type   pv_trap_resume, @function
pv_trap_resume:
        mov     %rdi, %rsp
        jmp     .Lby_hypercall
        .size   pv_trap_resume, . - pv_trap_resume

        .section .note.GNU-stack, "", @progbits
