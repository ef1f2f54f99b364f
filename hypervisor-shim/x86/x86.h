/* SPDX-License-Identifier: MIT
 *
 * x86.h - the processor's instructions and bits, and what the files of this room share.
 *
 * Everything here is bare metal: only x86/ and drivers/ may include it.
 */
#ifndef X86_X86_H
#define X86_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "layout.h"
#include "../core/domain.h"
#include "../drivers/io.h"

enum {
    CR0_TS = 1 << 3,
    CR0_MP = 1 << 1,
    CR0_EM = 1 << 2,
    CR0_NE = 1 << 5,
    CR0_WP = 1 << 16,
    CR4_TSD = 1 << 2,
    CR4_DE = 1 << 3,
    CR4_PAE = 1 << 5,
    CR4_MCE = 1 << 6,
    CR4_OSFXSR = 1 << 9,
    CR4_OSXMMEXCPT = 1 << 10,
    CR4_FSGSBASE = 1 << 16,
    CR4_OSXSAVE = 1 << 18,
    CR4_SMEP = 1 << 20,
};

enum {
    MSR_TSC = 0x10,
    MSR_APIC_BASE = 0x1b,
    MSR_MISC_ENABLE = 0x1a0,
    MSR_PAT = 0x277,
    MSR_TSC_DEADLINE = 0x6e0,
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP,
    MSR_SYSENTER_EIP,
};
#define MSR_EFER           0xc0000080u
#define MSR_STAR           0xc0000081u
#define MSR_LSTAR          0xc0000082u
#define MSR_CSTAR          0xc0000083u
#define MSR_SFMASK         0xc0000084u
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

enum {
    EFLAGS_TF = 0x100,
    EFLAGS_IF = 0x200,
    EFLAGS_DF = 0x400,
    EFLAGS_IOPL = 0x3000,
    EFLAGS_NT = 0x4000,
    EFLAGS_RF = 0x10000,
    EFLAGS_AC = 0x40000
};

/* string.c */
void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);
size_t strlen(const char *);
int strcmp(const char *, const char *);

/* Page-table bits. */
enum {
    PTE_P = 1,
    PTE_W = 2,
    PTE_U = 4,
    PTE_PWT = 8,
    PTE_PCD = 16,
    PTE_A = 32,
    PTE_D = 64,
    PTE_PS = 128
};
#define PTE_NX (1ul << 63)

/* Per CPU: what the entry code uses, and the task state. */
struct tss {
    uint32_t reserved0;
    uint64_t rsp[3], reserved1, ist[7], reserved2;
    uint16_t reserved3, iobitmap;
} __attribute__((packed));

struct percpu {
    uint64_t scratch;     /* guest's rsp, for the length of two instructions */
    uint64_t entry;       /* as tss.rsp[0]: where entries from the guest push */
    uint64_t stack;       /* top of this CPU's stack */
    struct vcpu *entered; /* whose preserved registers are in the processor: see entry.S */
    struct cpu *cpu;
    uint64_t pad;
    struct tss tss;
    uint64_t cr0, cr4; /* as in the registers: spares reading them */
};
extern struct percpu percpu0;

enum { IST_NMI = 1, IST_DB, IST_MC, IST_DF, ISTS };

static inline void outb(uint16_t port, uint8_t v)
{
    asm volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}
static inline void outw(uint16_t port, uint16_t v)
{
    asm volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}
static inline void outl(uint16_t port, uint32_t v)
{
    asm volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}
static inline uint8_t inb(uint16_t port)
{
    uint8_t v;
    asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline uint16_t inw(uint16_t port)
{
    uint16_t v;
    asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline uint32_t inl(uint16_t port)
{
    uint32_t v;
    asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;
    asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return lo | (uint64_t)hi << 32;
}
static inline void wrmsr(uint32_t msr, uint64_t v)
{
    asm volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}
bool rdmsr_safe(uint32_t msr, uint64_t *value); /* entry.S: false if it faults */

static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;
    asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return lo | (uint64_t)hi << 32;
}
static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
    asm volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
}

#define READ_CR(n)                                             \
    static inline uint64_t read_cr##n(void)                    \
    {                                                          \
        uint64_t v;                                            \
        asm volatile("mov %%cr" #n ", %0" : "=r"(v));          \
        return v;                                              \
    }                                                          \
    static inline void write_cr##n(uint64_t v)                 \
    {                                                          \
        asm volatile("mov %0, %%cr" #n : : "r"(v) : "memory"); \
    }
READ_CR(0)
READ_CR(2)
READ_CR(3)
READ_CR(4)

static inline void invlpg(uint64_t va)
{
    asm volatile("invlpg (%0)" : : "r"(va) : "memory");
}
static inline void cpu_relax(void)
{
    asm volatile("pause");
}

static inline bool canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/* Addresses of the direct map. */
static inline void *phys_to_virt(uint64_t p)
{
    return (void *)(DIRECT_BASE + p);
}
static inline uint64_t virt_to_phys(const void *v)
{
    return (uint64_t)v - DIRECT_BASE;
}

/* -- boot.c: what the boot loader said, multiboot 1 or 2 --------------------- */
enum { BOOT_RANGES = 128, BOOT_MODULES = 160 };
struct boot_range {
    uint64_t start, end;
};
struct boot_module {
    uint64_t start, end;
    const char *string;
};
struct boot_info {
    const char *loader, *cmdline;
    unsigned ranges, modules;
    struct boot_range ram[BOOT_RANGES]; /* usable RAM, page-aligned, in the loader's order */
    struct boot_module module[BOOT_MODULES];
    uint64_t rsdp; /* physical address of ACPI's root; 0: look for it */
};
extern struct boot_info boot_info;
bool boot_parse(uint32_t magic, uint64_t info);
/* Guests that the modules' strings describe, as hostview.h says; returns how many. */
struct boot_guest;
unsigned boot_guests(struct boot_guest *g, unsigned max);
/* Does the shim's own command line hold this word? */
bool boot_option(const char *word);

/* -- memory.c --------------------------------------------------------------- */
void memory_init(void); /* direct map, frame table, M2P, free memory */
void memory_release_modules(void);
uint64_t memory_size(void); /* bytes of usable RAM */
uint64_t memory_low(void);  /* where the RAM below 4 GiB ends, for hostview.h */
extern uint64_t idle_root;                /* physical address of the L4 that maps no guest */
void hv_map(uint64_t va, uint64_t entry); /* one page of slots 257..261; tables as needed */
void hv_map_table(uint64_t va, uint64_t *table);

/* -- cpu.c, vcpu.c, cpuid.c -------------------------------------------------- */
void cpu_init(void);
void fpu_init(void);
void cpuid_init(void);
uint64_t *gdt_page(void);     /* the hypervisor's own page of every GDT */
extern uint64_t cr4_possible; /* of what a guest chooses in CR4 */
extern bool cpu_emulated;     /* by QEMU's own hand: plat_fence() */
extern uint32_t fpu_area_size;
extern uint64_t fpu_xcr0_all; /* the features that this processor has and we save */

/* -- intr.c, time.c, acpi.c, drivers/ ---------------------------------------- */
void intr_init(void);
void intr_route(unsigned isa_irq, unsigned vector);
extern volatile uint32_t *lapic;
void time_init(void);
void timer_interrupt(void);
void acpi_init(void);
uint64_t acpi_table(const char *signature); /* physical address, or 0 */
extern uint64_t acpi_ioapic, acpi_hpet;     /* physical addresses, 0: none */
void uart_init(void);
void uart_interrupt_enable(void);

/* A trap in ring 0: pushed by the processor and entry.S. */
struct ring0_frame {
    uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

#endif
