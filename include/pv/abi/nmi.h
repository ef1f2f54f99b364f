/* SPDX-License-Identifier: MIT */
/*
 * abi/nmi.h - nmi_op(cmd, argument): the older way to register the NMI callback.
 *
 * Reference: xen/include/public/nmi.h (libxen-dev).
 */
#ifndef PV_ABI_NMI_H
#define PV_ABI_NMI_H

#include <pv/types.h>

#define XENNMI_register_callback   0
#define XENNMI_unregister_callback 1

/* xen_arch_shared_info.nmi_reason */
#define XEN_NMIREASON_io_error 1
#define XEN_NMIREASON_pci_serr 2

#ifndef __ASSEMBLER__

struct xennmi_callback {
    uint64_t handler_address;
    uint64_t pad;
};

#endif /* !__ASSEMBLER__ */
#endif
