/* SPDX-License-Identifier: MIT */
/*
 * netload.c - packets from one guest to another, with both ends of netif's rings in plain sight.
 *
 * role=sink (the first word) takes packets, looks at each byte, gives its buffers again, and ends
 * with the packet that says so. role=source sends rounds of 1,500-byte frames to it and tells what
 * one costs: the instructions between the notification of a round and its return, in which the
 * back-end has moved all of it (it looks). Under icount that is exact; without, nobody looks at the
 * figure. Then it sends as many again that nobody looks at, between two marks for the benchmark's
 * plugin (tests/bench/count.c): the first is the source's, before it begins, and the second the
 * sink's, when all of them have come. role=bad, the third guest, is in their way.
 */
#include <pv/pv.h>
#include <pv/netflip.h>

enum { SLOTS = 256, ROUND = 32, ROUNDS = 40, FRAME = 1514, LAST = 0x5a, PLAIN = 0xa5 };

struct card {
    struct pv_xenbus bus;
    struct pv_ring_shared *tx, *rx;
    uint32_t tx_ref, rx_ref, port;
    xen_grant_ref_t ref[64];
    uint8_t *page[64];
    unsigned pages;
    bool readonly, exchange;
};
static struct card card;
uint8_t bench_marks[128 * 64];
static const uint8_t sink[6] = {0x00, 0x16, 0x3e, 0, 0, 1}, source[6] = {0x00, 0x16, 0x3e, 0, 0, 2};

static inline void mark(uint64_t end)
{
    __asm__ volatile("movb $0x5b, bench_marks(%%rax)" ::"a"(end) : "memory");
}

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
    err = err ?: pv_xenstore_printf(tx, bus->front, PV_NETIF_REQUEST_EXCHANGE, "%u", card.exchange);
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
            wrong += r.status == FRAME && p[14] != PLAIN && !right(p, r.status);
            give_buffer(r.id);
        }
        pv_event_send(card.port);
    }
    mark(1);
    pv_printf("sink: %u packets, %u of them wrong, looked %u times\n", got, wrong, events);
    return wrong != 0;
}

/* -- the one that sends --------------------------------------------------------------------------
 */

static void put_slot(unsigned page, unsigned bytes)
{
    struct xen_netif_tx_request *slot = (struct xen_netif_tx_request *)(card.tx + 1);

    slot[card.tx->req_prod % SLOTS] =
        (struct xen_netif_tx_request){card.ref[page], 0, 0, (uint16_t)page, (uint16_t)bytes};
    __atomic_store_n(&card.tx->req_prod, card.tx->req_prod + 1, __ATOMIC_RELEASE);
}

static void put_packet(unsigned page, unsigned bytes)
{
    uint8_t *p = card.page[page];

    __builtin_memcpy(p, sink, 6);
    __builtin_memcpy(p + 6, source, 6);
    put_slot(page, bytes);
}

static uint32_t answers(void)
{
    return __atomic_load_n(&card.tx->rsp_prod, __ATOMIC_ACQUIRE);
}

/* Until all that was sent is answered. The status of the last one. */
static int settle(void)
{
    const struct xen_netif_tx_request *slot;

    card.tx->rsp_event = card.tx->req_prod;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
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
    /* The whole machine's part: as little work of the guests' as can be. */
    for (unsigned i = 0; i < ROUND; i++)
        card.page[i][14] = PLAIN;
    mark(0);
    for (unsigned r = 0; r < ROUNDS; r++) {
        for (unsigned i = 0; i < ROUND; i++)
            put_packet(i, FRAME);
        pv_event_send(card.port);
        lost += settle() != XEN_NETIF_RSP_OKAY;
    }
    card.page[0][14] = LAST;
    put_packet(0, 60);
    pv_event_send(card.port);
    settle();
    /* The sink takes the last of them: our end is no part of what they cost. */
    for (uint64_t end = pv_time_now() + 500000000; pv_time_now() < end;)
        pv_sched_poll(NULL, 0, end);
    pv_printf(
        "source: %u packets in rounds of %u, %lu rounds at once, %lu lost, %lu ticks a packet\n",
        2 * ROUNDS * ROUND, ROUND, whole, lost, whole ? best / ROUND : 0);
    return lost != 0;
}

/* -- the one that is a nuisance ---------------------------------------------------------------- */

/* A flood to the sink, of which every second packet says that it is the source's. It gives no
 * buffers. */
static int send_rubbish(void)
{
    static const uint8_t third[6] = {0x00, 0x16, 0x3e, 0, 0, 3};
    unsigned taken = 0;

    for (unsigned r = 0; r < 10 * ROUNDS; r++) {
        for (unsigned i = 0; i < ROUND; i++) {
            put_packet(i, i % 2 ? FRAME : FRAME - 1);
            if (i % 2 == 0)
                __builtin_memcpy(card.page[i] + 6, third, 6);
        }
        pv_event_send(card.port);
        taken += settle() == XEN_NETIF_RSP_OKAY; /* the last of a round is forged */
    }
    pv_printf("bad: %u forged packets were taken\n", taken);
    return taken != 0;
}

/* -- the one that talks to the outside
 * -------------------------------------------------------------- */

enum { OUT = 16, BUFFERS = 48, PATIENCE = 20000000 };

static uint16_t sum16(const uint8_t *p, unsigned n)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < n; i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void header(uint8_t *p, unsigned type)
{
    static const uint8_t gateway[6] = {0x52, 0x55, 10, 0, 2, 2};

    __builtin_memcpy(p, gateway, 6);
    __builtin_memcpy(p + 6, sink, 6); /* we are the first guest */
    p[12] = (uint8_t)(type >> 8);
    p[13] = (uint8_t)type;
}

/* Who has 10.0.2.2? So QEMU learns who we are. */
static void put_arp(uint8_t *p)
{
    static const uint8_t body[28] = {0,  1, 8, 0,  6, 4, 0, 1, 0, 0, 0,  0, 0, 0,
                                     10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2};

    header(p, 0x0806);
    __builtin_memcpy(p + 14, body, 28);
    __builtin_memcpy(p + 22, sink, 6);
}

static void put_ping(uint8_t *p, unsigned n)
{
    uint8_t *ip = p + 14, *icmp = p + 34;
    static const uint8_t addresses[8] = {10, 0, 2, 15, 10, 0, 2, 2};
    uint16_t sum;

    __builtin_memset(p, 0x2a, FRAME);
    header(p, 0x0800);
    __builtin_memset(ip, 0, 20);
    ip[0] = 0x45;
    ip[2] = 1500 >> 8;
    ip[3] = 1500 & 0xff;
    ip[8] = 64;
    ip[9] = 1;
    __builtin_memcpy(ip + 12, addresses, 8);
    sum = sum16(ip, 20);
    ip[10] = (uint8_t)(sum >> 8);
    ip[11] = (uint8_t)sum;
    icmp[0] = 8;
    icmp[1] = icmp[2] = icmp[3] = 0;
    icmp[7] = (uint8_t)n;
    sum = sum16(icmp, 1480);
    icmp[2] = (uint8_t)(sum >> 8);
    icmp[3] = (uint8_t)sum;
}

static uint64_t turns;

/* Until *index is `want`, or for so many turns. */
static bool __attribute__((noinline)) spin(const uint32_t *index, uint32_t want, uint64_t left)
{
    for (; left; left--, turns++)
        if (__atomic_load_n(index, __ATOMIC_ACQUIRE) == want)
            return true;
    return false;
}

/* What a thousand turns cost when nothing happens: the least of many. */
static uint64_t thousand_turns(void)
{
    uint64_t best = ~0ull;

    for (unsigned i = 0; i < 50; i++) {
        uint32_t never = 0;
        uint64_t began = __builtin_ia32_rdtsc(), took;

        spin(&never, 1, 1000);
        took = __builtin_ia32_rdtsc() - began;
        best = took < best ? took : best;
    }
    return best;
}

/* What one of OUT packets costs the shim until `answers` came for each; 0: they did not come. */
static uint64_t round_out(bool answered, uint32_t *arrived, uint64_t thousand)
{
    uint64_t began, took;

    for (unsigned i = 0; i < OUT; i++)
        put_slot(i, FRAME);
    card.tx->rsp_event = card.tx->req_prod;
    card.rx->rsp_event = *arrived + OUT;
    turns = 0;
    began = __builtin_ia32_rdtsc();
    pv_event_send(card.port);
    if (!spin(&card.tx->rsp_prod, card.tx->req_prod, PATIENCE) ||
        (answered && !spin(&card.rx->rsp_prod, *arrived + OUT, PATIENCE)))
        return 0;
    took = __builtin_ia32_rdtsc() - began - turns * thousand / 1000;
    *arrived = card.rx->rsp_prod;
    return took / OUT;
}

static int talk_outside(void)
{
    const struct xen_netif_rx_response *slot = (const void *)(card.rx + 1);
    uint64_t thousand = thousand_turns(), out = ~0ull, both = ~0ull, one;
    uint32_t arrived = 0, exchanged;

    for (unsigned i = OUT; i < OUT + BUFFERS; i++) {
        if (card.exchange)
            pv_pt_set_va((uint64_t)(uintptr_t)card.page[i], pv_pte_none(), PV_FLUSH_PAGE_ALL);
        give_buffer(i);
    }
    put_arp(card.page[0]);
    put_slot(0, 60);
    pv_event_send(card.port);
    if (!spin(&card.rx->rsp_prod, 1, PATIENCE)) {
        pv_printf("uplink: the gateway does not answer\n");
        return 1;
    }
    arrived = 1;
    exchanged = slot[0].flags >> 15;
    for (unsigned r = 0; r < 10; r++) {
        for (unsigned i = 0; i < OUT; i++)
            header(card.page[i], 0x88b5);
        one = round_out(false, &arrived, thousand);
        out = one && one < out ? one : out;
    }
    for (unsigned r = 0; r < 10; r++) {
        uint32_t before = arrived;

        for (unsigned i = 0; i < OUT; i++)
            put_ping(card.page[i], i);
        one = round_out(true, &arrived, thousand);
        both = one && one < both ? one : both;
        /* An exchanged page is behind the same reference: it can be lent as it is. */
        for (; before != arrived; before++) {
            exchanged += slot[before % SLOTS].flags >> 15;
            give_buffer(slot[before % SLOTS].id);
        }
        pv_event_send(card.port);
    }
    pv_printf(
        "uplink: %lu ticks a packet sent, %lu more a packet received; %u received, %u of them "
        "by exchange\n",
        out, both - out, arrived, exchanged);
    return out == ~0ull || both == ~0ull || exchanged != (card.exchange ? arrived : 0);
}

int pv_host_main(const char *cmdline)
{
    bool takes = cmdline && !__builtin_memcmp(cmdline, "role=sink", 9);

    if (cmdline && !__builtin_memcmp(cmdline, "role=uplink", 11)) {
        card.exchange = cmdline[11] != 'c';
        open_card(OUT + BUFFERS, false);
        return talk_outside();
    }
    open_card(takes ? 64 : ROUND, !takes);
    if (cmdline && !__builtin_memcmp(cmdline, "role=bad", 8))
        return send_rubbish();
    return takes ? take_packets() : send_packets();
}
