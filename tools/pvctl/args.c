/* SPDX-License-Identifier: MIT
 *
 * args.c - the flag form of a plan.
 *
 * One table of options. Those of a guest belong to the --kernel before them; each
 * --kernel opens a new guest. An option given twice for the same thing is an error, as
 * a doubled key of the JSON form is.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "disk.h"
#include "net.h"
#include "say.h"

enum opt {
    O_ON,
    O_AS,
    O_TIMEOUT,
    O_CONSOLE,
    O_CPU,
    O_MEMORY,
    O_MACHINE,
    O_HV_ARGS,
    O_QEMU_ARG,
    O_ICOUNT,
    O_GDB,
    O_KEEP,
    O_STAGES,
    O_VERBOSE,
    O_QUIET,
    O_KERNEL,
    O_RAMDISK,
    O_DISK,
    O_NET,
    O_CMDLINE,
    O_MEM,
    O_VCPUS,
    O_NAME,
    OPTS
};

static const struct {
    const char *name;
    const char *value; /* what it wants; NULL: nothing */
} opts[OPTS] = {
    [O_ON] = {"--on", "shim or xen"},
    [O_AS] = {"--as", "dom0 or domu"},
    [O_TIMEOUT] = {"--timeout", "a number of seconds"},
    [O_CONSOLE] = {"--console", "a file name"},
    [O_CPU] = {"--cpu", "a CPU model of QEMU"},
    [O_MEMORY] = {"--memory", "a size such as 1G"},
    [O_MACHINE] = {"--machine", "a name"},
    [O_HV_ARGS] = {"--hv-args", "hypervisor options"},
    [O_QEMU_ARG] = {"--qemu-arg", "one argument for QEMU"},
    [O_ICOUNT] = {"--icount", NULL},
    [O_GDB] = {"--gdb", NULL},
    [O_KEEP] = {"--keep", NULL},
    [O_STAGES] = {"--stages", NULL},
    [O_VERBOSE] = {"--verbose", NULL},
    [O_QUIET] = {"--quiet", NULL},
    [O_KERNEL] = {"--kernel", "a file name"},
    [O_RAMDISK] = {"--ramdisk", "a file name"},
    [O_DISK] = {"--disk", "a file name, and perhaps ,ro behind it"},
    [O_NET] = {"--net", "user, switch or none"},
    [O_CMDLINE] = {"--cmdline", "a command line"},
    [O_MEM] = {"--mem", "a size such as 64M"},
    [O_VCPUS] = {"--vcpus", "a number"},
    [O_NAME] = {"--name", "a name"},
};

static int take_size(const char *option, const char *value, uint64_t *to)
{
    if (*to)
        return say_bad("%s is given twice; remove one.", option);
    *to = size_parse(value);
    if (!*to)
        return say_bad("%s: \"%s\" %s.", option, value, size_cure(value));
    return 0;
}

static int take_text(const char *option, const char *value, char **to)
{
    if (*to)
        return say_bad("%s is given twice; remove one.", option);
    *to = xstrdup(value);
    return 0;
}

static int take_count(const char *option, const char *value, unsigned high, unsigned *to)
{
    unsigned long n;
    char *end;

    if (*to)
        return say_bad("%s is given twice; remove one.", option);
    n = strtoul(value, &end, 10);
    if (!isdigit((unsigned char)*value) || *end || n < 1 || n > high)
        return say_bad("%s: \"%s\" is not a number between 1 and %u.", option, value, high);
    *to = (unsigned)n;
    return 0;
}

static int take_guest(struct plan *p, enum opt o, const char *value)
{
    const char *name = opts[o].name;
    struct guest *g;

    if (o == O_KERNEL) {
        if (p->guests == MAX_GUESTS)
            return say_bad("more than %d guests; the shim runs no more.", MAX_GUESTS);
        return take_text(name, value, &p->guest[p->guests++].kernel);
    }
    if (p->guests == 0)
        return say_bad("%s comes before any --kernel; write --kernel FILE first.", name);
    g = &p->guest[p->guests - 1];
    switch (o) {
    case O_RAMDISK:
        return take_text(name, value, &g->ramdisk);
    case O_DISK:
        return disk_take(g, name, value, NULL);
    case O_NET:
        return net_take(p, g, name, value);
    case O_CMDLINE:
        return take_text(name, value, &g->cmdline);
    case O_MEM:
        return take_size(name, value, &g->mem);
    case O_VCPUS:
        return take_count(name, value, MAX_GUEST_VCPUS, &g->vcpus);
    default:
        return take_text(name, value, &g->name);
    }
}

static int take_on(struct plan *p, const char *value)
{
    if (strcmp(value, "shim") && strcmp(value, "xen"))
        return say_bad("--on: \"%s\" is neither shim nor xen.", value);
    if (p->on_said)
        return say_bad("--on is given twice; remove one.");
    p->on = !strcmp(value, "xen") ? ON_XEN : ON_SHIM;
    p->on_said = true;
    return 0;
}

static int take_as(struct plan *p, const char *value)
{
    if (strcmp(value, "dom0") && strcmp(value, "domu"))
        return say_bad("--as: \"%s\" is neither dom0 nor domu.", value);
    if (p->as != AS_CHOSEN)
        return say_bad("--as is given twice; remove one.");
    p->as = !strcmp(value, "dom0") ? AS_DOM0 : AS_DOMU;
    return 0;
}

static int take(struct plan *p, enum opt o, char *value)
{
    const char *name = opts[o].name;

    switch (o) {
    case O_ON:
        return take_on(p, value);
    case O_AS:
        return take_as(p, value);
    case O_TIMEOUT:
        return take_count(name, value, 1000000, &p->timeout);
    case O_CONSOLE:
        return take_text(name, value, &p->console);
    case O_CPU:
        return take_text(name, value, &p->cpu);
    case O_MEMORY:
        return take_size(name, value, &p->memory);
    case O_MACHINE:
        return take_text(name, value, &p->machine);
    case O_HV_ARGS:
        return take_text(name, value, &p->hv_args);
    case O_QEMU_ARG:
        p->qemu_args[p->nr_qemu_args++] = value;
        return 0;
    case O_ICOUNT:
        p->icount = true;
        return 0;
    case O_GDB:
        p->gdb = true;
        return 0;
    case O_KEEP:
        p->keep = true;
        return 0;
    case O_STAGES:
        p->stages = true;
        return 0;
    case O_VERBOSE:
        p->verbose = true;
        return 0;
    case O_QUIET:
        p->quiet = true;
        return 0;
    default:
        return take_guest(p, o, value);
    }
}

/* The option that arg names, and its "=VALUE" part if it has one. */
static enum opt find(const char *arg, char **value)
{
    size_t n = strcspn(arg, "=");

    *value = arg[n] ? (char *)arg + n + 1 : NULL;
    for (int o = 0; o < OPTS; o++)
        if (strlen(opts[o].name) == n && !strncmp(arg, opts[o].name, n))
            return (enum opt)o;
    return OPTS;
}

int plan_from_args(struct plan *p, int argc, char **argv)
{
    const char *file = NULL;

    p->qemu_args = xcalloc((size_t)argc + 1, sizeof(*p->qemu_args));
    for (int i = 0; i < argc; i++) {
        char *value;
        enum opt o;

        if (argv[i][0] != '-') {
            if (file)
                return say_bad("two configurations, %s and %s; give one.", file, argv[i]);
            file = argv[i];
            continue;
        }
        o = find(argv[i], &value);
        if (o == OPTS)
            return say_bad("%s is not an option of run; see pvctl help run.", argv[i]);
        if (value && !opts[o].value)
            return say_bad("%s takes no value; write it alone.", opts[o].name);
        if (opts[o].value && !value) {
            if (i + 1 == argc)
                return say_bad("%s wants %s after it.", opts[o].name, opts[o].value);
            value = argv[++i];
        }
        if (take(p, o, value))
            return EXIT_USAGE;
    }
    if (file && p->guests)
        return say_bad("both %s and --kernel are given; use one of them.", file);
    if (file) {
        /* What a flag says wins over the file. */
        struct plan said = *p;
        int rc = plan_from_file(p, file);

        if (said.timeout)
            p->timeout = said.timeout;
        if (said.memory)
            p->memory = said.memory;
        if (said.cpu) {
            if (p->cpu != said.cpu)
                free(p->cpu);
            p->cpu = said.cpu;
        }
        p->icount |= said.icount;
        return rc;
    }
    return 0;
}
