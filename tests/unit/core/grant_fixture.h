/* SPDX-License-Identifier: MIT
 *
 * grant_fixture.h - what the tests of grants begin with: guest 2 lends, guest 1, which runs, takes.
 */
#ifndef GRANT_FIXTURE_H
#define GRANT_FIXTURE_H

#include "core/grant.h"
#include "mm_fixture.h"

enum { REF = 9, PAGE = 7, VA = 30 };

/* Guest 2 grants its page to a domain. */
static inline struct xen_grant_entry_v1 *grant_to(uint16_t dom, unsigned ref, uint64_t pfn,
                                                  uint16_t flags)
{
    struct xen_grant_entry_v1 *e = &other->d->grants->shared[0][ref];

    *e = (struct xen_grant_entry_v1){XEN_GTF_permit_access | flags, dom, (uint32_t)other->p2m[pfn]};
    return e;
}

static inline struct xen_grant_entry_v1 *grant(unsigned ref, uint64_t pfn, uint16_t flags)
{
    return grant_to(1, ref, pfn, flags);
}

static inline long call(uint32_t cmd, void *op, size_t size, uint32_t n)
{
    long rc;

    memcpy(args(), op, size * n);
    rc = hosted_call(v, XEN_HYPERVISOR_grant_table_op, cmd, hosted_va(ARGS), n, 0);
    memcpy(op, args(), size * n);
    return rc;
}

static inline struct xen_gnttab_map_grant_ref map_op(unsigned ref, uint32_t flags, uint64_t addr)
{
    return (struct xen_gnttab_map_grant_ref){
        .host_addr = addr, .flags = flags, .ref = ref, .dom = 2, .status = 99};
}

/* The status of the operation, not that of the call. */
static inline int map(unsigned ref, uint32_t flags, uint64_t addr, uint32_t *handle)
{
    struct xen_gnttab_map_grant_ref op = map_op(ref, flags, addr);

    cr_assert_eq(call(XEN_GNTTABOP_map_grant_ref, &op, sizeof(op), 1), 0);
    *handle = op.handle;
    return op.status;
}

#define refused(call, rule_, status_)                                             \
    do {                                                                          \
        uint64_t before_ = reason_counts[rule_];                                  \
        int s_ = (call);                                                          \
        cr_assert_eq(s_, status_, "%s gave %d", #call, s_);                       \
        cr_assert_eq(reason_counts[rule_], before_ + 1, "%s: rule was %s", #call, \
                     rule_name(last()->rule));                                    \
    } while (0)

#endif
