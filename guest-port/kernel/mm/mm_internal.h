/* SPDX-License-Identifier: MIT */
/* mm_internal.h - what the files of mm/ share among themselves. */
#ifndef MM_INTERNAL_H
#define MM_INTERNAL_H

#include "mm.h"
#include "pagecache.h"

extern u64 free_page_count, total_page_count;
extern u64 watermark_low, watermark_min;
extern u64 cached_page_count, dirty_page_count, writeback_page_count, slab_page_count;
extern struct list all_mms;

void mem_init(void);
void mem_init_high(void);
void slab_init(void);
u64 shrink_slabs(u64 want);

/* reclaim.c: the list of pages that may be reclaimed (page cache and swap cache). */
bool reclaim_hopeful(void);
extern u64 reclaim_unmapped;
void lru_add(struct page *p);
void lru_remove(struct page *p);

/* swap.c: a slot's use count is the number of entries that hold it, plus one for the swap cache. */
extern struct mapping swap_mapping;
bool swap_add(struct page *p); /* anonymous page -> swap cache; false: no swap */
void swap_dup(u64 slot);
void swap_free(u64 slot);
void swap_free_entry(u64 slot);
struct page *swap_in(u64 slot);      /* referenced page or ERR_PTR */
bool swap_only_user(struct page *p); /* nobody but its one entry (and the cache) has it */
bool swap_only_cache(struct page *p);
void reclaim_swap_cache(void);
void wait_page_unlocked(struct page *p);
void swap_forget(struct page *p); /* leaves the swap cache */
void swap_init(void);
bool swap_available(void);
void swap_stats(u64 *total, u64 *left);

/* pagecache.c */
void page_cache_add(struct page *p, struct mapping *m, u64 index);
void page_cache_readahead(struct mapping *m, u64 index, u64 count);
void page_cache_init(void);
void dirty_balance(struct mapping *m);
void flusher_wake(void);

#endif
