/* SPDX-License-Identifier: MIT */
/*
 * space.c - address spaces: pairs of L4 tables and the tree below them.
 *
 * Invariants: a user slot holds the same entry in both L4 tables of a space; every table is mapped
 * read-only before it is linked; no frame goes back to the kernel while it is a table.
 */
#include <pv/space.h>
#include <pv/batch.h>
#include <pv/host.h>
#include <pv/hypercall.h>
#include "internal.h"

#define L4        4
#define SLOTS     512
#define HV_FIRST  256
#define HV_LAST   271
#define CANONICAL ((uint64_t)1 << 47)

static struct pv_space kernel_space;

struct pv_space *pv_space_kernel(void)
{
    kernel_space.kernel = pfn((pv_machine.info->pt_base - pv_machine.virt_base) >> PV_PAGE_SHIFT);
    kernel_space.user = PV_PFN_INVALID;
    return &kernel_space;
}

static bool is_hypervisor_slot(unsigned slot)
{
    return slot >= HV_FIRST && slot <= HV_LAST;
}

/* Reads an entry of an upper level, which is never pending in a lazy batch: link() flushes. */
static pv_pte_t peek(pfn_t table, unsigned index)
{
    const uint64_t *entries = pv_host_page_va(table);
    pv_pte_t e = {__atomic_load_n(&entries[index], __ATOMIC_RELAXED)};

    return e;
}

bool pv_space_user_slot(unsigned slot)
{
    return !is_hypervisor_slot(slot) && !pv_pte_is_present(peek(pv_space_kernel()->kernel, slot));
}

/* A zeroed frame that may become a table. */
static pfn_t table_alloc(void)
{
    pfn_t t = pv_frame_alloc();

    if (pfn_valid(t))
        __builtin_memset(pv_host_page_va(t), 0, PV_PAGE_SIZE);
    return t;
}

static void table_free(pfn_t t)
{
    if (pv_pt_unprotect(t) != 0 || pv_lazy_flush() != 0)
        pv_host_panic("a page table that should be free is still in use");
    pv_host_page_free(t);
}

/* Creating ---------------------------------------------------------------------------------- */

static int l4_create(pfn_t *out, bool with_kernel)
{
    pfn_t t = table_alloc();
    uint64_t *entries;
    int err;

    if (!pfn_valid(t))
        return -XEN_ENOMEM;
    entries = pv_host_page_va(t);
    for (unsigned i = 0; with_kernel && i < SLOTS; i++)
        if (!is_hypervisor_slot(i))
            entries[i] = peek(pv_space_kernel()->kernel, i).raw;
    err = pv_pt_protect(t);
    if (err == 0)
        err = pv_pt_pin(t, L4);
    if (err == 0)
        err = pv_lazy_flush();
    if (err)
        table_free(t);
    else
        *out = t;
    return err;
}

static void l4_free(pfn_t t)
{
    if (pv_pt_unpin(t) != 0)
        pv_host_panic("an L4 table could not be unpinned");
    table_free(t);
}

int pv_space_create(struct pv_space *s)
{
    int err = pv_lazy_flush();

    if (err == 0)
        err = l4_create(&s->kernel, true);
    if (err)
        return err;
    err = l4_create(&s->user, false);
    if (err)
        l4_free(s->kernel);
    return err;
}

/* Destroying -------------------------------------------------------------------------------- */

/* Frees a table of the given level and those below it. Nothing refers to it any more. */
static void tree_free(pfn_t table, unsigned level)
{
    for (unsigned i = 0; level > 1 && i < SLOTS; i++) {
        pfn_t below = pv_pte_pfn(peek(table, i));

        if (pfn_valid(below))
            tree_free(below, level - 1);
    }
    table_free(table);
}

int pv_space_destroy(struct pv_space *s)
{
    int err = pv_lazy_flush();

    if (err == 0 && pfn_valid(s->user))
        err = pv_pt_unpin(s->user);
    if (err == 0)
        err = pv_pt_unpin(s->kernel);
    if (err)
        return err;
    for (unsigned i = 0; i < SLOTS; i++) {
        pfn_t below = pv_space_user_slot(i) ? pv_pte_pfn(peek(s->kernel, i)) : PV_PFN_INVALID;

        if (pfn_valid(below))
            tree_free(below, L4 - 1);
    }
    if (pfn_valid(s->user))
        table_free(s->user);
    table_free(s->kernel);
    s->kernel = s->user = PV_PFN_INVALID;
    return 0;
}

/* Switching --------------------------------------------------------------------------------- */

int pv_space_switch(const struct pv_space *s)
{
    mfn_t kernel = pv_p2m(s->kernel);
    mfn_t user = pfn_valid(s->user) ? pv_p2m(s->user) : mfn(0);
    struct xen_mmuext_op op[] = {
        {.cmd = XEN_MMUEXT_NEW_BASEPTR, .arg1.mfn = kernel.n},
        {.cmd = XEN_MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = user.n},
    };
    int err = pv_lazy_flush();

    if (err)
        return err;
    if (!mfn_valid(kernel) || !mfn_valid(user))
        return -XEN_EINVAL;
    return (int)pv_hypercall_mmuext_op(op, PV_ARRAY_SIZE(op), NULL, XEN_DOMID_SELF);
}

/* Mapping ----------------------------------------------------------------------------------- */

static bool is_guest_address(uint64_t va)
{
    return va + CANONICAL < 2 * CANONICAL && !is_hypervisor_slot(pv_pt_index(va, L4));
}

/* Puts a new table of level-1 into entry `index` of `table`, and into the user's L4 if it shows. */
static int link(struct pv_space *s, pfn_t table, unsigned level, unsigned index, pfn_t below)
{
    pv_pte_t e = pv_pte(below, PV_TABLE_RIGHTS);
    bool both = level == L4 && pfn_valid(s->user) && pv_space_user_slot(index);
    int err = pv_pt_protect(below);

    if (err == 0)
        err = pv_pt_set(table, index, e);
    if (err == 0 && both)
        err = pv_pt_set(s->user, index, e);
    return err ? err : pv_lazy_flush();
}

/* Finds the table of level `to` for va; makes what is missing if `s` may grow. */
static int find_table(struct pv_space *s, uint64_t va, bool grow, unsigned to, pfn_t *found)
{
    pfn_t table = s->kernel;

    for (unsigned level = L4; level > to; level--) {
        unsigned index = pv_pt_index(va, level);
        pfn_t below = pv_pte_pfn(peek(table, index));
        int err;

        if (!pfn_valid(below)) {
            if (!grow)
                return -XEN_ENOENT;
            below = table_alloc();
            if (!pfn_valid(below))
                return -XEN_ENOMEM;
            err = link(s, table, level, index, below);
            if (err) {
                table_free(below);
                return err;
            }
        }
        table = below;
    }
    *found = table;
    return 0;
}

static int find_l1(struct pv_space *s, uint64_t va, bool grow, pfn_t *l1)
{
    return find_table(s, va, grow, 1, l1);
}

int pv_space_map(struct pv_space *s, uint64_t va, pfn_t frame, uint64_t rights)
{
    pv_pte_t e = pv_pte(frame, rights);
    pfn_t l1;
    int err;

    if (!is_guest_address(va) || !mfn_valid(pv_p2m(frame)))
        return -XEN_EINVAL;
    err = find_l1(s, va, true, &l1);
    return err ? err : pv_pt_set(l1, pv_pt_index(va, 1), e);
}

int pv_space_map_range(struct pv_space *s, uint64_t va, pfn_t first, uint64_t n, uint64_t rights,
                       uint64_t *done)
{
    uint64_t i;
    int err = 0;

    for (i = 0; i < n && err == 0; i++)
        err = pv_space_map(s, va + (i << PV_PAGE_SHIFT), pfn_add(first, i), rights);
    if (done)
        *done = err ? i - 1 : i;
    return err;
}

int pv_space_unmap(struct pv_space *s, uint64_t va)
{
    pfn_t l1;

    if (!is_guest_address(va))
        return -XEN_EINVAL;
    if (find_l1(s, va, false, &l1) != 0)
        return 0;
    return pv_pt_set(l1, pv_pt_index(va, 1), pv_pte_none());
}

pv_pte_t pv_space_lookup(const struct pv_space *s, uint64_t va)
{
    struct pv_space copy = *s;
    pfn_t l1;

    pv_lazy_flush();
    if (!is_guest_address(va) || find_l1(&copy, va, false, &l1) != 0)
        return pv_pte_none();
    return pv_pt_read(l1, pv_pt_index(va, 1));
}

/* A new level-1 table of the linear map: its entries are complete before it is linked. */
static int map_chunk(struct pv_space *s, pfn_t first, uint64_t n)
{
    uint64_t va = pv_machine.virt_base + (first.n << PV_PAGE_SHIFT);
    pfn_t l1 = table_alloc(), l2;
    int err = pfn_valid(l1) ? find_table(s, va, true, 2, &l2) : -XEN_ENOMEM;

    if (err)
        return err;
    for (unsigned i = 0; i < SLOTS && i < n; i++)
        pv_pt_set(l1, i, pv_pte(pfn_add(first, i), PV_PRESENT | PV_WRITE | PV_NOEXEC));
    return pv_pt_link(l2, pv_pt_index(va, 2), l1);
}

pfn_t pv_space_map_linear(void)
{
    struct pv_space *s = pv_space_kernel();
    pfn_t f = pv_pool_begin();
    uint64_t n = pv_machine.nr_pages;
    int err = 0;

    for (; f.n < n && err == 0; f = pfn_add(f, SLOTS)) {
        err = f.n % SLOTS ? -XEN_EINVAL : map_chunk(s, f, n - f.n);
        if (err == 0)
            pv_pool_extend(f.n + SLOTS < n ? pfn_add(f, SLOTS) : pfn(n));
    }
    f = pv_pool_end();
    return err ? PV_PFN_INVALID : f;
}

int pv_space_map_all_memory(void)
{
    pfn_t f;

    if (pv_lazy_batch())
        return -XEN_EBUSY;
    f = pv_space_map_linear();
    if (!pfn_valid(f))
        return -XEN_ENOMEM;
    pv_pool_resume(f);
    return 0;
}
