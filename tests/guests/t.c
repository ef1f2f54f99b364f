/* SPDX-License-Identifier: MIT */
/*
 * Walks a table of tests and prints the verdicts; helpers that several images share.
 */
#include "t.h"

static struct {
    bool failed;
    const char *na;
    char why[200];
} now;

const uint64_t t_bad[] = {
    0,                  /* null: nothing is mapped there */
    1,                  /* and unaligned */
    0x10000200123,      /* an empty part of the window */
    0x0000800000000000, /* not canonical */
    0x00007ffffffffffc, /* runs into the hole */
    0xffff800000000000, /* the hypervisor's: the M2P */
    0xffff82d080200000, /* its text */
    0xffff830000000000, /* its direct map */
    0xffff87fffffffff8, /* its last bytes */
    0xfffffffffffffff8, /* wraps around */
};
const unsigned t_nr_bad = sizeof(t_bad) / sizeof(t_bad[0]);

volatile uint64_t *t_l1;

void t_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    const char *base = file;

    if (now.failed)
        return;
    now.failed = true;
    for (const char *p = file; *p; p++) {
        if (*p == '/')
            base = p + 1;
    }
    int n = rt_snprintf(now.why, sizeof(now.why), "%s:%d: ", base, line);
    va_start(ap, fmt);
    rt_vsnprintf(now.why + n, sizeof(now.why) - (size_t)n, fmt, ap);
    va_end(ap);
}

bool t_eq(const char *file, int line, const char *what, int64_t got, int64_t want)
{
    if (got == want)
        return true;
    if (got > -4096 && got < 4096 && want > -4096 && want < 4096)
        t_fail(file, line, "%s is %ld, wanted %ld", what, got, want);
    else
        t_fail(file, line, "%s is %lx, wanted %lx", what, got, want);
    return false;
}

void t_na(const char *why)
{
    now.na = why;
}

bool t_failed(void)
{
    return now.failed;
}

void t_run(const char *image, const struct test *tests, unsigned n)
{
    char only[64] = "";
    unsigned passed = 0, failed = 0, skipped = 0;

    rt_value("only", only, sizeof(only));
    for (unsigned i = 0; i < n; i++) {
        if (only[0] && strcmp(only, tests[i].name))
            continue;
        if (rt_option("verbose"))
            rt_printf("begin %s\n", tests[i].name);
        now.failed = false;
        now.na = NULL;
        tests[i].fn();
        if (now.failed) {
            rt_printf("TEST %s.%s FAIL %s\n", image, tests[i].name, now.why);
            failed++;
        } else if (now.na) {
            rt_printf("TEST %s.%s NA %s\n", image, tests[i].name, now.na);
            skipped++;
        } else {
            rt_printf("TEST %s.%s PASS\n", image, tests[i].name);
            passed++;
        }
    }
    rt_printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
}

void t_window(void)
{
    t_l1 = rt_build_l1(WIN);
}

void t_flush(void)
{
    T_EQ(rt_mmuext(XEN_MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
}

bool t_absent(uint64_t va)
{
    return RT_TRY("movb (%0), %%al", ::"r"(va) : "rax", "memory") == 14;
}

bool t_readonly(uint64_t va)
{
    return RT_TRY("movb (%0), %%al\n\tmovb %%al, (%0)", ::"r"(va) : "rax", "memory") == 14;
}

uint16_t t_domid(void)
{
    struct xen_evtchn_alloc_unbound a = {.dom = XEN_DOMID_SELF, .remote_dom = XEN_DOMID_SELF};
    int64_t ret = rt_evtchn(XEN_EVTCHNOP_alloc_unbound, &a);
    struct xen_evtchn_status s = {.dom = XEN_DOMID_SELF, .port = a.port};

    if (!ret)
        ret = rt_evtchn(XEN_EVTCHNOP_status, &s);
    if (ret)
        rt_panic("own domain id: %ld", ret);
    rt_close(a.port);
    return s.u.unbound.dom;
}

void t_spin(uint64_t ns)
{
    for (uint64_t end = rt_now() + ns; rt_now() < end;)
        __asm__ volatile("pause");
}
