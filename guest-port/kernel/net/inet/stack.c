/* SPDX-License-Identifier: MIT */
/*
 * stack.c - lwIP's life in this kernel: memory, time, the network thread, interfaces.
 *
 * The thread runs lwIP's timers; packets come in from drivers' work items, packets go out from
 * whoever sends. All of that is process context, and the kernel is not preemptive, so lwIP is never
 * entered twice.
 */
#include "errno.h"
#include "inet.h"
#include "initcall.h"
#include "netdev.h"
#include "proc.h"
#include "slab.h"
#include "timer.h"
#include "uaccess.h"

#include <stdlib.h>

#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

static struct netdev *devices;
static struct wait_queue thread_wait = WAIT_QUEUE_INIT(thread_wait);
static bool kicked;
static u64 thread_deadline; /* when the thread wakes by itself; 0: it is awake */

void *net_malloc(size_t n)
{
    return kmalloc(n, GFP_ATOMIC);
}

void *net_calloc(size_t count, size_t n)
{
    return kzalloc(count * n, GFP_ATOMIC);
}

void net_free(void *p)
{
    kfree(p);
}

int atoi(const char *s)
{
    return (int)strtoul(s, NULL, 10);
}

u32_t sys_now(void)
{
    return (u32_t)(clock_mono_ns() / NSEC_PER_MSEC);
}

static u64 next_timeout(void)
{
    u32 ms = sys_timeouts_sleeptime();

    if (ms == SYS_TIMEOUTS_SLEEPTIME_INFINITE)
        return TIMEOUT_NEVER;
    return clock_mono_ns() + MAX(ms, 1u) * NSEC_PER_MSEC;
}

void inet_pump(void)
{
    netif_poll_all();
    /* Wake the thread only when a timer has been set that is due before its sleep ends. */
    if (next_timeout() < thread_deadline) {
        kicked = true;
        wake_up(&thread_wait);
    }
}

static void net_thread(void *arg)
{
    for (;;) {
        kicked = false;
        sys_check_timeouts();
        netif_poll_all();
        thread_deadline = next_timeout();
        (void)wait_event_how(&thread_wait, kicked, SLEEP_UNINTR, thread_deadline);
        thread_deadline = 0; /* awake */
    }
}

/* --- cards -------------------------------------------------------------------------------------
 */

static err_t link_output(struct netif *nif, struct pbuf *p)
{
    struct netdev *d = nif->state;
    struct iovec pieces[24];
    unsigned n = 0;

    for (struct pbuf *q = p; q; q = q->next) {
        if (n == ARRAY_SIZE(pieces))
            return ERR_BUF;
        pieces[n++] = (struct iovec){q->payload, q->len};
    }
    if (d->transmit(d, pieces, n)) {
        d->tx_errors++;
        return ERR_IF;
    }
    d->tx_packets++;
    d->tx_bytes += p->tot_len;
    return ERR_OK;
}

static err_t card_init(struct netif *nif)
{
    struct netdev *d = nif->state;

    nif->name[0] = 'e';
    nif->name[1] = 't';
    nif->hostname = "unix";
    nif->output = etharp_output;
    nif->linkoutput = link_output;
    nif->mtu = (u16_t)d->mtu;
    nif->hwaddr_len = 6;
    memcpy(nif->hwaddr, d->mac, 6);
    nif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    if (d->link)
        nif->flags |= NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

static void card_start(struct netdev *d)
{
    struct netif *nif = kzalloc(sizeof(*nif), GFP_KERNEL);
    char how[16];

    if (!nif)
        return;
    netif_add(nif, NULL, NULL, NULL, d, card_init, ethernet_input);
    d->stack = nif;
    if (!netif_default)
        netif_set_default(nif);
    if (cmdline_get("ip", how, sizeof(how)) && strcmp(how, "dhcp") == 0) {
        netif_set_up(nif);
        dhcp_start(nif);
    }
}

static bool started;

int netdev_register(struct netdev *d)
{
    struct netdev **p = &devices;
    int n = 0;

    while (*p) {
        p = &(*p)->next;
        n++;
    }
    snprintf(d->name, sizeof(d->name), "eth%d", n);
    d->next = NULL;
    *p = d;
    if (started)
        card_start(d);
    return 0;
}

void netdev_receive(struct netdev *d, const void *frame, size_t len)
{
    struct netif *nif = d->stack;
    struct pbuf *p;

    d->rx_packets++;
    d->rx_bytes += len;
    if (!nif || len > 0xffff) {
        d->rx_dropped++;
        return;
    }
    p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);
    if (!p) {
        d->rx_dropped++;
        return;
    }
    memcpy(p->payload, frame, len);
    if (nif->input(p, nif) != ERR_OK)
        pbuf_free(p);
    inet_pump();
}

void netdev_each(void (*fn)(void *arg, const char *name, const struct netdev *d), void *arg)
{
    static struct netdev lo = {.name = "lo", .mtu = 65535};

    fn(arg, "lo", &lo);
    for (struct netdev *d = devices; d; d = d->next)
        fn(arg, d->name, d);
}

static void loopback_setup(void)
{
    struct netif *lo = netif_find("lo0");

    if (!lo)
        return;
    lo->mtu = 16384;
    /* Nothing can damage a packet that never leaves memory. */
    NETIF_SET_CHECKSUM_CTRL(lo, NETIF_CHECKSUM_DISABLE_ALL);
}

/* At device level's end drivers may have registered already; later ones start at once. */
static int inet_init(void)
{
    lwip_init();
    loopback_setup();
    started = true;
    for (struct netdev *d = devices; d; d = d->next)
        if (!d->stack)
            card_start(d);
    kthread_start("net", net_thread, NULL);
    return 0;
}
late_initcall(inet_init);
