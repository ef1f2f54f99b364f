/* SPDX-License-Identifier: MIT */
/*
 * syscall.c - the table behind entry.S, made from syscalls.def, and the tracer.
 *
 * `strace` on the kernel command line sets WORK_TRACE for init and so for all its descendants: each
 * call is printed with arguments and result to the kernel's messages, unknown ones with their
 * number.
 */
#include "arch.h"
#include "errno.h"
#include "printk.h"
#include "proc_internal.h"

#define SYSCALL_MAX 512

typedef long (*syscall_fn)(long, long, long, long, long, long);

static long sys_none(long a, long b, long c, long d, long e, long f)
{
    return -ENOSYS;
}

/* The functions have their own argument types; the registers are the same. */
#define SYS(nr, name, n) extern long sys_##name();
#include "syscalls.def"
#undef SYS

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init" /* the default comes first, by design */
const syscall_fn syscall_table[SYSCALL_MAX] = {
    [0 ... SYSCALL_MAX - 1] = sys_none,
#define SYS(nr, name, n) [nr] = (syscall_fn)(void *)sys_##name,
#include "syscalls.def"
#undef SYS
};
#pragma GCC diagnostic pop

static const struct {
    const char *name;
    int args;
} names[SYSCALL_MAX] = {
#define SYS(nr, name, n) [nr] = {#name, n},
#include "syscalls.def"
#undef SYS
};

static long call(const struct trapframe *tf)
{
    if (tf->orig_rax >= SYSCALL_MAX)
        return -ENOSYS;
    return syscall_table[tf->orig_rax]((long)tf->rdi, (long)tf->rsi, (long)tf->rdx, (long)tf->r10,
                                       (long)tf->r8, (long)tf->r9);
}

static void call_traced(struct trapframe *tf)
{
    u64 nr = tf->orig_rax;
    long a[6] = {(long)tf->rdi, (long)tf->rsi, (long)tf->rdx,
                 (long)tf->r10, (long)tf->r8,  (long)tf->r9};
    pid_t tid = current->tid;
    long r;

    if (nr == 59 || nr == 60 || nr == 231)
        printk("[%d] %s(%lx, %lx)\n", tid, names[nr].name, a[0], a[1]);
    tf->rax = r = call(tf);
    if (nr < SYSCALL_MAX && names[nr].name) {
        printk("[%d] %s(", tid, names[nr].name);
        for (int i = 0; i < names[nr].args; i++)
            printk("%s%lx", i ? ", " : "", a[i]);
        printk(") = %ld\n", r);
    } else {
        printk("[%d] system call %lu = %ld\n", tid, nr, r);
    }
}

/* Traced calls and numbers out of range; entry.S handles the others by itself. */
void syscall_slow(struct trapframe *tf)
{
    if (current->work & WORK_TRACE)
        call_traced(tf);
    else
        tf->rax = call(tf);
}

/* Interrupts are off; called until no work is left. */
void return_work(struct trapframe *tf)
{
    irq_enable();
    if (current->work & WORK_EXIT)
        thread_exit(0);
    if (current->work & WORK_RESCHED)
        schedule();
    if (current->work & WORK_SIGNAL)
        signal_deliver(tf);
    irq_disable();
}
