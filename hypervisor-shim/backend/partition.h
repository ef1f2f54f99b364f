/* SPDX-License-Identifier: MIT
 *
 * partition.h - the partition table of each disk: read once, when its driver has registered it.
 *
 * MBR's four and GPT's first PARTITIONS entries are known; logical partitions inside of an
 * extended one are not. The table is the disk's word: an entry that is not inside of the disk
 * counts as not there.
 */
#ifndef HV_PARTITION_H
#define HV_PARTITION_H

#include <stdbool.h>
#include <stdint.h>
#include "blockdev.h"

enum { PARTITIONS = 32 };

/* Begin to read dev's table (anew, if it was read before); it goes on by itself, from the work
 * loop. */
void partition_scan(struct blockdev *dev);
/* Where partition `number` (from 1) of dev is. False: there is none, or the table is not read yet.
 */
bool partition_find(struct blockdev *dev, unsigned number, uint64_t *first, uint64_t *sectors);
/* Wait until dev's table is read: at boot only, when nothing else can happen. */
void partition_wait(struct blockdev *dev);

#endif
