/* SPDX-License-Identifier: MIT
 *
 * xenstore_life.c - connections to the store begin and end: guests', and the host's.
 *
 * A guest finds what libxl would have written of it in its directory. The host's connections have
 * no ring: they are given one whole request at a time and return its answer (core/control.c
 * carries both), and may do everything, but have no watches.
 */
#include "xenstore.h"
#include "xenstore_wire.h"
#include "../core/domain.h"
#include "../core/heap.h"
#include "../core/text.h"

/* -- a guest's life ---------------------------------------------------------------------------- */

/* What libxl writes of a new PV guest, as far as there is something behind it. */
static void write_home(struct domain *d, const char *home)
{
    static const char *const theirs[] = {"data",
                                         "drivers",
                                         "feature",
                                         "attr",
                                         "error",
                                         "control/feature-poweroff",
                                         "control/feature-reboot",
                                         "control/feature-suspend",
                                         "control/sysrq",
                                         "control/shutdown",
                                         "device/suspend/event-channel"};
    char path[96];

#define PATH(...) (text_format(path, sizeof(path), __VA_ARGS__), path)
    store_writef(home, "%s", "");
    store_grant(home, 0, d->id, STORE_READ);
    store_writef(PATH("%s/vm", home), "/vm/%u", d->id);
    store_writef(PATH("%s/name", home), "%s", d->name);
    store_writef(PATH("%s/domid", home), "%u", d->id);
    store_writef(PATH("%s/cpu/0/availability", home), "online");
    for (unsigned i = 1; i < d->vcpus; i++)
        store_writef(PATH("%s/cpu/%u/availability", home, i), "online");
    store_writef(PATH("%s/memory/static-max", home), "%lu", (unsigned long)d->max_pages * 4);
    store_writef(PATH("%s/memory/target", home), "%lu", (unsigned long)d->pages * 4);
    store_writef(PATH("%s/control/platform-feature-multiprocessor-suspend", home), "1");
    store_writef(PATH("%s/console/limit", home), "1048576");
    store_writef(PATH("%s/console/type", home), "xenconsoled");
    store_writef(PATH("%s/console/port", home), "%u", d->console_port);
    store_writef(PATH("%s/console/ring-ref", home), "%lu", (unsigned long)d->console_mfn.n);
    store_writef(PATH("%s/store/port", home), "%u", d->store_port);
    store_writef(PATH("%s/store/ring-ref", home), "%lu", (unsigned long)d->store_mfn.n);
    for (unsigned i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++) {
        store_writef(PATH("%s/%s", home, theirs[i]), "%s", "");
        store_grant(path, d->id, d->id, 0);
    }
    store_writef(PATH("/vm/%u/name", d->id), "%s", d->name);
#undef PATH
}

bool xenstore_create(struct domain *d)
{
    struct connection *c;

    if (!store_init())
        return false;
    c = heap_alloc(sizeof(*c));
    if (!c)
        return false;
    c->domain = d;
    c->user.domid = d->id;
    text_format(c->home, sizeof(c->home), "/local/domain/%u", d->id);
    d->store = c;
    return true;
}

void xenstore_attach(struct domain *d, struct xenstore_domain_interface *page)
{
    struct connection *c = d->store;

    write_home(d, c->home);
    c->page = page;
    page->server_features = XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR;
    page->connection = XENSTORE_CONNECTED;
    store_changed("@introduceDomain", false);
}

/* Nothing of what was said before holds any more. */
static void forget(struct connection *c)
{
    store_user_exit(&c->user);
    connection_watches_reset(c);
    while (c->out)
        connection_drop_first(c);
    c->in_length = 0;
}

void connection_renew(struct connection *c)
{
    struct xenstore_domain_interface *p = c->page;

    forget(c);
    c->broken = false;
    p->req_cons = p->req_prod = p->rsp_cons = p->rsp_prod = 0;
    p->error = XENSTORE_ERROR_NONE;
    /* The guest looks at the rings only after it has seen this. */
    __atomic_store_n(&p->connection, XENSTORE_CONNECTED, __ATOMIC_RELEASE);
}

void xenstore_detach(struct domain *d)
{
    struct connection *c = d->store;

    if (!c)
        return;
    c->page = NULL;
    forget(c);
}

void xenstore_destroy(struct domain *d)
{
    struct connection *c = d->store;
    char path[HOME_MAX];

    if (!c)
        return;
    d->store = NULL;
    store_rm(c->home);
    text_format(path, sizeof(path), "/vm/%u", d->id);
    store_rm(path);
    heap_free(c, sizeof(*c));
    store_changed("@releaseDomain", false);
}

/* -- the host's ------------------------------------------------------------------------------- */

struct connection *xenstore_host_open(void)
{
    struct connection *c = store_init() ? heap_alloc(sizeof(*c)) : NULL;

    if (c)
        text_copy(c->home, "/local/domain/0", sizeof(c->home));
    return c;
}

void xenstore_host_close(struct connection *c)
{
    store_user_exit(&c->user);
    heap_free(c, sizeof(*c));
}

size_t xenstore_host_request(struct connection *c, void *bytes, size_t length, size_t room)
{
    size_t answer = 0;

    __builtin_memcpy(c->in, bytes, length);
    connection_handle(c);
    if (c->out && c->out->length <= room) {
        answer = c->out->length;
        __builtin_memcpy(bytes, c->out->bytes, answer);
    }
    while (c->out)
        connection_drop_first(c);
    return answer;
}
