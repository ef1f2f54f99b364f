/* SPDX-License-Identifier: MIT
 *
 * virtio_net.c - the network card: packets leave by gathering and arrive in the pages that the
 * switch supplied.
 *
 *   send:     our header + the packet's own header (copied: what was checked leaves) │ its segments
 *   receive:  our header │ a supplied page
 *
 * Invariants: a slot belongs to one packet or page from send() or supply() to its end; a page is
 * given back only when the device has ended its request, or was reset. Each packet fits one page
 * (no merged buffers, no large receives). A card that broke loses what is sent, and says that it
 * was sent.
 */
#include "drivers.h"
#include "virtio.h"
#include "../backend/netdev.h"
#include "../core/domain.h"
#include "../core/heap.h"
#include "../core/platform.h"

enum { F_CSUM = 1 << 0, F_GUEST_CSUM = 1 << 1, F_MTU = 1 << 3, F_MAC = 1 << 5 };
enum { CONFIG_MAC = 0, CONFIG_MTU = 10 };
enum { RX, TX, QUEUES };
enum { SLOTS = 256, NEEDS_CSUM = 1, DATA_VALID = 2, MTU = 1500, MTU_LEAST = 68 };

struct net_header {
    uint8_t flags, gso_type;
    uint16_t header_length, gso_size, csum_start, csum_offset, buffers;
};
_Static_assert(sizeof(struct net_header) == 12, "virtio 1.1, 5.1.6");

struct slot {
    struct net_header header;
    uint8_t packet[NETDEV_HEADER]; /* sending: right behind the header */
    uint32_t cookie;               /* sending */
    mfn_t page;                    /* receiving */
};

struct card {
    struct netdev dev;
    struct virtio virtio;
    struct virtq queue[QUEUES];
    struct slot *slot[QUEUES]; /* one for each of the queue's */
    uint64_t slots[QUEUES];    /* of the machine: where they are */
    struct lost {              /* sent to a broken card */
        uint32_t cookie[SLOTS];
        unsigned n;
        bool running;
    } lost;
};

static struct card *the_card;

/* -- to the wire ---------------------------------------------------------------------------- */

static bool send(struct netdev *nd, const struct netdev_packet *p)
{
    struct card *c = nd->driver;
    struct virtq *q = &c->queue[TX];
    struct virtq_request r;
    struct slot *s;

    if (!virtq_begin(q, &r, 1 + p->segments)) {
        if (!c->virtio.broken || c->lost.n == SLOTS)
            return false;
        c->lost.cookie[c->lost.n++] = p->cookie;
        return true;
    }
    s = &c->slot[TX][r.head];
    s->cookie = p->cookie;
    s->header = (struct net_header){0};
    if (p->csum_start | p->csum_offset) {
        s->header.flags = NEEDS_CSUM;
        s->header.csum_start = p->csum_start;
        s->header.csum_offset = p->csum_offset;
    }
    __builtin_memcpy(s->packet, p->header, p->header_length);
    virtq_out(q, &r, c->slots[TX] + r.head * sizeof(*s),
              (uint32_t)sizeof(s->header) + p->header_length);
    for (unsigned i = 0; i < p->segments; i++)
        virtq_out(q, &r, p->segment[i].maddr, p->segment[i].length);
    virtq_end(q, &r, s);
    return true;
}

static void sent(struct virtq *q, void *cookie, long written)
{
    (void)q;
    (void)written;
    netdev_sent(&the_card->dev, ((struct slot *)cookie)->cookie);
}

/* What was sent to a broken card is over; that may bring more of it. */
static void lose(struct card *c)
{
    if (c->lost.running || !c->lost.n)
        return;
    c->lost.running = true;
    while (c->lost.n) {
        netdev_sent(&c->dev, c->lost.cookie[--c->lost.n]);
        if (!c->lost.n)
            netdev_batch_end(&c->dev);
    }
    c->lost.running = false;
}

/* -- from the wire ------------------------------------------------------------------------------
 */

static bool supply(struct netdev *nd, mfn_t page)
{
    struct card *c = nd->driver;
    struct virtq *q = &c->queue[RX];
    struct virtq_request r;
    struct slot *s;

    if (!virtq_begin(q, &r, 2))
        return false;
    s = &c->slot[RX][r.head];
    s->page = page;
    virtq_in(q, &r, c->slots[RX] + r.head * sizeof(*s), sizeof(s->header));
    virtq_in(q, &r, page.n << PV_PAGE_SHIFT, PV_PAGE_SIZE);
    virtq_end(q, &r, s);
    return true;
}

static void received(struct virtq *q, void *cookie, long written)
{
    struct card *c = the_card;
    struct slot *s = cookie;
    long length = written - (long)sizeof(s->header);
    uint8_t said = *(volatile uint8_t *)&s->header.flags;
    unsigned flags = 0;

    (void)q;
    if (c->dev.features & NETDEV_GUEST_CSUM)
        flags =
            (said & DATA_VALID ? NETDEV_RX_VALID : 0) | (said & NEEDS_CSUM ? NETDEV_RX_BLANK : 0);
    netdev_received(&c->dev, s->page, 0, length > 0 ? (unsigned)length : 0, flags);
}

/* -- both ---------------------------------------------------------------------------------------
 */

static void kick(struct netdev *nd)
{
    struct card *c = nd->driver;

    virtq_kick(&c->queue[RX]);
    virtq_kick(&c->queue[TX]);
    lose(c);
}

static void batch_ended(struct virtq *q)
{
    (void)q;
    netdev_batch_end(&the_card->dev);
}

static const struct netdev_ops ops = {.send = send, .supply = supply, .kick = kick};

static bool queue_make(struct card *c, unsigned n, unsigned segments,
                       void (*done)(struct virtq *, void *, long))
{
    struct virtq *q = &c->queue[n];

    if (!virtq_init(q, &c->virtio, n, SLOTS, segments, done))
        return false;
    c->slot[n] = heap_alloc(q->size * sizeof(struct slot));
    if (c->slot[n] == NULL || q->max_segments < segments) {
        virtio_fail(&c->virtio, "there is no memory for it, or its queues are too short");
        return false;
    }
    c->slots[n] = plat_maddr(c->slot[n]);
    return true;
}

/* What the card says of itself; false: nonsense. */
static bool describe(struct card *c)
{
    static const uint8_t ours[6] = {0x02, 'p', 'v', 0, 0, 1};
    uint64_t features = c->virtio.features;
    struct netdev *nd = &c->dev;

    nd->mtu = MTU;
    __builtin_memcpy(nd->mac, ours, 6);
    if (features & F_MAC)
        virtio_config_read(&c->virtio, CONFIG_MAC, nd->mac, 6);
    if (features & F_MTU)
        virtio_config_read(&c->virtio, CONFIG_MTU, &nd->mtu, 2);
    if (nd->mtu > MTU)
        nd->mtu = MTU;
    nd->features = (features & F_CSUM ? (unsigned)NETDEV_CSUM : 0) |
                   (features & F_GUEST_CSUM ? (unsigned)NETDEV_GUEST_CSUM : 0);
    nd->rx_slots = c->queue[RX].size;
    return nd->mtu >= MTU_LEAST && !(nd->mac[0] & 1) && !c->virtio.broken;
}

void virtio_net_start(const struct pci_device *p)
{
    struct card *c = the_card ? NULL : heap_alloc(sizeof(*c));

    if (c == NULL) {
        hv_log("pci %s: a network card, but there is %s\n", pci_name(p),
               the_card ? "one already" : "no memory for it");
        return;
    }
    c->dev = (struct netdev){.ops = &ops, .name = "net0", .driver = c};
    if (!virtio_open(&c->virtio, p, c->dev.name, F_CSUM | F_GUEST_CSUM | F_MTU | F_MAC) ||
        !queue_make(c, RX, 2, received) || !queue_make(c, TX, 1 + NETDEV_SEGMENTS, sent))
        return;
    if (!describe(c)) {
        virtio_fail(&c->virtio, "it describes itself with nonsense");
        return;
    }
    the_card = c;
    c->queue[RX].batch_done = c->queue[TX].batch_done = batch_ended;
    virtio_ready(&c->virtio);
    hv_log("%s: virtio network card at pci %s, %02x:%02x:%02x:%02x:%02x:%02x, mtu %u\n",
           c->dev.name, pci_name(p), c->dev.mac[0], c->dev.mac[1], c->dev.mac[2], c->dev.mac[3],
           c->dev.mac[4], c->dev.mac[5], c->dev.mtu);
    netdev_attach(&c->dev);
}
