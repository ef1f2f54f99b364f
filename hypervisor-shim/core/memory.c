/* SPDX-License-Identifier: MIT
 *
 * memory.c - memory_op: which frames a guest has; and the end of them all.
 *
 * The calls over extents return how many were done: fewer than asked is all that the ABI says, so
 * the reason is worth more here than elsewhere. They stop for interrupts between handfuls, with the
 * number done in the command's upper bits, as in Xen.
 *
 * XENMEM_exchange takes frames that nothing else refers to out of the domain ("stolen":
 * neither allocated nor counted, chained through type_refs), allocates the new ones, and only then
 * lets the old ones go, chunk by chunk.
 */
#include <pv/abi/memory.h>
#include "mm_args.h"

enum {
    OP_BITS = 6,     /* the command; above it the extents that are done */
    GUEST_ORDER = 9, /* the biggest extent for a guest */
    HANDFUL = 32,
    E820_MAX = 128,
    RELEASE_STEP = 1024, /* frames between two looks for interrupts */
};

struct extents {
    struct domain *d;
    struct vcpu *v;
    struct xen_memory_reservation r;
    uint64_t done;
    bool interrupted;
};

static pv_gptr_t extent_at(const struct extents *x, uint64_t i)
{
    return gptr_add(x->r.extent_start, i * sizeof(uint64_t));
}

/* Extents [done, ...): a handful of them copied in. 0: refused. */
static unsigned extents_read(struct extents *x, uint64_t *list)
{
    uint64_t left = x->r.nr_extents - x->done;
    unsigned n = left < HANDFUL ? (unsigned)left : HANDFUL;

    if (n > 1 && likely(guest_copy_in(list, extent_at(x, x->done), n * sizeof(*list)) == 0))
        return n;
    if (guest_copy_in(list, extent_at(x, x->done), sizeof(*list)) == 0)
        return 1;
    refuse(x->v, RULE_GUEST_POINTER, .va = extent_at(x, x->done).va);
    return 0;
}

static bool extents_stop(struct extents *x)
{
    if (x->done < x->r.nr_extents && unlikely(plat_interrupt_pending()))
        x->interrupted = true;
    return x->interrupted;
}

static bool order_bad(struct extents *x)
{
    if (likely(x->r.extent_order <= GUEST_ORDER))
        return false;
    refuse(x->v, RULE_EXTENT_ORDER, .value = x->r.extent_order, .limit = GUEST_ORDER);
    return true;
}

static bool extent_alloc(struct extents *x, mfn_t *m)
{
    if (likely(frame_domain_alloc(x->d, x->r.extent_order, m)))
        return true;
    if (x->d->pages + (1ull << x->r.extent_order) > x->d->max_pages)
        refuse(x->v, RULE_MEMORY_LIMIT, .value = x->d->pages, .limit = x->d->max_pages);
    else
        refuse(x->v, RULE_MEMORY_NONE_FREE, .value = x->r.extent_order,
               .limit = frame_free_count());
    return false;
}

static void extent_free(struct domain *d, mfn_t m, unsigned order)
{
    for (uint64_t i = 0; i < 1ull << order; i++)
        frame_domain_free(d, mfn_add(m, i));
}

/* -- populate, increase, decrease ------------------------------------------------- */

/* Tell the guest its new frames. How many of n it could be told. */
static unsigned extents_write(struct extents *x, const uint64_t *list, unsigned n)
{
    if (n > 1 && likely(guest_copy_out(extent_at(x, x->done), list, n * sizeof(*list)) == 0))
        return n;
    for (unsigned i = 0; i < n; i++)
        if (guest_copy_out(extent_at(x, x->done + i), &list[i], sizeof(*list))) {
            refuse(x->v, RULE_GUEST_POINTER, .va = extent_at(x, x->done + i).va);
            for (unsigned j = i; j < n; j++)
                extent_free(x->d, mfn(list[j]), x->r.extent_order);
            return i;
        }
    return n;
}

/* populate: list holds pfns, of which the frames become known to the M2P. */
static void extents_add(struct extents *x, bool populate)
{
    bool tell = populate || !gptr_null(x->r.extent_start);
    uint64_t list[HANDFUL];

    if (order_bad(x))
        return;
    if (populate && (x->r.mem_flags & XENMEMF_populate_on_demand)) {
        refuse(x->v, RULE_MEMORY_ON_DEMAND, .value = x->r.mem_flags);
        return;
    }
    do {
        uint64_t left = x->r.nr_extents - x->done;
        unsigned n = left < HANDFUL ? (unsigned)left : HANDFUL, i, told;

        if (populate && (n = extents_read(x, list)) == 0)
            return;
        for (i = 0; i < n; i++) {
            mfn_t m;

            if (!extent_alloc(x, &m))
                break;
            for (uint64_t j = 0; populate && j < 1ull << x->r.extent_order; j++)
                frame_m2p[m.n + j] = list[i] + j;
            list[i] = m.n;
        }
        told = tell ? extents_write(x, list, i) : i;
        x->done += told;
        if (told < n)
            return;
    } while (x->done < x->r.nr_extents && !extents_stop(x));
}

static bool extent_remove(struct extents *x, uint64_t first)
{
    for (uint64_t m = first; m < first + (1ull << x->r.extent_order); m++) {
        struct frame *f = frame_of(mfn(m));

        if (unlikely(m >= frame_count || f->owner != x->d->id)) {
            refuse(x->v, RULE_MEMORY_FRAME, .mfn = m < frame_count ? m : 0, .value = m);
            return false;
        }
        frame_domain_free(x->d, mfn(m)); /* given up before: nothing to do, as in Xen */
    }
    return true;
}

static void extents_remove(struct extents *x)
{
    uint64_t list[HANDFUL];

    if (order_bad(x))
        return;
    do {
        unsigned n = extents_read(x, list);

        if (n == 0)
            return;
        for (unsigned i = 0; i < n; i++) {
            if (!extent_remove(x, list[i]))
                return;
            x->done++;
        }
    } while (x->done < x->r.nr_extents && !extents_stop(x));
}

static __attribute__((noinline)) long reservation(struct vcpu *v, unsigned op, uint64_t start,
                                                  pv_gptr_t arg)
{
    struct extents x = {.v = v, .done = start};
    unsigned bits;
    long err;

    if (unlikely(guest_copy_in(&x.r, arg, sizeof(x.r)))) {
        refuse(v, RULE_GUEST_POINTER, .va = arg.va);
        return (long)start;
    }
    if (unlikely(x.r.nr_extents > UINT32_MAX >> OP_BITS)) {
        refuse(v, RULE_EXTENT_COUNT, .value = x.r.nr_extents, .limit = UINT32_MAX >> OP_BITS);
        return (long)start;
    }
    if (unlikely(start >= x.r.nr_extents))
        return (long)start;
    x.d = domain_for(v, x.r.domid, &err);
    if (unlikely(!x.d))
        return (long)start;
    bits = XENMEMF_get_address_bits(x.r.mem_flags);
    if (unlikely((bits && bits < 64 && (frame_count - 1) >> (bits > 12 ? bits - 12 : 0)) ||
                 (x.r.mem_flags & XENMEMF_exact_node_request))) {
        refuse(v, RULE_MEMORY_FLAGS, .value = x.r.mem_flags);
        return (long)start;
    }
    if (op == XENMEM_decrease_reservation)
        extents_remove(&x);
    else
        extents_add(&x, op == XENMEM_populate_physmap);
    if (unlikely(x.interrupted))
        return hc_restart(v, 2, (uint64_t)(op | x.done << OP_BITS), arg.va);
    return (long)x.done;
}

/* One frame in or out, as a balloon moves it: all but the arguments' trouble left aside. A
 * negative result: not so simple. */
static inline long reservation_single(struct vcpu *v, unsigned op, pv_gptr_t arg)
{
    struct xen_memory_reservation r;
    struct domain *d = v->domain;
    uint64_t at;
    mfn_t m;

    if (guest_copy_in(&r, arg, sizeof(r)) || r.nr_extents != 1 || r.extent_order || r.mem_flags ||
        r.domid != XEN_DOMID_SELF || guest_copy_in(&at, r.extent_start, sizeof(at)))
        return -1;
    if (op == XENMEM_decrease_reservation) {
        if (at >= frame_count || frame_of(mfn(at))->owner != d->id)
            return -1;
        frame_domain_free(d, mfn(at));
        return 1;
    }
    if (op != XENMEM_populate_physmap || !frame_domain_alloc(d, 0, &m))
        return -1;
    if (unlikely(guest_copy_out(r.extent_start, &m.n, sizeof(m.n)))) {
        frame_domain_free(d, m);
        return -1;
    }
    frame_m2p[m.n] = at;
    return 1;
}

/* -- exchange ----------------------------------------------------------------------- */

/* Take frame m out of d. 0 or refused. */
static long steal(struct vcpu *v, uint64_t m, uint32_t *chain)
{
    struct domain *d = v->domain;
    struct frame *f = frame_of(mfn(m));

    if (m >= frame_count || f->owner != d->id)
        return refuse(v, RULE_MEMORY_FRAME, .mfn = m < frame_count ? m : 0, .value = m);
    if (f->refs != 1 || !(f->flags & FRAME_ALLOCATED))
        return refuse(v, RULE_EXCHANGE_IN_USE, .mfn = m);
    f->flags &= ~FRAME_ALLOCATED;
    f->type_refs = *chain;
    *chain = (uint32_t)m;
    d->pages--;
    return 0;
}

/* The stolen ones go back to the domain, or for good. */
static void unchain(struct domain *d, uint32_t chain, bool back)
{
    while (chain) {
        struct frame *f = &frame_table[chain];

        chain = f->type_refs;
        f->type_refs = 0;
        d->pages++;
        if (back)
            f->flags |= FRAME_ALLOCATED;
        else
            frame_put(f);
    }
}

struct exchange {
    struct xen_memory_exchange x;
    unsigned in_per, out_per; /* extents of each list in a chunk */
};

static pv_gptr_t list_at(const struct xen_memory_reservation *r, uint64_t i)
{
    return gptr_add(r->extent_start, i * sizeof(uint64_t));
}

static long chunk_steal(struct vcpu *v, const struct exchange *e, uint64_t chunk, uint32_t *chain)
{
    for (uint64_t j = 0; j < e->in_per; j++) {
        pv_gptr_t at = list_at(&e->x.in, chunk * e->in_per + j);
        uint64_t m;

        if (guest_copy_in(&m, at, sizeof(m)))
            return refuse(v, RULE_GUEST_POINTER, .va = at.va);
        for (uint64_t k = 0; k < 1ull << e->x.in.extent_order; k++) {
            long rc = steal(v, m + k, chain);

            if (rc)
                return rc;
        }
    }
    return 0;
}

/* Frames for the chunk, chained by their first ones. */
static long chunk_alloc(struct vcpu *v, const struct exchange *e, uint32_t *chain)
{
    for (unsigned j = 0; j < e->out_per; j++) {
        mfn_t m;

        if (!frame_domain_alloc(v->domain, e->x.out.extent_order, &m)) {
            while (*chain) {
                uint32_t next = frame_table[*chain].type_refs;

                frame_table[*chain].type_refs = 0;
                extent_free(v->domain, mfn(*chain), e->x.out.extent_order);
                *chain = next;
            }
            return refuse(v, RULE_MEMORY_NONE_FREE, .value = e->x.out.extent_order,
                          .limit = frame_free_count(), .err = -XEN_ENOMEM);
        }
        frame_of(m)->type_refs = *chain;
        *chain = (uint32_t)m.n;
    }
    return 0;
}

static long chunk_give(struct vcpu *v, const struct exchange *e, uint64_t chunk, uint32_t chain)
{
    long rc = 0;

    for (uint64_t i = chunk * e->out_per; chain; i++) {
        pv_gptr_t at = list_at(&e->x.out, i);
        uint64_t pfn, m = chain;

        chain = frame_table[m].type_refs;
        frame_table[m].type_refs = 0;
        if (guest_copy_in(&pfn, at, sizeof(pfn)) || guest_copy_out(at, &m, sizeof(m))) {
            rc = refuse(v, RULE_GUEST_POINTER, .va = at.va);
            continue;
        }
        for (uint64_t k = 0; k < 1ull << e->x.out.extent_order; k++)
            frame_m2p[m + k] = pfn + k;
    }
    return rc;
}

static long exchange_chunk(struct vcpu *v, const struct exchange *e, uint64_t chunk)
{
    uint32_t in = 0, out = 0;
    long rc = chunk_steal(v, e, chunk, &in);

    if (rc == 0)
        rc = chunk_alloc(v, e, &out);
    unchain(v->domain, in, rc != 0);
    return rc ? rc : chunk_give(v, e, chunk, out);
}

/* The sizes of both lists must agree. 0 or refused. */
static long exchange_check(struct vcpu *v, const struct xen_memory_exchange *x)
{
    const struct xen_memory_reservation *in = &x->in, *out = &x->out;

    if (in->extent_order > GUEST_ORDER || out->extent_order > GUEST_ORDER)
        return refuse(v, RULE_EXTENT_ORDER, .value = in->extent_order, .limit = GUEST_ORDER,
                      .err = -XEN_EPERM);
    if (x->nr_exchanged > in->nr_extents || in->domid != out->domid ||
        ~0ull >> in->extent_order < in->nr_extents ||
        ~0ull >> out->extent_order < out->nr_extents ||
        in->nr_extents << in->extent_order != out->nr_extents << out->extent_order)
        return refuse(v, RULE_EXCHANGE_SIZES, .value = in->nr_extents, .limit = out->nr_extents);
    return 0;
}

static long exchange(struct vcpu *v, pv_gptr_t arg)
{
    pv_gptr_t count_at = gptr_add(arg, offsetof(struct xen_memory_exchange, nr_exchanged));
    struct exchange e;
    uint64_t i, end;
    long rc, err;

    if (guest_copy_in(&e.x, arg, sizeof(e.x)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    rc = exchange_check(v, &e.x);
    if (rc)
        return rc;
    if (e.x.nr_exchanged == e.x.in.nr_extents)
        return 0;
    if (!domain_for(v, e.x.in.domid, &err))
        return err;
    e.in_per = e.out_per = 1;
    if (e.x.in.extent_order < e.x.out.extent_order)
        e.in_per = 1u << (e.x.out.extent_order - e.x.in.extent_order);
    else
        e.out_per = 1u << (e.x.in.extent_order - e.x.out.extent_order);
    end = e.x.in.nr_extents / e.in_per;
    for (i = e.x.nr_exchanged / e.in_per; i < end; i++) {
        rc = exchange_chunk(v, &e, i);
        if (rc)
            break;
        if (i + 1 < end && plat_interrupt_pending()) {
            e.x.nr_exchanged = (i + 1) * e.in_per;
            if (guest_copy_out(count_at, &e.x.nr_exchanged, 8))
                return refuse(v, RULE_GUEST_POINTER, .va = count_at.va);
            return hc_restart(v, 2, (uint64_t)XENMEM_exchange, arg.va);
        }
    }
    e.x.nr_exchanged = i * e.in_per;
    if (guest_copy_out(count_at, &e.x.nr_exchanged, 8))
        return refuse(v, RULE_GUEST_POINTER, .va = count_at.va);
    return rc;
}

/* -- what there is ------------------------------------------------------------------- */

static long statistics(struct vcpu *v, unsigned op, pv_gptr_t arg)
{
    struct xen_memory_domain which;
    uint64_t pfns;
    struct domain *d;
    long err;

    if (guest_copy_in(&which, arg, sizeof(which)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    d = domain_for(v, which.domid, &err);
    if (!d)
        return err;
    if (op == XENMEM_current_reservation)
        return (long)d->pages;
    if (op == XENMEM_maximum_reservation)
        return (long)d->max_pages;
    pfns = d->shared ? d->shared->arch.max_pfn : 0;
    return (long)(pfns ? pfns - 1 : 0);
}

/* The map that the guest set, or its one piece of memory. */
static long memory_map(struct vcpu *v, pv_gptr_t arg)
{
    struct domain *d = v->domain;
    struct pv_e820_entry all = {.size = d->nr_pfns << PV_PAGE_SHIFT, .type = PV_E820_RAM};
    const struct pv_e820_entry *map = d->e820 ? d->e820 : &all;
    uint32_t n = d->e820 ? d->nr_e820 : 1;
    struct xen_memory_map m;

    if (guest_copy_in(&m, arg, sizeof(m)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    if (m.nr_entries > n)
        m.nr_entries = n;
    if (guest_copy_out(m.buffer, map, m.nr_entries * sizeof(*map)))
        return refuse(v, RULE_GUEST_POINTER, .va = m.buffer.va);
    if (guest_copy_out(arg, &m, sizeof(m)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    return 0;
}

static long set_memory_map(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_foreign_memory_map m;
    struct pv_e820_entry *page;
    struct domain *d;
    long err;

    _Static_assert(E820_MAX * sizeof(*page) <= PV_PAGE_SIZE, "the map is one page");
    if (guest_copy_in(&m, arg, sizeof(m)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    if (m.map.nr_entries > E820_MAX)
        return refuse(v, RULE_MEMORY_MAP, .value = m.map.nr_entries, .limit = E820_MAX);
    d = domain_for(v, m.domid, &err);
    if (!d)
        return err;
    page = frame_hv_alloc(0);
    if (!page)
        return refuse(v, RULE_MEMORY_NONE_FREE, .limit = frame_free_count());
    if (guest_copy_in(page, m.map.buffer, m.map.nr_entries * sizeof(*page))) {
        frame_hv_free(page, 0);
        return refuse(v, RULE_GUEST_POINTER, .va = m.map.buffer.va);
    }
    if (d->e820)
        frame_hv_free(d->e820, 0);
    d->e820 = page;
    d->nr_e820 = m.map.nr_entries;
    return 0;
}

/* The frames of the M2P, one number for each 2 MiB of it. */
static long machphys_list(struct vcpu *v, pv_gptr_t arg)
{
    uint64_t first = (uint64_t)((uint8_t *)frame_m2p - plat_ram) >> PV_PAGE_SHIFT;
    uint64_t bytes = frame_count * sizeof(*frame_m2p);
    struct xen_machphys_mfn_list list;
    uint32_t i;

    if (guest_copy_in(&list, arg, sizeof(list)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    for (i = 0; i < list.max_extents && (uint64_t)i << 21 < bytes; i++) {
        uint64_t m = first + i * 512ull;
        pv_gptr_t at = gptr_add(list.extent_start, i * sizeof(m));

        if (guest_copy_out(at, &m, sizeof(m)))
            return refuse(v, RULE_GUEST_POINTER, .va = at.va);
    }
    list.nr_extents = i;
    if (guest_copy_out(arg, &list, sizeof(list)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    return 0;
}

static long machphys_mapping(struct vcpu *v, pv_gptr_t arg)
{
    const struct xen_machphys_mapping m = {
        .v_start = XEN_MACH2PHYS_VIRT_START,
        .v_end = XEN_MACH2PHYS_VIRT_END,
        .max_mfn = XEN_MACH2PHYS_NR_ENTRIES - 1,
    };

    if (guest_copy_out(arg, &m, sizeof(m)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    return 0;
}

static __attribute__((noinline)) long memory_rare(struct vcpu *v, unsigned op, pv_gptr_t arg)
{
    switch (op) {
    case XENMEM_exchange:
        return exchange(v, arg);
    case XENMEM_maximum_ram_page:
        return (long)frame_count;
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return statistics(v, op, arg);
    case XENMEM_memory_map:
        return memory_map(v, arg);
    case XENMEM_set_memory_map:
        return set_memory_map(v, arg);
    case XENMEM_machphys_mfn_list:
        return machphys_list(v, arg);
    case XENMEM_machphys_mapping:
        return machphys_mapping(v, arg);
    case XENMEM_machphys_compat_mfn_list:
    case XENMEM_get_vnumainfo:
        return refuse(v, RULE_MEMORY_NOT_HERE, .value = op);
    case XENMEM_add_to_physmap:
    case XENMEM_add_to_physmap_batch:
    case XENMEM_remove_from_physmap:
        return refuse(v, RULE_MEMORY_TRANSLATED, .value = op);
    case XENMEM_machine_memory_map:
    case 24: /* XENMEM_claim_pages: of the tools interface, so in no ABI header */
    case XENMEM_set_pod_target:
    case XENMEM_get_pod_target:
    case XENMEM_acquire_resource:
        return refuse(v, RULE_MEMORY_PRIVILEGED, .value = op);
    default:
        return refuse(v, RULE_HYPERCALL_SUBOP, .value = op);
    }
}

long hc_memory_op(struct vcpu *v, uint64_t cmd, pv_gptr_t arg)
{
    unsigned op = cmd & ((1u << OP_BITS) - 1);
    uint64_t start = cmd >> OP_BITS;
    long rc;

    if (op == XENMEM_populate_physmap || op == XENMEM_decrease_reservation ||
        op == XENMEM_increase_reservation) {
        if (start == 0 && likely((rc = reservation_single(v, op, arg)) >= 0))
            return rc;
        return reservation(v, op, start, arg);
    }
    if (unlikely(start && op != XENMEM_add_to_physmap && op != XENMEM_add_to_physmap_batch))
        return refuse(v, RULE_MEMORY_START, .value = op, .limit = start);
    return memory_rare(v, op, arg);
}

/* -- the end ---------------------------------------------------------------------------- */

bool domain_memory_release(struct domain *d)
{
    if (!table_zap_done(d))
        return false;
    while (d->release_at < frame_count) {
        struct frame *f = &frame_table[d->release_at];

        if (unlikely(f->owner == d->id) && !(f->flags & FRAME_HV)) {
            if (f->flags & (FRAME_PINNED | FRAME_ORPHAN)) {
                f->flags &= ~(FRAME_PINNED | FRAME_ORPHAN); /* a PARTIAL frame is never pinned */
                table_put(d, f);
                if (!table_zap_done(d))
                    return false;
            }
            if (f->owner == d->id &&
                f->flags & FRAME_ALLOCATED) /* the pin may have been its last use */
                frame_domain_free(d, mfn(d->release_at));
        }
        frame_forget_owner(f, d->id);
        if (++d->release_at % RELEASE_STEP == 0 && plat_interrupt_pending())
            return false;
    }
    if (d->e820)
        frame_hv_free(d->e820, 0);
    d->e820 = 0;
    d->release_at = 0;
    return true;
}
