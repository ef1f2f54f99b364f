/* SPDX-License-Identifier: MIT */
/*
 * abi/cpuid.h - how a guest knows that it runs on Xen, or on what speaks Xen's ABI.
 *
 * A PV guest must execute CPUID with the emulation prefix (abi/arch-x86_64.h) to see these leaves.
 *
 * Reference: xen/include/public/arch-x86/cpuid.h (libxen-dev).
 */
#ifndef PV_ABI_CPUID_H
#define PV_ABI_CPUID_H

#define XEN_CPUID_FIRST_LEAF 0x40000000 /* eax: highest leaf; ebx, ecx, edx: "XenVMMXenVMM" */
#define XEN_CPUID_LEAF(i)    (XEN_CPUID_FIRST_LEAF + (i))

#define XEN_CPUID_SIGNATURE_EBX 0x566e6558
#define XEN_CPUID_SIGNATURE_ECX 0x65584d4d
#define XEN_CPUID_SIGNATURE_EDX 0x4d4d566e

/* Leaf 1: eax is the version, major << 16 | minor. */

/* Leaf 2: eax pages of hypercalls (HVM), ebx the MSR to ask for them, ecx these features. */
#define XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD 1

#define XEN_CPUID_MAX_NUM_LEAVES 5

#endif
