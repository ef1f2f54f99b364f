/* SPDX-License-Identifier: MIT
 *
 * switch.h - the virtual Ethernet switch: which port is a packet for?
 *
 * Ports are small numbers. A guest's port has one address, which is fixed: packets with another
 * source are spoofed, whoever they are for. A trunk (the uplink) has any number of addresses, which
 * are learned from the packets that come in there; an address that is fixed is never learned. A
 * packet for an address that nobody has goes to the trunk, and for a group to all.
 *
 * Knows addresses and nothing of rings, guests or memory.
 */
#ifndef HV_SWITCH_H
#define HV_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SWITCH_PORTS = 128, /* 0 .. 127 */
    SWITCH_SLOTS = 512, /* of the table of addresses, a power of two */
    SWITCH_LEARNED = 256,
    SWITCH_HEADER = 14,
    /* verdicts beside a port */
    SWITCH_FLOOD = -1, /* all ports but the one it came from */
    SWITCH_SPOOF = -2, /* drop it, and say so */
    SWITCH_DROP = -3,  /* for nobody */
};

struct switch_entry {
    uint64_t key; /* the address and a bit that says that there is one; 0: free */
    uint16_t port;
    bool learned;
};

struct vswitch { /* zeroed: a switch without ports */
    struct switch_entry entry[SWITCH_SLOTS];
    uint64_t fixed[SWITCH_PORTS]; /* the address of a guest's port; 0: no such port */
    unsigned learned;
    int trunk; /* port number + 1; 0: none */
};

/* False: the address is a group's, zero, or another port's. */
bool switch_add(struct vswitch *s, unsigned port, const uint8_t mac[6]);
void switch_remove(struct vswitch *s, unsigned port);
void switch_trunk(struct vswitch *s, unsigned port);
/* Where a packet from `from` with this header belongs: a port, or one of the above. */
int switch_forward(struct vswitch *s, unsigned from, const uint8_t *header);

#endif
