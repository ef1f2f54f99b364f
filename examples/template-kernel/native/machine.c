/* SPDX-License-Identifier: MIT */
/*
 * machine.c - the PC: serial port, descriptor tables, page tables, interrupt controller, timer.
 */
#include "../machine.h"

#define KERNEL_BASE 0xffffffff80000000UL

struct regs {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

extern uint64_t gdt[7], boot_pml4[512];
extern char stubs[], kernel_stack[];
static uint64_t idt[129][2];
static uint32_t tss[26];
static char pool[64][PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned pool_used;

static void outb(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}

static uint8_t inb(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

void console_write(const char *text, size_t n)
{
    while (n--) {
        while (!(inb(0x3fd) & 0x20))
            ;
        outb(0x3f8, *text++);
    }
}

uint64_t frame_alloc(void)
{
    return pool_used < 64 ? ((uint64_t)pool[pool_used++] - KERNEL_BASE) / PAGE_SIZE : 0;
}

void *frame_va(uint64_t frame)
{
    return (void *)(KERNEL_BASE + frame * PAGE_SIZE);
}

bool page_map(uint64_t va, uint64_t frame, bool writable)
{
    uint64_t *table = boot_pml4;

    for (int shift = 39; shift > 12; shift -= 9) {
        uint64_t *slot = &table[va >> shift & 511], made = *slot ? 0 : frame_alloc();

        if (!frame || (!*slot && !made))
            return false;
        if (made)
            *slot = made * PAGE_SIZE | 7;
        table = frame_va(*slot / PAGE_SIZE);
    }
    table[va >> 12 & 511] = frame * PAGE_SIZE | (writable ? 7 : 5);
    __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
    return true;
}

void trap(struct regs *regs)
{
    uint64_t va;

    if (regs->vector == 32) {
        outb(0x20, 0x20);
        kernel_tick();
    } else if (regs->vector == 33) {
        regs->rax = kernel_syscall(regs->rax, regs->rdi, regs->rsi);
    } else if (regs->vector == 3) {
        kernel_breakpoint();
    } else {
        __asm__ volatile("mov %%cr2, %0" : "=r"(va));
        if (regs->vector != 14 || !kernel_fault(va)) {
            console_write("unexpected trap\n", 16);
            machine_off();
        }
    }
}

static void gate(unsigned vector, unsigned stub)
{
    uint64_t at = (uint64_t)stubs + 16 * stub;

    idt[vector][0] = (at & 0xffff) | 8 << 16 | 0xeeUL << 40 | at >> 16 << 48;
    idt[vector][1] = at >> 32;
}

void timer_start(unsigned hz)
{
    static const uint8_t setup[][2] = {{0x20, 0x11}, {0x21, 32},   {0x21, 4},   {0x21, 1},
                                       {0xa1, 0xff}, {0x21, 0xfe}, {0x43, 0x34}};

    for (unsigned i = 0; i < sizeof(setup) / 2; i++)
        outb(setup[i][0], setup[i][1]);
    outb(0x40, 1193182 / hz);
    outb(0x40, 1193182 / hz >> 8);
}

void machine_wait(void)
{
    __asm__ volatile("sti; hlt; cli" ::: "memory");
}

void user_enter(uint64_t rip, uint64_t rsp)
{
    __asm__ volatile("push $0x1b; push %1; push $0x202; push $0x23; push %0; iretq" ::"r"(rip),
                     "r"(rsp));
    __builtin_unreachable();
}

/* QEMU's ACPI power-off; elsewhere the machine stands still. */
void machine_off(void)
{
    __asm__ volatile("outw %w0, %w1" ::"a"(0x2000), "d"(0x604));
    for (;;)
        __asm__ volatile("cli; hlt");
}

void native_main(void)
{
    struct {
        uint16_t limit;
        void *base;
    } __attribute__((packed)) gdtr = {55, gdt}, idtr = {sizeof(idt) - 1, idt};
    uint64_t t = (uint64_t)tss;

    tss[1] = (uint64_t)kernel_stack + 16384;
    tss[2] = -1; /* its upper half */
    gdt[5] = 103 | (t & 0xffffff) << 16 | 0x89UL << 40 | (t >> 24 & 0xff) << 56;
    gdt[6] = t >> 32;
    for (unsigned i = 0; i <= 32; i++)
        gate(i, i);
    gate(0x80, 33);
    __asm__ volatile("lgdt %0; lidt %1; ltr %w2" ::"m"(gdtr), "m"(idtr), "r"(0x28));
    kernel_main("a PC");
}
