/* SPDX-License-Identifier: MIT */
/*
 * virtio.h - modern (1.0) virtio devices on PCI, and their split queues.
 *
 * A driver probes with virtio_start, sets its queues up, and calls virtio_ready. Buffers given to a
 * queue are the device's until virtq_get returns their token. Calls on a queue are made with
 * interrupts off or from its handler, since the handler runs at any time.
 */
#ifndef KERN_VIRTIO_H
#define KERN_VIRTIO_H

#include "pci.h"

#define VIRTIO_VENDOR      0x1af4
#define VIRTIO_F_VERSION_1 (1UL << 32)
#define VIRTIO_NET_ID      1
#define VIRTIO_BLK_ID      2

struct virtio_dev {
    struct pci_dev *pci;
    volatile u8 *common, *device, *notify;
    u32 notify_step;
    u64 features; /* agreed on */
};

struct virtq {
    struct virtio_dev *dev;
    u16 index, size, free_count, free_head, last_used, pending;
    volatile u16 *doorbell;
    struct virtq_desc *desc;
    struct virtq_avail *avail;
    volatile struct virtq_used *used;
    void **tokens;
};

struct virtq_sg {
    phys_t addr;
    u32 len;
};

bool virtio_match(const struct pci_dev *d, unsigned id); /* VIRTIO_NET_ID ... */
/* Resets, finds the structures, agrees on the features that both have. 0 or -errno. */
int virtio_start(struct virtio_dev *v, struct pci_dev *d, u64 wanted);
/* Queue `index` with at most `max` entries; `fn` runs in interrupt context. 0 or -errno. */
int virtq_init(struct virtq *q, struct virtio_dev *v, u16 index, u16 max, irq_handler fn,
               void *arg);
void virtio_ready(struct virtio_dev *v);
void virtio_config(struct virtio_dev *v, unsigned off, void *out, unsigned size);

/* `out` buffers that the device reads, then `in` that it writes. -ENOSPC: queue full. */
int virtq_add(struct virtq *q, const struct virtq_sg *sg, unsigned out, unsigned in, void *token);
void virtq_kick(struct virtq *q);
void *virtq_get(struct virtq *q, u32 *len); /* next finished token, or NULL */

#endif
