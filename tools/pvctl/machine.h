/* SPDX-License-Identifier: MIT
 *
 * machine.h - a machine on this host: its directory, its files, its QEMU.
 *
 *   BASE/NAME/ram      the memory (the shim's is shared: `list`, `why`, `dmesg` read it)
 *   BASE/NAME/control  the shim's control channel: a socket (server.h)
 *   BASE/NAME/lock     held while pvctl runs it; a free lock means that it has ended
 *   BASE/NAME/keep     it has ended, and its memory is to stay readable
 *   BASE/NAME/uplink   it has a network card to the host's network
 *   BASE/NAME/dom0     with a dom0: its initramfs
 *   BASE/NAME/kN, rN, dN  links to the guests' files, so that no name confuses QEMU
 *
 * BASE is $PVCTL_RUN, or pvctl-UID in /dev/shm or, where that is too small, in /tmp.
 */
#ifndef PVCTL_MACHINE_H
#define PVCTL_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

struct machine {
    char *dir;   /* BASE/NAME */
    int lock;    /* descriptor that holds its lock; -1: not ours */
    char *image; /* hypervisor image */
    char **argv; /* QEMU's arguments, NULL at the end */
    size_t args;
    char *gdb_port; /* NULL: no stub */
    int guests[2];  /* the guests' own serial line: our end, QEMU's; -1: it is the only one */
    int control[2]; /* the shim's control channel: likewise; -1: there is none */
};

/* Make the directory and all that QEMU needs. 0, or an exit status after a sentence. */
int machine_make(struct machine *m, const struct plan *p);
/* Remove the directory, or leave its memory readable. */
void machine_close(struct machine *m, bool keep);

/* Every machine's directory that is there, newest first; returns how many (to be freed,
 * each and all). `live` tells whether it still runs. */
struct machine_entry {
    char *dir, *name;
    bool live;
    int64_t born;
};
size_t machine_list(struct machine_entry **out);
void machine_list_free(struct machine_entry *e, size_t n);

/* A file of ours: NAME in the directory $VARIABLE, or in DIRECTORY relative to this program, or in
 * the library directory. It may not be there. */
char *machine_file(const char *variable, const char *directory, const char *name);

/* A guest's description (hostview.h), to be freed. */
char *machine_guest_text(const struct guest *g);

/* The hypervisor image for a peer, or NULL after a sentence. */
char *machine_image(enum peer on);

#endif
