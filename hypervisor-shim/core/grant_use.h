/* SPDX-License-Identifier: MIT
 *
 * grant_use.h - what the files about grants share: entries, handles, the beginning and the end of a
 * use.
 *
 * Who uses a grant is a guest (`v` makes the request, and gets the reasons) or the hypervisor as
 * domain 0 (`v` is NULL: the granter gets them). The flags of a shared entry are changed by
 * compare-and-swap only, and nothing but the two status bits; `frame` is read once, when the first
 * use begins. All functions give a status (XEN_GNTST_*), and change nothing when it is not okay.
 */
#ifndef HV_GRANT_USE_H
#define HV_GRANT_USE_H

#include "grant.h"
#include "mm_args.h"

static inline struct grant_active *active_of(const struct grant_table *t, uint32_t ref)
{
    return &t->active[ref / GRANT_PER_FRAME][ref % GRANT_PER_FRAME];
}

static inline struct xen_grant_entry_v1 *entry_of(const struct grant_table *t, uint32_t ref)
{
    return &t->shared[ref / GRANT_PER_FRAME][ref % GRANT_PER_FRAME];
}

static inline bool grant_ref_ok(const struct grant_table *t, uint32_t ref)
{
    return likely(t && ref < t->frames * GRANT_PER_FRAME);
}

static inline bool grant_busy(const struct grant_active *act)
{
    return act->readers | act->writers;
}

/* A free handle; ~0: none left. */
uint32_t grant_handle_get(struct grant_table *t);
static inline void grant_handle_put(struct grant_table *t, uint32_t handle)
{
    struct grant_mapping *m = grant_mapping(t, handle);

    m->flags = 0;
    m->next = t->free_handle;
    t->free_handle = handle;
}

/* Record the reason (with v's domain, or with rd where v is NULL) and return the status. */
int16_t grant_refuse(struct vcpu *v, struct domain *rd, enum rule rule, int16_t status,
                     uint64_t ref, uint64_t value, uint64_t m);

/* May domain `user` begin one more use of rd's grant? What it sets of the status bits is in
 * *marked, and nothing is counted yet; the frame goes to *m. */
int16_t grant_claim(struct vcpu *v, uint16_t user, struct domain *rd, uint32_t ref, bool readonly,
                    uint32_t *m, bool *marked);
/* Clear the status bits that no use needs any more. */
void grant_status_clear(struct xen_grant_entry_v1 *e, const struct grant_active *act,
                        bool readonly);

/* One more use of rd's grant by `user`; its frame goes to *m. */
static inline int16_t use_begin(struct vcpu *v, uint16_t user, struct domain *rd, uint32_t ref,
                                bool readonly, uint32_t *m)
{
    struct grant_active *act;
    bool marked;
    int16_t rc = grant_claim(v, user, rd, ref, readonly, m, &marked);

    if (unlikely(rc))
        return rc;
    act = active_of(rd->grants, ref);
    act->mfn = *m;
    act->domid = user;
    if (readonly)
        act->readers++;
    else
        act->writers++;
    return XEN_GNTST_okay;
}

/* That use ends; it may be that the granter is gone. */
static inline void use_end(uint16_t user, struct domain *rd, uint32_t ref, bool readonly,
                           uint32_t m)
{
    struct grant_active *act;

    if (!rd || !grant_ref_ok(rd->grants, ref))
        return;
    act = active_of(rd->grants, ref);
    if (act->mfn != m || act->domid != user || !(readonly ? act->readers : act->writers))
        return;
    if (readonly)
        act->readers--;
    else
        act->writers--;
    grant_status_clear(entry_of(rd->grants, ref), act, readonly);
}

/* References for `uses` uses of frame m of rd. */
static inline int16_t frame_take(struct vcpu *v, struct domain *rd, uint32_t m, bool readonly,
                                 unsigned uses, uint32_t ref)
{
    struct frame *f = frame_of(mfn(m));

    if (unlikely(f->owner != rd->id || f->refs >= FRAME_REFS_MAX))
        return grant_refuse(v, rd, RULE_GRANT_FRAME, XEN_GNTST_general_error, ref, m, m);
    if (!readonly) {
        if (unlikely(f->type != FRAME_WRITABLE) && unlikely(!frame_become_writable(f)))
            return grant_refuse(v, rd, RULE_GRANT_NOT_WRITABLE, XEN_GNTST_general_error, ref, m, m);
        f->type_refs += uses;
    }
    f->refs += uses;
    return XEN_GNTST_okay;
}

static inline void frame_leave(uint32_t m, bool readonly)
{
    struct frame *f = frame_of(mfn(m));

    if (!readonly)
        frame_put_writable(f);
    frame_put(f);
}

/* The operations, each over `count` requests at arg (grant_map.c, grant_copy.c, ...). */
long grant_op_map(struct vcpu *v, pv_gptr_t arg, uint32_t count);
long grant_op_unmap(struct vcpu *v, pv_gptr_t arg, uint32_t count);
long grant_op_replace(struct vcpu *v, pv_gptr_t arg, uint32_t count);
long grant_op_copy(struct vcpu *v, pv_gptr_t arg, uint32_t count);
long grant_op_transfer(struct vcpu *v, pv_gptr_t arg, uint32_t count);

/* Between two requests of a batch: true when the rest has to wait for an interrupt; then
 * return grant_resume(). */
static inline bool grant_pause(uint32_t done)
{
    return done && unlikely(plat_interrupt_pending());
}
static inline long grant_resume(struct vcpu *v, unsigned cmd, pv_gptr_t at, uint32_t left)
{
    return hc_restart(v, 3, (uint64_t)cmd, at.va, (uint64_t)left);
}

#endif
