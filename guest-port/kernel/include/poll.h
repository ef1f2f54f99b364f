/* SPDX-License-Identifier: MIT */
/*
 * poll.h - waiting for many files: what poll, select and epoll share, and anonymous files.
 */
#ifndef KERN_POLL_H
#define KERN_POLL_H

#include "fs.h"
#include "irq.h"

/* Present events of a file; pt NULL: just look. Files without a poll function are always ready. */
static inline unsigned file_poll(struct file *f, struct poll_table *pt)
{
    if (!f->ops->poll)
        return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
    return f->ops->poll(f, pt);
}

/* file_put calls it for the last reference when f->epolls is not empty, before ops->release. */
void epoll_file_gone(struct file *f);

/* A file without a name (sockets, epoll). `name` as in /proc/N/fd, "socket:[%lu]" with the inode
 * number in the place of %lu. priv becomes file->priv, no_seek is set. ERR_PTR(-ENOMEM). */
struct file *anon_file(const char *name, mode_t mode, u32 flags, const struct file_ops *ops,
                       void *priv);

#endif
