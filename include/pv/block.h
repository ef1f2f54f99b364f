/* SPDX-License-Identifier: MIT */
/*
 * block.h - disks.
 *
 *     static struct pv_block disk;
 *
 *     if (pv_block_open(&disk, 0))                        the first disk
 *         pv_host_panic(pv_xenbus_why(&disk.bus));
 *     pv_block_rw(&disk, PV_BLOCK_READ, sector, frame, 0, 4096);
 *
 * or, for a kernel that does other things meanwhile:
 *
 *     request->done = my_done;
 *     pv_block_submit(&disk, request);
 *
 * Sectors have 512 bytes. A request names memory by frames, lent to the back-end while the request
 * is under way: nothing is copied. It may have any length: libpv cuts it into what the back-end
 * takes, and keeps what the ring has no room for. Requests begin in the order of their submission
 * and may end in any; PV_BLOCK_BARRIER is the exception, which nothing overtakes in either
 * direction.
 *
 * The back-end is not trusted. If it answers what was not asked, or twice, or its indices jump, or
 * it keeps a page that it has said to be through with, the device is broken: all requests end with
 * -XEN_EIO, later ones are refused with it, and nothing else happens.
 *
 * Completions are taken from the device's event (by libpv's handler of the port), or by
 * pv_block_poll() where a kernel takes no events. Context of submit and poll: any; vCPUs may call
 * at once. done() runs in whatever context took the completion and may submit.
 *
 * Around a suspend (pv_suspend() does it with all disks): pv_block_suspend(); then, in another
 * life, pv_xenstore_reconnect() and pv_block_resume(), which makes the requests that were under way
 * once more. Requests may be submitted in between. Reference: abi/blkif.h, abi/xenbus.h.
 */
#ifndef PV_BLOCK_H
#define PV_BLOCK_H

#include <pv/types.h>
#include <pv/abi/blkif.h>
#include <pv/abi/grant_table.h>
#include <pv/ring.h>
#include <pv/xenbus.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PV_BLOCK_SECTOR   512
#define PV_BLOCK_INFLIGHT 32 /* ring requests at a time */
#define PV_BLOCK_PIECES   32 /* pages in one ring request, if the back-end takes that many */

enum pv_block_op {
    PV_BLOCK_READ,
    PV_BLOCK_WRITE,
    PV_BLOCK_FLUSH,   /* what was written is on the medium when this is done */
    PV_BLOCK_BARRIER, /* a write, or nothing: after all that went before, before all that follows */
    PV_BLOCK_DISCARD, /* the contents of [sector, sector + sectors) don't matter any more */
};

/*
 * A piece of memory: bytes from offset in a frame, and on into the frames that follow it. offset
 * and bytes are multiples of 512.
 */
struct pv_block_segment {
    pfn_t frame;
    uint32_t offset, bytes;
};

struct pv_block_request {
    enum pv_block_op op;
    bool fua;         /* a write: flush before it is done, if the disk has what to flush */
    uint16_t nr_segs; /* read, write, barrier */
    uint64_t sector;
    uint64_t sectors; /* discard */
    const struct pv_block_segment *segs;
    /* Instead of segs, if it is set: tells the ith segment, the same each time. */
    struct pv_block_segment (*piece)(const struct pv_block_request *r, unsigned i);
    /*
     * Called once; the request and its segments are the caller's again. status 0; -XEN_EIO: an
     * error of the disk, or the device is broken or closed; -XEN_EOPNOTSUPP: the disk can't;
     * -XEN_EBUSY: as EIO, but the back-end still holds pages of this request and may write to them:
     * don't reuse them; -XEN_EINVAL: a frame that has no memory, -XEN_ENOSPC: no grant is left, nor
     * will one come free by a request of this disk. A request may have been done in part.
     */
    void (*done)(struct pv_block_request *r, int status);
    void *arg; /* the caller's */
    /* libpv's while it is under way */
    struct pv_block_request *next, *prev;
    uint32_t at;      /* bytes of segs[seg] that were sent, of those before it all were */
    uint16_t seg;     /* nr_segs: all were */
    uint16_t flights; /* ring requests that were not answered */
    int status;
    bool sent, flushing;
};

struct pv_block_info {
    uint64_t sectors;        /* of 512 bytes */
    uint32_t sector_bytes;   /* the disk's own: requests must be aligned to it */
    uint32_t physical_bytes; /* better aligned to this, a power of two and no less */
    char name[16];           /* "xvda", "xvda1"; "vbdN" for what is no xvd */
    bool readonly, cdrom, removable;
    bool flush, barrier, discard;                    /* what it can */
    uint32_t discard_granularity, discard_alignment; /* bytes */
    uint32_t pieces;                                 /* pages in one ring request */
};

/* libpv's: a request in the ring. */
struct pv_block_flight {
    uint32_t nr_refs;
    xen_grant_ref_t ref[PV_BLOCK_PIECES];
    pfn_t table; /* of an indirect request; lent to the back-end for good */
    xen_grant_ref_t table_ref;
};

PV_RING(pv_blkif, struct xen_blkif_request, struct xen_blkif_response)

struct pv_block {
    struct pv_xenbus bus;
    struct pv_block_info info;
    /* libpv's own from here on */
    struct pv_blkif_front ring;
    struct pv_ring_ids ids;
    struct pv_block_flight flight[PV_BLOCK_INFLIGHT];
    struct pv_block_request *first, *last; /* all that are under way, in their order */
    struct pv_block_request *unsent;       /* the first that the back-end has not seen all of */
    pfn_t page;
    xen_grant_ref_t page_ref;
    uint32_t port;
    uint32_t flights;
    uint8_t flush_op;
    char lock;
    bool up, suspended;
    uint64_t notifications; /* that we sent */
};

/*
 * Opens the nth disk, in the order of their numbers (0: the first). *d need not be initialized; it
 * stays where it is until pv_block_close(). Waits for the back-end. Errors as of pv_xenbus_open(),
 * and -XEN_ENOMEM, -XEN_ENOSPC (grants, ports); pv_xenbus_why(&d->bus) says more.
 */
int pv_block_open(struct pv_block *d, unsigned n);

/*
 * Gives what is under way five seconds, ends the rest with -XEN_EIO and lets go of everything.
 * Waits for the back-end: not from a done() or an event handler.
 */
void pv_block_close(struct pv_block *d);

/* See above. 0, or the error of opening again; then the device is broken. */
void pv_block_suspend(struct pv_block *d);
int pv_block_resume(struct pv_block *d);

/*
 * Takes a request; 0, and done() will be called, perhaps before this returns. Otherwise it will
 * not: -XEN_EINVAL: no whole sectors, beyond the end; -XEN_EROFS; -XEN_EOPNOTSUPP: see info;
 * -XEN_EIO: broken or not open.
 */
int pv_block_submit(struct pv_block *d, struct pv_block_request *r);

/* The same for several with one notification: queue each (as submit), then kick. */
int pv_block_queue(struct pv_block *d, struct pv_block_request *r);
void pv_block_kick(struct pv_block *d);

/* Takes completions; returns how many requests ended. */
unsigned pv_block_poll(struct pv_block *d);

/*
 * Submits and waits; the request's status. done and arg are libpv's meanwhile. Not from a done() or
 * an event handler. A device that fails ends the wait; one that is slow doesn't.
 */
int pv_block_do(struct pv_block *d, struct pv_block_request *r);

/* The same with one segment. */
int pv_block_rw(struct pv_block *d, enum pv_block_op op, uint64_t sector, pfn_t frame,
                uint32_t offset, uint32_t bytes);

#ifdef __cplusplus
}
#endif
#endif
