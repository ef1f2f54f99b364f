/* SPDX-License-Identifier: MIT
 *
 * domain.h - guests, their virtual CPUs, and the CPU that runs them.
 *
 *      struct hv ──► domain[domid] ──► vcpu[n] ──► regs, roots, descriptors
 *          │              └─► event ports, grants, reasons, console
 *          └─► cpu[n] ──► current vcpu, work bits, idle
 *
 * An entry from a guest (hypercall, trap, interrupt) lands with all registers
 * in vcpu.regs and the CPU on its own stack: there is one hypervisor stack per
 * CPU, none per vCPU, and nothing in the hypervisor ever waits. A hypercall
 * that has more to do stores its progress in its arguments and is made again
 * (hc_restart()); one that blocks the vCPU has already its result in regs.
 *
 * Lock order: there is one lock, taken at entry and released at exit (one CPU
 * today: interrupts are off, which is the lock).
 */
#ifndef HV_DOMAIN_H
#define HV_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <pv/types.h>
#include <pv/abi/xen.h>
#include <pv/abi/arch-x86_64.h>
#include <pv/abi/vcpu.h>
#include <pv/abi/callback.h>
#include "frame.h"
#include "reason.h"
#include "stage.h"

enum {
    MAX_DOMAINS = 65,        /* domid 0 is the host's; guests are 1..64 */
    MAX_VCPUS = 32,          /* XEN_LEGACY_MAX_VCPUS: each has its vcpu_info in shared_info */
    GDT_PAGES = 14,          /* FIRST_RESERVED_GDT_PAGE */
    LDT_PAGES = 16,
    EVTCHN_PORTS = 4096,     /* the 2-level ABI */
    DEBUGREGS = 8,
};

/* Which base or selector, for plat_segbase_*(). */
enum segbase { SEGBASE_FS, SEGBASE_GS_USER, SEGBASE_GS_KERNEL, SEGSEL_GS_USER, SEGBASES };

enum callback { CB_EVENT, CB_FAILSAFE, CB_SYSCALL, CB_NMI, CB_SYSENTER, CB_SYSCALL32, CALLBACKS };

enum { BOUNCE_ERROR_CODE = 1, BOUNCE_MASK_EVENTS = 2 };

struct timer {
    uint64_t deadline;       /* ns of plat_now(); UINT64_MAX: not armed */
    uint32_t heap_index;     /* owned by timer.c */
    void (*fire)(struct timer *);
    void *owner;
};

struct vcpu {
    struct cpu *cpu;                      /* where it runs; entry.S reads it */
    struct xen_cpu_user_regs regs;        /* the processor and entry.S push into its end: keep second */
    /* -- what the hot paths read -- */
    struct domain *domain;
    struct xen_vcpu_info *info;           /* upcall mask and pending: in shared_info or registered */
    uint8_t kernel_mode;                  /* 1: kernel, 0: user; indexes root[] */
    uint8_t state;                        /* enum vcpu_state */
    uint8_t ts;                           /* the guest asked for CR0.TS */
    uint8_t fpu_dirty;                    /* its FPU state is live in the processor */
    uint8_t nmi_pending, nmi_masked;
    uint8_t initialised, is_up;
    uint8_t polling;                      /* in SCHEDOP_poll */
    uint8_t id;
    uint8_t in_multicall;                 /* the call in progress is an entry of one */
    uint8_t restarted;                    /* ... and hc_restart() was called in it */
    uint8_t selectors_lost;               /* one of regs.ds .. gs could not be loaded when it went on */
    uint16_t pause_count;
    mfn_t root[2];                        /* [0] user (0: none), [1] kernel; each with its references */
    struct { uint64_t rip; uint8_t mask_events; uint8_t set; } callback[CALLBACKS];
    struct xen_trap_info traps[256];
    uint64_t fault_va;                    /* CR2 of the last fault, given to the guest in arch.cr2 */
    uint64_t cr4;                         /* guest's view */
    uint64_t kernel_ss, kernel_sp;        /* stack_switch */
    uint64_t iopl;                        /* physdev_op set_iopl, as in EFLAGS position */
    pv_gptr_t iobitmap; uint32_t iobitmap_ports;
    uint64_t segbase[SEGBASES];
    uint64_t dr[DEBUGREGS];
    mfn_t gdt[GDT_PAGES]; uint32_t gdt_entries;
    uint64_t ldt_va; uint32_t ldt_entries; uint32_t ldt_mapped; mfn_t ldt[LDT_PAGES];
    uint64_t xcr0;
    void *fpu_area;                       /* XSAVE image, 64-byte aligned, one page or more */
    void *arch;                           /* x86/'s own */
    uint32_t vm_flags;                    /* VGCF_* that stay (in_kernel is kernel_mode) */
    /* -- time -- */
    struct timer singleshot, periodic, poll_timer;
    uint64_t period, period_next;         /* ns; 0: none; when the next tick is due */
    struct xen_vcpu_runstate_info runstate;
    pv_gptr_t runstate_area; uint8_t runstate_registered;
    pv_gptr_t time_area; uint8_t time_registered;
    mfn_t info_mfn; uint8_t info_registered;
    /* -- scheduling -- */
    struct vcpu *run_next, *run_prev;     /* owned by the policy */
    uint8_t queued;                       /* so is this: it is on the policy's queue */
    uint64_t slice_start;
    uint32_t poll_nr; uint32_t poll_port[128];
    uint16_t virq_port[XEN_NR_VIRQS];     /* 0: unbound */
    uint16_t hypercall;                   /* number in progress, for reasons and traces; 0xffff: none */
    struct xen_multicall_entry call;      /* the multicall entry in progress; hc_restart() rewrites it */
} __attribute__((aligned(64)));

enum vcpu_state { VCPU_DOWN, VCPU_RUNNABLE, VCPU_RUNNING, VCPU_BLOCKED };

enum domain_state { DOMAIN_UNUSED, DOMAIN_PAUSED, DOMAIN_RUNNING, DOMAIN_SHUTDOWN, DOMAIN_CRASHED, DOMAIN_DYING };

struct domain {
    uint16_t id;
    uint8_t state;                        /* enum domain_state */
    uint8_t shutdown_code;                /* XEN_SHUTDOWN_* */
    uint8_t shutdown_code_set;            /* by SCHEDOP_shutdown_code: it overrides a later code */
    uint8_t privileged;                   /* may use domain-0 calls (no guest does) */
    uint8_t detached;                     /* ended, and its vCPUs hold nothing any more */
    uint8_t buried;                       /* ended, and what it owned is given back */
    uint8_t destroyed;                    /* nobody wants to read of it any more: domain_destroy() */
    uint16_t vcpus, max_vcpu;             /* vcpus: allocated; max_vcpu: limit */
    struct vcpu *vcpu[MAX_VCPUS];
    uint64_t pages, max_pages;            /* frames it owns, and may own */
    uint64_t nr_pfns;                     /* size of its P2M at start */
    uint64_t vm_assist;                   /* VMASST bits */
    struct xen_shared_info *shared; mfn_t shared_mfn;
    struct evtchn *ports;                 /* event.c */
    uint32_t valid_ports;                 /* ports below this one exist (maybe closed) */
    uint32_t active_ports;                /* that are not closed */
    struct grant_table *grants;           /* grant.c */
    struct pv_e820_entry *e820; uint32_t nr_e820; /* memory.c: the map it set; NULL: none */
    uint64_t release_at;                  /* memory.c: how far domain_memory_release() is */
    mfn_t zap[12]; uint8_t zaps;          /* pagetable.c: tables on their way out, the deepest last */
    struct reason_ring reasons;
    char name[32];
    char cmdline[1024];
    struct console *console;              /* backend/console.c */
    struct connection *store;             /* backend/xenstore.c */
    uint32_t console_port, store_port;
    mfn_t console_mfn, store_mfn;         /* their rings, each with a reference and a writable use; 0: none */
    uint64_t created_at;
    uint64_t cpu_ns;                      /* of vCPUs that are buried */
    int64_t time_offset;                  /* wall clock minus system time is hv.wall_ns + this */
    uint8_t handle[16];
    struct timer watchdog[2]; uint8_t watchdog_used;
    uint8_t pollers;                      /* vCPUs in SCHEDOP_poll */
    struct { uint64_t requests, read, written, copied; } disk; /* metering: sectors that it asked for, bytes
                                             of them that the processor has moved */
    uint64_t unknown_calls;               /* hypercall numbers below 64 that were refused once */
    uint64_t user_entries;                /* times that its kernel entered user mode */
    uint32_t stages;                      /* bits of enum stage: what it has done */
};

enum cpu_work {
    CPU_WORK_TIMER   = 1 << 0, /* plat_timer_arm()'s deadline has come */
    CPU_WORK_RESCHED = 1 << 1, /* another vCPU may deserve the CPU */
    CPU_WORK_CONSOLE = 1 << 2, /* input bytes are waiting */
    CPU_WORK_EXIT    = 1 << 3, /* domains have ended: clean up, maybe power off */
    CPU_WORK_DEVICE  = 1 << 4, /* devices have interrupted: device_irqs says which */
    CPU_WORK_CONTROL = 1 << 5, /* the host's channel has requests, or room: control.c */
    CPU_WORK_NET     = 1 << 6, /* packets of guests are waiting */
};

struct cpu {
    uint64_t stack_top;                   /* entry.S switches to it */
    struct vcpu *current;                 /* NULL: idle */
    struct vcpu *loaded;                  /* whose registers are in the processor; kept while idle */
    struct vcpu *fpu_owner;               /* whose state is in the FPU */
    uint64_t slice_end;                   /* the policy wants to be asked again then */
    uint64_t armed;                       /* what plat_timer_arm() was told last; UINT64_MAX: off */
    volatile uint32_t work;               /* enum cpu_work */
    volatile uint32_t device_irqs;        /* lines that have interrupted: device.h */
    uint32_t id;
    void *arch;                           /* x86/'s own */
};

struct hv {
    struct domain *domain[MAX_DOMAINS];
    struct cpu cpu[1];
    uint32_t trace_mask;                  /* trace.h: which classes are recorded */
    uint64_t wall_ns;                     /* UTC at system time 0 */
    uint64_t tsc_khz;
    uint64_t tsc_base;                    /* TSC at system time 0: plat_now() is time_of_tsc(plat_tsc()) */
    uint32_t tsc_to_system_mul; int8_t tsc_shift;
    uint8_t noexit;                       /* stay after the last guest's end */
    uint8_t quiet;                        /* refusals are recorded, and not printed */
    uint16_t guests, ended;               /* there, and ended since */
    uint32_t created;                     /* guests ever */
    uint16_t latest;                      /* domid that was given last */
    uint8_t crashed;                      /* some guest ended badly */
    void *heap[8];                        /* heap.c: free blocks by size */
    struct store_node *store;             /* store.c: the root in force */
    struct grant_table *pins;             /* grant_pin.c: what back-ends hold; NULL: nothing yet */
};
extern struct hv hv;

static inline struct domain *domain_by_id(uint16_t id) { return id < MAX_DOMAINS ? hv.domain[id] : 0; }

/* A domid argument of v's: XEN_DOMID_SELF or its own number; others only for
 * the privileged. NULL: refused (and recorded) with *err = -XEN_EPERM (exists) or -XEN_ESRCH. */
struct domain *domain_for(struct vcpu *v, uint16_t domid, long *err);

/* ns of system time at a TSC value, by the scale that guests are told. */
static inline uint64_t time_of_tsc(uint64_t tsc)
{
    uint64_t d = tsc - hv.tsc_base;

    d = hv.tsc_shift < 0 ? d >> -hv.tsc_shift : d << hv.tsc_shift;
    return (uint64_t)(((unsigned __int128)d * hv.tsc_to_system_mul) >> 32);
}
/* Set the scale for a TSC of so many kHz (and hv.tsc_khz); before any guest. */
void time_set_scale(uint64_t khz);

/* -- boot (build.c) ------------------------------------------------------ */
/* One guest as the boot loader brought it; the strings and images stay where they are. */
struct boot_guest {
    char name[32];
    const void *kernel; uint64_t kernel_size;
    const void *ramdisk; uint64_t ramdisk_size; /* NULL: none */
    const char *cmdline;
    const char *text;                     /* its whole description (guest_text.h); NULL: none */
    uint64_t mem;                         /* bytes */
    unsigned vcpus;
    uint8_t net;                          /* it has a network card; */
    uint8_t mac[6];                       /* of this address; 0: one of ours */
    uint64_t net_rate;                    /* bytes a second that it may send; 0: any */
};
/* Build one, paused. NULL: no memory to speak of it; a bad one comes crashed, with its reason. */
struct domain *hv_build(uint16_t domid, const struct boot_guest *g);
/* The same in steps, one guest at a time: until then, or an interrupt, or the end (true). What g
 * points to stays until that. */
struct domain *hv_build_begin(uint16_t domid, const struct boot_guest *g);
bool hv_build_step(uint64_t until);
/* Build every guest (bad ones are refused with a sentence, the others go on), and
 * return the vCPU to enter first, as hv_leave() does. Memory, frame table, hv.tsc_*, hv.wall_ns
 * and the console are up already. */
struct vcpu *hv_start(const struct boot_guest *guest, unsigned n);

/* -- life (domain.c) ---------------------------------------------------- */
struct domain *domain_create(uint16_t id, const char *name, uint64_t max_pages, unsigned max_vcpus);
struct vcpu *vcpu_create(struct domain *d, unsigned id);
/* v, which was not initialised before, becomes what a context says. 0; a negative errno with its
 * reason recorded and nothing changed; or -XEN_ERESTART, as root_take(). */
int vcpu_set_context(struct vcpu *v, const struct xen_vcpu_guest_context *c);
void vcpu_drop(struct vcpu *v); /* v never runs again: the references of its tables and registrations */
/* The first number after the latest one that is not in use; 0: all are. */
uint16_t domain_unused_id(void);
void domain_unpause(struct domain *d); /* d is paused */
void domain_pause(struct domain *d);   /* d runs */
/* d ends, if it has not, and when all it had is given back there is no more of it, not even its
 * number: as soon as no other guest has its memory mapped. */
void domain_destroy(struct domain *d);
/* The guest's own end (code is XEN_SHUTDOWN_*), or its end by its first reason.
 * Both return; the vCPUs of d do not run again. */
void domain_shutdown(struct domain *d, unsigned code);
void domain_crash(struct domain *d);
#define guest_kill(v, RULE, ...) (refuse((v), RULE, __VA_ARGS__), domain_crash((v)->domain))
/* Give everything of the ended domains back; what the host may want to read stays. When all
 * guests have ended, this is the machine's end as well (hv_leave() calls it). */
void domain_bury(void);

/* -- three kinds of wrong (log.c) ---------------------------------------- */
void hv_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void hv_bug(const char *file, int line, const char *what);   /* ours    */
_Noreturn void hv_panic(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* the boot's */
#define HV_ASSERT(c) ((c) ? (void)0 : hv_bug(__FILE__, __LINE__, #c))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#endif
