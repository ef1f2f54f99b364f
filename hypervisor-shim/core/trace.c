/* SPDX-License-Identifier: MIT
 *
 * trace.c - see trace.h. Writes its ring and nothing else.
 */
#include "trace.h"
#include "platform.h"

struct trace_record trace_ring[TRACE_RECORDS];
uint64_t trace_count;

static void record(enum trace_class c, uint16_t domid, uint16_t vcpu, uint64_t a, uint64_t b)
{
    trace_ring[trace_count++ % TRACE_RECORDS] =
        (struct trace_record){plat_tsc(), domid, vcpu, c, a, b};
}

void trace_record_domain(enum trace_class c, uint16_t domid, uint64_t a, uint64_t b)
{
    record(c, domid, 0, a, b);
}

void trace_record(enum trace_class c, const struct vcpu *v, uint64_t a, uint64_t b)
{
    record(c, v->domain->id, v->id, a, b);
}
