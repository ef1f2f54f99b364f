/* SPDX-License-Identifier: MIT
 *
 * ops.h - random operations, each done by the hypervisor and by the model.
 *
 * random_op() picks one for the domain that runs, does it both ways and stops the program
 * when the answers differ. The choice leans to what may succeed: frames are picked by
 * what they are used for, entries by where tables are. A seed decides everything.
 */
#ifndef TESTS_OPS_H
#define TESTS_OPS_H

#include "model.h"

struct stats {
    uint64_t ops, good;
    uint64_t kind_ops[32], kind_good[32];
};
extern struct stats stats;

void random_seed(uint64_t seed);
uint64_t random_below(uint64_t n);
void random_op(struct mdomain *d);
const char *op_name(unsigned kind);
unsigned op_kinds(void);

/* -- for the generators (pick.c) -- */
bool chance(unsigned percent);
uint64_t pick_own(struct mdomain *d);                 /* any frame of d's own, not shared */
uint64_t pick_used(struct mdomain *d, unsigned type); /* one with such uses; else any of its own */
uint64_t pick_unused(struct mdomain *d);              /* one with no type uses; else any */
uint64_t pick_any(struct mdomain *d);                 /* mostly its own, sometimes anything */
unsigned pick_slot(unsigned level);
uint64_t pick_entry(struct mdomain *d, unsigned level);
uint64_t pick_va(struct mdomain *d); /* an address that may be mapped */

/* The real answer was `real`, the model's `want`: they must agree. */
void agree(unsigned kind, const char *what, long real, long want);

/* -- more generators -- */
void op_populate(struct mdomain *d, unsigned kind);
void op_decrease(struct mdomain *d, unsigned kind);
void op_exchange(struct mdomain *d, unsigned kind);
void op_grant_set(struct mdomain *d, unsigned kind);
void op_grant_map(struct mdomain *d, unsigned kind);
void op_grant_unmap(struct mdomain *d, unsigned kind);
void op_grant_copy(struct mdomain *d, unsigned kind);
void op_transfer(struct mdomain *d, unsigned kind);
void op_swap(struct mdomain *d, unsigned kind);
void op_cache_flush(struct mdomain *d, unsigned kind);
void op_grant_rare(struct mdomain *d, unsigned kind);
void op_rebuild(struct mdomain *d, unsigned kind);
void op_retype(struct mdomain *d, unsigned kind);
void op_rare(struct mdomain *d, unsigned kind);

/* A hypercall whose arguments lie in this process. */
#define CALL(d, name, a, b, c, e)                                                           \
    hosted_call((d)->v, XEN_HYPERVISOR_##name, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), \
                (uint64_t)(e))

#endif
