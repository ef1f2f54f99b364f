/* SPDX-License-Identifier: MIT
 *
 * ops_memory.c - operations on reservations and grants.
 */
#include "ops.h"
#include <pv/abi/errno.h>
#include <pv/abi/memory.h>
#include <stdio.h>
#include <stdlib.h>

static struct xen_memory_reservation reservation(void *list, uint64_t n, unsigned order)
{
    return (struct xen_memory_reservation){.extent_start = pv_gptr(list),
                                           .nr_extents = n,
                                           .extent_order = order,
                                           .domid = XEN_DOMID_SELF};
}

static void took(struct mdomain *d, const uint64_t *list, long n, unsigned order)
{
    for (long i = 0; i < n; i++)
        for (uint64_t j = 0; j < 1ull << order; j++)
            model_alloc(d, list[i] + j);
}

void op_populate(struct mdomain *d, unsigned kind)
{
    uint64_t list[48], n = 1 + random_below(chance(5) ? 48 : 4);
    unsigned order = chance(80) ? 0 : (unsigned)random_below(3);
    bool increase = chance(30);
    uint64_t room = d->max_pages - d->pages, free = frame_free_count();
    struct xen_memory_reservation r;
    long rc, want;

    for (uint64_t i = 0; i < 48; i++)
        list[i] = random_below(1000);
    if (chance(10)) {
        static const struct {
            unsigned order, flags;
            uint64_t n;
        } bad[] = {{10, 0, 1},
                   {0, XENMEMF_exact_node_request, 1},
                   {0, XENMEMF_populate_on_demand, 1},
                   {0, 14, 1},
                   {0, 0, 1ull << 27}};
        unsigned i = (unsigned)random_below(5);

        r = reservation(list, bad[i].n, bad[i].order);
        r.mem_flags = bad[i].flags;
        agree(kind, "populate wrongly", CALL(d, memory_op, XENMEM_populate_physmap, &r, 0, 0), 0);
        return;
    }
    r = reservation(list, n, order);
    want = (long)(n < room ? n : room);
    want = (long)((uint64_t)want < free ? (uint64_t)want : free);
    rc = CALL(d, memory_op, increase ? XENMEM_increase_reservation : XENMEM_populate_physmap, &r, 0,
              0);
    if (order) /* a matter of what is free in a row */
        want = rc;
    took(d, list, rc < 0 || rc > 48 ? 0 : rc, order);
    agree(kind, "populate", rc, want);
}

void op_decrease(struct mdomain *d, unsigned kind)
{
    uint64_t list[4], n = 1 + random_below(4);
    unsigned order = chance(90) ? 0 : 1;
    struct xen_memory_reservation r = reservation(list, n, order);
    long rc, want = 0;

    for (uint64_t i = 0; i < n; i++)
        list[i] = chance(70) ? pick_unused(d) : pick_any(d);
    if (d->pages < GUEST_PAGES / 2)
        return;
    for (uint64_t i = 0; i < n; i++) /* a shared page stays */
        if (list[i] < FRAMES && mframe[list[i]].shared)
            return;
    rc = CALL(d, memory_op, XENMEM_decrease_reservation, &r, 0, 0);
    for (uint64_t i = 0; i < n; i++) {
        bool good = true;

        for (uint64_t j = 0; good && j < 1ull << order; j++)
            good = model_free(d, list[i] + j);
        if (!good)
            break;
        want++;
    }
    agree(kind, "decrease", rc, want);
}

void op_exchange(struct mdomain *d, unsigned kind)
{
    unsigned k = (unsigned)random_below(3), n = 1u << k;
    bool up = chance(50);
    uint64_t in[4], out[4] = {1, 2, 3, 4};
    struct xen_memory_exchange x = {
        .in = reservation(in, n, 0),
        .out = reservation(out, up ? 1 : n, up ? k : 0),
    };
    bool good = true;
    long rc;

    if (chance(10)) {
        static const struct {
            uint64_t n;
            unsigned order;
        } bad[] = {{3, 0}, {1, 12}};

        x.out.nr_extents = bad[random_below(2)].n;
        x.out.extent_order = x.out.nr_extents == 1 ? 12 : 0;
        if (n == 3)
            return;
        agree(kind, "exchange wrongly", CALL(d, memory_op, XENMEM_exchange, &x, 0, 0),
              x.out.extent_order ? -XEN_EPERM : -XEN_EINVAL);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        in[i] = chance(95) ? pick_unused(d) : pick_any(d);
    rc = CALL(d, memory_op, XENMEM_exchange, &x, 0, 0);
    if (up)
        for (unsigned i = 0; i < n; i++) {
            good = good && model_stealable(d, in[i]);
            for (unsigned j = 0; j < i; j++)
                good = good && in[i] != in[j];
        }
    else /* chunk by chunk: what comes before a bad one is exchanged */
        for (unsigned i = 0; i < n && good; i++) {
            good = model_stealable(d, in[i]);
            if (good && (x.nr_exchanged > i)) {
                model_free(d, in[i]);
                took(d, &out[i], 1, 0);
            } else if (good) {
                break;
            }
        }
    if (rc == -XEN_ENOMEM && good)
        return;
    if (rc == 0 && up) {
        for (unsigned i = 0; i < n; i++)
            model_free(d, in[i]);
        took(d, out, 1, k);
    }
    agree(kind, "exchange", rc, good ? 0 : -XEN_EINVAL);
}

/* -- grants
 * ------------------------------------------------------------------------------------------ */

void op_grant_set(struct mdomain *d, unsigned kind)
{
    unsigned ref = (unsigned)random_below(GREFS);
    struct xen_grant_entry_v1 *e = &d->d->grants->shared[0][ref];
    struct mgrant *g = &d->grant[ref];
    bool busy = g->readers || g->writers;

    if (((e->flags & XEN_GTF_reading) != 0) != busy ||
        ((e->flags & XEN_GTF_writing) != 0) != (g->writers != 0)) {
        fprintf(stderr, "grant %u of %u: flags %x, %u readers %u writers\n", ref, d->id, e->flags,
                g->readers, g->writers);
        abort();
    }
    if (busy && chance(80))
        return;
    g->flags = chance(90) ? XEN_GTF_permit_access : (uint16_t)random_below(4);
    if (chance(30))
        g->flags |= XEN_GTF_readonly;
    g->domid = (uint16_t)(chance(95) ? 1 + random_below(GUESTS) : 77);
    g->frame = (uint32_t)(chance(50)   ? pick_used(d, FRAME_WRITABLE)
                          : chance(60) ? pick_unused(d)
                                       : pick_any(d));
    if (g->frame < FRAMES && mframe[g->frame].shared)
        g->frame = 1;
    e->domid = g->domid;
    e->frame = g->frame;
    e->flags = g->flags | (e->flags & (XEN_GTF_reading | XEN_GTF_writing));
    agree(kind, "grant", 0, 0);
}

/* A reference that may well be for d. */
static unsigned pick_ref(struct mdomain *d, unsigned from)
{
    for (unsigned i = 0; from >= 1 && from <= GUESTS && i < 2 * GREFS && chance(98); i++) {
        unsigned ref = (unsigned)random_below(GREFS);

        if (mdomain[from].grant[ref].domid == d->id)
            return ref;
    }
    return (unsigned)random_below(GREFS);
}

static unsigned pick_flags(void)
{
    unsigned flags = XEN_GNTMAP_host_map;

    if (chance(10))
        flags = XEN_GNTMAP_device_map | (chance(50) ? XEN_GNTMAP_host_map : 0);
    if (chance(2))
        flags = 0;
    if (chance(50))
        flags |= XEN_GNTMAP_readonly;
    if (chance(30))
        flags |= XEN_GNTMAP_application_map;
    if (chance(25))
        flags |= XEN_GNTMAP_contains_pte;
    if (chance(10))
        flags |= (unsigned)random_below(8) << 16;
    return flags;
}

static uint64_t pick_place(struct mdomain *d, unsigned flags)
{
    if (!(flags & XEN_GNTMAP_contains_pte))
        return pick_va(d);
    return (chance(90) ? pick_used(d, FRAME_L1) : pick_any(d)) << 12 | pick_slot(1) << 3 |
           (chance(3) ? 4 : 0);
}

void op_grant_map(struct mdomain *d, unsigned kind)
{
    struct xen_gnttab_map_grant_ref op = {.status = 99};
    unsigned from = chance(97) ? 1 + (unsigned)random_below(GUESTS) : 40;
    long rc;
    int want;

    op.dom = (uint16_t)from;
    op.ref = chance(98) ? pick_ref(d, from) : 500 + (uint32_t)random_below(100);
    op.flags = pick_flags();
    op.host_addr = pick_place(d, op.flags);
    rc = CALL(d, grant_table_op, XEN_GNTTABOP_map_grant_ref, &op, 1, 0);
    if (rc || (op.status == 0 && (op.handle >= HANDLES || d->mapping[op.handle].used))) {
        fprintf(stderr, "map: %ld, handle %u\n", rc, op.handle);
        abort();
    }
    model_sync(); /* a page of handles, maybe */
    want = model_map(d, from, op.ref, op.flags, op.host_addr, op.status ? 0 : op.handle);
    if (op.status == 0 && op.dev_bus_addr != (uint64_t)d->mapping[op.handle].mfn << 12)
        abort();
    agree(kind, "grant map", op.status, want);
}

void op_grant_unmap(struct mdomain *d, unsigned kind)
{
    struct xen_gnttab_unmap_grant_ref op = {.status = 99};
    unsigned start = (unsigned)random_below(64), handle = start;

    while (!d->mapping[handle].used && handle < start + 256)
        handle++;
    op.handle = handle;
    op.host_addr = pick_va(d);
    /* Where is it? Look for its frame, as a guest would know. */
    for (uint64_t n = 0; d->mapping[handle].used && n < 176; n++) {
        uint64_t va = HOSTED_BASE + (n << 12), at = model_walk(d, va);

        if (at != ~0ull && pte_mfn(mframe[at >> 9].word[at & 511]).n == d->mapping[handle].mfn &&
            (mframe[at >> 9].word[at & 511] & PTE_P)) {
            op.host_addr = d->mapping[handle].flags & XEN_GNTMAP_contains_pte
                               ? (at >> 9) << 12 | (at & 511) << 3
                               : va;
            break;
        }
    }
    if (chance(50))
        op.dev_bus_addr = chance(80) ? (uint64_t)d->mapping[handle].mfn << 12 : 0x1000;
    if (!(d->mapping[handle].flags & XEN_GNTMAP_contains_pte))
        hosted_touch(op.host_addr, true); /* the processor may know it */
    if (CALL(d, grant_table_op, XEN_GNTTABOP_unmap_grant_ref, &op, 1, 0))
        abort();
    if (op.status == 0 && hosted_tlb_check())
        abort();
    agree(kind, "grant unmap", op.status, model_unmap(d, handle, op.host_addr, op.dev_bus_addr));
}

static void pick_end(struct mdomain *d, struct mend *e, struct xen_gnttab_copy_ptr *p)
{
    e->by_ref = chance(60);
    e->domid = e->by_ref ? 1 + (unsigned)random_below(GUESTS) : XEN_DOMID_SELF;
    if (chance(3))
        e->domid = chance(50) ? 50 : 1 + (unsigned)random_below(GUESTS);
    e->what = e->by_ref ? pick_ref(d, e->domid) : pick_any(d);
    if (!e->by_ref && e->what < FRAMES && mframe[e->what].shared)
        e->what = pick_own(d);
    e->offset = (unsigned)random_below(chance(90) ? 2048 : 4096);
    p->domid = (uint16_t)e->domid;
    p->offset = (uint16_t)e->offset;
    if (e->by_ref)
        p->u.ref = (uint32_t)e->what;
    else
        p->u.gmfn = e->what;
}

void op_grant_copy(struct mdomain *d, unsigned kind)
{
    struct xen_gnttab_copy op = {.status = 99};
    struct mend from, to;

    pick_end(d, &from, &op.source);
    pick_end(d, &to, &op.dest);
    op.len = (uint16_t)(random_below(2048));
    op.flags =
        (from.by_ref ? XEN_GNTCOPY_source_gref : 0) | (to.by_ref ? XEN_GNTCOPY_dest_gref : 0);
    if (CALL(d, grant_table_op, XEN_GNTTABOP_copy, &op, 1, 0))
        abort();
    agree(kind, "grant copy", op.status, model_copy_grant(d, &from, &to, op.len));
}
