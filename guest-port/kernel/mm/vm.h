/* SPDX-License-Identifier: MIT */
/* vm.h - what the files about address spaces (vm.c, fault.c, mmap.c, shm.c) share. */
#ifndef MM_VM_H
#define MM_VM_H

#include "mm.h"
#include "uaccess.h"

#define MMAP_LOWEST 0x10000UL
#define STACK_TOP   0x7ffffffff000UL
#define MMAP_TOP    0x7fffe0000000UL /* mappings grow down from here, well below the stack */

void vm_flush(struct mm *mm, u64 start, u64 end);
void vm_zap(struct mm *mm, struct vma *v, u64 start, u64 end);
void vm_zap_file(struct mm *mm, struct vma *v, u64 start, u64 end);
unsigned vm_rights(u32 flags); /* of a page-table entry, write access left out */
void vm_resize(struct vma *v, u64 start, u64 end);
int vm_unmap_locked(struct mm *mm, u64 start, u64 end);
long vm_map_locked(struct mm *mm, u64 addr, u64 len, u32 flags);
u64 vm_find_gap(struct mm *mm, u64 len);
int vm_move(struct vma *v, u64 to, u64 new_len);

int vm_isolate(struct mm *mm, u64 start, u64 end);
void vm_collect_dirty(struct mm *mm, struct vma *v);
struct mapping;
void mm_collect_dirty_mapping(struct mapping *m);

bool vm_find_swapped(struct mm *mm, u64 *at); /* address of a swapped page */
u64 vm_swapped(struct mm *mm);
int shm_attach(struct vma *v, u64 len); /* backs a shared anonymous vma */
extern struct page *zero_page;

#endif
