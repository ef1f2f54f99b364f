/* SPDX-License-Identifier: MIT
 *
 * console.h - the guests' consoles, and the one terminal that they share.
 *
 *   guest 1 ring ─► raw ────────┐
 *   guest 2 ring ─► lines "(d2) "├─► platform console        input ─► the guest in focus
 *   hypervisor   ─► lines "(shim) "┘
 *
 * The guest in focus (the first one, until Ctrl-A is pressed three times) is shown as it
 * writes; of all others whole lines are shown, each with its prefix. Every guest's output is
 * also kept in a ring that the host reads.
 */
#ifndef HV_CONSOLE_H
#define HV_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct domain;
struct xencons_interface;

enum { CONSOLE_KEPT = 8192, CONSOLE_LINE = 200, CONSOLE_INPUT = 256 };

struct console {
    struct domain *domain;
    struct xencons_interface *ring; /* shared with the guest; NULL once the guest has ended */
    uint64_t kept_produced;
    uint32_t line_length;            /* of a line that waits for its end */
    uint32_t input_head, input_tail; /* free running: input for which the ring had no room */
    bool broken;                     /* the guest's indices made no sense */
    char line[CONSOLE_LINE];
    char input[CONSOLE_INPUT];
    char kept[CONSOLE_KEPT];
};

/* Give d a console without a ring; false: no memory. */
bool console_create(struct domain *d);
void console_destroy(struct domain *d); /* after detach: what was kept goes as well */
/* The ring is in place (builder) or about to go (the guest's end: what it holds is shown). */
void console_attach(struct domain *d, struct xencons_interface *ring);
void console_detach(struct domain *d);

void console_notified(struct domain *d); /* an event from the guest */
void console_guest_write(struct domain *d, const char *s,
                         size_t n);               /* output outside of the ring */
void console_shim_write(const char *s, size_t n); /* the hypervisor's: whole lines */
void console_input(void);                         /* CPU_WORK_CONSOLE */
/* Input for d alone, whoever has the focus: how many bytes there was room for. */
size_t console_type(struct domain *d, const char *s, size_t n);

#endif
