/* SPDX-License-Identifier: MIT
 *
 * net_vif.c - guests' network cards from the nodes in the store to their end.
 *
 * A card has its port of the switch, and so its address, from net_attach() on; it takes part in the
 * traffic while it is connected (net.vif[port]). When it ends, what it was waiting for and what
 * waited for it go on without it; packets at the uplink are waited for (draining).
 */
#include "net.h"
#include "../core/heap.h"
#include "../core/log.h"
#include "../core/platform.h"
#include "../core/sched.h"
#include "../core/text.h"
#include "../core/timer.h"

static struct vif *vif_of(struct xenbus_device *x)
{
    return (struct vif *)x; /* its first member */
}

static bool ring_take(struct vif *vif, const char *node, struct net_ring *r)
{
    struct xenbus_device *x = &vif->bus;
    uint32_t ref;
    mfn_t m;

    if (!xenbus_read_number(x, node, &ref)) {
        xenbus_fail(x, RULE_XENBUS_NODE, .value = x->id);
        return false;
    }
    if (grant_pin(net_guest(vif), ref, false, &r->pin, &m)) {
        xenbus_fail(x, RULE_XENBUS_RING, .value = x->id, .va = ref);
        return false;
    }
    r->page = plat_map(m);
    /* The front-end has made it new, or goes on with it: what it was told is where we begin. */
    r->req_cons = r->rsp_prod = r->published =
        __atomic_load_n((uint32_t *)r->page + 2, __ATOMIC_RELAXED);
    return true;
}

static void ring_drop(struct net_ring *r)
{
    if (r->page)
        grant_unpin(r->pin);
    r->page = NULL;
}

static bool flag(struct xenbus_device *x, const char *node)
{
    uint32_t v;

    return xenbus_read_number(x, node, &v) && v;
}

static bool vif_connect(struct xenbus_device *x)
{
    struct vif *vif = vif_of(x);

    if (!flag(x, "request-rx-copy")) {
        xenbus_fail(x, RULE_NET_NO_COPY, .value = x->id);
        return false;
    }
    vif->csum = !flag(x, "feature-no-csum-offload");
    vif->exchange = flag(x, PV_NETIF_REQUEST_EXCHANGE);
    vif->stalled = vif->late = false;
    if (!ring_take(vif, "tx-ring-ref", &vif->tx) || !ring_take(vif, "rx-ring-ref", &vif->rx) ||
        !xenbus_bind(x)) {
        ring_drop(&vif->tx);
        ring_drop(&vif->rx);
        return false;
    }
    net.vif[vif->port] = vif;
    return true;
}

static void undirty(struct vif *vif)
{
    for (struct vif **at = &net.dirty; *at; at = &(*at)->next_dirty)
        if (*at == vif) {
            *at = vif->next_dirty;
            break;
        }
    vif->dirty = false;
}

static void vif_disconnect(struct xenbus_device *x)
{
    struct vif *vif = vif_of(x);

    net.vif[vif->port] = NULL;
    net_wait_end(vif);
    packet_remove(&net.queue, &vif->sender);
    undirty(vif);
    ring_drop(&vif->tx);
    ring_drop(&vif->rx);
    net_backlog_drop(vif);
    net_wake(&vif->waiting);
    cpu_work_set(CPU_WORK_NET); /* for those */
    if (!vif->flights)
        xenbus_drained(x);
}

static void vif_notified(struct xenbus_device *x)
{
    net_notified(vif_of(x));
}

static void vif_gone(struct xenbus_device *x)
{
    struct vif *vif = vif_of(x);
    const struct net_stats *s = &vif->stats;

    if (s->sent || s->received)
        hv_log("d%u: network card %u sent %lu packets (%lu refused), received %lu (%lu lost), %lu "
               "pages exchanged, %lu ticks billed\n",
               x->domid, x->id, (unsigned long)s->sent, (unsigned long)s->refused,
               (unsigned long)s->received, (unsigned long)s->lost, (unsigned long)s->exchanged,
               (unsigned long)s->billed);
    switch_remove(&net.sw, vif->port);
    timer_stop(&vif->hold);
    net.made[vif->port] = NULL;
    heap_free(vif, sizeof(*vif));
}

static const struct xenbus_driver vif_driver = {
    .kind = "vif",
    .connect = vif_connect,
    .disconnect = vif_disconnect,
    .notified = vif_notified,
    .gone = vif_gone,
};

/* -- made ---------------------------------------------------------------------------------------
 */

static void rate_again(struct timer *t)
{
    (void)t;
    net_run();
}

static void write_nodes(struct vif *vif)
{
    struct xenbus_device *x = &vif->bus;
    const uint8_t *m = vif->mac;

    xenbus_write(x, "handle", "%u", x->id);
    xenbus_write(x, "type", "vif");
    xenbus_write(x, "mac", "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
    xenbus_write(x, "feature-sg", "1");
    xenbus_write(x, "feature-rx-copy", "1");
    xenbus_write(x, "feature-rx-flip", "0");
    xenbus_write(x, "feature-split-event-channels", "0");
    xenbus_write(x, "multi-queue-max-queues", "1");
    xenbus_write(x, PV_NETIF_FEATURE_EXCHANGE, "1");
    xenbus_write(x, "hotplug-status", "connected");
    xenbus_write_front(x, "handle", "%u", x->id);
    xenbus_write_front(x, "mac", "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
                       m[5]);
    xenbus_write_front(x, "mtu", "%u", NET_FRAME_MAX - SWITCH_HEADER);
}

/* A port that nobody has; 0 (the uplink's): none. */
static unsigned free_port(void)
{
    for (unsigned i = NET_UPLINK_PORT + 1; i < SWITCH_PORTS; i++)
        if (!net.made[i])
            return i;
    return 0;
}

bool net_attach(struct domain *d, unsigned id, const uint8_t *mac, uint64_t rate)
{
    unsigned port = free_port();
    const uint8_t ours[6] = {0x00, 0x16, 0x3e, (uint8_t)id, (uint8_t)(d->id >> 8), (uint8_t)d->id};
    struct vif *vif;

    if (!mac || !__builtin_memcmp(mac, (uint8_t[6]){0}, 6))
        mac = ours;
    if (!port || xenbus_find(d, "vif", id) || !switch_add(&net.sw, port, mac))
        return false;
    vif = heap_alloc(sizeof(*vif));
    if (!vif || !xenbus_add(&vif->bus, &vif_driver, d, id)) {
        switch_remove(&net.sw, port);
        if (vif)
            heap_free(vif, sizeof(*vif));
        return false;
    }
    if (!net.rate_timer.fire)
        timer_init(&net.rate_timer, rate_again, NULL);
    timer_init(&vif->hold, net_hold_over, vif);
    vif->port = (uint8_t)port;
    net.made[port] = vif;
    __builtin_memcpy(vif->mac, mac, 6);
    if (rate) {
        packet_limit(&vif->sender, rate,
                     rate / 10 > 4 * NET_FRAME_MAX ? rate / 10 : 4 * NET_FRAME_MAX, plat_now());
        net.limited = true;
        xenbus_write(&vif->bus, "rate", "%lu,50000", (unsigned long)(rate / 20));
    }
    write_nodes(vif);
    xenbus_ready(&vif->bus);
    return true;
}

const struct net_stats *net_stats(struct domain *d, unsigned id)
{
    struct xenbus_device *x = xenbus_find(d, "vif", id);

    return x ? &vif_of(x)->stats : NULL;
}
