/* SPDX-License-Identifier: MIT */
/*
 * 05-ring - one end of a ring asks for squares, the other computes them. role=front peer=DOMID
 * makes this guest the one, role=back peer=DOMID the other; without a role it is both. They meet by
 * the ABI alone: the page is the front's first grant, and of all the front's ports a back can bind
 * only the one that waits for it.
 */
#include <pv/pv.h>
#define REQUESTS 1000 /* and one more, 0, the last */
struct number {
    uint32_t id, value;
};
PV_RING(square, struct number, struct number)
static struct square_front front;
static struct square_back back;
static struct pv_grant_map map;
static uint32_t front_port, back_port, ref, served, done;

static void front_open(xen_domid_t peer)
{
    pfn_t page = pv_host_page_alloc();

    square_ring_init(pv_host_page_va(page));
    square_front_init(&front, pv_host_page_va(page), PV_PAGE_SIZE);
    pv_grant_init(1);
    if (pv_grant_publish(peer, page, false, &ref) || pv_event_alloc_unbound(peer, &front_port))
        pv_host_panic("the front can't open");
}

static void back_open(xen_domid_t peer)
{
    for (uint32_t p = 1; pv_event_bind_interdomain(peer, p, &back_port); p = p % 64 + 1)
        pv_time_sleep(100000);
    map.va = pv_host_window_alloc(1);
    if (pv_grant_map(peer, XEN_GNTTAB_NR_RESERVED_ENTRIES, false, &map))
        pv_host_panic("the back can't map the front's page");
    square_back_init(&back, map.va, PV_PAGE_SIZE);
}

/* Answers all there is, until the front will announce more by an event. */
static void serve(void)
{
    struct number n;

    for (pv_event_take(back_port); !done && !square_back_sleep(&back);) {
        for (; !done && square_back_get(&back, &n) > 0; served++) {
            done = !n.value;
            n.value *= n.value;
            square_back_put(&back, &n);
        }
        done |= back.end.broken;
        if (square_back_publish(&back))
            pv_event_send(back_port);
    }
}

static void ask(void)
{
    struct number n;
    uint32_t asked = 0, answered = 0, right = 0;

    while (answered <= REQUESTS && !front.end.broken) {
        for (; square_front_get(&front, &n) > 0; answered++)
            right += n.id <= REQUESTS && n.value == (REQUESTS - n.id) * (REQUESTS - n.id);
        for (; asked <= REQUESTS && square_front_room(&front); asked++)
            square_front_put(&front, &(struct number){asked, REQUESTS - asked});
        if (square_front_publish(&front))
            pv_event_send(front_port);
        if (pv_event_is_pending(back_port)) /* both ends are here */
            serve();
        else if (!back.ring && answered <= REQUESTS && square_front_sleep(&front))
            pv_sched_poll(&front_port, 1, 0);
        pv_event_take(front_port);
    }
    pv_printf("front: %u answers, %u of them right\n", answered, right);
}

int pv_host_main(const char *cmdline __attribute__((unused)))
{
    const char *role = pv_start_option("role", &(size_t){0});
    bool asks = !role || *role == 'f', serves = !role || *role == 'b';
    xen_domid_t peer = (xen_domid_t)pv_start_number("peer", XEN_DOMID_INVALID);

    if (!role && pv_event_own_domid(&peer))
        return 1;
    if (asks)
        front_open(peer);
    if (serves)
        back_open(peer);
    if (asks)
        ask();
    for (; serves && !done; serve())
        pv_sched_poll(&back_port, 1, 0);
    if (serves && pv_grant_unmap(&map) == 0)
        pv_printf("back: %u requests served, the page is let go\n", served);
    while (asks && pv_grant_end(ref) == -XEN_EBUSY)
        pv_time_sleep(100000);
    return 0;
}
