/* SPDX-License-Identifier: MIT
 *
 * intr.c - interrupts (local APIC, IO-APIC), and what entry.S can't give to the core as it is:
 * traps of the hypervisor itself, #DB's register, INT n behind a closed gate.
 *
 * Invariants: an interrupt does nothing but set bits in struct cpu.work; the legacy controllers
 * are masked; a trap in ring 0 is either listed in the extable, or the end.
 */
#include "x86.h"
#include "../core/device.h"
#include "../core/entry.h"
#include "../core/guest_mem.h"
#include "../core/mm.h"
#include "../core/platform.h"

enum {
    LAPIC_EOI = 0xb0,
    LAPIC_TPR = 0x80,
    LAPIC_SVR = 0xf0,
    LAPIC_IRR = 0x200,
    LAPIC_LINT0 = 0x350,
    LAPIC_ID = 0x20
};
_Static_assert(VECTOR_DEVICE + DEVICE_IRQS <= VECTOR_SPURIOUS, "one vector for each line");
#define MESSAGE_ADDRESS 0xfee00000u
enum { LVT_MASKED = 1 << 16, APIC_X2 = 1 << 10, APIC_ON = 1 << 11 };

volatile uint32_t *lapic;
static volatile uint32_t *ioapic;

struct extable {
    int32_t at, fixup;
};
extern const struct extable extable_start[], extable_end[];

static void pic_mask(void)
{
    outb(0x20, 0x11); /* begin initialisation; vectors 0xf0, 0xf8; cascade; 8086 */
    outb(0xa0, 0x11);
    outb(0x21, VECTOR_PIC);
    outb(0xa1, VECTOR_PIC + 8);
    outb(0x21, 4);
    outb(0xa1, 2);
    outb(0x21, 1);
    outb(0xa1, 1);
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
}

static void ioapic_write(unsigned reg, uint32_t v)
{
    ioapic[0] = reg;
    ioapic[4] = v;
}

void intr_route(unsigned isa_irq, unsigned vector)
{
    if (ioapic == NULL)
        return;
    ioapic_write(0x11 + 2 * isa_irq, lapic[LAPIC_ID / 4]); /* to this CPU */
    ioapic_write(0x10 + 2 * isa_irq, vector);              /* fixed, edge, high */
}

void intr_init(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    pic_mask();
    if (base & APIC_X2) /* firmware left its registers out of memory: the way back is through off */
        wrmsr(MSR_APIC_BASE, base & ~(uint64_t)(APIC_X2 | APIC_ON));
    base &= ~(uint64_t)APIC_X2;
    wrmsr(MSR_APIC_BASE, base | APIC_ON);
    lapic = mmio_map(base & 0xffffff000, PV_PAGE_SIZE);
    lapic[LAPIC_TPR / 4] = 0;
    lapic[LAPIC_LINT0 / 4] = LVT_MASKED;
    lapic[LAPIC_SVR / 4] = 0x100 | VECTOR_SPURIOUS;
    if (acpi_ioapic)
        ioapic = mmio_map(acpi_ioapic, PV_PAGE_SIZE);
}

void io_message(unsigned line, uint64_t *address, uint32_t *data)
{
    *address = MESSAGE_ADDRESS | (lapic[LAPIC_ID / 4] >> 24) << 12; /* to this CPU */
    *data = VECTOR_DEVICE + line;                                   /* fixed, edge */
}

/* QEMU's emulation (before 8.1) leaves every fence out of the code of a machine with one processor,
 * though its devices have threads of their own: a queue's index stayed in the host's store buffer
 * while the device's wish was read, and nobody was told. A register's read takes the lock that
 * QEMU has for devices, and that is a fence of the host's. */
void plat_fence(void)
{
    asm volatile("mfence" : : : "memory");
    if (cpu_emulated)
        (void)lapic[LAPIC_ID / 4];
}

/* All our vectors are in this one word of those that wait. */
bool plat_interrupt_pending(void)
{
    return lapic[LAPIC_IRR / 4 + 4 * (VECTOR_SERIAL / 32)] != 0;
}

static void irq(unsigned vector)
{
    if (vector - VECTOR_DEVICE < DEVICE_IRQS) {
        lapic[LAPIC_EOI / 4] = 0;
        device_interrupt(vector - VECTOR_DEVICE);
        return;
    }
    switch (vector) {
    case VECTOR_TIMER:
        lapic[LAPIC_EOI / 4] = 0;
        timer_interrupt();
        break;
    case VECTOR_SERIAL:
        lapic[LAPIC_EOI / 4] = 0;
        hv.cpu[0].work |= CPU_WORK_CONSOLE;
        break;
    default: /* spurious, from either controller: neither wants an acknowledgement */
        break;
    }
}

struct vcpu *x86_interrupt(struct vcpu *v, unsigned vector);
struct vcpu *x86_interrupt(struct vcpu *v, unsigned vector)
{
    irq(vector);
    return hv_interrupt(v);
}

/* -- from ring 3, with something to fetch first ----------------------------------- */

enum { DR6_CLEAR = 0xffff0ff0u };

struct vcpu *x86_debug(struct vcpu *v);
struct vcpu *x86_debug(struct vcpu *v)
{
    uint64_t dr6;

    asm volatile("mov %%db6, %0" : "=r"(dr6));
    asm volatile("mov %0, %%db6" : : "r"((uint64_t)DR6_CLEAR));
    v->dr[6] |= dr6 & ~(uint64_t)DR6_CLEAR;
    v->dr[6] &= dr6 | ~(uint64_t)DR6_CLEAR;
    return hv_trap(v, 1);
}

struct vcpu *x86_nmi(struct vcpu *v);
struct vcpu *x86_nmi(struct vcpu *v)
{
    hv_log("NMI while d%uv%u was at 0x%lx\n", v->domain->id, v->id, v->regs.rip);
    return hv_interrupt(v);
}

_Noreturn void x86_fatal(struct vcpu *v, unsigned vector);
_Noreturn void x86_fatal(struct vcpu *v, unsigned vector)
{
    hv_panic("machine check or double fault (vector %u) in d%uv%u at 0x%lx", vector, v->domain->id,
             v->id, v->regs.rip);
}

/* #GP because of a gate: INT n where n is an exception or ours. The error code should be n*8+2;
 * QEMU 7.2 gives n*16+2, so the instruction is asked. The core takes it from there. */
struct vcpu *x86_idt_gp(struct vcpu *v);
struct vcpu *x86_idt_gp(struct vcpu *v)
{
    uint8_t code[2];

    if (guest_copy_in(code, (pv_gptr_t){v->regs.rip}, sizeof(code)) == 0 && code[0] == 0xcd)
        v->regs.error_code = (uint32_t)code[1] * 8 + 2;
    return hv_trap(v, 13);
}

/* -- from ring 0 ----------------------------------------------------------------- */

static bool extable_fixup(struct ring0_frame *f)
{
    for (const struct extable *e = extable_start; e < extable_end; e++)
        if ((uint64_t)&e->at + (uint64_t)(int64_t)e->at == f->rip) {
            f->rip = (uint64_t)&e->fixup + (uint64_t)(int64_t)e->fixup;
            return true;
        }
    return false;
}

static bool code_address(uint64_t va)
{
    extern char text_start[], rodata_start[];

    return va >= (uint64_t)text_start && va < (uint64_t)rodata_start;
}

static _Noreturn void ring0_bug(const struct ring0_frame *f)
{
    struct vcpu *v = hv.cpu[0].current;
    const uint64_t *stack = (const uint64_t *)f->rsp;

    hv_log("trap %lu error 0x%lx in the hypervisor at 0x%lx, cr2 0x%lx cr3 0x%lx\n", f->vector,
           f->error, f->rip, read_cr2(), read_cr3());
    hv_log("rax %lx rcx %lx rdx %lx rsi %lx rdi %lx\n", f->rax, f->rcx, f->rdx, f->rsi, f->rdi);
    hv_log("r8 %lx r9 %lx r10 %lx r11 %lx rsp %lx rflags %lx\n", f->r8, f->r9, f->r10, f->r11,
           f->rsp, f->rflags);
    if (v)
        hv_log("guest d%uv%u at 0x%lx, rsp 0x%lx\n", v->domain->id, v->id, v->regs.rip,
               v->regs.rsp);
    /* Whatever looks like a return address on our own stack. */
    for (uint64_t *end = (uint64_t *)hv.cpu[0].stack_top;
         stack >= end - STACK_SIZE / 8 && stack < end; stack++)
        if (code_address(*stack))
            hv_log("  called from 0x%lx\n", *stack);
    hv_panic("trap %lu in the hypervisor at 0x%lx", f->vector, f->rip);
}

void x86_ring0_trap(struct ring0_frame *f);
void x86_ring0_trap(struct ring0_frame *f)
{
    struct vcpu *v = hv.cpu[0].current;
    int page;

    if (f->vector >= 32) {
        irq((unsigned)f->vector);
        return;
    }
    if (f->vector == 1) { /* a guest's TF or breakpoint, on our entry's first instruction */
        asm volatile("mov %0, %%db6" : : "r"((uint64_t)DR6_CLEAR));
        f->rflags &= ~(uint64_t)EFLAGS_TF;
        return;
    }
    if (f->vector == 2) {
        hv_log("NMI in the hypervisor at 0x%lx\n", f->rip);
        return;
    }
    if (f->vector == 14 && v && (page = plat_ldt_page_of(v, read_cr2())) >= 0 &&
        ldt_fault(v, (unsigned)page))
        return; /* a selector load of ours missed the guest's LDT: it is there now */
    if (!extable_fixup(f))
        ring0_bug(f);
}
