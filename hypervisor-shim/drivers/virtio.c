/* SPDX-License-Identifier: MIT
 *
 * virtio.c - virtio 1: the handshake over PCI, and split queues.
 *
 *   slot:  free ──virtq_add──► in flight ──used ring names it──► done() ──► free
 *
 * Invariants: a slot that is in flight has a cookie, and ends once; what the device can write
 * (used ring, descriptors) is read once and never decides where this file looks or writes; after
 * a device broke its queues take nothing.
 * Observers: the device reads descriptors and the available ring once it has seen the ring's index,
 * and looks at `used_event`; we read the used ring after its index, and look at `avail_event`.
 */
#include "virtio.h"
#include "../core/domain.h"
#include "../core/heap.h"
#include "../core/platform.h"
#include <pv/abi/errno.h>

/* The common configuration, by offset. */
enum {
    DEVICE_FEATURE_SELECT = 0,
    DEVICE_FEATURE = 4,
    DRIVER_FEATURE_SELECT = 8,
    DRIVER_FEATURE = 12,
    CONFIG_MESSAGE = 16,
    QUEUES = 18,
    STATUS = 20,
    GENERATION = 21,
    QUEUE_SELECT = 22,
    QUEUE_SIZE = 24,
    QUEUE_MESSAGE = 26,
    QUEUE_ENABLE = 28,
    QUEUE_NOTIFY = 30,
    QUEUE_DESC = 32,
    QUEUE_AVAIL = 40,
    QUEUE_USED = 48,
    COMMON_SIZE = 56
};
enum {
    ACKNOWLEDGE = 1,
    DRIVER = 2,
    DRIVER_OK = 4,
    FEATURES_OK = 8,
    NEEDS_RESET = 64,
    FAILED = 128
};

/* A vendor capability: which registers are where. */
enum { CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_MULTIPLIER = 16 };
enum { TYPE_COMMON = 1, TYPE_NOTIFY, TYPE_ISR, TYPE_DEVICE };

enum { USED_NO_NOTIFY = 1 };
enum { MAX_QUEUE = 1024 };

struct virtq_used {
    uint16_t flags, index;
    struct virtq_used_entry {
        uint32_t id, length;
    } ring[]; /* and, behind it, avail_event */
};
_Static_assert(sizeof(struct virtq_desc) == 16 && sizeof(struct virtq_used) == 4,
               "virtio 1.1, 2.6");

static uint16_t *used_event(const struct virtq *q)
{
    return &q->avail_ring->ring[q->size];
}

static uint16_t *avail_event(const struct virtq *q)
{
    return (uint16_t *)&q->used_ring->ring[q->size];
}

/* -- the device --------------------------------------------------------------------------- */

static void reset(struct virtio *d)
{
    io_write8(d->common + STATUS, 0);
    for (unsigned i = 0; i < 1000000 && io_read8(d->common + STATUS) != 0; i++)
        ; /* the device says 0 when it does not touch memory any more */
}

static void status_add(struct virtio *d, uint8_t bits)
{
    io_write8(d->common + STATUS, io_read8(d->common + STATUS) | bits);
}

static bool map_registers(struct virtio *d)
{
    const struct pci_device *p = &d->pci;
    unsigned cap = 0;

    for (unsigned n = 0; n < 16 && (cap = pci_capability(p, PCI_CAP_VENDOR, cap)) != 0; n++) {
        unsigned bar = pci_read8(p, cap + CAP_BAR);
        uint32_t offset = pci_read32(p, cap + CAP_OFFSET), length = pci_read32(p, cap + CAP_LENGTH);

        switch (pci_read8(p, cap + CAP_TYPE)) {
        case TYPE_COMMON:
            if (!d->common && length >= COMMON_SIZE)
                d->common = pci_map(p, bar, offset, COMMON_SIZE);
            break;
        case TYPE_NOTIFY:
            if (!d->notify && length >= 2) {
                d->notify_multiplier = pci_read32(p, cap + CAP_MULTIPLIER);
                d->notify_size = length;
                d->notify = pci_map(p, bar, offset, length);
            }
            break;
        case TYPE_DEVICE:
            if (!d->config && length > 0) {
                d->config_size = length < 4096 ? length : 4096;
                d->config = pci_map(p, bar, offset, d->config_size);
            }
            break;
        }
    }
    return d->common && d->notify;
}

static uint64_t offered(struct virtio *d)
{
    uint64_t bits;

    io_write32(d->common + DEVICE_FEATURE_SELECT, 1);
    bits = (uint64_t)io_read32(d->common + DEVICE_FEATURE) << 32;
    io_write32(d->common + DEVICE_FEATURE_SELECT, 0);
    return bits | io_read32(d->common + DEVICE_FEATURE);
}

static bool agree(struct virtio *d, uint64_t want)
{
    d->features =
        offered(d) & (want | VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX);
    for (unsigned half = 0; half < 2; half++) {
        io_write32(d->common + DRIVER_FEATURE_SELECT, half);
        io_write32(d->common + DRIVER_FEATURE, (uint32_t)(d->features >> 32 * half));
    }
    status_add(d, FEATURES_OK);
    return d->features & VIRTIO_F_VERSION_1 && io_read8(d->common + STATUS) & FEATURES_OK;
}

static void config_interrupt(struct device_irq *irq)
{
    struct virtio *d = (struct virtio *)((uint8_t *)irq - offsetof(struct virtio, irq));

    if (d->broken)
        return;
    if (io_read8(d->common + STATUS) & NEEDS_RESET)
        virtio_fail(d, "it asks to be reset");
    else if (d->changed)
        d->changed(d);
}

static bool refuse_device(struct virtio *d, const char *why)
{
    hv_log("%s (pci %s) is not used: %s\n", d->name, pci_name(&d->pci), why);
    d->broken = true;
    if (d->common)
        status_add(d, FAILED);
    return false;
}

bool virtio_open(struct virtio *d, const struct pci_device *p, const char *name, uint64_t want)
{
    int message;

    *d = (struct virtio){.pci = *p, .name = name, .irq = {.handler = config_interrupt}};
    if (!map_registers(d))
        return refuse_device(d, "it has no registers of virtio 1");
    pci_enable(&d->pci);
    reset(d);
    status_add(d, ACKNOWLEDGE);
    status_add(d, DRIVER);
    if (!agree(d, want))
        return refuse_device(d, "it does not agree on features");
    message = pci_message(&d->pci, &d->irq);
    if (message < 0)
        return refuse_device(d, "it has no messages");
    io_write16(d->common + CONFIG_MESSAGE, (uint16_t)message);
    return true;
}

void virtio_ready(struct virtio *d)
{
    status_add(d, DRIVER_OK);
}

void virtio_config_read(struct virtio *d, unsigned at, void *to, unsigned n)
{
    uint8_t *byte = to, before;

    for (unsigned tries = 0; tries < 100; tries++) {
        before = io_read8(d->common + GENERATION);
        for (unsigned i = 0; i < n; i++)
            byte[i] = at + i < d->config_size && d->config ? io_read8(d->config + at + i) : 0;
        if (io_read8(d->common + GENERATION) == before)
            return;
    }
    virtio_fail(d, "its configuration never settles");
}

void virtio_fail(struct virtio *d, const char *why)
{
    if (d->broken)
        return;
    d->broken = true;
    reset(d);
    hv_log("%s (pci %s) is broken, and reset: %s\n", d->name, pci_name(&d->pci), why);
    for (struct virtq *q = d->queues; q != NULL; q = q->next)
        q->free = 0;
    for (struct virtq *q = d->queues; q != NULL; q = q->next)
        for (unsigned i = 0; i < q->size; i++)
            if (q->slot[i].used) {
                q->slot[i].used = 0;
                q->done(q, q->slot[i].cookie, -XEN_EIO);
            }
    for (struct virtq *q = d->queues; q != NULL; q = q->next)
        if (q->batch_done)
            q->batch_done(q);
}

/* -- queues ------------------------------------------------------------------------------------ */

static void *pages_alloc(size_t bytes)
{
    unsigned order = 0;

    while (((size_t)PV_PAGE_SIZE << order) < bytes)
        order++;
    return frame_hv_alloc(order);
}

static bool allocate(struct virtq *q)
{
    size_t n = q->size, desc = 16 * n, avail = (6 + 2 * n + 3) & ~(size_t)3, used = 6 + 8 * n;
    uint8_t *ring = pages_alloc(desc + avail + used);

    q->slot = pages_alloc(n * sizeof(*q->slot));
    if (ring == NULL || q->slot == NULL)
        return false;
    q->desc = (void *)ring;
    q->avail_ring = (void *)(ring + desc);
    q->used_ring = (void *)(ring + desc + avail);
    while (1u << q->table_shift < q->max_segments)
        q->table_shift++;
    if (q->indirect && q->max_segments > 1)
        q->table = pages_alloc((n << q->table_shift) * sizeof(*q->table));
    q->indirect = q->table != NULL;
    for (unsigned i = 0; i < n && q->indirect; i++)
        q->desc[i].address = plat_maddr(q->table + ((size_t)i << q->table_shift));
    for (unsigned i = 0; i < n; i++)
        q->slot[i].next = (uint16_t)(i + 1);
    q->free = q->size;
    return true;
}

static void set_address(struct virtio *d, unsigned reg, const void *p)
{
    uint64_t address = plat_maddr(p);

    io_write32(d->common + reg, (uint32_t)address);
    io_write32(d->common + reg + 4, (uint32_t)(address >> 32));
}

static void queue_interrupt(struct device_irq *irq)
{
    virtq_poll((struct virtq *)((uint8_t *)irq - offsetof(struct virtq, irq)));
}

bool virtq_init(struct virtq *q, struct virtio *d, unsigned index, unsigned size,
                unsigned max_segments, void (*done)(struct virtq *, void *, long))
{
    unsigned offered_size, doorbell;
    int message;

    *q = (struct virtq){.device = d,
                        .done = done,
                        .index = (uint16_t)index,
                        .max_segments = (uint16_t)max_segments,
                        .indirect = d->features & VIRTIO_F_INDIRECT_DESC,
                        .event_idx = d->features & VIRTIO_F_EVENT_IDX,
                        .irq = {.handler = queue_interrupt}};
    io_write16(d->common + QUEUE_SELECT, q->index);
    offered_size = io_read16(d->common + QUEUE_SIZE);
    doorbell = io_read16(d->common + QUEUE_NOTIFY) * d->notify_multiplier;
    if (index >= io_read16(d->common + QUEUES) || offered_size == 0)
        return refuse_device(d, "it lacks a queue");
    if (offered_size & (offered_size - 1) || doorbell > d->notify_size - 2)
        return refuse_device(d, "its queues make no sense");
    if (size == 0 || size > offered_size)
        size = offered_size;
    q->size = (uint16_t)(size < MAX_QUEUE ? size : MAX_QUEUE);
    if (max_segments > q->size)
        q->max_segments = q->size;
    if (!allocate(q))
        return refuse_device(d, "no memory");
    message = pci_message(&d->pci, &q->irq);
    if (message < 0)
        return refuse_device(d, "it has too few messages");
    q->doorbell = d->notify + doorbell;
    io_write16(d->common + QUEUE_SIZE, q->size);
    io_write16(d->common + QUEUE_MESSAGE, (uint16_t)message);
    set_address(d, QUEUE_DESC, q->desc);
    set_address(d, QUEUE_AVAIL, q->avail_ring);
    set_address(d, QUEUE_USED, q->used_ring);
    io_write16(d->common + QUEUE_ENABLE, 1);
    q->next = d->queues;
    d->queues = q;
    return true;
}

bool virtq_add(struct virtq *q, const struct virtq_segment *segment, unsigned out, unsigned in,
               void *cookie)
{
    struct virtq_request r;

    if (!virtq_begin(q, &r, out + in))
        return false;
    for (unsigned i = 0; i < out; i++)
        virtq_out(q, &r, segment[i].address, segment[i].length);
    for (unsigned i = out; i < out + in; i++)
        virtq_in(q, &r, segment[i].address, segment[i].length);
    virtq_end(q, &r, cookie);
    return true;
}

void virtq_kick(struct virtq *q)
{
    uint16_t from = q->kicked, to = q->avail;
    bool wanted;

    if (from == to || q->device->broken)
        return;
    q->kicked = to;
    __atomic_store_n(&q->avail_ring->index, to, __ATOMIC_RELEASE); /* the device sees the rest */
    plat_fence(); /* it looks at the index after it wrote its event */
    if (q->event_idx)
        wanted = (uint16_t)(to - __atomic_load_n(avail_event(q), __ATOMIC_RELAXED) - 1) <
                 (uint16_t)(to - from);
    else
        wanted = !(__atomic_load_n(&q->used_ring->flags, __ATOMIC_RELAXED) & USED_NO_NOTIFY);
    if (wanted) {
        q->kicks++;
        io_write16(q->doorbell, q->index);
    }
}

static void slots_free(struct virtq *q, uint16_t head)
{
    uint16_t last = head, n = 1;

    while (q->slot[last].next != last) {
        last = q->slot[last].next;
        n++;
    }
    q->slot[last].next = q->first_free;
    q->first_free = head;
    q->free += n;
}

/* One entry of the used ring. */
static void take(struct virtq *q)
{
    const struct virtq_used_entry *e = &q->used_ring->ring[q->seen & (q->size - 1)];
    uint32_t id = __atomic_load_n(&e->id, __ATOMIC_RELAXED);
    uint32_t length = __atomic_load_n(&e->length, __ATOMIC_RELAXED);
    struct virtq_slot *slot;

    if (id >= q->size || !q->slot[id].used) {
        virtio_fail(q->device, "it ended a request that was not in flight");
        return;
    }
    slot = &q->slot[id];
    if (length > slot->writable) {
        virtio_fail(q->device, "it wrote more than there was room for");
        return;
    }
    q->seen++;
    slot->used = 0;
    slots_free(q, (uint16_t)id);
    q->done(q, slot->cookie, (long)length);
}

/* Have the device interrupt at the next entry; true: there is none yet. */
static bool listen(struct virtq *q)
{
    if (q->event_idx) {
        __atomic_store_n(used_event(q), q->seen, __ATOMIC_RELAXED);
        plat_fence(); /* the device looks at it after its index */
    }
    return __atomic_load_n(&q->used_ring->index, __ATOMIC_RELAXED) == q->seen;
}

void virtq_poll(struct virtq *q)
{
    while (!q->device->broken) {
        uint16_t to = __atomic_load_n(&q->used_ring->index, __ATOMIC_ACQUIRE);

        if ((uint16_t)(to - q->seen) > (uint16_t)(q->kicked - q->seen)) {
            virtio_fail(q->device, "it ended more requests than it was given");
            break;
        }
        while (q->seen != to && !q->device->broken)
            take(q);
        if (!q->device->broken && listen(q))
            break;
    }
    if (q->batch_done)
        q->batch_done(q);
}
