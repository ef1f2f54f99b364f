/* SPDX-License-Identifier: MIT */
/*
 * text.c - formatting, the console ring, the command line, names of errors.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include "fake.h"

static void setup(void)
{
    fake_reset();
}

TestSuite(format, .init = setup);
TestSuite(console, .init = setup);
TestSuite(cmdline, .init = setup);

/* The C library is the judge of what both understand. */
#define SAME(...)                                                               \
    do {                                                                        \
        char ours[128], theirs[128];                                            \
        size_t n = pv_format(ours, sizeof(ours), __VA_ARGS__);                  \
        cr_assert_eq(n, (size_t)snprintf(theirs, sizeof(theirs), __VA_ARGS__)); \
        cr_assert_str_eq(ours, theirs);                                         \
    } while (0)

Test(format, as_printf)
{
    SAME("plain %% text");
    SAME("%s|%10s|%-10s|%.2s|%c", "abc", "abc", "abc", "abc", 'x');
    SAME("%d %d %d", 0, -1, -2147483647 - 1);
    SAME("%5d|%-5d|%05d|%05d", 42, 42, 42, -42);
    SAME("%u %x %08x", 4000000000u, 0xdeadbeefu, 0xbeefu);
    SAME("%lu %lx %ld %016lx", ~0ul, ~0ul, -1l, 0x1234ul);
    SAME("%lld %llu %zu", -5ll, 5ull, sizeof(int));
    SAME("%p", (void *)0x1234);
    SAME("%.*s|%*d", 3, "abcdef", 6, 7);
}

/* The compiler must not know. */
static const char *volatile volatile_null;

Test(format, stays_within_its_buffer)
{
    char out[8] = "1234567";

    cr_assert_eq(pv_format(out, 4, "%s", "abcdef"), 6);
    cr_assert_str_eq(out, "abc");
    cr_assert_eq(out[4], '5');
    cr_assert_eq(pv_format(out, 0, "%s", "abcdef"), 6);
    cr_assert_eq(pv_format(NULL, 0, "%d", 12), 2);
    cr_assert_eq(pv_format(out, 8, "%s", volatile_null), 6);
    cr_assert_str_eq(out, "(null)");
}

Test(console, the_first_domain_writes_by_hypercall)
{
    fake_start.flags = XEN_SIF_INITDOMAIN;
    pv_console_init(&fake_start);
    pv_printf("hello %d\n", 5);
    cr_assert_eq(fake.calls, 1);
    cr_assert_eq(fake.call[0].nr, XEN_HYPERVISOR_console_io);
    cr_assert_eq(fake.call[0].arg[1], 8);
    cr_assert_arr_eq(fake.call[0].bytes, "hello 5\n", 8);
}

static struct xencons_interface *ring;

static void open_ring(void)
{
    fake_start.console.domU.mfn = fake_mfn(20);
    fake_start.console.domU.evtchn = 2;
    ring = (void *)fake_memory[20];
    memset(ring, 0, sizeof(*ring));
    ring->out_cons = ring->out_prod = ring->in_cons = ring->in_prod = 0xfffffff0;
    pv_console_init(&fake_start);
}

Test(console, another_writes_into_its_ring)
{
    open_ring();
    cr_assert_eq(pv_console_write("0123456789abcdef0123456789", 26), 26);
    cr_assert_eq(ring->out_prod, 10, "across the wrap of the index");
    cr_assert_arr_eq(&ring->out[0xfffffff0 % sizeof(ring->out)], "0123456789abcdef", 16);
    cr_assert_arr_eq(ring->out, "0123456789", 10);
    cr_assert_eq(fake.call[0].nr, XEN_HYPERVISOR_event_channel_op);
    cr_assert_eq(pv_console_port(), 2);
}

/* The back-end reads a little whenever we wait. */
static int64_t slow_reader(uint64_t nr, const uint64_t *arg)
{
    (void)arg;
    if (nr == XEN_HYPERVISOR_sched_op)
        ring->out_cons += 100;
    return 0;
}

Test(console, a_full_ring_waits_but_not_for_ever)
{
    static char text[5000];

    open_ring();
    memset(text, 'x', sizeof(text));
    fake.answer = slow_reader;
    cr_assert_eq(pv_console_write(text, sizeof(text)), sizeof(text));
    fake.answer = NULL;
    ring->out_cons = ring->out_prod - sizeof(ring->out);
    cr_assert_eq(pv_console_write(text, 10), 0, "a reader that is dead loses text");
    ring->out_cons = ring->out_prod + 1;
    cr_assert_eq(pv_console_write(text, 10), 0, "one that lies, too");
}

Test(console, reading)
{
    char text[16] = "";

    open_ring();
    cr_assert_eq(pv_console_read(text, sizeof(text)), 0);
    for (unsigned i = 0; i < 20; i++)
        ring->in[(ring->in_prod + i) % sizeof(ring->in)] = (char)('a' + i);
    ring->in_prod += 20;
    cr_assert_eq(pv_console_read(text, 16), 16);
    cr_assert_arr_eq(text, "abcdefghijklmnop", 16);
    cr_assert_eq(pv_console_read(text, 16), 4);
    ring->in_prod = ring->in_cons + sizeof(ring->in) + 1;
    cr_assert_eq(pv_console_read(text, 16), 0, "more than fits is nothing");
}

static void option(const char *line, const char *name, const char *want)
{
    size_t len;
    const char *got;

    strcpy((char *)fake_start.cmd_line, line);
    got = pv_start_option(name, &len);
    if (!want) {
        cr_assert_null(got, "'%s' in '%s'", name, line);
        return;
    }
    cr_assert_not_null(got, "'%s' in '%s'", name, line);
    cr_assert_eq(len, strlen(want), "'%s' in '%s' is %zu long", name, line, len);
    cr_assert_eq(strncmp(got, want, len), 0);
}

Test(cmdline, options)
{
    option("", "a", NULL);
    option("a", "a", "");
    option("a=1", "a", "1");
    option("b a=1 c", "a", "1");
    option("b a=1 c", "b", "");
    option("b a=1 c", "c", "");
    option("  a=1   a=22  ", "a", "22");
    option("aa=1", "a", NULL);
    option("ba=1", "a", NULL);
    option("b=a=1", "a", NULL);
    option("ab a", "a", "");
    option("a= b", "a", "");
    option("role=front peer=2", "peer", "2");
}

Test(cmdline, numbers)
{
    strcpy((char *)fake_start.cmd_line,
           "a=12 b=0x1F c=0xff d=12x e= f=18446744073709551615 g=18446744073709551616 h");
    cr_assert_eq(pv_start_number("a", 9), 12);
    cr_assert_eq(pv_start_number("b", 9), 9, "digits are small letters");
    cr_assert_eq(pv_start_number("c", 9), 255);
    cr_assert_eq(pv_start_number("d", 9), 9);
    cr_assert_eq(pv_start_number("e", 9), 9);
    cr_assert_eq(pv_start_number("f", 9), ~0ull);
    cr_assert_eq(pv_start_number("g", 9), 9);
    cr_assert_eq(pv_start_number("h", 9), 9);
    cr_assert_eq(pv_start_number("i", 9), 9);
}

Test(cmdline, error_names)
{
    cr_assert_str_eq(pv_error_name(0), "ok");
    cr_assert_str_eq(pv_error_name(-XEN_EINVAL), "EINVAL");
    cr_assert_str_eq(pv_error_name(XEN_ESRCH), "ESRCH");
    cr_assert_str_eq(pv_error_name(-12345), "unknown error");
}
