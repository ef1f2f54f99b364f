/* SPDX-License-Identifier: MIT
 *
 * net_uplink_test.c - packets between guests and the network card: nothing copied on the way out,
 * pages exchanged on the way in, and no page of one guest ever seen by another.
 */
#include "net_fixture.h"

static void setup(void)
{
    net_setup_cards(3);
    nic_attach(0);
}
TestSuite(uplink, .init = setup, .fini = exec_teardown);

static bool outward(const struct netdev_packet *p, const struct card *c, unsigned page)
{
    return p->segment[0].maddr >> PV_PAGE_SHIFT == c->g->p2m[TX_PAGE + page];
}

Test(uplink, what_leaves_is_gathered)
{
    struct frame *f = frame_of(hosted_mfn(g, TX_PAGE));
    uint32_t refs = f->refs;

    send(&card[1], outside, 1514, 0x66);
    cr_assert_eq(nic.sents, 1);
    cr_assert_eq(nic.sent[0].header_length, SWITCH_HEADER);
    cr_assert_eq(nic.sent[0].segments, 1);
    cr_assert(outward(&nic.sent[0], &card[1], 0));
    cr_assert_eq(nic.sent[0].segment[0].maddr % PV_PAGE_SIZE, SWITCH_HEADER);
    cr_assert_eq(nic.sent[0].segment[0].length, 1500);
    cr_assert(!memcmp(nic.header[0], outside, 6) && !memcmp(nic.header[0] + 6, card[1].mac, 6));
    cr_assert_eq(card[1].vif->stats.copied_out, 0, "no byte of the payload");
    cr_assert_gt(nic.kicks, 0);
    cr_assert_eq(f->refs, refs + 1, "pinned");
    cr_assert_eq(answered(&card[1]), 99, "it is the card's");
    cr_assert_eq(frame_audit(), 0);
    netdev_sent(&nic.dev, nic.sent[0].cookie);
    netdev_batch_end(&nic.dev);
    cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_OKAY);
    cr_assert_eq(f->refs, refs);
}

Test(uplink, fragments_and_the_header_as_checked)
{
    uint8_t *p = hosted_page(g, TX_PAGE);

    fill_header(p, outside, card[1].mac);
    put(&card[1], REF + TX_PAGE, 0, XEN_NETTXF_more_data, 10 + 50 + 900);
    put(&card[1], REF + TX_PAGE, 10, XEN_NETTXF_more_data, 50);
    put(&card[1], REF + TX_PAGE + 1, 3196, 0, 900);
    kick(&card[1]);
    cr_assert_eq(nic.sents, 1);
    cr_assert_eq(nic.sent[0].segments, 2);
    cr_assert_eq(nic.sent[0].segment[0].length, 46);
    cr_assert_eq(nic.sent[0].segment[1].length, 900);
    memset(p, 0xff, 14); /* too late: the card has what was checked */
    cr_assert(!memcmp(nic.header[0] + 6, card[1].mac, 6));
    netdev_sent(&nic.dev, nic.sent[0].cookie);
    netdev_batch_end(&nic.dev);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_OKAY);
}

/* The card has room for eight: the ninth waits, and other packets of other guests as well. */
Test(uplink, a_card_without_room)
{
    for (unsigned i = 0; i < 10; i++)
        packet(&card[1], i % TX_PAGES, outside, 100, 1);
    kick(&card[1]);
    cr_assert_eq(nic.sents, NIC_TX);
    cr_assert_neq(card[1].vif->waits_in, NULL);
    for (unsigned i = 0; i < NIC_TX; i++)
        netdev_sent(&nic.dev, nic.sent[i].cookie);
    nic.sents = 0;
    netdev_batch_end(&nic.dev);
    cr_assert_eq(nic.sents, 2);
    nic.full = true; /* for good */
    send(&card[2], outside, 100, 1);
    cr_assert_eq(answered(&card[2]), 99);
    hosted.now += NET_HOLD;
    timer_run(hosted.now);
    cr_assert_eq(answered(&card[2]), XEN_NETIF_RSP_DROPPED);
    send(&card[2], everybody, 100, 1);
    cr_assert_neq(answered(&card[2]), 99, "never twice to the guests");
    for (unsigned i = 0; i < 2; i++)
        netdev_sent(&nic.dev, nic.sent[i].cookie);
    netdev_batch_end(&nic.dev);
}

static void give_up(void)
{
    unsigned n = nic.sents;

    nic.sents = 0;
    for (unsigned i = 0; i < n; i++)
        netdev_sent(&nic.dev, nic.sent[i].cookie);
    netdev_batch_end(&nic.dev);
}

/* A card that is through with its packets when it is told of them (it broke): who waited for room
 * has his turn, and not only when somebody else sends. */
Test(uplink, room_comes_with_the_kick)
{
    for (unsigned i = 0; i < 10; i++)
        packet(&card[1], i % TX_PAGES, outside, 100, 1);
    nic.at_kick = give_up;
    kick(&card[1]);
    cr_assert_eq(head(&card[1], TX_RING)->rsp_prod, NIC_TX);
    hv_interrupt(v);
    cr_assert_eq(head(&card[1], TX_RING)->rsp_prod, 10);
    nic.at_kick = NULL;
}

/* Four packets are at the card: behind them no index can be. */
Test(uplink, an_index_behind_what_the_card_has)
{
    uint64_t before = reason_counts[RULE_NET_RING];

    for (unsigned i = 0; i < 4; i++)
        packet(&card[1], i, outside, 100, 1);
    kick(&card[1]);
    cr_assert_eq(nic.sents, 4);
    card[1].tx_prod -= 2;
    kick(&card[1]);
    cr_assert_eq(reason_counts[RULE_NET_RING], before + 1);
    cr_assert_eq(nic.sents, 4, "nothing is sent twice");
    cr_assert_null(card[1].vif->tx.page);
    give_up();
}

/* A guest's checksum that the card can't fill in: the headers go by value. */
Test(uplink, checksums_that_leave)
{
    uint8_t *tx = hosted_page(g, TX_PAGE);
    unsigned n = 14 + 20 + 20 + 1001;
    uint32_t check = 6 + 20 + 1001 + 0x0a00 + 1 + 0x0a00 + 9, seed = check;

    memset(tx, 0, n);
    for (unsigned i = 54; i < n; i++)
        tx[i] = (uint8_t)(i * 7);
    fill_header(tx, outside, card[1].mac);
    tx[12] = 8, tx[13] = 0, tx[14] = 0x45, tx[23] = 6;
    tx[50] = (uint8_t)(seed >> 8), tx[51] = (uint8_t)seed;
    put(&card[1], REF + TX_PAGE, 0, XEN_NETTXF_csum_blank, n);
    kick(&card[1]);
    cr_assert_eq(nic.sents, 1);
    cr_assert_eq(nic.sent[0].header_length, NETDEV_HEADER);
    cr_assert_eq(nic.sent[0].csum_start, 0);
    for (unsigned i = 34; i < n; i++) {
        uint8_t byte = i < NETDEV_HEADER ? nic.header[0][i] : tx[i];

        check += i % 2 ? byte : (unsigned)byte << 8;
    }
    while (check >> 16)
        check = (check & 0xffff) + (check >> 16);
    cr_assert_eq(check, 0xffff);
    cr_assert_eq(card[1].vif->stats.copied_out, NETDEV_HEADER - SWITCH_HEADER);
    nic.dev.features = NETDEV_CSUM;
    put(&card[1], REF + TX_PAGE, 0, XEN_NETTXF_csum_blank, n);
    kick(&card[1]);
    cr_assert_eq(nic.sent[1].csum_start, 34);
    cr_assert_eq(nic.sent[1].csum_offset, 16);
    /* A packet that ends before its checksum: the card is not told of any. */
    put(&card[1], REF + TX_PAGE, 0, XEN_NETTXF_csum_blank, 40);
    kick(&card[1]);
    cr_assert_eq(nic.sents, 3);
    cr_assert_eq(nic.sent[2].csum_start, 0);
    cr_assert_eq(nic.sent[2].csum_offset, 0);
    give_up();
}

Test(uplink, what_arrives_is_copied_into_buffers)
{
    uint8_t *p;
    unsigned flags;

    nic_arrives(card[2].mac, 1514, 0x21, NETDEV_RX_VALID);
    cr_assert_eq(received(&card[2], &p, &flags), 1514);
    cr_assert_eq(flags, XEN_NETRXF_data_validated);
    cr_assert(p[1513] == 0x21 && !memcmp(p + 6, outside, 6));
    cr_assert_eq(nic.empties, NIC_SLOTS, "the page is the card's again");
    nic_arrives(everybody, 100, 0x22, 0);
    for (unsigned i = 1; i <= 3; i++)
        cr_assert_eq(received(&card[i], &p, &flags), 100);
    nic_arrives(outside, 100, 0x23, 0); /* for nobody here */
    cr_assert_eq(net.uplink_dropped, 1);
    nic_arrives(card[2].mac, 10, 0x24, 0); /* no packet at all */
    netdev_received(&nic.dev, nic.empty[--nic.empties], 4090, 100, 0);
    netdev_received(&nic.dev, nic.empty[--nic.empties], 12, 70000, 0);
    netdev_batch_end(&nic.dev);
    cr_assert_eq(received(&card[2], &p, &flags), 0);
    cr_assert_eq(nic.empties, NIC_SLOTS);
}

/* Quota: so many pages wait for a guest without buffers, and no more. */
Test(uplink, a_backlog_has_an_end)
{
    uint64_t free;
    uint8_t *p;
    unsigned n = 0;

    for (unsigned i = 0; i < RX_PAGES; i++)
        nic_arrives(card[2].mac, 60, 1, 0);
    free = frame_free_count();
    for (unsigned i = 0; i < NET_BACKLOG + 30; i++)
        nic_arrives(card[2].mac, 60 + i, 2, 0);
    cr_assert_eq(frame_free_count(), free - NET_BACKLOG);
    cr_assert_eq(card[2].vif->stats.lost, 30);
    cr_assert_eq(nic.empties, NIC_SLOTS);
    nic_arrives(card[3].mac, 60, 2, 0);
    cr_assert_eq(received(&card[3], &p, NULL), 60, "others get theirs");
    while (received(&card[2], &p, NULL) > 0) {
        n++;
        refill(&card[2], 1);
    }
    cr_assert_eq(n, RX_PAGES + NET_BACKLOG);
    for (unsigned i = 0; i < NET_BACKLOG + RX_PAGES; i++)
        nic_arrives(card[2].mac, 60, 1, 0);
    domain_crash(other->d);
    for (unsigned i = 0; i < 1000 && !other->d->buried; i++)
        domain_bury();
    cr_assert_eq(frame_audit(), 0);
}

/* -- page exchange
 * ---------------------------------------------------------------------------------- */

/* A front-end that takes its buffers out of its page tables before it lends them. */
static void exchanging(struct card *c)
{
    struct vcpu *was = hv.cpu[0].current;

    c->vif->exchange = true;
    hosted_run(c->g->v);
    for (unsigned i = 0; i < RX_PAGES; i++)
        cr_assert_eq(
            hosted_call(c->g->v, XEN_HYPERVISOR_update_va_mapping, hosted_va(RX_PAGE + i), 0, 0, 0),
            0);
    hosted_run(was);
}

Test(uplink, the_page_itself)
{
    uint64_t before, pages;
    unsigned flags;
    uint8_t *p;
    mfn_t m;

    exchanging(&card[2]);
    before = other->p2m[RX_PAGE];
    pages = other->d->pages;
    memset(plat_map(mfn(before)), 0x99, PV_PAGE_SIZE);
    m = nic_arrives(card[2].mac, 1514, 0x31, 0);
    cr_assert_eq(frame_m2p[m.n], RX_PAGE);
    cr_assert_eq(frame_m2p[before], M2P_INVALID);
    cr_assert_eq(other->d->pages, pages);
    cr_assert_eq(frame_of(m)->owner, 2);
    cr_assert_eq(frame_of(mfn(before))->owner, XEN_DOMID_XEN);
    cr_assert_eq(received(&card[2], &p, &flags), 1514);
    cr_assert_eq(flags, PV_NETRXF_exchanged);
    cr_assert_eq(other->p2m[RX_PAGE], m.n);
    cr_assert_eq(p, (uint8_t *)plat_map(m) + 12);
    cr_assert_eq(p[1513], 0x31);
    cr_assert_eq(card[2].vif->stats.copied, 0, "no byte was copied");
    cr_assert_eq(card[2].vif->stats.exchanged, 1);
    for (unsigned i = 0; i < PV_PAGE_SIZE; i++)
        cr_assert(p - 12 + i >= p && p - 12 + i < p + 1514 ? true : (p - 12)[i] == 0,
                  "what others had in the page is gone");
    cr_assert_eq(frame_audit(), 0);
    cr_assert_eq(nic.empty[nic.empties - 1].n, before, "the card has the guest's");
}

/* What is still used somewhere is not exchanged, and the packet is copied. */
Test(uplink, a_page_in_use_stays)
{
    uint8_t *p;
    unsigned flags;

    card[2].vif->exchange = true; /* but the pages are mapped */
    nic_arrives(card[2].mac, 200, 0x41, 0);
    cr_assert_eq(received(&card[2], &p, &flags), 200);
    cr_assert_eq(flags, 0);
    cr_assert_eq(p[100], 0x41);
    exchanging(&card[3]);
    nic_arrives(everybody, 200, 0x42, 0); /* for more than one */
    cr_assert_eq(received(&card[3], &p, &flags), 200);
    cr_assert_eq(flags, 0);
    send(&card[1], card[3].mac, 200, 0x43); /* another guest's page is not given away */
    cr_assert_eq(received(&card[3], &p, &flags), 200);
    cr_assert_eq(flags, 0);
    /* one page behind two references, the second of which is in use by a device */
    uint32_t pin;
    mfn_t m;
    cr_assert_eq(grant_pin(card[3].g->d, REF + RX_PAGE + 2, false, &pin, &m), 0);
    nic_arrives(card[3].mac, 200, 0x44, 0);
    cr_assert_eq(received(&card[3], &p, &flags), 200);
    cr_assert_eq(flags, 0);
    grant_unpin(pin);
    cr_assert_eq(card[2].vif->stats.exchanged + card[3].vif->stats.exchanged, 0);
}

/* The same reference twice: the first packet takes the page away, the second one is for the new
 * page, which is the guest's as well. */
Test(uplink, a_reference_used_twice)
{
    uint8_t *p;
    unsigned flags;

    exchanging(&card[2]);
    for (unsigned i = 0; i < RX_PAGES; i++)
        rx_slot(&card[2], i)->gref = REF + RX_PAGE;
    for (unsigned i = 0; i < 5; i++)
        nic_arrives(card[2].mac, 100, 0x50 + (int)i, 0);
    cr_assert_eq(frame_audit(), 0);
    cr_assert_eq(card[2].vif->stats.exchanged, 5);
    for (unsigned i = 0; i < 5; i++)
        cr_assert_eq(received(&card[2], &p, &flags), 100);
}

/* Guests with patterns of their own, pages that wander between them, and nobody sees another's. */
Test(uplink, no_page_of_one_is_seen_by_another)
{
    unsigned seen = 0;
    uint64_t free = frame_free_count(), pages = 0;

    exchanging(&card[2]);
    exchanging(&card[3]);
    for (unsigned i = 1; i <= 3; i++)
        pages += card[i].g->d->pages;
    for (unsigned round = 0; round < 3000; round++) {
        struct card *c = &card[2 + round % 2];
        unsigned page = RX_PAGE + c->rx_cons % RX_PAGES, flags;
        uint8_t *p;
        int n;

        /* the guest's secret, in the buffer that it lends */
        memset(hosted_page(c->g, page), 0xc0 + round % 2, PV_PAGE_SIZE);
        mfn_t m = nic.empty[--nic.empties];
        uint8_t *wire = (uint8_t *)plat_map(m) + 12;
        for (unsigned i = 0; i < 60; i++)
            wire[i] = 1; /* the device writes no more than the packet */
        fill_header(wire, c->mac, outside);
        netdev_received(&nic.dev, m, 12, 60, 0);
        netdev_batch_end(&nic.dev);
        n = received(c, &p, &flags);
        cr_assert_eq(n, 60);
        p = (uint8_t *)hosted_page(c->g, page);
        for (unsigned i = 0; i < PV_PAGE_SIZE; i++)
            seen += p[i] == 0xc0 + (round + 1) % 2;
        grant_page(c, page, 0);
        refill(c, 1);
    }
    cr_assert_eq(seen, 0);
    cr_assert_eq(card[2].vif->stats.exchanged, 1500);
    cr_assert_eq(frame_free_count(), free);
    cr_assert_eq(g->d->pages + other->d->pages + card[3].g->d->pages, pages);
    cr_assert_eq(frame_audit(), 0);
}

/* -- ends in flight
 * ------------------------------------------------------------------------------------ */

Test(uplink, a_guest_dies_while_the_card_sends)
{
    mfn_t m = hosted_mfn(g, TX_PAGE);
    uint64_t free;

    send(&card[1], outside, 1514, 0x77);
    domain_crash(g->d);
    hosted_run(other->v);
    for (unsigned i = 0; i < 1000 && !g->d->buried; i++)
        domain_bury();
    cr_assert(g->d->buried);
    cr_assert_eq(frame_of(m)->owner, 1, "the device still reads it");
    cr_assert_eq(((uint8_t *)plat_map(m))[100], 0x77);
    cr_assert_eq(frame_audit(), 0);
    free = frame_free_count();
    netdev_sent(&nic.dev, nic.sent[0].cookie);
    netdev_batch_end(&nic.dev);
    cr_assert_geq(frame_free_count(), free + 1);
    cr_assert(frame_of(m)->flags & FRAME_FREE);
    cr_assert_null(net.made[1]);
}

/* It asks for pages, and dies with some of the card's, while the card has some of its. */
Test(uplink, a_guest_dies_in_the_middle_of_exchanges)
{
    exchanging(&card[3]);
    for (unsigned i = 0; i < 10; i++)
        nic_arrives(card[3].mac, 500, (int)i, 0);
    send(&card[3], outside, 900, 5);
    for (unsigned i = 0; i < RX_PAGES; i++)
        nic_arrives(card[3].mac, 500, (int)i, 0); /* the last ones wait */
    cr_assert_eq(card[3].vif->stats.exchanged, RX_PAGES);
    domain_crash(card[3].g->d);
    for (unsigned i = 0; i < 1000 && !card[3].g->d->buried; i++)
        domain_bury();
    cr_assert_eq(card[3].g->d->pages, 1, "what the card reads");
    nic_arrives(card[3].mac, 500, 1, 0); /* for the dead */
    netdev_sent(&nic.dev, nic.sent[0].cookie);
    netdev_batch_end(&nic.dev);
    cr_assert_eq(card[3].g->d->pages, 0);
    cr_assert_eq(nic.empties, NIC_SLOTS);
    cr_assert_eq(frame_audit(), 0);
}

/* It closes its card, and opens it again, with a packet on the way. */
Test(uplink, a_card_is_reopened_with_a_packet_on_the_way)
{
    uint8_t *p;

    send(&card[1], outside, 1514, 0x77);
    node(&card[1], "state", "5");
    node(&card[1], "state", "6");
    cr_assert_str_eq(back_node(&card[1], "state"), "5", "it waits for the packet");
    node(&card[1], "state", "1");
    netdev_sent(&nic.dev, nic.sent[0].cookie);
    netdev_batch_end(&nic.dev);
    cr_assert_str_eq(back_node(&card[1], "state"), "2");
    prepare(&card[1]);
    go(&card[1]);
    refill(&card[1], 4);
    nic_arrives(card[1].mac, 99, 1, 0);
    cr_assert_eq(received(&card[1], &p, NULL), 99);
}
