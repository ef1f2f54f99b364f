/* SPDX-License-Identifier: MIT */
/*
 * pair.c - the machine of pair.h: libpv's way into the hypervisor, the hooks of a small kernel, and
 * the running of essays.
 */
#include "pair.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "backend/net.h"
#include "backend/xenstore.h"
#include "core/event.h"
#include "core/sched.h"
#include "core/timer.h"

struct pair pair;
struct hosted_guest *g;
struct xen_start_info *si;

void pair_fail(const char *file, int line, const char *what)
{
    printf("# %s:%d: %s\n", file, line, what);
    fflush(stdout);
    _exit(1);
}

/* The way into the hypervisor --------------------------------------------------------------- */

static void upcall(void)
{
    struct xen_vcpu_info *info = g->v->info;

    if (!info->evtchn_upcall_pending || info->evtchn_upcall_mask || !pv_machine.shared)
        return;
    info->evtchn_upcall_mask = 1;
    pv_event_dispatch(NULL);
    info->evtchn_upcall_mask = 0;
}

/* What the hypervisor does before it goes back to the guest; asleep, the guest waits for that. */
static void machine_turn(void)
{
    while (hv.cpu[0].work & CPU_WORK_NET) {
        hv.cpu[0].work = 0;
        net_run();
    }
    while (g->v->state == VCPU_BLOCKED) {
        if (pair.world && pair.world())
            continue;
        if (hosted.timer == UINT64_MAX)
            pair_fail(__FILE__, __LINE__, "nothing is left that could wake the guest");
        hosted.now = hosted.timer;
        pair.naps++;
        timer_run(hosted.now);
    }
    if (g->v->state == VCPU_RUNNABLE)
        hosted_run(g->v);
}

int64_t pv_trap(uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    long rc;

    (void)a5;
    if (nr < ROWS)
        pair.made[nr]++;
    pair.calls++;
    rc = hosted_call(g->v, nr, a1, a2, a3, a4);
    machine_turn();
    hosted_sync();
    upcall();
    return rc;
}

uint64_t pv_cpu_tsc(void)
{
    return plat_tsc();
}

void pv_cpu_id(uint32_t leaf, uint32_t subleaf, struct pv_cpuid *out)
{
    (void)leaf, (void)subleaf;
    memset(out, 0, sizeof(*out));
}

/* The kernel: hooks of host.h --------------------------------------------------------------- */

pfn_t pv_host_page_alloc(void)
{
    return pair.free_pages ? pfn(pair.free_page[--pair.free_pages]) : PV_PFN_INVALID;
}

void pv_host_page_free(pfn_t frame)
{
    /* It must be ordinary memory again. */
    memset(pv_host_page_va(frame), 0x99, PV_PAGE_SIZE);
    pair.free_page[pair.free_pages++] = frame.n;
}

void *pv_host_window_alloc(unsigned pages)
{
    void *va = (void *)hosted_va(WINDOWS + pair.windows);

    pair.windows += pages;
    return pair.windows <= FIRST_FREE - WINDOWS ? va : NULL;
}

_Noreturn void pv_host_panic(const char *why)
{
    pair_fail("libpv", 0, why);
}

static void boot(void)
{
    hosted_init(8192);
    hosted.quiet = hosted.host_pointers = true;
    hv.noexit = 1;
    if (pair.before)
        pair.before();
    g = hosted_guest(1, PAGES, 2);
    hosted_run(g->v);
    hosted_window(HOSTED_BASE, PAGES);
    hosted_window(USER, 512);
    for (uint64_t i = g->l4 - 1; i >= FIRST_FREE; i--)
        pair.free_page[pair.free_pages++] = i;
    si = (void *)hosted_va(INFO);
    memset(si, 0, PV_PAGE_SIZE);
    si->nr_pages = PAGES;
    si->shared_info = mfn_to_maddr(g->d->shared_mfn);
    si->console.domU.mfn = hosted_mfn(g, CONSOLE).n;
    memset((void *)hosted_va(STORE), 0, PV_PAGE_SIZE);
    g->d->store_port = evtchn_bind_backend(g->d, BACKEND_STORE);
    xenstore_attach(g->d, hosted_page(g, STORE));
    si->store_mfn = hosted_mfn(g, STORE).n;
    si->store_evtchn = g->d->store_port;
    si->pt_base = hosted_va(g->l4);
    si->nr_pt_frames = g->tables;
    si->mfn_list = (uintptr_t)g->p2m;
    strcpy((char *)si->cmd_line, "role=front");
    pv_machine.m2p = frame_m2p;
    WANT(pv_start_init(si, (void *)HOSTED_BASE) == 0);
}

static bool passes(void (*run)(void))
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        boot();
        run();
        if (frame_audit() != 0)
            pair_fail(__FILE__, __LINE__, "the audit finds wrong counts");
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return status == 0;
}

unsigned pair_run(const struct pair_essay *essays, unsigned n)
{
    unsigned failed = 0;

    pair.made = mmap(NULL, ROWS * sizeof(*pair.made), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < n; i++) {
        bool ok = passes(essays[i].run);

        printf("%sok %u - %s\n", ok ? "" : "not ", i + 1, essays[i].what);
        failed += !ok;
    }
    return failed;
}
