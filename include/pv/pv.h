/* SPDX-License-Identifier: MIT */
/*
 * pv.h - all of libpv.
 *
 * In reading order: types.h, host.h (what a kernel gives), start.h, console.h, trap.h, cpu.h,
 * pagetable.h, space.h, tree.h, batch.h, event.h, sched.h, time.h, vcpu.h, fpu.h, grant.h, ring.h,
 * memory.h, xenstore.h, suspend.h, xenbus.h, block.h, net.h and hypercall.h (the floor on which the
 * others stand). abi/ is the wire format below that.
 */
#ifndef PV_PV_H
#define PV_PV_H

#include <pv/types.h>
#include <pv/host.h>
#include <pv/start.h>
#include <pv/console.h>
#include <pv/trap.h>
#include <pv/cpu.h>
#include <pv/pagetable.h>
#include <pv/space.h>
#include <pv/tree.h>
#include <pv/batch.h>
#include <pv/event.h>
#include <pv/sched.h>
#include <pv/time.h>
#include <pv/vcpu.h>
#include <pv/fpu.h>
#include <pv/grant.h>
#include <pv/ring.h>
#include <pv/memory.h>
#include <pv/xenstore.h>
#include <pv/suspend.h>
#include <pv/xenbus.h>
#include <pv/block.h>
#include <pv/net.h>
#include <pv/hypercall.h>

#endif
