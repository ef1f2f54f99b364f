/* SPDX-License-Identifier: MIT
 *
 * ops_grant.c - operations on grants.
 */
#include "ops.h"
#include <pv/abi/errno.h>
#include <stdio.h>
#include <stdlib.h>

void op_grant_set(struct mdomain *d, unsigned kind)
{
    unsigned ref = (unsigned)random_below(GREFS);
    struct xen_grant_entry_v1 *e = &d->d->grants->shared[0][ref];
    struct mgrant *g = &d->grant[ref];
    bool busy = g->readers || g->writers;

    if ((g->flags & XEN_GTF_type_mask) == XEN_GTF_accept_transfer
            ? !busy && (e->flags != g->flags || e->frame != g->frame)
            : ((e->flags & XEN_GTF_reading) != 0) != busy ||
                  ((e->flags & XEN_GTF_writing) != 0) != (g->writers != 0)) {
        fprintf(stderr, "grant %u of %u: flags %x, %u readers %u writers\n", ref, d->id, e->flags,
                g->readers, g->writers);
        abort();
    }
    if (busy && chance(80))
        return;
    g->flags = chance(80)   ? XEN_GTF_permit_access
               : chance(70) ? XEN_GTF_accept_transfer
                            : (uint16_t)random_below(4);
    if (g->flags != XEN_GTF_accept_transfer && chance(30))
        g->flags |= XEN_GTF_readonly;
    g->domid = (uint16_t)(chance(95) ? 1 + random_below(GUESTS) : 77);
    g->frame = (uint32_t)(chance(50)   ? pick_used(d, FRAME_WRITABLE)
                          : chance(60) ? pick_unused(d)
                                       : pick_any(d));
    if (g->frame < FRAMES && mframe[g->frame].shared)
        g->frame = 1;
    e->domid = g->domid;
    e->frame = g->frame;
    e->flags = g->flags | (busy ? e->flags & (XEN_GTF_reading | XEN_GTF_writing) : 0);
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

/* The entry of another page takes the place of the mapping's. */
static void op_replace(struct mdomain *d, unsigned kind, unsigned handle, uint64_t host)
{
    struct xen_gnttab_unmap_and_replace op = {.host_addr = host, .handle = handle, .status = 99};

    op.new_addr = chance(90) ? pick_va(d) : chance(50) ? host : 0;
    hosted_touch(op.new_addr, false);
    if (CALL(d, grant_table_op, XEN_GNTTABOP_unmap_and_replace, &op, 1, 0) ||
        (op.status == 0 && hosted_tlb_check()))
        abort();
    agree(kind, "unmap and replace", op.status, model_unmap(d, handle, host, 0, op.new_addr));
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
    if (chance(15)) {
        op_replace(d, kind, handle, op.host_addr);
        return;
    }
    if (chance(50))
        op.dev_bus_addr = chance(80) ? (uint64_t)d->mapping[handle].mfn << 12 : 0x1000;
    if (!(d->mapping[handle].flags & XEN_GNTMAP_contains_pte))
        hosted_touch(op.host_addr, true); /* the processor may know it */
    if (CALL(d, grant_table_op, XEN_GNTTABOP_unmap_grant_ref, &op, 1, 0))
        abort();
    if (op.status == 0 && hosted_tlb_check())
        abort();
    agree(kind, "grant unmap", op.status, model_unmap(d, handle, op.host_addr, op.dev_bus_addr, 0));
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

/* -- frames that change hands, entries that change places ------------------------------------ */

void op_transfer(struct mdomain *d, unsigned kind)
{
    struct xen_gnttab_transfer op = {.status = 99};
    unsigned to = chance(95) ? 1 + (unsigned)random_below(GUESTS) : 40;
    struct mdomain *taker = to <= GUESTS ? &mdomain[to] : NULL;

    if (d->pages < GUEST_PAGES / 2)
        return;
    op.domid = (uint16_t)to;
    op.mfn = chance(80) ? pick_unused(d) : chance(80) ? pick_any(d) : FRAMES + random_below(5);
    if (op.mfn < FRAMES && mframe[op.mfn].shared)
        return;
    op.ref = taker && chance(95) ? pick_ref(d, to) : 512;
    for (unsigned i = 0; taker && i < GREFS && chance(95); i++)
        if (taker->grant[i].flags == XEN_GTF_accept_transfer && taker->grant[i].domid == d->id)
            op.ref = i;
    if (CALL(d, grant_table_op, XEN_GNTTABOP_transfer, &op, 1, 0))
        abort();
    if (op.status == 0 && hosted_tlb_check())
        abort();
    agree(kind, "transfer", op.status, model_transfer(d, op.mfn, taker, op.ref));
}

void op_swap(struct mdomain *d, unsigned kind)
{
    struct xen_gnttab_swap_grant_ref op = {.status = 99};

    op.ref_a = chance(97) ? (uint32_t)random_below(GREFS) : 512;
    op.ref_b = chance(97) ? (uint32_t)random_below(GREFS) : 0xffffffff;
    if (CALL(d, grant_table_op, XEN_GNTTABOP_swap_grant_ref, &op, 1, 0))
        abort();
    agree(kind, "swap", op.status, model_swap(d, op.ref_a, op.ref_b));
}

void op_cache_flush(struct mdomain *d, unsigned kind)
{
    struct xen_gnttab_cache_flush op = {.length = 64, .op = XEN_GNTTAB_CACHE_CLEAN};
    uint64_t m = pick_any(d);
    bool used = m < FRAMES && mframe[m].owner == (int)d->id;
    long want = m >= FRAMES ? -XEN_EINVAL : -XEN_EPERM;

    for (unsigned i = 0; m < FRAMES && i < HANDLES; i++)
        used |= d->mapping[i].used && d->mapping[i].mfn == m &&
                (int)d->mapping[i].domid == mframe[m].owner;
    if (m < FRAMES && mframe[m].owner > 0)
        want = used ? 0 : -XEN_EINVAL;
    if (chance(15))
        op.op |= XEN_GNTTAB_CACHE_SOURCE_GREF, want = -XEN_EINVAL;
    if (chance(15))
        op.offset = 4090, want = -XEN_EINVAL;
    op.a.dev_bus_addr = m << 12;
    agree(kind, "cache flush", CALL(d, grant_table_op, XEN_GNTTABOP_cache_flush, &op, 1, 0), want);
}

void op_grant_rare(struct mdomain *d, unsigned kind)
{
    struct xen_gnttab_setup_table setup = {.dom = XEN_DOMID_SELF, .nr_frames = 65};
    struct xen_gnttab_query_size size = {.dom = XEN_DOMID_SELF};
    struct xen_gnttab_set_version version = {2};
    struct xen_gnttab_get_status_frames status = {.nr_frames = 1, .dom = XEN_DOMID_SELF};
    struct xen_gnttab_map_grant_ref map = {.dom = (uint16_t)d->id, .flags = XEN_GNTMAP_host_map};
    struct grant_table *t = d->d->grants, all = *t;

    switch (random_below(7)) {
    case 5: /* as if all handles were in use */
        t->free_handle = ~0u;
        t->handles = MAPTRACK_PAGES * MAPTRACK_PER_PAGE;
        agree(kind, "grant map", CALL(d, grant_table_op, XEN_GNTTABOP_map_grant_ref, &map, 1, 0),
              0);
        *t = all;
        agree(kind, "grant map without handles", map.status, XEN_GNTST_no_space);
        break;
    case 0:
        agree(kind, "grant count", CALL(d, grant_table_op, XEN_GNTTABOP_query_size, &size, 2, 0),
              -XEN_EINVAL);
        break;
    case 1:
        agree(kind, "grant table", CALL(d, grant_table_op, XEN_GNTTABOP_setup_table, &setup, 1, 0),
              0);
        agree(kind, "grant table's status", setup.status, XEN_GNTST_general_error);
        break;
    case 2:
        agree(kind, "grant version",
              CALL(d, grant_table_op, XEN_GNTTABOP_set_version, &version, 1, 0), -XEN_ENOSYS);
        break;
    case 3:
        agree(kind, "grant size", CALL(d, grant_table_op, XEN_GNTTABOP_query_size, &size, 1, 0), 0);
        break;
    case 4:
        agree(kind, "status frames",
              CALL(d, grant_table_op, XEN_GNTTABOP_get_status_frames, &status, 1, 0), 0);
        agree(kind, "status frames' status", status.status, XEN_GNTST_general_error);
        break;
    default:
        agree(kind, "grant command", CALL(d, grant_table_op, XEN_GNTTABOP_copy | 1 << 12, 0, 1, 0),
              -XEN_EINVAL);
        break;
    }
}
