/* SPDX-License-Identifier: MIT
 *
 * pt_write.c - a kernel writes to one of its level-1 tables as if it were plain memory.
 *
 * With the writable_pagetables assist such a write, which faults because tables are mapped
 * read-only, is carried out here: the instruction is decoded, what it would store is checked as
 * mmu_update would check it, and only then do the entry, the registers and flags change, all
 * at once. Whatever is not an aligned store of 1, 2, 4 or 8 bytes into that page is left
 * to the guest's own page-fault handler.
 */
#include "decode.h"
#include "entry.h"
#include "guest_mem.h"
#include "pagetable.h"

enum { FLAG_TF = 0x100 };

/* The table page that va is a read-only mapping of; 0: it is none, or not va's. */
static struct frame *table_of(struct vcpu *v, uint64_t va)
{
    uint64_t e = l1_read(v, va);
    struct frame *f;

    if ((e & (PTE_P | PTE_RW)) != PTE_P)
        return 0;
    f = frame_of(pte_mfn(e));
    if (f->type != FRAME_L1 || !(f->flags & FRAME_VALIDATED) || f->owner != v->domain->id)
        return 0;
    return f;
}

static bool fetch(const struct vcpu *v, struct insn *i)
{
    uint8_t code[INSN_MAX];
    size_t n = sizeof(code);

    if (!guest_va_ok(v->regs.rip) || !guest_va_ok(v->regs.rip + n - 1))
        return false;
    n -= plat_guest_read(code, v->regs.rip, n);
    atomic_signal_fence(memory_order_seq_cst);
    return n && insn_decode(i, code, n);
}

static uint64_t segment_base(struct vcpu *v, unsigned segment)
{
    if (likely(segment == INSN_SEG_NONE))
        return 0;
    plat_segbase_save(v);
    return v->segbase[segment == INSN_SEG_FS ? SEGBASE_FS : SEGBASE_GS_KERNEL];
}

/* STOS and MOVS write to (%rdi), which no segment prefix moves. */
static bool string_op(const struct insn *i)
{
    return i->op == INSN_STOS || i->op == INSN_MOVS;
}

/* What a MOVS reads. False: not readable, which is the guest's own page fault. */
static bool movs_source(struct vcpu *v, const struct insn *i, uint64_t *value)
{
    uint64_t from = insn_source_address(i, &v->regs, segment_base(v, i->segment));

    *value = 0;
    return guest_range_ok(from, i->bytes) && plat_guest_read(value, from, i->bytes) == 0;
}

/* A plain MOV, which nearly all are: nothing changes but the entry. */
static inline uint64_t mov_value(const struct vcpu *v, const struct insn *i)
{
    return i->source == SRC_IMM ? i->imm : insn_reg_get(&v->regs, i->reg, i->bytes, i->high_reg);
}

/* Entry *p takes `value` under `mask`. */
static inline bool merge(struct vcpu *v, uint64_t va, uint64_t *p, uint64_t value, uint64_t mask)
{
    uint64_t old = __atomic_load_n(p, __ATOMIC_RELAXED);

    value = (old & ~mask) | (value & mask);
    if (likely(l1_set_fast(v->domain->id, p, value, false)))
        return true;
    if (unlikely(!l1_set(v->domain->id, p, value, false))) {
        const struct pt c = {.d = v->domain, .v = v, .va = va, .owner = v->domain->id};

        l1_refuse(&c, old, value);
        return false;
    }
    return true;
}

/* Any other instruction: its registers change only when the entry has. */
static bool store(struct vcpu *v, const struct insn *i, uint64_t va, uint64_t *p, uint64_t mask,
                  unsigned shift)
{
    struct xen_cpu_user_regs regs = v->regs;
    uint64_t value = 0;

    if (i->op == INSN_MOVS && !movs_source(v, i, &value))
        return false;
    if (!insn_store(i, &regs, (*p & mask) >> shift, &value) ||
        !merge(v, va, p, value << shift, mask))
        return false;
    v->regs = regs;
    if (!((i->rep || i->repne) && string_op(i) && regs.rcx))
        v->regs.rip += i->length;
    return true;
}

bool emulate_pt_write(struct vcpu *v, uint64_t va)
{
    const bool step = v->regs.rflags & FLAG_TF;
    uint64_t at, mask, *p;
    struct insn i;
    struct frame *f;
    unsigned shift;

    if (!guest_va_ok(va) || !(f = table_of(v, va)))
        return false;
    if (!fetch(v, &i) || !i.memory || i.op == INSN_UNKNOWN || i.op > INSN_MOVS) {
        refuse(v, RULE_PT_WRITE_INSTRUCTION, .va = va, .mfn = frame_mfn(f).n, .level = 1);
        return false;
    }
    at = insn_address(&i, &v->regs, string_op(&i) ? 0 : segment_base(v, i.segment));
    if ((at ^ va) & ~(uint64_t)PV_PAGE_MASK || at & (i.bytes - 1u)) {
        refuse(v, RULE_PT_WRITE_PLACE, .va = at, .mfn = frame_mfn(f).n, .level = 1,
               .value = i.bytes);
        return false;
    }
    p = (uint64_t *)((uint8_t *)plat_map(frame_mfn(f)) + (at & PV_PAGE_MASK & ~7ull));
    shift = (at & 7) * 8;
    mask = (i.bytes == 8 ? ~0ull : (1ull << i.bytes * 8) - 1) << shift;
    if (likely(i.op == INSN_MOV)) {
        if (!merge(v, va, p, mov_value(v, &i) << shift, mask))
            return false;
        v->regs.rip += i.length;
    } else if (!store(v, &i, va, p, mask, shift)) {
        return false;
    }
    if (unlikely(step))
        trap_inject(v, 1, 0);
    return true;
}
