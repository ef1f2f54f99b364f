/* SPDX-License-Identifier: MIT */
/*
 * The test guests' own runtime: enough of a kernel to judge a hypervisor, and no more.
 *
 * It uses the ABI headers (include/pv/abi) and nothing of libpv, so that a fault of the library
 * never hides a fault of the hypervisor, or the other way round.  Everything here is for one guest
 * of at most four virtual CPUs; all memory that tests need comes from a pool inside the image, so
 * that every page of it is mapped from the first instruction on.
 *
 * Output goes to CONSOLEIO_write where the guest may use it, else to the console ring.
 */
#ifndef TESTS_GUESTS_RT_H
#define TESTS_GUESTS_RT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pv/abi/xen.h"
#include "pv/abi/arch-x86_64.h"
#include "pv/abi/callback.h"
#include "pv/abi/console.h"
#include "pv/abi/errno.h"
#include "pv/abi/event_channel.h"
#include "pv/abi/features.h"
#include "pv/abi/grant_table.h"
#include "pv/abi/memory.h"
#include "pv/abi/physdev.h"
#include "pv/abi/sched.h"
#include "pv/abi/start_info.h"
#include "pv/abi/vcpu.h"
#include "pv/abi/version.h"

#ifndef RT_BASE
#define RT_BASE 0xffffffff80000000ul
#endif
#define RT_STACK 32768ul
#define RT_CPUS  4
#define PAGE     4096ul

#define PTE_P   0x001ul
#define PTE_W   0x002ul
#define PTE_U   0x004ul
#define PTE_PWT 0x008ul
#define PTE_PCD 0x010ul
#define PTE_A   0x020ul
#define PTE_D   0x040ul
#define PTE_PS  0x080ul
#define PTE_G   0x100ul
#define PTE_NX  (1ul << 63)
#define PTE_MFN 0x000ffffffffff000ul
#define PTE_RW  (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define PTE_RO  (PTE_P | PTE_U | PTE_A)

#define barrier() __asm__ volatile("" ::: "memory")
#define G(p)      ((pv_gptr_t){(uint64_t)(p)})

/* What a trap stub leaves on the stack; the last five words are the iret frame. */
struct rt_regs {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

/* Trap vectors that are not the processor's. */
enum { RT_EVENT = 0x100, RT_SYSCALL, RT_SYSCALL32, RT_SYSENTER, RT_FAILSAFE };

extern struct xen_start_info *rt_si;
extern struct xen_shared_info *rt_shared;
extern uint64_t *rt_p2m;
extern const char *rt_cmdline;
extern uint8_t hypercall_page[];
extern uint8_t rt_image_end[], rt_stacks[], rt_shared_page[];
extern uint64_t rt_failsafe_segs[4];
extern uint64_t rt_first_tsc; /* at the first instruction of the guest */
extern const uint64_t rt_stub_table[256];

/* ---- hypercalls: rt_call() for any number, through the hypercall page ---- */

/* Each takes exactly the registers that the call uses; the hypervisor may clobber those. */
#define RT_HC_BODY(n, ...)                          \
    int64_t ret_;                                   \
    __asm__ volatile("call *%%rax"                  \
                     : "=a"(ret_)__VA_ARGS__        \
                     : "0"(hypercall_page + (n)*32) \
                     : "memory");                   \
    return ret_

static inline __attribute__((always_inline)) int64_t rt_call0(uint64_t n)
{
    RT_HC_BODY(n, );
}

static inline __attribute__((always_inline)) int64_t rt_call1(uint64_t n, uint64_t a)
{
    RT_HC_BODY(n, , "+D"(a));
}

static inline __attribute__((always_inline)) int64_t rt_call2(uint64_t n, uint64_t a, uint64_t b)
{
    RT_HC_BODY(n, , "+D"(a), "+S"(b));
}

static inline __attribute__((always_inline)) int64_t rt_call3(uint64_t n, uint64_t a, uint64_t b,
                                                              uint64_t c)
{
    RT_HC_BODY(n, , "+D"(a), "+S"(b), "+d"(c));
}

static inline __attribute__((always_inline)) int64_t rt_call4(uint64_t n, uint64_t a, uint64_t b,
                                                              uint64_t c, uint64_t d)
{
    register uint64_t r10 __asm__("r10") = d;
    RT_HC_BODY(n, , "+D"(a), "+S"(b), "+d"(c), "+r"(r10));
}

static inline __attribute__((always_inline)) int64_t rt_call5(uint64_t n, uint64_t a, uint64_t b,
                                                              uint64_t c, uint64_t d, uint64_t e)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    RT_HC_BODY(n, , "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8));
}

/* The same by a bare SYSCALL, for numbers that the page does not hold. */
int64_t rt_raw_call(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);

int64_t rt_mmu_update(uint64_t ptr, uint64_t val);
int64_t rt_mmuext(uint32_t cmd, uint64_t arg1, uint64_t arg2);
int64_t rt_va_map(uint64_t va, uint64_t pte, uint64_t flags);
int64_t rt_memory(uint32_t cmd, void *arg);
int64_t rt_evtchn(uint32_t cmd, void *arg);
int64_t rt_sched(uint32_t cmd, void *arg);
int64_t rt_vcpu(uint32_t cmd, uint32_t cpu, void *arg);
int64_t rt_physdev(uint32_t cmd, void *arg);
int64_t rt_gnttab(uint32_t cmd, void *arg, uint32_t n);
int64_t rt_version(uint32_t cmd, void *arg);
int64_t rt_set_timer(uint64_t ns);
void rt_set_segbase(unsigned which, uint64_t base);

/* ---- the console and the end ---- */

int rt_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int rt_snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int rt_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
void rt_puts(const char *s, size_t n);
void rt_exit(int reason) __attribute__((noreturn));
void rt_panic(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Is `word` one of the blank-separated words of the command line? */
bool rt_option(const char *word);
/* A decimal number. */
static inline uint64_t rt_number(const char *s)
{
    uint64_t n = 0;
    while (*s >= '0' && *s <= '9')
        n = n * 10 + (uint64_t)(*s++ - '0');
    return n;
}
/* The text after `name=` on the command line, or NULL. */
const char *rt_value(const char *name, char *buf, size_t size);

/* ---- memory ---- */

/* A zeroed page of the pool, mapped read-write; never fails (panics). */
void *rt_page(void);
/* A page without one set of contents: recycles it. The caller has made it writable again. */
void rt_page_free(void *page);
/* The image's direct map: virtual address <-> pseudo-physical frame <-> machine frame. */
static inline uint64_t rt_pfn(const void *va)
{
    return ((uint64_t)va - RT_BASE) >> 12;
}
static inline uint64_t rt_mfn(const void *va)
{
    return rt_p2m[rt_pfn(va)];
}
static inline uint64_t rt_maddr(const void *va)
{
    return rt_mfn(va) << 12 | ((uint64_t)va & (PAGE - 1));
}
#define RT_M2P ((const uint64_t *)0xffff800000000000ul)
static inline void *rt_mfn_va(uint64_t mfn)
{
    return (void *)(RT_BASE + (RT_M2P[mfn] << 12));
}
/* The entry of `level` (1..4) that maps va in the address space whose root is `l4`; NULL if absent.
 */
uint64_t *rt_entry(uint64_t *l4, uint64_t va, int level);
/* Change a direct-map page's own mapping; panics when refused. */
void rt_make_ro(void *page);
void rt_make_rw(void *page);
/* Build tables down to L1 for va in the current address space; returns the L1 table (read-only). */
uint64_t *rt_build_l1(uint64_t va);
extern uint64_t *rt_l4;

/* ---- traps ---- */

typedef bool rt_hook(struct rt_regs *regs);
/* Called for `vector` (a trap or RT_*); true = handled, resume. */
void rt_on(unsigned vector, rt_hook *hook);
/* All handlers as they are at the start. */
void rt_traps_init(void);
/* Registers the stub of `vector` with the hypervisor: flags hold the DPL and bit 2 (mask events).
 */
int64_t rt_set_trap(unsigned vector, unsigned flags, uint64_t address);
void rt_set_callbacks(void (*event)(void), void (*failsafe)(void), void (*syscall)(void));

/* The last expected trap: what was seen since RT_TRY began. vec == -1: none. */
struct rt_seen {
    int vec;
    uint64_t error, rip, cr2, cs, rflags;
};
extern struct rt_seen rt_seen;
extern volatile uint64_t rt_fixup;

/*
 * RT_TRY("insn", outputs..., : inputs... : clobbers...): runs insn; a trap in it is recorded in
 * rt_seen and execution goes on behind it. The result is the vector, or -1.
 */
#define RT_TRY_BEGIN "movq $771f, rt_fixup\n\tmovl $-1, rt_seen\n770:\t"
#define RT_TRY_END   "\n771:\tmovq $0, rt_fixup\n\t"
#define RT_TRY(insn, ...)                                           \
    ({                                                              \
        __asm__ volatile(RT_TRY_BEGIN insn RT_TRY_END __VA_ARGS__); \
        rt_seen.vec;                                                \
    })

extern void rt_enter_event(void), rt_enter_failsafe(void), rt_enter_syscall(void);
extern void rt_enter_syscall32(void), rt_enter_sysenter(void), rt_enter_nmi(void);

/* Leaves for the (user) state in regs; returns when a hook calls rt_user_leave(). */
void rt_user_enter(struct rt_regs *regs);
void rt_user_leave(void) __attribute__((noreturn));

/* ---- events ---- */

typedef void rt_evhook(uint32_t port);
void rt_on_port(uint32_t port, rt_evhook *hook);
/* vcpu_info of the running virtual CPU, and which it is. */
static inline int rt_cpu(void)
{
    uint64_t sp;
    __asm__ volatile("mov %%rsp, %0" : "=r"(sp));
    return *(int *)(sp & ~(RT_STACK - 1));
}
static inline struct xen_vcpu_info *rt_vi(void)
{
    return &rt_shared->vcpu_info[rt_cpu()];
}
/* Opens the event mask and takes what is pending. */
void rt_events_on(void);
static inline void rt_events_off(void)
{
    rt_vi()->evtchn_upcall_mask = 1;
    barrier();
}
uint32_t rt_bind_virq(uint32_t virq, uint32_t cpu);
uint32_t rt_bind_ipi(uint32_t cpu);
void rt_close(uint32_t port);
int64_t rt_send(uint32_t port);
void rt_mask(uint32_t port);
void rt_unmask(uint32_t port);

/* ---- time and virtual CPUs ---- */

uint64_t rt_now(void); /* system time, ns */
static inline uint64_t rt_tsc(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (uint64_t)hi << 32 | lo;
}
/* The stack (its first rsp) that traps from user mode arrive on; main stacks are others. */
uint64_t rt_trap_stack(int cpu);
/* Fills ctx with the state every further virtual CPU starts from. */
void rt_vcpu_context(struct xen_vcpu_guest_context *ctx, int cpu);
/* What it does when it is raised next. */
void rt_vcpu_task(int cpu, void (*fn)(void *), void *arg);
/* Initialises it from a context, once in its life. */
int64_t rt_vcpu_adopt(int cpu, struct xen_vcpu_guest_context *ctx);
/*
 * Raises virtual CPU `cpu`, which is down, for one task; the first time it is initialised for that.
 * 0 or the hypervisor's errno.
 */
int64_t rt_vcpu_start(int cpu, void (*fn)(void *), void *arg);

/* ---- strings ---- */

void *memset(void *p, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

/* Each image defines its own. */
void rt_image_main(void);

#endif
