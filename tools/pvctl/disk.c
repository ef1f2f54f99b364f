/* SPDX-License-Identifier: MIT
 *
 * disk.c - what its header declares.
 *
 * A file that is given more than once, by whatever name, is one drive of the machine. The shim
 * makes the same checks on what it is told (backend/diskspec.c), and knows partitions; here users
 * learn of their mistake before anything has started.
 */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/fs.h>
#include <unistd.h>

#include "say.h"

enum { SECTOR = 512 };

/* -- one disk --------------------------------------------------------------------------- */

static bool take_number(const char **at, uint64_t *to)
{
    char *end;

    if (**at < '0' || **at > '9')
        return false;
    errno = 0;
    *to = strtoull(*at, &end, 10);
    *at = end;
    return errno == 0 && *to < 1ull << 54;
}

/* One word behind a comma. -1: it is none of ours, so it belongs to the file's name. */
static int take_word(struct disk *d, const char *what, const char *word)
{
    const char *at;
    uint64_t n;

    if (!strcmp(word, "ro")) {
        d->readonly = true;
        return 0;
    }
    if (!strncmp(word, "part=", 5)) {
        at = word + 5;
        if (!take_number(&at, &n) || *at || n < 1 || n > 128)
            return say_bad("%s: \"%s\" does not name a partition; write part=1 for the first.",
                           what, word);
        d->part = (unsigned)n;
        return 0;
    }
    if (!strncmp(word, "slice=", 6)) {
        at = word + 6;
        if (!take_number(&at, &d->first) || *at++ != '+' || !take_number(&at, &d->sectors) || *at ||
            d->sectors == 0)
            return say_bad("%s: \"%s\" is not a slice; write slice=FIRST+COUNT in sectors of 512 "
                           "bytes.",
                           what, word);
        return 0;
    }
    return -1;
}

int disk_take(struct guest *g, const char *what, const char *text, const char *dir)
{
    struct disk d = {0};
    char *name = xstrdup(text), *comma;

    while ((comma = strrchr(name, ',')) != NULL) {
        int rc = take_word(&d, what, comma + 1);

        if (rc > 0) {
            free(name);
            return rc;
        }
        if (rc < 0)
            break;
        *comma = 0;
    }
    if (!*name || g->disks == MAX_DISKS || (d.part && d.sectors)) {
        if (!*name)
            say_bad("%s: \"%s\" names no file; write FILE or FILE,ro.", what, text);
        else if (d.part && d.sectors)
            say_bad("%s: \"%s\" has both a partition and a slice; leave one out.", what, text);
        else
            say_bad("%s: more than %d disks for one guest; leave some out.", what, MAX_DISKS);
        free(name);
        return EXIT_USAGE;
    }
    d.file = dir && *name != '/' ? xasprintf("%s/%s", dir, name) : xstrdup(name);
    free(name);
    g->disk[g->disks++] = d;
    return 0;
}

/* -- files --------------------------------------------------------------------------------- */

static int file_size(const char *file, int fd, const struct stat *st, uint64_t *bytes)
{
    if (S_ISDIR(st->st_mode))
        return say_bad("%s: is a directory; give a disk image.", file);
    if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
        return say_bad("%s: is neither a file nor a disk; give a disk image.", file);
    *bytes = (uint64_t)st->st_size;
    if (S_ISBLK(st->st_mode) && ioctl(fd, BLKGETSIZE64, bytes) < 0)
        return say_bad("%s: does not tell its size (%s); give another disk.", file,
                       strerror(errno));
    if (*bytes == 0)
        return say_bad("%s: the file is empty; make it a disk with truncate -s 64M %s.", file,
                       file);
    if (*bytes % SECTOR)
        return say_bad(
            "%s: its %llu bytes are not whole sectors of %d; round them up with truncate "
            "-s %%%d %s.",
            file, (unsigned long long)*bytes, SECTOR, SECTOR, file);
    return 0;
}

/* d's file becomes a drive, or is one already. */
static int check_file(struct plan *p, struct disk *d)
{
    int fd = open(d->file, (d->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
    int error = errno, rc;
    struct drive *v = p->drive;
    struct stat st;
    uint64_t bytes = 0;

    if (fd < 0 && error == EISDIR)
        return say_bad("%s: is a directory; give a disk image.", d->file);
    if (fd < 0 && access(d->file, R_OK) == 0)
        return say_bad("%s: cannot be written (%s); add ,ro to it or change its rights.", d->file,
                       strerror(error));
    if (fd < 0 || fstat(fd, &st) < 0)
        return say_bad("%s: cannot be read (%s); check the path.", d->file, strerror(error));
    rc = file_size(d->file, fd, &st, &bytes);
    close(fd);
    if (rc)
        return rc;
    while (v < p->drive + p->drives && (v->device != st.st_dev || v->inode != st.st_ino))
        v++;
    if (v == p->drive + MAX_DISKS)
        return say_bad("more than %d different disk files; leave some out.", MAX_DISKS);
    if (v == p->drive + p->drives)
        p->drives++;
    if (!v->file || !d->readonly)
        v->file = d->file;
    v->device = st.st_dev;
    v->inode = st.st_ino;
    v->sectors = bytes / SECTOR;
    v->writable |= !d->readonly;
    d->drive = (unsigned)(v - p->drive);
    if (d->first + d->sectors > v->sectors)
        return say_bad("%s: has %llu sectors, and slice=%llu+%llu ends beyond; make it shorter.",
                       d->file, (unsigned long long)v->sectors, (unsigned long long)d->first,
                       (unsigned long long)d->sectors);
    return 0;
}

/* Do they share sectors, as far as can be seen from here? */
static bool overlap(const struct plan *p, const struct disk *a, const struct disk *b)
{
    uint64_t all = p->drive[a->drive].sectors;
    uint64_t a_end = a->first + (a->sectors ? a->sectors : all);
    uint64_t b_end = b->first + (b->sectors ? b->sectors : all);

    if (a->drive != b->drive)
        return false;
    if (a->part && b->part)
        return a->part == b->part;
    if ((a->part && b->sectors) || (b->part && a->sectors))
        return false; /* the shim will know */
    return a->first < b_end && b->first < a_end;
}

static int check_pair(const struct plan *p, size_t g, unsigned i, size_t h, unsigned k)
{
    const struct disk *a = &p->guest[g].disk[i], *b = &p->guest[h].disk[k];

    if ((a->readonly && b->readonly) || !overlap(p, a, b))
        return 0;
    return say_bad("%s: guests %s and %s both have it, and one of them writes; add ,ro to both, or "
                   "give them parts that do not overlap, with ,slice=FIRST+COUNT or ,part=N.",
                   a->file, p->guest[g].name, p->guest[h].name);
}

int disks_check(struct plan *p)
{
    for (size_t g = 0; g < p->guests; g++)
        for (unsigned i = 0; i < p->guest[g].disks; i++) {
            if (check_file(p, &p->guest[g].disk[i]))
                return EXIT_USAGE;
            for (size_t h = 0; h <= g; h++)
                for (unsigned k = 0; k < (h < g ? p->guest[h].disks : i); k++)
                    if (check_pair(p, h, k, g, i))
                        return EXIT_USAGE;
        }
    return 0;
}

char *disk_words(const struct guest *g)
{
    char *all = xstrdup("");

    for (unsigned i = 0; i < g->disks; i++) {
        const struct disk *d = &g->disk[i];
        char part[64] = "", *longer;

        if (d->part)
            snprintf(part, sizeof(part), ":%u", d->part);
        if (d->sectors)
            snprintf(part, sizeof(part), ":%llu+%llu", (unsigned long long)d->first,
                     (unsigned long long)d->sectors);
        longer =
            xasprintf("%s disk=vd%c%s%s", all, 'a' + (int)d->drive, part, d->readonly ? ",ro" : "");
        free(all);
        all = longer;
    }
    return all;
}
