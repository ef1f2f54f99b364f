/* SPDX-License-Identifier: MIT
 *
 * reason.h - every refusal says why.
 *
 * A refused request or a killed guest records a reason: the rule (rules.def
 * names them all, with errno and sentence) and the facts. Reasons are kept in a ring
 * per domain, which `pvctl why` reads from the outside, are counted per rule, and are
 * printed as sentences on the hypervisor's console, at a bounded rate.
 *
 * Use:   return refuse(v, RULE_PT_WRITABLE_TABLE, .mfn = m.n, .level = 1, .new_entry = e);
 * It returns the rule's -errno. `.err` overrides it where the ABI asks for another.
 * Frame facts (owner, type, counts) are filled in by reason.c from .mfn.
 * Nothing on a successful path touches any of this.
 */
#ifndef HV_REASON_H
#define HV_REASON_H

#include <stddef.h>
#include <stdint.h>

enum rule {
    RULE_NONE,
#define RULE(name, err, sentence) RULE_##name,
#include "rules.def"
#undef RULE
    RULES
};

struct reason {
    uint64_t time;        /* ns since boot */
    uint64_t va;          /* guest virtual address, or hypercall argument */
    uint64_t mfn;         /* the frame the rule is about; 0: none */
    uint64_t old_entry, new_entry;
    uint64_t value;       /* what was asked for: port, count, size, selector ... */
    uint64_t limit;       /* what would have been allowed */
    uint64_t rip;         /* where the guest was */
    uint32_t refs, type_refs;
    uint16_t rule;        /* enum rule */
    int16_t err;          /* negative errno given to the guest; 0: it was killed */
    uint16_t owner;       /* of the frame */
    uint16_t domid, vcpu;
    uint16_t hypercall;   /* number; 0xffff: not in one */
    uint8_t frame_type;   /* enum frame_type */
    uint8_t frame_flags;
    uint8_t level;        /* page-table level 1..4; 0: none */
    uint8_t vector;       /* of a trap */
    uint32_t port;
};
_Static_assert(sizeof(struct reason) == 96, "tools read it from outside");

enum { REASON_RING = 32 };

struct reason_ring {
    uint64_t count;                       /* ever recorded; the newest is at (count - 1) % REASON_RING */
    uint64_t print_time;                  /* bounds what is printed: reason.c */
    uint32_t printed, silent;
    struct reason first;                  /* the first one ever: why it all began */
    struct reason entry[REASON_RING];
};

struct vcpu;
struct domain;

long reason_record(struct vcpu *v, struct reason *r);
/* v may be NULL: about the domain as such (reason_record_domain()). */
long reason_record_domain(struct domain *d, struct reason *r);
/* Keep a copy of a reason that was recorded elsewhere. */
void reason_keep(struct reason_ring *ring, const struct reason *r);
#define refuse(v, RULE_NAME, ...) \
    reason_record((v), &(struct reason){ .rule = (RULE_NAME), .hypercall = 0xffff, __VA_ARGS__ })
/* Refusals of functions that are on hot paths are apart, so that these need no stack for them. */
#define COLD __attribute__((noinline, cold))
long refuse_pointer(struct vcpu *v, uint64_t va); /* RULE_GUEST_POINTER */
#define refuse_domain(d, RULE_NAME, ...) \
    reason_record_domain((d), &(struct reason){ .rule = (RULE_NAME), .hypercall = 0xffff, __VA_ARGS__ })

extern uint64_t reason_counts[RULES];     /* per rule, since boot */
const char *rule_name(unsigned rule);
const char *rule_sentence(unsigned rule); /* with its {fields} */
int rule_errno(unsigned rule);            /* positive; 0: it kills */
/* The sentence of a reason, without newline; returns its length as snprintf. Also
 * built into the tools: depends on nothing but rules.def. */
int reason_format(char *buf, size_t n, const struct reason *r);

#endif
