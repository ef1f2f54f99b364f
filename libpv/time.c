/* SPDX-License-Identifier: MIT */
/*
 * time.c - clocks that the hypervisor publishes in shared memory, and timers.
 *
 * Published numbers come with a version that is odd while they change: copy, and believe the copy
 * only if the version before and after is the same even one.
 */
#include <pv/time.h>
#include <pv/cpu.h>
#include <pv/event.h>
#include <pv/host.h>
#include <pv/hypercall.h>
#include <pv/sched.h>
#include "internal.h"

uint64_t pv_time_scale(const struct xen_vcpu_time_info *t, uint64_t tsc)
{
    uint64_t delta = tsc - t->tsc_timestamp;

    if (t->tsc_shift >= 0)
        delta <<= t->tsc_shift & 63;
    else
        delta >>= -t->tsc_shift & 63;
    return t->system_time + (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
}

/* Volatile, not atomic: a compiler addresses the fields one by one then, by the pointer. */
static inline uint64_t now_by(const volatile struct xen_vcpu_time_info *shared)
{
    struct xen_vcpu_time_info t;
    uint64_t tsc;

    do {
        t.version = shared->version;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        tsc = pv_cpu_tsc(); /* first: the rest can stay in registers */
        t.tsc_timestamp = shared->tsc_timestamp;
        t.system_time = shared->system_time;
        t.tsc_to_system_mul = shared->tsc_to_system_mul;
        t.tsc_shift = shared->tsc_shift;
        /* The hypervisor's writes of the next version come after our reads of this one. */
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((t.version & 1) || t.version != shared->version);
    return pv_time_scale(&t, tsc);
}

uint64_t pv_time_now(void)
{
    return now_by(&pv_vcpu_info()->time);
}

void pv_time_wall(struct pv_wall_time *now)
{
    const struct xen_shared_info *s = pv_machine.shared;
    uint64_t sec, nsec;
    uint32_t version;

    do {
        version = __atomic_load_n(&s->wc_version, __ATOMIC_ACQUIRE);
        sec = (uint64_t)__atomic_load_n(&s->wc_sec_hi, __ATOMIC_RELAXED) << 32 |
              __atomic_load_n(&s->wc_sec, __ATOMIC_RELAXED);
        nsec = __atomic_load_n(&s->wc_nsec, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((version & 1) || version != __atomic_load_n(&s->wc_version, __ATOMIC_RELAXED));
    nsec += pv_time_now();
    now->sec = sec + nsec / 1000000000;
    now->nsec = (uint32_t)(nsec % 1000000000);
}

int pv_time_set_deadline(uint64_t when)
{
    return (int)pv_hypercall_set_timer_op(when);
}

/* The guest's own clock --------------------------------------------------------------------- */

static uint64_t epoch; /* the system time at which it was 0 */
static uint64_t alarm; /* on it; 0: none */

void pv_time_begin(uint64_t up)
{
    epoch = now_by(&pv_vcpu_infos[0]->time) - up; /* no hook may be called yet */
    if (alarm)
        pv_time_alarm(alarm);
}

uint64_t pv_time_up(void)
{
    return pv_time_now() - epoch;
}

void pv_time_alarm(uint64_t up)
{
    alarm = up;
    pv_time_set_deadline(epoch + up);
}

static void run_tick(uint32_t port, void *tick, struct pv_regs *regs)
{
    (void)port, (void)regs;
    ((void (*)(void))(uintptr_t)tick)();
}

int pv_time_handle(void (*tick)(void))
{
    uint32_t port;
    int err = pv_event_bind_virq(XEN_VIRQ_TIMER, 0, &port);

    if (err == 0)
        err = pv_time_set_period(0);
    if (err == 0)
        err = pv_event_handle(port, run_tick, (void *)(uintptr_t)tick);
    if (err == 0)
        pv_event_unmask(port);
    return err;
}

static uint64_t date_offset;

uint64_t pv_time_date(void)
{
    struct pv_wall_time now;

    pv_time_wall(&now);
    return now.sec + date_offset;
}

void pv_time_set_date(uint64_t sec)
{
    date_offset += sec - pv_time_date();
}

int pv_time_set_period(uint64_t period)
{
    struct xen_vcpu_set_periodic_timer op = {.period_ns = period};

    if (!period)
        return (int)pv_hypercall_vcpu_op(XEN_VCPUOP_stop_periodic_timer, pv_host_cpu(), NULL);
    return (int)pv_hypercall_vcpu_op(XEN_VCPUOP_set_periodic_timer, pv_host_cpu(), &op);
}

void pv_time_sleep(uint64_t ns)
{
    uint64_t end = pv_time_now() + ns;

    while (pv_time_now() < end)
        pv_sched_poll(NULL, 0, end);
}

int pv_time_runstate(unsigned vcpu, struct xen_vcpu_runstate_info *out)
{
    return (int)pv_hypercall_vcpu_op(XEN_VCPUOP_get_runstate_info, vcpu, out);
}

int pv_time_runstate_register(struct xen_vcpu_runstate_info *area)
{
    struct xen_vcpu_register_runstate_memory_area op = {.addr.p = pv_arg(area)};

    /* With this the hypervisor marks an area while it writes, as runstate_read() expects. */
    pv_hypercall_vm_assist(XEN_VMASST_CMD_enable, XEN_VMASST_TYPE_runstate_update_flag);
    return (int)pv_hypercall_vcpu_op(XEN_VCPUOP_register_runstate_memory_area, pv_host_cpu(), &op);
}

void pv_time_runstate_read(const struct xen_vcpu_runstate_info *area,
                           struct xen_vcpu_runstate_info *out)
{
    uint64_t before;

    do {
        before = __atomic_load_n(&area->state_entry_time, __ATOMIC_ACQUIRE);
        out->state = __atomic_load_n(&area->state, __ATOMIC_RELAXED);
        for (unsigned i = 0; i < 4; i++)
            out->time[i] = __atomic_load_n(&area->time[i], __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((before & XEN_RUNSTATE_UPDATE) ||
             before != __atomic_load_n(&area->state_entry_time, __ATOMIC_RELAXED));
    out->state_entry_time = before;
}
