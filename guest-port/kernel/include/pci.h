/* SPDX-License-Identifier: MIT */
/*
 * pci.h - PCI configuration space and devices; MSI and MSI-X are the only interrupts used.
 *
 * Enumeration happens once at bus_initcall; drivers register a pci_driver from a device_initcall
 * and are probed for every device that matches.
 */
#ifndef KERN_PCI_H
#define KERN_PCI_H

#include "irq.h"
#include "list.h"

struct pci_dev {
    struct list link;
    u8 bus, dev, fn;
    u16 vendor, device, subsystem;
    u32 class; /* class << 16 | subclass << 8 | interface */
    u64 bar[6];
    u64 bar_size[6];
    bool bar_io[6];
    void *driver;
};

struct pci_driver {
    const char *name;
    bool (*match)(const struct pci_dev *d);
    int (*probe)(struct pci_dev *d);
};

u32 pci_read(struct pci_dev *d, unsigned off, unsigned size); /* size 1, 2, 4 */
void pci_write(struct pci_dev *d, unsigned off, unsigned size, u32 v);
void pci_enable(struct pci_dev *d);                    /* memory, I/O and bus mastering */
int pci_find_cap(struct pci_dev *d, u8 id, int after); /* offset or 0; after 0: first */
void *pci_map_bar(struct pci_dev *d, int bar);         /* uncached; NULL */
/* Routes MSI-X vector `entry` (or MSI, entry 0) to a handler. 0 or -errno. */
int pci_irq(struct pci_dev *d, unsigned entry, irq_handler fn, void *arg);
int pci_driver_register(struct pci_driver *drv);

#endif
