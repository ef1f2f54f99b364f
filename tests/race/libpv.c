/* SPDX-License-Identifier: MIT */
/*
 * libpv.c - what two guests, or a guest and the hypervisor, do to one page at the same time: both
 * ends of a ring in two threads with real sleeping, grants that end while they are being taken, and
 * a store that sleeps while its ring is full.
 *
 * Under ThreadSanitizer, which also sees accesses that only happened to go well. A plain main(),
 * because Criterion does not live with it. A lost wake-up is a test that hangs: alarm() ends it.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "tests/unit/libpv/fake.h"

#define REQUESTS 300000
#define GRANTS   20000
#define REPLIES  4000
#define PATIENCE 120 /* seconds */

#define WANT(cond)                                                \
    do {                                                          \
        if (!(cond)) {                                            \
            printf("not ok - libpv.c:%d: %s\n", __LINE__, #cond); \
            exit(1);                                              \
        }                                                         \
    } while (0)

/* The ring --------------------------------------------------------------------------------- */

struct number {
    uint32_t id, value;
};
PV_RING(square, struct number, struct number)

static char page[PV_PAGE_SIZE] __attribute__((aligned(PV_PAGE_SIZE)));
static struct square_ring *const ring = (struct square_ring *)page;
static sem_t front_event, back_event; /* event channels: more than one event counts as one */
static unsigned front_events, back_events;

static void send(sem_t *event, unsigned *count)
{
    int pending;

    sem_getvalue(event, &pending);
    if (!pending)
        sem_post(event);
    ++*count;
}

/* Up to twenty at once, and sleep until several have come. */
static void *batching_back_thread(void *arg)
{
    struct square_back back;
    struct number n[20];
    uint32_t served = 0;

    (void)arg;
    square_back_init(&back, ring, sizeof(page));
    while (served < REQUESTS) {
        int got;

        while ((got = square_back_get_n(&back, n, 20)) > 0) {
            for (int i = 0; i < got; i++) {
                WANT(n[i].id == served++);
                n[i].value *= n[i].value;
            }
            WANT(square_back_put_n(&back, n, (unsigned)got) == (unsigned)got);
        }
        WANT(got == 0);
        if (square_back_publish(&back))
            send(&front_event, &front_events);
        if (served < REQUESTS && square_back_sleep(&back))
            sem_wait(&back_event);
    }
    return NULL;
}

static void *back_thread(void *arg)
{
    struct square_back back;
    struct number n = {0, 0};
    uint32_t served = 0;

    (void)arg;
    square_back_init(&back, ring, sizeof(page));
    while (served < REQUESTS) {
        int got;

        while ((got = square_back_get(&back, &n)) == 1) {
            WANT(n.id == served);
            n.value *= n.value;
            WANT(square_back_put(&back, &n) == 0);
            served++;
            /* Batches of many sizes, so that both ends sleep and wake in many ways. */
            if (served % 7 == 0 && square_back_publish(&back))
                send(&front_event, &front_events);
        }
        WANT(got == 0);
        if (square_back_publish(&back))
            send(&front_event, &front_events);
        if (served < REQUESTS && square_back_sleep(&back))
            sem_wait(&back_event);
    }
    return NULL;
}

static void front_thread(void)
{
    struct square_front front;
    struct number n;
    uint32_t asked = 0, answered = 0;

    square_front_init(&front, ring, sizeof(page));
    while (answered < REQUESTS) {
        int got;

        while ((got = square_front_get(&front, &n)) == 1) {
            WANT(n.id == answered && n.value == n.id * n.id);
            answered++;
        }
        WANT(got == 0);
        for (unsigned batch = asked % 11 + 1; batch && asked < REQUESTS; batch--) {
            n = (struct number){asked, asked};
            if (square_front_put(&front, &n) != 0)
                break;
            asked++;
        }
        if (square_front_publish(&front))
            send(&back_event, &back_events);
        if (answered < REQUESTS && square_front_sleep(&front))
            sem_wait(&front_event);
    }
}

static void two_ends(int test, void *(*back_end)(void *))
{
    pthread_t back;

    square_ring_init(ring);
    ring->shared.req_prod = ring->shared.rsp_prod = 0xfffffff0;
    ring->shared.req_event = ring->shared.rsp_event = 0xfffffff1;
    sem_init(&front_event, 0, 0);
    sem_init(&back_event, 0, 0);
    pthread_create(&back, NULL, back_end, NULL);
    front_thread();
    pthread_join(back, NULL);
    WANT(front_events < REQUESTS && back_events <= REQUESTS);
    printf("ok %d - %u requests and answers, %u and %u events\n", test, REQUESTS, back_events,
           front_events);
    front_events = back_events = 0;
}

/* Grants ----------------------------------------------------------------------------------- */

static struct xen_grant_entry_v1 *entries;
static bool over;
static uint64_t granted_page; /* plain memory: who uses it without right races, and is seen */

static int64_t window(uint64_t nr, const uint64_t *arg)
{
    if (nr == XEN_HYPERVISOR_update_va_mapping)
        entries = (void *)arg[0];
    return 0;
}

/* The hypervisor for another guest: takes the page if it may, uses it, lets it go. */
static void *taker(void *arg)
{
    struct xen_grant_entry_v1 *e = arg;
    unsigned *taken = malloc(sizeof(*taken));

    *taken = 0;
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        uint16_t flags = __atomic_load_n(&e->flags, __ATOMIC_ACQUIRE);

        if ((flags & XEN_GTF_type_mask) != XEN_GTF_permit_access)
            continue;
        if (!__atomic_compare_exchange_n(&e->flags, &flags, (uint16_t)(flags | XEN_GTF_reading),
                                         false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            continue;
        granted_page++;
        ++*taken;
        __atomic_fetch_and(&e->flags, (uint16_t)~XEN_GTF_reading, __ATOMIC_SEQ_CST);
    }
    return taken;
}

static void grants_end(void)
{
    pthread_t other;
    void *taken;
    uint32_t ref;
    unsigned busy = 0;

    fake_reset();
    fake.answer = window;
    WANT(pv_grant_init(1) == 0);
    pthread_create(&other, NULL, taker, &entries[XEN_GNTTAB_NR_RESERVED_ENTRIES]);
    for (unsigned i = 0; i < GRANTS; i++) {
        int err;

        WANT(pv_grant_publish(1, pfn(1), false, &ref) == 0);
        WANT(ref == XEN_GNTTAB_NR_RESERVED_ENTRIES);
        if (i % 3)
            for (volatile unsigned spin = 0; spin < i % 200; spin++)
                ;
        while ((err = pv_grant_end(ref)) == -XEN_EBUSY)
            busy++;
        WANT(err == 0);
        granted_page++; /* ours alone now */
    }
    __atomic_store_n(&over, true, __ATOMIC_RELEASE);
    pthread_join(other, &taken);
    WANT(granted_page == GRANTS + *(unsigned *)taken);
    printf("ok 3 - %u grants, taken %u times, found busy %u times\n", GRANTS, *(unsigned *)taken,
           busy);
    free(taken);
}

/* The store -------------------------------------------------------------------------------- */

#define STORE_PFN  1
#define STORE_PORT 3
#define REPLY      XENSTORE_PAYLOAD_MAX

static sem_t store_event, guest_event;
static unsigned store_events, guest_events;

/* Events and sleep are those of the two semaphores; nobody wakes up by himself. */
static int64_t store_hypervisor(uint64_t nr, const uint64_t *arg)
{
    if (nr == XEN_HYPERVISOR_event_channel_op && arg[0] == XEN_EVTCHNOP_send)
        send(&store_event, &store_events);
    else if (nr == XEN_HYPERVISOR_sched_op && arg[0] == XEN_SCHEDOP_poll)
        sem_wait(&guest_event);
    return 0;
}

static void move(struct xenstore_domain_interface *p, char *bytes, size_t n, bool out)
{
    uint32_t *mine = out ? &p->rsp_prod : &p->req_cons, at = *mine;
    uint32_t *theirs = out ? &p->rsp_cons : &p->req_prod;

    while (n) {
        uint32_t far = __atomic_load_n(theirs, __ATOMIC_SEQ_CST);
        uint32_t can = out ? XENSTORE_RING_SIZE - (at - far) : far - at;

        for (; n && can; n--, can--, at++)
            if (out)
                p->rsp[at % XENSTORE_RING_SIZE] = *bytes++;
            else
                *bytes++ = p->req[at % XENSTORE_RING_SIZE];
        if (*mine != at) {
            __atomic_store_n(mine, at, __ATOMIC_SEQ_CST);
            send(&guest_event, &guest_events);
        } else if (n) {
            sem_wait(&store_event);
        }
    }
}

static void *store_thread(void *page)
{
    static char bytes[REPLY];
    struct xen_xsd_sockmsg h;

    for (unsigned i = 0; i < REPLIES; i++) {
        move(page, (char *)&h, sizeof(h), false);
        WANT(h.type == XEN_XS_READ && h.len <= REPLY);
        move(page, bytes, h.len, false);
        h.len = REPLY;
        move(page, (char *)&h, sizeof(h), true);
        move(page, bytes, REPLY, true);
    }
    return NULL;
}

static void a_store_that_sleeps(void)
{
    static char value[REPLY + 1];
    pthread_t store;

    fake_reset();
    fake_start.store_mfn = fake_mfn(STORE_PFN);
    fake_start.store_evtchn = STORE_PORT;
    fake.answer = store_hypervisor;
    sem_init(&store_event, 0, 0);
    sem_init(&guest_event, 0, 0);
    WANT(pv_xenstore_port() == STORE_PORT);
    pthread_create(&store, NULL, store_thread, fake_memory[STORE_PFN]);
    for (unsigned i = 0; i < REPLIES; i++)
        WANT(pv_xenstore_read(0, "long", value, sizeof(value)) == REPLY);
    pthread_join(store, NULL);
    printf("ok 4 - %u long replies, %u events to the store and %u from it\n", REPLIES, store_events,
           guest_events);
}

int main(void)
{
    alarm(PATIENCE);
    setvbuf(stdout, NULL, _IOLBF, 0);
    two_ends(1, back_thread);
    two_ends(2, batching_back_thread);
    grants_end();
    a_store_that_sleeps();
    printf("1..4\n");
    return 0;
}
