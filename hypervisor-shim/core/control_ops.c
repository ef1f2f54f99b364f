/* SPDX-License-Identifier: MIT
 *
 * control_ops.c - what the host may ask for: clients with their buffers, and one table.
 *
 * What lies in a buffer is copied before it is checked, images excepted: the builder reads them
 * where they are, as it does with those of boot modules.
 *
 * A client's buffers, events and store connection end with it, whatever it was doing.
 */
#include "control_ops.h"
#include "domain.h"
#include "guest_text.h"
#include "hostview_publish.h"
#include "mm.h"
#include "platform.h"
#include "sched.h"
#include "text.h"
#include "timer.h"
#include "trace.h"
#include "../backend/console.h"
#include "../backend/diskspec.h"
#include "../backend/xenstore.h"
#include <pv/abi/errno.h>
#include <pv/abi/xenstore.h>

enum { TEXT_MAX = 2048, EVENT_MASK = (1 << CONTROL_EVENTS_END) - 2 };
static const uint64_t BUFFER_MAX = 1ull << (FRAME_MAX_ORDER + PV_PAGE_SHIFT);

struct client {
    uint32_t events;
    struct connection *store;
    struct {
        uint64_t address, pages; /* 0: free */
    } buffer[CONTROL_BUFFERS];
};
static struct client clients[CONTROL_CLIENTS];

#define no(RULE_NAME, ...) refuse_domain(control_reasons(), (RULE_NAME), __VA_ARGS__)

/* -- clients -------------------------------------------------------------------------------- */

void control_clients_forget(void)
{
    __builtin_memset(clients, 0, sizeof(clients));
}

static void buffer_free(struct client *c, unsigned i)
{
    for (uint64_t n = 0; n < c->buffer[i].pages; n++)
        frame_hv_free(plat_ram + c->buffer[i].address + (n << PV_PAGE_SHIFT), 0);
    c->buffer[i].address = c->buffer[i].pages = 0;
}

static void set_events(struct client *c, uint32_t events)
{
    c->events = events;
    control_wanted = 0;
    for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
        control_wanted |= clients[i].events;
}

static void client_forget(struct client *c)
{
    for (unsigned i = 0; i < CONTROL_BUFFERS; i++)
        buffer_free(c, i);
    if (c->store)
        xenstore_host_close(c->store);
    c->store = NULL;
    set_events(c, 0);
}

/* n bytes at an address of the machine, all in one of c's buffers; NULL: they are not. */
static void *in_buffers(const struct client *c, uint64_t address, uint64_t n)
{
    for (unsigned i = 0; i < CONTROL_BUFFERS; i++) {
        uint64_t offset = address - c->buffer[i].address;
        uint64_t size = c->buffer[i].pages << PV_PAGE_SHIFT;

        if (n && offset < size && n <= size - offset)
            return plat_ram + address;
    }
    return NULL;
}

static long do_hello(struct client *c, const struct control_request *r)
{
    (void)r;
    client_forget(c);
    return CONTROL_VERSION;
}

static long do_bye(struct client *c, const struct control_request *r)
{
    (void)r;
    client_forget(c);
    return 0;
}

static long do_buffer(struct client *c, const struct control_request *r)
{
    uint64_t pages = (r->arg[0] + PV_PAGE_MASK) >> PV_PAGE_SHIFT;
    unsigned i = 0, order = 0;
    uint8_t *at;

    if (r->arg[0] == 0 || r->arg[0] > BUFFER_MAX)
        return no(RULE_CONTROL_BUFFER_SIZE, .value = r->arg[0], .limit = BUFFER_MAX);
    while (i < CONTROL_BUFFERS && c->buffer[i].pages)
        i++;
    if (i == CONTROL_BUFFERS)
        return no(RULE_CONTROL_BUFFERS, .limit = CONTROL_BUFFERS);
    while (1ull << order < pages)
        order++;
    at = frame_hv_take(order);
    if (!at)
        return no(RULE_CONTROL_MEMORY, .value = pages, .limit = frame_free_count());
    for (uint64_t n = pages; n < 1ull << order; n++) /* what was taken to make it a power of two */
        frame_hv_free(at + (n << PV_PAGE_SHIFT), 0);
    c->buffer[i].address = (uint64_t)(at - plat_ram);
    c->buffer[i].pages = pages;
    return (long)c->buffer[i].address;
}

static long do_buffer_free(struct client *c, const struct control_request *r)
{
    for (unsigned i = 0; i < CONTROL_BUFFERS; i++)
        if (c->buffer[i].pages && c->buffer[i].address == r->buffer) {
            buffer_free(c, i);
            return 0;
        }
    return no(RULE_CONTROL_BUFFER, .va = r->buffer, .limit = r->length);
}

static long do_events(struct client *c, const struct control_request *r)
{
    if (r->arg[0] & ~(uint64_t)EVENT_MASK)
        return no(RULE_CONTROL_FLAGS, .value = r->arg[0], .limit = EVENT_MASK);
    set_events(c, (uint32_t)r->arg[0]);
    for (uint16_t i = 1; i < MAX_DOMAINS; i++) /* who has just come wants to know how it stands */
        if (hv.domain[i]) {
            control_event(CONTROL_EVENT_DOMAIN, i);
            control_event(CONTROL_EVENT_CONSOLE, i);
        }
    return 0;
}

/* -- guests ------------------------------------------------------------------------------------ */

static const struct domain *domain_by_name(const char *name)
{
    for (unsigned i = 1; i < MAX_DOMAINS; i++)
        if (hv.domain[i] && hv.domain[i]->state != DOMAIN_DYING &&
            text_equal(hv.domain[i]->name, name))
            return hv.domain[i];
    return NULL;
}

/* The text and the images that r names, as the builder wants them. 0, or an errno. */
static long read_guest(const struct client *c, const struct control_request *r, char *text,
                       struct boot_guest *g)
{
    char why[128];

    if (r->arg[4] & ~(uint64_t)CONTROL_CREATE_PAUSED)
        return no(RULE_CONTROL_FLAGS, .value = r->arg[4], .limit = CONTROL_CREATE_PAUSED);
    g->kernel_size = r->arg[1];
    g->kernel = in_buffers(c, r->arg[0], r->arg[1]);
    if (!g->kernel)
        return no(RULE_CONTROL_BUFFER, .va = r->arg[0], .limit = r->arg[1]);
    g->ramdisk_size = r->arg[3];
    g->ramdisk = in_buffers(c, r->arg[2], r->arg[3]);
    if (r->arg[3] && !g->ramdisk)
        return no(RULE_CONTROL_BUFFER, .va = r->arg[2], .limit = r->arg[3]);
    if (r->length > TEXT_MAX)
        return no(RULE_CONTROL_TEXT, .value = r->length);
    __builtin_memcpy(text, in_buffers(c, r->buffer, r->length), r->length);
    if (text[r->length - 1])
        return no(RULE_CONTROL_TEXT, .value = r->length);
    if (!guest_text_parse(g, text, why, sizeof(why))) {
        hv_log("guest: %s\n", why);
        return no(RULE_CONTROL_TEXT, .value = r->length);
    }
    return 0;
}

/* The guest that is being built, a millisecond at a time; so long do the others run in between. */
static const uint64_t BUILD_SLICE = 1000 * 1000, BUILD_REST = 1000 * 1000; /* ns */
static struct {
    char text[TEXT_MAX];
    struct boot_guest g;
    struct domain *d; /* NULL: it failed, and when domain `id` is gone, `error` is the answer */
    uint16_t id;
    long error;
    struct timer rest;
} job;

static bool is_buried(uint32_t id)
{
    return !domain_by_id((uint16_t)id) || hv.domain[id]->buried;
}

static void rested(struct timer *t)
{
    (void)t;
    cpu_work_set(CPU_WORK_CONTROL);
}

/* What there is of it goes, and then the answer is rc. */
static long give_up(struct domain *d, long rc)
{
    job.d = NULL;
    job.id = d->id;
    job.error = rc;
    domain_destroy(d);
    return -XEN_ERESTART;
}

/* The image does not become a guest: its domain's reason is the answer. */
static long failed(struct domain *d)
{
    const struct reason_ring *ring = &d->reasons;
    struct reason why = ring->entry[(ring->count - 1) % REASON_RING];

    if (!why.err)
        why.err = -XEN_EINVAL;
    reason_keep(&control_reasons()->reasons, &why);
    return give_up(d, why.err);
}

static long created(const struct control_request *r)
{
    struct domain *d = job.d;
    char why[256];

    if (!d)
        return is_buried(job.id) ? job.error : -XEN_ERESTART;
    if (!hv_build_step(plat_now() + BUILD_SLICE)) {
        timer_set(&job.rest, plat_now() + BUILD_REST);
        return -XEN_ERESTART;
    }
    if (d->state != DOMAIN_PAUSED)
        return failed(d);
    if (!disks_give(d, job.text, false, why, sizeof(why))) {
        hv_log("d%u (%s): %s\n", d->id, d->name, why);
        return give_up(d, no(RULE_CONTROL_DISK, .value = d->id));
    }
    if (!(r->arg[4] & CONTROL_CREATE_PAUSED))
        domain_unpause(d);
    return d->id;
}

static long do_create(struct client *c, const struct control_request *r)
{
    const struct domain *same;
    uint16_t id;
    long rc;

    job.g = (struct boot_guest){.name = ""};
    rc = read_guest(c, r, job.text, &job.g);
    if (rc)
        return rc;
    same = job.g.name[0] ? domain_by_name(job.g.name) : NULL;
    if (same)
        return no(RULE_CONTROL_NAME, .value = same->id);
    id = domain_unused_id();
    if (!id)
        return no(RULE_CONTROL_FULL, .limit = MAX_DOMAINS - 1);
    if (!job.g.name[0])
        text_format(job.g.name, sizeof(job.g.name), "%u", id);
    job.d = hv_build_begin(id, &job.g);
    if (!job.d)
        return no(RULE_CONTROL_MEMORY, .value = 1, .limit = frame_free_count());
    if (job.rest.fire) /* the former one may have ended before its rest */
        timer_stop(&job.rest);
    timer_init(&job.rest, rested, NULL);
    return created(r);
}

static long do_destroy(struct client *c, const struct control_request *r)
{
    (void)c;
    domain_destroy(domain_by_id((uint16_t)r->number));
    return -XEN_ERESTART;
}

static long destroyed(const struct control_request *r)
{
    return is_buried(r->number) ? 0 : -XEN_ERESTART;
}

static long do_pause(struct client *c, const struct control_request *r)
{
    struct domain *d = domain_by_id((uint16_t)r->number);

    (void)c;
    if (d->state != DOMAIN_RUNNING)
        return no(RULE_CONTROL_NOT_RUNNING, .value = d->id);
    domain_pause(d);
    return 0;
}

static long do_unpause(struct client *c, const struct control_request *r)
{
    struct domain *d = domain_by_id((uint16_t)r->number);

    (void)c;
    if (d->state != DOMAIN_PAUSED)
        return no(RULE_CONTROL_NOT_PAUSED, .value = d->id);
    domain_unpause(d);
    return 0;
}

static long do_console_input(struct client *c, const struct control_request *r)
{
    struct domain *d = domain_by_id((uint16_t)r->number);

    return (long)console_type(d, in_buffers(c, r->buffer, r->length), r->length);
}

/* -- the store ----------------------------------------------------------------------------------
 */

static long do_store(struct client *c, const struct control_request *r)
{
    static struct {
        struct xen_xsd_sockmsg h;
        char payload[XENSTORE_PAYLOAD_MAX];
    } m; /* used under the one lock */
    void *buffer = in_buffers(c, r->buffer, r->length);
    size_t n = r->length < sizeof(m) ? r->length : sizeof(m);

    __builtin_memcpy(&m, buffer, n);
    if (n < sizeof(m.h) || m.h.len > n - sizeof(m.h))
        return no(RULE_CONTROL_STORE_REQUEST, .value = n < sizeof(m.h) ? n : m.h.len,
                  .limit = r->length);
    if (m.h.type == XEN_XS_WATCH || m.h.type == XEN_XS_UNWATCH || m.h.type == XEN_XS_RESET_WATCHES)
        return no(RULE_CONTROL_STORE_TYPE, .value = m.h.type);
    if (!c->store && !(c->store = xenstore_host_open()))
        return no(RULE_CONTROL_MEMORY, .value = 1, .limit = frame_free_count());
    n = xenstore_host_request(c->store, &m, sizeof(m.h) + m.h.len, n);
    if (!n)
        return no(RULE_CONTROL_STORE_ROOM, .limit = r->length);
    __builtin_memcpy(buffer, &m, n);
    return (long)n;
}

static long do_power_off(struct client *c, const struct control_request *r)
{
    (void)c, (void)r;
    hv_log("the host ends the machine\n");
    hostview_publish();
    plat_power_off(HOSTVIEW_EXIT_OK);
}

static long do_trace(struct client *c, const struct control_request *r)
{
    uint32_t before = hv.trace_mask;

    (void)c;
    if (r->arg[0] & ~(uint64_t)TRACE_ALL)
        return no(RULE_CONTROL_FLAGS, .value = r->arg[0], .limit = TRACE_ALL);
    hv.trace_mask = (uint32_t)r->arg[0];
    return before;
}

/* -- the table ------------------------------------------------------------------------------------
 */

enum { DOMAIN = 1, ALIVE = 2, BUFFER = 4 };

static const struct {
    long (*fn)(struct client *c, const struct control_request *r);
    unsigned needs;                                 /* what is checked before */
    long (*again)(const struct control_request *r); /* after fn's -XEN_ERESTART */
} ops[CONTROL_OPS] = {
    [CONTROL_HELLO] = {do_hello, 0, NULL},
    [CONTROL_BYE] = {do_bye, 0, NULL},
    [CONTROL_BUFFER] = {do_buffer, 0, NULL},
    [CONTROL_BUFFER_FREE] = {do_buffer_free, 0, NULL},
    [CONTROL_EVENTS] = {do_events, 0, NULL},
    [CONTROL_CREATE] = {do_create, BUFFER, created},
    [CONTROL_DESTROY] = {do_destroy, DOMAIN, destroyed},
    [CONTROL_PAUSE] = {do_pause, DOMAIN | ALIVE, NULL},
    [CONTROL_UNPAUSE] = {do_unpause, DOMAIN | ALIVE, NULL},
    [CONTROL_CONSOLE_INPUT] = {do_console_input, DOMAIN | ALIVE | BUFFER, NULL},
    [CONTROL_STORE] = {do_store, BUFFER, NULL},
    [CONTROL_POWER_OFF] = {do_power_off, 0, NULL},
    [CONTROL_TRACE] = {do_trace, 0, NULL},
};

static long check(const struct control_request *r)
{
    const struct domain *d;
    unsigned needs;

    if (r->version != CONTROL_VERSION)
        return no(RULE_CONTROL_VERSION, .value = r->version, .limit = CONTROL_VERSION);
    if (r->client >= CONTROL_CLIENTS)
        return no(RULE_CONTROL_CLIENT, .value = r->client, .limit = CONTROL_CLIENTS - 1);
    if (r->reserved)
        return no(RULE_CONTROL_RESERVED, .value = r->reserved);
    if (r->op == CONTROL_XEN)
        return no(RULE_CONTROL_HYPERCALL, .value = r->number);
    if (r->op >= CONTROL_OPS || !ops[r->op].fn)
        return no(RULE_CONTROL_OPERATION, .value = r->op);
    needs = ops[r->op].needs;
    d = r->number < MAX_DOMAINS ? hv.domain[r->number] : NULL;
    if (needs & DOMAIN && !d)
        return no(RULE_CONTROL_DOMAIN, .value = r->number);
    if (needs & ALIVE && d->state >= DOMAIN_SHUTDOWN)
        return no(RULE_CONTROL_ENDED, .value = r->number);
    if (needs & BUFFER && !in_buffers(&clients[r->client], r->buffer, r->length))
        return no(RULE_CONTROL_BUFFER, .va = r->buffer, .limit = r->length);
    return 0;
}

long control_perform(const struct control_request *r, bool again)
{
    long rc;

    if (again)
        return ops[r->op].again(r);
    rc = check(r);
    return rc ? rc : ops[r->op].fn(&clients[r->client], r);
}
