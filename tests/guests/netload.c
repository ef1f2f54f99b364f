/* SPDX-License-Identifier: MIT */
/*
 * netload.c - packets from one guest to another, with both ends of netif's rings in plain sight.
 *
 * role=sink (the first word) takes packets, looks at each byte, gives its buffers again, and ends
 * with the packet that says so. role=source sends rounds of 1,500-byte frames to it and tells what
 * one costs: the instructions between the notification of a round and its return, in which the
 * back-end has moved all of it (it looks). Under icount that is exact; without, nobody looks at the
 * figure.
 */
#include <pv/pv.h>

enum { SLOTS = 256, ROUND = 32, ROUNDS = 40, FRAME = 1514, LAST = 0x5a };

struct card {
    struct pv_xenbus bus;
    struct pv_ring_shared *tx, *rx;
    uint32_t tx_ref, rx_ref, port;
    xen_grant_ref_t ref[64];
    uint8_t *page[64];
    unsigned pages;
    bool readonly;
};
static struct card card;
static const uint8_t sink[6] = {0x00, 0x16, 0x3e, 0, 0, 1}, source[6] = {0x00, 0x16, 0x3e, 0, 0, 2};

static void die(const char *what, int err)
{
    pv_printf("%s: %s (%s)\n", what, pv_error_name(err), pv_xenbus_why(&card.bus));
    pv_sched_shutdown(XEN_SHUTDOWN_crash);
}

static void *granted(bool readonly, uint32_t *ref)
{
    pfn_t f = pv_host_page_alloc();
    int err = pv_grant_publish(card.bus.peer, f, readonly, ref);

    if (err)
        die("grant", err);
    __builtin_memset(pv_host_page_va(f), 0, PV_PAGE_SIZE);
    return pv_host_page_va(f);
}

static int publish(struct pv_xenbus *bus, uint32_t tx)
{
    int err = 0;

    if (!card.tx) {
        card.tx = granted(false, &card.tx_ref);
        card.rx = granted(false, &card.rx_ref);
        pv_ring_init(card.tx);
        pv_ring_init(card.rx);
        for (unsigned i = 0; i < card.pages; i++)
            card.page[i] = granted(card.readonly, &card.ref[i]);
        err = pv_event_alloc_unbound(bus->peer, &card.port);
    }
    err = err ?: pv_xenstore_printf(tx, bus->front, "tx-ring-ref", "%u", card.tx_ref);
    err = err ?: pv_xenstore_printf(tx, bus->front, "rx-ring-ref", "%u", card.rx_ref);
    err = err ?: pv_xenstore_printf(tx, bus->front, "event-channel", "%u", card.port);
    err = err ?: pv_xenstore_printf(tx, bus->front, "request-rx-copy", "1");
    return err ?: pv_xenstore_printf(tx, bus->front, "feature-rx-notify", "1");
}

static int connected(struct pv_xenbus *bus)
{
    (void)bus;
    return 0;
}

static void disconnected(struct pv_xenbus *bus)
{
    (void)bus;
}

static const struct pv_xenbus_driver driver = {
    .kind = "vif",
    .announced = XEN_XenbusStateConnected,
    .publish = publish,
    .connect = connected,
    .disconnect = disconnected,
};

static void open_card(unsigned pages, bool readonly)
{
    uint32_t id;
    int err = pv_grant_init(4);

    card.pages = pages;
    card.readonly = readonly;
    err = err ?: pv_xenbus_find("vif", 0, &id);
    err = err ?: pv_xenbus_open(&card.bus, &driver, id);
    if (err)
        die("network card", err);
}

static void wait_a_moment(void)
{
    pv_sched_poll(&card.port, 1, pv_time_now() + 10000000);
    pv_event_take(card.port);
}

/* -- the one that takes ------------------------------------------------------------------------ */

static void give_buffer(unsigned page)
{
    struct xen_netif_rx_request *slot = (struct xen_netif_rx_request *)(card.rx + 1);

    slot[card.rx->req_prod % SLOTS] =
        (struct xen_netif_rx_request){(uint16_t)page, 0, card.ref[page]};
    __atomic_store_n(&card.rx->req_prod, card.rx->req_prod + 1, __ATOMIC_RELEASE);
}

static bool right(const uint8_t *p, int n)
{
    bool all = n == FRAME && !__builtin_memcmp(p + 6, source, 6);

    for (int i = 15; i < n; i++)
        all &= p[i] == (uint8_t)(i + p[14]);
    return all;
}

static int take_packets(void)
{
    const struct xen_netif_rx_response *slot = (const void *)(card.rx + 1);
    unsigned got = 0, wrong = 0, events = 0;
    uint32_t cons = 0;

    for (unsigned i = 0; i < card.pages; i++)
        give_buffer(i);
    pv_event_send(card.port);
    for (bool last = false; !last;) {
        uint32_t prod = __atomic_load_n(&card.rx->rsp_prod, __ATOMIC_ACQUIRE);

        if (cons == prod) {
            card.rx->rsp_event = cons + 1;
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
            if (__atomic_load_n(&card.rx->rsp_prod, __ATOMIC_ACQUIRE) == cons)
                wait_a_moment();
            events++;
            continue;
        }
        for (; cons != prod; cons++) {
            struct xen_netif_rx_response r = slot[cons % SLOTS];
            const uint8_t *p = card.page[r.id] + r.offset;

            last |= r.status == 60 && p[14] == LAST;
            got += r.status == FRAME;
            wrong += r.status == FRAME && !right(p, r.status);
            give_buffer(r.id);
        }
        pv_event_send(card.port);
    }
    pv_printf("sink: %u packets, %u of them wrong, looked %u times\n", got, wrong, events);
    return wrong != 0;
}

/* -- the one that sends --------------------------------------------------------------------------
 */

static void put_packet(unsigned page, unsigned bytes)
{
    struct xen_netif_tx_request *slot = (struct xen_netif_tx_request *)(card.tx + 1);
    uint8_t *p = card.page[page];

    __builtin_memcpy(p, sink, 6);
    __builtin_memcpy(p + 6, source, 6);
    slot[card.tx->req_prod % SLOTS] =
        (struct xen_netif_tx_request){card.ref[page], 0, 0, (uint16_t)page, (uint16_t)bytes};
    __atomic_store_n(&card.tx->req_prod, card.tx->req_prod + 1, __ATOMIC_RELEASE);
}

static uint32_t answers(void)
{
    return __atomic_load_n(&card.tx->rsp_prod, __ATOMIC_ACQUIRE);
}

/* Until all that was sent is answered. The status of the last one. */
static int settle(void)
{
    const struct xen_netif_tx_request *slot;

    while (answers() != card.tx->req_prod)
        wait_a_moment();
    slot = (const struct xen_netif_tx_request *)(card.tx + 1) + (answers() - 1) % SLOTS;
    return ((const struct xen_netif_tx_response *)slot)->status;
}

static int send_packets(void)
{
    uint64_t best = ~0ull, whole = 0, lost = 0;

    do { /* until the sink is there */
        put_packet(0, 100);
        pv_event_send(card.port);
    } while (settle() != XEN_NETIF_RSP_OKAY && (wait_a_moment(), true));
    for (unsigned r = 0; r < ROUNDS; r++) {
        uint64_t began, took;

        for (unsigned i = 0; i < ROUND; i++) {
            card.page[i][14] = (uint8_t)(r + i);
            for (unsigned b = 15; b < FRAME; b++)
                card.page[i][b] = (uint8_t)(b + card.page[i][14]);
            put_packet(i, FRAME);
        }
        began = __builtin_ia32_rdtsc();
        pv_event_send(card.port);
        took = __builtin_ia32_rdtsc() - began;
        if (answers() == card.tx->req_prod) {
            whole++;
            best = took < best ? took : best;
        }
        lost += settle() != XEN_NETIF_RSP_OKAY;
    }
    card.page[0][14] = LAST;
    put_packet(0, 60);
    pv_event_send(card.port);
    settle();
    pv_printf(
        "source: %u packets in rounds of %u, %lu rounds at once, %lu lost, %lu ticks a packet\n",
        ROUNDS * ROUND, ROUND, whole, lost, whole ? best / ROUND : 0);
    return lost != 0 || !whole;
}

int pv_host_main(const char *cmdline)
{
    bool takes = cmdline && !__builtin_memcmp(cmdline, "role=sink", 9);

    open_card(takes ? 64 : ROUND, !takes);
    return takes ? take_packets() : send_packets();
}
