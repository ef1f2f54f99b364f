/* SPDX-License-Identifier: MIT */
/*
 * virtio.c - finding a modern virtio device's structures, and its split queues.
 *
 * Descriptors are chained through a free list. The other side's indexes are read once per look and
 * only the low bits used; a token that the device makes up is refused.
 */
#include "virtio.h"
#include "arch.h"
#include "errno.h"
#include "page.h"
#include "printk.h"
#include "slab.h"
#include "string.h"

#define CAP_VENDOR 0x09
#define CFG_COMMON 1
#define CFG_NOTIFY 2
#define CFG_DEVICE 4

/* Offsets in the common configuration. */
#define C_DEVICE_FEATURE_SELECT 0x00
#define C_DEVICE_FEATURE        0x04
#define C_DRIVER_FEATURE_SELECT 0x08
#define C_DRIVER_FEATURE        0x0c
#define C_STATUS                0x14
#define C_QUEUE_SELECT          0x16
#define C_QUEUE_SIZE            0x18
#define C_QUEUE_MSIX            0x1a
#define C_QUEUE_ENABLE          0x1c
#define C_QUEUE_NOTIFY_OFF      0x1e
#define C_QUEUE_DESC            0x20
#define C_QUEUE_DRIVER          0x28
#define C_QUEUE_DEVICE          0x30

#define S_ACKNOWLEDGE 1u
#define S_DRIVER      2u
#define S_DRIVER_OK   4u
#define S_FEATURES_OK 8u

#define DESC_NEXT  1u
#define DESC_WRITE 2u

struct virtq_desc {
    u64 addr;
    u32 len;
    u16 flags, next;
};

struct virtq_avail {
    u16 flags, idx;
    u16 ring[];
};

struct virtq_used {
    u16 flags, idx;
    struct {
        u32 id, len;
    } ring[];
};

#define REG(v, type, off) (*(volatile type *)((v)->common + (off)))

bool virtio_match(const struct pci_dev *d, unsigned id)
{
    return d->vendor == VIRTIO_VENDOR && (d->device == 0x1040 + id ||
                                          (d->device >= 0x1000 && d->device < 0x1040 &&
                                           d->subsystem == id));
}

static void find_structures(struct virtio_dev *v)
{
    for (int c = 0; (c = pci_find_cap(v->pci, CAP_VENDOR, c));) {
        unsigned at = (unsigned)c, type = pci_read(v->pci, at + 3, 1);
        u8 *bar;

        if (type != CFG_COMMON && type != CFG_NOTIFY && type != CFG_DEVICE)
            continue;
        bar = pci_map_bar(v->pci, (int)pci_read(v->pci, at + 4, 1));
        if (!bar)
            continue;
        bar += pci_read(v->pci, at + 8, 4);
        if (type == CFG_COMMON)
            v->common = bar;
        if (type == CFG_DEVICE)
            v->device = bar;
        if (type == CFG_NOTIFY) {
            v->notify = bar;
            v->notify_step = pci_read(v->pci, at + 16, 4);
        }
    }
}

int virtio_start(struct virtio_dev *v, struct pci_dev *d, u64 wanted)
{
    u64 offered = 0;

    *v = (struct virtio_dev){.pci = d};
    pci_enable(d);
    find_structures(v);
    if (!v->common || !v->notify)
        return -ENODEV;
    REG(v, u8, C_STATUS) = 0;
    while (REG(v, u8, C_STATUS))
        cpu_relax();
    REG(v, u8, C_STATUS) = S_ACKNOWLEDGE | S_DRIVER;
    for (u32 k = 0; k < 2; k++) {
        REG(v, u32, C_DEVICE_FEATURE_SELECT) = k;
        offered |= (u64)REG(v, u32, C_DEVICE_FEATURE) << 32 * k;
    }
    v->features = offered & (wanted | VIRTIO_F_VERSION_1);
    for (u32 k = 0; k < 2; k++) {
        REG(v, u32, C_DRIVER_FEATURE_SELECT) = k;
        REG(v, u32, C_DRIVER_FEATURE) = (u32)(v->features >> 32 * k);
    }
    REG(v, u8, C_STATUS) = S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK;
    if (!(v->features & VIRTIO_F_VERSION_1) || !(REG(v, u8, C_STATUS) & S_FEATURES_OK))
        return -ENODEV;
    return 0;
}

void virtio_ready(struct virtio_dev *v)
{
    REG(v, u8, C_STATUS) = S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK;
}

void virtio_config(struct virtio_dev *v, unsigned off, void *out, unsigned size)
{
    u8 *to = out;

    while (size--)
        *to++ = v->device[off++];
}

static void write64(struct virtio_dev *v, unsigned off, phys_t pa)
{
    REG(v, u32, off) = (u32)pa;
    REG(v, u32, off + 4) = (u32)(pa >> 32);
}

int virtq_init(struct virtq *q, struct virtio_dev *v, u16 index, u16 max, irq_handler fn, void *arg)
{
    size_t desc, avail, used;
    unsigned order = 0;
    struct page *p;
    u16 size;
    char *mem;
    int err;

    REG(v, u16, C_QUEUE_SELECT) = index;
    size = MIN(REG(v, u16, C_QUEUE_SIZE), max);
    if (!size)
        return -ENODEV;
    desc = sizeof(struct virtq_desc) * size;
    avail = ALIGN_UP(sizeof(struct virtq_avail) + 2ul * size + 2, 64);
    used = sizeof(struct virtq_used) + 8ul * size + 2;
    while (PAGE_SIZE << order < desc + avail + used)
        order++;
    p = alloc_pages(order, GFP_KERNEL | GFP_ZERO);
    *q = (struct virtq){.dev = v, .index = index, .size = size, .free_count = size};
    q->tokens = kzalloc(sizeof(void *) * size, GFP_KERNEL);
    if (!p || !q->tokens)
        return -ENOMEM;
    mem = page_addr(p);
    q->desc = (struct virtq_desc *)mem;
    q->avail = (struct virtq_avail *)(mem + desc);
    q->used = (struct virtq_used *)(mem + desc + avail);
    for (u16 k = 0; k < size; k++)
        q->desc[k].next = k + 1;
    err = pci_irq(v->pci, index, fn, arg);
    if (err)
        return err;
    REG(v, u16, C_QUEUE_SELECT) = index;
    REG(v, u16, C_QUEUE_SIZE) = size;
    REG(v, u16, C_QUEUE_MSIX) = index;
    write64(v, C_QUEUE_DESC, page_phys(p));
    write64(v, C_QUEUE_DRIVER, page_phys(p) + desc);
    write64(v, C_QUEUE_DEVICE, page_phys(p) + desc + avail);
    q->doorbell = (volatile u16 *)(v->notify + REG(v, u16, C_QUEUE_NOTIFY_OFF) * v->notify_step);
    REG(v, u16, C_QUEUE_ENABLE) = 1;
    return 0;
}

int virtq_add(struct virtq *q, const struct virtq_sg *sg, unsigned out, unsigned in, void *token)
{
    u16 head = q->free_head, at = head;

    if (q->free_count < out + in)
        return -ENOSPC;
    for (unsigned k = 0; k < out + in; k++) {
        struct virtq_desc *d = &q->desc[at];

        d->addr = sg[k].addr;
        d->len = sg[k].len;
        d->flags = (k >= out ? DESC_WRITE : 0) | (k + 1 < out + in ? DESC_NEXT : 0);
        at = d->next;
    }
    q->free_head = at;
    q->free_count -= (u16)(out + in);
    q->tokens[head] = token;
    q->avail->ring[(u16)(q->avail->idx + q->pending++) % q->size] = head;
    return 0;
}

void virtq_kick(struct virtq *q)
{
    if (!q->pending)
        return;
    barrier(); /* descriptors before the index (x86 keeps the order of stores) */
    WRITE_ONCE(q->avail->idx, q->avail->idx + q->pending);
    q->pending = 0;
    /* Whether the device wants to be told is not asked (used->flags): that needs a fence between
     * the store above and the question, and QEMU before 8.1 leaves fences out of what a machine of
     * one CPU executes, while its devices run on another. A kick that is lost is a hang. */
    *q->doorbell = q->index;
}

void *virtq_get(struct virtq *q, u32 *len)
{
    u32 id;
    u16 at;
    void *token;

    if (q->last_used == q->used->idx)
        return NULL;
    barrier();
    id = q->used->ring[q->last_used % q->size].id;
    *len = q->used->ring[q->last_used % q->size].len;
    q->last_used++;
    if (id >= q->size || !q->tokens[id]) {
        printk("virtio: the device returned a buffer that it does not have: %u\n", id);
        return NULL;
    }
    token = q->tokens[id];
    q->tokens[id] = NULL;
    for (at = (u16)id, q->free_count++; q->desc[at].flags & DESC_NEXT; at = q->desc[at].next)
        q->free_count++;
    q->desc[at].next = q->free_head;
    q->free_head = (u16)id;
    return token;
}
