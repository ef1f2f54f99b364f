/* SPDX-License-Identifier: MIT */
/*
 * pci.c - PCI: configuration space by the two old ports, enumeration, capabilities, MSI and MSI-X.
 *
 * The firmware has assigned all addresses; nothing is moved here. Every bus is looked at, since
 * bridges may have any number.
 */
#include "pci.h"
#include "arch.h"
#include "errno.h"
#include "initcall.h"
#include "page.h"
#include "printk.h"
#include "slab.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc

#define REG_VENDOR  0x00
#define REG_COMMAND 0x04
#define REG_STATUS  0x06
#define REG_CLASS   0x08
#define REG_HEADER  0x0e
#define REG_BAR     0x10
#define REG_SUBSYS  0x2e
#define REG_CAPS    0x34

#define COMMAND_IO      1u
#define COMMAND_MEMORY  2u
#define COMMAND_MASTER  4u
#define COMMAND_NO_INTX 0x400u
#define STATUS_CAPS     0x10u

#define CAP_MSI   0x05
#define CAP_MSIX  0x11
#define BAR_IO    1u
#define BAR_64BIT 4u

static struct list devices = LIST_INIT(devices);

static void select(const struct pci_dev *d, unsigned off)
{
    outl(CONFIG_ADDRESS,
         0x80000000u | (u32)d->bus << 16 | (u32)d->dev << 11 | (u32)d->fn << 8 | (off & 0xfcu));
}

u32 pci_read(struct pci_dev *d, unsigned off, unsigned size)
{
    u64 f = irq_save();
    u32 v;

    select(d, off);
    v = inl(CONFIG_DATA) >> (off & 3) * 8;
    irq_restore(f);
    return size == 4 ? v : v & ((1u << size * 8) - 1);
}

void pci_write(struct pci_dev *d, unsigned off, unsigned size, u32 v)
{
    u64 f = irq_save();

    select(d, off);
    if (size == 4)
        outl(CONFIG_DATA, v);
    else if (size == 2)
        outw(CONFIG_DATA + (off & 2), (u16)v);
    else
        outb(CONFIG_DATA + (off & 3), (u8)v);
    irq_restore(f);
}

void pci_enable(struct pci_dev *d)
{
    u32 c = pci_read(d, REG_COMMAND, 2);

    pci_write(d, REG_COMMAND, 2,
              c | COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_INTX);
}

int pci_find_cap(struct pci_dev *d, u8 id, int after)
{
    unsigned at;

    if (!(pci_read(d, REG_STATUS, 2) & STATUS_CAPS))
        return 0;
    at = after ? pci_read(d, (unsigned)after + 1, 1) : pci_read(d, REG_CAPS, 1);
    for (int guard = 0; at >= 0x40 && guard < 48; guard++) {
        at &= 0xfc;
        if (pci_read(d, at, 1) == id)
            return (int)at;
        at = pci_read(d, at + 1, 1);
    }
    return 0;
}

void *pci_map_bar(struct pci_dev *d, int bar)
{
    if (bar < 0 || bar > 5 || d->bar_io[bar] || !d->bar[bar] || !d->bar_size[bar])
        return NULL;
    return ioremap(d->bar[bar], d->bar_size[bar]);
}

/* --- interrupts ------------------------------------------------------------------------------- */

struct msix_entry {
    volatile u32 addr_low, addr_high, data, control;
};

static int use_msix(struct pci_dev *d, unsigned cap, unsigned entry, u64 addr, u32 data)
{
    u32 ctl = pci_read(d, cap + 2, 2), table = pci_read(d, cap + 4, 4);
    struct msix_entry *t;
    char *bar;

    if (entry > (ctl & 0x7ff))
        return -EINVAL;
    bar = pci_map_bar(d, table & 7);
    if (!bar)
        return -EIO;
    t = (struct msix_entry *)(bar + (table & ~7u)) + entry;
    t->addr_low = (u32)addr;
    t->addr_high = (u32)(addr >> 32);
    t->data = data;
    t->control = 0;
    pci_write(d, cap + 2, 2, (ctl | 0x8000) & ~0x4000u);
    return 0;
}

static int use_msi(struct pci_dev *d, unsigned cap, u64 addr, u32 data)
{
    u32 ctl = pci_read(d, cap + 2, 2);
    bool wide = ctl & 0x80;

    pci_write(d, cap + 4, 4, (u32)addr);
    if (wide)
        pci_write(d, cap + 8, 4, (u32)(addr >> 32));
    pci_write(d, cap + (wide ? 12 : 8), 2, data);
    pci_write(d, cap + 2, 2, (ctl & ~0x70u) | 1);
    return 0;
}

int pci_irq(struct pci_dev *d, unsigned entry, irq_handler fn, void *arg)
{
    int msix = pci_find_cap(d, CAP_MSIX, 0), msi = pci_find_cap(d, CAP_MSI, 0), r;
    u64 addr;
    u32 data;

    if (!msix && (!msi || entry))
        return -EIO;
    r = irq_register_msi(fn, arg, &addr, &data);
    if (r < 0)
        return r;
    return msix ? use_msix(d, (unsigned)msix, entry, addr, data) : use_msi(d, (unsigned)msi, addr, data);
}

/* --- enumeration ------------------------------------------------------------------------------ */

static void size_bars(struct pci_dev *d)
{
    u32 cmd = pci_read(d, REG_COMMAND, 2);

    pci_write(d, REG_COMMAND, 2, cmd & ~(COMMAND_IO | COMMAND_MEMORY));
    for (unsigned n = 0; n < 6; n++) {
        unsigned off = REG_BAR + n * 4;
        u32 old = pci_read(d, off, 4), mask, high = 0;
        bool io = old & BAR_IO, wide = !io && (old & BAR_64BIT) && n < 5;
        u64 size;

        pci_write(d, off, 4, ~0u);
        mask = pci_read(d, off, 4);
        pci_write(d, off, 4, old);
        if (!mask)
            continue;
        size = ~0ul << 32 | (mask & (io ? ~3u : ~15u));
        if (wide) {
            high = pci_read(d, off + 4, 4);
            pci_write(d, off + 4, 4, ~0u);
            size = (u64)pci_read(d, off + 4, 4) << 32 | (mask & ~15u);
            pci_write(d, off + 4, 4, high);
        }
        d->bar_io[n] = io;
        d->bar[n] = (u64)high << 32 | (old & (io ? ~3u : ~15u));
        d->bar_size[n] = -size;
        n += wide;
    }
    pci_write(d, REG_COMMAND, 2, cmd);
}

static bool add(unsigned bus, unsigned dev, unsigned fn)
{
    struct pci_dev key = {.bus = (u8)bus, .dev = (u8)dev, .fn = (u8)fn}, *d;

    if (pci_read(&key, REG_VENDOR, 2) == 0xffff)
        return false;
    d = kzalloc(sizeof(*d), GFP_KERNEL);
    if (!d)
        return false;
    *d = key;
    d->vendor = (u16)pci_read(d, REG_VENDOR, 2);
    d->device = (u16)pci_read(d, REG_VENDOR + 2, 2);
    d->class = pci_read(d, REG_CLASS, 4) >> 8;
    if ((pci_read(d, REG_HEADER, 1) & 0x7f) == 0) {
        d->subsystem = (u16)pci_read(d, REG_SUBSYS, 2);
        size_bars(d);
    }
    list_add_tail(&devices, &d->link);
    return true;
}

static int pci_scan(void)
{
    for (unsigned bus = 0; bus < 256; bus++) {
        for (unsigned dev = 0; dev < 32; dev++) {
            struct pci_dev key = {.bus = (u8)bus, .dev = (u8)dev};

            if (!add(bus, dev, 0) || !(pci_read(&key, REG_HEADER, 1) & 0x80))
                continue;
            for (unsigned fn = 1; fn < 8; fn++)
                add(bus, dev, fn);
        }
    }
    return 0;
}
bus_initcall(pci_scan);

int pci_driver_register(struct pci_driver *drv)
{
    struct pci_dev *d;

    list_for_each(d, &devices, link) {
        if (d->driver || !drv->match(d))
            continue;
        d->driver = drv;
        int err = drv->probe(d);

        if (err) {
            printk("%s: device %02x:%02x.%x: error %d\n", drv->name, d->bus, d->dev, d->fn, err);
            d->driver = NULL;
        }
    }
    return 0;
}
