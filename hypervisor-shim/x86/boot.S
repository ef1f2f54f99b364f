/* SPDX-License-Identifier: MIT
 *
 * boot.S - from the boot loader's 32-bit world to C in the hypervisor's addresses.
 *
 *   header page (IMAGE_START)   multiboot 1 and 2 headers, this code, at its physical address
 *   boot_l4                     [0] and [262]: one L3, four L2s, 4 GiB in 2 MiB pages
 *
 * Both protocols enter at boot_entry in flat 32-bit mode, paging off, magic in eax, information
 * in ebx; UEFI firmware has been left by the boot loader. Nothing here may use a stack or a
 * symbol without PHYS() until the jump to start64_high. The identity slot goes away in memory.c.
 */
#include "layout.h"

#define PHYS(sym) ((sym) - DIRECT_BASE)

    .section .boot, "ax", @progbits
    .code32

    .balign 8
mb1_header:
    .set MB1_FLAGS, 0x10003               /* pages aligned, memory map, addresses below */
    .long 0x1badb002, MB1_FLAGS, -(0x1badb002 + MB1_FLAGS)
    .long PHYS(mb1_header), PHYS(image_start), PHYS(load_end), PHYS(image_end), PHYS(boot_entry)

    .balign 8
mb2_header:
    .set MB2_LENGTH, mb2_end - mb2_header
    .long 0xe85250d6, 0, MB2_LENGTH, -(0xe85250d6 + MB2_LENGTH)
    .short 2, 0                           /* addresses */
    .long 24, PHYS(mb2_header), PHYS(image_start), PHYS(load_end), PHYS(image_end)
    .balign 8
    .short 3, 0                           /* entry */
    .long 12, PHYS(boot_entry)
    .balign 8
    .short 6, 0                           /* modules on page boundaries */
    .long 8
    .balign 8
    .short 0, 0
    .long 8
mb2_end:

    .globl boot_entry
boot_entry:
    cld
    cli
    movl %eax, %ebp                       /* magic and information, out of the way of CPUID */
    movl %ebx, %esi
    movl $PHYS(bss_start), %edi           /* a loader may leave it dirty */
    movl $PHYS(image_end), %ecx
    subl %edi, %ecx
    shrl $2, %ecx
    xorl %eax, %eax
    rep stosl

    movl $0x80000001, %eax                /* long mode, no-execute: else there is nothing to do */
    cpuid
    andl $0x20100000, %edx
    cmpl $0x20100000, %edx
    jne 9f

    movl $PHYS(boot_l3) + 3, %eax
    movl %eax, PHYS(boot_l4)
    movl %eax, PHYS(boot_l4) + 8 * SLOT_OF(DIRECT_BASE)
    movl $PHYS(boot_l2) + 3, %eax
    movl $PHYS(boot_l3), %edi
1:  movl %eax, (%edi)
    addl $0x1000, %eax
    addl $8, %edi
    cmpl $PHYS(boot_l3) + 32, %edi
    jne 1b
    movl $0x83, %eax                      /* present, writable, 2 MiB */
    movl $PHYS(boot_l2), %edi
2:  movl %eax, (%edi)
    addl $8, %edi
    addl $0x200000, %eax
    jnc 2b

    movl $PHYS(boot_l4), %eax
    movl %eax, %cr3
    movl %cr4, %eax
    orl $0x20, %eax                       /* PAE */
    movl %eax, %cr4
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x901, %eax                      /* SCE, LME, NXE */
    wrmsr
    movl $0x80050033, %eax                /* PG AM WP NE ET MP PE */
    movl %eax, %cr0
    lgdt PHYS(boot_gdtr)
    ljmpl $SEL_HV_CS, $PHYS(start64)
9:  movl $0xb8000, %edi                   /* a 32-bit machine has a screen */
    movl $0x4f364f33, (%edi)
    hlt
    jmp 9b

    .balign 8
boot_gdtr:
    .word GDT_LIMIT
    .long PHYS(hv_gdt) - HV_GDT_BYTE, 0

    .code64
start64:
    movabsq $start64_high, %rax
    jmp *%rax

    .text
start64_high:
    movl $SEL_HV_DS, %eax
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    leaq stack_top0(%rip), %rsp
    movl %ebp, %edi
    xorl %ebp, %ebp
    call x86_start
    ud2

/* The hypervisor's page of every GDT (page 14); cpu.c adds the task state segment. */
    .section .data.page, "aw", @progbits
    .balign 4096
    .globl hv_gdt
hv_gdt:
    .quad 0
    .quad 0x00af9b000000ffff              /* SEL_HV_CS */
    .quad 0x00cf93000000ffff              /* SEL_HV_DS */
    .quad 0
    .quad 0x00cffb000000ffff              /* SEL_GUEST_CS32 */
    .quad 0x00cff3000000ffff              /* SEL_GUEST_SS */
    .quad 0x00affb000000ffff              /* SEL_GUEST_CS64 */
    .fill 512 - 7, 8, 0

    .section .bss.page, "aw", @nobits
    .balign 4096
    .globl boot_l4, boot_l3, boot_l2
boot_l4: .skip 4096
boot_l3: .skip 4096
boot_l2: .skip 4 * 4096
    .globl stack_top0
    .skip STACK_SIZE
stack_top0:
    .section .note.GNU-stack, "", @progbits
