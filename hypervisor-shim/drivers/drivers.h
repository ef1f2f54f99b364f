/* SPDX-License-Identifier: MIT
 *
 * drivers.h - where each driver begins: what pci.c's table and the boot call.
 *
 * A driver that is given a device either makes it known to its back-end (blockdev_register() and
 * the like) or says in the log why not; the boot goes on in both cases.
 */
#ifndef DRIVERS_DRIVERS_H
#define DRIVERS_DRIVERS_H

#include <stdint.h>

struct pci_device;

void virtio_blk_start(const struct pci_device *p);
void virtio_net_start(const struct pci_device *p);

#endif
