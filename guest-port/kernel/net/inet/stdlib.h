/* SPDX-License-Identifier: MIT */
/* stdlib.h - lwIP's mem.c includes it for malloc (here net_malloc, see lwipopts.h), netif.c for atoi. */
#ifndef INET_STDLIB_H
#define INET_STDLIB_H
#include <stddef.h>

int atoi(const char *s);

#endif
