/* SPDX-License-Identifier: MIT */
/*
 * world.c - the world of straw of world.h.
 */
#include "world.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct world world;

static struct node {
    char path[128], value[512], perms[64];
    size_t n, perms_n;
    bool used;
} nodes[1024];
static struct {
    char path[128], token[32];
    bool used;
} watches[128];
static char out[1 << 17], in[8192];
static size_t out_n, in_n;

/* The tree --------------------------------------------------------------------------------- */

static struct node *find(const char *path, bool make)
{
    struct node *spare = NULL;

    for (size_t i = 0; i < PV_ARRAY_SIZE(nodes); i++) {
        if (nodes[i].used && strcmp(nodes[i].path, path) == 0)
            return &nodes[i];
        if (!nodes[i].used && !spare)
            spare = &nodes[i];
    }
    if (!make || !spare)
        return NULL;
    memset(spare, 0, sizeof(*spare));
    spare->used = true;
    snprintf(spare->path, sizeof(spare->path), "%s", path);
    memcpy(spare->perms, "n7", spare->perms_n = 3);
    return spare;
}

static bool below(const char *top, const char *path)
{
    size_t n = strlen(top);

    return strncmp(top, path, n) == 0 && (!path[n] || path[n] == '/');
}

static void reply(struct xen_xsd_sockmsg h, const void *payload, size_t n)
{
    char bytes[XENSTORE_PAYLOAD_MAX] = {0};

    memcpy(bytes, payload, n);
    h.len = (uint32_t)n;
    if (world.mangle)
        world.mangle(&h, bytes);
    memcpy(out + out_n, &h, sizeof(h));
    memcpy(out + out_n + sizeof(h), bytes, h.len < sizeof(bytes) ? h.len : sizeof(bytes));
    out_n += sizeof(h) + (h.len < sizeof(bytes) ? h.len : sizeof(bytes));
}

static void fire(unsigned i, const char *path)
{
    char text[256];
    size_t n = strlen(path) + 1, m = strlen(watches[i].token) + 1;

    memcpy(text, path, n);
    memcpy(text + n, watches[i].token, m);
    reply((struct xen_xsd_sockmsg){.type = XEN_XS_WATCH_EVENT}, text, n + m);
}

static void changed(const char *path)
{
    world.generation++;
    for (unsigned i = 0; i < PV_ARRAY_SIZE(watches); i++)
        if (watches[i].used && (below(watches[i].path, path) || below(path, watches[i].path)))
            fire(i, path);
}

static void set(const char *path, const void *value, size_t n)
{
    struct node *o = find(path, true);

    memcpy(o->value, value, n);
    o->value[n] = 0;
    o->n = n;
    changed(path);
}

void world_write(const char *path, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    set(path, text, strlen(text));
}

static bool remove_all(const char *path)
{
    bool any = false;

    for (size_t i = 0; i < PV_ARRAY_SIZE(nodes); i++)
        if (nodes[i].used && below(path, nodes[i].path)) {
            nodes[i].used = false;
            any = true;
        }
    if (any)
        changed(path);
    return any;
}

void world_rm(const char *path)
{
    remove_all(path);
}

const char *world_read(const char *path)
{
    struct node *o = find(path, false);

    return o ? o->value : "";
}

bool world_exists(const char *path)
{
    return find(path, false) != NULL;
}

/* The names right below a path; returns their bytes. */
static size_t list(const char *path, char *names)
{
    size_t used = 0, n = strlen(path);

    for (size_t i = 0; i < PV_ARRAY_SIZE(nodes); i++) {
        char name[128];
        bool known = false;

        if (!nodes[i].used || !below(path, nodes[i].path) || !nodes[i].path[n])
            continue;
        snprintf(name, sizeof(name), "%s", nodes[i].path + n + 1);
        name[strcspn(name, "/")] = 0;
        for (size_t at = 0; at < used && !known; at += strlen(names + at) + 1)
            known = strcmp(names + at, name) == 0;
        if (!known) {
            memcpy(names + used, name, strlen(name) + 1);
            used += strlen(name) + 1;
        }
    }
    return used;
}

/* Requests --------------------------------------------------------------------------------- */

static void error(struct xen_xsd_sockmsg h, const char *name)
{
    h.type = XEN_XS_ERROR;
    reply(h, name, strlen(name) + 1);
}

static void do_directory(struct xen_xsd_sockmsg h, const char *path, const char *offset)
{
    static char names[1 << 16];
    char part[XENSTORE_PAYLOAD_MAX];
    size_t n = list(path, names), at, used;

    if (!n && !world_exists(path))
        return error(h, "ENOENT");
    if (!offset)
        return n <= XENSTORE_PAYLOAD_MAX ? reply(h, names, n) : error(h, "E2BIG");
    used = (size_t)snprintf(part, sizeof(part), "%u", world.generation) + 1;
    for (at = strtoul(offset, NULL, 10); at < n; at += strlen(names + at) + 1) {
        if (used + strlen(names + at) + 2 > 300) /* parts are small here */
            break;
        memcpy(part + used, names + at, strlen(names + at) + 1);
        used += strlen(names + at) + 1;
    }
    if (at >= n)
        part[used++] = 0;
    reply(h, part, used);
}

static void do_watch(struct xen_xsd_sockmsg h, const char *path, const char *token)
{
    unsigned i = 0, spare = PV_ARRAY_SIZE(watches);

    for (; i < PV_ARRAY_SIZE(watches); i++) {
        if (!watches[i].used)
            spare = spare < i ? spare : i;
        else if (strcmp(watches[i].path, path) == 0 && strcmp(watches[i].token, token) == 0)
            break;
    }
    if (h.type == XEN_XS_UNWATCH) {
        if (i == PV_ARRAY_SIZE(watches))
            return error(h, "ENOENT");
        watches[i].used = false;
        return reply(h, "OK", 3);
    }
    if (i < PV_ARRAY_SIZE(watches))
        return error(h, "EEXIST");
    watches[spare].used = true;
    snprintf(watches[spare].path, sizeof(watches[spare].path), "%s", path);
    snprintf(watches[spare].token, sizeof(watches[spare].token), "%s", token);
    reply(h, "OK", 3);
    fire(spare, path);
}

static void do_write(struct xen_xsd_sockmsg h, const char *path, const char *value, size_t n)
{
    if (!below("/local/domain/7", path))
        return error(h, "EACCES");
    if (h.type == XEN_XS_WRITE || !world_exists(path))
        set(path, value, n);
    reply(h, "OK", 3);
}

static void do_read(struct xen_xsd_sockmsg h, const char *path)
{
    struct node *o = find(path, false);

    if (!o)
        return error(h, "ENOENT");
    if (h.type == XEN_XS_GET_PERMS)
        return reply(h, o->perms, o->perms_n);
    reply(h, o->value, o->n);
}

static void serve(struct xen_xsd_sockmsg h, const char *payload)
{
    char path[256];
    const char *second = payload + strlen(payload) + 1;
    size_t rest = second < payload + h.len ? (size_t)(payload + h.len - second) : 0;
    struct node *o;

    world.requests++;
    snprintf(path, sizeof(path), "%s%.100s", *payload == '/' ? "" : HOME, payload);
    switch (h.type) {
    case XEN_XS_READ:
    case XEN_XS_GET_PERMS:
        return do_read(h, path);
    case XEN_XS_WRITE:
    case XEN_XS_MKDIR:
        return do_write(h, path, second, rest);
    case XEN_XS_RM:
        return remove_all(path) ? reply(h, "OK", 3) : error(h, "ENOENT");
    case XEN_XS_DIRECTORY:
        return do_directory(h, path, NULL);
    case XEN_XS_DIRECTORY_PART:
        return do_directory(h, path, second);
    case XEN_XS_WATCH:
    case XEN_XS_UNWATCH:
        return do_watch(h, path, second);
    case XEN_XS_SET_PERMS:
        o = find(path, false);
        if (!o)
            return error(h, "ENOENT");
        memcpy(o->perms, second, o->perms_n = rest);
        return reply(h, "OK", 3);
    case XEN_XS_GET_DOMAIN_PATH:
        snprintf(path, sizeof(path), "/local/domain/%.8s", payload);
        return reply(h, path, strlen(path) + 1);
    case XEN_XS_TRANSACTION_START:
        return reply(h, "12", 3);
    case XEN_XS_TRANSACTION_END:
        if (*payload == 'T' && world.conflicts) {
            world.conflicts--;
            return error(h, "EAGAIN");
        }
        return reply(h, "OK", 3);
    default:
        return error(h, "ENOSYS");
    }
}

struct xenstore_domain_interface *world_page(void)
{
    return (struct xenstore_domain_interface *)fake_memory[STORE_PFN];
}

/* The store's turn. */
static void store_run(void)
{
    struct xenstore_domain_interface *p = world_page();
    uint32_t most = world.chunk ? world.chunk : XENSTORE_RING_SIZE, sent = 0;
    struct xen_xsd_sockmsg h;

    if (world.mute)
        return;
    if (p->connection == XENSTORE_RECONNECT && p->server_features) {
        p->req_cons = p->req_prod = p->rsp_cons = p->rsp_prod = 0;
        memset(watches, 0, sizeof(watches));
        in_n = out_n = 0;
        p->connection = XENSTORE_CONNECTED;
        world_event(STORE_PORT);
        return;
    }
    for (uint32_t i = 0; i < most && p->req_cons != p->req_prod; i++) {
        in[in_n++] = p->req[p->req_cons++ % XENSTORE_RING_SIZE];
        memcpy(&h, in, sizeof(h));
        if (in_n < sizeof(h) || in_n < sizeof(h) + h.len)
            continue;
        in[in_n] = 0;
        in_n = 0;
        serve(h, in + sizeof(h));
    }
    while (sent < most && sent < out_n && p->rsp_prod - p->rsp_cons < XENSTORE_RING_SIZE)
        p->rsp[p->rsp_prod++ % XENSTORE_RING_SIZE] = out[sent++];
    memmove(out, out + sent, out_n -= sent);
    if (sent || world.chunk)
        world_event(STORE_PORT);
}

/* The hypervisor --------------------------------------------------------------------------- */

void world_event(uint32_t port)
{
    uint64_t bit = (uint64_t)1 << port % 64;

    fake_shared.evtchn_pending[port / 64] |= bit;
    if (fake_shared.evtchn_mask[port / 64] & bit)
        return;
    fake_shared.vcpu_info[0].evtchn_pending_sel |= (uint64_t)1 << port / 64;
    fake_shared.vcpu_info[0].evtchn_upcall_pending = 1;
}

static struct xen_grant_entry_v1 *grants; /* where libpv has the grant table */
#define GRANTS 2048

void *world_grant(xen_grant_ref_t ref, bool write)
{
    if (ref >= GRANTS || !grants || !(grants[ref].flags & XEN_GTF_permit_access) ||
        (write && (grants[ref].flags & XEN_GTF_readonly)))
        return NULL;
    for (uint64_t i = 0; i < NR_PAGES; i++)
        if (fake_mfn(i) == grants[ref].frame)
            return fake_memory[i];
    return NULL;
}

void world_hold(xen_grant_ref_t ref, bool held)
{
    if (held)
        grants[ref].flags |= XEN_GTF_reading | XEN_GTF_writing;
    else
        grants[ref].flags &= (uint16_t) ~(XEN_GTF_reading | XEN_GTF_writing);
}

void world_exchange(xen_grant_ref_t ref, uint32_t frame)
{
    grants[ref].frame = frame;
}

unsigned world_grants(void)
{
    unsigned n = 0;

    for (unsigned i = 0; grants && i < GRANTS; i++)
        n += grants[i].flags != 0;
    return n;
}

static int64_t event_op(uint64_t cmd, void *arg)
{
    if (cmd == XEN_EVTCHNOP_alloc_unbound) {
        ((struct xen_evtchn_alloc_unbound *)arg)->port = world.next_port++;
    } else if (cmd == XEN_EVTCHNOP_send) {
        uint32_t port = ((struct xen_evtchn_send *)arg)->port;

        if (port != STORE_PORT && world.notified)
            world.notified(port);
    } else if (cmd == XEN_EVTCHNOP_unmask) {
        uint32_t port = ((struct xen_evtchn_unmask *)arg)->port;

        fake_shared.evtchn_mask[port / 64] &= ~((uint64_t)1 << port % 64);
        if (fake_shared.evtchn_pending[port / 64] >> port % 64 & 1)
            world_event(port);
    }
    return 0;
}

static int64_t hypervisor(uint64_t nr, const uint64_t *arg)
{
    static bool inside;
    int64_t rc = 0;

    if (nr == XEN_HYPERVISOR_event_channel_op)
        rc = event_op(arg[0], (void *)arg[1]);
    if (nr == XEN_HYPERVISOR_sched_op)
        fake.tsc += 1000000;
    if (nr == XEN_HYPERVISOR_grant_table_op && arg[0] == XEN_GNTTABOP_setup_table)
        for (unsigned i = 0; i < ((struct xen_gnttab_setup_table *)arg[1])->nr_frames; i++)
            ((uint64_t *)((struct xen_gnttab_setup_table *)arg[1])->frame_list.va)[i] = 0x900 + i;
    world.unmaps += nr == XEN_HYPERVISOR_update_va_mapping && !arg[1];
    if (nr == XEN_HYPERVISOR_update_va_mapping && (arg[1] & 0xffffffffff000) == 0x900000)
        grants = (struct xen_grant_entry_v1 *)arg[0];
    if ((nr == XEN_HYPERVISOR_event_channel_op || nr == XEN_HYPERVISOR_sched_op) && !inside) {
        inside = true;
        store_run();
        if (world.idle)
            world.idle();
        inside = false;
    }
    if (fake_shared.vcpu_info[0].evtchn_upcall_pending &&
        !fake_shared.vcpu_info[0].evtchn_upcall_mask) {
        fake_shared.vcpu_info[0].evtchn_upcall_mask = 1;
        pv_event_dispatch(NULL);
        fake_shared.vcpu_info[0].evtchn_upcall_mask = 0;
    }
    return rc;
}

void world_reset(void)
{
    fake_reset();
    memset(&world, 0, sizeof(world));
    memset(fake_memory, 0, sizeof(fake_memory));
    world.next_port = FIRST_PORT;
    fake_start.store_mfn = fake_mfn(STORE_PFN);
    fake_start.store_evtchn = STORE_PORT;
    fake_start.pt_base = (uintptr_t)fake_memory + 7 * PV_PAGE_SIZE; /* frames from 8 on are free */
    fake_shared.vcpu_info[0].time.tsc_to_system_mul = 0x80000000u;
    fake_shared.vcpu_info[0].time.tsc_shift = 1;
    memset(fake_shared.evtchn_mask, 0xff, sizeof(fake_shared.evtchn_mask));
    world_page()->server_features = XENSTORE_SERVER_FEATURE_RECONNECTION;
    fake.answer = hypervisor;
}
