/* SPDX-License-Identifier: MIT
 *
 * say.c - sentences, colour, tables; and the allocations that cannot fail quietly.
 *
 * Nothing here knows about guests. Output is written whole, line by line, so that it
 * does not mix with a guest's console within a line.
 */
#include "say.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *say_stream;

void say_to(FILE *f)
{
    say_stream = f;
}

static void say(enum say_color c, const char *fmt, va_list ap)
{
    FILE *f = say_stream ? say_stream : stderr;
    char *text;

    if (vasprintf(&text, fmt, ap) < 0)
        return;
    fflush(stdout);
    fprintf(f, "%spvctl:%s %s\n", say_color(f, c), say_color(f, SAY_PLAIN), text);
    fflush(f);
    free(text);
}

int say_bad(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(SAY_ALARM, fmt, ap);
    va_end(ap);
    return EXIT_USAGE;
}

void say_note(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(SAY_DIM, fmt, ap);
    va_end(ap);
}

const char *say_color(FILE *f, enum say_color c)
{
    static const char *const code[] = {
        [SAY_PLAIN] = "\033[0m", [SAY_DIM] = "\033[2m",    [SAY_GOOD] = "\033[32m",
        [SAY_WARN] = "\033[33m", [SAY_ALARM] = "\033[31m",
    };
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    if ((no && *no) || !term || !strcmp(term, "dumb") || !isatty(fileno(f)))
        return "";
    return code[c];
}

struct say_table {
    size_t columns, cells, room;
    char **cell;
};

struct say_table *table_new(size_t columns)
{
    struct say_table *t = xcalloc(1, sizeof(*t));

    t->columns = columns;
    return t;
}

void table_cell(struct say_table *t, const char *fmt, ...)
{
    va_list ap;

    if (t->cells == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->cell = realloc(t->cell, t->room * sizeof(*t->cell));
        if (!t->cell)
            abort();
    }
    va_start(ap, fmt);
    if (vasprintf(&t->cell[t->cells], fmt, ap) < 0)
        abort();
    va_end(ap);
    t->cells++;
}

void table_print(FILE *f, const struct say_table *t)
{
    for (size_t i = 0; i < t->cells; i++) {
        size_t column = i % t->columns, width = 0;

        if (column == t->columns - 1 || i == t->cells - 1) {
            fprintf(f, "%s\n", t->cell[i]);
            continue;
        }
        for (size_t j = column; j < t->cells; j += t->columns)
            width = strlen(t->cell[j]) > width ? strlen(t->cell[j]) : width;
        fprintf(f, "%-*s  ", (int)width, t->cell[i]);
    }
}

void table_free(struct say_table *t)
{
    for (size_t i = 0; i < t->cells; i++)
        free(t->cell[i]);
    free(t->cell);
    free(t);
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (!p) {
        say_bad("out of memory.");
        exit(EXIT_MACHINE);
    }
    return p;
}

char *xstrdup(const char *s)
{
    size_t n = strlen(s) + 1;

    return memcpy(xcalloc(1, n), s, n);
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *s;

    va_start(ap, fmt);
    if (vasprintf(&s, fmt, ap) < 0) {
        say_bad("out of memory.");
        exit(EXIT_MACHINE);
    }
    va_end(ap);
    return s;
}
