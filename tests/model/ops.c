/* SPDX-License-Identifier: MIT
 *
 * ops.c - operations on page tables, descriptors and pages.
 */
#include "ops.h"
#include <pv/abi/errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stats stats;
static const char *current_op;
#define NOWHERE (100ull << 39) /* no table ever maps it */

void agree(unsigned kind, const char *what, long real, long want)
{
    stats.ops++;
    stats.kind_ops[kind]++;
    if (real >= 0 && real == want) {
        stats.good++;
        stats.kind_good[kind]++;
    }
    if (real == want)
        return;
    fprintf(stderr, "%s %s: the hypervisor says %ld, the model %ld\n", current_op, what, real,
            want);
    model_compare();
    fprintf(stderr, "%s\n", hosted.console);
    abort();
}

/* -- mmu_update ----------------------------------------------------------------------------- */

static struct xen_mmu_update request(struct mdomain *d)
{
    static const unsigned commands[] = {0, 0, 0, 0, 0, 0, 2, 3};
    unsigned level = chance(60) ? 1 : 2 + (unsigned)random_below(3);
    unsigned command = commands[random_below(8)];
    uint64_t m = pick_used(d, level);

    if (chance(3))
        command = 1;
    if (chance(1))
        command = 4 + (unsigned)random_below(4);
    if (chance(command == 1 ? 20 : 8))
        m = pick_any(d);
    if (chance(10)) {
        m = pick_used(d, FRAME_WRITABLE);
        level = 1;
    }
    if (command == 1)
        return (struct xen_mmu_update){m << 12 | 1, random_below(1000)};
    return (struct xen_mmu_update){m << 12 | pick_slot(level) << 3 | command, pick_entry(d, level)};
}

/* A shared page's contents are not the model's: leave it alone. */
static bool is_shared(uint64_t m)
{
    return m < FRAMES && mframe[m].shared;
}

static void op_update(struct mdomain *d, unsigned kind)
{
    struct xen_mmu_update req[24];
    uint32_t n = 1 + (uint32_t)random_below(chance(5) ? 24 : 3), done = 77, want = 0;
    long rc, expect = 0;

    for (uint32_t i = 0; i < n; i++)
        do
            req[i] = request(d);
        while (is_shared(req[i].ptr >> 12));
    rc = CALL(d, mmu_update, req, n, &done, XEN_DOMID_SELF);
    while (want < n && (expect = model_update(d, req[want].ptr, req[want].val)) == 0)
        want++;
    if (rc == expect && done != want) {
        fprintf(stderr, "mmu_update did %u, not %u\n", done, want);
        abort();
    }
    agree(kind, "mmu_update", rc, expect);
    stats.ops += want > 1 ? want - 1 : 0;
    stats.good += want > 1 ? want - 1 : 0;
}

static void op_va(struct mdomain *d, unsigned kind)
{
    static const uint64_t flags[] = {0,
                                     0,
                                     XEN_UVMF_TLB_FLUSH,
                                     XEN_UVMF_INVLPG,
                                     XEN_UVMF_TLB_FLUSH | XEN_UVMF_ALL,
                                     XEN_UVMF_INVLPG | XEN_UVMF_ALL};
    uint64_t va = pick_va(d), e = pick_entry(d, 1);
    long rc = CALL(d, update_va_mapping, va, e, flags[random_below(6)], 0);

    agree(kind, "update_va_mapping", rc, model_va_mapping(d, va, e));
}

/* One of the pages becomes a table-to-be: mapped read-only wherever HOSTED_BASE maps it. */
static void op_protect(struct mdomain *d, unsigned kind)
{
    uint64_t va = HOSTED_BASE + (random_below(GUEST_PAGES) << 12), at = model_walk(d, va), e;
    long rc;

    if (at == ~0ull)
        return;
    e = mframe[at >> 9].word[at & 511];
    if (!(e & PTE_P))
        e = pick_used(d, FRAME_WRITABLE) << 12 | PTE_P | PTE_RW;
    else
        e ^= PTE_RW;
    e &= ~PTE_KERNEL;
    rc = CALL(d, update_va_mapping, va, e, XEN_UVMF_INVLPG, 0);
    agree(kind, "protect", rc, model_va_mapping(d, va, e));
}

/* Like a kernel's store into memory that it has mapped. */
static void op_store(struct mdomain *d, unsigned kind)
{
    uint64_t m = pick_used(d, FRAME_WRITABLE);
    unsigned level = 1 + (unsigned)random_below(4), i = pick_slot(level);
    uint64_t e = pick_entry(d, level);

    if (!mframe[m].uses[FRAME_WRITABLE])
        return;
    ((uint64_t *)plat_map(mfn(m)))[i] = e;
    mframe[m].word[i] = e;
    agree(kind, "store", 0, 0);
}

static void op_touch(struct mdomain *d, unsigned kind)
{
    long rc = hosted_touch(pick_va(d), chance(50)) ? 0 : -XEN_EFAULT;

    agree(kind, "touch", rc, rc);
}

static void op_pt_write(struct mdomain *d, unsigned kind)
{
    static const uint8_t code[16] = {0x48, 0x89, 0x07}; /* mov %rax, (%rdi) */
    uint64_t va = pick_va(d) | pick_slot(1) << 3, e = pick_entry(d, 1);
    bool done;

    for (unsigned i = 0; i < 200 && chance(98); i++) { /* rather one that maps a table */
        uint64_t at = model_walk(d, va), leaf = at == ~0ull ? 0 : mframe[at >> 9].word[at & 511];

        if ((leaf & (PTE_P | PTE_RW)) == PTE_P && pte_mfn(leaf).n < FRAMES &&
            mframe[pte_mfn(leaf).n].uses[FRAME_L1])
            break;
        va = HOSTED_BASE + (random_below(176) << 12 | pick_slot(1) << 3);
    }

    d->v->regs.rip = (uint64_t)(uintptr_t)code;
    d->v->regs.rdi = va;
    d->v->regs.rax = e;
    d->v->regs.rflags = 0x202;
    done = emulate_pt_write(d->v, va);
    if (done && d->v->regs.rip != (uint64_t)(uintptr_t)code + 3)
        abort();
    agree(kind, "page-table write", done ? 0 : -1,
          va < 0x800000000000ull || va >= 0xffff880000000000ull ? model_pt_write(d, va, e) ? 0 : -1
                                                                : -1);
}

/* -- mmuext_op --------------------------------------------------------------------------------- */

static long mmuext(struct mdomain *d, uint32_t cmd, uint64_t a, uint64_t b)
{
    struct xen_mmuext_op op = {.cmd = cmd, .arg1.mfn = a, .arg2.src_mfn = b};

    return CALL(d, mmuext_op, &op, 1, 0, XEN_DOMID_SELF);
}

static void op_pin(struct mdomain *d, unsigned kind)
{
    unsigned level = 1 + (unsigned)random_below(4);
    uint64_t m = chance(50) ? pick_used(d, level) : chance(80) ? pick_unused(d) : pick_any(d);

    agree(kind, "pin", mmuext(d, XEN_MMUEXT_PIN_L1_TABLE + level - 1, m, 0),
          model_pin(d, m, level));
}

static void op_unpin(struct mdomain *d, unsigned kind)
{
    uint64_t m = pick_used(d, 1 + (unsigned)random_below(4));

    for (unsigned i = 0; i < 8 && m < FRAMES && !mframe[m].pinned; i++)
        m = chance(90) ? pick_used(d, 1 + (unsigned)random_below(4)) : pick_any(d);
    agree(kind, "unpin", mmuext(d, XEN_MMUEXT_UNPIN_TABLE, m, 0), model_unpin(d, m));
}

static void op_baseptr(struct mdomain *d, unsigned kind)
{
    bool user = chance(50);
    uint64_t m = chance(75) ? pick_used(d, FRAME_L4) : chance(60) ? pick_unused(d) : pick_any(d);

    if (user && chance(20))
        m = 0;
    agree(kind, "base pointer",
          mmuext(d, user ? XEN_MMUEXT_NEW_USER_BASEPTR : XEN_MMUEXT_NEW_BASEPTR, m, 0),
          model_baseptr(d, m, user));
    if (hosted.root.n != d->root[1])
        abort();
}

static void op_pages(struct mdomain *d, unsigned kind)
{
    uint64_t to = chance(70)   ? pick_used(d, FRAME_WRITABLE)
                  : chance(50) ? pick_unused(d)
                               : pick_any(d);
    uint64_t from = pick_any(d);

    if (is_shared(to) || is_shared(from))
        return;
    if (chance(60))
        agree(kind, "clear", mmuext(d, XEN_MMUEXT_CLEAR_PAGE, to, 0), model_clear(d, to));
    else
        agree(kind, "copy", mmuext(d, XEN_MMUEXT_COPY_PAGE, to, from), model_copy(d, to, from));
}

static void op_flush(struct mdomain *d, unsigned kind)
{
    static const uint32_t commands[] = {
        XEN_MMUEXT_TLB_FLUSH_LOCAL, XEN_MMUEXT_INVLPG_LOCAL, XEN_MMUEXT_TLB_FLUSH_ALL,
        XEN_MMUEXT_INVLPG_ALL,      XEN_MMUEXT_FLUSH_CACHE,  XEN_MMUEXT_FLUSH_CACHE_GLOBAL,
        XEN_MMUEXT_MARK_SUPER,      XEN_MMUEXT_UNMARK_SUPER, 14,
    };
    static const long results[] = {
        0, 0, 0, 0, -XEN_EACCES, -XEN_EINVAL, -XEN_EOPNOTSUPP, -XEN_EOPNOTSUPP, -XEN_ENOSYS};
    unsigned i = (unsigned)random_below(9);
    uint64_t mask = chance(50); /* of vCPUs */
    bool known = chance(80);

    if (chance(40))
        agree(
            kind, "flush multi",
            mmuext(d, XEN_MMUEXT_TLB_FLUSH_MULTI, 0, known ? (uint64_t)(uintptr_t)&mask : NOWHERE),
            known ? 0 : -XEN_EINVAL);
    else
        agree(kind, "flush", mmuext(d, commands[i], pick_va(d), 0), results[i]);
}

/* Arguments that are refused whatever the state is. */
static void op_wrong(struct mdomain *d, unsigned kind)
{
    struct xen_mmu_update req = {0, 0};
    struct xen_mmuext_op op = {.cmd = XEN_MMUEXT_TLB_FLUSH_LOCAL};
    uint32_t others = d->id % GUESTS + 1;

    switch (random_below(8)) {
    case 0:
        agree(kind, "own number", CALL(d, mmu_update, &req, 1, 0, d->id), -XEN_ESRCH);
        break;
    case 1:
        agree(kind, "other domain", CALL(d, mmu_update, &req, 1, 0, others), -XEN_EPERM);
        break;
    case 2:
        agree(kind, "no domain", CALL(d, mmuext_op, &op, 1, 0, 60), -XEN_ESRCH);
        break;
    case 3:
        agree(kind, "other's tables",
              CALL(d, mmu_update, &req, 1, 0, (others + 1) << 16 | XEN_DOMID_SELF), -XEN_EPERM);
        break;
    case 4:
        agree(kind, "no pointer", CALL(d, mmu_update, NOWHERE, 2, 0, XEN_DOMID_SELF), -XEN_EFAULT);
        break;
    case 5:
        agree(kind, "no pointer", CALL(d, mmuext_op, 0xffff810000000000, 1, 0, XEN_DOMID_SELF),
              -XEN_EFAULT);
        break;
    case 6: /* entries above level 1 cannot name foreign frames */
        req.ptr = pick_used(d, FRAME_L4) << 12;
        if (mframe[req.ptr >> 12].uses[FRAME_L4])
            agree(kind, "I/O in a level 4", CALL(d, mmu_update, &req, 1, 0, XEN_DOMID_IO),
                  -XEN_EINVAL);
        break;
    default:
        agree(kind, "domain with I/O",
              CALL(d, update_va_mapping_otherdomain, HOSTED_BASE, 0, 0, XEN_DOMID_IO), -XEN_EPERM);
    }
}

/* Counts near their end: nothing may take one more. */
static void op_overflow(struct mdomain *d, unsigned kind)
{
    uint64_t m = pick_own(d), va = HOSTED_BASE, at = model_walk(d, va);
    struct frame *f = frame_of(mfn(m));

    if (at == ~0ull || pte_mfn(mframe[at >> 9].word[at & 511]).n == m)
        return;
    f->refs += FRAME_REFS_MAX;
    if (chance(50))
        agree(kind, "too many references", CALL(d, update_va_mapping, va, m << 12 | PTE_P, 0, 0),
              -XEN_EBUSY);
    else if (!mframe[m].pinned)
        agree(kind, "too many references", mmuext(d, XEN_MMUEXT_PIN_L2_TABLE, m, 0), -XEN_EINVAL);
    f->refs -= FRAME_REFS_MAX;
}

/* -- descriptors
 * ----------------------------------------------------------------------------------- */

static void op_gdt(struct mdomain *d, unsigned kind)
{
    uint64_t frames[GDT_PAGES];
    unsigned n = (unsigned)random_below(3);
    unsigned entries = chance(5) ? 0x1c01 : n * 512;

    for (unsigned i = 0; i < GDT_PAGES; i++)
        frames[i] = chance(70)   ? pick_unused(d)
                    : chance(50) ? pick_used(d, FRAME_SEGDESC)
                                 : pick_any(d);
    agree(kind, "set_gdt", CALL(d, set_gdt, frames, entries, 0, 0),
          model_set_gdt(d, frames, entries));
}

static uint64_t descriptor(void)
{
    static const uint64_t known[] = {
        0x00af9a000000ffffull, 0x00cff2000000ffffull, 0x0000e90000000067ull, /* TSS: refused */
        0x00008c00e0330000ull, 0x0000ec00e0330010ull, 0x00000c0000000000ull,
        0x0000ec0bf0330010ull, 0x0000ec00fff00010ull, 0ull,
    };

    return known[random_below(9)];
}

static void op_descriptor(struct mdomain *d, unsigned kind)
{
    uint64_t m = chance(40)   ? pick_used(d, FRAME_SEGDESC)
                 : chance(70) ? pick_used(d, FRAME_WRITABLE)
                              : pick_any(d);
    uint64_t maddr = m << 12 | random_below(512) << 3, desc = descriptor();

    if (is_shared(m))
        return;
    if (chance(3))
        maddr += 4;
    agree(kind, "update_descriptor", CALL(d, update_descriptor, maddr, desc, 0, 0),
          model_update_descriptor(d, maddr, desc));
}

static void op_ldt(struct mdomain *d, unsigned kind)
{
    struct xen_mmuext_op op = {.cmd = XEN_MMUEXT_SET_LDT};
    unsigned page = (unsigned)random_below(LDT_PAGES);

    if (chance(60)) {
        agree(kind, "ldt page", ldt_fault(d->v, page) ? 0 : -1, model_ldt_fault(d, page) ? 0 : -1);
        return;
    }
    op.arg1.linear_addr = pick_va(d) + (chance(5) ? 8 : 0);
    op.arg2.nr_ents = (uint32_t)random_below(chance(95) ? 8193 : 20000);
    agree(kind, "set_ldt", CALL(d, mmuext_op, &op, 1, 0, XEN_DOMID_SELF),
          model_set_ldt(d, op.arg1.linear_addr, op.arg2.nr_ents));
}

/* -- the choice
 * -------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*op)(struct mdomain *, unsigned);
    unsigned weight;
} table[] = {
    {"mmu_update", op_update, 26},
    {"update_va_mapping", op_va, 14},
    {"protect", op_protect, 12},
    {"store", op_store, 8},
    {"touch", op_touch, 8},
    {"pt_write", op_pt_write, 5},
    {"pin", op_pin, 8},
    {"unpin", op_unpin, 5},
    {"baseptr", op_baseptr, 4},
    {"pages", op_pages, 4},
    {"flush", op_flush, 2},
    {"wrong", op_wrong, 1},
    {"overflow", op_overflow, 1},
    {"set_gdt", op_gdt, 2},
    {"update_descriptor", op_descriptor, 3},
    {"ldt", op_ldt, 2},
    {"populate", op_populate, 3},
    {"decrease", op_decrease, 2},
    {"exchange", op_exchange, 2},
    {"grant set", op_grant_set, 4},
    {"grant map", op_grant_map, 4},
    {"grant unmap", op_grant_unmap, 4},
    {"grant copy", op_grant_copy, 4},
    {"transfer", op_transfer, 3},
    {"grant swap", op_swap, 1},
    {"cache flush", op_cache_flush, 1},
    {"rebuild", op_rebuild, 3},
    {"rare", op_rare, 2},
    {"retype", op_retype, 3},
};

unsigned op_kinds(void)
{
    return sizeof(table) / sizeof(table[0]);
}
const char *op_name(unsigned kind)
{
    return table[kind].name;
}

void random_op(struct mdomain *d)
{
    static unsigned total;
    unsigned n;

    if (total == 0)
        for (unsigned i = 0; i < op_kinds(); i++)
            total += table[i].weight;
    n = (unsigned)random_below(total);
    for (unsigned i = 0; i < op_kinds(); i++) {
        if (n < table[i].weight) {
            current_op = table[i].name;
            table[i].op(d, i);
            return;
        }
        n -= table[i].weight;
    }
}
