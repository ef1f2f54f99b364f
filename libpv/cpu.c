/* SPDX-License-Identifier: MIT */
/*
 * cpu.c - segment bases, descriptor tables, debug registers, port rights.
 *
 * One hypercall each, with frames translated. CPUID and the time-stamp counter, which take an
 * instruction of their own, are in x86_64/cpu.S. Invariant: a frame is handed over as a descriptor
 * table only after its linear mapping became read-only.
 */
#include <pv/cpu.h>
#include <pv/abi/cpuid.h>
#include <pv/hypercall.h>
#include <pv/pagetable.h>
#include "internal.h"

#define GDT_PAGES XEN_FIRST_RESERVED_GDT_PAGE

int pv_cpu_set_kernel_stack(void *top)
{
    return (int)pv_hypercall_stack_switch(XEN_FLAT_KERNEL_SS, (uint64_t)(uintptr_t)top);
}

int pv_cpu_set_fs_base(uint64_t base)
{
    return (int)pv_hypercall_set_segment_base(XEN_SEGBASE_FS, base);
}

int pv_cpu_set_gs_kernel_base(uint64_t base)
{
    return (int)pv_hypercall_set_segment_base(XEN_SEGBASE_GS_KERNEL, base);
}

int pv_cpu_set_gs_user_base(uint64_t base)
{
    return (int)pv_hypercall_set_segment_base(XEN_SEGBASE_GS_USER, base);
}

int pv_cpu_set_gs_user_selector(uint16_t selector)
{
    return (int)pv_hypercall_set_segment_base(XEN_SEGBASE_GS_USER_SEL, selector);
}

int pv_cpu_load_gdt(const pfn_t *frames, unsigned entries)
{
    uint64_t machine[GDT_PAGES];
    unsigned pages = (entries + 511) / 512;

    if (pages > GDT_PAGES)
        return -XEN_EINVAL;
    for (unsigned i = 0; i < pages; i++) {
        mfn_t m = pv_p2m(frames[i]);
        int err = mfn_valid(m) ? pv_pt_protect(frames[i]) : -XEN_EINVAL;

        if (err)
            return err;
        machine[i] = m.n;
    }
    return (int)pv_hypercall_set_gdt(machine, entries);
}

int pv_cpu_load_ldt(const void *va, unsigned entries)
{
    struct xen_mmuext_op op = {
        .cmd = XEN_MMUEXT_SET_LDT,
        .arg1.linear_addr = entries ? pv_arg(va) : 0,
        .arg2.nr_ents = entries,
    };

    return (int)pv_hypercall_mmuext_op(&op, 1, NULL, XEN_DOMID_SELF);
}

int pv_cpu_set_descriptor(pfn_t table, unsigned index, uint64_t descriptor)
{
    mfn_t m = pv_p2m(pfn_add(table, index / 512));

    if (!mfn_valid(m))
        return -XEN_EINVAL;
    return (int)pv_hypercall_update_descriptor(mfn_to_maddr(m) + 8 * (index % 512), descriptor);
}

int pv_cpu_set_debug(unsigned reg, uint64_t value)
{
    return (int)pv_hypercall_set_debugreg(reg, value);
}

uint64_t pv_cpu_get_debug(unsigned reg)
{
    return pv_hypercall_get_debugreg(reg);
}

bool pv_cpu_on_xen(uint32_t *version)
{
    struct pv_cpuid id;

    pv_cpu_id(XEN_CPUID_FIRST_LEAF, 0, &id);
    if (id.ebx != XEN_CPUID_SIGNATURE_EBX || id.ecx != XEN_CPUID_SIGNATURE_ECX ||
        id.edx != XEN_CPUID_SIGNATURE_EDX)
        return false;
    pv_cpu_id(XEN_CPUID_LEAF(1), 0, &id);
    *version = id.eax;
    return true;
}

int pv_cpu_set_iopl(unsigned level)
{
    struct xen_physdev_set_iopl op = {.iopl = level};

    return (int)pv_hypercall_physdev_op(XEN_PHYSDEVOP_set_iopl, &op);
}

int pv_cpu_set_io_bitmap(const uint8_t *bitmap, unsigned ports)
{
    struct xen_physdev_set_iobitmap op = {.bitmap = pv_gptr(bitmap), .nr_ports = ports};

    return (int)pv_hypercall_physdev_op(XEN_PHYSDEVOP_set_iobitmap, &op);
}
