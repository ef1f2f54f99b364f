/* SPDX-License-Identifier: MIT */
/*
 * abi/netif.h - the split network card: two rings of one page each between a guest's front-end and
 * a back-end.
 *
 *     transmit ring   front: "the page of this grant holds a packet"      back: "done with id"
 *     receive ring    front: "the page of this grant is an empty buffer"  back: "id holds a packet"
 *
 * A packet of several fragments takes several slots in a row, all but the last with `more_data`.
 * Of a transmitted packet the first slot's size is the whole packet's, the others' their own
 * fragment's; the first fragment is what remains. A slot with `extra_info` is followed by slots
 * that are xen_netif_extra_info instead of fragments; their responses are XEN_NETIF_RSP_NULL.
 * A received fragment is described by its response: offset and length (status) within the page.
 *
 * Handshake in the store, as for all devices: the front-end writes tx-ring-ref, rx-ring-ref,
 * event-channel (or event-channel-tx and -rx, if the back-end has feature-split-event-channels),
 * request-rx-copy = 1 and its features; the back-end wrote its own features before.
 *
 * Reference: xen/include/public/io/netif.h (libxen-dev).
 */
#ifndef PV_ABI_NETIF_H
#define PV_ABI_NETIF_H

#include <pv/types.h>

/* Slots that a packet may take, at least, whatever the other end is. */
#define XEN_NETIF_NR_SLOTS_MIN 18
#define XEN_NETIF_MAX_TX_SIZE  0xFFFF

/* xen_netif_tx_request.flags */
#define XEN_NETTXF_csum_blank     0x1 /* TCP's or UDP's checksum covers the pseudo header only */
#define XEN_NETTXF_data_validated 0x2 /* checksums are known to be right */
#define XEN_NETTXF_more_data      0x4 /* the packet goes on in the next slot */
#define XEN_NETTXF_extra_info     0x8 /* the next slot is a xen_netif_extra_info */

/* xen_netif_rx_response.flags */
#define XEN_NETRXF_data_validated 0x1
#define XEN_NETRXF_csum_blank     0x2
#define XEN_NETRXF_more_data      0x4
#define XEN_NETRXF_extra_info     0x8
#define XEN_NETRXF_gso_prefix     0x10 /* old, and not sent any more */

/* xen_netif_extra_info.type and .flags */
#define XEN_NETIF_EXTRA_TYPE_NONE      0
#define XEN_NETIF_EXTRA_TYPE_GSO       1
#define XEN_NETIF_EXTRA_TYPE_MCAST_ADD 2
#define XEN_NETIF_EXTRA_TYPE_MCAST_DEL 3
#define XEN_NETIF_EXTRA_TYPE_HASH      4
#define XEN_NETIF_EXTRA_TYPE_MAX       5
#define XEN_NETIF_EXTRA_FLAG_MORE      1 /* another one follows */
#define XEN_NETIF_GSO_TYPE_NONE        0
#define XEN_NETIF_GSO_TYPE_TCPV4       1
#define XEN_NETIF_GSO_TYPE_TCPV6       2

/* status of a transmit response; of a receive response when negative */
#define XEN_NETIF_RSP_DROPPED (-2)
#define XEN_NETIF_RSP_ERROR   (-1)
#define XEN_NETIF_RSP_OKAY    0
#define XEN_NETIF_RSP_NULL    1 /* of a slot that was no fragment */

#ifndef __ASSEMBLER__

struct xen_netif_tx_request {
    uint32_t gref;   /* of the page */
    uint16_t offset; /* in it */
    uint16_t flags;  /* XEN_NETTXF_* */
    uint16_t id;     /* echoed */
    uint16_t size;   /* first slot: of the packet; others: of the fragment */
};

struct xen_netif_tx_response {
    uint16_t id;
    int16_t status; /* XEN_NETIF_RSP_* */
};

struct xen_netif_rx_request {
    uint16_t id; /* echoed */
    uint16_t pad;
    uint32_t gref; /* of a page that the back-end may write */
};

struct xen_netif_rx_response {
    uint16_t id;
    uint16_t offset; /* where the data begin */
    uint16_t flags;  /* XEN_NETRXF_* */
    int16_t status;  /* their length, or XEN_NETIF_RSP_* */
};

/* In the place of a request or response. */
struct xen_netif_extra_info {
    uint8_t type;  /* XEN_NETIF_EXTRA_TYPE_* */
    uint8_t flags; /* XEN_NETIF_EXTRA_FLAG_* */
    union {
        struct {
            uint16_t size; /* of a segment's payload */
            uint8_t type;  /* XEN_NETIF_GSO_TYPE_* */
            uint8_t pad;
            uint16_t features;
        } gso;
        struct {
            uint8_t addr[6];
        } mcast;
        struct {
            uint8_t type;
            uint8_t algorithm;
            uint8_t value[4];
        } hash;
        uint16_t pad[3];
    } u;
};

PV_STATIC_ASSERT(sizeof(struct xen_netif_tx_request) == 12, "netif_tx_request");
PV_STATIC_ASSERT(sizeof(struct xen_netif_tx_response) == 4, "netif_tx_response");
PV_STATIC_ASSERT(sizeof(struct xen_netif_rx_request) == 8, "netif_rx_request");
PV_STATIC_ASSERT(sizeof(struct xen_netif_rx_response) == 8, "netif_rx_response");
PV_STATIC_ASSERT(sizeof(struct xen_netif_extra_info) == 8, "netif_extra_info");

#endif /* !__ASSEMBLER__ */
#endif
