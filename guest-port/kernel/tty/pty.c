/* SPDX-License-Identifier: MIT */
/*
 * pty.c - pseudo-terminals: /dev/ptmx gives a master, /dev/pts/N is its slave, a terminal.
 *
 * What the master writes is the slave's keyboard input (tty_input); what the slave prints waits in
 * a ring for the master. The pair lives until both ends are closed: `struct pty` embeds the slave's
 * tty, pairs are found by number in one table.
 *
 * Invariant: pairs[n] != NULL exactly while one end of pair n is open.
 */
#include "devnum.h"
#include "errno.h"
#include "fs.h"
#include "initcall.h"
#include "proc.h"
#include "slab.h"
#include "string.h"
#include "tty.h"
#include "uaccess.h"

#define PTYS    64
#define PTY_OUT 8192u

#define TIOCPKT    0x5420
#define TIOCGPTN   0x80045430
#define TIOCSPTLCK 0x40045431
#define TIOCGPKT   0x80045438
#define TIOCGPTLCK 0x80045439
#define FIONREAD   0x541b

struct pty {
    struct tty slave;
    unsigned n;
    bool locked, master_open, slave_seen, packet;
    u32 head, tail; /* free-running indexes of out */
    u8 out[PTY_OUT];
    struct wait_queue read_wait;  /* master's readers */
    struct wait_queue write_wait; /* master's writers: the slave's input buffer is full */
};

static struct pty *pairs[PTYS];

/* --- the slave's driver ------------------------------------------------------------------------
 */

static struct pty *pty_of(struct tty *t)
{
    return container_of(t, struct pty, slave);
}

static size_t slave_write(struct tty *t, const u8 *p, size_t n)
{
    struct pty *y = pty_of(t);
    size_t i;

    for (i = 0; i < n && y->head - y->tail < PTY_OUT; i++)
        y->out[y->head++ % PTY_OUT] = p[i];
    if (i > 0)
        wake_up_key(&y->read_wait, POLLIN | POLLRDNORM);
    return i;
}

static bool slave_has_room(struct tty *t)
{
    struct pty *y = pty_of(t);

    return y->head - y->tail < PTY_OUT;
}

static void slave_input_ready(struct tty *t)
{
    wake_up_key(&pty_of(t)->write_wait, POLLOUT | POLLWRNORM);
}

static void pty_free(struct pty *y)
{
    char name[16];

    snprintf(name, sizeof(name), "pts/%u", y->n);
    devfs_remove(name);
    pairs[y->n] = NULL;
    tty_destroy(&y->slave);
    kfree(y);
}

static void slave_close(struct tty *t)
{
    struct pty *y = pty_of(t);

    if (!y->master_open)
        pty_free(y);
    else
        wake_up(&y->read_wait);
}

static const struct tty_ops slave_ops = {
    .write = slave_write,
    .has_room = slave_has_room,
    .input_ready = slave_input_ready,
    .close = slave_close,
};

struct tty *pty_slave_find(unsigned n)
{
    struct pty *y = n < PTYS ? pairs[n] : NULL;

    if (!y || y->locked || !y->master_open)
        return NULL;
    y->slave_seen = true;
    return &y->slave;
}

/* --- the master --------------------------------------------------------------------------------
 */

static bool slave_gone(struct pty *y)
{
    return y->slave_seen && y->slave.opens == 0;
}

/* The node belongs to who opened the master, so that an ordinary user has a terminal. */
static void give_node(unsigned n)
{
    char path[24];
    struct dentry *d;

    snprintf(path, sizeof(path), "/dev/pts/%u", n);
    d = path_lookup(NULL, path, 0);
    if (IS_ERR(d))
        return;
    d->inode->uid = current->cred.fsuid;
    d->inode->gid = 5;
    dentry_put(d);
}

static int master_open(struct inode *i, struct file *f)
{
    struct pty *y;
    unsigned n = 0;
    char name[16];

    while (n < PTYS && pairs[n])
        n++;
    if (n == PTYS)
        return -ENOSPC;
    y = kzalloc(sizeof(*y), GFP_KERNEL);
    if (!y)
        return -ENOMEM;
    if (pairs[n]) { /* somebody else was served while we slept */
        kfree(y);
        return -EAGAIN;
    }
    pairs[n] = y;
    snprintf(name, sizeof(name), "pts/%u", n);
    tty_init(&y->slave, name, MKDEV(MAJOR_PTS, n), &slave_ops, y);
    wait_queue_init(&y->read_wait);
    wait_queue_init(&y->write_wait);
    y->n = n;
    y->locked = true;
    y->master_open = true;
    f->priv = y;
    f->no_seek = true;
    devfs_add(name, S_IFCHR | 0620, y->slave.dev);
    give_node(n);
    return 0;
}

static void master_release(struct inode *i, struct file *f)
{
    struct pty *y = f->priv;

    y->master_open = false;
    if (y->slave.opens == 0)
        pty_free(y);
    else
        tty_hangup(&y->slave);
}

static ssize_t master_read(struct file *f, struct uio *u, s64 *pos)
{
    struct pty *y = f->priv;
    ssize_t total = 0;
    u8 chunk[256];

    if (u->left == 0)
        return 0;
    if (y->head == y->tail) {
        if (slave_gone(y))
            return -EIO;
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int r = wait_event_intr(&y->read_wait, y->head != y->tail || slave_gone(y));
        if (r)
            return r;
        if (y->head == y->tail)
            return -EIO;
    }
    if (y->packet && uio_write(u, "\0", 1) != 1)
        return -EFAULT;
    total = y->packet;
    while (u->left > 0) {
        u64 flags = irq_save();
        size_t n = 0;

        while (n < MIN(u->left, sizeof(chunk)) && y->tail != y->head)
            chunk[n++] = y->out[y->tail++ % PTY_OUT];
        irq_restore(flags);
        if (n == 0)
            break;
        if (uio_write(u, chunk, n) != n)
            return total ? total : -EFAULT;
        total += (ssize_t)n;
    }
    tty_output_ready(&y->slave);
    return total;
}

static bool slave_takes_input(struct pty *y)
{
    return (y->slave.termios.c_lflag & ICANON) || y->slave.head - y->slave.tail < TTY_BUF;
}

static ssize_t master_write(struct file *f, struct uio *u, s64 *pos)
{
    struct pty *y = f->priv;
    ssize_t total = 0;
    u8 chunk[256];

    while (u->left > 0) {
        struct uio peek = *u;
        size_t n = uio_read(&peek, chunk, MIN(u->left, sizeof(chunk)));

        if (n == 0)
            return total ? total : -EFAULT;
        size_t done = tty_input(&y->slave, chunk, n);
        uio_read(u, chunk, done);
        total += (ssize_t)done;
        if (done == n)
            continue;
        if (f->flags & O_NONBLOCK)
            return total ? total : -EAGAIN;
        int r = wait_event_intr(&y->write_wait, slave_takes_input(y));
        if (r)
            return total ? total : r;
    }
    return total;
}

static unsigned master_poll(struct file *f, struct poll_table *pt)
{
    struct pty *y = f->priv;
    unsigned mask = 0;

    poll_wait(pt, f, &y->read_wait);
    poll_wait(pt, f, &y->write_wait);
    if (y->head != y->tail)
        mask |= POLLIN | POLLRDNORM;
    if (slave_gone(y))
        mask |= POLLHUP;
    if (slave_takes_input(y))
        mask |= POLLOUT | POLLWRNORM;
    return mask;
}

static long master_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
    struct pty *y = f->priv;
    s32 v;

    switch (cmd) {
    case TIOCGPTN:
        return put_user((s32)y->n, (s32 __user *)arg);
    case TIOCSPTLCK:
        if (get_user(v, (s32 __user *)arg))
            return -EFAULT;
        y->locked = v != 0;
        return 0;
    case TIOCGPTLCK:
        return put_user((s32)y->locked, (s32 __user *)arg);
    case TIOCPKT:
        if (get_user(v, (s32 __user *)arg))
            return -EFAULT;
        y->packet = v != 0;
        return 0;
    case TIOCGPKT:
        return put_user((s32)y->packet, (s32 __user *)arg);
    case FIONREAD:
        return put_user((s32)(y->head - y->tail), (s32 __user *)arg);
    default:
        return tty_ioctl(&y->slave, cmd, arg, true);
    }
}

static const struct file_ops master_fops = {
    .open = master_open,
    .release = master_release,
    .read = master_read,
    .write = master_write,
    .poll = master_poll,
    .ioctl = master_ioctl,
};

static int pty_init(void)
{
    int r = chrdev_register(MAJOR_TTYAUX, 2, 1, "ptmx", &master_fops);

    if (!r)
        r = chrdev_register(MAJOR_PTS, 0, PTYS, "pts", &tty_fops);
    devfs_add("ptmx", S_IFCHR | 0666, MKDEV(MAJOR_TTYAUX, 2));
    return r;
}
fs_initcall(pty_init);
