/* SPDX-License-Identifier: MIT */
/*
 * libpv.c - libpv against the hypervisor itself: what each header promises, asked of the core.
 *
 * The last verdict is about the essays: each hypercall of hypercalls.def was made. TAP.
 */
#include "pair.h"
#include <stdio.h>
#include <string.h>
#include "core/event.h"
#include "core/guest_mem.h"
#include "core/misc.h"
#include "core/sched.h"
#include "core/time.h"

#define RW (PV_PRESENT | PV_WRITE | PV_USER | PV_ACCESSED | PV_DIRTY)
#define RO (PV_PRESENT | PV_USER | PV_ACCESSED)

static volatile uint64_t *at(uint64_t va)
{
    return (volatile uint64_t *)va;
}

static volatile uint64_t *linear(pfn_t frame)
{
    return pv_host_page_va(frame);
}

/* Essays ------------------------------------------------------------------------------------ */

static void start_of_day(void)
{
    struct xencons_interface *ring = (void *)hosted_va(CONSOLE);

    WANT(pv_start_pages() == PAGES && !pv_start_is_initial());
    WANT(!strcmp(pv_start_cmdline(), "role=front"));
    for (uint64_t i = 0; i < PAGES; i++) {
        WANT(pv_p2m(pfn(i)).n == g->p2m[i]);
        WANT(pfn_eq(pv_m2p(mfn(g->p2m[i])), pfn(i)));
    }
    WANT(!pfn_valid(pv_m2p(g->d->shared_mfn)));
    pv_start_shared()->evtchn_mask[3] = 0x1234;
    WANT(g->d->shared->evtchn_mask[3] == 0x1234);
    WANT(pv_start_has_feature(XENFEAT_mmu_pt_update_preserve_ad));
    pv_printf("hello\n");
    WANT(!memcmp(ring->out, "hello\n", 6) && ring->out_prod == 6);
}

static void create_switch_update(void)
{
    pfn_t a = pv_host_page_alloc(), b = pv_host_page_alloc();
    uint64_t before = pair.free_pages;
    struct pv_space s, t;

    *linear(a) = 1;
    *linear(b) = 2;
    WANT(pv_space_create(&s) == 0 && pv_space_create(&t) == 0);
    WANT(pv_space_map(&s, USER, a, RW) == 0 && pv_space_map(&t, USER, b, RW) == 0);
    WANT(pv_space_switch(&s) == 0 && *at(USER) == 1);
    WANT(g->v->root[0].n == pv_p2m(s.user).n && g->v->root[1].n == pv_p2m(s.kernel).n);
    *at(USER + 8) = 77;
    WANT(linear(a)[1] == 77);
    WANT(pv_space_switch(&t) == 0 && *at(USER) == 2);

    /* update: another frame, other rights, none */
    WANT(pv_space_map(&t, USER, a, RO) == 0 && pv_tlb_flush_page(USER) == 0);
    WANT(*at(USER) == 1 && !hosted_touch(USER, true) && hosted_touch(USER, false));
    WANT(pfn_eq(pv_pte_pfn(pv_space_lookup(&t, USER)), a));
    WANT((pv_pte_rights(pv_space_lookup(&t, USER)) & PV_WRITE) == 0);
    WANT(pv_space_unmap(&t, USER) == 0 && pv_tlb_flush() == 0 && !hosted_touch(USER, false));
    WANT(!pv_pte_is_present(pv_space_lookup(&t, USER)));
    WANT(!pv_pte_is_present(pv_space_lookup(&t, USER + (1ul << 40))));

    WANT(pv_space_switch(pv_space_kernel()) == 0);
    WANT(pv_space_destroy(&s) == 0 && pv_space_destroy(&t) == 0);
    WANT(pair.free_pages == before);
}

static void refusals(void)
{
    pfn_t page = pv_host_page_alloc();
    struct pv_space s;

    WANT(pv_space_create(&s) == 0 && pv_space_map(&s, USER, page, RW) == 0);
    REFUSED(pv_space_map(&s, USER, s.kernel, RW), XEN_EBUSY, RULE_PT_WRITABLE_TABLE);
    REFUSED(pv_pt_unprotect(s.kernel), XEN_EBUSY, RULE_PT_WRITABLE_TABLE);
    WANT(pfn_eq(pv_pte_pfn(pv_space_lookup(&s, USER)), page)); /* the old entry stays */
    WANT(pv_space_map(&s, USER, s.kernel, RO) == 0);
    WANT(pv_space_map(&s, XEN_HYPERVISOR_VIRT_START, page, RW) == -XEN_EINVAL);
    WANT(pv_space_map(&s, 1ul << 47, page, RW) == -XEN_EINVAL);
    WANT(pv_pt_pin(page, 4) < 0); /* its linear mapping is writable */
    WANT(pv_space_switch(&s) == 0);
    WANT(pv_space_unmap(&s, USER) == 0);
    WANT(pv_space_switch(pv_space_kernel()) == 0 && pv_space_destroy(&s) == 0);
}

static void out_of_pages(void)
{
    uint64_t all = pair.free_pages;
    struct pv_space s;

    for (pair.free_pages = 0; pair.free_pages < 2; pair.free_pages++)
        WANT(pv_space_create(&s) == -XEN_ENOMEM);
    WANT(pair.free_pages == 2 && pv_space_create(&s) == 0 && pair.free_pages == 0);
    /* Three tables are wanted, and there are fewer. Those that were made stay, and are used. */
    for (uint64_t have = 0; have < 3; have++) {
        pair.free_pages = have ? 1 : 0;
        pair.free_page[0] = all - have;
        WANT(pv_space_map(&s, USER, pfn(FIRST_FREE), RW) == -XEN_ENOMEM);
    }
    pair.free_page[0] = all - 10;
    pair.free_pages = 1;
    WANT(pv_space_map(&s, USER, pfn(FIRST_FREE), RW) == 0);
    WANT(pv_space_destroy(&s) == 0 && pair.free_pages == 5);
}

static void lazily(void)
{
    static struct pv_batch b;
    pfn_t page = pv_host_page_alloc();
    struct pv_space s;
    unsigned before;

    WANT(pv_space_create(&s) == 0 && pv_space_map(&s, USER, page, RW) == 0);
    WANT(pv_space_switch(&s) == 0);
    before = pair.calls;
    pv_lazy_begin(&b);
    for (unsigned i = 1; i <= 100; i++)
        pv_space_map(&s, USER + i * PV_PAGE_SIZE, page, RW);
    pv_tlb_flush();
    WANT(pair.calls == before);
    WANT(pv_lazy_end() == 0 && pair.calls == before + 1);
    *linear(page) = 55;
    WANT(*at(USER + 100 * PV_PAGE_SIZE) == 55);

    /* The third of five is refused: two are done, the rest of that call is not. */
    pv_lazy_begin(&b);
    for (unsigned i = 1; i <= 5; i++)
        pv_space_map(&s, USER + i * PV_PAGE_SIZE, i == 3 ? s.kernel : pfn_add(page, 0),
                     i == 3 ? RW : RO);
    WANT(pv_lazy_end() == -XEN_EBUSY);
    WANT(b.failed_nr == XEN_HYPERVISOR_mmu_update && b.failed_request == 2);
    WANT(!(pv_pte_rights(pv_space_lookup(&s, USER + 2 * PV_PAGE_SIZE)) & PV_WRITE));
    WANT(pv_pte_rights(pv_space_lookup(&s, USER + 4 * PV_PAGE_SIZE)) & PV_WRITE);
    WANT(pv_space_switch(pv_space_kernel()) == 0 && pv_space_destroy(&s) == 0);
}

static bool linear_writable(pfn_t f)
{
    pv_pte_t e = pv_space_lookup(pv_space_kernel(), pv_arg(pv_host_page_va(f)));

    return pv_pte_rights(e) & PV_WRITE;
}

/* Tables of a tree become protected, and memory again: one call each time, with one flush. */
static void protected_lazily(void)
{
    static struct pv_batch b;
    enum { N = 20 };
    pfn_t f[N];
    unsigned before, flushes;

    for (unsigned i = 0; i < N; i++)
        f[i] = pv_host_page_alloc();
    for (unsigned protect = 2; protect-- > 0;) {
        before = pair.calls;
        flushes = hosted.flushes;
        pv_lazy_begin(&b);
        for (unsigned i = 0; i < N; i++)
            WANT((protect ? pv_pt_protect(f[i]) : pv_pt_unprotect(f[i])) == 0);
        WANT(pair.calls == before && pv_lazy_end() == 0);
        WANT(pair.calls == before + 1 && hosted.flushes == flushes + 1);
        for (unsigned i = 0; i < N; i++)
            WANT(linear_writable(f[i]) == !protect && pv_pt_is_protected(f[i]) == protect);
    }
    for (unsigned i = 0; i < N; i++)
        pv_host_page_free(f[i]);
}

/* The slot of USER in a table of a tree that the test makes itself. */
static void *slot_in(pfn_t table, unsigned level)
{
    return (void *)(linear(table) + pv_pt_index(USER, level));
}

/* A kernel with tables of its own: drafts cost no calls, trees do, and what has ended is memory. */
static void trees_with(unsigned more)
{
    uint64_t all = pair.free_pages;
    pfn_t l[5], page = pv_host_page_alloc(), other = pv_host_page_alloc();
    pfn_t late = pv_host_page_alloc(), extra[PV_TREE_SMALL];
    struct pv_tree t, second;
    unsigned before;

    for (unsigned i = 1; i <= 4; i++) {
        l[i] = pv_host_page_alloc();
        memset(pv_host_page_va(l[i]), 0, PV_PAGE_SIZE);
    }
    for (unsigned i = 0; i < 512; i++)
        if (i < 256 || i > 271)
            linear(l[4])[i] = linear(pv_space_kernel()->kernel)[i];
    before = pair.calls;
    WANT(pv_tree_begin(&t, l[4]) == 0);
    for (unsigned i = 4; i > 1; i--)
        WANT(pv_tree_link(&t, slot_in(l[i], i), l[i - 1]) == 0);
    WANT(pv_pt_set_slot(slot_in(l[1], 1), pv_pte(page, RW)) == 0);
    WANT(pair.calls == before && hosted_touch(pv_arg(pv_host_page_va(l[1])), true));

    *linear(page) = 5;
    WANT(pv_tree_load(&t) == 0 && *at(USER) == 5);
    WANT(g->v->root[0].n == pv_p2m(t.space.user).n && g->v->root[1].n == pv_p2m(l[4]).n);
    WANT(linear(t.space.user)[pv_pt_index(USER, 4)] == linear(l[4])[pv_pt_index(USER, 4)]);
    for (unsigned i = 1; i <= 4; i++)
        WANT(pv_pt_is_protected(l[i]) && !hosted_touch(pv_arg(pv_host_page_va(l[i])), true));
    before = pair.calls;
    *linear(other) = 6;
    WANT(pv_pt_set_slot(slot_in(l[1], 1), pv_pte(other, RW)) == 0 && pair.calls == before + 1);
    WANT(pv_tlb_flush() == 0 && *at(USER) == 6);
    REFUSED(pv_pt_set_slot(slot_in(l[1], 1), pv_pte(l[2], RW)), XEN_EBUSY, RULE_PT_WRITABLE_TABLE);

    /* A table that comes later is seen in user mode, too. */
    memset(pv_host_page_va(late), 0, PV_PAGE_SIZE);
    WANT(pv_tree_link(&t, (void *)(linear(l[4]) + 100), late) == 0 && pv_pt_is_protected(late));
    WANT(linear(t.space.user)[100] && linear(t.space.user)[100] == linear(l[4])[100]);
    for (unsigned i = 0; i < more; i++) {
        memset(pv_host_page_va(extra[i] = pv_host_page_alloc()), 0, PV_PAGE_SIZE);
        WANT(pv_tree_link(&t, (void *)(linear(l[4]) + 101 + i), extra[i]) == 0);
    }
    WANT(pv_tree_seal_all() == 0 && pv_tree_load(&t) == 0);
    WANT(pv_space_switch(pv_space_kernel()) == 0);
    pv_tree_end(&t);
    for (unsigned i = 1; i <= 4; i++)
        WANT(!pv_pt_is_protected(l[i]) && hosted_touch(pv_arg(pv_host_page_va(l[i])), true));
    for (unsigned i = 0; i < more; i++) {
        WANT(!pv_pt_is_protected(extra[i]));
        pv_host_page_free(extra[i]);
    }
    before = pair.calls;
    WANT(pv_pt_set_slot(slot_in(l[1], 1), pv_pte_none()) == 0 && pair.calls == before);

    /* Two drafts; the first ends before it was loaded, the other is sealed as for a suspend. */
    WANT(pv_tree_begin(&t, l[4]) == 0 && pv_tree_begin(&second, l[3]) == 0);
    memset(pv_host_page_va(l[3]), 0, PV_PAGE_SIZE);
    memset(pv_host_page_va(l[4]), 0, PV_PAGE_SIZE);
    pv_tree_end(&t);
    WANT(pv_tree_seal_all() == 0 && pv_pt_is_protected(l[3]) && !pv_pt_is_protected(l[4]));
    pv_tree_end(&second);
    WANT(!pv_pt_is_protected(late) && pair.free_pages == all - 7);
    pair.free_pages = 0;
    WANT(pv_tree_begin(&t, l[4]) == -XEN_ENOMEM);
    pair.free_pages = all - 7;
}

static void small_trees(void)
{
    trees_with(0);
}

static void large_trees(void)
{
    trees_with(PV_TREE_SMALL);
}

static void pages_and_flushes(void)
{
    pfn_t a = pv_host_page_alloc(), b = pv_host_page_alloc();
    uint64_t mask = 3;

    linear(a)[100] = 9;
    WANT(pv_page_copy(b, a) == 0 && linear(b)[100] == 9);
    WANT(pv_page_clear(a) == 0 && linear(a)[100] == 0);
    WANT(pv_page_clear(pv_space_kernel()->kernel) < 0);
    WANT(pv_tlb_flush_all() == 0 && pv_tlb_flush_page_all(USER) == 0);
    WANT(pv_tlb_flush_some(&mask) == 0 && pv_tlb_flush_page_some(USER, &mask) == 0);
    WANT(pv_pt_protect(a) == 0 && !hosted_touch(pv_arg(pv_host_page_va(a)), true));
    WANT(pv_pt_unprotect(a) == 0);
    WANT(pv_hypercall_update_va_mapping_otherdomain(hosted_va(a.n), 0, 0, 77) < 0);
}

static unsigned heard[8];

static void hear(uint32_t port, void *arg, struct pv_regs *regs)
{
    (void)port, (void)regs;
    ++*(unsigned *)arg;
}

static void events(void)
{
    struct xen_evtchn_status status;
    uint32_t ipi, here, there, virq, again;
    xen_domid_t self;

    memset(pv_start_shared()->evtchn_mask, 0xff, 512);
    pv_events_enable();
    WANT(pv_event_bind_ipi(0, &ipi) == 0);
    pv_event_handle(ipi, hear, &heard[0]);
    WANT(pv_event_send(ipi) == 0 && heard[0] == 0 && pv_event_is_pending(ipi));
    pv_event_unmask(ipi);
    WANT(heard[0] == 1 && pv_event_send(ipi) == 0 && heard[0] == 2);
    pv_events_disable();
    WANT(pv_event_send(ipi) == 0 && heard[0] == 2);
    pv_events_enable();
    WANT(heard[0] == 3);

    WANT(pv_event_alloc_unbound(XEN_DOMID_SELF, &here) == 0);
    WANT(pv_event_status(here, &status) == 0 && status.status == XEN_EVTCHNSTAT_unbound);
    WANT(pv_event_bind_interdomain(XEN_DOMID_SELF, here, &there) == 0);
    pv_event_handle(here, hear, &heard[1]);
    pv_event_unmask(here);
    heard[1] = 0;
    WANT(pv_event_send(there) == 0 && heard[1] == 1);
    WANT(pv_event_bind_interdomain(XEN_DOMID_SELF, here, &again) == -XEN_EINVAL);

    WANT(pv_event_bind_virq(XEN_VIRQ_TIMER, 0, &virq) == 0);
    WANT(pv_event_bind_virq(XEN_VIRQ_TIMER, 0, &again) == -XEN_EEXIST);
    WANT(pv_event_bind_vcpu(here, 1) == 0 && pv_event_bind_vcpu(here, 0) == 0);
    WANT(pv_event_own_domid(&self) == 0 && self == 1);
    WANT(pv_event_close(there) == 0 && pv_event_close(here) == 0);
    REFUSED(pv_event_send(here), XEN_EINVAL, RULE_PORT_CLOSED);
}

struct number {
    uint32_t id, value;
};
PV_RING(square, struct number, struct number)

static void grants_and_a_ring(void)
{
    pfn_t page = pv_host_page_alloc(), other = pv_host_page_alloc();
    struct pv_grant_map map;
    struct square_front front;
    struct square_back back;
    struct number n;
    uint32_t ref, right = 0;
    struct pv_grant_end_of_copy from = {.is_ref = true, .dom = 1}, to = {.frame = other};

    WANT(pv_grant_init(1) == 0);
    WANT(pv_grant_publish(1, page, false, &ref) == 0 && ref == XEN_GNTTAB_NR_RESERVED_ENTRIES);
    map.va = pv_host_window_alloc(1);
    WANT(pv_grant_map(1, ref + 1, false, &map) < 0);
    WANT(pv_grant_map(1, ref, false, &map) == 0 && pv_grant_in_use(ref));

    square_ring_init(pv_host_page_va(page));
    square_front_init(&front, pv_host_page_va(page), PV_PAGE_SIZE);
    square_back_init(&back, map.va, PV_PAGE_SIZE);
    for (uint32_t i = 0; i < 5000; i++) {
        n = (struct number){i, i};
        WANT(square_front_put(&front, &n) == 0);
        square_front_publish(&front);
        WANT(square_back_get(&back, &n) == 1);
        n.value *= n.value;
        WANT(square_back_put(&back, &n) == 0);
        square_back_publish(&back);
        right += square_front_get(&front, &n) == 1 && n.value == i * i;
    }
    WANT(right == 5000);
    WANT(pv_grant_end(ref) == -XEN_EBUSY);
    WANT(pv_grant_unmap(&map) == 0 && !pv_grant_in_use(ref));

    linear(page)[0] = 321;
    from.ref = ref;
    WANT(pv_grant_copy(&to, &from, 8) == 0 && linear(other)[0] == 321);
    WANT(pv_grant_end(ref) == 0);
    WANT(pv_grant_copy(&to, &from, 8) < 0);
}

static unsigned ended, leaks;

static void one_ended(struct pv_grant_later *l)
{
    ended += l->ref;
}

static void leak_seen(const struct pv_grant_leak *leak, void *arg)
{
    leaks += leak->ref == *(uint32_t *)arg && leak->dom == 1 && leak->in_use &&
             strstr(leak->site, "pair/libpv.c:");
}

static void grants_that_end_late(void)
{
    struct pv_grant_map map = {.va = pv_host_window_alloc(1)};
    struct pv_grant_later later = {.done = one_ended};
    unsigned before = pv_grant_report(NULL, NULL);

    WANT(pv_grant_init(1) == 0);
    WANT(pv_grant_publish(1, pv_host_page_alloc(), false, &later.ref) == 0);
    WANT(pv_grant_map(1, later.ref, false, &map) == 0);
    WANT(pv_grant_end_later(&later) == -XEN_EBUSY && pv_grant_reap() == 1 && ended == 0);
    WANT(pv_grant_report(leak_seen, &later.ref) == before + 1 && leaks == 1);
    WANT(pv_grant_unmap(&map) == 0);
    WANT(pv_grant_reap() == 0 && ended == later.ref && pv_grant_reap() == 0);
    WANT(pv_grant_report(NULL, NULL) == before);
    WANT(pv_grant_end_later(&later) == -XEN_ENOENT && ended == later.ref);
    WANT(pv_grant_publish(1, pv_host_page_alloc(), true, &later.ref) == 0);
    WANT(pv_grant_end_later(&later) == 0 && ended == 2 * later.ref); /* at once */
}

/* To itself: a guest may. */
static void frames_change_hands(void)
{
    pfn_t from = pv_host_page_alloc(), to = pv_host_page_alloc(), stuck = pv_host_page_alloc();
    uint32_t ref, again;

    WANT(pv_grant_init(1) == 0);
    WANT(pv_grant_accept(1, to, &ref) == -XEN_EEXIST);
    WANT(pv_memory_release(&to, 1) == 1 && pv_grant_accept(1, to, &ref) == 0);
    WANT(pv_grant_accepted(ref, to) == -XEN_EAGAIN && pv_grant_accept_cancel(ref) == 0);
    WANT(pv_grant_accept(1, to, &ref) == 0);
    linear(from)[0] = 0x1234;
    WANT(pv_pt_protect(stuck) == 0 && pv_pt_pin(stuck, 1) == 0);
    REFUSED(pv_grant_give(1, ref, stuck), XEN_EFAULT, RULE_GRANT_IN_USE);
    WANT(pv_grant_give(1, ref, from) == 0 && !pv_memory_is_present(from));
    WANT(pv_grant_accept_cancel(ref) == -XEN_EBUSY);
    WANT(pv_grant_accepted(ref, to) == 0 && linear(to)[0] == 0x1234 && pv_memory_is_present(to));
    WANT(pv_grant_accepted(ref, to) == -XEN_ENOENT);
    WANT(pv_memory_reclaim(&from, 1) == 1);
    REFUSED(pv_grant_give(1, ref, from), XEN_EINVAL, RULE_GRANT_NO_TRANSFER); /* it is lost */
    WANT(!pv_memory_is_present(from) && pv_memory_reclaim(&from, 1) == 1);
    WANT(pv_grant_publish(1, from, false, &again) == 0 && pv_grant_end(again) == 0);
}

static void the_processor(void)
{
    pfn_t gdt = pv_host_page_alloc(), ldt = pv_host_page_alloc();
    static uint8_t ports[8192];
    uint64_t flat = 0x00cff3000000ffff;

    WANT(pv_trap_init() == 0);
    for (unsigned v = 0; v < 20; v++)
        WANT(v == 2 || v == 9 || v == 15 || g->v->traps[v].address == pv_trap_entry(v));
    WANT(g->v->traps[0x80].address == pv_trap_entry(PV_TRAP_INT80));
    WANT((g->v->traps[0x80].flags & 3) == 3 && (g->v->traps[14].flags & 3) == 0);
    WANT(pv_cpu_set_kernel_stack((void *)hosted_va(9)) == 0 && g->v->kernel_sp == hosted_va(9));
    WANT(pv_cpu_set_fs_base(USER) == 0 && g->v->segbase[SEGBASE_FS] == USER);
    WANT(pv_cpu_set_gs_kernel_base(USER + 1) == 0 && pv_cpu_set_gs_user_base(USER + 2) == 0);
    WANT(pv_cpu_set_fs_base(1ul << 47) < 0);
    memset(pv_host_page_va(gdt), 0, PV_PAGE_SIZE);
    WANT(pv_cpu_load_gdt(&gdt, 512) == 0 && pv_cpu_set_descriptor(gdt, 3, flat) == 0);
    WANT(linear(gdt)[3] == flat);
    WANT(pv_pt_unprotect(gdt) < 0); /* in use */
    WANT(pv_cpu_load_gdt(NULL, 0) == 0 && pv_pt_unprotect(gdt) == 0);
    WANT(pv_pt_protect(ldt) == 0 && pv_cpu_load_ldt(pv_host_page_va(ldt), 512) == 0);
    WANT(pv_cpu_load_ldt(NULL, 0) == 0);
    WANT(pv_cpu_set_debug(1, USER) == 0 && pv_cpu_get_debug(1) == USER);
    WANT(pv_cpu_set_debug(1, XEN_HYPERVISOR_VIRT_START) == -XEN_EPERM);
    WANT(pv_cpu_set_iopl(3) == 0 && g->v->iopl == 3 << 12 && pv_cpu_set_iopl(4) == -XEN_EINVAL);
    WANT(pv_cpu_set_io_bitmap(ports, 65536) == 0 && pv_cpu_set_io_bitmap(ports, 65537) < 0);
    WANT(pv_hypercall_fpu_taskswitch(true) == 0 && g->v->ts);
}

static void clocks(void)
{
    struct xen_vcpu_runstate_info run;

    hosted.now += 5000000;
    WANT(pv_time_set_deadline(pv_time_now() + 1000000) == 0);
    WANT(pv_time_set_deadline(0) == 0);
    WANT(pv_time_set_period(1000) == -XEN_EINVAL && pv_time_set_period(10000000) == 0);
    WANT(pv_time_set_period(0) == 0);
    WANT(pv_time_runstate(0, &run) == 0);
    WANT(pv_time_runstate(9, &run) == -XEN_ENOENT);
}

static void entered(void *arg)
{
    (void)arg;
}

static void a_second_vcpu(void)
{
    struct vcpu *v = g->d->vcpu[1];

    WANT(pv_vcpu_count() == 2 && pv_vcpu_is_up(1) == 0);
    WANT(pv_vcpu_start(1, (void *)hosted_va(12), pv_space_kernel(), entered, &v) == 0);
    WANT(v->regs.rip == (uintptr_t)entered && v->regs.rdi == (uintptr_t)&v);
    WANT(v->regs.rsp == hosted_va(12) - 8 && v->kernel_mode && v->info->evtchn_upcall_mask);
    WANT(v->root[1].n == pv_p2m(pv_space_kernel()->kernel).n);
    WANT(v->traps[14].address == pv_trap_entry(PV_TRAP_PAGE));
    WANT(pv_vcpu_is_up(1) == 1);
    WANT(pv_vcpu_start(1, (void *)hosted_va(12), pv_space_kernel(), entered, &v) == -XEN_EEXIST);
    WANT(pv_vcpu_start(2, (void *)hosted_va(12), pv_space_kernel(), entered, &v) == -XEN_ENOENT);
}

static void a_balloon(void)
{
    pfn_t list[64];
    uint64_t current = pv_memory_current();

    for (unsigned i = 0; i < 64; i++)
        list[i] = pv_host_page_alloc();
    WANT(pv_memory_release(list, 64) == 64 && pv_memory_current() == current - 64);
    WANT(!hosted_touch(hosted_va(list[0].n), false));
    WANT(pv_memory_reclaim(list, 64) == 64 && pv_memory_current() == current);
    for (unsigned i = 0; i < 64; i++) {
        *linear(list[i]) = i;
        WANT(pfn_eq(pv_m2p(pv_p2m(list[i])), list[i]));
    }
    WANT(pv_memory_maximum() >= current);
}

static void scheduling(void)
{
    uint32_t port;

    WANT(pv_event_bind_ipi(0, &port) == 0 && pv_event_send(port) == 0);
    WANT(pv_sched_poll(&port, 1, 0) == 0 && pv_event_take(port));
    port = 4000;
    WANT(pv_sched_poll(&port, 1, 0) == -XEN_EINVAL || pv_sched_poll(&port, 129, 0) == -XEN_EINVAL);
    pv_sched_yield();
    WANT(pv_hypercall_vm_assist(XEN_VMASST_CMD_enable, XEN_VMASST_TYPE_runstate_update_flag) == 0);
    WANT(pv_hypercall_xen_version(XENVER_version, NULL) == (4 << 16 | 17));
    WANT(pv_hypercall_console_io(XEN_CONSOLEIO_write, 3, "abc") == 0);
}

/* What libpv itself has no use for: older forms, and the hypercall that ends a trap. */
static void the_rest(void)
{
    struct xen_evtchn_op event = {.cmd = XEN_EVTCHNOP_bind_ipi};
    struct xen_physdev_op iopl = {.cmd = XEN_PHYSDEVOP_set_iopl, .u.set_iopl.iopl = 1};
    struct xen_iret_context *frame = (void *)hosted_va(20);

    WANT(pv_hypercall_set_callbacks(USER, USER + 16, USER + 32) == 0);
    WANT(pv_trap(XEN_HYPERVISOR_sched_op_compat, XEN_SCHEDOP_yield, 0, 0, 0, 0) == 0);
    WANT(pv_trap(XEN_HYPERVISOR_event_channel_op_compat, pv_arg(&event), 0, 0, 0, 0) == 0);
    WANT(event.u.bind_ipi.port > 0);
    WANT(pv_trap(XEN_HYPERVISOR_physdev_op_compat, pv_arg(&iopl), 0, 0, 0, 0) == 0);
    WANT(g->v->iopl == 1 << 12);
    WANT(pv_trap(XEN_HYPERVISOR_nmi_op, 1 /* unregister */, 0, 0, 0, 0) == 0);
    *frame = (struct xen_iret_context){.rax = 5,
                                       .rip = USER,
                                       .cs = XEN_FLAT_KERNEL_CS & ~3,
                                       .rflags = PV_RFLAGS_IF,
                                       .rsp = hosted_va(21),
                                       .ss = XEN_FLAT_KERNEL_SS};
    g->v->regs.rsp = hosted_va(20);
    WANT(pv_trap(XEN_HYPERVISOR_iret, 0, 0, 0, 0, 0) == 5);
    WANT(g->v->regs.rip == USER && g->v->regs.rsp == hosted_va(21));
    WANT(!g->v->info->evtchn_upcall_mask);
    WANT(pv_trap(50, 0, 0, 0, 0, 0) == -XEN_ENOSYS);
}

static void an_end(void)
{
    struct xen_sched_shutdown how = {.reason = XEN_SHUTDOWN_poweroff};

    pv_hypercall_sched_op(XEN_SCHEDOP_shutdown, &how);
    WANT(g->v->state != VCPU_RUNNING);
}

/* The verdict --------------------------------------------------------------------------------- */

static const struct pair_essay essays[] = {
    {"start of day: p2m, m2p, shared_info, console", start_of_day},
    {"address spaces: create, switch, update, destroy", create_switch_update},
    {"what is refused has a reason and changes nothing", refusals},
    {"no memory for a table leaves nothing behind", out_of_pages},
    {"a lazy batch is one hypercall, and its failure has a place", lazily},
    {"tables are protected in one call with one flush, and unprotected", protected_lazily},
    {"a tree of the kernel's own is a draft, then checked, then memory again", small_trees},
    {"so is one of more tables than are remembered", large_trees},
    {"clearing, copying, protecting, flushing", pages_and_flushes},
    {"event channels", events},
    {"grants, and a ring in a granted page", grants_and_a_ring},
    {"grants that end when the other end lets go", grants_that_end_late},
    {"frames that change hands", frames_change_hands},
    {"traps, stacks, segments, descriptors, debug registers, ports", the_processor},
    {"clocks and timers", clocks},
    {"a second vCPU", a_second_vcpu},
    {"the balloon", a_balloon},
    {"scheduling and the small calls", scheduling},
    {"old forms, iret, numbers that do not exist", the_rest},
    {"shutdown", an_end},
};

static const struct {
    unsigned nr;
    const char *name;
} rows[] = {
#define HYPERCALL0(nr, name)      {nr, #name},
#define HYPERCALL1(nr, name, ...) {nr, #name},
#define HYPERCALL2(nr, name, ...) {nr, #name},
#define HYPERCALL3(nr, name, ...) {nr, #name},
#define HYPERCALL4(nr, name, ...) {nr, #name},
#define HYPERCALL5(nr, name, ...) {nr, #name},
#include "core/hypercalls.def"
};

int main(void)
{
    unsigned n = PV_ARRAY_SIZE(essays), failed = pair_run(essays, n), never = 0;

    for (unsigned i = 0; i < PV_ARRAY_SIZE(rows); i++)
        if (!pair.made[rows[i].nr]) {
            printf("# %s was never called\n", rows[i].name);
            never++;
        }
    printf("%sok %u - every hypercall of the table was made\n", never ? "not " : "", n + 1);
    printf("1..%u\n", n + 1);
    return failed || never;
}
