/* SPDX-License-Identifier: MIT
 *
 * virtio_blk.c - disks: a bio becomes a virtio-blk request, its segments as they are.
 *
 *   header (type, sector) │ the bio's segments │ status
 *        ours, read           the guests'          ours, written
 *
 * Invariants: a request belongs to one bio from submit() to its end; nothing is copied; what the
 * device wrote is its data and one status byte, which is read once. When the device broke, whatever
 * is submitted ends with an error at the next kick().
 */
#include "drivers.h"
#include "bio_list.h"
#include "virtio.h"
#include "../backend/partition.h"
#include "../core/domain.h"
#include "../core/heap.h"
#include "../core/platform.h"
#include "../core/text.h"

enum {
    F_SEG_MAX = 1 << 2,
    F_RO = 1 << 5,
    F_BLK_SIZE = 1 << 6,
    F_FLUSH = 1 << 9,
    F_DISCARD = 1 << 13
};
enum { CONFIG_CAPACITY = 0, CONFIG_SEG_MAX = 12, CONFIG_BLK_SIZE = 20, CONFIG_DISCARD_MAX = 36 };
enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4, TYPE_DISCARD = 11 };
enum { STATUS_OK = 0, STATUS_NONE = 0xff };
enum { DEPTH = 64, SEGMENTS = 64 }; /* bios at a time; of one request, with header and status */

/* One for each slot of the queue. */
struct request {
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    struct {
        uint64_t sector;
        uint32_t sectors, flags;
    } range; /* BIO_DISCARD's data */
    struct bio *bio;
    uint64_t left; /* BIO_DISCARD: sectors that are not yet in any request */
    uint8_t status;
} __attribute__((aligned(64)));

struct disk_driver {
    struct blockdev dev;
    struct virtio virtio;
    struct virtq queue;
    uint32_t discard_max;
    struct bio_list refused;
    uint64_t requests; /* of the machine: where request[] is */
    struct request request[DEPTH];
};

/* A request under construction: for the device, and for us. */
struct draft {
    struct virtq_request v;
    struct request *r;
    uint64_t at; /* r, for the device */
};

/* The header before, the status behind: what is ours of a request of n segments. False: no room. */
VIRTQ_INLINE bool begin(struct disk_driver *k, struct draft *d, struct bio *b, unsigned n,
                        uint32_t type, uint64_t sector)
{
    if (!virtq_begin(&k->queue, &d->v, n + 2))
        return false;
    d->r = &k->request[d->v.head];
    d->at = k->requests + d->v.head * sizeof(*d->r);
    d->r->header.type = type;
    d->r->header.sector = sector;
    d->r->bio = b;
    d->r->status = STATUS_NONE;
    virtq_out(&k->queue, &d->v, d->at, sizeof(d->r->header));
    return true;
}

VIRTQ_INLINE void end(struct disk_driver *k, struct draft *d)
{
    virtq_in(&k->queue, &d->v, d->at + offsetof(struct request, status), 1);
    virtq_end(&k->queue, &d->v, d->r);
}

/* The next piece of a discard, `left` sectors before its end, as long as the device allows. */
static bool add_discard(struct disk_driver *k, struct bio *b, uint64_t left)
{
    uint32_t n = left < k->discard_max ? (uint32_t)left : k->discard_max;
    struct draft d;

    if (!begin(k, &d, b, 1, TYPE_DISCARD, 0))
        return false;
    d.r->range.sector = b->sector + b->sectors - left;
    d.r->range.sectors = n;
    d.r->range.flags = 0;
    d.r->left = left - n;
    virtq_out(&k->queue, &d.v, d.at + offsetof(struct request, range), sizeof(d.r->range));
    end(k, &d);
    return true;
}

static bool add_read(struct disk_driver *k, struct bio *b)
{
    struct draft d;

    if (!begin(k, &d, b, b->segments, TYPE_IN, b->sector))
        return false;
    for (unsigned i = 0; i < b->segments; i++)
        virtq_in(&k->queue, &d.v, b->segment[i].address, b->segment[i].bytes);
    end(k, &d);
    return true;
}

static bool add_write(struct disk_driver *k, struct bio *b)
{
    struct draft d;

    if (!begin(k, &d, b, b->segments, TYPE_OUT, b->sector))
        return false;
    for (unsigned i = 0; i < b->segments; i++)
        virtq_out(&k->queue, &d.v, b->segment[i].address, b->segment[i].bytes);
    end(k, &d);
    return true;
}

static bool add_flush(struct disk_driver *k, struct bio *b)
{
    struct draft d;

    if (!begin(k, &d, b, 0, TYPE_FLUSH, 0))
        return false;
    end(k, &d);
    return true;
}

static bool add(struct disk_driver *k, struct bio *b)
{
    switch (b->op) {
    case BIO_READ:
        return add_read(k, b);
    case BIO_WRITE:
        return add_write(k, b);
    case BIO_FLUSH:
        return add_flush(k, b);
    default:
        return add_discard(k, b, b->sectors);
    }
}

static bool submit(struct blockdev *dev, struct bio *b)
{
    struct disk_driver *k = dev->driver;

    if (likely(add(k, b)))
        return true;
    if (k->virtio.broken)
        bio_list_add(&k->refused, b);
    return k->virtio.broken;
}

static bool refuse_bio(struct blockdev *dev, const struct bio *b)
{
    (void)dev;
    (void)b;
    return false;
}

static void kick(struct blockdev *dev)
{
    struct disk_driver *k = dev->driver;

    virtq_kick(&k->queue);
    bio_list_run(&k->refused, dev, refuse_bio);
}

static void ended(struct virtq *q, void *cookie, long written)
{
    struct disk_driver *k =
        (struct disk_driver *)((uint8_t *)q - offsetof(struct disk_driver, queue));
    struct request *r = cookie;
    struct bio *b = r->bio;
    bool ok = written >= 0 && *(volatile uint8_t *)&r->status == STATUS_OK;

    if (ok && b->op == BIO_DISCARD && r->left > 0) {
        ok = add_discard(k, b, r->left); /* for which there is room: this one's */
        if (ok) {
            virtq_kick(q);
            return;
        }
    }
    b->done(b, ok);
}

static void batch_ended(struct virtq *q)
{
    blockdev_completed(
        &((struct disk_driver *)((uint8_t *)q - offsetof(struct disk_driver, queue)))->dev);
}

static const struct blockdev_ops ops = {.submit = submit, .kick = kick};

/* What the device says of itself; false: nonsense. */
static bool describe(struct disk_driver *k)
{
    struct blockdev *dev = &k->dev;
    uint64_t features = k->virtio.features;
    uint32_t segments = SEGMENTS - 2;

    dev->sector_size = SECTOR_SIZE;
    virtio_config_read(&k->virtio, CONFIG_CAPACITY, &dev->sectors, 8);
    if (features & F_BLK_SIZE)
        virtio_config_read(&k->virtio, CONFIG_BLK_SIZE, &dev->sector_size, 4);
    if (features & F_SEG_MAX)
        virtio_config_read(&k->virtio, CONFIG_SEG_MAX, &segments, 4);
    if (features & F_DISCARD)
        virtio_config_read(&k->virtio, CONFIG_DISCARD_MAX, &k->discard_max, 4);
    if (segments > k->queue.max_segments - 2u)
        segments = k->queue.max_segments - 2u;
    dev->max_segments = (uint16_t)segments;
    dev->depth = k->queue.size < DEPTH ? k->queue.size : DEPTH;
    dev->readonly = features & F_RO;
    dev->can_flush = features & F_FLUSH;
    dev->can_discard = k->discard_max > 0 && !dev->readonly;
    return segments > 0 && dev->sectors > 0 && dev->sector_size >= SECTOR_SIZE &&
           dev->sector_size <= PV_PAGE_SIZE && (dev->sector_size & (dev->sector_size - 1)) == 0 &&
           !k->virtio.broken;
}

void virtio_blk_start(const struct pci_device *p)
{
    static unsigned count;
    struct disk_driver *k = heap_alloc(sizeof(*k));
    const char *why = "there is no memory for it";

    if (k == NULL) {
        hv_log("pci %s: a disk, but %s\n", pci_name(p), why);
        return;
    }
    text_format(k->dev.name, sizeof(k->dev.name), "vd%c", 'a' + count);
    k->dev.ops = &ops;
    k->dev.driver = k;
    k->requests = plat_maddr(k->request);
    if (!virtio_open(&k->virtio, p, k->dev.name,
                     F_SEG_MAX | F_RO | F_BLK_SIZE | F_FLUSH | F_DISCARD) ||
        !virtq_init(&k->queue, &k->virtio, 0, DEPTH, SEGMENTS, ended))
        return; /* which virtio.c has said */
    if (!describe(k)) {
        virtio_fail(&k->virtio, "it describes itself with nonsense");
        return;
    }
    virtio_ready(&k->virtio);
    count++;
    hv_log("%s: virtio disk at pci %s, %lu KiB%s\n", k->dev.name, pci_name(p), k->dev.sectors / 2,
           k->dev.readonly ? ", read-only" : "");
    if (!blockdev_register(&k->dev)) {
        virtio_fail(&k->virtio, "it takes too few segments, or there are too many disks");
        return;
    }
    k->queue.batch_done = batch_ended;
    partition_scan(&k->dev);
}
