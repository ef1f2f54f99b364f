/* SPDX-License-Identifier: MIT
 *
 * grant.c - grant_table_op: memory that one domain lends to another, page by page.
 *
 * This file has the tables themselves, the rules of a grant's use, and the call; what is done with
 * grants is in grant_map.c, grant_copy.c, grant_transfer.c and (for the shim's own
 * back-ends) grant_pin.c. Every request of an array has its own status, and a refusal of one is
 * not the end of the others. The reasons are recorded all the same.
 *
 * Nothing writes to a granter's table but the two status bits, except a transfer (grant_transfer.c)
 * and the granter's own swap_grant_ref. Version 1 is the only one, as on a Xen that
 * was started with gnttab=max-ver:1.
 */
#include "grant_use.h"

enum {
    COUNT_MAX = 255,
    CMD_BITS = 12,      /* the command; above it where a search goes on */
    SEARCH_STEP = 4096, /* entries between two looks for interrupts: 1 << CMD_BITS */
};

/* -- tables ------------------------------------------------------------------------ */

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

uint32_t grant_handle_get(struct grant_table *t)
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

/* -- the rules of a use -------------------------------------------------------------- */

COLD int16_t grant_refuse(struct vcpu *v, struct domain *rd, enum rule rule, int16_t status,
                          uint64_t ref, uint64_t value, uint64_t m)
{
    if (v)
        refuse(v, rule, .va = ref, .value = value, .mfn = m);
    else
        refuse_domain(rd, rule, .va = ref, .value = value, .mfn = m);
    return status;
}

/* Set the status bits that a use needs. */
static int16_t status_set(struct vcpu *v, uint16_t user, struct domain *rd, uint32_t ref,
                          bool readonly)
{
    const struct grant_active *act = active_of(rd->grants, ref);
    uint32_t *word = (uint32_t *)entry_of(rd->grants, ref); /* flags and domid change together */
    uint32_t old = __atomic_load_n(word, __ATOMIC_RELAXED);

    for (unsigned i = 0; i < GRANT_RETRIES; i++) {
        uint16_t flags = (uint16_t)old;
        uint32_t set = XEN_GTF_reading | (readonly ? 0 : XEN_GTF_writing);

        if (!grant_busy(act)) {
            if (unlikely((flags & XEN_GTF_type_mask) != XEN_GTF_permit_access))
                return grant_refuse(v, rd, RULE_GRANT_TYPE, XEN_GNTST_general_error, ref, flags, 0);
            if (unlikely(old >> 16 != user))
                return grant_refuse(v, rd, RULE_GRANT_DOMAIN, XEN_GNTST_general_error, ref,
                                    old >> 16, 0);
        }
        if (unlikely(!readonly && (flags & XEN_GTF_readonly)))
            return grant_refuse(v, rd, RULE_GRANT_READONLY, XEN_GNTST_general_error, ref, flags, 0);
        if (likely(__atomic_compare_exchange_n(word, &old, old | set, false, __ATOMIC_ACQ_REL,
                                               __ATOMIC_RELAXED)))
            return XEN_GNTST_okay;
    }
    return grant_refuse(v, rd, RULE_GRANT_UNSTABLE, XEN_GNTST_general_error, ref, GRANT_RETRIES, 0);
}

void grant_status_clear(struct xen_grant_entry_v1 *e, const struct grant_active *act, bool readonly)
{
    uint16_t clear = grant_busy(act) ? 0 : XEN_GTF_reading;

    if (!readonly && !act->writers)
        clear |= XEN_GTF_writing;
    if (clear)
        __atomic_and_fetch(&e->flags, (uint16_t)~clear, __ATOMIC_ACQ_REL);
}

int16_t grant_claim(struct vcpu *v, uint16_t user, struct domain *rd, uint32_t ref, bool readonly,
                    uint32_t *m, bool *marked)
{
    const struct grant_active *act;
    uint32_t frame;
    int16_t rc;

    *marked = false;
    if (unlikely(!grant_ref_ok(rd->grants, ref)))
        return grant_refuse(v, rd, RULE_GRANT_REF, XEN_GNTST_bad_gntref, ref, rd->id, 0);
    act = active_of(rd->grants, ref);
    if (grant_busy(act) &&
        unlikely(act->domid != user || (readonly ? act->readers : act->writers) == COUNT_MAX))
        return grant_refuse(v, rd, RULE_GRANT_BUSY, XEN_GNTST_general_error, ref, act->domid,
                            act->mfn);
    if (!grant_busy(act) || (!readonly && !act->writers)) {
        rc = status_set(v, user, rd, ref, readonly);
        if (unlikely(rc))
            return rc;
        *marked = true;
    }
    if (grant_busy(act)) {
        *m = act->mfn;
        return XEN_GNTST_okay;
    }
    frame = __atomic_load_n(&entry_of(rd->grants, ref)->frame, __ATOMIC_RELAXED);
    if (unlikely(frame >= frame_count || frame_table[frame].owner != rd->id)) {
        grant_status_clear(entry_of(rd->grants, ref), act, readonly);
        return grant_refuse(v, rd, RULE_GRANT_FRAME, XEN_GNTST_bad_page, ref, frame,
                            frame < frame_count ? frame : 0);
    }
    *m = frame;
    return XEN_GNTST_okay;
}

/* -- the table itself ------------------------------------------------------------ */

/* Of one's own table only. A status. */
static int16_t table_domain(struct vcpu *v, uint16_t domid)
{
    if (domid != XEN_DOMID_SELF && !domain_by_id(domid))
        return grant_refuse(v, NULL, RULE_DOMAIN_UNKNOWN, XEN_GNTST_bad_domain, 0, domid, 0);
    if (domid != XEN_DOMID_SELF && domid != v->domain->id)
        return grant_refuse(v, NULL, RULE_DOMAIN_FOREIGN, XEN_GNTST_permission_denied, 0, domid, 0);
    return XEN_GNTST_okay;
}

static long count_refuse(struct vcpu *v, uint32_t count)
{
    return refuse(v, RULE_GRANT_COUNT, .value = count);
}

/* The one request of a call about a table: op, of n bytes, with a domid at that offset. 0 (and the
 * domid's status), or the call's refusal. */
static long table_request(struct vcpu *v, pv_gptr_t arg, uint32_t count, void *op, size_t n,
                          size_t domid_at, int16_t *status)
{
    if (count != 1)
        return count_refuse(v, count);
    if (guest_copy_in(op, arg, n))
        return refuse_pointer(v, arg.va);
    *status = table_domain(v, *(const xen_domid_t *)((const char *)op + domid_at));
    return 0;
}

static long table_answer(struct vcpu *v, pv_gptr_t to, const void *from, size_t n)
{
    return guest_copy_out(to, from, n) ? refuse_pointer(v, to.va) : 0;
}

static __attribute__((noinline)) long setup_table(struct vcpu *v, pv_gptr_t arg, uint32_t count)
{
    struct xen_gnttab_setup_table op;
    struct domain *d = v->domain;
    long rc = table_request(v, arg, count, &op, sizeof(op),
                            offsetof(struct xen_gnttab_setup_table, dom), &op.status);

    if (rc)
        return rc;
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
    return table_answer(v, gptr_add(arg, offsetof(struct xen_gnttab_setup_table, status)),
                        &op.status, sizeof(op.status));
}

static __attribute__((noinline)) long query_size(struct vcpu *v, pv_gptr_t arg, uint32_t count)
{
    struct xen_gnttab_query_size op;
    long rc = table_request(v, arg, count, &op, sizeof(op),
                            offsetof(struct xen_gnttab_query_size, dom), &op.status);

    if (rc)
        return rc;
    if (op.status == XEN_GNTST_okay) {
        op.nr_frames = v->domain->grants->frames;
        op.max_nr_frames = GRANT_FRAMES;
    }
    return table_answer(v, arg, &op, sizeof(op));
}

static __attribute__((noinline)) long get_version(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_gnttab_get_version op;
    struct domain *d;
    long err;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return refuse_pointer(v, arg.va);
    d = domain_for(v, op.dom, &err);
    if (!d)
        return err;
    op.version = 1;
    if (guest_copy_out(arg, &op, sizeof(op)))
        return refuse_pointer(v, arg.va);
    return 0;
}

static __attribute__((noinline)) long set_version(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_gnttab_set_version op;
    long rc = 0;

    if (guest_copy_in(&op, arg, sizeof(op)))
        return refuse_pointer(v, arg.va);
    if (op.version != 1)
        rc = refuse(v, RULE_GRANT_VERSION, .value = op.version,
                    .err = op.version == 2 ? -XEN_ENOSYS : -XEN_EINVAL);
    op.version = 1;
    if (guest_copy_out(arg, &op, sizeof(op)))
        return refuse_pointer(v, arg.va);
    return rc;
}

/* The status words of version 2, of which there are none. */
static __attribute__((noinline)) long get_status_frames(struct vcpu *v, pv_gptr_t arg,
                                                        uint32_t count)
{
    pv_gptr_t status_at = gptr_add(arg, offsetof(struct xen_gnttab_get_status_frames, status));
    struct xen_gnttab_get_status_frames op;
    long rc = table_request(v, arg, count, &op, sizeof(op),
                            offsetof(struct xen_gnttab_get_status_frames, dom), &op.status);

    if (rc)
        return rc;
    if (op.status == XEN_GNTST_okay && op.nr_frames)
        op.status = grant_refuse(v, NULL, RULE_GRANT_STATUS_FRAMES, XEN_GNTST_general_error, 0,
                                 op.nr_frames, 0);
    return table_answer(v, status_at, &op.status, sizeof(op.status));
}

/* -- two entries change places ----------------------------------------------------------- */

static int16_t swap_one(struct vcpu *v, const struct xen_gnttab_swap_grant_ref *op)
{
    const struct grant_table *t = v->domain->grants;
    uint32_t ref[2] = {op->ref_a, op->ref_b};
    uint64_t *a, *b, saved;

    for (unsigned i = 0; i < 2; i++)
        if (!grant_ref_ok(t, ref[i]))
            return grant_refuse(v, NULL, RULE_GRANT_REF, XEN_GNTST_bad_gntref, ref[i],
                                v->domain->id, 0);
    if (ref[0] == ref[1])
        return XEN_GNTST_okay;
    for (unsigned i = 0; i < 2; i++)
        if (grant_busy(active_of(t, ref[i])))
            return grant_refuse(v, NULL, RULE_GRANT_BUSY, XEN_GNTST_eagain, ref[i],
                                active_of(t, ref[i])->domid, 0);
    a = (uint64_t *)entry_of(t, ref[0]);
    b = (uint64_t *)entry_of(t, ref[1]);
    saved = __atomic_load_n(a, __ATOMIC_RELAXED);
    __atomic_store_n(a, __atomic_load_n(b, __ATOMIC_RELAXED), __ATOMIC_RELEASE);
    __atomic_store_n(b, saved, __ATOMIC_RELEASE);
    return XEN_GNTST_okay;
}

static __attribute__((noinline)) long grant_swap(struct vcpu *v, pv_gptr_t arg, uint32_t count)
{
    struct xen_gnttab_swap_grant_ref op;

    for (uint32_t i = 0; i < count; i++) {
        pv_gptr_t at = gptr_add(arg, i * sizeof(op));

        if (grant_pause(i))
            return grant_resume(v, XEN_GNTTABOP_swap_grant_ref, at, count - i);
        if (guest_copy_in(&op, at, sizeof(op)))
            return refuse_pointer(v, at.va);
        op.status = swap_one(v, &op);
        at = gptr_add(at, offsetof(struct xen_gnttab_swap_grant_ref, status));
        if (guest_copy_out(at, &op.status, sizeof(op.status)))
            return refuse_pointer(v, at.va);
    }
    return 0;
}

/* -- caches -------------------------------------------------------------------------------- */

/* Has d a use of frame m by a grant of owner's, from entry *ref on? -XEN_ERESTART: none up to *ref,
 * where an interrupt is to be taken. */
static long search_use(struct vcpu *v, const struct domain *owner, uint64_t m, uint32_t *ref)
{
    const struct grant_table *t = owner->grants;

    for (uint32_t i = *ref; i < t->frames * GRANT_PER_FRAME; i++) {
        const struct grant_active *act = active_of(t, i);

        if (grant_busy(act) && act->domid == v->domain->id && act->mfn == m)
            return 0;
        if ((i + 1) % SEARCH_STEP == 0 && plat_interrupt_pending()) {
            *ref = i + 1;
            return -XEN_ERESTART;
        }
    }
    return refuse(v, RULE_GRANT_CACHE_FOREIGN, .mfn = m, .value = owner->id);
}

/* All that is checked of a request, and nothing else: no device here looks past the caches. */
static long flush_one(struct vcpu *v, const struct xen_gnttab_cache_flush *op, uint32_t *ref)
{
    uint64_t m = op->a.dev_bus_addr >> PV_PAGE_SHIFT;
    const struct domain *owner;
    long rc = 0;

    if (op->offset >= PV_PAGE_SIZE || op->length > PV_PAGE_SIZE ||
        op->offset + op->length > PV_PAGE_SIZE)
        return refuse(v, RULE_GRANT_CACHE_RANGE, .va = op->offset, .value = op->length);
    if (op->op & ~(uint32_t)(XEN_GNTTAB_CACHE_INVAL | XEN_GNTTAB_CACHE_CLEAN))
        return refuse(v, RULE_GRANT_CACHE_OP, .value = op->op);
    if (op->length == 0 || op->op == 0)
        return *ref ? refuse(v, RULE_GRANT_CACHE_OP, .value = op->op, .err = -XEN_EILSEQ) : 0;
    if (m >= frame_count)
        return refuse(v, RULE_GRANT_CACHE_FRAME, .value = m);
    owner = domain_by_id(frame_table[m].owner);
    if (!owner || !owner->grants)
        return refuse(v, RULE_GRANT_CACHE_FRAME, .value = m, .mfn = m, .err = -XEN_EPERM);
    if (owner != v->domain)
        rc = search_use(v, owner, m, ref);
    if (rc == 0 && op->op == XEN_GNTTAB_CACHE_INVAL)
        return refuse(v, RULE_GRANT_CACHE_OP, .value = op->op, .err = -XEN_EOPNOTSUPP);
    return rc;
}

static __attribute__((noinline)) long cache_flush(struct vcpu *v, pv_gptr_t arg, uint32_t count,
                                                  uint32_t ref)
{
    struct xen_gnttab_cache_flush op;

    for (uint32_t i = 0; i < count; i++, ref = 0) {
        pv_gptr_t at = gptr_add(arg, i * sizeof(op));
        long rc;

        if (grant_pause(i))
            return grant_resume(v, XEN_GNTTABOP_cache_flush, at, count - i);
        if (guest_copy_in(&op, at, sizeof(op)))
            return refuse_pointer(v, at.va);
        rc = flush_one(v, &op, &ref);
        if (rc == -XEN_ERESTART)
            return grant_resume(v, XEN_GNTTABOP_cache_flush | ref, at, count - i);
        if (rc)
            return rc;
    }
    return 0;
}

/* -- the call ------------------------------------------------------------------------------- */

long hc_grant_table_op(struct vcpu *v, uint32_t cmd, pv_gptr_t arg, uint32_t count)
{
    uint32_t on = cmd >> CMD_BITS << CMD_BITS;

    if (unlikely((int32_t)count < 0))
        return count_refuse(v, count);
    if (unlikely(on)) {
        cmd ^= on;
        if (cmd != XEN_GNTTABOP_cache_flush)
            return refuse(v, RULE_GRANT_COMMAND, .value = cmd | on);
    }
    switch (cmd) {
    case XEN_GNTTABOP_map_grant_ref:
        return grant_op_map(v, arg, count);
    case XEN_GNTTABOP_unmap_grant_ref:
        return grant_op_unmap(v, arg, count);
    case XEN_GNTTABOP_unmap_and_replace:
        return grant_op_replace(v, arg, count);
    case XEN_GNTTABOP_copy:
        return grant_op_copy(v, arg, count);
    case XEN_GNTTABOP_transfer:
        return grant_op_transfer(v, arg, count);
    case XEN_GNTTABOP_swap_grant_ref:
        return grant_swap(v, arg, count);
    case XEN_GNTTABOP_cache_flush:
        return cache_flush(v, arg, count, on);
    case XEN_GNTTABOP_setup_table:
        return setup_table(v, arg, count);
    case XEN_GNTTABOP_query_size:
        return query_size(v, arg, count);
    case XEN_GNTTABOP_get_version:
        return get_version(v, arg);
    case XEN_GNTTABOP_set_version:
        return set_version(v, arg);
    case XEN_GNTTABOP_get_status_frames:
        return get_status_frames(v, arg, count);
    default: /* dump_table too, as on Xen: GRUB's disk driver asks for it, and goes on */
        return refuse(v, RULE_HYPERCALL_SUBOP, .value = cmd);
    }
}

/* -- the end -------------------------------------------------------------------------------- */

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
        use_end(d->id, domain_by_id(m->domid), m->ref, m->flags & XEN_GNTMAP_readonly, m->mfn);
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
