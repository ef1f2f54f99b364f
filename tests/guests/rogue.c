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
        return cmd == XEN_VCPUOP_down || cmd == XEN_VCPUOP_send_nmi ||
               cmd == XEN_VCPUOP_register_vcpu_info;
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

/*
 * Random hypercalls with arguments that often mean something: its own tables and pages, live
 * structures of random contents, small numbers, bad addresses.  It may well do away with itself.
 * seed= says which of the many ways.
 */
static uint64_t fuzz_state;

static uint64_t rnd(void)
{
    fuzz_state = fuzz_state * 6364136223846793005ul + 1442695040888963407ul;
    return fuzz_state >> 24;
}

static uint8_t *fuzz_page[16];

static uint64_t fuzz_word(void)
{
    uint8_t *page = fuzz_page[rnd() & 15];
    static const uint64_t flags[] = {0, PTE_RW, PTE_RO, PTE_P, PTE_RW | PTE_PS, PTE_RW | PTE_NX};

    switch (rnd() % 14) {
    case 0:
        return rnd() & 63;
    case 1:
        return rt_mfn(page);
    case 2:
        return rt_maddr(page) | (rnd() & 0xff8);
    case 3:
        return rt_maddr(page) | flags[rnd() % 6];
    case 4:
        return t_win(rnd() & 511);
    case 5:
        return t_ptr(rnd() & 511);
    case 6:
        return (uint64_t)page | (rnd() & 0xff8);
    case 7:
        return t_bad[rnd() % t_nr_bad];
    case 8:
        return XEN_DOMID_SELF;
    case 9:
        return rt_maddr(rt_l4) | (rnd() & 0xff8);
    case 10:
        return rnd() << 20 | rnd();
    case 11:
        return rt_mfn((void *)t_l1);
    case 12:
        return rnd() & 0x1fffff;
    default:
        return (uint64_t)fuzz_page[15];
    }
}

/* A structure of the kind that call `nr` takes, in to[]; its other arguments in a[]. */
static void fuzz_call(unsigned nr, uint64_t *to, uint64_t a[5])
{
    static const uint8_t some[] = {1, 3, 5, 8, 9, 12, 14, 15, 17, 20, 21, 25, 26, 32};

    switch (nr) {
    case HC(mmu_update):
        a[0] = (uint64_t)to;
        a[1] = rnd() % 6;
        a[2] = rnd() & 1 ? 0 : a[2];
        a[3] = XEN_DOMID_SELF;
        break;
    case HC(mmuext_op):
        a[0] = (uint64_t)to;
        a[1] = rnd() % 4;
        a[2] = 0;
        a[3] = XEN_DOMID_SELF;
        for (unsigned i = 0; i < 4; i++) {
            to[i * 3] = rnd() % 22;
            if (to[i * 3] == XEN_MMUEXT_NEW_BASEPTR && rnd() % 500)
                to[i * 3] = XEN_MMUEXT_PIN_L1_TABLE; /* else it soon has no ground to stand on */
        }
        break;
    case HC(memory_op):
        a[0] = rnd() % 30;
        a[1] = (uint64_t)to;
        to[0] = (uint64_t)fuzz_page[rnd() & 15];
        to[1] = rnd() % 12;
        to[2] = rnd() % 3;
        to[3] = to[6] = XEN_DOMID_SELF;
        break;
    case HC(event_channel_op):
        a[0] = rnd() % 14;
        a[1] = (uint64_t)to;
        to[0] = rnd() & 1 ? XEN_DOMID_SELF | (uint64_t)XEN_DOMID_SELF << 16 | (rnd() % 20) << 32
                          : rnd() % 20 | (rnd() % 3) << 32;
        break;
    case HC(grant_table_op):
        a[0] = rnd() % 13;
        a[1] = (uint64_t)to;
        a[2] = rnd() % 3;
        to[1] = (rnd() & 31) | (rnd() % 12) << 32;
        to[2] = rnd() & 1 ? 2 : XEN_DOMID_SELF;
        break;
    case HC(vcpu_op):
        a[0] = rnd() % 14;
        a[1] = rnd() % 3;
        a[2] = (uint64_t)to;
        break;
    case HC(update_va_mapping):
        a[0] = rnd() & 1 ? t_win(rnd() & 511) : (uint64_t)fuzz_page[rnd() & 15];
        a[2] = rnd() % 8;
        break;
    case HC(set_gdt):
        a[0] = (uint64_t)to;
        a[1] = rnd() % 2000;
        to[0] = rt_mfn(fuzz_page[rnd() & 15]);
        break;
    case HC(multicall):
        a[0] = (uint64_t)to;
        a[1] = rnd() % 3;
        to[0] = some[rnd() % sizeof(some)];
        to[8] = some[rnd() % sizeof(some)];
        break;
    default:
        if (rnd() & 1)
            a[rnd() % 3] = (uint64_t)to;
    }
}

/* The other doors: direct stores to tables, privileged registers. */
static void fuzz_instruction(void)
{
    uint64_t v = fuzz_word();

    switch (rnd() % 8) {
    case 0:
        if (rnd() % 500)
            break;
        __asm__ volatile(RT_TRY_BEGIN "mov %0, %%cr3" RT_TRY_END ::"r"(v) : "memory");
        break;
    case 1:
        __asm__ volatile(RT_TRY_BEGIN "mov %0, %%dr7" RT_TRY_END ::"r"(v & ~0xfful) : "memory");
        break;
    case 2:
        __asm__ volatile(RT_TRY_BEGIN "wrmsr" RT_TRY_END ::"a"((uint32_t)v), "d"(v >> 32),
                         "c"(0xc0000080 + (uint32_t)(rnd() % 0x84))
                         : "memory");
        break;
    case 3:
        __asm__ volatile(RT_TRY_BEGIN "mov %0, %%es" RT_TRY_END ::"r"((uint32_t)v) : "memory");
        break;
    default:
        __asm__ volatile(RT_TRY_BEGIN "mov %1, (%0)" RT_TRY_END ::"r"(&t_l1[rnd() & 511]), "r"(v)
                         : "memory");
    }
}

static void fuzz(void)
{
    char buf[24];
    uint64_t rounds = rt_value("rounds", buf, sizeof(buf)) ? rt_number(buf) : 20000;
    static const uint8_t often[] = {HC(mmu_update),        HC(mmuext_op),      HC(memory_op),
                                    HC(event_channel_op),  HC(grant_table_op), HC(vcpu_op),
                                    HC(update_va_mapping), HC(set_gdt),        HC(multicall)};

    fuzz_state = rt_value("seed", buf, sizeof(buf)) ? rt_number(buf) * 0x9e3779b97f4a7c15ul : 1;
    for (unsigned i = 0; i < 16; i++) {
        fuzz_page[i] = rt_page();
        if (i & 1)
            rt_make_ro(fuzz_page[i]);
    }
    rt_events_on();
    bool trace = rt_option("trace");
    for (uint64_t n = 0; n < rounds; n++) {
        uint64_t a[5], to[12];
        unsigned nr = rnd() % 4 ? often[rnd() % sizeof(often)] : (unsigned)(rnd() % 40);
        for (unsigned i = 0; i < 5; i++)
            a[i] = fuzz_word();
        for (unsigned i = 0; i < 12; i++)
            to[i] = fuzz_word();
        fuzz_call(nr, to, a);
        rt_traps_init(); /* some multicall may have dropped them */
        rt_set_callbacks(rt_enter_event, rt_enter_failsafe, rt_enter_syscall);
        if (trace)
            rt_printf("%lu: call %u (%lx, %lx, %lx, %lx) on %lx %lx %lx %lx\n", n, nr, a[0], a[1],
                      a[2], a[3], to[0], to[1], to[2], to[3]);
        if (rnd() % 6 == 0)
            fuzz_instruction();
        else if (nr != HC(console_io) && !ends_us(nr, a[0]))
            rt_call5(nr, a[0], a[1], a[2], a[3], a[4]);
    }
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
    {"fuzz", fuzz},
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
