/* SPDX-License-Identifier: MIT */
/*
 * fault.c - page faults: demand paging, copy on write, swap-in, stack growth.
 *
 * Runs under mm->lock and may sleep while it gets a page. A page is installed only into an entry
 * that still is what it was before the sleep; otherwise the fault is simply taken again. Write
 * access is given to private pages nobody else has, and to shared pages already marked dirty.
 */
#include "errno.h"
#include "fs.h"
#include "mm_internal.h"
#include "printk.h"
#include "proc.h"
#include "string.h"
#include "vm.h"

#define AROUND 16 /* pages mapped at once when a file page is read */

struct page *zero_page;

struct fault {
    struct mm *mm;
    struct vma *v;
    u64 addr; /* page-aligned */
    bool write;
    pte_t *slot;
    pte_t old;
};

static bool same(pte_t a, pte_t b)
{
    return a.bits == b.bits;
}

/* Eats the reference on p. */
static void install(struct fault *f, struct page *p, bool writable)
{
    unsigned rights = vm_rights(f->v->flags) | (writable ? PTE_WRITE : 0);

    if (!same(*f->slot, f->old)) {
        page_put(p);
        return;
    }
    p->maps++;
    f->mm->rss++;
    pte_set(f->slot, pte_mark(pte_make(page_frame(p), rights), writable));
}

static struct page *anon_page(struct fault *f, unsigned gfp)
{
    struct page *p = alloc_page(GFP_USER | gfp);

    if (p) {
        p->flags |= PG_ANON | PG_UPTODATE;
        f->v->flags |= VM_ANON;
    }
    return p;
}

static int fault_anon(struct fault *f)
{
    struct page *p;

    if (!f->write) {
        page_get(zero_page);
        install(f, zero_page, false);
        return 0;
    }
    p = anon_page(f, GFP_ZERO);
    if (!p)
        return -ENOMEM;
    install(f, p, true);
    return 0;
}

/* Neighbours of a file page that are in memory are mapped along: one fault instead of many. */
static void map_around(struct fault *f)
{
    struct vma *v = f->v;
    struct mapping *m = &v->file->inode->mapping;
    u64 va = ALIGN_DOWN(f->addr, AROUND * PAGE_SIZE), end = va + AROUND * PAGE_SIZE;
    unsigned rights = vm_rights(v->flags);

    va = MAX(va, v->start);
    end = MIN(end, v->end);
    for (pte_t *slot = f->slot - ((f->addr - va) >> PAGE_SHIFT); va < end;
         va += PAGE_SIZE, slot++) {
        struct page *p;

        if (!pte_none(*slot))
            continue;
        p = page_cache_find(m, v->pgoff + ((va - v->start) >> PAGE_SHIFT));
        if (!p)
            continue;
        if (!page_uptodate(p) || p->flags & PG_LOCKED) {
            page_put(p);
            continue;
        }
        p->maps++;
        f->mm->rss++;
        pte_set(slot, pte_make(page_frame(p), rights));
    }
}

static int fault_object(struct fault *f)
{
    struct vma *v = f->v;
    u64 index = v->pgoff + ((f->addr - v->start) >> PAGE_SHIFT);
    bool shared = v->flags & VM_SHARED;
    struct page *p = v->ops->fault(v, index, f->write && shared), *copy;

    if (IS_ERR(p))
        return (int)PTR_ERR(p);
    if (f->write && !shared) {
        copy = anon_page(f, 0);
        if (copy)
            memcpy(page_addr(copy), page_addr(p), PAGE_SIZE);
        page_put(p);
        if (!copy)
            return -ENOMEM;
        install(f, copy, true);
        return 0;
    }
    if (f->write)
        page_set_dirty(p);
    install(f, p, f->write && shared);
    if (v->file && !(v->flags & VM_IO) && !f->write)
        map_around(f);
    return 0;
}

static int fault_swap(struct fault *f)
{
    u64 slot = pte_swap_slot(f->old);
    struct page *p = swap_in(slot);
    bool alone;

    if (IS_ERR(p))
        return (int)PTR_ERR(p);
    if (!same(*f->slot, f->old)) {
        page_put(p);
        return 0;
    }
    f->mm->maj_flt++;
    install(f, p, false);
    swap_free(slot);
    alone = f->write && swap_only_user(p);
    if (alone) {
        swap_forget(p);
        pte_set(f->slot,
                pte_mark(pte_set_rights(*f->slot, vm_rights(f->v->flags) | PTE_WRITE), true));
    }
    return 0; /* a write to a page that others have faults again and copies */
}

/* The entry is present but read-only, and the vma may be written. */
static int fault_write_protected(struct fault *f)
{
    struct page *p = frame_page(pte_frame(f->old)), *copy;
    unsigned rights = vm_rights(f->v->flags) | PTE_WRITE;

    if (f->v->flags & VM_SHARED) {
        if (f->v->ops) {
            u64 index = f->v->pgoff + ((f->addr - f->v->start) >> PAGE_SHIFT);
            struct page *q = f->v->ops->fault(f->v, index, true);

            if (IS_ERR(q))
                return (int)PTR_ERR(q);
            page_set_dirty(q);
            page_put(q);
            if (q != p || !same(*f->slot, f->old))
                return 0;
        }
        pte_set(f->slot, pte_mark(pte_set_rights(f->old, rights), true));
        tlb_flush_page(f->addr);
        return 0;
    }
    if (p->flags & PG_ANON && swap_only_user(p)) {
        if (p->flags & PG_SWAPCACHE)
            swap_forget(p);
        pte_set(f->slot, pte_mark(pte_set_rights(f->old, rights), true));
        tlb_flush_page(f->addr);
        return 0;
    }
    page_get(p);
    copy = anon_page(f, p == zero_page ? GFP_ZERO : 0);
    if (!copy || !same(*f->slot, f->old)) {
        page_put(p);
        if (!copy)
            return -ENOMEM;
        page_put(copy);
        return 0;
    }
    if (p != zero_page)
        memcpy(page_addr(copy), page_addr(p), PAGE_SIZE);
    copy->maps++;
    pte_set(f->slot, pte_mark(pte_make(page_frame(copy), rights), true));
    tlb_flush_page(f->addr);
    p->maps--;
    page_put(p); /* ours */
    page_put(p); /* the entry's */
    return 0;
}

static int grow_stack(struct mm *mm, struct vma *v, u64 addr)
{
    u64 limit = current->proc->rlim[RLIMIT_STACK].cur;
    struct vma *prev;

    addr = ALIGN_DOWN(addr, PAGE_SIZE);
    if (!(v->flags & VM_GROWSDOWN) || v->end - addr > limit || v->end - addr > (1UL << 30))
        return -EFAULT;
    if (v->link.prev != &mm->vmas) {
        prev = list_last(&v->link, struct vma, link);
        if (prev->end + 16 * PAGE_SIZE > addr)
            return -EFAULT;
    }
    v->pgoff -= (v->start - addr) >> PAGE_SHIFT;
    vm_resize(v, addr, v->end);
    return 0;
}

static int fault_locked(struct mm *mm, u64 addr, unsigned how)
{
    struct fault f = {.mm = mm, .addr = ALIGN_DOWN(addr, PAGE_SIZE), .write = how & FAULT_WRITE};
    struct vma *v = vma_find(mm, addr);

    if (!v || (v->start > addr && grow_stack(mm, v, addr)))
        return -EFAULT;
    f.v = v;
    if (f.write            ? !(v->flags & VM_WRITE)
        : how & FAULT_EXEC ? !(v->flags & VM_EXEC)
                           : !(v->flags & (VM_READ | VM_WRITE | VM_EXEC)))
        return -EACCES;
    f.slot = pagetable_slot(&mm->pt, addr, true);
    if (!f.slot)
        return -ENOMEM;
    f.old = *f.slot;
    mm->min_flt++;
    if (pte_none(f.old))
        return v->ops ? fault_object(&f) : fault_anon(&f);
    if (pte_is_swap(f.old))
        return fault_swap(&f);
    if (f.write && !pte_writable(f.old))
        return fault_write_protected(&f);
    /* Stale TLB entry, or rights that mprotect has widened since. */
    pte_set(f.slot, pte_mark(pte_set_rights(f.old, vm_rights(v->flags) |
                                                       (pte_writable(f.old) ? PTE_WRITE : 0)),
                             f.write));
    tlb_flush_page(f.addr);
    return 0;
}

int mm_fault(struct mm *mm, u64 addr, unsigned how)
{
    int r;

    if (unlikely(mm->lock.owner == current))
        return -EFAULT;
    mutex_lock(&mm->lock);
    r = fault_locked(mm, addr, how);
    mutex_unlock(&mm->lock);
    return r;
}

struct page *mm_get_page(struct mm *mm, u64 addr, bool write)
{
    if (addr >= USER_END)
        return ERR_PTR(-EFAULT);
    for (int tries = 0; tries < 16; tries++) {
        pte_t *slot = pagetable_slot(&mm->pt, addr, false);
        int r;

        if (slot && pte_present(*slot) && (!write || pte_writable(*slot))) {
            struct page *p = frame_page(pte_frame(*slot));

            page_get(p);
            return p;
        }
        r = mm_fault(mm, addr, write ? FAULT_WRITE : 0);
        if (r)
            return ERR_PTR(r == -EACCES ? -EFAULT : r);
    }
    return ERR_PTR(-EFAULT);
}

ssize_t mm_access(struct mm *mm, u64 addr, void *buf, size_t n, bool write)
{
    size_t done = 0;

    while (done < n) {
        u64 va = addr + done, off = va & ~PAGE_MASK;
        size_t piece = MIN(n - done, PAGE_SIZE - off);
        struct page *p = mm_get_page(mm, va, write);

        if (IS_ERR(p))
            return done ? (ssize_t)done : PTR_ERR(p);
        if (write)
            memcpy((u8 *)page_addr(p) + off, (u8 *)buf + done, piece);
        else
            memcpy((u8 *)buf + done, (u8 *)page_addr(p) + off, piece);
        page_put(p);
        done += piece;
    }
    return (ssize_t)done;
}
