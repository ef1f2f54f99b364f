/* SPDX-License-Identifier: MIT */
/*
 * lwipopts.h - lwIP as this kernel uses it: IPv4, callbacks only, memory from the slab.
 *
 * NO_SYS is right for a kernel that is not preemptive: lwIP never sleeps, so every call into it is
 * atomic, from a system call as from the network thread. Never call it from an interrupt handler.
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS               1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET          0
#define LWIP_NETCONN         0
#define LWIP_IPV6            0
#define LWIP_TIMERS          1

/* Memory: kmalloc for everything. */
#define MEM_LIBC_MALLOC   1
#define MEMP_MEM_MALLOC   1
#define MEM_ALIGNMENT     16
#define mem_clib_malloc   net_malloc
#define mem_clib_calloc   net_calloc
#define mem_clib_free     net_free
#define PBUF_POOL_BUFSIZE 1600

/* Protocols */
#define LWIP_ARP            1
#define LWIP_ETHERNET       1
#define LWIP_ICMP           1
#define LWIP_BROADCAST_PING 0
#define LWIP_RAW            1
#define LWIP_UDP            1
#define LWIP_TCP            1
#define LWIP_DHCP           1
#define LWIP_DNS            0
#define LWIP_IGMP           0
#define IP_REASSEMBLY       1
#define IP_FRAG             1
#define IP_FORWARD          0
#define MEMP_NUM_REASSDATA  16
#define IP_REASS_MAX_PBUFS  64
#define ARP_QUEUEING        1

#define TCP_MSS             8000 /* as far as the interface's MTU goes: loopback */
#define LWIP_WND_SCALE      1
#define TCP_RCV_SCALE       1
#define TCP_WND             (96 * 1024)
#define TCP_SND_BUF         (96 * 1024)
#define TCP_SND_QUEUELEN    512
#define TCP_SNDLOWAT        (16 * 1024)
#define TCP_SNDQUEUELOWAT   256
#define TCP_QUEUE_OOSEQ     1
#define TCP_LISTEN_BACKLOG  1
#define TCP_OVERSIZE        512
#define LWIP_TCP_TIMESTAMPS 0
#define LWIP_TCP_KEEPALIVE  1
#define SO_REUSE            1
#define SO_REUSE_RXTOALL    0
#define MEMP_NUM_TCP_SEG    4096

/* Interfaces: loopback, and every address of ours is reached through it. */
#define LWIP_HAVE_LOOPIF                   1
#define LWIP_NETIF_LOOPBACK                1
#define LWIP_LOOPBACK_MAX_PBUFS            0
#define LWIP_NETIF_LOOPBACK_MULTITHREADING 0
#define LWIP_NETIF_STATUS_CALLBACK         1
#define LWIP_NETIF_HOSTNAME                1
#define LWIP_CHECKSUM_CTRL_PER_NETIF       1
#define LWIP_CHECKSUM_ON_COPY              0

#define LWIP_STATS                            0
#define LWIP_NOASSERT                         0
#define LWIP_DEBUG                            0
#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS 0

#endif
