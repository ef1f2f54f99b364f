/* SPDX-License-Identifier: MIT
 *
 * decode.h - a small decoder for the x86-64 instructions that the hypervisor carries out in a
 * guest's stead, in 64-bit code: privileged instructions, port I/O, and the ordinary ways to
 * write 1, 2, 4 or 8 bytes of memory (page-table entries).
 *
 *      bytes --insn_decode()--> struct insn --+-- insn_address()  where it reads or writes
 *                                             +-- insn_store()    what it would leave there
 *
 * Pure functions over data: nothing here touches a guest's memory, a vCPU or the processor. An
 * instruction outside of the set is INSN_UNKNOWN, never a guess; whatever is accepted agrees
 * with Zydis in length, operands and meaning (tests/fuzz/decode_zydis.c).
 */
#ifndef HV_DECODE_H
#define HV_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <pv/abi/arch-x86_64.h>

enum insn_op {
    INSN_UNKNOWN,
    /* -- memory or register destination: insn_store() knows them all, down to INSN_MOVS -- */
    INSN_ADD,
    INSN_OR,
    INSN_ADC,
    INSN_SBB,
    INSN_AND,
    INSN_SUB,
    INSN_XOR,
    INSN_CMP, /* in this order */
    INSN_TEST,
    INSN_MOV,
    INSN_XCHG,
    INSN_NOT,
    INSN_NEG,
    INSN_INC,
    INSN_DEC,
    INSN_BT,
    INSN_BTS,
    INSN_BTR,
    INSN_BTC, /* in this order */
    INSN_CMPXCHG,
    INSN_XADD,
    INSN_MOVNTI,
    INSN_STOS,
    INSN_MOVS,
    /* -- port I/O -- */
    INSN_IN,
    INSN_OUT,
    INSN_INS,
    INSN_OUTS,
    /* -- privileged, or nearly -- */
    INSN_INT,
    INSN_CLI,
    INSN_STI,
    INSN_HLT,
    INSN_CLTS,
    INSN_INVD,
    INSN_WBINVD,
    INSN_LMSW,
    INSN_INVLPG,
    INSN_MOV_FROM_CR,
    INSN_MOV_TO_CR,
    INSN_MOV_FROM_DR,
    INSN_MOV_TO_DR, /* reg: CRn/DRn, rm: register */
    INSN_RDMSR,
    INSN_WRMSR,
    INSN_RDTSC,
    INSN_RDTSCP,
    INSN_RDPMC,
    INSN_CPUID,
    INSN_XSETBV,
};

/* Where the value that goes into the destination comes from. */
enum insn_source {
    SRC_NONE,
    SRC_REG,
    SRC_IMM,
    SRC_RM /* destination is a register, source is r/m */
};

enum { INSN_MAX = 15, INSN_NO_REG = 0xff, INSN_REG_RIP = 16 };

/* Segments as their override prefixes: only FS and GS have a base in 64-bit code. */
enum insn_segment { INSN_SEG_NONE, INSN_SEG_FS, INSN_SEG_GS };

struct insn {
    uint8_t op;     /* enum insn_op */
    uint8_t length; /* bytes; 0: unknown */
    uint8_t bytes;  /* operand size: 1, 2, 4, 8 */
    uint8_t source; /* enum insn_source */
    uint8_t reg;    /* register operand (ModRM.reg or implied), 0..15 */
    uint8_t rm;     /* register number when !memory, else INSN_NO_REG */
    bool memory;    /* r/m, or the string destination, is memory */
    bool high_reg;  /* reg 4..7 of 1 byte means AH..BH: no REX prefix was given */
    bool lock, rep, repne;
    uint8_t base; /* address = base + index << scale + disp: 0..15, RIP, or NO_REG */
    uint8_t index, scale;
    uint8_t address_bytes; /* 8, or 4 with an address-size prefix */
    uint8_t segment;       /* enum insn_segment */
    int64_t disp;
    uint64_t imm; /* sign-extended; the port of IN/OUT imm8; n of INT n */
};

/* Decode the instruction at the beginning of `code`, of which n (up to INSN_MAX) bytes are at hand.
 * True: *i describes it. False: it is not in the set, not valid, or longer than n. */
bool insn_decode(struct insn *i, const uint8_t *code, size_t n);

/* The linear address of i's memory operand; regs.rip is the instruction's own.
 * segbase: the base of i->segment if it has one, else 0. */
uint64_t insn_address(const struct insn *i, const struct xen_cpu_user_regs *regs, uint64_t segbase);

/* The linear address that a MOVS or OUTS reads; segbase as above, for this operand alone. */
uint64_t insn_source_address(const struct insn *i, const struct xen_cpu_user_regs *regs,
                             uint64_t segbase);

/* Carry out i (INSN_ADD .. INSN_MOVS) on a destination that holds `old`. *value: what it holds
 * after, cut to i->bytes; registers and arithmetic flags in regs change as the processor's would
 * (also rdi, rsi and rcx of one STOS or MOVS step), rip does not. For MOVS *value is, before,
 * what it read. Returns whether the destination is written at
 * all (not by CMP, TEST, BT). With SRC_RM `old` is what r/m holds, and the register is written. */
bool insn_store(const struct insn *i, struct xen_cpu_user_regs *regs, uint64_t old,
                uint64_t *value);

/* Register n (0..15: rax rcx rdx rbx rsp rbp rsi rdi r8 ...) of a frame, all 64 bits. */
uint64_t *insn_reg(struct xen_cpu_user_regs *regs, unsigned n);
/* The same by size, as an instruction reads it, and as it writes it (4 bytes clear the upper half).
 */
uint64_t insn_reg_get(const struct xen_cpu_user_regs *regs, unsigned n, unsigned bytes, bool high);
void insn_reg_set(struct xen_cpu_user_regs *regs, unsigned n, unsigned bytes, bool high,
                  uint64_t value);

#endif
