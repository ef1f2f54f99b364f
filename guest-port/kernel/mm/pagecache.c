/* SPDX-License-Identifier: MIT */
/*
 * pagecache.c - the hash table of cached pages, page locks, dirty pages and their write-back.
 *
 * A cached page has one reference from the cache, is on its mapping's list and on the reclaim
 * list. PG_LOCKED guards filling and removal; PG_WRITEBACK a write under way, during which the
 * page may be read and even changed (it is dirty again then), but not removed.
 */
#include "errno.h"
#include "fs.h"
#include "initcall.h"
#include "irq.h"
#include "mm_internal.h"
#include "printk.h"
#include "proc.h"
#include "slab.h"
#include "string.h"
#include "timer.h"
#include "vm.h"

#define LOCK_QUEUES 64

static struct page **hash;
static u64 hash_mask;
static struct wait_queue lock_queues[LOCK_QUEUES];
static struct list dirty_mappings = LIST_INIT(dirty_mappings);
static struct wait_queue flusher_queue = WAIT_QUEUE_INIT(flusher_queue);
static struct wait_queue written_queue = WAIT_QUEUE_INIT(written_queue);
static bool flusher_wanted;
u64 cached_page_count, dirty_page_count, writeback_page_count;

static struct page **hash_slot(const struct mapping *m, u64 index)
{
    return &hash[(((u64)m >> 5) + index * 0x9e3779b1UL) & hash_mask];
}

static struct wait_queue *page_queue(const struct page *p)
{
    return &lock_queues[page_frame(p) % LOCK_QUEUES];
}

void mapping_init(struct mapping *m, struct inode *host, const struct mapping_ops *ops)
{
    memset(m, 0, sizeof(*m));
    m->host = host;
    m->ops = ops;
    list_init(&m->pages);
    list_init(&m->dirty);
    list_init(&m->vmas);
    list_init(&m->dirty_link);
}

/* --- locks ------------------------------------------------------------------------------------ */

bool page_trylock(struct page *p)
{
    if (p->flags & PG_LOCKED)
        return false;
    page_flag_set(p, PG_LOCKED);
    return true;
}

void page_lock(struct page *p)
{
    while (!page_trylock(p))
        wait_event(page_queue(p), !(READ_ONCE(p->flags) & PG_LOCKED));
}

void wait_page_unlocked(struct page *p)
{
    wait_event(page_queue(p), !(READ_ONCE(p->flags) & PG_LOCKED));
}

void page_unlock(struct page *p)
{
    page_flag_clear(p, PG_LOCKED);
    wake_up(page_queue(p));
}

void page_wait_writeback(struct page *p)
{
    wait_event(page_queue(p), !(READ_ONCE(p->flags) & PG_WRITEBACK));
}

/* --- the table -------------------------------------------------------------------------------- */

struct page *page_cache_find(struct mapping *m, u64 index)
{
    struct page *p = *hash_slot(m, index);

    while (p && (p->index != index || p->mapping != m))
        p = p->hash_next;
    if (p) {
        page_get(p);
        if (!(p->flags & PG_REFERENCED))
            page_flag_set(p, PG_REFERENCED);
    }
    return p;
}

/* Puts a page that is in no cache into one; the cache takes its own reference. */
void page_cache_add(struct page *p, struct mapping *m, u64 index)
{
    struct page **slot = hash_slot(m, index);

    p->mapping = m;
    p->index = index;
    p->hash_next = *slot;
    *slot = p;
    list_add_tail(&m->pages, &p->siblings);
    m->nr_pages++;
    cached_page_count++;
    page_get(p);
    lru_add(p);
}

static void clear_dirty(struct page *p)
{
    struct mapping *m = p->mapping;

    if (!(p->flags & PG_DIRTY))
        return;
    page_flag_clear(p, PG_DIRTY);
    list_del(&p->siblings);
    list_add_tail(&m->pages, &p->siblings);
    dirty_page_count--;
    if (--m->nr_dirty == 0)
        list_del(&m->dirty_link);
}

void page_cache_remove(struct page *p)
{
    struct mapping *m = p->mapping;
    struct page **pp = hash_slot(m, p->index);

    clear_dirty(p);
    while (*pp != p)
        pp = &(*pp)->hash_next;
    *pp = p->hash_next;
    list_del(&p->siblings);
    m->nr_pages--;
    cached_page_count--;
    if (m->ops->release)
        m->ops->release(m, p);
    lru_remove(p);
    p->mapping = NULL;
    page_put(p);
}

struct page *page_cache_grab(struct mapping *m, u64 index)
{
    for (;;) {
        struct page *p = page_cache_find(m, index);

        if (p) {
            page_lock(p);
            if (p->mapping == m)
                return p;
            page_unlock(p);
            page_put(p);
            continue;
        }
        p = alloc_page(GFP_USER);
        if (!p)
            return NULL;
        struct page *other = page_cache_find(m, index); /* somebody may have been faster */
        if (other) {
            page_put(other);
            page_put(p);
            continue;
        }
        p->flags |= PG_LOCKED;
        page_cache_add(p, m, index);
        return p;
    }
}

/* Starts filling a locked page. The page is unlocked when that is done. 0 or -errno. */
static int start_read(struct mapping *m, struct page *p)
{
    int r;

    if (!m->ops->readpage) {
        memset(page_addr(p), 0, PAGE_SIZE);
        page_read_done(p, 0);
        return 0;
    }
    page_flag_clear(p, PG_ERROR);
    r = m->ops->readpage(m, p);
    if (r)
        page_unlock(p);
    return r;
}

struct page *page_cache_read(struct mapping *m, u64 index)
{
    struct page *p = page_cache_find(m, index);
    int r;

    if (p && page_uptodate(p) && p->mapping == m)
        return p;
    if (p)
        page_put(p);
    p = page_cache_grab(m, index);
    if (!p)
        return ERR_PTR(-ENOMEM);
    if (page_uptodate(p)) {
        page_unlock(p);
        return p;
    }
    r = start_read(m, p);
    if (!r) {
        wait_event(page_queue(p), !(READ_ONCE(p->flags) & PG_LOCKED));
        if (page_uptodate(p))
            return p;
        r = -EIO;
    }
    page_put(p);
    return ERR_PTR(r);
}

/* Starts reading pages ahead; errors show when somebody wants the page. */
void page_cache_readahead(struct mapping *m, u64 index, u64 count)
{
    if (free_page_count < watermark_low * 2 || !m->ops->readpage)
        return;
    for (; count; count--, index++) {
        struct page *p = page_cache_find(m, index);

        if (!p) {
            p = page_cache_grab(m, index);
            if (!p)
                return;
            if (page_uptodate(p))
                page_unlock(p);
            else if (start_read(m, p)) {
                page_put(p);
                return;
            }
        }
        page_put(p);
    }
}

/* --- I/O completion --------------------------------------------------------------------------- */

void page_read_done(struct page *p, int error)
{
    page_flag_set(p, error ? PG_ERROR : PG_UPTODATE);
    page_unlock(p);
}

void page_write_begin(struct page *p)
{
    clear_dirty(p);
    page_flag_set(p, PG_WRITEBACK);
    __atomic_add_fetch(&writeback_page_count, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&p->mapping->nr_writeback, 1, __ATOMIC_RELAXED);
    page_unlock(p);
}

void page_write_done(struct page *p, int error)
{
    struct mapping *m = p->mapping; /* still: pages under write-back are not removed */

    if (error) {
        page_flag_set(p, PG_ERROR);
        m->error = error;
    }
    page_flag_clear(p, PG_WRITEBACK);
    __atomic_sub_fetch(&writeback_page_count, 1, __ATOMIC_RELAXED);
    if (__atomic_sub_fetch(&m->nr_writeback, 1, __ATOMIC_RELAXED) == 0)
        wake_up(&written_queue);
    wake_up(page_queue(p));
}

void page_set_dirty(struct page *p)
{
    struct mapping *m = p->mapping;

    if (p->flags & PG_DIRTY || !m || !m->ops->writepage)
        return;
    page_flag_set(p, PG_DIRTY);
    list_del(&p->siblings);
    list_add_tail(&m->dirty, &p->siblings);
    dirty_page_count++;
    if (m->nr_dirty++ == 0)
        list_add_tail(&dirty_mappings, &m->dirty_link);
}

/* --- whole mappings --------------------------------------------------------------------------- */

/* Takes a page of the mapping out if its place is at or after `first`. Sleeps: the lists may change
 * meanwhile. */
static void remove_page(struct mapping *m, struct page *p, u64 first)
{
    if (p->index < first)
        return;
    page_get(p);
    page_lock(p);
    page_wait_writeback(p);
    if (p->mapping == m)
        page_cache_remove(p);
    page_unlock(p);
    page_put(p);
}

/* Goes once through a list of the mapping, whose first page becomes its last at each step, so that
 * sleeping in between does no harm. */
static void remove_from(struct mapping *m, struct list *l, u64 first)
{
    for (u64 n = m->nr_pages; n && !list_empty(l); n--) {
        struct page *p = list_first(l, struct page, siblings);

        list_del(&p->siblings);
        list_add_tail(l, &p->siblings);
        remove_page(m, p, first);
    }
}

void mapping_truncate(struct mapping *m, u64 size)
{
    u64 first = DIV_ROUND_UP(size, PAGE_SIZE);
    u32 tail = size & ~PAGE_MASK;
    struct page *p;

    mm_unmap_mapping(m, first, ~0UL >> 16);
    remove_from(m, &m->dirty, first);
    remove_from(m, &m->pages, first);
    if (!tail)
        return;
    p = page_cache_read(m, size >> PAGE_SHIFT);
    if (IS_ERR(p))
        return;
    page_lock(p);
    if (p->mapping == m) {
        memset((u8 *)page_addr(p) + tail, 0, PAGE_SIZE - tail);
        page_set_dirty(p);
    }
    page_unlock(p);
    page_put(p);
}

void mapping_drop(struct mapping *m)
{
    struct page *p, *n;

    list_for_each_safe (p, n, &m->pages, siblings)
        if (p->refs == 1 && !(p->flags & (PG_DIRTY | PG_LOCKED | PG_WRITEBACK)))
            page_cache_remove(p);
}

static int write_page(struct mapping *m, struct page *p)
{
    int r = 0;

    page_lock(p);
    page_wait_writeback(p);
    if (p->mapping == m && p->flags & PG_DIRTY) {
        r = m->ops->writepage(m, p);
        if (!r)
            return 0;
    }
    page_unlock(p);
    return r;
}

int mapping_sync(struct mapping *m, bool wait)
{
    int r, err = 0;

    mm_collect_dirty_mapping(m);
    for (u32 n = m->nr_dirty; n && !list_empty(&m->dirty); n--) {
        struct page *p = list_first(&m->dirty, struct page, siblings);

        list_del(&p->siblings); /* to the end, should it stay dirty */
        list_add_tail(&m->dirty, &p->siblings);
        page_get(p);
        r = write_page(m, p); /* what could not be sent stays dirty, and is tried again */
        err = err ? err : r;
        page_put(p);
    }
    if (!wait)
        return 0;
    wait_event(&written_queue, READ_ONCE(m->nr_writeback) == 0);
    err = err ? err : m->error;
    m->error = 0;
    return err;
}

/* --- the flusher ------------------------------------------------------------------------------ */

/* Too much dirty memory: a fifth of all. Writers call it and are held up while it is so. */
void dirty_balance(struct mapping *m)
{
    if (dirty_page_count * 5 < total_page_count)
        return;
    flusher_wanted = true;
    wake_up(&flusher_queue);
    mapping_sync(m, dirty_page_count * 3 > total_page_count);
}

static void flush_once(void)
{
    u32 n = 0;

    for (struct list *l = dirty_mappings.next; l != &dirty_mappings; l = l->next)
        n++;
    while (n-- && !list_empty(&dirty_mappings)) {
        struct mapping *m = list_first(&dirty_mappings, struct mapping, dirty_link);

        list_del(&m->dirty_link);
        list_add_tail(&dirty_mappings, &m->dirty_link);
        if (!m->host || m->host->flags & I_DYING) /* whose end throws its pages away */
            continue;
        inode_ref(m->host);
        mapping_sync(m, false);
        inode_put(m->host);
    }
}

static void flusher(void *arg)
{
    for (;;) {
        (void)wait_event_how(&flusher_queue, flusher_wanted, SLEEP_UNINTR,
                             clock_mono_ns() + 5 * NSEC_PER_SEC);
        flusher_wanted = false;
        flush_once();
    }
}

/* All dirty pages of all files (sync). */
void page_cache_sync(bool wait)
{
    flush_once();
    if (!wait)
        return;
    for (int tries = 0; tries < 8 && !list_empty(&dirty_mappings); tries++)
        flush_once();
}

void flusher_wake(void)
{
    flusher_wanted = true;
    wake_up(&flusher_queue);
}

static int start_flusher(void)
{
    return kthread_start("flusher", flusher, NULL) ? 0 : -ENOMEM;
}
late_initcall(start_flusher);

void page_cache_init(void)
{
    u64 n = 1024;
    unsigned order = 1;

    while (n < total_page_count / 2 && order < 8) {
        n *= 2;
        order++;
    }
    hash = page_addr(alloc_pages(order, GFP_ZERO));
    hash_mask = n - 1;
    for (int i = 0; i < LOCK_QUEUES; i++)
        wait_queue_init(&lock_queues[i]);
    zero_page = alloc_page(GFP_ZERO);
    swap_init();
}
