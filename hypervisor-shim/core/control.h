/* SPDX-License-Identifier: MIT
 *
 * control.h - the shim's end of the host's channel (../control.h).
 *
 *   channel ─► whole requests ─► one table of operations ─► replies ─┐
 *   what happens to guests ─► one bit for each kind and domain ──────┴─► channel
 *
 * Nothing here waits: when the channel has no room the reply is kept, and no further request is
 * read. What waits is therefore one request, one reply, and bits.
 */
#ifndef HV_CORE_CONTROL_H
#define HV_CORE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include "../control.h"

struct domain;

/* What a driver offers: bytes that are there already, and room for a whole message (false: there is
 * none now). It sets CPU_WORK_CONTROL when there is more of either. */
struct control_channel {
    size_t (*read)(void *to, size_t n);
    bool (*write)(const void *from, size_t n);
};
/* There is a channel; it stays. */
void control_attach(const struct control_channel *c);
bool control_ready(void);
/* CPU_WORK_CONTROL: requests, replies, events, as far as channel and machine allow. */
void control_work(void);

extern uint32_t control_wanted; /* 1 << event of all that clients asked for */
void control_event_due(enum control_event event, uint16_t domid);

/* Something has happened. */
static inline void control_event(enum control_event event, uint16_t domid)
{
    if (__builtin_expect(control_wanted & (1u << event), 0))
        control_event_due(event, domid);
}
static inline void control_virq(unsigned virq)
{
    control_event(CONTROL_EVENT_VIRQ, (uint16_t)virq);
}

/* Not a guest: whom the host's refusals are recorded for. */
struct domain *control_reasons(void);

#endif
