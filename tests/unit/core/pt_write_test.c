/* SPDX-License-Identifier: MIT
 *
 * pt_write_test.c - a kernel that writes to its page tables as if they were memory.
 */
#include <criterion/criterion.h>
#include "mm_fixture.h"

TestSuite(pt_write, .init = mm_setup, .fini = mm_teardown);

enum { CODE = 8 };

/* The kernel executes these bytes; the write to va faults. */
static bool run(uint64_t va, const void *code, size_t n)
{
    memset(hosted_page(g, CODE), 0x90, 32);
    memcpy(hosted_page(g, CODE), code, n);
    v->regs.rip = hosted_va(CODE);
    return emulate_pt_write(v, va);
}
#define RUN(va, ...) run(va, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Where the kernel sees the entry of pfn. */
static uint64_t at(uint64_t pfn)
{
    return hosted_va(g->l1) + pfn * 8;
}

Test(pt_write, a_plain_store)
{
    v->regs.rdi = at(3);
    v->regs.rax = hosted_entry(g, 4, PTE_P | PTE_RW);
    cr_assert(RUN(at(3), 0x48, 0x89, 0x07)); /* mov %rax, (%rdi) */
    cr_assert_eq(*pte(3), v->regs.rax | PTE_US | PTE_KERNEL);
    cr_assert_eq(v->regs.rip, hosted_va(CODE) + 3);
    cr_assert_eq(frame(4)->refs, 3);
    cr_assert(RUN(at(3), 0x48, 0xc7, 0x07, 0, 0, 0, 0)); /* movq $0, (%rdi) */
    cr_assert_eq(*pte(3), 0);
    cr_assert_eq(frame(4)->refs, 2);
}

Test(pt_write, parts_of_an_entry)
{
    uint64_t before = *pte(3);

    v->regs.rdi = at(3);
    v->regs.rcx = (uint32_t)(before & ~PTE_RW);
    cr_assert(RUN(at(3), 0x89, 0x0f)); /* mov %ecx, (%rdi) */
    cr_assert_eq(*pte(3), before & ~PTE_RW);
    v->regs.rdi = at(3) + 1;
    cr_assert(RUN(at(3) + 1, 0x80, 0x0f, 0x02)); /* orb $2, (%rdi): an available bit */
    cr_assert_eq(*pte(3), (before & ~PTE_RW) | 0x200);
}

Test(pt_write, read_modify_write)
{
    v->regs.rdi = at(3);
    v->regs.rax = *pte(3);
    v->regs.rcx = 0;
    v->regs.rflags = 0x202;
    cr_assert(RUN(at(3), 0xf0, 0x48, 0x0f, 0xb1, 0x0f)); /* lock cmpxchg %rcx, (%rdi) */
    cr_assert_eq(*pte(3), 0);
    cr_assert_eq(v->regs.rflags & 0x40, 0x40);
    v->regs.rcx = hosted_entry(g, 3, PTE_P);
    cr_assert(RUN(at(3), 0x48, 0x87, 0x0f)); /* xchg %rcx, (%rdi) */
    cr_assert_eq(v->regs.rcx, 0);
    cr_assert_eq(*pte(3) & (PTE_P | PTE_FRAME), hosted_entry(g, 3, PTE_P));
}

Test(pt_write, refused_stores_change_no_register)
{
    uint64_t before = *pte(3);

    v->regs.rdi = at(3);
    v->regs.rcx = hosted_entry(other, 3, PTE_P);
    cr_assert_not(RUN(at(3), 0x48, 0x87, 0x0f)); /* xchg */
    cr_assert_eq(v->regs.rcx, hosted_entry(other, 3, PTE_P));
    cr_assert_eq(last()->rule, RULE_PT_FRAME_OWNER);
    cr_assert_not(RUN(at(3), 0x48, 0x89, 0x0f));
    cr_assert_eq(v->regs.rip, hosted_va(CODE));
    cr_assert_eq(*pte(3), before);
}

Test(pt_write, strings)
{
    v->regs.rdi = at(3);
    v->regs.rax = 0;
    v->regs.rcx = 2;
    v->regs.rflags = 2;
    cr_assert(RUN(at(3), 0xf3, 0x48, 0xab)); /* rep stosq: one step each */
    cr_assert_eq(v->regs.rip, hosted_va(CODE));
    cr_assert_eq(v->regs.rcx, 1);
    cr_assert_eq(v->regs.rdi, at(4));
    cr_assert(emulate_pt_write(v, at(4)));
    cr_assert_eq(v->regs.rip, hosted_va(CODE) + 3);
    cr_assert_eq(*pte(4), 0);
    v->regs.rdi = at(5);
    v->regs.rsi = hosted_va(9);
    *(uint64_t *)hosted_page(g, 9) = hosted_entry(g, 6, PTE_P);
    cr_assert(RUN(at(5), 0x48, 0xa5)); /* movsq */
    cr_assert_eq(pte_mfn(*pte(5)).n, g->p2m[6]);
    v->regs.rsi = 16;
    v->regs.rdi = at(5);
    cr_assert_not(RUN(at(5), 0x48, 0xa5)); /* its source is nowhere */
}

Test(pt_write, segments)
{
    v->regs.rdi = 8;
    v->regs.rax = 0;
    v->segbase[SEGBASE_FS] = at(2);
    cr_assert(RUN(at(3), 0x64, 0x48, 0x89, 0x07)); /* mov %rax, %fs:(%rdi) */
    cr_assert_eq(*pte(3), 0);
    v->segbase[SEGBASE_GS_KERNEL] = at(3);
    cr_assert(RUN(at(4), 0x65, 0x48, 0x89, 0x07));
    cr_assert_eq(*pte(4), 0);
}

Test(pt_write, what_is_left_to_the_guest)
{
    v->regs.rdi = at(3);
    v->regs.rax = 0;
    cr_assert_not(RUN(HV_VA, 0x48, 0x89, 0x07));
    cr_assert_not(RUN(0x1000, 0x48, 0x89, 0x07));           /* not mapped */
    cr_assert_not(RUN(hosted_va(3), 0x48, 0x89, 0x07));     /* writable */
    cr_assert_not(RUN(hosted_va(g->l2), 0x48, 0x89, 0x07)); /* no level-1 table */
    make_readonly(20);
    cr_assert_not(RUN(hosted_va(20), 0x48, 0x89, 0x07)); /* no table at all */
    cr_assert_not(RUN(at(3), 0x0f, 0xae, 0x07));         /* fxsave */
    cr_assert_eq(last()->rule, RULE_PT_WRITE_INSTRUCTION);
    cr_assert_not(RUN(at(3), 0x48, 0x8b, 0x07)); /* a load */
    cr_assert_not(RUN(at(3), 0x48, 0x39, 0x07)); /* cmp writes nothing */
    v->regs.rdi = at(3) + 4;
    cr_assert_not(RUN(at(3) + 4, 0x48, 0x89, 0x07)); /* not aligned */
    cr_assert_eq(last()->rule, RULE_PT_WRITE_PLACE);
    v->regs.rdi = at(0) - 4096;
    cr_assert_not(RUN(at(3), 0x48, 0x89, 0x07)); /* elsewhere */
    v->regs.rip = HV_VA;
    cr_assert_not(emulate_pt_write(v, at(3)));
    v->regs.rip = 16;
    cr_assert_not(emulate_pt_write(v, at(3)));
}

Test(pt_write, code_at_the_end_of_a_page)
{
    uint8_t *end = (uint8_t *)hosted_page(g, CODE) + 4093;

    memcpy(end, (uint8_t[]){0x48, 0x89, 0x07}, 3);
    cr_assert_eq(update(pte_addr(CODE + 1), 0), 0);
    v->regs.rdi = at(3);
    v->regs.rax = 0;
    v->regs.rip = hosted_va(CODE) + 4093;
    cr_assert(emulate_pt_write(v, at(3)));
}

Test(pt_write, a_single_step_is_seen)
{
    v->traps[1] =
        (struct xen_trap_info){.vector = 1, .cs = XEN_FLAT_KERNEL_CS, .address = hosted_va(1)};
    v->kernel_sp = hosted_va(12);
    v->regs.rsp = hosted_va(12);
    v->regs.cs = XEN_FLAT_KERNEL_CS;
    v->regs.ss = XEN_FLAT_KERNEL_SS;
    v->regs.rdi = at(3);
    v->regs.rax = 0;
    v->regs.rflags = 0x302;
    cr_assert(RUN(at(3), 0x48, 0x89, 0x07));
    cr_assert_eq(v->regs.rip, hosted_va(1));
}
