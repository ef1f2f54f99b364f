/* SPDX-License-Identifier: MIT
 *
 * diskspec.h - which disk, or which part of one, a guest is given: disk= of its boot module.
 *
 *   NAME[:PARTITION | :FIRST+SECTORS][,ro]     vda   vda:2   vda:2048+65536   ram0,ro
 *
 * NAME is a registered block device; a partition is a number from 1 (MBR, GPT); a slice is in
 * sectors of 512 bytes. Parts that one guest may write are nobody else's: two guests share sectors
 * only if neither writes them.
 */
#ifndef HV_DISKSPEC_H
#define HV_DISKSPEC_H

#include <stdbool.h>
#include <stddef.h>
#include "blockdev.h"

enum { DISKS_OF_GUEST = 16 }; /* xvda .. xvdp */

struct domain;

/* Give d the disks that the disk= words of its description (guest_text.h) describe, in their order:
 * xvda, xvdb ... False: why says which and why not, as the end of a sentence about the guest; those
 * before it are given. At boot a partition table that is still being read is waited for. Context:
 * as block_attach(). */
bool disks_give(struct domain *d, const char *text, bool boot, char *why, size_t why_size);

#endif
