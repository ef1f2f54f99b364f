/* SPDX-License-Identifier: MIT */
/*
 * abi/console.h - text: console_io(cmd, count, buffer) of the first domain, and the page with two
 * byte rings that every other domain shares with its console's back-end.
 *
 * The ring's indices run freely and are taken modulo the ring's size, a power of two.
 *
 * Reference: xen/include/public/xen.h and io/console.h (libxen-dev).
 */
#ifndef PV_ABI_CONSOLE_H
#define PV_ABI_CONSOLE_H

#include <pv/types.h>

#define XEN_CONSOLEIO_write 0
#define XEN_CONSOLEIO_read  1

#ifndef __ASSEMBLER__

struct xencons_interface {
    char in[1024];     /* back-end -> guest */
    char out[2048];    /* guest -> back-end */
    uint32_t in_cons;  /* G */
    uint32_t in_prod;  /* back-end */
    uint32_t out_cons; /* back-end */
    uint32_t out_prod; /* G */
};

PV_STATIC_ASSERT(sizeof(struct xencons_interface) == 3088, "xencons_interface");

#endif /* !__ASSEMBLER__ */
#endif
