/* SPDX-License-Identifier: MIT
 *
 * mm.h - what the executive (domains, vCPUs, the builder) asks of the memory side.
 *
 * Each function that can refuse records its own reason and changes nothing when it does.
 * `v` is who asks, for the reason; the builder passes the new domain's vCPU 0.
 */
#ifndef HV_MM_H
#define HV_MM_H

#include "domain.h"

#define XEN_ERESTART 85 /* never given to a guest: the call is made again */

/* Take frame m of v's domain as a root: type L4, validated, one more reference and type
 * reference, which v->root[] will own. 0; -XEN_EINVAL ...; or -XEN_ERESTART: an interrupt is
 * pending, progress is kept, ask again. */
long root_take(struct vcpu *v, mfn_t m);
void root_drop(struct domain *d, mfn_t m);
/* Frame m becomes the kernel's root of v, which is current, and is loaded: MMUEXT_NEW_BASEPTR, MOV to CR3. */
long root_switch(struct vcpu *v, uint64_t m);
/* Pin frame m as an L4 for good, as MMUEXT_PIN_L4_TABLE does; never stops half way. The builder's
 * last act on the initial page tables: their entries are validated like a guest's own. */
long root_pin(struct vcpu *v, mfn_t m);

/* v's GDT becomes these frames (entries <= XEN_FIRST_RESERVED_GDT_ENTRY), and are mapped,
 * whether it runs or not. gdt_drop() and ldt_drop() leave it with none. */
long gdt_take(struct vcpu *v, const uint64_t *frames, unsigned entries);
void gdt_drop(struct vcpu *v);
void ldt_drop(struct vcpu *v);
/* The processor missed LDT page `page` of v, which is current: map it. False: it is the guest's fault. */
bool ldt_fault(struct vcpu *v, unsigned page);

/* Grant tables: made with the domain, ended before its frames are released. */
bool grant_init(struct domain *d);
void grant_exit(struct domain *d);

/* d has ended, none of its vCPUs runs again and their roots and descriptor tables are dropped:
 * unpin, drop and free every frame it owns. False: an interrupt is pending and there is
 * more to do, call again. */
bool domain_memory_release(struct domain *d) __attribute__((warn_unused_result));

#endif
