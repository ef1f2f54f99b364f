/* SPDX-License-Identifier: MIT */
/*
 * calls: every hypercall that takes a few words, with normal and hostile arguments.
 *
 * The exact error code is part of the ABI: ports rely on -ENOSYS to probe and on -EFAULT to find
 * their own mistakes.  All codes here are what Xen 4.17 answers.
 */
#include "t.h"

#define HC(n) XEN_HYPERVISOR_##n

static void unknown_numbers(void)
{
    static const uint8_t unassigned[] = {11, 43, 44, 45, 46, 47, 56, 57, 60, 63, 100, 127};

    for (unsigned i = 0; i < sizeof(unassigned); i++)
        T_EQ(rt_call5(unassigned[i], 1, 2, 3, 4, 5), -XEN_ENOSYS);
    T_EQ(rt_raw_call(64, 0, 0, 0, 0, 0), -XEN_ENOSYS);
    T_EQ(rt_raw_call(255, 0, 0, 0, 0, 0), -XEN_ENOSYS);
    T_EQ(rt_raw_call(1ul << 31, 0, 0, 0, 0, 0), -XEN_ENOSYS);
    T_EQ(rt_raw_call(1ul << 63, 0, 0, 0, 0, 0), -XEN_ENOSYS);
    T_EQ(rt_raw_call(~0ul, 0, 0, 0, 0, 0), -XEN_ENOSYS);
    /* The number is all of rax. */
    T_EQ(rt_raw_call(1ul << 32 | HC(xen_version), XENVER_version, 0, 0, 0, 0), -XEN_ENOSYS);
}

static void preserves_registers(void)
{
    uint64_t rbx = 0x1111, rbp_in, rbp_out, r12 = 2, r13 = 3, r14 = 4, r15 = 5, flags;
    register uint64_t r9 __asm__("r9") = 0x9999;
    int64_t ret;

    __asm__ volatile("mov %%rbp, %[in]\n\t"
                     "mov $0x12, %%r12\n\tmov $0x13, %%r13\n\tmov $0x14, %%r14\n\t"
                     "mov $0x15, %%r15\n\tstd\n\tcall hypercall_page + 17 * 32\n\t"
                     "pushfq\n\tpop %[fl]\n\tcld\n\tmov %%rbp, %[out]"
                     : "=&a"(ret),
                       "+b"(rbx), [in] "=m"(rbp_in), [out] "=m"(rbp_out), [fl] "=m"(flags), "+r"(r9)
                     : "D"(0), "S"(0)
                     : "r12", "r13", "r14", "r15", "rdx", "r10", "r8", "memory");
    __asm__ volatile("" : "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15));
    T_EQ(ret, 0x40011);
    T_EQ(rbx, 0x1111);
    T_EQ(r9, 0x9999);
    T_EQ(rbp_in, rbp_out);
    T_OK(flags & 1 << 10); /* DF came through */
}

static void version(void)
{
    static char buf[1024];
    struct xen_feature_info fi = {.submap_idx = 0};
    uint64_t virt;

    T_EQ(rt_version(XENVER_version, NULL), 0x40011);
    T_EQ(rt_version(XENVER_pagesize, NULL), 4096);
    T_EQ(rt_version(XENVER_pagesize, buf), -XEN_EINVAL);
    T_EQ(rt_version(XENVER_platform_parameters, &virt), 0);
    T_EQ(virt, 0xffff800000000000);
    T_EQ(rt_version(XENVER_get_features, &fi), 0);
    T_OK(fi.submap >> XENFEAT_mmu_pt_update_preserve_ad & 1);
    T_OK(fi.submap >> XENFEAT_gnttab_map_avail_bits & 1);
    T_OK(fi.submap >> XENFEAT_direct_mapped & 1);
    T_OK(fi.submap >> XENFEAT_memory_op_vnode_supported & 1);
    T_OK(!(fi.submap >> XENFEAT_auto_translated_physmap & 1));
    T_OK(!(fi.submap >> XENFEAT_writable_page_tables & 1));
    fi.submap_idx = 1;
    T_EQ(rt_version(XENVER_get_features, &fi), -XEN_EINVAL);
    T_EQ(rt_version(XENVER_extraversion, buf), 0);
    T_EQ(rt_version(XENVER_compile_info, buf), 0);
    T_EQ(rt_version(XENVER_capabilities, buf), 0);
    T_OK(!strncmp(buf, "xen-3.0-x86_64", 14));
    T_EQ(rt_version(XENVER_changeset, buf), 0);
    T_EQ(rt_version(XENVER_guest_handle, buf), 0);
    T_EQ(rt_version(99, buf), -XEN_ENOSYS);
    T_EQ(rt_version((uint32_t)-1, buf), -XEN_ENOSYS);
}

static void version_bad_pointers(void)
{
    static const uint8_t cmds[] = {
        XENVER_extraversion,        XENVER_compile_info, XENVER_capabilities, XENVER_changeset,
        XENVER_platform_parameters, XENVER_get_features, XENVER_guest_handle};

    for (unsigned c = 0; c < sizeof(cmds); c++) {
        for (unsigned i = 0; i < t_nr_bad; i++) {
            if (!T_EQ(rt_version(cmds[c], (void *)t_bad[i]), -XEN_EFAULT))
                rt_printf("cmd %u bad %lx\n", cmds[c], t_bad[i]);
        }
    }
}

/* Every call with a pointer refuses each bad one, and none of them harms the caller. */
static void bad_pointers(void)
{
    static const struct {
        const char *name;
        uint8_t nr, arg; /* which argument is the pointer */
        uint64_t a[4];
    } calls[] = {
        {"mmu_update", HC(mmu_update), 0, {0, 1, 0, XEN_DOMID_SELF}},
        {"mmuext_op", HC(mmuext_op), 0, {0, 1, 0, XEN_DOMID_SELF}},
        {"set_gdt", HC(set_gdt), 0, {0, 1}},
        {"multicall", HC(multicall), 0, {0, 1}},
        {"memory_op.exchange", HC(memory_op), 1, {XENMEM_exchange}},
        {"memory_op.map", HC(memory_op), 1, {XENMEM_memory_map}},
        {"memory_op.mfn_list", HC(memory_op), 1, {XENMEM_machphys_mfn_list}},
        {"memory_op.mapping", HC(memory_op), 1, {XENMEM_machphys_mapping}},
        {"memory_op.current", HC(memory_op), 1, {XENMEM_current_reservation}},
        {"evtchn.alloc", HC(event_channel_op), 1, {XEN_EVTCHNOP_alloc_unbound}},
        {"evtchn.interdomain", HC(event_channel_op), 1, {XEN_EVTCHNOP_bind_interdomain}},
        {"evtchn.virq", HC(event_channel_op), 1, {XEN_EVTCHNOP_bind_virq}},
        {"evtchn.ipi", HC(event_channel_op), 1, {XEN_EVTCHNOP_bind_ipi}},
        {"evtchn.close", HC(event_channel_op), 1, {XEN_EVTCHNOP_close}},
        {"evtchn.send", HC(event_channel_op), 1, {XEN_EVTCHNOP_send}},
        {"evtchn.status", HC(event_channel_op), 1, {XEN_EVTCHNOP_status}},
        {"evtchn.unmask", HC(event_channel_op), 1, {XEN_EVTCHNOP_unmask}},
        {"evtchn.bind_vcpu", HC(event_channel_op), 1, {XEN_EVTCHNOP_bind_vcpu}},
        {"sched.poll", HC(sched_op), 1, {XEN_SCHEDOP_poll}},
        {"sched.shutdown", HC(sched_op), 1, {XEN_SCHEDOP_shutdown}},
        {"callback.register", HC(callback_op), 1, {XEN_CALLBACKOP_register}},
        {"callback.unregister", HC(callback_op), 1, {XEN_CALLBACKOP_unregister}},
        {"physdev.iopl", HC(physdev_op), 1, {XEN_PHYSDEVOP_set_iopl}},
        {"physdev.iobitmap", HC(physdev_op), 1, {XEN_PHYSDEVOP_set_iobitmap}},
        {"vcpu.runstate", HC(vcpu_op), 2, {XEN_VCPUOP_get_runstate_info, 0}},
        {"vcpu.initialise", HC(vcpu_op), 2, {XEN_VCPUOP_initialise, 1}},
        {"vcpu.periodic", HC(vcpu_op), 2, {XEN_VCPUOP_set_periodic_timer, 0}},
        {"vcpu.singleshot", HC(vcpu_op), 2, {XEN_VCPUOP_set_singleshot_timer, 0}},
        {"vcpu.info", HC(vcpu_op), 2, {XEN_VCPUOP_register_vcpu_info, 1}},
        {"gnttab.setup", HC(grant_table_op), 1, {XEN_GNTTABOP_setup_table, 0, 1}},
        {"gnttab.query", HC(grant_table_op), 1, {XEN_GNTTABOP_query_size, 0, 1}},
        {"gnttab.map", HC(grant_table_op), 1, {XEN_GNTTABOP_map_grant_ref, 0, 1}},
        {"gnttab.unmap", HC(grant_table_op), 1, {XEN_GNTTABOP_unmap_grant_ref, 0, 1}},
        {"gnttab.copy", HC(grant_table_op), 1, {XEN_GNTTABOP_copy, 0, 1}},
    };

    for (unsigned c = 0; c < sizeof(calls) / sizeof(calls[0]); c++) {
        for (unsigned i = 0; i < t_nr_bad; i++) {
            uint64_t a[4];
            memcpy(a, calls[c].a, sizeof(a));
            a[calls[c].arg] = t_bad[i];
            int64_t ret = rt_call4(calls[c].nr, a[0], a[1], a[2], a[3]);
            if (ret != -XEN_EFAULT)
                t_fail(__FILE__, __LINE__, "%s(%lx) is %ld, wanted -EFAULT", calls[c].name,
                       t_bad[i], ret);
            if (ret != -XEN_EFAULT && rt_option("verbose"))
                rt_printf("%s(%lx) is %ld\n", calls[c].name, t_bad[i], ret);
        }
    }
}

/* Calls that answer how many extents they did say 0 for what they could not even read. */
static void bad_reservations(void)
{
    static const uint8_t cmds[] = {XENMEM_decrease_reservation, XENMEM_increase_reservation,
                                   XENMEM_populate_physmap};

    for (unsigned c = 0; c < sizeof(cmds); c++) {
        for (unsigned i = 0; i < t_nr_bad; i++)
            T_EQ(rt_memory(cmds[c], (void *)t_bad[i]), 0);
    }
}

static void multicall_mixed(void)
{
    struct xen_multicall_entry e[8];

    memset(e, 0, sizeof(e));
    for (int i = 0; i < 8; i++)
        e[i].result = 0x5555;
    e[0].op = HC(xen_version);
    e[1].op = 60; /* no such call: an error in its place, and on with the next */
    e[2].op = HC(update_va_mapping);
    e[2].args[0] = 0xffff800000000000;
    e[3].op = HC(mmu_update);
    e[3].args[0] = 1;
    e[3].args[1] = 1;
    e[3].args[3] = XEN_DOMID_SELF;
    e[4].op = HC(multicall); /* no nesting */
    e[4].args[0] = (uint64_t)e;
    e[4].args[1] = 1;
    e[5].op = HC(xen_version);
    e[5].args[0] = 99;
    e[6].op = 1ul << 40 | HC(xen_version);
    e[7].op = HC(vcpu_op);
    e[7].args[0] = XEN_VCPUOP_is_up;
    T_EQ(rt_call2(HC(multicall), (uint64_t)e, 8), 0);
    T_EQ(e[0].result, 0x40011);
    T_EQ(e[1].result, -XEN_ENOSYS);
    T_EQ(e[2].result, -XEN_EINVAL);
    T_EQ(e[3].result, -XEN_EFAULT);
    T_EQ(e[4].result, -XEN_EINVAL);
    T_EQ(e[5].result, -XEN_ENOSYS);
    T_EQ(e[6].result, -XEN_ENOSYS);
    T_EQ(e[7].result, 1);
}

static void multicall_edges(void)
{
    static struct xen_multicall_entry e[4] __attribute__((aligned(64)));
    uint8_t *page = rt_page();

    T_EQ(rt_call2(HC(multicall), (uint64_t)e, 0), 0);
    T_EQ(rt_call2(HC(multicall), 0, 0), 0);
    T_EQ(rt_call2(HC(multicall), 0xffff800000000000, 0), -XEN_EFAULT);
    /* The table ends at an unmapped page: the entries before it are done, then -EFAULT. */
    T_EQ(rt_va_map(t_win(0), t_pte(page, PTE_RW), XEN_UVMF_INVLPG), 0);
    struct xen_multicall_entry *w = (struct xen_multicall_entry *)(t_win(1) - 2 * sizeof(*w));
    memset(w, 0, 2 * sizeof(*w));
    w[0].op = w[1].op = HC(xen_version);
    T_EQ(rt_call2(HC(multicall), (uint64_t)w, 3), -XEN_EFAULT);
    T_EQ(w[0].result, 0x40011);
    T_EQ(w[1].result, 0x40011);
    /* A table that cannot be written takes no result: its first call is made, and it fails. */
    T_EQ(rt_va_map(t_win(0), t_pte(page, PTE_RO), XEN_UVMF_INVLPG), 0);
    T_EQ(rt_call2(HC(multicall), (uint64_t)w, 2), -XEN_EFAULT);
    T_EQ(rt_va_map(t_win(0), 0, XEN_UVMF_INVLPG), 0);
    rt_page_free(page);
}

static void trap_table(void)
{
    static struct xen_trap_info t[3];

    t[0] = (struct xen_trap_info){
        .vector = 0x85, .cs = XEN_FLAT_KERNEL_CS, .address = 0x0000800000000000};
    T_EQ(rt_call1(HC(set_trap_table), (uint64_t)t), -XEN_EINVAL);
    t[0].address = 0xffff7fffffffffff;
    T_EQ(rt_call1(HC(set_trap_table), (uint64_t)t), -XEN_EINVAL);
    /* Entries before a bad one are in force: 3 is made DPL 0 with another handler, then back. */
    t[0].address = rt_stub_table[0x85];
    t[1] = (struct xen_trap_info){.vector = 0x86, .cs = 1, .address = 0x0000900000000000};
    T_EQ(rt_call1(HC(set_trap_table), (uint64_t)t), -XEN_EINVAL);
    /* An empty table changes nothing; hypervisor addresses are not checked here, but on use. */
    memset(t, 0, sizeof(t));
    T_EQ(rt_call1(HC(set_trap_table), (uint64_t)t), 0);
    t[0] = (struct xen_trap_info){.vector = 0x85, .cs = 0, .address = 0xffff800000001000};
    T_EQ(rt_call1(HC(set_trap_table), (uint64_t)t), 0);
    for (unsigned i = 1; i < t_nr_bad; i++)
        T_EQ(rt_call1(HC(set_trap_table), t_bad[i]), -XEN_EFAULT);
}

static void gdt(void)
{
    uint64_t *page = rt_page();
    uint64_t frames[16] = {0};
    uint16_t sel = 5 << 3 | 3, got = 0;

    T_EQ(rt_call2(HC(set_gdt), (uint64_t)frames, XEN_FIRST_RESERVED_GDT_ENTRY + 1), -XEN_EINVAL);
    T_EQ(rt_call2(HC(set_gdt), (uint64_t)frames, ~0u), -XEN_EINVAL);
    frames[0] = rt_mfn(page); /* mapped writable: not a descriptor page */
    T_EQ(rt_call2(HC(set_gdt), (uint64_t)frames, 512), -XEN_EINVAL);
    frames[0] = 1ul << 40;
    T_EQ(rt_call2(HC(set_gdt), (uint64_t)frames, 512), -XEN_EINVAL);
    page[5] = 0x00cff3000000ffff; /* a flat data segment, DPL 3 */
    page[6] = 0x00cf93000000ffff; /* DPL 0: raised to 3 */
    page[7] = 0x00008b0000000067; /* a TSS: no guest has one */
    rt_make_ro(page);
    frames[0] = rt_mfn(page);
    T_EQ(rt_call2(HC(set_gdt), (uint64_t)frames, 512), -XEN_EINVAL);
    rt_make_rw(page);
    page[7] = 0;
    rt_make_ro(page);
    T_EQ(rt_call2(HC(set_gdt), (uint64_t)frames, 512), 0);
    T_EQ(page[6] >> 45 & 3, 3);
    T_EQ(RT_TRY("mov %0, %%es\n\tmov %%es, %0", : "+r"(sel)::"memory"), -1);
    T_EQ(sel, 5 << 3 | 3);
    /* It holds its page's type as long as it is installed. */
    T_EQ(rt_va_map((uint64_t)page, t_pte(page, PTE_RW), XEN_UVMF_INVLPG), -XEN_EBUSY);
    T_EQ(rt_call2(HC(update_descriptor), rt_maddr(&page[5]), 0x00cf73000000ffff), 0);
    __asm__ volatile("mov %0, %%es" ::"r"((uint16_t)0));
    sel = 5 << 3 | 3;
    T_EQ(RT_TRY("mov %0, %%es", ::"r"(sel) : "memory"), 11); /* not present any more */
    T_EQ(rt_seen.error, 5 << 3);
    sel = 8 << 3 | 3;
    T_EQ(RT_TRY("mov %0, %%es", ::"r"(sel) : "memory"), 13);
    __asm__ volatile("mov %%es, %0" : "=r"(got));
    T_EQ(got, 0);
    T_EQ(rt_call2(HC(set_gdt), (uint64_t)frames, 0), 0);
    rt_make_rw(page);
    rt_page_free(page);
}

static void descriptors(void)
{
    uint64_t *page = rt_page();
    uint64_t m = rt_maddr(page);
    static const uint64_t refused[] = {
        0x00008b0000000067, /* busy TSS */
        0x0000820000000067, /* LDT */
        0x00008e0000330000, /* interrupt gate */
        0x00008c00e0080000, /* call gate to a selector of the hypervisor's */
        0x0000850000330000, /* task gate */
    };
    static const uint64_t fixed[][2] = {
        {0x00af9b000000ffff, 0x00affb000000ffff}, /* code: DPL raised to 3 */
        {0x00cff3000000ffff, 0x00cff3000000ffff},
        {0x00cf13000000ffff, 0x00cf13000000ffff}, /* not present: anything goes */
        {0x0000000000000000, 0x0000000000000000},
    };

    T_EQ(rt_call2(HC(update_descriptor), m + 4, 0), -XEN_EINVAL);
    T_EQ(rt_call2(HC(update_descriptor), m | 1ul << 52, 0), -XEN_EINVAL);
    T_EQ(rt_call2(HC(update_descriptor), 1ul << 45, 0), -XEN_EINVAL);
    T_EQ(rt_call2(HC(update_descriptor), 0x100000, 0), -XEN_EINVAL); /* not ours */
    for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        T_EQ(rt_call2(HC(update_descriptor), m, refused[i]), -XEN_EINVAL);
    for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        T_EQ(rt_call2(HC(update_descriptor), m + 8, fixed[i][0]), 0);
        T_EQ(page[1], fixed[i][1]);
    }
    /* A page table is no descriptor table. */
    T_EQ(rt_call2(HC(update_descriptor), t_ptr(100), 0), -XEN_EINVAL);
    rt_page_free(page);
}

static void callbacks(void)
{
    struct xen_callback_register r = {.address = (uint64_t)rt_enter_event};
    struct xen_callback_unregister u = {0};

    for (uint16_t type = 0; type < 12; type++) {
        r.type = type;
        r.address = 0x0000800000000000;
        T_EQ(rt_call2(HC(callback_op), XEN_CALLBACKOP_register, (uint64_t)&r), -XEN_EINVAL);
        u.type = type;
        int64_t want = type == XEN_CALLBACKTYPE_nmi ? 0 : -XEN_EINVAL;
        if (type == 3 || type == 6 || type > 7)
            want = -XEN_ENOSYS;
        if (type == XEN_CALLBACKTYPE_syscall32)
            want = -XEN_EINVAL;
        int64_t ret = rt_call2(HC(callback_op), XEN_CALLBACKOP_unregister, (uint64_t)&u);
        if (ret != want)
            t_fail(__FILE__, __LINE__, "unregister type %u is %ld", type, ret);
    }
    r.type = 99;
    r.address = 0;
    T_EQ(rt_call2(HC(callback_op), XEN_CALLBACKOP_register, (uint64_t)&r), -XEN_ENOSYS);
    T_EQ(rt_call2(HC(callback_op), 2, (uint64_t)&r), -XEN_ENOSYS);
    /* set_callbacks takes what is good of its three addresses and never fails. */
    T_EQ(rt_call3(HC(set_callbacks), (uint64_t)rt_enter_event, 0x0000800000000000,
                  (uint64_t)rt_enter_syscall),
         0);
    r.type = XEN_CALLBACKTYPE_nmi;
    r.address = (uint64_t)rt_enter_nmi;
    T_EQ(rt_call2(HC(callback_op), XEN_CALLBACKOP_register, (uint64_t)&r), 0);
}

static void debug_registers(void)
{
    T_EQ(rt_call2(HC(set_debugreg), 0, 0x1234), 0);
    T_EQ(rt_call1(HC(get_debugreg), 0), 0x1234);
    T_EQ(rt_call2(HC(set_debugreg), 0, 0xffff800000000000), -XEN_EPERM);
    T_EQ(rt_call2(HC(set_debugreg), 1, 0xffff87ffffffffff), -XEN_EPERM);
    T_EQ(rt_call2(HC(set_debugreg), 1, 0xffff880000000000), 0);
    T_EQ(rt_call2(HC(set_debugreg), 2, 0x0000800000000000), -XEN_EPERM);
    T_EQ(rt_call2(HC(set_debugreg), 3, 0x00007fffffffffff), 0);
    T_EQ(rt_call1(HC(get_debugreg), 0), 0x1234);
    T_EQ(rt_call2(HC(set_debugreg), 8, 0), -XEN_ENODEV);
    T_EQ(rt_call2(HC(set_debugreg), -1, 0), -XEN_ENODEV);
    T_EQ(rt_call1(HC(get_debugreg), 8), -XEN_ENODEV);
    T_EQ(rt_call1(HC(get_debugreg), -1), -XEN_ENODEV);
    T_EQ(rt_call2(HC(set_debugreg), 6, 0), 0);
    T_EQ(rt_call1(HC(get_debugreg), 6), 0xffff0ff0);
    T_EQ(rt_call2(HC(set_debugreg), 6, 1ul << 32), -XEN_EINVAL);
    T_EQ(rt_call2(HC(set_debugreg), 7, 1ul << 32), -XEN_EINVAL);
    T_EQ(rt_call2(HC(set_debugreg), 7, 1 << 13), -XEN_EPERM);    /* GD */
    T_EQ(rt_call2(HC(set_debugreg), 7, 0x00020001), -XEN_EPERM); /* an I/O breakpoint, no DE */
    T_EQ(rt_call2(HC(set_debugreg), 7, 0), 0);
    T_EQ(rt_call1(HC(get_debugreg), 7), 0x400);
    T_EQ(rt_call2(HC(set_debugreg), 4, 0), 0); /* without CR4.DE: another name of DR6 */
    for (int i = 0; i < 4; i++)
        T_EQ(rt_call2(HC(set_debugreg), i, 0), 0);
}

static void segment_bases(void)
{
    T_EQ(rt_call2(HC(set_segment_base), XEN_SEGBASE_FS, 0x0000800000000000), -XEN_EINVAL);
    T_EQ(rt_call2(HC(set_segment_base), XEN_SEGBASE_GS_USER, 0xffff7fffffffffff), -XEN_EINVAL);
    T_EQ(rt_call2(HC(set_segment_base), XEN_SEGBASE_GS_KERNEL, 1ul << 63), -XEN_EINVAL);
    T_EQ(rt_call2(HC(set_segment_base), 4, 0), -XEN_EINVAL);
    T_EQ(rt_call2(HC(set_segment_base), ~0u, 0), -XEN_EINVAL);
    T_EQ(rt_call2(HC(set_segment_base), XEN_SEGBASE_FS, 0xffff830000000000), 0);
    T_EQ(RT_TRY("mov %%fs:0, %%rax", ::: "rax"), 14); /* allowed, and of no use */
    T_EQ(rt_call2(HC(set_segment_base), XEN_SEGBASE_FS, 0), 0);
    T_EQ(rt_call2(HC(set_segment_base), 3 /* GS_USER_SEL */, 0), 0);
    T_EQ(rt_call2(HC(set_segment_base), 3, 0xfff8), 0); /* a bad selector becomes null */
}

static void vm_assist(void)
{
    T_EQ(rt_call2(HC(vm_assist), XEN_VMASST_CMD_enable, XEN_VMASST_TYPE_writable_pagetables), 0);
    T_EQ(rt_call2(HC(vm_assist), XEN_VMASST_CMD_disable, XEN_VMASST_TYPE_writable_pagetables), 0);
    T_EQ(rt_call2(HC(vm_assist), XEN_VMASST_CMD_enable, XEN_VMASST_TYPE_architectural_iopl), 0);
    T_EQ(rt_call2(HC(vm_assist), XEN_VMASST_CMD_disable, XEN_VMASST_TYPE_architectural_iopl), 0);
    T_EQ(rt_call2(HC(vm_assist), XEN_VMASST_CMD_enable, XEN_VMASST_TYPE_runstate_update_flag), 0);
    T_EQ(rt_call2(HC(vm_assist), XEN_VMASST_CMD_disable, XEN_VMASST_TYPE_runstate_update_flag), 0);
    T_EQ(rt_call2(HC(vm_assist), XEN_VMASST_CMD_enable, XEN_VMASST_TYPE_m2p_strict), 0);
    T_EQ(rt_call2(HC(vm_assist), XEN_VMASST_CMD_enable, 31), -XEN_EINVAL);
    T_EQ(rt_call2(HC(vm_assist), XEN_VMASST_CMD_enable, 64), -XEN_EINVAL);
    T_EQ(rt_call2(HC(vm_assist), XEN_VMASST_CMD_enable, ~0u), -XEN_EINVAL);
    T_EQ(rt_call2(HC(vm_assist), 2, XEN_VMASST_TYPE_writable_pagetables), -XEN_ENOSYS);
}

static void stack_switch(void)
{
    /* Nothing is refused here: a bad selector is repaired, a bad pointer kills on its first use. */
    T_EQ(rt_call2(HC(stack_switch), 0, rt_trap_stack(0)), 0);
    T_EQ(rt_call2(HC(stack_switch), 0x10, rt_trap_stack(0)), 0);
    T_EQ(rt_call2(HC(stack_switch), XEN_FLAT_KERNEL_SS, rt_trap_stack(0)), 0);
}

static void console(void)
{
    if (rt_call3(HC(console_io), XEN_CONSOLEIO_write, 0, 0) == -XEN_EPERM)
        T_NA("this guest may not use console_io");
    T_EQ(rt_call3(HC(console_io), XEN_CONSOLEIO_write, 5, 0xffff800000000000), -XEN_EFAULT);
    T_EQ(rt_call3(HC(console_io), XEN_CONSOLEIO_write, 5, 0), -XEN_EFAULT);
    T_EQ(rt_call3(HC(console_io), 99, 0, 0), -XEN_ENOSYS);
    T_OK(rt_call3(HC(console_io), XEN_CONSOLEIO_read, 0, 0) == 0);
}

static void physdev(void)
{
    struct xen_physdev_set_iopl iopl = {.iopl = 1};
    struct xen_physdev_set_iobitmap map = {.nr_ports = 65536};

    T_EQ(rt_physdev(XEN_PHYSDEVOP_set_iopl, &iopl), 0);
    iopl.iopl = 3;
    T_EQ(rt_physdev(XEN_PHYSDEVOP_set_iopl, &iopl), 0);
    iopl.iopl = 4;
    T_EQ(rt_physdev(XEN_PHYSDEVOP_set_iopl, &iopl), -XEN_EINVAL);
    iopl.iopl = 0;
    T_EQ(rt_physdev(XEN_PHYSDEVOP_set_iopl, &iopl), 0);
    T_EQ(rt_physdev(XEN_PHYSDEVOP_set_iobitmap, &map), 0);
    map.nr_ports = 65537;
    T_EQ(rt_physdev(XEN_PHYSDEVOP_set_iobitmap, &map), -XEN_EINVAL);
    map.nr_ports = 0;
    T_EQ(rt_physdev(XEN_PHYSDEVOP_set_iobitmap, &map), 0);
    T_EQ(rt_physdev(99, &map), -XEN_ENOSYS);
}

static void sched_calls(void)
{
    uint32_t ports[1] = {0};
    struct xen_sched_poll p = {.ports = G(ports), .nr_ports = 129, .timeout = 1};

    T_EQ(rt_sched(XEN_SCHEDOP_yield, NULL), 0);
    T_EQ(rt_sched(99, NULL), -XEN_ENOSYS);
    T_EQ(rt_sched(XEN_SCHEDOP_poll, &p), -XEN_EINVAL);
    p.nr_ports = 1;
    p.ports = G(0xffff800000000000);
    T_EQ(rt_sched(XEN_SCHEDOP_poll, &p), -XEN_EFAULT);
    p.ports = G(ports);
    ports[0] = 4096;
    T_EQ(rt_sched(XEN_SCHEDOP_poll, &p), -XEN_EINVAL);
    p.nr_ports = 0;
    T_EQ(rt_sched(XEN_SCHEDOP_poll, &p), 0);
    /* The old forms. */
    T_EQ(rt_call2(HC(sched_op_compat), XEN_SCHEDOP_yield, 0), 0);
    T_EQ(rt_call2(HC(sched_op_compat), 99, 0), -XEN_ENOSYS);
}

static void vcpu_calls(void)
{
    uint64_t buf[8];

    T_EQ(rt_vcpu(XEN_VCPUOP_is_up, 0, NULL), 1);
    T_EQ(rt_vcpu(XEN_VCPUOP_is_up, 1, NULL), 0);
    T_EQ(rt_vcpu(XEN_VCPUOP_is_up, 31, NULL), -XEN_ENOENT);
    T_EQ(rt_vcpu(XEN_VCPUOP_is_up, 1000000, NULL), -XEN_ENOENT);
    T_EQ(rt_vcpu(XEN_VCPUOP_up, 1, NULL), -XEN_EINVAL); /* not initialised */
    T_EQ(rt_vcpu(99, 0, NULL), -XEN_ENOSYS);
    T_EQ(rt_vcpu(XEN_VCPUOP_up, 5000, NULL), -XEN_ENOENT);
    T_EQ(rt_vcpu(XEN_VCPUOP_get_runstate_info, 0, buf), 0);
    T_EQ(rt_vcpu(XEN_VCPUOP_stop_periodic_timer, 0, NULL), 0);
    T_EQ(rt_vcpu(XEN_VCPUOP_stop_singleshot_timer, 0, NULL), 0);
    T_EQ(rt_vcpu(XEN_VCPUOP_send_nmi, 31, NULL), -XEN_ENOENT);
}

/* Delivering #NM clears the flag: the ABI's handler need not make a call to do that. */
static void taskswitch(void)
{
    T_EQ(rt_call1(HC(fpu_taskswitch), 1), 0);
    T_EQ(RT_TRY("fninit", ::: "memory"), 7);
    T_EQ(RT_TRY("fninit", ::: "memory"), -1);
    T_EQ(rt_call1(HC(fpu_taskswitch), 1), 0);
    T_EQ(rt_call1(HC(fpu_taskswitch), 0), 0);
    T_EQ(RT_TRY("fninit", ::: "memory"), -1);
    T_EQ(rt_call1(HC(fpu_taskswitch), -1), 0);
    T_EQ(RT_TRY("fld1\n\tfstp %%st(0)", ::: "memory"), 7);
    T_EQ(rt_call1(HC(fpu_taskswitch), 0), 0);
}

static void timer_calls(void)
{
    T_EQ(rt_set_timer(0), 0);
    T_EQ(rt_set_timer(1), 0);
    T_EQ(rt_set_timer(rt_now() + 1000000000ul), 0);
    T_EQ(rt_set_timer(0), 0);
    T_EQ(rt_set_timer(1ul << 62), 0);
    T_EQ(rt_set_timer(0), 0);
    T_EQ(rt_set_timer(~0ul), 0); /* negative: long past */
    T_EQ(rt_set_timer(0), 0);
}

static void va_mapping_calls(void)
{
    uint8_t *page = rt_page();
    uint64_t pte = t_pte(page, PTE_RW);

    T_EQ(rt_va_map(0xffff800000000000, pte, 0), -XEN_EINVAL);
    T_EQ(rt_va_map(0xffff830000000000, pte, 0), -XEN_EINVAL);
    T_EQ(rt_va_map(0x18000000000, pte, 0), -XEN_EINVAL); /* no tables there */
    T_EQ(rt_call4(HC(update_va_mapping_otherdomain), t_win(0), pte, 0, XEN_DOMID_SELF), 0);
    T_OK(!t_readonly(t_win(0)));
    T_EQ(rt_call4(HC(update_va_mapping_otherdomain), t_win(0), 0, XEN_UVMF_INVLPG, XEN_DOMID_SELF),
         0);
    T_EQ(rt_call4(HC(update_va_mapping_otherdomain), t_win(0), pte, 0, 0x1234), -XEN_ESRCH);
    T_EQ(rt_va_map(t_win(0), pte, 7), 0); /* both flush kinds at once: flushes all */
    T_EQ(rt_va_map(t_win(0), 0, XEN_UVMF_INVLPG | XEN_UVMF_ALL), 0);
    T_EQ(rt_va_map(t_win(0), pte, 0xffff800000000000 | XEN_UVMF_INVLPG), -XEN_EFAULT);
    T_EQ(rt_va_map(t_win(0), 0, XEN_UVMF_INVLPG), 0);
    T_OK(t_absent(t_win(0)));
    rt_page_free(page);
}

static const struct test tests[] = {
    {"unknown-numbers", unknown_numbers},
    {"preserves-registers", preserves_registers},
    {"version", version},
    {"version-bad-pointers", version_bad_pointers},
    {"bad-pointers", bad_pointers},
    {"bad-reservations", bad_reservations},
    {"multicall-mixed", multicall_mixed},
    {"multicall-edges", multicall_edges},
    {"trap-table", trap_table},
    {"gdt", gdt},
    {"descriptors", descriptors},
    {"callbacks", callbacks},
    {"debug-registers", debug_registers},
    {"segment-bases", segment_bases},
    {"vm-assist", vm_assist},
    {"stack-switch", stack_switch},
    {"console", console},
    {"physdev", physdev},
    {"sched", sched_calls},
    {"vcpu", vcpu_calls},
    {"taskswitch", taskswitch},
    {"timer", timer_calls},
    {"va-mapping", va_mapping_calls},
};

void rt_image_main(void)
{
    t_window();
    rt_events_on();
    RUN_TESTS("calls", tests);
}
