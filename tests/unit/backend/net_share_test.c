/* SPDX-License-Identifier: MIT
 *
 * net_share_test.c - what one bad guest takes from the others, in numbers: ten seconds of four
 * cards on a machine that moves CAPACITY packets a millisecond, with a guest that behaves and then
 * with one that does not. The others lose at most one packet in 1,000 of those they handed over,
 * and at most one in twenty of the rate that they had.
 *
 * Cards 1 to 3 send to each other, less than their turns; card 4 is the bad one.
 */
#include "net_fixture.h"

enum {
    TICKS = 10000,
    REST = 200,
    TICK = 1000000,
    CAPACITY = 16,
    GOOD = 3,
    EACH = 3,
    BAD = 4,
    RING = 256
};
enum { TO_FRIEND, TO_BAD, MARK = 0xbd };

static void setup(void)
{
    net_setup_cards(4);
    hosted.interrupt_every = 1; /* a run ends after CAPACITY packets */
}
TestSuite(share, .init = setup, .fini = exec_teardown);

struct behaviour {
    bool refills;
    void (*flood)(struct card *bad);
};
struct outcome {
    unsigned handed[GOOD + 1], arrived[GOOD + 1], from_bad;
};

static struct card *friend_of(unsigned i)
{
    return &card[i % GOOD + 1];
}

static bool room(const struct card *c)
{
    return c->tx_prod - head(c, TX_RING)->rsp_prod < RING;
}

/* The packets of card i that arrived at its friend are known by what they hold. */
static void take(struct card *c, struct outcome *o)
{
    uint8_t *p;
    unsigned n = 0;

    for (; received(c, &p, NULL); n++) {
        if (p[50] == MARK)
            o->from_bad++;
        else
            o->arrived[p[50]]++;
    }
    refill(c, n);
}

static struct outcome simulate(const struct behaviour *b)
{
    struct outcome o = {0};
    uint8_t *p;

    for (unsigned t = 0; t < TICKS + REST; t++) { /* in the rest rings become empty */
        net.running = true; /* whoever has packets: they are all there when the run begins */
        for (unsigned i = 1; i <= GOOD && t < TICKS; i++) {
            for (unsigned k = 0; k < EACH && room(&card[i]); k++, o.handed[i]++)
                packet(&card[i], TO_FRIEND, friend_of(i)->mac, 1000, (int)i);
            if (room(&card[i]))
                packet(&card[i], TO_BAD, card[BAD].mac, 60, (int)i);
            kick(&card[i]);
        }
        if (b->flood)
            for (; room(&card[BAD]); b->flood(&card[BAD]))
                ;
        kick(&card[BAD]);
        net.running = false;
        net_run();
        net.running = true;
        for (unsigned i = 1; i <= GOOD; i++)
            take(&card[i], &o);
        for (; b->refills && received(&card[BAD], &p, NULL); refill(&card[BAD], 1))
            ;
        net.running = false;
        hosted.now += TICK;
        timer_run(hosted.now);
    }
    return o;
}

/* `had` is what they had with a guest that behaves. */
static void compare(const struct outcome *had, const struct outcome *with)
{
    for (unsigned i = 1; i <= GOOD; i++) {
        cr_assert_geq(with->arrived[i] * 1000ul, with->handed[i] * 999ul, "card %u lost %u of %u",
                      i, with->handed[i] - with->arrived[i], with->handed[i]);
        cr_assert_geq(with->arrived[i] * 100ul, had->arrived[i] * 95ul,
                      "card %u has %u of the %u packets that it had", i, with->arrived[i],
                      had->arrived[i]);
    }
}

static const struct behaviour well = {.refills = true};

static struct outcome before(void)
{
    struct outcome o = simulate(&well);

    for (unsigned i = 1; i <= GOOD; i++)
        cr_assert_eq(o.arrived[i], TICKS * EACH, "%u", o.arrived[i]);
    return o;
}

Test(share, one_that_never_refills)
{
    struct outcome had = before(), have = simulate(&(struct behaviour){.refills = false});

    compare(&had, &have);
    cr_assert(card[BAD].vif->stalled);
    cr_assert_gt(card[BAD].vif->stats.lost, TICKS, "what was for it");
}

static void to_one(struct card *bad)
{
    packet(bad, 0, card[1].mac, 1514, MARK);
}

Test(share, one_that_floods)
{
    struct outcome had = before(), have = simulate(&(struct behaviour){true, to_one});

    compare(&had, &have);
    cr_assert_gt(have.from_bad, TICKS * (CAPACITY - GOOD * (EACH + 1)) * 9 / 10, "what is left");
}

static void to_all(struct card *bad)
{
    packet(bad, 0, everybody, 1514, MARK);
}

Test(share, one_that_floods_everybody)
{
    struct outcome had = before(), have = simulate(&(struct behaviour){true, to_all});

    compare(&had, &have);
    cr_assert_gt(have.from_bad, TICKS, "%u", have.from_bad);
}

static void forged(struct card *bad)
{
    uint8_t *p = hosted_page(bad->g, TX_PAGE);
    unsigned victim = 1 + bad->tx_prod % GOOD;

    memset(p, MARK, 1514);
    fill_header(p, friend_of(victim)->mac, card[victim].mac);
    put(bad, REF + TX_PAGE, 0, 0, 1514);
}

Test(share, one_that_forges_addresses)
{
    struct outcome had = before(), have = simulate(&(struct behaviour){true, forged});

    compare(&had, &have);
    cr_assert_eq(have.from_bad, 0);
    cr_assert_gt(card[BAD].vif->stats.refused, TICKS);
}

/* All of them have more than there is time for: nobody is ahead of another by more than a packet.
 */
Test(share, all_flood)
{
    unsigned long least = ~0ul, most = 0;

    for (unsigned t = 0; t < 200; t++) {
        uint8_t *p;

        net.running = true;
        for (unsigned i = 1; i <= BAD; i++) {
            while (room(&card[i]))
                packet(&card[i], TO_FRIEND, card[i % BAD + 1].mac, 100 + 400 * (i - 1), 0);
            kick(&card[i]);
            for (; received(&card[i], &p, NULL); refill(&card[i], 1))
                ;
        }
        net.running = false;
        net_run();
        least = ~0ul;
        most = 0;
        for (unsigned i = 1; i <= BAD; i++) {
            unsigned long sent = card[i].vif->stats.sent;

            least = sent < least ? sent : least;
            most = sent > most ? sent : most;
        }
        cr_assert_leq(most - least, 1, "%lu and %lu in tick %u", least, most, t);
    }
    cr_assert_gt(least, 200 * CAPACITY / BAD - 2);
}
