/* SPDX-License-Identifier: MIT */
/*
 * machine.c - the machine that a hypervisor gives: each thing is asked for, by libpv.
 */
#include <pv/pv.h>
#include "../machine.h"

#define RIGHTS (PV_PRESENT | PV_USER | PV_ACCESSED)

static struct pv_space space;
static char kernel_stack[16384] __attribute__((aligned(16)));
static uint64_t period;

/* Instead of the serial port. */
void console_write(const char *text, size_t n)
{
    pv_console_write(text, n);
}

uint64_t frame_alloc(void)
{
    return pv_host_page_alloc().n;
}

void *frame_va(uint64_t frame)
{
    return pv_host_page_va(pfn(frame));
}

/* Instead of stores to page tables: they are read-only. */
bool page_map(uint64_t va, uint64_t frame, bool writable)
{
    return pv_space_map(&space, va, pfn(frame), RIGHTS | (writable ? PV_WRITE | PV_DIRTY : 0)) == 0;
}

/* Instead of the IDT. */
static void on_trap(struct pv_regs *regs)
{
    if (regs->vector == PV_TRAP_BREAKPOINT)
        kernel_breakpoint();
    else if (regs->vector == PV_TRAP_INT80)
        regs->rax = kernel_syscall(regs->rax, regs->rdi, regs->rsi);
    else if (!kernel_fault(regs->cr2))
        pv_host_trap(regs);
}

/* Instead of the timer chip and its interrupt. */
static void on_timer(void)
{
    pv_time_set_deadline(pv_time_now() + period);
    kernel_tick();
}

void timer_start(unsigned hz)
{
    period = 1000000000 / hz;
    if (pv_time_handle(on_timer) != 0)
        pv_host_panic("no timer");
    pv_time_set_deadline(pv_time_now() + period);
}

/* Instead of STI, HLT, CLI. */
void machine_wait(void)
{
    pv_sched_block();
    pv_events_disable();
}

/* Instead of IRETQ. */
void user_enter(uint64_t rip, uint64_t rsp)
{
    struct pv_regs regs;

    pv_regs_init_user(&regs, rip, rsp);
    pv_trap_return(&regs);
}

void machine_off(void)
{
    pv_sched_poweroff();
}

int pv_host_main(const char *cmdline)
{
    (void)cmdline;
    pv_trap_handle(PV_TRAP_PAGE, on_trap);
    pv_trap_handle(PV_TRAP_BREAKPOINT, on_trap);
    pv_trap_handle(PV_TRAP_INT80, on_trap);
    if (pv_trap_init() != 0 || pv_space_create(&space) != 0 || pv_space_switch(&space) != 0 ||
        pv_cpu_set_kernel_stack(kernel_stack + sizeof(kernel_stack)) != 0)
        return 1;
    kernel_main("a hypervisor");
    return 0;
}
