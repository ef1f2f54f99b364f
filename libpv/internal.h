/* SPDX-License-Identifier: MIT */
/*
 * internal.h - what libpv's files tell each other and nobody else.
 *
 * Here, and only here, machine frames have a type in the library: p2m and m2p are crossed by the
 * functions below, and every page-table entry passes through pagetable.c's encoder. Never
 * installed.
 */
#ifndef LIBPV_INTERNAL_H
#define LIBPV_INTERNAL_H

#include <pv/types.h>
#include <pv/host.h>
#include <pv/abi/grant_table.h>
#include <pv/abi/xen.h>
#include <pv/abi/start_info.h>

/* What pv_start_init() found out, before a second vCPU runs; read by all. A suspend, when there is
 * one vCPU only, finds it out again. */
struct pv_machine {
    const struct xen_start_info *info;
    struct xen_shared_info *shared;
    uintptr_t virt_base;
    uint64_t *p2m;       /* nr_pages entries; the guest's own memory */
    const uint64_t *m2p; /* the hypervisor's, read-only, m2p_entries of it */
    uint64_t nr_pages;
    uint64_t m2p_entries;
};
extern struct pv_machine pv_machine;

/* C's part of pv_entry. */
PV_NORETURN void pv_start_main(const struct xen_start_info *si, void *virt_base);

/* The machine frame behind a guest frame, or PV_MFN_INVALID (out of range, or ballooned out). */
static inline mfn_t pv_p2m(pfn_t frame)
{
    /* The top bit marks an entry that names no frame (a hole, or a foreign page). */
    if (frame.n >= pv_machine.nr_pages || pv_machine.p2m[frame.n] >> 63)
        return PV_MFN_INVALID;
    return mfn(pv_machine.p2m[frame.n]);
}

/* The guest frame of a machine frame, or PV_PFN_INVALID when it is not this guest's. */
static inline pfn_t pv_m2p(mfn_t frame)
{
    pfn_t own;

    if (frame.n >= pv_machine.m2p_entries)
        return PV_PFN_INVALID;
    own = pfn(pv_machine.m2p[frame.n]);
    return mfn_eq(pv_p2m(own), frame) ? own : PV_PFN_INVALID;
}

/* Another machine frame stands behind a guest frame from now on; invalid: none does. */
void pv_p2m_set(pfn_t frame, mfn_t machine);

/*
 * The number of this vCPU, at no cost for kernels that have one only. Hidden, so that the two
 * addresses are compared without a detour by a GOT.
 */
unsigned pv_host_cpu(void) __attribute__((visibility("hidden")));
unsigned pv_host_cpu_default(void) __attribute__((visibility("hidden")));
static inline unsigned pv_this_cpu(void)
{
    return pv_host_cpu == pv_host_cpu_default ? 0 : pv_host_cpu();
}

/* Each vCPU's part of shared_info, or what it registered (pv_vcpu_info_register()). */
extern struct xen_vcpu_info *pv_vcpu_infos[XEN_LEGACY_MAX_VCPUS];
static inline struct xen_vcpu_info *pv_vcpu_info_of(unsigned cpu)
{
    return pv_vcpu_infos[cpu];
}
static inline struct xen_vcpu_info *pv_vcpu_info(void)
{
    return pv_vcpu_info_of(pv_this_cpu());
}
/* shared_info is there. */
void pv_vcpu_info_init(void);
void pv_vcpu_info_set(unsigned cpu, struct xen_vcpu_info *info);
void pv_trap_info_moved(void);

/* Around a suspend (suspend.c). No mapping of a frame that isn't in the p2m may be left when the
 * guest is saved; resume looks at the new start_info. */
pfn_t pv_start_frame(const void *va); /* of an address of the initial mapping */
int pv_start_map_shared(void);
int pv_start_unmap_shared(void);
int pv_start_resume(void);
void pv_time_begin(uint64_t up); /* pv_time_up() is this now */
int pv_grant_unmap_table(void);
int pv_grant_map_table(void);
/* Remembers the handlers that outlive a suspend; gives them their new ports. */
void pv_event_keep(void);
int pv_event_rebind(void);

/* Of a level-4 table: neither the hypervisor's nor one that the kernel's space uses. */
bool pv_space_user_slot(unsigned slot);

/* Maps a machine frame at a page of a window (host.h) and flushes that page's translation. */
int pv_window_map(void *va, mfn_t frame, bool writable);

/* The default allocator lends its frames to the making of the linear map (space.c): begin tells the
 * first frame that is not mapped, extend moves that on, end takes what is left, resume gives it
 * back. */
pfn_t pv_pool_begin(void);
void pv_pool_extend(pfn_t end);
pfn_t pv_pool_end(void);
void pv_pool_resume(pfn_t first);

/* pv_host_page_alloc(), or the default allocator during the above. */
pfn_t pv_frame_alloc(void);

/* Masks this vCPU's events around pv_host_lock(). */
bool pv_lock(void);
void pv_unlock(bool enabled);

/* The number of an errno by its name, XEN_EINVAL for names that we don't know. */
int pv_error_number(const char *name);

/* The machine frame in a grant's entry: another one than was lent, when a back-end exchanged it. */
mfn_t pv_grant_frame(xen_grant_ref_t ref);

/* As pv_xenbus_find(), for a *bus that is to be opened: pv_xenbus_why() says why not. */
struct pv_xenbus;
int pv_xenbus_find_for(struct pv_xenbus *bus, const char *kind, unsigned n, uint32_t *id);

/* block.c for block_connect.c: the datapath begins, and ends with all that is under way. */
struct pv_block;
void pv_block_start(struct pv_block *d);
void pv_block_stop(struct pv_block *d);
/* Requests are taken, and wait. */
void pv_block_pause(struct pv_block *d);
/* The name of disk number id. */
struct pv_block_info;
void pv_block_name(struct pv_block_info *info, uint32_t id);
/* What was in the ring of the last back-end will be sent to the next. */
void pv_block_rewind(struct pv_block *d);

/* net.c for net_connect.c: likewise. */
struct pv_net;
void pv_net_start(struct pv_net *n);
void pv_net_stop(struct pv_net *n);

#endif
