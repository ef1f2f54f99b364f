/* SPDX-License-Identifier: MIT
 *
 * emulate_msr.h - model-specific registers as a PV guest's kernel may read and write them.
 */
#ifndef HV_EMULATE_MSR_H
#define HV_EMULATE_MSR_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

/* v is current and in kernel mode. False: there is no such register for it, or not this value. */
bool emulate_msr_read(struct vcpu *v, uint32_t msr, uint64_t *value);
bool emulate_msr_write(struct vcpu *v, uint32_t msr, uint64_t value);

#endif
