/* SPDX-License-Identifier: MIT
 *
 * hostview.h - what the host sees of a running shim.
 *
 * The shim's memory is a shared file on the host. At HOSTVIEW_ADDRESS it publishes
 * this page; everything else is found from it. Addresses are machine addresses; the
 * file offset of address a is a for a < low_size, else a - 4 GiB + low_size (QEMU's q35
 * puts what does not fit below its PCI hole above 4 GiB). The shim writes, the
 * host reads; `sequence` is odd while a record changes. Layout is versioned: tools
 * refuse a version that they do not know.
 *
 * The other way, at boot: guests are boot modules, described by their strings:
 *
 *   FILE role=kernel [name=N] [mem=BYTES|nK|nM|nG] [vcpus=N] [disk=D]*
 *        [net=on|ADDRESS|none[,mac=ADDRESS][,rate=BYTES]] -- guest command line
 *   FILE role=ramdisk                         of the kernel module before it
 *   FILE role=disk                            ram0, ram1 ...: a disk in memory
 *
 * where D is NAME[:PARTITION|:FIRST+SECTORS][,ro] (backend/diskspec.h), NAME being vda, vdb ... for
 * the machine's virtio disks in PCI order, or ram0 ...; the guest sees them as xvda, xvdb ...
 * Guests come in the order of their domids (1 ...). A module without role= is a kernel with default
 * settings (64M, 1 vCPU, named by its domid) and the whole string as command line. Options of the shim's own
 * command line: `noexit` (stay after the last guest ended, for `pvctl --keep`), `loglvl=N`,
 * `trace=NAME` with NAME hypercall, trap, switch, bounce or disk.
 * When the last guest has ended the shim writes EXIT_STATUS to QEMU's isa-debug-exit port
 * 0xf4 where there is one (QEMU then exits with status*2+1), else powers off by ACPI.
 */
#ifndef HOSTVIEW_H
#define HOSTVIEW_H

#include <stdint.h>
#include "core/reason.h"

#define HOSTVIEW_ADDRESS 0x200000ull              /* the shim is linked so that this is its first data page */
#define HOSTVIEW_MAGIC   0x776976746f687670ull    /* "pvhostiw" in memory order p v h o t v i w */
#define HOSTVIEW_VERSION 5

/* Exit statuses by isa-debug-exit; the whole story is in the domain table. */
enum { HOSTVIEW_EXIT_OK = 0, HOSTVIEW_EXIT_CRASHED = 1, HOSTVIEW_EXIT_PANIC = 2 };

enum { HOSTVIEW_DOMAINS = 65, HOSTVIEW_NAME = 32 };

enum hostview_state { HV_DOM_NONE, HV_DOM_PAUSED, HV_DOM_RUNNING, HV_DOM_SHUTDOWN, HV_DOM_CRASHED, HV_DOM_DYING };

struct hostview_domain {
    uint16_t domid;
    uint8_t state;                 /* enum hostview_state */
    uint8_t shutdown_code;         /* XEN_SHUTDOWN_* */
    uint16_t vcpus;
    uint16_t pad;
    uint64_t pages, max_pages;
    uint64_t cpu_ns;
    uint64_t reasons;              /* address of its struct reason_ring */
    uint64_t console;              /* address of the kept copy of its console output: a ring */
    uint32_t console_size;         /* its bytes, a power of two */
    uint32_t stages;               /* bits of enum stage (core/stage.h): how far it has come */
    uint64_t console_produced;     /* bytes ever written to it */
    uint64_t disk_requests, disk_read, disk_written; /* the latter two in sectors */
    uint64_t packets, packet_bytes; /* of its network card, both ways */
    char name[HOSTVIEW_NAME];
    uint64_t disk_copied;          /* bytes of these that the processor has moved */
};

/* The trace: what is recorded while its class is switched on (CONTROL_TRACE, trace=NAME). */
enum trace_class {
    TRACE_HYPERCALL = 1 << 0, /* a: number, b: first argument */
    TRACE_TRAP = 1 << 1,      /* a: vector, b: address or error code */
    TRACE_SWITCH = 1 << 2,    /* a: time */
    TRACE_BOUNCE = 1 << 3,    /* a: handler, b: vector */
    TRACE_DISK_ADD = 1 << 4,  /* a request came; a: sector, b: sectors */
    TRACE_DISK_GO = 1 << 5,   /* it goes to the device */
    TRACE_DISK_DONE = 1 << 6,
    TRACE_DISK = TRACE_DISK_ADD | TRACE_DISK_GO | TRACE_DISK_DONE,
    TRACE_ALL = (1 << 7) - 1,
};

struct trace_record {
    uint64_t tsc;
    uint16_t domid, vcpu;
    uint32_t class;
    uint64_t a, b;
};
_Static_assert(sizeof(struct trace_record) == 32, "the host reads it");

enum { TRACE_RECORDS = 1024 };

struct hostview {
    uint64_t magic;
    uint32_t version, size;
    uint64_t sequence;
    uint64_t low_size;             /* RAM below 4 GiB, bytes */
    uint64_t ram_size;
    uint64_t free_pages;
    uint64_t uptime_ns;
    uint64_t first_guest_tsc;      /* TSC when the first guest's first instruction ran */
    uint64_t log;                  /* address of the hypervisor's log ring */
    uint32_t log_size;             /* bytes, a power of two */
    uint32_t ended;                /* all guests have ended; the machine is off or going */
    uint64_t log_produced;         /* bytes ever written to it */
    uint64_t rule_counts;          /* address of uint64_t[RULES] */
    uint32_t rules;                /* RULES of this shim */
    uint32_t domains;              /* entries in use below */
    uint64_t host_reasons;         /* address of the struct reason_ring of what the host was refused */
    uint32_t control;              /* CONTROL_VERSION of control.h; 0: there is no channel */
    uint32_t created;              /* guests that there have ever been */
    uint64_t trace;                /* address of struct trace_record[TRACE_RECORDS] */
    uint64_t trace_count;          /* address of the uint64_t that counts records ever written */
    uint64_t tsc_base, tsc_khz;    /* TSC at system time 0, and its pace */
    struct hostview_domain domain[HOSTVIEW_DOMAINS];
};

#endif
