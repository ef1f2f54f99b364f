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

int16_t grant_pin(struct domain *granter, uint32_t ref, bool readonly, uint32_t *handle, mfn_t *m)
{
    struct grant_mapping *map;
    uint32_t h, frame;
    int16_t rc;

    if (unlikely(!hv.pins)) {
        hv.pins = frame_hv_alloc(0);
        if (hv.pins)
            hv.pins->free_handle = ~0u;
    }
    h = likely(hv.pins) ? grant_handle_get(hv.pins) : ~0u;
    if (unlikely(h == ~0u))
        return grant_refuse(NULL, granter, RULE_GRANT_HANDLES, XEN_GNTST_no_space, ref,
                            hv.pins ? hv.pins->handles : 0, 0);
    rc = use_begin(NULL, 0, granter, ref, readonly, &frame);
    if (likely(rc == XEN_GNTST_okay)) {
        rc = frame_take(NULL, granter, frame, readonly, 1, ref);
        if (unlikely(rc))
            use_end(0, granter, ref, readonly, frame);
    }
    if (unlikely(rc)) {
        grant_handle_put(hv.pins, h);
        return rc;
    }
    map = grant_mapping(hv.pins, h);
    map->ref = ref;
    map->domid = granter->id;
    map->flags = XEN_GNTMAP_device_map | (readonly ? XEN_GNTMAP_readonly : 0);
    map->mfn = frame;
    *handle = h;
    *m = mfn(frame);
    return XEN_GNTST_okay;
}

void grant_unpin(uint32_t handle)
{
    struct grant_mapping *map = grant_mapping(hv.pins, handle);
    bool readonly = map->flags & XEN_GNTMAP_readonly;

    HV_ASSERT(handle < hv.pins->handles && map->flags);
    frame_leave(map->mfn, readonly);
    use_end(0, domain_by_id(map->domid), map->ref, readonly, map->mfn);
    grant_handle_put(hv.pins, handle);
}
