/* SPDX-License-Identifier: MIT
 *
 * config.h - what the user wants run: from a JSON file or from flags.
 *
 * Both ways fill the same structure and pass the same checks (plan_check()). Every
 * complaint is one sentence naming the file or option, the place and the cure; the
 * functions return 0 or EXIT_USAGE.
 */
#ifndef PVCTL_CONFIG_H
#define PVCTL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unpack.h"

enum {
    MAX_GUESTS = 64,
    MAX_GUEST_VCPUS = 32,
    MAX_CMDLINE = 1023, /* start_info's field, without its end */
    MAX_NAME = 31,
    MAX_DISKS = 16, /* of one guest, and of the machine */
    MAX_FORWARDS = 16,
};

#define MIB                (1ull << 20)
#define DEFAULT_GUEST_MEM  (64 * MIB)
#define SMALLEST_GUEST_MEM (2 * MIB)
#define DOM0_MIB           384 /* of the Linux that has the back-ends on Xen */

enum peer { ON_SHIM, ON_XEN };

/* A guest's network card, or none; with NET_USER the machine's switch has a way out. */
enum net_kind { NET_NONE, NET_SWITCH, NET_USER };

/* A port of the host's loopback that leads to one of the guest that has 10.0.2.15. */
struct forward {
    unsigned host, guest;
};

/* A guest's disk, xvda, xvdb ... in their order: a file, or part of it. */
struct disk {
    char *file;
    bool readonly;
    unsigned part;           /* a partition's number; 0: none */
    uint64_t first, sectors; /* a slice, in sectors of 512 bytes; 0, 0: all of it */
    unsigned drive;          /* after plan_check(): which of the plan's drives */
};

/* A file that is a disk of the machine, whoever uses it. */
struct drive {
    const char *file;
    uint64_t sectors, device, inode;
    bool writable;
};
/* What guests are on Xen: its only domain, or domains beside a Linux that has back-ends. */
enum role { AS_CHOSEN, AS_DOM0, AS_DOMU };

struct guest {
    char *name, *kernel, *ramdisk, *cmdline;
    struct unpacked unpacked; /* after plan_check(): what is in the kernel's file, if a bzImage */
    uint64_t mem;             /* bytes; 0: not said */
    unsigned vcpus;           /* 0: not said */
    struct disk disk[MAX_DISKS];
    unsigned disks;
    enum net_kind net;
    bool net_said;
    char *mac;       /* NULL: by the guest's number */
    uint64_t rate;   /* bytes a second that it may send; 0: any */
    bool needs_more; /* than the hypervisor: its image says so */
};

struct plan {
    enum peer on;
    bool on_said;
    enum role as;     /* after plan_check(), AS_CHOSEN no more if on Xen */
    unsigned timeout; /* seconds; 0: none */
    char *machine;    /* name of its directory; NULL: chosen */
    char *console;    /* file for the whole serial line */
    char *cpu;        /* QEMU's -cpu */
    char *hv_args;    /* more of the hypervisor's command line */
    uint64_t memory;  /* of the machine, bytes; 0: enough for the guests */
    bool icount, gdb, keep, stages, verbose, quiet;
    bool up;   /* in the background, and stays when there is no guest */
    bool json; /* up: tells of the machine so */
    char **qemu_args;
    size_t nr_qemu_args;
    struct guest guest[MAX_GUESTS];
    size_t guests;
    struct drive drive[MAX_DISKS];
    unsigned drives;
    struct forward forward[MAX_FORWARDS];
    unsigned forwards;
    bool networked, uplink; /* after plan_check(): some guest has a card, or NET_USER */
};

/* "64M" -> bytes. 0 if text is not a size (a whole number and K, M or G). */
uint64_t size_parse(const char *text);
/* "banana" -> why that is not a size, for the end of a sentence. */
const char *size_cure(const char *text);

/* Read a configuration file into *p. Paths in it are relative to the file. */
int plan_from_file(struct plan *p, const char *path);
/* The same from text; `dir` is what relative paths are relative to. */
int plan_from_json(struct plan *p, const char *path, const char *text, size_t len, const char *dir);
/* Read `run`'s arguments (argv[0] is the first of them). */
int plan_from_args(struct plan *p, int argc, char **argv);
/* Defaults, limits, names; then the preflight of every file. */
int plan_check(struct plan *p);
void plan_free(struct plan *p);

#endif
