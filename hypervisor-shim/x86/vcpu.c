/* SPDX-License-Identifier: MIT
 *
 * vcpu.c - what of a virtual CPU lives in the processor: segment bases and selectors, descriptor
 * tables, FPU, debug registers; and the switch from one vCPU to another.
 *
 * Each vCPU has 2 MiB of addresses at DESC_BASE, mapped by one table (v->arch):
 *
 *   page 0..13  its GDT frames (or a page of nothing)      page 14  the hypervisor's descriptors
 *   page 16..31 its LDT, mapped page by page as it is missed
 *
 * Invariants: the vCPU that runs owns the FPU, and CR0.TS is what it asked for. Its state comes with
 * the switch and not at the first use: state that waits for a #NM can be read speculatively, and
 * QEMU's XSAVE and XRSTOR (7.2) take no notice of TS. XCR0 is the running vCPU's, except inside
 * fpu_save() and fpu_load(), which move all components. Debug registers are live only while DR7
 * enables one of them.
 */
#include "x86.h"
#include "../core/frame.h"
#include "../core/platform.h"

_Static_assert(offsetof(struct vcpu, cpu) == VCPU_CPU && offsetof(struct vcpu, regs) == VCPU_REGS,
               "");
_Static_assert(offsetof(struct xen_cpu_user_regs, error_code) == REGS_ERROR, "");
_Static_assert(offsetof(struct xen_cpu_user_regs, rip) == REGS_RIP, "");
_Static_assert(offsetof(struct xen_cpu_user_regs, es) == REGS_END, "");
_Static_assert(VCPU_REGS + offsetof(struct xen_cpu_user_regs, r11) == VCPU_VOLATILE, "");
_Static_assert(offsetof(struct percpu, stack) == PERCPU_STACK, "");
_Static_assert(offsetof(struct percpu, entered) == PERCPU_ENTERED, "");
_Static_assert((VCPU_REGS + REGS_END) % 16 == 0, "the processor aligns its pushes");
_Static_assert(offsetof(struct percpu, scratch) == PERCPU_SCRATCH, "");
_Static_assert(offsetof(struct percpu, entry) == PERCPU_ENTRY, "");

enum { GDT_PAGE_HV = 14, LDT_PAGE_FIRST = 16, FXSAVE_SIZE = 512, XSTATE_BV = 512, MXCSR = 24 };
enum { XSTATE_FP_SSE = 3, DR7_ACTIVE = 0xff };

bool load_selector_es(uint16_t), load_selector_ds(uint16_t), load_selector_fs(uint16_t),
    load_selector_gs(uint16_t);

static const uint8_t nothing[PV_PAGE_SIZE] __attribute__((aligned(PV_PAGE_SIZE)));
static uint64_t xcr0_now;

static uint64_t desc_base(const struct vcpu *v)
{
    return DESC_BASE + ((uint64_t)v->domain->id * MAX_VCPUS + v->id) * 0x200000;
}

/* -- life ------------------------------------------------------------------- */

static void fpu_reset(struct vcpu *v)
{
    uint8_t *area = v->fpu_area;
    uint32_t mxcsr = 0x1f80;

    memset(area, 0, fpu_area_size);
    area[0] = 0x7f; /* FCW 0x37f */
    area[1] = 0x03;
    memcpy(area + MXCSR, &mxcsr, 4);
}

bool plat_vcpu_init(struct vcpu *v)
{
    uint64_t *table = frame_hv_alloc(0);

    v->fpu_area = frame_hv_alloc(0);
    if (table == NULL || v->fpu_area == NULL || fpu_area_size > PV_PAGE_SIZE) {
        if (table)
            frame_hv_free(table, 0);
        if (v->fpu_area)
            frame_hv_free(v->fpu_area, 0);
        v->fpu_area = NULL;
        return false;
    }
    v->arch = table;
    v->xcr0 = XSTATE_FP_SSE;
    fpu_reset(v);
    for (unsigned i = 0; i < GDT_PAGES; i++)
        table[i] = virt_to_phys(nothing) | PTE_P | PTE_A | PTE_NX;
    table[GDT_PAGE_HV] = virt_to_phys(gdt_page()) | PTE_P | PTE_W | PTE_A | PTE_D | PTE_NX;
    hv_map_table(desc_base(v), table);
    return true;
}

void plat_vcpu_free(struct vcpu *v)
{
    if (v->arch == NULL)
        return;
    if (percpu0.entered == v)
        percpu0.entered = NULL;
    if (hv.cpu[0].fpu_owner == v)
        hv.cpu[0].fpu_owner = NULL;
    hv_map_table(desc_base(v), NULL);
    plat_tlb_flush();
    frame_hv_free(v->arch, 0);
    frame_hv_free(v->fpu_area, 0);
    v->arch = NULL;
    v->fpu_area = NULL;
}

/* -- FPU --------------------------------------------------------------------- */

static void xcr0_write(uint64_t v)
{
    if (v == xcr0_now || fpu_xcr0_all == 0)
        return;
    xcr0_now = v;
    asm volatile("xsetbv" : : "c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

static void ts_write(bool ts)
{
    struct percpu *p = &percpu0;
    uint64_t cr0 = ts ? p->cr0 | CR0_TS : p->cr0 & ~(uint64_t)CR0_TS;

    if (cr0 == p->cr0)
        return;
    p->cr0 = cr0;
    write_cr0(cr0);
}

static void fpu_save(struct vcpu *v)
{
    if (fpu_xcr0_all) {
        xcr0_write(fpu_xcr0_all);
        asm volatile("xsave64 (%0)" : : "r"(v->fpu_area), "a"(-1), "d"(-1) : "memory");
    } else {
        asm volatile("fxsave64 (%0)" : : "r"(v->fpu_area) : "memory");
    }
    v->fpu_dirty = 0;
}

static void fpu_load(struct vcpu *v)
{
    if (fpu_xcr0_all) {
        xcr0_write(fpu_xcr0_all);
        asm volatile("xrstor64 (%0)" : : "r"(v->fpu_area), "a"(-1), "d"(-1) : "memory");
        xcr0_write(v->xcr0);
    } else {
        asm volatile("fxrstor64 (%0)" : : "r"(v->fpu_area) : "memory");
    }
    v->fpu_dirty = 1;
}

void plat_fpu_restore(struct vcpu *v)
{
    struct cpu *c = &hv.cpu[0];

    ts_write(false);
    if (c->fpu_owner == v)
        return;
    if (c->fpu_owner)
        fpu_save(c->fpu_owner);
    fpu_load(v);
    c->fpu_owner = v;
}

void plat_ts_set(bool ts)
{
    ts_write(ts);
}

void plat_fpu_set(struct vcpu *v, const void *fxsave)
{
    uint8_t *area = v->fpu_area;
    uint64_t components = XSTATE_FP_SSE;

    if (hv.cpu[0].fpu_owner == v) { /* what the processor holds of it is void */
        hv.cpu[0].fpu_owner = NULL;
        v->fpu_dirty = 0;
    }
    fpu_reset(v);
    if (fxsave == NULL)
        return;
    memcpy(area, fxsave, FXSAVE_SIZE);
    area[MXCSR + 2] = area[MXCSR + 3] = 0; /* reserved: XRSTOR would fault */
    if (fpu_xcr0_all)
        memcpy(area + XSTATE_BV, &components, 8);
}

bool plat_xcr0_set(struct vcpu *v, uint64_t value)
{
    bool avx = value & 4, avx512 = value & 0xe0;

    if (fpu_xcr0_all == 0 || (value & ~fpu_xcr0_all) || !(value & 1) || (avx && !(value & 2)) ||
        (avx512 && ((value & 0xe0) != 0xe0 || !avx)))
        return false;
    v->xcr0 = value;
    xcr0_write(value);
    return true;
}

/* -- segments ----------------------------------------------------------------- */

/* The instructions are there only while the guest has set CR4.FSGSBASE; the MSRs always are. */
static uint64_t read_fs_base(void)
{
    uint64_t v;

    if (!(percpu0.cr4 & CR4_FSGSBASE))
        return rdmsr(MSR_FS_BASE);
    asm volatile("rdfsbase %0" : "=r"(v));
    return v;
}

static uint64_t read_gs_base(void)
{
    uint64_t v;

    if (!(percpu0.cr4 & CR4_FSGSBASE))
        return rdmsr(MSR_GS_BASE);
    asm volatile("rdgsbase %0" : "=r"(v));
    return v;
}

static void write_fs_base(uint64_t v)
{
    if (percpu0.cr4 & CR4_FSGSBASE)
        asm volatile("wrfsbase %0" : : "r"(v));
    else
        wrmsr(MSR_FS_BASE, v);
}

static void write_gs_base(uint64_t v)
{
    if (percpu0.cr4 & CR4_FSGSBASE)
        asm volatile("wrgsbase %0" : : "r"(v));
    else
        wrmsr(MSR_GS_BASE, v);
}

/* The slot of the GS base that is loaded; the other one is in KERNEL_GS_BASE. */
static unsigned gs_active(const struct vcpu *v)
{
    return v->kernel_mode ? SEGBASE_GS_KERNEL : SEGBASE_GS_USER;
}

static unsigned gs_inactive(const struct vcpu *v)
{
    return v->kernel_mode ? SEGBASE_GS_USER : SEGBASE_GS_KERNEL;
}

void plat_segbase_save(struct vcpu *v)
{
    v->segbase[SEGBASE_FS] = read_fs_base();
    v->segbase[gs_active(v)] = read_gs_base();
    v->segbase[gs_inactive(v)] = rdmsr(MSR_KERNEL_GS_BASE);
}

/* The user's %gs comes from the guest's descriptor tables; the kernel's base stays. */
static bool user_gs_load(struct vcpu *v, uint16_t selector)
{
    bool ok;

    if (v->kernel_mode)
        asm volatile("swapgs");
    ok = load_selector_gs(selector > 3 ? selector | 3 : selector);
    if (selector <= 3 || !ok)
        write_gs_base(0); /* a null selector may leave the old base */
    if (v->kernel_mode)
        asm volatile("swapgs");
    v->segbase[SEGSEL_GS_USER] = ok ? selector : 0;
    return ok;
}

bool plat_segbase_load(struct vcpu *v, unsigned which, uint64_t value)
{
    if (which == SEGBASE_FS)
        write_fs_base(value);
    else if (which == SEGSEL_GS_USER)
        return user_gs_load(v, (uint16_t)value);
    else if (which == gs_active(v))
        write_gs_base(value);
    else
        wrmsr(MSR_KERNEL_GS_BASE, value);
    return true;
}

static void selectors_save(struct vcpu *v)
{
    asm volatile("movw %%ds, %0" : "=m"(v->regs.ds));
    asm volatile("movw %%es, %0" : "=m"(v->regs.es));
    asm volatile("movw %%fs, %0" : "=m"(v->regs.fs));
    asm volatile("movw %%gs, %0" : "=m"(v->regs.gs));
}

/* A selector that the guest's tables no longer hold becomes null, and the guest is told. */
static void selectors_load(struct vcpu *v)
{
    bool ds = load_selector_ds(v->regs.ds), es = load_selector_es(v->regs.es);
    bool fs = load_selector_fs(v->regs.fs), gs = load_selector_gs(v->regs.gs);

    v->selectors_lost = !(ds && es && fs && gs);
}

/* -- descriptor tables --------------------------------------------------------- */

static void lgdt(uint64_t base)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) r = {GDT_LIMIT, base};

    asm volatile("lgdt %0" : : "m"(r));
}

static void ldt_descriptor_load(const struct vcpu *v)
{
    uint64_t *d = gdt_page() + (SEL_LDT - HV_GDT_BYTE) / 8;
    uint64_t base = desc_base(v) + LDT_PAGE_FIRST * PV_PAGE_SIZE;
    uint64_t limit = (uint64_t)v->ldt_entries * 8 - 1;

    if (v->ldt_entries == 0) {
        asm volatile("lldt %w0" : : "r"(0));
        return;
    }
    d[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | 0x82ul << 40 | (limit >> 16 & 15) << 48 |
           (base >> 24 & 0xff) << 56;
    d[1] = base >> 32;
    asm volatile("lldt %w0" : : "r"(SEL_LDT));
}

void plat_gdt_load(struct vcpu *v)
{
    uint64_t *table = v->arch;
    unsigned pages = (v->gdt_entries + 511) / 512;

    if (table == NULL)
        return;
    for (unsigned i = 0; i < GDT_PAGES; i++) {
        uint64_t e =
            i < pages ? v->gdt[i].n << PV_PAGE_SHIFT | PTE_W | PTE_D : virt_to_phys(nothing);

        e |= PTE_P | PTE_A | PTE_NX;
        if (table[i] == e)
            continue;
        table[i] = e;
        invlpg(desc_base(v) + i * PV_PAGE_SIZE);
    }
}

void plat_ldt_load(struct vcpu *v)
{
    uint64_t *table = v->arch;

    if (table == NULL)
        return;
    for (unsigned i = 0; i < LDT_PAGES; i++)
        if (table[LDT_PAGE_FIRST + i] != 0) {
            table[LDT_PAGE_FIRST + i] = 0;
            invlpg(desc_base(v) + (LDT_PAGE_FIRST + i) * PV_PAGE_SIZE);
        }
    if (hv.cpu[0].loaded == v)
        ldt_descriptor_load(v);
}

void plat_ldt_page_set(struct vcpu *v, unsigned page, mfn_t m)
{
    uint64_t *table = v->arch;

    table[LDT_PAGE_FIRST + page] = m.n << PV_PAGE_SHIFT | PTE_P | PTE_W | PTE_A | PTE_D | PTE_NX;
    invlpg(desc_base(v) + (LDT_PAGE_FIRST + page) * PV_PAGE_SIZE);
}

int plat_ldt_page_of(struct vcpu *v, uint64_t va)
{
    uint64_t page = (va - desc_base(v) - LDT_PAGE_FIRST * PV_PAGE_SIZE) >> PV_PAGE_SHIFT;

    return page < LDT_PAGES ? (int)page : -1;
}

bool plat_code_is_64bit(uint16_t selector)
{
    uint32_t rights = 0;

    asm volatile("lar %1, %0" : "+r"(rights) : "r"((uint32_t)selector) : "cc");
    return (rights & 0x209800) == 0x209800; /* long, present, not a system segment, code */
}

/* -- debug registers ----------------------------------------------------------- */

static void debugregs_load(const struct vcpu *v)
{
    asm volatile("mov %0, %%db0" : : "r"(v->dr[0]));
    asm volatile("mov %0, %%db1" : : "r"(v->dr[1]));
    asm volatile("mov %0, %%db2" : : "r"(v->dr[2]));
    asm volatile("mov %0, %%db3" : : "r"(v->dr[3]));
    asm volatile("mov %0, %%db7" : : "r"(v->dr[7] | 0x400));
}

static void debugregs_off(void)
{
    asm volatile("mov %0, %%db7" : : "r"(0x400ul));
}

void plat_debugreg_load(struct vcpu *v, unsigned reg)
{
    if (v->dr[7] & DR7_ACTIVE)
        debugregs_load(v);
    else if (reg == 7)
        debugregs_off();
}

/* -- the switch ------------------------------------------------------------------ */

static uint64_t selectors(const struct vcpu *v)
{
    return v->regs.ds | v->regs.es | v->regs.fs | v->regs.gs;
}

enum { CR4_GUEST = CR4_TSD | CR4_DE | CR4_FSGSBASE };

void plat_cr4_load(struct vcpu *v)
{
    struct percpu *p = &percpu0;
    uint64_t want = (p->cr4 & ~(uint64_t)CR4_GUEST) | (v->cr4 & CR4_GUEST & cr4_possible);

    if (want == p->cr4)
        return;
    p->cr4 = want;
    write_cr4(want);
}

void plat_vcpu_switch(struct vcpu *prev, struct vcpu *next)
{
    struct percpu *p = &percpu0;

    if (prev) {
        selectors_save(prev);
        plat_segbase_save(prev);
        if (prev->dr[7] & DR7_ACTIVE)
            debugregs_off();
    }
    if (next == NULL) {
        if (prev && prev->ldt_entries)
            asm volatile("lldt %w0" : : "r"(0));
        lgdt((uint64_t)gdt_page() - HV_GDT_BYTE); /* the vCPU's window may go with it */
        write_cr3(idle_root);
        return;
    }
    p->entry = p->tss.rsp[0] = (uint64_t)&next->regs + REGS_END;
    lgdt(desc_base(next));
    write_cr3(next->root[next->kernel_mode].n << PV_PAGE_SHIFT);
    if (next->ldt_entries || prev == NULL || prev->ldt_entries)
        ldt_descriptor_load(next);
    if (prev == NULL || (selectors(prev) | selectors(next)) != 0)
        selectors_load(next);
    plat_cr4_load(next);
    write_fs_base(next->segbase[SEGBASE_FS]);
    write_gs_base(next->segbase[gs_active(next)]);
    wrmsr(MSR_KERNEL_GS_BASE, next->segbase[gs_inactive(next)]);
    xcr0_write(next->xcr0);
    if (hv.cpu[0].fpu_owner != next)
        plat_fpu_restore(next);
    ts_write(next->ts);
    if (next->dr[7] & DR7_ACTIVE)
        debugregs_load(next);
}
