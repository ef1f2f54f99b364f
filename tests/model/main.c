/* SPDX-License-Identifier: MIT
 *
 * main.c - the model test: a million random memory operations, audited.
 *
 *   memory [-n OPERATIONS] [-s SEED] [-v]
 *
 * After each batch: frame_audit() recomputes all counts, model_compare() holds every frame and
 * every word against the model, hosted_tlb_check() looks for translations that should have been
 * flushed. Interrupts come at random in half of the batches, so that long work stops and
 * resumes. At the end each guest dies, and nothing of it may remain. A fifth as many operations
 * follow in which long work is cut short (chaos.c).
 */
#include "chaos.h"
#include "ops.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 150, LIFE = 400 /* batches of a machine */ };

static uint64_t fired[RULES]; /* on all machines */

static void machine(void)
{
    hosted_init(FRAMES);
    hosted.quiet = true;
    hosted.no_ad = true;
    hosted.host_pointers = true;
    hv.noexit = 1;
    for (unsigned id = 1; id <= GUESTS; id++)
        frame_share(frame_hv_alloc(0), hosted_guest((uint16_t)id, GUEST_PAGES, 1)->d, false);
    model_init();
}

static void check(void)
{
    unsigned bad = frame_audit(), stale = hosted_tlb_check();

    if (!model_compare() || bad || stale) {
        fprintf(stderr, "after %lu operations: %u counts differ, %u stale translations\n%s\n",
                stats.ops, bad, stale, hosted.console);
        abort();
    }
    hosted.console_used = 0;
}

static void end_of_all(void)
{
    uint64_t before = frame_free_count();

    for (unsigned r = 0; r < RULES; r++)
        fired[r] += reason_counts[r];

    hosted.interrupt_every = 3;
    for (unsigned id = 1; id <= GUESTS; id++)
        domain_shutdown(hv.domain[id], 0);
    for (unsigned id = 1; id <= GUESTS; id++) {
        domain_bury();
        domain_bury();
    }
    for (unsigned i = 0; i < 100000 && hv.ended < GUESTS; i++)
        domain_bury();
    hosted.interrupt_every = 0;
    if (hv.ended < GUESTS || frame_audit() || frame_free_count() <= before) {
        fprintf(stderr, "%u guests buried; %lu frames free, %lu before\n", hv.ended,
                frame_free_count(), before);
        abort();
    }
    for (unsigned id = 1; id <= GUESTS; id++)
        if (hv.domain[id]->pages) {
            fprintf(stderr, "domain %u is dead and has %lu pages\n", id, hv.domain[id]->pages);
            abort();
        }
}

/* Rules that this test cannot break: they take a granter that runs at the same time, or a domain
 * that has just ended (tests/unit/core/grant_test.c). */
static bool reachable(unsigned rule)
{
    return rule != RULE_GRANT_UNSTABLE && rule != RULE_GRANT_DYING;
}

/* How many reachable rules were not broken often enough. */
static unsigned report(bool verbose, double seconds)
{
    unsigned rare = 0;

    printf("%lu operations in %.1f s, %lu %% of them succeeded\n", stats.ops, seconds,
           stats.good * 100 / stats.ops);
    for (unsigned i = 0; verbose && i < op_kinds(); i++)
        printf("  %-20s %8lu, %8lu good\n", op_name(i), stats.kind_ops[i], stats.kind_good[i]);
    for (unsigned r = RULE_PT_FLAGS_L1; r <= RULE_PT_WRITE_PLACE; r++) {
        if (r >= RULE_CONTROL_FRAME && r <= RULE_CONTROL_STORE_ROOM)
            continue; /* the host's, not the guests' */
        if (verbose || fired[r] < 100)
            printf("  rule %-24s fired %lu times\n", rule_name(r), fired[r]);
        rare += fired[r] < 100 && reachable(r);
    }
    printf("%u of the reachable memory rules fired less than 100 times\n", rare);
    return rare;
}

int main(int argc, char **argv)
{
    uint64_t count = 1000000, seed = 20250101;
    bool verbose = false;
    unsigned rare;
    clock_t start = clock();
    int option;

    while ((option = getopt(argc, argv, "n:s:v")) != -1)
        switch (option) {
        case 'n':
            count = strtoull(optarg, NULL, 0);
            break;
        case 's':
            seed = strtoull(optarg, NULL, 0);
            break;
        case 'v':
            verbose = true;
            break;
        default:
            fprintf(stderr, "usage: memory [-n OPERATIONS] [-s SEED] [-v]\n");
            return 2;
        }
    printf("seed %lu (-s), %lu operations (-n)\n", seed, count);
    fflush(stdout);
    random_seed(seed);
    for (unsigned batch = 0; stats.ops < count; batch++) {
        struct mdomain *d = &mdomain[1 + random_below(GUESTS)];

        if (batch % LIFE == 0)
            machine();
        hosted_run(d->v);
        hosted.interrupt_every = chance(50) ? 0 : 1 + (unsigned)random_below(5);
        for (unsigned i = 0; i < BATCH; i++)
            random_op(d);
        hosted.interrupt_every = 0;
        check();
        if (batch % LIFE == LIFE - 1 || stats.ops >= count)
            end_of_all();
    }
    chaos(count / 5, fired);
    rare = report(verbose, (double)(clock() - start) / CLOCKS_PER_SEC);
    printf("ok 1 - %lu random operations agree with the model\n"
           "ok 2 - long work that is cut short leaves no trace\n",
           stats.ops);
    if (count < 1000000)
        printf("ok 3 - # SKIP rules are only counted in a million operations\n1..3\n");
    else
        printf("%sok 3 - every reachable rule fired 100 times, 30 %% of the operations succeeded\n"
               "1..3\n",
               rare || stats.good * 100 < stats.ops * 30 ? "not " : "");
    hosted_exit();
    return count >= 1000000 && rare;
}
