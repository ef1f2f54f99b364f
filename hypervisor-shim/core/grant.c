/* SPDX-License-Identifier: MIT
 *
 * grant.c - grant_table_op: memory that one domain lends to another, page by page.
 *
 * Every request of an array has its own status, and a refusal of one is not the end of the
 * others. The reasons are recorded all the same.
 *
 *      map     status flags -> active entry -> reference (and type) of the frame -> L1 entry
 *      unmap   L1 entry; then, after one flush for the batch, all the rest backwards
 *      copy    both ends taken as above without a mapping, bytes moved, both given back
 *
 * The L1 entry owns the references of its mapping: a guest that overwrites it by other means
 * drops them, and only keeps the grant busy (as in Xen). Nothing here writes to a
 * granter's table but the two status bits.
 */
#include "grant.h"
#include "mm_args.h"

enum {
    COUNT_MAX = 255,
    UNMAP_BATCH = 16,
    RETRIES = 5,
    /* of a map request, what is written back: from here to its end */
    MAP_RESULT = offsetof(struct xen_gnttab_map_grant_ref, dom),
};

/* -- tables ------------------------------------------------------------------------ */

static struct grant_active *active_of(const struct grant_table *t, uint32_t ref)
{
    return &t->active[ref / GRANT_PER_FRAME][ref % GRANT_PER_FRAME];
}

static struct xen_grant_entry_v1 *entry_of(const struct grant_table *t, uint32_t ref)
{
    return &t->shared[ref / GRANT_PER_FRAME][ref % GRANT_PER_FRAME];
}

static bool table_grow(struct domain *d, uint32_t frames)
{
    struct grant_table *t = d->grants;

    for (; t->frames < frames; t->frames++) {
        void *shared = frame_hv_alloc(0), *active = shared ? frame_hv_alloc(0) : 0;

        if (!active) {
            if (shared)
                frame_hv_free(shared, 0);
            return false;
        }
        frame_share(shared, d, true);
        t->shared[t->frames] = shared;
        t->active[t->frames] = active;
    }
    return true;
}

bool grant_init(struct domain *d)
{
    d->grants = frame_hv_alloc(0);
    if (!d->grants)
        return false;
    d->grants->free_handle = ~0u;
    if (table_grow(d, 1))
        return true;
    frame_hv_free(d->grants, 0);
    d->grants = 0;
    return false;
}

static uint32_t handle_get(struct grant_table *t)
{
    uint32_t handle = t->free_handle, page = t->handles / MAPTRACK_PER_PAGE;

    if (likely(handle != ~0u)) {
        t->free_handle = grant_mapping(t, handle)->next;
        return handle;
    }
    if (page == MAPTRACK_PAGES || !(t->maptrack[page] = frame_hv_alloc(0)))
        return ~0u;
    handle = t->handles;
    t->handles += MAPTRACK_PER_PAGE;
    for (uint32_t i = handle + 1; i < t->handles; i++)
        grant_mapping(t, i)->next = i + 1 < t->handles ? i + 1 : ~0u;
    t->free_handle = handle + 1;
    return handle;
}

static void handle_put(struct grant_table *t, uint32_t handle)
{
    struct grant_mapping *m = grant_mapping(t, handle);

    m->flags = 0;
    m->next = t->free_handle;
    t->free_handle = handle;
}

/* -- a use of a grant ------------------------------------------------------------------ */

static __attribute__((noinline, cold)) int16_t status_refuse(struct vcpu *v, enum rule rule,
                                                             int16_t status, uint64_t ref,
                                                             uint64_t value, uint64_t m)
{
    refuse(v, rule, .va = ref, .value = value, .mfn = m);
    return status;
}

/* Set the status bits that a use needs. */
static int16_t status_set(struct vcpu *v, struct xen_grant_entry_v1 *e,
                          const struct grant_active *act, bool readonly, uint32_t ref)
{
    uint32_t *word = (uint32_t *)e; /* flags and domid change together */
    uint32_t old = __atomic_load_n(word, __ATOMIC_RELAXED);

    for (unsigned i = 0; i < RETRIES; i++) {
        uint16_t flags = (uint16_t)old;
        uint32_t set = XEN_GTF_reading | (readonly ? 0 : XEN_GTF_writing);

        if (!(act->readers | act->writers)) {
            if (unlikely((flags & XEN_GTF_type_mask) != XEN_GTF_permit_access))
                return status_refuse(v, RULE_GRANT_TYPE, XEN_GNTST_general_error, ref, flags, 0);
            if (unlikely(old >> 16 != v->domain->id))
                return status_refuse(v, RULE_GRANT_DOMAIN, XEN_GNTST_general_error, ref, old >> 16,
                                     0);
        }
        if (unlikely(!readonly && (flags & XEN_GTF_readonly)))
            return status_refuse(v, RULE_GRANT_READONLY, XEN_GNTST_general_error, ref, flags, 0);
        if (likely(__atomic_compare_exchange_n(word, &old, old | set, false, __ATOMIC_ACQ_REL,
                                               __ATOMIC_RELAXED)))
            return XEN_GNTST_okay;
    }
    return status_refuse(v, RULE_GRANT_UNSTABLE, XEN_GNTST_general_error, ref, RETRIES, 0);
}

/* Clear the status bits that no use needs any more. */
static void status_clear(struct xen_grant_entry_v1 *e, const struct grant_active *act,
                         bool readonly)
{
    uint16_t clear = act->readers | act->writers ? 0 : XEN_GTF_reading;

    if (!readonly && !act->writers)
        clear |= XEN_GTF_writing;
    if (clear)
        __atomic_and_fetch(&e->flags, (uint16_t)~clear, __ATOMIC_ACQ_REL);
}

/* One more use of rd's grant by v's domain; its frame goes to *m. A status. */
static inline int16_t use_begin(struct vcpu *v, struct domain *rd, uint32_t ref, bool readonly,
                                uint32_t *m)
{
    struct grant_table *t = rd->grants;
    struct xen_grant_entry_v1 *e;
    struct grant_active *act;
    int16_t rc;

    if (unlikely(!t || ref >= t->frames * GRANT_PER_FRAME))
        return status_refuse(v, RULE_GRANT_REF, XEN_GNTST_bad_gntref, ref, rd->id, 0);
    e = entry_of(t, ref);
    act = active_of(t, ref);
    if ((act->readers | act->writers) &&
        unlikely(act->domid != v->domain->id ||
                 (readonly ? act->readers : act->writers) == COUNT_MAX))
        return status_refuse(v, RULE_GRANT_BUSY, XEN_GNTST_general_error, ref, act->domid,
                             act->mfn);
    if (!(act->readers | act->writers) || (!readonly && !act->writers)) {
        rc = status_set(v, e, act, readonly, ref);
        if (unlikely(rc))
            return rc;
    }
    if (!(act->readers | act->writers)) {
        uint32_t frame = __atomic_load_n(&e->frame, __ATOMIC_RELAXED);

        if (unlikely(frame >= frame_count || frame_table[frame].owner != rd->id)) {
            status_clear(e, act, readonly);
            return status_refuse(v, RULE_GRANT_FRAME, XEN_GNTST_bad_page, ref, frame,
                                 frame < frame_count ? frame : 0);
        }
        act->mfn = frame;
        act->domid = v->domain->id;
    }
    if (readonly)
        act->readers++;
    else
        act->writers++;
    *m = act->mfn;
    return XEN_GNTST_okay;
}

/* That use ends; it may be that the granter is gone. */
static void use_end(struct domain *user, struct domain *rd, uint32_t ref, bool readonly, uint32_t m)
{
    struct grant_table *t = rd ? rd->grants : 0;
    struct grant_active *act;

    if (!t || ref >= t->frames * GRANT_PER_FRAME)
        return;
    act = active_of(t, ref);
    if (act->mfn != m || act->domid != user->id || !(readonly ? act->readers : act->writers))
        return;
    if (readonly)
        act->readers--;
    else
        act->writers--;
    status_clear(entry_of(t, ref), act, readonly);
}

/* References for `uses` uses of frame m of rd. */
static inline int16_t frame_take(struct vcpu *v, struct domain *rd, uint32_t m, bool readonly,
                                 unsigned uses, uint32_t ref)
{
    struct frame *f = frame_of(mfn(m));

    if (unlikely(f->owner != rd->id || f->refs >= FRAME_REFS_MAX))
        return status_refuse(v, RULE_GRANT_FRAME, XEN_GNTST_general_error, ref, m, m);
    if (!readonly) {
        if (unlikely(f->type != FRAME_WRITABLE) && unlikely(!frame_become_writable(f)))
            return status_refuse(v, RULE_GRANT_NOT_WRITABLE, XEN_GNTST_general_error, ref, m, m);
        f->type_refs += uses;
    }
    f->refs += uses;
    return XEN_GNTST_okay;
}

static void frame_leave(uint32_t m, bool readonly)
{
    struct frame *f = frame_of(mfn(m));

    if (!readonly)
        frame_put_writable(f);
    frame_put(f);
}

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
            return status_refuse(v, RULE_GRANT_PLACE, XEN_GNTST_general_error, op->ref,
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
        return status_refuse(v, RULE_GRANT_MAP_FLAGS, XEN_GNTST_bad_gntref, op->ref, op->flags, 0);
    if (unlikely(!rd))
        return status_refuse(v, RULE_DOMAIN_UNKNOWN, XEN_GNTST_bad_domain, op->ref, op->dom, 0);
    handle = handle_get(t);
    if (unlikely(handle == ~0u))
        return status_refuse(v, RULE_GRANT_HANDLES, XEN_GNTST_no_space, op->ref, t->handles, 0);
    rc = use_begin(v, rd, op->ref, readonly, &m);
    if (likely(rc == XEN_GNTST_okay)) {
        rc = map_frame(v, rd, op, m);
        if (unlikely(rc))
            use_end(v->domain, rd, op->ref, readonly, m);
    }
    if (unlikely(rc)) {
        handle_put(t, handle);
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

static int16_t unmap_host(struct vcpu *v, uint64_t addr, const struct grant_mapping *map)
{
    uint64_t *p = mapping_entry(v, addr, map->flags), old;

    if (unlikely(!p))
        return status_refuse(v, RULE_GRANT_PLACE, XEN_GNTST_general_error, map->ref, addr, 0);
    old = *p;
    if (unlikely(pte_mfn(old).n != map->mfn ||
                 ((old ^ mapping_value(map->mfn, map->flags)) & (PTE_P | PTE_RW)))) {
        refuse(v, RULE_GRANT_NOT_MAPPED, .va = addr, .mfn = map->mfn, .old_entry = old,
               .value = map->ref);
        return XEN_GNTST_general_error;
    }
    pte_write(p, old, 0, false);
    return XEN_GNTST_okay;
}

static int16_t unmap_one(struct vcpu *v, const struct xen_gnttab_unmap_grant_ref *op,
                         struct unmapped *u)
{
    struct grant_table *t = v->domain->grants;
    struct grant_mapping *map;
    int16_t rc;

    u->drops = 0;
    u->last = false;
    if (unlikely(op->handle >= t->handles || !grant_mapping(t, op->handle)->flags))
        return status_refuse(v, RULE_GRANT_HANDLE, XEN_GNTST_bad_handle, 0, op->handle, 0);
    map = grant_mapping(t, op->handle);
    if (unlikely(op->dev_bus_addr && (map->flags & XEN_GNTMAP_device_map) &&
                 op->dev_bus_addr != (uint64_t)map->mfn << PV_PAGE_SHIFT))
        return status_refuse(v, RULE_GRANT_BUS_ADDRESS, XEN_GNTST_bad_dev_addr, map->ref,
                             op->dev_bus_addr, map->mfn);
    if (op->host_addr && (map->flags & XEN_GNTMAP_host_map)) {
        rc = unmap_host(v, op->host_addr, map);
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
        handle_put(t, op->handle);
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
            use_end(v->domain, domain_by_id(u[i].domid), u[i].ref, u[i].readonly, u[i].mfn);
    }
}

/* -- copy ---------------------------------------------------------------------------------------
 */

/* One end of a copy. Nothing else happens between its two halves, so the frame needs no
 * references; a granter that revokes meanwhile sees the status bits. */
struct copy_end {
    uint32_t mfn;
    bool marked; /* the status bits are set for this copy */
    struct xen_grant_entry_v1 *entry;
    const struct grant_active *act;
};

static int16_t copy_grant(struct vcpu *v, struct domain *rd, uint32_t ref, bool readonly,
                          struct copy_end *e)
{
    struct grant_table *t = rd->grants;
    const struct grant_active *act;
    bool used;

    if (unlikely(!t || ref >= t->frames * GRANT_PER_FRAME))
        return status_refuse(v, RULE_GRANT_REF, XEN_GNTST_bad_gntref, ref, rd->id, 0);
    e->entry = entry_of(t, ref);
    e->act = act = active_of(t, ref);
    used = act->readers | act->writers;
    if (used && unlikely(act->domid != v->domain->id ||
                         (readonly ? act->readers : act->writers) == COUNT_MAX))
        return status_refuse(v, RULE_GRANT_BUSY, XEN_GNTST_general_error, ref, act->domid,
                             act->mfn);
    if (!used || (!readonly && !act->writers)) {
        int16_t rc = status_set(v, e->entry, act, readonly, ref);

        if (unlikely(rc))
            return rc;
        e->marked = true;
    }
    e->mfn = used ? act->mfn : __atomic_load_n(&e->entry->frame, __ATOMIC_RELAXED);
    if (unlikely(e->mfn >= frame_count || frame_table[e->mfn].owner != rd->id))
        return status_refuse(v, RULE_GRANT_FRAME,
                             used ? XEN_GNTST_general_error : XEN_GNTST_bad_page, ref, e->mfn,
                             e->mfn < frame_count ? e->mfn : 0);
    return XEN_GNTST_okay;
}

static inline void copy_close(const struct copy_end *e, bool readonly)
{
    if (e->marked)
        status_clear(e->entry, e->act, readonly);
}

static inline int16_t copy_open(struct vcpu *v, const struct xen_gnttab_copy_ptr *p, bool granted,
                                struct domain *rd, bool readonly, struct copy_end *e)
{
    e->marked = false;
    if (granted) {
        int16_t rc = copy_grant(v, rd, p->u.ref, readonly, e);

        if (unlikely(rc))
            return rc;
    } else {
        uint64_t m = p->u.gmfn;

        if (unlikely(m >= frame_count || frame_table[m].owner != rd->id))
            return status_refuse(v, RULE_GRANT_FRAME, XEN_GNTST_bad_page, ~0ull, m,
                                 m < frame_count ? m : 0);
        e->mfn = (uint32_t)m;
    }
    if (!readonly && unlikely(frame_table[e->mfn].type != FRAME_WRITABLE) &&
        !frame_become_writable(&frame_table[e->mfn]))
        return status_refuse(v, RULE_GRANT_NOT_WRITABLE, XEN_GNTST_general_error,
                             granted ? p->u.ref : ~0ull, e->mfn, e->mfn);
    return XEN_GNTST_okay;
}

/* Whose page or grant it is; NULL: *rc says why not. */
static inline struct domain *copy_domain(struct vcpu *v, const struct xen_gnttab_copy_ptr *p,
                                         bool granted, int16_t *rc)
{
    struct domain *d = p->domid == XEN_DOMID_SELF ? v->domain : domain_by_id(p->domid);

    if (unlikely(!granted && p->domid != XEN_DOMID_SELF)) {
        *rc = status_refuse(v, RULE_GRANT_COPY_FRAME, XEN_GNTST_permission_denied, p->u.gmfn,
                            p->domid, 0);
        return 0;
    }
    if (unlikely(!d))
        *rc = status_refuse(v, RULE_DOMAIN_UNKNOWN, XEN_GNTST_bad_domain, p->u.ref, p->domid, 0);
    return d;
}

static int16_t copy_one(struct vcpu *v, const struct xen_gnttab_copy *op)
{
    bool from_ref = op->flags & XEN_GNTCOPY_source_gref, to_ref = op->flags & XEN_GNTCOPY_dest_gref;
    struct copy_end from, to = {.marked = false};
    struct domain *a, *b;
    int16_t rc;

    if (unlikely(!(a = copy_domain(v, &op->source, from_ref, &rc))) ||
        unlikely(!(b = copy_domain(v, &op->dest, to_ref, &rc))))
        return rc;
    rc = copy_open(v, &op->source, from_ref, a, true, &from);
    if (likely(!rc))
        rc = copy_open(v, &op->dest, to_ref, b, false, &to);
    if (unlikely(rc))
        ;
    else if (unlikely(op->source.offset + op->len > PV_PAGE_SIZE ||
                      op->dest.offset + op->len > PV_PAGE_SIZE))
        rc = status_refuse(v, RULE_GRANT_COPY_SIZE, XEN_GNTST_bad_copy_arg, op->source.offset,
                           op->len, 0);
    else
        __builtin_memmove((uint8_t *)plat_map(mfn(to.mfn)) + op->dest.offset,
                          (uint8_t *)plat_map(mfn(from.mfn)) + op->source.offset, op->len);
    copy_close(&to, false);
    copy_close(&from, true);
    return rc;
}

/* -- the table itself
 * ------------------------------------------------------------------------------ */

/* Of one's own table only. A status; *d is set when it is okay. */
static int16_t table_domain(struct vcpu *v, uint16_t domid, struct domain **d)
{
    if (domid != XEN_DOMID_SELF && !domain_by_id(domid))
        return status_refuse(v, RULE_DOMAIN_UNKNOWN, XEN_GNTST_bad_domain, 0, domid, 0);
    if (domid != XEN_DOMID_SELF && domid != v->domain->id)
        return status_refuse(v, RULE_DOMAIN_FOREIGN, XEN_GNTST_permission_denied, 0, domid, 0);
    *d = v->domain;
    return XEN_GNTST_okay;
}

static long count_refuse(struct vcpu *v, uint32_t count)
{
    return refuse(v, RULE_GRANT_COUNT, .value = count);
}

static __attribute__((noinline)) long setup_table(struct vcpu *v, pv_gptr_t arg, uint32_t count)
{
    struct xen_gnttab_setup_table op;
    struct domain *d;

    if (count != 1)
        return count_refuse(v, count);
    if (guest_copy_in(&op, arg, sizeof(op)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    op.status = table_domain(v, op.dom, &d);
    if (op.status == XEN_GNTST_okay && op.nr_frames > GRANT_FRAMES) {
        refuse(v, RULE_GRANT_TABLE_SIZE, .value = op.nr_frames, .limit = GRANT_FRAMES);
        op.status = XEN_GNTST_general_error;
    }
    if (op.status == XEN_GNTST_okay && !table_grow(d, op.nr_frames)) {
        refuse(v, RULE_MEMORY_NONE_FREE, .limit = frame_free_count());
        op.status = XEN_GNTST_general_error;
    }
    for (uint32_t i = 0; op.status == XEN_GNTST_okay && i < op.nr_frames; i++) {
        uint64_t m = (uint64_t)((uint8_t *)d->grants->shared[i] - plat_ram) >> PV_PAGE_SHIFT;
        pv_gptr_t at = gptr_add(op.frame_list, i * sizeof(m));

        if (guest_copy_out(at, &m, sizeof(m))) {
            refuse(v, RULE_GUEST_POINTER, .va = at.va);
            op.status = XEN_GNTST_bad_virt_addr;
        }
    }
    if (guest_copy_out(gptr_add(arg, offsetof(struct xen_gnttab_setup_table, status)), &op.status,
                       sizeof(op.status)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    return 0;
}

static __attribute__((noinline)) long query_size(struct vcpu *v, pv_gptr_t arg, uint32_t count)
{
    struct xen_gnttab_query_size op;
    struct domain *d;

    if (count != 1)
        return count_refuse(v, count);
    if (guest_copy_in(&op, arg, sizeof(op)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    op.status = table_domain(v, op.dom, &d);
    if (op.status == XEN_GNTST_okay) {
        op.nr_frames = d->grants->frames;
        op.max_nr_frames = GRANT_FRAMES;
    }
    if (guest_copy_out(arg, &op, sizeof(op)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    return 0;
}

static __attribute__((noinline)) long get_version(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_gnttab_get_version op;
    struct domain *d;
    long err;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    d = domain_for(v, op.dom, &err);
    if (!d)
        return err;
    op.version = 1;
    if (guest_copy_out(arg, &op, sizeof(op)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    return 0;
}

static __attribute__((noinline)) long set_version(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_gnttab_set_version op;
    long rc = 0;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    if (op.version != 1)
        rc = refuse(v, RULE_GRANT_VERSION, .value = op.version,
                    .err = op.version == 2 ? -XEN_ENOSYS : -XEN_EINVAL);
    op.version = 1;
    if (guest_copy_out(arg, &op, sizeof(op)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    return rc;
}

/* -- the call
 * ------------------------------------------------------------------------------------------ */

static long grant_map(struct vcpu *v, pv_gptr_t arg, uint32_t count)
{
    struct xen_gnttab_map_grant_ref op;

    for (uint32_t i = 0; i < count; i++) {
        pv_gptr_t at = gptr_add(arg, i * sizeof(op));

        if (i && unlikely(plat_interrupt_pending()))
            return hc_restart(v, 3, (uint64_t)XEN_GNTTABOP_map_grant_ref, at.va,
                              (uint64_t)(count - i));
        if (unlikely(guest_copy_in(&op, at, sizeof(op))))
            return refuse(v, RULE_GUEST_POINTER, .va = at.va);
        op.status = map_one(v, &op);
        if (unlikely(guest_copy_out(gptr_add(at, MAP_RESULT), &op.dom, sizeof(op) - MAP_RESULT)))
            return refuse(v, RULE_GUEST_POINTER, .va = at.va);
    }
    return 0;
}

static long grant_unmap(struct vcpu *v, pv_gptr_t arg, uint32_t count)
{
    struct xen_gnttab_unmap_grant_ref op;
    struct unmapped u[UNMAP_BATCH];

    for (uint32_t i = 0, n; i < count; i += n) {
        long rc = 0;

        if (i && unlikely(plat_interrupt_pending()))
            return hc_restart(v, 3, (uint64_t)XEN_GNTTABOP_unmap_grant_ref, arg.va + i * sizeof(op),
                              (uint64_t)(count - i));
        for (n = 0; n < UNMAP_BATCH && i + n < count && rc == 0; n++) {
            pv_gptr_t at = gptr_add(arg, (i + n) * sizeof(op));
            pv_gptr_t status_at = gptr_add(at, offsetof(struct xen_gnttab_unmap_grant_ref, status));

            if (unlikely(guest_copy_in(&op, at, sizeof(op)))) {
                rc = refuse(v, RULE_GUEST_POINTER, .va = at.va);
                break;
            }
            op.status = unmap_one(v, &op, &u[n]);
            if (unlikely(guest_copy_out(status_at, &op.status, sizeof(op.status))))
                rc = refuse(v, RULE_GUEST_POINTER, .va = at.va);
        }
        unmap_complete(v, u, n);
        if (unlikely(rc))
            return rc;
    }
    return 0;
}

static long grant_copy(struct vcpu *v, pv_gptr_t arg, uint32_t count)
{
    struct xen_gnttab_copy op;

    for (uint32_t i = 0; i < count; i++) {
        pv_gptr_t at = gptr_add(arg, i * sizeof(op));

        if (i && unlikely(plat_interrupt_pending()))
            return hc_restart(v, 3, (uint64_t)XEN_GNTTABOP_copy, at.va, (uint64_t)(count - i));
        if (unlikely(guest_copy_in(&op, at, sizeof(op))))
            return refuse(v, RULE_GUEST_POINTER, .va = at.va);
        op.status = copy_one(v, &op);
        if (unlikely(guest_copy_out(gptr_add(at, offsetof(struct xen_gnttab_copy, status)),
                                    &op.status, sizeof(op.status))))
            return refuse(v, RULE_GUEST_POINTER, .va = at.va);
    }
    return 0;
}

long hc_grant_table_op(struct vcpu *v, uint32_t cmd, pv_gptr_t arg, uint32_t count)
{
    if (unlikely((int32_t)count < 0))
        return count_refuse(v, count);
    switch (cmd) {
    case XEN_GNTTABOP_map_grant_ref:
        return grant_map(v, arg, count);
    case XEN_GNTTABOP_unmap_grant_ref:
        return grant_unmap(v, arg, count);
    case XEN_GNTTABOP_copy:
        return grant_copy(v, arg, count);
    case XEN_GNTTABOP_setup_table:
        return setup_table(v, arg, count);
    case XEN_GNTTABOP_query_size:
        return query_size(v, arg, count);
    case XEN_GNTTABOP_get_version:
        return get_version(v, arg);
    case XEN_GNTTABOP_set_version:
        return set_version(v, arg);
    default:
        return refuse(v, RULE_HYPERCALL_SUBOP, .value = cmd);
    }
}

/* -- the end
 * ---------------------------------------------------------------------------------------------- */

void grant_exit(struct domain *d)
{
    struct grant_table *t = d->grants;

    if (!t)
        return;
    for (uint32_t i = 0; i < t->handles; i++) {
        struct grant_mapping *m = grant_mapping(t, i);

        if (!m->flags)
            continue;
        if (m->flags & XEN_GNTMAP_device_map)
            frame_leave(m->mfn, m->flags & XEN_GNTMAP_readonly);
        use_end(d, domain_by_id(m->domid), m->ref, m->flags & XEN_GNTMAP_readonly, m->mfn);
        m->flags = 0; /* the L1 entry gives its references back with its table */
    }
    for (uint32_t i = 0; i < t->frames; i++) {
        frame_hv_free(t->shared[i], 0);
        frame_hv_free(t->active[i], 0);
    }
    for (uint32_t i = 0; i < t->handles / MAPTRACK_PER_PAGE; i++)
        frame_hv_free(t->maptrack[i], 0);
    frame_hv_free(t, 0);
    d->grants = 0;
}
