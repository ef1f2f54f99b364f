/* SPDX-License-Identifier: MIT */
/*
 * sigframe.c - the frame a signal handler runs on, and the return from it.
 *
 * Laid out as Linux does on x86-64 (return address, ucontext, siginfo, FPU area above), because
 * libraries look into it. Everything that comes back from the user is untrusted: segments and
 * privileged flags are replaced, the FPU image is cleaned, and a bad instruction pointer faults in
 * user mode.
 */
#include "cpu.h"
#include "errno.h"
#include "fpu.h"
#include "proc.h"
#include "signal.h"
#include "string.h"
#include "uaccess.h"

struct mcontext {
    u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    u16 cs, gs, fs, ss;
    u64 err, trapno, oldmask, cr2, fpstate, reserved[8];
};

struct ucontext {
    u64 flags, link;
    u64 ss_sp;
    s32 ss_flags, pad;
    u64 ss_size;
    struct mcontext mc;
    u64 sigmask;
};

struct sigframe {
    u64 ret;
    struct ucontext uc;
    struct siginfo info;
};

#define FP_XSTATE_MAGIC1 0x46505853u
#define USER_FLAGS       0x40dd5UL /* AC OF DF TF SF ZF AF PF CF */

static void save_regs(struct mcontext *m, const struct trapframe *tf)
{
    m->r8 = tf->r8, m->r9 = tf->r9, m->r10 = tf->r10, m->r11 = tf->r11;
    m->r12 = tf->r12, m->r13 = tf->r13, m->r14 = tf->r14, m->r15 = tf->r15;
    m->rdi = tf->rdi, m->rsi = tf->rsi, m->rbp = tf->rbp, m->rbx = tf->rbx;
    m->rdx = tf->rdx, m->rax = tf->rax, m->rcx = tf->rcx, m->rsp = tf->rsp;
    m->rip = tf->rip, m->rflags = tf->rflags;
    m->cs = SEL_USER_CS;
    m->ss = SEL_USER_DS;
}

static void load_regs(struct trapframe *tf, const struct mcontext *m)
{
    tf->r8 = m->r8, tf->r9 = m->r9, tf->r10 = m->r10, tf->r11 = m->r11;
    tf->r12 = m->r12, tf->r13 = m->r13, tf->r14 = m->r14, tf->r15 = m->r15;
    tf->rdi = m->rdi, tf->rsi = m->rsi, tf->rbp = m->rbp, tf->rbx = m->rbx;
    tf->rdx = m->rdx, tf->rax = m->rax, tf->rcx = m->rcx, tf->rsp = m->rsp;
    tf->rip = m->rip;
    tf->rflags = (m->rflags & USER_FLAGS) | 0x202;
    tf->cs = SEL_USER_CS;
    tf->ss = SEL_USER_DS;
    tf->orig_rax = -1;
}

int sigframe_setup(struct trapframe *tf, int sig, struct ksigaction *act,
                   const struct siginfo *info, sigset_t mask)
{
    struct thread *t = current;
    struct sigframe frame;
    u64 sp = tf->rsp - 128, fp; /* the red zone */
    bool on_alt = tf->rsp > t->sig.alt_sp && tf->rsp - t->sig.alt_sp <= t->sig.alt_size;

    if (act->flags & SA_ONSTACK && t->sig.alt_size && !on_alt)
        sp = t->sig.alt_sp + t->sig.alt_size;
    fp = ALIGN_DOWN(sp - fpu_area_size, 64UL);
    sp = ALIGN_DOWN(fp - sizeof(frame), 16UL) - 8;
    if (sp >= USER_END || !(act->flags & SA_RESTORER))
        return -EFAULT;
    memset(&frame, 0, sizeof(frame));
    frame.ret = act->restorer;
    save_regs(&frame.uc.mc, tf);
    frame.uc.mc.fpstate = fp;
    frame.uc.mc.oldmask = frame.uc.sigmask = mask;
    frame.uc.ss_sp = t->sig.alt_sp;
    frame.uc.ss_size = t->sig.alt_size;
    frame.uc.ss_flags = t->sig.alt_size ? (on_alt ? 1 : 0) : 2;
    frame.info = *info;
    fpu_sync(t);
    if (copy_to_user((void __user *)fp, t->arch.fpu, fpu_area_size) ||
        copy_to_user((void __user *)sp, &frame, sizeof(frame)))
        return -EFAULT;
    tf->rdi = sig;
    tf->rsi = sp + offsetof(struct sigframe, info);
    tf->rdx = sp + offsetof(struct sigframe, uc);
    tf->rax = 0;
    tf->rsp = sp;
    tf->rip = act->handler;
    tf->rflags &= ~(0x400UL | 0x100UL); /* DF, TF */
    return 0;
}

long sys_rt_sigreturn(void)
{
    struct thread *t = current;
    struct trapframe *tf = thread_frame(t);
    struct ucontext uc;
    u64 frame = tf->rsp - 8;

    if (copy_from_user(&uc, (void __user *)(frame + offsetof(struct sigframe, uc)), sizeof(uc)))
        goto bad;
    if (uc.mc.fpstate) {
        if (copy_from_user(t->arch.fpu, (void __user *)uc.mc.fpstate, fpu_area_size))
            goto bad;
        fpu_reload(t);
    }
    load_regs(tf, &uc.mc);
    t->sig.blocked = uc.sigmask & ~(sigbit(SIGKILL) | sigbit(SIGSTOP));
    t->work |= WORK_SIGNAL; /* leave by iret: rcx and r11 are the program's */
    return (long)tf->rax;
bad:
    fpu_reload(t);
    signal_fault(SIGSEGV, SI_KERNEL, frame);
    return 0;
}
