/* SPDX-License-Identifier: MIT
 *
 * dispatch.c - from a number in a register to a typed function.
 *
 * hypercalls.def makes two tables of thunks: one takes the arguments from the registers, one
 * from a multicall entry. A thunk does nothing but to narrow each argument to its type. So a
 * call costs a bound, an indirect call and the thunk; numbers without a row answer -XEN_ENOSYS.
 *
 * A call that has more to do than one entry should take is made again: hc_restart() leaves its
 * new arguments where it found the old ones, and the instruction pointer on the SYSCALL, or
 * the multicall's on this entry. Between, everything else has its turn.
 */
#include "entry.h"
#include "guest_mem.h"
#include "sched.h"
#include "trace.h"
#include <stdarg.h>

#define GET_ptr(x) ((pv_gptr_t){x})
#define GET_u64(x) (x)
#define GET_u32(x) ((uint32_t)(x))
#define GET_s32(x) ((int32_t)(x))

#define HYPERCALL0(nr, name)               \
    static long reg_##name(struct vcpu *v) \
    {                                      \
        return hc_##name(v);               \
    }
#define HYPERCALL1(nr, name, a)                    \
    static long reg_##name(struct vcpu *v)         \
    {                                              \
        return hc_##name(v, GET_##a(v->regs.rdi)); \
    }
#define HYPERCALL2(nr, name, a, b)                                       \
    static long reg_##name(struct vcpu *v)                               \
    {                                                                    \
        return hc_##name(v, GET_##a(v->regs.rdi), GET_##b(v->regs.rsi)); \
    }
#define HYPERCALL3(nr, name, a, b, c)                                                          \
    static long reg_##name(struct vcpu *v)                                                     \
    {                                                                                          \
        return hc_##name(v, GET_##a(v->regs.rdi), GET_##b(v->regs.rsi), GET_##c(v->regs.rdx)); \
    }
#define HYPERCALL4(nr, name, a, b, c, d)                                                      \
    static long reg_##name(struct vcpu *v)                                                    \
    {                                                                                         \
        return hc_##name(v, GET_##a(v->regs.rdi), GET_##b(v->regs.rsi), GET_##c(v->regs.rdx), \
                         GET_##d(v->regs.r10));                                               \
    }
#include "hypercalls.def"
#undef HYPERCALL0
#undef HYPERCALL1
#undef HYPERCALL2
#undef HYPERCALL3
#undef HYPERCALL4

#define ARG(n) (v->call.args[n])
#define HYPERCALL0(nr, name)              \
    static long mc_##name(struct vcpu *v) \
    {                                     \
        return hc_##name(v);              \
    }
#define HYPERCALL1(nr, name, a)               \
    static long mc_##name(struct vcpu *v)     \
    {                                         \
        return hc_##name(v, GET_##a(ARG(0))); \
    }
#define HYPERCALL2(nr, name, a, b)                             \
    static long mc_##name(struct vcpu *v)                      \
    {                                                          \
        return hc_##name(v, GET_##a(ARG(0)), GET_##b(ARG(1))); \
    }
#define HYPERCALL3(nr, name, a, b, c)                                           \
    static long mc_##name(struct vcpu *v)                                       \
    {                                                                           \
        return hc_##name(v, GET_##a(ARG(0)), GET_##b(ARG(1)), GET_##c(ARG(2))); \
    }
#define HYPERCALL4(nr, name, a, b, c, d)                                                         \
    static long mc_##name(struct vcpu *v)                                                        \
    {                                                                                            \
        return hc_##name(v, GET_##a(ARG(0)), GET_##b(ARG(1)), GET_##c(ARG(2)), GET_##d(ARG(3))); \
    }
#include "hypercalls.def"
#undef HYPERCALL0
#undef HYPERCALL1
#undef HYPERCALL2
#undef HYPERCALL3
#undef HYPERCALL4

enum { CALLS = 64 };
enum { RESTARTED = 1, RESTARTED_NEVER = 2 }; /* vcpu.restarted */
typedef long (*thunk)(struct vcpu *);

static long unknown(struct vcpu *v);

/* An iret ends its multicall: the rest would run in another mode. */
static long mc_iret_last(struct vcpu *v)
{
    v->restarted = RESTARTED_NEVER;
    return hc_iret(v);
}

/* Every number is `unknown` first, and its row's thunk after. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"

static const thunk by_registers[CALLS] = {
    [0 ... CALLS - 1] = unknown,
#define HYPERCALL0(nr, name)             [nr] = reg_##name,
#define HYPERCALL1(nr, name, a)          [nr] = reg_##name,
#define HYPERCALL2(nr, name, a, b)       [nr] = reg_##name,
#define HYPERCALL3(nr, name, a, b, c)    [nr] = reg_##name,
#define HYPERCALL4(nr, name, a, b, c, d) [nr] = reg_##name,
#include "hypercalls.def"
#undef HYPERCALL0
#undef HYPERCALL1
#undef HYPERCALL2
#undef HYPERCALL3
#undef HYPERCALL4
};

static const thunk by_entry[CALLS] = {
    [0 ... CALLS - 1] = unknown,
#define HYPERCALL0(nr, name)             [nr] = mc_##name,
#define HYPERCALL1(nr, name, a)          [nr] = mc_##name,
#define HYPERCALL2(nr, name, a, b)       [nr] = mc_##name,
#define HYPERCALL3(nr, name, a, b, c)    [nr] = mc_##name,
#define HYPERCALL4(nr, name, a, b, c, d) [nr] = mc_##name,
#include "hypercalls.def"
    [XEN_HYPERVISOR_iret] = mc_iret_last,
};
#pragma GCC diagnostic pop

/* Kernels probe for calls: each number is told once per guest, and counted ever after. */
static __attribute__((noinline)) long unknown_number(struct vcpu *v, uint64_t nr)
{
    uint64_t bit = 1ull << (nr < CALLS ? nr : CALLS - 1);

    if (likely(v->domain->unknown_calls & bit)) {
        reason_counts[RULE_HYPERCALL_UNKNOWN]++;
        return -XEN_ENOSYS;
    }
    v->domain->unknown_calls |= bit;
    return refuse(v, RULE_HYPERCALL_UNKNOWN, .value = nr);
}

static long unknown(struct vcpu *v)
{
    return unknown_number(v, v->hypercall);
}

static inline long dispatch(struct vcpu *v, uint64_t nr, const thunk *table)
{
    if (unlikely(nr >= CALLS))
        return unknown_number(v, nr);
    v->hypercall = (uint16_t)nr;
    return table[nr](v);
}

struct vcpu *hv_user_syscall(struct vcpu *v);

struct vcpu *hv_syscall(struct vcpu *v)
{
    if (unlikely(!v->kernel_mode))
        return hv_user_syscall(v);
    trace(TRACE_HYPERCALL, v, v->regs.rax, v->regs.rdi);
    v->regs.rax = (uint64_t)dispatch(v, v->regs.rax, by_registers);
    return hv_leave_quick(v);
}

long hc_call(struct vcpu *v, uint64_t nr, const uint64_t arg[6])
{
    struct xen_cpu_user_regs *r = &v->regs;

    r->rdi = arg[0];
    r->rsi = arg[1];
    r->rdx = arg[2];
    r->r10 = arg[3];
    r->r8 = arg[4];
    r->r9 = arg[5];
    return dispatch(v, nr, by_registers);
}

long hc_restart(struct vcpu *v, unsigned nargs, ...)
{
    struct xen_cpu_user_regs *r = &v->regs;
    uint64_t *const reg[6] = {&r->rdi, &r->rsi, &r->rdx, &r->r10, &r->r8, &r->r9};
    va_list ap;

    va_start(ap, nargs);
    for (unsigned i = 0; i < nargs; i++)
        *(v->in_multicall ? &v->call.args[i] : reg[i]) = va_arg(ap, uint64_t);
    va_end(ap);
    if (v->in_multicall) {
        v->restarted = RESTARTED;
        return 0;
    }
    r->rip -= 2; /* on the SYSCALL again */
    return v->hypercall;
}

/* -- multicall --------------------------------------------------------------------- */

/* What is read of an entry: its number and as many arguments as any call has. */
enum { MC_ARGS = 4 };

PLAT_INLINE bool entry_read(struct vcpu *v, uint64_t at)
{
    const int args = offsetof(struct xen_multicall_entry, args);

    if (unlikely(!guest_va_ok(at)) || !plat_get64_at(at, 0, &v->call.op))
        return false;
#pragma GCC unroll 4
    for (int i = 0; i < MC_ARGS; i++)
        if (!plat_get64_at(at, args + 8 * i, &v->call.args[i]))
            return false;
    atomic_signal_fence(memory_order_seq_cst); /* copied once: what was read is what is used */
    return true;
}

static bool entry_write(struct vcpu *v, uint64_t at)
{
    const uint64_t args = at + offsetof(struct xen_multicall_entry, args);

    return guest_copy_out((pv_gptr_t){args}, v->call.args, MC_ARGS * sizeof(uint64_t)) == 0;
}

/* The call ends before its list does: with an error, or as an iret's. */
static COLD long list_ends(struct vcpu *v, long rc)
{
    v->in_multicall = v->restarted = 0;
    return rc;
}

static COLD long list_fault(struct vcpu *v, uint64_t at)
{
    return list_ends(v, refuse_pointer(v, at));
}

/* Come back to entry `at`, of which so many are left, after all else had its turn. */
static __attribute__((noinline)) long list_restart(struct vcpu *v, uint64_t at, uint32_t left)
{
    v->in_multicall = v->restarted = 0;
    v->hypercall = XEN_HYPERVISOR_multicall;
    return hc_restart(v, 2, at, (uint64_t)left);
}

/* The entry itself is to be made again, or was an iret: its rax is the guest's, and the rest
 * of the list would run in another mode. */
static __attribute__((noinline)) long list_interrupted(struct vcpu *v, uint64_t at, uint32_t left,
                                                       long result)
{
    if (v->restarted == RESTARTED_NEVER)
        return list_ends(v, result);
    if (!entry_write(v, at))
        return list_fault(v, at);
    return list_restart(v, at, left);
}

static COLD long list_refused(struct vcpu *v, uint64_t at)
{
    if (v->in_multicall)
        return refuse(v, RULE_MULTICALL_NESTED, .va = at);
    return refuse_pointer(v, at);
}

long hc_multicall(struct vcpu *v, pv_gptr_t list, uint32_t n)
{
    uint64_t at = list.va;

    if (unlikely(v->in_multicall || !guest_va_ok(at)))
        return list_refused(v, at);
    v->in_multicall = 1;
    for (; n; n--, at += sizeof(v->call)) {
        long result;

        if (unlikely(!entry_read(v, at)))
            return list_fault(v, at);
        result = dispatch(v, v->call.op, by_entry);
        if (unlikely(v->restarted))
            return list_interrupted(v, at, n, result);
        if (unlikely(
                !plat_put64_at(at, offsetof(struct xen_multicall_entry, result), (uint64_t)result)))
            return list_fault(v, at);
        if (unlikely(v->cpu->work) && n > 1) /* also if this vCPU fell asleep, or is dead */
            return list_restart(v, at + sizeof(v->call), n - 1);
    }
    v->in_multicall = 0;
    return 0;
}
