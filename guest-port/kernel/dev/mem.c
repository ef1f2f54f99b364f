/* SPDX-License-Identifier: MIT */
/*
 * mem.c - /dev/null, zero, full, random, urandom, kmsg.
 */
#include "devnum.h"
#include "errno.h"
#include "fs.h"
#include "initcall.h"
#include "mm.h"
#include "printk.h"
#include "proc.h"
#include "slab.h"
#include "string.h"
#include "uaccess.h"

static ssize_t null_read(struct file *f, struct uio *u, s64 *pos)
{
    return 0;
}

static ssize_t null_write(struct file *f, struct uio *u, s64 *pos)
{
    return (ssize_t)u->left;
}

static ssize_t full_write(struct file *f, struct uio *u, s64 *pos)
{
    return -ENOSPC;
}

static ssize_t zero_read(struct file *f, struct uio *u, s64 *pos)
{
    size_t done = 0, n, k;

    while (u->left && !resched_point()) {
        n = MIN(u->left, 16 * PAGE_SIZE);
        k = uio_zero(u, n);
        done += k;
        if (k < n)
            return done ? (ssize_t)done : -EFAULT;
    }
    return (ssize_t)done;
}

static ssize_t random_read(struct file *f, struct uio *u, s64 *pos)
{
    u8 chunk[256];
    size_t done = 0, n, k;

    while (u->left && !resched_point()) {
        n = MIN(u->left, sizeof(chunk));
        random_bytes(chunk, n);
        k = uio_write(u, chunk, n);
        done += k;
        if (k < n)
            return done ? (ssize_t)done : -EFAULT;
    }
    return (ssize_t)done;
}

/* Seeking means nothing here, and is allowed. */
static s64 no_llseek(struct file *f, s64 off, int whence)
{
    return f->pos = 0;
}

/* A private mapping of /dev/zero is anonymous memory. */
static struct page *zero_fault(struct vma *v, u64 index, bool write)
{
    struct page *p = alloc_page(GFP_KERNEL | GFP_ZERO | GFP_USER);

    return p ? p : ERR_PTR(-ENOMEM);
}

static const struct vma_ops zero_vma_ops = {.fault = zero_fault};

static int zero_mmap(struct file *f, struct vma *v)
{
    if (v->flags & VM_SHARED)
        return -ENODEV;
    v->ops = &zero_vma_ops;
    return 0;
}

static ssize_t kmsg_read(struct file *f, struct uio *u, s64 *pos)
{
    size_t size = 65536, n;
    char *buf = kmalloc(size, GFP_KERNEL);
    ssize_t r = 0;

    if (!buf)
        return -ENOMEM;
    n = printk_tail(buf, size);
    if ((u64)*pos < n) {
        r = (ssize_t)uio_write(u, buf + *pos, MIN(u->left, n - (size_t)*pos));
        *pos += r;
        if (!r)
            r = -EFAULT;
    }
    kfree(buf);
    return r;
}

static ssize_t kmsg_write(struct file *f, struct uio *u, s64 *pos)
{
    char line[256];
    size_t all = u->left, n = MIN(all, sizeof(line) - 1);

    if (uio_read(u, line, n) != n)
        return -EFAULT;
    while (n && line[n - 1] == '\n')
        n--;
    line[n] = 0;
    printk("%s\n", line);
    return (ssize_t)all;
}

static const struct file_ops null_ops = {.read = null_read, .write = null_write, .llseek = no_llseek};
static const struct file_ops zero_ops = {.read = zero_read,
                                         .write = null_write,
                                         .llseek = no_llseek,
                                         .mmap = zero_mmap};
static const struct file_ops full_ops = {.read = zero_read,
                                         .write = full_write,
                                         .llseek = no_llseek};
static const struct file_ops random_ops = {.read = random_read,
                                           .write = null_write,
                                           .llseek = no_llseek};
static const struct file_ops kmsg_ops = {.read = kmsg_read, .write = kmsg_write};

static const struct {
    unsigned minor;
    const char *name;
    mode_t mode;
    const struct file_ops *ops;
} devices[] = {
    {3, "null", 0666, &null_ops},      {5, "zero", 0666, &zero_ops},
    {7, "full", 0666, &full_ops},      {8, "random", 0666, &random_ops},
    {9, "urandom", 0666, &random_ops}, {11, "kmsg", 0644, &kmsg_ops},
};

static int mem_init(void)
{
    int err = 0;

    for (unsigned k = 0; k < ARRAY_SIZE(devices) && !err; k++) {
        err = chrdev_register(MAJOR_MEM, devices[k].minor, 1, devices[k].name, devices[k].ops);
        if (!err)
            err = devfs_add(devices[k].name, S_IFCHR | devices[k].mode,
                            MKDEV(MAJOR_MEM, devices[k].minor));
    }
    return err;
}
fs_initcall(mem_init);
