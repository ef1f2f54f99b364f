/* SPDX-License-Identifier: MIT */
/*
 * disk.c - the back-end of disk.h.
 */
#include "disk.h"
#include <criterion/criterion.h>
#include <stdlib.h>

struct disk disk;

unsigned disk_front_state(void)
{
    return (unsigned)atoi(world_read(DISK_FRONT "/state"));
}

static unsigned my_state(void)
{
    return (unsigned)atoi(world_read(DISK_BACK "/state"));
}

void disk_state(unsigned state)
{
    world_write(DISK_BACK "/state", "%u", state);
}

void disk_reset(void)
{
    world_reset();
    memset(&disk, 0, sizeof(disk));
    disk.sectors = DISK_SECTORS;
    disk.fail_op = -1;
    for (size_t i = 0; i < sizeof(disk.bytes); i++)
        disk.bytes[i] = (char)(i * 7 + i / 512);
    world_write(DISK_FRONT "/backend", DISK_BACK);
    world_write(DISK_FRONT "/backend-id", "0");
    world_write(DISK_FRONT "/state", "1");
    world_write(DISK_BACK "/state", "1");
    world.idle = disk_run;
}

static void offer(void)
{
    world_write(DISK_BACK "/feature-max-indirect-segments", "%u", disk.indirect);
    world_write(DISK_BACK "/feature-flush-cache", "%u", disk.flush);
    world_write(DISK_BACK "/feature-barrier", "%u", disk.barrier);
    world_write(DISK_BACK "/feature-discard", "%u", disk.discard);
}

static void describe(void)
{
    world_write(DISK_BACK "/sectors", "%lu", (unsigned long)disk.sectors);
    world_write(DISK_BACK "/sector-size", "%u", disk.sector_size ? disk.sector_size : 512);
    world_write(DISK_BACK "/physical-sector-size", "%u", disk.physical);
    world_write(DISK_BACK "/info", "%u", disk.readonly ? XEN_VDISK_READONLY : 0);
}

/* False: the ring is not there, so this is not the time. */
static bool connect_ring(void)
{
    struct pv_blkif_ring *ring = world_grant((unsigned)atoi(world_read(DISK_FRONT "/ring-ref")), 1);

    if (!ring)
        return false;
    disk.port = (uint32_t)atoi(world_read(DISK_FRONT "/event-channel"));
    pv_blkif_back_init(&disk.ring, ring, PV_PAGE_SIZE);
    world_hold((unsigned)atoi(world_read(DISK_FRONT "/ring-ref")), true);
    return disk.connected = true;
}

static void disconnect_ring(void)
{
    if (disk.connected)
        world_hold((unsigned)atoi(world_read(DISK_FRONT "/ring-ref")), false);
    disk.connected = false;
    disk.nr_held = 0;
}

static void handshake(void)
{
    unsigned mine = my_state(), next = mine;

    if (!mine || mine == XEN_XenbusStateClosed)
        disconnect_ring();
    switch (disk_front_state()) {
    case XEN_XenbusStateInitialising:
        if (mine == XEN_XenbusStateInitialising || mine == XEN_XenbusStateClosed)
            next = XEN_XenbusStateInitWait;
        break;
    case XEN_XenbusStateInitialised:
    case XEN_XenbusStateConnected:
        if (mine == XEN_XenbusStateInitWait || mine == XEN_XenbusStateInitialised)
            next = XEN_XenbusStateConnected;
        break;
    case XEN_XenbusStateClosing:
        if (mine < XEN_XenbusStateClosing)
            next = XEN_XenbusStateClosing;
        break;
    case XEN_XenbusStateClosed:
        if (mine != XEN_XenbusStateClosed)
            next = XEN_XenbusStateClosed;
        break;
    }
    if (next == mine || (disk.stop_at && next > disk.stop_at))
        return;
    if (next == XEN_XenbusStateInitWait)
        offer();
    if (next == XEN_XenbusStateConnected) {
        describe();
        if (!connect_ring())
            next = XEN_XenbusStateClosing;
    }
    if (next == XEN_XenbusStateClosed)
        disconnect_ring();
    disk_state(next);
}

/* Requests --------------------------------------------------------------------------------- */

static void move(const struct xen_blkif_request_segment *s, bool write, uint64_t *at)
{
    char *page = world_grant(s->gref, !write);
    size_t n = (size_t)(s->last_sect - s->first_sect + 1) * 512;

    cr_assert_not_null(page, "reference %u", s->gref);
    cr_assert(s->last_sect < 8 && s->first_sect <= s->last_sect);
    cr_assert_leq(*at + n, disk.sectors * 512);
    if (write)
        memcpy(disk.bytes + *at, page + s->first_sect * 512, n);
    else
        memcpy(page + s->first_sect * 512, disk.bytes + *at, n);
    *at += n;
    if (disk.keep_pages)
        world_hold(s->gref, true);
}

static void answer(uint64_t id, uint8_t op, int16_t status)
{
    struct xen_blkif_response rsp = {.id = id, .operation = op, .status = status};
    unsigned times = disk.mangle ? disk.mangle(&rsp) : 1;

    while (times--)
        pv_blkif_back_put(&disk.ring, &rsp);
}

static void serve(const struct xen_blkif_request *q)
{
    const struct xen_blkif_request_indirect *in = (const void *)q;
    const struct xen_blkif_request_segment *seg = q->seg;
    unsigned op = q->operation, n = q->nr_segments;
    uint64_t id = q->id, at = q->sector_number * 512;

    if (op == XEN_BLKIF_OP_INDIRECT) {
        op = in->indirect_op;
        n = in->nr_segments;
        id = in->id;
        at = in->sector_number * 512;
        seg = world_grant(in->indirect_grefs[0], false);
        cr_assert_not_null(seg);
        cr_assert_null(world_grant(in->indirect_grefs[0], true), "the list is ours to read only");
        cr_assert(n > 11 && n <= disk.indirect);
        disk.indirects++;
    } else if (op != XEN_BLKIF_OP_DISCARD) {
        cr_assert_leq(n, 11);
    }
    cr_assert_eq(q->operation == XEN_BLKIF_OP_INDIRECT ? in->handle : q->handle, 51712);
    disk.log[disk.requests++] = "RWBF.D"[op];
    if ((int)op == disk.fail_op)
        return answer(id, (uint8_t)op, disk.fail_status);
    if (op == XEN_BLKIF_OP_DISCARD) {
        disk.discards++;
        memset(disk.bytes + at, 0, ((const struct xen_blkif_request_discard *)q)->nr_sectors * 512);
        return answer(id, (uint8_t)op, 0);
    }
    disk.flushes += op == XEN_BLKIF_OP_FLUSH_DISKCACHE;
    disk.barriers += op == XEN_BLKIF_OP_WRITE_BARRIER;
    disk.most_pieces = n > disk.most_pieces ? n : disk.most_pieces;
    for (unsigned i = 0; i < n; i++)
        move(&seg[i], op != XEN_BLKIF_OP_READ, &at);
    answer(id, (uint8_t)op, 0);
}

void disk_run(void)
{
    struct xen_blkif_request q;

    handshake();
    if (!disk.connected)
        return;
    while (pv_blkif_back_get(&disk.ring, &q) > 0)
        disk.held[disk.nr_held++] = q;
    pv_blkif_back_sleep(&disk.ring);
    if (disk.hold || !disk.nr_held)
        return;
    for (unsigned i = 0; i < disk.nr_held; i++)
        serve(&disk.held[i]);
    disk.nr_held = 0;
    if (pv_blkif_back_publish(&disk.ring)) {
        disk.events++;
        world_event(disk.port);
    }
}
