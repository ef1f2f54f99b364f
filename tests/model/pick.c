/* SPDX-License-Identifier: MIT
 *
 * pick.c - random choices that know what the model knows.
 */
#include "ops.h"

static uint64_t state;

void random_seed(uint64_t seed)
{
    state = seed * 2 + 1;
}

/* splitmix64 */
static uint64_t next(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

uint64_t random_below(uint64_t n)
{
    return next() % n;
}

bool chance(unsigned percent)
{
    return random_below(100) < percent;
}

/* A frame of d's that passes, from a random place on; 0: there is none. */
static uint64_t scan(struct mdomain *d, bool (*good)(const struct mframe *, unsigned), unsigned arg)
{
    uint64_t start = random_below(FRAMES);

    for (uint64_t i = 0; i < FRAMES; i++) {
        uint64_t m = (start + i) % FRAMES;

        if (mframe[m].owner == (int)d->id && !mframe[m].shared && good(&mframe[m], arg))
            return m;
    }
    return 0;
}

static bool is_any(const struct mframe *f, unsigned arg)
{
    (void)f;
    (void)arg;
    return true;
}

static bool is_used(const struct mframe *f, unsigned type)
{
    return f->uses[type];
}

static bool is_unused(const struct mframe *f, unsigned arg)
{
    (void)arg;
    for (unsigned t = 0; t < FRAME_TYPES; t++)
        if (f->uses[t])
            return false;
    return true;
}

uint64_t pick_own(struct mdomain *d)
{
    return scan(d, is_any, 0);
}

uint64_t pick_used(struct mdomain *d, unsigned type)
{
    uint64_t m = scan(d, is_used, type);

    return m ? m : pick_own(d);
}

uint64_t pick_unused(struct mdomain *d)
{
    uint64_t m = scan(d, is_unused, 0);

    return m ? m : pick_own(d);
}

static uint64_t shared_frame(struct mdomain *d)
{
    for (uint64_t i = 0, start = random_below(FRAMES); i < FRAMES; i++)
        if (mframe[(start + i) % FRAMES].owner == (int)d->id && mframe[(start + i) % FRAMES].shared)
            return (start + i) % FRAMES;
    return 0;
}

uint64_t pick_any(struct mdomain *d)
{
    if (chance(80))
        return pick_own(d);
    switch (random_below(6)) {
    case 0:
        return pick_own(&mdomain[1 + random_below(GUESTS)]);
    case 1:
        return hosted_io_frame();
    case 2:
        return 1; /* the M2P's first */
    case 3:
        return random_below(FRAMES);
    case 4:
        return FRAMES + random_below(1000);
    default:
        return 0xffffffffffull;
    }
}

unsigned pick_slot(unsigned level)
{
    static const unsigned l4[] = {64, 64, 64, 0, 1, 272, 300, 511, 256, 271};

    if (level == 4)
        return l4[random_below(10)];
    if (level == 1)
        return (unsigned)random_below(chance(90) ? 176 : 512);
    return (unsigned)random_below(chance(90) ? 4 : 512);
}

static uint64_t soft_flags(void)
{
    uint64_t e = 0;

    if (chance(60))
        e |= PTE_US;
    if (chance(50))
        e |= PTE_A;
    if (chance(40))
        e |= PTE_D;
    if (chance(10))
        e |= PTE_NX;
    if (chance(10))
        e |= random_below(8) << 9;
    if (chance(4))
        e |= random_below(1024) << 52;
    return e;
}

static uint64_t l1_entry(struct mdomain *d)
{
    uint64_t m, flags = PTE_P | soft_flags();

    if (chance(10)) { /* shared_info and the like: they may be mapped, too */
        m = shared_frame(d);
        flags |= chance(50) ? PTE_RW : 0;
    } else if (chance(45)) {
        m = chance(80) ? pick_used(d, FRAME_WRITABLE) : pick_unused(d);
        flags |= PTE_RW;
    } else {
        m = pick_any(d);
        flags |= chance(25) ? PTE_RW : 0;
    }
    if (chance(3))
        flags |= chance(50) ? PTE_PAT : chance(50) ? PTE_PCD : PTE_PWT;
    if (chance(5))
        flags |= PTE_G;
    return m << 12 | flags;
}

uint64_t pick_entry(struct mdomain *d, unsigned level)
{
    uint64_t m, flags = PTE_P | soft_flags();

    if (chance(30))
        return chance(80) ? 0 : random_below(1 << 20) << 1;
    if (level <= 1)
        return l1_entry(d);
    flags |= chance(70) ? PTE_RW : 0;
    if (chance(50))
        m = pick_used(d, level - 1);
    else if (chance(50))
        m = pick_unused(d);
    else if (chance(60)) {
        m = pick_used(d, level); /* a linear mapping */
        flags &= chance(80) ? ~PTE_RW : ~0ull;
    } else {
        m = pick_any(d);
    }
    if (chance(3))
        flags |= chance(50) ? PTE_PS : chance(50) ? PTE_G : PTE_PCD;
    return m << 12 | flags;
}

uint64_t pick_va(struct mdomain *d)
{
    uint64_t va;

    (void)d;
    if (chance(75))
        return HOSTED_BASE + (random_below(176) << 12);
    if (chance(4))
        return 0xffff800000000000ull + random_below(1ull << 43);
    if (chance(4))
        return 0x0000900000000000ull;
    va = (uint64_t)pick_slot(4) << 39 | (uint64_t)pick_slot(3) << 30 |
         (uint64_t)pick_slot(2) << 21 | (uint64_t)pick_slot(1) << 12;
    return va >= 1ull << 47 ? va | 0xffff000000000000ull : va;
}
