/* SPDX-License-Identifier: MIT
 *
 * hosted.c - core/platform.h in a process: memory, page walks, the TLB, time, console.
 *
 * What a processor would do is done in the plainest way. Nothing here decides anything, as
 * in the shim; but everything is counted, for tests to look at.
 */
#include "hosted.h"
#include "core/grant.h"
#include "core/guest_mem.h"
#include "core/time.h"
#include "core/sched.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include <errno.h>

struct hosted hosted;
uint8_t *plat_ram;

static int memory_fd = -1;
static uint64_t memory_frames, io_frame;

/* -- the machine ------------------------------------------------------------------------- */

void hosted_exit(void)
{
    if (!plat_ram)
        return;
    munmap(plat_ram, memory_frames << PV_PAGE_SHIFT);
    close(memory_fd);
    free(frame_table);
    plat_ram = NULL;
    frame_table = NULL;
}

static void tlb_forget(void);

void hosted_init(uint64_t frames)
{
    uint64_t m2p_frames = (frames * 8 + PV_PAGE_MASK) >> PV_PAGE_SHIFT;

    hosted_exit();
    memset(&hosted, 0, sizeof(hosted));
    memset(&hv, 0, sizeof(hv));
    memset(reason_counts, 0, sizeof(reason_counts));
    hosted.timer = UINT64_MAX;
    hosted.now = 1000000000;
    memory_frames = frames;
    memory_fd = memfd_create("machine", 0);
    if (memory_fd < 0 || ftruncate(memory_fd, (off_t)(frames << PV_PAGE_SHIFT)) < 0)
        abort();
    plat_ram =
        mmap(NULL, frames << PV_PAGE_SHIFT, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    if (plat_ram == MAP_FAILED)
        abort();
    io_frame = 1 + m2p_frames;
    frame_init(calloc(frames, sizeof(struct frame)), frames, (uint64_t *)(plat_ram + PV_PAGE_SIZE));
    frame_add_io(mfn(io_frame), mfn(io_frame + HOSTED_IO_FRAMES));
    frame_add_memory(mfn(io_frame + HOSTED_IO_FRAMES), mfn(frames));
    hv.tsc_khz = 1000000; /* a TSC of 1 GHz counts ns */
    time_set_scale(hv.tsc_khz);
    sched_init();
    tlb_forget();
}

uint64_t hosted_io_frame(void)
{
    return io_frame;
}

uint64_t plat_maddr(const void *p)
{
    return (uint64_t)((const uint8_t *)p - plat_ram);
}

/* -- translation --------------------------------------------------------------------------- */

enum { TLB_SIZE = 1 << 16 };

/* What the processor may remember: a translation (level 0), or that a frame is a table. */
static struct tlb {
    uint64_t va;
    uint32_t mfn;
    uint16_t owner; /* of the frame when it was remembered */
    uint8_t level;  /* 0: a page; 1..4: it was walked as a table of this level */
    bool writable;
} tlb[TLB_SIZE];
static unsigned tlb_used;

static void tlb_forget(void)
{
    tlb_used = 0;
}

static void tlb_remember(uint64_t va, mfn_t m, unsigned level, bool writable)
{
    struct tlb t = {va & ~(uint64_t)PV_PAGE_MASK, (uint32_t)m.n, frame_of(m)->owner, (uint8_t)level,
                    writable};

    for (unsigned i = tlb_used, n = 0; i > 0 && n < 64; n++)
        if (memcmp(&tlb[--i], &t, sizeof(t)) == 0)
            return;
    if (tlb_used == TLB_SIZE)
        memmove(tlb, tlb + TLB_SIZE / 2, sizeof(tlb) / 2), tlb_used = TLB_SIZE / 2;
    tlb[tlb_used++] = t;
}

/* May the guest that runs reach a frame that is another's? By a grant that it has mapped. */
static bool granted(uint32_t m, bool write)
{
    struct vcpu *v = hv.cpu[0].current;
    struct grant_table *t = v ? v->domain->grants : NULL;

    for (uint32_t i = 0; t && i < t->handles; i++) {
        const struct grant_mapping *map = grant_mapping(t, i);

        if (map->flags & XEN_GNTMAP_host_map && map->mfn == m &&
            !(write && map->flags & XEN_GNTMAP_readonly))
            return true;
    }
    return false;
}

unsigned hosted_tlb_check(void)
{
    unsigned bad = 0;

    for (unsigned i = 0; i < tlb_used; i++) {
        const struct tlb *t = &tlb[i];
        const struct frame *f = &frame_table[t->mfn];
        uint16_t owner = f->owner & ~DOMID_FREE;
        bool table = f->type >= FRAME_L1 && f->type <= FRAME_SEGDESC && f->type_refs;
        struct vcpu *v = hv.cpu[0].current;

        if (f->flags & FRAME_FREE)
            continue;
        if (t->level == 0 && v && owner != v->domain->id && !granted(t->mfn, t->writable)) {
            fprintf(stderr, "stale translation: va %lx frame %x of domain %u\n", t->va, t->mfn,
                    owner);
            bad++;
        }
        if (owner != (t->owner & ~DOMID_FREE) || (t->level == 0 && t->writable && table) ||
            (t->level && f->type == FRAME_WRITABLE && f->type_refs)) {
            fprintf(stderr,
                    "stale translation: va %lx frame %x level %u writable %u owner %u; now owner "
                    "%u type %u uses %u\n",
                    t->va, t->mfn, t->level, t->writable, t->owner, owner, f->type, f->type_refs);
            bad++;
        }
    }
    return bad;
}

static void mark(uint64_t *e, uint64_t bits)
{
    if (!hosted.no_ad && (*e & bits) != bits)
        *e |= bits;
}

/* The frame that va is mapped to, as the processor of a ring 3 guest finds it; false: a fault. */
static bool translate(uint64_t va, bool write, mfn_t *m)
{
    uint64_t e = hosted.root.n << PV_PAGE_SHIFT;
    uint64_t *path[5];
    bool writable = true;

    if (!hosted.root.n)
        return false;
    for (unsigned level = 4; level > 0; level--) {
        path[level] = (uint64_t *)plat_map(pte_mfn(e)) + pt_index(va, level);
        e = *path[level];
        if (!(e & PTE_P) || !(e & PTE_US))
            return false;
        writable = writable && (e & PTE_RW);
    }
    if (write && !writable)
        return false;
    for (unsigned level = 4; level > 1; level--) {
        mark(path[level], PTE_A);
        tlb_remember(va, pte_mfn(*path[level]), level - 1, false);
    }
    mark(path[1], PTE_A | (write ? PTE_D : 0));
    tlb_remember(va, pte_mfn(e), 0, write);
    *m = pte_mfn(e);
    return true;
}

bool hosted_touch(uint64_t va, bool write)
{
    mfn_t m;

    return guest_va_ok(va) && translate(va, write, &m);
}

void plat_root_init(uint64_t *l4)
{
    for (unsigned i = L4_HV_FIRST; i <= L4_HV_LAST; i++)
        l4[i] = 0;
}

void plat_root_load(mfn_t root)
{
    hosted.root = root;
    hosted.root_loads++;
    tlb_forget();
}

void plat_tlb_flush(void)
{
    hosted.flushes++;
    tlb_forget();
}

void plat_tlb_flush_page(uint64_t va)
{
    unsigned to = 0;

    hosted.page_flushes++;
    for (unsigned i = 0; i < tlb_used; i++)
        if (tlb[i].va != (va & ~(uint64_t)PV_PAGE_MASK))
            tlb[to++] = tlb[i];
    tlb_used = to;
}

/* -- windows ---------------------------------------------------------------------------------- */

static struct {
    uint64_t va, pages;
    uint64_t *shown; /* L1 entry that each page shows now */
} window[8];
static unsigned windows;

static bool in_window(uint64_t va)
{
    for (unsigned i = 0; i < windows; i++)
        if (va - window[i].va < window[i].pages << PV_PAGE_SHIFT)
            return true;
    return false;
}

void hosted_window(uint64_t va, uint64_t pages)
{
    if (windows == 8 || mmap((void *)va, pages << PV_PAGE_SHIFT, PROT_NONE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
                             0) != (void *)va)
        abort();
    window[windows].va = va;
    window[windows].pages = pages;
    window[windows].shown = calloc(pages, sizeof(uint64_t));
    windows++;
    hosted_sync();
}

static void show(uint64_t va, uint64_t e)
{
    void *at = (void *)va, *got;

    if (e & PTE_P)
        got = mmap(at, PV_PAGE_SIZE, PROT_READ | (e & PTE_RW ? PROT_WRITE : 0),
                   MAP_SHARED | MAP_FIXED, memory_fd, (off_t)(pte_mfn(e).n << PV_PAGE_SHIFT));
    else
        got = mmap(at, PV_PAGE_SIZE, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (got != at)
        abort();
}

void hosted_sync(void)
{
    struct vcpu *v = hv.cpu[0].current;

    for (unsigned i = 0; i < windows; i++)
        for (uint64_t n = 0; n < window[i].pages; n++) {
            uint64_t va = window[i].va + (n << PV_PAGE_SHIFT);
            uint64_t e = v ? l1_read(v, va) & (PTE_P | PTE_RW | PTE_FRAME) : 0;

            if (!(e & PTE_P))
                e = 0;
            if (e != window[i].shown[n]) {
                window[i].shown[n] = e;
                show(va, e);
            }
        }
}

/* -- copies -------------------------------------------------------------------------------------
 */

static size_t host_copy(uint64_t va, void *buf, size_t n, bool write)
{
    struct iovec mine = {buf, n}, theirs = {(void *)va, n};
    ssize_t done = write ? process_vm_writev(getpid(), &mine, 1, &theirs, 1, 0)
                         : process_vm_readv(getpid(), &mine, 1, &theirs, 1, 0);

    return done < 0 ? n : n - (size_t)done;
}

static size_t guest_copy(uint64_t va, uint8_t *buf, size_t n, bool write)
{
    while (n) {
        size_t chunk = PV_PAGE_SIZE - (va & PV_PAGE_MASK);
        mfn_t m;

        if (chunk > n)
            chunk = n;
        if (translate(va, write, &m)) {
            uint8_t *page = (uint8_t *)plat_map(m) + (va & PV_PAGE_MASK);

            if (write)
                memcpy(page, buf, chunk);
            else
                memcpy(buf, page, chunk);
        } else if (hosted.host_pointers && !in_window(va)) {
            size_t left = host_copy(va, buf, chunk, write);

            if (left)
                return n - (chunk - left);
        } else {
            return n;
        }
        va += chunk;
        buf += chunk;
        n -= chunk;
    }
    return 0;
}

size_t plat_guest_read(void *to, uint64_t va, size_t n)
{
    return guest_copy(va, to, n, false);
}

size_t plat_guest_write(uint64_t va, const void *from, size_t n)
{
    return guest_copy(va, (uint8_t *)(uintptr_t)from, n, true);
}

/* -- vCPUs
 * ----------------------------------------------------------------------------------------- */

bool plat_vcpu_init(struct vcpu *v)
{
    v->fpu_area = frame_hv_alloc(0);
    v->xcr0 = 3;
    return v->fpu_area != NULL;
}

void plat_vcpu_free(struct vcpu *v)
{
    frame_hv_free(v->fpu_area, 0);
}

void plat_fpu_set(struct vcpu *v, const void *fxsave)
{
    if (fxsave)
        memcpy(v->fpu_area, fxsave, 512);
    else
        memset(v->fpu_area, 0, 512);
}

void plat_vcpu_switch(struct vcpu *prev, struct vcpu *next)
{
    (void)prev;
    plat_root_load(next ? next->root[next->kernel_mode] : mfn(0));
    frame_flushed();
}

void plat_segbase_save(struct vcpu *v)
{
    (void)v;
}

bool plat_segbase_load(struct vcpu *v, unsigned which, uint64_t value)
{
    v->segbase[which] = value;
    return which != SEGSEL_GS_USER || value == 0 || (value & 7) == 3;
}

void plat_mode_switch(struct vcpu *v)
{
    plat_root_load(v->root[v->kernel_mode]);
    frame_flushed();
}

void plat_gdt_load(struct vcpu *v)
{
    (void)v;
    hosted.gdt_loads++;
}
void plat_ldt_load(struct vcpu *v)
{
    (void)v;
    hosted.ldt_loads++;
}
void plat_ldt_page_set(struct vcpu *v, unsigned page, mfn_t m)
{
    (void)v;
    (void)page;
    (void)m;
    hosted.ldt_pages++;
}

/* The hosted processor maps LDTs from the hypervisor's second-last terabyte. */
int plat_ldt_page_of(struct vcpu *v, uint64_t va)
{
    uint64_t page = (va - 0xffff860000000000ull) >> PV_PAGE_SHIFT;

    (void)v;
    return page < LDT_PAGES ? (int)page : -1;
}

void plat_debugreg_load(struct vcpu *v, unsigned reg)
{
    (void)v;
    (void)reg;
}
void plat_fpu_restore(struct vcpu *v)
{
    (void)v;
}
void plat_ts_set(bool ts)
{
    (void)ts;
}
void plat_cr4_load(struct vcpu *v)
{
    (void)v;
}

bool plat_xcr0_set(struct vcpu *v, uint64_t value)
{
    if (!(value & 1) || value & ~7ull)
        return false;
    v->xcr0 = value;
    return true;
}

bool plat_code_is_64bit(uint16_t selector)
{
    return selector != XEN_FLAT_RING3_CS32;
}

void plat_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    out[0] = leaf;
    out[1] = subleaf;
    out[2] = leaf == 1 ? 1u << 26 : 0; /* XSAVE */
    out[3] = 0;
}

bool plat_msr_read(uint32_t msr, uint64_t *value)
{
    *value = msr;
    return msr < 0x1000 || msr == 0xc0000080; /* EFER: 0x80 are bits that no guest sees */
}

/* -- time, the board
 * ------------------------------------------------------------------------------------ */

uint64_t plat_tsc(void)
{
    return hosted.now;
}
uint64_t plat_now(void)
{
    return hosted.now;
}
void plat_timer_arm(uint64_t deadline)
{
    hosted.timer = deadline;
}

bool plat_interrupt_pending(void)
{
    hosted.interrupt_due =
        hosted.interrupt_every && ++hosted.interrupt_count % hosted.interrupt_every == 0;
    return hosted.interrupt_due;
}

void plat_fence(void)
{
    if (hosted.at_fence)
        hosted.at_fence();
}

void plat_console_write(const char *s, size_t n)
{
    if (!hosted.quiet)
        fwrite(s, 1, n, stderr);
    if (n > sizeof(hosted.console) - 1 - hosted.console_used)
        hosted.console_used = 0;
    if (n > sizeof(hosted.console) - 1)
        return;
    memcpy(hosted.console + hosted.console_used, s, n);
    hosted.console_used += n;
    hosted.console[hosted.console_used] = 0;
}

size_t plat_console_read(char *s, size_t n)
{
    size_t have = hosted.input ? strlen(hosted.input) : 0;

    if (have > n)
        have = n;
    memcpy(s, hosted.input, have);
    hosted.input += have;
    return have;
}

static size_t channel_read(void *to, size_t n)
{
    size_t have = hosted.control_written - hosted.control_read;

    n = n < have ? n : have;
    if (hosted.control_chunk && n > hosted.control_chunk)
        n = hosted.control_chunk;
    memcpy(to, hosted.control_in + hosted.control_read, n);
    hosted.control_read += n;
    return n;
}

static bool channel_write(const void *from, size_t n)
{
    if (n != sizeof(hosted.control_out[0]))
        abort();
    if (hosted.control_sent == hosted.control_room)
        return false;
    memcpy(&hosted.control_out[hosted.control_sent++], from, n);
    return true;
}

const struct control_channel hosted_channel = {channel_read, channel_write};

/* Halted: time passes until the timer. Without one nothing will ever happen. */
void plat_idle(void)
{
    if (hosted.interrupt_due) {
        hosted.interrupt_due = false;
        return;
    }
    if (hosted.timer == UINT64_MAX) {
        fprintf(stderr, "hosted: idle for ever\n");
        abort();
    }
    if (hosted.now < hosted.timer)
        hosted.now = hosted.timer;
    hv.cpu[0].work |= CPU_WORK_TIMER;
}

void plat_power_off(unsigned status)
{
    if (status && hosted.quiet)
        fprintf(stderr, "%s\n", hosted.console);
    fprintf(stderr, "hosted: power off, %u\n", status);
    exit((int)status);
}

void plat_reboot(void)
{
    fprintf(stderr, "hosted: reboot\n");
    exit(1);
}
