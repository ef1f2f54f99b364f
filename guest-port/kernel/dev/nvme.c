/* SPDX-License-Identifier: MIT */
/*
 * nvme.c - NVM Express disks: /dev/nvme0n1 ...
 *
 * One admin queue, driven by polling at start, and one I/O queue pair with an interrupt. A bio is one
 * command; its pages are listed in a page of PRP entries that each command slot owns. Bios without
 * a free slot wait in a list. The first namespace is the disk.
 */
#include "arch.h"
#include "block.h"
#include "devnum.h"
#include "errno.h"
#include "initcall.h"
#include "pci.h"
#include "printk.h"
#include "slab.h"
#include "string.h"
#include "timer.h"

#define CLASS_NVME 0x010802u

#define REG_CAP   0x00
#define REG_CC    0x14
#define REG_CSTS  0x1c
#define REG_AQA   0x24
#define REG_ASQ   0x28
#define REG_ACQ   0x30
#define REG_DOORS 0x1000

#define CC_ENABLE 1u
#define CC_SIZES  (6u << 16 | 4u << 20) /* 64-byte commands, 16-byte completions */

#define ADMIN_CREATE_SQ 0x01
#define ADMIN_CREATE_CQ 0x05
#define ADMIN_IDENTIFY  0x06
#define IO_FLUSH        0x00
#define IO_WRITE        0x01
#define IO_READ         0x02
#define WRITE_FUA       (1u << 30) /* in cdw12 */

#define DEPTH 32u

struct command {
    u8 opcode, flags;
    u16 id;
    u32 nsid;
    u64 reserved, metadata, prp1, prp2;
    u32 cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
_Static_assert(sizeof(struct command) == 64, "submission entry");

struct completion {
    u32 result, reserved;
    u16 sq_head, sq_id, id, status;
};
_Static_assert(sizeof(struct completion) == 16, "completion entry");

struct queue {
    struct command *sq;
    volatile struct completion *cq;
    volatile u32 *sq_door, *cq_door;
    u16 tail, head, phase;
};

struct disk {
    struct block_device bd;
    struct pci_dev *pci;
    volatile u8 *regs;
    struct queue admin, io;
    u32 block_shift;        /* of a logical block, relative to a sector */
    u32 max_pages;          /* in one command */
    struct bio *slots[DEPTH];
    u64 *prps[DEPTH];       /* one page of addresses each */
    struct list waiting;
};

#define R32(k, off) (*(volatile u32 *)((k)->regs + (off)))
#define R64(k, off) (*(volatile u64 *)((k)->regs + (off)))

/* --- queues --------------------------------------------------------------------------------------------- */

static int queue_init(struct disk *k, struct queue *q, unsigned nr)
{
    struct page *sq = alloc_page(GFP_KERNEL | GFP_ZERO), *cq = alloc_page(GFP_KERNEL | GFP_ZERO);
    u32 stride = 4u << ((R64(k, REG_CAP) >> 32) & 15);

    if (!sq || !cq)
        return -ENOMEM;
    *q = (struct queue){.sq = page_addr(sq), .cq = page_addr(cq), .phase = 1};
    q->sq_door = (volatile u32 *)(k->regs + REG_DOORS + 2 * nr * stride);
    q->cq_door = (volatile u32 *)(k->regs + REG_DOORS + (2 * nr + 1) * stride);
    return 0;
}

static void push(struct queue *q, const struct command *c)
{
    q->sq[q->tail] = *c;
    q->tail = (q->tail + 1) % DEPTH;
    barrier();
    *q->sq_door = q->tail;
}

/* The next completion, or false. */
static bool pop(struct queue *q, struct completion *c)
{
    volatile struct completion *e = &q->cq[q->head];

    if ((e->status & 1) != q->phase)
        return false;
    barrier();
    c->result = e->result;
    c->id = e->id;
    c->status = e->status;
    q->head = (q->head + 1) % DEPTH;
    if (q->head == 0)
        q->phase ^= 1;
    *q->cq_door = q->head;
    return true;
}

static int admin(struct disk *k, struct command *c)
{
    u64 limit = clock_mono_ns() + 5 * NSEC_PER_SEC;
    struct completion done;

    push(&k->admin, c);
    while (!pop(&k->admin, &done)) {
        if (clock_mono_ns() > limit)
            return -EIO;
        cpu_relax();
    }
    return done.status >> 1 ? -EIO : 0;
}

/* --- requests ------------------------------------------------------------------------------------------- */

/* The pages of a bio as PRP entries; -EINVAL when they do not join at page borders. */
static int list_pages(const struct bio *b, u64 *prps, u32 max)
{
    u32 n = 0;

    for (u32 v = 0; v < b->cnt; v++) {
        u64 at = page_phys(b->vecs[v].page) + b->vecs[v].offset, end = at + b->vecs[v].len;

        if (v && (at & (PAGE_SIZE - 1)))
            return -EINVAL;
        if (v + 1 < b->cnt && (end & (PAGE_SIZE - 1)))
            return -EINVAL;
        while (at < end) {
            if (n == max)
                return -EINVAL;
            prps[n++] = at;
            at = ALIGN_DOWN(at, PAGE_SIZE) + PAGE_SIZE;
        }
    }
    return (int)n;
}

static u32 bytes_of(const struct bio *b)
{
    u32 n = 0;

    for (u32 v = 0; v < b->cnt; v++)
        n += b->vecs[v].len;
    return n;
}

/* -EAGAIN: no slot free. Another error: this bio cannot be sent. */
static int send(struct disk *k, struct bio *b)
{
    struct command c = {.nsid = 1};
    u32 slot, blocks;
    int n;

    /* One entry of a queue always stays free, or full would look like empty. */
    for (slot = 0; slot < DEPTH - 1 && k->slots[slot]; slot++)
        ;
    if (slot == DEPTH - 1)
        return -EAGAIN;
    c.id = (u16)slot;
    if (b->op == BIO_FLUSH) {
        c.opcode = IO_FLUSH;
    } else {
        n = list_pages(b, k->prps[slot], k->max_pages);
        blocks = bytes_of(b) >> (SECTOR_SHIFT + k->block_shift);
        if (n <= 0 || !blocks || (b->sector & ((1u << k->block_shift) - 1)))
            return -EINVAL;
        c.opcode = b->op == BIO_READ ? IO_READ : IO_WRITE;
        c.prp1 = k->prps[slot][0];
        if (n == 2)
            c.prp2 = k->prps[slot][1];
        else if (n > 2)
            c.prp2 = virt_phys(k->prps[slot] + 1);
        c.cdw10 = (u32)(b->sector >> k->block_shift);
        c.cdw11 = (u32)(b->sector >> k->block_shift >> 32);
        c.cdw12 = (blocks - 1) | (b->op == BIO_WRITE && b->fua ? WRITE_FUA : 0);
    }
    k->slots[slot] = b;
    push(&k->io, &c);
    return 0;
}

static void send_waiting(struct disk *k)
{
    while (!list_empty(&k->waiting)) {
        struct bio *b = list_first(&k->waiting, struct bio, link);
        int err;

        list_del(&b->link);
        err = send(k, b);
        if (err == -EAGAIN) {
            list_add(&k->waiting, &b->link);
            return;
        }
        if (err)
            bio_done(b, err);
    }
}

static void submit(struct block_device *bd, struct bio *b)
{
    struct disk *k = bd->driver;
    u64 f = irq_save();

    list_add_tail(&k->waiting, &b->link);
    send_waiting(k);
    irq_restore(f);
}

static void interrupt(void *arg)
{
    struct disk *k = arg;
    struct completion c;

    while (pop(&k->io, &c)) {
        struct bio *b = c.id < DEPTH ? k->slots[c.id] : NULL;

        if (!b) {
            printk("%s: completion of a command that was not sent: %u\n", k->bd.name, c.id);
            continue;
        }
        k->slots[c.id] = NULL;
        if (c.status >> 1)
            printk("%s: error %x at sector %llu\n", k->bd.name, c.status >> 1,
                   (unsigned long long)b->sector);
        bio_done(b, c.status >> 1 ? -EIO : 0);
    }
    send_waiting(k);
}

static const struct block_ops ops = {.submit = submit};

/* --- start ------------------------------------------------------------------------------------------------ */

static int wait_ready(struct disk *k, u32 want)
{
    u64 limit = clock_mono_ns() + ((R64(k, REG_CAP) >> 24 & 0xff) + 1) * 500 * NSEC_PER_MSEC;

    while ((R32(k, REG_CSTS) & 1) != want) {
        if (clock_mono_ns() > limit)
            return -EIO;
        cpu_relax();
    }
    return 0;
}

static int enable(struct disk *k)
{
    int err;

    R32(k, REG_CC) = 0;
    err = wait_ready(k, 0);
    if (!err)
        err = queue_init(k, &k->admin, 0);
    if (err)
        return err;
    R32(k, REG_AQA) = (DEPTH - 1) << 16 | (DEPTH - 1);
    R64(k, REG_ASQ) = virt_phys(k->admin.sq);
    R64(k, REG_ACQ) = virt_phys((void *)k->admin.cq);
    R32(k, REG_CC) = CC_SIZES | CC_ENABLE;
    return wait_ready(k, 1);
}

/* What the controller and namespace 1 are. */
static int identify(struct disk *k)
{
    struct page *p = alloc_page(GFP_KERNEL | GFP_ZERO);
    struct command c = {.opcode = ADMIN_IDENTIFY, .cdw10 = 1};
    const u8 *d;
    u32 format;
    int err;

    if (!p)
        return -ENOMEM;
    d = page_addr(p);
    c.prp1 = page_phys(p);
    err = admin(k, &c);
    if (!err) {
        k->max_pages = d[77] ? MIN(1u << MIN(d[77], (u8)9), 511u) : 511;
        k->bd.write_cache = d[525] & 1;
        c.cdw10 = 0;
        c.nsid = 1;
        err = admin(k, &c);
    }
    if (!err) {
        memcpy(&format, d + 128 + 4 * (d[26] & 15), 4);
        k->block_shift = (format >> 16 & 0xff) - SECTOR_SHIFT;
        memcpy(&k->bd.sectors, d, 8);
        k->bd.sectors <<= k->block_shift;
        if (k->block_shift > 3)
            err = -EINVAL;
    }
    page_put(p);
    return err;
}

static int make_io_queues(struct disk *k)
{
    struct command c = {.opcode = ADMIN_CREATE_CQ,
                        .cdw10 = (DEPTH - 1) << 16 | 1,
                        .cdw11 = 0u << 16 | 3}; /* vector 0, interrupts on, contiguous */
    int err = queue_init(k, &k->io, 1);

    if (!err)
        err = pci_irq(k->pci, 0, interrupt, k);
    if (err)
        return err;
    c.prp1 = virt_phys((void *)k->io.cq);
    err = admin(k, &c);
    if (err)
        return err;
    c.opcode = ADMIN_CREATE_SQ;
    c.cdw11 = 1u << 16 | 1; /* its completion queue; contiguous */
    c.prp1 = virt_phys(k->io.sq);
    err = admin(k, &c);
    for (unsigned s = 0; s < DEPTH - 1 && !err; s++) {
        struct page *p = alloc_page(GFP_KERNEL);

        if (!p)
            return -ENOMEM;
        k->prps[s] = page_addr(p);
    }
    return err;
}

static bool match(const struct pci_dev *d)
{
    return d->class == CLASS_NVME;
}

static int probe(struct pci_dev *d)
{
    static unsigned count;
    struct disk *k = kzalloc(sizeof(*k), GFP_KERNEL);
    int err;

    if (!k)
        return -ENOMEM;
    list_init(&k->waiting);
    k->pci = d;
    pci_enable(d);
    k->regs = pci_map_bar(d, 0);
    err = k->regs ? enable(k) : -ENODEV;
    if (!err)
        err = identify(k);
    if (!err)
        err = make_io_queues(k);
    if (err) {
        if (k->regs)
            R32(k, REG_CC) = 0; /* it must not write to memory that others get */
        kfree(k);
        return err;
    }
    snprintf(k->bd.name, sizeof(k->bd.name), "nvme%un1", count);
    k->bd.dev = MKDEV(MAJOR_NVME, count * 16);
    k->bd.ops = &ops;
    k->bd.driver = k;
    count++;
    return block_register(&k->bd);
}

static struct pci_driver driver = {.name = "nvme", .match = match, .probe = probe};

static int nvme_init(void)
{
    return pci_driver_register(&driver);
}
device_initcall(nvme_init);
