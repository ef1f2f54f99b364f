/* SPDX-License-Identifier: MIT */
/* string.h - memory and string functions (lib/string.c) and formatted printing to memory. */
#ifndef KERN_STRING_H
#define KERN_STRING_H

#include "types.h"

void *memcpy(void *d, const void *s, size_t n);
void *memmove(void *d, const void *s, size_t n);
void *memset(void *d, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *sub);
char *strcpy(char *d, const char *s);
char *strncpy(char *d, const char *s, size_t n);
/* Always terminates; returns the length of `s`. */
size_t strlcpy(char *d, const char *s, size_t size);
unsigned long strtoul(const char *s, char **end, int base);
char *kstrdup(const char *s);

/* Formats: d i u x X p s c o %, flags - 0 + #, width, precision, l ll z h hh. */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
u64 random_u64(void);
void random_bytes(void *buf, size_t n);

#endif
