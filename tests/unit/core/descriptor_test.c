/* SPDX-License-Identifier: MIT
 *
 * descriptor_test.c - GDT, LDT, single descriptors.
 */
#include <criterion/criterion.h>
#include "mm_fixture.h"

TestSuite(descriptor, .init = mm_setup, .fini = mm_teardown);

static const uint64_t CODE = 0x00af9a000000ffffull, TSS = 0x0000e90000000067ull;

static long set_gdt(const uint64_t *frames, unsigned n, unsigned entries)
{
    memcpy(args(), frames, n * sizeof(*frames));
    return hosted_call(v, XEN_HYPERVISOR_set_gdt, hosted_va(ARGS), entries, 0, 0);
}

static long update_descriptor(uint64_t maddr, uint64_t desc)
{
    return hosted_call(v, XEN_HYPERVISOR_update_descriptor, maddr, desc, 0, 0);
}

static uint64_t *table(uint64_t pfn)
{
    make_readonly(pfn);
    return memset(hosted_page(g, pfn), 0, PV_PAGE_SIZE);
}

Test(descriptor, a_gdt)
{
    uint64_t frames[2] = {g->p2m[5], g->p2m[6]}, *t = table(5);

    table(6);
    t[1] = CODE;
    cr_assert_eq(set_gdt(frames, 2, 1024), 0);
    cr_assert_eq(t[1], CODE | 3ull << 45); /* ring 3 */
    cr_assert_eq(frame(5)->type, FRAME_SEGDESC);
    cr_assert_eq(hosted.gdt_loads, 1);
    cr_assert_eq(v->gdt_entries, 1024);
    cr_assert_eq(set_gdt(frames, 1, 1), 0);
    cr_assert_eq(frame(6)->type_refs, 0);
    cr_assert_eq(set_gdt(frames, 0, 0), 0);
    cr_assert_eq(frame(5)->refs, 2);
}

/* Its tables are mapped all the time: they must never show a frame that was given up. */
Test(descriptor, another_vcpu_is_mapped_anew)
{
    uint64_t frames[1] = {g->p2m[5]};

    table(5);
    cr_assert_eq(gdt_take(g->d->vcpu[1], frames, 8), 0);
    cr_assert_eq(hosted.gdt_loads, 1);
    gdt_drop(g->d->vcpu[1]);
    cr_assert_eq(hosted.gdt_loads, 2);
    gdt_drop(v);
    cr_assert_eq(hosted.gdt_loads, 3);
}

Test(descriptor, bad_gdts)
{
    uint64_t frames[3] = {g->p2m[5], g->p2m[6], other->p2m[5]}, *t = table(5);

    cr_assert_refused(set_gdt(frames, 2, 1024), RULE_GDT_FRAME_TYPE,
                      XEN_EINVAL); /* page 6 is writable */
    cr_assert_eq(frame(5)->type_refs, 0);
    table(6);
    cr_assert_refused(set_gdt(frames, 3, 1025), RULE_GDT_FRAME, XEN_EINVAL);
    frames[2] = frame_count;
    cr_assert_refused(set_gdt(frames, 3, 1025), RULE_GDT_FRAME, XEN_EINVAL);
    t[7] = TSS;
    cr_assert_refused(set_gdt(frames, 1, 8), RULE_DESCRIPTOR, XEN_EINVAL);
    cr_assert_eq(last()->va, (g->p2m[5] << 12) + 56);
    cr_assert_refused(set_gdt(frames, 1, 0x1c01), RULE_GDT_SIZE, XEN_EINVAL);
    cr_assert_refused(gdt_take(v, frames, 0x1c01), RULE_GDT_SIZE, XEN_EINVAL);
    cr_assert_refused(hosted_call(v, XEN_HYPERVISOR_set_gdt, HV_VA, 8, 0, 0), RULE_GUEST_POINTER,
                      XEN_EFAULT);
    frame(6)->refs += FRAME_REFS_MAX;
    cr_assert_refused(set_gdt(frames + 1, 1, 8), RULE_GDT_FRAME_TYPE, XEN_EINVAL);
    frame(6)->refs -= FRAME_REFS_MAX;
}

Test(descriptor, kinds)
{
    uint64_t at = g->p2m[5] << 12, *t = hosted_page(g, 5);
    struct {
        uint64_t in, out;
    } good[] = {
        {0, 0},
        {TSS & ~(1ull << 47), TSS & ~(1ull << 47)}, /* not present */
        {CODE, CODE | 3ull << 45},
        {0x0000800000000000ull, 0x0000800000000000ull}, /* the second half of a gate */
        {0x0000ec00e0330010ull,
         0x00008c00e0330010ull}, /* a gate: level 0, its own in the selector */
        {0x0000ec0000080010ull, 0x00008c00000b0010ull},
        {0x0000ec00fff40010ull, 0x00008c00fff70010ull}, /* into the LDT */
    };
    uint64_t bad[] = {TSS, 0x0000ec01e0330010ull, 0x0000ec00fff80010ull, 0x0000860000000000ull};

    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        cr_assert_eq(update_descriptor(at + 8 * i, good[i].in), 0);
        cr_assert_eq(t[i], good[i].out, "%lx", t[i]);
    }
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_refused(update_descriptor(at, bad[i]), RULE_DESCRIPTOR, XEN_EINVAL);
    cr_assert_refused(update_descriptor(at + 4, 0), RULE_DESCRIPTOR_PLACE, XEN_EINVAL);
    cr_assert_refused(update_descriptor(other->p2m[3] << 12, 0), RULE_GDT_FRAME, XEN_EINVAL);
    cr_assert_refused(update_descriptor(~7ull, 0), RULE_GDT_FRAME, XEN_EINVAL);
    cr_assert_refused(update_descriptor(g->p2m[g->l1] << 12, 0), RULE_GDT_FRAME_TYPE, XEN_EINVAL);
}

Test(descriptor, a_table_in_use_is_written_only_so)
{
    uint64_t frames[1] = {g->p2m[5]}, *t = table(5);

    cr_assert_eq(set_gdt(frames, 1, 512), 0);
    cr_assert_refused(update(pte_addr(5), hosted_entry(g, 5, PTE_P | PTE_RW)),
                      RULE_PT_WRITABLE_DESCRIPTORS, XEN_EBUSY);
    cr_assert_eq(update_descriptor((g->p2m[5] << 12) + 8, CODE), 0);
    cr_assert_eq(t[1], CODE | 3ull << 45);
}

Test(descriptor, ldt_pages_on_demand)
{
    table(5);
    cr_assert_not(ldt_fault(v, 0));
    cr_assert_eq(mmuext(XEN_MMUEXT_SET_LDT, hosted_va(5), 513), 0);
    cr_assert(ldt_fault(v, 0));
    cr_assert_eq(hosted.ldt_pages, 1);
    cr_assert_eq(v->ldt[0].n, g->p2m[5]);
    cr_assert_eq(frame(5)->type, FRAME_SEGDESC);
    cr_assert_not(ldt_fault(v, 0)); /* it is there */
    cr_assert_not(ldt_fault(v, 1)); /* writable */
    cr_assert_not(ldt_fault(v, 2)); /* beyond */
    cr_assert_eq(update(pte_addr(6), 0), 0);
    cr_assert_not(ldt_fault(v, 1)); /* not mapped */
    cr_assert_eq(mmuext(XEN_MMUEXT_SET_LDT, hosted_va(5), 8), 0);
    cr_assert_eq(frame(5)->type_refs, 0);
    /* it goes with the address space that it was found in */
    cr_assert(ldt_fault(v, 0));
    make_readonly(20);
    memcpy(hosted_page(g, 20), hosted_page(g, g->l4), PV_PAGE_SIZE);
    cr_assert_eq(mmuext(XEN_MMUEXT_NEW_BASEPTR, g->p2m[20], 0), 0);
    cr_assert_eq(v->ldt_mapped, 0);
    cr_assert_eq(frame(5)->type_refs, 0);
    cr_assert_eq(mmuext(XEN_MMUEXT_NEW_BASEPTR, g->p2m[g->l4], 0), 0);
}
