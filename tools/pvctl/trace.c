/* SPDX-License-Identifier: MIT
 *
 * trace.c - pvctl trace: what a shim has recorded, made readable.
 *
 * Records lie in a ring of the shim's, newest over oldest; what is overwritten while we copy it is
 * left out. Classes are switched on and off by the control channel; what was recorded can be
 * read without it, also from a machine that is kept. For disks the order says it all: "asks" when a
 * guest's request comes, "goes" when it is the device's turn, "done" when the device has answered.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "guests.h"
#include "say.h"
#include "show.h"

static const struct {
    const char *name;
    uint32_t mask;
} classes[] = {
    {"hypercall", TRACE_HYPERCALL}, {"trap", TRACE_TRAP}, {"switch", TRACE_SWITCH},
    {"bounce", TRACE_BOUNCE},       {"disk", TRACE_DISK}, {"all", TRACE_ALL},
};
enum { CLASSES = sizeof(classes) / sizeof(classes[0]) };

static const struct {
    uint32_t class;
    const char *event, *text; /* a format for a and b */
} events[] = {
    {TRACE_HYPERCALL, "hypercall", "number %" PRIu64 ", first argument %#" PRIx64},
    {TRACE_TRAP, "trap", "vector %" PRIu64 ", %#" PRIx64},
    {TRACE_SWITCH, "switch", "runs"},
    {TRACE_BOUNCE, "bounce", "to %#" PRIx64 ", vector %" PRIu64},
    {TRACE_DISK_ADD, "disk", "asks for sector %" PRIu64 ", %" PRIu64},
    {TRACE_DISK_GO, "disk", "goes to sector %" PRIu64 ", %" PRIu64},
    {TRACE_DISK_DONE, "disk", "done with sector %" PRIu64 ", %" PRIu64},
};

static uint64_t time_of(const struct view *v, const struct trace_record *r)
{
    if (!v->page.tsc_khz || r->tsc < v->page.tsc_base)
        return 0;
    return (uint64_t)((unsigned __int128)(r->tsc - v->page.tsc_base) * 1000000 / v->page.tsc_khz);
}

static void show(const struct view *v, bool json)
{
    struct trace_record *r = xcalloc(TRACE_RECORDS, sizeof(*r));
    size_t n = view_trace(v, r);
    json_t *all = json_array();

    for (size_t i = 0; i < n; i++) {
        const char *event = "unknown", *format = "%" PRIu64 ", %" PRIu64;
        char text[96];

        for (size_t k = 0; k < sizeof(events) / sizeof(events[0]); k++)
            if (events[k].class == r[i].class)
                event = events[k].event, format = events[k].text;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, sizeof(text), format, r[i].a, r[i].b);
#pragma GCC diagnostic pop
        if (json)
            json_array_append_new(all, json_pack("{s:I,s:i,s:i,s:s,s:s,s:I,s:I}", "time_ns",
                                                 (json_int_t)time_of(v, &r[i]), "domid", r[i].domid,
                                                 "vcpu", r[i].vcpu, "class", event, "text", text,
                                                 "a", (json_int_t)r[i].a, "b", (json_int_t)r[i].b));
        else
            printf("%6" PRIu64 ".%09" PRIu64 "  d%uv%u  %-9s  %s\n", time_of(v, &r[i]) / 1000000000,
                   time_of(v, &r[i]) % 1000000000, r[i].domid, r[i].vcpu, event, text);
    }
    if (json)
        print_json(json_incref(all));
    else if (!n)
        say_note("nothing is recorded; pvctl trace on disk, for example, begins it.");
    json_decref(all);
    free(r);
}

static json_t *classes_json(uint32_t mask)
{
    json_t *names = json_array();

    for (int k = 0; k < CLASSES; k++)
        if (classes[k].mask != TRACE_ALL && mask & classes[k].mask)
            json_array_append_new(names, json_string(classes[k].name));
    return names;
}

static int switch_to(const struct request *q, uint32_t mask)
{
    struct channel c;
    int rc = channel_open(&c, q->machine);

    if (rc)
        return rc;
    rc = CHANNEL_ASK(&c, CONTROL_TRACE, .arg = {mask}) < 0 ? EXIT_USAGE : EXIT_OK;
    if (!rc && q->json)
        print_json(json_pack("{s:s,s:o}", "machine", c.machine, "classes", classes_json(mask)));
    channel_close(&c);
    return rc;
}

static int read_classes(int argc, char **argv, uint32_t *mask)
{
    for (int i = 0; i < argc; i++) {
        uint32_t one = 0;

        for (int k = 0; k < CLASSES; k++)
            if (!strcmp(argv[i], classes[k].name))
                one = classes[k].mask;
        if (!one)
            return say_bad(
                "trace: there is no class %s; there are hypercall, trap, switch, bounce, "
                "disk and all.",
                argv[i]);
        *mask |= one;
    }
    return *mask ? 0 : say_bad("trace on wants a class, such as disk.");
}

int command_trace(int argc, char **argv)
{
    char **word = xcalloc((size_t)argc + 1, sizeof(*word)); /* on or off, and what is behind it */
    int kept = 0, words = 0, rc;
    uint32_t mask = 0;
    struct request q;
    struct view v;

    for (int i = 0; i < argc; i++) {
        bool machine = !strcmp(argv[i], "--machine");

        if (*argv[i] != '-' && (words || !strcmp(argv[i], "on") || !strcmp(argv[i], "off")))
            word[words++] = argv[i];
        else
            argv[kept++] = argv[i];
        if (machine && i + 1 < argc)
            argv[kept++] = argv[++i];
    }
    rc = read_request(&q, "trace", false, kept, argv);
    if (!rc && words > 1 && !strcmp(word[0], "off"))
        rc = say_bad("trace off takes nothing behind it.");
    if (!rc && words && !strcmp(word[0], "on"))
        rc = read_classes(words - 1, word + 1, &mask);
    free(word);
    if (rc || words)
        return rc ? rc : switch_to(&q, mask);
    if (open_machine(&v, q.machine, NULL))
        return EXIT_USAGE;
    show(&v, q.json);
    view_close(&v);
    return EXIT_OK;
}
