/* SPDX-License-Identifier: MIT
 *
 * partition.c - what its header declares.
 *
 * The disk's first 20 KiB are read, a page at a time: MBR, GPT's header and its usual 128 entries
 * of 128 bytes, with sectors of 512 or 4096 bytes. Nothing outside of that is looked at.
 */
#include "partition.h"
#include "../core/device.h"
#include "../core/domain.h"
#include "../core/heap.h"
#include "../core/platform.h"

enum { AREA = 5 * PV_PAGE_SIZE };

static struct table {
    struct blockdev *dev;
    uint8_t *area; /* while it is being read */
    uint32_t size, filled;
    struct bio bio;
    struct bio_segment segment;
    struct {
        uint64_t first, sectors;
    } part[PARTITIONS];
} tables[BLOCKDEVS];

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;

    __builtin_memcpy(&v, p, 4);
    return v;
}

static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static void set(struct table *t, unsigned n, uint64_t first, uint64_t sectors)
{
    uint64_t all = t->dev->sectors;

    if (n < PARTITIONS && first > 0 && first < all && sectors > 0 && sectors <= all - first) {
        t->part[n].first = first;
        t->part[n].sectors = sectors;
    }
}

/* GPT with sectors of `unit` bytes. */
static void parse_gpt(struct table *t, uint32_t unit)
{
    static const uint8_t none[16];
    const uint8_t *h = t->area + unit;
    uint64_t at, entries, scale = unit >> SECTOR_SHIFT;
    uint32_t size;

    if (t->filled < 2 * unit || __builtin_memcmp(h, "EFI PART", 8) != 0)
        return;
    at = get64(h + 72);
    entries = get32(h + 80);
    size = get32(h + 84);
    if (at >= AREA / unit || size < 128 || size > PV_PAGE_SIZE)
        return;
    at *= unit;
    for (unsigned n = 0; n < entries && n < PARTITIONS && at + size <= t->filled; n++, at += size) {
        const uint8_t *e = t->area + at;
        uint64_t first = get64(e + 32), last = get64(e + 40);

        if (__builtin_memcmp(e, none, 16) != 0 && first <= last && last < UINT64_MAX / PV_PAGE_SIZE)
            set(t, n, first * scale, (last - first + 1) * scale);
    }
}

static bool is_extended(uint8_t type)
{
    return type == 0x05 || type == 0x0f || type == 0x85;
}

static void parse(struct table *t)
{
    uint64_t scale = t->dev->sector_size >> SECTOR_SHIFT;

    if (t->filled < SECTOR_SIZE || t->area[510] != 0x55 || t->area[511] != 0xaa)
        return;
    for (unsigned n = 0; n < 4; n++) {
        const uint8_t *e = t->area + 446 + 16 * n;

        if (e[4] == 0xee) {
            __builtin_memset(t->part, 0, sizeof(t->part));
            parse_gpt(t, SECTOR_SIZE);
            parse_gpt(t, PV_PAGE_SIZE);
            return;
        }
        if (e[4] != 0 && !is_extended(e[4]))
            set(t, n, get32(e + 8) * scale, get32(e + 12) * scale);
    }
}

static void read_next(struct table *t);

static void page_read(struct bio *b, bool ok)
{
    struct table *t = (struct table *)((uint8_t *)b - offsetof(struct table, bio));

    if (ok)
        t->filled += t->segment.bytes;
    else
        t->size = t->filled;
    if (t->filled < t->size) {
        read_next(t);
        return;
    }
    parse(t);
    heap_free(t->area, AREA);
    t->area = NULL;
}

static void read_next(struct table *t)
{
    uint32_t left = t->size - t->filled;

    t->segment.address = plat_maddr(t->area + t->filled);
    t->segment.bytes = left < PV_PAGE_SIZE ? left : PV_PAGE_SIZE;
    t->bio = (struct bio){.op = BIO_READ,
                          .segments = 1,
                          .segment = &t->segment,
                          .sector = t->filled >> SECTOR_SHIFT,
                          .sectors = t->segment.bytes >> SECTOR_SHIFT,
                          .done = page_read};
    if (!t->dev->ops->submit(t->dev, &t->bio)) {
        page_read(&t->bio, false);
        return;
    }
    t->dev->ops->kick(t->dev);
}

static struct table *table_of(const struct blockdev *dev)
{
    for (unsigned i = 0; i < BLOCKDEVS; i++)
        if (tables[i].dev == dev)
            return &tables[i];
    return NULL;
}

void partition_scan(struct blockdev *dev)
{
    struct table *t = table_of(dev);

    if (t == NULL)
        t = table_of(NULL);
    if (t == NULL || t->area)
        return;
    *t = (struct table){.dev = dev, .area = heap_alloc(AREA)};
    t->size = dev->sectors < AREA >> SECTOR_SHIFT ? (uint32_t)dev->sectors << SECTOR_SHIFT : AREA;
    if (t->area)
        read_next(t);
}

bool partition_find(struct blockdev *dev, unsigned number, uint64_t *first, uint64_t *sectors)
{
    struct table *t = table_of(dev);

    if (t == NULL || t->area || number - 1 >= PARTITIONS || t->part[number - 1].sectors == 0)
        return false;
    *first = t->part[number - 1].first;
    *sectors = t->part[number - 1].sectors;
    return true;
}

void partition_wait(struct blockdev *dev)
{
    struct table *t = table_of(dev);

    while (t && t->area) {
        plat_idle();
        device_work();
    }
}
