/* SPDX-License-Identifier: MIT */
/*
 * events: virtual CPUs of one guest. All tests but the codes need a second one.
 */
#include "events.h"

static struct xen_vcpu_guest_context ctx;

void vcpu_codes(void)
{
    rt_vcpu_context(&ctx, 1);
    T_EQ(rt_vcpu(XEN_VCPUOP_initialise, 0, &ctx), -XEN_EEXIST);
    T_EQ(rt_vcpu(XEN_VCPUOP_initialise, 31, &ctx), -XEN_ENOENT);
    T_EQ(rt_vcpu(XEN_VCPUOP_down, 31, NULL), -XEN_ENOENT);
    if (rt_vcpu(XEN_VCPUOP_is_up, 1, NULL) == -XEN_ENOENT)
        T_NA("one virtual CPU only");
    T_EQ(rt_vcpu(XEN_VCPUOP_down, 1, NULL), 0); /* down already: fine */
}

static volatile int ran, ran_cpu, released;
static volatile uint64_t ran_arg, ran_fs;

static void run(void *arg)
{
    uint64_t fs;

    __asm__ volatile("mov %%fs:0, %0" : "=r"(fs));
    ran_fs = fs;
    ran_arg = (uint64_t)arg;
    ran_cpu = rt_cpu();
    ran = 1;
    while (!released)
        rt_sched(XEN_SCHEDOP_yield, NULL);
}

/* The first time: initialised by hand, with page tables that are none before the good ones. */
void vcpu_run(void)
{
    static uint64_t word = 0xf5;

    ran = 0;
    if (rt_vcpu(XEN_VCPUOP_is_up, 1, NULL) == -XEN_ENOENT)
        T_NA("one virtual CPU only");
    T_EQ(rt_vcpu(XEN_VCPUOP_up, 1, NULL), -XEN_EINVAL);
    rt_vcpu_context(&ctx, 1);
    rt_vcpu_task(1, run, (void *)0x1234);
    ctx.fs_base = (uint64_t)&word;
    uint64_t cr3 = ctx.ctrlreg[3];
    ctx.ctrlreg[3] = rt_mfn((void *)t_l1) << 12;
    T_EQ(rt_vcpu(XEN_VCPUOP_initialise, 1, &ctx), -XEN_EINVAL);
    ctx.ctrlreg[3] = 1ul << 50;
    T_EQ(rt_vcpu(XEN_VCPUOP_initialise, 1, &ctx), -XEN_EINVAL);
    ctx.ctrlreg[3] = cr3;
    ctx.fs_base = 0x0000800000000000;
    T_EQ(rt_vcpu(XEN_VCPUOP_initialise, 1, &ctx), -XEN_EINVAL);
    ctx.fs_base = (uint64_t)&word;
    ctx.user_regs.rip = 0x0000800000000000;
    T_EQ(rt_vcpu(XEN_VCPUOP_initialise, 1, &ctx), -XEN_EINVAL);
    rt_vcpu_context(&ctx, 1);
    ctx.fs_base = (uint64_t)&word;
    T_EQ(rt_vcpu_adopt(1, &ctx), 0);
    T_EQ(rt_vcpu(XEN_VCPUOP_initialise, 1, &ctx), -XEN_EEXIST);
    T_EQ(rt_vcpu(XEN_VCPUOP_is_up, 1, NULL), 0);
    T_EQ(rt_vcpu(XEN_VCPUOP_up, 1, NULL), 0);
    T_EQ(rt_vcpu(XEN_VCPUOP_is_up, 1, NULL), 1);
    T_EQ(rt_vcpu(XEN_VCPUOP_up, 1, NULL), 0); /* up already: fine */
    for (int i = 0; i < 10000 && !ran; i++)
        rt_sched(XEN_SCHEDOP_yield, NULL);
    T_EQ(ran, 1);
    T_EQ(ran_cpu, 1);
    T_EQ(ran_arg, 0x1234);
    T_EQ(ran_fs, 0xf5);
    released = 1;
    ev_other_gone();
}

static volatile uint64_t turns;
static volatile int stop;

static void spin(void *arg)
{
    (void)arg;
    while (!stop)
        turns++;
}

/* Down stops it where it is; up lets it go on from there. */
void vcpu_up_down(void)
{
    stop = 0;
    turns = 0;
    if (!ev_other(spin, NULL))
        T_NA("one virtual CPU only");
    for (int i = 0; i < 1000 && !turns; i++)
        t_spin(1000000);
    T_OK(turns > 0);
    T_EQ(rt_vcpu(XEN_VCPUOP_down, 1, NULL), 0);
    T_EQ(rt_vcpu(XEN_VCPUOP_is_up, 1, NULL), 0);
    rt_sched(XEN_SCHEDOP_yield, NULL);
    t_spin(5000000);
    uint64_t then = turns;
    t_spin(40000000);
    T_EQ(turns, then);
    T_EQ(rt_vcpu(XEN_VCPUOP_up, 1, NULL), 0);
    for (int i = 0; i < 1000 && turns == then; i++)
        t_spin(1000000);
    T_OK(turns > then);
    stop = 1;
    ev_other_gone();
}

/* Two busy virtual CPUs on one processor both get on, without a yield. */
void vcpu_share(void)
{
    uint64_t mine = 0;

    stop = 0;
    turns = 0;
    if (!ev_other(spin, NULL))
        T_NA("one virtual CPU only");
    for (uint64_t end = rt_now() + 300000000ul; rt_now() < end;)
        mine++;
    T_OK(turns > 1000);
    T_OK(mine > 1000);
    stop = 1;
    ev_other_gone();
}

static uint32_t ipi0, ipi1;
static volatile unsigned pings;

static void ping(uint32_t port)
{
    (void)port;
    pings++;
    rt_send(ipi0);
}

static void pong_loop(void *arg)
{
    (void)arg;
    rt_events_on();
    while (!stop)
        rt_sched(XEN_SCHEDOP_block, NULL);
}

void vcpu_ipi(void)
{
    stop = 0;
    pings = 0;
    if (rt_vcpu(XEN_VCPUOP_is_up, 1, NULL) == -XEN_ENOENT)
        T_NA("one virtual CPU only");
    ipi0 = rt_bind_ipi(0);
    ipi1 = rt_bind_ipi(1);
    rt_on_port(ipi0, ev_count);
    rt_on_port(ipi1, ping);
    ev_seen[ipi0] = 0;
    T_OK(ev_other(pong_loop, NULL));
    for (unsigned i = 0; i < 500; i++) {
        T_EQ(rt_send(ipi1), 0);
        for (int k = 0; k < 100000 && ev_seen[ipi0] == i; k++)
            rt_sched(XEN_SCHEDOP_yield, NULL);
        if (!T_EQ(ev_seen[ipi0], i + 1))
            break;
    }
    T_EQ(pings, 500);
    stop = 1;
    rt_send(ipi1);
    ev_other_gone();
    rt_close(ipi0);
    rt_close(ipi1);
}

static volatile int other_vec;
static volatile uint64_t other_cr2;

static bool other_fault(struct rt_regs *regs)
{
    if (rt_cpu() != 1)
        return false;
    other_vec = (int)regs->vector;
    other_cr2 = rt_vi()->arch.cr2;
    regs->rip += 2;
    return true;
}

static void fault(void *arg)
{
    __asm__ volatile("mov %%al, (%%rdi)" ::"D"(arg) : "memory"); /* two bytes */
}

void vcpu_traps(void)
{
    other_vec = -1;
    rt_vi()->arch.cr2 = 0x55;
    rt_on(14, other_fault);
    bool there = ev_other(fault, (void *)t_win(33));
    for (int i = 0; there && i < 10000 && other_vec < 0; i++)
        rt_sched(XEN_SCHEDOP_yield, NULL);
    if (there)
        ev_other_gone();
    rt_on(14, NULL);
    if (!there)
        T_NA("one virtual CPU only");
    T_EQ(other_vec, 14);
    T_EQ(other_cr2, t_win(33));
    T_EQ(rt_vi()->arch.cr2, 0x55);
}

static volatile int flush_step;
static volatile uint8_t flush_first, flush_second;

static void flush_other(void *arg)
{
    volatile uint8_t *p = arg;

    flush_first = *p;
    flush_step = 1;
    while (flush_step == 1)
        rt_sched(XEN_SCHEDOP_yield, NULL);
    flush_second = *p;
    flush_step = 3;
}

/* A flush of all virtual CPUs reaches the one that does not run just now. */
void vcpu_flush(void)
{
    uint8_t *a = rt_page(), *b = rt_page();

    *a = 0xa;
    *b = 0xb;
    flush_step = 0;
    T_EQ(rt_va_map(t_win(34), t_pte(a, PTE_RW), 0), 0);
    bool there = ev_other(flush_other, (void *)t_win(34));
    for (int i = 0; there && i < 10000 && flush_step != 1; i++)
        rt_sched(XEN_SCHEDOP_yield, NULL);
    T_EQ(rt_va_map(t_win(34), t_pte(b, PTE_RW), XEN_UVMF_INVLPG | XEN_UVMF_ALL), 0);
    flush_step = 2;
    for (int i = 0; there && i < 10000 && flush_step != 3; i++)
        rt_sched(XEN_SCHEDOP_yield, NULL);
    if (there)
        ev_other_gone();
    T_EQ(rt_va_map(t_win(34), 0, XEN_UVMF_INVLPG | XEN_UVMF_ALL), 0);
    rt_page_free(a);
    rt_page_free(b);
    if (!there)
        T_NA("one virtual CPU only");
    T_EQ(flush_first, 0xa);
    T_EQ(flush_second, 0xb);
}

static volatile unsigned nmis;

static bool on_nmi(struct rt_regs *regs)
{
    (void)regs;
    nmis++;
    return true;
}

void vcpu_nmi(void)
{
    struct xen_callback_register r = {.type = XEN_CALLBACKTYPE_nmi,
                                      .address = (uint64_t)rt_enter_nmi};

    nmis = 0;
    rt_on(2, on_nmi);
    T_EQ(rt_call2(HC(callback_op), XEN_CALLBACKOP_register, (uint64_t)&r), 0);
    T_EQ(rt_vcpu(XEN_VCPUOP_send_nmi, 0, NULL), 0);
    rt_version(XENVER_version, NULL);
    T_EQ(nmis, 1);
    /* It comes through a masked vcpu_info: that is what it is for. */
    rt_events_off();
    T_EQ(rt_vcpu(XEN_VCPUOP_send_nmi, 0, NULL), 0);
    rt_version(XENVER_version, NULL);
    T_EQ(nmis, 2);
    rt_events_on();
    rt_on(2, NULL);
}

/* The last of its kind: a vcpu_info can be moved only once. */
void vcpu_info_move(void)
{
    uint8_t *page = rt_page();
    struct xen_vcpu_register_vcpu_info r = {.mfn = rt_mfn(page), .offset = 4096 - 32};

    T_EQ(rt_vcpu(XEN_VCPUOP_register_vcpu_info, 31, &r), -XEN_ENOENT);
    if (rt_vcpu(XEN_VCPUOP_is_up, 1, NULL) == -XEN_ENOENT)
        T_NA("one virtual CPU only");
    T_EQ(rt_vcpu(XEN_VCPUOP_register_vcpu_info, 1, &r), -XEN_ENXIO); /* over the page's end */
    r.offset = 4;
    T_EQ(rt_vcpu(XEN_VCPUOP_register_vcpu_info, 1, &r), -XEN_ENXIO);
    r.offset = 128;
    r.mfn = 1ul << 40;
    T_EQ(rt_vcpu(XEN_VCPUOP_register_vcpu_info, 1, &r), -XEN_EINVAL);
    r.mfn = rt_mfn((void *)t_l1);
    T_EQ(rt_vcpu(XEN_VCPUOP_register_vcpu_info, 1, &r), -XEN_EINVAL);
    r.mfn = rt_mfn(page);
    T_EQ(rt_vcpu(XEN_VCPUOP_register_vcpu_info, 1, &r), 0);
    T_EQ(rt_vcpu(XEN_VCPUOP_register_vcpu_info, 1, &r), -XEN_EINVAL);
    struct xen_vcpu_info *vi = (struct xen_vcpu_info *)(page + 128);
    T_EQ(vi->evtchn_upcall_pending, 1); /* so that nothing is missed in the move */
    T_OK(vi->time.version == 0 || vi->time.tsc_to_system_mul != 0);
    /* The frame stays writable while it is in use: it cannot become a table. */
    rt_make_ro(page);
    T_EQ(rt_mmuext(XEN_MMUEXT_PIN_L1_TABLE, rt_mfn(page), 0), -XEN_EINVAL);
    rt_make_rw(page);
}
