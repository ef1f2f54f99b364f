/* SPDX-License-Identifier: MIT
 *
 * compare.c - the model against the hypervisor: begin alike, and look for what differs.
 */
#include "model.h"
#include <stdio.h>
#include <string.h>

void model_init(void)
{
    memset(mframe, 0, sizeof(mframe));
    memset(mdomain, 0, sizeof(mdomain));
    for (unsigned id = 1; id <= GUESTS; id++) {
        struct mdomain *d = &mdomain[id];

        d->id = id;
        d->d = hv.domain[id];
        d->v = d->d->vcpu[0];
        d->pages = d->d->pages;
        d->max_pages = d->d->max_pages;
        d->root[1] = d->v->root[1].n;
    }
    for (uint64_t m = 0; m < FRAMES; m++) {
        const struct frame *f = &frame_table[m];
        struct mframe *x = &mframe[m];

        if (f->flags & FRAME_FREE) {
            x->owner = OWNER_FREE;
            continue;
        }
        x->owner = f->owner == XEN_DOMID_XEN  ? OWNER_XEN
                   : f->owner == XEN_DOMID_IO ? OWNER_IO
                                              : f->owner;
        x->allocated = f->flags & FRAME_ALLOCATED;
        x->shared = f->flags & FRAME_HV;
        x->pinned = f->flags & FRAME_PINNED ? f->type : 0;
        x->refs = f->refs;
        if (f->type_refs)
            x->uses[f->type] = f->type_refs;
        memcpy(x->word, plat_map(mfn(m)), PV_PAGE_SIZE);
    }
}

static bool compare_frame(uint64_t m)
{
    const struct frame *f = &frame_table[m];
    const struct mframe *x = &mframe[m];
    bool free = f->flags & FRAME_FREE;
    int owner = f->owner == XEN_DOMID_XEN  ? OWNER_XEN
                : f->owner == XEN_DOMID_IO ? OWNER_IO
                                           : f->owner;
    uint32_t uses = 0;

    if (free != (x->owner == OWNER_FREE))
        return false;
    if (free || owner == OWNER_XEN || owner == OWNER_IO)
        return true;
    for (unsigned t = 0; t < FRAME_TYPES; t++)
        uses += x->uses[t];
    if (owner != x->owner || f->refs != x->refs || f->type_refs != uses ||
        (uses && !x->uses[f->type]) || !!(f->flags & FRAME_PINNED) != !!x->pinned)
        return false;
    return x->shared || !memcmp(plat_map(mfn(m)), x->word, PV_PAGE_SIZE);
}

void model_sync(void)
{
    for (uint64_t m = 0; m < FRAMES; m++) {
        const struct frame *f = &frame_table[m];

        if (mframe[m].owner == OWNER_FREE && f->owner == XEN_DOMID_XEN) {
            mframe[m].owner = OWNER_XEN;
        } else if (mframe[m].owner == OWNER_XEN && (f->flags & FRAME_FREE)) {
            mframe[m].owner = OWNER_FREE;
            mframe[m].last = 0;
        }
    }
}

bool model_compare(void)
{
    bool good = true;

    model_sync();
    for (uint64_t m = 0; m < FRAMES; m++) {
        const struct frame *f = &frame_table[m];
        const struct mframe *x = &mframe[m];
        const uint64_t *real = plat_map(mfn(m));

        if (compare_frame(m))
            continue;
        good = false;
        fprintf(
            stderr,
            "frame %lx: owner %d/%u refs %u/%u type_refs %u type %u uses 1:%u 2:%u 3:%u 4:%u s:%u "
            "w:%u pinned %u flags %x (model/real)\n",
            m, x->owner, f->owner, x->refs, f->refs, f->type_refs, f->type, x->uses[1], x->uses[2],
            x->uses[3], x->uses[4], x->uses[5], x->uses[6], x->pinned, f->flags);
        for (unsigned i = 0; i < 512; i++)
            if (real[i] != x->word[i])
                fprintf(stderr, "  word %u: %lx/%lx\n", i, x->word[i], real[i]);
    }
    for (unsigned id = 1; id <= GUESTS; id++)
        if (mdomain[id].pages != mdomain[id].d->pages) {
            fprintf(stderr, "domain %u: pages %lu/%lu\n", id, mdomain[id].pages,
                    mdomain[id].d->pages);
            good = false;
        }
    return good;
}
