/* SPDX-License-Identifier: MIT */
/*
 * suspend.c - requests by the store, and the way into another domain and out of it.
 *
 * Invariant: while the hypervisor has us, no page table maps a frame outside the p2m, and
 * start_info names the store's and the console's pages by their guest frames: the toolstack turns
 * them into machine frames again, but only in a new domain.
 */
#include <pv/suspend.h>
#include <pv/batch.h>
#include <pv/event.h>
#include <pv/hypercall.h>
#include <pv/time.h>
#include <pv/tree.h>
#include <pv/vcpu.h>
#include <pv/xenbus.h>
#include <pv/xenstore.h>
#include "internal.h"

#define CONTROL "control/shutdown"

static const struct {
    const char *word;
    int reason;
} requests[] = {
    {"poweroff", XEN_SHUTDOWN_poweroff}, {"halt", XEN_SHUTDOWN_poweroff},
    {"reboot", XEN_SHUTDOWN_reboot},     {"suspend", XEN_SHUTDOWN_suspend},
    {"crash", XEN_SHUTDOWN_crash},
};

static bool same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* Reads the word and takes it away in one transaction: a second request is not lost. */
static int take(uint32_t tx, void *arg)
{
    char *word = arg;
    int n = pv_xenstore_read(tx, CONTROL, word, 16);

    if (n == 0)
        return -XEN_ENOENT;
    return n < 0 ? n : pv_xenstore_write(tx, CONTROL, "", 0);
}

int pv_control_request(void)
{
    char word[16];
    int rc = pv_xenstore_transaction(take, word);

    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < PV_ARRAY_SIZE(requests); i++)
        if (same(word, requests[i].word))
            return requests[i].reason;
    return -XEN_EINVAL;
}

/* Frame numbers instead of machine frames, and back. */
static void make_portable(struct xen_start_info *si)
{
    si->store_mfn = pv_m2p(mfn(si->store_mfn)).n;
    si->console.domU.mfn = pv_m2p(mfn(si->console.domU.mfn)).n;
}

static void make_own(struct xen_start_info *si)
{
    si->store_mfn = pv_p2m(pfn(si->store_mfn)).n;
    si->console.domU.mfn = pv_p2m(pfn(si->console.domU.mfn)).n;
}

/* The new domain knows of none of our ports and areas. */
static int reopen(void)
{
    struct xen_vcpu_info *own = pv_vcpu_infos[0];
    int err = own == pv_machine.shared->vcpu_info ? 0 : pv_vcpu_info_register(0, own);
    int rc = pv_event_rebind();

    if (err == 0)
        err = rc;
    rc = pv_xenstore_reconnect();
    return err ? err : rc;
}

/* To the hypervisor and back. */
static int sleep(void)
{
    /* The page is ours, and the one thing in it that changes is what follows. */
    struct xen_start_info *si = (struct xen_start_info *)(uintptr_t)pv_machine.info;
    struct xen_sched_shutdown how = {.reason = XEN_SHUTDOWN_suspend};
    bool open;
    int64_t rc;
    int err;

    if (!pfn_valid(pv_m2p(mfn(si->store_mfn))) || !pfn_valid(pv_m2p(mfn(si->console.domU.mfn))))
        return -XEN_ENODEV;
    err = pv_lazy_flush();
    if (err)
        return err;
    open = pv_events_disable();
    pv_event_keep();
    /* Also where it doesn't count while vCPU 0 has an area of its own: in the new domain it does.
     */
    pv_machine.shared->vcpu_info[0].evtchn_upcall_mask = 1;
    rc = pv_grant_unmap_table();
    if (rc == 0)
        rc = pv_start_unmap_shared();
    if (rc == 0) {
        make_portable(si);
        /* The third argument is for the toolstack, which looks for it in rdx. */
        rc = pv_trap(XEN_HYPERVISOR_sched_op, XEN_SCHEDOP_shutdown, pv_arg(&how),
                     pv_p2m(pv_start_frame(si)).n, 0, 0);
        if (rc)
            make_own(si);
    }
    err = pv_start_resume();
    if (err) /* there is no state of events to go back to */
        return err;
    err = pv_grant_map_table();
    if (err == 0 && rc == 0)
        err = reopen();
    pv_events_restore(open);
    return err ? err : (int)rc;
}

int pv_suspend(void)
{
    int rc = pv_tree_seal_all();
    uint64_t up;

    if (rc)
        return rc;
    pv_xenbus_suspend_all();
    up = pv_time_up();
    rc = sleep();
    if (!pv_machine.shared) /* nothing can be done without it */
        return rc;
    pv_time_begin(up);
    pv_xenbus_resume_all();
    return rc;
}
