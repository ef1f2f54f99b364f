/* SPDX-License-Identifier: MIT */
/*
 * serial.c - 16550 serial ports as terminals: /dev/ttyS0 and /dev/ttyS1.
 *
 * Received bytes come by interrupt. Sending waits for room in the transmitter, 16 bytes at a time: lines
 * are fast and short. The kernel's own messages go out by arch/early_serial.c.
 */
#include "arch.h"
#include "devnum.h"
#include "errno.h"
#include "initcall.h"
#include "irq.h"
#include "tty.h"

#define REG_DATA 0
#define REG_IER  1
#define REG_IIR  2
#define REG_FCR  2
#define REG_LCR  3
#define REG_MCR  4
#define REG_LSR  5
#define REG_MSR  6
#define LSR_DATA 0x01
#define LSR_ROOM 0x20
#define FIFO     16

struct serial {
    u16 port;
    u8 irq;
    const char *name;
    struct tty *tty;
};

static struct serial ports[] = {
    {.port = 0x3f8, .irq = 4, .name = "ttyS0"},
    {.port = 0x2f8, .irq = 3, .name = "ttyS1"},
};

static void serial_interrupt(void *arg)
{
    struct serial *s = arg;
    u8 buf[FIFO];

    (void)inb(s->port + REG_IIR);
    for (;;) {
        size_t n = 0;

        while (n < sizeof(buf) && inb(s->port + REG_LSR) & LSR_DATA)
            buf[n++] = inb(s->port + REG_DATA);
        if (!n)
            break;
        tty_input(s->tty, buf, n);
    }
    (void)inb(s->port + REG_MSR);
}

static size_t serial_write(struct tty *t, const u8 *p, size_t n)
{
    struct serial *s = t->driver;

    for (size_t i = 0; i < n;) {
        while (!(inb(s->port + REG_LSR) & LSR_ROOM))
            cpu_relax();
        for (int k = 0; k < FIFO && i < n; k++)
            outb(s->port + REG_DATA, p[i++]);
    }
    return n;
}

static const struct tty_ops serial_tty_ops = {.write = serial_write};

static bool serial_present(u16 port)
{
    outb(port + 7, 0x5a);
    return inb(port + 7) == 0x5a && inb(port + REG_LSR) != 0xff;
}

static void serial_start(struct serial *s)
{
    outb(s->port + REG_LCR, 0x03); /* 8 bits, no parity */
    outb(s->port + REG_FCR, 0x07); /* FIFOs on and empty, interrupt at the first byte */
    outb(s->port + REG_MCR, 0x0b); /* DTR, RTS, interrupts out */
    outb(s->port + REG_IER, 0x01);
}

static int serial_init(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
        struct serial *s = &ports[i];
        int r;

        if (!serial_present(s->port))
            continue;
        s->tty = tty_register(s->name, MKDEV(MAJOR_TTY, 64 + i), &serial_tty_ops, s);
        if (!s->tty)
            return -ENOMEM;
        r = irq_register(s->irq, serial_interrupt, s);
        if (r)
            return r;
        serial_start(s);
    }
    return 0;
}
device_initcall(serial_init);
