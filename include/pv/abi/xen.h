/* SPDX-License-Identifier: MIT */
/*
 * abi/xen.h - the heart of the Xen PV ABI: hypercall numbers, MMU requests, shared_info.
 *
 * The headers of this directory are the wire format between a guest and a hypervisor, as of Xen
 * 4.17 on x86-64. Names follow Xen's public headers by one rule: a macro FOO is XEN_FOO and a
 * structure foo is struct xen_foo, unless they begin with xen already; field names are Xen's.
 * Every value, size and offset is compared with libxen-dev's headers by tests/unit/abi.
 *
 * A hypercall: number in rax, arguments in rdi, rsi, rdx, r10, r8; SYSCALL (through the hypercall
 * page); result in rax, 0 or more for success, -XEN_E* for failure. rcx and r11 are lost. The
 * hypervisor may overwrite argument registers.
 *
 * Memory that both sides see: each field says who writes it. "G" is the guest, "H" the hypervisor.
 *
 * Reference: xen/include/public/xen.h (libxen-dev).
 */
#ifndef PV_ABI_XEN_H
#define PV_ABI_XEN_H

#include <pv/types.h>
#include <pv/abi/arch-x86_64.h>

/* Hypercall numbers: slot n of the hypercall page is at byte 32 * n. */
#define XEN_HYPERVISOR_set_trap_table                0
#define XEN_HYPERVISOR_mmu_update                    1
#define XEN_HYPERVISOR_set_gdt                       2
#define XEN_HYPERVISOR_stack_switch                  3
#define XEN_HYPERVISOR_set_callbacks                 4
#define XEN_HYPERVISOR_fpu_taskswitch                5
#define XEN_HYPERVISOR_sched_op_compat               6
#define XEN_HYPERVISOR_platform_op                   7
#define XEN_HYPERVISOR_set_debugreg                  8
#define XEN_HYPERVISOR_get_debugreg                  9
#define XEN_HYPERVISOR_update_descriptor             10
#define XEN_HYPERVISOR_memory_op                     12
#define XEN_HYPERVISOR_multicall                     13
#define XEN_HYPERVISOR_update_va_mapping             14
#define XEN_HYPERVISOR_set_timer_op                  15
#define XEN_HYPERVISOR_event_channel_op_compat       16
#define XEN_HYPERVISOR_xen_version                   17
#define XEN_HYPERVISOR_console_io                    18
#define XEN_HYPERVISOR_physdev_op_compat             19
#define XEN_HYPERVISOR_grant_table_op                20
#define XEN_HYPERVISOR_vm_assist                     21
#define XEN_HYPERVISOR_update_va_mapping_otherdomain 22
#define XEN_HYPERVISOR_iret                          23
#define XEN_HYPERVISOR_vcpu_op                       24
#define XEN_HYPERVISOR_set_segment_base              25
#define XEN_HYPERVISOR_mmuext_op                     26
#define XEN_HYPERVISOR_xsm_op                        27
#define XEN_HYPERVISOR_nmi_op                        28
#define XEN_HYPERVISOR_sched_op                      29
#define XEN_HYPERVISOR_callback_op                   30
#define XEN_HYPERVISOR_xenoprof_op                   31
#define XEN_HYPERVISOR_event_channel_op              32
#define XEN_HYPERVISOR_physdev_op                    33
#define XEN_HYPERVISOR_hvm_op                        34
#define XEN_HYPERVISOR_sysctl                        35
#define XEN_HYPERVISOR_domctl                        36
#define XEN_HYPERVISOR_kexec_op                      37
#define XEN_HYPERVISOR_tmem_op                       38
#define XEN_HYPERVISOR_argo_op                       39
#define XEN_HYPERVISOR_xenpmu_op                     40
#define XEN_HYPERVISOR_dm_op                         41
#define XEN_HYPERVISOR_hypfs_op                      42
#define XEN_HYPERVISOR_arch_0                        48
#define XEN_HYPERVISOR_arch_1                        49
#define XEN_HYPERVISOR_arch_2                        50
#define XEN_HYPERVISOR_arch_3                        51
#define XEN_HYPERVISOR_arch_4                        52
#define XEN_HYPERVISOR_arch_5                        53
#define XEN_HYPERVISOR_arch_6                        54
#define XEN_HYPERVISOR_arch_7                        55

/* Virtual interrupts, for EVTCHNOP_bind_virq. V: one per vCPU; G: one per guest. */
#define XEN_VIRQ_TIMER      0  /* V  a one-shot or periodic timer is due */
#define XEN_VIRQ_DEBUG      1  /* V  dump your state */
#define XEN_VIRQ_CONSOLE    2  /* G  input for the privileged guest's console */
#define XEN_VIRQ_DOM_EXC    3  /* G  a domain changed state */
#define XEN_VIRQ_TBUF       4  /* G  trace buffer has records */
#define XEN_VIRQ_DEBUGGER   6  /* G  a domain stopped for debugging */
#define XEN_VIRQ_XENOPROF   7  /* V  profile overflow */
#define XEN_VIRQ_CON_RING   8  /* G  the hypervisor's message ring has text */
#define XEN_VIRQ_PCPU_STATE 9  /* G  a processor came or went */
#define XEN_VIRQ_MEM_EVENT  10 /* G */
#define XEN_VIRQ_ARGO       11 /* G */
#define XEN_VIRQ_ENOMEM     12 /* G  the hypervisor's heap is low */
#define XEN_VIRQ_XENPMU     13 /* V */
#define XEN_VIRQ_ARCH_0     16
#define XEN_VIRQ_ARCH_1     17
#define XEN_VIRQ_ARCH_2     18
#define XEN_VIRQ_ARCH_3     19
#define XEN_VIRQ_ARCH_4     20
#define XEN_VIRQ_ARCH_5     21
#define XEN_VIRQ_ARCH_6     22
#define XEN_VIRQ_ARCH_7     23
#define XEN_NR_VIRQS        24

/* mmu_update: low two bits of xen_mmu_update.ptr. */
#define XEN_MMU_NORMAL_PT_UPDATE       0 /* *ptr = val, after validation */
#define XEN_MMU_MACHPHYS_UPDATE        1 /* machine-to-physical entry of frame ptr>>12 becomes val */
#define XEN_MMU_PT_UPDATE_PRESERVE_AD  2 /* as 0, keeping the accessed and dirty bits of *ptr */
#define XEN_MMU_PT_UPDATE_NO_TRANSLATE 3

/* mmuext_op: xen_mmuext_op.cmd and which arguments it takes. */
#define XEN_MMUEXT_PIN_L1_TABLE       0  /* mfn */
#define XEN_MMUEXT_PIN_L2_TABLE       1  /* mfn */
#define XEN_MMUEXT_PIN_L3_TABLE       2  /* mfn */
#define XEN_MMUEXT_PIN_L4_TABLE       3  /* mfn */
#define XEN_MMUEXT_UNPIN_TABLE        4  /* mfn */
#define XEN_MMUEXT_NEW_BASEPTR        5  /* mfn: kernel-mode L4, loaded at once */
#define XEN_MMUEXT_TLB_FLUSH_LOCAL    6  /* - */
#define XEN_MMUEXT_INVLPG_LOCAL       7  /* linear_addr */
#define XEN_MMUEXT_TLB_FLUSH_MULTI    8  /* vcpumask */
#define XEN_MMUEXT_INVLPG_MULTI       9  /* linear_addr, vcpumask */
#define XEN_MMUEXT_TLB_FLUSH_ALL      10 /* - */
#define XEN_MMUEXT_INVLPG_ALL         11 /* linear_addr */
#define XEN_MMUEXT_FLUSH_CACHE        12 /* - */
#define XEN_MMUEXT_SET_LDT            13 /* linear_addr (page aligned), nr_ents */
#define XEN_MMUEXT_NEW_USER_BASEPTR   15 /* mfn: user-mode L4, or 0 */
#define XEN_MMUEXT_CLEAR_PAGE         16 /* mfn */
#define XEN_MMUEXT_COPY_PAGE          17 /* mfn, src_mfn */
#define XEN_MMUEXT_FLUSH_CACHE_GLOBAL 18 /* - */
#define XEN_MMUEXT_MARK_SUPER         19 /* mfn */
#define XEN_MMUEXT_UNMARK_SUPER       20 /* mfn */

/* update_va_mapping(va, entry, flags): one of the first three, or'ed with one of the rest. */
#define XEN_UVMF_NONE           0 /* leave the TLB alone */
#define XEN_UVMF_TLB_FLUSH      1 /* flush everything */
#define XEN_UVMF_INVLPG         2 /* flush va */
#define XEN_UVMF_FLUSHTYPE_MASK 3
#define XEN_UVMF_MULTI          0 /* ... on the vCPUs of a bitmap, whose address is added to flags */
#define XEN_UVMF_LOCAL          0 /* ... on this vCPU */
#define XEN_UVMF_ALL            4 /* ... on all vCPUs */

/* vm_assist(command, type) */
#define XEN_VMASST_CMD_enable                0
#define XEN_VMASST_CMD_disable               1
#define XEN_VMASST_TYPE_4gb_segments         0
#define XEN_VMASST_TYPE_4gb_segments_notify  1
#define XEN_VMASST_TYPE_writable_pagetables  2
#define XEN_VMASST_TYPE_pae_extended_cr3     3
#define XEN_VMASST_TYPE_architectural_iopl   4
#define XEN_VMASST_TYPE_runstate_update_flag 5
#define XEN_VMASST_TYPE_m2p_strict           32

/* Domain names that are not numbers of domains. */
#define XEN_DOMID_FIRST_RESERVED 0x7ff0
#define XEN_DOMID_SELF           0x7ff0 /* the caller */
#define XEN_DOMID_IO             0x7ff1 /* owner of I/O memory */
#define XEN_DOMID_XEN            0x7ff2 /* owner of pages that the hypervisor shares */
#define XEN_DOMID_COW            0x7ff3 /* owner of shared copy-on-write pages */
#define XEN_DOMID_INVALID        0x7ff4
#define XEN_DOMID_IDLE           0x7fff
#define XEN_DOMID_MASK           0x7fff

/* xen_vcpu_time_info.flags */
#define XEN_PVCLOCK_TSC_STABLE_BIT 1
#define XEN_PVCLOCK_GUEST_STOPPED  2

#ifndef __ASSEMBLER__

typedef uint16_t xen_domid_t;
typedef uint32_t xen_evtchn_port_t;

struct xen_mmu_update {
    uint64_t ptr; /* machine address of the entry, with XEN_MMU_* in its low bits */
    uint64_t val;
};

struct xen_mmuext_op {
    uint32_t cmd;
    union {
        uint64_t mfn;
        uint64_t linear_addr;
    } arg1;
    union {
        uint32_t nr_ents;
        pv_gptr_t vcpumask; /* bitmap of vCPUs */
        uint64_t src_mfn;
    } arg2;
};

/* multicall(entries, n): n hypercalls in order; result is written for each that was tried. */
struct xen_multicall_entry {
    uint64_t op;
    uint64_t result; /* H */
    uint64_t args[6];
};

/*
 * Time of one vCPU. H writes all; version is odd while it does. A reader repeats until it saw the
 * same even version before and after:
 *     ns = system_time + ((tsc - tsc_timestamp) << tsc_shift) * tsc_to_system_mul / 2^32
 * where a negative tsc_shift shifts right.
 */
struct xen_vcpu_time_info {
    uint32_t version;
    uint32_t pad0;
    uint64_t tsc_timestamp;
    uint64_t system_time; /* ns since the hypervisor booted */
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags; /* XEN_PVCLOCK_* */
    uint8_t pad1[2];
};

struct xen_vcpu_info {
    uint8_t evtchn_upcall_pending; /* H sets, G clears: some selector bit is set */
    uint8_t evtchn_upcall_mask;    /* G: no event callback while not 0; H sets it on delivery */
    uint64_t evtchn_pending_sel;   /* H sets, G clears: word i of evtchn_pending may be not 0 */
    struct xen_arch_vcpu_info arch;
    struct xen_vcpu_time_info time;
};

/* One page per guest. */
struct xen_shared_info {
    struct xen_vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
    uint64_t evtchn_pending[64]; /* H sets, G clears */
    uint64_t evtchn_mask[64];    /* G: pending bits of masked ports do not reach the vCPU */
    uint32_t wc_version;         /* H: odd while the wall clock changes */
    uint32_t wc_sec;             /* H: seconds since 1970 at system time 0, low half */
    uint32_t wc_nsec;            /* H */
    uint32_t wc_sec_hi;          /* H: high half of the seconds */
    struct xen_arch_shared_info arch;
};

typedef uint8_t xen_domain_handle_t[16];

PV_STATIC_ASSERT(sizeof(struct xen_mmu_update) == 16, "mmu_update");
PV_STATIC_ASSERT(sizeof(struct xen_mmuext_op) == 24, "mmuext_op");
PV_STATIC_ASSERT(sizeof(struct xen_multicall_entry) == 64, "multicall_entry");
PV_STATIC_ASSERT(sizeof(struct xen_vcpu_time_info) == 32, "vcpu_time_info");
PV_STATIC_ASSERT(sizeof(struct xen_vcpu_info) == 64, "vcpu_info");
PV_STATIC_ASSERT(offsetof(struct xen_shared_info, evtchn_pending) == 2048, "shared_info");
PV_STATIC_ASSERT(offsetof(struct xen_shared_info, wc_version) == 3072, "shared_info");
PV_STATIC_ASSERT(sizeof(struct xen_shared_info) <= PV_PAGE_SIZE, "shared_info is one page");

#endif /* !__ASSEMBLER__ */
#endif
