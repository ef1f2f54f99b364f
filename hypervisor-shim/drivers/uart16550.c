/* SPDX-License-Identifier: MIT
 *
 * uart16550.c - the first serial port (0x3f8, IRQ 4): 115200 8n1, output by polling, input by
 * interrupt. A machine without one reads all ones and loses nothing but its output.
 */
#include "../x86/x86.h"
#include "../core/platform.h"

enum { COM1 = 0x3f8, DATA = COM1, IER, FCR, LCR, MCR, LSR, SCRATCH = COM1 + 7 };
enum { LSR_INPUT = 1, LSR_EMPTY = 0x20 };

static bool present;
static unsigned room; /* bytes that the transmit FIFO takes before it has to be asked */

void uart_init(void)
{
    outb(SCRATCH, 0x5a);
    present = inb(SCRATCH) == 0x5a;
    outb(IER, 0);
    outb(LCR, 0x80); /* divisor 1 */
    outb(DATA, 1);
    outb(IER, 0);
    outb(LCR, 3);
    outb(FCR, 7); /* FIFOs on and empty */
    outb(MCR, 0xb);
}

static void put(char c)
{
    if (room == 0) {
        while (!(inb(LSR) & LSR_EMPTY))
            cpu_relax();
        room = 16;
    }
    room--;
    outb(DATA, (uint8_t)c);
}

void plat_console_write(const char *s, size_t n)
{
    if (!present)
        return;
    for (; n > 0; n--, s++) {
        if (*s == '\n')
            put('\r');
        put(*s);
    }
}

void uart_interrupt_enable(void)
{
    outb(IER, present ? 1 : 0);
}

size_t plat_console_read(char *s, size_t n)
{
    size_t done = 0;

    while (done < n && present && inb(LSR) & LSR_INPUT)
        s[done++] = (char)inb(DATA);
    return done;
}
