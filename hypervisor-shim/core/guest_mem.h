/* SPDX-License-Identifier: MIT
 *
 * guest_mem.h - the one place where a guest pointer is opened.
 *
 * A pv_gptr_t cannot be dereferenced; these functions copy, once, after the
 * range was checked to lie outside of the hypervisor's addresses. The copy in
 * is followed by a compiler barrier, so that what was checked is what is used.
 * They use the address space in force: the current vCPU's kernel tables.
 *
 * All return 0 or -XEN_EFAULT; on failure the destination holds no promise.
 */
#ifndef HV_GUEST_MEM_H
#define HV_GUEST_MEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <pv/types.h>
#include <pv/abi/xen.h>
#include <pv/abi/errno.h>
#include "platform.h"

#define HV_VA_START  0xffff800000000000ull  /* the hypervisor's, by the ABI */
#define HV_VA_END    0xffff880000000000ull

/* Canonical, and outside of the hypervisor's range. */
static inline bool guest_va_ok(uint64_t va)
{
    return va < 0x0000800000000000ull || va >= HV_VA_END;
}

static inline bool guest_range_ok(uint64_t va, size_t n)
{
    uint64_t last = va + n - 1;

    if (n == 0)
        return true;
    return last >= va && guest_va_ok(va) && guest_va_ok(last) && (va < HV_VA_END) == (last < HV_VA_END);
}

static inline int guest_copy_in(void *to, pv_gptr_t from, size_t n)
{
    if (__builtin_expect(!guest_range_ok(from.va, n) || plat_guest_read(to, from.va, n) != 0, 0))
        return -XEN_EFAULT;
    atomic_signal_fence(memory_order_seq_cst); /* what was checked is what is used */
    return 0;
}

static inline int guest_copy_out(pv_gptr_t to, const void *from, size_t n)
{
    if (__builtin_expect(!guest_range_ok(to.va, n) || plat_guest_write(to.va, from, n) != 0, 0))
        return -XEN_EFAULT;
    return 0;
}

static inline pv_gptr_t gptr_add(pv_gptr_t p, uint64_t bytes) { return (pv_gptr_t){ p.va + bytes }; }
static inline bool gptr_null(pv_gptr_t p) { return p.va == 0; }

#endif
