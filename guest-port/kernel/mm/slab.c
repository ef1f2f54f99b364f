/* SPDX-License-Identifier: MIT */
/*
 * slab.c - caches of equal objects, and kmalloc on top of them.
 *
 * A slab is 2^order pages from the buddy allocator. Its bookkeeping lies in the struct page of its
 * first page (priv: free list, index: objects in use, slab: the cache), so that objects fill the
 * slab completely. Every page of a slab points to the cache; `order` in the others is their
 * distance to the first. Interrupts are off while a list is touched.
 */
#include "slab.h"
#include "arch.h"
#include "mm_internal.h"
#include "printk.h"
#include "string.h"

struct kmem_cache {
    const char *name;
    u32 size, order, per_slab;
    struct list partial; /* slabs with free objects */
    u64 in_use, slabs, empty;
    struct kmem_cache *next;
};

static struct kmem_cache *caches;
static struct kmem_cache cache_cache = {.name = "kmem_cache"};
static const u32 kmalloc_sizes[] = {16, 32, 64, 96, 128, 192, 256, 384, 512, 1024, 2048};
static struct kmem_cache kmalloc_caches[ARRAY_SIZE(kmalloc_sizes)];
static u8 size_index[2048 / 16 + 1];
static shrinker_fn shrinkers[8];
static int shrinker_count;
u64 slab_page_count;

static void cache_setup(struct kmem_cache *c, const char *name, size_t size, size_t align)
{
    if (!align)
        align = 16;
    c->name = name;
    c->size = ALIGN_UP(size, align);
    c->order = 0;
    while (((PAGE_SIZE << c->order) / c->size) < 8 && c->order < 1)
        c->order++;
    while ((PAGE_SIZE << c->order) < c->size)
        c->order++;
    c->per_slab = (PAGE_SIZE << c->order) / c->size;
    list_init(&c->partial);
    c->next = caches;
    caches = c;
}

static struct page *slab_grow(struct kmem_cache *c, unsigned gfp)
{
    struct page *p = alloc_pages(c->order, gfp & GFP_ATOMIC);
    u8 *base;
    void *chain = NULL;

    if (!p)
        return NULL;
    base = page_addr(p);
    for (u32 i = 0; i < 1u << c->order; i++) {
        p[i].flags = PG_SLAB;
        p[i].slab = c;
        p[i].order = i;
    }
    for (u32 i = c->per_slab; i-- > 0;) {
        void **obj = (void **)(base + (size_t)i * c->size);

        *obj = chain;
        chain = obj;
    }
    p->priv = chain;
    p->index = 0;
    c->slabs++;
    slab_page_count += 1UL << c->order;
    return p;
}

void *kmem_cache_alloc(struct kmem_cache *c, unsigned gfp)
{
    struct page *p;
    void **obj;
    u64 f = irq_save();

    if (unlikely(list_empty(&c->partial))) {
        irq_restore(f);
        p = slab_grow(c, gfp);
        if (!p)
            return NULL;
        f = irq_save();
        c->empty++;
        list_add(&c->partial, &p->lru);
    }
    p = list_first(&c->partial, struct page, lru);
    obj = p->priv;
    p->priv = *obj;
    if (p->index++ == 0)
        c->empty--;
    if (!p->priv)
        list_del(&p->lru);
    c->in_use++;
    irq_restore(f);
    if (gfp & GFP_ZERO)
        memset(obj, 0, c->size);
    return obj;
}

static void slab_release(struct kmem_cache *c, struct page *p)
{
    list_del(&p->lru);
    c->slabs--;
    c->empty--;
    slab_page_count -= 1UL << c->order;
    for (u32 i = 0; i < 1u << c->order; i++)
        p[i].flags = 0;
    free_pages(p, c->order);
}

void kmem_cache_free(struct kmem_cache *c, void *obj)
{
    struct page *p = virt_page(obj);
    u64 f = irq_save();

    BUG_ON(!(p->flags & PG_SLAB) || p->slab != c);
    p -= p->order;
    if (!p->priv)
        list_add(&c->partial, &p->lru);
    *(void **)obj = p->priv;
    p->priv = obj;
    c->in_use--;
    if (--p->index == 0) {
        c->empty++;
        if (c->empty > 2)
            slab_release(c, p);
    }
    irq_restore(f);
}

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align)
{
    struct kmem_cache *c = kmem_cache_alloc(&cache_cache, GFP_KERNEL | GFP_ZERO);

    BUG_ON(!c);
    cache_setup(c, name, size, align);
    return c;
}

void slab_init(void)
{
    static const char *const names[] = {
        "kmalloc-16",  "kmalloc-32",  "kmalloc-64",  "kmalloc-96",   "kmalloc-128",  "kmalloc-192",
        "kmalloc-256", "kmalloc-384", "kmalloc-512", "kmalloc-1024", "kmalloc-2048",
    };
    unsigned k = 0;

    cache_setup(&cache_cache, "kmem_cache", sizeof(struct kmem_cache), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(kmalloc_sizes); i++)
        cache_setup(&kmalloc_caches[i], names[i], kmalloc_sizes[i],
                    kmalloc_sizes[i] & (kmalloc_sizes[i] - 1) ? 16 : kmalloc_sizes[i]);
    for (unsigned i = 0; i < ARRAY_SIZE(size_index); i++) {
        if (i * 16 > kmalloc_sizes[k])
            k++;
        size_index[i] = k;
    }
}

void *kmalloc(size_t size, unsigned gfp)
{
    unsigned order = 0;
    struct page *p;

    if (size <= 2048)
        return kmem_cache_alloc(&kmalloc_caches[size_index[(size + 15) / 16]], gfp);
    while ((PAGE_SIZE << order) < size)
        if (++order > 10)
            return NULL;
    p = alloc_pages(order, gfp);
    if (!p)
        return NULL;
    p->flags |= PG_LARGE;
    p->index = order;
    return page_addr(p);
}

void *kzalloc(size_t size, unsigned gfp)
{
    return kmalloc(size, gfp | GFP_ZERO);
}

static size_t usable_size(const struct page *p)
{
    return p->flags & PG_LARGE ? PAGE_SIZE << p->index : ((struct kmem_cache *)p->slab)->size;
}

void kfree(void *ptr)
{
    struct page *p;

    if (!ptr)
        return;
    p = virt_page(ptr);
    if (p->flags & PG_LARGE)
        free_pages(p, p->index);
    else
        kmem_cache_free(p->slab, ptr);
}

void *krealloc(void *ptr, size_t size, unsigned gfp)
{
    size_t old = ptr ? usable_size(virt_page(ptr)) : 0;
    void *n;

    if (ptr && size <= old)
        return ptr;
    n = kmalloc(size, gfp);
    if (n && ptr) {
        memcpy(n, ptr, old);
        kfree(ptr);
    }
    return n;
}

void shrinker_register(shrinker_fn fn)
{
    BUG_ON(shrinker_count == (int)ARRAY_SIZE(shrinkers));
    shrinkers[shrinker_count++] = fn;
}

/* Asks the owners of caches, then gives back slabs that have become empty. Returns pages. */
u64 shrink_slabs(u64 want)
{
    u64 before = slab_page_count;

    for (int i = 0; i < shrinker_count; i++)
        shrinkers[i](want * 4);
    for (struct kmem_cache *c = caches; c; c = c->next) {
        u64 f = irq_save();
        struct page *p, *n;

        list_for_each_safe (p, n, &c->partial, lru)
            if (p->index == 0)
                slab_release(c, p);
        irq_restore(f);
    }
    return before > slab_page_count ? before - slab_page_count : 0;
}

void kmem_cache_each(void (*fn)(void *, const char *, size_t, u64, u64), void *arg)
{
    for (struct kmem_cache *c = caches; c; c = c->next)
        fn(arg, c->name, c->size, c->in_use, c->slabs << c->order);
}
