/* SPDX-License-Identifier: MIT
 *
 * descriptor.c - segment descriptors: set_gdt, update_descriptor, and LDT pages on demand.
 *
 * A frame of type SEGDESC holds 512 descriptors that were looked at: present ones are code
 * or data of ring 3, or call gates that always fault (privilege level 0, the guest's own level
 * kept in the selector's low bits). While a GDT or an LDT of some vCPU has the frame, it can't be
 * written but through update_descriptor.
 *
 * The LDT is named by a virtual address; its pages come in when the processor misses one, and
 * go all together (ldt_drop()), at the latest when the address space changes.
 */
#include "mm_args.h"

/* The upper word of a descriptor. */
#define DESC_TYPE 0x00000f00u /* of a system descriptor */
#define DESC_GATE 0x00000c00u
#define DESC_S    0x00001000u /* code or data */
#define DESC_DPL  0x00006000u
#define DESC_P    0x00008000u

/* Is it harmless, after what is done to it here? */
static bool descriptor_check(uint64_t *desc)
{
    uint32_t a = (uint32_t)*desc, b = (uint32_t)(*desc >> 32);
    uint32_t selector;

    if (!(b & DESC_P))
        return true;
    if (b & DESC_S) { /* every level is ring 3: there is no other for a guest */
        *desc = (uint64_t)(b | DESC_DPL) << 32 | a;
        return true;
    }
    if ((b & DESC_TYPE) == 0) /* the second half of a gate */
        return true;
    if ((b & DESC_TYPE) != DESC_GATE || (b & 0xff))
        return false;
    selector = a >> 16;
    if (selector >> 3 >= XEN_FIRST_RESERVED_GDT_ENTRY && selector != XEN_FLAT_KERNEL_CS &&
        !(selector & 4))
        return false;
    a = (a & 0xffff) | (selector | 3) << 16;
    *desc = (uint64_t)(b & ~DESC_DPL) << 32 | a;
    return true;
}

/* Take a reference and a type reference of frame m of v's domain as descriptors. 0 or refused. */
static long segdesc_get(struct vcpu *v, uint64_t m)
{
    struct frame *f = frame_of(mfn(m));
    uint64_t *desc;
    uint8_t was;

    if (unlikely(m >= frame_count || f->owner != v->domain->id))
        return refuse(v, RULE_GDT_FRAME, .mfn = m < frame_count ? m : 0, .value = m);
    if (unlikely((f->type_refs && f->type != FRAME_SEGDESC) || f->refs >= FRAME_REFS_MAX))
        return refuse(v, RULE_GDT_FRAME_TYPE, .mfn = m);
    if (!f->type_refs) {
        was = f->type;
        frame_retype(f, FRAME_SEGDESC);
        desc = plat_map(mfn(m));
        for (unsigned i = 0; i < PV_PAGE_SIZE / sizeof(*desc); i++)
            if (unlikely(!descriptor_check(&desc[i]))) {
                f->type = was;
                return refuse(v, RULE_DESCRIPTOR, .mfn = m, .va = m << PV_PAGE_SHIFT | i * 8,
                              .new_entry = desc[i]);
            }
        f->flags |= FRAME_VALIDATED;
    }
    f->type_refs++;
    f->refs++;
    return 0;
}

static void segdesc_put(mfn_t m)
{
    struct frame *f = frame_of(m);

    if (--f->type_refs == 0) {
        f->flags &= ~FRAME_VALIDATED;
        f->stamp = frame_flush_clock;
    }
    frame_put(f);
}

/* -- GDT -------------------------------------------------------------------- */

static void gdt_forget(struct vcpu *v)
{
    for (unsigned i = 0; i < GDT_PAGES; i++)
        if (v->gdt[i].n) {
            segdesc_put(v->gdt[i]);
            v->gdt[i] = mfn(0);
        }
    v->gdt_entries = 0;
}

long gdt_take(struct vcpu *v, const uint64_t *frames, unsigned entries)
{
    unsigned n = (entries + 511) / 512;
    long rc = 0;

    if (unlikely(entries > XEN_FIRST_RESERVED_GDT_ENTRY))
        return refuse(v, RULE_GDT_SIZE, .value = entries, .limit = XEN_FIRST_RESERVED_GDT_ENTRY);
    for (unsigned i = 0; i < n; i++) {
        rc = segdesc_get(v, frames[i]);
        if (unlikely(rc)) {
            while (i > 0)
                segdesc_put(mfn(frames[--i]));
            return rc;
        }
    }
    gdt_forget(v);
    for (unsigned i = 0; i < n; i++)
        v->gdt[i] = mfn(frames[i]);
    v->gdt_entries = entries;
    plat_gdt_load(v);
    return 0;
}

void gdt_drop(struct vcpu *v)
{
    gdt_forget(v);
    plat_gdt_load(v);
}

long hc_set_gdt(struct vcpu *v, pv_gptr_t list, uint32_t entries)
{
    uint64_t frames[GDT_PAGES];

    if (unlikely(entries > XEN_FIRST_RESERVED_GDT_ENTRY))
        return refuse(v, RULE_GDT_SIZE, .value = entries, .limit = XEN_FIRST_RESERVED_GDT_ENTRY);
    if (unlikely(guest_copy_in(frames, list, (entries + 511) / 512 * sizeof(frames[0]))))
        return refuse(v, RULE_GUEST_POINTER, .va = list.va);
    return gdt_take(v, frames, entries);
}

/* -- one descriptor ----------------------------------------------------------- */

long hc_update_descriptor(struct vcpu *v, uint64_t maddr, uint64_t desc)
{
    mfn_t m = mfn_of_maddr(maddr);
    struct frame *f = frame_of(m);
    uint64_t *p;

    if (unlikely(maddr & 7))
        return refuse(v, RULE_DESCRIPTOR_PLACE, .va = maddr, .new_entry = desc);
    if (unlikely(!descriptor_check(&desc)))
        return refuse(v, RULE_DESCRIPTOR, .va = maddr, .new_entry = desc);
    if (unlikely(!frame_valid(m) || f->owner != v->domain->id))
        return refuse(v, RULE_GDT_FRAME, .mfn = frame_valid(m) ? m.n : 0, .value = m.n,
                      .va = maddr);
    p = (uint64_t *)(plat_ram + maddr);
    if (likely(f->type == FRAME_SEGDESC && f->type_refs)) {
        __atomic_store_n(p, desc, __ATOMIC_RELAXED);
        return 0;
    }
    if (unlikely(f->refs >= FRAME_REFS_MAX || !frame_get_writable(f)))
        return refuse(v, RULE_GDT_FRAME_TYPE, .mfn = m.n, .va = maddr, .new_entry = desc);
    __atomic_store_n(p, desc, __ATOMIC_RELAXED);
    frame_put_writable(f);
    return 0;
}

/* -- LDT ------------------------------------------------------------------------ */

void ldt_drop(struct vcpu *v)
{
    if (!v->ldt_mapped)
        return;
    for (unsigned i = 0; v->ldt_mapped; i++)
        if (v->ldt_mapped & (1u << i)) {
            v->ldt_mapped &= ~(1u << i);
            segdesc_put(v->ldt[i]);
            v->ldt[i] = mfn(0);
        }
    plat_ldt_load(v);
}

bool ldt_fault(struct vcpu *v, unsigned page)
{
    uint64_t e;

    if (page * 512 >= v->ldt_entries || (v->ldt_mapped & (1u << page)))
        return false;
    e = l1_read(v, v->ldt_va + page * (uint64_t)PV_PAGE_SIZE);
    if (!(e & PTE_P) || segdesc_get(v, pte_mfn(e).n))
        return false;
    v->ldt[page] = pte_mfn(e);
    v->ldt_mapped |= 1u << page;
    plat_ldt_page_set(v, page, v->ldt[page]);
    return true;
}
