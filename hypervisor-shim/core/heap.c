/* SPDX-License-Identifier: MIT
 *
 * heap.c - see heap.h. One free list for each size from 32 bytes to half a page.
 *
 * Invariants: a block on list k has 32 << k bytes and lies in one page; the `stamp` of that page's
 * frame counts its blocks that are in use. A page without such is given back, so that whatever came
 * and went leaves as much free memory as there was.
 */
#include "heap.h"
#include "domain.h"
#include "platform.h"

enum { SMALLEST = 5, CLASSES = PV_PAGE_SHIFT - SMALLEST };
_Static_assert(CLASSES <= sizeof(hv.heap) / sizeof(hv.heap[0]), "a list for each size");

struct block {
    struct block *next, *prev; /* prev NULL: the first of its list */
};

/* Blocks in use of the page that p is in. */
static uint32_t *used(const void *p)
{
    return &frame_table[(uint64_t)((const uint8_t *)p - plat_ram) >> PV_PAGE_SHIFT].stamp;
}

static void push(unsigned k, struct block *b)
{
    b->prev = NULL;
    b->next = hv.heap[k];
    if (b->next)
        b->next->prev = b;
    hv.heap[k] = b;
}

static void unlink_block(unsigned k, struct block *b)
{
    if (b->prev)
        b->prev->next = b->next;
    else
        hv.heap[k] = b->next;
    if (b->next)
        b->next->prev = b->prev;
}

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

    for (size_t at = 0; page && at < PV_PAGE_SIZE; at += size)
        push(k, (struct block *)(page + at));
    if (page)
        *used(page) = 0;
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
    unlink_block(k, b);
    ++*used(b);
    __builtin_memset(b, 0, (size_t)1 << (SMALLEST + k));
    return b;
}

static void page_free(unsigned k, char *page)
{
    for (size_t at = 0; at < PV_PAGE_SIZE; at += (size_t)1 << (SMALLEST + k))
        unlink_block(k, (struct block *)(page + at));
    frame_hv_free(page, 0);
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
    push(k, b);
    if (--*used(p) == 0)
        page_free(k, (char *)((uintptr_t)p & ~(uintptr_t)PV_PAGE_MASK));
}
