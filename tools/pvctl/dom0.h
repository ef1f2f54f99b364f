/* SPDX-License-Identifier: MIT
 *
 * dom0.h - guests on real Xen beside a dom0: what is handed to that Linux, and what it reports.
 *
 * A guest that needs more than the hypervisor (a disk, a network, xenstore, a console of its own,
 * other guests) runs as a domU. dom0 is Debian's Linux with an initramfs that scripts/xenhost made
 * ("the host"); appended to it goes a small archive made here, with each guest's files and its
 * configuration for xl. dom0's reports are lines of its console that begin with "@@ ", listed in
 * scripts/xenhost-init; guests cannot write there.
 */
#ifndef PVCTL_DOM0_H
#define PVCTL_DOM0_H

#include <stdbool.h>

#include "config.h"

struct dom0 {
    bool ready, done;
    char *failure; /* why it cannot go on; NULL */
    enum {
        GUEST_RUNS,
        GUEST_REFUSED,
        GUEST_ENDED
    } /* each guest's state */
    state[MAX_GUESTS];
    unsigned code[MAX_GUESTS]; /* SHUTDOWN_* of those that have ended */
};

/* The files of the host, or NULL after a sentence. To be freed. */
char *dom0_file(const char *name);

/* Write the initramfs for p's guests to `path`. 0, or an exit status after a sentence. */
int dom0_initramfs(const struct plan *p, const char *path);

/* A line of dom0's console: true if it was a report. */
bool dom0_report(struct dom0 *d, const char *line);

/* How the guests ended: an exit status, after a sentence for each that did not power off. */
int dom0_verdict(const struct dom0 *d, const struct plan *p);

#endif
