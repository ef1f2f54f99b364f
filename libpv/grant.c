/* SPDX-License-Identifier: MIT */
/*
 * grant.c - the grant table and the three requests about it.
 *
 * The table is shared with the hypervisor. We write domid and frame while flags are 0, then flags;
 * the hypervisor sets GTF_reading and GTF_writing in flags while the other end has the page. To end
 * a grant is one compare-and-swap of flags to 0 that succeeds only when neither is set.
 *
 * Free references are those whose bit in `used` is 0; a bitmap, because it can't be corrupted by
 * ending a grant twice.
 */
#include <pv/grant.h>
#include <pv/host.h>
#include <pv/hypercall.h>
#include "internal.h"

#define ENTRIES_PER_FRAME (PV_PAGE_SIZE / sizeof(struct xen_grant_entry_v1))
#define MAX_REFS          (PV_GRANT_FRAMES * ENTRIES_PER_FRAME)
#define BUSY              (XEN_GTF_reading | XEN_GTF_writing)

static struct xen_grant_entry_v1 *table;
static uint64_t used[MAX_REFS / 64];
static uint32_t refs;

static int error_of(int64_t rc, int16_t status)
{
    if (rc < 0)
        return (int)rc;
    switch (status) {
    case XEN_GNTST_okay:
        return 0;
    case XEN_GNTST_bad_domain:
        return -XEN_ESRCH;
    case XEN_GNTST_bad_gntref:
    case XEN_GNTST_bad_handle:
        return -XEN_ENOENT;
    case XEN_GNTST_permission_denied:
        return -XEN_EPERM;
    case XEN_GNTST_no_device_space:
    case XEN_GNTST_no_space:
        return -XEN_ENOSPC;
    case XEN_GNTST_bad_page:
        return -XEN_EFAULT;
    case XEN_GNTST_eagain:
        return -XEN_EAGAIN;
    default:
        return -XEN_EINVAL;
    }
}

int pv_grant_init(unsigned frames)
{
    uint64_t machine[PV_GRANT_FRAMES];
    struct xen_gnttab_setup_table setup = {
        .dom = XEN_DOMID_SELF,
        .nr_frames = frames,
        .frame_list = pv_gptr(machine),
    };
    char *va;
    int err;

    if (!frames || frames > PV_GRANT_FRAMES)
        return -XEN_EINVAL;
    err = error_of(pv_hypercall_grant_table_op(XEN_GNTTABOP_setup_table, &setup, 1), setup.status);
    if (err)
        return setup.status == XEN_GNTST_general_error ? -XEN_ENOSPC : err;
    va = pv_host_window_alloc(frames);
    if (!va)
        return -XEN_ENOMEM;
    for (unsigned i = 0; i < frames && err == 0; i++)
        err = pv_window_map(va + i * PV_PAGE_SIZE, mfn(machine[i]), true);
    if (err)
        return err;
    table = (struct xen_grant_entry_v1 *)va;
    refs = frames * ENTRIES_PER_FRAME;
    used[0] = (1 << XEN_GNTTAB_NR_RESERVED_ENTRIES) - 1;
    return 0;
}

static bool take_ref(xen_grant_ref_t *ref)
{
    bool state = pv_lock(), found = false;

    for (uint32_t w = 0; w < refs / 64 && !found; w++) {
        if (~used[w]) {
            unsigned b = (unsigned)__builtin_ctzll(~used[w]);

            used[w] |= (uint64_t)1 << b;
            *ref = w * 64 + b;
            found = true;
        }
    }
    pv_unlock(state);
    return found;
}

static bool is_used(xen_grant_ref_t ref)
{
    return ref >= XEN_GNTTAB_NR_RESERVED_ENTRIES && ref < refs && (used[ref / 64] >> ref % 64 & 1);
}

int pv_grant_publish(xen_domid_t dom, pfn_t frame, bool readonly, xen_grant_ref_t *ref)
{
    mfn_t m = pv_p2m(frame);
    xen_grant_ref_t got;

    if (!mfn_valid(m) || m.n >> 32)
        return -XEN_EINVAL;
    if (!take_ref(&got))
        return -XEN_ENOSPC;
    table[got].domid = dom;
    table[got].frame = (uint32_t)m.n;
    /* The hypervisor reads the rest only after it has seen the flags. */
    __atomic_store_n(&table[got].flags,
                     (uint16_t)(XEN_GTF_permit_access | (readonly ? XEN_GTF_readonly : 0)),
                     __ATOMIC_RELEASE);
    *ref = got;
    return 0;
}

int pv_grant_end(xen_grant_ref_t ref)
{
    uint16_t flags;
    bool state;

    if (!is_used(ref))
        return -XEN_ENOENT;
    flags = __atomic_load_n(&table[ref].flags, __ATOMIC_SEQ_CST);
    do {
        if (flags & BUSY)
            return -XEN_EBUSY;
    } while (!__atomic_compare_exchange_n(&table[ref].flags, &flags, 0, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    state = pv_lock();
    used[ref / 64] &= ~((uint64_t)1 << ref % 64);
    pv_unlock(state);
    return 0;
}

bool pv_grant_in_use(xen_grant_ref_t ref)
{
    return is_used(ref) && (__atomic_load_n(&table[ref].flags, __ATOMIC_SEQ_CST) & BUSY);
}

int pv_grant_map(xen_domid_t dom, xen_grant_ref_t ref, bool readonly, struct pv_grant_map *m)
{
    struct xen_gnttab_map_grant_ref op = {
        .host_addr = pv_arg(m->va),
        .flags = XEN_GNTMAP_host_map | (readonly ? XEN_GNTMAP_readonly : 0),
        .ref = ref,
        .dom = dom,
    };
    int64_t rc = pv_hypercall_grant_table_op(XEN_GNTTABOP_map_grant_ref, &op, 1);
    int err = error_of(rc, op.status);

    if (err == 0)
        m->handle = op.handle;
    return err;
}

int pv_grant_unmap(struct pv_grant_map *m)
{
    struct xen_gnttab_unmap_grant_ref op = {.host_addr = pv_arg(m->va), .handle = m->handle};
    int64_t rc = pv_hypercall_grant_table_op(XEN_GNTTABOP_unmap_grant_ref, &op, 1);

    return error_of(rc, op.status);
}

static int fill_end(struct xen_gnttab_copy_ptr *p, const struct pv_grant_end_of_copy *e)
{
    p->offset = e->offset;
    if (e->is_ref) {
        p->domid = e->dom;
        p->u.ref = e->ref;
        return 0;
    }
    p->domid = XEN_DOMID_SELF;
    p->u.gmfn = pv_p2m(e->frame).n;
    return mfn_valid(pv_p2m(e->frame)) ? 0 : -XEN_EINVAL;
}

int pv_grant_copy(const struct pv_grant_end_of_copy *to, const struct pv_grant_end_of_copy *from,
                  uint16_t len)
{
    struct xen_gnttab_copy op = {
        .len = len,
        .flags = (uint16_t)((from->is_ref ? XEN_GNTCOPY_source_gref : 0) |
                            (to->is_ref ? XEN_GNTCOPY_dest_gref : 0)),
    };
    int64_t rc;

    if (fill_end(&op.dest, to) || fill_end(&op.source, from))
        return -XEN_EINVAL;
    rc = pv_hypercall_grant_table_op(XEN_GNTTABOP_copy, &op, 1);
    return error_of(rc, op.status);
}
