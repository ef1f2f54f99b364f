/* SPDX-License-Identifier: MIT */
/*
 * mmu: work of any length. A hypercall of a hundred thousand parts must not keep events from a
 * guest; it is interrupted, events are delivered, and it goes on where it was, so that its caller
 * sees nothing of that but the time.
 */
#include "mmu.h"

#define COUNT 60000

static struct xen_mmu_update *list; /* in frames of the guest's own, mapped in the window's L2 */
static volatile unsigned ticks;
static uint32_t timer_port;

static void tick(uint32_t port)
{
    (void)port;
    ticks++;
}

static void timer_on(uint64_t period_ns)
{
    struct xen_vcpu_set_periodic_timer p = {.period_ns = period_ns};

    timer_port = rt_bind_virq(XEN_VIRQ_TIMER, 0);
    rt_on_port(timer_port, tick);
    ticks = 0;
    T_EQ(rt_vcpu(XEN_VCPUOP_set_periodic_timer, 0, &p), 0);
}

static void timer_off(void)
{
    T_EQ(rt_vcpu(XEN_VCPUOP_stop_periodic_timer, 0, NULL), 0);
    rt_close(timer_port);
}

/* COUNT entries of 16 bytes are 235 pages: of the pool, in a row of the window's second L1. */
static bool get_list(void)
{
    uint64_t va = WIN + (2ul << 20);
    uint64_t *l1;

    if (list)
        return true;
    l1 = rt_build_l1(va);
    for (unsigned i = 0; i < (COUNT * 16 + PAGE - 1) / PAGE; i++) {
        if (!T_EQ(rt_mmu_update(rt_maddr(&l1[i]), t_pte(rt_page(), PTE_RW)), 0))
            return false;
    }
    list = (struct xen_mmu_update *)va;
    return true;
}

void mmu_long_batch(void)
{
    uint8_t *page = rt_page();
    uint32_t done = 1;

    if (!get_list())
        return;
    for (unsigned i = 0; i < COUNT; i++)
        list[i] = (struct xen_mmu_update){
            .ptr = t_ptr(i & 511), .val = i < COUNT - 512 ? t_pte(page, PTE_RW) | (i & 1) << 9 : 0};
    timer_on(1000000);
    int64_t ret = rt_call4(HC(mmu_update), (uint64_t)list, COUNT, (uint64_t)&done, XEN_DOMID_SELF);
    unsigned seen = ticks;
    timer_off();
    T_EQ(ret, 0);
    T_EQ(done, COUNT);
    T_OK(seen >= 1); /* events came in while it lasted */
    for (unsigned i = 0; i < 512; i++)
        T_EQ(t_l1[i], 0);
    /* A bad one in the middle: what is done is counted over all parts. */
    list[40000].val = 1ul << 51 | PTE_RW;
    timer_on(1000000);
    ret = rt_call4(HC(mmu_update), (uint64_t)list, COUNT, (uint64_t)&done, XEN_DOMID_SELF);
    timer_off();
    T_EQ(ret, -XEN_EPERM);
    T_EQ(done, 40000);
    for (unsigned i = 0; i < 512; i++)
        T_EQ(rt_mmu_update(t_ptr(i), 0), 0);
    t_flush();
    rt_page_free(page);
}

void mmu_long_multicall(void)
{
    if (!get_list())
        return;
    struct xen_multicall_entry *e = (struct xen_multicall_entry *)list;
    unsigned n = COUNT * 16 / sizeof(*e), bad = 0;

    for (unsigned i = 0; i < n; i++)
        e[i] = (struct xen_multicall_entry){.op = HC(update_va_mapping),
                                            .result = 77,
                                            .args = {t_win(i & 511), 0, XEN_UVMF_INVLPG}};
    timer_on(1000000);
    int64_t ret = rt_call2(HC(multicall), (uint64_t)e, n);
    unsigned seen = ticks;
    timer_off();
    T_EQ(ret, 0);
    T_OK(seen >= 1);
    for (unsigned i = 0; i < n; i++)
        bad += e[i].result != 0;
    T_EQ(bad, 0);
}

/* Sixty-four full tables under one root: pinned and unpinned, with events in between. */
void mmu_long_pin(void)
{
    uint64_t *l4 = rt_page(), *l3 = rt_page(), *l2 = rt_page(), *l1[64];
    uint8_t *data = rt_page();

    for (unsigned i = 0; i < 64; i++) {
        l1[i] = rt_page();
        for (unsigned k = 0; k < 512; k++)
            l1[i][k] = t_pte(data, PTE_RW);
        rt_make_ro(l1[i]);
        l2[i] = t_pte(l1[i], PTE_RW);
    }
    l3[0] = t_pte(l2, PTE_RW);
    l4[0] = t_pte(l3, PTE_RW);
    rt_make_ro(l2);
    rt_make_ro(l3);
    rt_make_ro(l4);
    timer_on(1000000);
    for (int round = 0; round < 4; round++) {
        T_EQ(pin(4, l4), 0);
        T_EQ(rt_va_map((uint64_t)l1[63], t_pte(l1[63], PTE_RW), XEN_UVMF_INVLPG), -XEN_EBUSY);
        T_EQ(rt_va_map((uint64_t)data, t_pte(data, PTE_RO), XEN_UVMF_INVLPG), 0);
        T_EQ(pin(1, data), -XEN_EINVAL); /* 32,768 writable mappings stand against it */
        T_EQ(unpin(l4), 0);
        T_EQ(pin(1, data), 0); /* none any more */
        T_EQ(unpin(data), 0);
        T_EQ(rt_va_map((uint64_t)data, t_pte(data, PTE_RW), XEN_UVMF_INVLPG), 0);
    }
    timer_off();
    for (unsigned i = 0; i < 64; i++)
        give_back(l1[i]);
    give_back(l2);
    give_back(l3);
    give_back(l4);
    rt_page_free(data);
}
