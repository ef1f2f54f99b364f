/* SPDX-License-Identifier: MIT */
/*
 * 02-pagetables - an address space of one's own: create, switch, update, and a refusal.
 *
 * The kernel names frames by pfn_t throughout. The hypervisor validates each change; the last part
 * asks for what it must refuse, a writable view of a page table. (The shim says why on its
 * console.)
 */
#include <pv/pv.h>

#define WINDOW 0x10000000000UL /* an L4 slot that the kernel does not use */
#define RW     (PV_PRESENT | PV_WRITE | PV_ACCESSED | PV_DIRTY)
#define RO     (PV_PRESENT | PV_ACCESSED)

static void must(int err, const char *what)
{
    if (err == 0)
        return;
    pv_printf("%s failed: %s\n", what, pv_error_name(err));
    pv_sched_crash();
}

/* A new frame that holds a text. */
static pfn_t page_with(const char *text)
{
    pfn_t frame = pv_host_page_alloc();
    char *p = pv_host_page_va(frame);

    while ((*p++ = *text++))
        ;
    return frame;
}

static void update(struct pv_space *s, pfn_t first, pfn_t second)
{
    volatile char *window = (volatile char *)WINDOW;

    must(pv_space_map(s, WINDOW, first, RW), "map");
    must(pv_space_switch(s), "switch");
    pv_printf("in the new space the window shows: %s\n", (char *)WINDOW);
    window[0] = 'F';
    pv_printf("written through the window, seen in the kernel's map: %s\n",
              (char *)pv_host_page_va(first));

    must(pv_space_map(s, WINDOW, second, RO), "update");
    must(pv_tlb_flush_page(WINDOW), "flush");
    pv_printf("after an update it shows: %s\n", (char *)WINDOW);
    pv_printf("the entry decodes to the same frame: %s\n",
              pfn_eq(pv_pte_pfn(pv_space_lookup(s, WINDOW)), second) ? "yes" : "no");
}

static void many_at_once(struct pv_space *s, pfn_t frame)
{
    static struct pv_batch batch;
    unsigned seen = 0;

    pv_lazy_begin(&batch);
    for (unsigned i = 1; i <= 100; i++)
        pv_space_map(s, WINDOW + i * PV_PAGE_SIZE, frame, RO);
    must(pv_lazy_end(), "batch");
    for (unsigned i = 1; i <= 100; i++)
        seen += *(volatile char *)(WINDOW + i * PV_PAGE_SIZE) == 's';
    pv_printf("a batch of 100 updates: %u pages can be read\n", seen);
}

int pv_host_main(const char *cmdline)
{
    pfn_t first = page_with("first page"), second = page_with("second page");
    struct pv_space s;

    (void)cmdline;
    must(pv_space_create(&s), "create");
    update(&s, first, second);
    many_at_once(&s, second);

    pv_printf("a read-only view of a page table: %s\n",
              pv_error_name(pv_space_map(&s, WINDOW, s.kernel, RO)));
    pv_printf("a writable view of a page table: %s\n",
              pv_error_name(pv_space_map(&s, WINDOW, s.kernel, RW)));
    pv_printf("making the page table itself writable: %s\n",
              pv_error_name(pv_pt_unprotect(s.kernel)));

    must(pv_space_switch(pv_space_kernel()), "switch back");
    must(pv_space_destroy(&s), "destroy");
    pv_printf("the space is gone, its frames are ordinary memory again\n");
    return 0;
}
