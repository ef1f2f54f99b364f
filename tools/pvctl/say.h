/* SPDX-License-Identifier: MIT
 *
 * say.h - how pvctl speaks.
 *
 * One sentence for each problem, on stderr, beginning "pvctl: ", naming the file, the
 * place and the cure. Colour only on a terminal, and never with NO_COLOR. Tables
 * are aligned and have no rules drawn around them.
 */
#ifndef PVCTL_SAY_H
#define PVCTL_SAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Exit statuses of every command. */
enum {
    EXIT_OK = 0,        /* all guests powered off */
    EXIT_USAGE = 2,     /* bad usage or bad input */
    EXIT_CRASHED = 3,   /* a guest crashed, or ended otherwise than by power off */
    EXIT_MACHINE = 4,   /* QEMU or the hypervisor itself failed */
    EXIT_TIMEOUT = 124, /* the time limit came first */
    EXIT_STOPPED = 130, /* the user ended the run */
};

/* Both say one sentence; say_bad() returns EXIT_USAGE, for `return say_bad(...)`. */
int say_bad(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void say_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Where sentences go; tests collect them in a stream of their own. NULL: stderr. */
void say_to(FILE *f);

enum say_color { SAY_PLAIN, SAY_DIM, SAY_GOOD, SAY_WARN, SAY_ALARM };
/* The escape sequence for c if f is a terminal that wants colour, else "". */
const char *say_color(FILE *f, enum say_color c);

/* A table: cells are copied; print aligns all but the last column. */
struct say_table;
struct say_table *table_new(size_t columns);
void table_cell(struct say_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_print(FILE *f, const struct say_table *t);
void table_free(struct say_table *t);

/* malloc family that ends the program with a sentence. */
void *xcalloc(size_t n, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
