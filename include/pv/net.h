/* SPDX-License-Identifier: MIT */
/*
 * net.h - network cards.
 *
 *     static bool arrived(struct pv_net *n, const struct pv_net_packet *p) { ...; return false; }
 *     static struct pv_net card = {.received = arrived};
 *
 *     if (pv_net_open(&card, 0))                          the first card
 *         pv_host_panic(pv_xenbus_why(&card.bus));
 *     pv_net_send_copy(&card, &(struct pv_net_bytes){frame, length}, 1, 0);
 *
 * Packets are whole Ethernet frames without their check sequence, in up to PV_NET_FRAGMENTS pieces,
 * each within one frame of memory.
 *
 * Sending: pv_net_send() lends the pieces to the back-end, and nothing is copied; they are the
 * kernel's again when done() is called. pv_net_send_copy() copies into pages of libpv's that are
 * lent for good.
 *
 * Receiving: libpv lends `buffers` pages of pv_host_page_alloc(). What has arrived is shown to
 * received() piece by piece, in the pages where it is. It returns false when it is through with
 * them; or true to keep them: then they are the kernel's, and libpv allocates others. If there are
 * none, fewer are lent, until a pv_net_poll() finds more: who may be without memory polls at times.
 * A kernel that copies what it receives sets `frame` instead, which is given whole frames at an
 * address; packets in several pieces, which nobody sends to a card that did not ask for them, are
 * dropped. With `exchange` and a back-end that knows it (netflip.h), pages come from the network
 * card without a copy; the kernel sees no difference, for its frame numbers stay what they were.
 *
 * Checksums: PV_NET_BLANK on a packet to send says that TCP's or UDP's covers the pseudo header
 * only and that whoever takes it off the wire computes the rest. A kernel that can take such
 * packets sets `blank`; others are given whole checksums.
 *
 * The back-end is not trusted: if it answers what was not asked, its indices jump, a packet goes
 * beyond its page or has more pieces than there may be, the device is broken: what was to be sent
 * ends, nothing arrives any more, calls fail with -XEN_EIO, and nothing else happens.
 *
 * Events are taken by libpv's handler of the port, which calls received() and done(); if `wake` is
 * set, it is called instead, and the kernel calls pv_net_poll() when it likes. Context: any; vCPUs
 * may call at once. received() and done() may send; they must not close.
 * Reference: abi/netif.h, abi/xenbus.h.
 */
#ifndef PV_NET_H
#define PV_NET_H

#include <pv/types.h>
#include <pv/abi/grant_table.h>
#include <pv/abi/netif.h>
#include <pv/ring.h>
#include <pv/xenbus.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PV_NET_FRAGMENTS XEN_NETIF_NR_SLOTS_MIN
#define PV_NET_SLOTS     256 /* of either ring */
#define PV_NET_BUFFERS   64  /* pages to receive into, unless the kernel says otherwise */
#define PV_NET_FRAME_MAX 1514

/* flags of a packet */
#define PV_NET_BLANK 1 /* the checksum covers the pseudo header only */
#define PV_NET_VALID 2 /* received: checksums were found right, or need none */

struct pv_net_fragment {
    pfn_t frame;
    uint32_t offset, bytes; /* within the frame */
};

struct pv_net_packet {
    const struct pv_net_fragment *fragments;
    uint16_t count;
    uint16_t flags;
    uint32_t bytes; /* received: of all fragments */
};

/* A packet to send; the caller's again when done() is called. */
struct pv_net_send {
    struct pv_net_packet packet;
    /* 0; -XEN_EIO: dropped, or the device is broken or closed; -XEN_EBUSY: as EIO, but the back-end
     * still reads the pages. NULL: nobody wants to know. */
    void (*done)(struct pv_net_send *s, int status);
    void *arg; /* the caller's */
    /* libpv's */
    struct pv_net_send *next;
    uint16_t slots;
    int status;
};

/* Bytes to be copied; as a struct iovec. */
struct pv_net_bytes {
    const void *base;
    size_t len;
};

/* libpv's: a page that is lent. */
struct pv_net_page {
    pfn_t frame;
    xen_grant_ref_t ref;
};

PV_RING(pv_net_tx, struct xen_netif_tx_request, struct xen_netif_tx_response)
PV_RING(pv_net_rx, struct xen_netif_rx_request, struct xen_netif_rx_response)

struct pv_net {
    /* The kernel's, set before open; 0 and NULL are defaults: PV_NET_BUFFERS, what arrives is
     * dropped, libpv's handler polls. */
    bool (*received)(struct pv_net *n, const struct pv_net_packet *p);
    void (*frame)(struct pv_net *n, const void *bytes, size_t len);
    void (*wake)(struct pv_net *n);
    void *arg;
    uint16_t buffers; /* pages to receive into, at most PV_NET_SLOTS */
    bool blank;       /* packets with PV_NET_BLANK are welcome */
    bool exchange;    /* pages may be exchanged */
    /* What the card is, after open. */
    uint8_t mac[6];
    uint16_t mtu;   /* bytes of payload behind the 14 of Ethernet */
    bool fragments; /* packets to send may have more than one */
    bool exchanges; /* exchange is agreed */
    uint64_t sent, arrived, dropped, exchanged, notifications;
    struct pv_xenbus bus;
    /* libpv's own from here on */
    struct pv_net_tx_front tx;
    struct pv_net_rx_front rx;
    struct pv_ring_ids tx_ids, rx_ids;
    xen_grant_ref_t tx_ref[PV_NET_SLOTS];     /* of a fragment under way */
    struct pv_net_page tx_copy[PV_NET_SLOTS]; /* pages for copies, made when first needed */
    struct pv_net_page rx_page[PV_NET_SLOTS]; /* lent */
    /* Pages that are not lent at the moment. All may be, besides those of a packet half arrived. */
    pfn_t spare[PV_NET_SLOTS + PV_NET_FRAGMENTS];
    struct pv_net_page ring_page[2];
    struct pv_net_fragment piece[PV_NET_FRAGMENTS]; /* of the packet that arrives */
    uint16_t pieces, piece_flags, spares, posted;
    bool piece_bad;
    uint32_t port;
    char lock, polling, again;
    bool up;
};

/*
 * Opens the nth card, in the order of their numbers. *n is the caller's, with its first fields set,
 * and stays where it is until pv_net_close(). Waits for the back-end. Errors as of
 * pv_xenbus_open(), -XEN_ENOMEM, -XEN_ENOSPC (grants, ports), -XEN_EOPNOTSUPP: a back-end that does
 * not copy, -XEN_EINVAL: an address that is none; pv_xenbus_why(&n->bus) says more.
 */
int pv_net_open(struct pv_net *n, unsigned nth);

/*
 * Ends what is being sent with -XEN_EIO and lets go of everything; what was kept stays the
 * kernel's. Waits for the back-end, and for a pv_net_poll() on another vCPU: not from an event
 * handler.
 */
void pv_net_close(struct pv_net *n);

/*
 * Around a suspend (pv_suspend() does it with all cards): pv_net_suspend(); then
 * pv_xenstore_reconnect() and pv_net_resume(). What was being sent is lost (-XEN_EIO). resume: 0,
 * or as open.
 */
void pv_net_suspend(struct pv_net *n);
int pv_net_resume(struct pv_net *n);

/*
 * Sends a packet. 0, and done() will be called. -XEN_ENOSPC: the ring is full (or there are no
 * grants): try again after a done(), or drop it; -XEN_EINVAL: no bytes, too many fragments, one
 * beyond its frame; -XEN_EIO: broken or not open.
 */
int pv_net_send(struct pv_net *n, struct pv_net_send *s);

/* The same for bytes that are copied from several places, together at most a page. */
int pv_net_send_copy(struct pv_net *n, const struct pv_net_bytes *bytes, unsigned count,
                     unsigned flags);

/* Shows what has arrived and ends what was sent. How many packets arrived. */
unsigned pv_net_poll(struct pv_net *n);

/* Is there room for a packet of so many fragments? */
bool pv_net_room(const struct pv_net *n, unsigned fragments);

#ifdef __cplusplus
}
#endif
#endif
