/* SPDX-License-Identifier: MIT
 *
 * xenstore.h - guests' connections to the store: the wire protocol on a shared page.
 */
#ifndef HV_XENSTORE_H
#define HV_XENSTORE_H

#include <stdbool.h>
#include <stdint.h>

struct domain;
struct xenstore_domain_interface;

/* A new guest: its directory in the store, its connection (not shared yet). False: no memory. */
bool xenstore_create(struct domain *d);
/* Its page is in place (builder), or about to go (the guest's end): open transactions are dropped. */
void xenstore_attach(struct domain *d, struct xenstore_domain_interface *page);
void xenstore_detach(struct domain *d);
void xenstore_destroy(struct domain *d); /* after detach: its directory goes too */

void xenstore_notified(struct domain *d); /* an event from the guest */

#endif
