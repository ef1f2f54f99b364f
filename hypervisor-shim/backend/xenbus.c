/* SPDX-License-Identifier: MIT
 *
 * xenbus.c - see xenbus.h. The bus is a table of devices; the front-ends' states are heard of by
 * one watch.
 *
 * It reads a front-end's state anew whenever something at or above that node has changed, and acts
 * on what is there now, so that it does not matter how many changes made one event. It calls
 * drivers, and must never hold on to anything of theirs after gone().
 */
#include "xenbus.h"
#include "store.h"
#include "../core/text.h"

enum { BUS_SLOTS = 512, PATH = 128, SENTENCE = 160 };

static struct xenbus_device *bus[BUS_SLOTS];
static unsigned slots; /* in use below this one */
static bool watching;

/* -- nodes ----------------------------------------------------------------- */

static void write_node(const char *dir, const char *node, const char *fmt, va_list ap)
{
    char path[PATH], value[PATH];

    text_format(path, sizeof(path), "%s/%s", dir, node);
    text_vformat(value, sizeof(value), fmt, ap);
    store_write(path, value);
}

void xenbus_write(struct xenbus_device *x, const char *node, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    write_node(x->back, node, fmt, ap);
    va_end(ap);
}

void xenbus_write_front(struct xenbus_device *x, const char *node, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    write_node(x->front, node, fmt, ap);
    va_end(ap);
}

int xenbus_read(struct xenbus_device *x, const char *node, char *buf, size_t size)
{
    char path[PATH];

    text_format(path, sizeof(path), "%s/%s", x->front, node);
    return store_read(path, buf, size);
}

bool xenbus_read_number(struct xenbus_device *x, const char *node, uint32_t *value)
{
    char text[16];
    int n = xenbus_read(x, node, text, sizeof(text));
    uint64_t sum = 0;

    if (n < 1 || n > 10)
        return false;
    for (int i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        sum = sum * 10 + (uint64_t)(text[i] - '0');
    }
    *value = (uint32_t)sum;
    return sum <= UINT32_MAX;
}

static void set_state(struct xenbus_device *x, unsigned state)
{
    x->state = (uint8_t)state;
    if (!x->off)
        xenbus_write(x, "state", "%u", state);
}

/* -- the front-end's moves ------------------------------------------------- */

static void unbind(struct xenbus_device *x)
{
    if (x->port && !x->off)
        evtchn_release_device(hv.domain[x->domid], x->port, x->slot);
    x->port = 0;
}

static void disconnect(struct xenbus_device *x)
{
    if (!x->connected)
        return;
    x->connected = false;
    x->draining = true;
    unbind(x);
    x->driver->disconnect(x);
}

static void front_waits(struct xenbus_device *x) /* it begins, or begins anew */
{
    disconnect(x);
    if (x->draining)
        x->reopen = true;
    else if (x->state != XEN_XenbusStateInitWait)
        set_state(x, XEN_XenbusStateInitWait);
}

static void front_ready(struct xenbus_device *x)
{
    if (x->state != XEN_XenbusStateInitWait)
        return;
    x->connected = x->driver->connect(x);
    if (!x->connected)
        return unbind(x);
    set_state(x, XEN_XenbusStateConnected);
    stage_reached(hv.domain[x->domid],
                  text_equal(x->driver->kind, "vif") ? STAGE_net : STAGE_disk);
    x->driver->notified(x); /* what was sent before there was a port */
}

static void front_closes(struct xenbus_device *x)
{
    x->reopen = false;
    if (x->state != XEN_XenbusStateClosed && x->state != XEN_XenbusStateClosing)
        set_state(x, XEN_XenbusStateClosing);
}

static void front_closed(struct xenbus_device *x)
{
    front_closes(x);
    disconnect(x);
    if (!x->draining && x->state != XEN_XenbusStateClosed)
        set_state(x, XEN_XenbusStateClosed);
}

/* By the front-end's state; it has nothing to reconfigure. */
static void (*const moves[])(struct xenbus_device *) = {
    [XEN_XenbusStateUnknown] = front_closed,    [XEN_XenbusStateInitialising] = front_waits,
    [XEN_XenbusStateInitialised] = front_ready, [XEN_XenbusStateConnected] = front_ready,
    [XEN_XenbusStateClosing] = front_closes,    [XEN_XenbusStateClosed] = front_closed,
};

static void front_moved(struct xenbus_device *x)
{
    uint32_t state;

    if (!xenbus_read_number(x, "state", &state))
        state = XEN_XenbusStateUnknown;
    if (x->state != XEN_XenbusStateInitialising && state < sizeof(moves) / sizeof(moves[0]) &&
        moves[state])
        moves[state](x);
}

void xenbus_drained(struct xenbus_device *x)
{
    x->draining = false;
    if (x->off)
        return x->driver->gone(x);
    if (x->reopen)
        set_state(x, XEN_XenbusStateInitWait);
    else if (x->state == XEN_XenbusStateClosing)
        front_moved(x); /* Closed, if that is what the front-end has come to */
    x->reopen = false;
}

void xenbus_fail_reason(struct xenbus_device *x, struct reason *r)
{
    char path[PATH], text[SENTENCE];

    if (x->off)
        return;
    reason_record_domain(hv.domain[x->domid], r);
    reason_format(text, sizeof(text), r);
    text_format(path, sizeof(path), "/local/domain/0/error/%s/error",
                x->back + sizeof("/local/domain/0/") - 1);
    store_write(path, text);
    x->reopen = false;
    set_state(x, XEN_XenbusStateClosing);
    disconnect(x);
}

/* Is `path` the state of this front-end, or above it? */
static bool concerns(const struct xenbus_device *x, const char *path)
{
    const char *at = x->front;

    while (*path && *path == *at)
        path++, at++;
    return *at ? !*path && *at == '/' : !*path || text_equal(path, "/state");
}

static void store_moved(const char *path, bool removed)
{
    (void)removed;
    for (unsigned i = 0; i < slots; i++)
        if (bus[i] && concerns(bus[i], path))
            front_moved(bus[i]);
}

/* -- on the bus, and off --------------------------------------------------- */

static bool take_slot(struct xenbus_device *x)
{
    unsigned i = 0;

    while (i < BUS_SLOTS && bus[i])
        i++;
    if (i == BUS_SLOTS)
        return false;
    if (!watching)
        watching = store_watch_host("/local/domain", store_moved);
    if (!watching)
        return false;
    bus[i] = x;
    x->slot = (uint16_t)i;
    if (slots <= i)
        slots = i + 1;
    return true;
}

bool xenbus_add(struct xenbus_device *x, const struct xenbus_driver *driver, struct domain *d,
                uint32_t id)
{
    x->driver = driver;
    x->domid = d->id;
    x->id = id;
    text_format(x->front, sizeof(x->front), "/local/domain/%u/device/%s/%u", d->id, driver->kind,
                id);
    text_format(x->back, sizeof(x->back), "/local/domain/0/backend/%s/%u/%u", driver->kind, d->id,
                id);
    x->state = XEN_XenbusStateInitialising;
    if (!take_slot(x))
        return false;
    store_write(x->back, "");
    store_grant(x->back, 0, d->id, STORE_READ);
    xenbus_write(x, "frontend", "%s", x->front);
    xenbus_write(x, "frontend-id", "%u", d->id);
    xenbus_write(x, "online", "1");
    set_state(x, XEN_XenbusStateInitialising);
    store_write(x->front, "");
    store_grant(x->front, d->id, 0, STORE_READ);
    xenbus_write_front(x, "backend", "%s", x->back);
    xenbus_write_front(x, "backend-id", "0");
    xenbus_write_front(x, "state", "%u", XEN_XenbusStateInitialising);
    return true;
}

void xenbus_ready(struct xenbus_device *x)
{
    set_state(x, XEN_XenbusStateInitWait);
    front_moved(x);
}

bool xenbus_bind(struct xenbus_device *x)
{
    uint32_t port;

    if (!xenbus_read_number(x, "event-channel", &port)) {
        xenbus_fail(x, RULE_XENBUS_NODE, .value = x->id);
        return false;
    }
    if (!evtchn_bind_device(hv.domain[x->domid], port, x->slot)) {
        xenbus_fail(x, RULE_XENBUS_PORT, .value = x->id, .port = port);
        return false;
    }
    x->port = port;
    return true;
}

void xenbus_notified(struct domain *d, uint32_t slot)
{
    struct xenbus_device *x = slot < slots ? bus[slot] : NULL;

    if (x && x->domid == d->id && x->connected)
        x->driver->notified(x);
}

void xenbus_detach(struct domain *d)
{
    char path[PATH];

    for (unsigned i = 0; i < slots; i++) {
        struct xenbus_device *x = bus[i];

        if (!x || x->domid != d->id)
            continue;
        bus[i] = NULL;
        store_rm(x->back);
        text_format(path, sizeof(path), "/local/domain/0/error/%s",
                    x->back + sizeof("/local/domain/0/") - 1);
        store_rm(path);
        x->off = true;
        if (x->connected)
            disconnect(x); /* and, when it has drained, gone: maybe at once */
        else if (!x->draining)
            x->driver->gone(x);
    }
}

struct xenbus_device *xenbus_find(struct domain *d, const char *kind, uint32_t id)
{
    for (unsigned i = 0; i < slots; i++)
        if (bus[i] && bus[i]->domid == d->id && bus[i]->id == id &&
            text_equal(bus[i]->driver->kind, kind))
            return bus[i];
    return NULL;
}
