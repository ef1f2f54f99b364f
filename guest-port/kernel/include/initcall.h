/* SPDX-License-Identifier: MIT */
/*
 * initcall.h - who is initialised when.
 *
 * start_kernel() brings up traps, memory, interrupts, time and the scheduler by direct calls,
 * starts the first kernel thread and there runs the initcalls level by level; within a level
 * order is link order and must not matter. All may sleep and allocate. A failure is printed,
 * not fatal.
 */
#ifndef KERN_INITCALL_H
#define KERN_INITCALL_H

#include "types.h"

typedef int (*initcall_t)(void);

/*
 *  1 core    caches and tables (dcache, inode cache, block cache, page cache)
 *  2 bus     PCI enumeration
 *  3 fs      file system types, character device classes (mem, tty, pty), sockets
 *  4 device  drivers: virtio-blk, AHCI, virtio-net, serial, keyboard, VGA
 *  5 late    partition scan, network stack start, kernel daemons (writeback, reclaim)
 */
#define INITCALL(level, fn)               \
    static const initcall_t initcall_##fn \
        __attribute__((used, section(".initcall" #level), aligned(8))) = fn

#define core_initcall(fn)   INITCALL(1, fn)
#define bus_initcall(fn)    INITCALL(2, fn)
#define fs_initcall(fn)     INITCALL(3, fn)
#define device_initcall(fn) INITCALL(4, fn)
#define late_initcall(fn)   INITCALL(5, fn)

void do_initcalls(void);

/* Kernel command line: value of `key=` copied to buf; false when absent. `key` alone gives "". */
bool cmdline_get(const char *key, char *buf, size_t size);
extern char boot_cmdline[1024];

#endif
