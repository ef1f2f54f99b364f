/* SPDX-License-Identifier: MIT */
/*
 * block.c - the block front-end and the xenbus machine below it, against the back-end of disk.c:
 * honest, absent, late, closing, lying.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include "disk.h"

static struct pv_block d;

static void setup(void)
{
    disk_reset();
    cr_assert_eq(pv_grant_init(4), 0);
}

static void open_disk(void)
{
    cr_assert_eq(pv_block_open(&d, 0), 0, "%s", pv_xenbus_why(&d.bus));
}

static char *page(unsigned i)
{
    return fake_memory[i];
}

/* Frames 40 .. 63 are the tests' own; the allocator never gets there. */
#define MINE 40

TestSuite(block, .init = setup);
TestSuite(xenbus, .init = setup);

/* Service ----------------------------------------------------------------------------------- */

Test(block, reads_and_writes)
{
    open_disk();
    cr_assert_eq(d.info.sectors, DISK_SECTORS);
    cr_assert_eq(d.info.sector_bytes, 512);
    cr_assert_str_eq(d.info.name, "xvda");
    cr_assert_not(d.info.readonly || d.info.flush || d.info.barrier || d.info.discard);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_READ, 3, pfn(MINE), 512, 1024), 0);
    cr_assert_arr_eq(page(MINE) + 512, disk.bytes + 3 * 512, 1024);
    cr_assert_eq(page(MINE)[0] | page(MINE)[1536], 0, "no byte beside");
    memset(page(MINE + 1), 'w', 4096);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_WRITE, 8, pfn(MINE + 1), 0, 4096), 0);
    cr_assert_eq(disk.bytes[8 * 512], 'w');
    cr_assert_neq(disk.bytes[16 * 512], 'w');
    pv_block_close(&d);
    cr_assert_eq(disk_front_state(), XEN_XenbusStateClosed);
    cr_assert_eq(world_grants(), 0, "everything is taken back");
}

/* One segment over many frames, in ring requests as large as the back-end takes. */
Test(block, long_requests_are_cut)
{
    for (disk.indirect = 0; disk.indirect < 40; disk.indirect += 13) {
        unsigned most = disk.indirect < 11 ? 11 : disk.indirect > 32 ? 32 : disk.indirect;

        disk_state(XEN_XenbusStateInitialising);
        world_write(DISK_FRONT "/state", "1");
        disk.requests = disk.most_pieces = 0;
        memset(fake_memory[MINE], 0, 24 * 4096);
        open_disk();
        cr_assert_eq(d.info.pieces, most);
        cr_assert_eq(pv_block_rw(&d, PV_BLOCK_READ, 0, pfn(MINE), 1024, 24 * 4096 - 1024), 0);
        cr_assert_arr_eq(fake_memory[MINE] + 1024, disk.bytes, 24 * 4096 - 1024);
        cr_assert_eq(disk.requests, (24 + most - 1) / most);
        cr_assert_eq(disk.most_pieces, most < 24 ? most : 24);
        pv_block_close(&d);
        cr_assert_eq(world_grants(), 0);
    }
}

static unsigned ended, failed, order[256];
static void count(struct pv_block_request *r, int status)
{
    order[ended++] = (unsigned)(uintptr_t)r->arg;
    failed += status != 0;
}

/* More requests than the ring holds: none is refused, one notification for all that fit. */
Test(block, more_requests_than_slots)
{
    static struct pv_block_request r[100];
    static struct pv_block_segment s[100];

    open_disk();
    disk.hold = true;
    for (unsigned i = 0; i < 100; i++) {
        s[i] = (struct pv_block_segment){pfn(MINE + i % 24), 0, 512};
        r[i] = (struct pv_block_request){.op = PV_BLOCK_READ,
                                         .sector = i,
                                         .segs = &s[i],
                                         .nr_segs = 1,
                                         .done = count,
                                         .arg = (void *)(uintptr_t)i};
        cr_assert_eq(pv_block_queue(&d, &r[i]), 0);
    }
    cr_assert_eq(d.notifications, 0);
    pv_block_kick(&d);
    cr_assert_eq(d.notifications, 1);
    cr_assert_eq(disk.nr_held, PV_BLOCK_INFLIGHT);
    disk.hold = false;
    for (unsigned i = 0; i < 100 && ended < 100; i++)
        pv_sched_poll(&d.port, 1, 0);
    cr_assert_eq(ended, 100);
    cr_assert_eq(failed, 0);
    for (unsigned i = 0; i < 100; i++)
        cr_assert_eq(order[i], i);
    cr_assert_leq(d.notifications, 1 + 100 / PV_BLOCK_INFLIGHT + 1);
    cr_assert_eq(world_grants(), 1, "the ring's alone");
}

Test(block, flush_barrier_discard_fua)
{
    struct pv_block_segment s = {pfn(MINE), 0, 512};
    struct pv_block_request r = {.op = PV_BLOCK_DISCARD, .sector = 64, .sectors = 8};

    disk.flush = disk.barrier = disk.discard = 1;
    open_disk();
    cr_assert(d.info.flush && d.info.barrier && d.info.discard);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_FLUSH, 0, pfn(0), 0, 0), 0);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_BARRIER, 0, pfn(0), 0, 0), 0, "an empty one");
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_BARRIER, 5, pfn(MINE), 0, 512), 0);
    cr_assert_eq(pv_block_do(&d, &r), 0);
    cr_assert_eq(disk.bytes[64 * 512 + 5], 0);
    r = (struct pv_block_request){.op = PV_BLOCK_WRITE, .fua = true, .segs = &s, .nr_segs = 1};
    cr_assert_eq(pv_block_do(&d, &r), 0);
    cr_assert_str_eq(disk.log, "FBBDWF");
}

/* A disk that knows barriers only: one of those flushes. One that knows neither refuses. */
Test(block, what_the_disk_cannot)
{
    struct pv_block_request r = {.op = PV_BLOCK_DISCARD, .sector = 64, .sectors = 8};
    struct pv_block_segment s = {pfn(MINE), 0, 512};

    disk.barrier = 1;
    open_disk();
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_FLUSH, 0, pfn(0), 0, 0), 0);
    cr_assert_str_eq(disk.log, "B");
    cr_assert_eq(pv_block_do(&d, &r), -XEN_EOPNOTSUPP);
    /* It says that it can, and then that it can't: believed from then on. */
    disk.fail_op = XEN_BLKIF_OP_WRITE_BARRIER;
    disk.fail_status = XEN_BLKIF_RSP_EOPNOTSUPP;
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_BARRIER, 0, pfn(MINE), 0, 512), -XEN_EOPNOTSUPP);
    cr_assert_not(d.info.barrier);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_BARRIER, 0, pfn(MINE), 0, 512), -XEN_EOPNOTSUPP);
    cr_assert_eq(disk.requests, 2);
    /* Forced unit access without a cache to flush is a write. */
    d.info.flush = false;
    r = (struct pv_block_request){.op = PV_BLOCK_WRITE, .fua = true, .segs = &s, .nr_segs = 1};
    cr_assert_eq(pv_block_do(&d, &r), 0);
    cr_assert_str_eq(disk.log, "BBW");
}

Test(block, requests_that_make_no_sense)
{
    struct pv_block_segment s = {pfn(MINE), 0, 512};
    struct pv_block_request r = {.op = 17, .segs = &s, .nr_segs = 1};

    disk.discard = 1;
    open_disk();
    cr_assert_eq(pv_block_do(&d, &r), -XEN_EINVAL);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_READ, DISK_SECTORS, pfn(MINE), 0, 512), -XEN_EINVAL);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_READ, DISK_SECTORS - 1, pfn(MINE), 0, 1024), -XEN_EINVAL);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_READ, ~0ull, pfn(MINE), 0, 1024), -XEN_EINVAL);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_READ, 0, pfn(MINE), 0, 100), -XEN_EINVAL);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_READ, 0, pfn(MINE), 100, 512), -XEN_EINVAL);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_READ, 0, pfn(MINE), 4096, 512), -XEN_EINVAL);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_READ, 0, pfn(MINE), 0, 0), -XEN_EINVAL);
    r = (struct pv_block_request){.op = PV_BLOCK_DISCARD, .sector = 1, .sectors = ~0ull};
    cr_assert_eq(pv_block_do(&d, &r), -XEN_EINVAL);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_READ, DISK_SECTORS - 1, pfn(MINE), 0, 512), 0);
    cr_assert_eq(disk.requests, 1, "the back-end saw the good one alone");
    /* Frames that are not there end the request, not the device. */
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_READ, 0, pfn(NR_PAGES + 9), 0, 512), -XEN_EINVAL);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_READ, 0, pfn(MINE), 0, 512), 0);
}

Test(block, a_disk_with_large_sectors_that_is_read_only)
{
    disk.sector_size = 4096;
    disk.readonly = 1;
    open_disk();
    cr_assert(d.info.readonly);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_READ, 8, pfn(MINE), 0, 4096), 0);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_READ, 4, pfn(MINE), 0, 4096), -XEN_EINVAL);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_READ, 8, pfn(MINE), 0, 2048), -XEN_EINVAL);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_WRITE, 8, pfn(MINE), 0, 4096), -XEN_EROFS);
}

Test(block, an_error_of_the_disk_is_the_requests_alone)
{
    open_disk();
    disk.fail_op = XEN_BLKIF_OP_WRITE;
    disk.fail_status = XEN_BLKIF_RSP_ERROR;
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_WRITE, 0, pfn(MINE), 0, 24 * 4096), -XEN_EIO);
    cr_assert_eq(pv_block_rw(&d, PV_BLOCK_READ, 0, pfn(MINE), 0, 4096), 0);
    cr_assert(pv_xenbus_connected(&d.bus));
}

/* A request that cannot be sent is refused when its turn comes, and holds up nobody. */
Test(block, a_frame_that_is_not_there_holds_up_nobody)
{
    static struct pv_block_segment s[] = {{{MINE}, 0, 512}, {{NR_PAGES + 9}, 0, 512}};
    static struct pv_block_request r[3];

    open_disk();
    disk.hold = true;
    for (unsigned i = 0; i < 3; i++) {
        r[i] = (struct pv_block_request){
            .op = PV_BLOCK_READ, .segs = &s[i == 1], .nr_segs = 1, .done = count};
        cr_assert_eq(pv_block_submit(&d, &r[i]), 0);
    }
    cr_assert_eq(ended, 1);
    cr_assert_eq(r[1].status, -XEN_EINVAL);
    cr_assert_eq(disk.nr_held, 2);
    disk.hold = false;
    pv_sched_yield();
    cr_assert_eq(ended, 3);
    cr_assert_eq(failed, 1);
}

/* Liars: the device is broken, everything ends once, nothing else happens -------------------- */

static int lie;
static unsigned liar(struct xen_blkif_response *rsp)
{
    switch (lie) {
    case 0: /* an id that there is not */
        rsp->id = 1u << 20;
        return 1;
    case 1: /* one that is not in flight */
        rsp->id = 31;
        return 1;
    case 2: /* twice */
        return 2;
    case 3: /* a status that there is not */
        rsp->status = 77;
        return 1;
    case 4: /* more answers than questions */
        disk.ring.end.produced += 100;
        return 0;
    case 5: /* indices jump by half of all numbers */
        disk.ring.end.produced += 1u << 31;
        return 0;
    default: /* answers, and goes on reading and writing */
        disk.keep_pages = true;
        return 1;
    }
}

static void lies(void)
{
    static struct pv_block_request r[3];
    static struct pv_block_segment s = {{MINE}, 0, 512};

    open_disk();
    disk.hold = true;
    ended = failed = 0;
    for (unsigned i = 0; i < 3; i++) {
        r[i] = (struct pv_block_request){
            .op = PV_BLOCK_WRITE, .segs = &s, .nr_segs = 1, .done = count};
        cr_assert_eq(pv_block_submit(&d, &r[i]), 0);
    }
    disk.mangle = liar;
    disk.keep_pages = lie == 6;
    disk.hold = false;
    for (unsigned i = 0; i < 50 && ended < 3; i++) {
        disk_run();
        pv_block_poll(&d);
    }
    cr_assert_eq(ended, 3, "lie %d", lie);
    cr_assert_gt(failed, 0, "lie %d", lie);
    cr_assert_eq(pv_block_submit(&d, &r[0]), -XEN_EIO);
    cr_assert_eq(disk_front_state(), XEN_XenbusStateClosed);
    cr_assert_not_null(strstr(pv_xenbus_why(&d.bus), "domain 0"), "%s", pv_xenbus_why(&d.bus));
}

Test(block, a_liar_breaks_the_device_and_nothing_more)
{
    for (lie = 0; lie < 6; lie++) {
        lies();
        disk.mangle = NULL;
        pv_block_close(&d);
        cr_assert_eq(world_grants(), 0, "lie %d", lie);
        cr_assert_eq(pv_xenstore_mkdir(0, "alive"), 0);
    }
}

Test(block, pages_that_the_back_end_keeps_are_reported)
{
    lie = 6;
    lies();
    cr_assert_eq(failed, 3);
    pv_block_close(&d);
    cr_assert_gt(world_grants(), 0, "they can't be taken back");
}

/* Ends of a device -------------------------------------------------------------------------- */

Test(xenbus, the_back_end_goes_while_requests_are_under_way)
{
    static struct pv_block_segment s = {{MINE}, 0, 512};
    struct pv_block_request r = {.op = PV_BLOCK_READ, .segs = &s, .nr_segs = 1, .done = count};

    for (unsigned how = 0; how < 3; how++) {
        open_disk();
        disk.hold = true;
        ended = failed = 0;
        cr_assert_eq(pv_block_submit(&d, &r), 0);
        if (how == 0)
            disk_state(XEN_XenbusStateClosing);
        else if (how == 1)
            disk_state(XEN_XenbusStateClosed);
        else
            world_rm(DISK_BACK);
        /* The store's event tells. */
        for (unsigned i = 0; i < 5; i++)
            pv_event_send(STORE_PORT);
        cr_assert_eq(ended, 1);
        cr_assert_eq(failed, 1);
        cr_assert_eq(disk_front_state(), XEN_XenbusStateClosed);
        cr_assert_eq(pv_block_submit(&d, &r), -XEN_EIO);
        disk.hold = false;
        pv_block_close(&d);
        disk_run();
        world_write(DISK_BACK "/state", "1");
        world_write(DISK_FRONT "/state", "1");
    }
}

/* Whatever the last user left behind, the device comes up. */
Test(xenbus, opens_from_every_state)
{
    for (unsigned back = 1; back <= 6; back++)
        for (unsigned front = 1; front <= 6; front++) {
            disk_state(back);
            world_write(DISK_FRONT "/state", "%u", front);
            cr_assert_eq(pv_block_open(&d, 0), 0, "back %u, front %u: %s", back, front,
                         pv_xenbus_why(&d.bus));
            cr_assert_eq(pv_block_rw(&d, PV_BLOCK_READ, 0, pfn(MINE), 0, 512), 0);
            pv_block_close(&d);
            cr_assert_eq(world_grants(), 0, "back %u, front %u", back, front);
        }
}

Test(xenbus, a_timeout_names_the_side_that_was_waited_for)
{
    static const char *const stuck[] = {[1] = "Initialising", [2] = "InitWait"};

    for (disk.stop_at = 1; disk.stop_at <= 2; disk.stop_at++) {
        disk_state(1);
        cr_assert_eq(pv_block_open(&d, 0), -XEN_ETIMEDOUT);
        cr_assert_not_null(strstr(pv_xenbus_why(&d.bus), DISK_BACK), "%s", pv_xenbus_why(&d.bus));
        cr_assert_not_null(strstr(pv_xenbus_why(&d.bus), stuck[disk.stop_at]), "%s",
                           pv_xenbus_why(&d.bus));
        cr_assert_eq(world_grants(), 0);
    }
}

Test(xenbus, no_such_device)
{
    cr_assert_eq(pv_block_open(&d, 1), -XEN_ENODEV, "there is one");
    cr_assert_str_eq(pv_xenbus_why(&d.bus), "there is no device/vbd that is number 1, from 0");
    world_rm(HOME "device");
    cr_assert_eq(pv_block_open(&d, 0), -XEN_ENODEV);
    world_write(DISK_FRONT "/state", "1");
    cr_assert_eq(pv_block_open(&d, 0), -XEN_ENODEV, "a directory that names no back-end");
}

Test(xenbus, devices_in_the_order_of_their_numbers)
{
    uint32_t id;

    world_write(HOME "device/vbd/800/state", "1");
    world_write(HOME "device/vbd/bogus/state", "1");
    world_write(HOME "device/vbd/268441600/state", "1");
    cr_assert_eq(pv_xenbus_find("vbd", 0, &id), 0);
    cr_assert_eq(id, 800);
    cr_assert_eq(pv_xenbus_find("vbd", 1, &id), 0);
    cr_assert_eq(id, 51712);
    cr_assert_eq(pv_xenbus_find("vbd", 2, &id), 0);
    cr_assert_eq(id, 268441600);
    cr_assert_eq(pv_xenbus_find("vbd", 3, &id), -XEN_ENODEV);
}

Test(xenbus, names_of_disks)
{
    static const struct {
        unsigned id;
        const char *name;
    } disks[] = {
        {51712, "xvda"},
        {51713, "xvda1"},
        {51967, "xvdp15"},
        {1 << 28, "xvda"},
        {1 << 28 | 16 << 8 | 19, "xvdq19"},
        {1 << 28 | 25 << 8 | 255, "xvdz255"},
        {2048, "vbd2048"},
        {1 << 28 | 26 << 8, "vbd268442112"},
    };

    for (unsigned i = 0; i < PV_ARRAY_SIZE(disks); i++) {
        pv_block_name(&d.info, disks[i].id);
        cr_assert_str_eq(d.info.name, disks[i].name, "%u is %s", disks[i].id, d.info.name);
    }
}

Test(xenbus, offers_that_no_disk_makes)
{
    disk.sector_size = 1000;
    cr_assert_eq(pv_block_open(&d, 0), -XEN_EINVAL);
    disk.sector_size = 8192;
    cr_assert_eq(pv_block_open(&d, 0), -XEN_EINVAL);
    disk.sector_size = 0;
    disk.sectors = 0;
    cr_assert_eq(pv_block_open(&d, 0), -XEN_EINVAL);
    disk.sectors = 1ull << 60;
    cr_assert_eq(pv_block_open(&d, 0), -XEN_EINVAL);
    cr_assert_eq(world_grants(), 0);
    disk.sectors = 8;
    open_disk();
    cr_assert_eq(d.info.physical_bytes, 512, "0 is nonsense, and only advice");
    pv_block_close(&d);
    disk.physical = 4096;
    open_disk();
    cr_assert_eq(d.info.physical_bytes, 4096);
}

Test(xenbus, a_transaction_that_conflicts_publishes_again)
{
    world.conflicts = 5;
    open_disk();
    cr_assert_eq(world_grants(), 1, "one ring, whatever it took");
}

/* Another host, another back-end: what was under way is done by the new one. */
Test(xenbus, resume_makes_requests_once_more)
{
    static struct pv_block_request r[40];
    static struct pv_block_segment s = {{MINE}, 0, 512};

    open_disk();
    disk.hold = true;
    for (unsigned i = 0; i < 40; i++) {
        r[i] = (struct pv_block_request){.op = PV_BLOCK_WRITE,
                                         .sector = i,
                                         .segs = &s,
                                         .nr_segs = 1,
                                         .done = count,
                                         .arg = (void *)(uintptr_t)i};
        cr_assert_eq(pv_block_submit(&d, &r[i]), 0);
    }
    pv_block_suspend(&d);
    world_hold(d.page_ref, false); /* what the old host mapped is gone with it */
    disk.connected = false;
    disk.nr_held = 0;
    disk.hold = false;
    disk_state(1);
    world_write(DISK_FRONT "/state", "1");
    memset(page(MINE), 'r', 512);
    cr_assert_eq(pv_xenstore_reconnect(), 0);
    cr_assert_eq(ended, 0);
    cr_assert_eq(pv_block_resume(&d), 0, "%s", pv_xenbus_why(&d.bus));
    for (unsigned i = 0; i < 20 && ended < 40; i++)
        pv_sched_poll(&d.port, 1, 0);
    cr_assert_eq(ended, 40);
    cr_assert_eq(failed, 0);
    for (unsigned i = 0; i < 40; i++) {
        cr_assert_eq(order[i], i);
        cr_assert_eq(disk.bytes[i * 512], 'r');
    }
    cr_assert_eq(world_grants(), 1);
}

/* Closed instead: nobody waits for ever. */
Test(xenbus, a_suspended_disk_that_is_closed_ends_its_requests)
{
    static struct pv_block_segment s = {{MINE}, 0, 512};
    struct pv_block_request r = {.op = PV_BLOCK_READ, .segs = &s, .nr_segs = 1, .done = count};
    struct pv_block_request late = r;

    open_disk();
    disk.hold = true;
    cr_assert_eq(pv_block_submit(&d, &r), 0);
    pv_block_suspend(&d);
    cr_assert_eq(pv_block_submit(&d, &late), 0, "it waits for the resume");
    pv_block_close(&d);
    cr_assert_eq(ended, 2);
    cr_assert_eq(failed, 2);
    cr_assert_eq(pv_block_submit(&d, &r), -XEN_EIO);
}
