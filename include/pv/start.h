/* SPDX-License-Identifier: MIT */
/*
 * start.h - the first instructions of a guest, and what it was given.
 *
 * A kernel begins in one of two ways:
 *
 *   small kernels   link with libpv's linker script (pv.ld). Execution begins at pv_entry, which
 *                   sets up a stack, calls pv_start_init() and then pv_host_main() (host.h).
 *   others          bring their own entry point, ELF notes and linker script, put the hypercall
 *                   page at pv_hypercall_page, and call pv_start_init() before all else of libpv.
 *
 * The state on entry, by the ABI: rsi is the virtual address of start_info, rsp a stack of one
 * page, events are masked, no trap is handled, and the initial page tables map the image, the
 * ramdisk, the p2m list, start_info, the rings and the tables themselves.
 * Reference: abi/start_info.h, abi/elfnote.h.
 */
#ifndef PV_START_H
#define PV_START_H

#include <pv/types.h>
#include <pv/abi/start_info.h>
#include <pv/abi/xen.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Takes possession of the machine: remembers start_info, opens the console (the first thing it
 * does, so that all later trouble can be printed), finds p2m and m2p, maps shared_info.
 *
 * si         what rsi pointed to; stays where it is, libpv keeps the pointer
 * virt_base  the value of the image's XEN_ELFNOTE_VIRT_BASE: where frame 0 is mapped
 *
 * Returns 0, -XEN_ENOMEM without a window (host.h), or -XEN_E* of the hypercall that mapped
 * shared_info; then there are no events and no time, but the console works. To be called once, on
 * vCPU 0.
 */
int pv_start_init(const struct xen_start_info *si, void *virt_base);

/* The guest's command line, ending with 0. Never NULL. */
const char *pv_start_cmdline(void);

/*
 * The value of NAME=value on the command line, or NULL. *len receives its length (to the next
 * blank or the end). A word NAME alone gives "" and 0. The last of several wins.
 */
const char *pv_start_option(const char *name, size_t *len);

/* NAME=number (decimal, or 0x...), or `otherwise` when it is not there or not a number. */
uint64_t pv_start_number(const char *name, uint64_t otherwise);

/* The ramdisk and its size in bytes, or NULL and 0. */
const void *pv_start_ramdisk(size_t *bytes);

/* Frames 0 .. this-1 are the guest's at the start. */
uint64_t pv_start_pages(void);

/* The first domain of the machine, which may use console_io (XEN_SIF_INITDOMAIN). */
bool pv_start_is_initial(void);

/* Does the hypervisor have feature XENFEAT_*? Asks it each time. */
bool pv_start_has_feature(unsigned feature);

/* start_info itself, and shared_info as mapped by pv_start_init() (NULL before). */
const struct xen_start_info *pv_start_info(void);
struct xen_shared_info *pv_start_shared(void);

/*
 * Says in the image what the kernel cannot do without beyond the hypervisor, as words in one string
 * literal ("xenstore"; at file level, once). Hypervisors do not read it. pvctl does: on real Xen it
 * then runs the guest beside a dom0 that has that, instead of as Xen's only domain. The note's
 * owner is "libpv", its type PV_NOTE_NEEDS.
 */
#define PV_NOTE_NEEDS 1
#define PV_NEEDS(words)                                                     \
    __asm__(".pushsection .note.Xen, \"a\", @note\n"                        \
            ".balign 4\n.long 6, 2f - 1f, 1\n.asciz \"libpv\"\n.balign 4\n" \
            "1: .asciz \"" words "\"\n2: .balign 4\n.popsection")

/* libpv's entry point and hypercall page; in assembly, not to be called. */
void pv_entry(void);
extern char pv_hypercall_page[PV_PAGE_SIZE];

#ifdef __cplusplus
}
#endif
#endif
