/* SPDX-License-Identifier: MIT
 *
 * net_uplink.c - packets between the guests and the network card (netdev.h).
 *
 * Out: fragments are pinned and gathered by the card from the guest's pages. The header is given by
 * value, so that what the switch has checked is what leaves; no other byte is copied, except when
 * a checksum has to be filled in that the card can't: then the first NETDEV_HEADER bytes go by
 * value.
 *
 * In: each packet has a page of the shim's. It is copied into a buffer of the guest's, or (if the
 * guest agreed to netflip.h, and nothing else uses the buffer's page) the pages are exchanged: what
 * of the new page is not packet is scrubbed, the guest's old one goes to the card, after a flush
 * that takes away every translation of it. Pages go back to the card in batches, with one flush.
 */
#include "net.h"
#include "../core/log.h"
#include "../core/platform.h"
#include "../core/sched.h"

enum { FLIGHTS = 256, SPARES = 512 };

struct flight { /* a packet that the card has */
    struct vif *vif;
    uint8_t pins, slots, fragments;
    uint16_t id[NET_FRAGMENTS];
    uint32_t pin[NET_FRAGMENTS];
    uint16_t next; /* of the free ones, plus 1 */
};

static struct flight *flights;
static unsigned flights_free;  /* plus 1 */
static uint32_t spare[SPARES]; /* pages for the card */
static unsigned spares;
static bool to_kick;

/* -- out ------------------------------------------------------------------------------------------
 */

/* Fill the checksum in: what it covers lies in the header, and behind it in the segments. */
static void fill_csum(const struct netdev_packet *np, uint8_t *header, unsigned taken)
{
    uint16_t start, offset, folded;
    unsigned at = taken;
    uint32_t sum;

    if (!net_csum_where(header, taken, &start, &offset))
        return;
    sum = net_csum_add(0, header + start, taken - start, false);
    for (unsigned i = 0; i < np->segments; i++) {
        sum = net_csum_add(sum, plat_ram + np->segment[i].maddr, np->segment[i].length,
                           (at - start) & 1);
        at += np->segment[i].length;
    }
    folded = net_csum_fold(sum);
    if (!folded && offset == 6)
        folded = 0xffff; /* 0 means none to UDP */
    __builtin_memcpy(header + start + offset, &folded, 2);
}

/* Pin what lies behind the first `taken` bytes, which are copied from there into header. */
static bool pin_all(struct net_packet *p, struct flight *f, struct netdev_packet *np,
                    uint8_t *header, unsigned taken)
{
    struct domain *d = net_guest(p->from);
    unsigned at = 0;

    for (unsigned i = 0; i < p->fragments; i++) {
        const struct net_fragment *fr = &p->frag[i];
        unsigned skip = at >= taken ? 0 : fr->size < taken - at ? fr->size : taken - at;
        mfn_t m;

        if (grant_pin(d, fr->gref, true, &f->pin[f->pins], &m))
            return false;
        f->pins++;
        if (skip)
            __builtin_memcpy(header + at, (uint8_t *)plat_map(m) + fr->offset, skip);
        if (fr->size > skip)
            np->segment[np->segments++] = (struct netdev_segment){
                (m.n << PV_PAGE_SHIFT) + fr->offset + skip, fr->size - skip};
        at += fr->size;
    }
    return true;
}

static void flight_end(struct flight *f)
{
    while (f->pins)
        grant_unpin(f->pin[--f->pins]);
    f->vif = NULL;
    f->next = (uint16_t)flights_free;
    flights_free = (unsigned)(f - flights) + 1;
}

enum net_sent net_uplink_send(struct net_packet *p)
{
    struct netdev *nd = net.uplink;
    bool sum = p->flags & XEN_NETTXF_csum_blank, ours = sum && !(nd->features & NETDEV_CSUM);
    struct flight *f = flights_free ? &flights[flights_free - 1] : NULL;
    struct netdev_packet np; /* its segments are many: only what is used is filled in */
    uint8_t header[NETDEV_HEADER];
    unsigned taken = !sum ? SWITCH_HEADER : p->bytes < NETDEV_HEADER ? p->bytes : NETDEV_HEADER;

    if (!f)
        return NET_NO_ROOM;
    flights_free = f->next; /* the card may end others meanwhile */
    f->pins = 0;
    np.segments = np.csum_start = np.csum_offset = 0;
    if (!pin_all(p, f, &np, header, taken)) {
        flight_end(f);
        return NET_REFUSED;
    }
    __builtin_memcpy(header, p->header, SWITCH_HEADER); /* as it was checked */
    if (ours)
        fill_csum(&np, header, taken);
    else if (sum && !net_csum_where(header, taken, &np.csum_start, &np.csum_offset))
        np.csum_start = np.csum_offset = 0;
    np.header = header;
    np.header_length = (uint16_t)taken;
    np.cookie = (uint32_t)(f - flights);
    if (!nd->ops->send(nd, &np)) {
        flight_end(f);
        return NET_NO_ROOM;
    }
    f->vif = p->from;
    f->slots = (uint8_t)p->slots;
    f->fragments = (uint8_t)p->fragments;
    for (unsigned i = 0; i < p->slots; i++)
        f->id[i] = p->id[i];
    p->from->flights++;
    p->from->stats.copied_out += taken - SWITCH_HEADER;
    to_kick = true;
    return NET_SENT;
}

void netdev_sent(struct netdev *nd, uint32_t cookie)
{
    struct flight *f = &flights[cookie];
    struct vif *vif;

    (void)nd;
    HV_ASSERT(cookie < FLIGHTS && f->vif);
    vif = f->vif;
    if (vif->tx.page && !vif->bus.draining)
        net_tx_answers(vif, f->id, f->slots, f->fragments, XEN_NETIF_RSP_OKAY);
    flight_end(f);
    if (vif->bus.off)
        cpu_work_set(CPU_WORK_EXIT); /* that may have been its last page */
    if (--vif->flights == 0 && vif->bus.draining)
        xenbus_drained(&vif->bus);
    net_wake(&net.uplink_waiting);
}

/* -- in
 * --------------------------------------------------------------------------------------------- */

/* This page is for the card again. */
static void give_back(uint32_t m)
{
    if (spares < SPARES)
        spare[spares++] = m;
    else
        frame_hv_free(plat_map(mfn(m)), 0);
}

static bool try_exchange(struct vif *vif, const struct net_arrival *a, const struct grant_access *g)
{
    uint8_t *page = plat_map(mfn(a->mfn));
    unsigned end = (unsigned)a->offset + a->length;

    if (!vif->exchange || !g->marked || !frame_exchange(net_guest(vif), mfn(g->mfn), mfn(a->mfn)))
        return false;
    __builtin_memset(page, 0, a->offset);
    __builtin_memset(page + end, 0, PV_PAGE_SIZE - end);
    __atomic_store_n(&g->entry->frame, a->mfn, __ATOMIC_RELEASE);
    return true;
}

/* Into the next buffer of vif, which has one. The page that is the shim's afterwards. */
static uint32_t give(struct vif *vif, const struct net_arrival *a)
{
    uint8_t *packet = (uint8_t *)plat_map(mfn(a->mfn)) + a->offset;
    unsigned flags = a->flags;
    struct xen_netif_rx_request r;
    struct grant_access g;
    uint32_t left = a->mfn;

    net_rx_peek(vif, &r);
    if (unlikely(grant_access_begin(net_guest(vif), r.gref, false, &g))) {
        net_rx_answer(vif, r.id, 0, 0, XEN_NETIF_RSP_ERROR);
        vif->stats.lost++;
        return left;
    }
    if ((flags & XEN_NETRXF_csum_blank) && !vif->csum) {
        net_csum_whole(packet, a->length);
        flags &= ~(unsigned)(XEN_NETRXF_csum_blank | XEN_NETRXF_data_validated);
    }
    if (try_exchange(vif, a, &g)) {
        left = g.mfn;
        vif->stats.exchanged++;
        grant_access_end(&g);
        net_rx_answer(vif, r.id, a->offset, flags | PV_NETRXF_exchanged, a->length);
    } else {
        __builtin_memcpy(g.page, packet, a->length);
        vif->stats.copied += a->length;
        grant_access_end(&g);
        net_rx_answer(vif, r.id, 0, flags, a->length);
    }
    vif->stats.received++;
    vif->stats.received_bytes += a->length;
    return left;
}

/* It has no buffer: the page is kept, and the card gets another. */
static void keep(struct vif *vif, const struct net_arrival *a)
{
    void *page = NULL;

    if ((uint16_t)(vif->backlog_tail - vif->backlog_head) < NET_BACKLOG)
        page = frame_hv_alloc(0);
    if (!page) {
        vif->stats.lost++;
        give_back(a->mfn);
        return;
    }
    vif->backlog[vif->backlog_tail++ % NET_BACKLOG] = *a;
    give_back((uint32_t)mfn_of_maddr(plat_maddr(page)).n);
}

void net_backlog_run(struct vif *vif)
{
    while (vif->backlog_head != vif->backlog_tail && net_has_buffer(vif))
        give_back(give(vif, &vif->backlog[vif->backlog_head++ % NET_BACKLOG]));
}

void net_backlog_drop(struct vif *vif)
{
    while (vif->backlog_head != vif->backlog_tail)
        frame_hv_free(plat_map(mfn(vif->backlog[vif->backlog_head++ % NET_BACKLOG].mfn)), 0);
}

static void arrived_for_all(const struct net_arrival *a)
{
    for (unsigned i = 0; i < SWITCH_PORTS; i++) {
        struct vif *vif = net.vif[i];
        bool exchange;

        if (!vif)
            continue;
        if (!net_has_buffer(vif)) {
            vif->stats.lost++;
            continue;
        }
        exchange = vif->exchange;
        vif->exchange = false; /* the page is for the next one as well */
        give(vif, a);
        vif->exchange = exchange;
    }
}

static void arrived(struct net_arrival *a, int port)
{
    struct vif *vif = port >= 0 ? net.vif[port] : NULL;

    if (port == SWITCH_FLOOD)
        arrived_for_all(a);
    if (!vif) {
        net.uplink_dropped += port != SWITCH_FLOOD;
        give_back(a->mfn);
    } else if (vif->backlog_head != vif->backlog_tail || !net_has_buffer(vif)) {
        keep(vif, a);
    } else {
        give_back(give(vif, a));
    }
}

void netdev_received(struct netdev *nd, mfn_t page, unsigned offset, unsigned length,
                     unsigned flags)
{
    struct net_arrival a = {(uint32_t)page.n, (uint16_t)offset, (uint16_t)length, 0};
    uint64_t began = plat_tsc();
    int port;

    (void)nd;
    if (length < SWITCH_HEADER || length > PV_PAGE_SIZE || offset > PV_PAGE_SIZE - length) {
        give_back(a.mfn);
        return;
    }
    if (flags & NETDEV_RX_BLANK)
        a.flags = XEN_NETRXF_csum_blank | XEN_NETRXF_data_validated;
    else if (flags & NETDEV_RX_VALID)
        a.flags = XEN_NETRXF_data_validated;
    port = switch_forward(&net.sw, NET_UPLINK_PORT, (uint8_t *)plat_map(page) + offset);
    arrived(&a, port);
    if (port >= 0 && net.vif[port])
        net.vif[port]->stats.billed += plat_tsc() - began;
}

void net_uplink_flush(void)
{
    struct netdev *nd = net.uplink;
    bool stale = false;

    if (!nd)
        return;
    for (unsigned i = 0; i < spares; i++)
        stale |= frame_of(mfn(spare[i]))->stamp == frame_flush_clock;
    if (stale)
        frame_flush(); /* before the card writes to what was a guest's */
    while (spares && nd->ops->supply(nd, mfn(spare[spares - 1]))) {
        spares--;
        to_kick = true;
    }
    if (to_kick)
        nd->ops->kick(nd);
    to_kick = false;
}

void netdev_batch_end(struct netdev *nd)
{
    (void)nd;
    net_run();
}

void netdev_attach(struct netdev *nd)
{
    unsigned order = 0;

    if (net.uplink)
        return;
    while (((size_t)PV_PAGE_SIZE << order) < FLIGHTS * sizeof(*flights))
        order++;
    flights = frame_hv_alloc(order);
    if (!flights)
        return;
    for (unsigned i = 0; i < FLIGHTS; i++)
        flights[i].next = (uint16_t)(i + 1 < FLIGHTS ? i + 2 : 0);
    flights_free = 1;
    for (unsigned i = 0; i < nd->rx_slots && i < SPARES; i++) {
        void *page = frame_hv_alloc(0);

        if (!page)
            break;
        give_back((uint32_t)mfn_of_maddr(plat_maddr(page)).n);
    }
    net.uplink = nd;
    switch_trunk(&net.sw, NET_UPLINK_PORT);
    net_uplink_flush();
    hv_log("network card %s: %02x:%02x:%02x:%02x:%02x:%02x\n", nd->name, nd->mac[0], nd->mac[1],
           nd->mac[2], nd->mac[3], nd->mac[4], nd->mac[5]);
}
