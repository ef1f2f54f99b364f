/* SPDX-License-Identifier: MIT */
/*
 * libpv.c - a kernel that leans on libpv where the examples do not: a second vCPU, lazy vector
 * registers, the balloon, descriptor tables, debug registers, NMIs, a storm of events.
 *
 * Prints the same verdict lines as the other test guests (see t.h), with libpv's own console.
 * Two vCPUs; each finds its number through its GS base.
 */
#include <pv/pv.h>

#define MS 1000000ul

static const char *why;
static char why_text[160];
static unsigned passed, failed;

#define WANT(cond)                                                                    \
    do {                                                                              \
        if (!(cond) && !why) {                                                        \
            pv_format(why_text, sizeof(why_text), "libpv.c:%d: %s", __LINE__, #cond); \
            why = why_text;                                                           \
        }                                                                             \
    } while (0)

/* What host.h asks of a kernel with more than one vCPU. */
static unsigned cpu_number[2] = {0, 1};
static char lock;

unsigned pv_host_cpu(void)
{
    return *(const unsigned __seg_gs *)0;
}

void pv_host_lock(void)
{
    while (__atomic_test_and_set(&lock, __ATOMIC_ACQUIRE))
        pv_sched_yield();
}

void pv_host_unlock(void)
{
    __atomic_clear(&lock, __ATOMIC_RELEASE);
}

static void spin(uint64_t ns)
{
    uint64_t end = pv_time_now() + ns;

    while (pv_time_now() < end)
        ;
}

/* Vector registers -------------------------------------------------------------------------- */

static uint64_t xmm_get(void)
{
    uint64_t v;

    __asm__ volatile("movq %%xmm5, %0" : "=r"(v));
    return v;
}

static void xmm_set(uint64_t v)
{
    __asm__ volatile("movq %0, %%xmm5" : : "r"(v));
}

static void ymm_set_high(uint64_t v)
{
    __asm__ volatile("movq %0, %%xmm6; vinsertf128 $1, %%xmm6, %%ymm5, %%ymm5" : : "r"(v));
}

static uint64_t ymm_get_high(void)
{
    uint64_t v;

    __asm__ volatile("vextractf128 $1, %%ymm5, %%xmm6; movq %%xmm6, %0" : "=r"(v));
    return v;
}

static char fpu_area[3][4096] __attribute__((aligned(64)));

static void switch_between_three(bool avx)
{
    for (unsigned i = 0; i < 3; i++) {
        pv_fpu_clear(fpu_area[i]);
        pv_fpu_switch(fpu_area[i]);
        WANT(xmm_get() == 0);
        xmm_set(100 + i);
        if (avx)
            ymm_set_high(200 + i);
    }
    for (unsigned round = 0; round < 12; round++) {
        unsigned i = round * 7 % 3;

        pv_fpu_switch(fpu_area[i]);
        if (round % 4 == 3)
            continue; /* a task that computes nothing costs nothing and loses nothing */
        WANT(xmm_get() == 100 + i);
        if (avx)
            WANT(ymm_get_high() == 200 + i);
    }
    pv_fpu_flush();
    pv_fpu_switch(NULL);
}

static void fpu_fxsave(void)
{
    WANT(pv_fpu_init(0) == (PV_FPU_X87 | PV_FPU_SSE));
    WANT(pv_fpu_size() == 512);
    switch_between_three(false);
}

static void fpu_xsave(void)
{
    uint64_t parts = pv_fpu_init(PV_FPU_AVX);

    WANT(parts & PV_FPU_SSE);
    WANT(pv_fpu_size() <= sizeof(fpu_area[0]));
    switch_between_three(parts & PV_FPU_AVX);
    pv_trap_handle(PV_TRAP_NO_FPU, NULL);
    pv_hypercall_fpu_taskswitch(false);
}

/* The second vCPU --------------------------------------------------------------------------- */

static char second_stack[16384] __attribute__((aligned(16)));
static uint32_t to_first, to_second;
static volatile unsigned at_first, at_second, second_ticks, resumed;
static volatile bool second_up, stop_second;

static void count_at(uint32_t port, void *arg, struct pv_regs *regs)
{
    (void)port, (void)regs;
    ++*(volatile unsigned *)arg;
}

static void second_main(void *arg)
{
    uint32_t timer;

    pv_cpu_set_gs_kernel_base((uint64_t)(uintptr_t)&cpu_number[1]);
    if (arg != &second_stack || pv_host_cpu() != 1)
        pv_sched_crash();
    pv_time_set_period(0);
    pv_event_bind_virq(XEN_VIRQ_TIMER, 1, &timer);
    pv_event_handle(timer, count_at, (void *)&second_ticks);
    pv_event_unmask(timer);
    pv_time_set_deadline(pv_time_now() + MS);
    pv_events_enable();
    second_up = true;
    while (!stop_second) {
        if (at_second > at_first)
            pv_event_send(to_first);
        pv_sched_yield();
    }
    pv_events_disable();
    second_up = false;
    pv_vcpu_stop();
    resumed++;
    for (;;)
        pv_vcpu_stop();
}

static void second_vcpu(void)
{
    uint64_t end = pv_time_now() + 5000 * MS;

    WANT(pv_vcpu_count() >= 2);
    WANT(pv_vcpu_is_up(1) == 0);
    WANT(pv_vcpu_start(XEN_LEGACY_MAX_VCPUS, NULL, pv_space_kernel(), NULL, NULL) < 0);
    WANT(pv_event_bind_ipi(0, &to_first) == 0 && pv_event_bind_ipi(1, &to_second) == 0);
    pv_event_handle(to_first, count_at, (void *)&at_first);
    pv_event_handle(to_second, count_at, (void *)&at_second);
    pv_event_unmask(to_first);
    pv_event_unmask(to_second);
    WANT(pv_vcpu_start(1, second_stack + sizeof(second_stack), pv_space_kernel(), second_main,
                       &second_stack) == 0);
    WANT(pv_vcpu_start(1, second_stack + sizeof(second_stack), pv_space_kernel(), second_main,
                       &second_stack) == -XEN_EEXIST);
    while (!second_up && pv_time_now() < end)
        pv_sched_yield();
    WANT(second_up);
    for (unsigned i = 1; i <= 50 && pv_time_now() < end; i++) {
        pv_event_send(to_second);
        while ((at_second < i || at_first < i) && pv_time_now() < end)
            pv_sched_yield();
    }
    WANT(at_second == 50 && at_first >= 50);
    while (!second_ticks && pv_time_now() < end)
        pv_sched_yield();
    WANT(second_ticks == 1);
    stop_second = true;
    while (pv_vcpu_is_up(1) == 1 && pv_time_now() < end)
        pv_sched_yield();
    WANT(pv_vcpu_is_up(1) == 0 && resumed == 0);
    WANT(pv_vcpu_resume(1) == 0);
    while (!resumed && pv_time_now() < end)
        pv_sched_yield();
    WANT(resumed == 1);
}

/* Traps ------------------------------------------------------------------------------------- */

static volatile unsigned traps, nmis, ipis;
static uintptr_t deepest;

static void on_breakpoint(struct pv_regs *regs)
{
    (void)regs;
    traps++;
}

static void on_nmi(struct pv_regs *regs)
{
    (void)regs;
    nmis++;
}

static void nmi_twice(void)
{
    pv_trap_handle(PV_TRAP_NMI, on_nmi);
    for (unsigned i = 1; i <= 2; i++) {
        WANT(pv_vcpu_nmi(0) == 0);
        spin(MS);
        WANT(nmis == i);
    }
}

static void on_storm(uint32_t port, void *arg, struct pv_regs *regs)
{
    uintptr_t sp = (uintptr_t)__builtin_frame_address(0);

    (void)port, (void)arg, (void)regs;
    if (!deepest || sp < deepest)
        deepest = sp;
    ipis++;
}

/*
 * Events and exceptions at once. Nothing is lost: each send is followed by its handler before the
 * next statement; and the stack stays where it was, however the returns interleave.
 */
static void storm(void)
{
    uint32_t port, timer;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    pv_trap_handle(PV_TRAP_BREAKPOINT, on_breakpoint);
    WANT(pv_event_bind_ipi(0, &port) == 0 && pv_event_bind_virq(XEN_VIRQ_TIMER, 0, &timer) == 0);
    pv_event_handle(port, on_storm, NULL);
    pv_event_handle(timer, on_storm, NULL);
    pv_event_unmask(port);
    pv_event_unmask(timer);
    pv_time_set_period(MS);
    traps = 0;
    for (unsigned i = 1; i <= 20000 && !why; i++) {
        unsigned before = ipis;

        pv_event_send(port);
        WANT(ipis > before);
        __asm__ volatile("int3" : : : "memory");
        WANT(traps == i);
    }
    pv_time_set_period(0);
    WANT(here - deepest < 3000);
    pv_event_close(port);
    pv_event_close(timer);
}

/* An event that is pending when a trap returns: the way back must see it. */
static uint32_t late_port;

static void on_breakpoint_with_event(struct pv_regs *regs)
{
    (void)regs;
    pv_events_disable();
    pv_event_send(late_port);
    WANT(pv_event_is_pending(late_port));
}

/* All registers through an exception: 0 if they come back as they were. */
static uint64_t registers_lost(void)
{
    uint64_t lost;

    __asm__ volatile("mov $1, %%ecx; mov $2, %%edx; mov $3, %%esi; mov $4, %%edi\n"
                     "mov $5, %%r8d; mov $6, %%r9d; mov $7, %%r10d; mov $8, %%r11d\n"
                     "mov $9, %%r12d; mov $10, %%r13d; mov $11, %%r14d; mov $12, %%r15d\n"
                     "mov $13, %%ebx; mov $14, %%eax\n"
                     "int3\n"
                     "sub $1, %%rcx; sub $2, %%rdx; sub $3, %%rsi; sub $4, %%rdi\n"
                     "sub $5, %%r8; sub $6, %%r9; sub $7, %%r10; sub $8, %%r11\n"
                     "sub $9, %%r12; sub $10, %%r13; sub $11, %%r14; sub $12, %%r15\n"
                     "sub $13, %%rbx; sub $14, %%rax\n"
                     "or %%rcx, %%rax; or %%rdx, %%rax; or %%rsi, %%rax; or %%rdi, %%rax\n"
                     "or %%r8, %%rax; or %%r9, %%rax; or %%r10, %%rax; or %%r11, %%rax\n"
                     "or %%r12, %%rax; or %%r13, %%rax; or %%r14, %%rax; or %%r15, %%rax\n"
                     "or %%rbx, %%rax\n"
                     : "=a"(lost)
                     :
                     : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
                       "r14", "r15", "memory");
    return lost;
}

static void late_event(void)
{
    WANT(pv_event_bind_ipi(0, &late_port) == 0);
    pv_event_handle(late_port, on_storm, NULL);
    pv_event_unmask(late_port);
    pv_trap_handle(PV_TRAP_BREAKPOINT, on_breakpoint_with_event);
    for (unsigned i = 0; i < 100; i++) {
        unsigned before = ipis;

        WANT(registers_lost() == 0);
        WANT(ipis == before + 1 && pv_events_enabled());
    }
    pv_trap_handle(PV_TRAP_BREAKPOINT, on_breakpoint);
}

/*
 * The few instructions of the way back in which events are open already, one by one: a breakpoint
 * register stops at each, an event is sent there, and everything must still be right after. The
 * breakpoint stays armed: the event's own way back stops there as well, but that of a stop does
 * not, because what interrupts the region leaves by the hypercall. Else this would never end.
 */
extern const char pv_trap_crit_begin[], pv_trap_crit_end[];
static unsigned window_stops;

static void on_window(struct pv_regs *regs)
{
    WANT((const char *)regs->rip >= pv_trap_crit_begin);
    WANT((const char *)regs->rip < pv_trap_crit_end);
    regs->rflags |= 0x10000; /* RF: not again for the same instruction */
    if (++window_stops > 2)
        pv_cpu_set_debug(7, 0);
    if (window_stops == 1)
        pv_event_send(late_port);
}

static void critical_region(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    unsigned instructions = 0;

    pv_trap_handle(PV_TRAP_DEBUG, on_window);
    deepest = 0;
    for (const char *at = pv_trap_crit_begin; at < pv_trap_crit_end; at++) {
        unsigned before = ipis;

        window_stops = 0;
        WANT(pv_cpu_set_debug(0, (uint64_t)(uintptr_t)at) == 0 && pv_cpu_set_debug(7, 1) == 0);
        WANT(registers_lost() == 0);
        pv_cpu_set_debug(7, 0);
        WANT(pv_events_enabled());
        if (window_stops) {
            WANT(window_stops == 2 && ipis == before + 1);
            instructions++;
        }
    }
    WANT(instructions == 20); /* a compare, a jump, 17 steps of the stack, and the return */
    WANT(here - deepest < 3000);
    pv_cpu_set_debug(0, 0);
    pv_event_close(late_port);
}

static pfn_t hole;
static volatile uint64_t fault_address;

static void on_page_fault(struct pv_regs *regs)
{
    fault_address = regs->cr2;
    if (pv_space_map(pv_space_kernel(), regs->cr2, hole, PV_PRESENT | PV_WRITE) != 0)
        pv_host_trap(regs);
}

static void demand_map(void)
{
    volatile uint64_t *p = (volatile uint64_t *)0xffffffffc0000018;

    hole = pv_host_page_alloc();
    pv_trap_handle(PV_TRAP_PAGE, on_page_fault);
    *p = 4711;
    WANT(fault_address == (uint64_t)(uintptr_t)p);
    WANT(((uint64_t *)pv_host_page_va(hole))[3] == 4711);
    WANT(pfn_eq(pv_pte_pfn(pv_space_lookup(pv_space_kernel(), (uint64_t)(uintptr_t)p)), hole));
    WANT(pv_space_unmap(pv_space_kernel(), (uint64_t)(uintptr_t)p) == 0);
    WANT(pv_tlb_flush_page((uint64_t)(uintptr_t)p) == 0);
    fault_address = 0;
    *p = 4712;
    WANT(fault_address == (uint64_t)(uintptr_t)p);
    pv_trap_handle(PV_TRAP_PAGE, NULL);
}

static volatile unsigned debug_hits;

static void on_debug(struct pv_regs *regs)
{
    (void)regs;
    debug_hits++;
    pv_cpu_set_debug(7, 0);
}

static void watchpoint(void)
{
    static volatile uint64_t watched;

    pv_trap_handle(PV_TRAP_DEBUG, on_debug);
    WANT(pv_cpu_set_debug(0, (uint64_t)(uintptr_t)&watched) == 0);
    WANT(pv_cpu_get_debug(0) == (uint64_t)(uintptr_t)&watched);
    WANT(pv_cpu_set_debug(7, 0x90003 & ~2u) == 0); /* writes of 8 bytes through DR0 */
    watched = 1;
    WANT(debug_hits == 1);
    watched = 2;
    WANT(debug_hits == 1);
    WANT(pv_cpu_set_debug(0, XEN_HYPERVISOR_VIRT_START) == -XEN_EPERM);
    pv_cpu_set_debug(0, 0);
}

/* Memory ------------------------------------------------------------------------------------ */

static void descriptors(void)
{
    pfn_t table = pv_host_page_alloc();
    uint64_t *d = pv_host_page_va(table);
    uint16_t seen, old;

    __builtin_memset(d, 0, PV_PAGE_SIZE);
    WANT(pv_cpu_load_gdt(&table, 512) == 0);
    WANT(pv_cpu_set_descriptor(table, 5, 0x00cff3000000ffff) == 0); /* flat data, ring 3 */
    WANT(d[5] == 0x00cff3000000ffff);
    WANT(pv_cpu_set_descriptor(table, 6, 0x00cf93000000ffff) < 0 || d[6] >> 45 & 3);
    __asm__ volatile("mov %%ds, %0; mov %2, %%ds; mov %%ds, %1; mov %0, %%ds"
                     : "=&r"(old), "=&r"(seen)
                     : "r"((uint16_t)(5 << 3 | 3)));
    WANT(seen == (5 << 3 | 3));
    WANT(pv_cpu_load_gdt(NULL, 0) == 0);
    WANT(pv_pt_unprotect(table) == 0);
    pv_host_page_free(table);
}

static void balloon(void)
{
    pfn_t list[8];
    uint64_t before = pv_memory_current();

    for (unsigned i = 0; i < 8; i++)
        list[i] = pv_host_page_alloc();
    WANT(pv_memory_maximum() >= before);
    WANT(pv_memory_release(list, 8) == 8);
    WANT(pv_memory_current() == before - 8);
    WANT(!pv_memory_is_present(list[0]));
    WANT(pv_memory_reclaim(list, 8) == 8);
    WANT(pv_memory_current() == before);
    for (unsigned i = 0; i < 8; i++) {
        volatile uint64_t *p = pv_host_page_va(list[i]);

        *p = i;
        WANT(*p == i);
        pv_host_page_free(list[i]);
    }
}

static void all_memory(void)
{
    volatile uint64_t *last;

    WANT(pv_space_map_all_memory() == 0);
    last = pv_host_page_va(pfn(pv_start_pages() - 1));
    *last = 99;
    WANT(*last == 99);
    for (unsigned i = 0; i < 2000; i++)
        WANT(pfn_valid(pv_host_page_alloc()));
}

static void clear_and_copy(void)
{
    pfn_t a = pv_host_page_alloc(), b = pv_host_page_alloc();
    char *pa = pv_host_page_va(a), *pb = pv_host_page_va(b);

    __builtin_memset(pa, 0x5a, PV_PAGE_SIZE);
    WANT(pv_page_copy(b, a) == 0 && pb[4095] == 0x5a);
    WANT(pv_page_clear(b) == 0 && pb[0] == 0 && pb[4095] == 0);
    pv_host_page_free(a);
    pv_host_page_free(b);
}

static void grants(void)
{
    struct pv_grant_map map = {.va = NULL};
    struct pv_grant_end_of_copy from = {.is_ref = true}, to = {.offset = 100};
    pfn_t page = pv_host_page_alloc(), other = pv_host_page_alloc();
    xen_domid_t self;
    uint32_t ref;

    WANT(pv_grant_init(1) == 0 && pv_event_own_domid(&self) == 0);
    WANT(pv_grant_publish(self, page, true, &ref) == 0);
    *(uint64_t *)pv_host_page_va(page) = 1234;
    map.va = pv_host_window_alloc(1);
    WANT(pv_grant_map(self, ref, false, &map) == -XEN_EINVAL); /* general error: read-only */
    WANT(pv_grant_map(self, ref, true, &map) == 0);
    WANT(*(uint64_t *)map.va == 1234 && pv_grant_in_use(ref));
    WANT(!pfn_valid(pv_pte_pfn(pv_pte_none())));
    WANT(pv_grant_end(ref) == -XEN_EBUSY);
    WANT(pv_grant_unmap(&map) == 0 && pv_grant_unmap(&map) < 0);
    from.dom = self;
    from.ref = ref;
    to.frame = other;
    WANT(pv_grant_copy(&to, &from, 8) == 0);
    WANT(*(uint64_t *)((char *)pv_host_page_va(other) + 100) == 1234);
    WANT(pv_grant_copy(&from, &to, 8) < 0);
    WANT(pv_grant_end(ref) == 0 && pv_grant_end(ref) == -XEN_ENOENT);
}

static void runstate_area(void)
{
    static struct xen_vcpu_runstate_info area __attribute__((aligned(64)));
    struct xen_vcpu_runstate_info by_memory, by_call;

    WANT(pv_time_runstate_register(&area) == 0);
    /* A busy host may eat up a sleep before it begins. */
    for (unsigned i = 0; i < 50; i++) {
        pv_time_sleep(5 * MS);
        pv_time_runstate_read(&area, &by_memory);
        if (by_memory.time[XEN_RUNSTATE_blocked] >= 4 * MS)
            break;
    }
    WANT(pv_time_runstate(0, &by_call) == 0);
    WANT(by_memory.state == XEN_RUNSTATE_running);
    WANT(by_memory.time[XEN_RUNSTATE_blocked] >= 4 * MS);
    WANT(by_call.time[XEN_RUNSTATE_blocked] == by_memory.time[XEN_RUNSTATE_blocked]);
    WANT(pv_time_runstate(31, &by_call) == -XEN_ENOENT);
    WANT(pv_time_runstate_register(NULL) == 0);
}

static void who_is_there(void)
{
    uint32_t version;

    WANT(pv_cpu_on_xen(&version) && version == (4u << 16 | 17));
    WANT(pv_start_has_feature(XENFEAT_mmu_pt_update_preserve_ad));
    WANT(!pv_start_has_feature(XENFEAT_auto_translated_physmap));
    WANT(!pv_start_has_feature(4095));
}

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"who_is_there", who_is_there},
    {"fpu_fxsave", fpu_fxsave},
    {"fpu_xsave", fpu_xsave},
    {"nmi_twice", nmi_twice},
    {"storm", storm},
    {"late_event", late_event},
    {"critical_region", critical_region},
    {"demand_map", demand_map},
    {"watchpoint", watchpoint},
    {"descriptors", descriptors},
    {"balloon", balloon},
    {"clear_and_copy", clear_and_copy},
    {"grants", grants},
    {"runstate_area", runstate_area},
    {"second_vcpu", second_vcpu},
    {"all_memory", all_memory},
};

int pv_host_main(const char *cmdline)
{
    (void)cmdline;
    pv_cpu_set_gs_kernel_base((uint64_t)(uintptr_t)&cpu_number[0]);
    if (pv_trap_init() != 0)
        return 1;
    pv_time_set_period(0);
    pv_events_enable();
    for (unsigned i = 0; i < PV_ARRAY_SIZE(tests); i++) {
        why = NULL;
        tests[i].run();
        if (why)
            pv_printf("TEST libpv.%s FAIL %s\n", tests[i].name, why);
        else
            pv_printf("TEST libpv.%s PASS\n", tests[i].name);
        failed += !!why;
        passed += !why;
    }
    pv_printf("%u passed, %u failed, 0 skipped\n", passed, failed);
    return 0;
}
