/* SPDX-License-Identifier: MIT */
/*
 * The benchmark guest: one table of rows (bench.c), one function per operation (rows_*.c).
 *
 * Under QEMU's -icount the TSC counts instructions.  A row's function performs its operation once,
 * returns the TSC ticks that it took with the cost of reading the TSC taken off, and then, outside
 * the timed part, verifies that the operation had its effect.  A row that fails its verification is
 * printed as failed: no figure without its proof.
 *
 * Rows must leave the machine as they found it, so that each can be run alone.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include "rt.h"

struct row {
    const char *name;
    uint32_t per; /* the figure is for 1/per of what `once` does */
    uint64_t (*once)(uint64_t arg);
    uint64_t arg;
    uint32_t runs;
    uint8_t extra; /* not a figure of the table: does not enter the mean */
    uint8_t smp;   /* needs the second virtual CPU, which is down for all other rows */
};

/* Ticks of an empty timed part. */
extern uint64_t bench_overhead;
/* Failed verifications of the current row, and what the first one was. */
extern unsigned bench_failures;
void bench_fail(const char *what, uint64_t a, uint64_t b);
#define CHECK(cond, a, b)                                    \
    do {                                                     \
        if (!(cond))                                         \
            bench_fail(#cond, (uint64_t)(a), (uint64_t)(b)); \
    } while (0)

/* One mmuext_op call of n operations, with everything it can report; *done must become n. */
static inline __attribute__((always_inline)) int64_t mmuext(void *ops, uint64_t n, uint32_t *done)
{
    return rt_call4(XEN_HYPERVISOR_mmuext_op, (uint64_t)ops, n, (uint64_t)done, XEN_DOMID_SELF);
}

/*
 * Marks for tests/bench/count.c, outside of what is timed: row * 64 + part * 2, odd at the end.
 * Their one use is the address that is written to.
 */
extern uint8_t bench_marks[];
extern uint64_t bench_row, bench_part;
/* What the parts of this run of the row took: the one that is the row's result tells its number. */
extern uint64_t bench_part_ticks[32];
static inline __attribute__((always_inline)) void bench_marker(uint64_t end)
{
    __asm__ volatile("movb $0x5b, bench_marks(%%rax)" ::"a"(bench_row * 64 + bench_part * 2 + end)
                     : "memory");
}
/* The end was noted elsewhere: in a handler or a user program. */
static inline __attribute__((always_inline)) uint64_t bench_part_took(uint64_t ticks)
{
    bench_part_ticks[bench_part] = ticks;
    if (bench_part < 31)
        bench_part++;
    return ticks;
}
static inline __attribute__((always_inline)) uint64_t bench_part_end(uint64_t ticks)
{
    bench_marker(1);
    return bench_part_took(ticks);
}

#define TIMED(stmt)                                 \
    ({                                              \
        bench_marker(0);                            \
        uint64_t t0_ = rt_tsc();                    \
        stmt;                                       \
        uint64_t t1_ = rt_tsc();                    \
        bench_part_end(t1_ - t0_ - bench_overhead); \
    })

/* Set by the assembly handlers that only note when they began. */
extern volatile uint64_t bench_mark;

/* The window: virtual addresses of the rows' own, with L1 tables and nothing in them. */
#define WIN     0x10000000000ul
#define WIN_L1S 2
extern volatile uint64_t *bench_l1;         /* the L1 table of WIN's first 2 MiB */
extern volatile uint8_t *bench_a, *bench_b; /* two data pages, told apart by their first byte */
static inline uint64_t win(unsigned i)
{
    return WIN + i * PAGE;
}
static inline uint64_t win_ptr(unsigned i)
{
    return rt_maddr((void *)&bench_l1[i]);
}
static inline uint64_t pte_of(volatile uint8_t *page, uint64_t flags)
{
    return rt_mfn((void *)page) << 12 | flags;
}
static inline uint8_t peek(uint64_t va)
{
    return *(volatile uint8_t *)va;
}
/* True when reading va faults. */
bool bench_absent(uint64_t va);
/* True when writing va faults. */
bool bench_readonly(uint64_t va);
void bench_flush(void);
uint16_t bench_domid(void);

typedef uint64_t row_fn(uint64_t arg);
row_fn row_unknown, row_xen_version, row_stack_switch, row_segment_base, row_taskswitch,
    row_get_debugreg, row_update_descriptor, row_vcpu_is_up, row_iret, row_multicall_null;
row_fn row_mmu_map, row_mmu_unmap, row_mmu_other, row_mmu_ro, row_mmu_ad, row_va_map, row_va_unmap,
    row_va_multicall, row_tlb_flush, row_invlpg, row_direct_map, row_direct_unmap, row_clear_page,
    row_copy_page, row_pin, row_unpin, row_baseptr, row_user_baseptr, row_both_baseptr,
    row_process_switch, row_mov_cr3, row_balloon_out, row_balloon_in;
row_fn row_de, row_int3, row_ud2, row_int80, row_gp, row_pf, row_demand, row_user, row_cpuid,
    row_read_cr0, row_read_cr3, row_clts, row_rdmsr, row_wrmsr;
row_fn row_send_masked, row_send_pending, row_send_again, row_send_self, row_unmask,
    row_timer_cancel, row_timer_past, row_deadline_busy, row_deadline_blocked, row_yield,
    row_yield_switch, row_pingpong, row_poll;
row_fn row_grant_map, row_grant_unmap, row_grant_copy, row_ring;

enum { TO_HANDLER, ROUND_TRIP, PLAIN_IRETQ };
enum { USER_SYSCALL_MARK, USER_SYSCALL, USER_INT80, USER_DE, USER_PF };
/* Argument of the pin rows: L1 tables, and whether they are full. */
#define PIN(n, full) ((n) << 1 | (full))

/* Goes to user mode and straight back by a trap; returns where on the kernel stack that began. */
uint64_t bench_user_trap_sp(void);
/* The byte at va as user mode sees it, in whatever user space is loaded (which need hold no code:
 * it is read by a fault's address and a syscall's absence). */
uint8_t bench_user_peek(uint64_t va);
/* The user space of the user-mode rows, loaded between rows. */
extern uint64_t *bench_user_l4;

void rows_mmu_init(void);
void rows_trap_init(void);
void rows_event_init(void);
/* Raises the second virtual CPU for the smp rows. */
void rows_event_smp(void);

#endif
