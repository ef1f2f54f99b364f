/* SPDX-License-Identifier: MIT
 *
 * grant_map.c - granted pages in the address space of another guest.
 *
 *      map       status flags -> active entry -> reference (and type) of the frame -> L1 entry
 *      unmap     L1 entry; then, after one flush for the batch, all the rest backwards
 *      replace   an unmap that leaves another of the guest's entries in its place
 *
 * The L1 entry owns the references of its mapping: a guest that overwrites it by other means
 * drops them, and only keeps the grant busy (as in Xen). A granter may die meanwhile: its frame
 * lives until the last reference is gone, and the handle stays good for unmapping.
 */
#include "grant_use.h"

enum {
    UNMAP_BATCH = 16,
    /* of a map request, what is written back: from here to its end */
    MAP_RESULT = offsetof(struct xen_gnttab_map_grant_ref, dom),
};

/* -- L1 entries of mappings ------------------------------------------------------------- */

/* The entry that a request means: by machine address or by virtual address. */
static uint64_t *mapping_entry(struct vcpu *v, uint64_t addr, unsigned flags)
{
    if (flags & XEN_GNTMAP_contains_pte) {
        mfn_t m = mfn_of_maddr(addr);
        struct frame *f = frame_of(m);

        if ((addr & 7) || !frame_valid(m) || f->owner != v->domain->id || f->type != FRAME_L1 ||
            !(f->flags & FRAME_VALIDATED))
            return 0;
        return (uint64_t *)(plat_ram + addr);
    }
    return guest_va_ok(addr) ? l1_lookup(v, addr) : 0;
}

static uint64_t mapping_value(uint32_t m, uint32_t flags)
{
    uint64_t e = (uint64_t)m << PV_PAGE_SHIFT | PTE_P | PTE_A | PTE_D | PTE_NX;

    if (flags & XEN_GNTMAP_application_map)
        e |= PTE_US;
    if (!(flags & XEN_GNTMAP_readonly))
        e |= PTE_RW;
    return l1_adjust(e | ((uint64_t)(flags >> 16) << 9 & PTE_AVAIL));
}

/* -- map ---------------------------------------------------------------------------------- */

static int16_t map_frame(struct vcpu *v, struct domain *rd,
                         const struct xen_gnttab_map_grant_ref *op, uint32_t m)
{
    bool readonly = op->flags & XEN_GNTMAP_readonly;
    bool host = op->flags & XEN_GNTMAP_host_map, device = op->flags & XEN_GNTMAP_device_map;
    uint64_t *p = 0, old;
    int16_t rc;

    if (host) {
        p = mapping_entry(v, op->host_addr, op->flags);
        if (unlikely(!p))
            return grant_refuse(v, NULL, RULE_GRANT_PLACE, XEN_GNTST_general_error, op->ref,
                                op->host_addr, 0);
    }
    rc = frame_take(v, rd, m, readonly, host + device, op->ref);
    if (unlikely(rc))
        return rc;
    if (host) {
        old = *p;
        pte_write(p, old, mapping_value(m, op->flags), false);
        l1_drop(old);
    }
    return XEN_GNTST_okay;
}

static int16_t map_one(struct vcpu *v, struct xen_gnttab_map_grant_ref *op)
{
    struct grant_table *t = v->domain->grants;
    struct domain *rd = domain_by_id(op->dom);
    struct grant_mapping *map;
    uint32_t handle, m = 0;
    int16_t rc;
    bool readonly = op->flags & XEN_GNTMAP_readonly;

    if (unlikely(!(op->flags & (XEN_GNTMAP_host_map | XEN_GNTMAP_device_map))))
        return grant_refuse(v, NULL, RULE_GRANT_MAP_FLAGS, XEN_GNTST_bad_gntref, op->ref, op->flags,
                            0);
    if (unlikely(!rd))
        return grant_refuse(v, NULL, RULE_DOMAIN_UNKNOWN, XEN_GNTST_bad_domain, op->ref, op->dom,
                            0);
    handle = grant_handle_get(t);
    if (unlikely(handle == ~0u))
        return grant_refuse(v, NULL, RULE_GRANT_HANDLES, XEN_GNTST_no_space, op->ref, t->handles,
                            0);
    rc = use_begin(v, v->domain->id, rd, op->ref, readonly, &m);
    if (likely(rc == XEN_GNTST_okay)) {
        rc = map_frame(v, rd, op, m);
        if (unlikely(rc))
            use_end(v->domain->id, rd, op->ref, readonly, m);
    }
    if (unlikely(rc)) {
        grant_handle_put(t, handle);
        return rc;
    }
    map = grant_mapping(t, handle);
    map->ref = op->ref;
    map->domid = op->dom;
    map->flags = op->flags & 0x1f;
    map->mfn = m;
    op->handle = handle;
    op->dev_bus_addr = (uint64_t)m << PV_PAGE_SHIFT;
    return XEN_GNTST_okay;
}

/* -- unmap ----------------------------------------------------------------------------------- */

/* What remains to be done for a request after the flush. */
struct unmapped {
    uint32_t ref, mfn;
    uint16_t domid;
    bool readonly, last;
    uint8_t drops; /* references to give back */
};

/* The entry of a mapping becomes 0, or (new_addr) what the guest's entry for new_addr is, which
 * becomes 0. */
static int16_t unmap_host(struct vcpu *v, uint64_t addr, uint64_t new_addr,
                          const struct grant_mapping *map)
{
    uint64_t *p = mapping_entry(v, addr, map->flags), *from = NULL, old;

    if (unlikely(new_addr)) {
        from = map->flags & XEN_GNTMAP_contains_pte ? NULL : mapping_entry(v, new_addr, 0);
        if (!from || from == p)
            return grant_refuse(v, NULL, RULE_GRANT_PLACE, XEN_GNTST_general_error, map->ref,
                                new_addr, 0);
    }
    if (unlikely(!p))
        return grant_refuse(v, NULL, RULE_GRANT_PLACE, XEN_GNTST_general_error, map->ref, addr, 0);
    old = *p;
    if (unlikely(pte_mfn(old).n != map->mfn ||
                 ((old ^ mapping_value(map->mfn, map->flags)) & (PTE_P | PTE_RW)))) {
        refuse(v, RULE_GRANT_NOT_MAPPED, .va = addr, .mfn = map->mfn, .old_entry = old,
               .value = map->ref);
        return XEN_GNTST_general_error;
    }
    pte_write(p, old, from ? *from : 0, false);
    if (unlikely(from))
        pte_write(from, *from, 0, false);
    return XEN_GNTST_okay;
}

static int16_t unmap_one(struct vcpu *v, const struct xen_gnttab_unmap_grant_ref *op,
                         uint64_t new_addr, struct unmapped *u)
{
    struct grant_table *t = v->domain->grants;
    struct grant_mapping *map;
    int16_t rc;

    if (unlikely(op->handle >= t->handles || !grant_mapping(t, op->handle)->flags))
        return grant_refuse(v, NULL, RULE_GRANT_HANDLE, XEN_GNTST_bad_handle, 0, op->handle, 0);
    map = grant_mapping(t, op->handle);
    if (unlikely(op->dev_bus_addr && (map->flags & XEN_GNTMAP_device_map) &&
                 op->dev_bus_addr != (uint64_t)map->mfn << PV_PAGE_SHIFT))
        return grant_refuse(v, NULL, RULE_GRANT_BUS_ADDRESS, XEN_GNTST_bad_dev_addr, map->ref,
                            op->dev_bus_addr, map->mfn);
    if (op->host_addr && (map->flags & XEN_GNTMAP_host_map)) {
        rc = unmap_host(v, op->host_addr, new_addr, map);
        if (unlikely(rc))
            return rc;
        map->flags &= ~XEN_GNTMAP_host_map;
        u->drops++;
    }
    if (op->dev_bus_addr && (map->flags & XEN_GNTMAP_device_map)) {
        map->flags &= ~XEN_GNTMAP_device_map;
        u->drops++;
    }
    u->ref = map->ref;
    u->mfn = map->mfn;
    u->domid = map->domid;
    u->readonly = map->flags & XEN_GNTMAP_readonly;
    if (!(map->flags & (XEN_GNTMAP_host_map | XEN_GNTMAP_device_map))) {
        u->last = true;
        grant_handle_put(t, op->handle);
    }
    return XEN_GNTST_okay;
}

static void unmap_complete(struct vcpu *v, const struct unmapped *u, unsigned n)
{
    bool any = false;

    for (unsigned i = 0; i < n; i++)
        any |= u[i].drops != 0;
    if (any)
        frame_flush(); /* before anybody else may have the frames */
    for (unsigned i = 0; i < n; i++) {
        for (unsigned j = 0; j < u[i].drops; j++)
            frame_leave(u[i].mfn, u[i].readonly);
        if (u[i].last)
            use_end(v->domain->id, domain_by_id(u[i].domid), u[i].ref, u[i].readonly, u[i].mfn);
    }
}

/* -- the calls ---- */

long grant_op_map(struct vcpu *v, pv_gptr_t arg, uint32_t count)
{
    struct xen_gnttab_map_grant_ref op;

    for (uint32_t i = 0; i < count; i++) {
        pv_gptr_t at = gptr_add(arg, i * sizeof(op));

        if (grant_pause(i))
            return grant_resume(v, XEN_GNTTABOP_map_grant_ref, at, count - i);
        if (unlikely(guest_copy_in(&op, at, sizeof(op))))
            return refuse_pointer(v, at.va);
        op.status = map_one(v, &op);
        if (unlikely(guest_copy_out(gptr_add(at, MAP_RESULT), &op.dom, sizeof(op) - MAP_RESULT)))
            return refuse_pointer(v, at.va);
    }
    return 0;
}

/* One of either kind of request at `at`, done as far as u says. 0 or refused. */
static inline long unmap_request(struct vcpu *v, pv_gptr_t at, bool replace, struct unmapped *u)
{
    struct xen_gnttab_unmap_grant_ref op;
    struct xen_gnttab_unmap_and_replace r;
    pv_gptr_t status_at = gptr_add(at, offsetof(struct xen_gnttab_unmap_grant_ref, status));

    u->drops = 0;
    u->last = false;
    if (replace) {
        if (guest_copy_in(&r, at, sizeof(r)))
            return refuse_pointer(v, at.va);
        op = (struct xen_gnttab_unmap_grant_ref){.host_addr = r.host_addr, .handle = r.handle};
    } else if (unlikely(guest_copy_in(&op, at, sizeof(op)))) {
        return refuse_pointer(v, at.va);
    }
    op.status = unmap_one(v, &op, replace ? r.new_addr : 0, u);
    if (unlikely(guest_copy_out(status_at, &op.status, sizeof(op.status))))
        return refuse_pointer(v, status_at.va);
    return 0;
}
_Static_assert(sizeof(struct xen_gnttab_unmap_and_replace) ==
                       sizeof(struct xen_gnttab_unmap_grant_ref) &&
                   offsetof(struct xen_gnttab_unmap_and_replace, status) ==
                       offsetof(struct xen_gnttab_unmap_grant_ref, status),
               "one loop for both");

PLAT_INLINE long unmap_all(struct vcpu *v, pv_gptr_t arg, uint32_t count, bool replace)
{
    struct unmapped u[UNMAP_BATCH];

    for (uint32_t i = 0, n; i < count; i += n) {
        long rc = 0;

        if (grant_pause(i))
            return grant_resume(
                v, replace ? XEN_GNTTABOP_unmap_and_replace : XEN_GNTTABOP_unmap_grant_ref,
                gptr_add(arg, i * sizeof(struct xen_gnttab_unmap_grant_ref)), count - i);
        for (n = 0; n < UNMAP_BATCH && i + n < count && rc == 0; n++)
            rc =
                unmap_request(v, gptr_add(arg, (i + n) * sizeof(struct xen_gnttab_unmap_grant_ref)),
                              replace, &u[n]);
        unmap_complete(v, u, n);
        if (unlikely(rc))
            return rc;
    }
    return 0;
}

long grant_op_unmap(struct vcpu *v, pv_gptr_t arg, uint32_t count)
{
    return unmap_all(v, arg, count, false);
}

long grant_op_replace(struct vcpu *v, pv_gptr_t arg, uint32_t count)
{
    return unmap_all(v, arg, count, true);
}
