/* SPDX-License-Identifier: MIT */
/*
 * cpu.c - descriptor tables, the system-call registers, and the FPU's configuration.
 *
 * User programs get flat segments only. The double-fault handler has its own stack; everything
 * else runs on the interrupted or current thread's kernel stack.
 */
#include "cpu.h"
#include "printk.h"
#include "string.h"
#include "proc.h"
#include "slab.h"

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
extern void syscall_entry(void);
extern u8 boot_stack_top[];

u64 fpu_area_size = 512;
static u64 fpu_mask;
static void *fpu_clean;
static struct kmem_cache *fpu_cache;

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

void tss_set_kstack(u64 top)
{
    tss.rsp[0] = top;
}

void syscall_init(void)
{
    /* sysret takes SS from STAR[63:48]+8 and CS from STAR[63:48]+16. */
    wrmsr(MSR_STAR, (u64)(SEL_KERNEL_DS | 3) << 48 | (u64)SEL_KERNEL_CS << 32);
    wrmsr(MSR_LSTAR, (u64)syscall_entry);
    wrmsr(MSR_SFMASK, 0x47700); /* AC, NT, IOPL, DF, IF, TF */
}

/* --- FPU -------------------------------------------------------------------------------------- */

static void fpu_store(void *area)
{
    if (fpu_mask)
        __asm__ volatile("xsave64 (%0)" ::"r"(area), "a"((u32)fpu_mask), "d"((u32)(fpu_mask >> 32))
                         : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

static void fpu_load(const void *area)
{
    if (fpu_mask)
        __asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"((u32)fpu_mask), "d"((u32)(fpu_mask >> 32))
                         : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

void fpu_init(void)
{
    u32 a, b, c, d;

    cpuid(1, 0, &a, &b, &c, &d);
    if (c & (1u << 26)) { /* XSAVE */
        write_cr4(read_cr4() | 1u << 18);
        cpuid(13, 0, &a, &b, &c, &d);
        fpu_mask = a & 0xe7; /* x87, SSE, AVX, AVX-512 */
        xsetbv(0, fpu_mask);
        cpuid(13, 0, &a, &b, &c, &d);
        fpu_area_size = ALIGN_UP(b, 64u);
    }
    fpu_cache = kmem_cache_create("fpu", fpu_area_size, 64);
    fpu_clean = kmem_cache_alloc(fpu_cache, GFP_KERNEL | GFP_ZERO);
    __asm__ volatile("fninit");
    u32 mxcsr = 0x1f80;
    __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
    fpu_store(fpu_clean);
}

void *fpu_new(void)
{
    void *p = kmem_cache_alloc(fpu_cache, GFP_KERNEL);
    if (p)
        memcpy(p, fpu_clean, fpu_area_size);
    return p;
}

void fpu_free(void *p)
{
    if (p)
        kmem_cache_free(fpu_cache, p);
}

/* The area of the current thread is stale while it runs; this brings it up to date. */
void fpu_sync(struct thread *t)
{
    if (t == current && t->arch.fpu)
        fpu_store(t->arch.fpu);
}

void fpu_reset(struct thread *t)
{
    memcpy(t->arch.fpu, fpu_clean, fpu_area_size);
    fpu_load(t->arch.fpu);
}

/* After the current thread's area was changed (signal return). The header of an XSAVE area must not
 * be the user's: reserved bits there would fault. */
void fpu_reload(struct thread *t)
{
    u8 *area = t->arch.fpu;
    u32 *mxcsr = (u32 *)(area + 24);

    *mxcsr &= 0xffbf;
    if (fpu_mask) {
        u64 *hdr = (u64 *)(area + 512);
        hdr[0] &= fpu_mask;
        for (int i = 1; i < 8; i++)
            hdr[i] = 0;
    }
    fpu_load(area);
}

void fpu_switch(struct thread *prev, struct thread *next)
{
    if (prev->arch.fpu)
        fpu_store(prev->arch.fpu);
    if (next->arch.fpu)
        fpu_load(next->arch.fpu);
}

/* --- start-up --------------------------------------------------------------------------------- */

void arch_early_init(void)
{
    serial_early_init();
    gdt_init();
    idt_init();
    syscall_init();
}

void arch_init(void)
{
    acpi_init();
    clock_init();
    apic_init();
}
