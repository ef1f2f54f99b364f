/* SPDX-License-Identifier: MIT */
/*
 * hostile: one way of misbehaving for each run, chosen by `do=NAME` on the command line.
 *
 * What must be refused is reported with its error number, and the guest then powers off; what
 * must end the guest is last. tests/guests/hostile.sh runs each beside a well-behaved guest.
 */
#include "rt.h"

#define HC(name) XEN_HYPERVISOR_##name
#define NOWHERE  0x123456789000ul
#define HV_ADDR  0xffff800000001000ul
#define BAD_ADDR 0x8000000000000000ul

/* Without a single handler, so that the first trap is the last. */
static void forget_handlers(void)
{
    rt_call1(HC(set_trap_table), 0);
}

static void jump(void)
{
    forget_handlers();
    ((void (*)(void))NOWHERE)();
}

/* The handler of page faults is itself nowhere: each fault makes another. */
static void fault_in_fault(void)
{
    rt_set_trap(14, 0, NOWHERE);
    *(volatile int *)NOWHERE = 1;
}

/* The page below the stack is taken away, and the stack used up. */
static void exhaust_stack(void)
{
    uint64_t sp;

    __asm__ volatile("mov %%rsp, %0" : "=r"(sp));
    for (uint64_t page = (sp & ~(PAGE - 1)) - PAGE; page >= (uint64_t)rt_stacks; page -= PAGE)
        rt_va_map(page, 0, XEN_UVMF_INVLPG);
    __asm__ volatile("1: push %rax\n\tjmp 1b");
}

static void no_stack(void)
{
    __asm__ volatile("mov %0, %%rsp\n\tud2" ::"r"(NOWHERE));
}

static void hypervisor_stack(void)
{
    __asm__ volatile("mov %0, %%rsp\n\tud2" ::"r"(HV_ADDR));
}

static void bad_iret(void)
{
    __asm__ volatile("mov %0, %%rsp\n\tmov %1, %%eax\n\tsyscall" ::"r"(NOWHERE), "i"(HC(iret)));
}

static void privileged(void)
{
    forget_handlers();
    __asm__ volatile("hlt");
}

static void read_hypervisor(void)
{
    forget_handlers();
    rt_printf("read %lx\n", *(volatile uint64_t *)0xffff830000000000ul);
}

static void write_m2p(void)
{
    forget_handlers();
    *(volatile uint64_t *)0xffff800000000000ul = 0;
}

/* For ever, and nothing can interrupt it but the hypervisor. */
static void loop(void)
{
    rt_events_off();
    for (;;)
        __asm__ volatile("");
}

static void crash(void)
{
    rt_exit(XEN_SHUTDOWN_crash);
}

static void reboot(void)
{
    rt_exit(XEN_SHUTDOWN_reboot);
}

/* ---- what is refused, and the guest goes on ---- */

static void pin_garbage(void)
{
    uint64_t *page = rt_page();

    for (unsigned i = 0; i < 512; i++)
        page[i] = 0x1234567890abcdeful * (i + 1) | 1;
    rt_make_ro(page);
    rt_printf("pin L4 %ld\n", rt_mmuext(XEN_MMUEXT_PIN_L4_TABLE, rt_mfn(page), 0));
    rt_printf("pin L1 %ld\n", rt_mmuext(XEN_MMUEXT_PIN_L1_TABLE, rt_mfn(page), 0));
    rt_printf("pin nothing %ld\n", rt_mmuext(XEN_MMUEXT_PIN_L4_TABLE, 0xfffffffffful, 0));
    rt_printf("root %ld\n", rt_mmuext(XEN_MMUEXT_NEW_BASEPTR, rt_mfn(page), 0));
    rt_printf("unpin %ld\n", rt_mmuext(XEN_MMUEXT_UNPIN_TABLE, rt_mfn(page), 0));
}

static void addresses(void)
{
    static const uint64_t bad[] = {HV_ADDR, BAD_ADDR, NOWHERE, ~0ul, 0xffff830000000000ul};

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        rt_printf("%lx:", bad[i]);
        rt_printf(" multicall %ld", rt_call2(HC(multicall), bad[i], 1));
        rt_printf(" memory_op %ld", rt_call2(HC(memory_op), XENMEM_populate_physmap, bad[i]));
        rt_printf(" event_channel_op %ld",
                  rt_call2(HC(event_channel_op), XEN_EVTCHNOP_send, bad[i]));
        rt_printf(" map %ld\n", rt_va_map(bad[i], rt_mfn(rt_page()) << 12 | PTE_RW, 0));
    }
}

/* Whatever the numbers mean, they must not hurt: many calls with random arguments. */
static void noise(void)
{
    uint64_t x = 88172645463325252ul;

    for (unsigned i = 0; i < 20000; i++) {
        uint64_t a[6];

        for (unsigned k = 0; k < 6; k++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            a[k] = (x & 0xf000) ? x : x & 0xff;
        }
        /* Not the calls that end the guest, put it to sleep, or print. */
        a[0] %= 64;
        if (a[0] == HC(iret) || a[0] == HC(sched_op) || a[0] == HC(sched_op_compat) ||
            a[0] == HC(console_io) || a[0] == HC(stack_switch) || a[0] == HC(set_callbacks) ||
            a[0] == HC(callback_op) || a[0] == HC(set_segment_base) || a[0] == HC(multicall))
            continue;
        rt_raw_call(a[0], a[1], a[2], a[3], a[4], a[5]);
    }
    rt_printf("still here\n");
}

static void flood(void)
{
    for (unsigned i = 0; i < 2000; i++)
        rt_printf("%u: the quick brown fox jumps over the lazy dog, again and again and again\n",
                  i);
}

static const struct {
    const char *name;
    void (*fn)(void);
} ways[] = {
    {"jump", jump},
    {"fault-in-fault", fault_in_fault},
    {"exhaust-stack", exhaust_stack},
    {"no-stack", no_stack},
    {"hypervisor-stack", hypervisor_stack},
    {"bad-iret", bad_iret},
    {"privileged", privileged},
    {"read-hypervisor", read_hypervisor},
    {"write-m2p", write_m2p},
    {"loop", loop},
    {"crash", crash},
    {"reboot", reboot},
    {"pin-garbage", pin_garbage},
    {"addresses", addresses},
    {"noise", noise},
    {"flood", flood},
};

void rt_image_main(void)
{
    char word[32] = "";

    rt_value("do", word, sizeof(word));
    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        const char *a = ways[i].name, *b = word;

        while (*a && *a == *b)
            a++, b++;
        if (*a == *b)
            ways[i].fn();
    }
    rt_printf("survived\n");
}
