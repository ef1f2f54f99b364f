/* SPDX-License-Identifier: MIT
 *
 * net_test.c - the network card below netdev.h: packets as the device sees them, pages as they come
 * back, checksums, and a card that breaks. The back-end is this file.
 */
#include "fake.h"
#include "backend/netdev.h"
#include "core/domain.h"
#include "core/platform.h"
#include "drivers/drivers.h"
#include "tests/support/hosted.h"
#include <criterion/criterion.h>
#include <string.h>

#define BASIC (VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX)
enum { CSUM = 1, GUEST_CSUM = 2, F_MTU = 1 << 3, MAC = 1 << 5, ALL = CSUM | GUEST_CSUM | MAC };
enum { RX, TX, HEADER = 12 };

/* -- the back-end ------------------------------------------------------------------------------ */

static struct netdev *card;
static unsigned sends, last_cookie, pages, empty_pages, batches, again, nested, deepest;
static uint64_t last_page;
static unsigned last_offset, last_length, last_flags;

void netdev_attach(struct netdev *nd)
{
    cr_assert_null(card);
    card = nd;
}

static bool send_one(uint32_t cookie, unsigned segments);

void netdev_sent(struct netdev *nd, uint32_t cookie)
{
    cr_assert_eq(nd, card);
    sends++;
    last_cookie = cookie;
    deepest = ++nested > deepest ? nested : deepest;
    if (again && again--) {
        cr_assert(send_one(cookie + 1, 1));
        card->ops->kick(card);
    }
    nested--;
}

void netdev_received(struct netdev *nd, mfn_t page, unsigned offset, unsigned length,
                     unsigned flags)
{
    cr_assert_eq(nd, card);
    pages++;
    empty_pages += length == 0;
    last_page = page.n;
    last_offset = offset;
    last_length = length;
    last_flags = flags;
}

void netdev_batch_end(struct netdev *nd)
{
    cr_assert_eq(nd, card);
    batches++;
}

/* -- the beginning --------------------------------------------------------------------------------
 */

static struct pci_device pci = {.bdf = FAKE_BDF, .vendor = VIRTIO_VENDOR, .device = 0x1041};

static void setup(void)
{
    hosted_init(4096);
    hosted.quiet = true;
    fake_init(0x1041, 0);
    fake.queue[RX].size = fake.queue[TX].size = 64;
    memcpy(fake.device, "\x52\x54\x00\x12\x34\x56", 6);
    fake.device[10] = 1400 & 0xff;
    fake.device[11] = 1400 >> 8;
}
TestSuite(net, .init = setup, .fini = hosted_exit);

static void start(uint64_t features)
{
    fake.features = BASIC | features;
    virtio_net_start(&pci);
}

static bool said(const char *words)
{
    return strstr(hosted.console, words) != NULL;
}

static uint8_t header[NETDEV_HEADER];

static bool send_one(uint32_t cookie, unsigned segments)
{
    struct netdev_packet p = {
        .header = header, .header_length = 54, .segments = (uint16_t)segments, .cookie = cookie};

    for (unsigned i = 0; i < segments; i++)
        p.segment[i] = (struct netdev_segment){0x10000 + 0x1000 * i, 100 + i};
    return card->ops->send(card, &p);
}

Test(net, describes_itself)
{
    start(ALL);
    cr_assert(card && memcmp(card->mac, "\x52\x54\x00\x12\x34\x56", 6) == 0);
    cr_assert(card->mtu == 1500 && card->features == (NETDEV_CSUM | NETDEV_GUEST_CSUM));
    cr_assert_eq(card->rx_slots, 64);
    cr_assert(said("net0: virtio network card at pci 00:03.0, 52:54:00:12:34:56, mtu 1500\n"));
    virtio_net_start(&pci);
    cr_assert(said("there is one already"));
}

Test(net, may_have_less)
{
    start(F_MTU);
    cr_assert(card && card->mtu == 1400 && card->features == 0 && card->mac[0] == 2);
}

static void nonsense(void)
{
    cr_assert_null(card);
    cr_assert(said("it describes itself with nonsense"));
    cr_assert_eq(fake.status, 0);
}

Test(net, group_address)
{
    fake.device[0] |= 1;
    start(ALL);
    nonsense();
}

Test(net, tiny_mtu)
{
    fake.device[10] = 67;
    fake.device[11] = 0;
    start(F_MTU);
    nonsense();
}

Test(net, short_queues)
{
    fake.queue[TX].size = 16;
    start(ALL);
    cr_assert_null(card);
    cr_assert(said("its queues are too short"));
}

/* -- packets
 * ---------------------------------------------------------------------------------------- */

Test(net, a_packet_is_gathered)
{
    struct fake_chain c;
    const uint8_t *p;

    start(ALL);
    memset(header, 0xab, sizeof(header));
    cr_assert(send_one(77, 3));
    memset(header, 0, sizeof(header)); /* it was copied */
    cr_assert_not(fake_take(TX, &c));
    card->ops->kick(card);
    cr_assert(fake_take(TX, &c));
    cr_assert(c.out == 4 && c.in == 0 && c.segment[0].length == HEADER + 54);
    p = plat_ram + c.segment[0].address;
    for (unsigned i = 0; i < HEADER; i++)
        cr_assert_eq(p[i], 0);
    for (unsigned i = 0; i < 54; i++)
        cr_assert_eq(p[HEADER + i], 0xab);
    for (unsigned i = 0; i < 3; i++)
        cr_assert(c.segment[1 + i].address == 0x10000 + 0x1000 * i &&
                  c.segment[1 + i].length == 100 + i);
    cr_assert_eq(sends, 0);
    fake_end(TX, c.id, 0);
    fake_work();
    cr_assert(sends == 1 && last_cookie == 77 && batches >= 1);
}

Test(net, checksums_are_asked_for)
{
    struct netdev_packet p = {
        .header = header, .header_length = 54, .csum_start = 34, .csum_offset = 16};
    static const uint8_t want[HEADER] = {1, 0, 0, 0, 0, 0, 34, 0, 16, 0, 0, 0};
    struct fake_chain c;

    start(ALL);
    cr_assert(card->ops->send(card, &p));
    card->ops->kick(card);
    cr_assert(fake_take(TX, &c));
    cr_assert_eq(memcmp(plat_ram + c.segment[0].address, want, HEADER), 0);
}

Test(net, a_full_card_says_so)
{
    struct fake_chain c;

    start(ALL);
    for (unsigned i = 0; i < 64; i++)
        cr_assert(send_one(i, NETDEV_SEGMENTS));
    cr_assert_not(send_one(64, 1));
    card->ops->kick(card);
    cr_assert(fake_take(TX, &c));
    fake_end(TX, c.id, 0);
    fake_work();
    cr_assert(send_one(64, 1));
    cr_assert_not(send_one(65, 1));
    for (unsigned i = 0; i < 64; i++)
        cr_assert(card->ops->supply(card, mfn(100 + i)));
    cr_assert_not(card->ops->supply(card, mfn(200)));
}

static void arrive(uint8_t flags, uint32_t length)
{
    struct fake_chain c;

    cr_assert(fake_take(RX, &c));
    cr_assert(c.out == 0 && c.in == 2 && c.segment[0].length == HEADER &&
              c.segment[1].length == 4096);
    plat_ram[c.segment[0].address] = flags;
    fake_end(RX, c.id, length);
    fake_work();
    cr_assert_eq(last_page, c.segment[1].address >> 12);
    cr_assert_eq(last_offset, 0);
}

Test(net, packets_arrive_in_pages)
{
    start(ALL);
    for (unsigned i = 0; i < 5; i++)
        cr_assert(card->ops->supply(card, mfn(300 + i)));
    card->ops->kick(card);
    arrive(0, HEADER + 60);
    cr_assert(pages == 1 && last_length == 60 && last_flags == 0);
    arrive(2, HEADER + 4096);
    cr_assert(last_length == 4096 && last_flags == NETDEV_RX_VALID);
    arrive(1, HEADER + 1);
    cr_assert(last_length == 1 && last_flags == NETDEV_RX_BLANK);
    arrive(0, HEADER);
    cr_assert_eq(last_length, 0);
    arrive(0, 3);
    cr_assert(last_length == 0 && pages == 5);
}

Test(net, flags_that_were_not_agreed_on_mean_nothing)
{
    start(0);
    cr_assert(card->ops->supply(card, mfn(300)));
    card->ops->kick(card);
    arrive(3, HEADER + 60);
    cr_assert_eq(last_flags, 0);
}

/* -- the end
 * -------------------------------------------------------------------------------------------- */

Test(net, a_broken_card_gives_everything_back)
{
    start(ALL);
    for (unsigned i = 0; i < 7; i++)
        cr_assert(card->ops->supply(card, mfn(300 + i)) && send_one(i, 2));
    card->ops->kick(card);
    fake_end(RX, 60, 0);
    fake_work();
    cr_assert(said("net0 (pci 00:03.0) is broken"));
    cr_assert(pages == 7 && empty_pages == 7 && sends == 7);
    /* From now on what is sent is lost, and ends; nothing arrives. */
    cr_assert_not(card->ops->supply(card, mfn(300)));
    again = 1000;
    cr_assert(send_one(100, 1));
    cr_assert_eq(sends, 7, "not from within send()");
    card->ops->kick(card);
    cr_assert(sends == 7 + 1001 && last_cookie == 1100);
    cr_assert_eq(deepest, 1);
}
