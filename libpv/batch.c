/* SPDX-License-Identifier: MIT */
/*
 * batch.c - collecting requests for one entry into the hypervisor.
 *
 * Invariant: the requests of call i that is an mmu_update (or mmuext_op) are consecutive in
 * update[] (op[]), and calls appear in the order in which they were added; so the hypervisor sees
 * exactly the sequence that separate hypercalls would have made.
 */
#include <pv/batch.h>
#include <pv/host.h>
#include <pv/hypercall.h>
#include "internal.h"

static struct pv_batch *lazy[XEN_LEGACY_MAX_VCPUS];
static struct pv_batch own;

void pv_batch_init(struct pv_batch *b)
{
    b->calls = b->updates = b->ops = 0;
    b->stale = false;
    b->error = 0;
    b->failed_nr = b->failed_request = 0;
    b->failed_caller = NULL;
}

static struct xen_multicall_entry *add_call(struct pv_batch *b, uint64_t nr, const void *caller)
{
    struct xen_multicall_entry *c;

    if (b->calls == PV_BATCH_CALLS)
        pv_batch_flush(b);
    c = &b->call[b->calls];
    c->op = nr;
    c->result = 0;
    b->done[b->calls] = 0;
    b->caller[b->calls] = caller;
    b->calls++;
    return c;
}

void pv_batch_call(struct pv_batch *b, uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3,
                   uint64_t a4, uint64_t a5)
{
    struct xen_multicall_entry *c = add_call(b, nr, __builtin_return_address(0));

    c->args[0] = a1;
    c->args[1] = a2;
    c->args[2] = a3;
    c->args[3] = a4;
    c->args[4] = a5;
    c->args[5] = 0;
}

/* Does the next request belong to the last call, and is there room for it in a list that holds
 * `used`? Most do: loops over page tables make many of a kind. */
static inline bool join(struct pv_batch *b, uint64_t nr, unsigned used, unsigned limit)
{
    if (!b->calls || b->call[b->calls - 1].op != nr || used == limit)
        return false;
    b->call[b->calls - 1].args[1]++;
    return true;
}

/* A new call over a list of requests: (list, count, done, domain). */
static void add_list(struct pv_batch *b, uint64_t nr, const void *request, const void *caller)
{
    struct xen_multicall_entry *c = add_call(b, nr, caller);

    c->args[0] = pv_arg(request);
    c->args[1] = 1;
    c->args[2] = pv_arg(&b->done[b->calls - 1]);
    c->args[3] = XEN_DOMID_SELF;
    c->args[4] = c->args[5] = 0;
}

/* Is there room for one more request, which needs a call of its own? */
static void make_room(struct pv_batch *b, unsigned used, unsigned limit)
{
    if (used == limit || b->calls == PV_BATCH_CALLS)
        pv_batch_flush(b);
}

void pv_batch_update(struct pv_batch *b, uint64_t ptr, uint64_t val)
{
    struct xen_mmu_update *u;

    if (!join(b, XEN_HYPERVISOR_mmu_update, b->updates, PV_BATCH_UPDATES)) {
        make_room(b, b->updates, PV_BATCH_UPDATES);
        add_list(b, XEN_HYPERVISOR_mmu_update, &b->update[b->updates], __builtin_return_address(0));
    }
    u = &b->update[b->updates++];
    u->ptr = ptr;
    u->val = val;
}

void pv_batch_op(struct pv_batch *b, const struct xen_mmuext_op *op)
{
    if (!join(b, XEN_HYPERVISOR_mmuext_op, b->ops, PV_BATCH_OPS)) {
        make_room(b, b->ops, PV_BATCH_OPS);
        add_list(b, XEN_HYPERVISOR_mmuext_op, &b->op[b->ops], __builtin_return_address(0));
    }
    b->op[b->ops++] = *op;
}

static void note_failure(struct pv_batch *b, unsigned i, int64_t result)
{
    if (result >= 0 || b->error)
        return;
    b->error = (int)result;
    b->failed_nr = (unsigned)b->call[i].op;
    b->failed_request = b->done[i];
    b->failed_caller = b->caller[i];
}

/* One flush for many pages. (Where there is no room for it, the batch goes before it.) */
static void add_flush(struct pv_batch *b)
{
    const struct xen_mmuext_op op = {.cmd = pv_host_cpu == pv_host_cpu_default
                                                ? XEN_MMUEXT_TLB_FLUSH_LOCAL
                                                : XEN_MMUEXT_TLB_FLUSH_ALL};

    b->stale = false;
    pv_batch_op(b, &op);
}

int pv_batch_flush(struct pv_batch *b)
{
    struct xen_multicall_entry *c = b->call;
    unsigned calls;

    if (b->stale)
        add_flush(b);
    calls = b->calls;
    if (calls == 1) {
        c->result =
            (uint64_t)pv_trap(c->op, c->args[0], c->args[1], c->args[2], c->args[3], c->args[4]);
    } else if (calls > 1) {
        int64_t err = pv_hypercall_multicall(c, calls);

        if (err < 0)
            note_failure(b, 0, err);
    }
    for (unsigned i = 0; i < calls; i++)
        note_failure(b, i, (int64_t)c[i].result);
    b->calls = b->updates = b->ops = 0;
    return b->error;
}

void pv_lazy_begin(struct pv_batch *b)
{
    b = b ? b : &own;
    pv_lazy_end(); /* what was begun and not ended is not lost */
    pv_batch_init(b);
    lazy[pv_this_cpu()] = b;
}

int pv_lazy_flush(void)
{
    struct pv_batch *b = pv_lazy_batch();

    return b && b->calls ? pv_batch_flush(b) : 0;
}

int pv_lazy_end(void)
{
    struct pv_batch *b = pv_lazy_batch();

    if (!b)
        return 0;
    lazy[pv_this_cpu()] = NULL;
    if (pv_batch_flush(b) != 0 && b == &own)
        pv_host_panic("a request failed that cannot fail");
    return b->error;
}

struct pv_batch *pv_lazy_batch(void)
{
    return lazy[pv_this_cpu()];
}
