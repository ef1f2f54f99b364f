/* SPDX-License-Identifier: MIT
 *
 * packet.h - the packet scheduling policy: whose packet is next.
 *
 * Senders that have packets stand in a queue. The mechanism (backend/net.c) asks for one, sends one
 * packet of it, charges the bytes, and puts it back if it has more. Where it is put back is
 * the policy: round robin behind all others, so that N senders with packets waiting differ by one
 * packet a round at the most, whatever their sizes and whoever came first; fifo in front, so
 * that who came first is served until it has no more (to compare with).
 *
 * A sender may have a rate: a bucket of `burst` bytes that fills with `rate` bytes a second. It
 * may send while the bucket is not empty (a packet may overdraw it once), and is passed over till
 * then without losing its place.
 *
 * Pure: no clock, no memory of its own; tested by simulation.
 */
#ifndef HV_POLICY_PACKET_H
#define HV_POLICY_PACKET_H

#include <stdbool.h>
#include <stdint.h>

struct packet_sender { /* zeroed at first; a part of whoever sends */
    struct packet_sender *next;
    bool queued;
    uint64_t rate;      /* bytes a second; 0: no limit */
    uint64_t burst;     /* bytes */
    int64_t credit;     /* bytes; may be negative */
    uint64_t filled_at; /* ns: when credit was right */
};

struct packet_queue {
    const struct packet_policy *policy;
    struct packet_sender *head, *tail;
};

struct packet_policy {
    const char *name;
    /* s is not in the queue, and has packets; `more`: it has just sent one. */
    void (*add)(struct packet_queue *q, struct packet_sender *s, bool more);
};

extern const struct packet_policy packet_rr, packet_fifo;

/* From now on s is held to a rate; its bucket is full. */
void packet_limit(struct packet_sender *s, uint64_t rate, uint64_t burst, uint64_t now);
/* s has packets; nothing happens if it is in the queue. */
void packet_add(struct packet_queue *q, struct packet_sender *s, bool more);
/* Take the next sender that may send now out of the queue. NULL: none; *again is when one may, or
 * UINT64_MAX. */
struct packet_sender *packet_next(struct packet_queue *q, uint64_t now, uint64_t *again);
void packet_remove(struct packet_queue *q, struct packet_sender *s);

static inline void packet_charge(struct packet_sender *s, uint32_t bytes)
{
    s->credit -= s->rate ? bytes : 0;
}

#endif
