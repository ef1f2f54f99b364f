/* SPDX-License-Identifier: MIT
 *
 * emulate_test.c - privileged instructions as a guest's kernel, and its user programs, execute
 * them: what changes, what is injected, what stays the guest's own #GP.
 */
#include "exec_fixture.h"
#include "core/emulate_msr.h"

TestSuite(emulate, .init = exec_setup, .fini = exec_teardown);

enum { DB = 1, UD = 6, GP = 13, PF = 14 };
enum { CODE = 4, DATA = 5, TS = 8 };
enum { OSXSAVE = 1 << 18, DE_BIT = 1 << 3, TSD = 4 };

static void place(const void *code, size_t n, uint64_t offset)
{
    for (unsigned t = 0; t < 32; t++)
        v->traps[t].address = HANDLER + t;
    memcpy((char *)hosted_page(g, CODE) + offset, code, n);
    v->regs.rip = hosted_va(CODE) + offset;
    v->regs.cs = XEN_FLAT_RING3_CS64;
    v->regs.ss = XEN_FLAT_KERNEL_SS;
    v->regs.rsp = hosted_va(STACK) + 0x800;
    v->regs.rflags = 0x202;
    v->kernel_mode = 1;
}

/* Place the instruction and raise what the processor would. */
#define RUN(...)                                      \
    ({                                                \
        static const uint8_t code_[] = {__VA_ARGS__}; \
        place(code_, sizeof(code_), 0x100);           \
        run_placed(sizeof(code_));                    \
    })

/* How far it came: 0 .. advanced, or the vector that was injected. */
enum { ADVANCED = 100 };

static int run_placed(size_t n)
{
    uint64_t rip = v->regs.rip;

    v->regs.error_code = 0;
    cr_assert_eq(hv_trap(v, GP), v);
    if (v->regs.rip == rip + n)
        return ADVANCED;
    return (int)(v->regs.rip - HANDLER);
}

static void user_mode(void)
{
    if (!v->root[0].n) {
        cr_assert_eq(root_take(v, hosted_mfn(g, g->l4)), 0);
        v->root[0] = hosted_mfn(g, g->l4);
    }
    v->kernel_mode = 0;
    v->kernel_sp = hosted_va(STACK) + 0xc00;
}

#define RUN_USER(...)                                 \
    ({                                                \
        static const uint8_t code_[] = {__VA_ARGS__}; \
        place(code_, sizeof(code_), 0x100);           \
        user_mode();                                  \
        run_placed(sizeof(code_));                    \
    })

Test(emulate, cr0_and_clts)
{
    v->ts = 0;
    cr_assert_eq(RUN(0x0f, 0x20, 0xc3), ADVANCED); /* mov %cr0, %rbx */
    cr_assert_eq(v->regs.rbx, 0x80050033u);
    v->regs.rbx |= TS;
    cr_assert_eq(RUN(0x0f, 0x22, 0xc3), ADVANCED);
    cr_assert_eq(v->ts, 1);
    cr_assert_eq(RUN(0x0f, 0x20, 0xc3), ADVANCED);
    cr_assert_eq(v->regs.rbx, 0x8005003bu);
    cr_assert_eq(RUN(0x0f, 0x06), ADVANCED);
    cr_assert_eq(v->ts, 0);
    v->regs.rbx = 0x80050031;
    cr_assert_eq(RUN(0x0f, 0x22, 0xc3), GP, "paging bits are not the guest's");
    cr_assert_eq(RUN(0x0f, 0x22, 0xc3), GP);
}

Test(emulate, cr2_cr3_cr4)
{
    v->regs.rdx = 0xabc000;
    cr_assert_eq(RUN(0x0f, 0x22, 0xd2), ADVANCED); /* mov %rdx, %cr2 */
    cr_assert_eq(v->info->arch.cr2, 0xabc000u);
    cr_assert_eq(RUN(0x0f, 0x20, 0xd1), ADVANCED);
    cr_assert_eq(v->regs.rcx, 0xabc000u);
    cr_assert_eq(RUN(0x0f, 0x20, 0xd8), ADVANCED); /* mov %cr3, %rax */
    cr_assert_eq(v->regs.rax, v->root[1].n << 12);
    cr_assert_eq(RUN(0x0f, 0x22, 0xd8), ADVANCED);
    v->regs.rax = hosted_mfn(g, ARGS).n << 12;
    cr_assert_eq(RUN(0x0f, 0x22, 0xd8), GP, "that page is mapped writable: no table");
    v->regs.rax = 0xfffff000;
    cr_assert_eq(RUN(0x0f, 0x22, 0xd8), GP);
    v->regs.rax = ~0ull;
    cr_assert_eq(RUN(0x0f, 0x22, 0xe0), ADVANCED);
    cr_assert_eq(RUN(0x0f, 0x20, 0xe0), ADVANCED);
    cr_assert_eq(v->regs.rax, 0x5066cu);
    cr_assert_eq(RUN(0x44, 0x0f, 0x20, 0xc0), GP, "CR8");
    cr_assert_eq(RUN(0x44, 0x0f, 0x22, 0xc0), GP);
}

Test(emulate, debug_registers)
{
    v->regs.rax = 0x1234;
    cr_assert_eq(RUN(0x0f, 0x23, 0xc0), ADVANCED); /* mov %rax, %dr0 */
    v->regs.rax = 0;
    cr_assert_eq(RUN(0x0f, 0x21, 0xc0), ADVANCED);
    cr_assert_eq(v->regs.rax, 0x1234u);
    cr_assert_eq(RUN(0x0f, 0x21, 0xe0), ADVANCED); /* DR4 is DR6 while CR4.DE is clear */
    cr_assert_eq(v->regs.rax, v->dr[6]);
    cr_assert_eq(RUN(0x0f, 0x21, 0xe8), ADVANCED);
    cr_assert_eq(v->regs.rax, v->dr[7]);
    v->cr4 |= DE_BIT;
    cr_assert_eq(RUN(0x0f, 0x21, 0xe0), UD);
    cr_assert_eq(RUN(0x0f, 0x21, 0xe8), UD);
    cr_assert_eq(RUN(0x0f, 0x23, 0xe8), UD);
    v->regs.rax = HV_VA_START;
    cr_assert_eq(RUN(0x0f, 0x23, 0xc0), GP, "no breakpoint in the hypervisor");
}

Test(emulate, only_the_kernel)
{
    cr_assert_eq(RUN_USER(0x0f, 0x20, 0xc0), GP);
    cr_assert_eq(RUN_USER(0x0f, 0x06), GP);
    cr_assert_eq(RUN_USER(0x0f, 0x32), GP);
    cr_assert_eq(RUN_USER(0x0f, 0x09), GP);
    cr_assert_eq(RUN(0x0f, 0x09), ADVANCED);
    cr_assert_eq(RUN(0xf4), GP, "HLT: a kernel blocks by a call");
    cr_assert_eq(RUN(0x0f, 0x08), GP);
    cr_assert_eq(RUN(0x0f, 0x33), GP);
    cr_assert_eq(RUN(0x90), GP, "it is no privileged instruction at all");
}

Test(emulate, xsetbv)
{
    v->regs.rax = 3;
    v->regs.rcx = v->regs.rdx = 0;
    cr_assert_eq(RUN(0x0f, 0x01, 0xd1), UD, "CR4.OSXSAVE is clear");
    v->cr4 |= OSXSAVE;
    cr_assert_eq(RUN(0x0f, 0x01, 0xd1), ADVANCED);
    cr_assert_eq(v->xcr0, 3u);
    v->regs.rax = 2;
    cr_assert_eq(RUN(0x0f, 0x01, 0xd1), GP);
    v->regs.rax = 3;
    v->regs.rcx = 1;
    cr_assert_eq(RUN(0x0f, 0x01, 0xd1), GP);
    v->regs.rcx = 0;
    cr_assert_eq(RUN_USER(0x0f, 0x01, 0xd1), GP);
}

Test(emulate, flags_and_ports)
{
    v->iopl = 0;
    cr_assert_eq(RUN(0xfa), GP);
    cr_assert_eq(RUN(0xe4, 0x60), GP);
    v->iopl = 1 << 12;
    cr_assert_eq(RUN(0xfa), ADVANCED);
    cr_assert_eq(RUN(0xfb), ADVANCED);
    v->regs.rax = 0x1122334455667788;
    cr_assert_eq(RUN(0xe4, 0x60), ADVANCED);
    cr_assert_eq(v->regs.rax, 0x11223344556677ffu);
    cr_assert_eq(RUN(0xed), ADVANCED);
    cr_assert_eq(v->regs.rax, 0xffffffffu);
    cr_assert_eq(RUN(0xe6, 0x80), ADVANCED);
    cr_assert_eq(RUN_USER(0xfa), GP);
    v->iopl = 3 << 12;
    cr_assert_eq(RUN_USER(0xec), ADVANCED);
    v->iopl = 0;
    v->domain->vm_assist |= 1u << XEN_VMASST_TYPE_architectural_iopl;
    cr_assert_eq(RUN(0xec), ADVANCED, "ring 0 needs no iopl");
}

Test(emulate, port_bitmap)
{
    uint8_t *map = hosted_page(g, DATA);

    v->iopl = 0;
    v->iobitmap = (pv_gptr_t){hosted_va(DATA)};
    v->iobitmap_ports = 0x100;
    memset(map, 0xff, 64);
    map[0x60 / 8] = 0xfe;
    v->regs.rdx = 0x60;
    cr_assert_eq(RUN_USER(0xec), ADVANCED);
    cr_assert_eq(RUN_USER(0xed), GP, "its three neighbours are closed");
    v->regs.rdx = 0xfd;
    cr_assert_eq(RUN_USER(0xed), GP, "beyond the bitmap");
    v->iobitmap = (pv_gptr_t){BAD_VA};
    v->regs.rdx = 0x60;
    cr_assert_eq(RUN(0xec), GP, "a bitmap that cannot be read opens nothing");
}

Test(emulate, strings_of_ports)
{
    uint8_t *data = hosted_page(g, DATA);

    v->iopl = 3 << 12;
    memset(data, 0, 16);
    v->regs.rdi = hosted_va(DATA);
    v->regs.rcx = 5;
    cr_assert_eq(RUN(0xf3, 0x6c), ADVANCED);
    cr_assert_eq(v->regs.rcx, 0u);
    cr_assert_eq(v->regs.rdi, hosted_va(DATA) + 5);
    cr_assert_eq(data[4], 0xff);
    cr_assert_eq(data[5], 0);
    v->regs.rsi = hosted_va(DATA);
    cr_assert_eq(RUN(0x6f), ADVANCED);
    cr_assert_eq(v->regs.rsi, hosted_va(DATA) + 4);
    cr_assert_eq(RUN(0x64, 0x6e), ADVANCED);
    cr_assert_eq(RUN(0x65, 0x6e), ADVANCED);
    v->regs.rdi = BAD_VA;
    cr_assert_eq(RUN(0x6d), PF);
    cr_assert_eq(v->fault_va, BAD_VA);
    v->regs.rsi = BAD_VA;
    cr_assert_eq(RUN(0x6e), PF);
    v->regs.rdi = HV_VA_START;
    cr_assert_eq(RUN(0x6d), GP);
    v->iopl = 0;
    cr_assert_eq(RUN(0x6d), GP);
}

/* A long repetition comes back for the rest, so that interrupts have their turn; it may go down. */
Test(emulate, long_strings)
{
    v->iopl = 3 << 12;
    v->regs.rcx = 1500;
    v->regs.rdi = hosted_va(DATA) + 1499;
    static const uint8_t code[] = {0xf3, 0x6c};
    place(code, 2, 0x100);
    v->regs.rflags |= 0x400;
    uint64_t rip = v->regs.rip;
    v->regs.error_code = 0;
    hv_trap(v, GP);
    cr_assert_eq(v->regs.rip, rip);
    cr_assert_eq(v->regs.rcx, 1500u - 1024);
    hv_trap(v, GP);
    cr_assert_eq(v->regs.rip, rip + 2);
    cr_assert_eq(v->regs.rdi, hosted_va(DATA) - 1);
}

static const uint8_t forced[] = {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2, 0x90};

Test(emulate, forced_cpuid)
{
    place(forced, sizeof(forced), 0x100);
    v->regs.rax = 1;
    v->regs.rcx = 7;
    cr_assert_eq(hv_trap(v, UD), v);
    cr_assert_eq(v->regs.rip, hosted_va(CODE) + 0x107);
    cr_assert_eq(v->regs.rax, 1u);
    cr_assert_eq(v->regs.rcx, 3u << 26, "XSAVE, and OSXSAVE that a kernel is shown");
    place(forced, sizeof(forced), 0x100);
    user_mode();
    v->cr4 &= ~(uint64_t)OSXSAVE;
    v->regs.rax = 1;
    hv_trap(v, UD);
    cr_assert_eq(v->regs.rcx, 1u << 26);
    place(forced, sizeof(forced), 0x100);
    v->regs.rax = 5;
    hv_trap(v, UD);
    cr_assert_eq(v->regs.rax, 5u);
}

/* At the end of memory: whole, cut short, and something else. */
Test(emulate, forced_cpuid_at_an_edge)
{
    uint64_t l1_entry = hosted_va(CODE + 1);

    cr_assert_eq(call(XEN_HYPERVISOR_update_va_mapping, l1_entry, 0, XEN_UVMF_INVLPG), 0);
    place(forced, 7, 0x1000 - 7);
    v->regs.rax = 5;
    hv_trap(v, UD);
    cr_assert_eq(v->regs.rip, hosted_va(CODE) + 0x1000);
    place(forced, 6, 0x1000 - 6);
    hv_trap(v, UD);
    cr_assert_eq(v->regs.rip, HANDLER + PF);
    cr_assert_eq(v->fault_va, hosted_va(CODE) + 0x1000);
    place("\x0f\x0b\x90", 3, 0x1000 - 3);
    hv_trap(v, UD);
    cr_assert_eq(v->regs.rip, HANDLER + UD);
    place("\x0f\x0b\x90\x90\x90\x90\x90\x90", 8, 0x100);
    hv_trap(v, UD);
    cr_assert_eq(v->regs.rip, HANDLER + UD);
    /* An instruction that begins here and ends there. */
    place("\x0f", 1, 0x1000 - 1);
    v->regs.error_code = 0;
    hv_trap(v, GP);
    cr_assert_eq(v->regs.rip, HANDLER + PF);
    place("\xfa", 1, 0x1000 - 1);
    v->iopl = 3 << 12;
    hv_trap(v, GP);
    cr_assert_eq(v->regs.rip, hosted_va(CODE) + 0x1000);
}

Test(emulate, rdtsc)
{
    hosted.now = 0x500000007ull;
    cr_assert_eq(RUN(0x0f, 0x31), ADVANCED);
    cr_assert_eq(v->regs.rax, 7u);
    cr_assert_eq(v->regs.rdx, 5u);
    v->regs.rcx = 9;
    cr_assert_eq(RUN(0x0f, 0x01, 0xf9), ADVANCED);
    cr_assert_eq(v->regs.rcx, 0u);
    v->cr4 |= TSD;
    cr_assert_eq(RUN_USER(0x0f, 0x31), GP);
    v->cr4 &= ~(uint64_t)TSD;
    cr_assert_eq(RUN_USER(0x0f, 0x31), ADVANCED);
}

Test(emulate, segments_and_single_step)
{
    static const uint8_t clts[] = {0x0f, 0x06};

    place(clts, 2, 0x100);
    v->regs.cs = 0x33; /* a 64-bit segment of the guest's own */
    cr_assert_eq(run_placed(2), ADVANCED);
    place(clts, 2, 0x100);
    v->regs.cs = XEN_FLAT_RING3_CS32;
    cr_assert_eq(run_placed(2), GP);
    place(clts, 2, 0x100);
    v->regs.rflags |= 0x10100; /* TF, RF */
    cr_assert_eq(run_placed(2), DB);
    cr_assert(v->dr[6] & 0x4000);
    place(clts, 2, 0x100);
    v->regs.rip = HV_VA_START;
    cr_assert_eq(run_placed(2), GP);
}

Test(emulate, msr_bases)
{
    uint64_t value;

    v->regs.rcx = 0xc0000100;
    v->regs.rax = 0x1000;
    v->regs.rdx = 0x12;
    cr_assert_eq(RUN(0x0f, 0x30), ADVANCED);
    v->regs.rax = v->regs.rdx = 0;
    cr_assert_eq(RUN(0x0f, 0x32), ADVANCED);
    cr_assert_eq(v->regs.rax | v->regs.rdx << 32, 0x1200001000u);
    cr_assert(emulate_msr_write(v, 0xc0000101, 0x5000));
    cr_assert(emulate_msr_write(v, 0xc0000102, 0x6000));
    cr_assert(emulate_msr_read(v, 0xc0000101, &value) && value == 0x5000);
    cr_assert(emulate_msr_read(v, 0xc0000102, &value) && value == 0x6000);
    cr_assert(!emulate_msr_write(v, 0xc0000102, WEIRD_VA));
    v->regs.rcx = 0x12345;
    cr_assert_eq(RUN(0x0f, 0x32), GP);
    cr_assert_eq(RUN(0x0f, 0x30), GP);
}

Test(emulate, msr_values)
{
    uint64_t value, before;

    hosted.now = 77;
    cr_assert(emulate_msr_read(v, 0x10, &value) && value == 77);
    cr_assert(emulate_msr_read(v, 0x1b, &value) && value == 0xfee00900);
    cr_assert(emulate_msr_read(v1, 0x1b, &value) && value == 0xfee00800);
    cr_assert(emulate_msr_read(v, 0xc0000080, &value));
    before = value;
    cr_assert(emulate_msr_write(v, 0xc0000080, before));
    cr_assert(!emulate_msr_write(v, 0xc0000080, before ^ 1));
    cr_assert(emulate_msr_read(v, 0x277, &value) && value == 0x050100070406);
    cr_assert(emulate_msr_read(v, 0x1a0, &value) && value == ((0x1a0 & ~0x80u) | 0x801800));
    cr_assert(emulate_msr_write(v, 0x1a0, 1), "ignored");
    cr_assert(emulate_msr_read(v, 0x17, &value) && value == 0x17);
    cr_assert(emulate_msr_read(v, 0x8b, &value) && value == 0x8b);
    cr_assert(emulate_msr_write(v, 0x8b, 0));
    cr_assert(emulate_msr_read(v, 0x345, &value) && value == 0);
    cr_assert(emulate_msr_write(v, 0x140, 0));
    cr_assert(!emulate_msr_write(v, 0x140, 1));
    cr_assert(emulate_msr_read(v, 0x17a, &value) && value == 0);
    cr_assert(emulate_msr_read(v, 0x400, &value) && value == 0);
    cr_assert(emulate_msr_write(v, 0x47f, 5));
    cr_assert(emulate_msr_write(v, 0x179, 5));
    cr_assert(!emulate_msr_read(v, 0x480, &value));
    cr_assert(!emulate_msr_write(v, 0x480, 0));
    cr_assert(!emulate_msr_read(v, 0x178, &value));
}
