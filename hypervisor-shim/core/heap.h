/* SPDX-License-Identifier: MIT
 *
 * heap.h - the hypervisor's small allocations.
 *
 * Sizes are rounded to powers of two and cut from pages of the frame allocator; whole pages go
 * straight there. The caller remembers the size. Nothing here is on a hot path, and memory that
 * was a small block stays one.
 */
#ifndef HV_HEAP_H
#define HV_HEAP_H

#include <stddef.h>

enum { HEAP_MAX = 64 * 1024 };

/* n bytes, zeroed, aligned to 16; NULL: no memory, or n > HEAP_MAX. */
void *heap_alloc(size_t n);
void heap_free(void *p, size_t n); /* NULL is fine */

#endif
