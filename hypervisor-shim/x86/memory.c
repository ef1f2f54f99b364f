/* SPDX-License-Identifier: MIT
 *
 * memory.c - machine memory at boot, and the hypervisor's slots of every address space.
 *
 * Invariants: slots 256..271 are the same in every L4 (plat_root_init); the image is mapped by
 * 4 KiB pages, code read-only and executable, constants read-only, the rest not executable; the
 * direct map's other pages are never executable; guests reach the M2P alone, read-only.
 * After memory_init() all RAM that nobody uses is the frame allocator's.
 */
#include "x86.h"
#include "../core/frame.h"
#include "../core/platform.h"

extern uint64_t boot_l4[512], boot_l3[512], boot_l2[4][512];
extern char image_start[], text_start[], rodata_start[], data_start[], image_end[];

uint8_t *plat_ram = (uint8_t *)DIRECT_BASE;
uint64_t idle_root;

static uint64_t m2p_l3[512] __attribute__((aligned(4096), section(".bss.page")));
static uint64_t m2p_l2[512] __attribute__((aligned(4096), section(".bss.page")));
static uint64_t desc_l3[512] __attribute__((aligned(4096), section(".bss.page")));
static uint64_t fixmap_l3[512] __attribute__((aligned(4096), section(".bss.page")));
static uint64_t image_l1[2][512] __attribute__((aligned(4096), section(".bss.page")));

/* What boot has taken out of RAM: the first megabyte, the image, modules, our own tables. */
static struct boot_range taken[BOOT_MODULES + 16];
static unsigned taken_count;
static bool frames_ready;

enum { MB2 = 0x200000 };

static uint64_t round_up(uint64_t v, uint64_t to)
{
    return (v + to - 1) & ~(to - 1);
}

/* Keep `taken` sorted by start. */
static void take(uint64_t start, uint64_t end)
{
    unsigned i = taken_count++;

    start &= ~(uint64_t)PV_PAGE_MASK;
    end = round_up(end, PV_PAGE_SIZE);
    for (; i > 0 && taken[i - 1].start > start; i--)
        taken[i] = taken[i - 1];
    taken[i] = (struct boot_range){start, end};
}

static bool is_taken(uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < taken_count; i++)
        if (start < taken[i].end && taken[i].start < end)
            return true;
    return false;
}

/* Zeroed memory below 4 GiB, from the top down; before the frame allocator lives. */
static void *boot_alloc(uint64_t bytes, uint64_t align)
{
    bytes = round_up(bytes, PV_PAGE_SIZE);
    for (unsigned r = boot_info.ranges; r-- > 0;) {
        struct boot_range *ram = &boot_info.ram[r];
        uint64_t at = ram->end < 1ul << 32 ? ram->end : 1ul << 32;

        if (at < bytes)
            continue;
        for (at = (at - bytes) & ~(align - 1); at >= ram->start && at != 0; at -= align)
            if (!is_taken(at, at + bytes)) {
                take(at, at + bytes);
                return memset(phys_to_virt(at), 0, bytes);
            }
    }
    hv_panic("no %lu KiB of memory for the hypervisor's own tables", bytes >> 10);
}

static void *table_alloc(void)
{
    void *t = frames_ready ? frame_hv_alloc(0) : boot_alloc(PV_PAGE_SIZE, PV_PAGE_SIZE);

    if (t == NULL)
        hv_panic("no memory for the hypervisor's page tables");
    return t;
}

static uint64_t *table_below(uint64_t *entry)
{
    if (!(*entry & PTE_P))
        *entry = virt_to_phys(table_alloc()) | PTE_P | PTE_W | PTE_A;
    return phys_to_virt(*entry & 0xffffffffff000ul);
}

static uint64_t *walk_to_l2(uint64_t va)
{
    return &table_below(&table_below(&boot_l4[SLOT_OF(va)])[va >> 30 & 511])[va >> 21 & 511];
}

void hv_map(uint64_t va, uint64_t entry)
{
    table_below(walk_to_l2(va))[va >> 12 & 511] = entry;
    invlpg(va);
}

/* A table of the caller's for the 2 MiB at va; NULL: none. */
void hv_map_table(uint64_t va, uint64_t *table)
{
    *walk_to_l2(va) = table ? virt_to_phys(table) | PTE_P | PTE_W | PTE_A : 0;
}

void *mmio_map(uint64_t phys, size_t bytes)
{
    static uint64_t next = FIXMAP_BASE;
    uint64_t va = next + (phys & PV_PAGE_MASK);

    for (uint64_t p = phys & ~(uint64_t)PV_PAGE_MASK; p < phys + bytes; p += PV_PAGE_SIZE) {
        hv_map(next, p | PTE_P | PTE_W | PTE_PCD | PTE_PWT | PTE_A | PTE_D | PTE_NX);
        next += PV_PAGE_SIZE;
    }
    return (void *)va;
}

static uint64_t image_bits(uint64_t va)
{
    bool boot = va < (uint64_t)image_start + PV_PAGE_SIZE;

    if (va < (uint64_t)image_start || va >= (uint64_t)image_end || va >= (uint64_t)data_start ||
        (!boot && va < (uint64_t)text_start))
        return PTE_W | PTE_NX;
    return va >= (uint64_t)rodata_start || boot ? PTE_NX : 0;
}

/* RAM beyond 4 GiB joins what boot.S mapped; then every page gets its proper rights. */
static void direct_map(uint64_t top)
{
    uint64_t leaf = PTE_P | PTE_A | PTE_D;
    uint64_t first = ((uint64_t)image_start - DIRECT_BASE) & ~(uint64_t)(MB2 - 1);

    for (uint64_t p = 1ul << 32; p < top; p += MB2)
        *walk_to_l2(DIRECT_BASE + p) = p | leaf | PTE_W | PTE_PS | PTE_NX;
    for (uint64_t p = 0; p < 1ul << 32; p += MB2)
        boot_l2[p >> 30][p >> 21 & 511] = p | leaf | PTE_W | PTE_PS | PTE_NX;
    for (unsigned t = 0; t < 2; t++) {
        uint64_t p = first + t * MB2;

        for (unsigned i = 0; i < 512; i++, p += PV_PAGE_SIZE)
            image_l1[t][i] = p | leaf | image_bits(DIRECT_BASE + p);
        p -= MB2;
        boot_l2[0][p >> 21] = virt_to_phys(image_l1[t]) | PTE_P | PTE_W | PTE_A;
    }
    if (virt_to_phys(image_end) > first + 2 * MB2)
        hv_panic("the image has outgrown its %u page tables", 2);
}

static void m2p_map(uint64_t bytes)
{
    boot_l4[SLOT_OF(M2P_BASE)] = virt_to_phys(m2p_l3) | PTE_P | PTE_U | PTE_A;
    m2p_l3[0] = virt_to_phys(m2p_l2) | PTE_P | PTE_U | PTE_A;
    for (uint64_t b = 0; b < bytes; b += MB2)
        m2p_l2[b >> 21] = (virt_to_phys(frame_m2p) + b) | PTE_P | PTE_U | PTE_PS | PTE_A | PTE_NX;
}

/* Whatever of [start, end) is not taken goes to the frame allocator. */
static void give(uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < taken_count && start < end; i++) {
        if (taken[i].end <= start || taken[i].start >= end)
            continue;
        if (taken[i].start > start)
            frame_add_memory(mfn_of_maddr(start), mfn_of_maddr(taken[i].start));
        start = taken[i].end;
    }
    if (start < end)
        frame_add_memory(mfn_of_maddr(start), mfn_of_maddr(end));
}

void memory_init(void)
{
    uint64_t top = 0, m2p_bytes;

    take(0, 0x100000);
    take(virt_to_phys(image_start), virt_to_phys(image_end));
    for (unsigned i = 0; i < boot_info.modules; i++)
        take(boot_info.module[i].start, boot_info.module[i].end);
    for (unsigned i = 0; i < boot_info.ranges; i++)
        if (boot_info.ram[i].end > top)
            top = boot_info.ram[i].end;
    if (top > 1ul << 39)
        top = 1ul << 39; /* one L2 of M2P: 512 GiB; what lies above stays unused */

    direct_map(top);
    boot_l4[SLOT_OF(DESC_BASE)] = virt_to_phys(desc_l3) | PTE_P | PTE_W | PTE_A;
    boot_l4[SLOT_OF(FIXMAP_BASE)] = virt_to_phys(fixmap_l3) | PTE_P | PTE_W | PTE_A;
    frame_count = top >> PV_PAGE_SHIFT;
    m2p_bytes = round_up(frame_count * 8, MB2);
    frame_m2p = boot_alloc(m2p_bytes, MB2);
    memset(frame_m2p, 0xff, m2p_bytes);
    frame_table = boot_alloc(frame_count * sizeof(struct frame), PV_PAGE_SIZE);
    m2p_map(m2p_bytes);
    boot_l4[0] = 0;
    idle_root = virt_to_phys(boot_l4);
    write_cr3(idle_root);

    for (unsigned i = 0; i < boot_info.ranges; i++)
        if (boot_info.ram[i].start < top)
            give(boot_info.ram[i].start, boot_info.ram[i].end < top ? boot_info.ram[i].end : top);
    frames_ready = true;
}

void memory_release_modules(void)
{
    for (unsigned i = 0; i < boot_info.modules; i++) {
        uint64_t start = round_up(boot_info.module[i].start, PV_PAGE_SIZE);
        uint64_t end = boot_info.module[i].end & ~(uint64_t)PV_PAGE_MASK;

        if (start < end)
            frame_add_memory(mfn_of_maddr(start), mfn_of_maddr(end));
    }
    boot_info.modules = 0;
}

uint64_t memory_size(void)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < boot_info.ranges; i++)
        bytes += boot_info.ram[i].end - boot_info.ram[i].start;
    return bytes;
}

/* Firmware keeps its tables just below the end of low RAM; boards end it at a multiple of 1 MiB. */
uint64_t memory_low(void)
{
    uint64_t low = 0;

    for (unsigned i = 0; i < boot_info.ranges; i++)
        if (boot_info.ram[i].end <= 1ul << 32 && boot_info.ram[i].end > low)
            low = boot_info.ram[i].end;
    return round_up(low, 1 << 20);
}

void plat_root_init(uint64_t *l4)
{
    for (unsigned s = HV_SLOT_FIRST; s <= HV_SLOT_LAST; s++)
        l4[s] = boot_l4[s];
}

void plat_root_load(mfn_t root)
{
    write_cr3(root.n << PV_PAGE_SHIFT);
}

void plat_tlb_flush(void)
{
    write_cr3(read_cr3());
}

void plat_tlb_flush_page(uint64_t va)
{
    invlpg(va);
}

uint64_t plat_maddr(const void *p)
{
    return virt_to_phys(p);
}
