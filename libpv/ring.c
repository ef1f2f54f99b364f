/* SPDX-License-Identifier: MIT */
/*
 * ring.c - indices, events and mistrust of shared rings; the types are ring.h's.
 *
 * Invariants of an end, modulo 2^32:   published <= produced,   produced - base <= size
 * where base is what this end has consumed (front) or 0 responses beyond consumed requests (back):
 *
 *     front:  produced - consumed <= size        no slot is overwritten before its response is read
 *     back:   produced <= consumed               no response without a request
 */
#include <pv/ring.h>

void pv_ring_copy(void *to, const void *from, size_t n)
{
    __builtin_memcpy(to, from, n);
    /* The copy is what everyone looks at from here on. */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void pv_ring_init(struct pv_ring_shared *s)
{
    __builtin_memset(s, 0, sizeof(*s));
    s->req_event = s->rsp_event = 1; /* the first of each wakes its consumer */
}

void pv_ring_end_init(struct pv_ring_end *e, struct pv_ring_shared *shared, bool is_front,
                      size_t bytes, size_t slot_bytes)
{
    size_t slots = bytes > sizeof(*shared) ? (bytes - sizeof(*shared)) / slot_bytes : 0;
    uint32_t size = slots > 0;

    while (size && 2 * (size_t)size <= slots)
        size *= 2;
    e->shared = shared;
    e->size = size;
    e->is_front = is_front;
    e->broken = false;
    /* An end that comes to a ring in use goes on where its own side stopped. */
    e->consumed = __atomic_load_n(&shared->rsp_prod, __ATOMIC_ACQUIRE);
    e->produced = is_front ? shared->req_prod : e->consumed;
    e->published = e->produced;
}

/* Where the other end says it is. */
static uint32_t theirs(const struct pv_ring_end *e)
{
    const uint32_t *p = e->is_front ? &e->shared->rsp_prod : &e->shared->req_prod;

    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/*
 * Could it be there? A back can't have answered more than was asked; a front can't have asked more
 * than the ring holds, counted from the answers that it has been given.
 */
static bool possible(const struct pv_ring_end *e, uint32_t prod)
{
    if (e->is_front)
        return prod - e->consumed <= e->published - e->consumed;
    return prod - e->consumed <= e->size && prod - e->published <= e->size;
}

unsigned pv_ring_room(const struct pv_ring_end *e)
{
    return e->is_front ? e->size - (e->produced - e->consumed) : e->consumed - e->produced;
}

int64_t pv_ring_produce(const struct pv_ring_end *e)
{
    if (e->broken)
        return -XEN_EIO;
    if (!pv_ring_room(e))
        return -XEN_ENOSPC;
    return e->produced & (e->size - 1);
}

unsigned pv_ring_producible(const struct pv_ring_end *e, unsigned n)
{
    unsigned room = e->broken ? 0 : pv_ring_room(e);

    return n < room ? n : room;
}

int pv_ring_consumable(struct pv_ring_end *e, unsigned n)
{
    uint32_t prod = theirs(e);

    if (!e->broken && !possible(e, prod))
        e->broken = true;
    if (e->broken)
        return -XEN_EIO;
    return (int)(n < prod - e->consumed ? n : prod - e->consumed);
}

int64_t pv_ring_consume(struct pv_ring_end *e)
{
    uint32_t prod = theirs(e);

    if (!e->broken && !possible(e, prod))
        e->broken = true;
    if (e->broken)
        return -XEN_EIO;
    if (prod == e->consumed)
        return -XEN_EAGAIN;
    return e->consumed & (e->size - 1);
}

bool pv_ring_publish(struct pv_ring_end *e)
{
    uint32_t *prod = e->is_front ? &e->shared->req_prod : &e->shared->rsp_prod;
    const uint32_t *event = e->is_front ? &e->shared->req_event : &e->shared->rsp_event;
    uint32_t old = e->published, now = e->produced;

    e->published = now;
    /* The other end sees the slots before the index that covers them ... */
    __atomic_store_n(prod, now, __ATOMIC_RELEASE);
    /* ... and we see the event index that it wrote before it last looked at ours. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return now - __atomic_load_n(event, __ATOMIC_RELAXED) < now - old;
}

bool pv_ring_sleep_for(struct pv_ring_end *e, uint32_t more)
{
    uint32_t *event = e->is_front ? &e->shared->rsp_event : &e->shared->req_event;

    if (e->broken || theirs(e) != e->consumed)
        return false;
    __atomic_store_n(event, e->consumed + more, __ATOMIC_RELAXED);
    /* The other end sees our wish, or we see what it published before. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return theirs(e) == e->consumed;
}

/* Ids --------------------------------------------------------------------------------------- */

void pv_ring_ids_init(struct pv_ring_ids *ids, unsigned n)
{
    __builtin_memset(ids, 0, sizeof(*ids));
    ids->n = n < PV_RING_IDS ? n : PV_RING_IDS;
}

int pv_ring_ids_take(struct pv_ring_ids *ids, void *cookie)
{
    for (unsigned id = 0; id < ids->n; id++) {
        uint64_t bit = (uint64_t)1 << id % 64;

        if (ids->busy[id / 64] & bit)
            continue;
        ids->busy[id / 64] |= bit;
        ids->cookie[id] = cookie;
        return (int)id;
    }
    return -XEN_ENOSPC;
}

bool pv_ring_ids_end(struct pv_ring_ids *ids, uint64_t id, void **cookie)
{
    if (id >= ids->n || !(ids->busy[id / 64] >> id % 64 & 1))
        return false;
    ids->busy[id / 64] &= ~((uint64_t)1 << id % 64);
    *cookie = ids->cookie[id];
    return true;
}
