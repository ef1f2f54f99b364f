/* SPDX-License-Identifier: MIT
 *
 * text.h - text into buffers, for a world without a C library.
 *
 * A small subset of snprintf: %s %c %d %u %x with l/ll/z, width, 0 and - flags, %p, %%.
 * Also built into host tools (reason sentences), so it depends on nothing.
 */
#ifndef HV_TEXT_H
#define HV_TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* As snprintf: at most n bytes with the final 0; returns the length it would have had. */
int text_vformat(char *buf, size_t n, const char *fmt, va_list ap);
int text_format(char *buf, size_t n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
size_t text_length(const char *s);
/* Copy, cut to n - 1 bytes, always ended by 0. */
void text_copy(char *to, const char *from, size_t n);
int text_equal(const char *a, const char *b);

#endif
