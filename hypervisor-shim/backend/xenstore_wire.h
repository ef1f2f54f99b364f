/* SPDX-License-Identifier: MIT
 *
 * xenstore_wire.h - a connection to the store from inside: between xenstore.c, which speaks the
 * protocol, and xenstore_life.c, where connections begin and end.
 */
#ifndef HV_XENSTORE_WIRE_H
#define HV_XENSTORE_WIRE_H

#include "store.h"
#include <pv/abi/xenstore.h>

struct domain;

enum { HOME_MAX = 32 };

struct message {
    struct message *next;
    uint32_t length; /* with its header */
    char bytes[];
};

struct watch {
    struct watch *next;
    uint16_t path_length, token_length;
    bool relative; /* events name the path as it was given: below the home */
    char text[];   /* absolute path, 0, token, 0 */
};

struct connection {
    struct domain *domain;
    struct xenstore_domain_interface *page; /* NULL: not shared */
    struct store_user user;
    struct watch *watches;
    uint32_t nr_watches, nr_events;
    struct message *out; /* oldest first; the first one is partly sent */
    uint32_t sent;
    uint32_t in_length;
    bool broken;
    char home[HOME_MAX]; /* "/local/domain/N" */
    char in[sizeof(struct xen_xsd_sockmsg) + XENSTORE_PAYLOAD_MAX + 1];
};

/* c->in holds one whole message: do what it asks, and queue the answer. */
void connection_handle(struct connection *c);
void connection_drop_first(struct connection *c); /* of what is queued */
void connection_watches_reset(struct connection *c);
/* The guest begins anew, after whatever went wrong: empty rings, no watches, no transactions. */
void connection_renew(struct connection *c);

#endif
