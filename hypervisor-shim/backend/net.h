/* SPDX-License-Identifier: MIT
 *
 * net.h - network cards of guests: what the files of the back-end share.
 *
 * From a guest: its tx ring, the packet policy, the header copied and checked, the switch; then
 *   to a guest     one copy into a buffer of its rx ring
 *   to the uplink  pages pinned and gathered
 * From the uplink: a page of the shim's, the switch; then into the guest's rx ring
 *   by one copy, or as the page itself for one of the guest's (netflip.h)
 *
 *   net.c         rings and packets of guests
 *   net_vif.c     cards: made, connected, ended
 *   net_uplink.c  what the network card sends and brings
 *
 * Buffer quota, per guest: nothing of the shim's for packets of guests. They stay where they
 * are, in the sender's memory, until the receiver has a buffer: the sender waits, at most
 * NET_HOLD, and then that receiver is stalled, and what comes for it is dropped until it
 * gives buffers again. Of the uplink's packets NET_BACKLOG pages are kept for each guest that has
 * no buffer, and the next is dropped.
 *
 * It must never copy a payload byte but once into a granted buffer, never wait for a guest, and
 * never let one guest's trouble (a full ring, a bad grant, its death) touch the packets of others.
 */
#ifndef HV_NET_H
#define HV_NET_H

#include <pv/abi/netif.h>
#include <pv/netflip.h>
#include "../core/grant.h"
#include "../policy/packet.h"
#include "netdev.h"
#include "switch.h"
#include "xenbus.h"

enum {
    NET_SLOTS = 256, /* of either ring */
    NET_FRAGMENTS = XEN_NETIF_NR_SLOTS_MIN,
    NET_FRAME_MAX = 1514,
    NET_VLAN = 4,
    NET_BACKLOG = 64,
    NET_UPLINK_PORT = 0,
    NET_CSUM_LINEAR = NETDEV_HEADER, /* of a packet: its headers up to the checksum fit */
};
#define NET_HOLD (200 * 1000 * 1000ull) /* ns */

struct net_ring {
    uint8_t *page; /* NULL: not connected */
    uint32_t pin;
    uint32_t req_cons;
    uint32_t rsp_prod, published;
};

struct net_stats {
    uint64_t sent, received; /* packets, from the guest and to it */
    uint64_t sent_bytes, received_bytes;
    uint64_t copied;     /* payload bytes that were copied for packets to it */
    uint64_t copied_out; /* behind the header, for packets from it to the uplink */
    uint64_t exchanged;  /* pages */
    uint64_t lost;       /* packets to it that had no buffer */
    uint64_t refused;    /* packets from it that were not sent */
    uint64_t events;     /* notifications that it was given */
    uint64_t billed;     /* TSC ticks of finding out that a packet is for it, and giving it */
};

/* A page of the shim's with a packet of the uplink's. */
struct net_arrival {
    uint32_t mfn;
    uint16_t offset, length, flags; /* XEN_NETRXF_* */
};

struct vif {
    struct xenbus_device bus;
    struct packet_sender sender;
    struct net_ring tx, rx;
    struct net_stats stats;
    uint8_t mac[6];
    uint8_t port;     /* of the switch */
    bool csum;        /* takes packets with a blank checksum */
    bool exchange;    /* by netflip.h */
    bool stalled;     /* had its chance to give buffers */
    bool dirty;       /* has responses that are not published */
    bool late;        /* its next packet has waited long enough */
    uint16_t flights; /* packets at the uplink */
    struct vif *next_dirty;
    /* A sender whose next packet has to wait stands in the list of where it is for. */
    struct vif **waits_in; /* NULL: it does not wait */
    struct vif *next_waiting;
    struct timer hold;
    struct vif *waiting; /* those that wait for this one */
    /* Packets of the uplink for which there was no buffer. */
    uint16_t backlog_head, backlog_tail; /* free running */
    struct net_arrival backlog[NET_BACKLOG];
};

struct net {
    struct packet_queue queue;
    struct vswitch sw;
    struct vif *made[SWITCH_PORTS]; /* by port */
    struct vif *vif[SWITCH_PORTS];  /* those that are connected */
    struct vif *dirty;
    struct timer rate_timer;
    struct netdev *uplink;
    struct vif *uplink_waiting;
    bool running, limited; /* in net_run(); some card has a rate */
    uint64_t uplink_dropped;
};
extern struct net net;

/* What is known of the packet at the head of a ring, copied once. */
struct net_packet {
    struct vif *from;
    uint16_t slots; /* of the ring, with extras */
    uint16_t fragments;
    uint16_t bytes;
    uint16_t flags; /* XEN_NETTXF_* of the first slot */
    uint16_t id[NET_FRAGMENTS];
    struct net_fragment {
        uint32_t gref;
        uint16_t offset, size;
    } frag[NET_FRAGMENTS];
    uint8_t header[SWITCH_HEADER + 2];
};

/* -- net.c ---------------------------------------------------------------------------------- */
struct domain *net_guest(const struct vif *vif);
/* The guest has written to its rings. */
void net_notified(struct vif *vif);
/* Send what can be sent, and publish. */
void net_run(void);
/* Are there buffers of this guest's? Broken rings have none. */
bool net_has_buffer(struct vif *vif);
/* A buffer of the guest's: take its request; and the answer to it. */
void net_rx_peek(const struct vif *vif, struct xen_netif_rx_request *r);
void net_rx_answer(struct vif *vif, uint16_t id, unsigned offset, unsigned flags, int status);
/* Answers to all slots of a packet that was sent; extras are behind the first one. */
void net_tx_answers(struct vif *vif, const uint16_t *id, unsigned slots, unsigned fragments,
                    int status);
void net_wake(struct vif **list); /* those who wait there may try again */
void net_hold_over(struct timer *t);
void net_wait_end(struct vif *vif);
/* Where TCP's or UDP's checksum of an IPv4 packet is summed from, and goes; false: it is neither
 * (then *start and *offset are anything).
 * n: bytes that are there to look at. */
bool net_csum_where(const uint8_t *p, unsigned n, uint16_t *start, uint16_t *offset);
/* A checksum that covers the pseudo header becomes a whole one. */
void net_csum_whole(uint8_t *packet, unsigned n);
/* Sums of 16-bit words; `odd`: p is at an odd distance from the first one. */
uint32_t net_csum_add(uint32_t sum, const uint8_t *p, unsigned n, bool odd);
uint16_t net_csum_fold(uint32_t sum);

/* -- net_uplink.c ---------------------------------------------------------------------------- */
enum net_sent { NET_SENT, NET_NO_ROOM, NET_REFUSED };
enum net_sent net_uplink_send(struct net_packet *p);
/* Buffers have come: give the guest what is kept for it. */
void net_backlog_run(struct vif *vif);
void net_backlog_drop(struct vif *vif);
void net_uplink_flush(void); /* pages that wait to be supplied, and the kick */

/* -- net_vif.c ------------------------------------------------------------------------------ */

/* Give d a network card: the nodes of both ends in the store, as Xen's toolstack writes them. mac
 * NULL or 0: 00:16:3e and numbers of ours. rate: bytes a second that it may send, 0: any. Call it when
 * d's store is attached, before its first instruction or later. False: no memory, no port, or the
 * address is another's. */
bool net_attach(struct domain *d, unsigned id, const uint8_t *mac, uint64_t rate);
const struct net_stats *net_stats(struct domain *d, unsigned id); /* NULL: no such card */

#endif
