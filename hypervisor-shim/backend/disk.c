/* SPDX-License-Identifier: MIT
 *
 * disk.c - see disk.h, and blockdev.h for the way of a bio as a whole.
 *
 * A barrier is three steps in the device: flush, write, flush. Nothing else of its owner's is in
 * the device meanwhile (policy/fence.h), others' requests are. A device without a volatile cache
 * needs no flush: what is done there is on the medium.
 *
 * It must never look into what is read or written, and never hold a bio of which end() was called.
 */
#include "disk.h"
#include "block.h"
#include "../core/heap.h"
#include "../core/platform.h"
#include "../core/text.h"
#include "../core/trace.h"
#include "../policy/disk.h"

_Static_assert((int)DISK_OWNERS == (int)MAX_DOMAINS, "a queue for each guest");

struct disk {
    const struct disk_policy *policy;
    struct disk_sched sched;
    struct fence fence[DISK_OWNERS];
    struct bio *again; /* go before all others: further steps, or what the driver had no room for */
    unsigned in_flight, depth;
    bool sending;
};

static struct blockdev *devices[BLOCKDEVS];

bool blockdev_register(struct blockdev *dev)
{
    unsigned i = 0;

    while (i < BLOCKDEVS && devices[i])
        i++;
    if (i == BLOCKDEVS || dev->max_segments < BLOCKDEV_SEGMENTS || !dev->sectors)
        return false;
    dev->disk = heap_alloc(sizeof(*dev->disk));
    if (!dev->disk)
        return false;
    dev->disk->policy = &disk_elevator;
    dev->disk->sched.sectors = dev->sectors;
    dev->disk->depth = dev->depth ? dev->depth : DISK_DEPTH;
    devices[i] = dev;
    return true;
}

struct blockdev *blockdev_by_name(const char *name)
{
    for (unsigned i = 0; i < BLOCKDEVS; i++)
        if (devices[i] && text_equal(devices[i]->name, name))
            return devices[i];
    return NULL;
}

/* -- steps --------------------------------------------------------------------------------------
 */

static const uint8_t barrier_steps[] = {BIO_FLUSH, BIO_WRITE, BIO_FLUSH};

static bool has_steps(const struct bio *b)
{
    return b->fence && b->segments && b->dev->can_flush;
}

static inline __attribute__((always_inline)) void finish(struct bio *b, bool ok)
{
    struct disk *k = b->dev->disk;
    struct fence *f = &k->fence[b->owner];
    struct bio *held;

    fence_leave(f, b);
    while ((held = fence_release(f)) != NULL)
        k->policy->add(&k->sched, held);
    trace_disk(TRACE_DISK_DONE, b->owner, b->sector, b->sectors);
    b->end(b, ok);
}

static void done(struct bio *b, bool ok)
{
    struct disk *k = b->dev->disk;

    k->in_flight--;
    if (ok && has_steps(b) && ++b->stage < sizeof(barrier_steps)) {
        b->next = k->again;
        k->again = b;
    } else {
        finish(b, ok);
    }
}

/* -- the queue ------------------------------------------------------------------------------------
 */

void disk_submit(struct bio *b)
{
    struct disk *k = b->dev->disk;

    b->done = done;
    b->stage = 0;
    trace_disk(TRACE_DISK_ADD, b->owner, b->sector, b->sectors);
    if (fence_enter(&k->fence[b->owner], b))
        k->policy->add(&k->sched, b);
}

static struct bio *take(struct disk *k, uint64_t now)
{
    struct bio *b = k->again;

    if (b) {
        k->again = b->next;
        return b;
    }
    b = k->policy->next(&k->sched, now);
    if (b)
        trace_disk(TRACE_DISK_GO, b->owner, b->sector, b->sectors);
    return b;
}

/* How many were sent; fewer than may be when the driver has no room. */
static unsigned send(struct blockdev *dev)
{
    struct disk *k = dev->disk;
    uint64_t now = plat_now();
    unsigned sent = 0;

    while (k->in_flight < k->depth) {
        struct bio *b = take(k, now);

        if (!b)
            break;
        if (has_steps(b))
            b->op = barrier_steps[b->stage];
        if (b->op == BIO_FLUSH && !dev->can_flush) {
            finish(b, true);
            continue;
        }
        if (!dev->ops->submit(dev, b)) {
            b->next = k->again;
            k->again = b;
            break;
        }
        k->in_flight++;
        sent++;
    }
    return sent;
}

void disk_go(struct blockdev *dev)
{
    struct disk *k = dev->disk;

    if (k->sending) /* from inside of kick(): who called that comes round again */
        return;
    k->sending = true;
    while (send(dev))
        dev->ops->kick(dev);
    k->sending = false;
}

void blockdev_completed(struct blockdev *dev)
{
    disk_go(dev);
    block_answer();
}
