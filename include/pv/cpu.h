/* SPDX-License-Identifier: MIT */
/*
 * cpu.h - what a kernel asks of its processor: stack, segment bases, descriptor tables, debug
 * registers, CPUID, port rights.
 *
 * All calls act on the calling vCPU. All return 0 or -XEN_E* except as noted. Context: any.
 * Reference: abi/arch-x86_64.h, abi/physdev.h.
 */
#ifndef PV_CPU_H
#define PV_CPU_H

#include <pv/types.h>
#include <pv/abi/arch-x86_64.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The stack on which the hypervisor enters the kernel from user mode: its top, 16-byte aligned. */
int pv_cpu_set_kernel_stack(void *top);

/*
 * Bases of FS and GS. The hypervisor exchanges the two GS bases when it changes between kernel and
 * user mode, so a kernel needs no SWAPGS. -XEN_EINVAL: not a canonical address.
 */
int pv_cpu_set_fs_base(uint64_t base);
int pv_cpu_set_gs_kernel_base(uint64_t base);
int pv_cpu_set_gs_user_base(uint64_t base);
int pv_cpu_set_gs_user_selector(uint16_t selector);

/*
 * Loads a descriptor table of `entries` descriptors that fills the given frames, which become
 * read-only in the linear map first and must be mapped writable nowhere else. Entries 7168 and up
 * are the hypervisor's. On failure the frames stay read-only: pv_pt_unprotect() them.
 */
int pv_cpu_load_gdt(const pfn_t *frames, unsigned entries);

/* Loads the local table: `entries` descriptors at va, page aligned, in read-only pages; 0 none. */
int pv_cpu_load_ldt(const void *va, unsigned entries);

/* Sets descriptor `index` of a table that is loaded and begins in `table`. */
int pv_cpu_set_descriptor(pfn_t table, unsigned index, uint64_t descriptor);

/* Debug registers 0-3, 6, 7. -XEN_EINVAL: no such register; -XEN_EPERM: value not allowed. */
int pv_cpu_set_debug(unsigned reg, uint64_t value);
uint64_t pv_cpu_get_debug(unsigned reg);

/* CPUID as the hypervisor wants this guest to see it (forced emulation). */
struct pv_cpuid {
    uint32_t eax, ebx, ecx, edx;
};
void pv_cpu_id(uint32_t leaf, uint32_t subleaf, struct pv_cpuid *out);

/* The same in the manner of many kernels. */
static inline void pv_cpu_id_regs(uint32_t leaf, uint32_t subleaf, uint32_t *eax, uint32_t *ebx,
                                  uint32_t *ecx, uint32_t *edx)
{
    struct pv_cpuid id;

    pv_cpu_id(leaf, subleaf, &id);
    *eax = id.eax;
    *ebx = id.ebx;
    *ecx = id.ecx;
    *edx = id.edx;
}

/* Xen's signature in CPUID's leaves at 0x40000000; *version gets major << 16 | minor. */
bool pv_cpu_on_xen(uint32_t *version);

/* The time-stamp counter. */
uint64_t pv_cpu_tsc(void);

/* May user mode use IN and OUT: from this level on (0..3; 3: yes), or per port by bitmap. */
int pv_cpu_set_iopl(unsigned level);
int pv_cpu_set_io_bitmap(const uint8_t *bitmap, unsigned ports);

#ifdef __cplusplus
}
#endif
#endif
