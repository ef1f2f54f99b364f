/* SPDX-License-Identifier: MIT
 *
 * block.c - see block.h: a virtual disk per front-end, and the requests of its ring.
 *
 *   ring ─► copied once ─► checked ─► grants pinned ─► struct request ─► disk.c
 *   ring ◄─ response    ◄─ unpinned ◄─────────────────────── end() ◄──────┘
 *
 * No data is copied: the device reads and writes the frames that the guest has granted, and each
 * has a reference from its check until the device has done with it, whatever becomes of the guest.
 * A request that is refused gets an error for an answer and leaves a reason; indices that cannot be
 * right close the disk. An id is the guest's own and means nothing here.
 *
 * Notification: `req_event` asks for an event at the next request, but not while BUSY requests are
 * in the device: each of these that ends makes block_answer() look into the ring.
 */
#include "block.h"
#include "disk.h"
#include "store.h"
#include "xenbus.h"
#include "../core/grant.h"
#include "../core/heap.h"
#include "../core/log.h"
#include "../core/platform.h"
#include "../core/text.h"
#include <pv/abi/blkif.h>

enum {
    SLOTS = 32, /* of a ring of one page */
    SEGMENTS = 32,
    BUSY = 8,
    PAGE_SECTORS = PV_PAGE_SIZE / SECTOR_SIZE,
    SEGMENTS_PER_PAGE = PV_PAGE_SIZE / sizeof(struct xen_blkif_request_segment),
};
_Static_assert(offsetof(struct xen_blkif_sring, ring) +
                       SLOTS * sizeof(union xen_blkif_sring_entry) <=
                   PV_PAGE_SIZE,
               "one page");
_Static_assert(SEGMENTS <= SEGMENTS_PER_PAGE, "one page of segments");

struct request {
    struct bio bio; /* first: end() is given it */
    struct vbd *vbd;
    struct request *next; /* of the free ones */
    uint64_t id;
    uint8_t operation;
    bool write;                           /* to the disk: the guest's pages are only read */
    struct bio_segment segment[SEGMENTS]; /* cookie: its pin */
};

struct vbd {
    struct xenbus_device x;
    struct block_slice slice;
    struct xen_blkif_sring *ring; /* NULL: not connected */
    uint32_t ring_pin;
    uint32_t req_cons;  /* requests taken */
    uint32_t rsp_prod;  /* responses written */
    uint32_t published; /* of these, those that the guest was shown */
    uint32_t busy;      /* requests in disk.c */
    uint16_t max_segments;
    bool waiting; /* for block_answer() */
    struct vbd *next;
    struct request *free, *requests;
};

static struct vbd *to_answer;

static struct domain *guest(const struct vbd *b)
{
    return hv.domain[b->x.domid];
}

/* A request is refused: what the response says. */
static COLD int refuse_request(struct vbd *b, enum rule rule, uint64_t value, uint64_t va,
                               uint64_t limit)
{
    refuse_domain(guest(b), rule, .port = b->x.id, .value = value, .va = va, .limit = limit);
    return rule == RULE_BLOCK_OPERATION ? XEN_BLKIF_RSP_EOPNOTSUPP : XEN_BLKIF_RSP_ERROR;
}

/* -- answers --------------------------------------------------------------- */

static void respond(struct vbd *b, uint64_t id, uint8_t operation, int status)
{
    struct xen_blkif_response *r = &b->ring->ring[b->rsp_prod++ % SLOTS].rsp;

    r->id = id;
    r->operation = operation;
    r->status = (int16_t)status;
    if (!b->waiting) {
        b->waiting = true;
        b->next = to_answer;
        to_answer = b;
    }
}

static void publish(struct vbd *b)
{
    uint32_t old = b->published, new = b->rsp_prod;

    if (old == new)
        return;
    __atomic_store_n(&b->ring->rsp_prod, new, __ATOMIC_RELEASE); /* after the responses */
    b->published = new;
    __atomic_thread_fence(
        __ATOMIC_SEQ_CST); /* the front-end sets rsp_event, then looks at rsp_prod */
    if (new - __atomic_load_n(&b->ring->rsp_event, __ATOMIC_RELAXED) < new - old)
        xenbus_notify(&b->x);
}

static void unpin(struct request *r)
{
    for (unsigned i = 0; i < r->bio.segments; i++)
        grant_unpin(r->segment[i].cookie);
    r->bio.segments = 0;
}

static void end(struct bio *bio, bool ok)
{
    struct request *r = (struct request *)bio;
    struct vbd *b = r->vbd;

    unpin(r);
    r->next = b->free;
    b->free = r;
    b->busy--;
    if (b->ring)
        respond(b, r->id, r->operation, ok ? XEN_BLKIF_RSP_OKAY : XEN_BLKIF_RSP_ERROR);
    else if (!b->busy && b->x.draining)
        xenbus_drained(&b->x);
}

/* -- requests -------------------------------------------------------------- */

/* Sectors [sector, sector + r->bio.sectors) of the virtual disk, as the device's. */
static inline __attribute__((always_inline)) int place(struct vbd *b, struct request *r,
                                                       uint64_t sector)
{
    uint64_t sectors = r->bio.sectors, unit = b->slice.dev->sector_size >> SECTOR_SHIFT;

    if ((!sectors && r->write) || sector > b->slice.sectors || sectors > b->slice.sectors - sector)
        return refuse_request(b, RULE_BLOCK_RANGE, sectors, sector, b->slice.sectors);
    if (unit > 1 && ((sector | sectors) & (unit - 1)))
        return refuse_request(b, RULE_BLOCK_ALIGNMENT, 0, sector, b->slice.dev->sector_size);
    if (r->write && b->slice.readonly)
        return refuse_request(b, RULE_BLOCK_READONLY, 0, sector, 0);
    r->bio.sector = b->slice.first + sector;
    return XEN_BLKIF_RSP_OKAY;
}

static inline int pin_segments(struct vbd *b, struct request *r,
                               const struct xen_blkif_request_segment *seg, unsigned n)
{
    struct domain *d = guest(b);
    struct bio_segment *s = r->segment;
    int status = XEN_BLKIF_RSP_OKAY;
    uint64_t sectors = 0;
    mfn_t m;

    for (const struct xen_blkif_request_segment *end = seg + n; seg < end; seg++, s++) {
        unsigned first = seg->first_sect, last = seg->last_sect;

        if (first > last || last >= PAGE_SECTORS) {
            status = refuse_request(b, RULE_BLOCK_SEGMENT, first, 0, last);
            break;
        }
        if (grant_pin(d, seg->gref, r->write, &s->cookie, &m)) {
            status = XEN_BLKIF_RSP_ERROR;
            break;
        }
        s->address = (m.n << PV_PAGE_SHIFT) + first * SECTOR_SIZE;
        s->bytes = (last - first + 1) * SECTOR_SIZE;
        sectors += last - first + 1;
    }
    r->bio.segments = (uint16_t)(s - r->segment); /* so many are pinned */
    r->bio.sectors = sectors;
    return status;
}

static inline __attribute__((always_inline)) int
transfer(struct vbd *b, struct request *r, unsigned op, uint64_t sector,
         const struct xen_blkif_request_segment *seg, unsigned n, unsigned limit)
{
    struct domain *d;
    int status;

    if (!n || n > limit)
        return refuse_request(b, RULE_BLOCK_SEGMENTS, n, 0, limit);
    r->write = op != XEN_BLKIF_OP_READ;
    r->bio.op = r->write ? BIO_WRITE : BIO_READ;
    r->bio.fence = op == XEN_BLKIF_OP_WRITE_BARRIER || op == XEN_BLKIF_OP_FLUSH_DISKCACHE;
    status = pin_segments(b, r, seg, n);
    if (status == XEN_BLKIF_RSP_OKAY)
        status = place(b, r, sector);
    if (status != XEN_BLKIF_RSP_OKAY)
        return status;
    d = guest(b);
    d->disk.requests++;
    *(r->write ? &d->disk.written : &d->disk.read) += r->bio.sectors;
    return XEN_BLKIF_RSP_OKAY;
}

static int flush(struct vbd *b, struct request *r)
{
    r->write = false; /* a disk that cannot be written has nothing to flush: that is no error */
    r->bio.op = BIO_FLUSH;
    r->bio.fence = true;
    return place(b, r, 0);
}

static int discard(struct vbd *b, struct request *r, const struct xen_blkif_request_discard *q)
{
    if (!b->slice.dev->can_discard)
        return refuse_request(b, RULE_BLOCK_OPERATION, q->operation, 0, 0);
    r->write = true;
    r->bio.op = BIO_DISCARD;
    r->bio.sectors = q->nr_sectors;
    return place(b, r, q->sector_number);
}

static __attribute__((noinline)) int indirect(struct vbd *b, struct request *r,
                                              const struct xen_blkif_request_indirect *q)
{
    struct xen_blkif_request_segment seg[SEGMENTS];
    struct grant_access page;
    unsigned n = q->nr_segments;

    r->operation = q->indirect_op; /* which the response names, as Linux's front-end insists */
    if (q->indirect_op != XEN_BLKIF_OP_READ && q->indirect_op != XEN_BLKIF_OP_WRITE)
        return refuse_request(b, RULE_BLOCK_OPERATION, q->indirect_op, 0, 0);
    if (n && n <= b->max_segments) {
        if (grant_access_begin(guest(b), q->indirect_grefs[0], true, &page))
            return XEN_BLKIF_RSP_ERROR;
        for (unsigned i = 0; i < n; i++) /* once: what is checked is what is used */
            *(uint64_t *)&seg[i] = ((volatile uint64_t *)page.page)[i];
        grant_access_end(&page);
    }
    return transfer(b, r, q->indirect_op, q->sector_number, seg, n, b->max_segments);
}

/* What r becomes, of a private copy of a slot; or the status of the response. */
static int understand(struct vbd *b, struct request *r, const struct xen_blkif_request *q)
{
    switch (q->operation) {
    case XEN_BLKIF_OP_READ:
    case XEN_BLKIF_OP_WRITE:
        break;
    case XEN_BLKIF_OP_WRITE_BARRIER:
    case XEN_BLKIF_OP_FLUSH_DISKCACHE:
        if (!q->nr_segments)
            return flush(b, r);
        break;
    case XEN_BLKIF_OP_DISCARD:
        return discard(b, r, (const void *)q);
    case XEN_BLKIF_OP_INDIRECT:
        return indirect(b, r, (const void *)q);
    default:
        return refuse_request(b, RULE_BLOCK_OPERATION, q->operation, 0, 0);
    }
    return transfer(b, r, q->operation, q->sector_number, q->seg, q->nr_segments,
                    XEN_BLKIF_MAX_SEGMENTS_PER_REQUEST);
}

static uint64_t id_of(const struct xen_blkif_request *q)
{
    /* In an indirect request it stands at the same place: see the assertion. */
    return q->id;
}
_Static_assert(offsetof(struct xen_blkif_request, id) ==
                       offsetof(struct xen_blkif_request_indirect, id) &&
                   offsetof(struct xen_blkif_request, id) ==
                       offsetof(struct xen_blkif_request_discard, id),
               "one id for all");

static void begin(struct vbd *b, const struct xen_blkif_request *q, uint64_t now)
{
    struct request *r = b->free;
    int status;

    r->bio.op = 0;
    r->bio.fence = false;
    r->bio.segments = 0;
    r->bio.sectors = 0;
    r->bio.arrived = now;
    r->id = id_of(q);
    r->operation = q->operation;
    status = understand(b, r, q);
    if (status != XEN_BLKIF_RSP_OKAY) {
        unpin(r);
        return respond(b, r->id, r->operation, status);
    }
    b->free = r->next;
    b->busy++;
    disk_submit(&r->bio);
}

/* Once, and only what is there: what is checked is what is used. */
static void copy_request(struct xen_blkif_request *to, const struct xen_blkif_request *from)
{
    const volatile uint64_t *f = (const volatile uint64_t *)from;
    uint64_t *t = (uint64_t *)to;
    unsigned n;

    t[0] = f[0];
    t[1] = f[1];
    t[2] = f[2];
    t[3] = f[3];
    n = to->operation == XEN_BLKIF_OP_INDIRECT ? 5 : to->nr_segments;
    if (n > XEN_BLKIF_MAX_SEGMENTS_PER_REQUEST)
        n = XEN_BLKIF_MAX_SEGMENTS_PER_REQUEST;
    for (unsigned i = 1; i < n; i++)
        t[3 + i] = f[3 + i];
}
_Static_assert(sizeof(struct xen_blkif_request_indirect) == 8 * 8 &&
                   sizeof(struct xen_blkif_request_discard) == 4 * 8 &&
                   offsetof(struct xen_blkif_request, seg) == 3 * 8,
               "words of each kind");

/* Take what is in the ring. */
static void consume(struct vbd *b)
{
    struct xen_blkif_request q;
    uint64_t now = plat_now();
    uint32_t prod = __atomic_load_n(&b->ring->req_prod, __ATOMIC_ACQUIRE);

    if (prod - b->req_cons > SLOTS - (b->req_cons - b->published)) {
        xenbus_fail(&b->x, RULE_BLOCK_RING, .port = b->x.id, .value = prod, .limit = b->published);
        return;
    }
    while (b->req_cons != prod) {
        copy_request(&q, &b->ring->ring[b->req_cons++ % SLOTS].req);
        begin(b, &q, now);
    }
}

static bool asked_for_event(struct vbd *b)
{
    if (b->busy >= BUSY)
        return true;
    __atomic_store_n(&b->ring->req_event, b->req_cons + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(
        __ATOMIC_SEQ_CST); /* the front-end sets req_prod, then looks at req_event */
    return __atomic_load_n(&b->ring->req_prod, __ATOMIC_RELAXED) == b->req_cons;
}

static void serve(struct vbd *b)
{
    do
        consume(b);
    while (b->ring && !asked_for_event(b));
    if (b->ring)
        disk_go(b->slice.dev);
}

void block_answer(void)
{
    struct vbd *b;

    while ((b = to_answer) != NULL) {
        to_answer = b->next;
        b->waiting = false;
        serve(b);
        if (b->ring)
            publish(b);
    }
}

/* -- on the bus ------------------------------------------------------------ */

static struct vbd *vbd_of(struct xenbus_device *x)
{
    return (struct vbd *)x;
}

static bool connect(struct xenbus_device *x)
{
    struct vbd *b = vbd_of(x);
    char protocol[16];
    uint32_t ref;
    mfn_t m;

    if (xenbus_read(x, "protocol", protocol, sizeof(protocol)) > 0 &&
        !text_equal(protocol, "x86_64-abi")) {
        xenbus_fail(x, RULE_XENBUS_PROTOCOL, .value = x->id);
        return false;
    }
    if (!xenbus_read_number(x, "ring-ref", &ref)) {
        xenbus_fail(x, RULE_XENBUS_NODE, .value = x->id);
        return false;
    }
    if (!xenbus_bind(x))
        return false;
    if (grant_pin(guest(b), ref, false, &b->ring_pin, &m)) {
        xenbus_fail(x, RULE_XENBUS_RING, .value = x->id, .va = ref);
        return false;
    }
    b->ring = plat_map(m);
    b->req_cons = b->rsp_prod = b->published =
        __atomic_load_n(&b->ring->rsp_prod, __ATOMIC_RELAXED);
    return true;
}

static void disconnect(struct xenbus_device *x)
{
    struct vbd *b = vbd_of(x), **p = &to_answer;

    if (b->waiting) {
        while (*p != b)
            p = &(*p)->next;
        *p = b->next;
        b->waiting = false;
    }
    b->ring = NULL;
    grant_unpin(b->ring_pin);
    if (!b->busy)
        xenbus_drained(x);
}

static void notified(struct xenbus_device *x)
{
    struct vbd *b = vbd_of(x);

    serve(b);
    block_answer();
}

static void gone(struct xenbus_device *x)
{
    struct vbd *b = vbd_of(x);

    heap_free(b->requests, SLOTS * sizeof(*b->requests));
    heap_free(b, sizeof(*b));
}

static const struct xenbus_driver vbd_driver = {"vbd", connect, disconnect, notified, gone};

/* xvda is 51712, xvda1 51713 ... xvdp 51952. */
static void vdev_name(char *name, size_t n, unsigned vdev)
{
    unsigned minor = vdev & 0xff, part = minor & 15;

    if (part)
        text_format(name, n, "xvd%c%u", 'a' + (int)(minor >> 4), part);
    else
        text_format(name, n, "xvd%c", 'a' + (int)(minor >> 4));
}

static void write_nodes(struct vbd *b, const char *name)
{
    struct xenbus_device *x = &b->x;
    const struct blockdev *dev = b->slice.dev;
    char text[16];

    vdev_name(text, sizeof(text), x->id);
    xenbus_write(x, "dev", "%s", text);
    xenbus_write(x, "type", "phy");
    xenbus_write(x, "params", "%s", name);
    xenbus_write(x, "mode", b->slice.readonly ? "r" : "w");
    xenbus_write(x, "device-type", "disk");
    xenbus_write(x, "removable", "0");
    xenbus_write(x, "bootable", "1");
    xenbus_write(x, "hotplug-status", "connected");
    xenbus_write(x, "sectors", "%lu", (unsigned long)b->slice.sectors);
    xenbus_write(x, "sector-size", "%u", SECTOR_SIZE);
    xenbus_write(x, "physical-sector-size", "%u", dev->sector_size);
    xenbus_write(x, "info", "%u", b->slice.readonly ? XEN_VDISK_READONLY : 0);
    xenbus_write(x, "feature-barrier", "1");
    xenbus_write(x, "feature-flush-cache", "1");
    xenbus_write(x, "feature-persistent", "0");
    xenbus_write(x, "feature-max-indirect-segments", "%u", b->max_segments);
    xenbus_write(x, "feature-discard", dev->can_discard && !b->slice.readonly ? "1" : "0");
    if (dev->can_discard) {
        xenbus_write(x, "discard-granularity", "%u", dev->sector_size);
        xenbus_write(x, "discard-alignment", "0");
        xenbus_write(x, "discard-secure", "0");
    }
    xenbus_write_front(x, "virtual-device", "%u", x->id);
    xenbus_write_front(x, "device-type", "disk");
}

bool block_attach(struct domain *d, unsigned vdev, const struct block_slice *slice,
                  const char *name)
{
    const struct blockdev *dev = slice->dev;
    struct vbd *b;

    if (!slice->sectors || slice->first > dev->sectors ||
        slice->sectors > dev->sectors - slice->first || xenbus_find(d, "vbd", vdev))
        return false;
    b = heap_alloc(sizeof(*b));
    if (!b)
        return false;
    b->requests = heap_alloc(SLOTS * sizeof(*b->requests));
    b->slice = *slice;
    b->slice.readonly |= dev->readonly;
    b->max_segments = dev->max_segments < SEGMENTS ? dev->max_segments : SEGMENTS;
    if (!b->requests || !xenbus_add(&b->x, &vbd_driver, d, vdev)) {
        gone(&b->x);
        return false;
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        struct request *r = &b->requests[i];

        r->vbd = b;
        r->next = b->free;
        b->free = r;
        r->bio.dev = slice->dev;
        r->bio.owner = d->id;
        r->bio.segment = r->segment;
        r->bio.end = end;
    }
    write_nodes(b, name);
    xenbus_ready(&b->x);
    return true;
}
