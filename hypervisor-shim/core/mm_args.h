/* SPDX-License-Identifier: MIT
 *
 * mm_args.h - what the memory calls share in reading their arguments: foreign
 * domain numbers, the count of what is done, how a stopped batch resumes.
 *
 * A batch that stops for an interrupt is made again with the rest of its
 * arguments and MM_RESUMED in its count, as Xen does it (the bit is reserved in the
 * ABI). Where only the end of old tables remains, requests are NULL, count is
 * MM_RESUMED alone, and the last argument is the result to give.
 */
#ifndef HV_MM_ARGS_H
#define HV_MM_ARGS_H

#include "entry.h"
#include "guest_mem.h"
#include "pagetable.h"

#define MM_RESUMED 0x80000000u

/* *done of an earlier part of the call; what cannot be read counts as none. */
static inline uint32_t mm_done_read(pv_gptr_t at)
{
    uint32_t done = 0;

    if (at.va == 0 || guest_copy_in(&done, at, sizeof(done)))
        return 0;
    return done;
}

/* The ABI knows no error for a count that cannot be written. */
static inline void mm_done_write(pv_gptr_t at, uint32_t done)
{
    (void)guest_copy_out(at, &done, sizeof(done));
}

/* The last step of a call: its result, when no old table waits for its end. */
static inline long mm_finish(struct vcpu *v, long rc)
{
    if (likely(table_zap_done(v->domain)))
        return rc;
    return hc_restart(v, 4, 0ul, (uint64_t)MM_RESUMED, 0ul, (uint64_t)(uint32_t)rc);
}

/* Whose frames a foreign-domain argument names: the caller's own id for DOMID_SELF; DOMID_IO
 * or DOMID_XEN for those. Else refused: an unknown domain, another one, or the own number. */
long mm_owner(struct vcpu *v, uint16_t domid, uint16_t *owner);
/* The two halves of mmu_update's argument: frames' owner, and (plus one) tables' owner. */
long mm_foreign(struct vcpu *v, uint32_t foreign, uint16_t *owner);
/* A bitmap of v's domain's vCPUs. Non-zero: it cannot be read (nothing is recorded). */
int mm_vcpu_mask(struct vcpu *v, pv_gptr_t at, uint64_t *mask);

#endif
