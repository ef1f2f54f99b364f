/* SPDX-License-Identifier: MIT */
/*
 * printk.c - the kernel's messages: to every console at once, and into a ring for dmesg.
 *
 * Usable in any context and before anything is initialised. `loglevel` on the command line: quiet
 * keeps messages off the consoles (panics excepted).
 */
#include "printk.h"
#include "arch.h"
#include "initcall.h"
#include "string.h"
#include "timer.h"

#define RING 16384

static struct console *consoles;
static char ring[RING];
static u64 ring_end;
bool printk_quiet;

static void emit(const char *s, size_t n)
{
    u64 f = irq_save();

    for (size_t i = 0; i < n; i++)
        ring[ring_end++ % RING] = s[i];
    if (!printk_quiet)
        for (struct console *c = consoles; c; c = c->next)
            c->write(s, n);
    irq_restore(f);
}

void vprintk(const char *fmt, va_list ap)
{
    char line[512];
    int n = vsnprintf(line, sizeof(line), fmt, ap);

    emit(line, MIN((size_t)n, sizeof(line) - 1));
}

void printk(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vprintk(fmt, ap);
    va_end(ap);
}

void panic(const char *fmt, ...)
{
    va_list ap;
    char how[8];

    irq_disable();
    printk_quiet = false;
    printk("panic: ");
    va_start(ap, fmt);
    vprintk(fmt, ap);
    va_end(ap);
    printk("\n");
    stack_trace((u64)__builtin_frame_address(0));
    if (cmdline_get("panic", how, sizeof(how))) /* panic=-1: as Linux, at once */
        machine_reboot();
    machine_halt();
}

void console_register(struct console *con)
{
    con->next = consoles;
    consoles = con;
}

size_t printk_tail(char *buf, size_t n)
{
    u64 start;

    n = MIN(n, (size_t)MIN(ring_end, (u64)RING));
    start = ring_end - n;
    for (size_t i = 0; i < n; i++)
        buf[i] = ring[(start + i) % RING];
    return n;
}

extern const initcall_t initcalls_start[], initcalls_end[];

void do_initcalls(void)
{
    for (const initcall_t *c = initcalls_start; c < initcalls_end; c++) {
        int r = (*c)();

        if (r)
            printk("initcall %p: error %d\n", (void *)(u64)*c, -r);
    }
}
