/* SPDX-License-Identifier: MIT
 *
 * frame.c - the frames of the machine: a buddy allocator over the frame table.
 *
 * A free block of 2^order frames is named by its first frame, which is on the
 * list of its order; the frames inside are marked FRAME_INSIDE. Single frames that come
 * back wait on a short list, marked so as well, for the next who asks for one: merging them at
 * once would mean splitting again at once. A free frame
 * remembers in `owner`, `type` and `stamp` the life that it had, so that the
 * next one can decide about scrubbing and flushing:
 *
 *      same domain again      neither: it is its own data, and the type's rules
 *                             still see the old type and stamp
 *      another owner          scrub, and flush if a translation may be cached
 *      never had an owner     neither
 *
 * A domain that has ended is nobody's memory: what it frees, and has freed, is remembered as the
 * hypervisor's, because the next domain with its number is another one.
 *
 * This file knows no page tables: a frame is released only when nothing refers
 * to it. It must never touch a frame that has an owner, except to count.
 */
#include "frame.h"
#include "domain.h"
#include "platform.h"

struct frame *frame_table;
uint64_t frame_count;
uint64_t *frame_m2p;
uint32_t frame_flush_clock = 1;

enum { HOT_MAX = 128 };

static uint32_t free_head[FRAME_MAX_ORDER + 1]; /* 0: empty; frame 0 is never free */
static uint64_t free_frames;                    /* on all lists, and hot */
static uint32_t hot_head, hot_count;            /* single frames, not merged */

void frame_flush(void)
{
    plat_tlb_flush();
    frame_flushed();
}

void frame_init(struct frame *table, uint64_t count, uint64_t *m2p)
{
    frame_table = table;
    frame_count = count;
    frame_m2p = m2p;
    frame_flush_clock = 1;
    free_frames = hot_head = hot_count = 0;
    for (unsigned i = 0; i <= FRAME_MAX_ORDER; i++)
        free_head[i] = 0;
    for (uint64_t i = 0; i < count; i++) {
        table[i] = (struct frame){.refs = 1, .owner = XEN_DOMID_XEN};
        m2p[i] = M2P_INVALID;
    }
}

static void list_push(uint32_t i, unsigned order)
{
    struct frame *f = &frame_table[i];
    uint32_t head = free_head[order];

    f->flags = FRAME_FREE | order;
    f->next = head;
    f->prev = 0;
    if (head)
        frame_table[head].prev = i;
    free_head[order] = i;
}

static void list_remove(uint32_t i, unsigned order)
{
    struct frame *f = &frame_table[i];

    if (f->prev)
        frame_table[f->prev].next = f->next;
    else
        free_head[order] = f->next;
    if (f->next)
        frame_table[f->next].prev = f->prev;
    f->flags = FRAME_FREE | FRAME_INSIDE;
}

/* A block becomes free, and one with its free buddies. */
static void block_free(uint32_t i, unsigned order)
{
    frame_table[i].flags = FRAME_FREE | FRAME_INSIDE;
    while (order < FRAME_MAX_ORDER) {
        uint32_t buddy = i ^ (1u << order);

        if (buddy >= frame_count || frame_table[buddy].flags != (FRAME_FREE | order))
            break;
        list_remove(buddy, order);
        i &= ~(1u << order);
        order++;
    }
    list_push(i, order);
}

/* Single frames, all but `keep` of them, take their places in blocks. */
static void hot_merge(uint32_t keep)
{
    while (hot_count > keep) {
        uint32_t i = hot_head;

        hot_head = frame_table[i].next;
        hot_count--;
        block_free(i, 0);
    }
}

static inline void hot_push(uint32_t i)
{
    struct frame *f = &frame_table[i];

    f->flags = FRAME_FREE | FRAME_INSIDE;
    f->next = hot_head;
    hot_head = i;
    free_frames++;
    if (unlikely(++hot_count > HOT_MAX))
        hot_merge(HOT_MAX / 2);
}

/* 0: there is none. */
static __attribute__((noinline)) uint32_t block_split(unsigned order)
{
    unsigned from = order;
    uint32_t i;

    if (order)
        hot_merge(0);
    while (from <= FRAME_MAX_ORDER && free_head[from] == 0)
        from++;
    if (unlikely(from > FRAME_MAX_ORDER))
        return 0;
    i = free_head[from];
    list_remove(i, from);
    while (from > order) {
        from--;
        list_push(i + (1u << from), from);
    }
    free_frames -= 1ull << order;
    return i;
}

static inline uint32_t block_alloc(unsigned order)
{
    uint32_t i = hot_head;

    if (order || unlikely(i == 0))
        return block_split(order);
    hot_head = frame_table[i].next;
    hot_count--;
    free_frames--;
    return i;
}

void frame_add_memory(mfn_t start, mfn_t end)
{
    uint64_t i = start.n ? start.n : 1;

    for (uint64_t j = i; j < end.n; j++)
        frame_table[j] =
            (struct frame){.owner = DOMID_FREE | DOMID_NONE, .flags = FRAME_FREE | FRAME_INSIDE};
    while (i < end.n) {
        unsigned order = 0;

        while (order < FRAME_MAX_ORDER && !(i & (1u << order)) && i + (2ull << order) <= end.n)
            order++;
        block_free((uint32_t)i, order);
        free_frames += 1ull << order;
        i += 1ull << order;
    }
}

void frame_add_io(mfn_t start, mfn_t end)
{
    for (uint64_t i = start.n; i < end.n; i++)
        frame_table[i] = (struct frame){.refs = 1, .owner = XEN_DOMID_IO};
}

static void scrub(struct frame *f)
{
    __builtin_memset(plat_map(frame_mfn(f)), 0, PV_PAGE_SIZE);
}

/* A free frame gets an owner. What the last one left must not reach another. True: a translation
 * of its former life may be cached. */
static inline bool frame_assign(struct frame *f, uint16_t owner, uint8_t flags)
{
    uint16_t last = f->owner & ~DOMID_FREE;
    bool stale = false;

    if (unlikely(last != owner)) {
        if (last != DOMID_NONE)
            scrub(f);
        stale = f->stamp == frame_flush_clock;
        f->type = FRAME_NONE;
        f->owner = owner;
    } else {
        f->owner = owner;
    }
    f->refs = 1;
    f->type_refs = 0;
    f->flags = flags;
    return stale;
}

bool frame_domain_alloc(struct domain *d, unsigned order, mfn_t *first)
{
    bool stale = false;
    uint32_t i;

    if (unlikely(order > FRAME_MAX_ORDER || d->pages + (1ull << order) > d->max_pages))
        return false;
    i = block_alloc(order);
    if (unlikely(i == 0))
        return false;
    for (uint32_t j = i; j < i + (1u << order); j++)
        stale |= frame_assign(&frame_table[j], d->id, FRAME_ALLOCATED);
    if (unlikely(stale))
        frame_flush();
    d->pages += 1ull << order;
    *first = mfn(i);
    return true;
}

bool frame_domain_free(struct domain *d, mfn_t m)
{
    struct frame *f = frame_of(m);

    HV_ASSERT(f->owner == d->id);
    if (unlikely(!(f->flags & FRAME_ALLOCATED)))
        return false;
    f->flags &= ~FRAME_ALLOCATED;
    frame_put(f);
    return true;
}

bool frame_become_writable(struct frame *f)
{
    if (f->type_refs)
        return false;
    frame_retype(f, FRAME_WRITABLE);
    return true;
}

/* Nothing refers to the frame any more. */
void frame_release(struct frame *f)
{
    uint32_t i = (uint32_t)(f - frame_table);
    struct domain *d = domain_by_id(f->owner);

    HV_ASSERT(f->type_refs == 0 && !(f->flags & (FRAME_PINNED | FRAME_PARTIAL | FRAME_FREE)));
    if (unlikely(f->flags & FRAME_HV))
        f->owner = DOMID_FREE | XEN_DOMID_XEN;
    else {
        if (likely(d) && unlikely(--d->pages == 0))
            __atomic_fetch_or(&hv.cpu[0].work, CPU_WORK_EXIT, __ATOMIC_RELAXED); /* it may be waited for */
        f->owner = DOMID_FREE | (likely(d && d->state < DOMAIN_SHUTDOWN) ? d->id : XEN_DOMID_XEN);
    }
    frame_m2p[i] = M2P_INVALID;
    f->stamp = frame_flush_clock;
    hot_push(i);
}

void *frame_hv_take(unsigned order)
{
    uint32_t i = order > FRAME_MAX_ORDER ? 0 : block_alloc(order);
    bool stale = false;
    void *page;

    if (i == 0)
        return 0;
    page = plat_map(mfn(i));
    for (uint32_t j = i; j < i + (1u << order); j++) {
        stale |= frame_table[j].stamp == frame_flush_clock;
        frame_table[j] = (struct frame){.refs = 1, .owner = XEN_DOMID_XEN, .flags = FRAME_HV};
    }
    if (stale)
        frame_flush();
    return page;
}

void *frame_hv_alloc(unsigned order)
{
    void *page = frame_hv_take(order);

    if (page)
        __builtin_memset(page, 0, (size_t)PV_PAGE_SIZE << order);
    return page;
}

static struct frame *frame_of_page(const void *page)
{
    return &frame_table[(uint64_t)((const uint8_t *)page - plat_ram) >> PV_PAGE_SHIFT];
}

void frame_hv_free(void *page, unsigned order)
{
    struct frame *f = frame_of_page(page);

    for (unsigned i = 0; i < 1u << order; i++, f++) {
        HV_ASSERT(f->flags & FRAME_HV);
        if (f->owner != XEN_DOMID_XEN) { /* it was shared: the share's own type reference ends */
            frame_put_writable(f);
            if (f->refs > 1) { /* it is mapped: from now on it counts as a page of the domain's */
                f->flags &= ~FRAME_HV;
                hv.domain[f->owner]->pages++;
            }
        }
        frame_put(f);
    }
}

void frame_share(void *page, struct domain *d, bool writable)
{
    struct frame *f = frame_of_page(page);

    HV_ASSERT((f->flags & FRAME_HV) && f->owner == XEN_DOMID_XEN && f->refs == 1);
    f->owner = d->id;
    f->type = writable ? FRAME_WRITABLE : FRAME_NONE;
    f->type_refs = 1;
}

bool frame_exchange(struct domain *d, mfn_t theirs, mfn_t ours)
{
    struct frame *out = frame_of(theirs), *in = frame_of(ours);

    if (out->owner != d->id || out->refs != 1 || out->flags != FRAME_ALLOCATED)
        return false;
    HV_ASSERT(in->flags == FRAME_HV && in->owner == XEN_DOMID_XEN && in->refs == 1);
    *in = (struct frame){.refs = 1, .owner = d->id, .flags = FRAME_ALLOCATED};
    *out = (struct frame){
        .refs = 1, .owner = XEN_DOMID_XEN, .flags = FRAME_HV, .stamp = frame_flush_clock};
    frame_m2p[ours.n] = frame_m2p[theirs.n];
    frame_m2p[theirs.n] = M2P_INVALID;
    return true;
}

void frame_forget_owner(struct frame *f, uint16_t owner)
{
    if (f->owner == (DOMID_FREE | owner))
        f->owner = DOMID_FREE | XEN_DOMID_XEN;
}

uint64_t frame_free_count(void)
{
    return free_frames;
}
