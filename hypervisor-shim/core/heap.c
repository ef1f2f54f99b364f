/* SPDX-License-Identifier: MIT
 *
 * heap.c - see heap.h. One free list for each size from 32 bytes to half a page.
 *
 * Invariant: a block on list k has 32 << k bytes and lies in one page.
 */
#include "heap.h"
#include "domain.h"

enum { SMALLEST = 5, CLASSES = PV_PAGE_SHIFT - SMALLEST };
_Static_assert(CLASSES <= sizeof(hv.heap) / sizeof(hv.heap[0]), "a list for each size");

struct block {
    struct block *next;
};

static unsigned class_of(size_t n)
{
    unsigned k = 0;

    while ((size_t)1 << (SMALLEST + k) < n)
        k++;
    return k;
}

static unsigned order_of(size_t n)
{
    unsigned order = 0;

    while (((size_t)PV_PAGE_SIZE << order) < n)
        order++;
    return order;
}

static void refill(unsigned k)
{
    size_t size = (size_t)1 << (SMALLEST + k);
    char *page = frame_hv_alloc(0);

    for (size_t at = 0; page && at < PV_PAGE_SIZE; at += size) {
        struct block *b = (struct block *)(page + at);

        b->next = hv.heap[k];
        hv.heap[k] = b;
    }
}

void *heap_alloc(size_t n)
{
    unsigned k = class_of(n);
    struct block *b;

    if (n > HEAP_MAX)
        return NULL;
    if (k >= CLASSES)
        return frame_hv_alloc(order_of(n));
    if (!hv.heap[k])
        refill(k);
    b = hv.heap[k];
    if (!b)
        return NULL;
    hv.heap[k] = b->next;
    __builtin_memset(b, 0, (size_t)1 << (SMALLEST + k));
    return b;
}

void heap_free(void *p, size_t n)
{
    unsigned k = class_of(n);
    struct block *b = p;

    if (!p)
        return;
    if (k >= CLASSES) {
        frame_hv_free(p, order_of(n));
        return;
    }
    b->next = hv.heap[k];
    hv.heap[k] = b;
}
