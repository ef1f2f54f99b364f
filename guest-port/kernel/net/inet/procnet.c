/* SPDX-License-Identifier: MIT */
/*
 * procnet.c - /proc/net: dev, route, tcp, udp, arp, as ifconfig, route, netstat and arp read them.
 *
 * The columns are Linux's; addresses are printed as the number that lies in memory, in hex.
 */
#include "inet.h"
#include "initcall.h"
#include "netdev.h"
#include "procfs.h"

#include "lwip/etharp.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/raw.h"
#include "lwip/udp.h"

static void show_device(void *arg, const char *name, const struct netdev *d)
{
    seq_printf(arg,
               "%6s: %7lu %7lu    0 %4lu    0     0          0         0 %8lu %7lu %4lu    0    0"
               "     0       0          0\n",
               name, d->rx_bytes, d->rx_packets, d->rx_dropped, d->tx_bytes, d->tx_packets,
               d->tx_errors);
}

static void show_dev(struct seq *s)
{
    seq_printf(s, "Inter-|   Receive                                                |  Transmit\n"
                  " face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
                  "packets errs drop fifo colls carrier compressed\n");
    netdev_each(show_device, s);
}

static const char *device_name(const struct netif *nif)
{
    return nif->name[0] == 'l' ? "lo" : ((const struct netdev *)nif->state)->name;
}

static void show_route(struct seq *s)
{
    struct netif *nif;

    seq_printf(s, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\t"
                  "IRTT\n");
    NETIF_FOREACH(nif)
    {
        u32 ip = ip4_addr_get_u32(netif_ip4_addr(nif));
        u32 mask = ip4_addr_get_u32(netif_ip4_netmask(nif));
        u32 gw = ip4_addr_get_u32(netif_ip4_gw(nif));

        if (!netif_is_up(nif) || nif->name[0] == 'l')
            continue;
        if (gw && nif == netif_default)
            seq_printf(s, "%s\t00000000\t%08X\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
                       device_name(nif), gw);
        if (ip)
            seq_printf(s, "%s\t%08X\t00000000\t0001\t0\t0\t0\t%08X\t0\t0\t0\n", device_name(nif),
                       ip & mask, mask);
    }
}

static void show_end(struct seq *s, unsigned n, u32 lip, u16 lport, u32 rip, u16 rport, unsigned st)
{
    seq_printf(s,
               "%4u: %08X:%04X %08X:%04X %02X 00000000:00000000 00:00000000 00000000     0        0"
               " 0 1 0 0 0 0 0 0\n",
               n, lip, lport, rip, rport, st);
}

/* lwIP's enum tcp_state, from CLOSED, as Linux numbers them. */
static const u8 tcp_states[] = {7, 10, 2, 3, 1, 4, 5, 8, 11, 9, 6};

static void show_tcp(struct seq *s)
{
    unsigned n = 0;

    seq_printf(s, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
                  "uid  timeout inode\n");
    for (struct tcp_pcb_listen *l = tcp_listen_pcbs.listen_pcbs; l; l = l->next)
        show_end(s, n++, ip_addr_get_ip4_u32(&l->local_ip), l->local_port, 0, 0, 10);
    struct tcp_pcb *lists[] = {tcp_active_pcbs, tcp_tw_pcbs};
    for (int i = 0; i < 2; i++)
        for (struct tcp_pcb *p = lists[i]; p; p = p->next)
            show_end(s, n++, ip_addr_get_ip4_u32(&p->local_ip), p->local_port,
                     ip_addr_get_ip4_u32(&p->remote_ip), p->remote_port,
                     p->state < ARRAY_SIZE(tcp_states) ? tcp_states[p->state] : 7);
}

static void show_udp(struct seq *s)
{
    unsigned n = 0;

    seq_printf(s, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
                  "uid  timeout inode ref pointer drops\n");
    for (struct udp_pcb *p = udp_pcbs; p; p = p->next)
        show_end(s, n++, ip_addr_get_ip4_u32(&p->local_ip), p->local_port,
                 ip_addr_get_ip4_u32(&p->remote_ip), p->remote_port, p->remote_port ? 1 : 7);
}

static void show_arp(struct seq *s)
{
    seq_printf(s,
               "IP address       HW type     Flags       HW address            Mask     Device\n");
    for (size_t i = 0; i < ARP_TABLE_SIZE; i++) {
        ip4_addr_t *ip;
        struct netif *nif;
        struct eth_addr *mac;
        char text[16];

        if (!etharp_get_entry(i, &ip, &nif, &mac))
            continue;
        ip4addr_ntoa_r(ip, text, sizeof(text));
        seq_printf(s,
                   "%-16s 0x1         0x2         %02x:%02x:%02x:%02x:%02x:%02x     *        %s\n",
                   text, mac->addr[0], mac->addr[1], mac->addr[2], mac->addr[3], mac->addr[4],
                   mac->addr[5], device_name(nif));
    }
}

static void show_nothing(struct seq *s)
{
    seq_printf(s, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
                  "uid  timeout inode\n");
}

static void show_unix(struct seq *s)
{
    seq_printf(s, "Num       RefCount Protocol Flags    Type St Inode Path\n");
}

static int procnet_init(void)
{
    procfs_add("net/dev", show_dev, NULL);
    procfs_add("net/route", show_route, NULL);
    procfs_add("net/tcp", show_tcp, NULL);
    procfs_add("net/udp", show_udp, NULL);
    static const char *const empty[] = {"net/raw", "net/tcp6", "net/udp6", "net/raw6"};
    for (size_t i = 0; i < ARRAY_SIZE(empty); i++)
        procfs_add(empty[i], show_nothing, NULL);
    procfs_add("net/unix", show_unix, NULL);
    return procfs_add("net/arp", show_arp, NULL);
}
late_initcall(procnet_init);
