/* SPDX-License-Identifier: MIT
 *
 * model.c - page tables, descriptors and grants, by the book and without hurry.
 */
#include "model.h"
#include <pv/abi/errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mframe mframe[FRAMES];
struct mdomain mdomain[GUESTS + 1];

enum { P = 1, RW = 2, US = 4, PWT = 8, PCD = 16, A = 32, D = 64, PAT = 128, PS = 128, G = 256 };
#define SOFT (0x8000000000000000ull | 0x7ff0000000000000ull | 0xe00 | G | D | A | US)

static uint64_t frame_no(uint64_t e)
{
    return e >> 12 & 0xffffffffffull;
}

static bool own(const struct mdomain *d, uint64_t m)
{
    return m < FRAMES && mframe[m].owner == (int)d->id;
}

/* In use as anything but this type? */
static bool other_use(const struct mframe *f, unsigned type)
{
    for (unsigned t = 0; t < FRAME_TYPES; t++)
        if (t != type && f->uses[t])
            return true;
    return false;
}

static void drop(struct mframe *f)
{
    if (--f->refs == 0) {
        if (f->owner > 0)
            mdomain[f->owner].pages--;
        f->last = f->owner;
        f->owner = OWNER_FREE;
    }
}

static void take(struct mframe *f, unsigned type)
{
    f->refs++;
    if (type)
        f->uses[type]++;
}

static void leave(struct mframe *f, unsigned type)
{
    if (type)
        f->uses[type]--;
    drop(f);
}

/* -- entries ------------------------------------------------------------------------ */

static uint64_t adjust1(uint64_t e)
{
    e &= ~(uint64_t)G;
    return e & US ? e : e | US | 1ull << 52;
}

static uint64_t adjust(uint64_t e, unsigned level)
{
    return e | US | (level == 4 ? A : 0);
}

static long get1(const struct mdomain *d, uint64_t e)
{
    uint64_t m = frame_no(e);
    struct mframe *f;

    if (e & (PWT | PCD | PAT))
        return -XEN_EINVAL;
    if (m == 0xffffffffffull)
        return -XEN_EINVAL;
    if (m >= FRAMES || mframe[m].owner == OWNER_IO)
        return -XEN_EPERM;
    f = &mframe[m];
    if (f->owner != (int)d->id)
        return -XEN_EBUSY;
    if (e & RW && other_use(f, FRAME_WRITABLE))
        return -XEN_EBUSY;
    take(f, e & RW ? FRAME_WRITABLE : 0);
    return 0;
}

static void put1(uint64_t e)
{
    if (e & P)
        leave(&mframe[frame_no(e)], e & RW ? FRAME_WRITABLE : 0);
}

static long get_table(struct mdomain *d, uint64_t m, unsigned level);
static void put_table(uint64_t m, unsigned level);

static long get(struct mdomain *d, uint64_t table, uint64_t e, unsigned level)
{
    uint64_t m = frame_no(e);
    struct mframe *f, *t = &mframe[table];

    if (e & (PWT | PCD | PS | G))
        return -XEN_EINVAL;
    if (!own(d, m))
        return -XEN_EINVAL;
    f = &mframe[m];
    if (f->uses[level]) {
        if (e & RW)
            return -XEN_EINVAL;
        if (m == table)
            return 0;
        if (t->linear < 0 || f->linear > 0)
            return -XEN_EINVAL;
        t->linear++;
        f->linear--;
        take(f, level);
        return 0;
    }
    return get_table(d, m, level - 1);
}

static void put(uint64_t table, uint64_t e, unsigned level)
{
    uint64_t m = frame_no(e);

    if (!(e & P) || m == table)
        return;
    if (mframe[m].uses[level]) {
        mframe[table].linear--;
        mframe[m].linear++;
        put_table(m, level);
    } else {
        put_table(m, level - 1);
    }
}

static bool hv_slot(unsigned level, unsigned i)
{
    return level == 4 && i >= 256 && i < 272;
}

static void put_entries(uint64_t m, unsigned level, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (level == 1)
            put1(mframe[m].word[i]);
        else if (!hv_slot(level, i))
            put(m, mframe[m].word[i], level);
}

static long get_table(struct mdomain *d, uint64_t m, unsigned level)
{
    struct mframe *f = &mframe[m];

    if (other_use(f, level))
        return -XEN_EINVAL;
    take(f, level);
    if (f->uses[level] > 1)
        return 0;
    f->linear = 0;
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        uint64_t e = f->word[i];
        long rc;

        if (!(e & P) || hv_slot(level, i))
            continue;
        rc = level == 1 ? get1(d, e) : get(d, m, e, level);
        if (rc) {
            put_entries(m, level, i);
            leave(f, level);
            return rc;
        }
        f->word[i] = level == 1 ? adjust1(e) : adjust(e, level);
    }
    if (level == 4)
        for (unsigned i = 256; i < 272; i++)
            f->word[i] = 0;
    return 0;
}

static void put_table(uint64_t m, unsigned level)
{
    if (mframe[m].uses[level] == 1)
        put_entries(m, level, PT_ENTRIES);
    leave(&mframe[m], level);
}

static unsigned table_level(const struct mframe *f)
{
    for (unsigned level = 1; level <= 4; level++)
        if (f->uses[level])
            return level;
    return 0;
}

static long modify1(struct mdomain *d, uint64_t *p, uint64_t e, bool keep)
{
    uint64_t old = *p, ad = keep ? old & (A | D) : 0;
    long rc;

    if (!(e & P)) {
        *p = e | ad;
        put1(old);
        return 0;
    }
    if (e & (PWT | PCD | PAT))
        return -XEN_EINVAL;
    e = adjust1(e);
    if (!((old ^ e) & ~SOFT)) {
        *p = e | ad;
        return 0;
    }
    rc = get1(d, e);
    if (rc)
        return rc;
    *p = e | ad;
    put1(old);
    return 0;
}

static long modify(struct mdomain *d, uint64_t m, unsigned level, unsigned i, uint64_t e, bool keep)
{
    uint64_t *p = &mframe[m].word[i], old = *p, ad = keep ? old & (A | D) : 0;
    long rc;

    if (hv_slot(level, i))
        return -XEN_EINVAL;
    if (e & P) {
        if (!(e & (PWT | PCD | PS | G)) && !((old ^ adjust(e, level)) & ~SOFT)) {
            *p = adjust(e, level) | ad;
            return 0;
        }
        rc = get(d, m, e, level);
        if (rc)
            return rc;
        e = adjust(e, level);
    }
    *p = e | ad;
    put(m, old, level);
    return 0;
}

long model_update(struct mdomain *d, uint64_t ptr, uint64_t val)
{
    unsigned cmd = ptr & 7, i = ptr >> 3 & 511, level;
    uint64_t m = ptr >> 12;

    if (cmd == 1) {
        if (!own(d, m))
            return -XEN_EINVAL;
        return 0;
    }
    if (cmd > 3)
        return -XEN_ENOSYS;
    if (!own(d, m))
        return -XEN_EINVAL;
    level = table_level(&mframe[m]);
    if (level == 1)
        return modify1(d, &mframe[m].word[i], val, cmd == 2);
    if (level)
        return modify(d, m, level, i, val, cmd == 2);
    if (other_use(&mframe[m], FRAME_WRITABLE))
        return -XEN_EINVAL;
    if (!mframe[m].shared)
        mframe[m].word[i] = val;
    return 0;
}

/* -- addresses ------------------------------------------------------------------------------ */

uint64_t model_walk(struct mdomain *d, uint64_t va)
{
    uint64_t m = d->root[1];

    for (unsigned level = 4; level > 1; level--) {
        uint64_t e = mframe[m].word[va >> (3 + 9 * level) & 511];

        if (!(e & P))
            return ~0ull;
        m = frame_no(e);
    }
    return mframe[m].uses[FRAME_L1] ? m << 9 | (va >> 12 & 511) : ~0ull;
}

/* What the processor would find for va, in whatever table: linear mappings show tables. */
static uint64_t leaf(struct mdomain *d, uint64_t va)
{
    uint64_t e = d->root[1] << 12 | P;

    for (unsigned level = 4; level >= 1 && (e & P); level--)
        e = mframe[frame_no(e)].word[va >> (3 + 9 * level) & 511];
    return e & P ? e : 0;
}

long model_va_mapping(struct mdomain *d, uint64_t va, uint64_t e)
{
    uint64_t at;

    if (va >= 0x800000000000ull && va < 0xffff880000000000ull)
        return -XEN_EINVAL;
    at = model_walk(d, va);
    return at == ~0ull ? -XEN_EINVAL : modify1(d, &mframe[at >> 9].word[at & 511], e, false);
}

bool model_pt_write(struct mdomain *d, uint64_t va, uint64_t e)
{
    uint64_t old = leaf(d, va), m = frame_no(old);

    if ((old & (P | RW)) != P)
        return false;
    if (!own(d, m) || !mframe[m].uses[FRAME_L1])
        return false;
    return modify1(d, &mframe[m].word[va >> 3 & 511], e, false) == 0;
}

/* -- mmuext_op -------------------------------------------------------------------------------- */

long model_pin(struct mdomain *d, uint64_t m, unsigned level)
{
    long rc;

    if (!own(d, m) || mframe[m].pinned == level)
        return -XEN_EINVAL;
    rc = get_table(d, m, level);
    if (rc == 0)
        mframe[m].pinned = (uint8_t)level;
    return rc;
}

long model_unpin(struct mdomain *d, uint64_t m)
{
    unsigned level;

    if (!own(d, m) || !mframe[m].pinned)
        return -XEN_EINVAL;
    level = mframe[m].pinned;
    mframe[m].pinned = 0;
    put_table(m, level);
    return 0;
}

static void segdesc_put(uint64_t m)
{
    leave(&mframe[m], FRAME_SEGDESC);
}

static void ldt_forget(struct mdomain *d)
{
    for (unsigned i = 0; i < LDT_PAGES; i++)
        if (d->ldt[i]) {
            segdesc_put(d->ldt[i]);
            d->ldt[i] = 0;
        }
}

long model_baseptr(struct mdomain *d, uint64_t m, bool user)
{
    uint64_t old = d->root[!user];
    long rc;

    if (m == old)
        return 0;
    if (m || !user) {
        if (!own(d, m))
            return -XEN_EINVAL;
        rc = get_table(d, m, 4);
        if (rc)
            return rc;
    }
    d->root[!user] = m;
    if (!user)
        ldt_forget(d);
    if (old)
        put_table(old, 4);
    return 0;
}

long model_clear(struct mdomain *d, uint64_t m)
{
    if (!own(d, m) || other_use(&mframe[m], FRAME_WRITABLE))
        return -XEN_EINVAL;
    memset(mframe[m].word, 0, PV_PAGE_SIZE);
    return 0;
}

long model_copy(struct mdomain *d, uint64_t to, uint64_t from)
{
    if (!own(d, from) || !own(d, to) || other_use(&mframe[to], FRAME_WRITABLE))
        return -XEN_EINVAL;
    memcpy(mframe[to].word, mframe[from].word, PV_PAGE_SIZE);
    return 0;
}

/* -- descriptors
 * ----------------------------------------------------------------------------------- */

static bool descriptor_ok(uint64_t *d)
{
    uint64_t type = *d >> 40 & 15, selector = *d >> 16 & 0xffff;

    if (!(*d >> 47 & 1))
        return true;
    if (*d >> 44 & 1) {
        *d |= 3ull << 45;
        return true;
    }
    if (type == 0)
        return true;
    if (type != 12 || (*d >> 32 & 0xff))
        return false;
    if (selector / 8 >= 0x1c00 && selector != 0xe033 && !(selector & 4))
        return false;
    *d &= ~(3ull << 45);
    *d |= 3ull << 16;
    return true;
}

static long segdesc_get(struct mdomain *d, uint64_t m)
{
    struct mframe *f;

    if (!own(d, m) || other_use(&mframe[m], FRAME_SEGDESC))
        return -XEN_EINVAL;
    f = &mframe[m];
    for (unsigned i = 0; !f->uses[FRAME_SEGDESC] && i < 512; i++)
        if (!descriptor_ok(&f->word[i]))
            return -XEN_EINVAL;
    take(f, FRAME_SEGDESC);
    return 0;
}

long model_set_gdt(struct mdomain *d, const uint64_t *frames, unsigned entries)
{
    unsigned n = (entries + 511) / 512;

    if (entries > 0x1c00)
        return -XEN_EINVAL;
    for (unsigned i = 0; i < n; i++)
        if (segdesc_get(d, frames[i])) {
            while (i > 0)
                segdesc_put(frames[--i]);
            return -XEN_EINVAL;
        }
    for (unsigned i = 0; i < GDT_PAGES; i++) {
        if (d->gdt[i])
            segdesc_put(d->gdt[i]);
        d->gdt[i] = i < n ? frames[i] : 0;
    }
    d->gdt_entries = entries;
    return 0;
}

long model_update_descriptor(struct mdomain *d, uint64_t maddr, uint64_t desc)
{
    uint64_t m = maddr >> 12;

    if (maddr & 7 || !descriptor_ok(&desc) || !own(d, m))
        return -XEN_EINVAL;
    if (!mframe[m].uses[FRAME_SEGDESC] && other_use(&mframe[m], FRAME_WRITABLE))
        return -XEN_EINVAL;
    if (!mframe[m].shared)
        mframe[m].word[maddr >> 3 & 511] = desc;
    return 0;
}

long model_set_ldt(struct mdomain *d, uint64_t va, unsigned entries)
{
    if (entries > 8192 ||
        (entries && (va & 4095 || (va >= 0x800000000000ull && va < 0xffff880000000000ull))))
        return -XEN_EINVAL;
    if (!entries)
        va = 0;
    if (va == d->ldt_va && entries == d->ldt_entries)
        return 0;
    ldt_forget(d);
    d->ldt_va = va;
    d->ldt_entries = entries;
    return 0;
}

bool model_ldt_fault(struct mdomain *d, unsigned page)
{
    uint64_t e;

    if (page * 512 >= d->ldt_entries || d->ldt[page])
        return false;
    e = leaf(d, d->ldt_va + page * 4096ull);
    if (!(e & P) || segdesc_get(d, frame_no(e)))
        return false;
    d->ldt[page] = frame_no(e);
    return true;
}

/* -- memory_op
 * ---------------------------------------------------------------------------------------- */

bool model_free(struct mdomain *d, uint64_t m)
{
    if (!own(d, m))
        return false;
    if (mframe[m].allocated) {
        mframe[m].allocated = false;
        drop(&mframe[m]);
    }
    return true;
}

bool model_stealable(struct mdomain *d, uint64_t m)
{
    return own(d, m) && mframe[m].allocated && mframe[m].refs == 1;
}

void model_alloc(struct mdomain *d, uint64_t m)
{
    struct mframe *f = &mframe[m];
    const uint64_t *real = plat_map(mfn(m));
    bool zero = true, same = f->last == (int)d->id && !memcmp(real, f->word, PV_PAGE_SIZE);

    for (unsigned i = 0; i < 512; i++)
        zero = zero && real[i] == 0;
    if (f->owner != OWNER_FREE || !(zero || same)) {
        fprintf(stderr, "frame %lx was given out (owner %d last %d), %s\n", m, f->owner, f->last,
                zero   ? "empty"
                : same ? "its own"
                       : "with another's data");
        abort();
    }
    f->owner = (int)d->id;
    f->allocated = true;
    f->refs = 1;
    memcpy(f->word, real, PV_PAGE_SIZE);
    d->pages++;
}

/* -- grants
 * --------------------------------------------------------------------------------------------- */

/* Begin a use. A status. */
static int grant_begin(struct mdomain *d, struct mdomain *r, unsigned ref, bool readonly)
{
    struct mgrant *g;

    if (ref >= 512)
        return XEN_GNTST_bad_gntref;
    if (ref >= GREFS)
        return XEN_GNTST_general_error; /* never filled in */
    g = &r->grant[ref];
    if ((g->readers || g->writers) &&
        (g->user != d->id || (readonly ? g->readers : g->writers) == 255))
        return XEN_GNTST_general_error;
    if (!g->readers && !g->writers) {
        if ((g->flags & 3) != XEN_GTF_permit_access || g->domid != d->id)
            return XEN_GNTST_general_error;
    }
    if ((!(g->readers || g->writers) || !g->writers) && !readonly && g->flags & XEN_GTF_readonly)
        return XEN_GNTST_general_error;
    if (!g->readers && !g->writers) {
        if (!own(r, g->frame))
            return XEN_GNTST_bad_page;
        g->mfn = g->frame;
        g->user = d->id;
    }
    if (readonly)
        g->readers++;
    else
        g->writers++;
    return XEN_GNTST_okay;
}

static void grant_end(struct mdomain *r, unsigned ref, bool readonly)
{
    if (readonly)
        r->grant[ref].readers--;
    else
        r->grant[ref].writers--;
}

static uint64_t *grant_entry(struct mdomain *d, uint64_t addr, unsigned flags)
{
    uint64_t at;

    if (flags & XEN_GNTMAP_contains_pte) {
        if (addr & 7 || !own(d, addr >> 12) || !mframe[addr >> 12].uses[FRAME_L1])
            return NULL;
        return &mframe[addr >> 12].word[addr >> 3 & 511];
    }
    if (addr >= 0x800000000000ull && addr < 0xffff880000000000ull)
        return NULL;
    at = model_walk(d, addr);
    return at == ~0ull ? NULL : &mframe[at >> 9].word[at & 511];
}

static uint64_t grant_pte(unsigned m, unsigned flags)
{
    uint64_t e = (uint64_t)m << 12 | P | A | D | 1ull << 63 | (uint64_t)(flags >> 16 & 7) << 9;

    return adjust1(e | (flags & XEN_GNTMAP_application_map ? US : 0) |
                   (flags & XEN_GNTMAP_readonly ? 0 : RW));
}

int model_map(struct mdomain *d, unsigned from, unsigned ref, unsigned flags, uint64_t addr,
              unsigned handle)
{
    bool readonly = flags & XEN_GNTMAP_readonly, host = flags & XEN_GNTMAP_host_map;
    bool device = flags & XEN_GNTMAP_device_map;
    struct mdomain *r;
    struct mframe *f;
    uint64_t *p = NULL, old;
    int rc;

    if (!host && !device)
        return XEN_GNTST_bad_gntref;
    if (from == 0 || from > GUESTS)
        return XEN_GNTST_bad_domain;
    r = &mdomain[from];
    rc = grant_begin(d, r, ref, readonly);
    if (rc)
        return rc;
    f = &mframe[r->grant[ref].mfn];
    if (host)
        p = grant_entry(d, addr, flags);
    if ((host && !p) || f->owner != (int)from || (!readonly && other_use(f, FRAME_WRITABLE))) {
        grant_end(r, ref, readonly);
        return XEN_GNTST_general_error;
    }
    for (int i = 0; i < host + device; i++)
        take(f, readonly ? 0 : FRAME_WRITABLE);
    if (host) {
        old = *p;
        *p = grant_pte(r->grant[ref].mfn, flags);
        put1(old);
    }
    d->mapping[handle] = (struct mmapping){true, from, ref, flags & 31, r->grant[ref].mfn};
    return XEN_GNTST_okay;
}

int model_unmap(struct mdomain *d, unsigned handle, uint64_t host, uint64_t bus, uint64_t new_addr)
{
    struct mmapping *map = &d->mapping[handle];
    unsigned drops = 0;
    bool readonly;
    uint64_t *p, *q = NULL;

    if (handle >= HANDLES || !map->used)
        return XEN_GNTST_bad_handle;
    readonly = map->flags & XEN_GNTMAP_readonly;
    if (bus && map->flags & XEN_GNTMAP_device_map && bus != (uint64_t)map->mfn << 12)
        return XEN_GNTST_bad_dev_addr;
    if (host && map->flags & XEN_GNTMAP_host_map) {
        p = grant_entry(d, host, map->flags);
        if (!p || frame_no(*p) != map->mfn || (*p ^ grant_pte(map->mfn, map->flags)) & (P | RW))
            return XEN_GNTST_general_error;
        if (new_addr)
            q = map->flags & XEN_GNTMAP_contains_pte ? NULL : grant_entry(d, new_addr, 0);
        if (new_addr && (!q || q == p))
            return XEN_GNTST_general_error;
        *p = q ? *q : 0;
        if (q)
            *q = 0;
        map->flags &= ~(unsigned)XEN_GNTMAP_host_map;
        drops++;
    }
    if (bus && map->flags & XEN_GNTMAP_device_map) {
        map->flags &= ~(unsigned)XEN_GNTMAP_device_map;
        drops++;
    }
    while (drops-- > 0)
        leave(&mframe[map->mfn], readonly ? 0 : FRAME_WRITABLE);
    if (!(map->flags & (XEN_GNTMAP_host_map | XEN_GNTMAP_device_map))) {
        map->used = false;
        grant_end(&mdomain[map->domid], map->ref, readonly);
    }
    return XEN_GNTST_okay;
}

int model_transfer(struct mdomain *d, uint64_t m, struct mdomain *to, unsigned ref)
{
    struct mgrant *g = to && ref < GREFS ? &to->grant[ref] : NULL;

    if (!model_stealable(d, m))
        return XEN_GNTST_bad_page;
    if (!to || to->pages - (to == d) >= to->max_pages || !g ||
        g->flags != XEN_GTF_accept_transfer || g->readers || g->writers || g->domid != d->id) {
        model_free(d, m); /* it is lost */
        return to ? XEN_GNTST_general_error : XEN_GNTST_bad_domain;
    }
    d->pages--;
    to->pages++;
    mframe[m].owner = (int)to->id;
    g->flags |= XEN_GTF_transfer_committed | XEN_GTF_transfer_completed;
    g->frame = (uint32_t)m;
    return XEN_GNTST_okay;
}

int model_swap(struct mdomain *d, unsigned a, unsigned b)
{
    struct mgrant *x, *y, saved;

    if (a >= GREFS || b >= GREFS)
        return XEN_GNTST_bad_gntref;
    x = &d->grant[a];
    y = &d->grant[b];
    if (a != b && (x->readers || x->writers || y->readers || y->writers))
        return XEN_GNTST_eagain;
    saved = *x;
    *x = *y;
    *y = saved;
    return XEN_GNTST_okay;
}

static int copy_find(struct mdomain *d, const struct mend *e, struct mdomain **r)
{
    if (!e->by_ref && e->domid != XEN_DOMID_SELF)
        return XEN_GNTST_permission_denied;
    if (e->domid == XEN_DOMID_SELF)
        *r = d;
    else if (e->domid >= 1 && e->domid <= GUESTS)
        *r = &mdomain[e->domid];
    else
        return XEN_GNTST_bad_domain;
    return XEN_GNTST_okay;
}

static int copy_take(struct mdomain *d, struct mdomain *r, const struct mend *e, bool readonly,
                     uint64_t *m)
{
    if (e->by_ref) {
        int rc = grant_begin(d, r, (unsigned)e->what, readonly);

        if (rc)
            return rc;
        *m = r->grant[e->what].mfn;
        grant_end(r, (unsigned)e->what, readonly);
    } else {
        *m = e->what;
        if (!own(r, *m))
            return XEN_GNTST_bad_page;
    }
    if (mframe[*m].owner != (int)r->id || (!readonly && other_use(&mframe[*m], FRAME_WRITABLE)))
        return XEN_GNTST_general_error;
    return XEN_GNTST_okay;
}

int model_copy_grant(struct mdomain *d, const struct mend *from, const struct mend *to, unsigned n)
{
    struct mdomain *a, *b;
    uint64_t ma, mb;
    int rc = copy_find(d, from, &a);

    if (!rc)
        rc = copy_find(d, to, &b);
    if (!rc)
        rc = copy_take(d, a, from, true, &ma);
    if (!rc)
        rc = copy_take(d, b, to, false, &mb);
    if (rc)
        return rc;
    if (from->offset + n > 4096 || to->offset + n > 4096)
        return XEN_GNTST_bad_copy_arg;
    if (mframe[ma].shared || mframe[mb].shared)
        memmove((char *)mframe[mb].word + to->offset, (char *)plat_map(mfn(ma)) + from->offset,
                mframe[mb].shared ? 0 : n);
    else
        memmove((char *)mframe[mb].word + to->offset, (char *)mframe[ma].word + from->offset, n);
    return XEN_GNTST_okay;
}
