/* SPDX-License-Identifier: MIT
 *
 * net_fixture.h - what the tests of the network back-end begin with: front-ends of straw, which
 * keep the rules of netif unless a test says otherwise, and a network card that remembers.
 */
#ifndef NET_FIXTURE_H
#define NET_FIXTURE_H

#include "tests/unit/core/exec_fixture.h"
#include "backend/net.h"
#include "backend/store.h"
#include <pv/abi/event_channel.h>
#include <pv/netflip.h>
#include <stdio.h>
#include <stdlib.h>

/* A guest's pages: rings, then pages to send from, then buffers. */
enum { TX_RING = 2, RX_RING = 3, TX_PAGE = 10, TX_PAGES = 8, RX_PAGE = 20, RX_PAGES = 24 };
/* References: the same numbers plus REF. */
enum { REF = 100, GUESTS = 4 };

struct ring_head {
    uint32_t req_prod, req_event, rsp_prod, rsp_event;
    uint8_t pad[48];
};

struct card {
    struct hosted_guest *g;
    struct vif *vif;
    uint32_t port;
    uint32_t tx_prod, tx_cons, rx_prod, rx_cons;
    uint8_t mac[6];
};
static struct card card[GUESTS + 1];

static inline struct ring_head *head(const struct card *c, unsigned ring)
{
    return hosted_page(c->g, ring);
}
static inline struct xen_netif_tx_request *tx_slot(const struct card *c, uint32_t i)
{
    return (struct xen_netif_tx_request *)(head(c, TX_RING) + 1) + i % NET_SLOTS;
}
static inline struct xen_netif_tx_response *tx_answer(const struct card *c, uint32_t i)
{
    return (struct xen_netif_tx_response *)tx_slot(c, i);
}
static inline struct xen_netif_rx_request *rx_slot(const struct card *c, uint32_t i)
{
    return (struct xen_netif_rx_request *)(head(c, RX_RING) + 1) + i % NET_SLOTS;
}
static inline struct xen_netif_rx_response *rx_answer(const struct card *c, uint32_t i)
{
    return (struct xen_netif_rx_response *)rx_slot(c, i);
}

static inline void grant_page(const struct card *c, unsigned page, uint16_t flags)
{
    c->g->d->grants->shared[0][REF + page] = (struct xen_grant_entry_v1){
        (uint16_t)(XEN_GTF_permit_access | flags), 0, (uint32_t)c->g->p2m[page]};
}

static inline void node(const struct card *c, const char *name, const char *value)
{
    char path[128];

    snprintf(path, sizeof(path), "/local/domain/%u/device/vif/0/%s", c->g->d->id, name);
    cr_assert(store_write(path, value));
}
static inline void node_number(const struct card *c, const char *name, unsigned value)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", value);
    node(c, name, text);
}

static inline const char *back_node(const struct card *c, const char *name)
{
    static char value[64];
    char path[128];

    snprintf(path, sizeof(path), "/local/domain/0/backend/vif/%u/0/%s", c->g->d->id, name);
    return store_read(path, value, sizeof(value)) < 0 ? "(none)" : value;
}

/* Rings and nodes are there, but for the state. */
static inline void prepare(struct card *c)
{
    struct xen_evtchn_alloc_unbound alloc = {.dom = XEN_DOMID_SELF, .remote_dom = 0};
    struct vcpu *was = hv.cpu[0].current;

    memset(head(c, TX_RING), 0, PV_PAGE_SIZE);
    memset(head(c, RX_RING), 0, PV_PAGE_SIZE);
    head(c, TX_RING)->req_event = head(c, TX_RING)->rsp_event = 1;
    head(c, RX_RING)->req_event = head(c, RX_RING)->rsp_event = 1;
    c->tx_prod = c->tx_cons = c->rx_prod = c->rx_cons = 0;
    grant_page(c, TX_RING, 0);
    grant_page(c, RX_RING, 0);
    for (unsigned i = 0; i < TX_PAGES; i++)
        grant_page(c, TX_PAGE + i, XEN_GTF_readonly);
    for (unsigned i = 0; i < RX_PAGES; i++)
        grant_page(c, RX_PAGE + i, 0);
    hosted_run(c->g->v);
    memcpy(hosted_page(c->g, ARGS), &alloc, sizeof(alloc));
    cr_assert_eq(hosted_call(c->g->v, XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_alloc_unbound,
                             hosted_va(ARGS), 0, 0),
                 0);
    memcpy(&alloc, hosted_page(c->g, ARGS), sizeof(alloc));
    hosted_run(was);
    c->port = alloc.port;
    node_number(c, "tx-ring-ref", REF + TX_RING);
    node_number(c, "rx-ring-ref", REF + RX_RING);
    node_number(c, "event-channel", c->port);
    node_number(c, "request-rx-copy", 1);
}

static inline void attach(struct card *c, struct hosted_guest *who)
{
    c->g = who;
    cr_assert(net_attach(who->d, 0, NULL, 0));
    c->vif = (struct vif *)xenbus_find(who->d, "vif", 0);
    memcpy(c->mac, c->vif->mac, 6);
}

static inline void go(struct card *c)
{
    node(c, "state", "4");
    cr_assert_str_eq(back_node(c, "state"), "4");
    cr_assert(c->g->d->stages >> STAGE_net & 1);
}

/* Buffers for n packets. */
static inline void refill(struct card *c, unsigned n)
{
    for (unsigned i = 0; i < n; i++, c->rx_prod++)
        *rx_slot(c, c->rx_prod) = (struct xen_netif_rx_request){
            (uint16_t)(c->rx_prod % RX_PAGES), 0, REF + RX_PAGE + c->rx_prod % RX_PAGES};
    head(c, RX_RING)->req_prod = c->rx_prod;
    net_notified(c->vif);
}

static inline void net_setup_cards(unsigned n)
{
    exec_setup();
    for (unsigned i = 1; i <= n; i++) {
        attach(&card[i], i == 1 ? g : i == 2 ? other : hosted_guest((uint16_t)i, PAGES, 1));
        prepare(&card[i]);
        go(&card[i]);
        refill(&card[i], RX_PAGES);
    }
}

static inline void fill_header(uint8_t *p, const uint8_t *to, const uint8_t *from)
{
    memcpy(p, to, 6);
    memcpy(p + 6, from, 6);
    p[12] = 0x88;
    p[13] = 0xb5; /* for experiments */
}

/* A slot; what it says is for the back-end to find out. */
static inline void put(struct card *c, uint32_t gref, unsigned offset, unsigned flags,
                       unsigned size)
{
    *tx_slot(c, c->tx_prod) = (struct xen_netif_tx_request){
        gref, (uint16_t)offset, (uint16_t)flags, (uint16_t)(1000 + c->tx_prod), (uint16_t)size};
    c->tx_prod++;
}
static inline void kick(struct card *c)
{
    head(c, TX_RING)->req_prod = c->tx_prod;
    net_notified(c->vif);
}

/* A packet of one fragment from page `page`, filled with `what`. */
static inline void packet(struct card *c, unsigned page, const uint8_t *to, unsigned n, int what)
{
    uint8_t *p = hosted_page(c->g, TX_PAGE + page);

    memset(p, what, n);
    fill_header(p, to, c->mac);
    put(c, REF + TX_PAGE + page, 0, 0, n);
}
static inline void send(struct card *c, const uint8_t *to, unsigned n, int what)
{
    packet(c, 0, to, n, what);
    kick(c);
}

/* The status of the next answer; 99: there is none. */
static inline int answered(struct card *c)
{
    if (c->tx_cons == head(c, TX_RING)->rsp_prod)
        return 99;
    return tx_answer(c, c->tx_cons++)->status;
}

/* The next received packet: its length, or 0: none. *p is where it is. */
static inline int received(struct card *c, uint8_t **p, unsigned *flags)
{
    struct xen_netif_rx_response *r = rx_answer(c, c->rx_cons);
    unsigned page;

    if (c->rx_cons == head(c, RX_RING)->rsp_prod)
        return 0;
    c->rx_cons++;
    page = RX_PAGE + r->id;
    if (r->flags & PV_NETRXF_exchanged) /* as a guest does it */
        c->g->p2m[page] = c->g->d->grants->shared[0][REF + page].frame;
    *p = (uint8_t *)hosted_page(c->g, page) + r->offset;
    if (flags)
        *flags = r->flags;
    return r->status;
}

static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};

/* -- a network card -------------------------------------------------------------------------- */

enum { NIC_SLOTS = 16, NIC_TX = 8 };

static struct {
    struct netdev dev;
    mfn_t empty[NIC_SLOTS];
    unsigned empties, kicks;
    struct netdev_packet sent[NIC_TX];
    uint8_t header[NIC_TX][NETDEV_HEADER];
    unsigned sents;
    bool full;
    void (*at_kick)(void); /* what it does of its own accord; NULL: nothing */
} nic;

static inline bool nic_send(struct netdev *nd, const struct netdev_packet *p)
{
    if (nic.full || nic.sents == NIC_TX)
        return false;
    nic.sent[nic.sents] = *p;
    memcpy(nic.header[nic.sents++], p->header, p->header_length);
    return true;
}
static inline bool nic_supply(struct netdev *nd, mfn_t page)
{
    if (nic.empties == NIC_SLOTS)
        return false;
    cr_assert_neq(frame_of(page)->stamp, frame_flush_clock, "a guest may still reach it");
    cr_assert_eq(frame_of(page)->owner, XEN_DOMID_XEN);
    nic.empty[nic.empties++] = page;
    return true;
}
static inline void nic_kick(struct netdev *nd)
{
    nic.kicks++;
    if (nic.at_kick)
        nic.at_kick();
}

static inline void nic_attach(uint32_t features)
{
    static const struct netdev_ops ops = {nic_send, nic_supply, nic_kick};

    nic.dev = (struct netdev){.ops = &ops,
                              .name = "nic",
                              .mtu = 1500,
                              .features = features,
                              .rx_slots = NIC_SLOTS,
                              .mac = {2, 2, 2, 2, 2, 2}};
    netdev_attach(&nic.dev);
    cr_assert_eq(nic.empties, NIC_SLOTS);
}

static const uint8_t outside[6] = {2, 1, 1, 1, 1, 1};

/* A packet arrives, at an odd place in its page, which had held something else. */
static inline mfn_t nic_arrives(const uint8_t *to, unsigned n, int what, unsigned flags)
{
    mfn_t m = nic.empty[--nic.empties];
    uint8_t *p = (uint8_t *)plat_map(m) + 12;

    memset(plat_map(m), 0xee, PV_PAGE_SIZE);
    memset(p, what, n);
    fill_header(p, to, outside);
    netdev_received(&nic.dev, m, 12, n, flags);
    netdev_batch_end(&nic.dev);
    return m;
}

#endif
