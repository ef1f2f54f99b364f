/* SPDX-License-Identifier: MIT
 *
 * control_ops.h - between the channel (control.c) and the operations (control_ops.c).
 */
#ifndef HV_CORE_CONTROL_OPS_H
#define HV_CORE_CONTROL_OPS_H

#include "control.h"

/* Do what r asks: a value of at least 0, or the errno of the reason that was recorded last; or
 * -XEN_ERESTART: call again, with `again` true, the next time that there is work. */
long control_perform(const struct control_request *r, bool again);

/* No client has anything (their buffers were another machine's). */
void control_clients_forget(void);

#endif
