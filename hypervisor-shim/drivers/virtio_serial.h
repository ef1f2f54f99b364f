/* SPDX-License-Identifier: MIT
 *
 * virtio_serial.h - the host's channel: a virtio console with one port.
 */
#ifndef DRIVERS_VIRTIO_SERIAL_H
#define DRIVERS_VIRTIO_SERIAL_H

#include "pci.h"

/* Vendor and number are a virtio console's. The first one becomes the channel of core/control.h. */
void virtio_serial_probe(const struct pci_device *p);

#endif
