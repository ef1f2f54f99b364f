/* SPDX-License-Identifier: MIT
 *
 * string.c - the few functions of string.h that the compiler and the core expect, freestanding.
 *
 * The copies use the string instructions by 8 bytes: fast on every processor since 2012, and the
 * fewest instructions where instructions are what is counted. This file is compiled with
 * -fno-tree-loop-distribute-patterns, or its loops would become calls to themselves.
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t n)
{
    void *d = to;
    size_t words = n / 8;

    asm volatile("rep movsq" : "+D"(d), "+S"(from), "+c"(words) : : "memory");
    n &= 7;
    asm volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n) : : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    uint8_t *d = to;
    const uint8_t *s = from;

    if (d <= s || d >= s + n)
        return memcpy(to, from, n);
    while (n-- > 0)
        d[n] = s[n];
    return to;
}

void *memset(void *to, int value, size_t n)
{
    void *d = to;
    size_t words = n / 8;
    uint64_t v = (uint8_t)value * 0x0101010101010101ul;

    asm volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(v) : "memory");
    n &= 7;
    asm volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(v) : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (; n > 0; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
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
