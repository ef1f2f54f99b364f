/* SPDX-License-Identifier: MIT
 *
 * net_test.c - packets between guests: what arrives, what does not, and front-ends that lie.
 */
#include "net_fixture.h"

static void setup(void)
{
    net_setup_cards(3);
}
TestSuite(net, .init = setup, .fini = exec_teardown);

static bool pending(const struct card *c)
{
    return c->g->d->shared->evtchn_pending[c->port / 64] >> c->port % 64 & 1;
}

Test(net, a_packet_is_copied_once)
{
    uint8_t *p;
    unsigned flags;

    card[2].g->d->shared->evtchn_pending[0] = 0;
    send(&card[1], card[2].mac, 1514, 0x55);
    cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_OKAY);
    cr_assert_eq(answered(&card[1]), 99);
    cr_assert(pending(&card[2]));
    cr_assert_eq(received(&card[2], &p, &flags), 1514);
    cr_assert_eq(flags, 0);
    cr_assert(!memcmp(p, card[2].mac, 6) && !memcmp(p + 6, card[1].mac, 6) && p[1513] == 0x55);
    cr_assert_eq(received(&card[2], &p, &flags), 0);
    cr_assert_eq(received(&card[3], &p, &flags), 0);
    cr_assert_eq(net_stats(other->d, 0)->copied, 1514, "exactly one copy");
    cr_assert_eq(net_stats(g->d, 0)->sent, 1);
    cr_assert_eq(g->d->grants->shared[0][REF + TX_PAGE].flags,
                 XEN_GTF_permit_access | XEN_GTF_readonly, "nothing is held");
    cr_assert_null(net_stats(g->d, 1));
}

/* The header may be split, fragments may be empty, and together they are one packet. */
Test(net, fragments_are_gathered)
{
    static const unsigned cut[][NET_FRAGMENTS] = {
        {1000, 500},
        {4, 6, 90},
        {0, 100},
        {14, 0, 0, 46},
        {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 100},
    };
    uint8_t want[1600], *p;

    for (unsigned i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
        unsigned total = 0, at = 0, n = 0;

        for (unsigned k = 0; k < NET_FRAGMENTS; k++)
            total += cut[i][k];
        for (unsigned k = 0; k < total; k++)
            want[k] = (uint8_t)(k * 7 + i);
        fill_header(want, card[3].mac, card[1].mac);
        for (n = 0; at < total; n++) {
            unsigned page = n % TX_PAGES, offset = 64 * n;

            memcpy((uint8_t *)hosted_page(g, TX_PAGE + page) + offset, want + at, cut[i][n]);
            at += cut[i][n];
            put(&card[1], REF + TX_PAGE + page, offset, at < total ? XEN_NETTXF_more_data : 0,
                n ? cut[i][n] : total);
        }
        kick(&card[1]);
        while (n--)
            cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_OKAY);
        cr_assert_eq(received(&card[3], &p, NULL), (int)total);
        cr_assert(!memcmp(p, want, total), "case %u", i);
    }
}

Test(net, everybody_but_the_sender)
{
    uint8_t *p;

    send(&card[1], everybody, 60, 1);
    cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_OKAY);
    cr_assert_eq(received(&card[1], &p, NULL), 0);
    cr_assert_eq(received(&card[2], &p, NULL), 60);
    cr_assert_eq(received(&card[3], &p, NULL), 60);
    send(&card[1], outside, 60, 1);
    cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_DROPPED, "there is no uplink");
}

Test(net, nobody_sends_as_another)
{
    uint8_t *p = hosted_page(g, TX_PAGE);

    for (unsigned i = 0; i < 3; i++) {
        uint64_t before = reason_counts[RULE_NET_SPOOF];

        fill_header(p, i ? card[3].mac : everybody, i == 2 ? outside : card[2].mac);
        put(&card[1], REF + TX_PAGE, 0, 0, 100);
        kick(&card[1]);
        cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_DROPPED);
        cr_assert_eq(reason_counts[RULE_NET_SPOOF], before + 1);
        cr_assert_eq(received(&card[3], &p, NULL), 0);
        p = hosted_page(g, TX_PAGE);
    }
    cr_assert_eq(g->d->reasons.first.rule, RULE_NET_SPOOF, "the sender's");
    send(&card[1], card[3].mac, 100, 7);
    cr_assert_eq(received(&card[3], &p, NULL), 100);
}

Test(net, checksums)
{
    /* a UDP packet of an odd number of bytes, pseudo header summed by the sender */
    uint8_t *tx = hosted_page(g, TX_PAGE), *p;
    unsigned flags, n = 14 + 20 + 8 + 33;
    uint32_t sum = 0x11 + 8 + 33 + 0x0a00 + 1 + 0x0a00 + 2;
    uint32_t check = sum;

    memset(tx, 0, 200);
    fill_header(tx, card[2].mac, card[1].mac);
    tx[12] = 8, tx[13] = 0, tx[14] = 0x45, tx[23] = 17;
    tx[26] = 10, tx[29] = 1, tx[30] = 10, tx[33] = 2;
    tx[39] = 8 + 33; /* UDP's length */
    for (unsigned i = 42; i < n; i++)
        tx[i] = (uint8_t)(i * 31);
    sum = (sum & 0xffff) + (sum >> 16);
    tx[40] = (uint8_t)(sum >> 8), tx[41] = (uint8_t)sum;
    put(&card[1], REF + TX_PAGE, 0, XEN_NETTXF_csum_blank, n);
    kick(&card[1]);
    cr_assert_eq(received(&card[2], &p, &flags), (int)n);
    cr_assert_eq(flags, XEN_NETRXF_csum_blank | XEN_NETRXF_data_validated);
    cr_assert(!memcmp(p, tx, n));
    card[3].vif->csum = false; /* as if it had said feature-no-csum-offload */
    memcpy(tx, card[3].mac, 6);
    put(&card[1], REF + TX_PAGE, 0, XEN_NETTXF_csum_blank, n);
    kick(&card[1]);
    cr_assert_eq(received(&card[3], &p, &flags), (int)n);
    cr_assert_eq(flags, 0);
    for (unsigned i = 34; i < n; i++)
        check += i % 2 ? p[i] : (unsigned)p[i] << 8;
    while (check >> 16)
        check = (check & 0xffff) + (check >> 16);
    cr_assert_eq(check, 0xffff, "it is right: %x", check);
    put(&card[1], REF + TX_PAGE, 0, XEN_NETTXF_data_validated, n);
    kick(&card[1]);
    cr_assert_eq(received(&card[3], &p, &flags), (int)n);
    cr_assert_eq(flags, XEN_NETRXF_data_validated);
}

/* -- front-ends that lie ------------------------------------------------------------------------
 */

#define broken_by(rule_, ...)                                             \
    do {                                                                  \
        uint64_t before_ = reason_counts[rule_];                          \
        uint8_t *at_;                                                     \
        __VA_ARGS__;                                                      \
        kick(&card[1]);                                                   \
        cr_assert_eq(reason_counts[rule_], before_ + 1);                  \
        cr_assert_str_eq(back_node(&card[1], "state"), "5");              \
        cr_assert_null(card[1].vif->tx.page);                             \
        cr_assert_eq(received(&card[2], &at_, NULL), 0);                  \
        send(&card[3], card[2].mac, 60, 3);                               \
        cr_assert_eq(received(&card[2], &at_, NULL), 60, "others go on"); \
        send(&card[3], card[1].mac, 60, 3);                               \
        cr_assert_eq(card[3].vif->stats.refused, 1);                      \
        net_notified(card[1].vif);                                        \
    } while (0)

Test(net, a_fragment_past_its_page)
{
    broken_by(RULE_NET_FRAGMENT, put(&card[1], REF + TX_PAGE, 4000, 0, 100));
}

Test(net, a_second_fragment_past_its_page)
{
    broken_by(RULE_NET_FRAGMENT, put(&card[1], REF + TX_PAGE, 0, XEN_NETTXF_more_data, 200);
              put(&card[1], REF + TX_PAGE, 65535, 0, 100));
}

Test(net, more_than_the_packet)
{
    broken_by(RULE_NET_FRAGMENT, put(&card[1], REF + TX_PAGE, 0, XEN_NETTXF_more_data, 200);
              put(&card[1], REF + TX_PAGE, 0, 0, 201));
}

Test(net, a_chain_without_end)
{
    broken_by(RULE_NET_CHAIN, for (unsigned i = 0; i < 256; i++)
                                  put(&card[1], REF + TX_PAGE, 0, XEN_NETTXF_more_data, 60));
}

Test(net, a_chain_that_stops)
{
    broken_by(RULE_NET_CHAIN, put(&card[1], REF + TX_PAGE, 0, XEN_NETTXF_more_data, 60));
}

Test(net, extras_without_end)
{
    broken_by(RULE_NET_CHAIN, put(&card[1], REF + TX_PAGE, 0, XEN_NETTXF_extra_info, 60);
              for (unsigned i = 0; i < 200; i++)
                  put(&card[1], 4 | XEN_NETIF_EXTRA_FLAG_MORE << 8, 0, 0, 0));
}

Test(net, an_index_that_jumps)
{
    broken_by(RULE_NET_RING, card[1].tx_prod += 1u << 31);
}

Test(net, an_index_that_goes_back)
{
    broken_by(RULE_NET_RING, card[1].tx_prod--);
}

Test(net, a_receive_index_that_jumps)
{
    uint64_t before = reason_counts[RULE_NET_RING];

    head(&card[2], RX_RING)->req_prod += 257;
    send(&card[1], card[2].mac, 60, 1);
    cr_assert_eq(reason_counts[RULE_NET_RING], before + 1);
    cr_assert_str_eq(back_node(&card[2], "state"), "5");
    cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_DROPPED);
}

/* Nothing of these breaks a device: the packet is refused, and the next one goes. */
Test(net, packets_that_are_refused)
{
    static const unsigned sizes[] = {0, 1, 13, 1519, 4096, 3000};
    uint8_t *p;

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t before = reason_counts[RULE_NET_SIZE];

        send(&card[1], card[2].mac, sizes[i] < 14 ? 14 : sizes[i], 1);
        card[1].tx_prod--, card[1].tx_cons++;
        head(&card[1], TX_RING)->req_prod--;
        card[1].tx_cons = head(&card[1], TX_RING)->rsp_prod;
        card[1].tx_prod = head(&card[1], TX_RING)->req_prod + 1;
        while (received(&card[2], &p, NULL))
            ;
        before = reason_counts[RULE_NET_SIZE];
        put(&card[1], REF + TX_PAGE, 0, 0, sizes[i]);
        kick(&card[1]);
        cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_ERROR);
        cr_assert_eq(reason_counts[RULE_NET_SIZE], before + 1);
        cr_assert_eq(received(&card[2], &p, NULL), 0);
    }
    put(&card[1], REF + TX_PAGE, 0, XEN_NETTXF_more_data, 65535); /* 64 KiB in 18 slots */
    for (unsigned i = 1; i < 18; i++)
        put(&card[1], REF + TX_PAGE, 0, i < 17 ? XEN_NETTXF_more_data : 0, i < 17 ? 3855 : 3855);
    kick(&card[1]);
    for (unsigned i = 0; i < 18; i++)
        cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_ERROR);
    put(&card[1], 5000, 0, 0, 60); /* no such grant */
    put(&card[1], REF + 90, 0, 0, 60);
    put(&card[1], REF + TX_PAGE, 0, XEN_NETTXF_extra_info, 60); /* a segmentation */
    put(&card[1], XEN_NETIF_EXTRA_TYPE_GSO, 0, 0, 0);
    kick(&card[1]);
    cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_ERROR);
    cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_ERROR);
    cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_ERROR);
    cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_NULL);
    send(&card[1], card[2].mac, 60, 1);
    cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_OKAY);
    cr_assert_eq(received(&card[2], &p, NULL), 60);
}

Test(net, bad_buffers)
{
    uint8_t *p;

    card[2].g->d->grants->shared[0][REF + RX_PAGE].flags = XEN_GTF_permit_access | XEN_GTF_readonly;
    card[2].g->d->grants->shared[0][REF + RX_PAGE + 1].frame = (uint32_t)g->p2m[5]; /* another's */
    card[2].g->d->grants->shared[0][REF + RX_PAGE + 2].frame = (uint32_t)other->p2m[other->l1];
    for (unsigned i = 0; i < 4; i++)
        send(&card[1], card[2].mac, 60, 1);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(received(&card[2], &p, NULL), XEN_NETIF_RSP_ERROR);
    cr_assert_eq(received(&card[2], &p, NULL), 60);
    for (unsigned i = 0; i < 4; i++)
        cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_OKAY, "not the sender's trouble");
}

Test(net, a_handshake_without_sense)
{
    struct card *c = &card[4];
    struct hosted_guest *who = hosted_guest(4, PAGES, 1);
    uint64_t copy = reason_counts[RULE_NET_NO_COPY], ring = reason_counts[RULE_XENBUS_RING];

    attach(c, who);
    cr_assert_str_eq(back_node(c, "feature-rx-copy"), "1");
    cr_assert_str_eq(back_node(c, "feature-sg"), "1");
    cr_assert_str_eq(back_node(c, "mac"), "00:16:3e:00:00:04");
    cr_assert_str_eq(back_node(c, "state"), "2");
    cr_assert_not(net_attach(who->d, 0, NULL, 0), "twice");
    cr_assert_not(net_attach(who->d, 1, card[1].mac, 0), "another's address");
    prepare(c);
    node(c, "request-rx-copy", "0");
    node(c, "state", "4");
    cr_assert_eq(reason_counts[RULE_NET_NO_COPY], copy + 1);
    cr_assert_str_eq(back_node(c, "state"), "5");
    node(c, "state", "6");
    node(c, "state", "1");
    cr_assert_str_eq(back_node(c, "state"), "2");
    node(c, "request-rx-copy", "1");
    node(c, "rx-ring-ref", "4000");
    node(c, "state", "4");
    cr_assert_eq(reason_counts[RULE_XENBUS_RING], ring + 1);
    cr_assert_eq(who->d->grants->shared[0][REF + TX_RING].flags, XEN_GTF_permit_access);
    node(c, "state", "6");
    node(c, "state", "1");
    prepare(c);
    go(c);
    refill(c, 1);
    send(&card[1], c->mac, 60, 9);
    cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_OKAY);
    node(c, "state", "6");
    cr_assert_str_eq(back_node(c, "state"), "6");
    cr_assert_eq(who->d->grants->shared[0][REF + TX_RING].flags, XEN_GTF_permit_access);
}

/* -- guests that do not do their part
 * -------------------------------------------------------------- */

/* Three send to card 1 at once: turns are equal. */
Test(net, turns)
{
    uint8_t *p;
    unsigned count[256] = {0};

    while (received(&card[1], &p, NULL))
        ;
    net.running = true; /* as if all of them had come before the first was looked at */
    for (unsigned i = 0; i < 40; i++)
        packet(&card[2], i % TX_PAGES, card[1].mac, 100, 2);
    kick(&card[2]);
    for (unsigned i = 0; i < 40; i++)
        packet(&card[3], i % TX_PAGES, card[1].mac, 1500, 3);
    kick(&card[3]);
    net.running = false;
    net_run();
    for (int n; (n = received(&card[1], &p, NULL)) > 0;) {
        count[p[50]]++;
        cr_assert_leq(abs((int)count[2] - (int)count[3]), 1);
        refill(&card[1], 1);
    }
    cr_assert(count[2] == 40 && count[3] == 40);
}

/* Card 3 never gives another buffer. Who sends to it waits once; the others notice nothing. */
Test(net, one_that_never_refills)
{
    unsigned got = 0, lost;
    uint8_t *p;

    for (unsigned i = 0; i < RX_PAGES; i++)
        send(&card[1], card[3].mac, 60, 3);
    for (unsigned i = 0; i < RX_PAGES; i++)
        cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_OKAY);
    send(&card[1], card[3].mac, 60, 3);
    cr_assert_eq(answered(&card[1]), 99, "it waits");
    cr_assert_neq(card[1].vif->waits_in, NULL);
    send(&card[2], card[1].mac, 60, 2);
    cr_assert_eq(received(&card[1], &p, NULL), 60, "others don't");
    hosted.now += NET_HOLD;
    timer_run(hosted.now);
    cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_DROPPED);
    lost = (unsigned)card[3].vif->stats.lost;
    for (unsigned i = 0; i < 2000; i++) { /* half of what card 1 sends is for it */
        packet(&card[1], 0, card[3].mac, 60, 3);
        packet(&card[1], 1, card[2].mac, 1000, (int)i);
        kick(&card[1]);
        cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_DROPPED);
        cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_OKAY);
        got += received(&card[2], &p, NULL) == 1000 && p[500] == (uint8_t)i;
        refill(&card[2], 1);
    }
    cr_assert_eq(got, 2000);
    cr_assert_eq(card[3].vif->stats.lost, lost + 2000);
    while (received(&card[3], &p, NULL))
        ;
    refill(&card[3], 2); /* and it is well again */
    send(&card[1], card[3].mac, 61, 3);
    cr_assert_eq(received(&card[3], &p, NULL), 61);
}

/* Buffers that come in time are worth the wait. */
Test(net, waiting_loses_nothing)
{
    uint8_t *p;
    unsigned n = 0;

    for (unsigned i = 0; i < 100; i++)
        packet(&card[1], i % TX_PAGES, card[2].mac, 60, 4);
    kick(&card[1]);
    packet(&card[3], 0, card[2].mac, 62, 5);
    kick(&card[3]);
    while (received(&card[2], &p, NULL) > 0) {
        n++;
        refill(&card[2], 1);
    }
    cr_assert_eq(n, 101);
    cr_assert_eq(card[2].vif->stats.lost, 0);
    cr_assert_not(timer_is_set(&card[1].vif->hold));
}

/* One floods card 2 with all it has; card 3 sends a little to it, and loses nothing. */
Test(net, one_that_floods)
{
    unsigned from3 = 0, flood = 0;
    uint8_t *p;

    for (unsigned round = 0; round < 300; round++) {
        while (card[1].tx_prod - head(&card[1], TX_RING)->rsp_prod < 256)
            packet(&card[1], card[1].tx_prod % TX_PAGES, card[2].mac, 1514, 0xf1);
        kick(&card[1]);
        packet(&card[3], round % TX_PAGES, card[2].mac, 200, 3);
        kick(&card[3]);
        for (unsigned i = 0; i < 8 && received(&card[2], &p, NULL) > 0; i++) {
            from3 += p[100] == 3;
            flood += p[100] == 0xf1;
            refill(&card[2], 1);
        }
    }
    cr_assert_geq(from3, 299 - 24, "what is in buffers is not lost");
    cr_assert_eq(card[2].vif->stats.lost, 0);
    cr_assert_gt(flood, 1000);
    cr_assert_eq(card[3].vif->stats.refused, 0);
}

Test(net, rates_hold)
{
    uint64_t start = hosted.now;
    uint8_t *p;
    unsigned n = 0;

    packet_limit(&card[1].vif->sender, 100000, 5000, hosted.now);
    net.limited = true;
    while (hosted.now < start + 2000000000) {
        while (card[1].tx_prod - head(&card[1], TX_RING)->rsp_prod < 200)
            packet(&card[1], card[1].tx_prod % TX_PAGES, card[2].mac, 1000, 1);
        kick(&card[1]);
        while (received(&card[2], &p, NULL) > 0) {
            n++;
            refill(&card[2], 1);
        }
        hosted.now += 3000000;
        timer_run(hosted.now);
    }
    cr_assert(n >= 200 && n <= 207, "%u packets of 1000 bytes", n);
}

/* Work stops when an interrupt is pending, and goes on after it. */
Test(net, long_work_stops)
{
    unsigned n = 0;
    uint8_t *p;

    for (unsigned i = 0; i < 24; i++)
        packet(&card[1], 0, card[2].mac, 60, 1);
    hosted.interrupt_every = 1;
    kick(&card[1]);
    hosted.interrupt_every = 0;
    cr_assert(hv.cpu[0].work & CPU_WORK_NET);
    while (received(&card[2], &p, NULL) > 0)
        n++;
    cr_assert_lt(n, 24);
    net_run();
    while (received(&card[2], &p, NULL) > 0)
        n++;
    cr_assert_eq(n, 24);
}

/* -- ends -----------------------------------------------------------------------------------------
 */

static void end_of(struct card *c)
{
    domain_crash(c->g->d);
    for (unsigned i = 0; i < 1000 && !c->g->d->buried; i++)
        domain_bury();
    cr_assert(c->g->d->buried);
}

Test(net, the_receiver_dies)
{
    for (unsigned i = 0; i < RX_PAGES + 1; i++)
        send(&card[1], card[3].mac, 60, 3);
    cr_assert_neq(card[1].vif->waits_in, NULL);
    end_of(&card[3]);
    cr_assert_null(card[1].vif->waits_in);
    cr_assert(hv.cpu[0].work & CPU_WORK_NET);
    net_run();
    for (unsigned i = 0; i < RX_PAGES; i++)
        cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_OKAY);
    cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_DROPPED);
    send(&card[1], card[3].mac, 60, 3);
    cr_assert_eq(answered(&card[1]), XEN_NETIF_RSP_DROPPED);
    cr_assert_eq(frame_audit(), 0);
}

Test(net, the_sender_dies_while_it_waits)
{
    uint8_t *p;

    for (unsigned i = 0; i < RX_PAGES + 1; i++)
        send(&card[3], card[2].mac, 60, 3);
    cr_assert_neq(card[3].vif->waits_in, NULL);
    end_of(&card[3]);
    cr_assert_null(card[2].vif->waiting);
    while (received(&card[2], &p, NULL) > 0)
        ;
    refill(&card[2], 5);
    hosted.now += 10 * NET_HOLD;
    timer_run(hosted.now);
    send(&card[1], card[2].mac, 60, 1);
    cr_assert_eq(received(&card[2], &p, NULL), 60);
}
