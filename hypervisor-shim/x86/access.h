/* SPDX-License-Identifier: MIT
 *
 * access.h - the inline part of platform.h: one word of a guest's memory in one instruction, and
 * the change between its kernel and user mode.
 *
 * plat_get*() and plat_put*() answer false where the access faults (entry.S's extable takes
 * the fault to the label). The address was checked to be none of the hypervisor's; beyond the
 * canonical ones the processor's own #GP or #SS ends in the extable too.
 */
#ifndef X86_ACCESS_H
#define X86_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#define ACCESS_FIXUP                                                                               \
    ".pushsection .extable, \"a\", @progbits\n"                                                    \
    ".balign 4\n"                                                                                  \
    ".long 1b - ., %l[fault] - .\n"                                                                \
    ".popsection"

#define PLAT_GET(bits, mov)                                                                        \
    static inline __attribute__((always_inline)) bool plat_get##bits(uint64_t va,                  \
                                                                     uint##bits##_t *to)           \
    {                                                                                              \
        uint##bits##_t v;                                                                          \
        asm goto("1: " mov " %1, %0\n" ACCESS_FIXUP                                                \
                 : "=r"(v)                                                                         \
                 : "m"(*(const volatile uint##bits##_t *)va)                                       \
                 :                                                                                 \
                 : fault);                                                                         \
        *to = v;                                                                                   \
        return true;                                                                               \
    fault:                                                                                         \
        return false;                                                                              \
    }
#define PLAT_PUT(bits, mov, constraint)                                                            \
    static inline __attribute__((always_inline)) bool plat_put##bits(uint64_t va,                  \
                                                                     uint##bits##_t v)             \
    {                                                                                              \
        asm goto("1: " mov " %1, %0\n" ACCESS_FIXUP                                                \
                 :                                                                                 \
                 : "m"(*(volatile uint##bits##_t *)va), constraint(v)                              \
                 : "memory"                                                                        \
                 : fault);                                                                         \
        return true;                                                                               \
    fault:                                                                                         \
        return false;                                                                              \
    }
PLAT_GET(64, "movq")
PLAT_GET(32, "movl")
PLAT_GET(16, "movw")
PLAT_GET(8, "movb")
PLAT_PUT(64, "movq", "er")
PLAT_PUT(32, "movl", "ir")
PLAT_PUT(16, "movw", "ir")
PLAT_PUT(8, "movb", "iq")

/* The same at a constant distance from an address, which the instruction can hold itself. */
static inline __attribute__((always_inline)) bool plat_get64_at(uint64_t va, const int offset,
                                                                uint64_t *to)
{
    uint64_t v;
    asm goto("1: movq %c2(%1), %0\n" ACCESS_FIXUP
             : "=r"(v)
             : "r"(va), "i"(offset)
             : "memory"
             : fault);
    *to = v;
    return true;
fault:
    return false;
}

static inline __attribute__((always_inline)) bool plat_put64_at(uint64_t va, const int offset,
                                                                uint64_t v)
{
    asm goto("1: movq %2, %c1(%0)\n" ACCESS_FIXUP
             :
             : "r"(va), "i"(offset), "er"(v)
             : "memory"
             : fault);
    return true;
fault:
    return false;
}

/* The bases of both modes are in the processor: GS_BASE and KERNEL_GS_BASE. */
#define plat_mode_switch(v)                                                                        \
    asm volatile("swapgs\n\tmovq %0, %%cr3"                                                        \
                 :                                                                                 \
                 : "r"((v)->root[(v)->kernel_mode].n << PV_PAGE_SHIFT)                             \
                 : "memory")

#endif
