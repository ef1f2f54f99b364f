/* SPDX-License-Identifier: MIT */
/*
 * boot.S - from the boot loader to C.
 *
 * Entered in 32-bit protected mode by multiboot 1 (QEMU -kernel) or multiboot 2 (GRUB): eax has
 * the magic, ebx the physical address of the information. Builds first page tables (1 GiB, at
 * virtual 0, at DIRECT_BASE and at KERNEL_BASE, in 2 MiB pages), enters long mode, moves to the
 * higher half and calls start_kernel(info, magic). arch/paging.c replaces these tables.
 */
#define KERNEL_BASE 0xffffffff80000000
#define PHYS(x)     ((x) - KERNEL_BASE)

#define MB1_MAGIC 0x1badb002
#define MB1_FLAGS 0x00010003 /* page-aligned modules, memory map, address fields */
#define MB2_MAGIC 0xe85250d6

    .section .multiboot, "a"
    .align 8
mb1_header:
    .long MB1_MAGIC
    .long MB1_FLAGS
    .long -(MB1_MAGIC + MB1_FLAGS)
    .long PHYS(mb1_header)
    .long PHYS(image_start)
    .long PHYS(load_end)
    .long PHYS(image_end)
    .long PHYS(boot_entry)

    .align 8
mb2_header:
    .long MB2_MAGIC
    .long 0
    .long mb2_end - mb2_header
    .long -(MB2_MAGIC + 0 + (mb2_end - mb2_header))
    .align 8
    .short 3, 0 /* entry address: the ELF entry is a virtual one */
    .long 12
    .long PHYS(boot_entry)
    .align 8
    .short 6, 0 /* modules at page boundaries */
    .long 8
    .align 8
    .short 0, 0
    .long 8
mb2_end:

    .section .boot.text, "ax"
    .code32
    .globl boot_entry
boot_entry:
    cli
    cld
    mov %eax, %ebp
    mov %ebx, %esi

    /* Long mode at all? */
    mov $0x80000001, %eax
    cpuid
    test $(1 << 29), %edx
    jz no_long_mode
    mov %edx, %edi

    mov $PHYS(boot_stack_top), %esp

    /* Page directory: 512 x 2 MiB. */
    mov $PHYS(boot_pd), %ecx
    mov $0x83, %eax
    xor %edx, %edx
1:  mov %eax, (%ecx,%edx,8)
    movl $0, 4(%ecx,%edx,8)
    add $0x200000, %eax
    inc %edx
    cmp $512, %edx
    jne 1b
    movl $PHYS(boot_pd) + 3, PHYS(boot_pdpt_low)
    movl $PHYS(boot_pd) + 3, PHYS(boot_pdpt_high) + 510 * 8
    movl $PHYS(boot_pdpt_low) + 3, PHYS(boot_pml4)
    movl $PHYS(boot_pdpt_low) + 3, PHYS(boot_pml4) + 272 * 8
    movl $PHYS(boot_pdpt_high) + 3, PHYS(boot_pml4) + 511 * 8

    mov %cr4, %eax
    or $0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT */
    mov %eax, %cr4
    mov $PHYS(boot_pml4), %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x101, %eax /* LME, SCE */
    test $(1 << 20), %edi
    jz 2f
    or $0x800, %eax /* NXE */
2:  wrmsr
    mov $0x80010033, %eax /* PG, WP, NE, ET, MP, PE */
    mov %eax, %cr0
    lgdt PHYS(boot_gdtr)
    ljmp $8, $PHYS(long_mode)

no_long_mode:
    mov $0x3f8, %edx
    mov $'L', %al
    out %al, (%dx)
3:  hlt
    jmp 3b

    .code64
long_mode:
    xor %eax, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    movabs $higher_half, %rax
    jmp *%rax

    .text
higher_half:
    mov $boot_stack_top, %rsp
    mov %esi, %edi
    mov %ebp, %esi
    xor %ebp, %ebp
    call start_kernel
4:  hlt
    jmp 4b

    .section .boot.text, "ax"
    .align 8
boot_gdt:
    .quad 0
    .quad 0x00af9a000000ffff
boot_gdtr:
    .short 15
    .long PHYS(boot_gdt)

    .section .bss.page, "aw", @nobits
    .align 4096
    .globl boot_pml4
boot_pml4:      .skip 4096
boot_pdpt_low:  .skip 4096
boot_pdpt_high: .skip 4096
boot_pd:        .skip 4096
    .globl boot_stack_top
boot_stack:     .skip 16384
boot_stack_top:
