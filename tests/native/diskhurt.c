/* SPDX-License-Identifier: MIT
 *
 * diskhurt - does to disk images what the world does to disks.
 *
 *   diskhurt damage IMAGE SEED COUNT FIRST LAST   overwrites COUNT words in [FIRST, LAST) KiB
 *   diskhurt marks LOG                            how many entries the log has
 *   diskhurt cut LOG BASE OUT ENTRY SEED          the disk after a power cut
 *
 * LOG is what QEMU's blklogwrites filter leaves (the format of Linux's dm-log-writes). A power cut
 * before ENTRY leaves on the disk every write up to the last flush before it, and of those after
 * that flush any subset in any order: here, each survives by the toss of a coin.
 * Everything follows from SEED. Nothing outside of the named files is touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_MAGIC   0x6a736677736872ull
#define LOG_FLUSH   1u
#define LOG_FUA     2u
#define LOG_DISCARD 4u

struct log_super {
    uint64_t magic, version, nr_entries;
    uint32_t sectorsize;
} __attribute__((packed));

struct log_entry {
    uint64_t sector, nr_sectors, flags, data_len;
};

static uint64_t state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static void die(const char *what)
{
    fprintf(stderr, "diskhurt: %s: %s\n", what, errno ? strerror(errno) : "bad contents");
    exit(2);
}

static int open_or_die(const char *path, int flags)
{
    int fd = open(path, flags, 0644);

    if (fd < 0)
        die(path);
    return fd;
}

static void read_at(int fd, void *buf, size_t n, off_t at, const char *path)
{
    errno = 0;
    if (pread(fd, buf, n, at) != (ssize_t)n)
        die(path);
}

static void write_at(int fd, const void *buf, size_t n, off_t at, const char *path)
{
    errno = 0;
    if (pwrite(fd, buf, n, at) != (ssize_t)n)
        die(path);
}

static int damage(char **a)
{
    uint64_t count = strtoull(a[2], NULL, 0), first = strtoull(a[3], NULL, 0) << 10,
             last = strtoull(a[4], NULL, 0) << 10;
    int fd = open_or_die(a[0], O_RDWR);

    state = strtoull(a[1], NULL, 0) * 0x9e3779b97f4a7c15ull + 1;
    while (count--) {
        uint64_t at = first + next_random() % (last - first), word = next_random();
        /* Whole words, single bits and small numbers hurt in different ways. */
        unsigned kind = next_random() % 3;
        uint32_t old;

        read_at(fd, &old, 4, (off_t)(at & ~3ull), a[0]);
        old = kind == 0 ? (uint32_t)word : kind == 1 ? old ^ 1u << (word & 31) : (uint32_t)(word & 0xff);
        write_at(fd, &old, 4, (off_t)(at & ~3ull), a[0]);
    }
    return close(fd);
}

/* -- the log -------------------------------------------------------------------------- */

struct log {
    int fd;
    const char *path;
    uint64_t entries, sector;
};

static struct log log_open(const char *path)
{
    struct log_super s;
    struct log l = {.fd = open_or_die(path, O_RDONLY), .path = path};

    read_at(l.fd, &s, sizeof(s), 0, path);
    errno = 0;
    if (s.magic != LOG_MAGIC || s.version != 1 || !s.sectorsize)
        die(path);
    l.entries = s.nr_entries;
    l.sector = s.sectorsize;
    return l;
}

/* Calls fn for entries [from, to) with the file offset of their data. */
static void log_walk(const struct log *l, uint64_t to,
                     void (*fn)(uint64_t n, const struct log_entry *e, off_t data, void *arg), void *arg)
{
    off_t at = (off_t)l->sector;

    for (uint64_t n = 0; n < to; n++) {
        struct log_entry e;

        read_at(l->fd, &e, sizeof(e), at, l->path);
        at += (off_t)l->sector;
        fn(n, &e, at, arg);
        if (!(e.flags & LOG_DISCARD))
            at += (off_t)(e.nr_sectors * l->sector);
    }
}

struct cut {
    const struct log *log;
    int out;
    const char *path;
    uint64_t last_flush;
};

static void note_flush(uint64_t n, const struct log_entry *e, off_t data, void *arg)
{
    (void)data;
    if (e->flags & LOG_FLUSH)
        ((struct cut *)arg)->last_flush = n;
}

static void apply(uint64_t n, const struct log_entry *e, off_t data, void *arg)
{
    struct cut *c = arg;
    uint64_t left = e->nr_sectors * c->log->sector, pos = 0;
    char buf[65536];

    if (e->flags & LOG_DISCARD || (n > c->last_flush && !(e->flags & LOG_FUA) && next_random() & 1))
        return;
    while (left) {
        size_t k = left < sizeof(buf) ? left : sizeof(buf);

        read_at(c->log->fd, buf, k, data + (off_t)pos, c->log->path);
        write_at(c->out, buf, k, (off_t)(e->sector * c->log->sector + pos), c->path);
        pos += k;
        left -= k;
    }
}

static int cut(char **a)
{
    struct log l = log_open(a[0]);
    uint64_t entry = strtoull(a[3], NULL, 0);
    struct cut c = {.log = &l, .path = a[2]};
    int base = open_or_die(a[1], O_RDONLY);
    char buf[65536];
    ssize_t k;

    if (entry > l.entries)
        entry = l.entries;
    state = strtoull(a[4], NULL, 0) * 0x9e3779b97f4a7c15ull + 1;
    c.out = open_or_die(a[2], O_RDWR | O_CREAT | O_TRUNC);
    for (off_t at = 0; (k = pread(base, buf, sizeof(buf), at)) > 0; at += k)
        write_at(c.out, buf, (size_t)k, at, a[2]);
    log_walk(&l, entry, note_flush, &c);
    log_walk(&l, entry, apply, &c);
    close(base);
    return close(c.out);
}

int main(int argc, char **argv)
{
    if (argc == 7 && !strcmp(argv[1], "damage"))
        return damage(argv + 2);
    if (argc == 3 && !strcmp(argv[1], "marks"))
        return printf("%" PRIu64 "\n", log_open(argv[2]).entries) < 0;
    if (argc == 7 && !strcmp(argv[1], "cut"))
        return cut(argv + 2);
    fprintf(stderr, "usage: diskhurt damage IMAGE SEED COUNT FIRST_KIB LAST_KIB\n"
                    "       diskhurt marks LOG\n"
                    "       diskhurt cut LOG BASE OUT ENTRY SEED\n");
    return 2;
}
