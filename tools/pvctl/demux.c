/* SPDX-License-Identifier: MIT
 *
 * demux.c - see demux.h.
 *
 * One byte at a time through three stages: line ends, mark, destination. A mark begins
 * with '(' and holds no second one, so a mismatch restarts at most one byte back.
 */
#include "demux.h"

#include <string.h>

void demux_init(struct demux *d, const struct demux_sink *sink, const char *mark, bool banner)
{
    memset(d, 0, sizeof(*d));
    d->sink = sink;
    d->mark = mark;
    d->banner = banner;
}

static void deliver_line(struct demux *d)
{
    d->line[d->len] = 0;
    d->sink->hypervisor(d->sink->ctx, d->line);
    d->len = 0;
}

static void to_guest(struct demux *d, const char *bytes, size_t n)
{
    if (!n || d->banner)
        return;
    if (d->cut)
        d->sink->guest(d->sink->ctx, "\n", 1); /* cut for another guest's line: it stays */
    d->cut = false;
    d->sink->guest(d->sink->ctx, bytes, n);
}

static void plain_byte(struct demux *d, char c)
{
    d->sink->raw(d->sink->ctx, &c, 1);
    if (d->in_line) {
        if (c == '\n') {
            deliver_line(d);
            d->in_line = false;
            return;
        }
        d->line[d->len++] = c;
        if (d->len == sizeof(d->line) - 1)
            deliver_line(d);
        return;
    }
    if (c == d->mark[d->matched]) {
        if (d->mark[++d->matched])
            return;
        d->matched = 0;
        d->banner = d->cut = false;
        d->in_line = true;
        return;
    }
    to_guest(d, d->mark, d->matched);
    d->matched = 0;
    if (c == d->mark[0])
        d->matched = 1;
    else
        to_guest(d, &c, 1);
}

void demux_feed(struct demux *d, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\r') {
            d->returns++;
            continue;
        }
        if (bytes[i] == '\n' && d->returns >= 3 && !d->in_line && !d->matched) {
            d->returns = 0;
            d->cut = true;
            d->sink->raw(d->sink->ctx, "\n", 1);
            continue;
        }
        /* '\r's before a line end are part of it; others are the guest's own. */
        for (; d->returns; d->returns--)
            if (bytes[i] != '\n')
                plain_byte(d, '\r');
        plain_byte(d, bytes[i]);
    }
}

void demux_end(struct demux *d)
{
    d->cut = false;
    to_guest(d, d->mark, d->matched);
    d->matched = 0;
    if (d->in_line && d->len)
        deliver_line(d);
    d->in_line = false;
}
