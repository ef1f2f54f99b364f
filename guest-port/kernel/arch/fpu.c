/* SPDX-License-Identifier: MIT */
/*
 * fpu.c - FPU, SSE and AVX registers: their configuration, and where they are while a thread
 * sleeps.
 *
 * XSAVE where there is one, FXSAVE else. The kernel itself uses none of these registers, so those
 * of the current thread stay loaded while it is in the kernel.
 */
#include "cpu.h"
#include "fpu.h"
#include "proc.h"
#include "slab.h"
#include "string.h"

u64 fpu_area_size = 512;
static u64 fpu_mask;
static void *fpu_clean;
static struct kmem_cache *fpu_cache;

static void fpu_store(void *area)
{
    if (fpu_mask)
        __asm__ volatile("xsave64 (%0)" ::"r"(area), "a"((u32)fpu_mask), "d"((u32)(fpu_mask >> 32))
                         : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

static void fpu_load(const void *area)
{
    if (fpu_mask)
        __asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"((u32)fpu_mask), "d"((u32)(fpu_mask >> 32))
                         : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

void fpu_init(void)
{
    u32 a, b, c, d;

    cpuid(1, 0, &a, &b, &c, &d);
    if (c & (1u << 26)) { /* XSAVE */
        cpuid(13, 0, &a, &b, &c, &d);
        fpu_mask = a & 0xe7; /* x87, SSE, AVX, AVX-512 */
        xsave_enable(fpu_mask);
        cpuid(13, 0, &a, &b, &c, &d);
        fpu_area_size = ALIGN_UP(b, 64u);
    }
    fpu_cache = kmem_cache_create("fpu", fpu_area_size, 64);
    fpu_clean = kmem_cache_alloc(fpu_cache, GFP_KERNEL | GFP_ZERO);
    __asm__ volatile("fninit");
    u32 mxcsr = 0x1f80;
    __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
    fpu_store(fpu_clean);
}

void *fpu_new(void)
{
    void *p = kmem_cache_alloc(fpu_cache, GFP_KERNEL);
    if (p)
        memcpy(p, fpu_clean, fpu_area_size);
    return p;
}

void fpu_free(void *p)
{
    if (p)
        kmem_cache_free(fpu_cache, p);
}

/* The area of the current thread is stale while it runs; this brings it up to date. */
void fpu_sync(struct thread *t)
{
    if (t == current && t->arch.fpu)
        fpu_store(t->arch.fpu);
}

void fpu_reset(struct thread *t)
{
    memcpy(t->arch.fpu, fpu_clean, fpu_area_size);
    fpu_load(t->arch.fpu);
}

/* After the current thread's area was changed (signal return). The header of an XSAVE area must not
 * be the user's: reserved bits there would fault. */
void fpu_reload(struct thread *t)
{
    u8 *area = t->arch.fpu;
    u32 *mxcsr = (u32 *)(area + 24);

    *mxcsr &= 0xffbf;
    if (fpu_mask) {
        u64 *hdr = (u64 *)(area + 512);
        hdr[0] &= fpu_mask;
        for (int i = 1; i < 8; i++)
            hdr[i] = 0;
    }
    fpu_load(area);
}

void fpu_switch(struct thread *prev, struct thread *next)
{
    if (prev->arch.fpu)
        fpu_store(prev->arch.fpu);
    if (next->arch.fpu)
        fpu_load(next->arch.fpu);
}
