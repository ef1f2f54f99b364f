/* SPDX-License-Identifier: MIT
 *
 * hostview_publish.h - bring the page that the host reads (hostview.h) up to date.
 */
#ifndef HV_HOSTVIEW_PUBLISH_H
#define HV_HOSTVIEW_PUBLISH_H

#include "../hostview.h"

extern struct hostview hostview; /* in section .hostview, linked at HOSTVIEW_ADDRESS */

/* x86/ tells what the machine has, once, before hv_start(). */
void hostview_init(uint64_t low_size, uint64_t ram_size);
void hostview_publish(void);
/* The same, if the last one is older than a tenth of a second: for busy paths. */
void hostview_refresh(uint64_t now);

#endif
