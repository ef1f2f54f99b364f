/* SPDX-License-Identifier: MIT */
/*
 * xenbus.c - the front-ends' state machine: xenbus.def, carried out.
 *
 * A step looks at the back-end's state in the store, finds the row for it and does as it says,
 * until there is no row. Steps are made by whoever waits (open, close) and by the watch of the
 * back-end's state; only one at a time: who comes while one is under way has it look once more.
 */
#include <pv/xenbus.h>
#include <pv/abi/errno.h>
#include <pv/console.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/sched.h>
#include <pv/time.h>
#include "internal.h"

#define NAP   10000000ull /* ns */
#define TRIES 3           /* beginnings, until the back-end has said no often enough */

enum phase { Closed, Looking, Opening, Offered, Connected, Closing, LettingGo, Resetting };
enum action { None, Begin, Offer, Start, Stop, LetGo, Refused, Lost };
/* Back-end's states by their numbers in the ABI, then our own wishes. */
enum event {
    BackGone,
    BackInitialising,
    BackInitWait,
    BackInitialised,
    BackConnected,
    BackClosing,
    BackClosed,
    BackReconfiguring,
    BackReconfigured,
    DoOpen,
    DoClose,
    DoFail,
};

static const struct row {
    uint8_t phase, event, action, next;
} rows[] = {
#define ROW(phase, event, action, next) {phase, event, action, next},
#include "xenbus.def"
#undef ROW
};

static const char state_names[][16] = {"not there",   "Initialising",  "InitWait",
                                       "Initialised", "Connected",     "Closing",
                                       "Closed",      "Reconfiguring", "Reconfigured"};

static const struct row *find_row(unsigned phase, unsigned event)
{
    for (unsigned i = 0; i < PV_ARRAY_SIZE(rows); i++)
        if (rows[i].phase == phase && rows[i].event == event)
            return &rows[i];
    return NULL;
}

static int explain(struct pv_xenbus *bus, int error, const char *what)
{
    bus->error = error;
    pv_format(bus->why, sizeof(bus->why), "%s: the back-end (domain %u, %s) is %s, %s", bus->front,
              bus->peer, bus->back[0] ? bus->back : "without a directory", state_names[bus->theirs],
              what);
    return error;
}

/* The machine ------------------------------------------------------------------------------ */

static int say(struct pv_xenbus *bus, uint32_t tx, unsigned state)
{
    return pv_xenstore_printf(tx, bus->front, "state", "%u", state);
}

static int publish_all(uint32_t tx, void *arg)
{
    struct pv_xenbus *bus = arg;
    int err = bus->driver->publish(bus, tx);

    return err ? err : say(bus, tx, bus->driver->announced);
}

/* What comes of words that only tell of our end may fail: there may be nobody left to read them. */
static int act(struct pv_xenbus *bus, enum action action)
{
    int err;

    switch (action) {
    case Begin:
        if (++bus->tries > TRIES)
            return -XEN_ECONNREFUSED;
        return say(bus, 0, XEN_XenbusStateInitialising);
    case Offer:
        return pv_xenstore_transaction(publish_all, bus);
    case Start:
        err = bus->driver->connect(bus);
        /* The back-end may have been found to lie already, by an event. */
        return err || bus->phase != Connected ? err : say(bus, 0, XEN_XenbusStateConnected);
    case Stop:
        bus->driver->disconnect(bus);
        say(bus, 0, XEN_XenbusStateClosing);
        return 0;
    case Refused:
    case Lost:
        bus->driver->disconnect(bus);
        explain(bus, action == Lost ? -XEN_EIO : -XEN_ECONNREFUSED,
                action == Lost ? "and the connection is lost" : "so it refuses");
        say(bus, 0, XEN_XenbusStateClosed);
        return 0;
    case LetGo:
        say(bus, 0, XEN_XenbusStateClosed);
        return 0;
    default:
        return 0;
    }
}

static void take_row(struct pv_xenbus *bus, const struct row *row)
{
    int err;

    bus->phase = row->next; /* first: the driver may look at it */
    err = act(bus, (enum action)row->action);
    if (err && row->action != Stop) {
        explain(bus, err, pv_error_name(err));
        if (row->action == Start)
            bus->driver->disconnect(bus);
        say(bus, 0, XEN_XenbusStateClosed);
        bus->phase = Closed;
    }
}

/* The back-end's state, as an event. */
static unsigned look(struct pv_xenbus *bus)
{
    uint64_t state;
    int err = pv_xenstore_read_number(0, bus->back_state, &state);

    if (err == -XEN_ENOENT)
        state = BackGone;
    else if (err || state > BackReconfigured)
        return bus->theirs; /* no news of the store is no news of the back-end */
    bus->theirs = (uint8_t)state;
    return bus->theirs;
}

static void step(struct pv_xenbus *bus)
{
    __atomic_store_n(&bus->again, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&bus->again, __ATOMIC_SEQ_CST)) {
        const struct row *row;

        if (__atomic_test_and_set(&bus->stepping, __ATOMIC_SEQ_CST))
            return;
        __atomic_store_n(&bus->again, 0, __ATOMIC_SEQ_CST);
        while (bus->phase != Closed && (row = find_row(bus->phase, look(bus))))
            take_row(bus, row);
        __atomic_clear(&bus->stepping, __ATOMIC_SEQ_CST);
    }
}

static void changed(struct pv_xenstore_watch *w)
{
    step(w->arg);
}

static void wish(struct pv_xenbus *bus, enum event event)
{
    const struct row *row = find_row(bus->phase, event);

    if (row)
        take_row(bus, row);
}

/* Makes steps until the machine is in the wanted phase, or closed by an error. */
static int wait_for(struct pv_xenbus *bus, enum phase wanted)
{
    uint64_t deadline = pv_time_now() + PV_XENBUS_PATIENCE;
    uint32_t port = pv_xenstore_port();

    for (;;) {
        uint64_t now = pv_time_now();
        bool state;

        step(bus);
        if (bus->phase == wanted)
            return 0;
        if (bus->phase == Closed)
            return bus->error;
        if (now >= deadline)
            return explain(bus, -XEN_ETIMEDOUT, "which has been waited for in vain");
        state = pv_events_disable();
        if (bus->phase != wanted && bus->phase != Closed) /* by an event, just now */
            pv_sched_poll(&port, 1, now + NAP);
        pv_events_restore(state);
        pv_xenstore_poll();
    }
}

/* What drivers call ------------------------------------------------------------------------ */

int pv_xenbus_find(const char *kind, unsigned n, uint32_t *id)
{
    char dir[24], names[1024];
    uint64_t last = 0, best = 0;
    int length;

    pv_format(dir, sizeof(dir), "device/%s", kind);
    length = pv_xenstore_directory(0, dir, names, sizeof(names));
    if (length < 0)
        return length == -XEN_ENOENT ? -XEN_ENODEV : length;
    for (unsigned i = 0; i <= n; i++, last = best + 1) {
        best = ~(uint64_t)0;
        for (int at = 0; at < length;) {
            uint64_t number = 0;
            bool is_number = names[at] != 0;

            for (; names[at]; at++) {
                is_number &= names[at] >= '0' && names[at] <= '9';
                number = number * 10 + (uint64_t)(names[at] - '0');
            }
            at++;
            if (is_number && number >= last && number < best && number <= UINT32_MAX)
                best = number;
        }
        if (!~best)
            return -XEN_ENODEV;
    }
    *id = (uint32_t)best;
    return 0;
}

int pv_xenbus_find_for(struct pv_xenbus *bus, const char *kind, unsigned n, uint32_t *id)
{
    int err = pv_xenbus_find(kind, n, id);

    __builtin_memset(bus, 0, sizeof(*bus));
    if (err == -XEN_ENODEV)
        pv_format(bus->why, sizeof(bus->why), "there is no device/%s that is number %u, from 0",
                  kind, n);
    else if (err)
        pv_format(bus->why, sizeof(bus->why), "device/%s cannot be read: %s", kind,
                  pv_error_name(err));
    return err;
}

static int read_back(struct pv_xenbus *bus)
{
    char path[64];
    uint64_t peer;
    int rc;

    bus->back[0] = 0;
    pv_format(path, sizeof(path), "%s/backend-id", bus->front);
    rc = pv_xenstore_read_number(0, path, &peer);
    if (rc == 0) {
        bus->peer = (xen_domid_t)peer;
        pv_format(path, sizeof(path), "%s/backend", bus->front);
        rc = pv_xenstore_read(0, path, bus->back, sizeof(bus->back));
    }
    if (rc < 0)
        return explain(bus, rc == -XEN_ENOENT ? -XEN_ENODEV : rc, "for there is no such device");
    pv_format(bus->back_state, sizeof(bus->back_state), "%s/state", bus->back);
    return 0;
}

static int open_bus(struct pv_xenbus *bus)
{
    int err = read_back(bus);

    bus->phase = Closed;
    bus->theirs = BackGone;
    bus->tries = 0;
    bus->watch = (struct pv_xenstore_watch){bus->back_state, changed, bus, 0};
    if (err)
        return err;
    err = pv_xenstore_watch(&bus->watch);
    if (err)
        return explain(bus, err, pv_error_name(err));
    bus->watching = true;
    wish(bus, DoOpen);
    err = wait_for(bus, Connected);
    if (err)
        pv_xenbus_close(bus);
    return err;
}

static struct pv_xenbus *all;

static void enlist(struct pv_xenbus *bus)
{
    bool state = pv_lock();

    bus->next = all;
    all = bus;
    pv_unlock(state);
}

static void delist(const struct pv_xenbus *bus)
{
    bool state = pv_lock();

    for (struct pv_xenbus **b = &all; *b; b = &(*b)->next) {
        if (*b == bus) {
            *b = bus->next;
            break;
        }
    }
    pv_unlock(state);
}

int pv_xenbus_open(struct pv_xenbus *bus, const struct pv_xenbus_driver *driver, uint32_t id)
{
    int err;

    delist(bus);
    __builtin_memset(bus, 0, sizeof(*bus));
    bus->driver = driver;
    bus->id = id;
    pv_format(bus->front, sizeof(bus->front), "device/%s/%u", driver->kind, id);
    err = open_bus(bus);
    if (err == 0)
        enlist(bus);
    return err;
}

int pv_xenbus_close(struct pv_xenbus *bus)
{
    int err;

    delist(bus);
    wish(bus, DoClose);
    err = wait_for(bus, Closed);
    pv_xenbus_suspend(bus);
    return err == -XEN_ETIMEDOUT ? err : 0;
}

void pv_xenbus_suspend(struct pv_xenbus *bus)
{
    bus->phase = Closed;
    if (bus->watching)
        pv_xenstore_unwatch(&bus->watch);
    bus->watching = false;
}

int pv_xenbus_resume(struct pv_xenbus *bus)
{
    return open_bus(bus);
}

void pv_xenbus_suspend_all(void)
{
    for (struct pv_xenbus *bus = all; bus; bus = bus->next)
        if (bus->driver->suspend)
            bus->driver->suspend(bus);
}

void pv_xenbus_resume_all(void)
{
    for (struct pv_xenbus *bus = all; bus; bus = bus->next)
        if (bus->driver->resume)
            bus->driver->resume(bus);
}

void pv_xenbus_fail(struct pv_xenbus *bus, const char *why)
{
    wish(bus, DoFail);
    explain(bus, -XEN_EIO, why);
}

bool pv_xenbus_connected(const struct pv_xenbus *bus)
{
    return bus->phase == Connected;
}

const char *pv_xenbus_why(const struct pv_xenbus *bus)
{
    return bus->why;
}

uint64_t pv_xenbus_offer(const struct pv_xenbus *bus, const char *key, uint64_t otherwise)
{
    char path[sizeof(bus->back) + 48];
    uint64_t value;

    pv_format(path, sizeof(path), "%s/%s", bus->back, key);
    return pv_xenstore_read_number(0, path, &value) == 0 ? value : otherwise;
}
