/* SPDX-License-Identifier: MIT
 *
 * cpuid.c - what guests are told of the processor, where the shim is asked (CPUID by forced
 * emulation; a plain CPUID does not trap on processors without CPUID faulting).
 *
 * A feature is shown when the processor has it and a PV guest can use it: one mask for each
 * word of features, as Xen 4.17 draws the line for PV. Whatever depends on the vCPU (OSXSAVE) is
 * the emulator's (core/emulate.c).
 */
#include "x86.h"
#include <pv/abi/cpuid.h>
#include "../core/platform.h"

enum {
    LEAF1_EDX = 0x1fc9cbf5, /* not VME PSE MTRR PGE PSE36 DS TM PBE: paging is the hypervisor's */
    LEAF7_EDX = 0x0000401c,
};
#define LEAF1_ECX 0xf6d83203u /* not MONITOR VMX SMX EIST x2APIC PCID TSC-deadline OSXSAVE */
#define LEAF7_EBX 0xfdaf2b69u /* not SMEP SMAP INVPCID MPX PT */
#define LEAF7_ECX 0x02405f43u /* not UMIP PKU CET LA57 */
#define EXT1_EDX  0xea500800u /* SYSCALL NX MMXEXT FFXSR RDTSCP LM 3DNow, and what repeats leaf 1 \
                               */
#define EXT1_ECX 0x042109e3u  /* not SVM and what belongs to it */
enum { EXT1_EDX_COMMON = 0x0183e3fd, XSTATE_SUB1 = 7 };

static uint32_t max_basic, max_extended;
static bool vendor_amd;

void cpuid_init(void)
{
    uint32_t r[4];

    cpuid(0, 0, r);
    max_basic = r[0] < 13 ? r[0] : 13;
    vendor_amd = r[2] == 0x444d4163; /* "cAMD" */
    cpuid(0x80000000, 0, r);
    max_extended = r[0] < 0x80000008 ? r[0] : 0x80000008;
}

static void hypervisor_leaf(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    switch (leaf) {
    case XEN_CPUID_LEAF(0):
        out[0] = XEN_CPUID_LEAF(XEN_CPUID_MAX_NUM_LEAVES);
        out[1] = XEN_CPUID_SIGNATURE_EBX;
        out[2] = XEN_CPUID_SIGNATURE_ECX;
        out[3] = XEN_CPUID_SIGNATURE_EDX;
        break;
    case XEN_CPUID_LEAF(1):
        out[0] = 4 << 16 | 17;
        break;
    case XEN_CPUID_LEAF(2):
        out[0] = 1;
        out[1] = 0x40000000;
        out[2] = XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD;
        break;
    case XEN_CPUID_LEAF(3):
        if (sub == 0) {
            out[0] = 2 << 1; /* the TSC is reliable; it is the guest's own reading */
            out[1] = 2;
            out[2] = (uint32_t)hv.tsc_khz;
        } else if (sub == 1) {
            out[2] = hv.tsc_to_system_mul;
            out[3] = (uint32_t)hv.tsc_shift;
        } else if (sub == 2) {
            out[0] = (uint32_t)hv.tsc_khz;
        }
        break;
    }
}

static void basic_leaf(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    cpuid(leaf, sub, out);
    switch (leaf) {
    case 0:
        out[0] = max_basic;
        break;
    case 1:
        out[2] = (out[2] & LEAF1_ECX) | 1u << 31;
        out[3] &= LEAF1_EDX;
        break;
    case 7:
        out[0] = 0;
        out[1] = sub ? 0 : out[1] & LEAF7_EBX;
        out[2] = sub ? 0 : out[2] & LEAF7_ECX;
        out[3] = sub ? 0 : out[3] & LEAF7_EDX;
        break;
    case 3:
    case 5:
    case 6:
    case 8:
    case 9:
    case 10:
    case 12: /* power, counters: not a guest's */
        out[0] = out[1] = out[2] = out[3] = 0;
        break;
    case 13:
        if (sub == 0) {
            out[0] = (uint32_t)fpu_xcr0_all;
            out[2] = fpu_area_size;
            out[3] = 0;
        } else if (sub == 1) {
            out[0] &= XSTATE_SUB1;
            out[1] = out[2] = out[3] = 0;
        } else if (sub > 31 || !(fpu_xcr0_all >> sub & 1)) {
            out[0] = out[1] = out[2] = out[3] = 0;
        }
        break;
    }
}

static void extended_leaf(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    cpuid(leaf, sub, out);
    switch (leaf) {
    case 0x80000000:
        out[0] = max_extended;
        break;
    case 0x80000001:
        out[2] &= EXT1_ECX;
        out[3] &= EXT1_EDX | (vendor_amd ? EXT1_EDX_COMMON & LEAF1_EDX : 0);
        break;
    case 0x80000008:
        out[1] &= 5;
        out[2] = out[3] = 0;
        break;
    case 0x80000007:
        out[0] = out[1] = out[2] = 0;
        out[3] &= 1 << 8; /* invariant TSC */
        break;
    }
}

void plat_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    if (leaf <= max_basic) {
        basic_leaf(leaf, sub, out);
        return;
    }
    if (leaf >= 0x80000000 && leaf <= max_extended) {
        extended_leaf(leaf, sub, out);
        return;
    }
    out[0] = out[1] = out[2] = out[3] = 0;
    if (leaf >> 8 == XEN_CPUID_FIRST_LEAF >> 8)
        hypervisor_leaf(leaf, sub, out);
}

/* Registers that a guest may read as they are. */
bool plat_msr_read(uint32_t msr, uint64_t *value)
{
    return rdmsr_safe(msr, value);
}
