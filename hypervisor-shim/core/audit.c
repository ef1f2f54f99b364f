/* SPDX-License-Identifier: MIT
 *
 * audit.c - frame_audit(): all counts once more, from what refers to what.
 *
 * Walks everything that may hold a reference - allocations, pins, validated
 * entries, roots, descriptor tables, registered vcpu_info pages, grants, zap lists - and compares
 * with the frame table. It is the specification of the counts: a new kind of reference has
 * to be added here, or the model test fails. It changes nothing, and is slow.
 */
#include "grant.h"
#include "log.h"
#include "mm_args.h"

struct tally {
    uint32_t refs, type_refs;
};

static struct tally *tally;
static unsigned faults;

static void fault(uint64_t m, const char *what, uint64_t have, uint64_t want)
{
    const struct frame *f = &frame_table[m];

    faults++;
    hv_log("audit: frame %llx (owner %u type %u flags %x): %s is %llu, not %llu\n",
           (unsigned long long)m, f->owner, f->type, f->flags, what, (unsigned long long)have,
           (unsigned long long)want);
}

static void count(uint64_t m, bool type)
{
    if (m >= frame_count) {
        faults++;
        hv_log("audit: something refers to frame %llx\n", (unsigned long long)m);
        return;
    }
    tally[m].refs++;
    tally[m].type_refs += type;
}

static void expect_type(uint64_t m, unsigned type, const char *what)
{
    if (m < frame_count && frame_table[m].type != type)
        fault(m, what, frame_table[m].type, type);
}

static void count_l1(uint64_t m)
{
    const uint64_t *t = plat_map(mfn(m));

    for (unsigned i = 0; i < PT_ENTRIES; i++)
        if (t[i] & PTE_P) {
            if (t[i] & PTE_RW)
                expect_type(pte_mfn(t[i]).n, FRAME_WRITABLE, "type of a frame mapped writable");
            count(pte_mfn(t[i]).n, t[i] & PTE_RW);
        }
}

static void count_upper(uint64_t m)
{
    const struct frame *f = &frame_table[m];
    const uint64_t *t = plat_map(mfn(m));
    unsigned n = f->flags & FRAME_VALIDATED ? PT_ENTRIES : f->progress;

    for (unsigned i = 0; i < n; i++) {
        uint64_t child = pte_mfn(t[i]).n;

        if (!(t[i] & PTE_P) || (f->type == FRAME_L4 && i >= L4_HV_FIRST && i <= L4_HV_LAST) ||
            child == m)
            continue;
        if (f->flags & FRAME_VALIDATED && !(f->blocks >> i / 32 & 1))
            fault(m, "blocks with present entries", f->blocks, 1u << i / 32);
        if (child < frame_count && frame_table[child].type != f->type)
            expect_type(child, f->type - 1, "type of a table one level down");
        count(child, true);
    }
}

static void count_frame(uint64_t m)
{
    const struct frame *f = &frame_table[m];

    if (f->flags & FRAME_ALLOCATED)
        count(m, false);
    if (f->flags & FRAME_HV)
        count(m, f->owner != XEN_DOMID_XEN);
    if (f->flags & FRAME_PINNED)
        count(m, true);
    if (f->flags & FRAME_ORPHAN)
        count(m, true);
    if (!f->type_refs || f->type == FRAME_NONE || f->type > FRAME_L4)
        return;
    if (!(f->flags & (FRAME_VALIDATED | FRAME_PARTIAL)))
        fault(m, "state of a table in use", f->flags, FRAME_VALIDATED);
    if (f->type > FRAME_L1)
        count_upper(m);
    else
        count_l1(m);
}

static void count_vcpu(const struct vcpu *v)
{
    for (unsigned i = 0; i < 2; i++)
        if (v->root[i].n) {
            count(v->root[i].n, true);
            expect_type(v->root[i].n, FRAME_L4, "type of a root");
        }
    for (unsigned i = 0; i < GDT_PAGES; i++)
        if (v->gdt[i].n)
            count(v->gdt[i].n, true);
    for (unsigned i = 0; i < LDT_PAGES; i++)
        if (v->ldt_mapped & (1u << i))
            count(v->ldt[i].n, true);
    if (v->info_registered)
        count(v->info_mfn.n, true);
}

/* Host mappings are counted with their entries. */
static void count_grants(struct grant_table *t)
{
    for (uint32_t i = 0; t && i < t->handles; i++) {
        const struct grant_mapping *map = grant_mapping(t, i);

        if (map->flags & XEN_GNTMAP_device_map)
            count(map->mfn, !(map->flags & XEN_GNTMAP_readonly));
    }
}

static void count_domain(const struct domain *d)
{
    for (unsigned i = 0; i < MAX_VCPUS; i++)
        if (d->vcpu[i])
            count_vcpu(d->vcpu[i]);
    for (unsigned i = 0; i < d->zaps; i++)
        count(d->zap[i].n, true);
    if (d->console_mfn.n)
        count(d->console_mfn.n, true);
    if (d->store_mfn.n)
        count(d->store_mfn.n, true);
    count_grants(d->grants);
}

static void check_frame(uint64_t m, uint64_t *free_seen, uint64_t *pages)
{
    const struct frame *f = &frame_table[m];

    if (f->flags & FRAME_FREE) {
        ++*free_seen;
        if (!(f->owner & DOMID_FREE))
            fault(m, "owner of a free frame", f->owner, DOMID_FREE);
        if (tally[m].refs)
            fault(m, "references of a free frame", 0, tally[m].refs);
        if (frame_m2p[m] != M2P_INVALID)
            fault(m, "m2p of a free frame", frame_m2p[m], M2P_INVALID);
        return;
    }
    if (f->owner < MAX_DOMAINS && !(f->flags & FRAME_HV))
        pages[f->owner]++;
    if (f->owner >= XEN_DOMID_FIRST_RESERVED && !(f->flags & FRAME_HV)) {
        if (tally[m].refs)
            fault(m, "references of a frame that is nobody's", tally[m].refs, 0);
        return;
    }
    if (f->refs != tally[m].refs)
        fault(m, "refs", f->refs, tally[m].refs);
    if (f->type_refs != tally[m].type_refs)
        fault(m, "type_refs", f->type_refs, tally[m].type_refs);
}

unsigned frame_audit(void)
{
    uint64_t free_seen = 0, own, pages[MAX_DOMAINS] = {0};
    unsigned order = 0;

    while ((size_t)PV_PAGE_SIZE << order < frame_count * sizeof(*tally))
        order++;
    tally = frame_hv_alloc(order);
    if (!tally) {
        hv_log("audit: no memory for it\n");
        return 0;
    }
    faults = 0;
    own = ((uint64_t)((uint8_t *)tally - plat_ram) >> PV_PAGE_SHIFT);
    for (uint64_t m = 0; m < frame_count; m++)
        if (!(frame_table[m].flags & FRAME_FREE))
            count_frame(m);
    for (unsigned i = 0; i < MAX_DOMAINS; i++)
        if (hv.domain[i])
            count_domain(hv.domain[i]);
    count_grants(hv.pins);
    for (uint64_t m = 0; m < frame_count; m++)
        check_frame(m, &free_seen, pages);
    for (unsigned i = 0; i < MAX_DOMAINS; i++)
        if (hv.domain[i] && hv.domain[i]->pages != pages[i])
            fault(own, "pages of a domain", hv.domain[i]->pages, pages[i]);
    if (free_seen != frame_free_count())
        fault(own, "free frames", frame_free_count(), free_seen);
    frame_hv_free(tally, order);
    return faults;
}
