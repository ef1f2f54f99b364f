/* SPDX-License-Identifier: MIT
 *
 * misc.c - the small calls: one register, one flag, one answer each.
 *
 * Most of them are on a kernel's hottest paths (stack_switch, set_segment_base,
 * fpu_taskswitch at every context switch), so each is a check and a store.
 */
#include "misc.h"
#include "entry.h"
#include "guest_mem.h"
#include "text.h"
#include "../backend/console.h"
#include <pv/abi/console.h>
#include <pv/abi/features.h>
#include <pv/abi/physdev.h>
#include <pv/abi/version.h>

enum { CR4_DE = 1 << 3, CONSOLE_CHUNK = 128, IOBITMAP_BYTES = 65536 / 8 };

static bool canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/* -- registers --------------------------------------------------------------------- */

long hc_stack_switch(struct vcpu *v, uint64_t ss, uint64_t sp)
{
    v->kernel_ss = ss | 3;
    v->kernel_sp = sp;
    return 0;
}

long hc_fpu_taskswitch(struct vcpu *v, int32_t set)
{
    if (set) {
        v->ts = 1;
        plat_ts_set(true);
    } else {
        v->ts = 0;
        if (v->fpu_dirty)
            plat_ts_set(false); /* else the first use brings the state, and clears it */
    }
    return 0;
}

static COLD long bad_segment_base(struct vcpu *v, uint32_t which, uint64_t base)
{
    if (which > XEN_SEGBASE_GS_USER_SEL)
        return refuse(v, RULE_SEGBASE_WHICH, .value = which);
    return refuse(v, RULE_SEGBASE_ADDRESS, .va = base, .value = which);
}

long hc_set_segment_base(struct vcpu *v, uint32_t which, uint64_t base)
{
    if (which < XEN_SEGBASE_GS_USER_SEL && likely(canonical(base))) {
        plat_segbase_load(v, which, base);
        return 0;
    }
    if (which != XEN_SEGBASE_GS_USER_SEL)
        return bad_segment_base(v, which, base);
    base &= 0xffff;
    plat_segbase_load(v, SEGSEL_GS_USER, base > 3 ? base | 3 : base);
    return 0; /* a selector that cannot be loaded is null, by the ABI */
}

_Static_assert(SEGBASE_FS == XEN_SEGBASE_FS && SEGBASE_GS_USER == XEN_SEGBASE_GS_USER &&
                   SEGBASE_GS_KERNEL == XEN_SEGBASE_GS_KERNEL &&
                   SEGSEL_GS_USER == XEN_SEGBASE_GS_USER_SEL,
               "plat_segbase_load() takes the ABI's numbers");

/* -- debug registers ----------------------------------------------------------------- */

static const uint64_t DR6_ONES = 0xffff0ff0, DR6_MAY = 0xffffefff;
static const uint64_t DR7_ONES = 0x400, DR7_MAY = 0xffff27ff, DR7_GD = 1 << 13, DR7_ACTIVE = 0xff;

void debugregs_reset(struct vcpu *v)
{
    for (unsigned i = 0; i < 4; i++)
        v->dr[i] = 0;
    v->dr[6] = DR6_ONES;
    v->dr[7] = DR7_ONES;
}

static void store(struct vcpu *v, unsigned reg, uint64_t value)
{
    v->dr[reg] = value;
    if (hv.cpu[0].loaded == v)
        plat_debugreg_load(v, reg);
}

static long set_dr7(struct vcpu *v, uint64_t value)
{
    if (value & DR7_GD)
        return refuse(v, RULE_DEBUGREG_PRIVILEGED, .value = value);
    if (value & DR7_ACTIVE)
        for (unsigned i = 0; i < 4; i++)
            if ((value >> (16 + 4 * i) & 3) == 2) { /* an I/O breakpoint */
                if (!(v->cr4 & CR4_DE))
                    return refuse(v, RULE_DEBUGREG_PRIVILEGED, .value = value);
                value &= ~(3ull << (2 * i)); /* accepted, and never hit: guests have no ports */
            }
    store(v, 7, value);
    return 0;
}

long debugreg_set(struct vcpu *v, unsigned reg, uint64_t value)
{
    if (reg > 7 || ((reg == 4 || reg == 5) && v->cr4 & CR4_DE))
        return refuse(v, RULE_DEBUGREG_NUMBER, .value = reg);
    if (reg < 4) {
        if (!guest_va_ok(value))
            return refuse(v, RULE_DEBUGREG_ADDRESS, .va = value, .value = reg);
        store(v, reg, value);
        return 0;
    }
    if (value >> 32)
        return refuse(v, RULE_DEBUGREG_RESERVED, .value = value, .limit = reg);
    if (reg == 5 || reg == 7)
        return set_dr7(v, (value & DR7_MAY) | DR7_ONES);
    store(v, 6, (value & DR6_MAY) | DR6_ONES);
    return 0;
}

long debugreg_get(const struct vcpu *v, unsigned reg, uint64_t *value)
{
    if (reg > 7 || ((reg == 4 || reg == 5) && v->cr4 & CR4_DE))
        return -XEN_ENODEV;
    *value = v->dr[reg == 4 || reg == 5 ? reg + 2 : reg];
    return 0;
}

long hc_set_debugreg(struct vcpu *v, int32_t reg, uint64_t value)
{
    return debugreg_set(v, (unsigned)reg, value);
}

long hc_get_debugreg(struct vcpu *v, int32_t reg)
{
    uint64_t value;

    if (unlikely(debugreg_get(v, (unsigned)reg, &value)))
        return refuse(v, RULE_DEBUGREG_NUMBER, .value = (unsigned)reg);
    return (long)value;
}

/* -- xen_version ----------------------------------------------------------------------- */

enum { VERSION_MAJOR = 4, VERSION_MINOR = 17 };
static const uint32_t FEATURES = 1u << XENFEAT_memory_op_vnode_supported |
                                 1u << XENFEAT_mmu_pt_update_preserve_ad |
                                 1u << XENFEAT_highmem_assist |
                                 1u << XENFEAT_gnttab_map_avail_bits | 1u << XENFEAT_direct_mapped;

/* Copy out n bytes: the text, then zeros. */
static long text_out(struct vcpu *v, pv_gptr_t arg, const char *text, size_t n)
{
    char buf[1024] = {0};

    text_copy(buf, text, n);
    if (guest_copy_out(arg, buf, n))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    return 0;
}

static long compile_info(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_compile_info i = {0};

    text_copy(i.compiler, "gcc " __VERSION__, sizeof(i.compiler));
    text_copy(i.compile_by, "libpv", sizeof(i.compile_by));
    text_copy(i.compile_domain, "hypervisor-shim", sizeof(i.compile_domain));
    if (guest_copy_out(arg, &i, sizeof(i)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    return 0;
}

static long features(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_feature_info f;

    if (guest_copy_in(&f, arg, sizeof(f)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    if (f.submap_idx != 0)
        return refuse(v, RULE_VERSION_ARGUMENT, .value = XENVER_get_features,
                      .limit = f.submap_idx);
    f.submap = FEATURES;
    if (v->domain->vm_assist & (1u << XEN_VMASST_TYPE_pae_extended_cr3))
        f.submap |= 1u << XENFEAT_pae_pgdir_above_4gb;
    if (guest_copy_out(arg, &f, sizeof(f)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    return 0;
}

static long platform_parameters(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_platform_parameters p = {.virt_start = HV_VA_START};

    if (guest_copy_out(arg, &p, sizeof(p)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    return 0;
}

static long guest_handle(struct vcpu *v, pv_gptr_t arg)
{
    if (guest_copy_out(arg, v->domain->handle, sizeof(v->domain->handle)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    return 0;
}

static __attribute__((noinline)) long version_text(struct vcpu *v, int32_t cmd, pv_gptr_t arg)
{
    switch (cmd) {
    case XENVER_extraversion:
        return text_out(v, arg, ".0-pv", XEN_EXTRAVERSION_LEN);
    case XENVER_compile_info:
        return compile_info(v, arg);
    case XENVER_capabilities:
        return text_out(v, arg, "xen-3.0-x86_64 ", XEN_CAPABILITIES_INFO_LEN);
    case XENVER_changeset:
        return text_out(v, arg, "libpv", XEN_CHANGESET_INFO_LEN);
    case XENVER_platform_parameters:
        return platform_parameters(v, arg);
    case XENVER_get_features:
        return features(v, arg);
    case XENVER_pagesize:
        if (!gptr_null(arg))
            return refuse(v, RULE_VERSION_ARGUMENT, .value = XENVER_pagesize, .va = arg.va);
        return PV_PAGE_SIZE;
    case XENVER_guest_handle:
        return guest_handle(v, arg);
    case XENVER_commandline:
        return text_out(v, arg, "", sizeof(xen_commandline_t));
    case XENVER_build_id:
        return refuse(v, RULE_VERSION_NO_BUILD_ID);
    default:
        return refuse(v, RULE_HYPERCALL_SUBOP, .value = (uint32_t)cmd);
    }
}

long hc_xen_version(struct vcpu *v, int32_t cmd, pv_gptr_t arg)
{
    if (cmd == XENVER_version)
        return VERSION_MAJOR << 16 | VERSION_MINOR;
    return version_text(v, cmd, arg);
}

/* -- vm_assist, console, ports ------------------------------------------------------- */

long hc_vm_assist(struct vcpu *v, uint32_t cmd, uint32_t type)
{
    const uint64_t valid =
        1u << XEN_VMASST_TYPE_4gb_segments | 1u << XEN_VMASST_TYPE_4gb_segments_notify |
        1u << XEN_VMASST_TYPE_writable_pagetables | 1u << XEN_VMASST_TYPE_pae_extended_cr3 |
        1u << XEN_VMASST_TYPE_architectural_iopl | 1u << XEN_VMASST_TYPE_runstate_update_flag |
        1ull << XEN_VMASST_TYPE_m2p_strict;

    if (type >= 64 || !(valid >> type & 1))
        return refuse(v, RULE_ASSIST_TYPE, .value = type);
    switch (cmd) {
    case XEN_VMASST_CMD_enable:
        v->domain->vm_assist |= 1ull << type;
        return 0;
    case XEN_VMASST_CMD_disable:
        v->domain->vm_assist &= ~(1ull << type);
        return 0;
    default:
        return refuse(v, RULE_ASSIST_COMMAND, .value = cmd);
    }
}

long hc_console_io(struct vcpu *v, int32_t cmd, uint32_t count, pv_gptr_t buffer)
{
    char chunk[CONSOLE_CHUNK];

    if (cmd == XEN_CONSOLEIO_read && count > INT32_MAX)
        return refuse(v, RULE_CONSOLE_COUNT, .value = count, .limit = INT32_MAX);
    if (cmd == XEN_CONSOLEIO_read)
        return 0; /* input comes by the guest's console ring, and none is kept for this way */
    if (cmd != XEN_CONSOLEIO_write)
        return refuse(v, RULE_HYPERCALL_SUBOP, .value = (uint32_t)cmd);
    for (unsigned done = 0; count; done++) {
        uint32_t n = count < sizeof(chunk) ? count : (uint32_t)sizeof(chunk);

        if (done && plat_interrupt_pending())
            return hc_restart(v, 3, (uint64_t)cmd, (uint64_t)count, buffer.va);
        if (guest_copy_in(chunk, buffer, n))
            return refuse(v, RULE_GUEST_POINTER, .va = buffer.va);
        console_guest_write(v->domain, chunk, n);
        buffer = gptr_add(buffer, n);
        count -= n;
    }
    return 0;
}

static long set_iobitmap(struct vcpu *v, pv_gptr_t arg)
{
    struct xen_physdev_set_iobitmap b;

    if (guest_copy_in(&b, arg, sizeof(b)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    if (!guest_range_ok(b.bitmap.va, IOBITMAP_BYTES) || b.nr_ports > 65536)
        return refuse(v, RULE_IOBITMAP_PLACE, .va = b.bitmap.va, .value = b.nr_ports);
    v->iobitmap = b.bitmap;
    v->iobitmap_ports = b.nr_ports;
    return 0;
}

long hc_physdev_op(struct vcpu *v, int32_t cmd, pv_gptr_t arg)
{
    struct xen_physdev_set_iopl i;

    switch (cmd) {
    case XEN_PHYSDEVOP_set_iopl:
        if (guest_copy_in(&i, arg, sizeof(i)))
            return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
        if (i.iopl > 3)
            return refuse(v, RULE_IOPL_VALUE, .value = i.iopl);
        v->iopl = (uint64_t)i.iopl << 12;
        return 0;
    case XEN_PHYSDEVOP_set_iobitmap:
        return set_iobitmap(v, arg);
    case XEN_PHYSDEVOP_eoi:
    case XEN_PHYSDEVOP_irq_status_query:
        return refuse(v, RULE_PHYSDEV_PRIVILEGED, .value = (uint32_t)cmd, .err = -XEN_EINVAL);
    case XEN_PHYSDEVOP_apic_read:
    case XEN_PHYSDEVOP_apic_write:
    case XEN_PHYSDEVOP_alloc_irq_vector:
    case XEN_PHYSDEVOP_map_pirq:
    case XEN_PHYSDEVOP_unmap_pirq:
    case XEN_PHYSDEVOP_setup_gsi:
    case XEN_PHYSDEVOP_get_free_pirq:
        return refuse(v, RULE_PHYSDEV_PRIVILEGED, .value = (uint32_t)cmd);
    default:
        return refuse(v, RULE_HYPERCALL_SUBOP, .value = (uint32_t)cmd);
    }
}

long hc_physdev_op_compat(struct vcpu *v, pv_gptr_t arg)
{
    uint32_t cmd;

    if (guest_copy_in(&cmd, arg, sizeof(cmd)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    return hc_physdev_op(v, (int32_t)cmd, gptr_add(arg, offsetof(struct xen_physdev_op, u)));
}
