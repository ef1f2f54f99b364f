/* SPDX-License-Identifier: MIT
 *
 * show.c - the commands that look at a machine from outside: list, why, dmesg.
 *
 * Each prints calm aligned text, or with --json one JSON document whose fields have the
 * same names in every command. They change nothing in the machine.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "say.h"
#include "show.h"

static const char *state_name(const struct hostview_domain *d)
{
    static const char *const ended[] = {"powered off", "rebooted", "suspended", "crashed",
                                        "watchdog"};

    switch (d->state) {
    case HV_DOM_PAUSED:
        return "paused";
    case HV_DOM_RUNNING:
        return "running";
    case HV_DOM_SHUTDOWN:
        return d->shutdown_code < sizeof(ended) / sizeof(ended[0]) ? ended[d->shutdown_code]
                                                                   : "ended";
    case HV_DOM_CRASHED:
        return "crashed";
    case HV_DOM_DYING:
        return "dying";
    default:
        return "none";
    }
}

int read_request(struct request *q, const char *command, bool takes_guest, int argc, char **argv)
{
    memset(q, 0, sizeof(*q));
    for (int i = 0; i < argc; i++) {
        const char **to = takes_guest ? &q->guest : &q->machine;

        if (!strcmp(argv[i], "--json")) {
            q->json = true;
            continue;
        }
        if (!strcmp(argv[i], "--machine")) {
            if (i + 1 == argc)
                return say_bad("--machine wants a name after it.");
            to = &q->machine;
            i++;
        } else if (argv[i][0] == '-') {
            return say_bad("%s is not an option of %s; see pvctl help %s.", argv[i], command,
                           command);
        }
        if (*to)
            return say_bad("%s: %s is one too many; see pvctl help %s.", command, argv[i], command);
        *to = argv[i];
    }
    return 0;
}

int open_machine(struct view *v, const char *name, char **found)
{
    struct machine_entry *list;
    size_t n = machine_list(&list), i = 0;
    char *why;
    int rc = 0;

    while (name && i < n && strcmp(list[i].name, name))
        i++;
    if (i == n)
        rc = name ? say_bad("there is no machine \"%s\"; see pvctl list.", name)
                  : say_bad(
                        "no machine is running or kept; start one with pvctl run, or keep it with "
                        "run --keep.");
    else if (view_open(v, list[i].dir, &why)) {
        rc = say_bad("%s", why);
        free(why);
    } else if (found) {
        *found = xstrdup(list[i].name);
    }
    machine_list_free(list, n);
    return rc;
}

void print_json(json_t *j)
{
    json_dumpf(j, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(j);
}

void name_copy(char *to, const struct hostview_domain *d)
{
    memcpy(to, d->name, HOSTVIEW_NAME);
    to[HOSTVIEW_NAME - 1] = 0;
}

/* -- list --------------------------------------------------------------------- */

json_t *show_domain_json(const struct view *v, unsigned i)
{
    const struct hostview_domain *d = &v->page.domain[i];
    struct reason r[REASON_RING + 1];
    char name[HOSTVIEW_NAME];

    name_copy(name, d);
    return json_pack(
        "{s:i,s:s,s:s,s:i,s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "domid", d->domid, "name", name,
        "state", state_name(d), "shutdown_code", d->shutdown_code, "vcpus", d->vcpus, "memory",
        (json_int_t)(d->pages * 4096), "max_memory", (json_int_t)(d->max_pages * 4096), "cpu_ns",
        (json_int_t)d->cpu_ns, "reasons", (json_int_t)view_reasons(v, i, r, REASON_RING + 1),
        "disk_requests", (json_int_t)d->disk_requests, "disk_read", (json_int_t)d->disk_read,
        "disk_written", (json_int_t)d->disk_written, "disk_copied", (json_int_t)d->disk_copied);
}

json_t *show_machine_json(const struct machine_entry *e)
{
    json_t *guests = json_array(), *m;
    struct view v;
    char *why;

    if (view_open(&v, e->dir, &why)) {
        m = json_pack("{s:s,s:b,s:s}", "machine", e->name, "live", e->live, "problem", why);
        free(why);
        json_decref(guests);
        return m;
    }
    for (unsigned i = 0; i < v.page.domains; i++)
        if (v.page.domain[i].state != HV_DOM_NONE)
            json_array_append_new(guests, show_domain_json(&v, i));
    m = json_pack("{s:s,s:b,s:I,s:I,s:I,s:I,s:o}", "machine", e->name, "live", e->live, "uptime_ns",
                  (json_int_t)v.page.uptime_ns, "memory", (json_int_t)v.page.ram_size,
                  "free_memory", (json_int_t)(v.page.free_pages * 4096), "first_guest_tsc",
                  (json_int_t)v.page.first_guest_tsc, "guests", guests);
    view_close(&v);
    return m;
}

static void list_rows(struct say_table *t, const struct machine_entry *e)
{
    unsigned rows = 0;
    struct view v;
    char *why;

    if (view_open(&v, e->dir, &why)) {
        table_cell(t, "%s", e->name);
        for (int i = 0; i < 4; i++)
            table_cell(t, "-");
        table_cell(t, "-");
        table_cell(t, "%s", e->live ? "booting, or not a shim" : "nothing to be read");
        free(why);
        return;
    }
    for (unsigned i = 0; i < v.page.domains; i++) {
        const struct hostview_domain *d = &v.page.domain[i];
        char name[HOSTVIEW_NAME];

        if (d->state == HV_DOM_NONE)
            continue;
        name_copy(name, d);
        table_cell(t, "%s%s", e->name, e->live ? "" : " (kept)");
        table_cell(t, "%u", d->domid);
        table_cell(t, "%s", name);
        table_cell(t, "%" PRIu64 "M", d->pages >> 8);
        table_cell(t, "%u", d->vcpus);
        table_cell(t, "%" PRIu64 ".%03u s", d->cpu_ns / 1000000000,
                   (unsigned)(d->cpu_ns / 1000000 % 1000));
        table_cell(t, "%s", state_name(d));
        rows++;
    }
    if (!rows) {
        table_cell(t, "%s%s", e->name, e->live ? "" : " (kept)");
        for (int i = 0; i < 5; i++)
            table_cell(t, "-");
        table_cell(t, "no guests");
    }
    view_close(&v);
}

int command_list(int argc, char **argv)
{
    static const char *const head[] = {"MACHINE", "ID",       "NAME", "MEM",
                                       "VCPUS",   "CPU TIME", "STATE"};
    struct machine_entry *list;
    struct say_table *t = NULL;
    json_t *all = NULL;
    struct request q;
    bool found = false;
    size_t n;

    if (read_request(&q, "list", false, argc, argv))
        return EXIT_USAGE;
    n = machine_list(&list);
    if (q.json)
        all = json_array();
    else
        t = table_new(7);
    for (size_t i = 0; t && i < 7; i++)
        table_cell(t, "%s", head[i]);
    for (size_t i = 0; i < n; i++) {
        if (q.machine && strcmp(q.machine, list[i].name))
            continue;
        found = true;
        if (t)
            list_rows(t, &list[i]);
        else
            json_array_append_new(all, show_machine_json(&list[i]));
    }
    machine_list_free(list, n);
    if (all) {
        print_json(all);
    } else {
        if (found)
            table_print(stdout, t);
        else if (!q.machine)
            say_note("no machine is running or kept.");
        table_free(t);
    }
    return q.machine && !found ? say_bad("there is no machine \"%s\".", q.machine) : EXIT_OK;
}

/* -- why ------------------------------------------------------------------------- */

static json_t *reason_json(const struct reason *r, const char *sentence)
{
    return json_pack(
        "{s:s,s:s,s:I,s:i,s:i,s:i,s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:i,s:i,s:i,s:i,s:i}", "rule",
        rule_name(r->rule), "sentence", sentence, "time_ns", (json_int_t)r->time, "errno", r->err,
        "domid", r->domid, "vcpu", r->vcpu, "hypercall", r->hypercall == 0xffff ? -1 : r->hypercall,
        "rip", (json_int_t)r->rip, "va", (json_int_t)r->va, "mfn", (json_int_t)r->mfn, "old_entry",
        (json_int_t)r->old_entry, "new_entry", (json_int_t)r->new_entry, "value",
        (json_int_t)r->value, "limit", (json_int_t)r->limit, "level", r->level, "owner", r->owner,
        "type", r->frame_type, "refs", r->refs, "type_refs", r->type_refs);
}

bool is_guest(const struct hostview_domain *d, const char *asked)
{
    char name[HOSTVIEW_NAME], number[16];

    name_copy(name, d);
    snprintf(number, sizeof(number), "%u", d->domid);
    return !asked || !strcmp(asked, name) || !strcmp(asked, number);
}

/* Of domain i, or of the host itself: what it asked for by the control channel. */
static size_t show_reasons(const struct view *v, int i, json_t *all)
{
    struct reason r[REASON_RING + 1];
    uint64_t ring = i < 0 ? v->page.host_reasons : v->page.domain[i].reasons;
    size_t n = view_ring(v, ring, r, REASON_RING + 1);
    char name[HOSTVIEW_NAME] = "host", sentence[512];

    if (i >= 0)
        name_copy(name, &v->page.domain[i]);
    for (size_t k = 0; k < n; k++) {
        reason_format(sentence, sizeof(sentence), &r[k]);
        if (all)
            json_array_append_new(all, reason_json(&r[k], sentence));
        else
            printf("%s%6" PRIu64 ".%06u%s  %s  %s%s%s\n", say_color(stdout, SAY_DIM),
                   r[k].time / 1000000000, (unsigned)(r[k].time / 1000 % 1000000),
                   say_color(stdout, SAY_PLAIN), name,
                   say_color(stdout, r[k].err ? SAY_WARN : SAY_ALARM), sentence,
                   say_color(stdout, SAY_PLAIN));
    }
    return n;
}

int command_why(int argc, char **argv)
{
    struct request q;
    struct view v;
    json_t *all = NULL;
    bool found = false;
    size_t n = 0;

    if (read_request(&q, "why", true, argc, argv) || open_machine(&v, q.machine, NULL))
        return EXIT_USAGE;
    if (q.json)
        all = json_array();
    for (unsigned i = 0; i < v.page.domains; i++) {
        if (v.page.domain[i].state == HV_DOM_NONE || !is_guest(&v.page.domain[i], q.guest))
            continue;
        found = true;
        n += show_reasons(&v, (int)i, all);
    }
    if (!q.guest || (!found && !strcmp(q.guest, "host"))) {
        found = true;
        n += show_reasons(&v, -1, all);
    }
    view_close(&v);
    if (all) {
        print_json(all);
    } else if (found && !n) {
        say_note("nothing was refused.");
    }
    return found || !q.guest ? EXIT_OK
                             : say_bad("there is no guest \"%s\"; see pvctl list.", q.guest);
}

/* -- dmesg: a ring of text --------------------------------------------------------- */

char *ring_text(const struct view *v, uint64_t address, uint64_t size, uint64_t produced)
{
    uint64_t from = produced > size ? produced - size : 0;
    const char *ring = size && !(size & (size - 1)) ? view_at(v, address, size) : NULL;
    char *text;

    if (!ring || !address)
        return xstrdup("");
    text = xcalloc(1, produced - from + 1);
    for (uint64_t i = from; i < produced; i++)
        text[i - from] = ring[i & (size - 1)] ? ring[i & (size - 1)] : ' ';
    return text;
}

void print_text(bool json, const char *key, const char *name, char *text)
{
    if (json) {
        json_t *value = json_string(text), *all;

        /* Guests may print anything; JSON is UTF-8. */
        for (char *c = text; !value && *c; c++)
            if ((unsigned char)*c >= 0x80)
                *c = '?';
        all = json_pack("{s:s,s:o}", key, name, "log", value ? value : json_string(text));
        print_json(all);
    } else {
        fputs(text, stdout);
    }
    free(text);
}

int command_dmesg(int argc, char **argv)
{
    struct request q;
    struct view v;
    char *name = NULL;

    if (read_request(&q, "dmesg", false, argc, argv) || open_machine(&v, q.machine, &name))
        return EXIT_USAGE;
    print_text(q.json, "machine", name,
               ring_text(&v, v.page.log, v.page.log_size, v.page.log_produced));
    free(name);
    view_close(&v);
    return EXIT_OK;
}
