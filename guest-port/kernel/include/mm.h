/* SPDX-License-Identifier: MIT */
/*
 * mm.h - address spaces of user programs.
 *
 * A vma is a range with one kind of backing; a page fault asks it for the page. Page-table entries
 * are written only by pte_set (arch.h). An anonymous page's frame is counted in page->refs once
 * for each entry that shows it; write access is given to an entry only when it is the only one.
 */
#ifndef KERN_MM_H
#define KERN_MM_H

#include "arch.h"
#include "page.h"
#include "wait.h"

struct file;
struct mm;
struct vma;

#define VM_READ      1u
#define VM_WRITE     2u
#define VM_EXEC      4u
#define VM_SHARED    8u
#define VM_GROWSDOWN 0x10u
#define VM_LOCKED    0x20u
#define VM_IO        0x40u  /* device memory: never copied, swapped, counted */
#define VM_MAYWRITE  0x80u  /* mprotect may add VM_WRITE */
#define VM_ANON      0x100u /* may hold anonymous pages (private, has been written) */

struct vma_ops {
    /* The page that backs `index` (in pages from the object's start): referenced and uptodate, or
     * ERR_PTR(-EIO: SIGBUS, -ENOMEM). `write` only for shared mappings: about to be dirtied. */
    struct page *(*fault)(struct vma *v, u64 index, bool write);
    void (*open)(struct vma *v); /* duplicated by fork or split */
    void (*close)(struct vma *v);
};

struct vma {
    struct mm *mm;
    u64 start, end;
    u32 flags;
    struct file *file; /* referenced; NULL: anonymous */
    u64 pgoff;         /* of start, in pages */
    const struct vma_ops *ops;
    void *priv;
    struct list link;     /* mm->vmas, by address */
    struct list map_link; /* mapping->vmas when file-backed */
};

struct mm {
    int refs;
    struct list vmas;
    u32 nr_vmas;
    struct vma *last_hit;
    struct pagetable pt;
    struct mutex lock; /* the vma list, across sleeps */
    u64 brk_start, brk;
    u64 start_code, end_code, start_data, end_data, start_stack;
    u64 arg_start, arg_end, env_start, env_end;
    u64 mmap_base;
    u64 rss, total_vm, locked_vm, stack_vm, data_vm; /* pages */
    u64 scan_addr;                                   /* reclaim's clock hand */
    u64 maj_flt, min_flt;
    struct list link; /* all address spaces */
    struct file *exe;
};

struct mm *mm_new(void);
struct mm *mm_clone(struct mm *old); /* fork: copy on write */
void mm_put(struct mm *mm);
static inline struct mm *mm_get(struct mm *mm)
{
    mm->refs++;
    return mm;
}
void mm_switch(struct mm *next);
struct vma *vma_find(struct mm *mm, u64 addr); /* first with end > addr, or NULL */

/* addr == 0 without MAP_FIXED: anywhere. Returns the address or -errno (as long). */
long mm_map(struct mm *mm, u64 addr, u64 len, u32 vm_flags, bool fixed, struct file *f, u64 pgoff);
int mm_unmap(struct mm *mm, u64 addr, u64 len);
int mm_protect(struct mm *mm, u64 addr, u64 len, u32 vm_flags);

#define FAULT_WRITE 1u
#define FAULT_EXEC  2u
#define FAULT_USER  4u
/* 0 handled; -EFAULT no mapping, -EACCES no right (SIGSEGV); -EIO (SIGBUS); -ENOMEM. Sleeps. */
int mm_fault(struct mm *mm, u64 addr, unsigned how);
/* Reads or writes another process's memory (ptrace-like uses, /proc/N/cmdline, environ). */
ssize_t mm_access(struct mm *mm, u64 addr, void *buf, size_t n, bool write);
/* Referenced page now behind a user address, made present (futex keys, direct I/O); ERR_PTR. */
struct page *mm_get_page(struct mm *mm, u64 addr, bool write);
/* Removes every mapping of pages [first, last] of a mapping from all processes (truncate). */
struct mapping;
void mm_unmap_mapping(struct mapping *m, u64 first, u64 last);

void reclaim_wake(void); /* memory is getting short */
/* Tries to free about `want` pages now; returns how many. Sleeps. */
u64 reclaim_pages(u64 want);
void oom_kill(void);

#endif
