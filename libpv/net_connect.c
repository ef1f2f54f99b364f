/* SPDX-License-Identifier: MIT */
/*
 * net_connect.c - how a network card's front-end meets its back-end, and how they part. What they
 * do in between is net.c's.
 *
 *     we write   tx-ring-ref, rx-ring-ref, event-channel, request-rx-copy, feature-*    (publish)
 *     we read    mac and mtu in our own directory, feature-* in the back-end's
 */
#include <pv/net.h>
#include <pv/abi/errno.h>
#include <pv/console.h>
#include <pv/event.h>
#include <pv/grant.h>
#include <pv/host.h>
#include <pv/hypercall.h>
#include <pv/netflip.h>
#include "internal.h"

static struct pv_net *net_of(struct pv_xenbus *bus)
{
    return (struct pv_net *)((char *)bus - offsetof(struct pv_net, bus));
}

static void on_event(uint32_t port, void *arg, struct pv_regs *regs)
{
    struct pv_net *n = arg;

    (void)port, (void)regs;
    if (n->wake)
        n->wake(n);
    else
        pv_net_poll(n);
}

/* A page that the back-end still has is lost to us: it must not be used for anything else. */
static void take_back(struct pv_net_page *p)
{
    if (pfn_valid(p->frame) && pv_grant_end(p->ref) == 0)
        pv_host_page_free(p->frame);
    p->frame = PV_PFN_INVALID;
}

static void release(struct pv_net *n)
{
    for (unsigned i = 0; i < 2; i++)
        take_back(&n->ring_page[i]);
    for (unsigned i = 0; i < PV_NET_SLOTS; i++)
        take_back(&n->tx_copy[i]);
    for (; n->pieces; n->pieces--)
        pv_host_page_free(n->piece[n->pieces - 1].frame);
    while (n->spares)
        pv_host_page_free(n->spare[--n->spares]);
    if (n->port)
        pv_event_close(n->port);
    n->port = 0;
}

/* A zeroed page, lent to the back-end. */
static int lend_ring(struct pv_net *n, struct pv_net_page *p)
{
    int err;

    p->frame = pv_host_page_alloc();
    if (!pfn_valid(p->frame))
        return -XEN_ENOMEM;
    __builtin_memset(pv_host_page_va(p->frame), 0, PV_PAGE_SIZE);
    err = pv_grant_publish(n->bus.peer, p->frame, false, &p->ref);
    if (err) {
        pv_host_page_free(p->frame);
        p->frame = PV_PFN_INVALID;
    }
    return err;
}

static int prepare(struct pv_net *n)
{
    int err = lend_ring(n, &n->ring_page[0]);

    if (!err)
        err = lend_ring(n, &n->ring_page[1]);
    if (!err)
        err = pv_event_alloc_unbound(n->bus.peer, &n->port);
    if (err)
        return err;
    pv_net_tx_ring_init(pv_host_page_va(n->ring_page[0].frame));
    pv_net_rx_ring_init(pv_host_page_va(n->ring_page[1].frame));
    pv_net_tx_front_init(&n->tx, pv_host_page_va(n->ring_page[0].frame), PV_PAGE_SIZE);
    pv_net_rx_front_init(&n->rx, pv_host_page_va(n->ring_page[1].frame), PV_PAGE_SIZE);
    pv_ring_ids_init(&n->tx_ids, PV_NET_SLOTS);
    pv_ring_ids_init(&n->rx_ids, PV_NET_SLOTS);
    return pv_event_handle(n->port, on_event, n);
}

/* Repeated when the store's transaction is. A back-end that knows nothing of exchange never sees
 * the word, which is the last one. */
static int publish_rings(struct pv_xenbus *bus, uint32_t tx)
{
    struct pv_net *n = net_of(bus);
    const struct {
        const char *key;
        uint32_t value;
    } say[] = {
        {"tx-ring-ref", n->ring_page[0].ref},
        {"rx-ring-ref", n->ring_page[1].ref},
        {"event-channel", n->port},
        {"request-rx-copy", 1},
        {"feature-rx-notify", 1},
        {"feature-sg", 1},
        {"feature-no-csum-offload", !n->blank},
        {PV_NETIF_REQUEST_EXCHANGE, n->exchanges},
    };
    int err = 0;

    for (unsigned i = 0; i < PV_ARRAY_SIZE(say) - !n->exchanges && !err; i++)
        err = pv_xenstore_printf(tx, bus->front, say[i].key, "%u", say[i].value);
    return err;
}

static int publish_all(struct pv_xenbus *bus, uint32_t tx)
{
    struct pv_net *n = net_of(bus);
    int err = 0;

    if (!n->port) {
        if (!pv_xenbus_offer(bus, "feature-rx-copy", 0))
            return -XEN_EOPNOTSUPP;
        n->fragments = pv_xenbus_offer(bus, "feature-sg", 0);
        n->exchanges = n->exchange && pv_xenbus_offer(bus, PV_NETIF_FEATURE_EXCHANGE, 0);
        err = prepare(n);
    }
    return err ? err : publish_rings(bus, tx);
}

static int start(struct pv_xenbus *bus)
{
    struct pv_net *n = net_of(bus);

    pv_event_unmask(n->port);
    pv_net_start(n);
    return 0;
}

static void stop(struct pv_xenbus *bus)
{
    struct pv_net *n = net_of(bus);

    if (n->port)
        pv_event_mask(n->port);
    pv_net_stop(n);
}

static void suspend_bus(struct pv_xenbus *bus)
{
    pv_net_suspend(net_of(bus));
}

static int resume_bus(struct pv_xenbus *bus)
{
    return pv_net_resume(net_of(bus));
}

static const struct pv_xenbus_driver driver = {
    .kind = "vif",
    .announced = XEN_XenbusStateConnected,
    .publish = publish_all,
    .connect = start,
    .disconnect = stop,
    .suspend = suspend_bus,
    .resume = resume_bus,
};

/* xx:xx:xx:xx:xx:xx */
static bool parse_mac(const char *text, uint8_t mac[6])
{
    for (unsigned i = 0; i < 17; i++) {
        char c = text[i], lower = (char)(c | 0x20);
        unsigned digit = c >= '0' && c <= '9'           ? (unsigned)(c - '0')
                         : lower >= 'a' && lower <= 'f' ? (unsigned)(lower - 'a' + 10)
                                                        : 16;

        if (i % 3 == 2 ? c != ':' : digit > 15)
            return false;
        if (i % 3 != 2)
            mac[i / 3] = (uint8_t)(mac[i / 3] << 4 | digit);
    }
    return !text[17];
}

static int read_card(struct pv_net *n, uint32_t id)
{
    char path[40], text[24];
    uint64_t mtu;
    int rc;

    pv_format(path, sizeof(path), "device/vif/%u/mac", id);
    rc = pv_xenstore_read(0, path, text, sizeof(text));
    if (rc >= 0 && !parse_mac(text, n->mac))
        rc = -XEN_EINVAL;
    if (rc < 0) {
        pv_format(n->bus.why, sizeof(n->bus.why), "%s is no address: %s", path, pv_error_name(rc));
        return rc;
    }
    pv_format(path, sizeof(path), "device/vif/%u/mtu", id);
    rc = pv_xenstore_read_number(0, path, &mtu);
    n->mtu = rc == 0 && mtu >= 68 && mtu <= 65521 ? (uint16_t)mtu : 1500;
    return 0;
}

static void forget(struct pv_net *n)
{
    for (unsigned i = 0; i < PV_NET_SLOTS; i++)
        n->tx_copy[i].frame = PV_PFN_INVALID;
    n->ring_page[0].frame = n->ring_page[1].frame = PV_PFN_INVALID;
    n->pieces = n->spares = n->posted = 0;
    n->port = 0;
    n->lock = n->polling = n->again = 0;
    n->up = false;
}

int pv_net_open(struct pv_net *n, unsigned nth)
{
    uint32_t id;
    int err = pv_xenbus_find_for(&n->bus, driver.kind, nth, &id);

    forget(n);
    if (!n->buffers || n->buffers > PV_NET_SLOTS)
        n->buffers = PV_NET_BUFFERS;
    if (!err)
        err = read_card(n, id);
    if (!err)
        err = pv_xenbus_open(&n->bus, &driver, id);
    if (err)
        release(n);
    return err;
}

/* Nothing of the last connection is left, and nobody is shown a packet of it any more. */
static void end_all(struct pv_net *n)
{
    while (__atomic_test_and_set(&n->polling, __ATOMIC_ACQUIRE))
        pv_host_relax();
    pv_net_stop(n);
    release(n);
    __atomic_clear(&n->polling, __ATOMIC_RELEASE);
}

void pv_net_close(struct pv_net *n)
{
    pv_xenbus_close(&n->bus);
    end_all(n);
}

void pv_net_suspend(struct pv_net *n)
{
    pv_xenbus_suspend(&n->bus);
    n->up = false;
    if (n->port) /* afterwards the number may be another port's */
        pv_event_close(n->port);
    n->port = 0;
}

int pv_net_resume(struct pv_net *n)
{
    end_all(n); /* the old back-end is gone, with all that it had mapped */
    return pv_xenbus_resume(&n->bus);
}
