/* SPDX-License-Identifier: MIT */
/*
 * arch.h - what the rest of the kernel may ask of the machine.
 *
 * Only files in arch/ use privileged instructions; everybody else calls these. Page-table entries
 * are made by pte_make, looked at by the pte_ getters and stored by pte_set, nowhere else.
 */
#ifndef KERN_ARCH_H
#define KERN_ARCH_H

#include "list.h"

struct thread;
struct page;

/* --- interrupts on this CPU ------------------------------------------------------------------- */

static inline void irq_enable(void)
{
    __asm__ volatile("sti" ::: "memory");
}
static inline void irq_disable(void)
{
    __asm__ volatile("cli" ::: "memory");
}
static inline u64 irq_save(void)
{
    u64 f;
    __asm__ volatile("pushfq; popq %0; cli" : "=r"(f)::"memory");
    return f;
}
static inline void irq_restore(u64 f)
{
    if (f & 0x200)
        irq_enable();
}
static inline bool irq_enabled(void)
{
    u64 f;
    __asm__ volatile("pushfq; popq %0" : "=r"(f)::"memory");
    return f & 0x200;
}
/* Atomically enables interrupts and waits for one; returns with them enabled. */
static inline void cpu_idle(void)
{
    __asm__ volatile("sti; hlt" ::: "memory");
}

/* --- translations that this CPU remembers ------------------------------------------------------
 */

static inline void tlb_flush_page(u64 va)
{
    __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}
static inline void tlb_flush_user(void)
{
    u64 root;
    __asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(root)::"memory");
}

/* --- what every program may execute ----------------------------------------------------------- */

static inline void cpu_relax(void)
{
    __asm__ volatile("pause");
}
static inline u64 rdtsc(void)
{
    u32 a, d;
    __asm__ volatile("rdtsc" : "=a"(a), "=d"(d));
    return ((u64)d << 32) | a;
}

/* --- ports ------------------------------------------------------------------------------------ */

static inline void outb(u16 p, u8 v)
{
    __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(p));
}
static inline void outw(u16 p, u16 v)
{
    __asm__ volatile("outw %0, %1" ::"a"(v), "Nd"(p));
}
static inline void outl(u16 p, u32 v)
{
    __asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(p));
}
static inline u8 inb(u16 p)
{
    u8 v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(p));
    return v;
}
static inline u16 inw(u16 p)
{
    u16 v;
    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(p));
    return v;
}
static inline u32 inl(u16 p)
{
    u32 v;
    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(p));
    return v;
}
/* Ordering against devices that read memory. */
#define mb()  __asm__ volatile("mfence" ::: "memory")
#define rmb() __asm__ volatile("lfence" ::: "memory")
#define wmb() __asm__ volatile("sfence" ::: "memory")

/* --- page tables ------------------------------------------------------------------------------ */

typedef struct {
    u64 bits;
} pte_t;

#define PT_ENTRIES 512

/* Rights of an entry, independent of the encoding. */
#define PTE_READ     0u
#define PTE_WRITE    1u
#define PTE_EXEC     2u
#define PTE_USER     4u
#define PTE_NOCACHE  8u
#define PTE_NOACCESS 16u /* remembers the frame; every access faults (PROT_NONE) */

pte_t pte_make(u64 frame, unsigned rights); /* a present leaf entry, not accessed, not dirty */
pte_t pte_make_swap(u64 slot);              /* not present, remembers a swap slot */
u64 pte_frame(pte_t e);
u64 pte_swap_slot(pte_t e);
bool pte_present(pte_t e);
bool pte_none(pte_t e);
bool pte_is_swap(pte_t e);
bool pte_writable(pte_t e);
bool pte_dirty(pte_t e);
bool pte_accessed(pte_t e);
pte_t pte_set_rights(pte_t e, unsigned rights); /* keeps frame, accessed, dirty */
pte_t pte_clear_accessed(pte_t e);
pte_t pte_mark(pte_t e, bool dirty); /* accessed, and dirty when asked */
void pte_set(pte_t *slot, pte_t e);  /* the one store to any page table */
extern const pte_t pte_empty;

struct pagetable {
    u64 root;           /* frame of the top level */
    struct list tables; /* the pages of all tables, by their lru links */
    u64 nr_tables;
};

/* With the kernel's part. 0 or -ENOMEM; pagetable_free() in either case. */
int pagetable_init(struct pagetable *pt);
void pagetable_free(struct pagetable *pt); /* tables only: leaf entries are gone already */
/* Slot of a user address; NULL when a table is missing (and, with alloc, memory is out). */
pte_t *pagetable_slot(struct pagetable *pt, u64 va, bool alloc);
/* End of the range beyond va that has the same (missing or present) last-level table. */
u64 pagetable_next(u64 va);
/* Advances *va to the first address below end that has a last-level table, and gives its slot; NULL
 * (and *va == end) when there is none. */
pte_t *pagetable_find(struct pagetable *pt, u64 *va, u64 end);
void pagetable_load(struct pagetable *pt); /* switch address space */
void pagetable_load_kernel(void);          /* the kernel's own, no user part */
void paging_init(void);
int kernel_map(u64 va, phys_t pa, size_t size, unsigned rights);

/* --- threads and traps ------------------------------------------------------------------------ */

struct trapframe { /* in the order entry.S pushes them, highest address last */
    u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    u64 orig_rax; /* system call number, error code, or interrupt vector */
    u64 rip, cs, rflags, rsp, ss;
};

struct arch_thread {
    u64 ksp; /* saved kernel stack pointer while not running */
    u64 kstack_top;
    u64 fs_base, gs_base;
    void *fpu; /* FPU, SSE, AVX registers while not running */
};

#define KSTACK_ORDER 2
#define KSTACK_SIZE  (PAGE_SIZE << KSTACK_ORDER)

static inline bool frame_is_user(const struct trapframe *tf)
{
    return tf->cs & 3;
}
struct trapframe *thread_frame(struct thread *t); /* user registers of a thread in the kernel */

void arch_switch(struct thread *prev, struct thread *next);
/* A new thread's first schedule() lands in fn(arg) on its kernel stack. */
void arch_thread_setup_kernel(struct thread *t, void (*fn)(void *), void *arg);
/* Child of fork/clone: user registers as the parent's, rax 0. */
int arch_thread_fork(struct thread *child, struct thread *parent, u64 new_sp, bool set_tls,
                     u64 tls);
void arch_thread_free(struct thread *t);
/* exec: fresh user registers; the next return to user mode enters the program. */
void arch_thread_exec(struct thread *t, u64 entry, u64 sp);
int arch_thread_user_init(struct thread *t);       /* gives a kernel thread what a program needs */
__noreturn void arch_enter_user(struct thread *t); /* leaves the kernel by t's trapframe */
void fpu_init(void);
void arch_early_init(void); /* GDT, IDT, TSS, serial; called first */
void arch_init(void);       /* ACPI, clock, interrupt controllers; after paging_init */
__noreturn void machine_reboot(void);
__noreturn void machine_poweroff(void);
__noreturn void machine_halt(void);
void stack_trace(u64 rbp);
u64 arch_thread_frame_pointer(struct thread *t); /* of one that does not run, for stack_trace */

/* Clock hardware below timer.h. */
void clock_init(void);
u64 clock_mono_ns(void); /* since boot */
u64 rtc_read(void);      /* seconds since 1970 */
void rtc_write(u64 seconds);
void clock_event_arm(u64 deadline); /* one interrupt at that time (ns since boot) */

/* From the loader's protocol (boot.S) to the kernel's own start and variables. */
void start_kernel(u64 info_phys, u32 magic);
void boot_info_read(u64 info_phys, u32 magic);
struct boot_module {
    phys_t start, end;
    char name[64];
};
extern struct boot_module boot_modules[4];
extern int boot_module_count;
struct mem_range {
    phys_t start, end;
};
extern struct mem_range boot_ram[32];
extern int boot_ram_count;
extern phys_t boot_rsdp; /* 0: search */

#endif
