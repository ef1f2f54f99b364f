/* SPDX-License-Identifier: MIT */
/*
 * start.S - the entry point for kernels without one: ELF notes, first stack, first call.
 *
 * This object is taken from libpv.a only by a kernel whose linker script asks for pv_entry
 * (libpv's pv.ld does). The script defines pv_virt_base, where frame 0 is mapped. A kernel that
 * wants to say more in its notes brings an entry point and notes of its own.
 */
#include <pv/abi/elfnote.h>
#include <pv/abi/features.h>

#define STACK_BYTES 16384

.macro  note type, contents:vararg
        .pushsection .note.Xen, "a", @note
        .balign 4
        .long   2f - 1f
        .long   4f - 3f
        .long   \type
1:      .asciz  "Xen"
2:      .balign 4
3:      \contents
4:      .balign 4
        .popsection
.endm

        note    XEN_ELFNOTE_GUEST_OS, .asciz "libpv"
        note    XEN_ELFNOTE_GUEST_VERSION, .asciz "1"
        note    XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0"
        note    XEN_ELFNOTE_LOADER, .asciz "generic"
        note    XEN_ELFNOTE_VIRT_BASE, .quad pv_virt_base
        note    XEN_ELFNOTE_PADDR_OFFSET, .quad 0
        note    XEN_ELFNOTE_ENTRY, .quad pv_entry
        note    XEN_ELFNOTE_HYPERCALL_PAGE, .quad pv_hypercall_page
        note    XEN_ELFNOTE_L1_MFN_VALID, .quad 1, 1
        note    XEN_ELFNOTE_PAE_MODE, .asciz "yes"
        note    XEN_ELFNOTE_FEATURES, .asciz "pae_pgdir_above_4gb"
        note    XEN_ELFNOTE_SUPPORTED_FEATURES, .long (1 << XENFEAT_dom0) | (1 << XENFEAT_pae_pgdir_above_4gb)

        .text
        .globl  pv_entry
        .type   pv_entry, @function
pv_entry:
        cld
        lea     .Lstack_top(%rip), %rsp
        xor     %ebp, %ebp
        mov     %rsi, %rdi
        movabs  $pv_virt_base, %rsi
        call    pv_start_main
        ud2
        .size   pv_entry, . - pv_entry

        .bss
        .balign 16
        .skip   STACK_BYTES
.Lstack_top:

        .section .note.GNU-stack, "", @progbits
