/* SPDX-License-Identifier: MIT */
/*
 * devices.c - libpv's front-ends against the hypervisor's back-ends: the store, disks, network
 * cards, as they are, with nothing between but a ring.
 *
 * The disk is slow: it ends what it has been given when it likes, in any order. Sleeps have no time
 * limit, so a notification that is not sent where one is needed ends the test. What is sent, read
 * and written is compared byte by byte with what should be there. TAP.
 */
#include "pair.h"
#include <stdio.h>
#include <string.h>
#include "backend/block.h"
#include "backend/disk.h"
#include "backend/net.h"

static uint64_t seed;

static unsigned below(unsigned n)
{
    seed = seed * 6364136223846793005 + 1442695040888963407;
    return (unsigned)(seed >> 33) % n;
}

/* The disk ---------------------------------------------------------------------------------- */

enum { SECTORS = 8192, HELD = 64, SLOTS = 24, SLOT_PAGES = 16, ZONE = SECTORS / SLOTS };

static struct {
    struct blockdev dev;
    uint8_t bytes[SECTORS * SECTOR_SIZE];
    struct bio *held[HELD];
    unsigned n, flushes, most;
    bool eager; /* it ends what it has been given at once */
} slow;

static bool slow_submit(struct blockdev *dev, struct bio *b)
{
    (void)dev;
    if (slow.n == HELD)
        return false;
    slow.held[slow.n++] = b;
    slow.most = slow.n > slow.most ? slow.n : slow.most;
    return true;
}

static void slow_finish(unsigned i)
{
    struct bio *b = slow.held[i];
    uint8_t *at = slow.bytes + b->sector * SECTOR_SIZE;

    for (unsigned s = 0; s < b->segments && b->op <= BIO_WRITE; s++) {
        uint8_t *page = plat_ram + b->segment[s].address;

        memcpy(b->op == BIO_READ ? page : at, b->op == BIO_READ ? at : page, b->segment[s].bytes);
        at += b->segment[s].bytes;
    }
    slow.flushes += b->op == BIO_FLUSH;
    slow.held[i] = slow.held[--slow.n];
    b->done(b, true);
}

static bool slow_turn(void)
{
    unsigned n = slow.n ? 1 + below(slow.n) : 0;

    for (unsigned i = 0; i < n; i++)
        slow_finish(below(slow.n));
    if (n)
        blockdev_completed(&slow.dev);
    return n > 0;
}

static void slow_kick(struct blockdev *dev)
{
    while (slow.eager && slow.n)
        slow_finish(below(slow.n));
    if (slow.eager)
        blockdev_completed(dev);
}

static const struct blockdev_ops slow_ops = {slow_submit, slow_kick};

static void plug_in(uint16_t segments)
{
    struct block_slice all = {&slow.dev, 0, SECTORS, false};

    slow.dev.max_segments = segments;
    WANT(block_attach(g->d, BLOCK_XVDA, &all, "slow"));
    pair.world = slow_turn;
    WANT(pv_grant_init(4) == 0);
}

/* What a slot does: its own part of the disk, its own pages; so nothing depends on the order. */
static struct slot {
    struct pv_block_request r;
    struct pv_block_segment seg[3];
    pfn_t first;
    bool busy;
} slot[SLOTS];
static uint8_t shadow[sizeof(slow.bytes)];
static struct pv_block disk;
static unsigned under_way, ended;

static uint8_t *bytes_of(const struct pv_block_segment *s)
{
    return (uint8_t *)pv_host_page_va(s->frame) + s->offset;
}

static void done(struct pv_block_request *r, int status)
{
    struct slot *s = r->arg;
    uint8_t *at = shadow + r->sector * SECTOR_SIZE;

    WANT(status == 0 && s->busy);
    for (unsigned i = 0; i < r->nr_segs; at += r->segs[i++].bytes)
        WANT(r->op != PV_BLOCK_READ || !memcmp(bytes_of(&r->segs[i]), at, r->segs[i].bytes));
    s->busy = false;
    under_way--;
    ended++;
}

/* A read or write of one to three pieces that begin and end anywhere in three parts of its pages.
 */
static void begin(struct slot *s)
{
    unsigned zone = (unsigned)(s - slot) * ZONE, used = below(100), third = SLOT_PAGES / 3;

    s->r = (struct pv_block_request){.op = below(2) ? PV_BLOCK_READ : PV_BLOCK_WRITE,
                                     .sector = zone + used,
                                     .nr_segs = (uint16_t)(1 + below(3)),
                                     .segs = s->seg,
                                     .fua = !below(10),
                                     .done = done,
                                     .arg = s};
    for (unsigned i = 0; i < s->r.nr_segs; i++) {
        unsigned from = below(8), sectors = 1 + below(third * 8 - from);
        uint8_t *at = shadow + (zone + used) * SECTOR_SIZE;

        s->seg[i] = (struct pv_block_segment){pfn_add(s->first, i * third), from * SECTOR_SIZE,
                                              sectors * SECTOR_SIZE};
        for (unsigned b = 0; b < sectors * SECTOR_SIZE && s->r.op == PV_BLOCK_WRITE; b++)
            at[b] = bytes_of(&s->seg[i])[b] = (uint8_t)(below(256) + b);
        used += sectors;
    }
    s->busy = true;
    under_way++;
    WANT((below(3) ? pv_block_submit : pv_block_queue)(&disk, &s->r) == 0);
}

/* Until the disk has something to tell. Events may have told it already: so look with the gate
 * shut. */
static void disk_sleep(void)
{
    bool open;

    pv_block_kick(&disk);
    open = pv_events_disable();
    if (under_way)
        pv_sched_poll(&disk.port, 1, 0);
    pv_events_restore(open);
}

static void disk_traffic(unsigned requests)
{
    struct pv_block_request flush = {.op = PV_BLOCK_FLUSH};

    for (unsigned i = 0; i < SLOTS; i++) {
        slot[i].first = pfn(FIRST_FREE + 100 + i * SLOT_PAGES); /* never allocated: see below */
        WANT(slot[i].first.n + SLOT_PAGES < g->l4);
    }
    pair.free_pages = 0;
    for (uint64_t i = FIRST_FREE; i < FIRST_FREE + 100; i++)
        pair.free_page[pair.free_pages++] = i;
    for (unsigned i = 0; i < sizeof(slow.bytes); i++)
        shadow[i] = slow.bytes[i] = (uint8_t)(i * 7 + i / SECTOR_SIZE);
    WANT(pv_block_open(&disk, 0) == 0);
    WANT(disk.info.sectors == SECTORS && disk.info.flush && !strcmp(disk.info.name, "xvda"));
    while (ended < requests) {
        struct slot *s = &slot[below(SLOTS)];

        if (!s->busy && below(8))
            begin(s);
        if (!below(6))
            slow_turn(); /* the disk does not wait for the guest to sleep */
        if (!below(4))
            disk_sleep();
        if (!below(3))
            pv_block_poll(&disk);
    }
    pair.naps = 0;
    for (; under_way; pv_block_poll(&disk))
        disk_sleep();
    WANT(pair.naps == 0);
    WANT(pv_block_do(&disk, &flush) == 0 && slow.flushes > 0);
    WANT(!memcmp(shadow, slow.bytes, sizeof(shadow)));
    pv_block_close(&disk);
    WANT(pv_grant_report(NULL, NULL) == 0 && pair.free_pages == 100);
}

static void a_disk(void)
{
    seed = 1;
    plug_in(64);
    pv_events_disable();
    disk_traffic(4000);
    WANT(slow.most > 8);
}

/* More pieces than the ring has slots for, and completions by the guest's own events. */
static void a_disk_that_takes_little(void)
{
    seed = 2;
    plug_in(11);
    WANT(pv_block_open(&disk, 0) == 0 && disk.info.pieces == 11);
    pv_block_close(&disk);
    pv_events_enable();
    disk_traffic(2000);
}

static void a_disk_that_is_quick(void)
{
    seed = 3;
    slow.eager = true;
    plug_in(32);
    disk_traffic(1000);
}

static void a_disk_that_is_opened_again(void)
{
    struct pv_block_request r = {.op = PV_BLOCK_READ, .nr_segs = 1, .segs = slot[0].seg};

    seed = 4;
    plug_in(32);
    slot[0].seg[0] = (struct pv_block_segment){pfn(FIRST_FREE + 200), 0, PV_PAGE_SIZE};
    for (unsigned i = 0; i < 20; i++) {
        WANT(pv_block_open(&disk, 0) == 0);
        WANT(pv_block_do(&disk, &r) == 0);
        pv_block_close(&disk);
    }
    WANT(pv_block_open(&disk, 1) == -XEN_ENODEV && *pv_xenbus_why(&disk.bus));
    WANT(pv_grant_report(NULL, NULL) == 0);
}

/* Network cards ------------------------------------------------------------------------------ */

enum { CARDS = 2, SENDS = 40 };

static struct pv_net card[CARDS];
static struct {
    unsigned sent, came; /* packets from this card; of the other one's, in order */
} flow[CARDS];
static struct send {
    struct pv_net_send s;
    struct pv_net_fragment f[3];
    pfn_t first;
    bool busy;
} sends[SENDS];

/* Byte i of packet n of a card: where it goes, where from, a type, its number, and so on. */
static uint8_t packet_byte(unsigned from, unsigned n, unsigned i)
{
    if (i < 6)
        return card[!from].mac[i];
    if (i < 12)
        return card[from].mac[i - 6];
    return i < 14 ? 0x88 + i : i < 18 ? (uint8_t)(n >> 8 * (i - 14)) : (uint8_t)(n * 13 + i);
}

static unsigned packet_length(unsigned n)
{
    return 60 + n * 37 % 1455;
}

static bool net_received(struct pv_net *c, const struct pv_net_packet *p)
{
    unsigned from = c == &card[0], at = 0, n = flow[from].came++;

    WANT(p->bytes == packet_length(n));
    for (unsigned i = 0; i < p->count; i++) {
        const uint8_t *bytes = pv_host_page_va(p->fragments[i].frame);

        for (unsigned b = 0; b < p->fragments[i].bytes; b++, at++)
            WANT(bytes[p->fragments[i].offset + b] == packet_byte(from, n, at));
    }
    WANT(at == p->bytes);
    return false;
}

static void net_done(struct pv_net_send *s, int status)
{
    WANT(status == 0);
    ((struct send *)s->arg)->busy = false;
}

/* The next packet of a card, from its own pages or copied; false: there is no room. */
static bool send_next(unsigned from)
{
    static uint8_t bytes[PV_NET_FRAME_MAX];
    unsigned n = flow[from].sent, length = packet_length(n), cut = 20 + below(length - 20);
    struct send *s = &sends[below(SENDS)];
    int err;

    for (unsigned i = 0; i < length; i++)
        bytes[i] = packet_byte(from, n, i);
    if (s->busy || below(2)) {
        struct pv_net_bytes parts[] = {{bytes, cut}, {bytes + cut, length - cut}};

        err = pv_net_send_copy(&card[from], parts, 2, 0);
    } else {
        s->f[0] = (struct pv_net_fragment){s->first, below(2000), cut};
        s->f[1] = (struct pv_net_fragment){pfn_add(s->first, 1), below(2000), length - cut};
        for (unsigned i = 0, at = 0; i < 2; at += s->f[i++].bytes)
            memcpy((char *)pv_host_page_va(s->f[i].frame) + s->f[i].offset, bytes + at,
                   s->f[i].bytes);
        s->s = (struct pv_net_send){
            .packet = {s->f, cut < length ? 2 : 1, 0, 0}, .done = net_done, .arg = s};
        err = pv_net_send(&card[from], &s->s);
        s->busy = err == 0;
    }
    WANT(err == 0 || err == -XEN_ENOSPC);
    flow[from].sent += err == 0;
    return err == 0;
}

static void open_cards(bool exchange)
{
    WANT(pv_grant_init(4) == 0);
    for (unsigned i = 0; i < CARDS; i++) {
        WANT(net_attach(g->d, i, NULL, 0));
        card[i] = (struct pv_net){.received = net_received, .exchange = exchange, .buffers = 30};
        WANT(pv_net_open(&card[i], i) == 0);
    }
    for (unsigned i = 0; i < SENDS; i++)
        sends[i].first = pv_host_page_alloc(),
        WANT(pfn_eq(pv_host_page_alloc(), pfn_add(sends[i].first, 1)));
}

static void close_cards(void)
{
    for (unsigned i = 0; i < CARDS; i++)
        pv_net_close(&card[i]);
    WANT(pv_grant_report(NULL, NULL) == 0);
    for (uint64_t i = 0; i < PAGES; i++)
        WANT(pfn_eq(pv_m2p(pv_p2m(pfn(i))), pfn(i)));
}

static void two_cards(void)
{
    const unsigned packets = 6000;

    seed = 5;
    pv_events_disable();
    open_cards(false);
    pair.naps = 0;
    while (flow[0].came < packets || flow[1].came < packets) {
        unsigned from = below(CARDS);
        bool full = false;

        for (unsigned burst = below(60); burst && !full; burst--)
            full = flow[from].sent < packets && !send_next(from);
        if (full || (flow[0].sent == packets && flow[1].sent == packets))
            pv_sched_poll((uint32_t[]){card[0].port, card[1].port}, 2, 0);
        pv_net_poll(&card[below(CARDS)]);
        if (!below(4))
            pv_net_poll(&card[0]), pv_net_poll(&card[1]);
    }
    close_cards();
}

/* The machine's own network card: its pages become the guest's. */
static struct {
    struct netdev dev;
    mfn_t empty[32];
    unsigned n;
} nic;

static bool nic_send(struct netdev *nd, const struct netdev_packet *p)
{
    netdev_sent(nd, p->cookie);
    return true;
}

static bool nic_supply(struct netdev *nd, mfn_t page)
{
    (void)nd;
    if (nic.n == PV_ARRAY_SIZE(nic.empty))
        return false;
    nic.empty[nic.n++] = page;
    return true;
}

static void nic_kick(struct netdev *nd)
{
    (void)nd;
}

static const struct netdev_ops nic_ops = {nic_send, nic_supply, nic_kick};

/* The next packet to card 0, as if card 1 were outside. */
static void nic_arrives(void)
{
    unsigned n = flow[1].sent++, length = packet_length(n);
    mfn_t m = nic.empty[--nic.n];
    uint8_t *p = (uint8_t *)plat_map(m) + 12;

    memset(plat_map(m), 0xee, PV_PAGE_SIZE);
    for (unsigned i = 0; i < length; i++)
        p[i] = packet_byte(1, n, i);
    netdev_received(&nic.dev, m, 12, length, 0);
}

static void pages_for_packets(void)
{
    const unsigned packets = 3000;

    seed = 6;
    open_cards(true);
    WANT(card[0].exchanges);
    pv_net_close(&card[1]);
    memset(card[1].mac, 2, 6);
    pv_events_disable();
    while (flow[1].came < packets) {
        for (unsigned burst = below(20); burst && nic.n && flow[1].sent < packets; burst--)
            nic_arrives();
        netdev_batch_end(&nic.dev);
        if (flow[1].sent > flow[1].came)
            pv_sched_poll(&card[0].port, 1, 0);
        pv_net_poll(&card[0]);
    }
    WANT(card[0].exchanged > packets / 2);
    close_cards();
}

static void devices(void)
{
    slow.dev = (struct blockdev){.ops = &slow_ops,
                                 .name = "slow",
                                 .sectors = SECTORS,
                                 .sector_size = SECTOR_SIZE,
                                 .max_segments = 64,
                                 .can_flush = true};
    WANT(blockdev_register(&slow.dev));
    nic.dev = (struct netdev){.ops = &nic_ops,
                              .name = "nic",
                              .mtu = 1500,
                              .rx_slots = PV_ARRAY_SIZE(nic.empty),
                              .mac = {2, 2, 2, 2, 2, 3}};
    netdev_attach(&nic.dev);
}

int main(void)
{
    static const struct pair_essay essays[] = {
        {"a disk: each byte is where it belongs, each sleep ends", a_disk},
        {"a disk that takes little at a time, by events", a_disk_that_takes_little},
        {"a disk that answers within the question", a_disk_that_is_quick},
        {"a disk that is opened again and again", a_disk_that_is_opened_again},
        {"two network cards: packets whole, in order, none lost", two_cards},
        {"pages that are exchanged for packets", pages_for_packets},
    };
    unsigned n = PV_ARRAY_SIZE(essays), failed;

    pair.before = devices;
    failed = pair_run(essays, n);
    printf("1..%u\n", n);
    return failed != 0;
}
