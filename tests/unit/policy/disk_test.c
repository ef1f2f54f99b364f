/* SPDX-License-Identifier: MIT
 *
 * disk_test.c - the order of disk requests, without a machine: a disk that turns and seeks, guests
 * that ask for as much as they can, barriers against a random device.
 *
 * The spindle is a common one: 7200 revolutions a minute, 0.8 ms from track to track, 8.5 ms for
 * the average seek, 150 MB/s. It does what it is told in the order in which it is told.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "policy/disk.h"

enum { GUESTS = 8, DEPTH = 32, POOL = GUESTS * DEPTH };
#define DISK_SECTORS (1ull << 31) /* 1 TB */
#define US           1000ull

static uint64_t rng;

static uint64_t rnd(void) /* xorshift */
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng;
}

/* -- a spindle ------------------------------------------------------------------------------------
 */

static struct {
    uint64_t now, head;
} disk;

static uint64_t square_root(uint64_t n)
{
    uint64_t r = 0;

    for (uint64_t bit = 1ull << 31; bit; bit >>= 1)
        if ((r + bit) * (r + bit) <= n)
            r += bit;
    return r;
}

/* Does one request; how long it took, without the way back down: that is nobody's. */
static uint64_t spin(const struct bio *b)
{
    const uint64_t turn = 8333 * US, track = 2441;
    uint64_t far = b->sector > disk.head ? b->sector - disk.head : disk.head - b->sector;
    uint64_t t = 0, back = 0, angle, at;

    if (far) {
        /* 0.8 ms + 14.4 ms for the whole way, with the root of the distance */
        t = 800 * US + 14400 * US * square_root(far) / square_root(DISK_SECTORS);
        back = b->sector < disk.head ? t : 0;
        at = (disk.now + t) % turn;
        angle = b->sector % track * turn / track;
        t += (angle + turn - at) % turn;
    }
    t += b->sectors * 512 * 1000 / 150;
    disk.now += t;
    disk.head = b->sector + b->sectors;
    return t - back;
}

/* -- guests ---------------------------------------------------------------- */

struct load {
    unsigned depth;
    uint32_t sectors; /* of a request */
    bool sequential;
    /* what became of it */
    uint64_t requests, time, position, longest;
};

static struct load load[GUESTS];
static struct bio pool[POOL];
static struct disk_sched sched;
static const struct disk_policy *policy;
static bool clock_stands;

static void ask(struct bio *b)
{
    struct load *l = &load[b->owner];
    uint64_t slice = DISK_SECTORS / GUESTS;

    b->op = BIO_READ;
    b->sectors = l->sectors;
    b->sector = b->owner * slice + (l->sequential ? l->position : rnd() % (slice - l->sectors));
    l->position = (l->position + l->sectors) % (slice - l->sectors);
    b->arrived = clock_stands ? 0 : disk.now;
    policy->add(&sched, b);
}

/* So many requests of GUESTS that always have their depth; sectors per second. */
static uint64_t run(const struct disk_policy *p, unsigned requests)
{
    unsigned used = 0;
    uint64_t sectors = 0, begin;

    policy = p;
    memset(&sched, 0, sizeof(sched));
    sched.sectors = DISK_SECTORS;
    rng = 88172645463325252ull;
    begin = disk.now;
    for (unsigned g = 0; g < GUESTS; g++) {
        load[g].requests = load[g].time = load[g].position = load[g].longest = 0;
        for (unsigned i = 0; i < load[g].depth; i++)
            pool[used++].owner = (uint16_t)g;
    }
    for (unsigned i = 0; i < used; i++) { /* they come in no order */
        unsigned other = i + (unsigned)(rnd() % (used - i));
        uint16_t owner = pool[other].owner;

        pool[other].owner = pool[i].owner;
        pool[i].owner = owner;
        ask(&pool[i]);
    }
    while (requests--) {
        struct bio *b = p->next(&sched, clock_stands ? 0 : disk.now);
        struct load *l;

        cr_assert_not_null(b);
        l = &load[b->owner];
        l->time += spin(b);
        l->requests++;
        sectors += b->sectors;
        if (!clock_stands && disk.now - b->arrived > l->longest)
            l->longest = disk.now - b->arrived;
        ask(b);
    }
    return sectors * 1000000 / ((disk.now - begin) / 1000);
}

static void all_alike(void)
{
    memset(&disk, 0, sizeof(disk));
    clock_stands = false;
    for (unsigned g = 0; g < GUESTS; g++)
        load[g] = (struct load){.depth = DEPTH, .sectors = 8};
}
TestSuite(disk, .init = all_alike);

/* The poorest guest's part of what all got, in thousandths of its fair part. */
static unsigned poorest(bool by_time)
{
    uint64_t sum = 0, least = UINT64_MAX;
    unsigned n = 0;

    for (unsigned g = 0; g < GUESTS; g++) {
        uint64_t part = by_time ? load[g].time : load[g].requests * load[g].sectors;

        if (!load[g].depth)
            continue;
        n++;
        sum += part;
        if (part < least)
            least = part;
    }
    return (unsigned)(least * n * 1000 / sum);
}

Test(disk, the_elevator_beats_fifo_and_starves_nobody)
{
    uint64_t fifo = run(&disk_fifo, 20000), lift;

    memset(&disk, 0, sizeof(disk));
    lift = run(&disk_elevator, 20000);
    cr_log_info("sectors a second: fifo %llu, elevator %llu; poorest %u/1000 of fair",
                (unsigned long long)fifo, (unsigned long long)lift, poorest(false));
    cr_assert_geq(lift, 2 * fifo, "%llu to %llu", (unsigned long long)lift,
                  (unsigned long long)fifo);
    cr_assert_geq(poorest(false), 950, "%u", poorest(false));
}

/* Who asks for more at a time, or more of it, gets no more of the disk's time; as far as a clock of
 * sectors and distances knows it, which is to a tenth. */
Test(disk, greed_does_not_pay)
{
    unsigned fifo, lift;

    load[0].sectors = 256;
    load[3].sectors = 64;
    load[5].sequential = true;
    load[5].sectors = 256;
    load[6].depth = 8;
    run(&disk_elevator, 60000);
    lift = poorest(true);
    run(&disk_fifo, 60000);
    fifo = poorest(true);
    cr_log_info("the poorest of unlike guests: fifo %u, elevator %u of 1000", fifo, lift);
    cr_assert_geq(lift, 900, "%u", lift);
    cr_assert_leq(fifo, 500, "greed should pay here: %u", fifo);
}

/* -- deadlines ------------------------------------------------------------- */

/* A stream ahead of the head for ever, and one request behind: how many go before that one? */
static unsigned patience(bool stand)
{
    static struct bio far;
    unsigned n = 0;

    memset(load, 0, sizeof(load));
    load[0] = (struct load){.depth = 4, .sectors = 64, .sequential = true};
    clock_stands = stand;
    run(&disk_elevator, 100);
    far = (struct bio){.op = BIO_READ, .owner = 0, .sector = 0, .sectors = 8};
    far.arrived = stand ? 0 : disk.now;
    policy->add(&sched, &far);
    for (; n < 10000; n++) {
        struct bio *b = policy->next(&sched, stand ? 0 : disk.now);

        if (b == &far)
            break;
        spin(b);
        ask(b);
    }
    return n;
}

Test(disk, deadlines_hold)
{
    uint64_t begin = disk.now, most = DISK_DEADLINE + (DISK_SWEEP + 4) * 25000 * US;

    cr_assert_lt(patience(false), 10000);
    cr_assert_lt(disk.now - begin, most + 1000000 * US);
    cr_assert_eq(patience(true), 10000, "without a clock it waits for ever");
}

/* Under a load that the disk can bear, nobody waits longer than the deadline and one sweep. */
Test(disk, nobody_waits_longer_than_promised)
{
    for (unsigned g = 0; g < GUESTS; g++)
        load[g] = (struct load){.depth = g < 4 ? 4 : 0, .sectors = 8};
    load[1].sequential = true;
    run(&disk_elevator, 20000);
    for (unsigned g = 0; g < 4; g++)
        cr_assert_lt(load[g].longest, DISK_DEADLINE + (DISK_SWEEP + 16) * 25000 * US,
                     "guest %u waited %llu ms", g, (unsigned long long)(load[g].longest / 1000000));
}

/* -- the elevator's lists against plain search ----------------------------------------------------
 */

Test(disk, one_owner_is_plain_c_look)
{
    static struct bio b[64];
    struct bio *in[64];
    unsigned n = 0, seen = 0;
    uint64_t head = 0;

    memset(&sched, 0, sizeof(sched));
    sched.sectors = 1000;
    rng = 4711;
    for (unsigned step = 0; step < 20000; step++) {
        if (n < 64 && (!n || rnd() % 5 < 3)) {
            struct bio *x = NULL;

            for (unsigned i = 0; i < 64 && !x; i++)
                if (!b[i].dev)
                    x = &b[i];
            cr_assert_not_null(x);
            x->dev = (void *)1; /* in use */
            x->op = BIO_READ;
            x->sector = rnd() % 999;
            x->sectors = 1;
            disk_elevator.add(&sched, x);
            in[n++] = x;
        } else {
            struct bio *x = disk_elevator.next(&sched, 0);
            uint64_t want = UINT64_MAX, lowest = UINT64_MAX;
            unsigned at = 64;

            for (unsigned i = 0; i < n; i++) {
                if (in[i]->sector >= head && in[i]->sector < want)
                    want = in[i]->sector;
                if (in[i]->sector < lowest)
                    lowest = in[i]->sector;
                if (in[i] == x)
                    at = i;
            }
            cr_assert_lt(at, 64, "it was not there");
            cr_assert_eq(x->sector, want == UINT64_MAX ? lowest : want);
            in[at] = in[--n];
            x->dev = NULL;
            head = x->sector + 1;
            seen++;
        }
    }
    cr_assert_gt(seen, 5000);
    while (n--)
        cr_assert_not_null(disk_elevator.next(&sched, 0));
    cr_assert_null(disk_elevator.next(&sched, 0));
    cr_assert_null(sched.waiting);
}

/* -- barriers -------------------------------------------------------------- */

enum { OWNERS = 4, MODEL = 96 };
enum { IDLE, ASKED, GONE };

struct mb {
    struct bio bio;
    unsigned state;
    uint64_t number; /* in order of arrival */
};

static struct mb mb[MODEL];
static struct fence fence[OWNERS];

/* b goes to the device: is that what the barriers of its owner allow? */
static bool allowed(const struct mb *b)
{
    for (unsigned i = 0; i < MODEL; i++) {
        const struct mb *o = &mb[i];

        if (o == b || o->state == IDLE || o->bio.owner != b->bio.owner)
            continue;
        if (o->number < b->number && (b->bio.fence || o->bio.fence))
            return false; /* b crosses a barrier, or is one that something has not come before */
        if (o->number > b->number && o->state == GONE && (b->bio.fence || o->bio.fence))
            return false;
    }
    return true;
}

static void model_ask(const struct disk_policy *p, struct mb *b, uint64_t number, bool heed)
{
    b->number = number;
    b->state = ASKED;
    b->bio.op = rnd() % 3 ? BIO_WRITE : BIO_READ;
    b->bio.fence = rnd() % 6 == 0;
    b->bio.owner = (uint16_t)(rnd() % OWNERS);
    b->bio.sector = rnd() % 1000;
    b->bio.sectors = 1 + rnd() % 8;
    b->bio.arrived = number;
    if (!heed || fence_enter(&fence[b->bio.owner], &b->bio))
        p->add(&sched, &b->bio);
}

/* Is something asked for that no barrier of its owner's holds back? */
static bool somebody_could_go(void)
{
    for (unsigned i = 0; i < MODEL; i++)
        if (mb[i].state == ASKED && allowed(&mb[i]))
            return true;
    return false;
}

/* A device that finishes what it has in any order. The number of violations. */
static unsigned barriers(const struct disk_policy *p, unsigned steps, bool heed)
{
    unsigned bad = 0, gone = 0;

    memset(&sched, 0, sizeof(sched));
    memset(mb, 0, sizeof(mb));
    memset(fence, 0, sizeof(fence));
    sched.sectors = 1024;
    for (unsigned step = 1; step < steps; step++) {
        struct mb *b = &mb[rnd() % MODEL];
        unsigned what = rnd() % 3;
        struct bio *n;

        if (what == 0 && b->state == IDLE) {
            model_ask(p, b, step, heed);
        } else if (what == 1 && gone < 8) {
            bool could = somebody_could_go();

            n = p->next(&sched, step);
            if (heed)
                cr_assert_eq(n != NULL, could, "%s: others wait for a barrier", p->name);
            if (n) {
                bad += !allowed((struct mb *)n);
                ((struct mb *)n)->state = GONE;
                gone++;
            }
        } else if (what == 2 && b->state == GONE) {
            b->state = IDLE;
            gone--;
            if (!heed)
                continue;
            fence_leave(&fence[b->bio.owner], &b->bio);
            while ((n = fence_release(&fence[b->bio.owner])) != NULL)
                p->add(&sched, n);
        }
    }
    return bad;
}

Test(disk, no_barrier_is_crossed)
{
    for (unsigned seed = 1; seed <= 20; seed++) {
        rng = seed * 2654435761u;
        cr_assert_eq(barriers(&disk_fifo, 5000, true), 0);
        cr_assert_eq(barriers(&disk_elevator, 5000, true), 0);
    }
    cr_assert_gt(barriers(&disk_elevator, 5000, false), 0, "who ignores barriers is found out");
}

/* A flush has no place on the disk, and moves nothing. */
Test(disk, a_flush_goes_where_the_head_is)
{
    struct bio a = {.op = BIO_READ, .sector = 500, .sectors = 4},
               f = {.op = BIO_FLUSH, .sector = 7, .owner = 1},
               z = {.op = BIO_READ, .sector = 600, .sectors = 4};

    memset(&sched, 0, sizeof(sched));
    sched.sectors = 1000;
    disk_elevator.add(&sched, &a);
    cr_assert_eq(disk_elevator.next(&sched, 0), &a);
    disk_elevator.add(&sched, &z);
    disk_elevator.add(&sched, &f);
    cr_assert_eq(disk_elevator.next(&sched, 0), &f);
    cr_assert_eq(sched.head, 504);
    cr_assert_eq(disk_elevator.next(&sched, 0), &z);
}
