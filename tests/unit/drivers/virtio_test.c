/* SPDX-License-Identifier: MIT
 *
 * virtio_test.c - the walk over PCI, the handshake, and queues: requests that end in any order,
 * once each; few notifications; and devices that lie, which are reset and cost nothing but
 * themselves.
 */
#include "fake.h"
#include "core/domain.h"
#include "core/platform.h"
#include "tests/support/hosted.h"
#include <criterion/criterion.h>
#include <pv/abi/errno.h>
#include <stdlib.h>
#include <string.h>

#define ALL (VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX)

static struct pci_device pci = {.bdf = FAKE_BDF, .vendor = VIRTIO_VENDOR, .device = 0x1042};
static struct virtio dev;
static struct virtq q;

static void setup(void)
{
    hosted_init(4096);
    hosted.quiet = true;
    fake_init(0x1042, ALL | 5);
}
TestSuite(virtio, .init = setup, .fini = hosted_exit);

static bool said(const char *words)
{
    return strstr(hosted.console, words) != NULL;
}

/* -- requests, and what became of them -------------------------------------------------------- */

enum { REQUESTS = 64 };
static struct req {
    unsigned ended;
    long written;
} req[REQUESTS];
static unsigned ends, batches;

static void done(struct virtq *of, void *cookie, long written)
{
    struct req *r = cookie;

    cr_assert(of == &q && r >= req && r < req + REQUESTS);
    r->ended++;
    r->written = written;
    ends++;
}

static void batch(struct virtq *of)
{
    cr_assert(of == &q);
    batches++;
}

static void start(uint64_t features, unsigned size, unsigned segments)
{
    fake.features = features;
    cr_assert(virtio_open(&dev, &pci, "vdx", 5));
    cr_assert(virtq_init(&q, &dev, 1, size, segments, done));
    q.batch_done = batch;
    virtio_ready(&dev);
    cr_assert_eq(fake.status, 15);
}

static bool add(unsigned n, unsigned out, unsigned in)
{
    struct virtq_segment s[FAKE_SEGMENTS];

    for (unsigned i = 0; i < out + in; i++)
        s[i] = (struct virtq_segment){0x1000u * (n + 1) + i, 16 + i};
    return virtq_add(&q, s, out, in, &req[n]);
}

static void check_chain(const struct fake_chain *c, unsigned n, unsigned out, unsigned in)
{
    cr_assert(c->out == out && c->in == in);
    for (unsigned i = 0; i < out + in; i++)
        cr_assert(c->segment[i].address == 0x1000u * (n + 1) + i && c->segment[i].length == 16 + i);
}

/* -- PCI --------------------------------------------------------------------------------------- */

Test(virtio, walk_follows_bridges_down_only)
{
    fake_pci()->config[0] = 0;
    pci_init();
    cr_assert(fake.function[0].seen && fake.function[2].seen);
    cr_assert_eq(fake.function[3].seen, 1);
    fake.function[2].config[6] = 0; /* a bridge to itself */
    pci_init();
    cr_assert_eq(fake.function[3].seen, 1);
}

Test(virtio, capabilities_may_be_a_ring)
{
    uint8_t *config = (uint8_t *)fake_pci()->config;
    unsigned at = 0, steps = 0;

    cr_assert_eq(pci_capability(&pci, PCI_CAP_VENDOR, 0), 0x40);
    cr_assert_eq(pci_capability(&pci, PCI_CAP_VENDOR, 0x40), 0x50);
    cr_assert_eq(pci_capability(&pci, PCI_CAP_MSIX, 0), 0x90);
    cr_assert_eq(pci_capability(&pci, 0x55, 0), 0);
    config[0x91] = 0x40;
    cr_assert_eq(pci_capability(&pci, 0x55, 0), 0);
    config[0x42] = 0;
    for (unsigned i = 0; i < 4; i++)
        config[0x40 + 16 * i + 3] = 9; /* nothing that we know */
    cr_assert_not(virtio_open(&dev, &pci, "vdx", 0));
    cr_assert(said("vdx (pci 00:03.0) is not used: it has no registers of virtio 1"));
    while ((at = pci_capability(&pci, PCI_CAP_VENDOR, at)) != 0 && steps < 100)
        steps++;
    cr_assert_eq(steps, 100); /* it is a ring, and who steps through it counts */
}

Test(virtio, registers_lie_inside_of_their_bar)
{
    cr_assert_eq((uint64_t)pci_map(&pci, FAKE_BAR, 0x1000, 0x3000), 0xf2001000);
    cr_assert_null(pci_map(&pci, FAKE_BAR, 0x1000, 0x3001));
    cr_assert_null(pci_map(&pci, FAKE_BAR, 0x4001, 1));
    cr_assert_null(pci_map(&pci, FAKE_BAR, UINT64_MAX, 2));
    cr_assert_null(pci_map(&pci, FAKE_BAR, 0, 0));
    cr_assert_null(pci_map(&pci, 0, 0, 16));
    cr_assert_null(pci_map(&pci, 6, 0, 16));
    cr_assert_null(pci_map(&pci, 200, 0, 16));
    cr_assert(said("are not in BAR 200"));
    fake_pci()->config[4] = 0xc001; /* of ports */
    cr_assert_null(pci_map(&pci, 0, 0, 16));
}

Test(virtio, bar_without_address_is_placed_beside_the_others)
{
    fake_pci()->config[4 + FAKE_BAR] = 4;
    fake_pci()->config[4 + FAKE_MSIX_BAR] = 0xfdffc000; /* where it would have gone */
    cr_assert_eq((uint64_t)pci_map(&pci, FAKE_BAR, 0, 16), 0xfdff8000);
    cr_assert_eq((uint64_t)pci_map(&pci, FAKE_BAR, 0, 16), 0xfdff8000);
    fake_pci()->config[4 + FAKE_BAR] = 4;
    fake_pci()->bar_size[FAKE_BAR] = 1ull << 30;
    cr_assert_null(pci_map(&pci, FAKE_BAR, 0, 16));
    cr_assert(said("BAR 4 has no address, and there is no room for it"));
}

/* -- the handshake -------------------------------------------------------------------------- */

Test(virtio, features_are_those_that_both_want)
{
    start(ALL | 1 | 2, 0, 8);
    cr_assert_eq(fake.agreed, ALL | 1);
    cr_assert_eq(dev.features, ALL | 1);
    cr_assert_eq(q.size, 16);
    cr_assert(fake.queue[1].enabled && !fake.queue[0].enabled);
    cr_assert_eq(fake.queue[1].used, plat_maddr(q.used_ring));
}

Test(virtio, who_is_not_modern_is_not_used)
{
    fake.features = VIRTIO_F_INDIRECT_DESC;
    cr_assert_not(virtio_open(&dev, &pci, "vdx", 0));
    cr_assert(said("it does not agree on features") && fake.status & 128);
}

Test(virtio, who_insists_is_not_used)
{
    fake.stubborn = true;
    cr_assert_not(virtio_open(&dev, &pci, "vdx", 0));
    cr_assert(said("it does not agree on features"));
}

Test(virtio, messages_are_wanted)
{
    ((uint8_t *)fake_pci()->config)[0x90] = 5; /* MSI, not MSI-X */
    cr_assert_not(virtio_open(&dev, &pci, "vdx", 0));
    cr_assert(said("no MSI-X") && said("it has no messages"));
}

Test(virtio, one_message_for_each)
{
    fake_pci()->config[0x90 / 4] &= 0xffff; /* a table of one */
    cr_assert(virtio_open(&dev, &pci, "vdx", 0));
    cr_assert_not(virtq_init(&q, &dev, 0, 0, 4, done));
    cr_assert(said("it has too few messages"));
}

Test(virtio, queues_make_sense)
{
    cr_assert(virtio_open(&dev, &pci, "vdx", 0));
    cr_assert_not(virtq_init(&q, &dev, FAKE_QUEUES, 0, 4, done));
    cr_assert(said("it lacks a queue"));
    fake.queue[0].size = 12;
    cr_assert_not(virtq_init(&q, &dev, 0, 0, 4, done));
    fake.queue[0].size = 16;
    fake.queue[0].notify_offset = 0x1000 / 4; /* behind its registers */
    cr_assert_not(virtq_init(&q, &dev, 0, 0, 4, done));
    cr_assert(said("its queues make no sense"));
    cr_assert_not(fake.queue[0].enabled);
}

Test(virtio, configuration_ends_where_it_ends)
{
    uint8_t got[16];

    memset(fake.device, 7, sizeof(fake.device));
    memset(got, 9, sizeof(got));
    cr_assert(virtio_open(&dev, &pci, "vdx", 0));
    virtio_config_read(&dev, 56, got, 16);
    for (unsigned i = 0; i < 16; i++)
        cr_assert_eq(got[i], i < 8 ? 7 : 0);
}

/* -- requests ---------------------------------------------------------------------------------- */

static void segments_arrive(uint64_t features, bool indirect)
{
    struct fake_chain c;

    start(features, 16, 8);
    cr_assert(add(0, 1, 3) && add(1, 2, 0) && add(2, 0, 1) && add(3, 4, 4));
    cr_assert_not(add(4, 5, 4), "more than eight");
    cr_assert_not(add(4, 0, 0));
    cr_assert_not(fake_take(1, &c), "nothing before the kick");
    virtq_kick(&q);
    cr_assert_eq(fake.queue[1].notified, 1);
    for (unsigned i = 0; i < 4; i++) {
        static const unsigned out[] = {1, 2, 0, 4}, in[] = {3, 0, 1, 4};

        cr_assert(fake_take(1, &c));
        check_chain(&c, i, out[i], in[i]);
        cr_assert_eq(c.indirect, indirect);
        fake_end(1, c.id, in[i] ? 17 - in[i] : 0);
    }
    fake_work();
    for (unsigned i = 0; i < 4; i++)
        cr_assert_eq(req[i].ended, 1);
    cr_assert(req[0].written == 14 && req[1].written == 0 && req[3].written == 13);
    cr_assert_eq(q.free, 16);
    cr_assert_geq(batches, 1);
}

Test(virtio, segments_arrive_in_chains)
{
    segments_arrive(VIRTIO_F_VERSION_1, false);
}

Test(virtio, segments_arrive_in_tables)
{
    segments_arrive(ALL, true);
}

Test(virtio, room_is_counted_in_slots)
{
    start(VIRTIO_F_VERSION_1, 8, 20);
    cr_assert_eq(q.max_segments, 8, "a chain is not longer than the ring");
    cr_assert(add(0, 3, 0) && add(1, 0, 3) && virtq_room(&q, 2) && !virtq_room(&q, 3));
    cr_assert_not(add(2, 2, 1));
    cr_assert(add(2, 1, 1));
    cr_assert_not(add(3, 1, 0));
}

/* A quarter of a million requests of all sizes, ended in any order, over the wrap of all indices.
 */
static void many(uint64_t features)
{
    static struct fake_chain flying[REQUESTS];
    unsigned n_flying = 0, next = 0, busy[REQUESTS] = {0};

    srand(11);
    start(features, 16, 6);
    for (unsigned round = 0; round < 250000; round++) {
        unsigned out = (unsigned)rand() % 4, in = (unsigned)rand() % 4;

        for (next = 0; busy[next];)
            next++;
        if (rand() % 2 && out + in > 0 && add(next, out, in)) {
            busy[next] = 1;
            req[next].ended = 0;
        }
        if (rand() % 3 == 0)
            virtq_kick(&q);
        while (fake_take(1, &flying[n_flying]))
            n_flying++;
        if (rand() % 2 && n_flying > 0) {
            unsigned i = (unsigned)rand() % n_flying,
                     of = (unsigned)(flying[i].segment[0].address >> 12) - 1;
            unsigned in_bytes = 0;

            for (unsigned s = flying[i].out; s < flying[i].out + flying[i].in; s++)
                in_bytes += flying[i].segment[s].length;
            fake_end(1, flying[i].id, in_bytes);
            if (rand() % 4)
                fake_work();
            else
                virtq_poll(&q);
            cr_assert_eq(req[of].ended, 1);
            cr_assert_eq(req[of].written, in_bytes);
            busy[of] = 0;
            flying[i] = flying[--n_flying];
        }
        if (round % 50000 == 0)
            cr_assert_not(dev.broken);
    }
    cr_assert_gt(q.requests, 65536);
    cr_assert(!said("broken"));
}

Test(virtio, many_in_chains)
{
    many(VIRTIO_F_VERSION_1);
}

Test(virtio, many_in_tables)
{
    many(ALL);
}

Test(virtio, few_notifications)
{
    struct fake_chain c;

    start(ALL, 16, 2);
    for (unsigned i = 0; i < 4; i++)
        add(i, 1, 0);
    virtq_kick(&q);
    virtq_kick(&q); /* nothing new */
    cr_assert_eq(fake.queue[1].notified, 1);
    fake_want(1, 6); /* not before the seventh */
    for (unsigned i = 4; i < 9; i++) {
        add(i, 1, 0);
        virtq_kick(&q);
    }
    cr_assert_eq(fake.queue[1].notified, 2);
    cr_assert_eq(q.kicks, 2);
    /* Nine ends before the first is looked at: one interrupt. */
    for (unsigned i = 0; i < 9; i++) {
        cr_assert(fake_take(1, &c));
        fake_end(1, c.id, 0);
    }
    cr_assert_eq(fake.interrupts, 1);
    fake_work();
    cr_assert_eq(ends, 9);
    cr_assert_eq(batches, 1);
}

/* Device and driver look at each other's word at the same moment: what either wrote before its
 * fence the other sees behind its own. Here the device acts while the driver is at its fence. */
static void device_sleeps(void)
{
    fake_want(1, 4);
}

static void device_ends_unseen(void)
{
    struct fake_chain c;

    hosted.at_fence = NULL;
    cr_assert(fake_take(1, &c));
    fake_end(1, c.id, 0);
}

Test(virtio, the_device_sleeps_while_it_is_given_more)
{
    start(ALL, 16, 2);
    for (unsigned i = 0; i < 4; i++)
        add(i, 1, 0);
    virtq_kick(&q);
    add(4, 1, 0);
    hosted.at_fence = device_sleeps; /* it has taken four, and did not see the fifth */
    virtq_kick(&q);
    cr_assert_eq(fake.queue[1].notified, 2);
}

Test(virtio, a_request_ends_while_nobody_waits_for_it)
{
    struct fake_chain c;

    start(ALL, 16, 2);
    add(0, 1, 0);
    add(1, 1, 0);
    virtq_kick(&q);
    cr_assert(fake_take(1, &c));
    fake_end(1, c.id, 0);
    cr_assert_eq(fake.interrupts, 1);
    hosted.at_fence = device_ends_unseen;
    fake_work();
    cr_assert_null(hosted.at_fence);
    cr_assert_eq(ends, 2);
}

static void again(struct virtq *of, void *cookie, long written)
{
    done(of, cookie, written);
    if (ends < 40 && written >= 0)
        cr_assert(add((unsigned)((struct req *)cookie - req), 1, 0));
    virtq_kick(of);
}

Test(virtio, done_may_add)
{
    struct fake_chain c;

    start(ALL, 16, 2);
    q.done = again;
    for (unsigned i = 0; i < 16; i++)
        cr_assert(add(i, 1, 0));
    virtq_kick(&q);
    while (fake_take(1, &c)) {
        fake_end(1, c.id, 0);
        fake_work();
    }
    cr_assert_eq(ends, 55);
    cr_assert_eq(q.free, 16);
}

/* -- liars ----------------------------------------------------------------------------------------
 */

/* Three requests are in flight, two of them with the device; after this it has lied. */
static void is_broken(const char *why)
{
    cr_assert(dev.broken && said(why), "%s", hosted.console);
    cr_assert_eq(fake.status, 0, "it was reset");
    cr_assert_not(add(9, 1, 0));
    cr_assert_not(virtq_room(&q, 1));
    fake.status = 4;
    virtq_kick(&q);
    virtq_poll(&q);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(req[i].ended, 1, "request %u ended %u times", i, req[i].ended);
    cr_assert_eq(req[2].written, -XEN_EIO);
    cr_assert_geq(batches, 1);
    virtio_fail(&dev, "again");
    cr_assert(!said("again"));
    cr_assert_eq(ends, 3);
}

static void three(void)
{
    start(ALL, 16, 4);
    cr_assert(add(0, 1, 2) && add(1, 1, 2));
    virtq_kick(&q);
    cr_assert(add(2, 1, 1));
}

Test(virtio, liar_ends_what_is_not_in_flight)
{
    three();
    fake_end(1, 7, 0);
    fake_work();
    is_broken("it ended a request that was not in flight");
}

Test(virtio, liar_ends_beyond_the_ring)
{
    three();
    fake_end(1, 16, 0);
    fake_work();
    is_broken("not in flight");
}

Test(virtio, liar_ends_far_beyond)
{
    three();
    fake_end(1, 0xffffffff, 0);
    fake_work();
    is_broken("not in flight");
}

Test(virtio, liar_ends_twice)
{
    struct fake_chain c;

    three();
    cr_assert(fake_take(1, &c));
    fake_end(1, c.id, 1);
    fake_end(1, c.id, 1);
    fake_work();
    cr_assert_eq(req[0].written, 1);
    is_broken("not in flight");
}

Test(virtio, liar_runs_ahead)
{
    three();
    fake_used_index(1, 3); /* of two that it has */
    fake_work();
    is_broken("it ended more requests than it was given");
}

Test(virtio, liar_runs_backwards)
{
    three();
    fake_used_index(1, 0xffff);
    fake_work();
    is_broken("more requests than it was given");
}

Test(virtio, liar_jumps)
{
    three();
    fake_used_index(1, 0x8000);
    fake_work();
    is_broken("more requests than it was given");
}

Test(virtio, liar_writes_too_much)
{
    struct fake_chain c;

    three();
    cr_assert(fake_take(1, &c));
    fake_end(1, c.id, 17 + 18 + 1);
    fake_work();
    cr_assert_eq(req[0].written, -XEN_EIO);
    is_broken("it wrote more than there was room for");
}

Test(virtio, who_gives_up_is_reset)
{
    three();
    fake.status |= 64;
    fake_interrupt(fake.config_message);
    fake_work();
    is_broken("it asks to be reset");
}

static unsigned changes;
static void changed(struct virtio *d)
{
    cr_assert_eq(d, &dev);
    changes++;
}

Test(virtio, changes_are_told)
{
    three();
    fake_interrupt(fake.config_message); /* of no interest */
    fake_work();
    dev.changed = changed;
    fake_interrupt(fake.config_message);
    fake_work();
    cr_assert_eq(changes, 1);
    cr_assert_not(dev.broken);
}

/* What the device scribbles over its rings never decides where we look. */
Test(virtio, scribbling)
{
    unsigned broken = 0;

    srand(5);
    for (unsigned round = 0; round < 800; round++) {
        struct fake_chain c;

        hosted.console_used = 0;
        fake_init(0x1042, ALL);
        memset(req, 0, sizeof(req));
        ends = batches = 0;
        three();
        for (unsigned i = 0; i < 8; i++) {
            uint64_t at[] = {fake.queue[1].desc, fake.queue[1].used};

            plat_ram[at[rand() % 2] + (unsigned)rand() % 128] = (uint8_t)rand();
        }
        if (rand() % 2) {
            c.id = (uint16_t)(rand() % 20);
            fake_end(1, c.id, (uint32_t)rand() % 40);
        }
        virtq_poll(&q);
        broken += dev.broken;
        virtio_fail(&dev, "the end");
        for (unsigned i = 0; i < 3; i++)
            cr_assert_eq(req[i].ended, 1);
    }
    cr_assert(broken > 50 && broken < 800, "%u", broken);
}
