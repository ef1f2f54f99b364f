/* SPDX-License-Identifier: MIT */
/*
 * traps: privileged instructions, which the hypervisor carries out for the guest kernel or not.
 */
#include "traps.h"

#define RD(reg)                                           \
    ({                                                    \
        uint64_t v_;                                      \
        __asm__ volatile("mov %%" reg ", %0" : "=r"(v_)); \
        v_;                                               \
    })
#define WR(reg, val) RT_TRY("mov %0, %%" reg, ::"r"((uint64_t)(val)) : "memory")

void emul_control_registers(void)
{
    uint64_t cr0 = RD("cr0"), cr3 = RD("cr3"), cr4 = RD("cr4");

    T_EQ(cr0 & 0x80000001, 0x80000001);
    T_EQ(cr0 & 8, 0);
    T_EQ(WR("cr0", cr0 | 8), -1); /* TS is the one bit that is the guest's */
    T_EQ(RD("cr0") & 8, 8);
    T_EQ(RT_TRY("fninit", ::: "memory"), 7);
    T_EQ(WR("cr0", cr0 | 8), -1);
    T_EQ(RT_TRY("clts", ::: "memory"), -1);
    T_EQ(RD("cr0") & 8, 0);
    T_EQ(WR("cr0", cr0), -1);
    T_EQ(WR("cr0", cr0 & ~0x80000000ul), 13); /* paging off? no */
    T_EQ(WR("cr0", cr0 ^ 1ul << 16), 13);
    T_EQ(WR("cr2", 0x1234567), -1);
    T_EQ(RD("cr2"), 0x1234567);
    T_EQ(rt_vi()->arch.cr2, 0x1234567);
    T_EQ(cr3, rt_mfn(rt_l4) << 12);
    T_EQ(WR("cr3", cr3), -1);
    T_EQ(WR("cr3", rt_mfn((void *)t_l1) << 12), 13); /* not an L4 */
    T_EQ(WR("cr3", 1ul << 50), 13);
    T_EQ(RD("cr3"), cr3);
    T_EQ(cr4 & 0x20, 0x20); /* PAE */
    T_EQ(WR("cr4", cr4), -1);
    T_EQ(RD("cr4"), cr4);
    T_EQ(RT_TRY("mov %%cr1, %%rax", ::: "rax"), 13);
    T_EQ(RT_TRY("mov %%cr5, %%rax", ::: "rax"), 13);
}

void emul_debug_registers(void)
{
    T_EQ(WR("dr0", 0x1234), -1);
    T_EQ(RD("dr0"), 0x1234);
    T_EQ(rt_call1(HC(get_debugreg), 0), 0x1234);
    T_EQ(rt_call2(HC(set_debugreg), 1, 0x5678), 0);
    T_EQ(RD("dr1"), 0x5678);
    T_EQ(WR("dr2", 0xffff800000000000), 13);
    T_EQ(WR("dr7", 0x2000), 13);
    T_EQ(WR("dr7", 0x400), -1);
    T_EQ(RD("dr7"), 0x400);
    T_EQ(WR("dr6", 0), -1);
    T_EQ(RD("dr6"), 0xffff0ff0);
    T_EQ(WR("dr0", 0), -1);
    T_EQ(WR("dr1", 0), -1);
}

static int rdmsr(uint32_t msr, uint64_t *val)
{
    uint32_t lo = 0, hi = 0;
    int v = RT_TRY("rdmsr", : "+a"(lo), "+d"(hi) : "c"(msr) : "memory");

    *val = (uint64_t)hi << 32 | lo;
    return v;
}

static int wrmsr(uint32_t msr, uint64_t val)
{
    return RT_TRY("wrmsr", ::"c"(msr), "a"((uint32_t)val), "d"((uint32_t)(val >> 32)) : "memory");
}

void emul_msrs(void)
{
    uint64_t v;

    for (uint32_t msr = 0xc0000100; msr <= 0xc0000102; msr++) { /* FS, GS, the other GS */
        T_EQ(wrmsr(msr, 0x12345000), -1);
        T_EQ(rdmsr(msr, &v), -1);
        T_EQ(v, 0x12345000);
        T_EQ(wrmsr(msr, 0x0000800000000000), 13);
        T_EQ(wrmsr(msr, 0), -1);
    }
    T_EQ(rdmsr(0xc0000080, &v), -1); /* EFER */
    T_OK(v & 1 && v & 1 << 8 && v & 1 << 10);
    T_EQ(rdmsr(0x1b, &v), -1);  /* APIC base */
    T_EQ(rdmsr(0x277, &v), -1); /* PAT */
    T_EQ(rdmsr(0x10, &v), -1);  /* TSC */
    T_EQ(rdmsr(0x12345, &v), 13);
    T_EQ(wrmsr(0x12345, 0), 13);
    T_EQ(rdmsr(0xc0010117, &v), 13); /* VM_HSAVE_PA */
    T_EQ(wrmsr(0xc0000080, 0), 13);
}

void forced_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    __asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e\n\tcpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "0"(leaf), "2"(sub));
}

void emul_cpuid(void)
{
    uint32_t r[4], n[4];

    forced_cpuid(0x40000000, 0, r);
    T_OK(r[0] >= 0x40000002 && r[1] == 0x566e6558 && r[2] == 0x65584d4d && r[3] == 0x4d4d566e);
    forced_cpuid(0x40000001, 0, r);
    T_EQ(r[0], 0x40011);
    forced_cpuid(0x40000002, 0, r);
    T_OK(r[0] == 1); /* one page of hypercalls */
    forced_cpuid(0, 0, r);
    __asm__ volatile("cpuid" : "=a"(n[0]), "=b"(n[1]), "=c"(n[2]), "=d"(n[3]) : "0"(0), "2"(0));
    T_OK(r[1] == n[1] && r[2] == n[2] && r[3] == n[3]); /* the vendor is the machine's */
    forced_cpuid(1, 0, r);
    T_OK(r[2] >> 31 & 1);                  /* under a hypervisor */
    T_OK(!(r[2] >> 5 & 1));                /* no VMX */
    T_OK(!(r[3] >> 3 & 1));                /* no PSE: no superpages here */
    T_OK(r[3] >> 6 & 1 && r[3] >> 26 & 1); /* PAE, SSE2 */
    forced_cpuid(0x80000001, 0, r);
    T_OK(r[3] >> 29 & 1 && r[3] >> 20 & 1); /* long mode, NX */
    T_OK(!(r[2] >> 2 & 1));                 /* no SVM */
    /* The prefix alone, or with another instruction behind it, is an undefined opcode. */
    T_EQ(RT_TRY(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e\n\tnop", ::: "memory"), 6);
}

void emul_xcr(void)
{
    uint32_t a = 1, b, c = 0, d, lo, hi;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (!(c >> 27 & 1))
        T_NA("the processor model has no XSAVE");
    T_EQ(RT_TRY("xgetbv", : "=a"(lo), "=d"(hi) : "c"(0) : "memory"), -1);
    T_EQ(lo, 3); /* a guest begins with x87 and SSE, and without CR4.OSXSAVE */
    T_EQ(RT_TRY("xsetbv", ::"c"(0), "a"(lo), "d"(hi) : "memory"), 6);
    T_EQ(WR("cr4", RD("cr4") | 1ul << 18), -1);
    T_EQ(RT_TRY("xsetbv", ::"c"(0), "a"(lo), "d"(hi) : "memory"), -1);
    T_EQ(RT_TRY("xsetbv", ::"c"(0), "a"(0), "d"(0) : "memory"), 13); /* x87 is not optional */
    T_EQ(RT_TRY("xsetbv", ::"c"(0), "a"(5), "d"(0) : "memory"), 13); /* AVX without SSE */
    T_EQ(RT_TRY("xsetbv", ::"c"(1), "a"(lo), "d"(hi) : "memory"), 13);
    T_EQ(RT_TRY("xsetbv", ::"c"(0), "a"(3), "d"(0) : "memory"), -1);
    T_EQ(RT_TRY("xgetbv", : "=a"(a), "=d"(d) : "c"(0) : "memory"), -1);
    T_EQ(a, 3);
    T_EQ(RT_TRY("xsetbv", ::"c"(0), "a"(lo), "d"(hi) : "memory"), -1);
    T_EQ(WR("cr4", RD("cr4") & ~(1ul << 18)), -1);
}

void emul_cache(void)
{
    T_EQ(RT_TRY("wbinvd", ::: "memory"), -1); /* carried out, or ignored: not refused */
    T_EQ(RT_TRY("invd", ::: "memory"), 13);
}

void emul_io(void)
{
    struct xen_physdev_set_iopl iopl = {.iopl = 1};
    uint8_t al = 0;

    /* At level 0 not even the kernel may. */
    T_EQ(RT_TRY("outb %%al, $0x80", ::"a"(0) : "memory"), 13);
    T_EQ(RT_TRY("inb $0x80, %%al", ::: "rax"), 13);
    T_EQ(rt_physdev(XEN_PHYSDEVOP_set_iopl, &iopl), 0);
    T_EQ(RT_TRY("outb %%al, $0x80", ::"a"(0) : "memory"), -1);
    T_EQ(RT_TRY("inb $0x80, %%al", : "=a"(al)::"memory"), -1);
    T_EQ(RT_TRY("outw %%ax, %%dx", ::"a"(0), "d"(0x80) : "memory"), -1);
    T_EQ(RT_TRY("inl %%dx, %%eax", ::"d"(0x80) : "rax", "memory"), -1);
    iopl.iopl = 0;
    T_EQ(rt_physdev(XEN_PHYSDEVOP_set_iopl, &iopl), 0);
    T_EQ(RT_TRY("outb %%al, $0x80", ::"a"(0) : "memory"), 13);
}

void emul_refused(void)
{
    static struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) table;

    T_EQ(RT_TRY("hlt", ::: "memory"), 13);
    T_EQ(RT_TRY("lgdt %0", ::"m"(table) : "memory"), 13);
    T_EQ(RT_TRY("lidt %0", ::"m"(table) : "memory"), 13);
    T_EQ(RT_TRY("ltr %%ax", ::"a"(0x28) : "memory"), 13);
    T_EQ(RT_TRY("lldt %%ax", ::"a"(0) : "memory"), 13);
    T_EQ(RT_TRY("invlpg (%0)", ::"r"(t_win(0)) : "memory"), 13);
    T_EQ(RT_TRY("swapgs", ::: "memory"), 13);
    T_EQ(RT_TRY("sysretq", ::: "memory"), 13);
    T_EQ(RT_TRY("lmsw %%ax", ::"a"(1) : "memory"), 13);
}

void emul_cli_sti(void)
{
    struct xen_physdev_set_iopl iopl = {.iopl = 1};

    T_EQ(RT_TRY("cli", ::: "memory"), 13);
    T_EQ(RT_TRY("sti", ::: "memory"), 13);
    /* At level 1 they are accepted, and do nothing: the mask in vcpu_info is the one that counts.
     */
    T_EQ(rt_physdev(XEN_PHYSDEVOP_set_iopl, &iopl), 0);
    T_EQ(RT_TRY("cli", ::: "memory"), -1);
    T_EQ(rt_vi()->evtchn_upcall_mask, 0);
    T_EQ(RT_TRY("sti", ::: "memory"), -1);
    iopl.iopl = 0;
    T_EQ(rt_physdev(XEN_PHYSDEVOP_set_iopl, &iopl), 0);
}

void emul_tsc(void)
{
    uint64_t a = rt_tsc(), cr4 = RD("cr4"), b;

    T_OK(rt_tsc() > a);
    /* With CR4.TSD the user's RDTSC is refused, the kernel's is not. */
    T_EQ(WR("cr4", cr4 | 4), -1);
    T_EQ(RT_TRY("rdtsc", ::: "rax", "rdx"), -1);
    b = rt_tsc();
    T_OK(b > a);
    T_EQ(WR("cr4", cr4), -1);
    T_EQ(RT_TRY("rdpmc", ::"c"(0) : "rax", "rdx"), 13);
}
