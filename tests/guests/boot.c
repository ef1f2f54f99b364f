/* SPDX-License-Identifier: MIT */
/*
 * boot: what a guest finds at its first instruction.
 *
 * The same source makes three images: `boot` at the usual place in the top 2 GiB, `boot-low` in the
 * user half of the address space, and `boot-p2m`, which wants its p2m at an address of its own
 * choice and its ramdisk by frame number.
 */
#include "t.h"

#ifndef BOOT_NAME
#define BOOT_NAME "boot"
#endif

static void start_info(void)
{
    T_OK(!strncmp((const char *)rt_si->magic, "xen-3.0-x86_64", 14));
    T_OK(rt_si->nr_pages >= 4096); /* 16 MiB, at the least what the tests run with */
    T_EQ((uint64_t)rt_si & (PAGE - 1), 0);
    T_EQ(rt_si->shared_info & (PAGE - 1), 0);
    T_EQ(rt_si->pt_base & (PAGE - 1), 0);
    T_OK(rt_si->nr_pt_frames >= 4);
    T_OK(!(rt_si->flags & ~(uint32_t)XEN_SIF_MOD_START_PFN) || t_privileged());
    /* After a boot, and not after a wish: nothing of the others is set. */
    T_EQ(rt_si->flags &
             ~(uint32_t)(XEN_SIF_PRIVILEGED | XEN_SIF_INITDOMAIN | XEN_SIF_MOD_START_PFN |
                         XEN_SIF_MULTIBOOT_MOD | XEN_SIF_PM_MASK),
         0);
}

/* Frame i's machine frame has i as its pseudo-physical frame, for every i, and none comes twice. */
static void p2m(void)
{
    uint64_t bad = 0;

    for (uint64_t i = 0; i < rt_si->nr_pages; i++) {
        if (RT_M2P[rt_p2m[i]] != i)
            bad++;
    }
    T_EQ(bad, 0);
#ifdef RT_INIT_P2M
    T_EQ(rt_si->mfn_list, RT_INIT_P2M);
    T_OK(rt_si->first_p2m_pfn != 0 && rt_si->nr_p2m_frames >= rt_si->nr_pages / 512);
#else
    T_OK(rt_si->mfn_list >= (uint64_t)rt_image_end && rt_si->mfn_list - RT_BASE < 1ul << 30);
#endif
}

static bool mapped(uint64_t va)
{
    for (int level = 4; level >= 1; level--) {
        uint64_t *e = rt_entry((uint64_t *)rt_si->pt_base, va, level);
        if (!e || !(*e & PTE_P))
            return false;
    }
    return true;
}

/*
 * The initial mapping: from VIRT_BASE on, one page after the other, in the order of the frames; it
 * holds image, p2m (unless elsewhere), start_info, page tables and stack, then at least 512 KiB of
 * nothing, and ends at a multiple of 4 MiB.
 */
static void initial_mapping(void)
{
    uint64_t va = RT_BASE, last = (uint64_t)rt_image_end;

    while (va - RT_BASE < 1ul << 31 && mapped(va)) {
        uint64_t e = *rt_entry((uint64_t *)rt_si->pt_base, va, 1);
        if ((e & PTE_MFN) >> 12 != rt_p2m[(va - RT_BASE) >> 12]) {
            /* shared_info has been mapped over a page of the image by the runtime */
            T_EQ(va, (uint64_t)rt_shared_page);
        }
        va += PAGE;
    }
    T_EQ((va - RT_BASE) & ((4ul << 20) - 1), 0);
    if ((uint64_t)rt_si > last)
        last = (uint64_t)rt_si;
    uint64_t tables = rt_si->pt_base + rt_si->nr_pt_frames * PAGE;
    if (tables > last)
        last = tables;
    T_OK(va >= last + (512ul << 10));
    T_OK(mapped(rt_si->pt_base) && mapped((uint64_t)rt_si));
#ifndef RT_INIT_P2M /* else its tables are not in this mapping, and cannot be walked */
    T_OK(mapped(rt_si->mfn_list));
#endif
}

/* The initial tables are pinned, and read-only where they are mapped. */
static void tables_readonly(void)
{
    for (uint64_t i = 0; i < rt_si->nr_pt_frames; i++) {
        uint64_t va = rt_si->pt_base + i * PAGE;
        uint64_t e = *rt_entry((uint64_t *)rt_si->pt_base, va, 1);
        T_EQ(e & PTE_W, 0);
    }
    T_EQ(rt_mmuext(XEN_MMUEXT_PIN_L4_TABLE, rt_mfn((void *)rt_si->pt_base), 0), -XEN_EINVAL);
    T_OK(t_readonly(rt_si->pt_base));
}

/* Text and read-only data are as writable as everything else: protecting them is the kernel's. */
static void image_writable(void)
{
    T_OK(!t_readonly((uint64_t)rt_stub_table));
}

static void shared_info(void)
{
    T_EQ(rt_shared->vcpu_info[0].time.version & 1, 0);
    T_OK(rt_shared->vcpu_info[0].time.tsc_to_system_mul != 0);
    T_EQ(rt_shared->wc_version & 1, 0);
}

static void processor(void)
{
    uint16_t cs, ss;
    uint64_t flags;

    __asm__ volatile("mov %%cs, %0\n\tmov %%ss, %1" : "=r"(cs), "=r"(ss));
    __asm__ volatile("pushfq\n\tpop %0" : "=r"(flags));
    T_EQ(cs, XEN_FLAT_KERNEL_CS);
    T_EQ(ss, XEN_FLAT_KERNEL_SS);
    T_EQ(flags & 0x200, 0x200); /* real interrupts are the hypervisor's, and on */
    T_EQ(flags & 3 << 12, 0);
}

/* A ramdisk of the words 0, 1, 2 ... is checked when there is one; tests/guests/boot.sh gives it.
 */
static void ramdisk(void)
{
    if (!rt_si->mod_len)
        T_NA("no ramdisk was given");
    uint64_t va = rt_si->mod_start;
    if (rt_si->flags & XEN_SIF_MOD_START_PFN) {
        /* Not mapped: by frame, to be mapped by us. */
        T_OK(va < rt_si->nr_pages);
        for (unsigned i = 0; i < 16 && i * PAGE < rt_si->mod_len; i++)
            T_EQ(rt_va_map(t_win(i), rt_p2m[va + i] << 12 | PTE_RW, XEN_UVMF_INVLPG), 0);
        va = WIN;
    }
    uint64_t n = rt_si->mod_len / 4, bad = 0;
    if (n > 16384)
        n = 16384;
    for (uint64_t i = 0; i < n; i++) {
        if (((uint32_t *)va)[i] != i)
            bad++;
    }
    T_EQ(bad, 0);
    for (unsigned i = 0; i < 16; i++)
        T_EQ(rt_va_map(t_win(i), 0, XEN_UVMF_INVLPG), 0);
}

static void command_line(void)
{
    char word[32];

    if (!rt_value("word", word, sizeof(word)))
        T_NA("no word= was given");
    T_OK(!strcmp(word, "a,b=c;d"));
}

/* Frames beyond the initial mapping are the guest's as well: each can be mapped and is writable. */
static void all_memory(void)
{
    uint64_t bad = 0;

    for (uint64_t i = 0; i < rt_si->nr_pages; i += 61) {
        int64_t ret = rt_va_map(t_win(0), rt_p2m[i] << 12 | PTE_RO, XEN_UVMF_INVLPG);
        if (ret)
            bad++;
    }
    T_EQ(bad, 0);
    uint64_t last = rt_si->nr_pages - 1;
    T_EQ(rt_va_map(t_win(0), rt_p2m[last] << 12 | PTE_RW, XEN_UVMF_INVLPG), 0);
    *(volatile uint64_t *)t_win(0) = 0x1234;
    T_EQ(*(volatile uint64_t *)t_win(0), 0x1234);
    T_EQ(rt_va_map(t_win(0), 0, XEN_UVMF_INVLPG), 0);
}

static const struct test tests[] = {
    {"start-info", start_info},
    {"p2m", p2m},
    {"initial-mapping", initial_mapping},
    {"tables-read-only", tables_readonly},
    {"image-writable", image_writable},
    {"shared-info", shared_info},
    {"processor", processor},
    {"ramdisk", ramdisk},
    {"command-line", command_line},
    {"all-memory", all_memory},
};

void rt_image_main(void)
{
    t_window();
    rt_events_on();
    RUN_TESTS(BOOT_NAME, tests);
}
