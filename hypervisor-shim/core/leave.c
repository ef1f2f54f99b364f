/* SPDX-License-Identifier: MIT
 *
 * leave.c - the end of every entry: do what is pending, choose who runs, deliver its events.
 *
 *   hv_leave ─► no work, no upcall ─────────────────────────► back to the guest
 *            └► work bits: timers, console, devices, ended guests
 *             ─► the policy's choice; nobody: idle until an interrupt
 *             ─► its NMI, its event callback ──────────────► enter it
 *
 * The fast path is what nearly every hypercall takes, and looks at two words. Each pass of
 * the slow path takes the work bits before it acts on them, so that none is lost.
 */
#include "bounce.h"
#include "control.h"
#include "device.h"
#include "event.h"
#include "hostview_publish.h"
#include "sched.h"
#include "timer.h"
#include "../backend/console.h"
#include "../backend/net.h"

static inline bool upcall_due(const struct vcpu *v)
{
    return v->info->evtchn_upcall_pending && !v->info->evtchn_upcall_mask;
}

static void do_work(uint32_t work)
{
    if (work & CPU_WORK_TIMER)
        timer_run(plat_now());
    if (work & CPU_WORK_CONSOLE)
        console_input();
    if (work & CPU_WORK_DEVICE)
        device_work();
    if (work & CPU_WORK_CONTROL)
        control_work();
    if (work & CPU_WORK_NET)
        net_run();
    if (work & CPU_WORK_EXIT)
        domain_bury();
}

static struct vcpu *choose(void)
{
    struct cpu *c = &hv.cpu[0];

    for (;;) {
        uint32_t work = __atomic_exchange_n(&c->work, 0, __ATOMIC_RELAXED);
        struct vcpu *v;

        do_work(work & ~(uint32_t)CPU_WORK_EXIT);
        v = sched_next();
        if (work & CPU_WORK_EXIT)
            do_work(CPU_WORK_EXIT); /* after the processor has left the ended guest's memory */
        if (v && v->state == VCPU_RUNNING)
            return v;
        /* Work that has stopped for an interrupt goes on when that has been taken. */
        if (!c->work || plat_interrupt_pending()) {
            hostview_publish();
            plat_idle();
        }
    }
}

static void deliver_nmi(struct vcpu *v)
{
    v->nmi_pending = 0;
    v->nmi_masked = 1;
    trap_inject(v, 2, 0);
}

static __attribute__((noinline)) struct vcpu *leave_slowly(void)
{
    struct cpu *c = &hv.cpu[0];

    for (;;) {
        struct vcpu *v = choose();

        hostview_refresh(v->runstate.state_entry_time);
        if (unlikely(v->selectors_lost) && !trap_failsafe(v))
            continue;
        if (unlikely(v->nmi_pending && !v->nmi_masked))
            deliver_nmi(v);
        if (v->state == VCPU_RUNNING && upcall_due(v))
            trap_callback(v, CB_EVENT);
        if (v->state != VCPU_RUNNING)
            continue;
        /* What stopped for an interrupt goes on when that was taken: in v's guest. */
        if (likely(!c->work) ||
            (!(c->work & ~(uint32_t)(CPU_WORK_EXIT | CPU_WORK_NET)) && plat_interrupt_pending()))
            return v;
    }
}

struct vcpu *hv_upcall(struct vcpu *v)
{
    uint64_t rip = v->callback[CB_EVENT].rip;

    if (v->cpu->work || !rip)
        return NULL;
    if (v->kernel_mode &&
        likely(bounce_at(v, v->regs.rsp, bounce_kernel_cs(v), rip, BOUNCE_MASK_EVENTS, 0)))
        return v;
    return trap_callback(v, CB_EVENT) ? v : NULL;
}

struct vcpu *hv_leave_slow(struct vcpu *v)
{
    if (v->cpu->work || (upcall_due(v) && !trap_callback(v, CB_EVENT)))
        return leave_slowly();
    return v;
}

struct vcpu *hv_idle(void)
{
    return leave_slowly();
}

struct vcpu *hv_interrupt(struct vcpu *v)
{
    (void)v;
    return leave_slowly();
}
