/* SPDX-License-Identifier: MIT */
/*
 * fake.c - the hypervisor of straw of fake.h.
 */
#include "fake.h"

struct fake fake;
char fake_memory[NR_PAGES][PV_PAGE_SIZE] __attribute__((aligned(PV_PAGE_SIZE)));
struct xen_shared_info fake_shared;
struct xen_start_info fake_start;

static uint64_t p2m[NR_PAGES], m2p[NR_MFNS];

uint64_t fake_mfn(uint64_t frame)
{
    return FIRST_MFN + (frame * 37 + 11) % NR_PAGES;
}

void fake_reset(void)
{
    memset(&fake, 0, sizeof(fake));
    memset(&fake_shared, 0, sizeof(fake_shared));
    memset(&fake_start, 0, sizeof(fake_start));
    memset(m2p, 0x55, sizeof(m2p));
    for (unsigned i = 0; i < NR_PAGES; i++) {
        p2m[i] = fake_mfn(i);
        m2p[p2m[i]] = i;
    }
    fake_start.nr_pages = NR_PAGES;
    fake_start.mfn_list = (uintptr_t)p2m;
    pv_machine = (struct pv_machine){
        .info = &fake_start,
        .shared = &fake_shared,
        .virt_base = (uintptr_t)fake_memory,
        .p2m = p2m,
        .m2p = m2p,
        .nr_pages = NR_PAGES,
        .m2p_entries = NR_MFNS,
    };
    pv_pte_frames = m2p;
    pv_vcpu_info_init();
}

/* Which argument is an address, and how many bytes are worth keeping. */
static const void *pointed(uint64_t nr, const uint64_t *arg, size_t *bytes)
{
    *bytes = 24;
    switch (nr) {
    case XEN_HYPERVISOR_mmu_update:
        *bytes = 16 * (size_t)arg[1];
        return (const void *)arg[0];
    case XEN_HYPERVISOR_mmuext_op:
        *bytes = 24 * (size_t)arg[1];
        return (const void *)arg[0];
    case XEN_HYPERVISOR_multicall:
        *bytes = 64 * (size_t)arg[1];
        return (const void *)arg[0];
    case XEN_HYPERVISOR_console_io:
        *bytes = arg[1];
        return (const void *)arg[2];
    case XEN_HYPERVISOR_event_channel_op:
    case XEN_HYPERVISOR_sched_op:
        *bytes = 4;
        return (const void *)arg[1];
    default:
        return NULL;
    }
}

int64_t pv_trap(uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    uint64_t arg[5] = {a1, a2, a3, a4, a5};
    size_t bytes;
    const void *from = pointed(nr, arg, &bytes);

    if (fake.calls < PV_ARRAY_SIZE(fake.call)) {
        struct fake_call *c = &fake.call[fake.calls];

        c->nr = nr;
        memcpy(c->arg, arg, sizeof(arg));
        if (from)
            memcpy(c->bytes, from, bytes < sizeof(c->bytes) ? bytes : sizeof(c->bytes));
    }
    fake.calls++;
    return fake.answer ? fake.answer(nr, arg) : 0;
}

uint64_t pv_cpu_tsc(void)
{
    return fake.tsc;
}

void pv_cpu_id(uint32_t leaf, uint32_t subleaf, struct pv_cpuid *out)
{
    (void)leaf, (void)subleaf;
    memset(out, 0, sizeof(*out));
}
