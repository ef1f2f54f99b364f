/* SPDX-License-Identifier: MIT
 *
 * dom0.c - what its header declares.
 *
 * The archive is cpio's "newc" form: a header of hexadecimal words, a name, the bytes, each padded
 * to 4. Linux reads archives that stand one after the other in one initramfs, and a later file
 * wins.
 */
#include "dom0.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine.h"
#include "say.h"
#include "verdict.h"

char *dom0_file(const char *name)
{
    char *path = machine_file("PVCTL_DOM0", "../../dom0", name);

    if (access(path, R_OK) == 0)
        return path;
    say_bad(
        "%s cannot be read (%s); a guest that needs more than the hypervisor runs on Xen beside "
        "a dom0 of Debian's Linux: run ./quickstart build, which makes it, or set PVCTL_DOM0 to "
        "a directory that scripts/xenhost made.",
        path, strerror(errno));
    free(path);
    return NULL;
}

/* -- the archive ------------------------------------------------------------ */

static void pad(FILE *f, uint64_t n)
{
    while (n++ % 4)
        fputc(0, f);
}

static void header(FILE *f, const char *name, unsigned mode, uint64_t size)
{
    static unsigned inode;

    /* ino mode uid gid nlink mtime size, device numbers, length of the name, no checksum */
    fprintf(f, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", ++inode, mode, 0, 0, 1,
            0, (unsigned)size, 0, 0, 0, 0, (unsigned)strlen(name) + 1, 0);
    fputs(name, f);
    fputc(0, f);
    pad(f, 110 + strlen(name) + 1);
}

static void add_directory(FILE *f, const char *name)
{
    header(f, name, S_IFDIR | 0755, 0);
}

static void add_text(FILE *f, const char *name, const char *text)
{
    header(f, name, S_IFREG | 0644, strlen(text));
    fputs(text, f);
    pad(f, strlen(text));
}

/* All bytes of a file. */
static int copy_file(FILE *f, const char *path)
{
    static char buf[1 << 16];
    FILE *from = fopen(path, "r");
    size_t n;
    bool bad;

    while (from && (n = fread(buf, 1, sizeof(buf), from)))
        fwrite(buf, 1, n, f);
    bad = !from || ferror(from);
    if (from)
        fclose(from);
    return bad ? say_bad("%s: cannot be read (%s).", path, strerror(errno)) : 0;
}

static int add_file(FILE *f, const char *name, const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return say_bad("%s: cannot be read (%s).", path, strerror(errno));
    if (st.st_size > UINT32_MAX)
        return say_bad("%s: larger than 4 GiB, and an initramfs holds no such file.", path);
    header(f, name, S_IFREG | 0644, (uint64_t)st.st_size);
    if (copy_file(f, path))
        return EXIT_USAGE;
    pad(f, (uint64_t)st.st_size);
    return 0;
}

/* A string of xl's configuration language, which knows backslash escapes. */
static char *quoted(const char *text)
{
    char *out = xcalloc(2, strlen(text) + 2), *o = out;

    *o++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            *o++ = '\\';
        *o++ = *text;
    }
    *o = '"';
    return out;
}

static void append(char **text, char *more)
{
    char *longer = xasprintf("%s%s", *text, more);

    free(*text);
    free(more);
    *text = longer;
}

/* g's disks for xl, by the names that dom0 knows them by. A slice becomes a partition with a number
 * that no table has; what makes it is appended to *slices. */
static char *xl_disks(const struct guest *g, char **slices)
{
    static unsigned slice_number = 128;
    char *all = xstrdup("");

    for (unsigned i = 0; i < g->disks; i++) {
        const struct disk *d = &g->disk[i];
        char part[16] = "", drive = (char)('a' + d->drive);

        if (d->part)
            snprintf(part, sizeof(part), "%u", d->part);
        if (d->sectors) {
            snprintf(part, sizeof(part), "%u", ++slice_number);
            append(slices, xasprintf("/dev/vd%c %u %llu %llu\n", drive, slice_number,
                                     (unsigned long long)d->first, (unsigned long long)d->sectors));
        }
        append(&all,
               xasprintf("%s\"format=raw,vdev=xvd%c,access=%s,backendtype=phy,target=/dev/vd%c%s\"",
                         i ? ", " : "disk = [ ", 'a' + (int)i, d->readonly ? "ro" : "rw", drive,
                         part));
    }
    if (g->disks)
        append(&all, xstrdup(" ]\n"));
    return all;
}

/* The card of guest n (from 1), with the address that it would have on the shim. */
static char *xl_vif(const struct guest *g, size_t n)
{
    char rate[40] = "", ours[18];

    if (g->net == NET_NONE)
        return xstrdup("");
    snprintf(ours, sizeof(ours), "00:16:3e:00:%02x:%02x", (unsigned)n >> 8 & 255,
             (unsigned)n & 255);
    if (g->rate)
        snprintf(rate, sizeof(rate), ",rate=%lluB/s", (unsigned long long)g->rate);
    return xasprintf("vif = [ \"mac=%s,bridge=xenbr0%s\" ]\n", g->mac ? g->mac : ours, rate);
}

static char *xl_configuration(const struct guest *g, size_t n, const char *dir, char **slices)
{
    char *cmdline = quoted(g->cmdline), *disks = xl_disks(g, slices), *vif = xl_vif(g, n);
    char *text = xasprintf(
        "name = \"%s\"\ntype = \"pv\"\nkernel = \"/%s/kernel\"\n%s%s%smemory = %llu\n"
        "vcpus = %u\ntsc_mode = \"native\"\n%s%s\n%s%son_poweroff = \"preserve\"\n"
        "on_reboot = \"preserve\"\non_crash = \"preserve\"\non_watchdog = \"preserve\"\n",
        g->name, dir, g->ramdisk ? "ramdisk = \"/" : "", g->ramdisk ? dir : "",
        g->ramdisk ? "/ramdisk\"\n" : "", (unsigned long long)((g->mem + MIB - 1) / MIB), g->vcpus,
        *g->cmdline ? "cmdline = " : "", *g->cmdline ? cmdline : "", disks, vif);

    free(vif);
    free(disks);
    free(cmdline);
    return text;
}

static int add_guest(FILE *f, const struct plan *p, size_t n)
{
    const struct guest *g = &p->guest[n];
    char *dir = xasprintf("job/guests/%02zu", n + 1), *name = xasprintf("%s/name", dir);
    char *kernel = xasprintf("%s/kernel", dir), *ramdisk = xasprintf("%s/ramdisk", dir);
    char *cfg = xasprintf("%s/domu.cfg", dir), *slices = xstrdup("");
    char *text = xl_configuration(g, n + 1, dir, &slices), *parts = xasprintf("%s/slices", dir);
    int rc;

    add_directory(f, dir);
    add_text(f, name, g->name);
    add_text(f, cfg, text);
    add_text(f, parts, slices);
    rc = add_file(f, kernel, g->kernel);
    if (!rc && g->ramdisk)
        rc = add_file(f, ramdisk, g->ramdisk);
    free(parts);
    free(slices);
    free(text);
    free(cfg);
    free(ramdisk);
    free(kernel);
    free(name);
    free(dir);
    return rc;
}

int dom0_initramfs(const struct plan *p, const char *path)
{
    char *host = dom0_file("dom0.cpio");
    FILE *f = host ? fopen(path, "w") : NULL;
    int rc = 0;

    if (!host)
        return EXIT_USAGE;
    if (!f)
        rc = say_bad("%s cannot be written (%s).", path, strerror(errno));
    if (!rc)
        rc = copy_file(f, host);
    if (!rc)
        add_directory(f, "job/guests");
    for (size_t i = 0; !rc && i < p->guests; i++)
        rc = add_guest(f, p, i);
    if (f) {
        header(f, "TRAILER!!!", 0, 0);
        rc |= ferror(f) | fclose(f) ? say_bad("%s: cannot be written (%s).", path, strerror(errno))
                                    : 0;
    }
    free(host);
    return rc;
}

/* -- reports ------------------------------------------------------------------ */

bool dom0_report(struct dom0 *d, const char *line)
{
    unsigned n, code;
    int end = 0;

    if (strncmp(line, "@@ ", 3))
        return false;
    line += 3;
    if (!strcmp(line, "ready"))
        d->ready = true;
    else if (!strcmp(line, "done"))
        d->done = true;
    else if (!strncmp(line, "failed ", 7) && !d->failure)
        d->failure = xstrdup(line + 7);
    else if (sscanf(line, "guest %u refused%n", &n, &end) == 1 && end && n - 1 < MAX_GUESTS)
        d->state[n - 1] = GUEST_REFUSED;
    else if (sscanf(line, "guest %u ended %u%n", &n, &code, &end) == 2 && end &&
             n - 1 < MAX_GUESTS) {
        d->state[n - 1] = GUEST_ENDED;
        d->code[n - 1] = code;
    }
    return true;
}

int dom0_verdict(const struct dom0 *d, const struct plan *p)
{
    bool crashed = false, refused = false;

    if (d->failure || !d->ready)
        say_bad("dom0 failed%s%s; its last lines are above.", d->failure ? ": " : "",
                d->failure ? d->failure : "");
    for (size_t i = 0; i < p->guests && d->ready; i++) {
        const char *name = p->guest[i].name;

        if (d->state[i] == GUEST_ENDED && d->code[i] != 0)
            say_bad("guest %s %s.", name, verdict_words(d->code[i]));
        else if (d->state[i] == GUEST_REFUSED)
            say_bad("Xen's tools did not build guest %s; their lines above say why.", name);
        else if (d->state[i] == GUEST_RUNS)
            say_bad("the run ended before guest %s did.", name);
        crashed |= d->state[i] == GUEST_ENDED && d->code[i] != 0;
        refused |= d->state[i] != GUEST_ENDED;
    }
    if (d->failure || !d->ready || refused)
        return EXIT_MACHINE;
    return crashed ? EXIT_CRASHED : EXIT_OK;
}
