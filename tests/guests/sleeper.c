/* SPDX-License-Identifier: MIT */
/*
 * sleeper: is saved and restored (tests/xen/suspend.sh).
 *
 * Before it sleeps it has all that a suspend must carry over or open again: a pinned draft that
 * became an address space, a grant, a periodic timer, a handler for the timer's VIRQ, a watch. It
 * asks its host for the suspend by what it prints, and looks at all of it when it wakes up. With
 * "unasked" it sleeps at once: the shim, which keeps nobody, ends it with the reason that it gave.
 */
#include <pv/pv.h>

PV_NEEDS("xenstore");

#define VA     0x400000UL
#define SECRET 0x5afe5afe5afe5afe

static volatile unsigned ticks, news;

static void on_timer(uint32_t port, void *arg, struct pv_regs *regs)
{
    (void)port, (void)arg, (void)regs;
    ticks++;
    pv_time_set_deadline(pv_time_now() + 10000000);
}

static void changed(struct pv_xenstore_watch *w)
{
    (void)w;
    news++;
}

static struct pv_xenstore_watch watch = {.path = "control/shutdown", .changed = changed};

static void check(const char *what, bool right)
{
    pv_printf("%s: %s\n", what, right ? "yes" : "NO");
}

static void wait_ticks(unsigned n)
{
    unsigned from = ticks;

    while (ticks - from < n) {
        pv_sched_block();
        pv_xenstore_poll();
    }
}

static void start_timer(void)
{
    pv_time_set_deadline(pv_time_now() + 10000000);
}

int pv_host_main(const char *cmdline __attribute__((unused)))
{
    size_t len;
    struct pv_space space;
    pfn_t frame = pv_host_page_alloc();
    xen_grant_ref_t ref;
    uint32_t port;
    int rc;

    if (pv_trap_init() || pv_grant_init(1) || pv_event_bind_virq(XEN_VIRQ_TIMER, 0, &port) ||
        pv_event_handle(port, on_timer, NULL) || pv_space_create(&space) ||
        pv_space_map(&space, VA, frame, PV_PRESENT | PV_WRITE | PV_USER) ||
        pv_space_switch(&space) || pv_xenstore_watch(&watch))
        return 1;
    *(volatile uint64_t *)VA = SECRET;
    pv_event_unmask(port);
    pv_events_enable();
    start_timer();
    wait_ticks(3);
    check("nothing is asked of us", pv_control_request() == -XEN_ENOENT);
    if (pv_start_option("unasked", &len)) {
        pv_suspend();
        pv_printf("awake\n");
        return 0;
    }
    pv_printf("save me\n");
    while ((rc = pv_control_request()) == -XEN_ENOENT)
        wait_ticks(1);
    check("we are asked to sleep", rc == XEN_SHUTDOWN_suspend);

    rc = pv_suspend();
    pv_printf("awake: %d\n", rc);
    if (rc < 0)
        return 1;
    check("memory is as it was",
          *(volatile uint64_t *)VA == SECRET && *(uint64_t *)pv_host_page_va(frame) == SECRET);
    check("events are on", pv_events_enabled());
    news = 0;
    start_timer();
    wait_ticks(3);
    check("the timer ticks", true);
    check("the watch has fired", news != 0);
    check("the store answers", pv_xenstore_printf(0, "data", "after", "%u", 1) == 0);
    check("a page can be granted",
          pv_grant_publish(0, frame, true, &ref) == 0 && pv_grant_end(ref) == 0);
    check("tables can be made", pv_space_switch(pv_space_kernel()) == 0 &&
                                    pv_space_destroy(&space) == 0 && pv_space_create(&space) == 0);
    pv_printf("done\n");
    return 0;
}
