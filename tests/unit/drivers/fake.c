/* SPDX-License-Identifier: MIT
 *
 * fake.c - the device behind fake.h.
 */
#include "fake.h"
#include "core/domain.h"
#include "core/platform.h"
#include <criterion/criterion.h>
#include <string.h>

struct fake fake;

enum { MSIX_BASE = 0xf1000000, BASE = 0xf2000000, MSIX_SIZE = 0x1000, SIZE = 0x4000 };
enum { COMMON = 0, ISR = 0x1000, DEVICE = 0x2000, NOTIFY = 0x3000, MULTIPLIER = 4 };

/* -- PCI --------------------------------------------------------------------------------- */

static void put8(struct fake_function *f, unsigned at, uint8_t v)
{
    ((uint8_t *)f->config)[at] = v;
}

static void capability(struct fake_function *f, unsigned at, unsigned next, uint8_t type,
                       uint32_t offset, uint32_t length)
{
    put8(f, at, PCI_CAP_VENDOR);
    put8(f, at + 1, (uint8_t)next);
    put8(f, at + 3, type);
    put8(f, at + 4, FAKE_BAR);
    f->config[(at + 8) / 4] = offset;
    f->config[(at + 12) / 4] = length;
}

static void function_init(struct fake_function *f, uint32_t bdf, uint16_t device)
{
    f->bdf = bdf;
    f->config[0] = VIRTIO_VENDOR | (uint32_t)device << 16;
    f->config[1] = 1 << 20;
    f->config[13] = FAKE_CAPS;
    f->config[4 + FAKE_MSIX_BAR] = MSIX_BASE;
    f->bar_size[FAKE_MSIX_BAR] = MSIX_SIZE;
    f->config[4 + FAKE_BAR] = BASE | 4; /* 64 bits */
    f->bar_size[FAKE_BAR] = SIZE;
    capability(f, 0x40, 0x50, 1, COMMON, 56);
    capability(f, 0x50, 0x60, 3, ISR, 1);
    capability(f, 0x60, 0x70, 4, DEVICE, 64);
    capability(f, 0x70, 0x90, 2, NOTIFY, 0x1000);
    f->config[0x80 / 4] = MULTIPLIER;
    put8(f, 0x90, PCI_CAP_MSIX);
    f->config[0x90 / 4] |= (FAKE_MESSAGES - 1) << 16;
    f->config[0x94 / 4] = FAKE_MSIX_BAR;
}

void fake_init(uint16_t device, uint64_t features)
{
    memset(&fake, 0, sizeof(fake));
    fake.function[0].config[0] = 0x29c08086;
    function_init(&fake.function[1], FAKE_BDF, device);
    fake.function[2].bdf = FAKE_BRIDGE;
    fake.function[2].config[0] = 0x000c1b36;
    fake.function[2].config[3] = 1 << 16;
    fake.function[2].config[6] = 1 << 16 | 1 << 8; /* to bus 1 */
    function_init(&fake.function[3], FAKE_BEHIND, 0);
    fake.function[3].config[0] = 0x10d38086; /* nothing that we drive */
    fake.features = features;
    fake.queues = FAKE_QUEUES;
    for (unsigned i = 0; i < FAKE_QUEUES; i++)
        fake.queue[i] = (struct fake_queue){.size = 16, .notify_offset = (uint16_t)i};
    for (unsigned i = 0; i < FAKE_MESSAGES; i++)
        fake.msix[i][3] = 1;
}

struct fake_function *fake_pci(void)
{
    return &fake.function[1];
}

static struct fake_function *function_of(uint32_t bdf)
{
    for (unsigned i = 0; i < 4; i++)
        if (fake.function[i].bdf == bdf && fake.function[i].config[0])
            return &fake.function[i];
    return NULL;
}

uint32_t pci_config_read(uint32_t bdf, unsigned reg)
{
    struct fake_function *f = function_of(bdf);

    cr_assert(reg < 256 && reg % 4 == 0);
    if (f && reg == 0)
        f->seen++;
    return f ? f->config[reg / 4] : ~0u;
}

void pci_config_write(uint32_t bdf, unsigned reg, uint32_t v)
{
    struct fake_function *f = function_of(bdf);
    unsigned n = reg / 4 - 4;

    cr_assert(f && reg % 4 == 0);
    if (reg == 4)
        v = (f->config[1] & 0xffff0000) | (v & 0xffff);
    if (n < 6 && (f->config[3] >> 16 & 0x7f) == 0) {
        bool high = n > 0 && f->bar_size[n] == 0 && (f->config[reg / 4 - 1] & 7) == 4;
        uint64_t size = high ? f->bar_size[n - 1] : f->bar_size[n];

        cr_assert(!(f->config[1] & 3) || v == f->config[reg / 4] || f->config[reg / 4] == 0,
                  "a BAR moves while the device answers to it");
        v = high ? v & (uint32_t)(-size >> 32) : (v & (uint32_t)-size) | (f->config[reg / 4] & 15);
    }
    f->config[reg / 4] = v;
}

void *mmio_map(uint64_t phys, size_t bytes)
{
    cr_assert(bytes > 0);
    return (void *)phys;
}

void io_message(unsigned line, uint64_t *address, uint32_t *data)
{
    *address = 0xfee00000;
    *data = line;
}

/* -- registers ------------------------------------------------------------------------------ */

static struct fake_queue *selected(void)
{
    static struct fake_queue none;

    memset(&none, 0, sizeof(none));
    return fake.selected < fake.queues ? &fake.queue[fake.selected] : &none;
}

static uint64_t common_read(unsigned at)
{
    switch (at) {
    case 4:
        return (uint32_t)(fake.feature_select < 2 ? fake.features >> 32 * fake.feature_select : 0);
    case 16:
        return fake.config_message;
    case 18:
        return fake.queues;
    case 20:
        return fake.status;
    case 21:
        return 0;
    case 24:
        return selected()->size;
    case 30:
        return selected()->notify_offset;
    default:
        cr_assert_fail("common register %u is read", at);
        return 0;
    }
}

static void status_write(uint8_t v)
{
    if (v == 0) {
        fake.resets++;
        for (unsigned i = 0; i < FAKE_QUEUES; i++)
            fake.queue[i].enabled = 0;
    }
    if (fake.stubborn)
        v &= (uint8_t)~8;
    fake.status = v;
}

static void half(uint64_t *to, bool high, uint32_t v)
{
    *to = high ? (uint32_t)*to | (uint64_t)v << 32 : (*to & ~0xffffffffull) | v;
}

static void common_write(unsigned at, uint32_t v)
{
    struct fake_queue *q = selected();

    switch (at) {
    case 0:
        fake.feature_select = v;
        break;
    case 8:
        fake.driver_select = v;
        break;
    case 12:
        half(&fake.agreed, fake.driver_select, v);
        cr_assert((fake.agreed & ~fake.features) == 0);
        break;
    case 16:
        fake.config_message = (uint16_t)v;
        break;
    case 20:
        status_write((uint8_t)v);
        break;
    case 22:
        fake.selected = (uint16_t)v;
        break;
    case 24:
        cr_assert(v <= q->size && (v & (v - 1)) == 0);
        q->size = (uint16_t)v;
        break;
    case 26:
        q->message = (uint16_t)v;
        break;
    case 28:
        cr_assert(v == 1 && q->desc % 16 == 0 && q->avail % 2 == 0 && q->used % 4 == 0);
        q->enabled = 1;
        break;
    case 32:
    case 36:
        half(&q->desc, at & 4, v);
        break;
    case 40:
    case 44:
        half(&q->avail, at & 4, v);
        break;
    case 48:
    case 52:
        half(&q->used, at & 4, v);
        break;
    default:
        cr_assert_fail("common register %u is written", at);
    }
}

static uint64_t registers_read(const volatile void *reg)
{
    uint64_t at = (uint64_t)reg - BASE;

    if (at < 56)
        return common_read((unsigned)at);
    cr_assert(at >= DEVICE && at < DEVICE + 64, "0x%lx is read", (uint64_t)reg);
    return fake.device[at - DEVICE];
}

static void registers_write(volatile void *reg, uint32_t v)
{
    uint64_t at = (uint64_t)reg;

    if (at >= MSIX_BASE && at < MSIX_BASE + sizeof(fake.msix)) {
        fake.msix[(at - MSIX_BASE) / 16][at / 4 % 4] = v;
        return;
    }
    at -= BASE;
    if (at < 56) {
        common_write((unsigned)at, v);
        return;
    }
    cr_assert(at >= NOTIFY && at % MULTIPLIER == 0 && v == (at - NOTIFY) / MULTIPLIER &&
                  v < fake.queues && fake.queue[v].enabled && fake.status & 4,
              "0x%lx is written", (uint64_t)reg);
    fake.queue[v].notified++;
}

#define ACCESS(bits)                                          \
    uint##bits##_t io_read##bits(const volatile void *reg)    \
    {                                                         \
        return (uint##bits##_t)registers_read(reg);           \
    }                                                         \
    void io_write##bits(volatile void *reg, uint##bits##_t v) \
    {                                                         \
        registers_write(reg, v);                              \
    }
ACCESS(8)
ACCESS(16)
ACCESS(32)

/* -- rings ------------------------------------------------------------------------------------ */

struct desc {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

static uint16_t *u16_at(uint64_t address)
{
    return (uint16_t *)(plat_ram + address);
}

static void describe(struct fake_chain *c, const struct desc *d)
{
    cr_assert(c->out + c->in < FAKE_SEGMENTS && d->length > 0);
    cr_assert(d->flags & 2 || c->in == 0, "what the device reads comes before what it writes");
    c->segment[c->out + c->in] = (struct virtq_segment){d->address, d->length};
    if (d->flags & 2)
        c->in++;
    else
        c->out++;
}

bool fake_take(unsigned n, struct fake_chain *c)
{
    struct fake_queue *q = &fake.queue[n];
    const struct desc *table = (const struct desc *)(plat_ram + q->desc), *d;
    unsigned limit = q->size;

    cr_assert(q->enabled && fake.status & 4);
    if (*u16_at(q->avail + 2) == q->taken)
        return false;
    memset(c, 0, sizeof(*c));
    c->id = *u16_at(q->avail + 4 + 2u * (q->taken++ % q->size));
    cr_assert(c->id < q->size);
    d = &table[c->id];
    if (d->flags & 4) {
        cr_assert(fake.agreed & VIRTIO_F_INDIRECT_DESC && !(d->flags & 3) && d->length % 16 == 0);
        c->indirect = true;
        limit = d->length / 16;
        table = (const struct desc *)(plat_ram + d->address);
        d = table;
    }
    for (unsigned i = 0; i < limit; i++) {
        describe(c, d);
        if (!(d->flags & 1))
            return true;
        cr_assert(d->next < limit);
        d = &table[d->next];
    }
    cr_assert_fail("a chain without end");
    return false;
}

void fake_interrupt(uint16_t message)
{
    cr_assert(message < FAKE_MESSAGES && fake.msix[message][0] == 0xfee00000);
    cr_assert(fake_pci()->config[0x90 / 4] >> 31 && !(fake.msix[message][3] & 1), "masked");
    fake.interrupts++;
    device_interrupt(fake.msix[message][2]);
}

void fake_end(unsigned n, uint32_t id, uint32_t length)
{
    struct fake_queue *q = &fake.queue[n];
    uint32_t *entry = (uint32_t *)(plat_ram + q->used + 4 + 8u * (q->ended % q->size));
    uint16_t event = *u16_at(q->avail + 4 + 2u * q->size), old = q->ended++;

    entry[0] = id;
    entry[1] = length;
    *u16_at(q->used + 2) = q->ended;
    if (!(fake.agreed & VIRTIO_F_EVENT_IDX) ||
        (uint16_t)(q->ended - event - 1) < (uint16_t)(q->ended - old))
        fake_interrupt(q->message);
}

void fake_work(void)
{
    hv.cpu[0].work = 0;
    device_work();
}

void fake_used_index(unsigned n, uint16_t index)
{
    struct fake_queue *q = &fake.queue[n];

    *u16_at(q->used + 2) = index;
    fake_interrupt(q->message);
}

void fake_want(unsigned n, uint16_t avail_event)
{
    struct fake_queue *q = &fake.queue[n];

    *u16_at(q->used + 4 + 8u * q->size) = avail_event;
}
