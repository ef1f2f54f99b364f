/* SPDX-License-Identifier: MIT
 *
 * misc.h - debug registers by Xen's checks, for hypercalls, contexts and emulated MOVs alike.
 */
#ifndef HV_MISC_H
#define HV_MISC_H

#include "domain.h"

/* Set v->dr[reg], and the processor's if v is current. 0, or: -XEN_ENODEV: no such register (#UD);
 * -XEN_EINVAL: reserved bits (#GP); -XEN_EPERM: not for guests (#GP). */
long debugreg_set(struct vcpu *v, unsigned reg, uint64_t value);
/* What a guest reads: DR4, DR5 alias DR6, DR7 unless CR4.DE. -XEN_ENODEV: no such register. */
long debugreg_get(const struct vcpu *v, unsigned reg, uint64_t *value);
void debugregs_reset(struct vcpu *v);

#endif
