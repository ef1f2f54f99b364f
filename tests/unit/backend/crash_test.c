/* SPDX-License-Identifier: MIT
 *
 * crash_test.c - what may be on a disk when the power fails.
 *
 * A front-end issues writes, barriers and flushes ("WWBWF"); a device with a volatile cache does
 * what it is given in any order. At every point the power is cut: what has been flushed is on the
 * medium, of all else that the device was given any part. No such medium may show a later write
 * without all that came before the barrier between them, or lack what a flush has promised.
 *
 * Short scripts are run in every order that there is, and every medium is looked at; long ones at
 * random, where a pair of writes is enough to tell (worst_medium()). Stacks that ignore barriers,
 * or never flush, must be found out.
 */
#include "block_fixture.h"

enum { LONGEST = 192, SHORTEST = 8 };

static struct {
    char script[LONGEST + 1];
    bool as_writes; /* the stack under test takes barriers for writes */
    bool cache;     /* the device has a volatile one, whatever it says */
    unsigned n, issued;
    bool given[LONGEST], done[LONGEST], durable[LONGEST]; /* the write of each request */
    bool answered[LONGEST];
} c;

static struct {
    struct bio *bio;
    bool promises[LONGEST]; /* a flush: what had been done when it came */
} dev[SLOTS];
static unsigned in_dev, room = SLOTS;

static unsigned number(const struct bio *b)
{
    return (unsigned)(b->sector - FIRST) / 4;
}

static bool crash_submit(struct blockdev *d, struct bio *b)
{
    (void)d;
    if (in_dev == room)
        return false; /* the elevator has the others meanwhile */
    dev[in_dev].bio = b;
    if (b->op == BIO_FLUSH)
        memcpy(dev[in_dev].promises, c.done, sizeof(c.done));
    else
        c.given[number(b)] = true;
    in_dev++;
    return true;
}

static void crash_finish(unsigned i)
{
    struct bio *b = dev[i].bio;

    if (b->op == BIO_FLUSH) {
        for (unsigned r = 0; r < c.n; r++)
            c.durable[r] |= dev[i].promises[r];
    } else {
        c.done[number(b)] = true;
        c.durable[number(b)] |= !c.cache;
    }
    dev[i] = dev[--in_dev];
    b->done(b, true);
    blockdev_completed(&fake.dev);
}

static const struct blockdev_ops crash_ops = {crash_submit, fake_kick};

/* -- the contract ------------------------------------------------------------ */

static bool is_fence(unsigned i)
{
    return c.script[i] != 'W';
}

static bool has_data(unsigned i)
{
    return c.script[i] != 'F';
}

/* Nothing of this medium was promised otherwise. */
static bool contract(const bool *medium)
{
    for (unsigned i = 0; i < c.n; i++) {
        bool later = false;

        if (!is_fence(i))
            continue;
        for (unsigned x = i; x < c.n; x++)
            later |= medium[x] && has_data(x);
        for (unsigned y = 0; y <= i; y++) {
            if (!has_data(y) || medium[y])
                continue;
            if (c.answered[i])
                return false; /* it has been promised */
            if (later && y < i)
                return false; /* it was to be there before */
            for (unsigned x = i + 1; x < c.n && y == i; x++)
                if (medium[x] && has_data(x))
                    return false; /* the barrier's own write */
        }
    }
    return true;
}

/* Is there a medium that breaks the contract? By looking at all of them. */
static bool any_medium_bad(void)
{
    unsigned open[LONGEST], opens = 0;
    bool medium[LONGEST];

    for (unsigned i = 0; i < c.n; i++)
        if (c.given[i] && !c.durable[i])
            open[opens++] = i;
    cr_assert_leq(opens, SHORTEST);
    for (unsigned subset = 0; subset < 1u << opens; subset++) {
        memcpy(medium, c.durable, sizeof(medium));
        for (unsigned i = 0; i < opens; i++)
            medium[open[i]] = subset >> i & 1;
        if (!contract(medium))
            return true;
    }
    return false;
}

/* The same by pairs: something later may be there, something earlier may be missing. */
static bool worst_medium_bad(void)
{
    bool later = false; /* a write behind the fence may be there */

    for (unsigned i = c.n; i--;) {
        if (is_fence(i)) {
            bool own = later || (has_data(i) && c.given[i]);

            for (unsigned y = 0; y < i; y++)
                if (has_data(y) && !c.durable[y] && (own || c.answered[i]))
                    return true;
            if (has_data(i) && !c.durable[i] && (later || c.answered[i]))
                return true;
        }
        later |= has_data(i) && c.given[i];
    }
    return false;
}

/* -- runs ------------------------------------------------------------------------ */

static void start(const char *script)
{
    bool as_writes = c.as_writes, cache = c.cache;

    memset(&c, 0, sizeof(c));
    c.as_writes = as_writes;
    c.cache = cache;
    in_dev = 0;
    c.n = (unsigned)strlen(script);
    strcpy(c.script, script);
}

static void issue(void)
{
    unsigned i = c.issued++;
    bool barrier = c.script[i] == 'B' && !c.as_writes;
    unsigned op = c.script[i] == 'F' ? XEN_BLKIF_OP_FLUSH_DISKCACHE
                  : barrier          ? XEN_BLKIF_OP_WRITE_BARRIER
                                     : XEN_BLKIF_OP_WRITE;
    struct xen_blkif_request *q = front_ask(op, i, i * 4, i % DATA_PAGES, has_data(i));

    q->seg[0].last_sect = 0;
    front_push();
}

static void hear(void)
{
    struct xen_blkif_response r;

    while (front_get(&r)) {
        cr_assert_lt(r.id, c.n);
        cr_assert_not(c.answered[r.id], "twice");
        cr_assert_eq(r.status, XEN_BLKIF_RSP_OKAY);
        c.answered[r.id] = true;
    }
}

static unsigned in_flight(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < c.issued; i++)
        n += !c.answered[i];
    return n;
}

static unsigned choices(void)
{
    return in_dev + (c.issued < c.n && in_flight() < SLOTS);
}

static void choose(unsigned which)
{
    if (which < in_dev)
        crash_finish(which);
    else
        issue();
    hear();
}

/* One run by the given choices, the others 0; how many points there were, and whether one was bad.
 */
struct odometer {
    uint8_t digit[64], base[64];
    unsigned length;
};

static bool run_one(const char *script, struct odometer *o)
{
    bool bad = false;

    start(script);
    for (o->length = 0; choices(); o->length++) {
        cr_assert_lt(o->length, 64);
        o->base[o->length] = (uint8_t)choices();
        choose(o->digit[o->length]);
        bad |= any_medium_bad();
        cr_assert_eq(worst_medium_bad(), any_medium_bad(), "%s: two ways to look differ", script);
    }
    cr_assert_eq(in_flight(), 0, "%s: something hangs", script);
    return bad;
}

/* Every order of issuing and finishing. The number of orders; *bad: of those that showed a bad
 * medium. */
static unsigned run_all(const char *script, unsigned *bad)
{
    struct odometer o;
    unsigned orders = 0;
    int at;

    memset(&o, 0, sizeof(o));
    do {
        *bad += run_one(script, &o);
        orders++;
        for (at = (int)o.length - 1; at >= 0 && ++o.digit[at] == o.base[at]; at--)
            o.digit[at] = 0;
    } while (at >= 0);
    return orders;
}

/* All scripts of a length; true: next. */
static bool next_script(char *s)
{
    static const char next[] = {['W'] = 'B', ['B'] = 'F', ['F'] = 'W'};

    for (int i = (int)strlen(s) - 1; i >= 0; i--) {
        s[i] = next[(unsigned char)s[i]];
        if (s[i] != 'W')
            return true;
    }
    return false;
}

static unsigned all_scripts(unsigned length, unsigned *bad)
{
    char script[SHORTEST + 1] = "WWWWWWWW";
    unsigned orders = 0;

    script[length] = 0;
    do
        orders += run_all(script, bad);
    while (next_script(script));
    return orders;
}

static void crash_setup(void)
{
    block_setup();
    fake.dev.ops = &crash_ops;
    c.as_writes = false;
    c.cache = true;
}
TestSuite(crash, .init = crash_setup, .fini = exec_teardown, .timeout = 900);

static unsigned setting(const char *name, unsigned otherwise)
{
    return getenv(name) ? (unsigned)atoi(getenv(name)) : otherwise;
}

Test(crash, short_scripts_in_every_order)
{
    unsigned bad = 0, orders = 0;

    for (unsigned n = 1; n <= setting("CRASH_LENGTH", 5); n++)
        orders += all_scripts(n, &bad);
    cr_log_info("%u orders", orders);
    cr_assert_geq(orders, 1000);
    cr_assert_eq(bad, 0);
}

Test(crash, a_device_that_writes_through)
{
    unsigned bad = 0;

    fake.dev.can_flush = false;
    c.cache = false;
    for (unsigned n = 1; n <= 4; n++)
        all_scripts(n, &bad);
    cr_assert_eq(bad, 0);
}

/* Controls: what the checks above are there to find. */
Test(crash, who_ignores_barriers_is_found_out)
{
    unsigned bad = 0, none = 0;

    c.as_writes = true;
    run_all("WB", &bad);
    cr_assert_gt(bad, 0, "B before W, or done without W");
    bad = 0;
    run_all("BW", &bad);
    cr_assert_gt(bad, 0);
    run_all("WW", &none);
    cr_assert_eq(none, 0, "without a barrier nothing was promised");
}

Test(crash, who_never_flushes_is_found_out)
{
    unsigned bad = 0;

    fake.dev.can_flush = false; /* it says, and has a cache all the same */
    run_all("WF", &bad);
    cr_assert_gt(bad, 0);
    bad = 0;
    run_all("B", &bad);
    cr_assert_gt(bad, 0);
}

static uint64_t rng;

static unsigned rnd(unsigned n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (unsigned)(rng % n);
}

static bool run_random(void)
{
    char script[LONGEST + 1] = {0};
    bool bad = false;

    for (unsigned i = 0; i < LONGEST; i++)
        script[i] = "WWWWWWWWBF"[rnd(10)];
    start(script);
    for (unsigned n; (n = choices()) != 0;) {
        choose(in_dev < 24 && n > in_dev && rnd(3) ? n - 1 : rnd(n));
        bad |= worst_medium_bad();
    }
    cr_assert_eq(in_flight(), 0);
    return bad;
}

Test(crash, long_scripts_at_random)
{
    unsigned rounds = setting("CRASH_ROUNDS", 20), found = 0;

    rng = setting("CRASH_SEED", 4711);
    for (unsigned i = 0; i < rounds; i++) {
        room = 1 + rnd(SLOTS);
        cr_assert_not(run_random(), "round %u", i);
    }
    room = SLOTS;
    c.as_writes = true;
    for (unsigned i = 0; i < 5; i++)
        found += run_random();
    cr_assert_eq(found, 5, "barriers ignored, and nobody noticed");
}
