/* SPDX-License-Identifier: MIT */
/*
 * host.h - the contract between libpv and the kernel that links it.
 *
 *          kernel
 *        |        ^
 *    pv_*|        | pv_host_*      <- this header, nothing else
 *        v        |
 *          libpv
 *            |
 *         pv_trap -> hypervisor
 *
 * libpv calls these functions and, beyond them, memcpy, memmove, memset and memcmp only. Each has
 * a weak default in libpv/host.c that serves a small kernel of one vCPU: define a function of the
 * same name and yours is linked in its stead. No hook is called before pv_start_init() has run,
 * except that it needs one page of pv_host_window_alloc() itself.
 *
 * What a hook must never do: keep a machine frame, edit a page table, or call the function of
 * libpv that called it.
 */
#ifndef PV_HOST_H
#define PV_HOST_H

#include <pv/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pv_regs;

/*
 * The kernel's first function, for kernels that begin at libpv's own entry point (pv_entry, see
 * start.h). Runs on a stack of 16 KiB, with events masked. cmdline ends with 0.
 * The machine is powered off when it returns 0, and crashed otherwise.
 * Default: says that it is missing, returns 1.
 */
int pv_host_main(const char *cmdline);

/*
 * Gives a free frame of the guest's own memory, or PV_PFN_INVALID when there is none. libpv uses
 * frames for page tables and for pages that it shares. The contents do not matter.
 * Context: whatever context called libpv; pv_host_lock() is not held.
 * Default: a free list over what the initial mapping covers beyond the boot stack.
 */
pfn_t pv_host_page_alloc(void);

/* Takes back a frame that pv_host_page_alloc() gave. Its linear mapping is writable again. */
void pv_host_page_free(pfn_t frame);

/*
 * The virtual address at which the kernel maps a frame for good (its "linear" or "direct" map).
 * Default: virt_base + 4096 * frame, which is right for frames that the initial mapping covers.
 */
void *pv_host_page_va(pfn_t frame);

/*
 * Reserves `pages` consecutive virtual pages, whose level-1 entries exist, for frames that are not
 * in the linear map: shared_info (the first call, from pv_start_init()), the grant table, pages of
 * other guests. Never freed by libpv. Returns NULL when there are none left.
 * Default: 16 pages of .bss, whose own frames are lost meanwhile.
 */
void *pv_host_window_alloc(unsigned pages);

/* The number of the vCPU that we run on, 0 .. XEN_LEGACY_MAX_VCPUS-1. Default: 0. */
unsigned pv_host_cpu(void);

/*
 * Serializes libpv's own bookkeeping (free grants, event handlers) between vCPUs. Held for a few
 * dozen instructions, never around a hypercall that waits. libpv masks events around it, so it
 * need not be safe against event handlers. Default: nothing, for one vCPU.
 */
void pv_host_lock(void);
void pv_host_unlock(void);

/* Called while libpv waits for another guest, e.g. a full console ring. Default: yield. */
void pv_host_relax(void);

/*
 * Something is wrong that can't be returned to a caller. Must not return.
 * Default: prints the text and crashes the guest.
 */
PV_NORETURN void pv_host_panic(const char *why);

/*
 * A trap without a handler (pv_trap_handle()). regs as in trap.h. Returning resumes the
 * interrupted code. Default: prints the registers and crashes the guest.
 */
void pv_host_trap(struct pv_regs *regs);

/*
 * An event on a port without a handler (pv_event_handle()). The pending bit is already clear.
 * Default: masks the port, so that it does not come back.
 */
void pv_host_event(uint32_t port, struct pv_regs *regs);

#ifdef __cplusplus
}
#endif
#endif
