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

#define HYPERCALL0(nr, name)                                                                       \
    static long reg_##name(struct vcpu *v) { return hc_##name(v); }
#define HYPERCALL1(nr, name, a)                                                                    \
    static long reg_##name(struct vcpu *v) { return hc_##name(v, GET_##a(v->regs.rdi)); }
#define HYPERCALL2(nr, name, a, b)                                                                 \
    static long reg_##name(struct vcpu *v)                                                         \
    {                                                                                              \
        return hc_##name(v, GET_##a(v->regs.rdi), GET_##b(v->regs.rsi));                           \
    }
#define HYPERCALL3(nr, name, a, b, c)                                                              \
    static long reg_##name(struct vcpu *v)                                                         \
    {                                                                                              \
        return hc_##name(v, GET_##a(v->regs.rdi), GET_##b(v->regs.rsi), GET_##c(v->regs.rdx));     \
    }
#define HYPERCALL4(nr, name, a, b, c, d)                                                           \
    static long reg_##name(struct vcpu *v)                                                         \
    {                                                                                              \
        return hc_##name(v, GET_##a(v->regs.rdi), GET_##b(v->regs.rsi), GET_##c(v->regs.rdx),      \
                         GET_##d(v->regs.r10));                                                    \
    }
#include "hypercalls.def"
#undef HYPERCALL0
#undef HYPERCALL1
#undef HYPERCALL2
#undef HYPERCALL3
#undef HYPERCALL4

#define ARG(n) (v->call.args[n])
#define HYPERCALL0(nr, name)                                                                       \
    static long mc_##name(struct vcpu *v) { return hc_##name(v); }
#define HYPERCALL1(nr, name, a)                                                                    \
    static long mc_##name(struct vcpu *v) { return hc_##name(v, GET_##a(ARG(0))); }
#define HYPERCALL2(nr, name, a, b)                                                                 \
    static long mc_##name(struct vcpu *v)                                                          \
    {                                                                                              \
        return hc_##name(v, GET_##a(ARG(0)), GET_##b(ARG(1)));                                     \
    }
#define HYPERCALL3(nr, name, a, b, c)                                                              \
    static long mc_##name(struct vcpu *v)                                                          \
    {                                                                                              \
        return hc_##name(v, GET_##a(ARG(0)), GET_##b(ARG(1)), GET_##c(ARG(2)));                    \
    }
#define HYPERCALL4(nr, name, a, b, c, d)                                                           \
    static long mc_##name(struct vcpu *v)                                                          \
    {                                                                                              \
        return hc_##name(v, GET_##a(ARG(0)), GET_##b(ARG(1)), GET_##c(ARG(2)), GET_##d(ARG(3)));   \
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

static long unknown(struct vcpu *v) { return unknown_number(v, v->hypercall); }

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

/* Entry `list` is to be made again: write it back as it now is, and come back to it. */
static long restart_list(struct vcpu *v, pv_gptr_t list, uint32_t left, bool write_back)
{
    v->in_multicall = v->restarted = 0;
    v->hypercall = XEN_HYPERVISOR_multicall;
    if (write_back && guest_copy_out(list, &v->call, sizeof(v->call)))
        return refuse(v, RULE_GUEST_POINTER, .va = list.va);
    return hc_restart(v, 2, list.va, (uint64_t)left);
}

/* The entry was an iret: its rax is the guest's, and nothing more is done. */
static long end_list(struct vcpu *v)
{
    v->in_multicall = v->restarted = 0;
    return (long)v->call.result;
}

/* The guest's state changed in a way that the rest must not see: it is dead, or asleep. */
static inline bool must_leave(const struct vcpu *v) { return v->state != VCPU_RUNNING; }

long hc_multicall(struct vcpu *v, pv_gptr_t list, uint32_t n)
{
    if (unlikely(v->in_multicall))
        return refuse(v, RULE_MULTICALL_NESTED, .va = list.va);
    if (unlikely(!guest_va_ok(list.va) ||
                 !guest_range_ok(list.va, (size_t)n * sizeof(v->call))))
        return refuse(v, RULE_GUEST_POINTER, .va = list.va);
    v->in_multicall = 1;
    while (n) {
        if (unlikely(guest_copy_in(&v->call, list, sizeof(v->call)))) {
            v->in_multicall = 0;
            return refuse(v, RULE_GUEST_POINTER, .va = list.va);
        }
        v->call.result = (uint64_t)dispatch(v, v->call.op, by_entry);
        if (unlikely(v->restarted))
            return v->restarted == RESTARTED ? restart_list(v, list, n, true) : end_list(v);
        if (unlikely(!plat_put64(list.va + offsetof(struct xen_multicall_entry, result),
                                 v->call.result))) {
            v->in_multicall = 0;
            return refuse(v, RULE_GUEST_POINTER, .va = list.va);
        }
        list = gptr_add(list, sizeof(v->call));
        n--;
        if (unlikely(must_leave(v) || v->cpu->work) && n)
            return restart_list(v, list, n, false);
    }
    v->in_multicall = 0;
    return 0;
}
