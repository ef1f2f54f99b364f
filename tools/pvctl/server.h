/* SPDX-License-Identifier: MIT
 *
 * server.h - many clients on one control channel (docs/control.md).
 *
 *   clients ─► MACHINE/control ─► server ─► QEMU's virtconsole ─► shim
 *
 * Lives in the process that started the machine, between its other sources of news. A client has at
 * most one request on the way; one that sends anything but requests, or lets its messages pile up,
 * is dropped, and the shim is told that it has gone.
 */
#ifndef PVCTL_SERVER_H
#define PVCTL_SERVER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

struct server;

enum { SERVER_FDS = 2 + 16 };

/* Listen in the machine's directory for the channel at descriptor `shim`. NULL after a sentence. */
struct server *server_open(const char *dir, int shim);
void server_close(struct server *s);
/* What to wait for (SERVER_FDS of them; -1 where there is nothing), and what has come. */
void server_wait(const struct server *s, struct pollfd *p);
void server_attend(struct server *s, const struct pollfd *p);
/* The shim has answered somebody; a client asked it to power off. */
bool server_is_up(const struct server *s);
bool server_ends(const struct server *s);

#endif
