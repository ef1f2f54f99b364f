/* SPDX-License-Identifier: MIT
 *
 * net.h - --net and "net": a guest's network card, and the machine's way out.
 *
 *   user[,hostfwd=PORT:PORT]... | switch | none     and for the first two: [,mac=M][,rate=SIZE]
 *
 * All cards are ports of one switch. With `user` the machine has a card too, to QEMU's user
 * network; forwarded ports are open on the host's loopback only. Every complaint is one sentence;
 * functions return 0 or EXIT_USAGE.
 */
#ifndef PVCTL_NET_H
#define PVCTL_NET_H

#include "config.h"

/* g gets the card that text describes; `what` is the option or key, for complaints. */
int net_take(struct plan *p, struct guest *g, const char *what, const char *text);
/* All of the plan's: addresses differ, ports are free. */
int nets_check(struct plan *p);
/* " net=on,rate=1000": what the shim is told of g's card; "" without one. */
char *net_words(const struct guest *g);
/* QEMU's -netdev for the machine's own card. */
char *net_backend(const struct plan *p);

#endif
