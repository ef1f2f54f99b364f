/* SPDX-License-Identifier: MIT */
/*
 * vcpu.h - virtual processors: bring up, bring down.
 *
 * The vCPUs of a guest are numbered from 0; 0 runs at the start, the others wait for
 * pv_vcpu_start(). A kernel that starts one must define pv_host_cpu(), pv_host_lock() and
 * pv_host_unlock() (host.h). How many there are: pv_vcpu_count().
 *
 * All return 0 or -XEN_E* except as noted; -XEN_ENOENT: no such vCPU. Reference: abi/vcpu.h.
 */
#ifndef PV_VCPU_H
#define PV_VCPU_H

#include <pv/types.h>
#include <pv/abi/vcpu.h>
#include <pv/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/* vCPUs that this guest has, up or not; at most XEN_LEGACY_MAX_VCPUS are looked for. */
unsigned pv_vcpu_count(void);

/*
 * Starts a vCPU: it runs function(arg) on the stack that ends at stack_top (16-byte aligned; also
 * its kernel stack for entries from user mode), in space s, with libpv's trap table, all segment
 * bases 0 and events masked. The function must not return. -XEN_EEXIST: was started before; then
 * pv_vcpu_resume() continues it where it went down.
 * May not be called by two vCPUs at once.
 */
int pv_vcpu_start(unsigned vcpu, void *stack_top, const struct pv_space *s,
                  void (*function)(void *), void *arg);

/* Takes the calling vCPU down; returns when another one resumes it. */
int pv_vcpu_stop(void);
int pv_vcpu_resume(unsigned vcpu);

/* 1, 0, or -XEN_E*. */
int pv_vcpu_is_up(unsigned vcpu);

/*
 * Moves a vCPU's xen_vcpu_info from shared_info to *info, which lies in one page of the kernel's
 * own memory. Once per vCPU, before it starts or by itself. -XEN_EINVAL: moved before.
 */
int pv_vcpu_info_register(unsigned vcpu, struct xen_vcpu_info *info);

/* Sends an NMI (PV_TRAP_NMI). */
int pv_vcpu_nmi(unsigned vcpu);

#ifdef __cplusplus
}
#endif
#endif
