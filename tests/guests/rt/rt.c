/* SPDX-License-Identifier: MIT */
/*
 * Start of day, memory, traps, events and virtual CPUs of the test guests.
 *
 * rt_main() takes the machine over and calls the image's rt_image_main(); falling out of that is an
 * orderly power-off.  Every trap first goes to the hook of its vector; then, when a test expects
 * one (rt_fixup), it is recorded and stepped over; anything else ends the guest with its registers
 * on the console.
 */
#include "rt.h"

#define POOL_PAGES 1024

struct xen_start_info *rt_si;
struct xen_shared_info *rt_shared;
uint64_t *rt_p2m, *rt_l4;
const char *rt_cmdline;
struct rt_seen rt_seen;
volatile uint64_t rt_fixup;

static uint8_t pool[POOL_PAGES][4096] __attribute__((aligned(4096)));
uint8_t rt_shared_page[4096] __attribute__((aligned(4096)));
static unsigned pool_next;
static void *pool_free;
static rt_hook *hooks[RT_FAILSAFE + 1];
static rt_evhook *port_hooks[1024];

/* ---- hypercalls ---- */

int64_t rt_raw_call(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    int64_t ret;
    __asm__ volatile("syscall"
                     : "=a"(ret), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8)
                     : "0"(nr)
                     : "memory", "rcx", "r11");
    return ret;
}

int64_t rt_mmu_update(uint64_t ptr, uint64_t val)
{
    struct xen_mmu_update u = {.ptr = ptr, .val = val};
    return rt_call4(XEN_HYPERVISOR_mmu_update, (uint64_t)&u, 1, 0, XEN_DOMID_SELF);
}

int64_t rt_mmuext(uint32_t cmd, uint64_t arg1, uint64_t arg2)
{
    struct xen_mmuext_op op;
    memset(&op, 0, sizeof(op));
    op.cmd = cmd;
    op.arg1.mfn = arg1;
    memcpy(&op.arg2, &arg2, sizeof(arg2));
    return rt_call4(XEN_HYPERVISOR_mmuext_op, (uint64_t)&op, 1, 0, XEN_DOMID_SELF);
}

int64_t rt_va_map(uint64_t va, uint64_t pte, uint64_t flags)
{
    return rt_call3(XEN_HYPERVISOR_update_va_mapping, va, pte, flags);
}

int64_t rt_memory(uint32_t cmd, void *arg)
{
    return rt_call2(XEN_HYPERVISOR_memory_op, cmd, (uint64_t)arg);
}

int64_t rt_evtchn(uint32_t cmd, void *arg)
{
    return rt_call2(XEN_HYPERVISOR_event_channel_op, cmd, (uint64_t)arg);
}

int64_t rt_sched(uint32_t cmd, void *arg)
{
    return rt_call2(XEN_HYPERVISOR_sched_op, cmd, (uint64_t)arg);
}

int64_t rt_vcpu(uint32_t cmd, uint32_t cpu, void *arg)
{
    return rt_call3(XEN_HYPERVISOR_vcpu_op, cmd, cpu, (uint64_t)arg);
}

int64_t rt_physdev(uint32_t cmd, void *arg)
{
    return rt_call2(XEN_HYPERVISOR_physdev_op, cmd, (uint64_t)arg);
}

int64_t rt_gnttab(uint32_t cmd, void *arg, uint32_t n)
{
    return rt_call3(XEN_HYPERVISOR_grant_table_op, cmd, (uint64_t)arg, n);
}

int64_t rt_version(uint32_t cmd, void *arg)
{
    return rt_call2(XEN_HYPERVISOR_xen_version, cmd, (uint64_t)arg);
}

int64_t rt_set_timer(uint64_t ns)
{
    return rt_call1(XEN_HYPERVISOR_set_timer_op, ns);
}

void rt_set_segbase(unsigned which, uint64_t base)
{
    int64_t ret = rt_call2(XEN_HYPERVISOR_set_segment_base, which, base);
    if (ret)
        rt_panic("set_segment_base(%u, %lx) = %ld", which, base, ret);
}

/* ---- memory ---- */

void *rt_page(void)
{
    void *p = pool_free;
    if (p) {
        pool_free = *(void **)p;
    } else {
        if (pool_next == POOL_PAGES)
            rt_panic("the page pool is used up");
        p = pool[pool_next++];
    }
    return memset(p, 0, PAGE);
}

void rt_page_free(void *page)
{
    *(void **)page = pool_free;
    pool_free = page;
}

uint64_t *rt_entry(uint64_t *l4, uint64_t va, int level)
{
    uint64_t *table = l4;
    for (int l = 4;; l--) {
        uint64_t *e = &table[va >> (12 + 9 * (l - 1)) & 511];
        if (l == level)
            return e;
        if (!(*e & PTE_P))
            return NULL;
        table = rt_mfn_va((*e & PTE_MFN) >> 12);
    }
}

static void remap(void *page, uint64_t flags)
{
    uint64_t va = (uint64_t)page;
    int64_t ret = rt_va_map(va, rt_mfn(page) << 12 | flags, XEN_UVMF_INVLPG | XEN_UVMF_ALL);
    if (ret)
        rt_panic("remapping %lx as %lx: %ld", va, flags, ret);
}

void rt_make_ro(void *page)
{
    remap(page, PTE_RO);
}

void rt_make_rw(void *page)
{
    remap(page, PTE_RW);
}

uint64_t *rt_build_l1(uint64_t va)
{
    for (int level = 4; level > 1; level--) {
        uint64_t *e = rt_entry(rt_l4, va, level);
        if (*e & PTE_P)
            continue;
        void *table = rt_page();
        rt_make_ro(table);
        int64_t ret = rt_mmu_update(rt_maddr(e), rt_mfn(table) << 12 | PTE_RW);
        if (ret)
            rt_panic("L%d entry for %lx: %ld", level, va, ret);
    }
    return (uint64_t *)((uint64_t)rt_entry(rt_l4, va, 1) & ~(PAGE - 1));
}

/* ---- traps ---- */

void rt_on(unsigned vector, rt_hook *hook)
{
    hooks[vector] = hook;
}

int64_t rt_set_trap(unsigned vector, unsigned flags, uint64_t address)
{
    struct xen_trap_info t[2];
    memset(t, 0, sizeof(t));
    t[0].vector = (uint8_t)vector;
    t[0].flags = (uint8_t)flags;
    t[0].cs = XEN_FLAT_KERNEL_CS;
    t[0].address = address;
    return rt_call1(XEN_HYPERVISOR_set_trap_table, (uint64_t)t);
}

void rt_set_callbacks(void (*event)(void), void (*failsafe)(void), void (*syscall)(void))
{
    int64_t ret = rt_call3(XEN_HYPERVISOR_set_callbacks, (uint64_t)event, (uint64_t)failsafe,
                           (uint64_t)syscall);
    if (ret)
        rt_panic("set_callbacks: %ld", ret);
}

static void dump(const struct rt_regs *r)
{
    rt_printf("trap %lx error %lx cr2 %lx\nrip %lx cs %lx rflags %lx rsp %lx ss %lx\n", r->vector,
              r->error, rt_vi()->arch.cr2, r->rip, r->cs, r->rflags, r->rsp, r->ss);
    rt_printf("rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx\nrbp %lx r8 %lx r9 %lx r10 %lx\n",
              r->rax, r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->rbp, r->r8, r->r9, r->r10);
}

void rt_trap(struct rt_regs *regs);
void rt_trap(struct rt_regs *regs)
{
    if (regs->vector <= RT_FAILSAFE && hooks[regs->vector] && hooks[regs->vector](regs))
        return;
    if (rt_fixup && !(regs->cs & 3)) {
        rt_seen.vec = (int)regs->vector;
        rt_seen.error = regs->error;
        rt_seen.rip = regs->rip;
        rt_seen.cr2 = rt_vi()->arch.cr2;
        rt_seen.cs = regs->cs;
        rt_seen.rflags = regs->rflags;
        regs->rip = rt_fixup;
        rt_fixup = 0;
        return;
    }
    dump(regs);
    rt_panic("unexpected trap %lx", regs->vector);
}

void rt_traps_init(void)
{
    static struct xen_trap_info table[34];

    for (unsigned v = 0; v < 32; v++) {
        table[v].vector = (uint8_t)v;
        table[v].flags = v == 3 || v == 4 ? 3 : 0;
        table[v].cs = XEN_FLAT_KERNEL_CS;
        table[v].address = rt_stub_table[v];
    }
    table[32] = (struct xen_trap_info){
        .vector = 0x80, .flags = 3, .cs = XEN_FLAT_KERNEL_CS, .address = rt_stub_table[0x80]};
    int64_t ret = rt_call1(XEN_HYPERVISOR_set_trap_table, (uint64_t)table);
    if (ret)
        rt_panic("set_trap_table: %ld", ret);
}

/* ---- events ---- */

void rt_on_port(uint32_t port, rt_evhook *hook)
{
    port_hooks[port] = hook;
}

/* Takes every pending, unmasked port; clears before it calls, so that no event is lost. */
static void dispatch(void)
{
    struct xen_vcpu_info *vi = rt_vi();
    volatile uint64_t *pending = (volatile uint64_t *)rt_shared->evtchn_pending;
    volatile uint64_t *mask = (volatile uint64_t *)rt_shared->evtchn_mask;

    while (__atomic_exchange_n(&vi->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST)) {
        uint64_t sel = __atomic_exchange_n(&vi->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
        for (; sel; sel &= sel - 1) {
            unsigned w = (unsigned)__builtin_ctzl(sel);
            uint64_t bits;
            while ((bits = pending[w] & ~mask[w]) != 0) {
                unsigned b = (unsigned)__builtin_ctzl(bits);
                uint32_t port = w * 64 + b;
                __atomic_fetch_and(&pending[w], ~(1ul << b), __ATOMIC_SEQ_CST);
                if (port < 1024 && port_hooks[port])
                    port_hooks[port](port);
            }
        }
    }
}

void rt_event(struct rt_regs *regs);
void rt_event(struct rt_regs *regs)
{
    if (hooks[RT_EVENT] && hooks[RT_EVENT](regs))
        return;
    dispatch();
}

void rt_events_on(void)
{
    struct xen_vcpu_info *vi = rt_vi();

    for (;;) {
        *(volatile uint8_t *)&vi->evtchn_upcall_mask = 0;
        barrier();
        if (!*(volatile uint8_t *)&vi->evtchn_upcall_pending)
            return;
        /* The hypervisor may not have noticed: take them here, masked. */
        *(volatile uint8_t *)&vi->evtchn_upcall_mask = 1;
        dispatch();
    }
}

uint32_t rt_bind_virq(uint32_t virq, uint32_t cpu)
{
    struct xen_evtchn_bind_virq b = {.virq = virq, .vcpu = cpu};
    int64_t ret = rt_evtchn(XEN_EVTCHNOP_bind_virq, &b);
    if (ret)
        rt_panic("bind_virq %u: %ld", virq, ret);
    return b.port;
}

uint32_t rt_bind_ipi(uint32_t cpu)
{
    struct xen_evtchn_bind_ipi b = {.vcpu = cpu};
    int64_t ret = rt_evtchn(XEN_EVTCHNOP_bind_ipi, &b);
    if (ret)
        rt_panic("bind_ipi: %ld", ret);
    return b.port;
}

void rt_close(uint32_t port)
{
    struct xen_evtchn_close c = {.port = port};
    int64_t ret = rt_evtchn(XEN_EVTCHNOP_close, &c);
    if (ret)
        rt_panic("close %u: %ld", port, ret);
    port_hooks[port] = NULL;
}

int64_t rt_send(uint32_t port)
{
    struct xen_evtchn_send s = {.port = port};
    return rt_evtchn(XEN_EVTCHNOP_send, &s);
}

void rt_mask(uint32_t port)
{
    __atomic_fetch_or((uint64_t *)&rt_shared->evtchn_mask[port / 64], 1ul << port % 64,
                      __ATOMIC_SEQ_CST);
}

void rt_unmask(uint32_t port)
{
    struct xen_evtchn_unmask u = {.port = port};
    int64_t ret = rt_evtchn(XEN_EVTCHNOP_unmask, &u);
    if (ret)
        rt_panic("unmask %u: %ld", port, ret);
}

/* ---- time and virtual CPUs ---- */

uint64_t rt_now(void)
{
    volatile struct xen_vcpu_time_info *t = &rt_vi()->time;
    uint32_t version;
    uint64_t ns;

    do {
        version = t->version & ~1u;
        barrier();
        uint64_t delta = rt_tsc() - t->tsc_timestamp;
        delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift : delta << t->tsc_shift;
        ns = t->system_time + (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
        barrier();
    } while (t->version != version);
    return ns;
}

/*
 * A virtual CPU is initialised once in its life; after that it goes down at the end of each task,
 * and finds the next one here when it is raised again.
 */
static struct {
    void (*fn)(void *);
    void *arg;
    bool initialised;
} tasks[RT_CPUS];

void rt_vcpu_main(void);
void rt_vcpu_main(void)
{
    int cpu = rt_cpu();

    for (;;) {
        tasks[cpu].fn(tasks[cpu].arg);
        rt_vi()->evtchn_upcall_mask = 1;
        rt_vcpu(XEN_VCPUOP_down, (uint32_t)cpu, NULL);
    }
}

extern void rt_vcpu_entry(void);

uint64_t rt_trap_stack(int cpu)
{
    uint8_t *stack = rt_stacks + RT_STACK * (uint64_t)(RT_CPUS + cpu);

    *(int *)stack = cpu;
    return (uint64_t)stack + RT_STACK - 16;
}

void rt_vcpu_context(struct xen_vcpu_guest_context *ctx, int cpu)
{
    uint8_t *stack = rt_stacks + RT_STACK * (uint64_t)cpu;

    memset(ctx, 0, sizeof(*ctx));
    *(int *)stack = cpu;
    ctx->flags = XEN_VGCF_IN_KERNEL;
    ctx->user_regs.rip = (uint64_t)rt_vcpu_entry;
    ctx->user_regs.rsp = (uint64_t)stack + RT_STACK - 16;
    ctx->user_regs.cs = XEN_FLAT_KERNEL_CS;
    ctx->user_regs.ss = XEN_FLAT_KERNEL_SS;
    ctx->user_regs.rflags = 0x200;
    for (unsigned v = 0; v < 256; v++) {
        ctx->trap_ctxt[v].vector = (uint8_t)v;
        ctx->trap_ctxt[v].cs = XEN_FLAT_KERNEL_CS;
        if (v < 32 || v == 0x80)
            ctx->trap_ctxt[v].address = rt_stub_table[v];
        ctx->trap_ctxt[v].flags = v == 3 || v == 4 || v == 0x80 ? 3 : 0;
    }
    ctx->kernel_ss = XEN_FLAT_KERNEL_SS;
    ctx->kernel_sp = rt_trap_stack(cpu);
    ctx->ctrlreg[3] = rt_mfn(rt_l4) << 12;
    ctx->event_callback_eip = (uint64_t)rt_enter_event;
    ctx->failsafe_callback_eip = (uint64_t)rt_enter_failsafe;
    ctx->syscall_callback_eip = (uint64_t)rt_enter_syscall;
}

void rt_vcpu_task(int cpu, void (*fn)(void *), void *arg)
{
    tasks[cpu].fn = fn;
    tasks[cpu].arg = arg;
}

int64_t rt_vcpu_adopt(int cpu, struct xen_vcpu_guest_context *ctx)
{
    int64_t ret = rt_vcpu(XEN_VCPUOP_initialise, (uint32_t)cpu, ctx);

    if (!ret)
        tasks[cpu].initialised = true;
    return ret;
}

int64_t rt_vcpu_start(int cpu, void (*fn)(void *), void *arg)
{
    static struct xen_vcpu_guest_context ctx[RT_CPUS];

    rt_vcpu_task(cpu, fn, arg);
    if (!tasks[cpu].initialised) {
        rt_vcpu_context(&ctx[cpu], cpu);
        int64_t ret = rt_vcpu_adopt(cpu, &ctx[cpu]);
        if (ret)
            return ret;
    }
    return rt_vcpu(XEN_VCPUOP_up, (uint32_t)cpu, NULL);
}

void rt_main(struct xen_start_info *si);
void rt_main(struct xen_start_info *si)
{
    rt_si = si;
    rt_p2m = (uint64_t *)si->mfn_list;
    rt_cmdline = (const char *)si->cmd_line;
    rt_l4 = (uint64_t *)si->pt_base;
    int64_t ret = rt_va_map((uint64_t)rt_shared_page, si->shared_info | PTE_RW, XEN_UVMF_INVLPG);
    if (ret)
        rt_panic("mapping shared_info: %ld", ret);
    rt_shared = (struct xen_shared_info *)rt_shared_page;
    memset((void *)rt_shared->evtchn_mask, 0, sizeof(rt_shared->evtchn_mask));
    rt_traps_init();
    rt_set_callbacks(rt_enter_event, rt_enter_failsafe, rt_enter_syscall);
    ret = rt_call2(XEN_HYPERVISOR_stack_switch, XEN_FLAT_KERNEL_SS, rt_trap_stack(0));
    if (ret)
        rt_panic("stack_switch: %ld", ret);
    rt_image_main();
    rt_exit(XEN_SHUTDOWN_poweroff);
}
