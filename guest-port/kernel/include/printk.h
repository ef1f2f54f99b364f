/* SPDX-License-Identifier: MIT */
/*
 * printk.h - kernel messages and the three kinds of wrong.
 *
 * A user's mistake is answered with -errno or a signal; a broken device or file system is
 * reported with printk and answered with -EIO; only the kernel's own broken invariant panics.
 */
#ifndef KERN_PRINTK_H
#define KERN_PRINTK_H

#include "types.h"

/* Any context. Messages go to every registered console and to a ring that `dmesg` reads. */
void printk(const char *fmt, ...) __printf(1, 2);
void vprintk(const char *fmt, va_list ap);
__noreturn void panic(const char *fmt, ...) __printf(1, 2);

#define BUG() panic("BUG at %s:%d", __FILE__, __LINE__)
#define BUG_ON(cond)                                              \
    do {                                                          \
        if (unlikely(cond))                                       \
            panic("BUG at %s:%d: %s", __FILE__, __LINE__, #cond); \
    } while (0)

/* A place where printk's text goes. `write` is called with interrupts off, must not sleep. */
struct console {
    const char *name;
    void (*write)(const char *s, size_t n);
    struct console *next;
};
void console_register(struct console *con);
/* The message ring, for syslog(2) and /proc/kmsg: copies the last `n` bytes, returns how many. */
size_t printk_tail(char *buf, size_t n);

#endif
