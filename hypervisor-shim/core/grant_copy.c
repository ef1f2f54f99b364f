/* SPDX-License-Identifier: MIT
 *
 * grant_copy.c - bytes from one page to another, either of them named by a grant.
 *
 * Nothing else happens between the two halves of a copy, so that its frames need no references; a
 * granter that revokes meanwhile sees the status bits. The ends are taken before the sizes are
 * looked at, as in Xen: the first thing wrong decides the status.
 *
 * It must never write to a frame that is in use as anything but plain memory.
 */
#include "grant_use.h"

static int16_t access_begin(struct vcpu *v, uint16_t user, struct domain *rd, uint32_t ref,
                            bool readonly, struct grant_access *a)
{
    int16_t rc = grant_claim(v, user, rd, ref, readonly, &a->mfn, &a->marked);
    struct frame *f;

    if (unlikely(rc))
        return rc;
    a->entry = entry_of(rd->grants, ref);
    a->act = active_of(rd->grants, ref);
    a->readonly = readonly;
    f = frame_of(mfn(a->mfn));
    if (unlikely(f->owner != rd->id)) {
        grant_access_end(a);
        return grant_refuse(v, rd, RULE_GRANT_FRAME, XEN_GNTST_general_error, ref, a->mfn, a->mfn);
    }
    if (!readonly && unlikely(f->type != FRAME_WRITABLE) && !frame_become_writable(f)) {
        grant_access_end(a);
        return grant_refuse(v, rd, RULE_GRANT_NOT_WRITABLE, XEN_GNTST_general_error, ref, a->mfn,
                            a->mfn);
    }
    a->page = plat_map(mfn(a->mfn));
    return XEN_GNTST_okay;
}

int16_t grant_access_begin(struct domain *granter, uint32_t ref, bool readonly,
                           struct grant_access *a)
{
    return access_begin(NULL, 0, granter, ref, readonly, a);
}

void grant_access_end(const struct grant_access *a)
{
    if (a->marked)
        grant_status_clear(a->entry, a->act, a->readonly);
}

static inline int16_t copy_open(struct vcpu *v, const struct xen_gnttab_copy_ptr *p, bool granted,
                                struct domain *rd, bool readonly, struct grant_access *a)
{
    uint64_t m = p->u.gmfn;

    if (granted)
        return access_begin(v, v->domain->id, rd, p->u.ref, readonly, a);
    if (unlikely(m >= frame_count || frame_table[m].owner != rd->id))
        return grant_refuse(v, rd, RULE_GRANT_FRAME, XEN_GNTST_bad_page, ~0ull, m,
                            m < frame_count ? m : 0);
    if (!readonly && unlikely(frame_table[m].type != FRAME_WRITABLE) &&
        !frame_become_writable(&frame_table[m]))
        return grant_refuse(v, rd, RULE_GRANT_NOT_WRITABLE, XEN_GNTST_general_error, ~0ull, m, m);
    a->marked = false;
    a->page = plat_map(mfn(m));
    return XEN_GNTST_okay;
}

/* Whose page or grant it is; NULL: *rc says why not. */
static inline struct domain *copy_domain(struct vcpu *v, const struct xen_gnttab_copy_ptr *p,
                                         bool granted, int16_t *rc)
{
    struct domain *d = p->domid == XEN_DOMID_SELF ? v->domain : domain_by_id(p->domid);

    if (unlikely(!granted && p->domid != XEN_DOMID_SELF)) {
        *rc = grant_refuse(v, NULL, RULE_GRANT_COPY_FRAME, XEN_GNTST_permission_denied, p->u.gmfn,
                           p->domid, 0);
        return NULL;
    }
    if (unlikely(!d))
        *rc =
            grant_refuse(v, NULL, RULE_DOMAIN_UNKNOWN, XEN_GNTST_bad_domain, p->u.ref, p->domid, 0);
    return d;
}

static int16_t copy_one(struct vcpu *v, const struct xen_gnttab_copy *op)
{
    bool from_ref = op->flags & XEN_GNTCOPY_source_gref, to_ref = op->flags & XEN_GNTCOPY_dest_gref;
    struct grant_access from, to;
    struct domain *a, *b;
    int16_t rc;

    if (unlikely(!(a = copy_domain(v, &op->source, from_ref, &rc))) ||
        unlikely(!(b = copy_domain(v, &op->dest, to_ref, &rc))))
        return rc;
    rc = copy_open(v, &op->source, from_ref, a, true, &from);
    if (unlikely(rc))
        return rc;
    rc = copy_open(v, &op->dest, to_ref, b, false, &to);
    if (likely(!rc)) {
        if (unlikely(op->source.offset + op->len > PV_PAGE_SIZE ||
                     op->dest.offset + op->len > PV_PAGE_SIZE))
            rc = grant_refuse(v, NULL, RULE_GRANT_COPY_SIZE, XEN_GNTST_bad_copy_arg,
                              op->source.offset, op->len, 0);
        else
            __builtin_memmove(to.page + op->dest.offset, from.page + op->source.offset, op->len);
        grant_access_end(&to);
    }
    grant_access_end(&from);
    return rc;
}

long grant_op_copy(struct vcpu *v, pv_gptr_t arg, uint32_t count)
{
    struct xen_gnttab_copy op;

    for (uint32_t i = 0; i < count; i++) {
        pv_gptr_t at = gptr_add(arg, i * sizeof(op));

        if (grant_pause(i))
            return grant_resume(v, XEN_GNTTABOP_copy, at, count - i);
        if (unlikely(guest_copy_in(&op, at, sizeof(op))))
            return refuse_pointer(v, at.va);
        op.status = copy_one(v, &op);
        at = gptr_add(at, offsetof(struct xen_gnttab_copy, status));
        if (unlikely(guest_copy_out(at, &op.status, sizeof(op.status))))
            return refuse_pointer(v, at.va);
    }
    return 0;
}
