/* SPDX-License-Identifier: MIT */
/* futex.h - what the end of a thread needs of proc/futex.c. */
#ifndef PROC_FUTEX_H
#define PROC_FUTEX_H

#include "types.h"

int futex_wake_addr(u64 addr, u32 n); /* in the current address space */

#endif
