/* SPDX-License-Identifier: MIT
 *
 * demux.h - takes a serial line apart: what the guests said, what the hypervisor said.
 *
 * Hypervisor lines begin with a mark ("(XEN) ", "(shim) ") and may break into the middle
 * of a guest's line, which then goes on after them. Guest bytes pass through at once,
 * also half lines (a prompt has no end); only bytes that may turn out to be a mark wait.
 * Line ends become a single '\n'. Where the shim had to end a guest's half line itself, to
 * begin a line of its own, it writes "\r\r\r\n": that end is taken out again.
 */
#ifndef PVCTL_DEMUX_H
#define PVCTL_DEMUX_H

#include <stdbool.h>
#include <stddef.h>

struct demux_sink {
    void (*guest)(void *ctx, const char *bytes, size_t n);
    void (*hypervisor)(void *ctx, const char *line);     /* without mark and line end */
    void (*raw)(void *ctx, const char *bytes, size_t n); /* everything, line ends made plain */
    void *ctx;
};

struct demux {
    const struct demux_sink *sink;
    const char *mark;
    bool banner;    /* all before the first mark is the hypervisor's own banner */
    bool in_line;   /* within a hypervisor line */
    bool cut;       /* a line end that is not the guest's waits for the mark that explains it */
    size_t returns; /* '\r's that wait for what follows */
    size_t matched; /* bytes of the mark that wait */
    size_t len;
    char line[1024]; /* a longer hypervisor line is delivered in pieces */
};

void demux_init(struct demux *d, const struct demux_sink *sink, const char *mark, bool banner);
void demux_feed(struct demux *d, const char *bytes, size_t n);
/* The line is dead: let go of what waited. */
void demux_end(struct demux *d);

#endif
