/* SPDX-License-Identifier: MIT */
/*
 * thread.c - the machine's part of a thread: kernel stack, segment bases, the switch itself.
 *
 * The user's registers are always at the top of the kernel stack (thread_frame). A new thread's
 * stack is made up so that its first switch_stacks "returns" to one of switch.S's beginnings.
 */
#include "cpu.h"
#include "mm.h"
#include "printk.h"
#include "proc.h"
#include "slab.h"
#include "uaccess.h"
#include "string.h"
#include "fpu.h"

_Static_assert(offsetof(struct thread, arch.ksp) == 0, "entry.S: TH_KSP");
_Static_assert(offsetof(struct thread, arch.kstack_top) == 8, "entry.S: TH_KSTACK_TOP");
_Static_assert(offsetof(struct thread, work) == 40, "entry.S: TH_WORK");
_Static_assert(sizeof(struct trapframe) == 21 * 8, "entry.S: push_regs");

extern void switch_stacks(u64 *prev_ksp, u64 next_ksp);
extern void kthread_entry(void);
extern void fork_entry(void);
extern void switch_finish(void);
__noreturn void kthread_begin(void (*fn)(void *), void *arg);

struct trapframe *thread_frame(struct thread *t)
{
    return (struct trapframe *)t->arch.kstack_top - 1;
}

/* What switch_stacks pops. */
struct switch_frame {
    u64 r15, r14, r13, r12, rbp, rbx, ret;
};

void arch_switch(struct thread *prev, struct thread *next)
{
    fpu_switch(prev, next);
    if (next->mm) {
        if (prev->arch.fs_base != next->arch.fs_base || !prev->mm)
            wrmsr(MSR_FS_BASE, next->arch.fs_base);
        if (prev->arch.gs_base != next->arch.gs_base || !prev->mm)
            wrmsr(MSR_GS_BASE, next->arch.gs_base);
    }
    kstack_set(next->arch.kstack_top);
    switch_stacks(&prev->arch.ksp, next->arch.ksp);
}

__noreturn void kthread_begin(void (*fn)(void *), void *arg)
{
    switch_finish();
    irq_enable();
    fn(arg);
    thread_exit(0);
}

static struct switch_frame *stack_prepare(struct thread *t)
{
    struct switch_frame *sf;

    t->arch.kstack_top = (u64)t->kstack + KSTACK_SIZE;
    sf = (struct switch_frame *)thread_frame(t) - 1;
    memset(sf, 0, sizeof(*sf));
    t->arch.ksp = (u64)sf;
    return sf;
}

void arch_thread_setup_kernel(struct thread *t, void (*fn)(void *), void *arg)
{
    struct switch_frame *sf = stack_prepare(t);

    memset(thread_frame(t), 0, sizeof(struct trapframe));
    sf->rbx = (u64)fn;
    sf->r12 = (u64)arg;
    sf->ret = (u64)kthread_entry;
}

int arch_thread_fork(struct thread *child, struct thread *parent, u64 new_sp, bool set_tls, u64 tls)
{
    struct switch_frame *sf = stack_prepare(child);
    struct trapframe *tf = thread_frame(child);

    *tf = *thread_frame(parent);
    tf->rax = 0;
    if (new_sp)
        tf->rsp = new_sp;
    sf->ret = (u64)fork_entry;
    child->arch.fs_base = set_tls ? tls : parent->arch.fs_base;
    child->arch.gs_base = parent->arch.gs_base;
    child->arch.fpu = fpu_new();
    if (!child->arch.fpu)
        return -ENOMEM;
    fpu_sync(parent);
    memcpy(child->arch.fpu, parent->arch.fpu, fpu_area_size);
    return 0;
}

void arch_thread_free(struct thread *t)
{
    fpu_free(t->arch.fpu);
    t->arch.fpu = NULL;
}

/* Turns the current thread (a kernel thread when it is init) into one that runs a program. */
int arch_thread_user_init(struct thread *t)
{
    if (!t->arch.fpu) {
        t->arch.fpu = fpu_new();
        if (!t->arch.fpu)
            return -ENOMEM;
    }
    return 0;
}

void arch_thread_exec(struct thread *t, u64 entry, u64 sp)
{
    struct trapframe *tf = thread_frame(t);

    memset(tf, 0, sizeof(*tf));
    tf->rip = entry;
    tf->rsp = sp;
    tf->cs = SEL_USER_CS;
    tf->ss = SEL_USER_DS;
    tf->rflags = 0x202;
    fpu_reset(t);
    t->arch.fs_base = t->arch.gs_base = 0;
    wrmsr(MSR_FS_BASE, 0);
    wrmsr(MSR_GS_BASE, 0);
}

/* First entry to user mode of a kernel thread that has just called proc_exec (init). */
__noreturn void arch_enter_user(struct thread *t)
{
    irq_disable();
    __asm__ volatile("mov %0, %%rsp\n\tjmp return_user" ::"r"(thread_frame(t)) : "memory");
    __builtin_unreachable();
}

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

long sys_arch_prctl(int code, u64 addr)
{
    switch (code) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
        if (addr >= USER_END)
            return -EPERM;
        if (code == ARCH_SET_FS)
            wrmsr(MSR_FS_BASE, current->arch.fs_base = addr);
        else
            wrmsr(MSR_GS_BASE, current->arch.gs_base = addr);
        return 0;
    case ARCH_GET_FS:
        return put_user(current->arch.fs_base, (u64 __user *)addr);
    case ARCH_GET_GS:
        return put_user(current->arch.gs_base, (u64 __user *)addr);
    }
    return -EINVAL;
}

u64 arch_thread_frame_pointer(struct thread *t)
{
    return ((struct switch_frame *)t->arch.ksp)->rbp;
}

void stack_trace(u64 rbp)
{
    for (int i = 0; i < 12 && rbp >= DIRECT_BASE && !(rbp & 7); i++) {
        u64 *fp = (u64 *)rbp;
        printk(" [%016lx]\n", fp[1]);
        if (fp[0] <= rbp)
            break;
        rbp = fp[0];
    }
}
