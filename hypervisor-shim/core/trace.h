/* SPDX-License-Identifier: MIT
 *
 * trace.h - a record of what happens, for those who ask.
 *
 * hv.trace_mask says which classes are recorded; while it is 0 a hook costs one test. Records
 * go to a ring, newest over oldest.
 */
#ifndef HV_TRACE_H
#define HV_TRACE_H

#include "domain.h"
#include "../hostview.h" /* what a record is */

extern struct trace_record trace_ring[TRACE_RECORDS];
extern uint64_t trace_count; /* ever recorded */

void trace_record_domain(enum trace_class c, uint16_t domid, uint64_t a, uint64_t b);
void trace_record(enum trace_class c, const struct vcpu *v, uint64_t a, uint64_t b);

static inline void trace(enum trace_class c, const struct vcpu *v, uint64_t a, uint64_t b)
{
    if (unlikely(hv.trace_mask & c))
        trace_record(c, v, a, b);
}

static inline void trace_disk(enum trace_class c, uint16_t domid, uint64_t a, uint64_t b)
{
    if (unlikely(hv.trace_mask & c))
        trace_record_domain(c, domid, a, b);
}

#endif
