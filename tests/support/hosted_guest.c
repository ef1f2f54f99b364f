/* SPDX-License-Identifier: MIT
 *
 * hosted_guest.c - guests without an image: memory, page tables, a vCPU that runs.
 *
 * The domain is created as the builder does it, its tables are validated and pinned like any
 * others. Tests start where a kernel does, with every page mapped.
 */
#include "hosted.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUESTS = 8 };
static struct hosted_guest made[GUESTS];

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "hosted guest: %s\n", what);
        abort();
    }
}

static void build_tables(struct hosted_guest *g)
{
    uint64_t l1s = (g->pages + PT_ENTRIES - 1) / PT_ENTRIES;
    const uint64_t upper = PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D;
    uint64_t *t;

    g->tables = l1s + 3;
    g->l1 = g->pages - l1s;
    g->l2 = g->l1 - 1;
    g->l3 = g->l1 - 2;
    g->l4 = g->l1 - 3;
    must(l1s < PT_ENTRIES && g->tables < g->pages, "too few pages, or too many");
    for (uint64_t i = g->l4; i < g->pages; i++)
        memset(hosted_page(g, i), 0, PV_PAGE_SIZE);
    ((uint64_t *)hosted_page(g, g->l4))[pt_index(HOSTED_BASE, 4)] = hosted_entry(g, g->l3, upper);
    ((uint64_t *)hosted_page(g, g->l3))[pt_index(HOSTED_BASE, 3)] = hosted_entry(g, g->l2, upper);
    t = hosted_page(g, g->l2);
    for (uint64_t i = 0; i < l1s; i++)
        t[pt_index(HOSTED_BASE, 2) + i] = hosted_entry(g, g->l1 + i, upper);
    for (uint64_t i = 0; i < g->pages; i++) {
        t = hosted_page(g, g->l1 + i / PT_ENTRIES);
        t[i % PT_ENTRIES] = hosted_entry(g, i, i < g->l4 ? upper : PTE_P | PTE_US | PTE_A);
    }
}

struct hosted_guest *hosted_guest(uint16_t domid, uint64_t pages, unsigned vcpus)
{
    struct hosted_guest *g = &made[domid % GUESTS];
    struct vcpu *v;

    free(g->p2m);
    memset(g, 0, sizeof(*g));
    g->pages = pages;
    g->p2m = calloc(pages, sizeof(uint64_t));
    g->d = domain_create(domid, "hosted", pages + 16, vcpus);
    must(g->d && g->d->state == DOMAIN_PAUSED, "no domain");
    g->d->nr_pfns = pages;
    for (unsigned i = 0; i < vcpus; i++)
        must(vcpu_create(g->d, i) != NULL, "no vCPU");
    g->v = v = g->d->vcpu[0];
    for (uint64_t i = 0; i < pages; i++) {
        mfn_t m;

        must(frame_domain_alloc(g->d, 0, &m), "no memory");
        g->p2m[i] = m.n;
        frame_m2p[m.n] = i;
    }
    build_tables(g);
    must(root_pin(v, hosted_mfn(g, g->l4)) == 0, "the root cannot be pinned");
    must(root_take(v, hosted_mfn(g, g->l4)) == 0, "the root cannot be taken");
    v->root[1] = hosted_mfn(g, g->l4);
    v->initialised = v->is_up = 1;
    v->info->evtchn_upcall_mask = 1;
    v->state = VCPU_RUNNABLE;
    domain_unpause(g->d);
    return g;
}

void hosted_run(struct vcpu *v)
{
    struct cpu *c = &hv.cpu[0];

    if (c->current && c->current != v && c->current->state == VCPU_RUNNING)
        c->current->state = VCPU_RUNNABLE;
    v->state = VCPU_RUNNING;
    c->current = v;
    c->loaded = v;
    c->work = 0;
    plat_vcpu_switch(NULL, v);
}

long hosted_call(struct vcpu *v, uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
    struct xen_cpu_user_regs *r = &v->regs;
    uint64_t arg[6] = {a1, a2, a3, a4, 0, 0}, rip;
    long rc;

    do {
        rip = r->rip;
        rc = hc_call(v, nr, arg);
        arg[0] = r->rdi;
        arg[1] = r->rsi;
        arg[2] = r->rdx;
        arg[3] = r->r10;
        nr = (uint64_t)rc;
    } while (r->rip == rip - 2 && (r->rip = rip, true));
    return rc;
}
