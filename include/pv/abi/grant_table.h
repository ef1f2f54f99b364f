/* SPDX-License-Identifier: MIT */
/*
 * abi/grant_table.h - grant_table_op(cmd, array, count): memory shared between guests, page by
 * page, revocably.
 *
 * The granting guest writes an entry of its grant table, whose number (the reference) it tells to
 * the other; the other maps or copies by reference. Each request of an array has a status of its
 * own (XEN_GNTST_*); the hypercall's result is 0 when all of them were tried.
 *
 *     life of a v1 entry:   G writes domid and frame | barrier | G writes flags
 *                           H sets reading/writing while the other end has the page
 *                           G compares-and-swaps flags to 0, only if neither is set
 *
 * Reference: xen/include/public/grant_table.h (libxen-dev).
 */
#ifndef PV_ABI_GRANT_TABLE_H
#define PV_ABI_GRANT_TABLE_H

#include <pv/types.h>
#include <pv/abi/xen.h>

#define XEN_GNTTABOP_map_grant_ref     0
#define XEN_GNTTABOP_unmap_grant_ref   1
#define XEN_GNTTABOP_setup_table       2
#define XEN_GNTTABOP_dump_table        3
#define XEN_GNTTABOP_transfer          4
#define XEN_GNTTABOP_copy              5
#define XEN_GNTTABOP_query_size        6
#define XEN_GNTTABOP_unmap_and_replace 7
#define XEN_GNTTABOP_set_version       8
#define XEN_GNTTABOP_get_status_frames 9
#define XEN_GNTTABOP_get_version       10
#define XEN_GNTTABOP_swap_grant_ref    11
#define XEN_GNTTABOP_cache_flush       12

/* References that the domain builder uses. */
#define XEN_GNTTAB_NR_RESERVED_ENTRIES 8
#define XEN_GNTTAB_RESERVED_CONSOLE    0
#define XEN_GNTTAB_RESERVED_XENSTORE   1

/* Flags of an entry: type, then G's, then H's. */
#define XEN_GTF_invalid            0
#define XEN_GTF_permit_access      1
#define XEN_GTF_accept_transfer    2
#define XEN_GTF_transitive         3 /* v2 */
#define XEN_GTF_type_mask          3
#define XEN_GTF_readonly           0x004 /* G: the other end may not write */
#define XEN_GTF_reading            0x008 /* H: the other end has it mapped */
#define XEN_GTF_writing            0x010 /* H: ... for writing */
#define XEN_GTF_PWT                0x020
#define XEN_GTF_PCD                0x040
#define XEN_GTF_PAT                0x080
#define XEN_GTF_sub_page           0x100 /* v2 */
#define XEN_GTF_transfer_committed 0x004
#define XEN_GTF_transfer_completed 0x008

/* xen_gnttab_map_grant_ref.flags */
#define XEN_GNTMAP_device_map       0x01 /* for devices: dev_bus_addr */
#define XEN_GNTMAP_host_map         0x02 /* for the processor: host_addr */
#define XEN_GNTMAP_readonly         0x04
#define XEN_GNTMAP_application_map  0x08 /* user mode may access it */
#define XEN_GNTMAP_contains_pte     0x10 /* host_addr is the machine address of the entry to set */
#define XEN_GNTMAP_guest_avail_mask 0xffff0000

/* xen_gnttab_copy.flags */
#define XEN_GNTCOPY_source_gref 1
#define XEN_GNTCOPY_dest_gref   2

/* xen_gnttab_cache_flush.op */
#define XEN_GNTTAB_CACHE_CLEAN       0x00000001
#define XEN_GNTTAB_CACHE_INVAL       0x00000002
#define XEN_GNTTAB_CACHE_SOURCE_GREF 0x80000000

/* status of a request */
#define XEN_GNTST_okay              0
#define XEN_GNTST_general_error     (-1)
#define XEN_GNTST_bad_domain        (-2)
#define XEN_GNTST_bad_gntref        (-3)
#define XEN_GNTST_bad_handle        (-4)
#define XEN_GNTST_bad_virt_addr     (-5)
#define XEN_GNTST_bad_dev_addr      (-6)
#define XEN_GNTST_no_device_space   (-7)
#define XEN_GNTST_permission_denied (-8)
#define XEN_GNTST_bad_page          (-9)
#define XEN_GNTST_bad_copy_arg      (-10)
#define XEN_GNTST_address_too_big   (-11)
#define XEN_GNTST_eagain            (-12)
#define XEN_GNTST_no_space          (-13)

#ifndef __ASSEMBLER__

typedef uint32_t xen_grant_ref_t;
typedef uint32_t xen_grant_handle_t;
typedef uint16_t xen_grant_status_t;

/* One entry of a version 1 table. */
struct xen_grant_entry_v1 {
    uint16_t flags;    /* G and H, by compare-and-swap */
    xen_domid_t domid; /* G: who may use it */
    uint32_t frame;    /* G: MACHINE frame */
};

struct xen_grant_entry_header {
    uint16_t flags;
    xen_domid_t domid;
};

union xen_grant_entry_v2 {
    struct xen_grant_entry_header hdr;
    struct {
        struct xen_grant_entry_header hdr;
        uint32_t pad0;
        uint64_t frame;
    } full_page;
    struct {
        struct xen_grant_entry_header hdr;
        uint16_t page_off;
        uint16_t length;
        uint64_t frame;
    } sub_page;
    struct {
        struct xen_grant_entry_header hdr;
        xen_domid_t trans_domid;
        uint16_t pad0;
        xen_grant_ref_t gref;
    } transitive;
    uint32_t __spacer[4];
};

struct xen_gnttab_map_grant_ref {
    uint64_t host_addr; /* virtual address, or see XEN_GNTMAP_contains_pte */
    uint32_t flags;     /* XEN_GNTMAP_* */
    xen_grant_ref_t ref;
    xen_domid_t dom;
    int16_t status;            /* H */
    xen_grant_handle_t handle; /* H */
    uint64_t dev_bus_addr;     /* H */
};

struct xen_gnttab_unmap_grant_ref {
    uint64_t host_addr;    /* as it was mapped, or 0 */
    uint64_t dev_bus_addr; /* likewise */
    xen_grant_handle_t handle;
    int16_t status; /* H */
};

struct xen_gnttab_setup_table {
    xen_domid_t dom;
    uint32_t nr_frames;
    int16_t status;       /* H */
    pv_gptr_t frame_list; /* H writes a uint64_t, a machine frame, per frame of the table */
};

struct xen_gnttab_dump_table {
    xen_domid_t dom;
    int16_t status;
};

struct xen_gnttab_transfer {
    uint64_t mfn;
    xen_domid_t domid;
    xen_grant_ref_t ref;
    int16_t status;
};

struct xen_gnttab_copy {
    struct xen_gnttab_copy_ptr {
        union {
            xen_grant_ref_t ref;
            uint64_t gmfn;
        } u;
        xen_domid_t domid;
        uint16_t offset;
    } source, dest;
    uint16_t len;
    uint16_t flags; /* XEN_GNTCOPY_*: which of the two is a reference */
    int16_t status; /* H */
};

struct xen_gnttab_query_size {
    xen_domid_t dom;
    uint32_t nr_frames;     /* H */
    uint32_t max_nr_frames; /* H */
    int16_t status;         /* H */
};

struct xen_gnttab_unmap_and_replace {
    uint64_t host_addr;
    uint64_t new_addr;
    xen_grant_handle_t handle;
    int16_t status;
};

struct xen_gnttab_set_version {
    uint32_t version; /* G: 1 or 2; H: the one in force */
};

struct xen_gnttab_get_status_frames {
    uint32_t nr_frames;
    xen_domid_t dom;
    int16_t status;
    pv_gptr_t frame_list;
};

struct xen_gnttab_get_version {
    xen_domid_t dom;
    uint16_t pad;
    uint32_t version; /* H */
};

struct xen_gnttab_swap_grant_ref {
    xen_grant_ref_t ref_a;
    xen_grant_ref_t ref_b;
    int16_t status;
};

struct xen_gnttab_cache_flush {
    union {
        uint64_t dev_bus_addr;
        xen_grant_ref_t ref;
    } a;
    uint16_t offset;
    uint16_t length;
    uint32_t op;
};

PV_STATIC_ASSERT(sizeof(struct xen_grant_entry_v1) == 8, "grant_entry_v1");
PV_STATIC_ASSERT(sizeof(union xen_grant_entry_v2) == 16, "grant_entry_v2");
PV_STATIC_ASSERT(sizeof(struct xen_gnttab_map_grant_ref) == 32, "gnttab_map_grant_ref");
PV_STATIC_ASSERT(sizeof(struct xen_gnttab_unmap_grant_ref) == 24, "gnttab_unmap_grant_ref");
PV_STATIC_ASSERT(sizeof(struct xen_gnttab_setup_table) == 24, "gnttab_setup_table");
PV_STATIC_ASSERT(sizeof(struct xen_gnttab_copy) == 40, "gnttab_copy");
PV_STATIC_ASSERT(sizeof(struct xen_gnttab_query_size) == 16, "gnttab_query_size");

#endif /* !__ASSEMBLER__ */
#endif
