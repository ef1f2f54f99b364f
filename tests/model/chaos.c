/* SPDX-License-Identifier: MIT
 *
 * chaos.c - guests that begin long work and never come back to it.
 *
 * No model here: what matters is that counts stay right (frame_audit()), that no stale
 * translation is left (hosted_tlb_check()), and that a guest's end gives everything back, with
 * validations and ends of tables cut short at any point. Interrupts come at every turn, and a
 * call that asks to be made again is mostly forgotten instead.
 */
#include "chaos.h"
#include "ops.h"
#include <stdio.h>
#include <stdlib.h>

static uint64_t frame_of_guest(struct hosted_guest *g)
{
    return g->p2m[random_below(g->pages)];
}

/* A frame of this type, if one is found soon. */
static uint64_t typed(struct hosted_guest *g, unsigned type)
{
    uint64_t m = 0;

    for (unsigned i = 0; i < 40; i++) {
        m = frame_of_guest(g);
        if (frame_table[m].type == type && frame_table[m].type_refs)
            break;
    }
    return m;
}

static void call(struct vcpu *v, uint64_t nr, const void *a, uint64_t n)
{
    uint64_t arg[6] = {(uint64_t)(uintptr_t)a, n, 0, XEN_DOMID_SELF};
    uint64_t rip = v->regs.rip;
    bool again = true;

    while (again) {
        hc_call(v, nr, arg);
        again = v->regs.rip == rip - 2 && chance(30);
        v->regs.rip = rip;
        arg[0] = v->regs.rdi;
        arg[1] = v->regs.rsi;
        arg[2] = v->regs.rdx;
        arg[3] = v->regs.r10;
    }
}

static void update(struct hosted_guest *g)
{
    unsigned level = 1 + (unsigned)random_below(4);
    uint64_t to = level == 1 ? frame_of_guest(g) : typed(g, chance(60) ? level - 1 : level);
    struct xen_mmu_update req = {typed(g, level) << 12 | random_below(chance(50) ? 8 : 512) << 3,
                                 0};

    if (chance(70))
        req.val = to << 12 | PTE_P | (chance(50) ? PTE_RW : 0);
    call(g->v, XEN_HYPERVISOR_mmu_update, &req, 1);
}

static void extended(struct hosted_guest *g)
{
    static const uint32_t commands[] = {XEN_MMUEXT_PIN_L1_TABLE, XEN_MMUEXT_PIN_L2_TABLE,
                                        XEN_MMUEXT_PIN_L3_TABLE, XEN_MMUEXT_PIN_L4_TABLE,
                                        XEN_MMUEXT_UNPIN_TABLE,  XEN_MMUEXT_UNPIN_TABLE,
                                        XEN_MMUEXT_NEW_BASEPTR,  XEN_MMUEXT_NEW_USER_BASEPTR};
    struct xen_mmuext_op op = {.cmd = commands[random_below(8)]};

    op.arg1.mfn = chance(60) ? typed(g, 1 + (unsigned)random_below(4)) : frame_of_guest(g);
    call(g->v, XEN_HYPERVISOR_mmuext_op, &op, 1);
}

/* A page that nothing uses gets contents that make it a table. */
static void prepare(struct hosted_guest *g)
{
    uint64_t m = frame_of_guest(g), *t = plat_map(mfn(m));
    unsigned level = 1 + (unsigned)random_below(4);

    if (frame_table[m].type_refs || frame_table[m].owner != g->d->id)
        return;
    for (unsigned i = 0; i < 512; i++)
        t[i] = 0;
    for (unsigned i = 0; i < 40; i++)
        t[random_below(512)] =
            (level == 1 ? frame_of_guest(g) : typed(g, chance(85) ? level - 1 : level)) << 12 |
            PTE_P | (level > 1 && chance(80) ? PTE_RW : 0);
}

static void unmap(struct hosted_guest *g)
{
    uint64_t va = hosted_va(random_below(g->pages)), arg[6] = {va, 0, XEN_UVMF_INVLPG};

    if (chance(50))
        hosted_touch(va, true);
    hc_call(g->v, XEN_HYPERVISOR_update_va_mapping, arg);
}

static void check(const char *when)
{
    unsigned bad = frame_audit(), stale = hosted_tlb_check();

    if (!bad && !stale)
        return;
    fprintf(stderr, "chaos, %s: %u counts differ, %u stale translations\n%s\n", when, bad, stale,
            hosted.console);
    abort();
}

static void die(unsigned guests)
{
    for (unsigned id = 1; id <= guests; id++) {
        domain_shutdown(hv.domain[id], 0);
        domain_bury();
    }
    for (unsigned i = 0; i < 100000 && hv.ended < guests; i++)
        domain_bury();
    check("after the end");
    for (unsigned id = 1; id <= guests; id++)
        if (hv.ended < guests || hv.domain[id]->pages) {
            fprintf(stderr, "chaos: domain %u is dead and has %lu pages\n", id,
                    hv.domain[id]->pages);
            abort();
        }
}

static void life(uint64_t ops)
{
    struct hosted_guest *g[2];

    hosted_init(FRAMES);
    hosted.quiet = true;
    hosted.host_pointers = true;
    hv.noexit = 1;
    for (unsigned i = 0; i < 2; i++)
        g[i] = hosted_guest((uint16_t)(i + 1), GUEST_PAGES, 1);
    for (uint64_t n = 0; n < ops; n++) {
        struct hosted_guest *now = g[random_below(2)];

        if (n % 50 == 0) {
            check("running");
            hosted_run(now->v);
        }
        now = g[hv.cpu[0].current->domain->id - 1];
        hosted.interrupt_every = 1 + (unsigned)random_below(4);
        switch (random_below(5)) {
        case 0:
            update(now);
            break;
        case 1:
        case 2:
            extended(now);
            break;
        case 3:
            prepare(now);
            break;
        default:
            unmap(now);
        }
    }
    die(2);
}

void chaos(uint64_t ops, uint64_t *fired)
{
    for (uint64_t n = 0; n < ops; n += 2000) {
        life(2000);
        for (unsigned r = 0; r < RULES; r++)
            fired[r] += reason_counts[r];
    }
}
