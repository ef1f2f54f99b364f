/* SPDX-License-Identifier: MIT */
/*
 * types.h - the words every file of the kernel uses: integer types, sizes, small helpers.
 *
 * Nothing in here may allocate, print or touch the machine.
 */
#ifndef KERN_TYPES_H
#define KERN_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

typedef long ssize_t;
typedef s64 loff_t;
typedef int pid_t;
typedef u32 uid_t;
typedef u32 gid_t;
typedef u32 mode_t;
typedef u64 ino_t;
typedef u64 phys_t;   /* a physical address */
typedef u64 sector_t; /* 512-byte units */
typedef u32 dev_t;    /* major << 8 | minor (low byte), as Linux packs small numbers */

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096UL
#define PAGE_MASK  (~(PAGE_SIZE - 1))

#define ARRAY_SIZE(a)      (sizeof(a) / sizeof((a)[0]))
#define ALIGN_UP(x, a)     (((x) + ((__typeof__(x))(a)-1)) & ~((__typeof__(x))(a)-1))
#define ALIGN_DOWN(x, a)   ((x) & ~((__typeof__(x))(a)-1))
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define MIN(a, b)               \
    ({                          \
        __typeof__(a) _a = (a); \
        __typeof__(b) _b = (b); \
        _a < _b ? _a : _b;      \
    })
#define MAX(a, b)               \
    ({                          \
        __typeof__(a) _a = (a); \
        __typeof__(b) _b = (b); \
        _a > _b ? _a : _b;      \
    })
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))
#define likely(x)                     __builtin_expect(!!(x), 1)
#define unlikely(x)                   __builtin_expect(!!(x), 0)
#define barrier()                     __asm__ volatile("" ::: "memory")
#define READ_ONCE(x)                  (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)              (*(volatile __typeof__(x) *)&(x) = (v))

/* Flags that interrupt handlers change as well: changing them is one instruction. */
static inline void flags_set(u32 *flags, u32 bits)
{
    __atomic_or_fetch(flags, bits, __ATOMIC_RELAXED);
}
static inline void flags_clear(u32 *flags, u32 bits)
{
    __atomic_and_fetch(flags, ~bits, __ATOMIC_RELAXED);
}

#define __packed       __attribute__((packed))
#define __aligned(n)   __attribute__((aligned(n)))
#define __noreturn     __attribute__((noreturn))
#define __unused       __attribute__((unused))
#define __printf(f, a) __attribute__((format(printf, f, a)))

/* Pointers that come from a user program are marked __user and only uaccess.h opens them. */
#define __user

/* Pointer-or-errno results: a value in the last page of the address space is -errno. */
static inline void *ERR_PTR(long err)
{
    return (void *)err;
}
static inline long PTR_ERR(const void *p)
{
    return (long)p;
}
static inline bool IS_ERR(const void *p)
{
    return (unsigned long)p >= (unsigned long)-4095;
}

#define MKDEV(ma, mi) ((dev_t)(((ma) << 8) | ((mi)&0xff)))
#define MAJOR(d)      ((d) >> 8)
#define MINOR(d)      ((d)&0xff)

#endif
