/* SPDX-License-Identifier: MIT */
/*
 * mmu.c - the processor's side of page tables: which are loaded, and the kernel's own half, made
 * once at start-up.
 */
#include "cpu.h"
#include "errno.h"
#include "mm.h"
#include "printk.h"

#define P_LARGE 0x080UL

static u64 vmap_next = VMAP_BASE;

extern u8 text_end[], rodata_end[], image_end[];

void pagetable_load(struct pagetable *pt)
{
    write_cr3(pt->root << PAGE_SHIFT);
}

void pagetable_load_kernel(void)
{
    write_cr3(kernel_pt.root << PAGE_SHIFT);
}

/* --- the kernel's half ------------------------------------------------------------------------ */

int kernel_map(u64 va, phys_t pa, size_t size, unsigned rights)
{
    for (u64 end = va + size; va < end; va += PAGE_SIZE, pa += PAGE_SIZE) {
        pte_t *slot = pagetable_walk(&kernel_pt, va, 0, true, false);

        if (!slot)
            return -ENOMEM;
        pte_set(slot, pte_make(pa >> PAGE_SHIFT, rights));
        tlb_flush_page(va);
    }
    return 0;
}

static void map_direct(phys_t start, phys_t end)
{
    const u64 large = 2 << 20;

    for (phys_t pa = ALIGN_DOWN(start, large); pa < end; pa += large) {
        pte_t *slot = pagetable_walk(&kernel_pt, DIRECT_BASE + pa, 1, true, false);

        BUG_ON(!slot);
        pte_set(slot, (pte_t){pte_make(pa >> PAGE_SHIFT, PTE_WRITE).bits | P_LARGE});
    }
}

void *ioremap(phys_t pa, size_t size)
{
    u64 off = pa & ~PAGE_MASK, va = vmap_next;

    size = ALIGN_UP(size + off, PAGE_SIZE);
    vmap_next += size + PAGE_SIZE;
    if (kernel_map(va, pa - off, size, PTE_WRITE | PTE_NOCACHE))
        return NULL;
    return (void *)(va + off);
}

/* Runs on the boot tables, which map the first GiB; frames for tables come from there. */
void paging_init(void)
{
    u32 a, b, c, d;
    struct page *p;
    u64 va;

    cpuid(0x80000001, 0, &a, &b, &c, &d);
    have_nx = d & (1u << 20);
    p = alloc_page(GFP_ZERO);
    BUG_ON(!p);
    list_init(&kernel_pt.tables);
    kernel_pt.root = page_frame(p);
    pagetable_add(&kernel_pt, p);
    for (int i = 0; i < boot_ram_count; i++)
        map_direct(boot_ram[i].start, boot_ram[i].end);
    for (int i = 0; i < boot_module_count; i++)
        map_direct(boot_modules[i].start, boot_modules[i].end);
    map_direct(0, 1 << 20);
    for (va = KERNEL_BASE + 0x100000; va < (u64)text_end; va += PAGE_SIZE)
        kernel_map(va, va - KERNEL_BASE, PAGE_SIZE, PTE_EXEC);
    for (; va < (u64)rodata_end; va += PAGE_SIZE)
        kernel_map(va, va - KERNEL_BASE, PAGE_SIZE, PTE_READ);
    for (; va < (u64)image_end; va += PAGE_SIZE)
        kernel_map(va, va - KERNEL_BASE, PAGE_SIZE, PTE_WRITE);
    BUG_ON(!pagetable_walk(&kernel_pt, VMAP_BASE, 0, true, false)); /* its top-level entry */
    pagetable_load_kernel();
}
