/* SPDX-License-Identifier: MIT
 *
 * reason.c - where refusals are recorded.
 *
 * Fills a reason's common facts (time, who, where, the frame's state), counts it, keeps
 * it in its domain's ring and prints it as a sentence. Printing is bounded: a domain may
 * have BURST sentences at once and one more for each SPACING of time; what is left out is
 * counted and said with the next sentence that is printed. The ring is never bounded away.
 *
 * Recording cannot fail and changes nothing but the record.
 */
#include "domain.h"
#include "platform.h"
#include "text.h"
#include "log.h"

enum { BURST = 16 };
static const uint64_t SPACING = 500 * 1000 * 1000ull; /* ns */

uint64_t reason_counts[RULES];

static void frame_facts(struct reason *r)
{
    const struct frame *f;

    if (!r->mfn || !frame_valid(mfn(r->mfn))) {
        r->owner = DOMID_NONE;
        return;
    }
    f = frame_of(mfn(r->mfn));
    r->owner = f->owner;
    r->frame_flags = f->flags;
    if (f->owner == DOMID_NONE)
        return;
    r->frame_type = f->type;
    r->refs = f->refs;
    r->type_refs = f->type_refs;
}

static bool may_print(struct reason_ring *ring, uint64_t now)
{
    if (now - ring->print_time >= SPACING) {
        uint64_t more = (now - ring->print_time) / SPACING;

        ring->print_time = now;
        ring->printed = more >= ring->printed ? 0 : ring->printed - (uint32_t)more;
    }
    if (ring->printed >= BURST) {
        ring->silent++;
        return false;
    }
    ring->printed++;
    return true;
}

static void print(struct domain *d, const struct reason *r)
{
    char text[320];

    if ((hv.quiet && r->err) || !may_print(&d->reasons, r->time))
        return;
    if (d->reasons.silent) {
        hv_log("d%u: %u more reasons are in its ring\n", d->id, d->reasons.silent);
        d->reasons.silent = 0;
    }
    reason_format(text, sizeof(text), r);
    if (r->rip)
        hv_log("d%uv%u %s%s, at rip 0x%lx\n", d->id, r->vcpu, r->err ? "refused " : "ends: ", text,
               (unsigned long)r->rip);
    else
        hv_log("d%u %s%s\n", d->id, r->err ? "refused " : "ends: ", text);
}

void reason_keep(struct reason_ring *ring, const struct reason *r)
{
    if (ring->count == 0)
        ring->first = *r;
    ring->entry[ring->count++ % REASON_RING] = *r;
}

long reason_record_domain(struct domain *d, struct reason *r)
{
    r->time = plat_now();
    r->domid = d->id;
    if (!r->err)
        r->err = (int16_t)-rule_errno(r->rule);
    frame_facts(r);
    reason_counts[r->rule < RULES ? r->rule : RULE_NONE]++;
    reason_keep(&d->reasons, r);
    print(d, r);
    return r->err;
}

long reason_record(struct vcpu *v, struct reason *r)
{
    r->vcpu = v->id;
    r->rip = v->regs.rip;
    r->hypercall = v->hypercall;
    return reason_record_domain(v->domain, r);
}

long refuse_pointer(struct vcpu *v, uint64_t va)
{
    return refuse(v, RULE_GUEST_POINTER, .va = va);
}
