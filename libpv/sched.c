/* SPDX-License-Identifier: MIT */
/*
 * sched.c - sched_op: yield, block, poll, shutdown, watchdog.
 *
 * One hypercall each. Invariant: the functions that end the guest do not return, whatever the
 * hypervisor answers. Must never touch events or locks, since these are called from panics.
 */
#include <pv/sched.h>
#include <pv/hypercall.h>

void pv_sched_yield(void)
{
    pv_hypercall_sched_op(XEN_SCHEDOP_yield, NULL);
}

void pv_sched_block(void)
{
    pv_hypercall_sched_op(XEN_SCHEDOP_block, NULL);
}

int pv_sched_poll(const uint32_t *ports, unsigned n, uint64_t deadline)
{
    struct xen_sched_poll poll = {.ports = pv_gptr(ports), .nr_ports = n, .timeout = deadline};

    return (int)pv_hypercall_sched_op(XEN_SCHEDOP_poll, &poll);
}

PV_NORETURN void pv_sched_shutdown(unsigned reason)
{
    struct xen_sched_shutdown how = {.reason = reason};

    for (;;)
        pv_hypercall_sched_op(XEN_SCHEDOP_shutdown, &how);
}

PV_NORETURN void pv_sched_poweroff(void)
{
    pv_sched_shutdown(XEN_SHUTDOWN_poweroff);
}

PV_NORETURN void pv_sched_reboot(void)
{
    pv_sched_shutdown(XEN_SHUTDOWN_reboot);
}

PV_NORETURN void pv_sched_crash(void)
{
    pv_sched_shutdown(XEN_SHUTDOWN_crash);
}

int pv_sched_watchdog(unsigned id, unsigned seconds)
{
    struct xen_sched_watchdog dog = {.id = id, .timeout = seconds};

    return (int)pv_hypercall_sched_op(XEN_SCHEDOP_watchdog, &dog);
}
