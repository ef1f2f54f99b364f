/* SPDX-License-Identifier: MIT */
/* mmap.c - the system calls about address spaces. */
#include "errno.h"
#include "fs.h"
#include "mm_internal.h"
#include "proc.h"
#include "vm.h"

static u32 prot_flags(int prot)
{
    return (prot & PROT_READ ? VM_READ : 0) | (prot & PROT_WRITE ? VM_WRITE : 0) |
           (prot & PROT_EXEC ? VM_EXEC : 0);
}

static void populate(struct mm *mm, u64 addr, u64 len, bool write)
{
    for (u64 va = addr; va < addr + len; va += PAGE_SIZE)
        if (mm_fault(mm, va, write ? FAULT_WRITE : 0) || resched_point())
            break;
}

long sys_mmap(u64 addr, u64 len, int prot, int flags, int fd, u64 off)
{
    u32 vf = prot_flags(prot) | VM_MAYWRITE;
    struct file *f = NULL;
    bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
    long r;

    if (!len || off & ~PAGE_MASK)
        return -EINVAL;
    if ((flags & 0xf) != MAP_SHARED && (flags & 0xf) != MAP_PRIVATE && (flags & 0xf) != 3)
        return -EINVAL;
    if (flags & MAP_SHARED)
        vf |= VM_SHARED;
    if (flags & MAP_GROWSDOWN && !(flags & MAP_SHARED))
        vf |= VM_GROWSDOWN;
    if (flags & MAP_FIXED_NOREPLACE && addr < USER_END) {
        struct vma *v = vma_find(current->mm, addr);

        if (v && v->start < addr + len)
            return -EEXIST;
    }
    if (!(flags & MAP_ANONYMOUS)) {
        f = fd_get(fd);
        if (!f)
            return -EBADF;
        r = -EACCES;
        if (!file_readable(f))
            goto out;
        if (flags & MAP_SHARED && !file_writable(f)) {
            if (prot & PROT_WRITE)
                goto out;
            vf &= ~VM_MAYWRITE;
        }
    }
    r = mm_map(current->mm, addr, len, vf, fixed, f, off >> PAGE_SHIFT);
    if (r >= 0 && flags & (MAP_POPULATE | MAP_LOCKED))
        populate(current->mm, r, len, vf & VM_WRITE);
out:
    if (f)
        file_put(f);
    return r;
}

long sys_munmap(u64 addr, u64 len)
{
    return mm_unmap(current->mm, addr, len);
}

long sys_mprotect(u64 addr, u64 len, int prot)
{
    return mm_protect(current->mm, addr, len, prot_flags(prot));
}

long sys_brk(u64 addr)
{
    struct mm *mm = current->mm;
    u64 old = ALIGN_UP(mm->brk, PAGE_SIZE), new = ALIGN_UP(addr, PAGE_SIZE);
    struct vma *v;
    long r = 0;

    if (addr < mm->brk_start || addr >= MMAP_TOP)
        return mm->brk;
    if (addr - mm->brk_start > rlimit_cur(RLIMIT_DATA))
        return mm->brk;
    mutex_lock(&mm->lock);
    if (new < old) {
        r = vm_unmap_locked(mm, new, old);
    } else if (new > old) {
        v = vma_find(mm, old);
        if (v && v->start < new)
            r = -ENOMEM;
        else if (rlimit_cur(RLIMIT_AS) != RLIM_INFINITY &&
                 (mm->total_vm << PAGE_SHIFT) + new - old > rlimit_cur(RLIMIT_AS))
            r = -ENOMEM;
        else
            r = vm_map_locked(mm, old, new - old, VM_READ | VM_WRITE | VM_MAYWRITE);
    }
    if (r >= 0)
        mm->brk = addr;
    mutex_unlock(&mm->lock);
    return mm->brk;
}

#define MREMAP_MAYMOVE 1
#define MREMAP_FIXED   2

static long remap_locked(struct mm *mm, u64 addr, u64 old, u64 new, int flags, u64 to)
{
    struct vma *v = vma_find(mm, addr), *next;
    int r;

    if (!v || v->start > addr || addr + old > v->end)
        return -EFAULT;
    if (flags & MREMAP_FIXED) {
        if (to & ~PAGE_MASK || to < MMAP_LOWEST || to > USER_END - new ||
            (to < addr + old && addr < to + new))
            return -EINVAL;
    } else {
        if (new <= old) {
            r = new < old ? vm_unmap_locked(mm, addr + new, addr + old) : 0;
            return r ? r : (long)addr;
        }
        next = v->link.next == &mm->vmas ? NULL : list_first(&v->link, struct vma, link);
        if (addr + old == v->end && addr + new <= (next ? next->start : MMAP_TOP) &&
            addr + new > addr) {
            vm_resize(v, v->start, addr + new);
            return addr;
        }
        if (!(flags & MREMAP_MAYMOVE))
            return -ENOMEM;
        to = vm_find_gap(mm, new);
        if (!to)
            return -ENOMEM;
    }
    /* Cut the old range out as a vma of its own: an empty unmap at each end splits. */
    r = vm_isolate(mm, addr, addr + old);
    if (!r && flags & MREMAP_FIXED)
        r = vm_unmap_locked(mm, to, to + new);
    if (!r)
        r = vm_move(vma_find(mm, addr), to, new);
    return r ? r : (long)to;
}

long sys_mremap(u64 addr, u64 old, u64 new, int flags, u64 to)
{
    struct mm *mm = current->mm;
    long r;

    old = ALIGN_UP(old, PAGE_SIZE);
    new = ALIGN_UP(new, PAGE_SIZE);
    if (addr & ~PAGE_MASK || !new || !old || new > USER_END || old > USER_END ||
        addr > USER_END - old || flags & ~3 || (flags & MREMAP_FIXED && !(flags & MREMAP_MAYMOVE)))
        return -EINVAL;
    mutex_lock(&mm->lock);
    r = remap_locked(mm, addr, old, new, flags, to);
    mutex_unlock(&mm->lock);
    return r;
}

#define MADV_DONTNEED 4

long sys_madvise(u64 addr, u64 len, int advice)
{
    struct mm *mm = current->mm;
    u64 end = addr + ALIGN_UP(len, PAGE_SIZE);
    long r = 0;

    if (addr & ~PAGE_MASK || end < addr || end > USER_END || advice < 0 || advice > 25)
        return -EINVAL;
    if (advice != MADV_DONTNEED)
        return 0;
    mutex_lock(&mm->lock);
    for (u64 at = addr; at < end;) {
        struct vma *v = vma_find(mm, at);

        if (!v || v->start >= end) {
            r = -ENOMEM;
            break;
        }
        if (v->start > at)
            r = -ENOMEM;
        at = MAX(at, v->start);
        vm_zap(mm, v, at, MIN(end, v->end));
        vm_flush(mm, at, MIN(end, v->end));
        at = v->end;
    }
    mutex_unlock(&mm->lock);
    return r;
}

#define MS_SYNC_FLAG 4

long sys_msync(u64 addr, u64 len, int flags)
{
    struct mm *mm = current->mm;
    u64 end = addr + ALIGN_UP(len, PAGE_SIZE);
    long r = 0;

    if (addr & ~PAGE_MASK || flags & ~7 || (flags & 5) == 5)
        return -EINVAL;
    if (end < addr || end > USER_END)
        return -ENOMEM;
    for (u64 at = addr; at < end && !r;) {
        struct vma *v = vma_find(mm, at);
        struct file *f;

        if (!v || v->start > at)
            return -ENOMEM;
        at = v->end;
        f = v->flags & VM_SHARED ? v->file : NULL;
        if (!f)
            continue;
        file_get(f);
        vm_collect_dirty(mm, v);
        if (flags & MS_SYNC_FLAG)
            r = f->ops->fsync ? f->ops->fsync(f, true) : mapping_sync(&f->inode->mapping, true);
        file_put(f);
    }
    return r;
}

long sys_mincore(u64 addr, u64 len, u8 __user *vec)
{
    u64 pages = (len + PAGE_SIZE - 1) >> PAGE_SHIFT;

    if (addr & ~PAGE_MASK)
        return -EINVAL;
    if (pages > USER_END >> PAGE_SHIFT || addr > USER_END - (pages << PAGE_SHIFT))
        return -ENOMEM;
    for (u64 i = 0; i < pages; i++) {
        u64 va = addr + (i << PAGE_SHIFT);
        struct vma *v = vma_find(current->mm, va);
        pte_t *slot;
        u8 in;

        if (!v || v->start > va)
            return -ENOMEM;
        slot = pagetable_slot(&current->mm->pt, va, false);
        in = slot && pte_present(*slot);
        if (put_user(in, vec + i))
            return -EFAULT;
        if (resched_point())
            return -EINTR;
    }
    return 0;
}

/* There is no way to keep pages in memory that would matter here: the calls succeed. */
long sys_mlock(u64 addr, u64 len)
{
    return 0;
}

long sys_munlock(u64 addr, u64 len)
{
    return 0;
}

long sys_mlockall(int flags)
{
    return 0;
}

long sys_munlockall(void)
{
    return 0;
}
