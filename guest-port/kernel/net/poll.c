/* SPDX-License-Identifier: MIT */
/*
 * poll.c - poll(2), select(2) and their variants: one thread waits for many files.
 *
 * The first pass over the files puts a wait entry on each queue that a file names; whoever wakes
 * such a queue sets `triggered`, in interrupt context perhaps, and wakes the waiting thread, which
 * looks at all files again. Entries stay queued until the call ends.
 *
 * Invariant: every file with an entry on one of its queues is referenced until poll_end.
 */
#include "errno.h"
#include "poll.h"
#include "proc.h"
#include "slab.h"
#include "string.h"
#include "uaccess.h"

#define INLINE_ENTRIES 12

struct poll_entry {
    struct wait_entry wait;
    struct poll_call *call;
    unsigned key;
};

struct entry_block {
    struct entry_block *next;
    unsigned used;
    struct poll_entry e[];
};
#define BLOCK_ENTRIES ((1024 - sizeof(struct entry_block)) / sizeof(struct poll_entry))

struct poll_call {
    struct poll_table pt;
    struct wait_queue q;
    bool triggered;
    int error; /* no memory for an entry */
    unsigned used;
    struct entry_block *blocks;
    struct poll_entry first[INLINE_ENTRIES];
};

static bool poll_wake(struct wait_entry *w, unsigned key)
{
    struct poll_entry *e = container_of(w, struct poll_entry, wait);

    if (key && !(key & e->key))
        return false;
    e->call->triggered = true;
    wake_up(&e->call->q);
    return true;
}

static struct poll_entry *new_entry(struct poll_call *c)
{
    struct entry_block *b = c->blocks;

    if (c->used < INLINE_ENTRIES)
        return &c->first[c->used++];
    if (!b || b->used == BLOCK_ENTRIES) {
        b = kmalloc(1024, GFP_KERNEL);
        if (!b) {
            c->error = -ENOMEM;
            return NULL;
        }
        b->used = 0;
        b->next = c->blocks;
        c->blocks = b;
    }
    return &b->e[b->used++];
}

static void poll_add(struct poll_table *pt, struct file *f, struct wait_queue *q)
{
    struct poll_call *c = container_of(pt, struct poll_call, pt);
    struct poll_entry *e = new_entry(c);

    if (!e)
        return;
    wait_entry_init(&e->wait);
    e->wait.func = poll_wake;
    e->call = c;
    e->key = pt->key;
    wait_add(q, &e->wait);
}

static void poll_begin(struct poll_call *c)
{
    c->pt.add = poll_add;
    c->triggered = false;
    c->error = 0;
    c->used = 0;
    c->blocks = NULL;
    wait_queue_init(&c->q);
}

static void poll_end(struct poll_call *c)
{
    for (unsigned i = 0; i < c->used; i++)
        wait_remove(&c->first[i].wait);
    while (c->blocks) {
        struct entry_block *b = c->blocks;

        for (unsigned i = 0; i < b->used; i++)
            wait_remove(&b->e[i].wait);
        c->blocks = b->next;
        kfree(b);
    }
}

/* One pass is over and found nothing: sleep. 0: look again; -ETIMEDOUT, -ERESTARTSYS, -ENOMEM. */
static int poll_sleep(struct poll_call *c, u64 deadline)
{
    int r;

    if (c->error)
        return c->error;
    c->pt.add = NULL; /* every queue is known now */
    r = wait_event_timeout(&c->q, c->triggered, deadline);
    c->triggered = false;
    return r;
}

static u64 deadline_in(u64 ns)
{
    u64 now = clock_mono_ns();

    return ns > TIMEOUT_NEVER - 1 - now ? TIMEOUT_NEVER : now + ns;
}

/* -EINVAL, -EFAULT, or 0 with a deadline. A NULL pointer means for ever. */
static int read_timespec(const struct timespec __user *p, u64 *deadline)
{
    struct timespec ts;

    *deadline = TIMEOUT_NEVER;
    if (!p)
        return 0;
    if (copy_from_user(&ts, p, sizeof(ts)))
        return -EFAULT;
    if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= (s64)NSEC_PER_SEC)
        return -EINVAL;
    if (ts.tv_sec < (s64)(TIMEOUT_NEVER / NSEC_PER_SEC / 4))
        *deadline = deadline_in(timespec_ns(ts));
    return 0;
}

static int set_mask(const void __user *mask, size_t size)
{
    sigset_t set;

    if (!mask)
        return 0;
    if (size != sizeof(set))
        return -EINVAL;
    if (copy_from_user(&set, mask, sizeof(set)))
        return -EFAULT;
    signal_mask_temp(set);
    return 0;
}

/* --- poll --------------------------------------------------------------------------------------
 */

struct pollfd {
    s32 fd;
    s16 events, revents;
};

static int poll_pass(struct poll_call *c, struct pollfd *p, struct file **files, unsigned n)
{
    int ready = 0;

    for (unsigned i = 0; i < n; i++) {
        unsigned want = (u16)p[i].events | POLLERR | POLLHUP;

        p[i].revents = 0;
        if (p[i].fd < 0)
            continue;
        if (!files[i]) {
            p[i].revents = POLLNVAL;
        } else {
            c->pt.key = want;
            p[i].revents = (s16)(file_poll(files[i], &c->pt) & want);
        }
        if (p[i].revents) {
            ready++;
            c->pt.add = NULL;
        }
    }
    return ready;
}

static long do_poll(struct pollfd __user *ufds, unsigned n, u64 deadline)
{
    struct pollfd *p;
    struct file **files;
    struct poll_call *c;
    long r = 0;

    if (n > rlimit_cur(RLIMIT_NOFILE))
        return -EINVAL;
    c = kmalloc(sizeof(*c), GFP_KERNEL);
    p = kmalloc(n * sizeof(*p) + 1, GFP_KERNEL);
    files = kzalloc(n * sizeof(*files) + 1, GFP_KERNEL);
    if (!c || !p || !files)
        r = -ENOMEM;
    else if (copy_from_user(p, ufds, n * sizeof(*p)))
        r = -EFAULT;
    if (r)
        goto out;
    for (unsigned i = 0; i < n; i++)
        files[i] = p[i].fd >= 0 ? fd_get(p[i].fd) : NULL;
    poll_begin(c);
    while ((r = poll_pass(c, p, files, n)) == 0) {
        r = poll_sleep(c, deadline);
        if (r == -ETIMEDOUT) {
            r = poll_pass(c, p, files, n);
            break;
        }
        if (r)
            break;
    }
    poll_end(c);
    for (unsigned i = 0; i < n; i++)
        if (files[i])
            file_put(files[i]);
    for (unsigned i = 0; r >= 0 && i < n; i++)
        if (put_user(p[i].revents, &ufds[i].revents))
            r = -EFAULT;
out:
    kfree(files);
    kfree(p);
    kfree(c);
    /* poll is never restarted: the time already waited would count twice. */
    return r == -ERESTARTSYS ? -EINTR : r;
}

long sys_poll(struct pollfd __user *fds, unsigned n, int timeout_ms)
{
    return do_poll(fds, n,
                   timeout_ms < 0 ? TIMEOUT_NEVER : deadline_in((u64)timeout_ms * NSEC_PER_MSEC));
}

long sys_ppoll(struct pollfd __user *fds, unsigned n, const struct timespec __user *ts,
               const void __user *mask, size_t size)
{
    u64 deadline;
    int r = read_timespec(ts, &deadline);

    if (!r)
        r = set_mask(mask, size);
    return r ? r : do_poll(fds, n, deadline);
}

/* --- select ------------------------------------------------------------------------------------
 */

#define SELECT_MAX 1024
#define IN_EVENTS  (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define OUT_EVENTS (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)

struct select_sets {
    u64 in[3][SELECT_MAX / 64];
    u64 out[3][SELECT_MAX / 64];
    struct poll_call call;
    struct file *files[]; /* one for each descriptor below n */
};

static bool in_set(const u64 *set, unsigned fd)
{
    return set[fd / 64] >> (fd % 64) & 1;
}

static int select_pass(struct select_sets *s, unsigned n)
{
    static const unsigned events[3] = {IN_EVENTS, OUT_EVENTS, POLLPRI};
    int ready = 0;

    for (int k = 0; k < 3; k++)
        memset(s->out[k], 0, DIV_ROUND_UP(n, 64) * 8);
    for (unsigned fd = 0; fd < n; fd++) {
        unsigned want = 0, mask;

        if (fd % 64 == 0 && !(s->in[0][fd / 64] | s->in[1][fd / 64] | s->in[2][fd / 64])) {
            fd += 63;
            continue;
        }
        if (!s->files[fd])
            continue;
        for (int k = 0; k < 3; k++)
            if (in_set(s->in[k], fd))
                want |= events[k];
        s->call.pt.key = want;
        mask = file_poll(s->files[fd], &s->call.pt);
        for (int k = 0; k < 3; k++) {
            if (in_set(s->in[k], fd) && (mask & events[k])) {
                s->out[k][fd / 64] |= 1UL << (fd % 64);
                ready++;
                s->call.pt.add = NULL;
            }
        }
    }
    return ready;
}

static int select_files(struct select_sets *s, unsigned n)
{
    for (unsigned fd = 0; fd < n; fd++) {
        if (fd % 64 == 0 && !(s->in[0][fd / 64] | s->in[1][fd / 64] | s->in[2][fd / 64])) {
            fd += 63; /* nothing in this word */
            continue;
        }
        if (!in_set(s->in[0], fd) && !in_set(s->in[1], fd) && !in_set(s->in[2], fd))
            continue;
        s->files[fd] = fd_get((int)fd);
        if (!s->files[fd])
            return -EBADF;
    }
    return 0;
}

static long select_wait(struct select_sets *s, unsigned n, u64 deadline)
{
    long r;

    poll_begin(&s->call);
    while ((r = select_pass(s, n)) == 0) {
        r = poll_sleep(&s->call, deadline);
        if (r == -ETIMEDOUT) {
            r = select_pass(s, n);
            break;
        }
        if (r)
            break;
    }
    poll_end(&s->call);
    return r == -ERESTARTSYS ? -EINTR : r;
}

static long do_select(int n, void __user *const sets[3], u64 deadline)
{
    struct select_sets *s;
    size_t bytes;
    long r = 0;

    if (n < 0)
        return -EINVAL;
    n = MIN(n, SELECT_MAX);
    bytes = DIV_ROUND_UP((size_t)n, 64) * 8;
    s = kmalloc(sizeof(*s) + (size_t)n * sizeof(s->files[0]), GFP_KERNEL);
    if (!s)
        return -ENOMEM;
    memset(s->files, 0, (size_t)n * sizeof(s->files[0]));
    for (int k = 0; k < 3; k++)
        memset(s->in[k], 0, bytes);
    for (int k = 0; k < 3 && !r; k++)
        if (sets[k] && copy_from_user(s->in[k], sets[k], bytes))
            r = -EFAULT;
    for (int k = 0; k < 3 && n % 64; k++)
        s->in[k][n / 64] &= (1UL << (n % 64)) - 1;
    if (!r)
        r = select_files(s, (unsigned)n);
    if (!r)
        r = select_wait(s, (unsigned)n, deadline);
    for (int fd = 0; fd < n; fd++)
        if (s->files[fd])
            file_put(s->files[fd]);
    for (int k = 0; k < 3 && r >= 0; k++)
        if (sets[k] && copy_to_user(sets[k], s->out[k], bytes))
            r = -EFAULT;
    kfree(s);
    return r;
}

/* Linux shows the time left in select's last argument; programs rely on it. */
static void write_left(u64 deadline, struct timeval __user *p)
{
    u64 now = clock_mono_ns(), left = deadline > now ? deadline - now : 0;
    struct timeval tv = {(s64)(left / NSEC_PER_SEC), (s64)(left % NSEC_PER_SEC / 1000)};

    if (copy_to_user(p, &tv, sizeof(tv)))
        return; /* the result stands */
}

long sys_select(int n, void __user *r, void __user *w, void __user *e, struct timeval __user *utv)
{
    void __user *const sets[3] = {r, w, e};
    u64 deadline = TIMEOUT_NEVER;
    struct timeval tv;
    long ret;

    if (utv) {
        if (copy_from_user(&tv, utv, sizeof(tv)))
            return -EFAULT;
        if (tv.tv_sec < 0 || tv.tv_usec < 0)
            return -EINVAL;
        if (tv.tv_sec < (s64)(TIMEOUT_NEVER / NSEC_PER_SEC / 4) && tv.tv_usec < (1L << 40))
            deadline = deadline_in((u64)tv.tv_sec * NSEC_PER_SEC + (u64)tv.tv_usec * 1000);
    }
    ret = do_select(n, sets, deadline);
    if (utv && deadline != TIMEOUT_NEVER)
        write_left(deadline, utv);
    return ret;
}

long sys_pselect6(int n, void __user *r, void __user *w, void __user *e,
                  const struct timespec __user *ts, const u64 __user *sig)
{
    void __user *const sets[3] = {r, w, e};
    u64 deadline, arg[2] = {0, 0};
    int err = read_timespec(ts, &deadline);

    if (!err && sig && copy_from_user(arg, sig, sizeof(arg)))
        err = -EFAULT;
    if (!err)
        err = set_mask((const void __user *)arg[0], arg[1]);
    return err ? err : do_select(n, sets, deadline);
}
