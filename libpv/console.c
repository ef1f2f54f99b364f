/* SPDX-License-Identifier: MIT */
/*
 * console.c - console_io or the console ring, and a small printf.
 *
 * Usable before pv_start_init() is through: the ring is found by m2p and the initial mapping, and
 * nothing here allocates, waits without end or needs a trap handler.
 *
 * The ring is shared with the back-end. out_prod and in_cons are ours; out_cons and in_prod are
 * read once per round, and an impossible distance counts as "no room" or "nothing there".
 */
#include <pv/console.h>
#include <pv/event.h>
#include <pv/host.h>
#include <pv/hypercall.h>
#include "internal.h"

#define LOCK_PATIENCE 1000

static struct xencons_interface *ring; /* NULL: use console_io */
static uint32_t ring_port;
static char ring_busy;

void pv_console_init(const struct xen_start_info *si)
{
    pfn_t page;

    ring = NULL;
    ring_port = 0;
    if ((si->flags & XEN_SIF_INITDOMAIN) || !si->console.domU.mfn)
        return;
    page = pv_m2p(mfn(si->console.domU.mfn));
    if (!pfn_valid(page))
        return;
    /* The page lies in the initial mapping, so this holds before any hook may be called. */
    ring = (void *)(pv_machine.virt_base + (page.n << PV_PAGE_SHIFT));
    ring_port = si->console.domU.evtchn;
}

static void notify(void)
{
    struct xen_evtchn_send send = {.port = ring_port};

    pv_hypercall_event_channel_op(XEN_EVTCHNOP_send, &send);
}

/*
 * One vCPU at a time moves an index, and no event handler meanwhile. Who waits for too long goes
 * ahead: an NMI or a panic may have interrupted the owner, and garbled text is better than none.
 */
static bool ring_lock(void)
{
    bool state = pv_machine.shared && pv_events_disable();

    for (unsigned i = 0; i < LOCK_PATIENCE; i++) {
        if (!__atomic_test_and_set(&ring_busy, __ATOMIC_ACQUIRE))
            break;
        pv_host_relax();
    }
    return state;
}

static void ring_unlock(bool state)
{
    __atomic_clear(&ring_busy, __ATOMIC_RELEASE);
    pv_events_restore(state);
}

/* Puts in what fits; returns how much. */
static size_t ring_put(const char *text, size_t n)
{
    bool state = ring_lock();
    uint32_t cons = __atomic_load_n(&ring->out_cons, __ATOMIC_ACQUIRE);
    uint32_t prod = ring->out_prod;
    size_t done = 0;

    while (done < n && prod - cons < sizeof(ring->out))
        ring->out[prod++ % sizeof(ring->out)] = text[done++];
    if (done) {
        /* The back-end sees the bytes before the index that covers them. */
        __atomic_store_n(&ring->out_prod, prod, __ATOMIC_RELEASE);
        notify();
    }
    ring_unlock(state);
    return done;
}

size_t pv_console_write(const char *text, size_t n)
{
    size_t done = 0;

    if (!ring) {
        int64_t rc = pv_hypercall_console_io(XEN_CONSOLEIO_write, (uint32_t)n, text);
        return rc < 0 ? 0 : n;
    }
    for (unsigned waited = 0; done < n && waited < PV_CONSOLE_PATIENCE; waited++) {
        size_t put = ring_put(text + done, n - done);

        done += put;
        if (put)
            waited = 0;
        else
            pv_host_relax();
    }
    return done;
}

size_t pv_console_read(char *text, size_t n)
{
    uint32_t prod, cons;
    size_t done = 0;

    if (!ring) {
        int64_t rc = pv_hypercall_console_io(XEN_CONSOLEIO_read, (uint32_t)n, text);
        return rc < 0 ? 0 : (size_t)rc;
    }
    prod = __atomic_load_n(&ring->in_prod, __ATOMIC_ACQUIRE);
    cons = ring->in_cons;
    if (prod - cons > sizeof(ring->in))
        return 0;
    while (done < n && cons != prod)
        text[done++] = ring->in[cons++ % sizeof(ring->in)];
    if (done) {
        /* The back-end may reuse the space only after we have read it. */
        __atomic_store_n(&ring->in_cons, cons, __ATOMIC_RELEASE);
        notify();
    }
    return done;
}

uint32_t pv_console_port(void)
{
    return ring_port;
}

static pv_console_input_t *input;

static void take_input(uint32_t port, void *arg, struct pv_regs *regs)
{
    char text[64];
    size_t n;

    (void)port, (void)regs;
    while ((n = pv_console_read(text, sizeof(text))))
        input(arg, text, n);
}

int pv_console_handle(pv_console_input_t *handler, void *arg)
{
    uint32_t port = ring_port;
    int err = port ? 0 : pv_event_bind_virq(XEN_VIRQ_CONSOLE, 0, &port);

    input = handler;
    if (err == 0)
        err = pv_event_handle(port, take_input, arg);
    if (err == 0)
        pv_event_unmask(port);
    return err;
}

/* Formatting ------------------------------------------------------------------------------- */

struct sink {
    char *out;
    size_t size, length;
};

static void put(struct sink *s, char c)
{
    if (s->length + 1 < s->size)
        s->out[s->length] = c;
    s->length++;
}

static void put_field(struct sink *s, const char *text, size_t n, int width, char fill, bool left)
{
    size_t pad = width > 0 && (size_t)width > n ? (size_t)width - n : 0;

    /* A sign comes before zeros. */
    if (fill == '0' && n && *text == '-') {
        put(s, '-');
        text++;
        n--;
    }
    for (; !left && pad; pad--)
        put(s, fill);
    while (n--)
        put(s, *text++);
    for (; pad; pad--)
        put(s, ' ');
}

static size_t digits(char *end, uint64_t value, unsigned base)
{
    char *p = end;

    do {
        *--p = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    return (size_t)(end - p);
}

struct spec {
    int width, precision, size; /* size: 0 int, 1 and more: 64 bits */
    bool left;
    char fill;
};

static const char *read_number(const char *p, int *value, va_list *ap)
{
    if (*p == '*') {
        *value = va_arg(*ap, int);
        return p + 1;
    }
    for (*value = 0; *p >= '0' && *p <= '9'; p++)
        *value = *value * 10 + (*p - '0');
    return p;
}

/* Reads what stands between % and the conversion letter. */
static const char *read_spec(const char *p, struct spec *sp, va_list *ap)
{
    *sp = (struct spec){.precision = -1, .fill = ' '};
    for (;; p++) {
        if (*p == '-')
            sp->left = true;
        else if (*p == '0')
            sp->fill = '0';
        else
            break;
    }
    if (sp->left)
        sp->fill = ' ';
    p = read_number(p, &sp->width, ap);
    if (*p == '.')
        p = read_number(p + 1, &sp->precision, ap);
    for (; *p == 'l' || *p == 'z'; p++)
        sp->size++;
    return p;
}

static void put_string(struct sink *s, const char *text, const struct spec *sp)
{
    size_t n = 0;

    if (!text)
        text = "(null)";
    while ((sp->precision < 0 || n < (size_t)sp->precision) && text[n])
        n++;
    put_field(s, text, n, sp->width, ' ', sp->left);
}

static void put_integer(struct sink *s, char conversion, struct spec *sp, va_list *ap)
{
    char buf[24];
    char *end = buf + sizeof(buf);
    uint64_t value;
    bool negative = false;
    size_t n;

    if (conversion == 'd') {
        int64_t v = sp->size ? va_arg(*ap, long) : va_arg(*ap, int);
        negative = v < 0;
        value = negative ? -(uint64_t)v : (uint64_t)v;
    } else {
        if (conversion == 'p')
            sp->size = 1;
        value = sp->size ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned);
    }
    n = digits(end, value, conversion == 'd' || conversion == 'u' ? 10 : 16);
    if (conversion == 'p') {
        *(end - ++n) = 'x';
        *(end - ++n) = '0';
    }
    if (negative)
        *(end - ++n) = '-';
    put_field(s, end - n, n, sp->width, sp->fill, sp->left);
}

size_t pv_vformat(char *out, size_t size, const char *fmt, va_list args)
{
    struct sink s = {.out = out, .size = size};
    struct spec sp;
    va_list ap;

    va_copy(ap, args);
    for (; *fmt; fmt++) {
        char c;

        if (*fmt != '%') {
            put(&s, *fmt);
            continue;
        }
        fmt = read_spec(fmt + 1, &sp, &ap);
        if (!*fmt)
            break;
        switch (*fmt) {
        case 's':
            put_string(&s, va_arg(ap, const char *), &sp);
            break;
        case 'c':
            c = (char)va_arg(ap, int);
            put_field(&s, &c, 1, sp.width, ' ', sp.left);
            break;
        case 'd':
        case 'u':
        case 'x':
        case 'p':
            put_integer(&s, *fmt, &sp, &ap);
            break;
        default:
            put(&s, *fmt);
        }
    }
    va_end(ap);
    if (size)
        out[s.length < size ? s.length : size - 1] = 0;
    return s.length;
}

size_t pv_format(char *out, size_t size, const char *fmt, ...)
{
    va_list ap;
    size_t n;

    va_start(ap, fmt);
    n = pv_vformat(out, size, fmt, ap);
    va_end(ap);
    return n;
}

void pv_vprintf(const char *fmt, va_list ap)
{
    char line[256];
    size_t n = pv_vformat(line, sizeof(line), fmt, ap);

    pv_console_write(line, n < sizeof(line) ? n : sizeof(line) - 1);
}

void pv_printf(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    pv_vprintf(fmt, ap);
    va_end(ap);
}
