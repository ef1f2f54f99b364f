/* SPDX-License-Identifier: MIT
 *
 * mmu.c - the calls that change page-table entries: mmu_update,
 * update_va_mapping and update_va_mapping_otherdomain.
 *
 * Each request is checked and applied before the next one is looked at; a
 * batch stops at the first refusal and says in *done how many went well. What
 * is common (entries of level 1) is in line, without a reason in sight; whatever
 * else there is goes to update_rare(), which finds out again what it was.
 *
 * A flush follows where a present entry of level 2..4 was replaced (Xen gives its
 * guests that, for linear page tables), else only where the guest asks.
 */
#include "entry.h"
#include "guest_mem.h"
#include "mm.h"
#include "mm_args.h"
#include "pagetable.h"

enum { HANDFUL = 32 /* requests between two looks for interrupts */ };
#define SIZE (uint64_t)sizeof(struct xen_mmu_update)

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

/* Everything but an entry of a level-1 table; and why that was refused. */
static __attribute__((noinline)) long update_rare(struct vcpu *v, uint16_t owner,
                                                  const struct xen_mmu_update *req, bool *flush)
{
    const struct pt c = {.d = v->domain, .v = v, .va = req->ptr, .owner = owner};
    unsigned cmd = req->ptr & 7;
    mfn_t m = mfn_of_maddr(req->ptr);
    struct frame *f = frame_of(m);
    uint64_t *p;

    if (cmd == XEN_MMU_MACHPHYS_UPDATE)
        return machphys_update(&c, req);
    if (cmd > XEN_MMU_PT_UPDATE_NO_TRANSLATE)
        return pt_refuse(&c, RULE_MMU_COMMAND, .value = cmd);
    if (!frame_valid(m) || f->owner != c.d->id)
        return pt_refuse(&c, RULE_MMU_FRAME, .mfn = frame_valid(m) ? m.n : 0,
                         .new_entry = req->val);
    p = (uint64_t *)(plat_ram + (req->ptr & ~7ull));
    if (f->type == FRAME_L1 && (f->flags & FRAME_VALIDATED))
        return l1_refuse(&c, *p, req->val);
    return update_upper(&c, f, p, req->val, cmd, flush);
}

static inline long update_one(struct vcpu *v, uint16_t self, uint16_t owner,
                              const struct xen_mmu_update *req, bool *flush)
{
    mfn_t m = mfn_of_maddr(req->ptr);
    struct frame *f = frame_of(m);
    unsigned cmd = req->ptr & 7;

    if (likely(frame_valid(m)) && likely(f->owner == self) && likely(f->type == FRAME_L1) &&
        likely(f->flags & FRAME_VALIDATED) && likely(cmd <= XEN_MMU_PT_UPDATE_NO_TRANSLATE) &&
        likely(cmd != XEN_MMU_MACHPHYS_UPDATE) &&
        likely(l1_set(owner, (uint64_t *)(plat_ram + (req->ptr & ~7ull)), req->val,
                      cmd == XEN_MMU_PT_UPDATE_PRESERVE_AD)))
        return 0;
    return update_rare(v, owner, req, flush);
}

/* Where the arguments of a resumed call, or a foreign domain, ask for more. *done: of its
 * earlier parts. False: *rc is the call's result already. */
static __attribute__((noinline)) bool begin_rare(struct vcpu *v, pv_gptr_t reqs, uint32_t *count,
                                                 pv_gptr_t done_at, uint32_t foreign,
                                                 uint16_t *owner, uint32_t *done, long *rc)
{
    if (!table_zap_done(v->domain)) {
        *rc = hc_restart(v, 4, reqs.va, (uint64_t)*count, done_at.va, (uint64_t)foreign);
        return false;
    }
    if (*count & MM_RESUMED) {
        if (reqs.va == 0 && *count == MM_RESUMED) {
            *rc = (int32_t)foreign;
            return false;
        }
        *count &= ~MM_RESUMED;
        *done = mm_done_read(done_at);
    }
    *rc = mm_foreign(v, foreign, owner);
    if (*rc && done_at.va)
        mm_done_write(done_at, *done);
    return *rc == 0;
}

/* One plain entry, of a level-1 table that stays: the call that kernels make most. */
static inline __attribute__((always_inline)) bool update_single(struct vcpu *v, pv_gptr_t reqs,
                                                                const bool rights)
{
    struct xen_mmu_update req;
    uint16_t self = v->domain->id;
    struct frame *f;

    if (unlikely(guest_copy_in(&req, reqs, sizeof(req))))
        return false;
    f = frame_of(mfn_of_maddr(req.ptr));
    return likely(frame_valid(mfn_of_maddr(req.ptr))) && likely((req.ptr & 7) == 0) &&
           likely(f->owner == self) && likely(f->type == FRAME_L1) &&
           likely(f->flags & FRAME_VALIDATED) &&
           likely(l1_set_fast(self, (uint64_t *)(plat_ram + req.ptr), req.val, rights));
}

/* Plain entries, as long as they come, and `most` at most: how many. No table comes to its end. */
static __attribute__((noinline)) uint32_t update_plain(struct vcpu *v, pv_gptr_t reqs,
                                                       uint32_t most)
{
    uint32_t n = 0;

    while (n < most && update_single(v, reqs, true)) {
        reqs = gptr_add(reqs, sizeof(struct xen_mmu_update));
        n++;
    }
    return n;
}

/* One entry of whatever kind. */
static long update_any(struct vcpu *v, uint16_t owner, pv_gptr_t reqs, bool *flush)
{
    struct xen_mmu_update req;

    if (unlikely(guest_copy_in(&req, reqs, sizeof(req))))
        return refuse(v, RULE_GUEST_POINTER, .va = reqs.va);
    return update_one(v, v->domain->id, owner, &req, flush);
}

static __attribute__((noinline)) long update_batch(struct vcpu *v, pv_gptr_t reqs, uint32_t count,
                                                   pv_gptr_t done_at, uint32_t foreign)
{
    struct domain *d = v->domain;
    uint16_t self = d->id, owner = self;
    uint32_t done = 0, i;
    bool flush = false;
    long rc = 0;

    if (unlikely(d->zaps | (count & MM_RESUMED)) || unlikely(foreign != XEN_DOMID_SELF))
        if (!begin_rare(v, reqs, &count, done_at, foreign, &owner, &done, &rc))
            return rc;
    for (i = 0; i < count;) {
        uint32_t most = count - i < HANDFUL ? count - i : HANDFUL;
        uint32_t n = likely(owner == self) ? update_plain(v, gptr_add(reqs, i * SIZE), most) : 0;

        i += n;
        if (n < most) {
            rc = update_any(v, owner, gptr_add(reqs, i * SIZE), &flush);
            if (unlikely(rc))
                break;
            i++;
        }
        if (i < count && unlikely(d->zaps || plat_interrupt_pending())) {
            rc = -XEN_ERESTART;
            break;
        }
    }
    if (unlikely(flush))
        frame_flush();
    if (likely(done_at.va))
        mm_done_write(done_at, done + i);
    if (unlikely(rc == -XEN_ERESTART))
        return hc_restart(v, 4, reqs.va + i * SIZE, (uint64_t)((count - i) | MM_RESUMED),
                          done_at.va, (uint64_t)foreign);
    return mm_finish(v, rc);
}

long hc_mmu_update(struct vcpu *v, pv_gptr_t reqs, uint32_t count, pv_gptr_t done_at,
                   uint32_t foreign)
{
    const uint32_t one = 1;

    if (count != 1 || unlikely(foreign != XEN_DOMID_SELF) || unlikely(v->domain->zaps) ||
        unlikely(!update_single(v, reqs, false)))
        return update_batch(v, reqs, count, done_at, foreign);
    if (done_at.va)
        (void)guest_copy_out(done_at, &one, sizeof(one));
    return 0;
}

/* -- update_va_mapping ---------------------------------------------------------- */

static __attribute__((noinline)) long va_refuse(struct vcpu *v, uint64_t va, uint64_t e,
                                                uint16_t owner)
{
    const struct pt c = {.d = v->domain, .v = v, .va = va, .owner = owner};
    unsigned level;
    uint64_t *p;

    if (!guest_va_ok(va))
        return pt_refuse(&c, RULE_VA_HYPERVISOR, .new_entry = e);
    p = l1_lookup(v, va);
    if (p)
        return l1_refuse(&c, *p, e);
    level = l1_missing(v, va);
    if (level)
        return pt_refuse(&c, RULE_VA_NO_TABLE, .level = level, .new_entry = e);
    return pt_refuse(&c, RULE_VA_NO_L1, .new_entry = e);
}

static __attribute__((noinline)) long va_flush(struct vcpu *v, uint64_t va, uint64_t flags)
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

static __attribute__((noinline)) long va_mapping(struct vcpu *v, uint64_t va, uint64_t e,
                                                 uint64_t flags, uint16_t owner)
{
    uint64_t *p;

    if (unlikely(!guest_va_ok(va)) || unlikely(!(p = l1_lookup(v, va))) ||
        unlikely(!l1_set(owner, p, e, false)))
        return va_refuse(v, va, e, owner);
    return va_flush(v, va, flags);
}

long hc_update_va_mapping(struct vcpu *v, uint64_t va, uint64_t e, uint64_t flags)
{
    uint64_t *p;

    if (likely(guest_va_ok(va)) && likely((p = l1_lookup(v, va))) &&
        likely(l1_set_fast(v->domain->id, p, e, false))) {
        if (flags == XEN_UVMF_NONE)
            return 0;
        if (flags == XEN_UVMF_INVLPG) {
            plat_tlb_flush_page(va);
            return 0;
        }
        return va_flush(v, va, flags);
    }
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
