/* SPDX-License-Identifier: MIT */
/*
 * traps: the split between guest kernel and guest user, both in ring 3.
 *
 * The user space is a root of its own with nothing of the kernel in it. A program runs until it
 * causes a trap; user_last then holds its registers as the kernel saw them.
 */
#include "traps.h"

uint64_t *user_l4, *user_l1;
uint8_t *user_data;
struct rt_regs user_last;
typeof(user_last_info) user_last_info;

static bool from_user(struct rt_regs *regs)
{
    if (regs->vector != RT_FAILSAFE && !(regs->cs & 3))
        return false;
    user_last = *regs;
    user_last_info.cr2 = rt_vi()->arch.cr2;
    user_last_info.kernel_sp = (uint64_t)(regs + 1);
    user_last_info.mask = rt_vi()->evtchn_upcall_mask;
    rt_user_leave();
}

void user_setup(void)
{
    uint64_t *l3 = rt_page(), *l2 = rt_page();
    uint8_t *code = rt_page();

    user_l4 = rt_page();
    user_l1 = rt_page();
    user_data = rt_page();
    memcpy(code, user_page, PAGE);
    user_l1[USER_CODE >> 12 & 511] = t_pte(code, PTE_RO);
    user_l1[USER_DATA >> 12 & 511] = t_pte(user_data, PTE_RW);
    l2[USER_CODE >> 21 & 511] = t_pte(user_l1, PTE_RW);
    l3[0] = t_pte(l2, PTE_RW);
    user_l4[0] = t_pte(l3, PTE_RW);
    rt_make_ro(user_l1);
    rt_make_ro(l2);
    rt_make_ro(l3);
    rt_make_ro(user_l4);
    int64_t ret = rt_mmuext(XEN_MMUEXT_PIN_L4_TABLE, rt_mfn(user_l4), 0);
    if (!ret)
        ret = rt_mmuext(XEN_MMUEXT_NEW_USER_BASEPTR, rt_mfn(user_l4), 0);
    if (ret)
        rt_panic("user space: %ld", ret);
}

struct rt_regs user_regs(uint64_t rip)
{
    struct rt_regs r;

    memset(&r, 0, sizeof(r));
    r.rip = rip;
    r.cs = XEN_FLAT_USER_CS64;
    r.ss = XEN_FLAT_USER_SS64;
    r.rflags = 0x202;
    r.rsp = USER_STACK;
    return r;
}

void user_run(struct rt_regs *regs)
{
    static const uint16_t all[] = {
        0, 1, 3, 6, 13, 14, 0x80, RT_SYSCALL, RT_SYSCALL32, RT_SYSENTER, RT_FAILSAFE};
    rt_hook *was = NULL;

    (void)was;
    for (unsigned i = 0; i < sizeof(all) / 2; i++)
        rt_on(all[i], from_user);
    memset(&user_last, 0xff, sizeof(user_last));
    rt_user_enter(regs);
    for (unsigned i = 0; i < sizeof(all) / 2; i++)
        rt_on(all[i], NULL);
    rt_events_on();
}

void user_syscall(void)
{
    struct rt_regs r = user_regs(USER(syscall));

    r.rax = 0x11;
    r.rdi = 0x22;
    r.r10 = 0x33;
    r.r15 = 0x44;
    r.rflags = 0x203;
    user_run(&r);
    T_EQ(user_last.vector, RT_SYSCALL);
    T_EQ(user_last.rip, USER(syscall) + 2);
    T_EQ(user_last.rcx, USER(syscall) + 2);
    T_EQ(user_last.rflags, 0x203);
    T_EQ(user_last.r11, 0x203);
    T_EQ(user_last.cs & 0xffff, XEN_FLAT_USER_CS64);
    T_EQ(user_last.ss & 0xffff, XEN_FLAT_USER_SS64);
    T_EQ(user_last.rsp, USER_STACK);
    T_OK(user_last.rax == 0x11 && user_last.rdi == 0x22 && user_last.r10 == 0x33 &&
         user_last.r15 == 0x44);
    T_EQ(user_last_info.kernel_sp, rt_trap_stack(0));
    /* A user program cannot make hypercalls: its syscalls are its kernel's, whatever the number. */
    r = user_regs(USER(syscall));
    r.rax = HC(xen_version);
    user_run(&r);
    T_EQ(user_last.vector, RT_SYSCALL);
    T_EQ(user_last.rax, HC(xen_version));
}

void user_iret_registers(void)
{
    struct rt_regs r = user_regs(USER(leave));

    /* Without VGCF_in_syscall every register comes back, rcx and r11 too. */
    r.rax = 1;
    r.rbx = 2;
    r.rcx = 3;
    r.rdx = 4;
    r.rsi = 5;
    r.rdi = 6;
    r.rbp = 7;
    r.r8 = 8;
    r.r9 = 9;
    r.r10 = 10;
    r.r11 = 11;
    r.r12 = 12;
    r.r13 = 13;
    r.r14 = 14;
    r.r15 = 15;
    r.rflags = 0x202 | 0x8d5; /* arithmetic flags, all on */
    user_run(&r);
    T_EQ(user_last.vector, 6);
    T_OK(user_last.rax == 1 && user_last.rbx == 2 && user_last.rcx == 3 && user_last.rdx == 4 &&
         user_last.rsi == 5 && user_last.rdi == 6 && user_last.rbp == 7);
    T_OK(user_last.r8 == 8 && user_last.r9 == 9 && user_last.r10 == 10 && user_last.r11 == 11 &&
         user_last.r12 == 12 && user_last.r13 == 13 && user_last.r14 == 14 && user_last.r15 == 15);
    T_EQ(user_last.rflags & 0xfff, 0xad7);
    /* IOPL, VM, NT and RF are not the guest's to set. */
    r = user_regs(USER(leave));
    r.rflags = 0x202 | 3 << 12;
    user_run(&r);
    T_EQ(user_last.rflags & 3 << 12, 0);
}

void user_exceptions(void)
{
    struct rt_regs r = user_regs(USER(de));

    user_run(&r);
    T_EQ(user_last.vector, 0);
    T_EQ(user_last.rip, USER(de) + 2);
    T_EQ(user_last.cs & 3, 3);
    r = user_regs(USER(ud));
    user_run(&r);
    T_EQ(user_last.vector, 6);
    r = user_regs(USER(cli));
    user_run(&r);
    T_EQ(user_last.vector, 13);
    T_EQ(user_last.error, 0);
    r = user_regs(USER(hlt));
    user_run(&r);
    T_EQ(user_last.vector, 13);
    r = user_regs(USER(int80));
    user_run(&r);
    T_EQ(user_last.vector, 0x80);
    T_EQ(user_last.rip, USER(int80) + 2);
    r = user_regs(USER(int3));
    user_run(&r);
    T_EQ(user_last.vector, 3);
    T_EQ(user_last.rip, USER(int3) + 1);
}

void user_page_fault(void)
{
    static const uint64_t where[] = {0, USER_HOLE, RT_BASE + 0x200000, 0xffff830000000000};
    struct rt_regs r;

    for (unsigned i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
        r = user_regs(USER(load));
        r.rdi = where[i];
        user_run(&r);
        T_EQ(user_last.vector, 14);
        T_EQ(user_last_info.cr2, where[i]);
        T_EQ(user_last.error & ~1ul, 4); /* user, read */
        r = user_regs(USER(store));
        r.rdi = where[i];
        user_run(&r);
        T_EQ(user_last.vector, 14);
        T_EQ(user_last.error & ~1ul, 6);
    }
    r = user_regs(USER(store));
    r.rdi = USER_CODE;
    user_run(&r);
    T_EQ(user_last.error, 7); /* present, write, user */
    r = user_regs(USER(load));
    r.rdi = 0x0000800000000000;
    user_run(&r);
    T_EQ(user_last.vector, 13);
    r = user_regs(USER(jump));
    r.rdi = USER_HOLE;
    user_run(&r);
    T_EQ(user_last.vector, 14);
    T_EQ(user_last.rip, USER_HOLE);
    T_EQ(user_last.error, 0x14);
}

/* A fault, a mapping, and on with the same instruction. */
void user_demand(void)
{
    uint8_t *page = rt_page();
    struct rt_regs r = user_regs(USER(store));

    r.rdi = USER_HOLE + 8;
    r.rsi = 0x1234;
    user_run(&r);
    T_EQ(user_last.vector, 14);
    T_EQ(rt_mmu_update(rt_maddr(&user_l1[USER_HOLE >> 12 & 511]), t_pte(page, PTE_RW)), 0);
    r = user_last;
    user_run(&r);
    T_EQ(user_last.vector, 6);
    T_EQ(*(uint64_t *)(page + 8), 0x1234);
    T_EQ(rt_mmu_update(rt_maddr(&user_l1[USER_HOLE >> 12 & 511]), 0), 0);
    t_flush();
    r = user_regs(USER(load));
    r.rdi = USER_HOLE + 8;
    user_run(&r);
    T_EQ(user_last.vector, 14);
    rt_page_free(page);
}

void user_segment_bases(void)
{
    static uint64_t kernel_word = 0x6b6b;
    struct rt_regs r = user_regs(USER(fs));
    uint64_t got;

    *(uint64_t *)(user_data + 0x100) = 0xf5f5;
    *(uint64_t *)(user_data + 0x200) = 0x6565;
    rt_set_segbase(XEN_SEGBASE_FS, USER_DATA + 0x100);
    rt_set_segbase(XEN_SEGBASE_GS_USER, USER_DATA + 0x200);
    rt_set_segbase(XEN_SEGBASE_GS_KERNEL, (uint64_t)&kernel_word);
    user_run(&r);
    T_EQ(user_last.vector, 6);
    T_EQ(user_last.rax, 0xf5f5);
    __asm__ volatile("mov %%gs:0, %0" : "=r"(got));
    T_EQ(got, 0x6b6b);
    r = user_regs(USER(gs));
    user_run(&r);
    T_EQ(user_last.vector, 6);
    T_EQ(user_last.rax, 0x6565);
    __asm__ volatile("mov %%gs:0, %0" : "=r"(got));
    T_EQ(got, 0x6b6b);
    /* The other one is the user's: set while in the kernel, seen by the user at once. */
    rt_set_segbase(XEN_SEGBASE_GS_USER, USER_DATA + 0x100);
    __asm__ volatile("mov %%gs:0, %0" : "=r"(got));
    T_EQ(got, 0x6b6b);
    r = user_regs(USER(gs));
    user_run(&r);
    T_EQ(user_last.rax, 0xf5f5);
    rt_set_segbase(XEN_SEGBASE_FS, 0);
    rt_set_segbase(XEN_SEGBASE_GS_USER, 0);
    rt_set_segbase(XEN_SEGBASE_GS_KERNEL, 0);
}

void user_fsgsbase(void)
{
    struct rt_regs r = user_regs(USER(wrfsbase));
    uint32_t a = 7, b, c = 0, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (!(b & 1))
        T_NA("the processor model has no FSGSBASE");
    uint64_t cr4;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    *(uint64_t *)(user_data + 0x100) = 0xf5f5;
    /* The instructions are the guest's to allow, by CR4. */
    r.rdi = USER_DATA + 0x100;
    user_run(&r);
    T_EQ(user_last.vector, 6);
    T_EQ(user_last.rip, USER(wrfsbase));
    __asm__ volatile("mov %0, %%cr4" ::"r"(cr4 | 1ul << 16));
    r = user_regs(USER(wrfsbase));
    r.rdi = USER_DATA + 0x100;
    user_run(&r);
    T_EQ(user_last.vector, 6);
    T_EQ(user_last.rax, 0xf5f5);
    T_EQ(user_last.rbx, USER_DATA + 0x100);
    rt_set_segbase(XEN_SEGBASE_FS, 0);
    __asm__ volatile("mov %0, %%cr4" ::"r"(cr4));
}

/*
 * INT3 and INT 80h have gates of their own, which look at no DPL.  (The others of DPL 0 cannot be
 * judged on QEMU 7.2: it gives #GP for them a wrong error code.)
 */
void user_dpl(void)
{
    struct rt_regs r = user_regs(USER(int3));

    T_EQ(rt_set_trap(3, 0, rt_stub_table[3]), 0);
    user_run(&r);
    T_EQ(user_last.vector, 3);
    T_EQ(rt_set_trap(3, 3, rt_stub_table[3]), 0);
    T_EQ(rt_set_trap(0x80, 0, rt_stub_table[0x80]), 0);
    r = user_regs(USER(int80));
    user_run(&r);
    T_EQ(user_last.vector, 0x80);
    T_EQ(user_last.rip, USER(int80) + 2);
    T_EQ(rt_set_trap(0x80, 3, rt_stub_table[0x80]), 0);
    /* The kernel itself may use it, at DPL 0 as at 3. */
    T_EQ(rt_set_trap(3, 0, rt_stub_table[3]), 0);
    T_EQ(RT_TRY("int3", ::: "memory"), 3);
    T_EQ(rt_set_trap(3, 3, rt_stub_table[3]), 0);
}

void user_callback_mask(void)
{
    struct xen_callback_register c = {.type = XEN_CALLBACKTYPE_syscall,
                                      .flags = XEN_CALLBACKF_mask_events,
                                      .address = (uint64_t)rt_enter_syscall};
    struct rt_regs r = user_regs(USER(syscall));

    T_EQ(rt_call2(HC(callback_op), XEN_CALLBACKOP_register, (uint64_t)&c), 0);
    user_run(&r);
    T_EQ(user_last.vector, RT_SYSCALL);
    T_EQ(user_last_info.mask, 1);
    T_OK(user_last.rflags & 0x200);
    c.flags = 0;
    T_EQ(rt_call2(HC(callback_op), XEN_CALLBACKOP_register, (uint64_t)&c), 0);
    r = user_regs(USER(syscall));
    user_run(&r);
    T_EQ(user_last_info.mask, 0);
}

/* A return that the processor refuses is a fault of the instruction that it went to. */
void user_bad_iret(void)
{
    const struct {
        uint64_t rip;
        uint16_t cs, ss;
    } bad[] = {
        {USER(leave), 0xfff3, XEN_FLAT_USER_SS64},
        {USER(leave), XEN_FLAT_USER_SS64, XEN_FLAT_USER_SS64}, /* a data segment to run in */
        {USER(leave), XEN_FLAT_USER_CS64, 0xfff3},
        {0x0000800000000000, XEN_FLAT_USER_CS64, XEN_FLAT_USER_SS64},
    };

    for (unsigned i = 0; i < 4; i++) {
        struct rt_regs r = user_regs(bad[i].rip);
        r.cs = bad[i].cs;
        r.ss = bad[i].ss;
        user_run(&r);
        if (rt_option("verbose"))
            rt_printf("bad iret %u: vector %lx error %lx rip %lx cs %lx ss %lx\n", i,
                      user_last.vector, user_last.error, user_last.rip, user_last.cs, user_last.ss);
        T_EQ(user_last.vector, 13);
    }
    struct rt_regs r = user_regs(USER(leave)); /* and life goes on */
    user_run(&r);
    T_EQ(user_last.vector, 6);
}

static volatile unsigned user_steps;

static bool on_user_step(struct rt_regs *regs)
{
    user_steps++;
    if (!(regs->cs & 3) || user_steps > 20)
        regs->rflags &= ~0x100ul;
    return true;
}

void user_single_step(void)
{
    struct rt_regs r = user_regs(USER(step));
    static const uint16_t ends[] = {6};

    user_steps = 0;
    r.rflags |= 0x100;
    rt_on(1, on_user_step);
    rt_on(6, from_user);
    rt_user_enter(&r);
    rt_on(1, NULL);
    rt_on(6, NULL);
    rt_events_on();
    (void)ends;
    T_EQ(user_steps, 3);
    T_EQ(user_last.vector, 6);
    T_EQ(user_last.rip, USER(step_end));
    T_OK(user_last.rflags & 0x100);
}

void user_compat(void)
{
    struct rt_regs r = user_regs(USER(code32));

    r.cs = XEN_FLAT_USER_CS32;
    r.ss = XEN_FLAT_USER_SS32;
    user_run(&r);
    T_EQ(user_last.vector, 0x80);
    T_EQ(user_last.cs & 0xffff, XEN_FLAT_USER_CS32);
    T_EQ(user_last.rax, 0x1234);
    T_EQ(user_last.rbx, 0x1234);
    T_EQ(user_last.rsp, USER_STACK);
}

static bool intel(void)
{
    uint32_t a = 0, b, c = 0, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return b == 0x756e6547;
}

/* The processor's fast calls of 32-bit programs: SYSCALL on AMD, SYSENTER on Intel. */
void user_sysenter(void)
{
    struct xen_callback_register c = {
        .type = intel() ? XEN_CALLBACKTYPE_sysenter : XEN_CALLBACKTYPE_syscall32,
        .address = intel() ? (uint64_t)rt_enter_sysenter : (uint64_t)rt_enter_syscall32};
    struct rt_regs r = user_regs(intel() ? USER(code32_sysenter) : USER(code32_syscall));

    r.cs = XEN_FLAT_USER_CS32;
    r.ss = XEN_FLAT_USER_SS32;
    T_EQ(rt_call2(HC(callback_op), XEN_CALLBACKOP_register, (uint64_t)&c), 0);
    user_run(&r);
    T_EQ(user_last.vector, intel() ? RT_SYSENTER : RT_SYSCALL32);
    T_EQ(user_last.rax, intel() ? 0x99 : 0x77);
    if (!intel()) {
        T_EQ(user_last.cs & 0xffff, XEN_FLAT_USER_CS32);
        T_EQ(user_last.rip, USER(code32_syscall) + 12);
    }
}

/* Ports: none by default; all at I/O privilege level 3; by the bitmap, those whose bit is clear. */
void user_io(void)
{
    static uint8_t bitmap[8192] __attribute__((aligned(4096)));
    struct xen_physdev_set_iopl iopl = {.iopl = 3};
    struct xen_physdev_set_iobitmap map = {.nr_ports = 65536, .bitmap = G(bitmap)};
    struct rt_regs r = user_regs(USER(out));

    user_run(&r);
    T_EQ(user_last.vector, 13);
    T_EQ(rt_physdev(XEN_PHYSDEVOP_set_iopl, &iopl), 0);
    r = user_regs(USER(out));
    user_run(&r);
    T_EQ(user_last.vector, 6);
    iopl.iopl = 0;
    T_EQ(rt_physdev(XEN_PHYSDEVOP_set_iopl, &iopl), 0);
    memset(bitmap, 0xff, sizeof(bitmap));
    bitmap[0x80 / 8] = 0xfe;
    T_EQ(rt_physdev(XEN_PHYSDEVOP_set_iobitmap, &map), 0);
    r = user_regs(USER(out));
    user_run(&r);
    T_EQ(user_last.vector, 6);
    bitmap[0x80 / 8] = 0xff;
    r = user_regs(USER(out));
    user_run(&r);
    T_EQ(user_last.vector, 13);
    map.nr_ports = 0;
    T_EQ(rt_physdev(XEN_PHYSDEVOP_set_iobitmap, &map), 0);
}
