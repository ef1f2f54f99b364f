/* SPDX-License-Identifier: MIT */
/* cc.h - what lwIP wants to know of its compiler and of the kernel around it. */
#ifndef LWIP_ARCH_CC_H
#define LWIP_ARCH_CC_H

#include "printk.h"
#include "string.h"
#include "types.h"

#define BYTE_ORDER         1234
#define LITTLE_ENDIAN      1234
#define BIG_ENDIAN         4321
#define SSIZE_MAX          0x7fffffffffffffffL
#define LWIP_NO_UNISTD_H   1
#define LWIP_NO_LIMITS_H   1
#define INT_MAX            __INT_MAX__
#define LWIP_NO_CTYPE_H    1
#define LWIP_NO_INTTYPES_H 1
#define X8_F               "02x"
#define U16_F              "u"
#define S16_F              "d"
#define X16_F              "x"
#define U32_F              "u"
#define S32_F              "d"
#define X32_F              "x"
#define SZT_F              "lu"

#define LWIP_RAND()             ((u32_t)random_u64())
#define LWIP_PLATFORM_DIAG(x)   net_diag x
#define LWIP_PLATFORM_ASSERT(x) panic("lwIP: %s (%s:%d)", x, __FILE__, __LINE__)

#define net_diag printk

void *net_malloc(size_t n);
void *net_calloc(size_t count, size_t n);
void net_free(void *p);

#endif
