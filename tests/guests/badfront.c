/* SPDX-License-Identifier: MIT */
/*
 * badfront.c - a front-end that lies to the block back-end, and one that works beside it.
 *
 * role=bad tells one lie after the other to the disk that it was given, with the ring and the grant
 * table in plain sight, and says of each how often it was not dealt with as it must be. After most
 * of them it must be served as before; after those that break the ring, when it has connected
 * again. Its last one: it dies with a ring full of writes under way.
 *
 * role=good has another slice of the same disk. It fills it and reads it again, round after round,
 * from before the other begins until after the other is gone. They meet by the event channel that
 * bad has for peer=DOMID, which also tells of its end. tests/guests/badfront.sh looks at the disk.
 */
#include <pv/pv.h>

enum {
    SLOTS = 32,
    REF = 400, /* references from here on are written by hand; libpv gives the lowest */
    TABLE = REF + 64,
    NEVER = REF + 100, /* never lent */
    PAGES = 32,
    NOTHING = 1, /* instead of a status: no answer came, or one to another id */
    OTHER = 2,
};
#define PATIENCE 30000000000ull /* ns */
#define M2P      ((const uint64_t *)0xffff800000000000ul)

static xen_domid_t peer;
static pfn_t page[PAGES];

static void die(const char *what, int err)
{
    pv_printf("%s: %s\n", what, pv_error_name(err));
    pv_sched_shutdown(XEN_SHUTDOWN_reboot);
}

static char *bytes(unsigned i)
{
    return pv_host_page_va(page[i]);
}

static void fill(unsigned i, char c)
{
    __builtin_memset(bytes(i), c, PV_PAGE_SIZE);
}

static uint64_t differ(unsigned i, char c)
{
    uint64_t wrong = 0;

    for (unsigned b = 0; b < PV_PAGE_SIZE; b++)
        wrong += bytes(i)[b] != c;
    return wrong;
}

/* -- good ------------------------------------------------------------------------------------- */

static struct pv_block disk;
static uint64_t failed, wrong_bytes;

static void one_round(char c)
{
    for (uint64_t at = 0; at + 8 <= disk.info.sectors; at += 8) {
        fill(0, c);
        failed += pv_block_rw(&disk, PV_BLOCK_WRITE, at, page[0], 0, PV_PAGE_SIZE) != 0;
    }
    for (uint64_t at = 0; at + 8 <= disk.info.sectors; at += 8) {
        fill(0, '?');
        failed += pv_block_rw(&disk, PV_BLOCK_READ, at, page[0], 0, PV_PAGE_SIZE) != 0;
        wrong_bytes += differ(0, c);
    }
}

static void good(void)
{
    struct xen_evtchn_status status;
    bool gone = false;
    uint64_t deadline;
    unsigned rounds = 0;
    uint32_t port;
    int err = pv_block_open(&disk, 0);

    if (err)
        die("good: the disk", err);
    one_round('0');
    for (uint32_t p = 1; pv_event_bind_interdomain(peer, p, &port); p = p % 64 + 1)
        pv_time_sleep(100000);
    pv_event_send(port);
    for (deadline = pv_time_now() + 6 * PATIENCE; !gone && pv_time_now() < deadline; rounds++) {
        gone = pv_event_status(port, &status) == 0 && status.status != XEN_EVTCHNSTAT_interdomain;
        one_round(gone ? 'G' : (char)('a' + rounds % 26));
    }
    pv_printf("good: %s, %lu requests failed, %lu bytes were wrong\n",
              gone ? "outlived the other" : "DID NOT OUTLIVE THE OTHER", failed, wrong_bytes);
    pv_block_close(&disk);
}

/* -- bad: its end of the disk --------------------------------------------------------------------
 */

static struct front {
    struct pv_xenbus bus; /* first: the driver is given it */
    struct xen_blkif_sring *ring;
    struct xen_grant_entry_v1 *grants;
    uint64_t *p2m;
    xen_grant_ref_t ring_ref;
    uint32_t port, req_prod, rsp_cons;
    uint64_t id; /* the last one */
} front;

static void lend_machine_frame(xen_grant_ref_t ref, uint64_t mfn, unsigned flags)
{
    struct xen_grant_entry_v1 *e = &front.grants[ref];

    __atomic_store_n(&e->flags, 0, __ATOMIC_RELEASE);
    e->domid = front.bus.peer;
    e->frame = (uint32_t)mfn;
    __atomic_store_n(&e->flags, (uint16_t)(XEN_GTF_permit_access | flags), __ATOMIC_RELEASE);
}

static void lend(xen_grant_ref_t ref, pfn_t frame, unsigned flags)
{
    lend_machine_frame(ref, front.p2m[frame.n], flags);
}

static int publish(struct pv_xenbus *bus, uint32_t tx)
{
    int err = 0;

    if (!front.ring) {
        pfn_t f = pv_host_page_alloc();

        front.ring = pv_host_page_va(f);
        err = pv_grant_publish(bus->peer, f, false, &front.ring_ref);
    }
    if (!err && !front.port) {
        __builtin_memset(front.ring, 0, PV_PAGE_SIZE);
        front.ring->req_event = front.ring->rsp_event = 1;
        front.req_prod = front.rsp_cons = 0;
        err = pv_event_alloc_unbound(bus->peer, &front.port);
    }
    err = err ?: pv_xenstore_printf(tx, bus->front, "ring-ref", "%u", front.ring_ref);
    err = err ?: pv_xenstore_printf(tx, bus->front, "event-channel", "%u", front.port);
    return err ?: pv_xenstore_printf(tx, bus->front, "protocol", "x86_64-abi");
}

static int connected(struct pv_xenbus *bus)
{
    (void)bus;
    return 0;
}

static void disconnected(struct pv_xenbus *bus)
{
    (void)bus;
}

static const struct pv_xenbus_driver driver = {
    .kind = "vbd",
    .announced = XEN_XenbusStateInitialised,
    .publish = publish,
    .connect = connected,
    .disconnect = disconnected,
};

/* The back-end gives the ring up; then another connection. 0, or 1: it did not, or will not. */
static unsigned broken(void)
{
    uint64_t deadline = pv_time_now() + PATIENCE;
    int err;

    for (; pv_xenbus_connected(&front.bus) && pv_time_now() < deadline; pv_xenstore_poll())
        pv_time_sleep(1000000);
    if (pv_xenbus_connected(&front.bus))
        return 1;
    pv_xenbus_close(&front.bus);
    pv_event_close(front.port);
    front.port = 0;
    err = pv_xenbus_open(&front.bus, &driver, front.bus.id);
    if (err)
        die("bad: connecting again", err);
    return 0;
}

static struct xen_blkif_request *ask(unsigned op, uint64_t sector, xen_grant_ref_t ref)
{
    struct xen_blkif_request *q = &front.ring->ring[front.req_prod++ % SLOTS].req;

    __builtin_memset(q, 0, sizeof(*q));
    q->operation = (uint8_t)op;
    q->nr_segments = 1;
    q->id = ++front.id;
    q->sector_number = sector;
    q->seg[0] = (struct xen_blkif_request_segment){ref, 0, 7};
    return q;
}

/* The same by n segments (all of one page) that lie in the page lent as TABLE. */
static struct xen_blkif_request_indirect *ask_indirect(unsigned op, uint64_t sector, unsigned n)
{
    struct xen_blkif_request_indirect *q = (void *)ask(XEN_BLKIF_OP_INDIRECT, sector, 0);
    struct xen_blkif_request_segment *seg = (void *)bytes(PAGES - 1);

    q->indirect_op = (uint8_t)op;
    q->nr_segments = (uint16_t)n;
    q->indirect_grefs[0] = TABLE;
    for (unsigned i = 0; i < n && i < 512; i++)
        seg[i] = (struct xen_blkif_request_segment){REF, 0, 7};
    lend(TABLE, page[PAGES - 1], XEN_GTF_readonly);
    return q;
}

static void send(void)
{
    __atomic_store_n(&front.ring->req_prod, front.req_prod, __ATOMIC_RELEASE);
    pv_event_send(front.port);
}

static uint32_t answers(void)
{
    uint32_t n = __atomic_load_n(&front.ring->rsp_prod, __ATOMIC_ACQUIRE) - front.rsp_cons;

    return n <= SLOTS ? n : 0; /* what we wrote there ourselves is no answer */
}

/* The status of the next answer, which must be to this id. */
static int answer(uint64_t id)
{
    uint64_t deadline = pv_time_now() + PATIENCE;
    const struct xen_blkif_response *r;

    while (!answers() && pv_time_now() < deadline) {
        front.ring->rsp_event = front.rsp_cons + 1;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (!answers())
            pv_sched_poll(&front.port, 1, pv_time_now() + 100000000);
        pv_event_take(front.port);
    }
    if (!answers())
        return NOTHING;
    r = &front.ring->ring[front.rsp_cons++ % SLOTS].rsp;
    return r->id == id ? r->status : OTHER;
}

/* What was asked last is sent; 1 if the answer is another one than that. */
static unsigned unless(int status)
{
    int got;

    send();
    got = answer(front.id);
    if (got != status)
        pv_printf("bad: status %d instead of %d\n", got, status);
    return got != status;
}

/* -- its lies: each returns how often it was not dealt with as it must be -----------------------
 */

static unsigned works(void)
{
    unsigned wrong;

    fill(0, 'w');
    lend(REF, page[0], 0);
    ask(XEN_BLKIF_OP_WRITE, 0, REF);
    wrong = unless(XEN_BLKIF_RSP_OKAY);
    fill(0, '?');
    ask(XEN_BLKIF_OP_READ, 0, REF);
    return wrong + unless(XEN_BLKIF_RSP_OKAY) + (differ(0, 'w') != 0);
}

static unsigned references(void)
{
    unsigned wrong = 0;

    ask(XEN_BLKIF_OP_READ, 0, 0x7fffffff);
    wrong += unless(XEN_BLKIF_RSP_ERROR);
    ask(XEN_BLKIF_OP_READ, 0, NEVER);
    wrong += unless(XEN_BLKIF_RSP_ERROR);
    lend(REF, page[0], 0);
    front.grants[REF].domid = peer;
    ask(XEN_BLKIF_OP_READ, 0, REF);
    wrong += unless(XEN_BLKIF_RSP_ERROR);
    lend(REF, page[0], XEN_GTF_readonly);
    ask(XEN_BLKIF_OP_READ, 0, REF);
    wrong += unless(XEN_BLKIF_RSP_ERROR);
    front.grants[REF].flags = XEN_GTF_accept_transfer;
    ask(XEN_BLKIF_OP_WRITE, 0, REF);
    return wrong + unless(XEN_BLKIF_RSP_ERROR);
}

static bool is_mine(uint64_t mfn)
{
    return M2P[mfn] < pv_start_pages() && front.p2m[M2P[mfn]] == mfn;
}

/* The hypervisor's memory, the other guest's, nobody's; our own page tables. */
static unsigned frames(void)
{
    const struct xen_start_info *si = pv_start_info();
    uint64_t top = (uint64_t)pv_hypercall_memory_op(XENMEM_maximum_ram_page, NULL);
    uint64_t tables = si->pt_base - (uint64_t)pv_host_page_va(pfn(0));
    unsigned wrong = 0, asked = 0;

    for (uint64_t m = 0; m < top; m += top / 256) {
        if (is_mine(m))
            continue;
        lend_machine_frame(REF, m, 0);
        ask(XEN_BLKIF_OP_READ, 0, REF);
        wrong += unless(XEN_BLKIF_RSP_ERROR);
        ask(XEN_BLKIF_OP_WRITE, 0, REF);
        wrong += unless(XEN_BLKIF_RSP_ERROR);
        asked++;
    }
    lend_machine_frame(REF, 0xffffffff, 0);
    ask(XEN_BLKIF_OP_READ, 0, REF);
    wrong += unless(XEN_BLKIF_RSP_ERROR);
    lend(REF, pfn(tables >> PV_PAGE_SHIFT), 0);
    ask(XEN_BLKIF_OP_READ, 0, REF);
    wrong += unless(XEN_BLKIF_RSP_ERROR);
    return wrong + (asked < 64);
}

static unsigned requests(void)
{
    static const struct {
        uint8_t op, segments, first, last;
        int8_t status;
        uint64_t sector;
    } bad[] = {
        {XEN_BLKIF_OP_RESERVED_1, 1, 0, 7, XEN_BLKIF_RSP_EOPNOTSUPP, 0},
        {255, 1, 0, 7, XEN_BLKIF_RSP_EOPNOTSUPP, 0},
        {XEN_BLKIF_OP_READ, 0, 0, 7, XEN_BLKIF_RSP_ERROR, 0},
        {XEN_BLKIF_OP_WRITE, 12, 0, 7, XEN_BLKIF_RSP_ERROR, 0},
        {XEN_BLKIF_OP_WRITE, 255, 0, 7, XEN_BLKIF_RSP_ERROR, 0},
        {XEN_BLKIF_OP_WRITE, 1, 0, 8, XEN_BLKIF_RSP_ERROR, 0},
        {XEN_BLKIF_OP_WRITE, 1, 5, 4, XEN_BLKIF_RSP_ERROR, 0},
        {XEN_BLKIF_OP_READ, 1, 0, 255, XEN_BLKIF_RSP_ERROR, 0},
        {XEN_BLKIF_OP_WRITE, 1, 0, 7, XEN_BLKIF_RSP_ERROR, 1017},
        {XEN_BLKIF_OP_WRITE, 1, 0, 7, XEN_BLKIF_RSP_ERROR, 1ull << 63},
        {XEN_BLKIF_OP_WRITE, 1, 0, 7, XEN_BLKIF_RSP_ERROR, -8ull},
        {XEN_BLKIF_OP_WRITE, 1, 0, 7, XEN_BLKIF_RSP_ERROR, -448ull}, /* so far back lies good's */
        {XEN_BLKIF_OP_DISCARD, 1, 0, 7, XEN_BLKIF_RSP_ERROR, -448ull},
    };
    unsigned wrong = 0;

    lend(REF, page[0], 0);
    for (unsigned i = 0; i < PV_ARRAY_SIZE(bad); i++) {
        struct xen_blkif_request *q = ask(bad[i].op, bad[i].sector, REF);

        q->nr_segments = bad[i].segments;
        q->seg[0].first_sect = bad[i].first;
        q->seg[0].last_sect = bad[i].last;
        wrong += unless(bad[i].status);
    }
    for (unsigned n = 0; n < 3; n++) {
        ask_indirect(XEN_BLKIF_OP_WRITE, 0, (const unsigned[]){0, 33, 65535}[n]);
        wrong += unless(XEN_BLKIF_RSP_ERROR);
    }
    ask_indirect(XEN_BLKIF_OP_INDIRECT, 0, 1);
    return wrong + unless(XEN_BLKIF_RSP_EOPNOTSUPP);
}

/* An id is the guest's own: a ring full of one. */
static unsigned ids(void)
{
    unsigned wrong = 0;

    lend(REF, page[0], 0);
    for (unsigned i = 0; i < SLOTS; i++)
        ask(XEN_BLKIF_OP_READ, i * 8, REF)->id = 77;
    send();
    for (unsigned i = 0; i < SLOTS; i++)
        wrong += answer(77) != XEN_BLKIF_RSP_OKAY;
    return wrong;
}

/* What was checked is what is done: sector and page in the slot, or segments in their page, are
 * others as soon as the back-end was told. (The slot's first 16 bytes may be the answer by then.)
 */
static unsigned changes(void)
{
    unsigned wrong = 0;

    fill(1, 'X');
    lend(REF + 1, page[1], 0);
    for (unsigned i = 0; i < 16; i++) {
        struct xen_blkif_request *q;

        fill(0, (char)('A' + i));
        lend(REF, page[0], 0);
        if (i % 2)
            q = (void *)ask_indirect(XEN_BLKIF_OP_WRITE, i * 16, 1);
        else
            q = ask(XEN_BLKIF_OP_WRITE, i * 16, REF);
        send();
        q->sector_number = i * 16 + 8;
        q->seg[0] = (struct xen_blkif_request_segment){REF + 1, 0, 7};
        *(struct xen_blkif_request_segment *)bytes(PAGES - 1) = q->seg[0];
        wrong += answer(front.id) != XEN_BLKIF_RSP_OKAY;
        fill(0, '?');
        ask(XEN_BLKIF_OP_READ, i * 16, REF);
        wrong += unless(XEN_BLKIF_RSP_OKAY) + (differ(0, (char)('A' + i)) != 0);
        ask(XEN_BLKIF_OP_READ, i * 16 + 8, REF);
        wrong += unless(XEN_BLKIF_RSP_OKAY) + (bytes(0)[0] == 'X');
    }
    return wrong;
}

/* The pages of a full ring are taken back, and given to the hypervisor, while the disk has them. */
static unsigned revoked(unsigned op)
{
    unsigned wrong = 0;

    for (unsigned i = 0; i < PAGES; i++) {
        fill(i, 'r');
        lend(REF + i, page[i], 0);
        ask(op, i * 8, REF + i)->id = 77;
    }
    send();
    for (unsigned i = 0; i < PAGES; i++)
        front.grants[REF + i] = (struct xen_grant_entry_v1){0, 0, 0};
    wrong += pv_memory_release(page, PAGES) != PAGES;
    for (unsigned i = 0; i < PAGES; i++)
        wrong += answer(77) != XEN_BLKIF_RSP_OKAY;
    return wrong + (pv_memory_reclaim(page, PAGES) != PAGES);
}

static unsigned revocations(void)
{
    unsigned wrong = revoked(XEN_BLKIF_OP_WRITE) + revoked(XEN_BLKIF_OP_READ);

    lend(REF, page[0], 0);
    for (unsigned i = 0; i < PAGES; i++) { /* what was written is what was in the pages then */
        ask(XEN_BLKIF_OP_READ, i * 8, REF);
        wrong += unless(XEN_BLKIF_RSP_OKAY) + (differ(0, 'r') != 0);
    }
    return wrong;
}

static unsigned indices(void)
{
    static const uint32_t jumps[] = {SLOTS + 1, 1u << 31, (1u << 31) + 5, ~0u};
    unsigned wrong = 0;

    for (unsigned i = 0; i < PV_ARRAY_SIZE(jumps); i++) {
        wrong += works();
        front.req_prod += jumps[i];
        send();
        wrong += broken();
    }
    lend(REF, page[0], 0);
    ask(XEN_BLKIF_OP_READ, 0, REF); /* what the back-end has written is none of its sources */
    front.ring->rsp_prod = front.ring->req_event = 0xdeadbeef;
    return wrong + unless(XEN_BLKIF_RSP_OKAY);
}

/* The ring itself as a buffer: the disk's contents are its indices. */
static unsigned ring_as_buffer(void)
{
    ask(XEN_BLKIF_OP_READ, 0, front.ring_ref);
    send();
    return broken();
}

static const struct {
    const char *name;
    unsigned (*tell)(void);
} lies[] = {
    {"references", references}, {"frames", frames},
    {"requests", requests},     {"ids", ids},
    {"changes", changes},       {"revocations", revocations},
    {"indices", indices},       {"ring as a buffer", ring_as_buffer},
};

static void open_all(void)
{
    uint32_t id, port;
    int err = pv_event_alloc_unbound(peer, &port);

    if (err)
        die("bad: a port", err);
    while (!pv_event_take(port))
        pv_sched_poll(&port, 1, 0);
    front.grants = pv_host_window_alloc(0); /* where the table will be */
    err = pv_grant_init(1);
    front.p2m = (uint64_t *)pv_start_info()->mfn_list;
    err = err ?: pv_xenbus_find(driver.kind, 0, &id);
    err = err ?: pv_xenbus_open(&front.bus, &driver, id);
    if (err)
        die("bad: the disk", err);
}

static void bad(void)
{
    open_all();
    for (unsigned i = 0; i < PV_ARRAY_SIZE(lies); i++) {
        unsigned wrong = lies[i].tell();

        pv_printf("bad: %s: %u wrong, %u afterwards\n", lies[i].name, wrong, works());
    }
    for (unsigned i = 0; i < PAGES; i++) {
        fill(i, 'k');
        lend(REF + i, page[i], 0);
        ask(XEN_BLKIF_OP_WRITE, 512 + i * 8, REF + i);
    }
    send();
    pv_sched_crash();
}

int pv_host_main(const char *cmdline __attribute__((unused)))
{
    const char *role = pv_start_option("role", &(size_t){0});

    peer = (xen_domid_t)pv_start_number("peer", XEN_DOMID_INVALID);
    for (unsigned i = 0; i < PAGES; i++)
        page[i] = pv_host_page_alloc();
    if (role && *role == 'b')
        bad();
    if (pv_grant_init(4))
        return 1;
    good();
    return 0;
}
