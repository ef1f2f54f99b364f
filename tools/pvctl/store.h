/* SPDX-License-Identifier: MIT
 *
 * store.h - the guests' store, seen from the host.
 */
#ifndef PVCTL_STORE_H
#define PVCTL_STORE_H

#include "channel.h"

/* Write text to a path. 0, or EXIT_USAGE after a sentence. */
int store_put(struct channel *c, const char *path, const char *text);

#endif
