/* SPDX-License-Identifier: MIT
 *
 * decode_exec: insn_store() against the processor that runs this test. Data instructions are made
 * with random operands, executed for real on one word of memory, and then by the emulator on the
 * same state: memory, every register and the defined flags must come out equal.
 *
 * argv[1]: tries (200,000), argv[2]: seed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <inttypes.h>
#include "core/decode.h"

/* rax rcx rdx rbx rsp rbp rsi rdi r8 .. r15, flags: loaded, then stored again. */
struct machine {
    uint64_t r[16], flags;
};

extern char blob[], blob_slot[], blob_state[], blob_end[];
/* clang-format off */
__asm__(".pushsection .rodata\n"
        "blob: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "push blob_state+128(%rip); popfq\n"
        "mov blob_state(%rip), %rax; mov blob_state+8(%rip), %rcx; mov blob_state+16(%rip), %rdx\n"
        "mov blob_state+24(%rip), %rbx; mov blob_state+40(%rip), %rbp; mov blob_state+48(%rip), %rsi\n"
        "mov blob_state+56(%rip), %rdi; mov blob_state+64(%rip), %r8; mov blob_state+72(%rip), %r9\n"
        "mov blob_state+80(%rip), %r10; mov blob_state+88(%rip), %r11; mov blob_state+96(%rip), %r12\n"
        "mov blob_state+104(%rip), %r13; mov blob_state+112(%rip), %r14; mov blob_state+120(%rip), %r15\n"
        "blob_slot: .fill 16, 1, 0x90\n"
        "mov %rax, blob_state(%rip); mov %rcx, blob_state+8(%rip); mov %rdx, blob_state+16(%rip)\n"
        "mov %rbx, blob_state+24(%rip); mov %rbp, blob_state+40(%rip); mov %rsi, blob_state+48(%rip)\n"
        "mov %rdi, blob_state+56(%rip); mov %r8, blob_state+64(%rip); mov %r9, blob_state+72(%rip)\n"
        "mov %r10, blob_state+80(%rip); mov %r11, blob_state+88(%rip); mov %r12, blob_state+96(%rip)\n"
        "mov %r13, blob_state+104(%rip); mov %r14, blob_state+112(%rip); mov %r15, blob_state+120(%rip)\n"
        "pushfq; pop blob_state+128(%rip); cld\n"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
        ".balign 8\n"
        "blob_state: .skip 136\n"
        "blob_end: .popsection\n");
/* clang-format on */

static uint64_t state = 0x2545f4914f6cdd1dull;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Values at which carries and signs change. */
static uint64_t word(void)
{
    static const uint64_t edge[] = {0,
                                    1,
                                    0x7f,
                                    0x80,
                                    0xff,
                                    0x7fff,
                                    0x8000,
                                    0xffff,
                                    0x7fffffff,
                                    0x80000000,
                                    0xffffffff,
                                    0x7fffffffffffffff,
                                    0x8000000000000000,
                                    ~0ull};

    return next() % 3 ? next() : edge[next() % (sizeof(edge) / sizeof(edge[0]))];
}

enum { CF = 1, PF = 4, AF = 0x10, ZF = 0x40, SF = 0x80, DF = 0x400, OF = 0x800 };

static uint64_t defined_flags(unsigned op)
{
    switch (op) {
    case INSN_AND:
    case INSN_OR:
    case INSN_XOR:
    case INSN_TEST:
        return CF | PF | ZF | SF | OF;
    case INSN_BT:
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC:
        return CF | ZF;
    }
    return CF | PF | AF | ZF | SF | OF;
}

/* One data instruction whose memory operand, if any, is (%rdi). Returns its length. */
static unsigned generate(uint8_t *b)
{
    static const uint8_t one[] = {0x00, 0x01, 0x02, 0x03, 0x08, 0x09, 0x10, 0x11, 0x13, 0x18,
                                  0x19, 0x20, 0x21, 0x28, 0x29, 0x30, 0x31, 0x38, 0x39, 0x3b,
                                  0x80, 0x81, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8b,
                                  0xaa, 0xab, 0xc6, 0xc7, 0xf6, 0xf7, 0xfe, 0xff, 0x05, 0x2c};
    static const uint8_t two[] = {0xa3, 0xab, 0xb3, 0xbb, 0xba, 0xb0, 0xb1, 0xc0, 0xc1, 0xc3};
    unsigned at = 0;

    if (next() % 4 == 0)
        b[at++] = 0x66;
    if (next() % 8 == 0)
        b[at++] = 0xf0;
    if (next() % 2)
        b[at++] = (uint8_t)(0x40 | (next() & 0xc)); /* W and R; rm stays rdi, or a low register */
    if (next() % 2) {
        b[at++] = one[next() % sizeof(one)];
    } else {
        b[at++] = 0x0f;
        b[at++] = two[next() % sizeof(two)];
    }
    b[at] = (uint8_t)next();
    b[at] = (b[at] & 0x38) | (next() % 4 ? 0x07 : 0xc0 | (next() & 7));
    at++;
    for (unsigned i = 0; i < 8; i++)
        b[at++] = (uint8_t)next();
    return at;
}

static bool usable(const struct insn *i)
{
    if (i->op < INSN_ADD || i->op > INSN_STOS)
        return false;
    if (i->memory && i->base != 7)
        return false; /* an absolute address */
    /* The stack pointer is not ours to play with, nor the pointer while it is one. */
    if ((i->source == SRC_REG || i->source == SRC_RM) &&
        (i->reg == 4 || (i->memory && i->reg == 7)))
        return false;
    return i->memory || i->rm != 4;
}

/* One try: the instruction, and the state before it. */
struct trial {
    uint8_t code[32];
    struct insn i;
    struct machine in, out;
    uint64_t before[4],
        memory[4]; /* the operand is memory[1]; bit strings may reach its neighbours */
};

static bool prepare(struct trial *t)
{
    unsigned n = generate(t->code);

    if (!insn_decode(&t->i, t->code, n < 15 ? n : 15) || !usable(&t->i))
        return false;
    for (unsigned k = 0; k < 4; k++)
        t->before[k] = t->memory[k] = word();
    for (unsigned r = 0; r < 16; r++)
        t->in.r[r] = word();
    if (t->i.op == INSN_CMPXCHG && next() % 2)
        t->in.r[0] = t->memory[1];
    t->in.flags = 2 | (next() & (CF | PF | AF | ZF | SF | OF));
    if (t->i.op == INSN_STOS && next() % 2)
        t->in.flags |= DF;
    if (!t->i.memory)
        return true;
    t->in.r[7] = (uint64_t)&t->memory[1];
    if (t->i.op >= INSN_BT && t->i.op <= INSN_BTC && t->i.source == SRC_REG)
        t->in.r[t->i.reg & 15] = next() & 63;
    return true;
}

static void run_native(struct trial *t, uint8_t *page)
{
    struct machine *m = (void *)(page + (blob_state - blob));

    memset(page + (blob_slot - blob), 0x90, 16);
    memcpy(page + (blob_slot - blob), t->code, t->i.length);
    *m = t->in;
    ((void (*)(void))page)();
    t->out = *m;
}

/* Leaves memory in t->before, which nobody needs any more. */
static void run_emulated(struct trial *t, struct xen_cpu_user_regs *regs)
{
    uint64_t value = 0, old = 0;
    uint8_t *at = NULL;

    for (unsigned r = 0; r < 16; r++)
        *insn_reg(regs, r) = t->in.r[r];
    regs->rflags = t->in.flags;
    if (t->i.memory) {
        at = (uint8_t *)t->before + (insn_address(&t->i, regs, 0) - (uint64_t)t->memory);
        memcpy(&old, at, t->i.bytes);
    } else {
        old = insn_reg_get(regs, t->i.rm, t->i.bytes, t->i.high_reg);
    }
    if (insn_store(&t->i, regs, old, &value) && t->i.memory && t->i.source != SRC_RM)
        memcpy(at, &value, t->i.bytes);
}

static bool same(const struct trial *t, struct xen_cpu_user_regs *regs)
{
    if (memcmp(t->before, t->memory, sizeof(t->memory)) != 0 ||
        ((regs->rflags ^ t->out.flags) & defined_flags(t->i.op)) != 0)
        return false;
    for (unsigned r = 0; r < 16; r++)
        if (r != 4 && *insn_reg(regs, r) != t->out.r[r])
            return false;
    return true;
}

static void report(const struct trial *t, const struct xen_cpu_user_regs *regs)
{
    printf("not ok - op %u of %u bytes:", t->i.op, t->i.bytes);
    for (unsigned k = 0; k < t->i.length; k++)
        printf(" %02x", t->code[k]);
    printf(", flags %" PRIx64 ", the processor's %" PRIx64 "\n", regs->rflags, t->out.flags);
}

int main(int argc, char **argv)
{
    uint64_t tries = argc > 1 ? strtoull(argv[1], NULL, 0) : 200000, done = 0;
    uint8_t *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int failures = 0;

    if (page == MAP_FAILED) {
        puts("1..0 # SKIP no executable memory here");
        return 77;
    }
    if (argc > 2)
        state = strtoull(argv[2], NULL, 0);
    memcpy(page, blob, (size_t)(blob_end - blob));
    for (uint64_t n = 0; n < tries && failures < 20; n++) {
        struct xen_cpu_user_regs regs = {0};
        struct trial t;

        if (!prepare(&t))
            continue;
        run_native(&t, page);
        run_emulated(&t, &regs);
        done++;
        if (!same(&t, &regs)) {
            report(&t, &regs);
            failures++;
        }
    }
    if (done < tries / 10) {
        printf("not ok - only %" PRIu64 " instructions were usable\n", done);
        failures++;
    }
    if (failures == 0)
        printf("ok - %" PRIu64 " instructions have the processor's effect\n", done);
    return failures != 0;
}
