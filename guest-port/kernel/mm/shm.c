/* SPDX-License-Identifier: MIT */
/*
 * shm.c - what backs shared anonymous mappings: a mapping without a file, alive as long as a
 * vma refers to it. Its pages are memory only.
 */
#include "errno.h"
#include "pagecache.h"
#include "slab.h"
#include "vm.h"

struct shm {
    int refs;
    struct mapping mapping;
};

static const struct mapping_ops shm_mapping_ops = {.memory_only = true};

static struct page *shm_fault(struct vma *v, u64 index, bool write)
{
    struct shm *s = v->priv;

    return page_cache_read(&s->mapping, index);
}

static void shm_open(struct vma *v)
{
    ((struct shm *)v->priv)->refs++;
}

static void shm_close(struct vma *v)
{
    struct shm *s = v->priv;

    if (--s->refs == 0) {
        mapping_truncate(&s->mapping, 0);
        kfree(s);
    }
}

static const struct vma_ops shm_vma_ops = {
    .fault = shm_fault,
    .open = shm_open,
    .close = shm_close,
};

int shm_attach(struct vma *v, u64 len)
{
    struct shm *s = kzalloc(sizeof(*s), GFP_KERNEL);

    if (!s)
        return -ENOMEM;
    s->refs = 1;
    mapping_init(&s->mapping, NULL, &shm_mapping_ops);
    v->priv = s;
    v->pgoff = 0;
    v->ops = &shm_vma_ops;
    return 0;
}
