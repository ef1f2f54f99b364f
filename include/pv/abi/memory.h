/* SPDX-License-Identifier: MIT */
/*
 * abi/memory.h - memory_op(cmd, argument): which frames a guest has, and where they are.
 *
 * Calls over a list of extents (an extent is 2^order consecutive frames) return how many extents
 * were done; fewer than asked is the only sign of failure.
 *
 * Reference: xen/include/public/memory.h (libxen-dev).
 */
#ifndef PV_ABI_MEMORY_H
#define PV_ABI_MEMORY_H

#include <pv/types.h>
#include <pv/abi/xen.h>

#define XENMEM_increase_reservation     0  /* xen_memory_reservation; H writes mfns */
#define XENMEM_decrease_reservation     1  /* xen_memory_reservation; G gives mfns */
#define XENMEM_maximum_ram_page         2  /* - -> highest machine frame */
#define XENMEM_current_reservation      3  /* xen_memory_domain -> frames */
#define XENMEM_maximum_reservation      4  /* xen_memory_domain -> frames */
#define XENMEM_machphys_mfn_list        5  /* xen_machphys_mfn_list */
#define XENMEM_populate_physmap         6  /* xen_memory_reservation; pfns in, mfns out */
#define XENMEM_add_to_physmap           7  /* xen_add_to_physmap; not for PV guests */
#define XENMEM_memory_map               9  /* xen_memory_map */
#define XENMEM_machine_memory_map       10 /* xen_memory_map; privileged */
#define XENMEM_exchange                 11 /* xen_memory_exchange */
#define XENMEM_machphys_mapping         12 /* xen_machphys_mapping */
#define XENMEM_set_memory_map           13 /* xen_foreign_memory_map */
#define XENMEM_maximum_gpfn             14 /* xen_memory_domain -> highest frame number */
#define XENMEM_remove_from_physmap      15 /* xen_remove_from_physmap */
#define XENMEM_set_pod_target           16 /* xen_pod_target */
#define XENMEM_get_pod_target           17 /* xen_pod_target */
#define XENMEM_add_to_physmap_batch     23 /* xen_add_to_physmap_batch */
#define XENMEM_machphys_compat_mfn_list 25
#define XENMEM_get_vnumainfo            26
#define XENMEM_acquire_resource         28 /* xen_mem_acquire_resource */

/* xen_memory_reservation.mem_flags */
#define XENMEMF_populate_on_demand  0x10000
#define XENMEMF_exact_node_request  0x20000
#define XENMEMF_vnode               0x40000
#define XENMEMF_address_bits(x)     (x)
#define XENMEMF_get_address_bits(x) ((x)&0xffu)

/* xen_add_to_physmap.space */
#define XENMAPSPACE_shared_info      0
#define XENMAPSPACE_grant_table      1
#define XENMAPSPACE_gmfn             2
#define XENMAPSPACE_gmfn_range       3
#define XENMAPSPACE_gmfn_foreign     4
#define XENMAPSPACE_dev_mmio         5
#define XENMAPIDX_grant_table_status 0x80000000

/* xen_mem_acquire_resource */
#define XENMEM_resource_ioreq_server          0
#define XENMEM_resource_grant_table           1
#define XENMEM_resource_vmtrace_buf           2
#define XENMEM_resource_grant_table_id_shared 0
#define XENMEM_resource_grant_table_id_status 1

#ifndef __ASSEMBLER__

struct xen_memory_reservation {
    pv_gptr_t extent_start; /* uint64_t per extent: the number of its first frame */
    uint64_t nr_extents;
    uint32_t extent_order;
    uint32_t mem_flags; /* XENMEMF_* */
    xen_domid_t domid;
};

/* Give the frames of in, receive those of out, all or (by whole chunks) a part. */
struct xen_memory_exchange {
    struct xen_memory_reservation in;
    struct xen_memory_reservation out;
    uint64_t nr_exchanged; /* G: 0; H: extents of in that were exchanged, also on failure */
};

struct xen_memory_domain {
    xen_domid_t domid;
};

struct xen_machphys_mfn_list {
    uint32_t max_extents;   /* G */
    pv_gptr_t extent_start; /* uint64_t each: machine frame of 2 MiB of the M2P */
    uint32_t nr_extents;    /* H */
};

struct xen_machphys_mapping {
    uint64_t v_start; /* H: virtual addresses of the M2P */
    uint64_t v_end;   /* H */
    uint64_t max_mfn; /* H: its highest entry */
};

struct xen_add_to_physmap {
    xen_domid_t domid;
    uint16_t size;
    uint32_t space; /* XENMAPSPACE_* */
    uint64_t idx;
    uint64_t gpfn;
};

struct xen_add_to_physmap_batch {
    xen_domid_t domid;
    uint16_t space;
    uint16_t size;
    union xen_add_to_physmap_batch_extra {
        xen_domid_t foreign_domid;
        uint16_t res0;
    } u;
    pv_gptr_t idxs;
    pv_gptr_t gpfns;
    pv_gptr_t errs;
};

struct xen_remove_from_physmap {
    xen_domid_t domid;
    uint64_t gpfn;
};

struct xen_memory_map {
    uint32_t nr_entries; /* G: room; H: entries written */
    pv_gptr_t buffer;    /* struct pv_e820_entry each */
};

struct xen_foreign_memory_map {
    xen_domid_t domid;
    struct xen_memory_map map;
};

struct xen_pod_target {
    uint64_t target_pages;
    uint64_t tot_pages;
    uint64_t pod_cache_pages;
    uint64_t pod_entries;
    xen_domid_t domid;
};

struct xen_mem_acquire_resource {
    xen_domid_t domid;
    uint16_t type;
    uint32_t id;
    uint32_t nr_frames;
    uint32_t pad;
    uint64_t frame;
    pv_gptr_t frame_list;
};

/* An entry of a memory map, as PC firmware gives it. (No public Xen header spells it out.) */
struct pv_e820_entry {
    uint64_t addr;
    uint64_t size;
    uint32_t type;
} __attribute__((packed));
#define PV_E820_RAM      1
#define PV_E820_RESERVED 2

PV_STATIC_ASSERT(sizeof(struct xen_memory_reservation) == 32, "memory_reservation");
PV_STATIC_ASSERT(sizeof(struct xen_memory_exchange) == 72, "memory_exchange");
PV_STATIC_ASSERT(sizeof(struct xen_memory_domain) == 2, "memory_domain");
PV_STATIC_ASSERT(sizeof(struct xen_machphys_mfn_list) == 24, "machphys_mfn_list");
PV_STATIC_ASSERT(sizeof(struct xen_machphys_mapping) == 24, "machphys_mapping");
PV_STATIC_ASSERT(sizeof(struct xen_add_to_physmap) == 24, "add_to_physmap");
PV_STATIC_ASSERT(sizeof(struct xen_add_to_physmap_batch) == 32, "add_to_physmap_batch");
PV_STATIC_ASSERT(sizeof(struct xen_memory_map) == 16, "memory_map");
PV_STATIC_ASSERT(sizeof(struct xen_mem_acquire_resource) == 32, "mem_acquire_resource");
PV_STATIC_ASSERT(sizeof(struct pv_e820_entry) == 20, "e820 entry");

#endif /* !__ASSEMBLER__ */
#endif
