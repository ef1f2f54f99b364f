/* SPDX-License-Identifier: MIT
 *
 * platform.h - the only door to silicon.
 *
 * Everything in core/, policy/ and backend/ is plain C11 over data; whatever a
 * processor or a board must do for it passes through the functions below.
 * There are two implementations: x86/ (the machine) and tests/support/ (a
 * process under sanitizers, where machine memory is an array and page tables
 * are walked in software).
 *
 * Rules of the door:
 *  - no function here decides anything: the core has checked already;
 *  - no function here may call back into the core, except plat_idle(), during
 *    which interrupts may be taken (they only set bits in struct cpu.work);
 *  - addresses of guests are plain numbers; plat_guest_*() are the only
 *    accesses to them, and they report a fault instead of taking one.
 */
#ifndef HV_PLATFORM_H
#define HV_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <pv/types.h>

struct vcpu;
struct domain;

/* -- memory ------------------------------------------------------------- */

/* All of machine memory, linearly mapped: frame m is at plat_ram + (m << 12).
 * Constant once the machine is up. */
extern uint8_t *plat_ram;

static inline void *plat_map(mfn_t m) { return plat_ram + (m.n << PV_PAGE_SHIFT); }

/* The machine address of one of the hypervisor's own objects (image or direct map). */
uint64_t plat_maddr(const void *p);

/* The hypervisor's slots (256..271) of a new L4: written when a frame becomes
 * an L4. `l4` is its direct-map address. */
void plat_root_init(uint64_t *l4);

/* Make `root` the page table in use and forget every translation. The caller
 * holds a validated L4 reference for as long as it stays loaded. */
void plat_root_load(mfn_t root);

void plat_tlb_flush(void);             /* every translation of this CPU     */
void plat_tlb_flush_page(uint64_t va); /* one translation                   */

/* Copy between the hypervisor and the guest address space in use. The range
 * was checked by guest_mem.c not to touch the hypervisor's. Returns the number
 * of bytes NOT copied (0: all of it); a fault stops the copy, nothing more. */
size_t plat_guest_read(void *to, uint64_t va, size_t n);
size_t plat_guest_write(uint64_t va, const void *from, size_t n);

/* One word of it: false where it faults. A platform may have them inline (PLAT_ACCESS). */
#ifdef PLAT_ACCESS
#include PLAT_ACCESS
/* Code that is only fast when it is part of its caller: frames, small copies, the way out. */
#define PLAT_INLINE static inline __attribute__((always_inline))
#else
#define PLAT_INLINE static inline
static inline bool plat_get64(uint64_t va, uint64_t *v) { return !plat_guest_read(v, va, 8); }
static inline bool plat_get32(uint64_t va, uint32_t *v) { return !plat_guest_read(v, va, 4); }
static inline bool plat_get16(uint64_t va, uint16_t *v) { return !plat_guest_read(v, va, 2); }
static inline bool plat_get8(uint64_t va, uint8_t *v) { return !plat_guest_read(v, va, 1); }
static inline bool plat_put64(uint64_t va, uint64_t v) { return !plat_guest_write(va, &v, 8); }
static inline bool plat_put32(uint64_t va, uint32_t v) { return !plat_guest_write(va, &v, 4); }
static inline bool plat_put16(uint64_t va, uint16_t v) { return !plat_guest_write(va, &v, 2); }
static inline bool plat_put8(uint64_t va, uint8_t v) { return !plat_guest_write(va, &v, 1); }
/* The same at a constant distance. */
static inline bool plat_get64_at(uint64_t va, int o, uint64_t *v) { return plat_get64(va + o, v); }
static inline bool plat_put64_at(uint64_t va, int o, uint64_t v) { return plat_put64(va + o, v); }
#endif

/* -- a virtual CPU's registers that live in the processor ----------------- */

/* What a new vCPU needs of silicon: v->fpu_area (holding the reset state), v->xcr0, the
 * place where its descriptor tables are mapped (v->arch). False: no memory. */
bool plat_vcpu_init(struct vcpu *v);
/* v never runs again, and is not current: give it all back. */
void plat_vcpu_free(struct vcpu *v);
/* The FPU state of v, which does not run, becomes this FXSAVE image (NULL: reset state). */
void plat_fpu_set(struct vcpu *v, const void *fxsave);

/* Save what `prev` has in the processor (bases, data selectors, FPU, debug
 * registers) and load `next`'s, with its descriptor tables and page table.
 * Either may be NULL (idle). After it, entries from the guest land in
 * next->regs. */
void plat_vcpu_switch(struct vcpu *prev, struct vcpu *next);

/* Bring v->segbase[] up to date from the processor; v is current. */
void plat_segbase_save(struct vcpu *v);
/* Load one base or selector of v (enum segbase) into the processor. A selector
 * that cannot be loaded leaves a null selector and returns false. */
bool plat_segbase_load(struct vcpu *v, unsigned which, uint64_t value);
/* Guest mode changes between kernel and user: exchange the GS bases, load the
 * other page table (v->root[v->kernel_mode]). v->kernel_mode has the new value. */
#ifndef plat_mode_switch
void plat_mode_switch(struct vcpu *v);
#endif

/* v's GDT frames (v->gdt[], v->gdt_entries) or LDT (v->ldt_va, v->ldt_entries)
 * have changed, whether it runs or not. Map them anew (an LDT: nothing of it yet), and let the
 * processor know if it has them loaded. */
void plat_gdt_load(struct vcpu *v);
void plat_ldt_load(struct vcpu *v);
/* Install frame `m` (typed segdesc) as page `page` of v's mapped LDT. */
void plat_ldt_page_set(struct vcpu *v, unsigned page, mfn_t m);
/* Which page of v's mapped LDT a faulting address is in; -1: none. */
int plat_ldt_page_of(struct vcpu *v, uint64_t va);

void plat_debugreg_load(struct vcpu *v, unsigned reg); /* v->dr[reg], v current */
void plat_fpu_restore(struct vcpu *v);                 /* make v's FPU state live, TS clear */
void plat_ts_set(bool ts);                             /* CR0.TS */

/* Is this selector of the current vCPU's a 64-bit code segment? */
bool plat_code_is_64bit(uint16_t selector);

/* Registers of the processor that guests may see, after the core's policy. */
void plat_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
bool plat_msr_read(uint32_t msr, uint64_t *value);
bool plat_xcr0_set(struct vcpu *v, uint64_t value); /* v current; false: no such combination */
void plat_cr4_load(struct vcpu *v);                /* v->cr4's TSD and DE, v current */

/* -- time ----------------------------------------------------------------- */

uint64_t plat_tsc(void);
uint64_t plat_now(void);                  /* ns since boot: the system time of the ABI */
void plat_timer_arm(uint64_t deadline);   /* ns; CPU_WORK_TIMER is set at or after it; UINT64_MAX: off */
bool plat_interrupt_pending(void);        /* long work should stop and resume */

/* -- the board ---------------------------------------------------------- */

/* What was written before is seen by devices before anything is read behind it. */
void plat_fence(void);

void plat_console_write(const char *s, size_t n);
size_t plat_console_read(char *s, size_t n); /* input that is there already; CPU_WORK_CONSOLE says when */
void plat_idle(void);                     /* halt until an interrupt has been taken */
_Noreturn void plat_power_off(unsigned status); /* QEMU's exit status where there is one */
_Noreturn void plat_reboot(void);

#endif
