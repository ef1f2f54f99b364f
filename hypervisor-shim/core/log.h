/* SPDX-License-Identifier: MIT
 *
 * log.h - the hypervisor's own voice: a ring that the host reads (`pvctl dmesg`), and the
 * platform console. hv_log() and its kin are declared in domain.h.
 */
#ifndef HV_LOG_H
#define HV_LOG_H

#include <stdint.h>

enum { HV_LOG_SIZE = 1 << 15 };

extern char hv_log_ring[HV_LOG_SIZE];
extern uint64_t hv_log_produced; /* bytes ever written; the next goes to it % HV_LOG_SIZE */

#endif
