/* SPDX-License-Identifier: MIT */
/*
 * traps: what happens to a guest between two of its instructions: events that interrupt its user
 * programs, and segment registers that cannot be loaded again when a virtual CPU goes on.
 */
#include "traps.h"

static volatile unsigned ticks, ticks_in_user;
static struct rt_regs interrupted;

static bool on_tick(struct rt_regs *regs)
{
    ticks++;
    if (regs->cs & 3) {
        ticks_in_user++;
        interrupted = *regs;
    }
    return false; /* and on to the dispatcher */
}

/* A user program is interrupted by timers, and does not notice. */
void user_event(void)
{
    struct rt_regs r = user_regs(USER(fpu_check));
    struct xen_vcpu_set_periodic_timer p = {.period_ns = 1000000};
    uint32_t port = rt_bind_virq(XEN_VIRQ_TIMER, 0);

    ticks = ticks_in_user = 0;
    rt_on(RT_EVENT, on_tick);
    T_EQ(rt_vcpu(XEN_VCPUOP_set_periodic_timer, 0, &p), 0);
    r.rdi = 0x1234567;
    r.rsi = 20000000;
    r.rbx = 0xb;
    r.r11 = 0x11;
    r.r15 = 0xf;
    user_run(&r);
    T_EQ(rt_vcpu(XEN_VCPUOP_stop_periodic_timer, 0, NULL), 0);
    rt_on(RT_EVENT, NULL);
    T_EQ(user_last.vector, 6);
    T_EQ(user_last.rax, 0x1234567);
    T_OK(user_last.rbx == 0xb && user_last.r11 == 0x11 && user_last.r15 == 0xf);
    T_EQ(user_last.rsp, USER_STACK);
    T_OK(ticks_in_user >= 2);
    T_OK(interrupted.rip >= USER_CODE && interrupted.rip < USER_CODE + PAGE);
    T_EQ(interrupted.cs & 0xffff, XEN_FLAT_USER_CS64);
    T_EQ(interrupted.rdi, 0x1234567);
    T_OK(interrupted.rflags & 0x200);
    rt_close(port);
}

static volatile int bystander_stop;
static volatile unsigned bystander_turns;

static void bystander(void *arg)
{
    (void)arg;
    while (!bystander_stop) {
        bystander_turns++;
        rt_sched(XEN_SCHEDOP_yield, NULL);
    }
}

static volatile unsigned failsafes;
static uint64_t failsafe_es;

static bool on_failsafe(struct rt_regs *regs)
{
    (void)regs;
    failsafes++;
    failsafe_es = rt_failsafe_segs[1];
    return true;
}

/*
 * A selector whose descriptor has gone: the virtual CPU that has it loaded is switched away from
 * and back to, and finds itself in the failsafe callback, with the old selectors on its stack.
 */
void failsafe_segments(void)
{
    uint64_t *gdt = rt_page();
    uint16_t sel = 5 << 3 | 3, es;

    gdt[5] = 0x00cff3000000ffff;
    rt_make_ro(gdt);
    uint64_t frames[1] = {rt_mfn(gdt)};
    T_EQ(rt_call2(HC(set_gdt), (uint64_t)frames, 512), 0);
    bystander_stop = 0;
    int64_t ret = rt_vcpu_start(1, bystander, NULL);
    if (ret == -XEN_ENOENT) {
        rt_call2(HC(set_gdt), 0, 0);
        rt_make_rw(gdt);
        rt_page_free(gdt);
        T_NA("one virtual CPU only");
    }
    T_EQ(ret, 0);
    failsafes = 0;
    rt_on(RT_FAILSAFE, on_failsafe);
    __asm__ volatile("mov %0, %%es" ::"r"(sel));
    unsigned turns = bystander_turns;
    for (int i = 0; i < 10000 && bystander_turns < turns + 3; i++)
        rt_sched(XEN_SCHEDOP_yield, NULL);
    __asm__ volatile("mov %%es, %0" : "=r"(es));
    T_EQ(es, sel); /* good while it is good */
    T_EQ(failsafes, 0);
    T_EQ(rt_call2(HC(update_descriptor), rt_maddr(&gdt[5]), 0x00cf73000000ffff), 0);
    turns = bystander_turns;
    for (int i = 0; i < 10000 && bystander_turns < turns + 3; i++)
        rt_sched(XEN_SCHEDOP_yield, NULL);
    __asm__ volatile("mov %%es, %0" : "=r"(es));
    T_EQ(es, 0);
    T_EQ(failsafes, 1);
    T_EQ(failsafe_es & 0xffff, sel);
    rt_on(RT_FAILSAFE, NULL);
    bystander_stop = 1;
    for (int i = 0; i < 100000 && rt_vcpu(XEN_VCPUOP_is_up, 1, NULL) == 1; i++)
        rt_sched(XEN_SCHEDOP_yield, NULL);
    T_EQ(rt_call2(HC(set_gdt), (uint64_t)frames, 0), 0);
    rt_make_rw(gdt);
    rt_page_free(gdt);
}
