/* SPDX-License-Identifier: MIT */
/*
 * cpu.h - privileged instructions and CPU structures, one small function each; for arch/ only.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include "arch.h"

#define ENTRY_FRAME 0x000ffffffffff000UL /* of a page-table entry: the bits of the frame */

#define MSR_EFER    0xc0000080u
#define MSR_STAR    0xc0000081u
#define MSR_LSTAR   0xc0000082u
#define MSR_SFMASK  0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_APIC    0x1bu

#define VEC_IRQ_BASE 0x20
#define VEC_ISA      0x20 /* 16 of them */
#define VEC_MSI      0x30
#define VEC_MSI_END  0xe0
#define VEC_TIMER    0xe0
#define VEC_SPURIOUS 0xff

static inline u64 rdmsr(u32 msr)
{
    u32 a, d;
    __asm__ volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(msr));
    return ((u64)d << 32) | a;
}
static inline void wrmsr(u32 msr, u64 v)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

#define SEL_KERNEL_CS 0x08
#define SEL_KERNEL_DS 0x10
#define SEL_USER_DS   0x1b /* order fixed by sysret: user data, then user code */
#define SEL_USER_CS   0x23
#define SEL_TSS       0x28

static inline u64 read_cr2(void)
{
    u64 v;
    __asm__ volatile("mov %%cr2, %0" : "=r"(v));
    return v;
}
static inline u64 read_cr4(void)
{
    u64 v;
    __asm__ volatile("mov %%cr4, %0" : "=r"(v));
    return v;
}
static inline void write_cr4(u64 v)
{
    __asm__ volatile("mov %0, %%cr4" ::"r"(v) : "memory");
}
/* XSAVE and its relatives for these parts of the state: CR4.OSXSAVE, XCR0. */
static inline void xsave_enable(u64 parts)
{
    write_cr4(read_cr4() | 1u << 18);
    __asm__ volatile("xsetbv" ::"c"(0), "a"((u32)parts), "d"((u32)(parts >> 32)));
}
static inline void cpuid(u32 leaf, u32 sub, u32 *a, u32 *b, u32 *c, u32 *d)
{
    __asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "a"(leaf), "c"(sub));
}

static inline void write_cr3(u64 v)
{
    __asm__ volatile("mov %0, %%cr3" ::"r"(v) : "memory");
}

/* What the processor finds in page tables: a frame in the bits of an entry, and back; and the one
 * store, which it must see whole. */
static inline u64 entry_encode(u64 frame)
{
    return frame << PAGE_SHIFT;
}
static inline u64 entry_decode(u64 bits)
{
    return (bits & ENTRY_FRAME) >> PAGE_SHIFT;
}
static inline void entry_store(u64 *slot, u64 bits)
{
    *(volatile u64 *)slot = bits;
}

/* Between paging.c and mmu.c. */
extern struct pagetable kernel_pt;
extern bool have_nx;
void pagetable_add(struct pagetable *pt, struct page *p); /* a table, to be freed with pt */
/* Walks down to the table of `level`, making what is missing when asked. */
pte_t *pagetable_walk(struct pagetable *pt, u64 va, int level, bool alloc, bool user);

void serial_early_init(void);
void idt_init(void);
void gdt_init(void);
void kstack_set(u64 top); /* where the next entry from user mode lands */
void syscall_init(void);
/* What entry.S calls: system calls that are traced or unknown, and what is left to do before a
 * return to user mode (proc/syscall.c); faults and interrupts. */
void syscall_slow(struct trapframe *tf);
void return_work(struct trapframe *tf);
void fault_handler(struct trapframe *tf, unsigned vec);
void irq_dispatch(struct trapframe *tf);
void lapic_eoi(void);
void lapic_timer_arm(u64 ns_from_now);
void apic_init(void);
void timer_interrupt(void);
bool extable_fixup(struct trapframe *tf);
void acpi_init(void);
int ioapic_route(unsigned gsi, unsigned vector, bool level, bool low);

/* What acpi.c found. */
struct acpi_info {
    phys_t lapic, ioapic, hpet;
    u32 ioapic_gsi_base;
    u16 pm1a_cnt, pm_tmr;
    u16 reset_port;
    u8 reset_value;
    u8 slp_typ_s5;
    u32 isa_gsi[16];
    u16 isa_flags[16];
};
extern struct acpi_info acpi;

#endif
