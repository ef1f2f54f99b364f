/* SPDX-License-Identifier: MIT */
/*
 * start.c - start of day: start_info, p2m and m2p, shared_info, the command line.
 *
 * Invariant: pv_machine is complete before anything else of the library is used, and changes
 * afterwards only in a suspend; the p2m's entries do change (memory.c).
 */
#include <pv/start.h>
#include <pv/console.h>
#include <pv/host.h>
#include <pv/hypercall.h>
#include <pv/sched.h>
#include "internal.h"

struct pv_machine pv_machine;
const uint64_t *pv_pte_frames;

static struct xen_shared_info *shared_window;

/* Beyond the last entry of the m2p that has memory behind it a look-up would fault. */
static void find_m2p(void)
{
    struct xen_machphys_mapping map;
    int64_t top;

    pv_machine.m2p_entries = XEN_MACH2PHYS_NR_ENTRIES;
    if (pv_hypercall_memory_op(XENMEM_machphys_mapping, &map) == 0)
        pv_machine.m2p_entries = map.max_mfn + 1;
    top = pv_hypercall_memory_op(XENMEM_maximum_ram_page, NULL);
    if (top > 0 && (uint64_t)top < pv_machine.m2p_entries)
        pv_machine.m2p_entries = (uint64_t)top + 1;
}

pfn_t pv_start_frame(const void *va)
{
    return pfn(((uintptr_t)va - pv_machine.virt_base) >> PV_PAGE_SHIFT);
}

int pv_start_map_shared(void)
{
    const struct xen_start_info *si = pv_machine.info;
    mfn_t tables = pv_p2m(pv_start_frame((const void *)si->pt_base));
    int err = pv_window_map(shared_window, mfn_of_maddr(si->shared_info), true);

    if (err)
        return err;
    pv_machine.shared = shared_window;
    /* Where a toolstack that saves the guest finds the p2m. */
    shared_window->arch.max_pfn = pv_machine.nr_pages;
    shared_window->arch.p2m_vaddr = (uintptr_t)pv_machine.p2m;
    shared_window->arch.p2m_cr3 = mfn_valid(tables) ? mfn_to_maddr(tables) : 0;
    return 0;
}

int pv_start_unmap_shared(void)
{
    int err = pv_window_map(shared_window, PV_MFN_INVALID, false);

    if (err == 0)
        pv_machine.shared = NULL;
    return err;
}

int pv_start_resume(void)
{
    find_m2p();
    pv_console_init(pv_machine.info);
    return pv_start_map_shared();
}

int pv_start_init(const struct xen_start_info *si, void *virt_base)
{
    int err;

    pv_machine.info = si;
    pv_machine.virt_base = (uintptr_t)virt_base;
    pv_machine.p2m = (uint64_t *)si->mfn_list;
    pv_machine.nr_pages = si->nr_pages;
    if (!pv_machine.m2p)
        pv_machine.m2p = (const uint64_t *)XEN_MACH2PHYS_VIRT_START;
    pv_pte_frames = pv_machine.m2p;
    pv_machine.m2p_entries = XEN_MACH2PHYS_NR_ENTRIES;
    pv_console_init(si);
    find_m2p();
    shared_window = pv_host_window_alloc(1);
    if (!shared_window)
        return -XEN_ENOMEM;
    err = pv_start_map_shared();
    if (err == 0) {
        pv_vcpu_info_init();
        pv_time_begin(0);
    }
    return err;
}

PV_NORETURN void pv_start_main(const struct xen_start_info *si, void *virt_base)
{
    if (pv_start_init(si, virt_base) != 0)
        pv_host_panic("shared_info could not be mapped");
    pv_sched_shutdown(pv_host_main(pv_start_cmdline()) == 0 ? XEN_SHUTDOWN_poweroff
                                                            : XEN_SHUTDOWN_crash);
}

void pv_p2m_set(pfn_t frame, mfn_t machine)
{
    if (frame.n < pv_machine.nr_pages)
        pv_machine.p2m[frame.n] = machine.n;
}

const struct xen_start_info *pv_start_info(void)
{
    return pv_machine.info;
}

struct xen_shared_info *pv_start_shared(void)
{
    return pv_machine.shared;
}

uint64_t pv_start_pages(void)
{
    return pv_machine.info->nr_pages;
}

bool pv_start_is_initial(void)
{
    return pv_machine.info->flags & XEN_SIF_INITDOMAIN;
}

bool pv_start_has_feature(unsigned feature)
{
    struct xen_feature_info fi = {.submap_idx = feature / 32};

    return pv_hypercall_xen_version(XENVER_get_features, &fi) == 0 &&
           (fi.submap >> (feature % 32) & 1);
}

const void *pv_start_ramdisk(size_t *bytes)
{
    const struct xen_start_info *si = pv_machine.info;

    *bytes = si->mod_start ? si->mod_len : 0;
    if (!*bytes)
        return NULL;
    if (si->flags & XEN_SIF_MOD_START_PFN)
        return pv_host_page_va(pfn(si->mod_start));
    return (const void *)si->mod_start;
}

const char *pv_start_cmdline(void)
{
    return (const char *)pv_machine.info->cmd_line;
}

/* Where `name` ends at the beginning of a word, or NULL if the word begins otherwise. */
static const char *after_name(const char *word, const char *name)
{
    while (*name && *word == *name)
        word++, name++;
    return *name ? NULL : word;
}

const char *pv_start_option(const char *name, size_t *len)
{
    const char *word = pv_start_cmdline(), *found = NULL;

    *len = 0;
    while (*word) {
        const char *end = word, *after = after_name(word, name);

        while (*end && *end != ' ')
            end++;
        if (after && after <= end && (after == end || *after == '=')) {
            found = after == end ? end : after + 1;
            *len = (size_t)(end - found);
        }
        for (word = end; *word == ' ';)
            word++;
    }
    return found;
}

uint64_t pv_start_number(const char *name, uint64_t otherwise)
{
    size_t len;
    const char *p = pv_start_option(name, &len);
    uint64_t value = 0, base = 10;

    if (!p || !len)
        return otherwise;
    if (len > 2 && p[0] == '0' && p[1] == 'x') {
        base = 16;
        p += 2;
        len -= 2;
    }
    for (; len; len--, p++) {
        unsigned digit = *p >= '0' && *p <= '9'   ? (unsigned)(*p - '0')
                         : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a') + 10
                                                  : 16;
        if (digit >= base || value > (~(uint64_t)0 - digit) / base)
            return otherwise;
        value = value * base + digit;
    }
    return value;
}
