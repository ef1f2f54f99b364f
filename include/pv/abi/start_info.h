/* SPDX-License-Identifier: MIT */
/*
 * abi/start_info.h - what a guest is told at its first instruction.
 *
 * rsi holds the virtual address of this page, rsp a small stack. Memory is laid out by the domain
 * builder, in this order, from the image's virtual base on:
 *
 *     image | ramdisk | p2m list | start_info | xenstore page | console page | page tables | stack
 *
 * and all of it is mapped by the initial page tables, whose own frames are mapped read-only.
 *
 * Reference: xen/include/public/xen.h (libxen-dev).
 */
#ifndef PV_ABI_START_INFO_H
#define PV_ABI_START_INFO_H

#include <pv/types.h>

/* xen_start_info.flags */
#define XEN_SIF_PRIVILEGED      0x01 /* may use physical devices */
#define XEN_SIF_INITDOMAIN      0x02 /* the first domain: console_io works, console.dom0 is valid */
#define XEN_SIF_MULTIBOOT_MOD   0x04 /* mod_start is a list of modules */
#define XEN_SIF_MOD_START_PFN   0x08 /* mod_start is a frame number, the ramdisk is not mapped */
#define XEN_SIF_VIRT_P2M_4TOOLS 0x10 /* the toolstack can use a linear p2m */
#define XEN_SIF_PM_MASK         0xff00

#define XEN_MAX_GUEST_CMDLINE 1024

/* xen_dom0_vga_console_info.video_type */
#define XEN_VGATYPE_TEXT_MODE_3 0x03
#define XEN_VGATYPE_VESA_LFB    0x23
#define XEN_VGATYPE_EFI_LFB     0x70

#ifndef __ASSEMBLER__

struct xen_start_info {
    char magic[32];       /* "xen-3.0-x86_64" */
    uint64_t nr_pages;    /* frames 0 .. nr_pages-1 are this guest's */
    uint64_t shared_info; /* MACHINE ADDRESS of struct xen_shared_info; the guest maps it itself */
    uint32_t flags;       /* XEN_SIF_* */
    uint64_t store_mfn;   /* MACHINE frame of the xenstore ring */
    uint32_t store_evtchn;
    union {
        struct {
            uint64_t mfn; /* MACHINE frame of the console ring */
            uint32_t evtchn;
        } domU;
        struct {
            uint32_t info_off;  /* from this structure to xen_dom0_vga_console_info */
            uint32_t info_size; /* its size */
        } dom0;
    } console;
    uint64_t pt_base;      /* virtual address of the L4 table */
    uint64_t nr_pt_frames; /* contiguous frames of the initial page tables, L4 first */
    uint64_t mfn_list;     /* virtual address of the p2m: uint64_t per frame */
    uint64_t mod_start;    /* virtual address (or frame: XEN_SIF_MOD_START_PFN) of the ramdisk */
    uint64_t mod_len;      /* its bytes, 0 for none */
    int8_t cmd_line[XEN_MAX_GUEST_CMDLINE];
    uint64_t first_p2m_pfn; /* if the p2m is not in the initial mapping: where its frames are */
    uint64_t nr_p2m_frames;
};

struct xen_multiboot_mod_list {
    uint32_t mod_start;
    uint32_t mod_end;
    uint32_t cmdline;
    uint32_t pad;
};

struct xen_dom0_vga_console_info {
    uint8_t video_type;
    union {
        struct {
            uint16_t font_height;
            uint16_t cursor_x;
            uint16_t cursor_y;
            uint16_t rows;
            uint16_t columns;
        } text_mode_3;
        struct {
            uint16_t width;
            uint16_t height;
            uint16_t bytes_per_line;
            uint16_t bits_per_pixel;
            uint32_t lfb_base;
            uint32_t lfb_size;
            uint8_t red_pos;
            uint8_t red_size;
            uint8_t green_pos;
            uint8_t green_size;
            uint8_t blue_pos;
            uint8_t blue_size;
            uint8_t rsvd_pos;
            uint8_t rsvd_size;
            uint32_t gbl_caps;
            uint16_t mode_attrs;
            uint16_t pad;
            uint32_t ext_lfb_base;
        } vesa_lfb;
    } u;
};

PV_STATIC_ASSERT(sizeof(struct xen_start_info) == 1168, "start_info");
PV_STATIC_ASSERT(offsetof(struct xen_start_info, mfn_list) == 104, "start_info.mfn_list");
PV_STATIC_ASSERT(offsetof(struct xen_start_info, cmd_line) == 128, "start_info.cmd_line");

#endif /* !__ASSEMBLER__ */
#endif
