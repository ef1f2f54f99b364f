/* SPDX-License-Identifier: MIT
 *
 * build.c - a guest from its image: the layout, tables and pages that a PV domU starts with.
 *
 * Frame 0 of the guest is mapped at the image's VIRT_BASE, and from there upwards:
 *
 *   | kernel | ramdisk | p2m | start_info | store | console | page tables | boot stack | >= 512 KiB
 * | base     (1)       (2)                                                             4 MiB
 * aligned
 *
 *   (1) behind the mapping, unmapped, if the image says MOD_START_PFN;
 *   (2) behind that, mapped at INIT_P2M with tables of its own, if the image says so.
 *
 * Tables lie L4, L3s, L2s, L1s in a row and are mapped read-only; the builder writes them raw, and
 * root_pin() then validates them as it would a guest's own: the builder is not trusted either.
 *
 * A guest is built in steps, between which others may run: taking and copying memory takes long.
 *
 * A bad image ends its own domain, with a rule of the IMAGE_ group as reason; the rest of the
 * guests go on. Memory is written only where something has to be.
 */
#include "domain.h"
#include "elf.h"
#include "entry.h"
#include "event.h"
#include "guest_mem.h"
#include "hostview_publish.h"
#include "mm.h"
#include "sched.h"
#include "text.h"
#include "time.h"
#include "../backend/console.h"
#include "../backend/diskspec.h"
#include "../backend/net.h"
#include "../backend/xenstore.h"
#include <pv/abi/start_info.h>

enum { SLACK_PAGES = 512 * 1024 / PV_PAGE_SIZE, ROUND_SHIFT = 22, LEVELS = 4, MAX_ORDER = 10 };
enum { P = 1, RW = 2, US = 4, ACCESSED = 32, DIRTY = 64 };

/* A range of pages mapped to consecutive frames, and the tables that this takes. */
struct mapping {
    uint64_t from, to;          /* [from, to) */
    uint64_t pfn;               /* of the first page */
    uint64_t table_pfn[LEVELS]; /* [0]: first L1 ... [3]: L4 */
    uint64_t tables;
};

struct build {
    struct domain *d;
    struct vcpu *v;
    struct elf_image image;
    const struct boot_guest *g;
    struct reason reason;
    uint64_t pages;
    uint64_t next; /* the first pfn that is not used yet */
    uint64_t kernel_pfn, ramdisk_pfn, ramdisk_pages, p2m_pfn, p2m_pages, info_pfn, stack_pfn;
    struct mapping map;
    uint64_t p2m_tables_pfn, p2m_tables;
    uint64_t *p2m; /* in place, by the direct map; contiguous only by pages */
    unsigned p2m_order;
    uint64_t done;    /* pages taken, then pages of the ramdisk copied */
    unsigned order;   /* of the next block */
    unsigned segment; /* of the kernel: the next one */
    enum { TAKE_MEMORY, COPY_RAMDISK, COPY_KERNEL, FINISH } phase;
};

static struct build building; /* one at a time: all of this is under the one lock */

static uint64_t pages_of(uint64_t bytes)
{
    return (bytes + PV_PAGE_MASK) >> PV_PAGE_SHIFT;
}

static bool fail(struct build *b, enum rule rule, uint64_t va, uint64_t value, uint64_t limit)
{
    refuse_domain(b->d, rule, .va = va, .value = value, .limit = limit);
    return false;
}

/* -- layout: numbers only --------------------------------------------------------------- */

static uint64_t take(struct build *b, uint64_t pages)
{
    uint64_t at = b->next;

    b->next += pages;
    return at;
}

static uint64_t va_of(const struct build *b, uint64_t pfn)
{
    return b->image.virt_base + (pfn << PV_PAGE_SHIFT);
}

/* Tables of level l (0: L1) that [from, to) needs. */
static uint64_t tables_at(uint64_t from, uint64_t to, unsigned l)
{
    unsigned shift = PV_PAGE_SHIFT + 9 * (l + 1);

    return l == LEVELS - 1 ? 1 : ((to - 1) >> shift) - (from >> shift) + 1;
}

static uint64_t tables_for(uint64_t from, uint64_t to)
{
    uint64_t n = 0;

    for (unsigned l = 0; l < LEVELS; l++)
        n += tables_at(from, to, l);
    return n;
}

/* The end of the mapping is rounded up, which may take more tables, which ... */
static void plan_mapping(struct build *b)
{
    struct mapping *m = &b->map;
    uint64_t used = va_of(b, b->next), extra = 1 + SLACK_PAGES, round = 1ull << ROUND_SHIFT, at;

    m->from = b->image.virt_base;
    m->tables = 0;
    for (;;) {
        m->to = (used + ((m->tables + extra) << PV_PAGE_SHIFT) + round - 1) & ~(round - 1);
        if (tables_for(m->from, m->to) == m->tables)
            break;
        m->tables = tables_for(m->from, m->to);
    }
    at = take(b, m->tables);
    for (unsigned l = LEVELS; l-- > 0;) {
        m->table_pfn[l] = at;
        at += tables_at(m->from, m->to, l);
    }
}

static bool plan_p2m(struct build *b)
{
    uint64_t from = b->image.init_p2m, bytes = b->p2m_pages << PV_PAGE_SHIFT;

    if (!guest_range_ok(from, bytes) || (from < b->map.to && from + bytes > b->map.from))
        return fail(b, RULE_IMAGE_P2M, from, 0, from + bytes);
    b->p2m_pfn = take(b, b->p2m_pages);
    b->p2m_tables_pfn = b->next; /* as many as map_p2m() finds missing; at most: */
    b->p2m_tables = tables_for(from, from + bytes) - 1;
    take(b, b->p2m_tables);
    return true;
}

static bool plan(struct build *b)
{
    struct elf_image *i = &b->image;
    bool outside =
        i->init_p2m != ELF_UNSET && i->init_p2m < i->virt_base && !(i->init_p2m & PV_PAGE_MASK);

    b->kernel_pfn = (i->start - i->virt_base) >> PV_PAGE_SHIFT;
    b->next = pages_of(i->end - i->virt_base);
    b->p2m_pages = pages_of(b->pages * 8);
    b->ramdisk_pages = pages_of(b->g->ramdisk ? b->g->ramdisk_size : 0);
    if (!i->ramdisk_by_frame)
        b->ramdisk_pfn = take(b, b->ramdisk_pages);
    if (!outside)
        b->p2m_pfn = take(b, b->p2m_pages);
    b->info_pfn = take(b, 3);
    if (b->next > b->pages)
        return fail(b, RULE_IMAGE_MEMORY, 0, b->next, b->pages);
    if (!guest_range_ok(i->virt_base, (b->next << PV_PAGE_SHIFT) + (16ull << ROUND_SHIFT)))
        return fail(b, RULE_IMAGE_ADDRESS, i->virt_base, 0, i->end);
    plan_mapping(b);
    b->stack_pfn = take(b, 1);
    b->next = (b->map.to - b->map.from) >> PV_PAGE_SHIFT;
    if (i->ramdisk_by_frame)
        b->ramdisk_pfn = take(b, b->ramdisk_pages);
    if (outside && !plan_p2m(b))
        return false;
    if (!outside)
        i->init_p2m = ELF_UNSET;
    if (b->next > b->pages)
        return fail(b, RULE_IMAGE_MEMORY, 0, b->next, b->pages);
    return true;
}

/* -- memory --------------------------------------------------------------------------------- */

enum progress { MORE, DONE, FAILED };

/* Is the time for this step over? */
static bool pause_due(uint64_t until)
{
    return until != UINT64_MAX && (plat_now() >= until || plat_interrupt_pending());
}

/* Frames are taken in big blocks. */
static enum progress populate(struct build *b, uint64_t until)
{
    while (b->done < b->pages) {
        mfn_t m;

        while (b->order &&
               (b->done + (1ull << b->order) > b->pages || b->done & ((1ull << b->order) - 1)))
            b->order--;
        if (!frame_domain_alloc(b->d, b->order, &m)) {
            if (b->order-- == 0)
                return FAILED;
            continue;
        }
        for (uint64_t i = 0; i < 1ull << b->order; i++) {
            b->p2m[b->done + i] = m.n + i;
            frame_m2p[m.n + i] = b->done + i;
        }
        b->done += 1ull << b->order;
        if (b->order < MAX_ORDER && !(b->done & ((1ull << (b->order + 1)) - 1)))
            b->order++;
        if (b->done < b->pages && pause_due(until))
            return MORE;
    }
    b->done = 0;
    return DONE;
}

static void *page(const struct build *b, uint64_t pfn)
{
    return plat_map(mfn(b->p2m[pfn]));
}

static void copy_pages(const struct build *b, uint64_t pfn, const void *from, uint64_t n)
{
    const char *s = from;

    for (; n; pfn++) {
        uint64_t chunk = n < PV_PAGE_SIZE ? n : PV_PAGE_SIZE;

        __builtin_memcpy(page(b, pfn), s, chunk);
        s += chunk;
        n -= chunk;
    }
}

/* n bytes at a virtual address of the first mapping; from NULL: zeros. */
static void fill(const struct build *b, uint64_t va, const void *from, uint64_t n)
{
    uint64_t offset = va - b->image.virt_base;
    const char *s = from;

    while (n) {
        uint64_t in = offset & PV_PAGE_MASK, room = PV_PAGE_SIZE - in, chunk = n < room ? n : room;
        char *to = (char *)page(b, offset >> PV_PAGE_SHIFT) + in;

        if (s) {
            __builtin_memcpy(to, s, chunk);
            s += chunk;
        } else {
            __builtin_memset(to, 0, chunk);
        }
        offset += chunk;
        n -= chunk;
    }
}

static enum progress copy_ramdisk(struct build *b, uint64_t until)
{
    enum { STEP = 64 };
    uint64_t size = b->ramdisk_pages ? b->g->ramdisk_size : 0;

    while (b->done << PV_PAGE_SHIFT < size) {
        uint64_t at = b->done << PV_PAGE_SHIFT, n = size - at, step = STEP << PV_PAGE_SHIFT;

        copy_pages(b, b->ramdisk_pfn + b->done, (const char *)b->g->ramdisk + at,
                   n < step ? n : step);
        b->done += STEP;
        if (pause_due(until))
            return MORE;
    }
    return DONE;
}

static enum progress load_kernel(struct build *b, uint64_t until)
{
    const struct elf_image *i = &b->image;

    while (b->segment < i->segments) {
        const struct elf_segment *s = &i->segment[b->segment++];
        uint64_t va = s->paddr + i->offset;

        fill(b, va, i->file + s->file_offset, s->file_size);
        fill(b, va + s->file_size, NULL, s->mem_size - s->file_size);
        if (pause_due(until))
            return MORE;
    }
    return DONE;
}

/* Slot n of the page: push rcx, r11; mov eax, n; syscall; pop; ret. iret never comes back. */
static void fill_hypercall_page(const struct build *b)
{
    static const uint8_t call[] = {0x51, 0x41, 0x53, 0xb8, 0,    0,    0,
                                   0,    0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3};
    static const uint8_t iret[] = {0x51, 0x41, 0x53, 0x50, 0xb8, XEN_HYPERVISOR_iret,
                                   0,    0,    0,    0x0f, 0x05};
    uint8_t *to;

    if (!b->image.hypercall_page)
        return;
    to = page(b, (b->image.hypercall_page - b->image.virt_base) >> PV_PAGE_SHIFT);
    __builtin_memset(to, 0xcc, PV_PAGE_SIZE);
    for (unsigned n = 0; n < PV_PAGE_SIZE / 32; n++) {
        if (n == XEN_HYPERVISOR_iret) {
            __builtin_memcpy(to + 32 * n, iret, sizeof(iret));
        } else {
            __builtin_memcpy(to + 32 * n, call, sizeof(call));
            to[32 * n + 4] = (uint8_t)n;
        }
    }
}

static void write_p2m(const struct build *b)
{
    __builtin_memset(page(b, b->p2m_pfn + b->p2m_pages - 1), 0xff, PV_PAGE_SIZE);
    copy_pages(b, b->p2m_pfn, b->p2m, b->pages * 8);
}

/* -- page tables ------------------------------------------------------------------------------ */

static bool is_table(const struct build *b, uint64_t pfn)
{
    uint64_t first = b->map.table_pfn[LEVELS - 1];

    return pfn >= first && pfn < first + b->map.tables;
}

static uint64_t entry(const struct build *b, uint64_t pfn, unsigned l)
{
    uint64_t e = b->p2m[pfn] << PV_PAGE_SHIFT | P | ACCESSED | US;

    if (l > 0)
        return e | RW | DIRTY;
    return is_table(b, pfn) ? e : e | RW;
}

static void map_all(const struct build *b)
{
    const struct mapping *m = &b->map;

    for (uint64_t n = 0; n < m->tables; n++)
        __builtin_memset(page(b, m->table_pfn[LEVELS - 1] + n), 0, PV_PAGE_SIZE);
    for (unsigned l = 0; l < LEVELS; l++) {
        unsigned shift = PV_PAGE_SHIFT + 9 * l;
        uint64_t first = m->from >> shift, last = (m->to - 1) >> shift;
        uint64_t to = l ? m->table_pfn[l - 1] : 0;
        uint64_t base = l == LEVELS - 1 ? 0 : first >> 9 << 9;

        for (uint64_t n = first; n <= last; n++) {
            uint64_t at = l == LEVELS - 1 ? n & 511 : n - base;
            uint64_t *table = page(b, m->table_pfn[l] + at / 512);

            table[at % 512] = entry(b, to++, l);
        }
    }
}

/* The p2m's own mapping shares the upper tables where it can. */
static void map_p2m(struct build *b)
{
    uint64_t next = b->p2m_tables_pfn;

    for (uint64_t n = 0; n < b->p2m_pages; n++) {
        uint64_t va = b->image.init_p2m + (n << PV_PAGE_SHIFT);
        uint64_t *table = page(b, b->map.table_pfn[LEVELS - 1]);

        for (unsigned l = LEVELS - 1; l > 0; l--) {
            uint64_t *e = &table[va >> (PV_PAGE_SHIFT + 9 * l) & 511];

            if (!(*e & P)) {
                __builtin_memset(page(b, next), 0, PV_PAGE_SIZE);
                *e = entry(b, next++, l);
            }
            table = plat_map(mfn((*e & 0x000ffffffffff000ull) >> PV_PAGE_SHIFT));
        }
        table[va >> PV_PAGE_SHIFT & 511] = entry(b, b->p2m_pfn + n, 0);
    }
    b->p2m_tables = next - b->p2m_tables_pfn;
}

/* -- start of day -------------------------------------------------------------------------------
 */

static void write_start_info(const struct build *b)
{
    struct xen_start_info *s = page(b, b->info_pfn);
    struct domain *d = b->d;
    bool outside = b->image.init_p2m != ELF_UNSET;

    __builtin_memset(s, 0, PV_PAGE_SIZE);
    text_copy(s->magic, "xen-3.0-x86_64", sizeof(s->magic));
    s->nr_pages = b->pages;
    s->shared_info = mfn_to_maddr(d->shared_mfn);
    s->store_mfn = d->store_mfn.n;
    s->store_evtchn = d->store_port;
    s->console.domU.mfn = d->console_mfn.n;
    s->console.domU.evtchn = d->console_port;
    s->pt_base = va_of(b, b->map.table_pfn[LEVELS - 1]);
    s->nr_pt_frames = b->map.tables;
    s->mfn_list = outside ? b->image.init_p2m : va_of(b, b->p2m_pfn);
    if (outside) {
        s->first_p2m_pfn = b->p2m_pfn;
        s->nr_p2m_frames = b->p2m_pages + b->p2m_tables;
    }
    if (b->ramdisk_pages) {
        s->mod_start = b->image.ramdisk_by_frame ? b->ramdisk_pfn : va_of(b, b->ramdisk_pfn);
        s->mod_len = b->g->ramdisk_size;
        s->flags |= b->image.ramdisk_by_frame ? XEN_SIF_MOD_START_PFN : 0;
    }
    if (b->g->cmdline)
        text_copy((char *)s->cmd_line, b->g->cmdline, sizeof(s->cmd_line));
}

/* A page that a back-end reads and writes as long as the guest lives. It is held for that: the
 * guest may give it up, but it does not become a page table, nor anybody else's memory. */
static mfn_t ring_page(const struct build *b, uint64_t pfn)
{
    mfn_t m = mfn(b->p2m[pfn]);
    bool held = frame_get(frame_of(m), b->d->id) && frame_get_writable(frame_of(m));

    HV_ASSERT(held); /* it is new */
    __builtin_memset(plat_map(m), 0, PV_PAGE_SIZE);
    return m;
}

static void make_ports(struct build *b)
{
    struct domain *d = b->d;

    d->store_port = evtchn_bind_backend(d, BACKEND_STORE);
    d->console_port = evtchn_bind_backend(d, BACKEND_CONSOLE);
    d->store_mfn = ring_page(b, b->info_pfn + 1);
    d->console_mfn = ring_page(b, b->info_pfn + 2);
    console_attach(d, plat_map(d->console_mfn));
    xenstore_attach(d, plat_map(d->store_mfn));
    if (b->g->net && !net_attach(d, 0, b->g->mac, b->g->net_rate))
        hv_log("d%u: it gets no network card: its address is another's, or there is no memory\n",
               d->id);
}

static bool start_vcpu(const struct build *b)
{
    static struct xen_vcpu_guest_context c; /* too big for the stack */
    struct xen_cpu_user_regs *r = &c.user_regs;

    __builtin_memset(&c, 0, sizeof(c));
    c.flags = XEN_VGCF_in_kernel | XEN_VGCF_online;
    c.ctrlreg[3] = xen_pfn_to_cr3(b->p2m[b->map.table_pfn[LEVELS - 1]]);
    c.debugreg[6] = 0xffff0ff0;
    c.debugreg[7] = 0x400;
    r->rip = b->image.entry;
    r->rsp = va_of(b, b->stack_pfn + 1);
    r->rsi = va_of(b, b->info_pfn);
    r->rflags = 1 << 9;
    r->cs = XEN_FLAT_KERNEL_CS;
    r->ss = XEN_FLAT_KERNEL_SS;
    c.kernel_ss = r->ss;
    c.kernel_sp = r->rsp;
    return root_pin(b->v, mfn(xen_cr3_to_pfn(c.ctrlreg[3]))) == 0 &&
           vcpu_set_context(b->v, &c) == 0;
}

/* -- all together ---------------------------------------------------------------------------------
 */

static bool make_vcpus(struct build *b)
{
    if (b->g->vcpus < 1 || b->g->vcpus > MAX_VCPUS)
        return fail(b, RULE_IMAGE_VCPUS, 0, b->g->vcpus, MAX_VCPUS);
    for (unsigned i = 0; i < b->g->vcpus; i++)
        if (!vcpu_create(b->d, i))
            return fail(b, RULE_MACHINE_MEMORY, 0, b->pages, frame_free_count());
    b->v = b->d->vcpu[0];
    return true;
}

static unsigned order_for(uint64_t bytes)
{
    unsigned order = 0;

    while (((uint64_t)PV_PAGE_SIZE << order) < bytes)
        order++;
    return order;
}

static enum progress finish(struct build *b, uint64_t until)
{
    (void)until;
    b->d->nr_pfns = b->pages;
    fill_hypercall_page(b);
    write_p2m(b);
    map_all(b);
    if (b->image.init_p2m != ELF_UNSET)
        map_p2m(b);
    make_ports(b);
    write_start_info(b);
    return start_vcpu(b) ? DONE : FAILED;
}

static bool begin(struct build *b)
{
    struct reason r = {.hypercall = 0xffff};

    if (elf_parse(&b->image, b->g->kernel, b->g->kernel_size, &r)) {
        reason_record_domain(b->d, &r);
        return false;
    }
    if (!plan(b) || !make_vcpus(b))
        return false;
    b->p2m_order = order_for(b->pages * 8);
    b->p2m = frame_hv_alloc(b->p2m_order);
    if (!b->p2m || b->pages > frame_free_count())
        return fail(b, RULE_MACHINE_MEMORY, 0, b->pages, frame_free_count());
    b->order = MAX_ORDER;
    return true;
}

/* It has come to an end, good or bad. */
static void end(struct build *b, bool ok)
{
    if (b->p2m)
        frame_hv_free(b->p2m, b->p2m_order);
    b->p2m = NULL;
    if (!ok) {
        domain_crash(b->d);
        return;
    }
    b->d->stages = 1u << STAGE_built; /* what building did is not the guest's doing */
    hv_log("d%u (%s): %lu MiB, %u vCPU%s, entry 0x%lx\n", b->d->id, b->d->name,
           (unsigned long)(b->pages >> 8), b->g->vcpus, b->g->vcpus == 1 ? "" : "s",
           (unsigned long)b->image.entry);
}

struct domain *hv_build_begin(uint16_t domid, const struct boot_guest *g)
{
    struct build *b = &building;

    *b = (struct build){.g = g, .pages = g->mem >> PV_PAGE_SHIFT};
    b->d = domain_create(domid, g->name, b->pages, g->vcpus);
    if (!b->d || b->d->state != DOMAIN_PAUSED)
        return b->d;
    text_copy(b->d->cmdline, g->cmdline ? g->cmdline : "", sizeof(b->d->cmdline));
    if (!begin(b))
        end(b, false);
    return b->d;
}

bool hv_build_step(uint64_t until)
{
    static enum progress (*const phases[])(struct build * b, uint64_t until) = {
        [TAKE_MEMORY] = populate,
        [COPY_RAMDISK] = copy_ramdisk,
        [COPY_KERNEL] = load_kernel,
        [FINISH] = finish,
    };
    struct build *b = &building;

    if (b->d->state != DOMAIN_PAUSED)
        return true; /* it has failed already */
    for (; b->phase <= FINISH; b->phase++)
        switch (phases[b->phase](b, until)) {
        case MORE:
            return false;
        case FAILED:
            if (b->phase == TAKE_MEMORY)
                fail(b, RULE_MACHINE_MEMORY, 0, b->pages, frame_free_count());
            end(b, false);
            return true;
        default:
            break;
        }
    end(b, true);
    return true;
}

struct domain *hv_build(uint16_t domid, const struct boot_guest *g)
{
    struct domain *d = hv_build_begin(domid, g);

    while (d && !hv_build_step(UINT64_MAX))
        ;
    return d;
}

static void give_disks(struct domain *d, const struct boot_guest *g)
{
    char why[256];

    if (d->state == DOMAIN_PAUSED && g->text && !disks_give(d, g->text, true, why, sizeof(why)))
        hv_panic("guest %u: %s", d->id, why);
}

struct vcpu *hv_start(const struct boot_guest *guest, unsigned n)
{
    if (n == 0 && !hv.noexit)
        hv_panic("no guest: give the shim a kernel as a boot module");
    if (n >= MAX_DOMAINS)
        hv_panic("%u guests, of at most %u", n, MAX_DOMAINS - 1);
    if (!hv.tsc_to_system_mul)
        time_set_scale(hv.tsc_khz);
    sched_init();
    for (unsigned i = 0; i < n; i++)
        if (!hv_build(domain_unused_id(), &guest[i]))
            hv_panic("no memory for domain %u (%s)", i + 1, guest[i].name);
    for (unsigned i = 0; i < n; i++)
        give_disks(hv.domain[i + 1], &guest[i]);
    for (unsigned i = 0; i < n; i++)
        if (hv.domain[i + 1]->state == DOMAIN_PAUSED)
            domain_unpause(hv.domain[i + 1]);
    hostview_publish();
    return hv_idle();
}
