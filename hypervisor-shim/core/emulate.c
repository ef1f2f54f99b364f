/* SPDX-License-Identifier: MIT
 *
 * emulate.c - privileged instructions that a guest executes in ring 3, carried out as Xen 4.17
 * does for PV guests: CR, DR and MSR access, CLTS, XSETBV, cache flushes, CLI and STI, port I/O
 * (there are no ports behind it), and CPUID asked for by the forced-emulation prefix.
 *
 * Invariants: the instruction is fetched once, with the guest's own rights; either it is done
 * and rip has advanced, or an exception was injected, or nothing has changed and the caller gives
 * the guest its #GP. "Kernel" is v->kernel_mode: what ring 0 is to a native kernel. Nothing here
 * touches the processor: what is refused or faked is a matter of this file alone.
 */
#include "decode.h"
#include "domain.h"
#include "entry.h"
#include "guest_mem.h"
#include "mm.h"
#include "platform.h"
#include "emulate_msr.h"

enum { TRAP_DB = 1, TRAP_UD = 6, TRAP_GP = 13, TRAP_PF = 14 };
enum { CR0_TS = 8, CR4_TSD = 4, CR4_DE = 8, CR4_OSXSAVE = 1 << 18 };
enum { EFLAGS_TF = 0x100, EFLAGS_DF = 0x400, EFLAGS_RF = 0x10000 };
enum { IO_STEPS = 1024 }; /* of a repeated INS or OUTS, before interrupts are looked at */

/* PG AM WP NE ET MP PE: what a native kernel would find, and what the processor holds. */
#define CR0_VALUE 0x80050033ull
/* PAE MCE OSFXSR OSXMMEXCPT are the hypervisor's; TSD DE FSGSBASE OSXSAVE the guest's choice. */
#define CR4_SHOWN  0x660ull
#define CR4_CHOICE 0x5000cull

#define DR6_ONES        0xffff0ff0ull
#define DR6_SINGLE_STEP 0x4000ull

enum outcome {
    DONE,     /* advance */
    INJECTED, /* an exception of its own was given; rip stays */
    REFUSED,  /* the guest's #GP stands */
    AGAIN,    /* more to do: rip stays, the instruction comes back */
};

static enum outcome fault(struct vcpu *v, unsigned vector)
{
    trap_inject(v, vector, 0);
    return INJECTED;
}

/* The instruction is behind us: what retiring it does. */
static void retire(struct vcpu *v, unsigned length)
{
    v->regs.rip += length;
    v->regs.rflags &= ~(uint64_t)EFLAGS_RF;
    if (unlikely(v->regs.rflags & EFLAGS_TF)) {
        v->dr[6] |= DR6_SINGLE_STEP | DR6_ONES;
        trap_inject(v, TRAP_DB, 0);
    }
}

/* -- control and debug registers ------------------------------------------------- */

static enum outcome read_cr(struct vcpu *v, const struct insn *i)
{
    uint64_t value;

    switch (i->reg) {
    case 0:
        value = CR0_VALUE | (v->ts ? CR0_TS : 0);
        break;
    case 2:
        value = v->fault_va;
        break;
    case 3:
        value = v->root[1].n << PV_PAGE_SHIFT;
        break;
    case 4:
        value = (v->cr4 & CR4_CHOICE) | CR4_SHOWN;
        break;
    default:
        return REFUSED;
    }
    *insn_reg(&v->regs, i->rm) = value;
    return DONE;
}

static enum outcome write_cr(struct vcpu *v, const struct insn *i)
{
    uint64_t value = *insn_reg(&v->regs, i->rm);
    long rc;

    switch (i->reg) {
    case 0:
        if ((value ^ CR0_VALUE) & ~(uint64_t)CR0_TS)
            return REFUSED;
        hc_fpu_taskswitch(v, (value & CR0_TS) != 0);
        return DONE;
    case 2:
        v->fault_va = value;
        v->info->arch.cr2 = value;
        return DONE;
    case 3:
        rc = root_switch(v, (value >> PV_PAGE_SHIFT) & 0xffffffffffull);
        return rc == 0 ? DONE : rc == -XEN_ERESTART ? AGAIN : REFUSED;
    case 4:
        v->cr4 = (value & CR4_CHOICE) | CR4_SHOWN;
        plat_cr4_load(v);
        return DONE;
    }
    return REFUSED;
}

static enum outcome read_dr(struct vcpu *v, const struct insn *i)
{
    unsigned n = i->reg;

    if (n > 7 || ((n == 4 || n == 5) && v->cr4 & CR4_DE))
        return fault(v, TRAP_UD);
    if (n == 4 || n == 5)
        n += 2;
    *insn_reg(&v->regs, i->rm) = v->dr[n];
    return DONE;
}

static enum outcome write_dr(struct vcpu *v, const struct insn *i)
{
    long rc = hc_set_debugreg(v, i->reg, *insn_reg(&v->regs, i->rm));

    if (rc == 0)
        return DONE;
    return fault(v, rc == -XEN_ENODEV ? TRAP_UD : TRAP_GP);
}

static enum outcome xsetbv(struct vcpu *v)
{
    uint64_t value = (uint32_t)v->regs.rax | v->regs.rdx << 32;

    if (!(v->cr4 & CR4_OSXSAVE))
        return fault(v, TRAP_UD);
    if (!v->kernel_mode || (uint32_t)v->regs.rcx != 0 || !plat_xcr0_set(v, value))
        return REFUSED;
    return DONE;
}

/* -- ports ------------------------------------------------------------------------- */

static bool iopl_allows(const struct vcpu *v)
{
    unsigned ring = 3;

    if (v->kernel_mode)
        ring = v->domain->vm_assist >> XEN_VMASST_TYPE_architectural_iopl & 1 ? 0 : 1;
    return (uint64_t)ring << 12 <= v->iopl;
}

/* By iopl, or by the bitmap that the guest gave with physdev_op: it lies in its kernel's memory. */
static bool port_allowed(struct vcpu *v, unsigned port, unsigned bytes)
{
    uint8_t map[2] = {0xff, 0xff};
    unsigned mask;

    if (iopl_allows(v))
        return true;
    if (port + bytes > v->iobitmap_ports)
        return false;
    if (!v->kernel_mode)
        plat_root_load(v->root[1]);
    if (guest_copy_in(map, gptr_add(v->iobitmap, port >> 3), 2) != 0 &&
        guest_copy_in(map, gptr_add(v->iobitmap, port >> 3), 1) != 0)
        map[0] = 0xff;
    if (!v->kernel_mode)
        plat_root_load(v->root[0]);
    mask = map[0] | (unsigned)map[1] << 8;
    return (mask & ((1u << bytes) - 1) << (port & 7)) == 0;
}

static unsigned port_of(const struct vcpu *v, const struct insn *i)
{
    return i->source == SRC_IMM ? (unsigned)i->imm : (uint16_t)v->regs.rdx;
}

/* No device answers: reads give ones, writes are lost. */
static enum outcome in_out(struct vcpu *v, const struct insn *i)
{
    if (!port_allowed(v, port_of(v, i), i->bytes))
        return REFUSED;
    if (i->op == INSN_IN)
        insn_reg_set(&v->regs, 0, i->bytes, false, ~0ull);
    return DONE;
}

static enum outcome string_step(struct vcpu *v, const struct insn *i, uint64_t at)
{
    uint32_t data = ~0u;
    size_t left;

    if (!guest_range_ok(at, i->bytes))
        return fault(v, TRAP_GP);
    left = i->op == INSN_INS ? plat_guest_write(at, &data, i->bytes)
                             : plat_guest_read(&data, at, i->bytes);
    if (left == 0)
        return DONE;
    trap_inject_page_fault(v, at + i->bytes - left, i->op == INSN_INS ? 2 : 0);
    return INJECTED;
}

static enum outcome ins_outs(struct vcpu *v, const struct insn *i)
{
    unsigned reg = i->op == INSN_INS ? 7 : 6, size = i->address_bytes;
    uint64_t step = v->regs.rflags & EFLAGS_DF ? -(uint64_t)i->bytes : i->bytes;
    bool repeat = i->rep || i->repne;

    if (!port_allowed(v, (uint16_t)v->regs.rdx, i->bytes))
        return REFUSED;
    if (i->segment != INSN_SEG_NONE)
        plat_segbase_save(v);
    for (unsigned n = 0; n < IO_STEPS; n++) {
        uint64_t at = insn_reg_get(&v->regs, reg, size, false);
        enum outcome o;

        if (repeat && insn_reg_get(&v->regs, 1, size, false) == 0)
            return DONE;
        if (i->op == INSN_OUTS && i->segment != INSN_SEG_NONE)
            at += v->segbase[i->segment == INSN_SEG_FS ? SEGBASE_FS
                             : v->kernel_mode          ? SEGBASE_GS_KERNEL
                                                       : SEGBASE_GS_USER];
        o = string_step(v, i, at);
        if (o != DONE)
            return o;
        insn_reg_set(&v->regs, reg, size, false, insn_reg_get(&v->regs, reg, size, false) + step);
        if (!repeat)
            return DONE;
        insn_reg_set(&v->regs, 1, size, false, insn_reg_get(&v->regs, 1, size, false) - 1);
    }
    return AGAIN;
}

/* -- CPUID ------------------------------------------------------------------------- */

static void cpuid(struct vcpu *v)
{
    uint32_t leaf = (uint32_t)v->regs.rax, out[4];

    plat_cpuid(leaf, (uint32_t)v->regs.rcx, out);
    if (leaf == 1) {
        out[1] &= 0x00ffffff;
        /* A kernel sees OSXSAVE before it has set it: part of the ABI by long custom. */
        if (out[2] & 1u << 26 && (v->kernel_mode || v->cr4 & CR4_OSXSAVE))
            out[2] |= 1u << 27;
    }
    v->regs.rax = out[0];
    v->regs.rbx = out[1];
    v->regs.rcx = out[2];
    v->regs.rdx = out[3];
}

/* ud2; .ascii "xen"; cpuid: 7 bytes in memory order. */
#define FORCED_CPUID 0xa20f6e65780b0full

/* The last bytes before a page that is not there: byte by byte, to know which one faults. */
static __attribute__((noinline, cold)) bool forced_at_edge(struct vcpu *v, uint64_t rip)
{
    uint64_t code = 0;
    unsigned have = 0;

    while (have < 7 && guest_va_ok(rip + have) && plat_get8(rip + have, (uint8_t *)&code + have))
        have++;
    if (have < 2 || (code ^ FORCED_CPUID) & ((1ull << 8 * have) - 1))
        return false;
    if (have < 7) {
        trap_inject_page_fault(v, rip + have, 0);
        return true;
    }
    cpuid(v);
    retire(v, 7);
    return true;
}

bool emulate_forced(struct vcpu *v)
{
    uint64_t rip = v->regs.rip, code;

    if (unlikely(!guest_va_ok(rip) || !guest_va_ok(rip + 7) || !plat_get64(rip, &code)))
        return forced_at_edge(v, rip);
    if (code << 8 != FORCED_CPUID << 8)
        return false;
    cpuid(v);
    retire(v, 7);
    return true;
}

/* -- RDTSC, MSRs -------------------------------------------------------------------- */

static void pair_set(struct vcpu *v, uint64_t value)
{
    v->regs.rax = (uint32_t)value;
    v->regs.rdx = value >> 32;
}

/* These reach us only while CR4.TSD is set, and then only the kernel may. */
static enum outcome rdtsc(struct vcpu *v, bool aux)
{
    if (!v->kernel_mode && v->cr4 & CR4_TSD)
        return REFUSED;
    pair_set(v, plat_tsc());
    if (aux)
        v->regs.rcx = 0;
    return DONE;
}

static enum outcome rdmsr(struct vcpu *v)
{
    uint64_t value;

    if (!emulate_msr_read(v, (uint32_t)v->regs.rcx, &value))
        return REFUSED;
    pair_set(v, value);
    return DONE;
}

static enum outcome wrmsr(struct vcpu *v)
{
    uint64_t value = (uint32_t)v->regs.rax | v->regs.rdx << 32;

    return emulate_msr_write(v, (uint32_t)v->regs.rcx, value) ? DONE : REFUSED;
}

/* -- dispatch ----------------------------------------------------------------------- */

/* What only ring 0 may do. HLT, LMSW, INVD, INVLPG, RDPMC are refused: as on Xen, a kernel calls.
 */
static inline enum outcome kernel_only(struct vcpu *v, const struct insn *i)
{
    switch (i->op) {
    case INSN_MOV_FROM_CR:
        return read_cr(v, i);
    case INSN_MOV_TO_CR:
        return write_cr(v, i);
    case INSN_MOV_FROM_DR:
        return read_dr(v, i);
    case INSN_MOV_TO_DR:
        return write_dr(v, i);
    case INSN_CLTS:
        hc_fpu_taskswitch(v, 0);
        return DONE;
    case INSN_RDMSR:
        return rdmsr(v);
    case INSN_WRMSR:
        return wrmsr(v);
    case INSN_WBINVD:
        return DONE;
    }
    return REFUSED;
}

/* What depends on iopl, or on nothing. */
static enum outcome execute(struct vcpu *v, const struct insn *i)
{
    switch (i->op) {
    case INSN_CLI:
    case INSN_STI:
        return iopl_allows(v) ? DONE : REFUSED; /* allowed, and nothing happens */
    case INSN_IN:
    case INSN_OUT:
        return in_out(v, i);
    case INSN_INS:
    case INSN_OUTS:
        return ins_outs(v, i);
    case INSN_RDTSC:
    case INSN_RDTSCP:
        return rdtsc(v, i->op == INSN_RDTSCP);
    case INSN_XSETBV:
        return xsetbv(v);
    case INSN_CPUID:
        cpuid(v);
        return DONE;
    }
    return REFUSED;
}

/* The bytes at rip, up to a page that is not there. */
static inline size_t fetch(struct vcpu *v, uint64_t code[2])
{
    uint64_t rip = v->regs.rip;
    size_t n = 16;

    if (likely(guest_va_ok(rip) && guest_va_ok(rip + 15) && plat_get64_at(rip, 0, &code[0]) &&
               plat_get64_at(rip, 8, &code[1])))
        return n;
    if (!guest_range_ok(rip, n))
        return 0;
    n -= plat_guest_read(code, rip, n);
    atomic_signal_fence(memory_order_seq_cst);
    return n;
}

bool emulate_privileged(struct vcpu *v, uint32_t error_code)
{
    uint64_t code[2];
    enum outcome o;
    struct insn i;
    size_t n;

    if (error_code != 0)
        return false;
    if (unlikely(v->regs.cs != XEN_FLAT_RING3_CS64) && !plat_code_is_64bit(v->regs.cs))
        return false; /* 32-bit user code has nothing that a kernel wants emulated */
    n = fetch(v, code);
    if (unlikely(!insn_decode(&i, (const uint8_t *)code, n))) {
        if (n >= INSN_MAX || !guest_va_ok(v->regs.rip))
            return false;
        trap_inject_page_fault(v, v->regs.rip + n, 0);
        return true;
    }
    o = likely(v->kernel_mode) ? kernel_only(v, &i) : REFUSED;
    if (o == REFUSED)
        o = execute(v, &i);
    if (o == DONE)
        retire(v, i.length);
    return o != REFUSED;
}
