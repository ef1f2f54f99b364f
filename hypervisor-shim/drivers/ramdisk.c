/* SPDX-License-Identifier: MIT
 *
 * ramdisk.c - a disk that is memory: a boot module, so that a machine without a disk (or a
 * GRUB ISO) has one. What is written to it is gone when the machine is.
 */
#include "ramdisk.h"
#include "bio_list.h"
#include "../backend/partition.h"
#include "../core/domain.h"
#include "../core/heap.h"
#include "../core/platform.h"
#include "../core/text.h"

struct ramdisk {
    struct blockdev dev;
    uint8_t *memory;
    struct bio_list list;
};

/* What the processor has moved is counted with whose it is; he may be gone. */
static void count(const struct bio *b)
{
    struct domain *d = domain_by_id(b->owner);

    if (d != NULL && (b->op == BIO_READ || b->op == BIO_WRITE))
        d->disk.copied += b->sectors << SECTOR_SHIFT;
}

static bool perform(struct blockdev *dev, const struct bio *b)
{
    const struct ramdisk *r = dev->driver;
    uint8_t *at = r->memory + (b->sector << SECTOR_SHIFT);

    for (unsigned i = 0; i < b->segments && (b->op == BIO_READ || b->op == BIO_WRITE); i++) {
        uint8_t *page = plat_ram + b->segment[i].address;

        if (b->op == BIO_READ)
            __builtin_memcpy(page, at, b->segment[i].bytes);
        else
            __builtin_memcpy(at, page, b->segment[i].bytes);
        at += b->segment[i].bytes;
    }
    count(b);
    return true;
}

static bool submit(struct blockdev *dev, struct bio *b)
{
    bio_list_add(&((struct ramdisk *)dev->driver)->list, b);
    return true;
}

static void kick(struct blockdev *dev)
{
    bio_list_run(&((struct ramdisk *)dev->driver)->list, dev, perform);
}

static const struct blockdev_ops ops = {.submit = submit, .kick = kick};

bool ramdisk_add(void *memory, uint64_t bytes)
{
    static unsigned count;
    struct ramdisk *r = heap_alloc(sizeof(*r));

    if (r == NULL || bytes < SECTOR_SIZE)
        return false;
    r->memory = memory;
    r->dev = (struct blockdev){.ops = &ops,
                               .driver = r,
                               .sectors = bytes >> SECTOR_SHIFT,
                               .sector_size = SECTOR_SIZE,
                               .max_segments = UINT16_MAX};
    text_format(r->dev.name, sizeof(r->dev.name), "ram%u", count++);
    if (!blockdev_register(&r->dev))
        return false;
    hv_log("%s: disk in memory, %lu KiB\n", r->dev.name, r->dev.sectors / 2);
    partition_scan(&r->dev);
    return true;
}
