/* SPDX-License-Identifier: MIT */
/*
 * random.c - random numbers: xoshiro256**, seeded and stirred from clocks.
 *
 * Good for ports, stack addresses and /dev/urandom of a teaching machine; not for secrets.
 */
#include "arch.h"
#include "string.h"

static u64 s[4] = {0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0x2545f4914f6cdd1d};

static u64 rotl(u64 x, int k)
{
    return x << k | x >> (64 - k);
}

u64 random_u64(void)
{
    u64 f = irq_save(), r, t;

    s[0] ^= rdtsc();
    r = rotl(s[1] * 5, 7) * 9;
    t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    irq_restore(f);
    return r;
}

void random_bytes(void *buf, size_t n)
{
    u8 *p = buf;

    while (n) {
        u64 v = random_u64();
        size_t k = MIN(n, sizeof(v));

        memcpy(p, &v, k);
        p += k;
        n -= k;
    }
}
