/* SPDX-License-Identifier: MIT
 *
 * net.c - see net.h: packets from the guests' transmit rings, one by one as the policy says, to
 * where they belong.
 *
 * A packet is looked at while it is still in the ring: slots and header are copied, all is checked,
 * and only when it can go somewhere is it taken. One that has to wait stays, and is looked at anew
 * later, for the guest may have changed it. Of its header the copy is what is delivered.
 *
 * Responses are collected, and every card is notified once at the end of a run.
 */
#include <stdatomic.h>
#include "net.h"
#include "../core/event.h"
#include "../core/platform.h"
#include "../core/sched.h"
#include "../core/timer.h"

enum { LOOK_AT_INTERRUPTS = 16 };

struct net net = {.queue.policy = &packet_rr};

/* The rings' common beginning; then the slots. */
struct sring {
    uint32_t req_prod, req_event, rsp_prod, rsp_event;
    uint8_t pad[48];
};
enum {
    TX_SLOT = sizeof(struct xen_netif_tx_request),
    RX_SLOT = sizeof(struct xen_netif_rx_request),
};
_Static_assert(sizeof(struct sring) + NET_SLOTS * TX_SLOT <= PV_PAGE_SIZE, "one page");

struct domain *net_guest(const struct vif *vif)
{
    return hv.domain[vif->bus.domid];
}

/* -- rings ----------------------------------------------------------------------------------- */

static inline struct sring *sring(const struct net_ring *r)
{
    return (struct sring *)r->page;
}

static inline uint8_t *slot(const struct net_ring *r, uint32_t index, unsigned size)
{
    return r->page + sizeof(struct sring) + index % NET_SLOTS * size;
}

/* Requests that were not taken yet. ~0: more than fit behind those that are not answered, as the
 * front-end's index has jumped, or gone back. */
static inline uint32_t ring_waiting(const struct net_ring *r)
{
    uint32_t n = __atomic_load_n(&sring(r)->req_prod, __ATOMIC_ACQUIRE) - r->req_cons;

    return n > NET_SLOTS - (r->req_cons - r->rsp_prod) ? ~0u : n;
}

/* Ask for an event with the next request. True: there is one already. */
static bool ring_sleep(const struct net_ring *r)
{
    __atomic_store_n(&sring(r)->req_event, r->req_cons + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the front-end sets req_prod, then looks */
    return ring_waiting(r) != 0;
}

/* Show what was answered; true: the front-end wants to be told. */
static bool ring_publish(struct net_ring *r)
{
    uint32_t old = r->published;

    if (!r->page || old == r->rsp_prod)
        return false;
    r->published = r->rsp_prod;
    __atomic_store_n(&sring(r)->rsp_prod, r->rsp_prod, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return r->rsp_prod - __atomic_load_n(&sring(r)->rsp_event, __ATOMIC_RELAXED) <
           r->rsp_prod - old;
}

static inline void mark_dirty(struct vif *vif)
{
    if (vif->dirty)
        return;
    vif->dirty = true;
    vif->next_dirty = net.dirty;
    net.dirty = vif;
}

void net_tx_answers(struct vif *vif, const uint16_t *id, unsigned slots, unsigned fragments,
                    int status)
{
    for (unsigned i = 0; i < slots; i++) {
        bool extra = i && i <= slots - fragments;
        struct xen_netif_tx_response r = {id[i], (int16_t)(extra ? XEN_NETIF_RSP_NULL : status)};

        __builtin_memcpy(slot(&vif->tx, vif->tx.rsp_prod++, TX_SLOT), &r, sizeof(r));
    }
    mark_dirty(vif);
}

void net_rx_answer(struct vif *vif, uint16_t id, unsigned offset, unsigned flags, int status)
{
    struct xen_netif_rx_response r = {id, (uint16_t)offset, (uint16_t)flags, (int16_t)status};

    __builtin_memcpy(slot(&vif->rx, vif->rx.rsp_prod++, RX_SLOT), &r, sizeof(r));
    vif->rx.req_cons++;
    mark_dirty(vif);
}

void net_rx_peek(const struct vif *vif, struct xen_netif_rx_request *r)
{
    __builtin_memcpy(r, slot(&vif->rx, vif->rx.req_cons, RX_SLOT), sizeof(*r));
    atomic_signal_fence(memory_order_seq_cst);
}

static void broken(struct vif *vif, enum rule rule, uint64_t value)
{
    xenbus_fail_reason(&vif->bus, &(struct reason){.rule = (uint16_t)rule,
                                                   .hypercall = 0xffff,
                                                   .va = vif->bus.id,
                                                   .value = value});
}

bool net_has_buffer(struct vif *vif)
{
    uint32_t n;

    if (!vif->rx.page)
        return false;
    n = ring_waiting(&vif->rx);
    if (likely(n && n != ~0u))
        return true;
    if (n == ~0u)
        broken(vif, RULE_NET_RING, sring(&vif->rx)->req_prod);
    else
        return ring_sleep(&vif->rx) && ring_waiting(&vif->rx) != ~0u;
    return false;
}

/* -- waiting ------------------------------------------------------------------------------------
 */

void net_wait_end(struct vif *vif)
{
    if (!vif->waits_in)
        return;
    for (struct vif **at = vif->waits_in; *at; at = &(*at)->next_waiting)
        if (*at == vif) {
            *at = vif->next_waiting;
            break;
        }
    vif->waits_in = NULL;
    timer_stop(&vif->hold);
}

void net_wake(struct vif **list)
{
    while (*list) {
        struct vif *vif = *list;

        net_wait_end(vif);
        packet_add(&net.queue, &vif->sender, false);
    }
}

static void wait_in(struct vif *vif, struct vif **list)
{
    struct vif **at = list;

    while (*at)
        at = &(*at)->next_waiting;
    *at = vif;
    vif->next_waiting = NULL;
    vif->waits_in = list;
    timer_set(&vif->hold, plat_now() + NET_HOLD);
}

/* Whoever it waits for had time enough: its packet is dropped now, if there is still no room. */
void net_hold_over(struct timer *t)
{
    struct vif *vif = t->owner;

    net_wait_end(vif);
    vif->late = true;
    packet_add(&net.queue, &vif->sender, false);
    net_run();
}

/* -- one packet ---------------------------------------------------------------------------------
 */

/* Copy the slots of the next packet. 0: none; < 0: what no front-end does, and the device is
 * broken; else their number. */
static int parse(struct vif *vif, struct net_packet *p)
{
    uint32_t there = ring_waiting(&vif->tx), at = vif->tx.req_cons, rest;
    struct xen_netif_tx_request r;
    bool extra = false, more = true;

    if (there == ~0u)
        return broken(vif, RULE_NET_RING, sring(&vif->tx)->req_prod), -1;
    if (!there)
        return 0;
    p->from = vif;
    p->fragments = p->slots = 0;
    for (; extra || more; at++) {
        if (at - vif->tx.req_cons >= there || p->slots >= NET_FRAGMENTS)
            return broken(vif, RULE_NET_CHAIN, p->slots), -1;
        __builtin_memcpy(&r, slot(&vif->tx, at, TX_SLOT), sizeof(r));
        atomic_signal_fence(memory_order_seq_cst);
        p->id[p->slots++] = r.id;
        if (unlikely(extra)) { /* xen_netif_extra_info: type and flags are its first bytes */
            extra = r.gref >> 8 & XEN_NETIF_EXTRA_FLAG_MORE;
            p->id[p->slots - 1] = 0;
            if ((uint8_t)r.gref == XEN_NETIF_EXTRA_TYPE_GSO)
                p->flags |= XEN_NETTXF_extra_info; /* which was not offered */
            continue;
        }
        if (unlikely(r.offset + r.size > PV_PAGE_SIZE && p->fragments))
            return broken(vif, RULE_NET_FRAGMENT, r.offset + r.size), -1;
        if (!p->fragments) {
            p->bytes = r.size;
            p->flags = r.flags & (XEN_NETTXF_csum_blank | XEN_NETTXF_data_validated);
            extra = r.flags & XEN_NETTXF_extra_info;
        }
        p->frag[p->fragments++] = (struct net_fragment){r.gref, r.offset, r.size};
        more = r.flags & XEN_NETTXF_more_data;
    }
    rest = p->bytes;
    for (unsigned i = 1; i < p->fragments; i++) {
        if (p->frag[i].size > rest)
            return broken(vif, RULE_NET_FRAGMENT, p->frag[i].size), -1;
        rest -= p->frag[i].size;
    }
    p->frag[0].size = (uint16_t)rest;
    if (p->frag[0].offset + rest > PV_PAGE_SIZE)
        return broken(vif, RULE_NET_FRAGMENT, p->frag[0].offset + rest), -1;
    return p->slots;
}

/* The packet leaves the ring, and its slots are answered. */
static void finish(struct net_packet *p, int status)
{
    struct vif *vif = p->from;

    vif->tx.req_cons += p->slots;
    net_tx_answers(vif, p->id, p->slots, p->fragments, status);
    if (status == XEN_NETIF_RSP_OKAY) {
        vif->stats.sent++;
        vif->stats.sent_bytes += p->bytes;
    } else {
        vif->stats.refused++;
    }
}

struct opened {
    struct grant_access access[NET_FRAGMENTS];
    unsigned n;
};

static void close_all(const struct opened *o)
{
    for (unsigned i = 0; i < o->n; i++)
        grant_access_end(&o->access[i]);
}

/* All fragments, and the header from wherever it lies. */
static bool open_all(struct net_packet *p, struct opened *o)
{
    struct domain *d = net_guest(p->from);
    unsigned got = 0;

    for (o->n = 0; o->n < p->fragments; o->n++)
        if (unlikely(grant_access_begin(d, p->frag[o->n].gref, true, &o->access[o->n]))) {
            close_all(o);
            return false;
        }
    for (unsigned i = 0; got < SWITCH_HEADER && i < p->fragments; i++) {
        unsigned n = p->frag[i].size < SWITCH_HEADER - got ? p->frag[i].size : SWITCH_HEADER - got;

        __builtin_memcpy(p->header + got, o->access[i].page + p->frag[i].offset, n);
        got += n;
    }
    atomic_signal_fence(memory_order_seq_cst);
    return true;
}

/* Into linear memory: the header as it was checked, then the rest. */
static void gather(const struct net_packet *p, const struct opened *o, uint8_t *to)
{
    unsigned skip = SWITCH_HEADER;

    __builtin_memcpy(to, p->header, SWITCH_HEADER);
    to += SWITCH_HEADER;
    for (unsigned i = 0; i < p->fragments; i++) {
        unsigned over = skip < p->frag[i].size ? skip : p->frag[i].size;

        __builtin_memcpy(to, o->access[i].page + p->frag[i].offset + over, p->frag[i].size - over);
        to += p->frag[i].size - over;
        skip -= over;
    }
}

/* One copy into the next buffer of `to`, which has one. */
static void deliver(struct vif *to, const struct net_packet *p, const struct opened *o)
{
    struct xen_netif_rx_request r;
    struct grant_access a;
    unsigned flags = 0;

    net_rx_peek(to, &r);
    if (unlikely(grant_access_begin(net_guest(to), r.gref, false, &a))) {
        net_rx_answer(to, r.id, 0, 0, XEN_NETIF_RSP_ERROR);
        to->stats.lost++;
        return;
    }
    gather(p, o, a.page);
    if (p->flags & XEN_NETTXF_csum_blank) {
        if (to->csum)
            flags = XEN_NETRXF_csum_blank | XEN_NETRXF_data_validated;
        else
            net_csum_whole(a.page, p->bytes);
    } else if (p->flags & XEN_NETTXF_data_validated) {
        flags = XEN_NETRXF_data_validated;
    }
    grant_access_end(&a);
    net_rx_answer(to, r.id, 0, flags, p->bytes);
    to->stats.received++;
    to->stats.received_bytes += p->bytes;
    to->stats.copied += p->bytes;
}

/* To every other guest that has a buffer; the uplink is the caller's. */
static void flood(const struct net_packet *p, const struct opened *o)
{
    for (unsigned i = 0; i < SWITCH_PORTS; i++) {
        struct vif *to = net.vif[i];

        if (!to || to == p->from)
            continue;
        if (net_has_buffer(to))
            deliver(to, p, o);
        else
            to->stats.lost++;
    }
}

enum outcome { EMPTY, DONE, WAITS };

static enum outcome to_uplink(struct net_packet *p, bool may_wait)
{
    switch (net_uplink_send(p)) {
    case NET_SENT: /* it is answered when the card has sent it */
        p->from->stats.sent++;
        p->from->stats.sent_bytes += p->bytes;
        p->from->tx.req_cons += p->slots;
        return DONE;
    case NET_NO_ROOM:
        if (may_wait) {
            wait_in(p->from, &net.uplink_waiting);
            return WAITS;
        }
        finish(p, XEN_NETIF_RSP_DROPPED);
        return DONE;
    default:
        finish(p, XEN_NETIF_RSP_ERROR);
        return DONE;
    }
}

static enum outcome to_guest(struct net_packet *p, struct vif *to, const struct opened *o)
{
    if (likely(to && net_has_buffer(to))) {
        deliver(to, p, o);
        finish(p, XEN_NETIF_RSP_OKAY);
        return DONE;
    }
    if (to && to->rx.page && !to->stalled && !p->from->late) {
        wait_in(p->from, &to->waiting);
        return WAITS;
    }
    if (to && !to->stalled) {
        to->stalled = true;
        net_wake(&to->waiting);
    }
    if (to)
        to->stats.lost++;
    finish(p, XEN_NETIF_RSP_DROPPED);
    return DONE;
}

static COLD void spoofed(const struct net_packet *p)
{
    uint64_t source = 0;

    for (unsigned i = 0; i < 6; i++)
        source = source << 8 | p->header[6 + i];
    refuse_domain(net_guest(p->from), RULE_NET_SPOOF, .va = p->from->bus.id, .value = source);
}

/* To where it belongs; its fragments are open. */
static enum outcome dispatch(struct net_packet *p, struct opened *o)
{
    uint64_t began = plat_tsc();
    int port = switch_forward(&net.sw, p->from->port, p->header);
    enum outcome done;

    if (port >= 0 && port != NET_UPLINK_PORT) {
        struct vif *to = net.vif[port];

        done = to_guest(p, to, o);
        close_all(o);
        if (to)
            to->stats.billed += plat_tsc() - began;
        return done;
    }
    if (port == SWITCH_FLOOD)
        flood(p, o);
    close_all(o);
    if (unlikely(port == SWITCH_SPOOF))
        spoofed(p);
    if ((port == SWITCH_FLOOD || port == NET_UPLINK_PORT) && net.uplink)
        return to_uplink(p, port != SWITCH_FLOOD && !p->from->late);
    finish(p, port == SWITCH_FLOOD ? XEN_NETIF_RSP_OKAY : XEN_NETIF_RSP_DROPPED);
    return DONE;
}

/* The next packet of this sender. */
static enum outcome one(struct vif *vif)
{
    struct net_packet p;
    struct opened o;
    enum outcome done;

    if (parse(vif, &p) <= 0)
        return EMPTY;
    if (unlikely(p.bytes < SWITCH_HEADER || p.bytes > NET_FRAME_MAX + NET_VLAN ||
                 (p.flags & XEN_NETTXF_extra_info))) {
        refuse_domain(net_guest(vif), RULE_NET_SIZE, .va = vif->bus.id, .value = p.bytes,
                      .limit = NET_FRAME_MAX);
        finish(&p, XEN_NETIF_RSP_ERROR);
        return DONE;
    }
    if (unlikely(!open_all(&p, &o))) {
        finish(&p, XEN_NETIF_RSP_ERROR);
        return DONE;
    }
    done = dispatch(&p, &o);
    if (done == DONE) {
        packet_charge(&vif->sender, p.bytes);
        vif->late = false;
    }
    return done;
}

/* -- the run --------------------------------------------------------------------------------------
 */

static void publish(void)
{
    while (net.dirty) {
        struct vif *vif = net.dirty;
        bool tx, rx;

        net.dirty = vif->next_dirty;
        vif->dirty = false;
        tx = ring_publish(&vif->tx);
        rx = ring_publish(&vif->rx);
        if (tx || rx) {
            vif->stats.events++;
            xenbus_notify(&vif->bus);
        }
    }
}

void net_run(void)
{
    struct packet_sender *s;
    uint64_t again = UINT64_MAX;

    if (net.running) { /* from inside of the card's kick(): what that woke has its turn later */
        cpu_work_set(CPU_WORK_NET);
        return;
    }
    net.running = true;
    for (unsigned n = 1; net.queue.head; n++) {
        struct vif *vif;
        enum outcome done;

        s = packet_next(&net.queue, net.limited ? plat_now() : 0, &again);
        if (!s)
            break;
        vif = (struct vif *)((char *)s - offsetof(struct vif, sender));
        do
            done = vif->tx.page ? one(vif) : EMPTY;
        while (done == EMPTY && vif->tx.page && ring_sleep(&vif->tx));
        if (done == DONE)
            packet_add(&net.queue, s, true);
        if (n % LOOK_AT_INTERRUPTS == 0 && plat_interrupt_pending()) {
            cpu_work_set(CPU_WORK_NET);
            break;
        }
    }
    if (again != UINT64_MAX)
        timer_set(&net.rate_timer, again);
    net_uplink_flush();
    publish();
    net.running = false;
}

void net_notified(struct vif *vif)
{
    if (!vif->waits_in)
        packet_add(&net.queue, &vif->sender, false);
    if ((vif->stalled || vif->waiting || vif->backlog_head != vif->backlog_tail) &&
        net_has_buffer(vif)) {
        vif->stalled = false;
        net_backlog_run(vif);
        net_wake(&vif->waiting);
    }
    net_run();
}
