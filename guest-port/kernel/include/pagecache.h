/* SPDX-License-Identifier: MIT */
/*
 * pagecache.h - contents of files in memory, and the generic file operations built on it.
 *
 * Every inode has a mapping; a page of a mapping is found by (mapping, index) in one hash table.
 * The cache holds one reference on each of its pages. A file system supplies mapping_ops; read,
 * write, mmap, truncate and write-back of regular files are then generic (mm/filemap.c). Swap
 * space is a mapping too. File-system metadata goes through the buffer cache (block.h) instead.
 */
#ifndef KERN_PAGECACHE_H
#define KERN_PAGECACHE_H

#include "page.h"
#include "uaccess.h"

struct inode;
struct file;
struct mapping;

struct mapping_ops {
    /* Starts or does the filling of a locked page (zero beyond EOF); when done, from any context:
     * page_read_done(p, error). Returns 0 or -errno (then page_read_done was not called). */
    int (*readpage)(struct mapping *m, struct page *p);
    /* Starts writing a locked page: page_write_begin(p), which unlocks it, and from any context
     * page_write_done(p, error) at the end. Returns 0 or -errno (then nothing has begun: the page is
     * dirty and locked still). */
    int (*writepage)(struct mapping *m, struct page *p);
    /* Before [from, to) of the locked page is overwritten: reserves disk blocks, and brings the
     * rest of the page in when needed (page_uptodate afterwards unless fully overwritten).
     * 0, -ENOSPC, -EIO. NULL: memory-only file system, page is zeroed when new. */
    int (*write_begin)(struct mapping *m, struct page *p, u32 from, u32 to);
    /* A page leaves the cache (truncate, reclaim): free p->priv. May be NULL. */
    void (*release)(struct mapping *m, struct page *p);
    /* Pages may never be dropped by reclaim unless swapped (tmpfs). */
    bool memory_only;
};

struct mapping {
    struct inode *host; /* NULL for swap */
    const struct mapping_ops *ops;
    struct list pages; /* clean ones, and those being written */
    struct list dirty; /* in the order in which they became so */
    u64 nr_pages;
    struct list vmas; /* shared or private file mappings of it, for truncate */
    u32 nr_dirty, nr_writeback;
    struct list dirty_link; /* all mappings with dirty pages */
    int error;              /* a lost asynchronous write, reported once by fsync */
};
void mapping_init(struct mapping *m, struct inode *host, const struct mapping_ops *ops);

/* Lookup: referenced page or NULL. Does not sleep. */
struct page *page_cache_find(struct mapping *m, u64 index);
/* Finds or adds an empty page (not uptodate); referenced and LOCKED. NULL: out of memory. */
struct page *page_cache_grab(struct mapping *m, u64 index);
/* Referenced, unlocked, uptodate page, read if need be; or ERR_PTR(-EIO, -ENOMEM). Sleeps. */
struct page *page_cache_read(struct mapping *m, u64 index);
void page_cache_remove(struct page *p); /* locked, referenced by the caller */

void page_lock(struct page *p); /* sleeps */
bool page_trylock(struct page *p);
void page_unlock(struct page *p); /* wakes waiters; any context */
static inline bool page_uptodate(const struct page *p)
{
    return p->flags & PG_UPTODATE;
}
void page_read_done(struct page *p, int error); /* sets uptodate or error, unlocks; any context */
void page_write_begin(struct page *p);          /* locked: dirty -> writeback, then unlocks */
void page_write_done(struct page *p, int error);
void page_wait_writeback(struct page *p);
void page_set_dirty(struct page *p);

/* Shrinks the cached part (and mappings in processes) to `size` bytes; the tail of the last page is
 * zeroed. The file system calls it from its truncate and when an inode dies. */
void mapping_truncate(struct mapping *m, u64 size);
/* Starts writing all dirty pages; with `wait`, until they are on the device. 0 or first error. */
int mapping_sync(struct mapping *m, bool wait);
/* Drops clean unmapped pages (inode eviction). */
void mapping_drop(struct mapping *m);

/* sync(2)'s part: every file's dirty pages. */
void page_cache_sync(bool wait);

/* Generic file_operations for files with a mapping. */
struct vma;
ssize_t generic_file_read(struct file *f, struct uio *u, s64 *pos);
ssize_t generic_file_write(struct file *f, struct uio *u, s64 *pos);
int generic_file_mmap(struct file *f, struct vma *v);

#endif
