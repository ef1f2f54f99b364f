/* SPDX-License-Identifier: MIT */
/*
 * vga.c - the PC's text screen as terminal /dev/tty1, with the escape sequences programs use.
 *
 * 80 by 25 cells of character and attribute. The emulation is of a VT102 as far as shells, editors
 * and top need it: cursor movement, erasing, inserting and deleting lines and characters, scroll
 * region, colours. Unknown sequences are read to their end and dropped. `console=tty1` makes the
 * screen /dev/console and lets the kernel's messages go there too.
 */
#include "arch.h"
#include "devnum.h"
#include "errno.h"
#include "initcall.h"
#include "kbd.h"
#include "page.h"
#include "printk.h"
#include "string.h"
#include "tty.h"

#define COLS     80
#define ROWS     25
#define VGA_BASE 0xb8000
#define CRTC     0x3d4
#define NORMAL   0x07
#define PARAMS   8

enum parse_state { TEXT, ESCAPE, CSI, CHARSET };

static struct screen {
    volatile u16 *cells;
    int row, col, saved_row, saved_col;
    int top, bottom; /* scroll region, bottom exclusive */
    u8 attr;
    bool reverse, bold, wrap;
    enum parse_state state;
    int params[PARAMS];
    int nparams;
    bool question;
    struct tty *tty;
} scr;

static u8 attribute(void)
{
    u8 a = scr.attr;

    if (scr.reverse)
        a = (a & 0x0f) << 4 | a >> 4;
    return a | (scr.bold ? 8 : 0);
}

static void fill(int from, int to)
{
    u16 blank = ' ' | attribute() << 8;

    for (int i = from; i < to; i++)
        scr.cells[i] = blank;
}

static void move_cells(int to, int from, int n)
{
    if (to < from)
        for (int i = 0; i < n; i++)
            scr.cells[to + i] = scr.cells[from + i];
    else
        while (n--)
            scr.cells[to + n] = scr.cells[from + n];
}

/* Rows [top, bottom) move up by n (down when negative); blank rows come in. */
static void scroll(int top, int bottom, int n)
{
    int rows = bottom - top, k = n < 0 ? -n : n;

    if (k > rows)
        k = rows;
    if (n > 0) {
        move_cells(top * COLS, (top + k) * COLS, (rows - k) * COLS);
        fill((bottom - k) * COLS, bottom * COLS);
    } else {
        move_cells((top + k) * COLS, top * COLS, (rows - k) * COLS);
        fill(top * COLS, (top + k) * COLS);
    }
}

static void show_cursor(void)
{
    u16 at = scr.row * COLS + scr.col;

    outb(CRTC, 14);
    outb(CRTC + 1, at >> 8);
    outb(CRTC, 15);
    outb(CRTC + 1, at & 0xff);
}

static void line_feed(void)
{
    if (scr.row == scr.bottom - 1)
        scroll(scr.top, scr.bottom, 1);
    else if (scr.row < ROWS - 1)
        scr.row++;
}

static void put_glyph(u8 c)
{
    if (scr.wrap) {
        scr.wrap = false;
        scr.col = 0;
        line_feed();
    }
    scr.cells[scr.row * COLS + scr.col] = c | attribute() << 8;
    if (scr.col == COLS - 1)
        scr.wrap = true; /* the next character goes to the next line */
    else
        scr.col++;
}

static int clamp(int v, int lo, int hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

static void go_to(int row, int col)
{
    scr.row = clamp(row, 0, ROWS - 1);
    scr.col = clamp(col, 0, COLS - 1);
    scr.wrap = false;
}

static void set_graphics(int p)
{
    static const u8 colours[8] = {0, 4, 2, 6, 1, 5, 3, 7}; /* ANSI to VGA */

    if (p == 0) {
        scr.attr = NORMAL;
        scr.bold = scr.reverse = false;
    } else if (p == 1) {
        scr.bold = true;
    } else if (p == 7) {
        scr.reverse = true;
    } else if (p == 22) {
        scr.bold = false;
    } else if (p == 27) {
        scr.reverse = false;
    } else if (p >= 30 && p <= 37) {
        scr.attr = (scr.attr & 0xf0) | colours[p - 30];
    } else if (p == 39) {
        scr.attr = (scr.attr & 0xf0) | (NORMAL & 0x0f);
    } else if (p >= 40 && p <= 47) {
        scr.attr = (scr.attr & 0x0f) | colours[p - 40] << 4;
    } else if (p == 49) {
        scr.attr &= 0x0f;
    }
}

/* What the terminal answers to a question comes back as input. */
static void report_cursor(void)
{
    char buf[16];
    int n = snprintf(buf, sizeof(buf), "\033[%d;%dR", scr.row + 1, scr.col + 1);

    tty_input(scr.tty, (u8 *)buf, n);
}

static void erase(int what, int from, int at, int to)
{
    if (what == 0)
        fill(at, to);
    else if (what == 1)
        fill(from, at + 1);
    else
        fill(from, to);
}

static void csi_edit(u8 c, int n)
{
    int at = scr.row * COLS + scr.col, line = scr.row * COLS, rest = COLS - scr.col;

    n = MIN(n, c == 'L' || c == 'M' ? ROWS : rest);
    switch (c) {
    case 'L':
        scroll(scr.row, scr.bottom, -n);
        break;
    case 'M':
        scroll(scr.row, scr.bottom, n);
        break;
    case '@':
        move_cells(at + n, at, rest - n);
        fill(at, at + n);
        break;
    case 'P':
        move_cells(at, at + n, rest - n);
        fill(line + COLS - n, line + COLS);
        break;
    case 'X':
        fill(at, at + n);
        break;
    }
}

static void set_region(int top, int bottom)
{
    if (top < 1 || bottom > ROWS || top >= bottom)
        return;
    scr.top = top - 1;
    scr.bottom = bottom;
    go_to(0, 0);
}

static void csi_final(u8 c)
{
    int p = scr.params[0], n = p ? p : 1, at = scr.row * COLS + scr.col;

    if (scr.question)
        return;
    switch (c) {
    case 'A':
        go_to(scr.row - n, scr.col);
        break;
    case 'B':
    case 'e':
        go_to(scr.row + n, scr.col);
        break;
    case 'C':
    case 'a':
        go_to(scr.row, scr.col + n);
        break;
    case 'D':
        go_to(scr.row, scr.col - n);
        break;
    case 'G':
    case '`':
        go_to(scr.row, n - 1);
        break;
    case 'd':
        go_to(n - 1, scr.col);
        break;
    case 'H':
    case 'f':
        go_to(n - 1, (scr.params[1] ? scr.params[1] : 1) - 1);
        break;
    case 'J':
        erase(p, 0, at, ROWS * COLS);
        break;
    case 'K':
        erase(p, scr.row * COLS, at, (scr.row + 1) * COLS);
        break;
    case 'm':
        for (int i = 0; i <= scr.nparams; i++)
            set_graphics(scr.params[i]);
        break;
    case 'r':
        set_region(n, scr.params[1] ? scr.params[1] : ROWS);
        break;
    case 'n':
        if (p == 6)
            report_cursor();
        break;
    case 's':
        scr.saved_row = scr.row;
        scr.saved_col = scr.col;
        break;
    case 'u':
        go_to(scr.saved_row, scr.saved_col);
        break;
    default:
        csi_edit(c, n);
    }
}

static void in_csi(u8 c)
{
    if (c >= '0' && c <= '9') {
        int *p = &scr.params[scr.nparams];

        *p = MIN(*p * 10 + c - '0', 9999);
    } else if (c == ';') {
        if (scr.nparams < PARAMS - 1)
            scr.nparams++;
    } else if (c == '?' || c == '>' || c == '!') {
        scr.question = true;
    } else if (c >= '@' && c <= '~') {
        scr.state = TEXT;
        csi_final(c);
    }
}

static void in_escape(u8 c)
{
    scr.state = TEXT;
    switch (c) {
    case '[':
        scr.state = CSI;
        scr.nparams = 0;
        scr.question = false;
        memset(scr.params, 0, sizeof(scr.params));
        break;
    case '(':
    case ')':
        scr.state = CHARSET;
        break;
    case '7':
        scr.saved_row = scr.row;
        scr.saved_col = scr.col;
        break;
    case '8':
        go_to(scr.saved_row, scr.saved_col);
        break;
    case 'D':
        line_feed();
        break;
    case 'E':
        scr.col = 0;
        line_feed();
        break;
    case 'M':
        if (scr.row == scr.top)
            scroll(scr.top, scr.bottom, -1);
        else if (scr.row)
            scr.row--;
        break;
    case 'c':
        set_graphics(0);
        scr.top = 0;
        scr.bottom = ROWS;
        fill(0, ROWS * COLS);
        go_to(0, 0);
        break;
    }
}

static void in_text(u8 c)
{
    switch (c) {
    case '\033':
        scr.state = ESCAPE;
        break;
    case '\n':
    case '\v':
    case '\f':
        scr.wrap = false;
        line_feed();
        break;
    case '\r':
        go_to(scr.row, 0);
        break;
    case '\b':
        go_to(scr.row, scr.col - 1);
        break;
    case '\t':
        go_to(scr.row, (scr.col | 7) + 1);
        break;
    default:
        if (c >= ' ' && c != 0x7f)
            put_glyph(c);
    }
}

static size_t vga_write(struct tty *t, const u8 *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (scr.state == TEXT)
            in_text(p[i]);
        else if (scr.state == ESCAPE)
            in_escape(p[i]);
        else if (scr.state == CSI)
            in_csi(p[i]);
        else
            scr.state = TEXT;
    }
    show_cursor();
    return n;
}

static const struct tty_ops vga_tty_ops = {.write = vga_write};

static void vga_console_write(const char *s, size_t n)
{
    for (; n; n--, s++) {
        if (*s == '\n')
            vga_write(NULL, (const u8 *)"\r", 1);
        vga_write(NULL, (const u8 *)s, 1);
    }
}

static struct console vga_console = {.name = "tty1", .write = vga_console_write};

static bool vga_present(void)
{
    u16 old = scr.cells[0];
    bool there;

    scr.cells[0] = 0x5aa5;
    there = scr.cells[0] == 0x5aa5;
    scr.cells[0] = old;
    return there;
}

static int vga_init(void)
{
    char which[16];

    scr.cells = ioremap(VGA_BASE, ROWS * COLS * 2);
    if (!scr.cells)
        return -ENOMEM;
    if (!vga_present())
        return 0;
    scr.bottom = ROWS;
    scr.attr = NORMAL;
    fill(0, ROWS * COLS);
    scr.tty = tty_register("tty1", MKDEV(MAJOR_TTY, 1), &vga_tty_ops, &scr);
    if (!scr.tty)
        return -ENOMEM;
    scr.tty->winsize = (struct winsize){.rows = ROWS, .cols = COLS};
    show_cursor();
    kbd_init(scr.tty);
    if (cmdline_get("console=", which, sizeof(which)) && !strncmp(which, "tty", 3) &&
        strncmp(which, "ttyS", 4)) {
        tty_set_console(scr.tty);
        console_register(&vga_console);
    }
    return 0;
}
device_initcall(vga_init);
