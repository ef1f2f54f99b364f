/* SPDX-License-Identifier: MIT
 *
 * pci.h - the devices on the PCI buses: found once at boot, given to their drivers.
 *
 * pci_init() walks bus 0 and what is behind bridges, and asks each entry of the table in pci.c
 * that names a device's vendor and number. Base addresses are the firmware's; a memory BAR that it
 * left empty is placed (on bus 0). Interrupts are MSI-X: a driver asks for one message for each of
 * its struct device_irq (core/device.h).
 */
#ifndef DRIVERS_PCI_H
#define DRIVERS_PCI_H

#include <stdbool.h>
#include <stdint.h>
#include "io.h"
#include "../core/device.h"

enum { PCI_CAP_VENDOR = 0x09, PCI_CAP_MSIX = 0x11 };

struct pci_device {
    uint32_t bdf; /* bus << 8 | device << 3 | function */
    uint16_t vendor, device;
    volatile uint32_t *msix; /* its table, once mapped; NULL: none */
    uint16_t messages;       /* entries of that table */
    uint16_t messages_used;
};

/* "00:03.0", for sentences; the latest one only. */
const char *pci_name(const struct pci_device *p);

/* Find all devices and start their drivers; at boot, once memory and interrupts are up. */
void pci_init(void);

uint8_t pci_read8(const struct pci_device *p, unsigned reg);
uint32_t pci_read32(const struct pci_device *p, unsigned reg);

/* The offset of the first capability `id` behind offset `after` (0: from the beginning); 0: none.
 */
unsigned pci_capability(const struct pci_device *p, uint8_t id, unsigned after);
/* Map length bytes at offset of memory BAR n; NULL (logged): not there, or outside of it. */
void *pci_map(const struct pci_device *p, unsigned bar, uint64_t offset, uint64_t length);
/* Let the device master the bus (and answer to memory accesses). */
void pci_enable(const struct pci_device *p);
/* The next free entry of the MSI-X table becomes irq's message, unmasked. The entry's number; -1:
 * none. */
int pci_message(struct pci_device *p, struct device_irq *irq);

#endif
