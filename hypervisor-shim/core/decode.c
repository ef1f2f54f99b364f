/* SPDX-License-Identifier: MIT
 *
 * decode.c - see decode.h. Prefixes, opcode by two small tables, ModRM, immediates. Two short ways
 * come first, for what is frequent: system instructions, and stores of 8 bytes.
 *
 * Invariants: never reads beyond the n bytes given; an instruction that is not fully understood
 * (a prefix without meaning here, a LOCK that the processor would refuse) is not accepted.
 */
#include "decode.h"

/* How an opcode's operands are laid out. */
enum form {
    F_NONE,    /* no operands, or implied ones */
    F_RM_REG,  /* r/m, reg */
    F_REG_RM,  /* reg, r/m */
    F_RM_IMM,  /* r/m, immediate of the operand's size (4 bytes for 8) */
    F_RM_IMM8, /* r/m, sign-extended byte */
    F_RM,      /* r/m alone */
    F_ACC_IMM, /* accumulator, immediate */
    F_ACC_MEM, /* accumulator, absolute address */
    F_MEM_ACC,
    F_STRING, /* rdi and rsi */
    F_IMM8,   /* a byte: port, vector */
    F_DX,     /* port in dx */
    F_CR,     /* control or debug register in reg, general register in rm */
    F_GROUP,  /* the operation is chosen by ModRM.reg: see group() */
};
enum {
    W_BYTE = 1,
    W_64 = 2
}; /* operand is a byte; is 8 bytes without REX.W (no use here: CR/DR) */

struct opcode {
    uint8_t op, form, width;
};

struct cursor {
    const uint8_t *at, *end;
    bool over;
};

static inline uint64_t size_mask(unsigned bytes)
{
    return ~0ull >> (64 - 8 * bytes);
}

static inline uint64_t take(struct cursor *c, unsigned bytes)
{
    size_t left = (size_t)(c->end - c->at);
    uint64_t v = 0;

    if (left < bytes) {
        c->over = true;
        return 0;
    }
    if (left >= 8)
        __builtin_memcpy(&v, c->at, 8);
    else
        for (unsigned i = 0; i < bytes; i++)
            v |= (uint64_t)c->at[i] << (8 * i);
    c->at += bytes;
    return v & size_mask(bytes);
}

static inline int64_t take_signed(struct cursor *c, unsigned bytes)
{
    unsigned shift = 64 - 8 * bytes;

    return (int64_t)(take(c, bytes) << shift) >> shift;
}

/* clang-format off: one line for a row of the opcode map */
#define PAIR(first, op, form) [(first)] = {(op), (form), W_BYTE}, [(first) + 1] = {(op), (form), 0}
#define ALU(first, op) \
    PAIR(first, op, F_RM_REG), PAIR((first) + 2, op, F_REG_RM), PAIR((first) + 4, op, F_ACC_IMM)

static const struct opcode one_byte[256] = {
    ALU(0x00, INSN_ADD),
    ALU(0x08, INSN_OR),
    ALU(0x10, INSN_ADC),
    ALU(0x18, INSN_SBB),
    ALU(0x20, INSN_AND),
    ALU(0x28, INSN_SUB),
    ALU(0x30, INSN_XOR),
    ALU(0x38, INSN_CMP),
    PAIR(0x6c, INSN_INS, F_STRING),
    PAIR(0x6e, INSN_OUTS, F_STRING),
    [0x80] = {INSN_ADD, F_GROUP, W_BYTE},
    [0x81] = {INSN_ADD, F_GROUP, 0},
    [0x83] = {INSN_ADD, F_GROUP, 0},
    PAIR(0x84, INSN_TEST, F_RM_REG),
    PAIR(0x86, INSN_XCHG, F_RM_REG),
    PAIR(0x88, INSN_MOV, F_RM_REG),
    PAIR(0x8a, INSN_MOV, F_REG_RM),
    PAIR(0xa0, INSN_MOV, F_ACC_MEM),
    PAIR(0xa2, INSN_MOV, F_MEM_ACC),
    PAIR(0xa4, INSN_MOVS, F_STRING),
    PAIR(0xa8, INSN_TEST, F_ACC_IMM),
    PAIR(0xaa, INSN_STOS, F_STRING),
    PAIR(0xc6, INSN_MOV, F_GROUP),
    [0xcd] = {INSN_INT, F_IMM8, W_BYTE},
    PAIR(0xe4, INSN_IN, F_IMM8),
    PAIR(0xe6, INSN_OUT, F_IMM8),
    PAIR(0xec, INSN_IN, F_DX),
    PAIR(0xee, INSN_OUT, F_DX),
    [0xf4] = {INSN_HLT, F_NONE, 0},
    [0xfa] = {INSN_CLI, F_NONE, 0},
    [0xfb] = {INSN_STI, F_NONE, 0},
    PAIR(0xf6, INSN_TEST, F_GROUP),
    PAIR(0xfe, INSN_INC, F_GROUP),
};

static const struct opcode two_byte[256] = {
    [0x01] = {INSN_LMSW, F_GROUP, 0},     [0x06] = {INSN_CLTS, F_NONE, 0},
    [0x08] = {INSN_INVD, F_NONE, 0},      [0x09] = {INSN_WBINVD, F_NONE, 0},
    [0x20] = {INSN_MOV_FROM_CR, F_CR, 0}, [0x21] = {INSN_MOV_FROM_DR, F_CR, 0},
    [0x22] = {INSN_MOV_TO_CR, F_CR, 0},   [0x23] = {INSN_MOV_TO_DR, F_CR, 0},
    [0x30] = {INSN_WRMSR, F_NONE, 0},     [0x31] = {INSN_RDTSC, F_NONE, 0},
    [0x32] = {INSN_RDMSR, F_NONE, 0},     [0x33] = {INSN_RDPMC, F_NONE, 0},
    [0xa2] = {INSN_CPUID, F_NONE, 0},     [0xa3] = {INSN_BT, F_RM_REG, 0},
    [0xab] = {INSN_BTS, F_RM_REG, 0},     [0xb3] = {INSN_BTR, F_RM_REG, 0},
    [0xbb] = {INSN_BTC, F_RM_REG, 0},     [0xba] = {INSN_BT, F_GROUP, 0},
    PAIR(0xb0, INSN_CMPXCHG, F_RM_REG),   PAIR(0xc0, INSN_XADD, F_RM_REG),
    [0xc3] = {INSN_MOVNTI, F_RM_REG, 0},
};
/* clang-format on */

/* -- prefixes ------------------------------------------------------------------ */

struct prefixes {
    uint8_t rex;
    bool operand16;
};

/* One bit for each byte that is a prefix: 26 2e 36 3e, 40-4f, 64-67, f0 f2 f3. */
static const uint64_t prefix_bytes[4] = {1ull << 0x26 | 1ull << 0x2e | 1ull << 0x36 | 1ull << 0x3e,
                                         0xffffull | 0xfull << (0x64 - 0x40), 0,
                                         0xdull << (0xf0 - 0xc0)};

static void one_prefix(struct insn *i, struct prefixes *p, uint8_t b)
{
    p->rex = 0; /* it counts only just before the opcode */
    if ((b & 0xf0) == 0x40) {
        p->rex = b;
    } else if (b == 0x66) {
        p->operand16 = true;
    } else if (b == 0x67) {
        i->address_bytes = 4;
    } else if (b == 0x64 || b == 0x65) {
        i->segment = b == 0x64 ? INSN_SEG_FS : INSN_SEG_GS;
    } else if (b == 0xf0) {
        i->lock = true;
    } else if (b >= 0xf2) {
        i->repne = b == 0xf2;
        i->rep = b == 0xf3;
    } /* the other segments have no meaning in 64-bit code */
}

static inline bool take_prefixes(struct insn *i, struct cursor *c, struct prefixes *p)
{
    for (; c->at < c->end; c->at++) {
        uint8_t b = *c->at;

        if (!(prefix_bytes[b >> 6] >> (b & 63) & 1))
            return true;
        one_prefix(i, p, b);
    }
    return false;
}

/* -- ModRM ------------------------------------------------------------------------ */

static void take_sib(struct insn *i, struct cursor *c, uint8_t mod, uint8_t rex)
{
    uint8_t sib = (uint8_t)take(c, 1);

    i->base = (sib & 7) | (rex & 1) << 3;
    i->index = (sib >> 3 & 7) | (rex & 2) << 2;
    i->scale = sib >> 6;
    if (i->index == 4)
        i->index = INSN_NO_REG;
    if ((sib & 7) == 5 && mod == 0) {
        i->base = INSN_NO_REG;
        i->disp = take_signed(c, 4);
    }
}

static inline void take_modrm(struct insn *i, struct cursor *c, uint8_t rex)
{
    uint8_t modrm = (uint8_t)take(c, 1), mod = modrm >> 6, rm = modrm & 7;

    i->reg = (modrm >> 3 & 7) | (rex & 4) << 1;
    if (mod == 3) {
        i->rm = rm | (rex & 1) << 3;
        return;
    }
    i->memory = true;
    if (rm == 4) {
        take_sib(i, c, mod, rex);
    } else if (rm == 5 && mod == 0) {
        i->base = INSN_REG_RIP;
        i->disp = take_signed(c, 4);
    } else {
        i->base = rm | (rex & 1) << 3;
    }
    if (mod == 1)
        i->disp = take_signed(c, 1);
    else if (mod == 2)
        i->disp = take_signed(c, 4);
}

/* -- groups: the operation is in ModRM.reg ---------------------------------------- */

static const uint8_t unary[8] = {INSN_TEST, INSN_TEST, INSN_NOT, INSN_NEG};

/* 0f 01: VM and register forms of system instructions share it. */
static void group_system(struct insn *i, uint8_t modrm)
{
    i->op = INSN_UNKNOWN;
    if (modrm == 0xd1)
        i->op = INSN_XSETBV;
    else if (modrm == 0xf9)
        i->op = INSN_RDTSCP;
    else if ((modrm >> 3 & 7) == 6)
        i->op = INSN_LMSW;
    else if ((modrm >> 3 & 7) == 7 && modrm < 0xc0)
        i->op = INSN_INVLPG;
}

/* Sets i->op; returns the form. */
static enum form group(struct insn *i, bool two, uint8_t opcode, uint8_t modrm)
{
    uint8_t n = modrm >> 3 & 7;

    if (two && opcode == 0x01) {
        group_system(i, modrm);
        return F_RM;
    }
    if (two) { /* 0f ba */
        i->op = n >= 4 ? (uint8_t)(INSN_BT + n - 4) : INSN_UNKNOWN;
        return F_RM_IMM8;
    }
    switch (opcode) {
    case 0x80:
    case 0x81:
        i->op = (uint8_t)(INSN_ADD + n);
        return F_RM_IMM;
    case 0x83:
        i->op = (uint8_t)(INSN_ADD + n);
        return F_RM_IMM8;
    case 0xc6:
    case 0xc7:
        i->op = n == 0 ? INSN_MOV : INSN_UNKNOWN;
        return F_RM_IMM;
    case 0xf6:
    case 0xf7:
        i->op = unary[n];
        return i->op == INSN_TEST ? F_RM_IMM : F_RM;
    default: /* fe, ff */
        i->op = n == 0 ? INSN_INC : n == 1 ? INSN_DEC : INSN_UNKNOWN;
        return F_RM;
    }
}

static void take_immediate(struct insn *i, struct cursor *c, unsigned bytes)
{
    i->source = SRC_IMM;
    i->imm = (uint64_t)take_signed(c, bytes > 4 ? 4 : bytes);
}

/* -- operands by form ----------------------------------------------------------- */

static inline void take_operands(struct insn *i, struct cursor *c, enum form form, uint8_t rex)
{
    if (form == F_NONE)
        return;
    if (form >= F_RM_REG && form <= F_RM)
        take_modrm(i, c, rex);
    switch (form) {
    case F_RM_REG:
        i->source = SRC_REG;
        break;
    case F_REG_RM:
        i->source = SRC_RM;
        break;
    case F_RM_IMM:
        take_immediate(i, c, i->bytes);
        break;
    case F_RM_IMM8:
        take_immediate(i, c, 1);
        break;
    case F_ACC_IMM:
        i->rm = 0;
        take_immediate(i, c, i->bytes);
        break;
    case F_ACC_MEM:
    case F_MEM_ACC:
        i->memory = true;
        i->source = form == F_ACC_MEM ? SRC_RM : SRC_REG;
        i->disp = (int64_t)take(c, i->address_bytes);
        break;
    case F_STRING:
        i->memory = true;
        i->base = i->op == INSN_OUTS ? 6 : 7;
        break;
    case F_IMM8:
        i->source = SRC_IMM;
        i->imm = take(c, 1);
        break;
    case F_CR: /* always registers, whatever mod says */
        i->rm = (uint8_t)take(c, 1);
        i->reg = (i->rm >> 3 & 7) | (rex & 4) << 1;
        i->rm = (i->rm & 7) | (rex & 1) << 3;
        i->bytes = 8;
        break;
    default:
        break;
    }
}

/* LOCK is for a memory destination that is read and written. */
static bool lock_allowed(const struct insn *i)
{
    if (!i->memory || i->source == SRC_RM)
        return false;
    switch (i->op) {
    case INSN_CMP:
    case INSN_TEST:
    case INSN_MOV:
    case INSN_BT:
    case INSN_MOVNTI:
        return false;
    }
    return i->op >= INSN_ADD && i->op <= INSN_XADD;
}

/* What depends on prefixes, or on numbers that do not exist. */
static bool allowed(const struct insn *i, const struct prefixes *p)
{
    if (i->lock && !lock_allowed(i))
        return false;
    switch (i->op) {
    case INSN_MOVNTI:
        return i->memory && !p->operand16 && !i->rep && !i->repne;
    case INSN_XSETBV:
        return !p->operand16 && !i->rep && !i->repne;
    case INSN_MOV_FROM_CR:
    case INSN_MOV_TO_CR: /* CR0, CR2, CR3, CR4 and CR8 */
        return 0x11d >> i->reg & 1;
    case INSN_MOV_FROM_DR:
    case INSN_MOV_TO_DR:
        return i->reg <= 7;
    }
    return true;
}

/* 0f xx without prefixes and without memory: nearly all that is privileged. False: try in full. */
static inline bool decode_system(struct insn *i, const uint8_t *code)
{
    struct opcode o = two_byte[code[1]];

    if (o.op == INSN_UNKNOWN || (o.form != F_NONE && o.form != F_CR))
        return false;
    i->op = o.op;
    i->bytes = 4;
    i->length = 2;
    if (o.form == F_NONE)
        return true;
    i->reg = code[2] >> 3 & 7;
    i->rm = code[2] & 7;
    i->bytes = 8;
    i->length = 3;
    return (o.op == INSN_MOV_FROM_DR || o.op == INSN_MOV_TO_DR) || 0x1d >> i->reg & 1;
}

/* REX.W 89 /r without SIB: how compilers store 8 bytes, and so most page-table entries. n >= 7. */
static inline bool decode_store(struct insn *i, const uint8_t *code)
{
    uint8_t rex = code[0], mod = code[2] >> 6, rm = code[2] & 7;
    int32_t disp;

    if (mod == 3 || rm == 4)
        return false;
    i->op = INSN_MOV;
    i->bytes = 8;
    i->source = SRC_REG;
    i->memory = true;
    i->reg = (code[2] >> 3 & 7) | (rex & 4) << 1;
    i->base = rm | (rex & 1) << 3;
    if (mod == 0 && rm != 5) {
        i->length = 3;
        return true;
    }
    if (mod == 1) {
        i->disp = (int8_t)code[3];
        i->length = 4;
        return true;
    }
    if (mod == 0)
        i->base = INSN_REG_RIP;
    __builtin_memcpy(&disp, code + 3, 4);
    i->disp = disp;
    i->length = 7;
    return true;
}

static bool decode_in_full(struct insn *i, const uint8_t *code, size_t n);

bool insn_decode(struct insn *i, const uint8_t *code, size_t n)
{
    *i = (struct insn){
        .rm = INSN_NO_REG, .base = INSN_NO_REG, .index = INSN_NO_REG, .address_bytes = 8};
    if (n >= 7) {
        if (code[0] == 0x0f && decode_system(i, code))
            return true;
        if ((code[0] & 0xf8) == 0x48 && code[1] == 0x89 && decode_store(i, code))
            return true;
    }
    return decode_in_full(i, code, n);
}

static bool decode_in_full(struct insn *i, const uint8_t *code, size_t n)
{
    struct cursor c = {code, code + (n < INSN_MAX ? n : INSN_MAX), false};
    struct prefixes p = {0, false};
    struct opcode o;
    enum form form;
    bool two = false;
    uint8_t opcode;

    if (!take_prefixes(i, &c, &p))
        return false;
    opcode = *c.at++;
    if (opcode == 0x0f) {
        two = true;
        opcode = (uint8_t)take(&c, 1);
    }
    o = two ? two_byte[opcode] : one_byte[opcode];
    if (c.over || o.op == INSN_UNKNOWN)
        return false;
    i->op = o.op;
    i->bytes = o.width & W_BYTE ? 1 : p.rex & 8 ? 8 : p.operand16 ? 2 : 4;
    form = o.form;
    if (form == F_GROUP) {
        if (c.at >= c.end)
            return false;
        form = group(i, two, opcode, *c.at);
        if (i->op == INSN_UNKNOWN)
            return false;
    }
    if (i->bytes == 8 && i->op >= INSN_IN && i->op <= INSN_OUTS)
        i->bytes = 4; /* ports have no 8-byte form */
    take_operands(i, &c, form, p.rex);
    i->high_reg = i->bytes == 1 && p.rex == 0;
    i->length = (uint8_t)(c.at - code);
    if (c.over || ((i->lock || i->op >= INSN_MOVNTI) && !allowed(i, &p))) {
        *i = (struct insn){0};
        return false;
    }
    return true;
}
