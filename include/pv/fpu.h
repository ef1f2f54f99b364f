/* SPDX-License-Identifier: MIT */
/*
 * fpu.h - floating-point and vector state, and its lazy switch.
 *
 * A kernel that switches tasks need not move their vector registers each time. It says whose turn
 * it is; the first vector instruction of the new task traps (PV_TRAP_NO_FPU), and only then are the
 * old registers saved and the new ones loaded. A task that uses none costs nothing.
 *
 *     pv_fpu_switch(B)   registers still hold A's state; TS is set
 *     B computes      -> trap -> save A, load B, TS is clear
 *     pv_fpu_switch(A)   TS is set; ... or A never computes again, and nothing moves
 *
 * The kernel itself must be compiled without vector instructions (-mgeneral-regs-only), as libpv
 * is. State areas are the kernel's memory: pv_fpu_size() bytes each, aligned to 64, prepared by
 * pv_fpu_clear(). Call with events masked. Reference: fpu_taskswitch in abi/xen.h.
 */
#ifndef PV_FPU_H
#define PV_FPU_H

#include <pv/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* XCR0: which parts of the state there are. */
#define PV_FPU_X87    0x01
#define PV_FPU_SSE    0x02
#define PV_FPU_AVX    0x04
#define PV_FPU_AVX512 0xe0

/*
 * Prepares this vCPU, and takes PV_TRAP_NO_FPU. Of the `parts` wanted (beyond x87 and SSE, which
 * everybody has), those are enabled that the hypervisor offers: XSAVE is used if there are any, and
 * FXSAVE otherwise. Returns the parts that are enabled. Every vCPU must ask for the same.
 */
uint64_t pv_fpu_init(uint64_t parts);

/*
 * For kernels that move the registers themselves, at each switch: makes XSAVE and its relatives
 * usable for these parts (CR4.OSXSAVE and XCR0, which the hypervisor sets in our stead). The parts
 * must be among those that CPUID leaf 13 offers (pv_cpu_id()), with x87 and SSE.
 */
void pv_fpu_enable(uint64_t parts);

/* Bytes of a state area; constant after pv_fpu_init(). */
size_t pv_fpu_size(void);

/* Makes an area hold the state of a fresh task. */
void pv_fpu_clear(void *area);

/*
 * From now on this vCPU's vector registers belong to the task with this area, NULL for none (then
 * an instruction that uses them ends in pv_host_trap()).
 */
void pv_fpu_switch(void *area);

/*
 * Writes the registers back to the area whose task used them last on this vCPU, and forgets it.
 * To be called before that area is read, freed, or used on another vCPU.
 */
void pv_fpu_flush(void);

#ifdef __cplusplus
}
#endif
#endif
