/* SPDX-License-Identifier: MIT
 *
 * stage.c - how far a guest has come: pvctl stage, and run --stages.
 *
 * The shim records the stages (core/stages.def); here they are only shown. The next one is
 * the first in the table that has not been reached: the porting guide is in this order.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "say.h"
#include "show.h"
#include "stage.h"

static const struct {
    const char *name, *what, *how;
} table[] = {
#define STAGE(name, what, how) {#name, what, how},
#include "../../hypervisor-shim/core/stages.def"
#undef STAGE
};

enum { COUNT = sizeof(table) / sizeof(table[0]) };

static bool has(const struct hostview_domain *d, unsigned i)
{
    return d->stages >> i & 1;
}

static unsigned next_of(const struct hostview_domain *d)
{
    unsigned i = 0;

    while (i < COUNT && has(d, i))
        i++;
    return i;
}

static void print(FILE *to, const struct hostview_domain *d)
{
    unsigned next = next_of(d), reached = 0;
    char name[HOSTVIEW_NAME];

    for (unsigned i = 0; i < COUNT; i++)
        reached += has(d, i);
    name_copy(name, d);
    fprintf(to, "%s: %u of %u stages\n", name, reached, COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        fprintf(to, "  %s%s  %-8s %s%s%s%s\n", say_color(to, has(d, i) ? SAY_PLAIN : SAY_DIM),
                has(d, i) ? "[x]" : "[ ]", table[i].name, table[i].what,
                i == next ? " <- next: " : "", i == next ? table[i].how : "",
                say_color(to, SAY_PLAIN));
}

static json_t *to_json(const struct hostview_domain *d)
{
    json_t *all = json_array();
    unsigned next = next_of(d);
    char name[HOSTVIEW_NAME];

    name_copy(name, d);
    for (unsigned i = 0; i < COUNT; i++)
        json_array_append_new(all,
                              json_pack("{s:s,s:b,s:s,s:s}", "stage", table[i].name, "reached",
                                        has(d, i), "what", table[i].what, "how", table[i].how));
    return json_pack("{s:i,s:s,s:s?,s:o}", "domid", d->domid, "name", name, "next",
                     next < COUNT ? table[next].name : NULL, "stages", all);
}

void stages_print(const struct view *v)
{
    for (unsigned i = 0; i < v->page.domains; i++)
        if (v->page.domain[i].state != HV_DOM_NONE)
            print(stderr, &v->page.domain[i]);
}

int command_stage(int argc, char **argv)
{
    struct request q;
    struct view v;
    json_t *all;
    bool found = false;

    if (read_request(&q, "stage", true, argc, argv) || open_machine(&v, q.machine, NULL))
        return EXIT_USAGE;
    all = json_array();
    for (unsigned i = 0; i < v.page.domains; i++) {
        const struct hostview_domain *d = &v.page.domain[i];

        if (d->state == HV_DOM_NONE || !is_guest(d, q.guest))
            continue;
        found = true;
        if (q.json)
            json_array_append_new(all, to_json(d));
        else
            print(stdout, d);
    }
    view_close(&v);
    if (q.json)
        print_json(all);
    else
        json_decref(all);
    return found || !q.guest ? EXIT_OK
                             : say_bad("there is no guest \"%s\"; see pvctl list.", q.guest);
}
