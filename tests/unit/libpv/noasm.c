/* SPDX-License-Identifier: MIT */
/*
 * noasm.c - stand-ins for libpv's assembly in tests that run in a process: names that the library
 * wants, and none that may be executed.
 */
#include <pv/pv.h>

const char pv_trap_stubs[16 * PV_TRAP_VECTORS], pv_trap_crit_begin[8], pv_trap_crit_end[1];
void pv_cpu_begin(void);
void pv_cpu_begin(void) {}
void pv_trap_resume(struct pv_regs *regs) __attribute__((noreturn));
void pv_trap_resume(struct pv_regs *regs)
{
    (void)regs;
    __builtin_trap();
}
#define NEVER(name)                        \
    void name(void *area, uint64_t parts); \
    void name(void *area, uint64_t parts)  \
    {                                      \
        (void)area, (void)parts;           \
        __builtin_trap();                  \
    }
NEVER(pv_fpu_fxsave)
NEVER(pv_fpu_fxrstor)
NEVER(pv_fpu_xsave)
NEVER(pv_fpu_xrstor)
void pv_fpu_enable(uint64_t parts)
{
    (void)parts;
    __builtin_trap();
}
