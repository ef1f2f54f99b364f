/* SPDX-License-Identifier: MIT */
/*
 * tty.c - terminals as files: registration, open, read, write, poll, and sessions.
 *
 * A file's priv is its tty. /dev/tty and /dev/console are resolved at open, so an open file always
 * refers to a real terminal. Reads and writes of a background process stop it (SIGTTIN, SIGTTOU);
 * see tty_job_check.
 *
 * Invariant: a process has a controlling terminal only if the terminal's session is its own.
 */
#include "devnum.h"
#include "errno.h"
#include "fs.h"
#include "initcall.h"
#include "printk.h"
#include "proc.h"
#include "slab.h"
#include "string.h"
#include "tty.h"
#include "uaccess.h"

static struct list ttys = LIST_INIT(ttys);
static struct tty *console_tty;

const struct termios tty_default_termios = {
    .c_iflag = ICRNL | IXON,
    .c_oflag = OPOST | ONLCR,
    .c_cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL,
    .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    .c_cc = {[VINTR] = 3,
             [VQUIT] = 28,
             [VERASE] = 127,
             [VKILL] = 21,
             [VEOF] = 4,
             [VMIN] = 1,
             [VSTART] = 17,
             [VSTOP] = 19,
             [VSUSP] = 26,
             [VREPRINT] = 18,
             [VDISCARD] = 15,
             [VWERASE] = 23,
             [VLNEXT] = 22},
};

/* --- making and unmaking -----------------------------------------------------------------------
 */

void tty_init(struct tty *t, const char *name, dev_t dev, const struct tty_ops *ops, void *driver)
{
    memset(t, 0, sizeof(*t));
    strlcpy(t->name, name, sizeof(t->name));
    t->dev = dev;
    t->ops = ops;
    t->driver = driver;
    t->termios = tty_default_termios;
    wait_queue_init(&t->read_wait);
    wait_queue_init(&t->write_wait);
    mutex_init(&t->read_lock);
    mutex_init(&t->write_lock);
    list_add_tail(&ttys, &t->link);
}

struct tty *tty_register(const char *name, dev_t dev, const struct tty_ops *ops, void *driver)
{
    struct tty *t = kzalloc(sizeof(*t), GFP_KERNEL);

    if (!t)
        return NULL;
    tty_init(t, name, dev, ops, driver);
    devfs_add(name, S_IFCHR | 0600, dev);
    if (!console_tty)
        console_tty = t;
    return t;
}

void tty_set_console(struct tty *t)
{
    console_tty = t;
}

/* The session loses its terminal, every process of it its reference. */
void tty_drop_session(struct tty *t)
{
    struct proc *p;

    t->session = t->pgrp = 0;
    list_for_each(p, &all_procs, all_link)
    {
        if (p->tty == t)
            p->tty = NULL;
    }
}

void tty_destroy(struct tty *t)
{
    tty_drop_session(t);
    list_del(&t->link);
    if (console_tty == t)
        console_tty = NULL;
}

static struct tty *tty_find(dev_t dev)
{
    struct tty *t;

    if (dev == MKDEV(MAJOR_TTYAUX, 0))
        return current->proc->tty;
    if (dev == MKDEV(MAJOR_TTYAUX, 1))
        return console_tty;
    if (MAJOR(dev) == MAJOR_PTS)
        return pty_slave_find(MINOR(dev));
    list_for_each(t, &ttys, link)
    {
        if (t->dev == dev)
            return t;
    }
    /* /dev/tty0 is whatever console the machine has, on machines without a screen too. */
    return dev == MKDEV(MAJOR_TTY, 0) ? console_tty : NULL;
}

/* --- sessions and job control ------------------------------------------------------------------
 */

void tty_take_control(struct tty *t)
{
    t->session = current->proc->sid;
    t->pgrp = current->proc->pgid;
    current->proc->tty = t;
}

int tty_job_check(struct tty *t, int sig)
{
    struct proc *p = current->proc;

    if (p->tty != t || t->pgrp == 0 || p->pgid == t->pgrp)
        return 0;
    if (signal_is_blocked(sig) || signal_is_ignored(sig))
        return sig == SIGTTIN ? -EIO : 0;
    if (pgrp_is_orphaned(p->pgid))
        return -EIO;
    signal_pgrp(p->pgid, sig, NULL);
    return -ERESTARTSYS;
}

void tty_forget(struct proc *p)
{
    p->tty = NULL;
}

void tty_session_exit(struct proc *p)
{
    struct tty *t = p->tty;

    if (!t || p->pid != p->sid)
        return;
    if (t->pgrp > 0) {
        signal_pgrp(t->pgrp, SIGHUP, NULL);
        signal_pgrp(t->pgrp, SIGCONT, NULL);
    }
    tty_drop_session(t);
}

void tty_hangup(struct tty *t)
{
    struct proc *leader = t->session ? proc_find(t->session) : NULL;

    t->hung_up = true;
    if (leader) {
        signal_proc(leader, SIGHUP, NULL);
        signal_proc(leader, SIGCONT, NULL);
    }
    if (t->pgrp > 0) {
        signal_pgrp(t->pgrp, SIGHUP, NULL);
        signal_pgrp(t->pgrp, SIGCONT, NULL);
    }
    wake_up(&t->read_wait);
    wake_up(&t->write_wait);
}

void tty_output_ready(struct tty *t)
{
    wake_up_key(&t->write_wait, POLLOUT | POLLWRNORM);
}

dev_t tty_dev(const struct tty *t)
{
    return t ? t->dev : 0;
}

pid_t tty_pgrp(const struct tty *t)
{
    return t && t->pgrp ? t->pgrp : -1;
}

/* --- files -------------------------------------------------------------------------------------
 */

static int tty_open(struct inode *i, struct file *f)
{
    struct tty *t = tty_find(i->rdev);
    struct proc *p = current->proc;
    bool noctty = (f->flags & O_NOCTTY) || i->rdev == MKDEV(MAJOR_TTYAUX, 1) ||
                  i->rdev == MKDEV(MAJOR_TTY, 0);

    if (!t)
        return -ENXIO;
    if (t->hung_up)
        return -EIO;
    if (t->exclusive && t->opens > 0 && !capable())
        return -EBUSY;
    t->opens++;
    f->priv = t;
    f->no_seek = true;
    if (!noctty && p->pid == p->sid && !p->tty && t->session == 0)
        tty_take_control(t);
    return 0;
}

static void tty_release(struct inode *i, struct file *f)
{
    struct tty *t = f->priv;

    if (--t->opens > 0)
        return;
    t->exclusive = false;
    t->stopped = false;
    if (t->ops->close)
        t->ops->close(t);
}

static ssize_t tty_read(struct file *f, struct uio *u, s64 *pos)
{
    struct tty *t = f->priv;
    bool nonblock = f->flags & O_NONBLOCK;
    int r = tty_job_check(t, SIGTTIN);

    return r ? r : ldisc_read(t, u, nonblock);
}

/* Copies the next bytes without using them up: the device may take fewer. */
static size_t peek(struct uio *u, u8 *k, size_t n)
{
    struct uio copy = *u;

    return uio_read(&copy, k, n);
}

static ssize_t write_chunks(struct tty *t, struct uio *u, bool nonblock)
{
    ssize_t total = 0;
    u8 chunk[256];

    while (u->left > 0) {
        size_t n = MIN(u->left, sizeof(chunk));

        if (t->hung_up)
            return total ? total : -EIO;
        size_t have = peek(u, chunk, n);
        if (have == 0)
            return total ? total : -EFAULT;
        u64 flags = irq_save();
        size_t done = ldisc_output(t, chunk, have);
        irq_restore(flags);
        uio_read(u, chunk, done);
        total += (ssize_t)done;
        if (done == have)
            continue;
        if (nonblock)
            return total ? total : -EAGAIN;
        int r = wait_event_intr(&t->write_wait,
                                t->hung_up ||
                                    (!t->stopped && (!t->ops->has_room || t->ops->has_room(t))));
        if (r)
            return total ? total : r;
    }
    return total;
}

static ssize_t tty_write(struct file *f, struct uio *u, s64 *pos)
{
    struct tty *t = f->priv;

    if (t->termios.c_lflag & TOSTOP) {
        int r = tty_job_check(t, SIGTTOU);

        if (r)
            return r;
    }
    /* One writer's text is not cut into by another's, unless it does not want to wait. */
    if (f->flags & O_NONBLOCK) {
        if (!mutex_trylock(&t->write_lock))
            return -EAGAIN;
    } else {
        mutex_lock(&t->write_lock);
    }
    ssize_t r = write_chunks(t, u, f->flags & O_NONBLOCK);
    mutex_unlock(&t->write_lock);
    return r;
}

static unsigned tty_poll(struct file *f, struct poll_table *pt)
{
    struct tty *t = f->priv;
    unsigned mask = 0;

    poll_wait(pt, f, &t->read_wait);
    poll_wait(pt, f, &t->write_wait);
    if (ldisc_readable(t))
        mask |= POLLIN | POLLRDNORM;
    if (t->hung_up)
        mask |= POLLIN | POLLRDNORM | POLLHUP | POLLERR;
    if (!t->stopped && (!t->ops->has_room || t->ops->has_room(t)))
        mask |= POLLOUT | POLLWRNORM;
    return mask;
}

static long tty_file_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
    return tty_ioctl(f->priv, cmd, arg, false);
}

const struct file_ops tty_fops = {
    .open = tty_open,
    .release = tty_release,
    .read = tty_read,
    .write = tty_write,
    .poll = tty_poll,
    .ioctl = tty_file_ioctl,
};

static int tty_class_init(void)
{
    int r = chrdev_register(MAJOR_TTY, 0, 256, "tty", &tty_fops);

    if (!r)
        r = chrdev_register(MAJOR_TTYAUX, 0, 2, "ttyaux", &tty_fops);
    devfs_add("tty", S_IFCHR | 0666, MKDEV(MAJOR_TTYAUX, 0));
    devfs_add("console", S_IFCHR | 0600, MKDEV(MAJOR_TTYAUX, 1));
    devfs_add("tty0", S_IFCHR | 0600, MKDEV(MAJOR_TTY, 0));
    return r;
}
fs_initcall(tty_class_init);
