/* SPDX-License-Identifier: MIT
 *
 * control.c - see control.h. The channel: requests in, replies and events out.
 *
 * The host could write to any of the shim's memory, so this is no wall against malice; but tools
 * have bugs, and each request is checked as a guest's would be, and refused with a rule. A request
 * is copied before it is looked at. Half of one, or rubbish, is passed over up to the next that is
 * whole.
 *
 * What the operations do is in control_ops.c; one that says -XEN_ERESTART is done again, from its
 * beginning, whenever there is reason to believe that it gets further.
 */
#include "control_ops.h"
#include "domain.h"
#include "hostview_publish.h"
#include "mm.h"
#include "sched.h"
#include "../backend/console.h"
#include <pv/abi/errno.h>

enum { EVENT_BITS = 32, MAX_NUMBER = MAX_DOMAINS > EVENT_BITS ? MAX_DOMAINS : EVENT_BITS };

uint32_t control_wanted;

static struct domain host = {.name = "host"};
static const struct control_channel *channel; /* NULL: there is none */

static struct control_request in; /* the first `have` bytes of it have come */
static uint32_t have, skipped;
static bool working; /* on `in`, which has said -XEN_ERESTART */

static struct control_message out;
static bool out_waits;

static uint8_t due[MAX_NUMBER]; /* of each domain, or virq: 1 << event */
static bool any_due;

struct domain *control_reasons(void)
{
    return &host;
}

bool control_ready(void)
{
    return channel != NULL;
}

void control_attach(const struct control_channel *c)
{
    channel = c;
    have = skipped = control_wanted = 0;
    working = out_waits = any_due = false;
    __builtin_memset(due, 0, sizeof(due));
    __builtin_memset(&host.reasons, 0, sizeof(host.reasons));
    control_clients_forget();
    hostview_publish();
}

/* -- out ------------------------------------------------------------------------------------ */

static bool send(void)
{
    out_waits = !channel->write(&out, sizeof(out));
    return !out_waits;
}

static void reply(const struct control_request *r, long value)
{
    const struct reason_ring *ring = &host.reasons;

    out = (struct control_message){.magic = CONTROL_MESSAGE,
                                   .version = CONTROL_VERSION,
                                   .client = r->client,
                                   .id = r->id,
                                   .value = value,
                                   .number = r->number,
                                   .end = CONTROL_END};
    if (value < 0)
        out.reason = ring->entry[(ring->count - 1) % REASON_RING];
    out_waits = true;
}

void control_event_due(enum control_event event, uint16_t number)
{
    if (number >= MAX_NUMBER)
        return;
    due[number] |= (uint8_t)(1u << event);
    any_due = true;
    cpu_work_set(CPU_WORK_CONTROL);
}

static int64_t event_value(enum control_event event, uint16_t number)
{
    const struct domain *d = domain_by_id(number);

    switch (event) {
    case CONTROL_EVENT_DOMAIN:
        return d ? d->state : HV_DOM_NONE;
    case CONTROL_EVENT_CONSOLE:
        return d ? (int64_t)d->console->kept_produced : 0;
    default:
        return number;
    }
}

/* The next event that is due becomes the message; false: none is. */
static bool take_event(void)
{
    for (uint16_t n = 0; any_due && n < MAX_NUMBER; n++) {
        enum control_event event;

        due[n] &= (uint8_t)control_wanted;
        if (!due[n])
            continue;
        event = (enum control_event)__builtin_ctz(due[n]);
        due[n] &= (uint8_t)(due[n] - 1);
        if (event == CONTROL_EVENT_DOMAIN)
            hostview_publish();
        out = (struct control_message){.magic = CONTROL_MESSAGE,
                                       .version = CONTROL_VERSION,
                                       .event = (uint16_t)event,
                                       .value = event_value(event, n),
                                       .number = event == CONTROL_EVENT_VIRQ ? 0 : n,
                                       .end = CONTROL_END};
        out_waits = true;
        return true;
    }
    any_due = false;
    return false;
}

/* -- in ------------------------------------------------------------------------------------- */

static bool is_whole(void)
{
    return in.magic == CONTROL_REQUEST && in.end == CONTROL_END;
}

/* What `in` begins with is no request: pass over it, up to where the next one may begin. */
static void skip(void)
{
    const uint32_t magic = CONTROL_REQUEST;
    uint8_t *bytes = (uint8_t *)&in;
    uint32_t n = 1;

    while (n < have &&
           __builtin_memcmp(bytes + n, &magic, have - n < sizeof(magic) ? have - n : sizeof(magic)))
        n++;
    skipped += n;
    have -= n;
    __builtin_memmove(bytes, bytes + n, have);
}

/* A whole request is in `in`; false: there is none yet. */
static bool gather(void)
{
    while (have < sizeof(in) || !is_whole()) {
        size_t n;

        if (have == sizeof(in)) {
            skip();
            continue;
        }
        n = channel->read((uint8_t *)&in + have, sizeof(in) - have);
        if (!n)
            return false;
        have += (uint32_t)n;
    }
    if (skipped)
        refuse_domain(&host, RULE_CONTROL_FRAME, .value = skipped);
    skipped = 0;
    return true;
}

/* Answer `in`, or keep it for later. */
static bool perform(void)
{
    static struct control_request r;
    long value;

    r = in;
    value = control_perform(&r, working);
    working = value == -XEN_ERESTART;
    if (working)
        return false;
    have = 0;
    hostview_publish();
    reply(&r, value);
    return true;
}

void control_work(void)
{
    if (!channel)
        return;
    for (;;) {
        if (out_waits && !send())
            return;
        if (take_event())
            continue;
        if (!working && !gather())
            return;
        if (!perform())
            return;
    }
}
