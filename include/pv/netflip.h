/* SPDX-License-Identifier: MIT */
/*
 * netflip.h - page exchange: libpv's own addition to the receive ring of abi/netif.h, by which a
 * packet reaches a guest without being copied. The page that it lies in is exchanged for the
 * buffer that the guest offered.
 *
 *     back-end                     store                          front-end
 *     feature-rx-exchange = 1  -->
 *                                                          <--  request-rx-exchange = 1
 *     (both absent: granted buffers only, as everywhere; request-rx-copy = 1 is written anyhow)
 *
 * A front-end that asked for it posts the same receive requests: a reference to a page of its own,
 * writable, for the back-end's domain. But before, it takes away every mapping of the page that it
 * has itself (an entry of its page tables that maps it is a use, and a page in use can't be
 * exchanged). The back-end then chooses for each packet:
 *
 *     flags has no PV_NETRXF_exchanged   the data were copied into the page, as ever
 *     flags has    PV_NETRXF_exchanged   the page of the request is not the guest's any more. In
 *                                        its stead the guest has another, whose MACHINE frame is
 *                                        now in `frame` of the grant entry, and which is at the
 *                                        same pseudo-physical frame: the M2P says so already; the
 *                                        guest writes its own P2M and maps the page anew
 *
 * A back-end copies whenever an exchange is not possible: the page is still mapped, is pinned or a
 * page table, or the packet is another guest's (guest to guest: exactly one copy). So the front-end
 * must look at the flag of each response, before it reads the packet. The number of pages that a
 * guest has never changes, not even in between.
 *
 * What the guest gives away is scrubbed before another guest may see it, and so is the part of a
 * new page that the packet does not cover, if another guest had the page before.
 *
 * The order: the hypervisor writes M2P and `frame` before it publishes the response.
 */
#ifndef PV_NETFLIP_H
#define PV_NETFLIP_H

#define PV_NETIF_FEATURE_EXCHANGE "feature-rx-exchange"
#define PV_NETIF_REQUEST_EXCHANGE "request-rx-exchange"
#define PV_NETRXF_exchanged       0x8000 /* in xen_netif_rx_response.flags */

#endif
