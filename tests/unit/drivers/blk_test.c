/* SPDX-License-Identifier: MIT
 *
 * blk_test.c - disks below blockdev.h: what a virtio-blk device is told and what becomes of its
 * answers, disks in memory, partition tables, and parts of disks given to guests.
 */
#include "fake.h"
#include "backend/blockdev.h"
#include "backend/diskspec.h"
#include "backend/partition.h"
#include "core/domain.h"
#include "core/platform.h"
#include "drivers/ramdisk.h"
#include "tests/support/hosted.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASIC (VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX)
enum { SEG_MAX = 1 << 2, RO = 1 << 5, BLK_SIZE = 1 << 6, FLUSH = 1 << 9, DISCARD = 1 << 13 };
enum { IN = 0, OUT = 1, T_FLUSH = 4, T_DISCARD = 11 };
enum { SECTORS = 2048 };

static uint8_t medium[SECTORS * 512];
static struct blockdev *vda;

/* -- the device: a disk ---------------------------------------------------------------------- */

static unsigned asked[16]; /* by type */
static uint64_t last_sector, last_sectors;
static unsigned errors_from = ~0u, taken; /* requests from this one on fail */

static void configure(unsigned at, uint64_t v, unsigned n)
{
    memcpy(fake.device + at, &v, n);
}

static void transfer(struct fake_chain *c, uint64_t sector, bool in)
{
    uint8_t *at = medium + sector * 512;

    for (unsigned i = 1; i < c->out + c->in - 1; i++) {
        uint8_t *m = plat_ram + c->segment[i].address;

        cr_assert_leq(at + c->segment[i].length, medium + sizeof(medium));
        memcpy(in ? m : at, in ? at : m, c->segment[i].length);
        at += c->segment[i].length;
    }
}

static bool perform(void)
{
    struct fake_chain c;
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } h;
    uint8_t *status;

    if (!fake_take(0, &c))
        return false;
    cr_assert(c.segment[0].length == 16 && c.out >= 1 && c.in >= 1);
    memcpy(&h, plat_ram + c.segment[0].address, 16);
    status = plat_ram + c.segment[c.out + c.in - 1].address;
    cr_assert(c.segment[c.out + c.in - 1].length == 1 && h.type < 16 && h.reserved == 0);
    asked[h.type]++;
    last_sector = h.sector;
    if (h.type == T_DISCARD) {
        uint32_t range[4];

        cr_assert(c.out == 2 && c.segment[1].length == 16);
        memcpy(range, plat_ram + c.segment[1].address, 16);
        last_sector = range[0];
        last_sectors = range[2];
        cr_assert(range[2] > 0 && range[3] == 0);
    }
    if (h.type == IN || h.type == OUT)
        transfer(&c, h.sector, h.type == IN);
    *status = taken++ >= errors_from;
    fake_end(0, c.id, h.type == IN ? 1 : 1);
    return true;
}

static void serve(void)
{
    do {
        while (perform())
            ;
        fake_work();
    } while (perform()); /* what was asked for meanwhile */
}

static void start(uint64_t features)
{
    fake.features = BASIC | features;
    pci_init();
    vda = blockdev_by_name("vda");
    if (vda && fake.status & 4)
        serve();
}

static void setup(void)
{
    hosted_init(4096);
    hosted.quiet = true;
    fake_init(0x1042, 0);
    configure(0, SECTORS, 8);
    configure(12, 126, 4);
    configure(20, 512, 4);
    for (unsigned i = 0; i < sizeof(medium); i++)
        medium[i] = (uint8_t)(i >> 9 ^ i);
    medium[510] = 0;
}
TestSuite(disk, .init = setup, .fini = hosted_exit);

static bool said(const char *words)
{
    return strstr(hosted.console, words) != NULL;
}

/* -- bios ---------------------------------------------------------------------------------------
 */

enum { BIOS = 80, SEGS = 8 };
static struct test_bio {
    struct bio bio;
    struct bio_segment segment[SEGS];
    uint8_t *page[SEGS];
    int ended; /* 0; 1: well; -1: with an error */
} bios[BIOS];
static unsigned nested, deepest;

static void done(struct bio *b, bool ok)
{
    struct test_bio *t = (struct test_bio *)b;

    deepest = ++nested > deepest ? nested : deepest;
    cr_assert_eq(t->ended, 0, "ended twice");
    t->ended = ok ? 1 : -1;
    nested--;
}

static struct test_bio *make(unsigned i, enum bio_op op, uint64_t sector, unsigned pages)
{
    struct test_bio *t = &bios[i];

    memset(t, 0, sizeof(*t));
    for (unsigned n = 0; n < pages; n++) {
        t->page[n] = frame_hv_alloc(0);
        t->segment[n] =
            (struct bio_segment){.address = plat_maddr(t->page[n]), .bytes = PV_PAGE_SIZE};
    }
    t->bio = (struct bio){.op = (uint8_t)op,
                          .sector = sector,
                          .sectors = 8 * pages,
                          .segments = (uint16_t)pages,
                          .segment = t->segment,
                          .done = done};
    return t;
}

static struct test_bio *submit(struct blockdev *dev, unsigned i, enum bio_op op, uint64_t sector,
                               unsigned pages)
{
    struct test_bio *t = make(i, op, sector, pages);

    cr_assert(dev->ops->submit(dev, &t->bio));
    cr_assert_eq(t->ended, 0);
    return t;
}

/* -- virtio -------------------------------------------------------------------------------------
 */

Test(disk, describes_itself)
{
    configure(36, 1000, 4);
    start(SEG_MAX | BLK_SIZE | FLUSH | DISCARD);
    cr_assert(vda && vda->sectors == SECTORS && vda->sector_size == 512);
    cr_assert(vda->can_flush && vda->can_discard && !vda->readonly);
    cr_assert_eq(vda->max_segments, 14, "the ring has 16, header and status take two");
    cr_assert_eq(vda->depth, 16);
    cr_assert(said("vda: virtio disk at pci 00:03.0, 1024 KiB\n"));
}

Test(disk, reads_only_where_the_device_says_so)
{
    start(RO | DISCARD);
    cr_assert(vda && vda->readonly && !vda->can_flush && !vda->can_discard);
    cr_assert(said("read-only"));
}

static void nonsense(unsigned at, uint64_t v, unsigned n)
{
    configure(at, v, n);
    start(SEG_MAX | BLK_SIZE);
    cr_assert_null(vda);
    cr_assert(said("vda (pci 00:03.0) is broken, and reset: it describes itself with nonsense"));
    cr_assert_eq(fake.status, 0);
}

Test(disk, of_no_size)
{
    nonsense(0, 0, 8);
}
Test(disk, of_no_segment)
{
    nonsense(12, 0, 4);
}
Test(disk, of_odd_sectors)
{
    nonsense(20, 3000, 4);
}
Test(disk, of_huge_sectors)
{
    nonsense(20, 1 << 16, 4);
}
Test(disk, of_sectors_of_nothing)
{
    nonsense(20, 0, 4);
}

Test(disk, data_goes_where_the_bio_says)
{
    struct test_bio *r, *w;

    start(FLUSH);
    r = submit(vda, 0, BIO_READ, 16, 3);
    w = submit(vda, 1, BIO_WRITE, 64, 2);
    memset(w->page[0], 0x5a, PV_PAGE_SIZE);
    memset(w->page[1], 0xa5, PV_PAGE_SIZE);
    vda->ops->kick(vda);
    serve();
    cr_assert(r->ended == 1 && w->ended == 1);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(memcmp(r->page[i], medium + 16 * 512 + i * PV_PAGE_SIZE, PV_PAGE_SIZE), 0);
    cr_assert_eq(memcmp(w->page[0], medium + 64 * 512, PV_PAGE_SIZE), 0);
    cr_assert(medium[64 * 512] == 0x5a && medium[72 * 512] == 0xa5);
    r = submit(vda, 2, BIO_FLUSH, 0, 0);
    vda->ops->kick(vda);
    serve();
    cr_assert(r->ended == 1 && asked[T_FLUSH] == 1);
}

Test(disk, a_long_discard_goes_in_pieces)
{
    struct test_bio *t;

    configure(36, 8, 4);
    start(DISCARD);
    t = make(0, BIO_DISCARD, 100, 0);
    t->bio.sectors = 20;
    cr_assert(vda->ops->submit(vda, &t->bio));
    vda->ops->kick(vda);
    serve();
    cr_assert(t->ended == 1 && asked[T_DISCARD] == 3);
    cr_assert(last_sector == 116 && last_sectors == 4);
    errors_from = taken + 1; /* the second piece of the next one */
    t = make(1, BIO_DISCARD, 100, 0);
    t->bio.sectors = 20;
    cr_assert(vda->ops->submit(vda, &t->bio));
    vda->ops->kick(vda);
    serve();
    cr_assert(t->ended == -1 && asked[T_DISCARD] == 5);
}

Test(disk, errors_are_told)
{
    struct test_bio *t;
    struct fake_chain c;

    start(0);
    errors_from = taken;
    t = submit(vda, 0, BIO_WRITE, 0, 1);
    vda->ops->kick(vda);
    serve();
    cr_assert_eq(t->ended, -1);
    t = submit(vda, 1, BIO_READ, 0, 1); /* ended, and no word of how */
    vda->ops->kick(vda);
    cr_assert(fake_take(0, &c));
    fake_end(0, c.id, 0);
    fake_work();
    cr_assert_eq(t->ended, -1);
}

Test(disk, a_full_device_says_so)
{
    struct test_bio *t;

    start(0);
    for (unsigned i = 0; i < 16; i++)
        submit(vda, i, BIO_READ, 8 * i, 1);
    t = make(16, BIO_READ, 0, 1);
    cr_assert_not(vda->ops->submit(vda, &t->bio));
    vda->ops->kick(vda);
    serve();
    for (unsigned i = 0; i < 16; i++)
        cr_assert_eq(bios[i].ended, 1);
    cr_assert(vda->ops->submit(vda, &t->bio));
    vda->ops->kick(vda);
    serve();
    cr_assert_eq(t->ended, 1);
}

Test(disk, a_broken_device_refuses_everything)
{
    start(0);
    for (unsigned i = 0; i < 5; i++)
        submit(vda, i, BIO_READ, 8 * i, 1);
    vda->ops->kick(vda);
    fake_end(0, 13, 1);
    fake_work();
    cr_assert(said("vda (pci 00:03.0) is broken"));
    for (unsigned i = 0; i < 5; i++)
        cr_assert_eq(bios[i].ended, -1);
    for (unsigned i = 5; i < 60; i++)
        submit(vda, i, BIO_WRITE, 0, 1);
    vda->ops->kick(vda);
    for (unsigned i = 5; i < 60; i++)
        cr_assert_eq(bios[i].ended, -1);
    cr_assert_eq(deepest, 1);
}

/* -- in memory
 * ------------------------------------------------------------------------------------- */

static struct blockdev *ram(uint64_t bytes)
{
    uint8_t *memory = frame_hv_alloc(6);

    memcpy(memory, medium, 64 * PV_PAGE_SIZE < bytes ? 64 * PV_PAGE_SIZE : bytes);
    cr_assert(ramdisk_add(memory, bytes));
    return blockdev_by_name("ram0");
}

Test(disk, memory_is_a_disk)
{
    struct blockdev *dev = ram(64 * PV_PAGE_SIZE + 511);
    struct test_bio *w, *r, *f;

    cr_assert(dev && dev->sectors == 512);
    w = submit(dev, 0, BIO_WRITE, 500, 1);
    memset(w->page[0], 0x77, PV_PAGE_SIZE);
    f = submit(dev, 1, BIO_FLUSH, 0, 0);
    r = submit(dev, 2, BIO_READ, 496, 2);
    dev->ops->kick(dev);
    cr_assert(w->ended == 1 && f->ended == 1 && r->ended == 1);
    cr_assert_eq(memcmp(r->page[0], medium + 496 * 512, 4 * 512), 0);
    cr_assert(r->page[0][4 * 512] == 0x77 && r->page[1][0] == 0x77);
}

static unsigned chained;

static void chain_done(struct bio *b, bool ok)
{
    struct blockdev *dev = blockdev_by_name("ram0");

    cr_assert(ok);
    deepest = ++nested > deepest ? nested : deepest;
    if (++chained < 10000) {
        cr_assert(dev->ops->submit(dev, b));
        dev->ops->kick(dev);
    }
    nested--;
}

Test(disk, endings_do_not_nest)
{
    struct blockdev *dev = ram(8 * PV_PAGE_SIZE);
    struct test_bio *t = make(0, BIO_READ, 0, 1);

    t->bio.done = chain_done;
    cr_assert(dev->ops->submit(dev, &t->bio));
    dev->ops->kick(dev);
    cr_assert_eq(chained, 10000);
    cr_assert_eq(deepest, 1);
}

Test(disk, too_little_memory_is_none)
{
    cr_assert_not(ramdisk_add(frame_hv_alloc(0), 511));
}

/* -- partitions
 * -------------------------------------------------------------------------------------- */

static void put32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, 4);
}

static void mbr(unsigned n, uint8_t type, uint32_t first, uint32_t sectors)
{
    uint8_t *e = medium + 446 + 16 * n;

    if (medium[510] != 0x55)
        memset(medium + 446, 0, 64);
    e[4] = type;
    put32(e + 8, first);
    put32(e + 12, sectors);
    medium[510] = 0x55;
    medium[511] = 0xaa;
}

static void gpt(unsigned unit, uint32_t at, uint32_t entries, uint32_t size)
{
    uint8_t *h = medium + unit;

    mbr(0, 0xee, 1, ~0u);
    memset(h, 0, 512);
    memcpy(h, "EFI PART", 8);
    put32(h + 72, at);
    put32(h + 80, entries);
    put32(h + 84, size);
}

static void gpt_entry(unsigned at, uint64_t first, uint64_t last)
{
    uint8_t *e = medium + at;

    memset(e, 0x11, 32);
    memcpy(e + 32, &first, 8);
    memcpy(e + 40, &last, 8);
}

static void is(struct blockdev *dev, unsigned n, uint64_t first, uint64_t sectors)
{
    uint64_t f = 0, s = 0;

    cr_assert_eq(partition_find(dev, n, &f, &s), sectors > 0, "partition %u", n);
    cr_assert(f == first && s == sectors, "partition %u: %lu+%lu", n, f, s);
}

Test(disk, mbr_is_read)
{
    struct blockdev *dev;

    mbr(0, 0x83, 64, 100);
    mbr(1, 0x05, 200, 100); /* extended */
    mbr(2, 0x83, 500, 12);
    mbr(3, 0x83, 500, 13); /* beyond the end */
    dev = ram(512 * 512);
    is(dev, 1, 64, 100);
    is(dev, 2, 0, 0);
    is(dev, 3, 500, 12);
    is(dev, 4, 0, 0);
    is(dev, 0, 0, 0);
    is(dev, 5, 0, 0);
    is(dev, ~0u, 0, 0);
}

Test(disk, the_table_of_a_real_device_is_waited_for)
{
    mbr(0, 0x83, 64, 100);
    start(0);
    is(vda, 1, 64, 100);
    cr_assert_geq(asked[IN], 5);
}

Test(disk, gpt_is_read)
{
    struct blockdev *dev;

    gpt(512, 2, 128, 128);
    memset(medium + 1024, 0, 16384);
    gpt_entry(1024, 40, 49);
    gpt_entry(1024 + 3 * 128, 50, 50);
    gpt_entry(1024 + 4 * 128, 60, 59);
    gpt_entry(1024 + 5 * 128, 0, 100);
    gpt_entry(1024 + 6 * 128, 500, 512);
    gpt_entry(1024 + 7 * 128, 500, UINT64_MAX);
    gpt_entry(1024 + 8 * 128, UINT64_MAX, UINT64_MAX);
    gpt_entry(1024 + 31 * 128, 500, 511);
    dev = ram(512 * 512);
    is(dev, 1, 40, 10);
    is(dev, 4, 50, 1);
    for (unsigned n = 5; n < 10; n++)
        is(dev, n, 0, 0);
    is(dev, 32, 500, 12);
    is(dev, 33, 0, 0);
}

Test(disk, gpt_of_large_sectors)
{
    struct blockdev *dev;

    gpt(4096, 2, 4, 128);
    memset(medium + 8192, 0, 512);
    gpt_entry(8192 + 128, 3, 4);
    dev = ram(512 * 512);
    is(dev, 2, 24, 16);
}

Test(disk, a_sector_is_enough)
{
    mbr(0, 0x83, 1, 1);
    is(ram(512), 1, 0, 0);
}

Test(disk, tables_may_be_anything)
{
    static const uint32_t odd[] = {0, 1, 2, 34, 39, 40, 41, 127, 128, 4096, 4097, 0x7fffffff, ~0u};
    struct blockdev *dev = ram(40 * 512);
    uint8_t *memory = plat_ram;

    srand(3);
    /* Where its memory is: read by a bio it would be a copy. */
    for (memory = plat_ram; memcmp(memory, medium, 4096) != 0;)
        memory += PV_PAGE_SIZE;
    for (unsigned round = 0; round < 20000; round++) {
        uint64_t first, sectors;

        gpt(512, odd[rand() % 13], odd[rand() % 13], odd[rand() % 13]);
        for (unsigned i = 0; i < 20; i++)
            medium[rand() % 20480] = (uint8_t)rand();
        memcpy(memory, medium, 20480);
        memory[510] = 0x55;
        memory[511] = 0xaa;
        partition_scan(dev);
        for (unsigned n = 1; n <= PARTITIONS; n++)
            if (partition_find(dev, n, &first, &sectors))
                cr_assert(first > 0 && sectors > 0 && first + sectors <= 40);
    }
}

/* -- parts for guests
 * ------------------------------------------------------------------------------ */

static struct hosted_guest *one, *two;

static char why[200];

static bool give(struct hosted_guest *g, const char *spec)
{
    char text[120];

    snprintf(text, sizeof(text), "role=kernel disk=%s -- disk=none", spec);
    return disks_give(g->d, text, true, why, sizeof(why));
}

/* With sentences that begin by what was asked for. */
static void refused(struct hosted_guest *g, const char *spec, const char *words)
{
    cr_assert_not(give(g, spec), "%s was given", spec);
    cr_assert(strncmp(why, "disk=", 5) == 0 && strstr(why, words), "%s: %s", spec, why);
}

static void two_guests(void)
{
    one = hosted_guest(1, 64, 1);
    two = hosted_guest(2, 64, 1);
    mbr(0, 0x83, 64, 100);
    mbr(1, 0x83, 164, 100);
    ram(512 * 512);
}

Test(disk, what_is_not_there_is_not_given)
{
    two_guests();
    refused(one, "vda", "there is no such disk");
    refused(one, "", "no such disk");
    refused(one, "ram0ram0ram0ram0ram0", "no such disk");
    refused(one, ",ro", "no such disk");
    refused(one, "ram0:", "neither a partition's number nor FIRST+SECTORS");
    refused(one, "ram0:x", "neither");
    refused(one, "ram0:1x", "neither");
    refused(one, "ram0:1+", "neither");
    refused(one, "ram0:1+2,rw", "neither");
    refused(one, "ram0:1,ro,ro", "neither");
    refused(one, "ram0:99999999999999999999+1", "neither");
    refused(one, "ram0:0", "ram0 has no partition 0");
    refused(one, "ram0:3", "ram0 has no partition 3");
    refused(one, "ram0:33", "ram0 has no partition 33");
    refused(one, "ram0:4294967297", "ram0 has no partition 4294967297");
    refused(one, "ram0:512+1", "ram0 has 512 sectors");
    refused(one, "ram0:511+2", "ram0 has 512 sectors");
    refused(one, "ram0:0+0", "ram0 has 512 sectors");
    cr_assert(give(one, "ram0:0+512"));
}

Test(disk, what_one_writes_is_nobody_elses)
{
    struct hosted_guest *three, *four;

    two_guests();
    three = hosted_guest(3, 64, 1);
    four = hosted_guest(4, 64, 1);
    cr_assert(give(one, "ram0:1 disk=ram0:264+100,ro"));
    refused(two, "ram0", "and one of the two writes; give both ,ro or slices");
    refused(two, "ram0,ro", "d1 (");
    refused(two, "ram0:163+1,ro", "d1 (");
    refused(two, "ram0:264+1", "d1 (");
    cr_assert(give(two, "ram0:2 disk=ram0:264+8,ro"));
    refused(three, "ram0:271+1", "one of the two writes");
    refused(three, "ram0:263+1", "d2 (");
    refused(hosted_guest(5, 64, 1), "ram0:364+2 disk=ram0:365+1,ro", "d5 (");
    /* Who is buried, or gone, has nothing. */
    one->d->buried = 1;
    refused(four, "ram0:64+100", "d1 ("); /* a device may have pages of it still */
    one->d->pages = 0;
    cr_assert(give(four, "ram0:64+100"));
    two->d->created_at++;
    refused(three, "ram0:164+100,ro disk=ram0:64+1", "d4 (");
}

Test(disk, sectors_are_not_divided)
{
    two_guests();
    configure(20, 4096, 4);
    start(BLK_SIZE);
    refused(one, "vda:4+8", "vda has sectors of 4096 bytes, which the slice divides");
    cr_assert(give(one, "vda:8+8"));
}

Test(disk, a_description_gives_them_in_order)
{
    two_guests();
    cr_assert(disks_give(one->d, "k role=kernel mem=8M", false, why, sizeof(why)));
    cr_assert(
        disks_give(one->d, "k disk=ram0:1 role=kernel disk=ram0:2 -- disk=none", false, why, 200));
    cr_assert_not(disks_give(two->d, "k disk=ram0:264+1 disk=vdz,ro disk=ram0", false, why, 200));
    cr_assert_str_eq(why, "disk=vdz,ro: there is no such disk");
    cr_assert_not(disks_give(two->d, "disk=ram0:300+1,ro", false, why, 200));
    cr_assert_str_eq(why, "disk=ram0:300+1,ro: the guest's store does not take it", "it has xvda");
}

Test(disk, a_guest_has_so_many)
{
    char text[400] = "";

    two_guests();
    for (unsigned i = 0; i < DISKS_OF_GUEST + 1; i++)
        strcat(text, "disk=ram0:300+1,ro ");
    cr_assert_not(disks_give(two->d, text, false, why, 200));
    cr_assert_str_eq(why, "disk=ram0:300+1,ro: there are too many disks");
}

/* A disk that is busy with its table is waited for at boot, and never after. */
Test(disk, a_table_that_is_not_read_yet)
{
    mbr(0, 0x83, 64, 100);
    one = hosted_guest(1, 64, 1);
    fake.features = BASIC;
    pci_init();
    cr_assert_not(disks_give(one->d, "disk=vda:1", false, why, 200));
    cr_assert_str_eq(why, "disk=vda:1: vda has no partition 1, or its table is not read yet");
    serve();
    cr_assert(disks_give(one->d, "disk=vda:1", false, why, 200));
}
