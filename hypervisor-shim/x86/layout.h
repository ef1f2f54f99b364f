/* SPDX-License-Identifier: MIT
 *
 * layout.h - where everything of the hypervisor is: addresses, selectors, and offsets that the
 * assembly uses. Included from C, from assembly and from the linker script.
 *
 *   slot  address              what
 *   256   ffff800000000000     machine-to-physical table, read-only for guests (the ABI's place)
 *   257   ffff808000000000     descriptor tables of each vCPU: 2 MiB for each, 32 pages in use
 *   258   ffff810000000000     device registers (uncached)
 *   262+  ffff830000000000     all of RAM, linearly; the image lies in it at its load address
 *
 * Everything else below slot 272 is never mapped. Slots 256..271 are the same in every L4.
 */
#ifndef X86_LAYOUT_H
#define X86_LAYOUT_H

#ifdef __ASSEMBLER__
#define UL(n) n
#else
#define UL(n) n##ul
#endif

#define HV_SLOT_FIRST 256
#define HV_SLOT_LAST  271
#define M2P_BASE      UL(0xffff800000000000)
#define DESC_BASE     UL(0xffff808000000000)
#define FIXMAP_BASE   UL(0xffff810000000000)
#define DIRECT_BASE   UL(0xffff830000000000)
#define SLOT_OF(va)   (((va) >> 39) & 511)

#define IMAGE_START UL(0x1ff000) /* physical; one page before HOSTVIEW_ADDRESS */

/* The hypervisor's part of every GDT: page 14, at the ABI's selectors. */
#define HV_GDT_BYTE    0xe000
#define SEL_HV_CS      0xe008
#define SEL_HV_DS      0xe010
#define SEL_GUEST_CS32 0xe023
#define SEL_GUEST_SS   0xe02b
#define SEL_GUEST_CS64 0xe033
#define SEL_TSS        0xe040
#define SEL_LDT        0xe050
#define GDT_LIMIT      0xefff

/* struct vcpu and struct cpu, as entry.S knows them (asserted in vcpu.c). */
#define VCPU_CPU      0
#define VCPU_REGS     8
#define VCPU_VOLATILE 56 /* regs.r11: the first of those that C does not preserve */
#define REGS_ERROR    120
#define REGS_RIP      128
#define REGS_CS       136
#define REGS_END      168 /* just behind ss: where a ring 3 entry begins to push */

/* struct percpu (x86.h). */
#define PERCPU_SCRATCH 0
#define PERCPU_ENTRY   8
#define PERCPU_STACK   16
#define PERCPU_ENTERED 24

#define STACK_SIZE     16384
#define IST_STACK_SIZE 4096

/* Vectors. 0x20..0xef are guests' software interrupts, except where a gate of ours is in the way.
 */
#define VECTOR_PIC      0xf0 /* 0xf0..0xff: the legacy controllers' spurious ones */
#define VECTOR_SERIAL   0xe0
#define VECTOR_TIMER    0xe1
#define VECTOR_DEVICE   0xe2 /* DEVICE_IRQS of them (core/device.h) */
#define VECTOR_SPURIOUS 0xef

#endif
