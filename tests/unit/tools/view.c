/* SPDX-License-Identifier: MIT
 *
 * A shim's memory seen from the host: a well-made page is read, and no damage to it makes
 * the tool read outside of the file.
 */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/pvctl/config.h"
#include "tools/pvctl/say.h"
#include "tools/pvctl/verdict.h"
#include "tools/pvctl/view.h"

enum { RAM = 4 << 20, RING = 0x300000 };

struct fake {
    char dir[64];
    uint8_t *ram;
    struct hostview *page;
    struct reason_ring *ring;
};

static void setup(struct fake *f)
{
    char path[80];
    int fd;

    snprintf(f->dir, sizeof(f->dir), "/tmp/pv-view-XXXXXX");
    cr_assert(mkdtemp(f->dir));
    snprintf(path, sizeof(path), "%s/ram", f->dir);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    cr_assert(fd >= 0 && ftruncate(fd, RAM) == 0);
    f->ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    f->page = (struct hostview *)(void *)(f->ram + HOSTVIEW_ADDRESS);
    f->ring = (struct reason_ring *)(void *)(f->ram + RING);
    *f->page = (struct hostview){.magic = HOSTVIEW_MAGIC,
                                 .version = HOSTVIEW_VERSION,
                                 .size = sizeof(struct hostview),
                                 .low_size = RAM,
                                 .ram_size = RAM,
                                 .rules = RULES,
                                 .ended = 1,
                                 .domains = 2};
    f->page->domain[1] = (struct hostview_domain){
        .domid = 1, .state = HV_DOM_SHUTDOWN, .vcpus = 1, .reasons = RING, .name = "one"};
}

static void teardown(struct fake *f)
{
    char path[80];

    munmap(f->ram, RAM);
    snprintf(path, sizeof(path), "%s/ram", f->dir);
    unlink(path);
    rmdir(f->dir);
}

static void refused(struct fake *f, const char *words)
{
    struct view v;
    char *why;

    cr_assert_eq(view_open(&v, f->dir, &why), -1, "%s", words);
    cr_assert(strstr(why, words), "%s", why);
    free(why);
}

Test(view, reads_reasons)
{
    struct reason r[REASON_RING + 1];
    struct fake f;
    struct view v;
    char *why;

    setup(&f);
    f.ring->count = 3;
    f.ring->entry[2].rule = RULE_HYPERCALL_UNKNOWN;
    cr_assert_eq(view_open(&v, f.dir, &why), 0);
    cr_assert_eq(view_reasons(&v, 1, r, REASON_RING + 1), 3);
    cr_assert_eq(r[2].rule, RULE_HYPERCALL_UNKNOWN);
    /* The ring has gone round: its newest entries, and the first ever before them. */
    f.ring->count = REASON_RING + 5;
    f.ring->first.va = 77;
    cr_assert_eq(view_reasons(&v, 1, r, REASON_RING + 1), REASON_RING + 1);
    cr_assert_eq(r[0].va, 77);
    view_close(&v);
    teardown(&f);
}

Test(view, refuses_what_it_does_not_know)
{
    struct fake f;

    setup(&f);
    f.page->magic++;
    refused(&f, "no shim is to be seen");
    f.page->magic--;
    f.page->version++;
    refused(&f, "another version");
    f.page->version--;
    f.page->rules++;
    refused(&f, "another version");
    f.page->rules--;
    f.page->domains = 1000;
    refused(&f, "damaged");
    f.page->domains = 2;
    f.page->sequence = 1;
    refused(&f, "does not come to rest");
    teardown(&f);
}

/* Records at RING, behind the reasons; their count in the page before. */
Test(view, the_trace_is_read_oldest_first)
{
    static struct trace_record t[TRACE_RECORDS];
    struct trace_record *ring;
    uint64_t *count;
    struct fake f;
    struct view v;
    char *why;

    setup(&f);
    f.page->trace = RING + 0x10000;
    f.page->trace_count = RING + 0xf000;
    ring = (struct trace_record *)(void *)(f.ram + f.page->trace);
    count = (uint64_t *)(void *)(f.ram + f.page->trace_count);
    cr_assert_eq(view_open(&v, f.dir, &why), 0);
    cr_assert_eq(view_trace(&v, t), 0);
    for (*count = 0; *count < TRACE_RECORDS + 10; ++*count)
        ring[*count % TRACE_RECORDS] = (struct trace_record){.class = TRACE_DISK_GO, .a = *count};
    cr_assert_eq(view_trace(&v, t), TRACE_RECORDS);
    cr_assert_eq(t[0].a, 10);
    cr_assert_eq(t[TRACE_RECORDS - 1].a, TRACE_RECORDS + 9);
    *count = 3;
    cr_assert_eq(view_trace(&v, t), 3);
    view_close(&v);
    teardown(&f);
}

Test(view, addresses_stay_within_the_memory)
{
    static const uint64_t wild[] = {
        0,         1, RAM - 8, RAM, UINT64_MAX, UINT64_MAX - 4096, 4ull << 30, (4ull << 30) + 8,
        1ull << 63};
    static struct trace_record t[TRACE_RECORDS];
    struct reason r[REASON_RING + 1];
    struct fake f;
    struct view v;
    char *why;

    setup(&f);
    for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        f.page->domain[1].reasons = wild[i];
        cr_assert_eq(view_open(&v, f.dir, &why), 0);
        cr_assert_eq(view_reasons(&v, 1, r, REASON_RING + 1), 0, "%#lx", (unsigned long)wild[i]);
        view_close(&v);
        f.page->trace = RING;
        f.page->trace_count = wild[i];
        cr_assert_eq(view_open(&v, f.dir, &why), 0);
        cr_assert_leq(view_trace(&v, t), TRACE_RECORDS);
        view_close(&v);
        f.page->trace = wild[i];
        f.page->trace_count = RING;
        cr_assert_eq(view_open(&v, f.dir, &why), 0);
        cr_assert_leq(view_trace(&v, t), TRACE_RECORDS);
        view_close(&v);
        cr_assert_eq(view_open(&v, f.dir, &why), 0);
        cr_assert(!view_at(&v, wild[i], UINT64_MAX));
        cr_assert(!view_at(&v, UINT64_MAX - 1, wild[i] ? wild[i] : 1));
        view_close(&v);
    }
    /* A small "low" part and a lie about its size must not help either. */
    f.page->low_size = 1ull << 62;
    cr_assert_eq(view_open(&v, f.dir, &why), 0);
    cr_assert(!view_at(&v, RAM, 1));
    view_close(&v);
    teardown(&f);
}

Test(view, verdicts)
{
    static const struct {
        uint8_t state, code;
        uint32_t ended;
        int qemu, verdict;
        uint32_t created;
    } t[] = {
        {HV_DOM_SHUTDOWN, 0, 1, 1, EXIT_OK, 1},      {HV_DOM_SHUTDOWN, 0, 1, 0, EXIT_OK, 1},
        {HV_DOM_SHUTDOWN, 1, 1, 1, EXIT_CRASHED, 1}, {HV_DOM_SHUTDOWN, 3, 1, 3, EXIT_CRASHED, 1},
        {HV_DOM_CRASHED, 0, 1, 3, EXIT_CRASHED, 1},  {HV_DOM_RUNNING, 0, 0, 0, EXIT_MACHINE, 1},
        {HV_DOM_NONE, 0, 1, 1, EXIT_MACHINE, 0},     {HV_DOM_SHUTDOWN, 0, 1, 5, EXIT_MACHINE, 1},
        {HV_DOM_NONE, 0, 1, 1, EXIT_OK, 1}, /* it was destroyed */
    };
    struct plan p = {.guests = 1};
    FILE *quiet = fopen("/dev/null", "w");
    struct fake f;

    say_to(quiet);
    setup(&f);
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        f.page->domain[1].state = t[i].state;
        f.page->domain[1].shutdown_code = t[i].code;
        f.page->ended = t[i].ended;
        f.page->created = t[i].created;
        cr_assert_eq(verdict_of_shim(&p, f.dir, W_EXITCODE(t[i].qemu, 0)), t[i].verdict, "case %zu",
                     i);
    }
    teardown(&f);
    say_to(NULL);
    fclose(quiet);
}

Test(verdict, xen_lines)
{
    cr_assert_eq(verdict_of_xen_line("Hardware Dom0 halted: halting machine"), POWERED_OFF);
    cr_assert_eq(verdict_of_xen_line("Hardware Dom0 crashed: 'noreboot' set - not rebooting."),
                 CRASHED);
    cr_assert_eq(verdict_of_xen_line("Hardware Dom0 shutdown: rebooting machine"), REBOOTED);
    cr_assert_eq(verdict_of_xen_line("Hardware Dom0 shutdown: watchdog rebooting machine"),
                 CRASHED);
    cr_assert_eq(verdict_of_xen_line("Panic on CPU 0:"), HYPERVISOR_DIED);
    cr_assert_eq(verdict_of_xen_line("Dom0 has maximum 1 VCPUs"), STILL_RUNNING);
}
