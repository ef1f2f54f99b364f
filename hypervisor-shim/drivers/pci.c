/* SPDX-License-Identifier: MIT
 *
 * pci.c - finding devices, their registers and their messages.
 *
 * Invariants: buses are walked in ascending order and a bridge is followed only to a bus with a
 * higher number, so that the walk ends whatever bridges say; registers are mapped only inside of
 * a BAR's own size; a device masters the bus only after its driver asked for it.
 */
#include "pci.h"
#include "drivers.h"
#include "virtio.h"
#include "virtio_serial.h"
#include "../core/domain.h"
#include "../core/text.h"

enum {
    ID = 0x00,
    COMMAND = 0x04, /* with the status in its upper half */
    HEADER_TYPE = 0x0e,
    BAR0 = 0x10,
    BUSES = 0x18, /* of a bridge: primary, secondary ... */
    CAPABILITIES = 0x34,
};
enum { COMMAND_MEMORY = 2, COMMAND_MASTER = 4, COMMAND_DECODE = 3, STATUS_CAPABILITIES = 1 << 20 };
enum { BAR_IO = 1, BAR_TYPE = 6, BAR_64 = 4, BARS = 6, BRIDGE_BARS = 2 };
enum { MSIX_CONTROL = 0, MSIX_TABLE = 4, MSIX_ENABLE = 1u << 31, MSIX_MASK = 1u << 30 };
enum { ENTRY = 16, ENTRY_DATA = 8, ENTRY_CONTROL = 12 };

/* Where a BAR goes that the firmware left empty: PCs leave this part of the space to PCI. */
#define WINDOW_START 0xf0000000ull
#define WINDOW_END   0xfe000000ull

static const struct {
    uint16_t vendor, device;
    void (*start)(const struct pci_device *);
} drivers[] =
    {
        {VIRTIO_VENDOR, 0x1043, virtio_serial_probe},
        {VIRTIO_VENDOR, 0x1042, virtio_blk_start}, /* virtio 1 only */
        {VIRTIO_VENDOR, 0x1001, virtio_blk_start}, /* also speaks an older dialect */
        {VIRTIO_VENDOR, 0x1041, virtio_net_start},
        {VIRTIO_VENDOR, 0x1000, virtio_net_start},
        {0},
};

const char *pci_name(const struct pci_device *p)
{
    static char name[16];

    text_format(name, sizeof(name), "%02x:%02x.%u", p->bdf >> 8, p->bdf >> 3 & 31, p->bdf & 7);
    return name;
}

uint32_t pci_read32(const struct pci_device *p, unsigned reg)
{
    return pci_config_read(p->bdf, reg);
}

uint8_t pci_read8(const struct pci_device *p, unsigned reg)
{
    return (uint8_t)(pci_config_read(p->bdf, reg & ~3u) >> 8 * (reg & 3));
}

/* -- capabilities --------------------------------------------------------------------- */

unsigned pci_capability(const struct pci_device *p, uint8_t id, unsigned after)
{
    unsigned at = after ? pci_read8(p, after + 1) : pci_read8(p, CAPABILITIES);

    if (!(pci_read32(p, COMMAND) & STATUS_CAPABILITIES))
        return 0;
    for (unsigned n = 0; (at &= 0xfc) >= 0x40 && n < 48; n++) { /* 48: a list may be a ring */
        if (pci_read8(p, at) == id)
            return at;
        at = pci_read8(p, at + 1);
    }
    return 0;
}

/* -- base addresses ------------------------------------------------------------------- */

struct bar {
    uint64_t base, size;
    unsigned reg;
    bool memory, is64;
};

/* What BAR n is; its size is found by writing to it, while the device does not answer to it. */
static struct bar bar_read(uint32_t bdf, unsigned n)
{
    struct bar b = {.reg = BAR0 + 4 * n};
    uint32_t low = pci_config_read(bdf, b.reg), high = 0, command, mask_low, mask_high = ~0u;

    if (low & BAR_IO)
        return b;
    b.memory = true;
    b.is64 = (low & BAR_TYPE) == BAR_64 && n + 1 < BARS;
    command = pci_config_read(bdf, COMMAND) & 0xffff;
    pci_config_write(bdf, COMMAND, command & ~(uint32_t)COMMAND_DECODE);
    pci_config_write(bdf, b.reg, ~0u);
    mask_low = pci_config_read(bdf, b.reg) & ~15u;
    pci_config_write(bdf, b.reg, low);
    if (b.is64) {
        high = pci_config_read(bdf, b.reg + 4);
        pci_config_write(bdf, b.reg + 4, ~0u);
        mask_high = pci_config_read(bdf, b.reg + 4);
        pci_config_write(bdf, b.reg + 4, high);
    }
    pci_config_write(bdf, COMMAND, command);
    b.base = (uint64_t)high << 32 | (low & ~15u);
    b.size = mask_low | (b.is64 ? mask_high : 0) ? -((uint64_t)mask_high << 32 | mask_low) : 0;
    return b;
}

/* Does [start, end) meet a memory BAR of bus 0? Then *start_of is where that begins. */
static bool window_taken(uint64_t start, uint64_t end, uint64_t *start_of)
{
    for (uint32_t bdf = 0; bdf < 256; bdf++) {
        unsigned bars = BARS;

        if (pci_config_read(bdf, ID) == ~0u)
            continue;
        if (pci_config_read(bdf, HEADER_TYPE & ~3u) >> 16 & 0x7f)
            bars = BRIDGE_BARS;
        for (unsigned n = 0; n < bars; n++) {
            struct bar b = bar_read(bdf, n);

            if (b.base && start < b.base + b.size && b.base < end) {
                *start_of = b.base;
                return true;
            }
            n += b.is64;
        }
    }
    return false;
}

static bool bar_place(const struct pci_device *p, struct bar *b)
{
    uint64_t at = WINDOW_END;

    while (at >= WINDOW_START + b->size) {
        uint64_t start = (at - b->size) & -b->size;

        if (start < WINDOW_START)
            break;
        if (window_taken(start, start + b->size, &at))
            continue;
        b->base = start;
        pci_config_write(p->bdf, b->reg, (uint32_t)start);
        if (b->is64)
            pci_config_write(p->bdf, b->reg + 4, 0);
        return true;
    }
    return false;
}

void *pci_map(const struct pci_device *p, unsigned bar, uint64_t offset, uint64_t length)
{
    struct bar b = {0};

    if (bar < BARS)
        b = bar_read(p->bdf, bar);
    if (!b.memory || b.size == 0 || length == 0 || offset > b.size || length > b.size - offset) {
        hv_log("pci %s: registers at offset 0x%lx, length 0x%lx, are not in BAR %u\n", pci_name(p),
               offset, length, bar);
        return NULL;
    }
    if (b.base == 0 && (p->bdf > 255 || !bar_place(p, &b))) {
        hv_log("pci %s: BAR %u has no address, and there is no room for it\n", pci_name(p), bar);
        return NULL;
    }
    return mmio_map(b.base + offset, length);
}

void pci_enable(const struct pci_device *p)
{
    uint32_t command = pci_read32(p, COMMAND) & 0xffff; /* the status is cleared by ones */

    pci_config_write(p->bdf, COMMAND, command | COMMAND_MEMORY | COMMAND_MASTER);
}

/* -- messages ----------------------------------------------------------------------------- */

static bool msix_map(struct pci_device *p)
{
    unsigned cap = pci_capability(p, PCI_CAP_MSIX, 0);
    uint32_t control, table;

    if (cap == 0) {
        hv_log("pci %s: no MSI-X\n", pci_name(p));
        return false;
    }
    control = pci_read32(p, cap + MSIX_CONTROL);
    table = pci_read32(p, cap + MSIX_TABLE);
    p->messages = (uint16_t)((control >> 16 & 0x7ff) + 1);
    p->msix = pci_map(p, table & 7, table & ~7u, p->messages * ENTRY);
    if (p->msix == NULL)
        return false;
    pci_enable(p); /* so that the table answers; every entry is masked from the reset on */
    pci_config_write(p->bdf, cap + MSIX_CONTROL, (control | MSIX_ENABLE) & ~(uint32_t)MSIX_MASK);
    return true;
}

int pci_message(struct pci_device *p, struct device_irq *irq)
{
    volatile uint8_t *entry;
    uint64_t address;
    uint32_t data;

    if ((p->msix == NULL && !msix_map(p)) || p->messages_used == p->messages)
        return -1;
    io_message(device_irq_add(irq), &address, &data);
    entry = (volatile uint8_t *)p->msix + ENTRY * p->messages_used;
    io_write32(entry, (uint32_t)address);
    io_write32(entry + 4, (uint32_t)(address >> 32));
    io_write32(entry + ENTRY_DATA, data);
    io_write32(entry + ENTRY_CONTROL, 0);
    return p->messages_used++;
}

/* -- the walk ------------------------------------------------------------------------------ */

static void found(uint32_t bdf, uint32_t id)
{
    struct pci_device p = {.bdf = bdf, .vendor = (uint16_t)id, .device = (uint16_t)(id >> 16)};

    for (unsigned i = 0; drivers[i].start; i++)
        if (drivers[i].vendor == p.vendor && drivers[i].device == p.device)
            drivers[i].start(&p);
}

/* One function; `seen` marks the bus behind it, if it is a bridge. Does it have sisters? */
static bool visit(uint32_t bdf, uint32_t id, uint32_t seen[8])
{
    uint32_t header = pci_config_read(bdf, HEADER_TYPE & ~3u) >> 16;
    uint32_t behind = pci_config_read(bdf, BUSES) >> 8 & 0xff;

    if ((header & 0x7f) == 1 && behind > bdf >> 8)
        seen[behind / 32] |= 1u << behind % 32;
    if ((header & 0x7f) == 0)
        found(bdf, id);
    return header & 0x80;
}

void pci_init(void)
{
    uint32_t seen[8] = {1};

    for (uint32_t bdf = 0; bdf < 0x10000; bdf++) {
        uint32_t id;

        if (!(seen[bdf >> 13] & 1u << (bdf >> 8 & 31))) {
            bdf |= 0xff;
            continue;
        }
        id = pci_config_read(bdf, ID);
        if (id == ~0u || id == 0 ? (bdf & 7) == 0 : !visit(bdf, id, seen) && (bdf & 7) == 0)
            bdf |= 7;
    }
}
