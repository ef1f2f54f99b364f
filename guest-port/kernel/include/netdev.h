/* SPDX-License-Identifier: MIT */
/*
 * netdev.h - network cards: what a driver gives to the network stack and gets from it.
 *
 * Frames are whole Ethernet frames without checksum. The stack calls `transmit` in process context
 * and may be slow to come back; the driver hands received frames up from a work item, never from an
 * interrupt handler.
 */
#ifndef KERN_NETDEV_H
#define KERN_NETDEV_H

#include "types.h"

struct iovec;

struct netdev {
    char name[8]; /* eth0; set by netdev_register */
    u8 mac[6];
    u32 mtu;
    bool link; /* a cable is in */
    /* Sends a frame given in n pieces; copies it. 0, or -ENOBUFS when the ring is full (the frame
     * is lost, as on any wire). */
    int (*transmit)(struct netdev *d, const struct iovec *pieces, unsigned n);
    void *driver;
    u64 rx_packets, rx_bytes, tx_packets, tx_bytes, rx_dropped, tx_errors;
    void *stack; /* the network stack's */
    struct netdev *next;
};

/* Makes the card known as ethN; with `ip=dhcp` on the kernel command line it gets its address by
 * itself. Kept for ever. 0 or -errno. Without lwIP in the kernel: -ENODEV. */
int netdev_register(struct netdev *d);
/* A received frame; copied. */
void netdev_receive(struct netdev *d, const void *frame, size_t len);
/* Lists the interfaces for /proc/net/dev, lo included. */
void netdev_each(void (*fn)(void *arg, const char *name, const struct netdev *d), void *arg);

#endif
