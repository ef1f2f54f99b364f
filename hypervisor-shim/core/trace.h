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

enum trace_class {
    TRACE_HYPERCALL = 1 << 0, /* a: number, b: first argument */
    TRACE_TRAP = 1 << 1,      /* a: vector, b: address or error code */
    TRACE_SWITCH = 1 << 2,    /* a: time */
    TRACE_BOUNCE = 1 << 3,    /* a: handler, b: vector */
    TRACE_DISK_ADD = 1 << 4,  /* a request came; a: sector, b: sectors */
    TRACE_DISK_GO = 1 << 5,   /* it goes to the device */
    TRACE_DISK_DONE = 1 << 6,
};

struct trace_record {
    uint64_t tsc;
    uint16_t domid, vcpu;
    uint32_t class;
    uint64_t a, b;
};
_Static_assert(sizeof(struct trace_record) == 32, "the host reads it");

enum { TRACE_RECORDS = 1024 };

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
