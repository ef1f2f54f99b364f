/* SPDX-License-Identifier: MIT */
/*
 * mistakes - the usual mistakes of a port, one for each run, chosen by do=NAME on the command line.
 *
 * Each is what a kernel does that has not given something up yet. tests/guests/mistakes.sh
 * runs them all and compares what the shim says of each with the table in docs/porting.md.
 */
#include <pv/pv.h>

#define VA   0x10000000000ul /* nothing is there */
#define RW   (PV_PRESENT | PV_WRITE | PV_USER | PV_ACCESSED | PV_DIRTY)
#define HOLE 0xffff800000000000ul

static struct pv_space space;

/* An entry as a native kernel makes it, of its own frame number. */
static pv_pte_t native_entry(pfn_t frame, uint64_t bits)
{
    return (pv_pte_t){frame.n << PV_PAGE_SHIFT | bits};
}

static uint64_t machine_bits(pfn_t frame)
{
    return pv_pte(frame, PV_PRESENT).raw & 0x000ffffffffff000;
}

static int set_page(pv_pte_t e)
{
    static char page[PV_PAGE_SIZE] __attribute__((aligned(4096)));

    return pv_pt_set_va((uint64_t)page, e, PV_FLUSH_PAGE);
}

static int pfn_in_entry(void)
{
    return set_page(native_entry(pfn(3), RW));
}

static int beyond_memory(void)
{
    return set_page(native_entry(pfn(0xfee00000 >> PV_PAGE_SHIFT), RW));
}

static int ballooned_page(void)
{
    return set_page((pv_pte_t){0x000ffffffffff000 | RW});
}

static int memory_type(void)
{
    return set_page((pv_pte_t){machine_bits(pv_host_page_alloc()) | 0x80 | RW});
}

static int large_page(void)
{
    pfn_t table = pv_host_page_alloc();

    __builtin_memset(pv_host_page_va(table), 0, PV_PAGE_SIZE);
    *(uint64_t *)pv_host_page_va(table) = machine_bits(pv_host_page_alloc()) | PV_LARGE | RW;
    pv_pt_protect(table);
    return pv_pt_pin(table, 2);
}

static int table_still_writable(void)
{
    pfn_t table = pv_host_page_alloc();

    __builtin_memset(pv_host_page_va(table), 0, PV_PAGE_SIZE);
    return pv_pt_pin(table, 1);
}

static int write_to_table(void)
{
    pv_space_create(&space);
    return set_page(pv_pte(space.kernel, RW));
}

static int no_table_yet(void)
{
    return pv_pt_set_va(VA, pv_pte(pv_host_page_alloc(), RW), PV_FLUSH_PAGE);
}

static int hypervisor_address(void)
{
    return pv_pt_set_va(HOLE, pv_pte(pv_host_page_alloc(), RW), PV_FLUSH_PAGE);
}

static int all_slots(void)
{
    pv_space_create(&space);
    return (int)pv_hypercall_mmu_update(
        &(struct xen_mmu_update){.ptr = machine_bits(space.kernel) + 256 * 8, .val = 0}, 1, NULL,
        XEN_DOMID_SELF);
}

static int clear_a_table(void)
{
    pv_space_create(&space);
    return pv_page_clear(space.kernel);
}

static int native_gdt(void)
{
    pfn_t table = pv_host_page_alloc();
    uint64_t mfn = machine_bits(table) >> PV_PAGE_SHIFT;

    __builtin_memset(pv_host_page_va(table), 0, PV_PAGE_SIZE);
    return (int)pv_hypercall_set_gdt(&mfn, 8);
}

static int native_tss(void)
{
    return (int)pv_hypercall_update_descriptor(machine_bits(pv_host_page_alloc()) + 0x28,
                                               0x0000890000000067);
}

static int bind_twice(void)
{
    uint32_t port;

    pv_event_bind_virq(XEN_VIRQ_TIMER, 0, &port);
    return pv_event_bind_virq(XEN_VIRQ_TIMER, 0, &port);
}

static int interrupt_line(void)
{
    struct xen_evtchn_bind_pirq b = {.pirq = 4};

    return (int)pv_hypercall_event_channel_op(XEN_EVTCHNOP_bind_pirq, &b);
}

static int short_period(void)
{
    return pv_time_set_period(100000);
}

/* -- what ends the guest -------------------------------------------------------------- */

static int no_handlers(void)
{
    pv_hypercall_set_trap_table(NULL);
    return *(volatile int *)VA;
}

static int enter_user(void)
{
    struct pv_regs regs;

    pv_regs_init_user(&regs, VA, VA + PV_PAGE_SIZE);
    pv_trap_return(&regs);
}

static int no_user_table(void)
{
    return enter_user();
}

/* User mode faults at once, and the kernel's stack is not there to take the frame. */
static int no_kernel_stack(void)
{
    pv_space_create(&space);
    pv_space_switch(&space);
    pv_cpu_set_kernel_stack((void *)VA);
    return enter_user();
}

static const struct {
    char name[24];
    int (*make)(void);
} mistakes[] = {
    {"pfn-in-entry", pfn_in_entry},
    {"beyond-memory", beyond_memory},
    {"ballooned-page", ballooned_page},
    {"memory-type", memory_type},
    {"large-page", large_page},
    {"table-still-writable", table_still_writable},
    {"write-to-table", write_to_table},
    {"no-table-yet", no_table_yet},
    {"hypervisor-address", hypervisor_address},
    {"all-slots", all_slots},
    {"clear-a-table", clear_a_table},
    {"native-gdt", native_gdt},
    {"native-tss", native_tss},
    {"bind-twice", bind_twice},
    {"interrupt-line", interrupt_line},
    {"short-period", short_period},
    {"no-handlers", no_handlers},
    {"no-user-table", no_user_table},
    {"no-kernel-stack", no_kernel_stack},
};

int pv_host_main(const char *cmdline)
{
    size_t n;
    const char *name = pv_start_option("do", &n);

    (void)cmdline;
    if (pv_trap_init() != 0)
        return 1;
    for (unsigned i = 0;
         name && n < sizeof(mistakes[0].name) && i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        if (mistakes[i].name[n] != 0 || __builtin_memcmp(mistakes[i].name, name, n) != 0)
            continue;
        pv_printf("%s: %s\n", mistakes[i].name, pv_error_name(mistakes[i].make()));
        return 0;
    }
    for (unsigned i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
        pv_printf("%s\n", mistakes[i].name);
    return 0;
}
