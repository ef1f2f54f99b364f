/* SPDX-License-Identifier: MIT
 *
 * trace.c - see trace.h. Writes its ring and nothing else.
 */
#include "trace.h"
#include "platform.h"

struct trace_record trace_ring[TRACE_RECORDS];
uint64_t trace_count;

void trace_record(enum trace_class c, const struct vcpu *v, uint64_t a, uint64_t b)
{
    trace_ring[trace_count++ % TRACE_RECORDS] =
        (struct trace_record){plat_tsc(), v->domain->id, v->id, c, a, b};
}
