/* SPDX-License-Identifier: MIT */
/*
 * abi/elfnote.h - types of ELF notes, owner "Xen", by which a kernel image describes itself to the
 * domain builder. N: the note holds a number (4 or 8 bytes); S: a string with its final 0.
 *
 * Reference: xen/include/public/elfnote.h (libxen-dev).
 */
#ifndef PV_ABI_ELFNOTE_H
#define PV_ABI_ELFNOTE_H

#define XEN_ELFNOTE_INFO               0  /* S  free text */
#define XEN_ELFNOTE_ENTRY              1  /* N  virtual address of the first instruction */
#define XEN_ELFNOTE_HYPERCALL_PAGE     2  /* N  virtual address of the page of hypercall stubs */
#define XEN_ELFNOTE_VIRT_BASE          3  /* N  virtual address at which frame 0 is mapped */
#define XEN_ELFNOTE_PADDR_OFFSET       4  /* N  offset of physical addresses in ELF headers */
#define XEN_ELFNOTE_XEN_VERSION        5  /* S  "xen-3.0" */
#define XEN_ELFNOTE_GUEST_OS           6  /* S */
#define XEN_ELFNOTE_GUEST_VERSION      7  /* S */
#define XEN_ELFNOTE_LOADER             8  /* S  "generic" */
#define XEN_ELFNOTE_PAE_MODE           9  /* S  32-bit guests only */
#define XEN_ELFNOTE_FEATURES           10 /* S  names separated by |, ! before one: required */
#define XEN_ELFNOTE_BSD_SYMTAB         11 /* S  "yes": load the symbol table as well */
#define XEN_ELFNOTE_HV_START_LOW       12 /* N  lowest address that the hypervisor may use */
#define XEN_ELFNOTE_L1_MFN_VALID       13 /* N,N mask and value of a valid entry's bits */
#define XEN_ELFNOTE_SUSPEND_CANCEL     14 /* N  1: suspend may return 1 for "cancelled" */
#define XEN_ELFNOTE_INIT_P2M           15 /* N  virtual address for the p2m list */
#define XEN_ELFNOTE_MOD_START_PFN      16 /* N  1: kernel takes an unmapped ramdisk by frame */
#define XEN_ELFNOTE_SUPPORTED_FEATURES 17 /* N  bitmap of XENFEAT_* that the kernel knows */
#define XEN_ELFNOTE_PHYS32_ENTRY       18 /* N  32-bit entry point of PVH; not for PV */
#define XEN_ELFNOTE_MAX                18

/* Notes of core files, not of kernels. */
#define XEN_ELFNOTE_CRASH_INFO              0x1000001
#define XEN_ELFNOTE_CRASH_REGS              0x1000002
#define XEN_ELFNOTE_DUMPCORE_NONE           0x2000000
#define XEN_ELFNOTE_DUMPCORE_HEADER         0x2000001
#define XEN_ELFNOTE_DUMPCORE_XEN_VERSION    0x2000002
#define XEN_ELFNOTE_DUMPCORE_FORMAT_VERSION 0x2000003

#endif
