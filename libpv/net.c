/* SPDX-License-Identifier: MIT */
/*
 * net.c - the datapath of network cards: packets into slots, slots into packets. How the two ends
 * meet is net_connect.c's.
 *
 *     send       fragments -> an id and a grant each -> transmit ring      ... response -> done()
 *     receive    spare pages -> an id and a grant each -> receive ring     ... response -> pieces
 * of a packet -> received() -> spare pages
 *
 * A page is shown to the kernel only after its grant has ended: what it reads there stays as it is.
 * n->lock covers the rings and lists; received() and done() are called without it, by one poll at a
 * time, so that packets keep their order.
 */
#include <pv/net.h>
#include <pv/abi/errno.h>
#include <pv/event.h>
#include <pv/grant.h>
#include <pv/host.h>
#include "internal.h"

#define LIES "and says of its rings what can't be"

PV_STATIC_ASSERT(PV_NET_SLOTS <= PV_RING_IDS, "each slot has an id");

static bool enter(struct pv_net *n)
{
    bool state = pv_events_disable();

    while (__atomic_test_and_set(&n->lock, __ATOMIC_ACQUIRE))
        pv_host_relax();
    return state;
}

static void leave(struct pv_net *n, bool state)
{
    __atomic_clear(&n->lock, __ATOMIC_RELEASE);
    pv_events_restore(state);
}

static void tell(struct pv_net *n, bool wanted)
{
    if (wanted) {
        n->notifications++;
        pv_event_send(n->port);
    }
}

/* Sending ---------------------------------------------------------------------------------- */

bool pv_net_room(const struct pv_net *n, unsigned fragments)
{
    return n->up && pv_net_tx_front_room(&n->tx) >= fragments;
}

static uint16_t tx_flags(const struct pv_net_packet *p, unsigned i)
{
    uint16_t flags = i + 1u < p->count ? XEN_NETTXF_more_data : 0;

    if (i == 0 && (p->flags & PV_NET_BLANK))
        flags |= XEN_NETTXF_csum_blank | XEN_NETTXF_data_validated;
    return flags;
}

/* How many bytes; 0: this is no packet. */
static uint32_t length_of(const struct pv_net *n, const struct pv_net_packet *p)
{
    uint32_t bytes = 0;

    if (!p->count || p->count > PV_NET_FRAGMENTS || (p->count > 1 && !n->fragments))
        return 0;
    for (unsigned i = 0; i < p->count; i++) {
        const struct pv_net_fragment *f = &p->fragments[i];

        if (!f->bytes || f->bytes > PV_PAGE_SIZE || f->offset > PV_PAGE_SIZE - f->bytes)
            return 0;
        bytes += f->bytes;
    }
    return bytes <= XEN_NETIF_MAX_TX_SIZE ? bytes : 0;
}

/* Lends all fragments, or none. */
static int lend(struct pv_net *n, struct pv_net_send *s, uint16_t *ids)
{
    void *cookie;
    unsigned i = 0;
    int err = 0;

    for (; i < s->packet.count && !err; i++) {
        int id = pv_ring_ids_take(&n->tx_ids, s);

        if (id < 0)
            return id; /* there was room for all */
        ids[i] = (uint16_t)id;
        err = pv_grant_publish(n->bus.peer, s->packet.fragments[i].frame, true, &n->tx_ref[id]);
        if (err)
            pv_ring_ids_end(&n->tx_ids, ids[i--], &cookie);
    }
    while (err && i-- > 0) {
        pv_grant_end(n->tx_ref[ids[i]]);
        pv_ring_ids_end(&n->tx_ids, ids[i], &cookie);
    }
    return err;
}

static int send_lent(struct pv_net *n, struct pv_net_send *s, uint32_t bytes)
{
    const struct pv_net_packet *p = &s->packet;
    uint16_t ids[PV_NET_FRAGMENTS];
    int err = lend(n, s, ids);

    if (err)
        return err;
    s->slots = p->count;
    s->status = 0;
    for (unsigned i = 0; i < p->count; i++) {
        struct xen_netif_tx_request q = {
            .gref = n->tx_ref[ids[i]],
            .offset = (uint16_t)p->fragments[i].offset,
            .flags = tx_flags(p, i),
            .id = ids[i],
            .size = (uint16_t)(i ? p->fragments[i].bytes : bytes),
        };
        pv_net_tx_front_put(&n->tx, &q);
    }
    n->sent++;
    tell(n, pv_net_tx_front_publish(&n->tx));
    return 0;
}

/* Responses to what was sent. False: the back-end lies. */
static bool collect(struct pv_net *n, struct pv_net_send **ended)
{
    struct xen_netif_tx_response rsp;
    void *cookie;
    int got;

    while ((got = pv_net_tx_front_get(&n->tx, &rsp)) > 0) {
        struct pv_net_send *s;
        bool possible, released;

        if (!pv_ring_ids_end(&n->tx_ids, rsp.id, &cookie))
            return false;
        possible = rsp.status <= 0 && rsp.status >= XEN_NETIF_RSP_DROPPED;
        s = cookie;
        if (s) { /* no copy, whose page stays lent */
            released = pv_grant_end(n->tx_ref[rsp.id]) == 0;
            possible &= released;
            if (!released || (rsp.status && !s->status))
                s->status = released ? -XEN_EIO : -XEN_EBUSY;
            if (--s->slots == 0) {
                s->next = *ended;
                *ended = s;
            }
        }
        if (!possible)
            return false;
    }
    return got == 0;
}

static void call_done(struct pv_net_send *ended)
{
    for (struct pv_net_send *next; ended; ended = next) {
        next = ended->next;
        if (ended->done)
            ended->done(ended, ended->status);
    }
}

int pv_net_send(struct pv_net *n, struct pv_net_send *s)
{
    bool state = enter(n);
    uint32_t bytes = length_of(n, &s->packet);
    int err = !n->up                             ? -XEN_EIO
              : !bytes                           ? -XEN_EINVAL
              : !pv_net_room(n, s->packet.count) ? -XEN_ENOSPC
                                                 : send_lent(n, s, bytes);

    leave(n, state);
    return err;
}

/* A page of ours for the copy, lent to the back-end for as long as it is there. */
static int copy_page(struct pv_net *n, struct pv_net_page *p)
{
    int err = 0;

    if (pfn_valid(p->frame))
        return 0;
    p->frame = pv_host_page_alloc();
    if (!pfn_valid(p->frame))
        return -XEN_ENOMEM;
    err = pv_grant_publish(n->bus.peer, p->frame, true, &p->ref);
    if (err) {
        pv_host_page_free(p->frame);
        p->frame = PV_PFN_INVALID;
    }
    return err;
}

static int send_copied(struct pv_net *n, const struct pv_net_bytes *bytes, unsigned count,
                       size_t total, unsigned flags)
{
    int id = pv_ring_ids_take(&n->tx_ids, NULL), err;
    struct pv_net_packet shape = {.count = 1, .flags = (uint16_t)flags};
    struct xen_netif_tx_request q = {.id = (uint16_t)id, .size = (uint16_t)total};
    void *cookie;
    char *to;

    if (id < 0)
        return id;
    err = copy_page(n, &n->tx_copy[id]);
    if (err) {
        pv_ring_ids_end(&n->tx_ids, (uint64_t)id, &cookie);
        return err;
    }
    to = pv_host_page_va(n->tx_copy[id].frame);
    for (unsigned i = 0; i < count; to += bytes[i++].len)
        __builtin_memcpy(to, bytes[i].base, bytes[i].len);
    q.gref = n->tx_copy[id].ref;
    q.flags = tx_flags(&shape, 0);
    pv_net_tx_front_put(&n->tx, &q);
    n->sent++;
    tell(n, pv_net_tx_front_publish(&n->tx));
    return 0;
}

int pv_net_send_copy(struct pv_net *n, const struct pv_net_bytes *bytes, unsigned count,
                     unsigned flags)
{
    struct pv_net_send *ended = NULL;
    size_t total = 0;
    bool state = enter(n), honest = true;
    int err;

    for (unsigned i = 0; i < count && total <= PV_PAGE_SIZE; i++)
        total += bytes[i].len <= PV_PAGE_SIZE ? bytes[i].len : PV_PAGE_SIZE + 1;
    if (n->up)
        honest = collect(n, &ended); /* so that few pages serve for many copies */
    if (!n->up)
        err = -XEN_EIO;
    else if (!total || total > PV_PAGE_SIZE)
        err = -XEN_EINVAL;
    else if (!honest)
        err = -XEN_EIO;
    else
        err = send_copied(n, bytes, count, total, flags);
    leave(n, state);
    if (!honest)
        pv_xenbus_fail(&n->bus, LIES);
    call_done(ended);
    return err;
}

/* Receiving -------------------------------------------------------------------------------- */

/*
 * A page that may be exchanged is mapped nowhere while it is lent. When it comes back, its entry in
 * the grant table says which machine frame is behind it by now. False: it could not be mapped.
 */
static bool unmap(struct pv_net *n, pfn_t frame)
{
    return !n->exchanges || pv_window_map(pv_host_page_va(frame), PV_MFN_INVALID, false) == 0;
}

static bool come_back(struct pv_net *n, const struct pv_net_page *p)
{
    mfn_t now = pv_grant_frame(p->ref);

    if (pv_grant_end(p->ref) != 0)
        return false; /* the page is lost: the back-end still writes to it */
    if (!n->exchanges)
        return true;
    if (!mfn_eq(now, pv_p2m(p->frame))) {
        pv_p2m_set(p->frame, now);
        n->exchanged++;
    }
    return pv_window_map(pv_host_page_va(p->frame), now, true) == 0;
}

/* Lends spare and new pages until there are as many as there should be. */
static void fill(struct pv_net *n)
{
    while (n->posted < n->buffers && pv_net_rx_front_room(&n->rx)) {
        pfn_t frame = n->spares ? n->spare[--n->spares] : pv_host_page_alloc();
        int id = pfn_valid(frame) ? pv_ring_ids_take(&n->rx_ids, NULL) : -1;
        struct xen_netif_rx_request q = {.id = (uint16_t)id};
        void *cookie;

        if (!pfn_valid(frame))
            break;
        if (id < 0 || !unmap(n, frame) || pv_grant_publish(n->bus.peer, frame, false, &q.gref)) {
            if (id >= 0)
                pv_ring_ids_end(&n->rx_ids, (uint64_t)id, &cookie);
            if (n->exchanges)
                pv_window_map(pv_host_page_va(frame), pv_p2m(frame), true);
            n->spare[n->spares++] = frame;
            break;
        }
        n->rx_page[id] = (struct pv_net_page){frame, q.gref};
        pv_net_rx_front_put(&n->rx, &q);
        n->posted++;
    }
    tell(n, pv_net_rx_front_publish(&n->rx));
}

/* One slot of a packet. 1: the packet is whole; 0: it goes on; -1: the back-end lies. */
static int take_piece(struct pv_net *n, const struct xen_netif_rx_response *rsp)
{
    struct pv_net_page *p = &n->rx_page[rsp->id % PV_NET_SLOTS];
    void *cookie;

    if (!pv_ring_ids_end(&n->rx_ids, rsp->id, &cookie))
        return -1;
    n->posted--;
    if (!come_back(n, p))
        return -1;
    if (n->pieces == PV_NET_FRAGMENTS || (rsp->flags & XEN_NETRXF_extra_info) ||
        (rsp->status > 0 && rsp->offset + rsp->status > PV_PAGE_SIZE)) {
        n->spare[n->spares++] = p->frame;
        return -1;
    }
    if (n->pieces == 0) {
        n->piece_bad = false;
        n->piece_flags = 0;
        if (rsp->flags & XEN_NETRXF_csum_blank)
            n->piece_flags |= PV_NET_BLANK;
        if (rsp->flags & (XEN_NETRXF_data_validated | XEN_NETRXF_csum_blank))
            n->piece_flags |= PV_NET_VALID;
    }
    n->piece_bad |= rsp->status <= 0;
    n->piece[n->pieces++] = (struct pv_net_fragment){p->frame, rsp->offset,
                                                     rsp->status > 0 ? (uint32_t)rsp->status : 0};
    return !(rsp->flags & XEN_NETRXF_more_data);
}

/* The pages of the packet are to be lent again. */
static void drop_pieces(struct pv_net *n)
{
    while (n->pieces)
        n->spare[n->spares++] = n->piece[--n->pieces].frame;
}

/* The next whole packet, into n->piece. 1; 0: none; -1: the back-end lies. */
static int next_packet(struct pv_net *n)
{
    struct xen_netif_rx_response rsp;
    int got;

    while ((got = pv_net_rx_front_get(&n->rx, &rsp)) > 0) {
        int whole = take_piece(n, &rsp);

        if (whole > 0 && n->piece_bad) {
            n->dropped++;
            drop_pieces(n);
        } else if (whole) {
            return whole;
        }
    }
    return got;
}

static void show(struct pv_net *n)
{
    struct pv_net_packet p = {n->piece, n->pieces, n->piece_flags, 0};

    for (unsigned i = 0; i < n->pieces; i++)
        p.bytes += n->piece[i].bytes;
    n->arrived++;
    if (n->frame && n->pieces == 1)
        n->frame(n, (char *)pv_host_page_va(p.fragments->frame) + p.fragments->offset, p.bytes);
    else if (n->frame)
        n->dropped++;
    else if (n->received && n->received(n, &p))
        n->pieces = 0; /* kept */
}

/*
 * Both rings are empty, and events will come: for the next packet, and when half of what is being
 * sent has been. With nothing under way that is the first of what will be.
 */
static bool sleep(struct pv_net *n)
{
    uint32_t under_way = n->tx.end.published - n->tx.end.consumed;

    return pv_net_rx_front_sleep(&n->rx) && pv_net_tx_front_sleep_for(&n->tx, under_way / 2 + 1);
}

static unsigned poll_once(struct pv_net *n)
{
    unsigned count = 0;
    bool honest = true, more = true, shown = false;

    while (more && honest) {
        struct pv_net_send *ended = NULL;
        bool state = enter(n);
        int got = 0;

        if (!n->up) {
            leave(n, state);
            break;
        }
        if (shown)
            drop_pieces(n);
        shown = false;
        honest = collect(n, &ended);
        if (honest) {
            got = next_packet(n);
            honest = got >= 0;
        }
        if (got == 0 || n->posted < n->buffers / 2)
            fill(n);
        more = got > 0 || (honest && !sleep(n));
        leave(n, state);
        call_done(ended);
        if (got > 0) {
            show(n);
            shown = true;
            count++;
        }
    }
    if (!honest)
        pv_xenbus_fail(&n->bus, LIES);
    return count;
}

unsigned pv_net_poll(struct pv_net *n)
{
    unsigned count = 0;

    __atomic_store_n(&n->again, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&n->again, __ATOMIC_SEQ_CST)) {
        if (__atomic_test_and_set(&n->polling, __ATOMIC_SEQ_CST))
            break; /* who polls looks once more */
        __atomic_store_n(&n->again, 0, __ATOMIC_SEQ_CST);
        pv_event_take(n->port);
        count += poll_once(n);
        __atomic_clear(&n->polling, __ATOMIC_SEQ_CST);
    }
    return count;
}

/* For net_connect.c ------------------------------------------------------------------------ */

void pv_net_start(struct pv_net *n)
{
    bool state = enter(n);

    n->up = true;
    fill(n);
    tell(n, true);
    leave(n, state);
}

void pv_net_stop(struct pv_net *n)
{
    struct pv_net_send *ended = NULL;
    bool state = enter(n);
    void *cookie;

    n->up = false;
    for (unsigned id = 0; id < PV_NET_SLOTS; id++) {
        if (pv_ring_ids_end(&n->tx_ids, id, &cookie) && cookie) {
            struct pv_net_send *s = cookie;

            if (pv_grant_end(n->tx_ref[id]) != 0)
                s->status = -XEN_EBUSY;
            else if (!s->status)
                s->status = -XEN_EIO;
            if (--s->slots == 0) {
                s->next = ended;
                ended = s;
            }
        }
        if (pv_ring_ids_end(&n->rx_ids, id, &cookie) && come_back(n, &n->rx_page[id]))
            n->spare[n->spares++] = n->rx_page[id].frame;
    }
    n->posted = 0;
    leave(n, state);
    call_done(ended);
}
