/* SPDX-License-Identifier: MIT */
/*
 * ramdisk.c - disks that lie in memory: the boot loader's modules become ram0, ram1 ...
 *
 * The contents stay where the loader put them. Requests are answered before submit returns.
 */
#include "arch.h"
#include "block.h"
#include "devnum.h"
#include "errno.h"
#include "initcall.h"
#include "slab.h"
#include "string.h"

static void submit(struct block_device *bd, struct bio *b)
{
    u8 *at = (u8 *)bd->driver + (b->sector << SECTOR_SHIFT);

    if (b->op == BIO_FLUSH) {
        bio_done(b, 0);
        return;
    }
    for (u32 i = 0; i < b->cnt; i++) {
        u8 *mem = (u8 *)page_addr(b->vecs[i].page) + b->vecs[i].offset;

        if (b->op == BIO_READ)
            memcpy(mem, at, b->vecs[i].len);
        else
            memcpy(at, mem, b->vecs[i].len);
        at += b->vecs[i].len;
    }
    bio_done(b, 0);
}

static const struct block_ops ops = {.submit = submit};

static int ramdisk_init(void)
{
    for (int i = 0; i < boot_module_count; i++) {
        struct block_device *bd = kzalloc(sizeof(*bd), GFP_KERNEL);

        if (!bd)
            return -ENOMEM;
        snprintf(bd->name, sizeof(bd->name), "ram%d", i);
        bd->dev = MKDEV(MAJOR_RAMDISK, i);
        bd->sectors = (boot_modules[i].end - boot_modules[i].start) >> SECTOR_SHIFT;
        bd->ops = &ops;
        bd->driver = phys_virt(boot_modules[i].start);
        block_register(bd);
    }
    return 0;
}
device_initcall(ramdisk_init);
