/* SPDX-License-Identifier: MIT */
/*
 * block.h - disks: asynchronous requests to block devices, and the cache of metadata blocks.
 *
 * A driver fills a struct block_device and registers it; from then on `submit` is called with
 * bios and the driver answers each exactly once with bio_done (from interrupt context or not).
 * Drivers may be handed bios in any number: they queue what the device does not take yet, and
 * may merge neighbours.
 */
#ifndef KERN_BLOCK_H
#define KERN_BLOCK_H

#include "page.h"
#include "wait.h"

#define SECTOR_SIZE  512u
#define SECTOR_SHIFT 9

enum bio_op { BIO_READ, BIO_WRITE, BIO_FLUSH };

struct bio_vec {
    struct page *page; /* physically contiguous from page; offset + len may pass its end */
    u32 offset, len;   /* multiples of 512 */
};

#define BIO_INLINE_VECS 4

struct bio {
    struct list link; /* the driver's, while it owns the bio */
    struct block_device *bdev;
    enum bio_op op;
    bool fua; /* write reaches stable storage before completion */
    sector_t sector;
    u32 cnt;
    struct bio_vec *vecs; /* inline_vecs unless the submitter brought its own */
    struct bio_vec inline_vecs[BIO_INLINE_VECS];
    int error;                   /* set by the driver: 0 or -errno */
    void (*done)(struct bio *b); /* interrupt context possible; may free the bio */
    void *priv;                  /* the submitter's */
    void *driver;                /* the driver's */
};

struct block_device;
struct block_ops {
    void (*submit)(struct block_device *bd, struct bio *b); /* any context, interrupts off or on */
};

struct block_device {
    char name[16]; /* vda, vda1, ram0 */
    dev_t dev;
    sector_t sectors;
    bool read_only;
    bool write_cache; /* needs BIO_FLUSH for stability */
    const struct block_ops *ops;
    void *driver;
    struct block_device *whole; /* partition: the disk it lies on */
    sector_t start;             /* partition: first sector on `whole` */
    struct list link;
    int openers;
    struct list bufs; /* its cached buffers */
    void *holder;     /* super block or swap area that has it exclusively */
};

/* Registers a whole disk and (later, in process context) scans its partition table. 0 or -errno. */
int block_register(struct block_device *bd);
struct block_device *block_find(const char *name); /* "vda1" or "/dev/vda1"; NULL */
struct block_device *block_find_dev(dev_t dev);
void block_each(void (*fn)(struct block_device *bd, void *arg), void *arg);

/* Range-checks, maps a partition to its disk and submits. b->done is called even on errors. */
void bio_submit(struct bio *b);
void bio_init(struct bio *b, struct block_device *bd, enum bio_op op, sector_t s);
bool bio_add(struct bio *b, struct page *p, u32 offset, u32 len); /* false: full */
void bio_done(struct bio *b, int error);                          /* for drivers */
int bio_submit_wait(struct bio *b);                               /* sleeps; 0 or -errno */
int block_flush(struct block_device *bd);                         /* sleeps until all is stable */

/* --- buffer cache: file system metadata, keyed by (device, block number, block size) ---------- */

struct buf {
    struct block_device *bdev;
    u64 block;
    u32 size; /* 512 ... 4096 */
    s32 refs;
    u32 flags; /* private to block/buf.c */
    u8 *data;
    struct buf *hash_next;
    struct list lru, dirty, dev_link;
    struct wait_queue q;
    u64 dirtied; /* clock_mono_ns */
    struct bio bio;
};

/* Returns a referenced buffer with valid contents, or ERR_PTR. Sleeps. */
struct buf *buf_read(struct block_device *bd, u64 block, u32 size);
/* As above without reading: the caller overwrites all of it. */
struct buf *buf_get(struct block_device *bd, u64 block, u32 size);
void buf_put(struct buf *b);
void buf_dirty(struct buf *b);                                 /* write-back later */
int buf_write_sync(struct buf *b);                             /* write now and wait */
void buf_forget(struct block_device *bd, u64 block, u32 size); /* freed on disk: drop, even dirty */
int buf_sync(struct block_device *bd); /* all dirty buffers of bd (NULL: every device), and wait */
void buf_invalidate(struct block_device *bd);

#endif
