/* SPDX-License-Identifier: MIT */
/*
 * block.c - the datapath of disks: requests into ring requests, responses into completions. How the
 * two ends meet is block_connect.c's.
 *
 *     first ─► r ─► r ─► r ─► r ◄─ last        all requests under way, in order of submission
 *                        ▲
 *                      unsent                  those before it are in the ring entirely
 *
 * A flight is a slot of the ring: its number is the id that the back-end must return, its cookie
 * the request of which it carries a part. d->lock covers all of this; done() is called without it.
 *
 * Nothing that the back-end writes is used before it was copied and found possible.
 */
#include <pv/block.h>
#include <pv/abi/errno.h>
#include <pv/event.h>
#include <pv/grant.h>
#include <pv/host.h>
#include <pv/sched.h>
#include <pv/time.h>
#include "internal.h"

#define NAP       10000000ull /* ns */
#define SHIFT     9
#define PER_TABLE (PV_PAGE_SIZE / sizeof(struct xen_blkif_request_segment))

PV_STATIC_ASSERT(PV_BLOCK_PIECES <= PER_TABLE, "one page describes an indirect request");
PV_STATIC_ASSERT(PV_BLOCK_INFLIGHT <= PV_RING_IDS, "each flight has an id");

static bool enter(struct pv_block *d)
{
    bool state = pv_events_disable();

    while (__atomic_test_and_set(&d->lock, __ATOMIC_ACQUIRE))
        pv_host_relax();
    return state;
}

static void leave(struct pv_block *d, bool state)
{
    __atomic_clear(&d->lock, __ATOMIC_RELEASE);
    pv_events_restore(state);
}

/* Lists ------------------------------------------------------------------------------------ */

static void append(struct pv_block *d, struct pv_block_request *r)
{
    r->next = NULL;
    r->prev = d->last;
    if (d->last)
        d->last->next = r;
    else
        d->first = r;
    d->last = r;
    if (!d->unsent)
        d->unsent = r;
}

/* Takes a request out and puts it on the list of those whose done() is due. */
static void finish(struct pv_block *d, struct pv_block_request *r, struct pv_block_request **ended)
{
    if (d->unsent == r)
        d->unsent = r->next;
    *(r->prev ? &r->prev->next : &d->first) = r->next;
    *(r->next ? &r->next->prev : &d->last) = r->prev;
    while (*ended)
        ended = &(*ended)->next;
    r->next = NULL;
    *ended = r;
}

static unsigned call_done(struct pv_block_request *ended)
{
    unsigned n = 0;

    for (struct pv_block_request *next; ended; ended = next, n++) {
        next = ended->next;
        ended->done(ended, ended->status);
    }
    return n;
}

/* Grants of one flight. False: the back-end still has one of the pages. */
static bool end_grants(struct pv_block_flight *f)
{
    bool all = true;

    for (; f->nr_refs; f->nr_refs--)
        all &= pv_grant_end(f->ref[f->nr_refs - 1]) == 0;
    return all;
}

/* Out -------------------------------------------------------------------------------------- */

union any_request {
    struct xen_blkif_request plain;
    struct xen_blkif_request_indirect indirect;
    struct xen_blkif_request_discard discard;
};

static struct pv_block_segment segment(const struct pv_block_request *r, unsigned i)
{
    return r->piece ? r->piece(r, i) : r->segs[i];
}

static unsigned pieces_left(const struct pv_block_request *r, unsigned max)
{
    unsigned n = 0;

    for (unsigned i = r->seg, at = r->at; i < r->nr_segs && n < max; i++, at = 0) {
        struct pv_block_segment s = segment(r, i);
        uint32_t begin = s.offset + at, end = s.offset + s.bytes;

        n += (end - 1) / PV_PAGE_SIZE - begin / PV_PAGE_SIZE + 1;
    }
    return n < max ? n : max;
}

/*
 * Lends up to max pages of the request, from where it is; counts sectors. How many pages; none, and
 * there were some to lend: the error of the first.
 */
static int lend(struct pv_block *d, struct pv_block_request *r, struct pv_block_flight *f,
                struct xen_blkif_request_segment *out, int max, uint64_t *sectors)
{
    int n = 0;

    while (n < max && r->seg < r->nr_segs) {
        struct pv_block_segment s = segment(r, r->seg);
        uint32_t begin = s.offset + r->at, in_page = begin & PV_PAGE_MASK;
        uint32_t bytes = s.bytes - r->at;
        int err = pv_grant_publish(d->bus.peer, pfn_add(s.frame, begin >> PV_PAGE_SHIFT),
                                   r->op != PV_BLOCK_READ, &f->ref[n]);

        if (err)
            return n ? n : err;
        if (bytes > PV_PAGE_SIZE - in_page)
            bytes = PV_PAGE_SIZE - in_page;
        out[n] = (struct xen_blkif_request_segment){f->ref[n], (uint8_t)(in_page >> SHIFT),
                                                    (uint8_t)(((in_page + bytes) >> SHIFT) - 1)};
        f->nr_refs = (uint32_t)++n;
        *sectors += bytes >> SHIFT;
        r->at += bytes;
        if (r->at == s.bytes) {
            r->seg++;
            r->at = 0;
        }
    }
    return n;
}

/* The flight's own page for long lists, lent for good. */
static bool have_table(struct pv_block *d, struct pv_block_flight *f)
{
    if (pfn_valid(f->table))
        return true;
    f->table = pv_host_page_alloc();
    if (pfn_valid(f->table) && pv_grant_publish(d->bus.peer, f->table, true, &f->table_ref)) {
        pv_host_page_free(f->table);
        f->table = PV_PFN_INVALID;
    }
    return pfn_valid(f->table);
}

/* Reads, writes, barriers: as much of the request as one flight takes. */
static int fill(struct pv_block *d, struct pv_block_request *r, struct pv_block_flight *f,
                union any_request *q, uint64_t sector, uint64_t *sectors)
{
    static const uint8_t ops[] = {[PV_BLOCK_READ] = XEN_BLKIF_OP_READ,
                                  [PV_BLOCK_WRITE] = XEN_BLKIF_OP_WRITE,
                                  [PV_BLOCK_BARRIER] = XEN_BLKIF_OP_WRITE_BARRIER};
    struct xen_blkif_request_segment *table = q->plain.seg;
    uint16_t handle = (uint16_t)d->bus.id;
    const unsigned few = XEN_BLKIF_MAX_SEGMENTS_PER_REQUEST;
    bool indirect = r->op != PV_BLOCK_BARRIER && d->info.pieces > few &&
                    pieces_left(r, few + 1) > few && have_table(d, f);
    int n;

    if (indirect)
        table = pv_host_page_va(f->table);
    n = lend(d, r, f, table, (int)(indirect ? d->info.pieces : few), sectors);
    if (n < 0)
        return n;
    if (indirect) {
        q->indirect.operation = XEN_BLKIF_OP_INDIRECT;
        q->indirect.indirect_op = ops[r->op];
        q->indirect.nr_segments = (uint16_t)n;
        q->indirect.sector_number = sector;
        q->indirect.handle = handle;
        q->indirect.indirect_grefs[0] = f->table_ref;
    } else {
        q->plain.operation = ops[r->op];
        q->plain.nr_segments = (uint8_t)n;
        q->plain.handle = handle;
        q->plain.sector_number = sector;
    }
    r->sent = r->seg == r->nr_segs;
    return 0;
}

/* One flight of the request. -XEN_ENOSPC: no slot or no grant; -XEN_EINVAL: no such frame. */
static int send_one(struct pv_block *d, struct pv_block_request *r)
{
    union any_request q;
    uint64_t sectors = 0;
    int id = pv_ring_ids_take(&d->ids, r), err = 0;
    void *cookie;

    if (id < 0)
        return id;
    __builtin_memset(&q, 0, sizeof(q)); /* nothing of ours leaks into the ring */
    if (r->op == PV_BLOCK_FLUSH || r->flushing) {
        q.plain.operation = d->flush_op;
        q.plain.handle = (uint16_t)d->bus.id;
        r->sent = true;
    } else if (r->op == PV_BLOCK_DISCARD) {
        q.discard.operation = XEN_BLKIF_OP_DISCARD;
        q.discard.handle = (uint16_t)d->bus.id;
        q.discard.sector_number = r->sector;
        q.discard.nr_sectors = r->sectors;
        r->sent = true;
    } else {
        err = fill(d, r, &d->flight[id], &q, r->sector + r->sectors, &sectors);
        r->sectors += sectors;
    }
    if (err) {
        pv_ring_ids_end(&d->ids, (uint64_t)id, &cookie);
        return err;
    }
    /* The id lies elsewhere in an indirect request. */
    if (q.plain.operation == XEN_BLKIF_OP_INDIRECT)
        q.indirect.id = (uint64_t)id;
    else
        q.plain.id = (uint64_t)id;
    r->flights++;
    d->flights++;
    return pv_blkif_front_put(&d->ring, &q.plain);
}

/* Into the ring what has room there. What has failed in part is not sent any further. */
static void push(struct pv_block *d, struct pv_block_request **ended)
{
    while (d->up && d->unsent) {
        struct pv_block_request *r = d->unsent;
        int err = r->status ? r->status : send_one(d, r);

        if (err == -XEN_ENOSPC && d->flights)
            break; /* until a response brings room */
        if (err) {
            r->status = err;
            r->sent = true;
        }
        if (!r->sent)
            continue;
        d->unsent = r->next;
        if (!r->flights)
            finish(d, r, ended);
    }
}

static void notify(struct pv_block *d)
{
    if (d->up && pv_blkif_front_publish(&d->ring)) {
        d->notifications++;
        pv_event_send(d->port);
    }
}

static bool aligned(const struct pv_block *d, const struct pv_block_request *r, uint64_t *sectors)
{
    uint32_t mask = d->info.sector_bytes - 1;

    *sectors = 0;
    for (unsigned i = 0; i < r->nr_segs; i++) {
        struct pv_block_segment s = segment(r, i);

        if (!s.bytes || s.offset >= PV_PAGE_SIZE || ((s.offset | s.bytes) & mask) ||
            s.bytes > UINT32_MAX - PV_PAGE_SIZE)
            return false;
        *sectors += s.bytes >> SHIFT;
    }
    return !(r->sector & (mask >> SHIFT));
}

static int check(const struct pv_block *d, struct pv_block_request *r)
{
    uint64_t sectors;

    if (!d->up && !d->suspended)
        return -XEN_EIO;
    if (d->info.readonly && r->op != PV_BLOCK_READ && r->op != PV_BLOCK_FLUSH)
        return -XEN_EROFS;
    if ((r->op == PV_BLOCK_FLUSH && !d->info.flush) ||
        (r->op == PV_BLOCK_BARRIER && !d->info.barrier) ||
        (r->op == PV_BLOCK_DISCARD && !d->info.discard))
        return -XEN_EOPNOTSUPP;
    if (r->op == PV_BLOCK_FLUSH)
        return 0;
    if (r->op == PV_BLOCK_DISCARD)
        sectors = r->sectors;
    else if (r->op > PV_BLOCK_BARRIER || !aligned(d, r, &sectors))
        return -XEN_EINVAL;
    else
        r->sectors = 0; /* counts what was sent */
    if (!sectors && r->op != PV_BLOCK_BARRIER)
        return -XEN_EINVAL;
    return r->sector <= d->info.sectors && sectors <= d->info.sectors - r->sector ? 0 : -XEN_EINVAL;
}

static int submit(struct pv_block *d, struct pv_block_request *r, bool kick)
{
    struct pv_block_request *ended = NULL;
    bool state = enter(d);
    int err = check(d, r);

    if (!err) {
        r->status = 0;
        r->at = r->seg = r->flights = 0;
        r->sent = r->flushing = false;
        append(d, r);
        push(d, &ended);
    }
    if (kick)
        notify(d);
    leave(d, state);
    call_done(ended);
    return err;
}

int pv_block_submit(struct pv_block *d, struct pv_block_request *r)
{
    return submit(d, r, true);
}

int pv_block_queue(struct pv_block *d, struct pv_block_request *r)
{
    return submit(d, r, false);
}

void pv_block_kick(struct pv_block *d)
{
    bool state = enter(d);

    notify(d);
    leave(d, state);
}

/* In --------------------------------------------------------------------------------------- */

/* What the back-end says of a flight, as an error of ours; 1: what it can't say. */
static int status_of(struct pv_block *d, const struct pv_block_request *r, int16_t status)
{
    switch (status) {
    case XEN_BLKIF_RSP_OKAY:
        return 0;
    case XEN_BLKIF_RSP_ERROR:
        return -XEN_EIO;
    case XEN_BLKIF_RSP_EOPNOTSUPP:
        if (r->op == PV_BLOCK_DISCARD)
            d->info.discard = false;
        else if (r->op == PV_BLOCK_BARRIER)
            d->info.barrier = false;
        else if (r->op == PV_BLOCK_FLUSH || r->flushing)
            d->info.flush = false;
        return -XEN_EOPNOTSUPP;
    default:
        return 1;
    }
}

/* One response. Why the back-end is not to be believed any more, or NULL. */
static const char *take(struct pv_block *d, const struct xen_blkif_response *rsp,
                        struct pv_block_request **ended)
{
    struct pv_block_request *r;
    void *cookie;
    int status;

    if (!pv_ring_ids_end(&d->ids, rsp->id, &cookie))
        return "and answers what was not asked";
    r = cookie;
    r->flights--;
    d->flights--;
    status = status_of(d, r, rsp->status);
    if (!end_grants(&d->flight[rsp->id])) {
        r->status = -XEN_EBUSY;
        return "and keeps pages that it is through with";
    }
    if (status > 0)
        return "and answers with a status that there is not";
    if (!r->status)
        r->status = status;
    if (r->flights || !r->sent)
        return NULL;
    if (r->fua && r->op == PV_BLOCK_WRITE && !r->status && !r->flushing && d->info.flush) {
        r->flushing = true;
        send_one(d, r); /* the slot of this response is free */
    } else {
        finish(d, r, ended);
    }
    return NULL;
}

unsigned pv_block_poll(struct pv_block *d)
{
    struct pv_block_request *ended = NULL;
    struct xen_blkif_response rsp;
    const char *why = NULL;
    bool state = enter(d);
    int got = 0;

    pv_event_take(d->port);
    while (d->up && !why) {
        while (!why && (got = pv_blkif_front_get(&d->ring, &rsp)) > 0)
            why = take(d, &rsp, &ended);
        if (got < 0)
            why = "and its ring's indices are impossible";
        push(d, &ended);
        notify(d);
        if (pv_blkif_front_sleep(&d->ring))
            break;
    }
    leave(d, state);
    if (why)
        pv_xenbus_fail(&d->bus, why);
    return call_done(ended);
}

/* Waiting ---------------------------------------------------------------------------------- */

static void waited(struct pv_block_request *r, int status)
{
    (void)status;
    __atomic_store_n((bool *)r->arg, true, __ATOMIC_RELEASE);
}

int pv_block_do(struct pv_block *d, struct pv_block_request *r)
{
    uint32_t store = pv_xenstore_port();
    bool over = false;
    int err;

    r->done = waited;
    r->arg = &over;
    err = pv_block_submit(d, r);
    while (!err && !__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        uint32_t ports[2] = {d->port, store}; /* it may change: a suspend */
        bool state = pv_events_disable();

        if (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) /* by an event, just now */
            pv_sched_poll(ports, store ? 2 : 1, pv_time_now() + NAP);
        pv_block_poll(d);
        pv_xenstore_poll(); /* the back-end may go */
        pv_events_restore(state);
    }
    return err ? err : r->status;
}

int pv_block_rw(struct pv_block *d, enum pv_block_op op, uint64_t sector, pfn_t frame,
                uint32_t offset, uint32_t bytes)
{
    struct pv_block_segment s = {frame, offset, bytes};
    struct pv_block_request r = {.op = op, .sector = sector, .nr_segs = bytes > 0, .segs = &s};

    return pv_block_do(d, &r);
}

/* For block_connect.c ---------------------------------------------------------------------- */

void pv_block_start(struct pv_block *d)
{
    struct pv_block_request *ended = NULL;
    bool state = enter(d);

    d->up = true;
    d->suspended = false;
    push(d, &ended);
    notify(d);
    leave(d, state);
    call_done(ended);
}

void pv_block_stop(struct pv_block *d)
{
    struct pv_block_request *ended = NULL;
    bool state = enter(d);
    void *cookie;

    d->up = d->suspended = false;
    d->flights = 0;
    for (unsigned id = 0; id < PV_BLOCK_INFLIGHT; id++)
        if (pv_ring_ids_end(&d->ids, id, &cookie) && !end_grants(&d->flight[id]))
            ((struct pv_block_request *)cookie)->status = -XEN_EBUSY;
    while (d->first) {
        struct pv_block_request *r = d->first;

        if (r->status != -XEN_EBUSY)
            r->status = -XEN_EIO;
        finish(d, r, &ended);
    }
    leave(d, state);
    call_done(ended);
}

void pv_block_pause(struct pv_block *d)
{
    bool state = enter(d);

    d->up = false;
    d->suspended = true;
    leave(d, state);
}

void pv_block_rewind(struct pv_block *d)
{
    bool state = enter(d);
    void *cookie;

    d->flights = 0;
    for (unsigned id = 0; id < PV_BLOCK_INFLIGHT; id++)
        if (pv_ring_ids_end(&d->ids, id, &cookie))
            end_grants(&d->flight[id]);
    for (struct pv_block_request *r = d->first; r; r = r->next) {
        if (r->op != PV_BLOCK_DISCARD)
            r->sectors = 0;
        r->at = r->seg = r->flights = 0;
        r->status = 0;
        r->sent = r->flushing = false;
    }
    d->unsent = d->first;
    leave(d, state);
}
