/* SPDX-License-Identifier: MIT */
/*
 * xenbus.h - how a front-end and its back-end meet, by way of xenstore.
 *
 * The toolstack makes two directories, one for each end, which name each other. Each end writes its
 * state (XEN_XenbusState*) and what the other must know into its own, and watches the other's. One
 * state machine serves all front-ends of libpv: libpv/xenbus.def is its table, docs/xenbus.md its
 * drawing, tests/models/xenbus.pml its proof. A driver adds what is particular:
 *
 *     publish    writes its ring's grant and its event channel into the store, within a transaction
 *     connect    reads what the back-end offers, and begins to work
 *     disconnect stops working: no request will be answered any more
 *
 * Front-ends of libpv (block.h, net.h) do all this in their open and close calls: a kernel needs
 * this header only for drivers of its own.
 *
 * All ask the store, which takes its time; open, resume and close wait for the other end as well,
 * and are not for event handlers nor for the driver's own functions. Who waits, waits with a
 * deadline, and pv_xenbus_why() says for whom: "device/vbd/51712: the back-end (domain 0,
 * /local/domain/0/backend/vbd/3/51712) is Initialising, which has been waited for in vain".
 * Reference: abi/xenbus.h.
 */
#ifndef PV_XENBUS_H
#define PV_XENBUS_H

#include <pv/types.h>
#include <pv/abi/xenbus.h>
#include <pv/xenstore.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PV_XENBUS_PATIENCE 30000000000ull /* ns that each step of the other end may take */

struct pv_xenbus;

struct pv_xenbus_driver {
    const char *kind;  /* the directory's name below device/: "vbd" */
    uint8_t announced; /* the state that tells the back-end that everything is published */
    int (*publish)(struct pv_xenbus *bus, uint32_t tx);
    int (*connect)(struct pv_xenbus *bus);
    void (*disconnect)(struct pv_xenbus *bus);
    void (*suspend)(struct pv_xenbus *bus); /* of the whole device, for pv_suspend() */
    int (*resume)(struct pv_xenbus *bus);
};

struct pv_xenbus {
    const struct pv_xenbus_driver *driver;
    xen_domid_t peer; /* the back-end's domain */
    uint32_t id;      /* the device's number */
    char front[40];   /* "device/vbd/51712" */
    char back[96];    /* "/local/domain/0/backend/vbd/3/51712" */
    /* libpv's own from here on */
    struct pv_xenbus *next; /* of all that are open */
    char back_state[104];
    struct pv_xenstore_watch watch;
    uint8_t phase;
    uint8_t theirs; /* the back-end's state when we last looked */
    uint8_t tries;
    bool watching;
    char stepping, again;
    int error;
    char why[160];
};

/*
 * The number of the nth device of a kind, in the order of their numbers. -XEN_ENODEV: there are not
 * so many.
 */
int pv_xenbus_find(const char *kind, unsigned n, uint32_t *id);

/*
 * Brings the device from whatever its last user left to connected. 0; -XEN_ENODEV: no such device;
 * -XEN_ETIMEDOUT; -XEN_ECONNREFUSED: the back-end closes; or the driver's or store's error.
 */
int pv_xenbus_open(struct pv_xenbus *bus, const struct pv_xenbus_driver *driver, uint32_t id);

/* Disconnects and waits until the back-end has let go. 0 or -XEN_ETIMEDOUT; closed in any case. */
int pv_xenbus_close(struct pv_xenbus *bus);

/*
 * Before a suspend: the store's news of this device don't matter any more. After it and
 * pv_xenstore_reconnect(), resume: there is a new back-end, and nothing of what was agreed holds.
 * As open, but publish runs again. disconnect is not called.
 */
void pv_xenbus_suspend(struct pv_xenbus *bus);
int pv_xenbus_resume(struct pv_xenbus *bus);

/* What pv_suspend() does with all devices that are open, by their drivers. */
void pv_xenbus_suspend_all(void);
void pv_xenbus_resume_all(void);

/* The driver gives its back-end up (it lies): disconnects, and lets go without waiting. */
void pv_xenbus_fail(struct pv_xenbus *bus, const char *why);

bool pv_xenbus_connected(const struct pv_xenbus *bus);

/* What went wrong last, or what is being waited for. A sentence. */
const char *pv_xenbus_why(const struct pv_xenbus *bus);

/* A number in the back-end's directory, or `otherwise`. */
uint64_t pv_xenbus_offer(const struct pv_xenbus *bus, const char *key, uint64_t otherwise);

#ifdef __cplusplus
}
#endif
#endif
