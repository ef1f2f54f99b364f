/* SPDX-License-Identifier: MIT */
/*
 * The table of the benchmark and the loop that walks it.
 *
 * Output, one line per row, for tests/bench/report:
 *     ROW name per=N runs=N min=T median=T extra=0|1 part=ROW.PART ok
 *     ROW name ... FAILED what (a, b)
 * where T is for all `per` operations together.  `only=NAME` on the command line runs one row.
 */
#include "bench.h"

uint64_t bench_overhead;
unsigned bench_failures;
volatile uint64_t *bench_l1;
volatile uint8_t *bench_a, *bench_b;
volatile uint64_t bench_mark;
uint8_t bench_marks[128 * 64];
uint64_t bench_row, bench_part, bench_part_ticks[32];

static const char *first_failure;
static uint64_t fail_a, fail_b;

static const struct row rows[] = {
    {"hypercall-unknown", 1, row_unknown, 0, 9, 0, 0},
    {"xen-version", 1, row_xen_version, 0, 9, 0, 0},
    {"stack-switch", 1, row_stack_switch, 0, 9, 0, 0},
    {"set-segment-base", 1, row_segment_base, 0, 9, 0, 0},
    {"fpu-taskswitch", 1, row_taskswitch, 0, 9, 0, 0},
    {"get-debugreg", 1, row_get_debugreg, 0, 9, 0, 0},
    {"update-descriptor", 1, row_update_descriptor, 0, 9, 0, 0},
    {"vcpu-is-up", 1, row_vcpu_is_up, 0, 9, 0, 0},
    {"iret-kernel", 1, row_iret, 0, 9, 0, 0},
    {"multicall-1", 1, row_multicall_null, 1, 9, 0, 0},
    {"multicall-8", 8, row_multicall_null, 8, 9, 0, 0},
    {"multicall-32", 32, row_multicall_null, 32, 9, 0, 0},

    {"mmu-map-1", 1, row_mmu_map, 1, 9, 0, 0},
    {"mmu-map-8", 8, row_mmu_map, 8, 9, 0, 0},
    {"mmu-map-64", 64, row_mmu_map, 64, 9, 0, 0},
    {"mmu-map-512", 512, row_mmu_map, 512, 9, 0, 0},
    {"mmu-unmap-1", 1, row_mmu_unmap, 1, 9, 0, 0},
    {"mmu-unmap-8", 8, row_mmu_unmap, 8, 9, 0, 0},
    {"mmu-unmap-64", 64, row_mmu_unmap, 64, 9, 0, 0},
    {"mmu-unmap-512", 512, row_mmu_unmap, 512, 9, 0, 0},
    {"mmu-other-frame", 1, row_mmu_other, 0, 9, 0, 0},
    {"mmu-rw-to-ro", 1, row_mmu_ro, 0, 9, 0, 0},
    {"mmu-clear-ad", 1, row_mmu_ad, 0, 9, 0, 0},
    {"va-map", 1, row_va_map, XEN_UVMF_NONE, 9, 0, 0},
    {"va-unmap-invlpg", 1, row_va_unmap, XEN_UVMF_INVLPG, 9, 0, 0},
    {"va-unmap-flush", 1, row_va_unmap, XEN_UVMF_TLB_FLUSH, 9, 0, 0},
    {"va-map-multicall-64", 64, row_va_multicall, 64, 9, 0, 0},
    {"tlb-flush-local", 1, row_tlb_flush, 0, 9, 0, 0},
    {"invlpg-local", 1, row_invlpg, 0, 9, 0, 0},
    {"direct-map", 1, row_direct_map, 0, 9, 0, 0},
    {"direct-unmap", 1, row_direct_unmap, 0, 9, 0, 0},
    {"clear-page", 1, row_clear_page, 0, 9, 0, 0},
    {"copy-page", 1, row_copy_page, 0, 9, 0, 0},
    {"pin-1-empty", 1, row_pin, PIN(1, 0), 5, 0, 0},
    {"pin-1-full", 1, row_pin, PIN(1, 1), 5, 0, 0},
    {"pin-8-full", 1, row_pin, PIN(8, 1), 5, 0, 0},
    {"pin-64-empty", 1, row_pin, PIN(64, 0), 5, 0, 0},
    {"pin-64-full", 1, row_pin, PIN(64, 1), 3, 0, 0},
    {"unpin-1-empty", 1, row_unpin, PIN(1, 0), 5, 0, 0},
    {"unpin-1-full", 1, row_unpin, PIN(1, 1), 5, 0, 0},
    {"unpin-8-full", 1, row_unpin, PIN(8, 1), 5, 0, 0},
    {"unpin-64-empty", 1, row_unpin, PIN(64, 0), 5, 0, 0},
    {"unpin-64-full", 1, row_unpin, PIN(64, 1), 3, 0, 0},
    {"new-baseptr", 1, row_baseptr, 0, 9, 0, 0},
    {"new-user-baseptr", 1, row_user_baseptr, 0, 9, 0, 0},
    {"both-baseptr", 1, row_both_baseptr, 0, 9, 0, 0},
    {"process-switch", 1, row_process_switch, 0, 9, 0, 0},
    {"mov-to-cr3", 1, row_mov_cr3, 0, 9, 0, 0},

    {"de-to-handler", 1, row_de, TO_HANDLER, 9, 0, 0},
    {"de-round-trip", 1, row_de, ROUND_TRIP, 9, 0, 0},
    {"de-plain-iretq", 1, row_de, PLAIN_IRETQ, 9, 0, 0},
    {"int3-round-trip", 1, row_int3, 0, 9, 0, 0},
    {"ud2-round-trip", 1, row_ud2, 0, 9, 0, 0},
    {"int80-round-trip", 1, row_int80, 0, 9, 0, 0},
    {"gp-round-trip", 1, row_gp, 0, 9, 0, 0},
    {"pf-to-handler", 1, row_pf, TO_HANDLER, 9, 0, 0},
    {"pf-round-trip", 1, row_pf, ROUND_TRIP, 9, 0, 0},
    {"demand-map", 1, row_demand, 0, 9, 0, 0},
    {"user-syscall-to-handler", 1, row_user, USER_SYSCALL_MARK, 9, 0, 0},
    {"user-syscall-round-trip", 1, row_user, USER_SYSCALL, 9, 0, 0},
    {"user-int80-round-trip", 1, row_user, USER_INT80, 9, 0, 0},
    {"user-de-round-trip", 1, row_user, USER_DE, 9, 0, 0},
    {"user-pf-round-trip", 1, row_user, USER_PF, 9, 0, 0},
    {"forced-cpuid", 1, row_cpuid, 0, 9, 0, 0},
    {"read-cr0", 1, row_read_cr0, 0, 9, 0, 0},
    {"read-cr3", 1, row_read_cr3, 0, 9, 0, 0},
    {"clts", 1, row_clts, 0, 9, 0, 0},
    {"rdmsr-fs", 1, row_rdmsr, 0, 9, 0, 0},
    {"wrmsr-fs", 1, row_wrmsr, 0, 9, 0, 0},

    {"send-masked-port", 1, row_send_masked, 0, 9, 0, 0},
    {"send-sets-pending", 1, row_send_pending, 0, 9, 0, 0},
    {"send-already-pending", 1, row_send_again, 0, 9, 0, 0},
    {"send-self-to-handler", 1, row_send_self, TO_HANDLER, 9, 0, 0},
    {"send-self-round-trip", 1, row_send_self, ROUND_TRIP, 9, 0, 0},
    {"evtchn-unmask", 1, row_unmask, 0, 9, 0, 0},
    {"timer-cancel", 1, row_timer_cancel, 0, 9, 0, 0},
    {"timer-cancel-armed", 1, row_timer_cancel, 1, 9, 1, 0},
    {"timer-past-to-handler", 1, row_timer_past, 0, 9, 0, 0},
    {"deadline-busy", 1, row_deadline_busy, 0, 15, 0, 0},
    {"deadline-blocked", 1, row_deadline_blocked, 0, 15, 0, 0},
    {"yield-alone", 1, row_yield, 0, 9, 0, 0},
    {"poll-expired", 1, row_poll, 0, 9, 0, 0},

    {"balloon-out-1", 1, row_balloon_out, 1, 9, 0, 0},
    {"balloon-out-64", 64, row_balloon_out, 64, 9, 0, 0},
    {"balloon-in-1", 1, row_balloon_in, 1, 9, 0, 0},
    {"balloon-in-64", 64, row_balloon_in, 64, 9, 0, 0},
    {"grant-map", 1, row_grant_map, 0, 9, 0, 0},
    {"grant-unmap", 1, row_grant_unmap, 0, 9, 0, 0},
    {"grant-copy-64", 1, row_grant_copy, 64, 9, 0, 0},
    {"grant-copy-4096", 1, row_grant_copy, 4096, 9, 1, 0},
    {"ring-1", 1, row_ring, 1, 9, 1, 0},
    {"ring-32", 32, row_ring, 32, 9, 1, 0},

    {"vcpu-switch-yield", 1, row_yield_switch, 0, 15, 0, 1},
    {"event-pingpong", 2, row_pingpong, 0, 15, 0, 1},
};

void bench_fail(const char *what, uint64_t a, uint64_t b)
{
    if (!bench_failures++) {
        first_failure = what;
        fail_a = a;
        fail_b = b;
    }
}

bool bench_absent(uint64_t va)
{
    return RT_TRY("movb (%0), %%al", ::"r"(va) : "rax", "memory") == 14;
}

bool bench_readonly(uint64_t va)
{
    return RT_TRY("movb (%0), %%al\n\tmovb %%al, (%0)", ::"r"(va) : "rax", "memory") == 14;
}

void bench_flush(void)
{
    int64_t ret = rt_mmuext(XEN_MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
    CHECK(ret == 0, ret, 0);
}

uint16_t bench_domid(void)
{
    static uint16_t id;
    static bool known;

    if (!known) {
        struct xen_evtchn_alloc_unbound a = {.dom = XEN_DOMID_SELF, .remote_dom = XEN_DOMID_SELF};
        int64_t ret = rt_evtchn(XEN_EVTCHNOP_alloc_unbound, &a);
        struct xen_evtchn_status s = {.dom = XEN_DOMID_SELF, .port = a.port};
        if (!ret)
            ret = rt_evtchn(XEN_EVTCHNOP_status, &s);
        if (ret)
            rt_panic("own domain id: %ld", ret);
        id = s.u.unbound.dom;
        rt_close(a.port);
        known = true;
    }
    return id;
}

static void run(const struct row *row)
{
    static uint64_t ticks[64];
    uint32_t n = row->runs;

    bench_failures = 0;
    bench_row = (uint64_t)(row - rows);
    int part = -1;
    row->once(row->arg); /* warms what is allocated on first use */
    for (uint32_t i = 0; i < n; i++) {
        bench_part = 0;
        uint64_t t = row->once(row->arg);
        for (uint64_t k = bench_part; k-- > 0;) {
            if (bench_part_ticks[k] == t)
                part = (int)k;
        }
        uint32_t j = i;
        for (; j && ticks[j - 1] > t; j--)
            ticks[j] = ticks[j - 1];
        ticks[j] = t;
    }
    rt_printf("ROW %s per=%u runs=%u min=%lu median=%lu extra=%u part=%lu.%d ", row->name, row->per,
              n, ticks[0], ticks[n / 2], row->extra, bench_row, part);
    if (bench_failures)
        rt_printf("FAILED %u times: %s (%lx, %lx)\n", bench_failures, first_failure, fail_a,
                  fail_b);
    else
        rt_printf("ok\n");
}

void rt_image_main(void)
{
    char only[64] = "";
    bool smp = false;
    unsigned count = 0;

    rt_value("only", only, sizeof(only));
    bench_l1 = rt_build_l1(WIN);
    rt_build_l1(WIN + (1ul << 21));
    bench_a = rt_page();
    bench_b = rt_page();
    *bench_a = 0xaa;
    *bench_b = 0xbb;
    bench_overhead = ~0ul;
    for (int i = 0; i < 16; i++) {
        uint64_t t = rt_tsc();
        t = rt_tsc() - t;
        if (t < bench_overhead)
            bench_overhead = t;
    }
    rows_mmu_init();
    rows_trap_init();
    rows_event_init();
    rt_events_on();
    rt_printf("BENCH overhead=%lu first_tsc=%lu\n", bench_overhead, rt_first_tsc);
    for (const struct row *r = rows; r < rows + sizeof(rows) / sizeof(rows[0]); r++) {
        if (only[0] && strcmp(only, r->name))
            continue;
        if (r->smp && !smp) {
            rows_event_smp();
            smp = true;
        }
        run(r);
        count++;
    }
    rt_printf("BENCH done rows=%u\n", count);
}
