/* SPDX-License-Identifier: MIT
 *
 * block.h - the block back-end: guests' rings (abi/blkif.h) on one side, disks on the other.
 *
 * block_attach() (blockdev.h) makes a virtual disk; all else follows from what the guest does.
 */
#ifndef HV_BLOCK_H
#define HV_BLOCK_H

#include "blockdev.h"

/* Requests have ended: take what has come meanwhile from their rings, publish the responses, and
 * tell the guests that want to be told. */
void block_answer(void);

#endif
