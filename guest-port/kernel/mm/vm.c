/* SPDX-License-Identifier: MIT */
/*
 * vm.c - address spaces: the list of vmas, mapping, unmapping, protecting, duplicating.
 *
 * vmas of an address space are sorted and disjoint. The list changes only under mm->lock; entries
 * change under it too, except that reclaim and truncation may take pages away at any point where
 * this code sleeps, so nothing about an entry is believed across a sleep.
 */
#include "vm.h"
#include "errno.h"
#include "fs.h"
#include "irq.h"
#include "mm_internal.h"
#include "printk.h"
#include "proc.h"
#include "slab.h"
#include "string.h"

struct list all_mms = LIST_INIT(all_mms);
static struct kmem_cache *mm_cache, *vma_cache;
#define MAX_VMAS 16384 /* the list is searched from one end */

static struct mm *loaded_mm; /* whose tables the CPU has; kernel threads borrow them */

void mm_switch(struct mm *next)
{
    if (next && next != loaded_mm) {
        loaded_mm = next;
        pagetable_load(&next->pt);
    }
}

void vm_flush(struct mm *mm, u64 start, u64 end)
{
    if (mm != loaded_mm)
        return;
    if (end - start > 16 * PAGE_SIZE) {
        tlb_flush_user();
        return;
    }
    for (; start < end; start += PAGE_SIZE)
        tlb_flush_page(start);
}

struct mm *mm_new(void)
{
    struct mm *mm;

    if (!mm_cache) {
        mm_cache = kmem_cache_create("mm", sizeof(struct mm), 0);
        vma_cache = kmem_cache_create("vma", sizeof(struct vma), 0);
    }
    mm = kmem_cache_alloc(mm_cache, GFP_KERNEL | GFP_ZERO);
    if (!mm)
        return NULL;
    mm->refs = 1;
    list_init(&mm->vmas);
    mutex_init(&mm->lock);
    mm->mmap_base = MMAP_TOP;
    if (pagetable_init(&mm->pt)) {
        pagetable_free(&mm->pt);
        kmem_cache_free(mm_cache, mm);
        return NULL;
    }
    list_add_tail(&all_mms, &mm->link);
    return mm;
}

/* --- vmas --------------------------------------------------------------------------------------
 */

struct vma *vma_find(struct mm *mm, u64 addr)
{
    struct vma *v = mm->last_hit;

    if (v && v->start <= addr && addr < v->end)
        return v;
    list_for_each (v, &mm->vmas, link)
        if (v->end > addr)
            return mm->last_hit = v;
    return NULL;
}

unsigned vm_rights(u32 flags)
{
    unsigned r = PTE_USER;

    if (!(flags & (VM_READ | VM_WRITE | VM_EXEC)))
        return PTE_NOACCESS;
    if (flags & VM_EXEC)
        r |= PTE_EXEC;
    return r;
}

static void vma_insert(struct mm *mm, struct vma *v)
{
    struct vma *o;

    list_for_each (o, &mm->vmas, link)
        if (o->start >= v->end)
            break;
    list_insert(&v->link, o->link.prev, &o->link);
    mm->total_vm += (v->end - v->start) >> PAGE_SHIFT;
}

static void vma_open(struct vma *v)
{
    if (v->file) {
        file_get(v->file);
        list_add_tail(&v->file->inode->mapping.vmas, &v->map_link);
    }
    if (v->ops && v->ops->open)
        v->ops->open(v);
}

static void vma_free(struct vma *v)
{
    struct mm *mm = v->mm;

    mm->total_vm -= (v->end - v->start) >> PAGE_SHIFT;
    mm->nr_vmas--;
    if (mm->last_hit == v)
        mm->last_hit = NULL;
    list_del(&v->link);
    list_del(&v->map_link);
    if (v->ops && v->ops->close)
        v->ops->close(v);
    if (v->file)
        file_put(v->file);
    kmem_cache_free(vma_cache, v);
}

static struct vma *vma_alloc(struct mm *mm)
{
    struct vma *v =
        mm->nr_vmas < MAX_VMAS ? kmem_cache_alloc(vma_cache, GFP_KERNEL | GFP_ZERO) : NULL;

    if (v)
        mm->nr_vmas++;
    return v;
}

static struct vma *vma_copy(struct mm *mm, const struct vma *old)
{
    struct vma *v = vma_alloc(mm);

    if (!v)
        return NULL;
    *v = *old;
    v->mm = mm;
    list_init(&v->link);
    list_init(&v->map_link);
    return v;
}

/* Splits v at addr; v keeps the lower part. */
static int vma_split(struct vma *v, u64 addr)
{
    struct vma *n = vma_copy(v->mm, v);

    if (!n)
        return -ENOMEM;
    n->start = addr;
    n->pgoff += (addr - v->start) >> PAGE_SHIFT;
    v->end = addr;
    list_insert(&n->link, &v->link, v->link.next);
    vma_open(n);
    return 0;
}

static bool vma_can_join(const struct vma *a, const struct vma *b)
{
    return a->end == b->start && ((a->flags ^ b->flags) & ~VM_ANON) == 0 && !a->file && !b->file &&
           !a->ops && !b->ops && !(a->flags & VM_GROWSDOWN);
}

/* Joins v with anonymous neighbours of the same kind. Returns the result. */
static struct vma *vma_join(struct vma *v)
{
    struct mm *mm = v->mm;

    if (v->link.next != &mm->vmas) {
        struct vma *n = list_first(&v->link, struct vma, link);

        if (vma_can_join(v, n)) {
            u64 end = n->end;

            v->flags |= n->flags & VM_ANON;
            vma_free(n);
            mm->total_vm += (end - v->end) >> PAGE_SHIFT;
            v->end = end;
        }
    }
    if (v->link.prev != &mm->vmas) {
        struct vma *p = list_last(&v->link, struct vma, link);

        if (vma_can_join(p, v)) {
            u64 end = v->end;

            p->flags |= v->flags & VM_ANON;
            vma_free(v);
            mm->total_vm += (end - p->end) >> PAGE_SHIFT;
            p->end = end;
            v = p;
        }
    }
    return v;
}

/* Highest gap of len bytes below mmap_base; 0: none. */
static u64 find_gap(struct mm *mm, u64 len)
{
    u64 top = mm->mmap_base;
    struct vma *v;

    for (struct list *l = mm->vmas.prev; l != &mm->vmas; l = l->prev) {
        v = list_entry(l, struct vma, link);
        if (v->end <= top && top - v->end >= len)
            return top - len;
        top = MIN(top, v->start);
    }
    return top >= len + MMAP_LOWEST ? top - len : 0;
}

/* --- unmapping -------------------------------------------------------------------------------- */

static void zap_pte(struct mm *mm, struct vma *v, pte_t *slot)
{
    pte_t e = *slot;

    pte_set(slot, pte_empty);
    if (pte_present(e)) {
        struct page *p = frame_page(pte_frame(e));

        if (v->flags & VM_IO)
            return;
        if (v->flags & VM_SHARED && pte_dirty(e))
            page_set_dirty(p);
        if (pte_accessed(e))
            page_flag_set(p, PG_REFERENCED);
        p->maps--;
        mm->rss--;
        if (p->flags & PG_SWAPCACHE && swap_only_user(p))
            swap_forget(p);
        page_put(p);
    } else if (pte_is_swap(e)) {
        swap_free_entry(pte_swap_slot(e));
    }
}

void vm_zap(struct mm *mm, struct vma *v, u64 start, u64 end)
{
    u64 va = start;
    pte_t *slot;

    while ((slot = pagetable_find(&mm->pt, &va, end)))
        for (u64 stop = MIN(end, pagetable_next(va)); va < stop; va += PAGE_SIZE, slot++)
            if (!pte_none(*slot))
                zap_pte(mm, v, slot);
}

/* Makes [start, end) consist of whole vmas. */
static int isolate(struct mm *mm, u64 start, u64 end)
{
    struct vma *v = vma_find(mm, start);
    int r = 0;

    if (v && v->start < start)
        r = vma_split(v, start);
    if (r)
        return r;
    v = vma_find(mm, end - 1);
    if (v && v->start < end && v->end > end)
        r = vma_split(v, end);
    return r;
}

static int unmap_locked(struct mm *mm, u64 start, u64 end)
{
    struct vma *v, *n;
    int r;

    r = isolate(mm, start, end);
    if (r)
        return r;
    list_for_each_safe (v, n, &mm->vmas, link) {
        if (v->start >= end)
            break;
        if (v->start >= start) {
            vm_zap(mm, v, v->start, v->end);
            vm_flush(mm, v->start, v->end);
            vma_free(v);
        }
    }
    return 0;
}

static bool range_bad(u64 addr, u64 len)
{
    return !len || len > USER_END || addr > USER_END - len;
}

int mm_unmap(struct mm *mm, u64 addr, u64 len)
{
    int r;

    len = ALIGN_UP(len, PAGE_SIZE);
    if (addr & ~PAGE_MASK || range_bad(addr, len))
        return -EINVAL;
    mutex_lock(&mm->lock);
    r = unmap_locked(mm, addr, addr + len);
    mutex_unlock(&mm->lock);
    return r;
}

void mm_unmap_mapping(struct mapping *m, u64 first, u64 last)
{
    struct vma *v;

    list_for_each (v, &m->vmas, map_link) {
        u64 pages = (v->end - v->start) >> PAGE_SHIFT, a, b;

        if (last < v->pgoff || first >= v->pgoff + pages)
            continue;
        a = first > v->pgoff ? v->start + ((first - v->pgoff) << PAGE_SHIFT) : v->start;
        b = last < v->pgoff + pages - 1 ? v->start + ((last - v->pgoff + 1) << PAGE_SHIFT) : v->end;
        vm_zap_file(v->mm, v, a, b);
        vm_flush(v->mm, a, b);
    }
}

/* As vm_zap, but private copies (anonymous pages) stay: they are the process's own. */
void vm_zap_file(struct mm *mm, struct vma *v, u64 start, u64 end)
{
    u64 va = start;
    pte_t *slot;

    while ((slot = pagetable_find(&mm->pt, &va, end)))
        for (u64 stop = MIN(end, pagetable_next(va)); va < stop; va += PAGE_SIZE, slot++)
            if (pte_present(*slot) && !(frame_page(pte_frame(*slot))->flags & PG_ANON))
                zap_pte(mm, v, slot);
}

/* --- mapping ---------------------------------------------------------------------------------- */

static bool over_limit(struct mm *mm, u64 len)
{
    u64 as = current->proc->rlim[RLIMIT_AS].cur;

    return as != RLIM_INFINITY && (mm->total_vm << PAGE_SHIFT) + len > as;
}

static long map_locked(struct mm *mm, u64 addr, u64 len, u32 flags, struct file *f, u64 pgoff)
{
    struct vma *v = vma_alloc(mm);
    int r = 0;

    if (!v)
        return -ENOMEM;
    v->mm = mm;
    v->start = addr;
    v->end = addr + len;
    v->flags = flags;
    v->pgoff = pgoff;
    list_init(&v->link);
    list_init(&v->map_link);
    if (f) {
        v->file = f;
        r = f->ops->mmap ? f->ops->mmap(f, v) : -ENODEV;
    } else if (flags & VM_SHARED) {
        r = shm_attach(v, len);
    }
    if (r) {
        mm->nr_vmas--;
        kmem_cache_free(vma_cache, v);
        return r;
    }
    if (f) {
        file_get(f);
        list_add_tail(&f->inode->mapping.vmas, &v->map_link);
    }
    vma_insert(mm, v);
    if (!f && !(flags & VM_SHARED))
        vma_join(v);
    return addr;
}

long mm_map(struct mm *mm, u64 addr, u64 len, u32 flags, bool fixed, struct file *f, u64 pgoff)
{
    long r;

    len = ALIGN_UP(len, PAGE_SIZE);
    if (range_bad(addr, len) || (fixed && addr & ~PAGE_MASK))
        return len > USER_END ? -ENOMEM : -EINVAL;
    if (over_limit(mm, len))
        return -ENOMEM;
    addr = ALIGN_DOWN(addr, PAGE_SIZE);
    mutex_lock(&mm->lock);
    if (fixed) {
        r = addr < MMAP_LOWEST ? -EPERM : unmap_locked(mm, addr, addr + len);
    } else {
        struct vma *v = addr ? vma_find(mm, addr) : NULL;

        if (addr < MMAP_LOWEST || (v && v->start < addr + len))
            addr = find_gap(mm, len);
        r = addr ? 0 : -ENOMEM;
    }
    if (!r)
        r = map_locked(mm, addr, len, flags, f, pgoff);
    mutex_unlock(&mm->lock);
    return r;
}

/* Takes write access away where flags forbid it; the fault path gives it back page by page. */
static void protect_range(struct vma *v)
{
    unsigned rights = vm_rights(v->flags);
    u64 va = v->start;
    pte_t *slot;

    while ((slot = pagetable_find(&v->mm->pt, &va, v->end)))
        for (u64 stop = MIN(v->end, pagetable_next(va)); va < stop; va += PAGE_SIZE, slot++) {
            pte_t e = *slot;
            bool write = v->flags & VM_WRITE && pte_writable(e);

            if (!pte_present(e))
                continue;
            if (v->flags & VM_SHARED && pte_dirty(e))
                page_set_dirty(frame_page(pte_frame(e)));
            pte_set(slot, pte_set_rights(e, rights | (write ? PTE_WRITE : 0)));
        }
    vm_flush(v->mm, v->start, v->end);
}

static int protect_locked(struct mm *mm, u64 start, u64 end, u32 prot)
{
    struct vma *v;
    u64 at = start;
    int r;

    for (; at < end; at = v->end) {
        v = vma_find(mm, at);
        if (!v || v->start > at)
            return -ENOMEM;
        if (prot & VM_WRITE && !(v->flags & VM_MAYWRITE))
            return -EACCES;
    }
    r = isolate(mm, start, end);
    if (r)
        return r;
    for (at = start; at < end; at = v->end) {
        v = vma_find(mm, at);
        v->flags = (v->flags & ~(VM_READ | VM_WRITE | VM_EXEC)) | prot;
        protect_range(v);
        v = vma_join(v);
    }
    return 0;
}

int mm_protect(struct mm *mm, u64 addr, u64 len, u32 prot)
{
    int r;

    if (!len)
        return 0;
    len = ALIGN_UP(len, PAGE_SIZE);
    if (addr & ~PAGE_MASK)
        return -EINVAL;
    if (range_bad(addr, len))
        return -ENOMEM;
    mutex_lock(&mm->lock);
    r = protect_locked(mm, addr, addr + len, prot);
    mutex_unlock(&mm->lock);
    return r;
}

/* --- duplicating and ending ------------------------------------------------------------------- */

/* Shares one present page between two address spaces; private ones become copy-on-write. */
static void copy_pte(struct mm *new, struct vma *v, pte_t *from, pte_t *to)
{
    pte_t e = *from;

    if (pte_present(e)) {
        struct page *p = frame_page(pte_frame(e));

        if (!(v->flags & VM_SHARED) && pte_writable(e)) {
            e = pte_set_rights(e, vm_rights(v->flags));
            pte_set(from, e);
        }
        if (!(v->flags & VM_IO)) {
            page_get(p);
            p->maps++;
            new->rss++;
        }
    } else {
        swap_dup(pte_swap_slot(e));
    }
    pte_set(to, e);
}

static int copy_range(struct mm *new, struct mm *old, struct vma *v)
{
    u64 va = v->start;
    pte_t *from, *to;

    while ((from = pagetable_find(&old->pt, &va, v->end))) {
        u64 stop = MIN(v->end, pagetable_next(va));

        for (; va < stop && pte_none(*from); va += PAGE_SIZE)
            from++;
        if (va == stop)
            continue;
        to = pagetable_slot(&new->pt, va, true);
        if (!to)
            return -ENOMEM;
        for (; va < stop; va += PAGE_SIZE, from++, to++)
            if (!pte_none(*from)) /* the first one, too: reclaim may have run */
                copy_pte(new, v, from, to);
    }
    return 0;
}

struct mm *mm_clone(struct mm *old)
{
    struct mm *mm = mm_new();
    struct vma *v;
    int r = 0;

    if (!mm)
        return NULL;
    mutex_lock(&old->lock);
    mm->brk_start = old->brk_start;
    mm->brk = old->brk;
    memcpy(&mm->start_code, &old->start_code,
           offsetof(struct mm, mmap_base) - offsetof(struct mm, start_code));
    mm->mmap_base = old->mmap_base;
    mm->exe = old->exe ? file_get(old->exe) : NULL;
    list_for_each (v, &old->vmas, link) {
        struct vma *n = vma_copy(mm, v);

        if (!n) {
            r = -ENOMEM;
            break;
        }
        list_add_tail(&mm->vmas, &n->link);
        mm->total_vm += (n->end - n->start) >> PAGE_SHIFT;
        vma_open(n);
        /* What a file or shared object can supply again need not be copied. */
        if (v->flags & VM_ANON || v->flags & VM_IO)
            r = copy_range(mm, old, v);
        if (r)
            break;
    }
    if (old == loaded_mm)
        tlb_flush_user();
    mutex_unlock(&old->lock);
    if (r) {
        mm_put(mm);
        return NULL;
    }
    return mm;
}

void mm_put(struct mm *mm)
{
    struct vma *v, *n;

    if (--mm->refs)
        return;
    list_del(&mm->link);
    if (mm == loaded_mm) {
        loaded_mm = NULL;
        pagetable_load_kernel();
    }
    list_for_each_safe (v, n, &mm->vmas, link) {
        vm_zap(mm, v, v->start, v->end);
        vma_free(v);
    }
    if (mm->exe)
        file_put(mm->exe);
    pagetable_free(&mm->pt);
    kmem_cache_free(mm_cache, mm);
}

/* Changes the bounds of a vma without touching pages (stack growth, brk, mremap). */
void vm_resize(struct vma *v, u64 start, u64 end)
{
    v->mm->total_vm += ((end - start) - (v->end - v->start)) >> PAGE_SHIFT;
    v->start = start;
    v->end = end;
}

int vm_unmap_locked(struct mm *mm, u64 start, u64 end)
{
    return unmap_locked(mm, start, end);
}

long vm_map_locked(struct mm *mm, u64 addr, u64 len, u32 flags)
{
    return map_locked(mm, addr, len, flags, NULL, 0);
}

u64 vm_find_gap(struct mm *mm, u64 len)
{
    return find_gap(mm, len);
}

/* A copy of v at a new address, its pages moved along (mremap). */
int vm_move(struct vma *v, u64 to, u64 new_len)
{
    struct mm *mm = v->mm;
    u64 len = MIN(v->end - v->start, new_len);
    struct vma *n = vma_copy(mm, v);

    if (!n)
        return -ENOMEM;
    n->start = to;
    n->end = to + new_len;
    vma_insert(mm, n);
    vma_open(n);
    for (u64 off = 0; off < len; off += PAGE_SIZE) {
        pte_t *from = pagetable_slot(&mm->pt, v->start + off, false), *slot;

        if (!from || pte_none(*from))
            continue;
        slot = pagetable_slot(&mm->pt, to + off, true);
        if (!slot) {
            unmap_locked(mm, to, to + new_len);
            return -ENOMEM;
        }
        pte_set(slot, *from);
        pte_set(from, pte_empty);
    }
    return unmap_locked(mm, v->start, v->end);
}

int vm_isolate(struct mm *mm, u64 start, u64 end)
{
    return isolate(mm, start, end);
}

/* Tells the page cache which pages of a shared mapping have been written, and write-protects them
 * so that the next write is noticed too. */
void vm_collect_dirty(struct mm *mm, struct vma *v)
{
    u64 va = v->start;
    pte_t *slot;

    while ((slot = pagetable_find(&mm->pt, &va, v->end)))
        for (u64 stop = MIN(v->end, pagetable_next(va)); va < stop; va += PAGE_SIZE, slot++)
            if (pte_present(*slot) && pte_dirty(*slot)) {
                struct page *p = frame_page(pte_frame(*slot));

                page_set_dirty(p);
                pte_set(slot, pte_make(page_frame(p), vm_rights(v->flags)));
            }
    vm_flush(mm, v->start, v->end);
}

/* The same for everybody who maps it (fsync, write-back). */
void mm_collect_dirty_mapping(struct mapping *m)
{
    struct vma *v;

    list_for_each (v, &m->vmas, map_link)
        if (v->flags & VM_SHARED && v->flags & VM_MAYWRITE)
            vm_collect_dirty(v->mm, v);
}

/* Address of the first swapped page at or after *va. */
static bool next_swapped(struct mm *mm, struct vma *v, u64 *va)
{
    pte_t *slot;

    while ((slot = pagetable_find(&mm->pt, va, v->end)))
        for (u64 stop = MIN(v->end, pagetable_next(*va)); *va < stop; *va += PAGE_SIZE, slot++)
            if (pte_is_swap(*slot))
                return true;
    return false;
}

u64 vm_swapped(struct mm *mm)
{
    struct vma *v;
    u64 n = 0;

    list_for_each (v, &mm->vmas, link)
        for (u64 va = v->start; next_swapped(mm, v, &va); va += PAGE_SIZE)
            n++;
    return n;
}

bool vm_find_swapped(struct mm *mm, u64 *at)
{
    struct vma *v;

    list_for_each (v, &mm->vmas, link) {
        *at = v->start;
        if (next_swapped(mm, v, at))
            return true;
    }
    return false;
}
