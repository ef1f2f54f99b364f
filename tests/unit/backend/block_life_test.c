/* SPDX-License-Identifier: MIT
 *
 * block_life_test.c - a virtual disk from Initialising to Closed, guests that end in the middle of
 * it, and front-ends that lie.
 */
#include "block_fixture.h"

TestSuite(block_life, .init = block_setup, .fini = exec_teardown);
TestSuite(block_hostile, .init = block_setup, .fini = exec_teardown);

static void bare_setup(void)
{
    block_machine();
    attach(g, FIRST, SECTORS, false);
}
TestSuite(block_handshake, .init = bare_setup, .fini = exec_teardown);

static bool granted(uint32_t ref)
{
    return grant_entry(ref)->flags & (XEN_GTF_reading | XEN_GTF_writing);
}

/* -- the handshake ------------------------------------------------------------ */

Test(block_handshake, by_turns)
{
    struct xen_evtchn_status st = {.dom = XEN_DOMID_SELF};

    assert_node(BACK "/state", "2");
    assert_node(FRONT "/state", "1");
    front_prepare();
    assert_node(BACK "/state", "2");
    front_number("state", XEN_XenbusStateInitialised);
    assert_node(BACK "/state", "4");
    cr_assert(granted(RING_REF));
    cr_assert(g->d->stages >> STAGE_disk & 1);
    cr_assert(front_event(), "who binds a port always notifies it once");
    st.port = front.port;
    cr_assert_eq(call_with(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_status, &st, sizeof(st)),
                 0);
    cr_assert_eq(st.status, XEN_EVTCHNSTAT_interdomain);
    cr_assert_eq(st.u.interdomain.dom, 0);
    front_number("state", XEN_XenbusStateConnected);
    front_number("state", XEN_XenbusStateConnected);
    assert_node(BACK "/state", "4");
    front_number("state", XEN_XenbusStateClosing);
    assert_node(BACK "/state", "5");
    front_number("state", XEN_XenbusStateClosed);
    assert_node(BACK "/state", "6");
    cr_assert_not(granted(RING_REF));
    cr_assert_eq(call_with(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_status, &st, sizeof(st)),
                 0);
    cr_assert_eq(st.status, XEN_EVTCHNSTAT_unbound);
}

/* GRUB, and then the kernel that it loads. */
Test(block_handshake, once_more)
{
    for (unsigned i = 0; i < 3; i++) {
        front_connect();
        front_ask(XEN_BLKIF_OP_READ, i, 0, 0, 1);
        front_push();
        fake_finish_all();
        assert_answer(i, XEN_BLKIF_RSP_OKAY);
        front_number("state", XEN_XenbusStateClosing);
        front_number("state", XEN_XenbusStateClosed);
        assert_node(BACK "/state", "6");
        front_number("state", XEN_XenbusStateInitialising);
        assert_node(BACK "/state", "2");
    }
}

/* A kernel that was replaced without closing anything. */
Test(block_handshake, a_front_end_that_begins_anew)
{
    front_connect();
    front_ask(XEN_BLKIF_OP_READ, 1, 0, 0, 1);
    front_push();
    front_number("state", XEN_XenbusStateInitialising);
    assert_node(BACK "/state", "4"); /* until the device is through with its pages */
    cr_assert_not(granted(RING_REF));
    cr_assert(granted(DATA_REF));
    fake_finish_all();
    assert_node(BACK "/state", "2");
    cr_assert_not(granted(DATA_REF));
    cr_assert_eq(front.ring->rsp_prod, 0, "the old ring is not touched");
    front_connect();
    front_number("state", XEN_XenbusStateInitialising); /* with nothing in flight: at once */
    assert_node(BACK "/state", "2");
}

Test(block_handshake, out_of_turn)
{
    static const char *const odd[] = {"0",           "7",  "8", "9", "4294967295",
                                      "99999999999", "-1", "x", "",  " 4"};

    front_prepare();
    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        cr_assert_eq(front_write("state", odd[i]), 0);
    /* What is no state is none: the device has gone away, and comes again. */
    assert_node(BACK "/state", "6");
    front_number("state", XEN_XenbusStateInitialised);
    assert_node(BACK "/state", "6"); /* it must begin first */
    front_number("state", XEN_XenbusStateInitialising);
    front_number("state", XEN_XenbusStateInitialised);
    assert_node(BACK "/state", "4");
    cr_assert_eq(store_do_rm(&front.user, NULL, FRONT), 0);
    assert_node(BACK "/state", "6");
    cr_assert_not(granted(RING_REF));
}

/* One node is not as it should be: Closing, and the reason; then all is well again. */
static void refused_front(enum rule rule)
{
    uint64_t before = reason_counts[rule];
    char text[200];

    front_number("state", XEN_XenbusStateInitialised);
    assert_node(BACK "/state", "5");
    cr_assert_eq(reason_counts[rule], before + 1, "%s", rule_name(last_of(g)->rule));
    reason_format(text, sizeof(text), last_of(g));
    assert_node("/local/domain/0/error/backend/vbd/1/51712/error", text);
    cr_assert_not(granted(RING_REF));
    front_number("state", XEN_XenbusStateClosed);
    assert_node(BACK "/state", "6");
    front_number("state", XEN_XenbusStateInitialising);
    assert_node(BACK "/state", "2");
}

Test(block_handshake, nodes_that_make_no_sense)
{
    uint32_t mine;

    front_prepare();
    cr_assert_eq(front_write("protocol", "x86_32-abi"), 0);
    refused_front(RULE_XENBUS_PROTOCOL);
    front_prepare();
    cr_assert_eq(front_write("ring-ref", "eight"), 0);
    refused_front(RULE_XENBUS_NODE);
    cr_assert_eq(front_write("ring-ref", "4294967296"), 0);
    refused_front(RULE_XENBUS_NODE);
    cr_assert_eq(front_write("ring-ref", ""), 0);
    refused_front(RULE_XENBUS_NODE);
    front_number("ring-ref", 200); /* never granted */
    refused_front(RULE_XENBUS_RING);
    front_number("ring-ref", RING_REF);
    lend(RING_REF, RING_PAGE, XEN_GTF_readonly);
    refused_front(RULE_XENBUS_RING);
    lend(RING_REF, RING_PAGE, 0);
    grant_entry(RING_REF)->frame = (uint32_t)other->p2m[0];
    refused_front(RULE_XENBUS_RING);
    lend(RING_REF, RING_PAGE, 0);
    cr_assert_eq(store_do_rm(&front.user, NULL, FRONT "/event-channel"), 0);
    refused_front(RULE_XENBUS_NODE);
    front_number("event-channel", 0);
    refused_front(RULE_XENBUS_PORT);
    front_number("event-channel", 100000);
    refused_front(RULE_XENBUS_PORT);
    front_number("event-channel", mine = unbound_port(2)); /* waits for somebody else */
    refused_front(RULE_XENBUS_PORT);
    front_number("event-channel", g->d->store_port ? g->d->store_port : mine);
    refused_front(RULE_XENBUS_PORT);
    front_connect();
}

/* Two disks of one guest, and each its own ring; a port serves one of them. */
Test(block_handshake, a_port_serves_one_device)
{
    struct block_slice s = {&fake.dev, 0, 8, false};

    front_connect();
    cr_assert(block_attach(g->d, 51728, &s, "second"));
    for (unsigned i = 0; i < 2; i++) {
        static const char *const names[] = {"ring-ref", "event-channel"};
        char path[128], value[16];

        snprintf(path, sizeof(path), "/local/domain/1/device/vbd/51728/%s", names[i]);
        snprintf(value, sizeof(value), "%u", i ? front.port : RING_REF);
        cr_assert_eq(store_do_write(&front.user, NULL, path, value, strlen(value)), 0);
    }
    cr_assert_eq(
        store_do_write(&front.user, NULL, "/local/domain/1/device/vbd/51728/state", "3", 1), 0);
    assert_node("/local/domain/0/backend/vbd/1/51728/state", "5");
    assert_node(BACK "/state", "4");
}

/* -- ends ----------------------------------------------------------------------- */

Test(block_life, closed_when_the_device_is_through)
{
    front_ask(XEN_BLKIF_OP_READ, 1, 0, 0, 1);
    front_ask(XEN_BLKIF_OP_WRITE, 2, 8, 1, 1);
    front_push();
    front_number("state", XEN_XenbusStateClosing);
    assert_node(BACK "/state", "5");
    front_number("state", XEN_XenbusStateClosed);
    assert_node(BACK "/state", "5");
    fake_finish(0, true);
    blockdev_completed(&fake.dev);
    assert_node(BACK "/state", "5");
    fake_finish_all();
    assert_node(BACK "/state", "6");
    cr_assert_eq(front.ring->rsp_prod, 0, "what is closed is not written to");
}

static void end_guest(void)
{
    domain_crash(g->d);
    hv.cpu[0].current = NULL;
    domain_bury();
    cr_assert(g->d->buried);
}

Test(block_life, killed_in_flight)
{
    uint64_t before, after, pinned = g->p2m[DATA_PAGE];

    front_ask(XEN_BLKIF_OP_READ, 1, 0, 0, 4);
    front_ask(XEN_BLKIF_OP_WRITE, 2, 64, 4, 1);
    front_ask(XEN_BLKIF_OP_WRITE_BARRIER, 3, 96, 5, 1); /* waits for the others */
    front_push();
    cr_assert_eq(fake.n, 2);
    end_guest();
    cr_assert_eq(frame_audit(), 0);
    cr_assert_eq(frame_of(mfn(pinned))->owner, 1);
    cr_assert_eq(frame_of(mfn(pinned))->refs, 1, "the device's own");
    assert_node(BACK "/state", "(none)");
    assert_node(FRONT "/state", "(none)");
    before = frame_free_count();
    fake_finish_all(); /* also the barrier, which was accepted */
    after = frame_free_count();
    cr_assert_geq(after, before + 6, "%llu pages", (unsigned long long)(after - before));
    cr_assert_neq(frame_of(mfn(pinned))->owner, 1);
    cr_assert_eq(fake.data[(FIRST + 96) * 512], *(uint8_t *)hosted_page(g, DATA_PAGE + 5));
}

/* A guest's number is given to nobody while a device still has pages of its. */
Test(block_life, the_next_guest_of_that_number)
{
    front_ask(XEN_BLKIF_OP_READ, 1, 0, 0, 4);
    front_ask(XEN_BLKIF_OP_WRITE_BARRIER, 2, 64, 4, 1);
    front_push();
    domain_destroy(g->d);
    hv.cpu[0].current = NULL;
    domain_bury();
    cr_assert_eq(hv.domain[1], g->d);
    fake_finish_all();
    domain_bury();
    cr_assert_null(hv.domain[1]);
    g = hosted_guest(1, PAGES, 2);
    v = g->v;
    hosted_run(v);
    g->d->store_port = evtchn_bind_backend(g->d, BACKEND_STORE);
    xenstore_attach(g->d, hosted_page(g, 7));
    attach(g, FIRST, SECTORS, false);
    front_connect();
    front_ask(XEN_BLKIF_OP_READ, 5, 8, 0, 1);
    front_push();
    fake_finish_all();
    assert_answer(5, XEN_BLKIF_RSP_OKAY);
    cr_assert_eq(front.ring->rsp_prod, 1);
    cr_assert_not(granted(DATA_REF));
}

Test(block_life, revoked_in_flight)
{
    uint64_t frame = g->p2m[DATA_PAGE];

    front_ask(XEN_BLKIF_OP_READ, 1, 0, 0, 1);
    front_push();
    memset(grant_entry(DATA_REF), 0, sizeof(*grant_entry(DATA_REF)));
    cr_assert_eq(frame_of(mfn(frame))->refs, 3, "its owner's, its mapping's, the device's");
    /* Not even what the guest gives back is anybody else's before the device is through. */
    cr_assert_eq(hosted_call(v, XEN_HYPERVISOR_update_va_mapping, hosted_va(DATA_PAGE), 0, 0, 0),
                 0);
    cr_assert(frame_domain_free(g->d, mfn(frame)));
    frame_m2p[frame] = M2P_INVALID;
    cr_assert_eq(frame_of(mfn(frame))->refs, 1);
    fake_finish_all();
    assert_answer(1, XEN_BLKIF_RSP_OKAY);
    cr_assert_neq(frame_of(mfn(frame))->owner, 1, "now it is free");
}

Test(block_life, the_ring_revoked_in_use)
{
    memset(grant_entry(RING_REF), 0, sizeof(*grant_entry(RING_REF)));
    front_ask(XEN_BLKIF_OP_READ, 1, 0, 0, 1);
    front_push();
    fake_finish_all();
    assert_answer(1, XEN_BLKIF_RSP_OKAY); /* it is the page that was lent */
    end_guest();
}

/* -- lies --------------------------------------------------------------------------- */

static void broken(void)
{
    uint64_t before = reason_counts[RULE_BLOCK_RING];

    front_send();
    cr_assert_eq(reason_counts[RULE_BLOCK_RING], before + 1);
    assert_node(BACK "/state", "5");
    cr_assert_not(granted(RING_REF));
    front_send(); /* to nobody: the port waits again */
    cr_assert_eq(reason_counts[RULE_BLOCK_RING], before + 1);
    cr_assert_eq(g->d->state, DOMAIN_RUNNING);
}

Test(block_hostile, indices_that_jump)
{
    static const uint32_t jumps[] = {33, 64, 1u << 31, (1u << 31) + 5, ~0u, ~0u - 31};

    for (unsigned i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        front.ring->req_prod += jumps[i];
        broken();
        cr_assert_eq(fake.n, 0);
        front_number("state", XEN_XenbusStateClosed);
        front_number("state", XEN_XenbusStateInitialising);
        front_connect();
    }
}

/* More requests than the ring has, counted with those that have no answer yet. */
Test(block_hostile, requests_before_answers)
{
    for (unsigned i = 0; i < SLOTS; i++)
        front_ask(XEN_BLKIF_OP_READ, i, i * 8, i, 1);
    front_push();
    cr_assert_eq(fake.n, SLOTS);
    front.ring->req_prod++;
    broken();
    cr_assert_eq(fake.n, SLOTS);
    fake_finish_all();
    front_number("state", XEN_XenbusStateClosed);
    assert_node(BACK "/state", "6");
}

/* The index goes back behind what was taken. */
Test(block_hostile, an_index_that_goes_back)
{
    front_ask(XEN_BLKIF_OP_READ, 1, 0, 0, 1);
    front_push();
    front.ring->req_prod = 0;
    broken();
    fake_finish_all();
}

/* Near the end of numbers all is as elsewhere; the back-end begins where the ring says. */
Test(block_hostile, indices_that_wrap)
{
    front_number("state", XEN_XenbusStateClosed);
    front_number("state", XEN_XenbusStateInitialising);
    front_prepare();
    front.req_prod = front.rsp_cons = 0xfffffff0;
    front.ring->req_prod = front.ring->rsp_prod = 0xfffffff0;
    front.ring->req_event = front.ring->rsp_event = 0xfffffff1;
    front_number("state", XEN_XenbusStateInitialised);
    for (unsigned i = 0; i < 40; i++) {
        front_ask(XEN_BLKIF_OP_READ, i, i * 8, 0, 1);
        front_push();
        fake_finish_all();
        assert_answer(i, XEN_BLKIF_RSP_OKAY);
    }
}

Test(block_hostile, an_id_for_everything)
{
    for (unsigned i = 0; i < 5; i++)
        front_ask(XEN_BLKIF_OP_READ, 0xdeadbeef, i * 8, i, 1);
    front_push();
    fake_finish_all();
    for (unsigned i = 0; i < 5; i++)
        assert_answer(0xdeadbeef, XEN_BLKIF_RSP_OKAY);
}

/* What was checked is what is done, whatever the slot says by then. */
Test(block_hostile, slots_that_change)
{
    front_ask(XEN_BLKIF_OP_READ, 1, 16, 0, 1);
    front_push();
    memset(front.ring->ring, 0xff, 32 * sizeof(front.ring->ring[0]));
    cr_assert_eq(fake.held[0]->sector, FIRST + 16);
    cr_assert_eq(fake.held[0]->op, BIO_READ);
    fake_finish_all();
    assert_answer(1, XEN_BLKIF_RSP_OKAY);
}

/* A page of the ring, of segments, of the store: whatever is lent may be written to. */
Test(block_hostile, the_ring_as_a_buffer)
{
    front_ask(XEN_BLKIF_OP_READ, 1, 0, 0, 1)->seg[0].gref = RING_REF;
    front_push();
    fake_finish_all(); /* its own ring is overwritten: no more than that */
    front_send();
    front_number("state", XEN_XenbusStateClosed);
    assert_node(BACK "/state", "6");
}

/* The same page in every segment of every request. */
Test(block_hostile, one_page_a_thousand_times)
{
    struct xen_blkif_request_segment *seg = hosted_page(g, SEG_PAGE);
    unsigned okay = 0, refused = 0;
    struct xen_blkif_response r;

    for (unsigned i = 0; i < 32; i++)
        seg[i] = (struct xen_blkif_request_segment){DATA_REF, 0, 7};
    for (unsigned i = 0; i < SLOTS; i++) {
        struct xen_blkif_request_indirect *q = (void *)front_slot();

        q->operation = XEN_BLKIF_OP_INDIRECT;
        q->nr_segments = 32;
        q->indirect_grefs[0] = SEG_REF;
    }
    front_push();
    fake_finish_all();
    while (front_get(&r))
        *(r.status ? &refused : &okay) += 1;
    cr_assert_eq(okay + refused, SLOTS);
    cr_assert_gt(refused, 0, "a grant counts to 255");
    cr_assert_gt(okay, 0);
    cr_assert_not(granted(DATA_REF));
}

/* Another guest's disk works on while this one is closed for its lies. */
Test(block_hostile, the_others_do_not_notice)
{
    struct block_slice s = {&fake.dev, 0, 256, false};
    struct bio b = {.dev = &fake.dev};

    (void)b;
    cr_assert(block_attach(other->d, BLOCK_XVDA, &s, "theirs"));
    front.ring->req_prod += 1000;
    broken();
    assert_node("/local/domain/0/backend/vbd/2/51712/state", "2");
    cr_assert_eq(other->d->reasons.count, 0);
}

/* -- anything at all ------------------------------------------------------------------ */

static uint64_t rng;

static uint64_t rnd(uint64_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng % n;
}

static void random_request(void)
{
    struct xen_blkif_request *q = front_slot();
    uint8_t *bytes = (uint8_t *)q;

    if (rnd(8) == 0) {
        for (size_t i = 0; i < sizeof(*q); i++)
            bytes[i] = (uint8_t)rnd(256);
        q->operation %= 9;
        return;
    }
    q->operation = (uint8_t)rnd(8);
    q->nr_segments = (uint8_t)rnd(rnd(4) ? 5 : 14);
    q->id = rnd(4);
    q->sector_number = rnd(rnd(8) ? SECTORS : UINT64_MAX);
    for (unsigned i = 0; i < 11; i++) {
        q->seg[i].gref = (uint32_t)rnd(64);
        q->seg[i].first_sect = (uint8_t)rnd(3);
        q->seg[i].last_sect = (uint8_t)(rnd(10) ? 2 + rnd(6) : rnd(256));
    }
    if (q->operation == XEN_BLKIF_OP_INDIRECT) {
        struct xen_blkif_request_indirect *z = (void *)q;

        z->indirect_op = (uint8_t)rnd(3);
        z->nr_segments = (uint16_t)rnd(40);
        z->indirect_grefs[0] = rnd(4) ? SEG_REF : (uint32_t)rnd(64);
    }
}

static void random_segments(void)
{
    struct xen_blkif_request_segment *seg = hosted_page(g, SEG_PAGE);

    for (unsigned i = 0; i < 40; i++)
        seg[i] = (struct xen_blkif_request_segment){(uint32_t)rnd(64), (uint8_t)rnd(3),
                                                    (uint8_t)(rnd(30) ? 7 : 9)};
}

static void random_lie(void)
{
    switch (rnd(8)) {
    case 0:
        front.ring->req_prod = (uint32_t)rnd(1ull << 32);
        break;
    case 1:
        front.ring->rsp_prod = front.ring->req_event = (uint32_t)rnd(1ull << 32);
        break;
    case 2:
        *grant_entry((uint32_t)rnd(64)) =
            (struct xen_grant_entry_v1){(uint16_t)rnd(8), (uint16_t)rnd(3), (uint32_t)rnd(4096)};
        break;
    case 3:
        front_number("ring-ref", (uint32_t)rnd(20));
        break;
    case 4:
        memset(front.ring, (int)rnd(256), PV_PAGE_SIZE);
        break;
    default:
        for (unsigned i = 0; i < DATA_PAGES; i++)
            lend(DATA_REF + i, DATA_PAGE + i, rnd(3) ? 0 : XEN_GTF_readonly);
        lend(SEG_REF, SEG_PAGE, 0);
        lend(RING_REF, RING_PAGE, 0);
        break;
    }
}

/* A front-end that does anything, a device that takes its time. fake_submit() checks that nothing
 * gets out of the slice and of the guest's memory; the audit, that no count is wrong. */
static void anything(uint64_t seed, unsigned steps)
{
    rng = seed;
    for (unsigned i = 0; i < steps && g->d->state == DOMAIN_RUNNING; i++) {
        switch (rnd(12)) {
        case 0:
            random_lie();
            break;
        case 1:
            front_number("state", (uint32_t)rnd(8));
            break;
        case 2:
            front_number("state", XEN_XenbusStateClosed);
            front_number("state", XEN_XenbusStateInitialising);
            fake_finish_all();
            front_prepare();
            front_number("state", XEN_XenbusStateInitialised);
            break;
        case 3:
        case 4:
            while (fake.n && rnd(4))
                fake_finish((unsigned)rnd(fake.n), rnd(5) != 0);
            blockdev_completed(&fake.dev);
            break;
        case 5:
            random_segments();
            break;
        default:
            for (unsigned n = (unsigned)rnd(6); n--;)
                random_request();
            front.ring->req_prod = front.req_prod;
            front_send();
            break;
        }
    }
    cr_assert_eq(frame_audit(), 0);
}

Test(block_hostile, anything_at_all)
{
    unsigned steps = getenv("BLOCK_STEPS") ? (unsigned)atoi(getenv("BLOCK_STEPS")) : 4000;

    hv.quiet = 1;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        anything(seed * 0x9e3779b97f4a7c15ull, steps);
        cr_assert_eq(other->d->reasons.count, 0);
    }
    cr_assert_gt(g->d->disk.requests, 100, "some of it was good: %llu",
                 (unsigned long long)g->d->disk.requests);
    cr_assert_gt(fake.ops[BIO_READ], 50);
    end_guest();
    fake_finish_all();
}
