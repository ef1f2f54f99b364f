/* SPDX-License-Identifier: MIT */
/*
 * ifconf.c - interfaces and routes as ifconfig and route see them: the SIOC ioctls.
 *
 * lwIP's lo0 is shown as "lo". The only route that can be set is the default one: lwIP derives the
 * others from the interfaces' addresses.
 */
#include "errno.h"
#include "inet.h"
#include "netdev.h"
#include "proc.h"
#include "uaccess.h"

#include "lwip/dhcp.h"
#include "lwip/netif.h"

#define SIOCADDRT      0x890b
#define SIOCDELRT      0x890c
#define SIOCGIFNAME    0x8910
#define SIOCGIFCONF    0x8912
#define SIOCGIFFLAGS   0x8913
#define SIOCSIFFLAGS   0x8914
#define SIOCGIFADDR    0x8915
#define SIOCSIFADDR    0x8916
#define SIOCGIFDSTADDR 0x8917
#define SIOCGIFBRDADDR 0x8919
#define SIOCSIFBRDADDR 0x891a
#define SIOCGIFNETMASK 0x891b
#define SIOCSIFNETMASK 0x891c
#define SIOCGIFMETRIC  0x891d
#define SIOCGIFMTU     0x8921
#define SIOCSIFMTU     0x8922
#define SIOCGIFHWADDR  0x8927
#define SIOCGIFINDEX   0x8933
#define SIOCGIFTXQLEN  0x8942
#define SIOCGIFMAP     0x8970

#define IFF_UP        0x1
#define IFF_BROADCAST 0x2
#define IFF_LOOPBACK  0x8
#define IFF_RUNNING   0x40
#define RTF_GATEWAY   0x2

struct ifreq {
    char name[16];
    union {
        struct sockaddr_in addr;
        struct {
            u16 family;
            u8 data[14];
        } hw;
        s16 flags;
        s32 value;
        u8 raw[24];
    };
};
_Static_assert(sizeof(struct ifreq) == 40, "struct ifreq");

struct ifconf {
    s32 len, pad;
    struct ifreq __user *req;
};

struct rtentry {
    u64 pad1;
    struct sockaddr_in dst, gateway, genmask;
    u16 flags;
    s16 pad2;
    u64 pad3;
    u64 pad4[2];
    s16 metric;
    char __user *dev;
    u64 mtu, window;
    u16 irtt;
};

static bool is_lo(const struct netif *nif)
{
    return nif->name[0] == 'l' && nif->name[1] == 'o';
}

static void show_name(const struct netif *nif, char name[16])
{
    memset(name, 0, 16);
    if (is_lo(nif))
        strlcpy(name, "lo", 16);
    else
        strlcpy(name, ((struct netdev *)nif->state)->name, 16);
}

static struct netif *find_if(const char *name)
{
    struct netif *nif;
    char is[16];

    NETIF_FOREACH(nif)
    {
        show_name(nif, is);
        if (strncmp(is, name, 15) == 0)
            return nif;
    }
    return NULL;
}

static struct netif *nth_if(int index)
{
    struct netif *nif;

    NETIF_FOREACH(nif)
    {
        if (netif_get_index(nif) == index)
            return nif;
    }
    return NULL;
}

static struct sockaddr_in in_addr(u32 addr)
{
    return (struct sockaddr_in){.family = AF_INET, .addr = addr};
}

static s16 flags_of(const struct netif *nif)
{
    s16 f = is_lo(nif) ? IFF_LOOPBACK : IFF_BROADCAST;

    if (netif_is_up(nif))
        f |= IFF_UP;
    if (netif_is_up(nif) && netif_is_link_up(nif))
        f |= IFF_RUNNING;
    return f;
}

static long list_interfaces(unsigned long arg)
{
    struct ifconf c;
    struct netif *nif;
    s32 used = 0;

    if (copy_from_user(&c, (void __user *)arg, sizeof(c)))
        return -EFAULT;
    NETIF_FOREACH(nif)
    {
        struct ifreq r = {.addr = in_addr(ip4_addr_get_u32(netif_ip4_addr(nif)))};

        if (c.req && used + (s32)sizeof(r) > c.len)
            break;
        show_name(nif, r.name);
        if (c.req && copy_to_user((u8 __user *)c.req + used, &r, sizeof(r)))
            return -EFAULT;
        used += (s32)sizeof(r);
    }
    c.len = used;
    return copy_to_user((void __user *)arg, &c, sizeof(c));
}

static long get_value(struct netif *nif, unsigned cmd, struct ifreq *r)
{
    u32 ip = ip4_addr_get_u32(netif_ip4_addr(nif)), mask = ip4_addr_get_u32(netif_ip4_netmask(nif));

    switch (cmd) {
    case SIOCGIFFLAGS:
        r->flags = flags_of(nif);
        return 0;
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
        r->addr = in_addr(ip);
        return ip || cmd == SIOCGIFDSTADDR ? 0 : -EADDRNOTAVAIL;
    case SIOCGIFBRDADDR:
        r->addr = in_addr(is_lo(nif) ? 0 : ip | ~mask);
        return 0;
    case SIOCGIFNETMASK:
        r->addr = in_addr(mask);
        return 0;
    case SIOCGIFMETRIC:
        r->value = 0;
        return 0;
    case SIOCGIFMTU:
        r->value = nif->mtu;
        return 0;
    case SIOCGIFINDEX:
        r->value = netif_get_index(nif);
        return 0;
    case SIOCGIFTXQLEN:
        r->value = 256;
        return 0;
    case SIOCGIFHWADDR:
        r->hw.family = is_lo(nif) ? 772 : 1;
        memset(r->hw.data, 0, sizeof(r->hw.data));
        memcpy(r->hw.data, nif->hwaddr, nif->hwaddr_len);
        return 0;
    case SIOCGIFMAP:
        memset(r->raw, 0, sizeof(r->raw));
        return 0;
    }
    return -EINVAL;
}

static void set_address(struct netif *nif, u32 addr)
{
    ip4_addr_t ip = {addr}, mask = *netif_ip4_netmask(nif);

    if (ip4_addr_isany_val(mask)) { /* the class decides until SIOCSIFNETMASK comes */
        u8 top = (u8)(addr & 255);

        mask.addr = lwip_htonl(top < 128 ? 0xff000000u : top < 192 ? 0xffff0000u : 0xffffff00u);
    }
    if (!is_lo(nif))
        dhcp_stop(nif);
    netif_set_addr(nif, &ip, &mask, netif_ip4_gw(nif));
    netif_set_up(nif); /* as Linux does */
}

static long set_value(struct netif *nif, unsigned cmd, const struct ifreq *r)
{
    ip4_addr_t a;

    if (!capable())
        return -EPERM;
    switch (cmd) {
    case SIOCSIFFLAGS:
        if (r->flags & IFF_UP)
            netif_set_up(nif);
        else
            netif_set_down(nif);
        return 0;
    case SIOCSIFADDR:
        if (r->addr.family != AF_INET)
            return -EINVAL;
        set_address(nif, r->addr.addr);
        return 0;
    case SIOCSIFNETMASK:
        a.addr = r->addr.addr;
        netif_set_netmask(nif, &a);
        return 0;
    case SIOCSIFBRDADDR: /* follows from address and mask */
        return 0;
    case SIOCSIFMTU:
        if (r->value < 576 || r->value > (is_lo(nif) ? 65535 : 1500))
            return -EINVAL;
        nif->mtu = (u16_t)r->value;
        return 0;
    }
    return -EINVAL;
}

static long change_route(unsigned cmd, unsigned long arg)
{
    struct rtentry rt;
    struct netif *nif = netif_default;
    ip4_addr_t gw;

    if (!capable())
        return -EPERM;
    if (copy_from_user(&rt, (void __user *)arg, sizeof(rt)))
        return -EFAULT;
    if (rt.dst.addr != 0) /* lwIP knows the networks of its interfaces */
        return cmd == SIOCADDRT && !(rt.flags & RTF_GATEWAY) ? 0 : -EOPNOTSUPP;
    if (!nif)
        return -ENETUNREACH;
    gw.addr = cmd == SIOCADDRT ? rt.gateway.addr : 0;
    netif_set_gw(nif, &gw);
    return 0;
}

static bool is_setter(unsigned cmd)
{
    return cmd == SIOCSIFFLAGS || cmd == SIOCSIFADDR || cmd == SIOCSIFNETMASK ||
           cmd == SIOCSIFBRDADDR || cmd == SIOCSIFMTU;
}

long inet_ioctl(struct socket *s, unsigned cmd, unsigned long arg)
{
    struct ifreq r;
    struct netif *nif;
    long ret;

    if (cmd == SIOCGIFCONF)
        return list_interfaces(arg);
    if (cmd == SIOCADDRT || cmd == SIOCDELRT)
        return change_route(cmd, arg);
    if (cmd < SIOCGIFNAME || cmd > SIOCGIFMAP)
        return -ENOTTY;
    if (copy_from_user(&r, (void __user *)arg, sizeof(r)))
        return -EFAULT;
    nif = cmd == SIOCGIFNAME ? nth_if(r.value) : find_if(r.name);
    if (!nif)
        return -ENODEV;
    if (is_setter(cmd))
        return set_value(nif, cmd, &r);
    ret = 0;
    if (cmd == SIOCGIFNAME)
        show_name(nif, r.name);
    else
        ret = get_value(nif, cmd, &r);
    return ret ? ret : copy_to_user((void __user *)arg, &r, sizeof(r));
}
