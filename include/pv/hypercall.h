/* SPDX-License-Identifier: MIT */
/*
 * hypercall.h - the one way into the hypervisor, and a typed wrapper for each hypercall.
 *
 * pv_trap() is all that the library knows about how a hypervisor is reached. On a machine it is
 * eight instructions in x86_64/hypercall.S; in tests it is a function that calls the hypervisor's
 * core. Everything else in libpv is plain C above it.
 *
 * The wrappers below are exact: one hypercall each, arguments in ABI order, pointers as they are,
 * machine frames and addresses as plain integers, because that is what the ABI takes. They are for
 * libpv and for kernels that need something libpv does not offer; a kernel that stays with the
 * other headers never sees a machine frame.
 *
 * All return 0 or more for success and -XEN_E* (abi/errno.h) for failure, except as noted.
 * All may be called in any context, including event handlers.
 */
#ifndef PV_HYPERCALL_H
#define PV_HYPERCALL_H

#include <pv/types.h>
#include <pv/abi/xen.h>
#include <pv/abi/callback.h>
#include <pv/abi/console.h>
#include <pv/abi/errno.h>
#include <pv/abi/event_channel.h>
#include <pv/abi/features.h>
#include <pv/abi/grant_table.h>
#include <pv/abi/memory.h>
#include <pv/abi/nmi.h>
#include <pv/abi/physdev.h>
#include <pv/abi/sched.h>
#include <pv/abi/vcpu.h>
#include <pv/abi/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Hypercall nr (XEN_HYPERVISOR_*) with up to five arguments. Memory that the arguments point to
 * may be read and written; the call is a compiler barrier because it is not inline.
 */
int64_t pv_trap(uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);

/* "EINVAL" for -XEN_EINVAL or XEN_EINVAL; "ok" for 0; "unknown error" for what has no name. */
const char *pv_error_name(int64_t error);

static inline uint64_t pv_arg(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

/* Traps. The table ends with an entry whose address is 0. NULL forgets all. */
static inline int64_t pv_hypercall_set_trap_table(const struct xen_trap_info *table)
{
    return pv_trap(XEN_HYPERVISOR_set_trap_table, pv_arg(table), 0, 0, 0, 0);
}

/* Memory. done may be NULL; it receives how many requests succeeded, also on failure. */
static inline int64_t pv_hypercall_mmu_update(const struct xen_mmu_update *req, uint32_t count,
                                              uint32_t *done, xen_domid_t dom)
{
    return pv_trap(XEN_HYPERVISOR_mmu_update, pv_arg(req), count, pv_arg(done), dom, 0);
}

static inline int64_t pv_hypercall_mmuext_op(const struct xen_mmuext_op *op, uint32_t count,
                                             uint32_t *done, xen_domid_t dom)
{
    return pv_trap(XEN_HYPERVISOR_mmuext_op, pv_arg(op), count, pv_arg(done), dom, 0);
}

/* entry as the hardware reads it; flags XEN_UVMF_*. */
static inline int64_t pv_hypercall_update_va_mapping(uint64_t va, uint64_t entry, uint64_t flags)
{
    return pv_trap(XEN_HYPERVISOR_update_va_mapping, va, entry, flags, 0, 0);
}

static inline int64_t pv_hypercall_update_va_mapping_otherdomain(uint64_t va, uint64_t entry,
                                                                 uint64_t flags, xen_domid_t dom)
{
    return pv_trap(XEN_HYPERVISOR_update_va_mapping_otherdomain, va, entry, flags, dom, 0);
}

/* Some commands return a count; see abi/memory.h. */
static inline int64_t pv_hypercall_memory_op(uint32_t cmd, void *arg)
{
    return pv_trap(XEN_HYPERVISOR_memory_op, cmd, pv_arg(arg), 0, 0, 0);
}

static inline int64_t pv_hypercall_vm_assist(uint32_t cmd, uint32_t type)
{
    return pv_trap(XEN_HYPERVISOR_vm_assist, cmd, type, 0, 0, 0);
}

/* The processor. frames: machine frames of the table's pages; entries: descriptors, <= 7168. */
static inline int64_t pv_hypercall_set_gdt(const uint64_t *frames, uint32_t entries)
{
    return pv_trap(XEN_HYPERVISOR_set_gdt, pv_arg(frames), entries, 0, 0, 0);
}

/* maddr: machine address of the descriptor, in a page that is part of a descriptor table. */
static inline int64_t pv_hypercall_update_descriptor(uint64_t maddr, uint64_t descriptor)
{
    return pv_trap(XEN_HYPERVISOR_update_descriptor, maddr, descriptor, 0, 0, 0);
}

static inline int64_t pv_hypercall_stack_switch(uint64_t ss, uint64_t sp)
{
    return pv_trap(XEN_HYPERVISOR_stack_switch, ss, sp, 0, 0, 0);
}

static inline int64_t pv_hypercall_set_callbacks(uint64_t event, uint64_t failsafe,
                                                 uint64_t syscall)
{
    return pv_trap(XEN_HYPERVISOR_set_callbacks, event, failsafe, syscall, 0, 0);
}

static inline int64_t pv_hypercall_callback_op(uint32_t cmd, const void *arg)
{
    return pv_trap(XEN_HYPERVISOR_callback_op, cmd, pv_arg(arg), 0, 0, 0);
}

static inline int64_t pv_hypercall_fpu_taskswitch(bool set)
{
    return pv_trap(XEN_HYPERVISOR_fpu_taskswitch, set, 0, 0, 0, 0);
}

static inline int64_t pv_hypercall_set_debugreg(unsigned reg, uint64_t value)
{
    return pv_trap(XEN_HYPERVISOR_set_debugreg, reg, value, 0, 0, 0);
}

/* Returns the register, which may look like an error number. */
static inline uint64_t pv_hypercall_get_debugreg(unsigned reg)
{
    return (uint64_t)pv_trap(XEN_HYPERVISOR_get_debugreg, reg, 0, 0, 0, 0);
}

static inline int64_t pv_hypercall_set_segment_base(unsigned which, uint64_t base)
{
    return pv_trap(XEN_HYPERVISOR_set_segment_base, which, base, 0, 0, 0);
}

static inline int64_t pv_hypercall_physdev_op(uint32_t cmd, void *arg)
{
    return pv_trap(XEN_HYPERVISOR_physdev_op, cmd, pv_arg(arg), 0, 0, 0);
}

/* Events, time, scheduling. */
static inline int64_t pv_hypercall_event_channel_op(uint32_t cmd, void *arg)
{
    return pv_trap(XEN_HYPERVISOR_event_channel_op, cmd, pv_arg(arg), 0, 0, 0);
}

/* deadline: system time in ns, 0 for none. */
static inline int64_t pv_hypercall_set_timer_op(uint64_t deadline)
{
    return pv_trap(XEN_HYPERVISOR_set_timer_op, deadline, 0, 0, 0, 0);
}

static inline int64_t pv_hypercall_sched_op(uint32_t cmd, void *arg)
{
    return pv_trap(XEN_HYPERVISOR_sched_op, cmd, pv_arg(arg), 0, 0, 0);
}

static inline int64_t pv_hypercall_vcpu_op(uint32_t cmd, unsigned vcpu, void *arg)
{
    return pv_trap(XEN_HYPERVISOR_vcpu_op, cmd, vcpu, pv_arg(arg), 0, 0);
}

/* The rest. */
static inline int64_t pv_hypercall_multicall(struct xen_multicall_entry *calls, uint32_t count)
{
    return pv_trap(XEN_HYPERVISOR_multicall, pv_arg(calls), count, 0, 0, 0);
}

static inline int64_t pv_hypercall_xen_version(uint32_t cmd, void *arg)
{
    return pv_trap(XEN_HYPERVISOR_xen_version, cmd, pv_arg(arg), 0, 0, 0);
}

/* text is written to by XEN_CONSOLEIO_read alone. */
static inline int64_t pv_hypercall_console_io(uint32_t cmd, uint32_t count, const void *text)
{
    return pv_trap(XEN_HYPERVISOR_console_io, cmd, count, pv_arg(text), 0, 0);
}

static inline int64_t pv_hypercall_grant_table_op(uint32_t cmd, void *args, uint32_t count)
{
    return pv_trap(XEN_HYPERVISOR_grant_table_op, cmd, pv_arg(args), count, 0, 0);
}

static inline int64_t pv_hypercall_nmi_op(uint32_t cmd, void *arg)
{
    return pv_trap(XEN_HYPERVISOR_nmi_op, cmd, pv_arg(arg), 0, 0, 0);
}

#ifdef __cplusplus
}
#endif
#endif
