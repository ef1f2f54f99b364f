/* SPDX-License-Identifier: MIT */
/*
 * abi/callback.h - callback_op(cmd, argument): where the hypervisor enters the kernel.
 *
 * Reference: xen/include/public/callback.h (libxen-dev).
 */
#ifndef PV_ABI_CALLBACK_H
#define PV_ABI_CALLBACK_H

#include <pv/types.h>
#include <pv/abi/xen.h>

#define XEN_CALLBACKOP_register   0
#define XEN_CALLBACKOP_unregister 1

/* type */
#define XEN_CALLBACKTYPE_event               0 /* an event is pending */
#define XEN_CALLBACKTYPE_failsafe            1 /* a return to the guest faulted */
#define XEN_CALLBACKTYPE_syscall             2 /* SYSCALL in user mode */
#define XEN_CALLBACKTYPE_sysenter_deprecated 3
#define XEN_CALLBACKTYPE_nmi                 4
#define XEN_CALLBACKTYPE_sysenter            5
#define XEN_CALLBACKTYPE_syscall32           7 /* SYSCALL in 32-bit user mode */

/* flags: event delivery is masked when the callback is entered. */
#define XEN_CALLBACKF_mask_events 1

#ifndef __ASSEMBLER__

struct xen_callback_register {
    uint16_t type;
    uint16_t flags;
    uint64_t address;
};

struct xen_callback_unregister {
    uint16_t type;
    uint16_t _unused;
};

PV_STATIC_ASSERT(sizeof(struct xen_callback_register) == 16, "callback_register");
PV_STATIC_ASSERT(sizeof(struct xen_callback_unregister) == 4, "callback_unregister");

#endif /* !__ASSEMBLER__ */
#endif
