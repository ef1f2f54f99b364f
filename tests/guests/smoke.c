/* SPDX-License-Identifier: MIT */
/*
 * The smallest test guest: one line for each thing that every other image takes for granted
 * (console, start_info, page tables, a page fault, an event, the clock, power-off).  The first
 * image to try on a hypervisor that is new or broken: what it prints last says how far that got.
 */
#include "rt.h"

#define WINDOW 0x10000000000ul

static volatile int got;

static void on_event(uint32_t port)
{
    got = (int)port;
}

void rt_image_main(void)
{
    rt_printf("smoke: magic %s, command line '%s'\n", (const char *)rt_si->magic, rt_cmdline);
    rt_printf("smoke: version %lx\n", rt_version(XENVER_version, NULL));

    uint64_t *l1 = rt_build_l1(WINDOW);
    int *page = rt_page();
    int64_t ret = rt_mmu_update(rt_maddr(l1), rt_mfn(page) << 12 | PTE_RW);
    *(volatile int *)WINDOW = 42;
    rt_printf("smoke: mmu_update %ld, through the window %d\n", ret, *page);
    ret = rt_va_map(WINDOW, 0, XEN_UVMF_INVLPG);
    rt_printf("smoke: unmap %ld, then trap %d", ret, RT_TRY("movl $1, (%0)", ::"r"(WINDOW)));
    rt_printf(" error %lx cr2 %lx\n", rt_seen.error, rt_seen.cr2);

    uint32_t port = rt_bind_ipi(0);
    rt_on_port(port, on_event);
    rt_events_on();
    ret = rt_send(port);
    rt_printf("smoke: send %ld, event %s\n", ret, got == (int)port ? "taken" : "LOST");
    uint64_t a = rt_now(), b = rt_now();
    rt_printf("smoke: the clock %s\n", b > a ? "runs" : "STANDS");
    rt_printf("smoke: done\n");
}
