/* SPDX-License-Identifier: MIT */
/*
 * What the sources of the traps image share: a small user space to run programs in.
 */
#ifndef TESTS_GUESTS_TRAPS_H
#define TESTS_GUESTS_TRAPS_H

#include "t.h"

#define HC(n) XEN_HYPERVISOR_##n

/* The user space: one page of programs (traps_asm.S), one of data and stack. */
#define USER_CODE  0x400000ul
#define USER_DATA  0x402000ul
#define USER_STACK (USER_DATA + PAGE - 64)
#define USER_HOLE  0x404000ul /* the L1 entry there is for tests to fill */

extern uint8_t user_page[];
#define USER(label) (USER_CODE + (uint64_t)(u_##label - user_page))
extern const uint8_t u_leave[], u_syscall[], u_de[], u_ud[], u_load[], u_store[], u_int80[],
    u_int3[], u_cli[], u_hlt[], u_in[], u_out[], u_fs[], u_gs[], u_step[], u_step_end[],
    u_fpu_check[], u_code32[], u_code32_syscall[], u_code32_sysenter[], u_wrfsbase[], u_jump[];

extern uint64_t *user_l4, *user_l1;
extern uint8_t *user_data;

/* How user mode was left, the last time. */
extern struct rt_regs user_last;
extern struct {
    uint64_t cr2, kernel_sp;
    uint8_t mask;
} user_last_info;
void user_setup(void);
/* A register state that starts `rip` in user mode with everything else zero or sane. */
struct rt_regs user_regs(uint64_t rip);
/* Runs until a trap, syscall or failsafe callback comes from user mode; that is in user_last. */
void user_run(struct rt_regs *regs);

void trap_pf_codes(void), trap_pf_addresses(void), trap_arithmetic(void), trap_gp_codes(void),
    trap_software(void), trap_frame(void), trap_masking(void), trap_single_step(void),
    trap_breakpoints(void), trap_fpu_errors(void), trap_alignment(void), trap_nested(void),
    trap_plain_iretq(void);
void user_syscall(void), user_exceptions(void), user_page_fault(void), user_segment_bases(void),
    user_bad_iret(void), user_single_step(void), user_compat(void), user_sysenter(void),
    user_io(void), user_demand(void), user_iret_registers(void), user_dpl(void),
    user_callback_mask(void), user_fsgsbase(void);
void user_event(void), failsafe_segments(void);
void emul_control_registers(void), emul_debug_registers(void), emul_msrs(void), emul_cpuid(void),
    emul_xcr(void), emul_cache(void), emul_io(void), emul_refused(void), emul_cli_sti(void),
    emul_tsc(void);
void forced_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4]);
void fpu_preserved(void), fpu_taskswitch(void), fpu_vcpus(void), fpu_user(void);

#endif
