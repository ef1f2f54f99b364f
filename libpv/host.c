/* SPDX-License-Identifier: MIT */
/*
 * host.c - the weak defaults of host.h's hooks: enough kernel for a kernel that has none.
 *
 * The default allocator lives off the tail of the initial mapping: the ABI promises at least
 * 512 KiB beyond the boot stack, rounded up to the next 4 MiB. A frame that is free holds the
 * number of the next one in its first word.
 */
#include <pv/host.h>
#include <pv/console.h>
#include <pv/event.h>
#include <pv/sched.h>
#include <pv/trap.h>

/* Before its first use, which is in internal.h. */
unsigned pv_host_cpu(void) __attribute__((weak, alias("pv_host_cpu_default")));

#include "internal.h"

#define WEAK         __attribute__((weak))
#define WINDOW_PAGES 16
#define BOOT_PADDING (512 << 10)
#define BOOT_ALIGN   ((uintptr_t)4 << 20)

static char window[WINDOW_PAGES][PV_PAGE_SIZE] __attribute__((aligned(PV_PAGE_SIZE)));
static unsigned window_used;

/* Frames [fresh, fresh_end) were never given out; released ones form a list. */
static pfn_t fresh, fresh_end;
static pfn_t released;
static bool pool_ready, pool_only;

WEAK int pv_host_main(const char *cmdline)
{
    (void)cmdline;
    pv_printf("libpv: this kernel defines no pv_host_main()\n");
    return 1;
}

static void pool_init(void)
{
    const struct xen_start_info *si = pv_machine.info;
    uintptr_t base = pv_machine.virt_base;
    uintptr_t first = si->pt_base + (si->nr_pt_frames + 1) * PV_PAGE_SIZE; /* +1: boot stack */
    uintptr_t end = (first + BOOT_PADDING + BOOT_ALIGN - 1) & ~(BOOT_ALIGN - 1);

    fresh = pfn((first - base) >> PV_PAGE_SHIFT);
    fresh_end = pfn((end - base) >> PV_PAGE_SHIFT);
    if (fresh_end.n > pv_machine.nr_pages)
        fresh_end = pfn(pv_machine.nr_pages);
    released = PV_PFN_INVALID;
    pool_ready = true;
}

static pfn_t pool_alloc(void)
{
    bool state = pv_lock();
    pfn_t got = PV_PFN_INVALID;

    if (!pool_ready)
        pool_init();
    if (pfn_valid(released)) {
        got = released;
        released = *(pfn_t *)pv_host_page_va(got);
    } else if (fresh.n < fresh_end.n) {
        got = fresh;
        fresh = pfn_add(fresh, 1);
    }
    pv_unlock(state);
    return got;
}

/* While the linear map is being made the pool serves, whoever allocates later. */
pfn_t pv_pool_begin(void)
{
    if (!pool_ready)
        pool_init();
    pool_only = true;
    return fresh_end;
}

void pv_pool_extend(pfn_t end)
{
    fresh_end = end;
}

/* Takes all from the pool that was never given out: the frames from the result on. */
pfn_t pv_pool_end(void)
{
    pfn_t first = fresh;

    fresh = fresh_end;
    pool_only = false;
    return first;
}

void pv_pool_resume(pfn_t first)
{
    fresh = first;
}

pfn_t pv_frame_alloc(void)
{
    return pool_only ? pool_alloc() : pv_host_page_alloc();
}

WEAK pfn_t pv_host_page_alloc(void)
{
    return pool_alloc();
}

WEAK void pv_host_page_free(pfn_t frame)
{
    bool state = pv_lock();

    *(pfn_t *)pv_host_page_va(frame) = released;
    released = frame;
    pv_unlock(state);
}

WEAK void *pv_host_page_va(pfn_t frame)
{
    return (void *)(pv_machine.virt_base + (frame.n << PV_PAGE_SHIFT));
}

WEAK void *pv_host_window_alloc(unsigned pages)
{
    void *va = NULL;
    bool state = pv_lock();

    if (pages <= WINDOW_PAGES - window_used) {
        va = window[window_used];
        window_used += pages;
    }
    pv_unlock(state);
    return va;
}

unsigned pv_host_cpu_default(void)
{
    return 0;
}

WEAK void pv_host_lock(void) {}

WEAK void pv_host_unlock(void) {}

WEAK void pv_host_relax(void)
{
    pv_sched_yield();
}

WEAK PV_NORETURN void pv_host_panic(const char *why)
{
    pv_printf("libpv: %s\n", why);
    pv_sched_crash();
}

WEAK void pv_host_trap(struct pv_regs *regs)
{
    pv_trap_print(regs);
    pv_sched_crash();
}

WEAK void pv_host_event(uint32_t port, struct pv_regs *regs)
{
    (void)regs;
    pv_event_mask(port);
}
