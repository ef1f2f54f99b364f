/* SPDX-License-Identifier: MIT */
/*
 * ldisc.c - the line discipline: what lies between a terminal's keys and a program's read.
 *
 * Input goes through tty_input in any context: mapping of CR and NL, keys that make signals, flow
 * control, then either raw into the buffer or line editing with echo. Output goes through
 * ldisc_output: NL to CR NL, tabs, columns.
 *
 * Invariants: tail <= canon <= head (as differences of free-running indexes), head - tail never
 * passes TTY_BUF; in canonical mode a reader takes nothing beyond `canon`; a marked slot ends
 * a line, and holds EOF_MARK when it is an end of file, which no reader sees as a byte.
 */
#include "errno.h"
#include "proc.h"
#include "string.h"
#include "tty.h"
#include "uaccess.h"

#define EOF_MARK 0xff
#define DISABLED 0 /* a c_cc that is switched off */

#define L(t, f) ((t)->termios.c_lflag & (f))
#define I(t, f) ((t)->termios.c_iflag & (f))
#define O(t, f) ((t)->termios.c_oflag & (f))

static bool is_key(struct tty *t, u8 c, int which)
{
    return t->termios.c_cc[which] != DISABLED && c == t->termios.c_cc[which];
}

static bool end_marked(struct tty *t, u32 i)
{
    return t->ends[i % TTY_BUF / 64] >> (i % 64) & 1;
}

static void put_slot(struct tty *t, u8 c, bool end)
{
    u32 s = t->head++ % TTY_BUF;

    t->buf[s] = c;
    if (end)
        t->ends[s / 64] |= 1UL << (s % 64);
    else
        t->ends[s / 64] &= ~(1UL << (s % 64));
}

/* --- output ------------------------------------------------------------------------------------
 */

static bool send(struct tty *t, const char *s, size_t n)
{
    return t->ops->write(t, (const u8 *)s, n) == n;
}

/* CR NL in two steps when the device has room for one byte only: `cr_sent` remembers the first. */
static bool output_newline(struct tty *t)
{
    if (!t->cr_sent && !send(t, "\r", 1))
        return false;
    t->cr_sent = true;
    if (!send(t, "\n", 1))
        return false;
    t->cr_sent = false;
    t->column = 0;
    return true;
}

static bool output_tab(struct tty *t)
{
    u32 w = 8 - (t->column & 7);

    if (O(t, TABDLY) != XTABS) {
        if (!send(t, "\t", 1))
            return false;
        t->column += w;
        return true;
    }
    do {
        if (!send(t, " ", 1))
            return false;
        t->column++;
    } while (t->column & 7);
    return true;
}

/* One byte with output processing; false: the device is full, call again with the same byte. */
static bool output_char(struct tty *t, u8 c)
{
    if (c == '\t')
        return output_tab(t);
    if (c == '\n' && O(t, ONLCR))
        return output_newline(t);
    if (c == '\r') {
        if (O(t, ONOCR) && t->column == 0)
            return true;
        if (O(t, OCRNL))
            c = '\n';
    }
    if (O(t, OLCUC) && c >= 'a' && c <= 'z')
        c -= 32;
    if (!send(t, (const char *)&c, 1))
        return false;
    if (c == '\r' || (c == '\n' && O(t, ONLRET)))
        t->column = 0;
    else if (c == '\b')
        t->column -= t->column > 0;
    else if (c >= ' ' && c != 127 && (c & 0xc0) != 0x80)
        t->column++;
    return true;
}

static bool plain(u8 c)
{
    return c >= ' ' && c < 127;
}

size_t ldisc_output(struct tty *t, const u8 *p, size_t n)
{
    size_t i = 0;

    if (t->stopped)
        return 0;
    if (!O(t, OPOST))
        return t->ops->write(t, p, n);
    while (i < n) {
        size_t run = 0;

        if (!O(t, OLCUC))
            while (i + run < n && plain(p[i + run]))
                run++;
        if (run > 0) {
            size_t done = t->ops->write(t, p + i, run);

            t->column += (u32)done;
            i += done;
            if (done < run)
                break;
        } else {
            if (!output_char(t, p[i]))
                break;
            i++;
        }
    }
    return i;
}

/* --- echo and editing --------------------------------------------------------------------------
 */

/* Echo that finds the device full is lost, as on any terminal. */
static void echo_raw(struct tty *t, const char *s, size_t n)
{
    if (!t->stopped)
        t->ops->write(t, (const u8 *)s, n);
}

static void echo_out(struct tty *t, u8 c)
{
    if (t->stopped)
        return;
    if (O(t, OPOST))
        output_char(t, c);
    else
        echo_raw(t, (const char *)&c, 1);
}

static bool shown_as_caret(struct tty *t, u8 c)
{
    return L(t, ECHOCTL) && (c < ' ' || c == 127) && c != '\t' && c != '\n';
}

static void echo(struct tty *t, u8 c)
{
    if (shown_as_caret(t, c)) {
        echo_out(t, '^');
        echo_out(t, c ^ 0x40);
    } else {
        echo_out(t, c);
    }
}

/* Where the cursor stands when the input line up to `end` is shown from where it began. */
static u32 column_at(struct tty *t, u32 end)
{
    u32 col = t->canon_column;

    for (u32 i = t->canon; i != end; i++) {
        u8 c = t->buf[i % TTY_BUF];

        if (c == '\t')
            col = (col | 7) + 1;
        else if (shown_as_caret(t, c))
            col += 2;
        else if (c >= ' ' && (c & 0xc0) != 0x80)
            col++;
    }
    return col;
}

static void erase_one(struct tty *t)
{
    if (t->head == t->canon)
        return;
    t->head--;
    if (I(t, IUTF8))
        while (t->head != t->canon && (t->buf[t->head % TTY_BUF] & 0xc0) == 0x80)
            t->head--;
    if (!L(t, ECHO))
        return;
    if (!L(t, ECHOE)) {
        echo(t, t->termios.c_cc[VERASE]);
        return;
    }
    u32 to = column_at(t, t->head);
    bool tab = t->buf[t->head % TTY_BUF] == '\t';
    while (t->column > to) {
        echo_raw(t, tab ? "\b" : "\b \b", tab ? 1 : 3);
        t->column--;
    }
}

static bool word_char(u8 c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c >= 128;
}

static void erase_word(struct tty *t)
{
    bool seen = false;

    while (t->head != t->canon) {
        bool w = word_char(t->buf[(t->head - 1) % TTY_BUF]);

        if (seen && !w)
            break;
        seen |= w;
        erase_one(t);
    }
}

static void kill_line(struct tty *t)
{
    if (L(t, ECHO) && L(t, ECHOK) && L(t, ECHOKE) && L(t, ECHOE)) {
        while (t->head != t->canon)
            erase_one(t);
        return;
    }
    t->head = t->canon;
    if (L(t, ECHO)) {
        echo(t, t->termios.c_cc[VKILL]);
        if (L(t, ECHOK))
            echo_out(t, '\n');
    }
}

static void reprint_line(struct tty *t)
{
    echo(t, t->termios.c_cc[VREPRINT]);
    echo_out(t, '\n');
    t->canon_column = t->column;
    for (u32 i = t->canon; i != t->head; i++)
        echo(t, t->buf[i % TTY_BUF]);
}

/* --- input -------------------------------------------------------------------------------------
 */

void ldisc_flush_input(struct tty *t)
{
    t->head = t->canon = t->tail = 0;
    t->lnext = false;
}

static void key_signal(struct tty *t, u8 c, int sig)
{
    if (!L(t, NOFLSH)) {
        ldisc_flush_input(t);
        wake_up_key(&t->write_wait, POLLOUT);
    }
    t->stopped = false;
    if (L(t, ECHO))
        echo(t, c);
    t->canon_column = t->column;
    if (t->pgrp > 0)
        signal_pgrp(t->pgrp, sig, NULL);
}

static void restart_output(struct tty *t)
{
    t->stopped = false;
    wake_up_key(&t->write_wait, POLLOUT | POLLWRNORM);
}

/* Keys that never reach the buffer. True: consumed. */
static bool special_key(struct tty *t, u8 c)
{
    if (I(t, IXON)) {
        if (is_key(t, c, VSTART)) {
            restart_output(t);
            return true;
        }
        if (is_key(t, c, VSTOP)) {
            t->stopped = true;
            return true;
        }
        if (t->stopped && I(t, IXANY))
            restart_output(t);
    }
    if (L(t, ISIG)) {
        int sig = is_key(t, c, VINTR)   ? SIGINT
                  : is_key(t, c, VQUIT) ? SIGQUIT
                  : is_key(t, c, VSUSP) ? SIGTSTP
                                        : 0;
        if (sig) {
            key_signal(t, c, sig);
            return true;
        }
    }
    return false;
}

static void store_canon(struct tty *t, u8 c, bool end)
{
    /* The last slot is kept for the line's end. */
    if (t->head - t->tail >= TTY_BUF - (end ? 0 : 1)) {
        if (L(t, ECHO) && I(t, IMAXBEL))
            echo_raw(t, "\a", 1);
        return;
    }
    put_slot(t, c, end);
    if (end) {
        t->canon = t->head;
        wake_up_key(&t->read_wait, POLLIN | POLLRDNORM);
    }
}

/* Line editing. True: consumed. */
static bool edit_key(struct tty *t, u8 c)
{
    if (is_key(t, c, VERASE)) {
        erase_one(t);
    } else if (is_key(t, c, VKILL)) {
        kill_line(t);
    } else if (L(t, IEXTEN) && is_key(t, c, VWERASE)) {
        erase_word(t);
    } else if (L(t, IEXTEN) && is_key(t, c, VREPRINT)) {
        if (L(t, ECHO))
            reprint_line(t);
    } else if (L(t, IEXTEN) && is_key(t, c, VLNEXT)) {
        t->lnext = true;
        if (L(t, ECHO) && L(t, ECHOCTL))
            echo_raw(t, "^\b", 2);
    } else if (is_key(t, c, VEOF)) {
        store_canon(t, EOF_MARK, true);
    } else {
        return false;
    }
    return true;
}

static void canon_char(struct tty *t, u8 c)
{
    bool end;

    if (!t->lnext && edit_key(t, c))
        return;
    end = !t->lnext && (c == '\n' || is_key(t, c, VEOL) || is_key(t, c, VEOL2));
    t->lnext = false;
    if (L(t, ECHO) || (c == '\n' && L(t, ECHONL))) {
        if (t->head == t->canon)
            t->canon_column = t->column;
        if (c == '\n')
            echo_out(t, '\n');
        else
            echo(t, c);
    }
    store_canon(t, c, end);
}

/* False: no room, in raw mode the sender keeps the byte. */
static bool input_char(struct tty *t, u8 c)
{
    if (I(t, ISTRIP))
        c &= 0x7f;
    if (!t->lnext) {
        if (c == '\r') {
            if (I(t, IGNCR))
                return true;
            if (I(t, ICRNL))
                c = '\n';
        } else if (c == '\n' && I(t, INLCR)) {
            c = '\r';
        }
        if (I(t, IUCLC) && L(t, IEXTEN) && c >= 'A' && c <= 'Z')
            c += 32;
        if (special_key(t, c))
            return true;
    }
    if (L(t, ICANON)) {
        canon_char(t, c);
        return true;
    }
    t->lnext = false;
    if (t->head - t->tail >= TTY_BUF)
        return false;
    if (L(t, ECHO))
        echo(t, c);
    put_slot(t, c, false);
    return true;
}

size_t tty_input(struct tty *t, const u8 *p, size_t n)
{
    u64 flags = irq_save();
    size_t i = 0;

    while (i < n && input_char(t, p[i]))
        i++;
    if (!L(t, ICANON) && t->head != t->tail)
        wake_up_key(&t->read_wait, POLLIN | POLLRDNORM);
    irq_restore(flags);
    return i;
}

/* --- reading -----------------------------------------------------------------------------------
 */

u32 ldisc_available(struct tty *t)
{
    return (L(t, ICANON) ? t->canon : t->head) - t->tail;
}

bool ldisc_readable(struct tty *t)
{
    u32 want = 1;

    if (!L(t, ICANON) && t->termios.c_cc[VTIME] == 0 && t->termios.c_cc[VMIN] > 1)
        want = t->termios.c_cc[VMIN];
    return ldisc_available(t) >= want;
}

void ldisc_mode_changed(struct tty *t, const struct termios *old)
{
    if ((old->c_lflag ^ t->termios.c_lflag) & ICANON) {
        /* What is there becomes one line, or raw bytes: nobody's typing is lost. */
        t->canon = t->head;
        t->canon_column = t->column;
        t->lnext = false;
        if (t->head != t->tail)
            wake_up_key(&t->read_wait, POLLIN | POLLRDNORM);
    }
    if (t->stopped && !I(t, IXON))
        restart_output(t);
}

/* Takes what a canonical read may take into k (room for n): one line at most. Sets *end. */
static size_t take_line(struct tty *t, u8 *k, size_t n, bool *end)
{
    size_t got = 0;

    while (t->tail != t->canon && got < n && !*end) {
        bool marked = end_marked(t, t->tail);
        u8 c = t->buf[t->tail++ % TTY_BUF];

        if (!(marked && c == EOF_MARK))
            k[got++] = c;
        *end = marked;
    }
    return got;
}

static ssize_t read_canon(struct tty *t, struct uio *u)
{
    u8 chunk[256];
    ssize_t total = 0;
    bool end = false;

    while (u->left > 0 && !end) {
        u64 flags = irq_save();
        size_t n = take_line(t, chunk, MIN(u->left, sizeof(chunk)), &end);

        irq_restore(flags);
        if (n == 0)
            break;
        if (uio_write(u, chunk, n) != n)
            return total ? total : -EFAULT;
        total += (ssize_t)n;
    }
    return total;
}

static ssize_t read_raw(struct tty *t, struct uio *u)
{
    u8 chunk[256];
    ssize_t total = 0;

    while (u->left > 0) {
        u64 flags = irq_save();
        size_t n = MIN(MIN((size_t)(t->head - t->tail), u->left), sizeof(chunk));

        for (size_t i = 0; i < n; i++)
            chunk[i] = t->buf[t->tail++ % TTY_BUF];
        t->canon = t->head;
        irq_restore(flags);
        if (n == 0)
            break;
        if (uio_write(u, chunk, n) != n)
            return total ? total : -EFAULT;
        total += (ssize_t)n;
    }
    return total;
}

/* Waits as VMIN and VTIME say; 0: something may be read or time is up, or -errno. */
static int wait_raw(struct tty *t, size_t want, bool nonblock)
{
    u32 min = (u32)MIN((size_t)t->termios.c_cc[VMIN], want);
    u64 time = t->termios.c_cc[VTIME] * 100 * NSEC_PER_MSEC;
    u32 have = t->head - t->tail;

    if (have > 0 && have >= min)
        return 0;
    if (nonblock)
        return have > 0 || (min == 0 && time == 0) ? 0 : -EAGAIN;
    if (min == 0 && time == 0)
        return 0;
    for (;;) {
        u32 before = t->head - t->tail;
        int r;

        if (t->hung_up || L(t, ICANON) || (before > 0 && before >= min))
            return 0;
        /* With a minimum, the clock runs between bytes, so only once there is one. */
        r = wait_event_timeout(
            &t->read_wait, t->head - t->tail != before || t->hung_up || L(t, ICANON),
            time > 0 && (before > 0 || min == 0) ? clock_mono_ns() + time : TIMEOUT_NEVER);
        if (r == -ETIMEDOUT)
            return 0;
        if (r)
            return t->head != t->tail ? 0 : r;
    }
}

ssize_t ldisc_read(struct tty *t, struct uio *u, bool nonblock)
{
    ssize_t r;

    if (u->left == 0)
        return 0;
    for (;;) {
        if (L(t, ICANON)) {
            if (t->tail != t->canon) {
                r = read_canon(t, u);
                break;
            }
            if (t->hung_up)
                return 0;
            if (nonblock)
                return -EAGAIN;
            r = wait_event_intr(&t->read_wait, t->tail != t->canon || t->hung_up || !L(t, ICANON));
            if (r)
                return r;
        } else {
            r = wait_raw(t, u->left, nonblock);
            if (r)
                return r;
            if (L(t, ICANON) && !t->hung_up)
                continue;
            r = read_raw(t, u);
            break;
        }
    }
    if (t->ops->input_ready)
        t->ops->input_ready(t);
    return r;
}
