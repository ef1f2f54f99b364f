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

#define HV_VA_START 0xffff800000000000ull /* the hypervisor's, by the ABI */
#define HV_VA_END   0xffff880000000000ull

/* Canonical, and outside of the hypervisor's range: in units of 2^43 bytes, -15 .. 15. */
static inline bool guest_va_ok(uint64_t va)
{
    return (uint32_t)(((int64_t)va >> 43) + 15) < 31;
}

static inline bool guest_range_ok(uint64_t va, size_t n)
{
    uint64_t last = va + n - 1;

    if (n == 0)
        return true;
    return last >= va && guest_va_ok(va) && guest_va_ok(last) &&
           (va < HV_VA_END) == (last < HV_VA_END);
}

/* Small structures of constant size are copied word by word, in line. One check of the first
 * address is enough for them: what lies beyond the guest's two ranges faults. */
#ifdef PLAT_ACCESS
#define GUEST_COPY_IN_LINE(n) (__builtin_constant_p(n) && (n) <= 96 && (n) > 0)
#else
#define GUEST_COPY_IN_LINE(n) 0
#endif

PLAT_INLINE bool guest_get_words(void *to, uint64_t va, size_t n)
{
    size_t i = 0;

#pragma GCC unroll 12
    for (; i + 8 <= n; i += 8)
        if (__builtin_expect(!plat_get64_at(va, (int)i, (uint64_t *)((char *)to + i)), 0))
            return false;
    if (n & 4 && !plat_get32(va + i, (uint32_t *)((char *)to + i)))
        return false;
    i += n & 4;
    if (n & 2 && !plat_get16(va + i, (uint16_t *)((char *)to + i)))
        return false;
    i += n & 2;
    return !(n & 1) || plat_get8(va + i, (uint8_t *)to + i);
}

PLAT_INLINE bool guest_put_words(uint64_t va, const void *from, size_t n)
{
    size_t i = 0;

#pragma GCC unroll 12
    for (; i + 8 <= n; i += 8)
        if (__builtin_expect(
                !plat_put64_at(va, (int)i, *(const uint64_t *)((const char *)from + i)), 0))
            return false;
    if (n & 4 && !plat_put32(va + i, *(const uint32_t *)((const char *)from + i)))
        return false;
    i += n & 4;
    if (n & 2 && !plat_put16(va + i, *(const uint16_t *)((const char *)from + i)))
        return false;
    i += n & 2;
    return !(n & 1) || plat_put8(va + i, *((const uint8_t *)from + i));
}

PLAT_INLINE int guest_copy_in(void *to, pv_gptr_t from, size_t n)
{
    bool ok;

    if (GUEST_COPY_IN_LINE(n))
        ok = guest_va_ok(from.va) && guest_get_words(to, from.va, n);
    else
        ok = guest_range_ok(from.va, n) && plat_guest_read(to, from.va, n) == 0;
    if (__builtin_expect(!ok, 0))
        return -XEN_EFAULT;
    atomic_signal_fence(memory_order_seq_cst); /* what was checked is what is used */
    return 0;
}

PLAT_INLINE int guest_copy_out(pv_gptr_t to, const void *from, size_t n)
{
    bool ok;

    if (GUEST_COPY_IN_LINE(n))
        ok = guest_va_ok(to.va) && guest_put_words(to.va, from, n);
    else
        ok = guest_range_ok(to.va, n) && plat_guest_write(to.va, from, n) == 0;
    return __builtin_expect(ok, 1) ? 0 : -XEN_EFAULT;
}

static inline pv_gptr_t gptr_add(pv_gptr_t p, uint64_t bytes)
{
    return (pv_gptr_t){p.va + bytes};
}
static inline bool gptr_null(pv_gptr_t p)
{
    return p.va == 0;
}

#endif
