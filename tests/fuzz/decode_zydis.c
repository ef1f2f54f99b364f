/* SPDX-License-Identifier: MIT
 *
 * decode_zydis: core/decode.c against Zydis, on random bytes that are biased towards the
 * instructions that both know.
 *
 * What we accept must agree with Zydis in length, operation, operand sizes, registers, address
 * and immediate; what Zydis says is in our set must be accepted. Deterministic: argv[1] is the
 * number of tries (2,000,000), argv[2] the seed.
 */
#include <Zydis/Zydis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/decode.h"

static uint64_t state;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static const uint16_t mnemonic[] = {
    [INSN_ADD] = ZYDIS_MNEMONIC_ADD,       [INSN_OR] = ZYDIS_MNEMONIC_OR,
    [INSN_ADC] = ZYDIS_MNEMONIC_ADC,       [INSN_SBB] = ZYDIS_MNEMONIC_SBB,
    [INSN_AND] = ZYDIS_MNEMONIC_AND,       [INSN_SUB] = ZYDIS_MNEMONIC_SUB,
    [INSN_XOR] = ZYDIS_MNEMONIC_XOR,       [INSN_CMP] = ZYDIS_MNEMONIC_CMP,
    [INSN_TEST] = ZYDIS_MNEMONIC_TEST,     [INSN_MOV] = ZYDIS_MNEMONIC_MOV,
    [INSN_XCHG] = ZYDIS_MNEMONIC_XCHG,     [INSN_NOT] = ZYDIS_MNEMONIC_NOT,
    [INSN_NEG] = ZYDIS_MNEMONIC_NEG,       [INSN_INC] = ZYDIS_MNEMONIC_INC,
    [INSN_DEC] = ZYDIS_MNEMONIC_DEC,       [INSN_BT] = ZYDIS_MNEMONIC_BT,
    [INSN_BTS] = ZYDIS_MNEMONIC_BTS,       [INSN_BTR] = ZYDIS_MNEMONIC_BTR,
    [INSN_BTC] = ZYDIS_MNEMONIC_BTC,       [INSN_CMPXCHG] = ZYDIS_MNEMONIC_CMPXCHG,
    [INSN_XADD] = ZYDIS_MNEMONIC_XADD,     [INSN_MOVNTI] = ZYDIS_MNEMONIC_MOVNTI,
    [INSN_IN] = ZYDIS_MNEMONIC_IN,         [INSN_OUT] = ZYDIS_MNEMONIC_OUT,
    [INSN_INT] = ZYDIS_MNEMONIC_INT,       [INSN_CLI] = ZYDIS_MNEMONIC_CLI,
    [INSN_STI] = ZYDIS_MNEMONIC_STI,       [INSN_HLT] = ZYDIS_MNEMONIC_HLT,
    [INSN_CLTS] = ZYDIS_MNEMONIC_CLTS,     [INSN_INVD] = ZYDIS_MNEMONIC_INVD,
    [INSN_WBINVD] = ZYDIS_MNEMONIC_WBINVD, [INSN_LMSW] = ZYDIS_MNEMONIC_LMSW,
    [INSN_INVLPG] = ZYDIS_MNEMONIC_INVLPG, [INSN_MOV_FROM_CR] = ZYDIS_MNEMONIC_MOV,
    [INSN_MOV_TO_CR] = ZYDIS_MNEMONIC_MOV, [INSN_MOV_FROM_DR] = ZYDIS_MNEMONIC_MOV,
    [INSN_MOV_TO_DR] = ZYDIS_MNEMONIC_MOV, [INSN_RDMSR] = ZYDIS_MNEMONIC_RDMSR,
    [INSN_WRMSR] = ZYDIS_MNEMONIC_WRMSR,   [INSN_RDTSC] = ZYDIS_MNEMONIC_RDTSC,
    [INSN_RDTSCP] = ZYDIS_MNEMONIC_RDTSCP, [INSN_RDPMC] = ZYDIS_MNEMONIC_RDPMC,
    [INSN_CPUID] = ZYDIS_MNEMONIC_CPUID,   [INSN_XSETBV] = ZYDIS_MNEMONIC_XSETBV,
};

static bool is_string(unsigned op)
{
    return op == INSN_STOS || op == INSN_MOVS || op == INSN_INS || op == INSN_OUTS;
}

static bool string_mnemonic(unsigned op, unsigned m, unsigned bytes)
{
    static const uint16_t stos[] = {
        0, ZYDIS_MNEMONIC_STOSB, ZYDIS_MNEMONIC_STOSW, 0, ZYDIS_MNEMONIC_STOSD, 0, 0,
        0, ZYDIS_MNEMONIC_STOSQ};
    static const uint16_t movs[] = {
        0, ZYDIS_MNEMONIC_MOVSB, ZYDIS_MNEMONIC_MOVSW, 0, ZYDIS_MNEMONIC_MOVSD, 0, 0,
        0, ZYDIS_MNEMONIC_MOVSQ};
    static const uint16_t ins[] = {0, ZYDIS_MNEMONIC_INSB, ZYDIS_MNEMONIC_INSW, 0,
                                   ZYDIS_MNEMONIC_INSD};
    static const uint16_t outs[] = {0, ZYDIS_MNEMONIC_OUTSB, ZYDIS_MNEMONIC_OUTSW, 0,
                                    ZYDIS_MNEMONIC_OUTSD};

    switch (op) {
    case INSN_STOS:
        return m == stos[bytes];
    case INSN_MOVS:
        return m == movs[bytes];
    case INSN_INS:
        return bytes <= 4 && m == ins[bytes];
    default:
        return bytes <= 4 && m == outs[bytes];
    }
}

static unsigned reg_number(ZydisRegister r)
{
    if (r == ZYDIS_REGISTER_NONE)
        return INSN_NO_REG;
    if (r == ZYDIS_REGISTER_RIP || r == ZYDIS_REGISTER_EIP)
        return INSN_REG_RIP;
    return (unsigned)ZydisRegisterGetId(r);
}

static const char *memory_differs(const struct insn *i, const ZydisDecodedOperand *o,
                                  const ZydisDecodedInstruction *z)
{
    int64_t disp = o->mem.disp.value;

    if (z->address_width / 8 != i->address_bytes)
        return "address size";
    if (reg_number(o->mem.base) != i->base)
        return "base";
    if (reg_number(o->mem.index) != i->index)
        return "index";
    if (i->index != INSN_NO_REG && o->mem.scale != 1 << i->scale)
        return "scale";
    if (disp != i->disp && !(i->address_bytes == 4 && (uint32_t)disp == (uint32_t)i->disp))
        return "displacement";
    if ((o->mem.segment == ZYDIS_REGISTER_FS) != (i->segment == INSN_SEG_FS) ||
        (o->mem.segment == ZYDIS_REGISTER_GS) != (i->segment == INSN_SEG_GS))
        return "segment";
    return NULL;
}

static unsigned byte_reg(ZydisRegister r, bool high)
{
    /* Zydis numbers AL CL DL BL AH CH DH BH SPL BPL SIL DIL R8B ... */
    int n = r - ZYDIS_REGISTER_AL;

    if (n < 8)
        return (unsigned)n;
    return high ? 255u : (unsigned)n - 4;
}

static unsigned operand_reg(const ZydisDecodedOperand *o, const struct insn *i)
{
    ZydisRegister r = o->reg.value;

    if (ZydisRegisterGetClass(r) == ZYDIS_REGCLASS_GPR8)
        return byte_reg(r, i->high_reg);
    return (unsigned)ZydisRegisterGetId(r);
}

/* The operands that are written out: destination first. */
static const char *operands_differ(const struct insn *i, const ZydisDecodedInstruction *z,
                                   const ZydisDecodedOperand *o)
{
    const ZydisDecodedOperand *rm = NULL, *reg = NULL, *imm = NULL;

    if (i->op == INSN_IN || i->op == INSN_OUT) {
        imm = &o[i->op == INSN_IN ? 1 : 0];
        if ((imm->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) != (i->source == SRC_IMM))
            return "port form";
        return i->source == SRC_IMM && imm->imm.value.u != i->imm ? "port" : NULL;
    }
    for (unsigned n = 0; n < z->operand_count_visible; n++) {
        if (o[n].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
            imm = &o[n];
        else if (o[n].type == ZYDIS_OPERAND_TYPE_MEMORY)
            rm = &o[n];
    }
    if ((rm != NULL) != i->memory)
        return "memory";
    if (rm) {
        const char *d = memory_differs(i, rm, z);

        if (d)
            return d;
        if (i->op != INSN_INVLPG && i->op != INSN_LMSW && rm->size / 8 != i->bytes &&
            !(i->op >= INSN_BT && i->op <= INSN_BTC))
            return "size";
    }
    if (i->source == SRC_REG || i->source == SRC_RM)
        reg = &o[i->source == SRC_RM ? 0 : 1];
    if (reg && operand_reg(reg, i) != i->reg)
        return "register";
    if (!i->memory && operand_reg(&o[i->source == SRC_RM ? 1 : 0], i) != i->rm && i->op != INSN_INT)
        return "register of r/m";
    if ((imm != NULL) != (i->source == SRC_IMM))
        return "immediate form";
    if (imm) {
        bool bit = i->op >= INSN_BT && i->op <= INSN_BTC;
        uint64_t mask = bit                                  ? 0xff
                        : i->bytes == 8 || i->op == INSN_INT ? ~0ull
                                                             : (1ull << (8 * i->bytes)) - 1;

        if ((imm->imm.value.u & mask) != (i->imm & mask))
            return "immediate";
    }
    return NULL;
}

static const char *control_differs(const struct insn *i, const ZydisDecodedOperand *o)
{
    bool to = i->op == INSN_MOV_TO_CR || i->op == INSN_MOV_TO_DR;
    bool debug = i->op == INSN_MOV_FROM_DR || i->op == INSN_MOV_TO_DR;
    const ZydisDecodedOperand *special = &o[to ? 0 : 1], *general = &o[to ? 1 : 0];
    ZydisRegisterClass c = ZydisRegisterGetClass(special->reg.value);

    if (c != (debug ? ZYDIS_REGCLASS_DEBUG : ZYDIS_REGCLASS_CONTROL))
        return "class";
    if ((unsigned)ZydisRegisterGetId(special->reg.value) != i->reg)
        return "special register";
    return (unsigned)ZydisRegisterGetId(general->reg.value) != i->rm ? "general register" : NULL;
}

static const char *differs(const struct insn *i, const ZydisDecodedInstruction *z,
                           const ZydisDecodedOperand *o)
{
    if (z->length != i->length)
        return "length";
    if (is_string(i->op)) {
        /* A prefix makes SSE's MOVSD of nothing here: these are one-byte opcodes. */
        return string_mnemonic(i->op, z->mnemonic, i->bytes) ? NULL : "string operation";
    }
    if (z->mnemonic != mnemonic[i->op])
        return "operation";
    if (i->op >= INSN_MOV_FROM_CR && i->op <= INSN_MOV_TO_DR)
        return control_differs(i, o);
    if (i->op > INSN_OUTS && i->op != INSN_INT)
        return NULL;
    if (i->lock != !!(z->attributes & ZYDIS_ATTRIB_HAS_LOCK))
        return "lock";
    return operands_differ(i, z, o);
}

/* In our set by its name, though we said no: which of these are meant to be refused? */
static bool refusal_is_meant(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *o)
{
    if (z->opcode_map > ZYDIS_OPCODE_MAP_0F || z->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
        return true;
    switch (z->mnemonic) {
    case ZYDIS_MNEMONIC_MOV: /* B0+ registers, segment registers: never memory writes that trap */
        return z->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
               ((z->opcode >= 0xb0 && z->opcode <= 0xbf) || z->opcode == 0x8c || z->opcode == 0x8e);
    case ZYDIS_MNEMONIC_XCHG: /* 90+ are registers */
        return z->opcode >= 0x90 && z->opcode <= 0x97;
    case ZYDIS_MNEMONIC_MOVSD: /* SSE's */
        return z->opcode_map == ZYDIS_OPCODE_MAP_0F;
    case ZYDIS_MNEMONIC_INT: /* CC is INT3, F1 INT1 */
        return z->opcode != 0xcd;
    default:
        (void)o;
        return false;
    }
}

static bool in_set(unsigned m)
{
    for (unsigned op = 1; op < sizeof(mnemonic) / sizeof(mnemonic[0]); op++)
        if (mnemonic[op] == m)
            return true;
    return m == ZYDIS_MNEMONIC_STOSB || m == ZYDIS_MNEMONIC_STOSQ || m == ZYDIS_MNEMONIC_MOVSB ||
           m == ZYDIS_MNEMONIC_INSB || m == ZYDIS_MNEMONIC_OUTSD;
}

static void generate(uint8_t *b)
{
    static const uint8_t prefix[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x64,
                                     0x65, 0x2e, 0x48, 0x4c, 0x41, 0x40};
    static const uint8_t two[] = {0x01, 0x06, 0x08, 0x09, 0x20, 0x21, 0x22, 0x23,
                                  0x30, 0x31, 0x32, 0x33, 0xa2, 0xa3, 0xab, 0xb3,
                                  0xba, 0xbb, 0xb0, 0xb1, 0xc0, 0xc1, 0xc3};
    unsigned at = 0;

    for (unsigned n = next() % 4; n > 0 && next() % 2; n--)
        b[at++] = prefix[next() % sizeof(prefix)];
    if (next() % 3 == 0) {
        b[at++] = 0x0f;
        b[at++] = next() % 8 ? two[next() % sizeof(two)] : (uint8_t)next();
    }
    while (at < 24)
        b[at++] = (uint8_t)next();
}

static int report(const uint8_t *b, unsigned n, const char *what)
{
    printf("not ok - %s:", what);
    for (unsigned i = 0; i < n; i++)
        printf(" %02x", b[i]);
    printf("\n");
    return 1;
}

int main(int argc, char **argv)
{
    uint64_t tries = argc > 1 ? strtoull(argv[1], NULL, 0) : 2000000, accepted = 0;
    ZydisDecoder decoder;
    int failures = 0;

    state = argc > 2 ? strtoull(argv[2], NULL, 0) : 0x9e3779b97f4a7c15ull;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (uint64_t t = 0; t < tries && failures < 20; t++) {
        uint8_t b[24];
        unsigned n = 1 + next() % 16;
        ZydisDecodedInstruction z;
        ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
        struct insn i;
        bool known, ours;

        generate(b);
        n = n > 15 || next() % 4 ? 15 : n;
        known = ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, b, n, &z, o));
        ours = insn_decode(&i, b, n);
        if (ours && !known)
            failures += report(b, n, "we accept what Zydis refuses");
        else if (ours) {
            const char *d = differs(&i, &z, o);

            accepted++;
            if (d)
                failures += report(b, z.length, d);
        } else if (known && in_set(z.mnemonic) && !refusal_is_meant(&z, o)) {
            failures += report(b, z.length, "we refuse what is in the set");
        }
    }
    if (accepted < tries / 10)
        failures += report(NULL, 0, "too few instructions were accepted to mean anything");
    if (failures == 0)
        printf("ok - %" PRIu64 " byte strings, %" PRIu64 " instructions agree\n", tries, accepted);
    return failures != 0;
}
