/* SPDX-License-Identifier: MIT
 *
 * domain.c - guests from their creation to their burial.
 *
 *   create ─► PAUSED ◄─► RUNNING ─► shutdown, crash ─► SHUTDOWN, CRASHED ─► bury: its story stays
 *                └──────────┴─────────── destroy ─────────► DYING ──────────► bury, forget: nothing
 *
 * A guest's end has two parts. domain_shutdown() only stops its vCPUs, and may be called from
 * anywhere, also deep in one of its hypercalls. domain_bury() runs at the end of an entry, when the
 * processor has left the guest's address space, and gives back what it owned. Its
 * struct domain stays, with name, reasons and console, for the host to read, until it is destroyed.
 * A number is not used again while any frame is still its domain's: another guest may have it
 * mapped.
 *
 * No other guest notices: what they share with it (grants, events) ends by those modules' rules.
 */
#include "control.h"
#include "domain.h"
#include "event.h"
#include "hostview_publish.h"
#include "mm.h"
#include "platform.h"
#include "sched.h"
#include "text.h"
#include "time.h"
#include "../backend/console.h"
#include "../backend/xenbus.h"
#include "../backend/xenstore.h"
#include "../policy/sched.h"
#include <pv/abi/sched.h>

struct hv hv;

struct domain *domain_for(struct vcpu *v, uint16_t domid, long *err)
{
    if (domid == XEN_DOMID_SELF || domid == v->domain->id)
        return v->domain;
    if (domain_by_id(domid))
        *err = refuse(v, RULE_DOMAIN_FOREIGN, .value = domid);
    else
        *err = refuse(v, RULE_DOMAIN_UNKNOWN, .value = domid);
    return NULL;
}

static unsigned order_of(size_t bytes)
{
    unsigned order = 0;

    while (((size_t)PV_PAGE_SIZE << order) < bytes)
        order++;
    return order;
}

struct domain *domain_create(uint16_t id, const char *name, uint64_t max_pages, unsigned max_vcpus)
{
    struct domain *d = frame_hv_alloc(order_of(sizeof(*d)));

    if (!d)
        return NULL;
    d->id = id;
    d->state = DOMAIN_PAUSED;
    d->max_pages = max_pages;
    d->max_vcpu = (uint16_t)max_vcpus;
    d->created_at = plat_now();
    text_copy(d->name, name, sizeof(d->name));
    d->handle[15] = (uint8_t)id;
    for (unsigned i = 0; i < 2; i++)
        timer_init(&d->watchdog[i], sched_watchdog_fired, d);
    if (!console_create(d)) {
        frame_hv_free(d, order_of(sizeof(*d)));
        return NULL;
    }
    hv.domain[id] = d;
    hv.guests++;
    hv.created++;
    control_event(CONTROL_EVENT_DOMAIN, id);
    d->shared = frame_hv_alloc(0);
    if (!d->shared || !evtchn_init(d) || !grant_init(d) || !xenstore_create(d)) {
        refuse_domain(d, RULE_MACHINE_MEMORY, .value = max_pages, .limit = frame_free_count());
        domain_crash(d);
        return d;
    }
    d->shared_mfn = mfn_of_maddr(plat_maddr(d->shared));
    frame_share(d->shared, d, true);
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        d->shared->vcpu_info[i].evtchn_upcall_mask = 1; /* until the kernel has its callback */
    time_publish_wallclock(d);
    return d;
}

struct vcpu *vcpu_create(struct domain *d, unsigned id)
{
    struct vcpu *v = frame_hv_alloc(order_of(sizeof(*v)));

    if (!v)
        return NULL;
    v->cpu = &hv.cpu[0];
    v->domain = d;
    v->id = (uint8_t)id;
    v->info = &d->shared->vcpu_info[id];
    v->hypercall = 0xffff;
    v->kernel_mode = 1;
    v->state = VCPU_DOWN;
    if (!plat_vcpu_init(v)) {
        frame_hv_free(v, order_of(sizeof(*v)));
        return NULL;
    }
    time_vcpu_init(v);
    sched->add(v);
    d->vcpu[id] = v;
    d->vcpus = (uint16_t)(id + 1);
    time_publish(v);
    return v;
}

void domain_unpause(struct domain *d)
{
    d->state = DOMAIN_RUNNING;
    for (unsigned i = 0; i < d->vcpus; i++)
        if (d->vcpu[i]->is_up && d->vcpu[i]->state != VCPU_BLOCKED)
            sched_wake(d->vcpu[i]);
    control_event(CONTROL_EVENT_DOMAIN, d->id);
}

void domain_pause(struct domain *d)
{
    d->state = DOMAIN_PAUSED;
    for (unsigned i = 0; i < d->vcpus; i++)
        sched_pause(d->vcpu[i]);
    control_event(CONTROL_EVENT_DOMAIN, d->id);
}

uint16_t domain_unused_id(void)
{
    for (unsigned i = 1; i < MAX_DOMAINS; i++) {
        uint16_t id = (uint16_t)((hv.latest + i - 1) % (MAX_DOMAINS - 1) + 1);

        if (!hv.domain[id])
            return hv.latest = id;
    }
    return 0;
}

/* -- the end ------------------------------------------------------------------- */

static void end(struct domain *d, enum domain_state state)
{
    if (d->state >= DOMAIN_SHUTDOWN)
        return;
    d->state = (uint8_t)state;
    for (unsigned i = 0; i < d->vcpus; i++) {
        struct vcpu *v = d->vcpu[i];

        sched_sleep(v, VCPU_DOWN);
        time_vcpu_exit(v);
    }
    for (unsigned i = 0; i < 2; i++)
        timer_stop(&d->watchdog[i]);
    cpu_work_set(CPU_WORK_EXIT | CPU_WORK_RESCHED);
}

static const char *end_name(unsigned code)
{
    static const char *const names[] = {"powered off",         "asked for a reboot",
                                        "suspended",           "crashed",
                                        "missed its watchdog", "asked for a soft reset"};

    return code <= XEN_SHUTDOWN_MAX ? names[code] : "ended with a code of its own";
}

void domain_shutdown(struct domain *d, unsigned code)
{
    if (d->state >= DOMAIN_SHUTDOWN)
        return;
    if (!d->shutdown_code_set)
        d->shutdown_code = (uint8_t)code;
    code = d->shutdown_code;
    end(d, code == XEN_SHUTDOWN_crash || code == XEN_SHUTDOWN_watchdog ? DOMAIN_CRASHED
                                                                       : DOMAIN_SHUTDOWN);
    hv_log("d%u (%s) %s\n", d->id, d->name, end_name(code));
}

void domain_crash(struct domain *d)
{
    d->shutdown_code_set = 0;
    domain_shutdown(d, XEN_SHUTDOWN_crash);
}

void domain_destroy(struct domain *d)
{
    if (d->state < DOMAIN_SHUTDOWN)
        hv_log("d%u (%s) is destroyed\n", d->id, d->name);
    end(d, DOMAIN_DYING);
    d->state = DOMAIN_DYING;
    d->destroyed = 1;
    cpu_work_set(CPU_WORK_EXIT);
}

static void ring_page_put(mfn_t *m)
{
    if (m->n) {
        frame_put_writable(frame_of(*m));
        frame_put(frame_of(*m));
    }
    *m = mfn(0);
}

/* The first part, done once: d loses its vCPUs' hold on anything. */
static void detach(struct domain *d)
{
    struct cpu *c = &hv.cpu[0];

    console_detach(d);
    xenstore_detach(d);
    ring_page_put(&d->console_mfn);
    ring_page_put(&d->store_mfn);
    xenbus_detach(d);
    if (c->loaded && c->loaded->domain == d) {
        plat_vcpu_switch(c->loaded, NULL);
        c->loaded = NULL;
    }
    evtchn_exit(d);
    grant_exit(d);
    for (unsigned i = 0; i < d->vcpus; i++)
        vcpu_drop(d->vcpu[i]);
    d->detached = 1;
}

/* False: there is more to do, but an interrupt is pending. */
static bool bury(struct domain *d)
{
    struct cpu *c = &hv.cpu[0];

    if (!d->detached)
        detach(d);
    if (!domain_memory_release(d))
        return false;
    for (unsigned i = 0; i < d->vcpus; i++) {
        struct vcpu *v = d->vcpu[i];

        d->cpu_ns += v->runstate.time[XEN_RUNSTATE_running];
        sched->remove(v);
        if (c->fpu_owner == v)
            c->fpu_owner = NULL;
        plat_vcpu_free(v);
        frame_hv_free(v, order_of(sizeof(*v)));
        d->vcpu[i] = NULL;
    }
    xenstore_destroy(d);
    d->vcpus = 0;
    evtchn_free(d);
    if (d->shared)
        frame_hv_free(d->shared, 0);
    d->shared = NULL;
    if (d->disk.requests)
        hv_log("d%u (%s) disk: %lu requests, %lu sectors read, %lu written, %lu bytes copied\n",
               d->id, d->name, (unsigned long)d->disk.requests, (unsigned long)d->disk.read,
               (unsigned long)d->disk.written, (unsigned long)d->disk.copied);
    d->buried = 1;
    hv.ended++;
    hv.crashed |= d->state == DOMAIN_CRASHED;
    control_event(CONTROL_EVENT_DOMAIN, d->id); /* its last output is out, its memory is back */
    control_virq(XEN_VIRQ_DOM_EXC);
    return true;
}

static void forget(struct domain *d)
{
    uint16_t id = d->id;

    hv.domain[id] = NULL;
    hv.guests--;
    hv.ended--;
    console_destroy(d);
    frame_hv_free(d, order_of(sizeof(*d)));
    control_event(CONTROL_EVENT_DOMAIN, id);
    control_virq(XEN_VIRQ_DOM_EXC);
}

void domain_bury(void)
{
    for (unsigned i = 1; i < MAX_DOMAINS; i++) {
        struct domain *d = hv.domain[i];

        if (d && d->state >= DOMAIN_SHUTDOWN && !d->buried)
            if (!bury(d)) {
                cpu_work_set(CPU_WORK_EXIT);
                return;
            }
        if (d && d->destroyed && d->pages == 0)
            forget(d);
    }
    hostview_publish();
    cpu_work_set(CPU_WORK_CONTROL); /* somebody may wait for this */
    if (hv.ended == hv.guests && !hv.noexit)
        plat_power_off(hv.crashed ? HOSTVIEW_EXIT_CRASHED : HOSTVIEW_EXIT_OK);
}
