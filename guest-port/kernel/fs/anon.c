/* SPDX-License-Identifier: MIT */
/*
 * anon.c - files without a name: the file system behind sockets and epoll descriptors.
 *
 * It is never mounted and has no directory; its inodes exist as long as a file refers to them.
 */
#include "initcall.h"
#include "poll.h"
#include "proc.h"
#include "string.h"

static const struct super_ops anon_ops;
static struct super_block anon_sb = {
    .ops = &anon_ops,
    .dev = MKDEV(0, 8),
    .block_size = PAGE_SIZE,
    .source = "anon",
};
static ino_t next_ino = 1;

static int anon_init(void)
{
    list_init(&anon_sb.link);
    list_init(&anon_sb.inodes);
    return 0;
}
core_initcall(anon_init);

struct file *anon_file(const char *name, mode_t mode, u32 flags, const struct file_ops *ops,
                       void *priv)
{
    struct inode *i = inode_new(&anon_sb);
    char text[32];

    if (!i || IS_ERR(i))
        return ERR_PTR(-ENOMEM);
    i->ino = next_ino++;
    i->mode = mode;
    i->nlink = 1;
    i->uid = current->cred.fsuid;
    i->gid = current->cred.fsgid;
    i->fops = ops;
    i->atime = i->mtime = i->ctime = clock_real_ns();
    snprintf(text, sizeof(text), name, i->ino);
    struct dentry *d = dentry_anon(i, text); /* has its own reference to the inode */
    if (!d || IS_ERR(d)) {
        inode_put(i);
        return ERR_PTR(-ENOMEM);
    }
    struct file *f = file_alloc(d, flags, ops);
    if (!f || IS_ERR(f))
        return ERR_PTR(-ENOMEM);
    f->priv = priv;
    f->no_seek = true;
    return f;
}
