/* SPDX-License-Identifier: MIT */
/* nonet.c - a kernel built without lwIP has no use for network cards. */
#include "errno.h"
#include "netdev.h"

__attribute__((weak)) int netdev_register(struct netdev *d)
{
    return -ENODEV;
}

__attribute__((weak)) void netdev_receive(struct netdev *d, const void *frame, size_t len)
{
}

__attribute__((weak)) void netdev_each(void (*fn)(void *, const char *, const struct netdev *),
                                       void *arg)
{
}
