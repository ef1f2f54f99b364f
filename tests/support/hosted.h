/* SPDX-License-Identifier: MIT
 *
 * hosted.h - the core in a process: a machine made of an array.
 *
 * Implements core/platform.h under sanitizers. Machine memory is a memfd mapped at plat_ram; page
 * tables are walked in software, as the processor would (present, user, writable at each level;
 * accessed and dirty bits are set). There is a TLB, too, in its nastiest form: it forgets nothing
 * until it is told to, and hosted_tlb_check() says whether anything that it still knows would
 * let a guest reach what is no longer its own.
 *
 *      frame 0 | M2P | IO hole | free memory ...            of hosted_init(frames)
 *
 * For pair tests a guest's memory can also be real memory of this process: hosted_window()
 * names a range of guest addresses that is mapped (by mmap of the memfd) as the current guest's
 * page tables say; hosted_sync() brings it up to date. With hosted.host_pointers the
 * process's own data and stack count as guest memory outside of windows.
 */
#ifndef TESTS_HOSTED_H
#define TESTS_HOSTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/control.h"
#include "core/domain.h"
#include "core/entry.h"
#include "core/mm.h"
#include "core/pagetable.h"

struct hosted {
    mfn_t root;         /* the page table in use; 0: none */
    uint64_t now;       /* ns; plat_now(), and the TSC */
    uint64_t timer;     /* deadline that is armed */
    bool host_pointers; /* the process's own memory is guest memory, too */
    bool no_ad;         /* accessed and dirty bits are left alone */
    bool quiet;         /* console output is kept, not printed */
    /* plat_interrupt_pending() is true once in so many questions; 0: never. */
    unsigned interrupt_every, interrupt_count;
    bool interrupt_due; /* plat_interrupt_pending() has said so, and plat_idle() not yet taken it */
    void (*at_fence)(void); /* what a device does while plat_fence() waits for it; NULL: nothing */
    /* counters for tests */
    unsigned flushes, page_flushes, root_loads, gdt_loads, ldt_loads, ldt_pages;
    char console[1 << 16]; /* what was written to it, the last of it */
    size_t console_used;
    const char *input; /* what plat_console_read() gives */
    /* The host's channel, hosted_channel: bytes that it gives, at most `control_chunk` at a time
     * (0: all), and the messages that it took, of which it takes so many. */
    uint8_t control_in[1 << 13];
    size_t control_read, control_written, control_chunk;
    struct control_message control_out[64];
    unsigned control_sent, control_room;
};
extern struct hosted hosted;
extern const struct control_channel hosted_channel;

/* A machine of so many frames; everything of an earlier one is forgotten. */
void hosted_init(uint64_t frames);
void hosted_exit(void);
/* First frame of the IO hole (it has HOSTED_IO_FRAMES), and of free memory. */
enum { HOSTED_IO_FRAMES = 2 };
uint64_t hosted_io_frame(void);

/* -- guests (hosted_guest.c) ------------------------------------------------------------ */

/* Where a made guest sees its memory: pfn i at HOSTED_BASE + i pages, writable but for tables. */
#define HOSTED_BASE 0x200000000000ull

/* A guest with so many pages and vCPUs, built by hand: page tables in its last pages, pinned;
 * vCPU 0 is up. mfns of its pages are in *p2m (malloc'd by the function, freed by hosted_exit()).
 */
struct hosted_guest {
    struct domain *d;
    struct vcpu *v; /* vCPU 0 */
    uint64_t pages;
    uint64_t *p2m;
    uint64_t l4, l3, l2, l1; /* pfns of its tables; l1 is the first of several */
    uint64_t tables;         /* pages that are tables: the last ones */
};
struct hosted_guest *hosted_guest(uint16_t domid, uint64_t pages, unsigned vcpus);
/* v runs now: it is current, its page tables are loaded. */
void hosted_run(struct vcpu *v);

static inline uint64_t hosted_va(uint64_t pfn)
{
    return HOSTED_BASE + (pfn << PV_PAGE_SHIFT);
}
static inline mfn_t hosted_mfn(const struct hosted_guest *g, uint64_t pfn)
{
    return mfn(g->p2m[pfn]);
}
static inline void *hosted_page(const struct hosted_guest *g, uint64_t pfn)
{
    return plat_map(hosted_mfn(g, pfn));
}
static inline uint64_t hosted_entry(const struct hosted_guest *g, uint64_t pfn, uint64_t flags)
{
    return g->p2m[pfn] << PV_PAGE_SHIFT | flags;
}

/* One hypercall of v's, made again for as long as it asks for that. */
long hosted_call(struct vcpu *v, uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4);

/* -- the TLB ------------------------------------------------------------------------------ */

/* The guest of the current vCPU touches va: false if that faults. */
bool hosted_touch(uint64_t va, bool write);
/* Entries of the TLB that break the rules; each is printed. */
unsigned hosted_tlb_check(void);

/* -- windows (pair tests) ---------------------------------------------------------------------- */
void hosted_window(uint64_t va, uint64_t pages);
void hosted_sync(void);

#endif
