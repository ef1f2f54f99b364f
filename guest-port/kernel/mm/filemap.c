/* SPDX-License-Identifier: MIT */
/*
 * filemap.c - read, write and mmap of files through the page cache.
 *
 * Writers hold inode->lock for the whole call, so writes are atomic with respect to each other and
 * to truncate. User memory is copied while a page is locked only with faults forbidden
 * (current->no_fault): the fault could need that very page.
 */
#include "errno.h"
#include "fs.h"
#include "mm_internal.h"
#include "proc.h"
#include "string.h"
#include "vm.h"

#define READ_AHEAD 16

ssize_t generic_file_read(struct file *f, struct uio *u, s64 *pos)
{
    struct inode *i = f->inode;
    ssize_t done = 0;

    while (u->left && (u64)*pos < i->size) {
        u64 index = *pos >> PAGE_SHIFT;
        u32 off = *pos & ~PAGE_MASK;
        struct page *p = page_cache_find(&i->mapping, index);
        size_t n, got;

        if (!p || !page_uptodate(p)) {
            u64 last = (i->size - 1) >> PAGE_SHIFT;

            if (p)
                page_put(p);
            page_cache_readahead(&i->mapping, index, MIN(last - index + 1, (u64)READ_AHEAD));
            p = page_cache_read(&i->mapping, index);
            if (IS_ERR(p))
                return done ? done : PTR_ERR(p);
        }
        n = MIN((u64)(PAGE_SIZE - off), i->size - *pos);
        n = MIN(n, u->left);
        got = uio_write(u, (u8 *)page_addr(p) + off, n);
        page_put(p);
        *pos += got;
        done += got;
        if (got < n)
            return done ? done : -EFAULT;
        if (resched_point())
            break;
    }
    return done;
}

/* Copies into one page; bytes copied or -errno. 0: the source page went away, fault it in again. */
static ssize_t write_one(struct inode *i, struct uio *u, u64 pos, u32 n)
{
    struct mapping *m = &i->mapping;
    u32 off = pos & ~PAGE_MASK;
    struct page *p = page_cache_grab(m, pos >> PAGE_SHIFT);
    size_t got;
    int r = 0;

    if (!p)
        return -ENOMEM;
    if (m->ops->write_begin)
        r = m->ops->write_begin(m, p, off, off + n);
    else if (!page_uptodate(p))
        memset(page_addr(p), 0, PAGE_SIZE);
    if (r) {
        page_unlock(p);
        page_put(p);
        return r;
    }
    if (!m->ops->write_begin)
        page_flag_set(p, PG_UPTODATE);
    current->no_fault = true;
    got = uio_read(u, (u8 *)page_addr(p) + off, n);
    current->no_fault = false;
    if (got < n && !page_uptodate(p)) {
        /* The rest of the page is not there: as if nothing had been copied. */
        uio_rewind(u, got);
        got = 0;
    }
    if (got) {
        page_flag_set(p, PG_UPTODATE);
        page_set_dirty(p);
        if (pos + got > i->size)
            i->size = pos + got;
    }
    page_unlock(p);
    page_put(p);
    return (ssize_t)got;
}

static ssize_t write_locked(struct file *f, struct uio *u, s64 *pos)
{
    struct inode *i = f->inode;
    u64 limit = rlimit_cur(RLIMIT_FSIZE);
    ssize_t done = 0, got = 0;

    if (f->flags & O_APPEND)
        *pos = (s64)i->size;
    if (limit != RLIM_INFINITY && (u64)*pos >= limit && u->left) {
        signal_thread(current, SIGXFSZ, NULL);
        return -EFBIG;
    }
    while (u->left) {
        u32 n = MIN(PAGE_SIZE - (*pos & ~PAGE_MASK), u->left);

        if (limit != RLIM_INFINITY) {
            if ((u64)*pos >= limit)
                break;
            n = MIN((u64)n, limit - *pos);
        }
        if (uio_fault_in(u, n, false)) {
            got = -EFAULT;
            break;
        }
        got = write_one(i, u, *pos, n);
        if (got < 0)
            break;
        *pos += got;
        done += got;
        if (resched_point())
            break;
    }
    if (done) {
        i->mtime = i->ctime = clock_real_ns();
        if (i->mode & (S_ISUID | S_ISGID) && !capable())
            i->mode &= ~(S_ISUID | S_ISGID);
        inode_dirty(i);
    }
    return done ? done : got;
}

ssize_t generic_file_write(struct file *f, struct uio *u, s64 *pos)
{
    struct inode *i = f->inode;
    ssize_t r;

    mutex_lock(&i->lock);
    r = write_locked(f, u, pos);
    mutex_unlock(&i->lock);
    if (r > 0 && f->flags & O_DSYNC && f->ops->fsync) {
        int e = f->ops->fsync(f, true);

        if (e)
            r = e;
    }
    if (r > 0)
        dirty_balance(&i->mapping);
    return r;
}

/* --- mmap ------------------------------------------------------------------------------------- */

/* An uptodate page of the file, or ERR_PTR(-EIO) beyond its end. */
static struct page *file_page(struct mapping *m, u64 index)
{
    for (;;) {
        u64 pages = DIV_ROUND_UP(m->host->size, PAGE_SIZE);
        struct page *p;

        if (index >= pages)
            return ERR_PTR(-EIO);
        p = page_cache_find(m, index);
        if (p && page_uptodate(p))
            return p;
        if (p)
            page_put(p);
        page_cache_readahead(m, index, MIN(pages - index, (u64)READ_AHEAD));
        p = page_cache_read(m, index);
        if (IS_ERR(p) || p->mapping == m)
            return p;
        page_put(p); /* truncated while it was read */
    }
}

static struct page *file_fault(struct vma *v, u64 index, bool write)
{
    struct inode *i = v->file->inode;
    struct mapping *m = &i->mapping;
    struct page *p = file_page(m, index);
    int r;

    if (IS_ERR(p) || !write || !m->ops->write_begin)
        return p;
    page_lock(p);
    if (p->mapping != m)
        r = -EIO;
    else
        r = m->ops->write_begin(m, p, 0, MIN(i->size - (index << PAGE_SHIFT), PAGE_SIZE));
    page_unlock(p);
    if (r) {
        page_put(p);
        return ERR_PTR(-EIO);
    }
    i->mtime = i->ctime = clock_real_ns();
    inode_dirty(i);
    return p;
}

static const struct vma_ops file_vma_ops = {.fault = file_fault};

int generic_file_mmap(struct file *f, struct vma *v)
{
    v->ops = &file_vma_ops;
    return 0;
}
