/* SPDX-License-Identifier: MIT */
/*
 * tree.c - trees of tables: drafts in plain memory, then pinned, then plain memory again.
 *
 * Invariant: either all tables of a tree are protected and both level-4 tables are pinned, or none
 * is. The tables of a small tree, which most are, are remembered; those of others are found by
 * walking.
 */
#include <pv/tree.h>
#include <pv/abi/errno.h>
#include <pv/batch.h>
#include <pv/host.h>
#include "internal.h"

#define SLOTS 512
#define L4    4

static struct pv_tree *trees;

static int turn(pfn_t table, bool protect)
{
    return protect ? pv_pt_protect(table) : pv_pt_unprotect(table);
}

/* Protects, or unprotects, the table and all below it. Most slots are empty. */
static int turn_by_walk(pfn_t table, unsigned level, bool protect)
{
    const uint64_t *slot = pv_host_page_va(table);

    for (unsigned at = 0; level > 1 && at < SLOTS; at += 8) {
        const uint64_t *e = slot + at;

        if (!(e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7]))
            continue;
        for (unsigned i = at; i < at + 8; i++) {
            pv_pte_t below = {slot[i]};
            bool ours = pv_pte_is_present(below) && (level < L4 || pv_space_user_slot(i));
            int err = ours ? turn_by_walk(pv_pte_pfn(below), level - 1, protect) : 0;

            if (err)
                return err;
        }
    }
    return turn(table, protect);
}

static int turn_all(const struct pv_tree *t, bool protect)
{
    int err = turn(t->space.user, protect);

    if (err == 0 && t->tables > PV_TREE_SMALL)
        return turn_by_walk(t->space.kernel, L4, protect);
    for (unsigned i = 0; i < t->tables && err == 0; i++)
        err = turn(pfn(t->table[i]), protect);
    return err ? err : turn(t->space.kernel, protect);
}

static void enlist(struct pv_tree *t)
{
    bool state = pv_lock();

    t->from = &trees;
    t->next = trees;
    if (trees)
        trees->from = &t->next;
    trees = t;
    pv_unlock(state);
}

static void delist(struct pv_tree *t)
{
    bool state = pv_lock();

    *t->from = t->next;
    if (t->next)
        t->next->from = t->from;
    pv_unlock(state);
}

int pv_tree_begin(struct pv_tree *t, pfn_t root)
{
    pfn_t user = pv_frame_alloc();

    if (!pfn_valid(user))
        return -XEN_ENOMEM;
    __builtin_memset(pv_host_page_va(user), 0, PV_PAGE_SIZE);
    *t = (struct pv_tree){.space = {root, user}};
    enlist(t);
    return 0;
}

/* The user's part of both level-4 tables is the same. */
int pv_tree_link(struct pv_tree *t, void *slot, pfn_t below)
{
    unsigned index = (uintptr_t)slot % PV_PAGE_SIZE / sizeof(pv_pte_t);
    bool both = pv_start_frame(slot).n == t->space.kernel.n && pv_space_user_slot(index);
    int err = pv_pt_link_slot(slot, below);

    if (err == 0 && t->tables++ < PV_TREE_SMALL)
        t->table[t->tables - 1] = (uint32_t)below.n;
    return err || !both ? err : pv_pt_set(t->space.user, index, pv_pte(below, PV_TABLE_RIGHTS));
}

int pv_tree_seal(struct pv_tree *t)
{
    int err;

    if (t->sealed)
        return 0;
    pv_lazy_begin(NULL);
    err = turn_all(t, true);
    if (err == 0)
        err = pv_pt_pin(t->space.user, L4);
    if (err == 0)
        err = pv_pt_pin(t->space.kernel, L4);
    if (err) /* no memory to remember a table by: all are plain memory again */
        turn_all(t, false);
    pv_lazy_end();
    t->sealed = err == 0;
    return err;
}

int pv_tree_seal_all(void)
{
    int err = 0;

    for (struct pv_tree *t = trees; t && err == 0; t = t->next)
        err = pv_tree_seal(t);
    return err;
}

int pv_tree_load(struct pv_tree *t)
{
    int err = pv_tree_seal(t);

    return err ? err : pv_space_switch(&t->space);
}

void pv_tree_end(struct pv_tree *t)
{
    delist(t);
    if (t->sealed) {
        pv_lazy_begin(NULL);
        pv_pt_unpin(t->space.user);
        pv_pt_unpin(t->space.kernel);
        turn_all(t, false);
        pv_lazy_end();
        t->sealed = false;
    }
    pv_host_page_free(t->space.user);
}
