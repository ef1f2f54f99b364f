/* SPDX-License-Identifier: MIT
 *
 * disk.h - --disk and "disks": files that are guests' disks, whole or in parts.
 *
 *   FILE[,ro][,part=N | ,slice=FIRST+SECTORS]
 *
 * A file may be several guests' as long as none of them writes what another has. Every
 * complaint is one sentence; functions return 0 or EXIT_USAGE.
 */
#ifndef PVCTL_DISK_H
#define PVCTL_DISK_H

#include "config.h"

/* g gets the disk that text describes; `what` is the option or key, for complaints; relative
 * file names are relative to dir (NULL: to where we are). */
int disk_take(struct guest *g, const char *what, const char *text, const char *dir);
/* All of the plan's: files that can be used, and nobody in the other's way. Fills in the drives. */
int disks_check(struct plan *p);
/* " disk=vda disk=vdb,ro": what the shim is told of g's disks. */
char *disk_words(const struct guest *g);

#endif
