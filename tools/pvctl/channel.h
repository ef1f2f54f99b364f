/* SPDX-License-Identifier: MIT
 *
 * channel.h - a running machine, and its shim's control channel (docs/control.md).
 *
 * One request at a time; events that come in between are kept. What goes wrong is said in one
 * sentence, by whoever finds it: functions return 0 (or a value), or EXIT_USAGE or EXIT_MACHINE
 * after it.
 */
#ifndef PVCTL_CHANNEL_H
#define PVCTL_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../hypervisor-shim/control.h"
#include "view.h"

struct channel {
    char *machine; /* its name */
    char *dir;
    struct view view; /* as of the opening, or channel_look() */
    uint8_t *ram;     /* writable */
    int fd;
    uint32_t id;
    bool quiet; /* refusals are the caller's to tell */
    struct control_message reply;
    struct control_message *events; /* that came before a reply, oldest first */
    size_t nr_events;
};

/* The machine of that name, or, if there is but one, the one that runs. */
int channel_open(struct channel *c, const char *machine);
/* The same for a directory whose machine may still be booting. */
int channel_open_dir(struct channel *c, const char *dir);
void channel_close(struct channel *c);
/* Bring c->view up to date. */
int channel_look(struct channel *c);

/* Send r and wait for its reply, in c->reply. The reply's value; a refusal or a dead machine is
 * told (a refusal not, if c->quiet) and gives -1. */
int64_t channel_ask(struct channel *c, struct control_request r);
#define CHANNEL_ASK(c, op_, ...) \
    channel_ask((c), (struct control_request){.op = (op_), __VA_ARGS__})

/* A buffer of n bytes in the shim: where the host has it, and its address. NULL after a sentence.
 */
void *channel_buffer(struct channel *c, uint64_t n, uint64_t *address);

/* The next event, waiting up to timeout ms (-1: for ever) for it or for input at descriptor `also`
 * (-1: none). 1: *m is it; 0: time or the other descriptor; -1: the machine has gone, or a signal
 * came. */
int channel_event(struct channel *c, struct control_message *m, int also, int timeout);

/* Of guests that are there; one that has not ended wins. Their index in c->view, or -1 after a
 * sentence. `ended`: one that has ended will do. */
int channel_guest(struct channel *c, const char *guest, bool ended);

#endif
