/* SPDX-License-Identifier: MIT */
/*
 * grant.c - the grant table and the three requests about it.
 *
 * The table is shared with the hypervisor. We write domid and frame while flags are 0, then flags;
 * the hypervisor sets GTF_reading and GTF_writing in flags while the other end has the page. To end
 * a grant is one compare-and-swap of flags to 0 that succeeds only when neither is set.
 *
 * Free references are those whose bit in `used` is 0; a bitmap, because it can't be corrupted by
 * ending a grant twice. Ends that have to wait are on one list, under the lock; who looks through
 * it takes it off as a whole, so that each is looked at by one vCPU at a time.
 */
#include <pv/grant.h>
#include <pv/host.h>
#include <pv/hypercall.h>
#include <pv/pagetable.h>
#include "internal.h"

#define ENTRIES_PER_FRAME (PV_PAGE_SIZE / sizeof(struct xen_grant_entry_v1))
#define MAX_REFS          (PV_GRANT_FRAMES * ENTRIES_PER_FRAME)
#define BUSY              (XEN_GTF_reading | XEN_GTF_writing)

static struct xen_grant_entry_v1 *table;
static uint64_t used[MAX_REFS / 64];
static const char *sites[MAX_REFS]; /* who published */
static uint32_t refs;
static struct pv_grant_later *waiting;

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

/* The table's frames appear at va, which is pages of a window. */
static int map_table(void *va, unsigned frames)
{
    uint64_t machine[PV_GRANT_FRAMES];
    struct xen_gnttab_setup_table setup = {
        .dom = XEN_DOMID_SELF,
        .nr_frames = frames,
        .frame_list = pv_gptr(machine),
    };
    int64_t rc = pv_hypercall_grant_table_op(XEN_GNTTABOP_setup_table, &setup, 1);
    int err = error_of(rc, setup.status); /* which is there only now */

    if (err)
        return setup.status == XEN_GNTST_general_error ? -XEN_ENOSPC : err;
    for (unsigned i = 0; va && i < frames && err == 0; i++)
        err = pv_window_map((char *)va + i * PV_PAGE_SIZE, mfn(machine[i]), true);
    return err;
}

int pv_grant_init(unsigned frames)
{
    void *va;
    int err;

    if (!frames || frames > PV_GRANT_FRAMES)
        return -XEN_EINVAL;
    err = map_table(NULL, frames); /* no window is lost when the hypervisor refuses */
    if (err)
        return err;
    va = pv_host_window_alloc(frames);
    if (!va)
        return -XEN_ENOMEM;
    err = map_table(va, frames);
    if (err)
        return err;
    table = va;
    used[0] = (1 << XEN_GNTTAB_NR_RESERVED_ENTRIES) - 1;
    refs = frames * ENTRIES_PER_FRAME;
    return 0;
}

int pv_grant_unmap_table(void)
{
    int err = 0;

    for (uint32_t at = 0; at < refs && err == 0; at += ENTRIES_PER_FRAME)
        err = pv_window_map(table + at, PV_MFN_INVALID, false);
    return err;
}

int pv_grant_map_table(void)
{
    return refs ? map_table(table, refs / ENTRIES_PER_FRAME) : 0;
}

static bool take_ref(xen_grant_ref_t *ref)
{
    bool state, found = false;

    if (!refs)
        pv_grant_init(PV_GRANT_DEFAULT);
    state = pv_lock();
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

static void free_ref(xen_grant_ref_t ref)
{
    bool state = pv_lock();

    used[ref / 64] &= ~((uint64_t)1 << ref % 64);
    pv_unlock(state);
}

/* A new entry; its reference in *ref. */
static int publish(xen_domid_t dom, uint64_t frame, uint16_t flags, xen_grant_ref_t *ref,
                   const char *site)
{
    xen_grant_ref_t got;

    if (!take_ref(&got))
        return -XEN_ENOSPC;
    sites[got] = site;
    table[got].domid = dom;
    table[got].frame = (uint32_t)frame;
    /* The hypervisor reads the rest only after it has seen the flags. */
    __atomic_store_n(&table[got].flags, flags, __ATOMIC_RELEASE);
    *ref = got;
    return 0;
}

int pv_grant_publish_at(xen_domid_t dom, pfn_t frame, bool readonly, xen_grant_ref_t *ref,
                        const char *site)
{
    mfn_t m = pv_p2m(frame);

    if (!mfn_valid(m) || m.n >> 32)
        return -XEN_EINVAL;
    return publish(dom, m.n, XEN_GTF_permit_access | (readonly ? XEN_GTF_readonly : 0), ref, site);
}

/* Flags become 0, unless one of these is set. */
static int end(xen_grant_ref_t ref, uint16_t unless)
{
    uint16_t flags = __atomic_load_n(&table[ref].flags, __ATOMIC_SEQ_CST);

    do {
        if (flags & unless)
            return -XEN_EBUSY;
    } while (!__atomic_compare_exchange_n(&table[ref].flags, &flags, 0, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    free_ref(ref);
    return 0;
}

int pv_grant_end(xen_grant_ref_t ref)
{
    return is_used(ref) ? end(ref, BUSY) : -XEN_ENOENT;
}

int pv_grant_end_later(struct pv_grant_later *l)
{
    int err = pv_grant_end(l->ref);
    bool state;

    if (err == -XEN_EBUSY) {
        state = pv_lock();
        l->next = waiting;
        waiting = l;
        pv_unlock(state);
    } else if (err == 0 && l->done) {
        l->done(l);
    }
    return err;
}

unsigned pv_grant_reap(void)
{
    struct pv_grant_later *l, *next;
    bool state = pv_lock();
    unsigned left = 0;

    l = waiting;
    waiting = NULL;
    pv_unlock(state);
    for (; l; l = next) {
        next = l->next;
        left += pv_grant_end_later(l) == -XEN_EBUSY;
    }
    return left;
}

unsigned pv_grant_report(void (*line)(const struct pv_grant_leak *leak, void *arg), void *arg)
{
    unsigned n = 0;

    for (uint32_t ref = 0; ref < refs; ref++) {
        struct pv_grant_leak leak = {.ref = ref, .site = sites[ref]};

        if (!is_used(ref))
            continue;
        leak.dom = table[ref].domid;
        leak.in_use = pv_grant_in_use(ref);
        if (line)
            line(&leak, arg);
        n++;
    }
    return n;
}

/* -- frames that change hands ---------------------------------------------------------------- */

int pv_grant_accept_at(xen_domid_t dom, pfn_t frame, xen_grant_ref_t *ref, const char *site)
{
    if (mfn_valid(pv_p2m(frame)))
        return -XEN_EEXIST;
    if (frame.n >= pv_machine.nr_pages)
        return -XEN_EINVAL;
    return publish(dom, frame.n, XEN_GTF_accept_transfer, ref, site);
}

int pv_grant_accepted(xen_grant_ref_t ref, pfn_t frame)
{
    uint16_t flags;

    if (!is_used(ref))
        return -XEN_ENOENT;
    flags = __atomic_load_n(&table[ref].flags, __ATOMIC_ACQUIRE);
    if ((flags & XEN_GTF_type_mask) != XEN_GTF_accept_transfer)
        return -XEN_ENOENT;
    if (!(flags & XEN_GTF_transfer_completed))
        return -XEN_EAGAIN;
    pv_p2m_set(frame, mfn(table[ref].frame));
    __atomic_store_n(&table[ref].flags, 0, __ATOMIC_RELEASE);
    free_ref(ref);
    return pv_pt_unprotect(frame);
}

int pv_grant_accept_cancel(xen_grant_ref_t ref)
{
    return is_used(ref) ? end(ref, XEN_GTF_transfer_committed) : -XEN_ENOENT;
}

int pv_grant_give(xen_domid_t dom, xen_grant_ref_t ref, pfn_t frame)
{
    struct xen_gnttab_transfer op = {.mfn = pv_p2m(frame).n, .domid = dom, .ref = ref};
    int64_t rc;
    int err;

    if (!mfn_valid(pv_p2m(frame)))
        return -XEN_EINVAL;
    err =
        pv_pt_set_va((uint64_t)(uintptr_t)pv_host_page_va(frame), pv_pte_none(), PV_FLUSH_PAGE_ALL);
    if (err)
        return err;
    rc = pv_hypercall_grant_table_op(XEN_GNTTABOP_transfer, &op, 1);
    err = error_of(rc, op.status);
    if (err != -XEN_EFAULT)
        pv_p2m_set(frame, PV_MFN_INVALID);
    else if (pv_pt_unprotect(frame) != 0)
        pv_pt_protect(frame); /* a page table: it was mapped read-only */
    return err;
}

mfn_t pv_grant_frame(xen_grant_ref_t ref)
{
    /* The hypervisor writes it before the back-end says so. */
    return mfn(__atomic_load_n(&table[ref].frame, __ATOMIC_ACQUIRE));
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
