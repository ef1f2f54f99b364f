/* SPDX-License-Identifier: MIT
 *
 * gdb.h - a gdb script for a machine that waits on QEMU's stub.
 */
#ifndef PVCTL_GDB_H
#define PVCTL_GDB_H

#include "machine.h"

/* Write MACHINE/gdb, which loads the symbols of hypervisor and guests and attaches, and
 * say how to use it. */
void gdb_announce(const struct plan *p, const struct machine *m);

#endif
