/* SPDX-License-Identifier: MIT */
/*
 * epoll.c - epoll: a file that remembers which other files to watch and which of them may be ready.
 *
 * An item stands for (watched file, fd). Its wait entries sit on the watched file's queues for
 * good; a wake-up, in interrupt context perhaps, puts the item on the ready list. epoll_wait asks
 * each ready item's file again, so a stale entry costs a look and is never reported.
 *
 * Invariants: an item goes when it is deleted, when its epoll file goes, or when the watched file
 * goes (epoll_file_gone): it holds no reference to the file. The ready list is touched with
 * interrupts off. An epoll file may watch another one, but not a deeper nest, so no loop exists.
 */
#include "errno.h"
#include "poll.h"
#include "proc.h"
#include "slab.h"
#include "uaccess.h"

#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3
#define EPOLLONESHOT  (1u << 30)
#define EPOLLET       (1u << 31)
#define ITEM_QUEUES   3 /* no file names more queues than this */
#define EPOLL_BATCH   64

struct epoll_event {
    u32 events;
    u64 data;
} __packed;
_Static_assert(sizeof(struct epoll_event) == 12, "struct epoll_event");

struct item_wait {
    struct wait_entry wait;
    struct item *item;
};

struct item {
    struct list ep_link, file_link, ready_link;
    struct epoll *ep;
    struct file *file;
    int fd;
    u32 events; /* 0 of the real events: disarmed by EPOLLONESHOT */
    u64 data;
    unsigned nwaits;
    struct item_wait waits[ITEM_QUEUES];
};

struct epoll {
    struct list items, ready;
    struct wait_queue q; /* sleepers in epoll_wait, and pollers of the epoll file */
    struct mutex lock;
    unsigned watched_epolls;
};

struct item_table {
    struct poll_table pt;
    struct item *item;
};

static const struct file_ops epoll_fops;

static void make_ready(struct item *it)
{
    u64 flags = irq_save();

    if (list_empty(&it->ready_link))
        list_add_tail(&it->ep->ready, &it->ready_link);
    wake_up_key(&it->ep->q, POLLIN | POLLRDNORM);
    irq_restore(flags);
}

static bool item_wake(struct wait_entry *w, unsigned key)
{
    struct item *it = container_of(w, struct item_wait, wait)->item;

    if (key && !(key & (it->events | POLLERR | POLLHUP)))
        return false;
    make_ready(it);
    return true;
}

static void item_add_wait(struct poll_table *pt, struct file *f, struct wait_queue *q)
{
    struct item *it = container_of(pt, struct item_table, pt)->item;
    struct item_wait *iw;

    if (it->nwaits == ITEM_QUEUES)
        return;
    iw = &it->waits[it->nwaits++];
    wait_entry_init(&iw->wait);
    iw->wait.func = item_wake;
    iw->item = it;
    wait_add(q, &iw->wait);
}

static unsigned item_mask(struct item *it, struct poll_table *pt)
{
    if (!(it->events & ~(EPOLLET | EPOLLONESHOT)))
        return 0;
    return file_poll(it->file, pt) & (it->events | POLLERR | POLLHUP) & 0xffff;
}

static void item_free(struct item *it)
{
    u64 flags = irq_save();

    for (unsigned i = 0; i < it->nwaits; i++)
        wait_remove(&it->waits[i].wait);
    list_del(&it->ready_link);
    irq_restore(flags);
    list_del(&it->ep_link);
    list_del(&it->file_link);
    if (it->file->ops == &epoll_fops)
        it->ep->watched_epolls--;
    kfree(it);
}

void epoll_file_gone(struct file *f)
{
    while (!list_empty(&f->epolls))
        item_free(list_first(&f->epolls, struct item, file_link));
}

static struct item *item_find(struct epoll *ep, struct file *f, int fd)
{
    struct item *it;

    list_for_each(it, &ep->items, ep_link)
    {
        if (it->file == f && it->fd == fd)
            return it;
    }
    return NULL;
}

/* --- the epoll file ----------------------------------------------------------------------------
 */

static void epoll_release(struct inode *i, struct file *f)
{
    struct epoll *ep = f->priv;

    while (!list_empty(&ep->items))
        item_free(list_first(&ep->items, struct item, ep_link));
    kfree(ep);
}

static unsigned epoll_poll(struct file *f, struct poll_table *pt)
{
    struct epoll *ep = f->priv;
    struct item *it;

    poll_wait(pt, f, &ep->q);
    list_for_each(it, &ep->ready, ready_link)
    {
        if (item_mask(it, NULL))
            return POLLIN | POLLRDNORM;
    }
    return 0;
}

static const struct file_ops epoll_fops = {
    .release = epoll_release,
    .poll = epoll_poll,
};

long sys_epoll_create1(unsigned flags)
{
    struct epoll *ep;
    struct file *f;

    if (flags & ~O_CLOEXEC)
        return -EINVAL;
    ep = kzalloc(sizeof(*ep), GFP_KERNEL);
    if (!ep)
        return -ENOMEM;
    list_init(&ep->items);
    list_init(&ep->ready);
    wait_queue_init(&ep->q);
    mutex_init(&ep->lock);
    f = anon_file("anon_inode:[eventpoll]", 0600, O_RDWR, &epoll_fops, ep);
    if (IS_ERR(f)) {
        kfree(ep);
        return PTR_ERR(f);
    }
    return fd_install(f, flags);
}

long sys_epoll_create(int size)
{
    return size <= 0 ? -EINVAL : sys_epoll_create1(0);
}

static bool would_nest(struct epoll *ep, struct file *epf, struct file *f)
{
    if (f->ops != &epoll_fops)
        return false;
    return ((struct epoll *)f->priv)->watched_epolls > 0 || !list_empty(&epf->epolls);
}

static int item_add(struct epoll *ep, struct file *epf, struct file *f, int fd,
                    const struct epoll_event *ev)
{
    struct item *it;
    struct item_table t;

    if (item_find(ep, f, fd))
        return -EEXIST;
    if (!f->ops->poll)
        return -EPERM;
    if (would_nest(ep, epf, f))
        return -ELOOP;
    it = kzalloc(sizeof(*it), GFP_KERNEL);
    if (!it)
        return -ENOMEM;
    it->ep = ep;
    it->file = f;
    it->fd = fd;
    it->events = ev->events;
    it->data = ev->data;
    list_init(&it->ready_link);
    list_add_tail(&ep->items, &it->ep_link);
    list_add_tail(&f->epolls, &it->file_link);
    if (f->ops == &epoll_fops)
        ep->watched_epolls++;
    t.item = it;
    t.pt.add = item_add_wait;
    t.pt.key = ~0u;
    if (item_mask(it, &t.pt))
        make_ready(it);
    return 0;
}

static int item_change(struct epoll *ep, struct file *f, int fd, const struct epoll_event *ev)
{
    struct item *it = item_find(ep, f, fd);

    if (!it)
        return -ENOENT;
    it->events = ev->events;
    it->data = ev->data;
    if (item_mask(it, NULL))
        make_ready(it);
    return 0;
}

static int item_delete(struct epoll *ep, struct file *f, int fd)
{
    struct item *it = item_find(ep, f, fd);

    if (!it)
        return -ENOENT;
    item_free(it);
    return 0;
}

long sys_epoll_ctl(int epfd, int op, int fd, struct epoll_event __user *uev)
{
    struct epoll_event ev = {0, 0};
    struct file *epf, *f;
    long r = -EINVAL;

    if (op != EPOLL_CTL_DEL && copy_from_user(&ev, uev, sizeof(ev)))
        return -EFAULT;
    epf = fd_get(epfd);
    if (!epf)
        return -EBADF;
    f = fd_get(fd);
    if (!f) {
        file_put(epf);
        return -EBADF;
    }
    if (epf->ops == &epoll_fops && f != epf) {
        struct epoll *ep = epf->priv;

        mutex_lock(&ep->lock);
        if (op == EPOLL_CTL_ADD)
            r = item_add(ep, epf, f, fd, &ev);
        else if (op == EPOLL_CTL_MOD)
            r = item_change(ep, f, fd, &ev);
        else if (op == EPOLL_CTL_DEL)
            r = item_delete(ep, f, fd);
        mutex_unlock(&ep->lock);
    }
    file_put(f);
    file_put(epf);
    return r;
}

/* --- waiting -----------------------------------------------------------------------------------
 */

static struct item *pop_ready(struct epoll *ep)
{
    struct item *it = NULL;
    u64 flags = irq_save();

    if (!list_empty(&ep->ready)) {
        it = list_first(&ep->ready, struct item, ready_link);
        list_del(&it->ready_link);
    }
    irq_restore(flags);
    return it;
}

/* Fills ev with what is ready now. Level-triggered items go back behind the others. A file's poll
 * may not sleep, so no item can vanish in here. */
static int collect(struct epoll *ep, struct epoll_event *ev, int max)
{
    struct list again = LIST_INIT(again);
    struct item *it;
    int n = 0;

    while (n < max && (it = pop_ready(ep)) != NULL) {
        unsigned mask = item_mask(it, NULL);

        if (!mask)
            continue;
        ev[n++] = (struct epoll_event){mask, it->data};
        if (it->events & EPOLLONESHOT)
            it->events &= EPOLLET | EPOLLONESHOT;
        else if (!(it->events & EPOLLET) && list_empty(&it->ready_link))
            list_add_tail(&again, &it->ready_link);
    }
    u64 flags = irq_save();
    while (!list_empty(&again)) {
        it = list_first(&again, struct item, ready_link);
        list_del(&it->ready_link);
        list_add_tail(&ep->ready, &it->ready_link);
    }
    irq_restore(flags);
    return n;
}

static long wait_ready(struct epoll *ep, struct epoll_event __user *uev, int max, u64 deadline)
{
    struct epoll_event ev[EPOLL_BATCH];
    bool timed_out = deadline == 0;
    long r;

    for (;;) {
        int n = collect(ep, ev, MIN(max, EPOLL_BATCH));

        if (n > 0)
            return copy_to_user(uev, ev, (size_t)n * sizeof(ev[0])) ? -EFAULT : n;
        if (timed_out)
            return 0;
        r = wait_event_timeout(&ep->q, !list_empty(&ep->ready), deadline);
        if (r == -ETIMEDOUT)
            timed_out = true;
        else if (r)
            return -EINTR;
    }
}

static long do_wait(int epfd, struct epoll_event __user *uev, int max, u64 deadline)
{
    struct file *epf;
    long r = -EINVAL;

    if (max <= 0 || max > (int)(0x7fffffff / sizeof(struct epoll_event)))
        return -EINVAL;
    if (!user_range_ok(uev, (size_t)max * sizeof(*uev)))
        return -EFAULT;
    epf = fd_get(epfd);
    if (!epf)
        return -EBADF;
    if (epf->ops == &epoll_fops)
        r = wait_ready(epf->priv, uev, max, deadline);
    file_put(epf);
    return r;
}

static u64 ms_deadline(int ms)
{
    if (ms < 0)
        return TIMEOUT_NEVER;
    return ms == 0 ? 0 : clock_mono_ns() + (u64)ms * NSEC_PER_MSEC;
}

long sys_epoll_wait(int epfd, struct epoll_event __user *ev, int max, int ms)
{
    return do_wait(epfd, ev, max, ms_deadline(ms));
}

long sys_epoll_pwait(int epfd, struct epoll_event __user *ev, int max, int ms,
                     const void __user *mask, size_t size)
{
    if (mask) {
        sigset_t set;

        if (size != sizeof(set))
            return -EINVAL;
        if (copy_from_user(&set, mask, sizeof(set)))
            return -EFAULT;
        signal_mask_temp(set);
    }
    return do_wait(epfd, ev, max, ms_deadline(ms));
}
