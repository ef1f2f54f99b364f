/* SPDX-License-Identifier: MIT
 *
 * hidden.h - given to the compiler before each of the shim's files: every symbol, also those
 * that are only declared, is in this image, so nothing is reached through a table of offsets.
 */
#pragma GCC visibility push(hidden)
/* The inline part of platform.h. */
#define PLAT_ACCESS "../x86/access.h"
