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
 * and the frame must not be used for anything else until then. Nothing forces the other end. Who
 * does not want to wait hands the end over: pv_grant_end_later().
 *
 * Version 1 of the grant table. References 0 .. 7 are the domain builder's and never given out.
 * All return 0 or -XEN_E* except as noted; statuses of the ABI (XEN_GNTST_*) are translated:
 * bad_domain -ESRCH, bad_gntref and bad_handle -ENOENT, permission_denied -EPERM, eagain -EAGAIN,
 * no_space and no_device_space -ENOSPC, bad_page -EFAULT, others -EINVAL.
 * Context: any, vCPUs may call at once. Reference: abi/grant_table.h.
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
 * addresses), at most PV_GRANT_FRAMES. To be called once, before all else here; who does not has
 * PV_GRANT_DEFAULT of them from the first grant on, which must not be made by two vCPUs at once.
 * -XEN_ENOSPC: the hypervisor allows fewer;
 * -XEN_ENOMEM: no window.
 */
#define PV_GRANT_FRAMES  8
#define PV_GRANT_DEFAULT 4
int pv_grant_init(unsigned frames);

/* The granting end -------------------------------------------------------------------------- */

/*
 * Lets domain dom map or copy a frame. *ref is the reference to tell it: the lowest that is free.
 * -XEN_ENOSPC: all are in use; -XEN_EINVAL: no such frame.
 */
#define pv_grant_publish(dom, frame, readonly, ref) \
    pv_grant_publish_at((dom), (frame), (readonly), (ref), PV_GRANT_HERE)
/* The same for a place in the sources that pv_grant_report() will tell: a string that stays. */
int pv_grant_publish_at(xen_domid_t dom, pfn_t frame, bool readonly, xen_grant_ref_t *ref,
                        const char *site);
#define PV_GRANT_HERE       PV_GRANT_AT(__FILE__, __LINE__)
#define PV_GRANT_AT(f, l)   PV_GRANT_TEXT(f, l)
#define PV_GRANT_TEXT(f, l) f ":" #l

/*
 * Ends a grant and frees its reference. -XEN_EBUSY: the other end has the page mapped, and the
 * grant goes on; -XEN_ENOENT: no such grant.
 */
int pv_grant_end(xen_grant_ref_t ref);

/* Does the other end have it mapped at this moment? */
bool pv_grant_in_use(xen_grant_ref_t ref);

/*
 * Ends a grant now or as soon as the other end has let go; then, and once, done() is called: from
 * here, or from the pv_grant_reap() that finds it so. *l is the caller's, with ref and done set,
 * and stays as it is until then. 0: it has ended; -XEN_EBUSY: it waits; -XEN_ENOENT: no such grant,
 * and done() is never called.
 */
struct pv_grant_later {
    xen_grant_ref_t ref;
    void (*done)(struct pv_grant_later *l); /* may be NULL; may free *l and the frame */
    struct pv_grant_later *next;            /* libpv's */
};
int pv_grant_end_later(struct pv_grant_later *l);

/* Looks at all that wait, and ends what it can. How many are left. For a kernel's idle loop or a
 * slow timer: not to be called where done() could not be. */
unsigned pv_grant_reap(void);

/*
 * Tells line() of every grant that has not ended: to whom, where in the sources it was published,
 * whether the other end has it mapped. Returns how many (line may be NULL). For a kernel that is
 * about to end, or looks for a leak.
 */
struct pv_grant_leak {
    xen_grant_ref_t ref;
    xen_domid_t dom;
    bool in_use;
    const char *site;
};
unsigned pv_grant_report(void (*line)(const struct pv_grant_leak *leak, void *arg), void *arg);

/* Frames that change hands -------------------------------------------------------------------- */

/*
 * Offers to take a frame from domain dom: `frame`, which has no memory now (pv_memory_release()),
 * will be it. *ref is the reference to tell. Errors as pv_grant_publish(); -XEN_EEXIST: the frame
 * has memory.
 */
#define pv_grant_accept(dom, frame, ref) pv_grant_accept_at((dom), (frame), (ref), PV_GRANT_HERE)
int pv_grant_accept_at(xen_domid_t dom, pfn_t frame, xen_grant_ref_t *ref, const char *site);

/*
 * Has it come? 0: the frame has memory, is mapped again, and the reference is free. -XEN_EAGAIN:
 * not yet. -XEN_ENOENT: no such offer.
 */
int pv_grant_accepted(xen_grant_ref_t ref, pfn_t frame);

/* Takes an offer back. -XEN_EBUSY: too late, the frame is coming. */
int pv_grant_accept_cancel(xen_grant_ref_t ref);

/*
 * Gives a frame, with what is in it, to the domain that offered to take it by ref. It is unmapped
 * from the linear map first. 0: it is gone. -XEN_EFAULT: it is in use elsewhere (another mapping, a
 * page table, a grant) and stays. Any other error: it is lost, and nobody's, as the ABI has it.
 */
int pv_grant_give(xen_domid_t dom, xen_grant_ref_t ref, pfn_t frame);

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
