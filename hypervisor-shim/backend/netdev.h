/* SPDX-License-Identifier: MIT
 *
 * netdev.h - the one network card: what the back-end wants of its driver, and tells it.
 *
 *      net.c ─► ops->send, ops->kick ─► driver ─► wire
 *      net.c ─► ops->supply (an empty page)           wire ─► driver ─► netdev_received
 *
 * Pages are machine frames, and are never copied by a driver: packets leave by gathering and arrive
 * in pages that were supplied. A page belongs to the driver from supply() until it comes back by
 * netdev_received(). Segments of a packet are pinned by the back-end from send() until
 * netdev_sent(); a driver must not tell that a packet was sent while the device may read it.
 *
 * The driver calls netdev_*() while it handles its interrupt, under the lock, and ends each handful
 * with netdev_batch_end(), so that guests are notified once. The back-end may call supply(), send()
 * and kick() out of any of these. A driver decides nothing about what is in a packet.
 */
#ifndef HV_NETDEV_H
#define HV_NETDEV_H

#include <stdbool.h>
#include <stdint.h>
#include <pv/types.h>

enum {
    NETDEV_HEADER = 128,  /* bytes of a packet that are given by value, at most */
    NETDEV_SEGMENTS = 19, /* 18 slots, the first of which may be left without its header */
};

struct netdev_segment {
    uint64_t maddr;
    uint32_t length;
};

/* A packet to send: the header, which the driver copies into memory of its own before it returns
 * (so that what was checked is what leaves), then the segments. */
struct netdev_packet {
    const uint8_t *header;
    uint16_t header_length; /* 14 .. NETDEV_HEADER */
    uint16_t segments;
    struct netdev_segment segment[NETDEV_SEGMENTS];
    /* Where the sum over [csum_start, end) goes: csum_start + csum_offset. 0, 0: nothing to do.
     * Only if the card has NETDEV_CSUM. */
    uint16_t csum_start, csum_offset;
    uint32_t cookie; /* comes back by netdev_sent() */
};

enum netdev_feature {
    NETDEV_CSUM = 1 << 0,       /* fills in checksums of packets to send */
    NETDEV_GUEST_CSUM = 1 << 1, /* may set NETDEV_RX_* on received ones */
};

enum netdev_rx {
    NETDEV_RX_VALID = 1 << 0, /* checksums were found right */
    NETDEV_RX_BLANK = 1 << 1, /* TCP's or UDP's covers the pseudo header only */
};

struct netdev;

struct netdev_ops {
    /* Queue a packet. False: no room; netdev_sent() says when there is. */
    bool (*send)(struct netdev *, const struct netdev_packet *);
    /* A page to receive into: one packet each. False: no room for more. */
    bool (*supply)(struct netdev *, mfn_t page);
    /* Let the device know of what send() and supply() have queued since the last time. */
    void (*kick)(struct netdev *);
};

struct netdev {
    const struct netdev_ops *ops;
    const char *name; /* for messages */
    uint8_t mac[6];
    uint16_t mtu;      /* payload behind the 14 bytes of Ethernet: 1500 */
    uint32_t features; /* enum netdev_feature */
    uint32_t rx_slots; /* pages that may be supplied at a time */
    void *driver;      /* its own */
};

/* -- called by the driver (backend/net.c) -------------------------------------- */

/* There is a card, ready to send and to be supplied. Once, at boot, before the first guest. */
void netdev_attach(struct netdev *nd);
/* The device has read packet `cookie` for the last time. */
void netdev_sent(struct netdev *nd, uint32_t cookie);
/* A packet is in page (which is the back-end's again) at offset: length bytes, without any header
 * of the device's own. length 0: nothing arrived, the page is given back. */
void netdev_received(struct netdev *nd, mfn_t page, unsigned offset, unsigned length,
                     unsigned flags);
/* No more of the above for the moment. */
void netdev_batch_end(struct netdev *nd);

#endif
