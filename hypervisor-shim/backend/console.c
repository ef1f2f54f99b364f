/* SPDX-License-Identifier: MIT
 *
 * console.c - see console.h. The back end of the PV console protocol (abi/console.h).
 *
 * The ring is the guest's memory: its indices are read once, and when they make no sense the
 * ring is broken and says so; nothing else follows from it. Bytes are copied before they are used.
 *
 * It must never wait for a guest: output is taken at once, input without room is kept, then lost.
 */
#include "console.h"
#include "../core/control.h"
#include "../core/domain.h"
#include "../core/event.h"
#include "../core/platform.h"
#include "../core/text.h"
#include <pv/abi/console.h>
#include <stdatomic.h>

enum { CTRL_A = 1 };

static uint16_t focus;  /* domid; 0: nobody yet */
static unsigned ctrl_a; /* pressed in a row */
static bool mid_line;   /* the terminal's cursor is behind a part of a line */

static void show(const char *s, size_t n)
{
    if (!n)
        return;
    plat_console_write(s, n);
    mid_line = s[n - 1] != '\n';
}

/* The returns tell pvctl that this end of a line is not the guest's own: it puts the line
 * together again (tools/pvctl/demux.c). */
static void show_line(const char *prefix, const char *s, size_t n)
{
    if (mid_line)
        show("\r\r\n", 3);
    show(prefix, text_length(prefix));
    show(s, n);
    if (mid_line)
        show("\n", 1);
}

void console_shim_write(const char *s, size_t n)
{
    while (n) {
        size_t len = 0;

        while (len < n && s[len] != '\n')
            len++;
        show_line("(shim) ", s, len);
        len += len < n;
        s += len;
        n -= len;
    }
}

static void flush_line(struct console *c)
{
    char prefix[16];

    text_format(prefix, sizeof(prefix), "(d%u) ", c->domain->id);
    show_line(prefix, c->line, c->line_length);
    c->line_length = 0;
}

static void add_to_line(struct console *c, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\r')
            continue;
        if (s[i] != '\n')
            c->line[c->line_length++] = s[i];
        if (s[i] == '\n' || c->line_length == CONSOLE_LINE)
            flush_line(c);
    }
}

void console_guest_write(struct domain *d, const char *s, size_t n)
{
    struct console *c = d->console;

    for (size_t i = 0; i < n; i++)
        c->kept[c->kept_produced++ % CONSOLE_KEPT] = s[i];
    control_event(CONTROL_EVENT_CONSOLE, d->id);
    if (d->id == focus)
        show(s, n);
    else
        add_to_line(c, s, n);
}

static unsigned console_order(void)
{
    unsigned order = 0;

    while (((size_t)PV_PAGE_SIZE << order) < sizeof(struct console))
        order++;
    return order;
}

bool console_create(struct domain *d)
{
    d->console = frame_hv_alloc(console_order());
    if (!d->console)
        return false;
    d->console->domain = d;
    if (!focus)
        focus = d->id;
    return true;
}

void console_attach(struct domain *d, struct xencons_interface *ring)
{
    d->console->ring = ring;
}

static bool drain(struct console *c)
{
    struct xencons_interface *r = c->ring;
    uint32_t cons = r->out_cons, prod = __atomic_load_n(&r->out_prod, __ATOMIC_ACQUIRE);
    char chunk[128];

    if (prod - cons > sizeof(r->out)) {
        c->broken = true;
        refuse_domain(c->domain, RULE_CONSOLE_RING, .value = prod, .limit = cons);
        return false;
    }
    if (prod == cons)
        return false;
    while (cons != prod) {
        size_t n = 0;

        while (cons != prod && n < sizeof(chunk))
            chunk[n++] = ((volatile char *)r->out)[cons++ % sizeof(r->out)];
        console_guest_write(c->domain, chunk, n);
    }
    __atomic_store_n(&r->out_cons, cons, __ATOMIC_RELEASE); /* the guest may reuse the bytes */
    return true;
}

/* Move kept input into the ring; true: there was some. */
static bool feed(struct console *c)
{
    struct xencons_interface *r = c->ring;
    uint32_t prod = r->in_prod, cons = __atomic_load_n(&r->in_cons, __ATOMIC_ACQUIRE);
    bool any = false;

    if (prod - cons > sizeof(r->in)) {
        c->broken = true;
        refuse_domain(c->domain, RULE_CONSOLE_RING, .value = prod, .limit = cons);
        return false;
    }
    while (c->input_head != c->input_tail && prod - cons < sizeof(r->in)) {
        r->in[prod++ % sizeof(r->in)] = c->input[c->input_head++ % CONSOLE_INPUT];
        any = true;
    }
    __atomic_store_n(&r->in_prod, prod, __ATOMIC_RELEASE); /* after the bytes */
    return any;
}

void console_notified(struct domain *d)
{
    struct console *c = d->console;
    bool news;

    if (!c->ring || c->broken)
        return;
    news = drain(c);
    if (!c->broken && feed(c)) {
        news = true;
        control_event(CONTROL_EVENT_CONSOLE, d->id); /* there is room for input again */
    }
    if (news)
        evtchn_notify(d, d->console_port);
}

void console_detach(struct domain *d)
{
    struct console *c = d->console;

    if (!c)
        return;
    if (c->ring && !c->broken)
        drain(c);
    if (c->line_length)
        flush_line(c);
    c->ring = NULL;
}

static void next_focus(void)
{
    for (unsigned i = 1; i < MAX_DOMAINS; i++) {
        struct domain *d = hv.domain[(focus + i - 1) % (MAX_DOMAINS - 1) + 1];

        if (!d || d->id == focus || d->state != DOMAIN_RUNNING)
            continue;
        if (d->console->line_length)
            flush_line(d->console);
        focus = d->id;
        hv_log("input goes to d%u (%s)\n", d->id, d->name);
        return;
    }
}

void console_destroy(struct domain *d)
{
    frame_hv_free(d->console, console_order());
    d->console = NULL;
    if (d->id == focus) {
        focus = 0;
        next_focus();
    }
}

static void input_byte(struct console *c, char byte)
{
    if (c && c->input_tail - c->input_head < CONSOLE_INPUT)
        c->input[c->input_tail++ % CONSOLE_INPUT] = byte;
}

static bool takes_input(const struct console *c)
{
    return c && c->ring && !c->broken;
}

size_t console_type(struct domain *d, const char *s, size_t n)
{
    struct console *c = d->console;
    size_t done = 0;

    while (done < n && c->input_tail - c->input_head < CONSOLE_INPUT) {
        input_byte(c, s[done++]);
        if (c->input_tail - c->input_head == CONSOLE_INPUT && takes_input(c) && feed(c))
            evtchn_notify(d, d->console_port);
    }
    if (takes_input(c) && feed(c))
        evtchn_notify(d, d->console_port);
    return done;
}

void console_input(void)
{
    char bytes[64];
    size_t n;

    while ((n = plat_console_read(bytes, sizeof(bytes))) != 0) {
        struct domain *d = domain_by_id(focus);

        for (size_t i = 0; i < n; i++) {
            ctrl_a = bytes[i] == CTRL_A ? ctrl_a + 1 : 0;
            if (ctrl_a == 3) {
                ctrl_a = 0;
                next_focus();
                d = domain_by_id(focus);
            } else if (bytes[i] != CTRL_A) {
                input_byte(d ? d->console : NULL, bytes[i]);
            }
        }
        if (d && takes_input(d->console) && feed(d->console))
            evtchn_notify(d, d->console_port);
    }
}
