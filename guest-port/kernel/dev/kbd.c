/* SPDX-License-Identifier: MIT */
/*
 * kbd.c - PS/2 keyboard behind the 8042 controller: scan codes (set 1) to characters, US layout.
 *
 * Keys that have no character send the escape sequences of a Linux console. Ctrl-Alt-Del restarts
 * the machine by asking init (SIGINT).
 */
#include "arch.h"
#include "irq.h"
#include "kbd.h"
#include "printk.h"
#include "proc.h"
#include "string.h"
#include "timer.h"
#include "tty.h"

#define DATA       0x60
#define STATUS     0x64
#define HAS_OUTPUT 0x01
#define BUSY       0x02
#define RELEASE    0x80

static struct tty *kbd_tty;
static bool shift, ctrl, alt, caps, extended;

static const char plain[] = "\0\033"
                            "1234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] = "\0\033"
                              "!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

static void send(const char *s)
{
    tty_input(kbd_tty, (const u8 *)s, strlen(s));
}

/* Function, cursor and editing keys; NULL: none of them. */
static const char *sequence(u8 code)
{
    static const char *const function[] = {"\033[[A",  "\033[[B",  "\033[[C",  "\033[[D",
                                           "\033[[E",  "\033[17~", "\033[18~", "\033[19~",
                                           "\033[20~", "\033[21~"};

    if (code >= 0x3b && code <= 0x44)
        return function[code - 0x3b];
    switch (code) {
    case 0x47:
        return "\033[1~";
    case 0x48:
        return "\033[A";
    case 0x49:
        return "\033[5~";
    case 0x4b:
        return "\033[D";
    case 0x4d:
        return "\033[C";
    case 0x4f:
        return "\033[4~";
    case 0x50:
        return "\033[B";
    case 0x51:
        return "\033[6~";
    case 0x52:
        return "\033[2~";
    case 0x53:
        return "\033[3~";
    }
    return NULL;
}

static bool modifier(u8 code, bool down)
{
    switch (code) {
    case 0x2a:
    case 0x36:
        if (!extended) /* e0 2a is a fake shift around cursor keys */
            shift = down;
        return true;
    case 0x1d:
        ctrl = down;
        return true;
    case 0x38:
        alt = down;
        return true;
    case 0x3a:
        caps ^= down;
        return true;
    }
    return false;
}

static void character(u8 code)
{
    bool letter;
    char c[3] = {0}, *p = c;

    if (code >= sizeof(plain))
        return;
    letter = plain[code] >= 'a' && plain[code] <= 'z';
    *p = (shift ^ (caps && letter)) ? shifted[code] : plain[code];
    if (extended && code == 0x35)
        *p = '/';
    if (!*p)
        return;
    if (alt) {
        p[1] = p[0];
        *p++ = '\033';
    }
    if (ctrl && *p >= '@' && *p <= '~')
        *p &= 0x1f;
    tty_input(kbd_tty, (u8 *)c, p - c + 1);
}

static void scan_code(u8 byte)
{
    bool down = !(byte & RELEASE);
    u8 code = byte & ~RELEASE;

    if (byte == 0xe0) {
        extended = true;
        return;
    }
    if (!modifier(code, down) && down) {
        if (ctrl && alt && code == 0x53 && init_proc)
            signal_proc(init_proc, SIGINT, NULL);
        else if (sequence(code))
            send(sequence(code));
        else
            character(code);
    }
    extended = false;
}

static void kbd_interrupt(void *arg)
{
    while (inb(STATUS) & HAS_OUTPUT)
        scan_code(inb(DATA));
}

static bool command(u8 v, u16 port)
{
    for (int i = 0; i < 10000; i++)
        if (!(inb(STATUS) & BUSY)) {
            outb(port, v);
            return true;
        }
    return false;
}

void kbd_init(struct tty *t)
{
    u8 config = 0;

    kbd_tty = t;
    if (inb(STATUS) == 0xff)
        return; /* no controller */
    while (inb(STATUS) & HAS_OUTPUT)
        (void)inb(DATA);
    if (!command(0x20, STATUS))
        return;
    for (int i = 0; i < 10000 && !(inb(STATUS) & HAS_OUTPUT); i++)
        ;
    config = inb(DATA);
    config = (config | 0x41) & ~0x10; /* interrupt, translation, clock on */
    command(0x60, STATUS);
    command(config, DATA);
    command(0xf4, DATA); /* enable scanning; the answer is no scan code of a key */
    if (irq_register(1, kbd_interrupt, NULL))
        printk("keyboard: no interrupt\n");
    /* The interrupt is edge-triggered: what has come already must be taken away. */
    udelay(1000);
    while (inb(STATUS) & HAS_OUTPUT)
        (void)inb(DATA);
}
