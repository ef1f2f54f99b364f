/* SPDX-License-Identifier: MIT */
/*
 * memory.h - how much memory a guest has, and giving some of it back for a while.
 *
 * A guest's frames are numbered once and for all, but a number may have no memory behind it: the
 * machine frame was returned to the hypervisor (ballooning), and any other may come in its place.
 * Reference: abi/memory.h.
 */
#ifndef PV_MEMORY_H
#define PV_MEMORY_H

#include <pv/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Frames with memory behind them, the most there may be, and the machine's highest frame + 1. */
uint64_t pv_memory_current(void);
uint64_t pv_memory_maximum(void);

/*
 * Gives back the memory behind n frames, whose linear mappings are removed first. They must not be
 * mapped elsewhere, granted, or in use as tables. At most PV_MEMORY_CHUNK at a time. Returns how
 * many are gone: the first of the list. The rest are as they were.
 */
#define PV_MEMORY_CHUNK 64
unsigned pv_memory_release(const pfn_t *frames, unsigned n);

/*
 * Gets memory behind n frames that have none, and maps them in the linear map. Contents undefined.
 * Returns how many were filled: the first of the list.
 */
unsigned pv_memory_reclaim(const pfn_t *frames, unsigned n);

/* Is there memory behind a frame? */
bool pv_memory_is_present(pfn_t frame);

#ifdef __cplusplus
}
#endif
#endif
