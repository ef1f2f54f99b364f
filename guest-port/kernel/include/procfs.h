/* SPDX-License-Identifier: MIT */
/*
 * procfs.h - files of /proc: text that is made when it is opened.
 */
#ifndef KERN_PROCFS_H
#define KERN_PROCFS_H

#include "types.h"

struct proc;

/* Grows as needed; after a failed allocation further output is dropped. */
struct seq {
    char *buf;
    size_t size, used;
    bool failed;
};
void seq_printf(struct seq *s, const char *fmt, ...) __printf(2, 3);
void seq_write(struct seq *s, const void *data, size_t n);

/* Adds /proc/NAME ("net/dev": directories are made). `write` may be NULL. 0 or -ENOMEM. */
int procfs_add(const char *name, void (*show)(struct seq *s), int (*write)(char *text, size_t n));

#endif
