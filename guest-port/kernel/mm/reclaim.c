/* SPDX-License-Identifier: MIT */
/*
 * reclaim.c - getting memory back: a clock over cached pages, a clock over processes, the killer.
 *
 * Cached pages (files, swap cache) are on one list; the hand gives a referenced page a second
 * chance, drops clean unmapped ones, and starts writing dirty swap pages. Pages that processes
 * have mapped are taken from them by a second hand that goes round all address spaces. Files'
 * dirty pages are left to the flusher, so reclaim never enters a file system and may be
 * called with a file system's locks held.
 */
#include "errno.h"
#include "fs.h"
#include "initcall.h"
#include "irq.h"
#include "mm_internal.h"
#include "printk.h"
#include "proc.h"
#include "slab.h"
#include "vm.h"

static struct list lru = LIST_INIT(lru);
static u64 lru_count;
static struct wait_queue reclaimd_queue = WAIT_QUEUE_INIT(reclaimd_queue);
static bool reclaimd_wanted;
u64 reclaim_unmapped; /* pages ever taken from a process */

void lru_add(struct page *p)
{
    page_flag_set(p, PG_LRU);
    list_add_tail(&lru, &p->lru);
    lru_count++;
}

void lru_remove(struct page *p)
{
    if (!(p->flags & PG_LRU))
        return;
    page_flag_clear(p, PG_LRU);
    list_del(&p->lru);
    lru_count--;
}

static void lru_rotate(struct page *p)
{
    list_del(&p->lru);
    list_add_tail(&lru, &p->lru);
}

/* --- the cache's hand ------------------------------------------------------------------------- */

/* True when the page went. May sleep while it starts a write. */
static bool reclaim_page(struct page *p, bool *wrote)
{
    lru_rotate(p);
    if (p->flags & (PG_LOCKED | PG_WRITEBACK) || p->maps || p->refs > 1)
        return false;
    if (p->flags & PG_REFERENCED) {
        page_flag_clear(p, PG_REFERENCED);
        return false;
    }
    if (p->flags & PG_SWAPCACHE) {
        if (p->flags & PG_ERROR) { /* the write failed: memory still has the only copy */
            page_flag_clear(p, PG_ERROR);
            page_set_dirty(p);
        }
        if (p->flags & PG_DIRTY && !swap_only_cache(p)) {
            page_get(p);
            page_trylock(p);
            p->mapping->ops->writepage(p->mapping, p);
            page_put(p);
            *wrote = true;
            return false;
        }
        swap_forget(p);
        return true;
    }
    if (p->flags & PG_DIRTY || p->mapping->ops->memory_only)
        return false;
    page_cache_remove(p);
    return true;
}

static u64 shrink_cache(u64 want, u64 scan, bool *wrote)
{
    u64 freed = 0;

    for (; scan && freed < want && !list_empty(&lru); scan--)
        if (reclaim_page(list_first(&lru, struct page, lru), wrote))
            freed++;
    return freed;
}

static void forget_unwanted(struct list *l)
{
    struct page *p, *n;

    list_for_each_safe (p, n, l, siblings)
        if (!(p->flags & (PG_LOCKED | PG_WRITEBACK)) && swap_only_cache(p))
            swap_forget(p);
}

/* Every page whose slot nobody refers to leaves the cache, mapped or not. */
void reclaim_swap_cache(void)
{
    forget_unwanted(&swap_mapping.dirty);
    forget_unwanted(&swap_mapping.pages);
}

/* --- the processes' hand ---------------------------------------------------------------------- */

/* Takes one page from an address space. True when it did. */
static bool unmap_one(struct mm *mm, struct vma *v, pte_t *slot)
{
    pte_t e = *slot;
    struct page *p = frame_page(pte_frame(e));
    pte_t left = pte_empty;

    if (p == zero_page || p->flags & PG_LOCKED)
        return false;
    if (pte_accessed(e)) {
        pte_set(slot, pte_clear_accessed(e));
        return false;
    }
    if (p->flags & PG_ANON) {
        if (!(p->flags & PG_SWAPCACHE) && !swap_add(p))
            return false;
        swap_dup(p->index);
        left = pte_make_swap(p->index);
    } else {
        if (!p->mapping || p->mapping->ops->memory_only)
            return false;
        if (v->flags & VM_SHARED && pte_dirty(e))
            page_set_dirty(p);
    }
    pte_set(slot, left);
    p->maps--;
    mm->rss--;
    reclaim_unmapped++;
    page_put(p);
    return true;
}

static u64 unmap_vma(struct mm *mm, struct vma *v, u64 want, u64 *budget)
{
    u64 va = MAX(mm->scan_addr, v->start), from = va, got = 0;
    pte_t *slot;

    while (got < want && *budget && (slot = pagetable_find(&mm->pt, &va, v->end)))
        for (u64 stop = MIN(v->end, pagetable_next(va)); va < stop && got < want && *budget;
             va += PAGE_SIZE, slot++)
            if (pte_present(*slot)) {
                --*budget;
                got += unmap_one(mm, v, slot);
            }
    mm->scan_addr = va;
    vm_flush(mm, from, va);
    return got;
}

/* Goes once round all address spaces at most, starting where it stopped. */
static u64 unmap_pages(u64 want)
{
    u64 got = 0, budget = want * 64, n = 0;
    struct mm *mm;
    struct vma *v;

    list_for_each (mm, &all_mms, link)
        n++;
    for (; n && got < want && budget; n--) {
        mm = list_first(&all_mms, struct mm, link);
        list_for_each (v, &mm->vmas, link) {
            if (v->end <= mm->scan_addr || v->flags & VM_IO)
                continue;
            got += unmap_vma(mm, v, want - got, &budget);
            if (got >= want || !budget)
                return got;
        }
        mm->scan_addr = 0;
        list_del(&mm->link);
        list_add_tail(&all_mms, &mm->link);
    }
    return got;
}

/* --- the whole -------------------------------------------------------------------------------- */

u64 reclaim_pages(u64 want)
{
    u64 freed = 0;
    bool wrote = false;

    for (int round = 0; round < 4 && freed < want; round++) {
        freed += shrink_cache(want - freed, lru_count / (round < 2 ? 2 : 1) + 1, &wrote);
        if (freed >= want)
            break;
        if (round == 1)
            freed += shrink_slabs(want);
        unmap_pages(want * 2);
    }
    if (dirty_page_count)
        flusher_wake();
    if (freed < want && wrote) {
        sleep_ms(2); /* writes under way give memory soon */
        freed += shrink_cache(want - freed, lru_count, &wrote);
    }
    return freed;
}

/* Will memory come free without anybody's end? */
bool reclaim_hopeful(void)
{
    return dirty_page_count || swap_available();
}

void reclaim_wake(void)
{
    if (!reclaimd_wanted) {
        reclaimd_wanted = true;
        wake_up(&reclaimd_queue);
    }
}

static void reclaimd(void *arg)
{
    for (;;) {
        wait_event(&reclaimd_queue, reclaimd_wanted);
        for (int i = 0; i < 16 && free_page_count < watermark_low * 2; i++)
            if (!reclaim_pages(64))
                sleep_ms(5);
        reclaimd_wanted = false;
    }
}

static int start_reclaimd(void)
{
    return kthread_start("reclaimd", reclaimd, NULL) ? 0 : -ENOMEM;
}
late_initcall(start_reclaimd);

/* --- out of memory ---------------------------------------------------------------------------- */

/* The process whose end gives most back: resident and swapped pages, init never. */
static struct proc *oom_victim(void)
{
    struct proc *p, *worst = NULL;
    u64 most = 0;

    list_for_each (p, &all_procs, all_link) {
        u64 size;

        if (p == init_proc || !p->mm || p->zombie)
            continue;
        size = p->mm->rss + p->mm->pt.nr_tables + vm_swapped(p->mm);
        if (p->oom_adj)
            size = p->oom_adj <= -1000 ? 0 : size + size * p->oom_adj / 1000;
        if (size > most) {
            most = size;
            worst = p;
        }
    }
    return worst;
}

void oom_kill(void)
{
    static u64 last_kill;
    static pid_t last_pid;
    struct proc *p = oom_victim();
    u64 now = clock_mono_ns();

    if (!p) {
        if (current->proc != init_proc)
            signal_thread(current, SIGKILL, NULL);
        return;
    }
    /* Give the last victim time to go before choosing another. */
    if (p->pid == last_pid && now - last_kill < 5 * NSEC_PER_SEC)
        return;
    last_kill = now;
    last_pid = p->pid;
    printk("out of memory: killing %d (%s), %lu pages\n", p->pid, p->leader->comm, p->mm->rss);
    signal_proc(p, SIGKILL, NULL);
}

void mem_stats_get(struct mem_stats *ms)
{
    ms->total = total_page_count;
    ms->free = free_page_count;
    ms->cached = cached_page_count - swap_mapping.nr_pages;
    ms->buffers = 0;
    ms->slab = slab_page_count;
    ms->dirty = dirty_page_count;
    ms->shared = 0;
    swap_stats(&ms->swap_total, &ms->swap_free);
}
