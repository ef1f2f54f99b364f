/* SPDX-License-Identifier: MIT */
/*
 * ring.h - producer/consumer rings of typed requests and responses in one shared page.
 *
 *               front                 shared page                  back
 *          req_prod_pvt ==publish==> req_prod  ------------->  (read once) req_cons
 *          (read once) rsp_cons <--- rsp_prod  <==publish==  rsp_prod_pvt
 *                 sets ------------> rsp_event, req_event <----------- sets
 *
 * Indices count up for ever and wrap at 2^32; a slot is an index modulo the ring's size, a power of
 * two. A response takes the slot of a request that was consumed, so requests in flight never exceed
 * the size, and responses need no flow control.
 *
 * Notification: each consumer writes into *_event the index whose appearance should wake it. Who
 * publishes past that index sends an event; who publishes without crossing it does not. A consumer
 * that finds nothing more calls ..._sleep(), which asks for the next event and looks once again.
 *
 * The other end is not trusted. Its indices are read once per call and believed only if they could
 * be right; what it put into a slot is copied out once, before it is looked at. Otherwise the ring
 * is broken: -XEN_EIO now and ever after. What is in a request or response, and whether its id is
 * in flight, is for the caller to check; struct pv_ring_ids helps.
 *
 * PV_RING(NAME, REQUEST, RESPONSE) defines the types and typed inline functions below for one
 * protocol. The shared layout is that of Xen's io/ring.h, so both ends may be anybody's.
 *
 *     struct NAME_ring                      the shared page
 *     struct NAME_front, NAME_back          the private part of either end
 *
 *     void NAME_ring_init(ring)             by one end, usually the front, before the other looks
 *     void NAME_front_init(front, ring, bytes)
 *     unsigned NAME_front_room(front)       requests that can be put now
 *     int  NAME_front_put(front, &request)  0; -XEN_ENOSPC: no room; -XEN_EIO: broken
 *     unsigned NAME_front_put_n(front, requests, n)      as many as there is room for; how many
 *     bool NAME_front_publish(front)        shows what was put; true: the other end wants an event
 *     int  NAME_front_get(front, &response) 1: got one; 0: none; -XEN_EIO: broken
 *     int  NAME_front_get_n(front, responses, max)       as many as there are; how many; -XEN_EIO
 *     bool NAME_front_sleep(front)          true: nothing there, an event will come; false: look
 *                                           again (also when broken: get says so)
 *
 *     bool NAME_front_sleep_for(front, n)   the same, with an event when n more have come
 *
 *     void NAME_back_init(back, ring, bytes)
 *     int  NAME_back_get(back, &request)    as front_get; back_get_n, back_put_n likewise
 *     int  NAME_back_put(back, &response)   0; -XEN_ENOSPC: more responses than requests; -XEN_EIO
 *     bool NAME_back_publish(back)
 *     bool NAME_back_sleep(back)
 *
 * An end belongs to one vCPU at a time: libpv has no lock for it. Context: any.
 */
#ifndef PV_RING_H
#define PV_RING_H

#include <pv/types.h>
#include <pv/abi/errno.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What all rings begin with. */
struct pv_ring_shared {
    uint32_t req_prod;  /* front */
    uint32_t req_event; /* back */
    uint32_t rsp_prod;  /* back */
    uint32_t rsp_event; /* front */
    uint8_t pad[48];
};

/* The private part of either end: "mine" is what this end produces. */
struct pv_ring_end {
    struct pv_ring_shared *shared;
    uint32_t size;      /* slots, a power of two */
    uint32_t produced;  /* mine, published or not (..._prod_pvt) */
    uint32_t published; /* mine, as the other end was told */
    uint32_t consumed;  /* of the other end's */
    bool is_front;
    bool broken; /* the other end did what it can't; final */
};

/* The work behind the typed functions. */
void pv_ring_init(struct pv_ring_shared *shared);
void pv_ring_end_init(struct pv_ring_end *e, struct pv_ring_shared *shared, bool is_front,
                      size_t bytes, size_t slot_bytes);
/* The slot to produce into, or -XEN_E*. */
int64_t pv_ring_produce(const struct pv_ring_end *e);
/* The slot to consume, -XEN_EAGAIN when there is none, or -XEN_EIO. */
int64_t pv_ring_consume(struct pv_ring_end *e);
bool pv_ring_publish(struct pv_ring_end *e);
/* True: nothing there, and the appearance of the `more`th next will be announced. */
bool pv_ring_sleep_for(struct pv_ring_end *e, uint32_t more);
unsigned pv_ring_room(const struct pv_ring_end *e);
/* How many of n can be produced now; consumed now (or -XEN_EIO). */
unsigned pv_ring_producible(const struct pv_ring_end *e, unsigned n);
int pv_ring_consumable(struct pv_ring_end *e, unsigned n);
/* Copies once; the compiler can't read the source again later. */
void pv_ring_copy(void *to, const void *from, size_t n);

#define PV_RING(name, request, response)                                   \
    union name##_slot {                                                    \
        request req;                                                       \
        response rsp;                                                      \
    };                                                                     \
    struct name##_ring {                                                   \
        struct pv_ring_shared shared;                                      \
        union name##_slot slot[];                                          \
    };                                                                     \
    PV_RING_END(name, front, true, request, req, response, rsp)            \
    PV_RING_END(name, back, false, response, rsp, request, req)            \
    static inline void name##_ring_init(struct name##_ring *ring)          \
    {                                                                      \
        pv_ring_init(&ring->shared);                                       \
    }                                                                      \
    static inline unsigned name##_front_room(const struct name##_front *f) \
    {                                                                      \
        return pv_ring_room(&f->end);                                      \
    }

/* One end: `out` is what it produces, `in` what it consumes. */
#define PV_RING_END(name, side, front, out, out_member, in, in_member)                         \
    struct name##_##side {                                                                     \
        struct pv_ring_end end;                                                                \
        struct name##_ring *ring;                                                              \
    };                                                                                         \
    static inline void name##_##side##_init(struct name##_##side *s, struct name##_ring *ring, \
                                            size_t bytes)                                      \
    {                                                                                          \
        s->ring = ring;                                                                        \
        pv_ring_end_init(&s->end, &ring->shared, front, bytes, sizeof(ring->slot[0]));         \
    }                                                                                          \
    static inline int name##_##side##_put(struct name##_##side *s, const out *what)            \
    {                                                                                          \
        int64_t slot = pv_ring_produce(&s->end);                                               \
                                                                                               \
        if (slot < 0)                                                                          \
            return (int)slot;                                                                  \
        s->ring->slot[slot].out_member = *what;                                                \
        s->end.produced++;                                                                     \
        return 0;                                                                              \
    }                                                                                          \
    static inline bool name##_##side##_publish(struct name##_##side *s)                        \
    {                                                                                          \
        return pv_ring_publish(&s->end);                                                       \
    }                                                                                          \
    static inline int name##_##side##_get(struct name##_##side *s, in *what)                   \
    {                                                                                          \
        int64_t slot = pv_ring_consume(&s->end);                                               \
                                                                                               \
        if (slot < 0)                                                                          \
            return slot == -XEN_EAGAIN ? 0 : (int)slot;                                        \
        pv_ring_copy(what, &s->ring->slot[slot].in_member, sizeof(*what));                     \
        s->end.consumed++;                                                                     \
        return 1;                                                                              \
    }                                                                                          \
    static inline unsigned name##_##side##_put_n(struct name##_##side *s, const out *what,     \
                                                 unsigned n)                                   \
    {                                                                                          \
        uint32_t mask = s->end.size - 1;                                                       \
                                                                                               \
        n = pv_ring_producible(&s->end, n);                                                    \
        PV_RING_RUNS(name, s->end.produced, slot[i].out_member = what[done + i])               \
        s->end.produced += n;                                                                  \
        return n;                                                                              \
    }                                                                                          \
    static inline int name##_##side##_get_n(struct name##_##side *s, in *what, unsigned max)   \
    {                                                                                          \
        int n = pv_ring_consumable(&s->end, max);                                              \
        uint32_t mask = s->end.size - 1;                                                       \
                                                                                               \
        PV_RING_RUNS(name, s->end.consumed, what[done + i] = slot[i].in_member)                \
        /* What was copied is what everyone looks at from here on. */                          \
        __atomic_signal_fence(__ATOMIC_SEQ_CST);                                               \
        if (n > 0)                                                                             \
            s->end.consumed += (uint32_t)n;                                                    \
        return n;                                                                              \
    }                                                                                          \
    static inline bool name##_##side##_sleep(struct name##_##side *s)                          \
    {                                                                                          \
        return pv_ring_sleep_for(&s->end, 1);                                                  \
    }                                                                                          \
    static inline bool name##_##side##_sleep_for(struct name##_##side *s, uint32_t more)       \
    {                                                                                          \
        return pv_ring_sleep_for(&s->end, more);                                               \
    }

/* n slots from an index on, in at most two runs of neighbours: the copy, and nothing around it. */
#define PV_RING_RUNS(name, index, copy)                             \
    for (int done = 0, run; done < (int)n; done += run) {           \
        uint32_t first = ((index) + (uint32_t)done) & mask;         \
        union name##_slot *slot = &s->ring->slot[first];            \
                                                                    \
        run = (int)n - done;                                        \
        if ((uint32_t)run > mask + 1 - first)                       \
            run = (int)(mask + 1 - first);                          \
        _Pragma("GCC unroll 4") for (int i = 0; i < run; i++) copy; \
    }

/*
 * Request ids in flight: numbers 0 .. n-1, each with a pointer of the caller's, so that no pointer
 * travels through shared memory, and a response that names an id which is not in flight is noticed.
 */
#define PV_RING_IDS 256
struct pv_ring_ids {
    uint64_t busy[PV_RING_IDS / 64];
    void *cookie[PV_RING_IDS];
    unsigned n;
};
/* n <= PV_RING_IDS. */
void pv_ring_ids_init(struct pv_ring_ids *ids, unsigned n);
/* An id that is not in flight, which now is; -XEN_ENOSPC. */
int pv_ring_ids_take(struct pv_ring_ids *ids, void *cookie);
/* The cookie of an id, which is in flight no more. False: it was not; the other end lies. */
bool pv_ring_ids_end(struct pv_ring_ids *ids, uint64_t id, void **cookie);

PV_STATIC_ASSERT(sizeof(struct pv_ring_shared) == 64, "as in Xen's io/ring.h");

#ifdef __cplusplus
}
#endif
#endif
