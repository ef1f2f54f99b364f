/* SPDX-License-Identifier: MIT
 *
 * insn.c - the effect of decoded instructions: registers by number and size, the address of an
 * operand, and what a data instruction makes of a value and of the flags. See decode.h.
 *
 * Invariant: equal to the processor's in memory, registers and defined flags, which
 * tests/fuzz/decode_exec.c shows on the processor itself.
 */
#include "decode.h"

static inline uint64_t size_mask(unsigned bytes)
{
    return ~0ull >> (64 - 8 * bytes);
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

void insn_reg_set(struct xen_cpu_user_regs *regs, unsigned n, unsigned bytes, bool high,
                  uint64_t value)
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

uint64_t insn_source_address(const struct insn *i, const struct xen_cpu_user_regs *regs,
                             uint64_t segbase)
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

static void reg_step(const struct insn *i, struct xen_cpu_user_regs *regs, unsigned n,
                     uint64_t step)
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
    case INSN_NOT:
    case INSN_NEG:
    case INSN_INC:
    case INSN_DEC:
        return unary_effect(i->op, old, i->bytes);
    case INSN_BT:
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC:
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
