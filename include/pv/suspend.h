/* SPDX-License-Identifier: MIT */
/*
 * suspend.h - what a guest is asked to do from outside, and the longest sleep: to be saved, and to
 * go on in another domain, perhaps on another machine.
 *
 * The toolstack asks by the store: it writes a word to control/shutdown, which we take away as a
 * sign that it was read. For "suspend" it then waits until the guest calls pv_suspend(), writes the
 * guest's memory to a file, and destroys the domain. On restore there is a new domain with the same
 * memory in other machine frames: the toolstack corrects the page tables and the p2m, and nothing
 * else, so nobody may keep a machine frame anywhere.
 *
 * The order of a suspend; the kernel's part is in the left column:
 *
 *     pv_control_request() == XEN_SHUTDOWN_suspend
 *     other guests' grants are unmapped, other vCPUs down
 *     pv_suspend()
 *                      drafts are sealed (tree.h), devices let go, events off, windows unmapped,
 *                      start_info made portable
 *                                         ... saved, restored ...
 *                      windows, console, VIRQs, store and devices are opened again, the guest's
 *                      clock goes on and its alarm is set (time.h)
 *     a runstate area is registered again
 *
 * Reference: abi/sched.h, abi/start_info.h.
 */
#ifndef PV_SUSPEND_H
#define PV_SUSPEND_H

#include <pv/types.h>
#include <pv/abi/sched.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What the toolstack asks for: XEN_SHUTDOWN_poweroff, _reboot, _suspend or _crash (for "halt" it is
 * poweroff), and tells it that we know. -XEN_ENOENT: nothing; -XEN_EINVAL: a word that we don't
 * know, which is taken away as well; others: the store's errors. To be asked now and then, or from
 * a watch on "control/shutdown".
 */
int pv_control_request(void);

/*
 * Sleeps until the guest is restored. On vCPU 0, with all others down.
 *
 * Returns 0 in the new domain. Handlers of vCPU 0's VIRQs, of the console and of the store have
 * moved to new ports and are masked or not as before; all other ports are gone, with their
 * handlers. Watches hold and fire once. The console's text continues. The system time is that of
 * the machine on which we woke up; pv_time_up() and its alarm go on, other deadlines and a runstate
 * area are not set. Tables that are in no tree and not pinned must be none.
 *
 * Returns 1 if the same domain goes on, because it was only copied or could not be saved: all is as
 * before, but the devices have met their back-ends anew as well.
 *
 * Requests that a disk had under way are made again; a device that does not come back answers
 * -XEN_EIO.
 *
 * -XEN_ENODEV: there is no store or no console that could be handed over; -XEN_E* of a table's
 * hypercall or of the store after the restore. Hypervisors without a toolstack end the guest.
 */
int pv_suspend(void);

#ifdef __cplusplus
}
#endif
#endif
