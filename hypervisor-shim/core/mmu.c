/* SPDX-License-Identifier: MIT
 *
 * mmu.c - the calls that change page-table entries: mmu_update,
 * update_va_mapping and update_va_mapping_otherdomain.
 *
 * Each request is checked and applied before the next one is looked at; a
 * batch stops at the first refusal and says in *done how many went well.
 * Requests are copied in by the handful; where such a copy faults, they are
 * copied one by one, so that those before the hole are done.
 *
 * A flush follows where a present entry of level 2..4 was replaced (Xen gives its
 * guests that, for linear page tables), else only where the guest asks.
 */
#include "entry.h"
#include "guest_mem.h"
#include "mm.h"
#include "mm_args.h"
#include "pagetable.h"

enum { HANDFUL = 16 };

/* A plain store of 8 bytes into a page of the guest's that is no table. */
static long write_plain(const struct pt *c, struct frame *f, uint64_t *p, uint64_t e)
{
    if (unlikely(f->refs >= FRAME_REFS_MAX || !frame_get_writable(f)))
        return pt_refuse(c, RULE_MMU_FRAME_TYPE, .mfn = frame_mfn(f).n, .new_entry = e);
    __atomic_store_n(p, e, __ATOMIC_RELAXED);
    frame_put_writable(f);
    return 0;
}

static long update_upper(const struct pt *c, struct frame *f, uint64_t *p, uint64_t e, unsigned cmd,
                         bool *flush)
{
    if (!(f->flags & FRAME_VALIDATED) || f->type < FRAME_L2 || f->type > FRAME_L4)
        return write_plain(c, f, p, e);
    if (unlikely(c->owner != c->d->id))
        return pt_refuse(c, RULE_MMU_FOREIGN_TABLE, .mfn = frame_mfn(f).n, .level = f->type,
                         .value = c->owner, .new_entry = e);
    return table_update(c, f, p, e, cmd == XEN_MMU_PT_UPDATE_PRESERVE_AD, flush);
}

static long machphys_update(const struct pt *c, const struct xen_mmu_update *req)
{
    mfn_t m = mfn_of_maddr(req->ptr);

    if (unlikely(!frame_valid(m) || frame_of(m)->owner != c->owner))
        return pt_refuse(c, RULE_MMU_M2P_FRAME, .mfn = frame_valid(m) ? m.n : 0, .value = req->val);
    frame_m2p[m.n] = req->val;
    return 0;
}

static inline long update_one(struct pt *c, const struct xen_mmu_update *req, bool *flush)
{
    unsigned cmd = req->ptr & 7;
    mfn_t m = mfn_of_maddr(req->ptr);
    struct frame *f = frame_of(m);
    uint64_t *p;

    c->va = req->ptr;
    if (unlikely(cmd == XEN_MMU_MACHPHYS_UPDATE))
        return machphys_update(c, req);
    if (unlikely(cmd > XEN_MMU_PT_UPDATE_NO_TRANSLATE))
        return pt_refuse(c, RULE_MMU_COMMAND, .value = cmd);
    if (unlikely(m.n >= frame_count || f->owner != c->d->id))
        return pt_refuse(c, RULE_MMU_FRAME, .mfn = m.n < frame_count ? m.n : 0,
                         .new_entry = req->val);
    p = (uint64_t *)(plat_ram + (req->ptr & ~7ull));
    if (likely(f->type == FRAME_L1 && (f->flags & FRAME_VALIDATED)))
        return l1_update(c, p, req->val, cmd == XEN_MMU_PT_UPDATE_PRESERVE_AD);
    return update_upper(c, f, p, req->val, cmd, flush);
}

/* n requests at most HANDFUL. *i counts those that are done. */
static long update_some(struct pt *c, pv_gptr_t from, unsigned n, uint32_t *i, bool *flush)
{
    struct xen_mmu_update req[HANDFUL];
    /* One that cannot be read hides none that lie before it: then each is read by itself. */
    bool singly = unlikely(guest_copy_in(req, from, n * sizeof(req[0])));
    long rc;

    for (unsigned k = 0; k < n; k++) {
        if (unlikely(singly)) {
            pv_gptr_t at = gptr_add(from, k * sizeof(req[0]));

            if (guest_copy_in(&req[k], at, sizeof(req[0])))
                return refuse(c->v, RULE_GUEST_POINTER, .va = at.va);
        }
        rc = update_one(c, &req[k], flush);
        if (unlikely(rc))
            return rc;
        ++*i;
        if (unlikely(c->d->zaps) && k + 1 < n)
            return -XEN_ERESTART;
    }
    return 0;
}

long hc_mmu_update(struct vcpu *v, pv_gptr_t reqs, uint32_t count, pv_gptr_t done_at,
                   uint32_t foreign)
{
    struct pt c = {.d = v->domain, .v = v};
    uint32_t done = 0, i = 0;
    bool flush = false;
    long rc;

    if (unlikely(!table_zap_done(c.d)))
        return hc_restart(v, 4, reqs.va, (uint64_t)count, done_at.va, (uint64_t)foreign);
    if (unlikely(count & MM_RESUMED)) {
        if (reqs.va == 0 && count == MM_RESUMED)
            return (int32_t)foreign;
        count &= ~MM_RESUMED;
        done = mm_done_read(done_at);
    }
    if (likely(foreign == XEN_DOMID_SELF))
        c.owner = c.d->id;
    else if ((rc = mm_foreign(v, foreign, &c.owner)) != 0)
        goto out;
    rc = 0;
    while (i < count) {
        unsigned n = count - i < HANDFUL ? count - i : HANDFUL;

        rc = update_some(&c, gptr_add(reqs, i * sizeof(struct xen_mmu_update)), n, &i, &flush);
        if (unlikely(rc))
            break;
        if (i < count && unlikely(c.d->zaps || plat_interrupt_pending())) {
            rc = -XEN_ERESTART;
            break;
        }
    }
    if (unlikely(flush))
        frame_flush();
out:
    if (likely(done_at.va))
        mm_done_write(done_at, done + i);
    if (unlikely(rc == -XEN_ERESTART))
        return hc_restart(v, 4, gptr_add(reqs, i * sizeof(struct xen_mmu_update)).va,
                          (uint64_t)((count - i) | MM_RESUMED), done_at.va, (uint64_t)foreign);
    return mm_finish(v, rc);
}

/* -- update_va_mapping ---------------------------------------------------------- */

static long va_refuse(const struct pt *c, unsigned level, uint64_t e)
{
    if (level)
        return pt_refuse(c, RULE_VA_NO_TABLE, .level = level, .new_entry = e);
    return pt_refuse(c, RULE_VA_NO_L1, .new_entry = e);
}

static inline long va_flush(struct vcpu *v, uint64_t va, uint64_t flags)
{
    uint64_t who = flags & ~(uint64_t)XEN_UVMF_FLUSHTYPE_MASK;

    flags &= XEN_UVMF_FLUSHTYPE_MASK;
    if (flags == XEN_UVMF_NONE || flags == XEN_UVMF_FLUSHTYPE_MASK)
        return 0;
    if (unlikely(who > XEN_UVMF_ALL)) {
        uint64_t mask;

        if (mm_vcpu_mask(v, (pv_gptr_t){who}, &mask))
            return refuse(v, RULE_VCPU_MASK, .va = who, .err = -XEN_EFAULT);
        if (!mask)
            return 0;
    }
    if (flags == XEN_UVMF_INVLPG)
        plat_tlb_flush_page(va);
    else
        frame_flush();
    return 0;
}

static inline long va_mapping(struct vcpu *v, uint64_t va, uint64_t e, uint64_t flags,
                              uint16_t owner)
{
    struct pt c = {.d = v->domain, .v = v, .va = va, .owner = owner};
    unsigned level;
    uint64_t *p;
    long rc;

    if (unlikely(!guest_va_ok(va)))
        return refuse(v, RULE_VA_HYPERVISOR, .va = va, .new_entry = e);
    p = l1_lookup(v, va, &level);
    if (unlikely(!p))
        return va_refuse(&c, level, e);
    rc = l1_update(&c, p, e, false);
    if (unlikely(rc))
        return rc;
    return va_flush(v, va, flags);
}

long hc_update_va_mapping(struct vcpu *v, uint64_t va, uint64_t e, uint64_t flags)
{
    return va_mapping(v, va, e, flags, v->domain->id);
}

long hc_update_va_mapping_otherdomain(struct vcpu *v, uint64_t va, uint64_t e, uint64_t flags,
                                      uint32_t domid)
{
    uint16_t owner;
    long rc = mm_owner(v, (uint16_t)domid, &owner);

    if (rc)
        return rc;
    if (owner != v->domain->id)
        return refuse(v, RULE_DOMAIN_FOREIGN, .value = domid);
    return va_mapping(v, va, e, flags, owner);
}
