/* SPDX-License-Identifier: MIT
 *
 * top.c - pvctl top: what each guest of a machine uses.
 *
 * Everything comes from the shim's page (hostview.h), so looking costs the machine nothing. The
 * share of the processor is that since the last look, of the machine's own time; at the first look,
 * and when looking once, since the machine came up.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guests.h"
#include "say.h"
#include "show.h"

/* Per cent of the time between two looks that the guest ran; before may be all zeros. */
static double share(const struct view *v, const struct hostview *before, unsigned i)
{
    const struct hostview_domain *d = &v->page.domain[i];
    uint64_t was = 0, time = v->page.uptime_ns - before->uptime_ns;

    for (unsigned k = 0; k < before->domains; k++)
        if (before->domain[k].domid == d->domid && before->domain[k].cpu_ns <= d->cpu_ns)
            was = before->domain[k].cpu_ns;
    return time ? 100.0 * (double)(d->cpu_ns - was) / (double)time : 0;
}

static uint64_t refusals(const struct view *v, unsigned i)
{
    const struct reason_ring *r = view_at(v, v->page.domain[i].reasons, sizeof(*r));

    return r && v->page.domain[i].reasons % 8 == 0 ? r->count : 0;
}

static void show_table(const struct view *v, const struct hostview *before)
{
    static const char *const head[] = {"ID",   "NAME",    "CPU",   "CPU TIME", "MEM",
                                       "DISK", "PACKETS", "BYTES", "REFUSED"};
    enum { COLUMNS = sizeof(head) / sizeof(head[0]) };
    struct say_table *t = table_new(COLUMNS);

    for (unsigned i = 0; i < COLUMNS; i++)
        table_cell(t, "%s", head[i]);
    for (unsigned i = 0; i < v->page.domains; i++) {
        const struct hostview_domain *d = &v->page.domain[i];
        char name[HOSTVIEW_NAME];

        if (d->state == HV_DOM_NONE)
            continue;
        name_copy(name, d);
        table_cell(t, "%u", d->domid);
        table_cell(t, "%s", name);
        table_cell(t, "%.1f%%", share(v, before, i));
        table_cell(t, "%" PRIu64 ".%03u s", d->cpu_ns / 1000000000,
                   (unsigned)(d->cpu_ns / 1000000 % 1000));
        table_cell(t, "%" PRIu64 "M", d->pages >> 8);
        table_cell(t, "%" PRIu64, d->disk_requests);
        table_cell(t, "%" PRIu64, d->packets);
        table_cell(t, "%" PRIu64, d->packet_bytes);
        table_cell(t, "%" PRIu64, refusals(v, i));
    }
    table_print(stdout, t);
    table_free(t);
    fflush(stdout);
}

static void show_json(const struct view *v, const struct hostview *before)
{
    json_t *all = json_array();

    for (unsigned i = 0; i < v->page.domains; i++) {
        const struct hostview_domain *d = &v->page.domain[i];
        json_t *j;

        if (d->state == HV_DOM_NONE)
            continue;
        j = show_domain_json(v, i);
        json_object_set_new(j, "cpu_share", json_real(share(v, before, i)));
        json_object_set_new(j, "disk_requests", json_integer((json_int_t)d->disk_requests));
        json_object_set_new(j, "packets", json_integer((json_int_t)d->packets));
        json_object_set_new(j, "packet_bytes", json_integer((json_int_t)d->packet_bytes));
        json_object_set_new(j, "refused", json_integer((json_int_t)refusals(v, i)));
        json_array_append_new(all, j);
    }
    print_json(all);
}

static bool can_redraw(void)
{
    const char *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb");
}

int command_top(int argc, char **argv)
{
    static struct hostview before; /* all zeros at first */
    struct request q;
    struct view v;

    if (read_request(&q, "top", false, argc, argv) || open_machine(&v, q.machine, NULL))
        return EXIT_USAGE;
    if (q.json) {
        show_json(&v, &before);
    } else if (!can_redraw()) {
        show_table(&v, &before);
    } else {
        do {
            printf("\033[H\033[2J%s%" PRIu64 "M free\n", say_color(stdout, SAY_PLAIN),
                   v.page.free_pages >> 8);
            show_table(&v, &before);
            before = v.page;
            sleep(1);
        } while (!v.page.ended && view_refresh(&v) == 0);
    }
    view_close(&v);
    return EXIT_OK;
}
