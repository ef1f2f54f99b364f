/* SPDX-License-Identifier: MIT */
/*
 * virtio_net.c - network cards on virtio (modern, PCI): eth0, eth1 ...
 *
 * One receive queue with RX_BUFFERS pages in it, one transmit queue with as many frame buffers. The
 * receive handler queues a work item, which hands frames to the stack and gives the pages back.
 * Transmission copies the frame into a buffer of its own, so the stack may free its memory at once;
 * finished buffers are collected with the next frame.
 *
 * Invariant: a buffer is the device's from virtq_add until virtq_get returns it, and its contents
 * are looked at only afterwards, within the length that fits it.
 */
#include "errno.h"
#include "initcall.h"
#include "netdev.h"
#include "page.h"
#include "printk.h"
#include "slab.h"
#include "string.h"
#include "uaccess.h"
#include "virtio.h"

#define F_MAC      (1UL << 5)
#define RX_BUFFERS 64
#define TX_BUFFERS 64
#define FRAME_MAX  1514u

struct net_header {
    u8 flags, gso_type;
    u16 hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};
_Static_assert(sizeof(struct net_header) == 12, "virtio_net_hdr");

struct buffer {
    struct net_header header;
    u8 frame[2048 - sizeof(struct net_header)];
};

struct card {
    struct netdev net;
    struct virtio_dev dev;
    struct virtq rx, tx;
    struct work work;
    struct buffer *free_tx[TX_BUFFERS];
    unsigned free_count;
};

static void give_rx(struct card *c, struct buffer *b)
{
    struct virtq_sg sg = {virt_phys(b), sizeof(*b)};

    if (virtq_add(&c->rx, &sg, 0, 1, b))
        kfree(b);
}

static void on_receive(void *arg)
{
    work_queue(&((struct card *)arg)->work);
}

static void on_sent(void *arg)
{
    /* collected by the next transmit */
}

static void receive(struct work *w)
{
    struct card *c = container_of(w, struct card, work);

    for (;;) {
        u32 len = 0;
        u64 flags = irq_save();
        struct buffer *b = virtq_get(&c->rx, &len);

        irq_restore(flags);
        if (!b)
            break;
        if (len > sizeof(b->header) && len <= sizeof(*b))
            netdev_receive(&c->net, b->frame, len - sizeof(b->header));
        flags = irq_save();
        give_rx(c, b);
        irq_restore(flags);
    }
    u64 flags = irq_save();
    virtq_kick(&c->rx);
    irq_restore(flags);
}

static void collect_tx(struct card *c)
{
    struct buffer *b;
    u32 len;

    while ((b = virtq_get(&c->tx, &len)) != NULL && c->free_count < TX_BUFFERS)
        c->free_tx[c->free_count++] = b;
}

static int transmit(struct netdev *d, const struct iovec *pieces, unsigned n)
{
    struct card *c = d->driver;
    struct buffer *b;
    u32 len = 0;
    u64 flags = irq_save();

    collect_tx(c);
    b = c->free_count > 0 ? c->free_tx[--c->free_count] : NULL;
    irq_restore(flags);
    if (!b)
        return -ENOBUFS;
    memset(&b->header, 0, sizeof(b->header));
    for (unsigned i = 0; i < n; i++) {
        u32 part = (u32)MIN(pieces[i].len, (size_t)(FRAME_MAX - len));

        memcpy(b->frame + len, pieces[i].base, part);
        len += part;
    }
    struct virtq_sg sg = {virt_phys(b), (u32)sizeof(b->header) + len};
    flags = irq_save();
    int r = virtq_add(&c->tx, &sg, 1, 0, b);
    if (r)
        c->free_tx[c->free_count++] = b;
    else
        virtq_kick(&c->tx);
    irq_restore(flags);
    return r ? -ENOBUFS : 0;
}

static int fill_queues(struct card *c)
{
    for (int i = 0; i < RX_BUFFERS; i++) {
        struct buffer *b = kmalloc(sizeof(*b), GFP_KERNEL);

        if (!b)
            return i > 0 ? 0 : -ENOMEM;
        give_rx(c, b);
    }
    for (int i = 0; i < TX_BUFFERS; i++) {
        struct buffer *b = kmalloc(sizeof(*b), GFP_KERNEL);

        if (!b)
            break;
        c->free_tx[c->free_count++] = b;
    }
    return c->free_count > 0 ? 0 : -ENOMEM;
}

static bool match(const struct pci_dev *d)
{
    return virtio_match(d, VIRTIO_NET_ID);
}

static int start(struct card *c, struct pci_dev *d)
{
    int r = virtio_start(&c->dev, d, F_MAC);

    if (r)
        return r;
    virtio_config(&c->dev, 0, c->net.mac, 6);
    r = virtq_init(&c->rx, &c->dev, 0, RX_BUFFERS, on_receive, c);
    if (!r)
        r = virtq_init(&c->tx, &c->dev, 1, TX_BUFFERS, on_sent, c);
    if (!r)
        r = fill_queues(c);
    if (r)
        return r;
    virtio_ready(&c->dev);
    u64 flags = irq_save();
    virtq_kick(&c->rx);
    irq_restore(flags);
    return netdev_register(&c->net);
}

static int probe(struct pci_dev *d)
{
    struct card *c = kzalloc(sizeof(*c), GFP_KERNEL);
    int r;

    if (!c)
        return -ENOMEM;
    c->net.mtu = 1500;
    c->net.link = true;
    c->net.transmit = transmit;
    c->net.driver = c;
    work_init(&c->work, receive);
    r = start(c, d);
    if (r) {
        /* The device may know our buffers: a card that failed half-way keeps its memory. */
        printk("virtio-net: card does not start (%d)\n", r);
        return r;
    }
    d->driver = c;
    printk("%s: %02x:%02x:%02x:%02x:%02x:%02x\n", c->net.name, c->net.mac[0], c->net.mac[1],
           c->net.mac[2], c->net.mac[3], c->net.mac[4], c->net.mac[5]);
    return 0;
}

static struct pci_driver driver = {.name = "virtio-net", .match = match, .probe = probe};

static int virtio_net_init(void)
{
    return pci_driver_register(&driver);
}
device_initcall(virtio_net_init);
