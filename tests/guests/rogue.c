/* SPDX-License-Identifier: MIT */
/*
 * rogue: a guest that misbehaves in the way that `mode=` on its command line names, and `witness`,
 * the well-behaved one beside it.
 *
 * A mode either ends in the hypervisor's killing this guest, with a reason (KILLED), or is borne
 * and ends in an ordinary power-off (BORNE).  tests/guests/rogue.sh holds the table of what each
 * must come to, and sees that the witness notices nothing in either case.
 */
#include "t.h"

#define HC(n) XEN_HYPERVISOR_##n

static void no_traps(void)
{
    rt_call1(HC(set_trap_table), 0);
}

static void jump(void)
{
    no_traps();
    __asm__ volatile("jmp *%0" ::"r"(0x123450000ul));
}

static void jump_noncanonical(void)
{
    no_traps();
    __asm__ volatile("jmp *%0" ::"r"(0x0000800000000000ul));
}

static void jump_hypervisor(void)
{
    no_traps();
    __asm__ volatile("jmp *%0" ::"r"(0xffff82d080200000ul));
}

static void undefined(void)
{
    no_traps();
    __asm__ volatile("ud2");
}

/* Down to where the stack ends: the fault's own frame finds no room. */
static __attribute__((noinline)) uint64_t deeper(volatile uint64_t n)
{
    volatile uint64_t pad[64];

    pad[0] = n;
    return n == ~0ul ? 0 : deeper(n + 1) + pad[0];
}

static void stack(void)
{
    /* The page below this stack is taken away first, so that nothing else is overwritten. */
    rt_va_map((uint64_t)rt_stacks, 0, XEN_UVMF_INVLPG);
    deeper(0);
}

static void stack_null(void)
{
    __asm__ volatile("xor %esp, %esp\n\tud2");
}

static void stack_hypervisor(void)
{
    __asm__ volatile("mov %0, %%rsp\n\tud2" ::"r"(0xffff830000001000ul));
}

static void stack_readonly(void)
{
    uint8_t *page = rt_page();

    rt_make_ro(page);
    __asm__ volatile("mov %0, %%rsp\n\tud2" ::"r"(page + PAGE));
}

static void handler_nowhere(void)
{
    rt_set_trap(6, 0, 0x123450000);
    rt_set_trap(14, 0, 0x123460000); /* and that one's page fault is no better */
    __asm__ volatile("ud2");
}

static void callback_nowhere(void)
{
    struct xen_callback_register r = {.type = XEN_CALLBACKTYPE_event,
                                      .address = 0xffff800000000000};

    no_traps();
    rt_call2(HC(callback_op), XEN_CALLBACKOP_register, (uint64_t)&r);
    uint32_t port = rt_bind_ipi(0);
    rt_events_on();
    rt_send(port);
}

static void iret_null(void)
{
    no_traps();
    __asm__ volatile("xor %%esp, %%esp\n\tmov $23, %%eax\n\tsyscall" ::: "rax", "memory");
}

static void iret_user(void)
{
    struct rt_regs r;

    no_traps(); /* and no user page tables */
    memset(&r, 0, sizeof(r));
    r.cs = XEN_FLAT_USER_CS64;
    r.ss = XEN_FLAT_USER_SS64;
    r.rip = (uint64_t)rt_stacks;
    r.rflags = 0x202;
    rt_user_enter(&r);
}

static void unmap_code(void)
{
    no_traps();
    /* The call's own page, and with it what comes after the return. */
    rt_va_map((uint64_t)hypercall_page, 0, XEN_UVMF_INVLPG);
}

static void empty_root(void)
{
    uint64_t *l4 = rt_page();

    no_traps();
    rt_make_ro(l4);
    rt_mmuext(XEN_MMUEXT_NEW_BASEPTR, rt_mfn(l4), 0);
    rt_printf("rogue: still there without page tables\n");
}

static void crash(void)
{
    rt_exit(XEN_SHUTDOWN_crash);
}

/* ---- borne ---- */

/* No hypercall, no event taken, for a second and a half of its own clock. */
static void masked_loop(void)
{
    rt_events_off();
    for (uint64_t end = rt_now() + 1500000000ul; rt_now() < end;)
        barrier();
}

static void pin_garbage(void)
{
    uint64_t *t = rt_page(), seed = 99;

    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < 512; i++) {
            seed = seed * 6364136223846793005ul + 1442695040888963407ul;
            t[i] = seed | PTE_P;
        }
        rt_make_ro(t);
        for (unsigned l = 0; l < 4; l++)
            rt_mmuext(XEN_MMUEXT_PIN_L1_TABLE + l, rt_mfn(t), 0);
        rt_make_rw(t);
    }
    for (uint64_t i = 0; i < 4096; i++)
        rt_mmuext(XEN_MMUEXT_PIN_L4_TABLE, i * 977, 0);
}

/* Calls that would end or stop this guest, rather than be refused, are left out. */
static bool ends_us(unsigned nr, uint64_t cmd)
{
    switch (nr) {
    case HC(sched_op):
        return cmd == XEN_SCHEDOP_shutdown || cmd == XEN_SCHEDOP_block || cmd == XEN_SCHEDOP_poll ||
               cmd == XEN_SCHEDOP_watchdog || cmd == XEN_SCHEDOP_shutdown_code;
    case HC(vcpu_op):
        return cmd == XEN_VCPUOP_down || cmd == XEN_VCPUOP_send_nmi;
    case HC(iret):
    case HC(sched_op_compat):
    case HC(set_callbacks):
    case HC(stack_switch):
    case HC(set_trap_table):
        return true;
    default:
        return false;
    }
}

static void bad_addresses(void)
{
    for (unsigned nr = 0; nr < 56; nr++) {
        for (unsigned i = 0; i < t_nr_bad; i++) {
            for (unsigned k = 0; !ends_us(nr, t_bad[i]) && k < t_nr_bad; k++)
                rt_call4(nr, t_bad[i], t_bad[k], t_bad[i], XEN_DOMID_SELF);
        }
        for (unsigned cmd = 0; cmd < 34; cmd++) {
            for (unsigned i = 0; i < t_nr_bad; i++) {
                if (!ends_us(nr, cmd)) {
                    rt_call4(nr, cmd, t_bad[i], 1, t_bad[i]);
                    rt_call4(nr, cmd, 0, t_bad[i], 1);
                }
                if (!ends_us(nr, t_bad[i]))
                    rt_call4(nr, t_bad[i], cmd, t_bad[i], 1);
            }
        }
    }
}

/* Page-table stores of random values in random places, all refused or its own affair. */
static void random_updates(void)
{
    uint64_t seed = 7, frames = (uint64_t)rt_memory(XENMEM_maximum_ram_page, NULL);

    for (unsigned n = 0; n < 20000; n++) {
        seed = seed * 6364136223846793005ul + 1442695040888963407ul;
        uint64_t ptr = (seed >> 11) % frames << 12 | (seed & 0xff8);
        uint64_t mfn = ptr >> 12;
        bool ours = RT_M2P[mfn] < rt_si->nr_pages && rt_p2m[RT_M2P[mfn]] == mfn;
        if (ours)
            continue; /* what it does to itself is another test */
        seed = seed * 6364136223846793005ul + 1442695040888963407ul;
        rt_mmu_update(ptr, seed);
        rt_va_map(WIN + (seed >> 40 & 0x1ff000), seed & ~PTE_MFN & ~PTE_P, 0);
        rt_mmu_update(t_ptr(seed & 511), mfn << 12 | PTE_RW);
    }
}

static void console_flood(void)
{
    for (unsigned i = 0; i < 300; i++)
        rt_printf("flood %u: the quick brown fox jumps over the lazy dog\n", i);
}

static void event_flood(void)
{
    uint32_t port = rt_bind_ipi(0);

    rt_events_on();
    for (unsigned i = 0; i < 20000; i++)
        rt_send(port);
    struct xen_evtchn_alloc_unbound a = {.dom = XEN_DOMID_SELF, .remote_dom = XEN_DOMID_SELF};
    while (rt_evtchn(XEN_EVTCHNOP_alloc_unbound, &a) == 0)
        barrier();
}

static void give_all_memory(void)
{
    uint64_t given = 0;

    /* Everything that is not mapped by this image: frames above the initial mapping. */
    for (uint64_t pfn = rt_si->nr_pages; pfn-- > 0;) {
        uint64_t frame = rt_p2m[pfn];
        struct xen_memory_reservation r = {
            .extent_start = G(&frame), .nr_extents = 1, .domid = XEN_DOMID_SELF};
        if (pfn > 0x4000 && rt_memory(XENMEM_decrease_reservation, &r) == 1)
            given++;
    }
    rt_printf("rogue: gave back %s\n", given ? "much" : "nothing");
}

static void fault_storm(void)
{
    for (unsigned i = 0; i < 20000; i++)
        RT_TRY("movb $1, (%0)", ::"r"(t_win(i & 511)) : "memory");
}

static void timer_storm(void)
{
    rt_bind_virq(XEN_VIRQ_TIMER, 0);
    rt_events_on();
    for (unsigned i = 0; i < 20000; i++)
        rt_set_timer(1);
}

/* ---- the witness ---- */

static volatile unsigned ticks;

static void tick(uint32_t port)
{
    (void)port;
    ticks++;
}

/*
 * Lives through `rounds` of ordinary guest life: a timer that must not be early or lost, memory
 * that nobody else writes, mappings that come and go.
 */
static void witness(void)
{
    char buf[16];
    unsigned rounds = rt_value("rounds", buf, sizeof(buf)) ? (unsigned)rt_number(buf) : 40;
    uint64_t *page[16];

    rt_vcpu(XEN_VCPUOP_stop_periodic_timer, 0, NULL);
    rt_on_port(rt_bind_virq(XEN_VIRQ_TIMER, 0), tick);
    rt_events_on();
    for (unsigned i = 0; i < 16; i++) {
        page[i] = rt_page();
        for (unsigned k = 0; k < 512; k++)
            page[i][k] = (uint64_t)i << 32 | k;
    }
    for (unsigned r = 0; r < rounds; r++) {
        uint64_t when = rt_now() + 20000000;
        ticks = 0;
        if (rt_set_timer(when))
            rt_panic("witness: set_timer");
        while (!ticks)
            rt_sched(XEN_SCHEDOP_block, NULL);
        if (rt_now() < when || ticks != 1)
            rt_panic("witness: the timer is early, or twice");
        for (unsigned i = 0; i < 16; i++) {
            if (rt_mmu_update(t_ptr(i), t_pte(page[i], PTE_RW)))
                rt_panic("witness: mmu_update");
            for (unsigned k = 0; k < 512; k++) {
                if (((volatile uint64_t *)t_win(i))[k] != ((uint64_t)i << 32 | k))
                    rt_panic("witness: page %u was written", i);
            }
            if (rt_va_map(t_win(i), 0, XEN_UVMF_INVLPG) || !t_absent(t_win(i)))
                rt_panic("witness: unmap");
        }
    }
    rt_printf("witness: noticed nothing\n");
}

static const struct {
    const char *name;
    void (*fn)(void);
} modes[] = {
    {"witness", witness},
    {"jump", jump},
    {"jump-noncanonical", jump_noncanonical},
    {"jump-hypervisor", jump_hypervisor},
    {"undefined", undefined},
    {"stack", stack},
    {"stack-null", stack_null},
    {"stack-hypervisor", stack_hypervisor},
    {"stack-readonly", stack_readonly},
    {"handler-nowhere", handler_nowhere},
    {"callback-nowhere", callback_nowhere},
    {"iret-null", iret_null},
    {"iret-user", iret_user},
    {"unmap-code", unmap_code},
    {"empty-root", empty_root},
    {"crash", crash},
    {"masked-loop", masked_loop},
    {"pin-garbage", pin_garbage},
    {"bad-addresses", bad_addresses},
    {"random-updates", random_updates},
    {"console-flood", console_flood},
    {"event-flood", event_flood},
    {"give-all-memory", give_all_memory},
    {"fault-storm", fault_storm},
    {"timer-storm", timer_storm},
};

void rt_image_main(void)
{
    char mode[32];

    t_window();
    if (!rt_value("mode", mode, sizeof(mode)))
        rt_panic("mode= is missing");
    for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (!strcmp(mode, modes[i].name)) {
            modes[i].fn();
            rt_printf("rogue: %s done\n", mode);
            return;
        }
    }
    rt_panic("there is no mode %s", mode);
}
