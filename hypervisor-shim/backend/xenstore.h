/* SPDX-License-Identifier: MIT
 *
 * xenstore.h - guests' connections to the store: the wire protocol on a shared page.
 */
#ifndef HV_XENSTORE_H
#define HV_XENSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct domain;
struct connection;
struct xenstore_domain_interface;

/* A new guest: its directory in the store, its connection (not shared yet). False: no memory. */
bool xenstore_create(struct domain *d);
/* Its page is in place (builder), or about to go (the guest's end): open transactions are dropped.
 */
void xenstore_attach(struct domain *d, struct xenstore_domain_interface *page);
void xenstore_detach(struct domain *d);
void xenstore_destroy(struct domain *d); /* after detach: its directory goes too */

void xenstore_notified(struct domain *d); /* an event from the guest */

/* -- the host's own connections (control.c) -- */

struct connection *xenstore_host_open(void); /* NULL: no memory */
void xenstore_host_close(struct connection *c);
/* One request (header and payload as its header says, length bytes, checked by the caller), whose
 * place its answer takes; the answer's bytes. 0: no memory, or it does not fit into the room. */
size_t xenstore_host_request(struct connection *c, void *bytes, size_t length, size_t room);

#endif
