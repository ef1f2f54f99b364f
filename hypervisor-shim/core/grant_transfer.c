/* SPDX-License-Identifier: MIT
 *
 * grant_transfer.c - pages that change hands for good.
 *
 *      giver: a frame that nothing maps   --->   taker: an entry that accepts a transfer from it,
 *             (refs 1, allocated)                       whose `frame` says which pfn it becomes
 *
 * As in Xen, only a bad_page leaves the frame with the giver: once it is taken and then cannot
 * be delivered, it is free memory. The contents are the message, and are not scrubbed on the way;
 * they are when the frame is freed instead. No translation of the giver's life survives.
 */
#include "grant_use.h"

/* The taker's entry gets its transfer_committed flag: the taker may not take it back any more. */
static bool commit(struct vcpu *v, struct domain *taker, uint32_t ref)
{
    uint16_t giver = v->domain->id;
    uint32_t *word, old;

    if (!grant_ref_ok(taker->grants, ref)) {
        grant_refuse(v, NULL, RULE_GRANT_REF, 0, ref, taker->id, 0);
        return false;
    }
    word = (uint32_t *)entry_of(taker->grants, ref);
    old = __atomic_load_n(word, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < GRANT_RETRIES; i++) {
        if ((uint16_t)old != XEN_GTF_accept_transfer || old >> 16 != giver) {
            grant_refuse(v, NULL, RULE_GRANT_NO_TRANSFER, 0, ref, (uint16_t)old, 0);
            return false;
        }
        if (__atomic_compare_exchange_n(word, &old, old | XEN_GTF_transfer_committed, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            return true;
    }
    grant_refuse(v, NULL, RULE_GRANT_UNSTABLE, 0, ref, GRANT_RETRIES, 0);
    return false;
}

/* May `taker` have one more frame, and does its entry ref accept it? A status. */
static int16_t accept(struct vcpu *v, struct domain *taker, uint32_t ref, uint64_t m)
{
    if (taker->state >= DOMAIN_SHUTDOWN)
        return grant_refuse(v, NULL, RULE_GRANT_DYING, XEN_GNTST_general_error, ref, taker->id, m);
    if (taker->pages >= taker->max_pages)
        return grant_refuse(v, NULL, RULE_GRANT_NO_ROOM, XEN_GNTST_general_error, ref,
                            taker->max_pages, m);
    return commit(v, taker, ref) ? XEN_GNTST_okay : XEN_GNTST_general_error;
}

static int16_t transfer_one(struct vcpu *v, const struct xen_gnttab_transfer *op)
{
    struct domain *giver = v->domain, *taker;
    struct frame *f = frame_of(mfn(op->mfn));
    struct xen_grant_entry_v1 *e;
    int16_t rc;

    if (op->mfn >= frame_count || f->owner != giver->id)
        return grant_refuse(v, NULL, RULE_GRANT_TRANSFER_FRAME, XEN_GNTST_bad_page, op->ref, op->mfn,
                            op->mfn < frame_count ? op->mfn : 0);
    if (f->refs != 1 || !(f->flags & FRAME_ALLOCATED))
        return grant_refuse(v, NULL, RULE_GRANT_IN_USE, XEN_GNTST_bad_page, op->ref, op->mfn,
                            op->mfn);
    giver->pages--; /* from here on it is not the giver's */
    taker = domain_by_id(op->domid);
    if (!taker)
        rc = grant_refuse(v, NULL, RULE_DOMAIN_UNKNOWN, XEN_GNTST_bad_domain, op->ref, op->domid,
                          op->mfn);
    else
        rc = accept(v, taker, op->ref, op->mfn);
    if (rc) {
        giver->pages++;
        frame_domain_free(giver, mfn(op->mfn));
        return rc;
    }
    frame_flush(); /* no vCPU of the giver may reach it by an old translation */
    taker->pages++;
    f->owner = taker->id;
    f->type = FRAME_NONE;
    e = entry_of(taker->grants, op->ref);
    frame_m2p[op->mfn] = __atomic_load_n(&e->frame, __ATOMIC_RELAXED);
    __atomic_store_n(&e->frame, (uint32_t)op->mfn, __ATOMIC_RELAXED);
    __atomic_or_fetch(&e->flags, XEN_GTF_transfer_completed, __ATOMIC_RELEASE);
    return XEN_GNTST_okay;
}

long grant_op_transfer(struct vcpu *v, pv_gptr_t arg, uint32_t count)
{
    struct xen_gnttab_transfer op;

    for (uint32_t i = 0; i < count; i++) {
        pv_gptr_t at = gptr_add(arg, i * sizeof(op));

        if (grant_pause(i))
            return grant_resume(v, XEN_GNTTABOP_transfer, at, count - i);
        if (guest_copy_in(&op, at, sizeof(op)))
            return refuse_pointer(v, at.va);
        op.status = transfer_one(v, &op);
        at = gptr_add(at, offsetof(struct xen_gnttab_transfer, status));
        if (guest_copy_out(at, &op.status, sizeof(op.status)))
            return refuse_pointer(v, at.va);
    }
    return 0;
}
