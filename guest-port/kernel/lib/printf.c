/* SPDX-License-Identifier: MIT */
/* printf.c - formatting to memory: d i u x X o p s c %, flags - 0 + # space, width, precision. */
#include "string.h"

struct out {
    char *buf;
    size_t size, len;
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void pad(struct out *o, char c, int n)
{
    while (n-- > 0)
        put(o, c);
}

struct spec {
    bool left, zero, plus, space, alt, upper;
    int width, prec;
    unsigned base;
};

static void put_number(struct out *o, u64 v, bool neg, const struct spec *s)
{
    char tmp[24];
    int n = 0, digits, total;
    const char *set = s->upper ? "0123456789ABCDEF" : "0123456789abcdef";
    const char *prefix = neg ? "-" : s->plus ? "+" : s->space ? " " : "";

    do {
        tmp[n++] = set[v % s->base];
        v /= s->base;
    } while (v);
    if (s->alt && s->base == 16)
        prefix = s->upper ? "0X" : "0x";
    digits = MAX(n, s->prec);
    total = digits + (int)strlen(prefix);
    if (!s->left && !(s->zero && s->prec < 0))
        pad(o, ' ', s->width - total);
    for (const char *p = prefix; *p; p++)
        put(o, *p);
    if (s->zero && !s->left && s->prec < 0)
        pad(o, '0', s->width - total);
    pad(o, '0', digits - n);
    while (n)
        put(o, tmp[--n]);
    if (s->left)
        pad(o, ' ', s->width - total);
}

static void put_string(struct out *o, const char *str, const struct spec *s)
{
    int n;

    if (!str)
        str = "(null)";
    n = (int)strnlen(str, s->prec < 0 ? (size_t)1 << 20 : (size_t)s->prec);
    if (!s->left)
        pad(o, ' ', s->width - n);
    for (int i = 0; i < n; i++)
        put(o, str[i]);
    if (s->left)
        pad(o, ' ', s->width - n);
}

static const char *parse_flags(const char *f, struct spec *s, va_list *ap)
{
    for (;; f++) {
        if (*f == '-')
            s->left = true;
        else if (*f == '0')
            s->zero = true;
        else if (*f == '+')
            s->plus = true;
        else if (*f == ' ')
            s->space = true;
        else if (*f == '#')
            s->alt = true;
        else
            break;
    }
    if (*f == '*') {
        s->width = va_arg(*ap, int);
        f++;
    }
    while (*f >= '0' && *f <= '9')
        s->width = s->width * 10 + *f++ - '0';
    if (*f == '.') {
        s->prec = 0;
        f++;
        if (*f == '*') {
            s->prec = va_arg(*ap, int);
            f++;
        }
        while (*f >= '0' && *f <= '9')
            s->prec = s->prec * 10 + *f++ - '0';
    }
    return f;
}

static void put_integer(struct out *o, char conv, int size, struct spec *s, va_list *ap)
{
    u64 v;

    if (conv == 'd' || conv == 'i') {
        s64 x = size >= 8 ? va_arg(*ap, s64) : va_arg(*ap, int);

        if (size == 2)
            x = (s16)x;
        if (size == 1)
            x = (s8)x;
        s->base = 10;
        put_number(o, x < 0 ? -(u64)x : (u64)x, x < 0, s);
        return;
    }
    v = size >= 8 ? va_arg(*ap, u64) : va_arg(*ap, unsigned);
    if (size == 2)
        v = (u16)v;
    if (size == 1)
        v = (u8)v;
    s->base = conv == 'u' ? 10 : conv == 'o' ? 8 : 16;
    s->upper = conv == 'X';
    put_number(o, v, false, s);
}

int vsnprintf(char *buf, size_t size, const char *f, va_list ap0)
{
    struct out o = {buf, size, 0};
    va_list ap;

    va_copy(ap, ap0);
    for (; *f; f++) {
        struct spec s = {.prec = -1};
        int n = 4;

        if (*f != '%') {
            put(&o, *f);
            continue;
        }
        f = parse_flags(f + 1, &s, &ap);
        for (; *f == 'l' || *f == 'z' || *f == 'h'; f++)
            n = *f == 'h' ? n / 2 : 8;
        switch (*f) {
        case 'd':
        case 'i':
        case 'u':
        case 'x':
        case 'X':
        case 'o':
            put_integer(&o, *f, n, &s, &ap);
            break;
        case 'p':
            s.alt = true;
            s.base = 16;
            put_number(&o, (u64)va_arg(ap, void *), false, &s);
            break;
        case 's':
            put_string(&o, va_arg(ap, const char *), &s);
            break;
        case 'c':
            put(&o, (char)va_arg(ap, int));
            break;
        case 0:
            f--;
            break;
        default:
            put(&o, *f);
        }
    }
    va_end(ap);
    if (size)
        buf[MIN(o.len, size - 1)] = 0;
    return (int)o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}
