/* SPDX-License-Identifier: MIT */
/*
 * slab.h - small allocations. kmalloc is for anything, kmem_cache for hot fixed-size objects.
 *
 * GFP_ATOMIC calls are safe in interrupt handlers; kfree always is.
 */
#ifndef KERN_SLAB_H
#define KERN_SLAB_H

#include "page.h"

struct kmem_cache;

/* Alignment: 16 bytes; sizes that are powers of two are aligned to themselves (to a page). */
void *kmalloc(size_t size, unsigned gfp);
void *kzalloc(size_t size, unsigned gfp);
void *krealloc(void *p, size_t size, unsigned gfp);
void kfree(void *p); /* NULL is fine */

/* align 0 means natural (16). Panics when it cannot be made; call it at start-up. */
struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align);
void *kmem_cache_alloc(struct kmem_cache *c, unsigned gfp);
void kmem_cache_free(struct kmem_cache *c, void *p);

/* Called when memory is short: frees what it can of a cache (dentries, inodes, buffers). Returns
 * how many objects went. It must not allocate nor sleep. */
typedef unsigned long (*shrinker_fn)(unsigned long want);
void shrinker_register(shrinker_fn fn);

/* /proc/slabinfo: calls fn for each cache. */
void kmem_cache_each(void (*fn)(void *arg, const char *name, size_t size, u64 used, u64 pages),
                     void *arg);

#endif
