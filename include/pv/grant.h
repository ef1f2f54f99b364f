/* SPDX-License-Identifier: MIT */
/*
 * grant.h - memory shared with other guests, page by page, on terms.
 *
 *     granting guest                         using guest
 *     --------------                         -----------
 *     pv_grant_publish(dom, frame) -> ref
 *             ref -------- by any means -->  pv_grant_map(dom, ref)   or   pv_grant_copy(...)
 *                                            ... uses the page ...
 *                                            pv_grant_unmap()
 *     pv_grant_end(ref)
 *
 * A grant ends only when the other end has let go: pv_grant_end() says -XEN_EBUSY while it hasn't,
 * and the frame must not be used for anything else until then. Nothing forces the other end.
 *
 * Version 1 of the grant table. References 0 .. 7 are the domain builder's and never given out.
 * All return 0 or -XEN_E* except as noted; statuses of the ABI (XEN_GNTST_*) are translated:
 * bad_domain -ESRCH, bad_gntref and bad_handle -ENOENT, permission_denied -EPERM, eagain -EAGAIN,
 * no_space and no_device_space -ENOSPC, bad_page -EFAULT, others -EINVAL.
 * Context: any, vCPUs may call at once.
 */
#ifndef PV_GRANT_H
#define PV_GRANT_H

#include <pv/types.h>
#include <pv/abi/grant_table.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Asks for a table of `frames` pages (512 references each; pv_host_window_alloc() gives the
 * addresses), at most PV_GRANT_FRAMES. To be called once, before all else here.
 * -XEN_ENOSPC: the hypervisor allows fewer; -XEN_ENOMEM: no window.
 */
#define PV_GRANT_FRAMES 8
int pv_grant_init(unsigned frames);

/* The granting end -------------------------------------------------------------------------- */

/*
 * Lets domain dom map or copy a frame. *ref is the reference to tell it: the lowest that is free.
 * -XEN_ENOSPC: all are in use; -XEN_EINVAL: no such frame.
 */
int pv_grant_publish(xen_domid_t dom, pfn_t frame, bool readonly, xen_grant_ref_t *ref);

/*
 * Ends a grant and frees its reference. -XEN_EBUSY: the other end has the page mapped, and the
 * grant goes on; -XEN_ENOENT: no such grant.
 */
int pv_grant_end(xen_grant_ref_t ref);

/* Does the other end have it mapped at this moment? */
bool pv_grant_in_use(xen_grant_ref_t ref);

/* The using end ----------------------------------------------------------------------------- */

struct pv_grant_map {
    void *va; /* where the page is; a page of a window, or the caller's own choice */
    xen_grant_handle_t handle;
};

/*
 * Maps a granted page at m->va, whose level-1 entry must exist (pv_host_window_alloc()). What was
 * mapped there is gone after pv_grant_unmap().
 */
int pv_grant_map(xen_domid_t dom, xen_grant_ref_t ref, bool readonly, struct pv_grant_map *m);
int pv_grant_unmap(struct pv_grant_map *m);

/*
 * Copies len bytes, within one page on each side, by the hypervisor. An end is either a frame of
 * our own or a reference of another domain.
 */
struct pv_grant_end_of_copy {
    bool is_ref;
    xen_domid_t dom; /* is_ref */
    xen_grant_ref_t ref;
    pfn_t frame; /* !is_ref */
    uint16_t offset;
};
int pv_grant_copy(const struct pv_grant_end_of_copy *to, const struct pv_grant_end_of_copy *from,
                  uint16_t len);

#ifdef __cplusplus
}
#endif
#endif
