/* SPDX-License-Identifier: MIT
 *
 * time.c - system time, wall clock, runstates, and the guests' timers.
 *
 * A guest computes system time from its own TSC by the scale in vcpu_time_info; plat_now() uses
 * the same scale (time_of_tsc), so the two never disagree. Records that guests read have a
 * version: odd, change, even, with release fences for a reader on another processor.
 *
 * One-shot and periodic timers end as VIRQ_TIMER of their vCPU. A deadline that has passed is
 * delivered at once, without a detour by the heap.
 */
#include "time.h"
#include "event.h"
#include "guest_mem.h"
#include "sched.h"
#include <pv/abi/sched.h>
#include <stdatomic.h>

static const uint64_t SECOND = 1000000000;

void time_set_scale(uint64_t khz)
{
    uint64_t hz = khz * 1000, unit = SECOND;
    int8_t shift = 0;

    /* ns = (ticks << shift) * mul / 2^32, with mul as large as 32 bits allow */
    while (unit > 2 * hz) {
        hz <<= 1;
        shift++;
    }
    while (unit <= hz) {
        hz >>= 1;
        shift--;
    }
    hv.tsc_khz = khz;
    hv.tsc_shift = shift;
    unit = (unit << 31) / hz * 2;
    while (unit > UINT32_MAX) {
        unit >>= 1;
        hv.tsc_shift++;
    }
    hv.tsc_to_system_mul = (uint32_t)unit;
}

/* -- vcpu_time_info ------------------------------------------------------------ */

/* One scale, from the boot on: a guest computes to the nanosecond what plat_now() does, so that no
 * timer of its own seems early to it. */
static void fill_time(struct xen_vcpu_time_info *t)
{
    t->tsc_timestamp = hv.tsc_base;
    t->system_time = 0;
    t->tsc_to_system_mul = hv.tsc_to_system_mul;
    t->tsc_shift = hv.tsc_shift;
    t->flags = XEN_PVCLOCK_TSC_STABLE_BIT;
}

static void copy_to_area(struct vcpu *v, pv_gptr_t area, const struct xen_vcpu_time_info *t)
{
    uint32_t version = t->version | 1;

    /* Only a hint: an area that went away is the guest's own affair. */
    if (guest_copy_out(area, &version, sizeof(version)))
        return;
    guest_copy_out(gptr_add(area, 4), (const char *)t + 4, sizeof(*t) - 4);
    guest_copy_out(area, &t->version, sizeof(t->version));
    (void)v;
}

/* Kernel addresses are meant, whatever mode v is in. */
static bool kernel_tables_in(struct vcpu *v)
{
    if (v->kernel_mode)
        return false;
    plat_root_load(v->root[1]);
    return true;
}

static void kernel_tables_out(struct vcpu *v, bool loaded)
{
    if (loaded)
        plat_root_load(v->root[0]);
}

void time_publish(struct vcpu *v)
{
    struct xen_vcpu_time_info *t = &v->info->time;

    t->version++;
    atomic_thread_fence(memory_order_release);
    fill_time(t);
    atomic_thread_fence(memory_order_release);
    t->version++;
    if (v->time_registered && hv.cpu[0].loaded == v) {
        bool in = kernel_tables_in(v);

        copy_to_area(v, v->time_area, t);
        kernel_tables_out(v, in);
    }
}

void time_publish_wallclock(struct domain *d)
{
    struct xen_shared_info *s = d->shared;
    uint64_t ns = hv.wall_ns + (uint64_t)d->time_offset;

    s->wc_version++;
    atomic_thread_fence(memory_order_release);
    s->wc_sec = (uint32_t)(ns / SECOND);
    s->wc_sec_hi = (uint32_t)(ns / SECOND >> 32);
    s->wc_nsec = (uint32_t)(ns % SECOND);
    atomic_thread_fence(memory_order_release);
    s->wc_version++;
}

/* -- runstates ------------------------------------------------------------------- */

void runstate_set(struct vcpu *v, int32_t state, uint64_t now)
{
    struct xen_vcpu_runstate_info *r = &v->runstate;

    if (now > r->state_entry_time) {
        r->time[r->state] += now - r->state_entry_time;
        r->state_entry_time = now;
    }
    r->state = state;
}

void runstate_publish(struct vcpu *v)
{
    struct xen_vcpu_runstate_info r = v->runstate;
    pv_gptr_t entry =
        gptr_add(v->runstate_area, offsetof(struct xen_vcpu_runstate_info, state_entry_time));
    bool in, flag = v->domain->vm_assist & (1ull << XEN_VMASST_TYPE_runstate_update_flag);

    if (!v->runstate_registered || hv.cpu[0].loaded != v)
        return;
    in = kernel_tables_in(v);
    if (flag) {
        r.state_entry_time |= XEN_RUNSTATE_UPDATE;
        guest_copy_out(entry, &r.state_entry_time, 8);
        atomic_thread_fence(memory_order_release); /* the guest sees the flag before any change */
    }
    guest_copy_out(v->runstate_area, &r, sizeof(r));
    if (flag) {
        r.state_entry_time &= ~XEN_RUNSTATE_UPDATE;
        atomic_thread_fence(memory_order_release); /* ... and all changes before it goes */
        guest_copy_out(entry, &r.state_entry_time, 8);
    }
    kernel_tables_out(v, in);
}

void runstate_get(const struct vcpu *v, struct xen_vcpu_runstate_info *to)
{
    uint64_t now = plat_now();

    *to = v->runstate;
    if (now > to->state_entry_time)
        to->time[to->state] += now - to->state_entry_time;
}

/* -- timers ------------------------------------------------------------------------ */

static void singleshot_fire(struct timer *t)
{
    evtchn_virq(t->owner, XEN_VIRQ_TIMER);
}

static void periodic_fire(struct timer *t)
{
    struct vcpu *v = t->owner;
    uint64_t now = plat_now(), next = v->period_next + v->period;

    if (next <= now) /* missed ticks are one tick */
        next += (now - next) / v->period * v->period + v->period;
    v->period_next = next;
    timer_set(t, next);
    evtchn_virq(v, XEN_VIRQ_TIMER);
}

void time_vcpu_init(struct vcpu *v)
{
    timer_init(&v->singleshot, singleshot_fire, v);
    timer_init(&v->periodic, periodic_fire, v);
    timer_init(&v->poll_timer, sched_poll_timeout, v);
    v->runstate.state = XEN_RUNSTATE_offline;
    v->runstate.state_entry_time = plat_now();
}

void time_vcpu_exit(struct vcpu *v)
{
    timer_stop(&v->singleshot);
    timer_stop(&v->periodic);
    timer_stop(&v->poll_timer);
}

void periodic_set(struct vcpu *v, uint64_t period)
{
    timer_stop(&v->periodic);
    v->period = period;
    if (!period)
        return;
    v->period_next = plat_now() + period;
    stage_reached(v->domain, STAGE_timer);
    timer_set(&v->periodic, v->period_next);
}

void singleshot_set(struct vcpu *v, uint64_t deadline)
{
    stage_reached(v->domain, STAGE_timer);
    if (deadline <= plat_now()) {
        timer_stop(&v->singleshot);
        evtchn_virq(v, XEN_VIRQ_TIMER);
    } else {
        timer_set(&v->singleshot, deadline);
    }
}

long hc_set_timer_op(struct vcpu *v, uint64_t timeout)
{
    if (timeout == 0)
        timer_stop(&v->singleshot);
    else if ((int64_t)timeout < 0 || (timeout > plat_now() && (timeout - plat_now()) >> 50))
        /* A time that wrapped, or a kernel that means "never": soon, but not at once. */
        timer_set(&v->singleshot, plat_now() + SECOND / 10);
    else
        singleshot_set(v, timeout);
    return 0;
}
