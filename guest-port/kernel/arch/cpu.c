/* SPDX-License-Identifier: MIT */
/*
 * cpu.c - descriptor tables and the system-call registers.
 *
 * User programs get flat segments only. The double-fault handler has its own stack; everything
 * else runs on the interrupted or current thread's kernel stack.
 */
#include "cpu.h"

struct idt_gate {
    u16 offset_low, selector;
    u8 ist, type;
    u16 offset_mid;
    u32 offset_high, zero;
} __packed;

struct tss {
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3, iomap;
} __packed;

struct table_ptr {
    u16 limit;
    u64 base;
} __packed;

static u64 gdt[8] = {
    0,
    0x00af9b000000ffff, /* kernel code */
    0x00cf93000000ffff, /* kernel data */
    0x00cff3000000ffff, /* user data */
    0x00affb000000ffff, /* user code */
};
static struct tss tss;
static struct idt_gate idt[256];
static u8 double_fault_stack[8192] __aligned(16);

extern const u64 fault_stubs[32];
extern const u64 irq_stub_base;
extern u64 current_kstack;
extern void syscall_entry(void);
extern u8 boot_stack_top[];

static void gate_set(unsigned vec, u64 target, unsigned dpl, unsigned ist)
{
    idt[vec] = (struct idt_gate){
        .offset_low = target & 0xffff,
        .selector = SEL_KERNEL_CS,
        .ist = ist,
        .type = 0x8e | dpl << 5,
        .offset_mid = (target >> 16) & 0xffff,
        .offset_high = target >> 32,
    };
}

void gdt_init(void)
{
    u64 base = (u64)&tss;
    struct table_ptr p = {sizeof(gdt) - 1, (u64)gdt};

    gdt[5] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89UL << 40 | (base >> 24 & 0xff) << 56;
    gdt[6] = base >> 32;
    tss.iomap = sizeof(tss);
    tss.ist[0] = (u64)double_fault_stack + sizeof(double_fault_stack);
    tss.rsp[0] = (u64)boot_stack_top;
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\tmovl %2, %%eax\n\t"
                     "movl %%eax, %%ss\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "movl %%eax, %%ds\n\t"
                     "movl %%eax, %%es\n\t"
                     "movw %3, %%ax\n\t"
                     "ltr %%ax"
                     :
                     : "m"(p), "i"(SEL_KERNEL_CS), "i"(SEL_KERNEL_DS), "i"(SEL_TSS)
                     : "rax", "memory");
}

void idt_init(void)
{
    struct table_ptr p = {sizeof(idt) - 1, (u64)idt};

    for (unsigned i = 0; i < 32; i++)
        gate_set(i, fault_stubs[i], i == 3 || i == 4 ? 3 : 0, i == 8 ? 1 : 0);
    for (unsigned i = 32; i < 256; i++)
        gate_set(i, irq_stub_base + (i - 32) * 16, 0, 0);
    __asm__ volatile("lidt %0" ::"m"(p));
}

void kstack_set(u64 top)
{
    current_kstack = top;
    tss.rsp[0] = top;
}

void syscall_init(void)
{
    /* sysret takes SS from STAR[63:48]+8 and CS from STAR[63:48]+16. */
    wrmsr(MSR_STAR, (u64)(SEL_KERNEL_DS | 3) << 48 | (u64)SEL_KERNEL_CS << 32);
    wrmsr(MSR_LSTAR, (u64)syscall_entry);
    wrmsr(MSR_SFMASK, 0x47700); /* AC, NT, IOPL, DF, IF, TF */
}

/* The kernel executes nothing that user programs may write. */
static void smep_init(void)
{
    u32 a, b, c, d;

    cpuid(7, 0, &a, &b, &c, &d);
    if (b & (1u << 7))
        write_cr4(read_cr4() | 1u << 20);
}

/* --- start-up --------------------------------------------------------------------------------- */

void arch_early_init(void)
{
    serial_early_init();
    gdt_init();
    idt_init();
    syscall_init();
    smep_init();
}

void arch_init(void)
{
    acpi_init();
    clock_init();
    apic_init();
}
