/* SPDX-License-Identifier: MIT */
/*
 * xenstore.c - requests to the store, one at a time, and what comes back.
 *
 *     request() -> lock -> ask(): ring out ... ring in -> reply in store.in -> unlock -> callbacks
 *                                              |
 *                              watch event: a bit in store.fired
 *
 * The lock is held with this vCPU's events disabled, so a handler never finds a request of its own
 * vCPU half done. Everything in the page is the other end's: our own indices are kept here, its
 * indices are read once a round, and lengths are checked before they are believed.
 *
 * A watch event carries no more than a bit: its callback looks for itself what has changed. So the
 * memory that the store can make us use is what you see here.
 */
#include <pv/xenstore.h>
#include <pv/abi/errno.h>
#include <pv/console.h>
#include <pv/event.h>
#include <pv/host.h>
#include <pv/sched.h>
#include <pv/time.h>
#include "internal.h"

#define HEADER     sizeof(struct xen_xsd_sockmsg)
#define NAP        5000000ull    /* ns between two looks, should an event get lost */
#define RECONNECT  2000000000ull /* ns that a store has to take notice */
#define TX_RETRIES 1000
#define PERMS_MAX  16

static struct {
    struct xenstore_domain_interface *page; /* NULL: not opened */
    uint32_t port;
    uint32_t req_prod, rsp_cons; /* ours; the page has copies for the other end */
    uint32_t id;                 /* of the latest request */
    uint32_t watch_number;       /* of the latest watch */
    uint32_t in_used;
    bool broken;
    char busy, calling;
    uint64_t fired; /* watches whose callback is due */
    struct pv_xenstore_watch *watch[PV_XENSTORE_WATCHES];
    char in[HEADER + XENSTORE_PAYLOAD_MAX + 1];
} store;

/* One part of a message's payload. */
struct part {
    const void *bytes;
    size_t n;
};
#define TEXT(s)                 \
    {                           \
        (s), text_length(s) + 1 \
    }
#define WORD(s)             \
    {                       \
        (s), text_length(s) \
    }

static size_t text_length(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

/* Connection ------------------------------------------------------------------------------- */

static void on_event(uint32_t port, void *arg, struct pv_regs *regs)
{
    (void)port, (void)arg, (void)regs;
    pv_xenstore_poll();
}

/* Under the lock. */
static int open_store(void)
{
    const struct xen_start_info *si = pv_machine.info;
    pfn_t frame;

    if (store.page)
        return store.broken ? -XEN_EIO : 0;
    if (!pv_machine.shared || !si->store_mfn || !si->store_evtchn)
        return -XEN_ENODEV;
    frame = pv_m2p(mfn(si->store_mfn));
    if (!pfn_valid(frame))
        return -XEN_ENODEV;
    store.page = pv_host_page_va(frame);
    store.port = si->store_evtchn;
    store.req_prod = store.page->req_prod;
    /* What the store has still to say, it says to somebody who was here before us. */
    store.rsp_cons = __atomic_load_n(&store.page->rsp_prod, __ATOMIC_ACQUIRE);
    __atomic_store_n(&store.page->rsp_cons, store.rsp_cons, __ATOMIC_RELEASE);
    store.in_used = 0;
    store.broken = false;
    pv_event_handle(store.port, on_event, NULL);
    pv_event_unmask(store.port); /* this vCPU's gate is closed: nothing is delivered yet */
    return 0;
}

static bool lock(void)
{
    bool state = pv_machine.shared && pv_events_disable();

    while (__atomic_test_and_set(&store.busy, __ATOMIC_ACQUIRE))
        pv_host_relax();
    return state;
}

static void call_watches(void)
{
    while (__atomic_load_n(&store.fired, __ATOMIC_ACQUIRE) &&
           !__atomic_test_and_set(&store.calling, __ATOMIC_ACQUIRE)) {
        uint64_t fired = __atomic_exchange_n(&store.fired, 0, __ATOMIC_ACQ_REL);

        for (unsigned i = 0; i < PV_XENSTORE_WATCHES; i++) {
            struct pv_xenstore_watch *w = store.watch[i];

            if ((fired >> i & 1) && w)
                w->changed(w);
        }
        __atomic_clear(&store.calling, __ATOMIC_RELEASE);
    }
}

static void unlock(bool state)
{
    __atomic_clear(&store.busy, __ATOMIC_RELEASE);
    if (pv_machine.shared)
        pv_events_restore(state);
    call_watches();
}

static int broken(void)
{
    store.broken = true;
    return -XEN_EIO;
}

/* Sleeps until the store has sent an event, or for a nap. -XEN_ETIMEDOUT after the deadline. */
static int wait_until(uint64_t deadline)
{
    uint64_t now = pv_time_now();

    if (now >= deadline)
        return -XEN_ETIMEDOUT;
    pv_sched_poll(&store.port, 1, now + NAP);
    pv_event_take(store.port);
    return 0;
}

/* In --------------------------------------------------------------------------------------- */

static const struct xen_xsd_sockmsg *header(void)
{
    return (const struct xen_xsd_sockmsg *)store.in;
}

static char *payload(void)
{
    return store.in + HEADER;
}

/* Bytes from the ring up to the end of one message. 1: it is whole; 0: not yet. */
static int gather(void)
{
    struct xenstore_domain_interface *p = store.page;
    uint32_t prod = __atomic_load_n(&p->rsp_prod, __ATOMIC_ACQUIRE), cons = store.rsp_cons;
    size_t want = HEADER;
    int whole = 0;

    if (prod - cons > XENSTORE_RING_SIZE)
        return broken();
    while (cons != prod && !whole) {
        store.in[store.in_used++] = p->rsp[cons++ % XENSTORE_RING_SIZE];
        if (store.in_used >= HEADER) {
            if (header()->len > XENSTORE_PAYLOAD_MAX)
                return broken();
            want = HEADER + header()->len;
        }
        whole = store.in_used == want;
    }
    if (cons != store.rsp_cons) {
        uint32_t before = store.rsp_cons;

        store.rsp_cons = cons;
        /* The store may reuse the space only after we have read it. */
        __atomic_store_n(&p->rsp_cons, cons, __ATOMIC_RELEASE);
        /* It may have filled the ring meanwhile, and sleep for room: it sees ours, or we that. */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (whole || __atomic_load_n(&p->rsp_prod, __ATOMIC_RELAXED) - before >= XENSTORE_RING_SIZE)
            pv_event_send(store.port);
    }
    return whole;
}

/* A watch event names the watch by its token, a number of ours. */
static int watch_event(void)
{
    uint32_t n = header()->len, i = 0, number = 0;
    const char *text = payload();

    while (i < n && text[i])
        i++;
    if (i++ >= n)
        return broken();
    for (; i < n && text[i] >= '0' && text[i] <= '9'; i++)
        number = number * 10 + (uint32_t)(text[i] - '0');
    for (i = 0; i < PV_XENSTORE_WATCHES; i++)
        if (store.watch[i] && store.watch[i]->number == number)
            __atomic_fetch_or(&store.fired, (uint64_t)1 << i, __ATOMIC_RELEASE);
    return 0;
}

/* What has come, up to and including the reply to the latest request. 1: that is in store.in. */
static int receive(uint32_t type)
{
    int rc;

    while ((rc = gather()) == 1) {
        const struct xen_xsd_sockmsg *h = header();

        store.in_used = 0;
        payload()[h->len] = 0;
        if (h->type == XEN_XS_WATCH_EVENT) {
            rc = watch_event();
            if (rc < 0)
                return rc;
        } else if (h->req_id == store.id && type) {
            return h->type == type || h->type == XEN_XS_ERROR ? 1 : broken();
        } else if ((int32_t)(h->req_id - store.id) > 0) {
            return broken(); /* an answer to what was not asked */
        }                    /* else to what nobody waits for any more */
    }
    return rc;
}

/* Out -------------------------------------------------------------------------------------- */

static int put(const char *bytes, size_t n, uint64_t deadline)
{
    struct xenstore_domain_interface *p = store.page;

    while (n) {
        uint32_t cons = __atomic_load_n(&p->req_cons, __ATOMIC_ACQUIRE);
        uint32_t room = XENSTORE_RING_SIZE - (store.req_prod - cons);

        if (room > XENSTORE_RING_SIZE)
            return broken();
        if (!room) {
            pv_event_send(store.port);
            /* A store that doesn't listen until we have listened. */
            if (receive(0) < 0 || wait_until(deadline) < 0)
                return broken();
        }
        for (; n && room; n--, room--)
            p->req[store.req_prod++ % XENSTORE_RING_SIZE] = *bytes++;
        /* The store sees the bytes before the index that covers them. */
        __atomic_store_n(&p->req_prod, store.req_prod, __ATOMIC_RELEASE);
    }
    return 0;
}

static int send(uint32_t type, uint32_t tx, const struct part *parts, unsigned n, uint64_t deadline)
{
    struct xen_xsd_sockmsg h = {.type = type, .req_id = ++store.id, .tx_id = tx};
    size_t length = 0;
    int err;

    for (unsigned i = 0; i < n; i++)
        length += parts[i].n;
    if (length > XENSTORE_PAYLOAD_MAX)
        return -XEN_ENAMETOOLONG;
    h.len = (uint32_t)length;
    err = put((const char *)&h, HEADER, deadline);
    for (unsigned i = 0; i < n && !err; i++)
        err = put(parts[i].bytes, parts[i].n, deadline);
    return err ? err : pv_event_send(store.port);
}

/* Under the lock: a request and its reply. The length of the payload, which is in payload(). */
static int ask(uint32_t type, uint32_t tx, const struct part *parts, unsigned n)
{
    uint64_t deadline;
    int rc = open_store();

    if (rc < 0)
        return rc;
    deadline = pv_time_now() + PV_XENSTORE_PATIENCE;
    rc = send(type, tx, parts, n, deadline);
    while (rc == 0) {
        rc = receive(type);
        if (rc == 0)
            rc = wait_until(deadline);
    }
    if (rc < 0)
        return rc;
    if (header()->type == XEN_XS_ERROR)
        return -pv_error_number(payload());
    return (int)header()->len;
}

/* A request whose reply, if it is wanted, goes to out: as many bytes, or -XEN_ERANGE. */
static int request(uint32_t type, uint32_t tx, const struct part *parts, unsigned n, char *out,
                   size_t size)
{
    bool state = lock();
    int rc = ask(type, tx, parts, n);

    if (rc > 0 && out) {
        if ((size_t)rc <= size)
            __builtin_memcpy(out, payload(), (size_t)rc);
        else
            rc = -XEN_ERANGE;
    }
    unlock(state);
    return rc < 0 || out ? rc : 0;
}

/* Requests --------------------------------------------------------------------------------- */

static int path_request(uint32_t type, uint32_t tx, const char *path, char *out, size_t size)
{
    struct part parts[] = {TEXT(path)};

    return request(type, tx, parts, 1, out, size);
}

/* With a 0 behind it, also when the reply had one. */
static int text_request(uint32_t type, uint32_t tx, const char *path, char *out, size_t size)
{
    int rc = size ? path_request(type, tx, path, out, size - 1) : -XEN_ERANGE;

    if (rc >= 0)
        out[rc] = 0;
    return rc;
}

int pv_xenstore_read(uint32_t tx, const char *path, char *value, size_t size)
{
    return text_request(XEN_XS_READ, tx, path, value, size);
}

static int parse_number(const char *text, uint64_t *value)
{
    *value = 0;
    if (!*text)
        return -XEN_EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -XEN_EINVAL;
        *value = *value * 10 + (uint64_t)(*text - '0');
    }
    return 0;
}

int pv_xenstore_read_number(uint32_t tx, const char *path, uint64_t *value)
{
    char text[24];
    int rc = pv_xenstore_read(tx, path, text, sizeof(text));

    return rc < 0 ? rc : parse_number(text, value);
}

int pv_xenstore_write(uint32_t tx, const char *path, const void *value, size_t n)
{
    struct part parts[] = {TEXT(path), {value, n}};

    return request(XEN_XS_WRITE, tx, parts, 2, NULL, 0);
}

int pv_xenstore_printf(uint32_t tx, const char *dir, const char *name, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    size_t n;

    va_start(ap, fmt);
    n = pv_vformat(text, sizeof(text), fmt, ap);
    va_end(ap);
    struct part parts[] = {
        WORD(dir), {"/", *dir != 0}, TEXT(name), {text, n < sizeof(text) ? n : sizeof(text) - 1}};
    return request(XEN_XS_WRITE, tx, parts, 4, NULL, 0);
}

int pv_xenstore_mkdir(uint32_t tx, const char *path)
{
    return path_request(XEN_XS_MKDIR, tx, path, NULL, 0);
}

int pv_xenstore_rm(uint32_t tx, const char *path)
{
    return path_request(XEN_XS_RM, tx, path, NULL, 0);
}

/*
 * One part of a long list: "generation 0 names ...", and an empty name when that was the last.
 * 1: more follow; 0: that was all; -XEN_EAGAIN: the list has changed since its first part.
 */
static int list_part(uint32_t tx, const char *path, char *names, size_t size, size_t *used,
                     char generation[24])
{
    char offset[24];
    size_t head, n;
    int rc;

    pv_format(offset, sizeof(offset), "%lu", (unsigned long)*used);
    struct part parts[] = {TEXT(path), TEXT(offset)};
    rc = ask(XEN_XS_DIRECTORY_PART, tx, parts, 2);
    if (rc < 0)
        return rc;
    head = text_length(payload()) + 1;
    if (head > 24 || head >= (size_t)rc)
        return broken();
    if (*used && __builtin_memcmp(generation, payload(), head) != 0)
        return -XEN_EAGAIN;
    __builtin_memcpy(generation, payload(), head);
    n = (size_t)rc - head;
    if (payload()[head + n - 1])
        return broken();
    /* An empty name ends the list. */
    rc = n > 1 && payload()[head + n - 2];
    n -= rc == 0;
    if (n > size - *used)
        return -XEN_ERANGE;
    __builtin_memcpy(names + *used, payload() + head, n);
    *used += n;
    return rc;
}

static int list_in_parts(uint32_t tx, const char *path, char *names, size_t size)
{
    char generation[24];
    size_t used;
    int rc = -XEN_EAGAIN;

    for (unsigned i = 0; rc == -XEN_EAGAIN && i < TX_RETRIES; i++) {
        used = 0;
        do {
            bool state = lock();

            rc = list_part(tx, path, names, size, &used, generation);
            unlock(state);
        } while (rc > 0);
    }
    return rc < 0 ? rc : (int)used;
}

int pv_xenstore_directory(uint32_t tx, const char *path, char *names, size_t size)
{
    int rc = path_request(XEN_XS_DIRECTORY, tx, path, names, size);

    if (rc == -XEN_E2BIG)
        return list_in_parts(tx, path, names, size);
    return rc > 0 && names[rc - 1] ? broken() : rc;
}

int pv_xenstore_get_perms(uint32_t tx, const char *path, struct pv_xenstore_perm *perms,
                          unsigned max)
{
    struct part parts[] = {TEXT(path)};
    bool state = lock();
    int rc = ask(XEN_XS_GET_PERMS, tx, parts, 1), n = 0;

    for (int at = 0; rc > 0 && at < rc; n++) {
        uint64_t dom;

        if (parse_number(payload() + at + 1, &dom) != 0) {
            rc = broken();
        } else if ((unsigned)n < max) {
            perms[n].access = payload()[at];
            perms[n].dom = (xen_domid_t)dom;
        }
        at += (int)text_length(payload() + at) + 1;
    }
    unlock(state);
    return rc < 0 ? rc : n;
}

int pv_xenstore_set_perms(uint32_t tx, const char *path, const struct pv_xenstore_perm *perms,
                          unsigned n)
{
    char text[PERMS_MAX * 8];
    size_t used = 0;

    if (n > PERMS_MAX)
        return -XEN_E2BIG;
    for (unsigned i = 0; i < n; i++)
        used += pv_format(text + used, 8, "%c%u", perms[i].access, perms[i].dom) + 1;
    struct part parts[] = {TEXT(path), {text, used}};
    return request(XEN_XS_SET_PERMS, tx, parts, 2, NULL, 0);
}

int pv_xenstore_domain_path(xen_domid_t dom, char *path, size_t size)
{
    char number[8];
    int rc;

    pv_format(number, sizeof(number), "%u", dom);
    rc = path_request(XEN_XS_GET_DOMAIN_PATH, 0, number, path, size);
    if (rc >= 0 && (!rc || path[rc - 1]))
        return broken();
    return rc < 0 ? rc : rc - 1;
}

int pv_xenstore_begin(uint32_t *tx)
{
    char text[16];
    uint64_t number;
    int rc = text_request(XEN_XS_TRANSACTION_START, 0, "", text, sizeof(text));

    if (rc >= 0)
        rc = parse_number(text, &number);
    if (rc == 0)
        *tx = (uint32_t)number;
    return rc;
}

int pv_xenstore_end(uint32_t tx, bool commit)
{
    return path_request(XEN_XS_TRANSACTION_END, tx, commit ? "T" : "F", NULL, 0);
}

int pv_xenstore_transaction(int (*body)(uint32_t tx, void *arg), void *arg)
{
    int rc = -XEN_EAGAIN;

    for (unsigned i = 0; rc == -XEN_EAGAIN && i < TX_RETRIES; i++) {
        uint32_t tx;

        rc = pv_xenstore_begin(&tx);
        if (rc < 0)
            break;
        rc = body(tx, arg);
        if (rc < 0)
            pv_xenstore_end(tx, false);
        else
            rc = pv_xenstore_end(tx, true);
    }
    return rc;
}

/* Watches ---------------------------------------------------------------------------------- */

static int watch_request(uint32_t type, const struct pv_xenstore_watch *w)
{
    char token[12];

    pv_format(token, sizeof(token), "%u", w->number);
    struct part parts[] = {TEXT(w->path), TEXT(token)};
    return ask(type, 0, parts, 2);
}

int pv_xenstore_watch(struct pv_xenstore_watch *w)
{
    bool state = lock();
    unsigned i = 0;
    int rc = -XEN_ENOSPC;

    while (i < PV_XENSTORE_WATCHES && store.watch[i])
        i++;
    if (i < PV_XENSTORE_WATCHES) {
        w->number = ++store.watch_number;
        store.watch[i] = w;
        rc = watch_request(XEN_XS_WATCH, w);
        if (rc < 0)
            store.watch[i] = NULL;
    }
    unlock(state);
    return rc < 0 ? rc : 0;
}

int pv_xenstore_unwatch(struct pv_xenstore_watch *w)
{
    bool state = lock();
    int rc = -XEN_ENOENT;

    for (unsigned i = 0; i < PV_XENSTORE_WATCHES; i++) {
        if (store.watch[i] != w)
            continue;
        store.watch[i] = NULL;
        __atomic_fetch_and(&store.fired, ~((uint64_t)1 << i), __ATOMIC_RELAXED);
        rc = watch_request(XEN_XS_UNWATCH, w);
    }
    unlock(state);
    return rc < 0 ? rc : 0;
}

void pv_xenstore_poll(void)
{
    bool state = lock();

    if (store.page && !store.broken) {
        pv_event_take(store.port);
        receive(0);
    }
    unlock(state);
}

uint32_t pv_xenstore_port(void)
{
    bool state = lock();
    int rc = open_store();

    unlock(state);
    return rc == 0 ? store.port : 0;
}

/* Asks a store that can to forget everything and to begin again with empty rings. */
static void reset_rings(void)
{
    struct xenstore_domain_interface *p = store.page;
    uint64_t deadline = pv_time_now() + RECONNECT;

    if (!(p->server_features & XENSTORE_SERVER_FEATURE_RECONNECTION))
        return;
    __atomic_store_n(&p->connection, XENSTORE_RECONNECT, __ATOMIC_SEQ_CST);
    pv_event_send(store.port);
    while (__atomic_load_n(&p->connection, __ATOMIC_ACQUIRE) != XENSTORE_CONNECTED &&
           wait_until(deadline) == 0)
        ;
}

int pv_xenstore_reconnect(void)
{
    bool state = lock();
    int rc;

    for (unsigned i = 0; i < 2; i++) {
        store.page = NULL;
        rc = open_store();
        if (rc < 0)
            break;
        if (i == 0)
            reset_rings();
    }
    for (unsigned i = 0; rc >= 0 && i < PV_XENSTORE_WATCHES; i++) {
        if (!store.watch[i])
            continue;
        rc = watch_request(XEN_XS_WATCH, store.watch[i]);
        if (rc == -XEN_EEXIST) /* the store is the old one, and has kept it */
            rc = 0;
        __atomic_fetch_or(&store.fired, (uint64_t)1 << i, __ATOMIC_RELEASE);
    }
    unlock(state);
    return rc < 0 ? rc : 0;
}
