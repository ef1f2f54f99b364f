/* SPDX-License-Identifier: MIT
 *
 * disk.h - the queue before a device: barriers, the policy's order, and so many in the device.
 */
#ifndef HV_DISK_H
#define HV_DISK_H

#include "blockdev.h"

enum { DISK_DEPTH = 32 }; /* bios in a device at a time, unless it says otherwise */

/* b (op, fence, owner, segments and their sectors, dev, end, arrived) waits for its turn; disk_go() gives
 * the device what may go. end() is called once, never from in here. A fence that is a write is on
 * the medium when it ends, and so is all that its owner had been told of before. */
void disk_submit(struct bio *b);
void disk_go(struct blockdev *dev);

#endif
