/* SPDX-License-Identifier: MIT */
/*
 * memory.c - the balloon's two movements.
 *
 * Invariant: p2m, m2p and the linear map agree on every frame before a call returns; in between, a
 * frame without memory has neither a mapping nor a p2m entry.
 */
#include <pv/memory.h>
#include <pv/host.h>
#include <pv/hypercall.h>
#include <pv/pagetable.h>
#include "internal.h"

static uint64_t query(uint32_t cmd)
{
    struct xen_memory_domain self = {.domid = XEN_DOMID_SELF};
    int64_t n = pv_hypercall_memory_op(cmd, &self);

    return n < 0 ? 0 : (uint64_t)n;
}

uint64_t pv_memory_current(void)
{
    return query(XENMEM_current_reservation);
}

uint64_t pv_memory_maximum(void)
{
    return query(XENMEM_maximum_reservation);
}

bool pv_memory_is_present(pfn_t frame)
{
    return mfn_valid(pv_p2m(frame));
}

static int64_t reserve(uint32_t cmd, uint64_t *frames, unsigned n)
{
    struct xen_memory_reservation r = {
        .extent_start = pv_gptr(frames),
        .nr_extents = n,
        .domid = XEN_DOMID_SELF,
    };

    return pv_hypercall_memory_op(cmd, &r);
}

static int map_linear(pfn_t f)
{
    return pv_pt_unprotect(f);
}

static int unmap_linear(pfn_t f)
{
    return pv_pt_set_va((uint64_t)(uintptr_t)pv_host_page_va(f), pv_pte_none(), PV_FLUSH_PAGE_ALL);
}

unsigned pv_memory_release(const pfn_t *frames, unsigned n)
{
    uint64_t machine[PV_MEMORY_CHUNK];
    unsigned ready;
    int64_t gone;

    if (n > PV_MEMORY_CHUNK)
        n = PV_MEMORY_CHUNK;
    for (ready = 0; ready < n; ready++) {
        mfn_t m = pv_p2m(frames[ready]);

        if (!mfn_valid(m) || unmap_linear(frames[ready]) != 0)
            break;
        machine[ready] = m.n;
        pv_p2m_set(frames[ready], PV_MFN_INVALID);
    }
    gone = ready ? reserve(XENMEM_decrease_reservation, machine, ready) : 0;
    if (gone < 0)
        gone = 0;
    for (unsigned i = (unsigned)gone; i < ready; i++) {
        pv_p2m_set(frames[i], mfn(machine[i]));
        map_linear(frames[i]);
    }
    return (unsigned)gone;
}

unsigned pv_memory_reclaim(const pfn_t *frames, unsigned n)
{
    uint64_t list[PV_MEMORY_CHUNK];
    unsigned ready;
    int64_t got;

    if (n > PV_MEMORY_CHUNK)
        n = PV_MEMORY_CHUNK;
    for (ready = 0; ready < n && !pv_memory_is_present(frames[ready]); ready++)
        list[ready] = frames[ready].n;
    /* Frame numbers go in, machine frames come out; the hypervisor writes the m2p. */
    got = ready ? reserve(XENMEM_populate_physmap, list, ready) : 0;
    if (got < 0)
        got = 0;
    for (unsigned i = 0; i < (unsigned)got; i++) {
        pv_p2m_set(frames[i], mfn(list[i]));
        if (map_linear(frames[i]) != 0)
            pv_host_panic("memory came back that can't be mapped");
    }
    return (unsigned)got;
}
