/* SPDX-License-Identifier: MIT
 *
 * xenbus.h - the back-end's half of the handshake over the store, the same for every kind of
 * device.
 *
 *      front: device/KIND/ID        back: /local/domain/0/backend/KIND/DOMID/ID
 *
 *      Initialising                 Initialising   xenbus_add(), the driver's own nodes
 *                                   InitWait       xenbus_ready()
 *      Initialised     ───────────► driver->connect(): ring and port are there
 *                                   Connected      if that says so
 *      Closing         ───────────► Closing
 *      Closed          ───────────► driver->disconnect()
 *                                   Closed         xenbus_drained()
 *      Initialising    ───────────► InitWait       and so on: GRUB, then the kernel that it loads
 *
 * What the front-end does out of turn is passed over; what makes no sense ends in xenbus_fail():
 * Closing, a reason with the guest, and a sentence in the store. Nodes of a device are the host's
 * but for the front-end's directory, which is the guest's; nothing in there is believed but "state"
 * and what the driver reads and checks.
 */
#ifndef HV_XENBUS_H
#define HV_XENBUS_H

#include <stdbool.h>
#include <stdint.h>
#include <pv/abi/xenbus.h>
#include "../core/domain.h"

struct xenbus_device;

struct xenbus_driver {
    const char *kind; /* as in the store: "vbd" */
    /* Read and check the front-end's nodes, take its ring, xenbus_bind() its port. False: not to
     * be had, and xenbus_fail() was called. */
    bool (*connect)(struct xenbus_device *);
    /* Touch neither ring nor port any more, and call xenbus_drained() when all work in flight has
     * ended: in here, or later. Called once for each connect() that was true. */
    void (*disconnect)(struct xenbus_device *);
    void (*notified)(struct xenbus_device *); /* an event from the front-end, while connected */
    /* The guest has ended, and the device is off the bus; what is in flight was left by
     * disconnect() and xenbus_drained() may be still to come (it calls this). Free it. */
    void (*gone)(struct xenbus_device *);
};

/* A driver has it inside of its own structure. */
struct xenbus_device {
    const struct xenbus_driver *driver;
    uint32_t id;
    uint32_t port; /* the front-end's; 0: not bound */
    uint16_t domid;
    uint16_t slot;            /* on the bus */
    uint8_t state;            /* ours: XEN_XenbusState* */
    bool connected;           /* connect() was true, and disconnect() is to come */
    bool draining;            /* disconnect() was called, and xenbus_drained() is to come */
    bool reopen;              /* when drained: InitWait and not Closed */
    bool off;                 /* the guest has ended */
    char front[64], back[64]; /* directories */
};

/* Put x (zeroed) on the bus: both directories with what all kinds have in them, state Initialising.
 * False: no room. */
bool xenbus_add(struct xenbus_device *x, const struct xenbus_driver *driver, struct domain *d,
                uint32_t id);
void xenbus_ready(struct xenbus_device *x); /* what the driver can do is written: InitWait */

/* A node in either directory. */
void xenbus_write(struct xenbus_device *x, const char *node, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void xenbus_write_front(struct xenbus_device *x, const char *node, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* What the front-end wrote. False: nothing, or no number that fits. */
bool xenbus_read_number(struct xenbus_device *x, const char *node, uint32_t *value);
int xenbus_read(struct xenbus_device *x, const char *node, char *buf,
                size_t size); /* as store_read() */

/* The port in the front-end's "event-channel" is ours now, and gets an event. False: it has none,
 * or it does not wait for domain 0; xenbus_fail() was called. */
bool xenbus_bind(struct xenbus_device *x);
static inline void xenbus_notify(struct xenbus_device *x);

/* The front-end (or its guest) did what it may not: a reason, state Closing, disconnect(). */
#define xenbus_fail(x, RULE_NAME, ...) \
    xenbus_fail_reason((x), &(struct reason){.rule = (RULE_NAME), .hypercall = 0xffff, __VA_ARGS__})
void xenbus_fail_reason(struct xenbus_device *x, struct reason *r);
/* After disconnect(): nothing is in flight any more. */
void xenbus_drained(struct xenbus_device *x);

void xenbus_notified(struct domain *d, uint32_t slot); /* event.c: an event for a device of d */
void xenbus_detach(struct domain *d);                  /* d has ended: its devices leave the bus */
/* The device of this kind and number that d has; NULL: none. */
struct xenbus_device *xenbus_find(struct domain *d, const char *kind, uint32_t id);

#include "../core/event.h"

static inline void xenbus_notify(struct xenbus_device *x)
{
    if (x->port)
        evtchn_notify(hv.domain[x->domid], x->port);
}

#endif
