/* SPDX-License-Identifier: MIT */
/*
 * batch.h - many requests, one entry into the hypervisor.
 *
 * A batch collects page-table updates, extended MMU operations and any other hypercalls, in order,
 * and hands them over as one multicall (or as the single hypercall that is in it). Neighbouring
 * updates become one mmu_update; neighbouring operations one mmuext_op.
 *
 * Used in two ways:
 *
 *     explicitly   pv_batch_init(&b); pv_batch_call(&b, ...); ...; err = pv_batch_flush(&b);
 *     lazily       pv_lazy_begin(&b); ... pv_pt_set(), pv_space_map() ... ; err = pv_lazy_end();
 *
 * While a vCPU is lazy, functions of pagetable.h that say "may be lazy" only collect, and report
 * errors at pv_lazy_end(). A batch that is full flushes itself. A batch belongs to one vCPU and
 * lies wherever its owner likes (3.5 KiB).
 *
 * What is only collected has not happened: an entry that is read from a table's memory (rather than
 * by pv_pt_read()) is the old one, and a frame that was unmapped is still mapped. So a kernel ends
 * being lazy before it sleeps, lets another thread run, or allocates memory, if that may take pages
 * away from somebody. Nor is collecting safe against event handlers: who has handlers that change
 * page tables keeps events masked while lazy.
 * Reference: multicall, mmu_update and mmuext_op in abi/xen.h.
 */
#ifndef PV_BATCH_H
#define PV_BATCH_H

#include <pv/types.h>
#include <pv/abi/xen.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PV_BATCH_CALLS   16
#define PV_BATCH_UPDATES 128
#define PV_BATCH_OPS     16

struct pv_batch {
    struct xen_multicall_entry call[PV_BATCH_CALLS];
    struct xen_mmu_update update[PV_BATCH_UPDATES];
    struct xen_mmuext_op op[PV_BATCH_OPS];
    uint32_t done[PV_BATCH_CALLS];      /* requests that each call completed */
    const void *caller[PV_BATCH_CALLS]; /* who added each call */
    unsigned calls, updates, ops;
    bool stale; /* what is in it changes mappings of the kernel's: all is forgotten at the flush */
    /* The first failure since pv_batch_init(), kept until then: */
    int error;                 /* -XEN_E*, or 0 */
    unsigned failed_nr;        /* hypercall number */
    unsigned failed_request;   /* how many of its requests had succeeded */
    const void *failed_caller; /* return address of the function that added it */
};

void pv_batch_init(struct pv_batch *b);

/* Adds hypercall nr. Pointers in its arguments must stay valid until the flush. */
void pv_batch_call(struct pv_batch *b, uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3,
                   uint64_t a4, uint64_t a5);

/* Adds one mmu_update request or one mmuext_op, for the caller's own domain. */
void pv_batch_update(struct pv_batch *b, uint64_t ptr, uint64_t val);
void pv_batch_op(struct pv_batch *b, const struct xen_mmuext_op *op);

/*
 * Executes what was collected. Requests after a failed one: those of the same mmu_update or
 * mmuext_op are not tried, later calls are. Returns the batch's first error (also of an earlier
 * flush), or 0. The batch is empty afterwards.
 */
int pv_batch_flush(struct pv_batch *b);

/*
 * This vCPU collects in b from now on. Initializes b. Does not nest: a vCPU that was lazy already
 * ends that first, as by pv_lazy_end(). NULL: in a batch of libpv's, for one vCPU at a time and for
 * requests that cannot fail: a failure is pv_host_panic() at the end.
 */
void pv_lazy_begin(struct pv_batch *b);
/* Executes what is collected and goes on being lazy; does nothing when not lazy. */
int pv_lazy_flush(void);
/* Executes what is collected and ends being lazy. Returns the first error since the begin. */
int pv_lazy_end(void);
/* As pv_lazy_begin(NULL), until the enclosing block of C is left, in whatever way. */
#define pv_lazy_block() \
    char pv_lazy_mark __attribute__((cleanup(pv_lazy_leave), unused)) = pv_lazy_enter()
static inline char pv_lazy_enter(void)
{
    pv_lazy_begin(NULL);
    return 0;
}
static inline void pv_lazy_leave(char *mark)
{
    (void)mark;
    pv_lazy_end();
}
/* The batch in which this vCPU collects, or NULL. */
struct pv_batch *pv_lazy_batch(void);

#ifdef __cplusplus
}
#endif
#endif
