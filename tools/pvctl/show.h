/* SPDX-License-Identifier: MIT
 *
 * show.h - what the commands that look at a machine share: their arguments, and finding the
 * machine.
 */
#ifndef PVCTL_SHOW_H
#define PVCTL_SHOW_H

#include <stdbool.h>

#include <jansson.h>

#include "machine.h"
#include "view.h"

struct request {
    bool json;
    const char *machine, *guest;
};

/* [--json] [--machine NAME] [GUEST], or [MACHINE] for a command that takes no guest. 0 or
 * EXIT_USAGE. */
int read_request(struct request *q, const char *command, bool takes_guest, int argc, char **argv);
/* The machine that is asked for, or the newest. 0, or EXIT_USAGE after a sentence. */
int open_machine(struct view *v, const char *name, char **found);
void name_copy(char *to, const struct hostview_domain *d); /* HOSTVIEW_NAME bytes */
/* Print j, and let it go. */
void print_json(json_t *j);
/* A machine, as pvctl list --json shows it. */
json_t *show_machine_json(const struct machine_entry *e);
/* Domain i of the page, as pvctl list --json shows it. */
json_t *show_domain_json(const struct view *v, unsigned i);
/* What a ring of bytes still holds, oldest first, as a string; "" where it is damaged. */
char *ring_text(const struct view *v, uint64_t address, uint64_t size, uint64_t produced);
/* Print it and free it; as JSON with the name under that key. */
void print_text(bool json, const char *key, const char *name, char *text);
bool is_guest(const struct hostview_domain *d, const char *asked);

#endif
