/* SPDX-License-Identifier: MIT
 *
 * mmuext.c - mmuext_op: pinning, base pointers, flushes, whole pages, the LDT;
 * and what the executive asks about roots.
 *
 * A pin is one type reference that the guest holds by name, so that a tree of
 * tables stays validated while nothing uses it. A vCPU's root[] holds one too.
 * Operations are done one by one; the first refusal ends the batch, *done says how many
 * went well. Pin, unpin and both base pointers may stop for an interrupt and be made again.
 */
#include "mm_args.h"
#include "mm.h"

enum { QUICK_OPS = 8 /* so many are done without a look for interrupts */ };

/* -- foreign domains --------------------------------------------------------- */

long mm_owner(struct vcpu *v, uint16_t domid, uint16_t *owner)
{
    if (likely(domid == XEN_DOMID_SELF)) {
        *owner = v->domain->id;
        return 0;
    }
    if (domid == v->domain->id)
        return refuse(v, RULE_MMU_OWN_DOMID, .value = domid);
    if (domid == XEN_DOMID_IO || domid == XEN_DOMID_XEN) {
        *owner = domid;
        return 0;
    }
    if (!domain_by_id(domid))
        return refuse(v, RULE_DOMAIN_UNKNOWN, .value = domid);
    return refuse(v, RULE_DOMAIN_FOREIGN, .value = domid);
}

long mm_foreign(struct vcpu *v, uint32_t foreign, uint16_t *owner)
{
    uint32_t tables = foreign >> 16;
    long rc;

    if (tables && tables - 1 != v->domain->id) {
        if (!domain_by_id(tables - 1))
            return refuse(v, RULE_DOMAIN_UNKNOWN, .value = tables - 1);
        return refuse(v, RULE_DOMAIN_FOREIGN, .value = tables - 1);
    }
    rc = mm_owner(v, (uint16_t)foreign, owner);
    if (rc == 0 && *owner == XEN_DOMID_XEN)
        return refuse(v, RULE_DOMAIN_FOREIGN, .value = *owner);
    return rc;
}

int mm_vcpu_mask(struct vcpu *v, pv_gptr_t at, uint64_t *mask)
{
    _Static_assert(MAX_VCPUS <= 64, "one word of the bitmap");
    if (guest_copy_in(mask, at, sizeof(*mask)))
        return -XEN_EFAULT;
    *mask &= (1ull << v->domain->vcpus) - 1;
    return 0;
}

/* -- pins ---------------------------------------------------------------------- */

static struct frame *own_frame(const struct pt *c, uint64_t m)
{
    struct frame *f = frame_of(mfn(m));

    return likely(m < frame_count && f->owner == c->d->id) ? f : 0;
}

/* About frame number m, which the guest gave. */
static __attribute__((noinline, cold)) long mfn_refuse(struct pt *c, enum rule rule, uint64_t m,
                                                       unsigned level)
{
    return refuse(c->v, rule, .va = m, .mfn = m < frame_count ? m : 0, .level = (uint8_t)level);
}

static long pin(struct pt *c, uint64_t m, unsigned level)
{
    struct frame *f = own_frame(c, m);
    long rc;

    c->va = m;
    if (unlikely(!f))
        return mfn_refuse(c, RULE_PIN_FRAME, m, level);
    if (unlikely((f->flags & FRAME_PINNED) && f->type == level))
        return mfn_refuse(c, RULE_PIN_TWICE, m, level);
    rc = table_get(c, f, level);
    if (likely(rc == 0))
        f->flags |= FRAME_PINNED;
    return rc;
}

static long unpin(struct pt *c, uint64_t m)
{
    struct frame *f = own_frame(c, m);

    c->va = m;
    if (unlikely(!f))
        return mfn_refuse(c, RULE_UNPIN_FRAME, m, 0);
    if (unlikely(!(f->flags & FRAME_PINNED)))
        return mfn_refuse(c, RULE_UNPIN_NOT_PINNED, m, 0);
    f->flags &= ~FRAME_PINNED;
    table_put(c->d, f);
    return 0;
}

/* -- roots ------------------------------------------------------------------------ */

static long root_get(struct pt *c, uint64_t m)
{
    struct frame *f = own_frame(c, m);

    c->va = m;
    if (unlikely(!f))
        return mfn_refuse(c, RULE_BASEPTR_FRAME, m, 4);
    return table_get(c, f, 4);
}

static void root_load(struct vcpu *v)
{
    plat_root_load(v->root[1]);
    frame_flushed();
}

static long new_baseptr(struct pt *c, uint64_t m)
{
    struct vcpu *v = c->v;
    mfn_t old = v->root[1];

    if (unlikely(m != old.n)) {
        long rc = root_get(c, m);

        if (unlikely(rc))
            return rc;
        v->root[1] = mfn(m);
        stage_reached(c->d, STAGE_space);
        ldt_drop(v); /* it was found through the old tables */
    }
    root_load(v);
    if (m != old.n)
        table_put(c->d, frame_of(old));
    return 0;
}

long root_switch(struct vcpu *v, uint64_t m)
{
    struct pt c = {.d = v->domain, .v = v};

    return new_baseptr(&c, m);
}

static long new_user_baseptr(struct pt *c, uint64_t m)
{
    struct vcpu *v = c->v;
    mfn_t old = v->root[0];

    if (m == old.n)
        return 0;
    if (m) {
        long rc = root_get(c, m);

        if (unlikely(rc))
            return rc;
    }
    v->root[0] = mfn(m);
    if (old.n)
        table_put(c->d, frame_of(old));
    return 0;
}

long root_take(struct vcpu *v, mfn_t m)
{
    struct pt c = {.d = v->domain, .v = v, .owner = v->domain->id};

    return root_get(&c, m.n);
}

void root_drop(struct domain *d, mfn_t m)
{
    table_put(d, frame_of(m));
}

long root_pin(struct vcpu *v, mfn_t m)
{
    struct pt c = {.d = v->domain, .v = v, .owner = v->domain->id};
    long rc;

    do
        rc = pin(&c, m.n, 4);
    while (rc == -XEN_ERESTART);
    while (!table_zap_done(c.d))
        ;
    return rc;
}

/* -- whole pages ------------------------------------------------------------------- */

/* A page of the guest's that may be written now. */
static struct frame *writable_frame(struct pt *c, uint64_t m, long *rc)
{
    struct frame *f = own_frame(c, m);

    if (unlikely(!f)) {
        *rc = mfn_refuse(c, RULE_PAGE_FRAME, m, 0);
        return 0;
    }
    if (unlikely(f->refs >= FRAME_REFS_MAX || !frame_get_writable(f))) {
        *rc = mfn_refuse(c, RULE_PAGE_NOT_WRITABLE, m, 0);
        return 0;
    }
    return f;
}

static long clear_page(struct pt *c, uint64_t m)
{
    long rc;
    struct frame *f = writable_frame(c, m, &rc);

    if (unlikely(!f))
        return rc;
    __builtin_memset(plat_map(mfn(m)), 0, PV_PAGE_SIZE);
    frame_put_writable(f);
    return 0;
}

static long copy_page(struct pt *c, uint64_t to, uint64_t from)
{
    struct frame *f;
    long rc;

    if (unlikely(!own_frame(c, from)))
        return mfn_refuse(c, RULE_PAGE_FRAME, from, 0);
    f = writable_frame(c, to, &rc);
    if (unlikely(!f))
        return rc;
    if (likely(to != from))
        __builtin_memcpy(plat_map(mfn(to)), plat_map(mfn(from)), PV_PAGE_SIZE);
    frame_put_writable(f);
    return 0;
}

/* -- flushes, LDT ------------------------------------------------------------------ */

static long flush_multi(struct vcpu *v, const struct xen_mmuext_op *op)
{
    uint64_t mask;

    if (mm_vcpu_mask(v, op->arg2.vcpumask, &mask))
        return refuse(v, RULE_VCPU_MASK, .va = op->arg2.vcpumask.va);
    if (!mask)
        return 0;
    if (op->cmd == XEN_MMUEXT_TLB_FLUSH_MULTI)
        frame_flush();
    else if (guest_va_ok(op->arg1.linear_addr))
        plat_tlb_flush_page(op->arg1.linear_addr);
    return 0;
}

static long set_ldt(struct vcpu *v, const struct xen_mmuext_op *op)
{
    uint64_t va = op->arg1.linear_addr;
    uint32_t n = op->arg2.nr_ents;

    if (n > LDT_PAGES * 512 || (n && ((va & PV_PAGE_MASK) || !guest_va_ok(va))))
        return refuse(v, RULE_LDT_ARGUMENT, .va = va, .value = n, .limit = LDT_PAGES * 512);
    if (n == 0)
        va = 0;
    if (v->ldt_entries == n && v->ldt_va == va)
        return 0;
    ldt_drop(v);
    v->ldt_va = va;
    v->ldt_entries = n;
    plat_ldt_load(v);
    return 0;
}

/* -- the call -------------------------------------------------------------------------- */

static long mmuext_rare(struct pt *c, const struct xen_mmuext_op *op)
{
    switch (op->cmd) {
    case XEN_MMUEXT_TLB_FLUSH_MULTI:
    case XEN_MMUEXT_INVLPG_MULTI:
        return flush_multi(c->v, op);
    case XEN_MMUEXT_SET_LDT:
        return set_ldt(c->v, op);
    case XEN_MMUEXT_FLUSH_CACHE:
        return refuse(c->v, RULE_MMUEXT_CACHE, .value = op->cmd);
    case XEN_MMUEXT_FLUSH_CACHE_GLOBAL:
        return refuse(c->v, RULE_MMUEXT_CACHE, .value = op->cmd, .err = -XEN_EINVAL);
    case XEN_MMUEXT_MARK_SUPER:
    case XEN_MMUEXT_UNMARK_SUPER:
        return refuse(c->v, RULE_MMUEXT_SUPER, .value = op->cmd);
    default:
        return refuse(c->v, RULE_MMUEXT_COMMAND, .value = op->cmd);
    }
}

static long mmuext_one(struct pt *c, const struct xen_mmuext_op *op)
{
    uint32_t cmd = op->cmd;

    if (cmd == XEN_MMUEXT_TLB_FLUSH_LOCAL || cmd == XEN_MMUEXT_TLB_FLUSH_ALL) {
        frame_flush();
        return 0;
    }
    if (cmd == XEN_MMUEXT_INVLPG_LOCAL || cmd == XEN_MMUEXT_INVLPG_ALL) {
        if (guest_va_ok(op->arg1.linear_addr))
            plat_tlb_flush_page(op->arg1.linear_addr);
        return 0;
    }
    if (cmd <= XEN_MMUEXT_PIN_L4_TABLE)
        return pin(c, op->arg1.mfn, cmd - XEN_MMUEXT_PIN_L1_TABLE + 1);
    switch (cmd) {
    case XEN_MMUEXT_UNPIN_TABLE:
        return unpin(c, op->arg1.mfn);
    case XEN_MMUEXT_NEW_BASEPTR:
        return new_baseptr(c, op->arg1.mfn);
    case XEN_MMUEXT_NEW_USER_BASEPTR:
        return new_user_baseptr(c, op->arg1.mfn);
    case XEN_MMUEXT_CLEAR_PAGE:
        return clear_page(c, op->arg1.mfn);
    case XEN_MMUEXT_COPY_PAGE:
        return copy_page(c, op->arg1.mfn, op->arg2.src_mfn);
    default:
        return mmuext_rare(c, op);
    }
}

/* As in mmu.c: what a resumed call or a foreign domain asks for before the first operation. */
static __attribute__((noinline)) bool begin_rare(struct vcpu *v, pv_gptr_t ops, uint32_t *count,
                                                 pv_gptr_t done_at, uint32_t foreign,
                                                 uint32_t *done, long *rc)
{
    uint16_t owner;

    if (!table_zap_done(v->domain)) {
        *rc = hc_restart(v, 4, ops.va, (uint64_t)*count, done_at.va, (uint64_t)foreign);
        return false;
    }
    if (*count & MM_RESUMED) {
        if (ops.va == 0 && *count == MM_RESUMED) {
            *rc = (int32_t)foreign;
            return false;
        }
        *count &= ~MM_RESUMED;
        *done = mm_done_read(done_at);
    }
    *rc = mm_owner(v, (uint16_t)foreign, &owner);
    if (*rc == 0 && owner != v->domain->id)
        *rc = refuse(v, RULE_DOMAIN_FOREIGN, .value = owner);
    return *rc == 0;
}

static __attribute__((noinline)) long mmuext_batch(struct vcpu *v, pv_gptr_t ops, uint32_t count,
                                                   pv_gptr_t done_at, uint32_t foreign,
                                                   uint32_t done)
{
    struct pt c = {.d = v->domain, .v = v, .owner = v->domain->id};
    uint32_t i;
    long rc = 0;

    if (unlikely(c.d->zaps | (count & MM_RESUMED)) || unlikely(foreign != XEN_DOMID_SELF))
        if (!begin_rare(v, ops, &count, done_at, foreign, &done, &rc))
            return rc;
    for (i = 0; i < count; i++) {
        struct xen_mmuext_op op;

        if (unlikely(guest_copy_in(&op, ops, sizeof(op)))) {
            rc = refuse(v, RULE_GUEST_POINTER, .va = ops.va);
            break;
        }
        rc = mmuext_one(&c, &op);
        if (unlikely(rc))
            break;
        ops = gptr_add(ops, sizeof(op));
        if (i + 1 < count && unlikely(c.d->zaps || plat_interrupt_pending())) {
            i++;
            rc = -XEN_ERESTART;
            break;
        }
    }
    if (unlikely(done_at.va))
        mm_done_write(done_at, done + i);
    if (unlikely(rc == -XEN_ERESTART))
        return hc_restart(v, 4, ops.va, (uint64_t)((count - i) | MM_RESUMED), done_at.va,
                          (uint64_t)foreign);
    return mm_finish(v, rc);
}

/* -- what is common, and simple just now -------------------------------------------- */

/* A validated L4 takes the place of one that stays in use: counts, and no more. */
static inline bool root_quick(struct vcpu *v, uint64_t m, unsigned which)
{
    struct frame *f = frame_of(mfn(m)), *old = frame_of(v->root[which]);

    if (unlikely(m >= frame_count) || unlikely(f->owner != v->domain->id) ||
        unlikely(f->type != FRAME_L4) || unlikely(!(f->flags & FRAME_VALIDATED)) ||
        unlikely(f->refs >= FRAME_REFS_MAX) || unlikely(!v->root[which].n) ||
        unlikely(old->type_refs == 1) || unlikely(v->ldt_mapped))
        return false;
    old->refs--;
    old->type_refs--;
    f->refs++;
    f->type_refs++;
    v->root[which] = mfn(m);
    if (which == 1) {
        stage_reached(v->domain, STAGE_space);
        root_load(v);
    }
    return true;
}

/* One that the guest may write, and nothing else is to be found out. */
static inline bool page_quick(const struct vcpu *v, uint64_t m)
{
    return likely(m < frame_count) && likely(frame_of(mfn(m))->owner == v->domain->id) &&
           likely(frame_of(mfn(m))->type == FRAME_WRITABLE);
}

/* False: not one of these, or not so simple; nothing was done. */
static inline bool mmuext_quick(struct vcpu *v, uint32_t cmd, uint64_t arg, uint64_t arg2)
{
    switch (cmd) {
    case XEN_MMUEXT_TLB_FLUSH_LOCAL:
        frame_flush();
        return true;
    case XEN_MMUEXT_INVLPG_LOCAL:
        if (guest_va_ok(arg))
            plat_tlb_flush_page(arg);
        return true;
    case XEN_MMUEXT_NEW_BASEPTR:
        return root_quick(v, arg, 1);
    case XEN_MMUEXT_NEW_USER_BASEPTR:
        return root_quick(v, arg, 0);
    case XEN_MMUEXT_CLEAR_PAGE:
        if (!page_quick(v, arg))
            return false;
        __builtin_memset(plat_map(mfn(arg)), 0, PV_PAGE_SIZE);
        return true;
    case XEN_MMUEXT_COPY_PAGE:
        if (!page_quick(v, arg) || !page_quick(v, arg2) || unlikely(arg == arg2))
            return false;
        __builtin_memcpy(plat_map(mfn(arg)), plat_map(mfn(arg2)), PV_PAGE_SIZE);
        return true;
    default:
        return false;
    }
}

struct quick_op {
    uint32_t cmd, pad;
    uint64_t arg, arg2;
};

static __attribute__((noinline)) long mmuext_few(struct vcpu *v, pv_gptr_t ops, uint32_t count,
                                                 pv_gptr_t done_at, uint32_t foreign)
{
    struct quick_op op;
    uint32_t i = 0;

    if (unlikely(count - 1 >= QUICK_OPS) || unlikely(foreign != XEN_DOMID_SELF) ||
        unlikely(v->domain->zaps))
        return mmuext_batch(v, ops, count, done_at, foreign, 0);
    do {
        if (unlikely(guest_copy_in(&op, ops, sizeof(op))) ||
            !mmuext_quick(v, op.cmd, op.arg, op.arg2))
            return mmuext_batch(v, ops, count - i, done_at, foreign, i);
        ops = gptr_add(ops, sizeof(struct xen_mmuext_op));
    } while (++i < count);
    if (done_at.va)
        (void)guest_copy_out(done_at, &count, sizeof(count));
    return 0;
}

long hc_mmuext_op(struct vcpu *v, pv_gptr_t ops, uint32_t count, pv_gptr_t done_at,
                  uint32_t foreign)
{
    struct {
        uint32_t cmd, pad;
        uint64_t arg;
    } op;

    if (count != 1 || unlikely(foreign != XEN_DOMID_SELF) || unlikely(v->domain->zaps) ||
        unlikely(guest_copy_in(&op, ops, sizeof(op))) ||
        (op.cmd != XEN_MMUEXT_TLB_FLUSH_LOCAL && op.cmd != XEN_MMUEXT_INVLPG_LOCAL))
        return mmuext_few(v, ops, count, done_at, foreign);
    if (done_at.va)
        (void)guest_copy_out(done_at, &count, sizeof(count));
    if (op.cmd == XEN_MMUEXT_TLB_FLUSH_LOCAL)
        frame_flush();
    else if (guest_va_ok(op.arg))
        plat_tlb_flush_page(op.arg);
    return 0;
}
