/* SPDX-License-Identifier: MIT
 *
 * decode: what core/decode.c makes of single instructions, chosen by hand: every kind that the
 * emulator knows, the edges of prefixes and lengths, and where operands are. The breadth is in
 * tests/fuzz/decode_zydis.c and decode_exec.c; here stands what they can't say.
 */
#include <criterion/criterion.h>
#include "core/decode.h"

#define DECODE(i, ...)                                 \
    ({                                                 \
        static const uint8_t bytes_[] = {__VA_ARGS__}; \
        insn_decode((i), bytes_, sizeof(bytes_));      \
    })

#define IS(op_, ...)                                                                            \
    do {                                                                                        \
        struct insn i_;                                                                         \
        static const uint8_t b_[] = {__VA_ARGS__};                                              \
        cr_assert(insn_decode(&i_, b_, sizeof(b_)), #op_ " is not decoded");                    \
        cr_assert_eq(i_.op, (op_));                                                             \
        cr_assert_eq(i_.length, sizeof(b_));                                                    \
        for (size_t n_ = 0; n_ < sizeof(b_); n_++)                                              \
            cr_assert(!insn_decode(&i_, b_, n_), #op_ " is decoded from %zu of its bytes", n_); \
    } while (0)

/* Every privileged instruction, whole and cut short anywhere. */
Test(decode, privileged)
{
    IS(INSN_INT, 0xcd, 0x80);
    IS(INSN_CLI, 0xfa);
    IS(INSN_STI, 0xfb);
    IS(INSN_HLT, 0xf4);
    IS(INSN_CLTS, 0x0f, 0x06);
    IS(INSN_INVD, 0x0f, 0x08);
    IS(INSN_WBINVD, 0x0f, 0x09);
    IS(INSN_LMSW, 0x0f, 0x01, 0xf0);
    IS(INSN_INVLPG, 0x0f, 0x01, 0x38);
    IS(INSN_MOV_FROM_CR, 0x0f, 0x20, 0xd8);
    IS(INSN_MOV_TO_CR, 0x44, 0x0f, 0x22, 0xc7);
    IS(INSN_MOV_FROM_DR, 0x0f, 0x21, 0xf8);
    IS(INSN_MOV_TO_DR, 0x0f, 0x23, 0xf8);
    IS(INSN_RDMSR, 0x0f, 0x32);
    IS(INSN_WRMSR, 0x0f, 0x30);
    IS(INSN_RDTSC, 0x0f, 0x31);
    IS(INSN_RDTSCP, 0x0f, 0x01, 0xf9);
    IS(INSN_RDPMC, 0x0f, 0x33);
    IS(INSN_CPUID, 0x0f, 0xa2);
    IS(INSN_XSETBV, 0x0f, 0x01, 0xd1);
    IS(INSN_IN, 0xe4, 0x60);
    IS(INSN_OUT, 0x66, 0xef);
    IS(INSN_INS, 0xf3, 0x6c);
    IS(INSN_OUTS, 0x65, 0x6f);
}

/* The usual ways to write a page-table entry. */
Test(decode, table_writes)
{
    IS(INSN_MOV, 0x48, 0x89, 0x07);
    IS(INSN_MOV, 0x48, 0xc7, 0x04, 0x8f, 0, 0, 0, 0);
    IS(INSN_MOV, 0x48, 0x89, 0x05, 0, 0, 0, 0);
    IS(INSN_XCHG, 0x48, 0x87, 0x07);
    IS(INSN_CMPXCHG, 0xf0, 0x48, 0x0f, 0xb1, 0x0f);
    IS(INSN_XADD, 0xf0, 0x48, 0x0f, 0xc1, 0x07);
    IS(INSN_AND, 0xf0, 0x48, 0x83, 0x27, 0xfd);
    IS(INSN_OR, 0xf0, 0x48, 0x09, 0x07);
    IS(INSN_BTR, 0xf0, 0x48, 0x0f, 0xba, 0x37, 0x01);
    IS(INSN_BTS, 0xf0, 0x0f, 0xba, 0x2f, 0x05);
    IS(INSN_MOVNTI, 0x48, 0x0f, 0xc3, 0x07);
    IS(INSN_STOS, 0xf3, 0x48, 0xab);
    IS(INSN_INC, 0x48, 0xff, 0x07);
}

/* What is not in the set, and what the processor refuses, is never a guess. */
Test(decode, refused)
{
    struct insn i;

    cr_assert(!DECODE(&i, 0x90));                   /* nop */
    cr_assert(!DECODE(&i, 0x0f, 0x05));             /* syscall */
    cr_assert(!DECODE(&i, 0x0f, 0x22, 0xc8));       /* there is no CR1 */
    cr_assert(!DECODE(&i, 0x44, 0x0f, 0x23, 0xc0)); /* nor DR8 */
    cr_assert(!DECODE(&i, 0xf0, 0x48, 0x89, 0x07)); /* LOCK MOV */
    cr_assert(!DECODE(&i, 0xf0, 0x48, 0x01, 0xc0)); /* LOCK on a register */
    cr_assert(!DECODE(&i, 0xf0, 0x48, 0x03, 0x07)); /* LOCK with memory as source */
    cr_assert(!DECODE(&i, 0x0f, 0xc3, 0xc0));       /* MOVNTI to a register */
    cr_assert(!DECODE(&i, 0xc7, 0x0f, 0, 0, 0, 0)); /* C7 /1 */
    cr_assert(!DECODE(&i, 0xff, 0x17));             /* call */
    cr_assert(!DECODE(&i, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                      0x66, 0x66, 0x89, 0x07)); /* 16 bytes: one too many */
    cr_assert(!insn_decode(&i, NULL, 0));
}

/* A REX that is not next to the opcode does not count. */
Test(decode, stray_rex)
{
    struct insn i;

    cr_assert(DECODE(&i, 0x48, 0x66, 0x89, 0x07));
    cr_assert_eq(i.bytes, 2);
    cr_assert(DECODE(&i, 0x66, 0x48, 0x89, 0x07));
    cr_assert_eq(i.bytes, 8);
}

Test(decode, addresses)
{
    struct xen_cpu_user_regs regs = {
        .rip = 0x1000, .rdi = 0x10000, .rcx = 3, .r12 = 0x500, .rsp = 0x7000};
    struct insn i;

    cr_assert(DECODE(&i, 0x48, 0x89, 0x05, 0x10, 0, 0, 0)); /* mov %rax, 0x10(%rip) */
    cr_assert_eq(insn_address(&i, &regs, 0), 0x1000u + 7 + 0x10);
    cr_assert(DECODE(&i, 0x48, 0x89, 0x44, 0xcf, 0xf8)); /* -8(%rdi,%rcx,8) */
    cr_assert_eq(insn_address(&i, &regs, 0), 0x10000u + 24 - 8);
    cr_assert(DECODE(&i, 0x49, 0x89, 0x04, 0x24)); /* (%r12) */
    cr_assert_eq(insn_address(&i, &regs, 0), 0x500u);
    cr_assert(DECODE(&i, 0x65, 0x48, 0x89, 0x04, 0x25, 8, 0, 0, 0)); /* %gs:8 */
    cr_assert_eq(i.segment, INSN_SEG_GS);
    cr_assert_eq(insn_address(&i, &regs, 0xf000), 0xf008u);
    cr_assert(DECODE(&i, 0x48, 0xa3, 1, 2, 3, 4, 5, 6, 7, 8)); /* movabs %rax, ... */
    cr_assert_eq(insn_address(&i, &regs, 0), 0x0807060504030201u);
    regs.rdi = 0x1fffffffful;
    cr_assert(DECODE(&i, 0x67, 0x48, 0x89, 0x47, 0x02)); /* 2(%edi) wraps at 4 GiB */
    cr_assert_eq(insn_address(&i, &regs, 0), 1u);
}

/* A bit number beyond the operand moves the address, backwards too. */
Test(decode, bit_strings)
{
    struct xen_cpu_user_regs regs = {.rdi = 0x1000, .rax = (uint64_t)-1};
    struct insn i;

    cr_assert(DECODE(&i, 0x48, 0x0f, 0xab, 0x07));
    cr_assert_eq(insn_address(&i, &regs, 0), 0xff8u);
    regs.rax = 64;
    cr_assert_eq(insn_address(&i, &regs, 0), 0x1008u);
    cr_assert(DECODE(&i, 0x0f, 0xab, 0x07)); /* by 4 bytes */
    regs.rax = 33;
    cr_assert_eq(insn_address(&i, &regs, 0), 0x1004u);
}

/* AH..BH exist only without a REX prefix; writing 4 bytes clears the rest. */
Test(decode, registers)
{
    struct xen_cpu_user_regs regs = {.rax = 0x1122334455667788, .rsp = 0xaabb};

    cr_assert_eq(insn_reg_get(&regs, 4, 1, true), 0x77u);
    cr_assert_eq(insn_reg_get(&regs, 4, 1, false), 0xbbu);
    insn_reg_set(&regs, 4, 1, true, 0xee);
    cr_assert_eq(regs.rax, 0x112233445566ee88u);
    insn_reg_set(&regs, 0, 2, false, 0xffff1234);
    cr_assert_eq(regs.rax, 0x1122334455661234u);
    insn_reg_set(&regs, 0, 4, false, ~0ull);
    cr_assert_eq(regs.rax, 0xffffffffu);
}

/* REP STOS by steps: rdi moves, rcx counts, the direction flag counts. */
Test(decode, stos_steps)
{
    struct xen_cpu_user_regs regs = {.rdi = 0x1000, .rcx = 5, .rax = 0x123, .rflags = 0x400};
    struct insn i;
    uint64_t value;

    cr_assert(DECODE(&i, 0xf3, 0x48, 0xab));
    cr_assert(insn_store(&i, &regs, 0, &value));
    cr_assert_eq(value, 0x123u);
    cr_assert_eq(regs.rdi, 0xff8u);
    cr_assert_eq(regs.rcx, 4u);
}
