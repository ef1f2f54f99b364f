/* SPDX-License-Identifier: MIT */
/*
 * ioctl.c - what terminals answer to ioctl(2): modes, window size, job control, queues.
 *
 * Changing a terminal from the background stops the process (SIGTTOU), as writing with TOSTOP
 * does. For a pty the master's calls act on the slave's terminal.
 */
#include "devnum.h"
#include "errno.h"
#include "proc.h"
#include "string.h"
#include "tty.h"
#include "uaccess.h"

#define TCGETS       0x5401
#define TCSETS       0x5402
#define TCSETSW      0x5403
#define TCSETSF      0x5404
#define TCSBRK       0x5409
#define TCXONC       0x540a
#define TCFLSH       0x540b
#define TIOCEXCL     0x540c
#define TIOCNXCL     0x540d
#define TIOCSCTTY    0x540e
#define TIOCGPGRP    0x540f
#define TIOCSPGRP    0x5410
#define TIOCOUTQ     0x5411
#define TIOCSTI      0x5412
#define TIOCGWINSZ   0x5413
#define TIOCSWINSZ   0x5414
#define TIOCMGET     0x5415
#define TIOCGSOFTCAR 0x5419
#define FIONREAD     0x541b
#define TIOCCONS     0x541d
#define TIOCNOTTY    0x5422
#define TIOCGSERIAL  0x541e
#define TIOCGETD     0x5424
#define TCSBRKP      0x5425
#define TIOCGSID     0x5429

static size_t unsent(struct tty *t)
{
    return t->ops->pending ? t->ops->pending(t) : 0;
}

/* Until everything written has left; 0 or -ERESTARTSYS. */
static int drain(struct tty *t)
{
    return wait_event_intr(&t->write_wait, unsent(t) == 0 || t->hung_up);
}

static int set_modes(struct tty *t, const struct termios __user *arg, bool wait, bool flush)
{
    struct termios now, old;
    u64 flags;

    if (copy_from_user(&now, arg, sizeof(now)))
        return -EFAULT;
    if (wait) {
        int r = drain(t);

        if (r)
            return r;
    }
    flags = irq_save();
    old = t->termios;
    t->termios = now;
    if (flush)
        ldisc_flush_input(t);
    ldisc_mode_changed(t, &old);
    irq_restore(flags);
    if (t->ops->set_termios)
        t->ops->set_termios(t);
    return 0;
}

static int set_winsize(struct tty *t, const struct winsize __user *arg)
{
    struct winsize w;

    if (copy_from_user(&w, arg, sizeof(w)))
        return -EFAULT;
    if (memcmp(&w, &t->winsize, sizeof(w)) == 0)
        return 0;
    t->winsize = w;
    if (t->pgrp > 0)
        signal_pgrp(t->pgrp, SIGWINCH, NULL);
    return 0;
}

static int take_controlling(struct tty *t, unsigned long steal)
{
    struct proc *p = current->proc;

    if (p->tty == t && t->session == p->sid)
        return 0;
    if (p->pid != p->sid || p->tty)
        return -EPERM;
    if (t->session) {
        if (steal != 1 || !capable())
            return -EPERM;
        tty_drop_session(t);
    }
    tty_take_control(t);
    return 0;
}

static int set_pgrp(struct tty *t, s32 __user *arg)
{
    struct proc *p = current->proc;
    s32 pgrp;

    if (p->tty != t || t->session != p->sid)
        return -ENOTTY;
    if (get_user(pgrp, arg))
        return -EFAULT;
    if (pgrp < 0)
        return -EINVAL;
    if (!pgrp_exists(pgrp, p->sid))
        return -EPERM;
    t->pgrp = pgrp;
    return 0;
}

static int give_up_controlling(struct tty *t)
{
    struct proc *p = current->proc;

    if (p->tty != t)
        return -ENOTTY;
    if (p->pid == p->sid)
        tty_session_exit(p);
    else
        tty_forget(p);
    return 0;
}

static int flush_queues(struct tty *t, unsigned long which)
{
    if (which > 2)
        return -EINVAL;
    if (which != 1) {
        u64 flags = irq_save();

        ldisc_flush_input(t);
        irq_restore(flags);
        if (t->ops->input_ready)
            t->ops->input_ready(t);
    }
    return 0;
}

static int flow_control(struct tty *t, unsigned long what)
{
    u8 c;

    switch (what) {
    case 0:
        t->stopped = true;
        return 0;
    case 1:
        t->stopped = false;
        tty_output_ready(t);
        return 0;
    case 2:
    case 3:
        c = t->termios.c_cc[what == 2 ? VSTOP : VSTART];
        t->ops->write(t, &c, 1);
        return 0;
    }
    return -EINVAL;
}

static int simulate_input(struct tty *t, u8 __user *arg)
{
    u8 c;

    if (current->proc->tty != t && !capable())
        return -EPERM;
    if (get_user(c, arg))
        return -EFAULT;
    tty_input(t, &c, 1);
    return 0;
}

/* Calls that change the terminal: not from the background. */
static bool changes(unsigned cmd)
{
    return (cmd >= TCSETS && cmd <= TCSETSF) || cmd == TCSBRK || cmd == TCSBRKP || cmd == TCXONC ||
           cmd == TCFLSH || cmd == TIOCSPGRP;
}

static long job_ioctl(struct tty *t, unsigned cmd, unsigned long arg, bool master)
{
    bool mine = current->proc->tty == t && t->session != 0;

    switch (cmd) {
    case TIOCSCTTY:
        return take_controlling(t, arg);
    case TIOCNOTTY:
        return give_up_controlling(t);
    case TIOCGPGRP:
        if (!mine && !master)
            return -ENOTTY;
        return put_user((s32)t->pgrp, (s32 __user *)arg);
    case TIOCSPGRP:
        return set_pgrp(t, (s32 __user *)arg);
    case TIOCGSID:
        if (t->session == 0 || (!mine && !master))
            return -ENOTTY;
        return put_user((s32)t->session, (s32 __user *)arg);
    }
    return -ENOTTY;
}

/* Programs look for the number N of /dev/ttySN in it; the rest is of no use here. */
struct serial_struct {
    s32 type, line;
    u32 rest[16];
};
_Static_assert(sizeof(struct serial_struct) == 72, "struct serial_struct");

static long serial_line(struct tty *t, void __user *arg)
{
    struct serial_struct s = {.type = 4}; /* 16550A */

    if (MAJOR(t->dev) != MAJOR_TTY || MINOR(t->dev) < 64)
        return -ENOTTY;
    s.line = (s32)MINOR(t->dev) - 64;
    return copy_to_user(arg, &s, sizeof(s));
}

long tty_ioctl(struct tty *t, unsigned cmd, unsigned long arg, bool master)
{
    if (changes(cmd) && !master) {
        int r = tty_job_check(t, SIGTTOU);

        if (r)
            return r;
    }
    switch (cmd) {
    case TCGETS:
        return copy_to_user((void __user *)arg, &t->termios, sizeof(t->termios));
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
        return set_modes(t, (const struct termios __user *)arg, cmd != TCSETS, cmd == TCSETSF);
    case TCSBRK:
    case TCSBRKP:
        return drain(t);
    case TCXONC:
        return flow_control(t, arg);
    case TCFLSH:
        return flush_queues(t, arg);
    case TIOCEXCL:
    case TIOCNXCL:
        t->exclusive = cmd == TIOCEXCL;
        return 0;
    case TIOCOUTQ:
        return put_user((s32)unsent(t), (s32 __user *)arg);
    case FIONREAD:
        return put_user((s32)ldisc_available(t), (s32 __user *)arg);
    case TIOCSTI:
        return simulate_input(t, (u8 __user *)arg);
    case TIOCGWINSZ:
        return copy_to_user((void __user *)arg, &t->winsize, sizeof(t->winsize));
    case TIOCSWINSZ:
        return set_winsize(t, (const struct winsize __user *)arg);
    case TIOCGSERIAL:
        return serial_line(t, (void __user *)arg);
    case TIOCGETD:
    case TIOCGSOFTCAR:
        return put_user((s32)0, (s32 __user *)arg);
    default:
        return job_ioctl(t, cmd, arg, master);
    }
}
