/* SPDX-License-Identifier: MIT */
/*
 * abi/blkif.h - block devices: requests of a front-end, responses of a back-end, in one ring.
 *
 * Sectors are of 512 bytes in everything that is counted in sectors here, whatever the device's own
 * size is. A segment is a part of one granted page, given by its first and last sector in that
 * page, both included. The ring fills one page (32 slots), or 2^ring-page-order pages.
 *
 * An indirect request has its segments in granted pages of their own, 512 to a page. The layout is
 * that of "protocol" = "x86_64-abi", which is also what a 64-bit back-end takes when the front-end
 * names none.
 *
 * Reference: xen/include/public/io/blkif.h, io/ring.h, io/protocols.h (libxen-dev).
 */
#ifndef PV_ABI_BLKIF_H
#define PV_ABI_BLKIF_H

#include <pv/types.h>

/* operation */
#define XEN_BLKIF_OP_READ            0
#define XEN_BLKIF_OP_WRITE           1
#define XEN_BLKIF_OP_WRITE_BARRIER   2 /* after all that came before, before all that comes after */
#define XEN_BLKIF_OP_FLUSH_DISKCACHE 3 /* what was written is on the medium; may have no segments \
                                        */
#define XEN_BLKIF_OP_RESERVED_1 4
#define XEN_BLKIF_OP_DISCARD    5
#define XEN_BLKIF_OP_INDIRECT   6

#define XEN_BLKIF_MAX_SEGMENTS_PER_REQUEST       11
#define XEN_BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST 8

/* flag of a discard: ignored where the back-end has no discard-secure */
#define XEN_BLKIF_DISCARD_SECURE (1 << 0)

/* status */
#define XEN_BLKIF_RSP_EOPNOTSUPP (-2)
#define XEN_BLKIF_RSP_ERROR      (-1)
#define XEN_BLKIF_RSP_OKAY       0

/* "info" in the back-end's directory */
#define XEN_VDISK_CDROM     0x1
#define XEN_VDISK_REMOVABLE 0x2
#define XEN_VDISK_READONLY  0x4

#ifndef __ASSEMBLER__

struct xen_blkif_request_segment {
    uint32_t gref;
    uint8_t first_sect, last_sect; /* of the page's 8; both are transferred */
};

struct xen_blkif_request {
    uint8_t operation;
    uint8_t nr_segments;
    uint16_t handle;        /* the virtual device's number */
    uint64_t id;            /* the front-end's own; it comes back with the response */
    uint64_t sector_number; /* the first one on the device */
    struct xen_blkif_request_segment seg[XEN_BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

struct xen_blkif_request_discard {
    uint8_t operation;
    uint8_t flag;
    uint16_t handle;
    uint64_t id;
    uint64_t sector_number;
    uint64_t nr_sectors;
};

struct xen_blkif_request_indirect {
    uint8_t operation;   /* XEN_BLKIF_OP_INDIRECT */
    uint8_t indirect_op; /* read or write */
    uint16_t nr_segments;
    uint64_t id;
    uint64_t sector_number;
    uint16_t handle;
    uint32_t indirect_grefs[XEN_BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST]; /* pages of segments */
};

struct xen_blkif_response {
    uint64_t id;
    uint8_t operation;
    int16_t status;
};

union xen_blkif_sring_entry {
    struct xen_blkif_request req;
    struct xen_blkif_response rsp;
};

struct xen_blkif_sring {
    uint32_t req_prod;  /* front */
    uint32_t req_event; /* back */
    uint32_t rsp_prod;  /* back */
    uint32_t rsp_event; /* front */
    uint8_t pvt[4];
    uint8_t __pad[44];
    union xen_blkif_sring_entry ring[1]; /* as many as the pages hold, a power of two */
};

PV_STATIC_ASSERT(sizeof(struct xen_blkif_request_segment) == 8, "blkif_request_segment");
PV_STATIC_ASSERT(sizeof(struct xen_blkif_request) == 112, "blkif_request");
PV_STATIC_ASSERT(sizeof(struct xen_blkif_request_discard) == 32, "blkif_request_discard");
PV_STATIC_ASSERT(sizeof(struct xen_blkif_request_indirect) == 64, "blkif_request_indirect");
PV_STATIC_ASSERT(sizeof(struct xen_blkif_response) == 16, "blkif_response");
PV_STATIC_ASSERT(offsetof(struct xen_blkif_sring, ring) == 64, "blkif_sring");

#endif /* !__ASSEMBLER__ */
#endif
