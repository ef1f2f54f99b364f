/* SPDX-License-Identifier: MIT
 *
 * packet.c - see packet.h. One queue, two ways to stand in it, and token buckets.
 */
#include "packet.h"
#include <stddef.h>

enum { NS = 1000000000, HOUR = 3600 };
static const uint64_t RATE_MAX = UINT64_MAX / NS; /* nobody waits for a nanosecond with that */

static void put_behind(struct packet_queue *q, struct packet_sender *s, bool more)
{
    (void)more;
    s->next = NULL;
    if (q->tail)
        q->tail->next = s;
    else
        q->head = s;
    q->tail = s;
}

static void put_as_it_came(struct packet_queue *q, struct packet_sender *s, bool more)
{
    if (!more || !q->head) {
        put_behind(q, s, more);
        return;
    }
    s->next = q->head;
    q->head = s;
}

const struct packet_policy packet_rr = {.name = "rr", .add = put_behind};
const struct packet_policy packet_fifo = {.name = "fifo", .add = put_as_it_came};

void packet_add(struct packet_queue *q, struct packet_sender *s, bool more)
{
    if (s->queued)
        return;
    s->queued = true;
    q->policy->add(q, s, more);
}

static void take_out(struct packet_queue *q, struct packet_sender *before, struct packet_sender *s)
{
    if (before)
        before->next = s->next;
    else
        q->head = s->next;
    if (q->tail == s)
        q->tail = before;
    s->queued = false;
}

void packet_remove(struct packet_queue *q, struct packet_sender *s)
{
    struct packet_sender *before = NULL;

    if (!s->queued)
        return;
    for (struct packet_sender *i = q->head; i != s; i = i->next)
        before = i;
    take_out(q, before, s);
}

void packet_limit(struct packet_sender *s, uint64_t rate, uint64_t burst, uint64_t now)
{
    s->rate = rate < RATE_MAX ? rate : RATE_MAX;
    s->burst = burst;
    s->credit = (int64_t)burst;
    s->filled_at = now;
}

/* When s may send: now or before, or later. */
static uint64_t may_at(struct packet_sender *s, uint64_t now)
{
    uint64_t passed = now - s->filled_at, bytes;

    if (!s->rate)
        return 0;
    /* Whole bytes only, so that what is left of the time counts the next time. */
    bytes = passed / NS < HOUR ? passed / NS * s->rate + passed % NS * s->rate / NS : INT64_MAX / 2;
    if (s->credit + (int64_t)bytes >= (int64_t)s->burst) {
        s->credit = (int64_t)s->burst;
        s->filled_at = now;
    } else if (bytes) {
        s->credit += (int64_t)bytes;
        s->filled_at += bytes * NS / s->rate;
    }
    if (s->credit > 0)
        return 0;
    return s->filled_at + ((uint64_t)-s->credit + 1) * NS / s->rate + 1;
}

struct packet_sender *packet_next(struct packet_queue *q, uint64_t now, uint64_t *again)
{
    struct packet_sender *before = NULL;

    *again = UINT64_MAX;
    for (struct packet_sender *s = q->head; s; before = s, s = s->next) {
        uint64_t at = may_at(s, now);

        if (at <= now) {
            take_out(q, before, s);
            return s;
        }
        if (at < *again)
            *again = at;
    }
    return NULL;
}
