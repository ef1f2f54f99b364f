/* SPDX-License-Identifier: MIT */
/*
 * abi/arch-x86_64.h - what the Xen PV ABI says about this processor.
 *
 * Selectors, the hypervisor's reserved addresses, the trap table, the register frame, the context
 * with which a vCPU starts, and the architecture's part of shared_info and vcpu_info.
 *
 * A 64-bit PV kernel runs in ring 3, like its user programs, and never in ring 0. Kernel mode and
 * user mode differ by which page tables and which GS base are loaded, and the hypervisor keeps one
 * bit of state that says which of the two a vCPU is in.
 *
 * Reference: xen/include/public/arch-x86/xen.h and xen-x86_64.h (libxen-dev).
 */
#ifndef PV_ABI_ARCH_X86_64_H
#define PV_ABI_ARCH_X86_64_H

#include <pv/types.h>

/*
 * Flat selectors that the hypervisor keeps in every guest's descriptor table. Bits 0-1 are 3: they
 * are the only kind that a plain IRETQ in a guest can load. A frame that the hypervisor bounces to
 * a kernel holds CS with its low two bits cleared when the kernel itself was interrupted.
 */
#define XEN_FLAT_RING3_CS32  0xe023
#define XEN_FLAT_RING3_CS64  0xe033
#define XEN_FLAT_RING3_DS32  0xe02b
#define XEN_FLAT_RING3_DS64  0x0000
#define XEN_FLAT_RING3_SS32  0xe02b
#define XEN_FLAT_RING3_SS64  0xe02b
#define XEN_FLAT_KERNEL_CS64 XEN_FLAT_RING3_CS64
#define XEN_FLAT_KERNEL_CS32 XEN_FLAT_RING3_CS32
#define XEN_FLAT_KERNEL_CS   XEN_FLAT_KERNEL_CS64
#define XEN_FLAT_KERNEL_DS64 XEN_FLAT_RING3_DS64
#define XEN_FLAT_KERNEL_DS32 XEN_FLAT_RING3_DS32
#define XEN_FLAT_KERNEL_DS   XEN_FLAT_KERNEL_DS64
#define XEN_FLAT_KERNEL_SS64 XEN_FLAT_RING3_SS64
#define XEN_FLAT_KERNEL_SS32 XEN_FLAT_RING3_SS32
#define XEN_FLAT_KERNEL_SS   XEN_FLAT_KERNEL_SS64
#define XEN_FLAT_USER_CS64   XEN_FLAT_RING3_CS64
#define XEN_FLAT_USER_CS32   XEN_FLAT_RING3_CS32
#define XEN_FLAT_USER_CS     XEN_FLAT_USER_CS64
#define XEN_FLAT_USER_DS64   XEN_FLAT_RING3_DS64
#define XEN_FLAT_USER_DS32   XEN_FLAT_RING3_DS32
#define XEN_FLAT_USER_DS     XEN_FLAT_USER_DS64
#define XEN_FLAT_USER_SS64   XEN_FLAT_RING3_SS64
#define XEN_FLAT_USER_SS32   XEN_FLAT_RING3_SS32
#define XEN_FLAT_USER_SS     XEN_FLAT_USER_SS64

/* The range of every address space that belongs to the hypervisor: L4 slots 256 .. 271. */
#define XEN_HYPERVISOR_VIRT_START 0xffff800000000000
#define XEN_HYPERVISOR_VIRT_END   0xffff880000000000

/* In it, read-only for guests: the machine-to-physical table, one uint64_t per machine frame. */
#define XEN_MACH2PHYS_VIRT_START 0xffff800000000000
#define XEN_MACH2PHYS_VIRT_END   0xffff804000000000
#define XEN_MACH2PHYS_NR_ENTRIES 0x800000000

/* set_gdt: pages 14 and 15 of a guest's descriptor table are the hypervisor's. */
#define XEN_FIRST_RESERVED_GDT_PAGE  14
#define XEN_FIRST_RESERVED_GDT_BYTE  0xe000
#define XEN_FIRST_RESERVED_GDT_ENTRY 0x1c00

/* vCPUs whose vcpu_info lies in shared_info; the others must register one. */
#define XEN_LEGACY_MAX_VCPUS 32

/* set_segment_base(which, base) */
#define XEN_SEGBASE_FS          0
#define XEN_SEGBASE_GS_USER     1
#define XEN_SEGBASE_GS_KERNEL   2
#define XEN_SEGBASE_GS_USER_SEL 3 /* base is a selector: load %gs of user mode with it */

/*
 * xen_iret_context.flags: we return from a system call. rcx and r11 need not survive, so the
 * hypervisor may use SYSRET.
 */
#define XEN_VGCF_in_syscall 0x100
#define XEN_VGCF_IN_SYSCALL XEN_VGCF_in_syscall

/* xen_vcpu_guest_context.flags */
#define XEN_VGCF_I387_VALID 0x01
#define XEN_VGCF_IN_KERNEL  0x04
#define XEN_VGCF_i387_valid 0x01 /* fpu_ctxt is to be loaded */
#define XEN_VGCF_in_kernel  0x04 /* the vCPU starts in kernel mode */
#define XEN_VGCF_failsafe_disables_events                                                       \
    0x08                                      /* events are masked while failsafe_callback runs \
                                               */
#define XEN_VGCF_syscall_disables_events 0x10 /* ... while syscall_callback runs */
#define XEN_VGCF_online                  0x20

/*
 * The five bytes (ud2a, "xen") which, put before an instruction that would not trap by itself,
 * have the hypervisor execute it in the guest's stead. CPUID is the use of it.
 */
#define PV_EMULATE_PREFIX_BYTES 0x0f, 0x0b, 0x78, 0x65, 0x6e

#ifndef __ASSEMBLER__

/* set_trap_table: an array of these, ended by one whose address is 0. */
struct xen_trap_info {
    uint8_t vector;
    uint8_t
        flags; /* bits 0-1: least privileged level that may raise it by INT n; bit 2: see below */
    uint16_t cs;
    uint64_t address;
};
#define PV_TI_DPL_MASK    3
#define PV_TI_MASK_EVENTS 4 /* event delivery is masked while the handler runs */

/*
 * Registers. saved_upcall_mask lies in the upper half of the slot of CS: the frame that a handler
 * finds on its stack has the same layout from rip on, and so returns the mask by IRET's CS slot.
 */
struct xen_cpu_user_regs {
    uint64_t r15;
    uint64_t r14;
    uint64_t r13;
    uint64_t r12;
    uint64_t rbp;
    uint64_t rbx;
    uint64_t r11;
    uint64_t r10;
    uint64_t r9;
    uint64_t r8;
    uint64_t rax;
    uint64_t rcx;
    uint64_t rdx;
    uint64_t rsi;
    uint64_t rdi;
    uint32_t error_code;
    uint32_t entry_vector;
    uint64_t rip;
    uint16_t cs;
    uint16_t _pad0[1];
    uint8_t saved_upcall_mask;
    uint8_t _pad1[3];
    uint64_t rflags;
    uint64_t rsp;
    uint16_t ss;
    uint16_t _pad2[3];
    uint16_t es;
    uint16_t _pad3[3];
    uint16_t ds;
    uint16_t _pad4[3];
    uint16_t fs;
    uint16_t _pad5[3];
    uint16_t gs;
    uint16_t _pad6[3];
};

/*
 * The iret hypercall takes this, at its stack pointer. (The library's stub pushes rcx, r11 and rax
 * before the trap; flags is pushed by the kernel.)
 */
struct xen_iret_context {
    uint64_t rax;
    uint64_t r11;
    uint64_t rcx;
    uint64_t flags; /* XEN_VGCF_in_syscall or 0 */
    uint64_t rip;
    uint64_t cs;
    uint64_t rflags;
    uint64_t rsp;
    uint64_t ss;
};

/* VCPUOP_initialise: everything a vCPU needs before it is brought up. */
struct xen_vcpu_guest_context {
    struct {
        char x[512];
    } fpu_ctxt;     /* as FXSAVE writes it */
    uint64_t flags; /* XEN_VGCF_* */
    struct xen_cpu_user_regs user_regs;
    struct xen_trap_info trap_ctxt[256];
    uint64_t ldt_base; /* virtual address */
    uint64_t ldt_ents;
    uint64_t gdt_frames[16]; /* machine frames */
    uint64_t gdt_ents;
    uint64_t kernel_ss; /* stack on entry from user mode */
    uint64_t kernel_sp;
    uint64_t ctrlreg[8]; /* [1]: the user-mode L4; [3]: the kernel-mode L4; both as machine CR3 */
    uint64_t debugreg[8];
    uint64_t event_callback_eip;
    uint64_t failsafe_callback_eip;
    uint64_t syscall_callback_eip;
    uint64_t vm_assist;
    uint64_t fs_base;
    uint64_t gs_base_kernel;
    uint64_t gs_base_user;
};

/* The architecture's part of xen_shared_info. */
struct xen_arch_shared_info {
    uint64_t max_pfn;                    /* guest: how many entries the p2m has */
    uint64_t pfn_to_mfn_frame_list_list; /* guest: frame of the top of the three-level p2m, or ~0 */
    uint64_t nmi_reason;                 /* hypervisor: XEN_NMIREASON_* */
    uint64_t p2m_cr3;                    /* guest: if not 0, the page tables in which ... */
    uint64_t p2m_vaddr;                  /* guest: ... this is the address of a linear p2m */
    uint64_t p2m_generation;             /* guest: odd while mappings of the linear p2m change */
};

/* The architecture's part of xen_vcpu_info. */
struct xen_arch_vcpu_info {
    uint64_t cr2; /* hypervisor: the address of the last page fault */
    uint64_t pad;
};

/* A machine address of a page table as CR3 holds it; no folding on x86-64. */
#define xen_pfn_to_cr3(frame) ((uint64_t)(frame) << 12)
#define xen_cr3_to_pfn(cr3)   ((uint64_t)(cr3) >> 12)

PV_STATIC_ASSERT(sizeof(struct xen_trap_info) == 16, "trap_info");
PV_STATIC_ASSERT(sizeof(struct xen_cpu_user_regs) == 200, "cpu_user_regs");
PV_STATIC_ASSERT(offsetof(struct xen_cpu_user_regs, rip) == 128, "cpu_user_regs.rip");
PV_STATIC_ASSERT(offsetof(struct xen_cpu_user_regs, saved_upcall_mask) ==
                     offsetof(struct xen_cpu_user_regs, cs) + 4,
                 "the mask lies in the upper half of CS's slot");
PV_STATIC_ASSERT(sizeof(struct xen_iret_context) == 72, "iret_context");
PV_STATIC_ASSERT(sizeof(struct xen_vcpu_guest_context) == 5168, "vcpu_guest_context");
PV_STATIC_ASSERT(sizeof(struct xen_arch_shared_info) == 48, "arch_shared_info");
PV_STATIC_ASSERT(sizeof(struct xen_arch_vcpu_info) == 16, "arch_vcpu_info");

#endif /* !__ASSEMBLER__ */
#endif
