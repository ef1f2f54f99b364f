/* SPDX-License-Identifier: MIT */
/*
 * abi/physdev.h - physdev_op(cmd, argument): rights over physical devices.
 *
 * A guest without devices uses two of them: the I/O privilege level and the port bitmap, which
 * decide whether its user mode may execute IN and OUT.
 *
 * Reference: xen/include/public/physdev.h (libxen-dev).
 */
#ifndef PV_ABI_PHYSDEV_H
#define PV_ABI_PHYSDEV_H

#include <pv/types.h>
#include <pv/abi/xen.h>

#define XEN_PHYSDEVOP_irq_status_query 5  /* xen_physdev_irq_status_query */
#define XEN_PHYSDEVOP_set_iopl         6  /* xen_physdev_set_iopl */
#define XEN_PHYSDEVOP_set_iobitmap     7  /* xen_physdev_set_iobitmap */
#define XEN_PHYSDEVOP_apic_read        8  /* xen_physdev_apic */
#define XEN_PHYSDEVOP_apic_write       9  /* xen_physdev_apic */
#define XEN_PHYSDEVOP_alloc_irq_vector 10 /* xen_physdev_irq */
#define XEN_PHYSDEVOP_free_irq_vector  11
#define XEN_PHYSDEVOP_eoi              12 /* xen_physdev_eoi */
#define XEN_PHYSDEVOP_map_pirq         13 /* xen_physdev_map_pirq */
#define XEN_PHYSDEVOP_unmap_pirq       14 /* xen_physdev_unmap_pirq */
#define XEN_PHYSDEVOP_pirq_eoi_gmfn_v1 17 /* xen_physdev_pirq_eoi_gmfn */
#define XEN_PHYSDEVOP_setup_gsi        21 /* xen_physdev_setup_gsi */
#define XEN_PHYSDEVOP_get_free_pirq    23 /* xen_physdev_get_free_pirq */
#define XEN_PHYSDEVOP_pirq_eoi_gmfn_v2 28

/* xen_physdev_irq_status_query.flags */
#define XENIRQSTAT_needs_eoi 1
#define XENIRQSTAT_shared    2

/* xen_physdev_map_pirq.type */
#define XEN_MAP_PIRQ_TYPE_MSI       0
#define XEN_MAP_PIRQ_TYPE_GSI       1
#define XEN_MAP_PIRQ_TYPE_UNKNOWN   2
#define XEN_MAP_PIRQ_TYPE_MSI_SEG   3
#define XEN_MAP_PIRQ_TYPE_MULTI_MSI 4

#ifndef __ASSEMBLER__

struct xen_physdev_irq_status_query {
    uint32_t irq;
    uint32_t flags; /* H: XENIRQSTAT_* */
};

struct xen_physdev_set_iopl {
    uint32_t iopl; /* 0 .. 3; kernel mode counts as ring 1 */
};

struct xen_physdev_set_iobitmap {
    pv_gptr_t bitmap; /* bit clear: port allowed, as in a TSS; read on every use */
    uint32_t nr_ports;
};

struct xen_physdev_apic {
    uint64_t apic_physbase;
    uint32_t reg;
    uint32_t value;
};

struct xen_physdev_irq {
    uint32_t irq;
    uint32_t vector;
};

struct xen_physdev_eoi {
    uint32_t irq;
};

struct xen_physdev_pirq_eoi_gmfn {
    uint64_t gmfn;
};

struct xen_physdev_map_pirq {
    xen_domid_t domid;
    int32_t type;
    int32_t index;
    int32_t pirq;
    int32_t bus;
    int32_t devfn;
    int32_t entry_nr;
    uint64_t table_base;
};

struct xen_physdev_unmap_pirq {
    xen_domid_t domid;
    int32_t pirq;
};

struct xen_physdev_setup_gsi {
    int32_t gsi;
    uint8_t triggering;
    uint8_t polarity;
};

struct xen_physdev_get_free_pirq {
    int32_t type;
    uint32_t pirq;
};

/* physdev_op_compat takes one of these. */
struct xen_physdev_op {
    uint32_t cmd;
    union {
        struct xen_physdev_irq_status_query irq_status_query;
        struct xen_physdev_set_iopl set_iopl;
        struct xen_physdev_set_iobitmap set_iobitmap;
        struct xen_physdev_apic apic_op;
        struct xen_physdev_irq irq_op;
    } u;
};

PV_STATIC_ASSERT(sizeof(struct xen_physdev_set_iobitmap) == 16, "physdev_set_iobitmap");
PV_STATIC_ASSERT(sizeof(struct xen_physdev_map_pirq) == 40, "physdev_map_pirq");
PV_STATIC_ASSERT(sizeof(struct xen_physdev_op) == 24, "physdev_op");

#endif /* !__ASSEMBLER__ */
#endif
