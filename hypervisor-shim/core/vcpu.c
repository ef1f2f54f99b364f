/* SPDX-License-Identifier: MIT
 *
 * vcpu.c - vcpu_op: a guest's virtual CPUs, brought up by a context, and what they register.
 *
 * A context is checked as a whole before anything of it is applied. Its root page tables
 * and descriptor tables are taken last, because taking them may be refused or take long; what
 * was taken is given back when a later one is refused.
 *
 * A registered vcpu_info lies in a page of the guest's, which stays writable and its own
 * as long as the vCPU exists; runstate and time areas are only addresses, written if they are
 * mapped.
 */
#include "bounce.h"
#include "event.h"
#include "misc.h"
#include "mm.h"
#include "sched.h"
#include "time.h"
#include <pv/abi/sched.h>
#include <pv/abi/vcpu.h>

enum { LDT_ENTRIES = 8192 };
static const uint64_t PERIOD_MIN = 1000000, PERIOD_MAX = 1ull << 62;
static const uint64_t ASSISTS =
    1ull << XEN_VMASST_TYPE_4gb_segments | 1ull << XEN_VMASST_TYPE_4gb_segments_notify |
    1ull << XEN_VMASST_TYPE_writable_pagetables | 1ull << XEN_VMASST_TYPE_pae_extended_cr3 |
    1ull << XEN_VMASST_TYPE_architectural_iopl | 1ull << XEN_VMASST_TYPE_runstate_update_flag |
    1ull << XEN_VMASST_TYPE_m2p_strict;

static bool canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/* -- context --------------------------------------------------------------------- */

static long check_addresses(struct vcpu *v, const struct xen_vcpu_guest_context *c)
{
    const uint64_t va[] = {
        c->user_regs.rip,
        c->user_regs.rsp,
        c->kernel_sp,
        c->fs_base,
        c->gs_base_kernel,
        c->gs_base_user,
        c->event_callback_eip,
        c->failsafe_callback_eip,
        c->syscall_callback_eip,
        c->ldt_ents ? c->ldt_base : 0,
    };

    for (unsigned i = 0; i < PV_ARRAY_SIZE(va); i++)
        if (!canonical(va[i]))
            return refuse(v, RULE_VCPU_ADDRESS, .va = va[i]);
    for (unsigned i = 0; i < 256; i++)
        if (!canonical(c->trap_ctxt[i].address))
            return refuse(v, RULE_TRAP_ADDRESS, .va = c->trap_ctxt[i].address,
                          .vector = (uint8_t)i);
    if (!guest_va_ok(c->ldt_base))
        return refuse(v, RULE_VCPU_ADDRESS, .va = c->ldt_base);
    return 0;
}

static long check_tables(struct vcpu *v, const struct xen_vcpu_guest_context *c)
{
    if (c->ldt_base & PV_PAGE_MASK || c->ldt_ents > LDT_ENTRIES)
        return refuse(v, RULE_VCPU_DESCRIPTORS, .value = c->ldt_ents, .limit = LDT_ENTRIES);
    if (c->gdt_ents > XEN_FIRST_RESERVED_GDT_ENTRY)
        return refuse(v, RULE_VCPU_DESCRIPTORS, .value = c->gdt_ents,
                      .limit = XEN_FIRST_RESERVED_GDT_ENTRY);
    if (v->id == 0 && c->vm_assist & ~ASSISTS)
        return refuse(v, RULE_VCPU_ASSISTS, .value = c->vm_assist, .limit = ASSISTS);
    if (!(c->flags & XEN_VGCF_in_kernel) && !c->ctrlreg[1])
        return refuse(v, RULE_VCPU_USER_ROOT);
    return 0;
}

static long take_tables(struct vcpu *v, const struct xen_vcpu_guest_context *c)
{
    mfn_t kernel = mfn(xen_cr3_to_pfn(c->ctrlreg[3])), user = mfn(xen_cr3_to_pfn(c->ctrlreg[1]));
    long rc = gdt_take(v, c->gdt_frames, (unsigned)c->gdt_ents);

    if (rc)
        return rc;
    rc = root_take(v, kernel);
    if (!rc && c->ctrlreg[1]) {
        rc = root_take(v, user);
        if (rc)
            root_drop(v->domain, kernel);
    }
    if (rc) {
        gdt_drop(v);
        return rc;
    }
    v->root[1] = kernel;
    v->root[0] = c->ctrlreg[1] ? user : mfn(0);
    v->ldt_va = c->ldt_ents ? c->ldt_base : 0;
    v->ldt_entries = (uint32_t)c->ldt_ents;
    return 0;
}

static void apply_callbacks(struct vcpu *v, const struct xen_vcpu_guest_context *c)
{
    v->callback[CB_EVENT].rip = c->event_callback_eip;
    v->callback[CB_EVENT].mask_events = 1;
    v->callback[CB_FAILSAFE].rip = c->failsafe_callback_eip;
    v->callback[CB_FAILSAFE].mask_events = !!(c->flags & XEN_VGCF_failsafe_disables_events);
    v->callback[CB_SYSCALL].rip = c->syscall_callback_eip;
    v->callback[CB_SYSCALL].mask_events = !!(c->flags & XEN_VGCF_syscall_disables_events);
}

static void apply(struct vcpu *v, const struct xen_vcpu_guest_context *c)
{
    struct xen_cpu_user_regs *r = &v->regs;

    *r = c->user_regs;
    r->cs |= 3;
    r->ss |= 3;
    v->iopl = r->rflags & EFLAGS_IOPL;
    r->rflags = (r->rflags & ~(uint64_t)(EFLAGS_IOPL | EFLAGS_VM)) | EFLAGS_IF;
    v->kernel_mode = !!(c->flags & XEN_VGCF_in_kernel);
    v->vm_flags = (uint32_t)c->flags;
    v->kernel_ss = c->kernel_ss | 3;
    v->kernel_sp = c->kernel_sp;
    for (unsigned i = 0; i < 256; i++) {
        v->traps[i] = c->trap_ctxt[i];
        v->traps[i].cs |= 3;
    }
    apply_callbacks(v, c);
    v->segbase[SEGBASE_FS] = c->fs_base;
    v->segbase[SEGBASE_GS_USER] = c->gs_base_user;
    v->segbase[SEGBASE_GS_KERNEL] = c->gs_base_kernel;
    v->segbase[SEGSEL_GS_USER] = 0;
    v->ts = !!(c->ctrlreg[0] & 8);
    v->cr4 = c->ctrlreg[4];
    debugregs_reset(v);
    for (unsigned i = 0; i < DEBUGREGS; i++)
        if (i != 4 && i != 5)
            debugreg_set(v, i, c->debugreg[i]);
    plat_fpu_set(v, c->flags & XEN_VGCF_I387_VALID ? &c->fpu_ctxt : NULL);
}

int vcpu_set_context(struct vcpu *v, const struct xen_vcpu_guest_context *c)
{
    long rc = check_addresses(v, c);

    if (!rc)
        rc = check_tables(v, c);
    if (!rc)
        rc = take_tables(v, c);
    if (rc)
        return (int)rc;
    apply(v, c);
    if (v->id == 0)
        v->domain->vm_assist = c->vm_assist;
    v->initialised = 1;
    v->is_up = !!(c->flags & XEN_VGCF_online);
    return 0;
}

/* -- vcpu_op ------------------------------------------------------------------------- */

static long op_initialise(struct vcpu *v, struct vcpu *target, int32_t cmd, pv_gptr_t arg)
{
    static struct xen_vcpu_guest_context c; /* too big for the stack; used under the one lock */
    long rc;

    if (guest_copy_in(&c, arg, sizeof(c)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    if (target->initialised)
        return refuse(v, RULE_VCPU_INITIALISED, .value = target->id);
    c.flags &= ~(uint64_t)XEN_VGCF_online; /* VCPUOP_up does that */
    rc = vcpu_set_context(target, &c);
    if (rc == -XEN_ERESTART)
        return hc_restart(v, 3, (uint64_t)cmd, (uint64_t)target->id, arg.va);
    return rc;
}

static long op_up(struct vcpu *v, struct vcpu *target)
{
    if (!target->initialised)
        return refuse(v, RULE_VCPU_NOT_INITIALISED, .value = target->id);
    if (!target->is_up) {
        target->is_up = 1;
        sched_wake(target);
    }
    return 0;
}

static long op_down(struct vcpu *target)
{
    struct domain *d = target->domain;
    unsigned others = 0;

    for (unsigned i = 0; i < d->vcpus; i++)
        others += i != target->id && d->vcpu[i]->is_up;
    if (!others) {
        domain_shutdown(d, XEN_SHUTDOWN_poweroff);
    } else if (target->is_up) {
        target->is_up = 0;
        sched_sleep(target, VCPU_DOWN);
    }
    return 0;
}

static long op_runstate(struct vcpu *v, struct vcpu *target, pv_gptr_t arg)
{
    struct xen_vcpu_runstate_info r;

    runstate_get(target, &r);
    if (guest_copy_out(arg, &r, sizeof(r)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    return 0;
}

static long op_register_runstate(struct vcpu *v, struct vcpu *target, pv_gptr_t arg)
{
    struct xen_vcpu_register_runstate_memory_area a;
    struct xen_vcpu_runstate_info r;

    if (guest_copy_in(&a, arg, sizeof(a)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    if (!guest_range_ok(a.addr.p, sizeof(r)))
        return refuse(v, RULE_GUEST_POINTER, .va = a.addr.p);
    target->runstate_area = a.addr.h;
    target->runstate_registered = a.addr.p != 0;
    runstate_get(target, &r);
    if (a.addr.p)
        guest_copy_out(a.addr.h, &r, sizeof(r));
    return 0;
}

static long op_register_time(struct vcpu *v, struct vcpu *target, pv_gptr_t arg)
{
    struct xen_vcpu_register_time_memory_area a;

    if (guest_copy_in(&a, arg, sizeof(a)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    if (!guest_range_ok(a.addr.p, sizeof(struct xen_vcpu_time_info)))
        return refuse(v, RULE_GUEST_POINTER, .va = a.addr.p);
    target->time_area = a.addr.h;
    target->time_registered = a.addr.p != 0;
    time_publish(target);
    return 0;
}

static long op_set_periodic(struct vcpu *v, struct vcpu *target, pv_gptr_t arg)
{
    struct xen_vcpu_set_periodic_timer p;

    if (guest_copy_in(&p, arg, sizeof(p)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    if (p.period_ns < PERIOD_MIN || p.period_ns > PERIOD_MAX)
        return refuse(v, RULE_TIMER_PERIOD, .value = p.period_ns, .limit = PERIOD_MAX);
    periodic_set(target, p.period_ns);
    return 0;
}

static long op_set_singleshot(struct vcpu *v, struct vcpu *target, pv_gptr_t arg)
{
    struct xen_vcpu_set_singleshot_timer s;

    if (v != target)
        return refuse(v, RULE_TIMER_NOT_OWN, .value = target->id);
    if (guest_copy_in(&s, arg, sizeof(s)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    singleshot_set(v, s.timeout_abs_ns);
    return 0;
}

static long op_stop_singleshot(struct vcpu *v, struct vcpu *target)
{
    if (v != target)
        return refuse(v, RULE_TIMER_NOT_OWN, .value = target->id);
    timer_stop(&v->singleshot);
    return 0;
}

static bool take_info_frame(struct domain *d, mfn_t m)
{
    if (!frame_valid(m) || !frame_get(frame_of(m), d->id))
        return false;
    if (frame_get_writable(frame_of(m)))
        return true;
    frame_put(frame_of(m));
    return false;
}

/* v never runs again: give back what its context and registrations took. */
void vcpu_drop(struct vcpu *v)
{
    for (unsigned i = 0; i < 2; i++)
        if (v->root[i].n)
            root_drop(v->domain, v->root[i]);
    v->root[0] = v->root[1] = mfn(0);
    gdt_drop(v);
    ldt_drop(v);
    if (v->info_registered) {
        frame_put_writable(frame_of(v->info_mfn));
        frame_put(frame_of(v->info_mfn));
        v->info = &v->domain->shared->vcpu_info[v->id];
        v->info_registered = 0;
    }
}

/* The guest's old vcpu_info moves; an event is raised, so that none is lost in between. */
static long op_register_info(struct vcpu *v, struct vcpu *target, pv_gptr_t arg)
{
    struct xen_vcpu_register_vcpu_info i;
    struct xen_vcpu_info *to;

    if (guest_copy_in(&i, arg, sizeof(i)))
        return refuse(v, RULE_GUEST_POINTER, .va = arg.va);
    if (i.offset % 8 || i.offset > PV_PAGE_SIZE - sizeof(*to))
        return refuse(v, RULE_VCPU_INFO_PLACE, .mfn = i.mfn, .value = i.offset);
    if (target->info_registered)
        return refuse(v, RULE_VCPU_INFO_TWICE, .value = target->id);
    if (target != v && target->is_up)
        return refuse(v, RULE_VCPU_INFO_TWICE, .value = target->id);
    if (!take_info_frame(v->domain, mfn(i.mfn)))
        return refuse(v, RULE_VCPU_INFO_FRAME, .mfn = i.mfn);
    to = (struct xen_vcpu_info *)((char *)plat_map(mfn(i.mfn)) + i.offset);
    *to = *target->info;
    target->info = to;
    target->info_mfn = mfn(i.mfn);
    target->info_registered = 1;
    to->evtchn_upcall_pending = 1;
    to->evtchn_pending_sel = ~0ull;
    time_publish(target);
    return 0;
}

static long op_send_nmi(struct vcpu *v, struct vcpu *target, pv_gptr_t arg)
{
    if (!gptr_null(arg))
        return refuse(v, RULE_VCPU_NMI_ARGUMENT, .va = arg.va);
    target->nmi_pending = 1;
    if (target->state == VCPU_BLOCKED)
        sched_wake(target);
    cpu_work_set(CPU_WORK_RESCHED);
    return 0;
}

static __attribute__((noinline)) long other_op(struct vcpu *v, int32_t cmd, uint32_t id,
                                               pv_gptr_t arg)
{
    struct vcpu *target;

    if (id >= v->domain->vcpus)
        return refuse(v, RULE_VCPU_UNKNOWN, .value = id);
    target = v->domain->vcpu[id];
    switch (cmd) {
    case XEN_VCPUOP_initialise:
        return op_initialise(v, target, cmd, arg);
    case XEN_VCPUOP_up:
        return op_up(v, target);
    case XEN_VCPUOP_down:
        return op_down(target);
    case XEN_VCPUOP_get_runstate_info:
        return op_runstate(v, target, arg);
    case XEN_VCPUOP_register_runstate_memory_area:
        return op_register_runstate(v, target, arg);
    case XEN_VCPUOP_set_periodic_timer:
        return op_set_periodic(v, target, arg);
    case XEN_VCPUOP_stop_periodic_timer:
        periodic_set(target, 0);
        return 0;
    case XEN_VCPUOP_set_singleshot_timer:
        return op_set_singleshot(v, target, arg);
    case XEN_VCPUOP_stop_singleshot_timer:
        return op_stop_singleshot(v, target);
    case XEN_VCPUOP_register_vcpu_info:
        return op_register_info(v, target, arg);
    case XEN_VCPUOP_send_nmi:
        return op_send_nmi(v, target, arg);
    case XEN_VCPUOP_get_physid:
        return refuse(v, RULE_VCPU_PHYSID);
    case XEN_VCPUOP_register_vcpu_time_memory_area:
        return op_register_time(v, target, arg);
    default:
        return refuse(v, RULE_HYPERCALL_SUBOP, .value = (uint32_t)cmd);
    }
}

long hc_vcpu_op(struct vcpu *v, int32_t cmd, uint32_t id, pv_gptr_t arg)
{
    if (cmd == XEN_VCPUOP_is_up && id < v->domain->vcpus)
        return v->domain->vcpu[id]->is_up;
    return other_op(v, cmd, id, arg);
}
