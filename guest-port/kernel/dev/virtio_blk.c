/* SPDX-License-Identifier: MIT */
/*
 * virtio_blk.c - disks: /dev/vda, vdb ...
 *
 * A bio is one request: header, the bio's pieces, status byte. What the queue has no room for waits
 * in a list; the handler sends more when requests complete. So a bio may only wait while others are
 * under way: requests are made with the disk, for writing pages out must not need memory.
 */
#include "block.h"
#include "devnum.h"
#include "errno.h"
#include "initcall.h"
#include "printk.h"
#include "slab.h"
#include "string.h"
#include "virtio.h"

#define F_RO    (1UL << 5)
#define F_FLUSH (1UL << 9)

#define T_IN    0
#define T_OUT   1
#define T_FLUSH 4

#define QUEUE_SIZE   128
#define MAX_REQUESTS (QUEUE_SIZE / 2) /* each takes two descriptors at least */
#define MAX_SG       (BIO_INLINE_VECS + 64)

struct request {
    u32 type, reserved;
    u64 sector;
    u8 status;
    bool flush_after; /* fua: the write is followed by a flush */
    struct bio *bio;
    struct request *next; /* while it is free */
};

struct disk {
    struct block_device bd;
    struct virtio_dev dev;
    struct virtq q;
    struct request *free;
    struct list waiting; /* bios that had no room */
};

static unsigned disk_count;

static void request_free(struct disk *k, struct request *r)
{
    r->next = k->free;
    k->free = r;
}

static int send(struct disk *k, struct bio *b)
{
    struct virtq_sg sg[MAX_SG + 2];
    struct request *r = k->free;
    unsigned n = 0;
    int err;

    if (!r)
        return -ENOSPC;
    k->free = r->next;
    *r = (struct request){.type = b->op == BIO_READ    ? T_IN
                                  : b->op == BIO_WRITE ? T_OUT
                                                       : T_FLUSH,
                          .sector = b->op == BIO_FLUSH ? 0 : b->sector,
                          .status = 0xff,
                          .flush_after = b->op == BIO_WRITE && b->fua && k->bd.write_cache,
                          .bio = b};
    sg[n++] = (struct virtq_sg){virt_phys(r), 16};
    for (u32 v = 0; v < b->cnt; v++)
        sg[n++] = (struct virtq_sg){page_phys(b->vecs[v].page) + b->vecs[v].offset, b->vecs[v].len};
    sg[n++] = (struct virtq_sg){virt_phys(&r->status), 1};
    err = virtq_add(&k->q, sg, b->op == BIO_READ ? 1 : n - 1, b->op == BIO_READ ? n - 1 : 1, r);
    if (err)
        request_free(k, r);
    return err;
}

static void send_waiting(struct disk *k)
{
    while (!list_empty(&k->waiting)) {
        struct bio *b = list_first(&k->waiting, struct bio, link);

        if (send(k, b))
            break;
        list_del(&b->link);
    }
    virtq_kick(&k->q);
}

static void submit(struct block_device *bd, struct bio *b)
{
    struct disk *k = bd->driver;
    u64 f;

    if (b->cnt > MAX_SG || b->cnt + 2 > k->q.size) { /* would wait for ever */
        bio_done(b, -EINVAL);
        return;
    }
    f = irq_save();
    list_add_tail(&k->waiting, &b->link);
    send_waiting(k);
    irq_restore(f);
}

static void finished(struct disk *k, struct request *r)
{
    struct bio *b = r->bio;
    int err = r->status == 0 ? 0 : r->status == 2 ? -EOPNOTSUPP : -EIO;
    bool flush = r->flush_after && !err;

    request_free(k, r);
    if (flush) { /* goes around once more, as a flush */
        b->op = BIO_FLUSH;
        b->cnt = 0;
        list_add(&k->waiting, &b->link);
        return;
    }
    if (err)
        printk("%s: error of the disk at sector %llu\n", k->bd.name, (unsigned long long)b->sector);
    bio_done(b, err);
}

static void interrupt(void *arg)
{
    struct disk *k = arg;
    struct request *r;
    u32 len;

    while ((r = virtq_get(&k->q, &len)))
        finished(k, r);
    send_waiting(k);
}

static const struct block_ops ops = {.submit = submit};

static bool match(const struct pci_dev *d)
{
    return virtio_match(d, VIRTIO_BLK_ID);
}

static int probe(struct pci_dev *d)
{
    struct disk *k = kzalloc(sizeof(*k), GFP_KERNEL);
    struct request *r = kzalloc(sizeof(*r) * MAX_REQUESTS, GFP_KERNEL);
    int err;

    if (!k || !r) {
        kfree(r);
        kfree(k);
        return -ENOMEM;
    }
    list_init(&k->waiting);
    for (unsigned i = 0; i < MAX_REQUESTS; i++)
        request_free(k, &r[i]);
    err = virtio_start(&k->dev, d, F_RO | F_FLUSH);
    if (!err)
        err = virtq_init(&k->q, &k->dev, 0, QUEUE_SIZE, interrupt, k);
    if (err) {
        kfree(r);
        kfree(k);
        return err;
    }
    virtio_ready(&k->dev);
    virtio_config(&k->dev, 0, &k->bd.sectors, 8);
    snprintf(k->bd.name, sizeof(k->bd.name), "vd%c", 'a' + disk_count);
    k->bd.dev = MKDEV(MAJOR_VBLK, disk_count * 16);
    k->bd.read_only = k->dev.features & F_RO;
    k->bd.write_cache = k->dev.features & F_FLUSH;
    k->bd.ops = &ops;
    k->bd.driver = k;
    disk_count++;
    return block_register(&k->bd);
}

static struct pci_driver driver = {.name = "virtio-blk", .match = match, .probe = probe};

static int virtio_blk_init(void)
{
    return pci_driver_register(&driver);
}
device_initcall(virtio_blk_init);
