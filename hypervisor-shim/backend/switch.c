/* SPDX-License-Identifier: MIT
 *
 * switch.c - see switch.h. A hash table with open addressing, never more than three quarters full:
 * what is learned is forgotten all at once when there is too much of it.
 */
#include "switch.h"
#include <stddef.h>

enum { GROUP = 1 }; /* in the first byte of an address */

static inline uint64_t key_of(const uint8_t *mac)
{
    uint32_t low;
    uint16_t high;

    __builtin_memcpy(&low, mac, 4);
    __builtin_memcpy(&high, mac + 4, 2);
    return (uint64_t)1 << 63 | (uint64_t)high << 32 | low;
}

static inline unsigned slot_of(uint64_t key)
{
    return (unsigned)(key * 0x9e3779b97f4a7c15ull >> 55) % SWITCH_SLOTS;
}

static inline struct switch_entry *find(struct vswitch *s, uint64_t key)
{
    for (unsigned i = slot_of(key);; i = (i + 1) % SWITCH_SLOTS)
        if (s->entry[i].key == key || s->entry[i].key == 0)
            return &s->entry[i];
}

/* Make the table anew from the fixed addresses. */
static void forget(struct vswitch *s)
{
    for (unsigned i = 0; i < SWITCH_SLOTS; i++)
        s->entry[i] = (struct switch_entry){0};
    s->learned = 0;
    for (unsigned p = 0; p < SWITCH_PORTS; p++)
        if (s->fixed[p])
            *find(s, s->fixed[p]) = (struct switch_entry){s->fixed[p], (uint16_t)p, false};
}

bool switch_add(struct vswitch *s, unsigned port, const uint8_t mac[6])
{
    uint64_t key = key_of(mac);
    struct switch_entry *e = find(s, key);

    if ((mac[0] & GROUP) || key << 16 == 0 || (e->key && !e->learned) || port >= SWITCH_PORTS)
        return false;
    s->fixed[port] = key;
    forget(s);
    return true;
}

void switch_remove(struct vswitch *s, unsigned port)
{
    s->fixed[port] = 0;
    forget(s);
}

void switch_trunk(struct vswitch *s, unsigned port)
{
    s->trunk = (int)port + 1;
}

static void learn(struct vswitch *s, unsigned port, uint64_t key)
{
    struct switch_entry *e = find(s, key);

    if (e->key)
        return;
    if (s->learned == SWITCH_LEARNED) {
        forget(s);
        e = find(s, key);
    }
    *e = (struct switch_entry){key, (uint16_t)port, true};
    s->learned++;
}

int switch_forward(struct vswitch *s, unsigned from, const uint8_t *header)
{
    uint64_t source = key_of(header + 6);
    const struct switch_entry *e;

    if (s->trunk == (int)from + 1) {
        if ((header[6] & GROUP) || (find(s, source)->key && !find(s, source)->learned))
            return SWITCH_SPOOF;
        learn(s, from, source);
    } else if (source != s->fixed[from]) {
        return SWITCH_SPOOF;
    }
    if (header[0] & GROUP)
        return SWITCH_FLOOD;
    e = find(s, key_of(header));
    if (e->key)
        return e->port == from ? SWITCH_DROP : e->port;
    return s->trunk && s->trunk != (int)from + 1 ? s->trunk - 1 : SWITCH_DROP;
}
