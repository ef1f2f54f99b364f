/* SPDX-License-Identifier: MIT
 *
 * config.c - the JSON form of a plan, sizes, and the checks that both forms pass.
 *
 *   {
 *     "on": "shim",  "timeout": 60,  "cpu": "max,-smap",  "memory": "1G",  "icount": false,
 *     "guests": [
 *       { "name": "left", "kernel": "05-ring", "ramdisk": "data.cpio",
 *         "cmdline": "role=producer", "mem": "64M", "vcpus": 1, "disks": [ "root.img,ro" ],
 *         "net": "user,hostfwd=8080:80" }
 *     ]
 *   }
 *
 * Only "guests", and "kernel" in each, must be there. Strict on purpose: an unknown or
 * doubled key is an error, because a misspelt option that is ignored costs an hour.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "disk.h"
#include "image.h"
#include "net.h"
#include "say.h"

uint64_t size_parse(const char *text)
{
    unsigned shift;
    char *end;
    unsigned long long n;

    if (!isdigit((unsigned char)*text))
        return 0;
    errno = 0;
    n = strtoull(text, &end, 10);
    switch (*end) {
    case 'K':
    case 'k':
        shift = 10;
        break;
    case 'M':
    case 'm':
        shift = 20;
        break;
    case 'G':
    case 'g':
        shift = 30;
        break;
    default:
        return 0;
    }
    if (errno || end[1] || n > (1ull << 52) >> shift)
        return 0;
    return n << shift;
}

const char *size_cure(const char *text)
{
    if (isdigit((unsigned char)*text) && !text[strspn(text, "0123456789")])
        return "has no unit; write K, M or G after the number, such as 64M";
    return "is not a size; write a whole number and K, M or G, such as 64M";
}

/* -- JSON ---------------------------------------------------------------- */

struct reader {
    const char *path, *dir;
    struct plan *plan;
};

/* Where we are, for sentences: "guests[1].mem" or "timeout". */
static char *place(int guest, const char *key)
{
    return guest < 0 ? xstrdup(key) : xasprintf("guests[%d].%s", guest, key);
}

static const char *type_name(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "a number";
    case JSON_REAL:
        return "a number with a fraction";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    default:
        return "null";
    }
}

static int wrong_type(const struct reader *r, int guest, const char *key, const json_t *v,
                      const char *wanted)
{
    char *at = place(guest, key);

    say_bad("%s: \"%s\" is %s; it must be %s.", r->path, at, type_name(v), wanted);
    free(at);
    return EXIT_USAGE;
}

static int read_string(const struct reader *r, int guest, const char *key, const json_t *v,
                       char **to)
{
    if (!json_is_string(v))
        return wrong_type(r, guest, key, v, "a string");
    if (strlen(json_string_value(v)) != json_string_length(v))
        return say_bad("%s: \"%s\" holds a zero byte; remove the \\u0000.", r->path, key);
    *to = xstrdup(json_string_value(v));
    return 0;
}

static int read_path(const struct reader *r, int guest, const char *key, const json_t *v, char **to)
{
    char *text;

    if (read_string(r, guest, key, v, &text))
        return EXIT_USAGE;
    if (*text == '/' || !*text) {
        *to = text;
    } else {
        *to = xasprintf("%s/%s", r->dir, text);
        free(text);
    }
    return 0;
}

static int read_size(const struct reader *r, int guest, const char *key, const json_t *v,
                     uint64_t *to)
{
    const char *text = json_string_value(v);
    char *at = place(guest, key);
    int rc = 0;

    if (json_is_integer(v))
        rc = say_bad("%s: \"%s\" is the number %lld without a unit; write a string such as "
                     "\"64M\".",
                     r->path, at, (long long)json_integer_value(v));
    else if (!text)
        rc = wrong_type(r, guest, key, v, "a string such as \"64M\"");
    else if (!(*to = size_parse(text)))
        rc = say_bad("%s: \"%s\": \"%s\" %s.", r->path, at, text, size_cure(text));
    free(at);
    return rc;
}

static int read_count(const struct reader *r, int guest, const char *key, const json_t *v,
                      unsigned low, unsigned high, unsigned *to)
{
    char *at = place(guest, key);
    int rc = 0;

    if (!json_is_integer(v))
        rc = wrong_type(r, guest, key, v, "a whole number");
    else if (json_integer_value(v) < low || json_integer_value(v) > high)
        rc = say_bad("%s: \"%s\" is %lld; it must be between %u and %u.", r->path, at,
                     (long long)json_integer_value(v), low, high);
    else
        *to = (unsigned)json_integer_value(v);
    free(at);
    return rc;
}

static int read_flag(const struct reader *r, const char *key, const json_t *v, bool *to)
{
    if (!json_is_boolean(v))
        return wrong_type(r, -1, key, v, "true or false");
    *to = json_is_true(v);
    return 0;
}

static int read_on(const struct reader *r, const json_t *v)
{
    const char *text = json_string_value(v);

    if (!text)
        return wrong_type(r, -1, "on", v, "\"shim\" or \"xen\"");
    if (strcmp(text, "shim") && strcmp(text, "xen"))
        return say_bad("%s: \"on\" is \"%s\"; it must be \"shim\" or \"xen\".", r->path, text);
    if (!r->plan->on_said)
        r->plan->on = !strcmp(text, "xen") ? ON_XEN : ON_SHIM;
    r->plan->on_said = true;
    return 0;
}

static int read_disks(const struct reader *r, int n, const json_t *array, struct guest *g)
{
    char *at = place(n, "disks");
    int rc = 0;

    if (!json_is_array(array))
        rc =
            wrong_type(r, n, "disks", array, "an array of strings such as \"FILE\" or \"FILE,ro\"");
    for (size_t i = 0; !rc && i < json_array_size(array); i++) {
        char *text = NULL;

        rc = read_string(r, n, "disks", json_array_get(array, i), &text);
        if (!rc)
            rc = disk_take(g, at, text, r->dir);
        free(text);
    }
    free(at);
    return rc;
}

static int read_as(const struct reader *r, const json_t *v)
{
    const char *text = json_string_value(v);

    if (!text)
        return wrong_type(r, -1, "as", v, "\"dom0\" or \"domu\"");
    if (strcmp(text, "dom0") && strcmp(text, "domu"))
        return say_bad("%s: \"as\" is \"%s\"; it must be \"dom0\" or \"domu\".", r->path, text);
    if (r->plan->as == AS_CHOSEN)
        r->plan->as = !strcmp(text, "dom0") ? AS_DOM0 : AS_DOMU;
    return 0;
}

static int read_net(const struct reader *r, int n, const json_t *v, struct guest *g)
{
    char *at = place(n, "net"), *text = NULL;
    int rc = read_string(r, n, "net", v, &text);

    if (!rc)
        rc = net_take(r->plan, g, at, text);
    free(text);
    free(at);
    return rc;
}

static int read_guest(const struct reader *r, int n, json_t *object)
{
    struct guest *g = &r->plan->guest[r->plan->guests++];
    const char *key;
    json_t *v;

    if (!json_is_object(object))
        return say_bad("%s: \"guests[%d]\" is %s; it must be an object such as "
                       "{ \"kernel\": \"FILE\" }.",
                       r->path, n, type_name(object));
    json_object_foreach(object, key, v)
    {
        int rc;

        if (!strcmp(key, "kernel"))
            rc = read_path(r, n, key, v, &g->kernel);
        else if (!strcmp(key, "ramdisk"))
            rc = read_path(r, n, key, v, &g->ramdisk);
        else if (!strcmp(key, "disks"))
            rc = read_disks(r, n, v, g);
        else if (!strcmp(key, "net"))
            rc = read_net(r, n, v, g);
        else if (!strcmp(key, "cmdline"))
            rc = read_string(r, n, key, v, &g->cmdline);
        else if (!strcmp(key, "name"))
            rc = read_string(r, n, key, v, &g->name);
        else if (!strcmp(key, "mem"))
            rc = read_size(r, n, key, v, &g->mem);
        else if (!strcmp(key, "vcpus"))
            rc = read_count(r, n, key, v, 1, MAX_GUEST_VCPUS, &g->vcpus);
        else
            rc = say_bad("%s: \"guests[%d]\" has the unknown key \"%s\"; a guest has kernel, "
                         "ramdisk, disks, net, cmdline, name, mem and vcpus.",
                         r->path, n, key);
        if (rc)
            return rc;
    }
    if (!g->kernel)
        return say_bad("%s: \"guests[%d]\" has no \"kernel\"; add \"kernel\": \"FILE\".", r->path,
                       n);
    return 0;
}

static int read_guests(const struct reader *r, const json_t *array)
{
    size_t n = json_array_size(array);

    if (!json_is_array(array))
        return wrong_type(r, -1, "guests", array, "an array of objects");
    if (n == 0)
        return say_bad("%s: \"guests\" is empty; name at least one guest.", r->path);
    if (n > MAX_GUESTS)
        return say_bad("%s: \"guests\" has %zu entries; the shim runs up to %d.", r->path, n,
                       MAX_GUESTS);
    for (size_t i = 0; i < n; i++)
        if (read_guest(r, (int)i, json_array_get(array, i)))
            return EXIT_USAGE;
    return 0;
}

static int read_top(const struct reader *r, json_t *root)
{
    struct plan *p = r->plan;
    const char *key;
    json_t *v;

    json_object_foreach(root, key, v)
    {
        int rc;

        if (!strcmp(key, "guests"))
            rc = read_guests(r, v);
        else if (!strcmp(key, "on"))
            rc = read_on(r, v);
        else if (!strcmp(key, "as"))
            rc = read_as(r, v);
        else if (!strcmp(key, "timeout"))
            rc = read_count(r, -1, key, v, 1, 1000000, &p->timeout);
        else if (!strcmp(key, "cpu"))
            rc = read_string(r, -1, key, v, &p->cpu);
        else if (!strcmp(key, "memory"))
            rc = read_size(r, -1, key, v, &p->memory);
        else if (!strcmp(key, "icount"))
            rc = read_flag(r, key, v, &p->icount);
        else
            rc = say_bad("%s: unknown key \"%s\"; the file has guests, on, as, timeout, cpu, "
                         "memory and icount.",
                         r->path, key);
        if (rc)
            return rc;
    }
    if (!json_object_get(root, "guests"))
        return say_bad("%s: no \"guests\"; add \"guests\": [ { \"kernel\": \"FILE\" } ].", r->path);
    return 0;
}

int plan_from_json(struct plan *p, const char *path, const char *text, size_t len, const char *dir)
{
    struct reader r = {.path = path, .dir = dir, .plan = p};
    json_error_t e;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    int rc;

    if (!root) {
        const char *cure =
            strstr(e.text, "duplicate") ? "remove one of the two" : "correct the JSON there";

        return say_bad("%s:%d:%d: %s; %s.", path, e.line, e.column, e.text, cure);
    }
    if (!json_is_object(root))
        rc = say_bad("%s: the file holds %s; it must be an object { \"guests\": [ ... ] }.", path,
                     type_name(root));
    else
        rc = read_top(&r, root);
    json_decref(root);
    return rc;
}

int plan_from_file(struct plan *p, const char *path)
{
    enum { LARGEST = 1 << 20 };
    const char *slash = strrchr(path, '/');
    char *dir = slash ? strndup(path, (size_t)(slash - path + (slash == path))) : xstrdup(".");
    char *text = xcalloc(1, LARGEST + 1);
    FILE *f = fopen(path, "r");
    size_t len = 0;
    int rc = 0;

    if (f)
        len = fread(text, 1, LARGEST + 1, f);
    if (!f || ferror(f))
        rc = say_bad("%s: cannot be read (%s); check the path.", path, strerror(errno));
    else if (len > LARGEST)
        rc = say_bad("%s: larger than 1 MiB, so not a configuration; kernels are given with "
                     "--kernel.",
                     path);
    else if (len >= 4 && !memcmp(text, "\177ELF", 4))
        rc = say_bad("%s: an ELF file, not a configuration; write --kernel %s.", path, path);
    else
        rc = plan_from_json(p, path, text, len, dir);
    if (f)
        fclose(f);
    free(text);
    free(dir);
    return rc;
}

/* -- checks of both forms ------------------------------------------------- */

static int check_name(const struct plan *p, size_t n)
{
    const char *name = p->guest[n].name;

    if (!*name || strlen(name) > MAX_NAME ||
        name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")])
        return say_bad("guest %zu: the name \"%s\" cannot be used; write 1 to %d letters, digits, "
                       "dots, dashes or underscores.",
                       n + 1, name, MAX_NAME);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(p->guest[i].name, name))
            return say_bad("guests %zu and %zu are both named \"%s\"; rename one.", i + 1, n + 1,
                           name);
    return 0;
}

static void default_name(struct plan *p, size_t n)
{
    struct guest *g = &p->guest[n];
    const char *base = strrchr(g->kernel, '/');
    bool taken = false;

    if (g->name)
        return;
    g->name = xasprintf("%.*s", MAX_NAME - 4, base ? base + 1 : g->kernel);
    for (char *c = g->name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
            *c = '_';
    for (size_t i = 0; i < p->guests; i++)
        taken |= i != n && p->guest[i].name && !strcmp(p->guest[i].name, g->name);
    if (taken) {
        char *longer = xasprintf("%s-%zu", g->name, n + 1);

        free(g->name);
        g->name = longer;
    }
}

/* Image and ramdisk take a third of it at most. */
static uint64_t default_memory(const struct image_info *info, uint64_t ramdisk)
{
    uint64_t mem = DEFAULT_GUEST_MEM;

    while (mem < 1ull << 40 && (info->kend - info->virt_base + ramdisk) > mem / 3)
        mem *= 2;
    return mem;
}

static int check_files(struct guest *g)
{
    struct image_info info;
    struct stat st = {0};
    char *why;

    if (image_check_file(g->kernel, &info, &g->unpacked, &why) == 0)
        g->needs_more = *info.needs != 0;
    if (!why && g->ramdisk) {
        if (stat(g->ramdisk, &st) < 0)
            why =
                xasprintf("%s: cannot be read (%s); check the path.", g->ramdisk, strerror(errno));
        else if (!S_ISREG(st.st_mode))
            why = xasprintf("%s: is not a regular file; give a ramdisk image.", g->ramdisk);
    }
    if (!why && !g->mem)
        g->mem = default_memory(&info, (uint64_t)st.st_size);
    if (!why && image_check_fit(g->kernel, &info, g->mem, (uint64_t)st.st_size, &why) == 0)
        return 0;
    say_bad("%s", why);
    free(why);
    return EXIT_USAGE;
}

static int check_guest(struct plan *p, size_t n)
{
    struct guest *g = &p->guest[n];

    default_name(p, n);
    if (!g->cmdline)
        g->cmdline = xstrdup("");
    if (!g->vcpus)
        g->vcpus = 1;
    if (check_name(p, n))
        return EXIT_USAGE;
    if (g->mem && g->mem < SMALLEST_GUEST_MEM)
        return say_bad(
            "guest %s: %llu KiB of memory is too little for any kernel; give it at least "
            "2M.",
            g->name, (unsigned long long)(g->mem >> 10));
    if (g->mem % 4096)
        return say_bad("guest %s: its memory is not a multiple of 4K; round it up.", g->name);
    if (strlen(g->cmdline) > MAX_CMDLINE)
        return say_bad("guest %s: its command line has %zu bytes and the ABI has room for %d; "
                       "shorten it.",
                       g->name, strlen(g->cmdline), MAX_CMDLINE);
    if (strpbrk(g->cmdline, "\n\r"))
        return say_bad("guest %s: its command line holds a line break; remove it.", g->name);
    return check_files(g);
}

static int check_role(const struct plan *p)
{
    if (p->on == ON_SHIM && p->as != AS_CHOSEN)
        return say_bad("--as is about real Xen; give --on xen as well, or leave it out.");
    if (p->as == AS_DOM0 && p->guests > 1)
        return say_bad(
            "--as dom0 runs one guest, as Xen's only domain, and %zu are given; leave it "
            "out.",
            p->guests);
    return 0;
}

/* Real Xen alone is a hypervisor and nothing else: who needs more gets a dom0 that has it. */
static void choose_role(struct plan *p)
{
    bool more = p->guests > 1 || p->drives || p->networked;

    for (size_t i = 0; i < p->guests; i++)
        more |= p->guest[i].needs_more;
    if (p->on == ON_XEN && p->as == AS_CHOSEN)
        p->as = more ? AS_DOMU : AS_DOM0;
}

int plan_check(struct plan *p)
{
    uint64_t sum = 0;

    if (p->up && p->on == ON_XEN)
        return say_bad("up is about the shim; --on xen is for pvctl run.");
    if (p->guests == 0 && !p->up)
        return say_bad("nothing to run; give a CONFIG.json or --kernel FILE.");
    if (check_role(p))
        return EXIT_USAGE;
    if (p->on == ON_XEN && p->stages)
        return say_bad("--stages: Xen records no stages; run it on the shim.");
    for (size_t i = 0; i < p->guests; i++) {
        if (check_guest(p, i))
            return EXIT_USAGE;
        sum += p->guest[i].mem;
    }
    if (disks_check(p) || nets_check(p))
        return EXIT_USAGE;
    choose_role(p);
    if (p->as == AS_DOM0 && p->drives)
        return say_bad("--as dom0 makes the guest Xen's only domain, where nobody serves a disk; "
                       "leave it out, or the disk.");
    if (p->as == AS_DOM0 && p->networked)
        return say_bad("--as dom0 makes the guest Xen's only domain, where nobody serves a network "
                       "card; leave it out, or the card.");
    if (!p->machine && p->guests == 0)
        p->machine = xstrdup("shim");
    if (!p->cpu)
        p->cpu = xstrdup("max,-smap");
    if (!p->memory) {
        /* A sixteenth for the hypervisor's tables, and its own 64 MiB (Xen: 256). */
        uint64_t own = p->on == ON_SHIM ? 64 * MIB : 256 * MIB;

        if (p->as == AS_DOMU)
            own += (DOM0_MIB + 256) * MIB; /* dom0, and its files until they are unpacked */
        p->memory = (sum + sum / 16 + own + MIB - 1) / MIB * MIB;
        if (p->memory < 1024 * MIB)
            p->memory = 1024 * MIB;
    } else if (p->memory % MIB) {
        return say_bad("the machine's memory is not a multiple of 1M; round it up.");
    } else if (sum >= p->memory) {
        return say_bad(
            "the guests want %llu MiB together and the machine has %llu MiB; give it more "
            "with --memory or \"memory\".",
            (unsigned long long)(sum >> 20), (unsigned long long)(p->memory >> 20));
    }
    return 0;
}

void plan_free(struct plan *p)
{
    for (size_t i = 0; i < p->guests; i++) {
        free(p->guest[i].name);
        free(p->guest[i].kernel);
        free(p->guest[i].ramdisk);
        free(p->guest[i].unpacked.bytes);
        free(p->guest[i].cmdline);
        free(p->guest[i].mac);
        for (unsigned d = 0; d < p->guest[i].disks; d++)
            free(p->guest[i].disk[d].file);
    }
    free(p->machine);
    free(p->console);
    free(p->cpu);
    free(p->hv_args);
    free(p->qemu_args);
    memset(p, 0, sizeof(*p));
}
