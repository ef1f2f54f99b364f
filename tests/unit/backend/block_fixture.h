/* SPDX-License-Identifier: MIT
 *
 * block_fixture.h - a disk made of an array, and a guest's end of its ring.
 *
 * The fake device takes what it is given, checks that it lies inside of the slice and in frames of
 * the guest, and finishes when the test says so, in the order that the test says. Data is
 * moved then, between the array and machine memory: nothing on the way may have moved it.
 */
#ifndef BLOCK_FIXTURE_H
#define BLOCK_FIXTURE_H

#include "tests/unit/core/exec_fixture.h"
#include "backend/block.h"
#include "backend/store.h"
#include "backend/xenbus.h"
#include "backend/xenstore.h"
#include "core/grant.h"
#include <pv/abi/blkif.h>
#include <pv/abi/event_channel.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    FAKE_SECTORS = 2048,
    FIRST = 512, /* the guest's slice */
    SECTORS = 1024,
    HELD = 64,
    RING_PAGE = 10,
    SEG_PAGE = 11, /* segments of indirect requests */
    DATA_PAGE = 16,
    DATA_PAGES = 40,
    RING_REF = 8,
    SEG_REF = 9,
    DATA_REF = 16, /* page DATA_PAGE + i is granted as DATA_REF + i */
    SLOTS = 32,
};

/* -- the device ------------------------------------------------------------- */

static struct {
    struct blockdev dev;
    uint8_t data[FAKE_SECTORS * SECTOR_SIZE];
    struct bio *held[HELD]; /* in the device, in the order of submission */
    uint64_t at[HELD];      /* their sectors */
    unsigned n, kicks;
    unsigned ops[4]; /* finished, by op */
    char order[64];  /* the last ones submitted, R W F D */
    unsigned submitted;
    unsigned room;       /* more than so many are refused */
    bool unconfined;     /* whoever reads the whole device */
    uint64_t first, end; /* where requests may be */
} fake;

static bool fake_submit(struct blockdev *dev, struct bio *b)
{
    uint64_t bytes = 0;

    if (fake.n == fake.room)
        return false;
    cr_assert_eq(b->dev, dev);
    for (unsigned i = 0; i < b->segments && b->op <= BIO_WRITE; i++) {
        const struct bio_segment *s = &b->segment[i];
        struct frame *f = frame_of(mfn(s->address >> PV_PAGE_SHIFT));

        cr_assert_eq(f->owner, b->owner, "frame of domain %u", f->owner);
        cr_assert_gt(f->refs, 0);
        if (b->op == BIO_READ)
            cr_assert_eq(f->type, FRAME_WRITABLE);
        cr_assert_leq((s->address & (PV_PAGE_SIZE - 1)) + s->bytes, PV_PAGE_SIZE);
        cr_assert_gt(s->bytes, 0);
        bytes += s->bytes;
    }
    if (b->op <= BIO_WRITE)
        cr_assert_eq(bytes, b->sectors * SECTOR_SIZE);
    if (b->op != BIO_FLUSH) {
        cr_assert_geq(b->sector, fake.first);
        cr_assert_leq(b->sector + b->sectors, fake.end);
        cr_assert_leq(b->sectors, FAKE_SECTORS);
    }
    fake.order[fake.submitted++ % sizeof(fake.order)] = "RWFD"[b->op];
    fake.at[fake.n] = b->sector;
    fake.held[fake.n++] = b;
    return true;
}

static void fake_kick(struct blockdev *dev)
{
    (void)dev;
    fake.kicks++;
}

static const struct blockdev_ops fake_ops = {fake_submit, fake_kick};

/* Finish the i-th one that the device has. */
static void fake_finish(unsigned i, bool ok)
{
    struct bio *b = fake.held[i];
    uint8_t *at = fake.data + b->sector * SECTOR_SIZE;

    cr_assert_lt(i, fake.n);
    for (unsigned s = 0; s < b->segments && ok && b->op <= BIO_WRITE; s++) {
        uint8_t *page = plat_ram + b->segment[s].address;

        memcpy(b->op == BIO_READ ? page : at, b->op == BIO_READ ? at : page, b->segment[s].bytes);
        at += b->segment[s].bytes;
    }
    if (b->op == BIO_DISCARD)
        memset(at, 0, b->sectors * SECTOR_SIZE);
    fake.ops[b->op]++;
    memmove(&fake.held[i], &fake.held[i + 1], (fake.n - i - 1) * sizeof(fake.held[0]));
    memmove(&fake.at[i], &fake.at[i + 1], (fake.n - i - 1) * sizeof(fake.at[0]));
    fake.n--;
    b->done(b, ok);
}

static void fake_finish_all(void)
{
    while (fake.n) {
        while (fake.n)
            fake_finish(0, true);
        blockdev_completed(&fake.dev);
    }
}

/* -- the guest ------------------------------------------------------------------ */

static struct front {
    struct hosted_guest *guest;
    struct store_user user;
    struct xen_blkif_sring *ring;
    uint32_t port, req_prod, rsp_cons;
    uint64_t events; /* that the back-end was told of */
} front;

#define BACK  "/local/domain/0/backend/vbd/1/51712"
#define FRONT "/local/domain/1/device/vbd/51712"

static const char *node(const char *path)
{
    static char text[256];

    return store_read(path, text, sizeof(text)) < 0 ? "(none)" : text;
}

#define assert_node(path, value) \
    cr_assert_str_eq(node(path), value, "%s: %s, not %s", path, node(path), value)

static int front_write(const char *name, const char *value)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", FRONT, name);
    return store_do_write(&front.user, NULL, path, value, strlen(value));
}

static void front_number(const char *name, uint32_t value)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", value);
    cr_assert_eq(front_write(name, text), 0);
}

static struct xen_grant_entry_v1 *grant_entry(uint32_t ref)
{
    return &g->d->grants->shared[ref / GRANT_PER_FRAME][ref % GRANT_PER_FRAME];
}

static void lend(uint32_t ref, uint64_t page, uint16_t flags)
{
    *grant_entry(ref) = (struct xen_grant_entry_v1){
        .flags = XEN_GTF_permit_access | flags, .domid = 0, .frame = (uint32_t)g->p2m[page]};
}

static uint32_t unbound_port(uint16_t remote)
{
    struct xen_evtchn_alloc_unbound a = {.dom = XEN_DOMID_SELF, .remote_dom = remote};

    cr_assert_eq(
        call_with(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_alloc_unbound, &a, sizeof(a)), 0);
    return a.port;
}

/* Everything up to the state that makes the back-end connect. */
static void front_prepare(void)
{
    front.guest = g;
    front.user.domid = 1;
    front.ring = hosted_page(g, RING_PAGE);
    memset(front.ring, 0, PV_PAGE_SIZE);
    front.ring->req_event = front.ring->rsp_event = 1;
    front.req_prod = front.rsp_cons = 0;
    lend(RING_REF, RING_PAGE, 0);
    lend(SEG_REF, SEG_PAGE, XEN_GTF_readonly);
    for (unsigned i = 0; i < DATA_PAGES; i++)
        lend(DATA_REF + i, DATA_PAGE + i, 0);
    front.port = unbound_port(0);
    front_number("ring-ref", RING_REF);
    front_number("event-channel", front.port);
    cr_assert_eq(front_write("protocol", "x86_64-abi"), 0);
}

static void front_connect(void)
{
    front_prepare();
    front_number("state", XEN_XenbusStateInitialised);
    assert_node(BACK "/state", "4");
    front_number("state", XEN_XenbusStateConnected);
}

static struct xen_blkif_request *front_slot(void)
{
    struct xen_blkif_request *q = &front.ring->ring[front.req_prod++ % SLOTS].req;

    memset(q, 0, sizeof(*q));
    return q;
}

/* A request for n whole pages from DATA_PAGE + page on. */
static struct xen_blkif_request *front_ask(unsigned op, uint64_t id, uint64_t sector, unsigned page,
                                           unsigned n)
{
    struct xen_blkif_request *q = front_slot();

    q->operation = (uint8_t)op;
    q->nr_segments = (uint8_t)n;
    q->id = id;
    q->sector_number = sector;
    for (unsigned i = 0; i < n && i < XEN_BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
        q->seg[i] = (struct xen_blkif_request_segment){DATA_REF + page + i, 0, 7};
    return q;
}

static void front_send(void)
{
    struct xen_evtchn_send s = {front.port};

    front.events++;
    cr_assert_eq(call_with(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_send, &s, sizeof(s)), 0);
}

/* Show what was asked for; tell the back-end if it wants to be told. */
static void front_push(void)
{
    uint32_t old = front.ring->req_prod;

    front.ring->req_prod = front.req_prod;
    if (front.req_prod - front.ring->req_event < front.req_prod - old)
        front_send();
}

static bool front_get(struct xen_blkif_response *r)
{
    if (front.rsp_cons == front.ring->rsp_prod)
        return false;
    *r = front.ring->ring[front.rsp_cons++ % SLOTS].rsp;
    front.ring->rsp_event = front.rsp_cons + 1;
    return true;
}

static bool front_event(void) /* there was one since the last time */
{
    uint64_t *word = &g->d->shared->evtchn_pending[front.port / 64];
    uint64_t m = 1ull << (front.port % 64);
    bool was = *word & m;

    *word &= ~m;
    return was;
}

#define assert_answer(id_, status_)                                                                \
    do {                                                                                           \
        struct xen_blkif_response r_;                                                              \
        cr_assert(front_get(&r_), "no answer");                                                    \
        cr_assert_eq(r_.id, id_, "id %llu", (unsigned long long)r_.id);                            \
        cr_assert_eq(r_.status, status_, "status %d: %s", r_.status, rule_name(last_of(g)->rule)); \
    } while (0)

/* The request that was asked for is refused, for this reason. */
#define assert_request_refused(rule_, status_)                                              \
    do {                                                                                    \
        uint64_t before_ = reason_counts[rule_];                                            \
        front_push();                                                                       \
        assert_answer(77, status_);                                                         \
        cr_assert_eq(reason_counts[rule_], before_ + 1, "%s", rule_name(last_of(g)->rule)); \
        cr_assert_eq(fake.n, 0);                                                            \
    } while (0)

static void attach(struct hosted_guest *who, uint64_t first, uint64_t sectors, bool readonly)
{
    struct block_slice s = {&fake.dev, first, sectors, readonly};

    cr_assert(block_attach(who->d, BLOCK_XVDA, &s, "fake:1"));
}

static void block_machine(void)
{
    exec_setup();
    memset(&fake, 0, sizeof(fake));
    memset(&front, 0, sizeof(front));
    for (unsigned i = 0; i < 2; i++) {
        struct domain *d = i ? other->d : g->d;

        d->store_port = evtchn_bind_backend(d, BACKEND_STORE);
        xenstore_attach(d, hosted_page(i ? other : g, 7));
    }
    fake.dev = (struct blockdev){.ops = &fake_ops,
                                 .name = "fake",
                                 .sectors = FAKE_SECTORS,
                                 .sector_size = SECTOR_SIZE,
                                 .max_segments = 64,
                                 .can_flush = true,
                                 .can_discard = true};
    fake.room = HELD;
    fake.first = FIRST;
    fake.end = FIRST + SECTORS;
    for (unsigned i = 0; i < sizeof(fake.data); i++)
        fake.data[i] = (uint8_t)(i * 7 + i / SECTOR_SIZE);
    cr_assert(blockdev_register(&fake.dev));
}

static void block_setup(void)
{
    block_machine();
    attach(g, FIRST, SECTORS, false);
    front_connect();
}

#endif
