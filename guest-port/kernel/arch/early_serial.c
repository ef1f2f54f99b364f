/* SPDX-License-Identifier: MIT */
/*
 * early_serial.c - the kernel's messages on the first 16550, polled, from the first instruction on.
 *
 * The tty driver (dev/) takes over input and user output; printk stays here.
 */
#include "cpu.h"
#include "printk.h"

#define COM1 0x3f8

static void serial_write(const char *s, size_t n)
{
    for (; n; n--, s++) {
        if (*s == '\n') {
            while (!(inb(COM1 + 5) & 0x20))
                ;
            outb(COM1, '\r');
        }
        while (!(inb(COM1 + 5) & 0x20))
            ;
        outb(COM1, (u8)*s);
    }
}

static struct console serial_console = {.name = "ttyS0", .write = serial_write};

void serial_early_init(void)
{
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 0x80);
    outb(COM1, 1); /* 115200 baud */
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 3);
    outb(COM1 + 2, 0xc7);
    outb(COM1 + 4, 0x0b);
    if (inb(COM1 + 5) != 0xff)
        console_register(&serial_console);
}
