/* SPDX-License-Identifier: MIT
 *
 * blockdev.h - disks: what the block back-end asks, and what a driver (or a disk in memory) does.
 *
 *   guest's ring ─► block.c ─► disk.c: slice, barriers, policy/disk.h ─► blockdev.submit ─► driver
 *                        ◄──────────────────── bio.done ◄──────────────────────────────────┘
 *
 * A driver fills in a struct blockdev and registers it; it never sees a guest. Its bios have
 * machine addresses, in frames that stay where they are until done() has been called: nothing is
 * copied on the way. It may complete bios in any order, and must do each exactly once. What it is
 * given is inside of the device, and fits: order among bios, limits and mistrust are the work of
 * the callers.
 *
 * Context: all of it under the one lock, never in an interrupt handler. A driver learns of its
 * device's interrupt as a bit of work (CPU_WORK_*), and completes there.
 */
#ifndef HV_BLOCKDEV_H
#define HV_BLOCKDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SECTOR_SIZE = 512, SECTOR_SHIFT = 9, BLOCKDEVS = 16, BLOCKDEV_SEGMENTS = 11 };

/* A discard is advice: a device may do less of it than was asked, or nothing. */
enum bio_op { BIO_READ, BIO_WRITE, BIO_FLUSH, BIO_DISCARD };

struct bio_segment {
    uint64_t address; /* machine address; within one page */
    uint32_t bytes;   /* a multiple of SECTOR_SIZE, not 0 */
    uint32_t cookie;  /* of whoever asks */
};

struct bio {
    uint8_t op;     /* enum bio_op: what the driver is to do now */
    uint8_t fence;  /* after all of its owner's before it, and before all of its owner's after it */
    uint8_t stage;  /* disk.c's */
    uint16_t owner; /* the guest's domid */
    uint16_t segments; /* BIO_READ, BIO_WRITE: at least 1, at most max_segments of the device */
    uint64_t sector;   /* on the device, in SECTOR_SIZE */
    uint64_t sectors;  /* how many; 0 for a flush */
    const struct bio_segment *segment;
    /* The driver's last word; whoever reads the disk hears `end` (disk.h). */
    void (*done)(struct bio *, bool ok);
    void (*end)(struct bio *, bool ok);
    struct blockdev *dev;
    uint64_t arrived;          /* ns: when it was asked for */
    struct bio *next, *prev;   /* whoever has it: fence, policy, driver */
    struct bio *older, *newer; /* the policy's */
};

struct blockdev;

struct blockdev_ops {
    /* Take one bio; at most `depth` are in the driver at a time. False: it has no room for it now
     * (it is given again after the next completion). done() is never called from in here. */
    bool (*submit)(struct blockdev *, struct bio *);
    /* That were all for now: tell the device. done() may be called from in here; see
     * blockdev_completed(). */
    void (*kick)(struct blockdev *);
};

struct blockdev {
    const struct blockdev_ops *ops;
    void *driver;          /* the driver's own */
    char name[16];         /* as disk= says it: vda, ram0 */
    uint64_t sectors;      /* in SECTOR_SIZE */
    uint32_t sector_size;  /* physical, a multiple of SECTOR_SIZE: all bios are aligned to it */
    uint16_t max_segments; /* of one bio; at least BLOCKDEV_SEGMENTS */
    uint16_t depth;        /* bios in the driver at a time; 0: as disk.c likes (32) */
    bool readonly;
    bool can_flush; /* has a volatile cache, and BIO_FLUSH; false: what is done is on the medium */
    bool can_discard;
    struct disk *disk; /* disk.c's */
};

/* -- for drivers ----------------------------------------------------------- */

/* From now on guests may be given slices of dev, which stays. False: no memory, BLOCKDEVS are
 * there, or it is too small in what it takes. */
bool blockdev_register(struct blockdev *dev);
/* After each batch of done(): the next bios are sent, and guests told. */
void blockdev_completed(struct blockdev *dev);

/* -- for those who give disks to guests ------------------------------------ */

struct blockdev *blockdev_by_name(const char *name); /* NULL: there is none */

struct domain;

/* A guest's view of a device: so many sectors from `first` on. */
struct block_slice {
    struct blockdev *dev;
    uint64_t first, sectors;
    bool readonly;
};

/* Give d a virtual disk: the nodes of both ends in the store, as Xen's toolstack writes them.
 * `vdev` is its number (xvda: 51712, xvdb: 51728 ...), `name` what the store says of where it comes
 * from. Call it when d's store is attached and before its first instruction, or at any time later
 * (hotplug). False: no memory, the number is taken, or the slice is not inside of the device. */
enum { BLOCK_XVDA = 51712, BLOCK_VDEV_STEP = 16 };
bool block_attach(struct domain *d, unsigned vdev, const struct block_slice *slice,
                  const char *name);

#endif
