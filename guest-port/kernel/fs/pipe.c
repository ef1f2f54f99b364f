/* SPDX-License-Identifier: MIT */
/*
 * pipe.c - pipes and FIFOs.
 *
 * A ring of 64 KiB in pages that are allocated when first used and freed when read empty. head and
 * tail run freely; what is between them is unread. Writes of at most PIPE_BUF bytes are atomic: they
 * wait until all of it fits. Copying may sleep in a page fault, so one reader and one writer at a
 * time pass through pipe->lock; sleeping for data or room happens without it.
 */
#include "pipe.h"
#include "errno.h"
#include "poll.h"
#include "proc.h"
#include "slab.h"
#include "string.h"
#include "uaccess.h"

#define PIPE_PAGES 16u
#define PIPE_SIZE  (PIPE_PAGES * (u32)PAGE_SIZE)
#define PIPE_BUF   4096u

struct pipe {
    struct mutex lock;
    struct wait_queue rd, wr; /* readers wait for data, writers for room; openers for each other */
    u32 head, tail;
    int readers, writers;
    u32 r_count, w_count; /* opens ever, so that a short-lived opener is seen */
    struct page *pages[PIPE_PAGES];
};

struct pipe *pipe_alloc(void)
{
    struct pipe *p = kzalloc(sizeof(*p), GFP_KERNEL);

    if (!p)
        return NULL;
    mutex_init(&p->lock);
    wait_queue_init(&p->rd);
    wait_queue_init(&p->wr);
    return p;
}

static void free_pages_of(struct pipe *p)
{
    for (unsigned i = 0; i < PIPE_PAGES; i++) {
        if (p->pages[i])
            page_put(p->pages[i]);
        p->pages[i] = NULL;
    }
}

void pipe_free(struct pipe *p)
{
    free_pages_of(p);
    kfree(p);
}

static u32 used(const struct pipe *p)
{
    return p->head - p->tail;
}

static u32 room(const struct pipe *p)
{
    return PIPE_SIZE - used(p);
}

/* --- reading ---------------------------------------------------------------------------------- */

static size_t copy_out(struct pipe *p, struct uio *u)
{
    size_t done = 0;

    while (u->left && used(p)) {
        u32 at = p->tail % PIPE_SIZE, off = at % PAGE_SIZE;
        size_t n = MIN(MIN((size_t)used(p), PAGE_SIZE - off), u->left), k;
        struct page **slot = &p->pages[at / PAGE_SIZE];

        k = uio_write(u, (char *)page_addr(*slot) + off, n);
        p->tail += (u32)k;
        done += k;
        /* A page is read to its end; unless the writer has come around into it, it goes. */
        if (k && p->tail % PAGE_SIZE == 0 && used(p) <= PIPE_SIZE - PAGE_SIZE) {
            page_put(*slot);
            *slot = NULL;
        }
        if (k < n)
            break;
    }
    if (!used(p))
        free_pages_of(p);
    return done;
}

static ssize_t pipe_read(struct file *f, struct uio *u, s64 *pos)
{
    struct pipe *p = f->inode->pipe;
    size_t want = u->left, n;
    int err;

    if (!want)
        return 0;
    for (;;) {
        mutex_lock(&p->lock);
        n = used(p) ? copy_out(p, u) : 0;
        err = !n && used(p) ? -EFAULT : 0;
        mutex_unlock(&p->lock);
        if (n || err)
            break;
        if (!p->writers)
            return 0;
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        err = wait_event_intr(&p->rd, used(p) || !p->writers);
        if (err)
            return err;
    }
    if (n)
        wake_up_key(&p->wr, POLLOUT | POLLWRNORM);
    return n ? (ssize_t)n : err;
}

/* --- writing ---------------------------------------------------------------------------------- */

static size_t copy_in(struct pipe *p, struct uio *u, int *err)
{
    size_t done = 0;

    while (u->left && room(p)) {
        u32 at = p->head % PIPE_SIZE, off = at % PAGE_SIZE;
        size_t n = MIN(MIN((size_t)room(p), PAGE_SIZE - off), u->left), k;
        struct page **slot = &p->pages[at / PAGE_SIZE];

        if (!*slot && !(*slot = alloc_page(GFP_KERNEL | GFP_USER))) {
            *err = -ENOMEM;
            break;
        }
        k = uio_read(u, (char *)page_addr(*slot) + off, n);
        p->head += (u32)k;
        done += k;
        if (k < n) {
            *err = -EFAULT;
            break;
        }
    }
    return done;
}

static ssize_t pipe_write(struct file *f, struct uio *u, s64 *pos)
{
    struct pipe *p = f->inode->pipe;
    size_t total = u->left, done = 0;
    u32 need = total <= PIPE_BUF ? (u32)total : 1;
    int err = 0;

    while (u->left && !err) {
        if (!p->readers) {
            signal_thread(current, SIGPIPE, NULL);
            err = -EPIPE;
            break;
        }
        mutex_lock(&p->lock);
        if (room(p) >= need)
            done += copy_in(p, u, &err);
        mutex_unlock(&p->lock);
        if (used(p))
            wake_up_key(&p->rd, POLLIN | POLLRDNORM);
        if (!u->left || err)
            break;
        if (f->flags & O_NONBLOCK)
            err = -EAGAIN;
        else
            err = wait_event_intr(&p->wr, room(p) >= need || !p->readers);
    }
    return done ? (ssize_t)done : err;
}

static unsigned pipe_poll(struct file *f, struct poll_table *pt)
{
    struct pipe *p = f->inode->pipe;
    unsigned m = 0;

    if (file_readable(f)) {
        poll_wait(pt, f, &p->rd);
        if (used(p))
            m |= POLLIN | POLLRDNORM;
        if (!p->writers && p->w_count)
            m |= POLLHUP;
    }
    if (file_writable(f)) {
        poll_wait(pt, f, &p->wr);
        if (room(p) >= PIPE_BUF)
            m |= POLLOUT | POLLWRNORM;
        if (!p->readers)
            m |= POLLERR;
    }
    return m;
}

#define FIONREAD 0x541b

static long pipe_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
    if (cmd != FIONREAD)
        return -ENOTTY;
    return put_user((int)used(f->inode->pipe), (int *)arg);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void add_end(struct pipe *p, struct file *f)
{
    if (file_readable(f)) {
        p->readers++;
        p->r_count++;
        wake_up(&p->wr);
    }
    if (file_writable(f)) {
        p->writers++;
        p->w_count++;
        wake_up(&p->rd);
    }
}

static void pipe_release(struct inode *i, struct file *f)
{
    struct pipe *p = i->pipe;

    if (file_readable(f) && --p->readers == 0)
        wake_up_key(&p->wr, 0);
    if (file_writable(f) && --p->writers == 0)
        wake_up_key(&p->rd, 0);
    if (!p->readers && !p->writers) {
        free_pages_of(p);
        p->head = p->tail = 0;
    }
}

/* A FIFO's open waits for the other side, unless it must not. */
static int fifo_open(struct inode *i, struct file *f)
{
    struct pipe *p = i->pipe;
    int err = 0;
    u32 seen;

    if (!p) {
        p = pipe_alloc();
        if (!p)
            return -ENOMEM;
        if (i->pipe)
            pipe_free(p); /* another opener was quicker */
        else
            i->pipe = p;
        p = i->pipe;
    }
    f->no_seek = true;
    if ((f->flags & O_ACCMODE) == O_WRONLY && (f->flags & O_NONBLOCK) && !p->readers)
        return -ENXIO;
    add_end(p, f);
    if (!(f->flags & O_NONBLOCK) && (f->flags & O_ACCMODE) == O_RDONLY && !p->writers) {
        seen = p->w_count;
        err = wait_event_intr(&p->rd, p->w_count != seen);
    } else if (!(f->flags & O_NONBLOCK) && (f->flags & O_ACCMODE) == O_WRONLY && !p->readers) {
        seen = p->r_count;
        err = wait_event_intr(&p->wr, p->r_count != seen);
    }
    if (err)
        pipe_release(i, f);
    return err;
}

const struct file_ops fifo_fops = {
    .open = fifo_open,
    .release = pipe_release,
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
};

/* --- system calls ----------------------------------------------------------------------------- */

long sys_pipe2(int __user *ufds, unsigned flags)
{
    struct file *r, *w;
    int fds[2];

    if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
        return -EINVAL;
    r = anon_file("pipe:[%lu]", S_IFIFO | 0600, O_RDONLY | (flags & O_NONBLOCK), &fifo_fops, NULL);
    if (IS_ERR(r))
        return PTR_ERR(r);
    r->inode->pipe = pipe_alloc();
    if (!r->inode->pipe) {
        r->ops = NULL;
        file_put(r);
        return -ENOMEM;
    }
    r->no_seek = true;
    add_end(r->inode->pipe, r);
    w = file_alloc(dentry_get(r->dentry), O_WRONLY | (flags & O_NONBLOCK), &fifo_fops);
    if (IS_ERR(w)) {
        file_put(r);
        return PTR_ERR(w);
    }
    w->no_seek = true;
    add_end(r->inode->pipe, w);
    fds[0] = fd_install(r, flags);
    fds[1] = fd_install(w, flags);
    if (fds[0] < 0 || fds[1] < 0 || copy_to_user(ufds, fds, sizeof(fds))) {
        int err = fds[0] < 0 ? fds[0] : fds[1] < 0 ? fds[1] : -EFAULT;

        if (fds[0] >= 0)
            fd_close(fds[0]);
        if (fds[1] >= 0)
            fd_close(fds[1]);
        return err;
    }
    return 0;
}

long sys_pipe(int __user *ufds)
{
    return sys_pipe2(ufds, 0);
}
