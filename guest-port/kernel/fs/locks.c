/* SPDX-License-Identifier: MIT */
/*
 * locks.c - advisory locks: flock(2) on open files, fcntl(2) record locks of processes.
 *
 * All locks of an inode are on one list. Two locks conflict when their ranges meet, one of them is
 * exclusive, they are of the same kind and have different owners: the open file for flock, the
 * descriptor table for records (which end with any close of the file by that process).
 */
#include "errno.h"
#include "fs.h"
#include "initcall.h"
#include "proc.h"
#include "slab.h"
#include "uaccess.h"
#include "vfs.h"

struct file_lock {
    struct list link;
    void *owner;
    bool record, exclusive;
    s64 start, end; /* inclusive */
    pid_t pid;
};

static struct wait_queue unlocked = WAIT_QUEUE_INIT(unlocked);

static bool overlap(const struct file_lock *a, const struct file_lock *b)
{
    return a->start <= b->end && b->start <= a->end;
}

static struct file_lock *conflict(struct inode *i, const struct file_lock *want)
{
    struct file_lock *l;

    list_for_each(l, &i->locks, link)
        if (l->record == want->record && l->owner != want->owner && overlap(l, want) &&
            (l->exclusive || want->exclusive))
            return l;
    return NULL;
}

static void drop(struct file_lock *l)
{
    list_del(&l->link);
    kfree(l);
}

/* Takes `range` out of the owner's locks; `spare` serves when one is cut in two. */
static struct file_lock *carve(struct inode *i, const struct file_lock *range,
                               struct file_lock *spare)
{
    struct file_lock *l, *n;

    list_for_each_safe(l, n, &i->locks, link) {
        if (l->record != range->record || l->owner != range->owner || !overlap(l, range))
            continue;
        if (l->start < range->start && l->end > range->end) {
            *spare = *l;
            spare->start = range->end + 1;
            list_add(&l->link, &spare->link);
            l->end = range->start - 1;
            spare = NULL;
        } else if (l->start < range->start) {
            l->end = range->start - 1;
        } else if (l->end > range->end) {
            l->start = range->end + 1;
        } else {
            drop(l);
        }
    }
    wake_up(&unlocked);
    return spare;
}

static int set_lock(struct inode *i, const struct file_lock *want, bool unlock, bool wait)
{
    struct file_lock *spare = kmalloc(sizeof(*spare), GFP_KERNEL);
    struct file_lock *fresh = kmalloc(sizeof(*fresh), GFP_KERNEL);
    int err = spare && fresh ? 0 : -ENOMEM;

    if (!err && !unlock && conflict(i, want))
        err = wait ? wait_event_intr(&unlocked, !conflict(i, want)) : -EAGAIN;
    if (!err) {
        spare = carve(i, want, spare);
        if (!unlock) {
            *fresh = *want;
            list_add_tail(&i->locks, &fresh->link);
            fresh = NULL;
        }
    }
    kfree(spare);
    kfree(fresh);
    return err;
}

/* owner: a descriptor table closes the file; NULL: the open file itself ends. */
void locks_release(struct file *f, struct files *owner)
{
    struct file_lock *l, *n;
    bool any = false;

    list_for_each_safe(l, n, &f->inode->locks, link) {
        if (owner ? l->record && l->owner == owner : !l->record && l->owner == f) {
            drop(l);
            any = true;
        }
    }
    if (any)
        wake_up(&unlocked);
}

#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

long sys_flock(int fd, int op)
{
    struct file *f = fd_get(fd);
    int kind = op & ~LOCK_NB;
    long err;

    if (!f)
        return -EBADF;
    if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN) {
        err = -EINVAL;
    } else {
        struct file_lock want = {.owner = f, .exclusive = kind == LOCK_EX, .end = INT64_MAX};

        err = set_lock(f->inode, &want, kind == LOCK_UN, !(op & LOCK_NB));
    }
    file_put(f);
    return err;
}

#define F_GETLK 5
#define F_SETLK 6
#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2

struct flock {
    s16 type, whence;
    s32 pad;
    s64 start, len;
    s32 pid, pad1;
};

static int parse(struct file *f, const struct flock *fl, struct file_lock *out)
{
    s64 base = fl->whence == SEEK_CUR ? f->pos : fl->whence == SEEK_END ? (s64)f->inode->size : 0;
    s64 start;

    if ((unsigned)fl->whence > SEEK_END || (u16)fl->type > F_UNLCK)
        return -EINVAL;
    if (__builtin_add_overflow(base, fl->start, &start))
        return -EOVERFLOW;
    out->end = fl->len == 0 ? INT64_MAX : start + fl->len - 1;
    if (fl->len > 0 && start > INT64_MAX - fl->len)
        return -EOVERFLOW;
    if (fl->len < 0) {
        out->end = start - 1;
        start += fl->len;
    }
    if (start < 0 || out->end < start)
        return -EINVAL;
    out->start = start;
    out->record = true;
    out->exclusive = fl->type == F_WRLCK;
    out->owner = current->proc->files;
    out->pid = current->proc->pid;
    return 0;
}

long fcntl_lock(struct file *f, unsigned cmd, unsigned long arg)
{
    struct flock fl;
    struct file_lock want = {0}, *l;
    int err;

    if (copy_from_user(&fl, (void *)arg, sizeof(fl)))
        return -EFAULT;
    err = parse(f, &fl, &want);
    if (err)
        return err;
    if (cmd == F_GETLK) {
        l = fl.type == F_UNLCK ? NULL : conflict(f->inode, &want);
        if (l)
            fl = (struct flock){.type = l->exclusive ? F_WRLCK : F_RDLCK,
                                .start = l->start,
                                .len = l->end == INT64_MAX ? 0 : l->end - l->start + 1,
                                .pid = l->pid};
        else
            fl.type = F_UNLCK;
        return copy_to_user((void *)arg, &fl, sizeof(fl));
    }
    if ((fl.type == F_RDLCK && !file_readable(f)) || (fl.type == F_WRLCK && !file_writable(f)))
        return -EBADF;
    return set_lock(f->inode, &want, fl.type == F_UNLCK, cmd != F_SETLK);
}
