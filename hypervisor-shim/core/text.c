/* SPDX-License-Identifier: MIT
 *
 * text.c - see text.h.
 *
 * One writer (`struct out`) counts every byte and stores those that fit, so that a caller
 * can never overrun and always learns the full length. No state, no allocation.
 */
#include "text.h"

#include <stdbool.h>

struct out {
    char *buf;
    size_t size, used;
};

struct spec {
    unsigned width;
    bool zero, left, minus;
    unsigned longs;
};

static void put(struct out *o, char c)
{
    if (o->used + 1 < o->size)
        o->buf[o->used] = c;
    o->used++;
}

static void put_padded(struct out *o, const struct spec *s, const char *text, size_t n)
{
    size_t total = n + s->minus;
    size_t pad = s->width > total ? s->width - total : 0;

    for (size_t i = 0; i < pad && !s->left && !s->zero; i++)
        put(o, ' ');
    if (s->minus)
        put(o, '-');
    for (size_t i = 0; i < pad && !s->left && s->zero; i++)
        put(o, '0');
    for (size_t i = 0; i < n; i++)
        put(o, text[i]);
    for (size_t i = 0; i < pad && s->left; i++)
        put(o, ' ');
}

static void put_number(struct out *o, const struct spec *s, uint64_t value, unsigned base)
{
    char digits[24];
    size_t i = sizeof(digits);

    do
        digits[--i] = "0123456789abcdef"[value % base];
    while ((value /= base) != 0);
    put_padded(o, s, digits + i, sizeof(digits) - i);
}

static const char *parse_spec(struct spec *s, const char *f)
{
    *s = (struct spec){0};
    for (;; f++) {
        if (*f == '0')
            s->zero = true;
        else if (*f == '-')
            s->left = true;
        else
            break;
    }
    for (; *f >= '0' && *f <= '9'; f++)
        s->width = s->width * 10 + (unsigned)(*f - '0');
    for (; *f == 'l' || *f == 'z'; f++)
        s->longs++;
    return f;
}

static uint64_t unsigned_arg(const struct spec *s, va_list *ap)
{
    return s->longs ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned);
}

static void put_conversion(struct out *o, struct spec *s, char kind, va_list *ap)
{
    switch (kind) {
    case 's': {
        const char *text = va_arg(*ap, const char *);

        text = text ? text : "(null)";
        s->zero = false;
        put_padded(o, s, text, text_length(text));
        break;
    }
    case 'c': {
        char c = (char)va_arg(*ap, int);

        put_padded(o, s, &c, 1);
        break;
    }
    case 'd': {
        int64_t value = s->longs ? va_arg(*ap, long) : va_arg(*ap, int);

        s->minus = value < 0;
        put_number(o, s, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
        break;
    }
    case 'u':
        put_number(o, s, unsigned_arg(s, ap), 10);
        break;
    case 'x':
        put_number(o, s, unsigned_arg(s, ap), 16);
        break;
    case 'p':
        put_number(o, s, (uint64_t)(uintptr_t)va_arg(*ap, void *), 16);
        break;
    default:
        put(o, kind);
    }
}

int text_vformat(char *buf, size_t n, const char *fmt, va_list ap)
{
    struct out o = {buf, n, 0};
    va_list args;

    va_copy(args, ap);
    for (const char *f = fmt; *f; f++) {
        struct spec s;

        if (*f != '%') {
            put(&o, *f);
            continue;
        }
        f = parse_spec(&s, f + 1);
        if (!*f)
            break;
        put_conversion(&o, &s, *f, &args);
    }
    va_end(args);
    if (n)
        buf[o.used < n ? o.used : n - 1] = 0;
    return (int)o.used;
}

int text_format(char *buf, size_t n, const char *fmt, ...)
{
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = text_vformat(buf, n, fmt, ap);
    va_end(ap);
    return len;
}

size_t text_length(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

void text_copy(char *to, const char *from, size_t n)
{
    size_t i = 0;

    for (; i + 1 < n && from[i]; i++)
        to[i] = from[i];
    to[i] = 0;
}

int text_equal(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}
