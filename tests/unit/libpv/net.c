/* SPDX-License-Identifier: MIT */
/*
 * net.c - the network front-end against a back-end that is written here: what it sends and
 * receives, in how many pieces, from which pages; and what happens when the back-end lies.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <pv/netflip.h>
#include "world.h"

#define FRONT HOME "device/vif/0"
#define BACK  "/local/domain/0/backend/vif/7/0"
#define MINE  40 /* frames of the test's own */

static struct pv_net card;

/* The back-end --------------------------------------------------------------------------------- */

static struct {
    struct pv_net_tx_back tx;
    struct pv_net_rx_back rx;
    bool connected, hold, no_sg, no_copy;
    struct xen_netif_tx_request got[512];
    unsigned nr_got, answered;
    int16_t status;
    unsigned (*mangle)(struct xen_netif_tx_response *rsp);
    unsigned events;
    uint32_t port;
} nic;

static unsigned state_of(const char *path)
{
    return (unsigned)atoi(world_read(path));
}

static void *ring_of(const char *path)
{
    unsigned ref = state_of(path);
    void *ring = world_grant(ref, true);

    cr_assert_not_null(ring);
    world_hold(ref, true);
    return ring;
}

static void handshake(void)
{
    unsigned mine = state_of(BACK "/state"), front = state_of(FRONT "/state");

    if (mine == XEN_XenbusStateInitialising ||
        (mine == XEN_XenbusStateClosed && front == XEN_XenbusStateInitialising)) {
        world_write(BACK "/feature-rx-copy", "%u", !nic.no_copy);
        world_write(BACK "/feature-sg", "%u", !nic.no_sg);
        world_write(BACK "/state", "2");
    } else if (mine == XEN_XenbusStateInitWait && front == XEN_XenbusStateConnected) {
        pv_net_tx_back_init(&nic.tx, ring_of(FRONT "/tx-ring-ref"), PV_PAGE_SIZE);
        pv_net_rx_back_init(&nic.rx, ring_of(FRONT "/rx-ring-ref"), PV_PAGE_SIZE);
        nic.port = state_of(FRONT "/event-channel");
        nic.connected = true;
        world_write(BACK "/state", "4");
    } else if (front == XEN_XenbusStateClosing && mine < XEN_XenbusStateClosing) {
        world_write(BACK "/state", "5");
    } else if (front == XEN_XenbusStateClosed && mine != XEN_XenbusStateClosed) {
        if (nic.connected) {
            world_hold(state_of(FRONT "/tx-ring-ref"), false);
            world_hold(state_of(FRONT "/rx-ring-ref"), false);
        }
        nic.connected = false;
        world_write(BACK "/state", "6");
    }
}

static void answer(void)
{
    for (; nic.answered < nic.nr_got; nic.answered++) {
        struct xen_netif_tx_response rsp = {nic.got[nic.answered % 512].id, nic.status};
        unsigned times = nic.mangle ? nic.mangle(&rsp) : 1;

        while (times--)
            pv_net_tx_back_put(&nic.tx, &rsp);
    }
    if (pv_net_tx_back_publish(&nic.tx)) {
        nic.events++;
        world_event(nic.port);
    }
}

static void run(void)
{
    struct xen_netif_tx_request q;

    handshake();
    if (!nic.connected)
        return;
    while (pv_net_tx_back_get(&nic.tx, &q) > 0) {
        cr_assert_not_null(world_grant(q.gref, false));
        cr_assert_null(world_grant(q.gref, true), "what is sent is lent to be read only");
        nic.got[nic.nr_got++ % 512] = q;
    }
    pv_net_tx_back_sleep(&nic.tx);
    if (!nic.hold)
        answer();
}

/* One slot of a packet for the guest. */
static void deliver(const char *text, uint16_t offset, uint16_t flags)
{
    struct xen_netif_rx_request q;
    struct xen_netif_rx_response rsp = {.offset = offset, .flags = flags};

    cr_assert_eq(pv_net_rx_back_get(&nic.rx, &q), 1, "there is no buffer");
    memcpy((char *)world_grant(q.gref, true) + offset, text, strlen(text));
    rsp.id = q.id;
    rsp.status = (int16_t)strlen(text);
    pv_net_rx_back_put(&nic.rx, &rsp);
}

static void deliver_raw(struct xen_netif_rx_response rsp, bool own_id)
{
    struct xen_netif_rx_request q;

    cr_assert_eq(pv_net_rx_back_get(&nic.rx, &q), 1);
    if (own_id)
        rsp.id = q.id;
    pv_net_rx_back_put(&nic.rx, &rsp);
}

static void delivered(void)
{
    if (pv_net_rx_back_publish(&nic.rx))
        world_event(nic.port);
    pv_event_send(nic.port); /* the world's turn, in which events arrive */
}

/* The kernel ----------------------------------------------------------------------------------- */

static char seen[65536];
static unsigned packets, flags_seen, pieces_seen, ended, failed;
static bool keep;

static bool received(struct pv_net *n, const struct pv_net_packet *p)
{
    size_t at = 0;

    cr_assert_eq(n, &card);
    for (unsigned i = 0; i < p->count; i++) {
        memcpy(seen + at, fake_memory[p->fragments[i].frame.n] + p->fragments[i].offset,
               p->fragments[i].bytes);
        at += p->fragments[i].bytes;
    }
    cr_assert_eq(at, p->bytes);
    seen[at] = 0;
    packets++;
    flags_seen = p->flags;
    pieces_seen = p->count;
    return keep;
}

static void sent(struct pv_net_send *s, int status)
{
    (void)s;
    ended++;
    failed += status != 0;
}

static void setup(void)
{
    world_reset();
    memset(&nic, 0, sizeof(nic));
    memset(&card, 0, sizeof(card));
    world_write(FRONT "/backend", BACK);
    world_write(FRONT "/backend-id", "0");
    world_write(FRONT "/state", "1");
    world_write(FRONT "/mac", "00:16:3e:0A:bc:7f");
    world_write(BACK "/state", "1");
    world.idle = run;
    card.received = received;
    card.buffers = 16;
    cr_assert_eq(pv_grant_init(2), 0);
}

static void open_card(void)
{
    cr_assert_eq(pv_net_open(&card, 0), 0, "%s", pv_xenbus_why(&card.bus));
}

TestSuite(net, .init = setup);

Test(net, opens_and_closes)
{
    static const uint8_t mac[6] = {0, 0x16, 0x3e, 0x0a, 0xbc, 0x7f};

    open_card();
    cr_assert_arr_eq(card.mac, mac, 6);
    cr_assert_eq(card.mtu, 1500);
    cr_assert_eq(state_of(FRONT "/request-rx-copy"), 1);
    cr_assert_eq(state_of(FRONT "/feature-no-csum-offload"), 1, "whole checksums unless asked");
    cr_assert_eq(card.posted, 16);
    pv_net_close(&card);
    cr_assert_eq(world_grants(), 0);
    cr_assert_eq(pv_net_send_copy(&card, &(struct pv_net_bytes){"x", 1}, 1, 0), -XEN_EIO);

    world_write(FRONT "/mac", "00:16:3e:0a:bc");
    cr_assert_eq(pv_net_open(&card, 0), -XEN_EINVAL);
    world_write(FRONT "/mac", "00:16:3e:0a:bc:77");
    nic.no_copy = true;
    world_write(BACK "/state", "1");
    cr_assert_eq(pv_net_open(&card, 0), -XEN_EOPNOTSUPP, "a back-end that only flips");
    cr_assert_eq(pv_net_open(&card, 1), -XEN_ENODEV);
    cr_assert_eq(world_grants(), 0);
}

Test(net, sends_copies)
{
    struct pv_net_bytes parts[] = {{"hello, ", 7}, {"wire", 4}};

    open_card();
    for (unsigned i = 0; i < 1000; i++)
        cr_assert_eq(pv_net_send_copy(&card, parts, 2, i & 1 ? PV_NET_BLANK : 0), 0);
    cr_assert_eq(nic.nr_got, 1000);
    cr_assert_eq(nic.got[0].size, 11);
    cr_assert_eq(nic.got[0].flags, 0);
    cr_assert_eq(nic.got[1].flags, XEN_NETTXF_csum_blank | XEN_NETTXF_data_validated);
    cr_assert_eq(memcmp(world_grant(nic.got[1].gref, false), "hello, wire", 11), 0);
    cr_assert_eq(pv_net_send_copy(&card, parts, 0, 0), -XEN_EINVAL);
    parts[0].len = PV_PAGE_SIZE;
    cr_assert_eq(pv_net_send_copy(&card, parts, 2, 0), -XEN_EINVAL);
    parts[0].len = ~(size_t)0;
    cr_assert_eq(pv_net_send_copy(&card, parts, 2, 0), -XEN_EINVAL);
    cr_assert_leq(world_grants(), 2 + 16 + 8, "pages of copies are few and stay lent");
}

Test(net, sends_pages_in_pieces)
{
    struct pv_net_fragment f[PV_NET_FRAGMENTS + 1];
    struct pv_net_send s = {.packet = {f, 3, PV_NET_BLANK, 0}, .done = sent};
    unsigned before;

    for (unsigned i = 0; i <= PV_NET_FRAGMENTS; i++)
        f[i] = (struct pv_net_fragment){pfn(MINE + i), i, 100 + i};
    open_card();
    before = world_grants();
    nic.hold = true;
    cr_assert_eq(pv_net_send(&card, &s), 0);
    cr_assert_eq(nic.nr_got, 3);
    cr_assert_eq(nic.got[0].size, 303, "the first has the packet's size");
    cr_assert_eq(nic.got[0].flags,
                 XEN_NETTXF_csum_blank | XEN_NETTXF_data_validated | XEN_NETTXF_more_data);
    cr_assert_eq(nic.got[1].size, 101);
    cr_assert_eq(nic.got[1].offset, 1);
    cr_assert_eq(nic.got[1].flags, XEN_NETTXF_more_data);
    cr_assert_eq(nic.got[2].flags, 0);
    cr_assert_eq(world_grant(nic.got[2].gref, false), fake_memory[MINE + 2]);
    cr_assert_eq(ended, 0);
    nic.hold = false;
    pv_sched_yield();
    cr_assert_eq(ended, 1);
    cr_assert_eq(failed, 0);
    cr_assert_eq(world_grants(), before);
    nic.status = XEN_NETIF_RSP_DROPPED;
    cr_assert_eq(pv_net_send(&card, &s), 0);
    pv_sched_yield();
    cr_assert_eq(failed, 1);

    s.packet.count = PV_NET_FRAGMENTS + 1;
    cr_assert_eq(pv_net_send(&card, &s), -XEN_EINVAL);
    s.packet.count = 0;
    cr_assert_eq(pv_net_send(&card, &s), -XEN_EINVAL);
    s.packet.count = 1;
    f[0].offset = 4000;
    cr_assert_eq(pv_net_send(&card, &s), -XEN_EINVAL, "beyond the frame");
    f[0].offset = 0xffffffff;
    cr_assert_eq(pv_net_send(&card, &s), -XEN_EINVAL);
    f[0] = (struct pv_net_fragment){pfn(NR_PAGES + 1), 0, 60};
    cr_assert_eq(pv_net_send(&card, &s), -XEN_EINVAL, "a frame that there is not");
    cr_assert_eq(world_grants(), before);
}

Test(net, a_full_ring_says_so)
{
    struct pv_net_fragment f = {pfn(MINE), 0, 60};
    static struct pv_net_send s[PV_NET_SLOTS + 1];
    unsigned i;

    nic.no_sg = true;
    open_card();
    cr_assert_not(card.fragments);
    nic.hold = true;
    for (i = 0; i < PV_NET_SLOTS; i++) {
        s[i] = (struct pv_net_send){.packet = {&f, 1, 0, 0}, .done = sent};
        cr_assert_eq(pv_net_send(&card, &s[i]), 0);
    }
    cr_assert_leq(card.notifications, 2 + PV_NET_SLOTS);
    s[i] = (struct pv_net_send){.packet = {&f, 1, 0, 0}, .done = sent};
    cr_assert_not(pv_net_room(&card, 1));
    cr_assert_eq(pv_net_send(&card, &s[i]), -XEN_ENOSPC);
    nic.hold = false;
    pv_sched_yield();
    pv_net_poll(&card);
    cr_assert_eq(ended, PV_NET_SLOTS);
    cr_assert_leq(nic.events, 12, "%u events for all", nic.events);
    cr_assert(pv_net_room(&card, PV_NET_SLOTS));
}

Test(net, receives_in_pieces)
{
    open_card();
    deliver("one piece", 64, XEN_NETRXF_data_validated);
    delivered();
    cr_assert_eq(packets, 1);
    cr_assert_str_eq(seen, "one piece");
    cr_assert_eq(flags_seen, PV_NET_VALID);
    deliver("three ", 0, XEN_NETRXF_more_data | XEN_NETRXF_csum_blank);
    deliver("pieces ", 4000, XEN_NETRXF_more_data);
    delivered();
    cr_assert_eq(packets, 1, "not whole yet");
    deliver("of one", 17, 0);
    deliver("and another", 0, 0);
    delivered();
    cr_assert_eq(packets, 3);
    cr_assert_str_eq(seen, "and another");
    cr_assert_eq(card.arrived, 3);
    for (unsigned i = 0; i < 500; i++) {
        deliver("again", 0, 0);
        delivered();
    }
    cr_assert_eq(packets, 503, "buffers come back");
    cr_assert_eq(card.posted, 16);
}

Test(net, a_packet_that_went_wrong_is_dropped)
{
    open_card();
    deliver("first ", 0, XEN_NETRXF_more_data);
    deliver_raw((struct xen_netif_rx_response){.status = XEN_NETIF_RSP_ERROR}, true);
    deliver("good", 0, 0);
    delivered();
    cr_assert_eq(packets, 1);
    cr_assert_str_eq(seen, "good");
    cr_assert_eq(card.dropped, 1);
}

Test(net, pages_that_the_kernel_keeps)
{
    open_card();
    keep = true;
    deliver("kept", 0, 0);
    delivered();
    cr_assert_eq(packets, 1);
    cr_assert_eq(card.posted, 16, "another page took its place");
    cr_assert_eq(world_grants(), 2 + 16);
}

/* Pages are unmapped while they are lent; what came back is what the grant's entry says. */
Test(net, page_exchange)
{
    const uint32_t other = FIRST_MFN + NR_PAGES + 3;
    struct xen_netif_rx_request q;
    uint64_t frame = 0;

    card.exchange = true;
    open_card();
    cr_assert_not(card.exchanges, "the back-end does not know it");
    cr_assert_not(world_exists(FRONT "/request-rx-exchange"));
    cr_assert_eq(world.unmaps, 0);
    pv_net_close(&card);

    world_write(BACK "/feature-rx-exchange", "1");
    open_card();
    cr_assert(card.exchanges);
    cr_assert_eq(state_of(FRONT "/request-rx-exchange"), 1);
    cr_assert_eq(world.unmaps, 16);
    cr_assert_eq(pv_net_rx_back_get(&nic.rx, &q), 1);
    while (world_grant(q.gref, true) != fake_memory[frame])
        frame++;
    world_exchange(q.gref, other);
    pv_net_rx_back_put(&nic.rx, &(struct xen_netif_rx_response){
                                    .id = q.id, .flags = PV_NETRXF_exchanged, .status = 60});
    deliver("copied", 0, 0);
    delivered();
    cr_assert_eq(packets, 2);
    cr_assert_str_eq(seen, "copied");
    cr_assert_eq(card.exchanged, 1);
    cr_assert_eq(pv_p2m(pfn(frame)).n, other);
    cr_assert_eq(world.unmaps, 18, "both are lent again");
}

/* Liars: broken, everything ends, nothing else happens ------------------------------------------
 */

static int lie;

static unsigned liar(struct xen_netif_tx_response *rsp)
{
    switch (lie) {
    case 0:
        rsp->id = 0xffff;
        return 1;
    case 1:
        return 2;
    case 2:
        rsp->status = 5;
        return 1;
    default:
        nic.tx.end.produced += 1u << 30; /* twice */
        return 0;
    }
}

static void broken(void)
{
    pv_sched_yield();
    pv_net_poll(&card);
    cr_assert_not(pv_xenbus_connected(&card.bus), "lie %d", lie);
    cr_assert_eq(pv_net_send_copy(&card, &(struct pv_net_bytes){"x", 1}, 1, 0), -XEN_EIO);
    nic.mangle = NULL;
    pv_net_close(&card);
    cr_assert_eq(pv_xenstore_mkdir(0, "alive"), 0);
}

Test(net, a_liar_about_what_was_sent)
{
    struct pv_net_fragment f = {pfn(MINE), 0, 60};
    struct pv_net_send s[2];

    for (lie = 0; lie < 4; lie++) {
        world_write(BACK "/state", "1");
        world_write(FRONT "/state", "1");
        nic.nr_got = nic.answered = 0;
        open_card();
        nic.hold = true;
        ended = failed = 0;
        for (unsigned i = 0; i < 2; i++) {
            s[i] = (struct pv_net_send){.packet = {&f, 1, 0, 0}, .done = sent};
            cr_assert_eq(pv_net_send(&card, &s[i]), 0);
        }
        nic.mangle = liar;
        nic.hold = false;
        broken();
        cr_assert_eq(ended, 2, "lie %d", lie);
        cr_assert_gt(failed, 0);
        cr_assert_eq(world_grants(), 0, "lie %d", lie);
    }
}

Test(net, a_liar_about_what_arrives)
{
    static const struct xen_netif_rx_response lies[] = {
        {.id = 0x1234, .status = 60},   /* no such buffer */
        {.offset = 4000, .status = 97}, /* beyond the page */
        {.offset = 0xffff, .status = 1},
        {.status = 60, .flags = XEN_NETRXF_extra_info}, /* nobody asked for that */
    };

    for (unsigned i = 0; i < PV_ARRAY_SIZE(lies); i++) {
        lie = 10 + (int)i;
        world_write(BACK "/state", "1");
        world_write(FRONT "/state", "1");
        open_card();
        deliver_raw(lies[i], i > 0);
        if (pv_net_rx_back_publish(&nic.rx))
            world_event(nic.port);
        broken();
        cr_assert_eq(packets, 0);
        cr_assert_eq(world_grants(), 0, "lie %u", i);
    }
}

/* Who only sends hears of it, too. */
Test(net, a_liar_towards_a_sender)
{
    open_card();
    pv_events_disable();
    nic.mangle = liar;
    lie = 0;
    cr_assert_eq(pv_net_send_copy(&card, &(struct pv_net_bytes){"x", 1}, 1, 0), 0);
    cr_assert_eq(pv_net_send_copy(&card, &(struct pv_net_bytes){"x", 1}, 1, 0), -XEN_EIO);
    cr_assert_not(pv_xenbus_connected(&card.bus));
    nic.mangle = NULL;
    cr_assert_eq(pv_net_send_copy(&card, &(struct pv_net_bytes){"x", 1}, 1, 0), -XEN_EIO);
    pv_net_close(&card);
    cr_assert_eq(world_grants(), 0);
}

/* All buffers lent, and as many pages more as a packet has that came while they were. */
Test(net, as_many_pages_as_there_can_be)
{
    pv_pool_begin(); /* all memory is for pages; how much is not, depends on where it lies */
    pv_pool_extend(pfn(NR_PAGES));
    card.buffers = PV_NET_SLOTS;
    open_card();
    cr_assert_eq(card.posted, PV_NET_SLOTS);
    for (unsigned i = 0; i + 1 < PV_NET_FRAGMENTS; i++) {
        deliver_raw((struct xen_netif_rx_response){.status = 60, .flags = XEN_NETRXF_more_data},
                    true);
        delivered();
    }
    cr_assert_eq(card.posted, PV_NET_SLOTS);
    deliver_raw((struct xen_netif_rx_response){.status = 60}, true);
    delivered();
    cr_assert_eq(packets, 1);
    cr_assert_eq(card.posted, PV_NET_SLOTS);
    pv_net_stop(&card);
    cr_assert_eq(card.spares, PV_NET_SLOTS + PV_NET_FRAGMENTS - 1);
    for (unsigned i = 0; i < card.spares; i++)
        for (unsigned k = 0; k < i; k++)
            cr_assert_neq(card.spare[i].n, card.spare[k].n, "each once");
}

Test(net, a_packet_without_end)
{
    card.buffers = 64;
    keep = true;
    open_card();
    for (unsigned i = 0; i < PV_NET_FRAGMENTS + 1; i++)
        deliver("and so on ", 0, XEN_NETRXF_more_data);
    if (pv_net_rx_back_publish(&nic.rx))
        world_event(nic.port);
    broken();
    cr_assert_eq(packets, 0);
}

Test(net, resume)
{
    struct pv_net_fragment f = {pfn(MINE), 0, 60};
    struct pv_net_send s = {.packet = {&f, 1, 0, 0}, .done = sent};

    open_card();
    nic.hold = true;
    cr_assert_eq(pv_net_send(&card, &s), 0);
    pv_net_suspend(&card);
    world_hold(card.ring_page[0].ref, false);
    world_hold(card.ring_page[1].ref, false);
    memset(&nic, 0, sizeof(nic));
    world_write(BACK "/state", "1");
    world_write(FRONT "/state", "1");
    cr_assert_eq(pv_xenstore_reconnect(), 0);
    cr_assert_eq(pv_net_resume(&card), 0, "%s", pv_xenbus_why(&card.bus));
    cr_assert_eq(ended, 1);
    cr_assert_eq(failed, 1, "the wire may lose what was on it");
    deliver("new life", 0, 0);
    delivered();
    cr_assert_str_eq(seen, "new life");
    cr_assert_eq(world_grants(), 2 + 16);
}
