/* SPDX-License-Identifier: MIT */
/*
 * boot.S - from multiboot's 32-bit world to kernel_main: page tables that map the first GiB at 0 and
 * at -2 GiB, long mode, a stack.
 */
#define PHYS(x) ((x) - 0xffffffff80000000)
        .section .boot, "ax"
        .code32
        .balign 8
header: .long   0x1badb002, 0x00010003, -(0x1badb002 + 0x00010003)
        .long   PHYS(header), PHYS(image_start), PHYS(load_end), PHYS(image_end), PHYS(boot)
        .globl  boot, gdt, boot_pml4
boot:   mov     $PHYS(boot_pml4) + 0x3000, %ecx
        mov     $0x83, %eax             # present, writable, 2 MiB
        xor     %edx, %edx
1:      mov     %eax, (%ecx,%edx,8)
        add     $0x200000, %eax
        inc     %edx
        cmp     $512, %edx
        jne     1b
        movl    $PHYS(boot_pml4) + 0x3000 + 3, PHYS(boot_pml4) + 0x1000
        movl    $PHYS(boot_pml4) + 0x3000 + 3, PHYS(boot_pml4) + 0x2000 + 510 * 8
        movl    $PHYS(boot_pml4) + 0x1000 + 3, PHYS(boot_pml4)
        movl    $PHYS(boot_pml4) + 0x2000 + 3, PHYS(boot_pml4) + 511 * 8
        mov     %cr4, %eax
        or      $0x620, %eax            # PAE, SSE
        mov     %eax, %cr4
        mov     $PHYS(boot_pml4), %eax
        mov     %eax, %cr3
        mov     $0xc0000080, %ecx
        rdmsr
        or      $0x101, %eax            # EFER: long mode, SYSCALL
        wrmsr
        mov     $0x80010033, %eax       # paging, write protection
        mov     %eax, %cr0
        lgdt    PHYS(gdtr)
        ljmp    $8, $PHYS(long_mode)
        .code64
long_mode:
        mov     $0x10, %eax
        mov     %eax, %ss
        mov     $boot_pml4 + 0x8000, %rsp
        mov     $native_main, %rax
        call    *%rax

        .balign 8
        # Kernel code and data; user data and code; the TSS.
gdt:    .quad   0, 0x00af9a000000ffff, 0x00cf92000000ffff, 0x00cff2000000ffff, 0x00affa000000ffff, 0, 0
gdtr:   .short  55
        .quad   PHYS(gdt)

        .bss
        .balign 4096
boot_pml4:      .skip 4 * 4096 + 16384 # the tables and a stack
