/* SPDX-License-Identifier: MIT */
/*
 * Output, strings, the command line and the end of a test guest.
 *
 * Lines are collected and written whole, so that two guests on one console do not mix theirs.
 * Nothing here allocates, and nothing depends on traps or events being set up.
 */
#include "rt.h"

void *memset(void *p, int c, size_t n)
{
    uint8_t *b = p;
    while (n--)
        *b++ = (uint8_t)c;
    return p;
}

void *memcpy(void *d, const void *s, size_t n)
{
    uint8_t *a = d;
    const uint8_t *b = s;
    while (n--)
        *a++ = *b++;
    return d;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    for (; n; n--, x++, y++) {
        if (*x != *y)
            return *x < *y ? -1 : 1;
    }
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n && *a && *a == *b; n--)
        a++, b++;
    return n ? (uint8_t)*a - (uint8_t)*b : 0;
}

static void ring_write(const char *s, size_t n)
{
    struct xencons_interface *ring = rt_mfn_va(rt_si->console.domU.mfn);
    uint32_t prod = ring->out_prod;

    while (n) {
        if (prod - ring->out_cons == sizeof(ring->out)) {
            struct xen_evtchn_send send = {.port = rt_si->console.domU.evtchn};
            rt_call2(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_send, (uint64_t)&send);
            rt_call2(XEN_HYPERVISOR_sched_op, XEN_SCHEDOP_yield, 0);
            continue;
        }
        ring->out[prod % sizeof(ring->out)] = *s++;
        n--;
        barrier(); /* the back-end sees the byte before the index */
        *(volatile uint32_t *)&ring->out_prod = ++prod;
    }
    struct xen_evtchn_send send = {.port = rt_si->console.domU.evtchn};
    rt_call2(XEN_HYPERVISOR_event_channel_op, XEN_EVTCHNOP_send, (uint64_t)&send);
}

void rt_puts(const char *s, size_t n)
{
    static int ring; /* 0 = not yet known to be refused */

    if (!ring) {
        if (rt_call3(XEN_HYPERVISOR_console_io, XEN_CONSOLEIO_write, n, (uint64_t)s) >= 0)
            return;
        ring = 1;
    }
    if (rt_si->console.domU.mfn)
        ring_write(s, n);
}

struct out {
    char *p, *end;
};

static void put(struct out *o, char c)
{
    if (o->p < o->end)
        *o->p++ = c;
}

static void put_number(struct out *o, uint64_t v, unsigned base, int width, char pad, bool neg)
{
    char tmp[24];
    int n = 0;

    do {
        tmp[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    if (neg)
        tmp[n++] = '-';
    for (; width > n; width--)
        put(o, pad);
    while (n)
        put(o, tmp[--n]);
}

static void format(struct out *o, const char *fmt, va_list ap)
{
    for (; *fmt; fmt++) {
        if (*fmt != '%') {
            put(o, *fmt);
            continue;
        }
        char pad = ' ';
        int width = 0, l = 0;
        bool left = false;
        fmt++;
        if (*fmt == '-')
            left = true, fmt++;
        if (*fmt == '0')
            pad = '0', fmt++;
        while (*fmt >= '0' && *fmt <= '9')
            width = width * 10 + *fmt++ - '0';
        while (*fmt == 'l')
            l++, fmt++;
        if (*fmt == 's') {
            const char *s = va_arg(ap, const char *);
            int n = (int)strlen(s);
            for (int i = n; !left && i < width; i++)
                put(o, ' ');
            while (*s)
                put(o, *s++);
            for (int i = n; left && i < width; i++)
                put(o, ' ');
        } else if (*fmt == 'c') {
            put(o, (char)va_arg(ap, int));
        } else if (*fmt == 'd') {
            int64_t v = l ? va_arg(ap, int64_t) : va_arg(ap, int);
            put_number(o, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, width, pad, v < 0);
        } else if (*fmt == 'u' || *fmt == 'x' || *fmt == 'p') {
            uint64_t v = l || *fmt == 'p' ? va_arg(ap, uint64_t) : va_arg(ap, uint32_t);
            put_number(o, v, *fmt == 'u' ? 10 : 16, width, pad, false);
        } else {
            put(o, *fmt);
        }
    }
}

int rt_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct out o = {buf, buf + size - 1};

    format(&o, fmt, ap);
    *o.p = 0;
    return (int)(o.p - buf);
}

int rt_snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = rt_vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

int rt_printf(const char *fmt, ...)
{
    char buf[512];
    struct out o = {buf, buf + sizeof(buf)};
    va_list ap;

    va_start(ap, fmt);
    format(&o, fmt, ap);
    va_end(ap);
    rt_puts(buf, (size_t)(o.p - buf));
    return (int)(o.p - buf);
}

void rt_exit(int reason)
{
    struct xen_sched_shutdown s = {.reason = (uint32_t)reason};
    for (;;)
        rt_call2(XEN_HYPERVISOR_sched_op, XEN_SCHEDOP_shutdown, (uint64_t)&s);
}

void rt_panic(const char *fmt, ...)
{
    char buf[400];
    struct out o = {buf, buf + sizeof(buf) - 1};
    va_list ap;

    va_start(ap, fmt);
    format(&o, fmt, ap);
    va_end(ap);
    *o.p = 0;
    rt_printf("PANIC: %s\n", buf);
    rt_exit(XEN_SHUTDOWN_crash);
}

bool rt_option(const char *word)
{
    size_t n = strlen(word);
    for (const char *p = rt_cmdline; *p;) {
        while (*p == ' ')
            p++;
        if (!strncmp(p, word, n) && (p[n] == ' ' || !p[n]))
            return true;
        while (*p && *p != ' ')
            p++;
    }
    return false;
}

const char *rt_value(const char *name, char *buf, size_t size)
{
    size_t n = strlen(name), i = 0;
    for (const char *p = rt_cmdline; *p;) {
        while (*p == ' ')
            p++;
        if (!strncmp(p, name, n) && p[n] == '=') {
            for (p += n + 1; *p && *p != ' ' && i + 1 < size; p++)
                buf[i++] = *p;
            buf[i] = 0;
            return buf;
        }
        while (*p && *p != ' ')
            p++;
    }
    return NULL;
}
