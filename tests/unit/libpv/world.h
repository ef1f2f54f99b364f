/* SPDX-License-Identifier: MIT */
/*
 * world.h - what a front-end finds around it, of straw like fake.h: a store that keeps a flat list
 * of paths, event channels that are delivered, grants, and a clock that moves when somebody waits.
 *
 * The store speaks the wire protocol honestly, except where `mangle` makes a liar of it. Whoever
 * else lives here (a back-end) has its turn in `idle`, whenever the guest sleeps or sends an event.
 */
#ifndef TESTS_UNIT_LIBPV_WORLD_H
#define TESTS_UNIT_LIBPV_WORLD_H

#include "fake.h"

#define STORE_PFN  2
#define STORE_PORT 5
#define FIRST_PORT 16 /* of those that the guest allocates */
#define HOME       "/local/domain/7/"

extern struct world {
    /* A reply or watch event on its way to the guest; may change both, within a full message. */
    void (*mangle)(struct xen_xsd_sockmsg *h, char *payload);
    void (*idle)(void);
    void (*notified)(uint32_t port); /* the guest sent an event that is not the store's */
    bool mute;                       /* the store answers nothing */
    uint32_t chunk;                  /* bytes that the store moves at a time; 0: all it can */
    unsigned conflicts;              /* commits that fail with EAGAIN */
    unsigned requests;               /* that the store has served */
    uint32_t generation;
    uint32_t next_port;
    unsigned unmaps; /* entries that the guest has cleared */
} world;

/* fake_reset(), and a store with nothing in it. */
void world_reset(void);

/* The tree, seen from outside. Paths are absolute. "" for what is not there. */
void world_write(const char *path, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void world_rm(const char *path);
const char *world_read(const char *path);
bool world_exists(const char *path);

/* The hypervisor's half of sending an event to the guest. */
void world_event(uint32_t port);

/* The guest's memory behind a grant, or NULL when there is no such grant (any more). */
void *world_grant(xen_grant_ref_t ref, bool write);
/* The back-end has it mapped, or no longer. */
void world_hold(xen_grant_ref_t ref, bool held);
/* Another machine frame is in its entry: the page was exchanged. */
void world_exchange(xen_grant_ref_t ref, uint32_t frame);
/* Grants in force. */
unsigned world_grants(void);

/* The page of the store. */
struct xenstore_domain_interface *world_page(void);

#endif
