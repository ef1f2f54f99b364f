/* SPDX-License-Identifier: MIT
 *
 * The serial line taken apart: whatever the cuts between reads, guests' bytes and the
 * hypervisor's lines come out the same.
 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "tools/pvctl/demux.h"

struct got {
    char guest[4096], hypervisor[4096], raw[4096];
};

static void add(char *to, const char *bytes, size_t n)
{
    size_t len = strlen(to);

    memcpy(to + len, bytes, n);
    to[len + n] = 0;
}

static void guest(void *ctx, const char *bytes, size_t n)
{
    add(((struct got *)ctx)->guest, bytes, n);
}

static void hypervisor(void *ctx, const char *line)
{
    add(((struct got *)ctx)->hypervisor, line, strlen(line));
    add(((struct got *)ctx)->hypervisor, "|", 1);
}

static void raw(void *ctx, const char *bytes, size_t n)
{
    add(((struct got *)ctx)->raw, bytes, n);
}

static void expect(const char *mark, bool banner, const char *in, const char *to_guest,
                   const char *to_hypervisor)
{
    for (size_t cut = 1; cut <= strlen(in); cut++) {
        struct got g = {"", "", ""};
        struct demux_sink sink = {guest, hypervisor, raw, &g};
        struct demux d;

        demux_init(&d, &sink, mark, banner);
        for (size_t i = 0; i < strlen(in); i += cut)
            demux_feed(&d, in + i, strlen(in) - i < cut ? strlen(in) - i : cut);
        demux_end(&d);
        cr_assert_str_eq(g.guest, to_guest, "cut %zu", cut);
        cr_assert_str_eq(g.hypervisor, to_hypervisor, "cut %zu", cut);
    }
}

Test(demux, lines_are_sorted)
{
    expect("(XEN) ", false, "hello\r\n(XEN) news\r\nworld\r\n", "hello\nworld\n", "news|");
}

Test(demux, a_guest_line_goes_on_after_an_interruption)
{
    expect("(XEN) ", false, "hel(XEN) news\r\nlo\n", "hello\n", "news|");
}

Test(demux, parentheses_are_not_marks)
{
    expect("(XEN) ", false, "((XEN)((XEN) (XEN) a\n(XENO) (\n(X", "((XEN)((XENO) (\n(X",
           "(XEN) a|");
}

Test(demux, banner_is_the_hypervisors)
{
    expect("(XEN) ", true, " __  __\r\n Xen 4.17\r\n(XEN) up\r\nhi\r\n", "hi\n", "up|");
}

Test(demux, returns)
{
    expect("(shim) ", false, "a\rb\r\r\nc\r\n(shim) x\r\n", "a\rb\nc\n", "x|");
}

Test(demux, lines_that_the_shim_cut_are_whole_again)
{
    expect("(shim) ", false, "sum \r\r\r\n(shim) news\r\n42\r\n", "sum 42\n", "news|");
    expect("(shim) ", false, "sum \r\r\r\n(d2) hello\r\n42\r\n", "sum \n(d2) hello\n42\n", "");
    expect("(shim) ", false, "sum\r\r\r\n", "sum", "");
}

Test(demux, half_a_line_at_the_end)
{
    expect("(shim) ", false, "prompt> (shim) dying", "prompt> ", "dying|");
}

Test(demux, half_lines_pass_at_once)
{
    struct got g = {"", "", ""};
    struct demux_sink sink = {guest, hypervisor, raw, &g};
    struct demux d;

    demux_init(&d, &sink, "(shim) ", false);
    demux_feed(&d, "login: ", 7);
    cr_assert_str_eq(g.guest, "login: ");
}

Test(demux, long_hypervisor_lines_come_in_pieces)
{
    struct got g = {"", "", ""};
    struct demux_sink sink = {guest, hypervisor, raw, &g};
    struct demux d;

    demux_init(&d, &sink, "(shim) ", false);
    demux_feed(&d, "(shim) ", 7);
    for (int i = 0; i < 2500; i++)
        demux_feed(&d, "x", 1);
    demux_feed(&d, "\n", 1);
    cr_assert_eq(strlen(g.hypervisor), 2500 + 3);
}
