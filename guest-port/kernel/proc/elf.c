/* SPDX-License-Identifier: MIT */
/*
 * elf.c - ELF executables for x86-64: static (ET_EXEC) and static position-independent (ET_DYN).
 *
 * Segments are private file mappings; what lies beyond the file's part is zeroed or anonymous.
 * There is no dynamic linker: a file that asks for an interpreter is refused.
 */
#include "errno.h"
#include "exec.h"
#include "fs.h"
#include "mm.h"
#include "slab.h"
#include "string.h"
#include "uaccess.h"

struct ehdr {
    u8 ident[16];
    u16 type, machine;
    u32 version;
    u64 entry, phoff, shoff;
    u32 flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct phdr {
    u32 type, flags;
    u64 offset, vaddr, paddr, filesz, memsz, align;
};

#define ET_EXEC   2
#define ET_DYN    3
#define PT_LOAD   1
#define PT_INTERP 3
#define PIE_BASE  0x555555554000UL
#define MAX_PHDRS 32

static int check_header(const struct ehdr *e)
{
    if (memcmp(e->ident, "\177ELF\2\1\1", 7) || e->machine != 62)
        return -ENOEXEC;
    if (e->type != ET_EXEC && e->type != ET_DYN)
        return -ENOEXEC;
    if (e->phentsize != sizeof(struct phdr) || !e->phnum || e->phnum > MAX_PHDRS)
        return -ENOEXEC;
    return 0;
}

static u32 segment_flags(const struct phdr *p)
{
    return (p->flags & 4 ? VM_READ : 0) | (p->flags & 2 ? VM_WRITE : 0) |
           (p->flags & 1 ? VM_EXEC : 0) | VM_MAYWRITE;
}

/* Zeroes from the end of the file's part to the end of its page. */
static int zero_tail(struct mm *mm, u64 at)
{
    static const u8 zeros[256];

    while (at & ~PAGE_MASK) {
        size_t n = MIN(sizeof(zeros), PAGE_SIZE - (at & ~PAGE_MASK));

        if (mm_access(mm, at, (void *)zeros, n, true) != (ssize_t)n)
            return -ENOMEM;
        at += n;
    }
    return 0;
}

static int map_segment(struct file *f, struct mm *mm, const struct phdr *p, u64 bias)
{
    u64 start = ALIGN_DOWN(p->vaddr + bias, PAGE_SIZE), off = p->vaddr & ~PAGE_MASK;
    u64 file_end = p->vaddr + bias + p->filesz, end = p->vaddr + bias + p->memsz;
    u32 flags = segment_flags(p);
    long r = 0;

    if (p->filesz > p->memsz || p->memsz > USER_END || p->vaddr + bias > USER_END - p->memsz ||
        (p->offset & ~PAGE_MASK) != off)
        return -ENOEXEC;
    if (p->filesz) {
        if (p->offset + p->filesz < p->offset || p->offset + p->filesz > f->inode->size)
            return -ENOEXEC;
        r = mm_map(mm, start, p->filesz + off, flags, true, f, p->offset >> PAGE_SHIFT);
        if (r >= 0 && p->memsz > p->filesz && p->flags & 2)
            r = zero_tail(mm, file_end);
        start = ALIGN_UP(file_end, PAGE_SIZE);
    }
    if (r >= 0 && end > start)
        r = mm_map(mm, start, end - start, flags, true, NULL, 0);
    if (r < 0)
        return r == -EPERM || r == -EINVAL || r == -EFAULT || r == -ENODEV ? -ENOEXEC : (int)r;
    if (p->flags & 1) {
        if (!mm->start_code || p->vaddr + bias < mm->start_code)
            mm->start_code = p->vaddr + bias;
        mm->end_code = MAX(mm->end_code, file_end);
    } else if (p->flags & 2) {
        mm->start_data = p->vaddr + bias;
        mm->end_data = file_end;
    }
    mm->brk_start = mm->brk = MAX(mm->brk_start, ALIGN_UP(end, PAGE_SIZE));
    return 0;
}

static int load_segments(struct file *f, struct mm *mm, const struct ehdr *e, const struct phdr *ph,
                         struct program *prog)
{
    u64 bias = e->type == ET_DYN ? PIE_BASE : 0;
    bool any = false, entry_ok = false;

    for (int i = 0; i < e->phnum; i++) {
        const struct phdr *p = &ph[i];
        int r;

        if (p->type == PT_INTERP)
            return -ENOEXEC;
        if (p->type != PT_LOAD || !p->memsz)
            continue;
        r = map_segment(f, mm, p, bias);
        if (r)
            return r;
        any = true;
        if (e->phoff >= p->offset && e->phoff < p->offset + p->filesz)
            prog->phdr = p->vaddr + bias + e->phoff - p->offset;
        if (e->entry >= p->vaddr && e->entry < p->vaddr + p->memsz)
            entry_ok = true;
    }
    prog->entry = e->entry + bias;
    prog->phnum = e->phnum;
    return any && entry_ok ? 0 : -ENOEXEC;
}

int elf_load(struct file *f, struct mm *mm, struct program *prog)
{
    struct ehdr e;
    struct phdr *ph;
    ssize_t n = file_read_kernel(f, &e, sizeof(e), 0);
    int r;

    if (n < 0)
        return (int)n;
    r = n == sizeof(e) ? check_header(&e) : -ENOEXEC;
    if (r)
        return r;
    ph = kmalloc(e.phnum * sizeof(*ph), GFP_KERNEL);
    if (!ph)
        return -ENOMEM;
    n = e.phoff < (1UL << 40) ? file_read_kernel(f, ph, e.phnum * sizeof(*ph), (s64)e.phoff)
                              : -ENOEXEC;
    if (n == (ssize_t)(e.phnum * sizeof(*ph)))
        r = load_segments(f, mm, &e, ph, prog);
    else
        r = n == -EIO ? -EIO : -ENOEXEC;
    kfree(ph);
    return r;
}
