/* SPDX-License-Identifier: MIT
 *
 * cpu.c - the processor as the hypervisor wants it: control registers, descriptor tables, the
 * SYSCALL and SYSENTER entries, and the state components that the FPU area holds.
 *
 * Invariants: SMEP on where there is one, WP and NXE on, no global pages, no SMAP
 * (docs/caveats.md); FSGSBASE as the guest wants it; every gate leads to entry.S; TR is loaded
 * once.
 */
#include "x86.h"

extern const uint64_t gate_table[256];
extern uint64_t hv_gdt[512];
extern char stack_top0[], syscall_entry[], syscall32_entry[], sysenter_entry[];

struct gate {
    uint16_t offset0, selector;
    uint8_t ist, type;
    uint16_t offset1;
    uint32_t offset2, zero;
};
static struct gate idt[256];
struct percpu percpu0 __attribute__((aligned(64)));
static uint8_t ist_stack[ISTS][IST_STACK_SIZE] __attribute__((aligned(16)));

uint64_t cr4_possible = CR4_TSD | CR4_DE;
bool cpu_emulated;
uint32_t fpu_area_size;
uint64_t fpu_xcr0_all;

uint64_t *gdt_page(void)
{
    return hv_gdt;
}

static void load_table(uint64_t base, uint16_t limit, bool interrupts)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) r = {limit, base};

    if (interrupts)
        asm volatile("lidt %0" : : "m"(r));
    else
        asm volatile("lgdt %0" : : "m"(r));
}

static void gate_set(unsigned n, unsigned dpl, unsigned ist)
{
    uint64_t to = gate_table[n];

    idt[n] = (struct gate){.offset0 = (uint16_t)to,
                           .selector = SEL_HV_CS,
                           .ist = (uint8_t)ist,
                           .type = (uint8_t)(0x8e | dpl << 5),
                           .offset1 = (uint16_t)(to >> 16),
                           .offset2 = (uint32_t)(to >> 32)};
}

static void idt_init(void)
{
    /* INT n of a guest comes straight in where n is nobody else's. For exceptions and for our own
     * interrupts it is a #GP, and x86_idt_gp() looks at the instruction. */
    for (unsigned n = 0; n < 256; n++)
        gate_set(n, (n >= 32 && n < VECTOR_SERIAL) || n == 3 || n == 4 ? 3 : 0, 0);
    gate_set(1, 0, IST_DB);
    gate_set(2, 0, IST_NMI);
    gate_set(8, 0, IST_DF);
    gate_set(18, 0, IST_MC);
    load_table((uint64_t)idt, sizeof(idt) - 1, true);
}

static void tss_init(struct percpu *p)
{
    uint64_t base = (uint64_t)&p->tss, limit = sizeof(p->tss) - 1;
    uint64_t *d = &hv_gdt[(SEL_TSS - HV_GDT_BYTE) / 8];

    for (unsigned i = 1; i < ISTS; i++) {
        uint64_t *top = (uint64_t *)&ist_stack[i][IST_STACK_SIZE - 16];

        *top = (uint64_t)p; /* where GATE_IST looks for it */
        p->tss.ist[i - 1] = (uint64_t)top;
    }
    p->tss.iobitmap = sizeof(p->tss);
    d[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | 0x89ul << 40 | (base >> 24 & 0xff) << 56;
    d[1] = base >> 32;
    load_table((uint64_t)hv_gdt - HV_GDT_BYTE, GDT_LIMIT, false);
    asm volatile("ltr %w0" : : "r"(SEL_TSS));
}

static void syscall_init(struct percpu *p)
{
    wrmsr(MSR_STAR, (uint64_t)SEL_GUEST_CS32 << 48 | (uint64_t)SEL_HV_CS << 32);
    wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
    wrmsr(MSR_CSTAR, (uint64_t)syscall32_entry);
    wrmsr(MSR_SFMASK,
          EFLAGS_TF | EFLAGS_IF | EFLAGS_DF | EFLAGS_IOPL | EFLAGS_NT | EFLAGS_RF | EFLAGS_AC);
    wrmsr(MSR_SYSENTER_CS, SEL_HV_CS);
    wrmsr(MSR_SYSENTER_ESP, (uint64_t)&p->entry);
    wrmsr(MSR_SYSENTER_EIP, (uint64_t)sysenter_entry);
    wrmsr(MSR_GS_BASE, 0);
    wrmsr(MSR_FS_BASE, 0);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
}

static void xsetbv(uint64_t v)
{
    asm volatile("xsetbv" : : "c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

/* x87, SSE, AVX, AVX-512, PKRU: what a guest may have, if the processor does. */
void fpu_init(void)
{
    uint32_t r[4];

    cpuid(1, 0, r);
    fpu_area_size = 512;
    if (!(r[2] & 1u << 26))
        return;
    write_cr4(read_cr4() | CR4_OSXSAVE);
    cpuid(13, 0, r);
    fpu_xcr0_all = r[0] & 0xe7;
    xsetbv(fpu_xcr0_all);
    cpuid(13, 0, r);
    fpu_area_size = r[1];
}

void cpu_init(void)
{
    struct percpu *p = &percpu0;
    uint32_t r[4];

    p->cpu = &hv.cpu[0];
    hv.cpu[0].arch = p;
    hv.cpu[0].stack_top = p->stack = (uint64_t)stack_top0;
    idt_init();
    tss_init(p);
    syscall_init(p);

    cpuid(0x40000000, 0, r);
    cpu_emulated = r[1] == 0x54474354; /* "TCGT" */
    cpuid(7, 0, r);
    if (r[1] & 1)
        cr4_possible |= CR4_FSGSBASE;
    write_cr4(CR4_PAE | CR4_DE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT |
              (r[1] & 1u << 7 ? CR4_SMEP : 0));
    wrmsr(MSR_PAT, 0x050100070406); /* as Xen: guests are told so */
    fpu_init();
    p->cr4 = read_cr4();
    p->cr0 = (read_cr0() | CR0_MP | CR0_NE | CR0_WP | CR0_TS) & ~(uint64_t)CR0_EM;
    write_cr0(p->cr0);
}
