/* SPDX-License-Identifier: MIT
 *
 * block_test.c - the block back-end: requests that are done, and each way of being refused.
 */
#include "block_fixture.h"

TestSuite(block, .init = block_setup, .fini = exec_teardown);

static void same(unsigned page, uint64_t sector, size_t bytes)
{
    cr_assert_eq(
        memcmp(hosted_page(g, DATA_PAGE + page), fake.data + (FIRST + sector) * SECTOR_SIZE, bytes),
        0);
}

/* -- what is done ----------------------------------------------------------- */

Test(block, what_the_store_says)
{
    assert_node(FRONT "/backend", BACK);
    assert_node(FRONT "/backend-id", "0");
    assert_node(FRONT "/virtual-device", "51712");
    assert_node(FRONT "/device-type", "disk");
    assert_node(BACK "/frontend", FRONT);
    assert_node(BACK "/frontend-id", "1");
    assert_node(BACK "/online", "1");
    assert_node(BACK "/dev", "xvda");
    assert_node(BACK "/mode", "w");
    assert_node(BACK "/params", "fake:1");
    assert_node(BACK "/sectors", "1024");
    assert_node(BACK "/sector-size", "512");
    assert_node(BACK "/physical-sector-size", "512");
    assert_node(BACK "/info", "0");
    assert_node(BACK "/feature-barrier", "1");
    assert_node(BACK "/feature-flush-cache", "1");
    assert_node(BACK "/feature-persistent", "0");
    assert_node(BACK "/feature-max-indirect-segments", "32");
    assert_node(BACK "/feature-discard", "1");
    assert_node(BACK "/discard-granularity", "512");
    cr_assert_eq(store_do_write(&front.user, NULL, BACK "/sectors", "9", 1), XEN_EACCES);
    cr_assert_eq(store_do_write(&front.user, NULL, BACK "/state", "6", 1), XEN_EACCES);
}

Test(block, a_page_is_read_where_it_is)
{
    front_ask(XEN_BLKIF_OP_READ, 77, 16, 0, 1);
    front_push();
    cr_assert_eq(fake.n, 1);
    cr_assert_eq(fake.kicks, 1);
    cr_assert_eq(fake.held[0]->sector, FIRST + 16);
    cr_assert_eq(fake.held[0]->segment[0].address, g->p2m[DATA_PAGE] << PV_PAGE_SHIFT);
    cr_assert(grant_entry(DATA_REF)->flags & XEN_GTF_writing, "the guest sees that it is in use");
    fake_finish_all();
    assert_answer(77, XEN_BLKIF_RSP_OKAY);
    cr_assert(front_event());
    cr_assert_eq(grant_entry(DATA_REF)->flags & (XEN_GTF_writing | XEN_GTF_reading), 0);
    same(0, 16, PV_PAGE_SIZE);
    cr_assert_eq(g->d->disk.requests, 1);
    cr_assert_eq(g->d->disk.read, 8);
}

Test(block, parts_of_pages_and_many_segments)
{
    struct xen_blkif_request *q = front_ask(XEN_BLKIF_OP_READ, 1, 100, 0, 11);

    q->seg[0] = (struct xen_blkif_request_segment){DATA_REF, 3, 3};
    q->seg[1] = (struct xen_blkif_request_segment){DATA_REF, 5, 6}; /* twice the same page */
    front_push();
    fake_finish_all();
    assert_answer(1, XEN_BLKIF_RSP_OKAY);
    cr_assert_eq(
        memcmp((char *)hosted_page(g, DATA_PAGE) + 3 * 512, fake.data + (FIRST + 100) * 512, 512),
        0);
    cr_assert_eq(
        memcmp((char *)hosted_page(g, DATA_PAGE) + 5 * 512, fake.data + (FIRST + 101) * 512, 1024),
        0);
    same(10, 103 + 8 * 8, PV_PAGE_SIZE);
}

Test(block, a_write_from_a_page_lent_for_reading)
{
    lend(DATA_REF, DATA_PAGE, XEN_GTF_readonly);
    memset(hosted_page(g, DATA_PAGE), 0x5a, PV_PAGE_SIZE);
    front_ask(XEN_BLKIF_OP_WRITE, 2, SECTORS - 8, 0, 1);
    front_push();
    fake_finish_all();
    assert_answer(2, XEN_BLKIF_RSP_OKAY);
    cr_assert_eq(fake.data[(FIRST + SECTORS) * 512 - 1], 0x5a);
    cr_assert_eq(fake.ops[BIO_WRITE], 1);
    cr_assert_eq(fake.ops[BIO_FLUSH], 0);
    cr_assert_eq(g->d->disk.written, 8);
}

static void ask_indirect(unsigned op, uint64_t id, uint64_t sector, unsigned n)
{
    struct xen_blkif_request_indirect *q = (void *)front_slot();
    struct xen_blkif_request_segment *seg = hosted_page(g, SEG_PAGE);

    q->operation = XEN_BLKIF_OP_INDIRECT;
    q->indirect_op = (uint8_t)op;
    q->nr_segments = (uint16_t)n;
    q->id = id;
    q->sector_number = sector;
    q->indirect_grefs[0] = SEG_REF;
    for (unsigned i = 0; i < n && i < 512; i++)
        seg[i] = (struct xen_blkif_request_segment){DATA_REF + i % DATA_PAGES, 0, 7};
}

Test(block, indirect_segments)
{
    struct xen_blkif_response r;

    ask_indirect(XEN_BLKIF_OP_READ, 3, 8, 32);
    front_push();
    cr_assert_eq(fake.held[0]->segments, 32);
    /* What it says afterwards is of no interest. */
    memset(hosted_page(g, SEG_PAGE), 0xff, PV_PAGE_SIZE);
    cr_assert_eq(grant_entry(SEG_REF)->flags & XEN_GTF_reading, 0);
    fake_finish_all();
    assert_answer(3, XEN_BLKIF_RSP_OKAY);
    for (unsigned i = 0; i < 32; i++)
        same(i, 8 + i * 8, PV_PAGE_SIZE);
    ask_indirect(XEN_BLKIF_OP_WRITE, 4, 8, 1);
    front_push();
    fake_finish_all();
    /* The response names the operation that was asked for, not the way in which it was. */
    cr_assert(front_get(&r));
    cr_assert(r.id == 4 && r.status == XEN_BLKIF_RSP_OKAY);
    cr_assert_eq(r.operation, XEN_BLKIF_OP_WRITE);
}

/* A barrier is flush, write, flush, and alone; what came after it waits. */
Test(block, barrier_and_flush)
{
    front_ask(XEN_BLKIF_OP_WRITE, 1, 0, 0, 1);
    front_ask(XEN_BLKIF_OP_WRITE_BARRIER, 2, 8, 1, 1);
    front_ask(XEN_BLKIF_OP_READ, 3, 16, 2, 1);
    front_ask(XEN_BLKIF_OP_FLUSH_DISKCACHE, 4, 0, 0, 0);
    front_ask(XEN_BLKIF_OP_WRITE_BARRIER, 5, 0, 0, 0); /* without data: a flush */
    front_push();
    for (unsigned i = 0; i < 7; i++) {
        cr_assert_eq(fake.n, 1, "step %u", i);
        fake_finish(0, true);
        blockdev_completed(&fake.dev);
    }
    cr_assert_eq(fake.n, 0);
    cr_assert_eq(fake.submitted, 7);
    cr_assert_eq(memcmp(fake.order, "WFWFRFF", 7), 0, "%.7s", fake.order);
    for (unsigned i = 1; i <= 5; i++)
        assert_answer(i, XEN_BLKIF_RSP_OKAY);
}

/* Without a volatile cache nothing is flushed, and the order is the same. */
Test(block, a_device_without_a_cache)
{
    fake.dev.can_flush = false;
    front_ask(XEN_BLKIF_OP_WRITE, 1, 0, 0, 1);
    front_ask(XEN_BLKIF_OP_FLUSH_DISKCACHE, 2, 0, 0, 0);
    front_ask(XEN_BLKIF_OP_WRITE_BARRIER, 3, 8, 1, 1);
    front_push();
    cr_assert_eq(fake.n, 1);
    fake_finish(0, true);
    blockdev_completed(&fake.dev);
    assert_answer(1, XEN_BLKIF_RSP_OKAY);
    assert_answer(2, XEN_BLKIF_RSP_OKAY);
    cr_assert_eq(fake.n, 1);
    fake_finish_all();
    assert_answer(3, XEN_BLKIF_RSP_OKAY);
    cr_assert_eq(memcmp(fake.order, "WW", 3), 0);
    front_ask(XEN_BLKIF_OP_FLUSH_DISKCACHE, 4, 0, 0, 0); /* alone: at once */
    front_push();
    assert_answer(4, XEN_BLKIF_RSP_OKAY);
}

Test(block, discard)
{
    struct xen_blkif_request_discard *q = (void *)front_slot();

    *q = (struct xen_blkif_request_discard){XEN_BLKIF_OP_DISCARD, 0, 0, 9, 64, 128};
    front_push();
    fake_finish_all();
    assert_answer(9, XEN_BLKIF_RSP_OKAY);
    cr_assert_eq(fake.data[(FIRST + 64) * 512], 0);
    cr_assert_eq(fake.data[(FIRST + 192) * 512 - 1], 0);
    cr_assert_eq(fake.ops[BIO_DISCARD], 1);
}

Test(block, an_error_of_the_device_is_an_error_of_the_request)
{
    front_ask(XEN_BLKIF_OP_READ, 1, 0, 0, 1);
    front_ask(XEN_BLKIF_OP_WRITE_BARRIER, 2, 8, 1, 1);
    front_ask(XEN_BLKIF_OP_READ, 3, 0, 0, 1);
    front_push();
    fake_finish(0, false);
    blockdev_completed(&fake.dev);
    fake_finish(0, false); /* the barrier's first flush: its write is not made */
    blockdev_completed(&fake.dev);
    fake_finish_all();
    assert_answer(1, XEN_BLKIF_RSP_ERROR);
    assert_answer(2, XEN_BLKIF_RSP_ERROR);
    assert_answer(3, XEN_BLKIF_RSP_OKAY);
    cr_assert_eq(memcmp(fake.order, "RFR", 4), 0);
}

/* -- order and notification -------------------------------------------------- */

Test(block, the_elevator_is_on_the_way_and_the_trace_shows_it)
{
    static const unsigned came[] = {400, 80, 720, 160, 560};
    static const unsigned went[] = {400, 560, 720, 80, 160};
    unsigned adds = 0, goes = 0;

    fake.room = 1;
    hv.trace_mask = TRACE_DISK_ADD | TRACE_DISK_GO;
    trace_count = 0;
    for (unsigned i = 0; i < 5; i++)
        front_ask(XEN_BLKIF_OP_READ, i, came[i], i, 1);
    /* The first one, at 400, is in the device when the others come. */
    front.ring->req_prod = front.req_prod - 4;
    front_send();
    front_push();
    front_send();
    for (unsigned i = 0; i < 5; i++) {
        cr_assert_eq(fake.at[0], FIRST + went[i], "%u: %llu", i, (unsigned long long)fake.at[0]);
        fake_finish(0, true);
        blockdev_completed(&fake.dev);
    }
    for (unsigned i = 0; i < trace_count; i++) {
        const struct trace_record *r = &trace_ring[i];

        cr_assert_eq(r->domid, 1);
        if (r->class == TRACE_DISK_ADD)
            cr_assert_eq(r->a, FIRST + came[adds++]);
        if (r->class == TRACE_DISK_GO)
            cr_assert_eq(r->a, FIRST + went[goes++]);
    }
    cr_assert_eq(adds, 5);
    cr_assert_eq(goes, 5);
    hv.trace_mask = 0;
}

Test(block, one_event_for_all_that_ended_together)
{
    unsigned events = 0;

    front_event();
    for (unsigned round = 0; round < 50; round++) {
        uint64_t told = front.events;
        struct xen_blkif_response r;

        for (unsigned i = 0; i < SLOTS; i++)
            front_ask(XEN_BLKIF_OP_READ, i, i * 8, i, 1);
        front_push();
        cr_assert_leq(front.events, told + 1);
        cr_assert_eq(fake.n, SLOTS);
        while (fake.n)
            fake_finish(0, true);
        blockdev_completed(&fake.dev);
        events += front_event();
        for (unsigned i = 0; i < SLOTS; i++)
            cr_assert(front_get(&r));
        cr_assert_not(front_get(&r));
    }
    cr_assert_eq(events, 50);
}

/* While many are in the device nobody need be told of new ones: each that ends looks. */
Test(block, a_busy_back_end_is_not_told)
{
    uint64_t told;

    for (unsigned i = 0; i < 20; i++)
        front_ask(XEN_BLKIF_OP_READ, i, i * 8, i, 1);
    front_push();
    told = front.events;
    for (unsigned i = 20; i < 30; i++)
        front_ask(XEN_BLKIF_OP_READ, i, i * 8, i, 1);
    front_push();
    cr_assert_eq(front.events, told);
    cr_assert_eq(fake.n, 20);
    fake_finish(0, true);
    blockdev_completed(&fake.dev);
    cr_assert_eq(fake.n, 29);
    fake_finish_all();
    front_ask(XEN_BLKIF_OP_READ, 30, 0, 0, 1);
    front_push();
    cr_assert_eq(front.events, told + 1, "now it sleeps, and wants to be told");
    fake_finish_all();
}

Test(block, a_front_end_that_sleeps_longer_is_not_told)
{
    front_event();
    front.ring->rsp_event = 8;
    for (unsigned i = 0; i < 8; i++) {
        front_ask(XEN_BLKIF_OP_READ, i, i * 8, i, 1);
        front_push();
        fake_finish_all();
        cr_assert_eq(front_event(), i == 7, "%u", i);
    }
}

/* The device says that it is full: the rest goes when something has ended. */
Test(block, a_full_device)
{
    fake.room = 3;
    for (unsigned i = 0; i < 10; i++)
        front_ask(XEN_BLKIF_OP_READ, i, i * 8, i, 1);
    front_push();
    cr_assert_eq(fake.n, 3);
    fake_finish_all();
    for (unsigned i = 0; i < 10; i++)
        assert_answer(i, XEN_BLKIF_RSP_OKAY);
}

/* -- what is refused ------------------------------------------------------------- */

Test(block, operations_that_are_none)
{
    static const uint8_t ops[] = {XEN_BLKIF_OP_RESERVED_1, 7, 255};
    struct xen_blkif_request_indirect *q;
    struct xen_blkif_request_discard *z;

    for (unsigned i = 0; i < sizeof(ops); i++) {
        front_ask(ops[i], 77, 0, 0, 1);
        assert_request_refused(RULE_BLOCK_OPERATION, XEN_BLKIF_RSP_EOPNOTSUPP);
    }
    q = (void *)front_slot();
    *q = (struct xen_blkif_request_indirect){
        .operation = XEN_BLKIF_OP_INDIRECT, .indirect_op = XEN_BLKIF_OP_INDIRECT, .id = 77};
    assert_request_refused(RULE_BLOCK_OPERATION, XEN_BLKIF_RSP_EOPNOTSUPP);
    fake.dev.can_discard = false;
    z = (void *)front_slot();
    *z = (struct xen_blkif_request_discard){XEN_BLKIF_OP_DISCARD, 0, 0, 77, 0, 8};
    assert_request_refused(RULE_BLOCK_OPERATION, XEN_BLKIF_RSP_EOPNOTSUPP);
}

Test(block, segments_that_are_none)
{
    struct xen_blkif_request *q;

    front_ask(XEN_BLKIF_OP_READ, 77, 0, 0, 0);
    assert_request_refused(RULE_BLOCK_SEGMENTS, XEN_BLKIF_RSP_ERROR);
    front_ask(XEN_BLKIF_OP_WRITE, 77, 0, 0, 12);
    assert_request_refused(RULE_BLOCK_SEGMENTS, XEN_BLKIF_RSP_ERROR);
    front_ask(XEN_BLKIF_OP_WRITE, 77, 0, 0, 255);
    assert_request_refused(RULE_BLOCK_SEGMENTS, XEN_BLKIF_RSP_ERROR);
    ask_indirect(XEN_BLKIF_OP_READ, 77, 0, 0);
    assert_request_refused(RULE_BLOCK_SEGMENTS, XEN_BLKIF_RSP_ERROR);
    ask_indirect(XEN_BLKIF_OP_READ, 77, 0, 33);
    assert_request_refused(RULE_BLOCK_SEGMENTS, XEN_BLKIF_RSP_ERROR);
    ask_indirect(XEN_BLKIF_OP_READ, 77, 0, 65535);
    assert_request_refused(RULE_BLOCK_SEGMENTS, XEN_BLKIF_RSP_ERROR);
    q = front_ask(XEN_BLKIF_OP_READ, 77, 0, 0, 3);
    q->seg[2].first_sect = 8, q->seg[2].last_sect = 8;
    assert_request_refused(RULE_BLOCK_SEGMENT, XEN_BLKIF_RSP_ERROR);
    q = front_ask(XEN_BLKIF_OP_READ, 77, 0, 0, 3);
    q->seg[1].first_sect = 5, q->seg[1].last_sect = 4;
    assert_request_refused(RULE_BLOCK_SEGMENT, XEN_BLKIF_RSP_ERROR);
    q = front_ask(XEN_BLKIF_OP_READ, 77, 0, 0, 3);
    q->seg[0].last_sect = 255;
    assert_request_refused(RULE_BLOCK_SEGMENT, XEN_BLKIF_RSP_ERROR);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(grant_entry(DATA_REF + i)->flags & (XEN_GTF_reading | XEN_GTF_writing), 0,
                     "what was taken was given back");
}

Test(block, places_that_are_none)
{
    static const uint64_t sectors[] = {SECTORS - 7, SECTORS,         SECTORS + 1,
                                       UINT64_MAX,  UINT64_MAX - 6,  UINT64_MAX - FIRST,
                                       1ull << 63,  (1ull << 55) - 1};
    struct xen_blkif_request_discard *z;

    for (unsigned i = 0; i < sizeof(sectors) / sizeof(sectors[0]); i++) {
        front_ask(XEN_BLKIF_OP_READ, 77, sectors[i], 0, 1);
        assert_request_refused(RULE_BLOCK_RANGE, XEN_BLKIF_RSP_ERROR);
        z = (void *)front_slot();
        *z = (struct xen_blkif_request_discard){XEN_BLKIF_OP_DISCARD, 0, 0, 77, 8, sectors[i]};
        assert_request_refused(RULE_BLOCK_RANGE, XEN_BLKIF_RSP_ERROR);
    }
    z = (void *)front_slot();
    *z = (struct xen_blkif_request_discard){XEN_BLKIF_OP_DISCARD, 0, 0, 77, 8, 0};
    assert_request_refused(RULE_BLOCK_RANGE, XEN_BLKIF_RSP_ERROR);
}

Test(block, parts_of_a_device_sector)
{
    struct xen_blkif_request *q;

    fake.dev.sector_size = 4096;
    front_ask(XEN_BLKIF_OP_READ, 77, 4, 0, 1);
    assert_request_refused(RULE_BLOCK_ALIGNMENT, XEN_BLKIF_RSP_ERROR);
    q = front_ask(XEN_BLKIF_OP_READ, 77, 8, 0, 1);
    q->seg[0].last_sect = 5;
    assert_request_refused(RULE_BLOCK_ALIGNMENT, XEN_BLKIF_RSP_ERROR);
    front_ask(XEN_BLKIF_OP_READ, 78, 8, 0, 1);
    front_push();
    fake_finish_all();
    assert_answer(78, XEN_BLKIF_RSP_OKAY);
}

Test(block, grants_that_do_not_hold)
{
    front_ask(XEN_BLKIF_OP_READ, 77, 0, 0, 1)->seg[0].gref = 1000000;
    assert_request_refused(RULE_GRANT_REF, XEN_BLKIF_RSP_ERROR);
    front_ask(XEN_BLKIF_OP_READ, 77, 0, 0, 1)->seg[0].gref = 100; /* never granted */
    assert_request_refused(RULE_GRANT_TYPE, XEN_BLKIF_RSP_ERROR);
    lend(DATA_REF, DATA_PAGE, XEN_GTF_readonly);
    front_ask(XEN_BLKIF_OP_READ, 77, 0, 0, 1); /* which writes to the page */
    assert_request_refused(RULE_GRANT_READONLY, XEN_BLKIF_RSP_ERROR);
    grant_entry(DATA_REF)->domid = 2; /* to somebody else */
    front_ask(XEN_BLKIF_OP_WRITE, 77, 0, 0, 1);
    assert_request_refused(RULE_GRANT_DOMAIN, XEN_BLKIF_RSP_ERROR);
    lend(DATA_REF, DATA_PAGE, 0);
    grant_entry(DATA_REF)->frame = (uint32_t)other->p2m[3]; /* of somebody else */
    front_ask(XEN_BLKIF_OP_WRITE, 77, 0, 0, 1);
    assert_request_refused(RULE_GRANT_FRAME, XEN_BLKIF_RSP_ERROR);
    grant_entry(DATA_REF)->frame = (uint32_t)g->p2m[g->l1]; /* a page table */
    front_ask(XEN_BLKIF_OP_READ, 77, 0, 0, 1);
    assert_request_refused(RULE_GRANT_NOT_WRITABLE, XEN_BLKIF_RSP_ERROR);
    grant_entry(SEG_REF)->flags = 0;
    ask_indirect(XEN_BLKIF_OP_READ, 77, 0, 12);
    assert_request_refused(RULE_GRANT_TYPE, XEN_BLKIF_RSP_ERROR);
    cr_assert_eq(front.ring->rsp_prod, 7);
}

/* -- read-only -------------------------------------------------------------------- */

static void readonly_setup(void)
{
    block_machine();
    attach(g, FIRST, SECTORS, true);
    front_connect();
}

TestSuite(block_readonly, .init = readonly_setup, .fini = exec_teardown);

Test(block_readonly, nothing_is_written)
{
    struct xen_blkif_request_discard *z;

    assert_node(BACK "/mode", "r");
    assert_node(BACK "/info", "4");
    assert_node(BACK "/feature-discard", "0");
    front_ask(XEN_BLKIF_OP_WRITE, 77, 0, 0, 1);
    assert_request_refused(RULE_BLOCK_READONLY, XEN_BLKIF_RSP_ERROR);
    front_ask(XEN_BLKIF_OP_WRITE_BARRIER, 77, 0, 0, 1);
    assert_request_refused(RULE_BLOCK_READONLY, XEN_BLKIF_RSP_ERROR);
    front_ask(XEN_BLKIF_OP_FLUSH_DISKCACHE, 77, 0, 0, 1); /* with data: a write */
    assert_request_refused(RULE_BLOCK_READONLY, XEN_BLKIF_RSP_ERROR);
    ask_indirect(XEN_BLKIF_OP_WRITE, 77, 0, 2);
    assert_request_refused(RULE_BLOCK_READONLY, XEN_BLKIF_RSP_ERROR);
    z = (void *)front_slot();
    *z = (struct xen_blkif_request_discard){XEN_BLKIF_OP_DISCARD, 0, 0, 77, 8, 8};
    assert_request_refused(RULE_BLOCK_READONLY, XEN_BLKIF_RSP_ERROR);
    front_ask(XEN_BLKIF_OP_READ, 1, 0, 0, 1);
    front_ask(XEN_BLKIF_OP_FLUSH_DISKCACHE, 2, 0, 0, 0);
    front_push();
    fake_finish_all();
    assert_answer(1, XEN_BLKIF_RSP_OKAY);
    assert_answer(2, XEN_BLKIF_RSP_OKAY);
}

/* -- attaching ---------------------------------------------------------------------- */

static void bare_setup(void)
{
    block_machine();
}
TestSuite(block_attach, .init = bare_setup, .fini = exec_teardown);

Test(block_attach, slices_that_are_none)
{
    const struct block_slice bad[] = {{&fake.dev, 0, 0, false},
                                      {&fake.dev, FAKE_SECTORS, 1, false},
                                      {&fake.dev, 1, FAKE_SECTORS, false},
                                      {&fake.dev, UINT64_MAX, 2, false},
                                      {&fake.dev, 2, UINT64_MAX, false}};
    struct block_slice good = {&fake.dev, 0, FAKE_SECTORS, false};

    for (unsigned i = 0; i < 5; i++)
        cr_assert_not(block_attach(g->d, BLOCK_XVDA, &bad[i], "bad"), "%u", i);
    cr_assert(block_attach(g->d, BLOCK_XVDA + 16, &good, "good"));
    cr_assert_not(block_attach(g->d, BLOCK_XVDA + 16, &good, "twice"));
    cr_assert(block_attach(g->d, BLOCK_XVDA + 35, &good, "part"));
    cr_assert(block_attach(other->d, BLOCK_XVDA + 16, &good, "shared"));
    assert_node("/local/domain/0/backend/vbd/1/51728/dev", "xvdb");
    assert_node("/local/domain/0/backend/vbd/1/51747/dev", "xvdc3");
    assert_node("/local/domain/0/backend/vbd/2/51728/dev", "xvdb");
}

Test(block_attach, devices_that_are_none)
{
    static struct blockdev few, empty, more[BLOCKDEVS];

    few = empty = fake.dev;
    few.max_segments = 10;
    cr_assert_not(blockdev_register(&few));
    empty.sectors = 0;
    cr_assert_not(blockdev_register(&empty));
    cr_assert_eq(blockdev_by_name("fake"), &fake.dev);
    cr_assert_null(blockdev_by_name("fak"));
    for (unsigned i = 1; i < BLOCKDEVS; i++) {
        more[i] = fake.dev;
        cr_assert(blockdev_register(&more[i]));
    }
    more[0] = fake.dev;
    cr_assert_not(blockdev_register(&more[0]));
}
