/* SPDX-License-Identifier: MIT */
/* devnum.h - device numbers, as Linux has them, so that images made elsewhere fit. */
#ifndef KERN_DEVNUM_H
#define KERN_DEVNUM_H

#define MAJOR_MEM     1   /* null 3, zero 5, full 7, random 8, urandom 9, kmsg 11 */
#define MAJOR_RAMDISK 1   /* block */
#define MAJOR_TTY     4   /* tty0 0, ttyN N (VGA), ttyS0 64 */
#define MAJOR_TTYAUX  5   /* tty 0, console 1, ptmx 2 */
#define MAJOR_NVME    259 /* NVMe disks, 16 minors each */
#define MAJOR_LOOP    7
#define MAJOR_PTS     136 /* /dev/pts/N */
#define MAJOR_VBLK    254 /* virtio-blk, 16 minors each */

#endif
