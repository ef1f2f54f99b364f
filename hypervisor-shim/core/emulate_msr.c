/* SPDX-License-Identifier: MIT
 *
 * emulate_msr.c - see emulate_msr.h. The list is Xen 4.17's for PV guests.
 *
 * Invariant: a guest never reads a register of the machine that tells about the hypervisor or
 * another guest, and never writes one but its own segment bases.
 */
#include "emulate_msr.h"
#include "domain.h"
#include "platform.h"

enum {
    MSR_PLATFORM_ID = 0x17,
    MSR_TSC = 0x10,
    MSR_APIC_BASE = 0x1b,
    MSR_UCODE_REV = 0x8b,
    MSR_PLATFORM_INFO = 0xce,
    MSR_MISC_FEATURES = 0x140,
    MSR_MCG_CAP = 0x179,
    MSR_MCG_CTL = 0x17b,
    MSR_PERF_STATUS = 0x198,
    MSR_PERF_CTL = 0x199,
    MSR_THERM_STATUS = 0x19c,
    MSR_MISC_ENABLE = 0x1a0,
    MSR_PAT = 0x277,
    MSR_PERF_CAPABILITIES = 0x345,
    MSR_MC0_CTL = 0x400,
    MSR_MC_LAST = 0x47f,
};
#define MSR_EFER      0xc0000080u
#define MSR_FS_BASE   0xc0000100u
#define MSR_GS_BASE   0xc0000101u
#define MSR_SHADOW_GS 0xc0000102u

/* The hypervisor's PAT: what a guest's entries mean by PWT, PCD and PAT. */
#define PAT_VALUE  0x050100070406ull
#define EFER_SHOWN 0x4d01ull /* SCE LME LMA NXE FFXSR */

enum {
    MISC_PERF = 1 << 7,
    MISC_BTS_UNAVAILABLE = 1 << 11,
    MISC_PEBS_UNAVAILABLE = 1 << 12,
    MISC_MONITOR = 1 << 18,
    MISC_XTPR_OFF = 1 << 23
};

static bool canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

static bool segment_base(uint32_t msr, unsigned *which)
{
    static const uint8_t base[] = {SEGBASE_FS, SEGBASE_GS_KERNEL, SEGBASE_GS_USER};

    if (msr < MSR_FS_BASE || msr > MSR_SHADOW_GS)
        return false;
    *which = base[msr - MSR_FS_BASE];
    return true;
}

static bool misc_enable(uint64_t *value)
{
    if (!plat_msr_read(MSR_MISC_ENABLE, value))
        return false;
    *value &= ~(uint64_t)(MISC_PERF | MISC_MONITOR);
    *value |= MISC_BTS_UNAVAILABLE | MISC_PEBS_UNAVAILABLE | MISC_XTPR_OFF;
    return true;
}

static bool efer(uint64_t *value)
{
    if (!plat_msr_read(MSR_EFER, value))
        return false;
    *value &= EFER_SHOWN;
    return true;
}

bool emulate_msr_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    unsigned which;

    if (segment_base(msr, &which)) {
        plat_segbase_save(v);
        *value = v->segbase[which];
        return true;
    }
    *value = 0;
    switch (msr) {
    case MSR_TSC:
        *value = plat_tsc();
        return true;
    case MSR_APIC_BASE:
        *value = 0xfee00800 | (v->id == 0 ? 0x100 : 0);
        return true;
    case MSR_EFER:
        return efer(value);
    case MSR_PAT:
        *value = PAT_VALUE;
        return true;
    case MSR_MISC_ENABLE:
        return misc_enable(value);
    case MSR_PLATFORM_ID:
    case MSR_UCODE_REV:
        return plat_msr_read(msr, value);
    case MSR_PLATFORM_INFO:
    case MSR_MISC_FEATURES:
    case MSR_PERF_CAPABILITIES:
    case MSR_PERF_STATUS:
    case MSR_PERF_CTL:
    case MSR_THERM_STATUS:
        return true;
    }
    /* Machine checks: no banks to look at, but looking is allowed. */
    return (msr >= MSR_MCG_CAP && msr <= MSR_MCG_CTL) || (msr >= MSR_MC0_CTL && msr <= MSR_MC_LAST);
}

bool emulate_msr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    unsigned which;
    uint64_t now;

    if (segment_base(msr, &which))
        return canonical(value) && plat_segbase_load(v, which, value);
    switch (msr) {
    case MSR_EFER: /* the present value may be written back */
        return efer(&now) && now == value;
    case MSR_MISC_ENABLE: /* any other value is ignored */
        return misc_enable(&now);
    case MSR_UCODE_REV:
        return true;
    case MSR_MISC_FEATURES:
        return value == 0;
    }
    return (msr >= MSR_MCG_CAP && msr <= MSR_MCG_CTL) || (msr >= MSR_MC0_CTL && msr <= MSR_MC_LAST);
}
