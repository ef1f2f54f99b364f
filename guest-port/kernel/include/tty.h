/* SPDX-License-Identifier: MIT */
/*
 * tty.h - terminals: what a driver (16550, VGA and keyboard, pty) gives and gets.
 *
 * A driver registers a tty, hands received bytes to tty_input and takes bytes to send in
 * ops->write. Line editing, echo, signals from keys, and output processing are between the two
 * (tty/ldisc.c); opens, job control and ioctls are above (tty/tty.c).
 *
 * A tty's input and output state is touched by interrupt handlers, so always with interrupts off.
 * proc->tty is a weak reference: a tty that goes away is taken from every process first.
 */
#ifndef KERN_TTY_H
#define KERN_TTY_H

#include "abi.h"
#include "wait.h"

#define NCCS 19

struct termios { /* as TCGETS shows it */
    u32 c_iflag, c_oflag, c_cflag, c_lflag;
    u8 c_line;
    u8 c_cc[NCCS];
};
_Static_assert(sizeof(struct termios) == 36, "struct termios");

struct winsize {
    u16 rows, cols, xpixel, ypixel;
};

/* c_cc */
enum {
    VINTR,
    VQUIT,
    VERASE,
    VKILL,
    VEOF,
    VTIME,
    VMIN,
    VSWTC,
    VSTART,
    VSTOP,
    VSUSP,
    VEOL,
    VREPRINT,
    VDISCARD,
    VWERASE,
    VLNEXT,
    VEOL2
};

/* c_iflag */
#define IGNBRK  0x001u
#define BRKINT  0x002u
#define IGNPAR  0x004u
#define PARMRK  0x008u
#define INPCK   0x010u
#define ISTRIP  0x020u
#define INLCR   0x040u
#define IGNCR   0x080u
#define ICRNL   0x100u
#define IUCLC   0x200u
#define IXON    0x400u
#define IXANY   0x800u
#define IXOFF   0x1000u
#define IMAXBEL 0x2000u
#define IUTF8   0x4000u
/* c_oflag */
#define OPOST  0x01u
#define OLCUC  0x02u
#define ONLCR  0x04u
#define OCRNL  0x08u
#define ONOCR  0x10u
#define ONLRET 0x20u
#define TABDLY 0x1800u
#define XTABS  0x1800u
/* c_cflag */
#define B38400  0x0fu
#define B115200 0x1002u
#define CBAUD   0x100fu
#define CS8     0x30u
#define CREAD   0x80u
#define HUPCL   0x400u
#define CLOCAL  0x800u
/* c_lflag */
#define ISIG    0x0001u
#define ICANON  0x0002u
#define ECHO    0x0008u
#define ECHOE   0x0010u
#define ECHOK   0x0020u
#define ECHONL  0x0040u
#define NOFLSH  0x0080u
#define TOSTOP  0x0100u
#define ECHOCTL 0x0200u
#define ECHOKE  0x0800u
#define IEXTEN  0x8000u

struct tty;
struct proc;
struct uio;
struct file_ops;

struct tty_ops {
    /* Sends up to n bytes, returns how many were taken (all of them, if the device is polled).
     * Any context, interrupts off; must not sleep. When it took fewer it calls tty_output_ready
     * later. */
    size_t (*write)(struct tty *t, const u8 *p, size_t n);
    void (*set_termios)(struct tty *t); /* line speed, size; may be NULL */
    bool (*has_room)(struct tty *t);    /* would write take a byte? NULL: always */
    /* Characters taken by write but not sent yet; may be NULL (always 0). */
    size_t (*pending)(struct tty *t);
    /* Readers made room in the input buffer; may be NULL. */
    void (*input_ready)(struct tty *t);
    void (*close)(struct tty *t); /* last close; may be NULL */
};

#define TTY_BUF 4096u

struct tty {
    char name[16];
    dev_t dev;
    const struct tty_ops *ops;
    void *driver;
    struct termios termios;
    struct winsize winsize;
    int opens;
    pid_t session, pgrp; /* 0: nobody's */
    bool hung_up;        /* the other side is gone: reads give 0, writes EIO */
    bool stopped;        /* XOFF */
    bool exclusive;

    /* Input: bytes [tail, head); in canonical mode those before `canon` are whole lines. Indexes
     * run freely, a slot is index % TTY_BUF. `ends` marks line ends, 0xff of an EOF included. */
    u32 head, canon, tail;
    bool lnext;   /* the next byte is taken literally */
    bool cr_sent; /* of a CR NL */
    u8 buf[TTY_BUF];
    u64 ends[TTY_BUF / 64];
    u32 column;       /* of the cursor, for tabs and erasing */
    u32 canon_column; /* where the present input line began */
    struct wait_queue read_wait, write_wait;
    struct mutex read_lock, write_lock;
    struct list link;
};

extern const struct termios tty_default_termios;

/* Makes a terminal and /dev/NAME. Panics never; NULL when out of memory. */
struct tty *tty_register(const char *name, dev_t dev, const struct tty_ops *ops, void *driver);
/* Which tty /dev/console is; the first registered one unless somebody says otherwise. */
void tty_set_console(struct tty *t);
/* Received bytes. Any context. Returns how many were taken (fewer: buffer full, raw mode). */
size_t tty_input(struct tty *t, const u8 *p, size_t n);
void tty_output_ready(struct tty *t); /* the device can take more; any context */
void tty_hangup(struct tty *t);       /* carrier lost, pty master closed */

/* proc/exit: a session leader ends: its terminal's foreground gets SIGHUP and SIGCONT, and the
 * session loses the terminal. For other processes nothing happens. */
void tty_session_exit(struct proc *p);
/* proc/setsid: the process leaves its controlling terminal. */
void tty_forget(struct proc *p);
/* procfs: tty_nr of /proc/N/stat, and tpgid (-1 without a terminal). */
dev_t tty_dev(const struct tty *t);
pid_t tty_pgrp(const struct tty *t);

/* --- between the files of tty/ -----------------------------------------------------------------
 */

void tty_init(struct tty *t, const char *name, dev_t dev, const struct tty_ops *ops, void *driver);
void tty_destroy(struct tty *t); /* takes it from every process; does not free */
/* ioctl.c: what a terminal and, with `master`, the other end of a pty answer. */
long tty_ioctl(struct tty *t, unsigned cmd, unsigned long arg, bool master);
/* 0: go on. Else current is in the background of its terminal and has been sent `sig`. */
int tty_job_check(struct tty *t, int sig);
void tty_take_control(struct tty *t); /* makes it the controlling terminal of current's session */
void tty_drop_session(struct tty *t);
extern const struct file_ops tty_fops;
struct tty *pty_slave_find(unsigned n);

/* ldisc.c */
ssize_t ldisc_read(struct tty *t, struct uio *u, bool nonblock);
bool ldisc_readable(struct tty *t);
u32 ldisc_available(struct tty *t);
void ldisc_flush_input(struct tty *t);
void ldisc_mode_changed(struct tty *t, const struct termios *old);
/* Output processing of up to n bytes: returns how many were consumed. Interrupts off. */
size_t ldisc_output(struct tty *t, const u8 *p, size_t n);

#endif
