/* SPDX-License-Identifier: MIT
 *
 * grant_pin.c - grants that the shim's own back-ends hold on to.
 *
 * A back-end is domain 0 to its front-end, and a pin is a device mapping of domain 0's: a handle
 * in a table of the hypervisor's own (hv.pins), one reference to the frame, and (to write) one
 * to its type. So frame_audit() counts it as it counts a guest's, the granter sees the
 * status bits, and a frame outlives its granter until the device is done with it.
 */
#include "grant_use.h"

/* The case that disks and networks live on: a grant to domain 0 that nobody uses yet, of a frame
 * that needs no change of type. True: it is in use now. False: nothing was done, and the long way
 * does it or says why not. */
static inline __attribute__((always_inline)) bool
pin_quickly(const struct domain *granter, uint32_t ref, bool readonly, uint32_t *m)
{
    const struct grant_table *t = granter->grants;
    uint32_t may_be = XEN_GTF_reading | XEN_GTF_writing | (readonly ? XEN_GTF_readonly : 0);
    uint32_t set = XEN_GTF_reading | (readonly ? 0 : XEN_GTF_writing), old, frame, *word;
    struct grant_active *act;
    struct xen_grant_entry_v1 *e;
    struct frame *f;

    if (!grant_ref_ok(t, ref))
        return false;
    act = active_of(t, ref);
    e = entry_of(t, ref);
    word = (uint32_t *)e; /* flags, and the domid, which is 0 */
    old = __atomic_load_n(word, __ATOMIC_RELAXED);
    if (grant_busy(act) || (old & ~may_be) != XEN_GTF_permit_access ||
        !__atomic_compare_exchange_n(word, &old, old | set, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return false;
    frame = __atomic_load_n(&e->frame, __ATOMIC_RELAXED);
    f = frame_of(mfn(frame));
    if (unlikely(frame >= frame_count || f->owner != granter->id || f->refs >= FRAME_REFS_MAX ||
                 (!readonly && f->type != FRAME_WRITABLE))) {
        grant_status_clear(e, act, readonly);
        return false;
    }
    f->refs++;
    f->type_refs += !readonly;
    *act = (struct grant_active){frame, 0, readonly, !readonly};
    *m = frame;
    return true;
}

static inline void note(uint32_t h, const struct domain *granter, uint32_t ref, bool readonly,
                        uint32_t frame)
{
    struct grant_mapping *map = grant_mapping(hv.pins, h);

    map->ref = ref;
    map->domid = granter->id;
    map->flags = XEN_GNTMAP_device_map | (readonly ? XEN_GNTMAP_readonly : 0);
    map->mfn = frame;
}

static COLD int16_t pin_slowly(struct domain *granter, uint32_t ref, bool readonly,
                               uint32_t *handle, mfn_t *m)
{
    uint32_t h, frame;
    int16_t rc;

    if (!hv.pins) {
        hv.pins = frame_hv_alloc(0);
        if (hv.pins)
            hv.pins->free_handle = ~0u;
    }
    h = hv.pins ? grant_handle_get(hv.pins) : ~0u;
    if (h == ~0u)
        return grant_refuse(NULL, granter, RULE_GRANT_HANDLES, XEN_GNTST_no_space, ref,
                            hv.pins ? hv.pins->handles : 0, 0);
    rc = use_begin(NULL, 0, granter, ref, readonly, &frame);
    if (rc == XEN_GNTST_okay) {
        rc = frame_take(NULL, granter, frame, readonly, 1, ref);
        if (rc)
            use_end(0, granter, ref, readonly, frame);
    }
    if (rc) {
        grant_handle_put(hv.pins, h);
        return rc;
    }
    note(h, granter, ref, readonly, frame);
    *handle = h;
    *m = mfn(frame);
    return XEN_GNTST_okay;
}

int16_t grant_pin(struct domain *granter, uint32_t ref, bool readonly, uint32_t *handle, mfn_t *m)
{
    struct grant_table *pins = hv.pins;
    uint32_t frame, h;

    if (unlikely(!pins || pins->free_handle == ~0u) ||
        unlikely(!(readonly ? pin_quickly(granter, ref, true, &frame)
                            : pin_quickly(granter, ref, false, &frame))))
        return pin_slowly(granter, ref, readonly, handle, m);
    h = pins->free_handle;
    pins->free_handle = grant_mapping(pins, h)->next;
    note(h, granter, ref, readonly, frame);
    *handle = h;
    *m = mfn(frame);
    return XEN_GNTST_okay;
}

/* One use, and the last one, ends: the usual case of use_end(). */
static inline bool use_ends_quickly(const struct domain *rd, uint32_t ref, bool readonly,
                                    uint32_t m)
{
    const struct grant_active one = {m, 0, readonly, !readonly};
    struct grant_active *act;

    if (unlikely(!rd) || !grant_ref_ok(rd->grants, ref))
        return false;
    act = active_of(rd->grants, ref);
    if (__builtin_memcmp(act, &one, sizeof(one)) != 0)
        return false;
    act->readers = act->writers = 0;
    __atomic_and_fetch(&entry_of(rd->grants, ref)->flags,
                       (uint16_t) ~(XEN_GTF_reading | XEN_GTF_writing), __ATOMIC_ACQ_REL);
    return true;
}

void grant_unpin(uint32_t handle)
{
    struct grant_mapping *map;
    struct domain *rd;
    bool readonly;

    HV_ASSERT(handle < hv.pins->handles);
    map = grant_mapping(hv.pins, handle);
    HV_ASSERT(map->flags);
    readonly = map->flags & XEN_GNTMAP_readonly;
    rd = domain_by_id(map->domid);
    frame_leave(map->mfn, readonly);
    if (unlikely(!use_ends_quickly(rd, map->ref, readonly, map->mfn)))
        use_end(0, rd, map->ref, readonly, map->mfn);
    grant_handle_put(hv.pins, handle);
}
