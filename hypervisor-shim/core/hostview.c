/* SPDX-License-Identifier: MIT
 *
 * hostview.c - what the host may read of a running shim, kept up to date.
 *
 * One page at a fixed machine address; the shim is its only writer. `sequence` is odd
 * while records change, and even when they agree with each other. The fences keep the writes
 * between the two increments for a host that looks from another processor.
 */
#include "control.h"
#include "domain.h"
#include "hostview_publish.h"
#include "log.h"
#include "platform.h"
#include "text.h"
#include "trace.h"
#include "../backend/console.h"
#include "../backend/net.h"
#include <pv/abi/sched.h>
#include <stdatomic.h>

_Static_assert(sizeof(struct hostview) <= 3 * PV_PAGE_SIZE, "tools map three pages");

__attribute__((section(".hostview"), used)) struct hostview hostview = {
    .magic = HOSTVIEW_MAGIC, .version = HOSTVIEW_VERSION, .size = sizeof(struct hostview)};

static uint64_t last_publish;

void hostview_init(uint64_t low_size, uint64_t ram_size)
{
    hostview.low_size = low_size;
    hostview.ram_size = ram_size;
    hostview_publish();
}

static uint64_t cpu_time(const struct domain *d, uint64_t now)
{
    uint64_t sum = d->cpu_ns;

    for (unsigned i = 0; i < MAX_VCPUS; i++) {
        const struct vcpu *v = d->vcpu[i];

        if (!v)
            continue;
        sum += v->runstate.time[XEN_RUNSTATE_running];
        if (v->runstate.state == XEN_RUNSTATE_running && now > v->runstate.state_entry_time)
            sum += now - v->runstate.state_entry_time;
    }
    return sum;
}

/* What is recorded, and what can be told from the rest of the state. */
static uint32_t stages(const struct domain *d)
{
    uint32_t reached = d->stages;

    if (d->console && d->console->kept_produced)
        reached |= 1u << STAGE_console;
    if (d->user_entries)
        reached |= 1u << STAGE_user;
    if (d->user_entries > 1)
        reached |= 1u << STAGE_calls;
    if (d->state == DOMAIN_SHUTDOWN && d->shutdown_code == XEN_SHUTDOWN_poweroff)
        reached |= 1u << STAGE_off;
    return reached;
}

static void publish_domain(struct hostview_domain *h, struct domain *d, uint64_t now)
{
    const struct net_stats *net = net_stats(d, 0);

    *h = (struct hostview_domain){
        .domid = d->id,
        .state = d->state,
        .shutdown_code = d->shutdown_code,
        .vcpus = d->max_vcpu,
        .pages = d->pages,
        .max_pages = d->max_pages,
        .cpu_ns = cpu_time(d, now),
        .reasons = plat_maddr(&d->reasons),
        .stages = stages(d),
        .disk_requests = d->disk.requests,
        .disk_read = d->disk.read,
        .disk_written = d->disk.written,
        .disk_copied = d->disk.copied,
    };
    if (net) {
        h->packets = net->sent + net->received;
        h->packet_bytes = net->sent_bytes + net->received_bytes;
    }
    text_copy(h->name, d->name, sizeof(h->name));
    if (d->console) {
        h->console = plat_maddr(d->console->kept);
        h->console_size = CONSOLE_KEPT;
        h->console_produced = d->console->kept_produced;
    }
}

void hostview_publish(void)
{
    uint64_t now = plat_now();
    uint32_t n = 0;

    last_publish = now;
    hostview.sequence++;
    atomic_thread_fence(memory_order_release); /* the host sees odd before any change */
    hostview.free_pages = frame_free_count();
    hostview.uptime_ns = now;
    hostview.log = plat_maddr(hv_log_ring);
    hostview.log_size = HV_LOG_SIZE;
    hostview.log_produced = hv_log_produced;
    hostview.rule_counts = plat_maddr(reason_counts);
    hostview.rules = RULES;
    hostview.host_reasons = plat_maddr(&control_reasons()->reasons);
    hostview.control = control_ready() ? CONTROL_VERSION : 0;
    hostview.created = hv.created;
    hostview.trace = plat_maddr(trace_ring);
    hostview.trace_count = plat_maddr(&trace_count);
    hostview.tsc_base = hv.tsc_base;
    hostview.tsc_khz = hv.tsc_khz;
    hostview.ended = hv.created && hv.ended == hv.guests;
    for (unsigned i = 0; i < MAX_DOMAINS; i++)
        if (hv.domain[i])
            publish_domain(&hostview.domain[n++], hv.domain[i], now);
    hostview.domains = n;
    atomic_thread_fence(memory_order_release); /* the host sees all changes before even */
    hostview.sequence++;
}

void hostview_refresh(uint64_t now)
{
    if (now - last_publish >= 100 * 1000 * 1000ull)
        hostview_publish();
}
