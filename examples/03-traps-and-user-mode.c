/* SPDX-License-Identifier: MIT */
/*
 * 03-traps-and-user-mode - exceptions in the kernel, then a user program and its system calls.
 *
 * Kernel and program both run in ring 3. What keeps them apart is the page table: user mode has one
 * of its own, in which the kernel does not exist.
 */
#include <pv/pv.h>

#define USER_CODE  0x10000000000UL
#define USER_DATA  0x10000400000UL /* mapped when it is first touched */
#define USER_STACK 0x10000800000UL
#define RW         (PV_PRESENT | PV_WRITE | PV_USER | PV_ACCESSED | PV_DIRTY)
#define RX         (PV_PRESENT | PV_USER | PV_ACCESSED)

/* The user program, as machine code: it will run where the kernel's text is not mapped. */
static const unsigned char program[] = {
    0xb8, 1,    0,  0, 0,                   /* mov $1, %eax */
    0x0f, 0x05,                             /* syscall */
    0x0f, 0x0b,                             /* ud2 */
    0x48, 0xbb, 0,  0, 0x40, 0, 0, 1, 0, 0, /* movabs $USER_DATA, %rbx */
    0xc7, 0x03, 42, 0, 0,    0,             /* movl $42, (%rbx) */
    0xcd, 0x80,                             /* int $0x80 */
    0xb8, 2,    0,  0, 0,                   /* mov $2, %eax */
    0x0f, 0x05,                             /* syscall */
};

static struct pv_space space;
static char kernel_stack[8192] __attribute__((aligned(16)));

static const char *mode(const struct pv_regs *regs)
{
    return pv_regs_user(regs) ? "user" : "kernel";
}

static void on_opcode(struct pv_regs *regs)
{
    pv_printf("%s in %s mode: skipped\n", pv_trap_name(regs->vector), mode(regs));
    regs->rip += 2;
}

static void on_breakpoint(struct pv_regs *regs)
{
    pv_printf("%s in %s mode: goes on\n", pv_trap_name(regs->vector), mode(regs));
}

static void on_page_fault(struct pv_regs *regs)
{
    pfn_t frame = pv_host_page_alloc();

    if (regs->cr2 >> 12 != USER_DATA >> 12 || pv_space_map(&space, USER_DATA, frame, RW) != 0)
        pv_host_trap(regs);
    pv_printf("%s in %s mode: a page was put there\n", pv_trap_name(regs->vector), mode(regs));
}

static void on_int80(struct pv_regs *regs)
{
    pv_printf("int 0x80 in %s mode: the program stored %d\n", mode(regs), *(int *)USER_DATA);
}

static void on_syscall(struct pv_regs *regs)
{
    pv_printf("system call %lu in %s mode\n", regs->rax, mode(regs));
    if (regs->rax == 2)
        pv_sched_poweroff();
}

int pv_host_main(const char *cmdline)
{
    pfn_t code = pv_host_page_alloc(), stack = pv_host_page_alloc();
    struct pv_regs user;

    (void)cmdline;
    if (pv_trap_init() != 0)
        return 1;
    pv_trap_handle(PV_TRAP_OPCODE, on_opcode);
    pv_trap_handle(PV_TRAP_BREAKPOINT, on_breakpoint);
    pv_trap_handle(PV_TRAP_PAGE, on_page_fault);
    pv_trap_handle(PV_TRAP_INT80, on_int80);
    pv_trap_handle(PV_TRAP_SYSCALL, on_syscall);

    __asm__ volatile("ud2");
    __asm__ volatile("int3");

    __builtin_memcpy(pv_host_page_va(code), program, sizeof(program));
    if (pv_space_create(&space) != 0 || pv_space_map(&space, USER_CODE, code, RX) != 0 ||
        pv_space_map(&space, USER_STACK - PV_PAGE_SIZE, stack, RW) != 0 ||
        pv_space_switch(&space) != 0)
        return 1;
    pv_cpu_set_kernel_stack(kernel_stack + sizeof(kernel_stack));
    pv_regs_init_user(&user, USER_CODE, USER_STACK);
    pv_printf("entering user mode\n");
    pv_trap_return(&user);
}
