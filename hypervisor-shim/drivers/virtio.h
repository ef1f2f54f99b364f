/* SPDX-License-Identifier: MIT
 *
 * virtio.h - virtio 1 devices on PCI, and their queues.
 *
 *   virtq_add(segments, cookie) ... virtq_kick() ─► the device ─► message ─► work loop
 *                                                       done(queue, cookie, written) ◄┘
 *
 * Buffers are machine addresses: what the caller hands over is what the device reads and writes,
 * nothing is copied. A request is `out` segments that the device reads, then `in` segments that it
 * writes. Where the device can, a request takes one slot of the ring however long it is.
 *
 * The device is not trusted with anything but the data it was given: descriptors' bookkeeping is
 * private, ids from the used ring are bounded and must be in flight, lengths must fit, and the
 * index must not run ahead. A device that errs is reset (so that it writes nowhere any more),
 * broken for good, says so in the log, and every request in flight ends with -XEN_EIO.
 *
 * Context: everything here under the hypervisor's lock; done() is called from the work loop, and
 * may add and kick.
 */
#ifndef DRIVERS_VIRTIO_H
#define DRIVERS_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>
#include "pci.h"

struct virtq;

/* Feature bits that concern every device; a device's own are in its driver. */
#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)

enum { VIRTIO_VENDOR = 0x1af4 };

/* The machine's struct virtio, embedded in a driver's own. */
struct virtio {
    struct pci_device pci;
    const char *name; /* for the log: "disk 0" */
    volatile uint8_t *common, *notify, *config;
    uint32_t config_size, notify_size;
    uint32_t notify_multiplier;
    uint64_t features; /* agreed */
    bool broken;
    struct virtq *queues;             /* a list */
    struct device_irq irq;            /* its configuration has changed, or it gives up */
    void (*changed)(struct virtio *); /* the former; NULL: of no interest */
};

/* Reset the device, and agree on features: those of `want` (and the three above) that it offers.
 * False (logged): not a modern device, or it insists. Then: virtq_init() for each queue,
 * virtio_ready(), and requests. */
bool virtio_open(struct virtio *d, const struct pci_device *p, const char *name, uint64_t want);
void virtio_ready(struct virtio *d);
/* n bytes of the device's configuration from offset `at` on, consistent with each other.
 * Bytes that it does not have are 0. */
void virtio_config_read(struct virtio *d, unsigned at, void *to, unsigned n);
/* The device has erred (or its driver says so): see above. Does nothing the second time. */
void virtio_fail(struct virtio *d, const char *why);

struct virtq_segment {
    uint64_t address; /* of the machine */
    uint32_t length;  /* bytes, not 0 */
};

/* A descriptor, as the device reads it: an address, and length, flags and next in one word. */
struct virtq_desc {
    uint64_t address, rest;
};
enum { VIRTQ_NEXT = 1, VIRTQ_WRITE = 2, VIRTQ_INDIRECT = 4 };
#define VIRTQ_REST(length, flags, next) \
    ((uint32_t)(length) | (uint64_t)(flags) << 32 | (uint64_t)(next) << 48)

/* What we have for it. */
struct virtq_avail {
    uint16_t flags, index;
    uint16_t ring[]; /* and, behind it, used_event */
};
struct virtq_slot {
    void *cookie;
    uint32_t writable; /* bytes that the device may write */
    uint16_t next;     /* of a chain, and of the free list */
    uint8_t used;      /* heads a request in flight */
};

struct virtq {
    struct virtio *device;
    /* A request has ended: `written` bytes by the device (bounded by its in segments), or -XEN_EIO.
     */
    void (*done)(struct virtq *q, void *cookie, long written);
    void (*batch_done)(struct virtq *q); /* after each handful of done(), or none; NULL: nothing */
    uint16_t index, size;                /* which queue; its slots, a power of two */
    uint16_t max_segments;               /* of one request */
    uint16_t free, first_free;           /* slots */
    uint16_t avail, kicked;              /* next index of ours; as the device was told last */
    uint16_t seen;                       /* used index up to which requests have ended */
    bool indirect, event_idx;
    struct virtq_desc *desc;
    struct virtq_avail *avail_ring;
    struct virtq_used *used_ring;
    struct virtq_desc
        *table; /* indirect: 1 << table_shift for each slot, which names it for good */
    uint8_t table_shift;
    struct virtq_slot *slot;
    volatile void *doorbell;
    uint64_t requests, kicks; /* counted, for whoever measures */
    struct device_irq irq;
    struct virtq *next; /* of the device */
};

/* Make queue `index` of at most `size` slots (a power of two, or 0: as many as the device offers),
 * requests of up to max_segments (cut to the slots), and its own interrupt. False (logged): the
 * device has no such queue, no memory.
 */
bool virtq_init(struct virtq *q, struct virtio *d, unsigned index, unsigned size,
                unsigned max_segments, void (*done)(struct virtq *, void *, long));
/* Would a request of n segments fit now? When not: after a done(). */
static inline bool virtq_room(const struct virtq *q, unsigned n)
{
    return q->free >= (q->indirect ? 1 : n);
}
/* Queue a request: segment[0..out) is for the device to read, segment[out..out + in) for it to
 * write. The device need not notice before virtq_kick(). False: no room, too long, or broken; then
 * nothing has happened. The cookie comes back in done(), once. */
bool virtq_add(struct virtq *q, const struct virtq_segment *segment, unsigned out, unsigned in,
               void *cookie);

/* The same piece by piece, where instructions count: virtq_begin(), exactly n times virtq_out()
 * and then virtq_in(), virtq_end(). False: as above. All of it in one function, so that the
 * request under construction is in registers. `head` is a slot's number, below q->size, that no
 * other request in flight has. */
struct virtq_request {
    struct virtq_desc *at;
    uint32_t writable;
    uint16_t head, n, last;
    bool chain;
};
#define VIRTQ_INLINE static inline __attribute__((always_inline))

VIRTQ_INLINE bool virtq_begin(struct virtq *q, struct virtq_request *r, unsigned n)
{
    if (__builtin_expect(n == 0 || n > q->max_segments || !virtq_room(q, n), 0))
        return false;
    *r = (struct virtq_request){.head = q->first_free, .chain = !q->indirect};
    r->at = r->chain ? &q->desc[r->head] : q->table + ((size_t)r->head << q->table_shift);
    return true;
}

VIRTQ_INLINE void virtq_put(struct virtq *q, struct virtq_request *r, uint64_t address,
                            uint32_t length, unsigned flags)
{
    r->at->address = address;
    r->n++;
    if (__builtin_expect(r->chain, 0)) { /* it is made of the slots as they are free */
        r->last = (uint16_t)(r->at - q->desc);
        r->at->rest = VIRTQ_REST(length, flags | VIRTQ_NEXT, q->slot[r->last].next);
        r->at = &q->desc[q->slot[r->last].next];
    } else {
        r->at++->rest = VIRTQ_REST(length, flags | VIRTQ_NEXT, r->n);
    }
}
VIRTQ_INLINE void virtq_out(struct virtq *q, struct virtq_request *r, uint64_t address,
                            uint32_t length)
{
    virtq_put(q, r, address, length, 0);
}
VIRTQ_INLINE void virtq_in(struct virtq *q, struct virtq_request *r, uint64_t address,
                           uint32_t length)
{
    r->writable += length;
    virtq_put(q, r, address, length, VIRTQ_WRITE);
}

VIRTQ_INLINE void virtq_end(struct virtq *q, struct virtq_request *r, void *cookie)
{
    struct virtq_slot *slot = &q->slot[r->head], *last = slot;

    if (__builtin_expect(r->chain, 0)) {
        last = &q->slot[r->last];
        q->desc[r->last].rest &= ~VIRTQ_REST(0, VIRTQ_NEXT, 0);
        q->free -= r->n;
        q->first_free = last->next;
        last->next = r->last; /* its own number: the last */
    } else {
        r->at[-1].rest &= ~VIRTQ_REST(0, VIRTQ_NEXT, 0);
        q->desc[r->head].rest = VIRTQ_REST(r->n * sizeof(*r->at), VIRTQ_INDIRECT, 0);
        q->free--;
        q->first_free = slot->next;
        slot->next = r->head;
    }
    slot->cookie = cookie;
    slot->writable = r->writable;
    slot->used = 1;
    q->avail_ring->ring[q->avail++ & (q->size - 1)] = r->head;
    q->requests++;
}

/* Tell the device of what was added, if it wants to be told. */
void virtq_kick(struct virtq *q);
/* Look for ended requests now, as the interrupt would. */
void virtq_poll(struct virtq *q);

#endif
