/* SPDX-License-Identifier: MIT
 *
 * ramdisk.h - disks in memory: ram0, ram1 ...
 */
#ifndef DRIVERS_RAMDISK_H
#define DRIVERS_RAMDISK_H

#include <stdbool.h>
#include <stdint.h>

/* The next one. The memory, of which whole sectors count, is the disk's for good. False: no memory
 * for its description, no sector in it, or too many disks. */
bool ramdisk_add(void *memory, uint64_t bytes);

#endif
