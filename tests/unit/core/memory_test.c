/* SPDX-License-Identifier: MIT
 *
 * memory_test.c - memory_op, and the end of a domain's memory.
 */
#include <criterion/criterion.h>
#include "mm_fixture.h"

TestSuite(memory, .init = mm_setup, .fini = mm_teardown);

enum { LIST = 9 }; /* pfn of the page that lists lie in */

static uint64_t *list(void)
{
    return hosted_page(g, LIST);
}

static struct xen_memory_reservation reservation(uint64_t n, unsigned order)
{
    return (struct xen_memory_reservation){.extent_start = {hosted_va(LIST)},
                                           .nr_extents = n,
                                           .extent_order = order,
                                           .domid = XEN_DOMID_SELF};
}

static long op(unsigned cmd, const void *arg, size_t n)
{
    memcpy(args(), arg, n);
    return hosted_call(v, XEN_HYPERVISOR_memory_op, cmd, hosted_va(ARGS), 0, 0);
}

static long reserve(unsigned cmd, struct xen_memory_reservation r)
{
    return op(cmd, &r, sizeof(r));
}

/* A call over extents that stops at extent `done`, by this rule. */
#define stops_at(call, done_, rule_)                                                             \
    do {                                                                                         \
        uint64_t before_ = reason_counts[rule_];                                                 \
        cr_assert_eq(call, done_);                                                               \
        cr_assert_eq(reason_counts[rule_], before_ + 1, "rule was %s", rule_name(last()->rule)); \
    } while (0)

Test(memory, a_balloon_moves_single_pages)
{
    uint64_t pages = g->d->pages, m = g->p2m[20];

    list()[0] = m;
    cr_assert_eq(update(pte_addr(20), 0), 0);
    cr_assert_eq(reserve(XENMEM_decrease_reservation, reservation(1, 0)), 1);
    cr_assert_eq(g->d->pages, pages - 1);
    cr_assert_eq(frame_m2p[m], M2P_INVALID);
    list()[0] = 20;
    cr_assert_eq(reserve(XENMEM_populate_physmap, reservation(1, 0)), 1);
    cr_assert_eq(list()[0], m); /* the last one out is the first one in */
    cr_assert_eq(frame_m2p[m], 20);
    cr_assert_eq(g->d->pages, pages);
}

Test(memory, many_pages_stop_and_resume)
{
    for (unsigned every = 0; every < 3; every++) {
        hosted.interrupt_every = every;
        for (unsigned i = 0; i < 40; i++) {
            list()[i] = g->p2m[10 + i];
            cr_assert_eq(update(pte_addr(10 + i), 0), 0);
        }
        cr_assert_eq(reserve(XENMEM_decrease_reservation, reservation(40, 0)), 40);
        cr_assert_eq(g->d->pages, PAGES - 40);
        for (unsigned i = 0; i < 40; i++)
            list()[i] = 10 + i;
        cr_assert_eq(reserve(XENMEM_populate_physmap, reservation(40, 0)), 40);
        for (unsigned i = 0; i < 40; i++) {
            cr_assert_eq(frame_m2p[list()[i]], 10 + i);
            g->p2m[10 + i] = list()[i];
            cr_assert_eq(update(pte_addr(10 + i), hosted_entry(g, 10 + i, PTE_P | PTE_RW)), 0);
        }
    }
}

Test(memory, extents_of_some_size)
{
    uint64_t pages = g->d->pages;

    list()[0] = 1000;
    list()[1] = 2000;
    cr_assert_eq(reserve(XENMEM_populate_physmap, reservation(2, 2)), 2);
    cr_assert_eq(g->d->pages, pages + 8);
    cr_assert_eq(frame_m2p[list()[1] + 3], 2003);
    cr_assert_eq(list()[0] & 3, 0);
    cr_assert_eq(reserve(XENMEM_increase_reservation, reservation(1, 1)), 1);
    cr_assert_eq(frame_m2p[list()[0]], M2P_INVALID);
    cr_assert_eq(reserve(XENMEM_decrease_reservation, reservation(1, 1)), 1);
    /* without a list nobody is told */
    struct xen_memory_reservation r = reservation(3, 0);
    r.extent_start.va = 0;
    cr_assert_eq(reserve(XENMEM_increase_reservation, r), 3);
}

Test(memory, what_ends_a_call_early)
{
    struct xen_memory_reservation r = reservation(2, 0);

    list()[0] = g->p2m[20];
    list()[1] = other->p2m[3];
    stops_at(reserve(XENMEM_decrease_reservation, r), 1, RULE_MEMORY_FRAME);
    cr_assert_eq(last()->owner, 2);
    list()[0] = frame_count + 7;
    stops_at(reserve(XENMEM_decrease_reservation, r), 0, RULE_MEMORY_FRAME);
    stops_at(reserve(XENMEM_decrease_reservation, reservation(1, 0)), 0, RULE_MEMORY_FRAME);
    stops_at(reserve(XENMEM_decrease_reservation, reservation(1, 10)), 0, RULE_EXTENT_ORDER);
    stops_at(reserve(XENMEM_populate_physmap, reservation(1, 10)), 0, RULE_EXTENT_ORDER);
    stops_at(reserve(XENMEM_populate_physmap, reservation(1ull << 27, 0)), 0, RULE_EXTENT_COUNT);
    cr_assert_eq(reserve(XENMEM_populate_physmap, reservation(0, 0)), 0);
    stops_at(reserve(XENMEM_populate_physmap, reservation(40, 0)), 16, RULE_MEMORY_LIMIT);
    r.mem_flags = XENMEMF_populate_on_demand;
    stops_at(reserve(XENMEM_populate_physmap, r), 0, RULE_MEMORY_ON_DEMAND);
    r.mem_flags = XENMEMF_exact_node_request;
    stops_at(reserve(XENMEM_populate_physmap, r), 0, RULE_MEMORY_FLAGS);
    r.mem_flags = 15;
    stops_at(reserve(XENMEM_populate_physmap, r), 0, RULE_MEMORY_FLAGS);
    r.mem_flags = 5;
    stops_at(reserve(XENMEM_populate_physmap, r), 0, RULE_MEMORY_FLAGS);
    r.mem_flags = 40;
    g->d->max_pages += 10;
    cr_assert_eq(reserve(XENMEM_populate_physmap, r), 2);
    r.domid = 2;
    stops_at(reserve(XENMEM_populate_physmap, r), 0, RULE_DOMAIN_FOREIGN);
    r.domid = 55;
    stops_at(reserve(XENMEM_populate_physmap, r), 0, RULE_DOMAIN_UNKNOWN);
    stops_at(hosted_call(v, XEN_HYPERVISOR_memory_op, XENMEM_populate_physmap, HV_VA, 0, 0), 0,
             RULE_GUEST_POINTER);
}

Test(memory, lists_that_cannot_be_used)
{
    struct xen_memory_reservation r = reservation(5, 0);
    uint64_t pages = g->d->pages;

    cr_assert_eq(update(pte_addr(LIST + 1), 0), 0);
    r.extent_start.va = hosted_va(LIST + 1) - 16; /* two and no more */
    list()[510] = g->p2m[20];
    list()[511] = g->p2m[21];
    stops_at(reserve(XENMEM_decrease_reservation, r), 2, RULE_GUEST_POINTER);
    cr_assert_eq(reserve(XENMEM_decrease_reservation, r), 2); /* given up before: fine */
    r.extent_start.va = 8;
    stops_at(reserve(XENMEM_decrease_reservation, r), 0, RULE_GUEST_POINTER);
    r.nr_extents = 1;
    stops_at(reserve(XENMEM_populate_physmap, r), 0, RULE_GUEST_POINTER);
    /* a list that is readable only: nothing is given */
    make_readonly(LIST);
    r.extent_start.va = hosted_va(LIST);
    stops_at(reserve(XENMEM_populate_physmap, r), 0, RULE_GUEST_POINTER);
    r.nr_extents = 3;
    stops_at(reserve(XENMEM_populate_physmap, r), 0, RULE_GUEST_POINTER);
    stops_at(reserve(XENMEM_increase_reservation, r), 0, RULE_GUEST_POINTER);
    cr_assert_eq(g->d->pages, pages);
}

Test(memory, a_list_that_is_half_writable)
{
    struct xen_memory_reservation r = reservation(4, 0);
    uint64_t pages = g->d->pages;

    make_readonly(LIST + 1);
    r.extent_start.va = hosted_va(LIST + 1) - 16;
    stops_at(reserve(XENMEM_populate_physmap, r), 2, RULE_GUEST_POINTER);
    cr_assert_eq(g->d->pages, pages + 2);
}

Test(memory, a_full_machine)
{
    static void *page[4096];
    unsigned n = 0;

    while ((page[n] = frame_hv_alloc(0)))
        n++;
    stops_at(reserve(XENMEM_populate_physmap, reservation(1, 0)), 0, RULE_MEMORY_NONE_FREE);
    list()[0] = g->p2m[20];
    struct xen_memory_exchange x = {.in = reservation(1, 0), .out = reservation(1, 0)};
    cr_assert_eq(update(pte_addr(20), 0), 0);
    cr_assert_refused(op(XENMEM_exchange, &x, sizeof(x)), RULE_MEMORY_NONE_FREE, XEN_ENOMEM);
    cr_assert_eq(frame(20)->flags, FRAME_ALLOCATED);
    struct xen_foreign_memory_map map = {.domid = XEN_DOMID_SELF};
    cr_assert_refused(op(XENMEM_set_memory_map, &map, sizeof(map)), RULE_MEMORY_NONE_FREE,
                      XEN_ENOMEM);
    while (n > 0)
        frame_hv_free(page[--n], 0);
}

/* -- exchange --------------------------------------------------------------------------- */

static struct xen_memory_exchange exchange(uint64_t in, unsigned in_order, uint64_t out,
                                           unsigned out_order)
{
    struct xen_memory_exchange x = {.in = reservation(in, in_order),
                                    .out = reservation(out, out_order)};

    x.out.extent_start.va += 2048;
    for (unsigned i = 0; i < 16; i++) {
        list()[i] = g->p2m[20 + i];
        list()[256 + i] = 5000 + i;
        (void)update(pte_addr(20 + i), 0);
    }
    return x;
}

static uint64_t exchanged(void)
{
    return ((struct xen_memory_exchange *)args())->nr_exchanged;
}

Test(memory, exchange_for_a_run)
{
    struct xen_memory_exchange x = exchange(8, 0, 2, 2);
    uint64_t pages = g->d->pages;

    for (unsigned every = 0; every < 2; every++) {
        hosted.interrupt_every = every;
        cr_assert_eq(op(XENMEM_exchange, &x, sizeof(x)), 0);
        hosted.interrupt_every = 0;
        cr_assert_eq(exchanged(), 8);
        cr_assert_eq(g->d->pages, pages);
        cr_assert_eq(frame_m2p[list()[257] + 3], 5001 + 3);
        cr_assert_eq(list()[256] & 3, 0);
        for (unsigned i = 0; i < 8; i++)
            list()[i] = list()[256 + i / 4] + i % 4;
        list()[256] = 5000;
        list()[257] = 5001;
    }
}

Test(memory, exchange_a_run_for_single_ones)
{
    struct xen_memory_exchange x = exchange(1, 0, 1, 0);

    list()[0] = 77;
    cr_assert_eq(reserve(XENMEM_populate_physmap, reservation(1, 2)), 1);
    x = (struct xen_memory_exchange){.in = reservation(1, 2), .out = x.out};
    x.out.nr_extents = 4;
    cr_assert_eq(op(XENMEM_exchange, &x, sizeof(x)), 0);
    cr_assert_eq(exchanged(), 1);
    for (unsigned i = 0; i < 4; i++)
        cr_assert_eq(frame_m2p[list()[256 + i]], 5000 + i);
}

Test(memory, exchange_refusals)
{
    struct xen_memory_exchange x = exchange(4, 0, 1, 2);

    list()[3] = g->p2m[5]; /* mapped */
    cr_assert_refused(op(XENMEM_exchange, &x, sizeof(x)), RULE_EXCHANGE_IN_USE, XEN_EINVAL);
    cr_assert_eq(last()->refs, 2);
    list()[3] = list()[0]; /* twice */
    cr_assert_refused(op(XENMEM_exchange, &x, sizeof(x)), RULE_EXCHANGE_IN_USE, XEN_EINVAL);
    list()[3] = other->p2m[5];
    cr_assert_refused(op(XENMEM_exchange, &x, sizeof(x)), RULE_MEMORY_FRAME, XEN_EINVAL);
    list()[3] = frame_count;
    cr_assert_refused(op(XENMEM_exchange, &x, sizeof(x)), RULE_MEMORY_FRAME, XEN_EINVAL);
    cr_assert_eq(frame_audit(), 0); /* nothing is lost */
    x.out.nr_extents = 2;
    cr_assert_refused(op(XENMEM_exchange, &x, sizeof(x)), RULE_EXCHANGE_SIZES, XEN_EINVAL);
    x.out.nr_extents = 1;
    x.out.extent_order = 10;
    cr_assert_refused(op(XENMEM_exchange, &x, sizeof(x)), RULE_EXTENT_ORDER, XEN_EPERM);
    x = exchange(1, 0, 1, 0);
    x.nr_exchanged = 2;
    cr_assert_refused(op(XENMEM_exchange, &x, sizeof(x)), RULE_EXCHANGE_SIZES, XEN_EINVAL);
    x.nr_exchanged = 1;
    cr_assert_eq(op(XENMEM_exchange, &x, sizeof(x)), 0);
    x.nr_exchanged = 0;
    x.in.domid = x.out.domid = 2;
    cr_assert_refused(op(XENMEM_exchange, &x, sizeof(x)), RULE_DOMAIN_FOREIGN, XEN_EPERM);
    x.in.domid = 1;
    cr_assert_refused(op(XENMEM_exchange, &x, sizeof(x)), RULE_EXCHANGE_SIZES, XEN_EINVAL);
    x.in.domid = x.out.domid = XEN_DOMID_SELF;
    x.in.nr_extents = ~0ull;
    x.in.extent_order = 3;
    cr_assert_refused(op(XENMEM_exchange, &x, sizeof(x)), RULE_EXCHANGE_SIZES, XEN_EINVAL);
    cr_assert_refused(hosted_call(v, XEN_HYPERVISOR_memory_op, XENMEM_exchange, HV_VA, 0, 0),
                      RULE_GUEST_POINTER, XEN_EFAULT);
}

Test(memory, exchange_with_bad_lists)
{
    struct xen_memory_exchange x = exchange(2, 0, 2, 0);

    x.in.extent_start.va = 8;
    cr_assert_refused(op(XENMEM_exchange, &x, sizeof(x)), RULE_GUEST_POINTER, XEN_EFAULT);
    x = exchange(2, 0, 2, 0);
    x.out.extent_start.va = 8; /* the frames are exchanged, but who knows */
    cr_assert_refused(op(XENMEM_exchange, &x, sizeof(x)), RULE_GUEST_POINTER, XEN_EFAULT);
    make_readonly(ARGS);
    x = exchange(2, 0, 2, 0);
    list()[0] = g->p2m[24];
    list()[1] = g->p2m[25];
    memcpy(args(), &x, sizeof(x));
    hosted.interrupt_every = 1;
    cr_assert_eq(hosted_call(v, XEN_HYPERVISOR_memory_op, XENMEM_exchange, hosted_va(ARGS), 0, 0),
                 -XEN_EFAULT);
    hosted.interrupt_every = 0;
    list()[0] = g->p2m[26];
    list()[1] = g->p2m[27];
    cr_assert_eq(hosted_call(v, XEN_HYPERVISOR_memory_op, XENMEM_exchange, hosted_va(ARGS), 0, 0),
                 -XEN_EFAULT);
}

/* -- questions ------------------------------------------------------------------------------ */

Test(memory, statistics)
{
    struct xen_memory_domain self = {XEN_DOMID_SELF}, two = {2};

    cr_assert_eq(op(XENMEM_maximum_ram_page, &self, sizeof(self)), (long)frame_count);
    cr_assert_eq(op(XENMEM_current_reservation, &self, sizeof(self)), PAGES);
    cr_assert_eq(op(XENMEM_maximum_reservation, &self, sizeof(self)), (long)g->d->max_pages);
    cr_assert_eq(op(XENMEM_maximum_gpfn, &self, sizeof(self)), 0);
    g->d->shared->arch.max_pfn = PAGES;
    cr_assert_eq(op(XENMEM_maximum_gpfn, &self, sizeof(self)), PAGES - 1);
    cr_assert_refused(op(XENMEM_current_reservation, &two, sizeof(two)), RULE_DOMAIN_FOREIGN,
                      XEN_EPERM);
    cr_assert_refused(hosted_call(v, XEN_HYPERVISOR_memory_op, XENMEM_current_reservation, 0, 0, 0),
                      RULE_GUEST_POINTER, XEN_EFAULT);
}

Test(memory, maps)
{
    struct xen_memory_map get = {3, {hosted_va(LIST)}};
    struct xen_foreign_memory_map set = {XEN_DOMID_SELF, {2, {hosted_va(LIST)}}};
    struct pv_e820_entry *e = (void *)list();

    cr_assert_eq(op(XENMEM_memory_map, &get, sizeof(get)), 0);
    cr_assert_eq(((struct xen_memory_map *)args())->nr_entries, 1);
    cr_assert(e[0].addr == 0 && e[0].size == PAGES << 12 && e[0].type == PV_E820_RAM);
    e[0].size = 0x9000;
    e[1] = (struct pv_e820_entry){0x9000, 0x1000, PV_E820_RESERVED};
    cr_assert_eq(op(XENMEM_set_memory_map, &set, sizeof(set)), 0);
    cr_assert_eq(op(XENMEM_set_memory_map, &set, sizeof(set)), 0);
    memset(e, 0, 40);
    cr_assert_eq(op(XENMEM_memory_map, &get, sizeof(get)), 0);
    cr_assert(e[0].size == 0x9000 && e[1].type == PV_E820_RESERVED);
    get.nr_entries = 1;
    cr_assert_eq(op(XENMEM_memory_map, &get, sizeof(get)), 0);
    get.buffer.va = 8;
    cr_assert_refused(op(XENMEM_memory_map, &get, sizeof(get)), RULE_GUEST_POINTER, XEN_EFAULT);
    set.map.buffer.va = 8;
    cr_assert_refused(op(XENMEM_set_memory_map, &set, sizeof(set)), RULE_GUEST_POINTER, XEN_EFAULT);
    set.map.nr_entries = 129;
    cr_assert_refused(op(XENMEM_set_memory_map, &set, sizeof(set)), RULE_MEMORY_MAP, XEN_EINVAL);
    set = (struct xen_foreign_memory_map){2, {0, {0}}};
    cr_assert_refused(op(XENMEM_set_memory_map, &set, sizeof(set)), RULE_DOMAIN_FOREIGN, XEN_EPERM);
    cr_assert_refused(hosted_call(v, XEN_HYPERVISOR_memory_op, XENMEM_memory_map, HV_VA, 0, 0),
                      RULE_GUEST_POINTER, XEN_EFAULT);
    cr_assert_refused(hosted_call(v, XEN_HYPERVISOR_memory_op, XENMEM_set_memory_map, HV_VA, 0, 0),
                      RULE_GUEST_POINTER, XEN_EFAULT);
    get = (struct xen_memory_map){1, {hosted_va(LIST)}};
    memcpy(args(), &get, sizeof(get));
    make_readonly(ARGS);
    memcpy(args(), &get, sizeof(get));
    cr_assert_refused(
        hosted_call(v, XEN_HYPERVISOR_memory_op, XENMEM_memory_map, hosted_va(ARGS), 0, 0),
        RULE_GUEST_POINTER, XEN_EFAULT);
}

Test(memory, the_m2p)
{
    struct xen_machphys_mfn_list l = {4, {hosted_va(LIST)}, 0};
    struct xen_machphys_mapping m;

    cr_assert_eq(op(XENMEM_machphys_mfn_list, &l, sizeof(l)), 0);
    cr_assert_eq(((struct xen_machphys_mfn_list *)args())->nr_extents, 1);
    cr_assert_eq(list()[0], plat_maddr(frame_m2p) >> 12);
    l.extent_start.va = 8;
    cr_assert_refused(op(XENMEM_machphys_mfn_list, &l, sizeof(l)), RULE_GUEST_POINTER, XEN_EFAULT);
    cr_assert_eq(op(XENMEM_machphys_mapping, &m, 0), 0);
    memcpy(&m, args(), sizeof(m));
    cr_assert_eq(m.v_start, XEN_MACH2PHYS_VIRT_START);
    cr_assert_eq(m.max_mfn, XEN_MACH2PHYS_NR_ENTRIES - 1);
    cr_assert_refused(
        hosted_call(v, XEN_HYPERVISOR_memory_op, XENMEM_machphys_mfn_list, HV_VA, 0, 0),
        RULE_GUEST_POINTER, XEN_EFAULT);
    cr_assert_refused(
        hosted_call(v, XEN_HYPERVISOR_memory_op, XENMEM_machphys_mapping, HV_VA, 0, 0),
        RULE_GUEST_POINTER, XEN_EFAULT);
    l.extent_start.va = hosted_va(LIST);
    make_readonly(ARGS);
    memcpy(args(), &l, sizeof(l));
    cr_assert_refused(
        hosted_call(v, XEN_HYPERVISOR_memory_op, XENMEM_machphys_mfn_list, hosted_va(ARGS), 0, 0),
        RULE_GUEST_POINTER, XEN_EFAULT);
}

Test(memory, what_there_is_not)
{
    struct {
        unsigned cmd;
        enum rule rule;
        int err;
    } no[] = {
        {XENMEM_machphys_compat_mfn_list, RULE_MEMORY_NOT_HERE, XEN_EOPNOTSUPP},
        {XENMEM_get_vnumainfo, RULE_MEMORY_NOT_HERE, XEN_EOPNOTSUPP},
        {XENMEM_add_to_physmap, RULE_MEMORY_TRANSLATED, XEN_EACCES},
        {XENMEM_add_to_physmap | 1 << 6, RULE_MEMORY_TRANSLATED, XEN_EACCES},
        {XENMEM_add_to_physmap_batch, RULE_MEMORY_TRANSLATED, XEN_EACCES},
        {XENMEM_remove_from_physmap, RULE_MEMORY_TRANSLATED, XEN_EACCES},
        {XENMEM_machine_memory_map, RULE_MEMORY_PRIVILEGED, XEN_EPERM},
        {24, RULE_MEMORY_PRIVILEGED, XEN_EPERM},
        {XENMEM_set_pod_target, RULE_MEMORY_PRIVILEGED, XEN_EPERM},
        {XENMEM_get_pod_target, RULE_MEMORY_PRIVILEGED, XEN_EPERM},
        {XENMEM_acquire_resource, RULE_MEMORY_PRIVILEGED, XEN_EPERM},
        {XENMEM_maximum_ram_page | 1 << 6, RULE_MEMORY_START, XEN_EINVAL},
        {60, RULE_HYPERCALL_SUBOP, XEN_ENOSYS},
    };

    for (unsigned i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        cr_assert_refused(op(no[i].cmd, no, 8), no[i].rule, no[i].err);
}

/* -- the end ------------------------------------------------------------------------------------
 */

Test(memory, a_domain_leaves_nothing)
{
    struct domain *d = other->d;
    unsigned calls = 0;

    hosted.interrupt_every = 1;
    root_drop(d, other->v->root[1]);
    other->v->root[1] = mfn(0);
    while (!domain_memory_release(d))
        cr_assert_lt(++calls, 100);
    hosted.interrupt_every = 0;
    cr_assert_gt(calls, 0);
    cr_assert_eq(d->pages, 0);
}
