/* SPDX-License-Identifier: MIT
 *
 * ops_rare.c - operations with one known answer, and a guest that puts its house in order.
 */
#include "ops.h"
#include <pv/abi/errno.h>
#include <pv/abi/memory.h>
#include <stdio.h>
#include <stdlib.h>

#define NOWHERE (100ull << 39) /* no table ever maps it */

/* -- address spaces ------------------------------------------------------------------- */

/* Work of the test, not counted as an operation. */
static void settle(const char *what, long real, long want)
{
    struct stats before = stats;

    agree(0, what, real, want);
    stats = before;
}

static void write_word(struct mdomain *d, uint64_t m, unsigned i, uint64_t e)
{
    struct xen_mmu_update req = {m << 12 | i << 3, e};

    settle("write", CALL(d, mmu_update, &req, 1, 0, XEN_DOMID_SELF), model_update(d, req.ptr, e));
}

static bool unused(const struct mframe *f)
{
    uint32_t uses = 0;

    for (unsigned t = 0; t < FRAME_TYPES; t++)
        uses += f->uses[t];
    return uses == 0;
}

/* Tables that map d's frames from HOSTED_BASE on, made from pages that nothing uses, and loaded. */
static void rebuild(struct mdomain *d)
{
    uint64_t table[4], n = 0, i = 0;
    struct xen_mmuext_op op = {.cmd = XEN_MMUEXT_NEW_BASEPTR};

    for (uint64_t m = 0; m < FRAMES && n < 4; m++)
        if (mframe[m].owner == (int)d->id && !mframe[m].shared && unused(&mframe[m]))
            table[n++] = m;
    if (n < 4)
        return;
    for (n = 0; n < 4; n++) {
        struct xen_mmuext_op clear = {.cmd = XEN_MMUEXT_CLEAR_PAGE, .arg1.mfn = table[n]};

        settle("clear", CALL(d, mmuext_op, &clear, 1, 0, XEN_DOMID_SELF), model_clear(d, table[n]));
    }
    for (unsigned level = 4; level > 1; level--)
        write_word(d, table[level - 1], pt_index(HOSTED_BASE, level),
                   table[level - 2] << 12 | PTE_P | PTE_RW | PTE_US);
    for (uint64_t m = 0; m < FRAMES && i < GUEST_PAGES + 16; m++) {
        const struct mframe *f = &mframe[m];
        bool table_page = m == table[0] || m == table[1] || m == table[2] || m == table[3];

        if (f->owner != (int)d->id)
            continue;
        write_word(d, table[0], (unsigned)i++,
                   m << 12 | PTE_P |
                       (!table_page && (f->uses[FRAME_WRITABLE] || unused(f)) ? PTE_RW : 0));
    }
    op.arg1.mfn = table[3];
    settle("load", CALL(d, mmuext_op, &op, 1, 0, XEN_DOMID_SELF),
           model_baseptr(d, table[3], false));
}

/* Pins of tables that nothing but the pin uses end. */
static void unpin_all(struct mdomain *d)
{
    for (uint64_t m = 0; m < FRAMES; m++) {
        struct xen_mmuext_op op = {.cmd = XEN_MMUEXT_UNPIN_TABLE, .arg1.mfn = m};

        if (mframe[m].owner == (int)d->id && mframe[m].pinned && chance(70))
            settle("unpin", CALL(d, mmuext_op, &op, 1, 0, XEN_DOMID_SELF), model_unpin(d, m));
    }
}

void op_rebuild(struct mdomain *d, unsigned kind)
{
    uint64_t at = model_walk(d, HOSTED_BASE), present = 0;

    for (uint64_t i = 0; at != ~0ull && i < GUEST_PAGES; i++)
        present += mframe[at >> 9].word[i] & PTE_P;
    if (present > GUEST_PAGES / 2)
        return;
    rebuild(d);
    if (model_walk(d, HOSTED_BASE) == ~0ull || chance(30)) {
        unpin_all(d);
        rebuild(d);
    }
    agree(kind, "rebuild", 0, 0);
}

/* -- known answers ------------------------------------------------------------------------ */

static void memory_rare(struct mdomain *d, unsigned kind)
{
    static const struct {
        unsigned cmd;
        long result;
    } known[] = {
        {XENMEM_machphys_compat_mfn_list, -XEN_EOPNOTSUPP},
        {XENMEM_get_vnumainfo, -XEN_EOPNOTSUPP},
        {XENMEM_add_to_physmap, -XEN_EACCES},
        {XENMEM_remove_from_physmap, -XEN_EACCES},
        {XENMEM_machine_memory_map, -XEN_EPERM},
        {XENMEM_acquire_resource, -XEN_EPERM},
        {XENMEM_maximum_ram_page | 1 << 6, -XEN_EINVAL},
        {XENMEM_maximum_ram_page, FRAMES},
        {63, -XEN_ENOSYS},
    };
    struct xen_memory_domain self = {XEN_DOMID_SELF};
    unsigned i = (unsigned)random_below(12);

    if (i < 9)
        agree(kind, "memory_op", CALL(d, memory_op, known[i].cmd, 0, 0, 0), known[i].result);
    else if (i == 9)
        agree(kind, "reservation", CALL(d, memory_op, XENMEM_current_reservation, &self, 0, 0),
              (long)d->pages);
    else if (i == 10)
        agree(kind, "reservation", CALL(d, memory_op, XENMEM_maximum_reservation, &self, 0, 0),
              (long)d->max_pages);
    else
        agree(kind, "reservation", CALL(d, memory_op, XENMEM_current_reservation, NOWHERE, 0, 0),
              -XEN_EFAULT);
}

static void memory_map(struct mdomain *d, unsigned kind)
{
    struct pv_e820_entry entry[4] = {{0, 0x100000, 1}};
    struct xen_foreign_memory_map set = {XEN_DOMID_SELF, {chance(50) ? 3 : 200, pv_gptr(entry)}};
    struct xen_memory_map get = {4, pv_gptr(entry)};

    agree(kind, "set_memory_map", CALL(d, memory_op, XENMEM_set_memory_map, &set, 0, 0),
          set.map.nr_entries == 3 ? 0 : -XEN_EINVAL);
    agree(kind, "memory_map", CALL(d, memory_op, XENMEM_memory_map, &get, 0, 0), 0);
}

/* The machine is full for a moment. */
static void no_memory(struct mdomain *d, unsigned kind)
{
    uint64_t pfn = 1;
    struct xen_memory_reservation r = {
        .extent_start = pv_gptr(&pfn), .nr_extents = 1, .domid = XEN_DOMID_SELF};
    struct {
        void *page;
        unsigned order;
    } taken[256];
    unsigned n = 0;

    if (d->pages == d->max_pages)
        return;
    for (unsigned order = 12; order < 13 && n < 256; order--)
        while (n < 256 && (taken[n].page = frame_hv_alloc(order)))
            taken[n++].order = order;
    if (frame_free_count() == 0)
        agree(kind, "populate without memory",
              CALL(d, memory_op, XENMEM_populate_physmap, &r, 0, 0), 0);
    while (n-- > 0)
        frame_hv_free(taken[n].page, taken[n].order);
}

/* Writes to tables that are not emulated; a page that is mapped read-only and is one. */
static void odd_write(struct mdomain *d, unsigned kind)
{
    static const uint8_t fxsave[16] = {0x0f, 0xae, 0x07}, mov[16] = {0x48, 0x89, 0x07};
    bool known = chance(50);

    for (uint64_t i = 0; i < GUEST_PAGES; i++) {
        uint64_t va = HOSTED_BASE + (i << 12), at = model_walk(d, va), e;

        e = at == ~0ull ? 0 : mframe[at >> 9].word[at & 511];
        if ((e & (PTE_P | PTE_RW)) != PTE_P || pte_mfn(e).n >= FRAMES ||
            !mframe[pte_mfn(e).n].uses[FRAME_L1])
            continue;
        d->v->regs.rip = (uint64_t)(uintptr_t)(known ? mov : fxsave);
        d->v->regs.rdi = va + 4; /* not aligned */
        agree(kind, "odd write", emulate_pt_write(d->v, va + 4) ? 0 : -1, -1);
        return;
    }
}

/* A page that the processor has just written through va loses that mapping, without a flush, and
 * becomes something that the guest must not write. */
void op_retype(struct mdomain *d, unsigned kind)
{
    struct xen_mmuext_op pin = {0};
    struct pv_e820_entry entry = {0};
    struct xen_foreign_memory_map set = {XEN_DOMID_SELF, {1, pv_gptr(&entry)}};
    uint64_t va = HOSTED_BASE + (random_below(GUEST_PAGES) << 12), at = model_walk(d, va), e, m;
    struct xen_memory_reservation r = {
        .extent_start = pv_gptr(&m), .nr_extents = 1, .domid = XEN_DOMID_SELF};
    unsigned level = 1 + (unsigned)random_below(6);

    e = at == ~0ull ? 0 : mframe[at >> 9].word[at & 511];
    m = pte_mfn(e).n;
    if ((e & (PTE_P | PTE_RW)) != (PTE_P | PTE_RW) || mframe[m].owner != (int)d->id ||
        mframe[m].uses[FRAME_WRITABLE] != 1 || mframe[m].shared || !hosted_touch(va, true))
        return;
    e = chance(50) && level < 6 ? (e & ~(PTE_RW | PTE_KERNEL)) : 0;
    agree(kind, "unmap", CALL(d, update_va_mapping, va, e, XEN_UVMF_NONE, 0),
          model_va_mapping(d, va, e));
    if (level <= 4) {
        pin = (struct xen_mmuext_op){XEN_MMUEXT_PIN_L1_TABLE + level - 1, .arg1.mfn = m};
        agree(kind, "pin", CALL(d, mmuext_op, &pin, 1, 0, XEN_DOMID_SELF), model_pin(d, m, level));
    } else if (level == 5) {
        agree(kind, "set_gdt", CALL(d, set_gdt, &m, 512, 0, 0), model_set_gdt(d, &m, 512));
    } else if (d->pages > GUEST_PAGES / 2) {
        agree(kind, "decrease", CALL(d, memory_op, XENMEM_decrease_reservation, &r, 0, 0),
              model_free(d, m));
        agree(kind, "set_memory_map", CALL(d, memory_op, XENMEM_set_memory_map, &set, 0, 0), 0);
        model_sync();
    }
    if (hosted_tlb_check())
        abort();
}

void op_rare(struct mdomain *d, unsigned kind)
{
    switch (random_below(6)) {
    case 0:
        memory_rare(d, kind);
        break;
    case 1:
        memory_map(d, kind);
        break;
    case 2:
        no_memory(d, kind);
        break;
    case 3:
        op_grant_rare(d, kind);
        break;
    default:
        odd_write(d, kind);
    }
    model_sync();
}
