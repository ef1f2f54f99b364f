/* SPDX-License-Identifier: MIT */
/*
 * types.h - the few types that everything else is made of.
 *
 * Two numbers name a page of memory in a paravirtualized machine:
 *
 *     pfn_t   the guest's own number: dense, 0 .. nr_pages-1, never changes under a kernel;
 *     mfn_t   the machine's number:   sparse, the hypervisor's, may change.
 *
 *             kernel --- pfn_t ---> libpv --- mfn_t ---> hypervisor
 *                                    p2m
 *
 * They are one-member structures, so the compiler refuses to mix them, in every build. A kernel
 * keeps pfn_t only; nothing outside libpv and the hypervisor should ever need an mfn_t.
 *
 * A pv_gptr_t is a guest's pointer as it travels inside a hypercall structure. It can't be
 * dereferenced: the guest makes one with pv_gptr(), the hypervisor opens it in one file.
 *
 * This header is shared by guest, hypervisor and host tests. It includes nothing but <stdint.h>
 * and friends, and, like all headers below abi/, its constants may be used in assembly.
 */
#ifndef PV_TYPES_H
#define PV_TYPES_H

#define PV_PAGE_SHIFT 12
#define PV_PAGE_SIZE  0x1000
#define PV_PAGE_MASK  0xfff /* the bits below a page: address & PV_PAGE_MASK is the offset */

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define PV_STATIC_ASSERT(cond, text) static_assert(cond, text)
#else
#define PV_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#endif

/* A frame by the guest's number. */
typedef struct {
    uint64_t n;
} pfn_t;

/* A frame by the machine's number. */
typedef struct {
    uint64_t n;
} mfn_t;

/* A virtual address in some guest, or 0. Never dereferenced as it is. */
typedef struct {
    uint64_t va;
} pv_gptr_t;

/* The two values that no frame has. */
#define PV_PFN_INVALID pfn(~(uint64_t)0)
#define PV_MFN_INVALID mfn(~(uint64_t)0)

static inline pfn_t pfn(uint64_t n)
{
    pfn_t f = {n};
    return f;
}

static inline mfn_t mfn(uint64_t n)
{
    mfn_t f = {n};
    return f;
}

static inline pfn_t pfn_add(pfn_t f, uint64_t frames)
{
    return pfn(f.n + frames);
}

static inline mfn_t mfn_add(mfn_t f, uint64_t frames)
{
    return mfn(f.n + frames);
}

static inline bool pfn_eq(pfn_t a, pfn_t b)
{
    return a.n == b.n;
}

static inline bool mfn_eq(mfn_t a, mfn_t b)
{
    return a.n == b.n;
}

static inline bool pfn_valid(pfn_t f)
{
    return ~f.n != 0;
}

static inline bool mfn_valid(mfn_t f)
{
    return ~f.n != 0;
}

/* The machine address at which a frame begins. */
static inline uint64_t mfn_to_maddr(mfn_t f)
{
    return f.n << PV_PAGE_SHIFT;
}

static inline mfn_t mfn_of_maddr(uint64_t maddr)
{
    return mfn(maddr >> PV_PAGE_SHIFT);
}

static inline pv_gptr_t pv_gptr(const void *p)
{
    pv_gptr_t g = {(uint64_t)(uintptr_t)p};
    return g;
}

#define PV_NORETURN __attribute__((noreturn))

#define PV_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

PV_STATIC_ASSERT(sizeof(pfn_t) == 8 && sizeof(mfn_t) == 8, "frame numbers are 64-bit words");
PV_STATIC_ASSERT(sizeof(pv_gptr_t) == 8, "a guest pointer is a 64-bit word");

#ifdef __cplusplus
}
#endif
#endif /* !__ASSEMBLER__ */
#endif
