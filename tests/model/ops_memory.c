/* SPDX-License-Identifier: MIT
 *
 * ops_memory.c - operations on reservations.
 */
#include "ops.h"
#include <pv/abi/errno.h>
#include <pv/abi/memory.h>
#include <stdio.h>
#include <stdlib.h>

static struct xen_memory_reservation reservation(void *list, uint64_t n, unsigned order)
{
    return (struct xen_memory_reservation){.extent_start = pv_gptr(list),
                                           .nr_extents = n,
                                           .extent_order = order,
                                           .domid = XEN_DOMID_SELF};
}

static void took(struct mdomain *d, const uint64_t *list, long n, unsigned order)
{
    for (long i = 0; i < n; i++)
        for (uint64_t j = 0; j < 1ull << order; j++)
            model_alloc(d, list[i] + j);
}

void op_populate(struct mdomain *d, unsigned kind)
{
    uint64_t list[48], n = 1 + random_below(chance(5) ? 48 : 4);
    unsigned order = chance(80) ? 0 : (unsigned)random_below(3);
    bool increase = chance(30);
    uint64_t room = d->max_pages - d->pages, free = frame_free_count();
    struct xen_memory_reservation r;
    long rc, want;

    for (uint64_t i = 0; i < 48; i++)
        list[i] = random_below(1000);
    if (chance(10)) {
        static const struct {
            unsigned order, flags;
            uint64_t n;
        } bad[] = {{10, 0, 1},
                   {0, XENMEMF_exact_node_request, 1},
                   {0, XENMEMF_populate_on_demand, 1},
                   {0, 14, 1},
                   {0, 0, 1ull << 27}};
        unsigned i = (unsigned)random_below(5);

        r = reservation(list, bad[i].n, bad[i].order);
        r.mem_flags = bad[i].flags;
        agree(kind, "populate wrongly", CALL(d, memory_op, XENMEM_populate_physmap, &r, 0, 0), 0);
        return;
    }
    r = reservation(list, n, order);
    want = (long)(n < room ? n : room);
    want = (long)((uint64_t)want < free ? (uint64_t)want : free);
    rc = CALL(d, memory_op, increase ? XENMEM_increase_reservation : XENMEM_populate_physmap, &r, 0,
              0);
    if (order) /* a matter of what is free in a row */
        want = rc;
    took(d, list, rc < 0 || rc > 48 ? 0 : rc, order);
    agree(kind, "populate", rc, want);
}

void op_decrease(struct mdomain *d, unsigned kind)
{
    uint64_t list[4], n = 1 + random_below(4);
    unsigned order = chance(90) ? 0 : 1;
    struct xen_memory_reservation r = reservation(list, n, order);
    long rc, want = 0;

    for (uint64_t i = 0; i < n; i++)
        list[i] = chance(70) ? pick_unused(d) : pick_any(d);
    if (d->pages < GUEST_PAGES / 2)
        return;
    for (uint64_t i = 0; i < n; i++) /* a shared page stays */
        if (list[i] < FRAMES && mframe[list[i]].shared)
            return;
    rc = CALL(d, memory_op, XENMEM_decrease_reservation, &r, 0, 0);
    for (uint64_t i = 0; i < n; i++) {
        bool good = true;

        for (uint64_t j = 0; good && j < 1ull << order; j++)
            good = model_free(d, list[i] + j);
        if (!good)
            break;
        want++;
    }
    agree(kind, "decrease", rc, want);
}

void op_exchange(struct mdomain *d, unsigned kind)
{
    unsigned k = (unsigned)random_below(3), n = 1u << k;
    bool up = chance(50);
    uint64_t in[4], out[4] = {1, 2, 3, 4};
    struct xen_memory_exchange x = {
        .in = reservation(in, n, 0),
        .out = reservation(out, up ? 1 : n, up ? k : 0),
    };
    bool good = true;
    long rc;

    if (chance(10)) {
        static const struct {
            uint64_t n;
            unsigned order;
        } bad[] = {{3, 0}, {1, 12}};

        x.out.nr_extents = bad[random_below(2)].n;
        x.out.extent_order = x.out.nr_extents == 1 ? 12 : 0;
        if (n == 3)
            return;
        agree(kind, "exchange wrongly", CALL(d, memory_op, XENMEM_exchange, &x, 0, 0),
              x.out.extent_order ? -XEN_EPERM : -XEN_EINVAL);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        in[i] = chance(95) ? pick_unused(d) : pick_any(d);
    rc = CALL(d, memory_op, XENMEM_exchange, &x, 0, 0);
    if (up)
        for (unsigned i = 0; i < n; i++) {
            good = good && model_stealable(d, in[i]);
            for (unsigned j = 0; j < i; j++)
                good = good && in[i] != in[j];
        }
    else /* chunk by chunk: what comes before a bad one is exchanged */
        for (unsigned i = 0; i < n && good; i++) {
            good = model_stealable(d, in[i]);
            if (good && (x.nr_exchanged > i)) {
                model_free(d, in[i]);
                took(d, &out[i], 1, 0);
            } else if (good) {
                break;
            }
        }
    if (rc == -XEN_ENOMEM && good)
        return;
    if (rc == 0 && up) {
        for (unsigned i = 0; i < n; i++)
            model_free(d, in[i]);
        took(d, out, 1, k);
    }
    agree(kind, "exchange", rc, good ? 0 : -XEN_EINVAL);
}
