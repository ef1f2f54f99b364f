/* SPDX-License-Identifier: MIT */
/*
 * abi/xenbus.h - the states of a device's two ends, which each writes to its "state" in the store.
 *
 *      front  Initialising ─────────► Initialised ─► Connected ─► Closing ─► Closed
 *      back   Initialising ─► InitWait ────────────► Connected ─► Closing ─► Closed
 *
 * An end writes only its own state, and reads the other's. Before InitWait the back-end has written
 * what it can do; before Initialised the front-end where its ring and its event channel are.
 *
 * Reference: xen/include/public/io/xenbus.h (libxen-dev).
 */
#ifndef PV_ABI_XENBUS_H
#define PV_ABI_XENBUS_H

#define XEN_XenbusStateUnknown       0 /* there is no such node */
#define XEN_XenbusStateInitialising  1
#define XEN_XenbusStateInitWait      2
#define XEN_XenbusStateInitialised   3
#define XEN_XenbusStateConnected     4
#define XEN_XenbusStateClosing       5
#define XEN_XenbusStateClosed        6
#define XEN_XenbusStateReconfiguring 7
#define XEN_XenbusStateReconfigured  8

#endif
