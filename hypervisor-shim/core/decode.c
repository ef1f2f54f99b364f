/* SPDX-License-Identifier: MIT
 *
 * decode.c - see decode.h. Prefixes, opcode by two small tables, ModRM, immediates; then the
 * effect of the data instructions on a value.
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
    F_STRING,  /* rdi and rsi */
    F_IMM8,    /* a byte: port, vector */
    F_DX,      /* port in dx */
    F_CR,      /* control or debug register in reg, general register in rm */
    F_GROUP,   /* the operation is chosen by ModRM.reg: see group() */
};
enum { W_BYTE = 1, W_64 = 2 }; /* operand is a byte; is 8 bytes without REX.W (no use here: CR/DR) */

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

#define PAIR(first, op, form) [(first)] = {(op), (form), W_BYTE}, [(first) + 1] = {(op), (form), 0}
#define ALU(first, op)                                                                             \
    PAIR(first, op, F_RM_REG), PAIR((first) + 2, op, F_REG_RM), PAIR((first) + 4, op, F_ACC_IMM)

static const struct opcode one_byte[256] = {
    ALU(0x00, INSN_ADD), ALU(0x08, INSN_OR), ALU(0x10, INSN_ADC), ALU(0x18, INSN_SBB),
    ALU(0x20, INSN_AND), ALU(0x28, INSN_SUB), ALU(0x30, INSN_XOR), ALU(0x38, INSN_CMP),
    PAIR(0x6c, INSN_INS, F_STRING), PAIR(0x6e, INSN_OUTS, F_STRING),
    [0x80] = {INSN_ADD, F_GROUP, W_BYTE}, [0x81] = {INSN_ADD, F_GROUP, 0}, [0x83] = {INSN_ADD, F_GROUP, 0},
    PAIR(0x84, INSN_TEST, F_RM_REG), PAIR(0x86, INSN_XCHG, F_RM_REG),
    PAIR(0x88, INSN_MOV, F_RM_REG), PAIR(0x8a, INSN_MOV, F_REG_RM),
    PAIR(0xa0, INSN_MOV, F_ACC_MEM), PAIR(0xa2, INSN_MOV, F_MEM_ACC),
    PAIR(0xa4, INSN_MOVS, F_STRING), PAIR(0xa8, INSN_TEST, F_ACC_IMM), PAIR(0xaa, INSN_STOS, F_STRING),
    PAIR(0xc6, INSN_MOV, F_GROUP),
    [0xcd] = {INSN_INT, F_IMM8, W_BYTE},
    PAIR(0xe4, INSN_IN, F_IMM8), PAIR(0xe6, INSN_OUT, F_IMM8),
    PAIR(0xec, INSN_IN, F_DX), PAIR(0xee, INSN_OUT, F_DX),
    [0xf4] = {INSN_HLT, F_NONE, 0}, [0xfa] = {INSN_CLI, F_NONE, 0}, [0xfb] = {INSN_STI, F_NONE, 0},
    PAIR(0xf6, INSN_TEST, F_GROUP), PAIR(0xfe, INSN_INC, F_GROUP),
};

static const struct opcode two_byte[256] = {
    [0x01] = {INSN_LMSW, F_GROUP, 0},
    [0x06] = {INSN_CLTS, F_NONE, 0}, [0x08] = {INSN_INVD, F_NONE, 0}, [0x09] = {INSN_WBINVD, F_NONE, 0},
    [0x20] = {INSN_MOV_FROM_CR, F_CR, 0}, [0x21] = {INSN_MOV_FROM_DR, F_CR, 0},
    [0x22] = {INSN_MOV_TO_CR, F_CR, 0}, [0x23] = {INSN_MOV_TO_DR, F_CR, 0},
    [0x30] = {INSN_WRMSR, F_NONE, 0}, [0x31] = {INSN_RDTSC, F_NONE, 0},
    [0x32] = {INSN_RDMSR, F_NONE, 0}, [0x33] = {INSN_RDPMC, F_NONE, 0},
    [0xa2] = {INSN_CPUID, F_NONE, 0},
    [0xa3] = {INSN_BT, F_RM_REG, 0}, [0xab] = {INSN_BTS, F_RM_REG, 0},
    [0xb3] = {INSN_BTR, F_RM_REG, 0}, [0xbb] = {INSN_BTC, F_RM_REG, 0}, [0xba] = {INSN_BT, F_GROUP, 0},
    PAIR(0xb0, INSN_CMPXCHG, F_RM_REG), PAIR(0xc0, INSN_XADD, F_RM_REG),
    [0xc3] = {INSN_MOVNTI, F_RM_REG, 0},
};

/* -- prefixes ------------------------------------------------------------------ */

struct prefixes {
    uint8_t rex;
    bool operand16;
};

/* One bit for each byte that is a prefix: 26 2e 36 3e, 40-4f, 64-67, f0 f2 f3. */
static const uint64_t prefix_bytes[4] = {1ull << 0x26 | 1ull << 0x2e | 1ull << 0x36 | 1ull << 0x3e,
                                         0xffffull | 0xfull << (0x64 - 0x40), 0, 0xdull << (0xf0 - 0xc0)};

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
    case 0x80: case 0x81:
        i->op = (uint8_t)(INSN_ADD + n);
        return F_RM_IMM;
    case 0x83:
        i->op = (uint8_t)(INSN_ADD + n);
        return F_RM_IMM8;
    case 0xc6: case 0xc7:
        i->op = n == 0 ? INSN_MOV : INSN_UNKNOWN;
        return F_RM_IMM;
    case 0xf6: case 0xf7:
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
    case INSN_CMP: case INSN_TEST: case INSN_MOV: case INSN_BT: case INSN_MOVNTI:
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
    case INSN_MOV_FROM_CR: case INSN_MOV_TO_CR: /* CR0, CR2, CR3, CR4 and CR8 */
        return 0x11d >> i->reg & 1;
    case INSN_MOV_FROM_DR: case INSN_MOV_TO_DR:
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
    *i = (struct insn){.rm = INSN_NO_REG, .base = INSN_NO_REG, .index = INSN_NO_REG, .address_bytes = 8};
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

/* -- registers ---------------------------------------------------------------------- */

/* struct xen_cpu_user_regs from its end: where rax, rcx ... r15 are, in words. */
static const uint8_t reg_slot[16] = {10, 11, 12, 5, 19, 4, 13, 14, 9, 8, 7, 6, 3, 2, 1, 0};
_Static_assert(offsetof(struct xen_cpu_user_regs, rax) == 80, "slot 10");
_Static_assert(offsetof(struct xen_cpu_user_regs, rsp) == 152, "slot 19");

uint64_t *insn_reg(struct xen_cpu_user_regs *regs, unsigned n)
{
    return (uint64_t *)regs + reg_slot[n & 15];
}

uint64_t insn_reg_get(const struct xen_cpu_user_regs *regs, unsigned n, unsigned bytes, bool high)
{
    const uint64_t *r = (const uint64_t *)regs;

    if (bytes == 1 && high && n >= 4 && n < 8)
        return r[reg_slot[n - 4]] >> 8 & 0xff;
    return r[reg_slot[n & 15]] & size_mask(bytes);
}

void insn_reg_set(struct xen_cpu_user_regs *regs, unsigned n, unsigned bytes, bool high, uint64_t value)
{
    bool upper = bytes == 1 && high && n >= 4 && n < 8;
    uint64_t *r = insn_reg(regs, upper ? n - 4 : n);
    unsigned shift = upper ? 8 : 0;
    uint64_t mask = size_mask(bytes) << shift;

    if (bytes == 4)
        *r = value & mask;
    else
        *r = (*r & ~mask) | (value << shift & mask);
}

/* A bit string: the register may point beyond the operand. */
static uint64_t bit_offset(const struct insn *i, const struct xen_cpu_user_regs *regs)
{
    unsigned log = i->bytes == 8 ? 6 : i->bytes == 4 ? 5 : 4, shift = 64 - 8 * i->bytes;
    int64_t bit = (int64_t)(insn_reg_get(regs, i->reg, i->bytes, false) << shift) >> shift;

    return (uint64_t)((bit >> log) * i->bytes);
}

uint64_t insn_address(const struct insn *i, const struct xen_cpu_user_regs *regs, uint64_t segbase)
{
    const uint64_t *r = (const uint64_t *)regs;
    uint64_t a = (uint64_t)i->disp;

    if (i->base < 16)
        a += r[reg_slot[i->base]];
    else if (i->base == INSN_REG_RIP)
        a += regs->rip + i->length;
    if (i->index < 16)
        a += r[reg_slot[i->index]] << i->scale;
    if (i->address_bytes == 4)
        a = (uint32_t)a;
    if (i->op >= INSN_BT && i->op <= INSN_BTC && i->source == SRC_REG && i->memory)
        a += bit_offset(i, regs);
    return a + segbase;
}

uint64_t insn_source_address(const struct insn *i, const struct xen_cpu_user_regs *regs, uint64_t segbase)
{
    return insn_reg_get(regs, 6, i->address_bytes, false) + segbase;
}

/* -- effect ------------------------------------------------------------------------------- */

enum { CF = 1, PF = 4, AF = 0x10, ZF = 0x40, SF = 0x80, DF = 0x400, OF = 0x800 };
enum { ARITHMETIC = CF | PF | AF | ZF | SF | OF };

struct effect {
    uint64_t value, flags, touched;
};

static uint64_t sign_bit(unsigned bytes)
{
    return 1ull << (8 * bytes - 1);
}

static uint64_t result_flags(uint64_t v, unsigned bytes)
{
    uint64_t f = 0;

    if (!__builtin_parity((unsigned)v & 0xff))
        f |= PF;
    if (v == 0)
        f |= ZF;
    if (v & sign_bit(bytes))
        f |= SF;
    return f;
}

static struct effect add(uint64_t a, uint64_t b, uint64_t carry, unsigned bytes)
{
    uint64_t mask = size_mask(bytes), v = (a + b + carry) & mask;
    uint64_t f = result_flags(v, bytes), sign = sign_bit(bytes);

    if (v < a || (carry && v == a))
        f |= CF;
    if ((a ^ v) & (b ^ v) & sign)
        f |= OF;
    f |= (a ^ b ^ v) & AF;
    return (struct effect){v, f, ARITHMETIC};
}

static struct effect subtract(uint64_t a, uint64_t b, uint64_t borrow, unsigned bytes)
{
    uint64_t mask = size_mask(bytes), v = (a - b - borrow) & mask;
    uint64_t f = result_flags(v, bytes), sign = sign_bit(bytes);

    if (a < b || (borrow && a == b))
        f |= CF;
    if ((a ^ b) & (a ^ v) & sign)
        f |= OF;
    f |= (a ^ b ^ v) & AF;
    return (struct effect){v, f, ARITHMETIC};
}

static struct effect logic(uint64_t v, unsigned bytes)
{
    return (struct effect){v, result_flags(v, bytes), ARITHMETIC}; /* AF is undefined; clear */
}

static struct effect bit(const struct insn *i, uint64_t old, uint64_t n)
{
    uint64_t mask = 1ull << (n & (8 * i->bytes - 1));
    struct effect e = {old, old & mask ? CF : 0, CF};

    if (i->op == INSN_BTS)
        e.value |= mask;
    else if (i->op == INSN_BTR)
        e.value &= ~mask;
    else if (i->op == INSN_BTC)
        e.value ^= mask;
    return e;
}

/* The two-operand arithmetic instructions. */
static struct effect arithmetic(unsigned op, uint64_t a, uint64_t b, uint64_t carry, unsigned bytes)
{
    switch (op) {
    case INSN_ADD:
        return add(a, b, 0, bytes);
    case INSN_ADC:
        return add(a, b, carry, bytes);
    case INSN_SBB:
        return subtract(a, b, carry, bytes);
    case INSN_SUB:
    case INSN_CMP:
        return subtract(a, b, 0, bytes);
    case INSN_OR:
        return logic(a | b, bytes);
    case INSN_XOR:
        return logic(a ^ b, bytes);
    default: /* AND, TEST */
        return logic(a & b, bytes);
    }
}

static struct effect unary_effect(unsigned op, uint64_t a, unsigned bytes)
{
    struct effect e;

    switch (op) {
    case INSN_NOT:
        return (struct effect){~a & size_mask(bytes), 0, 0};
    case INSN_NEG:
        return subtract(0, a, 0, bytes);
    case INSN_INC:
        e = add(a, 1, 0, bytes);
        break;
    default:
        e = subtract(a, 1, 0, bytes);
        break;
    }
    e.touched &= ~(uint64_t)CF;
    return e;
}

static struct effect cmpxchg(const struct insn *i, struct xen_cpu_user_regs *regs, uint64_t old,
                             uint64_t operand)
{
    struct effect e = subtract(insn_reg_get(regs, 0, i->bytes, false), old, 0, i->bytes);

    if (e.flags & ZF) {
        e.value = operand;
    } else {
        insn_reg_set(regs, 0, i->bytes, false, old);
        e.value = old;
    }
    return e;
}

static void reg_step(const struct insn *i, struct xen_cpu_user_regs *regs, unsigned n, uint64_t step)
{
    unsigned size = i->address_bytes;

    insn_reg_set(regs, n, size, false, insn_reg_get(regs, n, size, false) + step);
}

static void string_step(const struct insn *i, struct xen_cpu_user_regs *regs)
{
    uint64_t step = regs->rflags & DF ? -(uint64_t)i->bytes : i->bytes;

    reg_step(i, regs, 7, step);
    if (i->op == INSN_MOVS)
        reg_step(i, regs, 6, step);
    if (i->rep || i->repne)
        reg_step(i, regs, 1, (uint64_t)-1);
}

static uint64_t source_value(const struct insn *i, const struct xen_cpu_user_regs *regs)
{
    if (i->source == SRC_REG)
        return insn_reg_get(regs, i->reg, i->bytes, i->high_reg);
    return i->imm & size_mask(i->bytes);
}

static struct effect effect_of(const struct insn *i, struct xen_cpu_user_regs *regs, uint64_t old,
                               uint64_t operand)
{
    switch (i->op) {
    case INSN_MOV:
    case INSN_MOVNTI:
        return (struct effect){operand, 0, 0};
    case INSN_XCHG:
        insn_reg_set(regs, i->reg, i->bytes, i->high_reg, old);
        return (struct effect){operand, 0, 0};
    case INSN_XADD:
        insn_reg_set(regs, i->reg, i->bytes, i->high_reg, old);
        return add(old, operand, 0, i->bytes);
    case INSN_CMPXCHG:
        return cmpxchg(i, regs, old, operand);
    case INSN_NOT: case INSN_NEG: case INSN_INC: case INSN_DEC:
        return unary_effect(i->op, old, i->bytes);
    case INSN_BT: case INSN_BTS: case INSN_BTR: case INSN_BTC:
        return bit(i, old, operand);
    case INSN_STOS:
        string_step(i, regs);
        return (struct effect){insn_reg_get(regs, 0, i->bytes, false), 0, 0};
    case INSN_MOVS:
        string_step(i, regs);
        return (struct effect){operand, 0, 0};
    }
    return arithmetic(i->op, old, operand, regs->rflags & CF, i->bytes);
}

bool insn_store(const struct insn *i, struct xen_cpu_user_regs *regs, uint64_t old, uint64_t *value)
{
    uint64_t operand;
    bool to_reg = i->source == SRC_RM;
    struct effect e;

    if (i->op == INSN_MOV && i->memory && !to_reg) { /* by far the most frequent */
        *value = source_value(i, regs);
        return true;
    }
    operand = i->op == INSN_MOVS ? *value & size_mask(i->bytes) : source_value(i, regs);
    old &= size_mask(i->bytes);
    if (to_reg) { /* reg, r/m: `old` is what r/m holds */
        operand = old;
        old = insn_reg_get(regs, i->reg, i->bytes, i->high_reg);
    }
    e = effect_of(i, regs, old, operand);
    regs->rflags = (regs->rflags & ~e.touched) | (e.flags & e.touched);
    *value = e.value;
    if (i->op == INSN_CMP || i->op == INSN_TEST || i->op == INSN_BT)
        return false;
    if (to_reg)
        insn_reg_set(regs, i->reg, i->bytes, i->high_reg, e.value);
    else if (!i->memory && i->rm != INSN_NO_REG && !(i->op == INSN_CMPXCHG && !(e.flags & ZF)))
        insn_reg_set(regs, i->rm, i->bytes, i->high_reg, e.value);
    return true;
}
