/* SPDX-License-Identifier: MIT
 *
 * view.h - a shim seen from the host: its published page, and what hangs off it.
 *
 * Read-only and distrustful: a machine may be half booted, dead, or of another version.
 * Every address is checked against the memory's size before it is followed.
 */
#ifndef PVCTL_VIEW_H
#define PVCTL_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "../../hypervisor-shim/hostview.h"

struct view {
    const uint8_t *ram;
    uint64_t size;
    struct hostview page; /* a copy, taken whole */
};

/* Open the memory in a machine's directory. 0, or -1 with *why a sentence to be freed. */
int view_open(struct view *v, const char *dir, char **why);
/* Bring v->page up to date. 0, or -1: it does not come to rest. */
int view_refresh(struct view *v);
void view_close(struct view *v);
/* n bytes at machine address a, or NULL where there is no such memory. */
const void *view_at(const struct view *v, uint64_t a, uint64_t n);
/* The reasons of a ring at an address, or of domain i of the page, newest last; returns how many.
 * The first one ever is included even when the ring has dropped it. */
size_t view_ring(const struct view *v, uint64_t address, struct reason *out, size_t room);
size_t view_reasons(const struct view *v, unsigned i, struct reason *out, size_t room);

/* The trace, oldest record first; returns how many of out's TRACE_RECORDS are used. */
size_t view_trace(const struct view *v, struct trace_record *out);

int command_list(int argc, char **argv);
int command_why(int argc, char **argv);
int command_dmesg(int argc, char **argv);

#endif
