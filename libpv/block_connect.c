/* SPDX-License-Identifier: MIT */
/*
 * block_connect.c - how a disk's front-end meets its back-end, and how they part. What they do in
 * between is block.c's.
 *
 *     we write   ring-ref, event-channel, protocol             (publish)
 *     we read    sectors, sector-size, info, feature-*         (connect)
 *
 * What the back-end says of the disk is a claim: numbers that no disk has refuse the connection.
 */
#include <pv/block.h>
#include <pv/abi/errno.h>
#include <pv/console.h>
#include <pv/event.h>
#include <pv/grant.h>
#include <pv/host.h>
#include <pv/sched.h>
#include <pv/time.h>
#include "internal.h"

#define DRAIN 5000000000ull /* ns that requests have to end when a disk is closed */
#define NAP   10000000ull

static void on_event(uint32_t port, void *arg, struct pv_regs *regs)
{
    (void)port, (void)regs;
    pv_block_poll(arg);
}

/* A page that the back-end still has is lost to us: it must not be used for anything else. */
static void take_back(pfn_t *frame, xen_grant_ref_t ref)
{
    if (pfn_valid(*frame) && pv_grant_end(ref) == 0)
        pv_host_page_free(*frame);
    *frame = PV_PFN_INVALID;
}

static void release(struct pv_block *d)
{
    take_back(&d->page, d->page_ref);
    for (unsigned i = 0; i < PV_BLOCK_INFLIGHT; i++)
        take_back(&d->flight[i].table, d->flight[i].table_ref);
    if (d->port)
        pv_event_close(d->port);
    d->port = 0;
}

/* Ring, grant and port, when the back-end's domain is known. */
static int prepare(struct pv_block *d)
{
    struct pv_blkif_ring *ring;
    int err;

    d->page = pv_host_page_alloc();
    if (!pfn_valid(d->page))
        return -XEN_ENOMEM;
    err = pv_grant_publish(d->bus.peer, d->page, false, &d->page_ref);
    if (err) {
        pv_host_page_free(d->page);
        d->page = PV_PFN_INVALID;
        return err;
    }
    ring = pv_host_page_va(d->page);
    __builtin_memset(ring, 0, PV_PAGE_SIZE);
    pv_blkif_ring_init(ring);
    pv_blkif_front_init(&d->ring, ring, PV_PAGE_SIZE);
    pv_ring_ids_init(&d->ids, PV_BLOCK_INFLIGHT);
    err = pv_event_alloc_unbound(d->bus.peer, &d->port);
    if (!err)
        err = pv_event_handle(d->port, on_event, d);
    return err;
}

/* Repeated when the store's transaction is. */
static int publish_ring(struct pv_xenbus *bus, uint32_t tx)
{
    struct pv_block *d = (struct pv_block *)bus;
    int err = d->port ? 0 : prepare(d);

    if (!err)
        err = pv_xenstore_printf(tx, bus->front, "ring-ref", "%u", d->page_ref);
    if (!err)
        err = pv_xenstore_printf(tx, bus->front, "event-channel", "%u", d->port);
    if (!err)
        err = pv_xenstore_printf(tx, bus->front, "protocol", "%s", "x86_64-abi");
    return err;
}

/* xvda .. xvdp have 16 numbers each from 202 << 8, xvdq and later 256 each from 1 << 28: the whole
 * disk, and then its partitions. */
void pv_block_name(struct pv_block_info *info, uint32_t id)
{
    uint32_t disk = id >> 28 ? (id & 0xfffffff) >> 8 : (id & 0xff) >> 4;
    uint32_t part = id & (id >> 28 ? 0xff : 0xf);

    if ((id >> 28 != 1 && id >> 8 != 202) || disk >= 26)
        pv_format(info->name, sizeof(info->name), "vbd%u", id);
    else if (part)
        pv_format(info->name, sizeof(info->name), "xvd%c%u", (int)('a' + disk), part);
    else
        pv_format(info->name, sizeof(info->name), "xvd%c", (int)('a' + disk));
}

static bool power_of_two(uint64_t n, uint64_t least, uint64_t most)
{
    return n >= least && n <= most && !(n & (n - 1));
}

static int read_offer(struct pv_xenbus *bus)
{
    struct pv_block *d = (struct pv_block *)bus;
    struct pv_block_info *i = &d->info;
    uint64_t info = pv_xenbus_offer(bus, "info", 0);
    uint64_t sector = pv_xenbus_offer(bus, "sector-size", PV_BLOCK_SECTOR);
    uint64_t physical = pv_xenbus_offer(bus, "physical-sector-size", sector);
    uint64_t pieces = pv_xenbus_offer(bus, "feature-max-indirect-segments", 0);
    bool cache = pv_xenbus_offer(bus, "feature-flush-cache", 0);

    i->sectors = pv_xenbus_offer(bus, "sectors", 0);
    if (!power_of_two(sector, PV_BLOCK_SECTOR, PV_PAGE_SIZE) || !i->sectors || i->sectors >> 54)
        return -XEN_EINVAL;
    i->sector_bytes = (uint32_t)sector;
    i->physical_bytes = (uint32_t)(power_of_two(physical, sector, 1u << 31) ? physical : sector);
    i->readonly = info & XEN_VDISK_READONLY;
    i->cdrom = info & XEN_VDISK_CDROM;
    i->removable = info & XEN_VDISK_REMOVABLE;
    i->barrier = pv_xenbus_offer(bus, "feature-barrier", 0);
    i->flush = cache || i->barrier;
    d->flush_op = cache ? XEN_BLKIF_OP_FLUSH_DISKCACHE : XEN_BLKIF_OP_WRITE_BARRIER;
    i->discard = pv_xenbus_offer(bus, "feature-discard", 0);
    i->discard_granularity = (uint32_t)pv_xenbus_offer(bus, "discard-granularity", 0);
    i->discard_alignment = (uint32_t)pv_xenbus_offer(bus, "discard-alignment", 0);
    i->pieces = XEN_BLKIF_MAX_SEGMENTS_PER_REQUEST;
    if (pieces > i->pieces)
        i->pieces = pieces < PV_BLOCK_PIECES ? (uint32_t)pieces : PV_BLOCK_PIECES;
    pv_block_name(i, bus->id);
    pv_event_unmask(d->port);
    pv_block_start(d);
    return 0;
}

static void stop(struct pv_xenbus *bus)
{
    struct pv_block *d = (struct pv_block *)bus;

    if (d->port)
        pv_event_mask(d->port);
    pv_block_stop(d);
}

static void suspend_bus(struct pv_xenbus *bus)
{
    pv_block_suspend((struct pv_block *)bus);
}

static int resume_bus(struct pv_xenbus *bus)
{
    return pv_block_resume((struct pv_block *)bus);
}

static const struct pv_xenbus_driver driver = {
    .kind = "vbd",
    .announced = XEN_XenbusStateInitialised,
    .publish = publish_ring,
    .connect = read_offer,
    .disconnect = stop,
    .suspend = suspend_bus,
    .resume = resume_bus,
};

static void forget_pages(struct pv_block *d)
{
    d->page = PV_PFN_INVALID;
    for (unsigned i = 0; i < PV_BLOCK_INFLIGHT; i++)
        d->flight[i].table = PV_PFN_INVALID;
    d->port = 0;
}

int pv_block_open(struct pv_block *d, unsigned n)
{
    uint32_t id;
    int err;

    __builtin_memset(d, 0, sizeof(*d));
    forget_pages(d);
    err = pv_xenbus_find_for(&d->bus, driver.kind, n, &id);
    if (!err)
        err = pv_xenbus_open(&d->bus, &driver, id);
    if (err)
        release(d);
    return err;
}

void pv_block_close(struct pv_block *d)
{
    uint64_t deadline = pv_time_now() + DRAIN;

    while (d->first && d->up && pv_time_now() < deadline) {
        pv_block_poll(d);
        pv_sched_poll(&d->port, 1, pv_time_now() + NAP);
    }
    pv_xenbus_close(&d->bus);
    pv_block_stop(d); /* of one that was suspended nobody has disconnected */
    release(d);
}

void pv_block_suspend(struct pv_block *d)
{
    pv_xenbus_suspend(&d->bus);
    pv_block_pause(d);
    if (d->port) /* afterwards the number may be another port's */
        pv_event_close(d->port);
    d->port = 0;
}

int pv_block_resume(struct pv_block *d)
{
    int err;

    pv_block_pause(d);
    pv_block_rewind(d); /* the old back-end is gone, with all that it had mapped */
    release(d);
    err = pv_xenbus_resume(&d->bus);
    if (err)
        stop(&d->bus);
    return err;
}
