/* SPDX-License-Identifier: MIT */
/*
 * fpu.c - lazy switching of floating-point and vector state.
 *
 * Invariant, per vCPU: if owner == current, the registers hold current's state and TS is clear; if
 * not, TS is set, and the registers hold owner's state (owner may be NULL: nobody's).
 */
#include <pv/fpu.h>
#include <pv/cpu.h>
#include <pv/host.h>
#include <pv/hypercall.h>
#include <pv/trap.h>
#include "internal.h"

void pv_fpu_fxsave(void *area);
void pv_fpu_fxrstor(const void *area);
void pv_fpu_xsave(void *area, uint64_t parts);
void pv_fpu_xrstor(const void *area, uint64_t parts);

#define FXSAVE_BYTES 512
#define XSTATE_LEAF  0xd
#define CPUID1_XSAVE (1u << 26)
#define FCW_DEFAULT  0x037f
#define MXCSR_OFFSET 24
#define MXCSR_RESET  0x1f80

static struct {
    void *owner, *current;
} fpu[XEN_LEGACY_MAX_VCPUS];

static uint64_t enabled; /* parts under XSAVE; 0: FXSAVE */
static uint32_t bytes = FXSAVE_BYTES;

static void save(void *area)
{
    if (enabled)
        pv_fpu_xsave(area, enabled);
    else
        pv_fpu_fxsave(area);
}

static void load(const void *area)
{
    if (enabled)
        pv_fpu_xrstor(area, enabled);
    else
        pv_fpu_fxrstor(area);
}

/* The hypervisor has cleared TS before it bounced the trap. */
static void not_available(struct pv_regs *regs)
{
    unsigned cpu = pv_this_cpu();

    if (!fpu[cpu].current) {
        pv_host_trap(regs);
        return;
    }
    if (fpu[cpu].owner)
        save(fpu[cpu].owner);
    load(fpu[cpu].current);
    fpu[cpu].owner = fpu[cpu].current;
}

uint64_t pv_fpu_init(uint64_t parts)
{
    struct pv_cpuid id;

    pv_cpu_id(1, 0, &id);
    if ((parts & ~(uint64_t)(PV_FPU_X87 | PV_FPU_SSE)) && (id.ecx & CPUID1_XSAVE)) {
        pv_cpu_id(XSTATE_LEAF, 0, &id);
        enabled = (parts | PV_FPU_X87 | PV_FPU_SSE) & ((uint64_t)id.edx << 32 | id.eax);
        pv_fpu_enable(enabled);
        pv_cpu_id(XSTATE_LEAF, 0, &id);
        bytes = id.ebx; /* for what XCR0 enables now */
    }
    pv_trap_handle(PV_TRAP_NO_FPU, not_available);
    pv_fpu_switch(NULL);
    return enabled ? enabled : PV_FPU_X87 | PV_FPU_SSE;
}

size_t pv_fpu_size(void)
{
    return bytes;
}

void pv_fpu_clear(void *area)
{
    uint16_t fcw = FCW_DEFAULT;
    uint32_t mxcsr = MXCSR_RESET;

    /* An XSAVE header of zeros means the initial state of all parts. */
    __builtin_memset(area, 0, bytes);
    __builtin_memcpy(area, &fcw, sizeof(fcw));
    __builtin_memcpy((char *)area + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
}

void pv_fpu_switch(void *area)
{
    unsigned cpu = pv_this_cpu();

    fpu[cpu].current = area;
    pv_hypercall_fpu_taskswitch(!area || fpu[cpu].owner != area);
}

void pv_fpu_flush(void)
{
    unsigned cpu = pv_this_cpu();

    if (!fpu[cpu].owner)
        return;
    pv_hypercall_fpu_taskswitch(false);
    save(fpu[cpu].owner);
    fpu[cpu].owner = NULL;
    pv_hypercall_fpu_taskswitch(true);
}
