/* SPDX-License-Identifier: MIT
 *
 * verdict.h - how did the guests end?
 *
 * On Xen this is read from its own lines on the serial line (it does not end QEMU); on the
 * shim from its memory, after QEMU has ended.
 */
#ifndef PVCTL_VERDICT_H
#define PVCTL_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

enum ending { STILL_RUNNING, POWERED_OFF, CRASHED, REBOOTED, ENDED_OTHERWISE, HYPERVISOR_DIED };

/* What a line of Xen's says about the end. */
enum ending verdict_of_xen_line(const char *line);

/* "crashed", "asked for a reboot ...": the end of a sentence about a guest that shut down with
 * a code of the ABI's (SHUTDOWN_*). */
const char *verdict_words(unsigned code);

/* The shim's end: exit status of QEMU (as from waitpid) and the machine's directory. Says
 * a sentence for each guest that did not power off; returns pvctl's exit status. */
int verdict_of_shim(const struct plan *p, const char *dir, int wait_status);

#endif
