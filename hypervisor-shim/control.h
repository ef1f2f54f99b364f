/* SPDX-License-Identifier: MIT
 *
 * control.h - what the host and a running shim say to each other.
 *
 *   pvctl ─► requests ─► channel ─► shim        one at a time, in the order of their arrival
 *         ◄─ replies, events ◄──────┘
 *         ◄── buffers: memory of the shim, which the host has mapped ──►
 *
 * A channel is a stream of bytes: a virtio console of the machine, and on the host a socket.
 * The host sends struct control_request, the shim struct control_message: a reply for each request,
 * and events in between for those who asked for them. Both begin with their magic and end with
 * CONTROL_END, so that either side finds its feet again after half a request or rubbish.
 *
 * What does not fit into five numbers lies in buffers: pages of the shim's own memory that a client
 * asks for (CONTROL_BUFFER) and writes through the shared file (hostview.h says where an address is
 * in it). All of a client's buffers together are its arena; a request names a range within one of
 * them. Numbers are little-endian, structs as the x86-64 ABI lays them out.
 *
 * Several clients may share one channel when somebody on the host sorts them (pvctl, which started
 * the machine, does): it gives each a number, and says CONTROL_BYE when one has gone.
 * docs/control.md tells it at length.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdint.h>
#include "core/reason.h"

#define CONTROL_REQUEST 0x71727670u           /* "pvrq" */
#define CONTROL_MESSAGE 0x736d7670u           /* "pvms" */
#define CONTROL_END     0x0a646e652d767009ull /* "\tpv-end\n" */
#define CONTROL_VERSION 1

enum {
    CONTROL_CLIENTS = 16, /* client numbers are below this */
    CONTROL_BUFFERS = 8,  /* of one client */
};

/* The operations: number, name, and what they take. In the table of core/control.c, too. */
enum control_op {
    CONTROL_HELLO = 1, /* forget what this client had; value: CONTROL_VERSION */
    CONTROL_BYE,       /* the same, and no more requests come */
    CONTROL_BUFFER, /* arg[0]: bytes. value: its address, page-aligned; what it holds is anything */
    CONTROL_BUFFER_FREE,   /* buffer: its address */
    CONTROL_EVENTS,        /* arg[0]: 1 << enum control_event of all that this client wants */
    CONTROL_CREATE,        /* buffer: the guest's text, as a boot module's (hostview.h), ended by 0;
                              arg[0], arg[1]: kernel, its bytes; arg[2], arg[3]: ramdisk, its bytes
                              (0: none), all in buffers; arg[4]: CONTROL_CREATE_*. value: its domid */
    CONTROL_DESTROY,       /* number: domid, running or ended; it is gone when the reply comes */
    CONTROL_PAUSE,         /* number: domid */
    CONTROL_UNPAUSE,       /* number: domid */
    CONTROL_CONSOLE_INPUT, /* number: domid; buffer: bytes. value: how many there was room for */
    CONTROL_STORE,         /* buffer: a xenstore request (header and payload), with room for the
                              answer, which takes its place. value: the answer's bytes */
    CONTROL_POWER_OFF,     /* the machine ends at once; no reply */
    CONTROL_TRACE,         /* arg[0]: enum trace_class of what is to be recorded. value: what was */
    CONTROL_OPS,
    CONTROL_XEN = 64, /* number: a hypercall of Xen's, arg[]: its arguments; pointers are
                         addresses in buffers */
};

enum { CONTROL_CREATE_PAUSED = 1 << 0 };

/* What may happen. An event is sent once however often it happened since the last one, and the
 * numbers that it gives are of the time of sending: nothing is lost but repetition. */
enum control_event {
    CONTROL_EVENT_DOMAIN = 1, /* number: domid, value: enum hostview_state */
    CONTROL_EVENT_CONSOLE,    /* number: domid, value: bytes ever printed (hostview.h) */
    CONTROL_EVENT_VIRQ,       /* value: XEN_VIRQ_*: what a control domain would get */
    CONTROL_EVENTS_END
};

struct control_request {
    uint32_t magic; /* CONTROL_REQUEST */
    uint16_t version;
    uint16_t op; /* enum control_op */
    uint32_t client;
    uint32_t id; /* the asker's choice; its reply has it, too */
    uint32_t number;
    uint32_t reserved; /* 0 */
    uint64_t arg[5];
    uint64_t buffer; /* machine address in one of the client's buffers; 0: none */
    uint64_t length; /* bytes from there on */
    uint64_t end;    /* CONTROL_END */
};
_Static_assert(sizeof(struct control_request) == 88, "the wire");

struct control_message {
    uint32_t magic; /* CONTROL_MESSAGE */
    uint16_t version;
    uint16_t event; /* 0: a reply; else enum control_event */
    uint32_t client, id;
    int64_t value; /* of a reply: at least 0, or a negative errno of abi/errno.h */
    uint32_t number;
    uint32_t reserved;    /* 0 */
    struct reason reason; /* of a refusal: its rule and facts; else rule 0 */
    uint64_t end;         /* CONTROL_END */
};
_Static_assert(sizeof(struct control_message) == 136, "the wire");

#endif
