/* SPDX-License-Identifier: MIT */
/*
 * traps.c - exceptions.
 *
 * A fault in user mode becomes a signal. A fault in the kernel is legal only as a page fault on
 * user memory, or at an instruction of the exception table; anything else is the kernel's own
 * bug and panics with registers. Whatever a program does must end in the first two cases.
 */
#include "cpu.h"
#include "mm.h"
#include "printk.h"
#include "proc.h"
#include "uaccess.h"

struct extable_entry {
    u64 insn, fixup;
};
extern const struct extable_entry extable_start[], extable_end[];
extern void iret_user(void);

bool extable_fixup(struct trapframe *tf)
{
    for (const struct extable_entry *e = extable_start; e < extable_end; e++)
        if (e->insn == tf->rip) {
            tf->rip = e->fixup;
            return true;
        }
    return false;
}

static const struct {
    u8 sig, code;
} fault_signals[32] = {
    [0] = {SIGFPE, 1},          [1] = {SIGTRAP, 2},         [3] = {SIGTRAP, SI_KERNEL},
    [4] = {SIGSEGV, SI_KERNEL}, [5] = {SIGSEGV, SI_KERNEL}, [6] = {SIGILL, 2},
    [7] = {SIGSEGV, SI_KERNEL}, [9] = {SIGFPE, 7},          [10] = {SIGSEGV, SI_KERNEL},
    [11] = {SIGBUS, SI_KERNEL}, [12] = {SIGBUS, SI_KERNEL}, [13] = {SIGSEGV, SI_KERNEL},
    [16] = {SIGFPE, 7},         [17] = {SIGBUS, 1},         [19] = {SIGFPE, 7},
};

static __noreturn void fault_panic(struct trapframe *tf, unsigned vec, u64 addr)
{
    printk("kernel fault %u error %lx at %lx, address %lx, thread %d (%s)\n", vec, tf->orig_rax,
           tf->rip, addr, current ? current->tid : -1, current ? current->comm : "boot");
    printk("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", tf->rax, tf->rbx, tf->rcx, tf->rdx);
    printk("rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", tf->rsi, tf->rdi, tf->rbp, tf->rsp);
    printk("r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", tf->r8, tf->r9, tf->r10, tf->r11);
    printk("r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", tf->r12, tf->r13, tf->r14, tf->r15);
    stack_trace(tf->rbp);
    panic("unexpected fault in the kernel");
}

#define PF_PRESENT 1
#define PF_WRITE   2
#define PF_RSVD    8
#define PF_FETCH   16

static void page_fault(struct trapframe *tf, u64 addr)
{
    unsigned how = 0;
    u64 error = tf->orig_rax;
    int r = -EFAULT;

    if (error & PF_WRITE)
        how |= FAULT_WRITE;
    if (error & PF_FETCH)
        how |= FAULT_EXEC;
    if (addr < USER_END && current && current->mm && !(error & PF_RSVD) &&
        (frame_is_user(tf) || !(how & FAULT_EXEC || current->no_fault)) && (tf->rflags & 0x200))
        r = mm_fault(current->mm, addr, how);
    if (frame_is_user(tf))
        tf->orig_rax = -1;
    if (!r)
        return;
    if (!frame_is_user(tf)) {
        if (!extable_fixup(tf))
            fault_panic(tf, 14, addr);
        return;
    }
    if (r == -EIO)
        signal_fault(SIGBUS, 2, addr);
    else if (r == -ENOMEM)
        oom_kill();
    else
        signal_fault(SIGSEGV, r == -EACCES || error & PF_PRESENT ? 2 : 1, addr);
}

void fault_handler(struct trapframe *tf, unsigned vec)
{
    u64 addr = vec == 14 ? read_cr2() : tf->rip;

    if (tf->rflags & 0x200)
        irq_enable();
    if (vec == 14) {
        page_fault(tf, addr);
        return;
    }
    if (!frame_is_user(tf)) {
        if (vec == 13 && tf->rip == (u64)iret_user) {
            /* The frame that iret refused was the user's own making. */
            struct trapframe *user = thread_frame(current);
            irq_enable();
            user->rip = 0;
            user->cs = SEL_USER_CS;
            user->ss = SEL_USER_DS;
            user->rflags = 0x202;
            signal_fault(SIGSEGV, SI_KERNEL, 0);
            irq_disable();
            arch_enter_user(current);
        }
        if (vec != 2 && extable_fixup(tf))
            return;
        fault_panic(tf, vec, addr);
    }
    tf->orig_rax = -1;
    if (vec < 32 && fault_signals[vec].sig)
        signal_fault(fault_signals[vec].sig, fault_signals[vec].code, addr);
    else
        printk("stray exception %u in %s\n", vec, current->comm);
}
