/* SPDX-License-Identifier: MIT */
/*
 * disk.h - a back-end of straw for disks, in the world of world.h. It does what Linux's does, state
 * by state, and serves requests from memory; a test may have it misbehave.
 */
#ifndef TESTS_UNIT_LIBPV_DISK_H
#define TESTS_UNIT_LIBPV_DISK_H

#include "world.h"

#define DISK_SECTORS 2048
#define DISK_FRONT   HOME "device/vbd/51712"
#define DISK_BACK    "/local/domain/0/backend/vbd/7/51712"

extern struct disk {
    char bytes[DISK_SECTORS * 512];
    /* Features, as it will offer them. */
    unsigned indirect, flush, barrier, discard, readonly, sector_size, physical;
    uint64_t sectors;
    /* What happened. */
    unsigned requests, most_pieces, flushes, barriers, discards, indirects, events;
    char log[4096]; /* a letter for each request, in order */
    /* Behaviour. */
    unsigned stop_at; /* the state beyond which it does not go; 0: none */
    bool hold;        /* requests are taken, not answered */
    unsigned delay;   /* turns that a request lies about, so that there are many in the ring */
    int fail_op;      /* this operation is answered with fail_status; -1: none */
    int16_t fail_status;
    /* May change a response, and say how often it is to be sent. */
    unsigned (*mangle)(struct xen_blkif_response *rsp);
    bool keep_pages; /* mapped when it answers */
    struct pv_blkif_back ring;
    bool connected;
    uint32_t port;
    struct xen_blkif_request held[64];
    unsigned nr_held;
} disk;

/* A world with this disk in it, as a toolstack leaves it. */
void disk_reset(void);
/* Its turn; world.idle. */
void disk_run(void);
void disk_state(unsigned state);
unsigned disk_front_state(void);

#endif
