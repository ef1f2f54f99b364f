/* SPDX-License-Identifier: MIT
 *
 * console_test.c - consoles' rings, the terminal that guests share, the log, reasons as
 * sentences, and the view of the host.
 */
#include "exec_fixture.h"
#include "core/hostview_publish.h"
#include "core/log.h"
#include "core/text.h"
#include <pv/abi/console.h>
#include <setjmp.h>
#include <stdio.h>

TestSuite(console, .init = exec_setup, .fini = exec_teardown);

static struct xencons_interface *ring(struct hosted_guest *who)
{
    struct xencons_interface *r = hosted_page(who, 6);

    if (!who->d->console_port) {
        memset(r, 0, sizeof(*r));
        who->d->console_port = evtchn_bind_backend(who->d, BACKEND_CONSOLE);
        console_attach(who->d, r);
    }
    return r;
}

static void say(struct hosted_guest *who, const char *text)
{
    struct xencons_interface *r = ring(who);

    for (; *text; text++)
        r->out[r->out_prod++ % sizeof(r->out)] = *text;
    console_notified(who->d);
}

static const char *shown(void)
{
    static char text[1 << 16];

    memcpy(text, hosted.console, hosted.console_used);
    text[hosted.console_used] = 0;
    hosted.console_used = 0;
    return text;
}

Test(console, the_first_guest_is_shown_as_it_writes)
{
    shown();
    say(g, "one, ");
    cr_assert_str_eq(shown(), "one, ");
    cr_assert_eq(ring(g)->out_cons, ring(g)->out_prod);
    cr_assert(bit(g->d->shared->evtchn_pending, g->d->console_port),
              "it is told that there is room");
    say(g, "two\n");
    cr_assert_str_eq(shown(), "two\n");
    cr_assert_eq(memcmp(g->d->console->kept, "one, two\n", 9), 0);
}

Test(console, others_are_shown_in_whole_lines)
{
    shown();
    say(other, "half");
    cr_assert_str_eq(shown(), "");
    say(other, " a line\r\nand ");
    cr_assert_str_eq(shown(), "(d2) half a line\n");
    say(g, "prompt> ");
    say(other, "more\n");
    cr_assert_str_eq(shown(), "prompt> \r\r\n(d2) and more\n");
    hv_log("one\ntwo\n");
    cr_assert_str_eq(shown(), "(shim) one\n(shim) two\n");
    for (unsigned i = 0; i < CONSOLE_LINE + 5; i++)
        say(other, "x");
    cr_assert_eq(strlen(shown()), CONSOLE_LINE + 6, "a long line is cut");
    console_detach(other->d);
    cr_assert_str_eq(shown(), "(d2) xxxxx\n", "and the rest is not lost at the end");
}

Test(console, a_ring_wraps)
{
    char text[1501];

    memset(text, 'a', 1500);
    text[1500] = 0;
    ring(g)->out_prod = ring(g)->out_cons = 0xfffffff0;
    shown();
    say(g, text);
    say(g, text);
    cr_assert_eq(strlen(shown()), 3000);
    cr_assert_eq(g->d->console->kept_produced, 3000);
}

Test(console, a_ring_that_makes_no_sense_is_broken_for_good)
{
    shown();
    ring(g)->out_prod = 3000;
    console_notified(g->d);
    cr_assert(g->d->console->broken);
    cr_assert_eq(last_of(g)->rule, RULE_CONSOLE_RING);
    ring(g)->out_prod = 3;
    console_notified(g->d);
    cr_assert_eq(ring(g)->out_cons, 0);
    ring(other)->in_prod = 5000;
    hosted.input = "\1\1\1x";
    console_input(); /* goes to the other now, whose input side makes no sense */
    cr_assert(other->d->console->broken);
    cr_assert_eq(g->d->state, DOMAIN_RUNNING);
    console_detach(g->d);
    console_notified(g->d); /* detached: nothing happens */
}

Test(console, an_input_side_that_makes_no_sense)
{
    ring(g)->in_prod = 9000;
    console_notified(g->d);
    cr_assert(g->d->console->broken);
    cr_assert_eq(last_of(g)->rule, RULE_CONSOLE_RING);
    console_guest_write(g->d, "", 0);
    hosted.input = "lost";
    console_input();
    cr_assert_eq(ring(g)->in_prod, 9000);
}

Test(console, input_for_a_guest_without_a_ring)
{
    g->d->console_port = 0;
    hosted.input = "early";
    console_input();
    cr_assert_eq(g->d->console->input_tail, 5);
    ring(g);
    console_notified(g->d);
    cr_assert_eq(ring(g)->in_prod, 5, "it was kept");
}

Test(console, input_goes_to_the_guest_in_focus)
{
    ring(g), ring(other);
    hosted.input = "hello";
    console_input();
    cr_assert_eq(ring(g)->in_prod, 5);
    cr_assert_eq(memcmp(ring(g)->in, "hello", 5), 0);
    cr_assert(bit(g->d->shared->evtchn_pending, g->d->console_port));
    say(other, "waiting");
    shown();
    hosted.input = "\1\1\1!";
    console_input();
    cr_assert_str_eq(shown(), "(d2) waiting\n(shim) input goes to d2 (hosted)\n");
    cr_assert_eq(ring(other)->in[0], '!');
    say(other, "raw ");
    cr_assert_str_eq(shown(), "raw ");
    hosted.input = "\1\1a"; /* not three in a row */
    console_input();
    cr_assert_eq(ring(other)->in[1], 'a');
    hosted.input = "\1\1\1";
    console_input();
    cr_assert(strstr(shown(), "input goes to d1"));
    other->d->state = DOMAIN_PAUSED; /* nobody else is there */
    hosted.input = "\1\1\1";
    console_input();
    cr_assert_str_eq(shown(), "");
    other->d->state = DOMAIN_RUNNING;
}

Test(console, input_without_room_is_kept_then_lost)
{
    static char many[2001];
    struct xencons_interface *r = ring(g);

    memset(many, 'k', 2000);
    hosted.input = many;
    console_input();
    cr_assert_eq(r->in_prod, 1024);
    cr_assert_eq(g->d->console->input_tail - g->d->console->input_head, CONSOLE_INPUT);
    r->in_cons = 1024;
    console_notified(g->d);
    cr_assert_eq(r->in_prod, 1024 + CONSOLE_INPUT);
    hv.cpu[0].work = CPU_WORK_CONSOLE;
    hosted.input = "z";
    hv_interrupt(v);
    cr_assert_eq(r->in_prod, 1024 + CONSOLE_INPUT + 1);
}

/* -- text ------------------------------------------------------------------------------- */

Test(console, text_formats_as_printf_does)
{
    char mine[128], theirs[128];

#define SAME(...)                                               \
    do {                                                        \
        int a_ = text_format(mine, sizeof(mine), __VA_ARGS__);  \
        int b_ = snprintf(theirs, sizeof(theirs), __VA_ARGS__); \
        cr_assert_str_eq(mine, theirs);                         \
        cr_assert_eq(a_, b_);                                   \
    } while (0)
    SAME("%d %d %d", 0, -1, 2147483647);
    SAME("%ld %lu %lx", -9223372036854775807L, ~0ul, 0xdeadbeeful);
    SAME("%5d|%-5d|%05d|%-5s|%5s|%c|%3c", 42, 42, -42, "ab", "cd", 'e', 'f');
    SAME("%08x %u %zu %llx", 0xabc, 7u, (size_t)9, 0x1ffffffffull);
    SAME("100%% %s", "sure");
#undef SAME
    cr_assert_eq(text_format(mine, 4, "%s", "abcdef"), 6);
    cr_assert_str_eq(mine, "abc");
    cr_assert_eq(text_format(mine, 0, "abc"), 3);
    text_format(mine, sizeof(mine), "%p", (void *)0x1234);
    cr_assert_str_eq(mine, "1234");
    text_copy(mine, "abcdef", 4);
    cr_assert_str_eq(mine, "abc");
    cr_assert(text_equal("a", "a"));
    cr_assert_not(text_equal("a", "ab"));
    cr_assert_not(text_equal("ab", "a"));
}

static int format_broken(char *buf, size_t n, const char *fmt, ...)
{
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = text_vformat(buf, n, fmt, ap);
    va_end(ap);
    return len;
}

Test(console, text_survives_a_broken_format)
{
    char buf[32];

    format_broken(buf, sizeof(buf), "%s %q %", (char *)NULL);
    cr_assert_str_eq(buf, "(null) q ");
}

Test(console, a_long_message_is_cut_and_still_a_line)
{
    char text[600];

    memset(text, 'm', 599);
    text[599] = 0;
    shown();
    hv_log("%s", text);
    cr_assert_eq(shown()[406 - 1], '\n', "prefix, 398 bytes, newline");
    cr_assert_eq(hostview.log_produced, hv_log_produced);
}

/* -- reasons ------------------------------------------------------------------------------ */

Test(console, every_rule_makes_a_sentence)
{
    for (unsigned rule = 0; rule <= RULES; rule++) {
        struct reason r = {
            .rule = (uint16_t)rule, .err = rule % 2 ? -22 : 0, .owner = (uint16_t)rule};
        char text[400], small[10];
        int n = reason_format(text, sizeof(text), &r);

        cr_assert(n > 10 && n < 399, "%u: %s", rule, text);
        cr_assert_null(strchr(text, '{'), "%s", text);
        cr_assert_eq(reason_format(small, sizeof(small), &r), n);
        cr_assert_eq(strlen(small), 9);
    }
    cr_assert_str_eq(rule_name(RULES), "UNKNOWN");
    cr_assert_eq(rule_errno(RULES), 0);
}

Test(console, owners_and_types_by_name)
{
    const struct {
        uint16_t owner;
        uint8_t type;
        const char *text;
    } cases[] = {{3, FRAME_L4, "(owner domain 3, type L4 table)"},
                 {XEN_DOMID_XEN, FRAME_WRITABLE, "(owner the hypervisor, type writable)"},
                 {XEN_DOMID_IO, 99, "(owner a device, type unknown)"},
                 {DOMID_NONE, FRAME_NONE, "(owner nobody, type none)"}};
    char text[300];

    for (unsigned i = 0; i < PV_ARRAY_SIZE(cases); i++) {
        struct reason r = {.rule = RULE_VCPU_INFO_FRAME,
                           .mfn = 0x123,
                           .owner = cases[i].owner,
                           .frame_type = cases[i].type,
                           .err = -22};

        reason_format(text, sizeof(text), &r);
        cr_assert(strstr(text, cases[i].text), "%s", text);
        cr_assert(strstr(text, "VCPU_INFO_FRAME"), "%s", text);
        cr_assert(strstr(text, "0x123"), "%s", text);
    }
}

Test(console, the_ring_keeps_the_first_and_the_last)
{
    for (unsigned i = 0; i < REASON_RING + 10; i++)
        refuse(v, RULE_POLL_COUNT, .value = i);
    cr_assert_eq(g->d->reasons.count, REASON_RING + 10);
    cr_assert_eq(g->d->reasons.first.value, 0);
    cr_assert_eq(last_of(g)->value, REASON_RING + 9);
    cr_assert_eq(reason_counts[RULE_POLL_COUNT], REASON_RING + 10);
}

Test(console, printing_is_bounded_and_says_so)
{
    unsigned lines = 0;

    shown();
    for (unsigned i = 0; i < 100; i++)
        refuse_domain(g->d, RULE_POLL_COUNT, .value = i);
    for (const char *p = shown(); *p; p++)
        lines += *p == '\n';
    cr_assert_eq(lines, 16);
    hosted.now += 2000000000;
    refuse(v, RULE_POLL_COUNT, .value = 1);
    cr_assert(strstr(shown(), "84 more reasons"));
    hosted.now += 3600000000000;
    refuse(v, RULE_POLL_COUNT, .value = 1);
    cr_assert(strstr(shown(), "POLL_COUNT"));
    hv.quiet = 1;
    refuse(v, RULE_POLL_COUNT, .value = 2);
    cr_assert_str_eq(shown(), "");
    refuse(v, RULE_BOUNCE_STACK, .va = 2);
    cr_assert(strstr(shown(), "ends: BOUNCE_STACK"), "an end is always told");
}

Test(console, a_reason_knows_the_frame)
{
    refuse(v, RULE_VCPU_INFO_FRAME, .mfn = g->p2m[g->l4]);
    cr_assert_eq(last_of(g)->owner, 1);
    cr_assert_eq(last_of(g)->frame_type, FRAME_L4);
    cr_assert_gt(last_of(g)->refs, 0);
    refuse(v, RULE_VCPU_INFO_FRAME, .mfn = 1ull << 50);
    cr_assert_eq(last_of(g)->owner, DOMID_NONE);
}

/* -- the host's view ------------------------------------------------------------------------- */

Test(console, the_view_is_complete_and_even)
{
    uint64_t sequence = hostview.sequence;

    hostview_init(1 << 30, 1ull << 32);
    cr_assert_eq(hostview.sequence, sequence + 2);
    cr_assert_eq(hostview.magic, HOSTVIEW_MAGIC);
    cr_assert_eq(hostview.low_size, 1 << 30);
    cr_assert_eq(hostview.domains, 2);
    cr_assert_eq(hostview.domain[1].domid, 2);
    cr_assert_eq(hostview.domain[1].pages, other->d->pages);
    cr_assert_eq(hostview.domain[0].console_size, CONSOLE_KEPT);
    cr_assert_eq(hostview.rules, RULES);
    hosted.now += 1000;
    hostview_refresh(hosted.now);
    cr_assert_eq(hostview.sequence, sequence + 2, "not every microsecond");
    hosted.now += 200000000;
    v->runstate.state = XEN_RUNSTATE_running;
    v->runstate.state_entry_time = hosted.now - 100;
    hostview_refresh(hosted.now);
    cr_assert_eq(hostview.sequence, sequence + 4);
    cr_assert_geq(hostview.domain[0].cpu_ns, 100);
}

Test(console, our_own_mistakes_stop_the_machine, .exit_code = HOSTVIEW_EXIT_PANIC)
{
    hv_bug("here.c", 7, "two is three");
}

Test(console, so_does_a_boot_that_cannot_be, .exit_code = HOSTVIEW_EXIT_PANIC)
{
    hv_panic("no %s", "memory");
}
